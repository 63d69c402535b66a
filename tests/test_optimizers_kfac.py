from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from walks import walk_tree

from optbench import fisher
from optbench.errors import NotApplicable
from optbench.fisher import Factors
from optbench.layers import affine
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.natural.kfac import kfac
from optbench.oracle import Oracle
from optbench.problem import Problem
from optbench.start import start_near
from optbench.transforms.coordinates import permuted, rotated, shifted, stretched
from optbench.transforms.minibatches import minibatches
from optbench.transforms.noise import noisy
from optbench.transforms.values import scaled
from problems.networks.multilayer import teacher_student

RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.standard_normal((9, 3)), RNG.standard_normal((9, 2))
ONE_HOT = np.eye(2)[RNG.integers(0, 2, 9)]


def chain(layers, dense, inputs, targets):
    """A network without bends: everything after a layer is linear."""
    for weights, biases in layers:
        inputs = dense(inputs, weights, biases)
    return inputs


def perceptron(layers, dense, inputs, targets):
    *hidden, last = layers
    for weights, biases in hidden:
        inputs = jnp.tanh(dense(inputs, weights, biases))
    return dense(inputs, *last)


def half_mean_square(outputs, inputs, targets):
    return jnp.sum((outputs - targets) ** 2) / (2 * targets.shape[0])


def entropy(outputs, inputs, targets):
    return -jnp.sum(targets * jax.nn.log_softmax(outputs)) / targets.shape[0]


@functools.cache
def problem_of(network, loss, *sizes: int, biased: bool = True) -> Problem:
    rng = np.random.default_rng(1)
    pairs = [
        (rng.standard_normal((m, n)), rng.standard_normal(n) if biased else None)
        for m, n in zip(sizes, sizes[1:], strict=False)
    ]

    def outputs(params, *data):
        return network(params, affine, *data)

    return Problem(
        objective=lambda params, *data: loss(outputs(params, *data), *data),
        start=start_near(pairs),
        data=(INPUTS, ONE_HOT if loss is entropy else TARGETS),
        outputs=outputs,
        output_loss=loss,
        network=network,
    )


def params_of(problem: Problem):
    return jax.tree.map(jnp.asarray, problem.start(0))


def walked(optimizer: Optimizer, problem: Problem, num_steps: int) -> Step:
    return walk_tree(optimizer, problem, problem.start(0), num_steps)


@functools.cache
def whole_fisher(problem: Problem) -> np.ndarray:
    """From products with all unit vectors."""
    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(params_of(problem))

        def columns(flat):
            product = Oracle(problem).fisher_product(unravel(flat))
            return jax.vmap(lambda v: ravel_pytree(product(unravel(v)))[0])(jnp.eye(flat.size))

        return np.asarray(jax.jit(columns)(flat))


@functools.cache
def factors_of(problem: Problem) -> list[Factors]:
    with jax.enable_x64(True):
        found = jax.jit(lambda p: Oracle(problem).kronecker_fisher(p).factors)(params_of(problem))
        return [Factors(*map(np.asarray, factors)) for factors in found]


def diagonal_blocks(matrix: np.ndarray, factors: list[Factors]) -> list[np.ndarray]:
    ends = np.cumsum([0, *(len(a) * len(g) for a, g in factors)])
    return [matrix[i:j, i:j] for i, j in zip(ends, ends[1:], strict=False)]


def block_errors(problem: Problem, factors: list[Factors]) -> list[float]:
    """How far each Kronecker product is from its block, relative to the largest entry of that."""
    blocks = diagonal_blocks(whole_fisher(problem), factors)
    assert sum(map(len, blocks)) == len(whole_fisher(problem))
    return [
        np.max(np.abs(np.kron(a, g) - block)) / np.max(np.abs(block))
        for (a, g), block in zip(factors, blocks, strict=True)
    ]


# ---- against the dense Fisher matrix


def test_one_linear_layer_has_the_whole_fisher_matrix():
    for biased in (True, False):
        problem = problem_of(chain, half_mean_square, 3, 2, biased=biased)
        ((a, g),) = factors_of(problem)
        np.testing.assert_allclose(np.kron(a, g), whole_fisher(problem), atol=1e-10)


@pytest.mark.parametrize("sizes", [(3, 4, 2), (3, 4, 5, 2)])
@pytest.mark.parametrize("biased", [True, False])
def test_each_block_of_a_linear_network_is_exact(sizes: tuple[int, ...], biased: bool):
    problem = problem_of(chain, half_mean_square, *sizes, biased=biased)
    factors = factors_of(problem)
    assert max(block_errors(problem, factors)) < 1e-10
    first = len(factors[0].inputs) * len(factors[0].outputs)
    assert np.max(np.abs(whole_fisher(problem)[:first, first:])) > 0.1  # off the blocks


def test_a_block_is_an_approximation_where_the_network_bends():
    problem = problem_of(perceptron, half_mean_square, 3, 4, 2)
    hidden, last = block_errors(problem, factors_of(problem))
    assert hidden > 1e-2 and last < 1e-10


def test_a_block_is_an_approximation_where_the_loss_bends():
    problem = problem_of(chain, entropy, 3, 2)
    (error,) = block_errors(problem, factors_of(problem))
    assert error > 1e-2


def without_biases(a, g):
    return Factors(a * (np.arange(len(a)) < len(a) - 1), g)


DEFECTS = {
    "biases missing": without_biases,
    "a sum for the mean": lambda a, g: Factors(len(INPUTS) * a, g),
    "centered inputs": lambda a, g: Factors(a - np.outer(a[-1], a[-1]), g),
    "the other mean": lambda a, g: Factors(a, g / len(INPUTS)),
    "its diagonal": lambda a, g: Factors(a, np.diag(np.diag(g))),
    "swapped": lambda a, g: Factors(g, a),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_comparison_sees_a_defect(defect: str):
    problem = problem_of(chain, half_mean_square, 3, 4, 2)
    hidden, last = factors_of(problem)
    broken = [DEFECTS[defect](*hidden), last]
    assert max(block_errors(problem, broken)) > 1e-2


def test_the_comparison_sees_the_empirical_factor():
    problem = problem_of(chain, half_mean_square, 3, 2)
    ((a, _),) = factors_of(problem)
    ((weights, biases),) = problem.start(0)
    errors = INPUTS @ weights + biases - TARGETS
    assert block_errors(problem, [Factors(a, errors.T @ errors / len(errors))])[0] > 1e-2


@pytest.mark.parametrize("loss", [half_mean_square, entropy])
def test_output_factors_are_the_fisher_matrices_of_the_biases(loss):
    """Also where the network bends: a bias is a shift of what its layer gives."""
    problem = problem_of(perceptron, loss, 3, 4, 2)
    factors = factors_of(problem)
    for (_, g), block in zip(factors, diagonal_blocks(whole_fisher(problem), factors), strict=True):
        np.testing.assert_allclose(g, block[-len(g) :, -len(g) :], atol=1e-12)


# ---- the step


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def numpy_kfac(layers, rate: float, damping: float):
    """One step on the perceptron of one hidden layer under the entropy, with dense matrices."""
    (w, b), (v, c) = layers
    states, n = [INPUTS, np.tanh(INPUTS @ w + b)], len(INPUTS)
    p = softmax(states[1] @ v + c)
    slopes = 1 - states[1] ** 2
    errors = [(p - ONE_HOT) @ v.T * slopes, p - ONE_HOT]
    curvature = [np.diag(row) - np.outer(row, row) for row in p]
    through = [[np.diag(s) @ v for s in slopes], [np.eye(2)] * n]
    moved = []
    for pair, a, error, jacobians in zip(layers, states, errors, through, strict=True):
        a = np.column_stack([a, np.ones(n)])
        left = sum(np.outer(row, row) for row in a) / n
        right = sum(j @ h @ j.T for j, h in zip(jacobians, curvature, strict=True)) / n
        split = np.sqrt(np.mean(np.diag(left)) / np.mean(np.diag(right)))
        left = left + split * np.sqrt(damping) * np.eye(len(left))
        right = right + np.sqrt(damping) / split * np.eye(len(right))
        slope = (a.T @ error / n).ravel()
        step = np.linalg.solve(np.kron(left, right), slope).reshape(len(left), len(right))
        moved.append((pair[0] - rate * step[:-1], pair[1] - rate * step[-1]))
    return moved


@pytest.mark.parametrize(("rate", "damping"), [(1.0, 1e-3), (0.3, 0.7)])
def test_walks_as_the_formulas_say(rate: float, damping: float):
    problem = problem_of(perceptron, entropy, 3, 4, 2)
    steps = walked(kfac(rate, damping), problem, 3)
    expected = problem.start(0)
    for index in range(3):
        expected = numpy_kfac(expected, rate, damping)
        for mine, theirs in zip(
            jax.tree.leaves(steps.params), jax.tree.leaves(expected), strict=True
        ):
            np.testing.assert_allclose(mine[index], theirs, rtol=1e-9, atol=1e-9)
    assert steps.calls.fisher_products.tolist() == [5] * 3  # four hidden units


def test_one_linear_layer_ends_at_the_minimizer_in_one_step():
    problem = problem_of(chain, half_mean_square, 3, 2)
    ((weights, biases),) = walked(kfac(1.0, damping=0.0), problem, 1).params
    extended = np.column_stack([INPUTS, np.ones(len(INPUTS))])
    best = np.linalg.lstsq(extended, TARGETS)[0]
    np.testing.assert_allclose(np.vstack([weights[0], biases]), best, atol=1e-10)


def test_a_defect_in_a_factor_keeps_the_minimizer_away(monkeypatch: pytest.MonkeyPatch):
    problem = problem_of(chain, half_mean_square, 3, 2)
    exact = walked(kfac(1.0, damping=0.0), problem, 1).evaluation.value
    whole = fisher._input_factor
    monkeypatch.setattr(fisher, "_input_factor", lambda layer: whole(layer) * len(INPUTS))
    assert walked(kfac(1.0, damping=0.0), problem, 1).evaluation.value > 1.01 * exact


def test_a_layer_that_nothing_depends_on_stays_finite():
    problem = problem_of(perceptron, half_mean_square, 3, 4, 2)
    hidden, (weights, biases) = problem.start(0)
    silent = dataclasses.replace(problem, start=start_near([hidden, (0 * weights, biases)]))
    assert np.all(factors_of(silent)[0].outputs == 0)
    steps = walked(kfac(), silent, 2)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(steps.params))


# ---- where it applies, and what transforms keep


def refused(problem: Problem) -> str:
    with jax.enable_x64(True), pytest.raises(NotApplicable) as caught:
        jax.eval_shape(
            lambda p: Oracle(problem, jax.random.key(0)).kronecker_fisher(p).factors,
            params_of(problem),
        )
    assert caught.value.hint
    return caught.value.message


def test_what_has_no_layers_is_refused_before_compiling():
    problem = teacher_student()
    none = "this problem has no dense layers"
    assert refused(dataclasses.replace(problem, network=None)) == none
    assert refused(rotated(problem)) == refused(stretched(problem)) == none
    assert "sampled loss" in refused(minibatches(problem, 8))
    assert "sampled loss" in refused(noisy(problem))


def test_walks_alike_where_the_layers_are_kept():
    problem = teacher_student()
    values = walked(kfac(), problem, 4).evaluation.value
    for seen in (shifted(problem, 0.5), permuted(problem)):
        np.testing.assert_allclose(walked(kfac(), seen, 4).evaluation.value, values, rtol=1e-9)
    twice = walked(kfac(damping=2e-3), scaled(problem, 2.0), 4).evaluation.value
    np.testing.assert_allclose(twice, 2 * values, rtol=1e-9)
