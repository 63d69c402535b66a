"""The greedy first-order method."""

from __future__ import annotations

import numpy as np
import scipy.optimize

from optbench import trees
from optbench.assumption import CONVEX, SMOOTH, Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import FAR, NUM_RANDOM, robust_regression
from optbench.bounds.momentum.lower_instances import RESISTED, resisting
from optbench.bounds.momentum.optimized_gradient import last_weights
from optbench.case import Case, Instance, InstanceKind
from optbench.problem import Problem
from optbench.quantity import SUBOPTIMALITY
from optbench.recursion import Path, Recursion
from optbench.symbol import gradients_at, values_at


def _span_search(case: Case, k: np.ndarray) -> Path:
    """f(x_k) - f*, x_{i+1} the minimizer of f over x_0 and the gradients at x_0, ..., x_i.

    Each search is BFGS in an orthonormal basis of these gradients.
    """
    problem: Problem = case.data
    start = point = trees.flat(problem.start(0))
    basis, shares = np.zeros((0, len(start))), np.zeros(0)
    gaps = [float(values_at(problem, start[None])[0]) - problem.known_minimum]

    def along(shares: np.ndarray) -> tuple[float, np.ndarray]:
        at = (start + shares @ basis)[None]
        return float(values_at(problem, at)[0]), basis @ gradients_at(problem, at)[0]

    for _ in range(int(k[-1])):
        new = gradients_at(problem, point[None])[0]
        new = new - (new @ basis.T) @ basis
        basis = np.vstack([basis, new / max(np.linalg.norm(new), 1e-300)])
        found = scipy.optimize.minimize(
            along, np.append(shares, 0.0), jac=True, options={"gtol": 1e-9}
        )
        shares, point = found.x, start + found.x @ basis
        gaps.append(float(found.fun) - problem.known_minimum)
    return Path(np.array(gaps)[k], rounding=1e-9)


SMOOTH_CONVEX = Assumption(
    name="a smooth convex problem",
    holds=lambda case: SMOOTH.holds(case.data) and CONVEX.holds(case.data),
    hint="give a case whose data is such a problem",
)


def _searched(kind: InstanceKind, problem: Problem) -> Instance:
    away = trees.flat(problem.start(0)) - trees.flat(problem.minimizer)
    symbols = {"L": problem.constants.smoothness or 0.0, "R": float(np.linalg.norm(away))}
    return Instance(kind, Case(name=problem.name or "", symbols=symbols, data=problem))


def cg_spansearch_convex() -> Theorem:
    """The greedy method: the least f over the span of all gradients, on smooth convex functions.

        f(x_k) - f* <= L R^2 / (2 theta_k^2),   R = |x_0 - x*|,

    theta_k as in `ogm_tight`: searching the span has no better worst case than the optimized
    gradient method. Attained for each k by the function that resists every first-order method for
    k steps (`resisting`). It is conjugate gradients where f is quadratic.

    Source: Drori and Taylor (2020), "Efficient first-order methods for convex minimization: a
    constructive approach", Corollary 6; its number is from memory.
    """
    return Theorem(
        name="cg_spansearch_convex",
        statement="The minimizer of an L-smooth convex function over the span of its first k "
        "gradients has f - f* at most L R^2 / (2 theta_k^2).",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2 \theta_k^2}",
        source="Drori and Taylor (2020), Corollary 6",
        assumptions=(SMOOTH_CONVEX,),
        parameters={"N": tuple(map(float, RESISTED))},
        given={"L": "smoothness", "R": "|x_0 - x*|"},
        k_range=lambda N: (int(N), int(N)),
        method=Recursion("greedy first-order method", _span_search),
        quantity=SUBOPTIMALITY,
        formula=lambda L, R, N: L * R**2 / (2 * last_weights(N) ** 2),
        attained_at=RESISTED,
        instances=lambda N: [
            _searched("worst", resisting(int(N), 0.0)),
            _searched("translated", resisting(int(N), FAR)),
            *(_searched("random", robust_regression(seed)) for seed in range(NUM_RANDOM)),
        ],
    )
