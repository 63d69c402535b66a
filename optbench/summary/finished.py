"""What has finished on a problem, and the target that it is shown at."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from optbench import metrics
from optbench.metrics import as_costs
from optbench.records import Cell
from optbench.tracks import headline_index, target_index, tuning
from optbench.trajectory import Trajectory


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Finished:
    """What has finished on a problem: tables, figures and pages all stand on it.

    Attributes:
        cells: optimizer -> its cell, in study order.
        logs: optimizer -> all its lanes, in study order.
        target: index of the target that the problem is shown at.
        eased: whether it is an easier one than the study's, which none reaches there.
    """

    cells: Mapping[str, Cell]
    logs: Mapping[str, Trajectory]
    target: int
    eased: bool

    @classmethod
    def of(
        cls, cells: Iterable[Cell], trajectory: Callable[[Cell], Trajectory | None], target: float
    ) -> Finished:
        """Those of the cells of a problem that have a trajectory.

        Args:
            cells: of the problem, in study order.
            trajectory: a cell -> its trajectory; None where it has none.
            target: of the study, as a fraction of the merit at the start.
        """
        found = [(cell, trajectory(cell)) for cell in cells]
        done = {cell.optimizer: (cell, log) for cell, log in found if log is not None}
        logs = {optimizer: log for optimizer, (_, log) in done.items()}
        index, eased = shown_target(
            [*logs.values()], [cell.trials for cell, _ in done.values()], target
        )
        return cls(
            cells={optimizer: cell for optimizer, (cell, _) in done.items()},
            logs=logs,
            target=index,
            eased=eased,
        )

    def tuned_index(self, optimizer: str) -> int:
        """Index of the setting that an optimizer is shown at."""
        return headline_index(self.logs[optimizer], self.cells[optimizer].trials, self.target)


def common_target(trajectories: Sequence[Trajectory]) -> int:
    """Index of the hardest target that half of the methods reach, each from most starts.

    Where fewer than half of them reach any, the hardest that all these do; where none does, the
    easiest.

    Args:
        trajectories: the runs that settings are tuned on: what decides for which target they are
            tuned must be no more than they are tuned by.
    """
    hardest = [metrics.hardest_target(trajectory.hit_costs) for trajectory in trajectories]
    known = sorted((index for index in hardest if index is not None), reverse=True)
    half = math.ceil(len(hardest) / 2)
    return known[min(half, len(known)) - 1] if known else 0


def shown_target(
    trajectories: Sequence[Trajectory], trials: Sequence[int], target: float
) -> tuple[int, bool]:
    """Index of the target that a problem is shown at, and whether it is an eased one.

    It is the study's, as in a verdict. Where no method reaches that on most of the seeds of tuning,
    at the setting tuned for it, it is `common_target`, if that asks for less.

    Args:
        trajectories: all lanes of each method that finished.
        trials: of each, as `headline_index` takes them.
        target: of the study, as a fraction of the merit at the start.
    """
    if not trajectories:
        return 0, False
    asked = target_index(trajectories[0], target)
    for log, tried in zip(trajectories, trials, strict=True):
        index = headline_index(log, tried, asked)
        if np.isfinite(np.median(as_costs(tuning(log).hit_costs[:, index, asked]))):
            return asked, False
    common = common_target([tuning(log) for log in trajectories])
    return min(common, asked), common < asked
