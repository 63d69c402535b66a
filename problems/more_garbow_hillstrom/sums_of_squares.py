"""What all these problems are: f(x) = sum_i f_i(x)^2, built from a function that gives the f_i."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from optbench.errors import OptbenchError

Terms = Callable[..., Any]  # (x, *data) -> the f_i, as an array or a tuple of arrays and scalars


@dataclasses.dataclass(frozen=True)
class Residuals:
    """sqrt(2) (f_1, ..., f_m), so that f is half the square of their norm."""

    terms: Terms

    def __call__(self, params: Any, *data: Any) -> Any:
        """The residuals at params."""
        found = self.terms(params, *data)
        parts = found if isinstance(found, tuple) else (found,)
        return math.sqrt(2) * jnp.concatenate([jnp.atleast_1d(part) for part in parts])


@dataclasses.dataclass(frozen=True)
class SumOfSquares:
    """sum_i f_i(x)^2."""

    terms: Terms

    def __call__(self, params: Any, *data: Any) -> Any:
        """The sum at params."""
        found = self.terms(params, *data)
        parts = found if isinstance(found, tuple) else (found,)
        return jnp.sum(jnp.stack([jnp.sum(part**2) for part in parts]))


def require_count(what: str, count: int, least: int, most: int | None = None) -> None:
    """Refuse a count that is out of range.

    Raises:
        OptbenchError: it is below `least` or above `most`.
    """
    if count < least or (most is not None and count > most):
        span = f"{what} >= {least}" if most is None else f"{least} <= {what} <= {most}"
        raise OptbenchError(f"{what} is {count}", f"give {span}")


def require_multiple(dim: int, block: int) -> None:
    """Refuse a dimension that does not fall into blocks.

    Raises:
        OptbenchError: it is no positive multiple of the block.
    """
    if dim < block or dim % block:
        raise OptbenchError(
            f"dim is {dim}, no positive multiple of {block}", f"give dim={block}, {2 * block}, ..."
        )
