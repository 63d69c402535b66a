"""The data behind a convergence figure: curves over cost, and rates fitted to them."""

from __future__ import annotations

import dataclasses

import numpy as np

from optbench.figures.runs import Tuned
from optbench.rates import WINDOW_START, Abstention, Kind, Rate
from optbench.records import ProblemRecord
from optbench.regimes import observed_rate
from optbench.trajectory import Status, Trajectory

LATE_SHARE = 0.5  # of the window of a rate: the part that sets the level of its line
CLOSE = 2.0  # a line is drawn where it is within this factor of the errors
_LOST = (Status.DIVERGED, Status.NON_FINITE, Status.CRASHED, Status.INTERRUPTED)


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """The merit, or what else is drawn, over all starts at one setting.

    Attributes:
        cost: [G] gradient-equivalents, or another axis: all costs at which a start was logged.
        median: [G] over starts; infinite where half of them or more are lost.
        low: [G] the best start.
        high: [G] the worst start, infinite where one is lost.
    """

    cost: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def curve_over_cost(trajectory: Trajectory, setting: int) -> Curve:
    """The curve at one setting, each lane interpolated before the median is taken.

    Between two log points the logarithm of a lane's merit is linear in cost (the merit itself,
    where one of them is not positive). A lane ends at its last log point, or at the first one
    that meets the hardest target. After its end it keeps its last merit, or is infinite where it
    diverged, crashed or lost its numbers. The curve ends where more than half of the lanes have
    met the hardest target.

    Args:
        trajectory: all lanes.
        setting: index of the setting.
    """
    return curve_over(trajectory, setting, trajectory.cost, trajectory.merit_values)


def curve_over(trajectory: Trajectory, setting: int, axis: np.ndarray, values: np.ndarray) -> Curve:
    """As `curve_over_cost`, of any quantity over any axis; lanes end where they do there.

    Args:
        trajectory: all lanes.
        setting: index of the setting.
        axis: [S, H, T] what takes the place of the cost, ascending.
        values: [S, H, T] what takes the place of the merit.
    """
    costs, merits = axis[:, setting], values[:, setting]
    met = _first_met(trajectory, setting)
    ends = np.minimum(met, trajectory.last[:, setting]) + 1
    grid = np.unique(np.concatenate([c[:end] for c, end in zip(costs, ends, strict=True)]))
    all_met = [
        c[end - 1] if end > m else np.inf for c, end, m in zip(costs, ends, met, strict=True)
    ]
    grid = grid[grid <= np.sort(all_met)[len(all_met) // 2]]
    lost = np.isin(trajectory.status[:, setting], _LOST) & (ends <= met)
    after = np.where(lost, np.inf, np.nan)
    lanes = np.stack(
        [
            interpolate(grid, cost[:end], merit[:end], float(beyond))
            for cost, merit, end, beyond in zip(costs, merits, ends, after, strict=True)
        ]
    )
    return Curve(grid, np.median(lanes, axis=0), lanes.min(0), lanes.max(0))


def _first_met(trajectory: Trajectory, setting: int) -> np.ndarray:
    """[S] first log point of each lane that meets the hardest target; T where none does."""
    merits = trajectory.merit_values[:, setting]
    levels = np.abs(trajectory.initial_merit[:, setting]) * trajectory.targets.min()
    met = merits <= levels[:, None]
    return np.where(met.any(-1), met.argmax(-1), merits.shape[-1])


def interpolate(
    grid: np.ndarray, cost: np.ndarray, merit: np.ndarray, after: float = np.nan
) -> np.ndarray:
    """[G] the merit of one lane at other costs.

    Args:
        grid: [G] the costs asked for.
        cost: [T] ascending costs of its log points.
        merit: [T] the merit there; what is not finite counts as infinite.
        after: the value beyond the last log point; NaN to keep the last one.
    """
    merit = np.where(np.isfinite(merit), merit, np.inf)
    left = np.clip(np.searchsorted(cost, grid, side="right") - 1, 0, len(cost) - 1)
    right = np.minimum(left + 1, len(cost) - 1)
    gap = np.where(right > left, cost[right] - cost[left], 1.0)
    share = np.clip((grid - cost[left]) / gap, 0.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        geometric = np.exp((1 - share) * np.log(merit[left]) + share * np.log(merit[right]))
        straight = merit[left] + share * (merit[right] - merit[left])
    positive = (merit[left] > 0) & (merit[right] > 0)
    between = np.where(positive, geometric, straight)
    between = np.where(share == 0, merit[left], np.where(np.isnan(between), np.inf, between))
    return np.where((grid > cost[-1]) & ~np.isnan(after), after, between)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A rate and the line that shows it.

    Attributes:
        rate: the rate, or why there is none.
        steps: [2 or more] steps along the line; empty without a line.
        cost: gradient-equivalents there.
        merit: the line there.
    """

    rate: Rate | Abstention
    steps: np.ndarray
    cost: np.ndarray
    merit: np.ndarray

    @property
    def text(self) -> str:
        """The rate in a few words, with formulas in mathtext."""
        if isinstance(self.rate, Abstention):
            return "no fit"
        estimate = self.rate.estimate
        words = {
            "linear": f"{_factor(estimate)} per step",
            "sublinear": f"$k^{{-{estimate:.2g}}}$",
            "superlinear": f"order {estimate:.2g}",
        }
        return words[self.rate.kind]


def _factor(factor: float) -> str:
    """A factor below 1 with two digits of its distance from 1."""
    digits = 2 if factor < 0.9 else int(np.ceil(-np.log10(max(1 - factor, 1e-12)))) + 1
    return f"×{factor:.{digits}f}"


def fit(tuned: Tuned, problem: ProblemRecord) -> Fit:
    """The rate over all starts, and the line of a linear or sublinear one along the median start.

    Args:
        tuned: runs and their tuned setting.
        problem: its record.
    """
    return fitted_line(tuned, observed_rate(tuned.trajectory, tuned.setting, problem))


def fitted_line(tuned: Tuned, rate: Rate | Abstention) -> Fit:
    """The line of a rate that was observed, if it is linear or sublinear, along the median start.

    The line runs through the middle of the errors in the late part of the window, and is drawn
    where it is within a factor `CLOSE` of them.

    Args:
        tuned: runs and their tuned setting.
        rate: over all starts.
    """
    nothing = np.array([])
    without = Fit(rate, nothing, nothing, nothing)
    if isinstance(rate, Abstention) or rate.kind == "superlinear":
        return without
    trajectory, start = tuned.trajectory, tuned.median_start
    errors = trajectory.merit_values[start, tuned.setting]
    first, last = rate.window
    inside = (trajectory.steps >= first) & (trajectory.steps <= last) & (errors > 0)
    if not inside.any():  # this start is none of those whose rate it is
        return without
    steps = trajectory.steps[inside].astype(float)
    shape = log_shape(rate.kind, rate.estimate, steps)
    offsets = np.log(errors[inside]) - shape
    level = np.median(offsets[steps >= steps[0] + LATE_SHARE * (steps[-1] - steps[0])])
    close = np.abs(offsets - level) <= np.log(CLOSE)
    cost = trajectory.cost[start, tuned.setting, inside]
    return Fit(rate, steps[close], cost[close], np.exp(level + shape)[close])


def log_shape(kind: Kind, value: float, steps: np.ndarray) -> np.ndarray:
    """log e of a linear or sublinear rate over steps, but for a constant: k log q or -p log k."""
    return steps * np.log(value) if kind == "linear" else -value * np.log(steps)


def theory_line(tuned: Tuned, kind: Kind, value: float | None, fitted: Fit) -> Fit | None:
    """The slope that theory tells, from where the fitted line starts, to the median start's end.

    Theory of rates tells no level. Without a fitted line it starts where the error is down by
    10 %, as the window of a rate does.

    Args:
        tuned: runs and their tuned setting.
        kind: of the rate of the merit.
        value: q or p; None where it is not known.
        fitted: the line of the rate that was observed.

    Returns:
        The line, under the rate observed; None where there is none: of an order, say.
    """
    if value is None or kind == "superlinear":
        return None
    trajectory, lane = tuned.trajectory, (tuned.median_start, tuned.setting)
    errors, steps = trajectory.merit_values[lane], trajectory.steps.astype(float)
    with np.errstate(invalid="ignore"):
        begun = (steps >= 1) & (errors > 0) & (errors <= WINDOW_START * errors[0])
    if len(fitted.steps):
        first, height = fitted.steps[0], fitted.merit[0]
    elif begun.any():
        first, height = steps[begun][0], errors[begun][0]
    else:
        return None
    along = (steps >= first) & (np.arange(len(steps)) <= trajectory.last[lane])
    shape = log_shape(kind, value, steps[along])
    merit = height * np.exp(shape - shape[0])
    return Fit(fitted.rate, steps[along], trajectory.cost[lane][along], merit)


def merit_scale(trajectory: Trajectory) -> float:
    """What the merit is drawn over: its size at the start at a saddle, else 1."""
    if trajectory.merit != "escape":
        return 1.0
    return float(np.median(np.abs(trajectory.initial_merit))) or 1.0
