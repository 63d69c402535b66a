"""Gradient descent: with a fixed step size, and with one found by backtracking."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params
from optbench.stability import gradient_descent_threshold, with_threshold
from optbench.theory import optimal
from optbench.transformation import from_optax

_ROUNDING_UNITS = 10  # rounding error allowed for in f, in eps |f|


@optimal(learning_rate=("2/(L+mu)", "1/L"))
def gradient_descent(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = x_k - eta grad f(x_k), with eta = `learning_rate`.

    `optimal` is 2 / (L + mu), or 1 / L where mu is unknown or 0.

    Calls per step: none beyond the evaluation at the next point.
    Source: Cauchy (1847); Nesterov (2018), section 1.2.3; optax.sgd.
    """
    return with_threshold(
        from_optax(optax.sgd(learning_rate)), lambda: gradient_descent_threshold(learning_rate)
    )


def gradient_descent_backtracking(
    max_step: Scalar = 1e6,
    shrink: Scalar = 0.5,
    grow: Scalar = 2.0,
    slope_fraction: Scalar = 1e-4,
    max_trials: int = 30,
) -> Optimizer:
    """Gradient descent with the step size of an Armijo search: it tunes itself.

    x_{k+1} = x_k - t g with g = grad f(x_k); t is the first of t_0, s t_0, s^2 t_0, ... with

        f(x_k - t g) <= f(x_k) - c t |g|^2 + 10 eps |f(x_k)|

    where s = `shrink`, c = `slope_fraction`, t_0 = min(`grow` * last t, `max_step`), and the last
    term is the rounding error of f, without which no step near a minimizer could pass. After
    `max_trials` refusals the last trial is taken if f is finite there; else the point stays.

    Calls per step: one value per trial, beyond the evaluation at the next point.
    Source: Armijo (1966); Nocedal and Wright (2006), algorithm 3.1;
    optax.scale_by_backtracking_linesearch.
    """

    def descent(rounding: Scalar) -> Optimizer:
        search = optax.scale_by_backtracking_linesearch(
            max_backtracking_steps=max_trials - 1,
            slope_rtol=slope_fraction,
            decrease_factor=shrink,
            increase_factor=grow,
            max_learning_rate=max_step,
            atol=rounding,
        )
        return from_optax(optax.chain(optax.sgd(1.0), search))

    def init(params: Params) -> State:
        return descent(0.0).init(params)

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        eps = jnp.finfo(evaluation.value.dtype).eps
        rounding = _ROUNDING_UNITS * eps * jnp.abs(evaluation.value)
        return descent(rounding).step(evaluation, state, oracle)

    return Optimizer(init, step)
