"""Problems whose samples are sometimes no numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.problem import Params, Problem
from optbench.transforms.noise import with_noise
from optbench.transforms.wrapper import Function, label, require, sampled_loss


@dataclasses.dataclass(frozen=True)
class SometimesNan:
    """A sampled loss that is NaN, with its gradient, with the probability that ends the data."""

    loss: Function

    def __call__(self, params: Params, key: jax.Array, *data: Any) -> Any:
        """The loss, or NaN."""
        *inner, probability = data
        loss_key, hit_key = jax.random.split(key)
        hit = jax.random.bernoulli(hit_key, probability)
        loss = self.loss(params, loss_key, *inner)
        return loss * jnp.where(hit, jnp.nan, 1.0).astype(loss.dtype)


def sometimes_nan(problem: Problem, probability: float = 0.01) -> Problem:
    """The problem with samples that are NaN, value and gradient, with this probability.

    All other samples are the problem's own, and they alone are unbiased: a sample has no mean, so
    that the laws of samples fail, and no variance, so that noise_variance is unknown. What a
    method does with such a sample (be lost, or skip it as training in mixed precision does) is
    what it shows.

    Source: Micikevicius et al. (2018), "Mixed precision training", ICLR, section 3.2 (skipped
    updates).

    Args:
        problem: any.
        probability: of a NaN, in [0, 1].

    Raises:
        OptbenchError: no probability.
    """
    require(0 <= probability <= 1, "probability", probability, "0 <= probability <= 1")
    loss = SometimesNan(sampled_loss(problem))
    found = with_noise(problem, loss, np.float64(probability), None)
    return dataclasses.replace(found, name=label(sometimes_nan, problem, probability=probability))
