"""Choices among K: categorical likelihoods, and a policy for a bandit of K arms."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems.draws import data_rng
from problems.linear_models import THIRD_MOMENT, variance_of


def _identity(natural: Any, *data: Any) -> Any:
    return natural


def _categorical_natural_loss(logits: Any, one_hot: Any) -> Any:
    return logsumexp(logits) - jnp.mean(one_hot @ logits)


def _with_rest(probabilities: Any) -> Any:
    """All K probabilities from the first K - 1."""
    return jnp.append(probabilities, 1 - jnp.sum(probabilities))


def _log_odds(probabilities: Any, *data: Any) -> Any:
    """The logits, of which the last is 0."""
    return jnp.log(probabilities) - jnp.log(1 - jnp.sum(probabilities))


def _log_odds_loss(odds: Any, one_hot: Any) -> Any:
    return _categorical_natural_loss(jnp.append(odds, 0.0), one_hot)


def _categorical_mean_loss(probabilities: Any, one_hot: Any) -> Any:
    return -jnp.mean(one_hot @ jnp.log(_with_rest(probabilities)))


def _categorical(num_classes: int, num_samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One-hot draws, with probabilities proportional to 1, 2, ..., and their frequencies."""
    if num_classes < 2:
        raise OptbenchError(f"no choice among {num_classes} classes", "give num_classes >= 2")
    weights = np.arange(1.0, num_classes + 1)
    draws = data_rng(seed).choice(num_classes, max(num_samples, 0), p=weights / weights.sum())
    one_hot = np.eye(num_classes)[draws]
    if not np.all(np.any(one_hot, axis=0)):
        raise OptbenchError(
            f"of {num_classes} classes some are not among {num_samples} samples",
            "give a larger num_samples",
        )
    return one_hot, np.mean(one_hot, axis=0)


def categorical_natural(
    num_classes: int = 4, num_samples: int = 100, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of a categorical distribution, in its logits: convex.

    f(z) = log sum_k exp(z_k) - z.p for the frequencies p of K classes.

    Dimension: `num_classes`. Start: (3, 0, ..., 0), which gives the rarest class 20 times the
    probability of another; other seeds move it by 0.1 times a standard normal. x* = log p, up to a
    constant added to all; f* is the entropy -sum_k p_k log p_k.
    Constants: L = 1/2, as the Hessian diag(q) - q q^T, q = softmax(z), is at most 1/2 (Boehning
    1992); mu = 0, along (1, ..., 1); M = sqrt(8) / (6 sqrt(3)), the largest third central moment
    of a unit vector's entries, which span at most sqrt(2); |grad f| = |q - p| < sqrt(2). For every
    z the gradient of a batch of B has variance (1 - |p|^2) / B. The Hessian is the Fisher matrix.

    Source: Wainwright & Jordan (2008), "Graphical models, exponential families, and variational
    inference", Foundations and Trends in Machine Learning 1(1-2), chapter 3.

    Args:
        num_classes: K, at least 2.
        num_samples: n, enough for every class to occur.
        seed: of the samples.
        batch_size: samples per sampled gradient; None for all.

    Raises:
        OptbenchError: fewer than 2 classes, or one that does not occur.
    """
    one_hot, frequencies = _categorical(num_classes, num_samples, seed)
    problem = Problem(
        objective=_categorical_natural_loss,
        data=(one_hot,),
        start=start_near(3 * np.eye(num_classes)[0]),
        minimum=float(-frequencies @ np.log(frequencies)),
        minimizer=np.log(frequencies),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=0.5,
            strong_convexity=0.0,
            hessian_lipschitz=8**0.5 * THIRD_MOMENT,
            gradient_bound=2**0.5,
            noise_variance=variance_of(1 - float(frequencies @ frequencies), batch_size),
            convex=True,
        ),
        outputs=_identity,
        output_loss=_categorical_natural_loss,
        row_arrays=1,
        name="categorical_natural",
        source="Wainwright & Jordan (2008), FnT Machine Learning 1(1-2), chapter 3",
    )
    return minibatches(problem, batch_size)


def categorical_mean(
    num_classes: int = 4, num_samples: int = 100, seed: int = 0, batch_size: int | None = None
) -> Problem:
    """The mean negative log-likelihood of a categorical distribution, in its probabilities.

    f(q) = -sum_k p_k log q_k for the frequencies p of K classes; the last of them has the
    probability 1 - q_1 - ... - q_(K-1). f is convex, and not a number outside the simplex.

    Dimension: `num_classes` - 1. Start: (1/K, ..., 1/K); other seeds move it by 0.01 times a
    standard normal. x* = p_1, ..., p_(K-1); f* is the entropy -sum_k p_k log p_k.
    Constants: mu = min_k p_k, as the Hessian is diag(p / q^2) + (p_K / q_K^2) 1 1^T and q_k < 1;
    no L. The Fisher matrix is diag(1 / q) + 1 1^T / q_K, the inverse of the covariance of one draw
    (Cramer and Rao); the natural gradient q - p leads to x* in one step of length 1.

    Source: Amari (1998), "Natural gradient works efficiently in learning", Neural Computation
    10(2), pages 251-276.

    Args:
        num_classes: K, at least 2.
        num_samples: n, enough for every class to occur.
        seed: of the samples.
        batch_size: samples per sampled gradient; None for all.

    Raises:
        OptbenchError: fewer than 2 classes, or one that does not occur.
    """
    one_hot, frequencies = _categorical(num_classes, num_samples, seed)
    problem = Problem(
        objective=_categorical_mean_loss,
        data=(one_hot,),
        start=start_near(np.full(num_classes - 1, 1 / num_classes), scale=0.01),
        minimum=float(-frequencies @ np.log(frequencies)),
        minimizer=frequencies[:-1],
        minimum_kind="closed form",
        constants=Constants(strong_convexity=float(np.min(frequencies)), convex=True),
        outputs=_log_odds,
        output_loss=_log_odds_loss,
        row_arrays=1,
        name="categorical_mean",
        source="Amari (1998), Neural Computation 10(2), pages 251-276",
    )
    return minibatches(problem, batch_size)


def _expected_cost(logits: Any, rewards: Any) -> Any:
    return -(jax.nn.softmax(logits) @ rewards)


@dataclasses.dataclass(frozen=True)
class PlayedArms:
    """The mean cost of arms drawn from the policy, with the gradient of the score function.

    An arm's cost is multiplied by p / p, where the gradient sees the numerator alone: the value
    stays, and its gradient is the cost times that of log p. Both are unbiased.

    Source: Williams (1992), "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning", Machine Learning 8, pages 229-256; Foerster et al. (2018), "DiCE: the
    infinitely differentiable Monte Carlo estimator", ICML, PMLR 80.
    """

    batch_size: int

    def __call__(self, logits: Any, key: jax.Array, rewards: Any) -> Any:
        """The mean cost of this key's plays."""
        arm_key, reward_key = jax.random.split(key)
        log_policy = jax.nn.log_softmax(logits)
        drawn_from = jax.lax.stop_gradient(log_policy)
        arms = jax.random.categorical(arm_key, drawn_from, shape=(self.batch_size,))
        won = jax.random.bernoulli(reward_key, rewards[arms])
        score = jnp.exp(log_policy[arms] - drawn_from[arms])
        return -jnp.mean(jnp.where(won, score, 0.0))


def bandit_policy(num_arms: int = 10, batch_size: int | None = 1) -> Problem:
    """The expected cost of a softmax policy for a bandit: f(z) = -sum_a softmax(z)_a r_a.

    Arm a = 1, ..., K wins 1 with probability r_a = a / K, and otherwise nothing. A sampled gradient
    plays `batch_size` arms drawn from the policy, and weighs the score of each by what it won.

    Dimension: `num_arms`. Start: (2, 0, ..., 0), which favors the worst arm; other seeds move it by
    0.1 times a standard normal. x*: none; f* = -1 is the infimum, approached as the policy comes to
    play the best arm only. Near every policy that plays one arm only f is flat.
    Constants: with the spread s = r_K - r_1, L = s / 2: the second derivative along a unit vector u
    is E (r - E r)(u - E u)^2, and u has a variance of at most 1/2; |grad f| <= s / 2, the largest
    standard deviation of r. f is not convex. As E |e_a - p|^2 = 1 - |p|^2 <= 1 - 1 / K for an arm a
    drawn from p, the noise variance is at most r_K (1 - 1 / K) / batch_size.
    Gradient descent has f - f* ~ 1 / k.

    Source: Mei, Xiao, Szepesvari & Schuurmans (2020), "On the global convergence rates of softmax
    policy gradient methods", ICML, PMLR 119.

    Args:
        num_arms: K, at least 2.
        batch_size: plays per sampled gradient; None for exact gradients.

    Raises:
        OptbenchError: fewer than 2 arms, or no play.
    """
    if num_arms < 2 or (batch_size is not None and batch_size < 1):
        raise OptbenchError(
            f"no bandit of {num_arms} arms with {batch_size} plays",
            "give num_arms >= 2 and batch_size >= 1, or None",
        )
    rewards = np.arange(1, num_arms + 1) / num_arms
    half_spread = float(rewards[-1] - rewards[0]) / 2
    return Problem(
        objective=_expected_cost,
        data=(rewards,),
        start=start_near(2 * np.eye(num_arms)[0]),
        minimum=-1.0,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=half_spread,
            gradient_bound=half_spread,
            noise_variance=variance_of(1 - 1 / num_arms, batch_size),
            convex=False,
        ),
        sample_loss=PlayedArms(batch_size) if batch_size else None,
        sample_fraction=batch_size / num_arms if batch_size else 1.0,
        name="bandit_policy",
        source="Mei, Xiao, Szepesvari & Schuurmans (2020), ICML, PMLR 119",
    )
