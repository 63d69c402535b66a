"""Second moments of stochastic methods on quadratics, step by step and without sampling error.

On f(x) = sum_i p_i f_i(x) with quadratic terms f_i, a step of such a method maps its state z, the
error x - x* and whatever else it remembers, to T_j z, where T_j is drawn at random. Then

    E z z^T  ->  sum_j p_j T_j (E z z^T) T_j^T.

Where the map has a constant part, the last entry of z is 1.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from optbench.case import Case
from optbench.quantity import SQUARED_DISTANCE, SUBOPTIMALITY, Quantity
from optbench.recursion import Path, Recursion


class RandomMap(NamedTuple):
    """z -> T z, with T the mean of independent draws of one of m matrices.

    Attributes:
        matrices: [m, D, D] what is drawn.
        probabilities: [m] of each.
        batch: how many are drawn, with replacement.
    """

    matrices: np.ndarray
    probabilities: np.ndarray
    batch: int = 1


class FiniteSum(NamedTuple):
    """f(x) = sum_i p_i (x.A_i x / 2 + b_i.x) in terms of the error x, with sum_i p_i b_i = 0.

    Attributes:
        hessians: [m, d, d] A_i.
        gradients: [m, d] b_i, the gradients at the minimizer.
        probabilities: [m] p_i, with which a step sees the term i.
        start: [d] x_0 - x*.
    """

    hessians: np.ndarray
    gradients: np.ndarray
    probabilities: np.ndarray
    start: np.ndarray

    @property
    def hessian(self) -> np.ndarray:
        """[d, d] that of f."""
        return np.tensordot(self.probabilities, self.hessians, 1)

    @property
    def noise(self) -> np.ndarray:
        """[d, d] covariance of the gradient of a random term at the minimizer."""
        return np.einsum("i,ia,ib->ab", self.probabilities, self.gradients, self.gradients)


def expectation(of: Quantity) -> Quantity:
    """The expectation of a quantity, which a recursion observes itself."""
    return dataclasses.replace(
        of, name=f"E[{of.name}]", latex=rf"\mathbb{{E}}[{of.latex}]", needs=()
    )


MEAN_SQUARE = expectation(SQUARED_DISTANCE)
MEAN_GAP = expectation(SUBOPTIMALITY)
Observer = Callable[[FiniteSum, np.ndarray], np.ndarray]  # ([T, D, D] moments) -> [T]


def transition(step: RandomMap) -> np.ndarray:
    """[D D, D D] what takes E z z^T, as a vector, one step further: sum_j p_j T_j (x) T_j.

    Of B draws, the pairs of a draw with itself are a share 1 / B; all others are independent.
    """
    matrices, probabilities, batch = step
    count, dim, _ = matrices.shape
    flat = matrices.reshape(count, dim * dim)
    pairs = (probabilities[:, None] * flat).T @ flat
    each = pairs.reshape(4 * (dim,)).transpose(0, 2, 1, 3).reshape(2 * (dim * dim,))
    if batch == 1:
        return each
    mean = np.tensordot(probabilities, matrices, 1)
    return each / batch + (1 - 1 / batch) * np.kron(mean, mean)


def second_moments(start: np.ndarray, steps: Iterable[RandomMap]) -> np.ndarray:
    """[T + 1, D, D] E z_k z_k^T from z_0 = start on, T steps."""
    moment = np.outer(start, start).ravel()
    moments = [moment]
    before, matrix = None, np.empty(0)
    for step in steps:
        if step is not before:
            before, matrix = step, transition(step)
        moment = matrix @ moment
        moments.append(moment)
    return np.reshape(moments, (-1, len(start), len(start)))


def lifted(start: np.ndarray) -> np.ndarray:
    """[d + 1] the start, and the last entry 1."""
    return np.append(start, 1.0)


def descent(terms: FiniteSum, learning_rate: float, batch: int = 1) -> RandomMap:
    """x -> x - eta (A_i x + b_i), on the state (x, 1)."""
    count, dim = terms.gradients.shape
    matrices = np.tile(np.eye(dim + 1), (count, 1, 1))
    matrices[:, :dim, :dim] -= learning_rate * terms.hessians
    matrices[:, :dim, dim] = -learning_rate * terms.gradients
    return RandomMap(matrices, terms.probabilities, batch)


def with_sum(step: RandomMap, dim: int) -> RandomMap:
    """The map on the state (s, z), where s sums up the first entries of z that it has left."""
    count, size, _ = step.matrices.shape
    matrices = np.zeros((count, dim + size, dim + size))
    matrices[:, :dim, :dim] = np.eye(dim)
    matrices[:, :dim, dim : 2 * dim] = np.eye(dim)
    matrices[:, dim:, dim:] = step.matrices
    return step._replace(matrices=matrices)


def squared_distance(terms: FiniteSum, moments: np.ndarray) -> np.ndarray:
    """[T] E |x - x*|^2, of the first entries of the state."""
    dim = len(terms.start)
    return np.trace(moments[:, :dim, :dim], axis1=1, axis2=2)


def suboptimality(terms: FiniteSum, moments: np.ndarray) -> np.ndarray:
    """[T] E f(x) - f*, of the first entries of the state."""
    dim = len(terms.start)
    return np.tensordot(moments[:, :dim, :dim], terms.hessian, 2) / 2


def scheduled(
    step: Callable[[float], RandomMap],
    num_steps: int,
    learning_rate: float,
    power: float = 0.0,
    offset: float = 0.0,
) -> Iterator[RandomMap]:
    """What a step of length eta / (c + j)^q does, for j = 1, 2, ..., num_steps."""
    if not power:
        return itertools.repeat(step(learning_rate), num_steps)
    rates = learning_rate / (offset + np.arange(1.0, num_steps + 1)) ** power
    return map(step, rates)


def sgd(observe: Observer = squared_distance) -> Recursion:
    """SGD; its hyperparameters are those of `scheduled`, and the batch B."""

    def follow(
        case: Case, k: np.ndarray, learning_rate: float, batch: int = 1, **schedule: float
    ) -> Path:
        terms: FiniteSum = case.data

        def step(rate: float) -> RandomMap:
            return descent(terms, rate, batch)

        steps = scheduled(step, int(k[-1]), learning_rate, **schedule)
        return Path(observe(terms, second_moments(lifted(terms.start), steps)[k]))

    return Recursion("moments of SGD", follow)


def averaged_sgd(observe: Observer) -> Recursion:
    """The mean of the first k points x_0, ..., x_{k-1} of SGD."""

    def follow(case: Case, k: np.ndarray, learning_rate: float, **schedule: float) -> Path:
        terms: FiniteSum = case.data
        dim = len(terms.start)

        def step(rate: float) -> RandomMap:
            return with_sum(descent(terms, rate), dim)

        steps = scheduled(step, int(k[-1]), learning_rate, **schedule)
        start = np.concatenate([np.zeros(dim), lifted(terms.start)])
        return Path(observe(terms, second_moments(start, steps)[k]) / k**2)

    return Recursion("moments of averaged SGD", follow)
