"""Test functions with one long, curved valley."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.linalg

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from problems.newton import NEWTON_STEPS


def _half_square(residuals: Any) -> Any:
    return jnp.sum(residuals**2) / 2


def _rosenbrock_residuals(params: Any) -> Any:
    steep = 10 * (params[1:] - params[:-1] ** 2)
    return jnp.sqrt(2.0) * jnp.concatenate([steep, 1 - params[:-1]])


def _rosenbrock(params: Any) -> Any:
    return jnp.sum(100 * (params[1:] - params[:-1] ** 2) ** 2 + (1 - params[:-1]) ** 2)


def _rosenbrock_trap(dim: int) -> CriticalPoint:
    """The minimum near (-1, 1, ..., 1): Newton's method, whose Hessian is tridiagonal."""
    x = np.ones(dim)
    x[0] = -1.0
    for _ in range(NEWTON_STEPS):
        lead, off = x[:-1], x[1:] - x[:-1] ** 2
        gradient, bands = np.zeros(dim), np.zeros((3, dim))
        gradient[:-1] = -400 * lead * off - 2 * (1 - lead)
        gradient[1:] += 200 * off
        bands[1, :-1] = 800 * lead**2 - 400 * off + 2
        bands[1, 1:] += 200
        bands[0, 1:] = bands[2, :-1] = -400 * lead
        x = x - scipy.linalg.solve_banded((1, 1), bands, gradient)
    value = np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    return CriticalPoint("local minimum", float(value), x)


def rosenbrock(dim: int = 2, start: tuple[float, ...] | None = None) -> Problem:
    """Rosenbrock's curved valley, chained: sum_i 100 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2.

    Dimension: `dim`. Start: (-1.2, 1, -1.2, 1, ...). x* = (1, ..., 1), f* = 0. From dim = 4 on
    there is another local minimum near (-1, 1, ..., 1), with f near 4.
    Constants: none holds globally. At x* in two dimensions the Hessian is
    ((802, -400), (-400, 200)), of condition number 2508.

    Source: Rosenbrock (1960), "An automatic method for finding the greatest or least value of a
    function", The Computer Journal 3, pages 175-184; start: More, Garbow & Hillstrom (1981),
    "Testing unconstrained optimization software", ACM TOMS 7, problems 1 and 21; second minimum:
    Kok & Sandrock (2009), "Locating and characterizing the stationary points of the extended
    Rosenbrock function", Evolutionary Computation 17(3).

    Args:
        dim: number of unknowns, at least 2.
        start: another point of seed 0, as published examples have one.

    Raises:
        OptbenchError: fewer than 2 dimensions, or a start in other dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Rosenbrock function in {dim} dimensions", "give dim >= 2")
    center = np.where(np.arange(dim) % 2 == 0, -1.2, 1.0) if start is None else np.array(start)
    if center.shape != (dim,):
        raise OptbenchError(f"start is {start!r}", f"give {dim} numbers, or another dim")
    return Problem(
        objective=_rosenbrock,
        start=start_near(center),
        minimum=0.0,
        minimizer=np.ones(dim),
        minimum_kind="closed form",
        critical_points=(_rosenbrock_trap(dim),) if dim >= 4 else (),
        constants=Constants(convex=False),
        residuals=_rosenbrock_residuals,
        region=((-2.0, 2.0), (-1.0, 3.0)) if dim == 2 else None,
        name="rosenbrock",
        source="Rosenbrock (1960), The Computer Journal 3, pages 175-184",
    )


def _beale_residuals(params: Any) -> Any:
    x, y = params
    constants = np.array([1.5, 2.25, 2.625])
    powers = jnp.stack([y, y**2, y**3])
    return jnp.sqrt(2.0) * (constants - x * (1 - powers))


def _beale(params: Any) -> Any:
    return _half_square(_beale_residuals(params))


def beale() -> Problem:
    """Beale's function: sum_i (c_i - x (1 - y^i))^2 with c = (1.5, 2.25, 2.625).

    Dimension: 2. Start: (1, 1). x* = (3, 0.5), f* = 0. Along y -> 1, x -> -infinity f falls towards
    an infimum above 0, which methods may follow. (0, 1) is a saddle, with f = 14.203125.
    Constants: none holds globally.

    Source: Beale (1958), "On an iterative method for finding a local minimum of a function of more
    than one variable", Princeton Statistical Techniques Research Group 25; More, Garbow & Hillstrom
    (1981), ACM TOMS 7, problem 5.
    """
    return Problem(
        objective=_beale,
        start=start_near(np.ones(2)),
        minimum=0.0,
        minimizer=np.array([3.0, 0.5]),
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", 14.203125, np.array([0.0, 1.0])),),
        constants=Constants(convex=False),
        residuals=_beale_residuals,
        region=((-0.5, 4.0), (-1.75, 1.75)),
        name="beale",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7, problem 5",
    )


def _dixon_price_residuals(params: Any) -> Any:
    weights = jnp.sqrt(jnp.arange(2, len(params) + 1, dtype=params.dtype))
    chain = weights * (2 * params[1:] ** 2 - params[:-1])
    return jnp.sqrt(2.0) * jnp.concatenate([params[:1] - 1, chain])


def _dixon_price(params: Any) -> Any:
    return _half_square(_dixon_price_residuals(params))


def dixon_price(dim: int = 2) -> Problem:
    """Dixon and Price's function: (x_1 - 1)^2 + sum_{i >= 2} i (2 x_i^2 - x_{i-1})^2.

    Dimension: `dim`. Start: (-5, ..., -5), chosen here, as the literature gives only the box
    [-10, 10]^n; other seeds move it by two standard normals. x*_i = 2^(2^(1-i) - 1), and the same
    with x_n negative; f* = 0. At (1/3, 0, ..., 0) f = 2/3: a saddle in two dimensions, and in more
    one so flat that rounding hides the way down, where many runs end.
    Constants: none holds globally.

    Source: Dixon & Price (1989), "The truncated Newton method for sparse unconstrained optimisation
    using automatic differentiation", J. Optimization Theory and Applications 60(2); box and
    minimizer: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Dixon-Price function in {dim} dimensions", "give dim >= 2")
    saddle = np.array([1 / 3, 0.0])
    return Problem(
        objective=_dixon_price,
        start=start_near(np.full(dim, -5.0), scale=2.0),
        minimum=0.0,
        minimizer=2.0 ** (2.0 ** -np.arange(dim) - 1),
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", 2 / 3, saddle),) if dim == 2 else (),
        constants=Constants(convex=False),
        residuals=_dixon_price_residuals,
        region=((-10.0, 10.0), (-10.0, 10.0)) if dim == 2 else None,
        name="dixon_price",
        source="Dixon & Price (1989), J. Optimization Theory and Applications 60(2)",
    )


def _bukin(params: Any) -> Any:
    x, y = params
    off = jnp.abs(y - 0.01 * x**2)
    root = jnp.where(off == 0, 0.0, jnp.sqrt(jnp.where(off == 0, 1.0, off)))
    return 100 * root + 0.01 * jnp.abs(x + 10)


def bukin() -> Problem:
    """Bukin's sixth function: 100 sqrt |y - 0.01 x^2| + 0.01 |x + 10|, a valley with no floor.

    Dimension: 2. Start: (-5, 3), the corner of the box [-15, -5] x [-3, 3] far from x* (chosen
    here); other seeds move it by a standard normal. x* = (-10, 1), f* = 0, over the whole plane.
    Constants: none: the slope is unbounded at both sides of y = 0.01 x^2, along which f falls by
    0.01 per unit. All of f counts as nonsmooth; on the valley its square root gets slope 0.

    Source: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).
    """
    return Problem(
        objective=_bukin,
        start=start_near(np.array([-5.0, 3.0]), scale=1.0),
        minimum=0.0,
        minimizer=np.array([-10.0, 1.0]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        nonsmooth=_bukin,
        region=((-15.5, -4.5), (-3.5, 3.5)),
        name="bukin",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )
