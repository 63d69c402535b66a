"""Gradient descent with other step sizes, norms, or one coordinate at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench import trees
from optbench.errors import require_count
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.theory import MINIMUM, SMOOTHNESS
from optbench.transformation import from_optax

_NO_NORM = 1e-18  # added to |g|: far below it, the squares of float32 underflow


def polyak_step(minimum: Scalar = MINIMUM) -> Optimizer:
    """x_{k+1} = x_k - (f(x_k) - f*)_+ / |g|^2 g, with g = grad f(x_k) and f* = `minimum`.

    The default is the minimum that the problem knows. No step is taken where |g|^2 <= 2.2e-16;
    where `minimum` is above f*, it stops at that level.

    Calls per step: none beyond the evaluation at the next point.
    Source: Polyak (1987), "Introduction to Optimization", section 5.3; optax.polyak_sgd.
    """
    rule = optax.polyak_sgd(max_learning_rate=jnp.inf, f_min=minimum, variant="sps+")
    return from_optax(rule)


def exact_line_search() -> Optimizer:
    """Steepest descent with the step that is exact on quadratics: it tunes itself.

    x_{k+1} = x_k - |g|^2 / |g^T (hess f) g| g, with g = grad f(x_k): the minimizer of a convex
    quadratic along g; elsewhere, of the second-order model of f, where its curvature is taken
    positive. The point stays where that curvature is zero.

    Calls per step: one Hessian product, beyond the evaluation at the next point.
    Source: Cauchy (1847); Nocedal and Wright (2006), equation 3.26.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        curvature = jnp.abs(trees.dot(grad, oracle.hessian_product(params)(grad)))
        is_flat = curvature == 0
        length = jnp.where(is_flat, 0.0, trees.dot(grad, grad) / jnp.where(is_flat, 1.0, curvature))
        return Step(trees.add_scaled(params, -length, grad), state, Calls(hessian_products=1))

    return Optimizer(lambda params: (), step)


def silver_steps(smoothness: Scalar = SMOOTHNESS) -> Optimizer:
    """Gradient descent with the silver schedule, some of whose steps are much longer than 2 / L.

    x_k = x_{k-1} - (1 + rho^(v(k) - 1)) / L grad f(x_{k-1}) for k = 1, 2, ..., with
    L = `smoothness` (by default that of the problem), rho = 1 + sqrt(2), and v(k) the number of
    times that 2 divides k. After n = 2^m - 1 steps f - f* is of order n^(-log_2 rho) L |x_0 - x*|^2
    for convex f; in between it may be far larger.

    Calls per step: none beyond the evaluation at the next point.
    Source: Altschuler & Parrilo (2023), "Acceleration by stepsize hedging II: silver stepsize
    schedule for smooth convex optimization", arXiv:2309.16530.
    """

    def schedule(count: Any) -> jax.Array:
        k = count + 1
        halvings = jax.lax.population_count((k & -k) - 1)
        return (1 + (1 + np.sqrt(2)) ** (halvings - 1.0)) / smoothness

    return from_optax(optax.sgd(schedule))


def normalized_gradient_descent(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = x_k - eta g / |g|, with g = grad f(x_k) and eta = `learning_rate`.

    |g| is taken 1e-18 larger, so that the point stays where g = 0.

    Calls per step: none beyond the evaluation at the next point.
    Source: Nesterov (1984), "Minimization methods for nonsmooth convex and quasiconvex functions",
    Matekon 29; optax.normalize_by_update_norm.
    """
    return from_optax(optax.chain(_normalize(), optax.sgd(learning_rate)))


def sign_gradient_descent(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = x_k - eta sign(grad f(x_k)), elementwise, with eta = `learning_rate`.

    Calls per step: none beyond the evaluation at the next point.
    Source: Bernstein et al. (2018), on signSGD, algorithm 1; optax.sign_sgd.
    """
    return from_optax(optax.sign_sgd(learning_rate))


def subgradient(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = x_k - eta / sqrt(k + 1) g / |g|, with g a subgradient of f at x_k.

    eta = `learning_rate`; |g| is taken 1e-18 larger. For convex f with |g| <= M, the best of
    f(x_0), ..., f(x_k) is above f* by at most M (|x_0 - x*|^2 + s) / (2 eta sum_i 1 / sqrt(i + 1)),
    s = eta^2 sum_i 1 / (i + 1), sums over i = 0, ..., k. What is reported is the last point,
    not the best.

    Calls per step: none beyond the evaluation at the next point.
    Source: Nesterov (2018), section 3.2.3; optax.normalize_by_update_norm.
    """

    def schedule(count: Any) -> jax.Array:
        return learning_rate / jnp.sqrt(count + 1.0)

    return from_optax(optax.chain(_normalize(), optax.sgd(schedule)))


def cyclic_coordinate_descent(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = x_k - eta g_i e_i, with g = grad f(x_k) and i = k mod dim.

    eta = `learning_rate`; coordinates are numbered in the order of the leaves.

    Calls per step: none beyond the evaluation at the next point. That is a full gradient, of which
    one partial derivative is used: compared by cost, it pays dim times what it would have to.
    Source: Wright (2015), "Coordinate descent algorithms", Math. Program. 151, pp. 3-34.
    """
    return _along_coordinates(learning_rate, lambda count, dim: jnp.arange(dim) == count % dim)


def block_coordinate_descent(learning_rate: Scalar = 0.1, num_blocks: int = 2) -> Optimizer:
    """x_{k+1} = x_k - eta g_b, with g_b the part of grad f(x_k) in block b = k mod `num_blocks`.

    eta = `learning_rate`. Coordinates, numbered in the order of the leaves, are cut into blocks of
    consecutive ones, as equal in size as may be; with as many blocks as coordinates it is
    cyclic_coordinate_descent.

    Calls per step: none beyond the evaluation at the next point. That is a full gradient, of which
    one block is used: compared by cost, it pays `num_blocks` times what it would have to.
    Source: Beck & Tetruashvili (2013), "On the convergence of block coordinate descent type
    methods", SIAM J. Optim. 23(4), pp. 2037-2060.
    """
    require_count("block_coordinate_descent", "num_blocks", num_blocks)

    def choose(count: jax.Array, dim: int) -> jax.Array:
        return np.arange(dim) * num_blocks // dim == count % num_blocks

    return _along_coordinates(learning_rate, choose)


def random_coordinate_descent(learning_rate: Scalar = 0.1, seed: int = 0) -> Optimizer:
    """x_{k+1} = x_k - eta g_i e_i, with g = grad f(x_k) and i drawn uniformly, independently.

    eta = `learning_rate`; all runs with the same `seed` draw the same coordinates.

    Calls per step: none beyond the evaluation at the next point. That is a full gradient, of which
    one partial derivative is used: compared by cost, it pays dim times what it would have to.
    Source: Nesterov (2012), "Efficiency of coordinate descent methods on huge-scale optimization
    problems", SIAM J. Optim. 22(2), pp. 341-362.
    """

    def draw(count: jax.Array, dim: int) -> jax.Array:
        key = jax.random.fold_in(jax.random.key(seed), count)
        return jnp.arange(dim) == jax.random.randint(key, (), 0, dim, jnp.int32)

    return _along_coordinates(learning_rate, draw)


def _along_coordinates(
    learning_rate: Scalar, choose: Callable[[jax.Array, int], jax.Array]
) -> Optimizer:
    """Gradient descent on the real coordinates that choose(k, dim) marks in step k."""

    def step(evaluation: Evaluation, count: jax.Array, oracle: Oracle) -> Step:
        grad = trees.coordinates(evaluation.grad)
        is_chosen = choose(count, grad.size)
        partial = trees.unpack(trees.layout_of(evaluation.grad), jnp.where(is_chosen, grad, 0))
        return Step(trees.add_scaled(evaluation.params, -learning_rate, partial), count + 1)

    return Optimizer(lambda params: jnp.int32(0), step)


def _normalize() -> optax.GradientTransformation:
    return optax.normalize_by_update_norm(eps=_NO_NORM)
