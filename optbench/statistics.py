"""Intervals and averages that keep failures in sight."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable

import numpy as np
import scipy.stats

from optbench.errors import OptbenchError

CENSORED_AT = 10  # budgets that a failure counts as


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
