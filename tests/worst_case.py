"""A performance estimation problem: the worst that can happen to a method on a class of functions.

The worst value after k steps is the optimum of a semidefinite program over the inner products of
the iterates, the gradients and x*, and over the function values. PEPit states the program and
Clarabel solves it; no instance and no closed form enters.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

from PEPit import PEP, null_point
from PEPit.operators import SymmetricLinearOperator


class Setting(NamedTuple):
    """A program under construction: a function of a class, its minimizer and a start."""

    program: PEP
    f: Any
    best: Any
    start: Any


class Worst(NamedTuple):
    """The worst value of what a theorem bounds, or of its square where that is a length."""

    value: float
    of_length: bool = False


def setting(
    function_class: type,
    *,
    R: float | None = None,
    f0: float | None = None,
    g0: float | None = None,
    **constants: float,
) -> Setting:
    """A function of a class and a start with |x_0 - x*| <= R, f(x_0) - f* <= f0 or |g_0| <= g0."""
    program = PEP()
    f = program.declare_function(function_class, **constants)
    best = f.stationary_point()
    made = Setting(program, f, best, program.set_initial_point())
    if R is not None:
        program.add_constraint((made.start - best) ** 2 <= R**2)
    if f0 is not None:
        program.add_constraint(f(made.start) - f(best) <= f0)
    if g0 is not None:
        program.add_constraint(f.gradient(made.start) ** 2 <= g0**2)
    return made


def quadratic_setting(*, L: float, mu: float) -> Setting:
    """The gradient of a quadratic with minimizer 0: a symmetric operator, spectrum in [mu, L]."""
    program = PEP()
    hessian = program.declare_function(SymmetricLinearOperator, L=L, mu=mu)
    return Setting(program, hessian, null_point, program.set_initial_point())


def solved(program: PEP, *metrics: Any) -> float:
    """The largest value that the smallest of the metrics takes."""
    for metric in metrics:
        program.set_performance_metric(metric)
    with warnings.catch_warnings():  # on some processors: what is found is compared to 1e-5 anyway
        warnings.filterwarnings("ignore", "Solution may be inaccurate")
        value = program.solve(verbose=0, solver="CLARABEL")
    assert value is not None, "unbounded, or not solved"
    return float(value)


def gap(made: Setting, x: Any) -> Worst:
    """The worst f(x) - f*."""
    return Worst(solved(made.program, made.f(x) - made.f(made.best)))


def quadratic_value(made: Setting, x: Any) -> Any:
    """f(x) - f* = g.x / 2 in a quadratic setting."""
    return (made.f.gradient(x) * x) / 2


def distance(made: Setting, x: Any) -> Worst:
    """The worst |x - x*|."""
    return Worst(solved(made.program, (x - made.best) ** 2), of_length=True)


def gradient_norm(made: Setting, x: Any) -> Worst:
    """The worst |grad f(x)|."""
    return Worst(solved(made.program, made.f.gradient(x) ** 2), of_length=True)


def descent(made: Setting, steps: Iterable[float]) -> list[Any]:
    """The points of gradient descent, from the start on."""

    def step(x: Any, length: float) -> Any:
        return x - length * made.f.gradient(x)

    return list(itertools.accumulate(steps, step, initial=made.start))
