"""Paths over contours: what optimizers did on a problem in two dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, SymLogNorm
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from optbench.errors import OptbenchError
from optbench.figures import style
from optbench.figures.families import contrast, representatives
from optbench.figures.runs import ProblemRuns, Tuned
from optbench.records import ProblemRecord, Surface

START = 0  # index of the start that is shown
COLUMNS = 3
PANEL_HEIGHT = 3.7  # inches, of one small panel with its title
OVERLAID = 6  # optimizers in one picture
OVERLAY_WIDTH = 5.0  # inches, of its axes at most
OVERLAY_HEIGHT = 4.7
PER_DECADE = 3  # contour levels
DECADES = 4  # they reach this far below the highest
SIGNED_DECADES = 2  # and this far on each side of a saddle
LABEL_WIDTH = 30
CAPTION = (
    "How to read: all paths start at the white circle, each optimizer at its best setting; marks "
    "are steps 1, 2, 4, 8, ..., and a thin path joins points more than a step apart."
)

_LAND = LinearSegmentedColormap.from_list("land", ["#FFFFFF", "#DCE5EC", "#A9BAC8"])
_PASS = LinearSegmentedColormap.from_list("pass", ["#B9CFA9", "#FFFFFF", "#A9BAC8"])


def path_of(tuned: Tuned) -> np.ndarray | None:
    """[T, 2] the points of the shown start at the best setting; None where they were not kept.

    It ends where the lane does, or where a point is not finite.
    """
    trajectory = tuned.trajectory
    lane = START * trajectory.value.shape[1] + tuned.setting
    kept = np.flatnonzero(trajectory.recorded == lane)[:1]
    if not len(kept):
        return None
    params = trajectory.params
    leaves = list(params.values()) if isinstance(params, dict) else [params]
    points = np.concatenate([leaf[kept[0]].reshape(leaf.shape[1], -1) for leaf in leaves], axis=-1)
    points = points[: trajectory.last[START, tuned.setting] + 1]
    finite = np.isfinite(points).all(-1)
    return points if finite.all() else points[: np.argmin(finite)]


def marked_steps(steps: np.ndarray) -> list[int]:
    """Indices of the log points nearest to steps 1, 2, 4, 8, ..."""
    powers = 2.0 ** np.arange(np.log2(max(steps[-1], 1)) + 1) if len(steps) else np.array([])
    powers = powers[powers <= steps[-1]] if len(steps) else powers
    return [int(i) for i in np.unique([np.argmin(np.abs(steps - power)) for power in powers])]


def contour_levels(heights: np.ndarray, *, signed: bool) -> np.ndarray:
    """Ascending levels, `PER_DECADE` each, over the `DECADES` below the highest height.

    Args:
        heights: f - f*, or f - f(saddle); what is not finite is ignored.
        signed: whether heights of both signs count; then levels are symmetric and 0 is one.
    """
    sizes = np.abs(heights[np.isfinite(heights) & (heights != 0)])
    top = int(np.ceil(PER_DECADE * np.log10(sizes.max()))) if len(sizes) else 0
    depth = PER_DECADE * (SIGNED_DECADES if signed else DECADES)
    levels = 10.0 ** (np.arange(top - depth, top + 1) / PER_DECADE)
    return np.concatenate([-levels[::-1], [0.0], levels]) if signed else levels


@style.house_style()
def overlay(runs: ProblemRuns) -> Figure:
    """The paths of a few optimizers from one start over the contours of f.

    One of each family is shown, at its best setting; or, where natural gradient applies, the
    methods that it is to be compared with. Longer paths lie deeper.

    Raises:
        OptbenchError: the problem has no stored surface.
    """
    paths = _paths(runs)
    shown = contrast(list(paths)) or representatives(list(paths))[:OVERLAID]
    notes = CAPTION, *_notes(runs, paths)
    figure, panel, scale, legend = _overlay_axes(runs.problem, style.caption_height(*notes))
    _draw_scale(figure, scale, _draw_land(panel, runs.problem), runs.problem)
    for name in sorted(shown, key=runs.ranked.index):
        tuned = runs.tuned[name]
        lines = [style.wrapped(name, LABEL_WIDTH), tuned.setting_text, tuned.outcome(START)]
        label = "\n   ".join(filter(None, lines))
        zorder = 3 + 1 / (1 + _length(paths[name]))
        _draw_path(panel, paths[name], tuned, runs.styles[name], label=label, zorder=zorder)
    _draw_points(panel, runs.problem, paths)
    legend.legend(*panel.get_legend_handles_labels(), loc="upper left", labelspacing=0.7)
    panel.set_title(style.wrapped(runs.problem.label, 60), loc="left", fontweight="bold")
    style.add_caption(figure, *notes)
    return figure


def _overlay_axes(problem: ProblemRecord, caption: float) -> tuple[Figure, Axes, Axes, Axes]:
    """A figure with axes, from left to right, for the paths, the color scale and the legend."""
    surface = _surface(problem)
    tall = np.ptp(surface.y) / np.ptp(surface.x)
    width = min(OVERLAY_WIDTH, OVERLAY_HEIGHT / tall)
    total = caption + OVERLAY_HEIGHT + 1.05
    bottom, low = caption + 0.65 + OVERLAY_HEIGHT - width * tall, caption + 0.65
    figure = style.new_figure(total, None)

    def axes(left: float, bottom: float, width: float, height: float) -> Axes:
        inches = (left / style.WIDTH, bottom / total, width / style.WIDTH, height / total)
        return figure.add_axes(inches)

    panel = axes(0.8, bottom, width, width * tall)
    scale = axes(0.95 + width, bottom, 0.14, width * tall)
    legend = axes(2.0 + width, low, style.WIDTH - 2.0 - width, OVERLAY_HEIGHT)
    legend.set_axis_off()
    return figure, panel, scale, legend


def _length(path: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum())


@style.house_style()
def multiples(runs: ProblemRuns) -> Figure:
    """One small picture per optimizer: its path from one start, at its best setting.

    Raises:
        OptbenchError: the problem has no stored surface.
    """
    paths = _paths(runs)
    rows = max(1, -(-len(paths) // COLUMNS))
    figure = style.new_figure(PANEL_HEIGHT * rows + 0.6, "compressed")
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(paths) :]:
        panel.set_axis_off()
    for panel, (name, path) in zip(panels.flat, paths.items(), strict=False):
        tuned = runs.tuned[name]
        _draw_land(panel, runs.problem)
        panel.set_rasterization_zorder(0)
        _draw_path(panel, path, tuned, runs.styles[name])
        _draw_points(panel, runs.problem, {name: path})
        panel.label_outer()
        lines = [style.wrapped(name, LABEL_WIDTH), tuned.setting_text, tuned.outcome(START)]
        panel.set_title("\n".join(filter(None, lines)), fontsize=style.FONT_SIZE - 1, loc="left")
    figure.suptitle(style.wrapped(runs.problem.label, 60), fontweight="bold")
    style.add_caption(figure, CAPTION, *_notes(runs, paths))
    return figure


def _paths(runs: ProblemRuns) -> dict[str, np.ndarray]:
    _surface(runs.problem)
    paths = {name: path_of(tuned) for name, tuned in runs.tuned.items()}
    return {name: path for name, path in paths.items() if path is not None}


def _surface(problem: ProblemRecord) -> Surface:
    if problem.surface is None:
        raise OptbenchError(
            f"problem {problem.label!r} has no surface to draw paths on",
            "give Problem.region, for a problem in two dimensions",
        )
    return problem.surface


def _draw_land(panel: Axes, problem: ProblemRecord) -> ContourSet:
    surface, signed = _surface(problem), problem.saddle is not None
    values = np.where(np.isfinite(surface.values), surface.values, np.nan)
    known = problem.saddle if signed else problem.minimum
    heights = values - (np.nanmin(values) if known is None else known)
    levels = contour_levels(heights, signed=signed)
    norm: Normalize = LogNorm(levels[0], levels[-1])
    if signed:
        norm = SymLogNorm(levels[levels > 0][0], vmin=levels[0], vmax=levels[-1])
    else:
        heights = np.maximum(heights, levels[0] / 10)
    grid, colors = (surface.x, surface.y, heights, levels), _PASS if signed else _LAND
    filled = panel.contourf(*grid, norm=norm, cmap=colors, extend="both", zorder=-1)
    widths = np.where(levels == 0, 2.0, 0.6)
    panel.contour(
        *grid, colors="#74879A", linewidths=widths, linestyles="solid", zorder=-1
    )
    return filled


def _draw_scale(figure: Figure, axes: Axes, land: ContourSet, problem: ProblemRecord) -> None:
    label = r"$f - \min f$ in the picture" if problem.minimum is None else r"$f - f^\ast$"
    if problem.saddle is not None:
        label = r"$f - f_{\mathrm{saddle}}$"
    scale = figure.colorbar(land, cax=axes, label=label)
    levels = np.asarray(land.levels)
    decades = levels[np.isclose(np.log10(np.maximum(np.abs(levels), 1e-300)) % 1, 0)]
    scale.set_ticks(list(decades), labels=[style.power_of_ten(level) for level in decades])
    scale.minorticks_off()


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
        panel.plot(
            *problem.minimizer, marker="*", ms=17, mfc="#F0E442", label="minimizer", **black
        )
    surface = _surface(problem)
    panel.set_xlim(surface.x[0], surface.x[-1])
    panel.set_ylim(surface.y[0], surface.y[-1])
    panel.set_aspect("equal")
    panel.grid(False)
    panel.set_xlabel("$x_1$")
    panel.set_ylabel("$x_2$", rotation=0)


def _notes(runs: ProblemRuns, paths: dict[str, np.ndarray]) -> tuple[str, str]:
    without = [name for name in runs.tuned if name not in paths]
    kept = f"No path kept: {', '.join(without)}." if without else ""
    return style.plain(kept), runs.missing
