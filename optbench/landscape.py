"""What a problem looks like where optimizers went: a plane, its critical points, its modes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from optbench.records import pack, unpack

GRID_POINTS = 81  # per axis of the grid on a plane
MARGIN = 0.1  # around the projected paths, of their extent
NARROW = 0.1  # the least side of a grid, of the other
FAR = 10.0  # no path counts that goes so many times as far as the median
LEADING = 10  # shares of the variance that are kept
DENSE = 128  # up to here all singular values are computed, beyond it Lanczos finds the largest

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


def counted(points: Mapping[str, np.ndarray], sound: Collection[str]) -> tuple[str, ...]:
    """The paths that decide the plane: those that ended well, and did not run far away.

    Those that go `FAR` times as far from their start as the median of them does are left out: the
    plane would be theirs, and the others a dot in it.

    Args:
        points: optimizer -> [T, d].
        sound: optimizers whose lanes neither diverged nor broke off.
    """
    extents = {
        name: float(np.linalg.norm(path - path[0], axis=-1).max())
        for name, path in points.items()
        if name in sound and np.isfinite(path).all()
    }
    median = np.median(list(extents.values())) if extents else 0.0
    return tuple(name for name, extent in extents.items() if extent <= FAR * median)


def center_of(
    points: Sequence[np.ndarray], minimizer: np.ndarray | None
) -> tuple[np.ndarray, bool]:
    """The origin of the plane, and whether it is x*.

    It is x*, where that is known and at least half of the paths end nearer to it than they start:
    f is then f* at the origin, and no path seems to end above it. Where paths go elsewhere, to
    another minimizer say, the way there would hide what they do: it is the mean of the points, each
    path having the same weight, which is the center of principal component analysis.

    Args:
        points: [T, d] per path.
        minimizer: [d] x*; None where unknown.
    """
    if minimizer is not None:
        ends = [np.linalg.norm(path[[0, -1]] - minimizer, axis=-1) for path in points]
        if np.mean([last < first for first, last in ends]) >= 0.5:
            return minimizer, True
    return np.mean([path.mean(axis=0) for path in points], axis=0), False


def principal_directions(
    points: Sequence[np.ndarray], center: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """[2, d] the two directions that hold most of the paths, and [k] the shares of the variance.

    Each path has the same weight, whatever its number of points. Of a direction and its opposite
    it is the one whose largest component is positive. None where no point leaves the center.

    Source: Li, Xu, Taylor, Studer & Goldstein (2018), "Visualizing the Loss Landscape of Neural
    Nets", section 7.2.

    Args:
        points: [T, d] per path.
        center: [d].
    """
    rows = [(path - center) / np.sqrt(len(path)) for path in points]
    scale = max(float(np.abs(part).max()) for part in rows)
    if not scale > 0:
        return None
    matrix = np.concatenate(rows) / scale
    lengths, directions = _leading(matrix)
    directions = directions[:2]
    largest = np.argmax(np.abs(directions), axis=1)
    directions = directions * np.sign(directions[[0, 1], largest])[:, None]
    return directions, lengths[:LEADING] ** 2 / np.sum(matrix**2)


def _leading(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest singular values of a matrix, descending, and their right vectors, as rows."""
    if len(matrix) < 2:
        matrix = np.concatenate([matrix, 0 * matrix])
    if min(matrix.shape) <= DENSE:
        _, lengths, right = np.linalg.svd(matrix, full_matrices=False)
        return lengths, right
    from scipy.sparse.linalg import svds

    start = np.random.default_rng(0).standard_normal(min(matrix.shape))
    found: Any = svds(matrix, k=LEADING, v0=start)
    basis = np.linalg.qr(found[2].T)[0]  # [d, k]
    _, lengths, right = np.linalg.svd(matrix @ basis, full_matrices=False)
    return lengths, right @ basis.T


def project(
    points: np.ndarray, center: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """[T, 2] points on the plane, and [T] how far off it they lie, of their way to the center."""
    away = points - center
    flat = away @ directions.T
    distance = np.linalg.norm(away, axis=-1)
    off = np.linalg.norm(away - flat @ directions, axis=-1)
    return flat, np.minimum(off / np.where(distance > 0, distance, 1.0), 1.0)


def grid_over(points: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """[n] and [n] coordinates of a grid that covers projected paths, with a margin.

    Neither side is shorter than `NARROW` times the other, so that what happens across a straight
    path shows.
    """
    every = np.concatenate([np.zeros((1, 2)), *points])
    low, high = every.min(axis=0), every.max(axis=0)
    sides = np.maximum(high - low, NARROW * (high - low).max())
    half = (0.5 + MARGIN) * sides
    grid = np.linspace((low + high) / 2 - half, (low + high) / 2 + half, GRID_POINTS)
    return grid[:, 0], grid[:, 1]


def key_of(cells: Iterable[str]) -> str:
    """What a landscape is kept under: a hash of the keys of the cells it was computed from."""
    return hashlib.sha256("\n".join(sorted(cells)).encode()).hexdigest()


def pack_landscape(landscape: Landscape) -> bytes:
    """A landscape as compressed bytes."""
    arrays: dict[str, np.ndarray] = {}
    tree = _described(landscape, arrays)
    return pack(arrays, tree)


def unpack_landscape(packed: bytes) -> Landscape:
    """The landscape that `pack_landscape` was given."""
    arrays, tree = unpack(packed)
    return _built(tree, arrays)


_RECORDS = {kind.__name__: kind for kind in (Landscape, Plane, PlanePath, Modes, ModePath)}
_RECORDS |= {CriticalPoints.__name__: CriticalPoints}


def _described(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A record as JSON, where names stand for the arrays that are put aside."""
    if isinstance(value, np.ndarray):
        arrays[name := f"array{len(arrays)}"] = value
        return {"kind": "array", "name": name}
    if isinstance(value, tuple):
        return [_described(item, arrays) for item in value]
    if isinstance(value, Mapping):
        items = {key: _described(item, arrays) for key, item in value.items()}
        return {"kind": "mapping", "items": items}
    if dataclasses.is_dataclass(value):
        items = {name: _described(item, arrays) for name, item in vars(value).items()}
        return {"kind": type(value).__name__, "items": items}
    return value


def _built(tree: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(tree, list):
        return tuple(_built(item, arrays) for item in tree)
    if not isinstance(tree, dict):
        return tree
    if tree["kind"] == "array":
        return arrays[tree["name"]]
    items = {name: _built(item, arrays) for name, item in tree["items"].items()}
    return items if tree["kind"] == "mapping" else _RECORDS[tree["kind"]](**items)
