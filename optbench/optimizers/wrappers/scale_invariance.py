"""Wrappers for losses that do not depend on the length of weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.wrappers.wrapping import refusing
from optbench.oracle import Evaluation, Oracle


def orthogonal_gradient(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
) -> Optimizer:
    """Hand `optimizer` the gradient without its part along the weights, array by array.

    That is g - <x, g> / <x, x> x for each array x of the params and g of the gradient; g itself
    where x = 0. Gradient descent then makes no array shorter, and stops where g is along x: at
    minimizers on the spheres, which are minimizers where the loss does not depend on |x|.
    Optimizers that ask the objective themselves are refused.

    Calls per step: those of `optimizer`.
    Source: Prieto, Barsbey, Mediano and Birdal (2025), "Grokking at the edge of numerical
    stability", ICLR, on orthogonal gradients, without rescaling them.
    """

    def across(x: jax.Array, g: jax.Array) -> jax.Array:
        square = trees.dot(x, x)
        along = jnp.where(square > 0, trees.dot(x, g) / jnp.where(square > 0, square, 1.0), 0.0)
        return g - along * x

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        grad = jax.tree.map(across, evaluation.params, evaluation.grad)
        asked = refusing("orthogonal_gradient", optimizer, oracle)
        return optimizer.step(evaluation._replace(grad=grad), state, asked)

    return optimizer._replace(step=step, by_array=True, by_origin=True, stability=None)
