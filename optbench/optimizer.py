"""How an objective is minimized: init and step."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from optbench import trees
from optbench.errors import OptbenchError, first_line
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params, Problem

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
        init_on: (params, problem) -> state, in place of `init`, where the size of the state is
            that of the problem.
    """

    init: Callable[[Params], State]
    step: Callable[[Evaluation, State, Oracle], Step]
    eval_params: Callable[[Params, State], Params] | None = None
    report: Callable[[State], dict[str, jax.Array]] | None = None
    feasible: bool = False
    by_array: bool = False
    stability: Callable[[State, Any], Stability] | None = None
    by_origin: bool = False
    init_on: Callable[[Params, Problem], State] | None = None

    def begin(self, params: Params, problem: Problem) -> State:
        """The first state on a problem.

        Raises:
            NotApplicable: the method needs structure the problem lacks.
        """
        return self.init(params) if self.init_on is None else self.init_on(params, problem)


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


_SEARCHES = optax.ScaleByZoomLinesearchState, optax.ScaleByBacktrackingLinesearchState


def from_optax(transformation: optax.GradientTransformation) -> Optimizer:
    """An optimizer that applies the updates of an optax gradient transformation.

    Its update function is handed those of `OFFERED` that it, or a part of it, has as parameters.
    Every call it makes is counted, trials of line searches included; the evaluation of one that
    ends the chain at the accepted point is used. A schedule-free transformation reports its
    averaged point. Optax's searches do not agree on whether complex gradients are conjugated; they
    see complex params as real ones.

    Raises:
        OptbenchError: it needs other extra arguments; or, at the first step, it fails.
    """
    transformation = optax.with_extra_args_support(transformation)
    names = _extra_arguments(transformation.update)

    def init(params: Params) -> State:
        with jax.numpy_dtype_promotion("standard"):
            state = jax.tree.map(strong, transformation.init(params))
        return init(trees.coordinates(params)) if _needs_real(params, state) else state

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        if not _needs_real(evaluation.params, state):
            return take(evaluation, state, oracle, oracle.value if "value_fn" in names else None)
        layout = trees.layout_of(evaluation.params)
        params, value, grad = evaluation
        flat = Evaluation(trees.coordinates(params), value, trees.coordinates(grad))
        taken = take(flat, state, oracle, lambda flat: oracle.value(trees.unpack(layout, flat)))
        point, seen = trees.unpack(layout, taken.params), taken.evaluation
        if seen is not None:
            seen = Evaluation(point, seen.value, trees.unpack(layout, seen.grad))
        return taken._replace(params=point, evaluation=seen)

    def take(evaluation: Evaluation, state: State, oracle: Oracle, value_fn: Any) -> Step:
        params, _, grad = evaluation
        gradients: list[Any] = []  # one per call of grad_fn, in a loop of Python
        extra = {name: _offer(name, evaluation, oracle, gradients) for name in names}
        extra |= {"value_fn": value_fn} if "value_fn" in names else {}
        try:
            with jax.numpy_dtype_promotion("standard"):
                updates, new_state = transformation.update(grad, state, params, **extra)
                new_params = optax.apply_updates(params, updates)
        except (TypeError, ValueError) as error:
            raise OptbenchError(
                f"an optax optimizer cannot take its step: {first_line(error)}",
                "mend it, or wrap it in an Optimizer of your own",
            ) from error
        new_state = jax.tree.map(strong, new_state)
        calls = Calls(value_and_gradients=len(gradients))
        if "obj_fn" in names:
            calls = calls._replace(hessian_products=_num_estimates(state, new_state))
        return _after_search(evaluation, Step(new_params, new_state, calls))

    is_schedule_free = transformation.update.__module__ == optax.contrib.schedule_free.__module__
    return Optimizer(init, step, _averaged if is_schedule_free else None)


def _averaged(params: Params, state: State) -> Params:
    return optax.contrib.schedule_free_eval_params(state, params)


OFFERED = ("value", "grad", "value_fn", "obj_fn", "grad_fn")


def _extra_arguments(update: Callable[..., Any]) -> tuple[str, ...]:
    """Which extra arguments an update function takes, itself or in a part it closes over.

    Raises:
        OptbenchError: it needs one that is not offered.
    """
    found: set[str] = set()
    queue: list[Any] = [update]
    seen: dict[int, Any] = {}  # kept alive, so that no other object takes its place
    while queue:
        part = queue.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, functools.partial):
            queue.append(part.func)
        elif isinstance(part, (tuple, list)):
            queue += part
        elif isinstance(part, dict):
            queue += part.values()
        elif inspect.ismethod(part):
            queue += vars(part.__self__).values()
        elif inspect.isfunction(part):
            part = inspect.unwrap(part)
            found |= _beyond_params(part)
            queue += inspect.getclosurevars(part).nonlocals.values()
    return tuple(name for name in OFFERED if name in found)


def _beyond_params(function: Callable[..., Any]) -> set[str]:
    """The names that follow (updates, state, params); none of a function of another kind."""
    named = list(inspect.signature(function).parameters.values())
    if len(named) < 4 or named[2].name != "params":
        return set()
    extra = [p for p in named[3:] if p.kind is not p.VAR_KEYWORD]
    for parameter in extra:
        if parameter.default is parameter.empty and parameter.name not in OFFERED:
            raise OptbenchError(
                f"an optax optimizer needs {parameter.name!r} at every step",
                f"{', '.join(OFFERED)} are offered; wrap other needs in an Optimizer of your own",
            )
    return {parameter.name for parameter in extra}


def _offer(name: str, evaluation: Evaluation, oracle: Oracle, gradients: list[Any]) -> Any:
    """An extra argument of an update function; calls of grad_fn leave a trace in `gradients`."""

    def grad_fn(params: Params, index: Any) -> Params:
        gradients.append(index)
        return oracle.value_and_grad(params).grad

    if name == "obj_fn":
        return _for_hessian_products(evaluation, oracle)
    known = {"value": evaluation.value, "grad": evaluation.grad, "grad_fn": grad_fn}
    return known.get(name)


def _for_hessian_products(evaluation: Evaluation, oracle: Oracle) -> Callable[[Params], Any]:
    """A function whose Hessian products are the oracle's; its value and gradient are NaN."""
    nothing = trees.scale(jnp.nan, (evaluation.value, evaluation.grad))

    @jax.custom_jvp
    def gradient(params: Params) -> Params:
        return nothing[1]

    @gradient.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        return nothing[1], oracle.hessian_product(*primals)(*tangents)

    @jax.custom_vjp
    def objective(params: Params) -> Any:
        return nothing[0]

    objective.defvjp(
        lambda params: (nothing[0], gradient(params)), lambda grad, c: (trees.scale(c, grad),)
    )
    return objective


def _num_estimates(before: State, after: State) -> Any:
    """How many diagonals of the Hessian a step has estimated: each draws from its key."""
    pairs = (_nodes(state, optax.contrib.HutchinsonState) for state in (before, after))
    return sum(jnp.any(a.key != b.key).astype(jnp.int32) for a, b in zip(*pairs, strict=True))


def _needs_real(params: Params, state: State) -> bool:
    """Whether there are complex params, and a line search."""
    is_complex = any(jnp.iscomplexobj(leaf) for leaf in jax.tree.leaves(params))
    return is_complex and bool(_nodes(state, _SEARCHES))


def _nodes(state: State, kinds: Any) -> list[Any]:
    """The parts of a state that are of these kinds."""
    nodes = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, kinds))
    return [node for node in nodes if isinstance(node, kinds)]


def strong(leaf: Any) -> Any:
    """The leaf as an array with a dtype of its own: a Python number's yields to others."""
    leaf = jnp.asarray(leaf)
    is_weak = getattr(leaf, "weak_type", False)  # random keys have no such attribute
    return jax.lax.convert_element_type(leaf, leaf.dtype) if is_weak else leaf


def _after_search(before: Evaluation, step: Step) -> Step:
    """The step, with the trials of the line search in its state, if there is one."""
    params, state, calls, _ = step
    searches = _nodes(state, _SEARCHES)
    if not searches:
        return step
    trials = sum(search.info.num_linesearch_steps for search in searches)
    search = searches[-1]
    if search.grad is None:
        return step._replace(calls=calls._replace(values=trials))
    step = step._replace(calls=calls._replace(value_and_gradients=trials))
    if not _ends_with(state, search):
        return step  # what follows the search has moved the point on
    moved = search.learning_rate != 0  # a search that fails may keep the value of its last trial
    value, grad = trees.where(moved, (search.value, search.grad), (before.value, before.grad))
    return step._replace(evaluation=Evaluation(params, value, grad))


def _ends_with(state: State, search: Any) -> bool:
    """Whether the last transformation of a chain is this search."""
    while type(state) is tuple and state:
        state = state[-1]
    return state is search
