"""Optimized gradient methods on smooth convex functions."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.bound import Theorem
from optbench.bounds.instances import (
    SMOOTHNESS,
    huber,
    members,
    parabola,
    ridge_regression,
    robust_regression,
)
from optbench.bounds.momentum.accelerated import ASSUMPTIONS, ATTAINED_AT, on_hubers, weights
from optbench.case import Instance
from optbench.formula import accelerated
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.accelerated import optimized_gradient
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import SQUARED_GRADIENT_NORM, SUBOPTIMALITY
from optbench.theory import SMOOTHNESS as L_OF_PROBLEM

HORIZONS = (1, 2, 5, 10, 20)


def last_weights(k: Any) -> Any:
    """theta_k with the rule of the last step, (1 + sqrt(1 + 8 theta_{k-1}^2)) / 2, for k >= 1."""
    return (1 + np.sqrt(1 + 8 * weights(k - 1) ** 2)) / 2


def ogm_tight() -> Theorem:
    """The optimized gradient method, its last step with the weight of a last step.

        f(x_k) - f* <= L R^2 / (2 theta_k^2),   R = |x_0 - x*|,

    theta_0 = 1, theta_i = (1 + sqrt(1 + 4 theta_{i-1}^2)) / 2 for i < k, and
    theta_k = (1 + sqrt(1 + 8 theta_{k-1}^2)) / 2: the optimizer reports at each k the point that
    it would end with. Attained by the Huber loss with displacement (theta_k^2 - 1) / 2, and at
    every k by L x^2 / 2. No first-order method has a better bound (`lb_drori_exact`).

    Source: Kim and Fessler (2016), Theorem 2; its number is from memory.
    """
    return Theorem(
        name="ogm_tight",
        statement="After k steps of the optimized gradient method on an L-smooth convex function, "
        "f - f* is at most L R^2 / (2 theta^2), with theta the weight of the last step.",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2 \theta_k^2} \le "
        r"\frac{L \|x_0 - x_\star\|^2}{(k + 1) (k + 1 + \sqrt 2)}",
        source="Kim and Fessler (2016), Theorem 2",
        assumptions=ASSUMPTIONS,
        method=make_method(optimized_gradient),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (2 * last_weights(k) ** 2),
        error_growth=accelerated,
        attained_at=ATTAINED_AT,
        instances=lambda: members(
            worst=lambda x: [
                *(huber(float(last_weights(k) ** 2 - 1) / 2, x) for k in ATTAINED_AT),
                parabola(SMOOTHNESS, x),
            ],
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        ),
    )


def _after_gradient_step(smoothness: Scalar = L_OF_PROBLEM) -> Optimizer:
    """`optimized_gradient`, reporting y_k, the points after its gradient steps."""

    def reached(params: Params, state: State) -> Params:
        return state.point

    return optimized_gradient(smoothness)._replace(eval_params=reached)


def ogm_primary() -> Theorem:
    """The optimized gradient method: the points y_k after its gradient steps.

        f(y_k) - f* <= L R^2 / (4 theta_{k-1}^2) <= L R^2 / (k + 1)^2,

    with theta_0 = 1 and theta_k = (1 + sqrt(1 + 4 theta_{k-1}^2)) / 2; no horizon is needed. The
    Huber losses with displacement theta_{k-1}^2 - 1 / 2 come near to it for large k.

    Source: Kim and Fessler (2017), "On the convergence analysis of the optimized gradient method",
    Theorem 3.1; its number is from memory.
    """
    return Theorem(
        name="ogm_primary",
        statement="At y_k of the optimized gradient method on an L-smooth convex function, f - f* "
        "is at most L R^2 / (4 theta^2), with theta the weight of the step before.",
        latex=r"f(y_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{4 \theta_{k-1}^2} \le "
        r"\frac{L \|x_0 - x_\star\|^2}{(k + 1)^2}",
        source="Kim and Fessler (2017), Theorem 3.1",
        assumptions=ASSUMPTIONS,
        method=make_method(_after_gradient_step),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (4 * weights(k - 1) ** 2),
        error_growth=accelerated,
        instances=lambda: on_hubers(lambda k: float(weights(k - 1)) ** 2 - 0.5),
    )


class _Gradients(NamedTuple):
    point: Params  # y_k, after the last gradient step
    count: jax.Array  # k


def _for_gradients(learning_rate: Scalar = 0.1, horizon: Scalar = 20.0) -> Optimizer:
    """The optimized gradient method for gradients, OGM-G, for N = `horizon` steps, at most 20.

    With s_k = 2 theta_k - 1 and a = `learning_rate`, y_{k+1} = x_k - a grad f(x_k) and

    x_{k+1} = y_{k+1} + (theta_k - 1) s_{k+1} / (theta_k s_k) (y_{k+1} - y_k)
              + s_{k+1} / s_k (y_{k+1} - x_k),   from y_0 = x_0,

    where theta_N = 1, theta_k = (1 + sqrt(1 + 4 theta_{k+1}^2)) / 2, and
    theta_0 = (1 + sqrt(1 + 8 theta_1^2)) / 2.
    """
    inner = jnp.asarray(weights(np.arange(HORIZONS[-1] + 1)))  # by the steps that are left

    def weight(count: jax.Array) -> jax.Array:
        left = jnp.maximum(jnp.asarray(horizon, jnp.int32) - count, 0)
        after = inner[jnp.maximum(left - 1, 0)]
        return jnp.where(count == 0, (1 + jnp.sqrt(1 + 8 * after**2)) / 2, inner[left])

    def init(params: Params) -> State:
        return _Gradients(params, jnp.int32(0))

    def step(evaluation: Evaluation, state: _Gradients, oracle: Oracle) -> Step:
        point = trees.add_scaled(evaluation.params, -learning_rate, evaluation.grad)
        now, after = weight(state.count), weight(state.count + 1)
        share = (2 * after - 1) / (2 * now - 1)
        moved = trees.add_scaled(point, -1, state.point)
        descent = trees.add_scaled(point, -1, evaluation.params)
        ahead = trees.add_scaled(point, (now - 1) / now * share, moved)
        return Step(trees.add_scaled(ahead, share, descent), _Gradients(point, state.count + 1))

    return Optimizer(init, step)


def ogmg_tight() -> Theorem:
    """The optimized gradient method for gradients, for N steps that are fixed in advance.

        |grad f(x_N)|^2 <= 2 L (f(x_0) - f*) / theta_0^2,

    theta_N = 1, theta_i = (1 + sqrt(1 + 4 theta_{i+1}^2)) / 2 for 0 < i < N, and
    theta_0 = (1 + sqrt(1 + 8 theta_1^2)) / 2. Attained by L x^2 / 2, and by the Huber loss of
    displacement (theta_0^2 - 1) / 4, where the gradient is still the first one after N steps.

    Source: Kim and Fessler (2021), "Optimizing the efficiency of first-order methods for decreasing
    the gradient of smooth convex functions", Theorem 6.1; its number is from memory.
    """

    def worst(N: float, center: float) -> list[Problem]:
        displacement = float(last_weights(N) ** 2 - 1) / 4
        return [huber(displacement, center), parabola(SMOOTHNESS, center)]

    def instances(N: float) -> tuple[Instance, ...]:
        return members(
            worst=lambda x: worst(N, x), random=robust_regression, data=ridge_regression(l2=0.0)
        )

    return Theorem(
        name="ogmg_tight",
        statement="After its N steps on an L-smooth convex function, the optimized gradient method "
        "for gradients has |grad f|^2 at most 2 L (f(x_0) - f*) / theta_0^2.",
        latex=r"\|\nabla f(x_N)\|^2 \le \frac{2 L (f(x_0) - f_\star)}{\theta_0^2},\quad "
        r"\theta_N = 1,\; \theta_0 = \frac{1 + \sqrt{1 + 8 \theta_1^2}}{2}",
        source="Kim and Fessler (2021), Theorem 6.1",
        assumptions=ASSUMPTIONS,
        parameters={"N": tuple(map(float, HORIZONS))},
        k_range=lambda N: (int(N), int(N)),
        method=make_method(_for_gradients),
        steps={"learning_rate": lambda L: 1 / L, "horizon": lambda N: N},
        quantity=SQUARED_GRADIENT_NORM,
        formula=lambda L, f0, N: 2 * L * f0 / last_weights(N) ** 2,
        error_growth=accelerated,
        attained_at=HORIZONS,
        instances=instances,
    )
