"""Smooth convex functions that grow linearly: their gradients are bounded."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from problems.draws import data_rng


def _huber(params: Any, threshold: Any) -> Any:
    inside = jnp.clip(params, -threshold, threshold)
    return jnp.sum(inside * (params - inside / 2))


def _log_cosh(params: Any) -> Any:
    return jnp.sum(jnp.logaddexp(params, -params) - jnp.log(2.0))


def _log_sum_exp(params: Any, slopes: Any, heights: Any, smoothing: Any) -> Any:
    return smoothing * jax.nn.logsumexp((slopes @ params - heights) / smoothing)


def _far(dim: int) -> np.ndarray:
    """3, -2, 3, -2, ..."""
    return np.where(np.arange(dim) % 2, -2.0, 3.0)


def huber(dim: int = 2, threshold: float = 1.0) -> Problem:
    """f(x) = sum_i h(x_i), with h(x) = x^2 / 2 for |x| <= d, and d (|x| - d / 2) beyond.

    Dimension: `dim`. Start: (3, -2, 3, ...); other seeds move it by 0.1 times a standard normal.
    x* = 0, f* = 0.
    Constants: L = 1, attained at x*; mu = 0, attained where all |x_i| > d, as at the start for
    d < 2; G = d sqrt(n); h'' jumps, so there is no M.

    Source: Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical
    Statistics 35(1), pages 73-101.

    Args:
        dim: n, number of unknowns.
        threshold: d, positive.

    Raises:
        OptbenchError: no dimension, or a threshold that is not positive.
    """
    if dim < 1 or not 0 < threshold < np.inf:
        raise OptbenchError(
            f"dim is {dim} and threshold {threshold}", "give dim >= 1 and threshold > 0"
        )
    return Problem(
        objective=_huber,
        data=(np.float64(threshold),),
        start=start_near(_far(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=1.0,
            strong_convexity=0.0,
            gradient_bound=float(threshold * np.sqrt(dim)),
            convex=True,
            sharp=threshold < 2,
        ),
        region=((-4.0, 4.0), (-4.0, 4.0)) if dim == 2 else None,
        name="huber",
        source="Huber (1964), Annals of Mathematical Statistics 35(1), pages 73-101",
    )


def log_cosh(dim: int = 2) -> Problem:
    """f(x) = sum_i log cosh x_i: half a square near 0, |x| - log 2 far from it.

    Dimension: `dim`. Start: (3, -2, 3, ...); other seeds move it by 0.1 times a standard normal.
    x* = 0, f* = 0.
    Constants: f'' = 1 / cosh^2 falls from L = 1 at x* to mu = 0 at infinity; M = 4 / sqrt(27), the
    largest 2 tanh / cosh^2; G = sqrt(n), as |tanh| < 1.

    Source: Green (1990), "Bayesian reconstructions from emission tomography data using a modified
    EM algorithm", IEEE Transactions on Medical Imaging 9(1), pages 84-93.

    Args:
        dim: n, number of unknowns.

    Raises:
        OptbenchError: no dimension.
    """
    if dim < 1:
        raise OptbenchError(f"dim is {dim}", "give dim >= 1")
    return Problem(
        objective=_log_cosh,
        start=start_near(_far(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=1.0,
            strong_convexity=0.0,
            hessian_lipschitz=float(4 / np.sqrt(27)),
            gradient_bound=float(np.sqrt(dim)),
            convex=True,
        ),
        region=((-4.0, 4.0), (-4.0, 4.0)) if dim == 2 else None,
        name="log_cosh",
        source="Green (1990), IEEE Transactions on Medical Imaging 9(1), pages 84-93",
    )


def log_sum_exp(
    num_terms: int = 50, dim: int = 10, smoothing: float = 1.0, seed: int = 0
) -> Problem:
    """f(x) = s log sum_i exp((a_i.x - b_i) / s): a smooth maximum of affine functions.

    The slopes a_i are standard normal draws less their mean in the weights that the terms have at
    x*, so that the gradient vanishes there; the terms differ by standard normal draws c_i at x*.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal. x*: standard
    normal, drawn from the seed of the problem; f* = s log sum_i exp(c_i / s).
    Constants: the Hessian is the covariance of the slopes in the weights p of the terms, over s.
    As diag(p) - p p^T has eigenvalues of at most 1/2, and |a_i| <= G for the longest slope,
    L = min(G^2, lambda_max(A^T A) / 2) / s; mu = 0; M = 4 G^3 / (sqrt(27) s^2), since a random
    number in an interval of width 2 G has a third central moment of at most (2 G)^3 / sqrt(108).

    Source: O'Donoghue & Candes (2015), "Adaptive restart for accelerated gradient schemes",
    Foundations of Computational Mathematics 15, pages 715-732.

    Args:
        num_terms: affine functions, more than `dim`.
        dim: number of unknowns.
        smoothing: s, positive; f is within s log(num_terms) of the maximum.
        seed: of the functions and of x*.

    Raises:
        OptbenchError: too few terms, or no smoothing.
    """
    if not 1 <= dim < num_terms or not 0 < smoothing < np.inf:
        raise OptbenchError(
            f"dim is {dim}, num_terms {num_terms} and smoothing {smoothing}",
            "give 1 <= dim < num_terms and smoothing > 0",
        )
    rng = data_rng(seed)
    minimizer, offsets = rng.standard_normal(dim), rng.standard_normal(num_terms)
    weights = np.exp((offsets - np.max(offsets)) / smoothing)
    total = np.sum(weights)
    slopes = rng.standard_normal((num_terms, dim))
    slopes -= weights / total @ slopes
    longest = float(np.max(np.linalg.norm(slopes, axis=1)))
    widest = float(np.linalg.eigvalsh(slopes.T @ slopes)[-1])
    return Problem(
        objective=_log_sum_exp,
        data=(slopes, slopes @ minimizer - offsets, np.float64(smoothing)),
        start=start_near(np.zeros(dim)),
        minimum=float(np.max(offsets) + smoothing * np.log(total)),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=min(longest**2, widest / 2) / smoothing,
            strong_convexity=0.0,
            hessian_lipschitz=float(4 * longest**3 / (np.sqrt(27) * smoothing**2)),
            gradient_bound=longest,
            convex=True,
        ),
        name="log_sum_exp",
        source="O'Donoghue & Candes (2015), Foundations of Computational Mathematics 15",
    )
