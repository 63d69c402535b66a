"""Wrappers that average: gradients over steps, or points over the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.errors import require_count
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.wrappers.wrapping import around, refusing, require_own_point
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params

# The default of `optimizer` is a factory: whoever builds a wrapper builds what it wraps first.


def accumulate(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    num_microbatches: int = 4,
) -> Optimizer:
    """One step of `optimizer` in m = `num_microbatches` steps, with the mean of their gradients.

    In between the point stays; the mean of the values is handed on, too. Where samples are
    independent it is a step on a sample m times as large. Optimizers that ask the objective
    themselves are refused.

    Calls per step: those of `optimizer`.
    Source: Goyal et al. (2017), "Accurate, large minibatch SGD", section 4, on gradient
    aggregation; optax.MultiSteps.
    """
    require_count("accumulate", "num_microbatches", num_microbatches)

    def init(params: Params) -> State:
        nothing = jax.tree.map(jnp.zeros_like, (trees.norm(params), params))
        return _Accumulated(optimizer.init(params), jnp.int32(0), *nothing)

    def step(evaluation: Evaluation, state: _Accumulated, oracle: Oracle) -> Step:
        params, value, grad = evaluation
        share = 1 / (state.count + 1).astype(value.dtype)
        mean = state.value, state.grad
        mean = trees.add_scaled(mean, share, trees.add_scaled((value, grad), -1, mean))
        asked = refusing("accumulate", optimizer, oracle)
        taken = optimizer.step(Evaluation(params, *mean), state.inner, asked)
        is_last = state.count + 1 == num_microbatches
        params, inner = trees.where(is_last, (taken.params, taken.state), (params, state.inner))
        mean = trees.where(is_last, jax.tree.map(jnp.zeros_like, mean), mean)
        return Step(params, _Accumulated(inner, (state.count + 1) % num_microbatches, *mean))

    return around(optimizer, init, step)


class _Accumulated(NamedTuple):
    inner: State
    count: jax.Array  # of gradients in the mean
    value: jax.Array
    grad: Params


def average(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    burn_in: Scalar = 0.5,
) -> Optimizer:
    """Report the mean of the points that `optimizer` has reported since the burn-in.

    Those are the x_k with k / T >= b, b = `burn_in`, in a run of T steps; x_k itself until then.
    The steps of `optimizer` are not changed.

    Calls per step: those of `optimizer`.
    Source: Polyak and Juditsky (1992), "Acceleration of stochastic approximation by averaging",
    SIAM J. Control Optim. 30(4); Rakhlin, Shamir and Sridharan (2012), "Making gradient descent
    optimal for strongly convex stochastic optimization", ICML, section 5, for the burn-in.
    """
    return _averaged(optimizer, lambda progress: jnp.where(progress >= burn_in, 1.0, 0.0))


def exponential_average(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    decay: Scalar = 0.99,
) -> Optimizer:
    """Report the mean of the points that `optimizer` has reported, with weight b^j j steps later.

    b = `decay`: sum_j b^j x_{k-j} / sum_j b^j, j = 0, ..., k. The steps of `optimizer` are not
    changed.

    Calls per step: those of `optimizer`.
    Source: Kingma and Ba (2015), section 7.2; optax.ema with debias.
    """
    return _averaged(optimizer, lambda progress: decay)


class _Averaged(NamedTuple):
    inner: State
    mean: Params
    total: jax.Array  # sum of the weights in the mean


def _averaged(optimizer: Optimizer, decay: Callable[[Any], Any]) -> Optimizer:
    """Report a mean whose weights are multiplied by decay(progress) in each step."""
    seen_at = optimizer.eval_params

    def init(params: Params) -> State:
        inner = optimizer.init(params)
        first = params if seen_at is None else seen_at(params, inner)
        return _Averaged(inner, first, jnp.ones_like(trees.norm(params)))

    def step(evaluation: Evaluation, state: _Averaged, oracle: Oracle) -> Step:
        taken = optimizer.step(evaluation, state.inner, oracle)
        point = taken.params if seen_at is None else seen_at(taken.params, taken.state)
        total = (decay(oracle.progress) * state.total + 1).astype(state.total.dtype)
        ahead = trees.add_scaled(point, -1, state.mean)
        mean = trees.add_scaled(state.mean, 1 / total, ahead)
        return taken._replace(state=_Averaged(taken.state, mean, total))

    wrapper = around(optimizer, init, step)
    return wrapper._replace(eval_params=lambda params, state: state.mean, feasible=False)


def lookahead(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    sync_period: int = 5,
    slow_step_size: Scalar = 0.5,
) -> Optimizer:
    """Fast steps of `optimizer`, from a slow point that follows them.

    After every n-th step, n = `sync_period`: y = y + a (x - y), a = `slow_step_size`, and
    `optimizer` goes on from x = y with the state it has. The slow point y is reported. Optimizers
    that report another point than they step from are refused.

    Calls per step: those of `optimizer`.
    Source: Zhang, Lucas, Hinton and Ba (2019), "Lookahead optimizer: k steps forward, 1 step
    back", NeurIPS, algorithm 1; optax.lookahead.
    """
    require_own_point("lookahead", optimizer)
    require_count("lookahead", "sync_period", sync_period)

    def init(params: Params) -> State:
        return _Lookahead(optimizer.init(params), params, jnp.int32(0))

    def step(evaluation: Evaluation, state: _Lookahead, oracle: Oracle) -> Step:
        taken = optimizer.step(evaluation, state.inner, oracle)
        is_last = state.count + 1 == sync_period
        ahead = trees.add_scaled(taken.params, -1, state.slow)
        follows = trees.add_scaled(state.slow, slow_step_size, ahead)
        fast, slow = trees.where(is_last, (follows, follows), (taken.params, state.slow))
        state = _Lookahead(taken.state, slow, (state.count + 1) % sync_period)
        return Step(fast, state, taken.calls)

    wrapper = around(optimizer, init, step)
    return wrapper._replace(eval_params=lambda params, state: state.slow, feasible=False)


class _Lookahead(NamedTuple):
    inner: State
    slow: Params
    count: jax.Array  # of steps since the slow point moved
