"""Schedules against optax's at fixed T, and inside whole runs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.errors import OptbenchError
from optbench.method import find_method, make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.first_order.momentum import momentum
from optbench.optimizers.names import known_optimizers
from optbench.optimizers.wrappers.schedules import linear_decay, warm_restarts
from optbench.oracle import Calls
from optbench.run import run
from problems.quadratics import quadratic

T = 40
RATE = 0.3
PROBLEM = quadratic(dim=4, condition_number=10.0)

OPTAX = {
    "exponential_decay[final=0.05]": optax.exponential_decay(RATE, T, 0.05),
    "step_decay[num_drops=3]": optax.exponential_decay(RATE, T // 4, 0.1, staircase=True),
    "linear_decay[final=0.2]": optax.linear_schedule(RATE, 0.2 * RATE, T),
    "cosine_decay[final=0.1]": optax.cosine_decay_schedule(RATE, T, 0.1),
    "warmup_cosine_decay[warmup=0.25,initial=0.1,final=0.01]": (
        optax.warmup_cosine_decay_schedule(0.1 * RATE, RATE, T // 4, T, 0.01 * RATE)
    ),
    "one_cycle": optax.cosine_onecycle_schedule(T, RATE, 0.3, 25.0, 1e4),
    "warm_restarts[num_cycles=4]": optax.sgdr_schedule(
        [
            {
                "init_value": RATE,
                "peak_value": RATE,
                "decay_steps": T // 4,
                "warmup_steps": 0,
                "end_value": 0.0,
            }
        ]
        * 4
    ),
    "inverse_time_decay[half_life=0.1]": lambda k: RATE / (1 + k / (0.1 * T)),
    "inverse_square_root_decay[half_life=0.1]": lambda k: RATE / jnp.sqrt(1 + k / (0.1 * T)),
}


def around(label: str, inner: str):
    name, _, arguments = label.partition("[")
    return find_method(f"{name}({inner})[{arguments or ']'}", known_optimizers())


def two_gradients(learning_rate: float = 0.1):
    """Gradient descent that asks for one gradient too many."""

    def step(seen, state, oracle):
        oracle.value_and_grad(seen.params)
        return Step(seen.params - learning_rate * seen.grad, state, Calls(value_and_gradients=1))

    return Optimizer(lambda params: (), step)


def points(method, num_steps: int = T, **changes) -> np.ndarray:
    return run(PROBLEM, method, 1, num_steps=num_steps, **changes).params


@pytest.mark.parametrize("label", OPTAX)
def test_schedules_equal_those_of_optax_at_fixed_horizon(label: str):
    ours = points(around(label, f"adam[learning_rate={RATE}]"))
    schedule = OPTAX[label]

    def theirs():  # some of optax's schedules divide the 32-bit count in float32
        return optax.adam(lambda count: schedule(jnp.asarray(count, "float64")))

    theirs = points(make_method(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    constant = points(make_method(adam, learning_rate=RATE))
    assert np.max(np.abs(ours - constant)) > 1e-3


def test_every_schedule_is_compared():
    catalog = {n for n, f in known_optimizers().items() if f.__module__.endswith("schedules")}
    assert catalog == {label.partition("[")[0] for label in OPTAX}


def test_a_schedule_ends_with_the_budget_whatever_a_step_costs():
    """T is the budget over the price of a step: here 20 steps of 2 gradients each."""
    method = around("linear_decay", f"gradient_descent[learning_rate={RATE}]")
    by_steps = points(method, 20)
    by_budget = run(PROBLEM, method, 1, budget=21.0).params  # the start costs one
    np.testing.assert_allclose(by_budget, by_steps, rtol=0, atol=1e-12)
    dear = make_method(two_gradients, learning_rate=RATE)
    scheduled = make_method(linear_decay, inner=dear)
    by_budget = run(PROBLEM, scheduled, 1, budget=41.0).params
    np.testing.assert_allclose(by_budget[:21], by_steps, rtol=0, atol=1e-12)


def test_the_state_goes_on_through_a_restart():
    scheduled = points(make_method(warm_restarts, inner=make_method(momentum), num_cycles=2))
    assert np.all(np.isfinite(scheduled))
    halves = points(make_method(momentum, learning_rate=0.1))
    np.testing.assert_allclose(scheduled[1], halves[1], rtol=1e-12)  # s(0) = 1


def test_schedules_need_a_learning_rate():
    with pytest.raises(OptbenchError, match="cannot wrap lbfgs, which has no learning_rate"):
        find_method("cosine_decay(lbfgs)", known_optimizers())


def test_another_horizon_compiles_nothing():
    method = around("cosine_decay", "adam")
    first = run(PROBLEM, method, 0, num_steps=50)
    longer = run(PROBLEM, method, 0, num_steps=60)
    assert longer.compile_seconds == first.compile_seconds  # of the one program
    assert np.max(np.abs(longer.params[1:3] - first.params[1:3])) > 1e-9
