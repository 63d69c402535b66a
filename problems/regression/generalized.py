"""Regression with other losses than the square: Poisson's likelihood and Huber's loss."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.certificates import HuberRows, linear_minimum, poisson_rows
from problems.linear_models import (
    linear_outputs,
    mean_square,
    require_penalty,
    second_moment,
    variance_of,
)


def _poisson_output_loss(outputs: Any, features: Any, counts: Any, l2: Any) -> Any:
    logits, weights = outputs
    return jnp.mean(jnp.exp(logits) - counts * logits) + l2 / 2 * jnp.sum(weights**2)


def _poisson(weights: Any, *data: Any) -> Any:
    return _poisson_output_loss(linear_outputs(weights, *data), *data)


def _huber_output_loss(outputs: Any, features: Any, targets: Any, l2: Any, threshold: Any) -> Any:
    predictions, weights = outputs
    errors = jnp.abs(predictions - targets)
    losses = jnp.where(errors <= threshold, errors**2 / 2, threshold * (errors - threshold / 2))
    return jnp.mean(losses) + l2 / 2 * jnp.sum(weights**2)


def _huber(weights: Any, *data: Any) -> Any:
    return _huber_output_loss(linear_outputs(weights, *data), *data)


def _require_data(num_samples: int, dim: int) -> None:
    if num_samples < 1 or dim < 1:
        raise OptbenchError(
            f"no data with {num_samples} samples and {dim} features",
            "give num_samples >= 1 and dim >= 1",
        )


def poisson_regression(
    num_samples: int = 200,
    dim: int = 5,
    l2: float = 1e-3,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """The likelihood of counts with log-linear rates: mean_i exp(x_i.w) - y_i x_i.w + l2 |w|^2 / 2.

    Features are standard normal; y_i is Poisson with rate exp(x_i.v) for a planted v, x_i.v of root
    mean square 1. The log(y_i!) of the likelihood, constant in w, is left out.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal. x*, f*:
    certified, by Newton's method to rounding with f - f* <= |grad f|^2 / (2 l2).
    Constants: mu = l2. The exponential leaves no L and no M: f is smooth of a kind where the
    curvature grows with the slope. The logits are natural parameters, so Fisher is the Hessian.

    Source: Nelder & Wedderburn (1972), "Generalized linear models", Journal of the Royal
    Statistical Society A 135(3), pages 370-384.

    Args:
        num_samples: n.
        dim: number of features.
        l2: penalty, positive.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no samples, no features, or no penalty.
    """
    _require_data(num_samples, dim)
    require_penalty(l2)
    data = samples.counts(num_samples, dim, seed)
    minimum = linear_minimum(poisson_rows, data, l2)
    problem = Problem(
        objective=_poisson,
        data=(data.features, data.targets, np.float64(l2)),
        start=start_near(np.zeros(dim)),
        minimum=minimum.value,
        minimizer=minimum.minimizer,
        minimum_kind="certified",
        constants=Constants(strong_convexity=l2, convex=True),
        outputs=linear_outputs,
        output_loss=_poisson_output_loss,
        row_arrays=2,
        name="poisson_regression",
        source="Nelder & Wedderburn (1972), JRSS A 135(3), pages 370-384",
    )
    return minibatches(problem, batch_size)


def huber_regression(
    num_samples: int = 100,
    dim: int = 5,
    outliers: float = 0.1,
    l2: float = 1e-3,
    threshold: float = 1.0,
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> Problem:
    """Regression with Huber's loss: quadratic for small errors, linear for gross ones.

    f(w) = mean_i h(x_i.w - y_i) + l2 |w|^2 / 2, with h(e) = e^2 / 2 for |e| <= d and
    d (|e| - d / 2) beyond. A share `outliers` of the targets is 20 too high.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal. x*, f*:
    certified, by Newton's method to rounding with f - f* <= |grad f|^2 / (2 l2).
    Constants: L = lambda_max(X^T X) / n + l2, as h'' <= 1; mu = l2; h'' jumps, so there is no M.
    As |h'| <= d, the gradient of a batch of B rows has a variance of at most
    d^2 mean_i |x_i|^2 / B.

    Source: Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical
    Statistics 35(1), pages 73-101.

    Args:
        num_samples: n.
        dim: number of features.
        outliers: share of the targets that are wrong, from 0 to 1.
        l2: penalty, positive.
        threshold: d, positive.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no samples or features, a share out of range, no penalty or threshold.
    """
    _require_data(num_samples, dim)
    require_penalty(l2)
    if not (0 <= outliers <= 1 and 0 < threshold < np.inf):
        raise OptbenchError(
            f"outliers is {outliers} and threshold {threshold}",
            "give 0 <= outliers <= 1 and threshold > 0",
        )
    data = samples.contaminated(num_samples, dim, outliers, seed)
    minimum = linear_minimum(HuberRows(threshold), data, l2)
    problem = Problem(
        objective=_huber,
        data=(data.features, data.targets, np.float64(l2), np.float64(threshold)),
        start=start_near(np.zeros(dim)),
        minimum=minimum.value,
        minimizer=minimum.minimizer,
        minimum_kind="certified",
        constants=Constants(
            smoothness=second_moment(data) + l2,
            strong_convexity=l2,
            noise_variance=variance_of(threshold**2 * mean_square(data), batch_size),
            convex=True,
        ),
        outputs=linear_outputs,
        output_loss=_huber_output_loss,
        row_arrays=2,
        name="huber_regression",
        source="Huber (1964), Annals of Mathematical Statistics 35(1), pages 73-101",
    )
    return minibatches(problem, batch_size)
