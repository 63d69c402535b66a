"""Rates that theory tells: what the eigenvalues and the runs of the validated pairs say of them."""

from __future__ import annotations

import dataclasses
import inspect

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from test_rates_validated import PAIRS, Pair, bent, eta, spread

from optbench import catalog, rate_formulas
from optbench.method import find_method, make_method
from optbench.optimizers.names import OPTIMIZERS, known_optimizers
from optbench.problem import Constants, Problem
from optbench.rate_formulas import TheoreticalRate
from optbench.rates import SCALES, Rate
from optbench.start import start_near
from optbench.theoretical_rates import theoretical_rate
from optbench.theory import known_of
from optbench.transforms import noisy
from problems.convex_composite.kinked import absolute_value
from problems.convex_composite.penalized import lasso

FORMULAS = {
    name: function
    for name, function in vars(rate_formulas).items()
    if inspect.isfunction(function) and name[0] != "_" and catalog.returned(function) == "Told"
}


def told(problem: Problem, label: str) -> TheoreticalRate | None:
    method = find_method(label, known_optimizers())
    return theoretical_rate(problem, method.settled(known_of(problem)), {})


@pytest.mark.parametrize("name", FORMULAS)
def test_every_formula_is_of_an_optimizer_and_takes_its_hyperparameters(name):
    optimizer = catalog.collect(OPTIMIZERS, "Optimizer")[name]
    first, *needed = (p.name for p in catalog.parameters(FORMULAS[name]))
    assert first == "problem"
    assert set(needed) <= {p.name for p in catalog.parameters(optimizer)}
    assert "Source:" in FORMULAS[name].__doc__


def with_theory() -> list[tuple[Pair, TheoreticalRate]]:
    found = [(pair, told(pair.problem(), pair.method)) for pair in PAIRS]
    return [(pair, rate) for pair, rate in found if rate is not None]


def contradictions(pairs: list[tuple[Pair, TheoreticalRate]]) -> list[str]:
    """The methods of pairs whose truth is another than, or slower than, theory tells."""
    wrong = []
    for pair, rate in pairs:
        speed = SCALES[rate.kind].speed
        if rate.exact:
            agrees = pair.kind == rate.kind and np.isclose(speed(pair.truth), speed(rate.value))
        else:
            faster = pair.kind != rate.kind or speed(pair.truth) >= speed(rate.value) * (1 - 1e-9)
            agrees = rate.value is None or faster
        if not agrees:
            wrong.append(pair.method)
    return wrong


def test_theory_agrees_with_eigenvalues_and_closed_forms():
    pairs = with_theory()
    assert len(pairs) >= 20
    assert sum(rate.exact for _, rate in pairs) >= 15
    assert contradictions(pairs) == []


@pytest.mark.parametrize("defect", [lambda q: q**0.5, lambda q: q**1.001])
def test_a_wrong_factor_contradicts_the_eigenvalues(defect):
    """The factor of x instead of f, or one that is wrong by 0.1 % of its logarithm."""
    pairs = [
        (pair, dataclasses.replace(rate, value=defect(rate.value)))
        for pair, rate in with_theory()
        if rate.kind == "linear" and rate.exact
    ]
    assert len(contradictions(pairs)) == len(pairs)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", ["gradient_descent", "momentum", "nesterov", "gradient_flow"])
def test_the_slowest_direction_is_one_of_the_ends(name, seed):
    """No curvature between mu and L has a larger root than both ends have."""
    rng = np.random.default_rng(seed)
    step, beta = rng.uniform(0.1, 1.9), rng.uniform(0, 0.99)
    given = {"gradient_flow": {"time_step": step, "num_substeps": 2}}.get(
        name, {"learning_rate": step} | ({} if name == "gradient_descent" else {"momentum": beta})
    )

    def factor(mu: float, smoothness: float) -> float:
        constants = Constants(smoothness=smoothness, strong_convexity=mu, quadratic=True)
        rate = FORMULAS[name](dataclasses.replace(spread(4.0), constants=constants), **given)
        return 1.0 if rate is None else rate.value

    whole = factor(0.05, 1.0)
    assert all(factor(h, h) <= whole + 1e-12 for h in np.linspace(0.05, 1.0, 40))


def test_what_is_not_attained_or_no_quadratic_is_told_as_a_bound():
    exact = told(spread(10.0), eta("gradient_descent", 1.0))
    assert (exact.kind, exact.value, exact.exact) == ("linear", pytest.approx(0.81), True)
    assert exact.short == "q=0.81"
    problem = spread(10.0)
    for changed in ({"sharp": False}, {"quadratic": False}):
        constants = dataclasses.replace(problem.constants, **changed)
        bound = told(dataclasses.replace(problem, constants=constants), "momentum")
        assert not bound.exact and bound.short.startswith("q<=")


def convex(**constants) -> Problem:
    return dataclasses.replace(bent(0.0, 0.1), constants=Constants(convex=True, **constants))


def test_convex_and_newton_like_methods():
    smooth = convex(smoothness=2.0, strong_convexity=0.0)
    assert told(smooth, eta("gradient_descent", 0.5)).short == "<=k^-1.0"
    assert told(smooth, eta("gradient_descent", 1.5)) is None  # beyond 2 / L
    for name in ("nesterov_convex", "fista", "optimized_gradient"):
        assert told(smooth, name).short == "<=k^-2.0"
        assert told(smooth, f"{name}[smoothness=1.0]") is None  # its L is too small
    assert told(absolute_value(), "subgradient").short == "<=k^-0.5"
    assert told(lasso(), "proximal_gradient[learning_rate=1/L]").kind == "sublinear"
    strong = convex(smoothness=2.0, strong_convexity=1.0)
    assert told(strong, "newton").short == "order>=2.0"
    assert told(strong, "newton_cg").short == "order>=1.5"
    assert told(strong, "bfgs").short == "superlinear"
    assert told(strong, eta("newton", 0.5)).value == 0.25
    assert told(spread(10.0), "newton") is None  # it ends in one step


def test_what_is_not_known_is_not_told():
    quadratic = spread(10.0)
    assert told(quadratic, "adam") is None
    assert told(quadratic, "clip_by_global_norm(gradient_descent)") is None
    assert told(noisy(quadratic), "gradient_descent") is None
    assert told(quadratic, eta("gradient_descent", 2.5)) is None  # it diverges
    assert told(lasso(), "momentum") is None  # f is not smooth
    unknown = Problem(objective=jnp.sum, start=start_near(np.ones(2)))
    assert all(told(unknown, name) is None for name in ("gradient_descent", "newton", "momentum"))


def test_somebodys_own_optimizer_of_a_known_name_has_no_theory():
    own = make_method(optax.sgd, "gradient_descent", learning_rate=1.0)
    assert theoretical_rate(spread(10.0), own, {}) is None


def test_ratios_are_of_speeds():
    seen = Rate(kind="linear", estimate=0.81, low=0.8, high=0.82, window=(1, 9), points=9)
    theory = TheoreticalRate(kind="linear", value=0.9)
    assert theory.ratio(seen) == pytest.approx(2.0)
    assert dataclasses.replace(theory, kind="superlinear", value=2.0).ratio(seen) is None
    assert dataclasses.replace(theory, value=None).ratio(seen) is None
    power = dataclasses.replace(seen, kind="sublinear", estimate=2.0)
    assert TheoreticalRate(kind="sublinear", value=1.0).ratio(power) == 2.0


def test_the_gradient_norm_falls_like_the_root():
    assert TheoreticalRate(kind="linear", value=0.81).of_gradient_norm().value == pytest.approx(0.9)
    order = TheoreticalRate(kind="superlinear", value=2.0)
    assert order.of_gradient_norm() == order
    assert TheoreticalRate(kind="sublinear", value=1.0).of_gradient_norm() is None
