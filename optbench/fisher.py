"""Fisher matrices: products with the whole, and Kronecker factors layer by layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench.layers import Layer, recorded
from optbench.problem import Params


def fisher_product(
    outputs_of: Callable[[Params], Any], output_loss: Callable[[Any], Any], params: Params
) -> Callable[[Params], Params]:
    """v -> J^T (hess output_loss) J v, with J the Jacobian of the outputs at params."""
    outputs, jacobian = jax.linearize(outputs_of, params)
    transpose = jax.linear_transpose(jacobian, params)
    curvature = jax.linearize(jax.grad(output_loss), outputs)[1]

    def product(v: Params) -> Params:
        return jax.tree.map(jnp.conj, transpose(curvature(jacobian(v)))[0])

    return product


class Factors(NamedTuple):
    """A and G of one layer: A V G is the product of its block with a matrix V.

    Attributes:
        inputs: A, the mean of a a^T over rows, with a the layer's inputs and a 1 for the biases.
        outputs: G, [fan_out, fan_out], the Fisher matrix of a shift of all that the layer gives.
    """

    inputs: jax.Array
    outputs: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class KroneckerFisher:
    """The Fisher matrix layer by layer, each diagonal block as a Kronecker product.

    Attributes:
        factors: per layer.
        split: pytree like the params -> a matrix per layer: its weights, and a last row for its
            biases where it has them.
        join: the inverse of `split`.
    """

    factors: tuple[Factors, ...]
    split: Callable[[Params], tuple[jax.Array, ...]]
    join: Callable[[tuple[jax.Array, ...]], Params]

    @property
    def num_products(self) -> int:
        """What it takes, in Fisher products: one per column of each G but the last, and one more.

        That one stands for the forward pass, with all A, and for the last G, for which nothing
        needs to pass through the network.
        """
        return 1 + sum(len(factors.outputs) for factors in self.factors[:-1])


def kronecker_fisher(
    network: Callable[..., Any],
    output_loss: Callable[..., Any],
    params: Params,
    data: tuple[Any, ...],
) -> KroneckerFisher:
    """The factors of each layer: A from one forward pass, G from a Fisher product per column.

    The expectation over the model's outputs is exact, as in `fisher_product`: it is not sampled,
    and is not that over the observed targets. The blocks are exact where all that comes after a
    layer is linear and the loss has one Hessian for all rows.

    Args:
        network: (params, dense, *data) -> outputs; each row of these depends on the same row of
            the layers' inputs only.
        output_loss: (outputs, *data) -> scalar.
        params: where.
        data: of both.
    """

    def matrices(p: Params) -> tuple[jax.Array, ...]:
        return tuple(map(_matrix, recorded(network, p, data)[1]))

    def loss(outputs: Any) -> Any:
        return output_loss(outputs, *data)

    def output_factor(index: int, layer: Layer) -> jax.Array:
        def shifted(shift: jax.Array) -> Any:
            return recorded(network, params, data, {index: shift})[0]

        columns = jnp.eye(layer.weights.shape[1], dtype=layer.weights.dtype)
        return jax.lax.map(fisher_product(shifted, loss, jnp.zeros_like(columns[0])), columns)

    layers = recorded(network, params, data)[1]
    split = jax.linearize(matrices, params)[1]
    transpose = jax.linear_transpose(split, params)
    factors = tuple(
        Factors(_input_factor(layer), output_factor(index, layer))
        for index, layer in enumerate(layers)
    )
    return KroneckerFisher(factors, split, lambda parts: transpose(parts)[0])


def _matrix(layer: Layer) -> jax.Array:
    """[fan_in (+ 1), fan_out]: the weights, above the biases."""
    if layer.biases is None:
        return layer.weights
    return jnp.concatenate([layer.weights, layer.biases[None, :]])


def _input_factor(layer: Layer) -> jax.Array:
    inputs = jnp.asarray(layer.inputs)
    if layer.biases is not None:
        inputs = jnp.concatenate([inputs, jnp.ones_like(inputs[:, :1])], axis=1)
    return inputs.T @ inputs / len(inputs)
