"""Random draws that make the data of a problem."""

from __future__ import annotations

import dataclasses
import operator

import numpy as np


def data_rng(seed: int) -> np.random.Generator:
    """The generator of a problem's data: a stream apart from the starts of the same seed."""
    return np.random.default_rng(np.random.SeedSequence(operator.index(seed), spawn_key=(1,)))


def orthonormal(rng: np.random.Generator, num_rows: int, num_columns: int) -> np.ndarray:
    """Orthonormal columns, uniform over the Stiefel manifold (Haar for a square).

    The signs of R's diagonal make the QR factorization unique, without which the law of Q depends
    on the routine.

    Source: Mezzadri (2007), "How to generate random matrices from the classical compact groups",
    Notices of the AMS 54, section 5.
    """
    q, r = np.linalg.qr(rng.standard_normal((num_rows, num_columns)))
    return q * np.sign(np.diag(r))


@dataclasses.dataclass(frozen=True)
class StartOrthonormal:
    """A start rule: orthonormal columns, uniform over the Stiefel manifold."""

    num_rows: int
    num_columns: int

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        return orthonormal(np.random.default_rng(seed), self.num_rows, self.num_columns)


@dataclasses.dataclass(frozen=True)
class StartOnSphere:
    """A start rule: a point drawn uniformly from the unit sphere."""

    dim: int

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        return orthonormal(np.random.default_rng(seed), self.dim, 1)[:, 0]
