"""`optbench bounds`: theorems next to measured runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optbench.cli.interrupts import interrupt_deferred
from optbench.cli.manners import (
    catalog_option,
    examples,
    json_option,
    note,
    page_width,
    say_json,
)
from optbench.errors import ExitCode, OptbenchError
from optbench.tables import align

if TYPE_CHECKING:
    from optbench.bound import Theorem
    from optbench.checks.bounds import BoundReport

RESULTS = Path("results/bounds")

_COLUMNS = ("theorem", "verdict", "ratio at k", "tightness", "catches", "k", "runs")
_EXAMPLES = examples(
    "optbench bounds",
    "optbench bounds gd_convex_tight --json",
    'optbench bounds --problem "quadratic[dim=50]"',
    "optbench bounds gd_convex_tight --problem my_file.py:my_problem --optimizer my_optimizer",
    "optbench bounds my_file.py:my_theorem",
    "optbench bounds gd_convex_tight --attack",
)


@click.command(epilog=_EXAMPLES)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--problem", metavar="LABEL", help="Compare on this problem, from three starts.")
@click.option("--optimizer", metavar="LABEL", help="Run this instead of the theorem's method.")
@click.option("--attack", is_flag=True, help="Search for a worst instance by gradient ascent.")
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default=True,
    help="Folder of bounds.md, bounds.csv, bounds.npz and figures.",
)
@catalog_option
@json_option
def bounds(
    ids: tuple[str, ...], attack: bool, results: Path, catalog: str, as_json: bool, **own: Any
) -> ExitCode:
    """Compare theorems with runs, step by step.

    Exits with 1 where a bound is violated, or could not be compared.

    ratio: observed over bound, where the run comes nearest. tightness: how near worst cases come
    to a bound said to be attained. catches: the smallest error in the constant that would show.

    --attack climbs observed over bound through the method, over all instances of a generic class,
    and saves the worst one found as a problem to be run again.
    """
    with interrupt_deferred():
        from optbench.catalog import collect
        from optbench.environment import enable_compilation_cache
        from optbench.labels import find_problem
        from optbench.method import find_method
        from optbench.optimizers.names import known_optimizers

    enable_compilation_cache()
    theorems = find_theorems(ids)
    if attack:
        from optbench.cli.attacking import attack_all

        if any(own.values()):
            raise OptbenchError("--attack makes its own problems", "leave --problem out")
        return attack_all(theorems, must_apply=bool(ids), results=results, as_json=as_json)
    problem, optimizer = own["problem"], own["optimizer"]
    subject = {
        "problem": problem and find_problem(problem, collect(catalog, "Problem")),
        "optimizer": optimizer and find_method(optimizer, known_optimizers()),
    }
    return _compare_all(theorems, subject, must_apply=bool(ids), results=results, as_json=as_json)


def find_theorems(ids: tuple[str, ...]) -> list[Callable[[], Theorem]]:
    """The functions of these theorems; all, if none is named.

    Raises:
        OptbenchError: there is no such theorem.
    """
    from optbench.bounds.names import THEOREMS
    from optbench.catalog import collect, lookup

    known = collect(THEOREMS, "Theorem")
    return [lookup(name, known, "theorem", "Theorem") for name in ids or known]


def _compare_all(
    theorems: Sequence[Callable[[], Theorem]],
    subject: dict[str, Any],
    *,
    must_apply: bool,
    results: Path,
    as_json: bool,
) -> ExitCode:
    """Compare, write and tell; where it is interrupted, write what there is beside a page."""
    from optbench.report.bounds import write_bounds

    reports: list[tuple[str, BoundReport]] = []
    planned = None if any(subject.values()) else len(theorems)
    try:
        for found in _reports(theorems, subject, must_apply):
            reports.append(found)
    except BaseException:
        if reports:
            kept = results / "unfinished" if (results / "bounds.md").exists() else results
            write_bounds(reports, kept, planned)
            click.echo(f"{kept}: bounds.md, bounds.csv, bounds.npz of what was compared", err=True)
        raise
    if not reports:
        raise OptbenchError("no theorem applies here", "the notes above say what each one needs")
    try:
        write_bounds(reports, results, planned)
    finally:
        _tell(reports, as_json)
    _draw(reports, results)
    click.echo(f"{results}: bounds.md, bounds.csv, bounds.npz, figures", err=True)
    return ExitCode.OK if all(report.passed for _, report in reports) else ExitCode.FAILED


def _reports(
    theorems: Sequence[Callable[[], Theorem]], subject: dict[str, Any], must_apply: bool
) -> Iterator[tuple[str, BoundReport]]:
    """Group and report of each theorem; a note, and nothing, where it does not apply.

    Raises:
        OptbenchError: a theorem does not apply, and must.
    """
    from optbench.checks import check_bound
    from optbench.cli.progress import counted
    from optbench.report.bounds import group_of

    for theorem in counted("comparing", theorems):
        try:
            yield group_of(theorem), check_bound(theorem(), **subject)
        except OptbenchError as error:
            if must_apply or not any(subject.values()):
                raise
            note("left out", error.message)


def _tell(reports: Sequence[tuple[str, BoundReport]], as_json: bool) -> None:
    from optbench.report.bounds import crossing_of

    if as_json:
        say_json([{"group": group, **report.to_json()} for group, report in reports])
        return
    click.echo(as_text(reports, page_width()))
    for report in (report for _, report in reports if not report.passed):
        for crossed in [c for c in report.comparisons if c.crossing is not None][:1]:
            note(report.theorem.name, crossing_of(crossed), "red")


def as_text(reports: Sequence[tuple[str, BoundReport]], width: int) -> str:
    """One row per theorem, in groups."""
    from optbench.report.bounds import row_of

    ordered = sorted(reports, key=lambda named: [group for group, _ in reports].index(named[0]))
    indent = "  " if len(reports) > 1 else ""
    rows = [(f"{indent}{report.theorem.name}", *row_of(report)) for _, report in ordered]
    header, *lines = align(_COLUMNS, rows, width=width, right={3, 6}).splitlines()
    if len(reports) == 1:
        return "\n".join([header, *lines])
    told = [header]
    for group, members in itertools.groupby(zip(ordered, lines, strict=True), lambda m: m[0][0]):
        told += [group, *(line for _, line in members)]
    return "\n".join(told)


def _draw(reports: Sequence[tuple[str, BoundReport]], results: Path) -> None:
    from optbench.cli.progress import counted
    from optbench.figures.bounds import plot_bounds

    for _, report in counted("drawing", reports):
        plot_bounds([report], results / "figures")
