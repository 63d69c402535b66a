"""Claims against hand-made rows: each verdict with its ratio computed by hand, defects planted."""

from __future__ import annotations

import numpy as np
import pytest

from optbench.claims import Claim
from optbench.claims.evidence import judge_count, judge_ratio, judge_starts
from optbench.claims.findings import Finding, judge_claim
from optbench.claims.grammar import parse_sentence
from optbench.comparison import Comparison, Outcome
from optbench.records import ProblemRecord
from optbench.tracks import Row

TARGETS = np.array([0.1, 1e-6])
BUDGET = 100.0
RNG = np.random.default_rng(0)
SPREAD = RNG.uniform(0.9, 1.1, (8, 5))  # of starts, the same for all: common random numbers
RECORDS = {
    label: ProblemRecord(
        label=label,
        family="quadratics" if "bowl" in label else "classical",
        dim=2 + i,
        convex="bowl" in label,
        stochastic=label == "bowl7",
        smoothness=10.0**i if "bowl" in label else None,
        strong_convexity=1.0 if "bowl" in label else None,
        saddle=0.0 if label == "saddle" else None,
    )
    for i, label in enumerate([*(f"bowl{i}" for i in range(8)), "valley", "saddle"])
}
COSTS = {"slow": 20.0, "twin": 20.0, "fast": 5.0, "never": np.nan}  # on average, to 1e-6


def outcome(costs: np.ndarray, targets: np.ndarray = TARGETS, status: str = "") -> Outcome:
    """Costs [S] to the hardest target, a tenth of them to the easier; a step is 2 gradients."""
    hits = np.stack([costs / 10, costs], axis=1)[:, -len(targets) :]
    return Outcome(
        index=0,
        setting={},
        on_edge=False,
        targets=targets,
        target=len(targets) - 1,
        hit_costs=hits,
        hit_steps=hits / 2,
        hit_calls={"value_and_gradients": hits, "values": 3 * hits},
        spent=np.full(len(costs), BUDGET),
        spent_steps=np.full(len(costs), BUDGET / 2),
        spent_calls={},
        status=np.array([status or "reached target"] * len(costs)),
        trial_costs=costs[:1],
        seconds_per_step=None,
    )


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Eight bowls, five starts each; a valley without `fast`; a saddle; one start of `sure`."""
    outcomes = {}
    for name, cost in COSTS.items():
        for i in range(8):
            outcomes[f"bowl{i}", Row(name, "S")] = outcome(cost * SPREAD[i])
    outcomes["bowl0", Row("slow", "D")] = outcome(60.0 * SPREAD[0])
    outcomes["valley", Row("slow", "S")] = outcome(20.0 * SPREAD[0])
    outcomes["valley", Row("wild", "S")] = outcome(np.full(5, np.nan), status="diverged")
    outcomes["saddle", Row("slow", "S")] = outcome(np.full(5, 3.0), np.array([-1.0]))
    outcomes["saddle", Row("fast", "S")] = outcome(np.full(5, np.nan), np.array([-1.0]))
    for i in range(1, 5):
        outcomes[f"bowl{i}", Row("none", "S")] = outcome(np.full(5, np.nan))
        outcomes[f"bowl{i}", Row("most", "S")] = outcome(np.full(5, 20.0 if i == 1 else np.nan))
    for i, (rare, frail) in enumerate([(10.0, 20.0), (BUDGET / 2, np.nan)], start=1):
        outcomes[f"bowl{i}", Row("rare", "S")] = outcome(np.full(5, rare))
        outcomes[f"bowl{i}", Row("frail", "S")] = outcome(np.full(5, frail))
    half = np.array([10.0, 10.0, 10.0, np.nan, np.nan])
    outcomes["valley", Row("half", "S")] = outcome(half)
    outcomes["valley", Row("sure", "S")] = outcome(np.array([21.0]))
    rows = tuple(dict.fromkeys(row for _, row in outcomes))
    optimizers = dict.fromkeys(row.optimizer for row in rows)
    ran = {(p, row.optimizer) for p, row in outcomes}
    statuses = {
        (p, o): "finished" if (p, o) in ran else "not applicable"
        for p in RECORDS
        for o in optimizers
    }
    return Comparison(
        target=1e-6,
        budget=BUDGET,
        problems=RECORDS,
        rows=rows,
        outcomes=outcomes,
        statuses=statuses,
    )


@pytest.fixture(scope="module")
def judge(comparison):
    def judged(sentence: str) -> Finding:
        claim = Claim(sentence=parse_sentence(sentence), source="me")
        return judge_claim(claim, comparison, lambda problem, row: np.full(5, row[0] == "fast"))

    return judged


@pytest.mark.parametrize(
    ("sentence", "verdict", "ratio"),
    [
        ("fast beats slow by 4x at 1e-6 on quadratics", "supported", 0.25),
        ("fast beats slow by 8x at 1e-6 on quadratics", "refuted", 0.25),  # the factor doubled
        ("slow beats fast at 1e-6 on quadratics", "refuted", 4.0),
        ("fast beats slow at 0.1 on bowl1 and bowl2", "supported", 0.25),
        ("fast beats slow by 4x in steps at 1e-6 on bowl1", "supported", 0.25),
        ("fast beats slow in evaluations at 1e-6 on quadratics with dim > 4", "supported", 0.25),
        ("slow beats slow @D by 3x at 1e-6 on quadratics", "supported", 1 / 3),
        ("slow beats twin at 1e-6 on quadratics", "undecided", 1.0),  # a null pair
        ("slow beats twin at 1e-6 on bowl1", "undecided", 1.0),
        ("slow is as good as twin within 1.1x at 1e-6 on quadratics", "supported", 1.0),
        ("fast is as good as slow within 3x at 1e-6 on quadratics", "refuted", 0.25),
        ("fast is as good as slow within 5x at 1e-6 on bowl1", "supported", 0.25),
        ("fast beats never by 2x at 1e-6 on quadratics", "supported", 5 / (10 * BUDGET)),
    ],
)
def test_ratios_are_judged_by_their_interval(judge, sentence, verdict, ratio):
    found = judge(sentence)
    assert found.judgment.verdict == verdict, found.judgment.evidence
    spread = np.exp(np.log(np.median(SPREAD, axis=1)).mean()) if "never" in sentence else 1.0
    assert found.judgment.ratio.estimate == pytest.approx(ratio * spread)
    assert f"{found.judgment.ratio.estimate:.2g}x" in found.judgment.evidence


def test_noise_that_hides_the_difference_leaves_a_claim_undecided():
    rng = np.random.default_rng(1)
    a, b = np.exp(rng.normal(0, 1, (2, 8, 5)))
    assert judge_ratio(a, b, (0.0, 1.0)).verdict == "undecided"
    assert judge_ratio(a / 100, b, (0.0, 1.0)).verdict == "supported"
    assert judge_ratio(a * 100, b, (0.0, 1.0)).verdict == "refuted"


def test_one_problem_of_many_does_not_carry_a_claim():
    """The mean over problems says A wins by far; on seven of eight A loses a little."""
    b = np.full((8, 3), 100.0)
    a = 1.1 * b
    a[0] = 1e-3
    found = judge_ratio(a, b, (0.0, 1.0))
    assert found.interval.estimate < 1 and found.verdict == "undecided"


def test_a_single_start_is_decided_as_it_is():
    found = judge_ratio(np.array([[10.0]]), np.array([[30.0]]), (0.0, 1 / 3))
    interval = found.interval
    assert interval.low == interval.high == pytest.approx(1 / 3)
    assert (found.verdict, found.probability) == ("supported", None)
    assert judge_ratio(np.array([[10.1]]), np.array([[30.0]]), (0.0, 1 / 3)).verdict == "refuted"


@pytest.mark.parametrize(
    ("sentence", "verdict", "says"),
    [
        ("slow reaches 1e-6 on quadratics", "supported", "40 of 40 starts do on 8 of 8 problems"),
        ("slow reaches 1e-6 on quadratics within 25 gradients", "supported", "40 of 40"),
        ("slow reaches 1e-6 on quadratics within 15 gradients", "refuted", "0 of 40"),
        ("half reaches 1e-6 on valley", "undecided", "3 of 5"),
        ("half fails to reach 1e-6 on valley", "refuted", "2 of 5"),
        ("never fails to reach 1e-6 on quadratics", "supported", "40 of 40"),
        ("wild diverges on valley", "supported", "5 of 5"),
        ("slow diverges on valley", "refuted", "0 of 5"),
        ("fast ends at a saddle on saddle", "supported", "5 of 5"),
        ("slow ends at a saddle on saddles", "refuted", "0 of 5"),
        ("slow reaches escape on saddles", "supported", "5 of 5"),
        ("sure takes 21 gradients to 1e-6 on valley", "supported", "21 gradients on valley"),
        ("sure takes 20 gradients to 1e-6 on valley", "refuted", "21 gradients"),
        ("sure takes 20 gradients within 5% to 1e-6 on valley", "supported", "1 start"),
        ("sure takes 84 evaluations to 1e-6 on valley", "supported", "84 evaluations"),
        ("never takes 20 steps to 1e-6 on bowl1", "refuted", "never"),
        ("fast beats slow at 1e-6 on convex problems", "supported", "on 8 of 8 problems, P = 1"),
        ("fast beats slow at 1e-6 on bowl1 and valley", "supported", "on 1 of 2 problems"),
        ("slow beats never at 1e-6 on bowl1", "supported", "never fails in 5 of 5 runs"),
    ],
)
def test_what_is_claimed_of_every_start_is_counted(judge, sentence, verdict, says):
    found = judge(sentence)
    assert found.judgment.verdict == verdict, found.judgment.evidence
    assert says in found.judgment.evidence


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("adam beats slow at 1e-6 on quadratics", "adam is not in the study"),
        ("adm beats slow at 1e-6 on bowl1", "no optimizer named 'adm'; did you mean 'adam'"),
        ("clip_by_glob(slow) beats slow at 1e-6 on bowl1", "did you mean 'clip_by_global_norm'"),
        ("fast @D beats slow at 1e-6 on quadratics", "no track 'D'"),
        ("fast beats slow at 1e-7 on bowl1", "0 of 1 problem (bowl1: no target 1e-7)"),
        ("fast beats slow at 1e-6 on networks", "no problem among networks"),
        ("fast beats slow at 1e-6 on quadratics with condition > 1e9", "no problem among"),
        ("fast beats slow at 1e-6 on valley", "0 of 1 problem (valley: fast not applicable)"),
        ("never beats never at 1e-6 on quadratics", "neither gets there"),
        ("fast beats slow in hessian_products at 1e-6 on bowl1", "no hessian_products"),
        ("slow ends at a saddle on valley", "not about a saddle"),
    ],
)
def test_what_a_study_cannot_test_is_undecided_with_the_reason(judge, sentence, why):
    found = judge(sentence)
    assert found.judgment.verdict == "undecided"
    assert found.judgment.evidence.startswith("not tested") and why in found.judgment.evidence


def test_a_problem_that_does_not_exist_is_no_problem_that_the_study_lacks(comparison):
    def judged(problems: str) -> Finding:
        claim = Claim(sentence=parse_sentence(f"slow beats fast at 1e-6 on {problems}"), source="")
        no_saddle = lambda problem, row: np.zeros(5, bool)  # noqa: E731
        return judge_claim(claim, comparison, no_saddle, problem_catalog="problems")

    for name in ("rosenbrok", "noisy(rosenbrok)[scale=0.1]", "bowl1 and rosenbrok"):
        evidence = judged(name).judgment.evidence
        assert "no problem or family named 'rosenbrok'; did you mean 'rosenbrock'" in evidence
    assert "did you mean 'networks'" in judged("network").judgment.evidence
    for name in ("rosenbrock[dim=4]", "networks", "noisy(beale)", "mine.py:bowl"):
        assert judged(name).judgment.evidence.startswith("not tested: the study has no problem")
        found = judged(f"bowl1 and {name}")
        assert found.problems == ("bowl1",) and found.left_out == {name: "not in the study"}
        assert f"on 1 of 2 problems ({name}: not in the study)" in found.judgment.evidence
    assert judged("bowl1 and convex problems").left_out == {}


@pytest.mark.parametrize(
    ("problems", "labels"),
    [
        ("quadratics with condition >= 100 and condition < 1e4", ["bowl2", "bowl3"]),
        ("stochastic convex problems", ["bowl7"]),
        ("deterministic problems with dim >= 9", ["valley", "saddle"]),
        ("saddles and bowl0", ["bowl0", "saddle"]),
        ("nonconvex problems", ["valley", "saddle"]),
        ("all problems with condition >= 1e7", ["bowl7"]),
    ],
)
def test_a_selector_selects(problems, labels):
    from optbench.claims.selection import select

    sentence = parse_sentence(f"a diverges on {problems}")
    assert list(select(sentence.problems, RECORDS)) == labels


def test_what_is_left_out_is_shown(judge):
    found = judge("fast beats slow at 1e-6 on all problems with dim > 8")
    assert found.left_out == {"valley": "fast not applicable", "saddle": "no target 1e-6"}
    assert "(valley: fast not applicable; saddle: no target 1e-6)" in found.judgment.evidence


def test_two_failures_decide_nothing(judge):
    """As equal costs they would refute a win by 3x, which the one problem that tells supports."""
    found = judge("most beats none by 3x at 1e-6 on bowl1 and bowl2 and bowl3 and bowl4")
    assert found.judgment.ratio.estimate > 1 / 3
    assert found.judgment.verdict == "undecided"
    assert judge("most beats none by 3x at 1e-6 on bowl1").judgment.verdict == "supported"


def test_what_a_failure_counts_decides_nothing(judge):
    """`rare` needs half, which ten budgets for the failure of `frail` would make 3x and more."""
    found = judge("rare beats frail by 3x at 1e-6 on bowl1 and bowl2")
    ratio = np.sqrt(0.5 * 0.5 * BUDGET / (10 * BUDGET))
    assert found.judgment.ratio.estimate == pytest.approx(ratio)
    assert found.judgment.verdict == "undecided"
    assert "supported, but refuted with failures at the budget" in found.judgment.evidence
    assert (
        judge("rare beats frail by 2x at 1e-6 on bowl1 and bowl2").judgment.verdict == "supported"
    )


def test_counts_and_truths_of_starts_by_hand():
    counts = np.array([30.0, 31, 32, 33, 34])
    assert judge_count(counts, (29, 35)) == "supported"
    assert judge_count(counts, (32, 32)) == "undecided"
    assert judge_count(counts, (36, 40)) == "refuted"
    assert judge_count(np.array([30.0, np.inf]), (29, 35)) == "undecided"
    yes, no, most = np.array([True] * 3), np.array([False] * 3), np.array([True, True, False])
    assert judge_starts([yes, yes]) == "supported"
    assert judge_starts([yes, most]) == "undecided"
    assert judge_starts([yes, no, most]) == "refuted"
