"""The laws that problems, optimizers and bounds are held to, as functions."""

from __future__ import annotations

from optbench.checks.bounds import BoundReport, check_bound
from optbench.checks.comparison import Comparison, Verdict
from optbench.checks.optimizers import check_optimizer
from optbench.checks.problems import check_problem
from optbench.checks.record import Check

__all__ = [
    "BoundReport",
    "Check",
    "Comparison",
    "Verdict",
    "check_bound",
    "check_optimizer",
    "check_problem",
]
