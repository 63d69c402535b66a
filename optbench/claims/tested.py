"""What a study has for a claim: the rows and problems that it names, or why there are none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from optbench.claims.names import why_no_optimizer, why_no_problem
from optbench.claims.selection import is_named, select
from optbench.claims.sentences import (
    Beats,
    Diverges,
    EndsAtSaddle,
    IsAsGoodAs,
    Sentence,
    Subject,
    target_text,
)
from optbench.comparison import Comparison, Outcome, Row
from optbench.errors import OptbenchError

_AIMLESS = (Diverges, EndsAtSaddle)  # sentences without a target
SHOWN = 3  # problems that are named one by one


class NotTested(Exception):
    """Why a claim cannot be tested on a study; nobody's error."""


SaddleTest = Callable[
    [str, Row], np.ndarray
]  # (problem, row) -> [S] whether runs end at the saddle


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Tested:
    """What a study has for one sentence.

    Attributes:
        comparison: its rows.
        rows: of A, and of B where there is one.
        problems: labels of those on which they have run.
        left_out: label -> why it is not among them.
        ends_at_saddle: see `SaddleTest`.
    """

    comparison: Comparison
    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    left_out: Mapping[str, str]
    ends_at_saddle: SaddleTest

    def outcomes(self, index: int = 0) -> list[Outcome]:
        """What A comes to on each problem; with index 1, B."""
        return [self.comparison.outcomes[label, self.rows[index]] for label in self.problems]

    @property
    def extent(self) -> str:
        """On how many of the selected problems, and what became of the others."""
        total = len(self.problems) + len(self.left_out)
        told = [f"{label}: {why}" for label, why in list(self.left_out.items())[:SHOWN]]
        more = ["..."] * (len(self.left_out) > SHOWN)
        said = f" ({'; '.join(told + more)})" if told else ""
        return f"on {len(self.problems)} of {count(total, 'problem')}{said}"


def _absent(
    sentence: Sentence, comparison: Comparison, problem_catalog: str | None
) -> dict[str, str]:
    """Problems and families that are named, and that the study has none of -> why.

    Raises:
        NotTested: one does not exist.
    """
    records = comparison.problems.values()
    names = [name for name in sentence.problems.names if not is_named(name, records)]
    for name in names if problem_catalog else ():
        if why := why_no_problem(name, problem_catalog or ""):
            raise NotTested(why)
    return dict.fromkeys(names, "not in the study")


def gather(
    sentence: Sentence,
    comparison: Comparison,
    ends_at_saddle: SaddleTest,
    *,
    problem_catalog: str | None,
) -> Tested:
    """What a study has for a sentence.

    Args:
        sentence: the claim.
        comparison: the rows of the study.
        ends_at_saddle: see `SaddleTest`.
        problem_catalog: module that names of problems are looked up in; None for nowhere.

    Raises:
        NotTested: there is nothing to test it on.
    """
    subjects = [sentence.first]
    if isinstance(sentence, Beats | IsAsGoodAs):
        subjects.append(sentence.second)
    rows = tuple(_row(subject, comparison) for subject in subjects)
    absent = _absent(sentence, comparison, problem_catalog)
    labels = select(sentence.problems, comparison.problems)
    if not labels:
        raise NotTested(f"the study has no problem among {sentence.problems}")
    left_out = absent
    for label in labels:
        for row in rows:
            outcome = comparison.outcomes.get((label, row))
            if outcome is None:
                left_out[label] = f"{row.optimizer} {comparison.statuses[label, row.optimizer]}"
            elif not isinstance(sentence, _AIMLESS) and index_of(outcome, sentence.target) is None:
                left_out[label] = f"no target {target_text(sentence.target)}"
    tested = Tested(
        comparison=comparison,
        rows=rows,
        problems=tuple(label for label in labels if label not in left_out),
        left_out=left_out,
        ends_at_saddle=ends_at_saddle,
    )
    if not tested.problems:
        raise NotTested(tested.extent)
    return tested


def _row(subject: Subject, comparison: Comparison) -> Row:
    tested = list(dict.fromkeys(row.optimizer for row in comparison.rows))
    if subject.optimizer not in tested:
        raise NotTested(why_no_optimizer(subject.optimizer, tested))
    try:
        return comparison.row(subject.optimizer, subject.track)
    except OptbenchError as error:
        raise NotTested(f"{error.message}, {error.hint}") from error


def index_of(outcome: Outcome, target: float) -> int | None:
    """Index of a target among those that were measured; None where it is none of them."""
    at = np.flatnonzero(np.isclose(outcome.targets, target, rtol=1e-9, atol=0))
    return int(at[0]) if len(at) else None


def count(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}{'s' * (number != 1)}"
