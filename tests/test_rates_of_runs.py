"""Known rates, read off runs of the catalog's optimizers on the catalog's problems."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench import run
from optbench.method import make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.momentum import momentum
from optbench.oracle import Calls
from optbench.orders import fit_order
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.rates import Abstention, Rate, fit_rate
from optbench.run import execute, prepare
from optbench.start import standard_normal
from problems.classical.bowls import power
from problems.classification.likelihoods import logistic_separable
from problems.quadratics import quadratic


def descent(learning_rate: float):
    return make_method(gradient_descent, learning_rate=learning_rate)


def rate_of(problem, method, num_steps: int) -> Rate | Abstention:
    trajectory = run(problem, method, num_steps=num_steps, record=False)
    return fit_rate(trajectory.steps, trajectory.suboptimality)


@pytest.mark.parametrize(("condition_number", "num_steps"), [(10.0, 120), (100.0, 1500)])
def test_gradient_descent_on_a_quadratic_is_linear_with_rho_squared(condition_number, num_steps):
    """Step 2 / (L + mu) contracts iterates by rho = (kappa - 1) / (kappa + 1): Polyak (1987)."""
    problem = quadratic(dim=20, condition_number=condition_number)
    rate = rate_of(problem, descent(2 / (1 + 1 / condition_number)), num_steps)
    rho = (condition_number - 1) / (condition_number + 1)
    assert isinstance(rate, Rate)
    assert rate.kind == "linear"
    assert np.log(rate.estimate) == pytest.approx(np.log(rho**2), rel=0.01)
    assert rate.low <= rate.estimate <= rate.high
    assert not np.log(rate.estimate) == pytest.approx(np.log(rho), rel=0.3)  # not the iterates'


def test_the_fit_follows_the_step_size():
    """A step of 1 / L has another factor than 2 / (L + mu), and the fit tells them apart."""
    problem = quadratic(dim=20, condition_number=10.0)
    rate = rate_of(problem, descent(1.0), 200)
    assert isinstance(rate, Rate)
    assert rate.estimate == pytest.approx(0.9**2, rel=0.01)


@pytest.mark.parametrize(("exponent", "order"), [(4.0, 2.0), (6.0, 1.5)])
def test_gradient_descent_on_powers_is_sublinear(exponent, order):
    """x' = -x^{p-1} gives f = x^p / p ~ k^{-p / (p - 2)}: k^-2 for x^4, k^-1.5 for x^6."""
    rate = rate_of(power(exponent=exponent), descent(0.1), 20_000)
    assert isinstance(rate, Rate)
    assert rate.kind == "sublinear"
    assert rate.estimate == pytest.approx(order, abs=0.05)


def test_gradient_descent_on_separable_data_falls_like_1_over_k():
    """Soudry et al. (2018): the loss on separable data falls like 1 / k."""
    trajectory = run(logistic_separable(), descent(1.0), num_steps=100_000, record=False)
    late = trajectory.steps >= 10_000
    rate = fit_rate(trajectory.steps, trajectory.suboptimality)
    assert isinstance(rate, Rate)
    assert rate.kind == "sublinear"
    assert rate.estimate == pytest.approx(1.0, abs=0.05)
    exponents = -np.diff(np.log(trajectory.value[late])) / np.diff(np.log(trajectory.steps[late]))
    np.testing.assert_allclose(exponents, 1.0, atol=0.05)


def newton() -> Optimizer:
    """Newton's method, its Hessian formed column by column."""

    def step(evaluation, state, oracle):
        product = oracle.hessian_product(evaluation.params)
        hessian = jax.vmap(product)(jnp.eye(evaluation.params.size))
        moved = evaluation.params - jnp.linalg.solve(hessian, evaluation.grad)
        return Step(moved, state, Calls(hessian_products=evaluation.params.size))

    return Optimizer(lambda params: (), step)


def exponential_bowl(x):
    return jnp.sum(jnp.expm1(x) - x)


def test_newton_has_order_2():
    """|grad f| = |e^x - 1| is exact near 0, so that four comparisons are left in float64."""
    problem = Problem(objective=exponential_bowl, start=standard_normal((3,)), minimum=0.0)
    lanes = Lanes(seeds=tuple(range(8)))
    plan = Plan(num_steps=12, budget=None)
    trajectory = execute(prepare(problem, [make_method(newton)], lanes, plan))
    order = fit_order(trajectory.steps, trajectory.gradient_norm[:, 0], 1e-31)
    assert isinstance(order, Rate), order.sentence
    assert order.estimate == pytest.approx(2.0, abs=0.05)
    slow = execute(prepare(problem, [descent(0.5)], lanes, Plan(num_steps=60, budget=None)))
    assert isinstance(fit_order(slow.steps, slow.gradient_norm[:, 0], 1e-31), Abstention)


def test_no_rate_is_read_off_noise_or_divergence():
    problem = quadratic(dim=20)
    trajectory = run(problem, descent(2.5), num_steps=100, record=False)
    assert isinstance(fit_rate(trajectory.steps, trajectory.suboptimality), Abstention)
    still = run(problem, descent(1e-12), num_steps=100, record=False)
    assert isinstance(fit_rate(still.steps, still.suboptimality), Abstention)


def test_heavy_ball_is_linear_with_its_own_factor():
    """Optimal heavy ball contracts by (sqrt kappa - 1) / (sqrt kappa + 1): Polyak (1964)."""
    root = np.sqrt(100.0)
    rho = (root - 1) / (root + 1)
    heavy = make_method(momentum, learning_rate=4 / (1 + 1 / root) ** 2, momentum=rho**2)
    problem = quadratic(dim=20, condition_number=100.0)
    rate = rate_of(problem, heavy, 120)
    assert isinstance(rate, Rate)
    assert np.log(rate.estimate) == pytest.approx(np.log(rho**2), rel=0.1)
