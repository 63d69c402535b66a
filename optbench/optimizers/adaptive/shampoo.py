"""Shampoo: one preconditioner per dimension of each parameter array."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params


def shampoo(learning_rate: Scalar = 0.1, epsilon: Scalar = 1e-4) -> Optimizer:
    """Shampoo: each array of gradients between the roots of its own second moments.

    For a matrix W with gradient G, L_0 = epsilon I and R_0 = epsilon I,

        L_t = L_{t-1} + G G^T,  R_t = R_{t-1} + G^T G,
        W_{t+1} = W_t - eta L_t^{-1/4} G R_t^{-1/4},

    eta = `learning_rate`, epsilon = `epsilon` > 0. For an array with k dimensions there is one
    matrix per dimension i, L^i_t = L^i_{t-1} + G_(i) G_(i)^T with G_(i) the unfolding of G whose
    rows are indexed by i, and its power -1/(2k) is applied along i. For a vector this is AdaGrad
    with the full matrix; a scalar is a vector with one entry. For complex arrays ^T is the
    conjugate transpose.

    Calls per step: none beyond the evaluation at the next point; a dimension of size m costs an
    eigendecomposition of an m x m matrix.
    Source: Gupta, Koren and Singer (2018), "Shampoo: preconditioned stochastic tensor
    optimization", ICML, algorithms 1 and 2.
    """

    def init(params: Params) -> State:
        def begin(leaf: jax.Array) -> tuple[jax.Array, ...]:
            sizes = jnp.shape(leaf) or (1,)
            return tuple((epsilon * jnp.eye(size)).astype(leaf.dtype) for size in sizes)

        return jax.tree.map(begin, params)

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        grads, structure = jax.tree.flatten(evaluation.grad)
        before = structure.flatten_up_to(state)
        after = [_accumulated(*pair) for pair in zip(grads, before, strict=True)]
        moves = [_preconditioned(*pair, epsilon) for pair in zip(grads, after, strict=True)]
        move, state = structure.unflatten(moves), structure.unflatten(after)
        return Step(trees.add_scaled(evaluation.params, -learning_rate, move), state)

    return Optimizer(init, step, by_array=True)


Moments = tuple[jax.Array, ...]  # of one array: L^1, ..., L^k


def _accumulated(grad: jax.Array, moments: Moments) -> Moments:
    """L^i + G_(i) G_(i)^T for every dimension i."""
    unfolded = (_unfold(jnp.atleast_1d(grad), axis) for axis in range(len(moments)))
    return tuple(m + rows @ rows.conj().T for m, rows in zip(moments, unfolded, strict=True))


def _preconditioned(grad: jax.Array, moments: Moments, epsilon: Scalar) -> jax.Array:
    """The gradient times (L^i)^{-1/(2k)} along every dimension i."""
    along = jnp.atleast_1d(grad)
    for axis, moment in enumerate(moments):
        sizes, basis = jnp.linalg.eigh(moment)
        powers = jnp.maximum(sizes, epsilon) ** (-1 / (2 * len(moments)))  # L^i >= epsilon I
        root = basis @ (powers[:, None] * basis.conj().T)
        along = jnp.moveaxis(jnp.tensordot(root, along, (1, axis)), 0, axis)
    return along.reshape(grad.shape)


def _unfold(array: jax.Array, axis: int) -> jax.Array:
    """The array as a matrix whose rows are indexed by this dimension."""
    return jnp.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
