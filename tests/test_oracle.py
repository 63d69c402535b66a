from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from optbench.errors import NotApplicable, OptbenchError
from optbench.oracle import Calls, Oracle, Prices, RefusingOracle, untouched
from optbench.plan import Plan
from optbench.problem import Problem
from optbench.start import standard_normal
from optbench.transforms import minibatches

rng = np.random.default_rng(0)
INPUTS, TARGETS = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
WEIGHTS = {"hidden": rng.standard_normal((3, 4)), "out": [rng.standard_normal((4, 2)), np.ones(2)]}
SAMPLE = 2.0 + 0.5 * rng.standard_normal(40)


def mlp(params, inputs, targets):
    return jnp.tanh(inputs @ params["hidden"]) @ params["out"][0] + params["out"][1][None, :]


def squared(outputs, inputs, targets):
    return jnp.sum((outputs - targets) ** 2) / 2


def mlp_loss(params, *data):
    return squared(mlp(params, *data), *data)


MLP = Problem(
    objective=mlp_loss,
    start=standard_normal((3,)),
    data=(INPUTS, TARGETS),
    outputs=mlp,
    output_loss=squared,
)


def natural_of(params, statistics):
    """The natural parameters (mu / s, -1 / (2 s)) of a Gaussian with mean mu and variance s."""
    mean, variance = params
    return jnp.array([mean / variance, -1 / (2 * variance)])


def gaussian_loss(natural, statistics):
    """Mean negative log-likelihood: log-partition minus natural parameters . statistics."""
    first, second = natural
    partition = -(first**2) / (4 * second) - jnp.log(-2 * second) / 2
    return partition - natural @ statistics


def gaussian(params, statistics):
    return gaussian_loss(natural_of(params, statistics), statistics)


GAUSSIAN = Problem(
    objective=gaussian,
    start=standard_normal((2,)),
    data=(np.array([SAMPLE.mean(), (SAMPLE**2).mean()]),),
    outputs=natural_of,
    output_loss=gaussian_loss,
)


def dense(kind: str, problem: Problem, params) -> np.ndarray:
    """The matrix of a product, column by column, in flat coordinates."""

    @jax.jit
    def columns(params):
        flat, unravel = ravel_pytree(params)
        product = getattr(Oracle(problem), kind)(params)
        return jax.vmap(lambda v: ravel_pytree(product(unravel(v)))[0])(jnp.eye(flat.size))

    return np.asarray(columns(params)).T


def flat_form(function, params):
    """The function of flat coordinates, and the point."""
    flat, unravel = ravel_pytree(jax.tree.map(jnp.asarray, params))
    return lambda x: function(unravel(x)), flat


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def test_values_and_gradients_are_those_of_the_closed_form():
    params = (jnp.asarray(1.0), jnp.asarray(0.7))
    seen = Oracle(GAUSSIAN).value_and_grad(params)
    residuals = SAMPLE - 1.0
    value = np.mean(residuals**2) / 1.4 + np.log(0.7) / 2
    by_mean = -residuals.mean() / 0.7
    by_variance = -np.mean(residuals**2) / (2 * 0.49) + 1 / 1.4
    np.testing.assert_allclose(seen.value, value, rtol=1e-12)
    np.testing.assert_allclose(seen.grad, (by_mean, by_variance), rtol=1e-12)
    assert seen.params == params
    np.testing.assert_allclose(Oracle(GAUSSIAN).value(params), value, rtol=1e-12)


@pytest.mark.parametrize(("problem", "params"), [(MLP, WEIGHTS), (GAUSSIAN, np.array([1.0, 0.7]))])
def test_hessian_products_are_those_of_the_dense_hessian(problem, params):
    loss, flat = flat_form(lambda p: problem.objective(p, *problem.data), params)
    expected = jax.jit(jax.hessian(loss))(flat)
    np.testing.assert_allclose(dense("hessian_product", problem, params), expected, atol=1e-10)


def dense_fisher(problem: Problem, params) -> np.ndarray:
    """J^T H_out J, with both factors formed by forward differentiation."""
    outputs, flat = flat_form(lambda p: problem.outputs(p, *problem.data).ravel(), params)
    shape = problem.outputs(jax.tree.map(jnp.asarray, params), *problem.data).shape
    jacobian = jax.jit(jax.jacfwd(outputs))(flat)
    slope = jax.grad(lambda z: problem.output_loss(z.reshape(shape), *problem.data))
    curvature = jax.jit(jax.jacfwd(slope))(outputs(flat))
    return np.asarray(jacobian).T @ np.asarray(curvature) @ np.asarray(jacobian)


@pytest.mark.parametrize(("problem", "params"), [(MLP, WEIGHTS), (GAUSSIAN, np.array([1.0, 0.7]))])
def test_fisher_products_are_those_of_the_dense_fisher_and_not_of_the_hessian(problem, params):
    fisher = dense("fisher_product", problem, params)
    np.testing.assert_allclose(fisher, dense_fisher(problem, params), atol=1e-10)
    hessian = dense("hessian_product", problem, params)
    assert np.max(np.abs(fisher - hessian)) > 1e-2 * np.max(np.abs(hessian))
    assert np.min(np.linalg.eigvalsh(fisher)) >= -1e-10 * np.max(np.abs(fisher))


def test_the_fisher_of_a_gaussian_is_the_published_one():
    mean, variance = 1.0, 0.7
    fisher = dense("fisher_product", GAUSSIAN, jnp.array([mean, variance]))
    np.testing.assert_allclose(fisher, np.diag([1 / variance, 1 / (2 * variance**2)]), atol=1e-12)


def test_fisher_and_hessian_agree_at_the_maximum_of_the_likelihood():
    best = jnp.array([SAMPLE.mean(), SAMPLE.var()])
    one, other = (dense(k, GAUSSIAN, best) for k in ("fisher_product", "hessian_product"))
    np.testing.assert_allclose(one, other, atol=1e-10)


def noisy(params, key, *data):
    return gaussian(params, *data) + params[0] * jax.random.normal(key)


SAMPLED = Problem(
    objective=gaussian,
    start=standard_normal((2,)),
    data=GAUSSIAN.data,
    outputs=natural_of,
    output_loss=gaussian_loss,
    sample_loss=noisy,
)


def test_samples_follow_the_key():
    params, keys = jnp.array([1.0, 0.7]), jax.random.split(jax.random.key(0))
    one, other = (Oracle(SAMPLED, key).value_and_grad(params) for key in keys)
    again = Oracle(SAMPLED, keys[0]).value_and_grad(params)
    assert one.value == again.value != other.value
    exact = Oracle(GAUSSIAN).value_and_grad(params)
    np.testing.assert_allclose(one.grad - exact.grad, [jax.random.normal(keys[0]), 0], atol=1e-12)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (Problem(objective=gaussian, start=standard_normal((2,))), "has no Fisher matrix"),
        (SAMPLED, "no Fisher product is defined for a sampled loss"),
    ],
)
def test_a_missing_fisher_is_not_applicable(problem: Problem, message: str):
    with pytest.raises(NotApplicable, match=message) as caught:
        Oracle(problem).fisher_product(jnp.ones(2))
    assert caught.value.hint


def test_linearized_residuals_are_the_residuals_and_their_jacobian():
    def residuals(tree, scale):
        return scale * jnp.stack([tree["z"].real * tree["x"], tree["z"].imag ** 2])[None]

    problem = Problem(
        objective=lambda tree, scale: jnp.sum(residuals(tree, scale) ** 2) / 2,
        start=standard_normal((1,)),
        data=(np.float32(3.0),),
        residuals=residuals,
    )
    point = {"x": jnp.float32(2.0), "z": jnp.complex64(1 + 2j)}
    found, product = Oracle(problem).linearized_residuals(point)
    np.testing.assert_allclose(found, [6.0, 12.0])
    along = product({"x": jnp.float32(1.0), "z": jnp.complex64(1j)})
    np.testing.assert_allclose(along, [3.0, 12.0])


def test_missing_and_sampled_residuals_are_not_applicable():
    with pytest.raises(NotApplicable, match="no sum of squares"):
        Oracle(MLP).linearized_residuals(WEIGHTS)
    sampled = dataclasses.replace(
        MLP, residuals=mlp, sample_loss=lambda params, key, *data: mlp_loss(params, *data)
    )
    with pytest.raises(NotApplicable, match="sampled"):
        Oracle(sampled).linearized_residuals(WEIGHTS)


def test_calls_and_prices_name_the_same_kinds():
    assert Calls._fields == Prices._fields
    assert Calls() == (0,) * len(Calls._fields)
    assert Prices() == (1.0, 1 / 3, 1.5, 1.5, 0.75, 0.0, 0.0, 1.0, 1.0)


def test_whoever_asks_a_refusing_oracle_is_told():
    error = OptbenchError("no", "never")
    refusing = RefusingOracle(error)
    assert isinstance(refusing, Oracle)
    for question in ("value", "value_and_grad", "hessian_product", "fisher_product", "key"):
        with pytest.raises(OptbenchError) as caught:
            getattr(refusing, question)
        assert caught.value is error
    assert RefusingOracle(error, 0.5).progress == 0.5  # is no question to the objective
    assert untouched(lambda x, oracle: x + oracle.progress, jnp.ones(2)).shape == (2,)
    assert untouched(lambda x, oracle: oracle.value(x), jnp.ones(2)) is None
    with pytest.raises(ZeroDivisionError):  # what else goes wrong in a step is not hidden
        untouched(lambda x, oracle: 1 / 0, jnp.ones(2))


# ---- finite sums: single rows, and the whole


def mean_square(params, inputs, targets, weight):
    return jnp.mean((inputs @ params - targets[:, 0]) ** 2) / 2 + weight * jnp.sum(params**2)


ROWS = Problem(
    objective=mean_square,
    start=standard_normal((3,)),
    data=(INPUTS, TARGETS, np.float64(0.1)),
    row_arrays=2,
    name="rows",
)


def numpy_row_gradients(x):
    errors = INPUTS @ x - TARGETS[:, 0]
    return errors[:, None] * INPUTS + 0.2 * x


def test_row_gradients_are_those_of_single_terms():
    with jax.enable_x64(True):
        x, rows = jnp.array([0.3, -1.0, 0.5]), jnp.array([6, 0, 6])
        found = np.asarray(Oracle(ROWS).row_gradients(x, rows))
        whole = Oracle(ROWS).value_and_grad(x).grad
    np.testing.assert_allclose(found, numpy_row_gradients(np.asarray(x))[[6, 0, 6]], rtol=1e-14)
    np.testing.assert_allclose(whole, numpy_row_gradients(np.asarray(x)).mean(0), rtol=1e-14)
    assert Oracle(ROWS).num_rows == 8


def test_a_sample_tells_its_rows_and_the_whole_stays_known():
    with jax.enable_x64(True):
        seen = Oracle(minibatches(ROWS, 2), jax.random.key(3))
        x = jnp.array([0.3, -1.0, 0.5])
        rows, sampled = np.asarray(seen.sample_rows()), seen.value_and_grad(x).grad
        whole = seen.whole_value_and_grad(x).grad
    gradients = numpy_row_gradients(np.asarray(x))
    np.testing.assert_allclose(sampled, gradients[rows].mean(0), rtol=1e-14)
    np.testing.assert_allclose(whole, gradients.mean(0), rtol=1e-14)


def test_what_is_no_finite_sum_has_no_rows():
    with pytest.raises(NotApplicable, match="no finite sum"):
        Oracle(MLP).row_gradients(jnp.ones(2), jnp.arange(2))
    with pytest.raises(NotApplicable, match="no finite sum"):
        _ = Oracle(MLP).num_rows
    with pytest.raises(NotApplicable, match="not seen through minibatches"):
        Oracle(ROWS).sample_rows()


def test_prices_of_rows_and_wholes_do_not_depend_on_the_sample():
    prices = dict(zip(Calls._fields, Plan().prices_on(minibatches(ROWS, 2)), strict=True))
    assert prices["value_and_gradients"] == 2 / 8
    assert prices["row_gradients"] == 1 / 8 and prices["whole_gradients"] == 1.0
    assert dict(zip(Calls._fields, Plan().prices_on(MLP), strict=True))["row_gradients"] == 1.0
