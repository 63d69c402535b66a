"""Newton's method with equations that are solved in part."""

from __future__ import annotations

import itertools
from decimal import Decimal, localcontext
from typing import Any

import numpy as np

from optbench.assumption import EXACT_GRADIENTS, HESSIAN_LIPSCHITZ, MINIMIZER
from optbench.bound import Theorem
from optbench.bounds.instances import members
from optbench.bounds.second_order.instances import logistic_regression, ramp, random_ramps
from optbench.case import Case, Instance
from optbench.method import make_method
from optbench.optimizers.second_order.dense_newton import newton
from optbench.optimizers.second_order.newton import newton_cg
from optbench.problem import Problem
from optbench.quantity import DISTANCE, Quantity
from optbench.recursion import Path, Recursion
from optbench.symbol import hessian_at_minimizer
from optbench.trajectory import Trajectory

DIGITS = 60  # of the numbers whose order is measured; their exponents have no bound
_SHARE = 1.01  # t / eta


def _weighed(problem: Problem, t: Trajectory) -> np.ndarray:
    """[T] |H* (x_k - x*)|."""
    hessian = hessian_at_minimizer(problem)
    return np.linalg.norm((t.params - problem.minimizer) @ hessian.T, axis=1)


def _weighed_rounding(problem: Problem, t: Trajectory, shift: np.ndarray) -> np.ndarray:
    return np.linalg.norm(hessian_at_minimizer(problem), 2) * shift


WEIGHED_DISTANCE = Quantity(
    "|hess f(x*) (x_k - x*)|",
    r"\|H_\star (x_k - x_\star)\|",
    (MINIMIZER,),
    _weighed,
    _weighed_rounding,
)

ORDER = Quantity(
    "measured order of convergence",
    r"\frac{\log(e_{k+1} / e_k)}{\log(e_k / e_{k-1})}",
    (),
    DISTANCE.observe,
    DISTANCE.rounding,
)


def inexact_newton_linear() -> Theorem:
    """Newton's method with residuals |H_k p_k + g_k| <= eta |g_k|, from near enough to x*.

        |H* (x_k - x*)| <= t^k |H* (x_0 - x*)|,   eta < t < 1,   H* = hess f(x*).

    With the residual eta g_k, which is Newton's method with the learning rate 1 - eta, the error
    falls by eta in each step, in the limit; here t = 1.01 eta. `newton_cg` with a forcing term of
    the smallest eta is held to it too.

    Source: Dembo, Eisenstat and Steihaug (1982), Theorem 2.3.
    """

    def with_error(instance: Instance) -> Instance:
        problem = instance.problem
        hessian = hessian_at_minimizer(problem)
        error = float(np.linalg.norm(hessian @ (problem.start(0) - problem.minimizer)))
        return Instance(instance.kind, problem, symbols={"E0": error})

    return Theorem(
        name="inexact_newton_linear",
        statement="Newton's method whose residual is at most eta times the gradient shrinks "
        "|H* (x - x*)| by any t above eta in each step, near enough to x*.",
        latex=r"\|H_\star (x_k - x_\star)\| \le t^k \|H_\star (x_0 - x_\star)\|,\quad "
        r"\eta < t < 1",
        source="Dembo, Eisenstat and Steihaug (1982), Theorem 2.3",
        assumptions=(EXACT_GRADIENTS, HESSIAN_LIPSCHITZ),
        given={"E0": "|H* (x_0 - x*)|"},
        parameters={"eta": (0.1, 0.5)},
        method=make_method(newton),
        also=(make_method(newton_cg, forcing=0.1),),
        steps={"learning_rate": lambda eta: 1 - eta},
        quantity=WEIGHED_DISTANCE,
        formula=lambda k, eta, E0: (_SHARE * eta) ** k * E0,
        k_range=(1, 20),
        unattained="it holds for each t above eta; a residual eta g attains it in the limit of "
        "t = eta",
        instances=lambda eta: [
            with_error(i)
            for i in members(
                worst=lambda x: [ramp("near_parabola", x, 1e-4, (0.5, 3.0, 1.0))],
                random=lambda seed: random_ramps(seed, radius=1e-3, strong_convexity=0.5),
                data=logistic_regression(l2=0.1, radius=1e-4),
            )
        ],
    )


def _measured_order(case: Case, k: np.ndarray, **steps: float) -> Path:
    """log(e_{k+1} / e_k) / log(e_k / e_{k-1}) of inexact Newton in high precision.

    f = sum_i mu_i x_i^2 / 2 + M_i |x_i|^3 / 6; the residual r is min(1 / 2, |g|^p) times g, its
    entries moved on by one. The next point x - H^{-1} (g - r) is H^{-1} (M x |x| / 2 + r), without
    the cancellation.
    """
    power = Decimal(steps["power"])
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = DIGITS, -(10**12), 10**12
        rows: Any = [np.array([Decimal(value) for value in row]) for row in case.data]
        curvatures, variations, point = rows
        errors = []
        for _ in range(int(k[-1]) + 2):
            bent = variations * point * np.abs(point) / 2
            grad = curvatures * point + bent
            size = (grad @ grad).sqrt()
            errors.append((point @ point).sqrt())
            residual = min(Decimal("0.5"), size**power) * np.roll(grad, 1)
            point = (bent + residual) / (curvatures + variations * np.abs(point))
        logs = [(after / before).ln() for before, after in itertools.pairwise(errors)]
        orders = [float(after / before) for before, after in itertools.pairwise(logs)]
    return Path(np.array(orders)[k - 1])


def inexact_newton_orders() -> Theorem:
    """Newton's method with residuals |H_k p_k + g_k| <= min(1 / 2, |g_k|^p) |g_k|, 0 < p <= 1.

    Its order of convergence is 1 + p, here the ratio of successive logarithms of |x_{k+1} - x*| /
    |x_k - x*|, once (1 + p)^k is about 1e5.

    Source: Dembo, Eisenstat and Steihaug (1982), Theorem 3.3; Nocedal and Wright (2006),
    Theorem 7.2.
    """
    cases: dict[str, Any] = {
        "line": ([0.5], [3.0], [0.1]),
        "steep line": ([4.0], [-0.25], [0.05]),
        "three dimensions": ([0.5, 1.0, 4.0], [3.0, -1.0, 0.25], [0.05, -0.1, 0.02]),
    }

    def tail(p: float) -> tuple[int, int]:
        last = int(np.log(1e5) / np.log(1 + p))
        return last - 3, last

    return Theorem(
        name="inexact_newton_orders",
        statement="Newton's method whose residual is |g|^p times the gradient g converges with "
        "the order 1 + p.",
        latex=r"\|H_k p_k + g_k\| \le \|g_k\|^{1 + p}\quad\Rightarrow\quad \mathrm{order}\ 1 + p",
        source="Dembo, Eisenstat and Steihaug (1982), Theorem 3.3",
        direction="identity",
        tolerance=1e-4,
        parameters={"p": (0.25, 0.5, 1.0)},
        method=Recursion("inexact Newton in 60 digits", _measured_order),
        steps={"power": lambda p: p},
        quantity=ORDER,
        formula=lambda k, p: 1 + p + 0 * k,
        k_range=tail,
        instances=lambda p: [
            Instance("worst", Case(name=name, symbols={}, data=data))
            for name, data in cases.items()
        ],
    )
