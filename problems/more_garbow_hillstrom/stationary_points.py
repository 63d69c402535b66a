"""Points known to a few digits, made exact to rounding by Newton's method in NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optbench.problem import CriticalKind, CriticalPoint

NumpyTerms = Callable[[np.ndarray], np.ndarray]  # x -> the f_i; analytic, so x may be complex

NEWTON_STEPS = 12
SETTLED = 8 * float(np.finfo(float).eps)  # a step this small against the point is its last
COMPLEX_STEP = 1e-100  # f(x + i h) = f(x) + i h f'(x) with no difference taken, so h may be tiny
REAL_STEP = 6e-6  # the cube root of eps, for central differences


def jacobian(terms: NumpyTerms, point: np.ndarray) -> np.ndarray:
    """[m, n] the derivatives of the terms, exact to rounding.

    Source: Squire & Trapp (1998), "Using complex variables to estimate derivatives of real
    functions", SIAM Review 40(1).
    """
    steps = 1j * COMPLEX_STEP * np.eye(point.size)
    return np.stack([np.imag(terms(point + step)) / COMPLEX_STEP for step in steps], axis=1)


def root(terms: NumpyTerms, derivatives: NumpyTerms, guess: np.ndarray) -> np.ndarray:
    """The zero, next to a guess, of n terms in n unknowns with this [n, n] Jacobian."""
    point = np.asarray(guess, float)
    for _ in range(NEWTON_STEPS):
        step = np.linalg.solve(derivatives(point), terms(point))
        point = point - step
        if np.linalg.norm(step) <= SETTLED * np.linalg.norm(point):
            break
    return point


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
    point = np.asarray(guess, float)
    for _ in range(NEWTON_STEPS):
        step = np.linalg.solve(_hessian(terms, point), _gradient(terms, point))
        point = point - step
        if np.linalg.norm(step) <= SETTLED * np.linalg.norm(point):
            break
    return CriticalPoint(kind, float(np.sum(terms(point) ** 2)), point)
