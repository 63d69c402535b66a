"""The laws every optimizer is held to, run on one small least-squares problem."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from optbench import trees
from optbench.checks.exceptions import exceptions_of
from optbench.checks.hosted import check_hosted
from optbench.checks.plain_loop import (
    CENTER,
    START,
    Outcome,
    Values,
)
from optbench.checks.record import Check, at_most
from optbench.checks.subject import SHARP_BEND, SHARP_STEPS, STEPS, Subject
from optbench.errors import first_line
from optbench.method import Method, make_method
from optbench.oracle import Calls, Oracle
from optbench.problem import Params, Problem
from optbench.program import precision

TOLERANCE = 1e-9  # relative, float64: rounding, amplified over a few steps
TOLERANCE_FLOAT32 = 1e-3
DECREASE_STEPS = 200

_SHIFT = np.array([2.0, -1.0, 3.0, 0.5, -2.5, 1.5])
_NESTED = {"matrix": np.zeros((1, 2)), "rest": (np.zeros(()), [np.zeros(3)])}
_LISTED = jax.tree.leaves(_NESTED)  # the same arrays
_LANE_SCALES = np.array([1.0, 0.95, 0.9])


def check_optimizer(method: Method | Callable[..., Any]) -> tuple[Check, ...]:
    """Hold one optimizer to the laws.

    The problem is that of `make_problem`, with b = 1; b = 0 for the law on decrease, a quadratic
    with L = 1 and kappa = 10; b = 10 where calls are counted. A method that needs a finite sum is
    run on that of `make_finite_sum`, the same f. Weight decay and temperature are set to 0. Params
    are a vector, of methods that refuse one a matrix. A law that is declared not to hold passes
    where it fails, and fails where it holds. A solver that runs on the host has laws of its own.

    Args:
        method: the method, or its factory; whatever has no default must be given.

    Returns:
        One check per law; a law that raises has failed, with what was raised.

    Raises:
        OptbenchError: a hyperparameter has neither a value nor a default.
    """
    method = method if isinstance(method, Method) else make_method(method)
    if method.hosted:
        return check_hosted(method)
    subject, known = Subject(method), exceptions_of(method.factory)
    _ = subject.values  # refused as a whole, where one is missing
    return tuple(
        _excepted(_hold(name, law, subject), known.get(name, "")) for name, law in _LAWS.items()
    )


def _excepted(check: Check, reason: str) -> Check:
    """A check, turned around where there is a reason why it should fail."""
    if not reason:
        return check
    detail = f"declared not to hold, and holds: {check.detail}" if check.passed else check.detail
    return dataclasses.replace(check, passed=not check.passed, detail=detail, exception=reason)


def _hold(name: str, law: Callable[[Subject], Check], subject: Subject) -> Check:
    try:
        with jax.enable_x64(True):
            return dataclasses.replace(law(subject), law=name)
    except Exception as error:  # whatever a stranger's code raises is this law's failure
        return Check(name, False, f"{type(error).__name__}: {first_line(error)}")


def _difference(one: Params, other: Params) -> float:
    """The largest difference, relative to the largest number (or 1)."""
    a, b = (trees.flat(jax.tree.map(np.asarray, tree)) for tree in (one, other))
    return float(np.max(np.abs(a - b)) / max(1.0, np.max(np.abs(b))))


def _agree(one: Outcome, other: Outcome, what: str) -> Check:
    """Equal points to rounding, and equal calls."""
    calls = np.asarray(one.calls).tolist(), np.asarray(other.calls).tolist()
    if calls[0] != calls[1]:
        return Check("", False, f"{what}: calls {calls[0]} and {calls[1]}")
    return at_most("", _difference(one.params, other.params), TOLERANCE, what)


def _stable(subject: Subject) -> Check:
    """Structure, shapes and dtypes of params and state, in both precisions."""
    for dtype in ("float64", "float32"):
        problem, params, values = trees.cast(
            (subject.make_problem(), subject.start, subject.values), dtype
        )
        trace = functools.partial(_trace, subject.method)
        first, later, report = jax.eval_shape(trace, problem, params, values)
        if _outline(first) != _outline(later):
            return Check("", False, f"{dtype}: {_change(_outline(first), _outline(later))}")
        if any(leaf.shape != () for leaf in jax.tree.leaves(report)):
            return Check("", False, f"report returns something else than scalars: {report}")
    return Check("", True, "structure, shapes and dtypes keep in float64 and float32")


def _trace(method: Method, problem: Problem, params: Params, values: Values) -> Any:
    """(Evaluation, state) at the start and after two steps, and what is reported then."""
    optimizer, oracle = method.build(values), Oracle(problem, jax.random.key(0))
    first = seen, state = oracle.value_and_grad(params), optimizer.begin(params, problem)
    for _ in range(2):
        step = optimizer.step(seen, state, oracle)
        seen, state = step.evaluation, step.state
        if seen is None:
            seen = oracle.value_and_grad(step.params)
    return first, (seen, state), {} if optimizer.report is None else optimizer.report(state)


def _outline(tree: Any) -> dict[str, Any]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path): (leaf.shape, str(leaf.dtype), leaf.weak_type)
        for path, leaf in leaves
    }


def _change(before: dict[str, Any], after: dict[str, Any]) -> str:
    path = next(p for p in before | after if before.get(p) != after.get(p))
    return f"{path} is {before.get(path)} at first, {after.get(path)} after a step"


def _jit(subject: Subject) -> Check:
    return _agree(subject.plain, subject.eager[0], f"{STEPS} steps, compiled and not")


def _calls(subject: Subject) -> Check:
    """Counted by Python in an eager run, so also where a library asks behind the oracle."""
    outcome, counts = subject.sharp
    reported = dict(zip(Calls._fields, outcome.calls.tolist(), strict=True))
    del reported["linear_iterations"]
    missed = {kind: (n, counts[kind]) for kind, n in reported.items() if n != counts[kind]}
    detail = "; ".join(f"{k}: reported {n}, counted {m}" for k, (n, m) in missed.items())
    return at_most("", len(missed), 0, detail or f"all {sum(counts.values())} calls are reported")


def _lanes(subject: Subject) -> Check:
    """Lanes that differ in start and hyperparameters; counts also where their trials differ.

    The first lane's counts are those of the eager run, which an instrumented objective proves.
    """
    together, alone = _mapped_and_looped(subject, subject.make_problem(), STEPS)
    check = _agree(together, alone, f"{len(_LANE_SCALES)} lanes, mapped and looped")
    if not check.passed:
        return check
    together, alone = _mapped_and_looped(subject, subject.make_problem(SHARP_BEND), SHARP_STEPS)
    alone.calls[0] = np.asarray(subject.sharp[0].calls)
    mapped, looped = np.asarray(together.calls).tolist(), alone.calls.tolist()
    if mapped != looped:
        return Check("", False, f"lanes of unequal trials: calls {mapped} and {looped}")
    return check


def _mapped_and_looped(
    subject: Subject, problem: Problem, num_steps: int
) -> tuple[Outcome, Outcome]:
    starts = np.multiply.outer(_LANE_SCALES, subject.start)
    values = {name: _LANE_SCALES * value for name, value in subject.values.items()}
    alone = [
        subject.compiled(problem, start, {n: v[lane] for n, v in values.items()}, num_steps)
        for lane, start in enumerate(starts)
    ]
    together = subject.mapped(problem, starts, values, num_steps)
    return together, jax.tree.map(lambda *leaves: np.stack(leaves), *alone)


def _nesting(subject: Subject) -> Check:
    """Against one flat array, or a flat list of the same arrays for rules that go by array."""

    def run(tree: Any) -> Outcome:
        return subject.run(subject.make_problem(), ravel_pytree(tree)[1](jnp.asarray(START)))

    if subject.built.by_array:
        return _agree(run(_NESTED), run(_LISTED), "nested and listed params")
    return _agree(run(_NESTED), subject.plain, "nested and flat params")


def _stationary(subject: Subject) -> Check:
    center = CENTER.reshape(subject.start.shape)
    moved = _difference(subject.run(subject.make_problem(), center).params, center)
    return at_most("", moved, TOLERANCE, f"moved by {moved:.1e} in {STEPS} steps from x*")


def _precisions(subject: Subject) -> Check:
    given = subject.make_problem(), subject.start, subject.values
    with precision("float32"):  # as a study runs
        single = subject.compiled(*trees.cast(given, "float32"), STEPS).params
    if single.dtype != jnp.float32:
        return Check("", False, f"float32 params turn {single.dtype}")
    difference = _difference(single, subject.plain.params)
    return at_most("", difference, TOLERANCE_FLOAT32, f"{STEPS} steps in float32 and float64")


def _translation(subject: Subject) -> Check:
    if subject.built.by_origin:
        return Check("", True, "not held to it: its rule is declared to depend on the origin")
    shift = _SHIFT.reshape(subject.start.shape)
    moved = subject.run(subject.make_problem(shift=_SHIFT), subject.start + shift)
    back = moved._replace(params=moved.params - jnp.asarray(shift))
    return _agree(back, subject.plain, "f(x - s) from x_0 + s, and f from x_0")


def _decrease(subject: Subject) -> Check:
    problem = subject.make_problem(bend=0.0)
    start, end = subject.start, subject.run(problem, subject.start, DECREASE_STEPS).params
    before, after = (float(problem.objective(jnp.asarray(x), *problem.data)) for x in (start, end))
    detail = f"f falls from {before:.4g} to {after:.4g} in {DECREASE_STEPS} steps"
    return dataclasses.replace(at_most("", after, before, detail), passed=after < before)


_LAWS: dict[str, Callable[[Subject], Check]] = {
    "state stable": _stable,
    "jit = no jit": _jit,
    "calls = counted": _calls,
    "vmap = loop": _lanes,
    "any nesting": _nesting,
    "stationary": _stationary,
    "float32": _precisions,
    "translation": _translation,
    "decrease": _decrease,
}
