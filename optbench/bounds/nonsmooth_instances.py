"""Convex functions with kinks: those that subgradient methods find hardest, and others.

All are sums of maxima of linear pieces,

    f(x) = sum_j max_i (a_ji.x - b_ji),

with f* = 0. Where pieces tie, the subgradient is the slope of the first of them, so that a piece
that has not been met yet can stay hidden: `jnp.max` would share the gradient among all of them.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import DIM, FAR, NUM_RANDOM, RADIUS
from optbench.case import Instance
from optbench.problem import Constants, Params, Problem
from optbench.start import start_near

LIPSCHITZ = 3.0  # G of the worst functions
HORIZONS = (1, 2, 5, 10)  # steps after which they are worst
AT_KINK = 2  # the seed that starts a worst function where its pieces tie
_PIECES = max(HORIZONS) + 1  # all of them have this many dimensions, to share one program


def adversary(
    name: str, minimizer: float, correlations: np.ndarray, levels: np.ndarray | None = None
) -> Problem:
    """f(x) = max(max_i G u_i.(x - x_0) + v + l_i, 0) with |u_i| = 1, G = 3, R = |x_0 - x*| = 1.5.

    All pieces are 0 at x*, which lies in the span of the u_i as seen from x_0: that decides v.

    Args:
        name: in the tables.
        minimizer: every coordinate of x*.
        correlations: [m, m] of u_i.u_j; a positive definite matrix with ones on its diagonal.
        levels: [m] l_i, by how much a piece is higher than v at x_0; 0 by default.
    """
    unit = np.linalg.cholesky(correlations)  # rows u_i
    count = len(unit)
    levels = np.zeros(count) if levels is None else levels
    even, uneven = np.linalg.solve(unit, np.stack([np.ones(count), levels], axis=1)).T
    square, mixed = even @ even, even @ uneven
    reach = (LIPSCHITZ * RADIUS) ** 2 - uneven @ uneven
    level = (-mixed + np.sqrt(mixed**2 + square * reach)) / square
    start = np.full(_PIECES, minimizer)
    start[:count] += (level * even + uneven) / LIPSCHITZ
    rows = np.zeros((_PIECES + 1, _PIECES))
    rows[:count, :count] = LIPSCHITZ * unit
    offsets = rows @ start
    offsets[:count] -= level + levels
    return _piecewise(name, rows[None], offsets[None], np.full(_PIECES, minimizer), start)


def resisting(horizon: int, minimizer: float) -> Problem:
    """G max(max_i (x_i - x*_i), 0) over the first N + 1 coordinates, from where all are equal.

    Each subgradient tells of one coordinate alone: after N of them another is still where it was,
    and f - f* = G R / sqrt(N + 1), whatever the steps.

    Args:
        horizon: N.
        minimizer: every coordinate of x*.

    Source: Nesterov (2018), section 3.2.1, with the minimum cut off; Drori and Teboulle (2016), "An
    optimal variant of Kelley's cutting-plane method", Appendix A, from memory.
    """
    return adversary(f"resisting[horizon={horizon}]", minimizer, np.eye(horizon + 1))


def opposed(horizon: int, minimizer: float) -> Problem:
    """As `resisting`, its slopes at angles a little above 90 degrees: it punishes longer steps.

    Each step down one piece raises the others, those that come later most.
    """
    count = horizon + 1
    correlations = (1 + 0.1 / count) * np.eye(count) - 0.1 / count
    return adversary(f"opposed[horizon={horizon}]", minimizer, correlations)


def descending(
    lengths: np.ndarray, name: str, minimizer: float, opposition: float = 0.0
) -> Problem:
    """The function on which x_0, ..., x_N all have the gap v, and meet a new piece each.

    For steps of lengths h_i that fall with i, C_ij = (h_N - h_i) / sum_{l>i} h_l for all j > i
    makes v = G h_N; where moreover R^2 = 2 h_N sum h_i - sum h_i^2, the point x_{N+1} is x*, and
    v = G (R^2 + sum h_i^2) / (2 sum h_i). With constant steps C = 0, and a small `opposition` makes
    it worst for somewhat longer ones. No pieces tie at any x_i unless C_ij = 0.

    Args:
        lengths: [N + 1] h_i, of x_{i+1} - x_i.
        name: in the tables.
        minimizer: every coordinate of x*.
        opposition: taken from all C_ij.

    Source: found for this suite: the equality conditions of the standard proof.
    """
    count = len(lengths)
    after = np.append(np.cumsum(lengths[:0:-1])[::-1], 1.0)  # sum_{l>i} h_l
    cosines = (lengths[-1] - lengths) / after - opposition
    upper = np.triu(np.broadcast_to(cosines[:, None], (count, count)), 1)
    correlations = upper + upper.T + np.eye(count)
    levels = LIPSCHITZ * np.tril(correlations, -1) @ lengths
    return adversary(name, minimizer, correlations, levels)


def pieces(seed: int) -> Problem:
    """The largest of 12 random slopes in 11 dimensions, 0 at a random x* and higher elsewhere."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((_PIECES + 1, _PIECES))
    rows[-1] = -rng.uniform(0.5, 2.0, _PIECES) @ rows[:-1]  # a positive mean of all slopes is 0
    minimizer = rng.standard_normal(_PIECES)
    start = minimizer + rng.uniform(0.5, 3.0) * rng.standard_normal(_PIECES)
    offsets = rows @ minimizer
    return _piecewise(f"pieces[seed={seed}]", rows[None], offsets[None], minimizer, start)


@functools.lru_cache(maxsize=1)
def iris() -> tuple[np.ndarray, np.ndarray]:
    """[150, 5] four standardized features of irises and a column of ones; +1 for setosa, else -1.

    A plane separates the two.
    """
    from sklearn.datasets import load_iris

    features, species = load_iris(return_X_y=True)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    return np.hstack([features, np.ones((len(features), 1))]), np.where(species == 0, 1.0, -1.0)


@functools.lru_cache(maxsize=1)
def hinge() -> Problem:
    """The mean of max(0, 1 - y a.x) over `iris`, from x_0 = 0.

    x* is the least-squares fit of y, scaled until all margins are at least 1.
    """
    features, labels = iris()
    fit = np.linalg.lstsq(features, labels, rcond=None)[0]
    minimizer = fit / np.min(labels * (features @ fit))
    rows = np.zeros((len(labels), 2, features.shape[1]))
    rows[:, 0] = -labels[:, None] * features / len(labels)
    offsets = np.zeros((len(labels), 2))
    offsets[:, 0] = -1 / len(labels)
    return _piecewise("hinge_iris", rows, offsets, minimizer, np.zeros(len(minimizer)))


def absolute(name: str, features: np.ndarray, minimizer: np.ndarray, start: np.ndarray) -> Instance:
    """sum_j |a_j.(x - x*)|, and s, its sharpness: at least the least singular value of the rows."""
    rows = np.stack([features, -features], axis=1)
    problem = _piecewise(name, rows, rows @ minimizer, minimizer, start)
    kind = "data" if "iris" in name else "random"
    sharpness = float(np.linalg.svd(features, compute_uv=False)[-1])
    return Instance(kind, problem, symbols={"s": sharpness})


def absolute_random(seed: int) -> Instance:
    """`absolute` with 10 random rows in 5 dimensions."""
    rng = np.random.default_rng(seed)
    minimizer = rng.standard_normal(DIM)
    start = minimizer + rng.standard_normal(DIM)
    features = rng.standard_normal((2 * DIM, DIM))
    return absolute(f"absolute[seed={seed}]", features, minimizer, start)


def absolute_iris() -> Instance:
    """`absolute` with the features of `iris`, divided by their number, and x* = (1, ..., 1)."""
    features = iris()[0]
    start = np.zeros(features.shape[1])
    return absolute("absolute_iris", features / len(features), start + 1, start)


def wedge(angle: float, minimizer: float) -> Instance:
    """G max(|a.d|, |b.d|), d = x - x*: lines at a small angle, that Polyak's step goes between.

    From the line a.d = 0 each step projects on the other one. s = G sin(angle / 2).

    Args:
        angle: between the lines, in radians.
        minimizer: every coordinate of x*.
    """
    normals = LIPSCHITZ * np.array([[0.0, 1.0], [-np.sin(angle), np.cos(angle)]])
    rows = np.concatenate([normals, -normals])
    at = np.full(2, minimizer)
    start = at + RADIUS * np.array([1.0, 0.0])
    offsets = rows @ at
    problem = _piecewise(f"wedge[angle={angle:g}]", rows[None], offsets[None], at, start)
    kind = "translated" if minimizer else "worst"
    return Instance(kind, problem, symbols={"s": LIPSCHITZ * np.sin(angle / 2)})


def with_others(*worst: Problem) -> tuple[Instance, ...]:
    """Worst instances from their kinks, next to random ones and real data.

    Args:
        *worst: those with x* = 0 are worst, others translated.
    """
    return (
        *(
            Instance("translated" if np.any(p.minimizer) else "worst", p, AT_KINK)  # type: ignore[arg-type]
            for p in worst
        ),
        *(Instance("random", pieces(seed)) for seed in range(NUM_RANDOM)),
        Instance("data", hinge()),
    )


def at_both(build: Any) -> tuple[Problem, ...]:
    """What a function of x* gives at 0 and far from it."""
    return build(0.0), build(FAR)


@dataclasses.dataclass(frozen=True, eq=False)
class _StartAtKink:
    """Seed `AT_KINK` starts at `kink`; every other seed around it, where f has a gradient."""

    kink: np.ndarray

    def __call__(self, seed: int) -> Params:
        away = np.random.default_rng(seed).standard_normal(self.kink.shape)
        return self.kink + (0.0 if seed == AT_KINK else RADIUS) * away


def _piecewise(
    name: str, rows: np.ndarray, offsets: np.ndarray, minimizer: np.ndarray, start: np.ndarray
) -> Problem:
    """f with rows a_ji [J, I, n], offsets b_ji [J, I] and f* = 0; G sums largest slopes."""
    tied = len(rows) == 1
    return Problem(
        objective=_largest_pieces,
        data=(rows, offsets),
        start=_StartAtKink(start) if tied else start_near(start),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        nonsmooth=_largest_pieces,
        constants=Constants(
            gradient_bound=float(np.linalg.norm(rows, axis=2).max(axis=1).sum()), convex=True
        ),
        name=name,
    )


def _largest_pieces(params: Any, rows: Any, offsets: Any) -> Any:
    values = rows @ params - offsets
    first = jnp.argmax(values, axis=1, keepdims=True)
    return jnp.sum(jnp.take_along_axis(values, first, axis=1))
