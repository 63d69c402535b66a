"""Quadratics have the spectra and minimizers they claim, and show what they are cited for."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from optbench.errors import OptbenchError
from problems.quadratics import (
    SPECTRA,
    hilbert_matrix,
    ill_conditioned_bowl,
    nesterov_worst_smooth,
    nesterov_worst_strong,
    paraboloid,
    quadratic,
    saddle,
)


def value(problem, point):
    with jax.enable_x64(True):
        return float(problem.objective(jnp.asarray(point), *problem.data))


@functools.partial(jax.jit, static_argnums=0)
def gradients(objective, points, data):
    return jax.vmap(lambda point: jax.grad(objective)(point, *data))(points)


def quadratic_of(problem):
    """The Hessian and the gradient at 0, which tell all of a quadratic but its value there."""
    with jax.enable_x64(True):
        points = np.vstack([np.zeros(problem.dim), np.eye(problem.dim)])
        slope, *columns = np.asarray(gradients(problem.objective, points, problem.data))
    return np.array(columns) - slope, slope


def conjugate_gradients(hessian, slope, num_steps):
    """x_1, ..., x_k for f = x.Hx / 2 + slope.x from 0."""
    point = np.zeros_like(slope)
    residual = direction = -slope
    points = []
    for _ in range(num_steps):
        image = hessian @ direction
        step = residual @ residual / (direction @ image)
        point, before = point + step * direction, residual @ residual
        residual = residual - step * image
        direction = residual + residual @ residual / before * direction
        points.append(point)
    return points


def gradient_steps(hessian, slope, step, num_steps):
    point, points = np.zeros_like(slope), []
    for _ in range(num_steps):
        point = point - step * (hessian @ point + slope)
        points.append(point)
    return points


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_spectra_are_those_asked_for(spectrum):
    kappa, dim = 1e4, 40
    hessian, _ = quadratic_of(quadratic(dim, kappa, seed=3, spectrum=spectrum))
    rotated = np.linalg.eigvalsh(hessian)[::-1]
    eigenvalues = quadratic(dim, kappa, False, spectrum=spectrum).data[0]
    np.testing.assert_allclose(rotated, eigenvalues, atol=1e-14)
    assert eigenvalues.max() == 1 and eigenvalues.min() == 1 / kappa
    steps = np.diff(eigenvalues)
    if spectrum == "log":
        np.testing.assert_allclose(eigenvalues[1:] / eigenvalues[:-1], 1e4 ** (-1 / 39))
    elif spectrum == "linear":
        np.testing.assert_allclose(steps, -(1 - 1e-4) / 39)
    elif spectrum == "clustered":
        np.testing.assert_allclose(np.unique(eigenvalues), [1e-4, 1e-2, 1])
    elif spectrum == "outliers":
        assert np.count_nonzero(eigenvalues == 1) == 4
        assert np.all(eigenvalues[4:] <= 2e-4)
    else:
        exponent = np.log(kappa) / np.log(dim)
        np.testing.assert_allclose(eigenvalues, np.arange(1, dim + 1) ** -exponent)


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("dim", [2, 3, 11])
def test_spectra_reach_both_ends_in_any_dimension(spectrum, dim):
    for kappa in (1.0, 1.5, 1e8):
        eigenvalues = quadratic(dim, kappa, False, spectrum=spectrum).data[0]
        np.testing.assert_allclose([eigenvalues.max(), eigenvalues.min()], [1, 1 / kappa])
        assert len(eigenvalues) == dim


def test_a_diagonal_quadratic_is_held_as_a_vector():
    problem = quadratic(100_000, 1e8, False)
    assert [np.shape(array) for array in problem.data] == [(100_000,), (100_000,)]
    expected = np.sum(problem.data[0] * problem.minimizer**2) / 2
    np.testing.assert_allclose(value(problem, np.zeros(100_000)), expected, rtol=1e-12)


def test_conjugate_gradients_end_after_as_many_steps_as_there_are_clusters():
    problem = quadratic(30, 100.0, seed=1, spectrum="clustered")
    hessian, slope = quadratic_of(problem)
    size = np.linalg.norm(problem.minimizer)
    points = conjugate_gradients(hessian, slope, 3)
    errors = [np.linalg.norm(x - problem.minimizer) / size for x in points]
    rounding = 100 * np.finfo(float).eps * problem.constants.condition_number
    assert errors[1] > 0.1 and errors[2] < rounding


def test_exact_line_search_zigzags_through_the_bowl_as_published():
    kappa = 10.0
    hessian, _ = quadratic_of(ill_conditioned_bowl(kappa))
    point, ratio = ill_conditioned_bowl(kappa).start(0), (kappa - 1) / (kappa + 1)
    for step in range(1, 6):
        slope = hessian @ point
        point = point - slope @ slope / (slope @ hessian @ slope) * slope
        np.testing.assert_allclose(point, [kappa * ratio**step, (-ratio) ** step], rtol=1e-13)


def test_the_paraboloid_takes_one_step():
    hessian, slope = quadratic_of(paraboloid(3))
    np.testing.assert_array_equal(hessian, np.eye(3))
    np.testing.assert_array_equal(slope, 0)


@pytest.mark.parametrize("dim", [3, 5, 10])
def test_the_hilbert_matrix_has_the_condition_number_of_exact_arithmetic(dim):
    problem = hilbert_matrix(dim)
    with mpmath.workdps(40):
        exact = mpmath.matrix(dim, dim)
        for i in range(dim):
            for j in range(dim):
                exact[i, j] = mpmath.mpf(1) / (i + j + 1)
        eigenvalues = mpmath.eigsy(exact, eigvals_only=True)
        condition_number = float(eigenvalues[dim - 1] / eigenvalues[0])
    np.testing.assert_allclose(problem.constants.condition_number, condition_number, rtol=1e-13)
    np.testing.assert_allclose(problem.data[0], np.array(exact.tolist(), float), rtol=1e-15)


def test_the_hilbert_matrix_has_its_published_condition_number():
    np.testing.assert_allclose(hilbert_matrix().constants.condition_number, 4.7661e5, rtol=1e-5)


def chain(dim, last):
    matrix = 2 * np.eye(dim) - np.eye(dim, k=1) - np.eye(dim, k=-1)
    matrix[-1, -1] = last
    return matrix


def test_nesterov_worst_smooth_is_the_published_chain():
    problem = nesterov_worst_smooth(7, 3.0)
    hessian, slope = quadratic_of(problem)
    np.testing.assert_allclose(hessian, 3 / 4 * chain(7, 2), atol=1e-15)
    np.testing.assert_allclose(slope, -3 / 4 * np.eye(7)[0], atol=1e-15)
    np.testing.assert_allclose(np.linalg.solve(hessian, -slope), problem.minimizer, rtol=1e-13)
    np.testing.assert_allclose(problem.minimum, 3 / 8 * (1 / 8 - 1), rtol=1e-15)
    extremes = np.linalg.eigvalsh(hessian)[[0, -1]]
    constants = problem.constants
    np.testing.assert_allclose(extremes, [constants.strong_convexity, constants.smoothness])


def test_no_span_method_is_faster_than_nesterovs_chain_allows():
    problem, num_steps = nesterov_worst_smooth(21), 10
    hessian, slope = quadratic_of(problem)
    bound = 3 * np.sum(problem.minimizer**2) / (32 * (num_steps + 1) ** 2)
    for points in (
        gradient_steps(hessian, slope, 1.0, num_steps),
        conjugate_gradients(hessian, slope, num_steps),
    ):
        assert np.count_nonzero(points[-1]) == num_steps
        gap = value(problem, points[-1]) - problem.minimum
        assert bound <= gap <= 5 * bound


def test_nesterov_worst_strong_is_the_published_chain_but_for_its_end():
    kappa, smoothness, dim = 25.0, 2.0, 8
    problem = nesterov_worst_strong(dim, kappa, smoothness)
    hessian, slope = quadratic_of(problem)
    mu = smoothness / kappa
    expected = (smoothness - mu) / 4 * chain(dim, (5 + 3) / (5 + 1)) + mu * np.eye(dim)
    np.testing.assert_allclose(hessian, expected, atol=1e-15)
    np.testing.assert_allclose(np.linalg.solve(hessian, -slope), problem.minimizer, rtol=1e-13)
    np.testing.assert_allclose(problem.minimizer, (2 / 3) ** np.arange(1, dim + 1), rtol=1e-14)
    np.testing.assert_allclose(problem.minimum, slope @ problem.minimizer / 2, rtol=1e-14)
    extremes = np.linalg.eigvalsh(hessian)[[0, -1]]
    constants = problem.constants
    np.testing.assert_allclose(extremes, [constants.strong_convexity, constants.smoothness])
    assert mu < constants.strong_convexity and constants.smoothness < smoothness


def test_no_span_method_is_faster_than_the_strongly_convex_chain_allows():
    problem = nesterov_worst_strong(40, 100.0)
    hessian, slope = quadratic_of(problem)
    total, ratio = np.sum(problem.minimizer**2), 9 / 11
    for points in (
        gradient_steps(hessian, slope, 1.0, 10),
        conjugate_gradients(hessian, slope, 10),
    ):
        for step, point in enumerate(points, 1):
            share = (ratio ** (2 * step) - ratio**80) / (1 - ratio**80)
            assert np.sum((point - problem.minimizer) ** 2) >= share * total * (1 - 1e-12)


MALFORMED = [
    lambda: quadratic(spectrum="flat"),
    lambda: quadratic(dim=1),
    lambda: quadratic(condition_number=np.nan),
    lambda: paraboloid(dim=0),
    lambda: ill_conditioned_bowl(condition_number=0.5),
    lambda: hilbert_matrix(dim=15),
    lambda: nesterov_worst_smooth(dim=0),
    lambda: nesterov_worst_smooth(smoothness=0.0),
    lambda: nesterov_worst_strong(condition_number=1.0),
    lambda: nesterov_worst_strong(dim=1),
    lambda: saddle(dim=1),
]


@pytest.mark.parametrize("factory", MALFORMED)
def test_factories_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
