"""Factorizations: matrices as products, and a signal from the moduli of its projections."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import start_near
from optbench.transforms.minibatches import minibatches
from problems.draws import data_rng, orthonormal


def _factor_residuals(params: Any, matrix: Any) -> Any:
    left, right = params
    return left @ right.T - matrix


def _factor_loss(params: Any, matrix: Any) -> Any:
    return jnp.sum(_factor_residuals(params, matrix) ** 2) / 2


def matrix_factorization(
    num_rows: int = 10, num_columns: int = 8, rank: int = 2, decay: float = 0.7, seed: int = 0
) -> Problem:
    """The best approximation of a matrix by one of low rank: f(U, V) = |U V^T - M|_F^2 / 2.

    M has singular values s_i = decay^(i - 1), i = 1, 2, ..., and random singular vectors u_i, v_i.

    Dimension: (`num_rows` + `num_columns`) x `rank`, params (U, V). Start: entries drawn normally
    with variance 1 / 25, near the saddle at 0; other seeds move it by 0.1 times a standard normal.
    x*: the columns sqrt(s_i) u_i and sqrt(s_i) v_i, i <= rank; U A, V A^-T are as good for every
    invertible A. f* = sum over i > rank of s_i^2 / 2.
    Constants: none holds globally; f is not convex. Every critical point is a minimizer or a strict
    saddle. Saddles listed: 0, where f = sum_i s_i^2 / 2, and x* with its last pair replaced by the
    next, i = rank + 1.

    Source: Eckart & Young (1936), "The approximation of one matrix by another of lower rank",
    Psychometrika 1(3), pages 211-218; saddles: Baldi & Hornik (1989), "Neural networks and
    principal component analysis", Neural Networks 2(1), pages 53-58.

    Args:
        num_rows: of M.
        num_columns: of M.
        rank: columns of U and V; at least 1, and below the rank of M.
        decay: ratio of successive singular values, above 0 and below 1.
        seed: of the singular vectors.

    Raises:
        OptbenchError: the rank or the decay is out of range.
    """
    full_rank = min(num_rows, num_columns)
    if not (1 <= rank < full_rank and 0 < decay < 1):
        raise OptbenchError(
            f"no factorization of rank {rank} and decay {decay} of {num_rows} x {num_columns}",
            "give 1 <= rank < min(num_rows, num_columns) and 0 < decay < 1",
        )
    rng, values = data_rng(seed), decay ** np.arange(full_rank)
    left, right = orthonormal(rng, num_rows, full_rank), orthonormal(rng, num_columns, full_rank)
    columns_left, columns_right = left * np.sqrt(values), right * np.sqrt(values)
    wrong = np.array([*range(rank - 1), rank])
    zero = np.zeros((num_rows, rank)), np.zeros((num_columns, rank))
    swapped = columns_left[:, wrong], columns_right[:, wrong]
    half_squares = values**2 / 2
    return Problem(
        objective=_factor_loss,
        data=(left * values @ right.T,),
        start=start_near(tuple(0.2 * rng.standard_normal(part.shape) for part in zero)),
        minimum=float(np.sum(half_squares[rank:])),
        minimizer=(columns_left[:, :rank], columns_right[:, :rank]),
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("saddle", float(np.sum(half_squares)), zero),
            CriticalPoint("saddle", float(np.sum(np.delete(half_squares, wrong))), swapped),
        ),
        constants=Constants(convex=False),
        residuals=_factor_residuals,
        name="matrix_factorization",
        source="Eckart & Young (1936), Psychometrika 1(3), pages 211-218",
    )


def _symmetric_residuals(factor: Any, matrix: Any) -> Any:
    return (factor @ factor.T - matrix) / jnp.sqrt(2.0)


def _symmetric_loss(factor: Any, matrix: Any) -> Any:
    return jnp.sum(_symmetric_residuals(factor, matrix) ** 2) / 2


def symmetric_factorization(
    dim: int = 10, rank: int = 2, decay: float = 0.7, seed: int = 0
) -> Problem:
    """The best approximation of a positive matrix by a square: f(U) = |U U^T - M|_F^2 / 4.

    M has eigenvalues s_i = decay^(i - 1), i = 1, 2, ..., and random eigenvectors v_i.

    Dimension: `dim` x `rank`. Start: entries drawn normally with variance 1 / 25, near the maximum
    at 0; other seeds move it by 0.1 times a standard normal. x*: the columns sqrt(s_i) v_i,
    i <= rank, and U Q for every orthogonal Q. f* = sum over i > rank of s_i^2 / 4.
    Constants: none holds globally; f is not convex. Every critical point but the minimizers is a
    strict saddle or the maximum 0, where f = sum_i s_i^2 / 4. Listed besides: the saddle with the
    last column of x* replaced by the next, i = rank + 1.

    Source: Ge, Jin & Zheng (2017), "No spurious local minima in nonconvex low rank problems: a
    unified geometric analysis", ICML, PMLR 70.

    Args:
        dim: rows of U.
        rank: columns of U, at least 1 and below `dim`.
        decay: ratio of successive eigenvalues, above 0 and below 1.
        seed: of the eigenvectors.

    Raises:
        OptbenchError: the rank or the decay is out of range.
    """
    if not (1 <= rank < dim and 0 < decay < 1):
        raise OptbenchError(
            f"no factorization of rank {rank} and decay {decay} in dimension {dim}",
            "give 1 <= rank < dim and 0 < decay < 1",
        )
    rng, values = data_rng(seed), decay ** np.arange(dim)
    vectors = orthonormal(rng, dim, dim)
    columns, quarter_squares = vectors * np.sqrt(values), values**2 / 4
    wrong = np.array([*range(rank - 1), rank])
    zero = np.zeros((dim, rank))
    return Problem(
        objective=_symmetric_loss,
        data=(vectors * values @ vectors.T,),
        start=start_near(0.2 * rng.standard_normal((dim, rank))),
        minimum=float(np.sum(quarter_squares[rank:])),
        minimizer=columns[:, :rank],
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("maximum", float(np.sum(quarter_squares)), zero),
            CriticalPoint(
                "saddle", float(np.sum(np.delete(quarter_squares, wrong))), columns[:, wrong]
            ),
        ),
        constants=Constants(convex=False),
        residuals=_symmetric_residuals,
        name="symmetric_factorization",
        source="Ge, Jin & Zheng (2017), PMLR 70",
    )


def _excess(signal: Any, real: Any, imaginary: Any, intensities: Any) -> Any:
    """|<a_i, x>|^2 - y_i."""
    projections = jax.lax.complex(real, -imaginary) @ signal
    return projections.real**2 + projections.imag**2 - intensities


def _intensity_residuals(signal: Any, *data: Any) -> Any:
    return _excess(signal, *data) / jnp.sqrt(2.0 * data[-1].shape[0])


def _intensity_loss(signal: Any, *data: Any) -> Any:
    return jnp.mean(_excess(signal, *data) ** 2) / 4


def phase_retrieval(
    num_samples: int = 60, dim: int = 8, seed: int = 0, *, batch_size: int | None = None
) -> Problem:
    """A complex signal from intensities: f(x) = mean_i (|<a_i, x>|^2 - y_i)^2 / 4.

    a_i is complex standard normal, and y_i = |<a_i, x*>|^2 for a planted x* of length 1.

    Dimension: `dim` complex numbers. Start: drawn like x*, of length 1; other seeds move its real
    part by 0.1 times a standard normal. x*: planted, known up to a phase, x* exp(i t); f* = 0.
    Constants: none holds globally; f is a quartic and not convex. 0 is the maximum along every
    line through it, with f = mean_i y_i^2 / 4.

    Source: Candes, Li & Soltanolkotabi (2015), "Phase retrieval via Wirtinger flow: theory and
    algorithms", IEEE Transactions on Information Theory 61(4), pages 1985-2007.

    Args:
        num_samples: number of intensities; above 4 `dim` - 4 they determine x* generically.
        dim: length of the signal.
        seed: of the signal and the vectors.
        batch_size: rows per sampled gradient; None for all.

    Raises:
        OptbenchError: no dimension, or fewer intensities than real unknowns.
    """
    if dim < 1 or num_samples < 2 * dim:
        raise OptbenchError(
            f"{num_samples} intensities for {dim} complex unknowns",
            "give dim >= 1 and num_samples >= 2 dim (4 dim for a unique signal)",
        )
    rng = data_rng(seed)
    real, imaginary = rng.standard_normal((2, num_samples, dim)) / np.sqrt(2)
    signal, start = (_unit(rng.standard_normal((2, dim))) for _ in range(2))
    intensities = np.abs((real - 1j * imaginary) @ signal) ** 2
    problem = Problem(
        objective=_intensity_loss,
        data=(real, imaginary, intensities),
        start=start_near(start),
        minimum=0.0,
        minimizer=signal,
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("maximum", float(np.mean(intensities**2) / 4), np.zeros_like(signal)),
        ),
        constants=Constants(convex=False),
        residuals=_intensity_residuals,
        row_arrays=3,
        name="phase_retrieval",
        source="Candes, Li & Soltanolkotabi (2015), IEEE Trans. Inf. Theory 61(4)",
    )
    return minibatches(problem, batch_size)


def _unit(parts: np.ndarray) -> np.ndarray:
    """A complex vector of length 1."""
    vector = parts[0] + 1j * parts[1]
    return vector / np.linalg.norm(vector)
