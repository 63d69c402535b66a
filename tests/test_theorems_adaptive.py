"""Second sources for the theorems on adaptive methods, flows, clipping and stability."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import optax
import pytest
import scipy.linalg
import scipy.special

from optbench import program, stability
from optbench.bisection import critical_learning_rate, critical_value
from optbench.bound import Theorem
from optbench.bounds.adaptive import adagrad, adam, clipping, in_order, sign_descent
from optbench.bounds.adaptive import online as adaptive_online
from optbench.bounds.adaptive.instances import largest_partial, quartic, robust_diabetes
from optbench.bounds.dynamics import continuous_time, flows, langevin, thresholds
from optbench.bounds.instances import huber, parabola, quadratic, robust_regression
from optbench.case import Case
from optbench.checks import Verdict, check_bound
from optbench.errors import OptbenchError
from optbench.figures.bounds import formula
from optbench.method import make_method
from optbench.optimizers.adaptive.moments import adam as catalog_adam
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.gradient_flow import gradient_flow
from optbench.optimizers.first_order.momentum import momentum, nesterov
from optbench.optimizers.first_order.step_sizes import polyak_step
from optbench.optimizers.wrappers.clipping import clip_by_global_norm
from optbench.plan import Plan
from optbench.recursion import Recursion
from optbench.run import run
from optbench.symbol import gradients_at

MODULES = (
    adagrad,
    adam,
    adaptive_online,
    clipping,
    continuous_time,
    langevin,
    sign_descent,
    thresholds,
)
THEOREMS = {
    name: function()
    for module in MODULES
    for name, function in vars(module).items()
    if getattr(function, "__annotations__", {}).get("return") == "Theorem"
    and function.__module__ == module.__name__
}


def logged(num_steps: int) -> Plan:
    return Plan(budget=None, log_steps=tuple(range(num_steps + 1)), noise_floor=-np.inf)


@pytest.mark.parametrize("name", THEOREMS)
def test_figures_can_set_the_statement(name: str):
    assert formula(THEOREMS[name].latex).startswith("$")
    assert formula(THEOREMS[name].quantity.latex).startswith("$")


# Bisection


def test_bisection_finds_a_number():
    found = critical_value(lambda rates: rates > np.pi, 1e-3, 1e3)
    assert found.stable < np.pi < found.unstable
    assert found.value == pytest.approx(np.pi, rel=1e-5)


@pytest.mark.parametrize(
    ("ends", "said"),
    [((4.0, 9.0), "diverges at 4"), ((1.0, 3.0), "not div"), ((4.0, 3.0), "no number")],
)
def test_bisection_refuses_a_bracket_without_the_number(ends: tuple[float, float], said: str):
    with pytest.raises(OptbenchError, match=said):
        critical_value(lambda rates: rates > np.pi, *ends)


def test_a_method_without_a_learning_rate_has_no_critical_one():
    with pytest.raises(OptbenchError, match="learning_rate"):
        critical_learning_rate(quadratic(0), make_method(polyak_step), 1e-3, 1e3)


CURVATURE = 4.0
FOUND: dict[str, tuple[Any, dict[str, float], Callable[[float], float]]] = {
    "gradient_descent": (gradient_descent, {}, stability.gradient_descent_threshold),
    "momentum": (
        momentum,
        {"momentum": 0.7},
        lambda rate: stability.heavy_ball_threshold(rate, 0.7),
    ),
    "nesterov": (
        nesterov,
        {"momentum": 0.7},
        lambda rate: stability.nesterov_threshold(rate, 0.7),
    ),
    "ema_momentum": (
        thresholds.ema_momentum,
        {"decay": 0.7},
        lambda rate: stability.adam_threshold(rate, 0.7),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found_agrees_with_the_thresholds_of_the_optimizers(name: str):
    """At the critical rate the threshold of the sharpness is the curvature; later rounds, and other
    values of the momentum, compile nothing."""
    factory, arguments, threshold = FOUND[name]
    method, problem = make_method(factory, **arguments), parabola(CURVATURE, 0.0)
    found = critical_learning_rate(problem, method, 1e-3, 1e3)
    assert threshold(found.value) == pytest.approx(CURVATURE, rel=1e-5)
    compiled = len(program._PROGRAMS)
    halved = {name: value / 2 for name, value in arguments.items()}
    again = critical_learning_rate(problem, method.replace(**halved), 1e-2, 1e2)
    assert len(program._PROGRAMS) == compiled
    assert (again.value == pytest.approx(found.value, rel=1e-4)) == (not arguments)


def test_clipping_saves_the_steps_that_escape():
    """eta = 3 / x_0^2 on x^4 / 4 with x_0 = 3, unclipped and clipped at c = 4: eta c^(2/3) < 1."""
    ends = {}
    for max_norm in (4.0, 1e9):
        clipped = make_method(clip_by_global_norm, inner=make_method(gradient_descent))
        method = clipped.replace(learning_rate=1 / 3, max_norm=max_norm)
        lane = run(dataclasses.replace(quartic(3.0), bounded_below=False), method, plan=logged(200))
        ends[max_norm] = np.abs(np.asarray(lane.params)[-1, 0])
    assert ends[4.0] < 0.2 and not ends[1e9] < 3


def test_the_second_moment_of_sgd_is_that_of_samples():
    """E (1 - eta a^2)^2 by Gauss and Hermite's rule, in closed form and from a million draws."""
    rate, variance = 0.3, 0.8
    exact = 1 - 2 * rate * variance + 3 * rate**2 * variance**2
    draws = (1 - rate * variance * np.random.default_rng(0).standard_normal(10**6) ** 2) ** 2
    assert abs(draws.mean() - exact) < 4 * draws.std() / 1e3
    case = Case(name="-", symbols={"s2": variance})
    method = thresholds.sgd_ms_stability().method
    assert isinstance(method, Recursion)
    critical = method.follow(case, np.array([1])).observed[0]
    assert 1 - 2 * critical * variance + 3 * critical**2 * variance**2 == pytest.approx(1, abs=1e-4)


# Flows


def test_nesterovs_equation_on_a_parabola_is_a_bessel_function():
    times = np.linspace(0.5, 20.0, 40)
    potential = flows.robust(parabola(CURVATURE, 0.0))
    scaled = np.sqrt(CURVATURE) * times
    exact = 1.5 * 2 * scipy.special.j1(scaled) / scaled
    found = flows.nesterov_flow_points(potential, times)[:, 0]
    np.testing.assert_allclose(found, exact, atol=1e-11)


def test_flows_on_a_cone():
    """Gradient flow stops at the tip; Nesterov's equation is x_0 - c t^2 / 8 up to it, and passes.

    Where f is linear on the whole way to x*, its Lyapunov function does not change.
    """
    times = np.linspace(0.1, 6.0, 60)
    potential = flows.cone(2.0, 1.5)
    stopped = flows.gradient_flow_points(potential, times)[:, 0]
    np.testing.assert_allclose(stopped, np.maximum(1.5 - 2 * times, 0), atol=1e-12)
    moving = flows.nesterov_flow_points(potential, times)[:, 0]
    before = times < np.sqrt(6)
    np.testing.assert_allclose(moving[before], 1.5 - times[before] ** 2 / 4, atol=1e-11)
    assert moving.min() < -0.1 and moving[-1] != 0
    assert np.all(2 * np.abs(moving) <= 2 * 1.5**2 / times**2 * (1 + 1e-10))


def test_the_solver_agrees_with_the_gradient_flow_of_the_catalog():
    problem = quadratic(1)
    method = make_method(gradient_flow, time_step=0.02, num_substeps=4)
    points = np.asarray(run(problem, method, plan=logged(50)).params)
    times = 0.02 * np.arange(1, 51)
    found = flows.gradient_flow_points(flows.robust(problem), times)
    np.testing.assert_allclose(found, points[1:], atol=1e-8)


@pytest.mark.parametrize("problem", [robust_regression(1), quadratic(1), huber(5.0, 2.0)])
def test_potentials_are_the_problems(problem):
    potential, point = flows.robust(problem), problem.start(3)
    (gradient,) = gradients_at(problem, point[None])
    np.testing.assert_allclose(potential.gradient(point), gradient, rtol=1e-10)
    assert potential.value(problem.minimizer) == pytest.approx(0, abs=1e-12)


# Langevin dynamics


def test_the_distance_of_normal_laws():
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((2, 3, 3))
    first, second = (factor @ factor.T for factor in factors)
    root = scipy.linalg.sqrtm(second)
    middle = scipy.linalg.sqrtm(root @ first @ root).real
    exact = np.sqrt(14.0 + np.trace(first + second - 2 * middle))
    assert langevin.wasserstein(np.array([1.0, 2.0, 3.0]), first, second) == pytest.approx(exact)


def test_the_diffusion_and_its_discretization_have_the_moments_of_their_closed_forms():
    """exp(-2 h t) s + (1 - exp(-2 h t)) / h, and the geometric sum with the factor (1 - a h)^2."""
    curvature, spread, k = 0.5, 3.0, np.array([1, 7])
    law = langevin.Normal(np.array([[curvature]]), np.array([2.0]), np.array([[spread]]))
    case = Case(name="-", symbols={"m": curvature, "M": curvature}, data=law)
    decay = np.exp(-2 * curvature * 0.1 * k)
    exact = np.hypot(
        2 * np.sqrt(decay),
        np.sqrt(decay * spread + (1 - decay) / curvature) - np.sqrt(1 / curvature),
    )
    found = langevin._diffused(case, k, time_step=0.1).observed
    np.testing.assert_allclose(found, exact, rtol=1e-10)
    step, shrunk = 0.25 / curvature, 0.75 ** (2 * k)
    variances = shrunk * spread + 2 * step * (1 - shrunk) / (1 - 0.75**2)
    exact = np.hypot(2 * np.sqrt(shrunk), np.sqrt(variances) - np.sqrt(1 / curvature))
    found = langevin._unadjusted(case, k, share=0.25).observed
    np.testing.assert_allclose(found, exact, rtol=1e-10)


# Signs and moments


def test_the_walk_of_signsgd_is_that_of_samples():
    curvatures, start, noise, steps = np.array([4.0, 1.0]), np.array([0.5, -1.0]), [3.0, 1.0], 9
    case = Case(name="-", symbols={}, data=(curvatures, start, noise))
    exact = sign_descent._lattice(case, np.array([steps]), learning_rate=0.1).observed[0]
    rng = np.random.default_rng(0)
    points, sums = np.tile(start, (40_000, 1)), np.zeros(40_000)
    for _ in range(steps):
        slopes = curvatures * points
        sums += np.abs(slopes).sum(axis=1) / steps
        errors = np.array(noise) / np.sqrt(steps) * rng.standard_normal(points.shape)
        points = points - 0.1 * np.sign(slopes + errors)
    assert abs(sums.mean() - np.sqrt(exact)) < 4 * sums.std() / 200


def test_expected_moments_are_means_over_all_sequences():
    """Of one of Adam's moments, by its definition, in NumPy."""
    values, chances = np.array([-0.5, 3.5]), np.array([0.75, 0.25])
    case = Case(name="-", symbols={"order": 1}, data=(values, chances))
    found = adam._expected_moments(case, np.arange(1, 5), decay=0.8).observed
    mean = 0.0
    for sequence in itertools.product(range(2), repeat=4):
        moment = sum(0.2 * 0.8 ** (3 - i) * values[j] for i, j in enumerate(sequence))
        mean += np.prod(chances[list(sequence)]) * moment
    assert found[-1] == pytest.approx(mean / 0.5, rel=1e-12)


def test_gradients_in_order_reach_the_optimizer_and_points_the_box():
    """Against Adam in NumPy, with steps over sqrt(t), clipped to the box."""
    table = np.random.default_rng(0).standard_normal((7, 2))
    game = in_order.linear_game(table, 0.2, np.array([0.1, -0.1]), "game")
    game = dataclasses.replace(game, bounded_below=False)
    inner = make_method(catalog_adam, learning_rate=0.1, b1=0.5, b2=0.8, eps=1e-9)
    played = make_method(in_order.in_order, inner=inner, decay=0.5)
    points = np.asarray(run(game, played, plan=logged(10)).params)
    point, first, second = np.array([0.1, -0.1]), np.zeros(2), np.zeros(2)
    for t in range(1, 11):
        gradient = table[(t - 1) % 7]
        first, second = 0.5 * first + 0.5 * gradient, 0.8 * second + 0.2 * gradient**2
        scaled = first / (1 - 0.5**t) / (np.sqrt(second / (1 - 0.8**t)) + 1e-9)
        point = np.clip(point - 0.1 / np.sqrt(t) * scaled, -0.2, 0.2)
        np.testing.assert_allclose(points[t], point, rtol=1e-12, atol=1e-14)


def test_adam_is_misled_to_the_worst_point_after_every_period():
    case = adaptive_online._periodic(4.0)
    points = adaptive_online._against_periodic(
        make_method(catalog_adam), case, np.array([50]), 0.01
    )
    assert np.all(points[::3] == 1) and np.all(points[1::3] < 1)


def test_amsgrad_of_the_paper_is_that_of_optax_without_corrections():
    """With b1 = 0, which does not fall: the regret after each of 20 rounds."""
    case = adaptive_online._games()[1].subject
    found = adaptive_online._amsgrad_of_the_paper(case, np.arange(1, 21), 0.5, 0.0).observed
    rule = optax.scale_by_amsgrad(
        b1=0.0, b2=0.9, eps=0.0, bias_correction_mu=False, bias_correction_nu=False
    )
    table, radius = case.data.data
    point, points = np.full(5, -radius), []
    state = rule.init(point.astype(np.float32))
    for t, gradient in enumerate(table[:20], 1):
        points.append(point)
        update, state = rule.update(gradient.astype(np.float32), state)
        point = np.clip(point - 0.5 / np.sqrt(t) * np.asarray(update, float), -radius, radius)
    np.testing.assert_allclose(
        found, adaptive_online._regrets(case.data, np.array(points)), rtol=1e-4
    )


def test_partial_derivatives_are_bounded():
    for problem in (robust_diabetes(), huber(5.0, 0.0)):
        far = problem.minimizer + 1e3 * np.random.default_rng(0).standard_normal((50, problem.dim))
        seen = np.abs(gradients_at(problem, far)).max()
        assert 0.3 * largest_partial(problem) < seen <= largest_partial(problem) * (1 + 1e-12)


# Refusals, and what is no theorem


REFUSED: dict[str, tuple[Callable[[], Theorem], Any]] = {
    "a finite sum": (adam.adam_update_sup, quadratic(0)),
    "a linear objective": (adam.momentum_effective_lr, quadratic(0)),
    "a feasible set": (adagrad.adagrad_norm_smooth, quadratic(0)),
    "smoothness": (clipping.clip_L0L1, quadratic(0)),
    "a convex potential": (continuous_time.gf_convex, Case(name="-", symbols={})),
    "a strongly convex potential": (
        continuous_time.gf_sc_f,
        flows.potential_case("cone", flows.cone(1.0, 1.0)),
    ),
    "a game of linear losses": (adaptive_online.adagrad_regret, Case(name="-", symbols={})),
    "a curvature below 2": (langevin.ula_stationary, Case(name="-", symbols={"lam": 2.5})),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_violates_an_assumption_is_refused(said: str):
    function, subject = REFUSED[said]
    theorem = function()
    with pytest.raises(OptbenchError, match=said):
        theorem.on(subject, **next(iter(theorem.settings)))


def test_a_rule_of_thumb_is_reported_where_it_fails():
    one_setting = {name: values[:1] for name, values in adam.DECAYS.items()}
    found = check_bound(dataclasses.replace(adam.adam_update_bound(), parameters=one_setting))
    assert found.verdict is Verdict.CROSSED and found.passed
    exceeded = [c for c in found.comparisons if c.instance == "growing"]
    assert [c.verdict for c in exceeded] == [Verdict.CROSSED]


WRONG: dict[str, Theorem] = {
    "threshold of plain momentum": dataclasses.replace(
        THEOREMS["thr_ema_momentum"],
        parameters={"beta": (0.5,)},
        formula=lambda lam, beta: 2 * (1 + beta) / lam,
    ),
    "constant 5 % small": dataclasses.replace(
        THEOREMS["nesterov_ode"], formula=lambda k, R: 1.9 * R**2 / (k / 2) ** 2
    ),
    "variance of the diffusion": dataclasses.replace(
        THEOREMS["ula_stationary"], formula=lambda lam, a: 1 / lam
    ),
}


@pytest.mark.parametrize("error", WRONG)
def test_a_wrong_statement_is_crossed(error: str):
    assert check_bound(WRONG[error]).verdict is Verdict.CROSSED
