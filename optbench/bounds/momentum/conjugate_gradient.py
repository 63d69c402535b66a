"""Conjugate gradients."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

from optbench import trees
from optbench.assumption import (
    CONVEX,
    EXACT_GRADIENTS,
    MINIMIZER,
    MINIMUM,
    QUADRATIC,
    SMOOTH,
    STRONGLY_CONVEX,
)
from optbench.bound import Theorem
from optbench.bounds.instances import (
    FAR,
    NUM_RANDOM,
    members,
    quadratic,
    ridge_regression,
)
from optbench.bounds.momentum.krylov_instances import (
    chebyshev_extrema,
    few_curvatures,
    krylov_extrema,
    outlying_curvatures,
)
from optbench.case import Instance, InstanceKind
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.linear_cg import conjugate_gradient
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Problem
from optbench.quantity import SUBOPTIMALITY, Quantity
from optbench.recursion import Path, Recursion
from optbench.trajectory import Trajectory

QUADRATICS = (EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, QUADRATIC)
ATTAINED_AT = (1, 2, 3, 4, 10, 20)
DIGITS = 60  # of the run in high precision
OUTLIERS = 3
PLACES: tuple[tuple[InstanceKind, float], ...] = (("random", 0.0), ("translated", FAR))


def _rate(L: float, mu: float) -> float:
    """(sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu))."""
    return (np.sqrt(L) - np.sqrt(mu)) / (np.sqrt(L) + np.sqrt(mu))


def _on_quadratics() -> tuple[Instance, ...]:
    return members(
        worst=lambda x: [chebyshev_extrema(k, x) for k in ATTAINED_AT],
        random=quadratic,
        data=ridge_regression(l2=0.1),
    )


def cg_chebyshev() -> Theorem:
    """Conjugate gradients on a quadratic with curvatures in [mu, L].

        f(x_k) - f* <= 4 r^(2 k) (f(x_0) - f*),   r = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)),

    the square of |e_k|_A <= 2 r^k |e_0|_A, as |e|_A^2 = 2 (f - f*). It is what
    `cg_chebyshev_sharp` comes to for large k, and the same instances come near to it.

    Source: Nocedal and Wright (2006), equation 5.36; Saad (2003), Theorem 6.29.
    """
    return Theorem(
        name="cg_chebyshev",
        statement="After k steps of conjugate gradients on a quadratic with curvatures from mu to "
        "L, f - f* is at most 4 r^(2 k) (f(x_0) - f*), r = (sqrt(L/mu) - 1) / (sqrt(L/mu) + 1).",
        latex=r"f(x_k) - f_\star \le 4 \left(\frac{\sqrt L - \sqrt\mu}{\sqrt L + \sqrt\mu}"
        r"\right)^{2 k} (f(x_0) - f_\star)",
        source="Nocedal and Wright (2006), equation 5.36",
        assumptions=QUADRATICS,
        method=make_method(conjugate_gradient),
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0: 4 * _rate(L, mu) ** (2 * k) * f0,
        error_growth=lambda k, L, mu: contracted(k, _rate(L, mu)) ** 2,
        k_range=(1, 20),
        instances=_on_quadratics,
    )


def cg_chebyshev_sharp() -> Theorem:
    """Conjugate gradients on a quadratic with curvatures in [mu, L].

        f(x_k) - f* <= (f(x_0) - f*) / T_k((L + mu) / (L - mu))^2,   T_k(z) = cosh(k arccosh(z)),

    Attained for each k by the quadratic whose k + 1 curvatures are the extrema of T_k
    (`chebyshev_extrema`).

    Source: Saad (2003), Theorem 6.29; attained: Meinardus, and Greenbaum (1979).
    """
    return Theorem(
        name="cg_chebyshev_sharp",
        statement="After k steps of conjugate gradients on a quadratic with curvatures from mu to "
        "L, f - f* is at most (f(x_0) - f*) / cosh(k arccosh((L + mu) / (L - mu)))^2.",
        latex=r"f(x_k) - f_\star \le \frac{f(x_0) - f_\star}{T_k((L + \mu) / (L - \mu))^2}",
        source="Saad (2003), Theorem 6.29",
        assumptions=QUADRATICS,
        method=make_method(conjugate_gradient),
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0: f0 / np.cosh(k * np.arccosh((L + mu) / (L - mu))) ** 2,
        error_growth=lambda k, L, mu: contracted(k, _rate(L, mu)) ** 2,
        k_range=(1, 20),
        attained_at=ATTAINED_AT,
        instances=_on_quadratics,
    )


def cg_nemirovski() -> Theorem:
    """Conjugate gradients on a convex quadratic, whatever its least curvature.

        f(x_k) - f* <= L R^2 / (2 (2 k + 1)^2),   R = |x_0 - x*|.

    Attained for each k by the quadratic with the curvatures L cos(j pi / (2 k + 1))^2
    (`krylov_extrema`).

    Source: Nemirovski (1992), "Information-based complexity of linear operator equations",
    J. Complexity 8, pp. 153-175; the instance is derived here.
    """
    return Theorem(
        name="cg_nemirovski",
        statement="After k steps of conjugate gradients on a convex quadratic with curvatures up "
        "to L, f - f* is at most L R^2 / (2 (2 k + 1)^2).",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2 (2 k + 1)^2}",
        source="Nemirovski (1992)",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, QUADRATIC),
        method=make_method(conjugate_gradient),
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (2 * (2 * k + 1) ** 2),
        k_range=(1, 20),
        attained_at=ATTAINED_AT,
        instances=lambda: members(
            worst=lambda x: [krylov_extrema(k, x) for k in ATTAINED_AT],
            random=quadratic,
            data=ridge_regression(l2=0.0),
        ),
    )


def _relaxed(share: Scalar = 1.0) -> Optimizer:
    """`conjugate_gradient`, its steps multiplied by a share."""
    inner = conjugate_gradient()

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        taken = inner.step(evaluation, state, oracle)
        moved = trees.add_scaled(taken.params, -1, evaluation.params)
        return taken._replace(params=trees.add_scaled(evaluation.params, share, moved))

    return inner._replace(step=step)


def _share_left(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    gaps = np.maximum(trajectory.value - problem.known_minimum, 0.0)
    return np.sqrt(gaps / gaps[0])


ENERGY_LEFT = Quantity(
    "|x_k - x*|_A / |x_0 - x*|_A",
    r"\|x_k - x_\star\|_A / \|x_0 - x_\star\|_A",
    (MINIMUM, MINIMIZER),
    _share_left,
    lambda problem, trajectory, shift: np.zeros_like(shift),
)


def cg_finite_termination() -> Theorem:
    """Conjugate gradients end where there are as many steps as distinct curvatures.

        x_m = x*   on a quadratic with m distinct curvatures,

    in exact arithmetic; in float64 |x_m - x*|_A is below 1e-10 of the first for the m compared. A
    method whose steps are 3 % longer does not end there.

    Source: Nocedal and Wright (2006), Theorem 5.4.
    """
    return Theorem(
        name="cg_finite_termination",
        statement="Conjugate gradients reach the minimizer of a quadratic with m distinct "
        "curvatures in m steps.",
        latex=r"x_m = x_\star",
        source="Nocedal and Wright (2006), Theorem 5.4",
        assumptions=QUADRATICS,
        given={"m": "how many distinct curvatures there are"},
        parameters={"count": (1.0, 2.0, 3.0, 5.0)},
        k_range=lambda count: (int(count), int(count)),
        method=make_method(_relaxed),
        steps={"share": lambda: 1.0},
        quantity=ENERGY_LEFT,
        direction="identity",
        formula=lambda k, m: 0.0 * (k - m),
        instances=lambda count: [
            Instance(kind, few_curvatures(int(count), seed, center), symbols={"m": count})
            for seed in range(NUM_RANDOM)
            for kind, center in PLACES
        ],
    )


def _in_high_precision(problem: Problem, k: np.ndarray) -> Path:
    """f(x_k) - f* of conjugate gradients with 60 digits, on the float64 matrix A^T A and e_0."""
    rows = np.asarray(problem.data[0])
    with mpmath.workdps(DIGITS):
        matrix = [[mpmath.mpf(float(h)) for h in row] for row in rows.T @ rows]
        start = trees.flat(problem.start(0)) - trees.flat(problem.minimizer)
        error = [mpmath.mpf(float(e)) for e in start]
        gaps = [mpmath.fdot(error, _product(matrix, error)) / 2]
        residual = [-g for g in _product(matrix, error)]
        direction = residual
        for _ in range(int(k[-1])):
            image = _product(matrix, direction)
            squared = mpmath.fdot(residual, residual)
            length = squared / mpmath.fdot(direction, image)
            error = [e + length * d for e, d in zip(error, direction, strict=True)]
            residual = [r - length * i for r, i in zip(residual, image, strict=True)]
            share = mpmath.fdot(residual, residual) / squared
            direction = [r + share * d for r, d in zip(residual, direction, strict=True)]
            gaps.append(mpmath.fdot(error, _product(matrix, error)) / 2)
        return Path(np.array([float(gap) for gap in gaps])[k])


def _product(matrix: list[list[Any]], vector: list[Any]) -> list[Any]:
    return [mpmath.fdot(row, vector) for row in matrix]


def _with_outliers(kind: InstanceKind, problem: Problem) -> Instance:
    curvatures = np.linalg.eigvalsh(problem.data[0].T @ problem.data[0])
    inner = float(curvatures[-1 - OUTLIERS])
    return Instance(kind, problem, symbols={"inner": inner, "m": OUTLIERS})


def cg_outliers() -> Theorem:
    """Conjugate gradients on a quadratic with m curvatures above all others, those in [mu, l].

        f(x_k) - f* <= 4 r^(2 (k - m)) (f(x_0) - f*),   k >= m,
        r = (sqrt(l) - sqrt(mu)) / (sqrt(l) + sqrt(mu)):

    one step deals with each outlier. In float64 this is false: directions lose orthogonality, the
    outliers come back, and f - f* crosses the bound by orders of magnitude. With 60 digits, on the
    same instances, it holds.

    Source: Nocedal and Wright (2006), Theorem 5.5, and van der Sluis and van der Vorst (1986);
    from memory.
    """
    return Theorem(
        name="cg_outliers",
        statement="Conjugate gradients on a quadratic with m outlying curvatures converge, after "
        "m steps, as if these were not there.",
        latex=r"f(x_k) - f_\star \le 4 \left(\frac{\sqrt \ell - \sqrt\mu}{\sqrt \ell + "
        r"\sqrt\mu}\right)^{2 (k - m)} (f(x_0) - f_\star)",
        source="Nocedal and Wright (2006), Theorem 5.5",
        assumptions=QUADRATICS,
        given={"inner": "the largest curvature but the outliers", "m": "how many outliers"},
        method=make_method(conjugate_gradient),
        precise=Recursion("conjugate_gradient with 60 digits", _in_high_precision),
        quantity=SUBOPTIMALITY,
        formula=lambda k, inner, mu, m, f0: 4 * _rate(inner, mu) ** (2 * (k - m)) * f0,
        k_range=(OUTLIERS, 20),
        instances=lambda: [
            *(_with_outliers("random", outlying_curvatures(seed, 0.0)) for seed in range(2)),
            _with_outliers("translated", outlying_curvatures(0, FAR)),
            _with_outliers("data", ridge_regression(l2=0.1)),
        ],
    )
