"""Data sets: rows of features with a target each, real ones from inside scikit-learn's wheel."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from problems.draws import data_rng, orthonormal


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """A data set, made once and shared: its arrays are read-only, and it hashes by identity.

    Attributes:
        features: [n, d] float64.
        targets: [n] or [n, number of classes or of outputs] float64.
    """

    features: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        """Make the shared arrays read-only."""
        self.features.setflags(write=False)
        self.targets.setflags(write=False)


def _standardized(columns: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and variance 1."""
    return (columns - columns.mean(axis=0)) / columns.std(axis=0)


def _with_intercept(features: np.ndarray) -> np.ndarray:
    return np.hstack([features, np.ones((len(features), 1))])


@functools.cache
def breast_cancer() -> Samples:
    """569 tumors, 30 standardized features and a column of ones; benign +1, malignant -1."""
    from sklearn.datasets import load_breast_cancer

    features, labels = map(np.asarray, load_breast_cancer(return_X_y=True))
    return Samples(_with_intercept(_standardized(features)), 2.0 * labels - 1)


@functools.cache
def iris() -> Samples:
    """150 flowers, 4 standardized features and a column of ones; 3 species, one-hot."""
    from sklearn.datasets import load_iris

    features, labels = map(np.asarray, load_iris(return_X_y=True))
    return Samples(_with_intercept(_standardized(features)), np.eye(3)[labels])


@functools.cache
def wine() -> Samples:
    """178 wines, 13 standardized features and a column of ones; 3 cultivars, one-hot."""
    from sklearn.datasets import load_wine

    features, labels = map(np.asarray, load_wine(return_X_y=True))
    return Samples(_with_intercept(_standardized(features)), np.eye(3)[labels])


@functools.cache
def digits() -> Samples:
    """1797 images of 8 x 8 pixels in [0, 1] and a column of ones; 10 digits, one-hot."""
    from sklearn.datasets import load_digits

    features, labels = map(np.asarray, load_digits(return_X_y=True))
    return Samples(_with_intercept(features / 16), np.eye(10)[labels])


@functools.cache
def diabetes() -> Samples:
    """442 patients, 10 features; features and target standardized, so no intercept is needed."""
    from sklearn.datasets import load_diabetes

    features, targets = map(np.asarray, load_diabetes(return_X_y=True))
    return Samples(_standardized(features), _standardized(targets))


@functools.lru_cache(maxsize=8)
def two_classes(num_samples: int, dim: int, condition_number: float, seed: int) -> Samples:
    """Features with the exact second moments asked for, and labels +-1 of a noisy linear rule.

    X^T X / n has eigenvalues log-spaced from 4 down to 4 / condition_number in a random basis.
    P(label = 1) = 1 / (1 + exp(-x.w)) for a random w that gives the logits x.w a root mean square
    of 2: about one label in five contradicts sign(x.w).
    """
    rng = data_rng(seed)
    scales = np.sqrt(num_samples * np.geomspace(4.0, 4.0 / condition_number, dim))
    left, right = orthonormal(rng, num_samples, dim), orthonormal(rng, dim, dim)
    features = left * scales @ right.T
    logits = features @ rng.standard_normal(dim)
    logits *= 2 / np.sqrt(np.mean(logits**2))
    labels = np.where(rng.random(num_samples) < 1 / (1 + np.exp(-logits)), 1.0, -1.0)
    return Samples(features, labels)


class Planted(NamedTuple):
    """A data set with the weights that made it.

    Attributes:
        data: features and targets.
        weights: [d] or [d, number of outputs].
    """

    data: Samples
    weights: np.ndarray


@functools.lru_cache(maxsize=8)
def linear_targets(
    num_samples: int,
    dim: int,
    num_targets: int,
    *,
    condition_number: float,
    noise: float,
    seed: int,
) -> Planted:
    """Targets X W + E with errors E orthogonal to the columns of X: W is the least-squares fit.

    X^T X / n has eigenvalues log-spaced from 1 down to 1 / condition_number in a random basis; the
    errors of each target have a root mean square of exactly `noise`.
    """
    rng = data_rng(seed)
    basis = orthonormal(rng, num_samples, dim + num_targets) * np.sqrt(num_samples)
    scales = np.sqrt(np.geomspace(1.0, 1.0 / condition_number, dim))
    features = basis[:, :dim] * scales @ orthonormal(rng, dim, dim).T
    weights = rng.standard_normal((dim, num_targets))
    return Planted(Samples(features, features @ weights + noise * basis[:, dim:]), weights)


@functools.lru_cache(maxsize=8)
def counts(num_samples: int, dim: int, seed: int) -> Samples:
    """Standard normal features, and counts of rates exp(x.w), x.w of root mean square 1."""
    rng = data_rng(seed)
    features = rng.standard_normal((num_samples, dim))
    logits = features @ rng.standard_normal(dim)
    logits /= np.sqrt(np.mean(logits**2))
    return Samples(features, rng.poisson(np.exp(logits)).astype(float))


@functools.lru_cache(maxsize=8)
def contaminated(num_samples: int, dim: int, outliers: float, seed: int) -> Samples:
    """Targets x.w + standard normal noise; a share of them, the outliers, is 20 too high."""
    rng = data_rng(seed)
    features = rng.standard_normal((num_samples, dim))
    targets = features @ rng.standard_normal(dim) + rng.standard_normal(num_samples)
    targets[: round(outliers * num_samples)] += 20.0
    return Samples(features, targets)
