"""Least squares over a convex set, solved by its projection."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems.convex_composite.planted import design, planted
from problems.convex_composite.projections import StartOnSimplex, onto_ball, onto_simplex
from problems.draws import data_rng
from problems.linear_models import errors, half_mean_square, least_squares, predictions


def _orthant(params: Any, step: Any, *data: Any) -> Any:
    return jnp.maximum(params, 0.0)


def _ball(params: Any, step: Any, features: Any, targets: Any, radius: Any) -> Any:
    return onto_ball(params, radius)


def _box(params: Any, step: Any, *data: Any) -> Any:
    return jnp.clip(params, -1.0, 1.0)


def _constrained(
    features: np.ndarray, minimizer: np.ndarray, gradient: np.ndarray, *rest: Any, **passport: Any
) -> Problem:
    """Least squares whose gradient at the minimizer is the one given."""
    data = planted(features, minimizer, gradient)
    return Problem(
        objective=least_squares,
        data=(data.features, data.targets, *rest),
        minimum=data.value,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=data.constants,
        residuals=errors,
        outputs=predictions,
        output_loss=half_mean_square,
        row_arrays=2,
        **passport,
    )


def nonnegative_least_squares(
    num_samples: int = 50,
    dim: int = 20,
    condition_number: float = 100.0,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """f(w) = |X w - y|^2 / (2 n) over all w >= 0.

    Half of the coordinates of x* are 0, with partial derivatives drawn from [0.1, 0.3]; the others
    are drawn from [0.5, 1.5], and their partial derivatives are 0.

    Dimension: `dim`. Start: (1, ..., 1); other seeds move it by 0.1 times a standard normal. x*:
    planted, with y chosen for these derivatives; f* = |X x* - y|^2 / (2 n).
    Constants: X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1]: L = 1 and
    mu = 1 / condition_number, attained; M = 0.

    Source: Lawson & Hanson (1974), "Solving Least Squares Problems", chapter 23.

    Args:
        num_samples: n, above `dim`.
        dim: number of features.
        condition_number: of X^T X.
        seed: of X and x*.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, or a condition number below 1.
    """
    features = design(num_samples, dim, condition_number, seed)
    rng = data_rng(seed)
    at_zero = np.arange(dim) % 2 == 1
    problem = _constrained(
        features,
        np.where(at_zero, 0.0, rng.uniform(0.5, 1.5, dim)),
        np.where(at_zero, rng.uniform(0.1, 0.3, dim), 0.0),
        start=start_near(np.ones(dim)),
        prox=_orthant,
        name="nonnegative_least_squares",
        source="Lawson & Hanson (1974), chapter 23",
    )
    return minibatches(problem, batch_size)


def ball_least_squares(
    num_samples: int = 50,
    dim: int = 20,
    condition_number: float = 100.0,
    radius: float = 2.0,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """f(w) = |X w - y|^2 / (2 n) over the ball |w| <= r, with x* on its surface.

    Dimension: `dim`. Start: 0; other seeds move it by 0.01 r times a standard normal. x*: drawn
    uniformly from the sphere, with y chosen such that the gradient there is -x* / 5, which points
    to the center; f* = |X x* - y|^2 / (2 n).
    Constants: X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1]: L = 1 and
    mu = 1 / condition_number, attained; M = 0.

    Source: Golub & von Matt (1991), "Quadratically constrained least squares and quadratic
    problems", Numerische Mathematik 59, pages 561-580.

    Args:
        num_samples: n, above `dim`.
        dim: number of features.
        condition_number: of X^T X.
        radius: r, positive.
        seed: of X and x*.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, a condition number below 1, or no radius.
    """
    if not 0 < radius < np.inf:
        raise OptbenchError(f"radius is {radius}", "give radius > 0")
    features = design(num_samples, dim, condition_number, seed)
    direction = data_rng(seed).standard_normal(dim)
    minimizer = radius * direction / np.linalg.norm(direction)
    problem = _constrained(
        features,
        minimizer,
        -minimizer / 5,
        np.float64(radius),
        start=start_near(np.zeros(dim), scale=0.01 * radius),
        prox=_ball,
        name="ball_least_squares",
        source="Golub & von Matt (1991), Numerische Mathematik 59, pages 561-580",
    )
    return minibatches(problem, batch_size)


def simplex_least_squares(
    num_samples: int = 50,
    dim: int = 20,
    condition_number: float = 100.0,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """f(w) = |X w - y|^2 / (2 n) over the simplex w >= 0, sum_i w_i = 1.

    Half of the coordinates of x* are 0, with partial derivatives that lie by a number drawn from
    [0.1, 0.3] above those of the others, which all are -0.1.

    Dimension: `dim`. Start: the center; other seeds draw it uniformly from the simplex. x*:
    planted, with y chosen for these derivatives; f* = |X x* - y|^2 / (2 n).
    Constants: X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1]: L = 1 and
    mu = 1 / condition_number, attained; M = 0.

    Source: Duchi, Shalev-Shwartz, Singer & Chandra (2008), "Efficient projections onto the l1-ball
    for learning in high dimensions", ICML.

    Args:
        num_samples: n, above `dim`.
        dim: number of features.
        condition_number: of X^T X.
        seed: of X and x*.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, or a condition number below 1.
    """
    features = design(num_samples, dim, condition_number, seed)
    rng = data_rng(seed)
    at_zero = np.arange(dim) % 2 == 1
    shares = np.where(at_zero, 0.0, rng.uniform(0.5, 1.5, dim))
    problem = _constrained(
        features,
        shares / np.sum(shares),
        np.where(at_zero, rng.uniform(0.1, 0.3, dim), 0.0) - 0.1,
        start=StartOnSimplex(dim),
        prox=onto_simplex,
        name="simplex_least_squares",
        source="Duchi et al. (2008), ICML",
    )
    return minibatches(problem, batch_size)


def box_least_squares(
    num_samples: int = 50,
    dim: int = 20,
    condition_number: float = 100.0,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """f(w) = |X w - y|^2 / (2 n) over the box -1 <= w_i <= 1.

    Of every four coordinates of x*, one lies at 1 and one at -1, with partial derivatives between
    0.1 and 0.3 that push them out; the others are drawn from [-0.5, 0.5], with derivatives 0.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal. x*: planted,
    with y chosen for these derivatives; f* = |X x* - y|^2 / (2 n).
    Constants: X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1]: L = 1 and
    mu = 1 / condition_number, attained; M = 0.

    Source: Stark & Parker (1995), "Bounded-variable least-squares: an algorithm and applications",
    Computational Statistics 10, pages 129-141.

    Args:
        num_samples: n, above `dim`.
        dim: number of features.
        condition_number: of X^T X.
        seed: of X and x*.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, or a condition number below 1.
    """
    features = design(num_samples, dim, condition_number, seed)
    rng = data_rng(seed)
    side = np.resize([1.0, 0.0, -1.0, 0.0], dim)
    problem = _constrained(
        features,
        np.where(side == 0, rng.uniform(-0.5, 0.5, dim), side),
        -side * rng.uniform(0.1, 0.3, dim),
        start=start_near(np.zeros(dim)),
        prox=_box,
        name="box_least_squares",
        source="Stark & Parker (1995), Computational Statistics 10, pages 129-141",
    )
    return minibatches(problem, batch_size)
