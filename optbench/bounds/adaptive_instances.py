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


@functools.lru_cache(maxsize=1)
def diabetes() -> Problem:
    """f(x) = |X x - y|^2 / (2 n) - f(x*) on the 442 patients of diabetes, from 0.

    X: age, sex, body mass, blood pressure and cholesterol, standardized; y: the standardized
    progression of the disease. With the Cholesky factor R of the Hessian it is |R (x - x*)|^2 / 2.
    """
    from sklearn.datasets import load_diabetes

    features, targets = load_diabetes(return_X_y=True)
    features = features[:, :DIM]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    targets = (targets - targets.mean()) / targets.std()
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


def _resisting(params: Any, level: Any, is_free: Any) -> Any:
    reachable = jnp.where(is_free, params, -jnp.inf)
    highest = params[jnp.argmax(reachable)]  # the first, where several are equal
    return SMOOTHNESS * jnp.where(highest >= level, highest, level)


def resisting(num_steps: int, minimizer: float = 0.0) -> Problem:
    """f(x) = M max(x_1, ..., x_{N+1}, -R / sqrt(N + 1)) with M = 4, R = 1.5, from x_0 = 0.

    The subgradient at ties is that of the first index: N steps lower one coordinate each, and
    leave the last at 0. x* is constant on the first N + 1 of 21 coordinates, and 0 elsewhere.

    Args:
        num_steps: N, at most 20.
        minimizer: added to the coordinates that f does not see.
    """
    is_free = np.arange(21) <= num_steps
    level = -RADIUS / np.sqrt(num_steps + 1)
    return Problem(
        objective=_resisting,
        nonsmooth=_resisting,
        data=(np.float64(level), is_free),
        start=start_near(np.where(is_free, 0.0, minimizer)),
        minimum=SMOOTHNESS * level,
        minimizer=np.where(is_free, level, minimizer),
        minimum_kind="closed form",
        constants=Constants(gradient_bound=SMOOTHNESS, convex=True),
        name=f"resisting[num_steps={num_steps}]",
    )
