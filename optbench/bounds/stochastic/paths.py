"""Every path of a random process with few outcomes per step, and how likely it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np


def all_paths(
    start: np.ndarray,
    step: Callable[[np.ndarray, int], np.ndarray],
    probabilities: np.ndarray,
    num_steps: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Where a process may be after 0, 1, ..., num_steps steps.

    Args:
        start: [d] where it is at first.
        step: ([P, d] points, j) -> [P, m, d] where step j = 1, 2, ... may lead.
        probabilities: [m] of each outcome.
        num_steps: there are m^num_steps paths in the end.

    Yields:
        [P, d] the points, one per path, and [P] the probability of each path.
    """
    points, weights = np.asarray(start, float)[None], np.ones(1)
    yield points, weights
    for j in range(1, num_steps + 1):
        points = step(points, j).reshape(-1, points.shape[1])
        weights = np.outer(weights, probabilities).ravel()
        yield points, weights
