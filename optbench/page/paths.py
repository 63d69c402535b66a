"""Which recorded lanes a page shows, and as many of their points as the eye can tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from optbench.figures.runs import ProblemRuns, Tuned
from optbench.figures.trajectories import START, lane_path
from optbench.landscape import PlanePath
from optbench.trajectory import Trajectory

MOST_STARTS = 5  # whose paths a page shows, at the tuned setting
MOST_POINTS = 60  # of one path at the tuned setting
FEWER_POINTS = 32  # of one at another
DENSE = 1 / 3  # of its points that are its first ones, where it has too many
APART = 1 / 400  # of a side of the view: what lies nearer together is one point
DECADES_APART = 0.025  # of the merit
FLOOR = 1e-300  # below it, merits are the same


class Lane(NamedTuple):
    """One recorded lane.

    Attributes:
        start: index among the starts that an optimizer is judged by.
        setting: index among its settings.
        index: [P] of those log points that are shown, ascending.
        points: [P, 2] where it is at them.
        off_plane: [P] how far off the plane that is, of the way to its center; None in two
            dimensions.
    """

    start: int
    setting: int
    index: np.ndarray
    points: np.ndarray
    off_plane: np.ndarray | None = None

    def at(self, kept: np.ndarray) -> Lane:
        """The lane with some of its points alone, given by their places."""
        off = None if self.off_plane is None else self.off_plane[kept]
        return Lane(self.start, self.setting, self.index[kept], self.points[kept], off)


def lanes_in_region(tuned: Tuned, num_settings: int, sides: np.ndarray) -> list[Lane]:
    """All starts at the tuned setting, and the first one at every setting; those that were kept.

    Args:
        tuned: the runs of one optimizer on a problem in two dimensions.
        num_settings: how many of its settings tell something.
        sides: [2] of the region.
    """
    starts = [(start, tuned.setting) for start in range(len(tuned.trajectory.seeds))][:MOST_STARTS]
    settings = [(START, setting) for setting in range(num_settings)]
    lanes = []
    for start, setting in dict.fromkeys(starts + settings):
        points = lane_path(tuned.trajectory, start, setting)
        if points is not None and len(points):
            lanes.append(Lane(start, setting, np.arange(len(points)), points))
    most = [MOST_POINTS if lane.setting == tuned.setting else FEWER_POINTS for lane in lanes]
    return _thinned(lanes, [tuned.trajectory] * len(lanes), sides, most)


def lanes_on_plane(
    paths: Mapping[str, PlanePath], runs: ProblemRuns, sides: np.ndarray
) -> dict[str, Lane]:
    """The projected path of every optimizer, at its tuned setting.

    Args:
        paths: optimizer -> its path.
        runs: of the problem.
        sides: [2] of the grid.
    """
    found, logs = {}, []
    for label, path in paths.items():
        if label in runs.tuned:
            logs.append(runs.tuned[label].trajectory)
            index = np.searchsorted(logs[-1].steps, path.steps)
            found[label] = Lane(START, path.setting, index, path.points, path.off_plane)
    lanes = _thinned(list(found.values()), logs, sides, [MOST_POINTS] * len(found))
    return dict(zip(found, lanes, strict=True))


def _thinned(
    lanes: Sequence[Lane], logs: Sequence[Trajectory], sides: np.ndarray, most: Sequence[int]
) -> list[Lane]:
    """The lanes, each with so many points at most, of those that the eye can tell apart."""
    places = [
        np.c_[lane.points / sides / APART, _height(log, lane)]
        for lane, log in zip(lanes, logs, strict=True)
    ]
    shown = [thinned(index, n) for index, n in zip(told_apart(places), most, strict=True)]
    return [lane.at(index) for lane, index in zip(lanes, shown, strict=True)]


def _height(log: Trajectory, lane: Lane) -> np.ndarray:
    """[P] of the loss curve, in units of what the eye can tell apart."""
    merit = log.merit_values[lane.start, lane.setting, lane.index]
    if log.merit == "escape":
        return merit / (np.abs(merit[0]) or 1.0) / APART
    return np.log10(np.maximum(merit, FLOOR)) / DECADES_APART


def told_apart(places: list[np.ndarray]) -> list[np.ndarray]:
    """[P] for each path: indices of the points that the eye can tell from the one kept before.

    So a path that ends at the last point kept is never further from the true one than 1 along any
    coordinate. The first and the last point are kept.

    Args:
        places: [T, n] per path, in units of what the eye can tell apart.
    """
    if not places:
        return []
    longest = max(map(len, places))
    padded = np.stack([np.pad(p, ((0, longest - len(p)), (0, 0)), "edge") for p in places])
    kept = np.zeros(padded.shape[:2], bool)
    before = np.full_like(padded[:, 0], np.nan)
    for index in range(longest):
        now = padded[:, index]
        with np.errstate(invalid="ignore"):  # a path that diverges goes from inf to inf
            near = (np.abs(now - before) <= 1) | (now == before)
        away = ~near.all(axis=-1)
        before = np.where(away[:, None], now, before)
        kept[:, index] = away
    last = np.array([len(path) - 1 for path in places])[:, None]
    kept = (kept & (np.arange(longest) < last)) | (np.arange(longest) == last)
    return [np.flatnonzero(row) for row in kept]


def thinned(index: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the indices: the first `DENSE` of them, then every so many to the last."""
    if len(index) <= most:
        return index
    first = int(DENSE * most)
    rest = np.linspace(first, len(index) - 1, most - first)
    return index[np.r_[np.arange(first), np.round(rest).astype(int)]]
