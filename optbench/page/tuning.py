"""What a page tells of tuning: cost by learning rate on every problem, and cost of every trial."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from optbench import metrics
from optbench.figures.runs import Tuned
from optbench.figures.sensitivity import sensitivity_to_rate
from optbench.page.comparison import outcomes_of
from optbench.page.source import Source
from optbench.records import ProblemRecord

_HEAVY_BALL = re.compile(r"momentum(\[(.*)\])?$")  # the label of the method itself, not wrapped
_GIVEN = re.compile(r"(?:^|,\s*)momentum=([0-9.eE+-]+)")


def tuning(source: Source) -> dict[str, Any] | None:
    """Expected cost of every setting by problem and optimizer, and the trials behind tunability.

    Of each pair that ran: `settings` name -> [H]; `costs` [K, H] the ERT, infinite where no start
    succeeds; `basins` [K] decades of learning rates within twice the least, None where that means
    nothing; `hardest`, the hardest target that most starts reach at some setting, or -1; `edges`
    [H], the learning rates where heavy ball turns unstable, where L and beta are known.
    `trials` [P, O, k] are median costs, `spent` [P, O] the most that a run of any track spent.
    """
    if not source.comparison.rows:
        return None
    return {
        "pairs": [
            {o: _pair(runs.problem, o, tuned) for o, tuned in runs.tuned.items()}
            for runs in source.runs.values()
        ],
        "targets": [_own_targets(runs.tuned) for runs in source.runs.values()],
        **_trials(source),
        "spent": _spent(source),
    }


def _own_targets(tuned: Mapping[str, Tuned]) -> list[float]:
    return next((t.trajectory.targets.tolist() for t in tuned.values()), [])


def _pair(problem: ProblemRecord, optimizer: str, tuned: Tuned) -> dict[str, Any]:
    trajectory = tuned.trajectory
    spent = trajectory.at_end(trajectory.cost)
    costs = metrics.expected_running_time(trajectory.hit_costs, spent)
    hardest = metrics.hardest_target(trajectory.hit_costs)
    alone = len(trajectory.settings) == 1
    return {
        "settings": {name: np.asarray(v, float) for name, v in trajectory.settings.items()},
        "costs": np.ascontiguousarray(costs.T),
        "basins": [
            sensitivity_to_rate(trajectory, k).basin if alone else None
            for k in range(costs.shape[1])
        ],
        "hardest": -1 if hardest is None else hardest,
        "edges": _edges(problem, optimizer, tuned),
    }


def _edges(problem: ProblemRecord, optimizer: str, tuned: Tuned) -> np.ndarray | None:
    """[H] 2 (1 + beta) / L at the beta of each setting of heavy ball; None where not known.

    Source: Cohen et al. (2021), appendix B.
    """
    named, settings = _HEAVY_BALL.match(optimizer), tuned.trajectory.settings
    if not problem.smoothness or not named or "learning_rate" not in settings:
        return None
    given = _GIVEN.search(named[2] or "")
    if "momentum" in settings:
        beta = np.asarray(settings["momentum"], float)
    elif given:
        beta = np.full(len(settings["learning_rate"]), float(given[1]))
    else:
        return None
    return 2 * (1 + beta) / problem.smoothness


def _trials(source: Source) -> dict[str, np.ndarray]:
    """Median cost of every trial [P, O, k] on the seeds of tuning, and how many there are."""
    grid = outcomes_of(source.comparison)
    most = max(len(o.trial_costs) for line in grid for o in line if o is not None)
    costs = np.full((len(grid), len(grid[0]), most), math.nan)
    counts = np.zeros(costs.shape[:2], np.int32)
    for p, line in enumerate(grid):
        for o, outcome in enumerate(line):
            if outcome is not None:
                counts[p, o] = len(outcome.trial_costs)
                costs[p, o, : counts[p, o]] = outcome.trial_costs
    return {"trials": costs, "numTrials": counts}


def _spent(source: Source) -> np.ndarray:
    """[P, O] the most that a run spent, under any track; NaN where none was made."""
    compared = source.comparison
    most: dict[tuple[str, str], float] = {}
    for (problem, row), outcome in compared.outcomes.items():
        key = problem, row.optimizer
        most[key] = max(most.get(key, 0.0), float(outcome.spent.max()))
    labels = source.results.optimizers
    return np.array([[most.get((p, o), math.nan) for o in labels] for p in compared.problems])
