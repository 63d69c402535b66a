"""Fitted convergence rates and orders, each with an interval, or an abstention."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from optbench.errors import OptbenchError

Kind = Literal["linear", "sublinear", "superlinear"]

WINDOW_START = 0.9  # the window opens once the error is down by 10 %
FLOOR_MARGIN = 10.0  # and closes at this many times the noise floor
MIN_POINTS = 8
LINE_POINTS = 4  # the fewest points behind one line
LATE_SHARE = {"linear": 1 / 2, "sublinear": 1 / 4}  # of the window, in k and in log k
FORECAST_MISS = 0.1  # the most a forecast may miss by, as a share of the decrease it is about
LOG_LEAD = 1.5  # how many times worse a shift must fit than a power of log k, for abstaining
UNSETTLED = 0.15  # the widest interval of an exponent, relative
LEAD = 4.0  # how many times worse the other model's forecast must be
ROUNDING = 1e-14  # relative rounding error of an error that no noise floor limits


class Scale(NamedTuple):
    """How the slope of a model's line, the estimate and the speed of convergence go together.

    Attributes:
        estimate: slope -> q or p.
        speed: q or p -> what widths and ratios of rates are taken of: -log q, p or p. Of q itself,
            near 1, any interval would be narrow.
    """

    estimate: Callable[[float], float]
    speed: Callable[[float], float]


def _same(value: float) -> float:
    return value


SCALES: dict[Kind, Scale] = {
    "linear": Scale(math.exp, lambda factor: -math.log(factor)),
    "sublinear": Scale(operator.neg, _same),
    "superlinear": Scale(_same, _same),
}

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
        low: the window interval: how far down the estimate may go as the window moves (linear and
            sublinear) or from run to run (superlinear). No confidence level belongs to it.
        high: how far up it may go.
        window: first and last step looked at; its late part decides.
        points: log points in the window, or pairs of consecutive ones; of all runs.
        runs: how many runs it is the rate of.
        heldout_error: root mean square of the forecast's error in log e over the held-out points,
            the second half of the window's steps; None for an order.
    """

    kind: Kind
    estimate: float
    low: float
    high: float
    window: tuple[int, int]
    points: int
    runs: int = 1
    heldout_error: float | None = None

    @property
    def relative_width(self) -> float:
        """Width of the interval over the estimate: of p, or, of a factor q, of -log q."""
        speed = SCALES[self.kind].speed
        return abs(speed(self.high) - speed(self.low)) / speed(self.estimate)

    @property
    def short(self) -> str:
        """The estimate in a few characters."""
        return short_rate(self.kind, self.estimate)

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
    def short(self) -> str:
        """In a few characters."""
        return "-"

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        return f"no rate: {self.reason}"


def short_rate(kind: Kind, value: float) -> str:
    """A rate in a few characters: `q=0.82`, `k^-1.0` or `order 2.0`.

    A factor is shown with two digits of its distance from 1, where it is near 1.
    """
    if kind == "linear":
        digits = 2 if value < 0.9 else math.ceil(-math.log10(max(1 - value, 1e-12))) + 1
        return f"q={value:.{digits}f}" if value >= 0.1 else f"q={value:.2g}"
    return f"k^-{value:.1f}" if kind == "sublinear" else f"order {value:.1f}"


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
    that part, its later half, one starting half its length earlier, that one without its end, and
    what is left of the slope there once the first correction is fitted too: a factor k^a of a
    linear rate (two equal roots), a shift (k + k_0)^-p of a sublinear one: so it reaches ahead to
    where a slope that still drifts is heading. These stretches share points, so their range says
    too little: the interval is twice as wide. Each slope counts with what errors as large as the
    noise floor could do to it.

    Each model, fitted so to the first half of the steps, forecasts the second half. The better
    one is taken if its error is below a tenth of what a constant forecast's would be, and below a
    quarter of the other's. Logarithms are no part of a power law, and hide in one: it abstains
    where k^-p (log k)^a fits the late part markedly better than (k + k_0)^-p. Nor is an exponent
    told that has not settled, by an interval wider than 0.15 of it: terms that began to fall at
    other times are then still at work, and such intervals were found to miss too often.

    The rate of f - f* is found: a method whose iterates contract by rho has q = rho^2.

    Args:
        steps: [T] ascending steps of the log points.
        errors: [T] e = f - f* there; whatever follows the first value not finite is ignored.
        noise_floor: rounding error of e.

    Raises:
        OptbenchError: steps and errors that do not fit together.

    Source: Ortega & Rheinboldt (1970), section 9.2 (R-rates).
    """
    steps, errors = checked_run(steps, errors)
    k, y = _window(steps, errors, noise_floor)
    if len(k) < MIN_POINTS:
        points = "point" if len(k) == 1 else "points"
        return Abstention(
            f"{len(k)} log {points} between a 10 % decrease and {FLOOR_MARGIN:g} times the noise "
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
    if winner == "sublinear" and _has_log_factor(k, y):
        return Abstention("no power law: a power of log k goes with that of k")
    doubt = np.maximum(noise_floor * np.exp(-y), ROUNDING)
    slopes, margins = _late_slopes(winner, k, y, doubt)
    ends = np.concatenate([slopes - margins, slopes + margins])
    low, high = sorted(map(SCALES[winner].estimate, twice_as_wide(ends)))
    rate = Rate(
        kind=winner,
        estimate=SCALES[winner].estimate(slopes[0]),
        low=low,
        high=high,
        window=(int(k[0]), int(k[-1])),
        points=len(k),
        heldout_error=forecasts[winner],
    )
    return settled(rate)


def settled(rate: Rate) -> Rate | Abstention:
    """The rate, unless it is an exponent that still drifts."""
    if rate.kind == "sublinear" and rate.relative_width > UNSETTLED:
        return Abstention("no power law yet: its exponent still drifts")
    return rate


def twice_as_wide(values: np.ndarray) -> tuple[float, float]:
    """The range of values, with half its width more on both sides."""
    low, high = float(values.min()), float(values.max())
    return low - (high - low) / 2, high + (high - low) / 2


def checked_run(steps: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _late_slopes(
    kind: Kind, k: np.ndarray, y: np.ndarray, doubt: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes over the late part of the window and over others, and what `doubt` in y does to each.

    The others: its later half, two that start earlier, and the earlier one corrected.
    """
    t, share = _axis(kind, k), LATE_SHARE[kind]
    straight = np.stack([t, np.ones_like(t)])
    corrected = np.stack([*straight, np.log(k) if kind == "linear" else 1 / k])
    early = 1 - 3 * share / 2
    parts = ((1 - share, 1.0), (1 - share / 2, 1.0), (early, 1.0), (early, 1 - share / 2))
    fits = [(straight, _stretch(t, first, last)) for first, last in parts]
    fits.append((corrected, _stretch(t, early, 1.0)))
    weights = [_slope_weights(basis[:, part]) for basis, part in fits]
    slopes = [w @ y[part] for w, (_, part) in zip(weights, fits, strict=True)]
    margins = [np.abs(w) @ doubt[part] for w, (_, part) in zip(weights, fits, strict=True)]
    return np.array(slopes), np.array(margins)


def _has_log_factor(k: np.ndarray, y: np.ndarray) -> bool:
    """Whether a power of log k explains the longest late stretch better than a shift of k does.

    It does if k^-p (log k)^a fits better than k^-p (1 + c / k), and a, fitted next to that shift,
    is nearer to a whole number other than 0: logarithms come in whole powers.
    """
    part = _stretch(np.log(k), 1 - 3 * LATE_SHARE["sublinear"] / 2, 1.0)
    k, y = k[part], y[part]
    root = np.sqrt(np.gradient(np.log(k)))
    power_law = np.stack([np.log(k), np.ones_like(k), 1 / k, np.log(np.log(k + 1))])

    def fitted(*terms: int) -> tuple[np.ndarray, float]:
        basis = power_law[list(terms)]
        coefficients = np.linalg.lstsq((basis * root).T, y * root)[0]
        return coefficients, _root_mean_square((y - coefficients @ basis) * root)

    power = fitted(0, 1, 2, 3)[0][-1]
    return bool(abs(power) > 0.5 and LOG_LEAD * fitted(0, 1, 3)[1] < fitted(0, 1, 2)[1])


def _stretch(t: np.ndarray, first: float, last: float) -> slice:
    """The points between two fractions of the axis: `LINE_POINTS` at least, if there are any."""
    low, high = t[0] + np.array([first, last]) * (t[-1] - t[0])
    rounding = 1e-9 * (t[-1] - t[0])
    end = max(int(np.searchsorted(t, high + rounding)), min(LINE_POINTS, len(t)))
    start = int(np.searchsorted(t, low - rounding))
    return slice(max(0, min(start, end - LINE_POINTS)), end)


def _line(t: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept."""
    basis = np.stack([t, np.ones_like(t)])
    slope = float(_slope_weights(basis) @ y)
    stretch = np.gradient(t)
    return slope, float(stretch @ (y - slope * t) / stretch.sum())


def _slope_weights(basis: np.ndarray) -> np.ndarray:
    """[n] what each point adds to the coefficient of the first function of a least-squares fit.

    A point weighs as much as the stretch of the axis it stands for.

    Args:
        basis: [m, n] functions at the points, the first of them the axis.
    """
    root = np.sqrt(np.gradient(basis[0]))
    sizes = np.linalg.norm(basis, axis=1)
    weighted = (basis / sizes[:, None] * root).T
    return np.linalg.pinv(weighted, rcond=1e-12)[0] * root / sizes[0]


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
