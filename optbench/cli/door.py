"""The door: what a command line names is tried out before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from optbench.catalog import collect
from optbench.checks.plain_loop import small_problem_for
from optbench.errors import OptbenchError
from optbench.labels import find_problem
from optbench.method import Method, find_method
from optbench.optimizers.names import known_optimizers
from optbench.validation import validate_problem


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


def require_step(method: Method) -> None:
    """Trace one step on small problems that offer all that an optimizer may ask for.

    Raises:
        OptbenchError: the method cannot be built, or its step is refused.
    """
    if method.hosted:
        method.make({(h.depth, h.name): h.value for h in method.hyperparameters()})
        return

    try:
        small_problem_for(method)
    except OptbenchError:
        raise
    except Exception:  # a mistake inside the optimizer: the run records it
        return
