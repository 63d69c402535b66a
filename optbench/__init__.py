"""Compare optimizers in JAX: run benchmarks, plot trajectories, reproduce convergence bounds."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optbench.bisection import critical_learning_rate as critical_learning_rate
    from optbench.bound import Bound as Bound
    from optbench.bound import Theorem as Theorem
    from optbench.case import Case as Case
    from optbench.case import Instance as Instance
    from optbench.checks import check_bound as check_bound
    from optbench.checks import check_optimizer as check_optimizer
    from optbench.checks import check_problem as check_problem
    from optbench.checks.attack import attack as attack
    from optbench.compare import compare as compare
    from optbench.comparison import compare_rows as compare_rows
    from optbench.errors import OptbenchError as OptbenchError
    from optbench.figures import plot as plot
    from optbench.method import Method as Method
    from optbench.method import make_method as make_method
    from optbench.optimizer import Optimizer as Optimizer
    from optbench.optimizer import Step as Step
    from optbench.oracle import Calls as Calls
    from optbench.oracle import Evaluation as Evaluation
    from optbench.oracle import Oracle as Oracle
    from optbench.oracle import Prices as Prices
    from optbench.page import write_report as write_report
    from optbench.problem import Constants as Constants
    from optbench.problem import CriticalPoint as CriticalPoint
    from optbench.problem import Problem as Problem
    from optbench.recursion import Path as Path
    from optbench.recursion import Recursion as Recursion
    from optbench.report.notebook import results_html as results_html
    from optbench.results import Results as Results
    from optbench.run import run as run
    from optbench.start import standard_normal as standard_normal
    from optbench.start import start_near as start_near
    from optbench.study import Study as Study
    from optbench.study import run_study as run_study
    from optbench.trajectory import Status as Status
    from optbench.trajectory import Trajectory as Trajectory
    from optbench.transformation import from_optax as from_optax
    from optbench.verdict import reach_verdict as reach_verdict

__version__ = "0.1.0"

_HOMES = {
    "Bound": "bound",
    "Calls": "oracle",
    "Case": "case",
    "Constants": "problem",
    "CriticalPoint": "problem",
    "Evaluation": "oracle",
    "Instance": "case",
    "Method": "method",
    "Optimizer": "optimizer",
    "OptbenchError": "errors",
    "Oracle": "oracle",
    "Path": "recursion",
    "Prices": "oracle",
    "Problem": "problem",
    "Recursion": "recursion",
    "Results": "results",
    "Status": "trajectory",
    "Step": "optimizer",
    "Study": "study",
    "Theorem": "bound",
    "Trajectory": "trajectory",
    "attack": "checks.attack",
    "check_bound": "checks",
    "check_optimizer": "checks",
    "check_problem": "checks",
    "compare": "compare",
    "compare_rows": "comparison",
    "critical_learning_rate": "bisection",
    "from_optax": "transformation",
    "make_method": "method",
    "plot": "figures",
    "reach_verdict": "verdict",
    "results_html": "report.notebook",
    "run": "run",
    "run_study": "study",
    "standard_normal": "start",
    "start_near": "start",
    "write_report": "page",
}

__all__ = sorted(_HOMES)


class _Package(ModuleType):
    """`optbench.run` is the function, also once its module of the same name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'optbench' has no attribute {name!r}")
        return getattr(importlib.import_module(f"optbench.{_HOMES[name]}"), name)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *_HOMES})


sys.modules[__name__].__class__ = _Package
