"""The loop, as one XLA program: step, evaluate, and note which targets are met.

Three nested while loops: over log edges; until the edge; until a lane meets a target. The
innermost carries one boolean, so that hits are exact and nearly free.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.carry import Carry, Form, Hits, Inputs, Log, Moving, States
from optbench.lanes import LANES, SEEDS, SHARED, over_lanes
from optbench.member import Hyperparameters, step_key
from optbench.optimality import optimality_residual
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params, Problem


def evaluate(problem: Problem, params: Params, keys: jax.Array) -> tuple[Evaluation, Any]:
    """The first evaluations over seeds: what the first step sees, and (f, |grad f|)."""

    def seed(params: Params, key: jax.Array) -> tuple[Evaluation, Any]:
        seen = Oracle(problem, step_key(key, jnp.int32(0))).value_and_grad(params)
        return seen, _exact(problem, params) if problem.stochastic else _measures(problem, seen)

    return jax.vmap(seed)(params, keys)


def advance(form: Form, inputs: Inputs, carry: Carry, stop_step: jax.Array) -> Carry:
    """Run until `stop_step`, the last log point, or until every lane is done."""
    moving = carry.moving
    operand = moving.evaluation.params, inputs.problem
    started = form.group.init(inputs.member, inputs.hypers, operand, form.lanes)
    slots = trees.where(carry.fresh, started, moving.slots)
    carry = carry._replace(moving=moving._replace(slots=slots))

    def unfinished(carry: Carry) -> jax.Array:
        ahead = carry.fresh | (carry.moving.step < stop_step)
        return (carry.edge < inputs.num_edges) & ahead & ~jnp.all(carry.ended)

    def to_edge(carry: Carry) -> Carry:
        edge_step = inputs.grid[carry.edge]
        end = jnp.minimum(edge_step, stop_step)
        moving, hits = _segment(form, inputs, carry, end)
        moved = carry._replace(moving=moving, hits=hits)
        return _log(form, inputs, moved, moving.step == edge_step)

    return jax.lax.while_loop(unfinished, to_edge, carry)


def _segment(form: Form, inputs: Inputs, carry: Carry, end: jax.Array) -> tuple[Moving, Hits]:
    """Step until `end`, noting every target as it is met."""

    def any_hit(moving: Moving, next_level: jax.Array) -> jax.Array:
        if not form.exact:
            return jnp.zeros((), bool)
        measures = _measures_of(form, inputs, moving)
        return jnp.any(_merit(form, inputs, *measures) <= next_level)

    def until_hit(state: tuple[Moving, Hits, jax.Array]) -> tuple[Moving, Hits, jax.Array]:
        moving, hits, hit = state

        def tick(inner: tuple[Moving, jax.Array]) -> tuple[Moving, jax.Array]:
            moving = _tick(form, inputs, inner[0])
            return moving, any_hit(moving, hits.next_level)

        def going(inner: tuple[Moving, jax.Array]) -> jax.Array:
            return (inner[0].step < end) & ~inner[1]

        moving, hit = jax.lax.while_loop(going, tick, (moving, hit))
        return moving, _note(form, inputs, moving, hits), jnp.zeros((), bool)

    def until_end(state: tuple[Moving, Hits, jax.Array]) -> jax.Array:
        return (state[0].step < end) | state[2]

    if form.exact:
        moving, hits, _ = jax.lax.while_loop(
            until_end, until_hit, (carry.moving, carry.hits, carry.fresh)
        )
        return moving, hits
    moving = jax.lax.while_loop(
        lambda moving: moving.step < end, lambda moving: _tick(form, inputs, moving), carry.moving
    )
    return moving, carry.hits


def _tick(form: Form, inputs: Inputs, moving: Moving) -> Moving:
    """Step, then evaluate."""
    step, evaluation, slots, calls = moving
    progress = share_behind(form, inputs, step, calls)
    operand = (evaluation, slots, calls, (inputs.keys, step, inputs.problem, progress))
    point, slots, calls = form.group.step(inputs.member, inputs.hypers, operand, form.lanes)
    step = step + 1
    if form.group.evaluates and not inputs.problem.stochastic:
        return Moving(step, point, slots, calls)
    params = point.params if form.group.evaluates else point

    def lane(params: Params, key: jax.Array, step: jax.Array, problem: Problem) -> Evaluation:
        return Oracle(problem, step_key(key, step)).value_and_grad(params)

    mapped = over_lanes(lane, (LANES, SEEDS, SHARED, SHARED), LANES, form.lanes)
    evaluation = mapped(params, inputs.keys, step, inputs.problem)
    return Moving(step, evaluation, slots, calls.at[..., 0].add(1))


def share_behind(form: Form, inputs: Inputs, step: Any, calls: Any) -> jax.Array:
    """Share of the run that is behind: of the steps or, where more, of the cost that may follow."""
    progress = step / inputs.grid[-1].astype(inputs.budget.dtype)
    if form.group.progress_over == form.group.calls_over:
        first = inputs.prices[0]
        spent = (calls @ inputs.prices - first) / (inputs.budget - first)
        progress = jnp.maximum(progress, jnp.where(inputs.budget > first, spent, 0.0))
    return jnp.minimum(progress, 1.0)


def _measures(problem: Problem, evaluation: Evaluation) -> tuple[jax.Array, jax.Array]:
    params, value, grad = evaluation
    return value, trees.norm(optimality_residual(problem, params, grad))


def _exact(problem: Problem, params: Params) -> tuple[jax.Array, jax.Array]:
    """(f, |grad f|) from the whole objective."""
    whole = Oracle(dataclasses.replace(problem, sample_loss=None))
    return _measures(problem, whole.value_and_grad(params))


def _measures_of(form: Form, inputs: Inputs, moving: Moving) -> tuple[jax.Array, jax.Array]:
    """(f, |grad f|) of all lanes as the steps see them; the norm is dropped where unused."""
    mapped = over_lanes(_measures, (SHARED, LANES), LANES, form.lanes)
    return mapped(inputs.problem, moving.evaluation)


def _merit(form: Form, inputs: Inputs, value: jax.Array, norm: jax.Array) -> jax.Array:
    return norm if form.by_gradient else value - inputs.reference


def _note(form: Form, inputs: Inputs, moving: Moving, hits: Hits, measures: Any = None) -> Hits:
    """The hits after one evaluation."""
    merit = _merit(form, inputs, *(measures or _measures_of(form, inputs, moving)))
    is_hit = merit <= hits.next_level
    met = (merit[None] <= inputs.levels) & (hits.steps < 0)
    harder = jnp.where(inputs.levels < merit[None], inputs.levels, -jnp.inf).max(0)
    harder = jnp.where(harder > -jnp.inf, harder, jnp.nan)  # -inf would be met, where f is -inf
    noted = hits._replace(
        next_level=jnp.where(is_hit, harder, hits.next_level),
        steps=jnp.where(met, moving.step, hits.steps),
    )
    if form.group.calls_over == LANES:
        calls = jnp.where(met[..., None], moving.calls[None], hits.calls)
        return noted._replace(calls=calls)
    return noted._replace(
        calls=_set_row(hits.calls, moving.calls, hits.num_events),
        events=_set_row(hits.events, moving.step, hits.num_events),
        num_events=hits.num_events + jnp.any(is_hit),
    )


def _set_row(rows: jax.Array, new: jax.Array, index: jax.Array) -> jax.Array:
    """The rows with one replaced, in place."""
    return jax.lax.dynamic_update_index_in_dim(rows, new, index, 0)


def _log(form: Form, inputs: Inputs, carry: Carry, at_edge: jax.Array) -> Carry:
    """Write this point's row; off the edge it is overwritten later."""
    moving, hits = carry.moving, carry.hits
    points = moving.evaluation.params
    if form.exact:
        value, norm = _measures_of(form, inputs, moving)
    else:
        points = _reported_points(form, inputs, moving)
        mapped = over_lanes(_exact, (SHARED, LANES), LANES, form.lanes)
        value, norm = mapped(inputs.problem, points)
        noted = _note(form, inputs, moving, hits, (value, norm))
        hits = trees.where(at_edge, noted, hits)
    rank = len(form.lanes)
    recorded = jax.tree.map(
        lambda leaf: leaf.reshape(-1, *leaf.shape[rank:])[inputs.record], points
    )
    told = _diagnostics(form, inputs, moving, points)
    row = Log(value, norm, moving.calls, recorded, told, _states(form, moving))
    log = jax.tree.map(lambda rows, new: _set_row(rows, new, carry.edge), carry.log, row)
    ended, ends = _ended(form, inputs, carry, (value, norm), points)
    edge = carry.edge + at_edge.astype(carry.edge.dtype)
    ended, ends = trees.where(at_edge, (ended, ends), (carry.ended, carry.ends))
    return Carry(moving, hits, log, edge, jnp.zeros((), bool), ended, ends)


def _ended(
    form: Form, inputs: Inputs, carry: Carry, measures: tuple[jax.Array, jax.Array], points: Params
) -> tuple[jax.Array, Params]:
    """Which lanes have ended by this log point, and where; a lane that has does not move on."""
    merit, cost = _merit(form, inputs, *measures), carry.moving.calls @ inputs.prices
    rounding = 1 + 8 * jnp.finfo(cost.dtype).eps
    live = ~carry.ended & (cost <= inputs.budget * rounding)
    ended = (
        carry.ended
        | (cost >= inputs.budget)
        | ~jnp.isfinite(measures[0])
        | (merit > inputs.diverged_level)
        | (merit <= inputs.stop_level)
    )

    def keep(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(live.reshape(live.shape + (1,) * (new.ndim - live.ndim)), new, old)

    return ended, jax.tree.map(keep, carry.ends, points) if form.by_gradient else ()


def _reported_points(form: Form, inputs: Inputs, moving: Moving) -> Params:
    if not form.group.reports_elsewhere:
        return moving.evaluation.params
    member = form.group.members[0]

    def lane(values: Hyperparameters, params: Params, state: Any) -> Params:
        eval_params = member.method.build(values).eval_params
        return params if eval_params is None else eval_params(params, state)

    mapped = over_lanes(lane, (member.over, LANES, member.state_over), LANES, form.lanes)
    state = form.group.unpack(member, moving.slots)
    return mapped(inputs.hypers[0], moving.evaluation.params, state)


def _states(form: Form, moving: Moving) -> Any:
    """What the next step of the first seed's lanes depends on, where a replay asks for it."""
    if not form.replayed:
        return ()

    def of_first_seed(leaf: jax.Array) -> jax.Array:
        return leaf[0] if len(form.lanes) == 2 else leaf[: form.replayed]

    params = jax.tree.map(of_first_seed, moving.evaluation.params)
    slots = zip(form.group.slots, moving.slots, strict=True)
    return States(params, tuple(x if s.over == SHARED else of_first_seed(x) for s, x in slots))


def _diagnostics(form: Form, inputs: Inputs, moving: Moving, points: Params) -> jax.Array:
    """[D, *lanes]: what the problem's monitors say, then what the member reports."""
    told = form.group.report(inputs.member, inputs.hypers, moving.slots, form.lanes)
    monitors = inputs.problem.monitors
    if not monitors:
        return told

    def lane(points: Params, problem: Problem) -> jax.Array:
        return jnp.stack([monitor(points, *problem.data) for _, monitor in monitors])

    seen = over_lanes(lane, (LANES, SHARED), LANES, form.lanes)(points, inputs.problem)
    return jnp.concatenate([jnp.moveaxis(seen, -1, 0), told])
