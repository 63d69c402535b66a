"""Random coordinate descent."""

from __future__ import annotations

import itertools

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import SMOOTHNESS, STRONG_CONVEXITY
from optbench.bounds.stochastic.finite_sums import (
    MEAN_CLASS,
    SLACK,
    diabetes,
    mixed,
    sum_case,
    uniform,
)
from optbench.bounds.stochastic.moments import (
    MEAN_GAP,
    MEAN_SQUARE,
    FiniteSum,
    Observer,
    RandomMap,
    second_moments,
    squared_distance,
    suboptimality,
)
from optbench.case import Case, Instance
from optbench.recursion import Path, Recursion


def coordinate_steps(terms: FiniteSum, rates: np.ndarray, num_blocks: int) -> RandomMap:
    """x_b -> x_b - eta_i (grad f(x))_b for a random block b of consecutive coordinates i."""
    dim = len(terms.start)
    block = np.arange(dim) * num_blocks // dim
    masks = block == np.arange(num_blocks)[:, None]
    changes = (masks * rates)[:, :, None] * terms.hessian
    return RandomMap(np.eye(dim) - changes, np.full(num_blocks, 1 / num_blocks))


def _moments(terms: FiniteSum, step: RandomMap, k: np.ndarray) -> np.ndarray:
    return second_moments(terms.start, itertools.repeat(step, int(k[-1])))[k]


def coordinate_descent(observe: Observer) -> Recursion:
    """One step size for all blocks; as many blocks as are asked for."""

    def follow(case: Case, k: np.ndarray, learning_rate: float, blocks: float) -> Path:
        terms: FiniteSum = case.data
        rates = np.full(len(terms.start), learning_rate)
        return Path(observe(terms, _moments(terms, coordinate_steps(terms, rates, int(blocks)), k)))

    return Recursion("moments of random coordinate descent", follow)


def exact_coordinate_descent(observe: Observer) -> Recursion:
    """Steps relaxation / L_i, L_i the curvature along coordinate i: each minimizes along it."""

    def follow(case: Case, k: np.ndarray, relaxation: float) -> Path:
        terms: FiniteSum = case.data
        rates = relaxation / np.diag(terms.hessian)
        step = coordinate_steps(terms, rates, len(rates))
        return Path(observe(terms, _moments(terms, step, k)))

    return Recursion("moments of exact random coordinate descent", follow)


def bowl_case(name: str, hessian: np.ndarray, start: np.ndarray, **known: float) -> Case:
    """A quadratic with its curvatures along coordinates.

    sigma is its strong convexity in the norm |x|_L^2 = sum_i L_i x_i^2, and R_L2 the largest
    |x - x*|_L^2 where f(x) <= f(x_0).
    """
    curvatures = np.diag(hessian)
    scaled = hessian / np.sqrt(np.outer(curvatures, curvatures))
    sigma = float(np.linalg.eigvalsh(scaled)[0])
    terms = uniform(hessian[None], np.zeros((1, len(start))), start)
    found = {"sigma": sigma, "L_c": float(curvatures.max())}
    found["R_L2"] = float(start @ hessian @ start) / sigma
    return sum_case(name, terms, **(found | known))


def _is_coordinatewise(case: Case) -> bool:
    hessian, start = case.data.hessian, case.data.start
    least = bowl_case(case.name, hessian, start).symbols
    return bool(
        case.symbols["sigma"] <= least["sigma"] * (1 + SLACK)
        and case.symbols["L_c"] >= least["L_c"] * (1 - SLACK)
        and case.symbols["R_L2"] >= least["R_L2"] * (1 - SLACK)
    )


COORDINATES = Assumption(
    name="a curvature along coordinates of at most L_c, and sigma and R_L2 in their norm",
    holds=_is_coordinatewise,
    hint="set L_c, sigma and R_L2 to those of its Hessian",
)
GIVEN = {
    "sigma": "strong convexity in the norm of the curvatures along coordinates",
    "R_L2": "largest squared distance of the level set to x*, in the same norm",
    "L_c": "largest curvature along a coordinate",
}


def _random_bowl(seed: int, dim: int = 4) -> Case:
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((dim + 1, dim))
    return bowl_case(f"random[seed={seed}]", factor.T @ factor, rng.uniform(1, 3, dim))


def _correlations() -> Case:
    """The correlations of ten measures of diabetes patients as Hessian, from x_0 - x* = 1."""
    rows = diabetes(consistent=True).hessian
    return bowl_case("diabetes", rows, np.ones(len(rows)))


def _bowls(*worst: Case) -> tuple[Instance, ...]:
    return mixed(worst, _random_bowl, _correlations())


def _diagonal(*curvatures: float) -> Case:
    """A quadratic whose coordinates do not interact."""
    return bowl_case("diagonal", np.diag(curvatures), np.arange(1.0, len(curvatures) + 1))


def rcd_nesterov_sc() -> Theorem:
    """Random coordinates, each minimized exactly: step 1 / L_i along coordinate i.

        E f(x_k) - f* <= (1 - sigma / n)^k (f(x_0) - f*),

    sigma the strong convexity of f in the norm |x|_L^2 = sum_i L_i x_i^2. Attained at every k
    where coordinates do not interact: sigma = 1.

    Source: Nesterov (2012), SIAM J. Optim. 22(2), Theorem 2 with alpha = 0.
    """
    return Theorem(
        name="rcd_nesterov_sc",
        statement="Steps 1 / L_i along coordinates drawn uniformly multiply the mean gap by at "
        "most 1 - sigma / n, with sigma the strong convexity in the norm of the L_i.",
        latex=r"\mathbb{E} f(x_k) - f_\star \le "
        r"\left(1 - \frac{\sigma_L}{n}\right)^k (f(x_0) - f_\star)",
        source="Nesterov (2012), SIAM J. Optim. 22(2), Theorem 2",
        assumptions=(MEAN_CLASS, COORDINATES),
        given=GIVEN,
        method=exact_coordinate_descent(suboptimality),
        steps={"relaxation": lambda: 1.0},
        quantity=MEAN_GAP,
        formula=lambda k, sigma, n, f0: (1 - sigma / n) ** k * f0,
        attained_at=range(1, 101),
        instances=lambda: _bowls(_diagonal(0.25, 1.0, 4.0), _diagonal(4.0, 0.5)),
    )


def rcd_nesterov_convex() -> Theorem:
    """Random coordinates, each minimized exactly, on a convex function in n dimensions.

        E f(x_k) - f* <= 2 n / (k + 4) R_L^2,

    R_L the largest distance of the level set {f <= f(x_0)} to x*, in the norm
    |x|_L^2 = sum_i L_i x_i^2.

    Source: Nesterov (2012), SIAM J. Optim. 22(2), Theorem 1 with alpha = 0.
    """
    return Theorem(
        name="rcd_nesterov_convex",
        statement="Steps 1 / L_i along coordinates drawn uniformly bring the mean gap of a convex "
        "function below 2 n R_L^2 / (k + 4).",
        latex=r"\mathbb{E} f(x_k) - f_\star \le \frac{2 n}{k + 4} R_L^2",
        source="Nesterov (2012), SIAM J. Optim. 22(2), Theorem 1",
        assumptions=(MEAN_CLASS, COORDINATES),
        given=GIVEN,
        method=exact_coordinate_descent(suboptimality),
        steps={"relaxation": lambda: 1.0},
        quantity=MEAN_GAP,
        formula=lambda k, n, R_L2: 2 * n / (k + 4) * R_L2,
        instances=lambda: _bowls(_diagonal(4.0, 0.5)),
    )


def rcd_wright() -> Theorem:
    """Random coordinates with step 1 / L_c, L_c the largest curvature along a coordinate.

        E f(x_k) - f* <= (1 - mu / (n L_c))^k (f(x_0) - f*)

    for mu-strongly convex f in n dimensions. Attained where f = L_c / 2 |x - x*|^2.

    Source: Wright (2015), Math. Program. 151, Theorem 1.
    """
    round_bowl = bowl_case("round", SMOOTHNESS * np.eye(3), np.array([1.0, 2.0, 3.0]))
    return Theorem(
        name="rcd_wright",
        statement="Steps 1 / L_c along coordinates drawn uniformly multiply the mean gap by at "
        "most 1 - mu / (n L_c).",
        latex=r"\mathbb{E} f(x_k) - f_\star \le "
        r"\left(1 - \frac{\mu}{n L_{\max}}\right)^k (f(x_0) - f_\star)",
        source="Wright (2015), Math. Program. 151, Theorem 1",
        assumptions=(MEAN_CLASS, COORDINATES),
        given=GIVEN,
        method=coordinate_descent(suboptimality),
        steps={"learning_rate": lambda L_c: 1 / L_c, "blocks": lambda n: n},
        quantity=MEAN_GAP,
        formula=lambda k, mu, n, L_c, f0: (1 - mu / (n * L_c)) ** k * f0,
        instances=lambda: _bowls(round_bowl),
    )


def _round_of_class(curvature: float) -> Case:
    """curvature / 2 |x|^2 in 4 dimensions, as a member of the class mu = 1 / 4, L = 4."""
    return bowl_case(
        f"round[curvature={curvature:g}]",
        curvature * np.eye(4),
        np.array([1.0, -1.0, 0.5, 1.5]),
        L=SMOOTHNESS,
        mu=STRONG_CONVEXITY,
    )


def rcd_dist_exact() -> Theorem:
    """A step h / L along one of d blocks, drawn uniformly, 0 < h < 2.

        E |x_k - x*|^2 <= max(((1 - h mu / L)^2 + d - 1) / d, ((1 - h)^2 + d - 1) / d)^k R^2

    for mu-strongly convex, L-smooth f. Attained at every k by mu / 2 |x - x*|^2 or
    L / 2 |x - x*|^2.

    Source: Taylor and Bach (2019), COLT, Theorem 17, from memory.
    """

    def factor(h: float, d: float, mu: float, L: float) -> float:
        return (max((1 - h * mu / L) ** 2, (1 - h) ** 2) + d - 1) / d

    return Theorem(
        name="rcd_dist_exact",
        statement="A gradient step along one of d blocks contracts the mean squared distance by a "
        "share 1 / d of what the whole step would.",
        latex=r"\mathbb{E}\|x_k - x_\star\|^2 \le \left(\frac{\max\{(1 - h \mu / L)^2, "
        r"(1 - h)^2\} + d - 1}{d}\right)^k \|x_0 - x_\star\|^2",
        source="Taylor and Bach (2019), COLT, Theorem 17",
        assumptions=(MEAN_CLASS,),
        parameters={"h": (0.5, 1.0, 1.9), "d": (2, 4)},
        method=coordinate_descent(squared_distance),
        steps={"learning_rate": lambda h, L: h / L, "blocks": lambda d: d},
        quantity=MEAN_SQUARE,
        formula=lambda k, h, d, mu, L, R: factor(h, d, mu, L) ** k * R**2,
        attained_at=range(1, 101),
        instances=lambda h, d: _bowls(
            _round_of_class(STRONG_CONVEXITY), _round_of_class(SMOOTHNESS)
        ),
    )


def rcd_potential() -> Theorem:
    """A step h / L along one of d blocks, drawn uniformly, 0 < h <= 1, on a convex function.

        E f(x_k) - f* <= (f(x_0) - f* + L / 2 R^2) / (1 + k h / d).

    From a potential, (1 + k h / d) (f - f*) + L / 2 |x - x*|^2, whose mean does not increase.

    Source: Taylor and Bach (2019), COLT, Theorem 16, from memory.
    """
    return Theorem(
        name="rcd_potential",
        statement="Steps h / L along one of d blocks bring the mean gap of a convex function below "
        "(f(x_0) - f* + L R^2 / 2) / (1 + k h / d).",
        latex=r"\mathbb{E} f(x_k) - f_\star \le "
        r"\frac{f(x_0) - f_\star + \frac{L}{2} \|x_0 - x_\star\|^2}{1 + k h / d}",
        source="Taylor and Bach (2019), COLT, Theorem 16",
        assumptions=(MEAN_CLASS,),
        parameters={"h": (0.5, 1.0), "d": (2, 4)},
        method=coordinate_descent(suboptimality),
        steps={"learning_rate": lambda h, L: h / L, "blocks": lambda d: d},
        quantity=MEAN_GAP,
        formula=lambda k, h, d, L, R, f0: (f0 + L / 2 * R**2) / (1 + k * h / d),
        instances=lambda h, d: _bowls(_round_of_class(SMOOTHNESS)),
    )
