"""The same comparison in other units of cost, and the price at which a method stops paying off."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import scipy.optimize
import scipy.stats

from optbench.comparison import Comparison, Unit
from optbench.contrasts import paired_costs, shared_problems
from optbench.errors import OptbenchError
from optbench.oracle import Prices
from optbench.statistics import censor
from optbench.tracks import Row

UNITS: tuple[Unit, ...] = get_args(Unit)
DEAREST = 1e12  # price up to which one is looked for

_SECOND_ORDER = ("hessian_products", "fisher_products", "jacobian_products")


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
    comparison: Comparison, row: Row, reference: Row, unit: Unit = "gradients"
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


def standing_rows(comparison: Comparison, reference: Row, unit: Unit = "gradients") -> list[Row]:
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


def leader_by(comparison: Comparison, reference: Row, unit: Unit) -> Row | None:
    """The cheapest of `standing_rows`; None where costs in this unit are unknown."""
    return next(iter(standing_rows(comparison, reference, unit)), None)


def calls_second_order(comparison: Comparison, row: Row) -> bool:
    """Whether a row asks for products with a Hessian, Fisher matrix or Jacobian anywhere."""
    return any(
        np.nansum(comparison.outcomes[problem, row].hit_calls.get(kind, 0.0)) > 0
        for problem in comparison.applicable([row])
        for kind in _SECOND_ORDER
    )


def break_even_price(
    comparison: Comparison,
    row: Row,
    reference: Row | None = None,
    *,
    study: Mapping[str, Any] | None = None,
) -> BreakEven:
    """The price h of a Hessian-vector product at which two rows cost the same.

    It solves gmean_p (median_s c(h) / median_s c_ref) = 1 with c(h) = c(h_0) + (h - h_0) n, where
    n of the calls until the target are such products and h_0 is the declared price, over the
    problems whose target both reach. Settings stay those that were chosen at the declared price.

    Args:
        comparison: the rows of a study.
        row: what calls Hessian-vector products.
        reference: what calls none; if not given, the cheapest headline row of first order.
        study: its settings, with its prices; the default ones if not given.

    Raises:
        OptbenchError: the reference calls Hessian-vector products itself, or there is no row of
            first order.
    """
    other = reference or _best_first_order(comparison)
    declared = (study or {}).get("prices", {}).get("hessian_products", Prices().hessian_products)
    problems = shared_problems(comparison, row, other)
    both = [p for p in problems if all(_reaches(comparison, p, r) for r in (row, other))]
    costs, products, others = (
        _at_target(comparison, both, row, None),
        _at_target(comparison, both, row, "hessian_products"),
        _at_target(comparison, both, other, None),
    )
    if np.nansum(_at_target(comparison, both, other, "hessian_products")) > 0:
        raise OptbenchError(
            f"{other.optimizer} calls Hessian-vector products itself",
            "hold the row against one of first order",
        )

    def log_ratio(price: float) -> float:
        priced = np.where(np.isnan(costs), math.inf, costs + (price - declared) * products)
        found = np.median(priced, axis=-1)
        return float(np.mean(np.log(np.maximum(found, np.finfo(float).tiny)) - reference_logs))

    reference_logs = np.log(np.median(np.where(np.isnan(others), math.inf, others), axis=-1))
    why = "" if both else "no problem's target is reached by both"
    if both and not np.nansum(products) > 0:
        why = "it calls none"
    elif both and log_ratio(0.0) >= 0:
        why = "it always loses: the rest of its calls costs as much"
    elif both and log_ratio(DEAREST) <= 0:
        why = "it always wins"
    price = None if why else float(scipy.optimize.brentq(log_ratio, 0.0, DEAREST, rtol=1e-12))
    return BreakEven(
        row=row,
        reference=other,
        price=price,
        why=why,
        declared=float(declared),
        used=len(both),
        total=len(problems),
    )


def _best_first_order(comparison: Comparison) -> Row:
    rows = [row for row in comparison.headlines if not calls_second_order(comparison, row)]
    if not rows:
        raise OptbenchError("no row is of first order", "name the row to hold it against")
    ranked = [row for row in standing_rows(comparison, rows[0]) if row in rows]
    return ranked[0] if ranked else rows[0]


def _reaches(comparison: Comparison, problem: str, row: Row) -> bool:
    outcome = comparison.outcomes.get((problem, row))
    return outcome is not None and math.isfinite(outcome.median)


def _at_target(
    comparison: Comparison, problems: Sequence[str], row: Row, kind: str | None
) -> np.ndarray:
    """[P, S] cost to the target, or calls of a kind until there; NaN where never."""
    outcomes = [comparison.outcomes[problem, row] for problem in problems]
    zero = [np.zeros_like(o.hit_costs) for o in outcomes]
    found = [
        o.hit_costs if kind is None else o.hit_calls.get(kind, none)
        for o, none in zip(outcomes, zero, strict=True)
    ]
    return np.array([f[:, o.target] for f, o in zip(found, outcomes, strict=True)])
