"""Hyperparameters told by theory: formulas, what they are worth, and what is refused."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from optbench import theory
from optbench.errors import NotApplicable, OptbenchError
from optbench.job import prepare
from optbench.method import Method, find_method, make_method
from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.names import known_optimizers
from optbench.plan import Lanes, Plan
from optbench.problem import Constants, Problem
from optbench.run import execute, run
from optbench.study import Parts, Study, run_parts, run_study
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


@pytest.mark.parametrize(
    "label",
    [
        "triple_momentum",
        "chebyshev",
        "nesterov_strongly_convex",
        "momentum[learning_rate=optimal,momentum=optimal]",
        "nesterov[learning_rate=0.1,momentum=optimal]",
    ],
)
def test_theory_for_strongly_convex_functions_is_refused_on_others(label: str):
    with pytest.raises(NotApplicable, match="needs mu > 0, and the problem has mu = 0"):
        settled(label, KNOWN | {"mu": 0.0, "kappa": None})


def test_a_smoothness_of_zero_is_refused():
    with pytest.raises(NotApplicable, match="needs L > 0"):
        settled("nesterov_convex", KNOWN | {"L": 0.0})


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


def by_theory(learning_rate: Scalar = theory.SMOOTHNESS) -> Optimizer:
    """Gradient descent whose learning rate is L, unless told otherwise."""
    return gradient_descent(learning_rate)


def test_no_formula_is_asked_for_what_is_swept():
    rates = np.array([0.001, 0.002])
    plan, lanes = Plan(budget=None, num_steps=3), Lanes(settings={"learning_rate": rates})
    problem = rosenbrock()  # which knows no L
    told, plain = (
        execute(prepare(problem, [make_method(factory)], lanes, plan)).value
        for factory in (by_theory, gradient_descent)
    )
    np.testing.assert_array_equal(told, plain)
    with pytest.raises(NotApplicable, match="needs the smoothness"):
        run(problem, by_theory, num_steps=1)


@pytest.mark.parametrize("number", [np.float32, jnp.asarray, np.asarray])
def test_constants_may_be_numbers_of_any_kind(number):
    def build() -> Problem:
        problem = quadratic(dim=3)
        constants = Constants()
        object.__setattr__(constants, "smoothness", number(1.0))  # past the checks of types
        return dataclasses.replace(problem, constants=constants)

    label = "gradient_descent[learning_rate=1/L]"
    study = Study(name="theory", problems=("q",), optimizers=(label,), seeds=1, budget=10.0)
    parts = Parts(problems={"q": build}, methods={label: method_of(label)}, find=method_of)
    results = run_parts(study, parts, None)
    assert [(cell.status, cell.message) for cell in results.cells] == [("finished", "")]
    assert results.problems["q"].smoothness == 1.0


def test_the_constants_of_a_problem_are_in_the_keys_of_formulas():
    def keys(label: str, smoothness: float) -> list[str]:
        problem = quadratic(dim=3)
        constants = dataclasses.replace(problem.constants, smoothness=smoothness)
        problem = dataclasses.replace(problem, constants=constants)
        study = Study(name="theory", problems=("q",), optimizers=(label,), seeds=1, budget=10.0)
        parts = Parts(
            problems={"q": lambda: problem}, methods={label: method_of(label)}, find=method_of
        )
        return [cell.key for cell in run_parts(study, parts, None).cells]

    formula, number = (f"gradient_descent[learning_rate={rate}]" for rate in ("1/L", "1.0"))
    assert keys(formula, 1.0) != keys(formula, 2.0)
    assert keys(number, 1.0) == keys(number, 2.0)


def test_every_symbol_is_a_field_of_a_problem():
    assert theory.known_of(quadratic()).keys() == KNOWN.keys()
    assert theory.known_of(quadratic(condition_number=50.0))["kappa"] == pytest.approx(50.0)
