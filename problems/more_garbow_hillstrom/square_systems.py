"""As many equations as unknowns: products, quadrature, discretized and banded systems."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from problems.minima import known_minimum, label_of
from problems.more_garbow_hillstrom.stationary_points import critical_point, jacobian
from problems.more_garbow_hillstrom.sums_of_squares import (
    Residuals,
    SumOfSquares,
    require_count,
)
from problems.newton import newton_point


def _brown_almost_linear(params: Any) -> Any:
    return params[:-1] + jnp.sum(params) - (params.size + 1), jnp.prod(params) - 1


def brown_almost_linear(dim: int = 10) -> Problem:
    """Brown's almost linear function: n - 1 linear equations, and a product.

    f(x) = sum_{i<n} (x_i + sum_j x_j - (n + 1))^2 + (prod_j x_j - 1)^2.

    Dimension: `dim`. Start: (1/2, ..., 1/2). x* = (1, ..., 1), f* = 0; as low is
    (a, ..., a, a^(1-n)), where n a^n - (n + 1) a^(n-1) + 1 = 0: a = 0.9794... for 10 unknowns. The
    paper also lists f = 1 at (0, ..., 0, n + 1). From 3 unknowns on the gradient vanishes there,
    but it is no minimum: along t (1, ..., 1, -n) all linear equations keep their value 0, and f is
    (t^(n-1) (n + 1 - n t) - 1)^2, which falls.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 27; Brown (1969), "A
    quadratically convergent Newton-like method based upon Gaussian elimination".

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    return Problem(
        objective=SumOfSquares(_brown_almost_linear),
        start=start_near(np.full(dim, 0.5)),
        minimum=0.0,
        minimizer=np.ones(dim),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        residuals=Residuals(_brown_almost_linear),
        region=((-1.0, 3.0), (-1.0, 3.0)) if dim == 2 else None,
        name="brown_almost_linear",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 27",
    )


def _discrete_boundary_value(params: Any, differences: Any, times: Any) -> Any:
    return differences @ params + times[0] ** 2 * (params + times + 1) ** 3 / 2


def discrete_boundary_value(dim: int = 10) -> Problem:
    """A boundary value problem in differences: u'' = (u + t + 1)^3 / 2, u(0) = u(1) = 0.

    f_i = 2 x_i - x_{i-1} - x_{i+1} + h^2 (x_i + t_i + 1)^3 / 2, with t_i = i h, h = 1 / (n + 1) and
    x_0 = x_{n+1} = 0.

    Dimension: `dim`. Start: x_i = t_i (t_i - 1), close to x*. x*: found by Newton's method, f* = 0.
    Constants: none holds globally; not convex, though it is around x*.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 28; More & Cosnard (1979),
    "Numerical solution of nonlinear equations", ACM TOMS 5.

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    times = np.arange(1.0, dim + 1) / (dim + 1)
    data = 2 * np.eye(dim) - np.eye(dim, k=1) - np.eye(dim, k=-1), times

    def derivatives(x: np.ndarray) -> np.ndarray:
        return data[0] + np.diag(1.5 * times[0] ** 2 * (x + times + 1) ** 2)

    start = times * (times - 1)
    return Problem(
        objective=SumOfSquares(_discrete_boundary_value),
        data=data,
        start=start_near(start),
        minimum=0.0,
        minimizer=newton_point(lambda x: _discrete_boundary_value(x, *data), derivatives, start),
        minimum_kind="published",
        constants=Constants(convex=False),
        residuals=Residuals(_discrete_boundary_value),
        name="discrete_boundary_value",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 28",
    )


def _discrete_integral_equation(params: Any, kernel: Any, times: Any) -> Any:
    return params + kernel @ (params + times + 1) ** 3


def discrete_integral_equation(dim: int = 10) -> Problem:
    """The same boundary value problem as an integral equation, by the rectangle rule.

    f_i = x_i + (h / 2) ((1 - t_i) sum_{j<=i} t_j (x_j + t_j + 1)^3
    + t_i sum_{j>i} (1 - t_j) (x_j + t_j + 1)^3), with t_i = i h and h = 1 / (n + 1).

    Dimension: `dim`. Start: x_i = t_i (t_i - 1), close to x*. x*: found by Newton's method, that of
    `discrete_boundary_value`: the kernel is h^2 / 2 times the inverse of its differences. f* = 0,
    and the Jacobian is as well conditioned as there it is badly.
    Constants: none holds globally; not convex, though it is around x*.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 29; More & Cosnard (1979),
    "Numerical solution of nonlinear equations", ACM TOMS 5.

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    times = np.arange(1.0, dim + 1) / (dim + 1)
    sooner, later = np.minimum.outer(times, times), np.maximum.outer(times, times)
    data = times[0] / 2 * sooner * (1 - later), times

    def derivatives(x: np.ndarray) -> np.ndarray:
        return np.eye(dim) + data[0] * (3 * (x + times + 1) ** 2)

    start = times * (times - 1)
    return Problem(
        objective=SumOfSquares(_discrete_integral_equation),
        data=data,
        start=start_near(start),
        minimum=0.0,
        minimizer=newton_point(lambda x: _discrete_integral_equation(x, *data), derivatives, start),
        minimum_kind="published",
        constants=Constants(convex=False),
        residuals=Residuals(_discrete_integral_equation),
        name="discrete_integral_equation",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 29",
    )


def _broyden_tridiagonal(params: Any, neighbors: Any) -> Any:
    return (3 - 2 * params) * params - neighbors @ params + 1


def broyden_tridiagonal(dim: int = 10) -> Problem:
    """Broyden's tridiagonal function: f_i = (3 - 2 x_i) x_i - x_{i-1} - 2 x_{i+1} + 1.

    x_0 = x_{n+1} = 0.

    Dimension: `dim`. Start: (-1, ..., -1). x*: found by Newton's method, f* = 0.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 30; Broyden (1965), "A class of
    methods for solving nonlinear simultaneous equations", Mathematics of Computation 19.

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    neighbors, start = np.eye(dim, k=-1) + 2 * np.eye(dim, k=1), np.full(dim, -1.0)

    def derivatives(x: np.ndarray) -> np.ndarray:
        return np.diag(3 - 4 * x) - neighbors

    return Problem(
        objective=SumOfSquares(_broyden_tridiagonal),
        data=(neighbors,),
        start=start_near(start),
        minimum=0.0,
        minimizer=newton_point(lambda x: _broyden_tridiagonal(x, neighbors), derivatives, start),
        minimum_kind="published",
        constants=Constants(convex=False),
        residuals=Residuals(_broyden_tridiagonal),
        name="broyden_tridiagonal",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 30",
    )


def _broyden_banded(params: Any, neighbors: Any) -> Any:
    return params * (2 + 5 * params**2) + 1 - neighbors @ (params * (1 + params))


def broyden_banded(dim: int = 10) -> Problem:
    """Broyden's banded function: f_i = x_i (2 + 5 x_i^2) + 1 - sum_j x_j (1 + x_j).

    The sum is over j = i - 5, ..., i + 1 without i, as far as 1 <= j <= n.

    Dimension: `dim`. Start: (-1, ..., -1). x*: found by Newton's method, f* = 0.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 31; Broyden (1971), "The
    convergence of an algorithm for solving sparse nonlinear systems", Mathematics of Computation
    25.

    Args:
        dim: n, the number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    below = sum(np.eye(dim, k=-k) for k in range(1, 6))
    neighbors, start = np.eye(dim, k=1) + below, np.full(dim, -1.0)

    def derivatives(x: np.ndarray) -> np.ndarray:
        return np.diag(2 + 15 * x**2) - neighbors * (1 + 2 * x)

    return Problem(
        objective=SumOfSquares(_broyden_banded),
        data=(neighbors,),
        start=start_near(start),
        minimum=0.0,
        minimizer=newton_point(lambda x: _broyden_banded(x, neighbors), derivatives, start),
        minimum_kind="published",
        constants=Constants(convex=False),
        residuals=Residuals(_broyden_banded),
        name="broyden_banded",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 31",
    )


def _chebyquad(params: Any) -> Any:
    u = 2 * params - 1
    before, polynomial, terms = 0 * u + 1, u, []
    for degree in range(1, params.size + 1):
        integral = 0.0 if degree % 2 else -1 / (degree**2 - 1)
        terms.append(polynomial.mean() - integral)
        before, polynomial = polynomial, 2 * u * polynomial - before
    return tuple(terms)


def _chebyquad_array(point: np.ndarray) -> np.ndarray:
    return np.array(_chebyquad(point))


def _chebyshev_nodes(dim: int) -> np.ndarray:
    """The nodes of Chebyshev's quadrature with n equal weights on [0, 1], in order.

    Newton's identities turn the moments on [-1, 1] into the polynomial whose zeros they are.
    """
    moments = [dim / (k + 1) if k % 2 == 0 else 0.0 for k in range(1, dim + 1)]
    symmetric = [1.0]
    for k in range(1, dim + 1):
        parts = [(-1) ** i * symmetric[k - 1 - i] * moments[i] for i in range(k)]
        symmetric.append(sum(parts) / k)
    zeros = np.roots([(-1) ** k * e for k, e in enumerate(symmetric)]).real
    derivatives = functools.partial(jacobian, _chebyquad_array)
    return newton_point(_chebyquad_array, derivatives, (np.sort(zeros) + 1) / 2)


def _chebyquad_minimum(dim: int) -> dict[str, Any]:
    if dim > 9 or dim == 8:
        return known_minimum(label_of("chebyquad", dim=dim))
    return {
        "minimum": 0.0,
        "minimizer": _chebyshev_nodes(dim),
        "minimum_kind": "closed form",
    }


@functools.cache
def _chebyquad_trap() -> CriticalPoint:
    """The local minimum in 10 dimensions that the paper prints, two pairs of nodes coinciding."""
    near = np.array([0.06, 0.167, 0.239, 0.399, 0.399, 0.601, 0.601, 0.761, 0.833, 0.94])
    return critical_point("local minimum", _chebyquad_array, near)


def chebyquad(dim: int = 8) -> Problem:
    """Chebyquad: nodes at which the mean of each T_i equals its integral, for i = 1, ..., n.

    f(x) = sum_i (sum_j T_i(x_j) / n - int_0^1 T_i)^2, where T_i is the Chebyshev polynomial shifted
    to [0, 1], of integral 0 for odd i and -1 / (i^2 - 1) for even.

    Dimension: `dim`. Start: x_j = j / (n + 1); other seeds move it by 0.02 times a standard normal.
    x*: for up to 7 unknowns and for 9 the nodes of Chebyshev's quadrature, f* = 0; for 8, where
    these nodes are complex, f* = 3.51687...e-3. For 10 the start leads to the local minimum
    6.50395...e-3, which the paper gives as f*; the best known is 4.77271...e-3. Every permutation
    of a minimizer is as low.
    Constants: none holds globally; not convex.

    Source: More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 35; Fletcher (1965), "Function
    minimization without evaluating derivatives - a review", The Computer Journal 8.

    Args:
        dim: n, the number of nodes, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    require_count("dim", dim, 2)
    return Problem(
        objective=SumOfSquares(_chebyquad),
        start=start_near(np.arange(1.0, dim + 1) / (dim + 1), scale=0.02),
        critical_points=(_chebyquad_trap(),) if dim == 10 else (),
        constants=Constants(convex=False),
        residuals=Residuals(_chebyquad),
        region=((0.0, 1.0), (0.0, 1.0)) if dim == 2 else None,
        name="chebyquad",
        source="More, Garbow & Hillstrom (1981), ACM TOMS 7(1), problem 35",
        **_chebyquad_minimum(dim),
    )
