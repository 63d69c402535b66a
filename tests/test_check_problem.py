"""Each law of `check_problem` rejects a defect planted for it, and no sound problem."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_composite import DEFECTS as STEP_DEFECTS

from optbench.checks import check_problem
from optbench.checks.probes import layout_of, pack, unpack
from optbench.checks.record import at_most
from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms import noisy
from problems.classical.bowls import booth
from problems.classical.valleys import rosenbrock
from problems.classification.likelihoods import (
    logistic_breast_cancer,
    logistic_separable,
    softmax_iris,
)
from problems.convex_composite.constrained import box_least_squares
from problems.convex_composite.kinked import absolute_value
from problems.convex_composite.penalized import lasso
from problems.factorization.eigenvectors import rayleigh_quotient
from problems.quadratics import quadratic, saddle
from problems.regression.least_squares import least_squares_diabetes

START = start_near(np.array([1.0, -2.0]))


def changed(problem, **fields):
    return dataclasses.replace(problem, **fields)


def claiming(problem, **claims):
    return changed(problem, constants=dataclasses.replace(problem.constants, **claims))


def sphere(params):
    return jnp.sum(params**2)


def with_tangent(tangent):
    """The sphere with a derivative of its own."""
    function = jax.custom_jvp(sphere)
    function.defjvp(lambda primals, tangents: (sphere(*primals), tangent(*primals, *tangents)))
    return Problem(objective=function, start=START)


@jax.custom_batching.custom_vmap
def wrong_in_batches(params):
    return sphere(params)


@wrong_in_batches.def_vmap
def _(axis_size, in_batched, params):
    return jnp.sum(params**2, axis=1) * (1 + 1e-9), True


@jax.custom_jvp
def batched_sphere(params):
    return wrong_in_batches(params)


batched_sphere.defjvp(
    lambda primals, tangents: (batched_sphere(*primals), 2 * primals[0] @ tangents[0])
)


def wrong_when_jitted(params):
    return sphere(params) * (1 + 1e-9 * isinstance(params, jax.core.Tracer))


def through_float32(params):
    return sphere(params.astype(jnp.float32))


def cancelling(params):
    return sphere(1e6 + params) - 2e12


def gradient_is_nan(params):
    return jnp.sqrt(sphere(params - jnp.array([1.0, -2.0])))


def sampled():
    return logistic_breast_cancer(batch_size=32)


def scaled_sample(params, key, *data):
    return 1.1 * sampled().sample_loss(params, key, *data)


def frozen_sample(params, key, *data):
    return sampled().sample_loss(jax.lax.stop_gradient(params), key, *data)


def identity(params, *data):
    return params


def doubling_network(params, dense, features, *rest):
    return dense(2 * features, params), params


def changing_start(seed):
    changing_start.calls += 1
    return np.ones(2) * changing_start.calls


changing_start.calls = 0

DEFECTS = {
    "start": lambda: Problem(objective=sphere, start=changing_start),
    "finite": lambda: Problem(objective=gradient_is_nan, start=START),
    "jit": lambda: Problem(objective=wrong_when_jitted, start=START),
    "vmap": lambda: Problem(objective=batched_sphere, start=START),
    "dtype": lambda: Problem(objective=through_float32, start=START),
    "float32": lambda: Problem(objective=cancelling, start=START),
    "taylor": lambda: with_tangent(lambda x, v: 2.002 * x @ v),
    "gradient": lambda: with_tangent(lambda x, v: 2 * x @ v + 1e-6 * v[0]),
    "hessian product": lambda: with_tangent(lambda x, v: 2 * jax.lax.stop_gradient(x) @ v),
    "symmetric": lambda: with_tangent(lambda x, v: 2 * x @ v + x[0] * v[1]),
    "saddle": lambda: changed(saddle(), saddle=1.0),
    "provenance": lambda: changed(booth(), minimum_kind=None),
    "minimum": lambda: changed(booth(), minimum=-1e-9),
    "stationary": lambda: changed(booth(), minimizer=np.array([1.0, 3.0 + 1e-9])),
    "certified": lambda: claiming(sampled(), strong_convexity=None),
    "never beaten": lambda: changed(booth(), minimum=1e-9, minimizer=None),
    "smoothness": lambda: claiming(booth(), smoothness=18 * 0.97),
    "strong convexity": lambda: claiming(booth(), strong_convexity=2 * 1.03),
    "convex": lambda: claiming(rosenbrock(), convex=True),
    "hessian lipschitz": lambda: claiming(logistic_separable(), hessian_lipschitz=0.09),
    "spectrum": lambda: claiming(quadratic(), smoothness=0.999),
    "sharp": lambda: claiming(quadratic(), strong_convexity=0.1 * 0.999),
    "residuals": lambda: changed(booth(), residuals=identity),
    "outputs": lambda: changed(booth(), outputs=identity, output_loss=lambda z: jnp.sum(z**2)),
    "fisher": lambda: changed(
        saddle(), outputs=identity, output_loss=lambda z, *data: saddle().objective(z, *data)
    ),
    "network": lambda: changed(softmax_iris(), network=doubling_network),
    "sampled loss": lambda: changed(sampled(), sample_loss=scaled_sample),
    "rows": lambda: changed(least_squares_diabetes(), row_arrays=1),
    "noise variance": lambda: claiming(noisy(booth(), scale=0.5), noise_variance=0.4),
    "sampled slope": lambda: changed(sampled(), sample_loss=frozen_sample),
}


@pytest.mark.parametrize("law", DEFECTS)
def test_law_rejects_its_defect(law):
    checks = {check.law: check for check in check_problem(DEFECTS[law]())}
    assert not checks[law].passed


def test_every_law_has_a_defect():
    """The laws that problems of all kinds meet, taken together, are those above and of steps."""
    met = set()
    plain = rosenbrock(), least_squares_diabetes(), sampled(), saddle(), noisy(booth())
    plain += (softmax_iris(),)
    steps = box_least_squares(), lasso(), absolute_value(), rayleigh_quotient()
    for problem in (*plain, *steps):
        met |= {check.law for check in check_problem(problem)}
    assert met == set(DEFECTS) | {law for law, *_ in STEP_DEFECTS.values()}


def test_a_claimed_quadratic_has_a_constant_hessian():
    checks = check_problem(claiming(rosenbrock(), quadratic=True))
    assert not next(check for check in checks if check.law == "hessian lipschitz").passed


@pytest.mark.parametrize("seed", range(3))
def test_laws_hold_for_other_seeds(seed):
    for problem in (least_squares_diabetes(), sampled(), rosenbrock()):
        assert all(check.passed for check in check_problem(problem, seed=seed))


def test_laws_hold_for_ill_conditioned_large_and_structured_problems():
    quartic = Problem(
        objective=lambda params: jnp.sum(jnp.abs(params["z"]) ** 4) + sphere(params["a"]["b"]),
        start=lambda seed: {
            "z": np.random.default_rng(seed).standard_normal(3) + 1j,
            "a": {"b": np.ones((2, 2))},
        },
        minimum=0.0,
        minimizer={"z": np.zeros(3, complex), "a": {"b": np.zeros((2, 2))}},
        minimum_kind="closed form",
        constants=Constants(convex=True),
    )
    large = quadratic(dim=2000, condition_number=1e8, rotated=False)
    for problem in (quadratic(condition_number=1e8), large, quartic):
        failed = [check for check in check_problem(problem) if not check.passed]
        assert not failed


def test_a_malformed_problem_is_refused():
    with pytest.raises(OptbenchError, match="objective returns shape"):
        check_problem(Problem(objective=identity, start=START))


def test_params_survive_packing():
    params = {"a": np.array([[1.0, 2.0]]), "b": np.array(3.0), "c": np.array([4.0 + 5.0j, 6.0])}
    with jax.enable_x64(True):
        restored = unpack(layout_of(params), jnp.asarray(pack(params)))
    np.testing.assert_array_equal(pack(params), [1, 2, 3, 4, 5, 6, 0])
    assert jax.tree.all(jax.tree.map(np.array_equal, params, restored))


def test_what_is_not_a_number_fails():
    assert at_most("law", 1.0, 1.0, "").passed
    assert not at_most("law", float("nan"), 1.0, "").passed
    assert not at_most("law", float("inf"), 1.0, "").passed
