"""Exact moments of stochastic methods against paths, the suite's optimizers and closed forms."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.bounds.instances import quadratic
from optbench.bounds.stochastic.cyclic_coordinates import (
    ccd_gauss_seidel,
    even_quadratic,
    gauss_seidel,
    hessian_of,
)
from optbench.bounds.stochastic.finite_sums import parabola_sum, random_terms, sum_case
from optbench.bounds.stochastic.kaczmarz_rows import kaczmarz, kaczmarz_case
from optbench.bounds.stochastic.moments import (
    FiniteSum,
    RandomMap,
    averaged_sgd,
    descent,
    lifted,
    second_moments,
    sgd,
    squared_distance,
    suboptimality,
)
from optbench.bounds.stochastic.paths import all_paths
from optbench.bounds.stochastic.random_coordinates import (
    coordinate_descent,
    coordinate_steps,
    exact_coordinate_descent,
    rcd_nesterov_sc,
)
from optbench.bounds.stochastic.random_search import normal_directions, search_step, zeroth_order_ns
from optbench.bounds.stochastic.sgd_finite_sums import bach_moulines_lms, sgd_onestep_exact
from optbench.bounds.stochastic.sgd_general import bcn_4_6, bcn_4_8, landscapes, mean_squared_slopes
from optbench.bounds.stochastic.sgd_interpolation import sgd_interp_ls, sgd_interp_sc, sgd_sgc
from optbench.bounds.stochastic.sgd_noise import (
    sgd_momentum_stationary,
    sgd_one_over_t_exact,
    sgd_quad_exact,
)
from optbench.bounds.stochastic.stochastic_subgradients import resisting, sgd_convex_avg
from optbench.bounds.stochastic.variance_reduction import (
    saga_rate,
    svrg_jz,
    svrg_step,
    table_start,
    table_step,
)
from optbench.case import Case
from optbench.checks import Verdict, check_bound
from optbench.errors import OptbenchError
from optbench.figures.bound_curves import panels
from optbench.job import prepare
from optbench.method import Method, make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.step_sizes import random_coordinate_descent
from optbench.optimizers.stochastic.variance_reduction import sag, saga, svrg
from optbench.oracle import Oracle
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.recursion import Path
from optbench.run import execute
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches

TERMS = random_terms(7, noise=1.0, count=3)
CASE = sum_case("terms", TERMS)
RATE = 0.2


# Moments against every path, followed as the definition of the method says


def slope(i: int, x: np.ndarray) -> np.ndarray:
    return TERMS.hessians[i] @ x + TERMS.gradients[i]


Follow = Callable[[Sequence[Any]], np.ndarray]


def gradient_path(draws: Sequence[Any]) -> np.ndarray:
    x = TERMS.start
    for draw in draws:
        x = x - RATE * np.mean([slope(i, x) for i in np.ravel(draw)], axis=0)
    return x


def decreasing_path(draws: Sequence[Any]) -> np.ndarray:
    x = TERMS.start
    for j, i in enumerate(draws, start=1):
        x = x - RATE / np.sqrt(2.0 + j) * slope(i, x)
    return x


def averaged_path(draws: Sequence[Any]) -> np.ndarray:
    return np.mean([gradient_path(draws[:j]) for j in range(len(draws))], axis=0)


def table_path(draws: Sequence[Any], is_biased: bool) -> np.ndarray:
    x = TERMS.start
    table = [slope(i, x) * (not is_biased) for i in range(3)]
    for i in draws:
        old, mean = table[i], np.mean(table, axis=0)
        table[i] = slope(i, x)
        x = x - RATE * (np.mean(table, axis=0) if is_biased else table[i] - old + mean)
    return x


def coordinate_path(draws: Sequence[Any]) -> np.ndarray:
    x = TERMS.start.copy()
    for i in draws:
        x[i] -= RATE * (TERMS.hessian @ x)[i]
    return x


def exact_coordinate_path(draws: Sequence[Any]) -> np.ndarray:
    x = TERMS.start.copy()
    for i in draws:
        x[i] -= (TERMS.hessian @ x)[i] / TERMS.hessian[i, i]
    return x


def expected(follow: Follow, outcomes: Sequence[Any], num_steps: int) -> float:
    """E |x_k - x*|^2 over all equally likely paths."""
    paths = itertools.product(outcomes, repeat=num_steps)
    return float(np.mean([np.sum(follow(draws) ** 2) for draws in paths]))


PAIRS = list(itertools.product(range(3), repeat=2))
K = np.array([4])


def moment(matrix: RandomMap, start: np.ndarray) -> float:
    return float(squared_distance(TERMS, second_moments(start, [matrix] * 4))[-1])


@pytest.mark.parametrize(
    ("observed", "follow", "outcomes"),
    [
        (lambda: sgd().follow(CASE, K, RATE).observed[0], gradient_path, range(3)),
        (lambda: sgd().follow(CASE, K, RATE, batch=2).observed[0], gradient_path, PAIRS),
        (
            lambda: sgd().follow(CASE, K, RATE, power=0.5, offset=2.0).observed[0],
            decreasing_path,
            range(3),
        ),
        (
            lambda: averaged_sgd(squared_distance).follow(CASE, K, RATE).observed[0],
            averaged_path,
            range(3),
        ),
        (
            lambda: moment(table_step(TERMS, RATE, 1.0), table_start(TERMS, True)),
            lambda draws: table_path(draws, is_biased=False),
            range(3),
        ),
        (
            lambda: moment(table_step(TERMS, RATE, 1 / 3), table_start(TERMS, False)),
            lambda draws: table_path(draws, is_biased=True),
            range(3),
        ),
        (
            lambda: coordinate_descent(squared_distance).follow(CASE, K, RATE, 2).observed[0],
            coordinate_path,
            range(2),
        ),
        (
            lambda: exact_coordinate_descent(squared_distance).follow(CASE, K, 1.0).observed[0],
            exact_coordinate_path,
            range(2),
        ),
    ],
    ids=["sgd", "batch", "decreasing", "averaged", "saga", "sag", "coordinate", "exact coordinate"],
)
def test_moments_are_means_over_all_paths(
    observed: Callable[[], float], follow: Follow, outcomes: Sequence[Any]
):
    assert observed() == pytest.approx(expected(follow, outcomes, 4), rel=1e-12)
    shorter = expected(follow, outcomes, 3)
    assert observed() != pytest.approx(shorter, rel=1e-3)  # a step too few would show


def snapshot_path(draws: Sequence[Any], choices: Sequence[int]) -> np.ndarray:
    """SVRG: inner loops of two steps, the snapshot being the first or the second inner point."""
    z = TERMS.start
    for inner, choice in zip(np.reshape(draws, (-1, 2)), choices, strict=True):
        points = [z]
        for i in inner:
            x = points[-1]
            points.append(x - RATE * (slope(i, x) - slope(i, z) + TERMS.hessian @ z))
        z = points[choice]
    return z


def test_moments_of_svrg_are_means_over_all_paths():
    gaps = [
        z @ TERMS.hessian @ z / 2
        for draws in itertools.product(range(3), repeat=4)
        for choices in itertools.product(range(2), repeat=2)
        for z in [snapshot_path(draws, choices)]
    ]
    path = svrg_jz().method.follow(CASE, np.array([2]), RATE, inner=2)
    assert path.observed[0] == pytest.approx(np.mean(gaps), rel=1e-12)


def test_moments_of_kaczmarz_are_means_over_all_paths():
    rows = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]])
    start = np.array([1.0, 2.0])
    shares = np.sum(rows**2, axis=1) / np.sum(rows**2)
    total = 0.0
    for draws in itertools.product(range(3), repeat=4):
        x = start
        for i in draws:
            x = x - (rows[i] @ x) / (rows[i] @ rows[i]) * rows[i]
        total += np.prod(shares[list(draws)]) * (x @ x)
    path = kaczmarz().method.follow(kaczmarz_case("three rows", rows, start), K, 1.0)
    assert path.observed[0] == pytest.approx(total, rel=1e-12)


def test_the_heavy_ball_moments_are_means_over_all_paths():
    noise, rate, beta = [-1.0, -0.5, 1.5], 0.7, 0.5
    squares = []
    for draws in itertools.product(noise, repeat=4):
        x, before = -2.0, -2.0
        for drawn in draws:
            x, before = x - rate * (0.4 * x + drawn) + beta * (x - before), x
        squares.append(x**2)
    case = parabola_sum("skewed", 0.4, noise, start=-2.0)
    path = sgd_momentum_stationary().method.follow(case, K, rate, beta)
    assert path.observed[0] == pytest.approx(np.mean(squares), rel=1e-12)


def test_all_paths_are_followed():
    def step(points: np.ndarray, j: int) -> np.ndarray:
        return np.stack([points + j, points * 2], axis=1)

    levels = list(all_paths(np.array([1.0]), step, np.array([0.25, 0.75]), 2))
    assert [points.ravel().tolist() for points, _ in levels] == [[1], [2, 2], [4, 4, 4, 4]]
    assert levels[2][1].tolist() == [0.0625, 0.1875, 0.1875, 0.5625]


@pytest.mark.parametrize("case", landscapes(), ids=lambda case: case.name)
def test_squared_slopes_along_all_paths(case: Case):
    rates = np.array([0.25, 0.1, 0.05])
    squares = []
    for signs in itertools.product([-0.5, 0.5], repeat=2):
        x = np.array([case.data.start])
        for rate, noise in zip(rates, signs, strict=False):
            x = x - rate * (case.data.slope(x) + noise)
        squares.append(case.data.slope(x)[0] ** 2)
    found = mean_squared_slopes(case.data, rates)
    assert found[2] == pytest.approx(np.mean(squares), rel=1e-12)
    grid = np.linspace(-3, 3, 601)
    np.testing.assert_allclose(
        np.gradient(case.data.value(grid), grid)[1:-1], case.data.slope(grid)[1:-1], atol=2e-3
    )


# Random search: a Gauss rule, moments of normal variables, and draws


def test_the_rule_has_the_moments_of_normal_variables():
    directions, weights = normal_directions(2)
    for powers in itertools.product(range(8), repeat=2):
        if sum(powers) <= 7:
            odd = any(power % 2 for power in powers)
            moments = [float(np.prod(np.arange(1, power, 2))) for power in powers]
            seen = weights @ np.prod(directions**powers, axis=1)
            assert seen == pytest.approx(0.0 if odd else np.prod(moments), abs=1e-11)


def test_a_step_of_random_search_has_the_moments_of_isserlis():
    """E (u.g)^2 u u^T = |g|^2 I + 2 g g^T, and likewise (u.H u)^2, of degree 6."""
    rate, nu, hessian, x = 0.1, 0.5, TERMS.hessian, TERMS.start
    g, eye = hessian @ x, np.eye(2)
    first = g @ g * eye + 2 * np.outer(g, g)
    trace, square = np.trace(hessian), np.trace(hessian @ hessian)
    second = (trace**2 + 2 * square) * eye + 4 * trace * hessian + 8 * hessian @ hessian
    known = np.outer(x, x) - rate * (np.outer(g, x) + np.outer(x, g))
    known += rate**2 * (first + nu**2 / 4 * second)
    found = second_moments(lifted(x), [search_step(TERMS, rate, nu)])[1, :2, :2]
    np.testing.assert_allclose(found, known, rtol=1e-12)


def test_random_search_is_drawn_as_its_moments_say():
    rng = np.random.default_rng(0)
    rate, nu, hessian = 0.02, 0.5, TERMS.hessian
    x = np.tile(TERMS.start, (20_000, 1))

    def value(points: np.ndarray) -> np.ndarray:
        return np.einsum("pi,ij,pj->p", points, hessian, points) / 2

    for _ in range(10):
        u = rng.standard_normal(x.shape)
        x = x - rate * ((value(x + nu * u) - value(x)) / nu)[:, None] * u
    known = second_moments(lifted(TERMS.start), [search_step(TERMS, rate, nu)] * 10)
    within_four_errors(np.sum(x**2, axis=1), float(squared_distance(TERMS, known)[-1]))


def within_four_errors(samples: np.ndarray, known: float) -> None:
    """The mean of samples is where it is expected; twice as far off would show.

    Raises:
        AssertionError: it is further off than four standard errors, or these are large.
    """
    error = np.std(samples) / np.sqrt(len(samples))
    assert abs(np.mean(samples) - known) <= 4 * error <= 0.2 * known


# The suite's own optimizers, over many seeds

ROWS = np.array([[1.0, 0.5], [-0.5, 1.0], [0.3, 0.8], [1.2, -0.4]])
RESIDUALS = np.array([0.4, -0.2, 0.1, 0.3])
RESIDUALS = RESIDUALS - ROWS @ np.linalg.lstsq(ROWS, RESIDUALS, rcond=None)[0]
CENTER, OFFSET = np.array([0.5, -1.0]), np.array([2.0, 1.0])
SUM = FiniteSum(
    np.einsum("ia,ib->iab", ROWS, ROWS), -RESIDUALS[:, None] * ROWS, np.full(4, 0.25), OFFSET
)


def half_mean_square(x, rows, targets):
    return jnp.mean((rows @ x - targets) ** 2) / 2


PROBLEM = Problem(
    objective=half_mean_square,
    data=(ROWS, ROWS @ CENTER + RESIDUALS),
    start=start_near(CENTER + OFFSET, scale=0.0),
    row_arrays=2,
    minimum=float(np.mean(RESIDUALS**2) / 2),
    minimizer=CENTER,
    minimum_kind="closed form",
)
STEPS = (2, 5, 12)  # the first step of SVRG sees all rows


def gaps_over_seeds(method: Method, batch_size: int) -> np.ndarray:
    """[S, T] f - f* at some steps of runs that see different samples."""
    plan = Plan(budget=None, log_steps=(0, *STEPS), noise_floor=-np.inf)
    lanes = Lanes(seeds=tuple(range(3000)), recorded=())
    found = execute(prepare(minibatches(PROBLEM, batch_size), [method], lanes, plan))
    return found.value[:, 0, 1:] - PROBLEM.known_minimum


def svrg_first_option(rate: float, period: int) -> Iterator[np.ndarray]:
    """Moments of (x, z), where z becomes x every few steps."""
    copies = np.vstack([np.hstack([np.eye(2), np.zeros((2, 2))])] * 2)
    moments = second_moments(np.concatenate([OFFSET, OFFSET]), [])
    for k in range(STEPS[-1]):
        now = moments[-1]
        renewed = copies @ now @ copies.T if k % period == 0 else now
        step = svrg_step(SUM, rate)
        mapped = step.matrices @ renewed @ step.matrices.transpose(0, 2, 1)
        yield now
        moments = np.tensordot(step.probabilities, mapped, 1)[None]
    yield moments[-1]


@pytest.mark.parametrize(
    ("optimizer", "batch_size", "moments"),
    [
        (
            make_method(gradient_descent, learning_rate=0.3),
            3,
            lambda: second_moments(lifted(OFFSET), [descent(SUM, 0.3, batch=3)] * 12),
        ),
        (
            make_method(saga, learning_rate=0.3),
            1,
            lambda: second_moments(table_start(SUM, False), [table_step(SUM, 0.3, 1.0)] * 12),
        ),
        (
            make_method(sag, learning_rate=0.3),
            1,
            lambda: second_moments(table_start(SUM, False), [table_step(SUM, 0.3, 0.25)] * 12),
        ),
        (
            make_method(svrg, learning_rate=0.3, period=4),
            1,
            lambda: np.array(list(svrg_first_option(0.3, 4))),
        ),
    ],
    ids=["sgd in batches", "saga", "sag", "svrg"],
)
def test_runs_scatter_as_the_moments_say(
    optimizer: Method, batch_size: int, moments: Callable[[], np.ndarray]
):
    gaps = gaps_over_seeds(optimizer, batch_size)
    known = suboptimality(SUM, moments())[list(STEPS)]
    for at, gap in enumerate(known):
        within_four_errors(gaps[:, at], gap)


def test_random_coordinates_scatter_as_the_moments_say():
    """All runs draw the same coordinates: each starts where the draws of the last one end."""
    optimizer, oracle, num_steps = random_coordinate_descent(0.5), Oracle(PROBLEM), 10

    def last_gap(count: Any) -> Any:
        def step(carry: Any, _: None) -> Any:
            taken = optimizer.step(oracle.value_and_grad(carry[0]), carry[1], oracle)
            return (taken.params, taken.state), None

        carry = (jnp.asarray(CENTER + OFFSET), count)
        (x, _), _ = jax.lax.scan(step, carry, None, length=num_steps)
        return oracle.value(x) - PROBLEM.known_minimum

    with jax.enable_x64(True):
        counts = num_steps * jnp.arange(3000, dtype=jnp.int32)
        gaps = np.asarray(jax.jit(jax.vmap(last_gap))(counts))
    step = coordinate_steps(SUM, np.full(2, 0.5), 2)
    known = suboptimality(SUM, second_moments(OFFSET, [step] * num_steps))
    within_four_errors(gaps, float(known[-1]))


# Worst cases


@pytest.mark.parametrize("num_steps", [2, 3, 7])
@pytest.mark.parametrize("stretch", [0.9, 1.0, 1.05])
def test_a_resisting_function_has_the_largest_gap_that_the_proof_allows(
    num_steps: int, stretch: float
):
    """R^2 / (2 eta N) + eta G^2 / 2, where eta is stretch R / (G sqrt(N))."""
    case = resisting(num_steps, stretch)
    rate = stretch * 1.5 / (2.0 * np.sqrt(num_steps))
    path = sgd_convex_avg().method.follow(case, np.array([num_steps]), rate)
    limit = 1.5**2 / (2 * rate * num_steps) + rate * 4 / 2
    assert case.symbols["R"] == pytest.approx(1.5, rel=1e-12)
    assert path.observed[0] == pytest.approx(limit, rel=1e-12)


def test_no_random_pair_of_terms_is_worse_after_one_step():
    """The bound is an upper one; two mirrors, which attain it, are found among all reflections."""
    theorem = sgd_onestep_exact()
    worst = theorem.instances(h=0.3)[0].subject
    bound = theorem.on(worst, h=0.3)
    angles = np.linspace(0, np.pi, 721)
    normals = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reflections = np.eye(2) - 2 * np.einsum("ia,ib->iab", normals, normals)
    hessians = 2.125 * np.eye(2) + 1.875 * reflections
    rate = bound.steps["learning_rate"]
    sizes = [
        np.sum((worst.data.start - rate * (hessians @ worst.data.start + b)) ** 2, axis=1).max()
        for b in worst.data.gradients
    ]
    assert np.mean(sizes) == pytest.approx(bound.values[0], rel=1e-4)
    assert np.mean(sizes) <= bound.values[0]


def test_gauss_seidel_is_coordinatewise_minimization():
    hessian, gradient = hessian_of(even_quadratic(1))
    sweeps = gauss_seidel(hessian, -gradient, np.ones(5), 3)
    x = np.ones(5)
    for _ in range(3):
        for i in range(5):
            x[i] = -(gradient[i] + hessian[i] @ x - hessian[i, i] * x[i]) / hessian[i, i]
    np.testing.assert_allclose(sweeps[-1], x, rtol=1e-12)


# What is refused, and what is found out


def changed(case: Case, **symbols: float) -> Case:
    return dataclasses.replace(case, symbols={**case.symbols, **symbols})


REFUSED = {
    "lacks one curvature on a line": (sgd_quad_exact, CASE, {"h": 0.1}),
    "lacks gradients whose mean vanishes": (
        sgd_one_over_t_exact,
        parabola_sum("biased", 4.0, [-0.5, 0.7]),
        {},
    ),
    "lacks L_i-smooth and mu_i-strongly convex terms": (
        sgd_interp_sc,
        changed(sum_case("steep", random_terms(0)), L_i=1.0),
        {"h": 0.5},
    ),
    "lacks a minimizer that all terms share": (sgd_interp_sc, CASE, {"h": 0.5}),
    "lacks an L-smooth and mu-strongly convex mean": (
        zeroth_order_ns,
        changed(CASE, L=1.0),
        {"nu": 0.5},
    ),
    "lacks a variance of the gradient": (
        bcn_4_6,
        changed(bcn_4_6().instances(h=0.5)[1].subject, v=0.5),
        {"h": 0.5},
    ),
    "lacks rows with |a_i|^2 <= beta": (
        sgd_interp_ls,
        changed(sgd_interp_ls().instances(m=1)[1].subject, beta=0.1),
        {"m": 1},
    ),
    "lacks strong growth": (sgd_sgc, changed(sgd_sgc().instances()[1].subject, rho=1.0), {}),
    "lacks rows a and residuals e": (
        bach_moulines_lms,
        changed(bach_moulines_lms().instances()[2].subject, R2=0.1),
        {},
    ),
    "lacks an L-smooth function": (bcn_4_8, changed(landscapes()[1], L=2.0), {"h": 0.5}),
    "lacks unbiased subgradients": (sgd_convex_avg, changed(resisting(2), G=1.5), {"N": 2}),
    "lacks a smallest singular value": (
        kaczmarz,
        changed(kaczmarz().instances()[2].subject, smin2=4.0),
        {},
    ),
    "lacks a curvature along coordinates": (
        rcd_nesterov_sc,
        changed(rcd_nesterov_sc().instances()[2].subject, sigma=0.9),
        {},
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_case_outside_the_class_is_refused(message: str):
    theorem, case, setting = REFUSED[message]
    with pytest.raises(OptbenchError) as raised:
        theorem().on(case, **setting)
    assert message in raised.value.message and raised.value.hint


def test_unequal_curvatures_are_refused_by_gauss_seidel():
    with pytest.raises(OptbenchError, match="lacks one curvature along all coordinates"):
        ccd_gauss_seidel().on(quadratic(0), symbols={"L_c": 1.0})


def test_a_bound_of_zero_is_drawn_as_what_is_granted():
    theorem = ccd_gauss_seidel()
    one = dataclasses.replace(theorem, instances=lambda: theorem.instances()[:1])
    (panel,) = panels(check_bound(one).comparisons)
    assert panel.scale == "zero" and np.all(panel.reference == theorem.tolerance)


def test_another_method_is_not_gauss_seidel():
    theorem = ccd_gauss_seidel()
    jacobi = dataclasses.replace(theorem, instances=lambda: theorem.instances()[:1])
    assert check_bound(jacobi, optimizer=gradient_descent).verdict is Verdict.CROSSED


def test_a_wrong_variance_is_found_out():
    """More noise than there is may be claimed; an identity does not hold then."""
    theorem = sgd_quad_exact()
    instance = theorem.instances(h=0.1)[0]
    louder = dataclasses.replace(instance, subject=changed(instance.subject, s2=0.5))
    found = check_bound(dataclasses.replace(theorem, instances=lambda h: [louder]))
    assert found.verdict is Verdict.CROSSED


def test_a_table_that_is_never_renewed_does_not_converge():
    """SAGA with the gradients of the start: the bound on it is crossed."""

    def forgetful(case: Case, k: np.ndarray, learning_rate: float) -> Path:
        dim, step = len(case.data.start), table_step(case.data, learning_rate, 1.0)
        matrices = step.matrices.copy()
        matrices[:, dim:] = np.eye(matrices.shape[1])[dim:]
        steps = [step._replace(matrices=matrices)] * int(k[-1])
        moments = second_moments(table_start(case.data, True), steps)
        return Path(squared_distance(case.data, moments[k]))

    theorem = saga_rate()
    recursion = dataclasses.replace(theorem.method, follow=forgetful)
    wrong = dataclasses.replace(theorem, method=recursion, k_range=(1, 400))
    assert check_bound(wrong).verdict is Verdict.CROSSED
