"""Members of the classes of theorems on adaptive methods, clipping and stability."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds import real_data
from optbench.bounds.instances import DIM, RADIUS, SMOOTHNESS, robust_loss
from optbench.problem import Constants, Problem
from optbench.start import start_near

NEAR = 1e-100  # from the minimizer: squares of gradients are nothing beside any number


def near_minimizer(problem: Problem) -> Problem:
    """A quadratic of `instances` with the minimizer 0, started 1e-100 away from it."""
    rows, _, thresholds = problem.data
    zeros = np.zeros(rows.shape[1])
    offset = NEAR * (problem.start(0) - problem.minimizer)
    return dataclasses.replace(
        problem,
        data=(rows, np.zeros(len(rows)), thresholds),
        minimizer=zeros,
        start=start_near(offset, scale=NEAR),
        name=f"near_{problem.name}",
    )


def _patients() -> tuple[np.ndarray, np.ndarray]:
    """[442, 5] features of diabetes and [442] the progression of the disease, standardized."""
    features, progression = real_data.diabetes()
    return features[:, :DIM], progression


def tumors() -> np.ndarray:
    """[569, 5] the first five features of breast_cancer, as they are."""
    return real_data.tumors()[0][:, :DIM]


@functools.lru_cache(maxsize=1)
def diabetes() -> Problem:
    """f(x) = |X x - y|^2 / (2 n) - f(x*) on the 442 patients of diabetes, from 0.

    X: age, sex, body mass, blood pressure and cholesterol, standardized; y: the standardized
    progression of the disease. With the Cholesky factor R of the Hessian it is |R (x - x*)|^2 / 2.
    """
    features, targets = _patients()
    hessian = features.T @ features / len(targets)
    minimizer = np.linalg.solve(hessian, features.T @ targets / len(targets))
    rows, curvatures = np.linalg.cholesky(hessian).T, np.linalg.eigvalsh(hessian)
    return Problem(
        objective=robust_loss,
        data=(rows, rows @ minimizer, np.full(len(rows), np.inf)),
        start=start_near(np.zeros(len(minimizer))),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(curvatures[-1]),
            strong_convexity=float(curvatures[0]),
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        name="diabetes",
    )


def _welsch_loss(params: Any, rows: Any, targets: Any) -> Any:
    return -jnp.sum(jnp.expm1(-((rows @ params - targets) ** 2) / 2))


def welsch_regression(seed: int) -> Problem:
    """f(x) = sum_i 1 - exp(-(a_i.x - b_i)^2 / 2), not convex, with a random A and b = A x*.

    Second derivatives of a term lie in [-2 exp(-3/2), 1], first ones in [-exp(-1/2), exp(-1/2)]:
    L is the largest eigenvalue of A^T A, and every |d_j f| is at most exp(-1/2) sum_i |a_ij|.

    Args:
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((DIM, DIM)) * rng.uniform(0.3, 1.5, (DIM, 1))
    minimizer = rng.standard_normal(DIM)
    return Problem(
        objective=_welsch_loss,
        data=(rows, rows @ minimizer),
        start=start_near(minimizer + rng.uniform(0.3, 1.0) * rng.standard_normal(DIM)),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(np.linalg.eigvalsh(rows.T @ rows)[-1]),
            gradient_bound=float(np.exp(-0.5) * np.linalg.norm(rows, axis=1).sum()),
            convex=False,
        ),
        name=f"welsch_regression[seed={seed}]",
    )


def sum_of_smoothness(problem: Problem) -> float:
    """sum_i L_i, for a problem whose Hessian is at most A^T A: L_i = sum_j |A^T A|_ij.

    Then diag(L_1, ..., L_n) - A^T A is diagonally dominant.
    """
    rows = problem.data[0]
    return float(np.abs(rows.T @ rows).sum())


def _catenary(params: Any, rows: Any, targets: Any) -> Any:
    return 2 * jnp.sum(jnp.sinh((rows @ params - targets) / 2) ** 2)


def catenary(seed: int, farthest: float = 5.0) -> Problem:
    """f(x) = sum_i cosh(a_i.(x - x*)) - 1 with orthogonal a_i: (max |a_i|^2, max |a_i|)-smooth.

    The Hessian is sum_i cosh(r_i) a_i a_i^T, cosh <= 1 + |sinh|, and |grad f| is no less than
    |a_i| |sinh(r_i)| for any i.

    Args:
        seed: of the draw.
        farthest: bound of |a_i.(x_0 - x*)|.
    """
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(-1.0, 1.0, DIM))
    rows = sizes[:, None] * np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    minimizer = rng.standard_normal(DIM)
    offset = rows.T @ (rng.uniform(-farthest, farthest, DIM) / sizes**2)
    name = f"catenary[seed={seed},farthest={farthest:g}]"
    return _growing_fast(name, rows, minimizer, offset)


def steep_catenary(minimizer: float = 0.0) -> Problem:
    """f(x) = sum_i cosh(2 (x_i - x*)) - 1 from x* + (1.5, 0, ..., 0): (4, 2)-smooth.

    Args:
        minimizer: x*, of each coordinate.
    """
    at, offset = np.full(DIM, minimizer), RADIUS * np.eye(DIM)[0]
    return _growing_fast("steep_catenary", 2 * np.eye(DIM), at, offset)


def _growing_fast(
    name: str, rows: np.ndarray, minimizer: np.ndarray, offset: np.ndarray
) -> Problem:
    size = float(np.linalg.norm(rows, axis=1).max())
    return Problem(
        objective=_catenary,
        data=(rows, rows @ minimizer),
        start=start_near(minimizer + offset),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            generalized_smoothness=(size**2, size),
            strong_convexity=float(np.linalg.norm(rows, axis=1).min() ** 2),
            convex=True,
        ),
        name=name,
    )


def generally_smooth(problem: Problem, slope: float = 0.0) -> Problem:
    """An L-smooth problem, as a member of the class of (L, L_1)-smooth ones.

    Args:
        problem: with a smoothness L.
        slope: L_1, any.
    """
    known = problem.constants
    claimed = dataclasses.replace(known, generalized_smoothness=(known.smoothness, slope))
    return dataclasses.replace(problem, constants=claimed)


def _quartic(params: Any) -> Any:
    return jnp.sum(params**4) / 4


def quartic(start: float) -> Problem:
    """f(x) = x^4 / 4: no L, but (1, 2)-smooth, since 3 x^2 <= 1 + 2 |x|^3.

    Args:
        start: x_0.
    """
    return Problem(
        objective=_quartic,
        start=start_near(np.array([start])),
        minimum=0.0,
        minimizer=np.zeros(1),
        minimum_kind="closed form",
        constants=Constants(generalized_smoothness=(1.0, 2.0), convex=True),
        name=f"quartic[start={start:g}]",
    )


def _robust_in_ball(params: Any, *data: Any) -> Any:
    rows, targets, thresholds, _, _ = data
    return robust_loss(params, rows, targets, thresholds)


def _to_ball(params: Any, step: Any, *data: Any) -> Any:
    *_, center, radius = data
    offset = params - center
    length = jnp.sqrt(jnp.sum(offset**2))
    return jnp.where(
        length > radius, center + offset * radius / jnp.maximum(length, radius), params
    )


def between(problem: Problem) -> Problem:
    """A problem of `instances` on the ball whose diameter is the way from x_0 to x*."""
    start, minimizer = problem.start(0), np.asarray(problem.minimizer)
    center, radius = (start + minimizer) / 2, float(np.linalg.norm(start - minimizer)) / 2
    radius *= 1 + 1e-12  # x_0 and x* lie within it, rounding or not
    return dataclasses.replace(
        problem,
        objective=_robust_in_ball,
        prox=_to_ball,
        data=(*problem.data, center, np.float64(radius)),
        start=start_near(start, scale=0.0),
        name=f"ball_{problem.name}",
    )


def bowl(minimizer: float, slope: float = np.inf) -> Problem:
    """f(x) = sum_i h(2 (x_i - x*)) in 5 dimensions, from x* + 1.5: L = 4 in each coordinate.

    h(r) = r^2 / 2, and linear where it is steeper than half the slope.

    Args:
        minimizer: x*, of each coordinate.
        slope: the largest |d_i f|.
    """
    at = np.full(DIM, minimizer)
    return Problem(
        objective=robust_loss,
        data=(2 * np.eye(DIM), 2 * at, np.full(DIM, slope / 2)),
        start=start_near(at + RADIUS),
        minimum=0.0,
        minimizer=at,
        minimum_kind="closed form",
        constants=Constants(smoothness=SMOOTHNESS, convex=True),
        name=f"bowl[slope={slope:g}]",
    )


@functools.lru_cache(maxsize=1)
def robust_diabetes() -> Problem:
    """f(x) = (1 / n) sum_i h(a_i.x - b_i) on the 442 patients of diabetes, from 0.

    h is quadratic up to twice the largest residual of least squares, and linear beyond: x* is that
    of least squares, in closed form, and |d_j f| at most the mean of c |a_ij|.
    """
    features, targets = _patients()
    minimizer = np.linalg.lstsq(features, targets, rcond=None)[0]
    residuals, scale = features @ minimizer - targets, np.sqrt(len(targets))
    thresholds = np.full(len(targets), 2 * float(np.abs(residuals).max()) / scale)
    rows = features / scale
    return Problem(
        objective=robust_loss,
        data=(rows, targets / scale, thresholds),
        start=start_near(np.zeros(DIM)),
        minimum=float(np.sum(residuals**2)) / (2 * len(targets)),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(np.linalg.eigvalsh(rows.T @ rows)[-1]),
            gradient_bound=float(thresholds @ np.linalg.norm(rows, axis=1)),
            convex=True,
        ),
        name="robust_diabetes",
    )


def largest_partial(problem: Problem) -> float:
    """A bound on every |d_j f|: sum_i c_i |a_ij|, with c_i = exp(-1/2) in `welsch_regression`."""
    rows, _, *thresholds = problem.data
    steepness = thresholds[0] if thresholds else np.full(len(rows), np.exp(-0.5))
    used = np.abs(rows).max(axis=1) > 0
    return float((steepness[used] @ np.abs(rows[used])).max())
