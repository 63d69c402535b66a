from __future__ import annotations

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from command_line import optbench

from optbench.checks import conformance, scipy_baselines
from optbench.checks.conformance import TOLERANCE, check_conformance, read_reference
from optbench.checks.torch_pairs import PAIRS, Pair
from optbench.cli.check_tables import baseline_text, conformance_text
from optbench.oracle import Oracle

REFERENCE = read_reference()


# ---- torch, step by step


@pytest.fixture(scope="module")
def table():
    return check_conformance()


@pytest.mark.parametrize("index", range(len(PAIRS)), ids=[pair.reference for pair in PAIRS])
def test_each_pair_is_what_it_says(index: int, table):
    row = table[index]
    assert row.holds, (row.verdict, row.difference, row.remaining)


def test_at_least_ten_optimizers_of_torch_agree(table):
    agreeing = {row.pair.reference.partition("(")[0] for row in table if row.verdict == "agrees"}
    assert len(agreeing) >= 10


def test_all_that_torch_was_seen_to_do_is_compared():
    assert sorted(pair.reference for pair in PAIRS) == sorted(REFERENCE.runs)
    assert REFERENCE.steps[-1] == 200
    assert REFERENCE.versions["torch"].startswith("2.")


def test_the_objective_is_nonconvex_between_the_points():
    with jax.enable_x64(True):
        hessian = jax.hessian(conformance.objective)(
            jnp.asarray(REFERENCE.start), jnp.asarray(REFERENCE.curvatures)
        )
    assert np.linalg.eigvalsh(np.asarray(hessian).reshape(4, 4))[0] < 0


def planted(factory, **arguments):
    """A transformation that stands in for adam, as a catalog would have it."""

    def adam(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
        own = {"learning_rate": learning_rate, "b1": b1, "b2": b2, "eps": eps}
        return factory(**own | {name: change(own) for name, change in arguments.items()})

    return adam


DEFECTS = {
    "eps under the root": planted(
        optax.adam, eps=lambda own: 0.0, eps_root=lambda own: own["eps"] ** 2
    ),
    "another b1": planted(optax.adam, b1=lambda own: own["b1"] + 1e-9),
    "another b2": planted(optax.adam, b2=lambda own: own["b2"] + 1e-8),
    "decay": planted(optax.adamw, weight_decay=lambda own: 1e-8),
    "nesterov": planted(optax.nadam),
    "no bias correction of the maximum": planted(optax.amsgrad, bias_correction_nu=lambda _: False),
}


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("run", ["Adam()", "Adam(lr=0.005, betas=(0.8, 0.9), eps=0.01)"])
def test_a_planted_defect_is_rejected(defect: str, run: str, monkeypatch):
    monkeypatch.setattr(conformance, "known_optimizers", lambda: {"adam": DEFECTS[defect]})
    (pair,) = [pair for pair in PAIRS if pair.reference == run]
    (row,) = check_conformance([pair])
    assert row.difference > TOLERANCE and row.verdict == "differs" and not row.holds


def test_decay_with_the_wrong_sign_is_rejected(monkeypatch):
    def adamw(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.01):
        return optax.adamw(learning_rate, b1, b2, eps, weight_decay=-weight_decay)

    monkeypatch.setattr(conformance, "known_optimizers", lambda: {"adamw": adamw})
    pairs = [pair for pair in PAIRS if pair.reference.startswith("AdamW(")]
    assert len(pairs) == 2 and not any(row.holds for row in check_conformance(pairs))


def test_a_digit_of_the_table_is_missed():
    points = REFERENCE.runs["SGD()"].copy()
    points[-1, 2] *= 1 + 1e-9
    wrong = dataclasses.replace(REFERENCE, runs={"SGD()": points})
    (row,) = check_conformance(PAIRS[:1], wrong)
    assert PAIRS[0].reference == "SGD()" and not row.holds


def test_a_difference_counts_as_documented_only_where_an_argument_undoes_it():
    rough = "rmsprop[learning_rate=0.01,decay=0.99,eps=0.01]"
    undone = rough.replace("]", ",eps_in_sqrt=False]")
    vain = rough.replace("]", ",eps_in_sqrt=True]")
    run = "RMSprop(eps=0.01)"
    documented, unmet, denied, needless = check_conformance(
        [
            Pair(run, rough, "eps", undone),
            Pair(run, rough, "eps", vain),
            Pair(run, rough),
            Pair(run, undone, "eps"),
        ]
    )
    assert (documented.verdict, documented.holds) == ("documented", True)
    assert (unmet.verdict, unmet.holds) == ("differs", False)
    assert (denied.verdict, denied.holds) == ("differs", False)
    assert (needless.verdict, needless.holds) == ("agrees", False)


def test_what_is_not_a_number_does_not_hold():
    pair = Pair("SGD()", "gradient_descent", "it diverges")
    assert not conformance.Conformance(pair, float("nan")).holds


# ---- scipy, by where both end


@pytest.fixture(scope="module")
def baselines():
    return scipy_baselines.check_baselines()


def test_methods_with_curvature_end_where_those_of_scipy_do_at_a_similar_cost(baselines):
    assert [row for row in baselines if not row.holds] == []
    assert {row.reference for row in baselines} == {
        "BFGS",
        "L-BFGS-B",
        "Newton-CG",
        "trust-ncg",
        "trust-exact",
    }
    assert {row.problem for row in baselines} == {"rosenbrock, 2", "rosenbrock, 10", "logistic"}


@pytest.mark.parametrize("name", scipy_baselines.tasks())
def test_both_ways_to_write_a_problem_are_one(name: str):
    problem, value_and_grad, hessian, start = scipy_baselines.tasks()[name]
    at = start + np.linspace(-0.3, 0.4, start.size)
    with jax.enable_x64(True):
        oracle, params = Oracle(problem), jnp.asarray(at)
        seen = oracle.value_and_grad(params)
        columns = jax.vmap(oracle.hessian_product(params))(jnp.eye(at.size))
    value, grad = value_and_grad(at)
    np.testing.assert_allclose(seen.value, value, rtol=1e-13)
    np.testing.assert_allclose(seen.grad, grad, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(columns, hessian(at), rtol=1e-11, atol=1e-12)
    assert np.linalg.eigvalsh(hessian(scipy_minimizer(name)))[0] > 0.3


def scipy_minimizer(name: str) -> np.ndarray:
    return scipy_baselines.scipy_end("trust-exact", scipy_baselines.tasks()[name])[0]


def test_a_far_end_and_a_dear_way_do_not_hold(baselines):
    good = baselines[0]
    assert good.holds
    evaluations, products = good.calls
    for defect in (
        {"distance": 1e-4},
        {"flat": False},
        {"calls": (4 * evaluations, products)},
        {"calls": (evaluations // 4, products)},
        {"calls": (evaluations, products + 3 * evaluations)},
    ):
        assert not dataclasses.replace(good, **defect).holds, defect


# ---- the command


def few(monkeypatch, table, baselines):
    monkeypatch.setattr(conformance, "check_conformance", lambda **_: table)
    monkeypatch.setattr(scipy_baselines, "check_baselines", lambda: baselines)


def test_the_tables_are_printed(table, baselines, monkeypatch):
    few(monkeypatch, table, baselines)
    monkeypatch.setenv("COLUMNS", "100")
    shown = optbench("check", "--optimizers")
    assert shown.exit_code == 0
    assert conformance_text(table, 100) in shown.stdout
    assert baseline_text(baselines, 100) in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100
    (counts,) = [line for line in shown.stdout.splitlines() if line[:1].isdigit()]
    verdicts = [row.verdict for row in table]
    assert counts.split(", ")[0] == f"{verdicts.count('agrees')} agrees"


@pytest.mark.parametrize("width", [80, 100, 160])
def test_what_undoes_a_difference_stands_whole_below_its_row(table, width):
    lines = conformance_text(table, width).splitlines()
    assert max(map(len, lines)) <= width
    assert "    torch takes the maximum before the bias correction, optax after it" in lines


def test_the_tables_are_printed_as_json(table, baselines, monkeypatch):
    few(monkeypatch, table, baselines)
    shown = json.loads(optbench("check", "--optimizers", "--json").stdout)
    rows = {row["reference"]: row for row in shown["torch"]["rows"]}
    assert rows["RMSprop()"]["verdict"] == "documented"
    assert rows["RMSprop()"]["reproduced_by"].endswith("eps_in_sqrt=False]")
    assert rows["SGD()"]["cause"] is None and rows["SGD()"]["difference"] <= TOLERANCE
    assert len(rows) == len(PAIRS) and len(shown["scipy"]) == len(baselines)


def test_a_row_that_does_not_hold_fails_the_command(table, baselines, monkeypatch):
    broken = dataclasses.replace(table[0], difference=1e-3)
    few(monkeypatch, (broken,), baselines)
    shown = optbench("check", "--optimizers")
    assert shown.exit_code == 1 and "DIFFERS, not as claimed" in shown.stdout.replace("\n", " ")
    few(monkeypatch, table, (dataclasses.replace(baselines[0], distance=1.0),))
    assert optbench("check", "--optimizers").exit_code == 1


def test_the_tables_stand_alone():
    for arguments in (("adam",), ("--invariance",)):
        shown = optbench("check", "--optimizers", *arguments)
        assert shown.exit_code == 2 and "--optimizers stands alone" in shown.stderr
