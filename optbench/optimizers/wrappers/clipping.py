"""Wrappers that hand an optimizer a clipped gradient, or skip the step.

Those that clip report the fraction of steps clipped so far, and the cosine between the step that
was taken and the one that `optimizer` would have taken from the same state with the gradient as it
was: 1 where nothing was clipped, unknown where no step was taken. They refuse optimizers that ask
the objective themselves. Norms are roots of sums of squares: where these overflow (|g| above 1e19
in float32) the clipped gradient is 0.

Calls per step: those of `optimizer`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.wrappers.wrapping import around, refusing
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params

# The default of `optimizer` is a factory: whoever builds a wrapper builds what it wraps first.


def clip_by_global_norm(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    max_norm: Scalar = 1.0,
) -> Optimizer:
    """Hand `optimizer` the gradient g min(1, c / |g|), c = `max_norm`: its direction is kept.

    Source: Pascanu, Mikolov and Bengio (2013), algorithm 1; optax.clip_by_global_norm.
    """
    return _clipped("clip_by_global_norm", optimizer, optax.clip_by_global_norm(max_norm))


def clip_by_value(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    max_delta: Scalar = 1.0,
) -> Optimizer:
    """Hand `optimizer` the gradient with each entry cut to [-c, c], c = `max_delta`: this turns it.

    Of complex entries both parts are cut.

    Source: Goodfellow, Bengio and Courville (2016), section 10.11.1; optax.clip.
    """
    clip = optax.contrib.split_real_and_imaginary(optax.clip(max_delta))
    return _clipped("clip_by_value", optimizer, clip)


def clip_by_block_rms(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    max_rms: Scalar = 1.0,
) -> Optimizer:
    """Hand `optimizer` each array g of the gradient as g min(1, c / rms(g)), c = `max_rms`.

    rms(g) is the root of the mean of |g_i|^2 over the entries of that array.

    Source: Shazeer and Stern (2018), "Adafactor", section 6, on updates; optax.clip_by_block_rms.
    """
    clip = optax.clip_by_block_rms(max_rms)
    return _clipped("clip_by_block_rms", optimizer, clip)._replace(by_array=True)


def clip_unitwise(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    max_norm: Scalar = 1.0,
) -> Optimizer:
    """Hand `optimizer` each unit u of the gradient as u min(1, c / |u|), c = `max_norm`.

    A unit is what feeds one output: a column of a matrix [inputs, outputs], a filter of a
    convolution [height, width, inputs, outputs], the whole of what has at most one axis longer than
    1. Of three axes, it runs along the first: so has it optax.adaptive_grad_clip.

    Source: Brock, De, Smith and Simonyan (2021), "High-performance large-scale image recognition
    without normalization", section 4, for units; optax.transforms.unitwise_clip.
    """

    def clip_leaf(leaf: jax.Array) -> jax.Array:
        norm = optax.transforms.unitwise_norm(leaf)
        return optax.transforms.unitwise_clip(norm, jnp.full_like(norm, max_norm), leaf)

    clip = optax.stateless(lambda grad, params: jax.tree.map(clip_leaf, grad))
    return _clipped("clip_unitwise", optimizer, clip)._replace(by_array=True)


def adaptive_clip(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    clipping: Scalar = 0.01,
    eps: Scalar = 1e-3,
) -> Optimizer:
    """Hand `optimizer` each unit u of the gradient as u min(1, c max(|x|, eps) / |u|).

    c = `clipping`, x is the same unit of the params; units are those of `clip_unitwise`.

    Source: Brock, De, Smith and Simonyan (2021), "High-performance large-scale image recognition
    without normalization", equation 3; optax.adaptive_grad_clip.
    """
    clip = optax.adaptive_grad_clip(clipping, eps)
    clipped = _clipped("adaptive_clip", optimizer, clip)
    return clipped._replace(by_array=True, by_origin=True)


def skip_if_norm_exceeds(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    max_norm: Scalar = 100.0,
) -> Optimizer:
    """No step where |g| > c or is not a number, c = `max_norm`: point and state stay as they are.

    Where every step sees the same objective, that is for good. The gradient is not changed, so that
    any optimizer can be wrapped. Reports the fraction of steps skipped so far; a skipped step has
    no angle.

    Calls per step: those of `optimizer`, also where its step is dropped.
    Source: Chowdhery et al. (2022), "PaLM: scaling language modeling with pathways", section 5.1,
    on skipped batches; optax.skip_large_updates.
    """

    def init(params: Params) -> State:
        return _Skipped(optimizer.init(params), jnp.int32(0), jnp.int32(0))

    def step(evaluation: Evaluation, state: _Skipped, oracle: Oracle) -> Step:
        is_small = trees.norm(evaluation.grad) <= max_norm
        taken = optimizer.step(evaluation, state.inner, oracle)
        kept = Step(evaluation.params, state.inner, taken.calls, taken.evaluation and evaluation)
        params, inner, _, seen = trees.where(is_small, taken, kept)
        skipped = state.num_skipped + jnp.where(is_small, 0, 1)
        return Step(params, _Skipped(inner, state.num_steps + 1, skipped), taken.calls, seen)

    def report(state: _Skipped) -> dict[str, jax.Array]:
        return {"skipped_fraction": state.num_skipped / state.num_steps}

    frozen = optimizer.stability  # where nothing is clipped
    stability = None if frozen is None else lambda state, share: frozen(state.inner, share)
    return around(optimizer, init, step, report)._replace(stability=stability)


class _Skipped(NamedTuple):
    inner: State
    num_steps: jax.Array
    num_skipped: jax.Array


class _Clipped(NamedTuple):
    inner: State
    num_steps: jax.Array
    num_clipped: jax.Array
    cosine: jax.Array


def _clipped(name: str, optimizer: Optimizer, clip: optax.GradientTransformation) -> Optimizer:
    def init(params: Params) -> State:
        unknown = jnp.full_like(trees.norm(params), jnp.nan)
        return _Clipped(optimizer.init(params), jnp.int32(0), jnp.int32(0), unknown)

    def step(evaluation: Evaluation, state: _Clipped, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        clipped, _ = clip.update(grad, clip.init(params), params)
        changed = jax.tree.map(lambda a, b: jnp.any(a != b), grad, clipped)
        is_clipped = jnp.any(jnp.stack(jax.tree.leaves(changed)))
        asked = refusing(name, optimizer, oracle)
        taken = optimizer.step(evaluation._replace(grad=clipped), state.inner, asked)
        unclipped = optimizer.step(evaluation, state.inner, asked)
        state = _Clipped(
            taken.state,
            state.num_steps + 1,
            state.num_clipped + is_clipped.astype(jnp.int32),
            _cosine(*(trees.add_scaled(s.params, -1, params) for s in (taken, unclipped))),
        )
        return taken._replace(state=state)

    def report(state: _Clipped) -> dict[str, jax.Array]:
        return {
            "clipped_fraction": state.num_clipped.astype(state.cosine.dtype) / state.num_steps,
            "clipping_cosine": state.cosine,
        }

    frozen = optimizer.stability  # where nothing is clipped
    stability = None if frozen is None else lambda state, share: frozen(state.inner, share)
    return around(optimizer, init, step, report)._replace(stability=stability)


def _cosine(a: Params, b: Params) -> jax.Array:
    """The cosine between two trees; NaN where one is zero."""
    return trees.dot(a, b) / (trees.norm(a) * trees.norm(b))
