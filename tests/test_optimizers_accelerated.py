from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import CENTER, MATRIX, QUADRATIC, WAVY, X0, walk, wavy_at, wavy_grad

from optbench.optimizer import Optimizer
from optbench.optimizers.first_order.accelerated import (
    chebyshev,
    fista,
    nesterov_convex,
    nesterov_strongly_convex,
    optimized_gradient,
    triple_momentum,
)
from optbench.optimizers.first_order.anderson import _shortest
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.momentum import momentum
from optbench.optimizers.first_order.step_sizes import (
    cyclic_coordinate_descent,
    exact_line_search,
    normalized_gradient_descent,
    polyak_step,
    random_coordinate_descent,
    sign_gradient_descent,
    silver_steps,
    subgradient,
)
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Problem
from optbench.start import start_near
from problems.quadratics import ill_conditioned_bowl
from problems.worst_cases.spaces import cyclic_descent_worst_case, subgradient_worst_case

SILVER = 1 + np.sqrt(2)


def reported(optimizer: Optimizer, problem: Problem, start, num_steps: int) -> np.ndarray:
    """The points it reports after each step."""
    steps = walk(optimizer, problem, start, num_steps)
    if optimizer.eval_params is None:
        return steps.params
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(optimizer.eval_params)(steps.params, steps.state))


def values_of(optimizer: Optimizer, problem: Problem, start, num_steps: int) -> np.ndarray:
    """f at the points it steps to."""
    seen = walk(optimizer, problem, start, num_steps).evaluation
    assert seen is not None
    return seen.value


# ---- a second source: the papers' formulas in NumPy, in another form where there is one


def next_weight(t: float) -> float:
    return (1 + np.sqrt(1 + 4 * t**2)) / 2


def numpy_nesterov_convex(grad, y, num_steps, L):
    """The form with three sequences, one of which sums weighted gradients."""
    z, t, points = y, 1.0, []
    for _ in range(num_steps):
        x, z = y - grad(y) / L, z - t * grad(y) / L
        t = next_weight(t)
        y = (1 - 1 / t) * x + z / t
        points.append((y, x))
    return points


def numpy_optimized_gradient(grad, x, num_steps, L):
    z, t, points = x, 1.0, []
    for _ in range(num_steps):
        y, z = x - grad(x) / L, z - 2 * t * grad(x) / L
        last = (1 + np.sqrt(1 + 8 * t**2)) / 2
        t = next_weight(t)
        x = (1 - 1 / t) * y + z / t
        points.append((x, (1 - 1 / last) * y + z / last))
    return points


def numpy_nesterov_strongly_convex(grad, y, num_steps, L, mu):
    beta, x, points = (np.sqrt(L / mu) - 1) / (np.sqrt(L / mu) + 1), y, []
    for _ in range(num_steps):
        previous, x = x, y - grad(y) / L
        y = x + beta * (x - previous)
        points.append((y, x))
    return points


def numpy_triple_momentum(grad, xi, num_steps, L, mu):
    rho = 1 - np.sqrt(mu / L)
    beta, gamma = rho**2 / (2 - rho), rho**2 / ((1 + rho) * (2 - rho))
    delta, before, y, points = rho**2 / (1 - rho**2), xi, xi, []
    for _ in range(num_steps):
        xi, before = (1 + beta) * xi - beta * before - (1 + rho) / L * grad(y), xi
        y = (1 + gamma) * xi - gamma * before
        points.append((y, (1 + delta) * xi - delta * before))
    return points


def numpy_chebyshev(grad, x, num_steps, L, mu):
    """Saad (2003), algorithm 12.1."""
    theta, delta = (L + mu) / 2, (L - mu) / 2
    sigma, points = theta / delta, []
    rho, d = 1 / sigma, -grad(x) / theta
    for _ in range(num_steps):
        x = x + d
        previous, rho = rho, 1 / (2 * sigma - rho)
        d = rho * previous * d - 2 * rho / delta * grad(x)
        points.append((x, x))
    return points


ACCELERATED = [
    (nesterov_convex, numpy_nesterov_convex, {"L": 3.0}),
    (fista, numpy_nesterov_convex, {"L": 3.0}),
    (optimized_gradient, numpy_optimized_gradient, {"L": 3.0}),
    (nesterov_strongly_convex, numpy_nesterov_strongly_convex, {"L": 3.0, "mu": 0.2}),
    (triple_momentum, numpy_triple_momentum, {"L": 3.0, "mu": 0.2}),
    (chebyshev, numpy_chebyshev, {"L": 3.0, "mu": 0.2}),
]


@pytest.mark.parametrize(("factory", "rule", "constants"), ACCELERATED)
def test_accelerated_walks_as_the_papers_say(factory, rule, constants):
    optimizer = factory(*constants.values())
    ahead, points = np.moveaxis(rule(wavy_grad, X0, 20, **constants), 1, 0)
    np.testing.assert_allclose(walk(optimizer, WAVY, X0, 20).params, ahead, rtol=0, atol=1e-12)
    walked = reported(optimizer, WAVY, X0, 20)
    np.testing.assert_allclose(walked, points, rtol=0, atol=1e-12)
    other = np.moveaxis(rule(wavy_grad, X0, 20, **constants | {"L": 3.001}), 1, 0)[1]
    assert np.max(np.abs(walked - other)) > 1e-6


def numpy_subgradient(x, k, rate):
    g = wavy_grad(x)
    return x - rate / np.sqrt(k + 1) * g / np.linalg.norm(g)


def numpy_normalized(x, k, rate):
    return x - rate * wavy_grad(x) / np.linalg.norm(wavy_grad(x))


def numpy_sign(x, k, rate):
    return x - rate * np.sign(wavy_grad(x))


def numpy_polyak(x, k, minimum):
    g = wavy_grad(x)
    return x - max(wavy_at(x) - minimum, 0) / (g @ g) * g


def numpy_exact(x, k):
    g = wavy_grad(x)
    hessian = MATRIX + np.diag(1.2 * np.cos(2 * x))
    return x - g @ g / abs(g @ hessian @ g) * g


def numpy_silver(x, k, L):
    """The schedule by its recursion h -> (h, 1 + rho^(m - 1), h)."""
    steps: list[float] = []
    for m in range(6):
        steps = [*steps, 1 + SILVER ** (m - 1), *steps]
    return x - steps[k] / L * wavy_grad(x)


def numpy_cyclic(x, k, rate):
    return x - rate * wavy_grad(x) * (np.arange(3) == k % 3)


SIMPLE = [
    (subgradient(0.3), numpy_subgradient, {"rate": 0.3}),
    (normalized_gradient_descent(0.3), numpy_normalized, {"rate": 0.3}),
    (sign_gradient_descent(0.3), numpy_sign, {"rate": 0.3}),
    (polyak_step(-0.95), numpy_polyak, {"minimum": -0.95}),
    (polyak_step(0.5), numpy_polyak, {"minimum": 0.5}),
    (exact_line_search(), numpy_exact, {}),
    (silver_steps(3.0), numpy_silver, {"L": 3.0}),
    (cyclic_coordinate_descent(0.3), numpy_cyclic, {"rate": 0.3}),
]


@pytest.mark.parametrize(("optimizer", "rule", "arguments"), SIMPLE)
def test_each_step_is_that_of_the_formula(optimizer, rule, arguments):
    walked = walk(optimizer, WAVY, X0, 20).params
    points = np.concatenate([[X0], walked[:-1]])
    expected = np.array([rule(x, k, **arguments) for k, x in enumerate(points)])
    np.testing.assert_allclose(walked, expected, rtol=1e-10, atol=1e-12)
    for name, value in arguments.items():
        other = np.array([rule(x, k, **{name: value + 1e-3}) for k, x in enumerate(points)])
        assert np.max(np.abs(walked - other)) > 1e-6


# ---- published bounds on smooth convex functions, and who crosses them


def huber(x, kink):
    size = jnp.abs(x)
    return jnp.sum(jnp.where(size <= kink, x**2 / 2, kink * (size - kink / 2)))


def huber_at(x: np.ndarray, kink: float) -> np.ndarray:
    return np.where(np.abs(x) <= kink, x**2 / 2, kink * (np.abs(x) - kink / 2))[:, 0]


def suboptimality_on_huber(optimizer: Optimizer, kink: float, num_steps: int) -> np.ndarray:
    """f(x_k) - f* for k = 1, 2, ..., with L = 1 and |x_0 - x*| = 1."""
    problem = Problem(objective=huber, start=start_near(np.ones(1)), data=(np.float64(kink),))
    return huber_at(reported(optimizer, problem, [1.0], num_steps), kink)


def last_weights(num_steps: int) -> np.ndarray:
    t, found = 1.0, []
    for _ in range(num_steps):
        found.append((1 + np.sqrt(1 + 8 * t**2)) / 2)
        t = next_weight(t)
    return np.array(found)


OGM_BOUND = 1 / (2 * last_weights(30) ** 2)
NESTEROV_BOUND = 2 / (np.arange(1, 31) + 1) ** 2


@pytest.mark.parametrize(
    ("factory", "bound"),
    [
        (optimized_gradient, OGM_BOUND),
        (nesterov_convex, NESTEROV_BOUND),
        (fista, NESTEROV_BOUND),
    ],
)
def test_accelerated_methods_keep_their_bound_where_gradient_descent_crosses_it(factory, bound):
    for kink in (0.5, 1 / 41, 1 / 121, float(1 / last_weights(20)[-1] ** 2)):
        assert np.all(suboptimality_on_huber(factory(1.0), kink, 30) <= bound * (1 + 1e-9))
    largest = np.linalg.eigvalsh(MATRIX)[-1]
    points = reported(factory(largest), QUADRATIC, X0, 30) - CENTER
    values = np.einsum("ki,ij,kj->k", points, MATRIX, points) / 2
    assert np.all(values <= bound * largest * np.sum((X0 - CENTER) ** 2))
    slower = suboptimality_on_huber(gradient_descent(1.0), 1 / 41, 30)
    assert np.any(slower > bound)


@pytest.mark.parametrize("num_steps", [1, 5, 20])
def test_optimized_gradient_attains_its_bound_at_the_step_it_could_end_with(num_steps: int):
    bound = OGM_BOUND[num_steps - 1]
    values = suboptimality_on_huber(optimized_gradient(1.0), 2 * bound, num_steps)
    np.testing.assert_allclose(values[-1], bound, rtol=1e-12)
    parabola = suboptimality_on_huber(optimized_gradient(1.0), 100.0, num_steps)
    np.testing.assert_allclose(parabola[-1], bound, rtol=1e-12)
    if num_steps > 1:
        others = suboptimality_on_huber(nesterov_convex(1.0), 2 * bound, num_steps)
        assert others[-1] > 1.1 * bound


def test_silver_steps_have_the_published_exponent_and_constant_steps_do_not():
    exponents = {}
    for name, optimizer in (("silver", silver_steps(1.0)), ("constant", gradient_descent(1.0))):
        worst = []
        for m in (5, 6, 7):
            n = 2**m - 1
            travelled = SILVER**m - 1 if name == "silver" else n
            kink = 1 / (2 * travelled + 1)
            worst.append(suboptimality_on_huber(optimizer, kink, n)[-1])
            np.testing.assert_allclose(worst[-1], 1 / (4 * travelled + 2), rtol=1e-9)
        exponents[name] = np.log2(worst[1] / worst[2])
    assert abs(exponents["silver"] - np.log2(SILVER)) < 0.005
    assert abs(exponents["constant"] - 1) < 0.02


# ---- rates on strongly convex quadratics

MU, L = 0.01, 1.0
CURVATURES = np.concatenate([[MU], np.linspace(0.05, 0.9, 7), [L]])


def diagonal(x, curvatures):
    return jnp.sum(curvatures * x**2) / 2


DIAGONAL = Problem(objective=diagonal, start=start_near(np.ones(9)), data=(CURVATURES,))


def rate(optimizer: Optimizer) -> float:
    """The factor per step by which the distance to x* = 0 falls in the end."""
    distances = np.linalg.norm(reported(optimizer, DIAGONAL, np.ones(9), 150), axis=1)
    return float((distances[149] / distances[99]) ** (1 / 50))


def test_triple_momentum_contracts_by_its_rate_and_nesterov_more_slowly():
    rho = 1 - np.sqrt(MU / L)
    assert rho - 1e-3 < rate(triple_momentum(L, MU)) < rho + 1e-3
    assert rate(nesterov_strongly_convex(L, MU)) > rho + 0.005  # it falls like sqrt(rho) k rho^k
    assert rate(triple_momentum(L, 4 * MU)) > rho + 1e-3  # told the wrong constant


def test_nesterov_keeps_its_bound_on_strongly_convex_quadratics():
    points = reported(nesterov_strongly_convex(L, MU), DIAGONAL, np.ones(9), 100)
    values = points**2 @ CURVATURES / 2
    first = np.sum(CURVATURES) / 2 + MU * 9 / 2
    bound = (1 - np.sqrt(MU / L)) ** np.arange(1, 101) * first
    assert np.all(values <= bound)
    slower = reported(gradient_descent(1 / L), DIAGONAL, np.ones(9), 100) ** 2 @ CURVATURES / 2
    assert np.any(slower > bound)


def test_chebyshev_attains_its_polynomial():
    middle, radius = (L + MU) / 2, (L - MU) / 2
    points = walk(chebyshev(L, MU), DIAGONAL, np.ones(9), 40).params
    for k in (1, 2, 3, 10, 40):
        polynomial = np.polynomial.Chebyshev.basis(k)
        bound = 1 / polynomial(middle / radius)
        expected = polynomial((middle - CURVATURES) / radius) * bound
        np.testing.assert_allclose(points[k - 1], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(np.max(np.abs(points[k - 1])), bound, rtol=1e-9)
    r = (np.sqrt(L) - np.sqrt(MU)) / (np.sqrt(L) + np.sqrt(MU))
    stationary = momentum(4 / (np.sqrt(L) + np.sqrt(MU)) ** 2, r**2)
    assert np.max(np.abs(walk(stationary, DIAGONAL, np.ones(9), 40).params[-1])) > 1.1 * bound


@pytest.mark.parametrize("factory", [chebyshev, triple_momentum, nesterov_strongly_convex])
def test_equal_constants_end_a_round_quadratic_in_one_step(factory):
    round_ = Problem(objective=diagonal, start=start_near(np.ones(3)), data=(np.full(3, 2.0),))
    np.testing.assert_allclose(reported(factory(2.0, 2.0), round_, X0, 4), 0, atol=1e-15)


def test_exact_line_search_zigzags():
    kappa = 10.0
    steps = walk(exact_line_search(), ill_conditioned_bowl(kappa), [kappa, 1.0], 30)
    k, r = np.arange(1, 31), (kappa - 1) / (kappa + 1)
    expected = np.stack([kappa * r**k, (-r) ** k], axis=1)
    np.testing.assert_allclose(steps.params, expected, rtol=1e-10)
    assert steps.calls.hessian_products.tolist() == [1] * 30
    fixed = walk(gradient_descent(1 / kappa), ill_conditioned_bowl(kappa), [kappa, 1.0], 30)
    assert np.max(np.abs(fixed.params - expected)) > 0.1


# ---- prox


def half_square(x, matrix, center):
    return (x - center) @ matrix @ (x - center) / 2


def one_norm(x, matrix, center):
    return 0.8 * jnp.sum(jnp.abs(x))


def lasso(x, matrix, center):
    return half_square(x, matrix, center) + one_norm(x, matrix, center)


def shrink(x, step, matrix, center):
    return jnp.sign(x) * jnp.maximum(jnp.abs(x) - 0.8 * step, 0.0)


def clip(x, step, matrix, center):
    return jnp.clip(x, -1.0, 1.0)


LASSO = Problem(
    objective=lasso,
    start=start_near(X0),
    data=(MATRIX, CENTER),
    nonsmooth=one_norm,
    prox=shrink,
)
BOX = Problem(objective=half_square, start=start_near(X0), data=(MATRIX, CENTER), prox=clip)


def numpy_fista(prox, x, num_steps, L):
    y, t, points = x, 1.0, []
    for _ in range(num_steps):
        previous, x = x, prox(y - MATRIX @ (y - CENTER) / L, 1 / L)
        before, t = t, next_weight(t)
        y = x + (before - 1) / t * (x - previous)
        points.append(x)
    return np.array(points)


def numpy_shrink(x, step):
    return np.sign(x) * np.maximum(np.abs(x) - 0.8 * step, 0)


def numpy_clip(x, step):
    return np.clip(x, -1, 1)


@pytest.mark.parametrize(("problem", "prox"), [(LASSO, numpy_shrink), (BOX, numpy_clip)])
def test_fista_walks_as_the_paper_says(problem: Problem, prox):
    walked = reported(fista(1.5), problem, X0, 30)
    np.testing.assert_allclose(walked, numpy_fista(prox, X0, 30, 1.5), rtol=0, atol=1e-12)
    assert np.max(np.abs(walked - reported(nesterov_convex(1.5), problem, X0, 30))) > 0.01
    assert walk(fista(1.5), problem, X0, 30).calls.prox.tolist() == [1] * 30


def test_fista_reports_feasible_points_and_steps_from_others():
    steps = walk(fista(1.5), BOX, [-1.0, 1.0, -1.0], 30)
    assert np.max(np.abs(reported(fista(1.5), BOX, [-1.0, 1.0, -1.0], 30))) <= 1
    assert np.max(np.abs(steps.params)) > 1


def test_fista_keeps_its_bound_and_ends_at_the_lasso_solution():
    def value(x):
        return (x - CENTER) @ MATRIX @ (x - CENTER) / 2 + 0.8 * np.sum(np.abs(x))

    points = reported(fista(1.5), LASSO, X0, 400)
    end = points[-1]
    slopes = MATRIX @ (end - CENTER)
    assert 0 < np.sum(end == 0) < 3
    assert np.all(np.abs(slopes[end == 0]) <= 0.8)
    np.testing.assert_allclose(slopes[end != 0], -0.8 * np.sign(end[end != 0]), atol=1e-6)
    gaps = np.array([value(x) for x in points[:50]]) - value(end)
    bound = 2 * 1.5 * np.sum((X0 - end) ** 2) / (np.arange(1, 51) + 1) ** 2
    assert np.all(gaps <= bound)


# ---- what single step sizes promise


def one_norm_only(x):
    return jnp.sum(jnp.abs(x))


def plane(x):
    return jnp.sum(x)


def test_polyak_step_ends_on_a_line_at_once_and_never_moves_away():
    absolute = Problem(objective=one_norm_only, start=start_near(np.ones(1)))
    assert walk(polyak_step(0.0), absolute, [3.7], 1).params.tolist() == [[0.0]]
    distances = np.linalg.norm(walk(polyak_step(0.0), QUADRATIC, X0, 50).params - CENTER, axis=1)
    assert np.all(np.diff(distances) < 0)
    wrong = np.linalg.norm(walk(polyak_step(-9.0), QUADRATIC, X0, 50).params - CENTER, axis=1)
    assert np.any(np.diff(wrong) > 0)


def test_subgradient_keeps_its_bound_on_the_best_point():
    problem = subgradient_worst_case(num_steps=9, slope=2.0, depth=1.0)
    start, minimizer = problem.start(0), -np.ones(10)
    distance = float(np.linalg.norm(start - minimizer))
    values = values_of(subgradient(distance), problem, start, 200)
    best = np.minimum.accumulate(values) - problem.minimum
    lengths = distance / np.sqrt(np.arange(1, 202))
    bound = 2.0 * (distance**2 + np.cumsum(lengths**2)) / (2 * np.cumsum(lengths))
    assert np.all(best <= bound[1:])
    shorter = values_of(subgradient(distance / 1000), problem, start, 200)
    assert np.any(np.minimum.accumulate(shorter) - problem.minimum > bound[1:])


@pytest.mark.parametrize("factory", [normalized_gradient_descent, subgradient])
def test_normalized_steps_stay_short_where_squares_underflow(factory):
    point, grad = jnp.zeros(3), jnp.array([1e-25, -1e-30, 0.0])
    optimizer = factory(0.1)
    seen = Evaluation(point, jnp.float32(0), grad)
    step = optimizer.step(seen, optimizer.init(point), Oracle(QUADRATIC))
    assert float(jnp.linalg.norm(step.params)) <= 0.1


def test_exact_line_search_stays_where_there_is_no_curvature():
    flat = Problem(objective=plane, start=start_near(np.ones(3)))
    np.testing.assert_array_equal(walk(exact_line_search(), flat, X0, 3).params, [X0] * 3)


# ---- coordinates


def test_cyclic_descent_is_gauss_seidel():
    problem, start = cyclic_descent_worst_case(5, 0.7), np.linspace(-1, 2, 5)
    matrix = 0.3 * np.eye(5) + 0.7
    sweeps = walk(cyclic_coordinate_descent(1.0), problem, start, 15).params[4::5]
    x = start
    for swept in sweeps:
        x = np.linalg.solve(np.tril(matrix), -np.triu(matrix, 1) @ x)
        np.testing.assert_allclose(swept, x, atol=1e-13)


def test_random_descent_draws_all_coordinates_and_moves_one():
    problem, start = cyclic_descent_worst_case(5, 0.7), np.linspace(-1, 2, 5)
    matrix = 0.3 * np.eye(5) + 0.7
    walked = walk(random_coordinate_descent(0.5), problem, start, 200).params
    points = np.concatenate([[start], walked])
    moved = points[1:] != points[:-1]
    assert np.all(np.sum(moved, axis=1) == 1)
    expected = points[:-1] - 0.5 * (points[:-1] @ matrix) * moved
    np.testing.assert_allclose(points[1:], expected, atol=1e-15)
    counts = np.sum(moved, axis=0)
    assert np.sum((counts - 40) ** 2 / 40) < 18.5  # chi-square, 4 degrees: p = 0.001
    other = walk(random_coordinate_descent(0.5, seed=1), problem, start, 200).params
    assert np.any((other != np.concatenate([[start], other[:-1]])) != moved)


def test_a_fixed_order_is_slower_than_a_random_one_on_its_worst_case():
    problem, start = cyclic_descent_worst_case(10, 0.99), np.linspace(-1, 2, 10)
    cyclic, random = (
        values_of(optimizer, problem, start, 2000)[-1]
        for optimizer in (cyclic_coordinate_descent(1.0), random_coordinate_descent(1.0))
    )
    assert random < cyclic / 2


def test_anderson_mixes_residuals_of_any_size_alike_and_none_that_is_no_number():
    rng = np.random.default_rng(0)
    changes, residual = rng.standard_normal((6, 3)), rng.standard_normal(6)
    with jax.enable_x64(True):
        wanted = _shortest(jnp.asarray(changes), jnp.asarray(residual))
        np.testing.assert_allclose(
            wanted, np.linalg.lstsq(changes, residual, rcond=None)[0], rtol=1e-12
        )
        for power in (-900, 900):  # squared, they would leave the range of float64
            huge = [jnp.asarray(part * 2.0**power) for part in (changes, residual)]
            np.testing.assert_array_equal(_shortest(*huge), wanted)
        for wrong in (np.nan, np.inf):
            spoiled = changes.copy()
            spoiled[1, 2] = wrong
            np.testing.assert_array_equal(_shortest(jnp.asarray(spoiled), jnp.asarray(residual)), 0)
            np.testing.assert_array_equal(
                _shortest(jnp.asarray(changes), jnp.full(6, wrong)), np.zeros(3)
            )
