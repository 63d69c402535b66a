"""Dense layers of a network that is written as (params, dense, *data) -> outputs.

The network computes each of them with `dense(inputs, weights, biases)`, so that whoever hands it
`dense` sees all layers, and may shift what they give. `affine` is the plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax


class Layer(NamedTuple):
    """One call of `dense`.

    Attributes:
        inputs: [n, fan_in], one row per row of data.
        weights: [fan_in, fan_out].
        biases: [fan_out], or None.
    """

    inputs: jax.Array
    weights: jax.Array
    biases: jax.Array | None


def affine(inputs: Any, weights: Any, biases: Any = None) -> Any:
    """[n, fan_in] -> [n, fan_out]: x W + b."""
    product = inputs @ weights
    return product if biases is None else product + biases[None, :]


def recorded(
    network: Callable[..., Any],
    params: Any,
    data: tuple[Any, ...],
    shifts: Mapping[int, Any] | None = None,
) -> tuple[Any, tuple[Layer, ...]]:
    """What a network makes of the data, and its layers, in the order in which it computes them.

    Args:
        network: (params, dense, *data) -> outputs.
        params: of the network.
        data: of the network.
        shifts: number of a layer -> [fan_out], added to what it gives in each row.
    """
    layers: list[Layer] = []

    def dense(inputs: Any, weights: Any, biases: Any = None) -> Any:
        shift = (shifts or {}).get(len(layers))
        layers.append(Layer(inputs, weights, biases))
        given = affine(inputs, weights, biases)
        return given if shift is None else given + shift[None, :]

    return network(params, dense, *data), tuple(layers)
