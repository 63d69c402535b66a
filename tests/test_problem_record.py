"""A problem is a pytree of its data, and its passport compiles nothing."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import standard_normal, start_near


def objective(params, features, targets):
    return jnp.sum((features @ params - targets) ** 2)


def other_objective(params, features, targets):
    return jnp.sum(jnp.abs(features @ params - targets))


def problem_with(**fields):
    defaults = {
        "objective": objective,
        "start": standard_normal((3,)),
        "data": (np.eye(3), np.ones(3)),
        "name": "tested",
    }
    return Problem(**(defaults | fields))


PASSPORT = {
    "start": start_near(np.ones(3)),
    "minimum": 0.0,
    "minimizer": np.ones(3),
    "minimum_kind": "closed form",
    "critical_points": (CriticalPoint("saddle", 1.0, np.zeros(3)),),
    "saddle": 1.0,
    "bounded_below": False,
    "constants": Constants(smoothness=2.0),
    "sample_fraction": 0.5,
    "region": ((0.0, 1.0),) * 3,
    "coordinates": ("a", "b", "c"),
    "name": "renamed",
    "source": "a book",
}
FUNCTIONS = ("objective", "residuals", "outputs", "output_loss", "sample_loss", "monitors")
FUNCTIONS += ("network", "nonsmooth", "prox", "tangent", "row_arrays")


def test_every_field_is_data_a_function_or_passport():
    fields = {field.name for field in dataclasses.fields(Problem)}
    assert fields == {"data", *FUNCTIONS, *PASSPORT}


def test_leaves_are_the_data():
    problem = problem_with(**PASSPORT)
    assert [id(leaf) for leaf in jax.tree.leaves(problem)] == [id(a) for a in problem.data]


@pytest.mark.parametrize("field", PASSPORT)
def test_passport_is_no_part_of_the_structure(field):
    changed = problem_with(**{field: PASSPORT[field]})
    assert jax.tree.structure(changed) == jax.tree.structure(problem_with())


@pytest.mark.parametrize("field", FUNCTIONS)
def test_functions_are_part_of_the_structure(field):
    values = {"monitors": (("size", objective),), "row_arrays": 2}
    value = values.get(field, other_objective)
    changed = problem_with(**{field: value})
    assert jax.tree.structure(changed) != jax.tree.structure(problem_with())


def test_instances_share_one_program():
    traces = []

    @jax.jit
    def evaluate(problem, params):
        traces.append(params)
        return problem.objective(params, *problem.data)

    first = evaluate(problem_with(), jnp.ones(3))
    second = evaluate(problem_with(data=(2 * np.eye(3), np.ones(3)), **PASSPORT), jnp.ones(3))
    assert (float(first), float(second)) == (0.0, 3.0)
    assert len(traces) == 1
    evaluate(problem_with(objective=other_objective), jnp.ones(3))
    assert len(traces) == 2


def test_a_traced_problem_keeps_its_functions_and_has_no_start():
    problem = problem_with(residuals=other_objective, monitors=(("size", objective),))
    traced = jax.tree.map(jnp.asarray, problem)
    assert all(getattr(traced, name) == getattr(problem, name) for name in FUNCTIONS)
    with pytest.raises(OptbenchError, match="no start"):
        traced.start(0)


def test_structure_that_unlocks_methods():
    assert not problem_with().stochastic and not problem_with().has_fisher
    assert problem_with(sample_loss=objective).stochastic
    assert not problem_with(outputs=objective).has_fisher
    assert problem_with(outputs=objective, output_loss=objective).has_fisher


def test_dim_counts_all_leaves():
    assert problem_with().dim == 3
    nested = start_near({"matrix": np.ones((2, 3)), "scalar": 1.0})
    assert problem_with(start=nested).dim == 7


def test_the_unknown_is_an_error_with_a_way_out():
    with pytest.raises(OptbenchError, match="'tested' has no known minimum") as raised:
        problem_with().known_minimum  # noqa: B018
    assert "Problem.minimum" in raised.value.hint
    constants = Constants(smoothness=2.0)
    with pytest.raises(OptbenchError, match="does not know its strong_convexity") as raised:
        problem_with(constants=constants).require("smoothness", "strong_convexity")
    assert "Problem.constants.strong_convexity" in raised.value.hint


def test_the_known_is_given():
    problem = problem_with(minimum=0.0, constants=Constants(smoothness=2.0, strong_convexity=0.0))
    assert problem.known_minimum == 0.0
    assert problem.require("strong_convexity", "smoothness") == (0.0, 2.0)


def test_condition_number():
    assert Constants(smoothness=3.0, strong_convexity=0.5).condition_number == 6.0
    assert Constants(smoothness=3.0, strong_convexity=0.0).condition_number is None
    assert Constants(smoothness=3.0).condition_number is None
    assert Constants(strong_convexity=3.0).condition_number is None


def test_start_near_is_the_center_for_seed_0():
    center = {"a": np.array([1.0, 2.0]), "b": 3.0}
    rule = start_near(center, scale=0.1)
    np.testing.assert_array_equal(rule(0)["a"], [1, 2])
    assert rule(0)["b"] == 3
    assert rule(0)["a"].dtype == rule(0)["b"].dtype == np.float64


def test_start_near_moves_other_seeds_by_scaled_normal_draws():
    rule = start_near({"a": np.zeros(50), "b": np.ones(50)}, scale=2.0)
    draws = np.stack([np.stack([rule(s)["a"], rule(s)["b"] - 1]) for s in range(1, 41)]) / 2
    assert abs(np.mean(draws)) < 4 / np.sqrt(draws.size)
    assert abs(np.var(draws) - 1) < 4 * np.sqrt(2 / draws.size)
    assert abs(np.mean(draws[:, 0] * draws[:, 1])) < 4 / np.sqrt(draws.size / 2)
    np.testing.assert_array_equal(rule(5)["a"], rule(5)["a"])


def test_standard_normal_draws_every_seed():
    rule = standard_normal((100, 20), scale=3.0)
    draws = rule(0) / 3
    assert draws.shape == (100, 20) and draws.dtype == np.float64
    assert abs(np.mean(draws)) < 4 / np.sqrt(draws.size)
    assert abs(np.var(draws) - 1) < 4 * np.sqrt(2 / draws.size)
    np.testing.assert_array_equal(rule(0), rule(0))
    assert np.all(rule(0) != rule(1))
