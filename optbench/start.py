"""Start rules: seed -> x_0, in NumPy, equal for equal seeds."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from optbench.problem import Params


@dataclasses.dataclass(frozen=True, eq=False)
class StartNear:
    """Seed 0 starts at `center`; every other seed at center + scale * standard normal draws."""

    center: Params
    scale: float = 0.1

    def __call__(self, seed: int) -> Params:
        """The start of this seed."""
        center = jax.tree.map(_inexact, self.center)
        if seed == 0:
            return center
        rng = np.random.default_rng(seed)
        return jax.tree.map(lambda x: x + self.scale * _normal(rng, x), center)


def _normal(rng: np.random.Generator, like: np.ndarray) -> np.ndarray:
    """Standard normal draws, of both parts where the leaf is complex."""
    drawn = rng.standard_normal(like.shape)
    return drawn + 1j * rng.standard_normal(like.shape) if np.iscomplexobj(like) else drawn


def _inexact(leaf: Any) -> np.ndarray:
    """The leaf as float64 or complex128."""
    return np.asarray(leaf, dtype=np.result_type(np.asarray(leaf).dtype, np.float64))


@dataclasses.dataclass(frozen=True, eq=False)
class StartNormal:
    """Every seed starts at scale * standard normal draws of this shape."""

    shape: tuple[int, ...]
    scale: float = 1.0

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        return self.scale * np.random.default_rng(seed).standard_normal(self.shape)


def start_near(center: Params, scale: float = 0.1) -> StartNear:
    """A start rule: the published start for seed 0, its neighborhood for the others."""
    return StartNear(center, scale)


def standard_normal(shape: tuple[int, ...], scale: float = 1.0) -> StartNormal:
    """A start rule: independent normal draws."""
    return StartNormal(shape, scale)
