"""Every problem of the catalog keeps the laws, and agrees with a second source."""

from __future__ import annotations

import collections
import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss

from optbench.catalog import collect
from optbench.checks import check_problem
from optbench.errors import OptbenchError
from optbench.oracle import Oracle
from optbench.transforms.minibatches import minibatches
from optbench.validation import validate_problem
from problems.certificates import certified_minimum
from problems.classical.basins import himmelblau
from problems.classical.bowls import booth, power
from problems.classical.valleys import beale, rosenbrock
from problems.classification.likelihoods import (
    logistic,
    logistic_breast_cancer,
    logistic_separable,
    softmax_wine,
)
from problems.draws import data_rng, orthonormal
from problems.quadratics import quadratic, saddle
from problems.regression.least_squares import least_squares_diabetes
from problems.statistics.exponential_families import gaussian_likelihood

CATALOG = collect("problems", "Problem")
RNG = np.random.default_rng(7)

every_problem = pytest.mark.parametrize("name", CATALOG)


@functools.cache
def standard(name):
    return CATALOG[name]()


def value(problem, params):
    with jax.enable_x64(True):
        return float(problem.objective(params, *problem.data))


def gradient(problem, params):
    with jax.enable_x64(True):
        params = jax.tree.map(jnp.asarray, params)
        return np.asarray(jax.grad(problem.objective)(params, *problem.data))


def products(problem, params, direction):
    """The Hessian and the Fisher product."""
    with jax.enable_x64(True):
        oracle, params = Oracle(problem), jnp.asarray(params)
        hessian = oracle.hessian_product(params)(jnp.asarray(direction))
        return np.asarray(hessian), np.asarray(oracle.fisher_product(params)(direction))


@every_problem
def test_keeps_the_laws(name):
    failed = [check for check in check_problem(standard(name)) if not check.passed]
    assert not failed


@every_problem
def test_passport_is_complete(name):
    problem, docstring = standard(name), inspect.getdoc(CATALOG[name])
    assert problem.name == name
    assert problem.source and problem.source.split(" (")[0].split(",")[0].split()[0] in docstring
    for entry in ("Dimension: ", "Start: ", "x*", "f*", "Constants: ", "Source: "):
        assert entry in docstring


@every_problem
def test_instances_are_float64_and_equal(name):
    first, again = CATALOG[name](), CATALOG[name]()
    assert jax.tree.structure(first) == jax.tree.structure(again)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        assert isinstance(a, np.ndarray | np.float64) and a.dtype == np.float64
        np.testing.assert_array_equal(a, b)


FINITE_SUMS = [name for name in CATALOG if standard(name).row_arrays]


@pytest.mark.parametrize("name", FINITE_SUMS)
def test_every_finite_sum_has_a_minibatch_form(name):
    sampled = CATALOG[name](batch_size=2)
    assert sampled.sample_loss is not None
    assert sampled.sample_fraction == 2 / len(sampled.data[0])
    assert sampled.minimum == standard(name).minimum
    validate_problem(sampled)


def test_the_catalog_holds_what_it_must():
    """The families, and the least that each must hold."""
    least = {
        "classical": 25,
        "classification": 8,
        "convex_composite": 11,
        "convex_smooth": 8,
        "critical_points": 8,
        "factorization": 5,
        "more_garbow_hillstrom": 33,
        "networks": 14,
        "nist": 27,
        "quadratics": 7,
        "regression": 6,
        "statistics": 12,
        "stochastic": 7,
        "worst_cases": 13,
    }
    found = collections.Counter(f.__module__.split(".")[1] for f in CATALOG.values())
    assert found.keys() == least.keys()
    assert all(found[family] >= number for family, number in least.items())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: quadratic(condition_number=2.0), lambda: quadratic(seed=3)),
        (lambda: power(4.0), lambda: power(6.0)),
        (lambda: logistic(seed=0), lambda: logistic(seed=1, l2=1e-2)),
        (
            lambda: logistic_breast_cancer(l2=1e-2, batch_size=32),
            lambda: logistic_breast_cancer(batch_size=32),
        ),
    ],
)
def test_a_family_shares_one_program(one, other):
    one, other = one(), other()
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert jax.tree.map(np.shape, one.data) == jax.tree.map(np.shape, other.data)
    differ = [not np.array_equal(a, b) for a, b in zip(one.data, other.data, strict=True)]
    assert any(differ)


MALFORMED = [
    lambda: rosenbrock(dim=1),
    lambda: power(exponent=2.0),
    lambda: power(exponent=np.inf),
    lambda: power(dim=0),
    lambda: quadratic(dim=1),
    lambda: quadratic(condition_number=0.5),
    lambda: quadratic(condition_number=np.inf),
    lambda: saddle(dim=1),
    lambda: logistic(dim=600),
    lambda: logistic(condition_number=0.0),
    lambda: logistic(l2=0.0),
    lambda: logistic(l2=np.inf),
    lambda: logistic_breast_cancer(l2=0.0),
    lambda: logistic_separable(margin=0.0),
    lambda: softmax_wine(l2=-1.0),
    lambda: least_squares_diabetes(l2=-1.0),
    lambda: gaussian_likelihood(num_samples=1),
    lambda: logistic_breast_cancer(batch_size=0),
    lambda: logistic_breast_cancer(batch_size=570),
]


@pytest.mark.parametrize("factory", MALFORMED)
def test_factories_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint


# Second sources.


@pytest.mark.parametrize("dim", [2, 5])
def test_rosenbrock_equals_scipy(dim):
    problem, (x, v) = rosenbrock(dim), RNG.standard_normal((2, dim))
    np.testing.assert_allclose(value(problem, x), scipy.optimize.rosen(x), rtol=1e-13)
    np.testing.assert_allclose(gradient(problem, x), scipy.optimize.rosen_der(x), rtol=1e-12)
    with jax.enable_x64(True):
        product = Oracle(problem).hessian_product(jnp.asarray(x))(jnp.asarray(v))
    np.testing.assert_allclose(product, scipy.optimize.rosen_hess_prod(x, v), rtol=1e-12)


def test_rosenbrock_starts_where_published():
    np.testing.assert_array_equal(rosenbrock(5).start(0), [-1.2, 1.0, -1.2, 1.0, -1.2])
    np.testing.assert_allclose(value(rosenbrock(), rosenbrock().start(0)), 24.2)  # MGH (1981)


def test_beale_has_its_published_values():
    np.testing.assert_allclose(value(beale(), np.array([1.0, 1.0])), 14.203125)
    np.testing.assert_allclose(value(beale(), np.array([0.0, 0.0])), 14.203125)


def test_himmelblau_has_four_minima_and_a_maximum():
    for x in ((3, 2), (-2.805118, 3.131313), (-3.779310, -3.283186), (3.584428, -1.848127)):
        assert value(himmelblau(), np.array(x, float)) < 1e-10
    np.testing.assert_allclose(
        gradient(himmelblau(), np.array([-0.270845, -0.923039])), 0, atol=1e-4
    )
    np.testing.assert_allclose(
        value(himmelblau(), np.array([-0.270845, -0.923039])), 181.617, rtol=1e-5
    )


def test_booth_solves_its_linear_system():
    np.testing.assert_allclose(
        booth().minimizer, np.linalg.solve([[1.0, 2.0], [2.0, 1.0]], [7.0, 5.0])
    )


@pytest.mark.parametrize("exponent", [4.0, 6.0])
def test_power_has_the_gradient_of_a_power(exponent):
    x = np.array([-2.0, 0.0, 0.5])
    expected = np.sign(x) * np.abs(x) ** (exponent - 1)
    np.testing.assert_allclose(gradient(power(exponent, dim=3), x), expected, rtol=1e-14)


@pytest.mark.parametrize("rotated", [True, False])
def test_quadratic_has_the_spectrum_asked_for(rotated):
    problem = quadratic(dim=6, condition_number=1e4, rotated=rotated, seed=2)
    with jax.enable_x64(True):
        hessian = jax.hessian(problem.objective)(problem.start(0), *problem.data)
    eigenvalues = np.linalg.eigvalsh(hessian)
    np.testing.assert_allclose(eigenvalues, np.logspace(-4, 0, 6), rtol=1e-11)
    assert (np.count_nonzero(hessian) > 6) == rotated


def test_quadratic_does_not_start_at_its_minimizer():
    """The draws of data and of starts with one seed are different streams."""
    for seed in range(3):
        problem = quadratic(dim=4, seed=seed)
        assert np.linalg.norm(problem.start(seed) - problem.minimizer) > 0.1


def test_rotations_are_uniform():
    """Under the Haar measure the trace has mean 0 and variance 1, the entries variance 1 / n."""
    draws = np.stack([orthonormal(data_rng(seed), 3, 3) for seed in range(1000)])
    np.testing.assert_allclose(
        draws @ draws.transpose(0, 2, 1), np.broadcast_to(np.eye(3), draws.shape), atol=1e-14
    )
    traces = np.trace(draws, axis1=1, axis2=2)
    assert abs(np.mean(traces)) < 4 / np.sqrt(1000)
    assert abs(np.var(traces) - 1) < 4 * np.sqrt(2 / 1000)
    assert np.all(np.abs(np.mean(draws**2, axis=0) - 1 / 3) < 4 * np.sqrt(4 / 45 / 1000))


def test_saddle_escapes_along_its_last_coordinate():
    """k gradient steps of size h multiply x_n by (1 + h)^k and the others by (1 - h)^k."""
    problem, x = saddle(3), saddle(3).start(0)
    for _ in range(5):
        x = x - 0.1 * gradient(problem, x)
    np.testing.assert_allclose(x, [0.9**5, 0.9**5, 1e-3 * 1.1**5], rtol=1e-14)


@pytest.mark.parametrize("arguments", [{}, {"dim": 8, "num_samples": 90, "l2": 1e-2}])
def test_logistic_equals_scikit_learn(arguments):
    problem = logistic(**arguments) if arguments else logistic_breast_cancer()
    features, labels, l2 = problem.data
    model = LogisticRegression(
        C=1 / (len(labels) * float(l2)), fit_intercept=False, solver="newton-cholesky", tol=1e-12
    ).fit(features, labels)
    np.testing.assert_allclose(model.coef_[0], problem.minimizer, atol=1e-8)
    expected = log_loss(labels, model.predict_proba(features)) + l2 / 2 * np.sum(model.coef_**2)
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-12)


def test_synthetic_features_have_the_conditioning_asked_for():
    features, labels, _ = logistic(num_samples=60, dim=5, condition_number=1e3).data
    eigenvalues = np.linalg.eigvalsh(features.T @ features / 60)
    np.testing.assert_allclose(eigenvalues, np.geomspace(4e-3, 4, 5), rtol=1e-10)
    assert set(labels) == {-1.0, 1.0}
    np.testing.assert_allclose(logistic().constants.smoothness, 1 + 1e-3, rtol=1e-12)


def test_logistic_separable_has_a_closed_form():
    for w in (-3.0, 0.0, 40.0, 800.0):
        expected = np.logaddexp(0, -2.0 * w)
        np.testing.assert_allclose(value(logistic_separable(margin=2.0), np.array([w])), expected)


def test_softmax_equals_scikit_learn():
    problem = softmax_wine(1e-2)
    features, one_hot, l2 = problem.data
    labels = one_hot.argmax(axis=1)
    model = LogisticRegression(
        C=1 / (len(labels) * float(l2)), fit_intercept=False, solver="newton-cg", tol=1e-10
    ).fit(features, labels)
    np.testing.assert_allclose(model.coef_.T, problem.minimizer, atol=1e-6)
    expected = log_loss(labels, model.predict_proba(features)) + l2 / 2 * np.sum(model.coef_**2)
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["softmax_wine", "softmax_digits"])
def test_softmax_has_the_textbook_gradient(name):
    problem = standard(name)
    features, one_hot, l2 = problem.data
    weights = problem.start(1)
    exponentials = np.exp(features @ weights)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    expected = features.T @ (probabilities - one_hot) / len(features) + l2 * weights
    np.testing.assert_allclose(gradient(problem, weights), expected, atol=1e-15)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_least_squares_equals_scikit_learn(l2):
    problem = least_squares_diabetes(l2)
    features, targets, _ = problem.data
    model = Ridge(l2 * len(targets), fit_intercept=False) if l2 else LinearRegression()
    model.fit(features, targets)
    np.testing.assert_allclose(model.coef_, problem.minimizer, atol=1e-12)
    if not l2:
        half_unexplained = (1 - model.score(features, targets)) / 2
        np.testing.assert_allclose(problem.minimum, half_unexplained, rtol=1e-13)


CANONICAL = "logistic_breast_cancer", "logistic_separable", "softmax_wine", "least_squares_diabetes"


@pytest.mark.parametrize("name", CANONICAL)
def test_fisher_is_the_hessian_of_a_canonical_model(name):
    """Outputs that are natural parameters and linear in params: both matrices agree."""
    problem = standard(name)
    hessian, fisher = products(problem, problem.start(1), problem.start(2))
    np.testing.assert_allclose(fisher, hessian, rtol=1e-10, atol=1e-13)


def test_gaussian_likelihood_equals_scipy():
    problem = gaussian_likelihood()
    (samples,) = problem.data
    mean, deviation = scipy.stats.norm.fit(samples)
    np.testing.assert_allclose(problem.minimizer, [mean, deviation**2], rtol=1e-14)
    for m, v in ((mean, deviation**2), (-1.0, 8.0), (3.0, 0.5)):
        expected = -np.mean(scipy.stats.norm.logpdf(samples, m, np.sqrt(v)))
        np.testing.assert_allclose(value(problem, np.array([m, v])), expected, rtol=1e-13)


def test_gaussian_fisher_is_the_textbook_one():
    problem, v = gaussian_likelihood(), 2.5
    for direction, expected in (([1.0, 0.0], [1 / v, 0.0]), ([0.0, 1.0], [0.0, 1 / (2 * v**2)])):
        _, fisher = products(problem, [0.3, v], np.array(direction))
        np.testing.assert_allclose(fisher, expected, atol=1e-15)


def test_gaussian_is_undefined_for_a_negative_variance():
    assert np.isnan(value(gaussian_likelihood(), np.array([0.0, -1.0])))


def test_natural_gradient_points_elsewhere_than_the_gradient():
    """As the passport says: the gradient runs along m, the natural gradient towards x*."""
    problem, start = gaussian_likelihood(), gaussian_likelihood().start(0)
    steepest = -gradient(problem, start)
    natural = steepest * np.array([start[1], 2 * start[1] ** 2])
    way = problem.minimizer - start

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert cosine(steepest, np.array([1.0, 0.0])) > 0.99
    assert cosine(natural, way) > 0.9 > 0.5 > cosine(steepest, way)
    assert np.linalg.norm(steepest) < 0.1 * np.linalg.norm(way)


def test_minibatches_draw_rows_evenly_and_repeatably():
    problem = logistic_breast_cancer(batch_size=8)
    assert problem.sample_fraction == 8 / 569
    rows = jnp.arange(569.0)
    data = (rows[:, None], jnp.ones(569), 0.0)
    indicator = dataclasses.replace(problem, objective=_mean_row, data=data)
    sampled = minibatches(indicator, batch_size=8)

    def draw(key):
        return sampled.sample_loss(jnp.ones(1), key, *sampled.data)

    keys = jax.random.split(jax.random.key(0), 2000)
    means = np.asarray(jax.vmap(draw)(keys), float)
    spread = np.sqrt((569**2 - 1) / 12 / 8)
    assert abs(means.mean() - 284) < 4 * spread / np.sqrt(2000)
    np.testing.assert_allclose(means.std(), spread, rtol=0.1)
    assert draw(keys[0]) == draw(keys[0]) != draw(keys[1])


def _mean_row(params, rows, ones, l2):
    return jnp.mean(rows @ params)


def test_minibatches_of_a_problem_with_one_data_array():
    problem = gaussian_likelihood(batch_size=10)
    assert problem.minimum == gaussian_likelihood().minimum
    assert all(check.passed for check in check_problem(problem))


def test_certificate_bounds_the_error():
    """f(x) = log cosh(x - 1) + x^2 / 2, strongly convex with mu = 1."""
    minimum = certified_minimum(
        lambda x: float(np.log(np.cosh(x[0] - 1)) + x[0] ** 2 / 2),
        lambda x: np.tanh(x - 1) + x,
        lambda x: np.diag(1 / np.cosh(x - 1) ** 2 + 1),
        start=np.array([5.0]),
        strong_convexity=1.0,
    )
    root = scipy.optimize.brentq(lambda x: np.tanh(x - 1) + x, 0, 1, xtol=1e-15)
    np.testing.assert_allclose(minimum.minimizer, root, rtol=1e-14)
    assert minimum.suboptimality_bound < 1e-30


def test_certificate_is_refused_where_newton_fails():
    """A wrong Hessian leaves a gradient, and so no certificate."""
    with pytest.raises(OptbenchError, match="known only to within"):
        certified_minimum(
            lambda x: float(x @ x) + 1,
            lambda x: 2 * x + 1e-3,
            lambda x: -np.eye(1) * 1e3,
            start=np.ones(1),
            strong_convexity=1.0,
        )
