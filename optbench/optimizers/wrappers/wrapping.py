"""What wrappers of optimizers share: what they hand on, and whom they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from optbench.errors import OptbenchError
from optbench.optimizer import Optimizer, State, Step
from optbench.oracle import Oracle, RefusingOracle
from optbench.problem import Params

Report = Callable[[Any], dict[str, jax.Array]]


def around(
    optimizer: Optimizer,
    init: Callable[[Params], State],
    step: Callable[..., Step],
    report: Report | None = None,
) -> Optimizer:
    """The wrapper of an optimizer, with what the wrapped one declares, reports and is seen at.

    Args:
        optimizer: the wrapped one.
        init: as `Optimizer` has it; the wrapped state is the field `inner` of the state.
        step: as `Optimizer` has it.
        report: what the wrapper reports; a name that the wrapped optimizer reports too is told of
            that one as `inner_NAME`.
    """
    seen_at, told = optimizer.eval_params, optimizer.report

    def both(state: Any) -> dict[str, jax.Array]:
        own = {} if report is None else report(state)
        return _merged({} if told is None else told(state.inner), own)

    return optimizer._replace(
        init=init,
        step=step,
        eval_params=None if seen_at is None else lambda p, state: seen_at(p, state.inner),
        report=None if report is None and told is None else both,
        init_on=None,  # a wrapper makes its state without the problem
        stability=None,  # that of the wrapped optimizer is another matter
    )


def _merged(inner: dict[str, jax.Array], own: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Both reports; the names of deeper wrappers get longer."""
    found = dict(own)
    for name in sorted(inner, key=len):
        free = name
        while free in found:
            free = f"inner_{free}"
        found[free] = inner[name]
    return found


def refusing(wrapper: str, optimizer: Optimizer, oracle: Oracle) -> RefusingOracle:
    """What is handed to an optimizer whose gradient is changed, and which may not ask for others.

    Args:
        wrapper: the name of the wrapper.
        optimizer: the wrapped one.
        oracle: that of the step.
    """
    error = OptbenchError(
        f"{wrapper} cannot wrap an optimizer that asks the objective itself",
        "its answers would disagree with the gradient handed on: wrap a first-order optimizer",
    )
    if optimizer.feasible:
        error = OptbenchError(
            f"{wrapper} cannot wrap an optimizer that keeps to the feasible set",
            f"turn it around: projected({wrapper}(gradient_descent))",
        )
    return RefusingOracle(error, oracle.progress)


def require_own_point(wrapper: str, optimizer: Optimizer) -> None:
    """Refuse to move the point of an optimizer that is seen at another one, or holds on to it.

    Raises:
        OptbenchError: it reports another point than it steps from, or its state holds that point.
    """
    if optimizer.holds_point:
        raise OptbenchError(
            f"{wrapper} cannot wrap an optimizer that searches over several steps",
            "its next trial would not follow the point: wrap lbfgs, or what does not search",
        )
    if optimizer.eval_params is not None:
        raise OptbenchError(
            f"{wrapper} cannot wrap an optimizer that reports another point than it steps from",
            f"that point would not follow: wrap what is inside, as in average({wrapper}(adam))",
        )
