"""A group of methods on one problem, compiled, and what its first carry holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from optbench import trees
from optbench.blocks import block_lanes, most_lanes
from optbench.carry import Carry, Inputs
from optbench.errors import OptbenchError
from optbench.host import HostJob, prepare_hosted
from optbench.lanes import LANES, SETTINGS
from optbench.logbook import Block, recorded_in
from optbench.member import require_values
from optbench.method import Method
from optbench.oracle import Calls
from optbench.plan import GRID_BLOCK, Lanes, Plan, levels_on, merit_of
from optbench.problem import Problem
from optbench.program import (
    TARGET_BLOCK,
    Program,
    Shape,
    abstract,
    compile_program,
    precision,
    round_up,
    trace_group,
)
from optbench.theory import known_of


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A group of methods on one problem, compiled and ready to run.

    Attributes:
        problem: the problem, as its factory built it.
        methods: the members of the group.
        lanes: of each member: seeds, which all share, and settings of its own.
        plan: how far to run.
        program: the executable.
        cast: the problem in the precision of the run.
    """

    problem: Problem
    methods: tuple[Method, ...]
    lanes: tuple[Lanes, ...]
    plan: Plan
    program: Program
    cast: Problem

    @property
    def compile_seconds(self) -> float:
        """What building the program took."""
        return self.program.compile_seconds

    @property
    def exact(self) -> bool:
        """Whether hits are seen at every step."""
        return self.program.form.exact

    def diagnostics(self, member: int) -> tuple[str, ...]:
        """The names of what is logged beside f: the problem's monitors, then what one reports."""
        monitors = tuple(name for name, _ in self.problem.monitors)
        return monitors + self.program.group.members[member].diagnostics


def prepare(
    problem: Problem, methods: Sequence[Method], lanes: Lanes | Sequence[Lanes], plan: Plan
) -> Job | HostJob:
    """Compile a group of methods for a problem, or take the executable from memory.

    A method that runs on the host is alone in its group.

    Args:
        problem: the problem.
        methods: the members of the group.
        lanes: of all members, or of each: of the same seeds, and as many settings.
        plan: how far to run.

    Raises:
        OptbenchError: bad input, said in one line.
        NotApplicable: a method cannot run on this problem.
    """
    lanes = (lanes,) * len(methods) if isinstance(lanes, Lanes) else tuple(lanes)
    _require_alike(lanes)
    methods = [settled(method, own, problem) for method, own in zip(methods, lanes, strict=True)]
    if any(method.hosted for method in methods):
        return prepare_hosted(problem, methods, lanes[0], plan)
    cast = dataclasses.replace(problem, data=trees.cast(problem.data, plan.dtype))
    swept = [frozenset(own.settings) for own in lanes]
    start = abstract(trees.cast(problem.start(0), plan.dtype))
    group, _ = trace_group(cast, methods, swept, start, plan.dtype)
    with precision(plan.dtype):
        most = most_lanes(cast, start, waiting=group.calls_over == LANES)
    shape = shape_of(problem, lanes[0], plan, most)
    program = compile_program(cast, methods, swept, shape)
    return Job(
        problem=problem, methods=tuple(methods), lanes=lanes, plan=plan, program=program, cast=cast
    )


def shape_of(problem: Problem, lanes: Lanes, plan: Plan, most: int) -> Shape:
    """The sizes that a program is compiled for.

    Args:
        problem: the problem.
        lanes: of one member.
        plan: how far to run.
        most: the most lanes that should run together.
    """
    block = block_lanes(*lanes.shape, most)
    return Shape(
        block=block,
        nested=problem.stochastic,
        grid=round_up(len(plan.grid(problem.sample_fraction)), GRID_BLOCK),
        targets=round_up(len(plan.targets), TARGET_BLOCK),
        recorded=min(len(lanes.recorded), block[0] * block[1]),
        by_gradient=merit_of(problem) == "gradient norm",
        dtype=plan.dtype,
        replayed=plan.diagnostics,
    )


def settled(method: Method, lanes: Lanes, problem: Problem) -> Method:
    """The method with all its formulas' values; none is asked for what is swept."""
    require_values(method, frozenset(lanes.settings))
    swept_away = dict.fromkeys(lanes.settings, 0.0)
    return method.replace(**swept_away).settled(known_of(problem))


def _require_alike(lanes: Sequence[Lanes]) -> None:
    """Refuse members that cannot share a program.

    Raises:
        OptbenchError: their seeds, numbers of settings or recorded lanes differ.
    """
    if len({(own.seeds, own.shape, own.recorded) for own in lanes}) > 1:
        raise OptbenchError(
            "the lanes of a group differ", "give every member the same seeds and as many settings"
        )


def begin(job: Job, member: int, block: Block) -> tuple[Inputs, Carry]:
    """The inputs and the first carry of one block."""
    program, plan, problem = job.program, job.plan, job.problem
    shape, real = program.shape, np.dtype(plan.dtype)
    seeds = job.lanes[member].seeds[block.seeds]
    starts = [trees.cast(problem.start(seed), plan.dtype) for seed in seeds]
    points = jax.tree.map(lambda *leaves: np.stack(leaves), *starts)
    keys = np.stack([key_data(seed) for seed in seeds])
    seen, measures = jax.tree.map(np.asarray, program.evaluate(job.cast, points, keys))
    levels, stop, diverged = levels_on(problem, plan, *measures)
    levels += [np.full_like(stop, -np.inf)] * (shape.targets - len(levels))
    reference = problem.saddle if problem.saddle is not None else problem.minimum
    steps = plan.grid(problem.sample_fraction)
    inputs = Inputs(
        problem=job.cast,
        hypers=tuple(_values(job, m, block) for m in range(len(job.methods))),
        member=np.int32(member),
        keys=keys if shape.nested else _per_lane(keys, shape),
        grid=np.pad(steps, (0, shape.grid - len(steps)), mode="edge"),
        num_edges=np.int32(len(steps)),
        levels=np.stack([_per_lane(level, shape) for level in levels]),
        stop_level=_per_lane(stop, shape),
        diverged_level=_per_lane(diverged, shape),
        reference=np.asarray(0.0 if reference is None else reference, real),
        prices=plan.prices_on(problem).astype(real),
        budget=np.asarray(plan.limit, real),
        record=_recorded(job.lanes[member], job.program.shape, block),
    )
    blank = jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), program.blank)
    blank.moving.calls[..., Calls._fields.index("value_and_gradients")] = 1
    moving = blank.moving._replace(
        evaluation=jax.tree.map(lambda leaf: _per_lane(leaf, shape), seen)
    )
    never = np.full_like(blank.hits.steps, -1)
    hits = blank.hits._replace(next_level=inputs.levels[0].copy(), steps=never)
    return inputs, blank._replace(moving=moving, hits=hits, fresh=np.bool_(True))


def _per_lane(leaf: np.ndarray, shape: Shape) -> np.ndarray:
    """[*lanes, ...] from [seeds, ...]."""
    over = np.broadcast_to(leaf[:, None], (*shape.block, *leaf.shape[1:]))
    return over.reshape(*shape.lanes, *leaf.shape[1:]).copy()


def _values(job: Job, member: int, block: Block) -> dict[tuple[int, str], np.ndarray]:
    """The hyperparameters of one member: the swept ones per setting of the block."""
    method, over = job.methods[member], job.program.group.members[member].over
    shape, values = job.program.shape, {}
    for hyper in method.hyperparameters():
        key = hyper.depth, hyper.name
        if over[key] == SETTINGS:
            value = np.asarray(job.lanes[member].settings[hyper.name])[block.settings]
            values[key] = value if shape.nested else np.tile(value, shape.block[0])
        else:
            values[key] = np.asarray(hyper.value)
    return {key: value.astype(job.plan.dtype) for key, value in values.items()}


def _recorded(lanes: Lanes, shape: Shape, block: Block) -> np.ndarray:
    """The lanes of this block to log, as flat indices into the block, padded with lane 0."""
    own = recorded_in(lanes.recorded, lanes.shape, block)
    padded = np.zeros(shape.recorded, np.int32)
    padded[: len(own)] = [inside for _, inside in own]
    return padded


def key_data(key: Any) -> np.ndarray:
    """The two words of key data of a seed."""
    return np.array([int(key) >> 32 & 0xFFFFFFFF, int(key) & 0xFFFFFFFF], np.uint32)
