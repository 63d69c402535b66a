"""`optbench rates`: how fast the runs of a study converge, next to theory."""

from __future__ import annotations

from pathlib import Path

import click

from optbench.cli.interrupts import interrupt_deferred
from optbench.cli.manners import (
    catalog_option,
    examples,
    json_option,
    page_width,
    results_argument,
    say_json,
)
from optbench.errors import ExitCode

_EXAMPLES = examples(
    "optbench rates results/quick",
    "optbench rates results/quick --json                   every setting, not the best alone",
    "optbench rates results/mine --problems my_problems    theory needs the catalog it ran on",
)


@click.command(epilog=_EXAMPLES)
@results_argument
@catalog_option
@json_option
def rates(results: Path, catalog: str, as_json: bool) -> ExitCode:
    """Tell how fast the runs of a study converge.

    Linear (a factor q a step), sublinear (k^-p) or superlinear (with its order), each with the
    interval over which the estimate moves with the window; or why no rate can be told. Beside it
    stands what theory tells of the optimizer from the constants of the problem.
    """
    with interrupt_deferred():
        from optbench.catalog import collect
        from optbench.optimizers.names import known_optimizers
        from optbench.report.rates import Catalogs, pair_rates, rates_text
        from optbench.results import Results

    found = Results.open(results)
    catalogs = Catalogs(collect(catalog, "Problem"), known_optimizers())
    pairs = list(pair_rates(found, catalogs, every_setting=as_json))
    if as_json:
        say_json(pairs)
    else:
        click.echo(rates_text(pairs, found.problems, page_width()))
    return ExitCode.OK
