"""Functions that methods with momentum are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import DIM, SMOOTHNESS
from optbench.problem import Constants, Problem
from optbench.start import start_near

NUM_INTERVALS = 4  # of less curvature, on a line


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
