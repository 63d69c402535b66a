"""Fitted convergence rates and orders, each with an interval, or an abstention."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from optbench.errors import OptbenchError

Kind = Literal["linear", "sublinear", "superlinear"]

WINDOW_START = 0.9  # the window opens once the error is down by 10 %
FLOOR_MARGIN = 10.0  # and closes at this many times the noise floor
MIN_POINTS = 8
LINE_POINTS = 4  # the fewest points behind one line
LATE_SHARE = {"linear": 1 / 2, "sublinear": 1 / 4}  # of the window, in k and in log k
FORECAST_MISS = 0.1  # the most a forecast may miss by, as a share of the decrease it is about
LEAD = 4.0  # how many times worse the other model's forecast must be

RUN_PAIRS = 3  # consecutive pairs (e_k, e_{k+1}) a run must show in its terminal phase
MIN_PAIRS = 8  # and all runs together
ORDER_DRIFT = 0.1  # the most a local order may differ from the run's last one, relative
ORDER_SPREAD = 0.25  # the widest range of the orders of single runs, relative
MIN_ORDER = 1.1  # no slower order is called superlinear

_WORDS = {
    "linear": "the error shrinks by a factor of {} a step",
    "sublinear": "the error falls like k^-{}",
    "superlinear": "the error converges with order {}",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rate:
    """A fitted rate.

    Attributes:
        kind: the model: e_k ~ q^k, e_k ~ k^-p, or e_{k+1} ~ e_k^p.
        estimate: q, p or p.
        low: the window interval: how far down the estimate goes as the window moves (linear and
            sublinear) or from run to run (superlinear). No confidence level belongs to it.
        high: how far up it goes.
        window: first and last step looked at; its late part decides.
        points: log points in the window, or pairs pooled over runs.
        heldout_error: root mean square of the forecast's error in log e over the held-out points,
            the second half of the window's steps; None for an order.
    """

    kind: Kind
    estimate: float
    low: float
    high: float
    window: tuple[int, int]
    points: int
    heldout_error: float | None = None

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        says = _WORDS[self.kind].format(f"{self.estimate:.4g}")
        cause = "from run to run" if self.kind == "superlinear" else "as the window moves"
        return (
            f"{self.kind}: {says} ({self.low:.4g} to {self.high:.4g} {cause}, "
            f"steps {self.window[0]} to {self.window[1]})"
        )


@dataclasses.dataclass(frozen=True)
class Abstention:
    """No rate, and why.

    Attributes:
        reason: in one line.
    """

    reason: str

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        return f"no rate: {self.reason}"


def fit_rate(steps: np.ndarray, errors: np.ndarray, noise_floor: float = 0.0) -> Rate | Abstention:
    """The linear or sublinear rate of one run, or an abstention.

    Both models are straight lines: log e = c + k log q in k, and log e = c - p log k in log k.
    They are fitted to the upper envelope max_{j >= k} e_j, the least non-increasing sequence above
    the errors (an R-rate), so that a method that oscillates is judged by its peaks and one that
    stalls or climbs back shows no decrease. The window runs from a 10 % decrease to 10 times the
    noise floor. A point weighs as much as the stretch of the axis it stands for, so the estimate
    does not depend on how densely the log was kept.

    A local rate settles late, so only the late part of a window is fitted: the last half of its
    steps (linear), the last quarter of its log-steps (sublinear). The interval is the range over
    that part, its later half, one starting half its length earlier, and that one without its end.

    Each model, fitted so to the first half of the steps, forecasts the second half. The better
    one is taken if its error is below a tenth of what a constant forecast's would be, and below a
    quarter of the other's.

    The rate of f - f* is found: a method whose iterates contract by rho has q = rho^2.

    Args:
        steps: [T] ascending steps of the log points.
        errors: [T] e = f - f* there; whatever follows the first value not finite is ignored.
        noise_floor: rounding error of e.

    Raises:
        OptbenchError: steps and errors that do not fit together.

    Source: Ortega & Rheinboldt (1970), section 9.2 (R-rates).
    """
    steps, errors = _checked(steps, errors)
    k, y = _window(steps, errors, noise_floor)
    if len(k) < MIN_POINTS:
        return Abstention(
            f"{len(k)} log points between a 10 % decrease and {FLOOR_MARGIN:g} times the noise "
            f"floor, fewer than {MIN_POINTS}"
        )
    forecasts, constant = _forecast_errors(k, y)
    winner, loser = sorted(forecasts, key=lambda kind: forecasts[kind])
    if not forecasts[winner] < FORECAST_MISS * constant:
        return Abstention(
            "no model wins: neither a linear nor a sublinear rate forecasts the late errors"
        )
    if not LEAD * forecasts[winner] < forecasts[loser]:
        return Abstention("no model wins: linear and sublinear forecast the late errors alike")
    slopes = _late_slopes(_axis(winner, k), y, LATE_SHARE[winner])
    estimates = np.exp(slopes) if winner == "linear" else -slopes
    return Rate(
        kind=winner,
        estimate=float(estimates[0]),
        low=float(estimates.min()),
        high=float(estimates.max()),
        window=(int(k[0]), int(k[-1])),
        points=len(k),
        heldout_error=forecasts[winner],
    )


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
    over all runs, which late steps dominate; the interval is its range over single runs. It
    abstains below 8 pairs, where the runs' own orders range over more than a quarter of the
    estimate, and where the order is that of linear convergence.

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
    runs = [_terminal_phase(*_checked(steps, run), noise_floor) for run in errors]
    runs = [(k, y) for k, y in runs if len(y) > RUN_PAIRS]
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
    if max(single) - min(single) > ORDER_SPREAD * order:
        return Abstention(f"the runs disagree: orders from {min(single):.3g} to {max(single):.3g}")
    return Rate(
        kind="superlinear",
        estimate=order,
        low=min(single),
        high=max(single),
        window=(int(min(k[0] for k, _ in runs)), int(max(k[-1] for k, _ in runs))),
        points=pairs,
    )


def _checked(steps: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps and errors up to the first error that is not finite.

    Raises:
        OptbenchError: shapes that differ, or steps that do not ascend from 0 or later.
    """
    steps, errors = np.asarray(steps, float), np.asarray(errors, float)
    if steps.ndim != 1 or steps.shape != errors.shape:
        raise OptbenchError(
            f"steps have shape {steps.shape}, errors {errors.shape}",
            "give one run: as many errors as steps",
        )
    if np.any(steps < 0) or np.any(np.diff(steps) <= 0):
        raise OptbenchError("steps do not ascend from 0 or later", "give the steps of a log")
    finite = np.isfinite(errors)
    length = len(errors) if finite.all() else int(np.argmin(finite))
    return steps[:length], errors[:length]


def _window(
    steps: np.ndarray, errors: np.ndarray, noise_floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and log errors of the upper envelope inside the window."""
    if len(errors) == 0:
        return steps, errors
    envelope = np.maximum.accumulate(errors[::-1])[::-1]
    inside = envelope <= WINDOW_START * errors[0]  # so never at the start itself
    inside &= envelope > max(FLOOR_MARGIN * noise_floor, 0.0)
    return steps[inside], np.log(envelope[inside])


def _axis(kind: Kind, k: np.ndarray) -> np.ndarray:
    """The axis on which the model of this kind is a line."""
    return k if kind == "linear" else np.log(k)


def _forecast_errors(k: np.ndarray, y: np.ndarray) -> tuple[dict[Kind, float], float]:
    """Root-mean-square errors on the second half of the steps: per model, and of no decrease."""
    split = int(np.searchsorted(k, (k[0] + k[-1]) / 2, side="right"))
    split = min(max(split, LINE_POINTS), len(k) - 2)
    kinds: tuple[Kind, ...] = ("linear", "sublinear")
    forecasts = {}
    for kind in kinds:
        t = _axis(kind, k)
        late = _stretch(t[:split], 1 - LATE_SHARE[kind], 1.0)
        slope, intercept = _line(t[late], y[late])
        forecasts[kind] = _root_mean_square(y[split:] - intercept - slope * t[split:])
    return forecasts, _root_mean_square(y[split:] - y[split - 1])


def _late_slopes(t: np.ndarray, y: np.ndarray, share: float) -> np.ndarray:
    """Slopes over the late part of the window, then over its later half and two earlier parts."""
    early = 1 - 3 * share / 2
    parts = ((1 - share, 1.0), (1 - share / 2, 1.0), (early, 1.0), (early, 1 - share / 2))
    stretches = [_stretch(t, first, last) for first, last in parts]
    return np.array([_line(t[part], y[part])[0] for part in stretches])


def _stretch(t: np.ndarray, first: float, last: float) -> slice:
    """The points between two fractions of the axis: `LINE_POINTS` at least, if there are any."""
    low, high = t[0] + np.array([first, last]) * (t[-1] - t[0])
    rounding = 1e-9 * (t[-1] - t[0])
    end = max(int(np.searchsorted(t, high + rounding)), min(LINE_POINTS, len(t)))
    start = int(np.searchsorted(t, low - rounding))
    return slice(max(0, min(start, end - LINE_POINTS)), end)


def _line(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept; a point weighs as much as the stretch of the axis it stands for."""
    slope, intercept = np.polyfit(t, y, 1, w=np.sqrt(np.gradient(t)))
    return float(slope), float(intercept)


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


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
