"""Functions on which no first-order method does well."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import RADIUS, SMOOTHNESS
from optbench.bounds.momentum.accelerated import weights
from optbench.bounds.momentum.krylov_instances import LARGE, regression
from optbench.bounds.momentum.optimized_gradient import last_weights
from optbench.problem import Constants, Problem
from optbench.start import start_near

RESISTED = (1, 2, 5, 10)  # steps of first-order methods
CHAIN_CONVEXITY = SMOOTHNESS / 9  # mu of the chain that stands for an infinite one: q = 1/2


def chain(num_steps: int, center: float) -> Problem:
    """Nesterov's worst function in the world for k steps, with L = 4.

    f(x) = (L / 8) c^2 [(x_1 - 1)^2 + sum_{i<d} (x_i - x_{i+1})^2 + x_d^2] in d = 2 k + 1
    coordinates, with x*_i = 1 - i / (d + 1), scaled so that R = 1.5 from x_0 = 0, and moved by
    `center`. Coordinates beyond d make one shape, and f does not depend on them.

    Args:
        num_steps: k, up to 19.
        center: x_0 in each coordinate.

    Source: Nesterov (2018), section 2.1.2, with a constant added.
    """
    dim = 2 * num_steps + 1
    shape = np.zeros(LARGE)
    shape[:dim] = 1 - np.arange(1, dim + 1) / (dim + 1)
    scale = RADIUS / np.linalg.norm(shape)
    rows = np.zeros((LARGE + 1, LARGE))
    rows[np.arange(dim), np.arange(dim)] = -1.0
    rows[np.arange(1, dim + 1), np.arange(dim)] = 1.0
    rows *= np.sqrt(SMOOTHNESS) / 2
    targets = rows @ np.full(LARGE, center)
    targets[0] -= scale * np.sqrt(SMOOTHNESS) / 2
    return regression(
        f"chain[num_steps={num_steps}]",
        rows,
        targets,
        np.full(LARGE, center),
        minimum=float(SMOOTHNESS / 8 * scale**2 / (dim + 1)),
        minimizer=center + scale * shape,
        constants=Constants(smoothness=SMOOTHNESS, convex=True, quadratic=True),
    )


def strongly_convex_chain(center: float) -> Problem:
    """Nesterov's worst strongly convex function, mu = 4 / 9, L = 4, cut to 40 coordinates.

    f(x) = (x - x*)^T H (x - x*) / 2, with H = mu I + (L - mu) / 4 (2 I - S - S^T), S the shift,
    and x*_i = c q^i, q = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)) = 1/2, so that
    grad f = -(L - mu) c e_1 / 4 at x_0 = 0. What is cut off is in |x_k - x*|^2 a share of
    q^(2 (40 - k)), below rounding for k <= 14; the last entry of H is the one that keeps this x*.
    c makes R = 1.5; all is moved by `center`.

    Args:
        center: x_0 in each coordinate.

    Source: Nesterov (2018), section 2.1.4, with a constant added.
    """
    root = np.sqrt(CHAIN_CONVEXITY / SMOOTHNESS)
    q = (1 - root) / (1 + root)
    minimizer = q ** np.arange(1, LARGE + 1)
    minimizer *= RADIUS / np.linalg.norm(minimizer)
    link = (SMOOTHNESS - CHAIN_CONVEXITY) / 4
    hessian = (CHAIN_CONVEXITY + 2 * link) * np.eye(LARGE)
    hessian -= link * (np.eye(LARGE, k=1) + np.eye(LARGE, k=-1))
    hessian[-1, -1] = link / q  # the row that meets q^(d - 1) and q^d, and gives 0
    rows = np.linalg.cholesky(hessian).T
    return regression(
        "strongly_convex_chain",
        rows,
        rows @ (center + minimizer),
        np.full(LARGE, center),
        minimizer=center + minimizer,
        constants=Constants(
            smoothness=SMOOTHNESS, strong_convexity=CHAIN_CONVEXITY, convex=True, quadratic=True
        ),
    )


def resisting(num_steps: int, center: float) -> Problem:
    """The smooth convex function with L = 4 that lets no first-order method do better in N steps.

    f(x) = max {sum_i a_i (s_i x_i + c_i) - sum_i (a_i s_i)^2 / (2 L): a >= 0, sum_i a_i <= 1},
    the Moreau envelope of max(0, max_i s_i x_i + c_i). From x_0 = 0 each gradient shows one more
    coordinate, the first of those left. With c_N = 1, s_N^2 = L c_N / theta_N, and from there
    down s_i^2 = L c_{i+1} / (2 theta_i - 1), c_i = c_{i+1} + s_i^2 / L, the least f over the first
    N coordinates is L R^2 / (2 theta_N^2); all is scaled so that R = 1.5 and moved by `center`.
    Coordinates beyond N make one shape: f does not depend on them near the path.

    Args:
        num_steps: N, at most 20.
        center: x_0 in each coordinate.

    Source: the value: Drori (2017), J. Complexity 39, pp. 1-16, Theorem 3. This form of the
    function is derived here, by minimizing R over the slopes; it was compared with no paper.
    """
    inner = weights(np.arange(num_steps))
    heights, squares = [1.0], [1 / float(last_weights(num_steps))]
    for weight in inner[::-1]:
        squares.insert(0, heights[0] / (2 * weight - 1))
        heights.insert(0, heights[0] + squares[0])
    scale = RADIUS / np.sqrt(np.sum(np.array(heights) ** 2 / squares))
    pad = (0, LARGE - len(heights))
    slopes = np.pad(SMOOTHNESS * scale * np.sqrt(squares), pad, constant_values=1.0)
    offsets = np.pad(SMOOTHNESS * scale**2 * np.array(heights), pad, constant_values=-1.0)
    origin = np.full(LARGE, center)
    return Problem(
        objective=_enveloped_maximum,
        data=(slopes, offsets, origin, np.array(SMOOTHNESS)),
        start=start_near(origin),
        minimum=0.0,
        minimizer=origin - np.maximum(offsets, 0.0) / slopes,
        minimum_kind="closed form",
        constants=Constants(smoothness=SMOOTHNESS, convex=True),
        name=f"resisting[num_steps={num_steps}]",
    )


def _enveloped_maximum(params: Any, slopes: Any, offsets: Any, origin: Any, smoothness: Any) -> Any:
    return _envelope(slopes * (params - origin) + offsets, slopes**2 / smoothness)


@jax.custom_jvp
def _envelope(heights: Any, squares: Any) -> Any:
    """max of a.heights - sum_i a_i^2 squares_i / 2 over a >= 0, sum_i a_i <= 1."""
    shares = _shares(heights, squares)
    return jnp.sum(shares * (heights - shares * squares / 2))


@_envelope.defjvp
def _envelope_jvp(primals: Any, tangents: Any) -> Any:
    """Where the maximum is attained, its shares do not change it to first order."""
    shares = _shares(*primals)
    change = jnp.sum(shares * (tangents[0] - shares * tangents[1] / 2))
    return _envelope(*primals), change


def _shares(heights: Any, squares: Any) -> Any:
    """a_i = max(heights_i - t, 0) / squares_i, with the least t >= 0 for which they fit.

    Which of them are positive is taken as fixed, so that the derivative is symmetric at kinks too.
    """
    order = jnp.argsort(-heights)
    widths = jnp.cumsum(1 / squares[order])
    areas = jnp.cumsum((heights / squares)[order])
    level = jnp.maximum(jnp.max((areas - 1) / widths), 0.0)
    active = heights > level
    width = jnp.sum(jnp.where(active, 1 / squares, 0.0))
    area = jnp.sum(jnp.where(active, heights / squares, 0.0))
    fitted = jnp.where(level > 0, (area - 1) / jnp.where(active.any(), width, 1.0), 0.0)
    return jnp.where(active, (heights - fitted) / squares, 0.0)
