"""Test functions that are one bowl under ripples: many local minima around the best."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from problems.classical.boxes import StartInside, alternating, cube
from problems.classical.stationary import swapped
from problems.newton import newton_point, newton_root

SERIES = 1e-4  # r^2 below which the cosine of 12 r is summed as a series, to rounding


def _rastrigin(params: Any) -> Any:
    return jnp.sum(params**2 + 20 * jnp.sin(np.pi * params) ** 2)


def rastrigin(dim: int = 2) -> Problem:
    """Rastrigin's function: 10 n + sum_i x_i^2 - 10 cos(2 pi x_i), one minimum per unit cell.

    It is evaluated as the equal sum_i x_i^2 + 20 sin(pi x_i)^2, which keeps all digits near x*.
    Dimension: `dim`. Start: (2.2, -1.7, 2.2, ...), chosen here, as the literature gives only the
    box [-5.12, 5.12]^n; other seeds are uniform in the box. x* = 0, f* = 0. The next minima have
    one coordinate at 0.994959, with f = 0.994959; the saddles between one at 0.502546.
    Constants: L = 2 + 40 pi^2, attained at x*; M = 80 pi^3, the largest third derivative.

    Source: Rastrigin (1974), "Systems of extremal control"; in n dimensions: Muehlenbein, Schomisch
    & Born (1991), "The parallel genetic algorithm as function optimizer", Parallel Computing 17.

    Args:
        dim: number of unknowns, at least 1.

    Raises:
        OptbenchError: fewer than 1 dimension.
    """
    if dim < 1:
        raise OptbenchError(f"no Rastrigin function in {dim} dimensions", "give dim >= 1")
    box, minimizer = cube(-5.12, 5.12, dim), np.zeros(dim)
    trap, hump = (
        newton_root(
            lambda x: 2 * x + 20 * np.pi * np.sin(2 * np.pi * x),
            lambda x: 2 + 40 * np.pi**2 * np.cos(2 * np.pi * x),
            near,
        )
        for near in (0.995, 0.5025)
    )
    low, high = (x**2 + 20 * np.sin(np.pi * x) ** 2 for x in (trap, hump))
    return Problem(
        objective=_rastrigin,
        start=StartInside(alternating(2.2, -1.7, dim), box),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        critical_points=(
            *swapped("local minimum", minimizer, trap, low),
            *swapped("saddle" if dim > 1 else "maximum", minimizer, hump, high),
        ),
        constants=Constants(
            smoothness=2 + 40 * np.pi**2, hessian_lipschitz=80 * np.pi**3, convex=False, sharp=True
        ),
        region=box.region,
        name="rastrigin",
        source="Rastrigin (1974), Systems of extremal control",
    )


def _ackley(params: Any) -> Any:
    square = jnp.mean(params**2)
    root = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)
    ripple = -2 * jnp.mean(jnp.sin(np.pi * params) ** 2)
    return -20 * jnp.expm1(-root / 5) - np.e * jnp.expm1(ripple)


def _ackley_trap(dim: int) -> CriticalPoint:
    """The minimum next to x* on the diagonal, where f is as in one dimension."""

    def ripple(x: Any) -> Any:
        return np.exp(np.cos(2 * np.pi * x))

    def slope(x: Any) -> Any:
        return 4 * np.exp(-x / 5) + 2 * np.pi * np.sin(2 * np.pi * x) * ripple(x)

    def curvature(x: Any) -> Any:
        bend = np.cos(2 * np.pi * x) - np.sin(2 * np.pi * x) ** 2
        return -0.8 * np.exp(-x / 5) + 4 * np.pi**2 * bend * ripple(x)

    x = newton_root(slope, curvature, 0.97)
    value = 20 * -np.expm1(-x / 5) + np.e - ripple(x)
    return CriticalPoint("local minimum", float(value), np.full(dim, x))


def ackley(dim: int = 2) -> Problem:
    """Ackley's function: 20 (1 - exp(-r / 5)) + e - exp(mean_i cos(2 pi x_i)), r^2 = mean_i x_i^2.

    Dimension: `dim`. Start: (2.3, -1.6, 2.3, ...), chosen here, as the literature gives only boxes
    such as [-32, 32]^n; other seeds are uniform in [-5, 5]^n. x* = 0, f* = 0: a kink, at which the
    gradient jumps; there it gets the value 0, a subgradient. All of f counts as nonsmooth. Among
    the many local minima is (0.968478, ..., 0.968478), with f = 3.574452.
    Constants: G = (4 + 2 pi e) / sqrt(n), for r has slope 1 / sqrt(n) and the ripple at most 2 pi e
    times that.

    Source: Ackley (1987), "A Connectionist Machine for Genetic Hillclimbing"; in n dimensions:
    Baeck (1996), "Evolutionary Algorithms in Theory and Practice".

    Args:
        dim: number of unknowns, at least 1.

    Raises:
        OptbenchError: fewer than 1 dimension.
    """
    if dim < 1:
        raise OptbenchError(f"no Ackley function in {dim} dimensions", "give dim >= 1")
    box = cube(-5.0, 5.0, dim)
    return Problem(
        objective=_ackley,
        start=StartInside(alternating(2.3, -1.6, dim), box),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        critical_points=(_ackley_trap(dim),),
        constants=Constants(gradient_bound=(4 + 2 * np.pi * np.e) / dim**0.5, convex=False),
        nonsmooth=_ackley,
        region=box.region,
        name="ackley",
        source="Ackley (1987), A Connectionist Machine for Genetic Hillclimbing",
    )


def _griewank(params: Any) -> Any:
    frequencies = 1 / jnp.sqrt(jnp.arange(1, len(params) + 1, dtype=params.dtype))
    return 1 + jnp.sum(params**2) / 4000 - jnp.prod(jnp.cos(frequencies * params))


def _griewank_trap(dim: int) -> CriticalPoint:
    """The minimum near (pi, sqrt(2) pi, 0, ..., 0), where two cosines are -1."""
    frequencies = np.arange(1, dim + 1) ** -0.5

    def gradient(x: np.ndarray) -> np.ndarray:
        angles = frequencies * x
        return x / 2000 + np.prod(np.cos(angles)) * frequencies * np.tan(angles)

    def hessian(x: np.ndarray) -> np.ndarray:
        tangents = np.tan(frequencies * x)
        matrix = -np.outer(frequencies * tangents, frequencies * tangents)
        np.fill_diagonal(matrix, frequencies**2)
        return np.eye(dim) / 2000 + np.prod(np.cos(frequencies * x)) * matrix

    near = np.pi / frequencies * (np.arange(dim) < 2)
    point = newton_point(gradient, hessian, near)
    value = 1 + np.sum(point**2) / 4000 - np.prod(np.cos(frequencies * point))
    return CriticalPoint("local minimum", float(value), point)


def griewank(dim: int = 2) -> Problem:
    """Griewank's function: 1 + sum_i x_i^2 / 4000 - prod_i cos(x_i / sqrt(i)).

    Dimension: `dim`. Start: (6, -5, 6, ...), chosen here, as the literature gives only the box
    [-600, 600]^n; other seeds are uniform in [-10, 10]^n. x* = 0, f* = 0. Of the many local minima
    the next lie near (+-pi, +-sqrt(2) pi, 0, ..., 0), with f = 0.0074.
    Constants: L = 1 + 1/2000, attained at x*: the product is a mean of cosines of s.x over signs of
    s_i = +-1 / sqrt(i), and the mean of (s.u)^2 is sum_i u_i^2 / i <= 1. M = sqrt(3), for the mean
    of (s.u)^4 is at most 3, and so that of (s.u)^2 |s.v| at most its root.

    Source: Griewank (1981), "Generalized descent for global optimization", J. Optimization Theory
    and Applications 34(1).

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Griewank function in {dim} dimensions", "give dim >= 2")
    box = cube(-10.0, 10.0, dim)
    return Problem(
        objective=_griewank,
        start=StartInside(alternating(6.0, -5.0, dim), box),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        critical_points=(_griewank_trap(dim),),
        constants=Constants(
            smoothness=1.0005, hessian_lipschitz=3.0**0.5, convex=False, sharp=True
        ),
        region=box.region,
        name="griewank",
        source="Griewank (1981), J. Optimization Theory and Applications 34(1)",
    )


def _bohachevsky(params: Any) -> Any:
    x, y = params
    ripples = 0.6 * jnp.sin(1.5 * np.pi * x) ** 2 + 0.8 * jnp.sin(2 * np.pi * y) ** 2
    return x**2 + 2 * y**2 + ripples


def _bohachevsky_traps() -> tuple[CriticalPoint, ...]:
    """The minima next to x* on each axis."""
    x = newton_root(
        lambda x: 2 * x + 0.9 * np.pi * np.sin(3 * np.pi * x),
        lambda x: 2 + 2.7 * np.pi**2 * np.cos(3 * np.pi * x),
        0.62,
    )
    y = newton_root(
        lambda y: 4 * y + 1.6 * np.pi * np.sin(4 * np.pi * y),
        lambda y: 4 + 6.4 * np.pi**2 * np.cos(4 * np.pi * y),
        0.47,
    )
    along_x = x**2 + 0.6 * np.sin(1.5 * np.pi * x) ** 2
    along_y = 2 * y**2 + 0.8 * np.sin(2 * np.pi * y) ** 2
    traps = ((along_x, (x, 0)), (along_x, (-x, 0)), (along_y, (0, y)), (along_y, (0, -y)))
    return tuple(CriticalPoint("local minimum", float(v), np.array(p, float)) for v, p in traps)


def bohachevsky() -> Problem:
    """Bohachevsky's first function: x^2 + 2 y^2 - 0.3 cos(3 pi x) - 0.4 cos(4 pi y) + 0.7.

    It is evaluated as the equal x^2 + 2 y^2 + 0.6 sin(1.5 pi x)^2 + 0.8 sin(2 pi y)^2.
    Dimension: 2. Start: (-1.2, 0.8), chosen here, as the literature gives only boxes such as
    [-100, 100]^2; other seeds are uniform in [-1.5, 1.5]^2. x* = (0, 0), f* = 0. The next minima
    lie at (+-0.6186, 0) and (0, +-0.4695).
    Constants: L = 4 + 6.4 pi^2, attained at x* along y; M = 25.6 pi^3, the largest third
    derivative.

    Source: Bohachevsky, Johnson & Stein (1986), "Generalized simulated annealing for function
    optimization", Technometrics 28(3).
    """
    box = cube(-1.5, 1.5)
    return Problem(
        objective=_bohachevsky,
        start=StartInside((-1.2, 0.8), box),
        minimum=0.0,
        minimizer=np.zeros(2),
        minimum_kind="closed form",
        critical_points=_bohachevsky_traps(),
        constants=Constants(
            smoothness=4 + 6.4 * np.pi**2,
            hessian_lipschitz=25.6 * np.pi**3,
            convex=False,
            sharp=True,
        ),
        region=box.region,
        name="bohachevsky",
        source="Bohachevsky, Johnson & Stein (1986), Technometrics 28(3)",
    )


def _drop_wave(params: Any) -> Any:
    square = jnp.sum(params**2)
    far = square > SERIES
    s = 144 * jnp.where(far, 0.0, square)
    series = 1 - s / 2 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90))))
    wave = jnp.where(far, jnp.cos(12 * jnp.sqrt(jnp.where(far, square, 1.0))), series)
    return -(1 + wave) / (square / 2 + 2)


def drop_wave() -> Problem:
    """The drop wave: -(1 + cos(12 r)) / (r^2 / 2 + 2) with r = |x|, rings around the origin.

    Dimension: 2. Start: (1.3, 0.6), chosen here, as the literature gives only the box
    [-5.12, 5.12]^2; other seeds are uniform in [-2, 2]^2. x* = (0, 0), f* = -1. Every point of the
    circle r = 0.5202 is a local minimum, with f = -0.936245, and more such circles follow; f is
    analytic, at the origin too.
    Constants: none stated.

    Source: Molga & Smutnicki (2005), "Test functions for optimization needs".
    """
    box = cube(-2.0, 2.0)
    ring = newton_root(
        lambda r: 12 * np.sin(12 * r) * (r**2 / 2 + 2) + (1 + np.cos(12 * r)) * r,
        lambda r: 144 * np.cos(12 * r) * (r**2 / 2 + 2) + 1 + np.cos(12 * r),
        0.522,
    )
    value = -(1 + np.cos(12 * ring)) / (ring**2 / 2 + 2)
    return Problem(
        objective=_drop_wave,
        start=StartInside((1.3, 0.6), box),
        minimum=-1.0,
        minimizer=np.zeros(2),
        minimum_kind="closed form",
        critical_points=(CriticalPoint("local minimum", float(value), np.array([ring, 0.0])),),
        constants=Constants(convex=False),
        region=box.region,
        name="drop_wave",
        source="Molga & Smutnicki (2005), Test functions for optimization needs",
    )
