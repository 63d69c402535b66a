"""The largest of several slopes: what normalized steps find hardest."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import RADIUS, SMOOTHNESS
from optbench.problem import Constants, Problem
from optbench.start import start_near


def _steepest(params: Any, rows: Any, heights: Any, level: Any) -> Any:
    pieces = rows @ params + heights
    highest = pieces[jnp.argmax(pieces)]  # the first, where several are equal
    return SMOOTHNESS * jnp.where(highest >= level, highest, level)


MOST_STEPS = 20  # of the horizons of `resisting`
AT_KINK = 7  # the seed that starts where the pieces meet, and f has no gradient


@dataclasses.dataclass(frozen=True, eq=False)
class _FromKink:
    """Seed `AT_KINK` starts at the kink, every other one near it."""

    kink: np.ndarray

    def __call__(self, seed: int) -> np.ndarray:
        return self.kink if seed == AT_KINK else start_near(self.kink, scale=0.3)(seed + AT_KINK)


def _pieces(
    name: str, rows: np.ndarray, heights: np.ndarray, level: float, points: np.ndarray
) -> Problem:
    """4 max(max_i a_i.x + c_i, level) in 21 dimensions, from the first of two points to the other.

    The seed to start from is `AT_KINK`.

    Rows a_i of length 1 that are not given are zero, and never the highest.
    """
    size = MOST_STEPS + 1
    embedded = np.zeros((size, size))
    embedded[: rows.shape[0], : rows.shape[1]] = rows
    padded = np.concatenate([heights, np.full(size - len(heights), level - 1)])
    return Problem(
        objective=_steepest,
        nonsmooth=_steepest,
        data=(embedded, padded, np.float64(level)),
        start=_FromKink(points[0]),
        minimum=SMOOTHNESS * level,
        minimizer=points[1],
        minimum_kind="closed form",
        constants=Constants(gradient_bound=SMOOTHNESS, convex=True),
        name=name,
    )


def resisting(num_steps: int) -> Problem:
    """f(x) = M max(x_1, ..., x_{N+1}, -R / sqrt(N + 1)) with M = 4, R = 1.5, from x_0 = 0.

    The subgradient at ties is that of the first index: N steps lower one coordinate each, and
    leave the last at 0. x* is constant on the first N + 1 of 21 coordinates.

    Args:
        num_steps: N, at most 20.
    """
    count = num_steps + 1
    level = -RADIUS / np.sqrt(count)
    points = np.zeros((2, MOST_STEPS + 1))
    points[1, :count] = level
    name = f"resisting[num_steps={num_steps}]"
    return _pieces(name, np.eye(count), np.zeros(count), level, points)


def opposed() -> Problem:
    """Two slopes M = 4 at more than 90 degrees, and R = 1.5, that punish long first steps.

    f is as high at x_0 - h e_1 as at x_0, where h = 1.05 R / sqrt(2); with v = sqrt(2 h^2 + R^2) -
    h this height is M v above the minimum, more than the M R / sqrt(2) left by the best step.
    """
    long = 1.05 * RADIUS / np.sqrt(2)
    height = np.sqrt(2 * long**2 + RADIUS**2) - long
    minimizer = np.array([-height, -np.sqrt(RADIUS**2 - height**2)])
    reached = np.array([-long, 0.0])
    slope = (reached - minimizer) / np.linalg.norm(reached - minimizer)
    points = np.zeros((2, MOST_STEPS + 1))
    points[1, :2] = minimizer
    rows, heights = np.array([[1.0, 0.0], slope]), np.array([0.0, -slope @ reached])
    return _pieces("opposed", rows, heights, -height, points)
