"""One method, as tracing a step of it shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.extend.core import subjaxprs

from optbench.errors import NotApplicable, OptbenchError
from optbench.lanes import LANES, SEEDS, SETTINGS, SHARED, Over, varying
from optbench.method import Method
from optbench.optimizer import Optimizer, Step
from optbench.oracle import Calls, Evaluation, Oracle, untouched
from optbench.problem import Problem

Hyperparameters = Mapping[tuple[int, str], Any]  # (depth, name) -> scalar, or [H] where swept


class Slot(NamedTuple):
    """Room for one state leaf of one lane (or of all lanes, where it is shared)."""

    shape: tuple[int, ...]
    dtype: Any
    over: Over


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Member:
    """One method of a group, with what tracing it has shown.

    Attributes:
        method: the method.
        over: (depth, name) of each hyperparameter -> SETTINGS where swept, else SHARED.
        state: shapes and dtypes of one lane's state.
        state_over: which of its leaves vary over lanes.
        calls_over: whether its number of oracle calls does.
        evaluates: whether its step returns the evaluation at the next point.
        asks: whether its step asks the oracle anything, or its first state the problem.
        reports_elsewhere: whether it reports another point than it steps from.
        diagnostics: names of what it reports.
    """

    method: Method
    over: Mapping[tuple[int, str], Over]
    state: Any
    state_over: Any
    calls_over: Over
    evaluates: bool
    asks: bool
    reports_elsewhere: bool
    diagnostics: tuple[str, ...]

    @property
    def slots(self) -> list[Slot]:
        """The slot of each state leaf."""
        leaves = jax.tree.leaves(jax.eval_shape(as_numbers, self.state))
        overs = jax.tree.leaves(self.state_over, is_leaf=lambda o: isinstance(o, Over))
        return [Slot(s.shape, s.dtype, o) for s, o in zip(leaves, overs, strict=True)]


def as_numbers(state: Any) -> Any:
    """A state with random keys as the integers they hold."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, state)


def with_keys(state: Any, like: Any) -> Any:
    """A state of numbers with random keys where `like` has them."""

    def restore(leaf: Any, aval: Any) -> Any:
        if not _is_key(aval):
            return leaf
        impls: list[Any] = []
        jax.eval_shape(lambda key: impls.append(jax.random.key_impl(key)), aval)
        return jax.random.wrap_key_data(leaf, impl=impls[0])

    return jax.tree.map(restore, state, like)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)


def step_key(key_data: jax.Array, step: jax.Array) -> jax.Array:
    """The key of one step: the seed's key folded with the step's index."""
    return jax.random.fold_in(jax.random.wrap_key_data(key_data, impl="threefry2x32"), step)


def reported(method: Method, values: Hyperparameters, state: Any) -> dict[str, Any]:
    """The diagnostics a method reports of its state."""
    optimizer = method.build(values)
    return {} if optimizer.report is None else optimizer.report(state)


class Tick(NamedTuple):
    """What a step depends on beside the evaluation and the state."""

    values: Any  # Hyperparameters
    key_data: Any
    step: Any
    problem: Any  # Problem
    progress: Any  # share of the run that is behind


def take_step(method: Method, evaluation: Evaluation, state: Any, tick: Tick) -> Step:
    """One step of one lane."""
    oracle = Oracle(tick.problem, step_key(tick.key_data, tick.step), tick.progress)
    return method.build(tick.values).step(evaluation, state, oracle)


def count(calls: Calls) -> jax.Array:
    """Calls as one vector of integers."""
    return jnp.stack([jnp.asarray(kind, jnp.int32) for kind in calls])


def examine(
    problem: Problem,
    method: Method,
    swept: frozenset[str],
    start: Evaluation,
    *,
    guess: Any = None,
) -> Member:
    """Trace one step of a method to see its state and what varies over lanes.

    Args:
        problem: shapes and dtypes of its data suffice.
        method: the method.
        swept: names of the hyperparameters that take one value per setting.
        start: one lane's evaluation (shapes and dtypes).
        guess: which leaves of (state, calls) vary, as seen on another problem, where the state
            may have another structure; only saves time.

    Raises:
        OptbenchError: in a step, the state or point changes its structure, shapes or dtypes.
        NotApplicable: the method needs structure the problem lacks.
    """
    over, scalar = _locate(method, swept), jax.ShapeDtypeStruct((), start.value.dtype)
    values = dict.fromkeys(over, scalar)
    optimizer = _feasible(problem, method, values)
    state = jax.eval_shape(
        lambda p, v, problem: method.build(v).begin(p, problem), start.params, values, problem
    )
    state_over, calls_over, taken = _vary(method, problem, start, (over, state), guess)
    told = jax.eval_shape(lambda v, s: reported(method, v, s), values, state)
    return Member(
        method=method,
        over=over,
        state=state,
        state_over=state_over,
        calls_over=calls_over,
        evaluates=taken.evaluation is not None,
        asks=optimizer.init_on is not None or _asks(method, start, state, values),
        reports_elsewhere=optimizer.eval_params is not None,
        diagnostics=tuple(sorted(told)),
    )


class Glimpse(NamedTuple):
    """What one trace of one lane's step shows, several times cheaper than `examine`.

    Attributes:
        operations: in the step, inner loops and branches counted once.
        asks: whether it asks the oracle anything.
        waits: whether its number of oracle calls depends on what it sees.
        state_size: numbers in its state.
    """

    operations: int
    asks: bool
    waits: bool
    state_size: int


def glimpse(problem: Problem, method: Method, swept: frozenset[str], start: Evaluation) -> Glimpse:
    """Trace one step of one lane; arguments and errors as of `examine`."""
    scalar = jax.ShapeDtypeStruct((), start.value.dtype)
    values = dict.fromkeys(_locate(method, swept), scalar)
    optimizer = _feasible(problem, method, values)
    calls: list[Calls] = []

    def lane(start: Evaluation, tick: Tick) -> Any:
        state = method.build(tick.values).begin(start.params, tick.problem)
        step = take_step(method, start, state, tick)
        calls.append(step.calls)
        return step.params, step.state

    key_data, step = jax.ShapeDtypeStruct((2,), jnp.uint32), jax.ShapeDtypeStruct((), jnp.int32)
    traced = jax.make_jaxpr(lane)(start, Tick(values, key_data, step, problem, scalar))
    waits = any(isinstance(kind, Tracer) for kind in calls[-1])
    asked = waits or any(int(kind) for kind in calls[-1])
    params = sum(leaf.size for leaf in jax.tree.leaves(start.params))
    return Glimpse(
        operations=num_operations(traced.jaxpr),
        asks=asked or optimizer.init_on is not None,
        waits=waits,
        state_size=sum(aval.size for aval in traced.out_avals) - params,
    )


def num_operations(jaxpr: Any) -> int:
    """Equations of a jaxpr, and of those within it."""
    return len(jaxpr.eqns) + sum(map(num_operations, subjaxprs(jaxpr)))


def _vary(
    method: Method, problem: Problem, start: Evaluation, known: tuple[Any, Any], guess: Any
) -> tuple[Any, Over, Step]:
    """What varies over lanes, of the state and the calls, and a step as it was traced.

    Args:
        method: the method.
        problem: shapes and dtypes of its data suffice.
        start: one lane's evaluation (shapes and dtypes).
        known: what its hyperparameters vary over, and its state (shapes and dtypes).
        guess: as in `examine`.
    """
    over, state = known
    values = dict.fromkeys(over, jax.ShapeDtypeStruct((), start.value.dtype))
    taken: list[Step] = []

    def lane(carry: Any, start: Evaluation, tick: Tick) -> Any:
        state, calls = carry
        step = take_step(method, start, state, tick)
        _check_stable(method, "state", state, step.state)
        _check_stable(method, "point", start.params, step.params)
        taken.append(step)
        return step.state, calls + count(step.calls)

    key_data = jax.ShapeDtypeStruct((2,), jnp.uint32)
    step, progress = (jax.ShapeDtypeStruct((), d) for d in (jnp.int32, start.value.dtype))
    tick = Tick(values, key_data, step, problem, progress)
    carry = (state, jax.ShapeDtypeStruct((len(Calls._fields),), jnp.int32))

    def vary(progress_over: Over, guess: Any) -> tuple[Any, Over]:
        axes = Tick(over, SEEDS, SHARED, SHARED, progress_over)
        return varying(lane, carry, (LANES, axes), start, tick, guess=guess)

    state_over, calls_over = vary(SHARED, guess)
    if calls_over == LANES:  # then so does the share of the budget that is spent
        state_over, calls_over = vary(LANES, (state_over, calls_over))
    return state_over, calls_over, taken[-1]


def _asks(method: Method, start: Evaluation, state: Any, values: Any) -> bool:
    """Whether a step asks the oracle anything."""

    def step(start: Evaluation, state: Any, values: Hyperparameters, oracle: Oracle) -> Step:
        return method.build(values).step(start, state, oracle)

    return untouched(step, start, state, values) is None


def _feasible(problem: Problem, method: Method, values: Hyperparameters) -> Optimizer:
    """The optimizer, closed over dead tracers: for what it declares alone.

    Raises:
        NotApplicable: the problem has constraints, and the optimizer knows of none.
    """
    found: list[Optimizer] = []
    jax.eval_shape(lambda values: found.append(method.build(values)), values)
    if problem.constrained and not found[0].feasible:
        raise NotApplicable(
            f"{method.name} leaves the feasible set of this problem",
            "use proximal_gradient, or projected(...) around a first-order optimizer",
        )
    return found[0]


def require_values(method: Method, swept: frozenset[str]) -> None:
    """Refuse a method whose required hyperparameter is neither given nor swept.

    Raises:
        OptbenchError: naming it, or a swept name that the method does not have.
    """
    over = _locate(method, swept)
    for hyper in method.hyperparameters():
        if hyper.value is None and over[hyper.depth, hyper.name] == SHARED:
            raise OptbenchError(
                f"optimizer {method.label!r} needs a {hyper.name}",
                f"write {method.name}[{hyper.name}=0.1]",
            )


def _locate(method: Method, swept: frozenset[str]) -> dict[tuple[int, str], Over]:
    """SETTINGS for the innermost owner of each swept name, SHARED for the rest."""
    over = {(h.depth, h.name): SHARED for h in method.hyperparameters()}
    for name in swept:
        owners = [key for key in over if key[1] == name]
        if not owners:
            raise OptbenchError(
                f"optimizer {method.label!r} has no hyperparameter {name!r} to sweep",
                "`optbench list optimizers --json` shows the hyperparameters of each",
            )
        over[max(owners)] = SETTINGS
    return over


def _check_stable(method: Method, part: str, before: Any, after: Any) -> None:
    def outline(tree: Any) -> tuple[Any, ...]:
        leaves, structure = jax.tree.flatten(tree)
        return structure, [(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]

    if outline(before) != outline(after):
        raise OptbenchError(
            f"the {part} of optimizer {method.label!r} changes its structure, shapes or dtypes",
            f"return a {part} of the structure, shapes and dtypes that the first one has",
        )
