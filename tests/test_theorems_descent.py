"""Gradient descent: second sources for its recursions and instances, and what is refused."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.optimize

from optbench.bounds.descent.classes import gd_logistic_separable, gd_qg_convex
from optbench.bounds.descent.convex import best_constant_step
from optbench.bounds.descent.instances import (
    LOJASIEWICZ,
    ON_KINK,
    bent_parabola,
    hilly,
    sawtooth,
    separable_examples,
    two_planes,
    with_margin,
)
from optbench.bounds.descent.line_search import gd_exact_ls, kantorovich
from optbench.bounds.descent.silver_steps import gd_any_steps_huber_floor, silver_sc
from optbench.bounds.instances import parabola, quadratic, robust_regression
from optbench.case import Case
from optbench.checks import check_bound
from optbench.errors import OptbenchError
from optbench.method import Method, make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.step_sizes import exact_line_search
from optbench.problem import Problem
from optbench.run import run
from optbench.start import start_near
from optbench.symbol import gradients_at, values_at
from optbench.trajectory import Trajectory

HALF, ONE = Fraction(1, 2), Fraction(1)


def logged(problem: Problem, method: Method, num_steps: int, seed: int = 0) -> Trajectory:
    """A run, logged at every step."""
    steps = tuple(range(num_steps + 1))
    return run(problem, method, seed, budget=None, log_steps=steps, noise_floor=-np.inf)


def descent(h: float) -> Method:
    return make_method(gradient_descent, learning_rate=h / 4)


# Worst instances, in rational numbers


@pytest.mark.parametrize("h", [Fraction(1, 4), ONE])
@pytest.mark.parametrize("k", [1, 20])
def test_the_sawtooth_has_the_same_slope_at_every_point(h: Fraction, k: int):
    period = h * Fraction(3, 4)
    x, slopes = Fraction(3, 4) + k * period, []
    for _ in range(k + 1):
        into = (x - Fraction(3, 4)) % period
        slopes.append(3 - 4 * min(into, period - into))
        x -= h / 4 * slopes[-1]
    fall = 3 * period - period**2  # each period: a rectangle less a triangle
    first = Fraction(9, 8) + k * fall
    assert slopes == [3] * (k + 1)
    assert 4 * 4 * first / (k * (4 * h - h**2) + 2) == 9
    seen = logged(sawtooth(float(h), k, 100.0), descent(float(h)), k)
    assert seen.gradient_norm.tolist() == [3.0] * (k + 1)
    assert seen.value[0] == float(first)


def test_the_sawtooth_needs_binary_fractions():
    """A rounding error doubles in every step of length 1 / L."""
    seen = logged(sawtooth(0.9, 100, 0.0), descent(0.9), 100)
    assert seen.gradient_norm[5] == pytest.approx(3.0, rel=1e-12)
    assert np.abs(seen.gradient_norm / 3.0 - 1).max() > 0.01


def bent_run(h: Fraction, k: int, power: int) -> tuple[Fraction, Fraction, Fraction]:
    """f(x_0), f(x_k) and f'(x_k) of gradient descent on `bent_parabola`."""
    q = Fraction(1, 16)
    reach = q * Fraction(3, 2) / (q - 1 + (1 - q * h) ** (-power * k))

    def value(x: Fraction) -> Fraction:
        inside = min(x, reach)
        return Fraction(15, 4) * inside * (x - inside / 2) + x**2 / 8

    def slope(x: Fraction) -> Fraction:
        return Fraction(15, 4) * min(x, reach) + x / 4

    x = Fraction(3, 2)
    for _ in range(k):
        x -= h / 4 * slope(x)
    return value(Fraction(3, 2)), value(x), slope(x)


@pytest.mark.parametrize("h", [HALF, ONE])
@pytest.mark.parametrize("k", [1, 5])
def test_bent_parabolas_attain_their_bounds(h: Fraction, k: int):
    q = Fraction(1, 16)
    far, near = (1 - q * h) ** (-2 * k), (1 - q * h) ** (-k)
    _, gap, _ = bent_run(h, k, power=2)
    first, _, slope = bent_run(h, k, power=1)
    assert gap == 2 * Fraction(9, 4) * q / (q - 1 + far)
    assert slope == 4 * Fraction(3, 2) * q / (q - 1 + near)
    assert slope**2 == 2 * 4 * first * q / (q - 1 + far)
    seen = logged(bent_parabola(float(far), 0.0), descent(float(h)), k)
    assert seen.value[-1] == pytest.approx(float(gap), rel=1e-13)


# Instances, against what they claim


def test_planes_lie_below_the_parabola_and_touch_it():
    problem, center = two_planes(0.5, 5, 100.0), np.full(2, 100.0)
    rng = np.random.default_rng(0)
    points = center + 3 * rng.standard_normal((2000, 2))
    above = 2 * np.sum((points - center) ** 2, axis=1)
    values = values_at(problem, points)
    assert np.all(values >= 0) and np.all(values <= above)
    touching = center + 1.5 * np.array([[0.5, -np.sqrt(0.75)]])
    assert values_at(problem, touching)[0] == pytest.approx(2 * 1.5**2, rel=1e-12)
    assert np.array_equal(problem.start(ON_KINK), center + [1.5, 0.0])


def test_the_hilly_function_has_its_lojasiewicz_constant():
    problem = hilly(0.0)
    points = np.linspace(-10.0, 10.0, 40000)[:, None]
    shares = gradients_at(problem, points)[:, 0] ** 2 / (2 * values_at(problem, points))
    assert LOJASIEWICZ <= shares.min() < 1.005 * LOJASIEWICZ
    assert points[shares.argmin(), 0] == pytest.approx(-2.2, abs=0.01)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_margin_is_the_largest(seed: int):
    problem = separable_examples(seed)
    (rows,) = problem.data
    shortest = scipy.optimize.minimize(
        lambda w: w @ w,
        np.ones(rows.shape[1]),
        jac=lambda w: 2 * w,
        constraints={"type": "ineq", "fun": lambda w: rows @ w - 1, "jac": lambda w: rows},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    known = with_margin("random", problem).symbols["gam"]
    assert known == pytest.approx(1 / np.linalg.norm(shortest.x), rel=1e-6)


# Methods and steps


def test_the_best_constant_step_solves_its_equation():
    assert best_constant_step(1.0) == pytest.approx(1.5, rel=1e-15)
    with mpmath.workdps(30):
        root = mpmath.findroot(lambda h: 1 / (40 * h + 1) - (1 - h) ** 40, 1.9)
    assert best_constant_step(20.0) == pytest.approx(float(root), rel=1e-14)


def silver_schedule(q: float, num_steps: int) -> list[float]:
    """Steps over 1 / L, put together as halves: y z = z_n^2 and z - y = 2 z_n (1 - z_n)."""

    def length(t: float) -> float:
        return (1 + t / q) / (1 + t)

    z, steps = q, [length(q)]
    while len(steps) < num_steps:
        roots = np.roots([1.0, -2 * z * (1 - z), -(z**2)])
        y, z = -roots.min(), roots.max()
        steps = [*steps[:-1], length(y), *steps[:-1], length(z)]
    return steps


@pytest.mark.parametrize("num_steps", [1, 4, 32])
@pytest.mark.parametrize("curvature", [0.25, 1.0, 4.0])
def test_silver_steps_are_put_together_from_halves(num_steps: int, curvature: float):
    left = 1.5 * np.prod(1 - np.array(silver_schedule(1 / 16, num_steps)) * curvature / 4)
    bound = silver_sc().on(parabola(curvature, 0.0), N=float(num_steps))
    last = logged(parabola(curvature, 0.0), bound.method(), num_steps).params[-1]
    assert float(last[0]) == pytest.approx(left, rel=1e-11)


def displacements(num_steps: int) -> dict[str, float]:
    """How far the methods go on a line of slope 1, with L = 1, by their definitions."""
    x = y = velocity = moved = 0.0
    weight = theta = 1.0
    for k in range(num_steps):
        velocity = 0.9 * velocity + 1
        moved += velocity
        following = (1 + np.sqrt(1 + 4 * weight**2)) / 2
        x, y = y + 1, y + 1 + (weight - 1) / following * (y + 1 - x)
        theta = (1 + np.sqrt(1 + (8 if k == num_steps - 1 else 4) * theta**2)) / 2
        weight = following
    return {
        "gradient_descent": num_steps,
        "momentum": moved,
        "nesterov_convex": x,
        "optimized_gradient": (theta**2 - 1) / 2,  # for L R^2 / (2 theta^2) is its bound
        "silver_steps": (1 + np.sqrt(2)) ** np.log2(num_steps + 1) - 1,
    }


@pytest.mark.parametrize("num_steps", [1, 3, 31])
def test_methods_go_as_far_on_a_line_as_they_are_said_to(num_steps: int):
    found = check_bound(gd_any_steps_huber_floor()).comparisons
    seen = {c.instance: float(c.bound[0]) for c in found if c.setting["N"] == num_steps}
    floors = {name: 9 / (4 * moved + 2) for name, moved in displacements(num_steps).items()}
    assert seen == pytest.approx(floors, rel=1e-9)


def test_on_a_quadratic_an_exact_search_is_that_of_the_catalog():
    problem = quadratic(1)
    ours, catalog = (
        logged(problem, method, 10)
        for method in (gd_exact_ls().on(problem).method(), make_method(exact_line_search))
    )
    np.testing.assert_allclose(ours.params, catalog.params, rtol=1e-9, atol=1e-12)


# What is refused


def test_kantorovich_needs_positive_eigenvalues():
    case = Case(
        name="saddle",
        symbols={"mu": -1.0, "L": 1.0},
        data=(np.diag([-1.0, 1.0]), np.array([1.0, 0.5])),
    )
    with pytest.raises(OptbenchError, match="a positive definite matrix"):
        kantorovich().on(case)


def test_separable_data_need_a_start_at_zero_and_a_margin():
    problem = separable_examples(0)
    elsewhere = dataclasses.replace(problem, start=start_near(np.ones(5)))
    with pytest.raises(OptbenchError, match="a start at 0"):
        check_bound(gd_logistic_separable(), elsewhere)
    with pytest.raises(OptbenchError, match="gam"):
        gd_logistic_separable().on(problem, h=1.0).values  # noqa: B018


def test_quadratic_growth_needs_its_constant():
    with pytest.raises(OptbenchError, match="gd_qg_convex needs L"):
        check_bound(gd_qg_convex(), robust_regression(0))
