"""The boxes in which test functions are started, and outside of which a few have lower values."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Box:
    """low <= x <= high. Called as `Problem.prox`, it projects, whatever the step."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __call__(self, params: Any, step: Any, *data: Any) -> Any:
        """The nearest point of the box."""
        low, high = (jnp.asarray(bound, params.dtype) for bound in (self.low, self.high))
        return jnp.clip(params, low, high)

    @property
    def region(self) -> tuple[tuple[float, float], ...] | None:
        """(low, high) per coordinate where there are two, as `Problem.region`."""
        return tuple(zip(self.low, self.high, strict=True)) if len(self.low) == 2 else None


@dataclasses.dataclass(frozen=True)
class StartInside:
    """Seed 0 starts at `center`; every other seed uniformly in a box."""

    center: tuple[float, ...]
    box: Box

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        if seed == 0:
            return np.array(self.center)
        return np.random.default_rng(seed).uniform(self.box.low, self.box.high)


def cube(low: float, high: float, dim: int = 2) -> Box:
    """The box with the same bounds in every coordinate."""
    return Box((low,) * dim, (high,) * dim)


def alternating(even: float, odd: float, dim: int) -> tuple[float, ...]:
    """(even, odd, even, odd, ...)."""
    return tuple(np.where(np.arange(dim) % 2 == 0, even, odd).tolist())
