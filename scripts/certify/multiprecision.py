"""A JAX program in arithmetic of any precision: its jaxpr, read with mpmath numbers.

Floats live in NumPy object arrays of `mpmath.mpf`; integers and booleans stay what they are. The
precision is mpmath's own: evaluate inside `mpmath.workdps(50)`. Constants are the float64 numbers
that the program holds.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np
from certify.arithmetic import RULES, Unsupported, exact, objects
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

CALLS = {"jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint"}
MOVES = {  # what only moves numbers about
    "broadcast_in_dim",
    "concatenate",
    "dynamic_slice",
    "dynamic_update_slice",
    "expand_dims",
    "gather",
    "pad",
    "reshape",
    "rev",
    "scatter",
    "select_n",
    "slice",
    "split",
    "squeeze",
    "stack",
    "transpose",
    "unstack",
}
LARGEST_SCATTER = 1_000_000  # updates times array


def evaluate(program: ClosedJaxpr, *arguments: Any) -> list[np.ndarray]:
    """The outputs of a program.

    Args:
        program: what `jax.make_jaxpr` gives, in float64.
        arguments: one array per input; floats may be mpmath numbers already.

    Raises:
        Unsupported: there is no rule for one of its operations.
    """
    return _evaluate(program.jaxpr, program.consts, [exact(a) for a in arguments])


def multiplications(program: Jaxpr) -> int:
    """About how many multiplications a program makes."""
    total = 0
    for equation in program.eqns:
        inner, times = _called(equation), 1
        if inner is not None:
            total += multiplications(inner.jaxpr)
            continue
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            times = math.prod(_shape(equation.invars[0])[axis] for axis in contracted)
        total += times * sum(math.prod(_shape(out)) for out in equation.outvars)
    return total


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _is_float(variable: Any) -> bool:
    return jax.numpy.issubdtype(variable.aval.dtype, np.inexact)


def _called(equation: Any) -> ClosedJaxpr | None:
    """The program that an equation calls."""
    if equation.primitive.name not in CALLS:
        return None
    inner = equation.params.get("call_jaxpr") or equation.params["jaxpr"]
    return inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())


def _evaluate(program: Jaxpr, consts: Any, arguments: list[np.ndarray]) -> list[np.ndarray]:
    known: dict[Any, np.ndarray] = {}
    known.update(zip(program.constvars, map(exact, consts), strict=True))
    known.update(zip(program.invars, arguments, strict=True))

    def read(variable: Any) -> np.ndarray:
        return exact(variable.val) if isinstance(variable, Literal) else known[variable]

    for equation in program.eqns:
        found = _apply(equation, [read(variable) for variable in equation.invars])
        known.update(zip(equation.outvars, found, strict=True))
    return [read(variable) for variable in program.outvars]


def _apply(equation: Any, operands: list[np.ndarray]) -> list[np.ndarray]:
    name, inner = equation.primitive.name, _called(equation)
    if inner is not None:
        return _evaluate(inner.jaxpr, inner.consts, operands)
    if name in MOVES or not any(map(_is_float, (*equation.invars, *equation.outvars))):
        return _moved(equation, operands)
    if name == "scatter-add":
        return [_scattered(equation, *operands)]
    if name not in RULES:
        raise Unsupported(f"no rule for {name}")
    found, (out,) = RULES[name](*operands, **equation.params), equation.outvars
    return [objects(found) if _is_float(out) else np.asarray(found, out.aval.dtype)]


def _moved(equation: Any, operands: list[np.ndarray]) -> list[np.ndarray]:
    """JAX moves serial numbers in place of the floats, which are then picked by these."""
    serial, pool, total = [], [np.empty(0, object)], 0
    for operand in operands:
        if operand.dtype == object:
            serial.append(np.arange(total, total + operand.size).reshape(operand.shape))
            pool.append(operand.ravel())
            total += operand.size
        else:
            serial.append(operand)
    settings = equation.params | ({"fill_value": -1} if "fill_value" in equation.params else {})
    found = equation.primitive.bind(*map(jax.numpy.asarray, serial), **settings)
    several = found if equation.primitive.multiple_results else [found]
    flat, picked = np.concatenate(pool), []
    for variable, array in zip(equation.outvars, map(np.asarray, several), strict=True):
        if _is_float(variable):
            if np.any(array < 0) or np.any(array >= total):
                raise Unsupported(f"{equation.primitive.name} reads beyond its array")
            array = objects(flat[array])
        picked.append(array)
    return picked


def _scattered(
    equation: Any, operand: np.ndarray, indices: np.ndarray, updates: np.ndarray
) -> np.ndarray:
    """Updates added where JAX puts a one in place of each."""
    if updates.size * operand.size > LARGEST_SCATTER:
        raise Unsupported("scatter-add into a large array")
    names = ("dimension_numbers", "indices_are_sorted", "unique_indices", "mode")
    settings = {name: equation.params[name] for name in names}
    ones = np.eye(updates.size).reshape(updates.size, *updates.shape)
    zeros = np.zeros(operand.shape)
    places = jax.vmap(lambda one: jax.lax.scatter_add(zeros, indices, one, **settings))(ones)
    result = operand.copy()
    for update, place in zip(updates.ravel(), np.asarray(places), strict=True):
        result[place == 1] += update
    return result
