"""Steps to the minimum of a model: momentum's line, cut off at a lower bound of f.

Throughout, g = grad f(x_k), eta = `learning_rate`, and f* >= `lower_bound`.

Calls per step: none beyond the evaluation at the next point.
"""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optax_names import optimizer_of


def momo(
    learning_rate: Scalar = 1.0,
    beta: Scalar = 0.9,
    lower_bound: Scalar = 0.0,
    *,
    weight_decay: Scalar = 0.0,
    adapt_lower_bound: bool = False,
) -> Optimizer:
    """MoMo: momentum with Polyak's step on a model of averages.

    With averages of decay `beta` from the first values on, m of g, F of f(x_k), G of <g, x_k>:
    t = min(eta, max(F + <m, x_k> - G - lower_bound, 0) / |m|^2), x_{k+1} = x_k - t m. With
    `weight_decay` d, F - G - lower_bound is multiplied by 1 + eta d, and - eta d x_k / (1 + eta d)
    is added. `adapt_lower_bound` raises the bound as far as the model allows. t = 0 where
    |m|^2 <= 2.2e-16.

    Source: Schaipp, Ohana, Eickenberg, Defazio and Gower (2023), "MoMo: momentum models for
    adaptive learning rates", algorithm 1; optax.contrib.momo.
    """
    return optimizer_of(
        "optax.contrib.momo",
        learning_rate=learning_rate,
        beta=beta,
        lower_bound=lower_bound,
        weight_decay=weight_decay,
        adapt_lower_bound=adapt_lower_bound,
    )


def momo_adam(
    learning_rate: Scalar = 1e-2,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    lower_bound: Scalar = 0.0,
    *,
    weight_decay: Scalar = 0.0,
    adapt_lower_bound: bool = False,
) -> Optimizer:
    """MoMo with Adam's scaling: D = sqrt(v / (1 - b2^t)) + eps with t = k + 1, v as in `adam`.

    With averages of decay `b1` from 0, m of g, F of f(x_k), G of <g, x_k>, and q = 1 - b1^t:
    t = min(eta / q, max(F + <m, x_k> - G - q lower_bound, 0) / <m, m / D>),
    x_{k+1} = x_k - t m / D, t = 0 where <m, m / D> <= 2.2e-16; `weight_decay` and
    `adapt_lower_bound` as in `momo`.

    Source: Schaipp, Ohana, Eickenberg, Defazio and Gower (2023), "MoMo: momentum models for
    adaptive learning rates", algorithm 2; optax.contrib.momo_adam.
    """
    return optimizer_of(
        "optax.contrib.momo_adam",
        learning_rate=learning_rate,
        b1=b1,
        b2=b2,
        eps=eps,
        lower_bound=lower_bound,
        weight_decay=weight_decay,
        adapt_lower_bound=adapt_lower_bound,
    )
