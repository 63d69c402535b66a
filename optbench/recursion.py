"""A process that theory defines and no optimizer runs on a problem: moments, a game, a flow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np


class Path(NamedTuple):
    """What a recursion went through.

    Attributes:
        observed: [T] the theorem's quantity at the steps k.
        symbols: letter -> [T] values along the path that the bound is made of.
        rounding: [T] absolute rounding error of what is observed, beyond a relative one.
    """

    observed: np.ndarray
    symbols: Mapping[str, np.ndarray] = {}
    rounding: np.ndarray | float = 0.0


class Observation(NamedTuple):
    """A run next to its bound.

    Attributes:
        observed: [T] the theorem's quantity at the steps k; NaN where the run has none.
        bound: [T] the bound there.
        rounding: [T] absolute rounding error of what is observed.
        roundings: [T] how many roundings x_k has gathered.
    """

    observed: np.ndarray
    bound: np.ndarray
    rounding: np.ndarray
    roundings: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Recursion:
    """A process that is followed as its definition says, step by step.

    Attributes:
        label: what it is, in the tables: "moments of SGD".
        follow: (case or problem, k [T], **steps) -> the path at the steps k.
    """

    label: str
    follow: Callable[..., Path]
