"""Linear support vector machines whose hinge has a slope everywhere."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.certificates import SmoothedHingeRows, linear_minimum, squared_hinge_rows
from problems.linear_models import (
    linear_outputs,
    mean_square,
    require_penalty,
    second_moment,
    variance_of,
)


def _squared_hinge_residuals(weights: Any, features: Any, labels: Any, l2: Any) -> Any:
    short = jnp.maximum(0.0, 1 - labels * (features @ weights))
    return jnp.concatenate([short / jnp.sqrt(labels.shape[0]), jnp.sqrt(l2) * weights])


def _squared_hinge_output_loss(outputs: Any, features: Any, labels: Any, l2: Any) -> Any:
    logits, weights = outputs
    short = jnp.maximum(0.0, 1 - labels * logits)
    return jnp.mean(short**2) / 2 + l2 / 2 * jnp.sum(weights**2)


def _squared_hinge(weights: Any, *data: Any) -> Any:
    return _squared_hinge_output_loss(linear_outputs(weights, *data), *data)


def svm_squared_hinge(l2: float = 1e-3, batch_size: int | None = None) -> Problem:
    """A support vector machine with the squared hinge, for 569 tumors, benign or malignant.

    f(w) = mean_i max(0, 1 - y_i x_i.w)^2 / 2 + l2 |w|^2 / 2, on 30 standardized features and a
    column of ones, penalized like all others.

    Dimension: 31. Start: 0; other seeds move it by 0.1 times a standard normal. x*, f*: certified,
    by Newton's method to rounding with f - f* <= |grad f|^2 / (2 l2).
    Constants: L = lambda_max(X^T X) / n + l2, attained at 0, where all rows are short of their
    margin; mu = l2; the second derivative jumps where a row meets its margin, so there is no M.

    >>> round(svm_squared_hinge().known_minimum, 6)
    0.02779

    Source: Chang, Hsieh & Lin (2008), "Coordinate descent method for large-scale L2-loss linear
    support vector machines", JMLR 9, pages 1369-1398; data: Street, Wolberg & Mangasarian (1993).

    Args:
        l2: penalty, positive.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty.
    """
    require_penalty(l2)
    data = samples.breast_cancer()
    minimum = linear_minimum(squared_hinge_rows, data, l2)
    problem = Problem(
        objective=_squared_hinge,
        data=(data.features, data.targets, np.float64(l2)),
        start=start_near(np.zeros(data.features.shape[1])),
        minimum=minimum.value,
        minimizer=minimum.minimizer,
        minimum_kind="certified",
        constants=Constants(smoothness=second_moment(data) + l2, strong_convexity=l2, convex=True),
        residuals=_squared_hinge_residuals,
        outputs=linear_outputs,
        output_loss=_squared_hinge_output_loss,
        row_arrays=2,
        name="svm_squared_hinge",
        source="Chang, Hsieh & Lin (2008), JMLR 9, pages 1369-1398",
    )
    return minibatches(problem, batch_size)


def _smoothed_hinge_output_loss(
    outputs: Any, features: Any, labels: Any, l2: Any, width: Any
) -> Any:
    logits, weights = outputs
    short = 1 - labels * logits
    share = jnp.clip(short / width, 0.0, 1.0)
    return jnp.mean(share * short - width * share**2 / 2) + l2 / 2 * jnp.sum(weights**2)


def _smoothed_hinge(weights: Any, *data: Any) -> Any:
    return _smoothed_hinge_output_loss(linear_outputs(weights, *data), *data)


def svm_smoothed_hinge(
    l2: float = 1e-3, width: float = 0.5, batch_size: int | None = None
) -> Problem:
    """A support vector machine with a smoothed hinge, for 569 tumors, benign or malignant.

    f(w) = mean_i h(y_i x_i.w) + l2 |w|^2 / 2, with h(m) = 0 for m >= 1, (1 - m)^2 / (2 c) for
    1 - c < m < 1, and 1 - m - c / 2 below; c is the width of the parabola.

    Dimension: 31. Start: 0; other seeds move it by 0.1 times a standard normal. x*, f*: certified,
    by Newton's method to rounding with f - f* <= |grad f|^2 / (2 l2).
    Constants: L = lambda_max(X^T X) / (n c) + l2, as h'' <= 1 / c; mu = l2; h'' jumps, so there is
    no M. At 0 all rows lie on the line, and f has no curvature but l2. As |h'| <= 1, a batch of B
    rows has a gradient of variance at most mean_i |x_i|^2 / B.

    >>> round(svm_smoothed_hinge().known_minimum, 6)
    0.031945

    Source: Shalev-Shwartz & Zhang (2013), "Stochastic dual coordinate ascent methods for
    regularized loss minimization", JMLR 14, pages 567-599; data: Street, Wolberg & Mangasarian
    (1993).

    Args:
        l2: penalty, positive.
        width: c, above 0 and below 1, where the start meets a kink of the slope.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty, or a width out of range.
    """
    require_penalty(l2)
    if not 0 < width < 1:
        raise OptbenchError(f"width is {width}", "give 0 < width < 1")
    data = samples.breast_cancer()
    minimum = linear_minimum(SmoothedHingeRows(width), data, l2)
    problem = Problem(
        objective=_smoothed_hinge,
        data=(data.features, data.targets, np.float64(l2), np.float64(width)),
        start=start_near(np.zeros(data.features.shape[1])),
        minimum=minimum.value,
        minimizer=minimum.minimizer,
        minimum_kind="certified",
        constants=Constants(
            smoothness=second_moment(data) / width + l2,
            strong_convexity=l2,
            noise_variance=variance_of(mean_square(data), batch_size),
            convex=True,
        ),
        outputs=linear_outputs,
        output_loss=_smoothed_hinge_output_loss,
        row_arrays=2,
        name="svm_smoothed_hinge",
        source="Shalev-Shwartz & Zhang (2013), JMLR 14, pages 567-599",
    )
    return minibatches(problem, batch_size)
