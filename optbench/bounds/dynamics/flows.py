"""Gradient flows and Nesterov's differential equation, solved to 12 digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.integrate

from optbench.case import Case
from optbench.problem import Problem

ACCURACY = 1e-9  # granted to what a solver with a relative tolerance of 1e-12 finds
FIRST = 1e-3  # time from which Nesterov's equation, singular at 0, is solved


class Potential(NamedTuple):
    """A convex f, as a flow needs it.

    Attributes:
        value: x [d] -> f(x) - f*.
        gradient: x [d] -> grad f(x).
        start: [d] x_0.
        minimizer: [d] x*.
        slope: c, where f is the cone c |x| on a line, whose gradient jumps at 0; else 0.
    """

    value: Callable[[np.ndarray], float]
    gradient: Callable[[np.ndarray], np.ndarray]
    start: np.ndarray
    minimizer: np.ndarray
    slope: float = 0.0


def cone(slope: float, radius: float) -> Potential:
    """c |x| on a line.

    Args:
        slope: c.
        radius: x_0.
    """
    return Potential(
        value=lambda x: slope * float(abs(x[0])),
        gradient=lambda x: slope * np.sign(x),
        start=np.array([radius]),
        minimizer=np.zeros(1),
        slope=slope,
    )


def robust(problem: Problem) -> Potential:
    """A problem of `optbench.bounds.instances`, written once more in NumPy."""
    rows, targets, thresholds = (np.asarray(array) for array in problem.data)

    def value(x: np.ndarray) -> float:
        sizes = np.abs(rows @ x - targets)
        inside = np.minimum(sizes, thresholds)
        return float(np.sum(inside * (sizes - inside / 2))) - problem.known_minimum

    def gradient(x: np.ndarray) -> np.ndarray:
        return rows.T @ np.clip(rows @ x - targets, -thresholds, thresholds)

    return Potential(value, gradient, problem.start(0), np.asarray(problem.minimizer))


def potential_case(name: str, potential: Potential, strong_convexity: float = 0.0) -> Case:
    """A case with the letters R, f0 and mu."""
    radius = float(np.linalg.norm(potential.start - potential.minimizer))
    symbols = {"R": radius, "f0": potential.value(potential.start), "mu": strong_convexity}
    return Case(name=name, symbols=symbols, data=potential)


Field = Callable[[float, np.ndarray, np.ndarray], np.ndarray]  # (t, state, gradient) -> its slope


def gradient_flow_points(potential: Potential, times: np.ndarray) -> np.ndarray:
    """[T, d] X(t) of X' = -grad f(X), X(0) = x_0; on a cone it comes to rest at the tip."""
    return _solved(potential, lambda t, state, grad: -grad, (0.0, potential.start), times)


def nesterov_flow_points(potential: Potential, times: np.ndarray) -> np.ndarray:
    """[T, d] X(t) of X'' + (3 / t) X' + grad f(X) = 0, X(0) = x_0, X'(0) = 0.

    Up to t = 1e-3 it is x_0 - t^2 grad f(x_0) / 8, with an error of order t^4.
    """
    dim, first = len(potential.start), potential.gradient(potential.start)

    def field(t: float, state: np.ndarray, grad: np.ndarray) -> np.ndarray:
        return np.concatenate([state[dim:], -3 / t * state[dim:] - grad])

    begin = np.concatenate([potential.start - FIRST**2 / 8 * first, -FIRST / 4 * first])
    return _solved(potential, field, (FIRST, begin), times)[:, :dim]


def _solved(
    potential: Potential, field: Field, begin: tuple[float, np.ndarray], times: np.ndarray
) -> np.ndarray:
    """[T, D] the solution at given times; on a cone, piece by piece between its passes of x*."""
    dim, (now, state) = len(potential.start), begin
    found = np.zeros((len(times), len(state)))
    while now < times[-1]:
        ahead = times > now
        side = np.sign(state[0]) or np.sign(state[-1])

        piece = scipy.integrate.solve_ivp(
            _on_side(potential, field, side),
            (now, times[-1]),
            state,
            method="DOP853",
            t_eval=times[ahead],
            events=_tip(side) if potential.slope else None,
            rtol=1e-12,
            atol=1e-17,
        )
        found[np.flatnonzero(ahead)[: len(piece.t)]] = np.reshape(piece.y, (len(state), -1)).T
        if not piece.status or len(state) == dim:  # at the end, or at rest where f is least
            return found
        now, state = piece.t_events[0][0], np.array([0.0, piece.y_events[0][0][1]])
    return found


def _on_side(
    potential: Potential, field: Field, side: float
) -> Callable[[float, np.ndarray], np.ndarray]:
    """The slope of the state; on a cone, with the gradient of one side."""

    def slope(t: float, state: np.ndarray) -> np.ndarray:
        point = np.array([side]) if potential.slope else state[: len(potential.start)]
        return field(t, state, potential.gradient(point))

    return slope


def _tip(side: float) -> Callable[[float, np.ndarray], float]:
    """The event that a solution passes 0, coming from one side."""

    def height(t: float, state: np.ndarray) -> float:
        return state[0]

    height.terminal, height.direction = True, -side  # type: ignore[attr-defined]
    return height
