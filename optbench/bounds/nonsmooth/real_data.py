"""Real data that theorems are compared on: irises and patients, as scikit-learn brings them."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np


@functools.lru_cache(maxsize=1)
def iris() -> tuple[np.ndarray, np.ndarray]:
    """[150, 5] four standardized features of irises and a column of ones; +1 for setosa, else -1.

    A plane separates the two.
    """
    from sklearn.datasets import load_iris

    features, species = load_iris(return_X_y=True)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    return np.hstack([features, np.ones((len(features), 1))]), np.where(species == 0, 1.0, -1.0)


@functools.lru_cache(maxsize=1)
def squares_of_irises() -> tuple[np.ndarray, np.ndarray]:
    """Five rows A and targets b such that |A x - b|^2 is the mean squared residual of `iris`.

    Up to a constant, which an orthogonal transformation of all rows takes off.
    """
    features, labels = iris()
    basis, rows = np.linalg.qr(features / np.sqrt(len(labels)))
    return rows, basis.T @ labels / np.sqrt(len(labels))


@functools.lru_cache(maxsize=1)
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    """[442, 10] standardized features of patients, and the progression of their diabetes."""
    from sklearn.datasets import load_diabetes

    patients: Any = load_diabetes()
    features, progression = patients.data, patients.target
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    return features, (progression - progression.mean()) / progression.std()
