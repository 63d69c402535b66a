from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from walks import (
    ROSENBROCK,
    WAVY,
    X0,
    quadratic,
    walk,
    wavy_at,
    wavy_grad,
)

from optbench.errors import OptbenchError
from optbench.method import make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.first_order import gradient_descent as descent
from optbench.optimizers.first_order.anderson import anderson
from optbench.optimizers.first_order.gradient_descent import (
    gradient_descent,
    gradient_descent_backtracking,
)
from optbench.optimizers.first_order.gradient_flow import gradient_flow
from optbench.optimizers.first_order.step_sizes import block_coordinate_descent
from optbench.optimizers.natural.natural_gradient import natural_gradient
from optbench.optimizers.second_order import newton
from optbench.optimizers.second_order.lbfgs import lbfgs
from optbench.optimizers.second_order.newton import newton_cg
from optbench.optimizers.stochastic.variance_reduction import svrg
from optbench.optimizers.wrappers.clipping import clip_by_global_norm, clip_by_value
from optbench.optimizers.wrappers.low_precision import dynamic_loss_scale
from optbench.optimizers.wrappers.schedules import warm_restarts
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Problem
from optbench.start import standard_normal
from optbench.transformation import from_optax

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
    """1 + sum log cosh(x), with an error in the value alone that grows towards the minimizer."""
    error = 1e-7 * jnp.exp(-1e6 * jnp.sum(jnp.abs(x)))
    return 1 + jnp.sum(jnp.log(jnp.cosh(x))) + jax.lax.stop_gradient(error)


MURMURING = Problem(objective=murmuring, start=standard_normal((3,)))


def test_newton_sees_through_rounding(monkeypatch: pytest.MonkeyPatch):
    def end():
        steps = walk(newton_cg(), MURMURING, [0.9, -0.7, 0.4], 15)
        return np.max(np.abs(steps.evaluation.grad[-1])), steps.calls.value_and_gradients.max()

    gradient, trials = end()
    assert gradient < 1e-12 and trials == 1
    monkeypatch.setattr(newton, "_FLAT", 0.0)  # values alone cannot tell
    gradient, trials = end()
    assert gradient > 1e-8 and trials == 30


def lifted(x):
    return 1e3 + (x[0] ** 2 + 0.05 * x[1] ** 2) / 2


def test_backtracking_does_not_stall_at_rounding(monkeypatch: pytest.MonkeyPatch):
    problem = Problem(objective=lifted, start=standard_normal((2,)))

    def last_lengths():
        steps = walk(gradient_descent_backtracking(), problem, [1.0, -0.5], 400)
        return optax.tree.get(steps.state, "learning_rate")[-20:]

    assert np.all(last_lengths() > 1)
    monkeypatch.setattr(descent, "_ROUNDING_UNITS", 0)  # no step can pass, and lengths collapse
    assert np.all(last_lengths() < 1e-100)


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


# ---- clipping


@pytest.mark.parametrize(
    ("wrapper", "first_step", "cosine", "is_clipped"),
    [
        (clip_by_global_norm, np.array([3, 2]) / np.sqrt(13), 1.0, lambda g: np.hypot(*g) > 1),
        (clip_by_value, np.array([1.0, 1.0]), 5 / np.sqrt(26), lambda g: np.max(np.abs(g)) > 1),
    ],
)
def test_clipping_reports_what_it_did(wrapper, first_step, cosine: float, is_clipped):
    data = np.diag([1.0, 0.5]), np.zeros(2)
    problem = Problem(objective=quadratic, start=standard_normal((2,)), data=data)
    optimizer = wrapper(gradient_descent(1.0))
    steps = walk(optimizer, problem, [3.0, 4.0], 6)
    np.testing.assert_allclose(steps.params[0], [3.0, 4.0] - first_step, rtol=1e-15)
    gradients = np.vstack([[3.0, 2.0], steps.evaluation.grad[:-1]])
    clipped = np.cumsum([is_clipped(g) for g in gradients])
    assert 1 < clipped[-1] < 6
    with jax.enable_x64(True):
        reports = jax.vmap(optimizer.report)(jax.tree.map(jnp.asarray, steps.state))
    np.testing.assert_allclose(reports["clipped_fraction"], clipped / np.arange(1, 7), rtol=1e-15)
    np.testing.assert_allclose(reports["clipping_cosine"][0], cosine, rtol=1e-14)
    np.testing.assert_allclose(reports["clipping_cosine"][-1], 1.0, rtol=1e-14)


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


@pytest.mark.parametrize(
    "inner", [lbfgs(), newton_cg(), natural_gradient(), gradient_descent_backtracking()]
)
@pytest.mark.parametrize("wrapper", [clip_by_value, clip_by_global_norm])
def test_clipping_refuses_methods_that_ask_the_objective(wrapper, inner: Optimizer):
    with pytest.raises(OptbenchError, match="cannot wrap an optimizer that asks") as caught:
        walk(wrapper(inner), ROSENBROCK, [-1.2, 1.0], 1)
    assert "disagree with the gradient handed on" in caught.value.hint


def test_clipping_hands_on_the_value():
    with jax.enable_x64(True):
        optimizer = clip_by_value(from_optax(optax.polyak_sgd(f_min=0.0)), 0.5)
        seen = Evaluation(jnp.array([2.0]), jnp.asarray(3.0), jnp.array([4.0]))
        step = optimizer.step(seen, optimizer.init(seen.params), Oracle(ROSENBROCK))
    np.testing.assert_allclose(step.params, [2.0 - 0.5])  # min(1, 3 / 0.5^2) * 0.5


# ---- arguments that count something


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: anderson(memory=0), "anderson has memory = 0"),
        (lambda: gradient_flow(num_substeps=0), "gradient_flow has num_substeps = 0"),
        (
            lambda: block_coordinate_descent(num_blocks=0),
            "block_coordinate_descent has num_blocks = 0",
        ),
        (lambda: svrg(period=0), "svrg has period = 0"),
        (
            lambda: make_method(warm_restarts, num_cycles=0).build(
                {(0, "final"): 0.0, (1, "learning_rate"): 0.1}
            ),
            "warm_restarts has num_cycles = 0",
        ),
        (
            lambda: dynamic_loss_scale(gradient_descent(), growth_interval=0),
            "dynamic_loss_scale has growth_interval = 0",
        ),
    ],
)
def test_counts_below_one_are_refused(make, message: str):
    with pytest.raises(OptbenchError, match=message):
        make()


def test_an_optax_schedule_that_leaves_a_name_unbound_is_taken():
    """`clip_fn`, which exponential_decay closes over, is bound only where `end_value` is given."""
    schedule = optax.exponential_decay(0.1, 10, 0.5)
    steps = walk(from_optax(optax.sgd(schedule)), WAVY, X0, 1)
    np.testing.assert_allclose(steps.params[0], X0 - 0.1 * wavy_grad(X0), rtol=1e-6)
