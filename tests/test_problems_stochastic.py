"""The noise of each stochastic problem has the law that its docstring states."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from optbench.errors import OptbenchError
from optbench.oracle import Oracle
from optbench.problem import Problem
from problems.stochastic.consistency import interpolation, kaczmarz, nonuniform_curvature
from problems.stochastic.oracles import (
    adam_counterexample,
    heavy_tailed_regression,
    noisy_quadratic,
    wandering_minimizer,
)


@functools.cache
def sampled_gradients(
    build: Any, num_keys: int = 4000, at_minimizer: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """A point x, and [K, n] gradients of samples there."""
    problem = build()
    params = problem.minimizer if at_minimizer else problem.start(1)
    with jax.enable_x64(True):
        traced, x = jax.tree.map(jnp.asarray, (problem, params))
        keys = jax.random.split(jax.random.key(3), num_keys)
        drawn = jax.jit(jax.vmap(lambda k: Oracle(traced, k).value_and_grad(x).grad))(keys)
        return np.asarray(params), np.asarray(drawn)


def close_to_mean(samples: np.ndarray, expected: Any) -> None:
    """To five standard errors, column by column."""
    error = np.std(samples, axis=0, ddof=1) / np.sqrt(len(samples))
    assert np.all(np.abs(np.mean(samples, axis=0) - expected) < 5 * error)


def value(problem: Problem, params: np.ndarray) -> float:
    with jax.enable_x64(True):
        return float(problem.objective(params, *problem.data))


# Consistent systems: noise that vanishes at x*


@pytest.mark.parametrize("build", [interpolation, kaczmarz, nonuniform_curvature])
def test_noise_vanishes_at_the_minimizer(build):
    _, gradients = sampled_gradients(build, 64, at_minimizer=True)
    assert np.abs(gradients).max() < 1e-14


@pytest.mark.parametrize("build", [interpolation, kaczmarz])
def test_least_squares_is_the_formula_and_solved_by_its_minimizer(build):
    problem, x = build(), build().start(1)
    features, targets = problem.data
    expected = np.sum((features @ x - targets) ** 2) / (2 * len(targets))
    np.testing.assert_allclose(value(problem, x), expected, rtol=1e-14)
    solution = np.linalg.lstsq(features, targets)[0]  # of least norm
    np.testing.assert_allclose(problem.minimizer, solution, atol=1e-13)


def test_interpolation_has_the_spectrum_asked_for():
    features, _ = interpolation(5, 9, condition_number=100.0, seed=2).data
    eigenvalues = np.linalg.eigvalsh(features.T @ features / 5)
    np.testing.assert_allclose(eigenvalues[4:], np.geomspace(0.01, 1, 5), rtol=1e-10)
    np.testing.assert_allclose(eigenvalues[:4], 0, atol=1e-14)


def test_interpolation_keeps_strong_growth():
    """E |g_i|^2 <= rho |grad f|^2, with the rho stated, on and off the start."""
    problem = interpolation()
    features, targets = problem.data
    rho = np.max(np.sum(features**2, axis=1)) * 10.0
    rng = np.random.default_rng(0)
    for x in (problem.start(0), *rng.standard_normal((20, 40))):
        rows = (features @ x - targets)[:, None] * features
        full = np.mean(rows, axis=0)
        assert np.mean(np.sum(rows**2, axis=1)) <= rho * np.sum(full**2) * (1 + 1e-12)


def test_interpolation_converges_linearly_with_noise():
    """SGD on single rows with step 1 / max |x_i|^2 ends at rounding, as the docstring says."""
    problem, rng = interpolation(num_samples=5, dim=9, batch_size=1), np.random.default_rng(0)
    features, targets = problem.data
    x, step = problem.start(0), 1 / np.max(np.sum(features**2, axis=1))
    for row in rng.integers(0, 5, 6000):
        x = x - step * (features[row] @ x - targets[row]) * features[row]
    np.testing.assert_allclose(x, problem.minimizer, atol=1e-12)


def test_kaczmarz_rows_have_unit_length_and_steps_project():
    """E |x_1 - x*|^2 = |x - x*|^2 - 2 f(x), over all rows exactly, and at most the rate stated."""
    problem = kaczmarz()
    features, targets = problem.data
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-14)
    x = problem.start(1)
    moved = x - (features @ x - targets)[:, None] * features
    np.testing.assert_allclose(np.sum(moved * features, axis=1), targets, atol=1e-13)
    error = np.sum((x - problem.minimizer) ** 2)
    after = np.mean(np.sum((moved - problem.minimizer) ** 2, axis=1))
    np.testing.assert_allclose(after, error - 2 * value(problem, x), rtol=1e-13)
    published = 1 - 1 / (np.sum(features**2) * np.linalg.norm(np.linalg.pinv(features), 2) ** 2)
    np.testing.assert_allclose(1 - problem.constants.strong_convexity, published, rtol=1e-12)
    assert after <= published * error


@pytest.mark.parametrize(("batch_size", "threshold"), [(1, 0.4), (2, 2 / 3)])
def test_nonuniform_curvature_has_the_threshold_stated(batch_size, threshold):
    """E (1 - h a_B)^2 = 1 at h = 2 A / (A^2 + s^2 / B), which draws with replacement decide."""
    build = functools.partial(nonuniform_curvature, nonuniformity=2.0, batch_size=batch_size)
    x, gradients = sampled_gradients(build)
    curvatures = gradients[:, 0] / x[0]
    assert set(np.round(curvatures, 12)) <= {-1.0, 1.0, 3.0}
    close_to_mean((1 - threshold * curvatures) ** 2, 1.0)
    assert np.mean((1 - 0.9 * threshold * curvatures) ** 2) < 1
    assert np.mean((1 - 1.1 * threshold * curvatures) ** 2) > 1


# Oracles: noise that stays


@pytest.mark.parametrize(
    "build", [functools.partial(adam_counterexample, 11.0), noisy_quadratic, wandering_minimizer]
)
def test_noise_has_the_variance_stated(build):
    x, gradients = sampled_gradients(build)
    problem = build()
    with jax.enable_x64(True):
        exact = np.asarray(jax.grad(problem.objective)(jnp.asarray(x), *problem.data))
    close_to_mean(gradients, exact)
    close_to_mean(np.sum((gradients - exact) ** 2, axis=1), problem.constants.noise_variance)


def test_noisy_quadratic_has_its_published_spectrum_and_covariance():
    x, gradients = sampled_gradients(noisy_quadratic)
    curvatures = 1 / np.arange(1.0, 101.0)
    np.testing.assert_allclose(value(noisy_quadratic(), x), np.sum(curvatures * x**2) / 2)
    close_to_mean((gradients - curvatures * x) ** 2, curvatures)
    larger = noisy_quadratic(batch_size=16)
    np.testing.assert_allclose(larger.constants.noise_variance, np.sum(curvatures) / 16)


def settled(curvatures: np.ndarray, variances: np.ndarray, step: float) -> np.ndarray:
    """E (x_i - x*_i)^2 of SGD after many steps, by the recursion of second moments."""
    square = np.ones_like(curvatures)
    for _ in range(20_000):
        square = (1 - step * curvatures) ** 2 * square + step**2 * variances
    return square


def test_sgd_settles_where_the_docstrings_say():
    h, step = np.array([1.0, 0.5, 0.1]), 0.4
    np.testing.assert_allclose(settled(h, h / 8, step), step / (8 * (2 - step * h)))
    tracked = settled(h, h**2 * 1.5**2, step)
    np.testing.assert_allclose(tracked, step * h * 1.5**2 / (2 - step * h))


def test_wandering_minimizers_have_the_spread_asked_for():
    problem = wandering_minimizer(dim=3, spread=0.5)
    curvatures, center, _ = problem.data
    x, gradients = sampled_gradients(functools.partial(wandering_minimizer, 3, spread=0.5))
    minimizers = x - gradients / curvatures
    close_to_mean(minimizers, center)
    close_to_mean((minimizers - center) ** 2, 0.25)
    np.testing.assert_allclose(problem.minimum, 0.125 * np.sum(curvatures))
    np.testing.assert_allclose(value(problem, problem.minimizer), problem.minimum, rtol=1e-15)


def test_regression_noise_at_the_minimizer_is_that_of_the_targets():
    """With one row and unit features, g = -t z at w*: the law of a product of t and normal."""
    build = functools.partial(heavy_tailed_regression, 1, 1.0, batch_size=1)
    _, gradients = sampled_gradients(build, 2000, at_minimizer=True)
    rng = np.random.default_rng(0)
    expected = scipy.stats.t(1.5).rvs(20_000, random_state=rng) * rng.standard_normal(20_000)
    assert scipy.stats.ks_2samp(gradients[:, 0], expected).pvalue > 1e-3


def test_regression_samples_are_the_loss_less_that_at_the_minimizer():
    """Values differ from those at w* by the squared loss of the same rows, from a second draw."""
    problem = heavy_tailed_regression(dim=3, batch_size=2)
    with jax.enable_x64(True):
        key, w = jax.random.key(1), jnp.asarray(problem.start(1))
        assert float(Oracle(problem, key).value(jnp.asarray(problem.minimizer))) == 0.0
        hessian = jax.jit(jax.hessian(Oracle(problem, key).value))(w)
        assert np.linalg.matrix_rank(hessian) == 2  # one per row
    assert problem.constants.noise_variance is None


# Adam's counterexample

NUM_LANES, NUM_STEPS = 64, 10_000


@functools.cache
def streams() -> np.ndarray:
    """[T, K] sampled slopes of the counterexample, as its own oracle gives them."""
    _, gradients = sampled_gradients(adam_counterexample, NUM_LANES * NUM_STEPS)
    return gradients.reshape(NUM_STEPS, NUM_LANES)


def end_of_adam(b2: float, amsgrad: bool, b1: float = 0.9, learning_rate: float = 0.01) -> float:
    """Mean of x over lanes after projected Adam, without bias correction, as published."""
    x, m, v, top = np.zeros((4, NUM_LANES))
    for g in streams():
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        top = np.maximum(top, v)
        x = np.clip(x - learning_rate * m / np.sqrt(top if amsgrad else v), -1, 1)
    return float(np.mean(x))


def end_of_sgd(learning_rate: float = 0.003) -> float:
    x = np.zeros(NUM_LANES)
    for g in streams():
        x = np.clip(x - learning_rate * g, -1, 1)
    return float(np.mean(x))


def test_adam_goes_the_wrong_way():
    assert end_of_adam(b2=0.99, amsgrad=False) > 0.4
    assert end_of_adam(b2=0.99, amsgrad=True) < -0.4
    assert end_of_adam(b2=0.999, amsgrad=False) < -0.4
    assert end_of_sgd() < -0.4


def test_the_counterexample_has_its_published_slopes():
    _, gradients = sampled_gradients(functools.partial(adam_counterexample, 101.0, 0.02))
    assert set(gradients[:, 0]) == {101.0, -1.0}  # 1010 and -10, over 10
    close_to_mean((gradients[:, 0] > 0).astype(float), 0.01)


def test_the_counterexample_is_held_to_its_interval():
    problem = adam_counterexample()
    clipped = problem.prox(np.array([3.0]), 0.1, *problem.data)
    np.testing.assert_array_equal(clipped, [1.0])
    assert value(problem, problem.minimizer) == problem.minimum == -0.3


MALFORMED = [
    lambda: interpolation(num_samples=40, dim=40),
    lambda: interpolation(condition_number=0.5),
    lambda: interpolation(batch_size=21),
    lambda: kaczmarz(num_samples=5, dim=10),
    lambda: kaczmarz(batch_size=0),
    lambda: nonuniform_curvature(mean_curvature=0.0),
    lambda: nonuniform_curvature(nonuniformity=-1.0),
    lambda: nonuniform_curvature(dim=0),
    lambda: nonuniform_curvature(batch_size=3),
    lambda: adam_counterexample(slope=0.0),
    lambda: adam_counterexample(steep=0.1),
    lambda: noisy_quadratic(dim=0),
    lambda: noisy_quadratic(batch_size=0),
    lambda: wandering_minimizer(dim=1),
    lambda: wandering_minimizer(condition_number=0.1),
    lambda: wandering_minimizer(spread=-1.0),
    lambda: heavy_tailed_regression(degrees_of_freedom=1.0),
    lambda: heavy_tailed_regression(batch_size=0),
    lambda: heavy_tailed_regression(dim=0),
]


@pytest.mark.parametrize("build", MALFORMED)
def test_bad_arguments_are_refused(build):
    with pytest.raises(OptbenchError) as raised:
        build()
    assert raised.value.hint


@pytest.mark.parametrize(
    "build", [interpolation, kaczmarz, functools.partial(nonuniform_curvature, dim=3)]
)
def test_without_a_batch_gradients_are_exact(build):
    problem = build(batch_size=None)
    assert not problem.stochastic and problem.row_arrays
    assert problem.name == build().name
