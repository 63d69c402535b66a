"""Gradient descent on quadratics, below a quadratic, and on separable data."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np

from optbench import trees
from optbench.assumption import (
    CONVEX,
    EXACT_GRADIENTS,
    QUADRATIC,
    SMOOTH,
    STRONGLY_CONVEX,
    Assumption,
)
from optbench.bound import Theorem
from optbench.bounds.descent.instances import (
    ON_KINK,
    one_example,
    separable_examples,
    separable_iris,
    two_planes,
    with_margin,
)
from optbench.bounds.instances import (
    FAR,
    SMOOTHNESS,
    STRONG_CONVEXITY,
    extreme_parabolas,
    huber,
    members,
    parabola,
    quadratic,
    ridge_regression,
    robust_regression,
)
from optbench.case import Case, Instance, InstanceKind
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.problem import Problem
from optbench.quantity import EPS, SUBOPTIMALITY, VALUE, Quantity
from optbench.recursion import Path, Recursion
from optbench.run import run

_STEP = {"learning_rate": lambda h, L: h / L}
_ATTAINED_AT = (1, 2, 5, 20)
FROM_ZERO = Assumption(
    "a start at 0",
    lambda problem: not trees.flat(problem.start(0)).any(),
    "let Problem.start return zeros, at least for seed 0",
)


def _hardest_curvature(k: np.ndarray, h: float, q: float) -> np.ndarray:
    """The A in [q, 1] with the largest A (1 - A h)^(2 k): 1 / (h (2 k + 1)), or the nearest."""
    return np.clip(1 / (h * (2 * k + 1)), q, 1.0)


def gd_quadratic_fgap() -> Theorem:
    """Gradient descent with step h / L on a quadratic with curvatures in [mu, L], 0 < h < 2.

        f(x_k) - f* <= L R^2 / 2 max(A (1 - A h)^(2 k), (1 - h)^(2 k)),   R = |x_0 - x*|,

    A the nearest to 1 / (h (2 k + 1)) in [mu / L, 1]. Attained by a parabola of curvature A L, for
    each k another, or of curvature L.

    Source: Bousselmi, Hendrickx and Glineur (2023), equation 4.17; elementary.
    """
    q = STRONG_CONVEXITY / SMOOTHNESS

    def worst(h: float, x: float) -> list[Problem]:
        hardest = _hardest_curvature(np.array(_ATTAINED_AT), h, q)
        return [parabola(SMOOTHNESS * share, x) for share in {*hardest, 1.0}]

    return Theorem(
        name="gd_quadratic_fgap",
        statement="After k steps of length h / L on a quadratic with curvatures in [mu, L], f - f* "
        "is at most L R^2 / 2 times the larger of A (1 - A h)^(2 k) and (1 - h)^(2 k), where A is "
        "the nearest to 1 / (h (2 k + 1)) in [mu / L, 1].",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2} "
        r"\max_{\mu / L \le A \le 1} A (1 - A h)^{2 k}",
        source="Bousselmi, Hendrickx and Glineur (2023), equation 4.17",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, QUADRATIC),
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, R, h: (
            L * R**2 / 2 * np.maximum(_peak(k, h, mu / L), (1 - h) ** (2 * k))
        ),
        error_growth=lambda k, L, mu, h: contracted(k, max(1 - h * mu / L, abs(1 - h))),
        attained_at=_ATTAINED_AT,
        instances=lambda h: members(
            worst=lambda x: worst(h, x), random=quadratic, data=ridge_regression(l2=0.1)
        ),
    )


def _peak(k: np.ndarray, h: float, q: float) -> np.ndarray:
    hardest = _hardest_curvature(k, h, q)
    return hardest * (1 - hardest * h) ** (2 * k)


def _along_mode(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """The error of a run of gradient descent along an eigenvector."""
    problem, mode = case.data
    method = make_method(gradient_descent, learning_rate=learning_rate)
    steps = (0, *map(int, k))
    trajectory = run(problem, method, budget=None, log_steps=steps, noise_floor=-np.inf)
    errors = np.asarray(trajectory.params) - problem.minimizer
    size = np.linalg.norm(problem.minimizer) + np.linalg.norm(errors[0])
    return Path(np.abs(errors[1:] @ mode), rounding=4 * EPS * k * size)


def _mode(kind: InstanceKind, problem: Problem, place: int) -> Instance:
    """A quadratic and its eigenvector of the given place, from the smallest curvature on."""
    rows = problem.data[0]
    curvatures, modes = np.linalg.eigh(rows.T @ rows)
    mode = modes[:, place]
    symbols = {
        "L": curvatures[-1],
        "lam": curvatures[place],
        "c0": abs(mode @ (problem.start(0) - problem.minimizer)),
    }
    name = f"{problem.name}, mode {place}"
    return Instance(kind, Case(name=name, symbols=symbols, data=(problem, mode)))


def spectral_power_gd() -> Theorem:
    """Gradient descent with step a = h / L on a quadratic, along an eigenvector u of curvature lam.

        |u.(x_k - x*)| = |1 - a lam|^k |u.(x_0 - x*)|.

    Source: elementary: x_k - x* = (I - a H)^k (x_0 - x*).
    """

    def instances(h: float) -> list[Instance]:
        data = ridge_regression(l2=0.1)
        return [
            *(_mode("random", quadratic(seed), place) for seed in range(2) for place in range(5)),
            *(_mode("translated", problem, 0) for problem in extreme_parabolas(FAR)),
            *(_mode("data", data, place) for place in (0, 15, 30)),
        ]

    return Theorem(
        name="spectral_power_gd",
        statement="On a quadratic each step a of gradient descent multiplies the error along an "
        "eigenvector of curvature lam by 1 - a lam.",
        latex=r"|u^T (x_k - x_\star)| = |1 - a \lambda|^k |u^T (x_0 - x_\star)|",
        source="elementary",
        method=Recursion("gradient descent along an eigenvector", _along_mode),
        steps=_STEP,
        quantity=_ALONG_MODE,
        formula=lambda k, h, L, lam, c0: np.abs(1 - h / L * lam) ** k * c0,
        direction="identity",
        parameters={"h": (0.5, 1.9)},
        given={"lam": "curvature along the eigenvector", "c0": "|u.(x_0 - x*)|"},
        k_range=(1, 50),
        instances=instances,
    )


_ALONG_MODE = Quantity(
    "|u.(x_k - x*)|",
    r"|u^T (x_k - x_\star)|",
    (),
    lambda problem, trajectory: np.full(len(trajectory.steps), np.nan),  # its recursion shows it
    lambda problem, trajectory, shift: shift,
)


def gd_qg_convex() -> Theorem:
    """Gradient descent, or the subgradient method, with step h / L on a convex function, h <= 1.

        f(x_k) - f* <= L R^2 / 2 max(1 / (2 k h + 1), h),   R = |x_0 - x*|,

    where f(x) - f* <= L |x - x*|^2 / 2, and f need not be smooth. The first term is attained by a
    Huber loss, the second by a function of two planes whose last step goes down the one and up the
    other (`two_planes`); for each k another.

    Source: Goujaud, Taylor and Dieuleveut (2022), Theorem 2.2.
    """

    def hardest(h: float, k: int, x: float) -> Problem:
        return huber(k * h, x) if 1 / (2 * k * h + 1) >= h else two_planes(h, k, x)

    def instances(h: float) -> list[Instance]:
        found = members(
            worst=lambda x: [hardest(h, k, x) for k in _ATTAINED_AT],
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        )
        return [_below_quadratic(instance) for instance in found]

    return Theorem(
        name="gd_qg_convex",
        statement="After k steps of length h / L on a convex function with f - f* <= L |x - x*|^2 "
        "/ 2, f - f* is at most L R^2 / 2 times the larger of 1 / (2 k h + 1) and h.",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2} "
        r"\max\left\{\frac{1}{2 k h + 1}, h\right\}",
        source="Goujaud, Taylor and Dieuleveut (2022), Theorem 2.2",
        assumptions=(EXACT_GRADIENTS, CONVEX),
        parameters={"h": (0.25, 0.5, 0.8)},
        given={"L": "the least with f - f* <= L |x - x*|^2 / 2"},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R, h: L * R**2 / 2 * np.maximum(1 / (2 * k * h + 1), h),
        attained_at=_ATTAINED_AT,
        k_range=(1, 50),
        instances=instances,
    )


def _below_quadratic(instance: Instance) -> Instance:
    """The instance with the L of f - f* <= L |x - x*|^2 / 2; that of a smooth f will do."""
    smoothness = cast(Problem, instance.subject).constants.smoothness
    seed = ON_KINK if smoothness is None else 0
    known = {"L": smoothness or SMOOTHNESS}
    return dataclasses.replace(instance, seed=seed, symbols=known)


def gd_logistic_separable() -> Theorem:
    """Gradient descent with step a = h / L, h <= 1, on the logistic loss of separable data.

        f(x_k) <= (1 + log(1 + s)^2 / 2) / s,   s = gam^2 a k,

    f(x) = mean over rows z of log(1 + exp(-z.x)), x_0 = 0, and z.u >= gam > 0 for a unit vector u.
    f has no minimizer: bounds with |x_0 - x*| say nothing here.

    Source: derived here, after Ji and Telgarsky (2018), arXiv:1803.07300: as f is convex,
    f(x_k) <= f(w) + |w|^2 / (2 a k) for every w, of which w = log(1 + s) / gam u is taken.
    """

    def formula(k: np.ndarray, h: float, L: float, gam: float) -> np.ndarray:
        s = gam**2 * h / L * k
        return (1 + np.log1p(s) ** 2 / 2) / s

    return Theorem(
        name="gd_logistic_separable",
        statement="After k steps a from 0 on the logistic loss of data that a hyperplane separates "
        "with margin gam, f is at most (1 + log(1 + s)^2 / 2) / s, where s = gam^2 a k.",
        latex=r"f(x_k) \le \frac{1}{s} + \frac{\log^2(1 + s)}{2 s},\quad s = \gamma^2 a k",
        source="derived here",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, FROM_ZERO),
        parameters={"h": (0.5, 1.0)},
        given={"gam": "a margin: z.u >= gam for all rows z and a unit vector u"},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=VALUE,
        formula=formula,
        instances=lambda h: [
            with_margin("worst", one_example()),
            *(with_margin("random", separable_examples(seed)) for seed in range(4)),
            with_margin("data", separable_iris()),
        ],
    )
