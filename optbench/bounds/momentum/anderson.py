"""Anderson acceleration."""

from __future__ import annotations

import numpy as np

from optbench import trees
from optbench.assumption import EXACT_GRADIENTS, QUADRATIC, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.instances import DIM, FAR, NUM_RANDOM, quadratic, ridge_regression
from optbench.bounds.momentum.krylov_instances import few_curvatures
from optbench.case import Instance
from optbench.method import make_method
from optbench.optimizers.first_order.anderson import anderson
from optbench.problem import Problem
from optbench.quantity import Quantity
from optbench.trajectory import Trajectory


def _against_gmres(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    """[T] |grad f(x_{k+1})| over |grad f(q(y_k))|, y_k the GMRES iterate, at k + 1; at 0 a NaN."""
    rows, targets = (np.asarray(array) for array in problem.data[:2])
    matrix, right = rows.T @ rows, rows.T @ targets
    length = 1 / np.linalg.eigvalsh(matrix)[-1]
    first = right - matrix @ trees.flat(problem.start(0))
    powers = [first / np.linalg.norm(first)]
    basis: list[np.ndarray] = []
    found = [np.nan, length * np.linalg.norm(first - length * matrix @ first)]
    for _ in range(2, len(trajectory.steps)):
        new = powers[-1]
        for _ in range(2):  # twice is enough
            for old in basis:
                new = new - (old @ new) * old
        basis.append(new / np.linalg.norm(new))
        powers.append(matrix @ basis[-1])
        images = matrix @ np.array(basis).T
        residual = first - images @ np.linalg.lstsq(images, first, rcond=None)[0]
        found.append(length * np.linalg.norm(residual - length * matrix @ residual))
    return length * trajectory.gradient_norm / np.array(found)


NEXT_TO_GMRES = Quantity(
    "|grad f(x_k)| / |grad f(q(y_{k-1}))|",
    r"\|\nabla f(x_k)\| / \|\nabla f(q(y_{k-1}))\|",
    (SMOOTH, QUADRATIC),
    _against_gmres,
    lambda problem, trajectory, shift: np.zeros_like(shift),
)


def anderson_gmres() -> Theorem:
    """Anderson acceleration that remembers all steps is GMRES and one step of gradient descent.

        x_{k+1} = q(y_k),   q(x) = x - grad f(x) / L,

    on quadratics f, with y_k the iterate of GMRES for grad f = 0 from x_0: that of the least
    |grad f| in x_0 + span(g, H g, ..., H^(k-1) g). Compared are the norms of the gradients at
    x_{k+1} and q(y_k), whose quotient is 1, while k < 5; y_k by least squares on an orthonormal
    basis of the Krylov space.

    Source: Walker and Ni (2011), Theorem 2.2, with its Corollary 2.3; numbers from memory.
    """
    return Theorem(
        name="anderson_gmres",
        statement="On a quadratic, Anderson acceleration that remembers all steps reaches the "
        "point of one gradient step from the iterate of GMRES.",
        latex=r"x_{k+1} = q(y_k),\quad y_k \in \arg\min_{y \in x_0 + K_k} \|\nabla f(y)\|",
        source="Walker and Ni (2011), Theorem 2.2",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, QUADRATIC),
        method=make_method(anderson, learning_rate="1/L", memory=DIM),
        quantity=NEXT_TO_GMRES,
        direction="identity",
        formula=lambda k: np.ones_like(k),
        k_range=(1, DIM - 1),
        attained_at=range(1, DIM),
        instances=lambda: [
            *(Instance("random", quadratic(seed)) for seed in range(NUM_RANDOM)),
            Instance("translated", few_curvatures(DIM, 0, FAR)),
            Instance("data", ridge_regression(l2=0.1)),
        ],
    )
