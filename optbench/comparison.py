"""All optimizers of a study side by side, each under its tuning tracks, on the same starts."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.errors import OptbenchError, unknown_name
from optbench.metrics import as_costs
from optbench.records import Cell, ProblemRecord
from optbench.results import Results
from optbench.tracks import Row as Row
from optbench.tracks import (
    best_index,
    evaluation,
    headline_index,
    target_index,
    tracks_of,
    tuning,
)
from optbench.trajectory import Trajectory

UNITS = {  # what cost is counted in -> what it is called in a sentence
    "gradients": "gradients",
    "measured": "gradients at measured prices",
    "steps": "steps",
    "samples": "samples",
    "seconds": "seconds",
}

CENSORED = 10.0  # a failure counts as this many budgets


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What one row comes to on one problem, on the S seeds that it is judged by.

    Attributes:
        index: of the setting that its track chose.
        setting: hyperparameter -> value.
        on_edge: whether a trial beyond the space might have been better: T_k+edge tells.
        targets: [K] fractions of the merit at the start.
        target: index of the one that the setting was chosen for.
        hit_costs: [S, K] gradient-equivalents to each target; NaN where never.
        hit_steps: [S, K] steps to each target; NaN where never.
        hit_calls: kind of oracle call -> [S, K] count; NaN where never.
        spent: [S] gradient-equivalents of each run.
        spent_steps: [S] steps of each run.
        spent_calls: kind of oracle call -> [S] count of each run.
        status: [S] how each ended.
        trial_costs: [k] median cost of every trial over the seeds of tuning (over those it is
            judged by, where there are none), infinite where most fail; of one setting, its own.
        seconds_per_step: run time over the steps of all lanes that shared it; None if unknown.
        repeated: how many of the S runs are the run of another seed, of these or of tuning, digit
            by digit: such a start does not depend on the seed.
    """

    index: int
    setting: Mapping[str, float]
    on_edge: bool
    targets: np.ndarray
    target: int
    hit_costs: np.ndarray
    hit_steps: np.ndarray
    hit_calls: Mapping[str, np.ndarray]
    spent: np.ndarray
    spent_steps: np.ndarray
    spent_calls: Mapping[str, np.ndarray]
    status: np.ndarray
    trial_costs: np.ndarray
    seconds_per_step: float | None
    repeated: int = 0

    @property
    def median(self) -> float:
        """Median cost to the target over seeds, infinite where half of them or more fail."""
        return float(np.median(as_costs(self.hit_costs[:, self.target])))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """The rows of a study, their settings chosen for one target.

    Attributes:
        target: the fraction of the merit at the start that every setting is chosen for.
        budget: gradient-equivalents per run; None for no limit.
        problems: label -> record, in study order.
        rows: in study order, those of one optimizer together, its headline first.
        outcomes: (problem, row) -> what it comes to; absent where the pair has none.
        statuses: (problem, optimizer) -> finished, failed, not applicable or unfinished.
        study: its settings, as `Results.study` has them, with the target that it tuned for.
    """

    target: float
    budget: float | None
    problems: Mapping[str, ProblemRecord]
    rows: tuple[Row, ...]
    outcomes: Mapping[tuple[str, Row], Outcome]
    statuses: Mapping[tuple[str, str], str]
    study: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def headlines(self) -> tuple[Row, ...]:
        """The row of each optimizer that a verdict speaks of: T_k, or S, or where neither is, O."""
        return tuple(dict.fromkeys(self.row(row.optimizer) for row in self.rows))

    def row(self, optimizer: str, track: str | None = None) -> Row:
        """The row of an optimizer: the one of a track, or its headline.

        Raises:
            OptbenchError: there is none.
        """
        own = [row for row in self.rows if row.optimizer == optimizer]
        if not own:
            known = list(dict.fromkeys(row.optimizer for row in self.rows))
            raise unknown_name("optimizer", optimizer, known, f"there are {', '.join(known)}")
        for row in own:
            if track is None or row.track == track:
                return row
        tracks = ", ".join(row.track for row in own)
        raise OptbenchError(f"{optimizer} has no track {track!r}", f"it has {tracks}")

    def applicable(self, rows: Sequence[Row]) -> list[str]:
        """The problems on which all these rows have run, in study order."""
        return [p for p in self.problems if all((p, row) in self.outcomes for row in rows)]

    def costs(
        self,
        rows: Sequence[Row],
        problems: Sequence[str],
        unit: str = "gradients",
        target: int | None = None,
    ) -> np.ndarray:
        """Cost to a target, paired by problem and seed.

        Args:
            rows: R of them.
            problems: P labels on which all of them have run.
            unit: what cost is counted in; "measured" is gradients at
                measured prices; seconds are shared evenly by the lanes of a program.
            target: its index; the one settings were chosen for if not given.

        Returns:
            [P, R, S] cost, infinite where a run never reaches the target.

        Raises:
            OptbenchError: no such unit, or a row that has not run on a problem.
        """
        if unit not in UNITS:
            raise unknown_name("unit", unit, list(UNITS), f"there are {', '.join(UNITS)}")
        found = [[self._costs(p, row, unit, target) for row in rows] for p in problems]
        seeds = max((len(c) for line in found for c in line), default=0)
        empty = np.full((len(problems), len(rows), seeds), math.inf)
        for p, r in np.ndindex(empty.shape[:2]):
            empty[p, r, : len(found[p][r])] = found[p][r]
        return empty

    def spent(self, row: Row, problem: str, unit: str = "gradients") -> np.ndarray:
        """[S] what each run of a row on a problem costs to its end, whether it succeeds or not."""
        outcome = self.outcomes[problem, row]
        return in_unit(outcome, self.problems[problem], unit, at_target=False)

    def limit(self, problem: str, rows: Sequence[Row]) -> float:
        """What a run may spend on a problem, in gradients: a failure counts as `CENSORED` times it.

        The budget of the study; without one, the most that these rows spent there.
        """
        if self.budget is not None:
            return self.budget
        found = (self.outcomes.get((problem, row)) for row in rows)
        return float(max((o.spent.max() for o in found if o is not None), default=1.0))

    def _costs(self, problem: str, row: Row, unit: str, target: int | None) -> np.ndarray:
        outcome = self.outcomes.get((problem, row))
        if outcome is None:
            status = self.statuses[problem, row.optimizer]
            raise OptbenchError(f"{row} is {status} on {problem}", "leave the problem out")
        k = outcome.target if target is None else min(target, len(outcome.targets) - 1)
        costs = in_unit(outcome, self.problems[problem], unit, at_target=True)
        return as_costs(costs[:, k])


def in_unit(outcome: Outcome, problem: ProblemRecord, unit: str, *, at_target: bool) -> np.ndarray:
    """What the runs of an outcome cost.

    Args:
        outcome: of one row on one problem.
        problem: its record.
        unit: what cost is counted in.
        at_target: whether up to each target, or up to the end.

    Returns:
        [S, K] up to each target, NaN where never, or [S] up to the end; in seconds, all NaN where
        the runs were not timed.

    Raises:
        OptbenchError: gradients at measured prices, where none were measured.
    """
    gradients, steps, calls = (
        (outcome.hit_costs, outcome.hit_steps, outcome.hit_calls)
        if at_target
        else (outcome.spent, outcome.spent_steps, outcome.spent_calls)
    )
    if unit == "seconds":
        return steps * (outcome.seconds_per_step or math.nan)
    if unit == "samples":
        return samples(calls, problem)
    if unit == "measured":
        if problem.prices is None:
            raise OptbenchError(
                f"no prices were measured on {problem.label}", "run with --measured-prices"
            )
        return np.asarray(sum(problem.prices[kind] * counts for kind, counts in calls.items()))
    return gradients if unit == "gradients" else steps


def samples(calls: Mapping[str, np.ndarray], problem: ProblemRecord) -> np.ndarray:
    """Rows of data seen by oracle calls: the batch by each sampled call, all by each exact one."""
    rows = problem.num_rows or 1
    sampled = ("value_and_gradients", "values", "hessian_products", "fisher_products")
    batch = sum(calls.get(kind, 0) for kind in (*sampled, "jacobian_products"))
    whole = calls.get("whole_gradients", 0) * rows
    batch = batch * (problem.sample_fraction * rows)
    return np.asarray(batch + calls.get("row_gradients", 0) + whole)


def compare_rows(results: Results, target: float | None = None) -> Comparison:
    """The optimizers of a study side by side.

    Args:
        results: of the study.
        target: the fraction of the merit at the start that settings are chosen for, on each
            problem the hardest target that asks for no more; the study's own if not given.
    """
    target = results.target if target is None else target
    cells = {(cell.problem, cell.optimizer): cell for cell in results.cells}
    statuses = {
        (p, o): cells[p, o].status if (p, o) in cells else "unfinished"
        for p in results.problems
        for o in results.optimizers
    }
    outcomes = {
        (problem, Row(optimizer, track)): outcome
        for (problem, optimizer), cell in cells.items()
        for track, outcome in _outcomes(results, cell, target)
    }
    named = {
        o: [row.track for _, row in outcomes if row.optimizer == o] for o in results.optimizers
    }
    rows = [Row(o, track) for o, tracks in named.items() for track in dict.fromkeys(tracks)]
    outcomes |= _unextended(outcomes, rows)
    return Comparison(
        target=target,
        budget=results.study.get("budget"),
        problems=results.problems,
        rows=tuple(rows),
        outcomes=outcomes,
        statuses=statuses,
        study={**results.study, "target": results.target},
    )


def _unextended(
    outcomes: Mapping[tuple[str, Row], Outcome], rows: Sequence[Row]
) -> dict[tuple[str, Row], Outcome]:
    """The rows T_k+edge where no best trial lies on an edge: there they are the rows T_k."""
    same = {}
    for row in rows:
        base = row._replace(track=row.track.removesuffix("+edge"))
        if base != row:
            found = ((p, out) for (p, other), out in outcomes.items() if other == base)
            same |= {(p, row): out for p, out in found if not out.on_edge}
    return {key: outcome for key, outcome in same.items() if key not in outcomes}


def _outcomes(results: Results, cell: Cell, target: float) -> Iterator[tuple[str, Outcome]]:
    """The tracks of a pair, and what it comes to under each; none where it did not finish."""
    log = results.trajectory_of(cell)
    if log is None:
        return
    judged, k = evaluation(log), target_index(log, target)
    tried = cell.trials or log.value.shape[1]
    tuned = headline_index(log, tried, k)
    on_edge = cell.key in results.extensions
    for track in tracks_of(cell, log):
        index = {"D": tried, "O": best_index(judged, tried, k)}.get(track, tuned)
        edge = on_edge and track.startswith("T_")
        yield track, _outcome(log, judged, index, k, trials=tried, on_edge=edge)
    if on_edge:
        further = results.trajectory_of(results.extensions[cell.key])
        if further is not None:
            yield f"T_{tried}+edge", _extended(log, further, k, tried)


def _extended(log: Trajectory, further: Trajectory, target: int, trials: int) -> Outcome:
    """The better of the best trials inside the space and beyond its edge, on the tuning seeds."""
    both = [
        _outcome(one, evaluation(one), headline_index(one, trials, target), target, trials=trials)
        for one in (log, further)
    ]
    inside, beyond = (outcome.trial_costs.min() for outcome in both)
    return both[1] if beyond < inside else both[0]


def _outcome(
    log: Trajectory,
    judged: Trajectory,
    index: int,
    target: int,
    *,
    trials: int,
    on_edge: bool = False,
) -> Outcome:
    lane_steps = float(log.steps[log.last].sum())
    return Outcome(
        index=index,
        setting={name: float(values[index]) for name, values in log.settings.items()},
        on_edge=on_edge,
        targets=judged.targets,
        target=target,
        hit_costs=judged.hit_costs[:, index],
        hit_steps=judged.hit_steps[:, index],
        hit_calls={kind: counts[:, index] for kind, counts in judged.hit_calls.items()},
        spent=judged.at_end(judged.cost)[:, index],
        spent_steps=judged.steps[judged.last[:, index]],
        spent_calls={kind: judged.at_end(n)[:, index] for kind, n in judged.calls.items()},
        status=judged.status[:, index],
        trial_costs=trial_costs(log, trials, target),
        seconds_per_step=log.run_seconds / lane_steps if lane_steps else None,
        repeated=_repeated(log, judged, index),
    )


def _repeated(log: Trajectory, judged: Trajectory, index: int) -> int:
    """How many of the runs that a setting is judged by another seed has made as well."""
    runs = collections.Counter(values.tobytes() for values in log.value[:, index])
    return sum(runs[values.tobytes()] > 1 for values in judged.value[:, index])


def trial_costs(log: Trajectory, trials: int, target: int) -> np.ndarray:
    """[k] median cost of every trial on the seeds it was tuned on, infinite where most fail."""
    return np.median(as_costs(tuning(log).hit_costs[:, :trials, target]), axis=0)
