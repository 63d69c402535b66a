"""What the laws of optimizers look at: one method, with the runs that several laws share."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from optbench.checks.plain_loop import (
    START,
    MakeProblem,
    Outcome,
    Values,
    counting,
    declared_values,
    make_loop,
    make_problem,
    small_problem_for,
)
from optbench.errors import NotApplicable
from optbench.method import Method
from optbench.optimizer import Optimizer
from optbench.oracle import Oracle
from optbench.problem import Params, Problem

STEPS = 4  # of the laws that compare two runs
SHARP_BEND, SHARP_STEPS = 10.0, 6  # where calls are counted: line searches need several trials

_MATRIX = 2, 3
_RESTLESS = ("weight_decay", "temperature")

# These programs run a few times only: what they cost is their compilation.
_compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A method with the runs that several laws share."""

    method: Method

    @functools.cached_property
    def make_problem(self) -> MakeProblem:
        """The problem that it is run on, from a bend and a shift."""
        try:
            return small_problem_for(self.method)
        except Exception:  # the laws will meet it again, and tell
            return make_problem

    @functools.cached_property
    def values(self) -> Values:
        """The hyperparameters, apart from those that keep it from resting at a minimizer."""
        declared = declared_values(self.method, make_problem())
        return {at: np.zeros(()) if at[1] in _RESTLESS else v for at, v in declared.items()}

    @functools.cached_property
    def built(self) -> Optimizer:
        """The optimizer, for what it declares."""
        return self.method.build(jax.tree.map(jnp.asarray, self.values))

    @functools.cached_property
    def start(self) -> np.ndarray:
        """A vector; a matrix of the same numbers, where the method refuses vectors."""
        try:
            jax.eval_shape(
                lambda x, v, problem: self.method.build(v).begin(x, problem),
                START,
                self.values,
                self.make_problem(),
            )
        except NotApplicable:
            return START.reshape(_MATRIX)
        return START

    @functools.cached_property
    def compiled(self) -> Callable[..., Outcome]:
        """(problem, params, values, num_steps) -> outcome, in one program."""
        return _compiled(make_loop(self.method, Oracle))

    @functools.cached_property
    def mapped(self) -> Callable[..., Outcome]:
        """As `compiled`, over lanes of params and values."""
        return _compiled(jax.vmap(make_loop(self.method, Oracle), (None, 0, 0, None)))

    def run(self, problem: Problem, params: Params, num_steps: int = STEPS) -> Outcome:
        """A compiled run at the declared hyperparameters."""
        return self.compiled(problem, params, self.values, num_steps)

    @functools.cached_property
    def plain(self) -> Outcome:
        """The compiled run in float64 from the flat start."""
        return self.run(self.make_problem(), self.start)

    def run_eagerly(
        self, bend: float = 1.0, num_steps: int = STEPS
    ) -> tuple[Outcome, collections.Counter[str]]:
        """A run operation by operation from the flat start, and the oracle calls it makes."""
        counts: collections.Counter[str] = collections.Counter()
        problem, params, values = jax.tree.map(
            jnp.asarray, (self.make_problem(bend), self.start, self.values)
        )
        run = make_loop(self.method, counting(counts))
        with jax.disable_jit():
            return run(problem, params, values, num_steps), counts

    @functools.cached_property
    def eager(self) -> tuple[Outcome, collections.Counter[str]]:
        """The eager run in float64 from the flat start."""
        return self.run_eagerly()

    @functools.cached_property
    def sharp(self) -> tuple[Outcome, collections.Counter[str]]:
        """The eager run from the flat start where line searches need several trials."""
        return self.run_eagerly(SHARP_BEND, SHARP_STEPS)
