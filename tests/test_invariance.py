from __future__ import annotations

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from command_line import optbench

from optbench.catalog import collect
from optbench.checks import invariance
from optbench.checks.invariance import INVARIANT, STEPS, changed_problem, changes
from optbench.checks.plain_loop import CENTER, CURVATURES, START
from optbench.cli.check_tables import COLUMNS
from optbench.method import find_method, make_method
from optbench.optimizer import Optimizer, Step
from optbench.oracle import Calls, Oracle

OPTIMIZERS = collect("optbench.optimizers", "Optimizer")
ALL = set(changes())
ALWAYS = {"translation", "permutation", "constant"}


@functools.cache
def defects(label: str) -> dict[str, float]:
    measured = invariance.measure_invariance(find_method(label, OPTIMIZERS))
    assert set(measured.defects) == ALL
    return dict(measured.defects)


def harmless(found: dict[str, float]) -> set[str]:
    return {change for change, defect in found.items() if defect <= INVARIANT}


# ---- what theory says

FACTS = {
    "gradient_descent": ALWAYS | {"rotation"},
    "newton": ALL,
    "natural_gradient[damping=0.0,tolerance=1e-13]": ALL,
    "kfac[damping=0.0]": ALL,  # exact where there is one layer
    "damped_newton[floor=0.0]": ALL,
    "normalized_gradient_descent": ALWAYS | {"rotation", "loss scaling"},
    "sign_gradient_descent": ALWAYS | {"loss scaling"},
    "adam[eps=0.0]": ALWAYS | {"loss scaling"},
    "exact_line_search": ALWAYS | {"rotation", "scaling", "loss scaling"},
    "polyak_step": {"translation", "permutation", "rotation", "scaling", "loss scaling"},
    "cyclic_coordinate_descent": {"translation", "constant"},
    "adamw": {"permutation", "constant"},
}


@pytest.mark.parametrize("label", FACTS)
def test_who_is_invariant_under_what(label: str):
    assert harmless(defects(label)) == FACTS[label], defects(label)


@pytest.mark.parametrize("label", ["lbfgs", "newton_cg", "trust_region_newton"])
def test_searches_over_norms_and_inner_products_know_no_axes(label: str):
    found = defects(label)
    assert ALWAYS | {"rotation"} <= harmless(found)
    assert found["affine"] > 1e-3


def test_adam_nearly_forgets_the_scale_of_the_loss():
    found = defects("adam")
    assert INVARIANT < found["loss scaling"] < 1e-4
    assert found["rotation"] > 0.1 and found["scaling"] > 0.1


# ---- the figures are what they are said to be


def gradient(x: np.ndarray) -> np.ndarray:
    """Of sum h u^2 / 4 + b^2 sum (u_{i+1} - u_i^2)^2 / 2, u = x - c, b = 1/4; by hand."""
    u = x - CENTER
    bent = (u[1:] - u[:-1] ** 2) / 16
    grad = CURVATURES * u / 2
    grad[1:] += bent
    grad[:-1] -= 2 * u[:-1] * bent
    return grad


@pytest.mark.parametrize("name", changes())
def test_the_defect_of_gradient_descent_by_hand(name: str):
    change, rate = changes()[name], 0.1
    inverse, x, y = np.linalg.inv(change.matrix), START, change(START)
    xs, ys = [x], [y]
    for _ in range(STEPS):
        x = x - rate * gradient(x)
        within = inverse @ (y - change.shift)
        y = y - rate * change.factor * inverse.T @ gradient(within)
        xs.append(x)
        ys.append(y)
    images = change(np.array(xs))
    apart = max(np.linalg.norm(np.array(ys) - images, axis=1))
    expected = apart / max(np.linalg.norm(images - images[0], axis=1))
    assert abs(defects("gradient_descent")[name] - expected) <= 1e-12


@pytest.mark.parametrize("name", changes())
def test_a_changed_problem_has_the_same_values_and_curvatures(name: str):
    change = changes()[name]
    plain, changed = changed_problem(invariance.Change()), changed_problem(change)
    with jax.enable_x64(True):
        x, y = jnp.asarray(START), jnp.asarray(change(START))
        v = jnp.asarray(np.linspace(-1, 1, START.size))
        base, oracle = Oracle(plain), Oracle(changed)
        expected = change.factor * base.value(x) + change.constant
        np.testing.assert_allclose(oracle.value(y), expected, rtol=1e-13)
        for kind in ("hessian_product", "fisher_product"):
            found = getattr(oracle, kind)(y)(change.matrix @ v)
            expected = np.linalg.solve(change.matrix.T, getattr(base, kind)(x)(v)) * change.factor
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


# ---- planted defects


def stepping(direction):
    """x_{k+1} = x_k - 0.1 direction(x_k, f, grad f)."""

    def planted(learning_rate: float = 0.1) -> Optimizer:
        def step(seen, state, oracle):
            moved = seen.params - learning_rate * direction(seen.params, seen.value, seen.grad)
            return Step(moved, state)

        return Optimizer(lambda params: (), step)

    return planted


PLANTED = {
    "translation": stepping(lambda x, f, g: g * (1 + 1e-6 * jnp.sum(x**2))),
    "rotation": stepping(lambda x, f, g: g + 1e-6 * g**3),
    "permutation": stepping(lambda x, f, g: g * jnp.ones(6).at[0].set(1 + 1e-6)),
    "constant": stepping(lambda x, f, g: g * (1 + 1e-6 * f)),
}


@pytest.mark.parametrize("change", PLANTED)
def test_a_planted_defect_is_seen(change: str):
    found = invariance.measure_invariance(make_method(PLANTED[change])).defects
    lost = (ALWAYS | {"rotation"}) - harmless(found)
    assert lost == ({"permutation", "rotation"} if change == "permutation" else {change})


def test_a_little_damping_costs_newton_its_invariance():
    def damped(damping: float = 1e-6) -> Optimizer:
        def step(seen, state, oracle):
            product = oracle.hessian_product(seen.params)
            hessian = jax.vmap(product)(jnp.eye(6)) + damping * jnp.eye(6)
            moved = seen.params - jnp.linalg.solve(hessian, seen.grad)
            return Step(moved, state, Calls(hessian_products=6))

        return Optimizer(lambda params: (), step)

    measure = invariance.measure_invariance
    assert harmless(dict(measure(make_method(damped)).defects)) == ALWAYS | {"rotation"}
    assert harmless(dict(measure(make_method(damped, damping=0.0)).defects)) == ALL


def test_who_does_not_apply_has_a_reason():
    def sampling(learning_rate: float = 0.1) -> Optimizer:
        def step(seen, state, oracle):
            return Step(seen.params - learning_rate * oracle.sample_rows().sum(), state)

        return Optimizer(lambda params: (), step)

    measured = invariance.measure_invariance(make_method(sampling))
    assert measured.defects == {} and "minibatches" in measured.reason


def test_who_does_not_move_or_leaves_the_numbers_has_no_defect():
    still = stepping(lambda x, f, g: 0 * g)
    lost = stepping(lambda x, f, g: g * jnp.nan)
    for planted in (still, lost):
        found = invariance.measure_invariance(make_method(planted)).defects
        assert all(np.isnan(defect) for defect in found.values())


# ---- the command


def test_the_table_is_printed():
    shown = optbench("check", "--invariance", "newton", "sign_gradient_descent")
    assert shown.exit_code == 0
    header, newton, sign, legend = shown.stdout.splitlines()
    assert header.split() == ["optimizer", *COLUMNS.values()]
    assert newton.split() == ["newton", *["inv"] * 8]
    cells = dict(zip(COLUMNS, sign.split()[1:], strict=True))
    assert {change for change, cell in cells.items() if cell == "inv"} == FACTS[
        "sign_gradient_descent"
    ]
    assert legend.startswith("inv: invariant")
    assert list(COLUMNS) == list(changes())


def test_the_table_is_printed_as_json():
    shown = json.loads(optbench("check", "--invariance", "newton", "--json").stdout)
    (row,) = shown
    assert row["label"] == "newton" and set(row["defects"]) == ALL
    assert max(row["defects"].values()) <= INVARIANT
