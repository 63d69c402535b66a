"""What must be known of a problem: the assumptions of theorems, and the letters they use."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from optbench.problem import Params, Problem


@dataclasses.dataclass(frozen=True, eq=False)
class Assumption:
    """What a theorem needs to be known of a problem.

    Attributes:
        name: what follows "needs", such as "smoothness" or "a minimizer".
        holds: whether a problem is known to satisfy it.
        hint: how a problem says that it does.
    """

    name: str
    holds: Callable[[Problem], bool]
    hint: str


EXACT_GRADIENTS = Assumption(
    "exact gradients", lambda p: not p.stochastic, "use the full-batch form of the problem"
)
SMOOTH = Assumption(
    "smoothness",
    lambda p: (p.constants.smoothness or 0.0) > 0,
    "set Problem.constants.smoothness to a Lipschitz constant of the gradient",
)
CONVEX = Assumption(
    "convexity",
    lambda p: p.constants.convex is True or STRONGLY_CONVEX.holds(p),
    "set Problem.constants.convex=True where the objective is convex",
)
STRONGLY_CONVEX = Assumption(
    "strong convexity",
    lambda p: (p.constants.strong_convexity or 0.0) > 0,
    "set Problem.constants.strong_convexity to a positive mu",
)
QUADRATIC = Assumption(
    "a quadratic objective",
    lambda p: p.constants.quadratic,
    "set Problem.constants.quadratic=True where the objective is quadratic",
)
MINIMIZER = Assumption(
    "a minimizer", lambda p: p.minimizer is not None, "set Problem.minimizer to x*"
)
MINIMUM = Assumption(
    "an exact minimum",
    lambda p: p.minimum is not None and p.minimum_kind not in ("published", "best known"),
    "set Problem.minimum to f*, in closed form or certified",
)


def distances(points: Any, center: Params) -> np.ndarray:
    """[T] Euclidean distances from a center to T points, leaves of shape [T, ...]."""
    pairs = zip(jax.tree.leaves(points), jax.tree.leaves(center), strict=True)
    differences = [np.abs(np.asarray(point) - np.asarray(at)) for point, at in pairs]
    return np.sqrt(sum(np.sum(d**2, axis=tuple(range(1, d.ndim))) for d in differences))


def _initial_distance(problem: Problem, start: Params) -> float:
    only = jax.tree.map(lambda leaf: np.asarray(leaf)[None], start)
    return float(distances(only, problem.minimizer)[0])


def _initial_gap(problem: Problem, start: Params) -> float:
    with jax.enable_x64(True):
        return float(jax.jit(problem.objective)(start, *problem.data)) - problem.known_minimum


@dataclasses.dataclass(frozen=True, eq=False)
class Symbol:
    """A letter that formulas may use, and its value for a problem and a start.

    Attributes:
        meaning: in words.
        needs: what must be known of the problem.
        value: (problem, start) -> its value.
    """

    meaning: str
    needs: Assumption
    value: Callable[[Problem, Params], float | None]


SYMBOLS: dict[str, Symbol] = {
    "L": Symbol("smoothness", SMOOTH, lambda p, _: p.constants.smoothness),
    "mu": Symbol("strong convexity", STRONGLY_CONVEX, lambda p, _: p.constants.strong_convexity),
    "R": Symbol("|x_0 - x*|", MINIMIZER, _initial_distance),
    "f0": Symbol("f(x_0) - f*", MINIMUM, _initial_gap),
}
