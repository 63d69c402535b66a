"""Real data that theorems are compared on, as scikit-learn brings them."""

from __future__ import annotations

import functools

import numpy as np


@functools.lru_cache(maxsize=1)
def flowers() -> tuple[np.ndarray, np.ndarray]:
    """[150, 4] measures of irises, and [150] their species, 0 to 2."""
    from sklearn.datasets import load_iris

    features, species = map(np.asarray, load_iris(return_X_y=True))
    return features, species


@functools.lru_cache(maxsize=1)
def tumors() -> tuple[np.ndarray, np.ndarray]:
    """[569, 30] features of breast_cancer, and [569] benign +1, malignant -1."""
    from sklearn.datasets import load_breast_cancer

    features, labels = map(np.asarray, load_breast_cancer(return_X_y=True))
    return features, 2.0 * labels - 1


@functools.lru_cache(maxsize=1)
def patients() -> tuple[np.ndarray, np.ndarray]:
    """[442, 10] features of diabetes, and [442] the progression of the disease."""
    from sklearn.datasets import load_diabetes

    features, progression = map(np.asarray, load_diabetes(return_X_y=True))
    return features, progression


def standardized(columns: np.ndarray) -> np.ndarray:
    """Columns, or one, less their mean and over their standard deviation."""
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def with_ones(features: np.ndarray) -> np.ndarray:
    """Standardized features and a column of ones."""
    return np.hstack([standardized(features), np.ones((len(features), 1))])


@functools.lru_cache(maxsize=1)
def iris() -> tuple[np.ndarray, np.ndarray]:
    """[150, 5] four standardized features of irises and a column of ones; +1 for setosa, else -1.

    A plane separates the two.
    """
    features, species = flowers()
    return with_ones(features), np.where(species == 0, 1.0, -1.0)


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
    features, progression = patients()
    return standardized(features), standardized(progression)
