"""Other ways of running the same steps: a bare vmapped loop, and a Python loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from speed.cases import LANES, NUM_LANES, RATES

from optbench.problem import Problem


def bare_loop(problem: Problem, num_steps: int, block: int) -> Callable[[], None]:
    """A vmapped loop of Adam steps that evaluates f and its gradient, and keeps their sum."""
    starts = np.stack([problem.start(seed) for seed in LANES.seeds])
    starts, rates = np.repeat(starts, len(RATES), axis=0), np.tile(RATES, len(starts))

    def step(params, moments, rate, count):
        state: Any = (optax.ScaleByAdamState(count, *moments), optax.EmptyState())
        value, grad = jax.value_and_grad(problem.objective)(params, *problem.data)
        updates, state = optax.adam(rate).update(grad, state)
        return optax.apply_updates(params, updates), (state[0].mu, state[0].nu), value + grad.sum()

    @jax.jit
    def loop(params, rates):
        def body(count, carry):
            params, moments, total = carry
            mapped = jax.vmap(step, (0, 0, 0, None))
            params, moments, kept = mapped(params, moments, rates, count)
            return params, moments, total + kept

        zeros = jnp.zeros_like(params)
        start = (params, (zeros, zeros), jnp.zeros(len(rates)))
        return jax.lax.fori_loop(jnp.int32(0), jnp.int32(num_steps), body, start)

    def run() -> None:
        for first in range(0, NUM_LANES, block):
            part = slice(first, first + block)
            jax.block_until_ready(loop(starts[part], rates[part]))

    return run


def python_loop(problem: Problem, num_steps: int) -> Callable[[], None]:
    """A Python loop of jitted optax steps of one lane."""
    adam = optax.adam(0.01)

    @jax.jit
    def step(params, state):
        value, grad = jax.value_and_grad(problem.objective)(params, *problem.data)
        updates, state = adam.update(grad, state)
        return optax.apply_updates(params, updates), state, value

    def run() -> None:
        params = jnp.asarray(problem.start(0))
        state = adam.init(params)
        for _ in range(num_steps):
            params, state, _ = step(params, state)
        jax.block_until_ready(params)

    return run
