"""Where optimizers turn unstable: the edge of stability.

On a quadratic with Hessian H a method with constant learning rate eta (and a preconditioner P that
is frozen) diverges along each eigenvector whose eigenvalue of P^{-1/2} H P^{-1/2} lies above a
threshold. While it trains networks, the largest of them, the (preconditioned) sharpness, rises to
the threshold and stays there: the edge of stability.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, Stability, State
from optbench.problem import Params


def gradient_descent_threshold(learning_rate: Any) -> Any:
    """2 / eta, with eta = `learning_rate`.

    Source: Cohen, Kaur, Li, Kolter and Talwalkar (2021), "Gradient descent on neural networks
    typically occurs at the edge of stability", ICLR, section 2.
    """
    return 2 / learning_rate


def heavy_ball_threshold(learning_rate: Any, momentum: Any) -> Any:
    """2 (1 + beta) / eta, with eta = `learning_rate`, beta = `momentum`.

    Source: Cohen et al. (2021), appendix B.
    """
    return 2 * (1 + momentum) / learning_rate


def nesterov_threshold(learning_rate: Any, momentum: Any) -> Any:
    """2 (1 + beta) / (eta (1 + 2 beta)), with eta = `learning_rate`, beta = `momentum`.

    Source: Cohen et al. (2021), appendix B.
    """
    return 2 * (1 + momentum) / (learning_rate * (1 + 2 * momentum))


def adam_threshold(learning_rate: Any, b1: Any, weight_decay: Any = 0.0) -> Any:
    """(2 - eta lambda) (1 + b1) / (eta (1 - b1)), with eta = `learning_rate`, lambda the decay.

    38 / eta for `b1` = 0.9 without `weight_decay`: heavy ball with learning rate eta (1 - b1). The
    decay, where it is decoupled, shrinks the point by 1 - eta lambda and enters the roots of
    z^2 - (1 - eta lambda + b1 - eta (1 - b1) s) z + b1 (1 - eta lambda), of which the first to
    leave the unit disk as s grows leaves it at -1.

    Source: Cohen, Ghorbani, Krishnan, Agarwal et al. (2022), "Adaptive gradient methods at the
    edge of stability", arXiv:2207.14484, section 3.
    """
    return (2 - learning_rate * weight_decay) * (1 + b1) / (learning_rate * (1 - b1))


def with_threshold(
    optimizer: Optimizer,
    threshold: Callable[[], Any],
    preconditioner: Callable[[State], Params] | None = None,
) -> Optimizer:
    """The optimizer, said to turn unstable where the sharpness exceeds a threshold.

    Args:
        optimizer: any.
        threshold: gives that of the sharpness, where it is asked for: no trace of a step holds it.
        preconditioner: state -> the diagonal P with which the sharpness is meant; None for I.
    """

    def stability(state: State, progress: Any) -> Stability:
        return Stability(threshold(), None if preconditioner is None else preconditioner(state))

    return optimizer._replace(stability=stability)


def adam_preconditioner(
    b1: Scalar, b2: Scalar, eps: Scalar, eps_root: Scalar
) -> Callable[[State], Params]:
    """(1 - b1^k) (sqrt(vhat + eps_root) + eps) after k steps, from the state of an optax Adam.

    `b1` and `b2` are the decays, vhat = v / (1 - b2^k); not a number before the first step, when
    nothing is known of the gradients.

    Source: Cohen et al. (2022), section 3.
    """

    def preconditioner(state: State) -> Params:
        count, second = optax.tree.get(state, "count"), optax.tree.get(state, "nu")

        def diagonal(v: jax.Array) -> jax.Array:
            steps = count.astype(v.dtype)
            return (1 - b1**steps) * (jnp.sqrt(v / (1 - b2**steps) + eps_root) + eps)

        return jax.tree.map(diagonal, second)

    return preconditioner


def root_preconditioner(
    name: str, eps: Scalar, *, eps_in_sqrt: bool = True
) -> Callable[[State], Params]:
    """sqrt(v + eps), or sqrt(v) + eps unless `eps_in_sqrt`; v is called `name` in the state."""

    def diagonal(v: jax.Array) -> jax.Array:
        return jnp.sqrt(v + eps) if eps_in_sqrt else jnp.sqrt(v) + eps

    return lambda state: jax.tree.map(diagonal, optax.tree.get(state, name))


def broadcast_to_coordinates(diagonal: Params, like: Params) -> jax.Array:
    """A diagonal, one entry per number, over the real coordinates of a tree."""

    def entries(p: jax.Array, x: jax.Array) -> jax.Array:
        return p + 1j * p if jnp.iscomplexobj(x) else jnp.broadcast_to(p, x.shape)

    return trees.coordinates(jax.tree.map(entries, diagonal, like))
