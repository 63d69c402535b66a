"""Quadratic functions of chosen spectrum, and the quadratic saddle."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem, start_near
from problems.draws import data_rng, orthonormal


def _dense_form(params: Any, hessian: Any, minimizer: Any) -> Any:
    offset = params - minimizer
    return offset @ (hessian @ offset) / 2


def _diagonal_form(params: Any, curvatures: Any, minimizer: Any) -> Any:
    return jnp.sum(curvatures * (params - minimizer) ** 2) / 2


def quadratic(
    dim: int = 100, condition_number: float = 10.0, rotated: bool = True, seed: int = 0
) -> Problem:
    """f(x) = (x - x*)^T A (x - x*) / 2, with A's eigenvalues log-spaced in [1 / kappa, 1].

    Dimension: `dim`. Start: 0 for seed 0, standard normal for the others. x*: standard normal,
    drawn from the seed of the problem; f* = 0.
    Constants: L = 1 and mu = 1 / kappa are A's extreme eigenvalues, both attained; M = 0.
    Rotated, A is dense, in a basis drawn uniformly (Haar); not rotated, A is diagonal, is held as
    a vector, and reaches any dimension.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 2.1.3.

    Args:
        dim: number of unknowns.
        condition_number: kappa.
        rotated: whether A is dense.
        seed: of the basis and of x*.

    Raises:
        OptbenchError: the condition number is below 1, or above 1 in one dimension.
    """
    if not condition_number >= 1 or dim < 1 or (dim == 1 and condition_number != 1):
        raise OptbenchError(
            f"no quadratic in {dim} dimensions has condition number {condition_number}",
            "give dim >= 2 and condition_number >= 1",
        )
    rng = data_rng(seed)
    minimizer = rng.standard_normal(dim)
    eigenvalues = np.geomspace(1.0, 1.0 / condition_number, dim)
    curvature = eigenvalues
    if rotated:
        basis = orthonormal(rng, dim, dim)
        product = basis * eigenvalues @ basis.T
        curvature = (product + product.T) / 2
    return Problem(
        objective=_dense_form if rotated else _diagonal_form,
        data=(curvature, minimizer),
        start=start_near(np.zeros(dim), scale=1.0),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=1.0,
            strong_convexity=1.0 / condition_number,
            hessian_lipschitz=0.0,
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        name="quadratic",
        source="Nesterov (2018), section 2.1.3",
    )


def saddle(dim: int = 2) -> Problem:
    """f(x) = (x_1^2 + ... + x_{n-1}^2 - x_n^2) / 2: a saddle at 0 with one way out.

    Dimension: `dim`. Start: (1, ..., 1, 1e-3), near the stable manifold x_n = 0; other seeds move
    it by 1e-3. x*, f*: none, f is unbounded below; the saddle's value is 0, and to escape is to
    fall as far below it as the start lies above.
    Constants: L = 1, attained; the curvature is -1 along x_n; M = 0.
    Gradient descent with step h needs about log(1e3) / log(1 + h) steps to escape.

    Source: Jin et al. (2017), "How to escape saddle points efficiently", ICML, section 1.

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no saddle in {dim} dimensions", "give dim >= 2")
    curvatures = np.ones(dim)
    curvatures[-1] = -1.0
    start = np.ones(dim)
    start[-1] = 1e-3
    return Problem(
        objective=_diagonal_form,
        data=(curvatures, np.zeros(dim)),
        start=start_near(start, scale=1e-3),
        saddle=0.0,
        bounded_below=False,
        constants=Constants(
            smoothness=1.0, hessian_lipschitz=0.0, convex=False, quadratic=True, sharp=True
        ),
        region=((-1.5, 1.5), (-1.5, 1.5)) if dim == 2 else None,
        name="saddle",
        source="Jin et al. (2017), ICML, section 1",
    )
