"""The door of every run: a malformed problem is refused here, in one line with one hint."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError, first_line
from optbench.layers import recorded
from optbench.problem import CriticalKind, MinimumKind, Params, Problem

_UNTRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)

_ROUNDING = 1e-8  # of f, relative


def validate_problem(problem: Problem) -> None:
    """Refuse a problem that cannot be run, before anything is compiled.

    Shapes and dtypes are read from an abstract evaluation; f is evaluated once, in float64, at the
    start of seed 0.

    Raises:
        OptbenchError: params are empty or not floating-point; data are not arrays of numbers; the
            objective or another part fails when called, or returns something else than it
            should; f is not finite at the start, or below the minimum; minimum or saddle is not
            finite; minimizer, critical points or region do not fit params; sample_fraction is out
            of range, or nothing is sampled; row_arrays does not count data arrays of one length, or
            the objective fails on one row; minimum_kind or the kind of a critical point is none.
    """
    if not isinstance(problem, Problem):
        raise OptbenchError(
            f"expected a Problem, got a {type(problem).__name__}",
            "build an optbench.Problem, or pass the loss to optbench.compare",
        )
    with jax.enable_x64(True):
        params, data = _start(problem), _data(problem)
        _require_scalar(problem, "objective", problem.objective, params, *data)
        _check_structure(problem, params, data)
        _check_steps(problem, params, data)
        _check_samples(problem, params, data)
        _check_passport(problem, params)
        value = float(jax.jit(problem.objective)(params, *data))
    if not np.isfinite(value):
        raise _refusal(
            problem, f"objective is {value} at the start", "start inside the domain of objective"
        )
    least = problem.certain_minimum
    if least is not None and value < least - _ROUNDING * (1 + abs(least)):
        raise _refusal(
            problem,
            f"objective is {value} at the start, below the minimum {least}",
            "correct Problem.minimum, or start at a feasible point",
        )


def _refusal(problem: Problem, message: str, hint: str) -> OptbenchError:
    return OptbenchError(f"problem {problem.name!r}: {message}", hint)


def _start(problem: Problem) -> Params:
    if not callable(problem.start):
        raise _refusal(
            problem,
            f"start is a {type(problem.start).__name__}, not a rule seed -> x_0",
            "write start=start_near(x0)",
        )
    params = jax.tree.map(np.asarray, problem.start(0))
    leaves = jax.tree.leaves(params)
    if sum(leaf.size for leaf in leaves) == 0:
        raise _refusal(problem, "params are empty", "start must give at least one number")
    for leaf in leaves:
        if not np.issubdtype(leaf.dtype, np.inexact):
            raise _refusal(
                problem,
                f"params have a leaf of dtype {leaf.dtype}",
                "optimizers move floating-point numbers: write 1.0, or use .astype(float)",
            )
    return params


def _data(problem: Problem) -> tuple[Any, ...]:
    if not isinstance(problem.data, tuple):
        raise _refusal(
            problem, f"data is a {type(problem.data).__name__}, not a tuple", "write data=(array,)"
        )
    for leaf in jax.tree.leaves(problem.data):
        dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
        if not (jnp.issubdtype(dtype, jnp.number) or dtype == np.bool_):
            raise _refusal(
                problem,
                f"data holds a {type(leaf).__name__} of dtype {dtype}, no array of numbers",
                "keep what is not a number inside the functions of the problem",
            )
    return jax.tree.map(np.asarray, problem.data)


def _outline(problem: Problem, part: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Shapes and dtypes of what a part of the problem returns."""
    if not callable(function):
        raise _refusal(problem, f"{part} is not a function", f"write {part}=some_function")
    _check_arity(problem, part, function, arguments)
    try:
        return jax.eval_shape(function, *arguments)
    except OptbenchError:
        raise
    except Exception as error:
        hint = "try it by hand: it is called with params first, then the entries of data"
        if isinstance(error, _UNTRACEABLE):
            hint = "write it in jax.numpy, without if, float() or numpy on what depends on params"
        raise _refusal(
            problem, f"{part} fails when called: {type(error).__name__}: {first_line(error)}", hint
        ) from error


def _check_arity(
    problem: Problem, part: str, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # a builtin without a signature: the call itself will tell
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise _refusal(
            problem,
            f"{part}{signature} cannot be called with {len(arguments)} arguments: {error}",
            "what it takes after params must lie in data, in the same order",
        ) from error


def _require_scalar(
    problem: Problem, part: str, function: Callable[..., Any], *arguments: Any
) -> None:
    value = _outline(problem, part, function, *arguments)
    hint = f"{part} returns one real number: use jnp.sum or jnp.mean"
    if not isinstance(value, jax.ShapeDtypeStruct):
        kind = type(value).__name__
        raise _refusal(problem, f"{part} returns a {kind}, not a scalar array", hint)
    if value.shape != ():
        raise _refusal(problem, f"{part} returns shape {value.shape}, not a scalar", hint)
    if not jnp.issubdtype(value.dtype, jnp.floating):
        raise _refusal(problem, f"{part} returns dtype {value.dtype}, not a real float", hint)


def _check_structure(problem: Problem, params: Params, data: tuple[Any, ...]) -> None:
    """Residuals, outputs with their loss and network, and monitors."""
    if (problem.outputs is None) != (problem.output_loss is None):
        raise _refusal(
            problem, "only one of outputs and output_loss is given", "give both, or neither"
        )
    if problem.outputs is not None and problem.output_loss is not None:
        outputs = _outline(problem, "outputs", problem.outputs, params, *data)
        _require_scalar(problem, "output_loss", problem.output_loss, outputs, *data)
        _check_network(problem, params, data, outputs)
    elif problem.network is not None:
        raise _refusal(problem, "network is given without outputs", "give outputs and output_loss")
    if problem.residuals is not None:
        residuals = jax.tree.leaves(
            _outline(problem, "residuals", problem.residuals, params, *data)
        )
        if not residuals or not all(jnp.issubdtype(r.dtype, jnp.floating) for r in residuals):
            raise _refusal(
                problem, "residuals are not real floats", "they are r with f = |r|^2 / 2"
            )
    for name, monitor in problem.monitors:
        _require_scalar(problem, f"monitor {name!r}", monitor, params, *data)


def _check_network(problem: Problem, params: Params, data: tuple[Any, ...], outputs: Any) -> None:
    """Dense layers of matrices, which hold every parameter, under the same outputs."""
    if problem.network is None:
        return
    network = functools.partial(recorded, problem.network)
    found, layers = _outline(problem, "network", lambda p, *d: network(p, d), params, *data)
    if jax.tree.map(_shape_and_dtype, found) != jax.tree.map(_shape_and_dtype, outputs):
        raise _refusal(
            problem, "network and outputs return different shapes", "outputs is network with affine"
        )
    for inputs, weights, biases in layers:
        shapes = [leaf.shape for leaf in (inputs, weights, biases) if leaf is not None]
        if [len(shape) for shape in shapes] not in ([2, 2], [2, 2, 1]):
            raise _refusal(
                problem, f"dense is called with shapes {shapes}", "it takes [n, fan_in] inputs"
            )
    dim = sum(leaf.size for leaf in jax.tree.leaves(params))
    held = sum(leaf.size for layer in layers for leaf in layer[1:] if leaf is not None)
    if held != dim:
        raise _refusal(
            problem,
            f"the dense layers of network hold {held} parameters of {dim}",
            "each parameter is a weight or bias of one layer: else give no network",
        )


def _check_steps(problem: Problem, params: Params, data: tuple[Any, ...]) -> None:
    """The nonsmooth part, its prox, and the tangent space."""
    if problem.nonsmooth is not None:
        _require_scalar(problem, "nonsmooth", problem.nonsmooth, params, *data)
    if problem.tangent is not None and not problem.constrained:
        raise _refusal(
            problem, "tangent is given where nothing is constrained", "give prox, a retraction"
        )
    steps = {"prox": (params, jnp.ones(())), "tangent": (params, params)}
    for part, arguments in steps.items():
        function = getattr(problem, part)
        if function is None:
            continue
        made = _outline(problem, part, function, *arguments, *data)
        if jax.tree.map(_shape_and_dtype, made) != jax.tree.map(_shape_and_dtype, params):
            raise _refusal(
                problem, f"{part} returns no params", f"{part} gives a pytree like the start"
            )


def _shape_and_dtype(leaf: Any) -> str:
    return f"{leaf.shape} {leaf.dtype}"


def _check_samples(problem: Problem, params: Params, data: tuple[Any, ...]) -> None:
    if problem.sample_loss is not None:
        _require_scalar(
            problem, "sample_loss", problem.sample_loss, params, jax.random.key(0), *data
        )
    if not 0 < problem.sample_fraction < np.inf:
        raise _refusal(
            problem,
            f"sample_fraction is {problem.sample_fraction}",
            "it is the price of a sampled gradient over a full one: batch_size / num_samples",
        )
    counts = type(problem.row_arrays) is int and 0 <= problem.row_arrays <= len(data)
    terms, rest = (data[: problem.row_arrays], data[problem.row_arrays :]) if counts else ((), ())
    rows = {np.shape(array)[:1] for array in terms}
    if not counts or len(rows) > 1 or () in rows:
        raise _refusal(
            problem,
            f"row_arrays is {problem.row_arrays}",
            "the data arrays that hold one row per term come first, and have one length",
        )
    if terms:
        one = tuple(array[:1] for array in terms)
        _require_scalar(problem, "objective of one row", problem.objective, params, *one, *rest)
    if problem.sample_loss is None and problem.sample_fraction != 1:
        raise _refusal(
            problem,
            f"sample_fraction is {problem.sample_fraction} where nothing is sampled",
            "give sample_loss, or leave sample_fraction at 1.0",
        )


def _check_passport(problem: Problem, params: Params) -> None:
    for part in ("minimum", "saddle"):
        value = getattr(problem, part)
        if value is not None and not np.isfinite(value):
            raise _refusal(problem, f"{part} is {value}", "write None where it is unknown")
    _check_kind(problem, "minimum_kind", problem.minimum_kind, (None, *get_args(MinimumKind)))
    for index, critical in enumerate(problem.critical_points):
        name = f"the kind of critical point {index}"
        _check_kind(problem, name, critical.kind, get_args(CriticalKind))
    points = {} if problem.minimizer is None else {"minimizer": problem.minimizer}
    for index, critical in enumerate(problem.critical_points):
        points[f"critical point {index} ({critical.kind})"] = critical.point
    for name, point in points.items():
        shapes = jax.tree.map(np.shape, params), jax.tree.map(np.shape, point)
        if shapes[0] != shapes[1]:
            raise _refusal(
                problem,
                f"{name} has shapes {shapes[1]} where params have {shapes[0]}",
                "it is a pytree like the one that start gives",
            )
    if problem.region is not None:
        dim = sum(leaf.size for leaf in jax.tree.leaves(params))
        if any(np.iscomplexobj(leaf) for leaf in jax.tree.leaves(params)):
            raise _refusal(problem, "region is given for complex params", "write region=None")
        if len(problem.region) != dim or not all(low < high for low, high in problem.region):
            raise _refusal(
                problem,
                f"region {problem.region} is no box in {dim} dimensions",
                "write one (low, high) pair per coordinate",
            )


def _check_kind(problem: Problem, name: str, kind: Any, kinds: tuple[str | None, ...]) -> None:
    if kind not in kinds:
        offer = ", ".join(map(repr, kinds))
        raise _refusal(problem, f"{name} is {kind!r}", f"write one of {offer}")
