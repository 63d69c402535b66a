"""Steps and cost to target, what they add up to over starts, settings and problems."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from optbench.errors import OptbenchError
from optbench.statistics import censor
from optbench.trajectory import Status

NUDGES = 32  # draws behind a noise floor
NUDGE_ULPS = 4  # units in the last place a coordinate moves by, at most
SENSITIVITY_DECADES = 3  # of learning rates around the tuned one
_NO_FAILURE = (Status.REACHED, Status.NOT_APPLICABLE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BestSetting:
    """What one method does to one target at its best setting (oracle-tuned: an upper bound).

    Attributes:
        index: of the setting; None where no setting reaches the target and nothing else decides.
        median: cost to the target over all starts, infinite where half of them or more fail.
        low: smallest cost over all starts.
        high: largest cost over all starts, infinite where one fails.
        successes: how many starts reach the target.
        total: how many starts there are.
    """

    index: int | None
    median: float
    low: float
    high: float
    successes: int
    total: int


def noise_floor(value: Callable[[np.ndarray], float], minimizer: np.ndarray) -> float:
    """The spread of f when x* moves by up to 4 units in the last place: rounding error, measured.

    A coordinate that is 0 moves by units in the last place of 1. The floor is at least the
    spacing of floating-point numbers at f(x*), in the precision of x*. Nothing below 10 times
    the floor should be ranked or fitted.

    Args:
        value: f, or another measure of progress, of a point shaped as the minimizer.
        minimizer: x*, real, in the precision of the run.

    Raises:
        OptbenchError: f is not finite near x*.
    """
    minimizer = np.asarray(minimizer)
    minimizer = minimizer.astype(np.result_type(minimizer, np.float32))  # integers to float64
    rng = np.random.default_rng(0)
    ulp = np.spacing(np.where(minimizer == 0, minimizer.dtype.type(1), np.abs(minimizer)))
    center = float(value(minimizer))
    values = [center]
    for _ in range(NUDGES):
        move = np.asarray(rng.uniform(-NUDGE_ULPS, NUDGE_ULPS, minimizer.shape))
        values.append(float(value(minimizer + move.astype(minimizer.dtype) * ulp)))
    if not np.isfinite(values).all():
        raise OptbenchError("f is not finite near its minimizer", "check the minimizer")
    return max(float(np.ptp(values)), float(np.spacing(minimizer.dtype.type(abs(center)))))


def rounding_floor(value: float, minimum: float, dim: int, dtype: str = "float64") -> float:
    """The noise floor where x* is unknown: 4 n eps (|f| + |f*|).

    Args:
        value: f near the minimum.
        minimum: f*.
        dim: n.
        dtype: precision of the run.
    """
    return 4 * dim * float(np.finfo(dtype).eps) * (abs(value) + abs(minimum))


def first_hit(
    steps: np.ndarray, costs: np.ndarray, merit: np.ndarray, targets: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Step and cost of the first log point at which each target is met.

    A target tau is met where merit <= tau |merit_0|. Hits known from a log are late by up to the
    distance between its points; where every step is logged, they are exact.

    Args:
        steps: [T] step of each log point.
        costs: [..., T] cost spent up to there.
        merit: [..., T] the merit there; NaN after a lane's end.
        targets: [K] fractions of the initial merit.

    Returns:
        hit_steps and hit_costs, [..., K]; NaN where never.
    """
    steps, costs, merit = np.asarray(steps), np.asarray(costs, float), np.asarray(merit, float)
    levels = np.abs(merit[..., :1]) * np.asarray(targets, float)
    met = (merit[..., None, :] <= levels[..., None]) & np.isfinite(merit[..., None, :])
    ever, first = met.any(-1), met.argmax(-1)  # [..., K]
    costs = np.broadcast_to(costs, merit.shape)
    hit_costs = np.take_along_axis(costs, first, axis=-1)
    return np.where(ever, steps[first], np.nan), np.where(ever, hit_costs, np.nan)


def best_setting(
    hit_costs: np.ndarray, final_merit: np.ndarray | None = None
) -> tuple[BestSetting, ...]:
    """For each target, the setting with the smallest median cost over starts, failures infinite.

    Ties go to more successes, then to the lower mean cost of the successes, then to the lower
    median final merit, then to the first setting.

    Args:
        hit_costs: [S, H, K] cost to each target; NaN where never.
        final_merit: [S, H] merit at each lane's end, if it is to decide.

    Returns:
        [K] what happens at the best setting.
    """
    costs = as_costs(hit_costs)
    reached = np.isfinite(costs)
    successes = reached.sum(0)  # [H, K]
    total = np.where(reached, costs, 0.0).sum(0)
    mean = np.divide(total, successes, out=np.full(total.shape, math.inf), where=successes > 0)
    if final_merit is None:
        final = np.zeros(costs.shape[1])
    else:
        with np.errstate(over="ignore", invalid="ignore"):  # the mean of two huge merits
            final = np.median(as_costs(final_merit), axis=0)
    medians = np.median(costs, axis=0)
    records = []
    for k in range(costs.shape[2]):
        order = np.lexsort((final, mean[:, k], -successes[:, k], medians[:, k]))
        best = int(order[0])
        known = successes[best, k] > 0 or final_merit is not None
        records.append(
            BestSetting(
                index=best if known else None,
                median=float(medians[best, k]),
                low=float(costs[:, best, k].min()),
                high=float(costs[:, best, k].max()),
                successes=int(successes[best, k]),
                total=costs.shape[0],
            )
        )
    return tuple(records)


def hardest_target(hit_costs: np.ndarray) -> int | None:
    """Index of the hardest target that most starts reach at some setting; None where none is.

    Args:
        hit_costs: [S, H, K] cost to each target, hardest last; NaN where never.
    """
    reached = 2 * np.isfinite(as_costs(hit_costs)).sum(0) > len(hit_costs)
    indices = np.flatnonzero(reached.any(0))
    return int(indices[-1]) if len(indices) else None


def hardest_common_target(
    cells: Sequence[np.ndarray], reached_by: Literal["each", "any"] = "each"
) -> int | None:
    """Index of the hardest target of one problem that methods share; None where there is none.

    Args:
        cells: one [S, H, K] of hit costs per method, on the same targets.
        reached_by: whether most starts of each method must reach it, or those of one will do.
    """
    hardest = [hardest_target(cell) for cell in cells]
    known = [index for index in hardest if index is not None]
    if not known or (reached_by == "each" and len(known) < len(hardest)):
        return None
    return min(known) if reached_by == "each" else max(known)


def expected_running_time(hit_costs: np.ndarray, spent: np.ndarray) -> np.ndarray:
    """ERT: all cost spent until each success or failure, over the number of successes.

    Args:
        hit_costs: [S, ...] cost to the target; NaN where never.
        spent: total cost of each lane, with the leading axes of `hit_costs`.

    Returns:
        [...] the ERT, infinite where no start succeeds.

    Source: Hansen et al. (2016), COCO: Performance assessment.
    """
    costs = as_costs(hit_costs)
    spent = np.asarray(spent, float)
    spent = spent.reshape(spent.shape + (1,) * (costs.ndim - spent.ndim))
    reached = np.isfinite(costs)
    total = np.where(reached, costs, spent).sum(0)
    successes = reached.sum(0)
    return np.divide(total, successes, out=np.full(total.shape, math.inf), where=successes > 0)


def success_rate(hit_costs: np.ndarray) -> np.ndarray:
    """Share of the starts [S, ...] that reach the target: [...]."""
    return np.asarray(np.isfinite(as_costs(hit_costs)).mean(0))


def par10(hit_costs: np.ndarray, budget: float | np.ndarray) -> np.ndarray:
    """Penalized average runtime: the mean cost over starts, a failure counted as 10 budgets.

    Args:
        hit_costs: [S, ...] cost to the target, positive; infinite or NaN where never.
        budget: what broadcasts to that shape.

    Returns:
        [...] means.

    Raises:
        OptbenchError: a cost or budget that is not positive.

    Source: Bischl et al. (2016), ASlib: a benchmark library for algorithm selection.
    """
    return np.asarray(censor(hit_costs, budget).mean(0))


def basin_width(learning_rates: np.ndarray, running_times: np.ndarray) -> float | None:
    """Decades of learning rates with ERT(eta) <= 2 min ERT; None where nothing succeeds.

    A measure on the grid, not a contiguous stretch: each rate stands for its axis of log10(eta)
    up to half-way to its neighbors, and for nothing beyond the grid, so a basin that touches an
    edge of the grid may be wider.

    Args:
        learning_rates: [H] positive and distinct.
        running_times: [H] ERT at each.

    Raises:
        OptbenchError: fewer than two rates, a rate not positive, or one given twice.
    """
    decades, times = _on_a_grid(learning_rates, running_times)
    if not np.isfinite(times).any():
        return None
    edges = np.concatenate([decades[:1], (decades[1:] + decades[:-1]) / 2, decades[-1:]])
    inside = times <= 2 * np.nanmin(times)
    return float(np.diff(edges)[inside].sum())


def learning_rate_sensitivity(
    learning_rates: np.ndarray, losses: np.ndarray, initial: float
) -> float | None:
    """E[min(l(eta), l_0) - l*] / (l_0 - l*): 0 where all rates are as good, 1 where one alone is.

    eta is log-uniform over three decades around the tuned rate, the best of the grid (the lowest
    of equals), whose loss is l*. Between rates of the grid min(l, l_0) is linear in log eta, and
    integrated exactly.

    Args:
        learning_rates: [H] positive and distinct.
        losses: [H] final loss at each; infinite or NaN where it diverged.
        initial: l_0, the loss at the start.

    Returns:
        The sensitivity; None where no rate improves on the start, or the grid ends within the
        three decades.

    Raises:
        OptbenchError: fewer than two rates, a rate not positive, or one given twice.

    Source: Wortsman et al. (2023), Small-scale proxies for large-scale Transformer training
        instabilities, section 2, there not divided by l_0 - l*.
    """
    decades, losses = _on_a_grid(learning_rates, losses)
    capped = np.minimum(np.where(np.isnan(losses), math.inf, losses), initial)
    best = int(capped.argmin())
    low, high = decades[best] + SENSITIVITY_DECADES * np.array([-0.5, 0.5])
    slack = 1e-9  # decades, for rounding alone
    if (
        not capped[best] < initial < math.inf
        or decades[0] > low + slack
        or decades[-1] < high - slack
    ):
        return None
    inside = decades[(decades > low) & (decades < high)]
    nodes = np.concatenate([[low], inside, [high]])
    regret = np.interp(nodes, decades, capped) - capped[best]
    mean = np.trapezoid(regret, nodes) / SENSITIVITY_DECADES
    return float(mean / (initial - capped[best]))


def expected_best_of_k(values: np.ndarray) -> np.ndarray:
    """Expected best of k of the n trials, drawn without replacement, for each k from 1 to n.

    sum_i v_(i) C(n - i, k - 1) / C(n, k), values ascending. It estimates the best of k new trials
    without bias; drawing with replacement would not.

    Args:
        values: [n] value of each trial, lower being better; infinite or NaN where it fails.

    Returns:
        [n] expectations, infinite where a failure may be the best of k.

    Raises:
        OptbenchError: no trials.

    Source: Tang et al. (2020), Showing your work doesn't always work.
    """
    ascending = np.sort(as_costs(values))
    if ascending.ndim != 1 or len(ascending) == 0:
        raise OptbenchError("no trials say nothing", "give the value of each trial, in one list")
    n = len(ascending)
    k, i = np.arange(1, n + 1)[:, None], np.arange(1, n + 1)[None, :]
    growth = (
        np.maximum(n - i - k + 1, 0)[:, :-1] / (n - i)[:, :-1]
    )  # weight of i + 1 over that of i
    weights = k / n * np.cumprod(np.hstack([np.ones((n, 1)), growth]), axis=1)
    failed = (i <= n - k + 1) & np.isinf(ascending)
    expected = (weights * np.where(np.isinf(ascending), 0.0, ascending)).sum(1)
    return np.where(failed.any(1), math.inf, expected)


def count_failures(status: np.ndarray) -> Mapping[Status, int]:
    """How many lanes ended in each kind of failure, an exhausted budget included.

    Args:
        status: statuses of any shape.

    Returns:
        kind -> count, for the kinds that occur.
    """
    ends = [Status(end) for end in np.asarray(status).ravel()]
    return {kind: ends.count(kind) for kind in Status if kind in ends and kind not in _NO_FAILURE}


def as_costs(costs: np.ndarray) -> np.ndarray:
    """Costs of any shape with infinity where never, given infinite or NaN there."""
    costs = np.asarray(costs, float)
    return np.where(np.isnan(costs), math.inf, costs)


def _on_a_grid(learning_rates: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Decades of the rates, ascending, and what was measured at each."""
    rates, values = np.asarray(learning_rates, float), np.asarray(values, float)
    if len(rates) < 2 or not (rates > 0).all() or len(np.unique(rates)) < len(rates):
        raise OptbenchError(
            "a sweep needs distinct positive learning rates", "sweep two of them at least"
        )
    order = np.argsort(rates)
    return np.log10(rates[order]), values[order]
