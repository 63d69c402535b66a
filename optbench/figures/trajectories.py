"""Paths over contours: what optimizers did on a problem in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from optbench.figures import style
from optbench.figures.contours import draw_contours, draw_scale, surface_of
from optbench.figures.families import contrast, representatives
from optbench.figures.runs import ProblemRuns, Tuned
from optbench.records import ProblemRecord
from optbench.trajectory import Trajectory

START = 0  # index of the start that is shown
COLUMNS = 3
PANEL_HEIGHT = 3.7  # inches, of one small panel with its title
PICTURE = 2.6  # of its axes, the longer side
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


def path_of(tuned: Tuned) -> np.ndarray | None:
    """[T, 2] the points of the shown start at the tuned setting; None where they were not kept."""
    return lane_path(tuned.trajectory, START, tuned.setting)


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


@style.house_style()
def overlay(runs: ProblemRuns) -> Figure:
    """The paths of a few optimizers from one start over the contours of f.

    One of each family is shown, at its tuned setting; or, where natural gradient applies, the
    methods that it is to be compared with. Longer paths lie deeper; one that would cover the rest
    is left out, and named below the picture.

    Raises:
        OptbenchError: the problem has no stored surface.
    """
    paths = paths_of(runs)
    shown = contrast(list(paths)) or representatives(list(paths))[:OVERLAID]
    across = _diagonal(runs.problem)
    wild = [name for name in shown if _length(paths[name], across) > LONGEST * across]
    wild = wild if len(wild) < len(shown) else []
    shown = [name for name in shown if name not in wild]
    notes = _notes(runs, paths, left_out=wild)
    figure, panel, scale, legend = _overlay_axes(runs.problem, style.caption_height(*notes))
    draw_scale(figure, scale, draw_contours(panel, runs.problem), runs.problem)
    for name in sorted(shown, key=runs.ranked.index):
        tuned = runs.tuned[name]
        lines = [style.wrapped(name, LABEL_WIDTH), tuned.setting_text, tuned.outcome(START)]
        label = "\n   ".join(filter(None, lines))
        zorder = 3 + 1 / (1 + _length(paths[name], across))
        _draw_path(panel, paths[name], tuned, runs.styles[name], label=label, zorder=zorder)
    _draw_points(panel, runs.problem, paths)
    legend.legend(*panel.get_legend_handles_labels(), loc="upper left", labelspacing=0.7)
    panel.set_title(style.wrapped(runs.problem.label, 60), loc="left", fontweight="bold")
    style.add_caption(figure, *notes)
    return figure


def _overlay_axes(problem: ProblemRecord, caption: float) -> tuple[Figure, Axes, Axes, Axes]:
    """A figure with axes, from left to right, for the paths, the color scale and the legend."""
    tall = _height_over_width(problem)
    width = min(OVERLAY_WIDTH, OVERLAY_HEIGHT / tall)
    total = caption + OVERLAY_HEIGHT + 1.05
    bottom, low = caption + 0.65 + OVERLAY_HEIGHT - width * tall, caption + 0.65
    figure = style.new_figure(total, None)

    def axes(left: float, bottom: float, width: float, height: float) -> Axes:
        inches = (left / style.WIDTH, bottom / total, width / style.WIDTH, height / total)
        return figure.add_axes(inches)

    left = 0.8 if np.ptp(surface_of(problem).y) > FINE else 1.2  # room for what the ticks say
    panel = axes(left, bottom, width, width * tall)
    scale = axes(left + 0.15 + width, bottom, 0.14, width * tall)
    legend = axes(left + 1.2 + width, low, style.WIDTH - left - 1.2 - width, OVERLAY_HEIGHT)
    legend.set_axis_off()
    return figure, panel, scale, legend


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


@style.house_style()
def multiples(runs: ProblemRuns) -> Figure:
    """One small picture per optimizer: its path from one start, at its tuned setting.

    Raises:
        OptbenchError: the problem has no stored surface.
    """
    paths = paths_of(runs)
    rows = max(1, -(-len(paths) // COLUMNS))
    columns = int(PICTURE * min(1, 1 / _height_over_width(runs.problem)) * style.TITLE_CHARACTERS)
    figure = style.new_figure(PANEL_HEIGHT * rows + 0.6, "compressed")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(paths) :]:
        panel.set_axis_off()
    for place, (panel, (name, path)) in enumerate(zip(panels.flat, paths.items(), strict=False)):
        tuned = runs.tuned[name]
        draw_contours(panel, runs.problem)
        panel.set_rasterization_zorder(0)
        _draw_path(panel, path, tuned, runs.styles[name])
        _draw_points(panel, runs.problem, {name: path})
        below = place + COLUMNS < len(paths)
        panel.tick_params(labelbottom=not below)
        if below:
            panel.set_xlabel("")
        if place % COLUMNS:
            panel.set_ylabel("")
        lines = [style.wrapped(name, columns), tuned.setting_text, tuned.outcome(START)]
        panel.set_title("\n".join(filter(None, lines)), fontsize=style.FONT_SIZE - 1, loc="left")
    figure.suptitle(style.wrapped(runs.problem.label, 60), fontweight="bold")
    style.add_caption(figure, *_notes(runs, paths))
    return figure


def paths_of(runs: ProblemRuns) -> dict[str, np.ndarray]:
    """The paths that were kept, by optimizer, in study order."""
    surface_of(runs.problem)
    paths = {name: path_of(tuned) for name, tuned in runs.tuned.items()}
    return {name: path for name, path in paths.items() if path is not None}


def _draw_path(
    panel: Axes, path: np.ndarray, tuned: Tuned, look: style.Style, **options: Any
) -> None:
    """The path, its thin part where log points are more than a step apart."""
    steps = tuned.trajectory.steps[: len(path)]
    x, y = path.T
    dense = 1 + int(np.sum(np.cumprod(np.diff(steps) == 1)))
    place = {"zorder": options.get("zorder", 3)}
    panel.plot(x[dense - 1 :], y[dense - 1 :], color=look.color, linewidth=0.9, **place)
    panel.plot(x[:dense], y[:dense], color="white", linewidth=3.0, **place)
    panel.plot(x[:dense], y[:dense], color=look.color, ls=look.dashes, linewidth=1.7, **place)
    marks = marked_steps(steps)
    panel.plot(x[marks], y[marks], color=look.color, marker=look.marker, linestyle="none", **place)
    panel.plot([], [], **look.line, **options)


def _draw_points(panel: Axes, problem: ProblemRecord, paths: dict[str, np.ndarray]) -> None:
    starts = [path[0] for path in paths.values() if len(path)]
    black = {"linestyle": "none", "markeredgecolor": "black", "zorder": 5}
    if starts:
        panel.plot(
            *starts[0], marker="o", ms=10, mfc="white", markeredgewidth=2, label="start", **black
        )
    if problem.minimizer is not None:
        panel.plot(*problem.minimizer, marker="*", ms=17, mfc="#F0E442", label="minimizer", **black)
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
