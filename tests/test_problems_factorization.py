"""Factorizations and eigenvectors agree with SVD, eigenvectors and scikit-learn."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from jax.flatten_util import ravel_pytree
from sklearn.decomposition import PCA

from optbench.checks.probes import pack
from optbench.errors import OptbenchError
from optbench.trees import norm
from problems.draws import StartOnSphere, StartOrthonormal
from problems.factorization.eigenvectors import pca_diabetes, rayleigh_quotient
from problems.factorization.matrices import (
    matrix_factorization,
    phase_retrieval,
    symmetric_factorization,
)

RNG = np.random.default_rng(13)


@functools.partial(jax.jit, static_argnums=0)
def evaluated(objective, params, data):
    return jax.value_and_grad(objective)(params, *data)


def value(problem, params):
    with jax.enable_x64(True):
        return float(evaluated(problem.objective, params, problem.data)[0])


def gradient_norm(problem, params):
    with jax.enable_x64(True):
        return float(norm(evaluated(problem.objective, params, problem.data)[1]))


def retracted(problem, params):
    with jax.enable_x64(True):
        return np.asarray(problem.prox(jnp.asarray(params), 1.0, *problem.data))


def test_matrix_factorization_is_the_truncated_svd():
    problem = matrix_factorization(num_rows=7, num_columns=5, rank=3, decay=0.5)
    (matrix,), (left, right) = problem.data, problem.minimizer
    u, s, vh = np.linalg.svd(matrix)
    np.testing.assert_allclose(s, 0.5 ** np.arange(5), rtol=1e-13)
    np.testing.assert_allclose(left @ right.T, u[:, :3] * s[:3] @ vh[:3], atol=1e-14)
    np.testing.assert_allclose(problem.minimum, np.sum(s[3:] ** 2) / 2, rtol=1e-13)
    np.testing.assert_allclose(left.T @ left, right.T @ right, atol=1e-14)  # balanced
    mixing = RNG.standard_normal((3, 3))
    equal = left @ mixing, right @ np.linalg.inv(mixing).T
    np.testing.assert_allclose(value(problem, equal), problem.minimum, rtol=1e-10)


def test_factors_have_the_residuals_of_a_matrix():
    problem = matrix_factorization()
    left, right = (RNG.standard_normal(part.shape) for part in problem.start(0))
    expected = np.linalg.norm(problem.data[0] - left @ right.T, "fro") ** 2 / 2
    np.testing.assert_allclose(value(problem, (left, right)), expected, rtol=1e-13)


def test_symmetric_factorization_is_the_truncated_spectrum():
    problem = symmetric_factorization(dim=6, rank=2)
    (matrix,) = problem.data
    s, v = np.linalg.eigh(matrix)
    best = v[:, -2:] * s[-2:] @ v[:, -2:].T
    np.testing.assert_allclose(problem.minimizer @ problem.minimizer.T, best, atol=1e-14)
    np.testing.assert_allclose(problem.minimum, np.sum(s[:-2] ** 2) / 4, rtol=1e-12)
    factor = RNG.standard_normal((6, 2))
    expected = np.linalg.norm(matrix - factor @ factor.T, "fro") ** 2 / 4
    np.testing.assert_allclose(value(problem, factor), expected, rtol=1e-13)


@pytest.mark.parametrize("factory", [matrix_factorization, symmetric_factorization])
def test_factorizations_have_saddles_that_are_strict(factory):
    """The Hessian at each saddle has a negative eigenvalue, and the gradient vanishes."""
    problem = factory()
    _, unravel = ravel_pytree(problem.start(0))

    @jax.jit
    def hessian(flat):
        return jax.hessian(lambda x: problem.objective(unravel(x), *problem.data))(flat)

    for point in problem.critical_points:
        assert gradient_norm(problem, point.point) < 1e-14
        np.testing.assert_allclose(value(problem, point.point), point.value, rtol=1e-13)
        with jax.enable_x64(True):
            eigenvalues = np.linalg.eigvalsh(hessian(pack(point.point)))
        assert eigenvalues[0] < -1e-2
        assert (eigenvalues[-1] <= 1e-14) == (point.kind == "maximum")


def test_pca_equals_scikit_learn():
    problem = pca_diabetes(num_components=4)
    (features,) = problem.data
    model = PCA(4, svd_solver="full").fit(features)
    span = problem.minimizer @ problem.minimizer.T
    np.testing.assert_allclose(span, model.components_.T @ model.components_, atol=1e-12)
    lost = np.sum((features - model.inverse_transform(model.transform(features))) ** 2)
    np.testing.assert_allclose(problem.minimum, lost / (2 * 442), rtol=1e-12)
    frame = problem.start(3)
    lost = np.sum((features - features @ frame @ frame.T) ** 2)
    np.testing.assert_allclose(value(problem, frame), lost / (2 * 442), rtol=1e-12)
    rotation = StartOrthonormal(4, 4)(5)
    np.testing.assert_allclose(value(problem, problem.minimizer @ rotation), problem.minimum)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_retraction_is_the_polar_factor(scale):
    """As scipy has it, by singular values, but for rounding times the square of the condition."""
    for smallest in (1.0, 1e-2, 1e-4):
        left, right = StartOrthonormal(10, 3)(1), StartOrthonormal(3, 3)(2)
        frame = scale * left * np.array([1.0, 0.5, smallest]) @ right.T
        found, expected = retracted(pca_diabetes(3), frame), scipy.linalg.polar(frame)[0]
        np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-14)
        np.testing.assert_allclose(found, expected, atol=2.2e-16 * (16 + smallest**-2))


def test_the_retraction_bends_where_singular_values_are_equal():
    """The derivative of the polar factor at a frame is the projection on the tangent space."""
    problem, frame, v = pca_diabetes(3), StartOrthonormal(10, 3)(1), RNG.standard_normal((10, 3))
    with jax.enable_x64(True):
        _, moved = jax.jvp(lambda w: problem.prox(w, 1.0), (jnp.asarray(frame),), (jnp.asarray(v),))
        along = problem.tangent(jnp.asarray(frame), jnp.asarray(v))
    np.testing.assert_allclose(moved, along, atol=1e-13)
    skew = frame.T @ np.asarray(along)
    np.testing.assert_allclose(skew, -skew.T, atol=1e-13)


def test_rayleigh_quotient_has_the_spectrum_asked_for():
    problem = rayleigh_quotient(dim=5, condition_number=16.0)
    (matrix,) = problem.data
    eigenvalues, vectors = np.linalg.eigh(matrix)
    np.testing.assert_allclose(eigenvalues, [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1], rtol=1e-13)
    np.testing.assert_allclose(abs(problem.minimizer @ vectors[:, 0]), 1, rtol=1e-13)
    np.testing.assert_allclose([p.value for p in problem.critical_points], eigenvalues[1:])
    assert [p.kind for p in problem.critical_points] == ["saddle"] * 3 + ["maximum"]
    x = 3 * RNG.standard_normal(5)
    np.testing.assert_allclose(value(problem, x), x @ matrix @ x / (x @ x), rtol=1e-13)
    np.testing.assert_allclose(retracted(problem, x), x / np.linalg.norm(x), rtol=1e-14)


def test_rayleigh_gradients_turn_no_faster_than_claimed():
    """At 2000 pairs of points of the sphere, near and far; the plane holds the worst."""
    for dim in (2, 6):
        problem = rayleigh_quotient(dim=dim, condition_number=50.0)
        (matrix,), bound = problem.data, problem.constants.smoothness

        def gradients(x, matrix=matrix):
            image = x @ matrix
            return 2 * (image - np.sum(image * x, axis=1, keepdims=True) * x)

        x = RNG.standard_normal((2000, dim))
        y = x + np.repeat([[1e-3], [1.0]], 1000, axis=0) * RNG.standard_normal((2000, dim))
        x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
        slopes = np.linalg.norm(gradients(x) - gradients(y), axis=1) / np.linalg.norm(x - y, axis=1)
        assert bound / 4 < np.max(slopes) < bound


def test_starts_lie_on_the_sphere_and_on_the_manifold():
    for seed in (0, 1):
        np.testing.assert_allclose(np.linalg.norm(StartOnSphere(7)(seed)), 1, rtol=1e-14)
        frame = StartOrthonormal(7, 3)(seed)
        np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-14)
    assert not np.allclose(StartOnSphere(7)(0), StartOnSphere(7)(1))


def test_phase_retrieval_has_the_intensities_of_its_signal():
    problem = phase_retrieval(num_samples=24, dim=5)
    real, imaginary, intensities = problem.data
    vectors = real + 1j * imaginary
    assert np.iscomplexobj(problem.start(0)) and problem.start(0).shape == (5,)

    def loss(x):
        projections = np.array([np.vdot(a, x) for a in vectors])
        return np.mean((np.abs(projections) ** 2 - intensities) ** 2) / 4

    x = RNG.standard_normal(5) + 1j * RNG.standard_normal(5)
    np.testing.assert_allclose(value(problem, x), loss(x), rtol=1e-13)
    np.testing.assert_allclose(np.linalg.norm(problem.minimizer), 1, rtol=1e-14)
    for turn in (1.0, 1j, np.exp(0.3j)):
        assert value(problem, turn * problem.minimizer) < 1e-30
        np.testing.assert_allclose(value(problem, turn * x), loss(x), rtol=1e-13)
    assert value(problem, np.conj(problem.minimizer)) > 1e-3  # no symmetry
    assert gradient_norm(problem, np.zeros(5, complex)) == 0


def test_sensing_vectors_are_complex_standard_normal():
    real, imaginary, _ = phase_retrieval(num_samples=5000, dim=2).data
    vectors = real + 1j * imaginary
    np.testing.assert_allclose(vectors.conj().T @ vectors / 5000, np.eye(2), atol=0.08)
    np.testing.assert_allclose(vectors.T @ vectors / 5000, np.zeros((2, 2)), atol=0.08)


@pytest.mark.parametrize(
    "factory",
    [
        lambda: matrix_factorization(rank=0),
        lambda: matrix_factorization(rank=8),
        lambda: matrix_factorization(decay=1.0),
        lambda: symmetric_factorization(rank=10),
        lambda: symmetric_factorization(decay=0.0),
        lambda: pca_diabetes(num_components=0),
        lambda: pca_diabetes(num_components=10),
        lambda: pca_diabetes(batch_size=443),
        lambda: rayleigh_quotient(dim=1),
        lambda: rayleigh_quotient(condition_number=1.0),
        lambda: phase_retrieval(dim=0),
        lambda: phase_retrieval(num_samples=15),
        lambda: phase_retrieval(batch_size=0),
    ],
)
def test_factorizations_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
