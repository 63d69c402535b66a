"""Second sources for theorems on second-order methods: other arithmetic, closed forms, sampling."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from optbench.bounds.instances import parabola, quadratic
from optbench.bounds.second_order import (
    barrier_instances,
    cubic_newton,
    fisher_efficiency,
    inexact_newton,
    least_squares,
    natural_gradient,
    newton,
    orthogonalization,
    quasi_newton,
    self_concordance,
)
from optbench.bounds.second_order import instances as second_instances
from optbench.bounds.second_order.agreement import Twins
from optbench.case import Case, Instance
from optbench.checks import Verdict, check_bound
from optbench.errors import OptbenchError
from optbench.method import make_method
from optbench.optimizers.first_order.linear_cg import conjugate_gradient
from optbench.optimizers.natural.natural_gradient_variants import (
    empirical_natural_gradient,
    natural_gradient_dense,
)
from optbench.optimizers.second_order.dense_newton import cubic_newton as cubic_newton_step
from optbench.optimizers.second_order.dense_newton import newton as newton_step
from optbench.optimizers.second_order.least_squares import levenberg_marquardt
from optbench.optimizers.second_order.quasi_newton import bfgs
from optbench.problem import Problem
from optbench.run import run_on
from optbench.start import start_near
from optbench.symbol import decrements_at, gradients_at, hessian_at_minimizer, values_at

MU, M = 0.5, 3.0  # of the instances on a line


def worst(theorem) -> list[Problem]:
    return [i.subject for i in theorem.instances() if i.kind == "worst"]


# Newton's method in 400 digits


def newton_in_digits(slope, curvature, start: float, num_steps: int) -> list[mpmath.mpf]:
    """x_0 to x_k of x - f'(x) / f''(x)."""
    points = [mpmath.mpf(start)]
    for _ in range(num_steps):
        points.append(points[-1] - slope(points[-1]) / curvature(points[-1]))
    return points


def test_newton_attains_the_local_bound_at_each_of_eight_steps():
    start = 0.9 * 2 * MU / (3 * M)
    with mpmath.workdps(400):
        points = newton_in_digits(
            lambda x: MU * x - M / 2 * x * abs(x), lambda x: MU - M * abs(x), start, 8
        )
        radii = np.array([float(abs(x)) for x in points])
    bounds = newton.newton_local_nesterov().formula(M=M, mu_star=MU, r_before=radii[:-1])
    np.testing.assert_allclose(radii[1:], bounds, rtol=1e-13)
    (problem,) = worst(newton.newton_local_nesterov())
    seen = run_on(problem, make_method(newton_step), 0, 5).params[:, 0]
    np.testing.assert_allclose(np.abs(seen), radii[:6], rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize("radius", [0.02, 0.3])
def test_rising_curvature_attains_the_first_step_in_digits(radius: float):
    """And the gap stays below 2 mu^3 / M^2 2^(-2^(k+1)) for 7 steps, from |g| <= mu^2 / M."""

    def slope(x):
        return MU * x + M * (radius * x - x**2 / 2 if x < radius else radius**2 / 2)

    with mpmath.workdps(400):
        points = newton_in_digits(slope, lambda x: MU + M * abs(x - radius), radius, 7)
        radii = np.array([float(abs(x)) for x in points])
        gaps = [float(MU * x**2 / 2 + M * (radius * x**2 / 2 - x**3 / 6)) for x in points]
        first = float(slope(mpmath.mpf(radius)))
    bounds = newton.newton_sc_simple().formula(M=M, mu=MU, r_before=radii[:-1])
    assert radii[1] == pytest.approx(bounds[0], rel=1e-13)
    assert np.all(radii[1:] <= bounds * (1 + 1e-13))
    if first <= MU**2 / M:
        k = np.arange(8)
        assert np.all(gaps <= newton.newton_boyd_quadphase().formula(k=k, M=M, mu=MU, g0=first))


def test_of_a_start_that_is_too_far_the_theorem_says_nothing():
    far = second_instances.random_ramps(0, radius=200.0, strong_convexity=0.5)
    found = check_bound(newton.newton_boyd_quadphase(), far)
    assert found.verdict is Verdict.NOT_COMPARED and found.power == "none"
    assert all(np.isinf(c.bound).all() for c in found.comparisons)


def test_the_curvature_at_the_minimizer():
    for problem, curvature in zip(worst(newton.newton_sc_simple()), (0.02, 0.3), strict=True):
        assert hessian_at_minimizer(problem)[0, 0] == pytest.approx(MU + M * curvature)


def test_logistic_regression_knows_its_minimizer():
    """Against the gradient summed with mpmath."""
    problem = second_instances.logistic_regression(0.1)
    rows, l2 = problem.data
    with mpmath.workdps(40):
        point = mpmath.matrix(problem.minimizer)
        shares = [1 / (1 + mpmath.exp(mpmath.fdot(row, point))) for row in rows.tolist()]
        for i, column in enumerate(rows.T.tolist()):
            slope = l2 * point[i] - mpmath.fdot(shares, column) / len(rows)
            assert abs(slope) < 1e-14


# Self-concordance


def test_a_barrier_squares_its_decrement():
    problem = barrier_instances.line_barrier(1.0, -0.4, 0.0)
    points = run_on(problem, make_method(newton_step), 0, 4).params
    np.testing.assert_allclose(
        decrements_at(problem, points), 0.4 ** (2.0 ** np.arange(5)), rtol=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
def test_barriers_are_self_concordant(seed: int):
    """|D^3 f[h, h, h]| <= 2 M_f (D^2 f[h, h])^(3/2) in closed form, and nearly so along a row."""
    problem, rng = barrier_instances.random_barrier(seed), np.random.default_rng(seed)
    rows, offsets, alpha, _ = problem.data
    for h in [*rng.standard_normal((20, 5)), np.linalg.pinv(rows)[:, 0]]:
        shares = rows @ h / (rows @ problem.minimizer - offsets)
        second, third = alpha * np.sum(shares**2), 2 * alpha * abs(np.sum(shares**3))
        assert third <= 2 * alpha**-0.5 * second**1.5


def test_a_constant_of_self_concordance_that_is_too_small_is_seen():
    def small() -> list[Instance]:
        return [
            dataclasses.replace(i, symbols={"M_f": 0.9 * i.symbols["M_f"]})
            for i in self_concordance.sc_damped_decrease().instances()
            if i.kind == "worst"
        ]

    changed = dataclasses.replace(self_concordance.sc_damped_decrease(), instances=small)
    assert check_bound(changed).verdict == Verdict.CROSSED


def test_theorems_ask_for_the_letters_that_no_problem_knows():
    barrier = barrier_instances.random_barrier(0)
    with pytest.raises(OptbenchError, match="needs M_f"):
        _ = self_concordance.sc_newton_decrement().on(barrier).values
    with pytest.raises(OptbenchError, match="needs D"):
        _ = cubic_newton.cubic_newton_convex().on(second_instances.random_ramps(0)).values


# Cubic regularization


def test_a_step_of_cubic_newton_on_a_line():
    """|p| = 2 g / (h + sqrt(h^2 + 2 M g))."""
    problem = second_instances.ramp("ramp", 100.0, 2.0, (0.5, 3.0, 1.0))
    method = make_method(cubic_newton_step, hessian_lipschitz=M)
    points = run_on(problem, method, 0, 1).params[:, 0]
    slope, curvature = 0.5 * 2 + 3 * (2 - 0.5), 3.5
    expected = 2 * slope / (curvature + np.sqrt(curvature**2 + 2 * M * slope))
    assert points[0] - points[1] == pytest.approx(expected, rel=1e-12)


def test_the_estimate_sequence_of_accelerated_cubic_newton():
    """A_k f(x_k) <= min psi_k <= A_k f* + 7 / 3 M R^3, A_k = k (k + 1) (k + 2) / 6."""
    problem = second_instances.random_ramps(0, radius=50.0, strong_convexity=0.2)
    constant, start = problem.constants.hessian_lipschitz, problem.start(0)
    method = make_method(cubic_newton.accelerated_cubic_newton, hessian_lipschitz=constant)
    points = run_on(problem, method, 0, 30).params
    values, grads = values_at(problem, points), gradients_at(problem, points)
    slopes, level = np.zeros(5), values[1]
    for k in range(1, 31):
        if k > 1:
            weight = k * (k + 1) / 2
            slopes += weight * grads[k]
            level += weight * (values[k] + grads[k] @ (start - points[k]))
        size = np.linalg.norm(slopes)
        least = level - 2 / 3 * size * np.sqrt(size / (6 * constant))
        total = k * (k + 1) * (k + 2) / 6
        radius = np.linalg.norm(start - problem.minimizer)
        assert total * values[k] <= least + 1e-9 * abs(least)
        assert least <= total * problem.minimum + 7 / 3 * constant * radius**3


def test_the_plateau_that_is_hardest_at_a_step():
    """After k steps accelerated cubic Newton has moved by c sqrt(g / M), and is still on it."""
    problem = worst(cubic_newton.cubic_newton_accel())[0]
    method = make_method(cubic_newton.accelerated_cubic_newton, hessian_lipschitz=M)
    points = run_on(problem, method, 0, 10).params[:, 0]
    grads = gradients_at(problem, points[:, None])[:, 0]
    np.testing.assert_allclose(grads[:10], grads[0], rtol=1e-12)
    unit = np.sqrt(grads[0] / M)
    assert (points[0] - points[10]) / unit == pytest.approx(cubic_newton._displacement(10))


# Inexact Newton


def test_orders_agree_with_400_digits():
    """x - (g - r) / H as it is written, without the rearrangement."""
    case = inexact_newton.inexact_newton_orders().instances(p=0.5)[0].subject
    assert isinstance(case, Case)
    with mpmath.workdps(400):
        x, errors = mpmath.mpf(0.1), []
        for _ in range(12):
            errors.append(abs(x))
            grad = mpmath.mpf(0.5) * x + mpmath.mpf(1.5) * x * abs(x)
            residual = min(mpmath.mpf(0.5), mpmath.sqrt(abs(grad))) * grad
            x -= (grad - residual) / (mpmath.mpf(0.5) + 3 * abs(x))
        logs = [mpmath.log(b / a) for a, b in zip(errors, errors[1:], strict=False)]
        orders = [float(b / a) for a, b in zip(logs, logs[1:], strict=False)]
    k = np.arange(1, 11)
    seen = inexact_newton._measured_order(case, k, power=0.5).observed
    np.testing.assert_allclose(seen, orders, rtol=1e-12)


def test_newton_cg_is_an_inexact_newton_method():
    """It is run next to the theorem's own method, and its residuals are smaller."""
    theorem = inexact_newton.inexact_newton_linear()
    assert [method.name for method in theorem.also] == ["newton_cg"]
    near = [i for i in theorem.instances(eta=0.1) if i.kind == "random"][:1]
    loose = dataclasses.replace(
        theorem,
        also=(make_method(newton_step, learning_rate=0.8),),
        parameters={"eta": (0.1,)},
        instances=lambda eta: near,
    )
    assert [c.verdict for c in check_bound(loose).comparisons] == ["holds", "crossed"]


# Quasi-Newton


def test_bfgs_agrees_with_rational_numbers():
    matrix = [[Fraction(5, 2), Fraction(1, 2)], [Fraction(1, 2), Fraction(3, 4)]]
    point, inverse = [Fraction(1), Fraction(-3, 2)], [[Fraction(1, 3), 0], [0, Fraction(1, 3)]]

    def apply(rows, vector):
        return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in rows]

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    squares = []
    for _ in range(5):
        squares.append(float(dot(point, apply(matrix, point))))
        moved = [-p for p in apply(inverse, apply(matrix, point))]
        change = apply(matrix, moved)
        product, image = dot(moved, change), apply(inverse, change)
        share = (1 + dot(change, image) / product) / product
        inverse = [
            [
                inverse[i][j]
                - (moved[i] * image[j] + image[i] * moved[j]) / product
                + share * moved[i] * moved[j]
                for j in range(2)
            ]
            for i in range(2)
        ]
        point = [p + m for p, m in zip(point, moved, strict=True)]
    data = np.array([[2.5, 0.5], [0.5, 0.75]]), np.array([1.0, -1.5])
    case = Case(name="rational", symbols={}, data=data)
    seen = quasi_newton._unit_bfgs(case, np.arange(5), learning_rate=1.0, curvature=3.0)
    np.testing.assert_allclose(seen.observed, np.sqrt(squares), rtol=1e-13)


def test_a_quadratic_that_is_not_convex_is_refused():
    case = quasi_newton._diagonal("saddle", [-1.0, 4.0], [1.0, 1.0])
    with pytest.raises(OptbenchError, match="positive definite"):
        quasi_newton.bfgs_linear().on(case)


def test_the_bfgs_of_the_suite_takes_the_steps_of_conjugate_gradients():
    """Where its line search is nearly exact: each of its points is one of theirs, in turn."""
    problem = quadratic(0)
    method = make_method(bfgs, slope_fraction=1e-10, curvature_fraction=1e-8)
    trajectory = run_on(problem, method, 0, 12)
    moves = trajectory.diagnostics["num_moves"]
    theirs = run_on(problem, make_method(conjugate_gradient), 0, 3).params
    for k in (1, 2, 3):
        ours = trajectory.params[np.argmax(moves == k)]
        np.testing.assert_allclose(ours, theirs[k], rtol=1e-5)


# Least squares


def test_relaxed_gauss_newton_is_a_step_with_the_pseudoinverse():
    problem, letters = least_squares.bent_fit(
        "fit", np.array([1.0, 2.0, 0.5]), np.array([1.0, -1.0, 2.0]), np.array([0.3, 0.5, 1.0]), 0.4
    )
    features, targets, bends = problem.data
    method = make_method(least_squares.relaxed, inner=make_method(least_squares.gauss_newton))
    points = run_on(problem, method.replace(learning_rate=0.7), 0, 3).params[:, 0]
    for before, after in zip(points, points[1:], strict=False):
        slopes = features + bends * before
        residuals = features * before + bends * before**2 / 2 - targets
        expected = before - 0.7 * (slopes @ residuals) / (slopes @ slopes)
        assert after == pytest.approx(expected, rel=1e-12)
    total = (features + bends * problem.minimizer[0]) @ (
        features * problem.minimizer[0] + bends * problem.minimizer[0] ** 2 / 2 - targets
    )
    assert abs(total) < 1e-14 and letters["J2"] > 0


def test_the_first_step_of_levenberg_marquardt_has_the_damping_1():
    problem = second_instances.least_squares(parabola(4.0, 100.0))
    errors = run_on(problem, make_method(levenberg_marquardt), 0, 2).params[:, 0] - 100.0
    assert errors[2] / errors[0] == pytest.approx(1 / (4 + 1), rel=1e-12)


def test_problems_without_residuals_or_outputs_are_refused():
    with pytest.raises(OptbenchError, match="a sum of squares"):
        check_bound(least_squares.gauss_newton_linear_onestep(), quadratic(0))
    with pytest.raises(OptbenchError, match="outputs and their loss"):
        check_bound(natural_gradient.ng_gauss_mean_onestep(), quadratic(0))


# Natural gradient


def mean_and_logarithm(params, statistics):
    """The negative log-likelihood of a normal distribution in (m, log v): no natural parameters."""
    mean, log_variance = params
    square = statistics[1] - 2 * mean * statistics[0] + mean**2
    return (square / jnp.exp(log_variance) + log_variance) / 2


def to_natural(params, statistics):
    mean, variance = params[0], jnp.exp(params[1])
    return jnp.stack([mean / variance, -1 / (2 * variance)])


def test_in_other_parameters_natural_gradient_is_not_newton():
    problem = dataclasses.replace(
        natural_gradient.normal_likelihood(2.0, 0.5),
        objective=mean_and_logarithm,
        outputs=to_natural,
        start=start_near(np.array([1.5, -0.2])),
        minimizer=np.array([2.0, np.log(0.5)]),
    )
    theorem = natural_gradient.ng_expfam_newton()
    twins = Twins(problem, problem, make_method(newton_step), np.eye(2))
    case = Case(name="m and log v", symbols={}, data=twins)
    found = check_bound(dataclasses.replace(theorem, instances=lambda: [Instance("random", case)]))
    assert found.verdict == Verdict.CROSSED


def test_the_fisher_matrix_is_the_covariance_of_the_score():
    """Of logistic regression: sum over both labels, p (1 - p) a a^T, at the start."""
    problem = second_instances.logistic_regression(0.0, radius=1.0)
    rows, point = problem.data[0], problem.start(0)
    chances = 1 / (1 + np.exp(-(rows @ point)))
    scores = [(1 - chances)[:, None] * rows, -chances[:, None] * rows]
    fisher = sum(
        (score * weight[:, None]).T @ score
        for score, weight in zip(scores, (chances, 1 - chances), strict=True)
    ) / len(rows)
    grad = gradients_at(problem, point[None])[0]
    method = make_method(natural_gradient_dense, damping=0.0)
    after = run_on(problem, method, 0, 1).params[1]
    np.testing.assert_allclose(after, point - np.linalg.solve(fisher, grad), rtol=1e-10)


def test_the_empirical_fisher_matrix_is_told_from_the_true_one():
    problem = dataclasses.replace(
        second_instances.logistic_regression(0.0, radius=1.0), row_arrays=1
    )
    method = make_method(empirical_natural_gradient, damping=1e-9, learning_rate=1.0)
    points = run_on(problem, method, 0, 1).params
    exact = run_on(problem, make_method(newton_step), 0, 1).params
    assert np.linalg.norm(points[1] - exact[1]) > 0.1 * np.linalg.norm(exact[1] - exact[0])


def test_online_natural_gradient_is_the_running_mean():
    """Steps 1 / t of the suite's natural gradient, each on the likelihood of one sample."""
    rng = np.random.default_rng(0)
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    samples = rng.standard_normal((5, 2)) @ np.linalg.cholesky(covariance).T + 3.0
    template = natural_gradient.normal_mean("sample", samples)
    mean = np.zeros(2)
    for t, sample in enumerate(samples, start=1):
        problem = dataclasses.replace(
            template,
            data=(np.linalg.inv(covariance), covariance, sample),
            start=start_near(mean),
            minimizer=sample,
        )
        method = make_method(natural_gradient_dense, damping=0.0, learning_rate=1 / t)
        mean = run_on(problem, method, 0, 1).params[1]
        np.testing.assert_allclose(mean, samples[:t].mean(axis=0), rtol=1e-12)


def test_second_moments_agree_with_samples():
    """Of a running mean with steps 0.7 / t: within 4 standard errors."""
    rng = np.random.default_rng(1)
    case = Case(name="line", symbols={}, data=([1.5], [[4.0]]))
    exact = fisher_efficiency._moments_of_the_mean(case, np.array([20]), 0.7).observed[0]
    means = np.full(20_000, 1.5)
    for t in range(1, 21):
        means -= 0.7 / t * (means - 2.0 * rng.standard_normal(len(means)))
    errors = means**2
    assert abs(errors.mean() - exact) < 4 * errors.std() / np.sqrt(len(errors))


def test_poisson_errors_agree_with_samples():
    """Within 4 standard errors at t = 100; interpolation errs by less than a tenth of what the
    theorem is granted, seen on a wider interval.
    """
    rng, horizon = np.random.default_rng(2), np.array([100])
    case = fisher_efficiency.ng_fisher_efficiency_asym().instances()[0].subject
    best, start, first, _ = case.data
    exact = fisher_efficiency._poisson_error(case, horizon, 1.0).observed[0]
    points = np.full(20_000, start)
    for t in range(first, 101):
        counts = rng.poisson(np.exp(best), len(points))
        points += (counts * np.exp(-points) - 1) / t
    errors = 100 * (points - best) ** 2
    assert abs(errors.mean() - exact) < 4 * errors.std() / np.sqrt(len(errors))
    wide = dataclasses.replace(case, data=(best, start, first, 1.3))
    other = fisher_efficiency._poisson_error(wide, horizon, 1.0).observed[0]
    assert other == pytest.approx(exact, rel=1e-4)


# Newton-Schulz


def test_newton_schulz_in_rational_numbers():
    for sigma in (Fraction(1, 3), Fraction(3, 2)):
        spread, after = 1 - sigma**2, 1 - (sigma * (3 - sigma**2) / 2) ** 2
        formula = orthogonalization.newton_schulz().formula
        assert after == spread**2 * 3 / 4 + spread**3 / 4
        assert formula(before=float(spread)) == pytest.approx(float(after), rel=1e-14)


def test_matrices_that_newton_schulz_does_not_orthogonalize_are_refused():
    for matrix in (np.diag([1.0, 1.8]), np.diag([1.0, 0.0])):
        case = Case(name="matrix", symbols={}, data=(matrix, 0))
        with pytest.raises(OptbenchError, match="singular values"):
            orthogonalization.newton_schulz().on(case)
