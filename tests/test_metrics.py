"""Metrics against hand-computed tables, brute force and laws on random tables."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optbench import metrics
from optbench.errors import OptbenchError
from optbench.trajectory import Status

NAN, INF = math.nan, math.inf
COST = st.one_of(st.just(NAN), st.integers(1, 20).map(float))


def tables(min_axes: int, max_axes: int):
    """Hit costs of any small shape, ties and failures included."""
    shapes = hnp.array_shapes(min_dims=min_axes, max_dims=max_axes, min_side=1, max_side=5)
    return hnp.arrays(float, shapes, elements=COST)


# Noise floors.


def test_the_floor_of_a_sum_of_squares_is_far_below_epsilon():
    assert metrics.noise_floor(lambda x: float(((x - 1) ** 2).sum()), np.ones(5)) < 1e-28


def test_the_floor_follows_the_scale_of_the_objective():
    center = np.array([1.0, -2.0, 0.3])

    def objective(x: np.ndarray) -> float:
        return float(1e6 + np.cosh(x - center).sum())

    floor = metrics.noise_floor(objective, center)
    assert 1e6 * 2e-17 < floor < 1e6 * 2e-15


def test_the_floor_sees_cancellation_that_the_value_hides():
    floor = metrics.noise_floor(lambda x: float(np.exp(x) - x - 1), np.array(0.0))
    assert 1e-17 < floor < 1e-15


def test_the_floor_is_that_of_the_precision():
    def objective(x: np.ndarray) -> float:
        return float((x**2).sum() + x.dtype.type(1))

    assert metrics.noise_floor(objective, np.zeros(3)) < 1e-15
    assert 1e-8 < metrics.noise_floor(objective, np.zeros(3, np.float32)) < 1e-6


def test_a_floor_bounds_what_a_long_evaluation_gets_wrong():
    weights = np.random.default_rng(0).random(1000)
    center = np.random.default_rng(1).standard_normal(1000)
    exact = math.fsum(weights)

    def objective(x: np.ndarray) -> float:
        return float(weights @ np.cosh(x - center))

    assert abs(objective(center) - exact) <= 10 * metrics.noise_floor(objective, center)


def test_whole_numbers_are_points_too():
    assert metrics.noise_floor(lambda x: float(x @ x), np.array([1, 2])) > 0


def test_a_minimizer_where_f_is_not_finite_is_refused():
    with pytest.raises(OptbenchError):
        metrics.noise_floor(lambda x: float("inf"), np.ones(2))


def test_the_rounding_floor_is_four_n_eps():
    assert metrics.rounding_floor(3.0, -1.0, 10) == pytest.approx(4 * 10 * 2.0**-52 * 4)
    assert metrics.rounding_floor(3.0, -1.0, 10, "float32") == pytest.approx(160 * 2.0**-23)


# First hits.


def brute_force_hits(costs, merit, targets):
    """Step and cost of the first merit at or below each target, one lane at a time."""
    steps_hit, costs_hit = [], []
    for target in targets:
        met = [t for t, m in enumerate(merit) if m <= target * abs(merit[0])]
        steps_hit.append(met[0] if met else NAN)
        costs_hit.append(costs[met[0]] if met else NAN)
    return steps_hit, costs_hit


@given(
    merit=hnp.arrays(
        float,
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=8),
        elements=st.one_of(st.floats(-5, 100), st.just(NAN)),
    ),
    price=st.floats(0.5, 3),
)
def test_hits_of_a_dense_log_are_exact(merit, price):
    targets = np.array([0.5, 0.1, 1e-3, -1.0])
    steps = np.arange(merit.shape[-1])
    costs = price * (steps + 1) * np.ones(merit.shape)
    hit_steps, hit_costs = metrics.first_hit(steps, costs, merit, targets)
    assert hit_steps.shape == hit_costs.shape == (*merit.shape[:-1], 4)
    for lane in np.ndindex(merit.shape[:-1]):
        expected = brute_force_hits(costs[lane], merit[lane], targets)
        np.testing.assert_array_equal(hit_steps[lane], expected[0])
        np.testing.assert_array_equal(hit_costs[lane], expected[1])


@given(merit=hnp.arrays(float, st.integers(2, 40), elements=st.floats(0, 100)), data=st.data())
def test_hits_of_a_sparse_log_are_never_early(merit, data):
    kept = data.draw(st.sets(st.integers(1, len(merit) - 1))) | {0}
    logged = np.array(sorted(kept))
    costs, targets = np.arange(1.0, len(merit) + 1), np.array([0.3, 0.01])
    dense = metrics.first_hit(np.arange(len(merit)), costs, merit, targets)[1]
    sparse = metrics.first_hit(logged, costs[logged], merit[logged], targets)[1]
    seen = np.isfinite(sparse)
    assert np.all(dense[seen] <= sparse[seen])


def test_a_lane_that_starts_or_ends_without_a_merit_hits_nothing():
    merit = np.array([[NAN, NAN, NAN], [INF, 3.0, 1.0], [4.0, 1.0, NAN]])
    steps, costs = metrics.first_hit(np.arange(3), np.arange(3.0), merit, [0.5, 0.1])
    np.testing.assert_array_equal(steps, [[NAN, NAN], [1, 1], [1, NAN]])
    np.testing.assert_array_equal(costs, steps)


# Best settings.

HITS = np.array(  # 3 starts x 4 settings x 2 targets
    [
        [[1.0, NAN], [4.0, 9.0], [2.0, NAN], [NAN, NAN]],
        [[9.0, NAN], [4.0, NAN], [5.0, 7.0], [3.0, NAN]],
        [[NAN, NAN], [6.0, NAN], [8.0, 8.0], [3.0, NAN]],
    ]
)


def test_best_setting_by_hand():
    easy, hard = metrics.best_setting(HITS)
    assert (easy.index, easy.median, easy.low, easy.high) == (3, 3.0, 3.0, INF)
    assert (easy.successes, easy.total) == (2, 3)
    assert (hard.index, hard.median, hard.low, hard.high) == (2, 8.0, 7.0, INF)


def test_a_mean_over_successes_would_choose_the_lucky_setting():
    lucky = np.array([[[1.0], [5.0]], [[NAN], [5.0]], [[NAN], [5.0]]])
    (best,) = metrics.best_setting(lucky)
    assert best.index == 1
    assert np.argmin(np.nanmean(lucky[:, :, 0], axis=0)) == 0


@pytest.mark.parametrize(
    ("columns", "final_merit", "index"),
    [
        ([[NAN, NAN, 2.0], [NAN, 9.0, 9.0]], None, 1),  # both medians infinite: more successes
        ([[2.0, 4.0, 6.0], [3.0, 4.0, 4.0]], None, 1),  # lower mean of the successes
        ([[2.0, 4.0, 6.0], [6.0, 4.0, 2.0]], None, 0),  # the first
        ([[2.0, 4.0, 6.0], [6.0, 4.0, 2.0]], [2.0, 1.0], 1),  # the lower final merit
        ([[2.0, 4.0, 6.0], [3.0, 4.0, 4.0]], [1.0, 2.0], 1),  # the mean first
        ([[NAN, NAN, NAN], [NAN, NAN, NAN]], None, None),  # nothing decides
        ([[NAN, NAN, NAN], [NAN, NAN, NAN]], [NAN, 7.0], 1),
        ([[NAN, NAN, NAN], [NAN, NAN, NAN]], [3.0, 7.0], 0),
    ],
)
def test_ties(columns, final_merit, index):
    hits = np.array(columns).T[:, :, None]
    merit = None if final_merit is None else np.tile(final_merit, (3, 1))
    assert metrics.best_setting(hits, merit)[0].index == index


@given(hits=tables(3, 3))
def test_no_setting_beats_the_best(hits):
    medians = np.median(np.where(np.isnan(hits), INF, hits), axis=0)
    for k, best in enumerate(metrics.best_setting(hits)):
        assert best.median == medians[:, k].min()
        assert best.low <= best.median <= best.high
        assert best.total == len(hits)
        assert (best.index is None) == bool(np.isnan(hits[:, :, k]).all())
        if best.index is not None:
            assert best.successes == np.isfinite(hits[:, best.index, k]).sum()
            assert best.low == np.nanmin(hits[:, best.index, k])


# Targets.


def test_hardest_targets_by_hand():
    assert metrics.hardest_target(HITS) == 1
    assert metrics.hardest_target(HITS[:, :2]) == 0
    assert metrics.hardest_target(HITS[:, 3:, 1:]) is None


def test_exactly_half_is_no_majority():
    assert metrics.hardest_target(np.array([[[1.0]], [[NAN]]])) is None


def test_common_targets_by_hand():
    none = np.full((3, 1, 2), NAN)
    assert metrics.hardest_common_target([HITS, HITS[:, :2]]) == 0
    assert metrics.hardest_common_target([HITS, HITS[:, :2]], "any") == 1
    assert metrics.hardest_common_target([HITS, none]) is None
    assert metrics.hardest_common_target([HITS, none], "any") == 1
    assert metrics.hardest_common_target([none], "any") is None


# Running times and basins.


def test_expected_running_time_by_hand():
    hits = np.array([[2.0, NAN], [NAN, NAN], [4.0, NAN]])  # 3 starts x 2 settings
    spent = np.array([[10.0, 10.0], [10.0, 10.0], [10.0, 10.0]])
    np.testing.assert_array_equal(metrics.expected_running_time(hits, spent), [8.0, INF])


def test_each_target_has_its_own_running_time():
    spent = np.full((3, 4), 10.0)
    ert = metrics.expected_running_time(HITS, spent)
    assert ert.shape == (4, 2)
    assert ert[2, 1] == (10 + 7 + 8) / 2


@given(hits=tables(1, 3), budget=st.floats(20, 100))
def test_running_time_is_the_mean_with_successes_and_the_price_of_restarts(hits, budget):
    spent = np.full(hits.shape, budget)
    ert = metrics.expected_running_time(hits, spent)
    rate = metrics.success_rate(hits)
    for index in np.ndindex(ert.shape):
        column = hits[(slice(None), *index)]
        if np.isnan(column).all():
            assert ert[index] == INF
            continue
        restarts = (1 - rate[index]) / rate[index] * budget
        assert ert[index] == pytest.approx(np.nanmean(column) + restarts)


def test_failures_are_not_free():
    hits, spent = np.array([1.0, NAN]), np.array([50.0, 50.0])
    assert metrics.expected_running_time(hits, spent) == 51.0 != np.nanmean(hits)


def test_basin_width_by_hand():
    rates = np.array([1e-3, 1e-2, 1e-1, 1.0])
    width = metrics.basin_width(rates, np.array([INF, 10.0, 20.0, 20.1]))
    assert width == pytest.approx(2.0)
    edge = metrics.basin_width(rates, np.array([INF, 60.0, 15.0, 10.0]))
    assert edge == pytest.approx(1.5)  # half a decade at the edge of the grid, nothing beyond
    split = metrics.basin_width(rates, np.array([10.0, INF, INF, 10.0]))
    assert split == pytest.approx(1.0)  # a measure, not a stretch
    assert metrics.basin_width(rates, np.full(4, INF)) is None


@given(
    data=st.data(),
    rates=st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=8, unique=True),
)
def test_basins_stay_inside_the_grid_and_forget_the_order(data, rates):
    times = data.draw(st.lists(COST, min_size=len(rates), max_size=len(rates)))
    rates, times = np.array(rates), np.where(np.isnan(times), INF, times)
    width = metrics.basin_width(rates, times)
    if width is None:
        assert np.isinf(times).all()
        return
    assert 0 <= width <= np.log10(rates.max() / rates.min()) * (1 + 1e-12) + 1e-12
    shuffled = np.random.default_rng(0).permutation(len(rates))
    assert metrics.basin_width(rates[shuffled], times[shuffled]) == pytest.approx(width)
    assert metrics.basin_width(rates, 7 * times) == pytest.approx(width)


@pytest.mark.parametrize("rates", [[0.1], [0.1, 0.1], [0.0, 0.1], [-0.1, 0.1]])
def test_a_basin_needs_a_grid(rates):
    with pytest.raises(OptbenchError):
        metrics.basin_width(np.array(rates), np.ones(len(rates)))


# Penalized averages, sensitivity, the best of k trials. Second sources: by hand, closed forms of
# integrals, all subsets.


def test_par10_by_hand():
    hits = np.array([[1.0, NAN], [3.0, NAN], [INF, 8.0]])
    np.testing.assert_allclose(metrics.par10(hits, 10.0), [104 / 3, 208 / 3])
    np.testing.assert_allclose(metrics.par10(hits, np.array([10.0, 1.0])), [104 / 3, 28 / 3])
    assert metrics.par10(hits[:, 0], 10.0) > np.nanmean(hits[:2, 0])  # failures are not dropped


GRID = np.logspace(-4, 0, 4001)


def sensitivity(loss, initial: float = 1.0, rates: np.ndarray = GRID) -> float | None:
    return metrics.learning_rate_sensitivity(rates, loss(np.log10(rates)), initial)


def test_sensitivity_is_the_integral():
    """Best at 1e-2, window from 10^-3.5 to 10^-0.5: 2 int_0^1.5 min(u^2, 1) du / 3, and so on."""
    assert sensitivity(lambda u: (u + 2) ** 2) == pytest.approx(5 / 9, abs=1e-6)
    assert sensitivity(lambda u: np.abs(u + 2) / 1.5) == pytest.approx(0.5, abs=1e-9)
    shifted = sensitivity(lambda u: 7 + 3 * np.abs(u + 2) / 1.5, initial=10.0)
    assert shifted == pytest.approx(0.5, abs=1e-9)  # free of the scale of the loss
    assert sensitivity(lambda u: 0 * u, rates=np.logspace(-1.5, 1.5, 2)) is None  # tuned at an end
    flat = sensitivity(lambda u: np.where(np.abs(u + 2) > 1.75, 0.5, 0.0) - (np.abs(u + 2) < 1e-9))
    assert flat == pytest.approx(0.5, abs=1e-3)
    uncapped = np.trapezoid((np.log10(GRID[500:3501]) + 2) ** 2, np.log10(GRID[500:3501])) / 3
    assert uncapped == pytest.approx(0.75, abs=1e-6)  # the planted defect: no cap at the start


def test_sensitivity_on_a_coarse_grid_by_hand():
    rates = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    losses = np.array([0.9, 0.5, 0.1, 0.3, NAN])
    # nodes at -3.5, -3, -2, -1, -0.5: 0.7, 0.5, 0.1, 0.3, 0.65, less 0.1
    area = 0.5 * (0.6 + 0.4) / 2 + 0.4 / 2 + 0.2 / 2 + 0.5 * (0.2 + 0.55) / 2
    expected = area / 3 / 0.9
    found = metrics.learning_rate_sensitivity(rates, losses, 1.0)
    assert found == pytest.approx(expected)
    shuffled = [3, 0, 4, 2, 1]
    again = metrics.learning_rate_sensitivity(rates[shuffled], losses[shuffled], 1.0)
    assert again == pytest.approx(expected)
    plain = np.mean(np.minimum(np.nan_to_num(losses, nan=1.0), 1.0) - 0.1) / 0.9
    assert found != pytest.approx(plain)  # the planted defect: a mean over the rates of the grid


def test_sensitivity_is_unknown_where_the_grid_or_the_method_ends():
    rates, good = np.logspace(-4, 0, 5), np.array([0.9, 0.5, 0.1, 0.3, 0.9])
    assert metrics.learning_rate_sensitivity(rates[1:], good[1:], 1.0) is None
    assert metrics.learning_rate_sensitivity(rates[:-1], good[:-1], 1.0) is None
    assert metrics.learning_rate_sensitivity(rates, np.full(5, INF), 1.0) is None
    assert metrics.learning_rate_sensitivity(rates, good, 0.1) is None
    with pytest.raises(OptbenchError):
        metrics.learning_rate_sensitivity(np.zeros(2), np.ones(2), 1.0)


@given(st.lists(st.sampled_from([1.0, 2.0, 5.0, 9.0, INF, NAN]), min_size=1, max_size=7))
def test_the_best_of_k_is_the_mean_over_all_subsets(values):
    costs = [INF if math.isnan(v) else v for v in values]
    for k, found in enumerate(metrics.expected_best_of_k(np.array(values)), start=1):
        best = [min(subset) for subset in itertools.combinations(costs, k)]
        assert found == pytest.approx(np.mean(best))


def test_the_best_of_k_of_uniform_ranks_is_known():
    curve = metrics.expected_best_of_k(np.random.default_rng(0).permutation(64) + 1.0)
    np.testing.assert_allclose(curve, 65 / (np.arange(1, 65) + 1))  # (n + 1) / (k + 1)
    replaced = [np.sum((1 - np.arange(64) / 64) ** k) for k in range(1, 65)]
    assert not np.allclose(curve[1:], replaced[1:], rtol=0.01)  # the planted defect: biased
    assert np.isfinite(metrics.expected_best_of_k(np.arange(1.0, 1025))).all()
    with pytest.raises(OptbenchError):
        metrics.expected_best_of_k(np.array([]))


# Failures.


def test_every_failure_is_counted_by_kind():
    status = np.array(
        [
            [Status.REACHED, Status.BUDGET, Status.DIVERGED],
            [Status.DIVERGED, Status.NOT_APPLICABLE, Status.NON_FINITE],
        ]
    )
    expected = {Status.BUDGET: 1, Status.DIVERGED: 2, Status.NON_FINITE: 1}
    assert metrics.count_failures(status) == expected
    assert metrics.count_failures(status.astype(str)) == expected
    assert metrics.count_failures(np.array([Status.REACHED])) == {}


@given(st.lists(st.sampled_from(list(Status)), min_size=1))
def test_no_lane_is_lost(ends):
    counted = sum(metrics.count_failures(np.array(ends)).values())
    fine = sum(end in (Status.REACHED, Status.NOT_APPLICABLE) for end in ends)
    assert counted + fine == len(ends)


def test_huge_merits_at_the_end_are_no_warning():
    costs = np.full((2, 2, 1), np.nan)
    (found,) = metrics.best_setting(costs, np.array([[1.5e308, 1.0], [1.6e308, 2.0]]))
    assert found.index == 1
    (found,) = metrics.best_setting(costs, np.array([[np.nan, np.inf], [1.0, np.inf]]))
    assert found.index == 0
