from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from walks import (
    CENTER,
    MATRIX,
    QUADRATIC,
    ROSENBROCK,
    WAVY,
    X0,
    quadratic,
    walk,
    wavy_at,
    wavy_grad,
)

from optbench.errors import NotApplicable
from optbench.optimizer import Step
from optbench.optimizers.second_order import quasi_newton, strong_wolfe
from optbench.optimizers.second_order.quasi_newton import bfgs
from optbench.oracle import Oracle
from optbench.problem import Problem
from optbench.start import standard_normal

ROSEN = scipy.optimize.rosen, scipy.optimize.rosen_der
C1, C2 = 1e-4, 0.9


def problem_of(objective, dim: int, *data) -> Problem:
    return Problem(objective=objective, start=standard_normal((dim,)), data=data)


def accepted(steps: Step, start) -> np.ndarray:
    """The different points of a walk, the start among them."""
    points = np.vstack([start, steps.params])
    moves = np.append(0, steps.state.num_moves)
    return points[np.append(True, np.diff(moves) > 0)]


# ---- the book once more, in NumPy, with its loops one inside the other


class Line:
    """phi and phi' along a line; counts how often it is asked."""

    def __init__(self, value, grad, x, p):
        self.at = lambda t: (value(x + t * p), grad(x + t * p) @ p)
        self.num_asked = 0

    def __call__(self, t: float):
        self.num_asked += 1
        return self.at(t)


def cubic_minimizer(a, b, phi_a, phi_b, slope_a, slope_b):
    d1 = slope_a + slope_b - 3 * (phi_a - phi_b) / (a - b)
    d2 = np.sign(b - a) * np.sqrt(d1**2 - slope_a * slope_b)
    return b - (b - a) * (slope_b + d2 - d1) / (slope_b - slope_a + 2 * d2)


def zoom(line: Line, origin, low, high, c2: float) -> float:
    phi_0, slope_0 = origin
    while True:
        (a, phi_a, slope_a), (b, phi_b, slope_b) = low, high
        t = cubic_minimizer(a, b, phi_a, phi_b, slope_a, slope_b)
        t = np.clip(t, *sorted([a + 0.1 * (b - a), b - 0.1 * (b - a)]))
        phi, slope = line(t)
        if phi > phi_0 + C1 * t * slope_0 or phi >= phi_a:
            high = t, phi, slope
            continue
        if abs(slope) <= -c2 * slope_0:
            return t
        if slope * (b - a) >= 0:
            high = low
        low = t, phi, slope


def search(line: Line, t: float, c2: float) -> float:
    phi_0, slope_0 = line.at(0.0)
    previous = 0.0, phi_0, slope_0
    while True:
        phi, slope = line(t)
        if phi > phi_0 + C1 * t * slope_0 or phi >= previous[1]:
            return zoom(line, (phi_0, slope_0), previous, (t, phi, slope), c2)
        if abs(slope) <= -c2 * slope_0:
            return t
        if slope >= 0:
            return zoom(line, (phi_0, slope_0), (t, phi, slope), previous, c2)
        previous, t = (t, phi, slope), 2 * t


def numpy_bfgs(value, grad, x, num_moves: int, c2: float = C2):
    """The points that BFGS reaches, and how many trials each took."""
    points, trials, inverse, eye = [], [], np.eye(len(x)), np.eye(len(x))
    for k in range(num_moves):
        g = grad(x)
        p = -inverse @ g
        line = Line(value, grad, x, p)
        s = search(line, 1.0 if k else min(1.0, 1 / np.linalg.norm(g)), c2) * p
        y = grad(x + s) - g
        if k == 0:
            inverse = (y @ s) / (y @ y) * eye
        left = eye - np.outer(s, y) / (y @ s)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (y @ s)
        x = x + s
        points.append(x)
        trials.append(line.num_asked)
    return np.array(points), trials


@pytest.mark.parametrize(
    ("problem", "functions", "start", "c2", "num_moves"),
    [
        (WAVY, (wavy_at, wavy_grad), X0, 0.9, 8),
        (WAVY, (wavy_at, wavy_grad), X0, 0.1, 6),
        (ROSENBROCK, ROSEN, np.array([-1.2, 1.0]), 0.9, 12),
        (ROSENBROCK, ROSEN, np.array([-1.2, 1.0, 0.5, -0.7]), 0.2, 12),
    ],
)
def test_bfgs_walks_as_the_book_says(problem, functions, start, c2: float, num_moves: int):
    points, trials = numpy_bfgs(*functions, start, num_moves, c2)
    assert max(trials) > 1
    steps = walk(bfgs(curvature_fraction=c2), problem, start, sum(trials))
    np.testing.assert_allclose(accepted(steps, start)[1:], points, rtol=0, atol=1e-8)
    ends = np.cumsum(trials)
    assert np.flatnonzero(np.diff(np.append(0, steps.state.num_moves))).tolist() == list(ends - 1)
    assert np.all(steps.calls.value_and_gradients == 1)
    assert steps.state.num_failures[-1] == 0


def davidon_fletcher_powell(inverse, moved, change, product):
    image = inverse @ change
    seen = jnp.outer(image, image) / (change @ image)
    return inverse - seen + jnp.outer(moved, moved) / product


def test_another_update_is_told_apart(monkeypatch: pytest.MonkeyPatch):
    start = np.array([-1.2, 1.0])
    points, trials = numpy_bfgs(*ROSEN, start, 6)
    monkeypatch.setattr(quasi_newton, "_updated", davidon_fletcher_powell)
    other = accepted(walk(bfgs(), ROSENBROCK, start, 4 * sum(trials)), start)[1:7]
    np.testing.assert_allclose(other[0], points[0], rtol=1e-12)
    assert np.max(np.abs(other[-1] - points[-1])) > 1e-3


# ---- special case: conjugate gradients


def conjugate_gradients(matrix, center, x, num_steps: int) -> np.ndarray:
    points, r = [], matrix @ (center - x)
    p = r
    for _ in range(num_steps):
        t = r @ r / (p @ matrix @ p)
        x, new = x + t * p, r - t * matrix @ p
        p, r = new + new @ new / (r @ r) * p, new
        points.append(x)
    return np.array(points)


def test_bfgs_with_an_exact_search_is_conjugate_gradients_on_a_quadratic():
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    matrix = rotation @ np.diag([0.1, 0.3, 0.5, 1.0, 1.7, 2.0]) @ rotation.T
    center, start = rng.standard_normal((2, 6))
    expected = conjugate_gradients(matrix, center, start, 6)
    problem = problem_of(quadratic, 6, matrix, center)
    exact = accepted(walk(bfgs(curvature_fraction=1e-9), problem, start, 40), start)[1:7]
    np.testing.assert_allclose(exact, expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(exact[-1], center, atol=1e-7)
    loose = accepted(walk(bfgs(), problem, start, 40), start)[1:7]
    assert np.max(np.abs(loose - expected)) > 1e-2


# ---- the conditions of Wolfe, on what was walked


def violations(steps: Step, start, value, grad) -> tuple[int, int]:
    """How many moves break the first and the second condition."""
    points = accepted(steps, start)
    first = second = 0
    for x, following in itertools.pairwise(points):
        s = following - x
        slope, noise = grad(x) @ s, 20 * np.finfo(float).eps * abs(value(x))
        first += value(following) > value(x) + C1 * slope + noise
        second += abs(grad(following) @ s) > (1 + 1e-9) * C2 * abs(slope)
    return first, second


FAR = np.array([80.0, -60.0, 90.0])
BOWL = partial(quadratic, matrix=MATRIX, center=CENTER), lambda x: MATRIX @ (x - CENTER)


@pytest.mark.parametrize(
    ("problem", "functions", "start"),
    [
        (ROSENBROCK, ROSEN, [-1.2, 1.0]),
        (ROSENBROCK, ROSEN, [-1.2, 1.0, 0.5, -0.7]),
        (ROSENBROCK, ROSEN, [3.0, -4.0]),
        (QUADRATIC, BOWL, FAR),
    ],
)
def test_every_move_meets_both_conditions(problem, functions, start):
    steps = walk(bfgs(), problem, start, 40)
    assert steps.state.num_moves[-1] >= 8
    assert violations(steps, start, *functions) == (0, 0)


def test_conditions_that_are_ignored_are_seen(monkeypatch: pytest.MonkeyPatch):
    first, second = violations(walk(bfgs(1e-4, 1e9), QUADRATIC, FAR, 10), FAR, *BOWL)
    assert first == 0 and second > 0
    monkeypatch.setattr(strong_wolfe, "_ROUNDING_UNITS", 1e18)
    start = [-1.2, 1.0]
    assert violations(walk(bfgs(1e-4, 1e9), ROSENBROCK, start, 10), start, *ROSEN)[0] > 0


# ---- the search alone


def curves() -> list[tuple[Callable, Callable]]:
    """The first three functions of More and Thuente (1994), ACM TOMS 20, section 5."""
    sharp, bend = 0.004, 39

    def third(t):
        near = jnp.where(t <= 0.99, 1 - t, jnp.where(t >= 1.01, t - 1, (t - 1) ** 2 / 0.02 + 0.005))
        return near + 2 * 0.99 / (bend * jnp.pi) * jnp.sin(bend * jnp.pi / 2 * t)

    return [
        lambda t: -t / (t**2 + 2),
        lambda t: (t + sharp) ** 5 - 2 * (t + sharp) ** 4,
        third,
    ]


def searched(phi, first: float, conditions: strong_wolfe.Conditions) -> strong_wolfe.Search:
    with jax.enable_x64(True):
        measure = jax.jit(jax.value_and_grad(phi))
        advance = jax.jit(lambda *seen: strong_wolfe.advance(*seen, conditions))
        search = strong_wolfe.start(*measure(0.0), jnp.asarray(first))
        while not search.is_over:
            search = advance(search, *measure(search.trial))
        return jax.tree.map(np.asarray, search)


@pytest.mark.parametrize("phi", curves())
@pytest.mark.parametrize("c2", [0.1, 1e-3])
def test_the_search_solves_hard_curves_from_far_and_near(phi, c2: float):
    for first in (1e-3, 0.1, 10.0, 1e3):
        end = searched(phi, first, strong_wolfe.Conditions(curvature_fraction=c2))
        with jax.enable_x64(True):
            value, slope = jax.value_and_grad(phi)(float(end.trial))
        assert end.accepted and not end.failed
        assert value <= end.origin.value + C1 * end.trial * end.origin.slope
        assert abs(slope) <= c2 * abs(end.origin.slope)


def test_the_search_ends_where_no_length_meets_both_conditions():
    down = searched(lambda t: -t, 1.0, strong_wolfe.Conditions(max_trials=5))
    assert down.accepted and down.num_trials == 5
    assert down.trial == 2.0**3  # of 1, 2, 4, 8: the lowest, tried once more
    uphill = searched(lambda t: jnp.abs(t) ** 1.5 - 1e-30 * t, 1.0, strong_wolfe.Conditions())
    assert uphill.failed and not uphill.accepted and uphill.num_trials == 30


# ---- where it ends: scipy as a second source


def scipy_bfgs(functions, start):
    value, grad = functions
    options = {"gtol": 1e-6}
    return scipy.optimize.minimize(value, start, jac=grad, method="BFGS", options=options)


def evaluations(steps: Step) -> int:
    """How many it takes to |grad f|_inf <= 1e-6, the one at the start included."""
    return 2 + int(np.argmax(np.max(np.abs(steps.evaluation.grad), axis=1) <= 1e-6))


@pytest.mark.parametrize("start", [np.array([-1.2, 1.0]), np.full(10, 0.5)])
def test_bfgs_reaches_on_rosenbrock_what_scipy_reaches(start):
    theirs = scipy_bfgs(ROSEN, start)
    steps = walk(bfgs(), ROSENBROCK, start, 130)
    np.testing.assert_allclose(steps.params[-1], 1, atol=1e-9)
    np.testing.assert_allclose(theirs.x, 1, atol=1e-5)
    assert evaluations(steps) < 1.5 * theirs.nfev


def logistic(w, inputs, signs):
    return jnp.mean(jnp.logaddexp(0, -signs * (inputs @ w))) + 5e-3 * jnp.sum(w**2)


def logistic_problem() -> tuple[Problem, tuple[Callable, Callable]]:
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((40, 5))
    signs = np.sign(inputs @ rng.standard_normal(5) + rng.standard_normal(40))

    def value(w):
        return np.mean(np.logaddexp(0, -signs * (inputs @ w))) + 5e-3 * w @ w

    def grad(w):
        shares = signs / (1 + np.exp(signs * (inputs @ w)))
        return -inputs.T @ shares / len(signs) + 1e-2 * w

    return problem_of(logistic, 5, inputs, signs), (value, grad)


def test_bfgs_reaches_on_a_logistic_loss_what_scipy_reaches():
    problem, functions = logistic_problem()
    theirs = scipy_bfgs(functions, np.zeros(5))
    steps = walk(bfgs(), problem, np.zeros(5), 40)
    assert np.max(np.abs(steps.evaluation.grad[-1])) < 1e-12
    np.testing.assert_allclose(steps.params[-1], theirs.x, atol=1e-5)
    assert evaluations(steps) < 1.5 * theirs.nfev
    assert np.all(np.diff(steps.evaluation.value) <= 1e-14)


# ---- rounding, poles, planes, kinks, complex numbers, samples


def wobbling(x):
    """A bowl and a large constant whose rounding depends on x."""
    heights = jnp.logspace(-2, 0, x.size) * jnp.log(jnp.cosh(x))
    return jnp.sum(heights + 1e7 * (jnp.sin(7 * x) ** 2 + jnp.cos(7 * x) ** 2))


def test_bfgs_sees_through_rounding():
    start = np.array([0.9, -0.7, 0.4, 1.1, -0.5, 0.8])
    steps = walk(bfgs(), problem_of(wobbling, 6), start, 60)
    assert np.max(np.abs(steps.evaluation.grad[-1])) < 1e-12
    assert steps.state.num_failures[-1] == 0


def after_one_trial(rise: float) -> strong_wolfe.Search:
    """A trial with a small slope, at a value that lies `rise` above the one at the origin."""
    with jax.enable_x64(True):
        value, slope, trial = jnp.asarray(1e7), jnp.asarray(-1e-6), jnp.asarray(1.0)
        search = strong_wolfe.start(value, slope, trial)
        return strong_wolfe.advance(search, value + rise, slope / 10, strong_wolfe.Conditions())


def test_a_rise_within_rounding_is_no_rise(monkeypatch: pytest.MonkeyPatch):
    unit = np.finfo(float).eps * 1e7
    assert after_one_trial(2 * unit).accepted
    assert not after_one_trial(20 * unit).accepted
    monkeypatch.setattr(strong_wolfe, "_ROUNDING_UNITS", 0)
    assert not after_one_trial(2 * unit).accepted
    assert after_one_trial(0.0).accepted  # the decrease asked for is lost in rounding


def barrier(x):
    return jnp.sum(100 * x - jnp.log(x))


def test_trials_that_are_not_finite_are_shrunk():
    steps = walk(bfgs(), problem_of(barrier, 2), [0.02, 0.5], 60)
    np.testing.assert_allclose(steps.params[-1], 0.01, rtol=1e-7)
    assert np.all(steps.params > 0) and np.all(np.isfinite(steps.evaluation.value))
    stayed = np.all(np.diff(steps.params, axis=0) == 0, axis=1)
    assert stayed[:2].all()  # the first trials are on the other side of the pole


def plane(x):
    return x[0] + 2 * x[1]


def test_the_lowest_trial_is_taken_where_a_search_ends_without_success():
    steps = walk(bfgs(max_trials=4), problem_of(plane, 2), [1.0, 1.0], 8)
    np.testing.assert_array_equal(np.diff(steps.state.num_moves), [0, 0, 1, 0, 0, 0, 1])
    assert np.all(np.diff(steps.evaluation.value)[[2, 6]] < 0)
    np.testing.assert_array_equal(steps.state.num_updates, 0)  # y = 0 teaches nothing


@jax.custom_jvp
def misleading(x):
    return jnp.sum(x**2)


@misleading.defjvp
def _uphill(primals, tangents):
    (x,), (v,) = primals, tangents
    return misleading(x), -2 * jnp.sum(x * v)


def test_a_search_that_fails_stays_and_forgets_the_hessian():
    optimizer = bfgs(max_trials=5)
    steps = walk(optimizer, problem_of(misleading, 2), [1.0, 2.0], 10)
    np.testing.assert_array_equal(steps.params, [[1.0, 2.0]] * 10)
    last = jax.tree.map(lambda leaf: jnp.asarray(leaf[-1]), steps.state)
    assert optimizer.report(last) == {"num_moves": 0, "num_failures": 2}
    np.testing.assert_array_equal(last.inverse_hessian, np.eye(2))


def complex_square(z, center):
    gap = z - center
    return jnp.sum(gap.real**2 + gap.real * gap.imag + 2 * gap.imag**2)


def test_bfgs_takes_complex_params():
    center = np.array([1 + 2j, -0.5j])
    problem = problem_of(complex_square, 2, jnp.asarray(center))
    with jax.enable_x64(True):
        oracle, optimizer = Oracle(problem), bfgs()
        seen = oracle.value_and_grad(jnp.zeros(2, complex))
        state, step = optimizer.init(seen.params), jax.jit(optimizer.step, static_argnums=2)
        for _ in range(25):
            _, state, _, seen = step(seen, state, oracle)
        np.testing.assert_allclose(seen.params, center, atol=1e-9)


def sampled(x, key):
    return jnp.sum(x**2)


def test_bfgs_refuses_sampled_objectives():
    problem = dataclasses.replace(problem_of(plane, 2), sample_loss=sampled)
    with pytest.raises(NotApplicable, match="another sample"):
        walk(bfgs(), problem, [1.0, 1.0], 1)
