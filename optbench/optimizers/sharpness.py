"""Wrappers that look for flat minima."""

from __future__ import annotations

import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.gradient_descent import gradient_descent
from optbench.optimizers.wrapping import refusing
from optbench.oracle import Evaluation, Oracle


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

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        length = trees.norm(evaluation.grad)
        reach = jnp.where(length > 0, rho / jnp.where(length > 0, length, 1.0), 0.0)
        uphill = trees.add_scaled(evaluation.params, reach, evaluation.grad)
        seen = oracle.value_and_grad(uphill)._replace(params=evaluation.params)
        taken = optimizer.step(seen, state, refusing("sam", optimizer, oracle))
        asked = taken.calls.value_and_gradients + 1
        return taken._replace(calls=taken.calls._replace(value_and_gradients=asked))

    return optimizer._replace(step=step)
