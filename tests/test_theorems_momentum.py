"""Second sources for the recursions and instances of momentum and conjugate gradients."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import scipy.optimize

from optbench.bounds.instances import SMOOTHNESS, quadratic, ridge_regression
from optbench.bounds.momentum import conjugate_gradient as cg
from optbench.bounds.momentum.accelerated import displacements, weights
from optbench.bounds.momentum.accelerated_strongly_convex import iteration_matrix
from optbench.bounds.momentum.heavy_ball import hb_not_contraction
from optbench.bounds.momentum.krylov_instances import few_curvatures, outlying_curvatures
from optbench.bounds.momentum.lower import lb_drori_exact, lb_nesterov_convex, lb_nesterov_sc
from optbench.bounds.momentum.lower_instances import chain, resisting, strongly_convex_chain
from optbench.bounds.momentum.optimized_gradient import last_weights
from optbench.bounds.momentum.span_search import _span_search, cg_spansearch_convex
from optbench.case import Case
from optbench.checks import check_bound
from optbench.errors import OptbenchError
from optbench.optimizers.first_order.momentum import momentum, nesterov
from optbench.problem import Constants
from optbench.symbol import gradients_at, values_at

# Exact arithmetic


def slope(x: Fraction, bend: tuple[Fraction, Fraction]) -> Fraction:
    """f'(x) with curvature 25, and 1 on an interval to the right of 0."""
    low, high = bend
    return 25 * x - 24 * (min(max(x, low), high) - low)


def heavy_ball(x: Fraction, before: Fraction, bend: tuple[Fraction, Fraction]) -> Fraction:
    return x - slope(x, bend) / 9 + Fraction(4, 9) * (x - before)


def test_the_heavy_ball_cycles_in_rational_numbers():
    bend = Fraction(1), Fraction(2)
    before, x = Fraction(2592, 1225), Fraction(792, 1225)
    seen = []
    for _ in range(3):
        before, x = x, heavy_ball(x, before, bend)
        seen.append(x)
    assert seen == [Fraction(-2208, 1225), Fraction(2592, 1225), Fraction(792, 1225)]


def test_the_heavy_ball_grows_threefold_in_rational_numbers():
    """From 1 with its bend on the left; mirrored here."""
    bend = Fraction(76, 99), Fraction(16, 9)
    before = x = Fraction(-1)
    path = []
    for _ in range(3):
        before, x = x, heavy_ball(x, before, bend)
        path.append(x)
    assert path == [Fraction(16, 9), Fraction(76, 99), Fraction(-1616, 891)]


def rational_gaps(problem, num_steps: int) -> list[Fraction]:
    """f(x_k) - f* of conjugate gradients, each x_k by elimination in the Krylov space."""
    rows = np.asarray(problem.data[0])
    matrix = [[Fraction(float(h)) for h in row] for row in rows.T @ rows]
    error = [Fraction(float(e)) for e in problem.start(0) - problem.minimizer]

    def product(v):
        return [sum(h * x for h, x in zip(row, v, strict=True)) for row in matrix]

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    gaps, krylov = [dot(error, product(error)) / 2], [product(error)]
    conjugate: list[list[Fraction]] = []
    for _ in range(num_steps):
        new = krylov[-1]
        for old in conjugate:
            share = dot(new, product(old)) / dot(old, product(old))
            new = [n - share * o for n, o in zip(new, old, strict=True)]
        conjugate.append(new)
        share = dot(error, product(new)) / dot(new, product(new))
        error = [e - share * n for e, n in zip(error, new, strict=True)]
        gaps.append(dot(error, product(error)) / 2)
        krylov.append(product(krylov[-1]))
    return gaps


def test_high_precision_agrees_with_rational_numbers():
    problem = few_curvatures(5, 0, 0.0)
    seen = cg._in_high_precision(problem, np.arange(5)).observed
    exact = [float(gap) for gap in rational_gaps(problem, 4)]
    np.testing.assert_allclose(seen, exact, rtol=1e-14)


@pytest.mark.parametrize(("digits", "breaks"), [(16, True), (60, False)])
def test_few_digits_break_the_bound_as_float64_does(
    monkeypatch: pytest.MonkeyPatch, digits: int, breaks: bool
):
    monkeypatch.setattr(cg, "DIGITS", digits)
    theorem = cg.cg_outliers()
    instance = theorem.instances()[0]
    bound = theorem.on(instance.subject, instance.seed, instance.symbols)
    seen = bound.along(theorem.precise)
    assert np.any(seen.observed > 10 * seen.bound) == breaks
    assert breaks or np.all(seen.observed <= seen.bound)


# Closed forms


@pytest.mark.parametrize("curvature", [0.25, 1.0, 4.0])
def test_iteration_matrices_have_the_roots_of_their_recursions(curvature: float):
    """x_{k+1} = (1 + b) (1 - a h) x_k - b (1 - a h) x_{k-1}, and the heavy ball's."""
    a, b = 0.2, 0.6
    shrunk = 1 - a * curvature
    forms = {
        nesterov: [1, -(1 + b) * shrunk, b * shrunk],
        momentum: [1, -(1 + b - a * curvature), b],
    }
    for method, recursion in forms.items():
        found = np.linalg.eigvals(iteration_matrix(method(a, b), np.array([curvature])))
        sizes = np.sort(np.abs(found))[-2:]
        np.testing.assert_allclose(sizes, np.sort(np.abs(np.roots(recursion))), atol=1e-9)


def test_displacements_are_those_of_the_method():
    """With momentum k / (k + 3): (k^2 + 5 k + 2) / 8 and (k^2 + 7 k) / 8."""
    k = np.arange(1, 21)
    points, ahead = displacements((k - 1) / (k + 2))
    np.testing.assert_allclose(points[1:], (k**2 + 5 * k + 2) / 8, rtol=1e-14)
    np.testing.assert_allclose(ahead[1:], (k**2 + 7 * k) / 8, rtol=1e-14)


@pytest.mark.parametrize("num_steps", [1, 4, 10])
def test_nesterovs_chain_is_his(num_steps: int):
    """f and f* of section 2.1.2, and the distance of which the theorem speaks too."""
    problem, dim = chain(num_steps, 0.0), 2 * num_steps + 1
    unit = problem.minimizer[0] * (dim + 1) / dim
    x = np.pad(np.random.default_rng(0).standard_normal(dim), (0, 40 - dim))
    y = x[:dim] / unit
    links = y[0] ** 2 + np.sum(np.diff(y) ** 2) + y[-1] ** 2
    his = SMOOTHNESS / 4 * (links / 2 - y[0]) * unit**2
    lowest = SMOOTHNESS / 8 * (1 / (dim + 1) - 1) * unit**2
    gap = values_at(problem, x[None])[0] - problem.known_minimum
    np.testing.assert_allclose(gap, his - lowest, rtol=1e-12)
    left = np.sum(problem.minimizer[num_steps:] ** 2)
    assert left >= np.sum(problem.minimizer**2) / 8


def test_the_strongly_convex_chain_shows_one_coordinate_per_gradient():
    problem = strongly_convex_chain(0.0)
    x = np.pad(np.random.default_rng(0).standard_normal(7), (0, 33))
    gradient = gradients_at(problem, x[None])[0]
    np.testing.assert_allclose(gradient[8:], 0.0, atol=1e-13)
    np.testing.assert_allclose(problem.minimizer[1:], problem.minimizer[:-1] / 2, rtol=1e-14)


# Solvers


def moreau(problem, x: np.ndarray) -> float:
    """min_y max(0, max_i s_i y_i + c_i) + L |x - y|^2 / 2, as a quadratic program."""
    slopes, offsets, origin, smoothness = problem.data

    def objective(z):
        return z[-1] + smoothness * np.sum((z[:-1] - x) ** 2) / 2

    def slack(z):
        return np.append(z[-1] - slopes * (z[:-1] - origin) - offsets, z[-1])

    start = np.append(x, np.max(np.append(slopes * (x - origin) + offsets, 0.0)))
    found = scipy.optimize.minimize(
        objective,
        start,
        constraints={"type": "ineq", "fun": slack},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return float(found.fun)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_resisting_function_is_the_envelope_of_a_maximum(seed: int):
    problem = resisting(2, 0.0)
    x = problem.start(0) + np.pad(np.random.default_rng(seed).standard_normal(3), (0, 37))
    np.testing.assert_allclose(values_at(problem, x[None])[0], moreau(problem, x), rtol=1e-6)


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_the_resisting_function_shows_one_coordinate_per_gradient(num_steps: int):
    problem = resisting(num_steps, 0.0)
    rng = np.random.default_rng(0)
    for seen in range(num_steps + 1):
        points = np.zeros((20, 40))
        points[:, :seen] = -2 * rng.exponential(size=(20, seen))
        shown = gradients_at(problem, points)
        np.testing.assert_allclose(shown[:, seen + 1 :], 0.0, atol=1e-12)
        gaps = values_at(problem, points)
        assert gaps.min() >= SMOOTHNESS * 1.5**2 / (2 * last_weights(num_steps) ** 2) * (1 - 1e-12)


def test_the_greedy_method_is_conjugate_gradients_on_a_quadratic():
    problem = few_curvatures(5, 0, 0.0)
    searched = _span_search(Case(name="", symbols={}, data=problem), np.arange(5)).observed
    exact = [float(gap) for gap in rational_gaps(problem, 4)]
    np.testing.assert_allclose(searched, exact, rtol=1e-5, atol=1e-12)


# Refusals


def test_the_heavy_ball_tuned_for_25_refuses_a_worse_condition():
    theorem = hb_not_contraction()
    with pytest.raises(OptbenchError, match="a condition number of at most 25"):
        check_bound(theorem, ridge_regression(l2=0.1))


@pytest.mark.parametrize("function", [lb_nesterov_convex, lb_nesterov_sc, lb_drori_exact])
def test_lower_bounds_refuse_other_functions(function):
    theorem = function()
    setting = next(iter(theorem.settings))
    with pytest.raises(OptbenchError, match="does not give it"):
        _ = theorem.on(quadratic(0), **setting).values


def test_outliers_are_not_guessed():
    with pytest.raises(OptbenchError, match="needs inner"):
        _ = cg.cg_outliers().on(outlying_curvatures(0, 0.0)).values


def test_the_greedy_method_refuses_what_is_not_known_to_be_smooth():
    theorem = cg_spansearch_convex()
    case = Case(name="rough", symbols={"L": 1.0, "R": 1.0}, data=quadratic(0))
    assert theorem.on(case, N=1.0).values > 0
    rough = Case(name="rough", symbols={"L": 1.0, "R": 1.0}, data=_without_constants(quadratic(0)))
    with pytest.raises(OptbenchError, match="a smooth convex problem"):
        theorem.on(rough, N=1.0)


def _without_constants(problem):
    return dataclasses.replace(problem, constants=Constants())


def test_weights_grow_by_half_a_step_and_more():
    """t_{k+1}^2 - t_{k+1} = t_k^2, and theta_N^2 - theta_N = 2 theta_{N-1}^2."""
    k = np.arange(30)
    t, following, last = weights(k), weights(k + 1), last_weights(k + 1)
    np.testing.assert_allclose(following**2 - following, t**2, rtol=1e-13)
    np.testing.assert_allclose(last**2 - last, 2 * t**2, rtol=1e-13)
