"""Other units of cost, and the price of a Hessian-vector product that makes two methods equal."""

from __future__ import annotations

import numpy as np
import pytest
from planted_comparisons import planted

from optbench.comparison import Row
from optbench.errors import OptbenchError
from optbench.verdict.cost_axes import (
    best_first_order,
    break_even_price,
    calls,
    leader_by,
    ratio_estimate,
    standing_rows,
)

PRICE = 1.5  # declared, of a Hessian-vector product
FIRST, SECOND = Row("gradient_descent", "T_16"), Row("newton_cg", "T_16")


def second_order(gradients, products, others, price=PRICE):
    """newton_cg [P, S] of so many gradients and products, and gradient_descent beside it."""
    gradients, products = np.asarray(gradients, float), np.asarray(products, float)
    costs = gradients + price * products
    given = {
        (f"p{p}", "newton_cg"): {"hit_calls": {"hessian_products": products[p][:, None]}}
        for p in range(len(costs))
    }
    return planted({"gradient_descent": others, "newton_cg": costs}, given=given)


def test_the_ratio_is_the_geometric_mean_of_ratios_of_medians():
    made = planted({"a": [[1.0, 2.0, 9.0], [4.0, 4.0, 4.0]], "b": [[8.0, 8.0, 8.0], [1.0] * 3]})
    assert ratio_estimate(made, Row("b", "T_16"), Row("a", "T_16")) == pytest.approx(1.0)
    assert ratio_estimate(made, Row("b", "T_16"), Row("a", "T_16"), "steps") == pytest.approx(1.0)


def test_unknown_seconds_are_unknown_and_no_failure():
    untimed = {("p0", "b"): {"seconds_per_step": None}}
    made = planted({"a": [[1.0]], "b": [[2.0]]}, given=untimed)
    assert ratio_estimate(made, Row("b", "T_16"), Row("a", "T_16"), "seconds") is None
    assert leader_by(made, Row("a", "T_16"), "seconds") == Row("a", "T_16")


def test_a_row_that_cannot_run_everywhere_leads_nowhere():
    made = planted({"a": [[4.0], [4.0]], "b": [[1.0], None], "c": [[2.0], [2.0]]})
    names = [row.optimizer for row in standing_rows(made, Row("a", "T_16"))]
    assert names == ["c", "a"]


def test_one_problem_has_its_break_even_price_in_closed_form():
    """10 gradients and 20 products cost 100 gradients at (100 - 10) / 20 each."""
    found = break_even_price(second_order([[10.0]], [[20.0]], [[100.0]]), SECOND, declared=PRICE)
    assert found.price == pytest.approx(4.5) and found.reference == FIRST
    assert (found.why, found.declared, found.used, found.total) == ("", 1.5, 1, 1)


def test_two_problems_solve_a_quadratic_equation():
    """(10 + 20 h) (30 + 5 h) = 100 x 90."""
    made = second_order([[10.0], [30.0]], [[20.0], [5.0]], [[100.0], [90.0]])
    (expected,) = [r for r in np.roots([100, 650, 300 - 9000]) if r > 0]
    assert break_even_price(made, SECOND, declared=PRICE).price == pytest.approx(expected)


def test_priced_at_the_break_even_the_ratio_is_one():
    rng = np.random.default_rng(0)
    gradients, products = rng.integers(5, 50, (2, 6, 5))
    others = rng.integers(100, 900, (6, 5)).astype(float)
    price = break_even_price(
        second_order(gradients, products, others), SECOND, declared=PRICE
    ).price
    assert price is not None
    again = second_order(gradients, products, others, price=price)
    assert ratio_estimate(again, SECOND, FIRST) == pytest.approx(1.0)


def test_other_declared_prices_change_nothing_but_the_costs():
    made = second_order([[10.0]], [[20.0]], [[100.0]], price=3.0)
    assert break_even_price(made, SECOND, declared=3.0).price == pytest.approx(4.5)
    assert break_even_price(made, SECOND, declared=1.5).price != pytest.approx(4.5)


@pytest.mark.parametrize(
    ("gradients", "products", "others", "why"),
    [
        (10.0, 0.0, 100.0, "it calls none"),
        (200.0, 5.0, 100.0, "it loses at any price"),
        (10.0, 1e-12, 100.0, "it wins at any price"),
        (np.nan, np.nan, 100.0, "both reach no target"),
    ],
)
def test_why_there_is_no_price(gradients, products, others, why):
    found = break_even_price(
        second_order([[gradients]], [[products]], [[others]]), SECOND, FIRST, declared=PRICE
    )
    assert found.price is None and found.why == why


def test_a_failing_seed_or_problem_is_left_out_and_counted():
    made = second_order(
        [[10.0, 10.0, np.nan], [np.nan] * 3], [[20.0, 20.0, np.nan], [np.nan] * 3],
        [[100.0] * 3, [50.0] * 3],
    )  # fmt: skip
    found = break_even_price(made, SECOND, declared=PRICE)
    assert found.price == pytest.approx(4.5) and (found.used, found.total) == (1, 2)


def test_the_reference_must_be_of_first_order():
    made = second_order([[10.0]], [[20.0]], [[100.0]])
    assert calls(made, SECOND) and not calls(made, FIRST) and best_first_order(made) == FIRST
    with pytest.raises(OptbenchError, match="newton_cg calls Hessian-vector products itself"):
        break_even_price(made, FIRST, SECOND, declared=PRICE)
