"""Quadratic functions of chosen spectrum, and the quadratic saddle."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.linalg import eigvalsh_tridiagonal, hilbert, invhilbert

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from problems.draws import data_rng, orthonormal
from problems.spectra import quadratic_constants

SPECTRA = "log", "linear", "clustered", "outliers", "power_law"


def _dense_form(params: Any, hessian: Any, minimizer: Any) -> Any:
    offset = params - minimizer
    return offset @ (hessian @ offset) / 2


def _diagonal_form(params: Any, curvatures: Any, minimizer: Any) -> Any:
    return jnp.sum(curvatures * (params - minimizer) ** 2) / 2


def _chain(params: Any, stiffness: Any, end: Any, strong_convexity: Any) -> Any:
    """s / 8 (x_1^2 + sum_i (x_{i+1} - x_i)^2 + end x_n^2 - 2 x_1) + mu |x|^2 / 2."""
    links = params[0] ** 2 + jnp.sum(jnp.diff(params) ** 2) + end * params[-1] ** 2
    return stiffness / 8 * (links - 2 * params[0]) + strong_convexity / 2 * jnp.sum(params**2)


def _eigenvalues(spectrum: str, dim: int, condition_number: float) -> np.ndarray:
    """[dim] from 1 down to 1 / condition_number, both among them."""
    least = 1.0 / condition_number
    if spectrum == "log":
        return np.geomspace(1.0, least, dim)
    if spectrum == "linear":
        return np.linspace(1.0, least, dim)
    if spectrum == "clustered":
        values = np.array([1.0, np.sqrt(least), least])
        return values[np.round(np.linspace(0, 2, dim)).astype(int)]
    if spectrum == "outliers":
        num_outliers = max(1, dim // 10)
        bulk = np.linspace(min(1.0, 2 * least), least, dim - num_outliers)
        bulk[-1:] = least
        return np.concatenate([np.ones(num_outliers), bulk])
    ranks = np.arange(1.0, dim + 1)
    return least ** (np.log(ranks) / np.log(max(dim, 2)))


def quadratic(
    dim: int = 100,
    condition_number: float = 10.0,
    rotated: bool = True,
    seed: int = 0,
    *,
    spectrum: str = "log",
) -> Problem:
    """f(x) = (x - x*)^T A (x - x*) / 2, with A's eigenvalues spread over [1 / kappa, 1].

    Spectra: `log` and `linear` are evenly spaced; `clustered` has three eigenvalues (1,
    kappa^(-1/2), 1 / kappa), so that CG ends after three steps; `outliers` has one in ten at 1, and
    the others in [1 / kappa, 2 / kappa]; `power_law` has the i-th proportional to i^-a.

    Dimension: `dim`. Start: 0 for seed 0, standard normal for the others. x*: standard normal,
    drawn from the seed of the problem; f* = 0.
    Constants: L = 1 and mu = 1 / kappa are A's extreme eigenvalues, both attained; M = 0.
    Rotated, A is dense, in a basis drawn uniformly (Haar); else diagonal, and held as a vector.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 2.1.3.

    Args:
        dim: number of unknowns.
        condition_number: kappa.
        rotated: whether A is dense.
        seed: of the basis and of x*.
        spectrum: log, linear, clustered, outliers or power_law.

    Raises:
        OptbenchError: no such spectrum, or no such condition number in this dimension.
    """
    if spectrum not in SPECTRA:
        raise OptbenchError(f"no spectrum {spectrum!r}", f"give one of {', '.join(SPECTRA)}")
    if not 1 <= condition_number < np.inf or dim < 1 or (dim == 1 and condition_number != 1):
        raise OptbenchError(
            f"no quadratic in {dim} dimensions has condition number {condition_number}",
            "give dim >= 2 and condition_number >= 1",
        )
    rng = data_rng(seed)
    minimizer = rng.standard_normal(dim)
    eigenvalues = _eigenvalues(spectrum, dim, condition_number)
    curvature = eigenvalues
    if rotated:
        basis = orthonormal(rng, dim, dim)
        product = basis * eigenvalues @ basis.T
        curvature = (product + product.T) / 2
    return Problem(
        objective=_dense_form if rotated else _diagonal_form,
        data=(curvature, minimizer),
        start=start_near(np.zeros(dim), scale=1.0),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=quadratic_constants(1.0, 1.0 / condition_number),
        name="quadratic",
        source="Nesterov (2018), section 2.1.3",
    )


def paraboloid(dim: int = 2) -> Problem:
    """f(x) = |x|^2 / 2, on which one gradient step of size 1 ends at x*.

    Dimension: `dim`. Start: (1, ..., 1); other seeds move it by 0.1 times a standard normal.
    x* = 0, f* = 0. Constants: L = mu = 1, attained; M = 0.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 2.1.3.

    Args:
        dim: number of unknowns.

    Raises:
        OptbenchError: no dimension.
    """
    if dim < 1:
        raise OptbenchError(f"no paraboloid in {dim} dimensions", "give dim >= 1")
    return Problem(
        objective=_diagonal_form,
        data=(np.ones(dim), np.zeros(dim)),
        start=start_near(np.ones(dim)),
        minimum=0.0,
        minimizer=np.zeros(dim),
        minimum_kind="closed form",
        constants=quadratic_constants(1.0, 1.0),
        region=((-1.5, 1.5), (-1.5, 1.5)) if dim == 2 else None,
        name="paraboloid",
        source="Nesterov (2018), section 2.1.3",
    )


def ill_conditioned_bowl(condition_number: float = 10.0) -> Problem:
    """f(x) = (x_1^2 + kappa x_2^2) / 2, from the start that exact line searches find hardest.

    Gradient descent with exact line search zigzags: with r = (kappa - 1) / (kappa + 1) it visits
    x_k = (kappa r^k, (-r)^k), and each step leaves exactly the share r^2 of f, the worst that
    Kantorovich's inequality allows.

    Dimension: 2. Start: (kappa, 1); other seeds move it by 0.1 times a standard normal.
    x* = 0, f* = 0. Constants: L = kappa and mu = 1, attained; M = 0.

    Source: Boyd & Vandenberghe (2004), "Convex Optimization", section 9.3.2.

    Args:
        condition_number: kappa, at least 1.

    Raises:
        OptbenchError: the condition number is below 1.
    """
    if not 1 <= condition_number < np.inf:
        raise OptbenchError(f"condition_number is {condition_number}", "give condition_number >= 1")
    return Problem(
        objective=_diagonal_form,
        data=(np.array([1.0, condition_number]), np.zeros(2)),
        start=start_near(np.array([condition_number, 1.0])),
        minimum=0.0,
        minimizer=np.zeros(2),
        minimum_kind="closed form",
        constants=quadratic_constants(condition_number, 1.0),
        region=((-0.6 * condition_number, 1.1 * condition_number), (-4.0, 4.0)),
        name="ill_conditioned_bowl",
        source="Boyd & Vandenberghe (2004), section 9.3.2",
    )


def hilbert_matrix(dim: int = 5) -> Problem:
    """f(x) = (x - x*)^T H (x - x*) / 2 with Hilbert's matrix H_ij = 1 / (i + j - 1).

    The condition number is 4.8e5 for n = 5 and 1.6e13 for n = 10, where rounding costs CG and
    quasi-Newton methods their finite termination.

    Dimension: `dim`. Start: 0; other seeds move it by a standard normal. x* = (1, ..., 1), f* = 0.
    Constants: L = lambda_max(H); mu = 1 / lambda_max(H^-1), whose entries are integers, so that it
    keeps its digits; both attained; M = 0.

    Source: Hilbert (1894), "Ein Beitrag zur Theorie des Legendre'schen Polynoms", Acta Mathematica
    18, pages 155-159.

    Args:
        dim: number of unknowns, from 1 to 14, where floats hold the inverse exactly.

    Raises:
        OptbenchError: a dimension out of range.
    """
    if not 1 <= dim <= 14:
        raise OptbenchError(f"no Hilbert matrix for dim {dim}", "give 1 <= dim <= 14")
    matrix = hilbert(dim)
    least = 1 / np.linalg.eigvalsh(invhilbert(dim))[-1]
    return Problem(
        objective=_dense_form,
        data=(matrix, np.ones(dim)),
        start=start_near(np.zeros(dim), scale=1.0),
        minimum=0.0,
        minimizer=np.ones(dim),
        minimum_kind="closed form",
        constants=quadratic_constants(np.linalg.eigvalsh(matrix)[-1], least),
        name="hilbert_matrix",
        source="Hilbert (1894), Acta Mathematica 18, pages 155-159",
    )


def nesterov_worst_smooth(dim: int = 21, smoothness: float = 1.0) -> Problem:
    """Nesterov's worst smooth convex function, a chain whose end a gradient pulls.

    f(x) = L/4 ([x_1^2 + sum_i (x_i - x_{i+1})^2 + x_n^2] / 2 - x_1). From 0, a step in the span of
    past gradients makes one more coordinate nonzero, so that no such method can have
    f(x_k) - f* below 3 L |x_0 - x*|^2 / (32 (k + 1)^2) after k = (n - 1) / 2 steps.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal, and off the
    worst case. x*_i = 1 - i / (n + 1), f* = L/8 (1 / (n + 1) - 1).
    Constants: the Hessian is L/4 times the matrix with 2 on its diagonal and -1 beside it, of
    eigenvalues L/2 (1 - cos(j pi / (n + 1))): its extremes, below L and above 0, are attained;
    M = 0.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 2.1.2, theorem 2.1.7.

    Args:
        dim: n, number of unknowns.
        smoothness: L, positive.

    Raises:
        OptbenchError: no dimension, or an L that is not positive.
    """
    if dim < 1 or not 0 < smoothness < np.inf:
        raise OptbenchError(
            f"dim is {dim} and smoothness {smoothness}", "give dim >= 1 and smoothness > 0"
        )
    half_angle = np.pi / (2 * (dim + 1))
    return Problem(
        objective=_chain,
        data=(np.float64(smoothness), np.float64(1.0), np.float64(0.0)),
        start=start_near(np.zeros(dim)),
        minimum=-smoothness * dim / (8 * (dim + 1)),
        minimizer=1 - np.arange(1, dim + 1) / (dim + 1),
        minimum_kind="closed form",
        constants=quadratic_constants(
            smoothness * np.cos(half_angle) ** 2, smoothness * np.sin(half_angle) ** 2
        ),
        name="nesterov_worst_smooth",
        source="Nesterov (2018), section 2.1.2, theorem 2.1.7",
    )


def nesterov_worst_strong(
    dim: int = 40, condition_number: float = 100.0, smoothness: float = 1.0
) -> Problem:
    """Nesterov's worst strongly convex function, cut off after n coordinates.

    f(x) = (L - mu) / 8 (x_1^2 + sum_i (x_i - x_{i+1})^2 + e x_n^2 - 2 x_1) + mu |x|^2 / 2, with
    mu = L / kappa. The published chain has no end; e = 2 / (sqrt(kappa) + 1) ends it such that
    x* keeps its form. From 0, a method that steps in the span of past gradients has
    |x_k - x*|^2 >= q^(2 k) |x_0 - x*|^2, less a share q^(2 n) that is lost beyond the end.

    Dimension: `dim`. Start: 0; other seeds move it by 0.1 times a standard normal, and off the
    worst case. x*_i = q^i with q = (sqrt(kappa) - 1) / (sqrt(kappa) + 1), f* = -(L - mu) q / 8.
    Constants: the extreme eigenvalues of the tridiagonal Hessian, attained; they lie in [mu, L],
    and reach its ends as n grows; M = 0.

    Source: Nesterov (2018), "Lectures on Convex Optimization", section 2.1.4, theorem 2.1.13.

    Args:
        dim: n, number of unknowns, at least 2.
        condition_number: kappa, above 1.
        smoothness: L, positive.

    Raises:
        OptbenchError: fewer than 2 dimensions, a condition number of 1 or less, or no L.
    """
    if dim < 2 or not 1 < condition_number < np.inf or not 0 < smoothness < np.inf:
        raise OptbenchError(
            f"dim is {dim}, condition_number {condition_number} and smoothness {smoothness}",
            "give dim >= 2, condition_number > 1 and smoothness > 0",
        )
    root, strong_convexity = np.sqrt(condition_number), smoothness / condition_number
    excess, end = condition_number - 1, 2 / (root + 1)
    stiffness, ratio = excess * strong_convexity, excess / (root + 1) ** 2  # without cancellation
    diagonal = np.full(dim, stiffness / 2 + strong_convexity)
    diagonal[-1] = stiffness / 4 * (1 + end) + strong_convexity
    spectrum = np.asarray(eigvalsh_tridiagonal(diagonal, np.full(dim - 1, -stiffness / 4)))
    return Problem(
        objective=_chain,
        data=(np.float64(stiffness), np.float64(end), np.float64(strong_convexity)),
        start=start_near(np.zeros(dim)),
        minimum=float(-stiffness * ratio / 8),
        minimizer=ratio ** np.arange(1.0, dim + 1),
        minimum_kind="closed form",
        constants=quadratic_constants(spectrum[-1], spectrum[0]),
        name="nesterov_worst_strong",
        source="Nesterov (2018), section 2.1.4, theorem 2.1.13",
    )


def saddle(dim: int = 2) -> Problem:
    """f(x) = (x_1^2 + ... + x_{n-1}^2 - x_n^2) / 2: a saddle at 0 with one way out.

    Dimension: `dim`. Start: (1, ..., 1, 1e-3), near the stable manifold x_n = 0; other seeds move
    it by 1e-3. x*, f*: none, f is unbounded below; the saddle's value is 0, and to escape is to
    fall as far below it as the start lies above.
    Constants: L = 1, attained; the curvature is -1 along x_n; M = 0.
    Gradient descent with step h needs about log(1e3) / log(1 + h) steps to escape.

    Source: Jin et al. (2017), "How to escape saddle points efficiently", ICML, section 1.

    Args:
        dim: number of unknowns, at least 2.

    Raises:
        OptbenchError: fewer than 2 dimensions.
    """
    if dim < 2:
        raise OptbenchError(f"no saddle in {dim} dimensions", "give dim >= 2")
    curvatures = np.ones(dim)
    curvatures[-1] = -1.0
    start = np.ones(dim)
    start[-1] = 1e-3
    return Problem(
        objective=_diagonal_form,
        data=(curvatures, np.zeros(dim)),
        start=start_near(start, scale=1e-3),
        saddle=0.0,
        bounded_below=False,
        constants=Constants(
            smoothness=1.0, hessian_lipschitz=0.0, convex=False, quadratic=True, sharp=True
        ),
        critical_points=(CriticalPoint("saddle", 0.0, np.zeros(dim)),),
        region=((-1.5, 1.5), (-1.5, 1.5)) if dim == 2 else None,
        name="saddle",
        source="Jin et al. (2017), ICML, section 1",
    )
