"""Functions that proximal methods know the prox of, and half-spaces that they project on."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.optimize

from optbench.assumption import Assumption
from optbench.bounds.instances import (
    DIM,
    FAR,
    NUM_RANDOM,
    RADIUS,
    SMOOTHNESS,
    STRONG_CONVEXITY,
)
from optbench.bounds.real_data import diabetes, squares_of_irises
from optbench.case import Instance
from optbench.problem import Constants, Params, Problem
from optbench.start import start_near

WORST_AFTER = (1, 2, 5, 20, 100)  # steps for which there is a worst instance
PROX = Assumption(
    "a prox of the nonsmooth part",
    lambda p: p.nonsmooth is None or p.prox is not None,
    "set Problem.prox where Problem.nonsmooth is set",
)
PROX_OF_ALL = Assumption(
    "a prox of f itself",
    lambda p: p.prox is not None and p.nonsmooth is p.objective,
    "set Problem.nonsmooth to Problem.objective, and Problem.prox to its prox",
)


def slide(displacement: float, minimizer: float) -> Problem:
    """f(x) = s x on x >= x*, on a line, with L = 4, R = 1.5 and s = L R / (2 c).

    A method that has moved by c s / L down the slope is halfway, with f - f* = L R^2 / (4 c) left.

    Args:
        displacement: c.
        minimizer: x*.

    Source: Taylor, Hendrickx and Glineur (2017), SIAM J. Optim. 27(3), section 4.2, from memory.
    """
    slope = SMOOTHNESS * RADIUS / (2 * displacement)
    return _above(
        f"slide[displacement={displacement:g}]",
        (np.zeros((1, 1)), np.zeros(1), np.array([slope]), np.array([minimizer])),
        minimizer=np.array([minimizer]),
        start=np.array([minimizer + RADIUS]),
        curvatures=(0.0, SMOOTHNESS),
    )


@functools.lru_cache(maxsize=1)
def nonnegative_regression() -> Problem:
    """|X x - y|^2 / (2 n) over x >= 0 on the 442 patients of diabetes, from x_0 = (1, ..., 1).

    X: 10 standardized features; y: standardized. x* is found by the active-set method of Lawson and
    Hanson, which ends at it up to rounding.
    """
    features, progression = diabetes()
    rows, targets = features / np.sqrt(len(features)), progression / np.sqrt(len(features))
    mu, *_, smoothness = map(float, np.linalg.eigvalsh(rows.T @ rows))
    dim = rows.shape[1]
    return _above(
        "nonnegative_diabetes",
        (rows, targets, np.zeros(dim), np.zeros(dim)),
        minimizer=scipy.optimize.nnls(rows, targets)[0],
        start=np.ones(dim),
        curvatures=(mu, smoothness),
    )


def lasso(seed: int) -> Problem:
    """|A x - b|^2 / 2 + |x - c|_1, random in 5 dimensions, with two coordinates of x* on a kink.

    The residual at a chosen x* is taken to be in the range of A, with A^T (A x* - b) + u = 0 for a
    subgradient u of the second term.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * DIM, DIM))
    minimizer, center = 2 * rng.standard_normal((2, DIM))
    minimizer[:2] = center[:2]
    pull = np.sign(minimizer - center)
    pull[:2] = rng.uniform(-0.9, 0.9, 2)
    hessian = rows.T @ rows
    targets = rows @ (minimizer + np.linalg.solve(hessian, pull))
    curvatures = np.linalg.eigvalsh(hessian)
    residual = rows @ minimizer - targets
    return Problem(
        objective=_absolute_and_square,
        data=(rows, targets, center),
        start=start_near(minimizer + 2 * rng.standard_normal(DIM)),
        minimum=float(residual @ residual / 2 + np.abs(minimizer - center).sum()),
        minimizer=minimizer,
        minimum_kind="closed form",
        nonsmooth=_absolute,
        prox=_shrunk,
        constants=Constants(
            smoothness=float(curvatures[-1]),
            strong_convexity=float(curvatures[0]),
            convex=True,
            quadratic=True,
        ),
        name=f"lasso[seed={seed}]",
    )


def cone(slope: float, minimizer: float) -> Problem:
    """f(x) = s |x - x*| on a line, given by its prox, with R = 1.5.

    Args:
        slope: s.
        minimizer: x*.
    """
    at = np.array([minimizer])
    return _given_by_prox(
        Problem(
            objective=_scaled_absolute,
            data=(np.array([slope]), at),
            start=start_near(at + RADIUS),
            minimum=0.0,
            minimizer=at,
            prox=_scaled_shrunk,
            name=f"cone[slope={slope:g}]",
        )
    )


def _least_squares(name: str, rows: np.ndarray, targets: np.ndarray, start: np.ndarray) -> Problem:
    """|A x - b|^2 / 2, given by its prox."""
    minimizer = np.linalg.lstsq(rows, targets, rcond=None)[0]
    return _given_by_prox(
        Problem(
            objective=_squares,
            data=(rows, targets),
            start=start_near(start),
            minimum=float(np.sum((rows @ minimizer - targets) ** 2) / 2),
            minimizer=minimizer,
            prox=_solved,
            name=name,
        )
    )


def _given_by_prox(problem: Problem) -> Problem:
    return dataclasses.replace(
        problem,
        nonsmooth=problem.objective,
        minimum_kind="closed form",
        constants=Constants(convex=True),
    )


def random_squares(seed: int) -> Problem:
    """|A x - b|^2 / 2 given by its prox, random in 5 dimensions, ill-conditioned, b = A x*."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((DIM, DIM)) * np.logspace(0, -2, DIM)[:, None]
    minimizer, start = rng.standard_normal((2, DIM))
    return _least_squares(f"squares[seed={seed}]", rows, rows @ minimizer, start)


@functools.lru_cache(maxsize=1)
def regression_of_irises() -> Problem:
    """`squares_of_irises` given by its prox, from x_0 = 0."""
    return _least_squares("regression_of_irises", *squares_of_irises(), np.zeros(DIM))


def bowl(curvature: float, minimizer: float) -> Problem:
    """lambda (x - x*)^2 / 2 on a half-line that ends far from all x_k, R = 1.5, mu = 1 / 4, L = 4.

    Args:
        curvature: lambda, in [mu, L].
        minimizer: x*.
    """
    row, at = np.full((1, 1), np.sqrt(curvature)), np.array([minimizer])
    return _above(
        f"bowl[curvature={curvature:g}]",
        (row, row @ at, np.zeros(1), at - 100.0),
        minimizer=at,
        start=at + RADIUS,
        curvatures=(STRONG_CONVEXITY, SMOOTHNESS),
    )


def composite_members(displacement: Callable[[int], float]) -> tuple[Instance, ...]:
    """Slides, lassos, and a regression with nonnegative coefficients.

    Args:
        displacement: number of steps k -> how far they move down a constant slope, in units of a
            step. There is a slide for each k at which it is worst.
    """
    lengths = [displacement(k) for k in WORST_AFTER]
    return (
        *(Instance("worst", slide(c, 0.0)) for c in lengths),
        *(Instance("translated", slide(c, FAR)) for c in lengths),
        *(Instance("random", lasso(seed)) for seed in range(NUM_RANDOM)),
        Instance("data", nonnegative_regression()),
    )


def _above(
    name: str,
    data: tuple[np.ndarray, ...],
    *,
    minimizer: np.ndarray,
    start: np.ndarray,
    curvatures: tuple[float, float],
) -> Problem:
    """|A x - b|^2 / 2 + s.x over x >= l, data = (A, b, s, l), mu and L the curvatures."""
    rows, targets, slope, _ = data
    residual = rows @ minimizer - targets
    return Problem(
        objective=_square_and_slope,
        data=data,
        start=_StartAbove(start),
        minimum=float(residual @ residual / 2 + slope @ minimizer),
        minimizer=minimizer,
        minimum_kind="closed form",
        prox=_raised,
        constants=Constants(
            strong_convexity=curvatures[0], smoothness=curvatures[1], convex=True, quadratic=True
        ),
        name=name,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _StartAbove:
    """Seed 0 starts at `start`, every other seed above it."""

    start: np.ndarray

    def __call__(self, seed: int) -> Params:
        rise = np.abs(np.random.default_rng(seed).standard_normal(self.start.shape))
        return self.start + (0.0 if seed == 0 else rise)


def _square_and_slope(params: Any, rows: Any, targets: Any, slope: Any, low: Any) -> Any:
    return jnp.sum((rows @ params - targets) ** 2) / 2 + jnp.sum(slope * params)


def _raised(params: Any, step: Any, *data: Any) -> Any:
    low = data[-1]
    return jnp.maximum(params, low)


def _absolute_and_square(params: Any, rows: Any, targets: Any, center: Any) -> Any:
    return _squares(params, rows, targets) + _absolute(params, rows, targets, center)


def _absolute(params: Any, rows: Any, targets: Any, center: Any) -> Any:
    return jnp.sum(jnp.abs(params - center))


def _shrunk(params: Any, step: Any, rows: Any, targets: Any, center: Any) -> Any:
    return _scaled_shrunk(params, step, jnp.ones_like(center), center)


def _scaled_absolute(params: Any, slope: Any, center: Any) -> Any:
    return jnp.sum(slope * jnp.abs(params - center))


def _scaled_shrunk(params: Any, step: Any, slope: Any, center: Any) -> Any:
    moved = params - center
    return center + jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - step * slope, 0.0)


def _squares(params: Any, rows: Any, targets: Any) -> Any:
    return jnp.sum((rows @ params - targets) ** 2) / 2


def _solved(params: Any, step: Any, rows: Any, targets: Any) -> Any:
    matrix = jnp.eye(params.size) + step * rows.T @ rows
    return jnp.linalg.solve(matrix, params + step * rows.T @ targets)
