"""Formulas of theorems: functions that take their symbols by name."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Formula = Callable[..., Any]  # lambda k, L, R: L * R**2 / (4 * k + 2)


def symbols_of(*formulas: Formula) -> tuple[str, ...]:
    """The symbols that formulas take, in order of appearance."""
    taken = [inspect.signature(formula).parameters for formula in formulas]
    return tuple(dict.fromkeys(itertools.chain.from_iterable(taken)))


def apply(formula: Formula, symbols: Mapping[str, Any]) -> Any:
    """The value of a formula for given symbols."""
    return formula(**{name: symbols[name] for name in symbols_of(formula)})


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
