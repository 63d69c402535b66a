"""One optimizer on one problem in a few numbers, at the setting that was best for it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from optbench import metrics
from optbench.rates import Abstention, Rate
from optbench.records import Cell, ProblemRecord
from optbench.regimes import observed_rate
from optbench.summary.sparklines import Path, path_of
from optbench.tracks import evaluation, headline_index, tracks_of
from optbench.trajectory import Trajectory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """One optimizer on one problem, at the setting that it was tuned to on other seeds.

    Attributes:
        problem: label.
        optimizer: label.
        status: finished, failed, not applicable, or unfinished; only of a finished pair is more
            known than `message`.
        message: why it did not finish, in one line.
        target: the one all optimizers of the problem are measured at, as a fraction of the merit
            at the start (-1 is escape from a saddle).
        eased: whether it is an easier one than the study's, which none reaches there.
        hardest: the hardest target that most starts reach at that setting; None where none.
        track: T_k, tuned by k trials on other seeds; S, it tunes itself; O, best in hindsight.
        setting: hyperparameter that was searched -> its value.
        on_edge: whether the best learning rate is the least or largest that was tried.
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
        path: how the merit of the median start falls, as `sparklines.path_of` has it.
    """

    problem: str
    optimizer: str
    status: str
    message: str = ""
    target: float | None = None
    eased: bool = False
    hardest: float | None = None
    track: str = ""
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
    path: Path = ()

    @property
    def solved(self) -> bool:
        """Whether most starts reach the target of the study."""
        return self.cost is not None and not self.eased


def measure(
    cell: Cell,
    trajectory: Trajectory,
    target: int,
    problem: ProblemRecord,
    *,
    eased: bool = False,
    horizon: float,
) -> Pair:
    """What a finished cell comes to at one target, given by its index; paths end at the horizon."""
    index = headline_index(trajectory, cell.trials, target)
    pair = measure_at(index, cell, trajectory, target, problem)
    return dataclasses.replace(
        pair,
        eased=eased,
        track=tracks_of(cell, trajectory)[0],
        path=path_of(evaluation(trajectory), index, target, horizon),
    )


def measure_at(
    index: int, cell: Cell, trajectory: Trajectory, target: int, problem: ProblemRecord
) -> Pair:
    """As `measure`, at any setting, given by its index; of no track, and without a path."""
    judged = evaluation(trajectory)
    best = metrics.best_setting(judged.hit_costs[:, [index]][..., [target]])[0]
    count = cell.trials or trajectory.value.shape[1]
    hardest = metrics.hardest_target(judged.hit_costs[:, [index]])
    tried = {name: values[:count] for name, values in trajectory.settings.items()}
    return Pair(
        problem=cell.problem,
        optimizer=cell.optimizer,
        status=cell.status,
        target=float(trajectory.targets[target]),
        hardest=None if hardest is None else float(trajectory.targets[hardest]),
        setting={name: float(values[index]) for name, values in trajectory.settings.items()},
        on_edge=_on_edge(tried, index),
        cost=_finite(best.median),
        low=_finite(best.low),
        high=_finite(best.high),
        reached=best.successes,
        starts=best.total,
        basin=_basin(tried, judged, target),
        rate=observed_rate(judged, index, problem),
        failures=_failures(judged, index, target),
        exact=trajectory.resolution == "exact",
    )


def _basin(tried: Mapping[str, np.ndarray], trajectory: Trajectory, target: int) -> float | None:
    rates = tried.get("learning_rate")
    if rates is None or len(tried) > 1 or len(rates) < 2:
        return None
    hit_costs = trajectory.hit_costs[:, : len(rates), target]
    spent = trajectory.at_end(trajectory.cost)[:, : len(rates)]
    return metrics.basin_width(rates, metrics.expected_running_time(hit_costs, spent))


def _on_edge(settings: Mapping[str, np.ndarray], index: int) -> bool:
    rates = settings.get("learning_rate")
    if rates is None or len(rates) < 2 or index >= len(rates):
        return False
    return rates[index] in (min(rates), max(rates))


def _failures(trajectory: Trajectory, index: int, target: int) -> dict[str, int]:
    missed = np.isnan(trajectory.hit_costs[:, index, target])
    counts = metrics.count_failures(trajectory.status[:, index][missed])
    return {str(kind): count for kind, count in counts.items()}


def _finite(cost: float) -> float | None:
    return cost if math.isfinite(cost) else None
