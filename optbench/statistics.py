"""Intervals, averages and comparisons that keep failures in sight."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
import scipy.stats

from optbench.errors import OptbenchError

CENSORED_AT = 10  # budgets that a failure counts as
_CHUNK = 1 << 22  # costs resampled at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Interval:
    """A statistic and how far it may lie.

    Attributes:
        estimate: the statistic of the values given.
        low: lower end; NaN where one value alone gives no interval.
        high: upper end; NaN where one value alone gives no interval.
    """

    estimate: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeometricMean:
    """A geometric mean and how many values are behind it.

    Attributes:
        value: the mean of those used; None where there are none.
        used: how many values are positive and finite.
        total: how many were given.
    """

    value: float | None
    used: int
    total: int


def censor(costs: np.ndarray, budget: float | np.ndarray) -> np.ndarray:
    """Costs with a failure, infinite or NaN, counted as 10 times the budget.

    Args:
        costs: costs of any shape, positive.
        budget: what broadcasts to that shape, positive and finite, in the unit of the costs.

    Raises:
        OptbenchError: a cost or budget that is not positive, a budget that is not finite.
    """
    costs, budget = np.asarray(costs, float), np.asarray(budget, float)
    if np.any(costs <= 0) or not np.all((budget > 0) & np.isfinite(budget)):
        raise OptbenchError(
            "a cost or budget that is not positive", "give costs, and the budget they had"
        )
    return np.where(np.isfinite(costs), costs, CENSORED_AT * budget)


def bootstrap_interval(
    sample: np.ndarray,
    statistic: Callable[..., np.ndarray] = np.mean,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    draws: int = 10_000,
) -> Interval:
    """The BCa bootstrap interval of a scalar statistic over independent runs.

    Where BCa is undefined (no run changes the statistic when left out, as with a median among
    ties, or every draw lies on one side of it) the percentile interval of the same draws is given.

    Args:
        sample: [N] finite values.
        statistic: (values, axis) -> the statistic along that axis.
        rng: decides the draws.
        confidence: the coverage aimed at.
        draws: number of resamples.

    Raises:
        OptbenchError: no values, or values that are not finite.

    Source: Efron (1987), Better bootstrap confidence intervals.
    """
    sample = np.asarray(sample, float)
    if sample.ndim != 1 or len(sample) == 0 or not np.isfinite(sample).all():
        raise OptbenchError(
            "a bootstrap needs finite values, at least one",
            "censor failures first, say at 10 times the budget",
        )
    estimate = float(statistic(sample, axis=-1))
    if len(sample) == 1:
        return Interval(estimate=estimate, low=math.nan, high=math.nan)
    given = {"vectorized": True, "confidence_level": confidence, "rng": rng}
    with warnings.catch_warnings(action="ignore"):  # scipy's, about an undefined BCa interval
        result = scipy.stats.bootstrap(
            (sample,), statistic, n_resamples=draws, method="BCa", **given
        )
    if not np.isfinite(result.confidence_interval).all():
        result = scipy.stats.bootstrap(
            (sample,),
            statistic,
            n_resamples=0,
            bootstrap_result=result,
            method="percentile",
            **given,
        )
    low, high = result.confidence_interval
    return Interval(estimate=estimate, low=float(low), high=float(high))


def ratio_draws(
    costs: np.ndarray,
    reference: np.ndarray,
    *,
    over: Literal["runs", "problems"],
    rng: np.random.Generator,
    draws: int = 10_000,
) -> np.ndarray:
    """Bootstrap draws of each method's geometric mean over problems of ratios of medians.

    prod_p (median_s t[m, p, s] / median_s t[ref, p, s])^(1/P). Over "runs", seeds are resampled
    within each problem: what this suite says. Over "problems", problems are resampled, and then
    seeds within each one drawn: what problems like these would say. One draw takes the same
    problems and seeds of all methods and of the reference, so that differences are paired.

    Args:
        costs: [M, P, S] cost of each method by problem and seed, positive, failures censored.
        reference: [P, S] costs of the reference on the same problems and seeds.
        over: what is resampled.
        rng: decides the draws.
        draws: how many.

    Returns:
        [draws, M] ratios; those of two methods to each other are quotients within a draw.

    Raises:
        OptbenchError: shapes that do not fit, a cost that is not positive and finite.

    Source: Davison & Hinkley (1997), Bootstrap methods, section 3.8, for the two levels.
    """
    everyone = _with_reference(costs, reference)
    methods, problems, seeds = everyone.shape
    size = max(1, _CHUNK // everyone.size)
    found = []
    for start in range(0, draws, size):
        shape = (min(size, draws - start), problems)
        chosen = np.broadcast_to(np.arange(problems), shape)
        if over == "problems":
            chosen = rng.integers(problems, size=shape)
        runs = rng.integers(seeds, size=(*shape, seeds))
        flat = (chosen[..., None] * seeds + runs).reshape(-1, seeds)
        sample = np.take(everyone.reshape(methods, -1), flat, axis=1)
        logs = np.log(_medians(sample)).reshape(methods, *shape).mean(-1)
        found.append(np.exp(logs[:-1] - logs[-1]).T)
    return np.concatenate(found)


def ratio_intervals(
    costs: np.ndarray,
    reference: np.ndarray,
    *,
    over: Literal["runs", "problems"],
    rng: np.random.Generator,
    draws: int = 10_000,
    confidence: float = 0.95,
) -> tuple[Interval, ...]:
    """Each method's geometric mean of ratios to a reference, with its percentile interval.

    Args:
        costs: as in `ratio_draws`.
        reference: as there.
        over: "runs" for this suite, "problems" for problems like these.
        rng: decides the draws.
        draws: how many.
        confidence: the coverage aimed at.

    Returns:
        [M] intervals, each end NaN where a single run or problem leaves nothing to resample.

    Raises:
        OptbenchError: shapes that do not fit, a cost that is not positive and finite.
    """
    everyone = _with_reference(costs, reference)
    logs = np.log(np.median(everyone, axis=-1)).mean(-1)
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    ends = np.full((2, len(logs) - 1), math.nan)
    if everyone.shape[2 if over == "runs" else 1] > 1:
        ends = np.quantile(
            ratio_draws(costs, reference, over=over, rng=rng, draws=draws), tails, axis=0
        )
    return tuple(
        Interval(estimate=estimate, low=low, high=high)
        for estimate, low, high in np.stack([np.exp(logs[:-1] - logs[-1]), *ends], axis=1).tolist()
    )


def iqm(values: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The interquartile mean: of the values left when a quarter is cut off at each end.

    The number cut is rounded down, n // 4 at each end.

    Args:
        values: values of any shape; NaN is a failure, and counts as infinite.
        axis: along which; over all values, runs and problems alike, where None.

    Source: Agarwal et al. (2021), Deep RL at the edge of the statistical precipice, section 4.
    """
    values = np.asarray(values, float)
    values = np.where(np.isnan(values), math.inf, values)
    if axis is None:
        values, axis = values.ravel(), 0
    return np.asarray(scipy.stats.trim_mean(values, 0.25, axis=axis))


def probability_of_improvement(costs_a: np.ndarray, costs_b: np.ndarray) -> np.ndarray:
    """P(A < B) + P(A = B) / 2 for a run of A and one of B, drawn apart: [...].

    The Mann-Whitney statistic over the number of pairs. Two failures tie.

    Args:
        costs_a: [..., N] costs of A; infinite or NaN where a run fails.
        costs_b: [..., M] costs of B.

    Source: Mann & Whitney (1947); Agarwal et al. (2021), section 4; average it over problems.
    """
    a, b = (
        np.where(np.isnan(costs), math.inf, costs)
        for costs in (np.asarray(costs_a, float), np.asarray(costs_b, float))
    )
    a, b = a[..., :, None], b[..., None, :]
    return np.asarray(((a < b) + (a == b) / 2).mean((-2, -1)))


def median_and_range(values: np.ndarray) -> Interval:
    """Median, smallest and largest of repeated measurements.

    Args:
        values: [N] values; NaN is a run that never got there, and counts as infinite.

    Raises:
        OptbenchError: no values.
    """
    values = np.asarray(values, float).ravel()
    if len(values) == 0:
        raise OptbenchError("a median needs at least one value", "measure once at least")
    values = np.where(np.isnan(values), math.inf, values)
    return Interval(
        estimate=float(np.median(values)), low=float(values.min()), high=float(values.max())
    )


def geometric_mean(values: np.ndarray) -> GeometricMean:
    """The geometric mean of ratios over the problems where both sides succeed.

    A ratio that is infinite (only the reference succeeds), 0 (only the other does) or NaN
    (neither does) has no place in a mean; show `used` of `total` beside it, always.

    Args:
        values: [N] ratios.

    Raises:
        OptbenchError: a negative ratio.
    """
    values = np.asarray(values, float).ravel()
    if np.any(values < 0):
        raise OptbenchError("a geometric mean of negative values", "give ratios of costs")
    used = values[np.isfinite(values) & (values > 0)]
    return GeometricMean(
        value=float(scipy.stats.gmean(used)) if len(used) else None,
        used=len(used),
        total=len(values),
    )


def rule_of_three(trials: int) -> float:
    """The most a success probability may be, at 95 %, after this many failures: min(1, 3 / n).

    Raises:
        OptbenchError: no trials.

    Source: Hanley & Lippman-Hand (1983), If nothing goes wrong, is everything all right?
    """
    if trials < 1:
        raise OptbenchError("no trials say nothing", "run once at least")
    return min(1.0, 3 / trials)


def _with_reference(costs: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Costs of all methods, the reference last: [M + 1, P, S]."""
    costs, reference = np.asarray(costs, float), np.asarray(reference, float)
    if costs.ndim != 3 or costs.size == 0 or costs.shape[1:] != reference.shape:
        raise OptbenchError(
            f"costs of shape {costs.shape} against a reference of shape {reference.shape}",
            "give [methods, problems, seeds] and [problems, seeds]",
        )
    everyone = np.concatenate([costs, reference[None]])
    if not (np.isfinite(everyone) & (everyone > 0)).all():
        raise OptbenchError("a cost that is not positive and finite", "censor failures first")
    return everyone


def _medians(sample: np.ndarray) -> np.ndarray:
    """Medians along the last axis, by sorting in place: faster for few values, many times."""
    sample.sort(axis=-1)
    half = sample.shape[-1] // 2
    return (sample[..., half] + sample[..., -half - 1]) / 2
