"""Eigenvectors: minimizers over the sphere and over frames of orthonormal columns."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.draws import StartOnSphere, StartOrthonormal, data_rng, orthonormal
from problems.linear_models import variance_of

POLAR_STEPS = 20  # a condition number of 1e5 takes 17 to come near 1, and the error then squares


def _symmetric_part(matrix: Any) -> Any:
    return (matrix + matrix.T) / 2


def _polar(frame: Any, step: Any, *data: Any) -> Any:
    """The nearest matrix with orthonormal columns: the polar factor, by Newton's iteration.

    Unlike the one by singular vectors it can be differentiated where singular values are equal. It
    errs by rounding times the square of the condition number, within the frames.

    Source: Higham (1986), "Computing the polar decomposition with applications", SIAM Journal on
    Scientific and Statistical Computing 7(4), pages 1160-1174.
    """
    root = frame / jnp.linalg.norm(frame) * jnp.sqrt(frame.shape[1])

    def halve(root: Any, _: Any) -> Any:
        return (root + root @ jnp.linalg.inv(root.T @ root)) / 2, None

    return jax.lax.scan(halve, root, None, length=POLAR_STEPS)[0]


def _stiefel_tangent(frame: Any, v: Any, *data: Any) -> Any:
    return v - frame @ _symmetric_part(frame.T @ v)


def _unexplained(frame: Any, features: Any) -> Any:
    explained = jnp.sum((features @ frame) ** 2)
    return (jnp.sum(features**2) - explained) / (2 * features.shape[0])


def _frame_constants(
    features: np.ndarray, leading: np.ndarray, batch_size: int | None
) -> Constants:
    """Of `_unexplained`, for as many columns as there are leading eigenvalues."""
    lengths = np.sum(features**2, axis=1)
    weighted = np.linalg.eigvalsh(features.T * lengths @ features / len(features))
    return Constants(
        smoothness=float(leading[0]),
        hessian_lipschitz=0.0,
        gradient_bound=float(np.linalg.norm(leading)),
        noise_variance=variance_of(float(np.sum(weighted[-len(leading) :])), batch_size),
        convex=False,
        quadratic=True,
    )


def pca_diabetes(num_components: int = 2, batch_size: int | None = None) -> Problem:
    """Principal components of 442 diabetes patients, over frames of orthonormal columns.

    f(W) = mean_i (|x_i|^2 - |W^T x_i|^2) / 2 for 10 standardized features x_i, with W^T W = I:
    half the mean squared distance of a patient from the span of W. The feasible set is the Stiefel
    manifold: prox is the polar factor W (W^T W)^(-1/2), and the tangent part of V is
    V - W sym(W^T V).

    Dimension: 10 x `num_components`. Start: a frame drawn uniformly. x*: the leading eigenvectors
    of C = X^T X / n, up to a rotation of the columns; f* = half the sum of the other eigenvalues.
    Constants: L = lambda_max(C); f is quadratic and concave, with Hessian -C for each column;
    M = 0. On the manifold |grad f| = |C W| is at most G, the root of the sum of the largest squared
    eigenvalues, attained at x*, and the gradient of a batch of B rows has a variance of at most the
    sum of the largest eigenvalues of mean_i |x_i|^2 x_i x_i^T, over B. All frames of eigenvectors
    are critical. Listed: the saddle where the next eigenvector takes the place of the last, and the
    maximum, of the smallest eigenvalues.

    >>> round(pca_diabetes().known_minimum, 6)
    2.241735

    Source: Edelman, Arias & Smith (1998), "The geometry of algorithms with orthogonality
    constraints", SIAM Journal on Matrix Analysis and Applications 20(2), pages 303-353; data:
    Efron, Hastie, Johnstone & Tibshirani (2004).

    Args:
        num_components: columns of W, from 1 to 9.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few or too many components.
    """
    if not 1 <= num_components <= 9:
        raise OptbenchError(
            f"no {num_components} principal components of 10 features",
            "give 1 <= num_components <= 9",
        )
    features = samples.diabetes().features
    values, vectors = np.linalg.eigh(features.T @ features / len(features))
    values, vectors = values[::-1], vectors[:, ::-1]
    best = np.arange(num_components)
    wrong = np.where(best == num_components - 1, num_components, best)

    def unexplained(chosen: np.ndarray) -> float:
        return float(np.sum(np.delete(values, chosen)) / 2)

    problem = Problem(
        objective=_unexplained,
        data=(features,),
        start=StartOrthonormal(features.shape[1], num_components),
        minimum=unexplained(best),
        minimizer=vectors[:, best],
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("saddle", unexplained(wrong), vectors[:, wrong]),
            CriticalPoint("maximum", unexplained(9 - best), vectors[:, 9 - best]),
        ),
        constants=_frame_constants(features, values[best], batch_size),
        prox=_polar,
        tangent=_stiefel_tangent,
        row_arrays=1,
        name="pca_diabetes",
        source="Edelman, Arias & Smith (1998), SIMAX 20(2), pages 303-353",
    )
    return minibatches(problem, batch_size)


def _rayleigh(vector: Any, matrix: Any) -> Any:
    return vector @ (matrix @ vector) / (vector @ vector)


def _normalize(vector: Any, step: Any, *data: Any) -> Any:
    return vector / jnp.linalg.norm(vector)


def _sphere_tangent(vector: Any, v: Any, *data: Any) -> Any:
    return v - (vector @ v) * vector


def rayleigh_quotient(dim: int = 10, condition_number: float = 100.0, seed: int = 0) -> Problem:
    """The Rayleigh quotient on the unit sphere: f(x) = x^T A x / x^T x.

    A has eigenvalues log-spaced in [1 / condition_number, 1] and random eigenvectors. prox is
    x / |x|, and the tangent part of v is v - (x.v) x.

    Dimension: `dim`. Start: drawn uniformly from the sphere. x*: the eigenvector of the smallest
    eigenvalue, up to its sign; f* = 1 / condition_number.
    Constants: L = 4 (1 - 1 / condition_number): with s half the spread of the eigenvalues, which f
    may be shifted to have around 0, |A x|, |f| <= s and |grad f| <= 2 s, so that the Hessian
    2 (A - f) - 2 (x g^T + g x^T) and the slope of the gradient 2 (A - f) x between points of the
    sphere are at most 8 s. G = 1 - 1 / condition_number = 2 s, as |(A - f) x| is the standard
    deviation of the eigenvalues in the weights x_i^2, attained between the extreme ones. All other
    eigenvectors are critical points: the one of the largest eigenvalue is a maximum, and those
    between are saddles, from which 1, 2, ... directions lead down.

    Source: Absil, Mahony & Sepulchre (2008), "Optimization Algorithms on Matrix Manifolds",
    sections 2.1 and 4.6.

    Args:
        dim: number of unknowns, at least 2.
        condition_number: of A, above 1.
        seed: of the eigenvectors.

    Raises:
        OptbenchError: fewer than 2 dimensions, or all eigenvalues equal.
    """
    if dim < 2 or not 1 < condition_number < np.inf:
        raise OptbenchError(
            f"no Rayleigh quotient with dim {dim} and condition {condition_number}",
            "give dim >= 2 and condition_number > 1",
        )
    values = np.geomspace(1 / condition_number, 1, dim)
    spread = float(values[-1] - values[0])
    vectors = orthonormal(data_rng(seed), dim, dim)
    return Problem(
        objective=_rayleigh,
        data=(vectors * values @ vectors.T,),
        start=StartOnSphere(dim),
        minimum=float(values[0]),
        minimizer=vectors[:, 0],
        minimum_kind="closed form",
        critical_points=(
            *(CriticalPoint("saddle", float(values[i]), vectors[:, i]) for i in range(1, dim - 1)),
            CriticalPoint("maximum", float(values[-1]), vectors[:, -1]),
        ),
        constants=Constants(smoothness=4 * spread, gradient_bound=spread, convex=False),
        prox=_normalize,
        tangent=_sphere_tangent,
        name="rayleigh_quotient",
        source="Absil, Mahony & Sepulchre (2008), sections 2.1 and 4.6",
    )
