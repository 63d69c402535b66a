from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize
from walks import (
    CENTER,
    MATRIX,
    QUADRATIC,
    ROSENBROCK,
    WAVY,
    X0,
    rosenbrock,
    walk,
    wavy,
    wavy_grad,
)

from optbench.optimizer import Optimizer
from optbench.optimizers.adaptive.moments import adagrad, adam, adamw, lion, rmsprop
from optbench.optimizers.first_order.gradient_descent import (
    gradient_descent,
    gradient_descent_backtracking,
)
from optbench.optimizers.first_order.momentum import momentum, nesterov
from optbench.optimizers.natural.natural_gradient import natural_gradient
from optbench.optimizers.second_order.lbfgs import lbfgs
from optbench.optimizers.second_order.newton import newton_cg
from optbench.optimizers.wrappers.clipping import clip_by_global_norm, clip_by_value
from optbench.optimizers.wrappers.weight_decay import l2_regularize
from optbench.problem import Problem
from optbench.start import standard_normal
from optbench.transformation import from_optax

# ---- a second source: the formulas once more, in NumPy


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
    (
        adam(0.3, 0.8, 0.9, 1e-3, 1e-2),
        numpy_adam,
        {"rate": 0.3, "b1": 0.8, "b2": 0.9, "eps": 1e-3, "eps_root": 1e-2},
    ),
    (adamw(), numpy_adam, {"decay": 1e-4}),
    (adamw(0.3, weight_decay=0.2), numpy_adam, {"rate": 0.3, "decay": 0.2}),
    (rmsprop(), numpy_rmsprop, {}),
    (
        rmsprop(0.1, 0.7, 1e-2, initial_scale=0.5),
        numpy_rmsprop,
        {"rate": 0.1, "decay": 0.7, "eps": 1e-2, "first": 0.5},
    ),
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


# ---- weight decay, decoupled and in the loss

DECAY = 0.3


def decayed(x, matrix):
    return wavy(x, matrix) + DECAY / 2 * jnp.sum(x**2)


WITH_L2 = Problem(objective=decayed, start=standard_normal((3,)), data=(MATRIX,))


def decoupled(transformation, rate: float, decay: float = DECAY) -> Optimizer:
    """x_{k+1} = x_k - rate (u_k + decay x_k), u_k what the transformation makes of grad f."""
    last = optax.scale(-rate)
    return from_optax(optax.chain(transformation, optax.add_decayed_weights(decay), last))


def test_decoupled_decay_is_l2_in_the_loss_for_gradient_descent():
    l2 = walk(gradient_descent(0.1), WITH_L2, X0, 20).params
    apart = walk(decoupled(optax.identity(), 0.1), WAVY, X0, 20).params
    np.testing.assert_allclose(apart, l2, rtol=0, atol=1e-14)
    for decay in (-DECAY, 0.99 * DECAY):
        wrong = walk(decoupled(optax.identity(), 0.1, decay), WAVY, X0, 20).params
        assert np.max(np.abs(wrong - l2)) > 1e-3


def test_decoupled_decay_is_another_thing_for_adam():
    l2 = walk(adam(0.1), WITH_L2, X0, 20).params
    apart = walk(adamw(0.1, weight_decay=DECAY), WAVY, X0, 20).params
    assert np.max(np.abs(apart - l2)) > 1e-2
    coupled = walk(l2_regularize(adam(0.1), DECAY), WAVY, X0, 20).params
    np.testing.assert_allclose(coupled, l2, rtol=0, atol=1e-13)
    own = decoupled(optax.scale_by_adam(), 0.1)
    np.testing.assert_allclose(walk(own, WAVY, X0, 20).params, apart, rtol=0, atol=1e-14)


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
    for optimizer, num_steps in (
        (lbfgs(), 20),
        (newton_cg(), 8),
        (gradient_descent_backtracking(), 300),
    ):
        end = walk(optimizer, problem, np.zeros(5), num_steps).evaluation
        assert abs(end.value[-1] - best) <= 1e-11
        assert np.all(np.diff(end.value) <= 1e-15)


@pytest.mark.parametrize(("optimizer", "num_steps"), [(lbfgs(), 50), (newton_cg(), 100)])
def test_second_order_methods_solve_rosenbrock(optimizer: Optimizer, num_steps: int):
    steps = walk(optimizer, ROSENBROCK, [-1.2, 1.0], num_steps)
    np.testing.assert_allclose(steps.params[-1], 1, atol=1e-9)
    values = jax.vmap(rosenbrock)
    with jax.enable_x64(True):
        np.testing.assert_allclose(steps.evaluation.value, values(steps.params), atol=1e-25)
