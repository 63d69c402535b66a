"""Functions of any number of unknowns: polynomial fits, penalties and blocks."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from problems.minima import known_minimum, label_of
from problems.more_garbow_hillstrom.stationary_points import critical_point
from problems.more_garbow_hillstrom.sums_of_squares import (
    Residuals,
    SumOfSquares,
    require_count,
    require_multiple,
)

PENALTY = 1e-5


def _watson(params: Any, slopes: Any, powers: Any) -> Any:
    return (
        slopes @ params - (powers @ params) ** 2 - 1,
        params[0],
        params[1] - params[0] ** 2 - 1,
    )


def watson(dim: int = 6) -> Problem:
    """Watson's function: a polynomial p that is to solve p' = p^2 + 1, p(0) = 0, like the tangent.

    f(x) = sum_i (p'(t_i) - p(t_i)^2 - 1)^2 + x_1^2 + (x_2 - x_1^2 - 1)^2, where p(t) is
    sum_j x_j t^(j-1), t_i = i / 29, i = 1, ..., 29.

    Dimension: `dim`, at most 31. Start: 0, where f = 30. x*: found by Newton's method;
    f* = 2.28767...e-3 for 6 unknowns, 1.39976...e-6 for 9, 4.72238...e-10 for 12. Monomials make
    the Hessian worse conditioned with each unknown.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 20; Kowalik & Osborne (1968),
    "Methods for unconstrained optimization problems".

    Args:
        dim: n, the number of unknowns, 2 to 31.

    Raises:
        OptbenchError: the dimension is out of range.
    """
    require_count("dim", dim, 2, 31)
    times, exponents = np.arange(1.0, 30)[:, None] / 29, np.arange(float(dim))[None, :]
    slopes = exponents * times ** np.maximum(exponents - 1, 0)
    return Problem(
        objective=SumOfSquares(_watson),
        data=(slopes, times**exponents),
        start=start_near(np.zeros(dim)),
        constants=Constants(convex=False),
        residuals=Residuals(_watson),
        name="watson",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 20",
        **known_minimum(label_of("watson", dim=dim)),
    )


def _extended_rosenbrock(params: Any) -> Any:
    odd, even = params[0::2], params[1::2]
    return 10 * (even - odd**2), 1 - odd


def extended_rosenbrock(dim: int = 10) -> Problem:
    """Rosenbrock's valley once per pair: sum_i 100 (x_{2i} - x_{2i-1}^2)^2 + (1 - x_{2i-1})^2.

    The pairs are disjoint; `rosenbrock` chains its unknowns.

    Dimension: `dim`, even. Start: (-1.2, 1, -1.2, 1, ...). x* = (1, ..., 1), f* = 0, and no other
    stationary point.
    Constants: none holds globally; not convex. At x* the Hessian has condition number 2508, for
    any dimension.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 21; Spedicato (1975),
    "Computational experience with quasi-Newton algorithms for minimization problems of moderately
    large size".

    Args:
        dim: n, the number of unknowns, even.

    Raises:
        OptbenchError: the dimension is not even and positive.
    """
    require_multiple(dim, 2)
    return Problem(
        objective=SumOfSquares(_extended_rosenbrock),
        start=start_near(np.tile([-1.2, 1.0], dim // 2)),
        minimum=0.0,
        minimizer=np.ones(dim),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=Residuals(_extended_rosenbrock),
        region=((-2.0, 2.0), (-1.0, 3.0)) if dim == 2 else None,
        name="extended_rosenbrock",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 21",
    )


def _extended_powell_singular(params: Any) -> Any:
    a, b, c, d = (params[k::4] for k in range(4))
    return a + 10 * b, 5**0.5 * (c - d), (b - 2 * c) ** 2, 10**0.5 * (a - d) ** 2


def extended_powell_singular(dim: int = 12) -> Problem:
    """Powell's singular function once per block of four unknowns.

    f(x) = sum (a + 10 b)^2 + 5 (c - d)^2 + (b - 2 c)^4 + 10 (a - d)^4 over the blocks (a, b, c, d).

    Dimension: `dim`, a multiple of 4. Start: (3, -1, 0, 1) in each block. x* = 0, f* = 0, where the
    Hessian has half its rank.
    Constants: mu = 0; f is convex, a sum of even powers of linear functions; L is unbounded.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 22; Spedicato (1975),
    "Computational experience with quasi-Newton algorithms for minimization problems of moderately
    large size".

    Args:
        dim: n, the number of unknowns, a multiple of 4.

    Raises:
        OptbenchError: the dimension is no positive multiple of 4.
    """
    require_multiple(dim, 4)
    return Problem(
        objective=SumOfSquares(_extended_powell_singular),
        start=start_near(np.tile([3.0, -1.0, 0.0, 1.0], dim // 4)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        residuals=Residuals(_extended_powell_singular),
        name="extended_powell_singular",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 22",
    )


def _penalty_1(params: Any) -> Any:
    return PENALTY**0.5 * (params - 1), jnp.sum(params**2) - 0.25


def _penalty_1_stationary(dim: int) -> list[tuple[float, np.ndarray]]:
    """f and x at the three stationary points, by increasing coordinate."""
    cubic = np.array([2.0 * dim, 0.0, PENALTY - 0.5, -PENALTY])
    found = []
    for t in np.sort(np.roots(cubic).real):
        t = t - np.polyval(cubic, t) / np.polyval(np.polyder(cubic), t)
        value = dim * PENALTY * (1 - t) ** 2 + (PENALTY * (1 - t) / (2 * t)) ** 2
        found.append((float(value), np.full(dim, t)))
    return found


def penalty_1(dim: int = 4) -> Problem:
    """Penalty function I: 1e-5 sum_i (x_i - 1)^2 + (sum_i x_i^2 - 1/4)^2.

    Dimension: `dim`. Start: (1, 2, ..., n). The gradient vanishes only where all x_i are one t
    with 2 n t^3 + (1e-5 - 1/2) t - 1e-5 = 0. x*: the largest root, t = 0.2500... for 4 unknowns;
    f* = 2.24997...e-5 for 4 unknowns, 7.08765...e-5 for 10. The smallest root is a saddle, the one
    between, close to 0, a maximum.
    Constants: none holds globally; not convex. At x* the curvature is about 8 n t^2 = 2 along x*,
    and 2e-5 / t across it.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 23; Gill, Murray & Pitfield
    (1972), "The implementation of two revised quasi-Newton algorithms for unconstrained
    optimization".

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    saddle, maximum, lowest = _penalty_1_stationary(dim)
    return Problem(
        objective=SumOfSquares(_penalty_1),
        start=start_near(np.arange(1.0, dim + 1)),
        minimum=lowest[0],
        minimizer=lowest[1],
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", *saddle), CriticalPoint("maximum", *maximum)),
        constants=Constants(convex=False),
        residuals=Residuals(_penalty_1),
        region=((-1.0, 2.5), (-1.0, 2.5)) if dim == 2 else None,
        name="penalty_1",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 23",
    )


def _penalty_2(params: Any, sums: Any, weights: Any) -> Any:
    growth = jnp.exp(params / 10)
    return (
        params[0] - 0.2,
        PENALTY**0.5 * (growth[1:] + growth[:-1] - sums),
        PENALTY**0.5 * (growth[1:] - np.exp(-0.1).item()),
        jnp.sum(weights * params**2) - 1,
    )


def penalty_2(dim: int = 4) -> Problem:
    """Penalty function II: two weak sums of exponentials against a strong sphere.

    f(x) = (x_1 - 0.2)^2 + (sum_j (n - j + 1) x_j^2 - 1)^2 + 1e-5 sum_i of
    (e^(x_i / 10) + e^(x_{i-1} / 10) - e^(i / 10) - e^((i-1) / 10))^2 + (e^(x_i / 10) - e^(-1/10))^2
    over i = 2, ..., n.

    Dimension: `dim`. Start: (1/2, ..., 1/2). x*: found by Newton's method; f* = 9.37629...e-6 for 4
    unknowns, 2.93660...e-4 for 10.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 24; Gill, Murray & Pitfield
    (1972), "The implementation of two revised quasi-Newton algorithms for unconstrained
    optimization".

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    index = np.arange(2.0, dim + 1)
    return Problem(
        objective=SumOfSquares(_penalty_2),
        data=(np.exp(index / 10) + np.exp((index - 1) / 10), np.arange(float(dim), 0, -1)),
        start=start_near(np.full(dim, 0.5)),
        constants=Constants(convex=False),
        residuals=Residuals(_penalty_2),
        name="penalty_2",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 24",
        **known_minimum(label_of("penalty_2", dim=dim)),
    )


def _variably_dimensioned(params: Any, weights: Any) -> Any:
    total = jnp.dot(weights, params - 1)
    return params - 1, total, total**2


def variably_dimensioned(dim: int = 10) -> Problem:
    """The variably dimensioned function: |x - 1|^2 + s^2 + s^4 with s = sum_j j (x_j - 1).

    Dimension: `dim`. Start: x_j = 1 - j / n. x* = (1, ..., 1), f* = 0.
    Constants: mu = 2, the curvature across (1, 2, ..., n); f is convex. L is unbounded; at x* the
    condition number is 1 + n (n + 1) (2 n + 1) / 6.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 25.

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    index = np.arange(1.0, dim + 1)
    return Problem(
        objective=SumOfSquares(_variably_dimensioned),
        data=(index,),
        start=start_near(1 - index / dim),
        minimum=0.0,
        minimizer=np.ones(dim),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=2.0, convex=True),
        residuals=Residuals(_variably_dimensioned),
        name="variably_dimensioned",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 25",
    )


def _trigonometric(params: Any, index: Any) -> Any:
    bends = 2 * jnp.sin(params / 2) ** 2  # 1 - cos x, without cancellation
    return jnp.sum(bends) + index * bends - jnp.sin(params)


@functools.cache
def _trigonometric_trap() -> CriticalPoint:
    """The local minimum next to the start in 10 dimensions."""
    index = np.arange(1.0, 11)

    def terms(point: np.ndarray) -> np.ndarray:
        bends = 2 * np.sin(point / 2) ** 2
        return np.sum(bends) + index * bends - np.sin(point)

    near = np.array([0.055, 0.057, 0.059, 0.061, 0.064, 0.067, 0.208, 0.164, 0.085, 0.091])
    return critical_point("local minimum", terms, near)


def trigonometric(dim: int = 10) -> Problem:
    """The trigonometric function: sum_i (n - sum_j cos x_j + i (1 - cos x_i) - sin x_i)^2.

    Dimension: `dim`. Start: (1 / n, ..., 1 / n). x* = 0, f* = 0; f has period 2 pi in each unknown,
    and other zeros. In 10 dimensions a local minimum, 2.79506...e-5, lies next to the start and
    catches most methods.
    Constants: none is given; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 26; Spedicato (1975),
    "Computational experience with quasi-Newton algorithms for minimization problems of moderately
    large size".

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    return Problem(
        objective=SumOfSquares(_trigonometric),
        data=(np.arange(1.0, dim + 1),),
        start=start_near(np.full(dim, 1 / dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        critical_points=(_trigonometric_trap(),) if dim == 10 else (),
        constants=Constants(convex=False),
        residuals=Residuals(_trigonometric),
        name="trigonometric",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 26",
    )
