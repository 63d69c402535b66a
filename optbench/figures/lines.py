"""A line per optimizer over one axis, in panels of lines that colors can tell apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes

from optbench.figures import style
from optbench.figures.sheet import SCREEN, Sheet

PANEL_HEIGHT = 4.6  # inches, on a screen
BACKGROUND = "#CFCFCF"
COST = "cost (gradient-equivalents)"
MARKS = 7  # per line


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One optimizer.

    Attributes:
        x: [X] ascending places.
        y: [X] heights.
        steps: whether it keeps each height up to the next place; else it is straight between them.
        marks: indices of marked points; None for all.
        fact: what its legend says besides its name.
    """

    x: np.ndarray
    y: np.ndarray
    steps: bool = False
    marks: list[int] | None = None
    fact: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """What is drawn.

    Attributes:
        title: of the figure.
        lines: optimizer -> its line, in study order.
        across: label of the horizontal axis.
        up: label of the vertical axis.
        dress: sets scales and limits of a panel, and draws what is of no optimizer.
        texts: how to read it, and what is left out.
        sheet: that it is drawn on.
    """

    title: str
    lines: Mapping[str, Line]
    across: str
    up: str
    dress: Callable[[Axes], None]
    texts: tuple[str, ...]
    sheet: Sheet = SCREEN


def marked(x: np.ndarray, offset: float) -> list[int]:
    """Indices of about `MARKS` points, log-spaced in x and moved by a share of their spacing."""
    places = (np.arange(MARKS) + offset) / MARKS
    at = x[0] * (x[-1] / x[0]) ** places
    return [int(i) for i in np.unique(np.searchsorted(x, at * (1 - 1e-12)))]


@style.on_its_sheet
def draw_lines(chart: Chart) -> style.Picture:
    """Draw a chart.

    More optimizers than `style.PER_PANEL` go to several panels, which show the others in gray.
    """
    sheet, looks = chart.sheet, style.assign_styles(list(chart.lines))
    names = list(looks)
    groups = [names[i : i + style.PER_PANEL] for i in range(0, len(names), style.PER_PANEL)]
    legends = sum(style.legend_height(sheet, group) for group in groups)
    figure = style.new_figure(sheet.scale * PANEL_HEIGHT * len(groups) + legends, sheet=sheet)
    panels = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for panel, group in zip(panels, groups, strict=True):
        for name, line in chart.lines.items():
            course = {"drawstyle": "steps-post" if line.steps else "default"}
            if name not in group:
                panel.plot(line.x, line.y, color=BACKGROUND, zorder=1, **course)
                continue
            look = {**looks[name].line, **course, "markevery": line.marks, "zorder": 3}
            panel.plot(line.x, line.y, **look, label=style.entry(sheet, name, line.fact))
        chart.dress(panel)
        panel.set_ylabel(chart.up)
        style.add_legend(panel, sheet, [name for name in chart.lines if name in group])
    style.set_title(figure, panels[0], chart.title)
    panels[-1].set_xlabel(chart.across)
    told = style.told_facts(sheet, {name: [line.fact] for name, line in chart.lines.items()})
    style.add_caption(figure, *chart.texts, *told)
    return figure
