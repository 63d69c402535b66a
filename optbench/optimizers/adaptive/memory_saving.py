"""Adaptive methods that keep, of a matrix, rows and columns in place of all second moments.

Throughout, g = grad f(x_k) and eta = `learning_rate`; squares and roots are elementwise.

Calls per step: none beyond the evaluation at the next point.
"""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optax_names import optimizer_of


def adafactor(
    learning_rate: Scalar = 1e-2,
    decay_rate: Scalar = 0.8,
    clipping_threshold: Scalar = 1.0,
    eps: Scalar = 1e-30,
    min_dim_size_to_factor: int = 128,
    *,
    multiply_by_parameter_scale: bool = True,
) -> Optimizer:
    """Adafactor: RMSprop with a second moment of rank one, and steps relative to the params.

    v = b v + (1 - b) (g^2 + eps) with b = 1 - (k + 1)^-decay_rate; of arrays with two axes of at
    least `min_dim_size_to_factor`, only the means over rows and over columns are kept.
    u = g / sqrt(v), u = u / max(1, rms(u) / clipping_threshold),
    x_{k+1} = x_k - eta u max(rms(x), 1e-3), without the last factor unless
    `multiply_by_parameter_scale`; rms is that of one array of params.

    Source: Shazeer and Stern (2018), "Adafactor: adaptive learning rates with sublinear memory
    cost", algorithms 4 and 5; optax.adafactor. In the paper eta is min(1e-2, 1 / sqrt(k + 1)).
    """
    return optimizer_of(
        "optax.adafactor",
        learning_rate=learning_rate,
        decay_rate=decay_rate,
        clipping_threshold=clipping_threshold,
        eps=eps,
        min_dim_size_to_factor=min_dim_size_to_factor,
        multiply_by_parameter_scale=multiply_by_parameter_scale,
    )


def sm3(learning_rate: Scalar = 0.1, momentum: Scalar = 0.9) -> Optimizer:
    """SM3: Adagrad with one sum per row and one per column of an array.

    v_ij = min(r_i, c_j) + g_ij^2, then r_i = max_j v_ij and c_j = max_i v_ij; of a vector v is
    the whole sum of squares. m = momentum m + (1 - momentum) g / sqrt(v + 1e-8),
    x_{k+1} = x_k - eta m.

    Source: Anil, Gupta, Koren and Singer (2019), "Memory-efficient adaptive optimization",
    algorithm SM3-II; optax.sm3.
    """
    return optimizer_of("optax.sm3", learning_rate=learning_rate, momentum=momentum)._replace(
        by_array=True
    )
