"""What gradient methods with constant steps do along an eigenvector of a quadratic, exactly.

Along one of curvature h the distance c_k = v^T (x_k - x*) follows a linear recursion of its own,
whatever the method does along the others. To add one, write a function here that is named as its
optimizer and takes h and, by their names, the hyperparameters it needs.

Source: Polyak (1987), "Introduction to Optimization", chapters 1.4 and 3.2; Lessard, Recht &
Packard (2016), SIAM J. Optim. 26(1), section 4, for `nesterov`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class ModeRecursion(NamedTuple):
    """c_1 = first c_0, and c_{k+1} = last c_k + before c_{k-1}.

    Attributes:
        first: [M], one per mode, as the others; or numbers.
        last: the share of c_k.
        before: the share of c_{k-1}.
    """

    first: Any
    last: Any
    before: Any

    @property
    def polynomial(self) -> tuple[Any, ...]:
        """Coefficients in z of the characteristic polynomial, the highest power first."""
        return 1.0, -self.last, -self.before


def gradient_descent(h: Any, learning_rate: float) -> ModeRecursion:
    """c_{k+1} = (1 - eta h) c_k."""
    kept = 1 - learning_rate * h
    return ModeRecursion(kept, kept, 0 * kept)


def momentum(h: Any, learning_rate: float, momentum: float) -> ModeRecursion:
    """c_{k+1} = (1 + beta - eta h) c_k - beta c_{k-1} from c_{-1} = c_0."""
    kept = 1 - learning_rate * h
    return ModeRecursion(kept, kept + momentum, -momentum + 0 * kept)


def nesterov(h: Any, learning_rate: float, momentum: float) -> ModeRecursion:
    """c_{k+1} = (1 - eta h) ((1 + beta) c_k - beta c_{k-1}) of the extrapolated points.

    The first step is one of (1 + beta) eta, as the method begins at rest.
    """
    kept = 1 - learning_rate * h
    first = 1 - (1 + momentum) * learning_rate * h
    return ModeRecursion(first, (1 + momentum) * kept, -momentum * kept)


_KNOWN: dict[str, Callable[..., ModeRecursion]] = {
    known.__name__: known for known in (gradient_descent, momentum, nesterov)
}


def recursion_of(name: str, settings: Mapping[str, Any], curvatures: Any) -> ModeRecursion | None:
    """The recursion of an optimizer at these curvatures; None where it follows none.

    Args:
        name: of the optimizer, without wrappers.
        settings: hyperparameter -> its value.
        curvatures: [M] eigenvalues.
    """
    known = _KNOWN.get(name)
    if known is None:
        return None
    needed = list(inspect.signature(known).parameters)[1:]
    return known(curvatures, **{name: settings[name] for name in needed})


def follow(recursion: ModeRecursion, start: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """[T, M] the c_k of some modes at the steps k, which ascend from 0.

    Args:
        recursion: of each mode.
        start: [M] c_0.
        steps: [T].
    """
    companion = np.zeros((len(start), 2, 2))
    companion[:, 0, 0], companion[:, 0, 1] = recursion.last, recursion.before
    companion[:, 1, 0] = 1.0
    state = np.stack([recursion.first * start, start], axis=-1)[..., None]  # (c_1, c_0)
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        for gap in np.diff(steps, prepend=0):
            state = np.linalg.matrix_power(companion, int(gap)) @ state
            found.append(state[:, 1, 0])
    return np.array(found)


def spread(num_modes: int, most: int) -> np.ndarray:
    """Indices of at most so many of the modes, evenly spread, with the first and the last."""
    return np.unique(np.round(np.linspace(0, num_modes - 1, min(most, num_modes))).astype(int))


def coefficients(
    points: np.ndarray, stationary: np.ndarray, vectors: Sequence[np.ndarray] | np.ndarray
) -> np.ndarray:
    """[T, M] the v^T (x_t - x*) of points [T, d] along vectors [M, d]."""
    return (points - stationary) @ np.asarray(vectors).T
