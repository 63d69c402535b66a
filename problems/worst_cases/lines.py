"""Worst cases on a line."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near

LARGEST_EXPONENT = 600.0  # exp of which is well within floats


def _require_positive(**arguments: int | float) -> None:
    for name, value in arguments.items():
        if not 0 < value < np.inf:
            raise OptbenchError(f"{name} is {value}", f"give {name} > 0")


def _bent(params: Any, inner: Any, outer: Any, kink: Any) -> Any:
    """Curvature `inner` up to the kink of the slope, `outer` beyond."""
    inside = jnp.clip(params, -kink, kink)
    return jnp.sum(outer * params**2 / 2 + (inner - outer) * inside * (params - inside / 2))


def _cycle(params: Any) -> Any:
    low, high = 25 * params**2 / 2, 25 * params**2 / 2 - 24 * params + 36
    middle = params**2 / 2 + 24 * params - 12
    return jnp.sum(jnp.where(params < 1, low, jnp.where(params < 2, middle, high)))


def _exponential_arms(params: Any, curvature: Any, growth: Any) -> Any:
    reach = growth * jnp.abs(params)
    bowl = ((growth * params) ** 2 + 1) / 2
    arms = jnp.exp(jnp.maximum(reach, 1.0) - 1)
    return curvature / growth**2 * jnp.sum(jnp.where(reach <= 1, bowl, arms))


def _slope(params: Any, slope: Any) -> Any:
    return slope * jnp.sum(params)


def _half_line(params: Any, step: Any, slope: Any) -> Any:
    return jnp.maximum(params, 0.0)


def huber_worst_case(
    num_steps: int = 10,
    step: float = 1.0,
    smoothness: float = 1.0,
    strong_convexity: float = 0.0,
    radius: float = 1.0,
) -> Problem:
    """The function on which k gradient steps of size h / L from distance R leave f highest.

    f(x) = mu x^2 / 2 + (L - mu) s (x - s / 2), with s = x cut off at +-t: curvature L up to t, and
    mu beyond. With t = R / (1 + (L / mu) (r^(-2 k) - 1)) and r = 1 - h mu / L, or t = R / (2 k h +
    1) where mu = 0, the k-th iterate is still beyond t, and f(x_k) = L R t / 2. For h <= 1 that is
    the bound for all functions between mu and L.

    Dimension: 1. Start: R; other seeds move it by 0.1 R times a standard normal, and off the worst
    case. x* = 0, f* = 0. Constants: L, attained at x*, and mu, attained at the start; the slope of
    the slope jumps, so there is no M; G = L t where mu = 0.

    Source: Drori & Teboulle (2014), "Performance of first-order methods for smooth convex
    minimization: a novel approach", Mathematical Programming 145, section 3; for mu > 0 Taylor,
    Hendrickx & Glineur (2017), Mathematical Programming 161.

    Args:
        num_steps: k, at least 1, and few enough for r^(2 k) to be above 0 in floats.
        step: h, in (0, 2), and below L / mu.
        smoothness: L.
        strong_convexity: mu, from 0 to below L.
        radius: R.

    Raises:
        OptbenchError: an argument is out of range.
    """
    _require_positive(num_steps=num_steps, smoothness=smoothness, radius=radius)
    if not 0 < step < 2 or not 0 <= strong_convexity < smoothness:
        raise OptbenchError(
            f"step is {step} and strong_convexity {strong_convexity}",
            "give 0 < step < 2 and 0 <= strong_convexity < smoothness",
        )
    ratio = strong_convexity / smoothness
    shrinking = np.log1p(-step * ratio) if step * ratio < 1 else -np.inf  # log r
    if -2 * num_steps * shrinking > LARGEST_EXPONENT:
        raise OptbenchError(
            f"{num_steps} steps of {step} leave no distance at strong_convexity {strong_convexity}",
            "give step * strong_convexity < smoothness, and fewer steps",
        )
    growth = np.expm1(-2 * num_steps * shrinking) / ratio if ratio else 2 * num_steps * step
    kink = radius / (1 + growth)
    return Problem(
        objective=_bent,
        data=(np.float64(smoothness), np.float64(strong_convexity), np.float64(kink)),
        start=start_near(np.array([radius]), scale=0.1 * radius),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(smoothness),
            strong_convexity=float(strong_convexity),
            gradient_bound=None if ratio else float(smoothness * kink),
            convex=True,
            sharp=True,
        ),
        name="huber_worst_case",
        source="Drori & Teboulle (2014), Mathematical Programming 145, section 3",
    )


def parabola(
    curvature: float = 0.1, strong_convexity: float = 0.1, smoothness: float = 1.0
) -> Problem:
    """f(x) = lambda x^2 / 2, as a member of the class of functions between mu and L.

    With lambda = mu or L, gradient descent attains its bound on strongly convex functions,
    |x_k| = max(|1 - h mu|, |1 - h L|)^k |x_0|: short steps are slowest at mu, long ones at L.

    Dimension: 1. Start: 1; other seeds move it by 0.1 times a standard normal. x* = 0, f* = 0.
    Constants: those of the class, L and mu; M = 0.

    Source: Taylor, Hendrickx & Glineur (2018), "Exact worst-case convergence rates of the proximal
    gradient method for composite convex minimization", JOTA 178, pages 455-476.

    Args:
        curvature: lambda, in [mu, L].
        strong_convexity: mu, positive.
        smoothness: L.

    Raises:
        OptbenchError: the curvature is outside the class.
    """
    if not 0 < strong_convexity <= curvature <= smoothness < np.inf:
        raise OptbenchError(
            f"a curvature of {curvature} is not between {strong_convexity} and {smoothness}",
            "give 0 < strong_convexity <= curvature <= smoothness",
        )
    return Problem(
        objective=_bent,
        data=(np.float64(curvature), np.float64(curvature), np.float64(1.0)),
        start=start_near(np.ones(1)),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(smoothness),
            strong_convexity=float(strong_convexity),
            hessian_lipschitz=0.0,
            convex=True,
            quadratic=True,
            sharp=strong_convexity == smoothness,
        ),
        name="parabola",
        source="Taylor, Hendrickx & Glineur (2018), JOTA 178, pages 455-476",
    )


def heavy_ball_cycle() -> Problem:
    """f'(x) = 25 x for x < 1, x + 24 for 1 <= x < 2, and 25 x - 24 beyond.

    The heavy ball with the step 1 / 9 and momentum 4 / 9 that are best for quadratics between
    mu = 1 and L = 25 never arrives: it ends in a cycle through 2592/1225, -2208/1225 and 792/1225.
    Gradient descent with step 1 / 25 does arrive.

    Dimension: 1. Start: 3.3; other seeds move it by 0.05 times a standard normal, and few leave
    [3.07, 3.46], from where the cycle attracts. x* = 0, f* = 0.
    Constants: L = 25, attained at x*, and mu = 1, attained between 1 and 2; f'' jumps: no M.

    Source: Lessard, Recht & Packard (2016), "Analysis and design of optimization algorithms via
    integral quadratic constraints", SIAM Journal on Optimization 26(1), section 4.6.
    """
    return Problem(
        objective=_cycle,
        start=start_near(np.array([3.3]), scale=0.05),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(smoothness=25.0, strong_convexity=1.0, convex=True),
        name="heavy_ball_cycle",
        source="Lessard, Recht & Packard (2016), SIAM J. Optimization 26(1), section 4.6",
    )


def clipping_worst_case(curvature: float = 1.0, growth: float = 1.0) -> Problem:
    """A bowl with exponential arms, which no fixed step suits both far out and near x*.

    f(x) = L_0 (x^2 + 1 / L_1^2) / 2 for |x| <= 1 / L_1, and (L_0 / L_1^2) exp(L_1 |x| - 1) beyond.
    |f''| <= L_0 + L_1 |f'|: (L_0, L_1)-smooth. A gradient step above 2 |x_0| / |f'(x_0)| goes
    further out than it came from and ever faster so; below, it needs exp(L_1 |x_0|) steps near x*.
    Clipped steps need neither.

    Dimension: 1. Start: 10 / L_1; other seeds move it by 0.1 times a standard normal. x* = 0,
    f* = L_0 / (2 L_1^2).
    Constants: mu = L_0, attained at x*. Neither L nor M holds globally.

    Source: Zhang, He, Sra & Jadbabaie (2020), "Why gradient clipping accelerates training: a
    theoretical justification for adaptivity", ICLR, the lower bound on fixed steps.

    Args:
        curvature: L_0, positive.
        growth: L_1, positive.

    Raises:
        OptbenchError: an L_0 or L_1 that is not positive.
    """
    _require_positive(curvature=curvature, growth=growth)
    return Problem(
        objective=_exponential_arms,
        data=(np.float64(curvature), np.float64(growth)),
        start=start_near(np.array([10 / growth])),
        minimum=curvature / (2 * growth**2),
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=float(curvature), convex=True),
        name="clipping_worst_case",
        source="Zhang et al. (2020), ICLR, the lower bound on fixed steps",
    )


def half_line_worst_case(
    num_steps: int = 10, smoothness: float = 1.0, radius: float = 1.0
) -> Problem:
    """f(x) = c x over x >= 0, with the slope on which k projected gradient steps leave f highest.

    With c = L R / (2 k), steps of size 1 / L have come half way, and f(x_k) = L R^2 / (4 k), the
    bound for all functions with this L.

    Dimension: 1. Start: R; other seeds move it by 0.1 R times a standard normal. x* = 0, f* = 0, on
    the boundary. Constants: L, that of the class, where f itself has curvature 0; mu = M = 0;
    G = c.

    Source: Taylor, Hendrickx & Glineur (2017), "Exact worst-case performance of first-order methods
    for composite convex optimization", SIAM Journal on Optimization 27(3), pages 1283-1313.

    Args:
        num_steps: k, at least 1.
        smoothness: L.
        radius: R.

    Raises:
        OptbenchError: an argument is not positive.
    """
    _require_positive(num_steps=num_steps, smoothness=smoothness, radius=radius)
    slope = smoothness * radius / (2 * num_steps)
    return Problem(
        objective=_slope,
        data=(np.float64(slope),),
        start=start_near(np.array([radius]), scale=0.1 * radius),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(smoothness),
            strong_convexity=0.0,
            hessian_lipschitz=0.0,
            gradient_bound=float(slope),
            convex=True,
            quadratic=True,
        ),
        prox=_half_line,
        name="half_line_worst_case",
        source="Taylor, Hendrickx & Glineur (2017), SIAM J. Optimization 27(3)",
    )
