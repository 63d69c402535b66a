"""What linear models share: predictions x_i.w, and a penalty on all weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.layers import affine
from problems.samples import Samples

THIRD_MOMENT = 1 / (6 * 3**0.5)  # the most of E (t - E t)^3 for t in an interval of length 1


def linear_network(weights: Any, dense: Callable[..., Any], features: Any, *rest: Any) -> Any:
    """The predictions, and the weights for the penalty, which so enters Gauss-Newton exactly."""
    return dense(features, weights), weights


def linear_outputs(weights: Any, *data: Any) -> Any:
    """The linear network with a plain layer."""
    return linear_network(weights, affine, *data)


@dataclasses.dataclass(frozen=True)
class LinearLoss:
    """A loss of the linear outputs, as a function of the weights."""

    output_loss: Callable[..., Any]

    def __call__(self, weights: Any, *data: Any) -> Any:
        """The loss at these weights."""
        return self.output_loss(linear_outputs(weights, *data), *data)


def half_mean_square(predictions: Any, features: Any, targets: Any, *rest: Any) -> Any:
    """mean_i (z_i - y_i)^2 / 2."""
    return jnp.mean((predictions - targets) ** 2) / 2


def predictions(weights: Any, features: Any, *rest: Any) -> Any:
    """X w, with w flattened."""
    return features @ weights.ravel()


def least_squares(weights: Any, features: Any, targets: Any, *rest: Any) -> Any:
    """|X w - y|^2 / (2 n)."""
    return half_mean_square(predictions(weights, features), features, targets)


def errors(weights: Any, features: Any, targets: Any, *rest: Any) -> Any:
    """Residuals of `least_squares`."""
    return (predictions(weights, features) - targets) / jnp.sqrt(targets.shape[0])


def require_penalty(l2: float) -> None:
    """Refuse an l2 that certifies no minimum.

    Raises:
        OptbenchError: it is not positive, or infinite.
    """
    if not 0 < l2 < np.inf:
        raise OptbenchError(
            f"l2 is {l2}: without a penalty there need be no minimizer",
            "give l2 > 0; logistic_separable is the loss without a minimizer",
        )


def second_moment(data: Samples) -> float:
    """lambda_max(X^T X) / n."""
    return float(np.linalg.eigvalsh(data.features.T @ data.features / len(data.features))[-1])


def mean_square(data: Samples) -> float:
    """mean_i |x_i|^2."""
    return float(np.mean(np.sum(data.features**2, axis=1)))


def longest_row(data: Samples) -> float:
    """max_i |x_i|."""
    return float(np.sqrt(np.max(np.sum(data.features**2, axis=1))))


def variance_of(row_variance: float, batch_size: int | None) -> float | None:
    """The variance of a mean over a batch drawn with replacement; None where nothing is drawn."""
    return row_variance / batch_size if batch_size else None
