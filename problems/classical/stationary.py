"""Where the gradients of polynomials and of separable functions vanish, to rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.polynomial import polynomial

from optbench.problem import CriticalKind, CriticalPoint
from problems.newton import newton_point

MOST_SWAPPED = 10  # coordinates, where there are more: the others are alike


class Surface:
    """A polynomial in two variables, with its critical points.

    Args:
        terms: coefficients by (power of x, power of y).
    """

    def __init__(self, terms: Mapping[tuple[int, int], float | int]) -> None:
        degree = max(max(powers) for powers in terms)
        self.coefficients = np.zeros((degree + 1, degree + 1))
        for powers, coefficient in terms.items():
            self.coefficients[powers] = coefficient

    def derivative(self, point: np.ndarray, orders: tuple[int, int] = (0, 0)) -> float:
        """The partial derivative of these orders in x and y."""
        coefficients = self.coefficients
        for axis, order in enumerate(orders):
            coefficients = polynomial.polyder(coefficients, order, axis=axis)
        return float(polynomial.polyval2d(point[0], point[1], coefficients))

    def gradient(self, point: np.ndarray) -> np.ndarray:
        """[2]."""
        return np.array([self.derivative(point, (1, 0)), self.derivative(point, (0, 1))])

    def hessian(self, point: np.ndarray) -> np.ndarray:
        """[2, 2]."""
        mixed = self.derivative(point, (1, 1))
        return np.array(
            [[self.derivative(point, (2, 0)), mixed], [mixed, self.derivative(point, (0, 2))]]
        )

    def critical_point(self, x: float, y: float) -> CriticalPoint:
        """The critical point near (x, y), of the kind that the Hessian there tells."""
        point = newton_point(self.gradient, self.hessian, (x, y))
        curvatures = np.linalg.eigvalsh(self.hessian(point))
        kind: CriticalKind = "saddle"
        if np.all(curvatures > 0):
            kind = "local minimum"
        elif np.all(curvatures < 0):
            kind = "maximum"
        return CriticalPoint(kind, self.derivative(point), point)


def swapped(
    kind: CriticalKind, point: np.ndarray, coordinate: Any, rise: Any
) -> tuple[CriticalPoint, ...]:
    """Critical points of sum_i h(x_i): in turn, a coordinate of x* is moved to one other root.

    Args:
        kind: what that root makes of the point.
        point: x*.
        coordinate: another root of h'.
        rise: f there.
    """
    moved = np.where(np.eye(min(len(point), MOST_SWAPPED), len(point)), coordinate, point[None, :])
    return tuple(CriticalPoint(kind, float(rise), row) for row in moved)
