"""Finite sums whose every term is least at x*: noise that vanishes there."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems.draws import data_rng, orthonormal
from problems.linear_models import errors, half_mean_square, least_squares, predictions
from problems.spectra import quadratic_constants


def _consistent_system(
    name: str, features: np.ndarray, minimizer: np.ndarray, constants: Constants, source: str
) -> Problem:
    """Least squares that fits every row exactly at the minimizer, from a start at 0."""
    return Problem(
        objective=least_squares,
        data=(features, features @ minimizer),
        start=start_near(np.zeros(len(minimizer)), scale=1.0),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=constants,
        residuals=errors,
        outputs=predictions,
        output_loss=half_mean_square,
        row_arrays=2,
        name=name,
        source=source,
    )


def interpolation(
    num_samples: int = 20,
    dim: int = 40,
    condition_number: float = 10.0,
    seed: int = 0,
    *,
    batch_size: int | None = 4,
) -> Problem:
    """Least squares with more unknowns than rows: f(w) = |X w - y|^2 / (2 n), all rows fitted.

    Every row's gradient vanishes at x*, and the noise with it: SGD with a fixed step converges
    linearly, as gradient descent does. One row's gradient keeps the strong growth condition
    E |g_i|^2 <= rho |grad f|^2 with rho = max_i |x_i|^2 condition_number.

    Dimension: `dim`. Start: 0; other seeds move it by a standard normal, and off the span of the
    rows. x*: the solution in that span, which is where methods that move in it end up from 0;
    every w with X w = y is as low. f* = 0.
    Constants: X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1], and 0 on the
    null space: L = 1 and mu = 0, both attained; M = 0. No noise_variance holds globally: the
    noise grows with the distance from the solutions.

    Source: Vaswani, Bach & Schmidt (2019), "Fast and faster convergence of SGD for
    over-parameterized models and an accelerated perceptron", AISTATS.

    Args:
        num_samples: n, rows of X.
        dim: number of unknowns, above n.
        condition_number: of the nonzero eigenvalues.
        seed: of X and x*.
        batch_size: rows per sample; None for exact gradients.

    Raises:
        OptbenchError: no more unknowns than rows, or no such condition number or batch.
    """
    if not 1 < num_samples < dim:
        raise OptbenchError(
            f"{num_samples} rows of {dim} unknowns are not over-parameterized",
            "give 1 < num_samples < dim",
        )
    if not 1 <= condition_number < np.inf:
        raise OptbenchError(f"condition_number is {condition_number}", "give condition_number >= 1")
    rng = data_rng(seed)
    left = orthonormal(rng, num_samples, num_samples)
    right = orthonormal(rng, dim, num_samples)
    singular_values = np.sqrt(num_samples * np.geomspace(1.0, 1 / condition_number, num_samples))
    problem = _consistent_system(
        "interpolation",
        left * singular_values @ right.T,
        right @ (right.T @ rng.standard_normal(dim)),
        quadratic_constants(1.0, 0.0),
        "Vaswani, Bach & Schmidt (2019), AISTATS",
    )
    return dataclasses.replace(minibatches(problem, batch_size), name="interpolation")


def kaczmarz(
    num_samples: int = 40, dim: int = 10, seed: int = 0, *, batch_size: int | None = 1
) -> Problem:
    """A consistent system of unit rows: f(x) = |A x - b|^2 / (2 n), with A x* = b.

    SGD on single rows with step 1 is the randomized Kaczmarz method: each step projects on the
    solutions of one equation, and E |x_{k+1} - x*|^2 = |x_k - x*|^2 - 2 f(x_k), at most
    (1 - mu) |x_k - x*|^2.

    Dimension: `dim`. Start: 0; other seeds move it by a standard normal. x*: standard normal,
    drawn from the seed of the problem; f* = 0.
    Constants: L and mu are the extreme eigenvalues of A^T A / n, both attained; M = 0. No
    noise_variance holds globally: the noise grows with the distance from x*, where it vanishes.

    Source: Strohmer & Vershynin (2009), "A randomized Kaczmarz algorithm with exponential
    convergence", Journal of Fourier Analysis and Applications 15, theorem 2.

    Args:
        num_samples: n, equations, at least `dim`.
        dim: number of unknowns.
        seed: of A and x*.
        batch_size: equations per sample; None for exact gradients.

    Raises:
        OptbenchError: fewer equations than unknowns, or no such batch.
    """
    if not 1 <= dim <= num_samples:
        raise OptbenchError(
            f"{num_samples} equations do not determine {dim} unknowns",
            "give 1 <= dim <= num_samples",
        )
    rng = data_rng(seed)
    rows = rng.standard_normal((num_samples, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    eigenvalues = np.linalg.svd(rows, compute_uv=False) ** 2 / num_samples
    problem = _consistent_system(
        "kaczmarz",
        rows,
        rng.standard_normal(dim),
        quadratic_constants(eigenvalues[0], eigenvalues[-1]),
        "Strohmer & Vershynin (2009), Journal of Fourier Analysis and Applications 15",
    )
    return dataclasses.replace(minibatches(problem, batch_size), name="kaczmarz")


def _mean_curvature(params: Any, curvatures: Any) -> Any:
    return jnp.mean(curvatures) * jnp.sum(params**2) / 2


def nonuniform_curvature(
    mean_curvature: float = 1.0,
    nonuniformity: float = 1.0,
    dim: int = 1,
    *,
    batch_size: int | None = 1,
) -> Problem:
    """f(x) = mean_i a_i |x|^2 / 2 with a = (A - s, A + s): a minimum that SGD may not hold.

    A step of size h multiplies E |x|^2 by (1 - h A)^2 + h^2 s^2 / B, B the batch size: SGD is
    stable in mean square for h <= 2 A / (A^2 + s^2 / B), well below the 2 / A of gradient descent,
    although all noise vanishes at x*.

    Dimension: `dim`. Start: (1, ..., 1); other seeds move it by 0.1 times a standard normal.
    x* = 0, f* = 0.
    Constants: L = mu = A, both attained; M = 0. No noise_variance holds globally: it is
    s^2 |x|^2 / B.

    Source: Wu, Ma & E (2018), "How SGD selects the global minima in over-parameterized learning: a
    dynamical stability perspective", NeurIPS 31, pages 8279-8288.

    Args:
        mean_curvature: A, the sharpness, positive.
        nonuniformity: s, the standard deviation of the curvatures.
        dim: number of unknowns.
        batch_size: curvatures per sample, 1 or 2; None for exact gradients.

    Raises:
        OptbenchError: a curvature that is not positive, no dimension, or no such batch.
    """
    if not (0 < mean_curvature < np.inf and 0 <= nonuniformity < np.inf and dim >= 1):
        raise OptbenchError(
            f"no curvatures {mean_curvature} +- {nonuniformity} in {dim} dimensions",
            "give mean_curvature > 0, nonuniformity >= 0 and dim >= 1",
        )
    problem = Problem(
        objective=_mean_curvature,
        data=(mean_curvature + nonuniformity * np.array([-1.0, 1.0]),),
        start=start_near(np.ones(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=quadratic_constants(mean_curvature, mean_curvature),
        row_arrays=1,
        name="nonuniform_curvature",
        source="Wu, Ma & E (2018), NeurIPS 31",
    )
    return dataclasses.replace(minibatches(problem, batch_size), name="nonuniform_curvature")
