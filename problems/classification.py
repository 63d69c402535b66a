"""Linear classifiers: the logistic and the softmax loss, with L2 on all weights."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem, start_near
from problems import samples
from problems.certificates import logistic_minimum, softmax_minimum
from problems.samples import Samples


def _outputs(weights: Any, features: Any, targets: Any, l2: Any) -> Any:
    """The logits, and the weights for the penalty, which so enters Gauss-Newton exactly."""
    return features @ weights, weights


def _logistic_output_loss(outputs: Any, features: Any, labels: Any, l2: Any) -> Any:
    logits, weights = outputs
    return jnp.mean(jax.nn.softplus(-labels * logits)) + l2 / 2 * jnp.sum(weights**2)


def _logistic_loss(weights: Any, features: Any, labels: Any, l2: Any) -> Any:
    outputs = _outputs(weights, features, labels, l2)
    return _logistic_output_loss(outputs, features, labels, l2)


def _softmax_output_loss(outputs: Any, features: Any, one_hot: Any, l2: Any) -> Any:
    logits, weights = outputs
    log_likelihoods = jnp.sum(one_hot * jax.nn.log_softmax(logits), axis=1)
    return -jnp.mean(log_likelihoods) + l2 / 2 * jnp.sum(weights**2)


def _softmax_loss(weights: Any, features: Any, one_hot: Any, l2: Any) -> Any:
    outputs = _outputs(weights, features, one_hot, l2)
    return _softmax_output_loss(outputs, features, one_hot, l2)


def _require_penalty(l2: float) -> None:
    if not l2 > 0:
        raise OptbenchError(
            f"l2 is {l2}: without a penalty there need be no minimizer",
            "give l2 > 0; logistic_separable is the loss without a minimizer",
        )


def _logistic(data: Samples, l2: float, **passport: Any) -> Problem:
    _require_penalty(l2)
    minimum = logistic_minimum(data, l2)
    num_samples, dim = data.features.shape
    second_moment = np.linalg.eigvalsh(data.features.T @ data.features / num_samples)[-1]
    longest_row = np.sqrt(np.max(np.sum(data.features**2, axis=1)))
    return Problem(
        objective=_logistic_loss,
        data=(data.features, data.targets, np.float64(l2)),
        start=start_near(np.zeros(dim)),
        minimum=minimum.value,
        minimizer=minimum.minimizer,
        minimum_kind="certified",
        constants=Constants(
            smoothness=float(second_moment / 4 + l2),
            strong_convexity=l2,
            hessian_lipschitz=float(longest_row * second_moment / (6 * np.sqrt(3))),
            convex=True,
        ),
        outputs=_outputs,
        output_loss=_logistic_output_loss,
        **passport,
    )


def logistic(
    num_samples: int = 500,
    dim: int = 50,
    condition_number: float = 100.0,
    l2: float = 1e-3,
    seed: int = 0,
) -> Problem:
    """Logistic regression on synthetic data of chosen conditioning.

    f(w) = mean_i log(1 + exp(-y_i x_i.w)) + l2 |w|^2 / 2, where X^T X / n has eigenvalues
    log-spaced in [4 / condition_number, 4] and y_i = +-1 is drawn from a linear rule.

    Dimension: `dim`. Start: 0. x*, f*: certified, by Newton's method to rounding with
    f - f* <= |grad f|^2 / (2 l2).
    Constants: L = lambda_max(X^T X) / (4 n) + l2 = 1 + l2, as s(1 - s) <= 1/4, attained at 0;
    mu = l2, as all weights are penalized; M = max_i |x_i| lambda_max(X^T X) / (6 sqrt(3) n), as
    |(s(1 - s))'| <= 1 / (6 sqrt(3)).
    Its Fisher product is that of the likelihood plus l2, and so is the Hessian.

    Source: Boyd & Vandenberghe (2004), "Convex Optimization", section 7.1.1.

    Args:
        num_samples: n, at least `dim`.
        dim: number of features; none is an intercept.
        condition_number: of X^T X.
        l2: penalty, positive.
        seed: of the data.

    Raises:
        OptbenchError: fewer samples than features, a condition number below 1, or no penalty.
    """
    if not 1 <= dim <= num_samples or not condition_number >= 1:
        raise OptbenchError(
            f"no data with {num_samples} samples, {dim} features and condition {condition_number}",
            "give num_samples >= dim >= 1 and condition_number >= 1",
        )
    data = samples.two_classes(num_samples, dim, condition_number, seed)
    return _logistic(data, l2, name="logistic", source="Boyd & Vandenberghe (2004), section 7.1.1")


def logistic_breast_cancer(l2: float = 1e-3) -> Problem:
    """Logistic regression of 569 tumors, benign or malignant, on 30 standardized features.

    f(w) = mean_i log(1 + exp(-y_i x_i.w)) + l2 |w|^2 / 2; the last feature is 1, an intercept, and
    is penalized like all others.

    Dimension: 31. Start: 0. x*, f*: certified, by Newton's method to rounding; without a penalty
    the data are separable, and there is no x*.
    Constants: L = lambda_max(X^T X) / (4 n) + l2, attained at 0; mu = l2;
    M = max_i |x_i| lambda_max(X^T X) / (6 sqrt(3) n).

    >>> problem = logistic_breast_cancer()
    >>> round(problem.known_minimum, 6), round(problem.constants.smoothness, 4)
    (0.059829, 3.3214)

    Source: Street, Wolberg & Mangasarian (1993), "Nuclear feature extraction for breast tumor
    diagnosis", SPIE 1905, pages 861-870.

    Args:
        l2: penalty, positive.

    Raises:
        OptbenchError: no penalty.
    """
    return _logistic(
        samples.breast_cancer(),
        l2,
        name="logistic_breast_cancer",
        source="Street, Wolberg & Mangasarian (1993), SPIE 1905, pages 861-870",
    )


def logistic_separable(margin: float = 1.0) -> Problem:
    """The logistic loss of a separable data set: an infimum that no point attains.

    f(w) = log(1 + exp(-margin w)): the points margin, of class +1, and -margin, of class -1.

    Dimension: 1. Start: 0. x*: none; f* = 0 is the infimum, approached as w -> infinity.
    Constants: L = margin^2 / 4, attained at 0; mu = 0; M = margin^3 / (6 sqrt(3)).
    Gradient descent takes w ~ log k, and so f - f* ~ 1 / k.

    Source: Soudry et al. (2018), "The implicit bias of gradient descent on separable data", JMLR
    19(70), theorem 3.

    Args:
        margin: distance of each point from the origin, positive.

    Raises:
        OptbenchError: the margin is not positive.
    """
    if not margin > 0:
        raise OptbenchError(f"margin is {margin}", "give a positive margin")
    return Problem(
        objective=_logistic_loss,
        data=(np.array([[margin], [-margin]]), np.array([1.0, -1.0]), np.float64(0.0)),
        start=start_near(np.zeros(1)),
        minimum=0.0,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=margin**2 / 4,
            strong_convexity=0.0,
            hessian_lipschitz=margin**3 / (6 * 3**0.5),
            convex=True,
        ),
        outputs=_outputs,
        output_loss=_logistic_output_loss,
        name="logistic_separable",
        source="Soudry et al. (2018), JMLR 19(70), theorem 3",
    )


def _softmax(data: Samples, l2: float, **passport: Any) -> Problem:
    _require_penalty(l2)
    minimum = softmax_minimum(data, l2)
    shape = data.features.shape[1], data.targets.shape[1]
    second_moment = np.linalg.eigvalsh(data.features.T @ data.features / len(data.features))[-1]
    return Problem(
        objective=_softmax_loss,
        data=(data.features, data.targets, np.float64(l2)),
        start=start_near(np.zeros(shape)),
        minimum=minimum.value,
        minimizer=minimum.minimizer.reshape(shape),
        minimum_kind="certified",
        constants=Constants(
            smoothness=float(second_moment / 2 + l2), strong_convexity=l2, convex=True
        ),
        outputs=_outputs,
        output_loss=_softmax_output_loss,
        **passport,
    )


def softmax_wine(l2: float = 1e-3) -> Problem:
    """Softmax regression of 178 wines, of 3 cultivars, on 13 standardized features.

    f(W) = -mean_i log softmax(x_i W)[y_i] + l2 |W|^2 / 2; the last feature is 1, an intercept, and
    is penalized like all others.

    Dimension: 14 x 3 = 42. Start: 0. x*, f*: certified, by Newton's method to rounding; without a
    penalty the data are separable, and there is no x*.
    Constants: L = lambda_max(X^T X) / (2 n) + l2, as diag(p) - p p^T <= 1/2 (Boehning 1992); an
    upper bound. mu = l2, attained: equal weights for all classes change no probability.

    >>> round(softmax_wine().known_minimum, 6)
    0.026665

    Source: Aeberhard, Coomans & de Vel (1994), "Comparative analysis of statistical pattern
    recognition methods in high dimensional settings", Pattern Recognition 27(8), pages 1065-1077.

    Args:
        l2: penalty, positive.

    Raises:
        OptbenchError: no penalty.
    """
    return _softmax(
        samples.wine(),
        l2,
        name="softmax_wine",
        source="Aeberhard, Coomans & de Vel (1994), Pattern Recognition 27(8), pages 1065-1077",
    )


def softmax_digits(l2: float = 1e-3) -> Problem:
    """Softmax regression of 1797 handwritten digits on their 8 x 8 pixels.

    f(W) = -mean_i log softmax(x_i W)[y_i] + l2 |W|^2 / 2; pixels lie in [0, 1]; the last feature
    is 1, an intercept, and is penalized like all others.

    Dimension: 65 x 10 = 650. Start: 0. x*, f*: certified, by Newton's method to rounding (about a
    second, once per process).
    Constants: L = lambda_max(X^T X) / (2 n) + l2, as diag(p) - p p^T <= 1/2 (Boehning 1992); an
    upper bound. mu = l2, attained: equal weights for all classes change no probability.

    >>> round(softmax_digits().known_minimum, 6)
    0.263926

    Source: Alpaydin & Kaynak (1998), "Cascading classifiers", Kybernetika 34(4), pages 369-374.

    Args:
        l2: penalty, positive.

    Raises:
        OptbenchError: no penalty.
    """
    return _softmax(
        samples.digits(),
        l2,
        name="softmax_digits",
        source="Alpaydin & Kaynak (1998), Kybernetika 34(4), pages 369-374",
    )
