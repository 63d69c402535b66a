"""Costs over many problems at once: profiles, distributions of runtimes, ratios to a reference."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from optbench.errors import OptbenchError
from optbench.metrics import as_costs
from optbench.statistics import GeometricMean, geometric_mean

PAIRWISE_RATIOS = 2.0 ** np.linspace(-6, 6, 193)  # T in [1/64, 64], 1 among them
SCORE_RATIO = 4.0  # r_max of a score


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReferenceRatio:
    """One solver against a reference, over the problems of a study.

    Attributes:
        ratio: geometric mean of t[p,s] / t[p,ref] over the problems that both solve.
        solved: how many problems the solver solves.
        reference_solved: how many the reference does.
    """

    ratio: GeometricMean
    solved: int
    reference_solved: int


def ratios_to_best(costs: np.ndarray) -> np.ndarray:
    """r[p,s] = t[p,s] / min_s t[p,s], infinite where unsolved.

    Args:
        costs: [P, S] cost of each solver on each problem; infinite or NaN where unsolved.

    Returns:
        [P, S] ratios, 1 or more.

    Raises:
        OptbenchError: a cost that is not positive.
    """
    costs = _positive(costs)
    best = costs.min(1, keepdims=True)
    return np.divide(costs, best, out=np.full(costs.shape, math.inf), where=np.isfinite(costs))


def performance_profile(costs: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Share of problems each solver solves within a ratio of the best: |{p : r[p,s] <= T}| / |P|.

    r[p,s] = t[p,s] / min_s t[p,s]; a problem that nobody solves stays in the denominator. With
    more than two solvers a profile ranks each against the best only: solvers may swap places
    when another one is left out.

    Args:
        costs: [P, S] cost of each solver on each problem; infinite or NaN where unsolved.
        ratios: [R] values of T.

    Returns:
        [R, S] shares.

    Raises:
        OptbenchError: a cost that is not positive.

    Source: Dolan & More (2002), section 2; Gould & Scott (2016) for the warning.
    """
    return _shares(ratios_to_best(costs), ratios)


def profile_score(costs: np.ndarray, largest_ratio: float = SCORE_RATIO) -> np.ndarray:
    """A performance profile integrated over [1, r_max], over its width: exact, without a grid.

    B_s = mean_p max(0, r_max - r[p,s]) / (r_max - 1). It ranks each solver against the best only,
    as the profile does.

    Args:
        costs: [P, S] cost of each solver on each problem; infinite or NaN where unsolved.
        largest_ratio: r_max, over 1.

    Returns:
        [S] scores in [0, 1].

    Raises:
        OptbenchError: a cost that is not positive, an r_max that is not over 1 and finite.

    Source: Dahl et al. (2023), Benchmarking neural network training algorithms (AlgoPerf).
    """
    if not 1 < largest_ratio < math.inf:
        raise OptbenchError(
            f"a score up to a ratio of {largest_ratio}", "integrate to a finite ratio over 1"
        )
    reach = np.maximum(0.0, largest_ratio - ratios_to_best(costs))
    return reach.mean(0) / (largest_ratio - 1)


def pairwise_profile(
    costs_a: np.ndarray, costs_b: np.ndarray, ratios: np.ndarray = PAIRWISE_RATIOS
) -> np.ndarray:
    """Share of all problems that A solves within T times the cost of B: |{p : t_A <= T t_B}| / |P|.

    It depends on no third solver. Where B fails, A solving at all is within any ratio.

    Args:
        costs_a: [P] cost of A on each problem; infinite or NaN where unsolved.
        costs_b: [P] cost of B.
        ratios: [R] values of T, positive.

    Returns:
        [R] shares.

    Raises:
        OptbenchError: a cost that is not positive.

    Source: Gould & Scott (2016), A note on performance profiles for benchmarking software.
    """
    a, b = _positive(costs_a), _positive(costs_b)
    ratio = np.divide(a, b, out=np.full(a.shape, math.inf), where=np.isfinite(a))
    return _shares(ratio, ratios)


def data_profile(
    costs: np.ndarray, budgets: np.ndarray, dims: np.ndarray | None = None
) -> np.ndarray:
    """Share of problems each solver solves within a budget: d_s(k) = |{p : t[p,s] <= k}| / |P|.

    Args:
        costs: [P, S] cost of each solver on each problem; infinite or NaN where unsolved.
        budgets: [B] values of k.
        dims: [P] dimensions n_p, for zero-order methods: t / (n_p + 1) counts simplex gradients.

    Returns:
        [B, S] shares.

    Source: More & Wild (2009), X
    """
    costs = as_costs(costs)
    if dims is not None:
        costs = costs / (np.asarray(dims, float)[:, None] + 1)
    return _shares(costs, budgets)


def ecdf(costs: np.ndarray, budgets: np.ndarray) -> np.ndarray:
    """Share of all costs that are within each budget; one never reached counts as above all.

    Args:
        costs: cost per (problem, target, run), in any shape; infinite or NaN where never.
        budgets: [B] budgets.

    Returns:
        [B] shares.
    """
    reached = np.sort(as_costs(costs).ravel())
    finite = np.where(np.isinf(budgets), np.finfo(float).max, budgets)
    return np.searchsorted(reached, finite, side="right") / len(reached)


def simulated_restarts(
    hit_costs: np.ndarray, spent: np.ndarray, *, rng: np.random.Generator, draws: int
) -> np.ndarray:
    """Runtimes of a solver restarted until it succeeds: runs drawn with replacement, costs added.

    A failure costs all it spent, the success that ends a draw its cost to the target. The mean of
    the draws estimates the ERT. The number of failures drawn is geometric.

    Args:
        hit_costs: [N] cost of each run to the target; infinite or NaN where never.
        spent: [N] total cost of each run, or one number.
        rng: decides the draws.
        draws: how many.

    Returns:
        [draws] runtimes, all infinite where no run succeeds.

    Raises:
        OptbenchError: no runs.

    Source: Hansen et al. (2016), COCO: Performance assessment, section on simulated restarts.
    """
    costs = as_costs(hit_costs)
    reached = np.isfinite(costs)
    times = drawn_runs(reached, rng=rng, draws=draws)
    if not reached.any():
        return np.full(draws, math.inf)
    if reached.all():
        return times @ costs
    return times @ np.where(reached, costs, spent)


def drawn_runs(reached: np.ndarray, *, rng: np.random.Generator, draws: int) -> np.ndarray:
    """How often simulated restarts draw each run: failures, and the success that ends a draw.

    It depends on which runs succeed alone, so the same draws hold in every unit of cost.

    Args:
        reached: [N] whether each run reaches the target.
        rng: decides the draws.
        draws: how many.

    Returns:
        [draws, N] times, all zero where no run succeeds.

    Raises:
        OptbenchError: no runs.
    """
    count = len(reached)
    if count == 0:
        raise OptbenchError("no runs to draw from", "run once at least")
    times = np.zeros((draws, count), int)
    if not reached.any():
        return times
    times[np.arange(draws), rng.choice(np.flatnonzero(reached), draws)] = 1
    if reached.all():
        return times
    failures = rng.geometric(reached.mean(), draws) - 1
    lost = rng.choice(np.flatnonzero(~reached), failures.sum())
    owner = np.repeat(np.arange(draws), failures)
    np.add.at(times, (owner, lost), 1)
    return times


def runtime_ecdf(
    hit_costs: np.ndarray,
    spent: np.ndarray,
    budgets: np.ndarray,
    *,
    rng: np.random.Generator,
    draws: int = 100,
) -> np.ndarray:
    """COCO's distribution of runtimes: share of (problem, target, draw) triples within each budget.

    Runs of a problem that fail at a target are completed by simulated restarts; a target that no
    run reaches stays in the denominator.

    Args:
        hit_costs: [N, P, K] cost of each run to each target of each problem; NaN where never.
        spent: [N, P] total cost of each run.
        budgets: [B] budgets.
        rng: decides the draws.
        draws: restarted runtimes per problem and target.

    Returns:
        [B] shares.

    Raises:
        OptbenchError: no runs.

    Source: Hansen et al. (2016), COCO: Performance assessment, section on runtime distributions.
    """
    hit_costs, spent = np.asarray(hit_costs, float), np.asarray(spent, float)
    runtimes = [
        simulated_restarts(hit_costs[:, p, k], spent[:, p], rng=rng, draws=draws)
        for p, k in np.ndindex(hit_costs.shape[1:])
    ]
    return ecdf(np.array(runtimes), budgets)


def reference_ratios(costs: np.ndarray, reference: np.ndarray) -> tuple[ReferenceRatio, ...]:
    """Each solver against a reference that the study fixes: t[p,s] / t[p,ref], and successes.

    Show the counts beside the ratio, always: it says nothing on problems that either fails.

    Args:
        costs: [P, S] cost of each solver on each problem; infinite or NaN where unsolved.
        reference: [P] cost of the reference.

    Returns:
        [S] ratios.

    Raises:
        OptbenchError: a cost that is not positive.

    Source: Fleming & Wallace (1986), How not to lie with statistics, for the geometric mean.
    """
    costs, reference = _positive(costs), _positive(reference)
    solved, reference_solved = np.isfinite(costs), np.isfinite(reference)
    both = solved & reference_solved[:, None]
    ratio = np.divide(costs, reference[:, None], out=np.full(costs.shape, math.nan), where=both)
    return tuple(
        ReferenceRatio(
            ratio=geometric_mean(ratio[:, s]),
            solved=int(solved[:, s].sum()),
            reference_solved=int(reference_solved.sum()),
        )
        for s in range(costs.shape[1])
    )


def _positive(costs: np.ndarray) -> np.ndarray:
    """Costs that may be divided by each other, infinite where never."""
    costs = as_costs(costs)
    if np.any(costs <= 0):
        raise OptbenchError("a cost that is not positive has no ratio", "give costs over 0")
    return costs


def _shares(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Share of the finite values along the first axis within each limit, of all of them."""
    limits = np.asarray(limits, float).reshape(-1, *[1] * values.ndim)
    return ((values <= limits) & np.isfinite(values)).mean(1)
