"""Linear least squares of full rank, of rank one, and of rank one with zero rows and columns."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.problem import Problem
from optbench.start import start_near
from problems.more_garbow_hillstrom.sums_of_squares import (
    Residuals,
    SumOfSquares,
    require_count,
)
from problems.spectra import quadratic_constants


def _linear(params: Any, rows: Any) -> Any:
    return rows @ params - 1


def linear_full_rank(dim: int = 10, num_residuals: int = 20) -> Problem:
    """Linear of full rank: f_i = x_i - 2 s / m - 1 for i <= n, else -2 s / m - 1; s = sum_j x_j.

    Dimension: `dim`. Start: (1, ..., 1). x* = (-1, ..., -1), f* = m - n.
    Constants: L = mu = 2, the Hessian being twice the identity; M = 0.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 32.

    Args:
        dim: n, the number of unknowns, at least 1.
        num_residuals: m, at least n.

    Raises:
        OptbenchError: no dimension, or fewer residuals than dimensions.
    """
    require_count("dim", dim, 1)
    require_count("num_residuals", num_residuals, dim)
    return Problem(
        objective=SumOfSquares(_linear),
        data=(np.eye(num_residuals, dim) - 2 / num_residuals,),
        start=start_near(np.ones(dim)),
        minimum=float(num_residuals - dim),
        minimizer=-np.ones(dim),
        minimum_kind="closed form",
        constants=quadratic_constants(2.0, 2.0),
        residuals=Residuals(_linear),
        name="linear_full_rank",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 32",
    )


def _linear_rank_one(params: Any, rows: Any, columns: Any) -> Any:
    return rows * jnp.dot(columns, params) - 1


def _nearest(start: np.ndarray, columns: np.ndarray, level: float) -> np.ndarray:
    """The point with columns . x = level that is nearest to the start."""
    return start + columns * ((level - columns @ start) / (columns @ columns))


def linear_rank_one(dim: int = 10, num_residuals: int = 20) -> Problem:
    """Linear of rank one: f_i = i s - 1 with s = sum_j j x_j.

    Dimension: `dim`. Start: (1, ..., 1). x*: every point where s = 3 / (2 m + 1); given is the one
    nearest to the start. f* = m (m - 1) / (2 (2 m + 1)).
    Constants: the Hessian is 2 (sum_i i^2) c c^T with c = (1, ..., n), so L = 2 (sum_i i^2)
    (sum_j j^2) and mu = 0; M = 0.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 33.

    Args:
        dim: n, the number of unknowns, at least 2.
        num_residuals: m, at least n.

    Raises:
        OptbenchError: fewer than 2 dimensions, or fewer residuals than dimensions.
    """
    require_count("dim", dim, 2)
    require_count("num_residuals", num_residuals, dim)
    m, start = num_residuals, np.ones(dim)
    rows, columns = np.arange(1.0, m + 1), np.arange(1.0, dim + 1)
    return Problem(
        objective=SumOfSquares(_linear_rank_one),
        data=(rows, columns),
        start=start_near(start),
        minimum=m * (m - 1) / (2 * (2 * m + 1)),
        minimizer=_nearest(start, columns, 3 / (2 * m + 1)),
        minimum_kind="closed form",
        constants=quadratic_constants(float(2 * (rows @ rows) * (columns @ columns)), 0.0),
        residuals=Residuals(_linear_rank_one),
        name="linear_rank_one",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 33",
    )


def linear_rank_one_with_zeros(dim: int = 10, num_residuals: int = 20) -> Problem:
    """Linear of rank one with zero rows and columns: f_i = (i - 1) s - 1, but f_1 = f_m = -1.

    s = sum_j j x_j over j = 2, ..., n - 1: the first and the last unknown do not enter.

    Dimension: `dim`. Start: (1, ..., 1). x*: every point where s = 3 / (2 m - 3); given is the one
    nearest to the start. f* = (m^2 + 3 m - 6) / (2 (2 m - 3)).
    Constants: L = 2 (sum_i r_i^2) (sum_j c_j^2), where r = (0, 1, ..., m - 2, 0) and
    c = (0, 2, ..., n - 1, 0), and mu = 0; M = 0.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 34.

    Args:
        dim: n, the number of unknowns, at least 3.
        num_residuals: m, at least n.

    Raises:
        OptbenchError: fewer than 3 dimensions, or fewer residuals than dimensions.
    """
    require_count("dim", dim, 3)
    require_count("num_residuals", num_residuals, dim)
    m, start = num_residuals, np.ones(dim)
    rows, columns = np.arange(0.0, m), np.arange(1.0, dim + 1)
    rows[-1] = columns[0] = columns[-1] = 0
    return Problem(
        objective=SumOfSquares(_linear_rank_one),
        data=(rows, columns),
        start=start_near(start),
        minimum=(m**2 + 3 * m - 6) / (2 * (2 * m - 3)),
        minimizer=_nearest(start, columns, 3 / (2 * m - 3)),
        minimum_kind="closed form",
        constants=quadratic_constants(float(2 * (rows @ rows) * (columns @ columns)), 0.0),
        residuals=Residuals(_linear_rank_one),
        name="linear_rank_one_with_zeros",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 34",
    )
