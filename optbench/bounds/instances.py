"""Members of the classes that theorems speak of: those that attain a bound, and others.

All are robust regressions,

    f(x) = sum_i h_i(a_i.x - b_i),   h_i(r) = r^2 / 2 for |r| <= c_i, else c_i |r| - c_i^2 / 2,

so that instances of one shape share one compiled program. With all c_i infinite f is quadratic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.bounds.real_data import tumors, with_ones
from optbench.case import Instance
from optbench.problem import Constants, Problem
from optbench.start import start_near

SMOOTHNESS = 4.0  # L, mu and R of the instances on a line: none of them 1, so that powers show
STRONG_CONVEXITY = 0.25
RADIUS = 1.5
FAR = 100.0  # x* of a translated instance
DIM = 5  # of a random instance
NUM_RANDOM = 4


def members(
    *,
    worst: Callable[[float], Sequence[Problem]],
    random: Callable[[int], Problem],
    data: Problem,
) -> tuple[Instance, ...]:
    """The instances of a theorem.

    Args:
        worst: x* -> the problems that attain the bound; taken at x* = 0 and at x* = `FAR`.
        random: seed -> a random member of the class.
        data: a member of the class with real data.
    """
    return (
        *(Instance("worst", problem) for problem in worst(0.0)),
        *(Instance("translated", problem) for problem in worst(FAR)),
        *(Instance("random", random(seed)) for seed in range(NUM_RANDOM)),
        Instance("data", data),
    )


def huber(displacement: float, minimizer: float) -> Problem:
    """The Huber loss on a line with L = 4 and R = 1.5 that a first-order method finds hardest.

    f(x) = L d^2 / 2 for L d <= s, else s d - s^2 / (2 L), with d = |x - x*|, s = L R / (2 c + 1).

    A method that has moved by c s / L down the slope s has only just reached the quadratic part,
    and is left with f - f* = L R^2 / (4 c + 2).

    Args:
        displacement: c.
        minimizer: x*.

    Source: Drori and Teboulle (2014), section 3, for gradient descent; from memory.
    """
    slope = SMOOTHNESS * RADIUS / (2 * displacement + 1)
    return _on_line(
        f"huber[displacement={displacement:g}]",
        SMOOTHNESS,
        minimizer,
        threshold=slope / np.sqrt(SMOOTHNESS),
        constants=Constants(smoothness=SMOOTHNESS, convex=True, sharp=True),
    )


def parabola(curvature: float, minimizer: float) -> Problem:
    """f(x) = lambda (x - x*)^2 / 2 with R = 1.5, as a member of the class mu = 1 / 4, L = 4.

    Args:
        curvature: lambda, in [mu, L].
        minimizer: x*.
    """
    constants = Constants(
        smoothness=SMOOTHNESS, strong_convexity=STRONG_CONVEXITY, convex=True, quadratic=True
    )
    return _on_line(f"parabola[curvature={curvature:g}]", curvature, minimizer, np.inf, constants)


def extreme_parabolas(minimizer: float) -> tuple[Problem, Problem]:
    """The parabolas of curvature mu and L."""
    return parabola(STRONG_CONVEXITY, minimizer), parabola(SMOOTHNESS, minimizer)


def _on_line(
    name: str, curvature: float, minimizer: float, threshold: float, constants: Constants
) -> Problem:
    row = np.sqrt([curvature, 0.0])  # two rows, as `bent_parabola` has
    return Problem(
        objective=robust_loss,
        data=(row[:, None], row * minimizer, np.array([threshold, np.inf])),
        start=start_near(np.array([minimizer + RADIUS])),
        minimum=0.0,
        minimizer=np.array([minimizer]),
        minimum_kind="closed form",
        constants=constants,
        name=name,
    )


def robust_regression(seed: int, strong_convexity: float = 0.0) -> Problem:
    """A random regression in 5 dimensions that all residuals of the minimizer fit, b = A x*.

    Ten rows are random with random thresholds; five more are sqrt(mu) times the unit vectors,
    without threshold. x* is random, and the start several thresholds away from it. L is the
    largest eigenvalue of A^T A, attained near x*.

    Args:
        seed: of the draw.
        strong_convexity: mu.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * DIM, DIM)) * rng.uniform(0.3, 3.0, (2 * DIM, 1))
    thresholds = np.concatenate([rng.uniform(0.1, 2.0, 2 * DIM), np.full(DIM, np.inf)])
    rows = np.vstack([rows, np.sqrt(strong_convexity) * np.eye(DIM)])
    constants = Constants(
        smoothness=float(np.linalg.eigvalsh(rows.T @ rows)[-1]),
        strong_convexity=strong_convexity,
        convex=True,
    )
    return _random(f"robust_regression[seed={seed}]", rng, rows, thresholds, constants)


def quadratic(seed: int) -> Problem:
    """A random quadratic in 5 dimensions, mu and L attained, random basis and minimizer.

    Args:
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    strong_convexity, smoothness = np.sort(np.exp(rng.uniform(-3.0, 3.0, 2)))
    inner = np.exp(rng.uniform(np.log(strong_convexity), np.log(smoothness), DIM - 2))
    rows = np.sqrt([strong_convexity, *inner, smoothness])[:, None] * basis
    constants = Constants(
        smoothness=float(smoothness),
        strong_convexity=float(strong_convexity),
        convex=True,
        quadratic=True,
    )
    rows = np.vstack([rows, np.zeros((2 * DIM, DIM))])  # the shape of the other random instances
    return _random(f"quadratic[seed={seed}]", rng, rows, np.full(len(rows), np.inf), constants)


def _random(
    name: str,
    rng: np.random.Generator,
    rows: np.ndarray,
    thresholds: np.ndarray,
    constants: Constants,
) -> Problem:
    minimizer = rng.standard_normal(DIM)
    return Problem(
        objective=robust_loss,
        data=(rows, rows @ minimizer, thresholds),
        start=start_near(minimizer + rng.uniform(0.5, 5.0) * rng.standard_normal(DIM)),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=constants,
        name=name,
    )


@functools.lru_cache(maxsize=8)
def ridge_regression(l2: float) -> Problem:
    """f(x) = |X x - y|^2 / (2 n) + l2 |x|^2 / 2 on the 569 tumors of breast_cancer, from x_0 = 0.

    X: 30 standardized features and a column of ones; y: benign +1, malignant -1. L and mu are the
    extreme eigenvalues of X^T X / n + l2 I; x* solves the least-squares problem.

    Args:
        l2: weight of the penalty; without it mu is 1.3e-4, and L / mu 1e5.
    """
    features, labels = tumors()
    features = with_ones(features)
    num_samples, dim = features.shape
    rows = np.vstack([features / np.sqrt(num_samples), np.sqrt(l2) * np.eye(dim)])
    targets = np.concatenate([labels / np.sqrt(num_samples), np.zeros(dim)])
    minimizer = np.linalg.lstsq(rows, targets, rcond=None)[0]
    curvatures = np.linalg.eigvalsh(rows.T @ rows)
    return Problem(
        objective=robust_loss,
        data=(rows, targets, np.full(len(rows), np.inf)),
        start=start_near(np.zeros(dim)),
        minimum=float(np.sum((rows @ minimizer - targets) ** 2) / 2),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(curvatures[-1]),
            strong_convexity=float(curvatures[0]),
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        name=f"ridge_regression[l2={l2:g}]",
    )


def robust_loss(params: Any, rows: Any, targets: Any, thresholds: Any) -> Any:
    """The objective of all of them: sum_i h_i(a_i.x - b_i)."""
    sizes = jnp.abs(rows @ params - targets)
    inside = jnp.minimum(sizes, thresholds)
    return jnp.sum(inside * (sizes - inside / 2))
