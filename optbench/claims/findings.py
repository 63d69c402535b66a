"""Claims put to the results of a study: each supported, refuted or undecided, with its evidence."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.claims import Claim
from optbench.claims.evidence import Verdict, judge_all, judge_count, judge_ratio, judge_starts
from optbench.claims.sentences import (
    Beats,
    Diverges,
    EndsAtSaddle,
    FailsToReach,
    IsAsGoodAs,
    Reaches,
    Takes,
    Unit,
)
from optbench.claims.tested import SHOWN, NotTested, SaddleTest, Tested, count, gather, index_of
from optbench.comparison import Comparison, Outcome, Row, compare_rows
from optbench.results import Results
from optbench.statistics import Interval, censor
from optbench.tracks import evaluation
from optbench.trajectory import Status

_UNBOUNDED = (Status.DIVERGED, Status.NON_FINITE)
_AT_SADDLE = 1e-6  # of the start's distance in f, and of its gradient norm


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judgment:
    """A verdict, and what it rests on.

    Attributes:
        verdict: supported, refuted or undecided.
        evidence: the numbers behind the verdict in one line, or why there are none.
        ratio: t_A / t_B and its interval, where costs are compared.
        probability: of the claim, from 6 problems on.
    """

    verdict: Verdict
    evidence: str
    ratio: Interval | None = None
    probability: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Finding:
    """What a study says of a claim.

    Attributes:
        claim: the claim.
        judgment: the verdict on it.
        problems: those it was tested on.
        left_out: selected problems on which there is nothing to compare -> why.
    """

    claim: Claim
    judgment: Judgment
    problems: tuple[str, ...] = ()
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one that the claim expects."""
        return self.judgment.verdict == self.claim.expect


def evaluate_claims(
    claims: Sequence[Claim], results: Results, *, problem_catalog: str | None = None
) -> tuple[Finding, ...]:
    """Put claims to the results of a study, each to the rows that it names.

    Settings are those that the seeds of tuning choose for the target that a claim names, and for
    that of the study where it names none. A problem, optimizer or target that the study lacks
    leaves a claim undecided, with the reason.

    Args:
        claims: any.
        results: of a study.
        problem_catalog: module that names of problems are looked up in, to tell those that do not
            exist from those that the study lacks; None for no difference.
    """
    compared = functools.cache(functools.partial(compare_rows, results))

    def ends_at_saddle(problem: str, row: Row) -> np.ndarray:
        log = results.trajectory(problem, row.optimizer)
        if log is None or row.track.endswith("+edge"):
            raise NotTested(f"the runs of {row} are not kept apart")
        log, index = evaluation(log), compared(None).outcomes[problem, row].index
        near = np.abs(log.at_end(log.merit_values)) <= _AT_SADDLE * np.abs(log.initial_merit)
        flat = log.at_end(log.gradient_norm) <= _AT_SADDLE * log.gradient_norm[..., 0]
        return (near & flat)[:, index]

    return tuple(
        judge_claim(
            claim,
            compared(getattr(claim.sentence, "target", None)),
            ends_at_saddle,
            problem_catalog=problem_catalog,
        )
        for claim in claims
    )


def judge_claim(
    claim: Claim,
    comparison: Comparison,
    ends_at_saddle: SaddleTest,
    *,
    problem_catalog: str | None = None,
) -> Finding:
    """Put one claim to the rows of a study.

    Args:
        claim: the claim.
        comparison: the rows.
        ends_at_saddle: see `SaddleTest`.
        problem_catalog: see `evaluate_claims`.
    """
    try:
        tested = gather(claim.sentence, comparison, ends_at_saddle, problem_catalog=problem_catalog)
        judgment = _JUDGES[type(claim.sentence)](claim.sentence, tested)
    except NotTested as why:
        untested = Judgment(verdict="undecided", evidence=f"not tested: {why}")
        return Finding(claim=claim, judgment=untested)
    return Finding(
        claim=claim, judgment=judgment, problems=tested.problems, left_out=tested.left_out
    )


def _counts(outcome: Outcome, unit: Unit, target: float) -> np.ndarray:
    """[S] what each start needs to the target, infinite where it never gets there."""
    if unit == "gradients":
        hits = outcome.hit_costs
    else:
        kinds = ("values", "value_and_gradients") if unit == "evaluations" else (unit,)
        found = [outcome.hit_calls[kind] for kind in kinds if kind in outcome.hit_calls]
        hits = outcome.hit_steps if unit == "steps" else sum(found, start=0 * outcome.hit_steps)
    hits = hits[:, index_of(outcome, target)]
    return np.where(np.isnan(hits), np.inf, hits)


def _judge_ratio(sentence: Beats | IsAsGoodAs, tested: Tested) -> Judgment:
    first, second = (
        np.array([_counts(o, sentence.unit, sentence.target) for o in tested.outcomes(index)])
        for index in (0, 1)
    )
    if (_most_fail(first) & _most_fail(second)).all():
        raise NotTested(f"neither gets there {tested.extent}")
    if not (first > 0).all() or not (second > 0).all():
        raise NotTested(f"one of them asks for no {sentence.unit}")
    limit = _limit(first, second, sentence.unit, tested.comparison.budget)
    factor = sentence.factor
    within = (1 / factor, factor) if isinstance(sentence, IsAsGoodAs) else (0.0, 1 / factor)
    found = judge_ratio(censor(first, limit), censor(second, limit), within)
    interval = found.interval
    sure = "these alone" if found.probability is None else f"P = {found.probability:.2f}"
    evidence = (
        f"{interval.estimate:.2g}x [{interval.low:.2g}, {interval.high:.2g}] the {sentence.unit} "
        f"{tested.extent}, {sure}, {count(first.shape[1], 'start')}"
    )
    for subject, counts in ((sentence.first, first), (sentence.second, second)):
        if failures := int(np.isinf(counts).sum()):
            evidence += f"; {subject} fails in {failures} of {counts.size} runs"
    verdict = found.verdict
    for view, other in _other_views(first, second, limit, within):
        if verdict not in (other, "undecided"):
            verdict, evidence = "undecided", f"{evidence}; {verdict}, but {other} {view}"
    return Judgment(
        verdict=verdict, evidence=evidence, ratio=interval, probability=found.probability
    )


def _most_fail(counts: np.ndarray) -> np.ndarray:
    """[P] whether most starts fail."""
    return np.isinf(np.median(counts, axis=1))


def _other_views(
    first: np.ndarray, second: np.ndarray, limit: np.ndarray, within: tuple[float, float]
) -> Iterator[tuple[str, Verdict]]:
    """The verdict if failures counted otherwise, which should change nothing."""
    known = ~(_most_fail(first) & _most_fail(second))
    if not known.all():
        a, b = (censor(runs[known], limit[known]) for runs in (first, second))
        yield "without the problems where both fail", judge_ratio(a, b, within).verdict
    if np.isinf(first).any() or np.isinf(second).any():
        a, b = (np.minimum(runs, limit) for runs in (first, second))
        yield "with failures at the budget", judge_ratio(a, b, within).verdict


def _limit(first: np.ndarray, second: np.ndarray, unit: Unit, budget: float | None) -> np.ndarray:
    """[P, 1] what a failing run could spend; in units that have no budget, the most seen."""
    if unit == "gradients" and budget is not None:
        return np.full((len(first), 1), budget)
    both = np.concatenate([first, second], axis=1)
    return np.max(both, axis=1, initial=1.0, where=np.isfinite(both))[:, None]


def _judge_starts(truths: list[np.ndarray], tested: Tested, what: str) -> Judgment:
    """Whether something holds of every start of every problem; `truths` is one [S] for each."""
    holding, total = sum(int(t.sum()) for t in truths), sum(t.size for t in truths)
    evidence = f"{holding} of {count(total, 'start')} {what} {tested.extent}"
    counted = zip(tested.problems, truths, strict=True)
    fewer = [f"{int(t.sum())} of {t.size} on {label}" for label, t in counted if not t.all()]
    if fewer and len(truths) > 1:
        evidence += f"; {', '.join(fewer[:SHOWN] + ['...'] * (len(fewer) > SHOWN))}"
    return Judgment(verdict=judge_starts(truths), evidence=evidence)


def _judge_reaches(sentence: Reaches, tested: Tested) -> Judgment:
    limit = math.inf if sentence.limit is None else sentence.limit
    counts = [_counts(o, sentence.unit, sentence.target) for o in tested.outcomes()]
    return _judge_starts([np.isfinite(c) & (c <= limit) for c in counts], tested, "do")


def _judge_fails(sentence: FailsToReach, tested: Tested) -> Judgment:
    counts = [_counts(outcome, "gradients", sentence.target) for outcome in tested.outcomes()]
    return _judge_starts([np.isinf(c) for c in counts], tested, "do")


def _judge_diverges(sentence: Diverges, tested: Tested) -> Judgment:
    ends = [np.isin(outcome.status, _UNBOUNDED) for outcome in tested.outcomes()]
    return _judge_starts(ends, tested, "do")


def _judge_saddle(sentence: EndsAtSaddle, tested: Tested) -> Judgment:
    for label in tested.problems:
        if tested.comparison.problems[label].saddle is None:
            raise NotTested(f"{label} is not about a saddle")
    ends = [tested.ends_at_saddle(label, tested.rows[0]) for label in tested.problems]
    return _judge_starts(ends, tested, "do")


def _judge_takes(sentence: Takes, tested: Tested) -> Judgment:
    slack = sentence.tolerance * sentence.count
    verdicts, told = [], []
    for label, outcome in zip(tested.problems, tested.outcomes(), strict=True):
        counts = _counts(outcome, sentence.unit, sentence.target)
        verdicts.append(judge_count(counts, (sentence.count - slack, sentence.count + slack)))
        median = float(np.median(counts))
        found = f"{median:g} {sentence.unit}" if math.isfinite(median) else "never"
        told.append(f"{found} on {label}, {count(len(counts), 'start')}")
    return Judgment(verdict=judge_all(verdicts), evidence="; ".join(told))


_JUDGES: dict[type, Callable[[Any, Tested], Judgment]] = {
    Beats: _judge_ratio,
    IsAsGoodAs: _judge_ratio,
    Reaches: _judge_reaches,
    FailsToReach: _judge_fails,
    Diverges: _judge_diverges,
    EndsAtSaddle: _judge_saddle,
    Takes: _judge_takes,
}
