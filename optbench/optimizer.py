"""How an objective is minimized: init and step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

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
        holds_point: whether its state tells of trials from the point that it returned, or of that
            point, so that nothing may move the point between its steps.
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
    holds_point: bool = False

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
