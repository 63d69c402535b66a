"""Convex functions with kinks: those that subgradient methods find hardest, and others.

All are the largest of 12 linear pieces in 11 dimensions, with f* = 0,

    f(x) = max_i a_i.(x - x*),

and share one compiled program. Where pieces tie, the subgradient is the slope of the first of them,
so that a piece that has not been met yet can stay hidden: `jnp.max` would share the gradient among
all of them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import FAR, NUM_RANDOM, RADIUS
from optbench.bounds.real_data import diabetes
from optbench.case import Instance, InstanceKind
from optbench.problem import Constants, Params, Problem

LIPSCHITZ = 3.0  # G of the worst functions
HORIZONS = (1, 2, 5, 10)  # steps after which they are worst
AT_KINK = 2  # the seed that starts where pieces may tie
_DIM = max(HORIZONS) + 1


def adversary(
    name: str, minimizer: float, correlations: np.ndarray, levels: np.ndarray | None = None
) -> Problem:
    """f(x) = max(max_i G u_i.(x - x*), 0) with |u_i| = 1, G = 3, R = |x_0 - x*| = 1.5.

    x_0 - x* is in the span of the u_i, and the piece i starts at v + l_i; R decides v.

    Args:
        name: in the tables.
        minimizer: every coordinate of x*.
        correlations: [m, m] of u_i.u_j; a positive definite matrix with ones on its diagonal.
        levels: [m] l_i; 0 by default.
    """
    unit = np.linalg.cholesky(correlations)  # rows u_i
    count = len(unit)
    levels = np.zeros(count) if levels is None else levels
    even, uneven = np.linalg.solve(unit, np.stack([np.ones(count), levels], axis=1)).T
    square, mixed = even @ even, even @ uneven
    reach = (LIPSCHITZ * RADIUS) ** 2 - uneven @ uneven
    level = (-mixed + np.sqrt(mixed**2 + square * reach)) / square
    moved = np.zeros(_DIM)
    moved[:count] = (level * even + uneven) / LIPSCHITZ
    return _largest(name, LIPSCHITZ * unit, np.full(_DIM, minimizer), moved)


def resisting(horizon: int, minimizer: float) -> Problem:
    """G max(max_i (x_i - x*), 0) over the first N + 1 coordinates, from where all are equal.

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


def against_longer(horizon: int, minimizer: float) -> Problem:
    """`descending` for constant steps 1.05 R / sqrt(N + 1): worse for them than `resisting`."""
    lengths = np.full(horizon + 1, 1.05 * RADIUS / np.sqrt(horizon + 1))
    return descending(lengths, f"descending[constant={horizon}]", minimizer, 0.05 / horizon)


def pieces(seed: int) -> Problem:
    """The largest of 12 random slopes, 0 at a random x* and higher elsewhere."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((_DIM + 1, _DIM))
    rows[-1] = -rng.uniform(0.5, 2.0, _DIM) @ rows[:-1]  # a positive mean of all slopes is 0
    minimizer = rng.standard_normal(_DIM)
    moved = rng.uniform(0.5, 3.0) * rng.standard_normal(_DIM)
    return _largest(f"pieces[seed={seed}]", rows, minimizer, moved)


def deviations(name: str, kind: InstanceKind, rows: np.ndarray, fit: np.ndarray) -> Instance:
    """max_j |a_j.(x - x*)| from x_0 = 0, with x* in the span of the rows, and its sharpness.

    Points x_k stay in that span, where f >= s |x - x*| with s the least singular value of the [m]
    rows over sqrt(m), and x* is the nearest minimizer.
    """
    least = np.linalg.svd(rows, compute_uv=False)[-1] / np.sqrt(len(rows))
    problem = _largest(name, np.vstack([rows, -rows]), fit, -fit)
    return Instance(kind, problem, AT_KINK, symbols={"s": float(least)})


def random_deviations(seed: int) -> Instance:
    """`deviations` on six random rows, x* a random combination of them."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((6, _DIM))
    return deviations(f"deviations[seed={seed}]", "random", rows, rng.standard_normal(6) @ rows)


@functools.lru_cache(maxsize=1)
def deviations_of_patients() -> Instance:
    """The largest error of a linear model of the first six of `diabetes`, which it can fit."""
    features, progression = diabetes()
    rows = np.hstack([features[:6], np.ones((6, 1))])
    fit = np.linalg.lstsq(rows, progression[:6], rcond=None)[0]
    return deviations("deviations_of_patients", "data", rows, fit)


def wedge(angle: float, minimizer: float) -> Instance:
    """G max(|a.d|, |b.d|), d = x - x*: lines at a small angle, that Polyak's step goes between.

    From the line a.d = 0 each step projects on the other one. s = G sin(angle / 2).

    Args:
        angle: between the lines, in radians.
        minimizer: every coordinate of x*.
    """
    normals = np.zeros((2, _DIM))
    normals[:, :2] = LIPSCHITZ * np.array([[0.0, 1.0], [-np.sin(angle), np.cos(angle)]])
    rows = np.vstack([normals, -normals])
    moved = RADIUS * np.eye(_DIM)[0]
    problem = _largest(f"wedge[angle={angle:g}]", rows, np.full(_DIM, minimizer), moved)
    kind = "translated" if minimizer else "worst"
    return Instance(kind, problem, AT_KINK, symbols={"s": LIPSCHITZ * np.sin(angle / 2)})


def with_others(*worst: Callable[[float], Problem]) -> tuple[Instance, ...]:
    """Worst functions from their kinks, next to random ones and real data.

    Args:
        *worst: x* -> a function; taken at 0 and at `FAR`.
    """
    return (
        *(Instance("worst", build(0.0), AT_KINK) for build in worst),
        *(Instance("translated", build(FAR), AT_KINK) for build in worst),
        *(Instance("random", pieces(seed), AT_KINK) for seed in range(NUM_RANDOM)),
        deviations_of_patients(),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _StartAtKink:
    """Seed `AT_KINK` starts at `kink`; others far enough from it to see f without a kink."""

    kink: np.ndarray

    def __call__(self, seed: int) -> Params:
        if seed == AT_KINK:
            return self.kink
        away = np.random.default_rng(seed).standard_normal(self.kink.shape)
        return self.kink + (RADIUS + np.linalg.norm(self.kink) / 5) * away


def _largest(name: str, rows: np.ndarray, minimizer: np.ndarray, moved: np.ndarray) -> Problem:
    """f with up to 12 slopes a_i, others zero, from x_0 = x* + moved."""
    slopes = np.zeros((_DIM + 1, _DIM))
    slopes[: len(rows), : rows.shape[1]] = rows
    return Problem(
        objective=_largest_piece,
        data=(slopes, minimizer),
        start=_StartAtKink(minimizer + moved),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        nonsmooth=_largest_piece,
        constants=Constants(gradient_bound=float(np.linalg.norm(rows, axis=1).max()), convex=True),
        name=name,
    )


def _largest_piece(params: Any, slopes: Any, center: Any) -> Any:
    values = slopes @ (params - center)
    return values[jnp.argmax(values)]
