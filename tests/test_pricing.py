"""Prices of oracle calls as they are measured, and costs at them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from planted_comparisons import planted

from optbench import pricing
from optbench.errors import OptbenchError
from optbench.oracle import Prices
from optbench.plan import Plan
from optbench.pricing import measure_prices
from optbench.study import Study, run_study
from optbench.verdict import reach_verdict
from problems.classification.likelihoods import logistic_breast_cancer
from problems.quadratics import quadratic

SECONDS = {"values": [3.0, 1.0, 2.0], "hessian_products": [8.0, 9.0, 100.0]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three turns whose values and gradients take 4, 5 and 2 seconds; nothing is compiled."""
    kinds = itertools.cycle(["value_and_gradients", *SECONDS])
    told = {"value_and_gradients": [4.0, 5.0, 2.0], **SECONDS}
    left = {kind: iter(seconds) for kind, seconds in told.items()}
    monkeypatch.setattr(pricing, "_timed", lambda problem, dtype, call: next(kinds))
    monkeypatch.setattr(pricing, "per_round", lambda kind: next(left[kind]))
    monkeypatch.setattr(pricing, "TURNS", 3)


def test_a_price_is_the_median_over_turns_of_the_ratio_within_a_turn(clock):
    found = measure_prices(quadratic(), Plan())
    assert found["values"] == np.median([3 / 4, 1 / 5, 2 / 2])
    assert found["hessian_products"] == np.median([8 / 4, 9 / 5, 100 / 2])
    assert found["values"] != np.median(SECONDS["values"]) / np.median([4, 5, 2])  # not of medians
    declared = Prices()._asdict()
    for kind in declared.keys() - {"values", "hessian_products"}:
        assert found[kind] == declared[kind]


def test_where_steps_see_samples_prices_are_shares_of_the_whole(clock):
    found = measure_prices(logistic_breast_cancer(batch_size=128), Plan())
    share = 128 / 569
    assert found["value_and_gradients"] == pytest.approx(share)
    assert found["hessian_products"] == pytest.approx(2 * share)
    assert found["whole_gradients"] == 1 and found["row_gradients"] == pytest.approx(1 / 569)


def test_a_study_keeps_what_it_measured_and_shows_costs_at_it():
    study = Study(
        name="priced",
        problems=("gaussian_likelihood",),
        optimizers=("lbfgs", "newton_cg"),
        seeds=1,
        budget=20.0,
        measured_prices=True,
    )
    (record,) = run_study(study).problems.values()
    assert record.prices is not None and list(record.prices) == list(Prices._fields)
    assert all(record.prices[kind] > 0 for kind in ("values", "hessian_products"))
    assert record.prices["jacobian_products"] == record.prices["fisher_products"] / 2


def test_costs_at_measured_prices_are_the_calls_times_them():
    calls = {"value_and_gradients": np.array([[3.0]]), "hessian_products": np.array([[4.0]])}
    given = {("p0", "a"): {"hit_calls": calls}}
    prices = Prices()._asdict() | {"value_and_gradients": 1.0, "hessian_products": 0.25}
    made = planted({"a": [[9.0]]}, given=given, records={0: {"prices": prices}})
    (row,) = made.rows
    assert made.costs([row], ["p0"], "measured").item() == 3 + 4 * 0.25
    assert made.costs([row], ["p0"]).item() == 9.0
    unpriced = planted({"a": [[9.0]]}, given=given)
    with pytest.raises(OptbenchError, match="no prices were measured on p0"):
        unpriced.costs([row], ["p0"], "measured")


def test_the_leader_at_measured_prices_is_told_only_where_they_were_measured():
    products = {
        ("p0", name): {
            "hit_calls": {
                "value_and_gradients": np.array([[float(first)]]),
                "hessian_products": np.array([[float(more)]]),
            }
        }
        for name, first, more in (("a", 10, 0), ("b", 2, 8))
    }
    cheap = Prices()._asdict() | {"hessian_products": 0.1}
    costs = {"a": [[10.0]], "b": [[14.0]]}
    told = reach_verdict(planted(costs, given=products, records={0: {"prices": cheap}}), draws=50)
    assert told.leaders["gradients"].optimizer == "a"
    assert told.leaders["measured"].optimizer == "b"
    assert "measured" not in reach_verdict(planted(costs, given=products), draws=50).leaders
