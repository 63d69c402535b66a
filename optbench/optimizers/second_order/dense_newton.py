"""Newton's method with the whole Hessian, and its repairs where that is not positive definite.

All need few coordinates, n: the Hessian is formed, from n products, and factored.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.second_order import dense_matrix
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params
from optbench.space import searched

_BISECTIONS = 64  # of a bracket's logarithm, at most 355 wide: to rounding
_ROUNDING_UNITS = 10  # rounding error allowed for in f, in eps |f|


@searched()
def newton(learning_rate: Scalar = 1.0) -> Optimizer:
    """x_{k+1} = x_k - eta (hess f(x_k))^{-1} grad f(x_k), with eta = `learning_rate`.

    Not safeguarded: it heads for the nearest stationary point, saddles and maxima too, and is not
    finite where the Hessian is singular, unless the gradient is 0: there it stays.

    Calls per step: n Hessian products, beyond the evaluation at the next point.
    Source: Nocedal and Wright (2006), equation 3.30.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        grad = trees.coordinates(evaluation.grad)
        solution = jnp.linalg.solve(_hessian(evaluation, oracle), grad)
        direction = jnp.where(jnp.any(grad != 0), -solution, 0.0)
        params = _moved(evaluation.params, learning_rate, direction)
        return Step(params, state, Calls(hessian_products=grad.size))

    return Optimizer(lambda params: (), step)


def damped_newton(
    floor: Scalar = 1e-6,
    shrink: Scalar = 0.5,
    slope_fraction: Scalar = 1e-4,
    max_trials: int = 30,
) -> Optimizer:
    """Newton's method with the Hessian made positive and an Armijo search: it tunes itself.

    x_{k+1} = x_k + t p, p = -B^{-1} g with g = grad f(x_k); B is the Hessian with each eigenvalue
    lambda_i replaced by max(|lambda_i|, `floor` max_j |lambda_j|), or I where the Hessian is 0. t
    is the first of 1, s, s^2, ... with

        f(x_k + t p) <= f(x_k) + c t g^T p + 10 eps |f(x_k)|

    where s = `shrink`, c = `slope_fraction`, and the last term is the rounding error of f. After
    `max_trials` refusals the point stays.

    Calls per step: n Hessian products, and a value per trial, beyond the evaluation at the next
    point.
    Source: Nocedal and Wright (2006), algorithm 3.2 and section 3.4, "Eigenvalue modification".
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        model = _diagonalize(evaluation, oracle)
        sizes = jnp.abs(model.eigenvalues)
        largest = jnp.max(sizes)
        curvatures = jnp.where(largest > 0, jnp.maximum(sizes, floor * largest), 1.0)
        direction = -model.slopes / curvatures
        slope = direction @ model.slopes
        ahead = model.eigenvectors @ direction
        eps = jnp.finfo(slope.dtype).eps
        highest = evaluation.value + _ROUNDING_UNITS * eps * jnp.abs(evaluation.value)

        def attempt(search: _Search) -> _Search:
            value = oracle.value(_moved(evaluation.params, search.trial, ahead))
            accepted = value <= highest + slope_fraction * search.trial * slope
            length = jnp.where(accepted, search.trial, 0.0)
            return _Search(length, search.trial * shrink, search.num_trials + 1, accepted)

        def unfinished(search: _Search) -> jax.Array:
            return ~search.accepted & (search.num_trials < max_trials)

        zero = jnp.zeros_like(slope)
        first = _Search(zero, zero + 1, jnp.int32(0), jnp.zeros((), bool))
        search = jax.lax.while_loop(unfinished, attempt, first)
        calls = Calls(values=search.num_trials, hessian_products=direction.size)
        return Step(_moved(evaluation.params, search.length, ahead), state, calls)

    return Optimizer(lambda params: (), step)


def saddle_free_newton(learning_rate: Scalar = 1.0, damping: Scalar = 1e-3) -> Optimizer:
    """x_{k+1} = x_k - eta (|H| + lambda I)^{-1} grad f(x_k), H = hess f(x_k).

    |H| has the absolute eigenvalues of H, eta = `learning_rate`, lambda = `damping`. Where f is
    convex and lambda = 0 this is Newton's method; along negative curvature it goes downhill as far
    as Newton's method goes uphill. Along an eigenvector without curvature, where lambda = 0 too,
    it stays.

    Calls per step: n Hessian products, beyond the evaluation at the next point.
    Source: Dauphin et al. (2014), "Identifying and attacking the saddle point problem in
    high-dimensional non-convex optimization", NeurIPS 27, algorithm 1, on the whole space instead
    of a Krylov subspace.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        model = _diagonalize(evaluation, oracle)
        direction = _newton_step(model.slopes, jnp.abs(model.eigenvalues) + damping)
        params = _moved(evaluation.params, learning_rate, model.eigenvectors @ direction)
        return Step(params, state, Calls(hessian_products=direction.size))

    return Optimizer(lambda params: (), step)


def cubic_newton(hessian_lipschitz: Scalar = 1.0) -> Optimizer:
    """Newton's method with cubic regularization: it leaves strict saddles.

    x_{k+1} = x_k + p, where p is a global minimizer of

        g^T p + p^T H p / 2 + M |p|^3 / 6

    with g = grad f(x_k), H = hess f(x_k), M = `hessian_lipschitz` > 0: it solves
    (H + M |p| / 2 I) p = -g with H + M |p| / 2 I positive semidefinite. |p| is found by bisection
    in the eigenbasis of H. f never increases where M is at least the Lipschitz constant of its
    Hessian.

    Calls per step: n Hessian products, beyond the evaluation at the next point.
    Source: Nesterov and Polyak (2006), "Cubic regularization of Newton method and its global
    performance", Mathematical Programming 108, 177-205.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        model = _diagonalize(evaluation, oracle)
        direction = _cubic_step(model, hessian_lipschitz)
        params = _moved(evaluation.params, 1.0, model.eigenvectors @ direction)
        return Step(params, state, Calls(hessian_products=direction.size))

    return Optimizer(lambda params: (), step)


class _Search(NamedTuple):
    length: jax.Array  # of the accepted step, 0 before there is one
    trial: jax.Array
    num_trials: jax.Array
    accepted: jax.Array


class _Model(NamedTuple):
    """The quadratic model of f, in the eigenbasis of its Hessian."""

    slopes: jax.Array
    eigenvalues: jax.Array  # ascending
    eigenvectors: jax.Array  # columns


def _hessian(evaluation: Evaluation, oracle: Oracle) -> jax.Array:
    """The Hessian over the real coordinates of the params, from one product per column."""
    return dense_matrix.columns(oracle.hessian_product(evaluation.params), evaluation.params)


def _diagonalize(evaluation: Evaluation, oracle: Oracle) -> _Model:
    eigenvalues, eigenvectors = jnp.linalg.eigh(_hessian(evaluation, oracle))
    slopes = trees.coordinates(evaluation.grad) @ eigenvectors
    return _Model(slopes, eigenvalues, eigenvectors)


def _moved(params: Params, length: Scalar, direction: jax.Array) -> Params:
    """Params + length * direction, the direction given in coordinates."""
    return trees.add_scaled(params, length, trees.unpack(trees.layout_of(params), direction))


def _newton_step(slopes: jax.Array, curvatures: jax.Array) -> jax.Array:
    """-slopes / curvatures, 0 where the curvature is."""
    return jnp.where(curvatures > 0, -slopes / jnp.where(curvatures > 0, curvatures, 1.0), 0.0)


def _cubic_step(model: _Model, lipschitz: Scalar) -> jax.Array:
    """The minimizer of the cubic model, in the eigenbasis.

    |p| = r + s, where r = 2 max(0, -lambda_1) / M is the least that the second condition allows.
    |p(s)| - r - s falls with s, and is not positive at

        s = 2 |g| / (|lambda_1| + sqrt(lambda_1^2 + 2 M |g|)).

    Where it is not positive at s ~ 0 either, the "hard case", p(0) is prolonged along the first
    eigenvector.
    """
    slopes, eigenvalues, _ = model
    lowest, grad_norm = eigenvalues[0], jnp.sqrt(slopes @ slopes)
    least = 2 * jnp.maximum(0.0, -lowest) / lipschitz
    raised = eigenvalues - jnp.minimum(0.0, lowest)
    divisor = jnp.abs(lowest) + jnp.sqrt(lowest**2 + 2 * lipschitz * grad_norm)
    most = 2 * grad_norm / jnp.where(divisor > 0, divisor, 1.0)

    def step(s: jax.Array) -> jax.Array:
        return _newton_step(slopes, raised + lipschitz * s / 2)

    def halve(_: Any, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bracket
        middle = jnp.sqrt(low) * jnp.sqrt(high)
        direction = step(middle)
        too_low = jnp.sqrt(direction @ direction) > least + middle
        return jnp.where(too_low, middle, low), jnp.where(too_low, high, middle)

    bracket = most * jnp.sqrt(jnp.finfo(most.dtype).tiny), most
    direction = step(jax.lax.fori_loop(0, _BISECTIONS, halve, bracket)[1])
    first, others = direction[0], direction[1:] @ direction[1:]
    prolonged = jnp.sqrt(jnp.maximum(first**2, least**2 - others))
    return direction.at[0].set(jnp.where(first < 0, -prolonged, prolonged))
