"""What is shown of a comparison: some problems, some optimizers, all compared on the same ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from optbench.comparison import Comparison
from optbench.errors import OptbenchError, unknown_name
from optbench.tracks import Row
from optbench.verdict import reference_row
from optbench.verdict.contrasts import shared_problems


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """The rows that are compared, all on the same problems.

    Attributes:
        rows: R headline rows, in study order.
        problems: P labels on which all of them have run, in study order; a crash is a run.
        left_out: optimizer -> on how many of these problems it has run: not on all.
        dropped: problems of the comparison that not all of the rows have run on.
    """

    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    left_out: Mapping[str, int]
    dropped: tuple[str, ...]


def select(
    comparison: Comparison, problems: Sequence[str] = (), optimizers: Sequence[str] = ()
) -> Comparison:
    """The part of a comparison that is of some problems and some optimizers, in study order.

    Args:
        comparison: the rows of a study.
        problems: labels; all if none is given.
        optimizers: labels; all if none is given.

    Raises:
        OptbenchError: a label that the study does not have.
    """
    known = {"problem": [*comparison.problems], "optimizer": optimizers_of(comparison)}
    for kind, labels in (("problem", problems), ("optimizer", optimizers)):
        for label in labels:
            if label not in known[kind]:
                where = f"the study has {', '.join(known[kind])}"
                raise unknown_name(kind, label, known[kind], where)
    kept = set(problems or known["problem"]), set(optimizers or known["optimizer"])
    return dataclasses.replace(
        comparison,
        problems={p: record for p, record in comparison.problems.items() if p in kept[0]},
        rows=tuple(row for row in comparison.rows if row.optimizer in kept[1]),
        outcomes={
            (p, row): outcome
            for (p, row), outcome in comparison.outcomes.items()
            if p in kept[0] and row.optimizer in kept[1]
        },
        statuses={
            (p, o): status
            for (p, o), status in comparison.statuses.items()
            if p in kept[0] and o in kept[1]
        },
    )


def optimizers_of(comparison: Comparison) -> list[str]:
    """The labels of all optimizers, also of those that have finished nowhere."""
    return list(dict.fromkeys(optimizer for _, optimizer in comparison.statuses))


def field_of(
    comparison: Comparison,
    problems: Sequence[str] = (),
    optimizers: Sequence[str] = (),
    reference: str | None = None,
) -> Field:
    """The headline rows that can be compared, and the problems on which they are.

    Named optimizers are all shown, on the problems on which all of them have run. Where none is
    named, the reference decides the problems, as in a verdict, and a row is shown that has run on
    each of them.

    Args:
        comparison: the rows of a study.
        problems: labels; all if none is given.
        optimizers: labels; all if none is given.
        reference: an optimizer; the first row if not given.

    Raises:
        OptbenchError: an unknown label, or no problem on which the rows have run.
    """
    part = select(comparison, problems, optimizers)
    rows = part.headlines
    absent = [o for o in optimizers if o not in {row.optimizer for row in rows}]
    if absent:
        raise OptbenchError(f"{absent[0]} has finished on no problem", "leave it out")
    deciding = rows if optimizers else (reference_row(part, reference),)
    ran = {row: set(shared_problems(part, row, row)) for row in rows}
    common = [p for p in part.problems if all(p in ran[row] for row in deciding)]
    if not common:
        raise OptbenchError(
            f"there is no problem on which {_named(deciding)} ran",
            "name other optimizers, or more problems",
        )
    shown = tuple(row for row in rows if ran[row].issuperset(common))
    ran_by = {row.optimizer: len(ran[row].intersection(common)) for row in rows}
    return Field(
        rows=shown,
        problems=tuple(common),
        left_out={
            o: ran_by.get(o, 0)
            for o in optimizers_of(part)
            if o not in {row.optimizer for row in shown}
        },
        dropped=tuple(p for p in part.problems if p not in common),
    )


def _named(rows: Sequence[Row]) -> str:
    names = [row.optimizer for row in rows]
    return names[0] if len(names) == 1 else f"all of {', '.join(names)}"


def median_costs(comparison: Comparison, field: Field) -> np.ndarray:
    """[P, R] median cost to the target; infinite where half of the seeds or more fail."""
    return np.array([[_median(comparison, p, row) for row in field.rows] for p in field.problems])


def _median(comparison: Comparison, problem: str, row: Row) -> float:
    outcome = comparison.outcomes.get((problem, row))
    return math.inf if outcome is None else outcome.median
