"""Natural gradients from a Fisher matrix that is formed, estimated, or cut to its diagonal.

Throughout, g = grad f(x_k), eta = `learning_rate`, lambda = `damping`, and F is the matrix of
`natural_gradient`, over the n real coordinates of the params.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.second_order import dense_matrix
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params


def natural_gradient_dense(learning_rate: Scalar = 1.0, damping: Scalar = 1e-3) -> Optimizer:
    """x_{k+1} = x_k - eta (F + lambda I)^{-1} g, with the whole of F, solved directly.

    Where lambda = 0 and F is singular the point is not finite, unless g = 0: there it stays.

    Needs: `Problem.outputs` and `Problem.output_loss`; few coordinates.
    Calls per step: n Fisher products, beyond the evaluation at the next point.
    Source: Amari (1998), theorem 1; Martens (2020), JMLR 21(146), section 9.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, grad = evaluation.params, trees.coordinates(evaluation.grad)
        fisher = dense_matrix.columns(oracle.fisher_product(params), params)
        direction = _solved(fisher, damping, grad)
        calls = Calls(fisher_products=grad.size)
        return Step(_moved(params, -learning_rate, direction), state, calls)

    return Optimizer(lambda params: (), step)


def diagonal_natural_gradient(learning_rate: Scalar = 0.1, damping: Scalar = 1e-3) -> Optimizer:
    """x_{k+1} = x_k - eta g / (diag(F) + lambda), elementwise, with the exact diagonal of F.

    The diagonal takes as many products as F, but memory for n numbers only.

    Needs: `Problem.outputs` and `Problem.output_loss`.
    Calls per step: n Fisher products, beyond the evaluation at the next point.
    Source: Martens (2020), JMLR 21(146), on diagonal approximations of the Fisher matrix.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, grad = evaluation.params, trees.coordinates(evaluation.grad)
        curvatures = dense_matrix.diagonal(oracle.fisher_product(params), params) + damping
        still = grad == 0
        direction = jnp.where(still, 0.0, grad / jnp.where(still, 1.0, curvatures))
        calls = Calls(fisher_products=grad.size)
        return Step(_moved(params, -learning_rate, direction), state, calls)

    return Optimizer(lambda params: (), step)


def empirical_natural_gradient(learning_rate: Scalar = 0.1, damping: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = x_k - eta (E + lambda I)^{-1} g, E the empirical Fisher: no natural gradient.

    E = mean_i g_i g_i^T, g_i the gradient of term i of the finite sum f = mean_i f_i. It takes the
    labels that the data have where the Fisher matrix takes labels drawn from the model, so E is not
    the curvature of f: it vanishes where all g_i do. The two agree in expectation at params from
    which the data were drawn, and elsewhere need not be near each other. Where gradients fall,
    (E + lambda I)^{-1} grows, up to 1 / lambda.

    Where steps see minibatches, the terms are those of the step's sample.

    Needs: a finite sum, `Problem.row_arrays`; few coordinates.
    Calls per step: a row gradient per term, beyond the evaluation at the next point.
    Source: Kunstner, Balles and Hennig (2019), "Limitations of the empirical Fisher approximation
    for natural gradient descent", NeurIPS 32.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, grad = evaluation.params, trees.coordinates(evaluation.grad)
        sampled = oracle.problem.stochastic
        rows = oracle.sample_rows() if sampled else jnp.arange(oracle.num_rows)
        terms = jax.vmap(trees.coordinates)(oracle.row_gradients(params, rows))
        direction = _solved(terms.T @ terms / len(rows), damping, grad)
        calls = Calls(row_gradients=len(rows))
        return Step(_moved(params, -learning_rate, direction), state, calls)

    return Optimizer(lambda params: (), step)


def _solved(matrix: jax.Array, damping: Scalar, grad: jax.Array) -> jax.Array:
    """(matrix + damping I)^{-1} grad; 0 where the gradient is."""
    damped = matrix + damping * jnp.eye(grad.size, dtype=grad.dtype)
    return jnp.where(jnp.any(grad != 0), jnp.linalg.solve(damped, grad), 0.0)


def _moved(params: Params, length: Any, direction: jax.Array) -> Params:
    return trees.add_scaled(params, length, trees.unpack(trees.layout_of(params), direction))
