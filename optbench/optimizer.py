"""How an objective is minimized: init and step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optbench import trees
from optbench.errors import OptbenchError, first_line
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params

State = Any  # a pytree of arrays, of the same structure, shapes and dtypes after every step
Scalar = float | jax.Array  # a continuous hyperparameter: a float, or a tracer inside a trace


class Step(NamedTuple):
    """What a step returns.

    Attributes:
        params: the next point.
        state: the next state.
        calls: oracle calls made inside the step, every trial and rejected one included. The
            evaluation at the next point is the loop's, and the loop counts it.
        evaluation: the evaluation at `params`, where the step has already made (and counted) it.
    """

    params: Params
    state: State
    calls: Calls = Calls()
    evaluation: Evaluation | None = None


class Stability(NamedTuple):
    """Where a method turns unstable on a quadratic, its state frozen.

    Attributes:
        threshold: the sharpness lambda_max(P^{-1/2} H P^{-1/2}) above which it diverges.
        preconditioner: the diagonal P that its step divides by, like the params; None for I.
    """

    threshold: Any
    preconditioner: Params | None = None


class Optimizer(NamedTuple):
    """An optimizer inside a trace, closed over its hyperparameters.

    Attributes:
        init: params -> state.
        step: (evaluation, state, oracle) -> Step.
        eval_params: (params, state) -> the point it reports, where that is not `params`.
        report: state -> {name: scalar}, diagnostics for the log.
        feasible: whether its points are feasible, where the problem has constraints.
        by_array: whether its rule depends on how the params are divided into arrays.
        stability: (state, share of the run behind) -> `Stability`, where the method has a
            threshold (`optbench.stability`).
        by_origin: whether its rule depends, weight decay apart, on where the origin of params is.
    """

    init: Callable[[Params], State]
    step: Callable[[Evaluation, State, Oracle], Step]
    eval_params: Callable[[Params, State], Params] | None = None
    report: Callable[[State], dict[str, jax.Array]] | None = None
    feasible: bool = False
    by_array: bool = False
    stability: Callable[[State, Any], Stability] | None = None
    by_origin: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Rated:
    """An optimizer whose learning rate is a wrapper's to multiply.

    Attributes:
        at: factor on the learning rate -> the optimizer.
        learning_rate: the learning rate, where the factor is 1.
        multiplied: whether another wrapper, inside, multiplies it too.
    """

    at: Callable[[Any], Optimizer]
    learning_rate: Any
    multiplied: bool = False

    def __call__(self, factor: Any) -> Optimizer:
        """The optimizer with its learning rate multiplied."""
        return self.at(factor)


_EXTRA_ARGUMENTS = ((), ("value",), ("value", "grad", "value_fn"))
_SEARCHES = optax.ScaleByZoomLinesearchState, optax.ScaleByBacktrackingLinesearchState


def from_optax(transformation: optax.GradientTransformation) -> Optimizer:
    """An optimizer that applies the updates of an optax gradient transformation.

    Line searches are handed `value`, `grad` and `value_fn`; every trial they make is counted, and
    the evaluation of one that ends the chain at the accepted point is used.

    Raises:
        OptbenchError: at the first step, where the transformation needs other extra arguments.
    """
    transformation = optax.with_extra_args_support(transformation)

    def init(params: Params) -> State:
        with jax.numpy_dtype_promotion("standard"):
            return jax.tree.map(strong, transformation.init(params))

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, value, grad = evaluation
        refusals: list[Exception] = []
        for names in _EXTRA_ARGUMENTS:
            offers = {"value": value, "grad": grad}
            if "value_fn" in names:
                offers["value_fn"] = oracle.value
            extra = {name: offers[name] for name in names}
            try:
                with jax.numpy_dtype_promotion("standard"):
                    updates, new_state = transformation.update(grad, state, params, **extra)
                    new_params = optax.apply_updates(params, updates)
            except (TypeError, ValueError) as error:
                refusals.append(error)
                continue
            new_state = jax.tree.map(strong, new_state)
            return _after_search(evaluation, new_params, new_state)
        raise OptbenchError(
            f"an optax optimizer cannot take its step: {first_line(refusals[0])}",
            "value, grad and value_fn are offered; wrap other needs in an Optimizer of your own",
        ) from refusals[0]

    return Optimizer(init, step)


def strong(leaf: Any) -> Any:
    """The leaf as an array with a dtype of its own: a Python number's yields to others."""
    leaf = jnp.asarray(leaf)
    is_weak = getattr(leaf, "weak_type", False)  # random keys have no such attribute
    return jax.lax.convert_element_type(leaf, leaf.dtype) if is_weak else leaf


def _after_search(before: Evaluation, params: Params, state: State) -> Step:
    """The step, with the trials of the line search in the state, if there is one."""
    nodes = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, _SEARCHES))
    searches: list[Any] = [node for node in nodes if isinstance(node, _SEARCHES)]
    if not searches:
        return Step(params, state)
    trials = sum(search.info.num_linesearch_steps for search in searches)
    search = searches[-1]
    if search.grad is None:
        return Step(params, state, Calls(values=trials))
    calls = Calls(value_and_gradients=trials)
    if not _ends_with(state, search):
        return Step(params, state, calls)  # what follows the search has moved the point on
    moved = search.learning_rate != 0  # a search that fails may keep the value of its last trial
    value, grad = trees.where(moved, (search.value, search.grad), (before.value, before.grad))
    return Step(params, state, calls, Evaluation(params, value, grad))


def _ends_with(state: State, search: Any) -> bool:
    """Whether the last transformation of a chain is this search."""
    while type(state) is tuple and state:
        state = state[-1]
    return state is search
