"""Worst instances are found from random starts, and a bound that is false is broken."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.bound import Theorem
from optbench.bounds.found_instances import diagonal_quadratic, piecewise_quadratic
from optbench.catalog import collect
from optbench.checks import Verdict, check_bound, check_problem
from optbench.checks.attack import SEEDS, attack
from optbench.checks.plain_loop import declared_values
from optbench.checks.unrolled import unroll
from optbench.errors import OptbenchError
from optbench.method import make_method
from optbench.optimizers.first_order.accelerated import nesterov_convex
from optbench.optimizers.first_order.momentum import momentum
from optbench.quantity import BEST_SUBOPTIMALITY
from optbench.report.found import save_found
from optbench.run import run

THEOREMS = collect("optbench.bounds", "Theorem")

# Attained by functions that are not quadratic: Huber losses and the like.
BENT: dict[str, dict[str, float]] = {
    "gd_convex_tight": {"h": 1.0},
    "gd_convex_grad_dist": {"h": 1.0},
    "gd_convex_grad_f": {"h": 1.0},
    "gd_sc_fgap_dist_tight": {"h": 1.0},
    "gd_sc_grad_f_tight": {"h": 1.0},
    "gd_silver_tight": {"j": 2.0},
}
# Attained by quadratics.
STRAIGHT: dict[str, dict[str, float]] = {
    "gd_sc_dist": {"h": 0.5},
    "gd_sc_grad": {"h": 1.0},
    "gd_sc_fgap": {"h": 0.5},
    "ogm_tight": {},
    "tmm": {},
    "hb_quad_exact": {},
}


def at(name: str, setting: dict[str, float]) -> Theorem:
    """A theorem at one setting of its parameters."""
    parameters = {parameter: (value,) for parameter, value in setting.items()}
    return dataclasses.replace(THEOREMS[name](), parameters=parameters)


@functools.cache
def found(name: str):
    (one,) = attack(at(name, {**BENT, **STRAIGHT}[name]))
    return one


@pytest.mark.parametrize("name", [*BENT, *STRAIGHT])
def test_a_tight_value_is_found_again(name: str):
    """From five random starts, to 1 %; and no instance of the class crosses the bound."""
    assert len(found(name).ratios) == len(SEEDS) == 5
    assert 0.99 <= found(name).worst <= 1 + 1e-9
    assert found(name).comparison.verdict is Verdict.HOLDS and not found(name).broken


@pytest.mark.parametrize("name", BENT)
def test_what_was_found_is_not_quadratic(name: str):
    """Its curvature jumps within the path of the run: a quadratic would not come so near."""
    arguments = found(name).arguments
    knots, curvatures = np.asarray(arguments["knots"]), np.asarray(arguments["curvatures"])
    assert knots.shape[1] >= 10
    reached = np.abs(arguments["start"]).max()
    inside = np.abs(knots) < reached
    jumps = np.abs(np.diff(curvatures, axis=1))[inside]
    assert jumps.max() > 0.5


@pytest.mark.parametrize("name", ["gd_convex_tight", "hb_quad_exact"])
def test_a_false_bound_is_broken(name: str):
    """Tight, with a constant 5 % too small."""
    theorem = at(name, {**BENT, **STRAIGHT}[name])
    right = theorem.formula
    false = functools.wraps(right)(lambda **symbols: 0.95 * right(**symbols))
    (one,) = attack(dataclasses.replace(theorem, formula=false))
    assert one.broken and one.worst > 1.04
    assert one.comparison.crossing is not None and "crosses first" in one.sentence


def test_the_start_is_not_the_end():
    """The random instances themselves come nowhere near: it is the climb that finds the worst."""
    untouched = functools.partial(attack, at("gd_convex_tight", {"h": 1.0}))
    import optbench.checks.attack as module

    steps, module.CLIMB = module.CLIMB, 1
    try:
        (one,) = untouched()
    finally:
        module.CLIMB = steps
    assert one.worst < 0.9


def piecewise(seed: int = 0):
    rng = np.random.default_rng(seed)
    knots = np.sort(rng.uniform(-2, 2, (2, 12)), axis=1)
    curvatures = rng.uniform(0.25, 4, (2, 13))
    return piecewise_quadratic(knots, curvatures, np.array([2.5, -1.5]), 4.0, 0.25)


def test_instances_are_what_they_claim():
    spectrum = np.random.default_rng(0).uniform(0.25, 4, 8)
    for problem in (piecewise(), diagonal_quadratic(spectrum, np.ones(8), 4.0, 0.25)):
        assert [check for check in check_problem(problem) if not check.passed] == []


def test_a_piecewise_quadratic_is_the_integral_of_its_curvature():
    """Twice integrated by trapezoids."""
    problem = piecewise()
    knots, curvatures = problem.data
    grid = np.linspace(0, 2.5, 200_001)
    slope = np.cumsum(curvatures[0][np.searchsorted(knots[0], grid)]) * grid[1]
    value = float(np.sum(slope) * grid[1])
    with jax.enable_x64(True):
        f = float(problem.objective(jnp.array([2.5, 0.0]), *problem.data))
    assert f == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize(
    "method",
    [make_method(nesterov_convex), make_method(momentum, learning_rate=0.1, momentum=0.5)],
    ids=lambda method: method.name,
)
def test_the_unrolled_run_is_the_run(method):
    """The driver that can be differentiated, against the loop."""
    problem = piecewise()
    steps = tuple(range(21))
    ran = run(problem, method, budget=None, log_steps=steps, noise_floor=-np.inf)
    with jax.enable_x64(True):
        values = declared_values(method, problem)
        path = unroll(method, values, problem, jnp.asarray(problem.start(0)), 20)
    for name in ("value", "gradient_norm", "params"):
        np.testing.assert_allclose(getattr(path, name), getattr(ran, name), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"direction": "identity"}, "no bound on the runs of an optimizer"),
        ({"assumptions": ()}, "its class needs no convexity"),
        ({"steps": {"learning_rate": lambda L, R: 1 / (L * R)}}, "its steps depend on R"),
        ({"quantity": BEST_SUBOPTIMALITY}, "min_{i<=k} f(x_i) - f*, or its formula, is for NumPy"),
    ],
)
def test_what_cannot_be_attacked_is_refused(fields: dict, why: str):
    theorem = dataclasses.replace(at("gd_convex_tight", {"h": 1.0}), **fields)
    with pytest.raises(OptbenchError) as raised:
        attack(theorem)
    assert why in raised.value.message and raised.value.hint


def test_a_found_instance_is_saved_as_a_problem(tmp_path: Path):
    """And run again it gives the same ratio, to the last bit."""
    path = save_found([found("hb_quad_exact")], tmp_path / "attacks")
    spec = importlib.util.spec_from_file_location("saved", path)
    saved = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(saved)
    again = check_bound(THEOREMS["hb_quad_exact"](), saved.worst_0())
    first = again.comparisons[0]
    np.testing.assert_array_equal(first.observed, found("hb_quad_exact").comparison.observed)
    assert json.dumps(found("hb_quad_exact").to_json(), allow_nan=False)
