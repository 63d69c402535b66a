"""Laws of the catalog of theorems: each holds, is attained where it is tight, and could fail."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

import jax
import pytest

from optbench.bound import REPORTED, Theorem
from optbench.catalog import collect
from optbench.checks import BoundReport, Verdict, check_bound
from optbench.checks.problems import check_problem
from optbench.method import Method, make_method
from optbench.optimizer import Optimizer, Step
from optbench.problem import Problem
from optbench.recursion import Recursion

THEOREMS = collect("optbench.bounds", "Theorem")
# All laws of one theorem run in one process, which compares it once.
NAMES = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in THEOREMS]
TIGHT = [param for param in NAMES if THEOREMS[str(param.values[0])]().tight]
LONGER = 1.05

# Kinds of instances that a theorem about a method lacks, and why.
LACKS: dict[str, tuple[set[str], str]] = {
    # gradient descent
    "gd_logistic_separable": ({"translated"}, "it starts at 0, and f has no minimizer"),
    # acceleration, momentum, conjugate gradients
    "hb_lessard_cycle": ({"random", "data"}, "the cycle is that of one function"),
    "cg_finite_termination": ({"data"}, "real data have as many curvatures as columns"),
    "lb_nesterov_convex": ({"random", "data"}, "it speaks of one function for each k"),
    "lb_nesterov_sc": ({"random", "data"}, "it speaks of one function"),
    "lb_drori_exact": ({"random", "data"}, "it speaks of one function for each k"),
    # nonsmooth, proximal, projected
    "frank_wolfe": ({"translated"}, "x* is on the simplex"),
    "frank_wolfe_gap": ({"translated"}, "x* is on the simplex"),
    "lb_frank_wolfe": ({"random", "translated", "data"}, "it is about one function"),
    "mirror_eg": ({"translated"}, "x* is on the simplex"),
    # second order
    # stochastic
    # adaptive, clipping
}

# Checks that would not catch a constant ten times too small, and why.
POWERLESS: dict[str, str] = {
    # gradient descent
    # acceleration, momentum, conjugate gradients
    # nonsmooth, proximal, projected, online
    # second order
    "cubic_newton_convex": "it is loose: the largest share of it that was found is 0.05, on a "
    "plateau",
    # stochastic
    # adaptive, clipping, continuous time
}

# Tight statements about something that takes no step, so that none could be longer.
STEPLESS: dict[str, str] = {
    # gradient descent
    "kantorovich": "an inequality for a matrix and a vector",
    # acceleration, momentum, conjugate gradients
    "cg_spansearch_convex": "each step is searched for in the span of all gradients",
    # nonsmooth, proximal, projected, online
    "lb_subgradient": "it bounds every method, whatever its steps",
    "perceptron": "from weights 0 its mistakes do not depend on its step",
    # second order
    "sc_gap_upper": "it speaks of points, wherever they come from",
    # stochastic
    "minibatch_var": "a batch is drawn, and no step taken",
    "polyak_ruppert": "its limit is the same whatever the steps",
    # adaptive, clipping, continuous time
    "thr_gd": "The learning rate is what is found.",
    "sgd_ms_stability": "The learning rate is what is found.",
    "adam_reddi_counterexample": "The limit is the same for all steps.",
    "amsgrad_reddi": "The limit is the same for all steps.",
    "clip_vs_gd_divergence": "The learning rate is what is found.",
}


@functools.cache
def report(name: str) -> BoundReport:
    return check_bound(THEOREMS[name]())


@pytest.mark.parametrize("name", NAMES)
def test_a_theorem_is_named_as_its_function_and_cites_its_source(name: str):
    theorem = THEOREMS[name]()
    assert theorem.name == name
    assert theorem.statement.endswith(".") and theorem.latex
    assert "Source: " in (THEOREMS[name].__doc__ or "")
    assert theorem.source.split(" (")[0] in (THEOREMS[name].__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_it_holds(name: str):
    found = report(name)
    assert found.passed
    if found.verdict is not Verdict.BREAKS and found.theorem.standing not in REPORTED:
        assert {c.verdict for c in found.comparisons} == {Verdict.HOLDS}
        assert all(c.crossing is None for c in found.comparisons)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_compared_on_every_kind_of_instance(name: str):
    theorem, kinds = THEOREMS[name](), {c.kind for c in report(name).comparisons}
    if theorem.tight and not theorem.unattained and theorem.direction != "identity":
        assert "worst" in kinds
    if isinstance(theorem.method, Method):
        lacking, reason = LACKS.get(name, (set(), "-"))
        assert {"random", "translated", "data"} - kinds == lacking and reason


@pytest.mark.parametrize("name", NAMES)
def test_an_error_in_the_constant_would_be_caught(name: str):
    theorem = THEOREMS[name]()
    if theorem.tight and not theorem.unattained:
        assert report(name).power == "3 %"
    else:
        assert (report(name).power == "none") == (name in POWERLESS)


@pytest.mark.parametrize("name", TIGHT)
def test_a_worst_instance_attains_what_is_tight(name: str):
    theorem, found = THEOREMS[name](), report(name)
    states_zero = all(c.states_zero for c in found.comparisons)
    if states_zero or theorem.unattained:
        assert not theorem.attained_at
    else:
        assert found.tightness is not None and 0.999 <= found.tightness <= 1.001


def lengthened(inner: Optimizer, factor: float = LONGER) -> Optimizer:
    """The optimizer with steps that are longer by a factor."""

    def step(evaluation: Any, state: Any, oracle: Any) -> Step:
        taken = inner.step(evaluation, state, oracle)
        longer = jax.tree.map(
            lambda new, old: old + factor * (new - old), taken.params, evaluation.params
        )
        return taken._replace(params=longer, evaluation=None)

    return inner._replace(step=step)


def with_longer_steps(theorem: Theorem) -> Theorem:
    """The theorem at the first of its settings, its method's steps 5 % longer."""
    worst = theorem.direction != "identity"
    fields: dict[str, Any] = {
        "parameters": {n: values[:1] for n, values in theorem.parameters.items()},
        "instances": lambda **setting: [
            i for i in theorem.instances(**setting) if i.kind == "worst" or not worst
        ],
    }
    if theorem.steps:
        first, rule = next(iter(theorem.steps.items()))
        longer = functools.wraps(rule)(lambda **symbols: LONGER * rule(**symbols))
        fields["steps"] = {**theorem.steps, first: longer}
    elif isinstance(theorem.method, Method):
        fields["method"] = make_method(lengthened, inner=theorem.method)
    return dataclasses.replace(theorem, **fields)


@pytest.mark.parametrize("name", TIGHT)
def test_longer_steps_do_not_attain_it(name: str):
    """The steps of theory times 1.05: the bound is crossed, or no longer attained."""
    theorem = THEOREMS[name]()
    if isinstance(theorem.method, Recursion) and not theorem.steps:
        assert STEPLESS[name]
        return
    found = check_bound(with_longer_steps(theorem))
    if theorem.unattained or theorem.standing in REPORTED:
        ratios = [c.ratio for c in check_bound(with_longer_steps(theorem)).comparisons]
        assert ratios != [c.ratio for c in report(name).comparisons]
    else:
        assert found.verdict in (Verdict.CROSSED, Verdict.NOT_ATTAINED)


@pytest.mark.parametrize("name", NAMES)
def test_reports_are_plain_json(name: str):
    told = json.loads(json.dumps(report(name).to_json(), allow_nan=False))
    assert told["name"] == name and told["verdict"] == str(report(name).verdict)
    assert len(told["comparisons"]) == len(report(name).comparisons)


def problems() -> dict[str, Problem]:
    """One problem of each family and kind that theorems are compared on."""
    found: dict[str, Problem] = {}
    for function in THEOREMS.values():
        theorem = function()
        for instance in theorem.instances(**next(iter(theorem.settings))):
            if isinstance(instance.subject, Problem):
                family = (instance.subject.name or "").split("[")[0]
                found.setdefault(f"{family} {instance.kind}", instance.subject)
    return found


PROBLEMS = problems()


@pytest.mark.parametrize("family", PROBLEMS)
def test_instances_are_what_they_claim(family: str):
    assert [check for check in check_problem(PROBLEMS[family]) if not check.passed] == []
