"""A convergence bound next to the runs it was compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

from optbench.figures import style

PANEL_HEIGHT = 3.6  # inches
COLUMNS = 2
DEPTH = 1e-3  # the axis ends at this share of the lowest bound, if runs go deeper

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
        k: [T] steps.
        observed: [T] what was observed; NaN after the run's end.
        bound: [T] the bound.
        ratios: [T] observed / bound; NaN where they are not compared.
        ratio_k: the step at which the run is nearest to crossing the bound; None without one.
        crossing: the first step beyond the bound, with attributes k and observed; or None.
    """

    kind: Any
    setting: Any
    k: Any
    observed: Any
    bound: Any

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
    direction: Literal["upper", "lower", "identity"] = "upper",
    quantity: str = "",
) -> Figure:
    """Observed curves and their bound on logarithmic axes, one panel per setting.

    Runs of one setting may start at different places and have different constants; so both a run
    and its bound are divided by that bound at the first step.

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
        panel.set_title(_panel_title(setting, own), loc="left")
    for panel in panels[-1]:
        panel.set_xlabel("step $k$")
    for panel in panels[:, 0]:
        panel.set_ylabel(f"{formula(quantity)}\nover the bound at the first step".lstrip())
    figure.suptitle(f"{style.plain(title)}\n{formula(statement)}")
    handles = {
        label: handle
        for panel in panels.flat
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=len(handles) or 1
    )
    style.add_caption(figure, f"How to read: {_SENTENCE[direction]}.")
    return figure


def formula(latex: str) -> str:
    """A formula that matplotlib can set, or its source as plain text where it cannot."""
    if not latex:
        return ""
    try:
        MathTextParser("path").parse(f"${latex}$")
    except ValueError:
        return style.plain(latex)
    return f"${latex}$"


def _setting_text(setting: Mapping[str, float]) -> str:
    return style.plain(", ".join(f"{name} = {value:.4g}" for name, value in setting.items()))


def _panel_title(setting: str, comparisons: Sequence[Compared]) -> str:
    """The setting, and observed / bound where a run is nearest to the bound or beyond it."""
    ratios = [c.ratios[np.asarray(c.k) == c.ratio_k] for c in comparisons if c.ratio_k is not None]
    nearest = f"observed / bound up to {max(float(r[0]) for r in ratios):.4g}" if ratios else ""
    return " · ".join(filter(None, [setting, nearest or "not compared"]))


def scaled(compared: Compared) -> tuple[np.ndarray, np.ndarray]:
    """[T] what was observed and the bound, each over the bound at the first step.

    NaN where a logarithmic axis has no place for them.
    """
    bound, observed = np.asarray(compared.bound, float), np.asarray(compared.observed, float)
    unit = bound[0] if len(bound) and bound[0] > 0 else 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        pair = observed / unit, bound / unit
    return tuple(np.where(np.isfinite(v) & (v > 0), v, np.nan) for v in pair)  # type: ignore


def _draw_panel(panel: Axes, comparisons: Sequence[Compared]) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    lowest = np.inf
    for compared in sorted(comparisons, key=lambda c: c.kind == "worst"):
        observed, bound = scaled(compared)
        name, line = KINDS[compared.kind]
        panel.plot(compared.k, observed, **{"linewidth": 1.2, **line}, label=name, zorder=2)
        panel.plot(compared.k, bound, color="black", linewidth=2.4, label="bound", zorder=3)
        lowest = min(lowest, float(np.nanmin(bound, initial=np.inf)))
        if compared.kind == "worst" and compared.ratio_k is not None:
            at = np.asarray(compared.k) == compared.ratio_k
            dot = {"color": line["color"], "marker": "o", "linestyle": "none", "zorder": 4}
            panel.plot(np.asarray(compared.k)[at], observed[at], **dot)
        if compared.crossing is not None:
            at = np.asarray(compared.k) == compared.crossing.k
            cross = {"color": "red", "marker": "X", "markersize": 12, "linestyle": "none"}
            panel.plot(compared.k[at], observed[at], **cross, label="crossed", zorder=5)
    if np.isfinite(lowest):
        low, high = panel.get_ylim()
        panel.set_ylim(max(low, lowest * DEPTH), high)
