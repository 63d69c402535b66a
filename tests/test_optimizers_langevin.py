from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from walks import CENTER, MATRIX, QUADRATIC, WAVY, X0, sample_key, walk, walk_tree, wavy_grad

from optbench.job import prepare
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.stochastic.langevin import langevin
from optbench.oracle import Oracle
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.run import execute
from optbench.start import standard_normal

RATE, TEMPERATURE = 0.5, 0.3
CHAINS, STEPS = 2000, 200


def ends(temperature: float) -> np.ndarray:
    """[CHAINS, 3] where independent chains are, long after the start is forgotten."""
    optimizer = langevin(RATE, temperature)

    def chain(key):
        def tick(index, point):
            oracle = Oracle(problem, jax.random.fold_in(key, index))
            return optimizer.step(oracle.value_and_grad(point), (), oracle).params

        return jax.lax.fori_loop(0, STEPS, tick, jnp.asarray(X0, jnp.float64))

    with jax.enable_x64(True):
        problem = jax.tree.map(jnp.asarray, QUADRATIC)
        return np.asarray(jax.jit(jax.vmap(chain))(jax.random.split(jax.random.key(0), CHAINS)))


def deviations(points: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Entries of the sample covariance about the known mean, in standard errors from it."""
    seen = (points - CENTER).T @ (points - CENTER) / len(points)
    variances = np.diag(covariance)
    errors = np.sqrt((np.outer(variances, variances) + covariance**2) / len(points))
    return ((seen - covariance) / errors)[np.triu_indices(3)]


def test_the_stationary_covariance_is_that_of_the_discrete_chain():
    identity = np.eye(3)
    kept = identity - RATE * MATRIX  # x - c is an AR(1) process with this factor
    exact = 2 * RATE * TEMPERATURE * np.linalg.inv(identity - kept @ kept)
    told = TEMPERATURE * np.linalg.inv(MATRIX) @ np.linalg.inv(identity - RATE * MATRIX / 2)
    np.testing.assert_allclose(exact, told, rtol=1e-12)
    points = ends(TEMPERATURE)
    assert np.max(np.abs(deviations(points, exact))) < 4
    mean_errors = np.sqrt(np.diag(exact) / CHAINS)
    assert np.max(np.abs(points.mean(0) - CENTER) / mean_errors) < 4

    limit = TEMPERATURE * np.linalg.inv(MATRIX)  # of eta -> 0
    assert np.max(np.abs(deviations(points, limit))) > 8
    wrong_factor = ends(TEMPERATURE / 2)  # as with sqrt(eta T) in place of sqrt(2 eta T)
    assert np.max(np.abs(deviations(wrong_factor, exact))) > 8


def test_a_step_is_gradient_descent_and_noise():
    points = np.vstack([X0, walk(langevin(0.1, 0.2), WAVY, X0, 400).params])
    drift = points[:-1] - 0.1 * np.array([wavy_grad(x) for x in points[:-1]])
    noise = (points[1:] - drift) / np.sqrt(2 * 0.1 * 0.2)
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert abs(noise.var() - 1) < 4 * np.sqrt(2 / noise.size)
    with jax.enable_x64(True):  # what a sample would draw from the same keys
        drawn = np.array([jax.random.normal(sample_key(k), (3,), float) for k in range(400)])
    for sample in (drawn, np.roll(noise, 1, axis=0)):
        assert abs(np.mean(sample * noise)) < 4 / np.sqrt(noise.size)


def test_without_temperature_it_is_gradient_descent():
    one, other = walk(langevin(0.1, 0.0), WAVY, X0, 20), walk(gradient_descent(0.1), WAVY, X0, 20)
    np.testing.assert_allclose(one.params, other.params, rtol=0, atol=1e-15)


def nested_quadratic(params, matrix, center):
    point = jnp.concatenate([params["a"], params["b"].real, params["b"].imag]) - center
    return point @ matrix @ point / 2


def test_noise_depends_on_no_nesting_and_has_two_parts_where_complex():
    nested = Problem(objective=nested_quadratic, start=standard_normal((3,)), data=(MATRIX, CENTER))
    start = {"a": X0[:1], "b": np.array([X0[1] + 1j * X0[2]])}
    points = walk_tree(langevin(0.1, 0.2), nested, start, 10).params
    flat = np.column_stack([points["a"], points["b"].real, points["b"].imag])
    expected = walk(langevin(0.1, 0.2), QUADRATIC, X0, 10).params
    np.testing.assert_allclose(flat, expected, rtol=0, atol=1e-13)


def test_seeds_draw_other_noise():
    fixed = dataclasses.replace(QUADRATIC, start=lambda seed: X0)
    lanes = Lanes(seeds=(0, 1), settings={"temperature": np.array([0.0, 0.4])})
    job = prepare(fixed, [make_method(langevin)], lanes, Plan(num_steps=1))
    none, hot = execute(job).value[..., -1].T
    assert none[0] == none[1]
    assert abs(hot[0] - hot[1]) > 1e-3
