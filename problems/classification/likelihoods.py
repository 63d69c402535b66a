"""Linear classifiers: the logistic and the softmax loss, with L2 on all weights."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.certificates import logistic_minimum, softmax_minimum
from problems.linear_models import (
    THIRD_MOMENT,
    LinearLoss,
    linear_network,
    linear_outputs,
    longest_row,
    mean_square,
    require_penalty,
    second_moment,
    variance_of,
)
from problems.samples import Samples


def _logistic_output_loss(outputs: Any, features: Any, labels: Any, l2: Any) -> Any:
    logits, weights = outputs
    return jnp.mean(jax.nn.softplus(-labels * logits)) + l2 / 2 * jnp.sum(weights**2)


def _softmax_output_loss(outputs: Any, features: Any, one_hot: Any, l2: Any) -> Any:
    logits, weights = outputs
    log_likelihoods = jnp.sum(one_hot * jax.nn.log_softmax(logits), axis=1)
    return -jnp.mean(log_likelihoods) + l2 / 2 * jnp.sum(weights**2)


def _naive_output_loss(outputs: Any, features: Any, one_hot: Any, l2: Any) -> Any:
    """The softmax as the textbook writes it: exp overflows, and log meets 0 or infinity."""
    logits, weights = outputs
    exponentials = jnp.exp(logits)
    probabilities = exponentials / jnp.sum(exponentials, axis=1, keepdims=True)
    log_likelihoods = jnp.sum(one_hot * jnp.log(probabilities), axis=1)
    return -jnp.mean(log_likelihoods) + l2 / 2 * jnp.sum(weights**2)


def _logistic(data: Samples, l2: float, batch_size: int | None, **passport: Any) -> Problem:
    require_penalty(l2)
    minimum, moment = logistic_minimum(data, l2), second_moment(data)
    problem = Problem(
        objective=LinearLoss(_logistic_output_loss),
        data=(data.features, data.targets, np.float64(l2)),
        start=start_near(np.zeros(data.features.shape[1])),
        minimum=minimum.value,
        minimizer=minimum.minimizer,
        minimum_kind="certified",
        constants=Constants(
            smoothness=moment / 4 + l2,
            strong_convexity=l2,
            hessian_lipschitz=longest_row(data) * moment * THIRD_MOMENT,
            noise_variance=variance_of(mean_square(data), batch_size),
            convex=True,
        ),
        outputs=linear_outputs,
        output_loss=_logistic_output_loss,
        row_arrays=2,
        **passport,
    )
    return minibatches(problem, batch_size)


def logistic(
    num_samples: int = 500,
    dim: int = 50,
    condition_number: float = 100.0,
    l2: float = 1e-3,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """Logistic regression on synthetic data of chosen conditioning.

    f(w) = mean_i log(1 + exp(-y_i x_i.w)) + l2 |w|^2 / 2, where X^T X / n has eigenvalues
    log-spaced in [4 / condition_number, 4] and y_i = +-1 is drawn from a linear rule.

    Dimension: `dim`. Start: 0. x*, f*: certified, by Newton's method to rounding with
    f - f* <= |grad f|^2 / (2 l2).
    Constants: L = lambda_max(X^T X) / (4 n) + l2 = 1 + l2, as s(1 - s) <= 1/4, attained at 0;
    mu = l2, as all weights are penalized; M = max_i |x_i| lambda_max(X^T X) / (6 sqrt(3) n), as
    |(s(1 - s))'| <= 1 / (6 sqrt(3)). A batch of B rows has a gradient of variance at most
    mean_i |x_i|^2 / B, as a row's slope in its logit is below 1.
    Its Fisher product is that of the likelihood plus l2, and so is the Hessian.

    Source: Boyd & Vandenberghe (2004), "Convex Optimization", section 7.1.1.

    Args:
        num_samples: n, at least `dim`.
        dim: number of features; none is an intercept.
        condition_number: of X^T X.
        l2: penalty, positive.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: fewer samples than features, a condition number below 1, or no penalty.
    """
    if not 1 <= dim <= num_samples or not 1 <= condition_number < np.inf:
        raise OptbenchError(
            f"no data with {num_samples} samples, {dim} features and condition {condition_number}",
            "give num_samples >= dim >= 1 and condition_number >= 1",
        )
    data = samples.two_classes(num_samples, dim, condition_number, seed)
    return _logistic(
        data,
        l2,
        batch_size,
        name="logistic",
        source="Boyd & Vandenberghe (2004), section 7.1.1",
    )


def logistic_breast_cancer(l2: float = 1e-3, batch_size: int | None = None) -> Problem:
    """Logistic regression of 569 tumors, benign or malignant, on 30 standardized features.

    f(w) = mean_i log(1 + exp(-y_i x_i.w)) + l2 |w|^2 / 2; the last feature is 1, an intercept, and
    is penalized like all others.

    Dimension: 31. Start: 0. x*, f*: certified, by Newton's method to rounding; without a penalty
    the data are separable, and there is no x*.
    Constants: L = lambda_max(X^T X) / (4 n) + l2, attained at 0; mu = l2;
    M = max_i |x_i| lambda_max(X^T X) / (6 sqrt(3) n). A batch of B rows has a gradient of variance
    at most mean_i |x_i|^2 / B; at x* it does not vanish, so a fixed step does not converge.

    >>> problem = logistic_breast_cancer()
    >>> round(problem.known_minimum, 6), round(problem.constants.smoothness, 4)
    (0.059829, 3.3214)

    Source: Street, Wolberg & Mangasarian (1993), "Nuclear feature extraction for breast tumor
    diagnosis", SPIE 1905, pages 861-870.

    Args:
        l2: penalty, positive.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty.
    """
    return _logistic(
        samples.breast_cancer(),
        l2,
        batch_size,
        name="logistic_breast_cancer",
        source="Street, Wolberg & Mangasarian (1993), SPIE 1905, pages 861-870",
    )


def logistic_separable(margin: float = 1.0, batch_size: int | None = None) -> Problem:
    """The logistic loss of a separable data set: an infimum that no point attains.

    f(w) = log(1 + exp(-margin w)): the points margin, of class +1, and -margin, of class -1.

    Dimension: 1. Start: 0. x*: none; f* = 0 is the infimum, approached as w -> infinity.
    Constants: L = margin^2 / 4, attained at 0; mu = 0; M = margin^3 / (6 sqrt(3)); the slope is
    below margin. Both points have the same slope, so sampling them adds no noise.
    Gradient descent takes w ~ log k, and so f - f* ~ 1 / k.

    Source: Soudry et al. (2018), "The implicit bias of gradient descent on separable data", JMLR
    19(70), theorem 3.

    Args:
        margin: distance of each point from the origin, positive.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: the margin is not positive.
    """
    if not 0 < margin < np.inf:
        raise OptbenchError(f"margin is {margin}", "give a positive margin")
    problem = Problem(
        objective=LinearLoss(_logistic_output_loss),
        data=(np.array([[margin], [-margin]]), np.array([1.0, -1.0]), np.float64(0.0)),
        start=start_near(np.zeros(1)),
        minimum=0.0,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=margin**2 / 4,
            strong_convexity=0.0,
            hessian_lipschitz=margin**3 * THIRD_MOMENT,
            gradient_bound=margin,
            noise_variance=variance_of(0.0, batch_size),
            convex=True,
        ),
        outputs=linear_outputs,
        output_loss=_logistic_output_loss,
        row_arrays=2,
        name="logistic_separable",
        source="Soudry et al. (2018), JMLR 19(70), theorem 3",
    )
    return minibatches(problem, batch_size)


def _softmax(
    data: Samples, l2: float, fused: bool, batch_size: int | None, **passport: Any
) -> Problem:
    require_penalty(l2)
    minimum, moment = softmax_minimum(data, l2), second_moment(data)
    shape = data.features.shape[1], data.targets.shape[1]
    output_loss = _softmax_output_loss if fused else _naive_output_loss
    problem = Problem(
        objective=LinearLoss(output_loss),
        data=(data.features, data.targets, np.float64(l2)),
        start=start_near(np.zeros(shape)),
        minimum=minimum.value,
        minimizer=minimum.minimizer.reshape(shape),
        minimum_kind="certified",
        constants=Constants(
            smoothness=moment / 2 + l2,
            strong_convexity=l2,
            hessian_lipschitz=longest_row(data) * moment * 2**1.5 * THIRD_MOMENT,
            noise_variance=variance_of(2 * mean_square(data), batch_size),
            convex=True,
        ),
        outputs=linear_outputs,
        output_loss=output_loss,
        network=linear_network,
        row_arrays=2,
        **passport,
    )
    return minibatches(problem, batch_size)


def softmax_iris(l2: float = 1e-3, fused: bool = True, batch_size: int | None = None) -> Problem:
    """Softmax regression of 150 iris flowers, of 3 species, on 4 standardized features.

    f(W) = -mean_i log softmax(x_i W)[y_i] + l2 |W|^2 / 2; the last feature is 1, an intercept, and
    is penalized like all others.

    Dimension: 5 x 3 = 15. Start: 0. x*, f*: certified, by Newton's method to rounding.
    Constants: L = lambda_max(X^T X) / (2 n) + l2, as diag(p) - p p^T <= 1/2 (Boehning 1992), an
    upper bound; mu = l2, attained: equal weights for all classes change no probability. Along a
    unit vector of logits, which span at most sqrt(2), log-sum-exp has a third derivative of at
    most sqrt(8) / (6 sqrt(3)): M is max_i |x_i| lambda_max(X^T X) / n times that. The slope p - y
    of a row has a square of at most 2, so a batch of B rows has a gradient of variance at most
    2 mean_i |x_i|^2 / B.

    With fused = False the softmax is exp(z) / sum exp(z), and its logarithm is taken afterwards:
    where a logit exceeds 709 (88 in float32) f is not finite, and a run that steps there ends.

    >>> round(softmax_iris().known_minimum, 6)
    0.113987

    Source: Fisher (1936), "The use of multiple measurements in taxonomic problems", Annals of
    Eugenics 7(2), pages 179-188.

    Args:
        l2: penalty, positive.
        fused: whether the logarithm is taken inside the softmax.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty.
    """
    return _softmax(
        samples.iris(),
        l2,
        fused,
        batch_size,
        name="softmax_iris",
        source="Fisher (1936), Annals of Eugenics 7(2), pages 179-188",
    )


def softmax_wine(l2: float = 1e-3, fused: bool = True, batch_size: int | None = None) -> Problem:
    """Softmax regression of 178 wines, of 3 cultivars, on 13 standardized features.

    f(W) = -mean_i log softmax(x_i W)[y_i] + l2 |W|^2 / 2; the last feature is 1, an intercept, and
    is penalized like all others.

    Dimension: 14 x 3 = 42. Start: 0. x*, f*: certified, by Newton's method to rounding; without a
    penalty the data are separable, and there is no x*.
    Constants: L = lambda_max(X^T X) / (2 n) + l2 and mu = l2; M and the noise variance as in
    `softmax_iris`.

    >>> round(softmax_wine().known_minimum, 6)
    0.026665

    Source: Aeberhard, Coomans & de Vel (1994), "Comparative analysis of statistical pattern
    recognition methods in high dimensional settings", Pattern Recognition 27(8), pages 1065-1077.

    Args:
        l2: penalty, positive.
        fused: whether the logarithm is taken inside the softmax; without, it overflows.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty.
    """
    return _softmax(
        samples.wine(),
        l2,
        fused,
        batch_size,
        name="softmax_wine",
        source="Aeberhard, Coomans & de Vel (1994), Pattern Recognition 27(8), pages 1065-1077",
    )


def softmax_digits(l2: float = 1e-3, fused: bool = True, batch_size: int | None = None) -> Problem:
    """Softmax regression of 1797 handwritten digits on their 8 x 8 pixels.

    f(W) = -mean_i log softmax(x_i W)[y_i] + l2 |W|^2 / 2; pixels lie in [0, 1]; the last feature
    is 1, an intercept, and is penalized like all others.

    Dimension: 65 x 10 = 650. Start: 0. x*, f*: certified, by Newton's method to rounding.
    Constants: L = lambda_max(X^T X) / (2 n) + l2 and mu = l2; M and the noise variance as in
    `softmax_iris`.

    >>> round(softmax_digits().known_minimum, 6)
    0.263926

    Source: Alpaydin & Kaynak (1998), "Cascading classifiers", Kybernetika 34(4), pages 369-374.

    Args:
        l2: penalty, positive.
        fused: whether the logarithm is taken inside the softmax; without, it overflows.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no penalty.
    """
    return _softmax(
        samples.digits(),
        l2,
        fused,
        batch_size,
        name="softmax_digits",
        source="Alpaydin & Kaynak (1998), Kybernetika 34(4), pages 369-374",
    )
