"""Nonlinear conjugate gradients."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optimistix as optx

from optbench.errors import unknown_name
from optbench.optimizer import Optimizer
from optbench.optimizers.libraries.optimistix_adapter import TOLERANCE, from_optimistix


def _hestenes_stiefel(grad: jax.Array, before: jax.Array, direction: jax.Array) -> jax.Array:
    return _ratio(grad @ (grad - before), direction @ (grad - before))


def _dai_yuan(grad: jax.Array, before: jax.Array, direction: jax.Array) -> jax.Array:
    return _ratio(grad @ grad, direction @ (grad - before))


def _ratio(above: jax.Array, below: jax.Array) -> jax.Array:
    return jnp.where(below == 0, 0, above / jnp.where(below == 0, 1, below))


METHODS = {
    "fletcher_reeves": optx.fletcher_reeves,
    "polak_ribiere": optx.polak_ribiere,
    "hestenes_stiefel": _hestenes_stiefel,  # optimistix 0.1.0 has the other sign in these two
    "dai_yuan": _dai_yuan,
}


def nonlinear_cg(method: str = "polak_ribiere") -> Optimizer:
    """x_{k+1} = x_k + t d_k, d_k = -g_k + beta_k d_{k-1}, with g_k = grad f(x_k): it tunes itself.

    With y_k = g_k - g_{k-1}, `method` chooses beta_k among

        fletcher_reeves    |g_k|^2 / |g_{k-1}|^2
        polak_ribiere      max(0, g_k^T y_k / |g_{k-1}|^2)
        hestenes_stiefel   g_k^T y_k / d_{k-1}^T y_k
        dai_yuan           |g_k|^2 / d_{k-1}^T y_k

    where its denominator is not 0 (the first two: above eps), else beta_k = 0; d_k = -g_k where
    that is no descent direction. t is the first of 1, 1/2, 1/4, ... with
    f(x_k + t d_k) <= f(x_k) + t g_k^T d_k / 10.

    Calls per step: one step tries one t, for a value and gradient; until one is accepted, the point
    stays. The first step judges the start, for nothing.
    Source: Fletcher and Reeves (1964); Polak and Ribiere (1969); Hestenes and Stiefel (1952); Dai
    and Yuan (1999); Nocedal and Wright (2006), section 5.2; optimistix.NonlinearCG.
    """
    if method not in METHODS:
        raise unknown_name("method", method, list(METHODS), f"there are {', '.join(METHODS)}")
    return from_optimistix(optx.NonlinearCG(TOLERANCE, TOLERANCE, method=METHODS[method]))
