"""Whether one method beats another over problems: signed-rank tests, one value per problem."""

from __future__ import annotations

import dataclasses

import numpy as np
import scipy.stats

from optbench.errors import OptbenchError
from optbench.statistics import censor

LEAST_PROBLEMS = 6  # with 5, the smallest two-sided p is 0.0625
ROPE = float(np.log2(1.1))  # of log2 ratios: costs within 10 % are equal
PRIOR_STRENGTH = 0.5  # s of the Dirichlet process, all of it at z_0 = 0
_TIES_TO = 12  # decimals of |z| that decide its rank; the rest is rounding
_CHUNK = 1 << 22  # weights drawn at a time


@dataclasses.dataclass(frozen=True, kw_only=True)
class Posterior:
    """What the Bayesian signed-rank test believes; the three add up to 1.

    Attributes:
        a_better: P(A needs less than B).
        equal: P(A and B are practically equivalent).
        b_better: P(B needs less than A).
    """

    a_better: float
    equal: float
    b_better: float


def log_ratios(costs_a: np.ndarray, costs_b: np.ndarray, budget: float | np.ndarray) -> np.ndarray:
    """z_p = log2(t_A / t_B): negative where A needs less; a failure costs 10 times the budget.

    Where both fail z_p = 0, a tie.

    Args:
        costs_a: [P] median cost of A on each problem; infinite or NaN where it fails.
        costs_b: [P] cost of B.
        budget: of each problem or of all, [P] or a number, in the unit of the costs.

    Raises:
        OptbenchError: a cost or budget that is not positive, or shapes that differ.
    """
    costs_a, costs_b = np.asarray(costs_a, float), np.asarray(costs_b, float)
    if costs_a.shape != costs_b.shape:
        raise OptbenchError(
            f"costs of shapes {costs_a.shape} and {costs_b.shape}", "give the same problems to both"
        )
    return np.log2(censor(costs_a, budget)) - np.log2(censor(costs_b, budget))


def wilcoxon_signed_rank(z: np.ndarray) -> float:
    """Two-sided p of the Wilcoxon signed-rank test that z is symmetric about 0.

    The exact share of all 2^P flips of signs with |sum_p sign(z_p) rank(|z_p|)| at least as large
    as the one observed, ties in |z| sharing their ranks. Zeros are ranked, and their ranks then
    dropped (Pratt 1959): a tie counts against a difference. All zeros give 1.

    Args:
        z: [P] one log ratio per problem, finite; |z| equal to 12 decimals tie.

    Raises:
        OptbenchError: fewer than 6 problems, or values that are not finite.

    Source: Wilcoxon (1945); Pratt (1959), Remarks on zeros and ties; Demsar (2006), section 3.1.3.
    """
    z = np.round(_finite(z), _TIES_TO)
    if len(z) < LEAST_PROBLEMS:
        raise OptbenchError(
            f"a signed-rank test on {len(z)} problems can never be significant",
            f"compare on {LEAST_PROBLEMS} problems at least",
        )
    doubled = np.rint(2 * scipy.stats.rankdata(np.abs(z))).astype(int) * (z != 0)
    total = int(doubled.sum())
    chances = np.zeros(total + 1)  # of each sum of the doubled ranks with a positive sign
    chances[0] = 1.0
    for rank in doubled:
        chances[rank:] = (chances[rank:] + chances[: total + 1 - rank]) / 2
        chances[:rank] /= 2
    distances = np.abs(2 * np.arange(total + 1) - total)
    return float(min(1.0, chances[distances >= abs(np.sign(z) @ doubled)].sum()))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjusted p values that hold the family-wise error: max_{j <= i} min(1, (m - j + 1) p_(j)).

    Args:
        p_values: [m] p values, in any order and with any dependence.

    Returns:
        [m] adjusted p values, in the order given; reject where at most the level.

    Raises:
        OptbenchError: a value outside [0, 1].

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.
    """
    p_values = np.asarray(p_values, float)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise OptbenchError("p values outside [0, 1]", "give a list of numbers from 0 to 1")
    order = np.argsort(p_values, kind="stable")
    steps = np.arange(len(p_values), 0, -1) * p_values[order]
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def bayesian_signed_rank(
    z: np.ndarray, *, rng: np.random.Generator, rope: float = ROPE, draws: int = 50_000
) -> Posterior:
    """P(A better), P(equal), P(B better) of the Bayesian signed-rank test.

    Weights w ~ Dirichlet(s, 1, ..., 1) lie on z_0 = 0 and z_1, ..., z_P, with s = 0.5. Each draw
    gives, over all ordered pairs, i = j included,

        theta_A = sum_ij w_i w_j [z_i + z_j < -2 rope],
        theta_B = sum_ij w_i w_j [z_i + z_j > 2 rope],

    a sum on an edge counted half there, and theta_equal = 1 - theta_A - theta_B. Reported is the
    share of draws in which each theta is the largest, draws without one largest being shared out.

    Args:
        z: [P] log ratios, negative where A is better, finite.
        rng: decides the draws.
        rope: half-width r of the region of practical equivalence, in the unit of z.
        draws: number of draws.

    Raises:
        OptbenchError: no problems, values that are not finite, a negative rope.

    Source: Benavoli, Corani, Demsar & Zaffalon (2017), Time for a change; Benavoli,
        Mangili, Corani, Zaffalon & Ruggeri (2014), for the prior.
    """
    z = _finite(z)
    if not rope >= 0 or draws < 1:
        raise OptbenchError(f"rope {rope} and {draws} draws", "give rope >= 0 and draws >= 1")
    points = np.concatenate([[0.0], z])
    sums = points[:, None] + points[None, :]
    below, above = _step(-sums - 2 * rope), _step(sums - 2 * rope)
    strengths = np.concatenate([[PRIOR_STRENGTH], np.ones(len(z))])
    size = max(1, _CHUNK // len(points))
    wins = np.zeros(3)
    for start in range(0, draws, size):
        weights = rng.dirichlet(strengths, min(size, draws - start))
        a, b = (np.einsum("di,di->d", weights @ pairs, weights) for pairs in (below, above))
        theta = np.stack([a, 1 - a - b, b], axis=1)
        largest = theta == theta.max(1, keepdims=True)
        wins += (largest / largest.sum(1, keepdims=True)).sum(0)
    a_better, equal, b_better = (wins / draws).tolist()
    return Posterior(a_better=a_better, equal=equal, b_better=b_better)


def mean_ranks(costs: np.ndarray) -> np.ndarray:
    """Mean over problems [P, S] of each method's rank, 1 the best, ties sharing theirs: [S].

    Failures, infinite or NaN, share the last ranks.
    """
    return _ranks(np.asarray(costs, float)).mean(0)


def friedman(costs: np.ndarray) -> float:
    """p of the Friedman test that all methods are alike, corrected for ties; 1 where all tie.

    A verdict on mean ranks depends on the pool: it may turn around with a method added or left out.

    Args:
        costs: [P, S] costs, infinite or NaN where a method fails; S >= 3.

    Raises:
        OptbenchError: fewer than 3 methods or 2 problems.

    Source: Friedman (1937); Demsar (2006), section 3.2.2.
    """
    costs = np.asarray(costs, float)
    if costs.ndim != 2 or costs.shape[0] < 2 or costs.shape[1] < 3:
        raise OptbenchError(
            f"a Friedman test on costs of shape {costs.shape}",
            "give 2 problems and 3 methods at least",
        )
    ranks = _ranks(costs)
    if (ranks == ranks[:, :1]).all():
        return 1.0
    return float(scipy.stats.friedmanchisquare(*ranks.T).pvalue)


def nemenyi_difference(num_methods: int, num_problems: int, level: float = 0.05) -> float:
    """The difference in mean ranks that is significant: q sqrt(k (k + 1) / (6 N)).

    q is the upper `level` quantile of the studentized range of k normal values, over sqrt(2).

    Args:
        num_methods: k, from 2 up.
        num_problems: N.
        level: of the test over all pairs.

    Raises:
        OptbenchError: fewer than 2 methods or 1 problem.

    Source: Nemenyi (1963); Demsar (2006), section 3.2.2 and table 5.
    """
    if num_methods < 2 or num_problems < 1:
        raise OptbenchError(
            f"{num_methods} methods on {num_problems} problems", "compare 2 methods at least"
        )
    q = scipy.stats.studentized_range.ppf(1 - level, num_methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(num_methods * (num_methods + 1) / (6 * num_problems)))


def _ranks(costs: np.ndarray) -> np.ndarray:
    """Rank of each method within its problem, failures last."""
    return scipy.stats.rankdata(np.where(np.isnan(costs), np.inf, costs), axis=1)


def _step(values: np.ndarray) -> np.ndarray:
    """1 above 0, 1/2 at it, 0 below."""
    return np.heaviside(values, 0.5)


def _finite(z: np.ndarray) -> np.ndarray:
    """One finite value per problem, or an error."""
    z = np.asarray(z, float)
    if z.ndim != 1 or len(z) == 0 or not np.isfinite(z).all():
        raise OptbenchError(
            "a signed-rank test needs one finite value per problem, one at least",
            "censor failures first: `log_ratios` does",
        )
    return z
