"""Hyperparameters told by theory: formulas, what they are worth, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from optbench import theory
from optbench.errors import NotApplicable, OptbenchError
from optbench.method import Method, find_method
from optbench.optimizers.names import known_optimizers
from optbench.problem import Constants
from optbench.run import run
from optbench.study import Study, run_study
from optbench.trajectory import Status
from problems.classical.valleys import rosenbrock
from problems.quadratics import quadratic

L, MU = 4.0, 0.25
KNOWN = {"L": L, "mu": MU, "M": None, "G": 3.0, "kappa": L / MU, "f_star": -2.0}


def method_of(label: str) -> Method:
    return find_method(label, known_optimizers())


def settled(label: str, known=KNOWN) -> dict[str, float | str | None]:
    return {h.name: h.value for h in method_of(label).settled(known).hyperparameters()}


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1/L", 0.25),
        ("2/(L+mu)", 2 / 4.25),
        ("4/(sqrt(L)+sqrt(mu))^2", 0.64),
        ("-f_star/G**2", 2 / 9),
        ("1 - 1/kappa", 1 - 1 / 16),
        ("0.5", 0.5),
    ],
)
def test_formulas_are_worth_what_they_say(formula: str, value: float):
    assert settled(f"gradient_descent[learning_rate={formula}]") == {"learning_rate": value}
    label = method_of(f"gradient_descent[learning_rate={formula}]").label
    assert method_of(label).label == label


def test_optimal_is_what_the_factory_declares():
    assert settled("gradient_descent[learning_rate=optimal]") == {"learning_rate": 2 / (L + MU)}
    merely_convex = KNOWN | {"mu": 0.0, "kappa": None}
    label = "gradient_descent[learning_rate=optimal]"
    assert settled(label, merely_convex) == {"learning_rate": 1 / L}
    assert settled(label, KNOWN | {"mu": None}) == {"learning_rate": 1 / L}
    roots = np.sqrt(L), np.sqrt(MU)
    assert settled("momentum[learning_rate=optimal,momentum=optimal]") == {
        "learning_rate": pytest.approx(4 / sum(roots) ** 2),
        "momentum": pytest.approx(((roots[0] - roots[1]) / sum(roots)) ** 2),
    }
    with pytest.raises(OptbenchError, match="no learning_rate of adam is known to be optimal"):
        settled("adam[learning_rate=optimal]")


def test_formulas_inside_wrappers_and_as_defaults():
    assert settled("cosine_decay(gradient_descent[learning_rate=1/L])") == {
        "final": 0.0,
        "learning_rate": 0.25,
    }
    assert settled("nesterov_strongly_convex") == {"smoothness": L, "strong_convexity": MU}
    assert settled("polyak_step") == {"minimum": -2.0}
    assert settled("polyak_step[minimum=0]") == {"minimum": 0.0}


@pytest.mark.parametrize(
    "text",
    ["1/Lipschitz", "L.real", "__import__('os')", "1/", "sqrt", "sqrt(L, L)", "L if L else 1"],
)
def test_what_is_no_formula_is_refused_at_once(text: str):
    with pytest.raises(OptbenchError) as caught:
        find_method("gradient_descent", known_optimizers()).replace(learning_rate=text).settled(
            KNOWN
        )
    assert not isinstance(caught.value, NotApplicable) and "1/L" in caught.value.hint


def test_an_unknown_constant_is_said_with_a_hint():
    label = "gradient_descent[learning_rate=2/(L+mu)]"
    with pytest.raises(NotApplicable, match="needs the strong convexity of the problem") as caught:
        settled(label, KNOWN | {"mu": None})
    assert "Problem.constants.strong_convexity" in caught.value.hint
    with pytest.raises(NotApplicable, match="is no number for L = 0"):
        settled("gradient_descent[learning_rate=1/L]", KNOWN | {"L": 0.0})
    with pytest.raises(NotApplicable, match="needs the smoothness"):
        run(rosenbrock(), method_of("nesterov_convex"), num_steps=1)


def test_runs_use_the_constants_of_their_problem():
    problem = quadratic(dim=5, condition_number=20.0)
    by_theory = run(problem, method_of("gradient_descent[learning_rate=2/(L+mu)]"), num_steps=9)
    numbers = f"gradient_descent[learning_rate={2 / (1 + 1 / 20)!r}]"
    by_number = run(problem, method_of(numbers), num_steps=9)
    np.testing.assert_array_equal(by_theory.params, by_number.params)
    wrong = dataclasses.replace(problem, constants=Constants(smoothness=2.0, strong_convexity=0.05))
    assert not np.array_equal(
        run(wrong, method_of("gradient_descent[learning_rate=2/(L+mu)]"), num_steps=9).params,
        by_number.params,
    )


def test_a_study_runs_formulas_where_they_apply():
    study = Study(
        name="theory",
        problems=("quadratic[dim=3]", "rosenbrock"),
        optimizers=("momentum[learning_rate=optimal,momentum=optimal]", "gradient_descent"),
        seeds=1,
        budget=50.0,
    )
    results = run_study(study)
    found = {(c.problem, c.optimizer): c for c in results.cells}
    label = "momentum[learning_rate=optimal,momentum=optimal]"
    assert found["quadratic[dim=3]", label].status == "finished"
    assert found["rosenbrock", label].status == str(Status.NOT_APPLICABLE)
    assert "needs the smoothness" in found["rosenbrock", label].message


def test_every_symbol_is_a_field_of_a_problem():
    assert theory.known_of(quadratic()).keys() == KNOWN.keys()
    assert theory.known_of(quadratic(condition_number=50.0))["kappa"] == pytest.approx(50.0)
