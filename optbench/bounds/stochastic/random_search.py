"""Random search."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from optbench.bound import Theorem
from optbench.bounds.instances import SMOOTHNESS
from optbench.bounds.real_data import flowers
from optbench.bounds.stochastic.finite_sums import (
    MEAN_CLASS,
    mixed,
    parabola_sum,
    sum_case,
    uniform,
)
from optbench.bounds.stochastic.moments import (
    MEAN_GAP,
    FiniteSum,
    RandomMap,
    lifted,
    second_moments,
    suboptimality,
)
from optbench.case import Case
from optbench.recursion import Path, Recursion

NODES = 4  # of a Gauss rule, which is exact up to degree 7: the moments here have degree 6


def normal_directions(dim: int) -> tuple[np.ndarray, np.ndarray]:
    """[m, d] vectors and [m] weights with all moments of N(0, I) up to degree 7."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    directions = np.array(list(itertools.product(nodes, repeat=dim)))
    shares = np.array(list(itertools.product(weights / weights.sum(), repeat=dim)))
    return directions, shares.prod(axis=1)


def search_step(terms: FiniteSum, learning_rate: float, smoothing: float) -> RandomMap:
    """x -> x - eta (f(x + nu u) - f(x)) / nu u for f = x.H x / 2, on the state (x, 1)."""
    hessian, dim = terms.hessian, len(terms.start)
    directions, weights = normal_directions(dim)
    slopes = directions @ hessian  # u.H, the slope along u being u.H x + nu u.H u / 2
    matrices = np.tile(np.eye(dim + 1), (len(directions), 1, 1))
    matrices[:, :dim, :dim] -= learning_rate * np.einsum("ia,ib->iab", directions, slopes)
    bends = smoothing / 2 * np.sum(slopes * directions, axis=1)
    matrices[:, :dim, dim] = -learning_rate * bends[:, None] * directions
    return RandomMap(matrices, weights)


def _mean_gap(case: Case, k: np.ndarray, learning_rate: float, smoothing: float) -> Path:
    """The mean of E f(x_i) - f* over i <= k."""
    terms: FiniteSum = case.data
    steps = itertools.repeat(search_step(terms, learning_rate, smoothing), int(k[-1]))
    gaps = suboptimality(terms, second_moments(lifted(terms.start), steps))
    return Path((np.cumsum(gaps) / np.arange(1.0, len(gaps) + 1))[k])


def _quadratic(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((2, 2)))[0]
    hessian = basis * np.exp(rng.uniform(-3, 2, 2)) @ basis.T
    hessian = (hessian + hessian.T) / 2
    return sum_case(
        f"random[seed={seed}]", uniform(hessian[None], np.zeros((1, 2)), rng.uniform(1, 3, 2))
    )


def _petals() -> Case:
    """The covariance of three measures of 150 irises, as the Hessian."""
    hessian = np.cov(flowers()[0][:, :3].T)
    return sum_case("iris", uniform(hessian[None], np.zeros((1, 3)), np.ones(3)))


def zeroth_order_ns() -> Theorem:
    """Steps -eta (f(x + nu u) - f(x)) / nu u with normal u and eta = 1 / (4 (n + 4) L).

        mean over i <= k of E f(x_i) - f* <= 4 (n + 4) L R^2 / (k + 1) + 9 nu^2 (n + 4)^2 L / 25

    for convex, L-smooth f in n dimensions. Observed on quadratics, where the moments of x_k need
    those of u up to degree 6 only: a Gauss rule with 4^n nodes has them.

    Source: Nesterov and Spokoiny (2017), Found. Comput. Math. 17(2), Theorem 8, from memory.
    """
    return Theorem(
        name="zeroth_order_ns",
        statement="Random search with differences of f along normal directions has a mean gap of "
        "order n L R^2 / k, down to a floor of order (nu n)^2 L.",
        latex=r"\frac{1}{k + 1} \sum_{i \leq k} \mathbb{E} f(x_i) - f_\star \le "
        r"\frac{4 (n + 4) L R^2}{k + 1} + \frac{9}{25} \nu^2 (n + 4)^2 L",
        source="Nesterov and Spokoiny (2017), Found. Comput. Math. 17(2), Theorem 8",
        assumptions=(MEAN_CLASS,),
        parameters={"nu": (1e-3, 0.5)},
        method=Recursion("moments of random search", _mean_gap),
        steps={
            "learning_rate": lambda n, L: 1 / (4 * (n + 4) * L),
            "smoothing": lambda nu: nu,
        },
        quantity=dataclasses.replace(
            MEAN_GAP,
            name="mean of E f(x_i) - f* over i <= k",
            latex=r"\frac{1}{k + 1} \sum_{i \leq k} \mathbb{E} f(x_i) - f_\star",
        ),
        formula=lambda k, nu, n, L, R: (
            4 * (n + 4) * L * R**2 / (k + 1) + 9 / 25 * nu**2 * (n + 4) ** 2 * L
        ),
        instances=lambda nu: mixed(
            [parabola_sum("steep", SMOOTHNESS, [0.0])], _quadratic, _petals()
        ),
    )
