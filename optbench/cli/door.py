"""The door: what a command line names is tried out before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optbench.catalog import collect
from optbench.checks.plain_loop import small_problem_for
from optbench.errors import NotApplicable, OptbenchError, first_line
from optbench.host import HostOracle, Spent
from optbench.labels import find_problem
from optbench.method import GIVE_ARGUMENT, Method, find_method
from optbench.optimizers.names import known_optimizers
from optbench.oracle import Calls
from optbench.validation import validate_problem

_TRIAL_CALLS = 20.0  # of a solver of the host


def require_sound(problems: Sequence[str], optimizers: Sequence[str], catalog: str) -> None:
    """Refuse labels whose problem is malformed, or whose optimizer cannot take a step.

    In a study these are recorded as failed, and the others go on.

    Args:
        problems: labels.
        optimizers: labels.
        catalog: module that holds the problems.

    Raises:
        OptbenchError: an unknown, malformed or unusable one.
    """
    known_problems = collect(catalog, "Problem")
    methods = [find_method(label, known_optimizers()) for label in optimizers]
    for label in problems:
        validate_problem(find_problem(label, known_problems))
    for method in methods:
        require_step(method)


def hosted_among(optimizers: Sequence[str]) -> list[str]:
    """The labels whose optimizers run on the host.

    Raises:
        OptbenchError: an unknown or malformed one.
    """
    return [label for label in optimizers if find_method(label, known_optimizers()).hosted]


def require_step(method: Method) -> None:
    """Trace one step on small problems that offer all that most optimizers may ask for.

    One that is not applicable there (it needs a matrix, say) is left to the problems of the study.

    Raises:
        OptbenchError: the method cannot be built, or its step is refused.
    """
    if method.hosted:
        return _require_run(method)

    try:
        small_problem_for(method)
    except NotApplicable:
        return
    except OptbenchError:
        raise
    except Exception:  # a mistake inside the optimizer: the run records it
        return


def _require_run(method: Method) -> None:
    """Run a solver of the host for a few calls on f(x) = |x|^2 / 2.

    Raises:
        OptbenchError: it refuses its arguments.
    """
    functions = {
        "value": lambda x, data: x @ x / 2,
        "value_and_grad": lambda x, data: (x @ x / 2, x),
        "hessian_product": lambda x, v, data: v,
        "hessian": lambda x, data: np.eye(x.size),
    }
    solver = method.make({(h.depth, h.name): h.value for h in method.hyperparameters()})
    calls = np.zeros(len(Calls._fields))
    ask = HostOracle(
        functions=functions,
        data=(),
        dtype="float64",
        prices=np.ones_like(calls),
        budget=_TRIAL_CALLS,
        calls=calls,
    )
    try:
        solver.minimize(ask, np.array([1.0, -2.0]), lambda point: None)
    except Spent:
        return
    except Exception as error:
        message = f"optimizer {method.label!r} cannot run: {first_line(error)}"
        raise OptbenchError(message, GIVE_ARGUMENT) from error
