"""`optbench diff`: what changed between two results of a study, and whether it is worse."""

from __future__ import annotations

from pathlib import Path

import click

from optbench.cli.manners import examples, folder_of_results, json_option, page_width, say_json
from optbench.errors import ExitCode

_EXAMPLES = examples(
    "optbench diff results/old results/new           exit code 1 on a significant regression",
    "optbench diff results/old results/new --json    every pair, with p values and intervals",
)


@click.command(epilog=_EXAMPLES)
@click.argument("results_a", type=click.Path(path_type=Path), callback=folder_of_results)
@click.argument("results_b", type=click.Path(path_type=Path), callback=folder_of_results)
@json_option
def diff(results_a: Path, results_b: Path, as_json: bool) -> ExitCode:
    """Tell what changed from RESULTS_A to RESULTS_B.

    Two results of one study, made with another jax, optax or optimizer, are compared run by run:
    where trajectories part, what targets cost, who comes first. Exit code 1 where an optimizer is
    significantly slower, fails significantly more often, or no longer runs.
    """
    from optbench.regression import find_regression
    from optbench.report.regression import regression_text
    from optbench.results import Results

    found = find_regression(Results.open(results_a), Results.open(results_b))
    if as_json:
        say_json(found)
    else:
        click.echo(regression_text(found, page_width()))
    return ExitCode.FAILED if found.regressed else ExitCode.OK
