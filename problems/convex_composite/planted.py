"""Least squares with a planted solution: data on which a chosen gradient meets a chosen point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants
from problems import samples
from problems.spectra import quadratic_constants


class Planted(NamedTuple):
    """Least squares whose gradient at a point is known.

    Attributes:
        features: [n, d] X, where X^T X / n has eigenvalues log-spaced in [1 / kappa, 1].
        targets: [n] y.
        value: |X w - y|^2 / (2 n) at the point.
        constants: L = 1 and mu = 1 / kappa, attained, and M = 0.
    """

    features: np.ndarray
    targets: np.ndarray
    value: float
    constants: Constants


def design(num_samples: int, dim: int, condition_number: float, seed: int) -> np.ndarray:
    """[n, d] features X, where X^T X / n has eigenvalues log-spaced in [1 / condition_number, 1].

    Raises:
        OptbenchError: no more samples than features, or a condition number below 1.
    """
    if not 2 <= dim < num_samples or not 1 <= condition_number < np.inf:
        raise OptbenchError(
            f"no data with {num_samples} samples, {dim} features and condition {condition_number}",
            "give 2 <= dim < num_samples and condition_number >= 1",
        )
    planted = samples.linear_targets(
        num_samples, dim, 1, condition_number=condition_number, noise=0.0, seed=seed
    )
    return planted.data.features


def planted(features: np.ndarray, minimizer: np.ndarray, gradient: np.ndarray) -> Planted:
    """Targets for which X^T (X w - y) / n is the gradient asked for at the minimizer.

    Args:
        features: [n, d] X, of full column rank.
        minimizer: [d] w.
        gradient: [d] what an optimality condition asks for there.
    """
    num_samples = len(features)
    misses = np.linalg.lstsq(features.T, num_samples * gradient)[0]
    eigenvalues = np.linalg.svd(features, compute_uv=False) ** 2 / num_samples
    constants = quadratic_constants(eigenvalues[0], eigenvalues[-1])
    value = float(misses @ misses / (2 * num_samples))
    return Planted(features, features @ minimizer - misses, value, constants)
