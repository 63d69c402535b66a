"""Running a study: what is finished is skipped, what is missing is computed."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from optbench import catalog
from optbench.cells import Batch, settle_groups
from optbench.database import FILE, reading, said_plainly
from optbench.design import LogGrid as LogGrid
from optbench.design import Study as Study
from optbench.design import load_study as load_study
from optbench.environment import describe_environment
from optbench.errors import OptbenchError
from optbench.fingerprint import digest, digest_environment
from optbench.instance import Instance, make_instance
from optbench.labels import family_of, problem_builder
from optbench.method import Method, find_method
from optbench.optimizers.names import known_optimizers
from optbench.pricing import measure_prices
from optbench.problem import Problem
from optbench.program import SEARCH_OPTIONS
from optbench.records import Cell, ProblemRecord
from optbench.results import Results, read_results, study_name
from optbench.reuse import without_reusable
from optbench.schedule import CellFinished as CellFinished
from optbench.schedule import Compiling as Compiling
from optbench.schedule import Event as Event
from optbench.schedule import Listener, failed_cell, work_off
from optbench.schedule import Running as Running
from optbench.schedule import StudyFinished as StudyFinished
from optbench.schedule import StudyStarted as StudyStarted
from optbench.store import Store, open_store
from optbench.survey import keep_landscape

STUDY_FILE = "study.toml"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """What the labels of a study stand for.

    Attributes:
        problems: label -> what builds the problem.
        methods: label -> optimizer.
        find: label -> an optimizer the study no longer has.
        families: label of a problem -> the module of the catalog that it comes from.
    """

    problems: Mapping[str, Callable[[], Problem]]
    methods: Mapping[str, Method]
    find: Callable[[str], Method]
    families: Mapping[str, str] = dataclasses.field(default_factory=dict)


def run_study(
    study: Study,
    folder: str | Path | None = None,
    *,
    problem_catalog: str = "problems",
    fresh: bool = False,
    listener: Listener | None = None,
) -> Results:
    """Run a study, or what is missing of it.

    Run again, it skips finished cells, tries failed ones again, and computes those that an edit
    of the study, or of the code they depend on, has changed. A problem or an optimizer that fails
    is recorded, and the others go on.

    Args:
        study: what to run.
        folder: where the results are kept; None for in memory.
        problem_catalog: importable package or module that holds the problems.
        fresh: compute every cell again; each replaces the old one as it finishes.
        listener: told what happens.

    Raises:
        OptbenchError: an unknown problem or optimizer, before anything runs; a folder that cannot
            be used, holds another study, or is in use by another process.
    """
    study, parts = _resolved(study, problem_catalog)
    return run_parts(study, parts, folder, fresh=fresh, listener=listener)


def plan_study(
    study: Study,
    folder: str | Path | None = None,
    *,
    problem_catalog: str = "problems",
    fresh: bool = False,
) -> tuple[list[Batch], list[Cell]]:
    """What a run would compute; arguments and errors as of `run_study`. Nothing is written.

    Returns:
        The batches, those with nothing pending too, and the failed cells of the problems that
        could not be built.
    """
    study, parts = _resolved(study, problem_catalog)
    place = None if folder is None else Path(folder)
    _check_owner(place, study)
    with open_store(None) as draft:
        if place is None or not (place / FILE).exists():
            return _lay_out(study, parts, draft, set())
        with reading(place) as connection:
            kept = Store(place, connection)
            for problem in study.problems:
                draft.add_groups(problem, kept.groups(problem))
            batches, unbuilt = _lay_out(study, parts, draft, _finished(kept, fresh))
            return batches if fresh else without_reusable(batches, kept, keep=False), unbuilt


def _resolved(study: Study, problem_catalog: str) -> tuple[Study, Parts]:
    """The study with its labels in their one spelling, and what they stand for."""
    problems = catalog.collect(problem_catalog, "Problem")
    optimizers = known_optimizers()
    study = dataclasses.replace(
        study,
        problems=tuple(str(catalog.parse_label(label)) for label in study.problems),
        optimizers=tuple(str(catalog.parse_label(label)) for label in study.optimizers),
    )

    def find(label: str) -> Method:
        return find_method(label, optimizers)

    parts = Parts(
        problems={label: problem_builder(label, problems) for label in study.problems},
        methods={label: find(label) for label in study.optimizers},
        find=find,
        families={label: family_of(label, problems) for label in study.problems},
    )
    return study, parts


def run_parts(
    study: Study,
    parts: Parts,
    folder: str | Path | None,
    *,
    fresh: bool = False,
    listener: Listener | None = None,
) -> Results:
    """Run a study whose labels are resolved; see `run_study`."""
    began = time.perf_counter()
    tell = listener or (lambda event: None)
    place = None if folder is None else Path(folder)
    _check_owner(place, study)
    with open_store(place) as store:
        batches, unbuilt = _lay_out(study, parts, store, _finished(store, fresh))
        if not fresh:
            batches = without_reusable(batches, store, keep=True)
        if place is not None:
            _write_study(place / STUDY_FILE, study)
        if study.measured_prices:
            for label, instance in {batch.problem: batch.instance for batch in batches}.items():
                store.keep_prices(label, measure_prices(instance.problem, instance.plan))
        total = len(study.problems) * len(study.optimizers)
        pending = len(unbuilt) + sum(len(batch.pending) for batch in batches)
        tell(StudyStarted(total=total, finished=total - pending))
        for cell in unbuilt:
            store.commit(cell, None)
            tell(CellFinished(cell=cell))
        target = study.search().target
        survey = functools.partial(
            keep_landscape, methods=parts.methods, target=target, store=store
        )
        spent = work_off(batches, store, tell, survey)
        results = read_results(store.connection, place)
    seconds = time.perf_counter() - began
    tell(StudyFinished(seconds=seconds, **spent._asdict()))
    return results


def _check_owner(folder: Path | None, study: Study) -> None:
    """Refuse a folder that holds another study, touching nothing."""
    if folder is None:
        return
    name = study_name(folder) if (folder / FILE).exists() else None
    if name is None and (folder / STUDY_FILE).exists():
        name = load_study(folder / STUDY_FILE).name
    if name not in (None, study.name):
        raise OptbenchError(
            f"{folder} holds the study {name!r}, not {study.name!r}", "give another folder"
        )


def _write_study(path: Path, study: Study) -> None:
    """Write the study beside its results, whole or not at all; one that says the same stays."""
    with said_plainly(path.parent):
        if path.exists() and load_study(path) == study:
            return
        draft = path.with_name(path.name + ".new")
        draft.write_text(study.to_toml(), encoding="utf-8")
        os.replace(draft, path)


def _finished(store: Store, fresh: bool) -> set[str]:
    """Keys of the cells that are not computed again."""
    return set() if fresh else store.finished()


def _lay_out(
    study: Study, parts: Parts, store: Store, finished: set[str]
) -> tuple[list[Batch], list[Cell]]:
    """Decide what the study consists of now, and keep that.

    Returns:
        The batches, and the failed cells of the problems that could not be built.
    """
    environment = describe_environment(study.precision, SEARCH_OPTIONS)
    hashed = digest_environment(environment)
    records: list[ProblemRecord] = []
    batches: list[Batch] = []
    unbuilt: list[Cell] = []
    for label, build in parts.problems.items():
        try:
            family = parts.families.get(label, "")
            instance = make_instance(label, build, study.plan(), study.search().all_seeds, family)
        except Exception as error:
            failed = [_unbuilt(label, optimizer, error) for optimizer in study.optimizers]
            records.append(ProblemRecord(label=label, failure=failed[0].message))
            unbuilt += failed
            continue
        records.append(instance.record)
        for batch in _batches(study, parts, store, instance, hashed):
            due = [o for o in batch.methods if o in parts.methods and batch.keys[o] not in finished]
            batches.append(dataclasses.replace(batch, pending=tuple(due)))
    keys = {(cell.problem, cell.optimizer): cell.key for cell in unbuilt}
    keys |= {(batch.problem, o): key for batch in batches for o, key in batch.keys.items()}
    shown = [(p, o, keys[p, o]) for p in study.problems for o in study.optimizers]
    store.begin(study.to_toml(), environment.to_json(), records, shown)
    return batches, unbuilt


def _batches(
    study: Study, parts: Parts, store: Store, instance: Instance, environment: str
) -> Iterator[Batch]:
    """The groups of all methods on one problem; those newly formed are kept."""
    problem = instance.record.label
    search = study.search()
    groups, new = settle_groups(instance, parts.methods, store.groups(problem), parts.find, search)
    store.add_groups(problem, new)
    for methods in groups:
        yield Batch(
            instance=instance,
            methods=methods,
            trials={label: search.propose(method) for label, method in methods.items()},
            search=search,
            environment=environment,
        )


def _unbuilt(problem: str, optimizer: str, error: Exception) -> Cell:
    key = digest("not built", problem, optimizer)
    return dataclasses.replace(failed_cell(key, problem, optimizer, error), status="failed")
