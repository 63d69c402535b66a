"""Quadratics that conjugate gradients are compared on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optbench.bounds.instances import DIM, RADIUS, SMOOTHNESS, STRONG_CONVEXITY, parabola
from optbench.problem import Constants, Problem
from optbench.start import start_near

LARGE = 40  # dimensions of the instances that need more than `DIM`, all of one shape


def regression(
    name: str, rows: np.ndarray, targets: np.ndarray, start: np.ndarray, **known: Any
) -> Problem:
    """f(x) = |A x - b|^2 / 2, in the form of `optbench.bounds.instances`."""
    like = parabola(SMOOTHNESS, 0.0)
    if len(start) == LARGE:  # a row for one residual more than there are coordinates
        missing = LARGE + 1 - len(rows)
        rows, targets = np.pad(rows, ((0, missing), (0, 0))), np.pad(targets, (0, missing))
    data = (rows, targets, np.full(len(rows), np.inf))
    return dataclasses.replace(like, name=name, data=data, start=start_near(start), **known)


def _diagonal(
    name: str, curvatures: np.ndarray, offsets: np.ndarray, center: float, constants: Constants
) -> Problem:
    """sum_j h_j (x_j - x*_j)^2 / 2 from x_0 = x* + R offsets / |offsets|, all x*_j = center.

    Coordinates beyond those given are there to make one shape, and start at their x*_j.
    """
    dim = DIM if len(curvatures) <= DIM else LARGE
    pad = (0, dim - len(curvatures))
    roots = np.sqrt(np.pad(curvatures, pad, constant_values=SMOOTHNESS))
    away = np.pad(RADIUS * offsets / np.linalg.norm(offsets), pad)
    minimizer = np.full(dim, center)
    return regression(
        name,
        np.diag(roots),
        roots * minimizer,
        minimizer + away,
        minimizer=minimizer,
        constants=constants,
    )


def chebyshev_extrema(num_steps: int, center: float) -> Problem:
    """The quadratic with mu = 1 / 4, L = 4 on which k steps of conjugate gradients do least.

    Its k + 1 curvatures are the points of [mu, L] where Chebyshev's polynomial of degree k is
    +-1, and (x_0 - x*)_j^2 is proportional to w_j / h_j^2, with w = 1 inside and 1/2 at the ends.

    Args:
        num_steps: k.
        center: x*_j.

    Source: Greenbaum (1979), Numer. Math. 33, pp. 181-193.
    """
    middle, half = (SMOOTHNESS + STRONG_CONVEXITY) / 2, (SMOOTHNESS - STRONG_CONVEXITY) / 2
    curvatures = middle + half * np.cos(np.pi * np.arange(num_steps + 1) / num_steps)
    shares = np.ones(num_steps + 1)
    shares[[0, -1]] = 0.5
    return _diagonal(
        f"chebyshev_extrema[num_steps={num_steps}]",
        curvatures,
        np.sqrt(shares) / curvatures,
        center,
        Constants(
            smoothness=SMOOTHNESS, strong_convexity=STRONG_CONVEXITY, convex=True, quadratic=True
        ),
    )


def krylov_extrema(num_steps: int, center: float) -> Problem:
    """The convex quadratic with L = 4 on which no method of Krylov spaces does better in k steps.

    Its k + 1 curvatures are L cos(j pi / (2 k + 1))^2, j = 0 to k, and (x_0 - x*)_j^2 is
    proportional to w_j / h_j, with w_0 = 1/2 and w = 1 otherwise.

    Args:
        num_steps: k.
        center: x*_j.

    Source: the bound: Nemirovski (1992), J. Complexity 8, pp. 153-175; the instance is derived
    from the equality of its polynomial at these points.
    """
    curvatures = SMOOTHNESS * np.cos(np.pi * np.arange(num_steps + 1) / (2 * num_steps + 1)) ** 2
    shares = np.ones(num_steps + 1)
    shares[0] = 0.5
    return _diagonal(
        f"krylov_extrema[num_steps={num_steps}]",
        curvatures,
        np.sqrt(shares / curvatures),
        center,
        Constants(smoothness=SMOOTHNESS, convex=True, quadratic=True),
    )


def _rotated(name: str, curvatures: np.ndarray, rng: np.random.Generator, center: float) -> Problem:
    """A quadratic with these curvatures, a random basis and a random start; x*_j near center."""
    basis = np.linalg.qr(rng.standard_normal((len(curvatures), len(curvatures))))[0]
    rows = np.sqrt(curvatures)[:, None] * basis
    minimizer = center + rng.standard_normal(len(curvatures))
    return regression(
        name,
        rows,
        rows @ minimizer,
        minimizer + rng.standard_normal(len(curvatures)),
        minimizer=minimizer,
        constants=Constants(
            smoothness=float(curvatures.max()),
            strong_convexity=float(curvatures.min()),
            convex=True,
            quadratic=True,
            sharp=True,
        ),
    )


def few_curvatures(count: int, seed: int, center: float) -> Problem:
    """A random quadratic with so many distinct curvatures, log-spaced in [1/4, 4].

    Args:
        count: of distinct curvatures; 5 dimensions hold up to 5 of them, else there are 40.
        seed: of the basis, the minimizer and the start.
        center: near which the coordinates of x* are.
    """
    distinct = np.geomspace(SMOOTHNESS, STRONG_CONVEXITY, count)
    curvatures = np.resize(distinct, DIM if count <= DIM else LARGE)
    name = f"few_curvatures[count={count},seed={seed}]"
    return _rotated(name, curvatures, np.random.default_rng(seed), center)


def outlying_curvatures(seed: int, center: float) -> Problem:
    """A random quadratic in 40 dimensions: 37 curvatures in [1, 4], and 50, 100 and 300.

    Args:
        seed: of the curvatures, the basis, the minimizer and the start.
        center: near which the coordinates of x* are.
    """
    rng = np.random.default_rng(seed)
    inner = np.concatenate([[1.0, 4.0], rng.uniform(1.0, 4.0, LARGE - 5)])
    curvatures = np.concatenate([inner, [50.0, 100.0, 300.0]])
    return _rotated(f"outlying_curvatures[seed={seed}]", curvatures, rng, center)
