"""The rate that theory tells of an optimizer on a problem."""

from __future__ import annotations

from collections.abc import Mapping

from optbench import catalog, rate_formulas
from optbench.method import Method
from optbench.problem import Problem
from optbench.rate_formulas import TheoreticalRate

CATALOG = "optbench.optimizers."  # where the optimizers live whose names the formulas bear


def theoretical_rate(
    problem: Problem, method: Method, setting: Mapping[str, float]
) -> TheoreticalRate | None:
    """The rate of f - f* that theory tells; None where it is not known here.

    Args:
        problem: what is minimized.
        method: settled (`Method.settled`): no hyperparameter is a formula.
        setting: values of hyperparameters that take the place of the method's.
    """
    formula = getattr(rate_formulas, method.name, None)
    bare = method.inner is None and method.factory.__module__.startswith(CATALOG)
    if formula is None or not bare or problem.stochastic:
        return None
    given = {p.name: p.default for p in catalog.parameters(method.factory)}
    given |= {**dict(method.arguments), **setting}
    needed = [p.name for p in catalog.parameters(formula)[1:]]
    return formula(problem, **{name: given[name] for name in needed})
