"""Problems whose gradients arrive rounded."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.problem import Params, Problem
from optbench.transforms.coordinates import on_coordinates
from optbench.transforms.noise import with_noise
from optbench.transforms.wrapper import Function, label, num_coordinates, require, sampled_loss


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A sampled loss with exact values, whose gradients are rounded at random."""

    loss: Function

    def __call__(self, params: Params, key: jax.Array, *data: Any) -> Any:
        """l + <Q(grad l) - grad l, x - x>, with all but the last x held constant."""
        *inner, spacing = data
        loss_key, rounding_key = jax.random.split(key)

        def loss(at: Params) -> Any:
            return self.loss(at, loss_key, *inner)

        def error(grad: jax.Array) -> jax.Array:
            dither = jax.random.uniform(rounding_key, grad.shape, grad.dtype)
            return spacing * jnp.floor(grad / spacing + dither) - grad

        here = jax.lax.stop_gradient(params)
        grad = jax.tree.map(jnp.conj, jax.grad(loss)(here))
        moved = jax.tree.map(jnp.subtract, params, here)
        return loss(params) + trees.dot(on_coordinates(error, grad), moved)


def quantized(problem: Problem, spacing: float = 0.1) -> Problem:
    """The problem with gradients rounded to multiples of `spacing`, up or down at random.

    Q(g) is the multiple above g with the probability that g lies that far from the one below, so
    that E Q(g) = g. Values and Hessian products are exact; noise_variance grows by
    dim * spacing^2 / 4, attained half way between two multiples (complex parameters count twice).

    Source: Alistarh, Grubic, Li, Tomioka & Vojnovic (2017), "QSGD: communication-efficient SGD via
    gradient quantization and encoding", NeurIPS 30, section 3 (there with a spacing relative to
    |g|).

    Args:
        problem: any; where it is sampled, its sampled gradients are rounded.
        spacing: of the grid, positive.

    Raises:
        OptbenchError: a spacing that is not positive.
    """
    require(0 < spacing < np.inf, "spacing", spacing, "a positive spacing")
    variance = float(num_coordinates(problem) * spacing**2 / 4)
    found = with_noise(problem, Quantized(sampled_loss(problem)), np.float64(spacing), variance)
    return dataclasses.replace(found, name=label(quantized, problem, spacing=spacing))
