"""Tuning tracks: under which rule the setting was chosen that an optimizer is judged at.

- D: published defaults, not tuned.
- T_k: the best of k trials on the seeds of tuning, judged on others.
- S: it tunes itself; what its searches cost is counted.
- O: the best of the k trials in hindsight, an upper bound on what tuning could give.
- T_k+edge: k further trials beyond the edge of the space where the best one lay; never a headline.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optbench import metrics
from optbench.records import Cell
from optbench.trajectory import TUNING_SEEDS_FROM, Trajectory


class Row(NamedTuple):
    """An optimizer under one track.

    Attributes:
        optimizer: label.
        track: D, T_16, S, O or T_16+edge.
    """

    optimizer: str
    track: str

    def __str__(self) -> str:
        return f"{self.optimizer} @{self.track}"


def evaluation(trajectory: Trajectory) -> Trajectory:
    """The runs that an optimizer is judged by: those of the seeds that nothing was tuned on."""
    return trajectory.of_seeds(np.asarray(trajectory.seeds) < TUNING_SEEDS_FROM)


def tuning(trajectory: Trajectory) -> Trajectory:
    """The runs that an optimizer is tuned on; all of them, where none were made for that."""
    chosen = np.asarray(trajectory.seeds) >= TUNING_SEEDS_FROM
    return trajectory.of_seeds(chosen) if chosen.any() else trajectory


def target_index(trajectory: Trajectory, target: float) -> int:
    """Index of the hardest target that asks for no more than a fraction; escape, at a saddle."""
    return index_within(trajectory.targets, target)


def index_within(targets: np.ndarray, target: float) -> int:
    """Index of the hardest of some targets that asks for no more than a fraction; 0 if all do."""
    asked = np.flatnonzero(targets >= target * (1 - 1e-9))
    return int(asked[-1]) if len(asked) else 0


def tuned_index(trajectory: Trajectory, trials: int, target: float) -> int:
    """Index of the best trial on the seeds of tuning, for a fraction of the merit at the start.

    Args:
        trajectory: all lanes.
        trials: how many settings are trials.
        target: the fraction.
    """
    return best_index(tuning(trajectory), trials, target_index(trajectory, target))


def headline_index(trajectory: Trajectory, trials: int, target: int) -> int:
    """Index of the setting that an optimizer is judged at, tuned for a target.

    That is track T_k; S where it tunes itself, and O where nothing was set apart to tune on.

    Args:
        trajectory: all lanes.
        trials: how many settings are trials; 0 where all are.
        target: index of the target.
    """
    return best_index(tuning(trajectory), trials, target)


def best_index(trajectory: Trajectory, trials: int, target: int) -> int:
    """Index of the trial of least median cost to a target over all seeds of a trajectory.

    Ties are settled as in `metrics.best_setting`: where no trial reaches the target, the lowest
    median final merit decides.

    Args:
        trajectory: the lanes that decide.
        trials: how many settings are trials; 0 where all are.
        target: index of the target.
    """
    tried = trials or trajectory.value.shape[1]
    costs = trajectory.hit_costs[:, :tried, target, None]
    at_end = trajectory.at_end(trajectory.merit_values)[:, :tried]
    return metrics.best_setting(costs, at_end)[0].index or 0


def num_settings(cell: Cell, trajectory: Trajectory) -> int:
    """How many settings a finished cell tells of: its trials, and the defaults where published.

    Where they are not, the last of its settings repeats a trial, and tells nothing.

    Args:
        cell: of one optimizer on one problem.
        trajectory: all its lanes.
    """
    count = trajectory.value.shape[1]
    return min(count, cell.trials + (cell.default_source is not None)) if cell.trials else count


def tracks_of(cell: Cell, trajectory: Trajectory) -> tuple[str, ...]:
    """The tracks of a finished cell, the headline first.

    Args:
        cell: of one optimizer on one problem.
        trajectory: all its lanes.
    """
    tried = cell.trials or trajectory.value.shape[1]
    if not trajectory.settings:
        return ("S",)
    found = (f"T_{tried}", "O") if max(trajectory.seeds) >= TUNING_SEEDS_FROM else ("O",)
    return found if cell.default_source is None else (*found, "D")
