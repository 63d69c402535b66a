"""First-order steps over an estimate of the diagonal of the Hessian."""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optax_names import optimizer_of


def sophia(
    learning_rate: Scalar = 1e-2,
    b1: Scalar = 0.965,
    b2: Scalar = 0.99,
    gamma: Scalar = 0.01,
    clip_threshold: Scalar = 1.0,
    *,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.0,
    update_interval: int = 10,
) -> Optimizer:
    """Sophia-H: momentum over the Hessian's diagonal, cut elementwise.

    m = b1 m + (1 - b1) g, mhat = m / (1 - b1^{k+1}), u = mhat / max(gamma h, eps) cut to [-c, c]
    with c = `clip_threshold`, x_{k+1} = x_k - eta (u + weight_decay x_k), eta = `learning_rate`.
    Every `update_interval` steps, beginning with the first, h = b2 h + (1 - b2) z (hess f(x_k) z),
    z of random signs, for the steps after it. The signs are the same in all runs; they are drawn
    array by array.

    Calls per step: one Hessian product in every `update_interval` steps.
    Source: Liu et al. (2023), "Sophia: a scalable stochastic second-order optimizer for language
    model pre-training", algorithms 1 and 3; optax.contrib.sophia, with signs for Gaussians.
    """
    return optimizer_of(
        "optax.contrib.sophia",
        learning_rate=learning_rate,
        b1=b1,
        b2=b2,
        gamma=gamma,
        clip_threshold=clip_threshold,
        eps=eps,
        weight_decay=weight_decay,
        update_interval=update_interval,
    )
