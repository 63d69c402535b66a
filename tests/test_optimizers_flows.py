from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.sparse.linalg
from walks import CENTER, MATRIX, QUADRATIC, ROSENBROCK, WAVY, X0, quadratic, walk, wavy_grad

from optbench.optimizers.first_order.anderson import anderson
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.gradient_flow import gradient_flow
from optbench.optimizers.first_order.linear_cg import conjugate_gradient
from optbench.optimizers.first_order.step_sizes import (
    block_coordinate_descent,
    cyclic_coordinate_descent,
    exact_line_search,
)
from optbench.problem import Problem
from optbench.start import standard_normal


def spd_problem(dim: int) -> Problem:
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    matrix = (rotation * np.linspace(0.5, 2.0, dim)) @ rotation.T
    return Problem(
        objective=quadratic,
        start=standard_normal((dim,)),
        data=(matrix, rng.standard_normal(dim)),
    )


# ---- gradient flow


def flow_on_quadratic(time: float) -> np.ndarray:
    return CENTER + scipy.linalg.expm(-time * MATRIX) @ (X0 - CENTER)


def test_the_flow_on_a_quadratic_is_the_matrix_exponential():
    times = 0.1 * np.arange(1, 21)
    expected = np.array([flow_on_quadratic(t) for t in times])
    np.testing.assert_allclose(
        walk(gradient_flow(), QUADRATIC, X0, 20).params, expected, rtol=0, atol=1e-8
    )


def test_a_step_on_a_quadratic_is_the_exponential_series_to_order_four():
    x, expected, exponent = X0 - CENTER, [], -0.25 * MATRIX
    for _ in range(10):
        x = sum(np.linalg.matrix_power(exponent, j) / math.factorial(j) for j in range(5)) @ x
        expected.append(x + CENTER)
    points = walk(gradient_flow(0.5, 2), QUADRATIC, X0, 5).params
    np.testing.assert_allclose(points, expected[1::2], rtol=0, atol=1e-13)


def test_the_error_of_the_flow_is_of_order_four_and_that_of_gradient_descent_of_order_one():
    def error(optimizer, num_steps: int) -> float:
        end = walk(optimizer, QUADRATIC, X0, num_steps).params[-1]
        return float(np.linalg.norm(end - flow_on_quadratic(2.0)))

    flow = [error(gradient_flow(0.5, n), 4) for n in (4, 8, 16)]
    assert np.all(np.abs(np.divide(flow[:-1], flow[1:]) - 16) < 1.5)
    euler = [error(gradient_descent(2.0 / n), n) for n in (50, 100, 200)]
    assert np.all(np.abs(np.divide(euler[:-1], euler[1:]) - 2) < 0.1)


def test_substeps_are_steps():
    fine, coarse = (
        walk(gradient_flow(0.05, 1), WAVY, X0, 20),
        walk(gradient_flow(0.2, 4), WAVY, X0, 5),
    )
    np.testing.assert_allclose(fine.params[3::4], coarse.params, rtol=0, atol=1e-14)
    assert coarse.calls.value_and_gradients.tolist() == [15] * 5


def test_the_flow_on_rosenbrock_is_that_of_an_adaptive_integrator():
    def slope(_, x):
        across = x[1] - x[0] ** 2
        return np.array([400 * x[0] * across + 2 * (1 - x[0]), -200 * across])

    start, times = np.array([-1.2, 1.0]), 1e-3 * np.arange(1, 301)
    expected = scipy.integrate.solve_ivp(
        slope, (0.0, 0.3), start, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-13
    ).y.T
    points = walk(gradient_flow(1e-3, 32), ROSENBROCK, start, 300).params
    np.testing.assert_allclose(points, expected, rtol=0, atol=1e-8)


# ---- conjugate gradients


def test_conjugate_gradients_walk_as_scipy_and_end_in_as_many_steps_as_dimensions():
    problem, iterates = spd_problem(8), []
    matrix, center = problem.data
    start = np.ones(8)
    scipy.sparse.linalg.cg(
        matrix,
        matrix @ center,
        start,
        rtol=0,
        atol=0,
        maxiter=8,
        callback=lambda x: iterates.append(x.copy()),
    )
    steps = walk(conjugate_gradient(), problem, start, 12)
    np.testing.assert_allclose(steps.params[:8], iterates, rtol=0, atol=1e-10)
    distances = np.linalg.norm(steps.params - center, axis=1)
    assert distances[6] > 1e-5
    assert np.all(distances[7:] < 1e-12)
    assert steps.calls.hessian_products.tolist() == [1] * 12
    forgetful = walk(exact_line_search(), problem, start, 8).params[-1]
    assert np.linalg.norm(forgetful - center) > 1e-5


# ---- Anderson acceleration


def numpy_anderson(x, rate, memory, num_steps):
    """With the weights of all residuals, which sum to 1: the other form of the same problem."""
    residuals, images = [], []
    for _ in range(num_steps):
        residuals = [*residuals, -rate * wavy_grad(x)][-memory - 1 :]
        images = [*images, x + residuals[-1]][-memory - 1 :]
        count = len(residuals)
        system = np.ones((count + 1, count + 1))
        system[:count, :count] = np.array(residuals) @ np.array(residuals).T
        system[-1, -1] = 0
        weights = np.linalg.solve(system, np.eye(count + 1)[-1])[:count]
        x = weights @ np.array(images)
        yield x


@pytest.mark.parametrize("memory", [1, 2])
def test_anderson_walks_as_the_constrained_form_says(memory: int):
    expected = list(numpy_anderson(X0, 0.3, memory, 8))
    points = walk(anderson(0.3, memory), WAVY, X0, 8).params
    np.testing.assert_allclose(points, expected, rtol=0, atol=1e-8)


def test_anderson_is_gmres_on_linear_gradients():
    problem, rate = spd_problem(6), 0.4
    matrix, center = problem.data
    start, right = np.ones(6), matrix @ center
    points = walk(anderson(rate, 6), problem, start, 7).params
    for k in range(1, 7):  # x_{k+1} = q(k-th iterate of GMRES)
        iterate, _ = scipy.sparse.linalg.gmres(
            matrix, right, start, rtol=0, atol=0, restart=k, maxiter=1
        )
        image = iterate - rate * (matrix @ iterate - right)
        np.testing.assert_allclose(points[k], image, rtol=0, atol=1e-9)
    np.testing.assert_allclose(points[6], center, rtol=0, atol=1e-9)


def test_anderson_without_a_past_is_gradient_descent_and_rests_at_the_minimizer():
    first = walk(anderson(0.3), WAVY, X0, 1).params[0]
    np.testing.assert_allclose(first, X0 - 0.3 * wavy_grad(X0), rtol=0, atol=1e-15)
    assert np.all(walk(anderson(), QUADRATIC, CENTER, 10).params == CENTER)


# ---- blocks of coordinates


@pytest.mark.parametrize(("num_blocks", "blocks"), [(2, [[0, 1], [2]]), (3, [[0], [1], [2]])])
def test_blocks_walk_as_a_numpy_loop(num_blocks: int, blocks: list[list[int]]):
    x, expected = X0, []
    for k in range(10):
        block = blocks[k % num_blocks]
        x = x.copy()
        x[block] -= 0.2 * wavy_grad(x)[block]
        expected.append(x)
    points = walk(block_coordinate_descent(0.2, num_blocks), WAVY, X0, 10).params
    np.testing.assert_allclose(points, expected, rtol=0, atol=1e-14)


def test_one_block_is_gradient_descent_and_as_many_as_coordinates_are_cyclic():
    for one, other in (
        (block_coordinate_descent(0.2, 1), gradient_descent(0.2)),
        (block_coordinate_descent(0.2, 3), cyclic_coordinate_descent(0.2)),
    ):
        points = [walk(optimizer, WAVY, X0, 10).params for optimizer in (one, other)]
        np.testing.assert_allclose(points[0], points[1], rtol=0, atol=1e-15)
