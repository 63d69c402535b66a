"""What claims name: whether an optimizer or a problem that a study lacks exists at all."""

from __future__ import annotations

from collections.abc import Sequence

from optbench.catalog import Label, collect, parse_label
from optbench.errors import OptbenchError, unknown_name


def why_no_optimizer(label: str, tested: Sequence[str]) -> str:
    """Why a study has no such optimizer: there is none of the name, or it was not run.

    Args:
        label: that the study has not.
        tested: labels of those it has.
    """
    from optbench.optimizers.names import known_optimizers

    error = _unknown("optimizer", parse_label(label), [*tested, *known_optimizers()])
    return f"{label} is not in the study" if error is None else _told(error)


def why_no_problem(name: str, problem_catalog: str) -> str:
    """Why a name is neither problem nor family; empty where it is one.

    Args:
        name: a label or a family.
        problem_catalog: module that holds the problems.
    """
    from optbench.labels import family_of, known_transforms

    problems = collect(problem_catalog, "Problem")
    families = {family_of(one, problems) for one in problems}
    known = [*problems, *families, *known_transforms()]
    error = _unknown("problem or family", parse_label(name), known)
    return "" if error is None else _told(error)


def _unknown(kind: str, label: Label | None, known: list[str]) -> OptbenchError | None:
    """The error for the first name of a label that is not known; a file is trusted."""
    while label is not None:
        if label.name not in known and ".py:" not in label.name:
            where = f"`optbench list {kind.split()[0]}s` shows all"
            return unknown_name(kind, label.name, list(dict.fromkeys(known)), where)
        label = label.inner
    return None


def _told(error: OptbenchError) -> str:
    return f"{error.message}; {error.hint}"
