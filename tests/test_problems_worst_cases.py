"""Worst cases do to plain loops what the theorems say, and no more."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from optbench.errors import OptbenchError
from problems.worst_cases.lines import (
    clipping_worst_case,
    half_line_worst_case,
    heavy_ball_cycle,
    huber_worst_case,
    parabola,
)
from problems.worst_cases.newton import (
    newton_worst_case,
    polyak_lojasiewicz,
    self_concordant_line,
)
from problems.worst_cases.spaces import (
    cg_worst_case,
    cyclic_descent_worst_case,
    frank_wolfe_worst_case,
    kaczmarz_worst_case,
    subgradient_worst_case,
)


def functions(problem):
    """f and its gradient in NumPy, in float64."""
    with jax.enable_x64(True):
        compiled = jax.jit(jax.value_and_grad(lambda x: problem.objective(x, *problem.data)))

    def both(x):
        with jax.enable_x64(True):
            value, grad = compiled(jnp.asarray(x, jnp.float64))
        return float(value), np.asarray(grad)

    return both


def descend(both, point, step, num_steps, project=lambda x: x):
    for _ in range(num_steps):
        point = project(point - step * both(point)[1])
    return point


@pytest.mark.parametrize("strong_convexity", [0.0, 0.2])
@pytest.mark.parametrize(("num_steps", "step"), [(1, 1.0), (10, 1.0), (7, 0.5)])
def test_huber_attains_the_bound_of_gradient_descent(num_steps, step, strong_convexity):
    smoothness, radius = 4.0, 1.5
    problem = huber_worst_case(num_steps, step, smoothness, strong_convexity, radius)
    both = functions(problem)
    reached = both(descend(both, problem.start(0), step / smoothness, num_steps))[0]
    ratio = strong_convexity / smoothness
    bound = smoothness * radius**2 / (4 * num_steps * step + 2)
    if ratio:
        powers = (1 - ratio * step) ** (-2 * num_steps)
        bound = smoothness * radius**2 / 2 * ratio / (ratio - 1 + powers)
    np.testing.assert_allclose(reached, bound, rtol=1e-12)


@pytest.mark.parametrize("strong_convexity", [0.0, 0.2])
def test_a_huber_with_another_kink_leaves_less(strong_convexity):
    def left(kink, num_steps=6):
        point = 1.0
        for _ in range(num_steps):
            inside = np.clip(point, -kink, kink)
            point -= strong_convexity * point + (1 - strong_convexity) * inside
        inside = np.clip(point, -kink, kink)
        excess = (1 - strong_convexity) * inside * (point - inside / 2)
        return strong_convexity * point**2 / 2 + excess

    kink = float(huber_worst_case(6, 1.0, 1.0, strong_convexity).data[2])
    others = np.linspace(0.0, 1.0, 2001)
    assert left(kink) > max(map(left, others)) > 0.99 * left(kink)
    assert left(kink) > max(left(1.03 * kink), left(0.97 * kink))


@pytest.mark.parametrize(("curvature", "step"), [(0.1, 0.5), (1.0, 1.9)])
def test_parabolas_attain_the_bound_of_strongly_convex_functions(curvature, step):
    problem = parabola(curvature)
    reached = descend(functions(problem), problem.start(0), step, 8)
    rate = max(abs(1 - 0.1 * step), abs(1 - step))
    np.testing.assert_allclose(np.abs(reached), rate**8, rtol=1e-13)


def cycle_slope(x):
    return 25 * x if x < 1 else x + 24 if x < 2 else 25 * x - 24


def test_the_cycle_has_the_published_slopes():
    both = functions(heavy_ball_cycle())
    for x in (-2.0, 0.5, 1.0, 1.5, 2.0, 3.3):
        value, slope = both(np.array([x]))
        np.testing.assert_allclose(slope[0], cycle_slope(x), rtol=1e-14)
        area = scipy.integrate.quad(cycle_slope, 0, x, points=[1.0, 2.0])[0]
        np.testing.assert_allclose(value, area, rtol=1e-12)


@pytest.mark.parametrize("start", [3.07, 3.3, 3.46])
def test_the_heavy_ball_cycles_and_gradient_descent_does_not(start):
    before = point = start
    seen = []
    for _ in range(600):
        before, point = point, point - cycle_slope(point) / 9 + 4 / 9 * (point - before)
        seen.append(point)
    expected = np.sort(np.array([2592, -2208, 792]) / 1225)
    np.testing.assert_allclose(np.sort(seen[-3:]), expected, atol=1e-12)
    point = start
    for _ in range(600):
        point -= cycle_slope(point) / 25
    assert abs(point) < 1e-10


def test_clipping_arrives_where_fixed_steps_crawl_or_diverge():
    problem = clipping_worst_case()
    both, start = functions(problem), problem.start(0)
    assert both(np.zeros(1))[0] == problem.minimum == 0.5
    np.testing.assert_allclose(both(start)[0], np.exp(9.0), rtol=1e-14)
    edge = 2 * start[0] / np.exp(9.0)
    assert abs(descend(both, start, 1.01 * edge, 1)[0]) > start[0]
    crawled = descend(both, start, 0.99 * edge, 200)
    point = start
    for _ in range(200):
        slope = both(point)[1]
        point = point - min(0.5, 0.5 / abs(slope[0])) * slope
    assert abs(point[0]) < 1e-12 < 0.1 < abs(crawled[0])


def test_clipping_worst_case_is_generally_smooth():
    curvature, growth = 3.0, 0.5
    both = functions(clipping_worst_case(curvature, growth))
    for x in (0.3, 1.9, 2.1, 7.0):
        slopes = [both(np.array([x + h]))[1][0] for h in (-1e-5, 0.0, 1e-5)]
        second = (slopes[2] - slopes[0]) / 2e-5
        assert second <= (curvature + growth * abs(slopes[1])) * (1 + 1e-8)


def test_the_half_line_attains_the_bound_of_projected_gradient_descent():
    problem = half_line_worst_case(6, 4.0, 1.5)
    both = functions(problem)
    reached = descend(both, problem.start(0), 1 / 4, 6, lambda x: np.maximum(x, 0))
    np.testing.assert_allclose(both(reached)[0], 4 * 1.5**2 / 24, rtol=1e-13)


def test_newton_attains_its_local_bound_in_each_step():
    curvature, bend = 2.0, 3.0
    problem = newton_worst_case(curvature, bend)
    both, x = functions(problem), problem.start(0)[0]

    def second(x):
        return max(curvature - bend * abs(x), curvature / 4)

    for x_edge in (0.1, 0.45, 0.6, -1.0):
        area = scipy.integrate.quad(second, 0, x_edge, points=[-0.5, 0.5])[0]
        np.testing.assert_allclose(both(np.array([x_edge]))[1][0], area, rtol=1e-12)
    for _ in range(4):
        distance = abs(x)
        x = x - both(np.array([x]))[1][0] / second(x)
        bound = bend * distance**2 / (2 * (curvature - bend * distance))
        np.testing.assert_allclose(abs(x), bound, rtol=1e-10)


def test_damped_newton_lands_on_the_center_and_full_newton_leaves_the_domain():
    problem = self_concordant_line()
    both, (start,) = functions(problem), problem.start(0)
    newton = -both(np.array([start]))[1][0] * start**2
    decrement = start - 1
    np.testing.assert_allclose(start + newton / (1 + decrement), 1, rtol=1e-14)
    drop = both(np.array([start]))[0] - problem.minimum
    np.testing.assert_allclose(drop, decrement - np.log1p(decrement), rtol=1e-14)
    np.testing.assert_allclose(start + newton, 1 - decrement**2, rtol=1e-14)
    assert np.isnan(both(np.array([start + newton]))[0])


def test_polyak_lojasiewicz_keeps_its_inequality_without_being_convex():
    grid = np.linspace(-12.0, 12.0, 100_001)
    values, slopes = grid**2 + 3 * np.sin(grid) ** 2, 2 * grid + 3 * np.sin(2 * grid)
    both = functions(polyak_lojasiewicz())
    for x in (0.7, 1.6, -3.0):
        value, slope = both(np.array([x]))
        expected = [x**2 + 3 * np.sin(x) ** 2, 2 * x + 3 * np.sin(2 * x)]
        np.testing.assert_allclose([value, slope[0]], expected, rtol=1e-14)
    assert np.all(slopes**2 >= 2 / 32 * values * (1 - 1e-12))
    assert np.min(np.diff(slopes)) < 0
    assert abs(descend(both, np.array([3.0]), 1 / 8, 400)[0]) < 1e-12


@pytest.mark.parametrize(("num_steps", "kappa"), [(1, 10.0), (5, 100.0), (8, 30.0)])
def test_conjugate_gradients_attain_the_chebyshev_bound(num_steps, kappa):
    problem = cg_worst_case(num_steps, kappa)
    (curvatures,), point = problem.data, problem.start(0)
    first = np.sum(curvatures * point**2) / 2
    residual = direction = -curvatures * point
    for _ in range(num_steps):
        step = residual @ residual / (direction @ (curvatures * direction))
        point, before = point + step * direction, residual @ residual
        residual = residual - step * curvatures * direction
        direction = residual + residual @ residual / before * direction
    reached = np.sum(curvatures * point**2) / 2
    bound = np.cosh(num_steps * np.arccosh((kappa + 1) / (kappa - 1))) ** -2
    np.testing.assert_allclose(reached / first, bound, rtol=1e-9)


def test_subgradients_lower_one_coordinate_each():
    problem = subgradient_worst_case()
    both, point = functions(problem), problem.start(0)
    distance = np.linalg.norm(point - problem.minimizer)
    best = np.inf
    for _ in range(9):
        value, slope = both(point)
        assert np.count_nonzero(slope) == 1
        best = min(best, value)
        point = point - distance / np.sqrt(10) * slope
    best = min(best, both(point)[0])
    bound = distance / np.sqrt(10)
    assert 0.999 * bound < best - problem.minimum <= bound


@pytest.mark.parametrize("dim", [10, 30])
def test_cyclic_descent_is_slow_and_random_descent_is_not(dim):
    coupling = 0.99
    problem = cyclic_descent_worst_case(dim, coupling)
    matrix = np.full((dim, dim), coupling) + (1 - coupling) * np.eye(dim)
    both = functions(problem)
    for seed in range(2):
        point = problem.start(seed)
        value, slope = both(point)
        np.testing.assert_allclose(value, point @ matrix @ point / 2, rtol=1e-13)
        np.testing.assert_allclose(slope, matrix @ point, atol=1e-13)
    lower = np.tril(matrix)
    cyclic = np.max(np.abs(np.linalg.eigvals(np.eye(dim) - np.linalg.solve(lower, matrix))))
    one_random = np.max(np.linalg.eigvalsh(_second_moment(matrix)))
    updates = dim / -np.log(cyclic**2), 1 / -np.log(one_random)
    np.testing.assert_allclose(updates[0] / updates[1], dim**2 / (4 * np.pi**2), rtol=0.05)


def _second_moment(matrix):
    """The mean share of f that an exact update of a random coordinate leaves, as a matrix."""
    root = np.linalg.cholesky(matrix)
    return np.eye(len(matrix)) - root.T @ root / len(matrix)


def test_kaczmarz_keeps_exactly_its_share_in_the_mean():
    problem = kaczmarz_worst_case(6)
    rows, targets = problem.data
    np.testing.assert_allclose(rows @ rows.T, np.eye(6), atol=1e-15)
    error = problem.start(1) - problem.minimizer
    after = [error - row * (row @ error) for row in rows]
    mean = np.mean([np.sum(e**2) for e in after])
    np.testing.assert_allclose(mean, (1 - 1 / 6) * np.sum(error**2), rtol=1e-14)
    both, point = functions(problem), problem.start(1)
    value, slope = both(point)
    np.testing.assert_allclose(value, np.mean((rows @ point - targets) ** 2) / 2, rtol=1e-13)
    np.testing.assert_allclose(slope, error / 6, atol=1e-15)


def test_frank_wolfe_is_no_faster_than_its_lower_bound():
    problem = frank_wolfe_worst_case(20)
    both, point = functions(problem), problem.start(0)
    arrived = point - both(point)[1] / 2
    np.testing.assert_allclose(arrived + (1 - np.sum(arrived)) / 20, problem.minimizer)
    for step in range(1, 15):
        vertex = np.eye(20)[np.argmin(both(point)[1])]
        gap = vertex - point
        size = np.clip(-both(point)[1] @ gap / (2 * gap @ gap), 0, 1)
        point = point + size * gap
        assert both(point)[0] - problem.minimum >= (1 / (step + 1) - 1 / 20) * (1 - 1e-12)
    assert problem.start(3)[3] == 1


MALFORMED = [
    lambda: huber_worst_case(num_steps=0),
    lambda: huber_worst_case(step=2.0),
    lambda: huber_worst_case(strong_convexity=1.0),
    lambda: huber_worst_case(step=1.2, strong_convexity=0.9),  # beyond x* in one step
    lambda: huber_worst_case(num_steps=1000, strong_convexity=0.9),  # at x* in floats
    lambda: huber_worst_case(radius=0.0),
    lambda: parabola(curvature=2.0),
    lambda: clipping_worst_case(growth=0.0),
    lambda: half_line_worst_case(smoothness=-1.0),
    lambda: newton_worst_case(hessian_lipschitz=0.0),
    lambda: cg_worst_case(condition_number=1.0),
    lambda: subgradient_worst_case(depth=0.1),
    lambda: cyclic_descent_worst_case(coupling=1.0),
    lambda: kaczmarz_worst_case(dim=0),
    lambda: kaczmarz_worst_case(batch_size=0),
    lambda: frank_wolfe_worst_case(dim=1),
]


@pytest.mark.parametrize("factory", MALFORMED)
def test_factories_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
