"""`optbench show` and `export`: read a folder of results."""

from __future__ import annotations

from pathlib import Path

import click

from optbench.cli.manners import (
    examples,
    json_option,
    page_width,
    results_argument,
    say_files,
    say_json,
    spark_levels,
)
from optbench.errors import ExitCode


@click.command(epilog=examples("optbench show results/quick", "optbench show results/quick --json"))
@results_argument
@json_option
def show(results: Path, as_json: bool) -> ExitCode:
    """Show the verdict and the table of a study again."""
    from optbench.cli.run import explain, show_verdict
    from optbench.results import Results

    found = Results.open(results)
    summary = found.summary()
    if as_json:
        say_json(summary)
    else:
        show_verdict(found)
        click.echo(summary.text(page_width(), spark_levels()))
        explain(found)
    return ExitCode.OK


@click.command(epilog=examples("optbench export results/quick --to csv"))
@results_argument
@click.option(
    "--to",
    type=click.Choice(["csv", "parquet"]),
    required=True,
    help="Kind of files; parquet needs the arrow extra.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the files; RESULTS/csv or RESULTS/parquet if not given.",
)
@json_option
def export(results: Path, to: str, output: Path | None, as_json: bool) -> ExitCode:
    """Write runs, hits, curves and diagnostics as tables."""
    from optbench.report.export import write_tables
    from optbench.results import Results

    return say_files(write_tables(Results.open(results), output or results / to, to), as_json)
