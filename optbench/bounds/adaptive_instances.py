"""Members of the classes of theorems on adaptive methods, clipping and stability."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from optbench.bounds.instances import DIM, _robust_loss
from optbench.problem import Constants, Problem
from optbench.start import start_near

NEAR = 1e-100  # from the minimizer: squares of gradients are nothing beside any number


def near_minimizer(problem: Problem) -> Problem:
    """A quadratic of `instances` with the minimizer 0, started 1e-100 away from it."""
    rows, _, thresholds = problem.data
    zeros = np.zeros(rows.shape[1])
    offset = NEAR * (problem.start(0) - problem.minimizer)
    return dataclasses.replace(
        problem,
        data=(rows, np.zeros(len(rows)), thresholds),
        minimizer=zeros,
        start=start_near(offset, scale=NEAR),
        name=f"near_{problem.name}",
    )


@functools.lru_cache(maxsize=1)
def diabetes() -> Problem:
    """f(x) = |X x - y|^2 / (2 n) - f(x*) on the 442 patients of diabetes, from 0.

    X: age, sex, body mass, blood pressure and cholesterol, standardized; y: the standardized
    progression of the disease. With the Cholesky factor R of the Hessian it is |R (x - x*)|^2 / 2.
    """
    from sklearn.datasets import load_diabetes

    features, targets = load_diabetes(return_X_y=True)
    features = features[:, :DIM]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    targets = (targets - targets.mean()) / targets.std()
    hessian = features.T @ features / len(targets)
    minimizer = np.linalg.solve(hessian, features.T @ targets / len(targets))
    rows, curvatures = np.linalg.cholesky(hessian).T, np.linalg.eigvalsh(hessian)
    return Problem(
        objective=_robust_loss,
        data=(rows, rows @ minimizer, np.full(len(rows), np.inf)),
        start=start_near(np.zeros(len(minimizer))),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float(curvatures[-1]),
            strong_convexity=float(curvatures[0]),
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        name="diabetes",
    )
