"""Descendants of Adam and Adagrad that scale each coordinate by the gradients it has seen.

Throughout, g = grad f(x_k), eta = `learning_rate`, and squares, roots and maxima are elementwise. A
hat divides an average of decay b by 1 - b^{k+1}: mhat of `b1`, vhat of `b2`.

Calls per step: none beyond the evaluation at the next point.
"""

from __future__ import annotations

from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.libraries.optax_names import optimizer_of


def adadelta(learning_rate: Scalar = 1.0, rho: Scalar = 0.9, eps: Scalar = 1e-6) -> Optimizer:
    """Adadelta: steps of the size of those before, so that units agree.

    v = rho v + (1 - rho) g^2, d = g sqrt(u + eps) / sqrt(v + eps), u = rho u + (1 - rho) d^2 from
    v = u = 0; x_{k+1} = x_k - eta d. The first steps are of order sqrt(eps).

    Source: Zeiler (2012), "ADADELTA: an adaptive learning rate method", algorithm 1; defaults of
    optax.adadelta.
    """
    return optimizer_of("optax.adadelta", learning_rate=learning_rate, rho=rho, eps=eps)


def amsgrad(
    learning_rate: Scalar = 1e-3, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Optimizer:
    """AMSGrad: Adam with the largest second moment so far, which never lets steps grow again.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w = max(w, vhat),
    x_{k+1} = x_k - eta mhat / (sqrt(w) + eps). The paper has no hats.

    Source: Reddi, Kale and Kumar (2018), "On the convergence of Adam and beyond", algorithm 2, with
    bias correction as in optax.amsgrad.
    """
    return optimizer_of("optax.amsgrad", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps)


def nadam(
    learning_rate: Scalar = 2e-3, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Optimizer:
    """NAdam: Adam with Nesterov's look ahead.

    m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
    x_{k+1} = x_k - eta n / (sqrt(vhat) + eps) with
    n = b1 m / (1 - b1^{k+2}) + (1 - b1) g / (1 - b1^{k+1}).

    Source: Dozat (2016), "Incorporating Nesterov momentum into Adam", algorithm 2 with constant b1,
    without its factor b2 on vhat; optax.adam with `nesterov`.
    """
    return optimizer_of(
        "optax.adam", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps, nesterov=True
    )


def radam(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    threshold: Scalar = 5.0,
) -> Optimizer:
    """RAdam: Adam that waits with its second moment until enough gradients have been seen.

    r = R - 2 t b2^t / (1 - b2^t) with t = k + 1 and R = 2 / (1 - b2) - 1. While r < threshold,
    x_{k+1} = x_k - eta mhat; then x_{k+1} = x_k - eta c mhat / (sqrt(vhat) + eps) with
    c^2 = (r - 4) (r - 2) R / ((R - 4) (R - 2) r); m and v of `b1` and `b2` as in `adam`.

    Source: Liu et al. (2020), "On the variance of the adaptive learning rate and beyond",
    algorithm 2, whose threshold is 4; defaults of optax.radam.
    """
    return optimizer_of(
        "optax.radam", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps, threshold=threshold
    )


def adabelief(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-16,
    eps_root: Scalar = 1e-16,
) -> Optimizer:
    """AdaBelief: Adam with the gradient's distance from its average in place of its square.

    m = b1 m + (1 - b1) g, s = b2 s + (1 - b2) (g - m)^2 + eps_root,
    x_{k+1} = x_k - eta mhat / (sqrt(s / (1 - b2^{k+1})) + eps).

    Source: Zhuang et al. (2020), "AdaBelief optimizer: adapting stepsizes by the belief in observed
    gradients", algorithm 2; defaults of optax.adabelief.
    """
    return optimizer_of(
        "optax.adabelief", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root
    )


def adamax(
    learning_rate: Scalar = 2e-3, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> Optimizer:
    """AdaMax: Adam with a decaying maximum in place of the second moment.

    m = b1 m + (1 - b1) g, u = max(b2 u, |g| + eps), x_{k+1} = x_k - eta mhat / u.

    Source: Kingma and Ba (2015), algorithm 2; optax.adamax.
    """
    return optimizer_of("optax.adamax", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps)


def yogi(
    learning_rate: Scalar = 1e-2, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-3
) -> Optimizer:
    """Yogi: Adam whose second moment moves by at most (1 - b2) g^2.

    m = b1 m + (1 - b1) g, v = v - (1 - b2) sign(v - g^2) g^2,
    x_{k+1} = x_k - eta mhat / (sqrt(vhat) + eps). Both start at 1e-6, in optax m as well: so it
    leaves a minimizer by a little.

    Source: Zaheer et al. (2018), "Adaptive methods for nonconvex optimization", algorithm 2, with
    bias correction as in optax.yogi.
    """
    return optimizer_of("optax.yogi", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps)


def adan(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.98,
    b2: Scalar = 0.92,
    b3: Scalar = 0.99,
    eps: Scalar = 1e-8,
    *,
    eps_root: Scalar = 1e-8,
) -> Optimizer:
    """Adan: Adam with Nesterov's momentum, told from differences of gradients.

    With d = g - (the gradient before), 0 at first: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) d,
    n = b3 n + (1 - b3) (g + (1 - b2) d)^2, and with hats of `b1`, `b2` and `b3`
    x_{k+1} = x_k - eta (mhat + (1 - b2) vhat) / (sqrt(nhat + eps_root) + eps). So has it optax; the
    paper, whose betas are 1 - b here, has the factor b2 in both places of 1 - b2 before d and vhat.

    Source: Xie et al. (2022), "Adan: adaptive Nesterov momentum algorithm for faster optimizing
    deep models", algorithm 1; optax.adan, whose defaults these are.
    """
    return optimizer_of(
        "optax.adan", learning_rate=learning_rate, b1=b1, b2=b2, b3=b3, eps=eps, eps_root=eps_root
    )


def ademamix(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    b3: Scalar = 0.9999,
    alpha: Scalar = 5.0,
    *,
    eps: Scalar = 1e-8,
) -> Optimizer:
    """AdEMAMix: Adam with a second, slower average of gradients.

    m and v of `b1` and `b2` as in `adam`, s = b3 s + (1 - b3) g without a hat,
    x_{k+1} = x_k - eta (mhat + alpha s) / (sqrt(vhat) + eps).

    Source: Pagliardini, Ablin and Grangier (2024), "The AdEMAMix optimizer: better, faster, older",
    algorithm 1 with constant alpha and b3; defaults of optax.contrib.ademamix.
    """
    return optimizer_of(
        "optax.contrib.ademamix",
        learning_rate=learning_rate,
        b1=b1,
        b2=b2,
        b3=b3,
        alpha=alpha,
        eps=eps,
    )


def adopt(
    learning_rate: Scalar = 1e-3, b1: Scalar = 0.9, b2: Scalar = 0.9999, eps: Scalar = 1e-6
) -> Optimizer:
    """ADOPT: Adam whose second moment does not know the gradient it divides.

    v = g^2 at first, where no step is taken. Then, v being that of before,
    m = b1 m + (1 - b1) c with c = g / max(sqrt(v), eps) cut to [-k^{1/4}, k^{1/4}],
    x_{k+1} = x_k - eta m, v = b2 v + (1 - b2) g^2.

    Source: Taniguchi et al. (2024), "ADOPT: modified Adam can converge with any beta_2 with the
    optimal rate", with clipping; optax.contrib.adopt.
    """
    return optimizer_of("optax.contrib.adopt", learning_rate=learning_rate, b1=b1, b2=b2, eps=eps)
