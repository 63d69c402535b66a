"""Nonlinear models fitted to the measurements that the papers print."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from problems.minima import known_minimum
from problems.more_garbow_hillstrom.stationary_points import critical_point
from problems.more_garbow_hillstrom.sums_of_squares import Residuals, SumOfSquares

# fmt: off
BARD = np.array([
    0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39,
])
GAUSSIAN = np.array([
    0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989,
    0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009,
])
MEYER = np.array([
    34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0,
    8261.0, 7030.0, 6005.0, 5147.0, 4427.0, 3820.0, 3307.0, 2872.0,
])
KOWALIK_OSBORNE = np.array([
    (0.1957, 4.0), (0.1947, 2.0), (0.1735, 1.0), (0.1600, 0.5), (0.0844, 0.25), (0.0627, 0.167),
    (0.0456, 0.125), (0.0342, 0.1), (0.0323, 0.0833), (0.0235, 0.0714), (0.0246, 0.0625),
])
OSBORNE_ONE = np.array([
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751,
    0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490,
    0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406,
])
OSBORNE_TWO = np.array([
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
    0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
    0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
    0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
    0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
])
# fmt: on


def _bard(params: Any, u: Any, v: Any, w: Any, measured: Any) -> Any:
    a, b, c = params
    return measured - (a + u / (b * v + c * w))


def bard() -> Problem:
    """Bard's rational model: sum_i (y_i - x_1 - u_i / (v_i x_2 + w_i x_3))^2, 15 measurements.

    u_i = i, v_i = 16 - i, w_i = min(u_i, v_i).

    Dimension: 3. Start: (1, 1, 1). x*: (0.0824..., 1.133..., 2.343...), f* = 8.21487...e-3. Towards
    (0.8406..., -inf, -inf) f falls to 17.4286..., which methods may follow. Poles fill the planes
    v_i x_2 + w_i x_3 = 0.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 8; Bard (1970), "Comparison of
    gradient methods for the solution of nonlinear parameter estimation problems", SIAM Journal on
    Numerical Analysis 7.
    """
    u = np.arange(1.0, 16)
    return Problem(
        objective=SumOfSquares(_bard),
        data=(u, 16 - u, np.minimum(u, 16 - u), BARD),
        start=start_near(np.ones(3)),
        constants=Constants(convex=False),
        residuals=Residuals(_bard),
        name="bard",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 8",
        **known_minimum("bard"),
    )


def _gaussian_curve(params: Any, times: Any, measured: Any) -> Any:
    height, precision, center = params
    return height * jnp.exp(-precision * (times - center) ** 2 / 2) - measured


def gaussian_curve() -> Problem:
    """A Gaussian curve: sum_i (x_1 exp(-x_2 (t_i - x_3)^2 / 2) - y_i)^2, 15 values.

    t_i = (8 - i) / 2; the values are those of the normal density, to four digits.

    Dimension: 3. Start: (0.4, 1, 0), close to x*. x*: (0.3989..., 1.0000..., 0),
    f* = 1.12793...e-8.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 9.
    """
    return Problem(
        objective=SumOfSquares(_gaussian_curve),
        data=((8 - np.arange(1.0, 16)) / 2, GAUSSIAN),
        start=start_near(np.array([0.4, 1.0, 0.0])),
        constants=Constants(convex=False),
        residuals=Residuals(_gaussian_curve),
        name="gaussian_curve",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 9",
        **known_minimum("gaussian_curve"),
    )


def _meyer(params: Any, times: Any, measured: Any) -> Any:
    a, b, c = params
    return a * jnp.exp(b / (times + c)) - measured


def meyer() -> Problem:
    """Meyer's thermistor: sum_i (x_1 exp(x_2 / (t_i + x_3)) - y_i)^2, 16 resistances.

    t_i = 45 + 5 i degrees; y_i from 34780 down to 2872.

    Dimension: 3. Start: (0.02, 4000, 250); other seeds move it by 0.001 times a standard normal.
    x*: (0.005609..., 6181.3..., 345.22...), f* = 87.9458..., and f = 1.7e9 at the start. The valley
    is long and curved, and the unknowns differ in size by 10^6.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 10; Meyer (1970), "Theoretical
    and computational aspects of nonlinear regression".
    """
    return Problem(
        objective=SumOfSquares(_meyer),
        data=(45 + 5 * np.arange(1.0, 17), MEYER),
        start=start_near(np.array([0.02, 4000.0, 250.0]), scale=1e-3),
        constants=Constants(convex=False),
        residuals=Residuals(_meyer),
        name="meyer",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 10",
        **known_minimum("meyer"),
    )


def _kowalik_osborne(params: Any, u: Any, measured: Any) -> Any:
    a, b, c, d = params
    return measured - a * (u**2 + u * b) / (u**2 + u * c + d)


@functools.cache
def _kowalik_osborne_trap() -> CriticalPoint:
    measured, u = KOWALIK_OSBORNE.T

    def terms(point: np.ndarray) -> np.ndarray:
        return _kowalik_osborne(point, u, measured)

    near = np.array([0.22536, -0.41475, -0.024453, -0.17797])
    return critical_point("local minimum", terms, near)


def kowalik_osborne() -> Problem:
    """A rational model of enzyme kinetics, 11 measurements.

    f(x) = sum_i (y_i - x_1 (u_i^2 + u_i x_2) / (u_i^2 + u_i x_3 + x_4))^2.

    Dimension: 4. Start: (0.25, 0.39, 0.415, 0.39); other seeds move it by 0.01 times a standard
    normal. x*: (0.1928..., 0.1912..., 0.1230..., 0.1360...), f* = 3.07505...e-4. Towards
    (inf, -14.07..., -inf, -inf) f falls to 1.02734...e-3, which methods may follow. A local
    minimum, 4.23674...e-4 at (0.2253..., -0.4147..., -0.02445..., -0.1779...), has a pole between
    two measurements.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 15; Kowalik & Osborne (1968),
    "Methods for unconstrained optimization problems".
    """
    return Problem(
        objective=SumOfSquares(_kowalik_osborne),
        data=(KOWALIK_OSBORNE[:, 1].copy(), KOWALIK_OSBORNE[:, 0].copy()),
        start=start_near(np.array([0.25, 0.39, 0.415, 0.39]), scale=0.01),
        critical_points=(_kowalik_osborne_trap(),),
        constants=Constants(convex=False),
        residuals=Residuals(_kowalik_osborne),
        name="kowalik_osborne",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 15",
        **known_minimum("kowalik_osborne"),
    )


def _osborne_one(params: Any, times: Any, measured: Any) -> Any:
    level, first, second, slow, fast = params
    return measured - (level + first * jnp.exp(-times * slow) + second * jnp.exp(-times * fast))


def osborne_one() -> Problem:
    """Osborne's first: a constant and two decays, 33 measurements.

    f(x) = sum_i (y_i - (x_1 + x_2 exp(-t_i x_4) + x_3 exp(-t_i x_5)))^2, t_i = 10 (i - 1).

    Dimension: 5. Start: (0.5, 1.5, -1, 0.01, 0.02); other seeds move it by 0.001 times a standard
    normal. x*: (0.3754..., 1.935..., -1.464..., 0.01286..., 0.02212...), f* = 5.46489...e-5; as low
    is the point with the two decays exchanged.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 17; Osborne (1972), "Some
    aspects of nonlinear least squares calculations".
    """
    return Problem(
        objective=SumOfSquares(_osborne_one),
        data=(10 * np.arange(33.0), OSBORNE_ONE),
        start=start_near(np.array([0.5, 1.5, -1.0, 0.01, 0.02]), scale=1e-3),
        constants=Constants(convex=False),
        residuals=Residuals(_osborne_one),
        name="osborne_one",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 17",
        **known_minimum("osborne_one"),
    )


def _osborne_two(params: Any, times: Any, measured: Any) -> Any:
    heights, rates, centers = params[:4], params[4:8], params[8:]
    decay = heights[0] * jnp.exp(-times * rates[0])
    distances = (times[:, None] - centers[None, :]) ** 2
    return measured - decay - jnp.exp(-distances * rates[None, 1:]) @ heights[1:]


@functools.cache
def _osborne_two_traps() -> tuple[CriticalPoint, ...]:
    times = np.arange(65.0) / 10

    def terms(point: np.ndarray) -> np.ndarray:
        heights, rates, centers = point[:4], point[4:8], point[8:]
        peaks = np.exp(-((times[:, None] - centers) ** 2) * rates[1:]) @ heights[1:]
        return OSBORNE_TWO - heights[0] * np.exp(-times * rates[0]) - peaks

    near = np.array([
        (2.8298, -1.4724, 0.4819, 0.5967, 0.5641, 0.3628, 2.378, 5.0744, -0.1578, 4.6034, 5.6337),
        (1.298, 0.3363, -0.4855, 0.6573, 0.6816, 1.7443, 10.215, 0.2417, 2.2378, 6.322, 5.3805),
    ])  # fmt: skip
    return tuple(critical_point("local minimum", terms, guess) for guess in near)


def osborne_two() -> Problem:
    """Osborne's second: a decay and three Gaussian peaks, 65 measurements.

    f(x) = sum_i (y_i - x_1 exp(-t_i x_5) - sum_k x_{k+1} exp(-(t_i - x_{k+8})^2 x_{k+5}))^2 over
    k = 1, 2, 3, with t_i = (i - 1) / 10.

    Dimension: 11. Start: (1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5). x*: found by Newton's
    method, with peaks at 2.398..., 4.568... and 5.675...; f* = 4.01377...e-2. Two local minima,
    with a peak of negative height, are 0.0875947... and 0.124098...
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 19; Osborne (1972), "Some
    aspects of nonlinear least squares calculations".
    """
    return Problem(
        objective=SumOfSquares(_osborne_two),
        data=(np.arange(65.0) / 10, OSBORNE_TWO),
        start=start_near(
            np.array([1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5]), scale=0.05
        ),
        critical_points=_osborne_two_traps(),
        constants=Constants(convex=False),
        residuals=Residuals(_osborne_two),
        name="osborne_two",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 19",
        **known_minimum("osborne_two"),
    )
