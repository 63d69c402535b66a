"""Generic members of two classes, free in every number: where worst instances are searched.

Both are separable, which loses nothing for quadratics and methods that do not see the basis.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.problem import Constants, Problem
from optbench.start import start_near

Array = np.ndarray | jax.Array  # the search makes instances of tracers


def piecewise_quadratic(
    knots: Array,
    curvatures: Array,
    start: Array,
    smoothness: float,
    strong_convexity: float,
) -> Problem:
    """f(x) = sum_i phi_i(x_i), each phi_i'' piecewise constant, with minimum 0 at 0.

    Args:
        knots: [n, m] ascending places where phi_i'' jumps.
        curvatures: [n, m + 1] phi_i'' between them, in [mu, L].
        start: [n] x_0.
        smoothness: L of the class.
        strong_convexity: mu of the class.
    """
    return Problem(
        objective=_piecewise_quadratic,
        data=(knots, curvatures),
        start=start_near(start),
        minimum=0.0,
        minimizer=np.zeros(len(start)),
        minimum_kind="closed form",
        constants=Constants(smoothness=smoothness, strong_convexity=strong_convexity, convex=True),
        name="piecewise_quadratic",
    )


def _piecewise_quadratic(params: Any, knots: Any, curvatures: Any) -> Any:
    """phi'(x) is the sum of curvature times the part of [0, x] in each piece."""
    ends = jnp.full_like(knots[:, :1], jnp.inf)
    low, high = jnp.hstack([-ends, knots]), jnp.hstack([knots, ends])
    x = params[:, None]
    inside, origin = jnp.clip(x, low, high), jnp.clip(jnp.zeros_like(x), low, high)
    return jnp.sum(curvatures * (inside - origin) * (x - (inside + origin) / 2))


def diagonal_quadratic(
    eigenvalues: Array, start: Array, smoothness: float, strong_convexity: float
) -> Problem:
    """f(x) = sum_i lambda_i x_i^2 / 2.

    Args:
        eigenvalues: [n] lambda, in [mu, L].
        start: [n] x_0.
        smoothness: L of the class.
        strong_convexity: mu of the class.
    """
    return Problem(
        objective=_diagonal_quadratic,
        data=(eigenvalues,),
        start=start_near(start),
        minimum=0.0,
        minimizer=np.zeros(len(start)),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=smoothness,
            strong_convexity=strong_convexity,
            convex=True,
            quadratic=True,
        ),
        name="diagonal_quadratic",
    )


def _diagonal_quadratic(params: Any, eigenvalues: Any) -> Any:
    return jnp.sum(eigenvalues * params**2) / 2
