from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import CENTER, QUADRATIC, WAVY, X0, walk

from optbench import checks, trees
from optbench.errors import NotApplicable
from optbench.method import make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.natural.natural_gradient import natural_gradient
from optbench.optimizers.natural.natural_gradient_variants import (
    diagonal_natural_gradient,
    empirical_natural_gradient,
    natural_gradient_dense,
)
from optbench.optimizers.second_order import dense_matrix
from optbench.oracle import Calls, Oracle
from optbench.problem import Problem
from optbench.start import standard_normal
from optbench.transforms import minibatches
from problems.statistics.exponential_families import gaussian_likelihood

# ---- a Gaussian, whose Fisher matrix is known in closed form

GAUSSIAN = gaussian_likelihood()
(SAMPLES,) = GAUSSIAN.data
POINT = np.array([-0.5, 3.0])  # mean, variance


def gaussian_grad(point) -> np.ndarray:
    mean, variance = point
    square = np.mean((SAMPLES - mean) ** 2)
    return np.array(
        [(mean - SAMPLES.mean()) / variance, 1 / (2 * variance) - square / (2 * variance**2)]
    )


def gaussian_fisher(point) -> np.ndarray:
    return np.diag([1 / point[1], 1 / (2 * point[1] ** 2)])


def gaussian_walk(rule, num_steps: int) -> np.ndarray:
    points, x = [], POINT
    for _ in range(num_steps):
        x = rule(x)
        points.append(x)
    return np.array(points)


@pytest.mark.parametrize(
    ("optimizer", "rate", "damping"),
    [
        (natural_gradient_dense(0.5, 0.01), 0.5, 0.01),
        (natural_gradient_dense(0.3, 0.0), 0.3, 0.0),
        (diagonal_natural_gradient(0.5, 0.01), 0.5, 0.01),
        (natural_gradient(0.5, 0.01, tolerance=1e-14), 0.5, 0.01),
    ],
)
def test_the_fisher_matrix_of_a_gaussian_is_that_of_theory(optimizer: Optimizer, rate, damping):
    def rule(x):
        return x - rate * np.linalg.solve(
            gaussian_fisher(x) + damping * np.eye(2), gaussian_grad(x)
        )

    steps = walk(optimizer, GAUSSIAN, POINT, 5)
    np.testing.assert_allclose(steps.params, gaussian_walk(rule, 5), rtol=0, atol=1e-11)


def test_natural_gradient_of_a_gaussian_is_blind_to_its_coordinates():
    """One full step in (m, v) is at the sample mean, and at the mean square about the old one."""
    step = walk(natural_gradient_dense(1.0, 0.0), GAUSSIAN, POINT, 1).params[0]
    expected = [SAMPLES.mean(), np.mean((SAMPLES - POINT[0]) ** 2)]
    np.testing.assert_allclose(step, expected, rtol=1e-12)


# ---- a model whose Fisher matrix is full


def outputs(w, inputs, targets):
    return jnp.tanh(inputs @ w[:3]) * w[3]


def output_loss(z, inputs, targets):
    return jnp.mean(jnp.cosh(z - targets))


def fit(w, *data):
    return output_loss(outputs(w, *data), *data)


def model() -> Problem:
    rng = np.random.default_rng(3)
    inputs, targets = rng.standard_normal((7, 3)), rng.standard_normal(7)
    return Problem(
        objective=fit,
        start=standard_normal((4,)),
        data=(inputs, targets),
        outputs=outputs,
        output_loss=output_loss,
        row_arrays=2,
    )


W0 = np.array([0.4, -0.7, 0.2, 1.3])


def numpy_parts(w) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the rows, and the Jacobian and curvatures of the outputs, row by row."""
    inputs, targets = model().data
    grads, jacobian, curvatures = [], [], []
    for x, y in zip(inputs, targets, strict=True):
        bent = np.tanh(x @ w[:3])
        row = np.append((1 - bent**2) * x * w[3], bent)
        grads.append(np.sinh(bent * w[3] - y) * row)
        jacobian.append(row)
        curvatures.append(np.cosh(bent * w[3] - y) / len(targets))
    return np.array(grads), np.array(jacobian), np.array(curvatures)


def numpy_direction(kind: str, w, damping: float) -> np.ndarray:
    grads, jacobian, curvatures = numpy_parts(w)
    g = grads.mean(axis=0)
    fisher = sum(c * np.outer(row, row) for c, row in zip(curvatures, jacobian, strict=True))
    if kind == "empirical":
        fisher = sum(np.outer(row, row) for row in grads) / len(grads)
    if kind == "diagonal":
        return g / (np.diag(fisher) + damping)
    return np.linalg.solve(fisher + damping * np.eye(4), g)


def numpy_walk(kind: str, rate: float, damping: float, num_steps: int) -> np.ndarray:
    points, w = [], W0
    for _ in range(num_steps):
        w = w - rate * numpy_direction(kind, w, damping)
        points.append(w)
    return np.array(points)


SOURCES = [
    ("dense", natural_gradient_dense, Calls(fisher_products=4)),
    ("diagonal", diagonal_natural_gradient, Calls(fisher_products=4)),
    ("empirical", empirical_natural_gradient, Calls(row_gradients=7)),
]


def gap(kind: str, steps: Step, rate: float = 0.3, damping: float = 0.2) -> float:
    return float(np.max(np.abs(steps.params - numpy_walk(kind, rate, damping, 4))))


@pytest.mark.parametrize(("kind", "factory", "calls"), SOURCES)
def test_walks_as_the_formulas_say(kind: str, factory, calls: Calls):
    steps = walk(factory(0.3, 0.2), model(), W0, 4)
    assert gap(kind, steps) < 1e-11
    assert Calls(*(int(count[0]) for count in steps.calls)) == calls


def test_the_three_matrices_are_told_apart():
    for kind, _, _ in SOURCES:
        for other, factory, _ in SOURCES:
            assert kind == other or gap(kind, walk(factory(0.3, 0.2), model(), W0, 4)) > 1e-3


def test_dense_and_conjugate_gradients_agree():
    dense = walk(natural_gradient_dense(0.3, 1e-3), model(), W0, 4)
    iterated = walk(natural_gradient(0.3, 1e-3, tolerance=1e-15), model(), W0, 4)
    np.testing.assert_allclose(dense.params, iterated.params, rtol=0, atol=1e-10)
    stopped = walk(natural_gradient(0.3, 1e-3, tolerance=0.1), model(), W0, 4)
    assert np.max(np.abs(dense.params - stopped.params)) > 1e-6


def test_the_diagonal_is_that_of_the_whole_matrix():
    with jax.enable_x64(True):
        product = Oracle(model()).fisher_product(jnp.asarray(W0))
        whole = dense_matrix.columns(product, W0)
        np.testing.assert_allclose(dense_matrix.diagonal(product, W0), np.diag(whole), rtol=1e-14)
        _, jacobian, curvatures = numpy_parts(W0)
        np.testing.assert_allclose(whole, (jacobian.T * curvatures) @ jacobian, rtol=1e-12)


# ---- complex params


COUPLING = np.array([[1 + 1j, 2], [0.5j, 1 - 2j], [3, 1j]])


def complex_outputs(z, coupling):
    return {"parts": coupling @ z, "sizes": jnp.abs(coupling @ z) ** 2}


def complex_loss(outputs, coupling):
    return jnp.sum(jnp.abs(outputs["parts"]) ** 2) / 2 + jnp.sum(outputs["sizes"] ** 2) / 2


def complex_fit(z, coupling):
    return complex_loss(complex_outputs(z, coupling), coupling)


def test_fisher_products_take_complex_params():
    problem = Problem(
        objective=complex_fit,
        start=standard_normal((2,)),
        data=(COUPLING,),
        outputs=complex_outputs,
        output_loss=complex_loss,
    )
    with jax.enable_x64(True):
        z = jnp.array([1 + 0.5j, -1j])
        layout = trees.layout_of(z)

        def real_outputs(flat):
            return trees.coordinates(complex_outputs(trees.unpack(layout, flat), COUPLING))

        jacobian = jax.jacobian(real_outputs)(trees.coordinates(z))
        fisher = dense_matrix.columns(Oracle(problem).fisher_product(z), z)
        np.testing.assert_allclose(fisher, jacobian.T @ jacobian, atol=1e-12)


# ---- minibatches


def test_the_empirical_matrix_of_a_minibatch_is_that_of_its_rows():
    problem = minibatches(model(), batch_size=3)
    with jax.enable_x64(True):
        oracle, optimizer = Oracle(problem, jax.random.key(5)), empirical_natural_gradient(0.3, 0.2)
        rows = np.asarray(oracle.sample_rows())
        grads = numpy_parts(W0)[0][rows]
        step = optimizer.step(oracle.value_and_grad(jnp.asarray(W0)), (), oracle)
    empirical = grads.T @ grads / 3 + 0.2 * np.eye(4)
    expected = W0 - 0.3 * np.linalg.solve(empirical, grads.mean(axis=0))
    np.testing.assert_allclose(step.params, expected, rtol=1e-12)
    assert step.calls == Calls(row_gradients=3)


# ---- what they need, and where they stay


@pytest.mark.parametrize(
    ("optimizer", "lacks"),
    [
        (natural_gradient_dense(), "no Fisher matrix"),
        (diagonal_natural_gradient(), "no Fisher matrix"),
        (empirical_natural_gradient(), "no finite sum"),
    ],
)
def test_what_the_problem_lacks_is_said(optimizer: Optimizer, lacks: str):
    with pytest.raises(NotApplicable, match=lacks):
        walk(optimizer, WAVY, X0, 1)


def flat_outputs(w, scale):
    return scale * w[0] ** 2


def flat_loss(z, scale):
    return jnp.sum(z**2) / 2


def flat_fit(w, scale):
    return flat_loss(flat_outputs(w, scale), scale)


@pytest.mark.parametrize("factory", [natural_gradient_dense, diagonal_natural_gradient])
def test_singular_matrices_leave_a_stationary_point_alone(factory):
    problem = dataclasses.replace(
        QUADRATIC,
        objective=flat_fit,
        data=(np.float64(1.0),),
        outputs=flat_outputs,
        output_loss=flat_loss,
    )
    start = CENTER * np.array([0.0, 1.0, 1.0])
    steps = walk(factory(1.0, 0.0), problem, start, 2)
    np.testing.assert_array_equal(steps.params, [start] * 2)


# ---- the law on calls sees a row that is not counted


def miscounting(learning_rate: float = 0.1) -> Optimizer:
    plain = empirical_natural_gradient(learning_rate)

    def step(evaluation, state, oracle):
        return plain.step(evaluation, state, oracle)._replace(calls=Calls(row_gradients=2))

    return plain._replace(step=step)


def test_rows_that_are_not_counted_are_seen():
    failures = [c for c in checks.check_optimizer(make_method(miscounting)) if not c.passed]
    (failed,) = failures
    assert failed.law == "calls = counted"
    assert failed.detail == "row_gradients: reported 12, counted 18"
