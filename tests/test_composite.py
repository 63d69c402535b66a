"""Problems with a prox, a constraint or a manifold: what runs measure, and what may run."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.checks import check_problem
from optbench.errors import NotApplicable, OptbenchError
from optbench.method import make_method
from optbench.optimality import optimality_residual, smooth_grad
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.first_order.gradient_descent import (
    gradient_descent,
    gradient_descent_backtracking,
)
from optbench.optimizers.first_order.proximal import projected, proximal_gradient
from optbench.optimizers.wrappers.clipping import clip_by_global_norm
from optbench.oracle import Oracle
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.run import run
from optbench.start import start_near

TARGET = np.array([2.0, -0.3, 0.0, 1.0])
EIGENVALUES = np.array([1.0, 2.0, 4.0])


def half_square(params, target):
    return jnp.sum((params - target) ** 2) / 2


def one_norm(params, target):
    return 0.5 * jnp.sum(jnp.abs(params))


def lasso(params, target):
    return half_square(params, target) + one_norm(params, target)


def shrink(params, step, target):
    return jnp.sign(params) * jnp.maximum(jnp.abs(params) - 0.5 * step, 0.0)


def clip(params, step, target):
    return jnp.clip(params, -1.0, 1.0)


def rayleigh(params, eigenvalues):
    return jnp.sum(eigenvalues * params**2) / 2


def normalize(params, step, eigenvalues):
    return params / jnp.sqrt(jnp.sum(params**2))


def tangent(params, v, eigenvalues):
    return v - params * jnp.sum(params * v)


SHRUNK = np.array([1.5, 0.0, 0.0, 0.5])
LASSO = Problem(
    name="lasso",
    objective=lasso,
    nonsmooth=one_norm,
    prox=shrink,
    data=(TARGET,),
    start=start_near(np.array([0.4, -2.0, 1.0, 3.0])),
    minimum=float(np.sum((SHRUNK - TARGET) ** 2) / 2 + 0.5 * np.sum(np.abs(SHRUNK))),
    minimizer=SHRUNK,
    minimum_kind="certified",
    constants=Constants(
        smoothness=1.0, strong_convexity=1.0, convex=True, quadratic=True, sharp=True
    ),
)
BOX = Problem(
    name="box",
    objective=half_square,
    prox=clip,
    data=(TARGET,),
    start=start_near(np.full(4, -0.5)),
    minimum=0.5,
    minimizer=np.array([1.0, -0.3, 0.0, 1.0]),
    minimum_kind="closed form",
    constants=Constants(smoothness=1.0, strong_convexity=1.0, gradient_bound=4.0, convex=True),
)


class OnSphere:
    """A standard normal start, normalized."""

    def __call__(self, seed):
        point = np.random.default_rng(seed).standard_normal(3)
        return point / np.linalg.norm(point)


SPHERE = Problem(
    name="sphere",
    objective=rayleigh,
    prox=normalize,
    tangent=tangent,
    data=(EIGENVALUES,),
    start=OnSphere(),
    minimum=0.5,
    minimizer=np.eye(3)[0],
    minimum_kind="closed form",
    critical_points=(
        CriticalPoint("saddle", 1.0, np.eye(3)[1]),
        CriticalPoint("maximum", 2.0, -np.eye(3)[2]),
    ),
)


def changed(problem, **fields):
    return dataclasses.replace(problem, **fields)


def too_little(params, step, target):
    return shrink(params, 0.99 * step, target)


def right_up_to_ten(params, step, target):
    return shrink(params, jnp.minimum(step, 10.0), target)


def lost_for_long_steps(params, step, target):
    return shrink(params, jnp.where(step > 1.0, jnp.nan, step), target)


def barrier(params, target):
    return -jnp.sum(jnp.log(params))


def bounded_square(params, target):
    return half_square(params, target) + barrier(params, target)


def barrier_prox(params, step, target):
    return (params + jnp.sqrt(params**2 + 4 * step)) / 2


def off_the_barrier(params, step, target):
    return 1.00001 * barrier_prox(params, step, target)


def to_another_point(params, step, target):
    inside = jnp.all(jnp.abs(params) <= 1)
    return jnp.where(inside, params, jnp.clip(params[::-1], -1.0, 1.0))


def halfway(params, step, target):
    return (params + clip(params, step, target)) / 2


def whole_space(params, v, eigenvalues):
    return v


BARRIER = Problem(
    name="barrier",
    objective=bounded_square,
    nonsmooth=barrier,
    prox=barrier_prox,
    data=(TARGET,),
    start=start_near(np.full(4, 2.0)),
)
LAWS = {"lasso": LASSO, "box": BOX, "sphere": SPHERE, "barrier": BARRIER}
DEFECTS = {
    "stationary of a composite": ("stationary", LASSO, {"minimizer": SHRUNK + 1e-6}),
    "certified by a residual": ("certified", LASSO, {"minimizer": SHRUNK + 1e-6}),
    "stationary in a box": ("stationary", BOX, {"minimizer": np.array([1.0, -0.3, 1e-9, 1.0])}),
    "stationary on a sphere": ("stationary", SPHERE, {"minimizer": np.array([1.0, 1e-9, 0.0])}),
    "prox with a wrong step": ("prox", LASSO, {"prox": too_little}),
    "prox wrong for long steps": ("prox", LASSO, {"prox": right_up_to_ten}),
    "prox that is no number": ("prox", LASSO, {"prox": lost_for_long_steps}),
    "prox at the edge of a domain": ("prox", BARRIER, {"prox": off_the_barrier}),
    "projection on other points": ("prox", BOX, {"prox": to_another_point}),
    "projection that stops halfway": ("prox", BOX, {"prox": halfway}),
    "start outside": ("feasible", BOX, {"start": start_near(np.full(4, -1.5))}),
    "minimizer outside": ("feasible", BOX, {"minimizer": TARGET}),
    "tangent space too large": ("tangent", SPHERE, {"tangent": whole_space}),
    "never beaten on the set": ("never beaten", SPHERE, {"minimum": 0.6, "minimizer": None}),
    "smoothness of the smooth part": (
        "smoothness",
        LASSO,
        {"constants": Constants(smoothness=0.97)},
    ),
    "gradient bound": ("gradient bound", BOX, {"constants": Constants(gradient_bound=2.5)}),
    "critical value": (
        "critical value",
        SPHERE,
        {"critical_points": (CriticalPoint("saddle", 1.0 + 1e-9, np.eye(3)[1]),)},
    ),
    "critical point": (
        "critical point",
        SPHERE,
        {"critical_points": (CriticalPoint("saddle", 1.0, np.array([0.0, 1.0, 1e-9])),)},
    ),
    "critical value that is no number": (
        "critical value",
        SPHERE,
        {"critical_points": (CriticalPoint("saddle", np.nan, np.eye(3)[1]),)},
    ),
    "critical point that is no number": (
        "critical point",
        SPHERE,
        {"critical_points": (CriticalPoint("saddle", 1.0, np.full(3, np.nan)),)},
    ),
    "saddle called a minimum": (
        "critical kind",
        SPHERE,
        {"critical_points": (CriticalPoint("local minimum", 1.0, np.eye(3)[1]),)},
    ),
    "maximum called a saddle": (
        "critical kind",
        SPHERE,
        {"critical_points": (CriticalPoint("saddle", 2.0, np.eye(3)[2]),)},
    ),
    "saddle called a maximum": (
        "critical kind",
        SPHERE,
        {"critical_points": (CriticalPoint("maximum", 1.0, np.eye(3)[1]),)},
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_sound_problems_keep_the_laws(name):
    assert [check for check in check_problem(LAWS[name]) if not check.passed] == []


@pytest.mark.parametrize("defect", DEFECTS)
def test_laws_reject_their_defects(defect):
    law, problem, fields = DEFECTS[defect]
    checks = {check.law: check for check in check_problem(changed(problem, **fields))}
    assert not checks[law].passed


def test_residual_is_the_gradient_its_tangent_part_or_the_natural_residual():
    with jax.enable_x64(True):
        point, grad = jnp.array([0.4, -2.0, 1.0, 3.0]), jnp.array([-1.1, -2.2, 1.5, 2.5])
        evaluation = Oracle(LASSO).value_and_grad(point)
        np.testing.assert_allclose(evaluation.grad, grad, rtol=1e-15)
        np.testing.assert_allclose(smooth_grad(LASSO, point, grad), point - TARGET, rtol=1e-15)
        found = optimality_residual(LASSO, point, grad)
        np.testing.assert_allclose(found, point - SHRUNK, rtol=1e-15)
        free = changed(LASSO, prox=None)
        assert optimality_residual(free, point, grad) is grad
        unit = jnp.array([0.6, 0.8, 0.0])
        along = optimality_residual(SPHERE, unit, EIGENVALUES * unit)
        np.testing.assert_allclose(along @ unit, 0, atol=1e-15)


def test_proximal_gradient_with_step_one_over_L_solves_an_orthogonal_lasso_at_once():
    told = run(LASSO, make_method(proximal_gradient, learning_rate=1.0), num_steps=3)
    np.testing.assert_allclose(told.value[1] - LASSO.minimum, 0, atol=1e-15)
    assert told.gradient_norm[1] <= 1e-15
    assert told.calls["prox"].tolist()[:2] == [0, 1]


def test_ista_walks_as_a_plain_loop():
    told = run(LASSO, make_method(proximal_gradient, learning_rate=0.3), num_steps=20)
    point = LASSO.start(0)
    for step in range(20):
        np.testing.assert_allclose(told.params[step], point, rtol=1e-13, atol=1e-15)
        ahead = point - 0.3 * (point - TARGET)
        point = np.sign(ahead) * np.maximum(np.abs(ahead) - 0.15, 0)


CLIPPED = make_method(clip_by_global_norm, inner=make_method(gradient_descent, learning_rate=0.1))


@pytest.mark.parametrize(
    "inner", [make_method(gradient_descent), make_method(adam, learning_rate=0.1), CLIPPED]
)
def test_projected_steps_stay_feasible_and_arrive(inner):
    method = make_method(projected, inner=inner)
    for problem, off in ((BOX, 1.0), (SPHERE, 1e-15)):
        told = run(problem, method, num_steps=400)
        points = np.asarray(told.params)
        landed = np.clip(points, -off, off) if problem is BOX else points
        np.testing.assert_allclose(points, landed)
        if problem is SPHERE:
            np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 1, rtol=1e-14)
        assert told.value[-1] - problem.minimum <= 1e-2 * (told.value[0] - problem.minimum)


def test_what_leaves_the_feasible_set_is_not_applicable():
    for problem in (BOX, SPHERE):
        with pytest.raises(NotApplicable, match="leaves the feasible set"):
            run(problem, make_method(gradient_descent), num_steps=3)
    assert run(LASSO, make_method(gradient_descent), num_steps=3).value.shape == (4,)
    free = changed(BOX, prox=None)  # the same shapes, and the same method traced before
    assert run(free, make_method(gradient_descent), num_steps=3).value.shape == (4,)
    with pytest.raises(NotApplicable, match="leaves the feasible set"):
        run(BOX, make_method(gradient_descent), num_steps=3)


def test_steps_that_need_another_kind_of_problem_are_refused():
    method = make_method(projected, inner=make_method(gradient_descent))
    with pytest.raises(NotApplicable, match="nonsmooth part and no constraint"):
        run(LASSO, method, num_steps=3)
    with pytest.raises(NotApplicable, match="no prox is known"):
        run(changed(LASSO, prox=None), make_method(proximal_gradient), num_steps=3)
    searching = make_method(projected, inner=make_method(gradient_descent_backtracking))
    with pytest.raises(OptbenchError, match="asks the objective itself"):
        run(BOX, searching, num_steps=3)


def test_a_best_known_minimum_decides_no_target():
    known = run(LASSO, make_method(proximal_gradient), num_steps=3)
    best = changed(LASSO, minimum_kind="best known")
    guessed = run(best, make_method(proximal_gradient), num_steps=3)
    assert (known.merit, guessed.merit) == ("suboptimality", "gradient norm")
    assert guessed.reference is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prox": lambda params, step, target: jnp.sum(params)}, "prox returns no params"),
        ({"prox": None, "tangent": tangent}, "tangent is given where nothing is constrained"),
        ({"nonsmooth": lambda params, target: params}, "nonsmooth returns shape"),
        ({"row_arrays": 2}, "row_arrays is 2"),
        (
            {"critical_points": (CriticalPoint("saddle", 0.0, np.ones(2)),)},
            r"critical point 0 \(saddle\) has shapes",
        ),
    ],
)
def test_malformed_parts_are_refused(fields, message):
    with pytest.raises(OptbenchError, match=message):
        run(changed(BOX, **fields), make_method(gradient_descent), num_steps=3)
