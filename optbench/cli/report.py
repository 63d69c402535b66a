"""`optbench report`: one HTML file with everything that a study found."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from optbench.cli.manners import busy, examples, json_option, results_argument, say_json
from optbench.errors import ExitCode, OptbenchError

BOUNDS = "bounds"  # the folder of `optbench bounds`, beside that of a study


@click.command(
    epilog=examples(
        "optbench report results/quick",
        "optbench report results/quick --open",
        "optbench report results/quick --to page.html --bounds results/bounds",
    )
)
@results_argument
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file; RESULTS/report.html if not given.",
)
@click.option(
    "--bounds",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Results of `optbench bounds` to show too; those beside RESULTS if not given.",
)
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@json_option
def report(
    results: Path, to: Path | None, bounds: Path | None, *, opened: bool, as_json: bool
) -> ExitCode:
    """Write the report of a study: one HTML file that needs no network.

    It holds the verdict, paths over contours, convergence curves, profiles that are computed anew
    for the solvers you choose, learning-rate sensitivity, theorems and diagnostics.
    """
    from optbench.page import write_report
    from optbench.results import Results

    found = Results.open(results)
    if bounds is not None and not bounds.is_dir():
        raise OptbenchError(f"no folder {bounds}", "`optbench bounds` makes one")
    with busy("writing the report"):
        path = write_report(found, to, bounds=bounds or bounds_beside(results))
    say_json({"files": [path]}) if as_json else click.echo(path)
    if opened:
        webbrowser.open(path.absolute().as_uri())
    return ExitCode.OK


def bounds_beside(results: Path) -> Path | None:
    """The folder of `optbench bounds` beside that of a study; None where there is none."""
    from optbench.report.bound_records import FILE

    beside = results.parent / BOUNDS
    return beside if (beside / FILE).is_file() else None
