"""A convergence bound next to the runs it was compared with."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from optbench.database import said_plainly
from optbench.figures import save, style

Direction = Literal["upper", "lower", "identity"]

PANEL_HEIGHT = 3.6  # inches
COLUMNS = 2
DEPTH = 1e-2  # the axis ends at this share of the lowest bound, if runs go deeper
LEGEND_HEIGHT = 0.35
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
}
_SENTENCE = {
    "upper": "no run may rise above the black bound; dots mark where a worst case comes nearest",
    "lower": "no run may fall below the black bound; dots mark where a worst case comes nearest",
    "identity": "every run must follow the black line; dots mark where one is farthest from it",
}


@runtime_checkable
class Compared(Protocol):
    """One run next to its bound, as `optbench.checks.bounds` gives it.

    Attributes:
        kind: why it is compared: a key of `KINDS`.
        setting: the theorem's parameter -> its value.
        k: [T] steps, the same for all.
        bound: [T] the bound.
        ratios: [T] observed / bound; NaN where they are not compared.
        ratio_k: the step at which the run is nearest to crossing the bound; None without one.
        crossing: the first step beyond the bound, with its step k; or None.
    """

    @property
    def kind(self) -> Any:
        """Why it is compared."""
        ...

    @property
    def setting(self) -> Any:
        """The parameters."""
        ...

    @property
    def k(self) -> Any:
        """The steps."""
        ...

    @property
    def bound(self) -> Any:
        """The bound."""
        ...

    @property
    def ratios(self) -> np.ndarray:
        """Observed / bound."""
        ...

    @property
    def ratio_k(self) -> int | None:
        """The nearest step."""
        ...

    @property
    def crossing(self) -> Any:
        """The first crossing."""
        ...


@style.house_style()
def bound_figure(
    title: str,
    statement: str,
    comparisons: Sequence[Compared],
    *,
    direction: Direction = "upper",
    quantity: str = "",
) -> Figure:
    """Observed curves and their bound on logarithmic axes, one panel per setting.

    Runs of one setting start at different places and have different constants, so each has a
    bound of its own. All are drawn next to one of them, the one of the first run, over its value
    at the first step; how far a run lies below it is observed / bound of that run.

    Args:
        title: name of the theorem.
        statement: its inequality, in LaTeX without dollar signs.
        comparisons: the runs next to their bounds.
        direction: which side of the observed quantity the bound is on.
        quantity: what is observed, in LaTeX without dollar signs.
    """
    settings = list({_setting_text(c.setting): None for c in comparisons}) or [""]
    columns = min(COLUMNS, len(settings))
    rows = math.ceil(len(settings) / columns)
    figure = style.new_figure(PANEL_HEIGHT * rows + 1.6)
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False)
    for panel in panels.flat[len(settings) :]:
        panel.set_axis_off()
    for panel, setting in zip(panels.flat, settings, strict=False):
        own = [c for c in comparisons if _setting_text(c.setting) == setting]
        _draw_panel(panel, own)
        panel.set_title(_panel_title(setting, own, direction), loc="left")
    for panel in panels[-1]:
        panel.set_xlabel("step $k$")
    for panel in panels[:, 0]:
        panel.set_ylabel(f"{formula(quantity)}, over\nthe bound at the first step".lstrip(", "))
    figure.suptitle(f"{style.plain(title)}\n{formula(statement)}")
    caption = f"How to read: {_SENTENCE[direction]}."
    style.add_caption(figure, caption, reserve=LEGEND_HEIGHT)
    _draw_legend(figure, panels, style.caption_height(caption))
    return figure


def _draw_legend(figure: Figure, panels: np.ndarray, bottom: float) -> None:
    handles = {
        label: handle
        for panel in panels.flat
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    names = sorted(handles, key=["bound", *(name for name, _ in KINDS.values()), "crossed"].index)
    figure.legend(
        [handles[name] for name in names],
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, bottom / figure.get_figheight()),
        ncols=max(len(names), 1),
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


def _setting_text(setting: Mapping[str, float]) -> str:
    return style.plain(", ".join(f"{name} = {value:.4g}" for name, value in setting.items()))


def _panel_title(setting: str, comparisons: Sequence[Compared], direction: Direction) -> str:
    """The setting, and observed / bound where a run is nearest to the bound or beyond it."""
    ratios = [c.ratios[np.asarray(c.k) == c.ratio_k] for c in comparisons if c.ratio_k is not None]
    if not ratios:
        return " · ".join(filter(None, [setting, "not compared"]))
    distance = {"upper": lambda r: r, "lower": lambda r: -r, "identity": lambda r: abs(r - 1)}
    nearest = max((float(r[0]) for r in ratios), key=distance[direction])
    words = {"upper": "up to", "lower": "down to", "identity": "as far off as"}[direction]
    return " · ".join(filter(None, [setting, f"observed / bound {words} {nearest:.4g}"]))


def scaled(ratios: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """[T] observed / bound of one run, times a bound; NaN where a logarithm has no place for it.

    Args:
        ratios: [T] observed / bound; NaN where they are not compared.
        reference: [T] the bound it is drawn next to.
    """
    with np.errstate(all="ignore"):
        drawn = np.asarray(ratios, float) * reference
    return np.where(np.isfinite(drawn) & (drawn > 0), drawn, np.nan)


def _draw_panel(panel: Axes, comparisons: Sequence[Compared]) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    if not comparisons:
        return
    k = np.asarray(comparisons[0].k)
    first = np.asarray(comparisons[0].bound, float)
    reference, seen = first / first[0], np.zeros(len(k), bool)
    highest = 1.0
    for compared in sorted(comparisons, key=lambda c: c.kind == "worst"):
        name, line = KINDS[compared.kind]
        drawn = scaled(compared.ratios, reference)
        highest, seen = max(highest, float(np.nanmax(drawn, initial=1.0))), seen | (drawn > 0)
        panel.plot(k, drawn, **{"linewidth": 1.2, **line}, label=name, zorder=2)
        if compared.kind == "worst" and compared.ratio_k is not None:
            at = k == compared.ratio_k
            panel.plot(k[at], drawn[at], "o", color=line["color"], zorder=4)
        if compared.crossing is not None:
            at = k == compared.crossing.k
            panel.plot(k[at], drawn[at], "X", color="red", ms=12, label="crossed", zorder=5)
    panel.plot(k, reference, color="black", linewidth=2.4, label="bound", zorder=3)
    panel.set_ylim(DEPTH * reference[seen].min(initial=1.0), 2 * min(highest, 1e6))


def plot_bounds(reports: Iterable[Any], folder: Path) -> None:
    """Write one figure per theorem into a folder, which is made if it is not there.

    Args:
        reports: what `optbench.check_bound` returned.
        folder: for the files.

    Raises:
        OptbenchError: the folder cannot be written.
    """
    with said_plainly(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for report in reports:
            theorem = report.theorem
            figure = bound_figure(
                theorem.name,
                theorem.latex,
                report.comparisons,
                direction=theorem.direction,
                quantity=theorem.quantity.latex,
            )
            save(figure, folder / f"{theorem.name}.svg")
