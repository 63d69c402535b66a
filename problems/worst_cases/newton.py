"""Functions that second-order theory is tight on, and one that is not convex but keeps its pace."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near


def _flattening(params: Any, curvature: Any, bend: Any, reach: Any) -> Any:
    inside = jnp.clip(params, -reach, reach)
    outside = params - inside
    value = curvature * inside**2 / 2 - bend * jnp.abs(inside) * inside**2 / 6
    slope = curvature * inside - bend * jnp.abs(inside) * inside / 2
    return jnp.sum(value + slope * outside + (curvature - bend * reach) * outside**2 / 2)


def _wavy(params: Any) -> Any:
    return jnp.sum(params**2 + 3 * jnp.sin(params) ** 2)


def _log_barrier(params: Any) -> Any:
    return jnp.sum(params - jnp.log(params))


def newton_worst_case(curvature: float = 1.0, hessian_lipschitz: float = 1.0) -> Problem:
    """f''(x) = max(l - M |x|, l / 4): Newton's method attains its local bound in each step.

    f(x) = l x^2 / 2 - M |x|^3 / 6 up to |x| = 3 l / (4 M), and a parabola beyond.
    With r_k = |x_k|, full Newton steps have r_{k+1} = M r_k^2 / (2 (l - M r_k)), the bound for
    r_0 < 2 l / (3 M), and change sides each time; from 2 l / (3 M) itself they go back and forth.

    Dimension: 1. Start: 0.6 l / M; other seeds move it by 0.01 l / M times a standard normal.
    x* = 0, f* = 0. Constants: L = l, attained at x*; mu = l / 4, attained far out; M.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 1.2.4.

    Args:
        curvature: l, at x*.
        hessian_lipschitz: M.

    Raises:
        OptbenchError: an argument is not positive.
    """
    if not (0 < curvature < np.inf and 0 < hessian_lipschitz < np.inf):
        raise OptbenchError(
            f"curvature is {curvature} and hessian_lipschitz {hessian_lipschitz}",
            "give curvature > 0 and hessian_lipschitz > 0",
        )
    unit = curvature / hessian_lipschitz
    return Problem(
        objective=_flattening,
        data=(np.float64(curvature), np.float64(hessian_lipschitz), np.float64(0.75 * unit)),
        start=start_near(np.array([0.6 * unit]), scale=0.01 * unit),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(curvature),
            strong_convexity=curvature / 4,
            hessian_lipschitz=float(hessian_lipschitz),
            convex=True,
        ),
        name="newton_worst_case",
        source="Nesterov (2018), section 1.2.4",
    )


def self_concordant_line() -> Problem:
    """f(x) = x - log x for x > 0: a self-concordant function on which damped Newton is exact.

    At x = 1 + r the Newton decrement is r. A damped step, of size 1 / (1 + r), lands on x*, and f
    falls by r - log(1 + r), the least that is promised to it; a full step goes to 1 - r^2, out of
    the domain for r >= 1, where f is NaN.

    Dimension: 1. Start: 3; other seeds move it by 0.1 times a standard normal. x* = 1, f* = 1.
    Constants: convex, mu = 0; neither L nor M holds globally.

    Source: Boyd & Vandenberghe (2004), "Convex Optimization", section 9.6.
    """
    return Problem(
        objective=_log_barrier,
        start=start_near(np.array([3.0])),
        minimum=1.0,
        minimizer=np.ones(1),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        name="self_concordant_line",
        source="Boyd & Vandenberghe (2004), section 9.6",
    )


def polyak_lojasiewicz() -> Problem:
    """f(x) = x^2 + 3 sin(x)^2: not convex, yet gradient descent converges linearly from anywhere.

    |f'(x)|^2 >= 2 m (f(x) - f*) with m = 1 / 32, the Polyak-Lojasiewicz inequality: x* is the only
    critical point, although the curvature reaches from -4 to 8.

    Dimension: 1. Start: 3; other seeds move it by 0.1 times a standard normal. x* = 0, f* = 0.
    Constants: L = 8, attained at x*; M = 12, as the third derivative is -12 sin(2 x); not convex.

    Source: Karimi, Nutini & Schmidt (2016), "Linear convergence of gradient and proximal-gradient
    methods under the Polyak-Lojasiewicz condition", ECML, section 2.2.
    """
    return Problem(
        objective=_wavy,
        start=start_near(np.array([3.0])),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(smoothness=8.0, hessian_lipschitz=12.0, convex=False, sharp=True),
        name="polyak_lojasiewicz",
        source="Karimi, Nutini & Schmidt (2016), ECML, section 2.2",
    )
