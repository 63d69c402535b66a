"""Quasi-Newton methods that keep the whole inverse Hessian."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.errors import NotApplicable
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.second_order import strong_wolfe
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params


def bfgs(
    slope_fraction: Scalar = 1e-4, curvature_fraction: Scalar = 0.9, max_trials: int = 30
) -> Optimizer:
    """BFGS with a strong Wolfe search, one trial of it per step: it tunes itself.

    x_{k+1} = x_k + t p, p = -H_k g with g = grad f(x_k), and

        H_{k+1} = (I - r s y^T) H_k (I - r y s^T) + r s s^T,  r = 1 / y^T s,

    s = x_{k+1} - x_k, y = grad f(x_{k+1}) - g; H_k = (y^T s / y^T y) I before the first update, and
    no update where y^T s is not positive beyond rounding. t meets

        f(x_k + t p) <= f(x_k) + c1 t g^T p + d  and  |grad f(x_k + t p)^T p| <= c2 |g^T p|

    with c1 = `slope_fraction`, c2 = `curvature_fraction`, d = 10 eps |f(x_k)| for the rounding of
    f. It is found from t = 1, or from min(1, 1 / |g|) before the first update, by
    `strong_wolfe.advance`. A step of the optimizer is one trial: the point moves where a trial is
    accepted, and stays meanwhile. After `max_trials` trials the lowest of them is taken or, if none
    was lower, the point stays and H_k is forgotten. Reports how many searches moved (`num_moves`)
    and failed (`num_failures`).

    Needs: an objective that is the same at every step; few coordinates, for H_k is dense.
    Calls per step: one value and gradient, at the trial. The evaluation at the accepted point is
    used, not repeated.
    Source: Nocedal and Wright (2006), algorithm 6.1, equations 6.17 and 6.20.
    """
    conditions = strong_wolfe.Conditions(slope_fraction, curvature_fraction, max_trials)

    def init(params: Params) -> State:
        flat = trees.coordinates(params)
        zero, none = jnp.zeros((), flat.dtype), jnp.int32(0)
        over = strong_wolfe.start(zero, zero, zero)._replace(failed=jnp.ones((), bool))
        identity = jnp.eye(flat.size, dtype=flat.dtype)
        return _State(over, jnp.zeros_like(flat), identity, none, none, none)

    def step(evaluation: Evaluation, state: _State, oracle: Oracle) -> Step:
        _require_one_objective(oracle)
        state = _begun(evaluation, state)
        move = trees.unpack(trees.layout_of(evaluation.params), state.direction)
        seen = oracle.value_and_grad(trees.add_scaled(evaluation.params, state.search.trial, move))
        grad = trees.coordinates(seen.grad)
        slope = grad @ state.direction
        search = strong_wolfe.advance(state.search, seen.value, slope, conditions)
        change = grad - trees.coordinates(evaluation.grad)
        following = _ended(state._replace(search=search), change)
        chosen = trees.where(search.accepted, seen, evaluation)
        return Step(chosen.params, following, Calls(value_and_gradients=1), chosen)

    return Optimizer(init, step, report=_report, holds_point=True)


class _State(NamedTuple):
    search: strong_wolfe.Search
    direction: jax.Array  # p
    inverse_hessian: jax.Array  # H_k; I before the first update
    num_updates: jax.Array  # of H_k, since it was forgotten
    num_moves: jax.Array
    num_failures: jax.Array


def _report(state: _State) -> dict[str, jax.Array]:
    return {"num_moves": state.num_moves, "num_failures": state.num_failures}


def _require_one_objective(oracle: Oracle) -> None:
    if oracle.problem.stochastic:
        raise NotApplicable(
            "bfgs compares values of different steps, and each step sees another sample",
            "use lbfgs, which searches inside a step, or the full-batch form of the problem",
        )


def _begun(evaluation: Evaluation, state: _State) -> _State:
    """The state with a search under way: a new one where the last one is over."""
    grad = trees.coordinates(evaluation.grad)
    direction = -state.inverse_hessian @ grad
    descends = direction @ grad < 0  # rounding apart, it always does
    direction = jnp.where(descends, direction, -grad)
    shortest = jnp.minimum(1.0, 1 / jnp.sqrt(grad @ grad))
    first = jnp.where(descends & (state.num_updates > 0), 1.0, shortest).astype(grad.dtype)
    search = strong_wolfe.start(evaluation.value, direction @ grad, first)
    begun = state._replace(search=search, direction=direction)
    return trees.where(state.search.is_over, begun, state)


def _ended(state: _State, change: jax.Array) -> _State:
    """The state after a trial: H_k is updated where it is accepted, forgotten where it fails."""
    search, identity = state.search, jnp.eye(change.size, dtype=change.dtype)
    moved = search.trial * state.direction
    product = moved @ change
    eps = jnp.finfo(product.dtype).eps
    is_convex = product > eps * jnp.sqrt(moved @ moved) * jnp.sqrt(change @ change)
    updates = search.accepted & is_convex
    scale = product / jnp.where(updates, change @ change, 1.0)
    before = jnp.where(state.num_updates == 0, scale * identity, state.inverse_hessian)
    after = _updated(before, moved, change, jnp.where(updates, product, 1.0))
    kept = jnp.where(search.failed, identity, state.inverse_hessian)
    num_updates = jnp.where(search.failed, 0, state.num_updates + updates)
    return state._replace(
        inverse_hessian=jnp.where(updates, after, kept),
        num_updates=num_updates.astype(jnp.int32),
        num_moves=state.num_moves + search.accepted.astype(jnp.int32),
        num_failures=state.num_failures + search.failed.astype(jnp.int32),
    )


def _updated(
    inverse: jax.Array, moved: jax.Array, change: jax.Array, product: jax.Array
) -> jax.Array:
    """(I - s y^T / y^T s) H (I - y s^T / y^T s) + s s^T / y^T s, in n^2 operations."""
    image = inverse @ change
    mixed = jnp.outer(moved, image)
    share = (1 + change @ image / product) / product
    return inverse - (mixed + mixed.T) / product + share * jnp.outer(moved, moved)
