from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optbench import catalog
from optbench.catalog import collect
from optbench.errors import OptbenchError
from optbench.method import Method, find_method, make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.adaptive.moments import adam, rmsprop
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.second_order.lbfgs import lbfgs
from optbench.optimizers.wrappers.clipping import clip_by_global_norm
from optbench.oracle import Calls, Oracle, untouched
from optbench.problem import Problem
from optbench.start import standard_normal
from optbench.transformation import from_optax

OPTIMIZERS = collect("optbench.optimizers", "Optimizer")


def method_of(label: str) -> Method:
    return find_method(label, OPTIMIZERS)


WRAPPED = "Optimizer", "Rated"


def is_wrapper(name: str) -> bool:
    return any(p.annotation in WRAPPED for p in catalog.parameters(OPTIMIZERS[name]))


WRAPPERS = [name for name in OPTIMIZERS if is_wrapper(name)]
PLAIN = [n for n in OPTIMIZERS if n not in WRAPPERS and method_of(n).has("learning_rate")]

# ---- labels, equality, structure


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_entry_is_its_own_label_and_builds(name: str):
    method = method_of(name)
    assert method == method_of(method.label) == make_method(OPTIMIZERS[name])
    assert method.label == (f"{name}(gradient_descent)" if is_wrapper(name) else name)
    values = {(h.depth, h.name): 0.5 for h in method.hyperparameters()}
    assert isinstance(method.build(values), Optimizer)


def argument_values(parameter: catalog.Parameter) -> st.SearchStrategy:
    if isinstance(parameter.default, bool):
        return st.booleans()
    if isinstance(parameter.default, int):
        return st.integers(1, 50)
    if parameter.name == "dtype":
        return st.sampled_from(["float16", "bfloat16", "float32"])
    return st.one_of(st.floats(0, allow_nan=False), st.integers(0, 9), st.floats(0, 1, width=32))


@st.composite
def given_methods(draw: st.DrawFn) -> list[tuple[str, dict]]:
    wrappers = draw(st.lists(st.sampled_from(WRAPPERS), max_size=2))
    chosen = []
    for name in [draw(st.sampled_from(PLAIN)), *wrappers]:
        free = [p for p in catalog.parameters(OPTIMIZERS[name]) if p.annotation not in WRAPPED]
        keep = draw(st.permutations(free))[: draw(st.integers(0, len(free)))]
        chosen.append((name, {p.name: draw(argument_values(p)) for p in keep}))
    return chosen


def nest(chosen: list[tuple[str, dict]]) -> Method:
    method = None
    for name, arguments in chosen:
        method = make_method(OPTIMIZERS[name], inner=method, **arguments)
    assert method is not None
    return method


@settings(deadline=None)
@given(given_methods())
def test_every_method_parses_back_from_its_label(chosen: list):
    method, again = nest(chosen), nest([(n, dict(reversed(a.items()))) for n, a in chosen])
    parsed = method_of(method.label)
    assert method == again == parsed
    assert hash(method) == hash(again) == hash(parsed)
    assert method.label == parsed.label
    assert method.structure == parsed.structure


def test_equal_calls_are_equal_methods():
    given_values = (1, 1.0, np.float64(1), np.float32(1), np.int64(1), np.array(1.0), jnp.array(1))
    methods = {make_method(adam, learning_rate=value) for value in given_values}
    assert {m.label for m in methods} == {"adam[learning_rate=1.0]"}
    assert make_method(optax.adam, learning_rate=1).has("learning_rate")
    assert make_method(adam, b1=0.5, b2=0.9) == make_method(adam, b2=0.9, b1=0.5)
    assert make_method(adam, b1=0.5) != make_method(adam, b1=0.6)
    assert method_of("clip_by_value") == method_of("clip_by_value(gradient_descent)")
    assert method_of("clip_by_value(adam)") != method_of("clip_by_global_norm(adam)")


def test_structure_is_everything_but_continuous_values():
    base = method_of("clip_by_value(rmsprop)")
    assert base.structure == base.replace(learning_rate=7.0, max_delta=3, decay=0.1).structure
    assert base.structure != base.replace(centered=True).structure
    assert method_of("lbfgs").structure != method_of("lbfgs[memory_size=5]").structure
    assert base.structure != method_of("clip_by_global_norm(rmsprop)").structure
    assert base.structure != method_of("rmsprop").structure
    without = make_method(optax.rmsprop, learning_rate=0.1)
    assert without.structure != without.replace(momentum=0.9).structure
    assert hash(base.structure) == hash(method_of(base.label).structure)


def test_hyperparameters_are_listed_from_the_outside_in():
    method = method_of("clip_by_value(gradient_descent[learning_rate=0.5])[max_delta=2]")
    listed = [(h.depth, h.name, h.value) for h in method.hyperparameters()]
    assert listed == [(0, "max_delta", 2.0), (1, "learning_rate", 0.5)]
    assert method.has("learning_rate") and not method.has("memory_size")
    assert make_method(optax.adam).hyperparameters()[0].value is None
    names = [h.name for h in make_method(optax.rmsprop).hyperparameters()]
    assert names == ["learning_rate", "decay", "eps", "initial_scale"]


def test_replace_reaches_the_innermost_owner():
    method = method_of("clip_by_value(clip_by_value(adam))")
    changed = method.replace(learning_rate=0.5, max_delta=2.0)
    assert changed.label == "clip_by_value(clip_by_value(adam[learning_rate=0.5])[max_delta=2.0])"
    with pytest.raises(OptbenchError, match="no argument of optimizer clip_by_value") as caught:
        method.replace(max_dela=1.0)
    assert "'max_delta'" in caught.value.hint


def test_hyperparameters_reach_the_factory_as_tracers():
    seen = []

    def factory(learning_rate: float = 0.1, num: int = 3, flag: bool = False):
        seen.append((learning_rate, num, flag))
        return optax.sgd(learning_rate)

    method = make_method(factory, num=4)
    jax.eval_shape(lambda v: method.build({(0, "learning_rate"): v}).init(jnp.ones(2)), 0.1)
    assert isinstance(seen[0][0], jax.core.Tracer) and seen[0][1:] == (4, False)


# ---- what is refused


def needs_wrapping(optimizer: Optimizer, scale: float = 1.0) -> Optimizer:
    return optimizer


def branches(learning_rate: float = 0.1) -> Optimizer:
    return gradient_descent(learning_rate if learning_rate > 0 else -learning_rate)


def returns_a_number(learning_rate: float = 0.1):
    return learning_rate


def forgets(learning_rate: float = 0.1):
    return optax.sgd()


def build_one(factory, learning_rate):
    return make_method(factory).build({(0, "learning_rate"): learning_rate}).init(jnp.ones(2))


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (lambda: method_of("adm"), "no optimizer named 'adm'", "did you mean 'adam'"),
        (lambda: method_of("adam[b3=1]"), "named 'b3'", "adam takes learning_rate, b1"),
        (lambda: method_of("adam(lion)"), "'adam' wraps no other", "wrapper as name(label)"),
        (lambda: make_method(needs_wrapping), "has nothing to wrap", "wrapper as name(label)"),
        (
            lambda: make_method(clip_by_global_norm, optimizer=adam),
            "given 'optimizer' as an argument",
            "make_method(clip_by_global_norm, inner=make_method(adam))",
        ),
        (lambda: make_method(adam, b1={}), "argument 'b1' of optimizer 'adam' is a dict", "number"),
        (
            lambda: jax.eval_shape(lambda v: build_one(branches, v), 0.1),
            "'branches' cannot be built: Attempted boolean conversion",
            "jnp.where",
        ),
        (
            lambda: build_one(returns_a_number, 0.1),
            "'returns_a_number' returns a float",
            "optbench.Optimizer or an optax.GradientTransformation",
        ),
        (
            lambda: build_one(forgets, 0.1),
            "'forgets' cannot be built: sgd() missing",
            "in brackets",
        ),
    ],
)
def test_refusals_say_what_to_do(make, message: str, hint: str):
    with pytest.raises(OptbenchError) as caught:
        make()
    assert message in caught.value.message and hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_file_can_be_wrapped(tmp_path: Path):
    path = tmp_path / "own.py"
    path.write_text(
        "import optax\ndef mine(learning_rate=0.1):\n    return optax.sgd(learning_rate)"
    )
    label = f"clip_by_value({path}:mine[learning_rate=0.5])[max_delta=2.0]"
    method = method_of(label)
    assert method.label == label
    assert method == method_of(label)


# ---- from_optax


def bowl(params, scale):
    return jnp.sum(scale * params**2) / 2


def valley(params):
    return 100 * (params[1] - params[0] ** 2) ** 2 + (1 - params[0]) ** 2


VALLEY = Problem(objective=valley, start=standard_normal((2,)))
BOWL = Problem(objective=bowl, start=standard_normal((2,)), data=(np.array([1.0, 3.0]),))


def steps_of(optimizer: Optimizer, problem: Problem, start, num_steps: int) -> list[Step]:
    oracle = Oracle(problem, jax.random.key(0))
    with jax.enable_x64(True):
        seen = oracle.value_and_grad(jnp.asarray(start))
        state, taken = optimizer.init(seen.params), []
        step = jax.jit(lambda seen, state: optimizer.step(seen, state, oracle))
        for _ in range(num_steps):
            taken.append(step(seen, state))
            state = taken[-1].state
            seen = oracle.value_and_grad(taken[-1].params)
        return jax.tree.map(np.asarray, taken)


@pytest.mark.parametrize(
    "transformation",
    [optax.adam(0.1), optax.chain(optax.clip(1.0), optax.sgd(0.1, 0.9)), optax.polyak_sgd()],
)
def test_from_optax_walks_as_a_plain_optax_loop(transformation):
    taken = steps_of(from_optax(transformation), BOWL, [1.0, -2.0], 3)
    with jax.enable_x64(True):
        params, scale = jnp.array([1.0, -2.0]), BOWL.data[0]
        state = transformation.init(params)
        update = optax.with_extra_args_support(transformation).update
        for step in taken:
            value, grad = jax.value_and_grad(bowl)(params, scale)
            updates, state = update(grad, state, params, value=value)
            params = optax.apply_updates(params, updates)
            np.testing.assert_allclose(step.params, params, rtol=1e-14)
            assert step.calls == Calls() and step.evaluation is None


def test_a_search_that_ends_the_chain_hands_on_its_evaluation():
    for step in steps_of(from_optax(optax.lbfgs()), VALLEY, [-1.2, 1.0], 6):
        assert step.evaluation is not None
        with jax.enable_x64(True):
            value, grad = jax.value_and_grad(valley)(step.params)
        np.testing.assert_allclose(step.evaluation.value, value, rtol=1e-12)
        np.testing.assert_allclose(step.evaluation.grad, grad, rtol=1e-10)
        assert step.calls.values == 0 and step.calls.value_and_gradients >= 1


def test_a_search_that_something_follows_does_not():
    halved = optax.chain(optax.lbfgs(), optax.scale(0.5))
    for step in steps_of(from_optax(halved), VALLEY, [-1.2, 1.0], 2):
        assert step.evaluation is None and step.calls.value_and_gradients >= 1


def test_a_search_by_values_counts_values():
    search = optax.scale_by_backtracking_linesearch(20)
    for step in steps_of(from_optax(optax.chain(optax.sgd(1.0), search)), VALLEY, [-1.2, 1.0], 3):
        assert step.evaluation is None
        assert step.calls.value_and_gradients == 0 and step.calls.values >= 1


def wall(params):
    """Finite at one point only, so that no step can be accepted."""
    return jnp.where(params[0] == 1.0, 0.0, jnp.nan) + jnp.sum(params)


def test_a_failed_search_keeps_point_and_evaluation():
    search = optax.scale_by_backtracking_linesearch(3, store_grad=True)
    optimizer = from_optax(optax.chain(optax.sgd(1.0), search))
    problem = Problem(objective=wall, start=standard_normal((1,)))
    (step,) = steps_of(optimizer, problem, [1.0], 1)
    assert step.evaluation is not None
    assert step.params.tolist() == [1.0] and step.evaluation.value == 1.0
    assert step.evaluation.grad.tolist() == [1.0] and step.calls.value_and_gradients == 4


def needy() -> optax.GradientTransformationExtraArgs:
    def update(updates, state, params=None, *, batch, **extra):
        return updates, state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


def test_a_transformation_with_other_needs_is_refused_in_one_line():
    for transformation in (needy(), optax.chain(optax.sgd(0.1), needy())):
        with pytest.raises(OptbenchError, match="an optax optimizer needs 'batch'") as caught:
            from_optax(transformation)
        assert "\n" not in caught.value.message
        assert "value, grad, value_fn, obj_fn, grad_fn are offered" in caught.value.hint


def test_a_transformation_that_fails_is_told_in_one_line():
    with pytest.raises(OptbenchError, match="an optax optimizer cannot take its step: 3 is wrong"):
        steps_of(from_optax(optax.stateless(fails)), BOWL, [1.0, 2.0], 1)


def fails(updates, params):
    raise ValueError("3 is wrong\nand much more")


def everything(record: list) -> optax.GradientTransformationExtraArgs:
    def update(updates, state, params=None, value=None, *, grad_fn, **extra):
        record.append((set(extra), value))
        return jax.tree.map(jnp.add, grad_fn(params, 0), grad_fn(params, 1)), state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)


def test_extra_arguments_are_those_that_some_part_names():
    record: list = []
    whole = optax.flatten(optax.chain(everything(record), optax.scale(-0.1)))
    (step,) = steps_of(from_optax(whole), BOWL, [1.0, -2.0], 1)
    assert [names for names, _ in record][0] == set()
    assert all(value is not None for _, value in record)
    np.testing.assert_allclose(step.params, [1.0 - 0.2, -2.0 + 0.2 * 6], rtol=1e-6)


def polyak_of_its_own(names: str) -> optax.GradientTransformationExtraArgs:
    """Steps of -g f / |g|^2; `names` are the parameters of its update function."""
    scope: dict = {"jax": jax, "optax": optax}
    exec(  # the names are what is tested
        f"def update({names}):\n"
        "    scale = -value / optax.tree.norm(updates, squared=True)\n"
        "    return jax.tree.map(lambda g: scale * g, updates), state\n",
        scope,
    )
    return optax.GradientTransformationExtraArgs(lambda params: (), scope["update"])


class Slotted:
    """An update function that is a method of an object without a dict."""

    __slots__ = ()

    def __call__(self, updates, state, params=None, *, value, **extra):
        return polyak_of_its_own("updates, state, p, *, value").update(
            updates, state, params, value=value
        )

    def update(self, updates, state, params=None, *, value, **extra):
        return self(updates, state, params, value=value)


OWN_POLYAK = polyak_of_its_own("updates, state, _=None, *, value, **extra")


@pytest.mark.parametrize(
    "transformation",
    [
        polyak_of_its_own("updates, state, params=None, *, value"),
        polyak_of_its_own("updates, state, p=None, *, value"),
        OWN_POLYAK,
        optax.chain(OWN_POLYAK, optax.scale(1.0)),
        optax.inject_hyperparams(lambda factor: optax.chain(OWN_POLYAK, optax.scale(factor)))(1.0),
        optax.inject_hyperparams(optax.polyak_sgd)(max_learning_rate=10.0),
        optax.GradientTransformationExtraArgs(lambda params: (), Slotted()),
        optax.GradientTransformationExtraArgs(lambda params: (), Slotted().update),
    ],
)
def test_extra_arguments_reach_parts_that_inspection_does_not(transformation):
    optimizer = from_optax(transformation)
    (step,) = steps_of(optimizer, BOWL, [1.0, -2.0], 1)
    grad = np.array([1.0, -6.0])
    value = (1.0 + 3 * 4.0) / 2
    np.testing.assert_allclose(step.params, [1.0, -2.0] - grad * value / (grad @ grad), rtol=1e-6)
    assert step.calls == Calls()


def test_sophia_asks_for_a_hessian_product_every_so_many_steps():
    sophia = optax.contrib.sophia(0.1, update_interval=3)
    taken = steps_of(from_optax(sophia), BOWL, [1.0, -2.0], 5)
    assert [int(step.calls.hessian_products) for step in taken] == [1, 0, 0, 1, 0]
    assert all(step.calls.value_and_gradients == 0 for step in taken)
    with jax.enable_x64(True):  # as optax itself walks, handed the objective
        params = jnp.array([1.0, -2.0])
        state = sophia.init(params)
        for step in taken:
            grad = jax.grad(bowl)(params, BOWL.data[0])
            updates, state = sophia.update(
                grad, state, params, obj_fn=lambda p: bowl(p, BOWL.data[0])
            )
            params = optax.apply_updates(params, updates)
            np.testing.assert_allclose(step.params, params, rtol=1e-12)


def test_opaque_sam_is_charged_for_the_gradients_on_its_way():
    climb = optax.chain(optax.contrib.normalize(), optax.sgd(0.1))
    for period in (1, 2, 4):
        sam = optax.contrib.sam(optax.sgd(0.1), climb, sync_period=period, opaque_mode=True)
        (step,) = steps_of(from_optax(sam), BOWL, [1.0, -2.0], 1)
        assert step.calls == Calls(value_and_gradients=period - 1)


def test_schedule_free_reports_its_averaged_point():
    optimizer = from_optax(optax.contrib.schedule_free_sgd(0.1))
    (step,) = steps_of(optimizer, BOWL, [1.0, -2.0], 1)
    assert optimizer.eval_params is not None
    averaged = optax.contrib.schedule_free_eval_params(step.state, step.params)
    np.testing.assert_array_equal(optimizer.eval_params(step.params, step.state), averaged)
    assert from_optax(optax.sgd(0.1)).eval_params is None


def test_states_have_dtypes_of_their_own():
    for precise in (True, False):
        with jax.enable_x64(precise):
            leaves = jax.tree.leaves(from_optax(optax.lbfgs()).init(jnp.ones(2)))
            assert not any(leaf.weak_type for leaf in leaves)
    noisy = from_optax(optax.noisy_sgd(0.1, key=jax.random.key(0))).init(jnp.ones(2))
    assert any(jnp.issubdtype(s.dtype, jax.dtypes.prng_key) for s in jax.tree.leaves(noisy))


def test_strict_promotion_does_not_reach_optax():
    with jax.numpy_dtype_promotion("strict"):
        assert len(steps_of(from_optax(optax.adamw(0.1)), BOWL, [1.0, -2.0], 1)) == 1


@pytest.mark.parametrize(
    ("optimizer", "asks"),
    [
        (gradient_descent(), False),
        (adam(), False),
        (rmsprop(centered=True), False),
        (clip_by_global_norm(adam()), False),
        (from_optax(optax.polyak_sgd()), False),
        (lbfgs(), True),
        (OPTIMIZERS["newton_cg"](), True),
        (OPTIMIZERS["natural_gradient"](), True),
        (OPTIMIZERS["gradient_descent_backtracking"](), True),
        (Optimizer(lambda p: (), lambda e, s, oracle: Step(e.params * oracle.key, s)), True),
        (Optimizer(lambda p: (), lambda e, s, oracle: Step(e.params, s)), False),
    ],
)
def test_who_asks_the_oracle_is_seen(optimizer: Optimizer, asks: bool):
    seen = Oracle(BOWL).value_and_grad(jnp.ones(2))
    shapes = untouched(optimizer.step, seen, optimizer.init(seen.params))
    assert (shapes is None) is asks
    assert asks or shapes.params.shape == (2,)
