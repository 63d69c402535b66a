"""An optax gradient transformation as an optimizer, every call that it makes counted."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optbench import trees
from optbench.errors import OptbenchError, first_line
from optbench.optimizer import Optimizer, State, Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params

_SEARCHES = optax.ScaleByZoomLinesearchState, optax.ScaleByBacktrackingLinesearchState


def from_optax(transformation: optax.GradientTransformation) -> Optimizer:
    """An optimizer that applies the updates of an optax gradient transformation.

    Its update function is handed those of `OFFERED` that it, or a part of it, has as parameters;
    all of them, where it fails without.
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
            return take(_Asked(evaluation, state, oracle, lambda params: oracle.value(params)))
        layout = trees.layout_of(evaluation.params)
        params, value, grad = evaluation
        flat = Evaluation(trees.coordinates(params), value, trees.coordinates(grad))
        of_flat = lambda flat: oracle.value(trees.unpack(layout, flat))  # noqa: E731
        taken = take(_Asked(flat, state, oracle, of_flat))
        point, seen = trees.unpack(layout, taken.params), taken.evaluation
        if seen is not None:
            seen = Evaluation(point, seen.value, trees.unpack(layout, seen.grad))
        return taken._replace(params=point, evaluation=seen)

    def take(asked: _Asked) -> Step:
        try:
            step = _updated(transformation, names, asked)
        except (TypeError, ValueError) as error:
            try:  # a part that is made in the update itself, or names no params, is not seen
                step = _updated(transformation, OFFERED, asked)
            except (TypeError, ValueError):
                raise OptbenchError(
                    f"an optax optimizer cannot take its step: {first_line(error)}",
                    "mend it, or wrap it in an Optimizer of your own",
                ) from error
        return _after_search(asked.evaluation, step)

    is_schedule_free = transformation.update.__module__ == optax.contrib.schedule_free.__module__
    return Optimizer(init, step, _averaged if is_schedule_free else None)


class _Asked(NamedTuple):
    """What one update is made from."""

    evaluation: Evaluation
    state: State
    oracle: Oracle
    value_fn: Callable[[Any], Any]


def _updated(transformation: Any, names: Sequence[str], asked: _Asked) -> Step:
    """The step of one update that is handed these extra arguments."""
    (params, _, grad), state, oracle, value_fn = asked
    gradients: list[Any] = []  # one per call of grad_fn, in a loop of Python
    extra = {name: _offer(name, asked.evaluation, oracle, gradients) for name in names}
    extra |= {"value_fn": value_fn} if "value_fn" in names else {}
    with jax.numpy_dtype_promotion("standard"):
        updates, new_state = transformation.update(grad, state, params, **extra)
        new_params = optax.apply_updates(params, updates)
    new_state = jax.tree.map(strong, new_state)
    calls = Calls(value_and_gradients=len(gradients))
    if "obj_fn" in names:
        calls = calls._replace(hessian_products=_num_estimates(state, new_state))
    return Step(new_params, new_state, calls)


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
            queue += getattr(part.__self__, "__dict__", {}).values()
        elif inspect.isfunction(part):
            is_update, part = part is update, inspect.unwrap(part)
            if is_update or _takes_params(part):
                found |= _beyond_params(part)
            queue += _closed_over(part)
    return tuple(name for name in OFFERED if name in found)


def _closed_over(function: Callable[..., Any]) -> list[Any]:
    """What a function closes over, less the names that were never bound."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # the cell is empty
            continue
    return found


def _takes_params(function: Callable[..., Any]) -> bool:
    """Whether a function is one of (updates, state, params, ...)."""
    named = list(inspect.signature(function).parameters)
    return len(named) > 3 and named[2] == "params"


def _beyond_params(update: Callable[..., Any]) -> set[str]:
    """The names that follow (updates, state, params)."""
    named = list(inspect.signature(update).parameters.values())
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
