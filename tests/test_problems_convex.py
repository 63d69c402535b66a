"""Smooth, composite and constrained convex problems agree with second sources."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
from sklearn.linear_model import ElasticNet, Lasso
from sklearn.svm import LinearSVC

from optbench.errors import OptbenchError
from problems.convex_composite.constrained import (
    ball_least_squares,
    box_least_squares,
    nonnegative_least_squares,
    simplex_least_squares,
)
from problems.convex_composite.kinked import absolute_value, max_linear, svm_hinge
from problems.convex_composite.penalized import (
    elastic_net_diabetes,
    group_lasso,
    lasso,
    lasso_diabetes,
)
from problems.convex_smooth.domains import analytic_center, entropy_simplex
from problems.convex_smooth.fast_growth import (
    hyperbolic_cosine,
    relatively_smooth_quartic,
    sum_of_exponentials,
)
from problems.convex_smooth.linear_growth import huber, log_cosh, log_sum_exp

RNG = np.random.default_rng(11)


def value(problem, point):
    with jax.enable_x64(True):
        return float(problem.objective(jnp.asarray(point, jnp.float64), *problem.data))


def gradient(problem, point):
    with jax.enable_x64(True):
        point = jnp.asarray(point, jnp.float64)
        return np.asarray(jax.grad(problem.objective)(point, *problem.data))


def hessian(problem, point):
    with jax.enable_x64(True):
        point = jnp.asarray(point, jnp.float64)
        return np.asarray(jax.hessian(problem.objective)(point, *problem.data))


def prox(problem, point, step):
    with jax.enable_x64(True):
        return np.asarray(problem.prox(jnp.asarray(point), step, *problem.data))


# Smooth functions, written again in NumPy and SciPy.


def numpy_log_sum_exp(x, slopes, heights, smoothing):
    return smoothing * scipy.special.logsumexp((slopes @ x - heights) / smoothing)


def numpy_quartic(x, stretch, slopes, heights, pull, center):
    fourth = np.linalg.norm(stretch @ x) ** 4 + np.linalg.norm(slopes @ x - heights, 4) ** 4
    return fourth / 4 + np.linalg.norm(pull @ x - center) ** 2 / 2


SMOOTH = {
    "huber": (lambda: huber(3, 0.7), lambda x, d: np.sum(scipy.special.huber(d, x))),
    "log_cosh": (lambda: log_cosh(3), lambda x: np.sum(np.log(np.cosh(x)))),
    "log_sum_exp": (lambda: log_sum_exp(9, 3, 0.5), numpy_log_sum_exp),
    "sum_of_exponentials": (
        sum_of_exponentials,
        lambda x: np.exp(-0.1) * (2 * np.exp(x[0]) * np.cosh(3 * x[1]) + np.exp(-x[0])),
    ),
    "hyperbolic_cosine": (
        lambda: hyperbolic_cosine(3, 2.0, 0.5),
        lambda x, c, g: c / g**2 * np.sum(np.cosh(g * x) - 1),
    ),
    "relatively_smooth_quartic": (relatively_smooth_quartic, numpy_quartic),
    "entropy_simplex": (
        entropy_simplex,
        lambda x, c, e: c @ x - np.sum(scipy.special.entr(x)),
    ),
    "analytic_center": (analytic_center, lambda x, a, b: -np.sum(np.log(b - a @ x))),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_equal_numpy(name):
    factory, written_again = SMOOTH[name]
    problem = factory()
    for seed in range(2):
        point = problem.start(seed)
        expected = written_again(point, *problem.data)
        np.testing.assert_allclose(value(problem, point), expected, rtol=1e-13)


@pytest.mark.parametrize("name", ["log_sum_exp", "sum_of_exponentials", "analytic_center"])
def test_scipy_finds_no_other_minimum(name):
    factory, written_again = SMOOTH[name]
    problem = factory()

    def guarded(x):
        with np.errstate(invalid="ignore"):
            found = written_again(x, *problem.data)
        return found if np.isfinite(found) else 1e9

    found = scipy.optimize.minimize(guarded, problem.start(0), method="BFGS")
    np.testing.assert_allclose(found.fun, problem.minimum, rtol=1e-8)
    np.testing.assert_allclose(found.x, problem.minimizer, atol=2e-3)


def test_sum_of_exponentials_has_its_minimum_to_published_digits():
    np.testing.assert_allclose(sum_of_exponentials().minimum, 2.559267, atol=5e-7)


def test_hyperbolic_cosine_is_generally_smooth_and_not_smooth():
    problem = hyperbolic_cosine(2, 2.0, 0.5)
    for point in RNG.uniform(-20, 20, (10, 2)):
        top = np.max(np.abs(np.linalg.eigvalsh(hessian(problem, point))))
        assert top <= 2.0 + 0.5 * np.linalg.norm(gradient(problem, point))
    assert top > 100 * problem.constants.strong_convexity


def relative_constant(problem):
    stretch, slopes, heights, pull, _ = problem.data
    e, a, c = (np.linalg.norm(matrix, 2) for matrix in (stretch, slopes, pull))
    b = np.linalg.norm(heights)
    return 3 * e**4 + 3 * a**4 + 6 * a**3 * b + 3 * a**2 * b**2 + c**2


def test_the_quartic_is_smooth_relative_to_the_published_reference():
    problem = relatively_smooth_quartic()
    constant, smallest, largest = relative_constant(problem), np.inf, 0.0
    for point in RNG.standard_normal((20, 5)) * np.geomspace(0.1, 100, 20)[:, None]:
        square = point @ point
        reference = (square + 1) * np.eye(5) + 2 * np.outer(point, point)
        own = hessian(problem, point)
        smallest = min(smallest, np.linalg.eigvalsh(constant * reference - own)[0])
        largest = max(largest, np.linalg.eigvalsh(own)[-1])
    assert smallest >= 0
    assert largest > 1e4  # no L


def test_entropy_is_continued_smoothly_below_its_floor():
    problem, floor = entropy_simplex(3, floor=0.01), 0.01
    costs = problem.data[0]
    at = np.array([floor, 0.3, 0.65])
    slope = np.log(floor) + 1 + costs[0]
    for x in (0.008, 0.0, -0.3):
        point = at + [x - floor, 0, 0]
        expected = value(problem, at) + slope * (x - floor) + (x - floor) ** 2 / (2 * floor)
        np.testing.assert_allclose(value(problem, point), expected, rtol=1e-13)
        expected = slope + (x - floor) / floor
        np.testing.assert_allclose(gradient(problem, point)[0], expected, rtol=1e-12)


def test_entropy_ends_at_the_softmax():
    problem = entropy_simplex()
    np.testing.assert_allclose(problem.minimizer, scipy.special.softmax(-problem.data[0]))
    np.testing.assert_allclose(problem.minimum, -scipy.special.logsumexp(-problem.data[0]))


def test_the_barrier_is_undefined_outside():
    problem = analytic_center()
    slopes, heights = problem.data
    start = problem.start(0)
    shares = (heights - slopes @ start) / (heights - slopes @ problem.minimizer)
    np.testing.assert_allclose(np.min(shares), 0.1)
    outside = problem.minimizer + 1.2 * (start - problem.minimizer) / 0.9
    assert np.isnan(value(problem, outside))


def test_third_central_moments_are_bounded_as_log_sum_exp_says():
    """On [-1, 1] they are at most 8 / sqrt(108), which two points attain."""
    weights = np.linspace(0.0, 1.0, 10_001)
    attained = np.max(8 * weights * (1 - weights) * (1 - 2 * weights))
    np.testing.assert_allclose(attained, 8 / np.sqrt(108), rtol=1e-6)
    values, shares = RNG.uniform(-1, 1, (5000, 4)), RNG.dirichlet(np.full(4, 0.3), 5000)
    centered = values - np.sum(shares * values, axis=1, keepdims=True)
    assert np.max(np.abs(np.sum(shares * centered**3, axis=1))) <= attained


# Minimizers, found by other solvers.


def mean_square(problem, weights):
    features, targets = problem.data[:2]
    return np.mean((features @ weights.ravel() - targets) ** 2) / 2


def slopes_of(problem):
    features, targets = problem.data[:2]
    errors = features @ problem.minimizer.ravel() - targets
    return features.T @ errors / len(targets)


@pytest.mark.parametrize("factory", [lasso, lasso_diabetes, elastic_net_diabetes])
def test_elastic_nets_equal_scikit_learn(factory):
    problem = factory()
    features, targets, l1, l2 = problem.data
    if l2:
        model = ElasticNet(l1 + l2, l1_ratio=l1 / (l1 + l2), fit_intercept=False)
    else:
        model = Lasso(l1, fit_intercept=False)
    model.set_params(tol=1e-14, max_iter=1_000_000).fit(features, targets)
    np.testing.assert_allclose(model.coef_, problem.minimizer, atol=1e-6)
    np.testing.assert_array_equal(model.coef_ != 0, problem.minimizer != 0)
    penalty = l1 * np.sum(np.abs(model.coef_)) + l2 / 2 * np.sum(model.coef_**2)
    expected = mean_square(problem, model.coef_) + penalty
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-12)


def test_a_lasso_without_nonzero_coordinates_ends_at_zero():
    np.testing.assert_array_equal(lasso_diabetes(l1=1.0).minimizer, 0)
    assert not np.any(lasso(num_nonzero=0).minimizer)


def test_group_lasso_keeps_and_drops_groups_by_its_certificate():
    problem = group_lasso()
    l1, rows = problem.data[2], slopes_of(problem).reshape(6, 3)
    lengths = np.linalg.norm(problem.minimizer, axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(rows[:2], -l1 * problem.minimizer[:2], atol=1e-14)
    assert np.all(np.linalg.norm(rows[2:], axis=1) < 0.9 * l1)
    expected = mean_square(problem, problem.minimizer) + l1 * 2
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-13)


def test_nonnegative_least_squares_equals_scipy():
    problem = nonnegative_least_squares()
    found, _ = scipy.optimize.nnls(*problem.data)
    np.testing.assert_allclose(found, problem.minimizer, atol=1e-12)
    np.testing.assert_allclose(mean_square(problem, found), problem.minimum, rtol=1e-12)


def test_box_least_squares_equals_scipy():
    problem = box_least_squares()
    found = scipy.optimize.lsq_linear(*problem.data, bounds=(-1, 1), method="bvls", tol=1e-14).x
    np.testing.assert_allclose(found, problem.minimizer, atol=1e-10)
    assert np.count_nonzero(np.abs(found) == 1) == 10


def test_ball_least_squares_solves_the_secular_equation():
    problem = ball_least_squares()
    features, targets, radius = problem.data
    gram, moments = features.T @ features / len(targets), features.T @ targets / len(targets)

    def solution(multiplier):
        return np.linalg.solve(gram + multiplier * np.eye(len(gram)), moments)

    multiplier = scipy.optimize.brentq(
        lambda m: np.linalg.norm(solution(m)) - radius, 0.0, 100.0, xtol=1e-15
    )
    np.testing.assert_allclose(multiplier, 1 / 5, rtol=1e-10)
    np.testing.assert_allclose(solution(multiplier), problem.minimizer, atol=1e-10)


def test_simplex_least_squares_equals_nonnegative_least_squares_with_a_heavy_row():
    """A penalty m (sum_i w_i - 1)^2 / 2 shifts the solution by O(1 / m)."""
    problem = simplex_least_squares()
    features, targets = problem.data
    rows = np.vstack([features, np.full(features.shape[1], 1e5)])
    found, _ = scipy.optimize.nnls(rows, np.append(targets, 1e5))
    np.testing.assert_allclose(found, problem.minimizer, atol=1e-6)
    np.testing.assert_allclose(np.sum(problem.minimizer), 1, rtol=1e-15)


def test_svm_equals_scikit_learn():
    problem = svm_hinge()
    features, labels, l2 = problem.data
    model = LinearSVC(
        loss="hinge",
        C=1 / (len(labels) * float(l2)),
        fit_intercept=False,
        tol=1e-9,
        max_iter=1_000_000,
        random_state=0,
    ).fit(features, labels)
    np.testing.assert_allclose(model.coef_[0], problem.minimizer, atol=1e-6)
    margins = labels * (features @ problem.minimizer)
    np.testing.assert_allclose(np.sort(margins)[20:25], 1, rtol=1e-12)
    expected = np.mean(np.maximum(0, 1 - margins)) + l2 / 2 * np.sum(problem.minimizer**2)
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-13)


def test_max_linear_equals_linear_programming():
    problem = max_linear()
    slopes, heights = problem.data
    level = -np.ones((len(slopes), 1))
    found = scipy.optimize.linprog(
        np.append(np.zeros(5), 1.0),
        A_ub=np.hstack([slopes, level]),
        b_ub=heights,
        bounds=(None, None),
    )
    np.testing.assert_allclose(found.fun, problem.minimum, rtol=1e-12)
    np.testing.assert_allclose(found.x[:-1], problem.minimizer, atol=1e-9)


# Prox maps, against SciPy's minimizers of h(u) + |u - v|^2 / (2 step).


def split(cost, bounds):
    """The least u >= low, or u = p - q with p, q >= 0, of a smooth cost."""

    def by_scipy(point, step):
        found = scipy.optimize.minimize(
            lambda u: cost(u, point, step),
            np.zeros(2 * point.size if bounds is None else point.size),
            bounds=bounds or [(0, None)] * (2 * point.size),
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000},
        ).x
        return found if bounds else found[: point.size] - found[point.size :]

    return by_scipy


def half_distance(u, point, step):
    return np.sum((u - point) ** 2) / (2 * step)


def one_norm_cost(weight):
    def cost(parts, point, step):
        up, down = np.split(parts, 2)
        return weight * np.sum(parts) + half_distance(up - down, point, step)

    return cost


def with_constraint(constraint, cost=half_distance):
    def by_scipy(point, step):
        found = scipy.optimize.minimize(
            lambda u: cost(u, point, step),
            np.full(point.size, 1 / point.size),
            constraints=[constraint],
            bounds=[(0, None)] * point.size if constraint["type"] == "eq" else None,
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 1000},
        )
        return found.x

    return by_scipy


def group_by_scipy(point, step):
    """Row by row, with a bound on each length as one more unknown."""

    def shortened(row):
        start = np.append(row, np.linalg.norm(row) + 1)
        cone = {"type": "ineq", "fun": lambda u: u[-1] ** 2 - u[:-1] @ u[:-1]}
        return scipy.optimize.minimize(
            lambda u: 0.1 * u[-1] + half_distance(u[:-1], row, step),
            start,
            constraints=[cone],
            bounds=[(None, None)] * row.size + [(0, None)],
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 1000},
        ).x[:-1]

    return np.stack([shortened(row) for row in point])


SUM_IS_ONE = {"type": "eq", "fun": lambda u: np.sum(u) - 1}
IN_BALL = {"type": "ineq", "fun": lambda u: 4 - u @ u}
SMALL = 6, 4
PROX = {
    "absolute_value": (lambda: absolute_value(4), split(one_norm_cost(1.0), None)),
    "lasso": (lambda: lasso(*SMALL, 2), split(one_norm_cost(0.1), None)),
    "group_lasso": (lambda: group_lasso(8, 2, 2), group_by_scipy),
    "nonnegative": (
        lambda: nonnegative_least_squares(*SMALL),
        split(half_distance, [(0, None)] * 4),
    ),
    "box": (lambda: box_least_squares(*SMALL), split(half_distance, [(-1, 1)] * 4)),
    "ball": (lambda: ball_least_squares(*SMALL), with_constraint(IN_BALL)),
    "simplex": (lambda: simplex_least_squares(*SMALL), with_constraint(SUM_IS_ONE)),
    "entropy": (lambda: entropy_simplex(4), with_constraint(SUM_IS_ONE)),
}


@functools.cache
def prox_points(name):
    """Problems, points, steps and SciPy's answers."""
    factory, by_scipy = PROX[name]
    problem, rng = factory(), np.random.default_rng(5)
    shape = problem.start(0).shape
    trials = [(scale * rng.standard_normal(shape), step) for scale in (0.1, 3) for step in (0.3, 2)]
    return problem, [(point, step, by_scipy(point, step)) for point, step in trials]


def farthest(name, own_prox):
    problem, trials = prox_points(name)
    return max(np.max(np.abs(own_prox(problem, v, s) - u)) for v, s, u in trials)


@pytest.mark.parametrize("name", PROX)
def test_prox_equals_scipy(name):
    assert farthest(name, prox) < 1e-5


@pytest.mark.parametrize("name", PROX)
def test_a_wrong_prox_is_told_from_scipys(name):
    """Nothing moved, moved too far, and, where the step counts, moved by another step."""
    assert farthest(name, lambda problem, v, s: v) > 1e-2
    assert farthest(name, lambda problem, v, s: prox(problem, v, s) * 1.01) > 1e-3
    if prox_points(name)[0].nonsmooth is not None:
        assert farthest(name, lambda problem, v, s: prox(problem, v, 1.1 * s)) > 5e-3


@pytest.mark.parametrize(
    ("name", "weight"), [("absolute_value", 1.0), ("lasso", 0.1), ("group_lasso", 0.1)]
)
def test_gradients_at_a_kink_are_subgradients(name, weight):
    problem = PROX[name][0]()
    with jax.enable_x64(True):
        zero = jnp.zeros_like(jnp.asarray(problem.start(0)))
        found = np.asarray(jax.grad(problem.nonsmooth)(zero, *problem.data))
    sizes = np.linalg.norm(found, axis=1) if found.ndim == 2 else np.abs(found)
    assert np.all(sizes <= weight)


def test_minibatches_are_offered_where_f_is_a_mean_over_rows():
    factories = lasso, group_lasso, svm_hinge, ball_least_squares, nonnegative_least_squares
    for factory in (*factories, box_least_squares, simplex_least_squares):
        problem = factory(batch_size=4)
        assert problem.stochastic and problem.minimum == factory().minimum


MALFORMED = [
    lambda: huber(threshold=0.0),
    lambda: log_cosh(dim=0),
    lambda: log_sum_exp(num_terms=10, dim=10),
    lambda: log_sum_exp(smoothing=0.0),
    lambda: hyperbolic_cosine(growth=-1.0),
    lambda: relatively_smooth_quartic(condition_number=0.0),
    lambda: entropy_simplex(dim=1),
    lambda: entropy_simplex(floor=0.5),
    lambda: analytic_center(num_constraints=5),
    lambda: absolute_value(dim=0),
    lambda: max_linear(num_terms=5),
    lambda: svm_hinge(l2=0.0),
    lambda: svm_hinge(num_samples=10),
    lambda: lasso(l1=0.0),
    lambda: lasso(num_nonzero=21),
    lambda: lasso(num_samples=20),
    lambda: lasso(batch_size=0),
    lambda: lasso_diabetes(l1=-1.0),
    lambda: elastic_net_diabetes(l2=-1.0),
    lambda: group_lasso(num_groups=0),
    lambda: ball_least_squares(radius=0.0),
    lambda: box_least_squares(condition_number=0.5),
]


@pytest.mark.parametrize("factory", MALFORMED)
def test_factories_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
