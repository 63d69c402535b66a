"""A cell per problem and optimizer, and a bar per optimizer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import PercentFormatter

from optbench.exhibits import Endings, Heatmap
from optbench.figures import style
from optbench.figures.shares import ratio_text
from optbench.figures.sheet import SCREEN, Sheet
from optbench.trajectory import Status
from optbench.verdict import power

DEAREST = 6.0  # log2 of the ratio at which the color of a heatmap ends
ROW_INCHES = 0.021  # of a row, per point of its text
LABEL_SHARE = 0.36  # of the width of a figure, at most, for the names of rows
CELLS_SHARE = 0.6  # of it, at least, for cells
NAME_LETTERS = 22  # of a line of the name of a column
FIGURES_INCHES = 0.029  # of a cell with three figures in it, per point
ENTRY = 0.0165  # inches of a further line of a name, per point
MARGIN = 0.12  # inches, as tick labels are a little wider than a layout thinks
BAR = 0.74  # of a row
REACH = "reach the study's target"

COLORS = LinearSegmentedColormap.from_list(  # light to dark: also in print, and to the color-blind
    "cost", ["#FFF7D6", "#9FD3C7", "#3C8DAD", "#1F3A68"]
)
CELLS: dict[str, dict[str, Any]] = {  # state of a pair without a ratio -> its cell
    "not reached": {"facecolor": "#E8E8E8", "edgecolor": "#8A8A8A", "hatch": "////"},
    "crashed": {"facecolor": "#E9C7B5", "edgecolor": "#8A3B0C", "hatch": "xxxx"},
    "not applicable": {"facecolor": "white", "edgecolor": "#BBBBBB"},
    "not run": {"facecolor": "white", "edgecolor": "#BBBBBB", "hatch": "...."},
}
ENDINGS = {
    Status.REACHED: "#009E73",
    Status.BUDGET: "#C9C9C9",
    Status.STALLED: "#E69F00",
    Status.DIVERGED: "#D55E00",
    Status.NON_FINITE: "#CC79A7",
    Status.CRASHED: "#000000",
    Status.INTERRUPTED: "#56B4E9",
}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """A heatmap on a sheet.

    Attributes:
        data: over the best of each problem.
        target: of the study, a fraction of the merit at the start.
        sheet: that it is drawn on.
    """

    data: Heatmap
    target: float
    sheet: Sheet = SCREEN


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bars:
    """Endings on a sheet.

    Attributes:
        data: of each optimizer.
        target: of the study, a fraction of the merit at the start.
        sheet: that they are drawn on.
    """

    data: Endings
    target: float
    sheet: Sheet = SCREEN


@style.on_its_sheet
def heatmap_figure(drawn: Map) -> style.Picture:
    """Problems by optimizers, colored by log2 of the cost over that of the best on the problem."""
    data, sheet = drawn.data, drawn.sheet
    columns, rows = _column_names(data, sheet), _row_names(data.problems, sheet)
    line = ROW_INCHES * sheet.small_size
    above = max(map(_width, columns)) / sheet.letters(1.0) + (2 if sheet.titled else 0.5) * line
    text = _cells_text(drawn.target)
    below = 2 * line + style.caption_height(text, sheet=sheet)
    height = _row_height(rows, sheet) * len(rows) + above + 3 * line + below
    figure = style.new_figure(height, sheet=sheet)
    panel, norm = _grid(figure), Normalize(0.0, DEAREST)
    for place in np.ndindex(data.states.shape):
        _draw_cell(panel, data, place, COLORS(norm(data.log_ratios[place])), sheet)
    panel.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    panel.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90, linespacing=0.95)
    panel.set_yticks(np.arange(len(rows)) + 0.5, rows, linespacing=0.95)
    panel.tick_params(length=0, labeltop=True, labelbottom=False)
    scale = figure.colorbar(
        ScalarMappable(norm, COLORS), ax=panel, location="bottom", extend="max",
        fraction=line / height, aspect=40, pad=0.02, label="cost over that of the best shown",
    )  # fmt: skip
    powers = np.arange(DEAREST + 1)
    scale.set_ticks(list(powers), labels=[ratio_text(2.0**power) for power in powers])
    style.set_title(figure, None, "cost by problem and optimizer")
    style.add_caption(figure, text, reserve=2 * line)
    states = [state for state in CELLS if (data.states == state).any()]
    _legend_below(figure, [Patch(**CELLS[state], label=state) for state in states], len(states))
    return figure


def _grid(figure: style.Picture) -> Axes:
    """Axes without a frame, with room for long names on their left."""
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(w_pad=MARGIN)
    panel = figure.subplots()
    panel.spines[:].set_visible(False)
    panel.grid(False)
    return panel


def _width(label: str) -> int:
    return max(map(len, label.split("\n")))


def _column_names(data: Heatmap, sheet: Sheet) -> list[str]:
    """In lines where a cell has room for two."""
    room = CELLS_SHARE * sheet.width / len(data.optimizers)
    lines = room / (ENTRY * sheet.small_size)
    return [style.wrapped(n, NAME_LETTERS if lines >= 2 else 200) for n in data.optimizers]


def _row_names(names: Sequence[str], sheet: Sheet) -> list[str]:
    width = sheet.letters(LABEL_SHARE * sheet.width)
    return [style.wrapped(name, width) for name in names]


def _row_height(names: Sequence[str], sheet: Sheet) -> float:
    """Inches of a row, for the name of most lines."""
    more = max(name.count("\n") for name in names)
    return sheet.small_size * (ROW_INCHES + ENTRY * more)


def _legend_below(figure: style.Picture, handles: Sequence[Any] | None, columns: int) -> None:
    """The legend of a figure above its caption, where room was reserved for it."""
    foot = style.caption_height(*figure.caption, sheet=figure.sheet) / figure.get_figheight()
    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, foot)}
    if handles is None:
        handles = figure.axes[0].get_legend_handles_labels()[0]
    if columns:
        figure.legend(handles=handles, **place, borderaxespad=0.3, ncols=columns, **style.TIGHT)


def _cells_text(target: float) -> str:
    return (
        "How to read: the median cost to the target "
        f"{power(target)} over that of the best optimizer shown on the same problem: 1 is the "
        "best, darker is dearer. What has no ratio has no color: not reached by half of the seeds "
        "or more, crashed, not applicable (empty), or not run."
    )


def _draw_cell(
    panel: Axes, data: Heatmap, place: tuple[int, ...], color: Any, sheet: Sheet
) -> None:
    """One pair: its color, and its ratio where that can be read; hatched where there is none."""
    problem, optimizer = place
    state, ratio = str(data.states[place]), float(2.0 ** data.log_ratios[place])
    look = CELLS.get(state, {"facecolor": color, "edgecolor": "white"})
    panel.add_patch(Rectangle((optimizer, problem), 1, 1, linewidth=sheet.stroke(0.8), **look))
    width = CELLS_SHARE * sheet.width / len(data.optimizers)
    if state in CELLS or (width < FIGURES_INCHES * sheet.small_size and ratio > 1):
        return
    text = f"{ratio:.2g}" if ratio < 99.5 else f"{ratio:.0f}"
    color = "white" if data.log_ratios[place] > DEAREST / 2 else "black"
    middle = {"ha": "center", "va": "center", "fontsize": sheet.small_size}
    panel.text(optimizer + 0.5, problem + 0.5, text, color=color, **middle)


@style.on_its_sheet
def failures_figure(drawn: Bars) -> style.Picture:
    """Share of the runs of each optimizer by how they end, and a mark at those that reach."""
    data, sheet = drawn.data, drawn.sheet
    kinds = [k for k in range(len(data.kinds)) if data.counts[:, k].any()]
    names, text = _row_names(data.optimizers, sheet), _endings_text(drawn)
    line = ROW_INCHES * sheet.small_size
    entries = [REACH, *(str(data.kinds[k]) for k in kinds)]
    legend = style.row_height(sheet, entries) + 0.5 * line
    below = legend + style.caption_height(text, sheet=sheet)
    height = _row_height(names, sheet) * len(names) + (4.5 if sheet.titled else 3) * line + below
    figure = style.new_figure(height, sheet=sheet)
    panel = _grid(figure)
    rows, left = np.arange(len(names)), np.zeros(len(names))
    shares = np.nan_to_num(data.shares)
    for k in kinds:
        look = {"color": ENDINGS[data.kinds[k]], "label": str(data.kinds[k]), "height": BAR}
        panel.barh(rows, shares[:, k], left=left, **look)
        left = left + shares[:, k]
    ran = data.totals > 0
    look = {"marker": "D", "mfc": "white", "mec": "black", "ls": "none", "ms": sheet.stroke(7.0)}
    panel.plot(data.reached[ran] / data.totals[ran], rows[ran], **look, label=REACH)
    panel.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="share of runs")
    panel.xaxis.set_major_formatter(PercentFormatter(1.0))
    panel.grid(True, axis="x")
    panel.set_yticks(rows, names, linespacing=0.95)
    panel.tick_params(axis="y", length=0)
    style.set_title(figure, None, "how runs end")
    style.add_caption(figure, text, reserve=legend)
    _legend_below(figure, None, style.legend_columns(sheet, entries))
    return figure


def _endings_text(drawn: Bars) -> str:
    none = [o for o, n in zip(drawn.data.optimizers, drawn.data.totals, strict=True) if not n]
    return style.plain(
        "How to read: how the runs of each optimizer end at its tuned settings, over problems and "
        "seeds; reached target means the hardest one. The diamond is at the share of runs that "
        f"reach the target of the study, {power(drawn.target)}, however they end. A pair that "
        "crashed counts as a crash of every seed, one that is not applicable not at all."
        + (f" No runs: {', '.join(none)}." if none else "")
    )
