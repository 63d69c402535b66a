"""What a study would do, and about how long it would take, before any of it starts.

Counts are exact. Seconds are of this machine:

- Compiling takes a constant and something per operation of a tick, in units of the CPU time of a
  small program that is compiled here and now. The two coefficients were fitted to programs of the
  shipped studies; those with a search inside a step, which have options of their own, follow the
  same line. Where steps see samples, evaluating one counts too, and each draw as many operations.
- A run spends its budget, whatever the method: as many evaluations of all lanes as that buys, each
  timed here together with an update as Adam's; where those see samples, also the whole objective
  at each log point. A line search or an inner solve is no exception, as its calls are charged; a
  solver of the host is called lane by lane, and ends by itself. Runs that end early make it less;
  searches beyond an edge of a space, and dense linear algebra, which is not charged, make it more.
- Memory is that of a process with JAX, of the programs, of a copy of the data per program compiled
  ahead, and of the carry and the log of the greediest batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from optbench.cells import Batch
from optbench.design import Study
from optbench.instance import Instance
from optbench.oracle import Calls
from optbench.program import MOST_PROGRAMS, Shape
from optbench.records import Cell
from optbench.schedule import AHEAD, failed_cell
from optbench.sketch import Sketch, sketch
from optbench.study import plan_study
from optbench.timing import seconds_of_yardstick, seconds_per_tick
from optbench.trajectory import TUNING_SEEDS_FROM

PROGRAM_YARDS = 2.3  # to compile a program, in yardsticks
OPERATION_YARDS = 0.016  # more, per operation of a tick
YARDSTICKS = 3  # compiled; the fastest counts
COMPILING_BESIDE = 1.4  # how much slower than alone, on two cores, while a cell runs
RUNNING_BESIDE = 1.8  # and a cell, while the next programs are compiled
CELL_SECONDS = 2e-3  # of a cell, beside its ticks
TICK_SECONDS = 3e-6  # of a tick, beside one of Adam
CALL_SECONDS = 1e-4  # of a call from the host
HOSTED_CALLS = 500  # after which a solver of the host has mostly ended by itself
EXTENDED = 0.25  # share of the searches whose best trial lies on an edge
PROCESS_BYTES = 400 << 20
PROGRAM_BYTES = 2 << 20
OPERATION_BYTES = 30_000  # more, per operation of a tick, with what tracing it leaves
COPIES = 3  # of a log: on the device, assembled, packed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """A pair that will not run.

    Attributes:
        problem: its label.
        optimizer: its label.
        status: "not applicable", or "failed" where something is wrong.
        message: why.
    """

    problem: str
    optimizer: str
    status: str
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a run of a study would do.

    Attributes:
        study: its name.
        problems: how many.
        optimizers: how many.
        finished: cells of earlier runs, which are skipped.
        pending: cells that would be computed.
        refused: the other pairs, which cannot be.
        evaluation_lanes: runs that optimizers would be judged by, over all pending cells.
        tuning_lanes: runs on the seeds that settings are tuned on.
        programs: distinct executables.
        compile_seconds: to build all of them, with none cached.
        run_seconds: to run all cells, and to search on where the best trial lies on an edge.
        memory_bytes: of the process at its peak.
    """

    study: str
    problems: int
    optimizers: int
    finished: int
    pending: int
    refused: tuple[Refusal, ...]
    evaluation_lanes: int
    tuning_lanes: int
    programs: int
    compile_seconds: float
    run_seconds: float
    memory_bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A batch that would run, and what it would be compiled to."""

    batch: Batch
    sketch: Sketch


def forecast_study(
    study: Study,
    folder: str | Path | None = None,
    *,
    problem_catalog: str = "problems",
    fresh: bool = False,
) -> Forecast:
    """Say what `run_study` would do; arguments and errors as there. Nothing is written."""
    batches, unbuilt = plan_study(study, folder, problem_catalog=problem_catalog, fresh=fresh)
    found = [seen for batch in batches if batch.pending for seen in _seen(batch)]
    parts = [seen for seen in found if isinstance(seen, Part)]
    cells = [*unbuilt, *(seen for seen in found if isinstance(seen, Cell))]
    pending = sum(len(part.batch.pending) for part in parts)
    programs = {part.sketch.key: part.sketch for part in parts}
    return Forecast(
        study=study.name,
        problems=len(study.problems),
        optimizers=len(study.optimizers),
        finished=len(study.problems) * len(study.optimizers) - pending - len(cells),
        pending=pending,
        refused=tuple(
            Refusal(problem=c.problem, optimizer=c.optimizer, status=c.status, message=c.message)
            for c in cells
        ),
        evaluation_lanes=sum(_num_lanes(part.batch, tuning=False) for part in parts),
        tuning_lanes=sum(_num_lanes(part.batch, tuning=True) for part in parts),
        programs=len(programs),
        compile_seconds=_compile_seconds(programs.values()),
        run_seconds=sum(map(_run_seconds, _by_problem(parts))),
        memory_bytes=_memory_bytes(parts, programs.values()),
    )


def _seen(batch: Batch) -> Iterator[Part | Cell]:
    """The batch as it would run; where it cannot, each of its cells alone."""
    methods, lanes = list(batch.methods.values()), list(batch.lanes.values())
    try:
        seen = sketch(batch.instance.problem, methods, lanes, batch.instance.plan)
    except Exception as error:
        if len(methods) > 1:
            for alone in batch.apart():
                yield from _seen(alone)
        else:
            (label,) = batch.pending
            yield failed_cell(batch.keys[label], batch.problem, label, error)
    else:
        yield Part(batch=batch, sketch=seen)


def _by_problem(parts: Iterable[Part]) -> list[list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part.batch.problem, []).append(part)
    return list(found.values())


def _num_lanes(batch: Batch, *, tuning: bool) -> int:
    """Lanes of the pending cells, on seeds of tuning or of evaluation."""
    return sum(
        batch.lanes[label].shape[1]
        for label in batch.pending
        for seed in batch.lanes[label].seeds
        if (seed >= TUNING_SEEDS_FROM) == tuning
    )


def _compile_seconds(programs: Iterable[Sketch]) -> float:
    yards = [PROGRAM_YARDS + OPERATION_YARDS * program.operations for program in programs]
    if not yards:
        return 0.0
    return COMPILING_BESIDE * sum(yards) * min(seconds_of_yardstick() for _ in range(YARDSTICKS))


def _run_seconds(parts: Sequence[Part]) -> float:
    """Of all parts on one problem, whose greediest block is timed; others take their share."""
    shapes = [part.sketch.shape for part in parts if part.sketch.shape is not None]
    timed = max(shapes, key=lambda shape: shape.num_lanes, default=None)
    lane = 0.0 if timed is None else _lane_seconds(parts[0].batch.instance, timed)
    return sum(_cell_seconds(part, label, lane) for part in parts for label in part.batch.pending)


def _lane_seconds(instance: Instance, shape: Shape) -> float:
    """Of one lane among those of a block: its ticks, and, where they see samples, its log."""
    plan, problem = instance.plan, instance.problem
    grid = plan.grid(problem.sample_fraction)
    block = int(grid[-1]) * seconds_per_tick(problem, shape)
    if problem.stochastic:
        whole = dataclasses.replace(problem, sample_loss=None)
        block += len(grid) * seconds_per_tick(whole, shape)
    return block / shape.num_lanes


def _cell_seconds(part: Part, label: str, lane: float) -> float:
    """Of a cell, given the seconds of one lane among many, and of its search beyond edges."""
    plan, problem = part.batch.instance.plan, part.batch.instance.problem
    ticks = int(plan.grid(problem.sample_fraction)[-1])
    lanes, shape = int(np.prod(part.batch.lanes[label].shape)), part.sketch.shape
    if shape is None:
        return CELL_SECONDS + lanes * min(ticks, HOSTED_CALLS) * CALL_SECONDS
    searches = 1 + EXTENDED * bool(part.batch.trials[label].space)
    blocks = lanes // shape.num_lanes
    return CELL_SECONDS + searches * RUNNING_BESIDE * (blocks * ticks * TICK_SECONDS + lanes * lane)


def _memory_bytes(parts: Sequence[Part], programs: Collection[Sketch]) -> int:
    data = []
    for part, *_ in _by_problem(parts):
        leaves = jax.tree.leaves(part.batch.instance.problem.data)
        data.append(sum(np.asarray(leaf).nbytes for leaf in leaves))
    copies = sorted(data, reverse=True)[: AHEAD + 1]
    built = sum(PROGRAM_BYTES + OPERATION_BYTES * program.operations for program in programs)
    kept = min(1.0, MOST_PROGRAMS / max(1, len(programs)))
    held = PROCESS_BYTES + round(kept * built) + sum(data) + sum(copies)
    return held + max(map(_batch_bytes, parts), default=0)


def _batch_bytes(part: Part) -> int:
    """Of the carry, twice as it moves, and of the log, as often as it is copied.

    The log holds the points of the lanes that are recorded, before those of two settings are kept.
    """
    batch, shape = part.batch, part.sketch.shape
    if shape is None:
        return 0
    real = np.dtype(shape.dtype).itemsize
    dim = batch.instance.problem.dim
    own = next(iter(batch.lanes.values()))
    lanes = int(np.prod(own.shape))
    carry = shape.num_lanes * (2 * dim + part.sketch.state_size) * real
    row = lanes * (2 * real + 4 * len(Calls._fields)) + len(own.recorded) * dim * real
    states = shape.replayed * shape.block[1] * (dim + part.sketch.state_size) * real
    return 2 * carry + COPIES * shape.grid * (row + states)
