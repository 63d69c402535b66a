"""Linear regression: least squares, with and without a penalty."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.linear_models import linear_outputs
from problems.samples import Samples
from problems.spectra import quadratic_constants


def _squares_output_loss(outputs: Any, features: Any, targets: Any, l2: Any) -> Any:
    predictions, weights = outputs
    mean_square = jnp.sum((predictions - targets) ** 2) / targets.shape[0]
    return mean_square / 2 + l2 / 2 * jnp.sum(weights**2)


def _squares(weights: Any, *data: Any) -> Any:
    return _squares_output_loss(linear_outputs(weights, *data), *data)


def _residuals(weights: Any, features: Any, targets: Any, l2: Any) -> Any:
    errors = (features @ weights - targets) / jnp.sqrt(targets.shape[0])
    return jnp.concatenate([errors, jnp.sqrt(l2) * weights])


def _require_shape(num_samples: int, dim: int, num_targets: int, condition_number: float) -> None:
    few = dim < 1 or num_targets < 1 or num_samples < dim + num_targets
    if few or not 1 <= condition_number < np.inf:
        raise OptbenchError(
            f"no data with {num_samples} samples, {dim} features, {num_targets} targets and "
            f"condition {condition_number}",
            "give dim, targets >= 1, num_samples >= dim + targets and condition_number >= 1",
        )


def _least_squares(data: Samples, l2: float, minimizer: Any, **passport: Any) -> Problem:
    """A quadratic with its spectrum; x* is the least-squares solution where none is given."""
    (num_samples, dim), targets = data.features.shape, data.targets
    rows = np.vstack([data.features / np.sqrt(num_samples), np.sqrt(l2) * np.eye(dim)])
    zeros = np.zeros((dim, *targets.shape[1:]))
    goals = np.concatenate([targets / np.sqrt(num_samples), zeros])
    minimizer = np.linalg.lstsq(rows, goals)[0] if minimizer is None else minimizer
    eigenvalues = np.linalg.svd(rows, compute_uv=False) ** 2
    return Problem(
        objective=_squares,
        data=(data.features, targets, np.float64(l2)),
        start=start_near(zeros),
        minimum=float(np.sum((rows @ minimizer - goals) ** 2) / 2),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=quadratic_constants(eigenvalues[0], eigenvalues[-1]),
        residuals=_residuals,
        outputs=linear_outputs,
        output_loss=_squares_output_loss,
        row_arrays=2,
        **passport,
    )


def least_squares(
    num_samples: int = 200,
    dim: int = 20,
    condition_number: float = 100.0,
    noise: float = 0.1,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """Least squares on synthetic data of chosen conditioning, with a planted solution.

    f(w) = |X w - y|^2 / (2 n), where X^T X / n has eigenvalues log-spaced in
    [1 / condition_number, 1] and y = X w* + e, with w* standard normal and errors e orthogonal to
    the columns of X.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal. x* = w*, as it
    is planted, and f* = noise^2 / 2. With noise = 0 all rows agree (interpolation).
    Constants: L = 1 and mu = 1 / condition_number, the extreme eigenvalues; M = 0.

    Source: Bottou, Curtis & Nocedal (2018), "Optimization methods for large-scale machine
    learning", SIAM Review 60(2).

    Args:
        num_samples: n, above `dim`.
        dim: number of features.
        condition_number: of X^T X.
        noise: root mean square of the errors, at least 0.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, a condition number below 1, or negative noise.
    """
    _require_shape(num_samples, dim, 1, condition_number)
    if not 0 <= noise < np.inf:
        raise OptbenchError(f"noise is {noise}", "give noise >= 0")
    data, weights = samples.linear_targets(
        num_samples, dim, 1, condition_number=condition_number, noise=noise, seed=seed
    )
    problem = _least_squares(
        Samples(data.features, data.targets[:, 0]),
        0.0,
        weights[:, 0],
        name="least_squares",
        source="Bottou, Curtis & Nocedal (2018), SIAM Review 60(2)",
    )
    return minibatches(problem, batch_size)


def least_squares_diabetes(l2: float = 0.0, batch_size: int | None = None) -> Problem:
    """Least squares of disease progression in 442 diabetes patients.

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
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: the penalty is negative.
    """
    if not 0 <= l2 < np.inf:
        raise OptbenchError(f"l2 is {l2}", "give l2 >= 0")
    problem = _least_squares(
        samples.diabetes(),
        l2,
        None,
        name="least_squares_diabetes",
        source="Efron et al. (2004), Annals of Statistics 32(2), table 1",
    )
    return minibatches(problem, batch_size)


def ridge_diabetes(l2: float = 0.1, batch_size: int | None = None) -> Problem:
    """Ridge regression of disease progression in 442 diabetes patients.

    f(w) = |X w - y|^2 / (2 n) + l2 |w|^2 / 2, on the standardized data of `least_squares_diabetes`.

    Dimension: 10. Start: 0, where f is 1/2; other seeds move it by 0.1 times a standard normal.
    x* = (X^T X / n + l2)^-1 X^T y / n, f*: its value.
    Constants: L and mu are the extreme eigenvalues of X^T X / n + l2, both attained (condition
    number 38 for l2 = 0.1, where without a penalty it is 470); M = 0.

    Source: Hoerl & Kennard (1970), "Ridge regression: biased estimation for nonorthogonal
    problems", Technometrics 12(1), pages 55-67.

    Args:
        l2: penalty, positive.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty.
    """
    if not 0 < l2 < np.inf:
        raise OptbenchError(f"l2 is {l2}", "give l2 > 0; least_squares_diabetes has none")
    problem = _least_squares(
        samples.diabetes(),
        l2,
        None,
        name="ridge_diabetes",
        source="Hoerl & Kennard (1970), Technometrics 12(1), pages 55-67",
    )
    return minibatches(problem, batch_size)


def matrix_regression(
    num_samples: int = 100,
    dim: int = 8,
    num_targets: int = 5,
    condition_number: float = 100.0,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """Least squares with several targets, over a matrix: f(W) = |X W - Y|_F^2 / (2 n).

    X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1]; Y = X W* + E with errors of
    root mean square 0.1, orthogonal to the columns of X.

    Dimension: `dim` x `num_targets`, params a matrix. Start: 0; other seeds move it by 0.1 times a
    standard normal. x* = W*, planted; f* = 0.005 times the number of targets.
    Constants: L = 1 and mu = 1 / condition_number, as the Hessian is X^T X / n once per target;
    M = 0.

    Source: Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section
    3.2.4.

    Args:
        num_samples: n, at least `dim` + `num_targets`.
        dim: number of features.
        num_targets: columns of W.
        condition_number: of X^T X.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, or a condition number below 1.
    """
    _require_shape(num_samples, dim, num_targets, condition_number)
    data, weights = samples.linear_targets(
        num_samples, dim, num_targets, condition_number=condition_number, noise=0.1, seed=seed
    )
    problem = _least_squares(
        data,
        0.0,
        weights,
        name="matrix_regression",
        source="Hastie, Tibshirani & Friedman (2009), section 3.2.4",
    )
    return minibatches(problem, batch_size)
