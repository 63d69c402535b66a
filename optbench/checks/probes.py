"""Questions put to a problem in flat real coordinates, many points in one compiled program."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench import trees
from optbench.optimality import optimality_residual
from optbench.oracle import Oracle
from optbench.problem import Params, Problem
from optbench.trees import Layout, coordinates, layout_of, unpack

EPS = float(np.finfo(np.float64).eps)
SLACK = 100.0  # units of rounding allowed: a mean of up to 1e4 terms, each rounded once
ROWS = 32  # points per call of the compiled program
DENSE = 1000  # the largest dimension in which a matrix of second derivatives is formed

# These programs run a few times only: what they cost is their compilation.
compiled = functools.partial(
    jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0}
)


def in_units(errors: Any, units: Any) -> np.ndarray:
    """errors / units, 0 where there is no error; an error that is not a number is infinite."""
    blank = np.where(np.asarray(errors) <= 0, 0.0, np.inf)
    known = (np.asarray(units) > 0) & np.isfinite(errors)
    return np.divide(errors, units, out=blank, where=known)


def pack(params: Params) -> np.ndarray:
    """Params as one vector of real coordinates, in float64."""
    return coordinates(trees.cast(params, "float64"), np)


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


@dataclasses.dataclass(frozen=True)
class Retracted:
    """f at the nearest feasible point: defined everywhere, and as low as f on the feasible set."""

    objective: Callable[..., Any]
    prox: Callable[..., Any]

    def __call__(self, params: Params, *data: Any) -> Any:
        """f(prox(params))."""
        return self.objective(self.prox(params, 1.0, *data), *data)


@compiled
def _move(layout: Layout, problem: Problem, points: Any, step: Any) -> Any:
    """[P, n] the prox of each point; points as they are where there is none."""

    def move(point: Any) -> Any:
        params = unpack(layout, point)
        return coordinates(problem.prox(params, step, *problem.data)) if problem.prox else point

    return jax.vmap(move)(points)


@compiled
def _residual(layout: Layout, problem: Problem, point: Any) -> Any:
    oracle = Oracle(dataclasses.replace(problem, sample_loss=None))
    params, _, grad = oracle.value_and_grad(unpack(layout, point))
    return coordinates(optimality_residual(problem, params, grad))


@compiled
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

    def of(self, objective: Callable[..., Any]) -> Probe:
        """The probe of another function of the same params and data."""
        if objective is self.problem.objective:
            return self
        return Probe(dataclasses.replace(self.problem, objective=objective), self.layout)

    @property
    def smooth(self) -> Probe:
        """The probe of f less its nonsmooth part."""
        return self.of(self.problem.smooth_part)

    @property
    def retracted(self) -> Probe:
        """The probe of f at the nearest feasible point."""
        problem = self.problem
        if problem.prox is None or not problem.constrained:
            return self
        return self.of(Retracted(problem.objective, problem.prox))

    def prox(self, points: np.ndarray, step: float = 1.0) -> np.ndarray:
        """[P, n] the prox of each point; where there is none, the points."""
        with jax.enable_x64(True):
            return np.asarray(_move(self.layout, self.problem, np.atleast_2d(points), step))

    def residual(self, point: np.ndarray) -> np.ndarray:
        """[n] the optimality residual at one point."""
        with jax.enable_x64(True):
            return np.asarray(_residual(self.layout, self.problem, point))

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
        cloud: [P, n] feasible points around the start, as wide as it is far from the origin, or
            nearer where need be; only those where f and its gradient are finite.
        rng: for directions.
    """

    problem: Problem
    probe: Probe
    starts: tuple[Site, Site]
    minimizer: Site | None
    cloud: np.ndarray
    rng: np.random.Generator

    @property
    def sites(self) -> tuple[Site, ...]:
        """The starts, and the minimizer where f is smooth: on a kink, f - h is lost to rounding."""
        is_smooth = self.minimizer is not None and self.problem.nonsmooth is None
        return (*self.starts, self.minimizer) if is_smooth else self.starts  # type: ignore


def gather(problem: Problem, seed: int) -> Evidence:
    """Visit the points on which a problem is judged."""
    rng = np.random.default_rng(seed)
    cast = dataclasses.replace(problem, data=trees.cast(problem.data, "float64"))
    probe = Probe(cast, layout_of(problem.start(seed)))
    first, second = (site_at(probe, pack(problem.start(s)), rng) for s in (seed, seed + 1))
    minimizer = None
    if problem.minimizer is not None:
        minimizer = site_at(probe, pack(problem.minimizer), rng)
    cloud = _cloud(probe, first.point, rng)
    return Evidence(problem, probe, (first, second), minimizer, cloud, rng)


def _cloud(probe: Probe, center: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Feasible points around a center where f is finite, nearer where there are none so far off."""
    moves = (1 + np.sqrt(np.mean(center**2))) * rng.standard_normal((ROWS - 3, center.size))
    for shrinking in (1.0, 0.1, 0.01):
        points = center + shrinking * moves
        points = probe.prox(points) if probe.problem.constrained else points
        seen = probe(points)
        finite = np.isfinite(seen.value) & np.isfinite(seen.grad).all(axis=1)
        if finite.any():
            return points[finite]
    return center[None]
