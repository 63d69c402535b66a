"""Gradient descent along gradients with noise added, annealed."""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optax_names import optimizer_of


def noisy_sgd(learning_rate: Scalar = 0.1, eta: Scalar = 0.01, gamma: Scalar = 0.55) -> Optimizer:
    """x_{k+1} = x_k - a (g + z), a = `learning_rate`, z normal of variance eta / (k + 1)^gamma.

    The noise is drawn anew for every seed of a run.

    Calls per step: none beyond the evaluation at the next point.
    Source: Neelakantan et al. (2015), "Adding gradient noise improves learning for very deep
    networks"; optax.noisy_sgd.
    """
    return optimizer_of("optax.noisy_sgd", learning_rate=learning_rate, eta=eta, gamma=gamma)
