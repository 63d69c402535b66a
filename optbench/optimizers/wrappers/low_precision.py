"""Wrappers that show what low precision does: to the state of a method, or to gradients.

Evaluations come in the precision of the run. What a low precision would have made of a gradient is
modelled by rounding it to the nearest number of that precision (from float64 by way of float32,
which may break a tie the wrong way); errors that would have arisen inside the evaluation are not
seen. The precision is `dtype`: float16 (11 bits, nothing below 6e-8 or above 65504), bfloat16 (8
bits, the range of float32) or float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.errors import OptbenchError, require_count
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.wrappers.wrapping import around, refusing
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params

_DTYPES = "float16", "bfloat16", "float32"

# The default of `optimizer` is a factory: whoever builds a wrapper builds what it wraps first.


def low_precision_state(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    dtype: str = "bfloat16",
) -> Optimizer:
    """The state of `optimizer`, kept in `dtype` between steps; the point keeps its precision.

    Every real array of the state is rounded after a step and widened before the next. An average
    that moves by less than half a unit in its last place stands still.

    Calls per step: those of `optimizer`.
    Source: Dettmers, Lewis, Shleifer and Zettlemoyer (2022), "8-bit optimizers via block-wise
    quantization", ICLR, section 1, on states of low precision; optax.adam with mu_dtype.
    """
    low, seen_at = _known(dtype), optimizer.eval_params

    def narrow(state: State) -> State:
        return jax.tree.map(lambda leaf: leaf.astype(low) if _is_real(leaf) else leaf, state)

    def widen(state: State, params: Params) -> State:
        full = jax.eval_shape(optimizer.init, params)
        return jax.tree.map(lambda x, like: x.astype(like.dtype) if _is_real(x) else x, state, full)

    def init(params: Params) -> State:
        return _Narrow(narrow(optimizer.init(params)))

    def step(evaluation: Evaluation, state: _Narrow, oracle: Oracle) -> Step:
        taken = optimizer.step(evaluation, widen(state.inner, evaluation.params), oracle)
        return taken._replace(state=_Narrow(narrow(taken.state)))

    wrapper = around(optimizer, init, step)
    if seen_at is None:
        return wrapper
    return wrapper._replace(eval_params=lambda p, state: seen_at(p, widen(state.inner, p)))


class _Narrow(NamedTuple):
    inner: State


def scale_loss(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    scale: Scalar = 1024.0,
    dtype: str = "float16",
) -> Optimizer:
    """Hand `optimizer` the gradient as it comes out in `dtype` where the loss is scaled.

    That is round(s g) / s with s = `scale`: what is below the smallest number of `dtype` turns
    zero, what is above the largest infinite. Reports the fraction of entries that were not zero and
    turned zero in the last step. Optimizers that ask the objective themselves are refused.

    Calls per step: those of `optimizer`.
    Source: Micikevicius et al. (2018), "Mixed precision training", ICLR, section 3.2.
    """
    low = _known(dtype)

    def init(params: Params) -> State:
        return _Scaled(optimizer.init(params), jnp.full_like(trees.norm(params), jnp.nan))

    def step(evaluation: Evaluation, state: _Scaled, oracle: Oracle) -> Step:
        scaled = _rounded(trees.scale(scale, evaluation.grad), low)
        lost = _lost(evaluation.grad, scaled).astype(state.underflow.dtype)
        handed = evaluation._replace(grad=trees.scale(1 / scale, scaled))
        taken = optimizer.step(handed, state.inner, refusing("scale_loss", optimizer, oracle))
        return taken._replace(state=_Scaled(taken.state, lost))

    return around(optimizer, init, step, lambda state: {"underflow_fraction": state.underflow})


class _Scaled(NamedTuple):
    inner: State
    underflow: jax.Array


def _scale_report(state: _Dynamic) -> dict[str, jax.Array]:
    return {
        "loss_scale": state.scale,
        "skipped_fraction": state.num_skipped / state.num_steps,
        "underflow_fraction": state.underflow,
    }


def dynamic_loss_scale(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    initial_scale: Scalar = 32768.0,
    growth_interval: int = 2000,
    dtype: str = "float16",
) -> Optimizer:
    """`scale_loss` with a scale s that finds itself, from s = `initial_scale`.

    Where an entry of round(s g) in `dtype` is not finite, no step is taken and s is halved; after
    `growth_interval` steps in a row without, s is doubled. Reports s (`loss_scale`), the fraction
    of steps skipped so far, and the fraction of entries that were not zero and turned zero in the
    last step. Optimizers that ask the objective themselves are refused.

    Calls per step: those of `optimizer`.
    Source: Micikevicius et al. (2018), "Mixed precision training", ICLR, section 3.2, last
    paragraph; torch.amp.GradScaler for the interval.
    """
    require_count("dynamic_loss_scale", "growth_interval", growth_interval)
    low = _known(dtype)

    def init(params: Params) -> State:
        unknown = jnp.full_like(trees.norm(params), jnp.nan)
        scale = jnp.full_like(unknown, initial_scale)
        none = jnp.int32(0)
        return _Dynamic(optimizer.init(params), scale, none, none, none, unknown)

    def step(evaluation: Evaluation, state: _Dynamic, oracle: Oracle) -> Step:
        scaled = _rounded(trees.scale(state.scale, evaluation.grad), low)
        fits = jnp.all(jnp.isfinite(trees.coordinates(scaled)))
        handed = evaluation._replace(grad=trees.scale(1 / state.scale, scaled))
        asked = refusing("dynamic_loss_scale", optimizer, oracle)
        taken = optimizer.step(handed, state.inner, asked)
        kept = evaluation.params, state.inner
        params, inner = trees.where(fits, (taken.params, taken.state), kept)
        good = jnp.where(fits, state.num_good + 1, 0)
        grows = good == growth_interval
        doubled = jnp.where(grows & jnp.isfinite(2 * state.scale), 2 * state.scale, state.scale)
        state = _Dynamic(
            inner,
            jnp.where(fits, doubled, state.scale / 2),
            jnp.where(grows, 0, good),
            state.num_steps + 1,
            state.num_skipped + jnp.where(fits, 0, 1),
            _lost(evaluation.grad, scaled).astype(state.underflow.dtype),
        )
        return Step(params, state, taken.calls)

    return around(optimizer, init, step, _scale_report)


class _Dynamic(NamedTuple):
    inner: State
    scale: jax.Array
    num_good: jax.Array  # steps in a row whose gradient was finite
    num_steps: jax.Array
    num_skipped: jax.Array
    underflow: jax.Array


def _known(dtype: str) -> Any:
    if dtype not in _DTYPES:
        raise OptbenchError(f"no precision named {dtype!r}", f"one of {', '.join(_DTYPES)}")
    return jnp.dtype(dtype)


def _is_real(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def _rounded(tree: Params, low: Any) -> Params:
    """The nearest numbers of a precision; the barrier keeps compilers from seeing them as equal."""

    def rounded(leaf: jax.Array) -> jax.Array:
        if jnp.iscomplexobj(leaf):
            return jax.lax.complex(rounded(leaf.real), rounded(leaf.imag))
        return jax.lax.optimization_barrier(leaf.astype(low)).astype(leaf.dtype)

    return jax.tree.map(rounded, tree)


def _lost(grad: Params, rounded: Params) -> jax.Array:
    """The fraction of real entries that were not zero, and are."""
    return jnp.mean((trees.coordinates(grad) != 0) & (trees.coordinates(rounded) == 0))
