"""The problem that a label names."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from optbench import catalog, transforms
from optbench.catalog import Catalog, Label
from optbench.errors import OptbenchError, unknown_name
from optbench.problem import Problem


def problem_builder(label: str | Label, problems: Catalog) -> Callable[[], Problem]:
    """What builds the problem of a label.

    Args:
        label: `rosenbrock[dim=10]`, `file.py:function`, or a transform around another label, such
            as `noisy(rosenbrock[dim=10])[scale=0.1]`.
        problems: the catalog to look in.

    Raises:
        OptbenchError: an unknown name or argument, or a label that cannot be read.
    """
    parsed = catalog.parse_label(label) if isinstance(label, str) else label
    if parsed.inner is not None:
        transform = _find_transform(parsed, problems)
        inner = problem_builder(parsed.inner, problems)
        return functools.partial(_transformed, transform, inner, parsed)
    if parsed.name not in problems and parsed.name in known_transforms():
        raise OptbenchError(f"transform {parsed.name!r} has nothing to wrap", catalog.GRAMMAR)
    factory = catalog.lookup(parsed.name, problems, "problem", "Problem")
    catalog.check_arguments(factory, parsed.arguments, "problem", parsed.name)
    return functools.partial(factory, **dict(parsed.arguments))


def family_of(label: str, problems: Catalog) -> str:
    """The module of the catalog that the innermost problem of a label is from; empty if none."""
    parsed = catalog.parse_label(label)
    while parsed.inner is not None:
        parsed = parsed.inner
    if parsed.name not in problems:
        return ""
    parts = problems[parsed.name].__module__.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


@functools.cache
def known_transforms() -> Catalog:
    """What makes a problem of another, by name."""
    return catalog.collect(transforms, "Problem", wrapping=True)


def _find_transform(label: Label, problems: Catalog) -> Callable[..., Any]:
    """The function around the inner label, its arguments checked.

    Raises:
        OptbenchError: there is none, or it wraps nothing, or does not have these arguments.
    """
    name, known = label.name, known_transforms()
    if name not in known and ".py:" not in name and name not in problems:
        raise unknown_name("transform", name, list(known), f"there are {', '.join(known)}")
    transform = known.get(name) or catalog.lookup(name, problems, "problem", "Problem")
    if name not in known and not any(p.required for p in catalog.parameters(transform)[:1]):
        raise OptbenchError(f"problem {name!r} wraps no other", catalog.GRAMMAR)
    around = functools.partial(transform, None)  # its arguments but the problem
    catalog.check_arguments(around, label.arguments, "transform", name)
    return transform


def _transformed(
    transform: Callable[..., Any], build: Callable[[], Problem], label: Label
) -> Problem:
    inner = _require_problem(build(), str(label.inner))
    return _require_problem(transform(inner, **dict(label.arguments)), str(label))


def _require_problem(problem: Any, label: str) -> Problem:
    """The problem, named by its label.

    Raises:
        OptbenchError: it is none.
    """
    if not isinstance(problem, Problem):
        raise OptbenchError(
            f"problem {label!r} is a {type(problem).__name__}",
            "the function returns an optbench.Problem",
        )
    return dataclasses.replace(problem, name=label)


def find_problem(label: str, problems: Catalog) -> Problem:
    """The problem that a label names.

    Args:
        label: as `problem_builder` takes it.
        problems: the catalog to look in.

    Raises:
        OptbenchError: there is none, or its function refuses its arguments or returns no problem.
    """
    build = problem_builder(label, problems)
    try:
        problem = build()
    except (TypeError, ValueError) as error:
        raise OptbenchError(
            f"problem {label!r} cannot be built: {error}", "look at its arguments"
        ) from error
    return _require_problem(problem, label)
