"""Intervals against exact distributions and coverage; averages against scipy and by hand."""

from __future__ import annotations

import itertools
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
    censor,
    geometric_mean,
    iqm,
    median_and_range,
    probability_of_improvement,
    ratio_draws,
    ratio_intervals,
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


def test_it_is_that_of_scipy():
    sample = np.random.default_rng(4).lognormal(size=25)
    for statistic in (np.mean, np.std):
        found = interval(sample, statistic, seed=9)
        given_too = {"n_resamples": 10_000, "rng": np.random.default_rng(9)}
        ends = scipy.stats.bootstrap((sample,), statistic, method="BCa", **given_too)
        assert (found.low, found.high) == tuple(ends.confidence_interval)
        plain = scipy.stats.bootstrap((sample,), statistic, method="percentile", **given_too)
        assert found.high != pytest.approx(plain.confidence_interval.high, rel=0.01)


# Ratios over problems. Second sources: all equally likely draws of a small study, and scipy.


def enumerated(costs: np.ndarray, reference: np.ndarray, over: str) -> np.ndarray:
    """The ratio of each possible draw, all equally likely."""
    problems, seeds = reference.shape
    slots = list(itertools.product(itertools.product(range(seeds), repeat=seeds), repeat=problems))
    chosen = [tuple(range(problems))]
    if over == "problems":
        chosen = list(itertools.product(range(problems), repeat=problems))
    ratios = []
    for drawn, runs in itertools.product(chosen, slots):
        picked = [(p, list(r)) for p, r in zip(drawn, runs, strict=True)]
        each = [np.median(costs[p, r]) / np.median(reference[p, r]) for p, r in picked]
        ratios.append(math.prod(each) ** (1 / problems))
    return np.array(ratios)


COSTS = np.random.default_rng(0).lognormal(sigma=1.0, size=(3, 2, 3))  # methods, problems, seeds


def distance(ratios: np.ndarray, exact: np.ndarray) -> float:
    """Between two distribution functions, the largest, at the exact atoms.

    The atoms are moved up by a little: rounding may put a draw on either side of its own.
    """
    at = np.sort(exact) * (1 + 1e-9)
    return float(
        np.abs(
            np.searchsorted(np.sort(ratios), at) / len(ratios)
            - np.searchsorted(np.sort(exact), at) / len(exact)
        ).max()
    )


@pytest.mark.parametrize("over", ["runs", "problems"])
def test_ratios_follow_the_law_of_all_possible_draws(over):
    found = ratio_draws(COSTS[:2], COSTS[2], over=over, rng=np.random.default_rng(1))
    other = "problems" if over == "runs" else "runs"
    critical = scipy.stats.kstwo.ppf(0.999, 10_000)
    for method in range(2):
        exact = enumerated(COSTS[method], COSTS[2], over)
        assert distance(found[:, method], exact) < critical
        wrong = enumerated(COSTS[method], COSTS[2], other)  # the planted defect: the other level
        assert distance(found[:, method], wrong) > critical


def ratio_of_medians(a, b, axis=-1):
    return np.median(a, axis=axis) / np.median(b, axis=axis)


def same_law(ratios: np.ndarray, others: np.ndarray) -> bool:
    """Kolmogorov-Smirnov at one in a thousand, atoms equal but for rounding taken as equal."""
    pair = (np.round(np.log(ratios), 9), np.round(np.log(others), 9))
    return scipy.stats.ks_2samp(*pair).pvalue > 0.001


def test_one_problem_or_one_seed_is_what_scipy_resamples():
    a, b = np.random.default_rng(2).lognormal(size=(2, 15))
    given_too = {"method": "percentile", "n_resamples": 10_000}
    rng = np.random.default_rng(1)
    paired = scipy.stats.bootstrap((a, b), ratio_of_medians, paired=True, rng=0, **given_too)
    found = ratio_draws(a[None, None], b[None], over="runs", rng=rng)[:, 0]
    assert same_law(found, paired.bootstrap_distribution)
    apart = scipy.stats.bootstrap((a, b), ratio_of_medians, paired=False, rng=0, **given_too)
    assert not same_law(found, apart.bootstrap_distribution)  # the planted defect
    logs = scipy.stats.bootstrap((np.log(a / b),), np.mean, rng=0, **given_too)
    found = ratio_draws(a[None, :, None], b[:, None], over="problems", rng=rng)[:, 0]
    assert same_law(found, np.exp(logs.bootstrap_distribution))


@pytest.mark.parametrize("over", ["runs", "problems"])
def test_intervals_are_percentiles_of_the_draws(over):
    rngs = [np.random.default_rng(1) for _ in range(2)]
    found = ratio_intervals(COSTS[:2], COSTS[2], over=over, rng=rngs[0], confidence=0.9)
    drawn = ratio_draws(COSTS[:2], COSTS[2], over=over, rng=rngs[1])
    for method, interval_ in enumerate(found):
        ends = np.quantile(drawn[:, method], [0.05, 0.95])
        assert (interval_.low, interval_.high) == pytest.approx(tuple(ends))
        gaps = np.log(np.median(COSTS[method], 1) / np.median(COSTS[2], 1))
        assert interval_.estimate == pytest.approx(math.exp(gaps.mean()))


@pytest.mark.parametrize("over", ["runs", "problems"])
def test_pairs_share_their_draws(over):
    twice = np.stack([2 * COSTS[0], COSTS[0], COSTS[1]])
    found = ratio_draws(twice, COSTS[0], over=over, rng=np.random.default_rng(1))
    np.testing.assert_allclose(found[:, :2], np.broadcast_to([2.0, 1.0], (10_000, 2)))
    shuffled = np.random.default_rng(2).permutation(found[:, 2])
    assert np.std(found[:, 2] / shuffled) > 0.1  # the planted defect: draws of each its own
    again = ratio_draws(twice, COSTS[0], over=over, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again, found)


def test_problems_like_these_are_less_certain_than_this_suite():
    rng = np.random.default_rng(5)
    costs, reference = rng.lognormal(sigma=0.1, size=(2, 20, 5))
    costs *= rng.lognormal(sigma=1.5, size=(20, 1))  # gaps that vary over problems
    (suite,) = ratio_intervals(costs[None], reference, over="runs", rng=rng)
    (like,) = ratio_intervals(costs[None], reference, over="problems", rng=rng)
    assert suite.estimate == like.estimate
    assert like.low < suite.low < suite.high < like.high


def test_a_single_run_or_problem_gives_no_interval():
    rng = np.random.default_rng(0)
    for costs, over in ((COSTS[:1, :, :1], "runs"), (COSTS[:1, :1], "problems")):
        (found,) = ratio_intervals(costs, costs[0] / 3, over=over, rng=rng)
        assert found.estimate == pytest.approx(3)
        assert math.isnan(found.low) and math.isnan(found.high)


@pytest.mark.parametrize("bad", [math.inf, math.nan, 0.0, -1.0])
def test_ratios_want_censored_costs(bad):
    spoiled = COSTS.copy()
    spoiled[0, 0, 0] = bad
    rng = np.random.default_rng(0)
    with pytest.raises(OptbenchError):
        ratio_draws(spoiled, COSTS[0], over="runs", rng=rng)
    with pytest.raises(OptbenchError):
        ratio_draws(COSTS, COSTS, over="runs", rng=rng)


def test_a_failure_counts_as_ten_budgets():
    costs = np.array([[1.0, math.inf], [math.nan, 7.0]])
    np.testing.assert_array_equal(censor(costs, np.array([5.0, 6.0])), [[1, 60], [50, 7]])
    for costs, budget in (([0.0], 1.0), ([1.0], 0.0), ([1.0], math.inf), ([1.0], math.nan)):
        with pytest.raises(OptbenchError):
            censor(np.array(costs), budget)


# Interquartile means and improvement. Second sources: weights by hand, Mann-Whitney in scipy.


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=23))
def test_iqm_is_the_mean_of_the_middle(values):
    cut = len(values) // 4
    middle = sorted(values)[cut : len(values) - cut]
    assert iqm(np.array(values)) == pytest.approx(math.fsum(middle) / len(middle), abs=1e-9)


def test_iqm_is_that_of_rliable():
    scores = np.random.default_rng(0).lognormal(size=(6, 10))  # runs, tasks
    flat = scipy.stats.trim_mean(scores, proportiontocut=0.25, axis=None)  # rliable/metrics.py
    assert iqm(scores) == flat
    by_task = iqm(scores, axis=0).mean()  # the planted defect: trimmed within tasks
    assert by_task != pytest.approx(flat, rel=0.01)
    assert iqm(np.array([1.0, 2.0, 3.0, math.nan])) == 2.5
    assert iqm(np.array([1.0, 2.0, math.nan, math.nan])) == math.inf  # half fail


COSTS_WITH_TIES = st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, math.inf]), min_size=1, max_size=7)


@given(COSTS_WITH_TIES, COSTS_WITH_TIES)
def test_improvement_is_the_mann_whitney_share(a, b):
    found = probability_of_improvement(np.array(a), np.array(b))
    ranked = scipy.stats.rankdata(a + b)[len(a) :].sum() - len(b) * (len(b) + 1) / 2
    assert found == pytest.approx(ranked / (len(a) * len(b)))
    assert found + probability_of_improvement(np.array(b), np.array(a)) == pytest.approx(1)


def test_ties_are_half_an_improvement():
    a, b = np.array([1.0, 2.0, math.nan]), np.array([2.0, 2.0, math.inf])
    found = probability_of_improvement(a, b)
    assert found == scipy.stats.mannwhitneyu([2, 2, 9], [1, 2, 9]).statistic / 9 == 5.5 / 9
    assert found != (a[:, None] < b).mean()  # the planted defect: ties lost
    both = probability_of_improvement(np.stack([a, b]), np.stack([b, a]))
    np.testing.assert_allclose(both, [found, 1 - found])


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
