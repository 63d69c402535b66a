"""What optax wraps around an optimizer, around any of ours: `optax.lookahead(adam)`.

The inner optimizer is handed the gradient its wrapper hands it, and may not ask the objective.

Calls per step: none beyond the evaluation at the next point, unless it is said below.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from optbench.errors import OptbenchError
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Evaluation, Oracle, RefusingOracle
from optbench.problem import Params
from optbench.transformation import from_optax


def wrapping(function: Callable[..., Any]) -> Callable[..., Optimizer] | None:
    """A wrapper of optimizers, of a function whose first parameter is a transformation; else None.

    Its other parameters are those of the function; annotations that no label follows are dropped.
    """
    first, *rest = inspect.signature(function).parameters.values()
    if first.default is not first.empty or "GradientTransformation" not in str(first.annotation):
        return None
    if any("GradientTransformation" in str(p.annotation) for p in rest):
        return None

    def factory(**arguments: Any) -> Optimizer:
        inner = arguments.pop(first.name)
        return around(inner, lambda transformation: function(transformation, **arguments))

    return _as_wrapper(factory, function, first.name, rest)


def _as_wrapper(
    factory: Any, function: Callable[..., Any], inner: str, rest: list[inspect.Parameter]
) -> Callable[..., Optimizer]:
    kind = inspect.Parameter.KEYWORD_ONLY
    wrapped = inspect.Parameter(inner, kind, annotation="Optimizer")
    sayable = [p.replace(kind=kind) for p in rest if p.name != "state_dtype"]
    factory.__signature__ = inspect.Signature([wrapped, *sayable])
    factory.__name__ = factory.__qualname__ = function.__name__
    factory.__doc__ = function.__doc__
    return factory


def around(optimizer: Optimizer, build: Callable[[optax.GradientTransformation], Any]) -> Optimizer:
    """The optimizer whose updates `build` transforms."""
    if optimizer.eval_params is not None:
        raise OptbenchError(
            "an optimizer that reports another point than it steps from is not wrapped by optax",
            "wrap an optimizer that reports the point it is at",
        )
    still = from_optax(build(_as_transformation(optimizer)))

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        moving = from_optax(build(_as_transformation(optimizer, evaluation.value, oracle.progress)))
        return moving.step(evaluation, state, oracle)

    return still._replace(step=step)


def _as_transformation(
    optimizer: Optimizer, value: Any = None, progress: Any = 0.0
) -> optax.GradientTransformation:
    """An optimizer as a transformation: its updates are what it adds to the point."""
    refusal = OptbenchError(
        "optax cannot wrap an optimizer that asks the objective itself",
        "wrap a first-order optimizer",
    )

    def update(grads: Params, state: State, params: Params) -> tuple[Params, State]:
        seen, oracle = Evaluation(params, value, grads), RefusingOracle(refusal, progress)
        step = optimizer.step(seen, state, oracle)
        return jax.tree.map(lambda new, old: new - old, step.params, params), step.state

    return optax.GradientTransformation(optimizer.init, update)  # pyright: ignore


def _sam(
    optimizer: Optimizer, rho: Scalar = 0.1, sync_period: int = 2, reset_state: bool = True
) -> Optimizer:
    """Sharpness-aware minimization: `optimizer`, with the gradient at the worst point nearby.

    The worst point is reached by `sync_period` - 1 steps of length `rho` along the gradient, none
    where that is zero (optax.contrib.normalize divides by its norm); `reset_state` is optax's.

    Calls per step: `sync_period` - 1 values and gradients.
    """
    climb = optax.chain(optax.normalize_by_update_norm(), optax.sgd(rho))
    return around(
        optimizer,
        lambda inner: optax.contrib.sam(
            inner, climb, sync_period=sync_period, reset_state=reset_state, opaque_mode=True
        ),
    )


class _Lookahead(NamedTuple):
    inner: State
    slow: Params


def _lookahead(
    fast_optimizer: Optimizer, sync_period: int, slow_step_size: Scalar, reset_state: bool = False
) -> Optimizer:
    """Steps of `fast_optimizer`; every `sync_period` of them, back to a point between.

    That is slow + `slow_step_size` (fast - slow), the next slow point, which is reported.
    """

    def build(value: Any = None, progress: Any = 0.0) -> optax.GradientTransformation:
        fast = _as_transformation(fast_optimizer, value, progress)
        return optax.lookahead(fast, sync_period, slow_step_size, reset_state)

    def init(params: Params) -> State:
        both = optax.LookaheadParams.init_synced(params)
        return _Lookahead(build().init(both), params)

    def step(evaluation: Evaluation, state: _Lookahead, oracle: Oracle) -> Step:
        both: Any = optax.LookaheadParams(evaluation.params, state.slow)
        transformation = build(evaluation.value, oracle.progress)
        with jax.numpy_dtype_promotion("standard"):
            updates, inner = transformation.update(evaluation.grad, state.inner, both)  # pyright: ignore
            both = optax.apply_updates(both, updates)
        return Step(both.fast, _Lookahead(inner, both.slow))

    return Optimizer(init, step, lambda params, state: state.slow)


def _multi_steps(
    optimizer: Optimizer, every_k_schedule: int, use_grad_mean: bool = True
) -> Optimizer:
    """One step of `optimizer` per `every_k_schedule` gradients, with their mean (or their sum).

    They are summed in the precision of the run; optax by itself would sum in float32.
    """

    def build(inner: optax.GradientTransformation) -> optax.GradientTransformation:
        whole = optax.MultiSteps(
            inner, every_k_schedule, use_grad_mean, accumulator_dtype=jnp.result_type(float)
        )
        return whole.gradient_transformation()

    return around(optimizer, build)


WRAPPERS: Mapping[str, Any] = MappingProxyType(
    {
        "optax.MultiSteps": _multi_steps,
        "optax.apply_if_finite": wrapping(optax.apply_if_finite),
        "optax.contrib.sam": _sam,
        "optax.flatten": wrapping(optax.flatten),
        "optax.lookahead": _lookahead,
    }
)
