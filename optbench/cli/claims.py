"""`optbench claims`: sentences that the results of a study support or refute."""

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
    "optbench claims textbook results/textbook             those of textbooks, on their study",
    "optbench claims my_claims.toml results/quick          your own",
    "optbench claims textbook results/textbook --json      with intervals and probabilities",
)


class _Command(click.Command):
    """A command whose help shows the sentences that a claim may be."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help, and below it each form of a sentence."""
        from optbench.claims.sentences import FORMS

        super().format_help_text(ctx, formatter)
        with formatter.section("Sentences"):
            for form in FORMS.values():
                formatter.write_text(form)


@click.command(cls=_Command, epilog=_EXAMPLES)
@click.argument("file")
@results_argument
@catalog_option
@json_option
def claims(file: str, results: Path, catalog: str, as_json: bool) -> ExitCode:
    """Test claims on the results of a study.

    FILE is a TOML file of claims, or the name of one that ships: `textbook` or `published`. Each
    claim is a sentence such as "momentum beats gradient_descent by 3x at 1e-6 on quadratics with
    condition >= 100", with its source. Where a verdict is not the one that the file expects, a
    (!) stands beside it, and the exit code is 1.

    A and B are optimizers, TAU is a target such as 1e-6, and PROBLEMS are problems, families or
    kinds such as `all problems`, `saddles`, `stochastic convex problems`.
    """
    with interrupt_deferred():
        from optbench.claims import load_claims
        from optbench.claims.findings import evaluate_claims
        from optbench.report.claims import claim_record, claims_text
        from optbench.results import Results

    found = Results.open(results)
    findings = evaluate_claims(load_claims(file), found, problem_catalog=catalog)
    if as_json:
        say_json([claim_record(finding) for finding in findings])
    else:
        click.echo(claims_text(findings, page_width()))
    return ExitCode.OK if all(finding.as_expected for finding in findings) else ExitCode.FAILED
