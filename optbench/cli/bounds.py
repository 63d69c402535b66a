"""`optbench bounds`: theorems next to measured runs."""

from __future__ import annotations

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
from optbench.tables import UNKNOWN, align

if TYPE_CHECKING:
    from optbench.bound import Theorem
    from optbench.checks.bounds import BoundReport

THEOREMS = "optbench.bounds"
FIGURES = Path("results/bounds/figures")

_COLUMNS = ("theorem", "verdict", "ratio at k", "tightness", "catches", "k", "runs")
_EXAMPLES = examples(
    "optbench bounds",
    "optbench bounds gd_convex_tight --json",
    'optbench bounds --problem "quadratic[dim=50]"',
    "optbench bounds gd_convex_tight --optimizer my_file.py:my_descent",
)


@click.command(epilog=_EXAMPLES)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--problem", metavar="LABEL", help="Compare on this problem, from three starts.")
@click.option("--optimizer", metavar="LABEL", help="Run this instead of the theorem's method.")
@catalog_option
@json_option
def bounds(
    ids: tuple[str, ...], problem: str | None, optimizer: str | None, catalog: str, as_json: bool
) -> ExitCode:
    """Compare theorems with runs, step by step.

    Exits with 1 where a bound is violated, or could not be compared.

    ratio: observed over bound, where the run comes nearest. tightness: how near worst cases come
    to a bound said to be attained. catches: the smallest error in the constant that would show.
    """
    with interrupt_deferred():
        from optbench.catalog import collect
        from optbench.cli.progress import counted
        from optbench.environment import enable_compilation_cache
        from optbench.labels import find_problem
        from optbench.method import find_method
        from optbench.optimizers.names import known_optimizers

    enable_compilation_cache()
    own = {
        "problem": problem and find_problem(problem, collect(catalog, "Problem")),
        "optimizer": optimizer and find_method(optimizer, known_optimizers()),
    }
    theorems = find_theorems(ids)
    reports = [
        report
        for theorem in counted("comparing", theorems)
        if (report := compare(theorem, own, must_apply=bool(ids))) is not None
    ]
    if not reports:
        raise OptbenchError("no theorem applies here", "the notes above say what each one needs")
    if as_json:
        say_json([report.to_json() for report in reports])
    else:
        click.echo(as_text(reports, page_width()))
    from optbench.figures.bounds import plot_bounds

    plot_bounds(reports, FIGURES)
    click.echo(f"Figures: {FIGURES}", err=True)
    return ExitCode.OK if all(report.passed for report in reports) else ExitCode.FAILED


def find_theorems(ids: tuple[str, ...]) -> list[Theorem]:
    """The theorems of these names; all, if none is named.

    Raises:
        OptbenchError: there is no such theorem.
    """
    from optbench.catalog import collect, lookup

    known = collect(THEOREMS, "Theorem")
    return [lookup(name, known, "theorem", "Theorem")() for name in ids or known]


def compare(theorem: Theorem, own: dict[str, Any], must_apply: bool) -> BoundReport | None:
    """A theorem next to runs; None, with a note, where it says nothing about somebody's own.

    Raises:
        OptbenchError: the theorem does not apply, and must.
    """
    from optbench.checks import check_bound

    try:
        return check_bound(theorem, **own)
    except OptbenchError as error:
        if must_apply or not any(own.values()):
            raise
        note("left out", error.message)
        return None


def as_text(reports: list[BoundReport], width: int) -> str:
    """One row per theorem."""
    return align(_COLUMNS, [_row(report) for report in reports], width=width, right={3, 6})


def _row(report: BoundReport) -> tuple[str, ...]:
    worse = {"upper": lambda r: r, "lower": lambda r: -r, "identity": lambda r: abs(r - 1)}
    known = [(c.ratio, c.ratio_k) for c in report.comparisons if c.ratio is not None]
    nearest = max(known, key=lambda at: worse[report.theorem.direction](at[0]), default=None)
    last = max((c.last_k or 0 for c in report.comparisons), default=0)
    return (
        report.theorem.name,
        str(report.verdict),
        f"{nearest[0]:.4g} at {nearest[1]}" if nearest else UNKNOWN,
        UNKNOWN if report.tightness is None else f"{report.tightness:.4f}",
        report.power,
        f"{report.theorem.k_range[0]}..{last}" if last else UNKNOWN,
        str(len(report.comparisons)),
    )
