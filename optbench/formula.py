"""Formulas of theorems: functions that take their symbols by name."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from optbench.errors import OptbenchError, first_line

Formula = Callable[..., Any]  # lambda k, L, R: L * R**2 / (4 * k + 2)


def symbols_of(*formulas: Formula) -> tuple[str, ...]:
    """The symbols that formulas take, in order of appearance."""
    taken = [inspect.signature(formula).parameters for formula in formulas]
    return tuple(dict.fromkeys(itertools.chain.from_iterable(taken)))


def apply(formula: Formula, symbols: Mapping[str, Any]) -> Any:
    """The value of a formula for given symbols.

    Raises:
        OptbenchError: it fails, said with its symbols.
    """
    try:
        return formula(**{name: symbols[name] for name in symbols_of(formula)})
    except OptbenchError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {first_line(error)}"
        raise OptbenchError(f"{_named(formula)} fails: {said}", "mend the theorem") from error


def over_steps(formula: Formula, symbols: Mapping[str, Any], k: np.ndarray) -> np.ndarray:
    """[T] the values of a formula at the steps k.

    Raises:
        OptbenchError: it fails, or gives something else than a number, or one for each step.
    """
    value = apply(formula, symbols)
    try:
        return np.broadcast_to(np.asarray(value, float), k.shape)
    except (TypeError, ValueError) as error:
        raise OptbenchError(
            f"{_named(formula)} gives neither a number nor one for each of {len(k)} steps",
            f"it gives {type(value).__name__} of shape {np.shape(value)}: mend the theorem",
        ) from error


def _named(formula: Formula) -> str:
    return f"a formula of {', '.join(symbols_of(formula)) or 'nothing'}"


def kept(k: np.ndarray) -> np.ndarray:
    """Roundings that x_k has gathered where no step shrinks the earlier ones: k."""
    return k


def contracted(k: np.ndarray, rate: float) -> np.ndarray:
    """Roundings that x_k has gathered where each step shrinks them: min(k, 1 / (1 - rate))."""
    return 1 / np.maximum(1 / np.maximum(k, 1), 1 - rate)


def accelerated(k: np.ndarray) -> np.ndarray:
    """Roundings that x_k has gathered where momentum adds up those of all steps: k^2."""
    return k**2


def one_step(k: np.ndarray) -> np.ndarray:
    """Roundings of a bound that speaks of a single step, whatever came before: 1."""
    return np.ones_like(k)
