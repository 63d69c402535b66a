"""The online natural gradient, as good as the best unbiased estimator."""

from __future__ import annotations

from typing import Any

import numpy as np

from optbench.bound import Theorem
from optbench.bounds.adaptive.quantities import by_recursion
from optbench.bounds.instances import DIM, NUM_RANDOM
from optbench.bounds.stochastic.moments import MEAN_SQUARE
from optbench.case import Case, Instance
from optbench.recursion import Path, Recursion

TAIL = 1e-12  # probability of the counts that an expectation leaves out
HORIZON = 8000  # T, where the limit is taken as reached
NODES = 12  # of the polynomials that expectations are kept as


def _moments_of_the_mean(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """E |m_t - mu|^2 of m_{t+1} = m_t - eta / (t + 1) (m_t - x), x a new sample, exactly."""
    deviation, spread = np.asarray(case.data[0], float), np.asarray(case.data[1], float)
    second = np.outer(deviation, deviation)
    found = []
    for t in range(1, int(k[-1]) + 1):
        length = learning_rate / t
        second = (1 - length) ** 2 * second + length**2 * spread
        found.append(np.trace(second))
    return Path(np.array(found)[k - 1])


def ng_fisher_efficiency_exact() -> Theorem:
    """The online natural gradient with steps 1 / t for the mean of a normal distribution.

        E |m_t - mu|^2 = tr(Sigma) / t,

    the Cramer-Rao bound, at each t: m_t is the running mean. Observed are the second moments of
    the recursion itself.

    Source: Amari (1998), on Fisher efficiency; elementary.
    """

    def case(kind: Any, name: str, deviation: Any, spread: Any) -> Instance:
        spread = np.asarray(spread, float)
        return Instance(
            kind,
            Case(name=name, symbols={"s2": float(np.trace(spread))}, data=(deviation, spread)),
        )

    def random(seed: int) -> Instance:
        rng = np.random.default_rng(seed)
        root = rng.standard_normal((DIM, DIM))
        return case("random", f"covariance[seed={seed}]", rng.standard_normal(DIM), root @ root.T)

    return Theorem(
        name="ng_fisher_efficiency_exact",
        statement="The online natural gradient with steps 1 / t for a normal mean has the error "
        "of the best unbiased estimator, the variance over t, at each t.",
        latex=r"E \|m_t - \mu\|^2 = \frac{\sigma^2}{t}",
        source="Amari (1998)",
        direction="identity",
        given={"s2": "trace of the covariance"},
        method=Recursion("moments of the online natural gradient", _moments_of_the_mean),
        steps={"learning_rate": lambda: 1.0},
        quantity=MEAN_SQUARE,
        formula=lambda k, s2: s2 / k,
        instances=lambda: [
            case("worst", "line", [1.5], [[4.0]]),
            *(random(seed) for seed in range(NUM_RANDOM)),
        ],
    )


TIMES_ERROR = by_recursion("t E |theta_t - theta*|^2", r"t\, E (\theta_t - \theta_\star)^2")


def _poisson_error(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """T E (theta_T - theta*)^2 for counts x with the rate exp(theta*), by backward recursion.

    theta_t = theta_{t-1} + eta / t (x exp(-theta_{t-1}) - 1) from t_0 on: the score of x over the
    Fisher information exp(theta_{t-1}). V_T(theta) = (theta - theta*)^2 and V_{t-1}(theta) =
    E V_t(theta'), theta' the point after theta, are kept as polynomials through the Chebyshev nodes
    of an interval around theta*, to whose ends the iteration is clipped.
    """
    best, start, first, half = case.data
    (horizon,) = k
    counts, chances = _poisson_chances(np.exp(best))
    nodes = half * np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    orders = np.arange(NODES)
    to_coefficients = np.linalg.inv(np.cos(orders * np.arccos(nodes / half)[:, None]))
    drift = np.exp(-best - nodes)[:, None] * counts - 1
    values = nodes**2
    for t in range(int(horizon), first - 1, -1):
        ahead = nodes[:, None] + learning_rate / t * drift
        angles = np.arccos(np.clip(ahead / half, -1, 1))
        coefficients = to_coefficients @ values
        values = np.polynomial.chebyshev.chebval(np.cos(angles), coefficients) @ chances
    angle = np.arccos((start - best) / half)
    error = np.cos(orders * angle) @ to_coefficients @ values
    return Path(np.array([horizon * error]))


def _poisson_chances(rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The counts that matter, and their probabilities, from p_{x+1} = p_x rate / (x + 1)."""
    chances = [np.exp(-rate)]
    while chances[-1] > TAIL or len(chances) < rate:
        chances.append(chances[-1] * rate / len(chances))
    return np.arange(len(chances)), np.array(chances) / np.sum(chances)


def ng_fisher_efficiency_asym() -> Theorem:
    """The online natural gradient with steps 1 / t in a natural parameter.

        t E (theta_t - theta*)^2 -> 1 / I(theta*),

    here of the logarithm theta of a Poisson rate, I = exp(theta*), at t = 8000. It starts at
    t = 40, as far from theta* as an efficient estimate would be, for longer steps may overflow.
    Expectations are exact but for the interpolation, and for what is clipped.

    Source: Amari (1998), on Fisher efficiency; Martens (2020), Theorem 2 as numbered there from
    memory.
    """

    def case(rate: float) -> Instance:
        best, first = np.log(rate), 40
        start = best + np.sqrt(1 / (rate * (first - 1)))  # as far off as an estimate from 39 counts
        return Instance(
            "worst",
            Case(
                name=f"poisson rate[rate={rate:g}]",
                symbols={"I": rate},
                data=(best, start, first, 1.0),
            ),
        )

    return Theorem(
        name="ng_fisher_efficiency_asym",
        statement="The online natural gradient with steps 1 / t has, times t, the error of the "
        "best unbiased estimator in the limit: the inverse of the Fisher information.",
        latex=r"t\, E (\theta_t - \theta_\star)^2 \to \frac{1}{I(\theta_\star)}",
        source="Amari (1998)",
        direction="identity",
        tolerance=1e-3,
        given={"I": "the Fisher information at theta*"},
        method=Recursion("the online natural gradient of a Poisson rate", _poisson_error),
        steps={"learning_rate": lambda: 1.0},
        quantity=TIMES_ERROR,
        formula=lambda k, I: 1 / I + 0 * k,  # noqa: E741
        k_range=(HORIZON, HORIZON),
        instances=lambda: [case(20.0), case(40.0)],
    )
