"""How much tuning an optimizer needs: what the best of k trials is expected to cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from optbench.comparison import CENSORED, Comparison
from optbench.metrics import expected_best_of_k
from optbench.tracks import Row


def tunability(comparison: Comparison) -> Mapping[Row, np.ndarray]:
    """What the best of k trials of each headline row is expected to cost.

    Per problem, the expectation (`metrics.expected_best_of_k`) of the smallest of the medians that
    k trials cost on the seeds of tuning, over the smallest that any trial of any row costs there,
    where one that fails counts as 10 budgets; then the geometric mean over the problems that some
    row solves. 1 is the best there is; a row that has nothing to tune has one value.

    Args:
        comparison: the rows of a study.

    Returns:
        row -> [n] for k from 1 to n trials; rows that have run on every such problem alone.
    """
    headlines = comparison.headlines
    failure = {p: CENSORED * comparison.limit(p, comparison.rows) for p in comparison.problems}
    found: dict[Row, np.ndarray] = {}
    costs = {
        (problem, row): np.minimum(outcome.trial_costs, failure[problem])
        for (problem, row), outcome in comparison.outcomes.items()
        if row in headlines
    }
    least = {
        problem: min(values.min() for (p, _), values in costs.items() if p == problem)
        for problem in {problem for problem, _ in costs}
    }
    solved = [p for p, value in least.items() if value < failure[p]]
    for row in headlines:
        curves = [expected_best_of_k(costs[p, row]) / least[p] for p in solved if (p, row) in costs]
        if curves and len(curves) == len(solved):
            found[row] = np.exp(np.mean(np.log(curves), axis=0))
    return found
