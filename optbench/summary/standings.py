"""What each optimizer comes to over all problems of a study."""

from __future__ import annotations

import collections
import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence

from optbench.summary.pairs import Pair


@dataclasses.dataclass(frozen=True, kw_only=True)
class Standing:
    """One optimizer over all problems.

    Attributes:
        optimizer: label.
        solved: number of problems on which most starts reach the target of the study.
        applicable: number of problems it can run on.
        fastest: number of problems it is the fastest on.
        ratio: geometric mean, over the problems it solves, of its cost over that of the fastest
            optimizer; None where it solves none.
        basin: median over problems of the decades of workable learning rates; None where unknown.
        failures: how the starts that fail at the best settings end, and how many.
    """

    optimizer: str
    solved: int
    applicable: int
    fastest: int
    ratio: float | None
    basin: float | None
    failures: Mapping[str, int]


def standings(pairs: Sequence[Pair]) -> list[Standing]:
    """All optimizers: first who leaves the fewest problems unsolved, then who costs least.

    A problem that an optimizer cannot run on counts neither way.
    """
    least: dict[str, float] = {}
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.optimizer, []).append(pair)
        if pair.cost is not None and pair.solved:
            least[pair.problem] = min(pair.cost, least.get(pair.problem, math.inf))
    found = [_standing(optimizer, group, least) for optimizer, group in groups.items()]
    return sorted(found, key=_rank)


def _rank(standing: Standing) -> tuple[bool, int, float]:
    ratio = math.inf if standing.ratio is None else standing.ratio
    return standing.solved == 0, standing.applicable - standing.solved, ratio


def _standing(optimizer: str, group: Sequence[Pair], least: Mapping[str, float]) -> Standing:
    ratios = [pair.cost / least[pair.problem] for pair in group if pair.cost and pair.solved]
    basins = [pair.basin for pair in group if pair.basin is not None]
    failures: collections.Counter[str] = collections.Counter()
    for pair in group:
        failures.update(pair.failures)
    return Standing(
        optimizer=optimizer,
        solved=len(ratios),
        applicable=sum(pair.status != "not applicable" for pair in group),
        fastest=sum(ratio == 1 for ratio in ratios),
        ratio=statistics.geometric_mean(ratios) if ratios else None,
        basin=statistics.median(basins) if basins else None,
        failures=dict(failures.most_common()),
    )
