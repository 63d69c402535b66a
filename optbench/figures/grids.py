"""A cell per problem and optimizer, and a bar per optimizer."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
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
BAR = 0.74  # of a row

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
    columns = [style.wrapped(name, NAME_LETTERS) for name in data.optimizers]
    letters = max(len(line) for name in columns for line in name.split("\n"))
    states = [state for state in CELLS if (data.states == state).any()]
    line = ROW_INCHES * sheet.small_size
    above = letters / sheet.letters(1.0) + (5 if sheet.titled else 3) * line
    figure = style.new_figure(line * (len(data.problems) + 4) + above, sheet=sheet)
    panel = figure.subplots()
    norm = Normalize(0.0, DEAREST)
    for place in np.ndindex(data.states.shape):
        _draw_cell(panel, data, place, COLORS(norm(data.log_ratios[place])), sheet)
    panel.set(xlim=(0, len(columns)), ylim=(len(data.problems), 0))
    panel.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90)
    panel.tick_params(length=0, labeltop=True, labelbottom=False)
    _name_rows(panel, data.problems, sheet, 0.5)
    scale = figure.colorbar(
        ScalarMappable(norm, COLORS), ax=panel, orientation="horizontal", extend="max",
        location="bottom", fraction=1.4 * line / figure.get_figheight(), aspect=40, pad=0.02,
        label="cost over that of the best shown",
    )  # fmt: skip
    powers = np.arange(DEAREST + 1)
    scale.set_ticks(list(powers), labels=[ratio_text(2.0**power) for power in powers])
    if states:
        marks = [Patch(**CELLS[state], label=state) for state in states]
        figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), **style.TIGHT)
    style.set_title(figure, None, "cost by problem and optimizer")
    style.add_caption(figure, _cells_text(drawn.target))
    return figure


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
    text = f"{ratio:.2g}" if ratio < 99.5 else f"{ratio:.0f}"
    room = sheet.letters(CELLS_SHARE * sheet.width / len(data.optimizers))
    if state in CELLS or (len(text) > room and ratio > 1):
        return
    dark = data.log_ratios[place] > DEAREST / 2
    look = {"ha": "center", "va": "center", "fontsize": sheet.small_size}
    panel.text(optimizer + 0.5, problem + 0.5, text, color="white" if dark else "black", **look)


@style.on_its_sheet
def failures_figure(drawn: Bars) -> style.Picture:
    """Share of the runs of each optimizer by how they end, and a mark at those that reach."""
    data, sheet = drawn.data, drawn.sheet
    kinds = [k for k, kind in enumerate(data.kinds) if data.counts[:, k].any()]
    names = [*(str(data.kinds[k]) for k in kinds), "the study's target"]
    line = 1.15 * ROW_INCHES * sheet.small_size
    height = line * (len(data.optimizers) + (5 if sheet.titled else 2.5))
    above = style.row_height(sheet, names)
    figure = style.new_figure(height + above + 0.2, sheet=sheet)
    panel = figure.subplots()
    rows, left = np.arange(len(data.optimizers)), np.zeros(len(data.optimizers))
    shares = np.nan_to_num(data.shares)
    for k in kinds:
        look = {"color": ENDINGS[data.kinds[k]], "label": str(data.kinds[k]), "height": BAR}
        panel.barh(rows, shares[:, k], left=left, **look)
        left = left + shares[:, k]
    ran = data.totals > 0
    look = {"marker": "D", "mfc": "white", "mec": "black", "ls": "none", "ms": sheet.stroke(7.0)}
    panel.plot((data.reached[ran] / data.totals[ran]), rows[ran], **look, label=names[-1])
    panel.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="share of runs")
    panel.xaxis.set_major_formatter(PercentFormatter(1.0))
    panel.grid(False, axis="y")
    _name_rows(panel, data.optimizers, sheet, 0.0)
    columns = style.legend_columns(sheet, names)
    figure.legend(loc="outside upper left", ncols=columns, **style.TIGHT)
    style.set_title(figure, None, "how runs end")
    style.add_caption(figure, _endings_text(drawn))
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


def _name_rows(panel: Axes, names: tuple[str, ...], sheet: Sheet, offset: float) -> None:
    """Names on the left, one per row, and no frame."""
    width = sheet.letters(LABEL_SHARE * sheet.width)
    labels = [style.wrapped(name, width) for name in names]
    panel.set_yticks(np.arange(len(names)) + offset, labels, linespacing=0.9)
    panel.tick_params(axis="y", length=0)
    panel.spines[:].set_visible(False)
    if offset:
        panel.grid(False)
