"""Smooth convex functions whose curvature has no bound: no global L."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from problems.draws import data_rng, orthonormal


def _three_exponentials(params: Any) -> Any:
    first, second = params[0], 3 * params[1]
    return sum(jnp.exp(power - 0.1) for power in (first + second, first - second, -first))


def _hyperbolic(params: Any, curvature: Any, growth: Any) -> Any:
    return 2 * curvature / growth**2 * jnp.sum(jnp.sinh(growth * params / 2) ** 2)


def _quartic(params: Any, *data: Any) -> Any:
    stretch, slopes, heights, pull, center = data
    quartics = jnp.sum((stretch @ params) ** 2) ** 2 + jnp.sum((slopes @ params - heights) ** 4)
    return quartics / 4 + jnp.sum((pull @ params - center) ** 2) / 2


def sum_of_exponentials() -> Problem:
    """f(x) = exp(x_1 + 3 x_2 - 0.1) + exp(x_1 - 3 x_2 - 0.1) + exp(-x_1 - 0.1).

    Dimension: 2. Start: (1, 0.5); other seeds move it by 0.1 times a standard normal.
    x* = (-log(2) / 2, 0), f* = sqrt(8) exp(-0.1) = 2.559267: by symmetry x_2 = 0, which leaves
    2 exp(x_1) + exp(-x_1) to be least.
    Constants: convex, and that is all: the curvature grows with f, and along x_2 it vanishes as x_1
    falls, so that neither L nor mu > 0 nor M holds globally.

    Source: Boyd & Vandenberghe (2004), "Convex Optimization", section 9.3.2, equation 9.20.
    """
    return Problem(
        objective=_three_exponentials,
        start=start_near(np.array([1.0, 0.5])),
        minimum=float(np.sqrt(8) * np.exp(-0.1)),
        minimizer=np.array([-np.log(2) / 2, 0.0]),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        region=((-2.0, 1.5), (-1.0, 1.0)),
        name="sum_of_exponentials",
        source="Boyd & Vandenberghe (2004), section 9.3.2, equation 9.20",
    )


def hyperbolic_cosine(dim: int = 2, curvature: float = 1.0, growth: float = 1.0) -> Problem:
    """f(x) = L_0 / L_1^2 sum_i (cosh(L_1 x_i) - 1): curvature that grows as fast as the slope.

    (L_0, L_1)-smooth: |hess f(x)| <= L_0 + L_1 |grad f(x)|, since cosh <= 1 + |sinh|. A fixed step
    small enough for the start crawls near x*; clipped or normalized steps do not.

    Dimension: `dim`. Start: (5, -5, 5, ...) / L_1, where the curvature is 74 times that at x*;
    other seeds move it by 0.1 times a standard normal. x* = 0, f* = 0.
    Constants: mu = L_0, attained at x*. Neither L nor M holds globally.

    Source: Zhang, He, Sra & Jadbabaie (2020), "Why gradient clipping accelerates training: a
    theoretical justification for adaptivity", ICLR, definition 1.

    Args:
        dim: number of unknowns.
        curvature: L_0, positive.
        growth: L_1, positive.

    Raises:
        OptbenchError: no dimension, or an L_0 or L_1 that is not positive.
    """
    if dim < 1 or not (0 < curvature < np.inf and 0 < growth < np.inf):
        raise OptbenchError(
            f"dim is {dim}, curvature {curvature} and growth {growth}",
            "give dim >= 1, curvature > 0 and growth > 0",
        )
    return Problem(
        objective=_hyperbolic,
        data=(np.float64(curvature), np.float64(growth)),
        start=start_near(np.where(np.arange(dim) % 2, -5.0, 5.0) / growth),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=float(curvature), convex=True),
        region=((-6 / growth, 6 / growth),) * 2 if dim == 2 else None,
        name="hyperbolic_cosine",
        source="Zhang et al. (2020), ICLR, definition 1",
    )


def relatively_smooth_quartic(
    dim: int = 5, condition_number: float = 10.0, seed: int = 0
) -> Problem:
    """f(x) = |E x|^4 / 4 + |A x - b|_4^4 / 4 + |C x - d|^2 / 2, of quartic growth.

    No gradient step of fixed size is safe, yet f is smooth relative to
    h(x) = |x|^4 / 4 + |x|^2 / 2: hess f(x) <= l hess h(x) with
    l = 3 |E|^4 + 3 |A|^4 + 6 |A|^3 |b| + 3 |A|^2 |b|^2 + |C|^2, which Bregman steps with h exploit.

    Dimension: `dim`. Start: (3, -3, 3, ...); other seeds move it by 0.1 times a standard normal.
    x*: standard normal, drawn from the seed of the problem; b leaves residuals of order 1 there,
    and d makes the gradient vanish. f*: the value there.
    Constants: mu = lambda_min(C^T C), the quartics being convex; its eigenvalues are log-spaced in
    [1 / condition_number, 1]. Neither L nor M holds globally.

    Source: Lu, Freund & Nesterov (2018), "Relatively smooth convex optimization by first-order
    methods, and applications", SIAM Journal on Optimization 28(1), pages 333-354.

    Args:
        dim: number of unknowns.
        condition_number: of C^T C.
        seed: of all matrices and of x*.

    Raises:
        OptbenchError: no such condition number in this dimension.
    """
    if dim < 2 or not 1 <= condition_number < np.inf:
        raise OptbenchError(
            f"dim is {dim} and condition_number {condition_number}",
            "give dim >= 2 and condition_number >= 1",
        )
    rng = data_rng(seed)
    stretch, slopes = rng.standard_normal((2, dim, dim)) / np.sqrt(dim)
    minimizer, residuals = rng.standard_normal((2, dim))
    scales = np.sqrt(np.geomspace(1.0, 1 / condition_number, dim))
    pull = orthonormal(rng, dim, dim) * scales @ orthonormal(rng, dim, dim).T
    stretched = stretch @ minimizer
    slope = (stretched @ stretched) * (stretch.T @ stretched) + slopes.T @ residuals**3
    misses = -np.linalg.solve(pull.T, slope)
    quartics = (stretched @ stretched) ** 2 + np.sum(residuals**4)
    return Problem(
        objective=_quartic,
        data=(stretch, slopes, slopes @ minimizer - residuals, pull, pull @ minimizer - misses),
        start=start_near(np.where(np.arange(dim) % 2, -3.0, 3.0)),
        minimum=float(quartics / 4 + misses @ misses / 2),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(strong_convexity=1 / condition_number, convex=True),
        name="relatively_smooth_quartic",
        source="Lu, Freund & Nesterov (2018), SIAM Journal on Optimization 28(1)",
    )
