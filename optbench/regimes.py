"""The regime in which the runs of one setting converge: one rate over all starts, or none."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from optbench.orders import SPREAD, fit_order
from optbench.rates import SCALES, Abstention, Rate, fit_rate, settled
from optbench.records import ProblemRecord
from optbench.trajectory import Status, Trajectory

SLOWEST = 10.0  # a rate is that of the slowest direction after this many condition numbers
LOST = (Status.DIVERGED, Status.NON_FINITE, Status.CRASHED)


def observed_rate(
    trajectory: Trajectory, setting: int, problem: ProblemRecord
) -> Rate | Abstention:
    """The rate of the merit over all starts at one setting, or an abstention.

    On a strongly convex function of condition number kappa a method whose rate is linear looks
    sublinear as long as its slowest direction has not begun to move: a sublinear rate over fewer
    than 10 kappa steps is no finding there.

    Args:
        trajectory: all lanes.
        setting: index of the setting.
        problem: its noise floor ends the window of f - f*; other merits have none.
    """
    if trajectory.merit == "escape":
        return Abstention("no minimum is approached at a saddle")
    status = collections.Counter(trajectory.status[:, setting].tolist())
    lost = {kind: status[kind] for kind in LOST if status[kind]}
    if 2 * sum(lost.values()) >= len(trajectory.seeds):
        ends = ", ".join(f"{count} {kind}" for kind, count in lost.items())
        return Abstention(f"{ends} of {_starts(len(trajectory.seeds))}")
    known = trajectory.merit == "suboptimality" and np.isfinite(problem.noise_floor)
    errors = trajectory.merit_values[:, setting]
    rate = fit_regime(trajectory.steps, errors, problem.noise_floor if known else 0.0)
    if isinstance(rate, Rate) and rate.kind == "sublinear" and problem.strong_convexity:
        kappa = (problem.smoothness or np.inf) / problem.strong_convexity
        if rate.window[1] < SLOWEST * kappa:
            return Abstention(
                f"{rate.short} until step {rate.window[1]}: too few steps, at a condition number "
                f"of {kappa:.2g}, to tell it from a linear rate"
            )
    return rate


def fit_regime(
    steps: np.ndarray, errors: Sequence[np.ndarray] | np.ndarray, noise_floor: float = 0.0
) -> Rate | Abstention:
    """The regime of runs from several starts, and its rate pooled over them, or an abstention.

    Where `fit_rate` finds the same regime for more than half of the runs, and no other for any,
    that is it: the estimate is the median of theirs, the interval holds all of theirs. Where the
    estimates of single runs range over more than a quarter of it (of -log q, or p), the starts
    disagree: there is no one rate; and an exponent must have settled over all of them, too. Where
    `fit_rate` abstains for half of them or more, `fit_order` is asked; where it abstains too, the
    reason is the commonest of `fit_rate`.

    Args:
        steps: [T] ascending steps of the log points.
        errors: S runs of [T] errors e.
        noise_floor: rounding error of e.

    Raises:
        OptbenchError: steps and errors that do not fit together.
    """
    fits = [fit_rate(steps, run, noise_floor) for run in errors]
    rates = [fit for fit in fits if isinstance(fit, Rate)]
    kinds = collections.Counter(rate.kind for rate in rates)
    if len(kinds) > 1:
        found = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        return Abstention(f"the starts disagree: {found} of {_starts(len(fits))}")
    if 2 * len(rates) > len(fits):
        return _pooled(rates)
    order = fit_order(steps, errors, noise_floor)
    if isinstance(order, Rate):
        return order
    reasons = [fit.reason for fit in fits if isinstance(fit, Abstention)]
    reason, count = collections.Counter(reasons).most_common(1)[0]
    return Abstention(reason if len(fits) == 1 else f"{reason} ({count} of {_starts(len(fits))})")


def _starts(count: int) -> str:
    return f"{count} start{'s' * (count != 1)}"


def _pooled(rates: Sequence[Rate]) -> Rate | Abstention:
    """One rate for runs of one regime."""
    estimates = np.array([rate.estimate for rate in rates])
    speeds = np.array([SCALES[rates[0].kind].speed(estimate) for estimate in estimates])
    if np.ptp(speeds) > SPREAD * np.median(speeds):
        low, high = min(rates, key=_estimate), max(rates, key=_estimate)
        return Abstention(f"the starts disagree: from {low.short} to {high.short}")
    errors = [rate.heldout_error for rate in rates if rate.heldout_error is not None]
    pooled = dataclasses.replace(
        rates[0],
        estimate=float(np.median(estimates)),
        low=min(rate.low for rate in rates),
        high=max(rate.high for rate in rates),
        window=(min(rate.window[0] for rate in rates), max(rate.window[1] for rate in rates)),
        points=sum(rate.points for rate in rates),
        runs=len(rates),
        heldout_error=max(errors),
    )
    return settled(pooled)


def _estimate(rate: Rate) -> float:
    return rate.estimate
