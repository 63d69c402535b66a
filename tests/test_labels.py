"""A label names one problem: an entry of the catalog, a file's, or a transform around another."""

from __future__ import annotations

import pickle
from pathlib import Path

import jax
import numpy as np
import pytest

from optbench import catalog, transforms
from optbench.errors import OptbenchError
from optbench.labels import find_problem, known_transforms, problem_builder
from optbench.problem import Problem
from optbench.study import Study, run_study
from optbench.transforms import minibatches, noisy, shifted
from problems.classical.valleys import rosenbrock
from problems.quadratics import quadratic
from problems.regression.least_squares import least_squares_diabetes

CATALOG = {f.__name__: f for f in (rosenbrock, quadratic, least_squares_diabetes)}

FILE = """
from __future__ import annotations
import dataclasses
from optbench.problem import Problem

def lifted(problem: Problem, by: float = 1.0) -> Problem:
    return dataclasses.replace(problem, source=f"lifted by {by}")

def no_problem(problem: Problem) -> Problem:
    return 3.0

def alone() -> Problem:
    return 3.0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wrappers_of_mine.py"
    path.write_text(FILE)
    return path


def same(one: Problem, other: Problem) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.start(1), other.start(1))
    assert (one.minimum, one.constants) == (other.minimum, other.constants)


def test_a_transform_wraps_what_its_label_holds():
    found = find_problem("noisy(rosenbrock[dim=3])[scale=0.1]", CATALOG)
    same(found, noisy(rosenbrock(dim=3), scale=0.1))
    assert found.name == "noisy(rosenbrock[dim=3])[scale=0.1]"


def test_transforms_nest():
    label = "minibatches(shifted(least_squares_diabetes[l2=0.1])[offset=2.0])[batch_size=16]"
    same(
        find_problem(label, CATALOG),
        minibatches(shifted(least_squares_diabetes(l2=0.1), offset=2.0), batch_size=16),
    )


def test_spaces_and_brackets_do_not_matter_to_the_problem_within():
    found = problem_builder(" noisy( quadratic[ dim = 2 ] ) ", CATALOG)()
    assert found.name == "noisy(quadratic[dim=2])"


def test_builders_build_afresh_and_can_be_sent_elsewhere():
    build = problem_builder("noisy(shifted(rosenbrock)[offset=2.0])[scale=3.0]", CATALOG)
    same(pickle.loads(pickle.dumps(build))(), build())


def test_a_function_of_ones_own_file_wraps_too(file: Path):
    found = find_problem(f"noisy({file}:lifted(rosenbrock)[by=2.0])", CATALOG)
    assert found.source == "lifted by 2.0"


def test_the_transforms_are_found_by_their_annotations():
    known = known_transforms()
    exported = {n: f for n, f in vars(transforms).items() if not n.startswith("_")}
    assert known == {name: exported[name] for name in known}
    assert {"noisy", "rotated", "minibatches", "quantized"} <= {*known}
    assert not {"with_noise", "extend", "label", "sampled_loss"} & {*known}
    for function in known.values():
        first, *others = catalog.parameters(function)
        assert first.name == "problem" and not any(p.required for p in others)


@pytest.mark.parametrize(
    ("label", "message", "hint"),
    [
        ("noisi(rosenbrock)", "no transform named 'noisi'", "did you mean 'noisy'"),
        ("noisy(rosenbrok)", "no problem named 'rosenbrok'", "did you mean 'rosenbrock'"),
        ("noisy", "transform 'noisy' has nothing to wrap", "write name"),
        ("noisy[scale=1.0]", "transform 'noisy' has nothing to wrap", "write name"),
        ("noisy(shifted)", "transform 'shifted' has nothing to wrap", "write name"),
        ("quadratic(rosenbrock)", "problem 'quadratic' wraps no other", "write name"),
        ("noisy(rosenbrock)[sigma=1.0]", "no argument of transform noisy", "scale"),
        ("noisy(rosenbrock)[problem=1.0]", "no argument of transform noisy", "scale"),
        ("noisy(rosenbrock[n=3])", "no argument of problem rosenbrock", "dim"),
        ("noisy(rosenbrock", "')' is missing", "write name"),
        ("nowhere.py:f(rosenbrock)", "no file 'nowhere.py'", "path/to/file.py"),
    ],
)
def test_a_label_that_names_nothing_is_refused_before_anything_is_built(label, message, hint):
    with pytest.raises(OptbenchError) as raised:
        problem_builder(label, CATALOG)
    assert message in raised.value.message and hint in raised.value.hint


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("noisy(rosenbrock)[scale=wide]", "cannot be built"),
        ("noisy(rosenbrock)[scale=-1.0]", "scale is -1.0"),
        ("minibatches(rosenbrock)", "problem 'rosenbrock' is no finite sum"),
        ("minibatches(least_squares_diabetes)[batch_size=443]", "has 442 rows"),
    ],
)
def test_arguments_that_make_no_problem_are_refused(label, message):
    with pytest.raises(OptbenchError, match=message):
        find_problem(label, CATALOG)


def test_what_is_no_problem_is_refused(file: Path):
    with pytest.raises(OptbenchError, match="wraps no other"):
        find_problem(f"{file}:alone(rosenbrock)", CATALOG)
    with pytest.raises(OptbenchError, match=r"alone' is a float"):
        find_problem(f"noisy({file}:alone)", CATALOG)
    with pytest.raises(OptbenchError, match=r"no_problem\(rosenbrock\)' is a float"):
        find_problem(f"{file}:no_problem(rosenbrock)", CATALOG)


def test_a_study_runs_on_transformed_problems():
    label = "noisy(shifted(quadratic[dim=2])[offset=2.0])[scale=0.1]"
    study = Study(
        name="wrapped", problems=(label,), optimizers=("gradient_descent",), budget=5.0, seeds=1
    )
    results = run_study(study)
    record = results.problems[label]
    assert record.stochastic and record.dim == 2
    expected = quadratic(dim=2).minimizer + 2.0
    np.testing.assert_allclose(record.minimizer, expected)
