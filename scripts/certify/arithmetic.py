"""What the primitives of JAX mean for mpmath numbers in NumPy object arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

Number = Any  # an mpmath number
Rule = Callable[..., Any]  # (operands, parameters of the primitive) -> result


class Unsupported(Exception):
    """The program contains what cannot be evaluated in multiprecision."""


def objects(array: Any) -> np.ndarray:
    """As an object array, also where NumPy gives a scalar."""
    return np.asarray(array, dtype=object)


def exact(array: Any) -> np.ndarray:
    """Floats as the mpmath numbers they are; anything else unchanged."""
    array = np.asarray(array)
    if array.dtype.kind == "c" or array.dtype in (np.float32, np.float16):
        raise Unsupported(f"numbers of type {array.dtype}")
    if array.dtype.kind != "f":
        return array
    with np.errstate(invalid="ignore"):  # infinities are numbers here
        return objects(_FROM_FLOAT(array))


_FROM_FLOAT = np.frompyfunc(mpmath.mpf, 1, 1)
_FROM_INTEGER = np.frompyfunc(lambda number: mpmath.mpf(int(number)), 1, 1)


def _elementwise(function: Callable[..., Any], count: int = 1) -> Rule:
    """A real function of each element; nan where it has no real value."""

    def at(*numbers: Any) -> Any:
        try:
            found = function(*numbers)
        except (ZeroDivisionError, ValueError):
            return mpmath.nan
        return found if isinstance(found, mpmath.mpf) else mpmath.nan

    universal = np.frompyfunc(at, count, 1)
    return lambda *operands, **_: universal(*operands)


def _integer_pow(x: np.ndarray, *, y: int, **_: Any) -> Any:
    return _elementwise(lambda number: number**y)(x)


def _convert(x: np.ndarray, *, new_dtype: Any, **_: Any) -> Any:
    if x.dtype != object:
        return _FROM_INTEGER(x)
    if np.dtype(new_dtype).kind == "f" and new_dtype != np.float64:
        raise Unsupported(f"rounding to {new_dtype}")
    return x if new_dtype == np.float64 else np.vectorize(int, otypes=[new_dtype])(x)


def _dot_general(x: np.ndarray, y: np.ndarray, *, dimension_numbers: Any, **_: Any) -> Any:
    (x_sums, y_sums), (x_batch, y_batch) = dimension_numbers
    x_kept = [axis for axis in range(x.ndim) if axis not in (*x_sums, *x_batch)]
    y_kept = [axis for axis in range(y.ndim) if axis not in (*y_sums, *y_batch)]
    batch = [x.shape[axis] for axis in x_batch]
    rows, columns = [x.shape[axis] for axis in x_kept], [y.shape[axis] for axis in y_kept]
    depth = int(np.prod([x.shape[axis] for axis in x_sums]))
    left = x.transpose(*x_batch, *x_kept, *x_sums).reshape(*batch, int(np.prod(rows)), depth)
    right = y.transpose(*y_batch, *y_sums, *y_kept).reshape(*batch, depth, int(np.prod(columns)))
    return objects(np.matmul(left, right)).reshape((*batch, *rows, *columns))


def _cumulative(universal: Any) -> Rule:
    def rule(x: np.ndarray, *, axis: int, reverse: bool, **_: Any) -> Any:
        if not reverse:
            return universal.accumulate(x, axis=axis)
        return np.flip(universal.accumulate(np.flip(x, axis), axis=axis), axis)

    return rule


def _reduce(universal: Any, **initial: Any) -> Rule:
    return lambda x, *, axes, **_: universal.reduce(x, axis=tuple(axes), **initial)


def _universal(function: Any) -> Rule:
    return lambda *operands, **_: function(*operands)


def _clamp(low: np.ndarray, x: np.ndarray, high: np.ndarray, **_: Any) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _arg(function: Any) -> Rule:
    return lambda x, *, axes, **_: function(x, axis=axes[0])


RULES: dict[str, Rule] = {
    "abs": _universal(np.abs),
    "acos": _elementwise(mpmath.acos),
    "acosh": _elementwise(mpmath.acosh),
    "add": _universal(np.add),
    "add_any": _universal(np.add),
    "argmax": _arg(np.argmax),
    "argmin": _arg(np.argmin),
    "asin": _elementwise(mpmath.asin),
    "asinh": _elementwise(mpmath.asinh),
    "atan": _elementwise(mpmath.atan),
    "atan2": _elementwise(mpmath.atan2, 2),
    "atanh": _elementwise(mpmath.atanh),
    "cbrt": _elementwise(lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x))),
    "ceil": _elementwise(mpmath.ceil),
    "clamp": _clamp,
    "convert_element_type": _convert,
    "copy": _universal(np.copy),
    "copy_p": _universal(np.copy),
    "cos": _elementwise(mpmath.cos),
    "cosh": _elementwise(mpmath.cosh),
    "cummax": _cumulative(np.maximum),
    "cummin": _cumulative(np.minimum),
    "cumprod": _cumulative(np.multiply),
    "cumsum": _cumulative(np.add),
    "digamma": _elementwise(mpmath.digamma),
    "div": _elementwise(lambda x, y: x / y, 2),
    "dot_general": _dot_general,
    "eq": _universal(np.equal),
    "erf": _elementwise(mpmath.erf),
    "erf_inv": _elementwise(mpmath.erfinv),
    "erfc": _elementwise(mpmath.erfc),
    "exp": _elementwise(mpmath.exp),
    "exp2": _elementwise(lambda x: mpmath.mpf(2) ** x),
    "expm1": _elementwise(mpmath.expm1),
    "floor": _elementwise(mpmath.floor),
    "ge": _universal(np.greater_equal),
    "gt": _universal(np.greater),
    "integer_pow": _integer_pow,
    "is_finite": _universal(np.frompyfunc(mpmath.isfinite, 1, 1)),
    "le": _universal(np.less_equal),
    "lgamma": _elementwise(lambda x: mpmath.log(abs(mpmath.gamma(x)))),
    "log": _elementwise(mpmath.log),
    "log1p": _elementwise(mpmath.log1p),
    "logistic": _elementwise(lambda x: 1 / (1 + mpmath.exp(-x))),
    "lt": _universal(np.less),
    "max": _universal(np.maximum),
    "min": _universal(np.minimum),
    "mul": _universal(np.multiply),
    "ne": _universal(np.not_equal),
    "neg": _universal(np.negative),
    "one_minus_square": _elementwise(lambda x: (1 - x) * (1 + x)),
    "optimization_barrier": _universal(np.copy),
    "pow": _elementwise(mpmath.power, 2),
    "reduce_max": _reduce(np.maximum),
    "reduce_min": _reduce(np.minimum),
    "reduce_prod": _reduce(np.multiply, initial=mpmath.mpf(1)),
    "reduce_sum": _reduce(np.add, initial=mpmath.mpf(0)),
    "rsqrt": _elementwise(lambda x: 1 / mpmath.sqrt(x)),
    "sign": _elementwise(mpmath.sign),
    "sin": _elementwise(mpmath.sin),
    "sinh": _elementwise(mpmath.sinh),
    "sqrt": _elementwise(mpmath.sqrt),
    "square": _universal(np.square),
    "stop_gradient": _universal(np.copy),
    "sub": _universal(np.subtract),
    "tan": _elementwise(mpmath.tan),
    "tanh": _elementwise(mpmath.tanh),
}
