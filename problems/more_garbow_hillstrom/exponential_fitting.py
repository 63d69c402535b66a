"""Sums of exponentials fitted to values that formulas give."""

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
)


def _jennrich_sampson(params: Any, index: Any) -> Any:
    a, b = params
    return 2 + 2 * index - (jnp.exp(index * a) + jnp.exp(index * b))


def jennrich_sampson(num_residuals: int = 10) -> Problem:
    """Jennrich and Sampson's function: sum_i (2 + 2 i - exp(i x_1) - exp(i x_2))^2.

    Dimension: 2. Start: (0.3, 0.4). x* = (0.2578..., 0.2578...), f* = 124.362... for 10 residuals.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 6; Jennrich & Sampson (1968),
    "Application of stepwise regression to nonlinear estimation", Technometrics 10.

    Args:
        num_residuals: m, at least 2.

    Raises:
        OptbenchError: fewer than 2 residuals.
    """
    require_count("num_residuals", num_residuals, 2)
    return Problem(
        objective=SumOfSquares(_jennrich_sampson),
        data=(np.arange(1.0, num_residuals + 1),),
        start=start_near(np.array([0.3, 0.4])),
        constants=Constants(convex=False),
        residuals=Residuals(_jennrich_sampson),
        region=((0.0, 0.5), (0.0, 0.5)),
        name="jennrich_sampson",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 6",
        **known_minimum(label_of("jennrich_sampson", num_residuals=num_residuals)),
    )


def _gulf(params: Any, levels: Any, times: Any) -> Any:
    scale, shift, power = params
    return jnp.exp(-(jnp.abs(times - shift) ** power) / scale) - levels


def gulf(num_residuals: int = 99) -> Problem:
    """The Gulf research and development function: a Weibull distribution fitted to its quantiles.

    f(x) = sum_i (exp(-|y_i - x_2|^x_3 / x_1) - t_i)^2 with t_i = i / 100 and
    y_i = 25 + (-50 log t_i)^(2/3); the paper prints "m i" where the minus sign stands.

    Dimension: 3. Start: (5, 2.5, 0.15); other seeds move it by 0.01 times a standard normal.
    x* = (50, 25, 1.5), f* = 0. For m = 100, which the paper allows, the last y_i is x_2*, where the
    second derivative is infinite; it is left out. Elsewhere f has kinks where x_2 is some y_i.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 11; Cox (1969), "Comparison of
    the performance of several unconstrained optimization programs".

    Args:
        num_residuals: m, 3 to 99.

    Raises:
        OptbenchError: the number of residuals is out of range.
    """
    require_count("num_residuals", num_residuals, 3, 99)
    levels = np.arange(1.0, num_residuals + 1) / 100
    return Problem(
        objective=SumOfSquares(_gulf),
        data=(levels, 25 + (-50 * np.log(levels)) ** (2 / 3)),
        start=start_near(np.array([5.0, 2.5, 0.15]), scale=0.01),
        minimum=0.0,
        minimizer=np.array([50.0, 25.0, 1.5]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=Residuals(_gulf),
        name="gulf",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 11",
    )


def _box_three_dimensional(params: Any, times: Any, heights: Any) -> Any:
    a, b, c = params
    return jnp.exp(-times * a) - jnp.exp(-times * b) - c * heights


def box_three_dimensional(num_residuals: int = 10) -> Problem:
    """Box's function: sum_i (exp(-t_i x_1) - exp(-t_i x_2) - x_3 (exp(-t_i) - exp(-10 t_i)))^2.

    t_i = i / 10.

    Dimension: 3. Start: (0, 10, 20). x* = (1, 10, 1), f* = 0; as low are (10, 1, -1) and the whole
    line x_1 = x_2, x_3 = 0, which many methods reach.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 12; Box (1966), "A comparison of
    several current optimization methods, and the use of transformations in constrained problems",
    The Computer Journal 9, pages 67-77.

    Args:
        num_residuals: m, at least 3.

    Raises:
        OptbenchError: fewer than 3 residuals.
    """
    require_count("num_residuals", num_residuals, 3)
    times = np.arange(1.0, num_residuals + 1) / 10
    return Problem(
        objective=SumOfSquares(_box_three_dimensional),
        data=(times, np.exp(-times) - np.exp(-10 * times)),
        start=start_near(np.array([0.0, 10.0, 20.0])),
        minimum=0.0,
        minimizer=np.array([1.0, 10.0, 1.0]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=Residuals(_box_three_dimensional),
        name="box_three_dimensional",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 12",
    )


def _brown_dennis(params: Any, times: Any) -> Any:
    a, b, c, d = params
    line = a + times * b - jnp.exp(times)
    wave = c + d * jnp.sin(times) - jnp.cos(times)
    return line**2 + wave**2


def brown_dennis(num_residuals: int = 20) -> Problem:
    """Brown and Dennis's function: a large residual, where Gauss-Newton methods are slow.

    f(x) = sum_i ((x_1 + t_i x_2 - exp(t_i))^2 + (x_3 + x_4 sin(t_i) - cos(t_i))^2)^2, t_i = i / 5.

    Dimension: 4. Start: (25, 5, -5, -1). x*: (-11.59..., 13.20..., -0.4034..., 0.2367...),
    f* = 85822.2... for 20 residuals.
    Constants: mu >= 0; f is convex, a sum of squares of convex functions that are nowhere negative;
    L is unbounded.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 16; Brown & Dennis (1971), "New
    computational algorithms for minimizing a sum of squares of nonlinear functions".

    Args:
        num_residuals: m, at least 4.

    Raises:
        OptbenchError: fewer than 4 residuals.
    """
    require_count("num_residuals", num_residuals, 4)
    return Problem(
        objective=SumOfSquares(_brown_dennis),
        data=(np.arange(1.0, num_residuals + 1) / 5,),
        start=start_near(np.array([25.0, 5.0, -5.0, -1.0])),
        constants=Constants(strong_convexity=0.0, convex=True),
        residuals=Residuals(_brown_dennis),
        name="brown_dennis",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 16",
        **known_minimum(label_of("brown_dennis", num_residuals=num_residuals)),
    )


def _biggs_exp6(params: Any, times: Any, values: Any) -> Any:
    a, b, c, d, e, f = params
    return c * jnp.exp(-times * a) - d * jnp.exp(-times * b) + f * jnp.exp(-times * e) - values


def _biggs_exp6_data(num_residuals: int) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(1.0, num_residuals + 1) / 10
    return times, np.exp(-times) - 5 * np.exp(-10 * times) + 3 * np.exp(-4 * times)


@functools.cache
def _biggs_exp6_plateau() -> tuple[CriticalPoint, ...]:
    """Two points of the stationary line for 13 residuals: its middle, and one beyond its saddles.

    There the two positive terms have one rate, and only the sum of their heights matters.
    """
    times, values = _biggs_exp6_data(13)

    def terms(point: np.ndarray) -> np.ndarray:
        a, b, c, d = point
        return c * np.exp(-times * a) - d * np.exp(-times * b) - values

    merged = critical_point("saddle", terms, np.array([1.711, 17.68, 2.326, 5.187]))
    a, b, c, d = merged.point
    middle = np.array([a, b, c / 2, d, a, c / 2])
    beyond = np.array([a, b, 2 * c, d, a, -c])
    return (
        CriticalPoint("saddle", merged.value, middle),
        CriticalPoint("local minimum", merged.value, beyond),
    )


def biggs_exp6(num_residuals: int = 13) -> Problem:
    """Biggs's EXP6: three exponentials fitted to a sum of three.

    f(x) = sum_i (x_3 exp(-t_i x_1) - x_4 exp(-t_i x_2) + x_6 exp(-t_i x_5) - y_i)^2, t_i = i / 10,
    y_i = exp(-t_i) - 5 exp(-10 t_i) + 3 exp(-4 t_i).

    Dimension: 6. Start: (1, 2, 1, 1, 1, 1). x* = (1, 10, 1, 5, 4, 3), f* = 0; as low is the point
    with the two positive terms exchanged. For 13 residuals the paper also lists 5.65565...e-3: f
    has this value on a line where these terms have one rate, x_1 = x_5, and a given sum of heights
    x_3 + x_6. The gradient vanishes all along it. It is a weak local minimum where x_3 x_6 < 0, but
    a saddle where x_3 x_6 > 0: for one at the middle, x_3 = x_6, towards which the start leads
    every method that keeps its symmetry.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 18; Biggs (1971), "Minimization
    algorithms making use of non-quadratic properties of the objective function".

    Args:
        num_residuals: m, at least 6.

    Raises:
        OptbenchError: fewer than 6 residuals.
    """
    require_count("num_residuals", num_residuals, 6)
    return Problem(
        objective=SumOfSquares(_biggs_exp6),
        data=_biggs_exp6_data(num_residuals),
        start=start_near(np.array([1.0, 2.0, 1.0, 1.0, 1.0, 1.0])),
        minimum=0.0,
        minimizer=np.array([1.0, 10.0, 1.0, 5.0, 4.0, 3.0]),
        minimum_kind="closed form",
        critical_points=_biggs_exp6_plateau() if num_residuals == 13 else (),
        constants=Constants(convex=False),
        residuals=Residuals(_biggs_exp6),
        name="biggs_exp6",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 18",
    )
