"""Every lint finds its planted defect, says what to do, and is silent on a clean comparison."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from planted_comparisons import BUDGET, noisy, planted

from optbench import schedule
from optbench.comparison import Row, compare_rows
from optbench.profiles import profile_score
from optbench.study import Study, run_study
from optbench.verdict import lints
from optbench.verdict.leave_one_out import (
    leader_without_a_problem,
    reversal_without_a_solver,
    score_reversal,
)

REFERENCE = Row("gradient_descent", "T_16")
STUDY = {"target": 1e-6, "budget": BUDGET, "seeds": 5}
GRID = {"learning_rate": {"low": 0.01, "high": 1.0, "num": 3}}


def clean_costs(problems=8) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    gaps = {"gradient_descent": 1.0, "momentum": 0.3, "adam": 0.6}
    return {name: noisy(rng, problems, gap=gap, spread=0.05) for name, gap in gaps.items()}


@pytest.fixture(scope="module")
def clean():
    return planted(clean_costs())


def names(found) -> list[str]:
    return [lint.name for lint in found]


def test_a_clean_comparison_raises_nothing(clean):
    assert lints.raise_lints(clean, REFERENCE) == ()


def raised(made, check, study=STUDY) -> lints.Lint:
    """The one lint that a check raises; every other check may be silent."""
    made = dataclasses.replace(made, study=study)
    (found,) = check(made, REFERENCE)
    assert found in lints.raise_lints(made, REFERENCE)
    assert found.message and found.hint and str(found).startswith(f"{found.name}: ")
    return found


def silent(check, made, reference=REFERENCE) -> bool:
    """Whether a check finds nothing wrong."""
    return not list(check(dataclasses.replace(made, study=made.study or STUDY), reference))


def test_every_check_is_tested():
    tested = {name for name in globals() if name.startswith("test_")}
    assert {f"test_{check.__name__}" for check in lints.CHECKS} <= tested


@pytest.mark.parametrize("status", ["unfinished", "failed"])
def test_partial_grid(status):
    made = planted(clean_costs(), statuses={("p1", "adam"): status})
    found = raised(made, lints.partial_grid)
    assert found.message == f"1 pair (adam on p1) {status}"


def test_a_search_that_could_not_go_on_is_told_and_tried_again(monkeypatch, tmp_path):
    study = Study(
        name="edge",
        problems=("quadratic[dim=3]", "beale"),
        optimizers=("gradient_descent",),
        seeds=2,
        trials=2,  # each of two trials lies on an edge
        budget=20.0,
    )
    compiled = schedule._compiled

    def broken(batch):
        """No program for what extends a search on one of the two problems."""
        out = batch.extends and batch.problem == "beale"
        return (RuntimeError("out of memory"), 0.0) if out else compiled(batch)

    monkeypatch.setattr(schedule, "_compiled", broken)
    cut = compare_rows(run_study(study, tmp_path))
    row = Row("gradient_descent", "T_2+edge")
    assert cut.applicable([row]) == ["quadratic[dim=3]"]  # not the search as if it had no edge
    (lint,) = lints.partial_grid(cut, row)
    assert lint.message == "1 search (gradient_descent on beale) beyond an edge failed"
    monkeypatch.undo()
    whole = compare_rows(run_study(study, tmp_path))
    assert whole.applicable([row]) == list(study.problems)
    assert silent(lints.partial_grid, whole, row)


def test_what_cannot_run_is_no_hole():
    made = planted(clean_costs(), statuses={("p1", "adam"): "not applicable"})
    assert silent(lints.partial_grid, made)


def test_oracle_headline():
    found = raised(planted(clean_costs(), tracks={"adam": "O"}), lints.oracle_headline)
    assert "1 row (adam)" in found.message and "[learning_rate]" in found.hint


def test_unequal_trials():
    more = {(f"p{p}", "adam"): {"trial_costs": np.ones(32)} for p in range(8)}
    found = raised(planted(clean_costs(), given=more), lints.unequal_trials)
    assert found.message == "gradient_descent tried 16 settings, adam 32"


def test_what_tunes_itself_tries_nothing():
    alone = {(f"p{p}", "adam"): {"trial_costs": np.ones(1)} for p in range(8)}
    made = planted(clean_costs(), given=alone, tracks={"adam": "S"})
    assert silent(lints.unequal_trials, made)


def test_other_horizon(clean):
    assert raised(clean, lints.other_horizon, STUDY | {"target": 1e-4}).name == "tuned horizon"
    found = raised(clean, lints.other_horizon, STUDY | {"budget": 100.0})
    assert found.message == "tuned over 100 gradients, and shown over 10000"
    grid = planted(clean_costs(), tracks=dict.fromkeys(clean_costs(), "O"))
    grid = dataclasses.replace(grid, study=STUDY | {"target": 1e-4})
    assert silent(lints.other_horizon, grid)


def test_few_seeds():
    one = {name: costs[:, :1] for name, costs in clean_costs().items()}
    assert raised(planted(one), lints.few_seeds).name == "single seed"


def test_repeated_runs():
    same = {("p2", "adam"): {"repeated": 5}}
    found = raised(planted(clean_costs(), given=same), lints.repeated_runs)
    assert found.message == "on 1 problem (p2) seeds repeat the same run, in tuning as well"


@pytest.mark.parametrize("label", ["adam[learning_rate=0.003]", "cosine_decay(adam[b1=0.5])"])
def test_values_given_by_hand_are_no_tuning_of_its_own(label):
    rows = clean_costs()
    rows[label] = rows.pop("adam")
    found = raised(planted(rows, tracks={label: "S"}), lints.unequal_trials)
    assert found.message == f"1 row ({label}) at values that the label gives, others are tuned"
    alone = planted(rows, tracks=dict.fromkeys(rows, "S"))
    assert silent(lints.unequal_trials, alone)  # nothing is tuned
    rows["lbfgs[memory=5]"] = rows.pop(label)
    made = planted(rows, tracks={"lbfgs[memory=5]": "S"})
    assert silent(lints.unequal_trials, made)


@pytest.mark.parametrize(
    "record", [{"minimum": None, "minimum_kind": None}, {"minimum_kind": "best known"}]
)
def test_unknown_minimum(record):
    found = raised(planted(clean_costs(), records={3: record}), lints.unknown_minimum)
    assert "1 problem (p3)" in found.message
    saddle = planted(clean_costs(), records={3: record | {"merit": "escape"}})
    assert silent(lints.unknown_minimum, saddle)


def test_few_problems():
    costs = clean_costs()
    costs["adam"] = [*costs["adam"][:2], *[None] * 6]
    found = raised(planted(costs), lints.few_problems)
    assert found.message == "fewer than 3 problems behind 1 row (adam)"
    costs["adam"] = [*clean_costs()["adam"][:3], *[None] * 5]
    assert silent(lints.few_problems, planted(costs))


def test_best_on_edge():
    edge = {(f"p{p}", "adam"): {"on_edge": True} for p in (1, 4)}
    found = raised(planted(clean_costs(), given=edge), lints.best_on_edge)
    assert "adam on 2" in found.message and "T_k+edge" in found.hint


@pytest.mark.parametrize(("rate", "expected"), [(0.01, 1), (1.0, 1), (0.1, 0)])
def test_the_ends_of_a_grid_are_edges(rate, expected):
    at = {("p2", "adam"): {"setting": {"learning_rate": rate}}}
    made = planted(clean_costs(), given=at)
    made = dataclasses.replace(made, study=STUDY | GRID)
    assert len(list(lints.best_on_edge(made, REFERENCE))) == expected


def test_hidden_failures():
    costs = clean_costs()
    costs["adam"][3:] = np.nan
    found = raised(planted(costs), lints.hidden_failures)
    assert (
        found.name == "successes only"
        and "over the 3 of 8 problems that both reach" in found.message
    )
    assert "(they reach 3 and 8 of 8 problems)" in found.message
    slower = clean_costs()
    slower["adam"] *= 5
    slower["adam"][3:] = np.nan  # failures do not change which side it is on
    assert silent(lints.hidden_failures, planted(slower))


def test_beaten_by_special_case():
    costs = clean_costs()
    costs["momentum"] = 1.5 * costs["gradient_descent"]
    found = raised(planted(costs), lints.beaten_by_special_case)
    assert found.message.startswith("momentum takes 1.5x [")
    assert found.message.endswith("the gradients of its own special case gradient_descent")


@pytest.mark.parametrize(
    ("general", "special"),
    [
        ("adam", "adam[b1=0.0]"),
        ("adam", "rmsprop"),
        ("clip_by_global_norm(adam)", "adam"),
    ],
)
def test_special_cases_are_known_by_their_labels(general, special):
    base = clean_costs()["gradient_descent"]
    rows = {"gradient_descent": base, general: 0.9 * base, special: 0.3 * base}
    assert raised(planted(rows), lints.beaten_by_special_case).name == "under-tuned"
    rows[general], rows[special] = rows[special], rows[general]
    assert silent(lints.beaten_by_special_case, planted(rows))


def test_a_wrapper_of_another_optimizer_is_no_special_case():
    base = clean_costs()["gradient_descent"]
    rows = {"sam(momentum)": 2 * base, "sam(adam)": base}
    reference = Row("sam(momentum)", "T_16")
    assert silent(lints.beaten_by_special_case, planted(rows), reference)


# Leaving one out

TRAP = np.array([[1.0, 8.0, 4.0], [1.0, 8.0, 3.0], [1.0, 2.0, 4.0]])


def test_the_trap_of_gould_and_scott_is_a_reversal():
    """A = [1, 1, 1], B = [8, 8, 2], C = [4, 3, 4]: B leads C, and trails it without A."""
    assert profile_score(TRAP)[1:] == pytest.approx([2 / 9, 1 / 9])
    assert score_reversal(TRAP) == (1, 2, 0)
    assert score_reversal(TRAP[:, :2]) is None


def test_unstable_ranking():
    costs = {
        "gradient_descent": np.repeat(TRAP[:, :1], 5, axis=1),
        "b": np.repeat(TRAP[:, 1:2], 5, axis=1),
        "c": np.repeat(TRAP[:, 2:], 5, axis=1),
    }
    found = raised(planted(costs), lints.unstable_ranking)
    assert found.message == "by profile score b leads c, and trails it without gradient_descent"


def test_a_lead_that_one_problem_makes_is_found():
    costs = {"gradient_descent": np.full((8, 2), 100.0), "a": np.full((8, 2), 50.0)}
    costs["a"][0] = 0.1
    costs["b"] = np.full((8, 2), 40.0)
    made = planted(costs)
    assert leader_without_a_problem(made, REFERENCE) == ("a", "b", "p0")
    (found,) = lints.unstable_ranking(made, REFERENCE)
    assert found.message == "a leads, but b does without p0"
    costs["b"][:] = 90.0
    assert leader_without_a_problem(planted(costs), REFERENCE) is None


def test_two_solvers_or_one_problem_leave_nothing_to_leave_out(clean):
    two = dataclasses.replace(clean, rows=clean.rows[:2])
    assert reversal_without_a_solver(two, REFERENCE) is None
    single = planted({name: costs[:1] for name, costs in clean_costs().items()})
    assert leader_without_a_problem(single, REFERENCE) is None
