"""Cost to a target against the learning rate: how much tuning an optimizer needs."""

from __future__ import annotations

import dataclasses

import numpy as np
from matplotlib.axes import Axes

from optbench import metrics
from optbench.figures import style
from optbench.figures.lines import BACKGROUND
from optbench.figures.runs import ProblemRuns
from optbench.trajectory import Trajectory

PANEL_HEIGHT = 4.6  # inches
ROW_HEIGHT = 0.15  # of one optimizer in the strip of failures, inches


@dataclasses.dataclass(frozen=True, eq=False)
class Sensitivity:
    """Expected cost to one target at each learning rate.

    Attributes:
        learning_rates: [H] ascending; empty where none is swept.
        costs: [H] ERT, all cost spent over the number of successes; infinite without a success.
            Of several settings with one learning rate, the cheapest.
        best: the smallest cost at any setting.
        basin: decades of learning rates within twice `best`; None where nothing succeeds, no two
            rates are swept, or other hyperparameters change with them.
        alone: whether the learning rate is all that changes from point to point.
    """

    learning_rates: np.ndarray
    costs: np.ndarray
    best: float
    basin: float | None
    alone: bool = True


def sensitivity_to_rate(trajectory: Trajectory, target: int) -> Sensitivity:
    """What each learning rate costs.

    Args:
        trajectory: all lanes.
        target: index of the target.
    """
    last = trajectory.last[..., None]
    spent = np.take_along_axis(trajectory.cost, last, axis=-1)[..., 0]
    times = metrics.expected_running_time(trajectory.hit_costs[..., target], spent)
    if "learning_rate" not in trajectory.settings:
        return Sensitivity(np.array([]), np.array([]), float(times.min()), None)
    swept = trajectory.settings["learning_rate"]
    rates = np.unique(swept)
    costs = np.array([times[swept == rate].min() for rate in rates])
    alone = len(trajectory.settings) == 1
    several = alone and len(rates) > 1 and (rates > 0).all()
    basin = metrics.basin_width(rates, costs) if several else None
    return Sensitivity(rates, costs, float(times.min()), basin, alone)


def common_target(runs: ProblemRuns) -> int:
    """Index of the hardest target that more than half of the optimizers reach, most starts each.

    Where that is none, the hardest that any reaches; else the easiest.
    """
    hardest = [metrics.hardest_target(t.trajectory.hit_costs) for t in runs.tuned.values()]
    ordered = sorted((-1 if index is None else index for index in hardest), reverse=True)
    if not ordered or ordered[0] < 0:
        return 0
    middle = ordered[len(ordered) // 2]
    return middle if middle >= 0 else ordered[0]


@style.on_its_sheet
def sensitivity(runs: ProblemRuns) -> style.Picture:
    """Expected cost to one stated target against the learning rate, on one problem.

    A strip above the axes shows the learning rates at which no start reaches the target. Methods
    without a learning rate are horizontal lines, and points are not joined where other
    hyperparameters change with it. 2 / L marks where gradient descent turns unstable on a
    quadratic, if L is known.
    """
    target = common_target(runs)
    lines = {n: sensitivity_to_rate(t.trajectory, target) for n, t in runs.tuned.items()}
    groups, sheet = runs.panels, runs.sheet
    strips = [sheet.stroke(ROW_HEIGHT) * (len(group) + 1) for group in groups]
    height = sheet.scale * PANEL_HEIGHT
    above = sum(strips) + sum(style.legend_height(sheet, group) for group in groups)
    figure = style.new_figure(height * len(groups) + above, sheet=sheet)
    ratios = [part for strip in strips for part in (strip, height)]
    axes = figure.subplots(
        2 * len(groups), 1, sharex=True, squeeze=False, height_ratios=ratios
    )[:, 0]  # fmt: skip
    for i, group in enumerate(groups):
        strip, panel = axes[2 * i], axes[2 * i + 1]
        panel.sharey(axes[1])
        _background(panel, [line for name, line in lines.items() if name not in group])
        rows = [name for name in group if len(lines[name].learning_rates)]
        for name in group:
            _draw(
                panel, runs.styles[name], style.entry(sheet, name, facts(lines[name])), lines[name]
            )
        for row, name in enumerate(rows):
            _draw_failures(strip, runs.styles[name], lines[name], row)
        style.add_legend(panel, sheet, group, above=strip)
        _dress(panel, strip, runs, target, len(rows))
    _limit(axes[1], list(lines.values()))
    style.set_title(figure, axes[0], runs.problem.label)
    axes[-1].set_xlabel("learning rate")
    told = style.told_facts(sheet, {name: [facts(line)] for name, line in lines.items()})
    style.add_caption(figure, _caption(runs), runs.missing, *told)
    return figure


def _finite(costs: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(costs), costs, np.nan)


def _background(panel: Axes, others: list[Sensitivity]) -> None:
    for line in others:
        if len(line.learning_rates):
            look = {} if line.alone else {"linestyle": "none", "marker": ".", "markersize": 4}
            panel.plot(line.learning_rates, _finite(line.costs), color=BACKGROUND, zorder=1, **look)
        elif np.isfinite(line.best):
            panel.axhline(line.best, color=BACKGROUND, zorder=1)


def _draw(panel: Axes, look: style.Style, label: str, line: Sensitivity) -> None:
    if len(line.learning_rates):
        drawn = look.line if line.alone else {**look.line, "linestyle": "none"}
        panel.plot(line.learning_rates, _finite(line.costs), **drawn, label=label, zorder=3)
    else:
        height = line.best if np.isfinite(line.best) else np.nan
        panel.axhline(height, color=look.color, linestyle=look.dashes, label=label, zorder=3)


def _draw_failures(strip: Axes, look: style.Style, line: Sensitivity, row: int) -> None:
    failed = line.learning_rates[~np.isfinite(line.costs)]
    strip.plot(failed, np.full(len(failed), row), **{**look.line, "linestyle": "none"})


def facts(line: Sensitivity) -> str:
    """The smallest cost and the basin in words."""
    if not np.isfinite(line.best):
        return "not reached"
    best = f"{line.best:.3g}" if line.best < 1000 else f"{line.best:.0f}"
    if not line.alone:
        return f"{best} at best · other settings change too"
    if line.basin is None:
        return best if len(line.costs) else f"{best} · no learning rate swept"
    return f"{best} at best · basin {line.basin:.2g} decades"


def _dress(panel: Axes, strip: Axes, runs: ProblemRuns, target: int, rows: int) -> None:
    panel.set_xscale("log")
    panel.set_yscale("log")
    fraction = next(iter(runs.tuned.values())).trajectory.targets[target] if runs.tuned else 1.0
    aim = "escape" if runs.problem.merit == "escape" else style.power_of_ten(float(fraction))
    panel.set_ylabel(f"expected cost to {aim}\n(gradient-equivalents)")
    strip.set_ylim(rows - 0.2, -0.8)
    strip.set_yticks([])
    strip.grid(False)
    strip.spines["left"].set_visible(False)
    strip.tick_params(axis="x", which="both", length=0, labelbottom=False)
    strip.set_facecolor("#F6EFEF")
    strip.set_ylabel("not\nreached", rotation=0, ha="right", va="center", color="#7A4040")
    if edge := stability_edge(runs):
        panel.axvline(edge, color="black", linewidth=runs.sheet.stroke(1.0), linestyle=":")
        panel.annotate(
            f"$2/L$ = {edge:.2g}", (edge, 0.98), xycoords=("data", "axes fraction"),
            xytext=(-4, 0), textcoords="offset points", ha="right", va="top", rotation=90,
        )  # fmt: skip


def _limit(panel: Axes, lines: list[Sensitivity]) -> None:
    """Axes over all swept rates and all costs, also where nothing is reached."""
    rates = np.concatenate([line.learning_rates for line in lines])
    costs = np.concatenate([[line.best for line in lines], *(line.costs for line in lines)])
    rates, costs = rates[rates > 0], costs[np.isfinite(costs)]
    for known, limit in ((rates, panel.set_xlim), (costs, panel.set_ylim)):
        low, high = (known.min(), known.max()) if len(known) else (1.0, 10.0)
        limit(low / 1.5, high * 1.5)


def stability_edge(runs: ProblemRuns) -> float | None:
    """2 / L, or None where L is unknown or no learning rate within a factor of ten is swept."""
    settings = [t.trajectory.settings.get("learning_rate", []) for t in runs.tuned.values()]
    swept = np.concatenate([np.ravel(rates) for rates in settings]) if settings else np.array([])
    if not runs.problem.smoothness or not len(swept):
        return None
    edge = 2 / runs.problem.smoothness
    return edge if swept.min() / 10 <= edge <= swept.max() * 10 else None


def _caption(runs: ProblemRuns) -> str:
    edge = "; dotted: the stability edge of gradient descent" if stability_edge(runs) else ""
    joined = all(len(t.trajectory.settings) <= 1 for t in runs.tuned.values())
    apart = "" if joined else "; marks that no line joins differ in other settings too"
    return (
        "How to read: low is cheap and wide is easy to tune; a basin is where the cost is at most "
        f"twice its minimum, marks in the strip on top never reach the target{apart}{edge}."
    )
