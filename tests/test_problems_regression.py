"""Regression agrees with its planted solutions, with closed forms and with scikit-learn."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
from scipy.special import huber
from sklearn.linear_model import HuberRegressor, PoissonRegressor, Ridge

from optbench.errors import OptbenchError
from problems.certificates import (
    HuberRows,
    SmoothedHingeRows,
    certified_minimum,
    linear_minimum,
    logistic_rows,
    poisson_rows,
    squared_hinge_rows,
)
from problems.linear_models import longest_row, mean_square, second_moment, variance_of
from problems.newton import newton_point
from problems.regression.generalized import huber_regression, poisson_regression
from problems.regression.least_squares import (
    least_squares,
    least_squares_diabetes,
    matrix_regression,
    ridge_diabetes,
)
from problems.samples import Samples, contaminated, counts

RNG = np.random.default_rng(11)


@functools.partial(jax.jit, static_argnums=0)
def evaluated(objective, params, data):
    return jax.value_and_grad(objective)(params, *data)


def value(problem, params):
    with jax.enable_x64(True):
        return float(evaluated(problem.objective, params, problem.data)[0])


def test_least_squares_has_the_solution_planted():
    problem = least_squares(num_samples=60, dim=6, condition_number=1e3, noise=0.3, seed=4)
    features, targets, _ = problem.data
    fitted, squares, _, _ = np.linalg.lstsq(features, targets)
    np.testing.assert_allclose(problem.minimizer, fitted, rtol=1e-10)
    np.testing.assert_allclose(problem.minimum, squares[0] / 120, rtol=1e-10)
    np.testing.assert_allclose(problem.minimum, 0.3**2 / 2, rtol=1e-12)
    eigenvalues = np.linalg.eigvalsh(features.T @ features / 60)
    np.testing.assert_allclose(eigenvalues, np.geomspace(1e-3, 1, 6), rtol=1e-11)


def test_least_squares_without_noise_interpolates():
    problem = least_squares(noise=0.0)
    features, targets, _ = problem.data
    np.testing.assert_allclose(features @ problem.minimizer, targets, atol=1e-13)
    assert problem.minimum < 1e-28


@pytest.mark.parametrize("l2", [0.01, 0.1])
def test_ridge_equals_scikit_learn_and_its_closed_form(l2):
    problem = ridge_diabetes(l2)
    features, targets, _ = problem.data
    model = Ridge(l2 * 442, fit_intercept=False).fit(features, targets)
    np.testing.assert_allclose(problem.minimizer, model.coef_, atol=1e-12)
    pull = features.T @ targets / 442
    expected = (targets @ targets / 442 - pull @ problem.minimizer) / 2
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-12)
    assert problem.minimum == least_squares_diabetes(l2).minimum


def test_condition_numbers_are_those_of_the_passports():
    assert round(least_squares_diabetes().constants.condition_number) == 470
    assert round(ridge_diabetes().constants.condition_number) == 38


def test_matrix_regression_is_one_regression_per_target():
    problem = matrix_regression(num_samples=40, dim=4, num_targets=3)
    features, targets, _ = problem.data
    assert problem.start(0).shape == problem.minimizer.shape == (4, 3)
    np.testing.assert_allclose(problem.minimizer, np.linalg.lstsq(features, targets)[0], rtol=1e-11)
    np.testing.assert_allclose(problem.minimum, 0.005 * 3, rtol=1e-12)
    weights = RNG.standard_normal((4, 3))
    expected = np.linalg.norm(features @ weights - targets, "fro") ** 2 / 80
    np.testing.assert_allclose(value(problem, weights), expected, rtol=1e-13)


@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_poisson_regression_equals_scikit_learn(l2):
    problem = poisson_regression(l2=l2)
    features, targets, _ = problem.data
    model = PoissonRegressor(alpha=l2, fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    np.testing.assert_allclose(problem.minimizer, model.fit(features, targets).coef_, atol=1e-10)


def test_poisson_regression_has_the_textbook_value():
    problem, weights = poisson_regression(dim=3), RNG.standard_normal(3)
    features, targets, l2 = problem.data
    rates = np.exp(features @ weights)
    expected = np.mean(rates - targets * np.log(rates)) + l2 / 2 * weights @ weights
    np.testing.assert_allclose(value(problem, weights), expected, rtol=1e-13)


def test_counts_have_the_rates_of_a_log_linear_model():
    data = counts(20_000, 2, 0)
    fitted = linear_minimum(poisson_rows, data, 1e-6).minimizer
    np.testing.assert_allclose(np.sqrt(np.mean((data.features @ fitted) ** 2)), 1.0, rtol=0.03)
    errors = data.targets - np.exp(data.features @ fitted)
    scaled = errors**2 / np.exp(data.features @ fitted)
    assert abs(np.mean(scaled) - 1) < 5 * np.std(scaled) / np.sqrt(20_000)


def test_huber_regression_equals_scikit_learn():
    """Its scale s is fitted too; at the scale found, the weights minimize ours.

    With threshold e s and l2 = alpha s / n, as sum_i s H(r_i / s) + alpha |w|^2 is 2 n / s of ours.
    """
    data, alpha = contaminated(100, 5, 0.1, 0), 0.5
    model = HuberRegressor(
        epsilon=1.5, alpha=alpha, fit_intercept=False, tol=1e-10, max_iter=1000
    ).fit(data.features, data.targets)
    problem = huber_regression(threshold=1.5 * model.scale_, l2=alpha * model.scale_ / 100)
    np.testing.assert_allclose(problem.minimizer, model.coef_, atol=1e-5)


def test_huber_regression_equals_scipy():
    problem, weights = huber_regression(threshold=0.7, outliers=0.2), RNG.standard_normal(5)
    features, targets, l2, _ = problem.data
    expected = np.mean(huber(0.7, features @ weights - targets)) + l2 / 2 * weights @ weights
    np.testing.assert_allclose(value(problem, weights), expected, rtol=1e-13)
    assert np.median(np.abs(features @ problem.minimizer - targets)) < 1  # despite the outliers
    assert np.sum(features @ problem.minimizer - targets < -10) == 20


ROW_LOSSES = {
    "logistic": (logistic_rows, np.array([1.0, -1.0, 1.0, -1.0])),
    "poisson": (poisson_rows, np.array([0.0, 1.0, 3.0, 7.0])),
    "squared hinge": (squared_hinge_rows, np.array([1.0, -1.0, 1.0, -1.0])),
    "smoothed hinge": (SmoothedHingeRows(0.5), np.array([1.0, -1.0, 1.0, -1.0])),
    "huber": (HuberRows(0.7), np.array([0.1, -2.0, 0.4, 1.3])),
}


@pytest.mark.parametrize("name", ROW_LOSSES)
def test_row_losses_have_the_slopes_and_curvatures_they_say(name):
    row_loss, targets = ROW_LOSSES[name]
    logits, step = np.array([0.3, -0.9, 0.72, 1.4]), 1e-5
    _, slopes, curvatures = row_loss(logits, targets)
    above, below = row_loss(logits + step, targets), row_loss(logits - step, targets)
    np.testing.assert_allclose(slopes, (above[0] - below[0]) / (2 * step), atol=1e-9)
    np.testing.assert_allclose(curvatures, (above[1] - below[1]) / (2 * step), atol=1e-9)


def test_a_row_loss_with_a_wrong_slope_is_not_certified():
    def wrong(logits, targets):
        losses, slopes, curvatures = logistic_rows(logits, targets)
        return losses, slopes, 1e3 + curvatures

    data = Samples(RNG.standard_normal((30, 2)), np.sign(RNG.standard_normal(30)))
    assert linear_minimum(logistic_rows, data, 1e-2).suboptimality_bound < 1e-20
    with pytest.raises(OptbenchError, match="known only to within"):
        linear_minimum(wrong, data, 1e-2)


def test_newton_with_backtracking_is_led_where_full_steps_overflow():
    """f(x) = exp(x) - 50 x + x^2 / 2: a full step from 0 goes to 24.5, where f is 4e10."""
    minimum = certified_minimum(
        lambda x: float(np.exp(x[0]) - 50 * x[0] + x[0] ** 2 / 2),
        lambda x: np.exp(x) - 50 + x,
        lambda x: np.diag(np.exp(x) + 1),
        start=np.zeros(1),
        strong_convexity=1.0,
    )
    np.testing.assert_allclose(np.exp(minimum.minimizer) + minimum.minimizer, 50, rtol=1e-14)


def test_stationary_points_of_any_kind_are_found():
    """x^3 / 3 - x has a maximum at -1."""
    found = newton_point(lambda x: x**2 - 1, lambda x: np.diag(2 * x), np.array([-2.0]))
    np.testing.assert_allclose(found, -1, rtol=1e-15)


def test_data_constants_are_those_of_the_rows():
    data = Samples(np.array([[3.0, 4.0], [0.0, 1.0]]), np.ones(2))
    assert (longest_row(data), mean_square(data)) == (5.0, 13.0)
    np.testing.assert_allclose(second_moment(data), np.linalg.norm(data.features, 2) ** 2 / 2)
    assert (variance_of(6.0, 3), variance_of(6.0, None)) == (2.0, None)


def test_huber_gradients_have_the_variance_claimed():
    problem = huber_regression(batch_size=4)
    features, targets, _, threshold = problem.data
    for scale in (0.0, 1.0, 10.0):
        weights = problem.minimizer + scale * RNG.standard_normal(5)
        slopes = np.clip(features @ weights - targets, -threshold, threshold)
        rows = slopes[:, None] * features
        variance = np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1)) / 4
        assert 0.1 * problem.constants.noise_variance < variance <= problem.constants.noise_variance


@pytest.mark.parametrize(
    "factory",
    [
        lambda: least_squares(num_samples=20, dim=20),
        lambda: least_squares(condition_number=0.5),
        lambda: least_squares(noise=-0.1),
        lambda: least_squares(batch_size=0),
        lambda: ridge_diabetes(l2=0.0),
        lambda: matrix_regression(num_targets=0),
        lambda: matrix_regression(num_samples=12),
        lambda: poisson_regression(dim=0),
        lambda: poisson_regression(l2=0.0),
        lambda: poisson_regression(batch_size=201),
        lambda: huber_regression(outliers=1.5),
        lambda: huber_regression(threshold=0.0),
        lambda: huber_regression(l2=-1.0),
    ],
)
def test_regressions_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
