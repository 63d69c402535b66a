"""Newton's method in a trust region, from Hessian-vector products."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params

_POOR, _GOOD = 0.25, 0.75  # actual decrease, as a fraction of the predicted one
_ROUNDING_UNITS = 10  # rounding error allowed for in f, in eps |f|


def trust_region_newton(
    initial_radius: Scalar = 1.0,
    max_radius: Scalar = 1000.0,
    acceptance: Scalar = 0.15,
    forcing: Scalar = 0.5,
    max_linear_iterations: int = 200,
) -> Optimizer:
    """Trust-region Newton with the conjugate gradients of Steihaug and Toint: it tunes itself.

    p nearly minimizes m(p) = g^T p + p^T (hess f) p / 2 over |p| <= Delta, g = grad f(x_k):
    conjugate gradients stop at |(hess f) p + g| <= min(`forcing`, sqrt(|g|)) |g|, where they would
    leave the region, at its boundary, and at a direction of no positive curvature, at the lower of
    its two ends on the boundary; or after `max_linear_iterations`. With

        rho = (f(x_k) - f(x_k + p) + d) / (-m(p) + d),  d = 10 eps |f(x_k)| for the rounding of f,

    x_{k+1} = x_k + p if rho >= eta, else x_k. Delta starts at `initial_radius`, is divided by 4
    where rho < 1/4, and doubled, up to `max_radius`, where rho > 3/4 and p is on the boundary.
    eta = `acceptance`.

    Calls per step: a Hessian product per iteration of CG, and a value and gradient at the trial,
    rejected or not. The evaluation at the accepted point is used, not repeated.

    Source: Nocedal and Wright (2006), algorithms 4.1 and 7.2; Steihaug (1983), SIAM J. Numer. Anal.
    20; Conn, Gould and Toint (2000), "Trust-Region Methods", for the rounding term.
    """

    def init(params: Params) -> State:
        radius = jnp.asarray(initial_radius, trees.norm(params).dtype)
        return _State(radius, jnp.int32(0))

    def step(evaluation: Evaluation, state: _State, oracle: Oracle) -> Step:
        grad_norm = trees.norm(evaluation.grad)
        tolerance = jnp.minimum(forcing, jnp.sqrt(grad_norm)) * grad_norm
        product = oracle.hessian_product(evaluation.params)
        downhill = trees.scale(-1, evaluation.grad)
        inner = _solve(product, downhill, state.radius, tolerance, max_linear_iterations)
        seen = oracle.value_and_grad(trees.add_scaled(evaluation.params, 1.0, inner.x))

        eps = jnp.finfo(grad_norm.dtype).eps
        rounding = _ROUNDING_UNITS * eps * jnp.abs(evaluation.value)
        predicted = (trees.dot(downhill, inner.x) + trees.dot(inner.residual, inner.x)) / 2
        predicted, actual = predicted + rounding, evaluation.value - seen.value + rounding
        accepted = actual >= acceptance * predicted
        grown = jnp.minimum(2 * state.radius, max_radius)
        grows = (actual > _GOOD * predicted) & inner.at_boundary
        radius = jnp.where(grows, grown, state.radius)
        radius = jnp.where(actual >= _POOR * predicted, radius, state.radius / 4)

        calls = Calls(
            value_and_gradients=1, hessian_products=inner.count, linear_iterations=inner.count
        )
        following = _State(radius, state.num_rejected + (~accepted).astype(jnp.int32))
        chosen = trees.where(accepted, seen, evaluation)
        return Step(chosen.params, following, calls, chosen)

    return Optimizer(init, step, report=_State._asdict)


class _State(NamedTuple):
    radius: jax.Array
    num_rejected: jax.Array


class _Iterate(NamedTuple):
    x: Params
    residual: Params
    direction: Params
    squared_residual: jax.Array
    count: jax.Array
    at_boundary: jax.Array


def _solve(
    product: Callable[[Params], Params],
    b: Params,
    radius: jax.Array,
    tolerance: jax.Array,
    max_iterations: int,
) -> _Iterate:
    """Minimize x^T A x / 2 - b^T x over |x| <= radius, from x = 0, by conjugate gradients."""

    def unfinished(at: _Iterate) -> jax.Array:
        open_ = (jnp.sqrt(at.squared_residual) > tolerance) & ~at.at_boundary
        return open_ & (at.count < max_iterations)

    def iterate(at: _Iterate) -> _Iterate:
        image = product(at.direction)
        curvature = trees.dot(at.direction, image)
        is_convex = curvature > 0
        length = at.squared_residual / jnp.where(is_convex, curvature, 1.0)
        inside = trees.norm(trees.add_scaled(at.x, length, at.direction)) < radius
        exits = ~(is_convex & inside)
        end = _boundary(at, curvature, radius)
        length = jnp.where(exits, end, length)
        x = trees.add_scaled(at.x, length, at.direction)
        residual = trees.add_scaled(at.residual, -length, image)
        squared = trees.dot(residual, residual)
        direction = trees.add_scaled(residual, squared / at.squared_residual, at.direction)
        return _Iterate(x, residual, direction, squared, at.count + 1, exits)

    zero = jax.tree.map(jnp.zeros_like, b)
    start = _Iterate(zero, b, b, trees.dot(b, b), jnp.int32(0), jnp.zeros((), bool))
    return jax.lax.while_loop(unfinished, iterate, start)


def _boundary(at: _Iterate, curvature: jax.Array, radius: jax.Array) -> jax.Array:
    """The t with |x + t d| = radius, ahead; behind, where the model is lower there.

    The model changes by -t |r|^2 + t^2 d^T A d / 2; where d^T A d > 0 it is lower ahead.
    """
    squared = trees.dot(at.direction, at.direction)
    middle = trees.dot(at.x, at.direction)
    room = jnp.maximum(0.0, radius**2 - trees.dot(at.x, at.x))
    root = middle + jnp.sqrt(middle**2 + squared * room)  # x^T d >= 0 in conjugate gradients
    ahead, behind = room / root, -root / squared

    def change(t: jax.Array) -> jax.Array:
        return -t * at.squared_residual + t**2 * curvature / 2

    return jnp.where(change(behind) < change(ahead), behind, ahead)
