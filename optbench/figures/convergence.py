"""Merit against cost: how fast each optimizer comes down, and at what rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from optbench.figures import style
from optbench.figures.curves import Curve, Fit, curve_over_cost, fit, merit_scale
from optbench.figures.lines import BACKGROUND, COST, marked
from optbench.figures.runs import ProblemRuns, Tuned
from optbench.figures.sheet import Sheet

PANEL_HEIGHT = 4.9  # inches
BEYOND_TARGETS = 1e-2  # the axis ends at this share of the hardest target
ABOVE_START = 30.0  # and at this multiple of the merit at the start
ESCAPE_LIMITS = (-1.5, 1.3)  # of the merit at a saddle, over its start

MERIT_AXIS = {
    "suboptimality": r"$f(x) - f^\ast$",
    "gradient norm": r"$|\nabla f(x)|$",
    "escape": r"$(f(x) - f_{\mathrm{saddle}})\, /\, (f(x_0) - f_{\mathrm{saddle}})$",
}
_SENTENCE = {
    "suboptimality": "lower and further left is better",
    "gradient norm": "no minimum is certain, so a small gradient (where f has a prox, a small "
    "x - prox(x - gradient)) must do; lower is better",
    "escape": "the way out leads down: below -1 the saddle has been left",
}


@style.on_its_sheet
def convergence(runs: ProblemRuns) -> style.Picture:
    """Merit against cost on one problem, each optimizer at its tuned setting.

    The median over starts with the range of all starts as a band, and the fitted rate, dashed,
    where there is one. More optimizers than `style.PER_PANEL` go to several panels, which show
    the others in gray.
    """
    groups, sheet = runs.panels, runs.sheet
    curves = {name: _drawn_curve(tuned) for name, tuned in runs.tuned.items()}
    fits = {name: fit(tuned, runs.problem) for name, tuned in runs.tuned.items()}
    legends = sum(style.legend_height(sheet, group) for group in groups)
    figure = style.new_figure(sheet.scale * PANEL_HEIGHT * len(groups) + legends, sheet=sheet)
    panels = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for panel, group in zip(panels, groups, strict=True):
        others = [curve for name, curve in curves.items() if name not in group]
        _background(panel, others, sheet)
        for name in runs.ranked:
            if name in group:
                _draw(panel, runs, name, curves[name], fits[name])
        style.add_legend(panel, sheet, [name for name in runs.ranked if name in group])
        _dress(panel, runs, curves)
    panels[-1].set_xlabel(COST)
    style.set_title(figure, panels[0], runs.problem.label)
    told = {name: facts_of(tuned, fits[name]) for name, tuned in runs.tuned.items()}
    texts = _caption(runs), runs.missing, *style.told_facts(sheet, told)
    style.add_caption(figure, *texts)
    return figure


def _drawn_curve(tuned: Tuned) -> Curve:
    curve = curve_over_cost(tuned.trajectory, tuned.setting)
    scale = merit_scale(tuned.trajectory)
    return Curve(curve.cost, curve.median / scale, curve.low / scale, curve.high / scale)


def _background(panel: Axes, others: list[Curve], sheet: Sheet) -> None:
    look = {"color": BACKGROUND, "linewidth": sheet.stroke(1.2), "zorder": 1}
    for other in others:
        panel.plot(other.cost, _finite(other.median), **look)


def _draw(panel: Axes, runs: ProblemRuns, name: str, curve: Curve, fitted: Fit) -> None:
    look, tuned = runs.styles[name], runs.tuned[name]
    place = list(runs.styles).index(name) % style.PER_PANEL
    panel.plot(
        curve.cost,
        _finite(curve.median),
        **look.line,
        markevery=marked(curve.cost, place / style.PER_PANEL),
        label=style.entry(runs.sheet, name, *facts_of(tuned, fitted)),
        zorder=3,
    )
    if len(tuned.trajectory.seeds) > 1:
        low, high = _finite(curve.low), _finite(curve.high)
        panel.fill_between(curve.cost, low, high, color=look.color, alpha=0.15, linewidth=0)
    line = {"color": "black", "linestyle": (0, (3, 2)), "linewidth": runs.sheet.stroke(1.3)}
    panel.plot(fitted.cost, fitted.merit, **line, zorder=4)


def _finite(values: np.ndarray) -> np.ndarray:
    """Values that a logarithmic axis can draw: beyond its top instead of infinite."""
    return np.minimum(values, 1e250)


def facts_of(tuned: Tuned, fitted: Fit) -> tuple[str, str]:
    """The tuned setting of an optimizer and its rate, and how many starts it loses."""
    escapes = tuned.trajectory.merit == "escape"
    facts = [tuned.setting_text, tuned.outcome(tuned.median_start) if escapes else fitted.text]
    return " · ".join(filter(None, facts)), tuned.failures_text


def _dress(panel: Axes, runs: ProblemRuns, curves: Mapping[str, Curve]) -> None:
    problem, merit = runs.problem, runs.problem.merit
    panel.set_ylabel(MERIT_AXIS[merit])
    panel.set_xscale("log")
    if merit == "escape":
        thin = {"color": "black", "linewidth": runs.sheet.stroke(0.8)}
        panel.set_ylim(*ESCAPE_LIMITS)
        panel.axhline(0, **thin)
        panel.axhline(-1, **thin, linestyle=":")
        return
    panel.set_yscale("log")
    low, high = merit_limits(runs.tuned, curves, problem.noise_floor)
    panel.set_ylim(low, high)
    if problem.noise_floor > low and merit == "suboptimality":
        panel.axhspan(low, problem.noise_floor, color="#F0E4E4", zorder=0)
        panel.text(
            0.01, problem.noise_floor, "noise floor", transform=panel.get_yaxis_transform(),
            va="top", fontsize=runs.sheet.caption_size, color="#7A4040",
        )  # fmt: skip


def merit_limits(
    tuned: Mapping[str, Tuned], curves: Mapping[str, Curve], noise_floor: float
) -> tuple[float, float]:
    """Lower and upper end of a logarithmic axis of the merit.

    From below the lowest curve, but not far below the hardest target and the noise floor, up to
    above the merit at the starts.
    """
    starts = np.concatenate([np.ravel(t.trajectory.initial_merit) for t in tuned.values()])
    starts = starts[np.isfinite(starts) & (starts > 0)]
    start = float(np.median(starts)) if len(starts) else 1.0
    hardest = min(float(t.trajectory.targets.min(initial=1.0)) for t in tuned.values())
    lowest = min(float(curve.median.min()) for curve in curves.values())
    low = max(start * hardest * BEYOND_TARGETS, lowest / 10)
    if np.isfinite(noise_floor) and noise_floor > 0:
        low = max(low, noise_floor / 10)
    return min(low, start / 10), max(float(starts.max(initial=start)), start) * ABOVE_START


def _caption(runs: ProblemRuns) -> str:
    merit = runs.problem.merit
    seeds = max((len(t.trajectory.seeds) for t in runs.tuned.values()), default=0)
    over = f"the median of {seeds} starts, band: all of them" if seeds > 1 else "one start"
    dashed = "" if merit == "escape" else "; dashed black: the fitted rate"
    return f"How to read: {over}, each optimizer at its tuned setting{dashed}; {_SENTENCE[merit]}."
