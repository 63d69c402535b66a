"""A matrix over the real coordinates of the params, from its products."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.problem import Params


def columns(product: Callable[[Params], Params], params: Params) -> jax.Array:
    """[n, n] the products with the unit vectors, one after the other, as rows.

    For a symmetric matrix, that matrix. n counts complex numbers twice.
    """

    def column(unit: jax.Array) -> jax.Array:
        return trees.coordinates(product(trees.unpack(trees.layout_of(params), unit)))

    return jax.lax.map(column, _units(params))


def diagonal(product: Callable[[Params], Params], params: Params) -> jax.Array:
    """[n] the diagonal, from the product with every unit vector; no matrix is formed."""

    def entry(unit: jax.Array) -> jax.Array:
        return unit @ trees.coordinates(product(trees.unpack(trees.layout_of(params), unit)))

    return jax.lax.map(entry, _units(params))


def _units(params: Params) -> jax.Array:
    flat = trees.coordinates(params)
    return jnp.eye(flat.size, dtype=flat.dtype)
