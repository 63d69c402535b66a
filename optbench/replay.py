"""Steps of a run taken once more from logged states, off the clock, to see what they were like.

The states of all settings of the first seed are logged. At each of their log points the next step
is taken again, in the precision of the run and on the same sample, and measured
(`optbench.diagnostics`). What that asks of the objective is counted apart from the run.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench import trees
from optbench.carry import Form
from optbench.diagnostics import calls_per_point, measure
from optbench.group import Group
from optbench.health import gradient_health
from optbench.job import Job
from optbench.lanes import LANES, SHARED
from optbench.logbook import Finished
from optbench.loop import share_behind
from optbench.member import Hyperparameters, count, step_key
from optbench.optimizer import Stability
from optbench.oracle import Calls, Oracle
from optbench.problem import Params, Problem
from optbench.program import precision
from optbench.trajectory import Trajectory

POINTS = 128  # measured at once, fewer where their Krylov spaces would outgrow ENTRIES
ENTRIES = 1 << 18  # numbers that a cache holds


class _Taken(NamedTuple):
    params: Params  # where the step ends
    calls: Any
    stability: Stability | None


class _Point(NamedTuple):
    """One logged state: all that its next step depends on."""

    values: Hyperparameters
    params: Params
    slots: tuple[Any, ...]
    step: Any
    progress: Any  # share of the run that is behind


def diagnose(
    job: Job,
    member: int,
    finished: Sequence[Finished],
    trajectory: Trajectory,
    tell: Callable[[float], None],
) -> Trajectory:
    """The trajectory with the diagnostics of the first seed's lanes, and what they cost.

    Args:
        job: what ran.
        member: index of the method that ran.
        finished: the blocks, with the states they logged.
        trajectory: what they say of all lanes.
        tell: told the share that is done.
    """
    found: dict[str, np.ndarray] = dict(gradient_health(trajectory.gradient_norm))
    calls = np.zeros((len(Calls._fields), *trajectory.last.shape))
    parts = [part for part in finished if part.block.seeds.start == 0]
    for index, part in enumerate(parts):
        last = trajectory.last[0, part.block.settings]
        settings, rows = np.nonzero(np.arange(part.rows) <= last[:, None])
        size = _points_at_once(job.problem.dim)
        for begin in range(0, len(rows), size):
            chunk = slice(begin, begin + size)
            seen, asked = _measured(job, member, part, (rows[chunk], settings[chunk]), size)
            lanes = settings[chunk] + part.block.settings.start
            for name, values in seen.items():
                blank = np.full_like(trajectory.value, np.nan)
                found.setdefault(name, blank)[0, lanes, rows[chunk]] = values
            for kind, of_points in enumerate(asked.T):
                np.add.at(calls[kind, 0], lanes, of_points)
            tell((index + begin / len(rows)) / len(parts))
    return dataclasses.replace(
        trajectory,
        diagnostics={**trajectory.diagnostics, **found},
        diagnostic_calls={
            kind: of_kind
            for kind, of_kind in zip(Calls._fields, calls, strict=True)
            if of_kind.any()
        },
    )


def _points_at_once(dim: int) -> int:
    return max(1, min(POINTS, ENTRIES // (32 * dim)))


def _measured(
    job: Job, member: int, part: Finished, places: tuple[np.ndarray, np.ndarray], size: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What the steps from some logged states show, and [N, kinds] what that asked.

    Args:
        job: what ran.
        member: index of the method.
        part: the block that logged them.
        places: [N] rows of the log, and [N] settings of the block.
        size: how many points the programs are compiled for.
    """
    num = len(places[0])
    rows, settings = (np.pad(index, (0, size - num), mode="edge") for index in places)
    group = job.program.group
    with precision(job.plan.dtype):
        points = _states(part, job.program.form, member, rows, settings)
        key = part.inputs.keys.reshape(-1, 2)[0]
        taken = _retake(group, member, points, key, job.cast)
        taken = jax.tree.map(np.asarray, taken)
    stability = taken.stability or Stability(None)
    exact = dataclasses.replace(job.problem, data=trees.cast(job.problem.data, "float64"))
    ends = trees.cast((points.params, taken.params, stability.preconditioner), "float64")
    with precision("float64"):
        seen = jax.tree.map(np.asarray, _measure(exact, *ends))
    preconditioned = stability.preconditioner is not None
    if stability.threshold is not None:
        kind = "preconditioned_sharpness" if preconditioned else "sharpness"
        seen[f"{kind}_threshold"] = stability.threshold
    dim = sum(leaf[0].size * (1 + np.iscomplexobj(leaf)) for leaf in jax.tree.leaves(points.params))
    asked = taken.calls + np.array(calls_per_point(dim, preconditioned=preconditioned))
    return {name: values[:num] for name, values in seen.items()}, asked[:num]


def _states(
    part: Finished, form: Form, member: int, rows: np.ndarray, settings: np.ndarray
) -> _Point:
    """The logged states at some places, with the hyperparameters of their lanes."""
    logged, over = part.log.states, form.group.members[member].over
    hypers, steps = part.inputs.hypers[member], part.inputs.grid[rows]
    slots = zip(form.group.slots, logged.slots, strict=True)
    calls = part.log.calls.reshape(len(part.log.calls), -1, len(Calls._fields))
    calls = calls[rows, settings if form.group.calls_over == LANES else 0]
    return _Point(
        values={
            name: np.broadcast_to(value, rows.shape) if over[name] == SHARED else value[settings]
            for name, value in hypers.items()
        },
        params=jax.tree.map(lambda leaf: leaf[rows, settings], logged.params),
        slots=tuple(x[rows] if s.over == SHARED else x[rows, settings] for s, x in slots),
        step=steps,
        progress=np.asarray(share_behind(form, part.inputs, steps, calls)),
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _retake(group: Group, index: int, points: _Point, key: jax.Array, problem: Problem) -> _Taken:
    """One step from each point, on the samples it saw."""
    member = group.members[index]

    def retake(point: _Point) -> _Taken:
        optimizer = member.method.build(point.values)
        oracle = Oracle(problem, step_key(key, point.step), point.progress)
        state = group.unpack(member, point.slots)
        evaluation = oracle.value_and_grad(point.params)
        taken = optimizer.step(evaluation, state, oracle)
        stability = optimizer.stability and optimizer.stability(state, point.progress)
        calls = count(taken.calls).at[0].add(1)
        return _Taken(taken.params, calls, stability)

    return jax.vmap(retake)(points)


_measure = jax.jit(jax.vmap(measure, in_axes=(None, 0, 0, 0)))
