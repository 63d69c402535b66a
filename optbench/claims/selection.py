"""Which problems of a study a claim speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from optbench.claims.sentences import SADDLES, Condition, Selection
from optbench.records import ProblemRecord

_ROUNDING = 1e-9  # of L / mu


def select(selection: Selection, records: Mapping[str, ProblemRecord]) -> tuple[str, ...]:
    """Labels of the problems that are selected, in study order."""
    return tuple(
        label
        for label, record in records.items()
        if any(_is_called(name, record) for name in selection.names)
        and all(_satisfies(condition, record) for condition in selection.conditions)
    )


def is_named(name: str, records: Iterable[ProblemRecord]) -> bool:
    """Whether a label or family names any of these problems; a kind is no name."""
    kind = name == SADDLES or name.endswith(" problems")
    return kind or any(_is_called(name, record) for record in records)


def _is_called(name: str, record: ProblemRecord) -> bool:
    if name == SADDLES:
        return record.saddle is not None
    if not name.endswith(" problems"):
        return name in (record.label, record.family)
    holds = {
        "all": True,
        "convex": record.convex is True,
        "nonconvex": record.convex is False,
        "stochastic": record.stochastic,
        "deterministic": not record.stochastic,
    }
    return all(holds[kind] for kind in name.split()[:-1])


def _satisfies(condition: Condition, record: ProblemRecord) -> bool:
    quantity = record.dim if condition.quantity == "dim" else record.condition_number
    if quantity is None:
        return False
    slack = _ROUNDING * condition.bound
    return {
        ">=": quantity >= condition.bound - slack,
        "<=": quantity <= condition.bound + slack,
        ">": quantity > condition.bound + slack,
        "<": quantity < condition.bound - slack,
    }[condition.relation]
