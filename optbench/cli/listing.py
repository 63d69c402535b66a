"""`optbench list`: the catalogs, grouped by family."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from optbench.cli.manners import catalog_option, examples, json_option, page_width, say_json
from optbench.errors import ExitCode
from optbench.tables import UNKNOWN, align, number

if TYPE_CHECKING:
    from optbench.problem import Problem

OPTIMIZERS = "optbench.optimizers"
THEOREMS = "optbench.bounds"

_EXAMPLES = examples(
    "optbench list problems",
    "optbench list optimizers --json",
    "optbench list problems --problems my_problems",
)


Record = dict[str, Any]

_COLUMNS: dict[str, dict[str, Callable[[Record], str]]] = {
    "problems": {
        "problem": lambda r: r["name"],
        "dim": lambda r: str(r["dim"]),
        "class": lambda r: r["class"] or UNKNOWN,
        "kappa": lambda r: number(r["condition_number"]),
        "f*": lambda r: number(r["minimum"]),
        "source": lambda r: r["source"] or UNKNOWN,
    },
    "optimizers": {
        "optimizer": lambda r: r["name"],
        "hyperparameters": lambda r: assignments(r["hyperparameters"]) or UNKNOWN,
    },
    "theorems": {
        "theorem": lambda r: r["name"],
        "tight": lambda r: "tight" if r["tight"] else UNKNOWN,
        "statement": lambda r: r["statement"],
    },
    "studies": {
        "study": lambda r: r["name"],
        "problems": lambda r: str(len(r["problems"])),
        "optimizers": lambda r: str(len(r["optimizers"])),
        "seeds": lambda r: str(r["seeds"]),
        "budget": lambda r: number(r["budget"]),
    },
}


@click.command("list", epilog=_EXAMPLES)
@click.argument("kind", type=click.Choice(list(_COLUMNS)))
@catalog_option
@json_option
def list_catalog(kind: str, catalog: str, as_json: bool) -> ExitCode:
    """Show what there is, grouped by family."""
    records = {
        "problems": lambda: list_problems(catalog),
        "optimizers": list_optimizers,
        "theorems": list_theorems,
        "studies": list_studies,
    }[kind]()
    if as_json:
        say_json(list(records))
    else:
        click.echo(as_text(kind, list(records), page_width()))
    return ExitCode.OK


def as_text(kind: str, records: list[Record], width: int) -> str:
    """One row per record, below its family."""
    columns = _COLUMNS[kind]
    rows: list[list[str]] = []
    for name, members in itertools.groupby(records, key=lambda record: record.get("family")):
        found = [[text(record) for text in columns.values()] for record in members]
        if name is not None:
            rows.append([name, *[""] * (len(columns) - 1)])
            found = [[f"  {first}", *rest] for first, *rest in found]
        rows += found
    last = len(columns) - 1
    return align(list(columns), rows, width=width, elastic={last}, wrap=kind != "problems")


def list_problems(catalog: str) -> Iterator[Record]:
    """One record per problem of a catalog, built with its defaults."""
    from optbench.catalog import collect
    from optbench.problem import find_problem

    entries = collect(catalog, "Problem")
    for name, factory in entries.items():
        problem = find_problem(name, entries)
        yield {
            "family": family(factory),
            "name": name,
            "dim": problem.dim,
            "class": _class(problem),
            "condition_number": problem.constants.condition_number,
            "minimum": problem.minimum,
            "minimum_kind": problem.minimum_kind,
            "arguments": defaults(factory),
            "about": about(factory),
            "source": problem.source,
        }


def list_optimizers() -> Iterator[Record]:
    """One record per optimizer."""
    from optbench.catalog import collect

    for name, factory in collect(OPTIMIZERS, "Optimizer").items():
        yield {
            "family": family(factory),
            "name": name,
            "hyperparameters": defaults(factory),
            "about": about(factory),
        }


def list_theorems() -> Iterator[Record]:
    """One record per theorem."""
    from optbench.catalog import collect

    for name, make in collect(THEOREMS, "Theorem").items():
        theorem = make()
        yield {
            "family": family(make),
            "name": name,
            "tight": bool(theorem.attained_at),
            "statement": theorem.statement,
            "latex": theorem.latex,
            "source": theorem.source,
        }


def list_studies() -> Iterator[Record]:
    """One record per study that ships."""
    from optbench.design import load_study, shipped_studies

    for name in shipped_studies():
        yield dataclasses.asdict(load_study(name))


def family(factory: Callable[..., Any]) -> str:
    """The module a catalog function lives in, without its package."""
    return factory.__module__.rpartition(".")[2]


def about(entry: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(entry) or "").partition("\n")[0]


def defaults(factory: Callable[..., Any]) -> dict[str, Any]:
    """The arguments of a catalog function; of one that is a function, its name."""
    from optbench.catalog import parameters

    named = ((p.name, p.default) for p in parameters(factory))
    return {n: getattr(v, "__name__", v) for n, v in named}


def assignments(arguments: dict[str, Any]) -> str:
    """Arguments as they stand in a label."""
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def _class(problem: Problem) -> str | None:
    known = problem.constants
    kinds = {
        "quadratic": known.quadratic and known.convex,
        "strongly convex": known.convex and known.strong_convexity,
        "convex": known.convex,
        "nonconvex": known.convex is False,
    }
    found = next((kind for kind, holds in kinds.items() if holds), None)
    return f"{found or 'unknown'}, sampled" if problem.stochastic else found
