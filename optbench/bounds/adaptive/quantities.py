"""Quantities of the theorems on adaptive methods, clipping and processes in continuous time."""

from __future__ import annotations

import jax
import numpy as np

from optbench.problem import Problem
from optbench.quantity import Quantity
from optbench.symbol import gradients_at
from optbench.trajectory import Trajectory


def by_recursion(name: str, latex: str) -> Quantity:
    """What a recursion observes itself, named for tables and figures."""
    return Quantity(name, latex, (), _not_along_a_run, lambda p, t, shift: shift)


def _not_along_a_run(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    raise TypeError("a recursion observes this itself")


def coordinates(trajectory: Trajectory) -> np.ndarray:
    """[T, n] the points of a run, as rows."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(trajectory.params)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


def _before(values: np.ndarray) -> np.ndarray:
    """[T] values one step earlier; NaN at the start."""
    return np.concatenate([[np.nan], values[:-1]])


def _mean_before(values: np.ndarray) -> np.ndarray:
    """[T] the mean of values over i < k; NaN at the start."""
    return _before(np.cumsum(values) / np.arange(1, len(values) + 1))


def _curvature(problem: Problem, trajectory: Trajectory) -> np.ndarray | float:
    """L, or L0 + L1 |g_k|: how far a shift of x_k shifts the gradient."""
    if problem.constants.generalized_smoothness is not None:
        known = problem.constants.generalized_smoothness
        return known[0] + known[1] * trajectory.gradient_norm
    return problem.constants.smoothness or 0.0


def _lengths(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    """[T] sum_i |d_i f(x_k)|."""
    return np.abs(gradients_at(problem, trajectory.params)).sum(axis=1)


def _moves(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    """[T] max_i |x_k - x_{k-1}|_i; NaN at the start."""
    moves = np.abs(np.diff(coordinates(trajectory), axis=0)).max(axis=1)
    return np.concatenate([[np.nan], moves])


def _displacement(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    points = coordinates(trajectory)
    return np.linalg.norm(points - points[0], axis=1)


MEAN_ABSOLUTE_GRADIENT = Quantity(
    "mean of |grad f(x_i)|_1 over i < k",
    r"\frac{1}{k} \sum_{i<k} \|\nabla f(x_i)\|_1",
    (),
    lambda p, t: _mean_before(_lengths(p, t)),
    lambda p, t, shift: np.sqrt(p.dim) * _curvature(p, t) * shift,
)
MEAN_GRADIENT_BEFORE = Quantity(
    "mean of |grad f(x_i)| over i < k",
    r"\frac{1}{k} \sum_{i<k} \|\nabla f(x_i)\|",
    (),
    lambda p, t: _mean_before(t.gradient_norm),
    lambda p, t, shift: _curvature(p, t) * shift,
)
MEAN_SQUARED_GRADIENT = Quantity(
    "mean of |grad f(x_i)|^2 over i < k",
    r"\frac{1}{k} \sum_{i<k} \|\nabla f(x_i)\|^2",
    (),
    lambda p, t: _mean_before(t.gradient_norm**2),
    lambda p, t, shift: 2 * t.gradient_norm * _curvature(p, t) * shift,
)
BEST_GRADIENT_BEFORE = Quantity(
    "min_{i<k} |grad f(x_i)|",
    r"\min_{i<k} \|\nabla f(x_i)\|",
    (),
    lambda p, t: _before(np.minimum.accumulate(t.gradient_norm)),
    lambda p, t, shift: _curvature(p, t) * shift,
)
BEST_SQUARED_GRADIENT_BEFORE = Quantity(
    "min_{i<k} |grad f(x_i)|^2",
    r"\min_{i<k} \|\nabla f(x_i)\|^2",
    (),
    lambda p, t: _before(np.minimum.accumulate(t.gradient_norm**2)),
    lambda p, t, shift: 2 * t.gradient_norm * _curvature(p, t) * shift,
)
LARGEST_MOVE = Quantity(
    "max_i |x_k - x_{k-1}|_i",
    r"\|x_k - x_{k-1}\|_\infty",
    (),
    _moves,
    lambda p, t, shift: 2 * shift,
)
DISPLACEMENT = Quantity(
    "|x_k - x_0|", r"\|x_k - x_0\|", (), _displacement, lambda p, t, shift: shift
)
LARGEST_COORDINATE = Quantity(
    "max_i |x_k|_i",
    r"\|x_k\|_\infty",
    (),
    lambda p, t: np.abs(coordinates(t)).max(axis=1),
    lambda p, t, shift: shift,
)
