"""Maximum likelihood."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem, start_near
from problems.draws import data_rng


def _gaussian_loss(params: Any, samples: Any) -> Any:
    mean, variance = params
    squares = jnp.mean((samples - mean) ** 2)
    return jnp.log(2 * jnp.pi * variance) / 2 + squares / (2 * variance)


def _natural_parameters(params: Any, samples: Any) -> Any:
    mean, variance = params
    return jnp.stack([mean / variance, -1 / (2 * variance)])


def _exponential_family_loss(natural: Any, samples: Any) -> Any:
    """log-partition(eta) - eta . mean T(x), with T(x) = (x, x^2)."""
    slope, curvature = natural
    log_partition = -(slope**2) / (4 * curvature) - jnp.log(-curvature / jnp.pi) / 2
    return log_partition - slope * jnp.mean(samples) - curvature * jnp.mean(samples**2)


def gaussian_likelihood(num_samples: int = 100, seed: int = 0) -> Problem:
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

    Raises:
        OptbenchError: fewer than 2 samples, which have no variance.
    """
    if num_samples < 2:
        raise OptbenchError(f"{num_samples} samples have no variance", "give num_samples >= 2")
    samples = 1.0 + data_rng(seed).standard_normal(num_samples)
    variance = float(np.var(samples))
    return Problem(
        objective=_gaussian_loss,
        data=(samples,),
        start=start_near(np.array([-1.0, 8.0]), scale=0.5),
        minimum=(math.log(2 * math.pi * variance) + 1) / 2,
        minimizer=np.array([np.mean(samples), variance]),
        minimum_kind="closed form",
        outputs=_natural_parameters,
        output_loss=_exponential_family_loss,
        region=((-2.0, 4.0), (0.25, 10.0)),
        coordinates=("mean", "variance"),
        name="gaussian_likelihood",
        source="Amari (1998), Neural Computation 10(2), pages 251-276",
    )
