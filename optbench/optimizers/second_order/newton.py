"""Newton's method without a Hessian: only its products with vectors are asked for."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order import linear_cg
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params

_SLOPE_FRACTION = 1e-4  # of the predicted decrease
_FLAT = 1e-6  # within this fraction of |f|, slopes decide instead of values


def newton_cg(
    forcing: Scalar = 0.5, max_linear_iterations: int = 200, max_trials: int = 30
) -> Optimizer:
    """Line-search Newton-CG: it tunes itself.

    x_{k+1} = x_k + t p, where conjugate gradients solve (hess f) p = -g to
    |(hess f) p + g| <= min(`forcing`, sqrt(|g|)) |g|, g = grad f(x_k), and stop before a direction
    of no positive curvature with the p they have; where this is the first one, p is along -g,
    |p| = |g|^2 / |(hess f) g|. CG takes `max_linear_iterations` at most. t is the first of 1, 1/2,
    1/4, ... with

        f(x_k + t p) <= f(x_k) + c t g^T p, or
        f(x_k + t p) <= f(x_k) + 1e-6 |f(x_k)| and grad f(x_k + t p)^T p <= (2 c - 1) g^T p

    with c = 1e-4; the second test sees a decrease that rounding hides from the first. After
    `max_trials` refusals the point stays.

    Calls per step: a Hessian product per iteration of CG, a value and gradient per trial. The
    evaluation at the accepted point is used, not repeated.

    Source: Nocedal and Wright (2006), algorithm 7.1; Hager and Zhang (2005), SIAM J. Optim. 16,
    equation 4.1, for the second test.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        grad_norm = trees.norm(evaluation.grad)
        tolerance = jnp.minimum(forcing, jnp.sqrt(grad_norm)) * grad_norm
        product = oracle.hessian_product(evaluation.params)
        downhill = trees.scale(-1, evaluation.grad)
        solution = linear_cg.solve(product, downhill, tolerance, max_linear_iterations)
        search = _backtrack(oracle, evaluation, solution.x, max_trials)
        calls = Calls(
            value_and_gradients=search.num_trials,
            hessian_products=solution.num_products,
            linear_iterations=solution.num_products,
        )
        return Step(search.seen.params, state, calls, search.seen)

    return Optimizer(lambda params: (), step)


class _Search(NamedTuple):
    scale: jax.Array
    seen: Evaluation
    num_trials: jax.Array
    accepted: jax.Array


def _backtrack(oracle: Oracle, start: Evaluation, direction: Params, max_trials: int) -> _Search:
    """The first of start + direction, + direction / 2, ... that is low enough; else the start."""
    slope = trees.dot(start.grad, direction)

    def is_low_enough(scale: jax.Array, seen: Evaluation) -> jax.Array:
        decreases = seen.value <= start.value + _SLOPE_FRACTION * scale * slope
        level = seen.value <= start.value + _FLAT * jnp.abs(start.value)
        turned = trees.dot(seen.grad, direction) <= (2 * _SLOPE_FRACTION - 1) * slope
        return decreases | (level & turned)

    def attempt(search: _Search) -> _Search:
        seen = oracle.value_and_grad(trees.add_scaled(start.params, search.scale, direction))
        accepted = is_low_enough(search.scale, seen)
        return _Search(search.scale / 2, seen, search.num_trials + 1, accepted)

    def unfinished(search: _Search) -> jax.Array:
        return ~search.accepted & (search.num_trials < max_trials)

    first = _Search(jnp.ones_like(slope), start, jnp.int32(0), jnp.zeros((), bool))
    search = jax.lax.while_loop(unfinished, attempt, first)
    return search._replace(seen=trees.where(search.accepted, search.seen, start))
