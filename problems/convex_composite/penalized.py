"""Least squares with a penalty that makes coordinates, or groups of them, exactly zero."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.convex_composite.planted import design, planted
from problems.convex_composite.projections import row_lengths, shrink, shrink_rows
from problems.draws import data_rng
from problems.linear_models import least_squares
from problems.spectra import quadratic_constants

MAX_SWEEPS = 10_000


def _elastic(weights: Any, features: Any, targets: Any, l1: Any, l2: Any) -> Any:
    smooth = least_squares(weights, features, targets) + l2 / 2 * jnp.sum(weights**2)
    return smooth + l1 * jnp.sum(jnp.abs(weights))


def _one_norm(weights: Any, features: Any, targets: Any, l1: Any, l2: Any) -> Any:
    return l1 * jnp.sum(jnp.abs(weights))


def _shrink(weights: Any, step: Any, *data: Any) -> Any:
    _features, _targets, l1, _l2 = data
    return shrink(weights, step * l1)


def _group(weights: Any, features: Any, targets: Any, l1: Any) -> Any:
    return least_squares(weights, features, targets) + l1 * jnp.sum(row_lengths(weights))


def _group_norm(weights: Any, features: Any, targets: Any, l1: Any) -> Any:
    return l1 * jnp.sum(row_lengths(weights))


def _shrink_groups(weights: Any, step: Any, features: Any, targets: Any, l1: Any) -> Any:
    return shrink_rows(weights, step * l1)


def _require_penalties(l1: float, l2: float = 0.0) -> None:
    if not (0 < l1 < np.inf and 0 <= l2 < np.inf):
        raise OptbenchError(f"l1 is {l1} and l2 {l2}", "give l1 > 0 and l2 >= 0")


def lasso(
    num_samples: int = 60,
    dim: int = 20,
    num_nonzero: int = 5,
    l1: float = 0.1,
    condition_number: float = 100.0,
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> Problem:
    """f(w) = |X w - y|^2 / (2 n) + l1 |w|_1, with a planted sparse solution.

    The nonsmooth part is h(w) = l1 |w|_1, its prox the soft threshold.

    Dimension: `dim`. Start: (1, ..., 1); other seeds move it by 0.1 times a standard normal. x*:
    the first coordinates are +-[0.5, 1.5], the others 0, and y is chosen such that the partial
    derivatives of the square are -l1 sign(x*_i) on the former and at most 0.9 l1 on the latter: a
    dual certificate. f*: the value there.
    Constants: those of f - h. X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1]:
    L = 1 and mu = 1 / condition_number, attained; M = 0.

    Source: Tibshirani (1996), "Regression shrinkage and selection via the lasso", Journal of the
    Royal Statistical Society B 58(1), pages 267-288.

    Args:
        num_samples: n, above `dim`.
        dim: number of features.
        num_nonzero: nonzero coordinates of x*.
        l1: penalty, positive.
        condition_number: of X^T X.
        seed: of X and x*.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, a condition number below 1, no penalty, or more nonzero
            coordinates than there are.
    """
    _require_penalties(l1)
    if not 0 <= num_nonzero <= dim:
        raise OptbenchError(f"num_nonzero is {num_nonzero}", f"give 0 <= num_nonzero <= {dim}")
    features = design(num_samples, dim, condition_number, seed)
    rng = data_rng(seed)
    signs = np.where(rng.random(dim) < 0.5, -1.0, 1.0)
    kept = np.arange(dim) < num_nonzero
    minimizer = np.where(kept, signs * rng.uniform(0.5, 1.5, dim), 0.0)
    gradient = -l1 * np.where(kept, signs, rng.uniform(-0.9, 0.9, dim))
    data = planted(features, minimizer, gradient)
    problem = Problem(
        objective=_elastic,
        data=(data.features, data.targets, np.float64(l1), np.float64(0.0)),
        start=start_near(np.ones(dim)),
        minimum=float(data.value + l1 * np.sum(np.abs(minimizer))),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=data.constants,
        nonsmooth=_one_norm,
        prox=_shrink,
        row_arrays=2,
        name="lasso",
        source="Tibshirani (1996), JRSS B 58(1), pages 267-288",
    )
    return minibatches(problem, batch_size)


def _sweep(weights: np.ndarray, gram: np.ndarray, moments: np.ndarray, l1: float) -> None:
    """One pass of exact coordinate minimization, in place."""
    for i in range(len(weights)):
        pull = moments[i] - gram[i] @ weights + gram[i, i] * weights[i]
        weights[i] = np.sign(pull) * max(abs(pull) - l1, 0.0) / gram[i, i]


def _solution_on(
    signs: np.ndarray, gram: np.ndarray, moments: np.ndarray, l1: float
) -> np.ndarray | None:
    """The minimizer, if these are its signs: then it solves a linear system; else None."""
    weights, kept = np.zeros(len(signs)), signs != 0
    pulls = moments[kept] - l1 * signs[kept]
    weights[kept] = np.linalg.solve(gram[np.ix_(kept, kept)], pulls)
    slack = l1 - np.abs(moments - gram @ weights)[~kept]
    return weights if np.all(np.sign(weights) == signs) and np.all(slack >= 0) else None


@functools.lru_cache(maxsize=8)
def _diabetes_minimizer(l1: float, l2: float) -> np.ndarray:
    """Sweeps find the signs; the linear system they leave is solved to rounding.

    Raises:
        OptbenchError: they do not.
    """
    features, targets = samples.diabetes().features, samples.diabetes().targets
    num_samples, dim = features.shape
    gram = features.T @ features / num_samples + l2 * np.eye(dim)
    moments, weights = features.T @ targets / num_samples, np.zeros(dim)
    for _ in range(MAX_SWEEPS):
        found = _solution_on(np.sign(weights), gram, moments, l1)
        if found is not None:
            found.setflags(write=False)
            return found
        _sweep(weights, gram, moments, l1)
    raise OptbenchError(f"no signs satisfy l1={l1}, l2={l2}", "choose another l1")


def _diabetes(l1: float, l2: float, **passport: Any) -> Problem:
    data = samples.diabetes()
    num_samples, dim = data.features.shape
    minimizer = _diabetes_minimizer(float(l1), float(l2))
    misses = data.features @ minimizer - data.targets
    penalty = l1 * np.sum(np.abs(minimizer)) + l2 / 2 * minimizer @ minimizer
    eigenvalues = np.linalg.svd(data.features, compute_uv=False) ** 2 / num_samples + l2
    return Problem(
        objective=_elastic,
        data=(data.features, data.targets, np.float64(l1), np.float64(l2)),
        start=start_near(np.full(dim, 0.5)),
        minimum=float(misses @ misses / (2 * num_samples) + penalty),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=quadratic_constants(eigenvalues[0], eigenvalues[-1]),
        nonsmooth=_one_norm,
        prox=_shrink,
        row_arrays=2,
        **passport,
    )


def lasso_diabetes(l1: float = 0.05, batch_size: int | None = None) -> Problem:
    """Lasso of disease progression in 442 diabetes patients: |X w - y|^2 / (2 n) + l1 |w|_1.

    Features and y are standardized, so that no intercept is needed. The nonsmooth part is
    h(w) = l1 |w|_1, its prox the soft threshold.

    Dimension: 10. Start: (0.5, ..., 0.5); other seeds move it by 0.1 times a standard normal. x*:
    with its signs known it solves a linear system, and optimality there is verified; f*: the value
    there.
    Constants: those of f - h. L and mu are the extreme eigenvalues of X^T X / n, both attained;
    M = 0.

    >>> [int(i) for i in np.flatnonzero(lasso_diabetes().minimizer)]
    [1, 2, 3, 6, 8, 9]

    Source: Efron, Hastie, Johnstone & Tibshirani (2004), "Least angle regression", Annals of
    Statistics 32(2), figure 1.

    Args:
        l1: penalty, positive.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty.
    """
    _require_penalties(l1)
    problem = _diabetes(
        l1,
        0.0,
        name="lasso_diabetes",
        source="Efron et al. (2004), Annals of Statistics 32(2), figure 1",
    )
    return minibatches(problem, batch_size)


def elastic_net_diabetes(
    l1: float = 0.05, l2: float = 0.1, batch_size: int | None = None
) -> Problem:
    """Elastic net of disease progression in 442 diabetes patients.

    f(w) = |X w - y|^2 / (2 n) + l2 |w|^2 / 2 + l1 |w|_1, on the data of `lasso_diabetes`. The
    nonsmooth part is h(w) = l1 |w|_1, its prox the soft threshold.

    Dimension: 10. Start: (0.5, ..., 0.5); other seeds move it by 0.1 times a standard normal. x*:
    with its signs known it solves a linear system, and optimality there is verified; f*: the value
    there.
    Constants: those of f - h. L and mu are the extreme eigenvalues of X^T X / n + l2, attained;
    M = 0.

    Source: Zou & Hastie (2005), "Regularization and variable selection via the elastic net",
    Journal of the Royal Statistical Society B 67(2), pages 301-320.

    Args:
        l1: penalty on |w|_1, positive.
        l2: penalty on |w|^2 / 2, at least 0.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no l1, or a negative l2.
    """
    _require_penalties(l1, l2)
    problem = _diabetes(
        l1,
        l2,
        name="elastic_net_diabetes",
        source="Zou & Hastie (2005), JRSS B 67(2), pages 301-320",
    )
    return minibatches(problem, batch_size)


def group_lasso(
    num_samples: int = 60,
    num_groups: int = 6,
    group_size: int = 3,
    l1: float = 0.1,
    condition_number: float = 100.0,
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> Problem:
    """f(W) = |X w - y|^2 / (2 n) + l1 sum_g |W_g|, which keeps or drops whole groups.

    w are the rows W_g of W, one after the other. The nonsmooth part is h(W) = l1 sum_g |W_g|; its
    prox shortens each row.

    Dimension: `num_groups` x `group_size`, params a matrix. Start: all ones; other seeds move it by
    0.1 times a standard normal. x*: the first third of the rows are random and of length 1, the
    others 0, and y is chosen such that the gradient of the square is -l1 W_g on the former and
    shorter than 0.9 l1 on the latter. f*: the value there.
    Constants: those of f - h. X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1]:
    L = 1 and mu = 1 / condition_number, attained; M = 0.

    Source: Yuan & Lin (2006), "Model selection and estimation in regression with grouped
    variables", Journal of the Royal Statistical Society B 68(1), pages 49-67.

    Args:
        num_samples: n, above the number of features.
        num_groups: rows of W.
        group_size: columns of W.
        l1: penalty, positive.
        condition_number: of X^T X.
        seed: of X and x*.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, a condition number below 1, no penalty or no groups.
    """
    _require_penalties(l1)
    if num_groups < 1 or group_size < 1:
        raise OptbenchError(
            f"num_groups is {num_groups} and group_size {group_size}", "give at least one of each"
        )
    features = design(num_samples, num_groups * group_size, condition_number, seed)
    rng = data_rng(seed)
    rows = rng.standard_normal((num_groups, group_size))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    kept = np.arange(num_groups)[:, None] < -(-num_groups // 3)
    minimizer = np.where(kept, rows, 0.0)
    gradient = -l1 * np.where(kept, rows, rows * rng.uniform(0.0, 0.9, (num_groups, 1)))
    data = planted(features, minimizer.ravel(), gradient.ravel())
    problem = Problem(
        objective=_group,
        data=(data.features, data.targets, np.float64(l1)),
        start=start_near(np.ones((num_groups, group_size))),
        minimum=float(data.value + l1 * np.count_nonzero(kept)),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=data.constants,
        nonsmooth=_group_norm,
        prox=_shrink_groups,
        row_arrays=2,
        name="group_lasso",
        source="Yuan & Lin (2006), JRSS B 68(1), pages 49-67",
    )
    return minibatches(problem, batch_size)
