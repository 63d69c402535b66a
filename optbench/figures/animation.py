"""Paths over contours that grow with cost, next to the merit: what a step is worth at its price."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, features

from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.figures import style
from optbench.figures.contours import draw_contours, surface_of
from optbench.figures.convergence import MERIT_AXIS
from optbench.figures.lines import COST
from optbench.figures.runs import ProblemRuns
from optbench.figures.trajectories import MINIMIZER_COLOR, draw_points, path_of, shown_of

HEIGHT = 5.6  # inches
DPI = 80
COLORS = 128  # of all frames
SWATCH = 60  # pixels high, a patch that brings a color into the palette
HOLD_SECONDS = 1.5  # of the last frame
MOST_FRAMES = 600
FASTEST = 50.0  # frames per second that a GIF can have
LOWEST = 1e-12  # of a merit, over that at the start, on the axis

Progress = Callable[[Sequence[float]], Iterable[float]]


@dataclasses.dataclass(frozen=True, eq=False)
class Lane:
    """What one optimizer does from one start.

    Attributes:
        points: [T, 2] its path at the log points.
        cost: [T] gradient-equivalents spent up to each.
        merit: [T] the merit there.
    """

    points: np.ndarray
    cost: np.ndarray
    merit: np.ndarray

    def reached(self, cost: float) -> int:
        """How many log points have been paid for: a step is seen once all of it is."""
        return int(np.searchsorted(self.cost, cost, side="right"))


def lanes_of(runs: ProblemRuns, start: int) -> dict[str, Lane]:
    """The lanes that are shown, in study order.

    Args:
        runs: of one problem.
        start: index of the start.

    Raises:
        OptbenchError: no such start, or no path from it was kept.
    """
    surface_of(runs.problem)
    starts = min((len(t.trajectory.seeds) for t in runs.tuned.values()), default=0)
    if not 0 <= start < starts:
        raise OptbenchError(
            f"no start {start} on {runs.problem.label}",
            f"give a number from 0 to {starts - 1}" if starts else "run it to its end",
        )
    found = {name: path_of(tuned, start) for name, tuned in runs.tuned.items()}
    kept = {name: path for name, path in found.items() if path is not None and len(path)}
    lanes = {}
    for name in shown_of(runs, list(kept)):
        log, at = runs.tuned[name].trajectory, (start, runs.tuned[name].setting)
        count = len(kept[name])
        lanes[name] = Lane(kept[name], log.cost[at][:count], log.merit_values[at][:count])
    if not lanes:
        raise OptbenchError(
            f"no path from start {start} of {runs.problem.label} was kept", "give another start"
        )
    return lanes


def frame_costs(lanes: Sequence[Lane], count: int) -> np.ndarray:
    """[F] the cost of each frame, log-spaced from the first evaluation to the end of all lanes."""
    first = min(float(lane.cost[0]) for lane in lanes)
    last = max(float(lane.cost[-1]) for lane in lanes)
    return np.geomspace(first, max(last, first * 1.01), count)


def animate(
    runs: ProblemRuns,
    path: Path,
    *,
    start: int = 0,
    seconds: float = 8.0,
    frames_per_second: float = 12.0,
    progress: Progress = iter,
) -> Path:
    """Write an animation; equal results give equal bytes.

    Args:
        runs: of one problem, in two dimensions.
        path: of the file, .gif or .webp.
        start: index of the start that is shown.
        seconds: it takes, the hold at its end apart.
        frames_per_second: how smooth it is.
        progress: passes the frames on, and may tell how many are done.

    Raises:
        OptbenchError: the problem has no surface, the start no path, or the file no such kind.
    """
    count = _count(seconds, frames_per_second)
    kinds = [".gif", *([".webp"] if features.check("webp") else [])]
    if path.suffix.lower() not in kinds:
        raise OptbenchError(f"no animation of kind {path.suffix!r}", f"use {' or '.join(kinds)}")
    lanes = lanes_of(runs, start)
    costs = frame_costs(list(lanes.values()), count)
    with style.house_style():
        images = list(_frames(runs, lanes, progress(costs.tolist())))
    palette = _with_swatches(images[-1]).quantize(COLORS, dither=Image.Dither.NONE)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    step = round(1000 / frames_per_second)
    times = [step] * (count - 1) + [round(1000 * HOLD_SECONDS)]
    frames = flat if path.suffix.lower() == ".gif" else [f.convert("RGB") for f in flat]
    with said_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"duration": times, "loop": 0, "optimize": False}
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


def _with_swatches(image: Image.Image) -> Image.Image:
    """A picture over patches of the colors of lines and marks: a palette of both keeps them."""
    wide = Image.new("RGB", (image.width, image.height + SWATCH))
    wide.paste(image)
    swatches = (*style.COLORS, MINIMIZER_COLOR)
    width = image.width // len(swatches)
    for index, color in enumerate(swatches):
        left = index * width
        wide.paste(color, (left, image.height, left + width, wide.height))
    return wide


def _count(seconds: float, frames_per_second: float) -> int:
    if not 0 < frames_per_second <= FASTEST:
        raise OptbenchError(
            f"{frames_per_second:g} frames per second", f"give more than 0, up to {FASTEST:g}"
        )
    if not (math.isfinite(seconds) and 2 <= seconds * frames_per_second <= MOST_FRAMES):
        raise OptbenchError(
            f"{seconds:g} seconds at {frames_per_second:g} frames per second",
            f"give 2 to {MOST_FRAMES} frames in all",
        )
    return round(seconds * frames_per_second)


def _frames(
    runs: ProblemRuns, lanes: dict[str, Lane], costs: Iterable[float]
) -> Iterator[Image.Image]:
    """A picture per cost: what does not move is drawn once."""
    figure = style.new_figure(HEIGHT)
    plane, course = figure.subplots(1, 2)
    draw_contours(plane, runs.problem)
    draw_points(plane, runs, {name: lane.points for name, lane in lanes.items()})
    _dress(course, runs, lanes)
    moving = {name: _moving(plane, course, runs.styles[name]) for name in lanes}
    cursor = course.axvline(1.0, color="black", linewidth=1.0, animated=True)
    handles = [plane.plot([], [], **runs.styles[name].line, label=name)[0] for name in lanes]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    style.set_title(figure, None, runs.problem.label)
    style.settle(figure)
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    for cost in costs:
        canvas.restore_region(still)
        for name, lane in lanes.items():
            _move(moving[name], lane, cost)
        cursor.set_xdata([cost, cost])
        for artist in (*(a for lines in moving.values() for a in lines), cursor):
            artist.axes.draw_artist(artist)
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _moving(plane: Axes, course: Axes, look: style.Style) -> list[Any]:
    """The path, its head, the curve and its head, all empty."""
    line = {"color": look.color, "linestyle": look.dashes, "animated": True}
    head = {"color": look.color, "marker": look.marker, "ms": 9, "animated": True, "zorder": 6}
    return [
        artist
        for panel in (plane, course)
        for artist in (*panel.plot([], [], **line), *panel.plot([], [], **head))
    ]


def _move(lines: list[Any], lane: Lane, cost: float) -> None:
    """Show what a lane has done for a cost."""
    count = lane.reached(cost)
    x, y = lane.points[:count].T
    lines[0].set_data(x, y)
    lines[1].set_data(x[-1:], y[-1:])
    lines[2].set_data(lane.cost[:count], lane.merit[:count])
    lines[3].set_data(lane.cost[:count][-1:], lane.merit[:count][-1:])


def _dress(course: Axes, runs: ProblemRuns, lanes: dict[str, Lane]) -> None:
    """The axes of the merit against cost, for all that will be drawn."""
    merits = np.concatenate([lane.merit for lane in lanes.values()])
    merits = merits[np.isfinite(merits)]
    costs = frame_costs(list(lanes.values()), 2)
    course.set(xscale="log", xlim=(costs[0], costs[-1] * 1.1), xlabel=COST)
    course.set_ylabel(MERIT_AXIS[runs.problem.merit])
    if runs.problem.merit == "escape" or not (merits > 0).any():
        course.set_ylim(merits.min(initial=-1.0), merits.max(initial=1.0))
        return
    first = max(float(lane.merit[0]) for lane in lanes.values())
    low = max(float(merits[merits > 0].min()), LOWEST * first)
    course.set(yscale="log", ylim=(low / 2, min(float(merits.max()), 1e3 * first) * 2))
