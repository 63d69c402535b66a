"""One row of a comparison against another: their ratio, what tests believe, and what is decided."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from optbench.comparison import Comparison, Outcome
from optbench.records import ProblemRecord
from optbench.signed_rank import (
    LEAST_PROBLEMS,
    Posterior,
    bayesian_signed_rank,
    holm,
    wilcoxon_signed_rank,
)
from optbench.statistics import Interval, censor, ratio_intervals
from optbench.tracks import Row

Decision = Literal["better", "worse", "as good", "undecided", "too few problems"]

SURE = 0.95  # what a probability has to be at least
LEVEL = 0.05  # what a p value, adjusted for all tests, may be at most
DRAWS = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the costs of two methods say about them.

    Attributes:
        ratio: geometric mean over problems of the ratio of median costs, a failure counted as 10
            budgets, with its 95 % interval; ends NaN where nothing can be resampled.
        over: what the interval resamples: problems and then seeds, or on fewer than 6 problems
            the seeds of each.
        reached: problems that most seeds of the method reach the target on.
        reference_reached: the same of the reference.
        total: problems that both run on.
        known: problems that most seeds of one of the two reach the target on; on all others they
            tie, whatever they cost.
        posterior: of the Bayesian signed-rank test, A the method; None on fewer than 6 problems.
        p_value: of the Wilcoxon signed-rank test; None there too.
    """

    ratio: Interval
    over: Literal["runs", "problems"]
    reached: int
    reference_reached: int
    total: int
    known: int
    posterior: Posterior | None
    p_value: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contrast:
    """A row of a comparison against another.

    Attributes:
        row: the one.
        reference: the other.
        kind: of the problems, as `kind_of` has it; empty where they are all there are.
        problems: labels, in study order; those the pair was to run on, and did not finish, are not
            among them.
        evidence: what their costs say.
        adjusted: p value held against all tests made; None where none was made.
        decision: what follows for the row.
    """

    row: Row
    reference: Row
    kind: str
    problems: tuple[str, ...]
    evidence: Evidence
    adjusted: float | None
    decision: Decision

    @property
    def strength(self) -> float:
        """How far from 1 the ratio is, in powers of 2."""
        return abs(math.log2(self.evidence.ratio.estimate))


def weigh(
    costs: np.ndarray,
    reference: np.ndarray,
    budgets: float | np.ndarray,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Evidence:
    """What the costs of a method and of a reference say about them.

    z_p = log2(median_s t / median_s t_ref), a failure counted as 10 budgets. From 6 problems up
    both signed-rank tests look at the z_p.

    Args:
        costs: [P, S] cost by problem and seed, infinite where never.
        reference: [P, S] cost of the reference on the same problems and seeds.
        budgets: [P] of each problem, or one, in the unit of the costs.
        rng: decides the draws.
        draws: of the bootstrap, and of the posterior.

    Raises:
        OptbenchError: a cost or budget that is not positive, no problems.
    """
    limits = np.broadcast_to(np.asarray(budgets, float), len(costs))[:, None]
    both = np.stack([censor(costs, limits), censor(reference, limits)])
    enough = len(costs) >= LEAST_PROBLEMS
    over: Literal["runs", "problems"] = "problems" if enough else "runs"
    (ratio,) = ratio_intervals(both[:1], both[1], over=over, rng=rng, draws=draws)
    logs = np.log2(np.median(both, axis=-1))
    z = logs[0] - logs[1]
    return Evidence(
        ratio=ratio,
        over=over,
        reached=num_reached(costs),
        reference_reached=num_reached(reference),
        total=len(costs),
        known=int((_reached(costs) | _reached(reference)).sum()),
        posterior=bayesian_signed_rank(z, rng=rng, draws=draws) if enough else None,
        p_value=wilcoxon_signed_rank(z) if enough else None,
    )


def num_reached(costs: np.ndarray) -> int:
    """Problems whose target more than half of the seeds reach, of costs [P, S]."""
    return int(_reached(costs).sum())


def _reached(costs: np.ndarray) -> np.ndarray:
    """[P] whether more than half of the seeds reach the target, of costs [P, S]."""
    return 2 * np.isfinite(costs).sum(-1) > costs.shape[-1]


def decide(evidence: Sequence[Evidence]) -> list[tuple[float | None, Decision]]:
    """The p value of each, held by Holm's method against all of them, and what is decided.

    Better or worse takes both tests: P >= 0.95 and an adjusted p <= 0.05. Over studies of a method
    against itself P >= 0.95 alone is wrong in up to 12 %. The ratio has to lie on the same side:
    ranks do not see how much a few losses cost. As good takes P >= 0.95 and 6 problems whose target
    one of the two reaches: failures of both are no evidence.

    Args:
        evidence: of all comparisons that are made, whatever came out.
    """
    tested = [one.p_value for one in evidence if one.p_value is not None]
    adjusted = iter(holm(np.array(tested)).tolist())
    found: list[tuple[float | None, Decision]] = []
    for one in evidence:
        p = None if one.p_value is None else next(adjusted)
        found.append((p, _decision(one, p)))
    return found


def _decision(evidence: Evidence, p_value: float | None) -> Decision:
    posterior, ratio = evidence.posterior, evidence.ratio.estimate
    if posterior is None or p_value is None:
        return "too few problems"
    if posterior.equal >= SURE:
        return "as good" if evidence.known >= LEAST_PROBLEMS else "undecided"
    if p_value > LEVEL:
        return "undecided"
    if posterior.a_better >= SURE and ratio < 1:
        return "better"
    return "worse" if posterior.b_better >= SURE and ratio > 1 else "undecided"


def contrast_rows(
    comparison: Comparison,
    pairs: Sequence[tuple[Row, Row]],
    *,
    unit: str = "gradients",
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Contrast, ...]:
    """Rows against others, over all problems, and over those of one kind.

    A kind gets a contrast of its own where it is neither all problems nor too few for its test to
    come out significant, even if all of them agree, among as many tests as there are pairs.

    Args:
        comparison: the rows of a study.
        pairs: of a row and the one that it is held against; all that are to be decided at once.
        unit: what cost is counted in.
        draws: of each bootstrap, and of each posterior.
        seed: of the draws.

    Returns:
        Those over all problems, in the order of the pairs, a pair without a common problem left
        out; then those over one kind.
    """
    rng = np.random.default_rng(seed)
    whole = [(row, ref, "", shared_problems(comparison, row, ref, unit)) for row, ref in pairs]
    parts = [
        (row, reference, kind, [p for p in problems if kind_of(comparison.problems[p]) == kind])
        for row, reference, _, problems in whole
        for kind in dict.fromkeys(kind_of(comparison.problems[p]) for p in problems)
    ]
    sizes = {(row, reference): len(problems) for row, reference, _, problems in whole}
    asked = [entry for entry in whole if entry[3]] + [
        (row, reference, kind, problems)
        for row, reference, kind, problems in parts
        if len(problems) < sizes[row, reference] and _can_decide(len(problems), len(pairs))
    ]
    evidence = [
        weigh(*paired_costs(comparison, row, ref, problems, unit), rng=rng, draws=draws)
        for row, ref, _, problems in asked
    ]
    return tuple(
        Contrast(
            row=row,
            reference=reference,
            kind=kind,
            problems=tuple(problems),
            evidence=one,
            adjusted=adjusted,
            decision=decision,
        )
        for (row, reference, kind, problems), one, (adjusted, decision) in zip(
            asked, evidence, decide(evidence), strict=True
        )
    )


def _can_decide(problems: int, tests: int) -> bool:
    """Whether the least p there is, 2^(1 - P), passes among as many tests."""
    return problems >= LEAST_PROBLEMS and tests * 2.0 ** (1 - problems) <= LEVEL


def kind_of(problem: ProblemRecord) -> str:
    """What kind of problem it is: stochastic, saddle, (smooth) convex, nonconvex or other."""
    if problem.merit == "escape":
        return "saddle"
    if problem.stochastic:
        return "stochastic"
    if problem.convex:
        return "convex" if problem.smoothness is None else "smooth convex"
    return "other" if problem.convex is None else "nonconvex"


def shared_problems(
    comparison: Comparison, row: Row, reference: Row, unit: str = "gradients"
) -> list[str]:
    """The problems that both run on, in study order: a crash is a run, an unfinished one is not.

    In seconds, those alone on which both were timed.
    """
    both = (row, reference)
    problems = [p for p in comparison.problems if all(_has_run(comparison, p, r) for r in both)]
    if unit != "seconds":
        return problems
    found = [[comparison.outcomes.get((p, r)) for r in both] for p in problems]
    timed = [all(o is None or o.seconds_per_step for o in pair) for pair in found]
    return [p for p, known in zip(problems, timed, strict=True) if known]


def _has_run(comparison: Comparison, problem: str, row: Row) -> bool:
    crashed = comparison.statuses[problem, row.optimizer] == "failed"
    built = comparison.problems[problem].failure is None
    return (problem, row) in comparison.outcomes or (crashed and built)


def paired_costs(
    comparison: Comparison,
    row: Row,
    reference: Row,
    problems: Sequence[str],
    unit: str = "gradients",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Costs of two rows to the target, paired by problem and seed, and what they could spend.

    Args:
        comparison: the rows of a study.
        row: the one.
        reference: the other.
        problems: P labels, on which both run.
        unit: what cost is counted in.

    Returns:
        [P, S] costs of either, infinite where a run never reaches the target or crashed, and [P]
        budgets: in another unit than gradients, the most that one of the two gets for the budget,
        of all its runs: one that fails counts as no less than it has spent.
    """
    pairs = (row, reference)
    units = [[_costs(comparison, p, r, unit) for r in pairs] for p in problems]
    seeds = max((len(costs) for pair in units for costs in pair), default=0)
    costs = np.full((2, len(problems), max(seeds, 1)), math.inf)
    budgets = np.empty(len(problems))
    for p, problem in enumerate(problems):
        for r, found in enumerate(units[p]):
            costs[r, p, : len(found)] = found
        ran = [row for row in pairs if (problem, row) in comparison.outcomes]
        rates = [max(_rates(comparison, problem, r, unit)) for r in ran]
        budgets[p] = comparison.limit(problem, pairs) * max(rates, default=1.0)
    return costs[0], costs[1], budgets


def _costs(comparison: Comparison, problem: str, row: Row, unit: str) -> np.ndarray:
    """[S] costs to the target; none where the pair crashed. A step is the least that is taken."""
    outcome = comparison.outcomes.get((problem, row))
    if outcome is None:
        return np.array([])
    costs = comparison.costs([row], [problem], unit)[0, 0]
    return np.maximum(costs, _least(outcome, unit))


def _rates(comparison: Comparison, problem: str, row: Row, unit: str) -> np.ndarray:
    """[S] what each run took for a gradient-equivalent that it spent."""
    least = _least(comparison.outcomes[problem, row], unit)
    return np.maximum(comparison.spent(row, problem, unit), least) / comparison.spent(row, problem)


def _least(outcome: Outcome, unit: str) -> float:
    return {"gradients": 0.0, "seconds": outcome.seconds_per_step or 0.0}.get(unit, 1.0)
