"""Finite sums that optimizers see through minibatches."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from problems.classification import logistic_breast_cancer


def minibatches(problem: Problem, batch_size: int = 32, num_row_arrays: int = 2) -> Problem:
    """The problem, seen through minibatches; its minimum and its constants stay.

    Args:
        problem: its objective averages a loss over the rows of its first data arrays.
        batch_size: B, rows per sample, drawn with replacement.
        num_row_arrays: how many of the data arrays, from the first, hold one row per loss.

    Raises:
        OptbenchError: the batch size is not between 1 and the number of rows.
    """
    num_rows = int(np.shape(problem.data[0])[0])
    if not 1 <= batch_size <= num_rows:
        raise OptbenchError(
            f"batch_size is {batch_size}, and {problem.name} has {num_rows} rows",
            f"give 1 <= batch_size <= {num_rows}",
        )
    return dataclasses.replace(
        problem,
        sample_loss=_sample_loss(problem.objective, batch_size, num_row_arrays),
        sample_fraction=batch_size / num_rows,
    )


@functools.cache
def _sample_loss(
    objective: Callable[..., Any], batch_size: int, num_row_arrays: int
) -> Callable[..., Any]:
    """The objective on sampled rows: one function, and so one compilation, per argument list."""

    def sample_loss(params: Any, key: jax.Array, *data: Any) -> Any:
        num_rows = data[0].shape[0]
        rows = jax.random.randint(key, (batch_size,), 0, num_rows, dtype=jnp.int32)
        sampled = tuple(array[rows] for array in data[:num_row_arrays])
        return objective(params, *sampled, *data[num_row_arrays:])

    return sample_loss


def logistic_minibatch(batch_size: int = 32, l2: float = 1e-3) -> Problem:
    """Logistic regression of 569 tumors, seen through minibatches.

    f(w) = mean_i log(1 + exp(-y_i x_i.w)) + l2 |w|^2 / 2. A step sees the mean over a batch B drawn
    uniformly with replacement: its gradient is unbiased, of variance V(w) / batch_size, V that of
    one row's.

    Dimension: 31. Start: 0. x*, f*: those of `logistic_breast_cancer`. Constants: L, mu and M of f
    are those there; at x* the variance V does not vanish, so a fixed step does not converge.

    Source: Robbins & Monro (1951), "A stochastic approximation method", Annals of Mathematical
    Statistics 22(3), page 400; data: Street, Wolberg & Mangasarian (1993).

    Args:
        batch_size: rows per step.
        l2: penalty, positive.

    Raises:
        OptbenchError: the batch is empty or larger than the data, or there is no penalty.
    """
    full = dataclasses.replace(logistic_breast_cancer(l2), name="logistic_minibatch")
    return minibatches(full, batch_size)
