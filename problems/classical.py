"""Classical test functions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem, start_near


def _half_square(residuals: Any) -> Any:
    return jnp.sum(residuals**2) / 2


def _rosenbrock_residuals(params: Any) -> Any:
    steep = 10 * (params[1:] - params[:-1] ** 2)
    return jnp.sqrt(2.0) * jnp.concatenate([steep, 1 - params[:-1]])


def _rosenbrock(params: Any) -> Any:
    return jnp.sum(100 * (params[1:] - params[:-1] ** 2) ** 2 + (1 - params[:-1]) ** 2)


def rosenbrock(dim: int = 2) -> Problem:
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

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no Rosenbrock function in {dim} dimensions", "give dim >= 2")
    return Problem(
        objective=_rosenbrock,
        start=start_near(np.where(np.arange(dim) % 2 == 0, -1.2, 1.0)),
        minimum=0.0,
        minimizer=np.ones(dim),
        minimum_kind="closed form",
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
    an infimum above 0, which methods may follow.
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
        constants=Constants(convex=False),
        residuals=_beale_residuals,
        region=((-0.5, 4.0), (-1.75, 1.75)),
        name="beale",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7, problem 5",
    )


def _himmelblau_residuals(params: Any) -> Any:
    x, y = params
    return jnp.sqrt(2.0) * jnp.stack([x**2 + y - 11, x + y**2 - 7])


def _himmelblau(params: Any) -> Any:
    return _half_square(_himmelblau_residuals(params))


def himmelblau() -> Problem:
    """Himmelblau's function: (x^2 + y - 11)^2 + (x + y^2 - 7)^2.

    Dimension: 2. Start: (0, 0), near the local maximum (-0.271, -0.923); other seeds move it by a
    standard normal. x* = (3, 2), f* = 0; equally low are (-2.805118, 3.131313),
    (-3.779310, -3.283186) and (3.584428, -1.848127).
    Constants: none holds globally.

    Source: Himmelblau (1972), "Applied Nonlinear Programming".
    """
    return Problem(
        objective=_himmelblau,
        start=start_near(np.zeros(2), scale=1.0),
        minimum=0.0,
        minimizer=np.array([3.0, 2.0]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=_himmelblau_residuals,
        region=((-5.0, 5.0), (-5.0, 5.0)),
        name="himmelblau",
        source="Himmelblau (1972), Applied Nonlinear Programming",
    )


def _booth_residuals(params: Any) -> Any:
    x, y = params
    return jnp.sqrt(2.0) * jnp.stack([x + 2 * y - 7, 2 * x + y - 5])


def _booth(params: Any) -> Any:
    return _half_square(_booth_residuals(params))


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
        constants=Constants(
            smoothness=18.0,
            strong_convexity=2.0,
            hessian_lipschitz=0.0,
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        residuals=_booth_residuals,
        region=((-10.0, 10.0), (-10.0, 10.0)),
        name="booth",
        source="Jamil & Yang (2013), IJMMNO 4(2)",
    )


def _power(params: Any, exponent: Any) -> Any:
    return jnp.sum(jnp.abs(params) ** exponent) / exponent


def power(exponent: float = 4.0, dim: int = 1) -> Problem:
    """f(x) = sum_i |x_i|^p / p: convex, with no curvature at its minimizer.

    Dimension: `dim`. Start: (1, ..., 1). x* = 0, f* = 0.
    Constants: mu = 0, L is unbounded. Gradient descent with a small step takes
    x_k ~ k^(-1 / (p - 2)), and so f_k - f* ~ k^(-p / (p - 2)): k^-2 for p = 4, k^-1.5 for p = 6.
    Newton's method is linear, with factor (p - 2) / (p - 1) per step.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 4.2.2.

    Args:
        exponent: p, above 2.
        dim: number of unknowns.

    Raises:
        OptbenchError: the exponent is not above 2.
    """
    if not exponent > 2:
        raise OptbenchError(f"exponent is {exponent}", "give exponent > 2; quadratic is p = 2")
    return Problem(
        objective=_power,
        data=(np.float64(exponent),),
        start=start_near(np.ones(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        name="power",
        source="Nesterov (2018), section 4.2.2",
    )
