"""The verdict: wrong in no more null studies than it says, right on planted gaps, and honest."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
from planted_comparisons import BUDGET, noisy, planted

from optbench.comparison import Row
from optbench.errors import OptbenchError
from optbench.records import ProblemRecord
from optbench.report.verdict import MAX_LINES, verdict_text
from optbench.verdict import power, reach_verdict
from optbench.verdict.contrasts import (
    LEVEL,
    SURE,
    contrast_rows,
    decide,
    kind_of,
    num_reached,
    paired_costs,
    weigh,
)

STUDIES = 200
ROWS = 3
DRAWS = 400


def evidence_of(rows, reference, rng):
    """What rows [M, P, S] say against a reference [P, S], NaN where never."""
    return [weigh(row, reference, BUDGET, rng=rng, draws=DRAWS) for row in rows]


def null_study(rng, rows):
    """Rows and a reference whose seeds are drawn alike."""
    return [noisy(rng, spread=0.6, failing=0.1) for _ in range(rows)], noisy(
        rng, spread=0.6, failing=0.1
    )


@pytest.fixture(scope="module")
def null_evidence():
    """Evidence in 200 studies of one optimizer against three copies of itself."""
    rng = np.random.default_rng(0)
    return [evidence_of(*null_study(rng, ROWS), rng) for _ in range(STUDIES)]


@pytest.fixture(scope="module")
def gaps():
    """Costs of 200 studies of an optimizer that needs half of what the reference does."""
    rng = np.random.default_rng(1)
    return [(noisy(rng, gap=0.5), noisy(rng)) for _ in range(STUDIES)]


def share(wrong) -> float:
    return sum(map(bool, wrong)) / STUDIES


# What the issue of wrong verdicts asks for


def test_an_optimizer_against_itself_is_decided_in_at_most_one_study_of_twenty(null_evidence):
    wrong = [
        any(decision in ("better", "worse") for _, decision in decide(study))
        for study in null_evidence
    ]
    alone = [decide(study[:1])[0][1] in ("better", "worse") for study in null_evidence]
    assert share(wrong) <= 0.05 and share(alone) <= 0.05


@pytest.mark.parametrize("defect", ["the posterior alone", "no adjustment for many tests"])
def test_a_verdict_that_leaves_out_a_guard_is_wrong_more_often(null_evidence, defect):
    def is_wrong(one) -> bool:
        sure = max(one.posterior.a_better, one.posterior.b_better) >= SURE
        return sure if defect == "the posterior alone" else one.p_value <= LEVEL

    assert share(any(map(is_wrong, study)) for study in null_evidence) > 0.05


def test_half_the_cost_on_twenty_problems_is_decided(gaps):
    rng = np.random.default_rng(2)
    found = [decide(evidence_of([row], reference, rng))[0][1] for row, reference in gaps]
    assert share(decision == "better" for decision in found) >= 0.95


def test_without_pairing_the_same_gap_drowns_in_the_scales_of_the_problems(gaps):
    found = [
        scipy.stats.mannwhitneyu(np.median(row, axis=1), np.median(reference, axis=1)).pvalue
        for row, reference in gaps
    ]
    assert share(p <= LEVEL for p in found) < 0.95


# The evidence


def test_evidence_on_few_problems_is_the_ratio_and_no_test():
    costs = np.array([[2.0, 4.0, 3.0], [10.0, 10.0, np.inf]])
    reference = np.array([[6.0, 6.0, 6.0], [20.0, np.inf, np.inf]])
    found = weigh(costs, reference, 100.0, rng=np.random.default_rng(0), draws=200)
    assert found.ratio.estimate == pytest.approx(math.sqrt(3 / 6 * 10 / 1000))
    assert (found.over, found.reached, found.reference_reached, found.total) == ("runs", 2, 1, 2)
    assert found.posterior is None and found.p_value is None
    assert decide([found]) == [(None, "too few problems")]
    assert num_reached(np.array([[1.0, np.inf]])) == 0  # half of the seeds are not most


def test_the_tests_see_the_same_ratios_as_scipy():
    rng = np.random.default_rng(3)
    row, reference = noisy(rng, 8, gap=0.7), noisy(rng, 8)
    found = weigh(row, reference, BUDGET, rng=rng, draws=4000)
    z = np.log2(np.median(row, axis=1) / np.median(reference, axis=1))
    assert found.p_value == pytest.approx(scipy.stats.wilcoxon(z, method="exact")[1])
    assert found.ratio.estimate == pytest.approx(2 ** z.mean())
    assert found.posterior is not None and found.over == "problems"


def test_the_same_costs_are_as_good():
    rng = np.random.default_rng(4)
    costs = noisy(rng, 12)
    found = weigh(costs, costs, BUDGET, rng=rng, draws=1000)
    assert decide([found]) == [(1.0, "as good")]


@pytest.mark.parametrize("wins", ["a", "b"])
def test_a_ratio_on_the_other_side_leaves_it_undecided(wins):
    """Cheaper by a fifth on 18 problems, and 900 times as dear on 2: ranks alone call it better."""
    costs = np.repeat(10.0 ** np.linspace(1, 3, 20)[:, None], 5, axis=1)
    other = np.concatenate([900 * costs[:2], 0.8 * costs[2:]])
    rows = {"a": costs, "b": other} if wins == "b" else {"a": other, "b": costs}
    verdict = reach_verdict(planted(rows), reference="a", draws=1000)
    (sentence,) = verdict.sentences
    found = sentence.contrast.evidence
    assert found.posterior is not None and (sentence.contrast.adjusted or 1) < LEVEL
    assert max(found.posterior.a_better, found.posterior.b_better) >= SURE
    assert verdict.decision("b") == "undecided"
    expected = "losses outweigh wins" if wins == "b" else "wins outweigh losses"
    assert sentence.belief.endswith(f", but {expected}")


@pytest.mark.parametrize(
    ("reached", "expected"), [(0, "undecided"), (5, "undecided"), (6, "as good")]
)
def test_where_neither_gets_there_nobody_is_as_good(reached, expected):
    costs = np.full((20, 5), np.nan)
    costs[:reached] = 10.0
    verdict = reach_verdict(planted({"a": costs, "b": costs}), draws=1000)
    assert verdict.decision("b") == expected
    doubt = f"undecided, P(equal) > 0.99, but neither reaches {20 - reached}"
    assert (verdict.sentences[0].belief == doubt) == (expected == "undecided")


def test_kinds_of_problems():
    assert kind_of(ProblemRecord(label="a", convex=True, smoothness=1.0)) == "smooth convex"
    assert kind_of(ProblemRecord(label="a", convex=True)) == "convex"
    assert kind_of(ProblemRecord(label="a", convex=False)) == "nonconvex"
    assert kind_of(ProblemRecord(label="a")) == "other"
    assert kind_of(ProblemRecord(label="a", convex=True, stochastic=True)) == "stochastic"
    assert kind_of(ProblemRecord(label="a", merit="escape", stochastic=True)) == "saddle"


def test_a_crash_counts_as_a_failure_and_a_hole_does_not():
    costs = np.full((8, 3), 10.0)
    made = planted(
        {"a": costs, "b": 2 * costs},
        statuses={("p0", "b"): "failed", ("p1", "b"): "unfinished"},
    )
    (found,) = contrast_rows(made, [(Row("b", "T_16"), Row("a", "T_16"))], draws=100)
    assert found.problems == ("p0", "p2", "p3", "p4", "p5", "p6", "p7")
    assert (found.evidence.reached, found.evidence.total) == (6, 7)
    costs_b, _, budgets = paired_costs(made, Row("b", "T_16"), Row("a", "T_16"), ["p0", "p2"])
    assert np.isinf(costs_b[0]).all() and (costs_b[1] == 20).all() and (budgets == BUDGET).all()


@pytest.mark.parametrize(
    ("steps", "expected"), [(BUDGET / 4, BUDGET / 2), (3 * BUDGET, 3 * BUDGET)]
)
def test_a_budget_in_steps_is_what_the_budget_buys_and_no_less_than_a_failure_took(steps, expected):
    made = planted(
        {"a": [[10.0]], "b": [[np.nan]]},
        given={
            ("p0", "a"): {"hit_steps": np.array([[5.0]]), "spent_steps": np.array([5.0])},
            ("p0", "b"): {"spent_steps": np.array([steps])},
        },
    )
    _, _, budgets = paired_costs(made, Row("b", "T_16"), Row("a", "T_16"), ["p0"], "steps")
    assert budgets == pytest.approx([expected])


# The verdict


@pytest.fixture(scope="module")
def mixed():
    """Four optimizers on 12 problems: 8 convex, 3 nonconvex that nobody solves twice, a saddle."""
    rng = np.random.default_rng(5)
    base = noisy(rng, 12, spread=0.1)
    base[8] = np.nan
    costs: dict[str, Any] = {
        "gradient_descent": base,
        "momentum": 0.3 * noisy(rng, 12, spread=0.1),
        "adam": 0.9 * noisy(rng, 12, spread=1.0),
        "lion": 5 * noisy(rng, 12, spread=0.1),
        "natural_gradient": [*(0.4 * base[:2]), *[None] * 10],
    }
    for name in ("momentum", "adam", "lion"):
        costs[name][8] = np.nan
    records = {p: {"convex": False, "smoothness": None} for p in range(8, 11)}
    records[11] = {"merit": "escape", "minimum": None, "minimum_kind": None}
    return planted(costs, records=records)


@pytest.fixture(scope="module")
def verdict(mixed):
    return reach_verdict(mixed, draws=1000)


def test_the_verdict_decides_what_is_planted(verdict):
    assert verdict.leader == Row("momentum", "T_16")
    assert verdict.decision("momentum") == "better" and verdict.decision("lion") == "worse"
    assert verdict.decision("adam") == "undecided"
    assert verdict.decision("natural_gradient") == "too few problems"
    assert verdict.reached_by_none == ("p8",) and verdict.is_complete
    assert verdict.not_applicable == {"natural_gradient": 10}
    assert verdict.missed == {"budget exhausted": 20} and verdict.runs == 250
    with pytest.raises(OptbenchError, match="nothing is said of sgd"):
        verdict.decision("sgd")


def test_a_sentence_has_its_interval_its_problems_and_its_probability(verdict):
    said = {
        (s.contrast.row.optimizer, s.contrast.reference.optimizer): s for s in verdict.sentences
    }
    sentence = said["momentum", "gradient_descent"]
    found = sentence.contrast.evidence.ratio
    assert sentence.text == (
        f"momentum reaches 1e-6 in {found.estimate:.2g}x [{found.low:.2g}, {found.high:.2g}] "
        "the gradients of gradient_descent on 11 of 12 problems; P(better) > 0.99"
    )
    few = said["natural_gradient", "gradient_descent"]
    assert few.text.endswith("on 2 of 2 smooth convex problems; too few problems for a test")
    assert "undecided, P(" in said["adam", "gradient_descent"].text


def test_the_leader_comes_first_and_what_is_undecided_last_of_the_tested(verdict):
    rows = [s.contrast.row.optimizer for s in verdict.sentences]
    assert rows[0] == "momentum" and rows[-1] == "adam"


def test_problems_that_nobody_reaches_stay_in_the_denominator(mixed, verdict):
    assert all(s.contrast.evidence.total in (2, 12) for s in verdict.sentences)
    assert "12 problems, 1 reached by none" in verdict_text(verdict, 160)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_text_keeps_to_its_lines_and_columns(verdict, width):
    lines = verdict_text(verdict, width).splitlines()
    assert len(lines) <= MAX_LINES and max(map(len, lines)) <= width
    whole = " ".join(lines)
    assert whole.startswith("Verdict at 1e-6 against gradient_descent:")
    assert "Undecided against gradient_descent: adam" in whole
    assert "20 of 250 runs miss the target" in whole
    assert "P(better) > 0.99" in whole  # no sentence on the leader is cut


def test_many_rows_fit_as_well():
    rng = np.random.default_rng(6)
    costs = {
        f"clip_by_global_norm(optimizer_{n})": noisy(rng, 8, gap=2.0 ** (n / 4)) for n in range(30)
    }
    found = reach_verdict(planted(costs), draws=200)
    for width in (60, 100):
        lines = verdict_text(found, width).splitlines()
        assert len(lines) <= MAX_LINES and max(map(len, lines)) <= width


def test_a_missing_pair_makes_it_incomplete_and_one_that_cannot_run_does_not():
    costs = {"a": np.full((6, 2), 10.0), "b": np.full((6, 2), 30.0)}
    found = reach_verdict(planted(costs, statuses={("p2", "b"): "unfinished"}), draws=200)
    assert not found.is_complete and found.missing == (("p2", "b"),)
    assert "Verdict (incomplete: 1 pair missing)" in verdict_text(found)


def test_a_kind_is_named_where_it_says_more_than_the_whole():
    rng = np.random.default_rng(7)
    one, other = noisy(rng, 24, spread=0.05), noisy(rng, 24, spread=0.05)
    one[:12] *= 0.3
    one[12:] *= 3
    records = {p: {"convex": False, "smoothness": None} for p in range(12, 24)}
    found = reach_verdict(planted({"a": other, "b": one}, records=records), draws=1000)
    kinds = {s.contrast.kind: s.contrast.decision for s in found.sentences}
    assert kinds == {"": "undecided", "smooth convex": "better", "nonconvex": "worse"}
    assert "12 of 12 smooth convex problems" in verdict_text(found)


def test_the_leader_is_another_in_another_unit():
    costs = {"a": np.full((6, 2), 10.0), "b": np.full((6, 2), 20.0)}
    fewer = {(f"p{p}", "b"): {"hit_steps": np.full((2, 1), 4.0)} for p in range(6)}
    found = reach_verdict(planted(costs, given=fewer), draws=200)
    assert (found.leaders["gradients"].optimizer, found.leaders["steps"].optimizer) == ("a", "b")
    assert "Leaders differ by unit: a in gradients" in verdict_text(found)
    assert reach_verdict(planted(costs, given=fewer), unit="steps", draws=200).leader == (
        "b",
        "T_16",
    )


def test_the_reference_is_the_one_of_the_study_and_can_be_asked_for(mixed):
    named = dataclasses.replace(mixed, study={"reference": "adam"})
    assert reach_verdict(named, draws=50).reference.optimizer == "adam"
    assert reach_verdict(named, "lion", draws=50).reference.optimizer == "lion"
    assert reach_verdict(mixed, "lion", draws=50).reference.optimizer == "lion"
    with pytest.raises(OptbenchError, match="no optimizer named 'lionn'"):
        reach_verdict(mixed, "lionn")


def test_one_row_or_none_gives_no_verdict():
    with pytest.raises(OptbenchError, match="one optimizer alone"):
        reach_verdict(planted({"a": np.ones((6, 2))}))
    empty = dataclasses.replace(planted({"a": np.ones((6, 2))}), rows=(), outcomes={})
    with pytest.raises(OptbenchError, match="nothing has finished"):
        reach_verdict(empty)


def test_two_that_both_fail_everywhere_have_no_ratio_to_speak_of():
    failing = np.full((2, 3), np.nan)
    made = planted({"a": failing, "b": failing, "c": [[1.0] * 3, [1.0] * 3]})
    texts = {s.contrast.row.optimizer: s.text for s in reach_verdict(made, draws=100).sentences}
    assert texts["b"] == "b, like a, reaches 1e-6 on 0 of 2 smooth convex problems"
    assert "x [" in texts["c"]


def test_a_problem_that_has_not_run_is_not_one_that_none_reaches():
    unfinished = {("p1", "a"): "unfinished", ("p1", "b"): "unfinished"}
    made = planted({"a": [[1.0], [1.0], [np.nan]], "b": [[2.0]] * 2 + [[np.nan]]},
                   statuses=unfinished)  # fmt: skip
    assert reach_verdict(made, draws=100).reached_by_none == ("p2",)


@pytest.mark.parametrize(("unit", "budget"), [("steps", 0.5), ("samples", 2.0), ("seconds", 1e-3)])
def test_the_budget_of_failures_is_in_the_unit_that_is_asked_for(unit, budget):
    """With no run that reaches the target, what all of them spent tells the rate."""
    half = {("p0", name): {"spent_steps": np.array([BUDGET / 2] * 2), "seconds_per_step": 2e-3,
                           "spent_calls": {"value_and_gradients": np.array([2 * BUDGET] * 2)}}
            for name in "ab"}  # fmt: skip
    made = planted({"a": [[np.nan] * 2], "b": [[np.nan] * 2]}, given=half)
    found = paired_costs(made, Row("a", "T_16"), Row("b", "T_16"), ["p0"], unit)
    np.testing.assert_allclose(found[2], [budget * BUDGET])


def test_a_single_seed_on_one_problem_has_no_interval():
    found = reach_verdict(planted({"a": [[10.0]], "b": [[5.0]]}), draws=50)
    assert found.sentences[0].text.startswith("b reaches 1e-6 in 0.5x the gradients of a on 1 of 1")


def test_fractions_are_written_as_people_write_them():
    texts = [power(value) for value in (1e-6, 1e-10, 0.1, 0.025)]
    assert texts == ["1e-6", "1e-10", "1e-1", "2.5e-2"]
