"""Mixtures of Gaussians: likelihoods with equal minima, traps and saddles."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.draws import data_rng
from problems.newton import newton_point

EM_STEPS = 300  # expectation-maximization comes to rounding, or near enough for Newton


def _unit_loss(means: Any, points: Any) -> Any:
    squares = (points[:, None] - means[None, :]) ** 2
    log_likelihoods = logsumexp(-squares / 2, axis=1) - jnp.log(means.shape[0])
    return jnp.log(2 * jnp.pi) / 2 - jnp.mean(log_likelihoods)


def _densities(points: np.ndarray, means: np.ndarray) -> np.ndarray:
    """[n, K] densities of a standard normal around each mean, over K."""
    squares = (points[:, None] - means) ** 2
    return np.exp(-squares / 2) / np.sqrt(2 * np.pi) / len(means)


def _unit_value(points: np.ndarray, means: np.ndarray) -> float:
    return float(-np.mean(np.log(np.sum(_densities(points, means), axis=1))))


def _settled(points: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Where expectation-maximization leads from these means, to rounding."""

    def shares_and_errors(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        densities = _densities(points, means)
        return densities / densities.sum(axis=1, keepdims=True), points[:, None] - means

    def gradient(means: np.ndarray) -> np.ndarray:
        shares, errors = shares_and_errors(means)
        return -np.mean(shares * errors, axis=0)

    def hessian(means: np.ndarray) -> np.ndarray:
        shares, errors = shares_and_errors(means)
        pulls = shares * errors
        return np.diag(np.mean(shares * (1 - errors**2), axis=0)) + pulls.T @ pulls / len(points)

    for _ in range(EM_STEPS):
        shares, _ = shares_and_errors(means)
        means = shares.T @ points / np.sum(shares, axis=0)
    return newton_point(gradient, hessian, means)


def gaussian_mixture_pair(
    num_samples: int = 100, distance: float = 4.0, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of two Gaussians, equal but for their means, in those.

    f(a, b) = -mean_i log((N(x_i; a, 1) + N(x_i; b, 1)) / 2), for samples of such a mixture with
    means -distance / 2 and distance / 2.

    Dimension: 2. Start: (3, 2), from where both means first go to the mean of all samples, and part
    late; other seeds move it by 0.1 times a standard normal. x*: near the means of the two halves,
    refined from there by Newton's method, the best known; f is as low with a and b exchanged. f*:
    its value.
    Constants: none holds globally; f is not convex. The saddle lies at a = b = m, the sample mean,
    where f = log(2 pi) / 2 + v / 2 and the Hessian has the eigenvalues 1/2, along (1, 1), and
    (1 - v) / 2, along (1, -1): v is the variance of the samples.

    Source: Xu, Hsu & Maleki (2016), "Global analysis of expectation maximization for mixtures of
    two Gaussians", NIPS.

    Args:
        num_samples: n, at least 2.
        distance: between the two means, at least 1.
        seed: of the samples.
        batch_size: samples per sampled gradient; None for all.

    Raises:
        OptbenchError: fewer than 2 samples, too close means, or samples of a variance below 1.
    """
    if num_samples < 2 or not 1 <= distance < np.inf:
        raise OptbenchError(
            f"no two clusters of {num_samples} samples at distance {distance}",
            "give num_samples >= 2 and distance >= 1",
        )
    ends = np.array([-distance / 2, distance / 2])
    points = np.repeat(ends, [num_samples // 2, num_samples - num_samples // 2])
    points += data_rng(seed).standard_normal(num_samples)
    center, variance = np.full(2, np.mean(points)), float(np.var(points))
    if not variance > 1:
        raise OptbenchError(
            f"the samples have variance {variance:.3g}, and no saddle between two clusters",
            "give a larger distance or num_samples",
        )
    minimizer = _settled(points, ends)
    problem = Problem(
        objective=_unit_loss,
        data=(points,),
        start=start_near(np.array([3.0, 2.0])),
        minimum=_unit_value(points, minimizer),
        minimizer=minimizer,
        minimum_kind="best known",
        critical_points=(CriticalPoint("saddle", (np.log(2 * np.pi) + variance) / 2, center),),
        constants=Constants(convex=False),
        row_arrays=1,
        region=((-distance, distance), (-distance, distance)),
        coordinates=("first mean", "second mean"),
        name="gaussian_mixture_pair",
        source="Xu, Hsu & Maleki (2016), NIPS",
    )
    return minibatches(problem, batch_size)


def gaussian_mixture_trap(
    gap: float = 16.0, num_samples: int = 60, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of three Gaussians, in their means: a bad local minimum.

    f(m) = -mean_i log(sum_k N(x_i; m_k, 1) / 3), for samples around 0, 4 and 4 + gap, of standard
    deviation 0.7, a third each. One mean between the two near clusters and two in the far one are a
    local minimum, from which expectation-maximization does not escape either.

    Dimension: 3. Start: (1, 3 + gap, 5 + gap), in the basin of the trap; other seeds move it by the
    gap / 2 times a standard normal. x*: near the means of the clusters, refined from there by
    Newton's method, the best known; f is as low with the means in any other order. f*: its value.
    Constants: none holds globally; f is not convex. The trap is listed, refined alike.

    Source: Jin, Zhang, Balakrishnan, Wainwright & Jordan (2016), "Local maxima in the likelihood of
    Gaussian mixture models: structural results and algorithmic consequences", NIPS, theorem 1.

    Args:
        gap: between the far cluster and the nearer of the others, at least 10.
        num_samples: n, a positive multiple of 3.
        seed: of the samples.
        batch_size: samples per sampled gradient; None for all.

    Raises:
        OptbenchError: no three equal clusters, or a gap too small for the trap.
    """
    if num_samples < 3 or num_samples % 3 or not 10 <= gap < np.inf:
        raise OptbenchError(
            f"no trap with {num_samples} samples and gap {gap}",
            "give num_samples a multiple of 3 and gap >= 10",
        )
    centers = np.array([0.0, 4.0, 4.0 + gap])
    points = np.repeat(centers, num_samples // 3)
    points += 0.7 * data_rng(seed).standard_normal(num_samples)
    minimizer = _settled(points, centers)
    trap = _settled(points, np.array([2.0, 4.0 + gap, 4.0 + gap]))
    problem = Problem(
        objective=_unit_loss,
        data=(points,),
        start=start_near(np.array([1.0, 3.0 + gap, 5.0 + gap]), scale=gap / 2),
        minimum=_unit_value(points, minimizer),
        minimizer=minimizer,
        minimum_kind="best known",
        critical_points=(CriticalPoint("local minimum", _unit_value(points, trap), trap),),
        constants=Constants(convex=False),
        row_arrays=1,
        name="gaussian_mixture_trap",
        source="Jin, Zhang, Balakrishnan, Wainwright & Jordan (2016), NIPS, theorem 1",
    )
    return minibatches(problem, batch_size)


def _tied_loss(params: Any, points: Any) -> Any:
    log_weights = jax.nn.log_sigmoid(jnp.stack([params["log_odds"], -params["log_odds"]]))
    squares = (points[:, None] - params["means"][None, :]) ** 2
    exponents = log_weights[None, :] - squares * jnp.exp(-params["log_variance"]) / 2
    log_normalizer = (jnp.log(2 * jnp.pi) + params["log_variance"]) / 2
    return log_normalizer - jnp.mean(logsumexp(exponents, axis=1))


class TiedMixture(NamedTuple):
    """Two Gaussians of one variance.

    Attributes:
        weights: [2], of sum 1.
        means: [2].
        variance: of both.
        value: mean negative log-likelihood.
    """

    weights: np.ndarray
    means: np.ndarray
    variance: float
    value: float


@functools.cache
def _iris_mixture() -> TiedMixture:
    """Where expectation-maximization leads on petal lengths from one mean in either cluster."""
    points = samples.iris().features[:, 2]
    weights, means, variance, value = np.full(2, 0.5), np.array([-1.0, 1.0]), 1.0, 0.0
    for _ in range(EM_STEPS):
        squares = (points[:, None] - means) ** 2
        densities = weights * np.exp(-squares / (2 * variance)) / np.sqrt(2 * np.pi * variance)
        value = float(-np.mean(np.log(np.sum(densities, axis=1))))
        shares = densities / densities.sum(axis=1, keepdims=True)
        weights = np.mean(shares, axis=0)
        means = shares.T @ points / np.sum(shares, axis=0)
        variance = float(np.mean(np.sum(shares * (points[:, None] - means) ** 2, axis=1)))
    return TiedMixture(weights, means, variance, value)


def gaussian_mixture_iris(batch_size: int | None = None) -> Problem:
    """A mixture of two Gaussians of one variance, fitted to the petal lengths of 150 iris flowers.

    f = -mean_i log(w N(x_i; a, v) + (1 - w) N(x_i; b, v)) for standardized lengths x_i, in
    log(w / (1 - w)), the means (a, b) and log v: f is finite everywhere and, as the variance is
    common, bounded below.

    Dimension: 4, params a dictionary of log_odds, means and log_variance. Start: 0, (1/2, 1) and 0;
    other seeds move it by 0.1 times a standard normal. x*: the limit of expectation-maximization
    from (-1, 1), the best known; f is as low with the means and their weights exchanged.
    f*: its value.
    Constants: none holds globally; f is not convex.

    >>> round(gaussian_mixture_iris().known_minimum, 6)
    1.089934

    Source: Dempster, Laird & Rubin (1977), "Maximum likelihood from incomplete data via the EM
    algorithm", Journal of the Royal Statistical Society B 39(1), pages 1-38; data: Fisher (1936).

    Args:
        batch_size: flowers per sampled gradient; None for all.
    """
    best = _iris_mixture()
    start = {"log_odds": np.zeros(()), "means": np.array([0.5, 1.0]), "log_variance": np.zeros(())}
    problem = Problem(
        objective=_tied_loss,
        data=(samples.iris().features[:, 2],),
        start=start_near(start),
        minimum=best.value,
        minimizer={
            "log_odds": np.log(best.weights[0] / best.weights[1]),
            "means": best.means,
            "log_variance": np.log(best.variance),
        },
        minimum_kind="best known",
        constants=Constants(convex=False),
        row_arrays=1,
        name="gaussian_mixture_iris",
        source="Dempster, Laird & Rubin (1977), JRSS B 39(1), pages 1-38",
    )
    return minibatches(problem, batch_size)
