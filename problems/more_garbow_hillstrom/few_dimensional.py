"""Equations in two to four unknowns: curved valleys, bad scaling, a singular Jacobian."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from problems.more_garbow_hillstrom.stationary_points import critical_point
from problems.more_garbow_hillstrom.sums_of_squares import Residuals, SumOfSquares


def _freudenstein_roth(params: Any) -> Any:
    x, y = params
    return x - 13 + ((5 - y) * y - 2) * y, x - 29 + ((y + 1) * y - 14) * y


def _freudenstein_roth_ridge(y: float) -> tuple[float, np.ndarray]:
    """The lowest f for this y, and where: there both terms have one size and opposite signs."""
    difference = 16 + 12 * y + 4 * y**2 - 2 * y**3
    x = (42 - ((5 - y) * y - 2) * y - ((y + 1) * y - 14) * y) / 2
    return float(difference**2 / 2), np.array([x, y])


def freudenstein_roth() -> Problem:
    """Freudenstein and Roth's function: a deep minimum, and a shallow one on the way.

    f(x) = (x_1 - 13 + ((5 - x_2) x_2 - 2) x_2)^2 + (x_1 - 29 + ((x_2 + 1) x_2 - 14) x_2)^2.

    Dimension: 2. Start: (0.5, -2). x* = (5, 4), f* = 0. From the start most methods fall into the
    local minimum 48.9842... at (11.41..., -0.8968...). There and at the saddle between the two,
    x_2 = (2 -+ sqrt(22)) / 3: minimized over x_1, f is half the square of a cubic in x_2.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 2; Freudenstein & Roth (1963),
    "Numerical solution of systems of nonlinear equations", Journal of the ACM 10.
    """
    trap = _freudenstein_roth_ridge((2 - np.sqrt(22)) / 3)
    saddle = _freudenstein_roth_ridge((2 + np.sqrt(22)) / 3)
    return Problem(
        objective=SumOfSquares(_freudenstein_roth),
        start=start_near(np.array([0.5, -2.0])),
        minimum=0.0,
        minimizer=np.array([5.0, 4.0]),
        minimum_kind="closed form",
        critical_points=(CriticalPoint("local minimum", *trap), CriticalPoint("saddle", *saddle)),
        constants=Constants(convex=False),
        residuals=Residuals(_freudenstein_roth),
        region=((-5.0, 20.0), (-4.0, 6.0)),
        name="freudenstein_roth",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 2",
    )


def _powell_badly_scaled(params: Any) -> Any:
    x, y = params
    return 1e4 * x * y - 1, jnp.exp(-x) + jnp.exp(-y) - 1.0001


def powell_badly_scaled() -> Problem:
    """Powell's badly scaled function: (10^4 x_1 x_2 - 1)^2 + (exp(-x_1) + exp(-x_2) - 1.0001)^2.

    Dimension: 2. Start: (0, 1). x* = (1.098...e-5, 9.106...), f* = 0; (x_2*, x_1*) is as low.
    Along x_1 x_2 = 10^-4 the first term is 0, and f nearly flat.
    x_2* is the fixed point of x -> -log(10^-4 + 1 - exp(-10^-4 / x)), a contraction by 0.011.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 3; Powell (1970), "A hybrid
    method for nonlinear equations".
    """
    y = 9.0
    for _ in range(20):
        y = -np.log(1e-4 - np.expm1(-1e-4 / y))
    return Problem(
        objective=SumOfSquares(_powell_badly_scaled),
        start=start_near(np.array([0.0, 1.0])),
        minimum=0.0,
        minimizer=np.array([1e-4 / y, y]),
        minimum_kind="published",
        constants=Constants(convex=False),
        residuals=Residuals(_powell_badly_scaled),
        region=((-2e-5, 1.2e-4), (0.0, 10.0)),
        name="powell_badly_scaled",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 3",
    )


def _brown_badly_scaled(params: Any) -> Any:
    x, y = params
    return x - 1e6, y - 2e-6, x * y - 2


def brown_badly_scaled() -> Problem:
    """Brown's badly scaled function: (x_1 - 10^6)^2 + (x_2 - 2e-6)^2 + (x_1 x_2 - 2)^2.

    Dimension: 2. Start: (1, 1). x* = (10^6, 2e-6), f* = 0. At x* the Hessian is
    ((2, 4), (4, 2e12)) to twelve digits, of condition number 10^12.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 4.
    """
    return Problem(
        objective=SumOfSquares(_brown_badly_scaled),
        start=start_near(np.ones(2)),
        minimum=0.0,
        minimizer=np.array([1e6, 2e-6]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=Residuals(_brown_badly_scaled),
        region=((-2e5, 1.2e6), (-1.0, 2.0)),
        name="brown_badly_scaled",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 4",
    )


def _helical_valley(params: Any) -> Any:
    x, y, z = params
    turns = jnp.arctan2(-x, y) / (2 * jnp.pi) + 0.25
    return 10 * (z - 10 * turns), 10 * (jnp.sqrt(x**2 + y**2) - 1), z


def helical_valley() -> Problem:
    """Fletcher and Powell's helical valley: one turn of a helix of radius 1, falling by 10.

    f(x) = 100 (x_3 - 10 theta)^2 + 100 (sqrt(x_1^2 + x_2^2) - 1)^2 + x_3^2, where 2 pi theta is the
    angle of (x_1, x_2) from the x_1 axis, taken in (-pi / 2, 3 pi / 2): f jumps across the half
    plane x_1 = 0, x_2 < 0, and is smooth elsewhere off the x_3 axis.

    Dimension: 3. Start: (-1, 0, 0), half a turn away. x* = (1, 0, 0), f* = 0.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 7; Fletcher & Powell (1963), "A
    rapidly convergent descent method for minimization", The Computer Journal 6, pages 163-168.
    """
    return Problem(
        objective=SumOfSquares(_helical_valley),
        start=start_near(np.array([-1.0, 0.0, 0.0])),
        minimum=0.0,
        minimizer=np.array([1.0, 0.0, 0.0]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=Residuals(_helical_valley),
        name="helical_valley",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 7",
    )


def _powell_singular(params: Any) -> Any:
    a, b, c, d = params
    return a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2


def powell_singular() -> Problem:
    """Powell's singular function: the Jacobian, and so the Hessian, has rank 2 at x*.

    f(x) = (x_1 + 10 x_2)^2 + 5 (x_3 - x_4)^2 + (x_2 - 2 x_3)^4 + 10 (x_1 - x_4)^4.

    Dimension: 4. Start: (3, -1, 0, 1). x* = 0, f* = 0. Newton's method is linear, with factor 2/3.
    Constants: mu = 0; f is convex, a sum of even powers of linear functions; L is unbounded.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 13; Powell (1962), "An iterative
    method for finding stationary values of a function of several variables", The Computer Journal
    5, pages 147-151.
    """
    return Problem(
        objective=SumOfSquares(_powell_singular),
        start=start_near(np.array([3.0, -1.0, 0.0, 1.0])),
        minimum=0.0,
        minimizer=np.zeros(4),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        residuals=Residuals(_powell_singular),
        name="powell_singular",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 13",
    )


def _wood(params: Any) -> Any:
    a, b, c, d = params
    valleys = 10 * (b - a**2), 1 - a, 90**0.5 * (d - c**2), 1 - c
    return *valleys, 10**0.5 * (b + d - 2), (b - d) / 10**0.5


def _wood_array(point: np.ndarray) -> np.ndarray:
    return np.array(_wood(point))


def wood() -> Problem:
    """Wood's function: two Rosenbrock valleys, coupled.

    f(x) = 100 (x_2 - x_1^2)^2 + (1 - x_1)^2 + 90 (x_4 - x_3^2)^2 + (1 - x_3)^2
    + 10 (x_2 + x_4 - 2)^2 + (x_2 - x_4)^2 / 10.

    Dimension: 4. Start: (-3, -1, -3, -1). x* = (1, 1, 1, 1), f* = 0. The way leads past a saddle
    near (-0.968, 0.947, -0.970, 0.951), with f = 7.877: its one negative eigenvalue is small
    against the others, and stopping rules often mistake it for a minimum.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 14; Colville (1968), "A
    comparative study on nonlinear programming codes".
    """
    near_saddle = np.array([-0.968, 0.947, -0.97, 0.951])
    return Problem(
        objective=SumOfSquares(_wood),
        start=start_near(np.array([-3.0, -1.0, -3.0, -1.0])),
        minimum=0.0,
        minimizer=np.ones(4),
        minimum_kind="closed form",
        critical_points=(critical_point("saddle", _wood_array, near_saddle),),
        constants=Constants(convex=False),
        residuals=Residuals(_wood),
        name="wood",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 14",
    )
