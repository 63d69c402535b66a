"""Descent on manifolds: along tangents, and back by a retraction.

On a problem whose feasible set is a manifold, P is the projection on the tangent space at the
current point, R the nearest point of the manifold. On other problems P changes nothing, and R is
the nearest feasible point.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.proximal import projected
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params


def riemannian_gradient_descent(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = R(x_k - eta P grad f(x_k)), with eta = `learning_rate`.

    It is projected(gradient_descent).

    Calls per step: one prox, the retraction, beyond the evaluation at the next point.
    Source: Absil, Mahony & Sepulchre (2008), "Optimization Algorithms on Matrix Manifolds",
    algorithm 1.
    """
    return projected(gradient_descent(learning_rate))


def riemannian_momentum(learning_rate: Scalar = 0.1, momentum: Scalar = 0.9) -> Optimizer:
    """x_{k+1} = R(x_k - eta v_k), v_k = beta P v_{k-1} + P grad f(x_k), v_{-1} = 0.

    eta = `learning_rate`, beta = `momentum`. P, at x_k, transports the velocity from the tangent
    space at x_{k-1}; projected(momentum) would go on with a part that is normal to the manifold.

    Calls per step: one prox, the retraction, beyond the evaluation at the next point.
    Source: Absil, Mahony & Sepulchre (2008), "Optimization Algorithms on Matrix Manifolds", section
    8.1, for the transport; Becigneul & Ganea (2019), "Riemannian adaptive optimization methods",
    ICLR, for momentum that is transported.
    """

    def init(params: Params) -> Params:
        return jax.tree.map(jnp.zeros_like, params)

    def step(evaluation: Evaluation, velocity: Params, oracle: Oracle) -> Step:
        push = trees.add_scaled(evaluation.grad, momentum, velocity)
        velocity = oracle.tangent(evaluation._replace(grad=push))
        ahead = trees.add_scaled(evaluation.params, -learning_rate, velocity)
        return Step(oracle.project(ahead), velocity, Calls(prox=1))

    return Optimizer(init, step, feasible=True)
