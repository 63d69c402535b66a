"""Problems whose gradients are seen through additive noise of mean zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.problem import Params, Problem
from optbench.transforms.coordinates import on_coordinates
from optbench.transforms.wrapper import (
    Function,
    extend,
    label,
    num_coordinates,
    require,
    sampled_loss,
)

Draw = Callable[[jax.Array, jax.Array, Any], jax.Array]  # (key, coordinates, numbers) -> like these


@dataclasses.dataclass(frozen=True)
class Noisy:
    """A sampled loss with a random linear term, whose gradient is the noise.

    Attributes:
        loss: l(params, key, *data).
        draw: (key, coordinates, numbers) -> noise of their shape and precision.
    """

    loss: Function
    draw: Draw

    def __call__(self, params: Params, key: jax.Array, *data: Any) -> Any:
        """l(x, key_1) + <xi(key_2), x>."""
        *inner, numbers = data
        loss_key, noise_key = jax.random.split(key)
        noise = on_coordinates(lambda x: self.draw(noise_key, x, numbers), params)
        return self.loss(params, loss_key, *inner) + trees.dot(noise, params)


def _normal(key: jax.Array, like: jax.Array, numbers: Any) -> jax.Array:
    return numbers[0] * jax.random.normal(key, like.shape, like.dtype)


def student_t(
    key: jax.Array, degrees_of_freedom: Any, shape: tuple[int, ...], dtype: Any
) -> jax.Array:
    """Draws of Student's t, exact and without rejection.

    Source: Bailey (1994), "Polar generation of random variates with the t-distribution",
    Mathematics of Computation 62(206), pages 779-781.
    """
    radius_key, angle_key = jax.random.split(key)
    positive = 1 - jax.random.uniform(radius_key, shape, dtype)  # in (0, 1]
    square = degrees_of_freedom * (positive ** (-2 / degrees_of_freedom) - 1)
    return jnp.sqrt(square) * jnp.cos(2 * jnp.pi * jax.random.uniform(angle_key, shape, dtype))


def _student_t(key: jax.Array, like: jax.Array, numbers: Any) -> jax.Array:
    scale, degrees_of_freedom = numbers
    return scale * student_t(key, degrees_of_freedom, like.shape, like.dtype)


def _rare_normal(key: jax.Array, like: jax.Array, numbers: Any) -> jax.Array:
    scale, probability = numbers
    hit_key, size_key = jax.random.split(key)
    hit = jax.random.bernoulli(hit_key, probability, like.shape)
    size = scale / jnp.sqrt(probability) * jax.random.normal(size_key, like.shape, like.dtype)
    return jnp.where(hit, size, 0)


def with_noise(problem: Problem, loss: Function, numbers: Any, variance: float | None) -> Problem:
    """The problem seen through a noisier loss; f and what is known of it stay.

    It is no finite sum of exact terms any more.

    Args:
        problem: the problem within.
        loss: the sampled loss, which finds `numbers` at the end of the data.
        numbers: what the noise is made of.
        variance: of the noise added; None where unknown or infinite.
    """
    before = problem.constants.noise_variance if problem.stochastic else 0.0
    total = None if before is None or variance is None else before + variance
    return dataclasses.replace(
        extend(problem, numbers),
        sample_loss=loss,
        row_arrays=0,
        constants=dataclasses.replace(problem.constants, noise_variance=total),
    )


def _noisy(problem: Problem, draw: Draw, numbers: tuple[float, ...], variance: Any) -> Problem:
    """The problem with the noise of `draw` added, of this variance per coordinate."""
    require(0 <= numbers[0] < np.inf, "scale", numbers[0], "scale >= 0")
    total = None if variance is None else float(variance * num_coordinates(problem))
    return with_noise(problem, Noisy(sampled_loss(problem), draw), np.array(numbers, float), total)


def noisy(problem: Problem, scale: float = 1.0) -> Problem:
    """The problem with Gaussian noise in every coordinate of its gradients.

    A step sees l(x, key) = f(x) + <xi, x> with xi = scale * standard normal: its gradient is that
    of f plus xi, its Hessian that of f, and its values and gradients belong to one function, as a
    line search needs. noise_variance grows by scale^2 * dim (complex parameters count twice).

    Source: Nemirovski, Juditsky, Lan & Shapiro (2009), "Robust stochastic approximation approach
    to stochastic programming", SIAM Journal on Optimization 19(4).

    Args:
        problem: any; where it is sampled, both noises are independent.
        scale: standard deviation per coordinate.

    Raises:
        OptbenchError: a negative scale.
    """
    found = _noisy(problem, _normal, (scale,), scale**2)
    return dataclasses.replace(found, name=label(noisy, problem, scale=scale))


def heavy_tailed(problem: Problem, scale: float = 1.0, degrees_of_freedom: float = 1.5) -> Problem:
    """The problem with Student's t noise in every coordinate of its gradients.

    As `noisy`, with xi = scale * t. Moments of order alpha exist for alpha < degrees_of_freedom
    only: up to 2 the variance is infinite, and gradient descent needs clipping; above,
    noise_variance grows by scale^2 * dim * degrees_of_freedom / (degrees_of_freedom - 2).

    Source: Zhang, Karimireddy, Veit, Kim, Reddi, Kumar & Sra (2020), "Why are adaptive methods
    good for attention models?", NeurIPS 33, assumption 1.

    Args:
        problem: any; where it is sampled, both noises are independent.
        scale: of the noise.
        degrees_of_freedom: above 1, for the noise to have a mean.

    Raises:
        OptbenchError: a negative scale, or noise without a mean.
    """
    freedom = degrees_of_freedom
    require(1 < freedom < np.inf, "degrees_of_freedom", freedom, "degrees_of_freedom > 1")
    variance = scale**2 * freedom / (freedom - 2) if freedom > 2 else None
    name = label(heavy_tailed, problem, scale=scale, degrees_of_freedom=freedom)
    found = _noisy(problem, _student_t, (scale, freedom), variance)
    return dataclasses.replace(found, name=name)


def sparse_noise(problem: Problem, scale: float = 1.0, probability: float = 0.1) -> Problem:
    """The problem with rare Gaussian noise: each coordinate of a gradient is hit or left alone.

    As `noisy`, with xi_i = scale / sqrt(probability) * standard normal with this probability, and
    0 otherwise. Mean and variance are those of `noisy`; only the fourth moment grows.

    Args:
        problem: any; where it is sampled, both noises are independent.
        scale: standard deviation per coordinate.
        probability: of a coordinate to be hit.

    Raises:
        OptbenchError: a negative scale, or a probability outside (0, 1].
    """
    require(0 < probability <= 1, "probability", probability, "0 < probability <= 1")
    name = label(sparse_noise, problem, scale=scale, probability=probability)
    found = _noisy(problem, _rare_normal, (scale, probability), scale**2)
    return dataclasses.replace(found, name=name)
