"""Two methods whose points are the same, or are those of the same path in other coordinates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from optbench.bounds.adaptive.quantities import by_recursion
from optbench.case import Case
from optbench.method import Method
from optbench.problem import Problem
from optbench.recursion import Path, Recursion
from optbench.run import run_on

APART = by_recursion(
    "|x_k - B y_k| / max_i |B (y_i - y_0)|",
    r"\|x_k - B y_k\| / \max_i \|B (y_i - y_0)\|",
)


class Twins(NamedTuple):
    """Two problems, and the method whose path on the second one is the reference.

    Attributes:
        problem: for the method that a theorem speaks of.
        model: for the other.
        reference: the other method.
        back: [n, n] what the points on the model are multiplied by, to compare.
    """

    problem: Problem
    model: Problem
    reference: Method
    back: np.ndarray


def agreement(method: Method) -> Recursion:
    """|x_k - B y_k| / max_i |B (y_i - y_0)|, of two methods on two problems.

    x_k is of the first method on the first problem, y_k of the other on its model.

    The subject is a case whose data are `Twins`. Steps are arguments of the first method alone, so
    that a change of its step shows.

    Args:
        method: the first one.
    """

    def follow(case: Case, k: np.ndarray, **steps: Any) -> Path:
        twins, last = case.data, int(k[-1])
        points = run_on(twins.problem, method.replace(**steps), 0, last).params
        others = run_on(twins.model, twins.reference, 0, last).params @ twins.back.T
        length = np.linalg.norm(others - others[0], axis=1).max()
        apart = np.full(last + 1, np.nan)  # where a run has ended
        both = min(len(points), len(others))
        apart[:both] = np.linalg.norm(points[:both] - others[:both], axis=1)
        return Path(apart[k] / length)

    return Recursion(method.label, follow)
