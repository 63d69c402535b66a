"""Paths over contours: what optimizers did on a problem in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from optbench.figures import style
from optbench.figures.contours import draw_contours, draw_scale, surface_of
from optbench.figures.families import contrast, representatives
from optbench.figures.runs import ProblemRuns, Tuned
from optbench.figures.sheet import Sheet
from optbench.records import ProblemRecord
from optbench.trajectory import Trajectory

MINIMIZER_COLOR = "#F0E442"
START = 0  # index of the start that is shown
PICTURE = 0.8125  # of a small panel: the longer side of its axes, over its share of the width
TITLE_INCHES = 0.1  # what a small panel is higher than its axes, per point of its text
OVERLAID = 6  # optimizers in one picture
LONGEST = 5.0  # diagonals of the picture that a path in it may be long
OVERLAY_WIDTH = 5.0  # inches, of its axes at most
OVERLAY_HEIGHT = 4.7
STRETCHED = 2.5  # height over width of a picture, or the reverse, at most
INCOMPARABLE = 10.0  # of a region, beyond which its axes have different units
FINE = 0.05  # the height of a region below which its ticks have many digits
LABEL_WIDTH = 30
CAPTION = (
    "How to read: paths start at the white circle, each optimizer at its tuned setting; marks are "
    "steps 1, 2, 4, 8, ..., thin lines skip steps, and "
)
_ENDING = {
    "suboptimality": "a power of ten is the share of the first f - f* that is left.",
    "gradient norm": "a power of ten is the share of the first gradient's norm that is left.",
    "escape": "bold contours pass through the saddle, dashed ones lie below it.",
}


def path_of(tuned: Tuned, start: int = START) -> np.ndarray | None:
    """[T, 2] the points of a start at the tuned setting; None where they were not kept."""
    return lane_path(tuned.trajectory, start, tuned.setting)


def lane_path(trajectory: Trajectory, start: int, setting: int) -> np.ndarray | None:
    """[T, d] the points of one lane, by index; None where they were not kept.

    It ends where the lane does, or where a point is not finite.
    """
    points = trajectory.points_of(start, setting)
    if points is None:
        return None
    finite = np.isfinite(points).all(-1)
    return points if finite.all() else points[: np.argmin(finite)]


def marked_steps(steps: np.ndarray) -> list[int]:
    """Indices of the log points nearest to steps 1, 2, 4, 8, ..., as far as they go."""
    powers = [2**n for n in range(int(steps.max(initial=0)).bit_length())]
    return sorted({int(np.argmin(np.abs(steps - power))) for power in powers})


@style.on_its_sheet
def overlay(runs: ProblemRuns) -> style.Picture:
    """The paths of a few optimizers from one start over the contours of f.

    Those that are named are shown, at their tuned settings, or else one of each family; or, where
    natural gradient applies, the methods that it is to be compared with. Longer paths lie deeper;
    one that would cover the rest is left out, and named below the picture.

    Raises:
        OptbenchError: the problem has no stored surface.
    """
    paths, sheet = paths_of(runs), runs.sheet
    shown = shown_of(runs, list(paths))
    across = _diagonal(runs.problem)
    wild = [name for name in shown if _length(paths[name], across) > LONGEST * across]
    wild = wild if len(wild) < len(shown) else []
    shown = [name for name in shown if name not in wild]
    notes = _notes(runs, paths, left_out=wild)
    told = {
        name: [runs.tuned[name].setting_text, runs.tuned[name].outcome(START)] for name in shown
    }
    lay = _axes_beside if sheet.beside else _axes_below
    figure, panel, scale, legend = lay(runs.problem, sheet, notes, [*shown, "start", "minimizer"])
    draw_scale(figure, scale, draw_contours(panel, runs.problem, sheet), runs.problem)
    for name in sorted(shown, key=runs.ranked.index):
        label = style.entry(sheet, name, *told[name], width=LABEL_WIDTH)
        zorder = 3 + 1 / (1 + _length(paths[name], across))
        draw_path(panel, paths[name], runs, name, label=label, zorder=zorder)
    draw_points(panel, runs, paths)
    handles, labels = panel.get_legend_handles_labels()
    spaced = {"labelspacing": 0.7} if sheet.beside else style.TIGHT
    columns = 1 if sheet.beside else style.legend_columns(sheet, labels)
    legend.legend(handles, labels, loc="upper left", ncols=columns, **spaced)
    style.set_title(figure, panel, runs.problem.label)
    style.add_caption(figure, *notes, *style.told_facts(sheet, told))
    return figure


def shown_of(runs: ProblemRuns, names: Sequence[str]) -> list[str]:
    """Which of these optimizers go into one picture: those named, or one of each family."""
    if runs.are_named:
        return list(names)
    return contrast(names) or representatives(names)[:OVERLAID]


Overlaid = tuple[style.Picture, Axes, Axes, Axes]


def _axes_beside(
    problem: ProblemRecord, sheet: Sheet, notes: Sequence[str], names: Sequence[str]
) -> Overlaid:
    """A figure with axes, from left to right, for the paths, the color scale and the legend."""
    tall, caption = _height_over_width(problem), style.caption_height(*notes, sheet=sheet)
    width = min(OVERLAY_WIDTH, OVERLAY_HEIGHT / tall)
    total = caption + OVERLAY_HEIGHT + 1.05
    bottom, low = caption + 0.65 + OVERLAY_HEIGHT - width * tall, caption + 0.65
    figure = style.new_figure(total, None, sheet=sheet)
    left = 0.8 if np.ptp(surface_of(problem).y) > FINE else 1.2  # room for what the ticks say
    panel = _axes(figure, left, bottom, width, width * tall)
    scale = _axes(figure, left + 0.15 + width, bottom, 0.14, width * tall)
    beside = left + 1.2 + width
    legend = _axes(figure, beside, low, sheet.width - beside, OVERLAY_HEIGHT)
    legend.set_axis_off()
    return figure, panel, scale, legend


def _axes_below(
    problem: ProblemRecord, sheet: Sheet, notes: Sequence[str], names: Sequence[str]
) -> Overlaid:
    """A figure with axes for the paths and the color scale, and above them for the legend."""
    tall = _height_over_width(problem)
    left = 0.42 if np.ptp(surface_of(problem).y) > FINE else 0.65
    bottom, above = 0.34, style.legend_height(sheet, names)
    width = min(sheet.width - left - 0.68, sheet.scale * OVERLAY_HEIGHT * 1.2 / tall)
    figure = style.new_figure(bottom + width * tall + above + 0.08, None, sheet=sheet)
    panel = _axes(figure, left, bottom, width, width * tall)
    scale = _axes(figure, left + width + 0.07, bottom, 0.07, width * tall)
    legend = _axes(figure, left, bottom + width * tall + 0.06, sheet.width - left, above)
    legend.set_axis_off()
    return figure, panel, scale, legend


def _axes(figure: style.Picture, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def _height_over_width(problem: ProblemRecord) -> float:
    """Of the region, or as near to it as a picture can be; 1 where the axes compare nothing."""
    surface = surface_of(problem)
    ratio = float(np.ptp(surface.y) / np.ptp(surface.x))
    if not 1 / INCOMPARABLE < ratio < INCOMPARABLE:
        return 1.0
    return min(max(ratio, 1 / STRETCHED), STRETCHED)


def _diagonal(problem: ProblemRecord) -> float:
    surface = surface_of(problem)
    return float(np.hypot(np.ptp(surface.x), np.ptp(surface.y)))


def _length(path: np.ndarray, longest_step: float) -> float:
    """Of a path, as far as it can be seen: no step crosses more than the picture."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=-1)
    return float(np.minimum(steps, longest_step).sum())


@style.on_its_sheet
def multiples(runs: ProblemRuns) -> style.Picture:
    """One small picture per optimizer: its path from one start, at its tuned setting.

    Raises:
        OptbenchError: the problem has no stored surface.
    """
    paths, sheet = paths_of(runs), runs.sheet
    rows = max(1, -(-len(paths) // sheet.columns))
    picture = PICTURE * sheet.width / sheet.columns
    columns = sheet.letters(0.9 * picture * min(1, 1 / _height_over_width(runs.problem)))
    height = (picture + TITLE_INCHES * sheet.small_size) * rows + (0.6 if sheet.titled else 0.1)
    figure = style.new_figure(height, "compressed", sheet=sheet)
    panels = figure.subplots(rows, sheet.columns, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(paths) :]:
        panel.set_axis_off()
    for place, (panel, (name, path)) in enumerate(zip(panels.flat, paths.items(), strict=False)):
        tuned = runs.tuned[name]
        draw_contours(panel, runs.problem, sheet)
        panel.set_rasterization_zorder(0)
        draw_path(panel, path, runs, name)
        draw_points(panel, runs, {name: path})
        below = place + sheet.columns < len(paths)
        panel.tick_params(labelbottom=not below)
        if below:
            panel.set_xlabel("")
        if place % sheet.columns:
            panel.set_ylabel("")
        lines = [style.wrapped(name, columns), tuned.setting_text, tuned.outcome(START)]
        panel.set_title("\n".join(filter(None, lines)), fontsize=sheet.small_size, loc="left")
    style.set_title(figure, None, runs.problem.label)
    style.add_caption(figure, *_notes(runs, paths))
    return figure


def paths_of(runs: ProblemRuns) -> dict[str, np.ndarray]:
    """The paths that were kept, by optimizer, in study order."""
    surface_of(runs.problem)
    paths = {name: path_of(tuned) for name, tuned in runs.tuned.items()}
    return {name: path for name, path in paths.items() if path is not None}


def draw_path(panel: Axes, path: np.ndarray, runs: ProblemRuns, name: str, **options: Any) -> None:
    """The path, its thin part where log points are more than a step apart."""
    tuned, look, stroke = runs.tuned[name], runs.styles[name], runs.sheet.stroke
    steps = tuned.trajectory.steps[: len(path)]
    x, y = path.T
    dense = 1 + int(np.sum(np.cumprod(np.diff(steps) == 1)))
    place = {"zorder": options.get("zorder", 3)}
    panel.plot(x[dense - 1 :], y[dense - 1 :], color=look.color, linewidth=stroke(0.9), **place)
    panel.plot(x[:dense], y[:dense], color="white", linewidth=stroke(3.0), **place)
    line = {"color": look.color, "ls": look.dashes, "linewidth": stroke(1.7)}
    panel.plot(x[:dense], y[:dense], **line, **place)
    marks = marked_steps(steps)
    panel.plot(x[marks], y[marks], color=look.color, marker=look.marker, linestyle="none", **place)
    panel.plot([], [], **look.line, **options)


def draw_points(panel: Axes, runs: ProblemRuns, paths: dict[str, np.ndarray]) -> None:
    """The start and the minimizer, and what the coordinates are called."""
    problem, stroke = runs.problem, runs.sheet.stroke
    starts = [path[0] for path in paths.values() if len(path)]
    black = {"linestyle": "none", "markeredgecolor": "black", "zorder": 5}
    if starts:
        circle = {"marker": "o", "ms": stroke(10.0), "mfc": "white", "mew": stroke(2.0)}
        panel.plot(*starts[0], **circle, label="start", **black)
    if problem.minimizer is not None:
        star = {"marker": "*", "ms": stroke(17.0), "mfc": MINIMIZER_COLOR}
        panel.plot(*problem.minimizer, **star, label="minimizer", **black)
    panel.set_box_aspect(_height_over_width(problem))
    named = problem.coordinates
    across, up = map(style.plain, named) if named else ("$x_1$", "$x_2$")
    panel.set_xlabel(across)
    panel.set_ylabel(up, rotation=0 if problem.coordinates is None else 90)


def _notes(
    runs: ProblemRuns, paths: dict[str, np.ndarray], left_out: Sequence[str] = ()
) -> tuple[str, ...]:
    without = [name for name in runs.tuned if name not in paths]
    kept = f"No path kept: {', '.join(without)}." if without else ""
    wild = f"Left out, as its path would cover the rest: {', '.join(left_out)}." if left_out else ""
    return (
        CAPTION + _ENDING[runs.problem.merit],
        style.plain(kept),
        style.plain(wild),
        runs.missing,
    )
