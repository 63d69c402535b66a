"""Cyclic coordinate descent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
import scipy.linalg

from optbench import trees
from optbench.assumption import (
    CONVEX,
    EXACT_GRADIENTS,
    MINIMIZER,
    QUADRATIC,
    SMOOTH,
    Assumption,
)
from optbench.bound import Theorem
from optbench.bounds.instances import (
    FAR,
    RADIUS,
    SMOOTHNESS,
    huber,
    members,
    quadratic,
    ridge_regression,
    robust_regression,
)
from optbench.bounds.stochastic.finite_sums import SLACK
from optbench.case import Instance
from optbench.method import make_method
from optbench.optimizers.first_order.step_sizes import cyclic_coordinate_descent
from optbench.problem import Constants, Problem
from optbench.quantity import SUBOPTIMALITY, Quantity
from optbench.start import start_near
from optbench.symbol import distances, gradients_at
from optbench.trajectory import Trajectory


def hessian_of(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """[n, n] Hessian of a quadratic, and [n] its gradient at 0."""
    layout = trees.layout_of(problem.start(0))
    flat = np.vstack([np.zeros(problem.dim), np.eye(problem.dim)])
    points = jax.tree.map(
        lambda *leaves: np.stack(leaves), *(trees.unpack(layout, row) for row in flat)
    )
    gradients = gradients_at(problem, points)
    return gradients[1:] - gradients[0], gradients[0]


def _is_even(problem: Problem) -> bool:
    curvatures = np.diag(hessian_of(problem)[0])
    return bool(np.ptp(curvatures) <= SLACK * curvatures.max())


EVEN = Assumption(
    "one curvature along all coordinates",
    lambda problem: problem.constants.quadratic and _is_even(problem),
    "scale its coordinates so that all second derivatives d^2 f / dx_i^2 are equal",
)


def gauss_seidel(
    hessian: np.ndarray, target: np.ndarray, start: np.ndarray, sweeps: int
) -> np.ndarray:
    """[sweeps + 1, n] Gauss-Seidel for H x = b: (D + L) x_{j+1} = b - U x_j, H = L + D + U."""
    points = [start]
    for _ in range(sweeps):
        right = target - np.triu(hessian, 1) @ points[-1]
        points.append(scipy.linalg.solve_triangular(hessian, right, lower=True))
    return np.array(points)


def _relative_defect(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    """|x_k - Gauss-Seidel| / |x_0 - x*|, where some of the coordinates are a sweep ahead."""
    flat = np.concatenate(
        [leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(trajectory.params)], axis=1
    )
    hessian, gradient = hessian_of(problem)
    dim = problem.dim
    sweeps = gauss_seidel(hessian, -gradient, flat[0], len(flat) // dim + 1)
    expected = [
        np.concatenate([sweeps[k // dim + 1, : k % dim], sweeps[k // dim, k % dim :]])
        for k in trajectory.steps
    ]
    radius = distances(trajectory.params, problem.minimizer)[0]
    return np.linalg.norm(flat - np.array(expected), axis=1) / radius


DEFECT = Quantity(
    "|x_k - Gauss-Seidel| / R",
    r"\|x_k - x_k^{GS}\| / R",
    (MINIMIZER,),
    _relative_defect,
    lambda problem, trajectory, shift: 0 * shift,
)


def even_quadratic(seed: int, center: float = 0.0) -> Problem:
    """`quadratic` with its rows rescaled so that the curvature along each coordinate is 4.

    Args:
        seed: of the draw.
        center: added to all coordinates of x*, and of the start.
    """
    base = quadratic(seed)
    rows, _, thresholds = base.data
    rows = np.sqrt(SMOOTHNESS) * rows / np.linalg.norm(rows, axis=0)
    minimizer = np.asarray(base.minimizer) + center
    eigenvalues = np.linalg.eigvalsh(rows.T @ rows)
    return dataclasses.replace(
        base,
        data=(rows, rows @ minimizer, thresholds),
        minimizer=minimizer,
        start=start_near(minimizer + RADIUS * np.arange(1.0, len(minimizer) + 1)),
        constants=Constants(
            smoothness=float(eigenvalues[-1]),
            strong_convexity=float(eigenvalues[0]),
            convex=True,
            quadratic=True,
        ),
        name=f"even_quadratic[seed={seed}]",
    )


def _with_symbols(instances: Sequence[Instance]) -> tuple[Instance, ...]:
    """L_c, the largest curvature along a coordinate, and R2, of the level set of f(x_0).

    Curvatures along coordinates are largest where no residual is beyond its threshold. With
    strong convexity mu, |y - x*|^2 <= 2 (f(x_0) - f*) / mu on the level set; on a line, a
    symmetric one reaches to R^2.
    """
    found = []
    for instance in instances:
        problem = instance.subject
        assert isinstance(problem, Problem)
        rows, targets, thresholds = problem.data
        start, convexity = problem.start(instance.seed), problem.constants.strong_convexity
        if convexity:
            gap = float(problem.objective(start, rows, targets, thresholds)) - problem.known_minimum
            level = 2 * gap / convexity
        else:
            level = RADIUS**2
        symbols = {"L_c": float(np.sum(rows**2, axis=0).max()), "R2": level}
        found.append(dataclasses.replace(instance, symbols=symbols))
    return tuple(found)


GIVEN = {
    "L_c": "smoothness along every coordinate",
    "R2": "largest squared distance to x* where f(x) <= f(x_0)",
}


def ccd_gauss_seidel() -> Theorem:
    """Coordinate descent with step 1 / H_ii along coordinate i, in turn, is Gauss-Seidel.

        (D + L) x_{k+n} = b - U x_k   for f(x) = x.H x / 2 - b.x, H = L + D + U, U = L^T,

    and between whole sweeps the first coordinates are a sweep ahead. Compared with a triangular
    solve per sweep, relative to R = |x_0 - x*|, where all H_ii are equal, as the optimizer takes
    one step size.

    Source: derived from the definitions; Wright (2015), Math. Program. 151, section 1.
    """
    return Theorem(
        name="ccd_gauss_seidel",
        statement="On a quadratic, exact minimization along one coordinate after the other is the "
        "Gauss-Seidel iteration.",
        latex=r"(D + \Lambda)\, x_{k+n} = b - \Lambda^T x_k, \quad H = \Lambda + D + \Lambda^T",
        source="derived from the definitions",
        assumptions=(EXACT_GRADIENTS, QUADRATIC, EVEN),
        given=GIVEN,
        method=make_method(cyclic_coordinate_descent),
        steps={"learning_rate": lambda L_c: 1 / L_c},
        quantity=DEFECT,
        direction="identity",
        formula=lambda k: 0.0 * k,
        instances=lambda: _with_symbols(
            [
                *(Instance("random", even_quadratic(seed)) for seed in range(3)),
                Instance("translated", even_quadratic(0, center=FAR)),
                Instance("data", ridge_regression(l2=0.1)),
            ]
        ),
    )


def ccd_beck_tetruashvili() -> Theorem:
    """Coordinate descent with step 1 / L_c along each of n coordinates in turn, f convex.

        f(x_k) - f* <= 4 L_c (1 + n L^2 / L_c^2) R2 / (j + 8 / n)

    after j whole sweeps, k = j n or later; f is L-smooth, L_c-smooth along each coordinate, and R2
    the largest squared distance to x* in the level set of f(x_0). The theorem allows for a step
    1 / L_i of its own for each coordinate; the optimizer takes one, so that all L_i are L_c. On a
    line it speaks of gradient descent.

    Source: Beck and Tetruashvili (2013), SIAM J. Optim. 23(4), Corollary 3.7, from memory.
    """
    return Theorem(
        name="ccd_beck_tetruashvili",
        statement="Steps 1 / L_c along one coordinate after the other bring f - f* below "
        "4 L_c (1 + n L^2 / L_c^2) R^2 / (j + 8 / n) in j sweeps.",
        latex=r"f(x_{j n}) - f_\star \le \frac{4 L_c (1 + n L^2 / L_c^2) R^2}{j + 8 / n}",
        source="Beck and Tetruashvili (2013), SIAM J. Optim. 23(4), Corollary 3.7",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX),
        given=GIVEN,
        method=make_method(cyclic_coordinate_descent),
        steps={"learning_rate": lambda L_c: 1 / L_c},
        quantity=SUBOPTIMALITY,
        formula=lambda k, n, L, L_c, R2: 4 * L_c * (1 + n * L**2 / L_c**2) * R2 / (k // n + 8 / n),
        instances=lambda: _with_symbols(
            members(
                worst=lambda x: [huber(1.0, x)],
                random=lambda seed: robust_regression(seed, strong_convexity=0.5),
                data=ridge_regression(l2=0.1),
            )
        ),
    )
