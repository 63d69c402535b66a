"""Minima without a closed form: solved to rounding in NumPy, with a bound on what is left."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.optimize

from optbench.errors import OptbenchError
from problems.samples import Samples

NumpyFunction = Callable[[np.ndarray], np.ndarray]


class CertifiedMinimum(NamedTuple):
    """A minimum with its certificate.

    Attributes:
        value: f at the minimizer found.
        minimizer: [n] the point.
        suboptimality_bound: |grad f|^2 / (2 mu) there, no less than f - f*.
    """

    value: float
    minimizer: np.ndarray
    suboptimality_bound: float


def certified_minimum(
    value: Callable[[np.ndarray], float],
    gradient: NumpyFunction,
    hessian: NumpyFunction,
    *,
    start: np.ndarray,
    strong_convexity: float,
) -> CertifiedMinimum:
    """The minimum of a strongly convex function, to rounding.

    A trust-region Newton method comes close; full Newton steps then square the error until
    rounding stops them. f - f* <= |grad f|^2 / (2 mu) certifies the result (Nesterov 2018,
    "Lectures on Convex Optimization", theorem 2.1.10).

    Raises:
        OptbenchError: the bound stays above one unit in the last place of f.
    """
    minimizer = scipy.optimize.minimize(
        value, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-8}
    ).x
    for _ in range(3):
        minimizer = minimizer - np.linalg.solve(hessian(minimizer), gradient(minimizer))
    minimum = float(value(minimizer))
    bound = float(np.sum(gradient(minimizer) ** 2) / (2 * strong_convexity))
    if not bound <= np.spacing(abs(minimum)):
        raise OptbenchError(
            f"the minimum is known only to within {bound:.1e}", "choose a larger l2 (1e-3, say)"
        )
    return CertifiedMinimum(minimum, minimizer, bound)


@functools.lru_cache(maxsize=16)
def logistic_minimum(data: Samples, l2: float) -> CertifiedMinimum:
    """The minimum of mean_i log(1 + exp(-y_i x_i.w)) + l2 |w|^2 / 2."""
    features, labels = data.features, data.targets
    num_samples, dim = features.shape

    def value(weights: np.ndarray) -> float:
        losses = np.logaddexp(0, -labels * (features @ weights))
        return losses.mean() + l2 / 2 * weights @ weights

    def slopes(weights: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(labels * (features @ weights)))

    def gradient(weights: np.ndarray) -> np.ndarray:
        return -(labels * slopes(weights)) @ features / num_samples + l2 * weights

    def hessian(weights: np.ndarray) -> np.ndarray:
        slope = slopes(weights)
        curvature = features.T * (slope * (1 - slope)) @ features / num_samples
        return curvature + l2 * np.eye(dim)

    return certified_minimum(value, gradient, hessian, start=np.zeros(dim), strong_convexity=l2)


@functools.lru_cache(maxsize=16)
def softmax_minimum(data: Samples, l2: float) -> CertifiedMinimum:
    """The minimum of -mean_i log softmax(x_i W)[y_i] + l2 |W|^2 / 2, with W flattened."""
    features, one_hot = data.features, data.targets
    (num_samples, dim), num_classes = features.shape, one_hot.shape[1]

    def log_probabilities(flat: np.ndarray) -> np.ndarray:
        logits = features @ flat.reshape(dim, num_classes)
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def value(flat: np.ndarray) -> float:
        return -np.sum(one_hot * log_probabilities(flat)) / num_samples + l2 / 2 * flat @ flat

    def gradient(flat: np.ndarray) -> np.ndarray:
        errors = np.exp(log_probabilities(flat)) - one_hot
        return (features.T @ errors / num_samples).ravel() + l2 * flat

    def hessian(flat: np.ndarray) -> np.ndarray:
        probabilities = np.exp(log_probabilities(flat))
        products = (features[:, :, None] * probabilities[:, None, :]).reshape(num_samples, -1)
        blocks = (-products.T @ products).reshape(dim, num_classes, dim, num_classes)
        for label in range(num_classes):
            blocks[:, label, :, label] += features.T * probabilities[:, label] @ features
        return blocks.reshape(flat.size, flat.size) / num_samples + l2 * np.eye(flat.size)

    start = np.zeros(dim * num_classes)
    return certified_minimum(value, gradient, hessian, start=start, strong_convexity=l2)
