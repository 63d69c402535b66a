"""The command line: parse, call, print. Each command imports what it needs when it runs."""

from __future__ import annotations

import click

from optbench import __version__
from optbench.cli.bounds import bounds
from optbench.cli.check import check
from optbench.cli.claims import claims
from optbench.cli.comparing import compare
from optbench.cli.diff import diff
from optbench.cli.listing import list_catalog
from optbench.cli.manners import Program, examples
from optbench.cli.plotting import animate, plot
from optbench.cli.rates import rates
from optbench.cli.reading import export, show
from optbench.cli.report import report
from optbench.cli.run import run

_EXAMPLES = examples(
    "optbench run                                          the shipped study, then a table",
    "optbench run --problem rosenbrock --optimizer adam    one pair",
    "optbench list problems                                what there is",
    "optbench compare results/quick                        who wins, by how much, how surely",
    "optbench report results/quick                         one page with all figures, to play with",
    "optbench plot results/quick                           figures of a finished study",
    "optbench animate results/quick --problem rosenbrock   paths that grow with cost",
    "optbench rates results/quick                          how fast its runs converge",
    "optbench diff results/old results/new                 what another version changed",
    "optbench bounds                                       theorems next to measured runs",
    "optbench claims textbook results/textbook             what is said of optimizers, tested",
)


@click.group("optbench", cls=Program, epilog=_EXAMPLES)
@click.version_option(__version__, prog_name="optbench", message="%(prog)s %(version)s")
def main() -> None:
    """Compare optimizers: run benchmarks, plot trajectories, reproduce convergence bounds."""


for _command in (
    run,
    list_catalog,
    check,
    show,
    compare,
    rates,
    diff,
    claims,
    report,
    plot,
    animate,
    export,
    bounds,
):
    main.add_command(_command)
