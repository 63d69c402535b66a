"""A run of known length as a function that can be differentiated in reverse."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench.checks.plain_loop import Values
from optbench.method import Method
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params, Problem


class Unrolled(NamedTuple):
    """A run, step by step, as a trajectory names its parts.

    Attributes:
        value: [K + 1] f at the reported points, from x_0 on.
        gradient_norm: [K + 1] |grad f| there.
        params: pytree of [K + 1, ...] the points.
    """

    value: jax.Array
    gradient_norm: jax.Array
    params: Params


def unroll(
    method: Method, values: Values, problem: Problem, start: Params, num_steps: int
) -> Unrolled:
    """Run a method for a number of steps, in a trace.

    Args:
        method: without formulas.
        values: its hyperparameters.
        problem: may hold tracers.
        start: x_0.
        num_steps: K.
    """
    numbers = {name: jnp.asarray(value) for name, value in values.items()}
    optimizer, key = method.build(numbers), jax.random.key(0)

    def ask(index: Any) -> Oracle:
        return Oracle(problem, jax.random.fold_in(key, index), index / num_steps)

    def reported(seen: Evaluation, state: Any) -> tuple[Any, Any, Any]:
        if optimizer.eval_params is not None:
            seen = ask(0).value_and_grad(optimizer.eval_params(seen.params, state))
        squares = [jnp.sum(jnp.abs(leaf) ** 2) for leaf in jax.tree.leaves(seen.grad)]
        return seen.value, jnp.sqrt(sum(squares) + jnp.finfo(seen.value.dtype).tiny), seen.params

    def tick(carry: tuple[Evaluation, Any], index: Any) -> tuple[tuple[Evaluation, Any], Any]:
        seen, state = carry
        step = optimizer.step(seen, state, ask(index))
        following = step.evaluation
        if following is None:
            following = ask(index + 1).value_and_grad(step.params)
        return (following, step.state), reported(following, step.state)

    first = ask(0).value_and_grad(start)
    state = optimizer.begin(start, problem)
    _, path = jax.lax.scan(tick, (first, state), jnp.arange(num_steps))
    told = reported(first, state)
    return Unrolled(
        *jax.tree.map(lambda x, xs: jnp.concatenate([jnp.asarray(x)[None], xs]), told, path)
    )
