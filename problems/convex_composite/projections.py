"""Projections and shrinkages: the proximal maps of simple sets and norms."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np


def onto_simplex(point: Any, *_: Any) -> Any:
    """The nearest point with nonnegative coordinates of sum 1: a prox, whatever the step.

    max(v_i - t, 0), where t is the largest of the thresholds (v_(1) + ... + v_(k) - 1) / k that the
    k largest coordinates ask for.

    Source: Held, Wolfe & Crowder (1974), "Validation of subgradient optimization", Mathematical
    Programming 6, pages 62-88.
    """
    sums = jnp.cumsum(-jnp.sort(-point)) - 1
    threshold = jnp.max(sums / jnp.arange(1, point.size + 1, dtype=point.dtype))
    return jnp.maximum(point - threshold, 0.0)


def onto_ball(point: Any, radius: Any) -> Any:
    """The nearest point of the ball around 0."""
    square = jnp.sum(point**2)
    outside = square > radius**2
    return point * jnp.where(outside, radius / jnp.sqrt(jnp.where(outside, square, 1.0)), 1.0)


def shrink(point: Any, threshold: Any) -> Any:
    """Each coordinate moved towards 0 by the threshold: the prox of threshold |x|_1."""
    return jnp.sign(point) * jnp.maximum(jnp.abs(point) - threshold, 0.0)


def row_lengths(rows: Any) -> Any:
    """[G] lengths of the rows of a matrix; the gradient of a zero row's length is 0."""
    squares = jnp.sum(rows**2, axis=1)
    positive = squares > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squares, 1.0)), 0.0)


def shrink_rows(rows: Any, threshold: Any) -> Any:
    """Each row shortened by the threshold: the prox of threshold times the sum of lengths."""
    lengths = row_lengths(rows)
    kept = jnp.where(lengths > threshold, 1 - threshold / jnp.where(lengths > 0, lengths, 1.0), 0.0)
    return rows * kept[:, None]


@dataclasses.dataclass(frozen=True)
class StartOnSimplex:
    """A start rule: the center of the simplex for seed 0, uniform draws from it for the others."""

    dim: int

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        if seed == 0:
            return np.full(self.dim, 1 / self.dim)
        return np.random.default_rng(seed).dirichlet(np.ones(self.dim))
