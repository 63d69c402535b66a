"""Members of the classes that theorems on acceleration and conjugate gradients speak of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import DIM, RADIUS, SMOOTHNESS, STRONG_CONVEXITY, parabola
from optbench.problem import Constants, Problem
from optbench.start import start_near

LARGE = 21  # dimensions of the instances that need more than `DIM`
LENGTH = 60  # of the chain that stands for an infinite one
NUM_INTERVALS = 4  # of less curvature, on a line


def _regression(
    name: str, rows: np.ndarray, targets: np.ndarray, start: np.ndarray, **known: Any
) -> Problem:
    """f(x) = |A x - b|^2 / 2, in the form of `optbench.bounds.instances`."""
    like = parabola(SMOOTHNESS, 0.0)
    data = (rows, targets, np.full(len(rows), np.inf))
    return dataclasses.replace(like, name=name, data=data, start=start_near(start), **known)


def _diagonal(
    name: str, curvatures: np.ndarray, offsets: np.ndarray, center: float, constants: Constants
) -> Problem:
    """sum_j h_j (x_j - x*_j)^2 / 2 from x_0 = x* + R offsets / |offsets|, all x*_j = center.

    Coordinates beyond those given are there to make one shape, and start at their x*_j.
    """
    dim = DIM if len(curvatures) <= DIM else LARGE
    pad = (0, dim - len(curvatures))
    roots = np.sqrt(np.pad(curvatures, pad, constant_values=SMOOTHNESS))
    away = np.pad(RADIUS * offsets / np.linalg.norm(offsets), pad)
    minimizer = np.full(dim, center)
    return _regression(
        name,
        np.diag(roots),
        roots * minimizer,
        minimizer + away,
        minimizer=minimizer,
        constants=constants,
    )


def chebyshev_extrema(num_steps: int, center: float) -> Problem:
    """The quadratic with mu = 1 / 4, L = 4 on which k steps of conjugate gradients do least.

    Its k + 1 curvatures are the points of [mu, L] where Chebyshev's polynomial of degree k is
    +-1, and (x_0 - x*)_j^2 is proportional to w_j / h_j^2, with w = 1 inside and 1/2 at the ends.

    Args:
        num_steps: k.
        center: x*_j.

    Source: Greenbaum (1979), Numer. Math. 33, pp. 181-193.
    """
    middle, half = (SMOOTHNESS + STRONG_CONVEXITY) / 2, (SMOOTHNESS - STRONG_CONVEXITY) / 2
    curvatures = middle + half * np.cos(np.pi * np.arange(num_steps + 1) / num_steps)
    shares = np.ones(num_steps + 1)
    shares[[0, -1]] = 0.5
    return _diagonal(
        f"chebyshev_extrema[num_steps={num_steps}]",
        curvatures,
        np.sqrt(shares) / curvatures,
        center,
        Constants(
            smoothness=SMOOTHNESS, strong_convexity=STRONG_CONVEXITY, convex=True, quadratic=True
        ),
    )


def krylov_extrema(num_steps: int, center: float) -> Problem:
    """The convex quadratic with L = 4 on which no method of Krylov spaces does better in k steps.

    Its k + 1 curvatures are L cos(j pi / (2 k + 1))^2, j = 0 to k, and (x_0 - x*)_j^2 is
    proportional to w_j / h_j, with w_0 = 1/2 and w = 1 otherwise.

    Args:
        num_steps: k.
        center: x*_j.

    Source: the bound: Nemirovski (1992), J. Complexity 8, pp. 153-175; the instance is derived
    from the equality of its polynomial at these points.
    """
    curvatures = SMOOTHNESS * np.cos(np.pi * np.arange(num_steps + 1) / (2 * num_steps + 1)) ** 2
    shares = np.ones(num_steps + 1)
    shares[0] = 0.5
    return _diagonal(
        f"krylov_extrema[num_steps={num_steps}]",
        curvatures,
        np.sqrt(shares / curvatures),
        center,
        Constants(smoothness=SMOOTHNESS, convex=True, quadratic=True),
    )


def _rotated(name: str, curvatures: np.ndarray, rng: np.random.Generator, center: float) -> Problem:
    """A quadratic with these curvatures, a random basis and a random start; x*_j near center."""
    basis = np.linalg.qr(rng.standard_normal((len(curvatures), len(curvatures))))[0]
    rows = np.sqrt(curvatures)[:, None] * basis
    minimizer = center + rng.standard_normal(len(curvatures))
    return _regression(
        name,
        rows,
        rows @ minimizer,
        minimizer + rng.standard_normal(len(curvatures)),
        minimizer=minimizer,
        constants=Constants(
            smoothness=float(curvatures.max()),
            strong_convexity=float(curvatures.min()),
            convex=True,
            quadratic=True,
            sharp=True,
        ),
    )


def few_curvatures(count: int, seed: int, center: float) -> Problem:
    """A random quadratic with so many distinct curvatures, log-spaced in [1/4, 4].

    Args:
        count: of distinct curvatures; 5 dimensions hold up to 5 of them, else there are 21.
        seed: of the basis, the minimizer and the start.
        center: near which the coordinates of x* are.
    """
    distinct = np.geomspace(SMOOTHNESS, STRONG_CONVEXITY, count)
    curvatures = np.resize(distinct, DIM if count <= DIM else LARGE)
    name = f"few_curvatures[count={count},seed={seed}]"
    return _rotated(name, curvatures, np.random.default_rng(seed), center)


def outlying_curvatures(seed: int, center: float) -> Problem:
    """A random quadratic in 21 dimensions: 18 curvatures in [1, 4], and 50, 100 and 300.

    Args:
        seed: of the curvatures, the basis, the minimizer and the start.
        center: near which the coordinates of x* are.
    """
    rng = np.random.default_rng(seed)
    inner = np.concatenate([[1.0, 4.0], rng.uniform(1.0, 4.0, LARGE - 5)])
    curvatures = np.concatenate([inner, [50.0, 100.0, 300.0]])
    return _rotated(f"outlying_curvatures[seed={seed}]", curvatures, rng, center)


def chain(num_steps: int, center: float) -> Problem:
    """Nesterov's worst function in the world for k steps, with L = 4.

    f(x) = (L / 8) c^2 [(x_1 - 1)^2 + sum_{i<d} (x_i - x_{i+1})^2 + x_d^2] in d = 2 k + 1
    coordinates, with x*_i = 1 - i / (d + 1), scaled so that R = 1.5 from x_0 = 0, and moved by
    `center`. Coordinates beyond d make one shape, and f does not depend on them.

    Args:
        num_steps: k, up to 10.
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
    return _regression(
        f"chain[num_steps={num_steps}]",
        rows,
        targets,
        np.full(LARGE, center),
        minimum=float(SMOOTHNESS / 8 * scale**2 / (dim + 1)),
        minimizer=center + scale * shape,
        constants=Constants(smoothness=SMOOTHNESS, convex=True, quadratic=True),
    )


def strongly_convex_chain(center: float) -> Problem:
    """Nesterov's worst strongly convex function, mu = 1 / 4, L = 4, cut to 60 coordinates.

    f(x) = (L - mu) / 8 [x_1^2 + sum_i (x_i - x_{i+1})^2 - 2 c x_1] + mu |x|^2 / 2 with
    x*_i = c q^i, q = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)) = 0.6. What is cut off is in
    |x_k - x*|^2 a share of 0.6^(2 (60 - k)), below rounding for k <= 20. The last coordinate has
    the curvature that keeps this x*; c makes R = 1.5 from x_0 = 0; all is moved by `center`.

    Args:
        center: x_0 in each coordinate.

    Source: Nesterov (2018), section 2.1.4.
    """
    ratio = np.sqrt(STRONG_CONVEXITY / SMOOTHNESS)
    q = (1 - ratio) / (1 + ratio)
    minimizer = q ** np.arange(1, LENGTH + 1)
    minimizer *= RADIUS / np.linalg.norm(minimizer)
    stiff = (SMOOTHNESS - STRONG_CONVEXITY) / 4
    links = np.eye(LENGTH + 1, LENGTH) - np.eye(LENGTH + 1, LENGTH, -1)
    links[-1] *= np.sqrt(1 - q)  # x*_{d+1} = q x*_d: its pull is (1 - q) x*_d
    rows = np.vstack([np.sqrt(stiff) * links, np.sqrt(STRONG_CONVEXITY) * np.eye(LENGTH)])
    targets = np.zeros(len(rows))
    targets[0] = np.sqrt(stiff) * minimizer[0] / q
    minimum = float(np.sum((rows @ minimizer - targets) ** 2) / 2)
    return _regression(
        "strongly_convex_chain",
        rows,
        targets + rows @ np.full(LENGTH, center),
        np.full(LENGTH, center),
        minimum=minimum,
        minimizer=center + minimizer,
        constants=Constants(
            smoothness=SMOOTHNESS, strong_convexity=STRONG_CONVEXITY, convex=True, quadratic=True
        ),
    )


def resisting(weights: Sequence[float], center: float) -> Problem:
    """The smooth convex function with L = 4 that lets no first-order method do better in N steps.

    f(x) = max {sum_i a_i (s_i x_i + c_i) - sum_i (a_i s_i)^2 / (2 L): a >= 0, sum_i a_i <= 1},
    the Moreau envelope of max(0, max_i s_i x_i + c_i). From x_0 = 0 each gradient shows one more
    coordinate, the first of those left. With c_N = 1, s_N^2 = L c_N / theta_N, and from there
    down s_i^2 = L c_{i+1} / (2 theta_i - 1), c_i = c_{i+1} + s_i^2 / L, the least f over the first
    N coordinates is L R^2 / (2 theta_N^2); all is scaled so that R = 1.5 and moved by `center`.
    Coordinates beyond N make one shape: f does not depend on them near the path.

    Args:
        weights: theta_0, ..., theta_N, of which the last has the rule of the last step.
        center: x_0 in each coordinate.

    Source: the value: Drori (2017), J. Complexity 39, pp. 1-16, Theorem 3. This form of the
    function is derived here, by minimizing R over the slopes; it was compared with no paper.
    """
    heights, squares = [1.0], [1 / weights[-1]]
    for weight in weights[-2::-1]:
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
        name=f"resisting[num_steps={len(heights) - 1}]",
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
    """a_i = max(heights_i - t, 0) / squares_i, with the least t >= 0 for which they fit."""
    order = jnp.argsort(-heights)
    widths = jnp.cumsum(1 / squares[order])
    areas = jnp.cumsum((heights / squares)[order])
    level = jnp.maximum(jnp.max((areas - 1) / widths), 0.0)
    return jnp.maximum(heights - level, 0.0) / squares


def bent(
    name: str, intervals: Sequence[tuple[float, float]], start: float, center: float
) -> Problem:
    """A function on a line with curvature 25, and 1 on some intervals of x - x*; x* = center.

    Args:
        name: of the problem.
        intervals: (from, to), none with 0 inside.
        start: x_0 - x*.
        center: x*.
    """
    padded = np.zeros((NUM_INTERVALS, 2))
    padded[: len(intervals)] = np.reshape(intervals, (-1, 2))
    signs = np.where(padded.sum(axis=1) < 0, -1.0, 1.0)
    ends = np.sort(np.abs(padded), axis=1)
    return Problem(
        objective=_bent,
        data=(np.array(center), signs, ends[:, 0], ends[:, 1]),
        start=start_near(np.array([center + start])),
        minimum=0.0,
        minimizer=np.array([center]),
        minimum_kind="closed form",
        constants=Constants(smoothness=25.0, strong_convexity=1.0, convex=True),
        name=name,
    )


def _bent(params: Any, center: Any, signs: Any, low: Any, high: Any) -> Any:
    away = params - center
    along = signs * away
    inside = jnp.clip(along, low, high) - low
    spared = inside**2 / 2 + (high - low) * jnp.maximum(along - high, 0.0)
    return 25.0 * jnp.sum(away**2) / 2 - 24.0 * jnp.sum(spared)


def largest_square(seed: int) -> Problem:
    """f(x) = L max_i (x_i - x*_i)^2 / 2 in 5 dimensions: at most L |x - x*|^2 / 2, and not smooth.

    Args:
        seed: of the minimizer and the start; L = 4.
    """
    rng = np.random.default_rng(seed)
    minimizer = rng.standard_normal(DIM)
    return Problem(
        objective=_largest_square,
        data=(minimizer,),
        start=start_near(minimizer + rng.standard_normal(DIM)),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(convex=True),
        name=f"largest_square[seed={seed}]",
    )


def _largest_square(params: Any, minimizer: Any) -> Any:
    return SMOOTHNESS * jnp.max(jnp.abs(params - minimizer)) ** 2 / 2
