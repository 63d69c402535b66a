"""Linear regression."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem, start_near
from problems import samples


def _outputs(weights: Any, features: Any, targets: Any, l2: Any) -> Any:
    """The predictions, and the weights for the penalty."""
    return features @ weights, weights


def _output_loss(outputs: Any, features: Any, targets: Any, l2: Any) -> Any:
    predictions, weights = outputs
    return jnp.mean((predictions - targets) ** 2) / 2 + l2 / 2 * jnp.sum(weights**2)


def _loss(weights: Any, features: Any, targets: Any, l2: Any) -> Any:
    return _output_loss(_outputs(weights, features, targets, l2), features, targets, l2)


def _residuals(weights: Any, features: Any, targets: Any, l2: Any) -> Any:
    errors = (features @ weights - targets) / jnp.sqrt(targets.shape[0])
    return jnp.concatenate([errors, jnp.sqrt(l2) * weights])


def least_squares_diabetes(l2: float = 0.0) -> Problem:
    """Least squares (ridge with l2 > 0) of disease progression in 442 diabetes patients.

    f(w) = |X w - y|^2 / (2 n) + l2 |w|^2 / 2, with the 10 features and y standardized to mean 0 and
    variance 1, so that no intercept is needed.

    Dimension: 10. Start: 0, where f is 1/2; other seeds move it by 0.1 times a standard normal.
    x*: the least-squares solution, f*: its value.
    Constants: L and mu are the extreme eigenvalues of X^T X / n + l2, both attained (condition
    number 470 for l2 = 0); M = 0.
    The outputs are means of a Gaussian of unit variance, so the Fisher matrix is the Hessian.

    >>> round(least_squares_diabetes().known_minimum, 6)
    0.241126

    Source: Efron, Hastie, Johnstone & Tibshirani (2004), "Least angle regression", Annals of
    Statistics 32(2), page 407, table 1.

    Args:
        l2: penalty, at least 0.

    Raises:
        OptbenchError: the penalty is negative.
    """
    if not l2 >= 0:
        raise OptbenchError(f"l2 is {l2}", "give l2 >= 0")
    data = samples.diabetes()
    num_samples, dim = data.features.shape
    rows = np.vstack([data.features / np.sqrt(num_samples), np.sqrt(l2) * np.eye(dim)])
    targets = np.concatenate([data.targets / np.sqrt(num_samples), np.zeros(dim)])
    minimizer = np.linalg.lstsq(rows, targets)[0]
    eigenvalues = np.linalg.svd(rows, compute_uv=False) ** 2
    return Problem(
        objective=_loss,
        data=(data.features, data.targets, np.float64(l2)),
        start=start_near(np.zeros(dim)),
        minimum=float(np.sum((rows @ minimizer - targets) ** 2) / 2),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(eigenvalues[0]),
            strong_convexity=float(eigenvalues[-1]),
            hessian_lipschitz=0.0,
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        residuals=_residuals,
        outputs=_outputs,
        output_loss=_output_loss,
        name="least_squares_diabetes",
        source="Efron et al. (2004), Annals of Statistics 32(2), table 1",
    )
