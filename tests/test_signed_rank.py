"""Signed-rank tests against enumeration, published numbers, closed forms and baycomp."""

from __future__ import annotations

import itertools
import math

import baycomp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from optbench import signed_rank
from optbench.errors import OptbenchError
from optbench.signed_rank import (
    ROPE,
    bayesian_signed_rank,
    friedman,
    holm,
    log_ratios,
    mean_ranks,
    nemenyi_difference,
    wilcoxon_signed_rank,
)

NAN, INF = math.nan, math.inf

# Demsar (2006), table 6: AUC of C4.5 as is, with m, with cf and with both tuned, on 14 data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)


# Log ratios. Second source: by hand.


def test_failures_are_censored_and_two_of_them_tie():
    a = np.array([2.0, 8.0, NAN, 5.0, INF])
    b = np.array([8.0, 2.0, 50.0, INF, NAN])
    z = log_ratios(a, b, budget=100.0)
    np.testing.assert_allclose(z, [-2, 2, math.log2(20), -math.log2(200), 0], atol=1e-15)
    np.testing.assert_array_equal(log_ratios(b, a, 100.0), -z)
    with np.errstate(invalid="ignore", divide="ignore"):
        dropped = np.log2(a / b)  # what it must not be: failures without a value
    assert not np.isfinite(dropped[2:]).any()


def test_each_problem_has_its_own_budget():
    z = log_ratios(np.array([NAN, NAN]), np.array([1.0, 1.0]), np.array([0.1, 1.6]))
    np.testing.assert_allclose(z, [0.0, 4.0], atol=1e-15)


@pytest.mark.parametrize(
    ("a", "b", "budget"),
    [([0.0], [1.0], 1.0), ([1.0], [-1.0], 1.0), ([1.0], [1.0], INF), ([1.0], [1.0, 2.0], 1.0)],
)
def test_costs_are_positive(a, b, budget):
    with pytest.raises(OptbenchError):
        log_ratios(np.array(a), np.array(b), budget)


# Wilcoxon. Second sources: all sign flips, scipy where it is exact, and the example of Demsar
# (2006), section 3.1.3.


def enumerated_p(z: np.ndarray, keep_zero_ranks: bool = True) -> float:
    """Two-sided p over all signs: the share of sums of signed ranks at least as far from 0."""
    z = z if keep_zero_ranks else z[z != 0]
    ranks = scipy.stats.rankdata(np.abs(z)) * (z != 0)
    signs = np.array(list(itertools.product([-1, 1], repeat=len(z))))
    sums = np.abs(signs @ ranks)
    return float(np.mean(sums >= abs(np.sign(z) @ ranks) - 1e-9))


@pytest.mark.parametrize(
    "z",
    [
        [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0],
        [0.3, -1.2, 2.2, 0.7, 1.9, -0.1, 3.0, 1.1],
        [0.5, 0.5, -0.5, 1.0, 2.0, 2.0, -1.0, 3.0],  # ties
        [0.0, 0.0, -0.5, 1.0, 2.0, 2.0, 1.5, 3.0, 2.5],  # zeros
    ],
)
def test_p_is_the_share_of_sign_flips(z):
    assert wilcoxon_signed_rank(np.array(z)) == pytest.approx(enumerated_p(np.array(z)))
    assert wilcoxon_signed_rank(-np.array(z)) == pytest.approx(enumerated_p(np.array(z)))


@pytest.mark.parametrize("count", [6, 13, 40])
def test_p_is_that_of_scipy(count):
    z = np.random.default_rng(count).normal(0.3, 1.0, count)
    assert wilcoxon_signed_rank(z) == pytest.approx(scipy.stats.wilcoxon(z).pvalue)
    normal = scipy.stats.wilcoxon(z, method="asymptotic").pvalue  # the planted defect
    assert wilcoxon_signed_rank(z) != pytest.approx(normal)


def test_ties_count_against_a_difference():
    z = np.array([0.0, 0.0, 0.0, 0.0, -1.0, -1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
    kept, dropped = enumerated_p(z), enumerated_p(z, keep_zero_ranks=False)
    assert wilcoxon_signed_rank(z) == pytest.approx(kept)
    assert kept != pytest.approx(dropped)  # the planted defect: zeros left out
    assert wilcoxon_signed_rank(np.zeros(8)) == 1.0


def test_ratios_equal_but_for_rounding_tie():
    a, b = np.array([2.0, 6.0, 3.0, 7.0, 10.0, 0.3]), np.array([1.0, 3.0, 1.5, 3.5, 5.0, 0.6])
    z = log_ratios(a, b, 100.0)
    assert len(set(np.abs(z))) > 1
    assert wilcoxon_signed_rank(z) == enumerated_p(np.array([1.0, 1, 1, 1, 1, -1]))


def test_ten_problems_reach_two_thousandths_at_best():
    assert wilcoxon_signed_rank(-np.arange(1.0, 11)) == pytest.approx(2 / 1024)
    with pytest.raises(OptbenchError):
        wilcoxon_signed_rank(np.arange(1.0, 6))  # 5: 0.0625 at best
    with pytest.raises(OptbenchError):
        wilcoxon_signed_rank(np.array([1.0, 2, 3, 4, 5, NAN]))


def test_the_published_example_is_significant_at_its_level():
    z = np.round(DEMSAR[:, 1] - DEMSAR[:, 0], 3)
    ranks = scipy.stats.rankdata(np.abs(z))
    published = ranks[z < 0].sum() + ranks[z == 0].sum() / 2
    assert published == 12  # R- of the paper, which splits the ranks of zeros
    assert wilcoxon_signed_rank(z) == pytest.approx(enumerated_p(z))
    assert wilcoxon_signed_rank(z) < 0.05  # as there, where the critical value is 21


# Holm. Second sources: the closed testing procedure, and a worked example (Wikipedia,
# "Holm-Bonferroni method": at 0.05, the first and the fourth of these are rejected).


def closed_testing(p_values: np.ndarray) -> list[float]:
    """Largest Bonferroni p over all intersections that contain each hypothesis."""
    indices = range(len(p_values))
    subsets = [s for n in indices for s in itertools.combinations(indices, n + 1)]
    return [
        max(min(1.0, len(s) * p_values[list(s)].min()) for s in subsets if i in s) for i in indices
    ]


def test_holm_of_a_published_example():
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])
    assert list(adjusted <= 0.05) == [True, False, False, True]


@given(st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.012, 0.03, 0.2, 0.9, 1.0]), max_size=6))
def test_holm_closes_bonferroni(p_values):
    np.testing.assert_allclose(holm(np.array(p_values)), closed_testing(np.array(p_values)))


def test_steps_that_may_fall_are_seen():
    p_values = np.array([0.02, 0.021, 0.3])
    stepped = np.arange(3, 0, -1) * p_values  # the planted defect: no running maximum
    np.testing.assert_allclose(holm(p_values), closed_testing(p_values))
    assert not np.allclose(stepped, closed_testing(p_values))


@pytest.mark.parametrize("p_values", [[NAN], [-0.1], [1.1]])
def test_holm_wants_probabilities(p_values):
    with pytest.raises(OptbenchError):
        holm(np.array(p_values))


# Bayesian. Second sources: baycomp by the authors of the test, what its documentation prints, and
# closed forms.

MIXED = np.array([-1.2, -0.4, -0.9, 0.3, -2.0, 0.05, -0.6, -0.1, 0.8, -1.5])


def bayes(z, seed: int = 0, **given_too) -> tuple[float, float, float]:
    found = bayesian_signed_rank(np.array(z), rng=np.random.default_rng(seed), **given_too)
    return found.a_better, found.equal, found.b_better


@pytest.mark.parametrize("sign", [1, -1])
def test_it_is_that_of_baycomp(sign):
    z = sign * MIXED
    found = bayes(z)
    reference = baycomp.SignedRankTest(0 * z, z, ROPE, nsamples=10_000, random_state=0).probs()
    error = 4 * math.sqrt(0.25 / 10_000)  # four standard deviations at most
    assert found == pytest.approx(reference, abs=error)
    # 400,000 draws of baycomp 1.0.3, two seeds: 0.9751, 0.0059, 0.0190
    many_draws = (0.9751, 0.0059, 0.0190)[::sign]
    assert found == pytest.approx(many_draws, abs=4 * math.sqrt(0.025 * 0.975 / 50_000))
    assert sum(found) == pytest.approx(1)


# The accuracies in per cent, means of 10 times 10-fold cross-validation, of naive Bayes and of J48
# on 54 data sets that come with the documentation of baycomp (docs/code/accuracies.txt), which
# prints (0.23124, 0.00666, 0.7621) for them at a region of 1 per cent, from 50,000 draws.
ACCURACIES = np.array(
    [
        [95.94595, 98.64226], [71.39521, 77.22140], [83.33770, 77.19570], [49.98591, 49.49834],
        [76.16673, 83.50006], [86.21744, 86.28991], [86.21744, 86.28991], [81.87252, 80.21214],
        [52.81140, 64.20668], [75.04000, 72.17000], [71.93504, 72.31167], [50.12499, 39.66248],
        [72.03123, 71.50976], [60.00000, 60.00000], [83.68750, 78.57087], [84.36091, 80.51726],
        [98.31118, 99.18611], [89.40237, 90.11586], [93.33322, 93.59991], [87.79086, 99.43702],
        [87.59993, 85.79996], [56.84723, 56.84723], [85.09998, 76.37137], [62.66532, 64.09357],
        [74.63639, 97.80228], [96.38929, 98.91727], [95.76072, 100.00000], [90.29939, 97.18137],
        [92.16903, 78.59252], [93.37478, 96.60513], [80.41671, 73.16674], [87.72004, 88.61625],
        [75.26002, 74.32345], [68.11142, 69.77806], [47.19786, 41.00794], [91.14715, 94.14284],
        [85.59372, 88.95460], [86.62217, 89.97920], [93.81435, 97.84100], [76.71185, 74.67613],
        [92.19582, 92.63445], [89.82622, 92.85163], [79.21932, 81.05974], [95.41686, 94.16605],
        [59.03334, 63.50000], [62.06667, 77.66667], [46.32085, 46.78335], [58.78783, 76.53533],
        [79.96800, 74.87200], [64.92861, 60.95248], [98.70582, 90.72864], [97.19638, 95.03683],
        [57.61428, 57.07530], [93.98181, 92.60908],
    ]
)  # fmt: skip
PUBLISHED = (0.23124, 0.00666, 0.7621)
OF_TWO_RUNS = tuple(4 * math.sqrt(2 * p * (1 - p) / 50_000) for p in PUBLISHED)  # 4 deviations


def gap_to_published(z: np.ndarray) -> float:
    """The largest one, as a share of what two runs of 50,000 draws may differ by."""
    gaps = np.abs(np.subtract(bayes(z, rope=1.0), PUBLISHED))
    return float((gaps / OF_TWO_RUNS).max())


def test_it_is_the_published_one():
    naive_bayes, j48 = ACCURACIES.T
    assert gap_to_published(j48 - naive_bayes) < 1
    for defect in (naive_bayes - j48, (j48 - naive_bayes) / 2, (j48 - naive_bayes)[:-3]):
        assert gap_to_published(defect) > 1


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_constant_gap_leaves_the_prior_alone(count):
    """theta_B = 1 - w_0^2 for z > 2 rope and (1 - w_0)^2 for less, w_0 ~ Beta(s, P)."""
    weight = scipy.stats.beta(0.5, count)
    wide = bayes(np.full(count, 3 * ROPE))
    assert wide[2] == pytest.approx(weight.cdf(math.sqrt(0.5)), abs=0.009)
    narrow = bayes(np.full(count, 1.5 * ROPE))
    assert narrow[2] == pytest.approx(weight.cdf(1 - math.sqrt(0.5)), abs=0.009)
    assert wide[0] == narrow[0] == 0.0


def test_a_prior_elsewhere_is_seen(monkeypatch):
    monkeypatch.setattr(signed_rank, "PRIOR_STRENGTH", 1.0)
    weight = scipy.stats.beta(0.5, 2)
    found = bayes(np.full(2, 1.5 * ROPE))[2]
    assert abs(found - weight.cdf(1 - math.sqrt(0.5))) > 0.05


def test_symmetric_problems_decide_nothing():
    a, equal, b = bayes([-2.0, 2.0, -1.0, 1.0, -0.5, 0.5])
    assert a == pytest.approx(b, abs=0.018) and a > equal


def test_within_the_region_all_is_equal():
    assert bayes(np.full(10, 0.5 * ROPE)) == (0.0, 1.0, 0.0)
    assert bayes(np.zeros(10), rope=0.0) == (0.5, 0.0, 0.5)  # baycomp: all to one side
    edge = bayes(np.full(6, ROPE))  # pairs on the edge count half
    assert edge[0] == 0.0 and 0 < edge[1]


def test_draws_in_chunks_are_the_same_law_and_the_generator_decides(monkeypatch):
    whole = bayes(MIXED, seed=3)
    assert whole == bayes(MIXED, seed=3) != bayes(MIXED, seed=4)
    monkeypatch.setattr(signed_rank, "_CHUNK", 1000)
    assert bayes(MIXED, seed=3) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("z", [[], [NAN], [[1.0]]])
def test_it_wants_one_value_per_problem(z):
    with pytest.raises(OptbenchError):
        bayes(z)
    with pytest.raises(OptbenchError):
        bayes([1.0], rope=-1.0)


# Mean ranks. Second source: Demsar (2006), tables 5 and 6 and section 3.2.


def test_the_published_ranks_and_their_verdict():
    printed = -DEMSAR
    printed[12, 3] += 1e-4  # ranked third in the paper: its digits were rounded
    ranks = mean_ranks(printed)
    np.testing.assert_allclose(ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)
    statistic = 12 * 14 / (4 * 5) * (np.sum(ranks**2) - 4 * 5**2 / 4)
    assert statistic == pytest.approx(9.28, abs=0.005)  # of the paper, not corrected for ties
    ties = 3 * (2**3 - 2) + 4**3 - 4  # iris, lung cancer and primary tumor; mushroom
    corrected = statistic / (1 - ties / (14 * (4**3 - 4)))
    p = friedman(printed)
    assert p == pytest.approx(scipy.stats.chi2.sf(corrected, 3)) and p < 0.05
    wrong = scipy.stats.friedmanchisquare(*printed).pvalue  # problems taken for methods
    assert abs(p - wrong) > 0.01


def test_failures_rank_last_and_ties_share():
    costs = np.array([[1.0, NAN, 3.0, INF], [2.0, 2.0, 2.0, 1.0]])
    np.testing.assert_array_equal(mean_ranks(costs), [2.0, 3.25, 2.5, 2.25])
    assert friedman(np.ones((5, 3))) == 1.0
    assert friedman(costs) == friedman(np.where(np.isnan(costs), INF, costs))
    with pytest.raises(OptbenchError):
        friedman(np.ones((5, 2)))


@pytest.mark.parametrize(
    ("methods", "level", "q"),
    [(2, 0.05, 1.960), (4, 0.05, 2.569), (5, 0.05, 2.728), (10, 0.05, 3.164), (5, 0.10, 2.459)],
)
def test_the_published_critical_values(methods, level, q):
    difference = nemenyi_difference(methods, 14, level)
    assert difference == pytest.approx(q * math.sqrt(methods * (methods + 1) / (6 * 14)), rel=3e-4)
    range_itself = math.sqrt(2) * q  # the planted defect: without the square root of 2
    assert difference < range_itself * math.sqrt(methods * (methods + 1) / (6 * 14)) * 0.8
    with pytest.raises(OptbenchError):
        nemenyi_difference(1, 14)
