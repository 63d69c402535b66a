"""The whole catalog: who asks the table for what, what is found, and what is left open."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import sys
from collections.abc import Iterable
from unittest import mock

from certify.arithmetic import Unsupported
from certify.descents import Stationary, stationary_points
from certify.polish import polish
from certify.published import FILE, Published, agrees, read_published
from certify.rows import merged, probe_of, row_of, write_table

from optbench.catalog import Catalog, collect
from optbench.checks.probes import SLACK
from optbench.errors import OptbenchError
from optbench.labels import find_problem
from optbench.problem import Problem
from problems import minima
from problems.minima import ABSENT, Row

LEVEL = 1e-8  # relative difference of minima that are equally low
SHOWN = 10  # coordinates of a local minimum that the report prints


def asked(label: str, problems: Catalog) -> tuple[Problem, tuple[str, ...]]:
    """A problem as it is without the table, and the labels it asks the table for."""
    labels: list[str] = []
    with mock.patch.object(minima, "find_row", labels.append):  # append returns None: no row
        problem = find_problem(label, problems)
    return problem, tuple(dict.fromkeys(labels))


def requests(labels: Iterable[str]) -> dict[str, Problem]:
    """The problems to solve, by the label they have in the table."""
    problems, found = collect("problems", "Problem"), {}
    for label in dict.fromkeys(labels):
        try:
            problem, names = asked(label, problems)
        except OptbenchError as error:
            _say(f"{label}: {error}")
            continue
        found |= dict.fromkeys(names, problem)
    return found


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one problem: a row, or none, and what a reader should know."""

    row: Row | None
    notes: tuple[str, ...]


def certify(label: str, problem: Problem, published: Published | None) -> Outcome:
    """Solve one problem."""
    if problem.prox is not None or problem.nonsmooth is not None:
        return Outcome(None, ("constrained or nonsmooth: not solved here",))
    probe = probe_of(problem)
    points = stationary_points(probe)
    found = [point for point in points if point.convex and point.settled]
    if not found:
        return Outcome(None, ("no solver ends where the gradient vanishes and f bends up",))
    best, notes, polished = found[0], [], None
    try:
        polished = polish(probe, best.point)
    except Unsupported as reason:
        notes.append(f"not polished: {reason}")
    if best.flat:
        notes.append(f"{best.flat} eigenvalues are zero to rounding, once scaled")
        if polished is None:
            return Outcome(None, (*notes, f"not attained, or degenerate; f* near {best.value!r}"))
    if points[0] is not best:
        notes.append(f"f falls to {points[0].value!r}, where it has no minimum")
    printed = published.printed if published else ABSENT
    row = row_of(label, problem, best, polished, printed)
    if printed != ABSENT and not agrees(row.value, printed):
        notes.append(f"published is {printed}, found {row.value}")
    return Outcome(row, (*notes, *map(_described, _steps_up(found))))


def _steps_up(points: list[Stationary]) -> list[Stationary]:
    """Of minima, lowest first, those higher than the one before, and no plain at infinity."""
    return [
        point
        for below, point in itertools.pairwise(points)
        if not point.flat
        and point.value - below.value > LEVEL * abs(point.value) + SLACK * point.value_noise
    ]


def _described(point: Stationary) -> str:
    numbers = ", ".join(f"{x:.17g}" for x in point.point[:SHOWN])
    dots = ", ..." if point.point.size > SHOWN else ""
    return f"local minimum {point.value!r} at ({numbers}{dots}) by {', '.join(point.solvers)}"


def update(labels: list[str], only: bool) -> None:
    """Solve what is asked for, write the table, and print the report."""
    rows, published, notes = dict(minima.table()), read_published(FILE.read_text()), []
    known = [] if only else [*collect("problems", "Problem"), *rows, *published]
    wanted = requests([*labels, *known])
    for index, (label, problem) in enumerate(wanted.items(), 1):
        _say(f"[{index}/{len(wanted)}] {label}")
        outcome = certify(label, problem, published.get(label))
        notes += [f"{label}: {note}" for note in outcome.notes]
        if outcome.row is None:
            continue
        rows[label], reason = merged(outcome.row, rows.get(label), problem)
        notes += [f"{label}: {reason}"] if reason else []
        write_table(rows.values())
    write_table(rows.values())
    minima.table.cache_clear()
    print("\n".join([*notes, *_summary()]))


def _summary() -> list[str]:
    """How much is known of the catalog, and of which entries nothing is."""
    built = {name: factory() for name, factory in collect("problems", "Problem").items()}
    kinds = collections.Counter(p.minimum_kind for p in built.values() if p.minimum is not None)
    open_ = [n for n, p in built.items() if p.minimum is None and p.bounded_below]
    unbounded = sum(not p.bounded_below for p in built.values())
    polished = sum("mpmath" in row.method for row in minima.table().values())
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return [
        f"{len(built)} problems: {counts}, {len(open_)} unknown, {unbounded} unbounded",
        f"{polished} of {len(minima.table())} rows polished",
        *([f"unknown: {', '.join(open_)}"] if open_ else []),
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
