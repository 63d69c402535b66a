"""Laws of the catalog of theorems: each holds, is attained where it is tight, and could fail."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.bound import REPORTED, Theorem
from optbench.bounds.descent.strongly_convex import gd_sc_fgap
from optbench.bounds.instances import extreme_parabolas
from optbench.case import Instance
from optbench.catalog import collect
from optbench.checks import BoundReport, Verdict, check_bound
from optbench.checks.problems import check_problem
from optbench.errors import OptbenchError
from optbench.figures.bound_curves import panels
from optbench.figures.bounds import formula
from optbench.method import Method, make_method
from optbench.optimizer import Optimizer, Step
from optbench.problem import Constants, Problem
from optbench.recursion import Recursion
from optbench.start import start_near

THEOREMS = collect("optbench.bounds", "Theorem")
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


def named_and_sourced(found: BoundReport, doc: str) -> None:
    """It says in one sentence and one formula what holds, and where that is from."""
    theorem = found.theorem
    assert theorem.statement.endswith(".") and theorem.latex
    assert "Source: " in doc and theorem.source.split(" (")[0] in doc


def holds(found: BoundReport, doc: str) -> None:
    """Every run is on its side of the bound, but for what is said to break in float64."""
    assert found.passed
    if found.verdict is not Verdict.BREAKS and found.theorem.standing not in REPORTED:
        assert {c.verdict for c in found.comparisons} == {Verdict.HOLDS}
        assert all(c.crossing is None for c in found.comparisons)


def on_every_kind_of_instance(found: BoundReport, doc: str) -> None:
    """Worst cases where it is tight; random, translated and real ones, or the reason why not."""
    theorem, kinds = found.theorem, {c.kind for c in found.comparisons}
    if theorem.tight and not theorem.unattained and theorem.direction != "identity":
        assert "worst" in kinds
    if isinstance(theorem.method, Method):
        lacking, reason = LACKS.get(theorem.name, (set(), "-"))
        assert {"random", "translated", "data"} - kinds == lacking and reason


def catches_an_error(found: BoundReport, doc: str) -> None:
    """3 % where it is tight; a factor of 10 at least elsewhere, or the reason why not."""
    if found.theorem.tight and not found.theorem.unattained:
        assert found.power == "3 %"
    else:
        assert (found.power == "none") == (found.theorem.name in POWERLESS)


def attained(found: BoundReport, doc: str) -> None:
    """A worst instance comes within 0.1 % of what is tight, at every step where it is said to."""
    theorem = found.theorem
    if all(c.states_zero for c in found.comparisons) or theorem.unattained or not theorem.tight:
        assert not theorem.attained_at
    else:
        assert found.tightness is not None and 0.999 <= found.tightness <= 1.001


def lost_by_longer_steps(found: BoundReport, doc: str) -> None:
    """With the steps of theory times 1.05 what is tight is crossed, or no longer attained."""
    theorem = found.theorem
    if not theorem.tight:
        return
    if isinstance(theorem.method, Recursion) and not theorem.steps:
        assert STEPLESS[theorem.name]
        return
    changed = check_bound(with_longer_steps(theorem))
    if theorem.unattained or theorem.standing in REPORTED:
        assert [c.ratio for c in changed.comparisons] != [c.ratio for c in found.comparisons]
    else:
        assert changed.verdict in (Verdict.CROSSED, Verdict.NOT_ATTAINED)


def told_as_json(found: BoundReport, doc: str) -> None:
    """The report is plain JSON, with every comparison."""
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["name"] == found.theorem.name and told["verdict"] == str(found.verdict)
    assert len(told["comparisons"]) == len(found.comparisons)


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


def drawable(found: BoundReport, doc: str) -> None:
    """Every panel of its picture has a bound that its axis can show, and places for all runs."""
    for panel in panels(found.comparisons):
        assert np.all(np.isfinite(panel.reference) & (panel.reference > 0))
        assert all(np.isin(curve.x, panel.x).all() for curve in panel.curves)
    assert not formula(found.theorem.latex).startswith("\\")


LAWS = (
    named_and_sourced,
    holds,
    on_every_kind_of_instance,
    catches_an_error,
    attained,
    lost_by_longer_steps,
    told_as_json,
    drawable,
)


@pytest.mark.parametrize("name", THEOREMS)
def test_a_theorem_obeys_all_laws(name: str):
    theorem = THEOREMS[name]()
    assert theorem.name == name
    found = check_bound(theorem)
    for law in LAWS:
        law(found, THEOREMS[name].__doc__ or "")


# Planted defects: one for each law


def flat(h: float) -> list[Instance]:
    """A parabola of curvature mu, on which longer steps are better."""
    return [Instance("worst", extreme_parabolas(0.0)[0])]


def planted(factor: float = 1.0, **fields: Any) -> Theorem:
    """gd_sc_fgap at one step size, its formula times a factor, with other fields."""
    theorem = gd_sc_fgap()
    wrong = functools.wraps(theorem.formula)(lambda **s: factor * theorem.formula(**s))
    fields = {"formula": wrong, "parameters": {"h": (0.5,)}} | fields
    return dataclasses.replace(theorem, **fields)


DEFECTS: dict[str, tuple[Callable[..., None], Callable[[], Theorem]]] = {
    "a statement that is no sentence": (named_and_sourced, lambda: planted(statement="it is")),
    "another source": (named_and_sourced, lambda: planted(source="Nobody (2000)")),
    "a constant too small": (holds, lambda: planted(0.97)),
    "only worst cases": (on_every_kind_of_instance, lambda: planted(instances=flat)),
    "a constant too large": (attained, lambda: planted(1.01)),
    "tight, and ten times too large": (catches_an_error, lambda: planted(9.0)),
    "twenty times too large": (catches_an_error, lambda: planted(20.0, attained_at=())),
    "a formula that cannot be set": (drawable, lambda: planted(latex=r"\unknowncommand{x}")),
    "steps that do not matter": (
        lost_by_longer_steps,
        lambda: planted(formula=lambda k, f0: f0 + 0 * k, k_range=(0, 0), attained_at=(0,)),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str):
    law, make = DEFECTS[defect]
    doc = gd_sc_fgap.__doc__ or ""
    found = check_bound(make())
    with pytest.raises(AssertionError):
        law(found, doc)
    law(check_bound(planted()), doc)


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


# Assumptions


def flat_objective(params: Any) -> Any:
    return 0.0 * jnp.sum(params)


def sampled(params: Any, key: Any) -> Any:
    return flat_objective(params)


UNKNOWN = Problem(
    objective=flat_objective,
    sample_loss=sampled,
    start=start_near(np.zeros(2)),
    name="unknown",
    constants=Constants(),
)
KINKED = dataclasses.replace(UNKNOWN, start=start_near(np.ones(2)), nonsmooth=flat_objective)
ASSUMPTIONS = {
    assumption.name: name
    for name, function in THEOREMS.items()
    for assumption in function().needs
    if isinstance(function().method, Method)
}


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_a_problem_that_violates_an_assumption_is_refused(assumption: str):
    """Next to nothing is known of these two problems: each kind of assumption fails for one."""
    theorem = THEOREMS[ASSUMPTIONS[assumption]]()
    (needed,) = [a for a in theorem.needs if a.name == assumption]
    outsider = next(p for p in (UNKNOWN, KINKED) if not needed.holds(p))
    with pytest.raises(OptbenchError) as raised:
        check_bound(theorem, outsider)
    assert assumption in raised.value.message.split("lacks")[1] and raised.value.hint
