"""What a group would be compiled to, seen by one trace of every step and without compiling."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import subjaxprs

from optbench import trees
from optbench.blocks import most_lanes
from optbench.host import refuse_rough
from optbench.job import settled, shape_of
from optbench.member import Glimpse, glimpse, num_operations, step_key
from optbench.method import Method
from optbench.oracle import Evaluation, Oracle
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.program import Shape, abstract, outline, precision, program_key

DRAWS = ("random_bits", "random_fold_in", "random_split", "threefry2x32")  # names of primitives
DRAW_OPERATIONS = 60  # that take as long to compile as one of them


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """A program as it would be compiled.

    Attributes:
        key: equal where one executable serves both.
        shape: the sizes it would be compiled for; None on the host.
        operations: of one tick: of the steps of all members, and of an evaluation.
        state_size: numbers in the state of one lane of the greediest member.
    """

    key: Any
    shape: Shape | None
    operations: int
    state_size: int


def sketch(
    problem: Problem, methods: Sequence[Method], lanes: Sequence[Lanes], plan: Plan
) -> Sketch:
    """Arguments and errors as of `optbench.job.prepare`."""
    methods = [settled(method, own, problem) for method, own in zip(methods, lanes, strict=True)]
    if methods[0].hosted:
        return _hosted(problem, methods[0], plan)
    swept = [frozenset(own.settings) for own in lanes]
    cast = dataclasses.replace(problem, data=trees.cast(problem.data, plan.dtype))
    start = abstract(trees.cast(problem.start(0), plan.dtype))
    with precision(plan.dtype):
        seen = Evaluation(start, jax.ShapeDtypeStruct((), np.dtype(plan.dtype)), start)
        steps = [_glimpse(cast, m, names, seen) for m, names in zip(methods, swept, strict=True)]
        most = most_lanes(cast, start, waiting=any(step.waits for step in steps))
        operations = sum(step.operations for step in steps) + _operations_of_evaluating(cast, start)
    shape = shape_of(problem, lanes[0], plan, most)
    return Sketch(
        key=program_key(cast, methods, swept, shape),
        shape=shape,
        operations=operations,
        state_size=max(step.state_size for step in steps),
    )


def _operations_of_evaluating(problem: Problem, start: Any) -> int:
    """Of f and its gradient; where steps see samples, of those on a sample as well."""
    data = abstract(problem).data
    whole = jax.make_jaxpr(jax.value_and_grad(problem.objective))(start, *data).jaxpr
    if problem.sample_loss is None:
        return num_operations(whole)

    def evaluate(problem: Problem, params: Any, key: Any, step: Any) -> Any:
        return Oracle(problem, step_key(key, step)).value_and_grad(params)

    tick = jax.ShapeDtypeStruct((2,), np.uint32), jax.ShapeDtypeStruct((), np.int32)
    sample = jax.make_jaxpr(evaluate)(abstract(problem), start, *tick).jaxpr
    drawn = (DRAW_OPERATIONS - 1) * _num_draws(sample)
    return num_operations(whole) + num_operations(sample) + drawn


def _num_draws(jaxpr: Any) -> int:
    own = sum(equation.primitive.name in DRAWS for equation in jaxpr.eqns)
    return own + sum(map(_num_draws, subjaxprs(jaxpr)))


_GLIMPSES: dict[Any, Glimpse] = {}


def _glimpse(problem: Problem, method: Method, swept: frozenset[str], seen: Evaluation) -> Glimpse:
    """A method that asks nothing is traced once for all problems of the same parameters."""
    shapes = abstract(problem)
    anywhere = (method.structure, swept, problem.constrained, outline(seen))
    here = (*anywhere, outline(shapes))
    found = _GLIMPSES.get(anywhere) or _GLIMPSES.get(here)
    if found is None:
        found = glimpse(shapes, method, swept, seen)
        _GLIMPSES[here if found.asks else anywhere] = found
    return found


def _hosted(problem: Problem, method: Method, plan: Plan) -> Sketch:
    """A solver of the host: its functions are those of f."""
    refuse_rough(problem, method)
    key = method.label, outline(abstract(problem)), plan.dtype
    return Sketch(key=key, shape=None, operations=0, state_size=0)
