"""f around the paths of optimizers: on a plane through them, and where its gradient vanishes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.landscape import CriticalPoints, PointKind
from optbench.problem import Problem

STARTS = 61  # of Newton's method, per axis of the region
LARGE = 0.9  # quantile of the lengths of gradients: most of a region may be flat
CHUNK = 512  # points whose derivatives are computed together
ROUNDS = 12  # after each of which what has met goes on as one
STEPS = 10  # of Newton's method in a round
LONGEST_STEP = 0.1  # of the sides of the region
OUTSIDE = 0.5  # of the sides of the region: beyond it, a walk is given up
APART = 1e-4  # of the sides of the region: what lies nearer together is one point
APART_ON_CURVES = 0.02  # the same, for degenerate points
MOST_POINTS = 500  # that are kept
SINGULAR = 1e-14  # a determinant below this share of its two terms is 0
ROUNDING_UNITS = 4  # of the sides of the region: the neighbors that measure rounding


@dataclasses.dataclass(frozen=True, eq=False)
class Terrain:
    """The whole objective of a problem as a function of real coordinates.

    Attributes:
        problem: what is minimized.
        layout: how coordinates make its parameters.
        data: its data, on the device in the precision of the run.
        dtype: that precision.
    """

    problem: Problem
    layout: trees.Layout
    data: tuple[Any, ...]
    dtype: str

    @property
    def key(self) -> tuple[Any, trees.Layout]:
        """What decides the programs that compute it."""
        return self.problem.objective, self.layout


def terrain_of(problem: Problem, dtype: str) -> Terrain:
    """The terrain of a problem; call it, and what follows, in the precision of the run."""
    layout = trees.layout_of(trees.cast(problem.start(0), dtype))
    data = jax.tree.map(jnp.asarray, trees.cast(problem.data, dtype))
    return Terrain(problem, layout, data, dtype)


def values_on(terrain: Terrain, frame: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """[m, n] f at the points center + x u + y v of a grid.

    Args:
        terrain: of the problem.
        frame: [3, d] center, u and v.
        x: [n].
        y: [m].
    """
    frame, *axes = (array.astype(terrain.dtype) for array in (frame, x, y))
    return np.asarray(_rows(*terrain.key, terrain.data, frame, axes), float)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _rows(
    objective: Any, layout: trees.Layout, data: Any, frame: jax.Array, axes: Sequence[jax.Array]
) -> jax.Array:
    (center, across, up), (x, y) = frame, axes

    def value(x: jax.Array, y: jax.Array) -> jax.Array:
        return objective(trees.unpack(layout, center + x * across + y * up), *data)

    return jax.lax.map(lambda y: jax.vmap(value, (0, None))(x, y), y)


class Derivatives(NamedTuple):
    """f and its derivatives at some points.

    Attributes:
        value: [N].
        gradient: [N, d].
        hessian: [N, d, d].
    """

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray

    def at(self, index: np.ndarray) -> Derivatives:
        """At some of the points alone."""
        return Derivatives(*(array[index] for array in self))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _derivatives(
    objective: Any, layout: trees.Layout, data: Any, box: Sequence[jax.Array], z: jax.Array
) -> tuple[jax.Array, ...]:
    low, side = box

    def value(z: jax.Array) -> jax.Array:
        return objective(trees.unpack(layout, low + side * z), *data)

    def slope(z: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        level, gradient = jax.value_and_grad(value)(z)
        return gradient, (level, gradient)

    def at(z: jax.Array) -> tuple[jax.Array, ...]:
        hessian, below = jax.jacfwd(slope, has_aux=True)(z)
        return *below, hessian

    return jax.vmap(at)(z)


Look = Callable[[np.ndarray], Derivatives]  # points in units of the region -> derivatives there


def _look(terrain: Terrain, low: np.ndarray, side: np.ndarray) -> Look:
    """What computes derivatives, so many points at a time."""
    box = (low.astype(terrain.dtype), side.astype(terrain.dtype))

    def look(z: np.ndarray) -> Derivatives:
        found = []
        for first in range(0, len(z), CHUNK):
            some = z[first : first + CHUNK].astype(terrain.dtype)
            padded = np.pad(some, ((0, CHUNK - len(some)), (0, 0)), mode="edge")
            seen = _derivatives(*terrain.key, terrain.data, box, padded)
            found.append([np.asarray(array, float)[: len(some)] for array in seen])
        return Derivatives(*map(np.concatenate, zip(*found, strict=True)))

    return look


def critical_points(terrain: Terrain) -> CriticalPoints:
    """Where the gradient of a problem in two dimensions vanishes inside its region.

    Newton's method, from the points of a grid, in units of the region, no step longer than
    `LONGEST_STEP`. Where it ends counts if no component of the gradient there is larger than what
    rounding makes of it, and that is small against the gradients of the region: so neither flat
    tails nor kinks count. As the method does not settle on a curve of such points, some walks take
    steps across their valley alone. Of points nearer together than `APART` the one of least
    gradient counts, of degenerate ones nearer than `APART_ON_CURVES`. Those of the lowest f are
    kept, which a descent may meet.

    Args:
        terrain: of a problem with a region.
    """
    low, high = np.array(terrain.problem.region, float).T
    side = high - low
    look = _look(terrain, low, side)
    axis = (np.arange(STARTS) + 0.5) / STARTS
    starts = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    with np.errstate(all="ignore"):
        ends = [_walked(look, starts, ROUNDS), _walked(look, starts[::4], 2, across=True)]
        z = np.concatenate(ends)
        lengths = np.linalg.norm(look(starts).gradient, axis=-1)
        typical = np.nanquantile(lengths, LARGE) if np.isfinite(lengths).any() else 0.0
        z, seen, kinds = _vanishing(look, z, low / side, float(typical), terrain.dtype)
    order = np.lexsort((z[:, 1], z[:, 0], seen.value))
    kept = order[:MOST_POINTS]
    return CriticalPoints(
        points=low + side * z[kept],
        values=seen.value[kept],
        kinds=tuple(kinds[i] for i in kept),
        num_found=len(order),
    )


def _walked(look: Look, z: np.ndarray, rounds: int, *, across: bool = False) -> np.ndarray:
    """Where Newton's method gets from some points, each place once."""
    for _ in range(rounds):
        for _ in range(STEPS):
            z = z - _newton_step(look(z), across=across) if len(z) else z
        z = _distinct(z[(np.abs(z - 0.5) <= 0.5 + OUTSIDE).all(-1)])
    return z


def _newton_step(seen: Derivatives, *, across: bool) -> np.ndarray:
    """[N, 2] H^-1 g, cut to `LONGEST_STEP`.

    Where H is singular, or steps are to lead across valleys alone, it is P g / m with m the
    eigenvalue that is largest in size and P the projection on its eigenvector.
    """
    (a, b), (_, c) = np.moveaxis(seen.hessian, 0, -1)
    first, second = seen.gradient.T
    determinant, trace = a * c - b * b, a + c
    regular = np.stack([c * first - b * second, a * second - b * first]) / determinant
    spread = np.hypot(a - c, 2 * b)
    larger, smaller = ((trace + sign * np.copysign(spread, trace)) / 2 for sign in (1, -1))
    along = np.stack([(a - smaller) * first + b * second, b * first + (c - smaller) * second])
    single = np.where(larger != 0, along / (larger * (larger - smaller)), 0.0)
    is_regular = np.abs(determinant) > SINGULAR * (np.abs(a * c) + b * b)
    step = np.where(is_regular & ~np.bool_(across), regular, single).T
    return step * np.minimum(1.0, LONGEST_STEP / np.abs(step).max(axis=-1, keepdims=True))


def _distinct(z: np.ndarray) -> np.ndarray:
    """The points, less those that another one is equal to within a hundredth of `APART`."""
    z = z[np.isfinite(z).all(-1)]
    _, first = np.unique(np.round(z / (APART / 100)), axis=0, return_index=True)
    return z[np.sort(first)]


def _vanishing(
    look: Look, z: np.ndarray, origin: np.ndarray, typical: float, dtype: str
) -> tuple[np.ndarray, Derivatives, list[PointKind]]:
    """Those of the points where the gradient vanishes inside the region, each once.

    Args:
        look: what computes derivatives.
        z: [N, 2] in units of the region.
        origin: [2] the lower corner of the region, in these units.
        typical: length of the larger gradients of the region.
        dtype: precision.
    """
    z = z[((z >= 0) & (z <= 1)).all(-1)]
    if not len(z):
        return z, Derivatives(np.zeros(0), np.zeros((0, 2)), np.zeros((0, 2, 2))), []
    eps = float(np.finfo(dtype).eps)
    reach = ROUNDING_UNITS * eps * np.maximum(1.0, np.abs(origin + z))
    seen, around = look(z), [look(z + reach * np.array(way)) for way in _WAYS]
    noise = np.max([np.abs(near.gradient - seen.gradient) for near in around], axis=0)
    bending = np.max([_size(near.hessian - seen.hessian) for near in around], axis=0)
    counts = (np.abs(seen.gradient) <= 2 * noise).all(-1)
    counts &= (noise <= np.sqrt(eps) * typical).all(-1) & np.isfinite(bending)
    z, seen, bending = z[counts], seen.at(counts), bending[counts]
    floor = 2 * bending + ROUNDING_UNITS * eps * _size(seen.hessian)
    kinds: list[PointKind] = [_kind(*both) for both in zip(seen.hessian, floor, strict=True)]
    kept = _one_each(z, np.linalg.norm(seen.gradient, axis=-1), kinds)
    return z[kept], seen.at(kept), [kinds[i] for i in kept]


_WAYS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]


def _size(hessian: np.ndarray) -> np.ndarray:
    """[N] the largest entry of each matrix."""
    return np.abs(hessian).max(axis=(-2, -1))


def _one_each(z: np.ndarray, lengths: np.ndarray, kinds: list[PointKind]) -> np.ndarray:
    """Indices of points that are apart from each other, those of least gradient first."""
    kept: list[int] = []
    for index in np.lexsort((z[:, 1], z[:, 0], lengths)):
        apart = APART_ON_CURVES if kinds[index] == "degenerate" else APART
        if not kept or np.abs(z[kept] - z[index]).max(axis=-1).min() > apart:
            kept.append(int(index))
    return np.array(kept, int)


def _kind(hessian: np.ndarray, floor: float) -> PointKind:
    """By the signs of the eigenvalues, where none is 0 within its rounding."""
    eigenvalues = np.linalg.eigvalsh(hessian)
    if not np.abs(eigenvalues).min() > floor:
        return "degenerate"
    positive = int((eigenvalues > 0).sum())
    return ("maximum", "saddle", "minimum")[positive]
