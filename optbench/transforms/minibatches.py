"""Finite sums that optimizers see through minibatches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.transforms.wrapper import label


@dataclasses.dataclass(frozen=True)
class SampledRows:
    """The objective on rows drawn with replacement: equal, and so compiled once, where it is.

    Attributes:
        objective: f(params, *data), a mean over the rows of its first data arrays.
        batch_size: B, rows per sample.
        row_arrays: how many of the data arrays hold rows.
    """

    objective: Callable[..., Any]
    batch_size: int
    row_arrays: int

    def rows(self, key: jax.Array, *data: Any) -> jax.Array:
        """[B] the rows of this key."""
        num_rows = data[0].shape[0]
        return jax.random.randint(key, (self.batch_size,), 0, num_rows, dtype=jnp.int32)

    def __call__(self, params: Any, key: jax.Array, *data: Any) -> Any:
        """f on the rows of this key."""
        rows = self.rows(key, *data)
        sampled = tuple(array[rows] for array in data[: self.row_arrays])
        return self.objective(params, *sampled, *data[self.row_arrays :])


def minibatches(problem: Problem, batch_size: int | None = 32) -> Problem:
    """The problem, seen through minibatches; its minimum and its constants stay.

    A step sees the mean over B rows drawn uniformly with replacement: its gradient is unbiased, of
    variance V / B with V that of one row's.

    Source: Robbins & Monro (1951), "A stochastic approximation method", Annals of Mathematical
    Statistics 22(3), page 400.

    Args:
        problem: a finite sum, with `row_arrays` set.
        batch_size: B; None leaves the problem as it is.

    Raises:
        OptbenchError: the problem is no finite sum, or the batch size is not between 1 and the
            number of rows.
    """
    if batch_size is None:
        return problem
    if not problem.row_arrays:
        raise OptbenchError(
            f"problem {problem.name!r} is no finite sum",
            "set Problem.row_arrays, or add noise to its gradients: noisy(problem)",
        )
    num_rows = int(np.shape(problem.data[0])[0])
    if not 1 <= batch_size <= num_rows:
        raise OptbenchError(
            f"batch_size is {batch_size}, and {problem.name} has {num_rows} rows",
            f"give 1 <= batch_size <= {num_rows}",
        )
    constants = problem.constants
    if problem.stochastic:  # its noise variance is that of other samples
        constants = dataclasses.replace(constants, noise_variance=None)
    return dataclasses.replace(
        problem,
        constants=constants,
        sample_loss=SampledRows(problem.objective, batch_size, problem.row_arrays),
        sample_fraction=batch_size / num_rows,
        name=label(minibatches, problem, batch_size=batch_size),
    )
