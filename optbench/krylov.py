"""Eigenvalues and solutions from a Krylov space: Lanczos with full reorthogonalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

Product = Callable[[jax.Array], jax.Array]  # v -> H v, for a symmetric H


class Krylov(NamedTuple):
    """H Q = Q T + r e_k^T, with orthonormal columns of Q and a tridiagonal T.

    Attributes:
        basis: [k, n] the columns of Q, as rows.
        tridiagonal: [k, k] T.
        residual: |r|; 0 where the space is invariant.
    """

    basis: jax.Array
    tridiagonal: jax.Array
    residual: jax.Array


def lanczos(product: Product, start: jax.Array, num_products: int) -> Krylov:
    """The Krylov space of a start vector, which is not 0.

    Where it is invariant before its time, T is continued by its first entry, a Rayleigh quotient
    that lies between the eigenvalues found, and the basis by zeros.

    Source: Golub and Van Loan (2013), "Matrix Computations", 4th edition, section 10.3.

    Args:
        product: v -> H v.
        start: [n].
        num_products: k, at most n.
    """
    eps = jnp.finfo(start.dtype).eps
    zeros = jnp.zeros(num_products, start.dtype)

    def extend(i: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        basis, diagonal, off_diagonal, vector, scale = carry
        alive = jnp.any(vector != 0)
        basis = basis.at[i].set(vector)
        ahead = product(vector)
        scale = jnp.maximum(scale, jnp.linalg.norm(ahead))
        diagonal = diagonal.at[i].set(jnp.where(alive, vector @ ahead, diagonal[0]))
        for _ in range(2):  # twice is enough
            ahead = ahead - basis.T @ (basis @ ahead)
        beta = jnp.linalg.norm(ahead)
        beta = jnp.where(beta > 10 * eps * scale, beta, 0)
        vector = jnp.where(beta > 0, ahead / jnp.where(beta > 0, beta, 1), 0)
        return basis, diagonal, off_diagonal.at[i].set(beta), vector, scale

    first = start / jnp.linalg.norm(start)
    basis = jnp.zeros((num_products, start.size), start.dtype)
    carry = (basis, zeros, zeros, first, jnp.zeros((), start.dtype))
    basis, diagonal, beside, _, _ = jax.lax.fori_loop(0, num_products, extend, carry)
    tridiagonal = jnp.diag(diagonal) + jnp.diag(beside[:-1], 1) + jnp.diag(beside[:-1], -1)
    return Krylov(basis, tridiagonal, beside[-1])


def top_eigenvalue(krylov: Krylov, tolerance: float) -> jax.Array:
    """The largest (not the largest absolute) eigenvalue of H.

    Args:
        krylov: of a start vector that is not orthogonal to its eigenvectors.
        tolerance: not a number where the residual of the Ritz pair is above this share of the
            largest absolute Ritz value.
    """
    finite = jnp.isfinite(krylov.tridiagonal).all()
    safe = jnp.where(finite, krylov.tridiagonal, 0.0)
    values, vectors = jnp.linalg.eigh(safe)
    residual = krylov.residual * jnp.abs(vectors[-1, -1])
    found = finite & (residual <= tolerance * jnp.max(jnp.abs(values)))
    return jnp.where(found, values[-1], jnp.nan)


def krylov_solution(krylov: Krylov, length: jax.Array, tolerance: float) -> jax.Array:
    """The solution of H x = b in the Krylov space of b, by the full orthogonalization method.

    It is the iterate of conjugate gradients where H is positive definite.

    Source: Saad (2003), "Iterative Methods for Sparse Linear Systems", 2nd edition, section 6.4.

    Args:
        krylov: of b.
        length: |b|.
        tolerance: not a number where |H x - b| is above this share of |b|.
    """
    right = jnp.zeros(len(krylov.tridiagonal), length.dtype).at[0].set(length)
    inside = jnp.linalg.solve(krylov.tridiagonal, right)
    solved = krylov.residual * jnp.abs(inside[-1]) <= tolerance * length
    return jnp.where(solved, inside @ krylov.basis, jnp.nan)


def dense_solution(matrix: jax.Array, right: jax.Array) -> jax.Array:
    """The solution of H x = b by elimination; not a number where H is singular to rounding."""
    factors, pivots = jax.scipy.linalg.lu_factor(matrix)
    diagonal = jnp.abs(jnp.diag(factors))
    regular = jnp.min(diagonal) > len(matrix) * jnp.finfo(matrix.dtype).eps * jnp.max(diagonal)
    return jnp.where(regular, jax.scipy.linalg.lu_solve((factors, pivots), right), jnp.nan)
