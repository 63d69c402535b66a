"""Newton's method in NumPy: points known to a few digits, made exact to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

NumpyFunction = Callable[[np.ndarray], np.ndarray]

NEWTON_STEPS = 12
SETTLED = 8 * float(np.finfo(float).eps)  # a step this small against the point is its last


def newton_root(
    slope: Callable[[Any], Any], curvature: Callable[[Any], Any], near: float
) -> np.float64:
    """The root of `slope` that Newton's method reaches from `near`.

    Args:
        slope: of one variable.
        curvature: its derivative.
        near: close enough for quadratic convergence.
    """
    root = np.float64(near)
    for _ in range(NEWTON_STEPS):
        root = root - slope(root) / curvature(root)
    return root


def newton_point(
    function: NumpyFunction, jacobian: NumpyFunction, near: Any, num_steps: int = NEWTON_STEPS
) -> np.ndarray:
    """The zero of n functions of n variables that Newton's method reaches from `near`.

    Of a gradient and its Hessian: the point without slope, of any kind.

    Args:
        function: [n] -> [n].
        jacobian: [n] -> [n, n] its derivative, which only directs the steps.
        near: close enough for quadratic convergence.
        num_steps: at most; they end when one is rounding.
    """
    point = np.asarray(near, float)
    for _ in range(num_steps):
        step = np.linalg.solve(jacobian(point), function(point))
        point = point - step
        if np.linalg.norm(step) <= SETTLED * np.linalg.norm(point):
            break
    return point
