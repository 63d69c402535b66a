"""Maximum likelihood of Gaussian and Poisson samples, in natural and in other parameters."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from scipy.special import gammaln as numpy_gammaln

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems.draws import data_rng

LARGEST_RATE = 1e15  # whose counts floats hold exactly


def _gaussian_loss(params: Any, samples: Any) -> Any:
    mean, variance = params
    squares = jnp.mean((samples - mean) ** 2)
    return jnp.log(2 * jnp.pi * variance) / 2 + squares / (2 * variance)


def _gaussian_natural_parameters(params: Any, samples: Any) -> Any:
    mean, variance = params
    return jnp.stack([mean / variance, -1 / (2 * variance)])


def _gaussian_natural_loss(natural: Any, samples: Any) -> Any:
    """log-partition(eta) - eta . mean T(x), with T(x) = (x, x^2)."""
    slope, curvature = natural
    log_partition = -(slope**2) / (4 * curvature) - jnp.log(-curvature / jnp.pi) / 2
    return log_partition - slope * jnp.mean(samples) - curvature * jnp.mean(samples**2)


def _identity(natural: Any, *data: Any) -> Any:
    return natural


def _gaussian_samples(num_samples: int, seed: int) -> tuple[np.ndarray, float, float, float]:
    """Samples, their mean and variance, and the least mean negative log-likelihood."""
    if num_samples < 2:
        raise OptbenchError(f"{num_samples} samples have no variance", "give num_samples >= 2")
    samples = 1.0 + data_rng(seed).standard_normal(num_samples)
    variance = float(np.var(samples))
    minimum = (math.log(2 * math.pi * variance) + 1) / 2
    return samples, float(np.mean(samples)), variance, minimum


def gaussian_likelihood(
    num_samples: int = 100, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of a Gaussian, in its mean m and its variance v.

    f(m, v) = log(2 pi v) / 2 + mean_i (x_i - m)^2 / (2 v), for samples of the standard normal
    moved by 1.

    Dimension: 2, params (m, v). For v <= 0 f is not a number: a step across is recorded as
    non-finite. Start: (-1, 8); other seeds move it by half a standard normal.
    x* = (sample mean, biased sample variance), f* = (log(2 pi v*) + 1) / 2.
    Constants: none holds globally; f is not convex.
    The outputs are the natural parameters (m / v, -1 / (2 v)), so the Fisher matrix is
    diag(1 / v, 1 / (2 v^2)). At the start the gradient is nearly along m and is small; the
    natural gradient points at x* and has the length of the way.

    Source: Amari (1998), "Natural gradient works efficiently in learning", Neural Computation
    10(2), pages 251-276.

    Args:
        num_samples: n, at least 2.
        seed: of the samples.
        batch_size: samples per sampled gradient; None for all.

    Raises:
        OptbenchError: fewer than 2 samples, which have no variance.
    """
    samples, mean, variance, minimum = _gaussian_samples(num_samples, seed)
    problem = Problem(
        objective=_gaussian_loss,
        data=(samples,),
        start=start_near(np.array([-1.0, 8.0]), scale=0.5),
        minimum=minimum,
        minimizer=np.array([mean, variance]),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        outputs=_gaussian_natural_parameters,
        output_loss=_gaussian_natural_loss,
        row_arrays=1,
        region=((-2.0, 4.0), (0.25, 10.0)),
        coordinates=("mean", "variance"),
        name="gaussian_likelihood",
        source="Amari (1998), Neural Computation 10(2), pages 251-276",
    )
    return minibatches(problem, batch_size)


def gaussian_natural(
    num_samples: int = 100, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of a Gaussian, in its natural parameters: convex.

    f(a, b) = -a^2 / (4 b) - log(-b / pi) / 2 - a mean_i x_i - b mean_i x_i^2, with a = m / v and
    b = -1 / (2 v): the function and the samples of `gaussian_likelihood`, in other coordinates.

    Dimension: 2, params (a, b). For b >= 0 f is not a number. Start: (-1/8, -1/16), where mean and
    variance are -1 and 8; other seeds move it by 0.01 times a standard normal.
    x* = (m / v, -1 / (2 v)) of the sample mean m and the biased sample variance v;
    f* = (log(2 pi v) + 1) / 2.
    Constants: f is convex; the log-partition leaves no L. The Hessian is the covariance of
    (x, x^2), and the Fisher matrix.

    Source: Wainwright & Jordan (2008), "Graphical models, exponential families, and variational
    inference", Foundations and Trends in Machine Learning 1(1-2), chapter 3.

    Args:
        num_samples: n, at least 2.
        seed: of the samples.
        batch_size: samples per sampled gradient; None for all.

    Raises:
        OptbenchError: fewer than 2 samples, which have no variance.
    """
    samples, mean, variance, minimum = _gaussian_samples(num_samples, seed)
    problem = Problem(
        objective=_gaussian_natural_loss,
        data=(samples,),
        start=start_near(np.array([-1 / 8, -1 / 16]), scale=0.01),
        minimum=minimum,
        minimizer=np.array([mean / variance, -1 / (2 * variance)]),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        outputs=_identity,
        output_loss=_gaussian_natural_loss,
        row_arrays=1,
        region=((-1.0, 2.5), (-1.5, -0.03)),
        coordinates=("mean / variance", "-1 / (2 variance)"),
        name="gaussian_natural",
        source="Wainwright & Jordan (2008), FnT Machine Learning 1(1-2), chapter 3",
    )
    return minibatches(problem, batch_size)


def _poisson_natural_loss(natural: Any, counts: Any) -> Any:
    (log_rate,) = natural
    return jnp.mean(jnp.exp(log_rate) - counts * log_rate + gammaln(counts + 1))


def _log(params: Any, *data: Any) -> Any:
    return jnp.log(params)


def _poisson_mean_loss(params: Any, counts: Any) -> Any:
    return _poisson_natural_loss(jnp.log(params), counts)


def _poisson(num_samples: int, rate: float, seed: int) -> tuple[np.ndarray, float, float]:
    """Counts, their mean, and the least mean negative log-likelihood."""
    if num_samples < 1 or not 0 < rate <= LARGEST_RATE:
        raise OptbenchError(
            f"no {num_samples} counts of rate {rate}",
            f"give num_samples >= 1 and 0 < rate <= {LARGEST_RATE:g}",
        )
    counts = data_rng(seed).poisson(rate, num_samples).astype(float)
    mean = float(np.mean(counts))
    if mean == 0:
        raise OptbenchError(f"all {num_samples} counts are 0", "give a larger rate")
    return counts, mean, float(mean - mean * np.log(mean) + np.mean(numpy_gammaln(counts + 1)))


def poisson_natural(
    num_samples: int = 100, rate: float = 3.0, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of Poisson counts, in the logarithm a of the rate.

    f(a) = mean_i exp(a) - x_i a + log(x_i!), convex.

    Dimension: 1. Start: -2; other seeds move it by 0.1 times a standard normal.
    x* = log m and f* = m - m log m + mean_i log(x_i!), for the sample mean m.
    Constants: mu = 0 and no L, as f'' = exp(a): Newton's method overshoots from the left and
    creeps back by 1 per step. f'' is the Fisher information.

    Source: Wainwright & Jordan (2008), "Graphical models, exponential families, and variational
    inference", Foundations and Trends in Machine Learning 1(1-2), chapter 3.

    Args:
        num_samples: n, at least 1.
        rate: of the counts, positive.
        seed: of the counts.
        batch_size: counts per sampled gradient; None for all.

    Raises:
        OptbenchError: no counts, or none above 0.
    """
    counts, mean, minimum = _poisson(num_samples, rate, seed)
    problem = Problem(
        objective=_poisson_natural_loss,
        data=(counts,),
        start=start_near(np.array([-2.0])),
        minimum=minimum,
        minimizer=np.array([np.log(mean)]),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        outputs=_identity,
        output_loss=_poisson_natural_loss,
        row_arrays=1,
        name="poisson_natural",
        source="Wainwright & Jordan (2008), FnT Machine Learning 1(1-2), chapter 3",
    )
    return minibatches(problem, batch_size)


def poisson_mean(
    num_samples: int = 100, rate: float = 3.0, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of Poisson counts, in their rate r.

    f(r) = mean_i r - x_i log r + log(x_i!), convex for r > 0 and not a number for r < 0.

    Dimension: 1. Start: 10; other seeds move it by a standard normal. x* = m, the sample mean;
    f* = m - m log m + mean_i log(x_i!).
    Constants: mu = 0 and no L, as f'' = m / r^2. The Fisher information is 1 / r, the inverse of
    the variance of an unbiased estimate from one count (Cramer and Rao); the natural gradient
    r f'(r) = r - m leads to x* in one step of length 1, from everywhere.

    Source: Amari (1998), "Natural gradient works efficiently in learning", Neural Computation
    10(2), pages 251-276.

    Args:
        num_samples: n, at least 1.
        rate: of the counts, positive.
        seed: of the counts.
        batch_size: counts per sampled gradient; None for all.

    Raises:
        OptbenchError: no counts, or none above 0.
    """
    counts, mean, minimum = _poisson(num_samples, rate, seed)
    problem = Problem(
        objective=_poisson_mean_loss,
        data=(counts,),
        start=start_near(np.array([10.0]), scale=1.0),
        minimum=minimum,
        minimizer=np.array([mean]),
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        outputs=_log,
        output_loss=_poisson_natural_loss,
        row_arrays=1,
        name="poisson_mean",
        source="Amari (1998), Neural Computation 10(2), pages 251-276",
    )
    return minibatches(problem, batch_size)
