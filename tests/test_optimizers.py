from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
from jax.custom_batching import custom_vmap

from optbench import checks
from optbench.catalog import collect, parameters
from optbench.errors import OptbenchError
from optbench.optimizer import Optimizer, Step, find_method, from_optax, make_method
from optbench.optimizers import adaptive, newton
from optbench.optimizers import gradient_descent as descent
from optbench.optimizers.adaptive import adagrad, adam, adamw, lion, rmsprop
from optbench.optimizers.clipping import clip_by_global_norm, clip_by_value
from optbench.optimizers.gradient_descent import gradient_descent, gradient_descent_backtracking
from optbench.optimizers.lbfgs import lbfgs
from optbench.optimizers.momentum import momentum, nesterov
from optbench.optimizers.natural_gradient import natural_gradient
from optbench.optimizers.newton import newton_cg
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Problem, standard_normal

OPTIMIZERS = collect("optbench.optimizers", "Optimizer")
WRAPPED = ("clip_by_value(adam)", "clip_by_global_norm(clip_by_value(momentum))")


# ---- the laws, over the whole catalog


@pytest.mark.parametrize("label", (*OPTIMIZERS, *WRAPPED))
def test_laws(label: str):
    failed = [c for c in checks.check_optimizer(find_method(label, OPTIMIZERS)) if not c.passed]
    assert failed == []


def test_laws_of_somebody_elses_factory():
    assert all(c.passed for c in checks.check_optimizer(make_method(optax.yogi, learning_rate=0.1)))
    with pytest.raises(OptbenchError, match="needs a learning_rate"):
        checks.check_optimizer(optax.adam)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_docstrings_tell_the_arguments_the_calls_and_the_source(name: str):
    function = OPTIMIZERS[name]
    text = inspect.getdoc(function) or ""
    assert all(p.name in text for p in parameters(function) if "as in `adam`" not in text)
    assert "Source:" in text
    assert "Calls per step:" in text or function.__module__ == adaptive.__name__


def test_who_tunes_itself_has_no_learning_rate():
    own = {name for name in OPTIMIZERS if not find_method(name, OPTIMIZERS).has("learning_rate")}
    assert own == {"gradient_descent_backtracking", "lbfgs", "newton_cg"}


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
    "decrease": stepping(lambda seen, state, rate: (moved(seen, 30 * rate), state)),
    "calls = counted": overcharging(Calls(value_and_gradients=2, hessian_products=1)),
}


@pytest.mark.parametrize("law", DEFECTS)
def test_laws_reject_a_planted_defect(law: str):
    verdicts = {c.law: c.passed for c in checks.check_optimizer(DEFECTS[law])}
    assert verdicts.keys() == DEFECTS.keys()
    assert [name for name, passed in verdicts.items() if not passed] == [law]


def test_exact_calls_pass_and_missing_products_fail():
    exact = overcharging(Calls(value_and_gradients=1, hessian_products=1))
    assert all(c.passed for c in checks.check_optimizer(exact))
    missing = checks.check_optimizer(overcharging(Calls(value_and_gradients=1)))
    (failed,) = [c for c in missing if not c.passed]
    assert failed.detail == "hessian_products: reported 0, counted 6"


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


# ---- a second source: the formulas once more, in NumPy

MATRIX = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.2]])
X0 = np.array([1.5, -2.0, 0.7])


def wavy(x, matrix):
    return x @ matrix @ x / 2 - 0.3 * jnp.sum(jnp.cos(2 * x))


def wavy_grad(x: np.ndarray) -> np.ndarray:
    return MATRIX @ x + 0.6 * np.sin(2 * x)


WAVY = Problem(objective=wavy, start=standard_normal((3,)), data=(MATRIX,))


def walk(optimizer: Optimizer, problem: Problem, start, num_steps: int) -> Step:
    """The steps of one lane, stacked; the points are those after each step."""
    with jax.enable_x64(True):
        oracle = Oracle(problem, jax.random.key(0))

        def tick(carry, _):
            seen, state = carry
            step = optimizer.step(seen, state, oracle)
            following = step.evaluation
            if following is None:
                following = oracle.value_and_grad(step.params)
            calls = Calls(*(jnp.asarray(count) for count in step.calls))
            return (following, step.state), Step(step.params, step.state, calls, following)

        def whole(start):
            carry = oracle.value_and_grad(start), optimizer.init(start)
            return jax.lax.scan(tick, carry, None, num_steps)[1]

        return jax.tree.map(np.asarray, jax.jit(whole)(jnp.asarray(start, float)))


def numpy_heavy_ball(x, k, s, rate=0.1, beta=0.9):
    previous = s.get("x", x)
    s["x"] = x
    return x - rate * wavy_grad(x) + beta * (x - previous)


def numpy_nesterov(y, k, s, rate=0.1, beta=0.9):
    x = y - rate * wavy_grad(y)
    previous = s.get("x", y)
    s["x"] = x
    return x + beta * (x - previous)


def numpy_moments(g, k, s, b1, b2):
    s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
    s["v"] = b2 * s.get("v", 0) + (1 - b2) * g**2
    return s["m"] / (1 - b1 ** (k + 1)), s["v"] / (1 - b2 ** (k + 1))


def numpy_adam(x, k, s, rate=1e-3, b1=0.9, b2=0.999, eps=1e-8, eps_root=0.0, decay=0.0):
    m, v = numpy_moments(wavy_grad(x), k, s, b1, b2)
    return x - rate * (m / (np.sqrt(v + eps_root) + eps) + decay * x)


def numpy_rmsprop(x, k, s, rate=1e-3, decay=0.9, eps=1e-8, first=0.0, inside=True, centered=False):
    g = wavy_grad(x)
    s["v"] = decay * s.get("v", first) + (1 - decay) * g**2
    s["m"] = decay * s.get("m", 0) + (1 - decay) * g
    v = s["v"] - s["m"] ** 2 if centered else s["v"]
    return x - rate * g / (np.sqrt(v + eps) if inside else np.sqrt(v) + eps)


def numpy_adagrad(x, k, s, rate=1e-2, first=0.1, eps=1e-7):
    s["v"] = s.get("v", first) + wavy_grad(x) ** 2
    return x - rate * wavy_grad(x) / np.sqrt(s["v"] + eps)


def numpy_lion(x, k, s, rate=1e-4, b1=0.9, b2=0.99, decay=1e-3):
    g, m = wavy_grad(x), s.get("m", 0)
    s["m"] = b2 * m + (1 - b2) * g
    return x - rate * (np.sign(b1 * m + (1 - b1) * g) + decay * x)


def numpy_walk(rule, num_steps: int = 20, **arguments) -> np.ndarray:
    points, x, state = [], X0, {}
    for k in range(num_steps):
        x = rule(x, k, state, **arguments)
        points.append(x)
    return np.array(points)


SOURCES = [
    (gradient_descent(), numpy_heavy_ball, {"beta": 0.0}),
    (momentum(), numpy_heavy_ball, {}),
    (momentum(0.05, 0.5), numpy_heavy_ball, {"rate": 0.05, "beta": 0.5}),
    (nesterov(), numpy_nesterov, {}),
    (nesterov(0.05, 0.5), numpy_nesterov, {"rate": 0.05, "beta": 0.5}),
    (adam(), numpy_adam, {}),
    (adam(0.3, 0.8, 0.9, 1e-3, 1e-2), numpy_adam, dict(rate=0.3, b1=0.8, b2=0.9, eps=1e-3, eps_root=1e-2)),
    (adamw(), numpy_adam, {"decay": 1e-4}),
    (adamw(0.3, weight_decay=0.2), numpy_adam, {"rate": 0.3, "decay": 0.2}),
    (rmsprop(), numpy_rmsprop, {}),
    (rmsprop(0.1, 0.7, 1e-2, 0.5), numpy_rmsprop, dict(rate=0.1, decay=0.7, eps=1e-2, first=0.5)),
    (rmsprop(0.1, eps_in_sqrt=False), numpy_rmsprop, {"rate": 0.1, "inside": False}),
    (rmsprop(1e-3, eps=1e-2, centered=True), numpy_rmsprop, {"eps": 1e-2, "centered": True}),
    (adagrad(), numpy_adagrad, {}),
    (adagrad(0.5, 0.3, 1e-2), numpy_adagrad, {"rate": 0.5, "first": 0.3, "eps": 1e-2}),
    (lion(), numpy_lion, {}),
    (lion(0.1, 0.8, 0.7, 0.2), numpy_lion, {"rate": 0.1, "b1": 0.8, "b2": 0.7, "decay": 0.2}),
]  # fmt: skip


@pytest.mark.parametrize(("optimizer", "rule", "arguments"), SOURCES)
def test_walks_as_the_formulas_say(optimizer: Optimizer, rule, arguments: dict):
    expected = numpy_walk(rule, **arguments)
    np.testing.assert_allclose(walk(optimizer, WAVY, X0, 20).params, expected, rtol=0, atol=1e-12)


def test_formulas_that_differ_in_a_detail_are_told_apart():
    walked = walk(rmsprop(0.1), WAVY, X0, 20).params
    outside = numpy_walk(numpy_rmsprop, rate=0.1, inside=False)
    assert np.max(np.abs(walked - outside)) > 1e-10


# ---- special cases


@pytest.mark.parametrize(
    ("special", "general"),
    [
        (gradient_descent(0.1), momentum(0.1, 0.0)),
        (gradient_descent(0.1), nesterov(0.1, 0.0)),
        (gradient_descent(0.1), clip_by_value(gradient_descent(0.1), 1e9)),
        (gradient_descent(0.1), clip_by_global_norm(gradient_descent(0.1), 1e9)),
        (adam(0.1), adamw(0.1, weight_decay=0.0)),
        (
            adam(0.1, b1=0.0, b2=0.9),
            rmsprop(0.1, decay=0.9, eps_in_sqrt=False, bias_correction=True),
        ),
    ],
)
def test_special_cases_agree(special: Optimizer, general: Optimizer):
    one, other = walk(special, WAVY, X0, 20).params, walk(general, WAVY, X0, 20).params
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


def quadratic(x, matrix, center):
    return (x - center) @ matrix @ (x - center) / 2


CENTER = np.array([3.0, -1.0, 2.0])
QUADRATIC = Problem(objective=quadratic, start=standard_normal((3,)), data=(MATRIX, CENTER))


def test_newton_ends_a_quadratic_in_one_step_of_exact_cg():
    step = walk(newton_cg(forcing=1e-12), QUADRATIC, X0, 1)
    np.testing.assert_allclose(step.params[0], CENTER, atol=1e-12)
    assert step.calls.value_and_gradients[0] == 1  # the unit step is taken
    assert 3 <= step.calls.hessian_products[0] <= 4  # CG ends within dim iterations, to rounding
    assert step.calls.linear_iterations[0] == step.calls.hessian_products[0]


def test_newton_respects_its_cap_and_its_forcing_terms():
    steps = walk(newton_cg(forcing=1e-12, max_linear_iterations=2), QUADRATIC, X0, 3)
    assert steps.calls.hessian_products.tolist() == [2, 2, 2]
    step = walk(newton_cg(forcing=0.5), QUADRATIC, X0, 1)
    start = MATRIX @ (X0 - CENTER)
    left = np.linalg.norm(MATRIX @ (step.params[0] - CENTER))
    assert 1e-3 < left / np.linalg.norm(start) <= 0.5


def poisson_loss(outputs, inputs, counts):
    return jnp.sum(jnp.exp(outputs) - counts * outputs)


def linear(w, inputs, counts):
    return inputs @ w


def poisson(w, inputs, counts):
    return poisson_loss(linear(w, inputs, counts), inputs, counts)


def poisson_problem() -> Problem:
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((30, 3))
    counts = rng.poisson(np.exp(inputs @ [0.5, -0.3, 0.2])).astype(float)
    return Problem(
        objective=poisson,
        start=standard_normal((3,)),
        data=(inputs, counts),
        outputs=linear,
        output_loss=poisson_loss,
    )


def test_natural_gradient_is_newton_for_an_exponential_family_in_natural_parameters():
    problem, w = poisson_problem(), np.array([0.4, 0.1, -0.2])
    inputs, counts = problem.data
    rates = np.exp(inputs @ w)
    newton_step = np.linalg.solve((inputs.T * rates) @ inputs, inputs.T @ (rates - counts))
    exact = natural_gradient(damping=0.0, tolerance=1e-13)
    np.testing.assert_allclose(walk(exact, problem, w, 1).params[0], w - newton_step, atol=1e-10)
    half = natural_gradient(learning_rate=0.5, damping=2.0, tolerance=1e-13)
    damped = (inputs.T * rates) @ inputs + 2 * np.eye(3)
    expected = w - 0.5 * np.linalg.solve(damped, inputs.T @ (rates - counts))
    np.testing.assert_allclose(walk(half, problem, w, 1).params[0], expected, atol=1e-10)


# ---- where they end: scipy as a second source


def logistic(w, inputs, signs):
    return jnp.mean(jnp.logaddexp(0, -signs * (inputs @ w))) + 5e-3 * jnp.sum(w**2)


def test_self_tuning_methods_reach_the_minimum_scipy_finds():
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((40, 5))
    signs = np.sign(inputs @ rng.standard_normal(5) + rng.standard_normal(40))
    problem = Problem(objective=logistic, start=standard_normal((5,)), data=(inputs, signs))

    def objective(w):
        margins = signs * (inputs @ w)
        return np.mean(np.logaddexp(0, -margins)) + 5e-3 * w @ w

    best = scipy.optimize.minimize(objective, np.zeros(5), tol=1e-12).fun
    for optimizer, num_steps in ((lbfgs(), 20), (newton_cg(), 8), (descent_search(), 300)):
        end = walk(optimizer, problem, np.zeros(5), num_steps).evaluation
        assert abs(end.value[-1] - best) <= 1e-11
        assert np.all(np.diff(end.value) <= 1e-15)


def descent_search() -> Optimizer:
    return gradient_descent_backtracking()


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


ROSENBROCK = Problem(objective=rosenbrock, start=standard_normal((2,)))


@pytest.mark.parametrize(("optimizer", "num_steps"), [(lbfgs(), 50), (newton_cg(), 50)])
def test_second_order_methods_solve_rosenbrock(optimizer: Optimizer, num_steps: int):
    steps = walk(optimizer, ROSENBROCK, [-1.2, 1.0], num_steps)
    np.testing.assert_allclose(steps.params[-1], 1, atol=1e-9)
    values = jax.vmap(rosenbrock)
    with jax.enable_x64(True):
        np.testing.assert_allclose(steps.evaluation.value, values(steps.params), atol=1e-25)


# ---- Newton-CG: negative curvature and rounding


def saddle(x, scale):
    return scale * (x[0] ** 2 - x[1] ** 2)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_newton_escapes_a_saddle_at_any_scale(scale: float):
    problem = Problem(objective=saddle, start=standard_normal((2,)), data=(np.asarray(scale),))
    steps = walk(newton_cg(), problem, [1.0, 1e-6], 40)
    assert steps.evaluation.value[-1] < -scale
    growth = steps.params[1:, 1] / steps.params[:-1, 1]
    assert np.all(growth > 1.5)
    assert np.all(np.isfinite(steps.params)) and np.all(steps.calls.value_and_gradients <= 3)


def plane(x):
    return x[0] + 2 * x[1]


def test_newton_steps_down_where_there_is_no_curvature():
    problem = Problem(objective=plane, start=standard_normal((2,)))
    steps = walk(newton_cg(), problem, [1.0, 1.0], 2)
    np.testing.assert_allclose(steps.params, [[0, -1], [-1, -3]])


def murmuring(x):
    """log cosh, plus a constant that rounding makes murmur by 1e-10."""
    return jnp.sum(jnp.log(jnp.cosh(x))) + 1e6 * jnp.sum(jnp.sin(x) ** 2 + jnp.cos(x) ** 2)


MURMURING = Problem(objective=murmuring, start=standard_normal((3,)))


def test_newton_sees_through_rounding(monkeypatch: pytest.MonkeyPatch):
    def end():
        steps = walk(newton_cg(), MURMURING, [0.9, -0.7, 0.4], 15)
        return np.max(np.abs(steps.evaluation.grad[-1])), steps.calls.value_and_gradients.max()

    gradient, trials = end()
    assert gradient < 1e-12 and trials <= 2
    monkeypatch.setattr(newton, "_FLAT", 0.0)  # values alone cannot tell
    assert end()[1] > 2


def lifted(x):
    return 1e3 + jnp.sum(jnp.log(jnp.cosh(x)))


def test_backtracking_does_not_stall_at_rounding(monkeypatch: pytest.MonkeyPatch):
    problem = Problem(objective=lifted, start=standard_normal((2,)))

    def late_trials():
        steps = walk(gradient_descent_backtracking(), problem, [1.0, -0.5], 120)
        return steps.calls.values[-20:].mean()

    assert late_trials() <= 3
    monkeypatch.setattr(descent, "_ROUNDING_UNITS", 0)
    assert late_trials() > 10


def test_backtracking_takes_the_first_step_that_decreases_enough():
    steps = walk(gradient_descent_backtracking(grow=3.0, shrink=0.4), WAVY, X0, 6)
    x, length = X0, 1.0
    for point, trials in zip(steps.params, steps.calls.values, strict=True):
        gradient, length, count = wavy_grad(x), 3 * length, 1
        while wavy_at(x - length * gradient) > wavy_at(x) - 1e-4 * length * gradient @ gradient:
            length, count = 0.4 * length, count + 1
        x = x - length * gradient
        np.testing.assert_allclose(point, x, atol=1e-10)
        assert trials == count


def wavy_at(x: np.ndarray) -> float:
    return x @ MATRIX @ x / 2 - 0.3 * np.sum(np.cos(2 * x))


# ---- clipping


def test_clipping_reports_what_it_did():
    matrix = np.diag([1.0, 0.5])
    problem = Problem(objective=quadratic, start=standard_normal((2,)), data=(matrix, np.zeros(2)))
    for wrapper, clipped, cosine in (
        (clip_by_global_norm(gradient_descent(1.0), 1.0), [3 / np.sqrt(13), 2 / np.sqrt(13)], 1.0),
        (clip_by_value(gradient_descent(1.0), 1.0), [1, 1], 5 / np.sqrt(26)),
    ):
        steps = walk(wrapper, problem, [3.0, 4.0], 6)
        np.testing.assert_allclose(steps.params[0], np.array([3.0, 4.0]) - clipped)
        report = wrapper.report(jax.tree.map(lambda leaf: leaf[0], steps.state))
        assert report["clipped_fraction"] == 1.0
        np.testing.assert_allclose(report["clipping_cosine"], cosine)
        gradients = np.vstack([[3.0, 2.0], steps.evaluation.grad[:-1]])
        if wrapper.step is clip_by_global_norm:
            count = np.sum(np.linalg.norm(gradients, axis=1) > 1)
        reported = wrapper.report(jax.tree.map(lambda leaf: leaf[-1], steps.state))
        changed = np.abs(np.diff(np.vstack([[3.0, 4.0], steps.params]), axis=0) + gradients) > 1e-12
        assert reported["clipped_fraction"] == np.mean(changed.any(axis=1))


def test_nothing_is_known_of_clipping_before_a_step():
    wrapper = clip_by_value(gradient_descent())
    report = wrapper.report(wrapper.init(jnp.ones(2)))
    assert np.isnan(report["clipped_fraction"]) and np.isnan(report["clipping_cosine"])


def test_wrappers_keep_what_the_wrapped_reports():
    inner = Optimizer(
        lambda params: params,
        lambda seen, state, oracle: Step(seen.params, seen.params),
        eval_params=lambda params, state: 2 * state,
        report=lambda state: {"norm": jnp.sum(state)},
    )
    twice = clip_by_value(clip_by_global_norm(inner))
    state = twice.init(jnp.ones(3))
    names = {"norm", "clipped_fraction", "clipping_cosine"}
    assert twice.report(state).keys() == names | {f"inner_{n}" for n in names if n != "norm"}
    assert twice.report(state)["norm"] == 3
    assert twice.eval_params(jnp.zeros(3), state).tolist() == [2, 2, 2]
    assert clip_by_value(gradient_descent()).eval_params is None


@pytest.mark.parametrize("inner", [lbfgs(), newton_cg(), natural_gradient(), descent_search()])
@pytest.mark.parametrize("wrapper", [clip_by_value, clip_by_global_norm])
def test_clipping_refuses_methods_that_ask_the_objective(wrapper, inner: Optimizer):
    with pytest.raises(OptbenchError, match="cannot wrap an optimizer that asks") as caught:
        walk(wrapper(inner), ROSENBROCK, [-1.2, 1.0], 1)
    assert "disagree with the clipped gradient" in caught.value.hint


def test_clipping_hands_on_the_value():
    with jax.enable_x64(True):
        optimizer = clip_by_value(from_optax(optax.polyak_sgd(f_min=0.0)), 0.5)
        seen = Evaluation(jnp.array([2.0]), jnp.asarray(3.0), jnp.array([4.0]))
        step = optimizer.step(seen, optimizer.init(seen.params), Oracle(ROSENBROCK))
    np.testing.assert_allclose(step.params, [2.0 - 0.5])  # min(1, 3 / 0.5^2) * 0.5
