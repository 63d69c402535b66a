"""Methods that scale the step of each array of params by norms, made for large batches.

Throughout, g = grad f(x_k), eta = `learning_rate`, and x, g, m are one array of params each: norms
are those of arrays, so that how params are cut into arrays matters.

Calls per step: none beyond the evaluation at the next point.
"""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optax_names import optimizer_of


def lars(
    learning_rate: Scalar = 1.0,
    momentum: Scalar = 0.9,
    trust_coefficient: Scalar = 1e-3,
    eps: Scalar = 0.0,
    *,
    weight_decay: Scalar = 0.0,
) -> Optimizer:
    """LARS: heavy ball with steps in proportion to the norm of the params.

    u = g + weight_decay x, r = trust_coefficient |x| / (|u| + eps), 1 where one of the norms is 0;
    m = momentum m + eta r u, x_{k+1} = x_k - m.

    Source: You, Gitman and Ginsburg (2017), "Large batch training of convolutional networks",
    algorithm 1; optax.lars.
    """
    return optimizer_of(
        "optax.lars",
        learning_rate=learning_rate,
        momentum=momentum,
        trust_coefficient=trust_coefficient,
        eps=eps,
        weight_decay=weight_decay,
    )


def lamb(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-6,
    *,
    weight_decay: Scalar = 0.0,
) -> Optimizer:
    """LAMB: Adam with steps in proportion to the norm of the params.

    u = mhat / (sqrt(vhat) + eps) + weight_decay x, with the moments mhat of `b1` and vhat of `b2`
    as in `adam`; x_{k+1} = x_k - eta u |x| / |u|, and - eta u where one of the norms is 0.

    Source: You et al. (2020), "Large batch optimization for deep learning: training BERT in 76
    minutes", algorithm 2; optax.lamb.
    """
    return optimizer_of(
        "optax.lamb", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay
    )


def novograd(
    learning_rate: Scalar = 1e-2,
    b1: Scalar = 0.9,
    b2: Scalar = 0.25,
    eps: Scalar = 1e-6,
    *,
    weight_decay: Scalar = 0.0,
) -> Optimizer:
    """NovoGrad: heavy ball along gradients over an average of their norms.

    v = |g|^2 at first, then v = b2 v + (1 - b2) |g|^2;
    m = b1 m + g / (sqrt(v) + eps) + weight_decay x, x_{k+1} = x_k - eta m.

    Source: Ginsburg et al. (2019), "Stochastic gradient methods with layer-wise adaptive moments
    for training of deep networks", algorithm 1; optax.novograd.
    """
    return optimizer_of(
        "optax.novograd",
        learning_rate=learning_rate,
        b1=b1,
        b2=b2,
        eps=eps,
        weight_decay=weight_decay,
    )
