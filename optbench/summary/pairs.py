"""One optimizer on one problem in a few numbers, at the setting that was best for it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from optbench import metrics
from optbench.rates import Abstention, Rate
from optbench.records import Cell, ProblemRecord
from optbench.regimes import observed_rate
from optbench.trajectory import Trajectory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """One optimizer on one problem, at its best setting (oracle-tuned: an upper bound).

    Attributes:
        problem: label.
        optimizer: label.
        status: finished, failed, not applicable, or unfinished; only of a finished pair is more
            known than `message`.
        message: why it did not finish, in one line.
        target: the one all optimizers of the problem are measured at, as a fraction of the merit
            at the start (-1 is escape from a saddle).
        hardest: the hardest target that most starts reach at some setting; None where none.
        setting: swept hyperparameter -> its best value.
        on_edge: whether the best learning rate is the first or last of its grid.
        cost: median over starts of the cost to `target`; None where half of them never reach it.
        low: smallest cost over starts; None where no start reaches the target.
        high: largest cost over starts; None where one start does not reach it.
        reached: number of starts that reach the target.
        starts: number of starts.
        basin: decades of learning rates at most twice as expensive as the best one; None where
            there is none or no grid of learning rates.
        rate: at which the merit falls over all starts, or why none is told.
        failures: how the starts that fail at the best setting end, and how many.
        exact: whether costs are exact, or known at log points only.
    """

    problem: str
    optimizer: str
    status: str
    message: str = ""
    target: float | None = None
    hardest: float | None = None
    setting: Mapping[str, float] = dataclasses.field(default_factory=dict)
    on_edge: bool = False
    cost: float | None = None
    low: float | None = None
    high: float | None = None
    reached: int | None = None
    starts: int | None = None
    basin: float | None = None
    rate: Rate | Abstention | None = None
    failures: Mapping[str, int] = dataclasses.field(default_factory=dict)
    exact: bool = True

    @property
    def solved(self) -> bool:
        """Whether most starts reach the target."""
        return self.cost is not None


def common_target(trajectories: Sequence[Trajectory]) -> int:
    """Index of the hardest target that half of the methods reach, each from most starts.

    Where fewer than half of them reach any, the hardest that all these do; where none does, the
    easiest.
    """
    hardest = [metrics.hardest_target(trajectory.hit_costs) for trajectory in trajectories]
    known = sorted((index for index in hardest if index is not None), reverse=True)
    half = math.ceil(len(hardest) / 2)
    return known[min(half, len(known)) - 1] if known else 0


def best_index(trajectory: Trajectory, target: int) -> int:
    """Index of the setting of least median cost to a target, given by its index."""
    return _best(trajectory, target).index or 0


def _best(trajectory: Trajectory, target: int) -> metrics.BestSetting:
    costs = trajectory.hit_costs[..., target, None]
    return metrics.best_setting(costs, _at_end(trajectory, "merit_values"))[0]


def measure(cell: Cell, trajectory: Trajectory, target: int, problem: ProblemRecord) -> Pair:
    """What a finished cell comes to at one target, given by its index."""
    hit_costs = trajectory.hit_costs[..., target]
    best = _best(trajectory, target)
    hardest = metrics.hardest_target(trajectory.hit_costs)
    index = best.index or 0
    return Pair(
        problem=cell.problem,
        optimizer=cell.optimizer,
        status=cell.status,
        target=float(trajectory.targets[target]),
        hardest=None if hardest is None else float(trajectory.targets[hardest]),
        setting={name: float(values[index]) for name, values in trajectory.settings.items()},
        on_edge=_on_edge(trajectory.settings, index),
        cost=_finite(best.median),
        low=_finite(best.low),
        high=_finite(best.high),
        reached=best.successes,
        starts=best.total,
        basin=_basin(trajectory, hit_costs),
        rate=observed_rate(trajectory, index, problem),
        failures=_failures(trajectory.status[:, index][np.isnan(hit_costs[:, index])]),
        exact=trajectory.resolution == "exact",
    )


def _at_end(trajectory: Trajectory, name: str) -> np.ndarray:
    """[S, H] a logged quantity where each lane ended."""
    logged = getattr(trajectory, name)
    return np.take_along_axis(logged, trajectory.last[..., None], axis=-1)[..., 0]


def _basin(trajectory: Trajectory, hit_costs: np.ndarray) -> float | None:
    rates = trajectory.settings.get("learning_rate")
    if rates is None or len(trajectory.settings) > 1 or len(rates) < 2:
        return None
    running_times = metrics.expected_running_time(hit_costs, _at_end(trajectory, "cost"))
    return metrics.basin_width(rates, running_times)


def _on_edge(settings: Mapping[str, np.ndarray], index: int) -> bool:
    rates = settings.get("learning_rate")
    return rates is not None and len(rates) > 1 and rates[index] in (min(rates), max(rates))


def _failures(status: np.ndarray) -> dict[str, int]:
    return {str(kind): count for kind, count in metrics.count_failures(status).items()}


def _finite(cost: float) -> float | None:
    return cost if math.isfinite(cost) else None
