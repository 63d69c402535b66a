"""The smallest eigenvalue of a Hessian: what tells a minimizer from a saddle."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.problem import Params, Problem

DENSE_DIM = 128  # up to here all eigenvalues are computed, beyond it Lanczos finds the smallest


def smallest_eigenvalues(problem: Problem, points: Params) -> np.ndarray:
    """The smallest Hessian eigenvalue of the whole objective at each point.

    Args:
        problem: its data in the precision of the points.
        points: pytree of [N, ...].

    Returns:
        [N] eigenvalues, 0 where rounding cannot tell them from it; NaN where the Hessian is not
        finite or Lanczos does not converge.
    """
    exact = jax.tree.map(np.asarray, problem.data)
    starts = [jax.tree.map(lambda leaf, i=i: leaf[i], points) for i in range(_count(points))]
    dim = sum(trees.coordinates(start).size for start in starts[:1])
    find = _dense if dim <= DENSE_DIM else _lanczos
    return np.array([find(problem.objective, exact, start) for start in starts])


def _count(points: Params) -> int:
    return len(jax.tree.leaves(points)[0])


@functools.partial(jax.jit, static_argnums=0)
def _product(objective: Any, data: tuple[Any, ...], point: Params, vector: jax.Array) -> jax.Array:
    layout = trees.layout_of(point)

    def value(flat: jax.Array) -> jax.Array:
        return objective(trees.unpack(layout, flat), *data)

    return jax.jvp(jax.grad(value), (trees.coordinates(point),), (vector,))[1]


@functools.partial(jax.jit, static_argnums=0)
def dense_hessian(objective: Any, data: tuple[Any, ...], point: Params) -> jax.Array:
    """[d, d] the Hessian of an objective at a point, in real coordinates."""
    flat = trees.coordinates(point)
    basis = jnp.eye(flat.size, dtype=flat.dtype)
    return jax.vmap(lambda vector: _product(objective, data, point, vector))(basis)


def _dense(objective: Any, data: tuple[Any, ...], point: Params) -> float:
    hessian = np.asarray(dense_hessian(objective, data, point))
    if not np.isfinite(hessian).all():
        return float("nan")
    eigenvalues = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    return _above_rounding(eigenvalues[0], np.abs(eigenvalues).max(), len(hessian))


def _above_rounding(smallest: Any, largest: Any, dim: int) -> float:
    """The smallest eigenvalue, or 0 where it lies below dim x eps x the largest one."""
    floor = dim * np.finfo(largest.dtype).eps * largest
    return float(smallest) if abs(smallest) > floor else 0.0


def _lanczos(objective: Any, data: tuple[Any, ...], point: Params) -> float:
    from scipy.sparse import linalg

    flat = np.asarray(trees.coordinates(point))

    def product(vector: np.ndarray) -> np.ndarray:
        return np.asarray(_product(objective, data, point, vector.astype(flat.dtype)))

    operator: Any = linalg.LinearOperator
    find: Any = linalg.eigsh
    hessian = operator((flat.size, flat.size), matvec=product, dtype=flat.dtype)
    start = np.random.default_rng(0).standard_normal(flat.size)
    settings: dict[str, Any] = {"k": 1, "v0": start, "return_eigenvectors": False}
    try:
        smallest = find(hessian, which="SA", tol=1e-6, **settings)
        largest = find(hessian, which="LM", tol=1e-2, **settings)
    except (linalg.ArpackError, ValueError):
        return float("nan")
    return _above_rounding(smallest[0], np.abs(largest[0]), flat.size)
