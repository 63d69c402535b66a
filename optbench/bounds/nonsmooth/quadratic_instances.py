"""Quadratics with two curvatures, and on a ball around the minimizer."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import (
    DIM,
    RADIUS,
    SMOOTHNESS,
    STRONG_CONVEXITY,
    robust_regression,
)
from optbench.bounds.real_data import squares_of_irises
from optbench.problem import Constants, Params, Problem
from optbench.start import start_near


def two_curvatures(share: float, minimizer: float) -> Problem:
    """A quadratic in 5 dimensions with curvatures mu = 1 / 4, L = 4, 4, 4, 4, and R = 1.5.

    It has the shape of `robust_regression`, with which it shares its program.

    Args:
        share: of |x_0 - x*|^2 that lies along the flat direction.
        minimizer: every coordinate of x*.
    """
    like = robust_regression(0, STRONG_CONVEXITY)
    rows = np.zeros_like(like.data[0])
    rows[:DIM] = np.diag(np.sqrt([STRONG_CONVEXITY, *(SMOOTHNESS,) * (DIM - 1)]))
    at, moved = np.full(DIM, minimizer), np.sqrt([share, *((1 - share) / (DIM - 1),) * (DIM - 1)])
    return dataclasses.replace(
        like,
        data=(rows, rows @ at, np.full(len(rows), np.inf)),
        start=start_near(at + RADIUS * moved),
        minimizer=at,
        constants=Constants(
            smoothness=SMOOTHNESS,
            strong_convexity=STRONG_CONVEXITY,
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        name=f"two_curvatures[share={share:g}]",
    )


def curved(minimizer: float) -> Problem:
    """mu |x - x*|^2 / 2 in 5 dimensions, on |x - x*| <= R, with mu = 1 / 4 and R = 1.5."""
    moved = RADIUS * np.eye(DIM)[0]
    rows = np.sqrt(STRONG_CONVEXITY) * np.eye(DIM)
    return _in_ball("curved", rows, np.full(DIM, minimizer), moved)


def curved_random(seed: int) -> Problem:
    """A random quadratic in 5 dimensions, on the ball around x* that starts at x_0."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((DIM, DIM)) + 2 * np.eye(DIM)
    return _in_ball(f"curved_random[seed={seed}]", rows, *rng.standard_normal((2, DIM)))


@functools.lru_cache(maxsize=1)
def curved_data() -> Problem:
    """Half the mean squared residual of linear regression on `iris`, on a ball around x*."""
    rows, targets = squares_of_irises()
    minimizer = np.linalg.solve(rows, targets)
    return _in_ball("curved_irises", rows, minimizer, -minimizer)


def _in_ball(name: str, rows: np.ndarray, minimizer: np.ndarray, moved: np.ndarray) -> Problem:
    """|rows (x - x*)|^2 / 2 on |x - x*| <= |x_0 - x*|, where |grad f| <= L |x_0 - x*|."""
    curvatures, radius = np.linalg.eigvalsh(rows.T @ rows), float(np.linalg.norm(moved))
    return Problem(
        objective=_quadratic_in_ball,
        data=(rows, minimizer, np.asarray(radius)),
        start=_StartInBall(minimizer, moved),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        prox=_to_ball,
        constants=Constants(
            smoothness=float(curvatures[-1]),
            strong_convexity=float(curvatures[0]),
            gradient_bound=float(curvatures[-1]) * radius,
            convex=True,
            quadratic=True,
        ),
        name=name,
    )


def _quadratic_in_ball(params: Any, rows: Any, center: Any, radius: Any) -> Any:
    return jnp.sum((rows @ (params - center)) ** 2) / 2


def _to_ball(params: Any, step: Any, rows: Any, center: Any, radius: Any) -> Any:
    moved = params - center
    length = jnp.sqrt(jnp.sum(moved**2))
    return center + moved * (radius / jnp.maximum(length, radius))


@dataclasses.dataclass(frozen=True, eq=False)
class _StartInBall:
    """Seed 0 starts at center + moved, every other seed between that point and the center."""

    center: np.ndarray
    moved: np.ndarray

    def __call__(self, seed: int) -> Params:
        share = 1.0 if seed == 0 else np.random.default_rng(seed).uniform(0.3, 0.9)
        return self.center + share * self.moved
