"""Running: `run()` drives the compiled loop and returns what happened."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from optbench.assembly import assemble
from optbench.carry import Carry, Inputs
from optbench.curvature import smallest_eigenvalues
from optbench.errors import OptbenchError
from optbench.host import HostJob
from optbench.hosting import run_hosted
from optbench.job import Job, begin, prepare
from optbench.logbook import Block, Finished, Frame, recorded_in
from optbench.method import Method, make_method
from optbench.plan import Lanes, Plan, change_plan, merit_of
from optbench.problem import Problem
from optbench.program import Program, Shape, precision
from optbench.replay import diagnose
from optbench.trajectory import Trajectory
from optbench.validation import validate_problem

CHUNK_SECONDS = 0.3  # progress and Ctrl-C are looked after this often
FIRST_CHUNK = 256  # steps of the first call

Progress = Callable[[float], None]  # told the share of the work that is done


def execute(job: Job | HostJob, member: int = 0, progress: Progress | None = None) -> Trajectory:
    """Run one member of a job over all its lanes.

    Args:
        job: what `prepare` returned.
        member: index of the method to run.
        progress: told the share of this run that is done.
    """
    began = time.perf_counter()
    replayed = job if job.plan.diagnostics and isinstance(job, Job) else None
    parts = 1 if replayed is None else 2  # the run, and what is measured along its path

    def tell(part: int, share: float) -> None:
        if progress is not None:
            progress((part + share) / parts)

    with precision(job.plan.dtype):
        if isinstance(job, HostJob):
            finished = [run_hosted(job, functools.partial(tell, 0))]
        else:
            finished = _run_blocks(job, member, functools.partial(tell, 0))
    lanes = job.lanes if isinstance(job, HostJob) else job.lanes[member]
    frame = Frame(
        seeds=lanes.seeds,
        settings=lanes.settings,
        recorded=lanes.recorded,
        merit=merit_of(job.problem),
        exact=job.exact,
        targets=job.plan.targets_on(job.problem),
        noise_floor=job.plan.noise_floor,
        prices=job.plan.prices_on(job.problem),
        budget=job.plan.limit,
        diagnostics=job.diagnostics(member),
    )
    trajectory = assemble(
        finished,
        frame,
        curvature=_curvature(job, lanes, finished) if _decides(job.problem) else None,
        compile_seconds=job.compile_seconds,
        run_seconds=time.perf_counter() - began,
    )
    if replayed is None:
        return trajectory
    return diagnose(replayed, member, finished, trajectory, functools.partial(tell, 1))


def _run_blocks(job: Job, member: int, tell: Progress) -> list[Finished]:
    """Run the lanes of one member, block by block."""
    finished = []
    lanes = job.lanes[member]
    blocks = list(_blocks(lanes, job.program.shape))
    for index, block in enumerate(blocks):

        def tell_block(share: float, index: int = index) -> None:
            tell((index + share) / len(blocks))

        inputs, carry = begin(job, member, block)
        carry = _drive(job.program, inputs, carry, tell_block)
        finished.append(_finished(lanes, block, inputs, carry))
    return finished


def _finished(lanes: Lanes, block: Block, inputs: Inputs, carry: Carry) -> Finished:
    """What is kept of a block: of its points those alone that were asked for, and filled."""
    rows = int(carry.edge)
    own = recorded_in(lanes.recorded, lanes.shape, block)
    points = jax.tree.map(lambda leaf: leaf[:rows, : len(own)].copy(), carry.log.params)
    states = jax.tree.map(lambda leaf: leaf[:rows], carry.log.states)
    log = carry.log._replace(params=points, states=states if block.seeds.start == 0 else ())
    return Finished(block, inputs, carry.hits, log, rows, carry.ends)


def _drive(program: Program, inputs: Inputs, carry: Carry, tell: Progress) -> Carry:
    """Call the device in chunks until the log is full or all lanes are done."""
    stop = chunk = FIRST_CHUNK
    last = int(inputs.grid[-1])
    while True:
        began = time.perf_counter()
        carry = program.advance(inputs, carry, np.int32(min(stop, last)))
        step = int(carry.moving.step)
        if step >= last or np.asarray(carry.ended).all():
            return jax.tree.map(np.asarray, carry)
        tell(step / last)
        spent = max(time.perf_counter() - began, 1e-6)
        chunk = max(1, int(chunk * min(64.0, CHUNK_SECONDS / spent)))
        stop = step + chunk


def _decides(problem: Problem) -> bool:
    """Whether curvature tells minimizers from saddles: where f is smooth and x is free."""
    free = problem.prox is None and problem.nonsmooth is None
    return free and merit_of(problem) == "gradient norm"


def _curvature(job: Job | HostJob, lanes: Lanes, finished: list[Finished]) -> np.ndarray:
    """[S, H] the smallest Hessian eigenvalue at the end of each lane that met a target."""
    smallest = np.full(lanes.shape, np.nan)
    for part in finished:
        met = part.unfold((part.hits.steps >= 0).any(0))
        ends = jax.tree.map(lambda leaf, part=part, met=met: part.unfold(leaf)[met], part.ends)
        if met.any():
            with precision(job.plan.dtype):
                found = smallest_eigenvalues(job.cast, ends)
            smallest[part.block.seeds, part.block.settings][met] = found
    return smallest


def _blocks(lanes: Lanes, shape: Shape) -> Iterator[Block]:
    (all_seeds, all_settings), (seeds, settings) = lanes.shape, shape.block
    for seed in range(0, all_seeds, seeds):
        for setting in range(0, all_settings, settings):
            yield Block(slice(seed, seed + seeds), slice(setting, setting + settings))


def run(
    problem: Problem,
    optimizer: Method | Callable[..., Any],
    key: Any = 0,
    *,
    plan: Plan | None = None,
    record: bool = True,
    **changes: Any,
) -> Trajectory:
    """Run one optimizer once, from one start.

    Args:
        problem: what to minimize.
        optimizer: a `Method`, or a factory whose parameters all have defaults.
        key: a seed, or a JAX key: decides the start and every sample.
        plan: how far to run and what to log.
        record: whether to keep the point at every log point.
        **changes: fields of `Plan` to set, such as `budget=500` or `num_steps=100`.

    Returns:
        The trajectory, without axes for seeds and settings.

    Raises:
        OptbenchError: bad input, said in one line.
    """
    method = optimizer if isinstance(optimizer, Method) else make_method(optimizer)
    plan = change_plan(plan or Plan(), changes)
    validate_problem(problem)
    seed = _seed(key)
    lanes = Lanes(seeds=(seed,), recorded=(0,) if record else ())
    return execute(prepare(problem, [method], lanes, plan)).lane(0, 0)


def run_on(problem: Problem, method: Method, seed: int, last: int) -> Trajectory:
    """Every step from 0 to the last, whether or not f reaches f* or rises.

    Args:
        problem: what to minimize.
        method: with all its hyperparameters.
        seed: which start.
        last: the number of steps.
    """
    plan = Plan(budget=None, log_steps=tuple(range(last + 1)), noise_floor=-np.inf)
    endless = dataclasses.replace(problem, bounded_below=False)
    return run(endless, method, seed, plan=plan)


def _seed(key: Any) -> int:
    """A seed as an integer; of a JAX key, its two words as one number."""
    if isinstance(key, (int, np.integer)):
        if key < 0:
            raise OptbenchError(f"seed {key} is negative", "give 0 or a positive integer")
        return int(key)
    high, low = np.asarray(jax.random.key_data(key)).ravel().tolist()[:2]
    return high << 32 | low
