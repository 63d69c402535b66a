"""Conjugate gradients: on a quadratic, and on a linear system known by its products only."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, State, Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params


class _Direction(NamedTuple):
    direction: Params  # d_{k-1}
    squared_grad: jax.Array  # |g_{k-1}|^2


def conjugate_gradient() -> Optimizer:
    """Linear conjugate gradients, for quadratics f: it tunes itself.

    x_{k+1} = x_k - (g^T d / d^T H d) d,  d = -g + |g|^2 / |g_{k-1}|^2 d_{k-1},  d_{-1} = 0, with
    g = grad f(x_k) and H = hess f(x_k). On a convex quadratic in n dimensions x_n = x*, and
    f(x_k) is the least in x_0 + span(g, H g, ..., H^(k-1) g), g at x_0. A trace knows nothing that
    tells whether f is quadratic, so no other f is refused: there the steps are those of the same
    formulas with |d^T H d|, and nothing bounds them. The point stays where d^T H d = 0.

    Calls per step: one Hessian product, beyond the evaluation at the next point.
    Source: Hestenes & Stiefel (1952), "Methods of conjugate gradients for solving linear systems",
    J. Res. Natl. Bur. Stand. 49(6), pp. 409-436, section 3.
    """

    def init(params: Params) -> State:
        zero = jax.tree.map(jnp.zeros_like, params)
        return _Direction(zero, trees.dot(zero, zero))

    def step(evaluation: Evaluation, state: _Direction, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        squared = trees.dot(grad, grad)
        share = _ratio(squared, state.squared_grad)
        direction = trees.add_scaled(trees.scale(-1, grad), share, state.direction)
        curvature = jnp.abs(trees.dot(direction, oracle.hessian_product(params)(direction)))
        length = _ratio(-trees.dot(grad, direction), curvature)
        point = trees.add_scaled(params, length, direction)
        return Step(point, _Direction(direction, squared), Calls(hessian_products=1))

    return Optimizer(init, step)


def _ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """The quotient; 0 where the denominator is."""
    is_zero = denominator == 0
    return jnp.where(is_zero, 0.0, numerator / jnp.where(is_zero, 1.0, denominator))


class Solution(NamedTuple):
    """What conjugate gradients reach.

    Attributes:
        x: the approximate solution; a descent direction x^T b > 0, unless b = 0.
        num_products: how many products were asked for, one per iteration.
    """

    x: Params
    num_products: jax.Array


class _Iterate(NamedTuple):
    x: Params
    residual: Params
    direction: Params
    squared_residual: jax.Array
    count: jax.Array
    flat: jax.Array  # whether the curvature along the last direction was not positive


def solve(
    product: Callable[[Params], Params], b: Params, tolerance: jax.Array, max_iterations: int
) -> Solution:
    """Solve A x = b from x = 0, until |b - A x| <= tolerance or the curvature is lost.

    It stops before a direction d with d^T A d <= eps |d| |A d|, with the x it has; where this is
    the first direction, d = b, with x = (|b| / |A b|) b: as long as a step along an eigenvector of
    A would be for the absolute value of its eigenvalue.

    Args:
        product: v -> A v, with A symmetric.
        b: the right-hand side.
        tolerance: on the Euclidean norm of the residual.
        max_iterations: the most iterations.

    Source: Nocedal and Wright (2006), algorithms 5.2 and 7.1.
    """
    squared = trees.dot(b, b)
    eps = jnp.finfo(squared.dtype).eps

    def unfinished(at: _Iterate) -> jax.Array:
        open_ = (jnp.sqrt(at.squared_residual) > tolerance) & ~at.flat
        return open_ & (at.count < max_iterations)

    def iterate(at: _Iterate) -> _Iterate:
        image = product(at.direction)
        curvature = trees.dot(at.direction, image)
        lengths = trees.norm(at.direction), trees.norm(image)
        flat = curvature <= eps * lengths[0] * lengths[1]
        first = jnp.where(lengths[1] > 0, lengths[0] / lengths[1], 1.0)
        stopped = jnp.where(at.count == 0, first, 0.0)
        length = jnp.where(flat, stopped, at.squared_residual / curvature)
        residual = trees.add_scaled(at.residual, -length, image)
        squared = trees.dot(residual, residual)
        direction = trees.add_scaled(residual, squared / at.squared_residual, at.direction)
        x = trees.add_scaled(at.x, length, at.direction)
        return _Iterate(x, residual, direction, squared, at.count + 1, flat)

    zero = jax.tree.map(jnp.zeros_like, b)
    start = _Iterate(zero, b, b, squared, jnp.int32(0), jnp.zeros((), bool))
    end = jax.lax.while_loop(unfinished, iterate, start)
    return Solution(end.x, end.count)
