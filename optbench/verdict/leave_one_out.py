"""Whether a ranking stands when one solver, or one problem, is left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optbench.comparison import Comparison
from optbench.profiles import profile_score
from optbench.statistics import censor
from optbench.tracks import Row
from optbench.verdict.contrasts import paired_costs, shared_problems
from optbench.verdict.cost_axes import standing_rows


class Reversal(NamedTuple):
    """Two that change places.

    Attributes:
        first: the one ahead among all.
        second: the one ahead when something is left out.
        left_out: what that is.
    """

    first: str
    second: str
    left_out: str


def score_reversal(costs: np.ndarray) -> tuple[int, int, int] | None:
    """A solver whose absence turns the head of the ranking by profile scores around.

    Of those that are left, the one ahead among all is no longer ahead. Scores that were equal
    before or after are no reversal.

    Args:
        costs: [P, S] cost of each solver on each problem; infinite or NaN where unsolved.

    Returns:
        Indices of the one ahead among all, the one ahead afterwards, and the one left out; of
        several reversals that of the highest score among all; None where there is none.

    Source: Gould & Scott (2016), A note on performance profiles for benchmarking software.
    """
    scores = profile_score(costs)
    found = []
    for left_out in range(costs.shape[1]):
        rest = [s for s in range(costs.shape[1]) if s != left_out]
        if len(rest) < 2:
            continue
        after = dict(zip(rest, profile_score(costs[:, rest]), strict=True))
        first = max(rest, key=lambda s: scores[s])
        second = max(rest, key=after.__getitem__)
        if after[second] > after[first] and scores[first] > scores[second]:
            found.append((first, second, left_out))
    return max(found, key=lambda flip: scores[flip[0]], default=None)


def reversal_without_a_solver(comparison: Comparison, reference: Row) -> Reversal | None:
    """A row without which two others change places by profile score; None where there is none.

    Args:
        comparison: the rows of a study; those count that run wherever the reference does.
        reference: that row.
    """
    rows = standing_rows(comparison, reference)
    problems = comparison.applicable(rows)
    if len(rows) < 3 or not problems:
        return None
    flip = score_reversal(np.median(comparison.costs(rows, problems), axis=-1))
    return None if flip is None else Reversal(*(rows[index].optimizer for index in flip))


def leader_without_a_problem(comparison: Comparison, reference: Row) -> Reversal | None:
    """A problem without which another row has the least ratio; None where there is none.

    Args:
        comparison: the rows of a study; those count that run wherever the reference does.
        reference: the row that ratios are taken to.
    """
    rows = standing_rows(comparison, reference)
    problems = shared_problems(comparison, reference, reference)
    if len(rows) < 2 or len(problems) < 2:
        return None
    logs = np.array([_logs(comparison, row, reference, problems) for row in rows])
    without = (logs.sum(1, keepdims=True) - logs) / (len(problems) - 1)
    for p in np.argsort(logs[0] - logs[1]):
        other = int(without[:, p].argmin())
        if without[other, p] < without[0, p] - 1e-12:
            return Reversal(rows[0].optimizer, rows[other].optimizer, problems[p])
    return None


def _logs(comparison: Comparison, row: Row, reference: Row, problems: list[str]) -> np.ndarray:
    """[P] log ratio of the median costs of a row and of the reference."""
    *costs, budgets = paired_costs(comparison, row, reference, problems)
    medians = [np.median(censor(one, budgets[:, None]), axis=-1) for one in costs]
    return np.log(medians[0] / medians[1])
