"""Test functions that are convex: one bowl."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from problems.spectra import quadratic_constants


def _booth_residuals(params: Any) -> Any:
    x, y = params
    return jnp.sqrt(2.0) * jnp.stack([x + 2 * y - 7, 2 * x + y - 5])


def _booth(params: Any) -> Any:
    return jnp.sum(_booth_residuals(params) ** 2) / 2


def booth() -> Problem:
    """Booth's function: (x + 2 y - 7)^2 + (2 x + y - 5)^2, a convex quadratic.

    Dimension: 2. Start: (-5, -5); other seeds move it by a standard normal. x* = (1, 3), f* = 0.
    Constants: L = 18 and mu = 2, the eigenvalues of the Hessian ((10, 8), (8, 10)); M = 0.

    Source: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).
    """
    return Problem(
        objective=_booth,
        start=start_near(np.full(2, -5.0), scale=1.0),
        minimum=0.0,
        minimizer=np.array([1.0, 3.0]),
        minimum_kind="closed form",
        constants=quadratic_constants(18.0, 2.0),
        residuals=_booth_residuals,
        region=((-10.0, 10.0), (-10.0, 10.0)),
        name="booth",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )


def _matyas(params: Any) -> Any:
    x, y = params
    return 0.26 * (x**2 + y**2) - 0.48 * x * y


def matyas() -> Problem:
    """Matyas' function: 0.26 (x^2 + y^2) - 0.48 x y, a convex quadratic, narrow along x = y.

    Dimension: 2. Start: (-8, 5), chosen here, as the literature gives only the box [-10, 10]^2;
    other seeds move it by two standard normals. x* = (0, 0), f* = 0.
    Constants: L = 1 and mu = 0.04, the eigenvalues of the Hessian ((0.52, -0.48), (-0.48, 0.52)),
    along (1, -1) and (1, 1); M = 0.

    Source: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).
    """
    return Problem(
        objective=_matyas,
        start=start_near(np.array([-8.0, 5.0]), scale=2.0),
        minimum=0.0,
        minimizer=np.zeros(2),
        minimum_kind="closed form",
        constants=quadratic_constants(1.0, 0.04),
        region=((-10.0, 10.0), (-10.0, 10.0)),
        name="matyas",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )


def _trid(params: Any) -> Any:
    return jnp.sum((params - 1) ** 2) - jnp.sum(params[1:] * params[:-1])


def trid(dim: int = 6) -> Problem:
    """Neumaier's Trid function: sum_i (x_i - 1)^2 - sum_{i >= 2} x_i x_{i-1}, a convex quadratic.

    Dimension: `dim`. Start: 0, chosen here, as the literature gives only the box [-n^2, n^2]^n;
    other seeds move it by n^2 / 4 standard normals. x*_i = i (n + 1 - i) and
    f* = -n (n + 4) (n - 1) / 6: -50 for n = 6, -210 for n = 10.
    Constants: the Hessian has 2 on its diagonal and -1 beside it, so L = 2 + 2 cos(pi / (n + 1))
    and mu = 2 - 2 cos(pi / (n + 1)); M = 0.

    Source: Hedar (2007), "Global optimization test problems", Kyoto University; it is problem 3
    of Neumaier's collection.

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Trid function in {dim} dimensions", "give dim >= 2")
    index = np.arange(1.0, dim + 1)
    half_angle = np.pi / (2 * (dim + 1))
    return Problem(
        objective=_trid,
        start=start_near(np.zeros(dim), scale=dim**2 / 4),
        minimum=-dim * (dim + 4) * (dim - 1) / 6,
        minimizer=index * (dim + 1 - index),
        minimum_kind="closed form",
        constants=quadratic_constants(
            4 * float(np.cos(half_angle)) ** 2, 4 * float(np.sin(half_angle)) ** 2
        ),
        region=((-4.0, 4.0), (-4.0, 4.0)) if dim == 2 else None,
        name="trid",
        source="Hedar (2007), Global optimization test problems",
    )


def _zakharov(params: Any) -> Any:
    slope = jnp.sum(jnp.arange(1, len(params) + 1, dtype=params.dtype) * params) / 2
    return jnp.sum(params**2) + slope**2 + slope**4


def zakharov(dim: int = 2) -> Problem:
    """Zakharov's function: |x|^2 + s^2 + s^4 with s = sum_i i x_i / 2.

    Dimension: `dim`. Start: (-4, ..., -4), chosen here, as the literature gives only the box
    [-5, 10]^n; other seeds move it by a standard normal. x* = 0, f* = 0.
    Constants: mu = 2, the curvature at right angles to (1, ..., n): f is |x|^2 and a convex
    function of s, so it is convex. L is unbounded.

    Source: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Zakharov function in {dim} dimensions", "give dim >= 2")
    return Problem(
        objective=_zakharov,
        start=start_near(np.full(dim, -4.0), scale=1.0),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=2.0, convex=True),
        region=((-5.0, 10.0), (-5.0, 10.0)) if dim == 2 else None,
        name="zakharov",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )


def _power(params: Any, exponent: Any) -> Any:
    return jnp.sum(jnp.abs(params) ** exponent) / exponent


def power(exponent: float = 4.0, dim: int = 1) -> Problem:
    """f(x) = sum_i |x_i|^p / p: convex, with no curvature at its minimizer.

    Dimension: `dim`. Start: (1, ..., 1). x* = 0, f* = 0.
    Constants: mu = 0, L is unbounded; M = 2 for p = 3, where the curvatures are 2 |x_i|, else none.
    Gradient descent with a small step takes x_k ~ k^(-1 / (p - 2)), and so
    f_k - f* ~ k^(-p / (p - 2)): k^-2 for p = 4, k^-1.5 for p = 6.
    Newton's method is linear, with factor (p - 2) / (p - 1) per step.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 4.2.2.

    Args:
        exponent: p, above 2.
        dim: number of unknowns, at least 1.

    Raises:
        OptbenchError: the exponent is not above 2, or no dimension.
    """
    if not 2 < exponent < np.inf:
        raise OptbenchError(f"exponent is {exponent}", "give exponent > 2; quadratic is p = 2")
    if dim < 1:
        raise OptbenchError(f"no powers in {dim} dimensions", "give dim >= 1")
    return Problem(
        objective=_power,
        data=(np.float64(exponent),),
        start=start_near(np.ones(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(
            strong_convexity=0.0, hessian_lipschitz=2.0 if exponent == 3 else None, convex=True
        ),
        name="power",
        source="Nesterov (2018), section 4.2.2",
    )


def _powell_sum(params: Any) -> Any:
    exponents = jnp.arange(3, len(params) + 2, dtype=params.dtype)
    return params[0] ** 2 + jnp.sum(jnp.abs(params[1:]) ** exponents)


def powell_sum(dim: int = 2) -> Problem:
    """Powell's sum: sum_i |x_i|^(i + 1), flatter at x* with each coordinate.

    Dimension: `dim`. Start: (1, ..., 1), the corner of the box [-1, 1]^n (chosen here); other seeds
    move it by half a standard normal. x* = 0, f* = 0.
    Constants: mu = 0, for the Hessian at x* is diag(2, 0, ..., 0); L is unbounded. M = 6 for n = 2,
    where the curvature along x_2 is 6 |x_2|, and else none.

    Source: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Powell sum in {dim} dimensions", "give dim >= 2")
    return Problem(
        objective=_powell_sum,
        start=start_near(np.ones(dim), scale=0.5),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(
            strong_convexity=0.0, hessian_lipschitz=6.0 if dim == 2 else None, convex=True
        ),
        region=((-1.5, 1.5), (-1.5, 1.5)) if dim == 2 else None,
        name="powell_sum",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )
