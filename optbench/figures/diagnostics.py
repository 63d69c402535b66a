"""What was measured along the path, of each optimizer at its tuned setting from the first start."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, SymmetricalLogLocator

from optbench.figures import style
from optbench.figures.lines import marked
from optbench.figures.runs import ProblemRuns, Tuned
from optbench.figures.sheet import Sheet
from optbench.health import (
    EXPLODING,
    LOW_PRECISIONS,
    SPIKE_FACTOR,
    SPIKE_WINDOW,
    STATISTICS,
    VANISHING,
)

PANEL_HEIGHT = 2.5  # inches
MOST_LEAVES = {"screen": 4, "paper": 2}  # side by side on a sheet
LEGEND_COLUMNS, LEGEND_LINE = 3, 0.5  # below them: side by side, and inches of an optimizer
MARGIN = 3.3  # of a logarithmic axis beyond its values, a factor: a power of ten lies on it
LINEAR_DECADES = 2  # below the largest value of an axis with a sign, where it turns linear
RING = 60**0.5  # points across
LOWEST = 1e-20  # no logarithmic axis goes further down

Scale = Literal["log", "linear", "symlog"]
MOST_TICKS = 5  # with a label, of a panel that is linear around 0 and logarithmic beyond


@dataclasses.dataclass(frozen=True, kw_only=True)
class Panel:
    """One pair of axes.

    Attributes:
        values: runs of an optimizer -> [T] at its tuned setting; None where nothing was measured.
        label: of the vertical axis.
        scale: of the vertical axis.
        limits: of the vertical axis; None for what the values need.
        levels: (height, its name) of horizontal lines.
        marks: runs -> [T] 1 where a point is to be ringed.
        title: above it.
    """

    values: Callable[[Tuned], np.ndarray | None]
    label: str
    scale: Scale = "linear"
    limits: tuple[float, float] | None = None
    levels: tuple[tuple[float, str], ...] = ()
    marks: Callable[[Tuned], np.ndarray | None] | None = None
    title: str = ""


def is_measured(runs: ProblemRuns) -> bool:
    """Whether diagnostics were asked for."""
    return any("sharpness" in t.trajectory.diagnostics for t in runs.tuned.values())


def measured(tuned: Tuned, name: str) -> np.ndarray | None:
    """[T] one diagnostic at the tuned setting from the first start; None where it is not known."""
    found = tuned.trajectory.diagnostics.get(name)
    if found is None or np.isnan(found[0, tuned.setting]).all():
        return None
    return found[0, tuned.setting]


def relative_sharpness(tuned: Tuned) -> np.ndarray | None:
    """[T] the sharpness the method sees, over its threshold; None where it has none."""
    for kind in ("preconditioned_sharpness", "sharpness"):
        threshold, found = measured(tuned, f"{kind}_threshold"), measured(tuned, kind)
        if threshold is not None and found is not None:
            return found / threshold
    return None


def diagnostic_figures(
    runs: ProblemRuns,
) -> Iterator[tuple[str, Callable[[ProblemRuns], style.Picture]]]:
    """The figures of what was measured: their names, and what draws them."""
    if is_measured(runs):
        yield from DIAGNOSTICS.items()


@style.on_its_sheet
def gradient_health(runs: ProblemRuns) -> style.Picture:
    """The gradient norm over steps, with the limits of health and the spikes."""
    panel = Panel(
        values=lambda tuned: tuned.trajectory.gradient_norm[0, tuned.setting],
        label=r"$|\nabla f(x)|$",
        scale="log",
        levels=((VANISHING, "vanishing"), (EXPLODING, "exploding")),
        marks=lambda tuned: measured(tuned, "gradient_spikes"),
    )
    told = (
        f"below {style.power_of_ten(VANISHING)} a gradient vanishes (or f has converged), above "
        f"{style.power_of_ten(EXPLODING)} it explodes; ringed: spikes, more than {SPIKE_FACTOR} "
        f"times the median of the {SPIKE_WINDOW} log points before"
    )
    return _draw(runs, [[panel]], told, height=2 * PANEL_HEIGHT)


@style.on_its_sheet
def sharpness(runs: ProblemRuns) -> style.Picture:
    """The sharpness over steps, alone and over the threshold of each method."""
    plain = Panel(
        values=lambda tuned: measured(tuned, "sharpness"),
        label=r"sharpness $\lambda_{\max}$",
        scale="log",
    )
    relative = Panel(
        values=relative_sharpness,
        label="sharpness / threshold",
        scale="log",
        levels=((1.0, "edge of stability"),),
    )
    told = (
        "the sharpness is the largest Hessian eigenvalue, where it is positive; below, over the "
        "threshold above which the method diverges on a quadratic: 2 / (learning rate) for "
        "gradient descent, more with momentum; for Adam and its kin both are of the "
        "preconditioned Hessian; methods without a known threshold are absent there"
    )
    return _draw(runs, [[plain], [relative]], told)


@style.on_its_sheet
def steps(runs: ProblemRuns) -> style.Picture:
    """Direction and size of each step, and the share of steps whose gradient was clipped."""
    cosine = functools.partial(Panel, limits=(-1.08, 1.08), levels=((0.0, ""),))
    panels = [cosine(values=_named("step_cosine_gradient"), label="cosine to\n$-$gradient")]
    if _is_known(runs, "step_cosine_newton"):
        panels.append(cosine(values=_named("step_cosine_newton"), label="cosine to\nNewton step"))
    ratio = _named("update_ratio")
    panels.append(Panel(values=ratio, label="step / parameters\n(norms)", scale="log"))
    share = {"label": "share of steps\nclipped", "limits": (-0.04, 1.04)}
    turned = {"label": "cosine to\nunclipped", "limits": (-1.08, 1.08)}
    for name, facts in (("clipped_fraction", share), ("clipping_cosine", turned)):
        if _is_known(runs, name):
            panels.append(Panel(values=_named(name), **facts))
    told = (
        "1 is a step along the negative gradient, or along Newton's step, -1 one against it; "
        "Newton's step is absent where the Hessian is singular or its equation is not solved; the "
        "ratio is the norm of the step over that of the parameters"
    )
    return _draw(runs, [[panel] for panel in panels], told)


@style.on_its_sheet
def underflow(runs: ProblemRuns) -> style.Picture:
    """The share of gradient entries that low precision loses."""
    panels = [
        Panel(values=_named(f"underflow_{name}"), label=name, limits=(-0.04, 1.04))
        for name in LOW_PRECISIONS
    ]
    told = (
        "the share of the gradient's entries that become 0 or subnormal when rounded to this "
        "precision; loss scaling helps where it is high"
    )
    return _draw(runs, [[panel] for panel in panels], told)


@style.on_its_sheet
def leaves(runs: ProblemRuns, of: Literal["params", "gradient"]) -> style.Picture:
    """Mean, standard deviation, minimum, maximum and norm of each leaf, the first few leaves.

    Args:
        runs: of one problem.
        of: leaves of the parameters or of the gradient.
    """
    places = leaf_names(runs, of)
    most = MOST_LEAVES[runs.sheet.name]
    scale: dict[str, Scale] = {"std": "log", "norm": "log"}
    rows = [
        [
            Panel(
                values=_named(f"{place}/{statistic}"),
                label=statistic if column == 0 else "",
                scale=scale.get(statistic, "symlog" if of == "gradient" else "linear"),
                title=style.plain(place.partition("/")[2]) if row == 0 else "",
            )
            for column, place in enumerate(places[:most])
        ]
        for row, statistic in enumerate(STATISTICS)
    ]
    what = "parameters" if of == "params" else "gradient"
    told = f"statistics over the entries of each array of the {what}"
    if len(places) > most:
        told += f", of which {len(places) - most} more are in the results"
    return _draw(runs, rows, told, height=0.75 * PANEL_HEIGHT)


def leaf_names(runs: ProblemRuns, of: str) -> list[str]:
    """The leaves that were measured, as `params/layer/weights`, or `params` alone."""
    found: dict[str, None] = {}
    for tuned in runs.tuned.values():
        heads = (name.rpartition("/") for name in tuned.trajectory.diagnostics)
        names = [place for place, _, last in heads if last in STATISTICS]
        found |= dict.fromkeys(n for n in names if n.partition("/")[0] == of)
    return list(found)


def _is_known(runs: ProblemRuns, name: str) -> bool:
    return any(measured(tuned, name) is not None for tuned in runs.tuned.values())


def _named(name: str) -> Callable[[Tuned], np.ndarray | None]:
    return lambda tuned: measured(tuned, name)


def _draw(
    runs: ProblemRuns, rows: Sequence[Sequence[Panel]], told: str, height: float = PANEL_HEIGHT
) -> style.Picture:
    """Rows of panels, over again for each block of optimizers that colors can tell apart."""
    groups, sheet = [group for group in runs.panels if group], runs.sheet
    wide = sheet.beside and len(rows[0]) > 1
    below = LEGEND_LINE * -(-len(runs.tuned) // LEGEND_COLUMNS) if wide else 0.0
    above = style.legend_height(sheet, list(runs.tuned)) + (0.9 if sheet.titled else 0.3)
    total = sheet.scale * height * len(rows) * len(groups) + above + below
    figure = style.new_figure(total, sheet=sheet)
    shape = len(rows) * len(groups), len(rows[0])
    grid = figure.subplots(*shape, sharex=True, squeeze=False)
    for index, group in enumerate(groups):
        for row, panels in enumerate(rows):
            for axes, panel in zip(grid[index * len(rows) + row], panels, strict=True):
                for name in group:
                    _line(axes, runs, name, panel)
                _dress(axes, panel, sheet)
    for axes in grid[-1]:
        axes.set_xlabel("step")
    style.set_title(figure, None, runs.problem.label, x=0.02, ha="left")
    names = [name for group in groups for name in group]
    absent = [n for n in names if all(p.values(runs.tuned[n]) is None for r in rows for p in r)]
    lines = {line.get_label(): line for axes in grid.flat for line in axes.get_lines()}
    shown = [lines[_legend(runs, name)] for name in names if name not in absent]
    first = "the first start, each optimizer at its tuned setting"
    unmeasured = f"Not measured: {', '.join(absent)}." if absent else ""
    texts = f"How to read: {first}; {told}.", unmeasured, runs.missing
    settings = {name: [runs.tuned[name].setting_text] for name in names if name not in absent}
    style.add_caption(figure, *texts, *style.told_facts(sheet, settings), reserve=below)
    if below:
        foot = style.caption_height(*texts, sheet=sheet) / figure.get_size_inches()[1]
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, foot), "ncols": LEGEND_COLUMNS}
        figure.legend(handles=shown, **place)
    elif sheet.beside:
        figure.legend(handles=shown, loc="outside right upper", labelspacing=0.7)
    else:
        columns = style.legend_columns(sheet, names)
        figure.legend(handles=shown, loc="outside upper left", ncols=columns, **style.TIGHT)
    return figure


def _legend(runs: ProblemRuns, name: str) -> str:
    return style.entry(runs.sheet, name, runs.tuned[name].setting_text)


def _line(axes: Axes, runs: ProblemRuns, name: str, panel: Panel) -> None:
    """One optimizer; of nothing, an empty line."""
    tuned, look = runs.tuned[name], runs.styles[name]
    values = panel.values(tuned)
    at = tuned.trajectory.steps
    values = np.full(len(at), np.nan) if values is None else values
    if panel.scale == "log":
        values = np.where(values > 0, values, np.nan)
    values = np.where(np.isfinite(values), values, np.nan)
    place = list(runs.styles).index(name) % style.PER_PANEL / style.PER_PANEL
    every = marked(at + 1.0, place)
    axes.plot(at, values, **look.line, markevery=every, label=_legend(runs, name), zorder=3)
    ringed = None if panel.marks is None else panel.marks(tuned)
    if ringed is not None:
        area = runs.sheet.stroke(RING) ** 2
        rings = {"marker": "o", "s": area, "facecolors": "none", "edgecolors": "black"}
        axes.scatter(at[ringed == 1], values[ringed == 1], **rings, zorder=4)


def _dress(axes: Axes, panel: Panel, sheet: Sheet) -> None:
    lines = axes.get_lines()
    last = max(float(np.asarray(line.get_xdata()).max()) for line in lines)
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    axes.set_xlim(0, 1.1 * last)
    axes.set_xticks(np.append(0, 10 ** np.arange(1, 1 + int(np.log10(max(last, 10))))))
    axes.set_ylabel(panel.label)
    axes.set_title(panel.title, loc="left")
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in lines])
    _scale(axes, panel, np.append(drawn[~np.isnan(drawn)], [at for at, _ in panel.levels]))
    for height, name in panel.levels:
        axes.axhline(height, color="black", linewidth=sheet.stroke(1.0), linestyle=":", zorder=2)
        axes.text(
            0.99, height, name, transform=axes.get_yaxis_transform(), ha="right", va="bottom",
            fontsize=sheet.caption_size, zorder=5,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip


def _scale(axes: Axes, panel: Panel, heights: np.ndarray) -> None:
    """The vertical axis around these heights."""
    if panel.scale == "symlog":
        largest = float(np.abs(heights).max(initial=0.0)) or 1.0
        linear = 10.0 ** (np.floor(np.log10(max(largest, LOWEST))) - LINEAR_DECADES)
        axes.set_yscale("symlog", linthresh=linear)
        ticks = SymmetricalLogLocator(base=10, linthresh=linear)
        ticks.set_params(numticks=MOST_TICKS)
        axes.yaxis.set_major_locator(ticks)
        low, high = heights.min(initial=-linear), heights.max(initial=linear)
        axes.set_ylim(low * MARGIN, high * MARGIN)
    elif panel.scale == "log":
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        low, high = heights.min(initial=np.inf), heights.max(initial=0.0)
        low, high = (max(low, LOWEST), high) if len(heights) and high > LOWEST else (0.1, 10.0)
        axes.set_ylim(low / MARGIN, high * MARGIN)
    if panel.limits is not None:
        axes.set_ylim(*panel.limits)


DIAGNOSTICS: dict[str, Callable[[ProblemRuns], style.Picture]] = {
    "gradient-health": gradient_health,
    "sharpness": sharpness,
    "steps": steps,
    "underflow": underflow,
    "parameters": functools.partial(leaves, of="params"),
    "gradients": functools.partial(leaves, of="gradient"),
}
