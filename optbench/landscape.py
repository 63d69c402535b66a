"""What a problem looks like where optimizers went: a plane, its critical points, its modes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np

PointKind = Literal["minimum", "saddle", "maximum", "degenerate"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PlanePath:
    """The path of one optimizer, seen from the plane.

    Attributes:
        setting: index of its setting among those of its trajectory.
        steps: [T] step of each point.
        points: [T, 2] coordinates of its points, projected on the plane.
        off_plane: [T] distance from the plane over the distance from its center, in [0, 1]; 0 at
            the center itself.
    """

    setting: int
    steps: np.ndarray
    points: np.ndarray
    off_plane: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """The plane through parameter space that holds most of the paths, and f on it.

    Attributes:
        center: [d] real coordinates of its origin.
        is_minimizer: whether that is x*; else the mean of the points.
        directions: [2, d] orthonormal; the first one explains most.
        explained: [k] shares of the variance along the leading directions; the first two are those
            of the plane.
        x: [n] first coordinates of the grid.
        y: [m] second coordinates of the grid.
        values: [m, n] with values[i, j] = f(center + x[j] directions[0] + y[i] directions[1]).
        paths: optimizer -> its path.
        left_out: optimizers whose points did not count, as they diverged or ran too far; those
            that are finite have their paths all the same.
    """

    center: np.ndarray
    is_minimizer: bool
    directions: np.ndarray
    explained: np.ndarray
    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    paths: Mapping[str, PlanePath]
    left_out: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class CriticalPoints:
    """Where the gradient vanishes in the region of a problem in two dimensions, lowest f first.

    Attributes:
        points: [C, 2].
        values: [C] f there.
        kinds: [C] by the signs of the Hessian's eigenvalues; degenerate where one is 0 to rounding.
        num_found: how many were found, of which the lowest are kept.
    """

    points: np.ndarray
    values: np.ndarray
    kinds: tuple[PointKind, ...]
    num_found: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ModePath:
    """How far one lane was from the stationary point along some eigenvectors.

    Attributes:
        setting: index of its setting among those of its trajectory.
        is_default: whether that holds the published defaults; else it is the one its trials chose.
        steps: [T] step of each point.
        coefficients: [T, M] |v^T (x_t - x*)| along the modes shown.
        rounding: [T] what rounding the points as they are stored can add to a coefficient.
        theory: [T, M] the same as the method's linear recursion has it from the same start; None
            where it follows none.
    """

    setting: int
    is_default: bool
    steps: np.ndarray
    coefficients: np.ndarray
    rounding: np.ndarray
    theory: np.ndarray | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Modes:
    """The eigenvectors of a quadratic, and the paths along some of them.

    Attributes:
        curvatures: [d] eigenvalues of the Hessian, ascending.
        shown: [M] indices into them, ascending: the smallest, the largest and some between.
        paths: optimizer -> its recorded lanes, of the first seed.
    """

    curvatures: np.ndarray
    shown: np.ndarray
    paths: Mapping[str, tuple[ModePath, ...]]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Landscape:
    """What a report draws of a problem beside its surface, and cannot compute itself.

    Attributes:
        problem: label.
        plane: of the paths, in three dimensions or more; None where there is none.
        critical_points: in two dimensions; None where they were not looked for.
        modes: of a quadratic; None where f is none, or of too many dimensions.
        failure: why it could not be computed, in one line.
        seconds: spent computing it, compilation included; in no cell's.
    """

    problem: str
    plane: Plane | None = None
    critical_points: CriticalPoints | None = None
    modes: Modes | None = None
    failure: str | None = None
    seconds: float = 0.0
