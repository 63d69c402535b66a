"""The order of superlinear convergence, with an interval, or an abstention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optbench.rates import FLOOR_MARGIN, Abstention, Rate, checked_run, twice_as_wide

RUN_PAIRS = 3  # consecutive pairs (e_k, e_{k+1}) a run must show in its terminal phase
MIN_PAIRS = 8  # and all runs together
MAIN_SHARE = 1 / 2  # of a run's decrease, that its terminal phase must hold
ORDER_DRIFT = 0.1  # the most a local order may differ from the run's last one, relative
SPREAD = 0.25  # the widest range of the rates of single runs, relative
MIN_ORDER = 1.1  # no slower order is called superlinear


def fit_order(
    steps: np.ndarray, errors: Sequence[np.ndarray] | np.ndarray, noise_floor: float = 0.0
) -> Rate | Abstention:
    """The order p of superlinear convergence, e_{k+1} ~ e_k^p, pooled over runs, or an abstention.

    A line through all (log e_k, log e_{k+1}) would mix the damped phase into the order: it reads
    Newton's method as 1.5 to 1.8. So each run gives its terminal phase alone: the last consecutive
    steps, up to the run's least error above 10 times the noise floor, over which the local order

        p_k = log(e_{k+1} / e_k) / log(e_k / e_{k-1})

    stays within 10 % of its last value. Runs with fewer than 3 pairs (e_k, e_{k+1}) there are left
    out. The estimate is the least-squares slope of log e_{k+1} / e_k against log e_k / e_{k-1}
    over all runs, which late steps dominate; the interval is twice as wide as the range of this
    slope, and of the last local order, over single runs. It abstains below 8 pairs, where the runs'
    own orders range over more than a quarter of the estimate, and where the order is that of linear
    convergence. A run of a method that oscillates may end in a dip that looks superlinear: runs
    whose terminal phase holds less than half of the decrease, in log e, are left out too.

    f - f*, |x - x*| and |grad f| have the same order. Near x*, f - f* is of the size of
    |grad f|^2: where f* is not 0 and its rounding ends f - f*, |grad f| still shows one more step
    and gives the surer order.

    Args:
        steps: [T] ascending steps of the log points; only consecutive ones are used.
        errors: S runs of [T] errors e: f - f*, or |grad f|.
        noise_floor: rounding error of e.

    Raises:
        OptbenchError: steps and errors that do not fit together.

    Source: Ortega & Rheinboldt (1970), section 9.1 (orders).
    """
    checked = [checked_run(steps, run) for run in errors]
    phases = [(e, *_terminal_phase(k, e, noise_floor)) for k, e in checked]
    runs = [(k, y) for e, k, y in phases if len(y) > RUN_PAIRS and _is_main(e, y)]
    pairs = sum(len(y) - 1 for _, y in runs)
    if pairs < MIN_PAIRS:
        return Abstention(
            f"{pairs} pairs of consecutive errors with a stable local order, fewer than {MIN_PAIRS}"
        )
    before = [np.diff(y)[:-1] for _, y in runs]
    after = [np.diff(y)[1:] for _, y in runs]
    single = [float(b @ a / (b @ b)) for b, a in zip(before, after, strict=True)]
    b, a = np.concatenate(before), np.concatenate(after)
    order = float(b @ a / (b @ b))
    if order < MIN_ORDER:
        return Abstention(f"the local order is {order:.3g}: not faster than linear")
    if max(single) - min(single) > SPREAD * order:
        return Abstention(f"the runs disagree: orders from {min(single):.3g} to {max(single):.3g}")
    last = [a[-1] / b[-1] for b, a in zip(before, after, strict=True)]
    low, high = twice_as_wide(np.array([*single, *last]))
    return Rate(
        kind="superlinear",
        estimate=order,
        low=low,
        high=high,
        window=(int(min(k[0] for k, _ in runs)), int(max(k[-1] for k, _ in runs))),
        points=pairs,
        runs=len(runs),
    )


def _is_main(errors: np.ndarray, phase: np.ndarray) -> bool:
    """Whether a phase, given by log errors, holds most of a run's decrease."""
    return bool(phase[0] - phase[-1] >= MAIN_SHARE * (np.log(errors[0]) - phase[-1]))


def _terminal_phase(
    steps: np.ndarray, errors: np.ndarray, noise_floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and log errors of the last consecutive steps with a stable local order."""
    usable = errors > max(FLOOR_MARGIN * noise_floor, 0.0)
    end = len(errors) if usable.all() else int(np.argmin(usable))
    end = int(np.argmin(errors[:end])) + 1 if end else 0  # what follows is a stall
    y = np.log(errors[:end])
    fall = np.diff(y)
    sound = (fall < 0) & (np.diff(steps[:end]) == 1)
    start = end
    if len(fall) > 1 and sound[-2:].all():
        last = fall[-1] / fall[-2]
        start = len(fall) - 2
        while start > 0 and sound[start - 1]:
            if abs(fall[start] / fall[start - 1] - last) > ORDER_DRIFT * last:
                break
            start -= 1
    return steps[start:end], y[start:end]
