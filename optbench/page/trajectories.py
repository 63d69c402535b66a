"""Paths over contours, lane by lane, for the player of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from optbench.figures.runs import Tuned
from optbench.landscape import CriticalPoints, Plane
from optbench.page.modes import modes
from optbench.page.paths import Lane, lanes_in_region, lanes_on_plane
from optbench.page.payload import Bytewise
from optbench.page.relief import relief
from optbench.page.source import Source
from optbench.records import ProblemRecord, Surface
from optbench.tracks import num_settings
from optbench.trajectory import Trajectory

BYTE = 256  # indices below it take one byte
LARGEST = 1e38  # of what is drawn
SPARED = 8  # bits of a float32: the others hold five digits, and what is told has three


class Shown(NamedTuple):
    """One optimizer in a view.

    Attributes:
        optimizer: label.
        trajectory: the lanes that it is judged by.
        tuned: index of its tuned setting.
        trials: how many of its settings are trials; where it has one more, it holds the defaults.
        lanes: those that are shown.
    """

    optimizer: str
    trajectory: Trajectory
    tuned: int
    trials: int
    lanes: Sequence[Lane]


def trajectories(source: Source) -> dict[str, Any] | None:
    """The views of all problems that have one, and their modes; None where there is nothing."""
    records = list(enumerate(source.results.problems.values()))
    views = [view for index, record in records for view in _views(source, index, record)]
    found = [(index, modes(source, record.label)) for index, record in records]
    of_modes = [{"problem": index, **facts} for index, facts in found if facts is not None]
    return {"views": views, "modes": of_modes} if views or of_modes else None


def _views(source: Source, index: int, record: ProblemRecord) -> Iterator[dict[str, Any]]:
    """The region of a problem in two dimensions; in more, the plane of its paths."""
    surface, landscape = record.surface, source.landscapes[record.label]
    plane = None if landscape is None else landscape.plane
    if surface is not None and np.isfinite(surface.values).any():
        critical = None if landscape is None else landscape.critical_points
        minimizer = record.minimizer
        particular = {
            "plane": None,
            "axes": None if record.coordinates is None else list(record.coordinates),
            "minimizer": None if minimizer is None else minimizer.tolist(),
            "critical": critical and _critical(critical),
        }
        shown = _shown_in_region(source, record, surface)
    elif plane is not None and np.isfinite(plane.values).any():
        surface = Surface(plane.x, plane.y, plane.values)
        particular = {
            "plane": {"explained": plane.explained.tolist(), "leftOut": list(plane.left_out)},
            "axes": None,
            "minimizer": [0.0, 0.0] if plane.is_minimizer else None,
            "critical": None,
        }
        shown = _shown_on_plane(source, record, plane)
    else:
        return
    yield {
        "problem": index,
        "merit": record.merit,
        "reference": record.saddle if record.merit == "escape" else record.minimum,
        **particular,
        **_ground(record, surface),
        **_paths(source, shown),
    }


def _critical(found: CriticalPoints) -> list[dict[str, Any]]:
    """Where the gradient vanishes, kind by kind."""
    kinds = np.array(found.kinds)
    return [
        {
            "kind": kind,
            "points": found.points[kinds == kind].tolist(),
            "values": found.values[kinds == kind].tolist(),
        }
        for kind in dict.fromkeys(found.kinds)
    ]


def _ground(record: ProblemRecord, surface: Surface) -> dict[str, Any]:
    """The heights of f over a view, and what they are above."""
    signed = record.saddle is not None
    reference = record.saddle if signed else record.minimum
    name = "f − min f" if reference is None else "f − f*"
    if record.minimum_kind == "best known":
        name = "f − best f"
    return {
        "x": surface.x.astype(np.float32),
        "y": surface.y.astype(np.float32),
        "above": "f − f<sub>saddle</sub>" if signed else name,
        "relief": relief(surface.values, reference, signed=signed),
    }


def _shown_in_region(source: Source, record: ProblemRecord, surface: Surface) -> list[Shown]:
    sides = np.array([np.ptp(surface.x), np.ptp(surface.y)])
    shown = []
    for label, tuned in source.runs[record.label].tuned.items():
        trials, count = _settings(source, record, label, tuned)
        lanes = lanes_in_region(tuned, count, sides)
        shown.append(Shown(label, tuned.trajectory, tuned.setting, trials, lanes))
    return shown


def _shown_on_plane(source: Source, record: ProblemRecord, plane: Plane) -> list[Shown]:
    runs = source.runs[record.label]
    sides = np.array([np.ptp(plane.x), np.ptp(plane.y)])
    shown = []
    for label, lane in lanes_on_plane(plane.paths, runs, sides).items():
        tuned = runs.tuned[label]
        trials, _ = _settings(source, record, label, tuned)
        shown.append(Shown(label, tuned.trajectory, lane.setting, trials, [lane]))
    return shown


def _settings(source: Source, record: ProblemRecord, label: str, tuned: Tuned) -> tuple[int, int]:
    """How many settings are trials, and how many there are with the defaults."""
    cell = source.results.cell(record.label, label)
    if cell is None:
        return 0, 0
    return cell.trials, num_settings(cell, tuned.trajectory)


def _paths(source: Source, shown: Sequence[Shown]) -> dict[str, Any]:
    """The optimizers of a view with their settings, and the points of all lanes in one row."""
    labels = list(source.results.optimizers)
    rows = [(place, one, lane) for place, one in enumerate(shown) for lane in one.lanes]
    status = [str(one.trajectory.status[lane.start, lane.setting]) for _, one, lane in rows]
    statuses = list(dict.fromkeys(status))
    starts = 1 + max((lane.start for *_, lane in rows), default=-1)
    seeds = max((one.trajectory.seeds for one in shown), key=len, default=())
    table = [
        (place, lane.start, lane.setting, statuses.index(status[row]))
        for row, (place, _, lane) in enumerate(rows)
    ]
    return {
        "seeds": list(seeds[:starts]),
        "optimizers": [_described(labels, one) for one in shown],
        "statuses": statuses,
        "lanes": np.array(table, np.int32).reshape(-1, 4),
        "ends": np.cumsum([len(lane.index) for *_, lane in rows]).astype(np.int32),
        **_points(rows),
    }


def _described(labels: Sequence[str], one: Shown) -> dict[str, Any]:
    settings = one.trajectory.settings
    values = np.stack(list(settings.values()), axis=-1) if settings else np.zeros((1, 0))
    return {
        "optimizer": labels.index(one.optimizer),
        "names": list(settings),
        "settings": values.astype(np.float32),
        "tuned": one.tuned,
        "trials": one.trials,
        "steps": one.trajectory.steps,
    }


def _points(rows: Sequence[tuple[int, Shown, Lane]]) -> dict[str, Any]:
    """What the log points of all lanes hold, one lane after the other."""

    def column(log: str) -> np.ndarray:
        parts = [
            getattr(one.trajectory, log)[lane.start, lane.setting, lane.index]
            for _, one, lane in rows
        ]
        return np.concatenate([np.zeros(0), *parts])

    index = np.concatenate([np.zeros(0, int), *(lane.index for *_, lane in rows)])
    points = np.concatenate([np.zeros((0, 2)), *(lane.points for *_, lane in rows)])
    by_gradient = any(one.trajectory.reference is None for _, one, _ in rows)
    off = [lane.off_plane for *_, lane in rows if lane.off_plane is not None]
    return {
        "index": index.astype(np.uint8 if index.max(initial=0) < BYTE else np.int32),
        "points": _single(points),
        "merits": _rounded(column("merit_values")),
        "values": _rounded(column("value")) if by_gradient else None,
        "costs": _single(column("cost")),
        "offPlane": _rounded(np.concatenate(off)) if off else None,
    }


def _single(array: np.ndarray) -> Bytewise:
    return Bytewise(np.clip(array, -LARGEST, LARGEST).astype(np.float32))


def _rounded(array: np.ndarray) -> Bytewise:
    """Numbers that are only told, to five digits."""
    bits = _single(array).array.view(np.int32)
    whole = (bits + (1 << (SPARED - 1))) >> SPARED << SPARED
    return Bytewise(np.where(np.isfinite(array), whole, bits).astype(np.int32).view(np.float32))
