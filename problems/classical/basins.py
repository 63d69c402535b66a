"""Test functions in the plane with a few basins, every bottom of which is known."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.problem import Constants, CriticalKind, CriticalPoint, Problem
from optbench.start import start_near
from problems.classical.boxes import Box, StartInside, cube
from problems.classical.stationary import Surface


def _himmelblau_residuals(params: Any) -> Any:
    x, y = params
    return jnp.sqrt(2.0) * jnp.stack([x**2 + y - 11, x + y**2 - 7])


def _himmelblau(params: Any) -> Any:
    return jnp.sum(_himmelblau_residuals(params) ** 2) / 2


@functools.cache
def _himmelblau_points() -> tuple[CriticalPoint, ...]:
    quartic = {(4, 0): 1, (2, 1): 2, (1, 2): 2, (0, 4): 1}
    surface = Surface(quartic | {(2, 0): -21, (0, 2): -13, (1, 0): -14, (0, 1): -22, (0, 0): 170})
    near = ((-0.27, -0.92), (3.39, 0.07), (0.09, 2.88), (-3.07, -0.08), (-0.13, -1.95))
    return tuple(surface.critical_point(x, y) for x, y in near)


def himmelblau() -> Problem:
    """Himmelblau's function: (x^2 + y - 11)^2 + (x + y^2 - 7)^2.

    Dimension: 2. Start: (0, 0), near the local maximum (-0.271, -0.923); other seeds move it by a
    standard normal. x* = (3, 2), f* = 0; equally low are (-2.805118, 3.131313),
    (-3.779310, -3.283186) and (3.584428, -1.848127). Four saddles lie between them.
    Constants: none holds globally.

    Source: Himmelblau (1972), "Applied Nonlinear Programming".
    """
    return Problem(
        objective=_himmelblau,
        start=start_near(np.zeros(2), scale=1.0),
        minimum=0.0,
        minimizer=np.array([3.0, 2.0]),
        minimum_kind="closed form",
        critical_points=_himmelblau_points(),
        constants=Constants(convex=False),
        residuals=_himmelblau_residuals,
        region=((-5.0, 5.0), (-5.0, 5.0)),
        name="himmelblau",
        source="Himmelblau (1972), Applied Nonlinear Programming",
    )


def _branin(params: Any) -> Any:
    x, y = params
    valley = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
    return valley**2 + 10 * (1 - 1 / (8 * np.pi)) * jnp.cos(x) + 10


def branin() -> Problem:
    """Branin's function: (y - 5.1 x^2 / (4 pi^2) + 5 x / pi - 6)^2 + 10 (1 - t) cos x + 10.

    Here t = 1 / (8 pi).
    Dimension: 2. Start: (2.5, 7.5), the middle of the box [-5, 10] x [0, 15] (chosen here); other
    seeds are uniform in the box. x* = (pi, 2.275), f* = 10 t = 1.25 / pi, published as 0.397887;
    equally low are (-pi, 12.275) and (3 pi, 2.475), and one point beyond the box for every other
    odd multiple of pi. (0, 6) and (2 pi, 1.1) are saddles, with f = 20 - 10 t.
    Constants: none holds globally.

    Source: Branin (1972), "Widely convergent method for finding multiple solutions of simultaneous
    nonlinear equations", IBM J. Research and Development 16(5); published value: Dixon & Szego
    (1978), "Towards Global Optimisation 2".
    """
    saddles = np.array([0.0, 6.0]), np.array([2 * np.pi, 1.1])
    box = Box((-5.0, 0.0), (10.0, 15.0))
    return Problem(
        objective=_branin,
        start=StartInside((2.5, 7.5), box),
        minimum=1.25 / np.pi,
        minimizer=np.array([np.pi, 2.275]),
        minimum_kind="closed form",
        critical_points=tuple(CriticalPoint("saddle", 20 - 1.25 / np.pi, x) for x in saddles),
        constants=Constants(convex=False),
        region=box.region,
        name="branin",
        source="Branin (1972), IBM J. Research and Development 16(5)",
    )


def _goldstein_price(params: Any) -> Any:
    x, y = params
    s, t = x + y, 2 * x - 3 * y
    first = 1 + (s + 1) ** 2 * (19 - 14 * s + 3 * s**2)
    return first * (30 + t**2 * (18 - 16 * t + 3 * t**2))


def goldstein_price() -> Problem:
    """Goldstein and Price's function of s = x + y and t = 2 x - 3 y, of degree eight.

    f = (1 + (s + 1)^2 (19 - 14 s + 3 s^2)) (30 + t^2 (18 - 16 t + 3 t^2)), over six decades.
    Dimension: 2. Start: (-1.5, 1.5), chosen here, as the literature gives only the box [-2, 2]^2;
    other seeds are uniform in the box. x* = (0, -1), f* = 3. Local minima are (-0.6, -0.4),
    (1.8, 0.2) and (1.2, 0.8), with f = 30, 84 and 840.
    Constants: none holds globally.

    Source: Goldstein & Price (1971), "On descent from local minima", Mathematics of Computation
    25(115); box and minima: Dixon & Szego (1978), "Towards Global Optimisation 2".
    """
    traps = (30.0, (-0.6, -0.4)), (84.0, (1.8, 0.2)), (840.0, (1.2, 0.8))
    box = cube(-2.0, 2.0)
    return Problem(
        objective=_goldstein_price,
        start=StartInside((-1.5, 1.5), box),
        minimum=3.0,
        minimizer=np.array([0.0, -1.0]),
        minimum_kind="closed form",
        critical_points=tuple(CriticalPoint("local minimum", v, np.array(x)) for v, x in traps),
        constants=Constants(convex=False),
        region=box.region,
        name="goldstein_price",
        source="Goldstein & Price (1971), Mathematics of Computation 25(115)",
    )


def _three_hump_camel(params: Any) -> Any:
    x, y = params
    return 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y**2


def _three_hump_points() -> tuple[CriticalPoint, ...]:
    kinds: tuple[CriticalKind, ...] = "saddle", "local minimum"
    points = []
    for kind, square in zip(kinds, (2.1 - 0.91**0.5, 2.1 + 0.91**0.5), strict=True):
        x, value = square**0.5, square * (1.75 + square * (-1.05 + square / 6))
        points += [CriticalPoint(kind, value, s * np.array([x, -x / 2])) for s in (1, -1)]
    return tuple(points)


def three_hump_camel() -> Problem:
    """The three-hump camel: 2 x^2 - 1.05 x^4 + x^6 / 6 + x y + y^2.

    Dimension: 2. Start: (-2, 2), chosen here, as the literature gives only the box [-5, 5]^2; other
    seeds move it by a standard normal. x* = (0, 0), f* = 0. Where the gradient vanishes y = -x / 2
    and x = 0 or x^2 = 2.1 -+ sqrt(0.91): two saddles, and local minima at +-(1.747552, -0.873776)
    with f = 0.298638.
    Constants: none holds globally.

    Source: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).
    """
    return Problem(
        objective=_three_hump_camel,
        start=start_near(np.array([-2.0, 2.0]), scale=1.0),
        minimum=0.0,
        minimizer=np.zeros(2),
        minimum_kind="closed form",
        critical_points=_three_hump_points(),
        constants=Constants(convex=False),
        region=((-2.5, 2.5), (-2.5, 2.5)),
        name="three_hump_camel",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )


def _six_hump_camel(params: Any) -> Any:
    x, y = params
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + 4 * (y**2 - 1) * y**2


@functools.cache
def _six_hump_points() -> tuple[CriticalPoint, ...]:
    """First x*, then all others: f is even."""
    terms = {(2, 0): 4, (4, 0): -2.1, (6, 0): 1 / 3, (1, 1): 1, (0, 2): -4, (0, 4): 4}
    surface = Surface(terms)
    minima = ((0.09, -0.713), (1.704, -0.796), (1.607, 0.569))
    others = ((1.23, 0.162), (1.109, -0.768), (1.296, 0.605), (1.638, 0.229))
    found = [surface.critical_point(x, y) for x, y in (*minima, *others)]
    mirrored = [CriticalPoint(c.kind, c.value, -c.point) for c in found[1:]]
    return (*found, *mirrored, CriticalPoint("saddle", 0.0, np.zeros(2)))


def six_hump_camel() -> Problem:
    """The six-hump camel: (4 - 2.1 x^2 + x^4 / 3) x^2 + x y + 4 (y^2 - 1) y^2.

    Dimension: 2. Start: (-1.5, 1), chosen here, as the literature gives only the box
    [-3, 3] x [-2, 2]; other seeds are uniform in [-2, 2] x [-1.2, 1.2]. x* = (0.0898, -0.7127),
    published with f* = -1.0316, refined to rounding; -x* is as low. Of 15 critical points 4 more
    are local minima, with f = -0.2155 and 2.1043, 2 are maxima and 7 saddles.
    Constants: none holds globally.

    Source: Dixon & Szego (1978), "The global optimization problem: an introduction", in "Towards
    Global Optimisation 2".
    """
    best, *others = _six_hump_points()
    box = Box((-2.0, -1.2), (2.0, 1.2))
    return Problem(
        objective=_six_hump_camel,
        start=StartInside((-1.5, 1.0), box),
        minimum=best.value,
        minimizer=best.point,
        minimum_kind="published",
        critical_points=tuple(others),
        constants=Constants(convex=False),
        region=box.region,
        name="six_hump_camel",
        source="Dixon & Szego (1978), Towards Global Optimisation 2",
    )


def _mccormick(params: Any) -> Any:
    x, y = params
    return jnp.sin(x + y) + (x - y) ** 2 - 1.5 * x + 2.5 * y + 1


def mccormick() -> Problem:
    """McCormick's function: sin(x + y) + (x - y)^2 - 1.5 x + 2.5 y + 1 on a box.

    Dimension: 2. The box is [-1.5, 4] x [-3, 4]; beyond it f is unbounded below.
    Start: (2, 0), chosen here; other seeds are uniform in the box. x* = (1/2, -1/2) - pi / 3,
    f* = -sqrt(3) / 2 - pi / 3 = -1.91322, in places published as -1.9133. In s = x + y the bottom
    is sin s + s / 2 at x - y = 1, so x* + pi is a local minimum, higher by pi, and
    (1/2, -1/2) + pi / 3 a saddle.
    Constants: L = 4, the curvature along (1, -1); along (1, 1) it is -2 sin s. M = 2 sqrt(2).

    Source: Jamil & Yang (2013), "A literature survey of benchmark functions for global
    optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2).
    """
    box = Box((-1.5, -3.0), (4.0, 4.0))
    middle, turn = np.array([0.5, -0.5]), np.pi / 3
    minimum = -np.sqrt(3) / 2 - turn
    return Problem(
        objective=_mccormick,
        start=StartInside((2.0, 0.0), box),
        minimum=float(minimum),
        minimizer=middle - turn,
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("local minimum", float(minimum + np.pi), middle - turn + np.pi),
            CriticalPoint("saddle", float(-minimum), middle + turn),
        ),
        constants=Constants(
            smoothness=4.0, hessian_lipschitz=2 * float(np.sqrt(2)), convex=False, sharp=True
        ),
        prox=box,
        region=box.region,
        name="mccormick",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )
