"""`optbench list`: the catalogs, grouped by family."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from optbench.cli.manners import catalog_option, examples, json_option, page_width, say_json
from optbench.errors import ExitCode, OptbenchError, unknown_name
from optbench.tables import UNKNOWN, align, number

if TYPE_CHECKING:
    from optbench.catalog import Catalog
    from optbench.problem import Problem

_EXAMPLES = examples(
    "optbench list problems",
    "optbench list problems --convex --max-dim 100",
    "optbench list problems --family nist",
    "optbench list transforms",
    "optbench list optimizers --json",
    "optbench list optimizers --all",
    "optbench list problems --problems my_problems",
)


Record = dict[str, Any]

_COLUMNS: dict[str, dict[str, Callable[[Record], str]]] = {
    "problems": {
        "problem": lambda r: r["name"],
        "dim": lambda r: str(r["dim"]),
        "class": lambda r: r["class"] or UNKNOWN,
        "kappa": lambda r: number(r["condition_number"]),
        "f*": lambda r: "<= " * (r["minimum_kind"] == "best known") + number(r["minimum"]),
        "source": lambda r: authors(r["source"]) or UNKNOWN,
    },
    "transforms": {
        "transform": lambda r: r["name"],
        "arguments": lambda r: assignments(r["arguments"]) or UNKNOWN,
        "what it makes of a problem": lambda r: r["about"],
    },
    "optimizers": {
        "optimizer": lambda r: r["name"],
        "hyperparameters": lambda r: assignments(r["hyperparameters"]) or UNKNOWN,
        "searched": lambda r: searched_text(r["searched"], tunes_itself=r["tunes_itself"]),
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
        "cells": lambda r: str(r["cells"]),
        "trials": lambda r: str(r["trials"]),
        "seeds": lambda r: str(r["seeds"]),
        "budget": lambda r: number(r["budget"]),
        "purpose": lambda r: r["purpose"] or UNKNOWN,
    },
}


@click.command("list", epilog=_EXAMPLES)
@click.argument("kind", type=click.Choice(list(_COLUMNS)))
@click.option("--family", metavar="NAME", help="Of problems, those of one family.")
@click.option("--convex", is_flag=True, help="Of problems, the convex ones.")
@click.option("--max-dim", type=int, metavar="N", help="Of problems, those of dimension <= N.")
@click.option("--all", "whole", is_flag=True, help="Of optimizers, those of libraries too.")
@catalog_option
@json_option
def list_catalog(
    kind: str,
    *,
    family: str | None,
    convex: bool,
    max_dim: int | None,
    whole: bool,
    catalog: str,
    as_json: bool,
) -> ExitCode:
    """Show what there is, grouped by family.

    Of f* the best known value stands as <=: nobody has proved that nothing lies lower. Of what is
    searched, a + says that the best value may lie beyond the range.
    """
    if kind != "problems" and (family or convex or max_dim is not None):
        raise OptbenchError(
            f"no filter applies to {kind}", "--family, --convex and --max-dim choose among problems"
        )
    if kind != "optimizers" and whole:
        raise OptbenchError(f"{kind} are listed whole", "--all adds optimizers of libraries")
    records = {
        "problems": lambda: list_problems(catalog, family=family, convex=convex, max_dim=max_dim),
        "transforms": list_transforms,
        "optimizers": lambda: list_optimizers(whole=whole),
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
    elastic = {1, 2} if kind == "optimizers" else {len(columns) - 1}
    return align(list(columns), rows, width=width, elastic=elastic, wrap=kind != "problems")


def list_problems(
    catalog: str, *, family: str | None = None, convex: bool = False, max_dim: int | None = None
) -> Iterator[Record]:
    """One record per problem of a catalog, built with its defaults.

    Args:
        catalog: an importable package or module.
        family: keep those of this family.
        convex: keep those known to be convex.
        max_dim: keep those of at most this dimension.

    Raises:
        OptbenchError: there is no such family.
    """
    from optbench.catalog import collect
    from optbench.labels import find_problem

    entries = collect(catalog, "Problem")
    families = {name: family_of(factory, catalog) for name, factory in entries.items()}
    if family is not None and family not in families.values():
        known = list(dict.fromkeys(families.values()))
        raise unknown_name("family", family, known, f"the families are {', '.join(known)}")
    for name, factory in entries.items():
        if family is not None and families[name] != family:
            continue
        problem = find_problem(name, entries)
        if convex and not problem.constants.convex:
            continue
        if max_dim is not None and problem.dim > max_dim:
            continue
        yield {"family": families[name], "name": name} | _passport(problem, factory)


def _passport(problem: Problem, factory: Callable[..., Any]) -> Record:
    known = problem.constants
    return {
        "dim": problem.dim,
        "class": class_of(problem),
        "condition_number": known.condition_number,
        "minimum": problem.minimum,
        "minimum_kind": problem.minimum_kind,
        "constants": dataclasses.asdict(known),
        "finite_sum": bool(problem.row_arrays),
        "critical_points": [[p.kind, p.value] for p in problem.critical_points],
        "arguments": defaults(factory),
        "about": about(factory),
        "source": problem.source,
    }


def list_transforms() -> Iterator[Record]:
    """One record per transform of problems."""
    from optbench.labels import known_transforms

    for name, transform in known_transforms().items():
        yield {
            "name": name,
            "arguments": {n: v for n, v in defaults(transform).items() if n != "problem"},
            "about": about(transform),
        }


def list_optimizers(*, whole: bool = False) -> Iterator[Record]:
    """One record per optimizer of the catalog.

    Args:
        whole: whether those of libraries follow, each library a family.
    """
    from optbench.catalog import collect
    from optbench.optimizers.names import OPTIMIZERS, library_optimizers

    found = collect(OPTIMIZERS, "Optimizer")
    families = {name: family_of(factory, OPTIMIZERS) for name, factory in found.items()}
    if whole:
        found |= library_optimizers()
        families |= {name: name.rpartition(".")[0] for name in library_optimizers()}
    for name, factory in found.items():
        yield {
            "family": families[name],
            "name": name,
            "hyperparameters": defaults(factory),
            "searched": _searched(name, found),
            "tunes_itself": getattr(factory, "search_space", None) == {},
            "about": about(factory),
        }


def _searched(name: str, known: Catalog) -> Record | None:
    """Hyperparameter -> the range that a study searches; None where arguments are missing."""
    from optbench.method import find_method
    from optbench.space import space_of

    try:
        space = space_of(find_method(name, known))
    except OptbenchError:
        return None
    return {name: dataclasses.asdict(axis) for name, axis in space.items()}


def searched_text(searched: Record | None, *, tunes_itself: bool = False) -> str:
    """What is searched over which range, a + where the best may lie beyond it."""
    if searched is None:
        return UNKNOWN
    if not searched:
        return "tunes itself" if tunes_itself else "nothing"
    return ", ".join(
        f"{name} {axis['low']:g}..{axis['high']:g}{'+' * axis['extends']}"
        for name, axis in searched.items()
    )


def list_theorems() -> Iterator[Record]:
    """One record per theorem."""
    from optbench.bounds.names import THEOREMS
    from optbench.catalog import collect

    for name, make in collect(THEOREMS, "Theorem").items():
        theorem = make()
        yield {
            "family": family_of(make, THEOREMS),
            "name": name,
            "tight": theorem.tight,
            "statement": theorem.statement,
            "latex": theorem.latex,
            "source": theorem.source,
        }


def list_studies() -> Iterator[Record]:
    """One record per study that ships."""
    from optbench.design import load_study, shipped_studies

    for name in shipped_studies():
        study = load_study(name)
        cells = len(study.problems) * len(study.optimizers)
        purpose = first_sentence(study.description)
        yield dataclasses.asdict(study) | {"cells": cells, "purpose": purpose}


def first_sentence(text: str) -> str:
    """The text up to the first point, question or exclamation mark that ends a word."""
    found = re.match(r".*?[.?!](?=\s|$)", text.strip(), re.DOTALL)
    return " ".join((found[0] if found else text).split())


def family_of(factory: Callable[..., Any], catalog: str) -> str:
    """The module or package, right below the catalog, that a function lives in."""
    below = factory.__module__.removeprefix(f"{catalog}.")
    return below.partition(".")[0]


def about(entry: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(entry) or "").partition("\n")[0]


def authors(source: str) -> str:
    """Who wrote it and when, without the place: what stands before and in the first brackets."""
    return re.match(r"[^(]*(\(\d{4}\))?", source)[0].strip()  # type: ignore[index]


def defaults(factory: Callable[..., Any]) -> dict[str, Any]:
    """The arguments of a catalog function; of one that is a function, its name."""
    from optbench.catalog import parameters

    named = ((p.name, "required" if p.required else p.default) for p in parameters(factory))
    return {n: getattr(v, "__name__", v) for n, v in named}


def assignments(arguments: dict[str, Any]) -> str:
    """Arguments as they stand in a label."""
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def class_of(problem: Problem) -> str:
    """Its curvature, then what else decides which methods apply."""
    known = problem.constants
    curvatures = {
        "quadratic": known.quadratic and known.convex and problem.nonsmooth is None,
        "strongly convex": known.convex and known.strong_convexity,
        "convex": known.convex,
        "nonconvex": known.convex is False,
        "curvature unknown": True,
    }
    traits = {
        "nonsmooth": problem.nonsmooth is not None,
        "manifold": problem.tangent is not None,
        "constrained": problem.constrained and problem.tangent is None,
        "sampled": problem.stochastic,
    }
    curvature = next(kind for kind, holds in curvatures.items() if holds)
    return ", ".join([curvature, *(trait for trait, holds in traits.items() if holds)])
