"""Who is the fastest on a problem, and whether two versions agree on who comes before whom."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping

import numpy as np
import scipy.stats

from optbench.regression.paired_lanes import PairedCosts

CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True, kw_only=True)
class Leader:
    """Another optimizer is the fastest on a problem.

    Attributes:
        problem: label.
        target: at which both versions are measured, as a fraction of the merit at the start.
        fastest_a: least median cost in the first version.
        fastest_b: least median cost in the second.
        decided: whether the intervals of the two lie apart in both versions.
    """

    problem: str
    target: float
    fastest_a: str
    fastest_b: str
    decided: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reversal:
    """Two optimizers whose intervals lie apart in both versions, the other way round.

    Attributes:
        problem: label.
        target: at which both versions are measured.
        before: the faster in the first version, and the slower in the second.
        after: the other one.
    """

    problem: str
    target: float
    before: str
    after: str


def median_interval(costs: np.ndarray) -> tuple[float, float]:
    """The interval of a median between two order statistics, free of any distribution.

    From the k-th smallest to the k-th largest of n, with the largest k for which a count of
    Binomial(n, 1/2) lies below k with probability 2.5 % at most; the whole range below n = 6,
    which covers the median with probability 1 - 2^(1 - n).

    Args:
        costs: [n] costs; NaN is never, and counts as infinite.

    Source: David & Nagaraja (2003), Order Statistics, section 7.1.
    """
    costs = np.sort(np.where(np.isnan(costs), math.inf, costs))
    k = max(1, int(scipy.stats.binom.ppf((1 - CONFIDENCE) / 2, len(costs), 0.5)))
    return float(costs[k - 1]), float(costs[-k])


def flips(
    problem: str, found: Mapping[str, PairedCosts]
) -> tuple[Leader | None, tuple[Reversal, ...]]:
    """What two versions rank otherwise on one problem.

    All optimizers are measured at the hardest target that half of them reach in both versions,
    at the setting each is judged at; medians over common seeds.

    Args:
        problem: label.
        found: optimizer -> its costs in both versions.
    """
    target = _target(found)
    if target is None:
        return None, ()
    spans: dict[str, list[tuple[float, float]]] = {}
    medians: dict[str, list[float]] = {}
    for optimizer, pair in found.items():
        at = list(pair.targets).index(target)
        costs = [costs[:, at] for costs in pair.costs]
        spans[optimizer] = [median_interval(c) for c in costs]
        medians[optimizer] = [float(np.median(np.nan_to_num(c, nan=math.inf))) for c in costs]

    def ahead(one: str, other: str, side: int) -> bool:
        return spans[one][side][1] < spans[other][side][0]

    reversals = tuple(
        Reversal(problem=problem, target=target, before=one, after=other)
        for one, other in itertools.permutations(found, 2)
        if ahead(one, other, 0) and ahead(other, one, 1)
    )
    first, then = (min(found, key=lambda o: medians[o][side]) for side in (0, 1))
    if medians[first][1] == medians[then][1] or medians[then][0] == medians[first][0]:
        return None, reversals
    leader = Leader(
        problem=problem,
        target=target,
        fastest_a=first,
        fastest_b=then,
        decided=ahead(first, then, 0) and ahead(then, first, 1),
    )
    return leader, reversals


def _target(found: Mapping[str, PairedCosts]) -> float | None:
    """The hardest target that half of the optimizers reach, each from most starts, in both."""
    shared = set.intersection(*(set(map(float, pair.targets)) for pair in found.values()))
    reached: list[float] = []
    for pair in found.values():
        kept = [k for k, target in enumerate(pair.targets) if float(target) in shared]
        of_shared = PairedCosts(
            targets=pair.targets[kept],
            costs=(pair.costs[0][:, kept], pair.costs[1][:, kept]),
            exact=pair.exact,
        )
        index = of_shared.hardest("each")
        if index is not None:
            reached.append(float(of_shared.targets[index]))
    half = math.ceil(len(found) / 2)
    return sorted(reached)[half - 1] if len(reached) >= half else None
