"""Contours of a problem in two dimensions, at log-spaced heights."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize, SymLogNorm
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from optbench.errors import OptbenchError
from optbench.figures import style
from optbench.figures.sheet import SCREEN, Sheet
from optbench.records import ProblemRecord, Surface

LOW_SHARE = 0.05  # of the picture lies lower than ten times the lowest level
SIGNED_DECADES = 2  # of levels on each side of a saddle
FEWEST_DECADES = 2
MOST_DECADES = 9
MOST_LEVELS = 18
SIGNED_LEVELS = 6  # of each sign
LINE_COLOR = "#74879A"

_LAND = LinearSegmentedColormap.from_list("land", ["#FFFFFF", "#DCE5EC", "#A9BAC8"])
_PASS = LinearSegmentedColormap.from_list("pass", ["#B9CFA9", "#FFFFFF", "#A9BAC8"])


def surface_of(problem: ProblemRecord) -> Surface:
    """The stored surface of a problem.

    Raises:
        OptbenchError: there is none, or no finite value on it.
    """
    surface = problem.surface
    if surface is None or not np.isfinite(surface.values).any():
        raise OptbenchError(
            f"problem {problem.label!r} has no surface to draw paths on",
            "give Problem.region, for a problem in two dimensions",
        )
    return surface


def contour_levels(heights: np.ndarray, *, signed: bool) -> np.ndarray:
    """Ascending levels, one to five per decade, up to the highest height.

    They begin a decade below the height under which `LOW_SHARE` of the picture lies.

    Args:
        heights: f - f*, or f - f(saddle); what is not finite is ignored.
        signed: whether heights of both signs count; then levels are symmetric and 0 is one.
    """
    sizes = np.abs(heights[np.isfinite(heights) & (heights != 0)])
    top = float(np.log10(sizes.max())) if len(sizes) else 0.0
    low = float(np.log10(np.quantile(sizes, LOW_SHARE))) - 1 if len(sizes) else -1.0
    decades = SIGNED_DECADES if signed else np.clip(top - low, FEWEST_DECADES, MOST_DECADES)
    most = SIGNED_LEVELS if signed else MOST_LEVELS
    density = next(n for n in (5, 4, 3, 2, 1) if n * decades <= most)
    last = int(np.ceil(density * top))
    levels = 10.0 ** (np.arange(last - int(density * decades), last + 1) / density)
    return np.concatenate([-levels[::-1], [0.0], levels]) if signed else levels


def draw_contours(panel: Axes, problem: ProblemRecord, sheet: Sheet = SCREEN) -> ContourSet:
    """Fill the axes with the heights of f, above f*, above its saddle, or above its lowest value.

    Args:
        panel: to draw on.
        problem: with a surface.
        sheet: of the figure.

    Raises:
        OptbenchError: the problem has no surface.
    """
    surface, signed = surface_of(problem), problem.saddle is not None
    values = np.where(np.isfinite(surface.values), surface.values, np.nan)
    known = problem.saddle if signed else problem.minimum
    heights = values - (np.nanmin(values) if known is None else known)
    levels = contour_levels(heights, signed=signed)
    norm: Normalize = LogNorm(levels[0], levels[-1])
    if signed:
        norm = SymLogNorm(levels[levels > 0][0], vmin=levels[0], vmax=levels[-1])
    else:
        heights = np.maximum(heights, levels[0] / 10)
    grid, colors = (surface.x, surface.y, heights), _PASS if signed else _LAND
    filled = panel.contourf(*grid, levels, norm=norm, cmap=colors, extend="both", zorder=-1)
    crossed = levels[(levels > np.nanmin(heights)) & (levels < np.nanmax(heights))]
    if len(crossed):
        widths = list(np.where(crossed == 0, sheet.stroke(2.0), sheet.stroke(0.6)))
        panel.contour(*grid, crossed, colors=LINE_COLOR, linewidths=widths, zorder=-1)
    panel.set_xlim(surface.x[0], surface.x[-1])
    panel.set_ylim(surface.y[0], surface.y[-1])
    panel.grid(False)
    return filled


def draw_scale(figure: Figure, axes: Axes, filled: ContourSet, problem: ProblemRecord) -> None:
    """Say in axes of their own which color is which height."""
    label = r"$f - \min f$ in the picture" if problem.minimum is None else r"$f - f^\ast$"
    if problem.minimum_kind == "best known":
        label = r"$f$ less the best known value"
    if problem.saddle is not None:
        label = r"$f - f_{\mathrm{saddle}}$"
    scale = figure.colorbar(filled, cax=axes, label=label)
    levels = np.asarray(filled.levels)
    exponents = np.log10(np.abs(np.where(levels == 0, 1.0, levels)))
    decades = levels[np.isclose(exponents, np.round(exponents))]
    scale.set_ticks(list(decades), labels=[style.power_of_ten(level) for level in decades])
    scale.minorticks_off()
