"""Likelihoods, mixtures, variational bounds and policies agree with scipy and closed forms."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
from sklearn.mixture import GaussianMixture

from optbench.checks import check_problem
from optbench.errors import OptbenchError
from optbench.oracle import Oracle
from problems.statistics.choices import bandit_policy, categorical_mean, categorical_natural
from problems.statistics.exponential_families import (
    gaussian_likelihood,
    gaussian_natural,
    poisson_mean,
    poisson_natural,
)
from problems.statistics.mixtures import (
    gaussian_mixture_iris,
    gaussian_mixture_pair,
    gaussian_mixture_trap,
)
from problems.statistics.variational import variational_logistic, variational_regression

RNG = np.random.default_rng(14)


@functools.partial(jax.jit, static_argnums=0)
def evaluated(objective, params, data):
    return jax.value_and_grad(objective)(params, *data)


def value(problem, params):
    with jax.enable_x64(True):
        return float(evaluated(problem.objective, params, problem.data)[0])


def gradient(problem, params):
    with jax.enable_x64(True):
        found = evaluated(problem.objective, params, problem.data)
        return jax.tree.map(np.asarray, found[1])


def fisher(problem, params):
    with jax.enable_x64(True):
        product = Oracle(problem).fisher_product(jnp.asarray(params))
        return np.stack([np.asarray(product(v)) for v in np.eye(len(params))])


def test_gaussian_natural_is_the_likelihood_in_other_coordinates():
    natural, other = gaussian_natural(), gaussian_likelihood()
    np.testing.assert_array_equal(natural.data[0], other.data[0])
    assert natural.minimum == other.minimum
    for mean, variance in ((-1.0, 8.0), (0.3, 2.5), other.minimizer):
        params = np.array([mean / variance, -1 / (2 * variance)])
        expected = value(other, np.array([mean, variance]))
        np.testing.assert_allclose(value(natural, params), expected, rtol=1e-13)
    mean, variance = other.minimizer
    np.testing.assert_allclose(natural.minimizer, [mean / variance, -0.5 / variance], rtol=1e-14)
    np.testing.assert_array_equal(natural.start(0), [-1 / 8, -1 / 16])


def test_natural_fisher_is_the_covariance_of_the_statistics():
    """Of (x, x^2) under a Gaussian: v, 2 m v and 4 m^2 v + 2 v^2."""
    mean, variance = 0.7, 1.3
    found = fisher(gaussian_natural(), [mean / variance, -1 / (2 * variance)])
    cross = 2 * mean * variance
    expected = [[variance, cross], [cross, 4 * mean**2 * variance + 2 * variance**2]]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_poisson_likelihoods_equal_scipy():
    natural, mean = poisson_natural(), poisson_mean()
    counts = natural.data[0]
    for rate in (0.2, 3.0, 11.0, np.mean(counts)):
        expected = -np.mean(scipy.stats.poisson.logpmf(counts, rate))
        np.testing.assert_allclose(value(natural, np.log([rate])), expected, rtol=1e-13)
        np.testing.assert_allclose(value(mean, np.array([rate])), expected, rtol=1e-13)
    np.testing.assert_allclose(mean.minimizer, np.mean(counts))
    np.testing.assert_allclose(np.exp(natural.minimizer), np.mean(counts))
    np.testing.assert_allclose(natural.minimum, expected, rtol=1e-13)


def test_poisson_fisher_is_textbook():
    np.testing.assert_allclose(fisher(poisson_natural(), [0.4]), [[np.exp(0.4)]], rtol=1e-14)
    np.testing.assert_allclose(fisher(poisson_mean(), [2.5]), [[1 / 2.5]], rtol=1e-14)


def test_categorical_likelihoods_equal_scipy():
    natural, mean = categorical_natural(), categorical_mean()
    one_hot = natural.data[0]
    np.testing.assert_array_equal(one_hot, mean.data[0])
    for _ in range(3):
        probabilities = RNG.dirichlet(np.ones(4))
        law = scipy.stats.multinomial(1, probabilities)
        expected = -np.mean(law.logpmf(one_hot))
        shifted = np.log(probabilities) + 5.0
        np.testing.assert_allclose(value(natural, shifted), expected, rtol=1e-12)
        np.testing.assert_allclose(value(mean, probabilities[:-1]), expected, rtol=1e-12)
    entropy = scipy.stats.entropy(one_hot.mean(axis=0))
    np.testing.assert_allclose([natural.minimum, mean.minimum], entropy, rtol=1e-14)


def test_categorical_fisher_is_the_inverse_covariance_of_a_draw():
    probabilities = np.array([0.1, 0.2, 0.3, 0.4])
    covariance = np.diag(probabilities) - np.outer(probabilities, probabilities)
    np.testing.assert_allclose(
        fisher(categorical_mean(), probabilities[:-1]),
        np.linalg.inv(covariance[:-1, :-1]),
        rtol=1e-12,
    )
    found = fisher(categorical_natural(), np.log(probabilities))
    np.testing.assert_allclose(found, covariance, atol=1e-15)


@pytest.mark.parametrize("factory", [poisson_mean, categorical_mean])
def test_one_natural_step_in_mean_parameters_reaches_the_minimizer(factory):
    problem = factory()
    start = problem.start(1)
    step = np.linalg.solve(fisher(problem, start), gradient(problem, start))
    np.testing.assert_allclose(start - step, problem.minimizer, rtol=1e-12)


def test_categorical_gradients_have_exactly_the_variance_claimed():
    problem = categorical_natural(batch_size=5)
    one_hot = problem.data[0]
    rows = one_hot - one_hot.mean(axis=0)  # softmax(z), equal for all rows, cancels
    np.testing.assert_allclose(
        problem.constants.noise_variance, np.mean(np.sum(rows**2, axis=1)) / 5, rtol=1e-13
    )


def mixture_value(points, means, deviation=1.0, weights=None):
    weights = np.full(len(means), 1 / len(means)) if weights is None else weights
    densities = [scipy.stats.norm.pdf(points, mean, deviation) for mean in means]
    return -np.mean(np.log(weights @ np.stack(densities)))


@pytest.mark.parametrize("problem", [gaussian_mixture_pair(), gaussian_mixture_trap()])
def test_mixtures_equal_scipy_and_do_not_tell_components_apart(problem):
    (points,) = problem.data
    means = RNG.standard_normal(problem.dim)
    np.testing.assert_allclose(value(problem, means), mixture_value(points, means), rtol=1e-13)
    for order in (problem.minimizer, problem.minimizer[::-1]):
        np.testing.assert_allclose(value(problem, order.copy()), problem.minimum, rtol=1e-14)
        np.testing.assert_allclose(gradient(problem, order.copy()), 0, atol=1e-15)


def test_the_saddle_of_two_equal_means_has_the_eigenvalues_of_the_passport():
    problem = gaussian_mixture_pair()
    (points,), (saddle,) = problem.data, problem.critical_points
    np.testing.assert_allclose(value(problem, saddle.point), saddle.value, rtol=1e-14)
    with jax.enable_x64(True):
        hessian = np.asarray(jax.jit(jax.hessian(problem.objective))(saddle.point, points))
    along, across = np.array([1.0, 1.0]), np.array([1.0, -1.0])
    np.testing.assert_allclose(hessian @ along, along / 2, rtol=1e-12)
    np.testing.assert_allclose(hessian @ across, (1 - np.var(points)) / 2 * across, rtol=1e-12)
    assert np.var(points) > 1


def test_the_trap_is_a_local_minimum_that_catches_the_start():
    problem = gaussian_mixture_trap()
    (points,), (trap,) = problem.data, problem.critical_points
    assert trap.value > problem.known_minimum + 0.5
    np.testing.assert_allclose(gradient(problem, trap.point), 0, atol=1e-14)
    with jax.enable_x64(True):
        hessian = np.asarray(jax.jit(jax.hessian(problem.objective))(trap.point, points))
    assert np.linalg.eigvalsh(hessian)[0] > 1e-3
    found = scipy.optimize.minimize(
        lambda means: mixture_value(points, means), problem.start(0), method="BFGS"
    )
    np.testing.assert_allclose(np.sort(found.x), np.sort(trap.point), atol=1e-3)


def test_no_better_means_than_the_best_known():
    """From many starts, by an independent optimizer."""
    problem = gaussian_mixture_trap()
    (points,) = problem.data
    values = [
        scipy.optimize.minimize(
            lambda means: mixture_value(points, means), RNG.choice(points, 3), method="BFGS"
        ).fun
        for _ in range(20)
    ]
    np.testing.assert_allclose(min(values), problem.minimum, rtol=1e-9)


def test_gaussian_mixture_of_iris_equals_scikit_learn():
    problem, best = gaussian_mixture_iris(), gaussian_mixture_iris().minimizer
    points = problem.data[0][:, None]
    model = GaussianMixture(
        2, covariance_type="tied", reg_covar=0.0, tol=1e-13, max_iter=1000, random_state=0
    ).fit(points)
    np.testing.assert_allclose(-model.score(points), problem.minimum, rtol=1e-12)
    order = np.argsort(model.means_[:, 0])
    np.testing.assert_allclose(model.means_[order, 0], best["means"], rtol=1e-6)
    np.testing.assert_allclose(np.log(model.covariances_[0, 0]), best["log_variance"], rtol=1e-6)
    np.testing.assert_allclose(
        model.weights_[order],
        [1 / (1 + np.exp(-best["log_odds"])), 1 / (1 + np.exp(best["log_odds"]))],
        rtol=1e-6,
    )
    params = {"log_odds": 0.4, "means": np.array([0.3, -1.2]), "log_variance": -0.5}
    weight = 1 / (1 + np.exp(-0.4))
    expected = mixture_value(
        points[:, 0], params["means"], np.exp(-0.25), np.array([weight, 1 - weight])
    )
    np.testing.assert_allclose(value(problem, params), expected, rtol=1e-13)


def test_the_bound_of_a_regression_is_tight_but_for_correlation():
    """f* is the evidence of y ~ N(0, X X^T / precision + v), plus the divergence that is left."""
    problem = variational_regression(num_samples=12, dim=3, precision=0.5)
    features, targets, *_ = problem.data
    law = scipy.stats.multivariate_normal(
        np.zeros(12), features @ features.T / 0.5 + 0.25 * np.eye(12)
    )
    curvature = features.T @ features / 0.25 + 0.5 * np.eye(3)
    scale = problem.minimizer["scale"]
    covariance = np.linalg.inv(curvature)
    divergence = (np.log(np.linalg.det(covariance)) - np.sum(np.log(scale**2))) / 2
    expected = (-law.logpdf(targets) + divergence) / 12
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-11)
    np.testing.assert_allclose(
        problem.minimizer["mean"], covariance @ features.T @ targets / 0.25, rtol=1e-11
    )
    assert divergence > 0 and np.all(scale < np.sqrt(np.diag(covariance)))


def test_the_bound_of_a_regression_is_an_expectation():
    """E_q log q(w) - log p(y, w), by quadrature in one dimension."""
    problem = variational_regression(num_samples=8, dim=1)
    features, targets, *_ = problem.data
    q = scipy.stats.norm(0.3, 0.6)

    def integrand(w):
        likelihood = np.sum(scipy.stats.norm.logpdf(targets, features[:, 0] * w, 0.5))
        return q.pdf(w) * (q.logpdf(w) - scipy.stats.norm.logpdf(w) - likelihood)

    expected = scipy.integrate.quad(integrand, -7, 7, epsabs=1e-11, limit=200)[0] / 8
    params = {"mean": np.array([0.3]), "scale": np.array([0.6])}
    np.testing.assert_allclose(value(problem, params), expected, rtol=1e-10)


def test_the_bound_of_a_classifier_is_an_expectation():
    """By adaptive quadrature of each row."""
    problem = variational_logistic(num_samples=10, dim=2, precision=2.0)
    features, labels, *_ = problem.data
    mean, scale = np.array([0.4, -0.2]), np.array([0.5, 0.8])

    def expected_loss(x, y):
        law = scipy.stats.norm(x @ mean, np.sqrt(x**2 @ scale**2))
        ends = law.mean() + np.array([-12.0, 12.0]) * law.std()
        return scipy.integrate.quad(
            lambda z: law.pdf(z) * np.logaddexp(0, -y * z), *ends, epsabs=1e-11, limit=200
        )[0]

    fit = sum(expected_loss(x, y) for x, y in zip(features, labels, strict=True))
    divergence = np.sum(2 * (mean**2 + scale**2) - 1 - np.log(2 * scale**2)) / 2
    found = value(problem, {"mean": mean, "scale": scale})
    np.testing.assert_allclose(found, (fit + divergence) / 10, rtol=1e-9)


def test_the_classifier_has_the_minimum_of_an_independent_solver():
    problem = variational_logistic()
    shape = problem.start(0)["mean"].shape

    def cost(flat):
        return value(problem, {"mean": flat[:4], "scale": flat[4:]})

    def slope(flat):
        found = gradient(problem, {"mean": flat[:4], "scale": flat[4:]})
        return np.concatenate([found["mean"], found["scale"]])

    found = scipy.optimize.minimize(
        cost,
        np.ones(8),
        jac=slope,
        method="L-BFGS-B",
        bounds=[(None, None)] * 4 + [(1e-3, None)] * 4,
    )
    assert shape == (4,) and abs(found.fun - problem.known_minimum) < 1e-9
    assert found.fun >= problem.known_minimum


def test_the_entropys_prox_solves_its_equation():
    """s - v = step / (n s), and means stay."""
    problem = variational_regression()
    params = {"mean": RNG.standard_normal(5), "scale": np.array([-2.0, -0.1, 0.0, 0.3, 4.0])}
    with jax.enable_x64(True):
        found = jax.tree.map(np.asarray, problem.prox(params, 0.7, *problem.data))
    np.testing.assert_array_equal(found["mean"], params["mean"])
    assert np.all(found["scale"] > 0)
    np.testing.assert_allclose(
        found["scale"] - params["scale"], 0.7 / 50 / found["scale"], rtol=1e-12
    )


def test_a_sampled_composite_keeps_the_laws():
    """The catalog has none by default."""
    problem = variational_regression(num_samples=20, dim=2, batch_size=3)
    assert all(check.passed for check in check_problem(problem))


def test_the_score_function_is_unbiased_and_has_the_variance_claimed():
    """Over all arms and both rewards, weighed with their probabilities."""
    problem = bandit_policy(num_arms=4)
    (rewards,), logits = problem.data, np.array([0.5, -0.3, 0.1, 0.9])
    policy = np.exp(logits) / np.sum(np.exp(logits))
    scores = np.eye(4) - policy
    expected = -(policy * rewards) @ scores
    np.testing.assert_allclose(gradient(problem, logits), expected, rtol=1e-13)
    np.testing.assert_allclose(value(problem, logits), -policy @ rewards, rtol=1e-14)
    second = np.sum(policy * rewards * np.sum(scores**2, axis=1))
    variance = second - expected @ expected
    assert 0.5 * problem.constants.noise_variance < variance < problem.constants.noise_variance
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(3), 4000)
        slope, rewards = jax.grad(problem.sample_loss), jnp.asarray(rewards)
        drawn = np.asarray(jax.vmap(lambda key: slope(jnp.asarray(logits), key, rewards))(keys))
    errors = drawn - expected
    assert np.all(np.abs(errors.mean(axis=0)) < 5 * np.std(drawn, axis=0) / np.sqrt(4000))
    squares = np.sum(errors**2, axis=1)
    assert abs(np.mean(squares) - variance) < 5 * np.std(squares) / np.sqrt(4000)


def test_a_play_costs_a_score_or_nothing():
    problem = bandit_policy(num_arms=3)
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), 64)
        rewards = jnp.asarray(problem.data[0])
        losses = jax.vmap(lambda key: problem.sample_loss(jnp.zeros(3), key, rewards))(keys)
    assert set(np.asarray(losses)) == {-1.0, 0.0}


def test_the_curvature_of_a_policy_stays_below_the_bound():
    """Hessian norms at random policies of two arms and of ten; within a factor of ten of L."""
    for arms, steep in ((2, 2.6), (10, 2.6)):
        problem, largest = bandit_policy(num_arms=arms), 0.0
        with jax.enable_x64(True):
            hessian = jax.jit(jax.hessian(problem.objective))
            for _ in range(200):
                logits = jnp.asarray(steep * RNG.standard_normal(arms))
                norms = np.abs(np.linalg.eigvalsh(hessian(logits, *problem.data)))
                largest = max(largest, float(np.max(norms)))
        assert problem.constants.smoothness / 10 < largest < problem.constants.smoothness


@pytest.mark.parametrize(
    "factory",
    [
        lambda: gaussian_natural(num_samples=1),
        lambda: gaussian_likelihood(batch_size=101),
        lambda: poisson_natural(num_samples=0),
        lambda: poisson_mean(rate=0.0),
        lambda: poisson_mean(rate=1e-9),
        lambda: categorical_natural(num_classes=1),
        lambda: categorical_mean(num_samples=2),
        lambda: gaussian_mixture_pair(num_samples=1),
        lambda: gaussian_mixture_pair(distance=0.5),
        lambda: gaussian_mixture_pair(num_samples=2, distance=1.0),  # of variance 0.74: no saddle
        lambda: gaussian_mixture_trap(num_samples=10),
        lambda: gaussian_mixture_trap(gap=5.0),
        lambda: gaussian_mixture_iris(batch_size=0),
        lambda: variational_regression(dim=50),
        lambda: variational_regression(precision=0.0),
        lambda: variational_logistic(num_samples=3),
        lambda: variational_logistic(batch_size=0),
        lambda: variational_logistic(batch_size=101),
        lambda: bandit_policy(num_arms=1),
        lambda: bandit_policy(batch_size=0),
    ],
)
def test_statistics_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
