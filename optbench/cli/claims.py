"""`optbench claims`: sentences that the results of a study support or refute."""

from __future__ import annotations

from pathlib import Path

import click

from optbench.cli.interrupts import interrupt_deferred
from optbench.cli.manners import examples, json_option, page_width, results_argument, say_json
from optbench.errors import ExitCode

_EXAMPLES = examples(
    "optbench claims textbook results/textbook             those of textbooks, on their study",
    "optbench claims my_claims.toml results/quick          your own",
    "optbench claims textbook results/textbook --json      with intervals and probabilities",
)


@click.command(epilog=_EXAMPLES)
@click.argument("file")
@results_argument
@json_option
def claims(file: str, results: Path, as_json: bool) -> ExitCode:
    r"""Test claims on the results of a study.

    FILE is a TOML file of claims, or the name of one that ships: `textbook` or `published`. Each
    claim is a sentence such as "momentum beats gradient_descent by 3x at 1e-6 on quadratics with
    condition >= 100", with its source. Where a verdict is not the one that the file expects, a
    (!) stands beside it, and the exit code is 1.

    \b
    A beats B [by Fx] [in UNIT] at TAU on PROBLEMS
    A is as good as B within Fx [in UNIT] at TAU on PROBLEMS
    A reaches TAU on PROBLEMS [within N UNIT]
    A fails to reach TAU on PROBLEMS
    A diverges on PROBLEMS
    A ends at a saddle on PROBLEMS
    A takes N UNIT [within P%] to TAU on PROBLEMS

    A and B are optimizers, TAU is a target such as 1e-6, and PROBLEMS are problems, families or
    kinds such as `all problems`, `saddles`, `stochastic convex problems`.
    """
    with interrupt_deferred():
        from optbench.claims import load_claims
        from optbench.claims.findings import evaluate_claims
        from optbench.report.claims import claim_record, claims_text
        from optbench.results import Results

    findings = evaluate_claims(load_claims(file), Results.open(results))
    if as_json:
        say_json([claim_record(finding) for finding in findings])
    else:
        click.echo(claims_text(findings, page_width()))
    return ExitCode.OK if all(finding.as_expected for finding in findings) else ExitCode.FAILED
