"""What may be asked of an objective, and what it costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench.errors import NotApplicable
from optbench.problem import Params, Problem


class Calls(NamedTuple):
    """Oracle calls, by kind; a fused value and gradient is one call of its own kind."""

    value_and_gradients: Any = 0
    values: Any = 0
    hessian_products: Any = 0
    fisher_products: Any = 0
    prox: Any = 0
    linear_iterations: Any = 0


class Prices(NamedTuple):
    """Price of each kind of call in gradient-equivalents (one value and gradient = 1)."""

    value_and_gradients: float = 1.0
    values: float = 1 / 3
    hessian_products: float = 1.5
    fisher_products: float = 1.5
    prox: float = 0.0
    linear_iterations: float = 0.0


class Evaluation(NamedTuple):
    """f and its gradient at a point: computed once per step, shared by stepping and logging."""

    params: Params
    value: Any  # a real scalar
    grad: Params


@dataclasses.dataclass(frozen=True, eq=False)
class Oracle:
    """What a step may ask of the objective. Lives inside a trace; the step reports the calls.

    Attributes:
        problem: the problem, traced.
        key: this step's sample, the same for every optimizer; unused where nothing is random.
    """

    problem: Problem
    key: jax.Array | None = None

    def _loss(self, params: Params) -> jax.Array:
        if self.problem.sample_loss is not None:
            return self.problem.sample_loss(params, self.key, *self.problem.data)
        return self.problem.objective(params, *self.problem.data)

    def value(self, params: Params) -> jax.Array:
        """f(params), or its estimate from this step's sample."""
        return self._loss(params)

    def value_and_grad(self, params: Params) -> Evaluation:
        """f and its gradient at params, the direction of steepest ascent also where complex."""
        value, grad = jax.value_and_grad(self._loss)(params)
        return Evaluation(params, value, jax.tree.map(jnp.conj, grad))

    def hessian_product(self, params: Params) -> Callable[[Params], Params]:
        """v -> (hess f)(params) v, forward over reverse; no Hessian is formed."""
        return jax.linearize(lambda p: self.value_and_grad(p).grad, params)[1]

    def fisher_product(self, params: Params) -> Callable[[Params], Params]:
        """v -> J^T (hess output_loss) J v, with J the Jacobian of outputs at params.

        Raises:
            NotApplicable: the problem has no outputs with a loss, or is sampled.
        """
        problem = self.problem
        if problem.outputs is None or problem.output_loss is None:
            raise NotApplicable(
                "this problem has no Fisher matrix",
                "give Problem.outputs and Problem.output_loss, or use newton_cg",
            )
        if problem.sample_loss is not None:
            raise NotApplicable(
                "no Fisher product is defined for a sampled loss",
                "use the full-batch form of the problem",
            )
        outputs_of, output_loss, data = problem.outputs, problem.output_loss, problem.data
        outputs, jacobian = jax.linearize(lambda p: outputs_of(p, *data), params)
        transpose = jax.linear_transpose(jacobian, params)
        curvature = jax.linearize(jax.grad(lambda z: output_loss(z, *data)), outputs)[1]

        def product(v: Params) -> Params:
            return transpose(curvature(jacobian(v)))[0]

        return product


class _NeedsOracle(Exception):
    pass


class RefusingOracle(Oracle):
    """An oracle that answers nothing: whoever asks it shows that it needs one.

    Args:
        error: raised at the first question.
    """

    def __init__(self, error: Exception | None = None):
        object.__setattr__(self, "_error", error or _NeedsOracle())

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        raise self._error


def untouched(step: Callable[..., Any], *arguments: Any) -> Any:
    """The shapes of what a step returns, if it asks the oracle nothing; else None.

    Args:
        step: of the arguments and an oracle.
        *arguments: shapes and dtypes suffice.
    """
    try:
        return jax.eval_shape(lambda *a: step(*a, RefusingOracle()), *arguments)
    except _NeedsOracle:
        return None
