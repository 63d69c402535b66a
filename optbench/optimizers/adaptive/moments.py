"""First-order methods that scale each coordinate by the gradients it has seen.

Throughout, g = grad f(x_k), eta = `learning_rate`, and squares and roots are elementwise.

Calls per step: none beyond the evaluation at the next point.
"""

from __future__ import annotations

import optax

from optbench.optimizer import Optimizer, Scalar
from optbench.stability import (
    adam_preconditioner,
    adam_threshold,
    gradient_descent_threshold,
    root_preconditioner,
    with_threshold,
)
from optbench.transformation import from_optax


def adam(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    eps_root: Scalar = 0.0,
) -> Optimizer:
    """Adam, with bias-corrected first and second moments.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
    x_{k+1} = x_k - eta mhat / (sqrt(vhat + eps_root) + eps), with mhat = m / (1 - b1^{k+1}) and
    vhat = v / (1 - b2^{k+1}).

    Source: Kingma and Ba (2015), algorithm 1, whose defaults these are; optax.adam.
    """
    return with_threshold(
        from_optax(optax.adam(learning_rate, b1, b2, eps, eps_root)),
        lambda: adam_threshold(learning_rate, b1),
        adam_preconditioner(b1, b2, eps, eps_root),
    )


def adamw(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    *,
    eps_root: Scalar = 0.0,
    weight_decay: Scalar = 1e-4,
) -> Optimizer:
    """Adam with decoupled weight decay.

    x_{k+1} = x_k - eta (mhat / (sqrt(vhat + eps_root) + eps) + weight_decay x_k), with the
    moments mhat of `b1` and vhat of `b2` as in `adam`.

    Source: Loshchilov and Hutter (2019), algorithm 2; defaults of optax.adamw, learning rate of
    Kingma and Ba (2015).
    """
    decayed = optax.adamw(learning_rate, b1, b2, eps, eps_root, weight_decay=weight_decay)
    return with_threshold(
        from_optax(decayed),
        lambda: adam_threshold(learning_rate, b1, weight_decay),
        adam_preconditioner(b1, b2, eps, eps_root),
    )


def rmsprop(
    learning_rate: Scalar = 1e-3,
    decay: Scalar = 0.9,
    eps: Scalar = 1e-8,
    *,
    initial_scale: Scalar = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    bias_correction: bool = False,
) -> Optimizer:
    """RMSprop: the gradient over the root of a moving average of its square.

    v = decay v + (1 - decay) g^2 from v = `initial_scale`,
    x_{k+1} = x_k - eta g / sqrt(v + eps), or g / (sqrt(v) + eps) unless `eps_in_sqrt`.
    `centered` subtracts the square of the average gradient from v; `bias_correction` divides the
    averages by 1 - decay^{k+1}.

    Source: Tieleman and Hinton (2012), lecture 6.5; Graves (2013), equations 38 to 41, for
    `centered`; defaults of optax.rmsprop, learning rate of Keras.
    """
    optimizer = from_optax(
        optax.rmsprop(
            learning_rate,
            decay,
            eps,
            initial_scale,
            eps_in_sqrt=eps_in_sqrt,
            centered=centered,
            bias_correction=bias_correction,
        )
    )
    if centered or bias_correction:
        return optimizer
    root = root_preconditioner("nu", eps, eps_in_sqrt=eps_in_sqrt)
    return with_threshold(optimizer, lambda: gradient_descent_threshold(learning_rate), root)


def adagrad(
    learning_rate: Scalar = 1e-2,
    initial_accumulator_value: Scalar = 0.1,
    eps: Scalar = 1e-7,
) -> Optimizer:
    """AdaGrad: the gradient over the root of the sum of its squares.

    v = v + g^2 from v = `initial_accumulator_value`, x_{k+1} = x_k - eta g / sqrt(v + eps).

    Source: Duchi, Hazan and Singer (2011), figure 1, diagonal form; defaults of optax.adagrad,
    learning rate of torch.optim.Adagrad.
    """
    return with_threshold(
        from_optax(optax.adagrad(learning_rate, initial_accumulator_value, eps)),
        lambda: gradient_descent_threshold(learning_rate),
        root_preconditioner("sum_of_squares", eps),
    )


def lion(
    learning_rate: Scalar = 1e-4,
    b1: Scalar = 0.9,
    b2: Scalar = 0.99,
    weight_decay: Scalar = 1e-3,
) -> Optimizer:
    """Lion: steps of one size per coordinate, along the sign of an averaged gradient.

    x_{k+1} = x_k - eta (sign(b1 m + (1 - b1) g) + weight_decay x_k), then m = b2 m + (1 - b2) g.

    Source: Chen et al. (2023), algorithm 2; defaults of optax.lion, learning rate of the authors'
    PyTorch code.
    """
    return from_optax(optax.lion(learning_rate, b1, b2, weight_decay=weight_decay))
