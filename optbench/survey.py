"""The landscape of a problem, from the paths that a study has stored."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from optbench import catalog, modes, trees
from optbench.curvature import dense_hessian
from optbench.errors import OptbenchError
from optbench.instance import Instance
from optbench.landscape import (
    Landscape,
    ModePath,
    Modes,
    Plane,
    PlanePath,
    center_of,
    counted,
    grid_over,
    key_of,
    principal_directions,
    project,
)
from optbench.method import Method
from optbench.program import precision
from optbench.records import Cell
from optbench.store import Store
from optbench.terrain import Terrain, critical_points, terrain_of, values_on
from optbench.theoretical_rates import CATALOG
from optbench.theory import known_of
from optbench.tracks import tuned_index
from optbench.trajectory import Status, Trajectory

MODES_DIM = 500  # no eigenvectors in more dimensions
MOST_MODES = 12  # whose coefficients are kept
ROUNDINGS = 1e4  # third differences of a quadratic's values, and differences of its Hessian
BROKEN = (Status.DIVERGED, Status.NON_FINITE, Status.CRASHED)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lane:
    """One lane of the first seed whose points were kept.

    Attributes:
        optimizer: label.
        method: the optimizer.
        setting: index of its setting.
        values: swept hyperparameter -> its value there.
        is_default: whether that holds the published defaults.
        sound: whether it neither diverged nor broke off.
        seed: of its start.
        steps: [T] step of each point.
        points: [T, d], finite.
        unit: relative rounding of the points as they are stored.
    """

    optimizer: str
    method: Method
    setting: int
    values: Mapping[str, float]
    is_default: bool
    sound: bool
    seed: int
    steps: np.ndarray
    points: np.ndarray
    unit: float


def keep_landscape(
    instance: Instance, methods: Mapping[str, Method], target: float, store: Store
) -> float:
    """Compute the landscape of a problem, unless the store has the one of its present cells.

    One that fails is kept with its message, and tried again by the next run.

    Args:
        instance: the problem.
        methods: label -> optimizer.
        target: what settings were tuned for.
        store: of the study.

    Returns:
        Seconds spent.
    """
    problem = instance.record.label
    cells = store.finished_cells(problem)
    key = key_of(cell.key for cell in cells)
    wanted = bool(cells) and (instance.drawn or instance.projected)
    if not wanted or key == store.landscape_key(problem):
        return 0.0
    began = time.perf_counter()
    try:
        lanes = [
            lane
            for cell in cells
            if (run := store.trajectory(cell.key)) is not None
            for lane in lanes_of(cell, run, methods[cell.optimizer], target)
        ]
        found = survey(instance, lanes)
    except Exception as error:
        told = isinstance(error, OptbenchError)
        first = (str(error).strip().splitlines() or [""])[0]
        message = error.message if told else f"{type(error).__name__}: {first}"
        found = Landscape(problem=problem, failure=message)
    found = dataclasses.replace(found, seconds=time.perf_counter() - began)
    store.keep_landscape(key, found)
    return found.seconds


def lanes_of(cell: Cell, trajectory: Trajectory, method: Method, target: float) -> list[Lane]:
    """The lanes of the first seed that a landscape shows: at the tuned setting, at the defaults.

    A cell that was copied from a search for another target has kept the points of the setting
    tuned for that: it is then shown in place of the tuned one.

    Args:
        cell: of one optimizer.
        trajectory: all its lanes.
        method: the optimizer.
        target: what settings were tuned for.
    """
    count = trajectory.value.shape[1]
    default = None if cell.default_source is None else cell.trials
    kept = [int(lane) for lane in trajectory.recorded if lane < count]
    tuned = [lane for lane in kept if lane == tuned_index(trajectory, cell.trials, target)]
    shown = tuned or [lane for lane in kept if lane != default][:1]
    shown += [lane for lane in kept if lane == default]
    return [_lane(cell, trajectory, method, s, is_default=s == default) for s in shown]


def _lane(
    cell: Cell, trajectory: Trajectory, method: Method, setting: int, *, is_default: bool
) -> Lane:
    points = trajectory.points_of(0, setting)
    assert points is not None
    finite = np.isfinite(points).all(axis=-1)
    end = len(points) if finite.all() else int(np.argmin(finite))
    leaf = jax.tree.leaves(trajectory.params)[0]
    return Lane(
        optimizer=cell.optimizer,
        method=method,
        setting=setting,
        values={name: float(values[setting]) for name, values in trajectory.settings.items()},
        is_default=is_default,
        sound=end == len(points) and trajectory.status[0, setting] not in BROKEN,
        seed=trajectory.seeds[0],
        steps=trajectory.steps[:end],
        points=points[:end],
        unit=float(np.finfo(leaf.dtype).eps) / 2,
    )


def survey(instance: Instance, lanes: Sequence[Lane]) -> Landscape:
    """The landscape around some lanes.

    Args:
        instance: the problem.
        lanes: those of the first seed whose points were kept.
    """
    problem, record = instance.problem, instance.record
    with precision(instance.plan.dtype):
        terrain = terrain_of(problem, instance.plan.dtype)
        if instance.drawn:
            assert record.surface is not None
            plane, points, seen = None, critical_points(terrain), record.surface.values
        else:
            plane, points = plane_of(terrain, lanes), None
            seen = None if plane is None else plane.values
        quadratic = seen is not None and looks_quadratic(seen, instance.plan.dtype)
        found = modes_of(terrain, lanes) if quadratic else None
    return Landscape(problem=record.label, plane=plane, critical_points=points, modes=found)


def plane_of(terrain: Terrain, lanes: Sequence[Lane]) -> Plane | None:
    """The plane that holds most of the paths at tuned settings, with f on it; None without any.

    Args:
        terrain: of the problem.
        lanes: all of one start.
    """
    tuned = {lane.optimizer: lane for lane in lanes if not lane.is_default and len(lane.points)}
    sound = [name for name, lane in tuned.items() if lane.sound]
    counts = counted({name: lane.points for name, lane in tuned.items()}, sound)
    if not counts:
        return None
    points = [tuned[name].points for name in counts]
    center, is_minimizer = center_of(points, _minimizer(terrain))
    found = principal_directions(points, center)
    if found is None:
        return None
    directions, explained = found
    paths = {name: _plane_path(lane, center, directions) for name, lane in tuned.items()}
    x, y = grid_over([paths[name].points for name in counts])
    return Plane(
        center=center,
        is_minimizer=is_minimizer,
        directions=directions,
        explained=explained,
        x=x,
        y=y,
        values=values_on(terrain, np.stack([center, *directions]), x, y),
        paths=paths,
        left_out=tuple(name for name in tuned if name not in counts),
    )


def _plane_path(lane: Lane, center: np.ndarray, directions: np.ndarray) -> PlanePath:
    points, off_plane = project(lane.points, center, directions)
    return PlanePath(setting=lane.setting, steps=lane.steps, points=points, off_plane=off_plane)


def _minimizer(terrain: Terrain) -> np.ndarray | None:
    minimizer = terrain.problem.minimizer
    return None if minimizer is None else np.asarray(trees.coordinates(minimizer, np), float)


def looks_quadratic(values: np.ndarray, dtype: str) -> bool:
    """Whether f has no third differences along the rows and the columns of an even grid.

    Args:
        values: [m, n] f on the grid.
        dtype: the precision it was computed in.
    """
    if not np.isfinite(values).all():
        return False
    thirds = [np.abs(np.diff(values, 3, axis=axis)).max() for axis in (0, 1)]
    return bool(max(thirds) <= ROUNDINGS * np.finfo(dtype).eps * np.abs(values).max())


def modes_of(terrain: Terrain, lanes: Sequence[Lane]) -> Modes | None:
    """How far lanes are from the stationary point along eigenvectors; None where f is no quadratic.

    The Hessian has to be the same at three points. x* is the known minimizer, or else what one step
    of Newton's method makes of the start, and of where that ends.

    Args:
        terrain: of the problem.
        lanes: all of one start.
    """
    problem = terrain.problem
    smooth = problem.nonsmooth is None and problem.prox is None and problem.tangent is None
    if not smooth or problem.stochastic or problem.dim > MODES_DIM or not lanes:
        return None
    start = np.asarray(trees.coordinates(problem.start(lanes[0].seed), np), float)
    away = np.random.default_rng(0).standard_normal(start.size)
    hessians = [_hessian(terrain, x) for x in (start, -away, 2 * start + away)]
    size, eps = np.abs(hessians[0]).max(), float(np.finfo(terrain.dtype).eps)
    if any(not np.abs(h - hessians[0]).max() <= ROUNDINGS * eps * size for h in hessians):
        return None
    curvatures, vectors = np.linalg.eigh((hessians[0] + hessians[0].T) / 2)
    shown = modes.spread(len(curvatures), MOST_MODES)
    stationary = _minimizer(terrain)
    if stationary is None:
        stationary = _stationary(terrain, start, curvatures, vectors)
    paths: dict[str, tuple[ModePath, ...]] = {}
    for lane in lanes:
        path = _mode_path(lane, terrain, start, stationary, (curvatures[shown], vectors.T[shown]))
        paths[lane.optimizer] = (*paths.get(lane.optimizer, ()), path)
    return Modes(curvatures=curvatures, shown=shown, paths=paths)


def _hessian(terrain: Terrain, point: np.ndarray) -> np.ndarray:
    params = trees.unpack(terrain.layout, point.astype(terrain.dtype))
    return np.asarray(dense_hessian(terrain.problem.objective, terrain.data, params), float)


@functools.partial(jax.jit, static_argnums=0)
def _gradient(objective: Any, params: Any, data: Any) -> Any:
    return jax.grad(objective)(params, *data)


def _stationary(
    terrain: Terrain, start: np.ndarray, curvatures: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    """[d] where the gradient of a quadratic vanishes, nearest to its start."""
    eps = float(np.finfo(terrain.dtype).eps)
    bent = np.abs(curvatures) > len(curvatures) * eps * np.abs(curvatures).max()
    inverse = np.where(bent, 1 / np.where(bent, curvatures, 1.0), 0.0)
    point = start
    for _ in range(2):
        params = trees.unpack(terrain.layout, point.astype(terrain.dtype))
        slope = trees.coordinates(_gradient(terrain.problem.objective, params, terrain.data), np)
        point = point - vectors @ (inverse * (vectors.T @ slope))
    return point


def _mode_path(
    lane: Lane,
    terrain: Terrain,
    start: np.ndarray,
    stationary: np.ndarray,
    shown: tuple[np.ndarray, np.ndarray],
) -> ModePath:
    """One lane along some modes: their curvatures [M], and eigenvectors [M, d]."""
    curvatures, vectors = shown
    recursion = modes.recursion_of(*_bare(lane, terrain), curvatures)
    begins = vectors @ (start - stationary)
    theory = None if recursion is None else np.abs(modes.follow(recursion, begins, lane.steps))
    return ModePath(
        setting=lane.setting,
        is_default=lane.is_default,
        steps=lane.steps,
        coefficients=np.abs((lane.points - stationary) @ vectors.T),
        rounding=lane.unit * np.linalg.norm(lane.points, axis=-1),
        theory=theory,
    )


def _bare(lane: Lane, terrain: Terrain) -> tuple[str, Mapping[str, Any]]:
    """The name of an optimizer and its hyperparameters; no name where it is wrapped, or foreign."""
    method = lane.method
    if method.inner is not None or not method.factory.__module__.startswith(CATALOG):
        return "", {}
    method = method.replace(**lane.values).settled(known_of(terrain.problem))
    defaults = {p.name: p.default for p in catalog.parameters(method.factory)}
    return method.name, defaults | dict(method.arguments)
