"""Questions put to a problem in flat real coordinates, many points in one compiled program."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench import trees
from optbench.problem import Params, Problem

EPS = float(np.finfo(np.float64).eps)
SLACK = 100.0  # units of rounding allowed: a mean of up to 1e4 terms, each rounded once
ROWS = 32  # points per call of the compiled program
DENSE = 1000  # the largest dimension in which a matrix of second derivatives is formed


def in_units(errors: Any, units: Any) -> np.ndarray:
    """errors / units, and 0 where there is no error."""
    return np.divide(errors, units, out=np.where(errors > 0, np.inf, 0.0), where=units > 0)


class Layout(NamedTuple):
    """How flat real coordinates make params; complex numbers take two each.

    Attributes:
        structure: the tree.
        leaves: (shape, whether complex) per leaf.
    """

    structure: Any
    leaves: tuple[tuple[tuple[int, ...], bool], ...]


def layout_of(params: Params) -> Layout:
    """The layout of params."""
    leaves, structure = jax.tree.flatten(params)
    return Layout(structure, tuple((np.shape(leaf), np.iscomplexobj(leaf)) for leaf in leaves))


def pack(params: Params) -> np.ndarray:
    """Params as one vector of real coordinates."""
    parts = []
    for leaf in jax.tree.leaves(params):
        leaf = np.asarray(leaf)
        flat = np.ravel(leaf).astype(np.result_type(leaf.dtype, np.float64))
        parts.append(flat.view(np.float64))
    return np.concatenate(parts)


def unpack(layout: Layout, flat: Any) -> Params:
    """Params from their coordinates, inside a trace."""
    leaves, end = [], 0
    for shape, is_complex in layout.leaves:
        begin, end = end, end + math.prod(shape) * (1 + is_complex)
        part = flat[begin:end]
        if is_complex:
            part = jax.lax.complex(part[0::2], part[1::2])
        leaves.append(part.reshape(shape))
    return jax.tree.unflatten(layout.structure, leaves)


class Answers(NamedTuple):
    """What a problem says at P points.

    Attributes:
        value: [P] f.
        grad: [P, n] the gradient.
        product: [P, n] the Hessian times the direction asked for.
    """

    value: np.ndarray
    grad: np.ndarray
    product: np.ndarray


def _flat_value(layout: Layout, problem: Problem, point: Any) -> Any:
    return problem.objective(unpack(layout, point), *problem.data)


@functools.partial(jax.jit, static_argnums=0)
def _answer_rows(layout: Layout, problem: Problem, points: Any, directions: Any) -> Any:
    value_and_grad = jax.value_and_grad(functools.partial(_flat_value, layout, problem))

    def answer(point: Any, direction: Any) -> Any:
        (value, grad), (_, product) = jax.jvp(value_and_grad, (point,), (direction,))
        return value, grad, product

    return jax.vmap(answer)(points, directions)


@functools.partial(jax.jit, static_argnums=0)
def _value_and_grad(layout: Layout, problem: Problem, point: Any) -> Any:
    return jax.value_and_grad(functools.partial(_flat_value, layout, problem))(point)


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """A problem that answers in flat coordinates, in float64.

    Attributes:
        problem: its data in float64.
        layout: of its params.
    """

    problem: Problem
    layout: Layout

    def __call__(self, points: np.ndarray, directions: np.ndarray | None = None) -> Answers:
        """Values, gradients and Hessian products at [P, n] points along [P, n] directions."""
        points = np.atleast_2d(points)
        if directions is None:
            directions = np.zeros_like(points)
        directions = np.broadcast_to(directions, points.shape)
        filler = -len(points) % ROWS
        rows = [np.pad(a, ((0, filler), (0, 0)), mode="edge") for a in (points, directions)]
        with jax.enable_x64(True):
            blocks = [
                _answer_rows(self.layout, self.problem, *(a[i : i + ROWS] for a in rows))
                for i in range(0, len(rows[0]), ROWS)
            ]
            joined = [
                np.concatenate([np.asarray(b) for b in part]) for part in zip(*blocks, strict=True)
            ]
        return Answers(*(array[: len(points)] for array in joined))

    def value_and_grad(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """f and its gradient at one point, by a program that knows no batch."""
        with jax.enable_x64(True):
            value, grad = _value_and_grad(self.layout, self.problem, point)
            return float(value), np.asarray(grad)

    def hessian(self, point: np.ndarray) -> np.ndarray:
        """[n, n] the dense Hessian, one product per coordinate."""
        points = np.broadcast_to(point, (point.size, point.size))
        return self(points, np.eye(point.size)).product


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """A point, what the problem says there, and how much of that is rounding.

    Attributes:
        point: [n].
        value: f.
        grad: [n].
        value_noise: eps |f| + the spread of f when each coordinate moves by one unit in its last
            place.
        grad_noise: the same for the gradient, in norm.
    """

    point: np.ndarray
    value: float
    grad: np.ndarray
    value_noise: float
    grad_noise: float


def site_at(probe: Probe, point: np.ndarray, rng: np.random.Generator) -> Site:
    """Visit a point."""
    signs = rng.choice((-1.0, 1.0), (8, point.size))
    signs[0] = 0
    answers = probe(point + signs * np.spacing(np.abs(point)) * (point != 0))
    value, grad = float(answers.value[0]), answers.grad[0]
    spread = float(np.max(np.abs(answers.value - value)))
    grad_spread = float(np.max(np.linalg.norm(answers.grad - grad, axis=1)))
    return Site(
        point,
        value,
        grad,
        EPS * abs(value) + spread,
        EPS * float(np.linalg.norm(grad)) + grad_spread,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """What the laws of a problem are judged on.

    Attributes:
        problem: as given.
        probe: the problem in flat coordinates.
        starts: the start of the seed checked, and of the next.
        minimizer: x*, where known.
        cloud: [P, n] points around the start, as wide as it is far from the origin; only those
            where f is finite.
        rng: for directions.
    """

    problem: Problem
    probe: Probe
    starts: tuple[Site, Site]
    minimizer: Site | None
    cloud: np.ndarray
    rng: np.random.Generator


def gather(problem: Problem, seed: int) -> Evidence:
    """Visit the points on which a problem is judged."""
    rng = np.random.default_rng(seed)
    cast = dataclasses.replace(problem, data=trees.cast(problem.data, "float64"))
    probe = Probe(cast, layout_of(problem.start(seed)))
    first, second = (site_at(probe, pack(problem.start(s)), rng) for s in (seed, seed + 1))
    minimizer = None
    if problem.minimizer is not None:
        minimizer = site_at(probe, pack(problem.minimizer), rng)
    spread = 1 + np.sqrt(np.mean(first.point**2))
    cloud = first.point + spread * rng.standard_normal((ROWS - 3, first.point.size))
    cloud = cloud[np.isfinite(probe(cloud).value)]
    return Evidence(problem, probe, (first, second), minimizer, cloud, rng)
