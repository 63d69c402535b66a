"""Langevin dynamics: gradient descent with noise, whose points are samples of exp(-f / T)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Evaluation, Oracle

_NOISE = 0x6C616E67  # folded into the step's key: the sample uses that key itself


def langevin(learning_rate: Scalar = 0.01, temperature: Scalar = 1e-4) -> Optimizer:
    """Unadjusted Langevin: x_{k+1} = x_k - eta g_k + sqrt(2 eta T) xi_k, xi_k standard normal.

    eta = `learning_rate`, T = `temperature`, g_k = grad f(x_k); with g_k of a sample it is
    stochastic gradient Langevin dynamics (SGLD), whose source has the step 2 eta and T = 1. As
    eta -> 0 the points are distributed like exp(-f / T); where f is quadratic with Hessian H, with
    a covariance of T H^-1 (I - eta H / 2)^-1. It does not come to rest at a minimizer unless T = 0.

    The noise is drawn from the run's seed and the step, in float32 other noise than in float64.
    Calls per step: none beyond the evaluation at the next point.
    Source: Welling & Teh (2011), "Bayesian learning via stochastic gradient Langevin dynamics",
    ICML, equation 4; Roberts & Tweedie (1996), "Exponential convergence of Langevin distributions
    and their discrete approximations", Bernoulli 2(4).
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        step_key: Any = oracle.key
        key, flat = jax.random.fold_in(step_key, _NOISE), trees.coordinates(params)
        noise = trees.unpack(
            trees.layout_of(params), jax.random.normal(key, flat.shape, flat.dtype)
        )
        drifted = trees.add_scaled(params, -learning_rate, grad)
        return Step(
            trees.add_scaled(drifted, jnp.sqrt(2 * learning_rate * temperature), noise), state
        )

    return Optimizer(lambda params: (), step)
