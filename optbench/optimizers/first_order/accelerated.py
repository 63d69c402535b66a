"""Accelerated gradient methods whose momentum follows from smoothness and strong convexity.

`smoothness` is L and `strong_convexity` is mu > 0 throughout. Gradients are taken at points that
run ahead; what is reported is the sequence that the method's theorem bounds. The defaults are the
constants of the problem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.momentum import nesterov
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params
from optbench.theory import SMOOTHNESS, STRONG_CONVEXITY


class _Reached(NamedTuple):
    point: Params  # x_k
    weight: jax.Array  # t_k


def nesterov_convex(smoothness: Scalar = SMOOTHNESS) -> Optimizer:
    """Nesterov's method for convex functions, with growing momentum.

    x_{k+1} = y_k - grad f(y_k) / L,  t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2,
    y_{k+1} = x_{k+1} + (t_k - 1) / t_{k+1} (x_{k+1} - x_k),  from y_0 = x_0 and t_0 = 1, with
    L = `smoothness`. It steps from y_k and reports x_k, for which
    f(x_k) - f* <= 2 L |x_0 - x*|^2 / (k + 1)^2.

    Calls per step: none beyond the evaluation at the next point.
    Source: Nesterov (1983), "A method of solving a convex programming problem with convergence rate
    O(1/k^2)", Soviet Math. Dokl. 27(2), pp. 372-376; the bound: Beck & Teboulle (2009), theorem
    4.4.
    """

    def descend(evaluation: Evaluation, oracle: Oracle) -> Params:
        return trees.add_scaled(evaluation.params, -1 / smoothness, evaluation.grad)

    return _with_growing_momentum(descend, Calls())


def fista(smoothness: Scalar = SMOOTHNESS) -> Optimizer:
    """The fast iterative shrinkage-thresholding algorithm: nesterov_convex with a prox.

    x_{k+1} = prox_{h/L}(y_k - grad (f - h)(y_k) / L), with t_k and y_k as in nesterov_convex and
    L = `smoothness`, that of f - h. It steps from y_k, and reports x_k. Where the problem has
    constraints x_k is feasible and y_k need not be: f has to be defined there too.

    Calls per step: one prox, beyond the evaluation at the next point.
    Source: Beck & Teboulle (2009), "A fast iterative shrinkage-thresholding algorithm", SIAM J.
    Imaging Sciences 2(1), pp. 183-202, equations 4.1 to 4.3.
    """

    def descend(evaluation: Evaluation, oracle: Oracle) -> Params:
        grad = oracle.smooth_grad(evaluation)
        return oracle.prox(
            trees.add_scaled(evaluation.params, -1 / smoothness, grad), 1 / smoothness
        )

    return _with_growing_momentum(descend, Calls(prox=1))._replace(feasible=True)


def _with_growing_momentum(
    descend: Callable[[Evaluation, Oracle], Params], calls: Calls
) -> Optimizer:
    """x_{k+1} = descend(y_k), extrapolated by the sequence t_k."""

    def init(params: Params) -> State:
        return _Reached(params, jnp.ones((), trees.norm(params).dtype))

    def step(evaluation: Evaluation, state: _Reached, oracle: Oracle) -> Step:
        point = descend(evaluation, oracle)
        weight = (1 + jnp.sqrt(1 + 4 * state.weight**2)) / 2
        moved = trees.add_scaled(point, -1, state.point)
        ahead = trees.add_scaled(point, (state.weight - 1) / weight, moved)
        return Step(ahead, _Reached(point, weight), calls)

    return Optimizer(init, step, eval_params=lambda params, state: state.point)


def nesterov_strongly_convex(
    smoothness: Scalar = SMOOTHNESS, strong_convexity: Scalar = STRONG_CONVEXITY
) -> Optimizer:
    """Nesterov's method for strongly convex functions, with constant momentum.

    x_{k+1} = y_k - grad f(y_k) / L,  y_{k+1} = x_{k+1} + beta (x_{k+1} - x_k),
    beta = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)),  from y_0 = x_0, with L = `smoothness`,
    mu = `strong_convexity`. It steps from y_k and reports x_k, for which
    f(x_k) - f* <= (1 - sqrt(mu / L))^k (f(x_0) - f* + mu |x_0 - x*|^2 / 2).

    Calls per step: none beyond the evaluation at the next point.
    Source: Nesterov (2018), scheme 2.2.22; run as `nesterov`, by optax.sgd.
    """
    roots = smoothness**0.5, strong_convexity**0.5
    beta = (roots[0] - roots[1]) / (roots[0] + roots[1])

    def reached(params: Params, state: State) -> Params:
        velocity = optax.tree.get(state, "trace")  # y_k = x_k - beta velocity / L
        return trees.add_scaled(params, beta / smoothness, velocity)

    return nesterov(1 / smoothness, beta)._replace(eval_params=reached)


class _Gradients(NamedTuple):
    point: Params  # y_k
    push: Params  # (theta_{k-1} - 1) (y_k - y_{k-1}) + theta_{k-1} (y_k - x_{k-1})
    weight: jax.Array  # theta_k


def optimized_gradient(smoothness: Scalar = SMOOTHNESS) -> Optimizer:
    """The optimized gradient method, whose worst case on smooth convex functions is the lowest.

    y_{k+1} = x_k - grad f(x_k) / L,  theta_{k+1} = (1 + sqrt(1 + 4 theta_k^2)) / 2,
    x_{k+1} = y_{k+1} + ((theta_k - 1) (y_{k+1} - y_k) + theta_k (y_{k+1} - x_k)) / theta_{k+1},
    from y_0 = x_0 and theta_0 = 1, with L = `smoothness`.

    Its last step has another weight, theta_N = (1 + sqrt(1 + 8 theta_{N-1}^2)) / 2. The horizon N
    is not needed: every step goes on from x_k, and reports the point that it would end with if
    step k were the last, for which f - f* <= L |x_0 - x*|^2 / (2 theta_k^2) with that weight.

    Calls per step: none beyond the evaluation at the next point.
    Source: Kim & Fessler (2016), "Optimized first-order methods for smooth convex minimization",
    Math. Program. 159, pp. 81-107, algorithm OGM1; Drori (2017), J. Complexity 39, pp. 1-16, for
    the lower bound that it attains.
    """

    def init(params: Params) -> State:
        return _Gradients(params, _zeros(params), jnp.ones((), trees.norm(params).dtype))

    def step(evaluation: Evaluation, state: _Gradients, oracle: Oracle) -> Step:
        descent = trees.scale(-1 / smoothness, evaluation.grad)
        point = trees.add_scaled(evaluation.params, 1, descent)
        moved = trees.add_scaled(point, -1, state.point)
        push = trees.add_scaled(trees.scale(state.weight - 1, moved), state.weight, descent)
        weight = (1 + jnp.sqrt(1 + 4 * state.weight**2)) / 2
        return Step(trees.add_scaled(point, 1 / weight, push), _Gradients(point, push, weight))

    def ended(params: Params, state: _Gradients) -> Params:
        last_weight = (1 + jnp.sqrt(1 + 8 * state.weight * (state.weight - 1))) / 2
        return trees.add_scaled(state.point, 1 / last_weight, state.push)

    return Optimizer(init, step, eval_params=ended)


def triple_momentum(
    smoothness: Scalar = SMOOTHNESS, strong_convexity: Scalar = STRONG_CONVEXITY
) -> Optimizer:
    """The triple momentum method for smooth strongly convex functions.

    xi_{k+1} = xi_k + d_{k+1},  d_{k+1} = beta d_k - alpha grad f(y_k),
    y_k = xi_k + gamma d_k,  x_k = xi_k + delta d_k,  from xi_0 = x_0 and d_0 = 0, where

        alpha = (1 + rho) / L,  beta = rho^2 / (2 - rho),  gamma = beta / (1 + rho),
        delta = rho^2 / (1 - rho^2),  rho = 1 - sqrt(mu / L)

    and L = `smoothness`, mu = `strong_convexity`. It steps from y_k and reports x_k; distances
    fall like rho^k.

    Calls per step: none beyond the evaluation at the next point.
    Source: Van Scoy, Freeman & Lynch (2018), "The fastest known globally convergent first-order
    method for minimizing strongly convex functions", IEEE Control Systems Letters 2(1), pp. 49-54.
    """
    rho = 1 - (strong_convexity / smoothness) ** 0.5
    alpha, beta = (1 + rho) / smoothness, rho**2 / (2 - rho)
    gamma, delta = beta / (1 + rho), rho**2 / (1 - rho**2)

    def step(evaluation: Evaluation, moved: Params, oracle: Oracle) -> Step:
        base = trees.add_scaled(evaluation.params, -gamma, moved)
        moved = trees.add_scaled(trees.scale(beta, moved), -alpha, evaluation.grad)
        return Step(trees.add_scaled(base, 1 + gamma, moved), moved)

    def reached(params: Params, moved: Params) -> Params:
        return trees.add_scaled(params, delta - gamma, moved)

    return Optimizer(_zeros, step, eval_params=reached)


class _Chebyshev(NamedTuple):
    moved: Params  # x_k - x_{k-1}
    length: jax.Array  # omega_k, of the next step
    count: jax.Array  # k


def chebyshev(
    smoothness: Scalar = SMOOTHNESS, strong_convexity: Scalar = STRONG_CONVEXITY
) -> Optimizer:
    """Chebyshev's semi-iteration, optimal on quadratics with curvatures in [mu, L].

    x_{k+1} = x_k - omega_k grad f(x_k) + (theta omega_k - 1) (x_k - x_{k-1}),  where
    omega_0 = 1 / theta, omega_1 = 1 / (theta - delta^2 omega_0 / 2),
    omega_{k+1} = 1 / (theta - delta^2 omega_k / 4), theta = (L + mu) / 2, delta = (L - mu) / 2,
    with L = `smoothness`, mu = `strong_convexity`. The error along an eigenvector of curvature h
    is that of x_0 times T_k((theta - h) / delta) / T_k(theta / delta), T_k Chebyshev's polynomial.

    Calls per step: none beyond the evaluation at the next point.
    Source: Golub & Varga (1961), "Chebyshev semi-iterative methods, successive overrelaxation
    iterative methods, and second order Richardson iterative methods", Numer. Math. 3; Saad (2003),
    "Iterative Methods for Sparse Linear Systems", algorithm 12.1.
    """
    middle, radius = (smoothness + strong_convexity) / 2, (smoothness - strong_convexity) / 2

    def init(params: Params) -> State:
        length = jnp.asarray(1 / middle, trees.norm(params).dtype)
        return _Chebyshev(_zeros(params), length, jnp.int32(0))

    def step(evaluation: Evaluation, state: _Chebyshev, oracle: Oracle) -> Step:
        memory = trees.scale(middle * state.length - 1, state.moved)
        moved = trees.add_scaled(memory, -state.length, evaluation.grad)
        share = jnp.where(state.count == 0, 0.5, 0.25)
        length = 1 / (middle - share * radius**2 * state.length)
        following = _Chebyshev(moved, length.astype(state.length.dtype), state.count + 1)
        return Step(trees.add_scaled(evaluation.params, 1, moved), following)

    return Optimizer(init, step)


def _zeros(params: Params) -> Params:
    return jax.tree.map(jnp.zeros_like, params)
