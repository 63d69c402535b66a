"""Natural gradient: Newton's method in natural parameters, and Fisher efficiency."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.assumption import EXACT_GRADIENTS
from optbench.bound import Theorem
from optbench.bounds.agreement import Twins, agreement
from optbench.bounds.instances import DIM, FAR, NUM_RANDOM
from optbench.bounds.least_squares import OUTPUTS
from optbench.bounds.second_instances import logistic_regression, tumors
from optbench.case import Case, Instance
from optbench.method import make_method
from optbench.optimizers.natural.natural_gradient import natural_gradient
from optbench.optimizers.natural.natural_gradient_variants import natural_gradient_dense
from optbench.optimizers.second_order.dense_newton import newton
from optbench.problem import Constants, Problem
from optbench.quantity import RELATIVE_DISTANCE, SQUARED_DISTANCE, Quantity
from optbench.recursion import Path, Recursion
from optbench.start import start_near

TAIL = 1e-12  # probability of the counts that an expectation leaves out
NODES = 16  # of the polynomials that expectations are kept as


def ng_expfam_newton() -> Theorem:
    """The natural gradient with step 1 in the natural parameters of an exponential family.

    The Fisher matrix is the Hessian of the log-partition function A, and that of the negative
    log-likelihood A(theta) - theta.T, so that it is Newton's method. The defect is |x_k - y_k| over
    the length of the path, y_k the points of `newton`.

    Source: Martens (2020), section 9; Amari (1998).
    """

    def twins(problem: Problem) -> Case:
        pair = Twins(problem, problem, make_method(newton), np.eye(problem.dim))
        return Case(name=problem.name, symbols={}, data=pair)

    return Theorem(
        name="ng_expfam_newton",
        statement="The natural gradient in natural parameters of an exponential family takes the "
        "steps of Newton's method.",
        latex=r"F(\theta) = \nabla^2 A(\theta) = \nabla^2 f(\theta)",
        source="Martens (2020), section 9",
        direction="identity",
        method=agreement(make_method(natural_gradient_dense, damping=0.0)),
        steps={"learning_rate": lambda: 1.0},
        quantity=RELATIVE_DISTANCE,
        formula=lambda k: 0.0 * k,
        k_range=(0, 5),
        instances=lambda: [
            *(Instance("random", twins(poisson_regression(seed))) for seed in range(2)),
            Instance("random", twins(normal_likelihood(mean=2.0, variance=0.5))),
            Instance("translated", twins(normal_likelihood(mean=30.0, variance=4.0))),
            Instance("data", twins(logistic_regression(0.0, radius=1.0))),
        ],
    )


def poisson_regression(seed: int) -> Problem:
    """f(x) = sum_i exp(a_i.x) - y_i a_i.x, y_i = exp(a_i.x*): expected counts, at 15 rows.

    Args:
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    rows, best = rng.standard_normal((3 * DIM, DIM)) / 2, rng.standard_normal(DIM)
    counts = np.exp(rows @ best)
    return Problem(
        objective=_poisson,
        outputs=_rates,
        output_loss=_rate_loss,
        data=(rows, counts),
        start=start_near(best + 0.3 * rng.standard_normal(DIM)),
        minimum=float(np.sum(counts - counts * np.log(counts))),
        minimizer=best,
        minimum_kind="closed form",
        name=f"poisson_regression[seed={seed}]",
    )


def _rates(params: Any, rows: Any, counts: Any) -> Any:
    return rows @ params


def _rate_loss(outputs: Any, rows: Any, counts: Any) -> Any:
    return jnp.sum(jnp.exp(outputs) - counts * outputs)


def _poisson(params: Any, rows: Any, counts: Any) -> Any:
    return _rate_loss(rows @ params, rows, counts)


def normal_likelihood(mean: float, variance: float) -> Problem:
    """f(theta) = -theta_1^2 / (4 theta_2) - log(-2 theta_2) / 2 - theta.T, T = E (y, y^2).

    The natural parameters of a normal distribution: theta = (m / v, -1 / (2 v)).

    Args:
        mean: of the sample.
        variance: of the sample.
    """
    best = np.array([mean / variance, -1 / (2 * variance)])
    start = np.array([(mean + 0.3 * np.sqrt(variance)) / variance, -1 / 2 / variance]) / 1.1
    return Problem(
        objective=_normal,
        outputs=_as_they_are,
        output_loss=_normal,
        data=(np.array([mean, mean**2 + variance]),),
        start=start_near(start),
        minimum=float(1 + np.log(variance)) / 2,
        minimizer=best,
        minimum_kind="closed form",
        name=f"normal_likelihood[mean={mean:g}]",
    )


def _as_they_are(params: Any, statistics: Any) -> Any:
    return params


def _normal(params: Any, statistics: Any) -> Any:
    partition = -(params[0] ** 2) / (4 * params[1]) - jnp.log(-2 * params[1]) / 2
    return partition - params @ statistics


def ng_gauss_mean_onestep() -> Theorem:
    """The natural gradient with step 1 on a normal likelihood in its mean, the covariance known.

        m_1 = mean of the sample,   F = Sigma^-1,   grad f(m) = Sigma^-1 (m - mean).

    For `natural_gradient` with conjugate gradients too.

    Source: elementary.
    """
    return Theorem(
        name="ng_gauss_mean_onestep",
        statement="One natural-gradient step finds the mean of a sample from a normal distribution "
        "with known covariance.",
        latex=r"\mu_1 = \bar x",
        source="elementary",
        direction="identity",
        assumptions=(EXACT_GRADIENTS, OUTPUTS),
        method=make_method(natural_gradient_dense, damping=0.0),
        also=(make_method(natural_gradient, damping=0.0, tolerance=1e-14),),
        steps={"learning_rate": lambda: 1.0},
        quantity=RELATIVE_DISTANCE,
        formula=lambda k: 0.0 * k,
        k_range=(1, 1),
        instances=lambda: [
            *(Instance("random", _random_mean(seed, 0.0)) for seed in range(NUM_RANDOM)),
            Instance("translated", _random_mean(NUM_RANDOM, FAR)),
            Instance("data", normal_mean("tumor_means", tumors()[0][:, :4] + 1.0)),
        ],
    )


def _random_mean(seed: int, offset: float) -> Problem:
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((20, 4)) @ rng.standard_normal((4, 4))
    return normal_mean(f"normal_mean[seed={seed}]", mixed + offset + rng.standard_normal(4))


def normal_mean(name: str, sample: np.ndarray) -> Problem:
    """f(m) = (m - mean)^T Sigma^-1 (m - mean) / 2 of a sample, with its own covariance as Sigma.

    The outputs are the natural parameters Sigma^-1 m.

    Args:
        name: of the problem.
        sample: [N, n].
    """
    mean, covariance = sample.mean(axis=0), np.cov(sample.T)
    precision = np.linalg.inv(covariance)
    curvatures = np.linalg.eigvalsh(precision)
    return Problem(
        objective=_mahalanobis,
        outputs=_natural,
        output_loss=_natural_loss,
        data=(precision, covariance, mean),
        start=start_near(mean + 1.5 * np.ones(len(mean))),
        minimum=0.0,
        minimizer=mean,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(curvatures[-1]) * (1 + 1e-12),
            strong_convexity=float(curvatures[0]) * (1 - 1e-12),
            convex=True,
            quadratic=True,
        ),
        name=name,
    )


def _natural(params: Any, precision: Any, covariance: Any, mean: Any) -> Any:
    return precision @ params


def _natural_loss(outputs: Any, precision: Any, covariance: Any, mean: Any) -> Any:
    off = outputs - precision @ mean
    return off @ covariance @ off / 2


def _mahalanobis(params: Any, precision: Any, covariance: Any, mean: Any) -> Any:
    return (params - mean) @ precision @ (params - mean) / 2


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
        quantity=SQUARED_DISTANCE,
        formula=lambda k, s2: s2 / k,
        instances=lambda: [
            case("worst", "line", [1.5], [[4.0]]),
            *(random(seed) for seed in range(NUM_RANDOM)),
        ],
    )


TIMES_ERROR = Quantity(
    "t E |theta_t - theta*|^2",
    r"t\, E (\theta_t - \theta_\star)^2",
    (),
    SQUARED_DISTANCE.observe,
    SQUARED_DISTANCE.rounding,
)


def _poisson_error(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """T E (theta_T - theta*)^2 for counts x with the rate exp(theta*), by backward recursion.

    theta_{t+1} = theta_t + eta / (t + t_0) (x exp(-theta_t) - 1): the score of x over the Fisher
    information exp(theta_t). V_T(theta) = (theta - theta*)^2 and V_t(theta) = E V_{t+1}(theta'),
    theta' the point after theta, are kept as polynomials through the Chebyshev nodes of an
    interval around theta*, to whose ends the iteration is clipped.
    """
    best, start, delay, half = case.data
    (horizon,) = k
    counts, chances = _poisson_chances(np.exp(best))
    nodes = half * np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    orders = np.arange(NODES)
    to_coefficients = np.linalg.inv(np.cos(orders * np.arccos(nodes / half)[:, None]))
    drift = np.exp(-best - nodes)[:, None] * counts - 1
    values = nodes**2
    for t in range(int(horizon) - 1, -1, -1):
        ahead = nodes[:, None] + learning_rate / (t + delay) * drift
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

    here of the logarithm theta of a Poisson rate, I = exp(theta*). Expectations are exact but for
    rounding and the interpolation; the first steps are 1 / t_0 long, and points are kept within
    an interval that they leave with vanishing probability.

    Source: Amari (1998), on Fisher efficiency; Martens (2020), Theorem 2 as numbered there from
    memory.
    """

    def case(rate: float) -> Instance:
        best, delay = np.log(rate), 40.0
        start = best + np.sqrt(2 / (rate * delay))  # so that terms in t_0 / t cancel
        return Instance(
            "worst",
            Case(
                name=f"poisson rate[rate={rate:g}]",
                symbols={"I": rate},
                data=(best, start, delay, 1.5),
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
        parameters={"T": (8000,)},
        method=Recursion("the online natural gradient of a Poisson rate", _poisson_error),
        steps={"learning_rate": lambda: 1.0},
        quantity=TIMES_ERROR,
        formula=lambda k, I: 1 / I + 0 * k,  # noqa: E741
        k_range=lambda T: (T, T),
        instances=lambda T: [case(10.0), case(20.0)],
    )
