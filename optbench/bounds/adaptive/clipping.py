"""Clipped gradient descent on functions whose curvature grows with the gradient."""

from __future__ import annotations

import math

import numpy as np

from optbench import trees
from optbench.assumption import EXACT_GRADIENTS, GENERALIZED_SMOOTH
from optbench.bisection import critical_learning_rate
from optbench.bound import Theorem
from optbench.bounds.adaptive.instances import (
    catenary,
    diabetes,
    generally_smooth,
    quartic,
    steep_catenary,
    welsch_regression,
)
from optbench.bounds.adaptive.quantities import BEST_GRADIENT_BEFORE, by_recursion
from optbench.case import Case, Instance
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.wrappers.clipping import clip_by_global_norm
from optbench.oracle import Evaluation, Oracle
from optbench.recursion import Path, Recursion

K_RANGE = (1, 300)
GROWTH = math.e - 1  # of the gradient within a distance of 1 / L_1


def softly_clipped(learning_rate: Scalar = 0.1, max_slope: Scalar = 1.0) -> Optimizer:
    """x_{k+1} = x_k - eta g / (1 + s |g|): steps below eta / s; s = `max_slope`."""

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        length = learning_rate / (1 + max_slope * trees.norm(grad))
        return Step(trees.add_scaled(params, -length, grad), state)

    return Optimizer(lambda params: (), step)


def _instances(farthest: float = 5.0) -> list[Instance]:
    return [
        Instance("worst", steep_catenary()),
        Instance("translated", steep_catenary(10.0)),
        *(Instance("random", catenary(seed, farthest)) for seed in range(3)),
        Instance("random", generally_smooth(welsch_regression(0), slope=1.0)),
        Instance("data", generally_smooth(diabetes())),
    ]


def clip_L0L1() -> Theorem:
    """Steps 1 / (2 L_0 + (e - 1) L_1 |g|) on an (L_0, L_1)-smooth function, convex or not.

        min_{i<k} |grad f(x_i)| <= (C + sqrt(C^2 + 16 L_0 f_0 / k)) / 2,
        C = 2 (e - 1) L_1 f_0 / k,   f_0 = f(x_0) - f*.

    Within a distance of 1 / L_1 the curvature is at most 2 L_0 + (e - 1) L_1 |g|. A step eta is no
    longer, and so lowers f by eta |g|^2 / 2, which grows with |g|; k of these are at most f_0.

    Source: derived here from Zhang, Jin, Fang and Wang (2020), Lemma A.3 (its number is from
    memory).
    """

    def bound(k: np.ndarray, L0: float, L1: float, f0: float) -> np.ndarray:
        linear = 2 * GROWTH * L1 * f0 / k
        return (linear + np.sqrt(linear**2 + 16 * L0 * f0 / k)) / 2

    return Theorem(
        name="clip_L0L1",
        statement="After k steps 1 / (2 L0 + (e - 1) L1 |g|) on an (L0, L1)-smooth function the "
        "least gradient norm is at most (C + sqrt(C^2 + 16 L0 f0 / k)) / 2, C = 2 (e - 1) L1 f0/k.",
        latex=r"\min_{i<k} \|\nabla f(x_i)\| \le \frac{1}{2}"
        r"\left(C + \sqrt{C^2 + 16 L_0 f_0 / k}\right),\quad C = 2 (e - 1) L_1 f_0 / k",
        source="derived here from Zhang, Jin, Fang and Wang (2020), Lemma A.3",
        assumptions=(EXACT_GRADIENTS, GENERALIZED_SMOOTH),
        method=make_method(softly_clipped),
        steps={
            "learning_rate": lambda L0: 1 / (2 * L0),
            "max_slope": lambda L0, L1: GROWTH * L1 / (2 * L0),
        },
        quantity=BEST_GRADIENT_BEFORE,
        k_range=K_RANGE,
        formula=bound,
        instances=_instances,
    )


def clip_zhang() -> Theorem:
    """Clipped steps min(eta, gamma eta / |g|), eta = 1 / (10 L_0), gamma = min(1, 1/(10 L_1))/eta.

    |grad f(x_i)| <= eps for an i < k, if k > 20 L_0 f_0 / eps^2 + 20 max(1, L_1^2) f_0 / L_0, on
    an (L_0, L_1)-smooth function with f_0 = f(x_0) - f*. Solved for eps it reads

        min_{i<k} |grad f(x_i)| <= sqrt(20 L_0 f_0 / (k - 20 max(1, L_1^2) f_0 / L_0)),

    for k so large that the root is real; below, nothing is said, and the bound is infinite. Each
    full step lowers f by eta |g|^2 / 2, and each clipped one by (gamma eta)^2 / (2 eta).

    Source: Zhang, He, Sra and Jadbabaie (2020), Theorem 3 (from memory, and derived as above).
    """

    def bound(k: np.ndarray, L0: float, L1: float, f0: float) -> np.ndarray:
        left = k - 20 * max(1.0, L1**2) * f0 / L0
        return np.sqrt(np.where(left > 0, 20 * L0 * f0 / np.maximum(left, 1e-300), np.inf))

    return Theorem(
        name="clip_zhang",
        statement="Clipped gradient descent with eta = 1/(10 L0) finds |g| <= eps on an (L0, L1)-"
        "smooth function within 20 L0 f0 / eps^2 + 20 max(1, L1^2) f0 / L0 steps.",
        latex=r"\min_{i<k} \|\nabla f(x_i)\| \le \epsilon\ \mathrm{if}\ "
        r"k > \frac{20 L_0 f_0}{\epsilon^2} + \frac{20 \max(1, L_1^2) f_0}{L_0}",
        source="Zhang, He, Sra and Jadbabaie (2020), Theorem 3",
        assumptions=(EXACT_GRADIENTS, GENERALIZED_SMOOTH),
        method=make_method(clip_by_global_norm, inner=make_method(gradient_descent)),
        steps={
            "learning_rate": lambda L0: 1 / (10 * L0),
            "max_norm": lambda L0, L1: 10 * L0 * min(1.0, 1 / (10 * L1) if L1 else 1.0),
        },
        quantity=BEST_GRADIENT_BEFORE,
        k_range=K_RANGE,
        formula=bound,
        instances=lambda: _instances(farthest=2.0),  # it speaks of steps k > 20 f_0
    )


def clip_koloskova() -> Theorem:
    """Clipped gradient descent with any threshold c and eta = 1 / (9 (L_0 + c L_1)).

        min_{i<k} |grad f(x_i)| <= max(sqrt(2 f_0 / (eta k)), 2 f_0 / (eta c k)),

    on an (L_0, L_1)-smooth function with f_0 = f(x_0) - f*. The source states the order alone; the
    constants are derived here: a step that is not clipped lowers f by eta |g|^2 / 2 at least, one
    that is by eta c |g| / 2, because eta (2 L_0 + (e - 1) L_1 |g|) min(1, c / |g|) < 1.

    Source: Koloskova, Hendrikx and Stich (2023), Theorem 2.1, up to constants; derived here.
    """

    def rate(L0: float, L1: float, c: float) -> float:
        return 1 / (9 * (L0 + c * L1))

    def bound(k: np.ndarray, L0: float, L1: float, f0: float, c: float) -> np.ndarray:
        spent = 2 * f0 / (rate(L0, L1, c) * k)
        return np.maximum(np.sqrt(spent), spent / c)

    return Theorem(
        name="clip_koloskova",
        statement="After k steps clipped at c, eta = 1 / (9 (L0 + c L1)), the least gradient norm "
        "is at most the larger of sqrt(2 f0 / (eta k)) and 2 f0 / (eta c k).",
        latex=r"\min_{i<k} \|\nabla f(x_i)\| \le \max\left\{\sqrt{\frac{2 f_0}{\eta k}}, "
        r"\frac{2 f_0}{\eta c k}\right\}",
        source="Koloskova, Hendrikx and Stich (2023), Theorem 2.1, up to constants",
        assumptions=(EXACT_GRADIENTS, GENERALIZED_SMOOTH),
        parameters={"c": (1.0, 10.0)},
        method=make_method(clip_by_global_norm, inner=make_method(gradient_descent)),
        steps={"learning_rate": rate, "max_norm": lambda c: c},
        quantity=BEST_GRADIENT_BEFORE,
        k_range=K_RANGE,
        formula=bound,
        instances=lambda c: _instances(),
    )


def _escape(case: Case, k: np.ndarray) -> Path:
    method = make_method(gradient_descent)
    found = critical_learning_rate(case.data, method, 1e-3, 1e3, num_steps=200)
    return Path(np.full(k.shape, found.value))


def clip_vs_gd_divergence() -> Theorem:
    """Gradient descent on x^4 / 4 escapes to infinity where eta > 2 / x_0^2, and else does not.

    |x_1| = |x_0| |1 - eta x_0^2| exceeds |x_0| there, and the excess grows from step to step. The
    same steps, clipped at a gradient norm c with eta c^(2/3) <= 1, converge from any start: none
    passes the minimizer by more than it was away. Observed by `critical_learning_rate`.

    Source: elementary; Zhang, He, Sra and Jadbabaie (2020), Theorem 4, for such lower bounds.
    """
    return Theorem(
        name="clip_vs_gd_divergence",
        statement="Gradient descent without clipping escapes to infinity on x^4 / 4 exactly where "
        "its learning rate is above 2 / x_0^2.",
        latex=r"f(x) = x^4 / 4:\ \eta_\star = 2 / x_0^2",
        source="elementary; Zhang, He, Sra and Jadbabaie (2020), Theorem 4",
        method=Recursion("bisection over the learning rate of gradient descent", _escape),
        given={"x0": "the start"},
        quantity=by_recursion("critical learning rate", r"\eta_\star"),
        formula=lambda x0: 2 / x0**2,
        direction="identity",
        tolerance=1e-3,
        k_range=(1, 1),
        instances=lambda: [
            Instance("random", Case(name=f"quartic[{x:g}]", symbols={"x0": x}, data=quartic(x)))
            for x in (0.5, 3.0, 10.0)
        ],
    )
