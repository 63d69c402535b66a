"""A problem of a study, built and checked, with all that a study keeps of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from optbench import trees
from optbench.errors import OptbenchError
from optbench.fingerprint import digest_problem
from optbench.metrics import noise_floor, rounding_floor
from optbench.plan import Plan, merit_of
from optbench.problem import Problem
from optbench.program import precision
from optbench.records import ProblemRecord, Surface
from optbench.theory import known_of
from optbench.validation import validate_problem

SURFACE_POINTS = 121  # per axis of a surface
MINIMIZER_DIM = 1000  # a longer minimizer is not kept
PROJECTED_DIM = 2000  # no points are kept in more dimensions


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """A problem of a study.

    Attributes:
        problem: the problem, named by its label.
        plan: how far to run on it: the study's plan with the problem's noise floor.
        record: what the study keeps of it.
        digest: hash of what decides its numbers.
    """

    problem: Problem
    plan: Plan
    record: ProblemRecord
    digest: str

    @property
    def drawn(self) -> bool:
        """Whether the points of all lanes are kept, to draw them in the plane."""
        return self.record.surface is not None

    @property
    def projected(self) -> bool:
        """Whether the points of a few lanes are kept, to project them on a plane."""
        return 3 <= self.problem.dim <= PROJECTED_DIM


def make_instance(
    label: str, build: Callable[[], Problem], plan: Plan, seeds: Sequence[int], family: str = ""
) -> Instance:
    """Build a problem, check it, and measure what a study keeps of it.

    Args:
        label: of the problem.
        build: what builds it.
        plan: how far to run.
        seeds: those whose starts count.
        family: the module of the catalog that it comes from.

    Raises:
        OptbenchError: it is malformed, or not finite at its start.
    """
    problem = build()
    if not isinstance(problem, Problem):
        raise OptbenchError(
            f"{label} returns a {type(problem).__name__}, not a Problem", "return a Problem"
        )
    problem = dataclasses.replace(problem, name=label)
    validate_problem(problem)
    with precision(plan.dtype):
        floor = _noise_floor(problem, plan.dtype)
        surface = _surface(problem, plan.dtype)
        found = digest_problem(problem, seeds)
    known = known_of(problem)
    record = ProblemRecord(
        label=label,
        dim=problem.dim,
        minimum=problem.minimum,
        minimum_kind=problem.minimum_kind,
        saddle=problem.saddle,
        minimizer=_minimizer(problem),
        stochastic=problem.stochastic,
        convex=problem.constants.convex,
        smoothness=known["L"],
        strong_convexity=known["mu"],
        noise_floor=floor,
        source=problem.source,
        merit=merit_of(problem),
        region=problem.region,
        coordinates=problem.coordinates,
        surface=surface,
        num_rows=problem.num_rows,
        sample_fraction=problem.sample_fraction,
        family=family,
    )
    plan = dataclasses.replace(plan, noise_floor=floor)
    return Instance(problem=problem, plan=plan, record=record, digest=found)


def _noise_floor(problem: Problem, dtype: str) -> float:
    """Rounding error of f near the minimizer; 0 where the merit is no distance to a minimum."""
    if merit_of(problem) != "suboptimality":
        return 0.0
    minimum = problem.known_minimum
    center = None if problem.minimizer is None else trees.cast(problem.minimizer, dtype)
    if center is None or any(np.iscomplexobj(leaf) for leaf in jax.tree.leaves(center)):
        return rounding_floor(minimum, minimum, problem.dim, dtype)
    flat, unravel = ravel_pytree(center)
    data = trees.cast(problem.data, dtype)
    objective = jax.jit(problem.objective)
    return noise_floor(lambda x: objective(unravel(jnp.asarray(x)), *data), np.asarray(flat))


def _minimizer(problem: Problem) -> np.ndarray | None:
    if problem.minimizer is None or problem.dim > MINIMIZER_DIM:
        return None
    return trees.flat(jax.tree.map(np.asarray, problem.minimizer))


def _surface(problem: Problem, dtype: str) -> Surface | None:
    """f over the region, row by row, where the problem lies in the plane."""
    if problem.region is None or problem.dim != 2:
        return None
    x, y = (np.linspace(low, high, SURFACE_POINTS) for low, high in problem.region)
    _, unravel = ravel_pytree(trees.cast(problem.start(0), dtype))
    data = trees.cast(problem.data, dtype)

    def value(x: jax.Array, y: jax.Array) -> jax.Array:
        return problem.objective(unravel(jnp.stack([x, y])), *data)

    rows = jax.jit(lambda xs, ys: jax.lax.map(lambda y: jax.vmap(value, (0, None))(xs, y), ys))
    return Surface(x, y, np.asarray(rows(x.astype(dtype), y.astype(dtype)), float))
