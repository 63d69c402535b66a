"""What may be asked of an objective, and what it costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.errors import NotApplicable
from optbench.fisher import KroneckerFisher, fisher_product, kronecker_fisher
from optbench.optimality import smooth_grad
from optbench.problem import Params, Problem


class Calls(NamedTuple):
    """Oracle calls, by kind; a fused value and gradient is one call of its own kind.

    Where steps see samples, all kinds but the last two are of the sampled objective.
    """

    value_and_gradients: Any = 0
    values: Any = 0
    hessian_products: Any = 0
    fisher_products: Any = 0
    jacobian_products: Any = 0
    prox: Any = 0
    linear_iterations: Any = 0
    row_gradients: Any = 0  # gradients of single terms of a finite sum
    whole_gradients: Any = 0  # values and gradients of the exact objective


class Prices(NamedTuple):
    """Price of each kind of call in gradient-equivalents (one value and gradient = 1).

    The price of `row_gradients` is that of one gradient per row, all rows together.
    """

    value_and_gradients: float = 1.0
    values: float = 1 / 3
    hessian_products: float = 1.5
    fisher_products: float = 1.5
    jacobian_products: float = 0.75  # half a Fisher product
    prox: float = 0.0
    linear_iterations: float = 0.0
    row_gradients: float = 1.0
    whole_gradients: float = 1.0


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
        progress: share of the run that is behind, in [0, 1]: t / T for step t of T where every
            step costs the same. What schedules are functions of; no question to the objective.
    """

    problem: Problem
    key: jax.Array | None = None
    progress: Any = 0.0

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

    def whole_value_and_grad(self, params: Params) -> Evaluation:
        """As `value_and_grad` has it, of the exact objective, also where steps see samples."""
        exact = dataclasses.replace(self.problem, sample_loss=None)
        return dataclasses.replace(self, problem=exact).value_and_grad(params)

    @property
    def num_rows(self) -> int:
        """How many terms the finite sum has.

        Raises:
            NotApplicable: f is no finite sum.
        """
        self._require_rows()
        return self.problem.num_rows

    def _require_rows(self) -> None:
        if not self.problem.row_arrays:
            raise NotApplicable(
                "this problem is no finite sum", "set Problem.row_arrays, or use another optimizer"
            )

    def sample_rows(self) -> jax.Array:
        """[B] which rows this step's sample is the mean of.

        Raises:
            NotApplicable: steps see no rows of a finite sum.
        """
        rows_of = getattr(self.problem.sample_loss, "rows", None)
        if rows_of is None:
            raise NotApplicable(
                "this problem is not seen through minibatches", "write problem[batch_size=1]"
            )
        return rows_of(self.key, *self.problem.data)

    def row_gradients(self, params: Params, rows: jax.Array) -> Params:
        """[B, ...] the gradient of each of these terms of the finite sum.

        Raises:
            NotApplicable: f is no finite sum.
        """
        self._require_rows()
        objective, data, count = self.problem.objective, self.problem.data, self.problem.row_arrays

        def gradient(row: jax.Array) -> Params:
            term = (jnp.asarray(array)[row][None] for array in data[:count])
            return jax.tree.map(jnp.conj, jax.grad(objective)(params, *term, *data[count:]))

        return jax.vmap(gradient)(rows)

    def smooth_grad(self, evaluation: Evaluation) -> Params:
        """The gradient of f less its nonsmooth part, from the evaluation of f."""
        return smooth_grad(self.problem, evaluation.params, evaluation.grad)

    def tangent(self, evaluation: Evaluation) -> Params:
        """The gradient's part in the tangent space of the feasible set, where that is a manifold.

        Elsewhere the gradient itself.
        """
        problem, (params, _, grad) = self.problem, evaluation
        return grad if problem.tangent is None else problem.tangent(params, grad, *problem.data)

    def prox(self, params: Params, step: Any) -> Params:
        """argmin_u h(u) + |u - params|^2 / (2 step), or the nearest feasible point.

        Raises:
            NotApplicable: f has a nonsmooth part, and no prox of it is given.
        """
        problem = self.problem
        if problem.prox is not None:
            return problem.prox(params, step, *problem.data)
        if problem.nonsmooth is not None:
            raise NotApplicable(
                "no prox is known for the nonsmooth part of this problem",
                "give Problem.prox, or use a subgradient method",
            )
        return params

    def project(self, params: Params) -> Params:
        """The nearest feasible point.

        Raises:
            NotApplicable: f has a nonsmooth part, whose prox depends on the step.
        """
        if self.problem.nonsmooth is not None:
            raise NotApplicable(
                "this problem has a nonsmooth part and no constraint", "use proximal_gradient"
            )
        return self.prox(params, jnp.ones((), trees.norm(params).dtype))

    def hessian_product(self, params: Params) -> Callable[[Params], Params]:
        """v -> (hess f)(params) v, forward over reverse; no Hessian is formed."""
        return jax.linearize(lambda p: self.value_and_grad(p).grad, params)[1]

    def fisher_product(self, params: Params) -> Callable[[Params], Params]:
        """v -> J^T (hess output_loss) J v, with J the Jacobian of outputs at params.

        Raises:
            NotApplicable: the problem has no outputs with a loss, or is sampled.
        """
        outputs, output_loss = self.problem.outputs, self.problem.output_loss
        if outputs is None or output_loss is None:
            raise NotApplicable(
                "this problem has no Fisher matrix",
                "give Problem.outputs and Problem.output_loss, or use newton_cg",
            )
        self._require_all_rows()
        data = self.problem.data
        return fisher_product(lambda p: outputs(p, *data), lambda z: output_loss(z, *data), params)

    def kronecker_fisher(self, params: Params) -> KroneckerFisher:
        """The Fisher matrix layer by layer, each block approximated by a Kronecker product.

        It takes `num_products` Fisher products.

        Raises:
            NotApplicable: the problem is no network of dense layers, or is sampled.
        """
        network, output_loss = self.problem.network, self.problem.output_loss
        if network is None or output_loss is None:
            raise NotApplicable(
                "this problem has no dense layers", "give Problem.network, or use natural_gradient"
            )
        self._require_all_rows()
        return kronecker_fisher(network, output_loss, params, self.problem.data)

    def _require_all_rows(self) -> None:
        if self.problem.sample_loss is not None:
            raise NotApplicable(
                "no Fisher product is defined for a sampled loss",
                "use the full-batch form of the problem",
            )

    def linearized_residuals(
        self, params: Params
    ) -> tuple[jax.Array, Callable[[Params], jax.Array]]:
        """(r, v -> J v): the residuals at params as one real vector [m], and their Jacobian there.

        Raises:
            NotApplicable: the problem has no residuals, or is sampled.
        """
        problem = self.problem
        if problem.residuals is None:
            raise NotApplicable(
                "this problem is no sum of squares", "give Problem.residuals, or use newton_cg"
            )
        if problem.sample_loss is not None:
            raise NotApplicable(
                "no residuals are defined for a sampled loss",
                "use the full-batch form of the problem",
            )
        residuals, data = problem.residuals, problem.data
        return jax.linearize(lambda p: trees.coordinates(residuals(p, *data)), params)


class _NeedsOracle(Exception):
    pass


class RefusingOracle(Oracle):
    """An oracle that tells the progress, and answers nothing about the objective.

    Whoever asks it shows that it needs more than the evaluation it is handed.

    Args:
        error: raised at the first question.
        progress: as `Oracle` has it.
    """

    def __init__(self, error: Exception | None = None, progress: Any = 0.0):
        object.__setattr__(self, "_error", error or _NeedsOracle())
        object.__setattr__(self, "_progress", progress)

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        if name == "progress":
            return self._progress
        raise self._error


def untouched(step: Callable[..., Any], *arguments: Any) -> Any:
    """The shapes of what a step returns, if it asks about the objective nothing; else None.

    Args:
        step: of the arguments and an oracle.
        *arguments: shapes and dtypes suffice.
    """
    try:
        return jax.eval_shape(lambda *a: step(*a, RefusingOracle()), *arguments)
    except _NeedsOracle:
        return None
