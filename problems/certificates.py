"""Minima without a closed form: solved to rounding in NumPy, with a bound on what is left."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from optbench.errors import OptbenchError
from problems.newton import NumpyFunction, newton_point
from problems.samples import Samples


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

    Newton's method with backtracking comes close; full Newton steps then square the error until
    rounding stops them. f - f* <= |grad f|^2 / (2 mu) certifies the result (Nesterov 2018,
    "Lectures on Convex Optimization", theorem 2.1.10).

    Raises:
        OptbenchError: the bound stays above one unit in the last place of f.
    """
    minimizer = _damped_newton(value, gradient, hessian, start)
    minimizer = newton_point(gradient, hessian, minimizer, num_steps=2)
    minimum = float(value(minimizer))
    bound = float(np.sum(gradient(minimizer) ** 2) / (2 * strong_convexity))
    if not bound <= np.spacing(abs(minimum)):
        raise OptbenchError(
            f"the minimum is known only to within {bound:.1e}", "choose a larger l2 (1e-3, say)"
        )
    return CertifiedMinimum(minimum, minimizer, bound)


def _damped_newton(
    value: Callable[[np.ndarray], float],
    gradient: NumpyFunction,
    hessian: NumpyFunction,
    point: np.ndarray,
) -> np.ndarray:
    """Newton steps, halved until f falls enough, while they promise more than 1e-8 of f."""
    height = value(point)
    for _ in range(100):
        slopes = gradient(point)
        step = -np.linalg.solve(hessian(point), slopes)
        promised = -slopes @ step
        if not promised > 1e-8 * abs(height):
            break
        size = 1.0
        with np.errstate(over="ignore"):  # too long a step may leave what floats can hold
            while not value(point + size * step) <= height - size * promised / 4:
                size /= 2
        point = point + size * step
        height = value(point)
    return point


RowLoss = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def logistic_rows(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """log(1 + exp(-y z)), its slope and its curvature in z."""
    wrong = expit(-labels * logits)
    return np.logaddexp(0, -labels * logits), -labels * wrong, wrong * (1 - wrong)


def poisson_rows(logits: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """exp(z) - y z, its slope and its curvature in z."""
    rates = np.exp(logits)
    return rates - counts * logits, rates - counts, rates


def squared_hinge_rows(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """max(0, 1 - y z)^2 / 2, its slope and its curvature in z."""
    short = np.maximum(0, 1 - labels * logits)
    return short**2 / 2, -labels * short, (short > 0).astype(float)


@dataclasses.dataclass(frozen=True)
class SmoothedHingeRows:
    """The hinge max(0, 1 - y z), rounded off by a parabola over a width before the kink."""

    width: float

    def __call__(self, logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
        """The loss, its slope and its curvature in z."""
        share = np.clip((1 - labels * logits) / self.width, 0, 1)
        loss = share * (1 - labels * logits) - self.width * share**2 / 2
        return loss, -labels * share, ((share > 0) & (share < 1)) / self.width


@dataclasses.dataclass(frozen=True)
class HuberRows:
    """Huber's loss of the error z - y: a parabola, and linear beyond a threshold."""

    threshold: float

    def __call__(self, predictions: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, ...]:
        """The loss, its slope and its curvature in z."""
        slopes = np.clip(predictions - targets, -self.threshold, self.threshold)
        loss = slopes * (predictions - targets) - slopes**2 / 2
        return loss, slopes, (np.abs(slopes) < self.threshold).astype(float)


@functools.lru_cache(maxsize=16)
def linear_minimum(row_loss: RowLoss, data: Samples, l2: float) -> CertifiedMinimum:
    """The minimum of mean_i loss(x_i.w, y_i) + l2 |w|^2 / 2, for a convex loss."""
    features, targets = data.features, data.targets
    num_samples, dim = features.shape

    def value(weights: np.ndarray) -> float:
        losses, _, _ = row_loss(features @ weights, targets)
        return float(np.mean(losses) + l2 / 2 * weights @ weights)

    def gradient(weights: np.ndarray) -> np.ndarray:
        _, slopes, _ = row_loss(features @ weights, targets)
        return slopes @ features / num_samples + l2 * weights

    def hessian(weights: np.ndarray) -> np.ndarray:
        _, _, curvatures = row_loss(features @ weights, targets)
        return features.T * curvatures @ features / num_samples + l2 * np.eye(dim)

    return certified_minimum(value, gradient, hessian, start=np.zeros(dim), strong_convexity=l2)


def logistic_minimum(data: Samples, l2: float) -> CertifiedMinimum:
    """The minimum of mean_i log(1 + exp(-y_i x_i.w)) + l2 |w|^2 / 2."""
    return linear_minimum(logistic_rows, data, l2)


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
        blocks = -(products.T @ products).reshape(dim, num_classes, dim, num_classes)
        for label in range(num_classes):
            blocks[:, label, :, label] += features.T * probabilities[:, label] @ features
        return blocks.reshape(flat.size, flat.size) / num_samples + l2 * np.eye(flat.size)

    start = np.zeros(dim * num_classes)
    return certified_minimum(value, gradient, hessian, start=start, strong_convexity=l2)
