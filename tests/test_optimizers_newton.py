from __future__ import annotations

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from walks import CENTER, MATRIX, QUADRATIC, ROSENBROCK, WAVY, X0, walk, wavy_at, wavy_grad

from optbench.optimizer import Optimizer
from optbench.optimizers.second_order import dense_newton, trust_region
from optbench.optimizers.second_order.dense_newton import (
    cubic_newton,
    damped_newton,
    newton,
    saddle_free_newton,
)
from optbench.optimizers.second_order.trust_region import trust_region_newton
from optbench.oracle import Oracle
from optbench.problem import Problem
from optbench.start import standard_normal

DENSE = [newton(), damped_newton(), saddle_free_newton(), cubic_newton()]


def problem_of(objective, dim: int, *data) -> Problem:
    return Problem(objective=objective, start=standard_normal((dim,)), data=data)


# ---- the formulas once more, in NumPy


def wavy_hessian(x: np.ndarray) -> np.ndarray:
    return MATRIX + 1.2 * np.diag(np.cos(2 * x))


def absolute(matrix: np.ndarray) -> np.ndarray:
    """|H| as (H^T H)^{1/2}."""
    _, sizes, rotation = np.linalg.svd(matrix)
    return rotation.T @ np.diag(sizes) @ rotation


def numpy_newton(x, rate=1.0):
    return x - rate * np.linalg.solve(wavy_hessian(x), wavy_grad(x))


def numpy_saddle_free(x, rate=1.0, damping=1e-3):
    return x - rate * np.linalg.solve(absolute(wavy_hessian(x)) + damping * np.eye(3), wavy_grad(x))


def numpy_damped(x, floor=1e-6, shrink=0.5, fraction=1e-4):
    left, sizes, rotation = np.linalg.svd(wavy_hessian(x))
    raised = rotation.T @ np.diag(np.maximum(sizes, floor * sizes.max())) @ rotation
    g, length = wavy_grad(x), 1.0
    p = -np.linalg.solve(raised, g)
    while wavy_at(x + length * p) > wavy_at(x) + fraction * length * g @ p:
        length *= shrink
    return x + length * p


def numpy_cubic(x, lipschitz=1.0):
    """Its equation by a root finder on |p|, one linear system per trial."""
    h, g = wavy_hessian(x), wavy_grad(x)

    def step(r):
        return -np.linalg.solve(h + lipschitz * r / 2 * np.eye(3), g)

    least = max(0.0, -2 * np.linalg.eigvalsh(h)[0] / lipschitz) * (1 + 1e-12)
    r = scipy.optimize.brentq(
        lambda r: np.linalg.norm(step(r)) - r, least, least + 100.0, xtol=1e-15, rtol=1e-15
    )
    return x + step(r)


SOURCES = [
    (newton(), numpy_newton, {}),
    (newton(0.3), numpy_newton, {"rate": 0.3}),
    (saddle_free_newton(), numpy_saddle_free, {}),
    (saddle_free_newton(0.3, 0.5), numpy_saddle_free, {"rate": 0.3, "damping": 0.5}),
    (damped_newton(), numpy_damped, {}),
    (
        damped_newton(0.4, 0.3, 0.6),
        numpy_damped,
        {"floor": 0.4, "shrink": 0.3, "fraction": 0.6},
    ),
    (cubic_newton(), numpy_cubic, {}),
    (cubic_newton(4.0), numpy_cubic, {"lipschitz": 4.0}),
]


def numpy_walk(rule, num_steps: int, **arguments) -> np.ndarray:
    points, x = [], X0
    for _ in range(num_steps):
        x = rule(x, **arguments)
        points.append(x)
    return np.array(points)


@pytest.mark.parametrize(("optimizer", "rule", "arguments"), SOURCES)
def test_walks_as_the_formulas_say(optimizer: Optimizer, rule, arguments: dict):
    assert np.linalg.eigvalsh(wavy_hessian(X0))[0] < 0  # they differ from the start
    steps = walk(optimizer, WAVY, X0, 4)
    np.testing.assert_allclose(steps.params, numpy_walk(rule, 4, **arguments), atol=1e-10)
    assert np.all(steps.calls.hessian_products == 3)


def test_repairs_of_the_hessian_are_told_apart():
    ends = [walk(optimizer, WAVY, X0, 1).params[0] for optimizer in DENSE]
    gaps = [np.max(np.abs(a - b)) for i, a in enumerate(ends) for b in ends[:i]]
    assert min(gaps) > 1e-4


def test_damped_newton_counts_its_trials():
    steps = walk(damped_newton(shrink=0.3, slope_fraction=0.6), WAVY, X0, 4)
    before = np.vstack([X0, steps.params[:-1]])
    full = np.array([numpy_damped(x, fraction=-1e9) - x for x in before])  # its first trial
    lengths = np.linalg.norm(steps.params - before, axis=1) / np.linalg.norm(full, axis=1)
    refusals = np.rint(np.log(lengths) / np.log(0.3))
    assert steps.calls.values.tolist() == (1 + refusals).tolist()
    assert steps.calls.values.max() > 1


# ---- special cases


@pytest.mark.parametrize(
    "optimizer", [newton(), damped_newton(), saddle_free_newton(damping=0.0), cubic_newton(1e-14)]
)
def test_newton_ends_a_quadratic_in_one_step(optimizer: Optimizer):
    step = walk(optimizer, QUADRATIC, X0, 1)
    np.testing.assert_allclose(step.params[0], CENTER, atol=1e-12)


def complex_square(z, center):
    """Its real Hessian couples the two parts of each number."""
    gap = z - center
    return jnp.sum(gap.real**2 + gap.real * gap.imag + 2 * gap.imag**2)


@pytest.mark.parametrize("optimizer", [*DENSE[:2], trust_region_newton(10.0, forcing=1e-12)])
def test_newton_takes_complex_params(optimizer: Optimizer):
    center = np.array([1 + 2j, -0.5j])
    with jax.enable_x64(True):
        oracle = Oracle(problem_of(complex_square, 2, jnp.asarray(center)))
        seen = oracle.value_and_grad(jnp.zeros(2, complex))
        step = jax.jit(lambda: optimizer.step(seen, optimizer.init(seen.params), oracle))()
        np.testing.assert_allclose(step.params, center, atol=1e-12)
        assert int(step.calls.hessian_products) == 4 or optimizer not in DENSE


def flat(x):
    return x[0] ** 4 + 0.0 * x[1]


@pytest.mark.parametrize("optimizer", [*DENSE, saddle_free_newton(damping=0.0)])
def test_dense_methods_stay_where_gradient_and_curvature_vanish(optimizer: Optimizer):
    steps = walk(optimizer, problem_of(flat, 2), [0.0, 1.0], 3)
    np.testing.assert_array_equal(steps.params, [[0.0, 1.0]] * 3)


def plane(x):
    return x[0] + 2 * x[1]


def test_steps_where_there_is_no_curvature():
    problem, down = problem_of(plane, 2), -np.array([1, 2]) / np.sqrt(5)

    def first(optimizer: Optimizer):
        return walk(optimizer, problem, [1.0, 1.0], 1).params[0] - 1

    assert not np.any(np.isfinite(first(newton())))
    np.testing.assert_allclose(first(damped_newton()), [-1, -2])
    np.testing.assert_allclose(first(saddle_free_newton(damping=0.5)), [-2, -4])
    radius = np.sqrt(2 * np.sqrt(5) / 3)  # M r^2 / 2 = |g|
    np.testing.assert_allclose(first(cubic_newton(3.0)), radius * down)
    np.testing.assert_allclose(first(trust_region_newton(0.5)), 0.5 * down)


# ---- saddles


def saddle(x):
    return (x[0] ** 2 - x[1] ** 2) / 2


SADDLE = problem_of(saddle, 2)


def test_newton_ends_at_the_saddle_that_the_others_escape():
    start = [1.0, 1e-6]
    np.testing.assert_allclose(walk(newton(), SADDLE, start, 3).params, 0, atol=1e-16)
    for optimizer in (*DENSE[1:], trust_region_newton()):
        assert walk(optimizer, SADDLE, start, 25).evaluation.value[-1] < -1
    doubling = walk(saddle_free_newton(damping=0.0), SADDLE, start, 5).params
    np.testing.assert_allclose(doubling[:, 1], 1e-6 * 2.0 ** np.arange(1, 6), rtol=1e-12)
    np.testing.assert_allclose(doubling[:, 0], 0, atol=1e-16)


def test_only_cubic_newton_leaves_a_saddle_from_itself():
    for optimizer in (*DENSE[:3], trust_region_newton()):
        np.testing.assert_array_equal(walk(optimizer, SADDLE, [0.0, 0.0], 2).params, 0)
    step = walk(cubic_newton(0.5), SADDLE, [0.0, 0.0], 1).params[0]
    np.testing.assert_allclose(np.abs(step), [0, 4], atol=1e-15)  # |p| = 2 / M


# ---- the cubic step minimizes its model


def model_of(g, h, lipschitz):
    return lambda p: g @ p + p @ h @ p / 2 + lipschitz * np.linalg.norm(p) ** 3 / 6


def tilted(x, g, h):
    return g @ x + x @ h @ x / 2


def cubic_cases() -> list:
    rng, cases = np.random.default_rng(0), []
    for kind in ("convex", "indefinite", "nearly hard", *["hard"] * 6):
        rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
        curvatures = np.array([-1.0, 0.2, 0.5, 2.0]) + (2 if kind == "convex" else 0)
        slopes = 0.3 * rng.standard_normal(4)
        slopes[0] = {"hard": 0.0, "nearly hard": 1e-9}.get(kind, slopes[0])
        cases.append((kind, rotation @ slopes, rotation @ np.diag(curvatures) @ rotation.T))
    return cases


def model_gap(g, h, lipschitz: float) -> float:
    """How far the step's model value is above the best that scipy finds from many starts."""
    step = walk(cubic_newton(lipschitz), problem_of(tilted, 4, g, h), np.zeros(4), 1).params[0]
    model = model_of(g, h, lipschitz)
    starts = 3 * np.random.default_rng(1).standard_normal((8, 4))
    return model(step) - min(scipy.optimize.minimize(model, p, tol=1e-10).fun for p in starts)


@pytest.mark.parametrize("lipschitz", [0.3, 5.0])
@pytest.mark.parametrize(("kind", "g", "h"), cubic_cases())
def test_the_cubic_step_minimizes_its_model(kind: str, g, h, lipschitz: float):
    assert -1e-6 < model_gap(g, h, lipschitz) < 1e-12
    step = walk(cubic_newton(lipschitz), problem_of(tilted, 4, g, h), np.zeros(4), 1).params[0]
    raised = h + lipschitz * np.linalg.norm(step) / 2 * np.eye(4)
    np.testing.assert_allclose(raised @ step, -g, atol=1e-12)
    assert np.linalg.eigvalsh(raised)[0] > -1e-12


def test_a_defect_in_the_cubic_step_is_seen(monkeypatch: pytest.MonkeyPatch):
    _, g, h = next(case for case in cubic_cases() if case[0] == "indefinite")
    monkeypatch.setattr(dense_newton, "_BISECTIONS", 6)
    assert model_gap(g, h, 0.3) > 1e-6


def cubic_bowl(x):
    return jnp.sum(jnp.abs(x) ** 3) / 3 + jnp.prod(x) / 10


def test_cubic_newton_never_increases_f_with_a_true_constant():
    values = walk(cubic_newton(3.0), problem_of(cubic_bowl, 2), [2.0, -3.0], 15).evaluation.value
    assert np.all(np.diff(values) <= 1e-16) and values[-1] < values[0]


# ---- where they end: scipy as a second source


def scipy_trust_ncg(max_steps: int, start, **options):
    """What scipy reaches, its evaluations, and its Hessian products inside conjugate gradients."""
    products = []

    def product(x, p):
        callers = [frame.function for frame in inspect.stack()[1:4]]
        products.append("__call__" not in callers)  # where it asks for a value of the model
        return scipy.optimize.rosen_hess_prod(x, p)

    end = scipy.optimize.minimize(
        scipy.optimize.rosen,
        start,
        method="trust-ncg",
        jac=scipy.optimize.rosen_der,
        hessp=product,
        options={"gtol": 0.0, "maxiter": max_steps, **options},
    )
    return end.x, end.nfev, sum(products)


@pytest.mark.parametrize(
    ("start", "arguments", "options"),
    [
        ([-1.2, 1.0], (), {}),
        (
            [-1.2, 1.0, 0.5, -0.7],
            (0.3, 0.9, 0.2),
            {"initial_trust_radius": 0.3, "max_trust_radius": 0.9, "eta": 0.2},
        ),
        ([0.0, 3.0, -1.0], (5.0,), {"initial_trust_radius": 5.0}),
    ],
)
def test_trust_region_newton_walks_with_scipy(start, arguments, options):
    counts = [1, 3, 8, 15]
    steps = walk(trust_region_newton(*arguments), ROSENBROCK, start, counts[-1])
    assert len(np.unique(steps.state.radius)) > 1
    for num_steps in counts:
        point, evaluations, products = scipy_trust_ncg(num_steps, start, **options)
        np.testing.assert_allclose(steps.params[num_steps - 1], point, rtol=1e-8)
        assert evaluations == 1 + np.sum(steps.calls.value_and_gradients[:num_steps])
        assert products == np.sum(steps.calls.hessian_products[:num_steps])
    np.testing.assert_array_equal(steps.calls.linear_iterations, steps.calls.hessian_products)


def test_trust_region_newton_is_told_from_another_radius():
    theirs, _, _ = scipy_trust_ncg(8, [-1.2, 1.0], initial_trust_radius=0.1)
    own = walk(trust_region_newton(), ROSENBROCK, [-1.2, 1.0], 8).params[-1]
    assert np.max(np.abs(own - theirs)) > 1e-3


@pytest.mark.parametrize("optimizer", [damped_newton(), trust_region_newton()])
def test_globalized_methods_solve_rosenbrock(optimizer: Optimizer):
    steps = walk(optimizer, ROSENBROCK, [-1.2, 1.0], 40)
    np.testing.assert_allclose(steps.params[-1], 1, atol=1e-9)
    assert np.all(np.diff(steps.evaluation.value) <= 1e-15)


# ---- the trust region


def test_rejected_steps_stay_and_are_counted():
    start = np.array([-1.2, 1.0])
    steps = walk(trust_region_newton(initial_radius=5.0), ROSENBROCK, start, 12)
    before = np.vstack([start, steps.params[:-1]])
    stayed = np.all(steps.params == before, axis=1)
    assert stayed.any() and not stayed.all()
    assert steps.state.num_rejected.tolist() == np.cumsum(stayed).tolist()
    radii = np.append(5.0, steps.state.radius)
    np.testing.assert_array_equal(radii[1:][stayed], radii[:-1][stayed] / 4)
    lengths = np.linalg.norm(steps.params - before, axis=1)
    assert np.all(lengths <= radii[:-1] * (1 + 1e-12))
    assert np.all(steps.calls.value_and_gradients == 1)
    report = trust_region_newton().report(jax.tree.map(lambda leaf: leaf[-1], steps.state))
    assert report["num_rejected"] == stayed.sum()


def test_the_lower_end_of_a_line_of_negative_curvature_is_taken():
    h, problem = np.diag([1.0, 0.3, -0.5]), problem_of(tilted, 3, np.zeros(3), np.eye(3))
    rng, chosen = np.random.default_rng(0), []
    for g in rng.standard_normal((6, 3)):
        first = -(g @ g) / (g @ h @ g) * g
        residual = g + h @ first
        direction = -residual - (residual @ residual) / (g @ g) * g
        if g @ h @ g <= 0 or direction @ h @ direction > 0:
            continue
        radius = 1.2 * np.linalg.norm(first) + 0.5
        square = first @ first - radius**2
        roots = np.roots([direction @ direction, 2 * first @ direction, square])
        ends = first + roots[:, None] * direction
        values = [tilted(end, g, h) for end in ends]
        optimizer = trust_region_newton(radius, forcing=1e-12)
        step = walk(optimizer, dataclasses.replace(problem, data=(g, h)), np.zeros(3), 1)
        np.testing.assert_allclose(step.params[0], ends[np.argmin(values)], rtol=1e-10)
        chosen.append(roots[np.argmin(values)] > 0)
    assert {True, False} == {bool(ahead) for ahead in chosen}


def lifted(x):
    return 1e6 + jnp.sum(jnp.log(jnp.cosh(x)))


def test_trust_region_newton_sees_through_rounding(monkeypatch: pytest.MonkeyPatch):
    def end():
        steps = walk(trust_region_newton(), problem_of(lifted, 3), [0.9, -0.7, 0.4], 15)
        return np.max(np.abs(steps.evaluation.grad[-1])), steps.state.num_rejected[-1]

    gradient, rejected = end()
    assert gradient < 1e-12 and rejected == 0
    monkeypatch.setattr(trust_region, "_ROUNDING_UNITS", 0)
    gradient, rejected = end()
    assert rejected > 0
