"""`optimistix.NAME`: the minimizers and least-squares solvers of optimistix, by their names."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import optimistix as optx

from optbench.errors import unknown_name
from optbench.optimizer import Optimizer
from optbench.optimizers.libraries.optimistix_adapter import (
    TOLERANCE,
    Solver,
    from_optimistix,
)

_COVERED = (
    "BFGS",
    "DFP",
    "Dogleg",
    "GaussNewton",
    "GradientDescent",
    "IndirectLevenbergMarquardt",
    "LBFGS",
    "LevenbergMarquardt",
    "NelderMead",
    "NonlinearCG",
)
EXCLUDED = {"GoldenSearch": "needs an interval, and minimizes functions of one number only"}
_FUNCTIONS = {  # given by name
    "method": {
        "polak_ribiere": optx.polak_ribiere,
        "fletcher_reeves": optx.fletcher_reeves,
        "hestenes_stiefel": optx.hestenes_stiefel,
        "dai_yuan": optx.dai_yuan,
    }
}
_PLAIN = (bool, int, float, str)


@functools.cache
def entries() -> dict[str, Callable[..., Optimizer]]:
    """Label -> factory; arguments and defaults as the solver's own signature has them.

    Left out are the tolerances of its test for convergence, which is not asked, and arguments that
    are objects, which keep their defaults.
    """
    return {f"optimistix.{name}": _factory(name) for name in _COVERED}


def _factory(name: str) -> Callable[..., Optimizer]:
    solver: Callable[..., Solver] = getattr(optx, name)
    offered = [p for p in map(_offer, inspect.signature(solver).parameters.values()) if p]

    def factory(**given: Any) -> Optimizer:
        for argument, functions in _FUNCTIONS.items():
            if argument in given:
                given[argument] = _function(argument, given[argument], functions)
        return from_optimistix(solver(rtol=TOLERANCE, atol=TOLERANCE, **given))

    factory.__name__ = factory.__qualname__ = f"optimistix.{name}"
    factory.__doc__ = f"{name} of optimistix, one trial per step."
    signature = inspect.Signature(offered, return_annotation=Optimizer)
    factory.__signature__ = signature  # type: ignore[attr-defined]
    return factory


def _offer(parameter: inspect.Parameter) -> inspect.Parameter | None:
    """The parameter as a label can give it, or None where it cannot."""
    name, default = parameter.name, parameter.default
    if name in ("rtol", "atol", "verbose"):
        return None
    if name in _FUNCTIONS:
        default = next(text for text, f in _FUNCTIONS[name].items() if f is default)
    elif not (isinstance(default, _PLAIN) or default is inspect.Parameter.empty):
        return None
    kind = inspect.Parameter.KEYWORD_ONLY
    annotation = "Scalar" if name == "learning_rate" else type(default).__name__
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _function(argument: str, name: str, functions: dict[str, Any]) -> Any:
    if name not in functions:
        raise unknown_name(argument, name, list(functions), f"there are {', '.join(functions)}")
    return functions[name]
