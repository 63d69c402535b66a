"""The letters of formulas: constants of a problem and its start, and values along a run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from optbench import trees
from optbench.assumption import (
    GENERALIZED_SMOOTH,
    HESSIAN_LIPSCHITZ,
    LIPSCHITZ,
    LOJASIEWICZ,
    MINIMIZER,
    MINIMUM,
    SMOOTH,
    STRONGLY_CONVEX,
    Assumption,
    constant_of,
)
from optbench.problem import Params, Problem
from optbench.trajectory import Trajectory


def distances(points: Any, center: Params) -> Any:
    """[T] Euclidean distances from a center to T points, leaves of shape [T, ...]; or a tracer."""
    pairs = zip(jax.tree.leaves(points), jax.tree.leaves(center), strict=True)
    squares = [abs(point - np.asarray(at)[None]) ** 2 for point, at in pairs]
    return sum(square.sum(axis=tuple(range(1, square.ndim))) for square in squares) ** 0.5


def values_at(problem: Problem, points: Any) -> np.ndarray:
    """[T] f at T points, leaves of shape [T, ...]."""
    with jax.enable_x64(True):
        return np.asarray(_values(problem.objective, points, problem.data))


def gradients_at(problem: Problem, points: Any) -> np.ndarray:
    """[T, n] grad f at T points, leaves of shape [T, ...], as rows."""
    with jax.enable_x64(True):
        return np.asarray(_gradients(problem.objective, points, problem.data))


@functools.partial(jax.jit, static_argnums=0)  # compiled once for all instances of a family
def _values(objective: Callable[..., Any], points: Any, data: Any) -> Any:
    return jax.vmap(lambda point: objective(point, *data))(points)


@functools.partial(jax.jit, static_argnums=0)
def _gradients(objective: Callable[..., Any], points: Any, data: Any) -> Any:
    gradient = jax.grad(objective)
    return jax.vmap(lambda point: trees.coordinates(gradient(point, *data)))(points)


def _one(start: Params) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, float)[None], start)


@dataclasses.dataclass(frozen=True, eq=False)
class Symbol:
    """A letter that formulas may use, and its value for a problem and a start.

    Attributes:
        meaning: in words.
        needs: what must be known of the problem; None for nothing.
        value: (problem, start) -> its value.
    """

    meaning: str
    needs: Assumption | None
    value: Callable[[Problem, Params], Any]


def _constant(name: str, place: int | None = None) -> Callable[[Problem, Params], Any]:
    def value(problem: Problem, start: Params) -> Any:
        known = constant_of(problem, name)
        return known if place is None else known[place]

    return value


SYMBOLS: dict[str, Symbol] = {
    "L": Symbol("smoothness", SMOOTH, _constant("smoothness")),
    "mu": Symbol("strong convexity", STRONGLY_CONVEX, _constant("strong_convexity")),
    "G": Symbol("largest |gradient|", LIPSCHITZ, _constant("gradient_bound")),
    "M": Symbol(
        "Lipschitz constant of the Hessian", HESSIAN_LIPSCHITZ, _constant("hessian_lipschitz")
    ),
    "mu_PL": Symbol("Polyak-Lojasiewicz constant", LOJASIEWICZ, _constant("lojasiewicz")),
    "L0": Symbol("L0", GENERALIZED_SMOOTH, _constant("generalized_smoothness", 0)),
    "L1": Symbol("L1", GENERALIZED_SMOOTH, _constant("generalized_smoothness", 1)),
    "n": Symbol("number of dimensions", None, lambda p, _: p.dim),
    "R": Symbol(
        "|x_0 - x*|", MINIMIZER, lambda p, start: float(distances(_one(start), p.minimizer)[0])
    ),
    "f0": Symbol(
        "f(x_0) - f*",
        MINIMUM,
        lambda p, start: float(values_at(p, _one(start))[0]) - p.known_minimum,
    ),
    "g0": Symbol(
        "|grad f(x_0)|",
        None,
        lambda p, start: float(np.linalg.norm(gradients_at(p, _one(start))[0])),
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class PathSymbol:
    """A letter for a value along the run: a bound that depends on the path uses it.

    Attributes:
        meaning: in words.
        needs: what must be known of the problem; None for nothing.
        along: (problem, trajectory) -> [T] its value at each log point.
    """

    meaning: str
    needs: Assumption | None
    along: Callable[[Problem, Trajectory], np.ndarray]


def _before(values: np.ndarray) -> np.ndarray:
    """[T] the values one step earlier; NaN at the start."""
    return np.concatenate([[np.nan], values[:-1]])


PATH_SYMBOLS: dict[str, PathSymbol] = {
    "f_before": PathSymbol("f(x_{k-1})", None, lambda p, t: _before(t.value)),
    "gap_before": PathSymbol(
        "f(x_{k-1}) - f*", MINIMUM, lambda p, t: _before(t.value - p.known_minimum)
    ),
    "g_before": PathSymbol("|grad f(x_{k-1})|", None, lambda p, t: _before(t.gradient_norm)),
    "r_before": PathSymbol(
        "|x_{k-1} - x*|", MINIMIZER, lambda p, t: _before(distances(t.params, p.minimizer))
    ),
    "sum_g2": PathSymbol(
        "sum of |grad f(x_i)|^2 over i < k",
        None,
        lambda p, t: np.concatenate([[0.0], np.cumsum(t.gradient_norm**2)[:-1]]),
    ),
}
