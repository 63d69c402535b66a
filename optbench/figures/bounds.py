"""A convergence bound next to the runs it was compared with."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import MaxNLocator

from optbench.database import said_plainly
from optbench.figures import save, style
from optbench.figures.bound_curves import UPPER, Compared, Curve, Panel, panels, with_uppers
from optbench.figures.sheet import SCREEN

Direction = Literal["upper", "lower", "identity"]

PANEL_HEIGHT = 3.6  # inches
COLUMNS = 2
MOST_PANELS = 6
HANDLE_CHARACTERS = 9  # as wide as the line in front of a name
SPREAD = 0.6  # of curves that have one place only
FEW = 12  # points of a curve that are marked
DEPTH = 1e-2  # the axis ends at this share of the lowest bound, if runs go deeper
LEGEND_HEIGHT = 0.35
LEGEND_ROW = 0.22  # each row beyond the first
DASHES = (style.DASHES[0], style.DASHES[1], style.DASHES[3])  # dots are for upper bounds
SOURCE_WIDTH = 90  # characters of a formula that cannot be set

_SPELLINGS = (  # what matplotlib does not know, or sets too small to be read
    (r"\\le(?![a-zA-Z])", r"\\leq"),
    (r"\\ge(?![a-zA-Z])", r"\\geq"),
    (r"\\[td]frac", r"\\frac"),
    (r"\\[lr]Vert", r"\\|"),
    (r"\\[lr]vert", "|"),
    (r"\\[bB]igg?[lr]?(?![a-zA-Z])", ""),
    (r"\\star", r"\\ast"),
    (r"\\sqrt\s*(\\[a-zA-Z]+|[a-zA-Z0-9])", r"\\sqrt{\1}"),
)

KINDS: dict[str, tuple[str, dict[str, Any]]] = {  # kind of instance -> legend, line
    "worst": ("worst cases", {"color": style.COLORS[1], "linestyle": "-", "linewidth": 1.6}),
    "random": ("random", {"color": style.COLORS[0], "linestyle": style.DASHES[1]}),
    "translated": ("translated", {"color": style.COLORS[5], "linestyle": style.DASHES[2]}),
    "data": ("data", {"color": style.COLORS[2], "linestyle": style.DASHES[3]}),
    "given": ("given", {"color": style.COLORS[3], "linestyle": "-"}),
    "high precision": ("high precision", {"color": style.COLORS[4], "linestyle": "-"}),
    "step 3 % longer": ("step 3 % longer", {"color": style.COLORS[4], "linestyle": ":"}),
}
_SENTENCE = {
    "upper": "no run may rise above the black bound; dots mark where a worst case comes nearest",
    "lower": "no run may fall below the black bound; dots mark where a worst case comes nearest",
    "identity": "every run must follow the black line; dots mark where one is farthest from it",
}
_BOTH = "no run may fall below the black bound, nor rise above the dotted one of its method"
_PRECISE = "runs in high precision keep to the black bound; rounding lets those in float64 leave it"
_ZERO = "all is zero but for rounding, and stays below the black line of what is granted"


@style.house_style()
def bound_figure(
    title: str,
    statement: str,
    comparisons: Sequence[Compared],
    *,
    direction: Direction = "upper",
    quantity: str = "",
    uppers: Sequence[Any] = (),
) -> style.Picture:
    """Observed curves and their bound, one panel per setting.

    Runs of one setting start at different places and have different constants, so each has a
    bound of its own. All are drawn next to one of them, the one of the first run, over its value
    at the first step; how far a run lies below it is observed / bound of that run. Where a bound
    is not positive, observed / bound itself is drawn, and what should be zero as it is.

    Args:
        title: name of the theorem.
        statement: its inequality, in LaTeX without dollar signs.
        comparisons: the runs next to their bounds.
        direction: which side of the observed quantity the bound is on.
        quantity: what is observed, in LaTeX without dollar signs.
        uppers: upper bounds on the methods of a lower bound (`optbench.checks.both_sides`).
    """
    drawn = [with_uppers(panel, uppers) for panel in panels(comparisons)]
    shown = drawn[:MOST_PANELS]
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    styles = line_styles(shown)
    names = ["bound", "crossed", *(label for label, _ in styles.values())]
    legend_columns = _legend_columns(names)
    legend_height = LEGEND_HEIGHT + LEGEND_ROW * (math.ceil(len(names) / legend_columns) - 1)
    figure = style.new_figure(PANEL_HEIGHT * rows + 1.25 + legend_height)
    axes = figure.subplots(rows, columns, squeeze=False)
    for unused in axes.flat[len(shown) :]:
        unused.set_axis_off()
    for place, panel in zip(axes.flat, shown, strict=False):
        _draw_panel(place, panel, styles)
        place.set_title(_panel_title(panel, direction), loc="left")
        place.set_xlabel("step $k$" if panel.axis == "k" else style.plain(panel.axis))
    for place, panel in zip(axes[:, 0], shown[::columns], strict=False):
        place.set_ylabel(_label(panel, quantity))
    figure.suptitle(f"{style.plain(title)}\n{formula(statement)}")
    precise = any(c.precise for c in comparisons)
    caption = f"How to read: {sentence(shown[0], direction, bool(uppers), precise)}."
    if len(drawn) > len(shown):
        caption += f" {len(shown)} of {len(drawn)} settings are shown."
    style.add_caption(figure, caption, reserve=legend_height)
    _draw_legend(figure, axes, style.caption_height(caption), legend_columns)
    return figure


def sentence(panel: Panel, direction: Direction, uppers: bool, precise: bool) -> str:
    """How to read a figure."""
    if panel.scale == "zero":
        return _ZERO
    if precise:
        return _PRECISE
    return _BOTH if uppers else _SENTENCE[direction]


def _label(panel: Panel, quantity: str) -> str:
    shown = formula(quantity)
    return {
        "relative": f"{shown}, over\nthe bound at its first place".lstrip(", "),
        "ratio": "observed / bound",
        "zero": shown or "observed",
    }[panel.scale]


def line_styles(shown: Sequence[Panel]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Legend and line of every name: those of kinds, and one for each other name."""
    names = dict.fromkeys(curve.name for panel in shown for curve in panel.curves)
    known = {name: KINDS[name] for name in KINDS if name in names}
    methods = [name for name in names if name not in KINDS and UPPER not in name]
    for name in (name for name in names if name not in KINDS):
        method = name.split(UPPER)[0]
        index = methods.index(method) if method in methods else len(methods)
        dashes = ":" if UPPER in name else DASHES[index % len(DASHES)]
        line = {"color": style.COLORS[index % len(style.COLORS)], "linestyle": dashes}
        known[name] = style.plain(name), line
    return known


def _legend_columns(names: Iterable[str]) -> int:
    """How many entries of a legend fit side by side."""
    widest = max(len(name) for name in names) + HANDLE_CHARACTERS
    return max(1, SCREEN.letters(SCREEN.width) // widest)


def _draw_legend(figure: Figure, axes: np.ndarray, bottom: float, columns: int) -> None:
    handles = {
        label: handle
        for panel in axes.flat
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="lower center",
        bbox_to_anchor=(0.5, bottom / figure.get_figheight()),
        ncols=min(len(handles), columns),
    )


def formula(latex: str) -> str:
    """A formula that matplotlib can set, or its source as plain text where it cannot."""
    if not latex:
        return ""
    for pattern, spelling in _SPELLINGS:
        latex = re.sub(pattern, spelling, latex)
    try:
        MathTextParser("path").parse(f"${latex}$")
    except ValueError:
        return style.plain("\n".join(textwrap.wrap(latex, SOURCE_WIDTH)))
    return f"${latex}$"


def _panel_title(panel: Panel, direction: Direction) -> str:
    """The setting, and observed / bound where a run is nearest to the bound or beyond it."""
    named = ", ".join(f"{name} = {value:.4g}" for name, value in panel.setting.items())
    setting = style.plain(named)
    if panel.scale == "zero":
        return setting
    seen = np.concatenate([c.ratios for c in panel.curves])
    seen = seen[~np.isnan(seen)]
    if not len(seen):
        return " · ".join(filter(None, [setting, "not compared"]))
    distance = {"upper": lambda r: r, "lower": lambda r: -r, "identity": lambda r: abs(r - 1)}
    nearest = max(map(float, seen), key=distance[direction])
    words = {
        "upper": f"up to {nearest:.4g}",
        "lower": f"down to {nearest:.4g}",
        "identity": f"is 1 within {abs(nearest - 1):.0e}",
    }[direction]
    return " · ".join(filter(None, [setting, f"observed / bound {words}"]))


def scaled(ratios: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """[T] observed / bound of one run, times a bound; NaN where a logarithm has no place for it.

    Args:
        ratios: [T] observed / bound; NaN where they are not compared.
        reference: [T] the bound it is drawn next to.
    """
    with np.errstate(all="ignore"):
        drawn = np.asarray(ratios, float) * reference
    return np.where(np.isfinite(drawn) & (drawn > 0), drawn, np.nan)


def heights(curve: Curve, panel: Panel) -> np.ndarray:
    """[P] where a curve is drawn."""
    if panel.scale == "ratio":
        return curve.ratios
    if panel.scale == "zero":
        return scaled(curve.ratios, np.ones_like(curve.x))
    return scaled(curve.ratios, panel.reference[np.searchsorted(panel.x, curve.x)])


def height_range(panel: Panel) -> tuple[float, float] | None:
    """Lowest and highest that a panel shows; None where all there is."""
    if panel.scale != "relative":
        return None
    seen = np.concatenate([panel.reference, *(heights(curve, panel) for curve in panel.curves)])
    seen = seen[np.isfinite(seen)]
    low = max(DEPTH * float(panel.reference.min()), float(seen.min()) / 2)
    return low, 2 * min(float(seen.max()), 1e6)


def _spread(panel: Panel, curve: Curve) -> np.ndarray:
    """[P] places, apart from those of other curves where all have the same one."""
    if len(panel.x) > 1:
        return curve.x
    share = panel.curves.index(curve) / max(len(panel.curves) - 1, 1)
    return curve.x + SPREAD * (share - 0.5)


def _draw_panel(axes: Axes, panel: Panel, styles: dict[str, tuple[str, dict[str, Any]]]) -> None:
    axes.set_xscale("log" if panel.logarithmic else "linear")
    if panel.scale != "ratio":
        axes.set_yscale("log")
    if len(panel.x) == 1:
        axes.set_xlim(panel.x[0] - 1, panel.x[0] + 1)
        axes.set_xticks(panel.x)
    elif panel.axis == "k" and not panel.logarithmic:
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    for curve in sorted(panel.curves, key=lambda c: c.name == "worst"):
        label, line = styles[curve.name]
        x, drawn = _spread(panel, curve), heights(curve, panel)
        few = {"marker": "o", "markersize": 4.5} if np.sum(~np.isnan(drawn)) <= FEW else {}
        axes.plot(x, drawn, **{"linewidth": 1.2, **line, **few}, label=label, zorder=2)
        if curve.name == "worst" and curve.nearest is not None:
            at = curve.nearest
            axes.plot(x[at], drawn[at], "o", color=line["color"], zorder=4)
        if curve.crossed is not None:
            at = curve.crossed
            axes.plot(x[at], drawn[at], "X", color="red", ms=12, label="crossed", zorder=5)
    name = "granted" if panel.scale == "zero" else "bound"
    line = {"color": "black", "lw": 2.4, "label": name, "zorder": 3}
    if len(panel.x) == 1:
        axes.axhline(panel.reference[0], **line)
    else:
        axes.plot(panel.x, panel.reference, **line)
    if (limits := height_range(panel)) is not None:
        axes.set_ylim(*limits)


def plot_bounds(reports: Iterable[Any], folder: Path) -> None:
    """Write one figure per theorem into a folder, which is made if it is not there.

    Args:
        reports: what `optbench.check_bound` returned.
        folder: for the files.

    Raises:
        OptbenchError: the folder cannot be written.
    """
    from optbench.bounds.names import known_theorems
    from optbench.checks.both_sides import upper_bounds

    with said_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for report in reports:
            theorem = report.theorem
            lower = theorem.direction == "lower" and theorem.also
            uppers = upper_bounds(theorem, known_theorems()) if lower else []
            figure = bound_figure(
                theorem.name,
                theorem.latex,
                report.comparisons,
                direction=theorem.direction,
                quantity=theorem.quantity.latex,
                uppers=uppers,
            )
            save(figure, folder / f"{theorem.name}.svg")
