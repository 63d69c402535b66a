"""Wrappers that look for flat minima."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.wrappers.wrapping import refusing
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params

# The default of `optimizer` is a factory: whoever builds a wrapper builds what it wraps first.


def sam(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    rho: Scalar = 0.05,
) -> Optimizer:
    """Sharpness-aware minimization: hand `optimizer` value and gradient from uphill.

    Both are those at x_k + `rho` g / |g| with g = grad f(x_k), from the same sample, as if they
    were those at x_k; at x_k itself where g = 0. Optimizers that ask the objective themselves are
    refused.

    Calls per step: those of `optimizer`, and one value and gradient.
    Source: Foret, Kleiner, Mobahi and Neyshabur (2021), "Sharpness-aware minimization for
    efficiently improving generalization", ICLR, algorithm 1; optax.contrib.sam.
    """
    return _uphill("sam", optimizer, lambda params, grad: _of_length(rho, grad))


def adaptive_sam(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    rho: Scalar = 0.5,
    offset: Scalar = 0.01,
) -> Optimizer:
    """`sam` with a reach in proportion to each entry of the params.

    Value and gradient are those at x_k + `rho` t^2 g / |t g|, elementwise, with t = |x_k| + o,
    o = `offset`, and g = grad f(x_k): what does not change where entries are rescaled, but for o.

    Calls per step: those of `optimizer`, and one value and gradient.
    Source: Kwon, Kim, Park and Choi (2021), "ASAM: adaptive sharpness-aware minimization for
    scale-invariant learning of deep neural networks", ICML, algorithm 1.
    """

    def stretch(x: jax.Array, v: jax.Array) -> jax.Array:
        return (jnp.abs(x) + offset) * v

    def climb(params: Params, grad: Params) -> Params:
        stretched = jax.tree.map(stretch, params, grad)
        return jax.tree.map(stretch, params, _of_length(rho, stretched))

    return _uphill("adaptive_sam", optimizer, climb)._replace(by_origin=True)


def _of_length(rho: Scalar, tree: Params) -> Params:
    """The tree scaled to this length; zero stays zero."""
    length = trees.norm(tree)
    return trees.scale(jnp.where(length > 0, rho / jnp.where(length > 0, length, 1.0), 0.0), tree)


def _uphill(
    name: str, optimizer: Optimizer, climb: Callable[[Params, Params], Params]
) -> Optimizer:
    """Hand an optimizer the evaluation at params + climb(params, grad) as if it were at params."""

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        uphill = trees.add_scaled(params, 1, climb(params, grad))
        seen = oracle.value_and_grad(uphill)._replace(params=params)
        taken = optimizer.step(seen, state, refusing(name, optimizer, oracle))
        asked = taken.calls.value_and_gradients + 1
        return taken._replace(calls=taken.calls._replace(value_and_gradients=asked))

    return optimizer._replace(step=step, stability=None)
