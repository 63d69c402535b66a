"""Solvers that have no step and run on the host: what they may ask, compiled and counted."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench import trees
from optbench.errors import NotApplicable, OptbenchError
from optbench.method import Method
from optbench.oracle import Calls
from optbench.plan import ROUNDING, Lanes, Plan
from optbench.problem import Problem
from optbench.program import precision

Told = Callable[[np.ndarray], None]  # takes every iterate


class HostSolver(NamedTuple):
    """What a factory of the host returns.

    Attributes:
        minimize: (ask, x_0, told) -> None: asks `ask` for what it needs at vectors of real
            coordinates, and tells every iterate but the first.
        asks: names of the `HostOracle` methods it calls, the one for f first.
    """

    minimize: Callable[[HostOracle, np.ndarray, Told], None]
    asks: tuple[str, ...]


class Spent(BaseException):
    """The next call would overdraw the budget; no error, which a solver might pass over."""


@dataclasses.dataclass(kw_only=True)
class HostOracle:
    """What a solver on the host may ask of f, in float64 vectors; every call is counted.

    Attributes:
        functions: name of a method -> compiled function of (coordinates, ..., data).
        data: of the problem.
        dtype: what is computed in.
        prices: per kind of call.
        budget: in gradient-equivalents.
        calls: per kind, so far.
        finite: whether the last answer was.
    """

    functions: Mapping[str, Callable[..., Any]]
    data: Any
    dtype: str
    prices: np.ndarray
    budget: float
    calls: np.ndarray
    finite: bool = True

    def value(self, x: np.ndarray) -> float:
        """f(x)."""
        return float(self._answer("value", Calls(values=1), x))

    def value_and_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """(f(x), grad f(x)), one call."""
        value, grad = self._answer("value_and_grad", Calls(value_and_gradients=1), x)
        return float(value), grad

    def hessian_product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """(hess f)(x) v."""
        return self._answer("hessian_product", Calls(hessian_products=1), x, v)

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """(hess f)(x), for the price of a product per column."""
        return self._answer("hessian", Calls(hessian_products=x.size), x)

    def _answer(self, name: str, calls: Calls, *vectors: np.ndarray) -> Any:
        spent = self.calls + np.asarray(calls)
        if spent @ self.prices > self.budget * ROUNDING:
            raise Spent
        self.calls = spent
        answer = measure(self.functions[name], self.data, self.dtype, *vectors)
        self.finite = all(np.isfinite(part).all() for part in jax.tree.leaves(answer))
        return answer


def measure(function: Callable[..., Any], data: Any, dtype: str, *vectors: np.ndarray) -> Any:
    """What a compiled function answers, in float64."""
    answer = function(*(np.asarray(vector, dtype) for vector in vectors), data)
    return jax.tree.map(lambda part: np.array(part, np.float64), answer)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class HostJob:
    """A method of the host on one problem, with all it may ask for compiled.

    Attributes:
        problem: the problem, as its factory built it.
        method: the method.
        lanes: seeds and settings.
        plan: how far to run.
        cast: the problem in the precision of the run.
        functions: name -> compiled function of (coordinates, ..., data).
        compile_seconds: what compiling took.
    """

    problem: Problem
    method: Method
    lanes: Lanes
    plan: Plan
    cast: Problem
    functions: Mapping[str, Callable[..., Any]]
    compile_seconds: float
    exact: bool = True

    def diagnostics(self, member: int) -> tuple[str, ...]:
        """The names of what is logged beside f: the problem's monitors."""
        return tuple(name for name, _ in self.problem.monitors)

    def solver(self, setting: int) -> HostSolver:
        """The solver at one setting."""
        swept = self.lanes.settings
        return self.method.make(
            {
                (h.depth, h.name): float(swept[h.name][setting]) if h.name in swept else h.value
                for h in self.method.hyperparameters()
            }
        )


def prepare_hosted(
    problem: Problem, methods: Sequence[Method], lanes: Lanes, plan: Plan
) -> HostJob:
    """Compile what the solver may ask for.

    Raises:
        OptbenchError: several methods, or hyperparameters that the solver refuses.
        NotApplicable: f is sampled, not smooth or constrained.
    """
    if len(methods) > 1:
        hosted = next(method for method in methods if method.hosted)
        raise OptbenchError(f"optimizer {hosted.label!r} runs on the host", "prepare it alone")
    method = methods[0]
    refuse_rough(problem, method)
    cast = dataclasses.replace(problem, data=trees.cast(problem.data, plan.dtype))
    job = HostJob(
        problem=problem,
        method=method,
        lanes=lanes,
        plan=plan,
        cast=cast,
        functions={},
        compile_seconds=0.0,
    )
    began = time.perf_counter()
    with precision(plan.dtype):
        functions = _compiled(job, job.solver(0).asks)
    seconds = time.perf_counter() - began
    return dataclasses.replace(job, functions=functions, compile_seconds=seconds)


def refuse_rough(problem: Problem, method: Method) -> None:
    """Refuse a problem that no solver of the host may be given.

    Raises:
        NotApplicable: f is sampled, not smooth or constrained.
    """
    refusals = {
        "samples": problem.stochastic,
        "a constraint": problem.constrained or problem.tangent is not None,
        "a nonsmooth part": problem.nonsmooth is not None,
    }
    for what, found in refusals.items():
        if found:
            raise NotApplicable(
                f"{method.name} minimizes smooth functions of free variables, and this problem "
                f"has {what}",
                "`optbench list optimizers` shows others",
            )


def _compiled(job: HostJob, asks: Sequence[str]) -> dict[str, Callable[..., Any]]:
    """The functions asked for, and those that log."""
    start = trees.cast(job.problem.start(0), job.plan.dtype)
    x, data = trees.coordinates(start, np), job.cast.data
    functions = _functions(job.cast.objective, job.cast.monitors, trees.layout_of(start))
    arguments = {"hessian_product": (x, x, data)}
    return {
        name: functions[name].lower(*arguments.get(name, (x, data))).compile()
        for name in {*asks, "value_and_grad", "monitors"}
    }


@functools.lru_cache(maxsize=64)
def _functions(objective: Any, monitors: Any, layout: trees.Layout) -> dict[str, Any]:
    """Of real coordinates, jitted once for all data."""

    def value(x: jax.Array, data: Any) -> jax.Array:
        return objective(trees.unpack(layout, x), *data)

    def hessian_product(x: jax.Array, v: jax.Array, data: Any) -> jax.Array:
        return jax.jvp(lambda x: jax.grad(value)(x, data), (x,), (v,))[1]

    def seen_by_monitors(x: jax.Array, data: Any) -> list[Any]:
        return [monitor(trees.unpack(layout, x), *data) for _, monitor in monitors]

    functions = {
        "value": value,
        "value_and_grad": jax.value_and_grad(value),
        "hessian_product": hessian_product,
        "hessian": jax.hessian(value),
        "monitors": seen_by_monitors,
    }
    return {name: jax.jit(function) for name, function in functions.items()}
