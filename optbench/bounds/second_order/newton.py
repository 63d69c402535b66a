"""Newton's method with full steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from optbench.assumption import (
    EXACT_GRADIENTS,
    HESSIAN_LIPSCHITZ,
    QUADRATIC,
    STRONGLY_CONVEX,
)
from optbench.bound import Theorem
from optbench.bounds.instances import DIM, members
from optbench.bounds.second_order.agreement import APART, Twins, agreement
from optbench.bounds.second_order.instances import (
    curvatures_at_minimizer,
    linear_members,
    logistic_regression,
    ramp,
    random_ramps,
)
from optbench.case import Case, Instance
from optbench.formula import one_step
from optbench.method import make_method
from optbench.optimizers.second_order.dense_newton import newton
from optbench.problem import Constants, Problem
from optbench.quantity import DISTANCE, GRADIENT_NORM, RELATIVE_DISTANCE, SUBOPTIMALITY
from optbench.start import start_near

CURVATURE = 0.5  # mu of the instances on a line
VARIATION = 3.0  # M
_FULL = {"learning_rate": lambda: 1.0}


def newton_local_nesterov() -> Theorem:
    """Newton's method near a minimizer x* with hess f(x*) >= mu I, hess f M-Lipschitz.

        |x_{k+1} - x*| <= M r^2 / (2 (mu - M r)),   r = |x_k - x*| < mu / M,

    and all r fall from one below 2 mu / (3 M). Attained in every step on a line with
    f''(x) = mu - M |x - x*|, which a floor of mu / 3 keeps convex farther away.

    Source: Nesterov (2018), Theorem 1.2.5; the number is from memory.
    """
    radius = 2 * CURVATURE / (3 * VARIATION)

    def worst(minimizer: float) -> Problem:
        curvature = CURVATURE, -VARIATION, radius
        return ramp("falling_curvature", minimizer, 0.9 * radius, curvature)

    def bound(M: float, mu_star: float, r_before: np.ndarray) -> np.ndarray:
        left = mu_star - M * r_before
        return np.where(left > 0, M * r_before**2 / (2 * np.where(left > 0, left, 1.0)), np.inf)

    return Theorem(
        name="newton_local_nesterov",
        statement="Where the Hessian is M-Lipschitz and at least mu at x*, a step of Newton's "
        "method from the distance r < mu / M ends within M r^2 / (2 (mu - M r)) of x*.",
        latex=r"\|x_{k+1} - x_\star\| \le \frac{M r_k^2}{2 (\mu - M r_k)},\quad "
        r"r_k = \|x_k - x_\star\| < \frac{\mu}{M}",
        source="Nesterov (2018), Theorem 1.2.5",
        assumptions=(EXACT_GRADIENTS, HESSIAN_LIPSCHITZ),
        given={"mu_star": "the smallest eigenvalue of the Hessian at x*"},
        method=make_method(newton),
        steps=_FULL,
        quantity=DISTANCE,
        formula=bound,
        error_growth=one_step,
        k_range=(1, 6),
        attained_at=range(1, 5),
        instances=lambda: [
            dataclasses.replace(
                i, symbols={"mu_star": float(curvatures_at_minimizer(i.problem)[0])}
            )
            for i in _smooth_members([worst])
        ],
    )


def _smooth_members(worst: Sequence[Any]) -> tuple[Instance, ...]:
    """Worst cases by their minimizer, random ramps, and logistic regression from near x*."""
    return members(
        worst=lambda x: [problem(x) for problem in worst],
        random=lambda seed: random_ramps(seed, radius=0.9, strong_convexity=0.5),
        data=logistic_regression(l2=0.1, radius=0.1),
    )


def _rising_curvature(radius: float, minimizer: float) -> Problem:
    """f''(x) = mu + M |x - x_0| up to 2 |x_0 - x*| from x_0: Newton's first step is too long."""
    name = f"rising_curvature[radius={radius:g}]"
    return ramp(name, minimizer, radius, (CURVATURE, VARIATION, 2 * radius), turn=radius)


def _rising_curvatures() -> list[Any]:
    return [lambda x, r=r: _rising_curvature(r, x) for r in (0.02, 0.3)]


def newton_sc_simple() -> Theorem:
    """Newton's method on a mu-strongly convex function, hess f M-Lipschitz.

        |x_{k+1} - x*| <= M / (2 mu) |x_k - x*|^2.

    Attained in the first step by f''(x) = mu + M |x - x_0|, which steps from the one point where
    the curvature is mu. On a line no function attains it at two steps: its curvature at x* would
    be mu + M |x_k - x*| for both.

    Source: Nocedal and Wright (2006), Theorem 3.5, with M / mu; integrating the Hessian along the
    step gives M / (2 mu). The number of the theorem is from memory.
    """
    return Theorem(
        name="newton_sc_simple",
        statement="A step of Newton's method on a mu-strongly convex function with an M-Lipschitz "
        "Hessian ends within M / (2 mu) times the squared distance to x*.",
        latex=r"\|x_{k+1} - x_\star\| \le \frac{M}{2 \mu} \|x_k - x_\star\|^2",
        source="Nocedal and Wright (2006), Theorem 3.5",
        assumptions=(EXACT_GRADIENTS, STRONGLY_CONVEX, HESSIAN_LIPSCHITZ),
        method=make_method(newton),
        steps=_FULL,
        quantity=DISTANCE,
        formula=lambda M, mu, r_before: M / (2 * mu) * r_before**2,
        error_growth=one_step,
        k_range=(1, 6),
        attained_at=(1,),
        instances=lambda: _smooth_members(_rising_curvatures()),
    )


def newton_boyd_grad() -> Theorem:
    """Newton's method on a mu-strongly convex function, hess f M-Lipschitz.

        M / (2 mu^2) |grad f(x_{k+1})| <= (M / (2 mu^2) |grad f(x_k)|)^2.

    Attained in the first step by f''(x) = mu + M |x - x_0|, as `newton_sc_simple` is.

    Source: Boyd and Vandenberghe (2004), equation 9.33, there for steps that the line search takes
    in full.
    """
    return Theorem(
        name="newton_boyd_grad",
        statement="Where f is mu-strongly convex with an M-Lipschitz Hessian, Newton's method "
        "squares M / (2 mu^2) times the norm of the gradient, or does better.",
        latex=r"\frac{M}{2 \mu^2} \|\nabla f(x_{k+1})\| \le "
        r"(\frac{M}{2 \mu^2} \|\nabla f(x_k)\|)^2",
        source="Boyd and Vandenberghe (2004), equation 9.33",
        assumptions=(EXACT_GRADIENTS, STRONGLY_CONVEX, HESSIAN_LIPSCHITZ),
        method=make_method(newton),
        steps=_FULL,
        quantity=GRADIENT_NORM,
        formula=lambda M, mu, g_before: M / (2 * mu**2) * g_before**2,
        error_growth=one_step,
        k_range=(1, 6),
        attained_at=(1,),
        instances=lambda: _smooth_members(_rising_curvatures()),
    )


def newton_boyd_quadphase() -> Theorem:
    """Newton's method on a mu-strongly convex f, hess f M-Lipschitz, |grad f(x_0)| <= mu^2 / M.

        f(x_k) - f* <= 2 mu^3 / M^2 (1/2)^(2^(k+1)).

    From `newton_boyd_grad` and f - f* <= |grad f|^2 / (2 mu). Of other starts it says nothing. On
    a line with |grad f(x_0)| = mu^2 / M and f''(x) = mu + M |x - x_0| the first step comes within
    a factor of 2.

    Source: Boyd and Vandenberghe (2004), equation 9.35.
    """
    radius = (np.sqrt(3) - 1) * CURVATURE / VARIATION  # where mu r + M r^2 / 2 = mu^2 / M

    def bound(k: np.ndarray, M: float, mu: float, g0: float) -> np.ndarray:
        near = g0 <= mu**2 / M * (1 + 1e-12)
        return np.where(near, 2 * mu**3 / M**2 * 0.5 ** (2 ** (k + 1)), np.inf)

    return Theorem(
        name="newton_boyd_quadphase",
        statement="Once the gradient is at most mu^2 / M, k steps of Newton's method bring f - f* "
        "to 2 mu^3 / M^2 times 2 to the power of -2^(k+1).",
        latex=r"f(x_k) - f_\star \le \frac{2 \mu^3}{M^2} (\frac{1}{2})^{2^{k+1}},\quad "
        r"\|\nabla f(x_0)\| \le \frac{\mu^2}{M}",
        source="Boyd and Vandenberghe (2004), equation 9.35",
        assumptions=(EXACT_GRADIENTS, STRONGLY_CONVEX, HESSIAN_LIPSCHITZ),
        method=make_method(newton),
        steps=_FULL,
        quantity=SUBOPTIMALITY,
        formula=bound,
        k_range=(1, 5),
        instances=lambda: members(
            worst=lambda x: [_rising_curvature(radius, x)],
            random=lambda seed: random_ramps(seed, radius=0.05, strong_convexity=0.5),
            data=logistic_regression(l2=0.1, radius=0.01),
        ),
    )


def newton_quadratic_onestep() -> Theorem:
    """Newton's method on a strictly convex quadratic: x_1 = x*.

    Source: elementary: the gradient is H (x - x*).
    """
    return Theorem(
        name="newton_quadratic_onestep",
        statement="Newton's method minimizes a strictly convex quadratic in one step.",
        latex=r"x_1 = x_\star",
        source="elementary",
        assumptions=(EXACT_GRADIENTS, STRONGLY_CONVEX, QUADRATIC),
        method=make_method(newton),
        steps=_FULL,
        quantity=RELATIVE_DISTANCE,
        formula=lambda k: 0.0 * k,
        direction="identity",
        k_range=(1, 1),
        instances=linear_members,
    )


def newton_affine_invariance() -> Theorem:
    """Newton's method on f, and on g(y) = f(T y) from y_0 = T^-1 x_0: x_k = T y_k.

    The defect is |x_k - T y_k| over the length of the path. To see what the check would catch, the
    steps on f alone are made longer.

    Source: Boyd and Vandenberghe (2004), section 9.5.1.
    """
    return Theorem(
        name="newton_affine_invariance",
        statement="Newton's method takes the same path in all affine coordinates.",
        latex=r"g(y) = f(T y),\ y_0 = T^{-1} x_0\quad\Rightarrow\quad y_k = T^{-1} x_k",
        source="Boyd and Vandenberghe (2004), section 9.5.1",
        method=agreement(make_method(newton)),
        steps=_FULL,
        quantity=APART,
        formula=lambda k: 0.0 * k,
        direction="identity",
        k_range=(0, 6),
        instances=lambda: [
            *(Instance("random", _in_other_coordinates(random_ramps(s), s)) for s in range(3)),
            Instance("data", _in_other_coordinates(logistic_regression(0.0, radius=1.0), 3)),
        ],
    )


def _in_other_coordinates(problem: Problem, seed: int) -> Case:
    """A problem in 5 dimensions and the same in coordinates that a random matrix T gives."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((DIM, DIM)) * rng.uniform(0.1, 3.0, DIM)
    (rows, *rest) = problem.data
    start = np.linalg.solve(matrix, problem.start(0))
    model = dataclasses.replace(
        problem,
        data=(rows @ matrix, *rest),
        start=start_near(start),
        minimizer=np.linalg.solve(matrix, np.asarray(problem.minimizer)),
        constants=Constants(),
    )
    return Case(
        name=problem.name, symbols={}, data=Twins(problem, model, make_method(newton), matrix)
    )
