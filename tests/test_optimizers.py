from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import optax
import pytest
from jax.custom_batching import custom_vmap

from optbench import checks
from optbench.catalog import collect, parameters
from optbench.checks import exceptions
from optbench.checks.exceptions import EXCEPTIONS
from optbench.cli.door import require_step
from optbench.errors import NotApplicable, OptbenchError
from optbench.method import find_method, make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.adaptive.moments import adamw
from optbench.optimizers.first_order.gradient_descent import gradient_descent_backtracking
from optbench.optimizers.second_order.lbfgs import lbfgs
from optbench.optimizers.second_order.newton import newton_cg
from optbench.oracle import Calls, Oracle

OPTIMIZERS = collect("optbench.optimizers", "Optimizer")
WRAPPED = (
    "clip_by_value(adam)",
    "clip_by_global_norm(clip_by_value(momentum))",
    "average(sam(low_precision_state(adam)))",
    "cosine_decay(decouple_weight_decay(adam))",
    "lookahead(newton_cg)",
    "skip_if_norm_exceeds(lbfgs)",
)


# ---- the laws, over the whole catalog


@pytest.mark.parametrize("label", (*OPTIMIZERS, *WRAPPED))
def test_laws(label: str):
    failed = [c for c in checks.check_optimizer(find_method(label, OPTIMIZERS)) if not c.passed]
    assert failed == []


def test_laws_of_somebody_elses_factory():
    theirs = make_method(optax.adabelief, learning_rate=0.1)
    assert all(c.passed for c in checks.check_optimizer(theirs))
    with pytest.raises(OptbenchError, match="needs a learning_rate"):
        checks.check_optimizer(optax.adam)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_docstrings_tell_the_arguments_the_calls_and_the_source(name: str):
    function = OPTIMIZERS[name]
    family = inspect.getdoc(inspect.getmodule(function)) or ""
    own = inspect.getdoc(function) or ""
    assert [p.name for p in parameters(function) if p.name not in family + own] == []
    assert "Source:" in own
    assert "Calls per step:" in family + own


def test_who_tunes_itself_has_no_learning_rate():
    own = {name for name in OPTIMIZERS if not find_method(name, OPTIMIZERS).has("learning_rate")}
    searching = {"gradient_descent_backtracking", "lbfgs", "newton_cg"}
    searching |= {"damped_newton", "cubic_newton", "trust_region_newton", "bfgs"}
    searching |= {"gauss_newton", "levenberg_marquardt", "dogleg"}
    searching |= {"nonlinear_cg", "dfp", "nelder_mead"}
    told_by_theory = {"nesterov_convex", "nesterov_strongly_convex", "optimized_gradient", "fista"}
    told_by_theory |= {"triple_momentum", "chebyshev", "silver_steps"}
    others = {"polyak_step", "exact_line_search", "cocob", "conjugate_gradient", "gradient_flow"}
    assert own == searching | told_by_theory | others


def test_exceptions_are_of_the_catalog_and_of_its_laws():
    assert set(EXCEPTIONS) <= set(OPTIMIZERS)
    assert {law for laws in EXCEPTIONS.values() for law in laws} <= set(DEFECTS)
    assert all(reason for laws in EXCEPTIONS.values() for reason in laws.values())


def test_a_declared_exception_passes_where_the_law_fails_and_only_there(monkeypatch):
    table = {"adam": {"decrease": "none"}, "yogi": {"stationary": "starts its average elsewhere"}}
    monkeypatch.setattr(exceptions, "EXCEPTIONS", table)
    (failed,) = [c for c in checks.check_optimizer(find_method("adam", OPTIMIZERS)) if not c.passed]
    assert failed.law == "decrease" and "declared not to hold, and holds" in failed.detail
    found = {c.law: c for c in checks.check_optimizer(find_method("yogi", OPTIMIZERS))}
    assert all(check.passed for check in found.values())
    assert found["stationary"].exception == "starts its average elsewhere"
    assert exceptions.exceptions_of(adamw) == {}

    def yogi(learning_rate: float = 0.1):
        return optax.yogi(learning_rate)

    assert exceptions.exceptions_of(yogi) == {}  # somebody else's of the same name


# ---- each law rejects a planted defect


def stepping(step, init=lambda params: ()):
    """A factory of optimizers that move by step(evaluation, state) -> (params, state)."""

    def factory(learning_rate: float = 0.1):
        def whole(seen, state, oracle):
            return Step(*step(seen, state, learning_rate))

        return Optimizer(init, whole)

    return factory


def moved(seen, learning_rate):
    return jax.tree.map(lambda x, g: x - learning_rate * g, seen.params, seen.grad)


def is_traced(seen):
    return isinstance(seen.value, jax.core.Tracer)


@custom_vmap
def wrong_when_mapped(x):
    return x


@wrong_when_mapped.def_vmap
def _mapped(axis_size, in_batched, x):
    return 1.01 * x, in_batched[0]


def overcharging(charged: Calls):
    def factory(learning_rate: float = 0.1):
        def step(seen, state, oracle):
            following = oracle.value_and_grad(moved(seen, learning_rate))
            oracle.hessian_product(seen.params)(seen.grad)
            return Step(following.params, state, charged, following)

        return Optimizer(lambda params: (), step)

    return factory


def searching(search, change):
    """A line search that reports other counts than those it makes."""

    def factory():
        inner = search()

        def step(seen, state, oracle):
            taken = inner.step(seen, state, oracle)
            return taken._replace(calls=change(taken.calls))

        return inner._replace(step=step)

    return factory


def one_more(kind):
    return lambda calls: calls._replace(**{kind: getattr(calls, kind) + 1})


def one_less(kind):
    return lambda calls: calls._replace(**{kind: getattr(calls, kind) - 1})


@custom_vmap
def of_slowest_lane(count):
    return count


@of_slowest_lane.def_vmap
def _slowest(axis_size, in_batched, count):
    return jnp.full_like(count, jnp.max(count)), in_batched[0]


def of_first_leaf(seen, state, rate):
    scale = jnp.sum(jax.tree.leaves(seen.grad)[0] ** 2) + 1
    return moved(seen, rate / scale), state


DEFECTS = {
    "state stable": stepping(
        lambda seen, state, rate: (moved(seen, rate), state + 1.0 * seen.value),
        init=lambda params: jnp.asarray(0.0),
    ),
    "jit = no jit": stepping(
        lambda seen, state, rate: (moved(seen, rate * (1 if is_traced(seen) else 1.01)), state)
    ),
    "vmap = loop": stepping(
        lambda seen, state, rate: (moved(seen, wrong_when_mapped(rate)), state)
    ),
    "any nesting": stepping(of_first_leaf),
    "stationary": stepping(
        lambda seen, state, rate: (jax.tree.map(lambda x: x + 1e-3, moved(seen, rate)), state)
    ),
    "float32": stepping(
        lambda seen, state, rate: (
            moved(seen, rate * (1.1 if seen.value.dtype == jnp.float32 else 1.0)),
            state,
        )
    ),
    "translation": stepping(
        lambda seen, state, rate: (
            jax.tree.map(lambda x, g: x - rate * g * (1 + x**2), seen.params, seen.grad),
            state,
        )
    ),
    "decrease": stepping(lambda seen, state, rate: (moved(seen, -rate), state)),
    "calls = counted": overcharging(Calls(value_and_gradients=2, hessian_products=1)),
}


@pytest.mark.parametrize("law", DEFECTS)
def test_laws_reject_a_planted_defect(law: str):
    verdicts = {c.law: c.passed for c in checks.check_optimizer(DEFECTS[law])}
    assert verdicts.keys() == DEFECTS.keys()
    assert [name for name, passed in verdicts.items() if not passed] == [law]


@pytest.mark.parametrize(
    ("law", "declared"), [("any nesting", "by_array"), ("translation", "by_origin")]
)
def test_what_a_rule_goes_by_can_be_declared(law: str, declared: str):
    def factory(learning_rate: float = 0.1):
        return DEFECTS[law](learning_rate)._replace(**{declared: True})

    assert all(c.passed for c in checks.check_optimizer(factory))


def test_exact_calls_pass_and_missing_products_fail():
    exact = overcharging(Calls(value_and_gradients=1, hessian_products=1))
    assert all(c.passed for c in checks.check_optimizer(exact))
    missing = checks.check_optimizer(overcharging(Calls(value_and_gradients=1)))
    (failed,) = [c for c in missing if not c.passed]
    assert failed.detail == "hessian_products: reported 0, counted 6"


@pytest.mark.parametrize(
    ("search", "change"),
    [
        (gradient_descent_backtracking, one_more("values")),
        (gradient_descent_backtracking, one_less("values")),
        (lbfgs, one_more("value_and_gradients")),
        (newton_cg, one_less("hessian_products")),
    ],
)
def test_counts_of_a_search_that_are_off_by_one_fail(search, change):
    results = checks.check_optimizer(searching(search, change))
    assert [c.law for c in results if not c.passed] == ["calls = counted"]


@pytest.mark.parametrize(
    ("search", "kind"),
    [(gradient_descent_backtracking, "values"), (newton_cg, "value_and_gradients")],
)
def test_lanes_that_are_charged_the_trials_of_the_slowest_fail(search, kind):
    def slowest(calls):
        return calls._replace(**{kind: of_slowest_lane(getattr(calls, kind))})

    results = checks.check_optimizer(searching(search, slowest))
    assert [c.law for c in results if not c.passed] == ["vmap = loop"]


def test_a_law_that_raises_has_failed():
    def factory(learning_rate: float = 0.1):
        return Optimizer(lambda params: (), lambda seen, state, oracle: 1 / 0)

    results = checks.check_optimizer(factory)
    assert not any(c.passed for c in results)
    assert results[0].detail == "ZeroDivisionError: division by zero"


def test_weight_decay_is_no_defect():
    assert find_method("adamw", OPTIMIZERS).has("weight_decay")
    decayed = make_method(adamw, weight_decay=0.5)
    assert all(c.passed for c in checks.check_optimizer(decayed))


def seeing_rows(calls: Calls, bias: float = 0.0):
    """A factory of stochastic gradient descent, from the gradients of rows that it asks for."""

    def factory(learning_rate: float = 0.1):
        def step(seen, state, oracle):
            oracle.whole_value_and_grad(seen.params)
            grads = oracle.row_gradients(seen.params, oracle.sample_rows())
            grad = jax.tree.map(lambda g: jnp.mean(g, axis=0) + bias, grads)
            return Step(moved(seen._replace(grad=grad), learning_rate), state, calls)

        return Optimizer(lambda params: (), step)

    return factory


@pytest.mark.parametrize("part", ["residuals", "outputs"])
def test_a_part_of_the_objective_that_is_asked_behind_the_oracle_is_counted(part: str):
    def factory(learning_rate: float = 0.1):
        def step(seen, state, oracle):
            unused = getattr(oracle.problem, part)(seen.params, *oracle.problem.data)
            return Step(moved(seen, learning_rate + 0 * jnp.sum(unused)), state)

        return Optimizer(lambda params: (), step)

    (failed,) = [c for c in checks.check_optimizer(factory) if not c.passed]
    assert (failed.law, failed.detail) == ("calls = counted", "values: reported 0, counted 6")


def test_what_the_first_state_asks_is_no_gift():
    def factory(learning_rate: float = 0.1):
        def init_on(params, problem):
            return Oracle(problem).value(params)

        optimizer = stepping(lambda seen, state, rate: (moved(seen, rate), state))(learning_rate)
        return optimizer._replace(init_on=init_on)

    (failed,) = [c for c in checks.check_optimizer(factory) if not c.passed]
    assert (failed.law, failed.detail) == ("calls = counted", "values: reported 0, counted 1")


def test_methods_that_need_a_finite_sum_are_held_to_the_laws_on_one():
    sound = seeing_rows(Calls(row_gradients=1, whole_gradients=1))
    require_step(make_method(sound))
    assert all(c.passed for c in checks.check_optimizer(sound))
    for defect, law, detail in (
        (Calls(whole_gradients=1), "calls = counted", "row_gradients: reported 0, counted 6"),
        (Calls(row_gradients=1), "calls = counted", "whole_gradients: reported 0, counted 6"),
    ):
        (failed,) = [c for c in checks.check_optimizer(seeing_rows(defect)) if not c.passed]
        assert (failed.law, failed.detail) == (law, detail)
    restless = seeing_rows(Calls(row_gradients=1, whole_gradients=1), bias=1e-3)
    failed = [c.law for c in checks.check_optimizer(restless) if not c.passed]
    assert failed == ["stationary"]


def test_what_no_small_problem_offers_is_left_to_the_study_and_fails_the_laws():
    def factory(learning_rate: float = 0.1):
        def step(seen, state, oracle):
            raise NotApplicable("this problem has no moon", "wait for the night")

        return Optimizer(lambda params: (), step)

    require_step(make_method(factory))
    assert not any(c.passed for c in checks.check_optimizer(factory))
