"""Natural gradient, which is Newton's method in natural parameters."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.assumption import EXACT_GRADIENTS
from optbench.bound import Theorem
from optbench.bounds.instances import DIM, FAR, NUM_RANDOM
from optbench.bounds.second_order.agreement import APART, Twins, agreement
from optbench.bounds.second_order.instances import logistic_regression, tumors
from optbench.bounds.second_order.least_squares import OUTPUTS
from optbench.case import Case, Instance
from optbench.method import make_method
from optbench.optimizers.natural.natural_gradient import natural_gradient
from optbench.optimizers.natural.natural_gradient_variants import natural_gradient_dense
from optbench.optimizers.second_order.dense_newton import newton
from optbench.problem import Constants, Problem
from optbench.quantity import RELATIVE_DISTANCE
from optbench.start import start_near


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
        quantity=APART,
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
