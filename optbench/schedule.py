"""Working off the cells of a study, one group after the other, telling what happens."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import jax

from optbench.cells import Batch
from optbench.errors import NotApplicable, OptbenchError
from optbench.host import HostJob
from optbench.instance import Instance
from optbench.job import Job, prepare
from optbench.records import Cell
from optbench.run import execute
from optbench.store import Store
from optbench.trajectory import Trajectory
from optbench.trials import space_to_json

AHEAD = 8  # batches to compile ahead, each of which holds a copy of its problem's data


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyStarted:
    """A study begins: how many cells it has, and how many of them are finished already."""

    total: int
    finished: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compiling:
    """A group's program is being compiled."""

    problem: str
    optimizers: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Running:
    """A cell is running: the share in [0, 1] of it that is done."""

    problem: str
    optimizer: str
    share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellFinished:
    """A cell is done, whatever its status, and kept."""

    cell: Cell


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyFinished:
    """A study is done: seconds from start to end, and those spent on each of its parts."""

    seconds: float
    compile_seconds: float
    run_seconds: float
    landscape_seconds: float


class Spent(NamedTuple):
    """Where the seconds of a study went.

    Attributes:
        compile_seconds: to compiling programs.
        run_seconds: to running cells.
        landscape_seconds: to computing landscapes, compilation included.
    """

    compile_seconds: float
    run_seconds: float
    landscape_seconds: float


Event = StudyStarted | Compiling | Running | CellFinished | StudyFinished
Listener = Callable[[Event], None]


def work_off(
    batches: Iterable[Batch],
    store: Store,
    listener: Listener,
    survey: Callable[[Instance], float],
) -> Spent:
    """Compute the pending cells of every batch, and keep each as it finishes.

    A cell that fails is kept as failed, with its message, and the others go on. A group that does
    not compile is taken apart, so that only the member that is to blame fails.

    Args:
        batches: of the study, those of a problem one after the other.
        store: of the study.
        listener: told what happens.
        survey: computes the landscape of a problem, where it is missing, and returns its seconds;
            called when the last pending cell of the problem is done, in the end for those that
            had none pending.
    """
    batches = list(batches)
    pending = [batch for batch in batches if batch.pending]
    compiling = running = surveying = 0.0
    to_survey = dict.fromkeys(batch.instance for batch in batches)
    latest: Instance | None = None
    for batch, job, seconds in _compile_ahead(pending, store, listener):
        compiling += seconds
        if latest in to_survey and latest is not batch.instance:
            surveying += survey(latest)
            del to_survey[latest]
        latest = batch.instance
        for label in batch.pending:
            outcome = job if isinstance(job, Exception) else _run(job, batch, label, listener)
            cell = _cell(batch, label, outcome, seconds)
            if isinstance(outcome, Trajectory):  # kept first: who has finished has searched on
                running += _search_on(batch, label, outcome, store, listener)
            store.commit(cell, outcome if isinstance(outcome, Trajectory) else None)
            listener(CellFinished(cell=cell))
            running += cell.run_seconds or 0.0
    surveying += sum(map(survey, to_survey))
    return Spent(compiling, running, surveying)


def _search_on(
    batch: Batch, label: str, trajectory: Trajectory, store: Store, listener: Listener
) -> float:
    """Search beyond the edge of the space where the best trial lay there, in the same program.

    Returns:
        Seconds spent running.
    """
    more = batch.extension(label, trajectory)
    if more is None:
        return 0.0
    job, seconds = _compiled(more)
    outcome = job if isinstance(job, Exception) else _run(job, more, label, listener)
    cell = _cell(more, label, outcome, seconds)
    store.commit(cell, outcome if isinstance(outcome, Trajectory) else None)
    return cell.run_seconds or 0.0


def _compile_ahead(
    batches: Iterable[Batch], store: Store, listener: Listener
) -> Iterator[tuple[Batch, Job | HostJob | Exception, float]]:
    """Each batch with its job, or why there is none, and the seconds that took.

    While one batch runs, a second thread compiles the next ones.
    """
    waiting = collections.deque(batches)
    begun: dict[Batch, Future[tuple[Job | HostJob | Exception, float]]] = {}
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        while waiting:
            batch = waiting.popleft()
            listener(Compiling(problem=batch.problem, optimizers=tuple(batch.methods)))
            job, seconds = (begun.pop(batch, None) or pool.submit(_compiled, batch)).result()
            if isinstance(job, Exception) and len(batch.methods) > 1:
                parts = batch.apart()
                store.add_groups(batch.problem, [part.pending for part in parts])
                waiting.extendleft(reversed(parts))
                continue
            for later in itertools.islice(waiting, AHEAD):
                if later not in begun:
                    begun[later] = pool.submit(_compiled, later)
            yield batch, job, seconds
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _compiled(batch: Batch) -> tuple[Job | HostJob | Exception, float]:
    """The job of a batch, or why there is none, and the seconds that took."""
    began = time.perf_counter()
    instance, methods = batch.instance, list(batch.methods.values())
    try:
        job = prepare(instance.problem, methods, list(batch.lanes.values()), instance.plan)
    except Exception as error:
        job = error
    return job, time.perf_counter() - began


def _run(
    job: Job | HostJob, batch: Batch, label: str, listener: Listener
) -> Trajectory | Exception:
    def tell(share: float) -> None:
        listener(Running(problem=batch.problem, optimizer=label, share=share))

    tell(0.0)
    try:
        trajectory = execute(job, list(batch.methods).index(label), tell)
    except Exception as error:
        return error
    leaves = jax.tree_util.tree_leaves_with_path(trajectory.params)
    named = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
    return batch.lean(label, dataclasses.replace(trajectory, params=named.get("", named)))


def _cell(
    batch: Batch, label: str, outcome: Trajectory | Exception, compile_seconds: float
) -> Cell:
    if isinstance(outcome, Exception):
        failed = failed_cell(batch.keys[label], batch.problem, label, outcome)
        return dataclasses.replace(failed, extends=batch.extends)
    trials = batch.trials[label]
    return Cell(
        key=batch.keys[label],
        problem=batch.problem,
        optimizer=label,
        group=" + ".join(batch.methods),
        status="finished",
        compile_seconds=compile_seconds,
        run_seconds=outcome.run_seconds,
        trials=trials.num,
        space=space_to_json(trials.space),
        default_source=trials.default_source,
        extends=batch.extends,
    )


def failed_cell(key: str, problem: str, optimizer: str, error: Exception) -> Cell:
    """The cell of a pair that failed, or that cannot run."""
    lines = str(error).strip().splitlines() or [""]
    told = isinstance(error, OptbenchError)
    return Cell(
        key=key,
        problem=problem,
        optimizer=optimizer,
        group=optimizer,
        status="not applicable" if isinstance(error, NotApplicable) else "failed",
        message=error.message if told else f"{type(error).__name__}: {lines[0]}",
    )
