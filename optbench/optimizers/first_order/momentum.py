"""Gradient descent that remembers its last step."""

from __future__ import annotations

import optax

from optbench.optimizer import Optimizer, Scalar
from optbench.stability import heavy_ball_threshold, nesterov_threshold, with_threshold
from optbench.theory import optimal
from optbench.transformation import from_optax


@optimal(
    learning_rate="4/(sqrt(L)+sqrt(mu))^2",
    momentum="((sqrt(L)-sqrt(mu))/(sqrt(L)+sqrt(mu)))^2",
)
def momentum(learning_rate: Scalar = 0.1, momentum: Scalar = 0.9) -> Optimizer:
    """Polyak's heavy ball, x_{k+1} = x_k - eta grad f(x_k) + beta (x_k - x_{k-1}), x_{-1} = x_0.

    eta = `learning_rate`, beta = `momentum`. It is run as v_k = beta v_{k-1} + grad f(x_k),
    x_{k+1} = x_k - eta v_k, the same iterates for a constant eta. `optimal` is what is so on
    quadratics: eta = 4 / (sqrt(L) + sqrt(mu))^2, beta = ((sqrt(L) - sqrt(mu)) / (sqrt(L) +
    sqrt(mu)))^2.

    Calls per step: none beyond the evaluation at the next point.
    Source: Polyak (1964), USSR Comput. Math. Math. Phys. 4(5), pp. 1-17; optax.sgd.
    """
    return with_threshold(
        from_optax(optax.sgd(learning_rate, momentum=momentum)),
        lambda: heavy_ball_threshold(learning_rate, momentum),
    )


@optimal(learning_rate="1/L", momentum="(sqrt(L)-sqrt(mu))/(sqrt(L)+sqrt(mu))")
def nesterov(learning_rate: Scalar = 0.1, momentum: Scalar = 0.9) -> Optimizer:
    """Nesterov's accelerated gradient with constant momentum.

    v_k = beta v_{k-1} + grad f(y_k), y_{k+1} = y_k - eta (grad f(y_k) + beta v_k), with
    eta = `learning_rate`, beta = `momentum`. The points it steps from and reports are the
    extrapolated ones: y_k = x_k + beta (x_k - x_{k-1}) for x_{k+1} = y_k - eta grad f(y_k).
    `optimal` is what the theorem for mu > 0 asks for: eta = 1 / L, beta = (sqrt(L) - sqrt(mu)) /
    (sqrt(L) + sqrt(mu)).

    Calls per step: none beyond the evaluation at the next point.
    Source: Nesterov (2018), scheme 2.2.22; Sutskever et al. (2013), section 2; optax.sgd.
    """
    return with_threshold(
        from_optax(optax.sgd(learning_rate, momentum=momentum, nesterov=True)),
        lambda: nesterov_threshold(learning_rate, momentum),
    )
