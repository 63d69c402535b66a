"""Intervals against exact distributions and coverage; averages against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from optbench.errors import OptbenchError
from optbench.statistics import (
    Interval,
    bootstrap_interval,
    geometric_mean,
    median_and_range,
    rule_of_three,
)


def interval(sample, statistic=np.mean, seed: int = 0, **given_too) -> Interval:
    rng = np.random.default_rng(seed)
    return bootstrap_interval(np.asarray(sample, float), statistic, rng=rng, **given_too)


# Bootstrap.


def test_it_agrees_with_the_t_interval_where_that_is_exact():
    sample = np.random.default_rng(1).standard_normal(200)
    found = interval(sample)
    exact = scipy.stats.t.interval(0.95, 199, sample.mean(), scipy.stats.sem(sample))
    assert (found.low, found.high) == pytest.approx(exact, abs=0.02)
    assert found.estimate == sample.mean()


def test_it_covers_a_skewed_mean_where_the_percentile_interval_leans():
    samples = np.random.default_rng(2).lognormal(size=(300, 20))
    mean = math.exp(0.5)
    found = [interval(sample, draws=500) for sample in samples]
    below = np.mean([i.high < mean for i in found])
    covered = np.mean([i.low <= mean <= i.high for i in found])
    assert 0.83 < covered < 0.97
    percentile = [
        np.quantile(np.random.default_rng(0).choice(sample, (500, 20)).mean(1), 0.975)
        for sample in samples
    ]
    assert below < np.mean(np.array(percentile) < mean)


def test_the_generator_decides():
    sample = np.random.default_rng(3).exponential(size=12)
    assert interval(sample, seed=5) == interval(sample, seed=5)
    assert interval(sample, seed=5) != interval(sample, seed=6)


def test_less_confidence_is_narrower():
    sample = np.random.default_rng(3).exponential(size=12)
    wide, narrow = interval(sample), interval(sample, confidence=0.5)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("sample", [[1, 2, 2, 2, 3], [1, 1, 1, 1, 5], [4, 4, 4]])
def test_where_bca_is_undefined_the_percentile_interval_stands_in(sample):
    found = interval(sample, np.median)
    assert min(sample) <= found.low <= found.estimate <= found.high <= max(sample)


def test_an_extreme_statistic_has_an_interval():
    found = interval([3.0, 1.0, 2.0, 7.0], np.min)
    assert found.estimate == found.low == 1.0
    assert found.high >= 1.0


def test_one_run_gives_no_interval():
    found = interval([3.0])
    assert found.estimate == 3.0
    assert math.isnan(found.low) and math.isnan(found.high)


@pytest.mark.parametrize("sample", [[], [1.0, math.inf], [1.0, math.nan], [[1.0, 2.0]]])
def test_failures_are_censored_before_they_are_resampled(sample):
    with pytest.raises(OptbenchError):
        interval(sample)


# Medians, means, zero successes.


def test_median_and_range_by_hand():
    assert median_and_range(np.array([3.0, 1.0, 2.0])) == Interval(estimate=2.0, low=1.0, high=3.0)
    with pytest.raises(OptbenchError):
        median_and_range(np.array([]))


def test_a_run_that_never_got_there_is_not_dropped():
    values = np.array([3.0, math.nan, 1.0])
    found = median_and_range(values)
    assert (found.estimate, found.low, found.high) == (3.0, 1.0, math.inf)
    assert found.estimate != np.nanmedian(values)
    assert median_and_range(np.array([1.0, math.nan])).estimate == math.inf


@given(st.lists(st.floats(1e-6, 1e6), min_size=1))
def test_geometric_mean_of_finite_ratios(values):
    found = geometric_mean(np.array(values))
    assert found.value == pytest.approx(math.prod(v ** (1 / len(values)) for v in values))
    assert found.used == found.total == len(values)
    inverse = geometric_mean(1 / np.array(values)).value
    assert found.value * inverse == pytest.approx(1)


def test_the_geometric_mean_says_how_many_are_behind_it():
    found = geometric_mean(np.array([2.0, 8.0, math.inf, 0.0, math.nan]))
    assert found.value == pytest.approx(4.0)
    assert (found.used, found.total) == (2, 5)
    nothing = geometric_mean(np.array([math.inf]))
    assert (nothing.value, nothing.used, nothing.total) == (None, 0, 1)
    with pytest.raises(OptbenchError):
        geometric_mean(np.array([1.0, -1.0]))


@given(st.integers(1, 100_000))
def test_rule_of_three_bounds_the_exact_interval_from_above(trials):
    exact = scipy.stats.beta.ppf(0.95, 1, trials)  # Clopper-Pearson, one-sided
    assert exact <= rule_of_three(trials) <= 1.0
    if trials >= 20:
        assert rule_of_three(trials) == pytest.approx(exact, rel=0.1)


def test_rule_of_three_needs_a_trial():
    assert rule_of_three(2) == 1.0
    assert rule_of_three(60) == 0.05
    with pytest.raises(OptbenchError):
        rule_of_three(0)
