"""What all transforms do: their numbers end the data, unseen by the functions they leave alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from optbench import catalog, trees
from optbench.catalog import Label
from optbench.errors import OptbenchError
from optbench.problem import Problem

FUNCTIONS = (
    "objective",
    "residuals",
    "outputs",
    "output_loss",
    "network",
    "nonsmooth",
    "prox",
    "tangent",
    "sample_loss",
)
Function = Callable[..., Any]


@dataclasses.dataclass(frozen=True)
class Inner:
    """A function of the problem within, which does not see the last entry of data."""

    function: Function

    def __call__(self, *arguments: Any) -> Any:
        """The function of all arguments but the last."""
        return self.function(*arguments[:-1])


@dataclasses.dataclass(frozen=True)
class Keyless:
    """An exact loss as a sampled one, (params, key, *data) -> f."""

    objective: Function

    def __call__(self, params: Any, key: Any, *data: Any) -> Any:
        """The objective, whatever the key."""
        return self.objective(params, *data)


def sampled_loss(problem: Problem) -> Function:
    """What an optimizer sees of a problem, as a function of (params, key, *data)."""
    return Keyless(problem.objective) if problem.sample_loss is None else problem.sample_loss


def extend(problem: Problem, numbers: Any, **wrappers: Callable[[Function], Function]) -> Problem:
    """The problem with one more entry at the end of its data; its passport is left alone.

    Args:
        problem: the problem within.
        numbers: the new entry.
        **wrappers: field of Problem -> what makes its new function of its old one; functions
            without a wrapper do not see the numbers.
    """

    def renew(field: str, function: Function) -> Function:
        return wrappers.get(field, Inner)(function)

    found = {name: getattr(problem, name) for name in FUNCTIONS}
    return dataclasses.replace(
        problem,
        data=(*problem.data, numbers),
        monitors=tuple((name, renew("monitors", f)) for name, f in problem.monitors),
        **{name: renew(name, f) for name, f in found.items() if f is not None},
    )


def label(transform: Callable[..., Problem], problem: Problem, **given: Any) -> str:
    """The name of a transformed problem: `noisy(rosenbrock)[scale=0.1]`, defaults left out."""
    defaults = {p.name: p.default for p in catalog.parameters(transform)}
    arrays = np.generic, np.ndarray
    plain = {n: v.tolist() if isinstance(v, arrays) else v for n, v in given.items()}
    arguments = tuple((name, value) for name, value in plain.items() if value != defaults[name])
    return str(Label(transform.__name__, Label(problem.name or "problem"), arguments))


def require(holds: Any, argument: str, value: Any, bounds: str) -> None:
    """Refuse an argument that is out of bounds.

    Raises:
        OptbenchError: it is.
    """
    if not holds:
        raise OptbenchError(f"{argument} is {value}", f"give {bounds}")


def num_coordinates(problem: Problem) -> int:
    """How many real coordinates its params have: complex numbers have two."""
    return trees.coordinates(jax.tree.map(np.asarray, problem.start(0)), np).size
