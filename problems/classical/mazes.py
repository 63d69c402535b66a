"""Test functions with many far-apart minima, and no slope that leads to the best."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from problems.classical.boxes import StartInside, alternating, cube
from problems.classical.stationary import swapped
from problems.newton import newton_root


def _styblinski_tang(params: Any) -> Any:
    return jnp.sum(params**4 - 16 * params**2 + 5 * params) / 2


def styblinski_tang(dim: int = 2) -> Problem:
    """Styblinski and Tang's function: sum_i (x_i^4 - 16 x_i^2 + 5 x_i) / 2.

    Dimension: `dim`. Start: 0, close to the maximum (0.1567, ..., 0.1567) and chosen here, as the
    literature gives only the box [-5, 5]^n; other seeds are uniform in the box. The derivative is
    2 x^3 - 16 x + 5/2, with the roots 2 sqrt(8/3) cos((phi + 2 pi k) / 3), where
    cos phi = -(15/64) sqrt(3/8): x*_i = -2.903534, and f* = -39.166166 n, in places published as
    -39.16599 n. Coordinates at 2.746803 are traps: 2^n minima.
    Constants: none holds globally.

    Source: Styblinski & Tang (1990), "Experiments in nonconvex optimization: stochastic
    approximation with function smoothing and simulated annealing", Neural Networks 3(4).

    Args:
        dim: number of unknowns, at least 1.

    Raises:
        OptbenchError: fewer than 1 dimension.
    """
    if dim < 1:
        raise OptbenchError(f"no Styblinski-Tang function in {dim} dimensions", "give dim >= 1")
    angles = (np.arccos(-15 / 64 * np.sqrt(3 / 8)) + 2 * np.pi * np.arange(3)) / 3
    roots = 2 * np.sqrt(8 / 3) * np.cos(angles)
    (trap, best, hump), (high, low, top) = roots, (roots**4 - 16 * roots**2 + 5 * roots) / 2
    box, minimizer = cube(-5.0, 5.0, dim), np.full(dim, best)
    return Problem(
        objective=_styblinski_tang,
        start=StartInside((0.0,) * dim, box),
        minimum=float(dim * low),
        minimizer=minimizer,
        minimum_kind="closed form",
        critical_points=(
            *swapped("local minimum", minimizer, trap, (dim - 1) * low + high),
            CriticalPoint("maximum", float(dim * top), np.full(dim, hump)),
        ),
        constants=Constants(convex=False),
        region=box.region,
        name="styblinski_tang",
        source="Styblinski & Tang (1990), Neural Networks 3(4)",
    )


def _levy(params: Any) -> Any:
    u = (params - 1) / 4
    body = u[:-1] ** 2 * (1 + 10 * jnp.sin(np.pi * u[:-1] + 1) ** 2)
    last = u[-1] ** 2 * (1 + jnp.sin(2 * np.pi * u[-1]) ** 2)
    return jnp.sin(np.pi * u[0]) ** 2 + jnp.sum(body) + last


@functools.cache
def _levy_trap() -> tuple[float, float]:
    """The last coordinate, and f, at a minimum next to x*."""
    u = newton_root(
        lambda u: (
            2 * u * (1 + np.sin(2 * np.pi * u) ** 2) + 2 * np.pi * u**2 * np.sin(4 * np.pi * u)
        ),
        lambda u: (
            2 * (1 + np.sin(2 * np.pi * u) ** 2)
            + 8 * np.pi * u * np.sin(4 * np.pi * u)
            + 8 * np.pi**2 * u**2 * np.cos(4 * np.pi * u)
        ),
        0.9727,
    )
    return float(1 + 4 * u), float(u**2 * (1 + np.sin(2 * np.pi * u) ** 2))


def levy(dim: int = 2) -> Problem:
    """Levy's function of u = (x - 1) / 4, a bowl whose walls are deep ripples.

    f = sin(pi u_1)^2 + sum_{i < n} u_i^2 (1 + 10 sin(pi u_i + 1)^2)
    + u_n^2 (1 + sin(2 pi u_n)^2), which is the published form in w = 1 + u.
    Dimension: `dim`. Start: (-5, 6, -5, ...), chosen here, as the literature gives only the box
    [-10, 10]^n; other seeds are uniform in the box. x* = (1, ..., 1), f* = 0. Local minima have
    x_n = 1 +- 3.8906, with f = 0.9737, and further out.
    Constants: none holds globally.

    Source: Levy & Montalvo (1985), "The tunneling algorithm for the global minimization of
    functions", SIAM J. Scientific and Statistical Computing 6(1).

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Levy function in {dim} dimensions", "give dim >= 2")
    box, minimizer, (last, value) = cube(-10.0, 10.0, dim), np.ones(dim), _levy_trap()
    traps = (np.append(minimizer[1:], end) for end in (last, 2 - last))
    return Problem(
        objective=_levy,
        start=StartInside(alternating(-5.0, 6.0, dim), box),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        critical_points=tuple(CriticalPoint("local minimum", value, x) for x in traps),
        constants=Constants(convex=False),
        region=box.region,
        name="levy",
        source="Levy & Montalvo (1985), SIAM J. Scientific and Statistical Computing 6(1)",
    )


def _schwefel(params: Any) -> Any:
    root = jnp.sqrt(jnp.where(params == 0, 1.0, jnp.abs(params)))
    return -jnp.sum(jnp.where(params == 0, 0.0, params * jnp.sin(root)))


@functools.cache
def _schwefel_root(near: float) -> float:
    """A zero of (x sin sqrt |x|)', in s = sqrt |x|: 2 sin s + s cos s = 0."""
    s = newton_root(
        lambda s: 2 * np.sin(s) + s * np.cos(s), lambda s: 3 * np.cos(s) - s * np.sin(s), near**0.5
    )
    return float(s**2)


def schwefel(dim: int = 2) -> Problem:
    """Schwefel's function: -sum_i x_i sin(sqrt |x_i|) on a box, its best minimum near the corner.

    Dimension: `dim`. The box is [-500, 500]^n; beyond it f is unbounded below.
    Start: (100, -100, 100, ...), chosen here; other seeds are uniform in the box.
    x*_i = 420.9687 and f* = -418.9829 n, as published, refined to rounding; some papers add the
    constant, to make f* near 0. The second-best minima have one coordinate at -302.5249, far away;
    next comes 203.8143.
    Constants: none: the second derivative is unbounded at x_i = 0.

    Source: Schwefel (1981), "Numerical Optimization of Computer Models".

    Args:
        dim: number of unknowns, at least 1.

    Raises:
        OptbenchError: fewer than 1 dimension.
    """
    if dim < 1:
        raise OptbenchError(f"no Schwefel function in {dim} dimensions", "give dim >= 1")
    best = _schwefel_root(420.97)
    coordinates = np.array([best, -_schwefel_root(302.52), _schwefel_root(203.81)])
    low, *highs = -coordinates * np.sin(np.sqrt(np.abs(coordinates)))
    box, minimizer = cube(-500.0, 500.0, dim), np.full(dim, best)
    traps = [
        swapped("local minimum", minimizer, coordinate, (dim - 1) * low + high)
        for coordinate, high in zip(coordinates[1:], highs, strict=True)
    ]
    return Problem(
        objective=_schwefel,
        start=StartInside(alternating(100.0, -100.0, dim), box),
        minimum=float(dim * low),
        minimizer=minimizer,
        minimum_kind="published",
        critical_points=tuple(point for points in traps for point in points),
        constants=Constants(convex=False),
        prox=box,
        region=box.region,
        name="schwefel",
        source="Schwefel (1981), Numerical Optimization of Computer Models",
    )


def _michalewicz(params: Any) -> Any:
    index = jnp.arange(1, len(params) + 1, dtype=params.dtype)
    return -jnp.sum(jnp.sin(params) * jnp.sin(index * params**2 / np.pi) ** 20)


@functools.cache
def _michalewicz_coordinate(index: int) -> float:
    """The peak of sin(x) sin(i x^2 / pi)^20 nearest pi / 2, where its logarithm has slope 0."""
    peaks = np.pi * np.sqrt((np.arange(index) + 0.5) / index)
    return float(
        newton_root(
            lambda x: 1 / np.tan(x) + 40 * index * x / np.pi / np.tan(index * x**2 / np.pi),
            lambda x: (
                -1 / np.sin(x) ** 2
                + 40 * index / np.pi / np.tan(index * x**2 / np.pi)
                - 80 * (index * x / np.pi / np.sin(index * x**2 / np.pi)) ** 2
            ),
            peaks[np.argmin(np.abs(peaks - np.pi / 2))],
        )
    )


def michalewicz(dim: int = 2) -> Problem:
    """Michalewicz' function: -sum_i sin(x_i) sin(i x_i^2 / pi)^20 on a box, steep grooves in flats.

    Dimension: `dim`. The box is [0, pi]^n; beyond it f is lower.
    Start: (1.8, 1.3, 1.8, ...), chosen here; other seeds are uniform in the box. x* = (2.2029,
    1.5708) and f* = -1.8013 for n = 2; f* = -4.687658 for n = 5 and -9.66015 for n = 10, as
    published. f is a sum over coordinates, so both are refined to rounding in one variable each.
    Constants: none stated.

    Source: Michalewicz (1992), "Genetic Algorithms + Data Structures = Evolution Programs"; values:
    Molga & Smutnicki (2005), "Test functions for optimization needs".

    Args:
        dim: number of unknowns, at least 1.

    Raises:
        OptbenchError: fewer than 1 dimension.
    """
    if dim < 1:
        raise OptbenchError(f"no Michalewicz function in {dim} dimensions", "give dim >= 1")
    index, box = np.arange(1, dim + 1), cube(0.0, float(np.pi), dim)
    minimizer = np.array([_michalewicz_coordinate(i) for i in range(1, dim + 1)])
    return Problem(
        objective=_michalewicz,
        start=StartInside(alternating(1.8, 1.3, dim), box),
        minimum=-float(np.sum(np.sin(minimizer) * np.sin(index * minimizer**2 / np.pi) ** 20)),
        minimizer=minimizer,
        minimum_kind="published",
        constants=Constants(convex=False),
        prox=box,
        region=box.region,
        name="michalewicz",
        source="Michalewicz (1992), Genetic Algorithms + Data Structures = Evolution Programs",
    )


def _shubert(params: Any) -> Any:
    index = jnp.arange(1, 6, dtype=params.dtype)[:, None]
    return jnp.prod(jnp.sum(index * jnp.cos((index + 1) * params[None, :] + index), axis=0))


@functools.cache
def _shubert_factor(near: float) -> tuple[float, float]:
    """A zero of g', and g there, with g(x) = sum_j j cos((j + 1) x + j)."""
    j = np.arange(1, 6)
    root = newton_root(
        lambda x: -np.sum(j * (j + 1) * np.sin((j + 1) * x + j)),
        lambda x: -np.sum(j * (j + 1) ** 2 * np.cos((j + 1) * x + j)),
        near,
    )
    return float(root), float(np.sum(j * np.cos((j + 1) * root + j)))


def shubert() -> Problem:
    """Shubert's function: g(x) g(y) with g(x) = sum_{j <= 5} j cos((j + 1) x + j).

    Dimension: 2. Start: (1, 1), chosen here, as the literature gives only the box [-10, 10]^2;
    other seeds are uniform in [-pi, pi]^2, one period. x* = (-1.4251, -0.8003), where g is least in
    one coordinate and largest in the other; f* = -186.7309, as published, refined to rounding. By
    symmetry and period 18 points of the box are as low; the next minima have f = -123.5768.
    Constants: none stated.

    Source: Shubert (1972), "A sequential method seeking the global maximum of a function", SIAM J.
    Numerical Analysis 9(3); value: Jamil & Yang (2013), "A literature survey of benchmark functions
    for global optimization problems", Int. J. Mathematical Modelling and Numerical Optimisation
    4(2).
    """
    (low, least), (second, less), (high, most) = map(_shubert_factor, (-1.425, -0.195, -0.8))
    box = cube(-float(np.pi), float(np.pi))
    traps = np.array([second, high]), np.array([high, second])
    return Problem(
        objective=_shubert,
        start=StartInside((1.0, 1.0), box),
        minimum=least * most,
        minimizer=np.array([low, high]),
        minimum_kind="published",
        critical_points=tuple(CriticalPoint("local minimum", less * most, x) for x in traps),
        constants=Constants(convex=False),
        region=box.region,
        name="shubert",
        source="Shubert (1972), SIAM J. Numerical Analysis 9(3)",
    )


def _easom(params: Any) -> Any:
    u = params - np.pi
    return -jnp.prod(jnp.cos(u)) * jnp.exp(-jnp.sum(u**2))


def easom() -> Problem:
    """Easom's function: -cos(x) cos(y) exp(-(x - pi)^2 - (y - pi)^2), a needle in a plain.

    Dimension: 2. Start: (2, 2), on the slope of the needle (chosen here); other seeds are uniform
    in [0, 2 pi]^2, where the literature takes [-100, 100]^2 and almost every start is flat.
    x* = (pi, pi), f* = -1. With 1.8366, the root of tan u = -2 u, (pi +- u, pi +- u) are shallow
    minima, with f = -8.1e-5.
    Constants: none stated.

    Source: Easom (1990), "A survey of global optimization techniques", thesis, University of
    Louisville.
    """
    u = newton_root(
        lambda u: np.sin(u) + 2 * u * np.cos(u),
        lambda u: 3 * np.cos(u) - 2 * u * np.sin(u),
        1.84,
    )
    value = -float((np.cos(u) * np.exp(-(u**2))) ** 2)
    corners = [np.array([np.pi + s * u, np.pi + t * u]) for s in (1, -1) for t in (1, -1)]
    box = cube(0.0, float(2 * np.pi))
    return Problem(
        objective=_easom,
        start=StartInside((2.0, 2.0), box),
        minimum=-1.0,
        minimizer=np.full(2, np.pi),
        minimum_kind="closed form",
        critical_points=tuple(CriticalPoint("local minimum", value, x) for x in corners),
        constants=Constants(convex=False),
        region=box.region,
        name="easom",
        source="Easom (1990), A survey of global optimization techniques",
    )
