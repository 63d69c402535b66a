"""Costs by problem and optimizer, and how the runs of each optimizer end."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from optbench.comparison import Comparison
from optbench.errors import unknown_name
from optbench.exhibits.field import optimizers_of, select
from optbench.metrics import as_costs
from optbench.trajectory import Status

State = Literal["reached", "not reached", "crashed", "not applicable", "not run"]

KINDS = tuple(status for status in Status if status != Status.NOT_APPLICABLE)
_WITHOUT: dict[str, State] = {  # status of a pair that has no costs -> its state
    "failed": "crashed",
    "not applicable": "not applicable",
    "unfinished": "not run",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Heatmap:
    """What each optimizer costs on each problem, over the least that one of them costs.

    Attributes:
        problems: P labels.
        optimizers: O labels.
        costs: [P, O] median cost to the target; infinite where half of the seeds or more fail, NaN
            where the pair has none.
        log_ratios: [P, O] log2 of the cost over that of the best, or of the reference; NaN where
            either is not finite.
        states: [P, O] "reached", "not reached", "crashed", "not applicable" or "not run".
        reference: optimizer that ratios are taken to; None for the best of each problem.
    """

    problems: tuple[str, ...]
    optimizers: tuple[str, ...]
    costs: np.ndarray
    log_ratios: np.ndarray
    states: np.ndarray
    reference: str | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Endings:
    """How the runs of each optimizer end.

    Attributes:
        optimizers: O labels.
        kinds: K statuses.
        counts: [O, K] runs that end so. A pair that crashed counts as a crash of every seed, one
            that cannot run or has not finished as no run.
        reached: [O] runs that reach the target of the study, however they end.
    """

    optimizers: tuple[str, ...]
    kinds: tuple[Status, ...]
    counts: np.ndarray
    reached: np.ndarray

    @property
    def totals(self) -> np.ndarray:
        """[O] runs of each optimizer."""
        return self.counts.sum(1)

    @property
    def shares(self) -> np.ndarray:
        """[O, K] share of the runs of each optimizer; NaN of one that made none."""
        totals = self.totals[:, None]
        none = np.full(self.counts.shape, math.nan)
        return np.divide(self.counts, totals, out=none, where=totals > 0)


def heatmap_data(
    comparison: Comparison,
    problems: Sequence[str] = (),
    optimizers: Sequence[str] = (),
    reference: str | None = None,
) -> Heatmap:
    """What each optimizer costs on each problem, over the best of those shown, or a reference.

    Args:
        comparison: the rows of a study.
        problems: labels; all if none is given.
        optimizers: labels; all if none is given.
        reference: optimizer that ratios are taken to; the best of each problem if not given.

    Raises:
        OptbenchError: an unknown label, or a reference that is not among the optimizers.
    """
    part = select(comparison, problems, optimizers)
    columns = optimizers_of(part)
    if reference is not None and reference not in columns:
        raise unknown_name("optimizer", reference, columns, f"shown are {', '.join(columns)}")
    found = [[_median(part, p, o) for o in columns] for p in part.problems]
    costs = np.array(found).reshape(len(part.problems), len(columns))
    least = as_costs(costs)
    if reference is None:
        base = least.min(1, keepdims=True)
    else:
        base = least[:, [columns.index(reference)]]
    known = np.isfinite(least) & np.isfinite(base)
    ratios = np.divide(costs, base, out=np.full(costs.shape, math.nan), where=known)
    states = [
        [_state(part.statuses[p, o], cost) for o, cost in zip(columns, line, strict=True)]
        for p, line in zip(part.problems, costs, strict=True)
    ]
    return Heatmap(
        problems=tuple(part.problems),
        optimizers=tuple(columns),
        costs=costs,
        log_ratios=np.log2(ratios),
        states=np.array(states, object).reshape(costs.shape),
        reference=reference,
    )


def _median(comparison: Comparison, problem: str, optimizer: str) -> float:
    """Median cost of the headline row; NaN where it has none."""
    for row in comparison.headlines:
        if row.optimizer == optimizer and (problem, row) in comparison.outcomes:
            return comparison.outcomes[problem, row].median
    return math.nan


def _state(status: str, cost: float) -> State:
    if status in _WITHOUT:
        return _WITHOUT[status]
    return "reached" if math.isfinite(cost) else "not reached"


def failures_data(
    comparison: Comparison, problems: Sequence[str] = (), optimizers: Sequence[str] = ()
) -> Endings:
    """How the runs of each optimizer end, over problems and seeds, at the settings chosen.

    Args:
        comparison: the rows of a study.
        problems: labels; all if none is given.
        optimizers: labels; all if none is given.

    Raises:
        OptbenchError: an unknown label.
    """
    part = select(comparison, problems, optimizers)
    seeds = max((len(outcome.status) for outcome in comparison.outcomes.values()), default=1)
    counts = {o: collections.Counter[str]() for o in optimizers_of(part)}
    reached = dict.fromkeys(counts, 0)
    headlines = set(part.headlines)
    for (_, row), outcome in part.outcomes.items():
        if row in headlines:
            counts[row.optimizer].update(map(str, outcome.status))
            reached[row.optimizer] += int(np.isfinite(outcome.hit_costs[:, outcome.target]).sum())
    for (_, optimizer), status in part.statuses.items():
        if status == "failed":
            counts[optimizer][str(Status.CRASHED)] += seeds
    return Endings(
        optimizers=tuple(counts),
        kinds=KINDS,
        counts=np.array([[found[str(k)] for k in KINDS] for found in counts.values()], int),
        reached=np.array(list(reached.values()), int),
    )
