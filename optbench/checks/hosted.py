"""The laws of a solver that runs on the host: those that can be seen in its trajectories."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from optbench.checks.plain_loop import CENTER, START, make_problem
from optbench.checks.record import Check, at_most
from optbench.errors import first_line
from optbench.host import HostJob
from optbench.hosting import run_hosted
from optbench.job import prepare
from optbench.method import Method
from optbench.plan import ROUNDING, Lanes, Plan
from optbench.problem import Params, Problem
from optbench.program import precision
from optbench.run import run
from optbench.trajectory import Trajectory

BUDGET = 60.0
TOLERANCE = 1e-9  # relative, float64

_NESTED = {"matrix": np.zeros((1, 2)), "rest": (np.zeros(()), [np.zeros(3)])}


def check_hosted(method: Method) -> tuple[Check, ...]:
    """Hold a solver of the host to its laws, on the problem of `check_optimizer`.

    Returns:
        One check per law; a law that raises has failed, with what was raised.
    """
    return tuple(_hold(name, law, method) for name, law in _LAWS.items())


def _hold(name: str, law: Callable[[Method], Check], method: Method) -> Check:
    try:
        return dataclasses.replace(law(method), law=name)
    except Exception as error:  # whatever a solver raises is this law's failure
        return Check(name, False, f"{type(error).__name__}: {first_line(error)}")


def _problem(start: Params, bend: float) -> Problem:
    """No target ends a run on it: the minimum is given out as lower than it is."""
    return dataclasses.replace(make_problem(bend), start=lambda seed: start, minimum=-1.0)


def _run(method: Method, start: Params, bend: float = 1.0) -> Trajectory:
    return run(_problem(start, bend), method, budget=BUDGET)


def _nesting(method: Method) -> Check:
    with jax.enable_x64(True):
        nested = jax.tree.map(np.asarray, ravel_pytree(_NESTED)[1](jnp.asarray(START)))
    one, other = (_run(method, start).value for start in (nested, START))
    defect = np.nanmax(np.abs(one - other)) if one.shape == other.shape else np.inf
    return at_most("", defect, TOLERANCE, "f along the run, nested and flat params")


def _stationary(method: Method) -> Check:
    trajectory = _run(method, CENTER)
    moved = float(np.abs(trajectory.params[trajectory.last] - CENTER).max())
    return at_most("", moved, TOLERANCE, f"moved by {moved:.1e} from x*")


def _budget(method: Method) -> Check:
    """By what was logged; a trajectory is cut where the budget ends."""
    problem, plan = _problem(START, bend=10.0), Plan(budget=BUDGET)
    job = prepare(problem, [method], Lanes(), plan)
    assert isinstance(job, HostJob)
    with precision(plan.dtype):
        calls = run_hosted(job, lambda share: None).log.calls
    spent = float(np.nanmax(calls @ plan.prices_on(problem)))
    return at_most("", spent, BUDGET * ROUNDING, "cost in gradients at the end")


def _decrease(method: Method) -> Check:
    trajectory = _run(method, START, bend=0.0)
    before, after = (float(trajectory.value[i]) for i in (0, trajectory.last))
    detail = f"f falls from {before:.4g} to {after:.4g} for {BUDGET:.0f} gradients"
    return dataclasses.replace(at_most("", after, before, detail), passed=after < before)


_LAWS: dict[str, Callable[[Method], Check]] = {
    "any nesting": _nesting,
    "stationary": _stationary,
    "budget": _budget,
    "decrease": _decrease,
}
