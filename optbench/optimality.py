"""What vanishes at a minimizer: the gradient, or what takes its place where f has a prox."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.problem import Params, Problem


def smooth_grad(problem: Problem, params: Params, grad: Params) -> Params:
    """The gradient of f - h from a (sub)gradient of f, as autodiff gives it.

    Args:
        problem: h is its `nonsmooth`; without one this is `grad`.
        params: where.
        grad: of f.
    """
    if problem.nonsmooth is None:
        return grad
    part = jax.grad(problem.nonsmooth)(params, *problem.data)
    return trees.add_scaled(grad, -1, jax.tree.map(jnp.conj, part))


def optimality_residual(problem: Problem, params: Params, grad: Params) -> Params:
    """What is zero at a minimizer, and small near it.

    grad f where f has no prox; the natural residual x - prox_h(x - grad (f - h)(x)), of step 1,
    where it has; the tangent part of grad f on a manifold.

    Source: Parikh & Boyd (2014), "Proximal algorithms", Foundations and Trends in Optimization
    1(3), section 4.2; Absil, Mahony & Sepulchre (2008), "Optimization Algorithms on Matrix
    Manifolds", section 3.6.

    Args:
        problem: the problem.
        params: x.
        grad: of f at x.
    """
    if problem.tangent is not None:
        return problem.tangent(params, grad, *problem.data)
    if problem.prox is None:
        return grad
    ahead = trees.add_scaled(params, -1, smooth_grad(problem, params, grad))
    step = jnp.ones((), trees.norm(params).dtype)
    return trees.add_scaled(params, -1, problem.prox(ahead, step, *problem.data))
