"""The same comparison in other units of cost, and the price at which a method stops paying off."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.optimize
import scipy.stats

from optbench.comparison import Comparison
from optbench.errors import OptbenchError
from optbench.statistics import censor
from optbench.tracks import Row
from optbench.verdict.contrasts import paired_costs, shared_problems

DEAREST = 1e12  # price up to which one is looked for

PRODUCTS = ("hessian_products", "fisher_products", "jacobian_products")  # of second order


@dataclasses.dataclass(frozen=True, kw_only=True)
class BreakEven:
    """The price of a Hessian-vector product at which a row costs as much as another.

    Attributes:
        row: what calls it.
        reference: what it is held against.
        price: in gradients: below it the row costs less, above it the reference; None where there
            is none.
        why: there is none; empty where there is one.
        declared: the price that costs were counted at.
        used: problems whose target both reach, that the price comes from.
        total: problems that both run on.
    """

    row: Row
    reference: Row
    price: float | None
    why: str
    declared: float
    used: int
    total: int


def ratio_estimate(
    comparison: Comparison, row: Row, reference: Row, unit: str = "gradients"
) -> float | None:
    """Geometric mean over problems of the ratio of median costs, a failure counted as 10 budgets.

    Args:
        comparison: the rows of a study.
        row: the one.
        reference: the other.
        unit: what cost is counted in.

    Returns:
        The ratio; None where the two share no problem with costs in this unit.
    """
    problems = shared_problems(comparison, row, reference, unit)
    if not problems:
        return None
    *costs, budgets = paired_costs(comparison, row, reference, problems, unit)
    medians = [np.median(censor(one, budgets[:, None]), axis=-1) for one in costs]
    return float(scipy.stats.gmean(medians[0] / medians[1]))


def standing_rows(comparison: Comparison, reference: Row, unit: str = "gradients") -> list[Row]:
    """The headline rows that run on every problem that the reference runs on, cheapest first.

    One that runs on some of them has no place: its ratio speaks of other problems.

    Args:
        comparison: the rows of a study.
        reference: the row that ratios are taken to, itself among those ranked.
        unit: what cost is counted in.
    """
    own = shared_problems(comparison, reference, reference, unit)
    ratios = {
        row: ratio_estimate(comparison, row, reference, unit)
        for row in comparison.headlines
        if shared_problems(comparison, row, reference, unit) == own
    }
    known = {row: ratio for row, ratio in ratios.items() if ratio is not None}
    return sorted(known, key=known.__getitem__)


def leader_by(comparison: Comparison, reference: Row, unit: str) -> Row | None:
    """The cheapest of `standing_rows`; None where costs in this unit are unknown."""
    return next(iter(standing_rows(comparison, reference, unit)), None)


def calls(comparison: Comparison, row: Row, kinds: Sequence[str] = ("hessian_products",)) -> bool:
    """Whether a row asks for any of some kinds of oracle call on its way to the target."""
    return any(
        np.nansum(comparison.outcomes[problem, row].hit_calls.get(kind, 0.0)) > 0
        for problem in comparison.applicable([row])
        for kind in kinds
    )


def best_first_order(comparison: Comparison) -> Row | None:
    """The cheapest headline row that asks for products with no matrix; None where each does."""
    rows = [row for row in comparison.headlines if not calls(comparison, row, PRODUCTS)]
    if not rows:
        return None
    ranked = [row for row in standing_rows(comparison, rows[0]) if row in rows]
    return ranked[0] if ranked else rows[0]


def break_even_price(
    comparison: Comparison,
    row: Row,
    reference: Row | None = None,
    *,
    declared: float,
) -> BreakEven:
    """The price h of a Hessian-vector product at which two rows cost the same.

    It solves gmean_p (median_s c(h) / median_s c_ref) = 1 with c(h) = c(h_0) + (h - h_0) n, where
    n of the calls until the target are such products and h_0 is the declared price, over the
    problems whose target both reach. Settings stay those that were chosen at the declared price.

    Args:
        comparison: the rows of a study.
        row: what calls Hessian-vector products.
        reference: what calls none; if not given, the cheapest headline row of first order.
        declared: the price that costs were counted at.

    Raises:
        OptbenchError: the reference calls Hessian-vector products itself, or there is no row of
            first order.
    """
    other = reference or best_first_order(comparison)
    if other is None or calls(comparison, other):
        raise OptbenchError(
            f"{other.optimizer if other else 'every row'} calls Hessian-vector products itself",
            "hold the row against one of first order",
        )
    problems = shared_problems(comparison, row, other)
    both = [p for p in problems if all(_reaches(comparison, p, r) for r in (row, other))]
    costs = _at_target(comparison, both, row)
    products = _at_target(comparison, both, row, "hessian_products")
    products = np.where(np.isinf(costs), 0.0, products)
    references = _at_target(comparison, both, other)

    price, why = _solve(costs, products, references, declared)
    return BreakEven(
        row=row,
        reference=other,
        price=price,
        why=why,
        declared=declared,
        used=len(both),
        total=len(problems),
    )


def _solve(
    costs: np.ndarray, products: np.ndarray, references: np.ndarray, declared: float
) -> tuple[float | None, str]:
    """The price at which costs [P, S] with so many products equal others, or why there is none."""

    def log_ratio(price: float) -> float:
        return _log_mean(costs + (price - declared) * products, references)

    if not len(costs):
        return None, "both reach no target"
    if not products.any():
        return None, "it calls none"
    if log_ratio(0.0) >= 0:
        return None, "it loses at any price"
    if log_ratio(DEAREST) <= 0:
        return None, "it wins at any price"
    found = scipy.optimize.root_scalar(log_ratio, bracket=(0.0, DEAREST), method="brentq")
    return float(found.root), ""


def _log_mean(costs: np.ndarray, references: np.ndarray) -> float:
    """Mean over problems of the log of the ratio of median costs, both [P, S]."""
    medians, others = np.median(costs, axis=-1), np.median(references, axis=-1)
    return float(np.log(np.maximum(medians, np.finfo(float).tiny) / others).mean())


def _reaches(comparison: Comparison, problem: str, row: Row) -> bool:
    outcome = comparison.outcomes.get((problem, row))
    return outcome is not None and math.isfinite(outcome.median)


def _at_target(
    comparison: Comparison, problems: Sequence[str], row: Row, kind: str | None = None
) -> np.ndarray:
    """[P, S] cost to the target, or calls of a kind until there; infinite where never."""
    found = []
    for problem in problems:
        outcome = comparison.outcomes[problem, row]
        costs = outcome.hit_costs[:, outcome.target]
        counts = outcome.hit_calls.get(kind) if kind else outcome.hit_costs
        counted = np.zeros_like(costs) if counts is None else counts[:, outcome.target]
        found.append(np.where(np.isnan(costs), math.inf, counted))
    return np.array(found)
