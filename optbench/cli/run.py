"""`optbench run`: run a study, show its verdict and table, draw its figures."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optbench.cli.interrupts import interrupt_deferred, interrupt_remembered
from optbench.cli.manners import (
    busy,
    catalog_option,
    examples,
    json_option,
    note,
    page_width,
    say_json,
    spark_levels,
)
from optbench.errors import ExitCode, OptbenchError

if TYPE_CHECKING:
    from optbench.records import Cell
    from optbench.results import Results
    from optbench.schedule import Event
    from optbench.study import Study

SHIPPED = "quick"  # the study that runs where none is named
REPORT = "report.html"  # its page, in the folder of its results
AD_HOC = "adhoc"  # the name of a study of problems or optimizers named on the command line

_EXAMPLES = examples(
    "optbench run",
    "optbench run my_study.toml --seeds 20",
    "optbench run standard --dry-run                       what it would do, and for how long",
    'optbench run --problem "rosenbrock[dim=10]" --optimizer adam --optimizer lbfgs',
    "optbench run --problem rosenbrock --optimizer gradient_descent --diagnostics",
    'optbench run --problem my_file.py:my_problem --optimizer "adam[b1=0.8]" --budget 5000',
)


@click.command(epilog=_EXAMPLES)
@click.argument("study", required=False)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the results; results/<study>/ if not given.",
)
@click.option("--fresh", is_flag=True, help="Run everything again, also what is finished.")
@catalog_option
@click.option(
    "--problem",
    "problems",
    multiple=True,
    metavar="LABEL",
    help="Run this problem instead; may be repeated.",
)
@click.option(
    "--optimizer",
    "optimizers",
    multiple=True,
    metavar="LABEL",
    help="Run this optimizer instead; may be repeated.",
)
@click.option("--seeds", type=int, metavar="N", help="Number of starts.")
@click.option("--budget", type=float, metavar="B", help="Cost per run, in gradients.")
@click.option(
    "--diagnostics",
    is_flag=True,
    default=None,
    help="Measure and draw curvature, directions and sizes along the path, off the clock; "
    "not of scipy's solvers, which keep their states to themselves.",
)
@click.option(
    "--measured-prices",
    is_flag=True,
    default=None,
    help="Time the oracle calls of every problem, to show costs at these prices too.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would run, how long and in how much memory; run nothing.",
)
@json_option
def run(
    study: str | None, results: Path | None, fresh: bool, catalog: str, **options: Any
) -> ExitCode:
    """Run a study.

    STUDY is a TOML file or the name of a shipped one; `quick` if not given.

    Run again, it continues: finished cells are skipped, and an edited study computes only what
    changed. Prints the folder of the results; verdict, table and progress go to stderr.
    """
    with interrupt_deferred():
        from optbench.cli.door import require_sound
        from optbench.study import load_study

    dry_run, as_json = options.pop("dry_run"), options.pop("as_json")
    if as_json and not dry_run:
        raise OptbenchError("--json is for --dry-run", "`optbench show --json` prints results")
    given = {name: value for name, value in options.items() if value not in (None, ())}
    plan = changed(load_study(study or SHIPPED), given, is_named=study is not None)
    folder = results or Path("results") / plan.name
    if dry_run:
        require_sound(given.get("problems", ()), given.get("optimizers", ()), catalog)
        return foretell(plan, folder, catalog, fresh=fresh, as_json=as_json)
    return compute(plan, folder, catalog, fresh=fresh, named=given)


def compute(
    plan: Study, folder: Path, catalog: str, *, fresh: bool, named: dict[str, Any]
) -> ExitCode:
    """Run a study, and show it; check first the problems and optimizers that were named."""
    with interrupt_deferred():
        from optbench.cli.progress import LiveProgress
        from optbench.environment import enable_compilation_cache
        from optbench.study import run_study

    if warning := enable_compilation_cache():
        note("note", warning)
    try:
        _look_through(plan, catalog, named)
        with interrupt_remembered() as raise_again, LiveProgress() as show:

            def listener(event: Event) -> None:
                raise_again()
                show(event)

            done = run_study(plan, folder, problem_catalog=catalog, fresh=fresh, listener=listener)
        return finish(done, folder, redraw=show.computed > 0)
    except KeyboardInterrupt:
        again = "the same command without --fresh" if fresh else "the same command"
        note("interrupted", f"finished cells are kept in {folder}; {again} continues")
        return ExitCode.INTERRUPTED


def _look_through(plan: Study, catalog: str, named: dict[str, Any]) -> None:
    """Refuse what was named and cannot run, and say what has no diagnostics."""
    problems, optimizers = (named.get(kind, ()) for kind in ("problems", "optimizers"))
    if not (problems or optimizers or plan.diagnostics):
        return
    with interrupt_deferred():
        from optbench.cli.door import hosted_among, require_sound

    require_sound(problems, optimizers, catalog)
    if plan.diagnostics and (hosted := hosted_among(plan.optimizers)):
        note("note", f"no diagnostics of {', '.join(hosted)}: what runs on the host has no steps")


def foretell(plan: Study, folder: Path, catalog: str, *, fresh: bool, as_json: bool) -> ExitCode:
    """Print what a run would do."""
    from optbench.forecast import forecast_study
    from optbench.report.forecast import forecast_text

    found = forecast_study(plan, folder, problem_catalog=catalog, fresh=fresh)
    say_json(found) if as_json else click.echo(forecast_text(found))
    return ExitCode.OK


def changed(study: Study, given: dict[str, Any], *, is_named: bool) -> Study:
    """The study with what the command line gives; one of other things has another name.

    Where its reference is not among other optimizers, the first of them is.
    """
    if not is_named and given.keys() & {"problems", "optimizers"}:
        given = given | {"name": AD_HOC, "description": ""}
    if study.reference not in given.get("optimizers", study.optimizers):
        given = given | {"reference": None}
    return dataclasses.replace(study, **given)


def finish(done: Results, folder: Path, *, redraw: bool) -> ExitCode:
    """Show verdict and table, draw what has changed, say which cells failed, print the folder."""
    from optbench.report.full_table import write_full_table

    with busy("summing up"):
        summary = done.summary()
    show_verdict(done, err=True)
    click.echo(summary.text(page_width(), spark_levels(err=True)), err=True)
    pairs = write_full_table(done, summary, folder)
    figures, report = folder / "figures", folder / REPORT
    if redraw or not (figures.exists() and report.exists()):
        draw(done, figures, report)
    click.echo(f"Report: {report}. All pairs: {pairs}. Figures: {figures}.", err=True)
    click.echo(folder)
    explain(done)
    return ExitCode.FAILED if any(c.status == "failed" for c in done.cells) else ExitCode.OK


def draw(done: Results, figures: Path, report: Path) -> None:
    """Draw the figures of a study, and its report."""
    from optbench.cli.report import bounds_beside
    from optbench.database import said_plainly
    from optbench.figures import plot
    from optbench.page import write_report

    with busy("drawing the figures"), said_plainly(figures):
        plot(done, figures, workers=min(os.cpu_count() or 1, len(done.problems), 4))
    with busy("writing the report"):
        write_report(done, report, bounds=bounds_beside(report.parent))


def show_verdict(done: Results, *, err: bool = False) -> None:
    """Say what a study comes to, where it has two optimizers to compare."""
    from optbench.comparison import compare_rows
    from optbench.report.verdict import verdict_text
    from optbench.verdict import reach_verdict

    with busy("comparing"):
        compared = compare_rows(done)
    if len(compared.headlines) < 2:
        return
    try:
        with busy("reaching the verdict"):
            verdict = reach_verdict(compared)
    except OptbenchError as error:
        note("no verdict", f"{error.message}; {error.hint}")
    else:
        click.echo(verdict_text(verdict, page_width()) + "\n", err=err)


def explain(done: Results) -> None:
    """Say on stderr why pairs did not run or failed, one line per reason."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in done.cells:
        if cell.status != "finished":
            groups.setdefault((cell.status, cell.message), []).append(cell)
    for (status, message), (first, *more) in groups.items():
        others = f" and {len(more)} more" if more else ""
        color = "red" if status == "failed" else "yellow"
        note(status, f"{first.optimizer} on {first.problem}{others}: {message}", color)
