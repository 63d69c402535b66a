"""Arithmetic on pytrees of arrays."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Tree = Any


def dot(a: Tree, b: Tree) -> jax.Array:
    """The real inner product sum_i Re(conj(a_i) b_i) over all leaves."""
    products = jax.tree.map(lambda x, y: jnp.sum(jnp.real(jnp.conj(x) * y)), a, b)
    return functools.reduce(jnp.add, jax.tree.leaves(products))


def norm(a: Tree) -> jax.Array:
    """The Euclidean norm over all leaves."""
    return jnp.sqrt(dot(a, a))


def add_scaled(a: Tree, scale: Any, b: Tree) -> Tree:
    """Leafwise a + scale * b."""
    return jax.tree.map(lambda x, y: x + scale * y, a, b)


def scale(factor: Any, a: Tree) -> Tree:
    """Leafwise factor * a."""
    return jax.tree.map(lambda x: factor * x, a)


def where(condition: Any, a: Tree, b: Tree) -> Tree:
    """Leafwise choice by one scalar condition."""
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


def size(a: Tree) -> int:
    """Number of scalars in all leaves."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(a))


def cast(tree: Tree, dtype: str) -> Tree:
    """NumPy leaves with floats (and the parts of complex numbers) in the given precision."""
    complex_dtype = np.result_type(dtype, np.complex64)

    def cast_leaf(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        if np.issubdtype(leaf.dtype, np.complexfloating):
            return leaf.astype(complex_dtype)
        return leaf.astype(dtype) if np.issubdtype(leaf.dtype, np.floating) else leaf

    return jax.tree.map(cast_leaf, tree)


def flat(tree: Tree) -> np.ndarray:
    """All leaves of a NumPy tree in one vector."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)])
