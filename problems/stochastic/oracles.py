"""Sampled losses of known law around a simple objective: noise that stays at x*."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.start import standard_normal, start_near
from optbench.transforms.noise import student_t
from problems.draws import data_rng
from problems.spectra import quadratic_constants


def _slope(params: Any, steep: Any, slope: Any) -> Any:
    return slope * jnp.sum(params)


def _sampled_slope(params: Any, key: Any, steep: Any, slope: Any) -> Any:
    rare = jax.random.bernoulli(key, (1 + slope) / (1 + steep))
    return jnp.where(rare, steep, -1.0) * jnp.sum(params)


def _clip(params: Any, step: Any, *data: Any) -> Any:
    return jnp.clip(params, -1.0, 1.0)


def adam_counterexample(steep: float = 101.0, slope: float = 0.3) -> Problem:
    """f(x) = slope * x on [-1, 1], seen as C x with probability (1 + slope) / (1 + C), else -x.

    The rare steep sample points the right way, and the many others the wrong way. Adam divides
    all by the root of a moving average of squares, which the steep sample itself enlarges: for C
    large enough it goes uphill on average, to x = 1. With the defaults it does so for b2 = 0.99;
    b2 = 0.999 remembers a steep sample for longer than the 78 steps between two of them, and goes
    down, as AMSGrad and plain SGD do.

    Dimension: 1. Start: 0; other seeds move it by 0.1 times a standard normal. x* = -1,
    f* = -slope, on the boundary. The published experiment, 1010 with probability 0.01 and -10
    otherwise, is 10 times that of slope = 0.02; there the drift is lost in the noise of the first
    10^5 steps.
    Constants: L = mu = M = 0 and G = slope; the noise variance is (1 + slope) (C - slope).

    Source: Reddi, Kale & Kumar (2018), "On the convergence of Adam and beyond", ICLR, theorem 3.

    Args:
        steep: C, slope of the rare sample.
        slope: expected slope, positive and below C.

    Raises:
        OptbenchError: no such slopes.
    """
    if not 0 < slope < steep < np.inf:
        raise OptbenchError(
            f"slopes of {slope} on average and {steep} at most", "give 0 < slope < steep"
        )
    return Problem(
        objective=_slope,
        data=(np.float64(steep), np.float64(slope)),
        start=start_near(np.zeros(1)),
        minimum=-float(slope),
        minimizer=np.array([-1.0]),
        minimum_kind="closed form",
        constants=quadratic_constants(
            0.0,
            0.0,
            gradient_bound=float(slope),
            noise_variance=float((1 + slope) * (steep - slope)),
        ),
        prox=_clip,
        sample_loss=_sampled_slope,
        name="adam_counterexample",
        source="Reddi, Kale & Kumar (2018), ICLR, theorem 3",
    )


def _diagonal(params: Any, curvatures: Any, scale: Any) -> Any:
    return jnp.sum(curvatures * params**2) / 2


def _noisy_diagonal(params: Any, key: Any, curvatures: Any, scale: Any) -> Any:
    noise = scale * jnp.sqrt(curvatures) * jax.random.normal(key, params.shape, params.dtype)
    return _diagonal(params, curvatures, scale) + jnp.sum(noise * params)


def noisy_quadratic(dim: int = 100, batch_size: int = 1) -> Problem:
    """f(x) = sum_i h_i x_i^2 / 2 with h_i = 1 / i, and gradient noise of covariance diag(h) / B.

    A model of training at batch size B: noise is largest where curvature is. From a fixed step of
    size a, SGD settles at E x_i^2 = a / (B (2 - a h_i)).

    Dimension: `dim`. Start: standard normal. x* = 0, f* = 0.
    Constants: L = 1 and mu = 1 / dim, both attained; M = 0; the noise variance is sum_i h_i / B.

    Source: Zhang et al. (2019), "Which algorithmic choices matter at which batch sizes? Insights
    from a noisy quadratic model", NeurIPS 32, section 3.

    Args:
        dim: number of unknowns.
        batch_size: B.

    Raises:
        OptbenchError: no dimension or an empty batch.
    """
    if dim < 1 or batch_size < 1:
        raise OptbenchError(
            f"dim is {dim} and batch_size {batch_size}", "give dim >= 1 and batch_size >= 1"
        )
    curvatures = 1 / np.arange(1.0, dim + 1)
    return Problem(
        objective=_diagonal,
        data=(curvatures, np.float64(batch_size**-0.5)),
        start=standard_normal((dim,)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=quadratic_constants(
            np.max(curvatures),
            np.min(curvatures),
            noise_variance=float(np.sum(curvatures) / batch_size),
        ),
        sample_loss=_noisy_diagonal,
        name="noisy_quadratic",
        source="Zhang et al. (2019), NeurIPS 32, section 3",
    )


def _wandering(params: Any, curvatures: Any, center: Any, spread: Any) -> Any:
    return jnp.sum(curvatures * ((params - center) ** 2 + spread**2)) / 2


def _sampled_wandering(params: Any, key: Any, curvatures: Any, center: Any, spread: Any) -> Any:
    minimizer = center + spread * jax.random.normal(key, params.shape, params.dtype)
    return jnp.sum(curvatures * (params - minimizer) ** 2) / 2


def wandering_minimizer(
    dim: int = 10, condition_number: float = 10.0, spread: float = 1.0, seed: int = 0
) -> Problem:
    """f(x) = E sum_i h_i (x_i - c_i)^2 / 2: each sample has its own minimizer c ~ N(x*, s^2).

    What one step sees has its least point elsewhere than the next, and following them all is
    tracking: with a fixed step of size a, E (x_i - x*_i)^2 settles at a h_i s^2 / (2 - a h_i).
    The mean of all samples stands still, f(x) = sum_i h_i ((x_i - x*_i)^2 + s^2) / 2.

    Dimension: `dim`. Start: 0; other seeds move it by a standard normal. x*: standard normal,
    drawn from the seed of the problem; f* = s^2 sum_i h_i / 2, which no step size does away with.
    Constants: h is log-spaced in [1 / condition_number, 1], so that L = 1 and
    mu = 1 / condition_number are attained; M = 0; the noise variance is s^2 sum_i h_i^2.

    Source: Schaul, Zhang & LeCun (2013), "No more pesky learning rates", ICML, section 4.

    Args:
        dim: number of unknowns.
        condition_number: of h.
        spread: s, standard deviation of the sampled minimizers.
        seed: of x*.

    Raises:
        OptbenchError: no such condition number or spread.
    """
    if not 0 <= spread < np.inf:
        raise OptbenchError(f"spread is {spread}", "give spread >= 0")
    curvatures = _log_spaced(dim, condition_number)
    center = data_rng(seed).standard_normal(dim)
    variance = float(spread**2 * np.sum(curvatures**2))
    return Problem(
        objective=_wandering,
        data=(curvatures, center, np.float64(spread)),
        start=start_near(np.zeros(dim), scale=1.0),
        minimum=float(spread**2 * np.sum(curvatures) / 2),
        minimizer=center,
        minimum_kind="closed form",
        constants=quadratic_constants(
            np.max(curvatures), np.min(curvatures), noise_variance=variance
        ),
        sample_loss=_sampled_wandering,
        name="wandering_minimizer",
        source="Schaul, Zhang & LeCun (2013), ICML, section 4",
    )


def _log_spaced(dim: int, condition_number: float) -> np.ndarray:
    """[dim] from 1 down to 1 / condition_number."""
    if not 1 <= condition_number < np.inf or dim < 1 or (dim == 1 and condition_number != 1):
        raise OptbenchError(
            f"no spectrum in {dim} dimensions has condition number {condition_number}",
            "give dim >= 2 and condition_number >= 1",
        )
    return np.geomspace(1.0, 1 / condition_number, dim)


def _population_loss(weights: Any, curvatures: Any, minimizer: Any, degrees_of_freedom: Any) -> Any:
    return jnp.sum(curvatures * (weights - minimizer) ** 2) / 2


@dataclasses.dataclass(frozen=True)
class FreshRows:
    """The regression loss on rows that no step has seen before, less what no step can change.

    Attributes:
        batch_size: B, rows per sample.
    """

    batch_size: int

    def __call__(
        self, weights: Any, key: Any, curvatures: Any, minimizer: Any, degrees_of_freedom: Any
    ) -> Any:
        """mean_i (x_i.(w - w*) - noise_i)^2 / 2 - noise_i^2 / 2."""
        feature_key, noise_key = jax.random.split(key)
        shape = self.batch_size, *weights.shape
        normal = jax.random.normal(feature_key, shape, weights.dtype)
        errors = normal @ (jnp.sqrt(curvatures) * (weights - minimizer))
        noise = student_t(noise_key, degrees_of_freedom, errors.shape, weights.dtype)
        return jnp.mean(errors**2 / 2 - noise * errors)


def heavy_tailed_regression(
    dim: int = 10,
    condition_number: float = 10.0,
    degrees_of_freedom: float = 1.5,
    seed: int = 0,
    *,
    batch_size: int = 4,
) -> Problem:
    """Streaming regression on y = x.w* + t: f(w) = (w - w*)^T diag(h) (w - w*) / 2.

    Features are normal with covariance diag(h), and t is Student's: with up to 2 degrees of freedom
    its variance is infinite, and so is that of every sampled gradient. A sample is the mean of
    (x.w - y)^2 / 2 over B fresh rows, less its value at w*, as E t^2 / 2 would be infinite.

    Dimension: `dim`. Start: 0; other seeds move it by a standard normal. x*: w*, standard normal,
    drawn from the seed of the problem; f* = 0.
    Constants: h is log-spaced in [1 / condition_number, 1], so that L = 1 and
    mu = 1 / condition_number are attained; M = 0. There is no noise_variance: it is infinite, or,
    above 2 degrees of freedom, grows with the distance from w*.

    Source: Wang, Gurbuzbalaban, Zhu, Simsekli & Erdogdu (2021), "Convergence rates of stochastic
    gradient descent under infinite noise variance", NeurIPS 34.

    Args:
        dim: number of unknowns.
        condition_number: of h.
        degrees_of_freedom: of the noise, above 1, for it to have a mean.
        seed: of w*.
        batch_size: B.

    Raises:
        OptbenchError: no such condition number, an empty batch, or noise without a mean.
    """
    if not 1 < degrees_of_freedom < np.inf or batch_size < 1:
        raise OptbenchError(
            f"degrees_of_freedom is {degrees_of_freedom} and batch_size {batch_size}",
            "give degrees_of_freedom > 1 and batch_size >= 1",
        )
    curvatures = _log_spaced(dim, condition_number)
    minimizer = data_rng(seed).standard_normal(dim)
    return Problem(
        objective=_population_loss,
        data=(curvatures, minimizer, np.float64(degrees_of_freedom)),
        start=start_near(np.zeros(dim), scale=1.0),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=quadratic_constants(np.max(curvatures), np.min(curvatures)),
        sample_loss=FreshRows(batch_size),
        name="heavy_tailed_regression",
        source="Wang et al. (2021), NeurIPS 34",
    )
