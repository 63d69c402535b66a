"""The same steps with torch.optim.Adam, one lane at a time, where torch is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from optbench.problem import Problem


def _rosenbrock(x: Any) -> Any:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def _quadratic(x: Any, hessian: Any, minimizer: Any) -> Any:
    return (x - minimizer) @ (hessian @ (x - minimizer)) / 2


def _logistic(x: Any, features: Any, labels: Any, l2: Any) -> Any:
    margins = labels * (features @ x)
    return margins.neg().exp().log1p().mean() + l2 / 2 * x @ x


_OBJECTIVES = {"rosenbrock": _rosenbrock, "quadratic": _quadratic, "logistic": _logistic}


def torch_loop(problem: Problem, num_steps: int) -> Callable[[], None] | None:
    """A loop of torch.optim.Adam steps; None where torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    torch = importlib.import_module("torch")
    objective = _OBJECTIVES[problem.name.partition("[")[0]]
    data = [torch.tensor(np.asarray(array)) for array in problem.data]

    def run() -> None:
        params = torch.tensor(np.asarray(problem.start(0)), requires_grad=True)
        adam = torch.optim.Adam([params], lr=0.01)
        for _ in range(num_steps):
            adam.zero_grad()
            objective(params, *data).backward()
            adam.step()

    return run
