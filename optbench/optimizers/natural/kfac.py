"""Natural gradient descent with a Fisher matrix in Kronecker factors, layer by layer."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.fisher import Factors
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Calls, Evaluation, Oracle


def kfac(learning_rate: Scalar = 0.3, damping: Scalar = 1e-3) -> Optimizer:
    """K-FAC: W <- W - eta (A + p sqrt(lambda) I)^{-1} V (G + sqrt(lambda) / p I)^{-1} per layer.

    W is the matrix of a dense layer, [fan_in, fan_out], with the biases as its last row, and V the
    gradient in it; eta = `learning_rate`, lambda = `damping`. A = mean a a^T over the inputs a of
    the layer, a 1 appended where there are biases; G is the Fisher matrix (or generalized
    Gauss-Newton matrix) of a shift of what the layer gives, the sum over rows of J^T (hess l) J
    with J the Jacobian of the row's outputs in it and l the loss: the exact expectation over the
    model's outputs, at the current point, from all rows. So nothing is averaged over steps, and
    there is no momentum. p^2 = (tr A / dim A) / (tr G / dim G), or 1 where a trace is 0, splits the
    damping between the factors. What the loss adds beyond the layers, such as a penalty, is in V
    only. On a linear network of one layer with a square loss, eta = 1 and lambda = 0 make it
    Newton's method; deeper ones overshoot at eta = 1, as each layer moves as if the others stayed.
    Where lambda = 0 and a factor is singular the point is not finite.

    Needs: `Problem.network`.
    Calls per step: a Fisher product per column of the G of each layer but the last, and one more
    for the forward pass with the A and for the last G, which is made of hess l alone, beyond the
    evaluation at the next point. The inverses are not charged.
    Source: Martens and Grosse (2015), "Optimizing neural networks with Kronecker-factored
    approximate curvature", ICML, sections 3 and 6.3 of the extended version, arXiv:1503.05671.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        fisher = oracle.kronecker_fisher(evaluation.params)
        slopes = fisher.split(evaluation.grad)
        directions = tuple(
            _solve(_damped(factors, damping), slope)
            for factors, slope in zip(fisher.factors, slopes, strict=True)
        )
        calls = Calls(fisher_products=fisher.num_products)
        moved = trees.add_scaled(evaluation.params, -learning_rate, fisher.join(directions))
        return Step(moved, state, calls)

    return Optimizer(lambda params: (), step)


def _damped(factors: Factors, damping: Scalar) -> Factors:
    """The factors with their shares of the damping on their diagonals."""
    inputs, outputs = factors
    sizes = jnp.trace(inputs) / len(inputs), jnp.trace(outputs) / len(outputs)
    ratio = jnp.sqrt(sizes[0] / jnp.where(sizes[1] > 0, sizes[1], 1.0))
    split = jnp.where((sizes[0] > 0) & (sizes[1] > 0), ratio, 1.0)
    share = jnp.sqrt(damping)
    return Factors(
        inputs + split * share * jnp.eye(len(inputs), dtype=inputs.dtype),
        outputs + share / split * jnp.eye(len(outputs), dtype=outputs.dtype),
    )


def _solve(factors: Factors, slope: jax.Array) -> jax.Array:
    """A^{-1} V G^{-1}."""
    inputs, outputs = (jax.scipy.linalg.cho_factor(factor) for factor in factors)
    half = jax.scipy.linalg.cho_solve(inputs, slope)
    return jax.scipy.linalg.cho_solve(outputs, half.T).T
