"""Where the gradient of a sum of squares vanishes, to rounding, in NumPy."""

from __future__ import annotations

import functools

import numpy as np

from optbench.problem import CriticalKind, CriticalPoint
from problems.newton import NumpyFunction, newton_point

NumpyTerms = NumpyFunction  # x -> the f_i; analytic, so x may be complex

COMPLEX_STEP = 1e-100  # f(x + i h) = f(x) + i h f'(x) with no difference taken, so h may be tiny
REAL_STEP = 6e-6  # the cube root of eps, for central differences


def jacobian(terms: NumpyTerms, point: np.ndarray) -> np.ndarray:
    """[m, n] the derivatives of the terms, exact to rounding.

    Source: Squire & Trapp (1998), "Using complex variables to estimate derivatives of real
    functions", SIAM Review 40(1).
    """
    steps = 1j * COMPLEX_STEP * np.eye(point.size)
    return np.stack([np.imag(terms(point + step)) / COMPLEX_STEP for step in steps], axis=1)


def _gradient(terms: NumpyTerms, point: np.ndarray) -> np.ndarray:
    return 2 * jacobian(terms, point).T @ terms(point)


def _hessian(terms: NumpyTerms, point: np.ndarray) -> np.ndarray:
    columns = []
    for step in REAL_STEP * np.diag(np.maximum(np.abs(point), 1)):
        ahead, behind = _gradient(terms, point + step), _gradient(terms, point - step)
        columns.append((ahead - behind) / (2 * np.max(step)))
    return np.stack(columns, axis=1)


def critical_point(kind: CriticalKind, terms: NumpyTerms, guess: np.ndarray) -> CriticalPoint:
    """The zero of the gradient of sum_i f_i^2 next to a guess.

    The gradient is exact to rounding; the Hessian, by differences of it, only directs the steps.
    """
    point = newton_point(
        functools.partial(_gradient, terms), functools.partial(_hessian, terms), guess
    )
    return CriticalPoint(kind, float(np.sum(terms(point) ** 2)), point)
