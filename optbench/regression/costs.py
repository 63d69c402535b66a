"""What two versions of an optimizer cost, paired by seed: ratios, intervals, tests, verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import scipy.stats

from optbench.regression.paired_lanes import PairedCosts
from optbench.signed_rank import LEAST_PROBLEMS, holm, log_ratios, wilcoxon_signed_rank
from optbench.statistics import Interval

CostVerdict = Literal["faster", "slower", "unchanged", "undecided", "not compared"]
RunVerdict = Literal["fails more", "fails less", "unchanged", "undecided", "not compared"]

LEVELS = {"optimizers": 0.05, "pairs": 0.025, "failures": 0.025}  # of each family of tests
DRAWS = 10_000
_TIES_TO = 12  # decimals of a log ratio; the rest is rounding


@dataclasses.dataclass(frozen=True, kw_only=True)
class CostChange:
    """What a new version (B) of an optimizer costs, over what the old one (A) did.

    On each problem, costs are taken at the hardest target that most starts of both reach (where
    one reaches none: that most starts of the other do), paired by seed; a run that fails counts
    as 10 times the budget, and two that fail as a tie. A ratio is the geometric mean of B / A
    over seeds, then over problems.

    Attributes:
        optimizer: label.
        problem: label; None over all problems.
        target: as a fraction of the merit at the start; None over all problems, and where neither
            version reaches any.
        problems: number of problems behind the ratio; one that neither solves is not.
        runs: number of runs of each version behind it.
        ratio: B / A; None where nothing is compared.
        within: interval of the ratio on these problems, seeds drawn anew; None where unknown.
        across: interval on problems like these: problems, then seeds; None for one problem.
        p: of the signed-rank test, two-sided, adjusted by Holm; None where too few values differ
            for any verdict.
        verdict: on costs; *unchanged* where every cost is the same bit for bit.
        reached_a: number of runs of the first version that reach the hardest target that either
            version reaches from most starts.
        reached_b: number of runs of the second that do.
        lost: how many reach it in the first version alone.
        won: how many reach it in the second alone.
        p_failures: of the test on those, as `p`.
        failures: the verdict on those.
        exact: whether costs are exact, or some known at log points only.
    """

    optimizer: str
    problem: str | None
    target: float | None
    problems: int
    runs: int
    ratio: float | None
    within: Interval | None
    across: Interval | None
    p: float | None = None
    verdict: CostVerdict = "undecided"
    reached_a: int = 0
    reached_b: int = 0
    lost: int = 0
    won: int = 0
    p_failures: float | None = None
    failures: RunVerdict = "undecided"
    exact: bool = True

    @property
    def regressed(self) -> bool:
        """Whether it is slower, or fails more often, beyond chance."""
        return self.verdict == "slower" or self.failures == "fails more"


class Runs(NamedTuple):
    """One optimizer on one problem in two versions, run by run."""

    target: float | None  # None where neither version reaches any
    log_ratios: np.ndarray  # [S] log2 of B / A; empty where there is no target
    changes: np.ndarray  # [S] 1 where A alone reaches the hardest target, -1 where B does
    reached: tuple[int, int]
    exact: bool


def pair_runs(pair: PairedCosts, budget: float) -> Runs:
    """The runs of one optimizer on one problem.

    Args:
        pair: its costs in both versions.
        budget: the larger one of both studies, in the unit of the costs.
    """
    hardest = pair.hardest("any")
    if hardest is None:
        none = np.zeros(0)
        return Runs(None, none, none, (0, 0), pair.exact)
    common = pair.hardest("each")
    at = hardest if common is None else common
    costs_a, costs_b = (costs[:, at] for costs in pair.costs)
    ratios = np.round(log_ratios(costs_b, costs_a, budget), _TIES_TO)
    a, b = (~np.isnan(costs[:, hardest]) for costs in pair.costs)
    reached = int(a.sum()), int(b.sum())
    return Runs(float(pair.targets[at]), ratios, a.astype(float) - b, reached, pair.exact)


def cost_changes(
    found: Mapping[tuple[str, str], Runs],
) -> tuple[tuple[CostChange, ...], tuple[CostChange, ...]]:
    """What changed for each optimizer over all problems, and for each pair.

    Three families of tests, each held by Holm at its level (`LEVELS`): on costs, optimizer by
    optimizer; on costs, pair by pair; on failures, both together. Half of each level is for
    either direction, so that two versions that differ by chance alone are called a regression
    with probability 5 % at most. What cannot be significant with so few values that differ is
    left out of its family (Tarone 1990).

    Args:
        found: (problem, optimizer) -> its runs in both versions.

    Returns:
        A record per optimizer, and one per pair.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure; Tarone (1990),
        A modified Bonferroni method for discrete data.
    """
    rng = np.random.default_rng(0)
    by_optimizer: dict[str, list[Runs]] = {}
    for (_, optimizer), runs in found.items():
        by_optimizer.setdefault(optimizer, []).append(runs)
    optimizers = [_change(name, None, group, rng) for name, group in by_optimizer.items()]
    pairs = [_change(name, problem, [runs], rng) for (problem, name), runs in found.items()]
    groups, singles = list(by_optimizer.values()), [[runs] for runs in found.values()]
    costs = _verdicts(groups, _ratios_of, LEVELS["optimizers"])
    costs += _verdicts(singles, _ratios_of, LEVELS["pairs"])
    failures = _verdicts(groups + singles, _changes_of, LEVELS["failures"])
    judged = [
        _judged(change, cost, failing)
        for change, cost, failing in zip(optimizers + pairs, costs, failures, strict=True)
    ]
    return tuple(judged[: len(optimizers)]), tuple(judged[len(optimizers) :])


def _ratios_of(runs: Runs) -> np.ndarray:
    return runs.log_ratios


def _changes_of(runs: Runs) -> np.ndarray:
    return runs.changes


def _change(
    optimizer: str, problem: str | None, group: Sequence[Runs], rng: np.random.Generator
) -> CostChange:
    """The numbers of a change, without a verdict."""
    solved = [runs for runs in group if len(runs.log_ratios)]
    ratios = [runs.log_ratios for runs in solved]
    ratio = 2 ** float(np.mean([r.mean() for r in ratios])) if ratios else None
    within = across = None
    if ratio is not None and any(r.any() for r in ratios):
        within = _interval(ratio, ratios, rng, problems=False)
        across = _interval(ratio, ratios, rng, problems=True) if problem is None else None
    return CostChange(
        optimizer=optimizer,
        problem=problem,
        target=group[0].target if problem is not None else None,
        problems=len(solved),
        runs=sum(map(len, ratios)),
        ratio=ratio,
        within=within,
        across=across,
        reached_a=sum(runs.reached[0] for runs in group),
        reached_b=sum(runs.reached[1] for runs in group),
        lost=sum(int((runs.changes > 0).sum()) for runs in group),
        won=sum(int((runs.changes < 0).sum()) for runs in group),
        exact=all(runs.exact for runs in group),
    )


def _interval(
    ratio: float, ratios: Sequence[np.ndarray], rng: np.random.Generator, *, problems: bool
) -> Interval | None:
    """The percentile interval of a geometric mean over problems of geometric means over seeds."""
    sizes = np.array([len(r) for r in ratios])
    if max(len(ratios) if problems else 0, *sizes) < 2:
        return None
    table = np.zeros((len(ratios), sizes.max()))
    for row, values in zip(table, ratios, strict=True):
        row[: len(values)] = values
    shape = (DRAWS, len(ratios))
    drawn = rng.integers(len(ratios), size=shape) if problems else np.arange(len(ratios))
    drawn = np.broadcast_to(drawn, shape)
    total = np.zeros(shape)
    for seed in range(sizes.max()):
        picked = table[drawn, (rng.random(shape) * sizes[drawn]).astype(int)]
        total += np.where(seed < sizes[drawn], picked, 0.0)
    low, high = 2 ** np.quantile((total / sizes[drawn]).mean(1), [0.025, 0.975])
    return Interval(estimate=ratio, low=float(low), high=float(high))


def _verdicts(
    groups: Sequence[Sequence[Runs]], of: Callable[[Runs], np.ndarray], level: float
) -> list[tuple[float | None, int | None]]:
    """Per group: its adjusted p (None: too few values), and 1, -1, 0 (undecided), None (alike).

    The values tested are means of problems from `LEAST_PROBLEMS` up, and runs below; a direction
    counts where their mean and their signed ranks agree on it.
    """
    samples = [_sample([of(runs) for runs in group if len(of(runs))]) for group in groups]
    able = [i for i, x in enumerate(samples) if 2.0 ** (1 - np.count_nonzero(x)) <= level]
    p_values = np.array([wilcoxon_signed_rank(samples[i]) for i in able])
    adjusted = dict(zip(able, holm(p_values).tolist(), strict=True))
    found: list[tuple[float | None, int | None]] = []
    for i, values in enumerate(samples):
        if not values.any():
            found.append((None, None))
            continue
        ranks = scipy.stats.rankdata(np.abs(values))
        direction = np.sign((np.sign(values) * ranks).sum())
        agreed = direction == np.sign(values.mean()) and adjusted.get(i, 1.0) <= level
        found.append((adjusted.get(i), int(direction) if agreed else 0))
    return found


def _sample(values: Sequence[np.ndarray]) -> np.ndarray:
    if len(values) >= LEAST_PROBLEMS:
        return np.round([x.mean() for x in values], _TIES_TO)
    return np.concatenate([*values, np.zeros(0)])


_COSTS: dict[int | None, CostVerdict] = {
    1: "slower", -1: "faster", 0: "undecided", None: "unchanged"
}  # fmt: skip
_FAILURES: dict[int | None, RunVerdict] = {
    1: "fails more", -1: "fails less", 0: "undecided", None: "unchanged"
}  # fmt: skip


def _judged(
    change: CostChange,
    cost: tuple[float | None, int | None],
    failing: tuple[float | None, int | None],
) -> CostChange:
    if change.ratio is None:
        return dataclasses.replace(change, verdict="not compared", failures="not compared")
    (p, faster), (p_failures, lost) = cost, failing
    return dataclasses.replace(
        change,
        p=p,
        verdict=_COSTS[faster],
        p_failures=p_failures,
        failures=_FAILURES[lost],
    )
