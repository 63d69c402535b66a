"""Arithmetic on pytrees of arrays."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

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


class Layout(NamedTuple):
    """How real coordinates make a tree; complex numbers take two each.

    Attributes:
        structure: the tree.
        leaves: (shape, whether complex) per leaf.
    """

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], bool], ...]


def layout_of(tree: Tree) -> Layout:
    """The layout of a tree."""
    leaves, structure = jax.tree.flatten(tree)
    return Layout(structure, tuple((np.shape(leaf), np.iscomplexobj(leaf)) for leaf in leaves))


def coordinates(tree: Tree, xp: Any = jnp) -> Any:
    """A tree as one vector of real coordinates.

    Args:
        tree: of arrays.
        xp: jax.numpy, or numpy, which keeps float64 outside of a trace.
    """
    parts = [
        xp.stack([leaf.real, leaf.imag], axis=-1) if np.iscomplexobj(leaf) else leaf
        for leaf in jax.tree.leaves(tree)
    ]
    return xp.concatenate([xp.reshape(part, -1) for part in parts])


def unpack(layout: Layout, flat: Any) -> Tree:
    """The tree of these coordinates."""
    leaves, end = [], 0
    for shape, is_complex in layout.leaves:
        begin, end = end, end + math.prod(shape) * (1 + is_complex)
        part = flat[begin:end]
        if is_complex:
            part = part[0::2] + 1j * part[1::2]
        leaves.append(part.reshape(shape))
    return jax.tree.unflatten(layout.structure, leaves)
