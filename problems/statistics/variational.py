"""Variational inference: Gaussians with independent coordinates, fitted to posteriors."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.linear_models import mean_square, second_moment, variance_of
from problems.spectra import quadratic_constants
from problems.statistics.posteriors import gaussian_posterior, logistic_posterior, quadrature


def _spread_squared(params: Any, features: Any) -> Any:
    """Variances of x_i.w under q."""
    return features**2 @ params["scale"] ** 2


def _smooth_divergence(params: Any, precision: Any) -> Any:
    """KL(q | prior) without the entropy's -sum_j log s_j."""
    squares = jnp.sum(params["mean"] ** 2) + jnp.sum(params["scale"] ** 2)
    dim = params["mean"].shape[0]
    return (precision * squares - dim - dim * jnp.log(precision)) / 2


def _entropy_part(params: Any, features: Any, targets: Any, num_samples: Any, *rest: Any) -> Any:
    return -jnp.sum(jnp.log(params["scale"])) / num_samples


def _entropy_prox(
    params: Any, step: Any, features: Any, targets: Any, num_samples: Any, *rest: Any
) -> Any:
    """Means stay; a scale v becomes the positive root of s^2 - v s = step / n."""
    half = params["scale"] / 2
    root = jnp.sqrt(half**2 + step / num_samples)
    return {"mean": params["mean"], "scale": half + root}


def _require_shape(num_samples: int, dim: int, least: int, precision: float) -> None:
    if not (1 <= dim and least <= num_samples and 0 < precision < np.inf):
        raise OptbenchError(
            f"no posterior of {dim} weights from {num_samples} samples, precision {precision}",
            f"give dim >= 1, num_samples >= {least} and precision > 0",
        )


def _start(dim: int) -> dict[str, np.ndarray]:
    return {"mean": np.zeros(dim), "scale": np.ones(dim)}


def _gaussian_elbo(params: Any, features: Any, targets: Any, *rest: Any) -> Any:
    num_samples, precision, variance = rest
    squares = (features @ params["mean"] - targets) ** 2 + _spread_squared(params, features)
    fit = jnp.mean(squares) / (2 * variance) + jnp.log(2 * jnp.pi * variance) / 2
    divergence = _smooth_divergence(params, precision) / num_samples
    return fit + divergence + _entropy_part(params, features, targets, num_samples)


def variational_regression(
    num_samples: int = 50,
    dim: int = 5,
    condition_number: float = 10.0,
    precision: float = 1.0,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """The negative evidence lower bound of Bayesian linear regression, in closed form.

    f(m, s) = (E_q -log p(y | w) + KL(q | p)) / n for q = N(m, diag(s^2)), the prior
    p = N(0, I / precision) and y_i = x_i.w + noise of variance v = 1/4.
    With A = X^T X / v + precision, n f is m^T A m / 2 - m^T X^T y / v
    + sum_j A_jj s_j^2 / 2 - log s_j, and a constant.

    Dimension: 2 `dim`, params a dictionary of mean m and scale s. Start: m = 0, s = 1; other seeds
    move it by 0.1 times a standard normal. For s <= 0 f is not a number; the prox keeps s positive.
    x*: m = A^-1 X^T y / v, the mean of the posterior, and s_j = A_jj^(-1/2), less than its standard
    deviations; f* = -log p(y) / n + (sum_j log A_jj - log det A) / (2 n).
    Constants: of f without h = -sum_j log s_j / n, the entropy's part: a quadratic with Hessian
    diag(A, diag(A)) / n; L and mu are the extreme eigenvalues of A / n, attained; M = 0.

    Source: Bishop (2006), "Pattern Recognition and Machine Learning", sections 3.3 and 10.1.2.

    Args:
        num_samples: n, above `dim`.
        dim: number of weights.
        condition_number: of X^T X.
        precision: of the prior, positive.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: too few samples, a condition number below 1, or no precision.
    """
    _require_shape(num_samples, dim, dim + 1, precision)
    if not 1 <= condition_number < np.inf:
        raise OptbenchError(f"condition_number is {condition_number}", "give at least 1")
    data, _ = samples.linear_targets(
        num_samples, dim, 1, condition_number=condition_number, noise=0.5, seed=seed
    )
    features, targets, variance = data.features, data.targets[:, 0], 0.25
    best = gaussian_posterior(features, targets, variance, precision)
    eigenvalues = np.linalg.eigvalsh(best.curvature) / num_samples
    problem = Problem(
        objective=_gaussian_elbo,
        data=(features, targets, *map(np.float64, (num_samples, precision, variance))),
        start=start_near(_start(dim)),
        minimum=best.bound,
        minimizer={"mean": best.mean, "scale": best.scale},
        minimum_kind="closed form",
        constants=quadratic_constants(eigenvalues[-1], eigenvalues[0]),
        nonsmooth=_entropy_part,
        prox=_entropy_prox,
        row_arrays=2,
        name="variational_regression",
        source="Bishop (2006), sections 3.3 and 10.1.2",
    )
    return minibatches(problem, batch_size)


def _logistic_elbo(
    params: Any, features: Any, labels: Any, num_samples: Any, precision: Any, *rule: Any
) -> Any:
    nodes, weights = rule
    spread = jnp.sqrt(_spread_squared(params, features))
    logits = (features @ params["mean"])[:, None] + spread[:, None] * nodes[None, :]
    fit = jnp.mean(jax.nn.softplus(-labels[:, None] * logits) @ weights)
    divergence = _smooth_divergence(params, precision) / num_samples
    return fit + divergence + _entropy_part(params, features, labels, num_samples)


@dataclasses.dataclass(frozen=True)
class Reparameterized:
    """The bound from rows drawn with replacement, each with weights w = m + s e of its own.

    Source: Kingma & Welling (2014), "Auto-encoding variational Bayes", ICLR, section 2.4.
    """

    batch_size: int

    def __call__(self, params: Any, key: jax.Array, *data: Any) -> Any:
        """The negative bound for this key."""
        features, labels, num_samples, precision, *_ = data
        row_key, noise_key = jax.random.split(key)
        rows = jax.random.randint(
            row_key, (self.batch_size,), 0, features.shape[0], dtype=jnp.int32
        )
        noise = jax.random.normal(noise_key, (self.batch_size, features.shape[1]), features.dtype)
        weights = params["mean"][None, :] + params["scale"][None, :] * noise
        logits = jnp.sum(features[rows] * weights, axis=1)
        fit = jnp.mean(jax.nn.softplus(-labels[rows] * logits))
        divergence = _smooth_divergence(params, precision) / num_samples
        return fit + divergence + _entropy_part(params, *data)


def variational_logistic(
    num_samples: int = 100,
    dim: int = 4,
    precision: float = 1.0,
    seed: int = 0,
    batch_size: int | None = 8,
) -> Problem:
    """The negative evidence lower bound of Bayesian logistic regression, sampled by its weights.

    f(m, s) = (sum_i E_q log(1 + exp(-y_i x_i.w)) + KL(q | p)) / n for q = N(m, diag(s^2)) and the
    prior p = N(0, I / precision). As x_i.w is Gaussian, f takes 57 nodes of quadrature per row; a
    sampled gradient takes `batch_size` rows, and for each of them w = m + s e with a standard
    normal e of its own, the reparameterization.

    Dimension: 2 `dim`, params a dictionary of mean m and scale s. Start: m = 0, s = 1; other seeds
    move it by 0.1 times a standard normal. For s <= 0 f is not a number; the prox keeps s positive.
    x*, f*: certified, by Newton's method to rounding; f is convex in (m, s).
    Constants: of f without h = -sum_j log s_j / n, the entropy's part:
    L = (lambda_max(X^T X) / 4 + precision) / n and mu = precision / n, the bounds of the curvature
    in w, which an expectation over q keeps. As a row's slope in its logit is below 1, the noise
    variance is at most mean_i |x_i|^2 (1 + 1) / batch_size, one for m and one for s.

    Source: Domke (2020), "Provable smoothness guarantees for black-box variational inference",
    ICML, PMLR 119, pages 2587-2596.

    Args:
        num_samples: n, at least `dim`.
        dim: number of weights.
        precision: of the prior, positive.
        seed: of the data.
        batch_size: rows, and draws of w, per sampled gradient; None for exact gradients.

    Raises:
        OptbenchError: too few samples, no precision, or a batch that is empty or too large.
    """
    _require_shape(num_samples, dim, dim, precision)
    if batch_size is not None and not 1 <= batch_size <= num_samples:
        raise OptbenchError(
            f"batch_size is {batch_size}, of {num_samples} rows",
            f"give 1 <= batch_size <= {num_samples}, or None",
        )
    data = samples.two_classes(num_samples, dim, 10.0, seed)
    minimum, prior = logistic_posterior(data, precision), (num_samples, precision)
    return Problem(
        objective=_logistic_elbo,
        data=(data.features, data.targets, *map(np.float64, prior), *quadrature()),
        start=start_near(_start(dim)),
        minimum=minimum.value,
        minimizer={"mean": minimum.minimizer[:dim], "scale": minimum.minimizer[dim:]},
        minimum_kind="certified",
        constants=Constants(
            smoothness=second_moment(data) / 4 + precision / num_samples,
            strong_convexity=precision / num_samples,
            noise_variance=variance_of(2 * mean_square(data), batch_size),
            convex=True,
        ),
        nonsmooth=_entropy_part,
        prox=_entropy_prox,
        sample_loss=Reparameterized(batch_size) if batch_size else None,
        sample_fraction=batch_size / num_samples if batch_size else 1.0,
        row_arrays=2,
        name="variational_logistic",
        source="Domke (2020), ICML, PMLR 119, pages 2587-2596",
    )
