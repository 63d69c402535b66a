"""The numbers behind figures over problems: golden text of comparisons made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from planted_comparisons import BUDGET, planted

from optbench import exhibits
from optbench.errors import OptbenchError
from optbench.profiles import simulated_restarts
from optbench.tracks import Row
from optbench.trajectory import Status

NAN = np.nan
COSTS = {  # optimizer -> cost of one seed on p0 to p3
    "a": [[10.0], [10.0], [10.0], [NAN]],
    "b": [[80.0], [80.0], [20.0], [NAN]],
    "c": [[40.0], [30.0], [40.0], [50.0]],
}
HOLES = {
    "a": [[10.0], [20.0]],
    "b": [[40.0], None],
    "c": [[5.0], [NAN]],
    "d": [[5.0], [5.0]],
}
CRASHED = {("p1", "d"): "failed", ("p0", "d"): "unfinished"}


def shown(curves: exhibits.Curves) -> str:
    """The curves as text: a line per place where one of them changes."""
    names = " ".join(row.optimizer for row in curves.field.rows)
    lines = [f"x {names}"]
    for x, shares in zip(curves.x, curves.shares, strict=True):
        lines.append(f"{x:g} " + " ".join(f"{share:g}" for share in shares))
    return "\n".join(lines)


def profile(comparison, problems=(), optimizers=()) -> str:
    field = exhibits.field_of(comparison, problems, optimizers)
    return shown(exhibits.profile_data(comparison, field))


# Performance profiles


def test_a_profile_is_the_share_of_problems_within_each_ratio_of_the_best():
    assert profile(planted(COSTS)) == (
        "x a b c\n1 0.75 0 0.25\n2 0.75 0.25 0.25\n3 0.75 0.25 0.5\n4 0.75 0.25 1\n8 0.75 0.75 1"
    )


def test_a_profile_is_computed_anew_for_the_optimizers_shown():
    whole = "x b c\n1 0 0.25\n2 0.25 0.25\n3 0.25 0.5\n4 0.25 1\n8 0.75 1"  # cut from all three
    anew = profile(planted(COSTS), optimizers=["c", "b"])
    assert anew == "x b c\n1 0.25 0.75\n2 0.5 1\n2.66667 0.75 1"
    assert anew != whole


def test_a_profile_of_some_problems_counts_no_other():
    assert profile(planted(COSTS), problems=["p3", "p2"], optimizers=["a", "b"]) == (
        "x a b\n1 0.5 0\n2 0.5 0.5"
    )


def test_where_nobody_solves_anything_all_shares_are_zero():
    assert profile(planted({"a": [[NAN]], "b": [[NAN]]})) == "x a b\n1 0 0"


# Which rows are compared on what


def test_the_reference_decides_the_problems_and_who_lacks_one_is_left_out():
    comparison = planted(HOLES, statuses=CRASHED)
    field = exhibits.field_of(comparison)
    assert [str(row) for row in field.rows] == ["a @T_16", "c @T_16"]
    assert field.problems == ("p0", "p1") and field.dropped == ()
    assert field.left_out == {"b": 1, "d": 1}  # not applicable, and unfinished
    of_b = exhibits.field_of(comparison, reference="b")
    assert of_b.problems == ("p0",) and of_b.dropped == ("p1",)
    assert [row.optimizer for row in of_b.rows] == ["a", "b", "c"]


def test_named_optimizers_are_compared_on_what_all_of_them_ran_on():
    comparison = planted(HOLES)
    field = exhibits.field_of(comparison, optimizers=["b", "a"])
    assert [row.optimizer for row in field.rows] == ["a", "b"]
    assert field.problems == ("p0",) and field.dropped == ("p1",) and field.left_out == {}
    with pytest.raises(OptbenchError, match="no problem on which all of a, b ran"):
        exhibits.field_of(comparison, ["p1"], ["a", "b"])


def test_a_crash_is_a_run_that_solves_nothing():
    comparison = planted(HOLES, statuses={("p1", "d"): "failed"})
    assert profile(comparison, optimizers=["a", "d"]) == "x a d\n1 0.5 0.5\n2 1 0.5"


def test_unknown_labels_are_refused_with_near_ones():
    comparison = planted({"adam": [[1.0]], "momentum": [[1.0]]})
    with pytest.raises(OptbenchError, match="no optimizer named 'adan'") as refused:
        exhibits.select(comparison, optimizers=["adan"])
    assert refused.value.hint == "did you mean 'adam'? the study has adam, momentum"
    with pytest.raises(OptbenchError, match="no problem named 'p7'"):
        exhibits.field_of(comparison, ["p7"])
    failed = {("p0", "b"): "failed"}
    nowhere = planted({"a": [[1.0]], "b": [[1.0]]}, statuses=failed, rows=(Row("a", "T_16"),))
    with pytest.raises(OptbenchError, match="b has finished on no problem"):
        exhibits.field_of(nowhere, optimizers=["a", "b"])
    assert exhibits.field_of(nowhere).left_out == {"b": 0}


# Data and pairwise profiles, runtimes


def test_a_data_profile_is_the_share_of_problems_within_each_budget():
    comparison = planted(COSTS)
    field = exhibits.field_of(comparison, optimizers=["b", "c"])
    assert shown(exhibits.data_profile_data(comparison, field)) == (
        "x b c\n20 0.25 0\n30 0.25 0.25\n40 0.25 0.75\n50 0.25 1\n80 0.75 1"
    )


def test_a_pairwise_profile_depends_on_no_third_row():
    comparison = planted(COSTS)
    fields = [exhibits.field_of(comparison), exhibits.field_of(comparison, optimizers=["b", "c"])]
    both = [exhibits.pairwise_profile_data(comparison, field, "b") for field in fields]
    np.testing.assert_array_equal(both[0].shares[:, 2], both[1].shares[:, 1])
    at = dict(zip(both[1].x, both[1].shares[:, 1], strict=True))
    assert [at[ratio] for ratio in (0.25, 0.5, 1.0, 2.0)] == [0.25, 0.75, 0.75, 1.0]  # p3: b fails
    with pytest.raises(OptbenchError, match="the reference a is not among"):
        exhibits.pairwise_profile_data(comparison, fields[1], "a")


def two_targets(costs, spent) -> dict:
    """The outcome of runs [S] to two targets."""
    status = np.full(len(costs), Status.BUDGET, object)
    return {
        "targets": np.array([1e-1, 1e-6]),
        "hit_costs": np.array(costs, float),
        "spent": np.array(spent, float),
        "status": status,
    }


def test_runtimes_are_of_every_problem_target_and_restarted_run():
    given = {("p0", "a"): two_targets([[2.0, NAN], [2.0, 8.0]], [100.0, 8.0])}
    comparison = planted({"a": [[1.0, 1.0], [NAN, NAN]], "b": [[4.0, 4.0]] * 2}, given=given)
    field = exhibits.field_of(comparison)
    found = exhibits.ecdf_data(comparison, field, draws=4000)
    a, b = found.shares.T
    assert b[-1] == 1.0 and a[-1] == pytest.approx(2 / 3)  # two targets on p0, none of p1
    assert a[np.searchsorted(found.x, 8.0) - 1] == pytest.approx(1 / 3)
    # Half of the runs to the second target succeed at once, a quarter after one restart at 100.
    at = [a[np.searchsorted(found.x, budget)] for budget in (9.0, 109.0, 210.0)]
    assert at == pytest.approx(np.array([1.5, 1.75, 1.875]) / 3, abs=0.01)
    rng = np.random.default_rng(5)
    runtimes = simulated_restarts(np.array([NAN, 8.0]), np.array([100.0, 8.0]), rng=rng, draws=4000)
    assert at[1] == pytest.approx((1 + np.mean(runtimes <= 109.0)) / 3, abs=0.01)


def test_the_runtimes_of_a_row_depend_on_no_other():
    rng = np.random.default_rng(0)
    costs = {name: rng.uniform(5, 9, (3, 4)) for name in "ab"}
    costs["a"][:, 0] = costs["b"][:, 1] = NAN
    comparison = planted(costs)
    whole = exhibits.ecdf_data(comparison, exhibits.field_of(comparison))
    alone = exhibits.ecdf_data(comparison, exhibits.field_of(comparison, optimizers=["a"]))
    at = np.interp(np.log(alone.x), np.log(whole.x), whole.shares[:, 0])
    assert np.abs(at - alone.shares[:, 0]).max() <= 0.1 and at[-1] == alone.shares[-1, 0] == 1.0
    again = exhibits.ecdf_data(comparison, exhibits.field_of(comparison))
    np.testing.assert_array_equal(whole.shares, again.shares)


# Heatmaps and endings


def cells(heatmap: exhibits.Heatmap) -> str:
    """The map as text, a line per problem."""
    lines = [" ".join(heatmap.optimizers)]
    for problem, ratios, states in zip(
        heatmap.problems, heatmap.log_ratios, heatmap.states, strict=True
    ):
        texts = (s if s != "reached" else f"{r:g}" for r, s in zip(ratios, states, strict=True))
        lines.append(f"{problem}: " + ", ".join(texts))
    return "\n".join(lines)


def test_a_heatmap_tells_what_failed_from_what_costs_nothing_more():
    comparison = planted(HOLES, statuses=CRASHED)
    found = exhibits.heatmap_data(comparison)
    assert cells(found) == (
        "a b c d\np0: 1, 3, 0, not run\np1: 0, not applicable, not reached, crashed"
    )
    failed = found.states != "reached"
    assert np.isnan(found.log_ratios[failed]).all()  # never 0, which is the color of the best
    assert np.isinf(found.costs[1, 2]) and np.isnan(found.costs[1, 1])


def test_a_heatmap_is_over_the_best_of_those_shown_or_over_a_reference():
    comparison = planted(COSTS)
    part = exhibits.heatmap_data(comparison, ["p0", "p3"], ["b", "c"])
    assert cells(part) == "b c\np0: 1, 0\np3: not reached, 0"
    against = exhibits.heatmap_data(comparison, ["p0", "p3"], ["b", "c"], reference="b")
    assert against.log_ratios[0].tolist() == [0.0, -1.0]
    assert np.isnan(against.log_ratios[1]).all()  # the reference does not reach it
    with pytest.raises(OptbenchError, match="no optimizer named 'a'"):
        exhibits.heatmap_data(comparison, [], ["b", "c"], reference="a")


def test_endings_count_runs_by_status_and_a_crash_for_every_seed():
    costs = {"a": [[1.0, 2.0], [NAN, 3.0]], "b": [[NAN, NAN], None], "c": [[1.0, 1.0]] * 2}
    status = np.array([Status.DIVERGED, Status.NON_FINITE], object)
    comparison = planted(
        costs, given={("p0", "b"): {"status": status}}, statuses={("p1", "c"): "failed"}
    )
    found = exhibits.failures_data(comparison)
    rows = [
        {str(kind): int(n) for kind, n in zip(found.kinds, line, strict=True) if n}
        for line in found.counts
    ]
    assert rows == [
        {"reached target": 3, "budget exhausted": 1},
        {"diverged": 1, "non-finite": 1},
        {"reached target": 2, "crashed": 2},
    ]
    assert found.totals.tolist() == [4, 2, 4] and found.reached.tolist() == [3, 0, 2]
    np.testing.assert_allclose(found.shares.sum(1), 1)
    nothing = exhibits.failures_data(comparison, ["p1"], ["b"])
    assert nothing.totals.tolist() == [0] and np.isnan(nothing.shares).all()


def test_a_reading_never_changes_the_comparison():
    comparison = planted(COSTS)
    before = [*comparison.outcomes]
    part = exhibits.select(comparison, ["p1"], ["c"])
    assert list(part.problems) == ["p1"] and len(part.outcomes) == 1
    assert [*comparison.outcomes] == before and part.budget == BUDGET
