"""Where a method turns unstable: the critical learning rate, found by bisection."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from optbench.arguments import RATE
from optbench.errors import OptbenchError
from optbench.job import prepare
from optbench.method import Method, make_method
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.run import execute
from optbench.validation import validate_problem

NUM_LANES = 32  # values tried side by side in each round
ACCURACY = 1e-5  # relative width of the bracket that is returned
LOST = 1e-9  # of the first gradient: growth below this may be that of rounding errors
GROWN = 1e30  # times the first gradient: no transient is this large, but Adam may turn back here


class Critical(NamedTuple):
    """A critical value and its bracket.

    Attributes:
        value: the middle of the bracket.
        stable: the largest value tried below which all were stable.
        unstable: the smallest value tried that was not.
    """

    value: float
    stable: float
    unstable: float


def critical_value(
    diverges: Callable[[np.ndarray], np.ndarray], stable: float, unstable: float
) -> Critical:
    """Where a process starts to diverge, by trying 32 values at once and narrowing the bracket.

    Args:
        diverges: [H] values -> [H] whether the process diverges.
        stable: a value at which it does not.
        unstable: a larger one at which it does.

    Raises:
        OptbenchError: it diverges at the lower end of the bracket, or does not at the upper one, or
            these are no bracket.
    """
    if not 0 <= stable < unstable < np.inf:
        raise OptbenchError(
            f"no number lies between {stable:g} and {unstable:g}", "give 0 <= stable < unstable"
        )
    while True:
        tried = np.linspace(stable, unstable, NUM_LANES)
        wild = np.asarray(diverges(tried), bool)
        if wild[0] or not wild[-1]:
            end = f"diverges at {stable:g}" if wild[0] else f"does not diverge at {unstable:g}"
            raise OptbenchError(f"the run {end}", "give an end of the bracket farther away")
        first = int(np.argmax(wild))
        stable, unstable = float(tried[first - 1]), float(tried[first])
        if unstable - stable <= ACCURACY * unstable:
            return Critical((stable + unstable) / 2, stable, unstable)


def critical_learning_rate(
    problem: Problem,
    optimizer: Method | Callable[..., Any],
    stable: float,
    unstable: float,
    *,
    num_steps: int = 2000,
) -> Critical:
    """The learning rate above which a method diverges on a problem, from the start of seed 0.

    All learning rates of a round are lanes of one compiled program, which later rounds use again.
    A run diverges where its gradient overflows, ends 1e30 times as long as it was, or is longer
    after `num_steps` steps than after half of them and no less than 1e-9 of the first (below,
    rounding errors could grow). Close to the critical value the unstable mode neither
    grows nor falls by much, but the sign of its growth shows, as soon as the other modes have died
    out: `num_steps` must be many times the condition number.

    Args:
        problem: what is minimized.
        optimizer: a `Method` with a hyperparameter `learning_rate`, or a factory whose parameters
            all have defaults.
        stable: a learning rate at which it converges.
        unstable: a larger one at which it diverges.
        num_steps: length of each run.

    Raises:
        OptbenchError: bad input, said in one line; or an end of the bracket is on the wrong side.
    """
    method = optimizer if isinstance(optimizer, Method) else make_method(optimizer)
    validate_problem(problem)
    if not method.has(RATE):
        raise OptbenchError(f"{method.label} has no {RATE}", "give an optimizer that has one")
    endless = dataclasses.replace(problem, bounded_below=False)
    plan = Plan(budget=None, log_steps=(0, num_steps // 2, num_steps), noise_floor=-np.inf)

    def diverges(rates: np.ndarray) -> np.ndarray:
        lanes = Lanes(settings={RATE: rates})
        job = prepare(endless, [method], lanes, plan)
        with np.errstate(over="ignore", invalid="ignore"):
            start, middle, end = execute(job).gradient_norm[0].T
            grows = (end > middle) & (end > LOST * start)
            return ~np.isfinite(end) | grows | (end > GROWN * start)

    return critical_value(diverges, stable, unstable)
