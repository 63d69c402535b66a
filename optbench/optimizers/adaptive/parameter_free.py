"""Methods that find their learning rate on the way, from distances, bets or averages.

Throughout, g = grad f(x_k), norms are Euclidean over all params, and eta = `learning_rate`, a
factor that stays near 1 where the method finds the step.

Calls per step: none beyond the evaluation at the next point.
"""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.libraries.optax_names import optimizer_of
from optbench.space import searched


@searched()
def dog(learning_rate: Scalar = 1.0, initial_step: Scalar = 1e-6, eps: Scalar = 1e-8) -> Optimizer:
    """DoG: the distance travelled over the root of the sum of squared gradients.

    x_{k+1} = x_k - eta r g / sqrt(S + eps), r = max_j |x_j - x_0|, S = sum_j |g_j|^2 over j <= k;
    r is at least initial_step (1 + |x_0|).

    Source: Ivgi, Hinder and Carmon (2023), "DoG is SGD's best friend: a parameter-free dynamic step
    size schedule"; optax.contrib.dog.
    """
    return optimizer_of(
        "optax.contrib.dog",
        learning_rate=learning_rate,
        init_step=("heuristic", initial_step),
        eps=eps,
    )


@searched()
def dowg(learning_rate: Scalar = 1.0, eps: Scalar = 1e-4) -> Optimizer:
    """DoWG: as `dog`, with gradients weighted by the distance travelled.

    x_{k+1} = x_k - eta r^2 g / (sqrt(S) + eps), r^2 = max(eps, max_j |x_j - x_0|^2) and
    S = sum_j r_j^2 |g_j|^2 over j <= k.

    Source: Khaled, Mishchenko and Jin (2023), "DoWG unleashed: an efficient universal
    parameter-free gradient descent method", algorithm 1; optax.contrib.dowg.
    """
    return optimizer_of("optax.contrib.dowg", learning_rate=learning_rate, eps=eps)


@searched()
def dadapt_adamw(
    learning_rate: Scalar = 1.0,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    estim_lr0: Scalar = 1e-6,
    *,
    weight_decay: Scalar = 0.0,
) -> Optimizer:
    """D-Adaptation of Adam: a lower bound d of the distance to a minimizer sets the step.

    l = d eta sqrt(1 - b2^{k+1}) / (1 - b1^{k+1}), d from `estim_lr0`; then, with w = sqrt(b2),
    n = w n + (1 - w) l <g, s / (sqrt(v) + eps)>, m = b1 m + (1 - b1) l g, v = b2 v + (1 - b2) g^2,
    s = w s + (1 - w) l g, d = max(d, n / ((1 - w) |s|_1)), and
    x_{k+1} = x_k - m / (sqrt(v) + eps) - weight_decay l x_k. It is NaN where the first
    gradient is 0.

    Source: Defazio and Mishchenko (2023), "Learning-rate-free learning by D-Adaptation", the
    variant for Adam; optax.contrib.dadapt_adamw.
    """
    return optimizer_of(
        "optax.contrib.dadapt_adamw",
        learning_rate=learning_rate,
        betas=(b1, b2),
        eps=eps,
        estim_lr0=estim_lr0,
        weight_decay=weight_decay,
    )


@searched()
def prodigy(
    learning_rate: Scalar = 1.0,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    estim_lr0: Scalar = 1e-6,
    *,
    weight_decay: Scalar = 0.0,
) -> Optimizer:
    """Prodigy: D-Adaptation of Adam with faster growth of its lower bound d.

    l = d eta sqrt(1 - b2^{k+1}) / (1 - b1^{k+1}), d and d0 from `estim_lr0`; then, with
    w = sqrt(b2), m = b1 m + (1 - b1) d g, v = b2 v + (1 - b2) d^2 g^2, s = w s + l d g / d0,
    n = w n + (d / d0) l <g, x_0 - x_k>, and x_{k+1} = x_k - l m / (sqrt(v) + D eps)
    - weight_decay l x_k with D = max(d, n / |s|_1), the next d. It is NaN where the first
    gradient is 0.

    Source: Mishchenko and Defazio (2023), "Prodigy: an expeditiously adaptive parameter-free
    learner", the variant for Adam; optax.contrib.prodigy.
    """
    return optimizer_of(
        "optax.contrib.prodigy",
        learning_rate=learning_rate,
        betas=(b1, b2),
        eps=eps,
        estim_lr0=estim_lr0,
        weight_decay=weight_decay,
    )


@searched()
def cocob(alpha: Scalar = 100.0, eps: Scalar = 1e-8) -> Optimizer:
    """COCOB: bets on the sign of each coordinate's gradient, with the winnings so far.

    Elementwise, from L = eps and zeros: L = max(L, |g|), G = G + |g|,
    R = max(R - g (x_k - x_0), 0), C = C - g,
    x_{k+1} = x_0 + C (L + R) / (L max(G + L, alpha L)).

    Source: Orabona and Tommasi (2017), "Training deep networks without learning rates through coin
    betting", algorithm 2; optax.contrib.cocob.
    """
    return optimizer_of("optax.contrib.cocob", alpha=alpha, eps=eps)


def schedule_free_sgd(
    learning_rate: Scalar = 1.0, b1: Scalar = 0.9, weight_lr_power: Scalar = 2.0
) -> Optimizer:
    """Schedule-free gradient descent: gradients between a point and the average of its walk.

    At y_k, z_{k+1} = z_k - eta g, x_{k+1} = x_k + (z_{k+1} - x_k) / (k + 1),
    y_{k+1} = b1 x_{k+1} + (1 - b1) z_{k+1}, all from x_0; x is reported, told from y and z, for
    which b1 > 0. `weight_lr_power` weights the average where eta varies, and else does nothing.

    Source: Defazio et al. (2024), "The road less scheduled", in the form for gradient descent;
    optax.contrib.schedule_free_sgd.
    """
    return optimizer_of(
        "optax.contrib.schedule_free_sgd",
        learning_rate=learning_rate,
        b1=b1,
        weight_lr_power=weight_lr_power,
    )


def schedule_free_adamw(
    learning_rate: Scalar = 0.0025,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    *,
    weight_decay: Scalar = 0.0,
) -> Optimizer:
    """Schedule-free Adam: as `schedule_free_sgd`, with steps over the root of the second moment.

    z_{k+1} = z_k - eta (g / (sqrt(vhat) + eps) + weight_decay y_k), vhat of `b2` as in `adam`; `b1`
    is that of `schedule_free_sgd`.

    Source: Defazio et al. (2024), "The road less scheduled", algorithm 1, without warm-up;
    optax.contrib.schedule_free_adamw.
    """
    return optimizer_of(
        "optax.contrib.schedule_free_adamw",
        learning_rate=learning_rate,
        b1=b1,
        b2=b2,
        eps=eps,
        weight_decay=weight_decay,
    )


def mechanize(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    weight_decay: Scalar = 1e-2,
    eps: Scalar = 1e-8,
    s_init: Scalar = 1e-6,
    num_betas: int = 6,
) -> Optimizer:
    """Mechanic: `optimizer` with the sum of its updates scaled by a learnt factor.

    With D the sum of the updates so far and h = <g + weight_decay s |g| x / |x|, -D> before the
    last of them, for b = 1 - 10^-i, i = 1, ..., `num_betas`: r = b r + s_b h, h cut to [-m, m],
    m = max(b m, |h| + eps), v = b^2 v + h^2, and
    s_b = (s_init m / num_betas + max(r, 0)) / (sqrt(v) + eps); x_{k+1} = x_0 + (sum_b s_b) D.

    Source: Cutkosky, Defazio and Mehta (2023), "Mechanic: a learning rate tuner", algorithm 1;
    optax.contrib.mechanize.
    """
    return optimizer_of(
        "optax.contrib.mechanize",
        base_optimizer=optimizer,
        weight_decay=weight_decay,
        eps=eps,
        s_init=s_init,
        num_betas=num_betas,
    )
