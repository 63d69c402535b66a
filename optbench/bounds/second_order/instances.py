"""Members of the classes that theorems about Newton's method speak of.

Most are sums of ramps,

    f(x) = sum_i phi_i(a_i.x - b_i),   phi_i''(d) = c_i + s_i min(|d|, w_i),

whose Hessian is Lipschitz, and which instances of one shape share as one compiled program.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.bounds import real_data
from optbench.bounds.instances import (
    DIM,
    extreme_parabolas,
    members,
    quadratic,
)
from optbench.bounds.real_data import with_ones
from optbench.case import Instance
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.symbol import hessian_at_minimizer

NUM_ROWS = 3 * DIM


def ramp(
    name: str,
    minimizer: float,
    start: float,
    curvature: tuple[float, float, float],
    turn: float = 0,
) -> Problem:
    """A ramp on a line: f''(x) = c + s min(|x - x* - turn|, w).

    Args:
        name: of the problem.
        minimizer: x*.
        start: x_0 - x*.
        curvature: c, s and w.
        turn: how far from x* the curvature turns.
    """
    return _sum_of_ramps(
        name,
        np.ones((1, 1)),
        np.array([minimizer]),
        np.array([start]),
        curvatures=(np.array(curvature[:1]), np.array(curvature[1:2]), np.array(curvature[2:])),
        offsets=np.array([-turn]),
    )


def random_ramps(seed: int, *, radius: float = 1.0, strong_convexity: float = 0.0) -> Problem:
    """A convex sum of random ramps in 5 dimensions, each of them least at x*.

    Ten rows are random, and their curvatures rise or fall; five more are the unit vectors, with
    curvature mu.

    Args:
        seed: of the draw.
        radius: |x_0 - x*|, over 2 mu / (3 M) where mu > 0.
        strong_convexity: mu, of these five.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((NUM_ROWS, DIM)) * rng.uniform(0.3, 1.0, (NUM_ROWS, 1))
    rows[2 * DIM :] = np.eye(DIM)
    widths = rng.uniform(0.5, 2.0, NUM_ROWS)
    low, high = rng.uniform(0.0, 0.5, NUM_ROWS), rng.uniform(1.0, 3.0, NUM_ROWS)
    rises = rng.random(NUM_ROWS) < 0.5
    ends = np.where(rises, low, high), np.where(rises, high, low)
    slopes = (ends[1] - ends[0]) / widths
    offsets = rng.standard_normal(NUM_ROWS) * widths
    ends[0][2 * DIM :], slopes[2 * DIM :] = strong_convexity, 0.0
    direction = rng.standard_normal(DIM)
    if strong_convexity:
        radius *= 2 * strong_convexity / (3 * _variation(rows, slopes))
    return _sum_of_ramps(
        f"random_ramps[seed={seed}]",
        rows,
        rng.standard_normal(DIM),
        radius * direction / np.linalg.norm(direction),
        curvatures=(ends[0], slopes, widths),
        offsets=offsets,
    )


def double_wells(seed: int) -> Problem:
    """A sum of double wells along five random orthogonal directions: f has 32 minimizers.

    Along each, f''(d) = -c + s min(|d|, w), least at d = +-2 c / s, with w = 3 c / s.

    Args:
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    rows = np.zeros((NUM_ROWS, DIM))
    rows[:DIM] = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    heights, slopes = rng.uniform(0.5, 2.0, NUM_ROWS), rng.uniform(1.0, 3.0, NUM_ROWS)
    return _sum_of_ramps(
        f"double_wells[seed={seed}]",
        rows,
        rng.standard_normal(DIM),
        3.0 * rng.standard_normal(DIM),
        curvatures=(-heights, slopes, 3 * heights / slopes),
        offsets=2 * heights / slopes,
    )


def _variation(rows: np.ndarray, slopes: np.ndarray) -> float:
    """A Lipschitz constant of the Hessian, which changes by at most |s_i| |a_i| in row i."""
    weights = np.abs(slopes) * np.linalg.norm(rows, axis=1)
    return float(np.linalg.eigvalsh(rows.T @ (weights[:, None] * rows))[-1])


def curvatures_at_minimizer(problem: Problem) -> np.ndarray:
    """[n] the eigenvalues of the Hessian at x*, ascending."""
    return np.linalg.eigvalsh(hessian_at_minimizer(problem))


def _sum_of_ramps(
    name: str,
    rows: np.ndarray,
    minimizer: np.ndarray,
    start: np.ndarray,
    *,
    curvatures: tuple[np.ndarray, np.ndarray, np.ndarray],
    offsets: np.ndarray,
) -> Problem:
    """The problem whose row i has d_i = offsets_i at x*, tilted so that phi_i'(offsets_i) = 0."""
    base, slopes, widths = curvatures
    size, ends = np.abs(offsets), base + slopes * widths
    inside = np.minimum(size, widths)
    rise = np.sign(offsets) * slopes * inside * (size - inside / 2)
    data = (rows, rows @ minimizer - offsets, base, slopes, widths, -base * offsets - rise)
    least, most = np.minimum(base, ends)[:, None], np.maximum(base, ends)[:, None]
    mu = float(np.linalg.eigvalsh(rows.T @ (least * rows))[0])
    with jax.enable_x64(True):
        minimum = float(_ramps(minimizer, *data))
    return Problem(
        objective=_ramps,
        data=data,
        start=start_near(minimizer + start, scale=0.1 * float(np.linalg.norm(start))),
        minimum=minimum,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(np.linalg.eigvalsh(rows.T @ (np.maximum(most, -least) * rows))[-1]),
            strong_convexity=max(mu, 0.0) if np.all(least >= 0) else None,
            hessian_lipschitz=_variation(rows, slopes),
            convex=bool(np.all(least >= 0)),
        ),
        name=name,
    )


def _ramps(params: Any, rows: Any, targets: Any, *shapes: Any) -> Any:
    base, slopes, widths, tilts = shapes
    ahead = rows @ params - targets
    size = jnp.abs(ahead)
    inside = jnp.minimum(size, widths)
    bent = inside * (size**2 / 2 - inside * size / 2 + inside**2 / 6)
    return jnp.sum(base * ahead**2 / 2 + slopes * bent + tilts * ahead)


def _linear_residuals(params: Any, rows: Any, targets: Any, thresholds: Any) -> Any:
    return rows @ params - targets


def _half_squares(outputs: Any, *data: Any) -> Any:
    return jnp.sum(outputs**2) / 2


def least_squares(problem: Problem) -> Problem:
    """A regression without thresholds, with the residuals and outputs r = A x - b.

    Args:
        problem: of `optbench.bounds.instances`, quadratic.
    """
    return dataclasses.replace(
        problem,
        residuals=_linear_residuals,
        outputs=_linear_residuals,
        output_loss=_half_squares,
        name=f"least squares {problem.name}",
    )


def linear_members() -> list[Instance]:
    """Strictly convex quadratics, as least squares."""
    found = members(worst=extreme_parabolas, random=quadratic, data=tumor_regression())
    return [Instance(i.kind, least_squares(i.problem)) for i in found]


def tumor_regression() -> Problem:
    """f(x) = |R x - Q^T y|^2 / (2 n), A = Q R and y the features and labels of `tumors`.

    But for a constant it is their mean squared error, in 5 rows: the shape of `quadratic`.
    """
    features, labels = tumors()
    scale = np.sqrt(len(labels))
    basis, rows = np.linalg.qr(features)
    minimizer = np.linalg.solve(rows, basis.T @ labels)
    curvatures = np.linalg.eigvalsh(features.T @ features) / len(labels)
    template = quadratic(0)
    constants = dataclasses.replace(
        template.constants,
        smoothness=float(curvatures[-1]) * (1 + 1e-12),
        strong_convexity=float(curvatures[0]) * (1 - 1e-12),
    )
    return dataclasses.replace(
        template,
        data=(rows / scale, basis.T @ labels / scale, np.full(DIM, np.inf)),
        start=start_near(np.zeros(DIM)),
        minimizer=minimizer,
        constants=constants,
        name="tumor_regression",
    )


@functools.lru_cache(maxsize=1)
def tumors() -> tuple[np.ndarray, np.ndarray]:
    """The features [569, 5] and the labels [569] of the tumors of breast_cancer.

    Texture, smoothness, symmetry and fractal dimension, standardized, and a one; benign +1,
    malignant -1.
    """
    features, labels = real_data.tumors()
    return with_ones(features[:, [1, 4, 8, 9]]), labels


@functools.lru_cache(maxsize=8)
def logistic_regression(l2: float, radius: float | None = None) -> Problem:
    """f(x) = mean_i log(1 + exp(-y_i a_i.x)) + l2 |x|^2 / 2 on `tumors`.

    The third derivative of log(1 + exp(-z)) is at most 1 / (6 sqrt 3), so that the Hessian is
    Lipschitz with lambda_max(mean_i |a_i| a_i a_i^T) / (6 sqrt 3). Without the penalty it is the
    negative log-likelihood in natural parameters y_i a_i.x.

    Args:
        l2: weight of the penalty.
        radius: |x_0 - x*|; None for the start x_0 = 0.
    """
    features, labels = tumors()
    rows, count = labels[:, None] * features, len(labels)
    minimizer = _logistic_minimizer(rows, l2)
    away = np.zeros(5) if radius is None else minimizer + radius * np.ones(5) / np.sqrt(5)
    sizes = np.linalg.norm(rows, axis=1)
    third = np.linalg.eigvalsh(rows.T @ (sizes[:, None] * rows))[-1] / count / (6 * np.sqrt(3))
    with jax.enable_x64(True):
        minimum = float(_logistic(minimizer, rows, l2))
    return Problem(
        objective=_logistic,
        data=(rows, np.float64(l2)),
        start=start_near(away, scale=0.1 * (1.0 if radius is None else radius)),
        minimum=minimum,
        minimizer=minimizer,
        minimum_kind="certified",
        constants=Constants(
            smoothness=float(np.linalg.eigvalsh(rows.T @ rows)[-1]) / (4 * count) + l2,
            strong_convexity=l2,
            hessian_lipschitz=float(third),
            convex=True,
        ),
        outputs=_margins if l2 == 0 else None,
        output_loss=_margin_loss if l2 == 0 else None,
        name=f"logistic_regression[l2={l2:g}]",
    )


def _logistic_minimizer(rows: np.ndarray, l2: float) -> np.ndarray:
    """Newton's method in NumPy, to rounding."""
    point = np.zeros(rows.shape[1])
    for _ in range(30):
        shares = 1 / (1 + np.exp(rows @ point))
        grad = l2 * point - rows.T @ shares / len(rows)
        weights = (shares * (1 - shares) / len(rows))[:, None]
        point = point - np.linalg.solve(rows.T @ (weights * rows) + l2 * np.eye(len(point)), grad)
    return point


def _logistic(params: Any, rows: Any, l2: Any) -> Any:
    return _margin_loss(_margins(params, rows, l2), rows, l2) + l2 / 2 * params @ params


def _margins(params: Any, rows: Any, l2: Any) -> Any:
    return rows @ params


def _margin_loss(margins: Any, rows: Any, l2: Any) -> Any:
    return jnp.mean(jnp.logaddexp(0.0, -margins))
