"""`optbench compare`: every optimizer of a study against a reference, as a table and a verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from optbench.cli.interrupts import interrupt_deferred
from optbench.cli.manners import (
    examples,
    json_option,
    note,
    page_width,
    results_argument,
    say_json,
)
from optbench.errors import ExitCode, OptbenchError
from optbench.trajectory import TARGETS

if TYPE_CHECKING:
    from optbench.comparison import Comparison
    from optbench.results import Results
    from optbench.verdict import Verdict
    from optbench.verdict.cost_axes import BreakEven

_EXAMPLES = examples(
    "optbench compare results/quick                                the verdict and its table",
    "optbench compare results/quick --target 1e-8 --reference adam",
    "optbench compare results/quick --unit steps --tracks          every track, counted in steps",
    "optbench compare results/quick --format latex > table.tex     for a paper",
)


@click.command(epilog=_EXAMPLES)
@results_argument
@click.option("--target", type=float, metavar="T", help="Fraction of the gap at the start.")
@click.option("--reference", metavar="LABEL", help="The optimizer that all are held against.")
@click.option(
    "--unit",
    type=click.Choice(["gradients", "measured", "steps", "samples", "seconds"]),
    default="gradients",
    show_default=True,
    help="What cost is counted in; measured: in gradients at the prices that "
    "`optbench run --measured-prices` found.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "markdown", "latex", "csv"]),
    default="text",
    show_default=True,
    help="Kind of table; all but text print it alone.",
)
@click.option("--tracks", is_flag=True, help="Show the tracks that are no headline as well.")
@json_option
def compare(
    results: Path,
    *,
    target: float | None,
    reference: str | None,
    unit: str,
    kind: str,
    tracks: bool,
    as_json: bool,
) -> ExitCode:
    """Compare the optimizers of a study with one of them.

    The verdict holds each one against the reference, over the problems that both can run on:
    ratio of costs with its 95 % interval, problems solved, and what two signed-rank tests agree
    on. What is undecided is called that. Below it stand what should be mended before anyone
    relies on it, and the price of a Hessian-vector product at which second order stops paying.
    """
    with interrupt_deferred():
        from optbench.comparison import compare_rows
        from optbench.report.comparison import FORMATS, as_text, comparison_lines
        from optbench.results import Results
        from optbench.verdict import reach_verdict

    found = Results.open(results)
    _require_target(found, target)
    compared = compare_rows(found, target)
    verdict = reach_verdict(compared, reference, unit=unit)
    contrasts = [sentence.contrast for sentence in verdict.sentences]
    lines = comparison_lines(compared, verdict.reference, contrasts, unit=unit, every_track=tracks)
    prices = _break_even_prices(compared, found)
    if as_json:
        say_json({"verdict": verdict, "rows": lines, "break_even_prices": prices})
    elif kind != "text":
        click.echo(FORMATS[kind](lines))
    else:
        _say(verdict, as_text(lines, page_width()), prices)
    return ExitCode.OK


def _require_target(found: Results, target: float | None) -> None:
    """Refuse a target that nothing was measured at.

    Raises:
        OptbenchError: the study has none such.
    """
    targets = found.study.get("targets", TARGETS)
    if target is not None and target not in targets:
        given = ", ".join(f"{value:g}" for value in targets)
        raise OptbenchError(f"target {target:g} is none of the study", f"give one of {given}")


def _say(verdict: Verdict, table: str, prices: list[BreakEven]) -> None:
    """The verdict, its table, prices, and all lints."""
    from optbench.report.verdict import verdict_text

    unlinted = dataclasses.replace(verdict, lints=())  # they stand in full below
    click.echo("\n\n".join([verdict_text(unlinted, page_width()), table]))
    if prices:
        click.echo("\nPrice of a Hessian-vector product, in gradients, at which it costs as much:")
    for found in prices:
        counted = f"{found.used} of {found.total} problems, declared {found.declared:g}"
        pair = f"{found.row.optimizer} against {found.reference.optimizer}"
        price = "none" if found.price is None else f"{found.price:.3g}"
        why = f": {found.why}" if found.why else ""
        click.echo(f"  {pair}: {price}{why} ({counted})")
    for lint in verdict.lints:
        note(f"lint, {lint.name}", f"{lint.message}; {lint.hint}")


def _break_even_prices(compared: Comparison, found: Results) -> list[BreakEven]:
    """Of every headline row that calls Hessian-vector products, against the best of first order."""
    from optbench.verdict.cost_axes import best_first_order, break_even_price, calls

    first = best_first_order(compared)
    if first is None:
        return []
    rows = [row for row in compared.headlines if calls(compared, row)]
    declared = found.study["prices"]["hessian_products"]
    return [break_even_price(compared, row, first, declared=declared) for row in rows]
