"""What theorems bound: the gap, the distance, the gradient, and the best or mean of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import numpy as np

from optbench.assumption import MINIMIZER, MINIMUM, SMOOTH, Assumption
from optbench.problem import Problem
from optbench.symbol import distances, values_at
from optbench.trajectory import Trajectory

EPS = float(np.finfo(float).eps)


@dataclasses.dataclass(frozen=True, eq=False)
class Quantity:
    """What a theorem bounds, as a function of a trajectory logged at every step from 0 on.

    Attributes:
        name: in plain text.
        latex: in LaTeX.
        needs: what must be known of the problem.
        observe: (problem, trajectory) -> [T] at the log points.
        rounding: (problem, trajectory, shift [T]) -> [T] absolute rounding error of what is
            observed, where that of x_k is `shift`.
    """

    name: str
    latex: str
    needs: tuple[Assumption, ...]
    observe: Callable[[Problem, Trajectory], np.ndarray]
    rounding: Callable[[Problem, Trajectory, np.ndarray], np.ndarray]


def smoothness_of(problem: Problem) -> float:
    """L, or 0 where it is not known: kinks keep a shift of x_k to first order in f."""
    return problem.constants.smoothness or 0.0


def _value_rounding(problem: Problem, trajectory: Trajectory, shift: np.ndarray) -> np.ndarray:
    """|g_k| shift + L shift^2 / 2 from x_k, and 4 n eps (|f_k| + |f*|) from f."""
    size = np.abs(trajectory.value) + abs(problem.minimum or 0.0)
    moved = trajectory.gradient_norm * shift + smoothness_of(problem) / 2 * shift**2
    return moved + 4 * problem.dim * EPS * size


def _gradient_rounding(problem: Problem, trajectory: Trajectory, shift: np.ndarray) -> np.ndarray:
    """L shift from x_k, and n eps L |x_k| from grad f."""
    smoothness = smoothness_of(problem)
    size = distances(trajectory.params, jax.tree.map(np.zeros_like, problem.start(0)))
    return smoothness * (shift + problem.dim * EPS * size)


def _squared(quantity: Quantity, name: str, latex: str) -> Quantity:
    """The square of a quantity."""

    def rounding(problem: Problem, trajectory: Trajectory, shift: np.ndarray) -> np.ndarray:
        error = quantity.rounding(problem, trajectory, shift)
        return error * (2 * quantity.observe(problem, trajectory) + error)

    return Quantity(name, latex, quantity.needs, lambda p, t: quantity.observe(p, t) ** 2, rounding)


def _best(quantity: Quantity, name: str, latex: str) -> Quantity:
    """The least value of a quantity over steps 0 to k."""

    def rounding(problem: Problem, trajectory: Trajectory, shift: np.ndarray) -> np.ndarray:
        return np.fmax.accumulate(quantity.rounding(problem, trajectory, shift))

    return Quantity(
        name,
        latex,
        quantity.needs,
        lambda p, t: np.minimum.accumulate(quantity.observe(p, t)),
        rounding,
    )


VALUE = Quantity("f(x_k)", "f(x_k)", (), lambda p, t: t.value, _value_rounding)
SUBOPTIMALITY = Quantity(
    "f(x_k) - f*",
    r"f(x_k) - f_\star",
    (MINIMUM, MINIMIZER),
    lambda problem, trajectory: trajectory.value - problem.known_minimum,
    _value_rounding,
)
DISTANCE = Quantity(
    "|x_k - x*|",
    r"\|x_k - x_\star\|",
    (MINIMIZER,),
    lambda problem, trajectory: distances(trajectory.params, problem.minimizer),
    lambda problem, trajectory, shift: shift,
)
RELATIVE_DISTANCE = Quantity(
    "|x_k - x*| / |x_0 - x*|",
    r"\|x_k - x_\star\| / \|x_0 - x_\star\|",
    (MINIMIZER,),
    lambda p, t: DISTANCE.observe(p, t) / DISTANCE.observe(p, t)[0],
    lambda p, t, shift: shift / DISTANCE.observe(p, t)[0],
)
GRADIENT_NORM = Quantity(
    "|grad f(x_k)|",
    r"\|\nabla f(x_k)\|",
    (MINIMIZER, SMOOTH),
    lambda problem, trajectory: trajectory.gradient_norm,
    _gradient_rounding,
)
SQUARED_DISTANCE = _squared(DISTANCE, "|x_k - x*|^2", r"\|x_k - x_\star\|^2")
SQUARED_GRADIENT_NORM = _squared(GRADIENT_NORM, "|grad f(x_k)|^2", r"\|\nabla f(x_k)\|^2")
BEST_SUBOPTIMALITY = _best(
    SUBOPTIMALITY, "min_{i<=k} f(x_i) - f*", r"\min_{i \leq k} f(x_i) - f_\star"
)
BEST_GRADIENT_NORM = _best(
    GRADIENT_NORM, "min_{i<=k} |grad f(x_i)|", r"\min_{i \leq k} \|\nabla f(x_i)\|"
)
BEST_SQUARED_GRADIENT_NORM = _best(
    SQUARED_GRADIENT_NORM, "min_{i<=k} |grad f(x_i)|^2", r"\min_{i \leq k} \|\nabla f(x_i)\|^2"
)


def _mean_points(trajectory: Trajectory) -> object:
    """[T, ...] the mean of x_0 to x_k, for every k."""

    def mean(leaf: np.ndarray) -> np.ndarray:
        count = np.arange(1.0, len(leaf) + 1).reshape(-1, *(1,) * (leaf.ndim - 1))
        return np.cumsum(leaf, axis=0) / count

    return jax.tree.map(mean, trajectory.params)


MEAN_POINT_SUBOPTIMALITY = Quantity(
    "f(mean of x_0..x_k) - f*",
    r"f(\bar x_k) - f_\star",
    (MINIMUM, MINIMIZER),
    lambda p, t: values_at(p, _mean_points(t)) - p.known_minimum,
    _value_rounding,
)
MEAN_GRADIENT_NORM = Quantity(
    "mean of |grad f(x_i)| over i < k",
    r"\frac{1}{k} \sum_{i<k} \|\nabla f(x_i)\|",
    (SMOOTH,),
    lambda p, t: np.concatenate(
        [[np.nan], np.cumsum(t.gradient_norm)[:-1] / np.arange(1, len(t.steps))]
    ),
    lambda p, t, shift: smoothness_of(p) * shift,
)
