"""Langevin dynamics with a normal target, by exact means and covariances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.integrate

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.adaptive.quantities import by_recursion
from optbench.bounds.real_data import flowers
from optbench.case import Case, Instance
from optbench.recursion import Path, Recursion

ACCURACY = 1e-9  # granted to what a solver with a relative tolerance of 1e-12 finds
TIME_STEP = 0.1
CURVATURES = {
    "m": "smallest eigenvalue of the Hessian of the potential",
    "M": "largest eigenvalue of the Hessian of the potential",
    "d": "number of dimensions",
    "W0": "W_2 between the first distribution and the target",
}
WASSERSTEIN = by_recursion("W_2(law of x_k, target)", r"W_2(\nu_k, \pi)")


class Normal(NamedTuple):
    """A potential U(x) = x.H x / 2, whose target is N(0, H^-1), and the first distribution.

    Attributes:
        hessian: [d, d] H.
        mean: [d] of x_0.
        covariance: [d, d] of x_0.
    """

    hessian: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray


def wasserstein(mean: np.ndarray, covariance: np.ndarray, target: np.ndarray) -> float:
    """W_2 between N(mean, covariance) and N(0, target).

    W_2^2 = |mean|^2 + trace(S + T - 2 (T^(1/2) S T^(1/2))^(1/2)).

    Source: Dowson and Landau (1982).
    """
    values, vectors = np.linalg.eigh(target)
    root = vectors * np.sqrt(values) @ vectors.T
    middle = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance @ root), 0)).sum()
    return float(np.sqrt(mean @ mean + np.trace(covariance) + values.sum() - 2 * middle))


def _case(name: str, law: Normal) -> Case:
    curvatures = np.linalg.eigvalsh(law.hessian)
    first = wasserstein(law.mean, law.covariance, np.linalg.inv(law.hessian))
    symbols = {"m": curvatures[0], "M": curvatures[-1], "d": float(len(curvatures)), "W0": first}
    return Case(name=name, symbols={n: float(v) for n, v in symbols.items()}, data=law)


def _random(seed: int) -> Instance:
    """A random Hessian with eigenvalues from 1/4 to 4, in 3 dimensions, and a random start."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    hessian = basis * np.array([0.25, rng.uniform(0.25, 4.0), 4.0]) @ basis.T
    factor = rng.standard_normal((3, 3))
    law = Normal(hessian, 3 * rng.standard_normal(3), factor @ factor.T)
    return Instance("random", _case(f"normal[seed={seed}]", law))


def _iris() -> Instance:
    """The precision of four features of iris, divided by its largest entry, from a point mass."""
    precision = np.linalg.inv(np.cov(flowers()[0].T))
    law = Normal(precision / np.abs(precision).max(), np.ones(4), np.zeros((4, 4)))
    return Instance("data", _case("iris", law))


def _shifted(**setting: float) -> list[Instance]:
    """The target moved along the direction of smallest curvature, and others."""
    hessian = np.diag([0.25, 4.0])
    law = Normal(hessian, np.array([1.5, 0.0]), np.linalg.inv(hessian))
    return [Instance("worst", _case("shifted target", law)), _random(0), _random(1), _iris()]


def _diffused(case: Case, k: np.ndarray, time_step: float) -> Path:
    """W_2 to the target of dX = -H X dt + sqrt(2) dB, mean and covariance by their equations."""
    hessian, mean, covariance = case.data
    dim = len(mean)

    def field(t: float, state: np.ndarray) -> np.ndarray:
        spread = state[dim:].reshape(dim, dim)
        change = 2 * np.eye(dim) - hessian @ spread - spread @ hessian
        return np.concatenate([-hessian @ state[:dim], change.ravel()])

    times, begin = k * time_step, np.concatenate([mean, covariance.ravel()])
    solved = scipy.integrate.solve_ivp(
        field, (0, times[-1]), begin, method="DOP853", t_eval=times, rtol=1e-12, atol=1e-15
    )
    target = np.linalg.inv(hessian)
    found = [wasserstein(s[:dim], s[dim:].reshape(dim, dim), target) for s in solved.y.T]
    return Path(np.array(found), rounding=ACCURACY * np.array(found))


def langevin_w2() -> Theorem:
    """The Langevin diffusion dX = -grad U(X) dt + sqrt(2) dB with an m-strongly convex U.

        W_2(law of X_t, target) <= exp(-m t) W_2(law of X_0, target),

    the target's density being proportional to exp(-U). Two solutions with the same Brownian motion
    approach each other like that. Attained by the target moved along the flattest direction.

    Source: Durmus and Moulines (2019), Proposition 1 (its number is from memory); Bakry, Gentil
    and Ledoux (2014).
    """
    return Theorem(
        name="langevin_w2",
        statement="The Langevin diffusion of an m-strongly convex potential shrinks the "
        "Wasserstein distance to its target at least like exp(-m t).",
        latex=r"W_2(\nu_t, \pi) \le e^{-m t}\, W_2(\nu_0, \pi)",
        source="Durmus and Moulines (2019), Proposition 1",
        method=Recursion("Langevin diffusion", _diffused),
        steps={"time_step": lambda: TIME_STEP},
        given=CURVATURES,
        quantity=WASSERSTEIN,
        formula=lambda k, m, W0: np.exp(-m * TIME_STEP * k) * W0,
        k_range=(1, 50),
        attained_at=(1, 2, 5, 10, 20, 50),
        instances=_shifted,
    )


def _sampled(case: Case, k: np.ndarray, share: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Means and covariances of x_{k+1} = x_k - a H x_k + sqrt(2 a) xi, a = share / (m + M)."""
    hessian, mean, covariance = case.data
    step = 2 * share / (case.symbols["m"] + case.symbols["M"])
    contraction = np.eye(len(mean)) - step * hessian
    means, spreads = [mean], [covariance]
    for _ in range(int(k[-1])):
        means.append(contraction @ means[-1])
        spreads.append(contraction @ spreads[-1] @ contraction + 2 * step * np.eye(len(mean)))
    return [means[i] for i in k], [spreads[i] for i in k]


def _unadjusted(case: Case, k: np.ndarray, share: float) -> Path:
    target = np.linalg.inv(case.data.hessian)
    moments = zip(*_sampled(case, k, share), strict=True)
    return Path(np.array([wasserstein(mean, spread, target) for mean, spread in moments]))


def ula_w2() -> Theorem:
    """The unadjusted Langevin algorithm with a step a <= 2 / (m + M).

        W_2(law of x_k, target) <= (1 - m a)^k W_2(law of x_0, target) + 1.65 (M / m) sqrt(a d),

    for a potential with Hessians between m and M, in d dimensions. The steps here are 1 and 1/4
    times 2 / (m + M).

    Source: Dalalyan and Karagulyan (2019), Theorem 1.
    """

    def step(m: float, M: float, h: float) -> float:
        return 2 * h / (m + M)

    return Theorem(
        name="ula_w2",
        statement="After k steps a of unadjusted Langevin the Wasserstein distance to the target "
        "is at most (1 - m a)^k times the first, plus 1.65 (M / m) sqrt(a d).",
        latex=r"W_2(\nu_k, \pi) \le (1 - m a)^k\, W_2(\nu_0, \pi) + 1.65 \frac{M}{m} \sqrt{a d}",
        source="Dalalyan and Karagulyan (2019), Theorem 1",
        method=Recursion("unadjusted Langevin algorithm", _unadjusted),
        parameters={"h": (1.0, 0.01)},
        steps={"share": lambda h: h},
        given=CURVATURES,
        quantity=WASSERSTEIN,
        formula=lambda k, m, M, d, W0, h: (
            (1 - m * step(m, M, h)) ** k * W0 + 1.65 * M / m * np.sqrt(step(m, M, h) * d)
        ),
        instances=_shifted,
    )


def _stationary_variance(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """v_k of x_{k+1} = x_k - a lam x_k + sqrt(2 a) xi, from v_0 = 0."""
    variances = [0.0]
    for _ in range(int(k[-1])):
        shrunk = (1 - learning_rate * case.symbols["lam"]) ** 2 * variances[-1]
        variances.append(shrunk + 2 * learning_rate)
    return Path(np.array(variances)[k])


SHORT_STEPS = Assumption(
    name="a curvature below 2",
    holds=lambda case: 0 < case.symbols["lam"] < 2,
    hint="with the step 1 the algorithm has a stationary distribution for 0 < lam < 2 only",
)


def ula_stationary() -> Theorem:
    """The unadjusted Langevin algorithm with step a and the target N(0, 1 / lam).

    Its stationary variance is 1 / (lam (1 - a lam / 2)), not 1 / lam, where a lam < 2: the fixed
    point of v = (1 - a lam)^2 v + 2 a. Observed after 400 steps, when it is reached to 10 digits.

    Source: elementary; Wibisono (2018), section 4 (the section is from memory).
    """
    return Theorem(
        name="ula_stationary",
        statement="The points of unadjusted Langevin with step a and a normal target of variance "
        "1 / lam have the variance 1 / (lam (1 - a lam / 2)) in the end.",
        latex=r"v_\infty = \frac{1}{\lambda (1 - a \lambda / 2)}",
        source="elementary; Wibisono (2018), section 4",
        assumptions=(SHORT_STEPS,),
        parameters={"a": (0.1, 1.0)},
        method=Recursion("variance of unadjusted Langevin", _stationary_variance),
        steps={"learning_rate": lambda a: a},
        given={"lam": "curvature of the potential"},
        quantity=by_recursion("variance", "v_k"),
        formula=lambda lam, a: 1 / (lam * (1 - a * lam / 2)),
        direction="identity",
        k_range=(400, 400),
        instances=lambda a: [
            Instance("random", Case(name=f"normal[precision={lam:g}]", symbols={"lam": lam}))
            for lam in (0.5, 1.5)
        ],
    )
