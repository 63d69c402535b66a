"""Convex functions with kinks: piecewise linear ones, and the hinge of a support vector machine."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems.convex_composite.projections import shrink
from problems.draws import data_rng
from problems.linear_models import variance_of
from problems.spectra import quadratic_constants


def _absolute(params: Any) -> Any:
    return jnp.sum(jnp.abs(params))


def _shrink(params: Any, step: Any) -> Any:
    return shrink(params, step)


def _maximum(params: Any, slopes: Any, heights: Any) -> Any:
    return jnp.max(slopes @ params - heights)


def _hinge(weights: Any, features: Any, labels: Any, l2: Any) -> Any:
    return jnp.mean(jnp.maximum(0.0, 1 - labels * (features @ weights)))


def _penalized_hinge(weights: Any, features: Any, labels: Any, l2: Any) -> Any:
    return _hinge(weights, features, labels, l2) + l2 / 2 * jnp.sum(weights**2)


def absolute_value(dim: int = 1) -> Problem:
    """f(x) = |x|_1: a kink at x*, around which subgradient steps of fixed size circle.

    All of f is its nonsmooth part; the prox is the soft threshold, whose steps end exactly at x*.

    Dimension: `dim`. Start: (1, ..., 1); other seeds move it by 0.1 times a standard normal.
    x* = 0, f* = 0. Constants: G = sqrt(n); L = mu = M = 0, those of the smooth part, 0.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 3.1.

    Args:
        dim: n, number of unknowns.

    Raises:
        OptbenchError: no dimension.
    """
    if dim < 1:
        raise OptbenchError(f"dim is {dim}", "give dim >= 1")
    return Problem(
        objective=_absolute,
        start=start_near(np.ones(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=quadratic_constants(0.0, 0.0, gradient_bound=float(np.sqrt(dim))),
        nonsmooth=_absolute,
        prox=_shrink,
        region=((-1.5, 1.5), (-1.5, 1.5)) if dim == 2 else None,
        name="absolute_value",
        source="Nesterov (2018), section 3.1",
    )


def max_linear(num_terms: int = 20, dim: int = 5, seed: int = 0) -> Problem:
    """f(x) = max_i a_i.x - b_i: a polyhedron, with dim + 1 of its faces meeting at x*.

    All of f is its nonsmooth part, and no prox of closed form is known.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal. x*: standard
    normal, drawn from the seed of the problem. The first dim + 1 terms have the value f* = 1 there,
    and a combination of their slopes with weights from [0.5, 1.5] vanishes; the others lie by
    [0.5, 1.5] lower.
    Constants: G = max_i |a_i|; L = mu = M = 0, those of the smooth part, 0.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 3.1.

    Args:
        num_terms: affine functions, more than `dim`.
        dim: number of unknowns.
        seed: of the functions and of x*.

    Raises:
        OptbenchError: too few terms.
    """
    if not 1 <= dim < num_terms:
        raise OptbenchError(
            f"{num_terms} affine functions have no least maximum in {dim} dimensions",
            "give 1 <= dim < num_terms",
        )
    rng = data_rng(seed)
    slopes = rng.standard_normal((num_terms, dim))
    weights = rng.uniform(0.5, 1.5, dim)
    slopes[dim] = -weights @ slopes[:dim]
    minimizer = rng.standard_normal(dim)
    values = 1 - np.where(np.arange(num_terms) > dim, rng.uniform(0.5, 1.5, num_terms), 0.0)
    return Problem(
        objective=_maximum,
        data=(slopes, slopes @ minimizer - values),
        start=start_near(np.zeros(dim)),
        minimum=1.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=quadratic_constants(
            0.0, 0.0, gradient_bound=float(np.max(np.linalg.norm(slopes, axis=1)))
        ),
        nonsmooth=_maximum,
        name="max_linear",
        source="Nesterov (2018), section 3.1",
    )


def _planted_rows(
    rng: np.random.Generator, num_samples: int, dim: int, l2: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels and the x* that is optimal for them, as `svm_hinge` tells."""
    rank = np.arange(num_samples)
    groups = [rank < dim, rank < dim + num_samples // 3]
    alphas = np.select(groups, [rng.uniform(0.2, 0.8, num_samples), np.ones(num_samples)], 0.0)
    short, long = rng.uniform(0, 0.9, num_samples), rng.uniform(1.1, 3, num_samples)
    margins = np.select(groups, [np.ones(num_samples), short], long)
    direction = rng.standard_normal(dim)
    direction /= np.linalg.norm(direction)
    across = rng.standard_normal((num_samples, dim))
    across -= np.where(alphas > 0, 1.0, 0.0)[:, None] * (alphas @ across / np.sum(alphas))
    across -= np.outer(across @ direction, direction)
    length = np.sqrt(alphas @ margins / (num_samples * l2))
    labels = np.where(rng.random(num_samples) < 0.5, -1.0, 1.0)
    features = labels[:, None] * (np.outer(margins / length, direction) + across)
    return features, labels, length * direction


def svm_hinge(
    num_samples: int = 60,
    dim: int = 5,
    l2: float = 0.1,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """A support vector machine: f(w) = mean_i max(0, 1 - y_i x_i.w) + l2 |w|^2 / 2.

    The nonsmooth part is the mean of the hinges, whose prox has no closed form.

    Dimension: `dim`. Start: (1, ..., 1); other seeds move it by 0.1 times a standard normal. x*:
    planted. Its margins y_i x_i.x* are 1 for the first dim rows, which carry weights alpha_i from
    [0.2, 0.8]; they lie in [0, 0.9] for a third of the rows, where alpha_i = 1; and in [1.1, 3]
    for the others, where alpha_i = 0. The rows are such that l2 x* = mean_i alpha_i y_i x_i, which
    is optimality. f*: the value there.
    Constants: those of f - h. L = mu = l2, attained; M = 0. A row's hinge has subgradients of at
    most |x_i|, so that those of a batch of B rows have a variance of at most mean_i |x_i|^2 / B.

    Source: Shalev-Shwartz, Singer, Srebro & Cotter (2011), "Pegasos: primal estimated sub-gradient
    solver for SVM", Mathematical Programming 127, pages 3-30.

    Args:
        num_samples: n, at least 3 `dim`.
        dim: number of features, at least 2.
        l2: penalty, positive.
        seed: of the rows and of x*.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples or features, or no penalty.
    """
    if not 2 <= dim <= num_samples / 3 or not 0 < l2 < np.inf:
        raise OptbenchError(
            f"dim is {dim}, num_samples {num_samples} and l2 {l2}",
            "give dim >= 2, num_samples >= 3 * dim and l2 > 0",
        )
    rng = data_rng(seed)
    features, labels, minimizer = _planted_rows(rng, num_samples, dim, l2)
    hinges = np.maximum(0, 1 - labels * (features @ minimizer))
    problem = Problem(
        objective=_penalized_hinge,
        data=(features, labels, np.float64(l2)),
        start=start_near(np.ones(dim)),
        minimum=float(np.mean(hinges) + l2 / 2 * np.sum(minimizer**2)),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=quadratic_constants(
            l2,
            l2,
            noise_variance=variance_of(float(np.mean(np.sum(features**2, axis=1))), batch_size),
        ),
        nonsmooth=_hinge,
        row_arrays=2,
        name="svm_hinge",
        source="Shalev-Shwartz et al. (2011), Mathematical Programming 127, pages 3-30",
    )
    return minibatches(problem, batch_size)
