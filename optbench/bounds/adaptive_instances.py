"""Members of the classes of theorems on adaptive methods, clipping and stability."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import DIM, RADIUS, SMOOTHNESS, _robust_loss
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
    from sklearn.datasets import load_diabetes

    features, targets = map(np.asarray, load_diabetes(return_X_y=True))
    features = features[:, :DIM]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    return features, (targets - targets.mean()) / targets.std()


def tumors() -> np.ndarray:
    """[569, 5] the first five features of breast_cancer, as they are."""
    from sklearn.datasets import load_breast_cancer

    return np.asarray(load_breast_cancer(return_X_y=True)[0])[:, :DIM]


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
        objective=_robust_loss,
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


def _catenary(params: Any, rows: Any, targets: Any) -> Any:
    return 2 * jnp.sum(jnp.sinh((rows @ params - targets) / 2) ** 2)


def catenary(seed: int) -> Problem:
    """f(x) = sum_i cosh(a_i.(x - x*)) - 1 with orthogonal a_i: (max |a_i|^2, max |a_i|)-smooth.

    The Hessian is sum_i cosh(r_i) a_i a_i^T, cosh <= 1 + |sinh|, and |grad f| is no less than
    |a_i| |sinh(r_i)| for any i.

    Args:
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    sizes = np.exp(rng.uniform(-1.0, 1.0, DIM))
    rows = sizes[:, None] * np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    minimizer = rng.standard_normal(DIM)
    offset = rows.T @ (rng.uniform(-5.0, 5.0, DIM) / sizes**2)  # r between -5 and 5
    return _growing_fast(f"catenary[seed={seed}]", rows, minimizer, offset)


def steep_catenary(minimizer: float = 0.0) -> Problem:
    """f(x) = cosh(2 (x - x*)) - 1 from x* + 1.5: (4, 2)-smooth.

    Args:
        minimizer: x*.
    """
    at = np.array([minimizer])
    return _growing_fast("steep_catenary", np.array([[2.0]]), at, np.array([RADIUS]))


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
    return _robust_loss(params, rows, targets, thresholds)


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
        objective=_robust_loss,
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
