"""Gaussians with independent coordinates nearest to posteriors, found in NumPy."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from problems.certificates import CertifiedMinimum, certified_minimum
from problems.samples import Samples

REACH, SPACING = 8.4, 0.3  # of the nodes of the quadrature, in standard deviations


class GaussianPosterior(NamedTuple):
    """The posterior of a linear regression, and the nearest Gaussian of independent coordinates.

    Attributes:
        curvature: [d, d] inverse covariance A of the posterior.
        mean: [d] of both.
        scale: [d] standard deviations of the nearest Gaussian.
        bound: its negative evidence lower bound, per sample.
    """

    curvature: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    bound: float


def gaussian_posterior(
    features: np.ndarray, targets: np.ndarray, variance: float, precision: float
) -> GaussianPosterior:
    """For noise of this variance and the prior N(0, I / precision)."""
    num_samples, dim = features.shape
    curvature = features.T @ features / variance + precision * np.eye(dim)
    pull = features.T @ targets / variance
    mean, diagonal = np.linalg.solve(curvature, pull), np.diag(curvature)
    fixed = targets @ targets / variance + num_samples * np.log(2 * np.pi * variance)
    fixed -= dim * np.log(precision)
    bound = float(fixed - pull @ mean + np.sum(np.log(diagonal))) / (2 * num_samples)
    return GaussianPosterior(curvature, mean, diagonal**-0.5, bound)


@functools.cache
def quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the trapezoidal rule for expectations under the standard normal.

    For log(1 + exp(s t)) it errs by about exp(-2 pi^2 / (0.3 s)), as the nearest pole of its
    derivative is pi / s off the axis: 1e-14 for s = 2, 1e-6 for s = 5.

    Source: Trefethen & Weideman (2014), "The exponentially convergent trapezoidal rule", SIAM
    Review 56(3), pages 385-458.
    """
    nodes = np.arange(-REACH, REACH + SPACING / 2, SPACING)
    densities = np.exp(-(nodes**2) / 2)
    return nodes, densities / np.sum(densities)


@dataclasses.dataclass(frozen=True, eq=False)
class LogisticBound:
    """The negative evidence lower bound of a logistic regression, in d means and then d scales.

    Attributes:
        data: features and labels +-1.
        precision: of the prior.
    """

    data: Samples
    precision: float

    def _spreads(self, flat: np.ndarray) -> tuple[np.ndarray, ...]:
        """Margins [n, q], spreads [n], and [n, d] the slope of a spread in each scale."""
        features, (nodes, _) = self.data.features, quadrature()
        mean, scale = np.split(flat, 2)
        spread = np.sqrt(features**2 @ scale**2)
        logits = (features @ mean)[:, None] + spread[:, None] * nodes
        margins = self.data.targets[:, None] * logits
        return margins, spread, features**2 * scale / spread[:, None]

    def value(self, flat: np.ndarray) -> float:
        """The bound per sample; infinite for a scale that is none."""
        _, scale = np.split(flat, 2)
        if np.any(scale <= 0):
            return np.inf
        margins, _, _ = self._spreads(flat)
        fit = np.mean(np.logaddexp(0, -margins) @ quadrature()[1])
        divergence = self.precision * flat @ flat - scale.size * (1 + np.log(self.precision))
        return float(fit + (divergence / 2 - np.sum(np.log(scale))) / len(margins))

    def gradient(self, flat: np.ndarray) -> np.ndarray:
        """[2 d]."""
        margins, _, turns = self._spreads(flat)
        (nodes, weights), (mean, scale) = quadrature(), np.split(flat, 2)
        slopes = -self.data.targets[:, None] * expit(-margins)
        by_mean = slopes @ weights @ self.data.features
        by_scale = slopes @ (weights * nodes) @ turns
        entropy = np.concatenate([0 * mean, -1 / scale])
        return (np.concatenate([by_mean, by_scale]) + self.precision * flat + entropy) / len(
            margins
        )

    def hessian(self, flat: np.ndarray) -> np.ndarray:
        """[2 d, 2 d]."""
        margins, spread, turns = self._spreads(flat)
        (nodes, weights), (mean, scale) = quadrature(), np.split(flat, 2)
        features, bends = self.data.features, expit(margins) * expit(-margins) * weights
        pull = -self.data.targets[:, None] * expit(-margins) @ (weights * nodes) / spread
        cross = features.T * (bends @ nodes) @ turns
        by_scale = turns.T * (bends @ nodes**2 - pull) @ turns + np.diag(pull @ features**2)
        by_mean = features.T * np.sum(bends, axis=1) @ features
        penalty = np.concatenate([0 * mean, scale**-2.0]) + self.precision
        fit = np.block([[by_mean, cross], [cross.T, by_scale]])
        return (fit + np.diag(penalty)) / len(margins)


@functools.lru_cache(maxsize=8)
def logistic_posterior(data: Samples, precision: float) -> CertifiedMinimum:
    """The Gaussian nearest to the posterior of a logistic regression: means, and then scales."""
    bound, (num_samples, dim) = LogisticBound(data, precision), data.features.shape
    return certified_minimum(
        bound.value,
        bound.gradient,
        bound.hessian,
        start=np.repeat([0.0, 1.0], dim),
        strong_convexity=precision / num_samples,
    )
