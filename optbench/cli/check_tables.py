"""The tables of `optbench check`: agreement with other libraries, and invariance."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from optbench.catalog import Label, parse_label
from optbench.cli.interrupts import interrupt_deferred
from optbench.cli.manners import page_width, say_json
from optbench.errors import ExitCode
from optbench.tables import UNKNOWN, align

if TYPE_CHECKING:
    from optbench.checks.conformance import Conformance
    from optbench.checks.invariance import Invariance
    from optbench.checks.scipy_baselines import Baseline

COLUMNS = {  # of the invariance table: change -> header
    "translation": "shift",
    "permutation": "permute",
    "rotation": "rotate",
    "scaling": "scale",
    "diagonal": "diagonal",
    "affine": "affine",
    "loss scaling": "loss",
    "constant": "constant",
}


def show_conformance(as_json: bool) -> ExitCode:
    """Print how the optimizers agree with those of torch and scipy; fail where one does not."""
    with interrupt_deferred():
        from optbench.checks.conformance import check_conformance, read_reference
        from optbench.checks.scipy_baselines import check_baselines
    reference = read_reference()
    steps, ends = check_conformance(reference=reference), check_baselines()
    if as_json:
        torch = {"versions": reference.versions, "rows": [_conformance_record(r) for r in steps]}
        say_json({"torch": torch, "scipy": [_baseline_record(row) for row in ends]})
    else:
        version = reference.versions["torch"]
        click.echo(f"torch {version}, point by point over {reference.steps[-1]} steps in float64")
        click.echo(conformance_text(steps, page_width()) + "\n")
        click.echo("scipy, by where both end, and by gradients and Hessian products until then")
        click.echo(baseline_text(ends, page_width()))
    return ExitCode.OK if all(row.holds for row in (*steps, *ends)) else ExitCode.FAILED


def conformance_text(rows: Iterable[Conformance], width: int) -> str:
    """One row per pair, and a line that counts the verdicts; ours is given the same values.

    Below a row stands where the two part, and what undoes it.
    """
    rows = list(rows)
    header = ["torch.optim", "here", "apart", "verdict"]
    cells = [
        [
            row.pair.reference,
            str(_name(parse_label(row.pair.label))),
            f"{row.difference:.0e}",
            row.verdict if row.holds else f"{row.verdict.upper()}, not as claimed",
        ]
        for row in rows
    ]
    verdicts = [row.verdict for row in rows]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("agrees", "documented", "differs"))
    notes = [_remedy(row) for row in rows]
    table = align(header, cells, width=width, elastic={0}, wrap=True, notes=notes)
    return f"{table}\n{counts}"


def _name(label: Label) -> Label:
    """A label without the numbers, which are torch's."""
    switches = tuple(a for a in label.arguments if isinstance(a[1], bool))
    return Label(label.name, _name(label.inner) if label.inner else None, switches)


def _arguments(label: Label | None) -> tuple[tuple[str, Any], ...]:
    return (*_arguments(label.inner), *label.arguments) if label else ()


def _remedy(row: Conformance) -> str:
    """Where a pair parts, and the arguments that undo it."""
    pair = row.pair
    if pair.reproduced_by is None or row.remaining is None:
        return pair.cause
    given = _arguments(parse_label(pair.label))
    changed = [a for a in _arguments(parse_label(pair.reproduced_by)) if a not in given]
    arguments = ", ".join(f"{name}={value}" for name, value in changed)
    return f"{pair.cause}; {arguments}: {row.remaining:.0e}"


def baseline_text(rows: Iterable[Baseline], width: int) -> str:
    """One row per optimizer and problem."""
    header = ["here", "scipy", "problem", "apart", "calls", "scipy's", "cost", "verdict"]
    cells = [
        [
            row.label,
            row.reference,
            row.problem,
            f"{row.distance:.0e}",
            "{} + {}".format(*row.calls),
            "{} + {}".format(*row.reference_calls),
            f"{row.cost_ratio:.2f}x",
            "agrees" if row.holds else "DIFFERS",
        ]
        for row in rows
    ]
    return align(header, cells, width=width, right={4, 5, 6})


def _conformance_record(row: Conformance) -> dict[str, Any]:
    return {
        "reference": row.pair.reference,
        "label": row.pair.label,
        "difference": row.difference,
        "verdict": row.verdict,
        "cause": row.pair.cause or None,
        "reproduced_by": row.pair.reproduced_by,
        "remaining": row.remaining,
        "holds": row.holds,
    }


def _baseline_record(row: Baseline) -> dict[str, Any]:
    return {
        "reference": row.reference,
        "label": row.label,
        "problem": row.problem,
        "flat": row.flat,
        "distance": row.distance,
        "calls": row.calls,
        "reference_calls": row.reference_calls,
        "cost_ratio": row.cost_ratio,
        "holds": row.holds,
    }


def show_invariance(labels: tuple[str, ...], as_json: bool) -> ExitCode:
    """Print what changes of coordinates and of the loss do to optimizers."""
    with interrupt_deferred():
        from optbench.catalog import collect
        from optbench.checks.invariance import measure_invariance
        from optbench.cli.progress import counted
        from optbench.method import find_method
        from optbench.optimizers.names import OPTIMIZERS, known_optimizers

    known = known_optimizers()
    asked = labels or collect(OPTIMIZERS, "Optimizer")
    methods = {label: find_method(label, known) for label in asked}
    rows = [
        dataclasses.replace(measure_invariance(methods[label]), label=label)
        for label in counted("measuring", list(methods))
    ]
    if as_json:
        say_json(rows)
    else:
        click.echo(invariance_text(rows, page_width()))
    return ExitCode.OK


def invariance_text(rows: Iterable[Invariance], width: int) -> str:
    """One row per optimizer, one column per change."""
    cells = [[row.label, *(_defect(row.defects.get(change)) for change in COLUMNS)] for row in rows]
    table = align(["optimizer", *COLUMNS.values()], cells, width=width, right=range(1, 9))
    legend = f"inv: invariant; else by how much of its way the path changes. {UNKNOWN}: no path"
    return f"{table}\n{legend}"


def _defect(defect: float | None) -> str:
    from optbench.checks.invariance import INVARIANT

    if defect is None or defect != defect:
        return UNKNOWN
    return "inv" if defect <= INVARIANT else f"{defect:.0e}" if defect < 1e-2 else f"{defect:.2g}"
