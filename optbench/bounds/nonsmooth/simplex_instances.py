"""Convex functions on the simplex, x >= 0 and sum x = 1.

All are f(x) = |B x|^2 / 2 + s.x: with s = 0, half the squared distance from 0 of a point in the
convex hull of the columns of B.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.optimize

from optbench.assumption import Assumption
from optbench.bounds.instances import DIM, NUM_RANDOM
from optbench.bounds.real_data import iris
from optbench.case import Instance, InstanceKind
from optbench.problem import Constants, Params, Problem

SIMPLEX = Assumption(
    "the simplex as its feasible set",
    lambda p: p.prox is _to_simplex,
    "set Problem.prox to that of the problems in optbench.bounds.nonsmooth.simplex_instances",
)
BARYCENTER = Assumption(
    "a start at the center of the simplex",
    lambda p: bool(np.allclose(p.start(0), 1 / p.dim)),
    "let Problem.start give (1, ..., 1) / n",
)
SQUARED_NORM = Assumption(
    "f = |x|^2 on the simplex, from a vertex",
    lambda p: (
        p.objective is _hull_and_slope
        and np.array_equal(p.data[0], np.sqrt(2) * np.eye(p.dim))
        and not p.data[1].any()
        and np.max(p.start(0)) == 1
    ),
    "take optbench.bounds.nonsmooth.simplex_instances.squared_norm(dim)",
)


def nearest_in_hull(points: np.ndarray) -> np.ndarray:
    """[m] weights of the point nearest to 0 in the convex hull of the columns of [n, m] points.

    Nonnegative weights with the least |points w|^2 + (sum w - 1)^2 are proportional to them.

    Source: Lawson and Hanson (1974), "Solving Least Squares Problems", chapter 23.
    """
    scale = float(np.max(np.abs(points))) or 1.0
    rows = np.vstack([points / scale, np.ones(points.shape[1])])
    weights = scipy.optimize.nnls(rows, np.append(np.zeros(len(points)), 1.0))[0]
    return weights / weights.sum()


def squared_norm(dim: int) -> Problem:
    """f(x) = |x|^2 on the simplex, from the first vertex."""
    start, columns = np.eye(dim)[0], np.sqrt(2) * np.eye(dim)
    return _on_simplex(f"squared_norm[dim={dim}]", columns, np.full(dim, 1 / dim), start)


def edge() -> Problem:
    """f(x) = 4 (x_2 - 1/20)^2 + constant between two vertices of five, from that next to x*; L = 4.

    The first step of Frank and Wolfe leads to the other one. The last three are far too high.
    """
    columns, slope = np.zeros((DIM, DIM)), np.full(DIM, 100.0)
    columns[0, :2] = -np.sqrt(2.0), np.sqrt(2.0)
    slope[:2] = 0.0, 3.6
    minimizer = np.array([0.95, 0.05, 0.0, 0.0, 0.0])
    return _on_simplex("edge", columns, minimizer, np.eye(DIM)[0], slope)


def hull(seed: int, centered: bool = False) -> Problem:
    """Five random points in five dimensions, from a vertex, or from the barycenter."""
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((DIM, DIM)) + rng.standard_normal((DIM, 1))
    start = np.full(DIM, 1 / DIM) if centered else np.eye(DIM)[0]
    name = f"hull[seed={seed}, centered={centered}]"
    return _on_simplex(name, columns, nearest_in_hull(columns), start)


@functools.lru_cache(maxsize=2)
def hull_of_irises(centered: bool = False) -> Problem:
    """How near 0 a mean of 5 irises of one kind comes."""
    columns = iris()[0][100:105].T  # [5, 5], four features and the column of ones
    start = np.full(DIM, 1 / DIM) if centered else np.eye(DIM)[0]
    name = f"hull_of_irises[centered={centered}]"
    return _on_simplex(name, columns, nearest_in_hull(columns), start)


def two_slopes(size: float) -> Problem:
    """f(x) = B (1 - 2 x_1) in five dimensions, from the barycenter, with x* = (1, 0, ...).

    Args:
        size: B.
    """
    vertex, slope = np.eye(DIM)[0], size * (1 - 2 * np.eye(DIM)[0])
    columns, center = np.zeros((DIM, DIM)), np.full(DIM, 1 / DIM)
    return _on_simplex(f"two_slopes[size={size:g}]", columns, vertex, center, slope)


def on_simplex(*worst: Problem, centered: bool = False) -> tuple[Instance, ...]:
    """Given instances, next to hulls of random points and of irises, with D = sqrt 2.

    B, the largest |partial derivative| on the simplex, is attained at one of its vertices.
    """
    return (
        *(_instance("worst", problem) for problem in worst),
        *(_instance("random", hull(seed, centered)) for seed in range(NUM_RANDOM)),
        _instance("data", hull_of_irises(centered)),
    )


def _instance(kind: InstanceKind, problem: Problem) -> Instance:
    columns, slope = problem.data
    largest = float(np.max(np.abs(columns.T @ columns + slope[:, None])))
    return Instance(kind, problem, symbols={"D": np.sqrt(2.0), "B": largest})


def _on_simplex(
    name: str,
    columns: np.ndarray,
    minimizer: np.ndarray,
    start: np.ndarray,
    slope: np.ndarray | None = None,
) -> Problem:
    slope = np.zeros(len(start)) if slope is None else slope
    curvature = float(np.linalg.eigvalsh(columns.T @ columns)[-1])
    return Problem(
        objective=_hull_and_slope,
        data=(columns, slope),
        start=_StartOnSimplex(start),
        minimum=float(np.sum((columns @ minimizer) ** 2) / 2 + slope @ minimizer),
        minimizer=minimizer,
        minimum_kind="closed form",
        prox=_to_simplex,
        constants=Constants(smoothness=curvature or None, convex=True, quadratic=True),
        name=name,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _StartOnSimplex:
    """Seed 0 starts at a point, every other seed at one drawn uniformly from the simplex."""

    point: np.ndarray

    def __call__(self, seed: int) -> Params:
        rng = np.random.default_rng(seed)
        return self.point if seed == 0 else rng.dirichlet(np.ones(len(self.point)))


def _hull_and_slope(params: Any, columns: Any, slope: Any) -> Any:
    return jnp.sum((columns @ params) ** 2) / 2 + jnp.sum(slope * params)


def _to_simplex(params: Any, step: Any, columns: Any, slope: Any) -> Any:
    """max(x - t, 0) with the t for which it sums to 1."""
    falling = -jnp.sort(-params)
    excess = (jnp.cumsum(falling) - 1) / jnp.arange(1, params.size + 1)
    return jnp.maximum(params - jnp.max(excess), 0.0)
