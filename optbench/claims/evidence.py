"""What the costs of runs say about a claim: arrays in, a verdict and its numbers out.

A beats B by F where t_A / t_B <= 1 / F. The ratio on one problem is that of the medians over
starts, a failure counting as 10 times the budget; that on several is the geometric mean. Its 95 %
interval comes from 10,000 draws that A and B share:

- from 6 problems on, over problems and then starts ("problems like these"), and the Bayesian
  signed-rank test has to agree: P(ratio <= 1 / F) is at least 0.95 to support, at most 0.05 to
  refute;
- below, over starts within these problems alone.

A ratio is supported where its interval lies within what is claimed, refuted where it lies outside,
and undecided else. A single start gives an interval of no width, and is decided as it is. A tie is
no win, and no loss: with equal costs, "A beats B" is undecided.

What a failure counts must not decide: where the verdict would be another one with failures at the
budget, the least they can have cost, or without the problems on which most starts of both fail, the
claim is undecided, and the evidence says so.

What is claimed of every problem is supported where every start of every problem agrees, refuted
where most starts of one problem do not, and undecided else.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from optbench.claims import Verdict
from optbench.signed_rank import LEAST_PROBLEMS, bayesian_signed_rank
from optbench.statistics import Interval, bootstrap_interval, ratio_intervals

SURE = 0.95
_ROUNDING = 1e-12  # of a ratio that equals its bound


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ratio:
    """t_A / t_B, and whether it lies where a claim has it.

    Attributes:
        verdict: on the claim.
        interval: the geometric mean over problems, and its 95 % interval.
        probability: of the claim, by the signed-rank test; None on fewer than 6 problems.
    """

    verdict: Verdict
    interval: Interval
    probability: float | None


def judge_ratio(
    first: np.ndarray, second: np.ndarray, within: tuple[float, float], *, seed: int = 0
) -> Ratio:
    """Whether t_A / t_B lies within bounds.

    Args:
        first: [P, S] costs of A by problem and start, positive, failures censored.
        second: [P, S] costs of B on the same problems and starts.
        within: lowest and highest ratio that the claim allows; (0, 1 / F) for "beats by F".
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    enough = len(first) >= LEAST_PROBLEMS
    (interval,) = ratio_intervals(
        first[None], second, over="problems" if enough else "runs", rng=rng
    )
    if math.isnan(interval.low):
        interval = dataclasses.replace(interval, low=interval.estimate, high=interval.estimate)
    probability = _probability(first, second, within, rng) if enough else None
    low, high = within[0] * (1 - _ROUNDING), within[1] * (1 + _ROUNDING)
    verdict: Verdict = "undecided"
    if low <= interval.low and interval.high <= high and not _is_tie(interval, within):
        verdict = "supported" if probability is None or probability >= SURE else "undecided"
    elif interval.low > high or interval.high < low:
        verdict = "refuted" if probability is None or probability <= 1 - SURE else "undecided"
    return Ratio(verdict=verdict, interval=interval, probability=probability)


def _is_tie(interval: Interval, within: tuple[float, float]) -> bool:
    """Whether a ratio of 1 is all that a win has to show."""
    return within == (0.0, 1.0) and interval.high > 1 - _ROUNDING


def _probability(
    first: np.ndarray, second: np.ndarray, within: tuple[float, float], rng: np.random.Generator
) -> float:
    """P(the ratio lies within the bounds), in log2 around their middle where there are two."""
    z = np.log2(np.median(first, axis=-1)) - np.log2(np.median(second, axis=-1))
    low, high = within
    if low == 0:
        return bayesian_signed_rank(z - np.log2(high), rng=rng, rope=0.0).a_better
    center, half = np.log2(low * high) / 2, np.log2(high / low) / 2
    return bayesian_signed_rank(z - center, rng=rng, rope=float(half)).equal


def judge_count(counts: np.ndarray, within: tuple[float, float], *, seed: int = 0) -> Verdict:
    """Whether the median of counts over starts lies within bounds, by its 95 % interval.

    Args:
        counts: [S] one per start, infinite where it never gets there.
        within: lowest and highest count that the claim allows.
        seed: of the draws.
    """
    if 2 * np.isinf(counts).sum() > len(counts):
        return "refuted"
    low, high = within[0] * (1 - _ROUNDING), within[1] * (1 + _ROUNDING)
    if np.isinf(counts).any():
        return "undecided"
    rng = np.random.default_rng(seed)
    interval = bootstrap_interval(counts, np.median, rng=rng)
    ends = [interval.estimate if math.isnan(end) else end for end in (interval.low, interval.high)]
    if low <= ends[0] and ends[1] <= high:
        return "supported"
    return "refuted" if ends[0] > high or ends[1] < low else "undecided"


def judge_starts(holds: Sequence[np.ndarray]) -> Verdict:
    """Whether something holds of every start of every problem.

    Args:
        holds: one [S] of truths per problem.
    """
    return judge_all([_judge_starts(starts) for starts in holds])


def _judge_starts(holds: np.ndarray) -> Verdict:
    if holds.all():
        return "supported"
    return "refuted" if 2 * holds.sum() < len(holds) else "undecided"


def judge_all(verdicts: Sequence[Verdict]) -> Verdict:
    """Whether something holds of every problem, from the verdicts on each."""
    if "refuted" in verdicts:
        return "refuted"
    return "undecided" if "undecided" in verdicts else "supported"
