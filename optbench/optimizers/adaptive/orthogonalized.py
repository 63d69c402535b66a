"""Momentum with all singular values of a matrix moved to about 1."""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optax_names import optimizer_of


def muon(
    learning_rate: Scalar = 0.02,
    beta: Scalar = 0.95,
    eps: Scalar = 1e-8,
    *,
    weight_decay: Scalar = 0.0,
    ns_steps: int = 5,
    nesterov: bool = True,
) -> Optimizer:
    """Muon: Newton-Schulz orthogonalized momentum, for params with a matrix.

    m = beta m + (1 - beta) g, mhat = m / (1 - beta^{k+1}), or with `nesterov` the n of `nadam`;
    X = mhat / (|mhat| + eps) in the Frobenius norm, then `ns_steps` times
    X = a X + b (X X^T) X + c (X X^T)^2 X with (a, b, c) = (3.4445, -4.775, 2.0315), and
    W = W - eta (sqrt(max(1, columns / rows)) X + weight_decay W) of a rows x columns matrix W,
    eta = `learning_rate`.
    Arrays that are no matrices take steps of `adam`, of `nadam` with `nesterov`, at the same rate.

    Calls per step: none beyond the evaluation at the next point.
    Source: Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks";
    optax.contrib.muon.
    """
    return optimizer_of(
        "optax.contrib.muon",
        learning_rate=learning_rate,
        beta=beta,
        eps=eps,
        weight_decay=weight_decay,
        ns_steps=ns_steps,
        nesterov=nesterov,
    )
