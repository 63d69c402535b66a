"""Wrappers that hand an optimizer a clipped gradient."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optbench import trees
from optbench.errors import OptbenchError
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.gradient_descent import gradient_descent
from optbench.oracle import Evaluation, Oracle, RefusingOracle
from optbench.problem import Params

# The default of `optimizer` is a factory: whoever builds a wrapper builds what it wraps first.


def clip_by_global_norm(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    max_norm: Scalar = 1.0,
) -> Optimizer:
    """Hand `optimizer` the gradient g min(1, c / |g|), c = `max_norm`: its direction is kept.

    Reports the fraction of steps clipped so far, and the cosine between clipped and unclipped
    gradient (here 1). Optimizers that ask the objective themselves are refused.

    Calls per step: those of `optimizer`.
    Source: Pascanu, Mikolov and Bengio (2013), algorithm 1; optax.clip_by_global_norm.
    """
    return _clipped(optimizer, optax.clip_by_global_norm(max_norm))


def clip_by_value(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    max_delta: Scalar = 1.0,
) -> Optimizer:
    """Hand `optimizer` the gradient with each entry cut to [-c, c], c = `max_delta`.

    This turns the gradient: the cosine between clipped and unclipped gradient is reported, with
    the fraction of steps clipped so far. Optimizers that ask the objective themselves are refused.

    Calls per step: those of `optimizer`.
    Source: Goodfellow, Bengio and Courville (2016), section 10.11.1; optax.clip.
    """
    return _clipped(optimizer, optax.clip(max_delta))


class _State(NamedTuple):
    inner: State
    num_steps: jax.Array
    num_clipped: jax.Array
    cosine: jax.Array


def _clipped(optimizer: Optimizer, clip: optax.GradientTransformation) -> Optimizer:
    refusal = OptbenchError(
        "gradient clipping cannot wrap an optimizer that asks the objective itself",
        "its values would disagree with the clipped gradient: wrap a first-order optimizer",
    )

    def init(params: Params) -> State:
        unknown = jnp.full_like(trees.norm(params), jnp.nan)
        return _State(optimizer.init(params), jnp.int32(0), jnp.int32(0), unknown)

    def step(evaluation: Evaluation, state: _State, oracle: Oracle) -> Step:
        grad = evaluation.grad
        clipped, _ = clip.update(grad, clip.init(evaluation.params))
        changed = jax.tree.map(lambda a, b: jnp.any(a != b), grad, clipped)
        is_clipped = jnp.any(jnp.stack(jax.tree.leaves(changed)))
        refusing = RefusingOracle(refusal, oracle.progress)
        taken = optimizer.step(evaluation._replace(grad=clipped), state.inner, refusing)
        state = _State(
            taken.state,
            state.num_steps + 1,
            state.num_clipped + is_clipped.astype(jnp.int32),
            trees.dot(grad, clipped) / (trees.norm(grad) * trees.norm(clipped)),
        )
        return taken._replace(state=state)

    def report(state: _State) -> dict[str, jax.Array]:
        own = {
            "clipped_fraction": state.num_clipped.astype(state.cosine.dtype) / state.num_steps,
            "clipping_cosine": state.cosine,
        }
        inner = {} if optimizer.report is None else optimizer.report(state.inner)
        return {f"inner_{name}" if name in own else name: v for name, v in inner.items()} | own

    reported = optimizer.eval_params
    eval_params = None if reported is None else lambda p, state: reported(p, state.inner)
    frozen = optimizer.stability
    stability = None if frozen is None else lambda state, share: frozen(state.inner, share)
    return optimizer._replace(
        init=init, step=step, eval_params=eval_params, report=report, stability=stability
    )
