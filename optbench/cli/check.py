"""`optbench check`: the laws, for entries of the catalogs or for somebody's own functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import click

from optbench.cli.check_tables import show_conformance, show_invariance
from optbench.cli.interrupts import interrupt_deferred
from optbench.cli.manners import catalog_option, examples, json_option, say_json, use_color
from optbench.errors import ExitCode, OptbenchError, unknown_name

if TYPE_CHECKING:
    from optbench.catalog import Catalog, Label
    from optbench.checks import Check

LAW_WIDTH = 18

_EXAMPLES = examples(
    'optbench check rosenbrock "quadratic[dim=50]"',
    'optbench check "clip_by_global_norm(adam)" "noisy(rosenbrock)[scale=0.1]"',
    "optbench check my_file.py:my_problem",
    "optbench check                        everything in both catalogs",
    "optbench check --optimizers           agreement with torch and scipy",
    "optbench check --invariance adam lbfgs",
)


@click.command(epilog=_EXAMPLES)
@click.argument("labels", nargs=-1, metavar="[NAME]...")
@click.option("--optimizers", is_flag=True, help="Compare optimizers with torch and scipy.")
@click.option("--invariance", is_flag=True, help="Measure how coordinates and scales matter.")
@catalog_option
@json_option
def check(
    labels: tuple[str, ...], *, optimizers: bool, invariance: bool, catalog: str, as_json: bool
) -> ExitCode:
    """Hold entries to the laws.

    Exits with 1 where one fails.

    NAME is a label of a catalog, or file.py:function. Without one, all entries are checked.
    """
    if optimizers and (labels or invariance):
        raise OptbenchError("--optimizers stands alone", "name entries, or ask for --invariance")
    with interrupt_deferred():
        from optbench.environment import enable_compilation_cache

    enable_compilation_cache()
    if optimizers:
        return show_conformance(as_json)
    if invariance:
        return show_invariance(labels, as_json)
    return _hold(labels, catalog, as_json)


def _hold(labels: tuple[str, ...], catalog: str, as_json: bool) -> ExitCode:
    """Print what the laws say of entries, or of all; fail where one does not hold."""
    with interrupt_deferred():
        from optbench.catalog import collect
        from optbench.cli.progress import counted
        from optbench.optimizers.names import OPTIMIZERS, known_optimizers

    problems, known = collect(catalog, "Problem"), known_optimizers()
    asked = labels or (*problems, *collect(OPTIMIZERS, "Optimizer"))
    laws = {label: laws_for(label, problems, known) for label in asked}
    found = {label: laws[label]() for label in counted("checking", asked)}
    if as_json:
        say_json(found)
    else:
        for label, checks in found.items():
            _show(label, checks, only_failures=not labels)
    passed = all(law.passed for checks in found.values() for law in checks)
    return ExitCode.OK if passed else ExitCode.FAILED


def laws_for(label: str, problems: Catalog, optimizers: Catalog) -> Callable[[], tuple[Check, ...]]:
    """The laws of what a label names, yet to be looked at.

    Raises:
        OptbenchError: no catalog has it, or its file does not.
    """
    from optbench import checks
    from optbench.catalog import parse_label
    from optbench.labels import find_problem, known_transforms
    from optbench.method import find_method

    parsed = parse_label(label)
    known = [*problems, *known_transforms(), *optimizers]
    if ".py:" not in parsed.name and parsed.name not in known:
        where = "`optbench list` shows problems, transforms and optimizers"
        raise unknown_name("problem or optimizer", parsed.name, known, where)
    if _makes_problem(parsed, {*problems, *known_transforms()}):
        problem = find_problem(label, problems)
        return lambda: checks.check_problem(problem)
    method = find_method(label, optimizers)
    return lambda: checks.check_optimizer(method)


def _makes_problem(label: Label, known: Collection[str]) -> bool:
    """As its catalog or its return annotation says; else as what it wraps, or what it returns.

    Args:
        label: of a known name, or of a function in a file.
        known: the names of problems and transforms.
    """
    from optbench.catalog import load_file
    from optbench.problem import Problem

    if ".py:" not in label.name:
        return label.name in known
    function = load_file(label.name)
    returned = inspect.signature(function).return_annotation
    if returned is not inspect.Signature.empty:
        return "Problem" in str(returned)
    if label.inner is not None:
        return _makes_problem(label.inner, known)
    try:
        return isinstance(function(**dict(label.arguments)), Problem)
    except TypeError:
        return False  # a learning rate without a default, say: an optimizer is told what it lacks


def _show(label: str, checks: tuple[Check, ...], only_failures: bool) -> None:
    failed = [law for law in checks if not law.passed]
    known = sum(law.passed and bool(law.exception) for law in checks)
    verdict = f"{len(failed)} of {len(checks)} laws fail" if failed else f"{len(checks)} laws hold"
    if known and not failed:
        verdict = f"{len(checks) - known} laws hold, {known} known not to"
    color = use_color()
    click.echo(f"{click.style(label, bold=True)}: {verdict}", color=color)
    for law in failed if only_failures else checks:
        state = click.style("holds", fg="green") if law.passed else click.style("FAILS", fg="red")
        detail = f"{law.detail}{_figures(law)}"
        if law.exception and law.passed:
            state, detail = click.style("known", fg="yellow"), f"{law.exception}; {detail}"
        click.echo(f"  {law.law:<{LAW_WIDTH}} {state}  {detail}", color=color)


def _figures(law: Check) -> str:
    if law.measured is None or law.threshold is None:
        return ""
    return f" ({law.measured:.2g}, at most {law.threshold:.2g})"
