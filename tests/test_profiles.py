"""Profiles and runtimes against hand-made tables, closed forms, brute force and COCO."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optbench import metrics, profiles
from optbench.errors import OptbenchError

NAN, INF = math.nan, math.inf
COST = st.one_of(st.just(NAN), st.integers(1, 20).map(float))


def tables(min_axes: int, max_axes: int):
    """Costs of any small shape, ties and failures included."""
    shapes = hnp.array_shapes(min_dims=min_axes, max_dims=max_axes, min_side=1, max_side=5)
    return hnp.arrays(float, shapes, elements=COST)


# Performance profiles. Second source: by hand, and Gould & Scott (2016).

TRAP = SimpleNamespace(a=[1.0, 1.0, 1.0], b=[8.0, 8.0, 2.0], c=[4.0, 3.0, 4.0])


def area_to_four(*solvers) -> list[float]:
    """Area under each profile from ratio 1 to 4, over its width."""
    grid = 1 + 3 * (np.arange(30_000) + 0.5) / 30_000
    return list(profiles.performance_profile(np.array(solvers).T, grid).mean(0))


def test_leaving_out_the_best_solver_turns_the_ranking_around():
    _, b, c = area_to_four(TRAP.a, TRAP.b, TRAP.c)
    assert (b, c) == pytest.approx((2 / 9, 1 / 9), abs=1e-4)
    b, c = area_to_four(TRAP.b, TRAP.c)
    assert (b, c) == pytest.approx((0.7037, 0.8889), abs=1e-4)


def test_profile_by_hand():
    costs = np.array([[1.0, 2.0], [6.0, 3.0], [5.0, NAN], [INF, NAN]])
    shares = profiles.performance_profile(costs, np.array([1.0, 1.9, 2.0, INF]))
    np.testing.assert_array_equal(shares, [[0.5, 0.25], [0.5, 0.25], [0.75, 0.5], [0.75, 0.5]])


@given(costs=tables(2, 2))
def test_profiles_are_shares_that_rise_to_the_success_rate(costs):
    shares = profiles.performance_profile(costs, np.array([1.0, 1.5, 3.0, 20.0]))
    assert shares.shape == (4, costs.shape[1])
    assert np.all(np.diff(shares, axis=0) >= 0)
    np.testing.assert_allclose(shares[-1], np.isfinite(costs).mean(0))
    solved = np.isfinite(costs).any(1).mean()
    assert shares[0].sum() >= solved - 1e-12  # each solved problem has a fastest solver
    rescaled = profiles.performance_profile(costs * 4.0, np.array([1.0, 1.5, 3.0, 20.0]))
    np.testing.assert_array_equal(rescaled, shares)


def test_unsolved_problems_stay_in_the_denominator():
    costs = np.array([[1.0, 1.0], [NAN, NAN]])
    assert profiles.performance_profile(costs, np.array([10.0])).max() == 0.5
    solved = costs[np.isfinite(costs).any(1)]
    assert profiles.performance_profile(solved, np.array([10.0])).max() == 1.0


@given(costs=tables(1, 3), budgets=st.lists(st.integers(0, 21), min_size=1, max_size=6))
def test_ecdf_counts(costs, budgets):
    shares = profiles.ecdf(costs, np.array(budgets, float))
    expected = [np.mean([c <= budget for c in costs.ravel()]) for budget in budgets]
    np.testing.assert_allclose(shares, expected)
    np.testing.assert_allclose(profiles.ecdf(costs, np.array([INF])), np.isfinite(costs).mean())


# Scores. Second source: the profile itself, integrated.


def test_the_order_trap_of_gould_and_scott():
    _, b, c = profiles.profile_score(np.array([TRAP.a, TRAP.b, TRAP.c]).T)
    assert (b, c) == pytest.approx((2 / 9, 1 / 9))  # 0.222 > 0.111
    b, c = profiles.profile_score(np.array([TRAP.b, TRAP.c]).T)
    assert (b, c) == pytest.approx((19 / 27, 8 / 9))  # 0.704 < 0.889


@given(costs=tables(2, 2), largest=st.sampled_from([1.5, 4.0, 10.0]))
def test_a_score_is_the_area_under_the_profile(costs, largest):
    scores = profiles.profile_score(costs, largest)
    solved = np.where(np.isnan(costs), INF, costs)
    best = solved.min(1, keepdims=True)
    jumps = (solved / np.where(np.isinf(best), 1.0, best)).ravel()  # a profile is flat in between
    edges = np.unique(np.concatenate([[1.0, largest], jumps[(jumps > 1) & (jumps < largest)]]))
    heights = profiles.performance_profile(costs, (edges[1:] + edges[:-1]) / 2)
    area = np.diff(edges) @ heights / (largest - 1)
    np.testing.assert_allclose(scores, area, atol=1e-12)


def test_a_score_keeps_unsolved_problems():
    costs = np.array([[1.0, 2.0], [NAN, 1.0], [INF, NAN]])
    found = profiles.profile_score(costs)
    np.testing.assert_allclose(found, [3 / 9, 5 / 9])
    solved = profiles.profile_score(costs[:2])  # the planted defect: a smaller denominator
    assert not np.allclose(found, solved)
    for largest in (1.0, INF, NAN):
        with pytest.raises(OptbenchError):
            profiles.profile_score(costs, largest)


# Pairwise and data profiles. Second source: by hand, and brute force.


def test_a_pairwise_profile_by_hand():
    a = np.array([1.0, 8.0, 3.0, NAN, NAN, 2.0])
    b = np.array([4.0, 2.0, 3.0, 5.0, NAN, INF])
    found = profiles.pairwise_profile(a, b, np.array([1 / 64, 0.25, 0.9, 1.0, 4.0, 64.0]))
    np.testing.assert_allclose(found, np.array([1, 2, 2, 3, 4, 4]) / 6)
    careless = np.mean(np.nan_to_num(a, nan=INF) <= np.nan_to_num(b, nan=INF))
    assert careless == 4 / 6 != found[3]  # the planted defect: two failures taken for a success


def test_a_third_solver_changes_no_pairwise_profile():
    b, c = np.array(TRAP.b), np.array(TRAP.c)
    at_one = (
        profiles.pairwise_profile(b, c, np.ones(1)),
        profiles.pairwise_profile(c, b, np.ones(1)),
    )
    assert [float(x[0]) for x in at_one] == pytest.approx([1 / 3, 2 / 3])
    assert profiles.PAIRWISE_RATIOS[[0, 96, -1]].tolist() == [1 / 64, 1.0, 64.0]


@given(st.lists(st.tuples(COST, COST), min_size=1, max_size=6))
def test_a_pair_fills_the_problems_that_one_solves(pairs):
    a, b = np.array(pairs).T
    assert profiles.pairwise_profile(a, b).shape == (193,)
    for ratio in (0.25, 1.0, 3.0):
        found = profiles.pairwise_profile(a, b, np.array([ratio]))[0]
        better = [not np.isnan(x) and (np.isnan(y) or x / y <= ratio) for x, y in pairs]
        assert found == pytest.approx(np.mean(better))


def test_a_data_profile_by_hand():
    costs = np.array([[6.0, 30.0], [20.0, NAN], [INF, 11.0]])
    budgets = np.array([2.0, 6.0, 20.0, 1e9, INF])
    found = profiles.data_profile(costs, budgets)
    np.testing.assert_allclose(3 * found, [[0, 0], [1, 0], [2, 1], [2, 2], [2, 2]])
    simplex = profiles.data_profile(costs, budgets, np.array([2, 9, 10]))
    np.testing.assert_allclose(3 * simplex, [[2, 1], [2, 1], [2, 2], [2, 2], [2, 2]])
    without_one = profiles.data_profile(costs / np.array([[2], [9], [10]]), budgets)
    assert not np.allclose(simplex, without_one)  # the planted defect: t / n


# Restarts. Second sources: the ERT, the exact law, and cocopp 2.9.1, whose own draws are below.

HITS, SPENT = np.array([3.0, NAN, 5.0, NAN]), np.array([9.0, 10.0, 9.0, 20.0])


def restarts(draws: int = 40_000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return profiles.simulated_restarts(HITS, SPENT, rng=rng, draws=draws)


def test_restarts_have_the_law_of_runs_drawn_until_a_success():
    drawn = restarts()
    ert = metrics.expected_running_time(HITS, SPENT)
    assert ert == 19.0
    assert abs(drawn.mean() - ert) < 4 * drawn.std() / math.sqrt(len(drawn))
    law = {0.0: 1.0}  # of what failures cost so far
    exact: dict[float, float] = {}
    for _ in range(60):
        for cost, chance in law.items():
            for hit in (3.0, 5.0):
                exact[cost + hit] = exact.get(cost + hit, 0.0) + chance / 4
        following: dict[float, float] = {}
        for cost, chance in law.items():
            for lost in (10.0, 20.0):
                following[cost + lost] = following.get(cost + lost, 0.0) + chance / 4
        law = following
    critical = scipy.stats.kstwo.ppf(0.999, len(drawn))
    at = np.array(sorted(exact))
    shares = np.cumsum([exact[cost] for cost in at])
    assert np.abs(profiles.ecdf(drawn, at) - shares).max() < critical
    # 400,000 draws of cocopp.toolsstats.simulated_evals([3, 5, 10, 20], nfails=2)
    coco = {5.0: 0.5, 15.0: 0.6245, 30.0: 0.7801}
    for cost, share in coco.items():
        assert abs(profiles.ecdf(drawn, np.array([cost]))[0] - share) < critical
    lost_hits = np.where(np.isnan(HITS), 9.0, HITS)  # the planted defect: failures cost one price
    assert abs(profiles.ecdf(lost_hits, np.array([15.0]))[0] - coco[15.0]) > critical


def test_running_times_are_those_of_coco():
    """Of cocopp.toolsstats.sp([3, 11, 7, 50, 20], issuccessful=[1, 0, 1, 0, 1])[0]."""
    hits, spent = np.array([3.0, NAN, 7.0, NAN, 20.0]), np.array([9.0, 11.0, 9.0, 50.0, 30.0])
    assert metrics.expected_running_time(hits, spent) == pytest.approx(30.333333333333332)
    assert spent.sum() / 3 != pytest.approx(30.33, rel=0.01)  # a success counts to its hit only


def test_restarts_without_failures_or_successes():
    rng = np.random.default_rng(0)
    all_hit = profiles.simulated_restarts(np.array([2.0, 4.0]), SPENT[:2], rng=rng, draws=50)
    assert set(all_hit) == {2.0, 4.0}
    none = profiles.simulated_restarts(np.array([NAN, INF]), SPENT[:2], rng=rng, draws=3)
    np.testing.assert_array_equal(none, [INF] * 3)
    np.testing.assert_array_equal(restarts(100, seed=1), restarts(100, seed=1))
    with pytest.raises(OptbenchError):
        profiles.simulated_restarts(np.array([]), np.array([]), rng=rng, draws=3)


def test_the_distribution_of_runtimes_by_hand():
    hits = np.array(  # 2 runs x 2 problems x 2 targets
        [[[1.0, 4.0], [2.0, NAN]], [[1.0, 4.0], [2.0, NAN]]]
    )
    spent, rng = np.full((2, 2), 9.0), np.random.default_rng(0)
    found = profiles.runtime_ecdf(hits, spent, np.array([0.5, 1, 2, 4, 1e9]), rng=rng)
    np.testing.assert_allclose(found, [0, 0.25, 0.5, 0.75, 0.75])
    error = 4 * 0.5 / math.sqrt(20_000) / 4  # four standard deviations, of one target in four
    hits[1, 0, 0] = NAN  # then half of the draws of that target pay 9 k first
    found = profiles.runtime_ecdf(hits, spent, np.array([1.0, 10.0, 1e9]), rng=rng, draws=20_000)
    np.testing.assert_allclose(found, [1 / 8, 0.5 + 3 / 16, 0.75], atol=error)
    plain = profiles.ecdf(hits, np.array([1e9]))[0]  # the planted defect: failures left failed
    assert plain == 5 / 8


# Ratios to a reference. Second source: by hand, and the geometric mean of scipy.


def test_ratios_to_a_reference_by_hand():
    costs = np.array([[2.0, 1.0], [2.0, NAN], [NAN, 3.0], [INF, NAN]])
    first, second = profiles.reference_ratios(costs, np.array([1.0, 4.0, 3.0, NAN]))
    assert first.ratio.value == pytest.approx(scipy.stats.gmean([2.0, 0.5])) == 1.0
    assert (first.ratio.used, first.ratio.total) == (2, 4)
    assert (first.solved, first.reference_solved) == (2, 3)
    assert second.ratio.value == 1.0 and second.solved == 2
    assert first.ratio.value != np.mean([2.0, 0.5])  # the planted defect: an arithmetic mean
    (nothing,) = profiles.reference_ratios(costs[2:, :1], np.array([1.0, 1.0]))
    assert (nothing.ratio.value, nothing.ratio.used) == (None, 0)


@given(costs=tables(2, 2))
def test_ratios_turn_around_with_the_reference(costs):
    (there,) = profiles.reference_ratios(costs[:, :1], costs[:, -1])
    (back,) = profiles.reference_ratios(costs[:, -1:], costs[:, 0])
    assert (there.ratio.value is None) == (back.ratio.value is None) == (there.ratio.used == 0)
    if there.ratio.value is not None:
        assert there.ratio.value * back.ratio.value == pytest.approx(1)
    assert there.solved == back.reference_solved == np.isfinite(costs[:, 0]).sum()


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_ratios_want_positive_costs(bad):
    costs, ones = np.array([[1.0], [bad]]), np.ones(2)
    for refuse in (
        lambda: profiles.performance_profile(costs, ones),
        lambda: profiles.profile_score(costs),
        lambda: profiles.pairwise_profile(costs[:, 0], ones),
        lambda: profiles.pairwise_profile(ones, costs[:, 0]),
        lambda: profiles.reference_ratios(costs, ones),
    ):
        with pytest.raises(OptbenchError):
            refuse()
