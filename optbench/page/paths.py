"""Which recorded lanes a page shows, and as many of their points as the eye can tell apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optbench.figures.runs import Tuned
from optbench.figures.trajectories import START, lane_path

MOST_STARTS = 5  # whose paths a page shows, at the tuned setting
MOST_POINTS = 72  # of one path at the tuned setting
FEWER_POINTS = 40  # of one at another
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
    """

    start: int
    setting: int
    index: np.ndarray
    points: np.ndarray


def lanes_of(tuned: Tuned, num_settings: int, sides: np.ndarray) -> list[Lane]:
    """All starts at the tuned setting, and the first one at every setting; those that were kept.

    Args:
        tuned: the runs of one optimizer on a problem in two dimensions.
        num_settings: how many of its settings tell something.
        sides: [2] of the view.
    """
    starts = [(start, tuned.setting) for start in range(len(tuned.trajectory.seeds))][:MOST_STARTS]
    settings = [(START, setting) for setting in range(num_settings)]
    found = []
    for start, setting in dict.fromkeys(starts + settings):
        points = lane_path(tuned.trajectory, start, setting)
        if points is not None and len(points):
            found.append((start, setting, points))
    merits = [tuned.trajectory.merit_values[s, h, : len(p)] for s, h, p in found]
    escapes = tuned.trajectory.merit == "escape"
    places = [np.c_[p / sides / APART, _height(m, escapes)] for (*_, p), m in zip(found, merits)]
    lanes = []
    for (start, setting, points), index in zip(found, told_apart(places), strict=True):
        index = thinned(index, MOST_POINTS if setting == tuned.setting else FEWER_POINTS)
        lanes.append(Lane(start, setting, index, points[index]))
    return lanes


def _height(merit: np.ndarray, escapes: bool) -> np.ndarray:
    """[T] of the loss curve, in units of what the eye can tell apart."""
    if escapes:
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
    before = np.full_like(padded[:, 0], np.inf)
    for index in range(longest):
        away = ~(np.abs(padded[:, index] - before) <= 1).all(-1)
        before = np.where(away[:, None], padded[:, index], before)
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
