"""Arguments of an optimizer's factory: their kinds, and which of them are continuous."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from optbench import catalog, theory
from optbench.catalog import Parameter
from optbench.errors import OptbenchError

RATE = "learning_rate"


def is_continuous(parameter: Parameter) -> bool:
    """Whether it takes any real number, and formulas: what may be traced."""
    return (
        isinstance(parameter.default, float)
        or parameter.annotation in ("float", "Scalar")
        or parameter.name == RATE
    )


def plain_value(parameter: Parameter, value: Any) -> Any:
    """A value as Python has it: a float where the parameter is continuous, tuples for lists."""
    if isinstance(value, (np.generic, np.ndarray, jax.Array)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, list):
        value = tuple(value)
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_int and is_continuous(parameter) else value


def checked_arguments(
    factory: Callable[..., Any], name: str, given: Mapping[str, Any]
) -> tuple[tuple[str, Any], ...]:
    """Arguments in the order of the signature, each a plain hashable value."""
    parameters = catalog.parameters(factory)
    arguments = tuple(
        (p.name, plain_value(p, given[p.name])) for p in parameters if p.name in given
    )
    continuous = {p.name for p in parameters if is_continuous(p)}
    for parameter in parameters:
        if parameter.name in given:
            _require_kind(parameter, given[parameter.name])
    for argument, value in arguments:
        if isinstance(value, str) and argument in continuous:
            theory.require_formula(argument, value)
    for argument, value in arguments:
        try:
            hash(value)
        except TypeError as error:
            raise OptbenchError(
                f"argument {argument!r} of optimizer {name!r} is a {type(value).__name__}",
                "give a number, text, a boolean or a tuple of these",
            ) from error
    return arguments


def _require_kind(parameter: Parameter, value: Any) -> None:
    """Refuse a number, text or boolean where another of them belongs.

    Raises:
        OptbenchError: it is of the wrong kind.
    """
    default = parameter.default
    plain = plain_value(parameter, value)
    if isinstance(default, bool) or parameter.annotation == "bool":
        wanted, fits = "True or False", not isinstance(plain, (str, float))
    elif is_continuous(parameter):
        wanted, fits = "a number", not isinstance(plain, bool)
    elif parameter.annotation == "int":
        wanted, fits = "a whole number", not isinstance(plain, (str, float, bool))
    elif isinstance(default, int):
        wanted, fits = "a number", not isinstance(plain, str)
    elif parameter.annotation == "str":
        wanted, fits = "text", not isinstance(plain, (float, int))
    else:
        return
    is_count = parameter.annotation == "int" and not (isinstance(default, int) and default < 0)
    if fits and is_count and isinstance(plain, int):
        wanted, fits = "a number from 0 on", plain >= 0
    if not fits:
        raise OptbenchError(f"{parameter.name} is {plain!r}", f"give {wanted}")
