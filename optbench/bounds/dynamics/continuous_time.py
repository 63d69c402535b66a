"""Gradient flow and Nesterov's differential equation, solved to 12 digits."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.adaptive.instances import diabetes
from optbench.bounds.dynamics.flows import (
    ACCURACY,
    Potential,
    cone,
    gradient_flow_points,
    nesterov_flow_points,
    potential_case,
    robust,
)
from optbench.bounds.instances import RADIUS, STRONG_CONVEXITY, parabola, quadratic
from optbench.case import Case, Instance, InstanceKind
from optbench.problem import Problem
from optbench.quantity import DISTANCE, SUBOPTIMALITY
from optbench.recursion import Path, Recursion

TIME_STEP = 0.5  # t = k / 2
ATTAINED_AT = (1, 2, 5, 10, 20)
GIVEN = {"mu": "strong convexity", "R": "|x_0 - x*|", "f0": "f(x_0) - f*"}
CONVEX_POTENTIAL = Assumption(
    name="a convex potential",
    holds=lambda case: isinstance(case.data, Potential),
    hint="give a Case whose data is a Potential",
)
STRONGLY_CONVEX_POTENTIAL = Assumption(
    name="a strongly convex potential",
    holds=lambda case: CONVEX_POTENTIAL.holds(case) and case.symbols["mu"] > 0,
    hint="give a Case whose mu is positive",
)

Points = Callable[[Potential, np.ndarray], np.ndarray]


def _values(points: Points, case: Case, k: np.ndarray, time_step: float) -> Path:
    found = points(case.data, k * time_step)
    values = np.array([case.data.value(point) for point in found])
    return Path(values, rounding=ACCURACY * values)


def _distances(case: Case, k: np.ndarray, time_step: float) -> Path:
    found = gradient_flow_points(case.data, k * time_step) - case.data.minimizer
    lengths = np.linalg.norm(found, axis=1)
    return Path(lengths, rounding=ACCURACY * lengths)


def _quadratics(**setting: float) -> list[Instance]:
    """Strongly convex ones; the flow along the smallest curvature is the slowest."""
    problems: list[tuple[InstanceKind, Problem]] = [
        ("worst", parabola(STRONG_CONVEXITY, 0.0)),
        ("random", quadratic(0)),
        ("random", quadratic(1)),
        ("data", diabetes()),
    ]
    return [
        Instance(
            kind,
            potential_case(p.name, robust(p), p.constants.strong_convexity or 0.0),
        )
        for kind, p in problems
    ]


def _with_cones(slopes: Sequence[float]) -> list[Instance]:
    cones = [potential_case(f"cone[slope={c:.3g}]", cone(c, RADIUS)) for c in slopes]
    return [*(Instance("worst", case) for case in cones), *_quadratics()]


def gf_convex() -> Theorem:
    """Gradient flow X' = -grad f(X), X(0) = x_0, on a convex function.

        f(X_t) - f* <= R^2 / (4 t),   R = |x_0 - x*|.

    Attained for each t by c |x| with c = R / (2 t): the tip is reached at 2 t. Textbooks have
    R^2 / (2 t).

    Source: Taylor, Hendrickx and Glineur (2017), SIAM J. Optim. 27(3), bound R^2 / (4 a k) on the
    proximal point method, in the limit of short steps; derived in this limit, not found stated.
    """
    return Theorem(
        name="gf_convex",
        statement="Gradient flow on a convex function brings f - f* below R^2 / (4 t) by time t.",
        latex=r"f(X_t) - f_\star \le \frac{\|x_0 - x_\star\|^2}{4 t}",
        source="Taylor, Hendrickx and Glineur (2017), in the limit of short steps",
        assumptions=(CONVEX_POTENTIAL,),
        method=Recursion("gradient flow", functools.partial(_values, gradient_flow_points)),
        steps={"time_step": lambda: TIME_STEP},
        given=GIVEN,
        quantity=SUBOPTIMALITY,
        formula=lambda k, R: R**2 / (4 * TIME_STEP * k),
        k_range=(1, 20),
        attained_at=ATTAINED_AT,
        instances=lambda: _with_cones([RADIUS / (2 * TIME_STEP * k) for k in ATTAINED_AT]),
    )


def gf_sc_f() -> Theorem:
    """Gradient flow on a mu-strongly convex function: f(X_t) - f* <= exp(-2 mu t) (f(x_0) - f*).

    It holds wherever |grad f|^2 >= 2 mu (f - f*). Attained at every t by mu x^2 / 2.

    Source: Scieur, Roulet, Bach and d'Aspremont (2017), Proposition 1.1.
    """
    return Theorem(
        name="gf_sc_f",
        statement="Gradient flow on a mu-strongly convex function shrinks f - f* at least like "
        "exp(-2 mu t).",
        latex=r"f(X_t) - f_\star \le e^{-2 \mu t} (f(x_0) - f_\star)",
        source="Scieur, Roulet, Bach and d'Aspremont (2017), Proposition 1.1",
        assumptions=(STRONGLY_CONVEX_POTENTIAL,),
        method=Recursion("gradient flow", functools.partial(_values, gradient_flow_points)),
        steps={"time_step": lambda: TIME_STEP},
        given=GIVEN,
        quantity=SUBOPTIMALITY,
        formula=lambda k, mu, f0: np.exp(-2 * mu * TIME_STEP * k) * f0,
        k_range=(1, 40),
        attained_at=range(1, 41),
        instances=_quadratics,
    )


def gf_sc_dist() -> Theorem:
    """Gradient flow on a mu-strongly convex function: |X_t - x*| <= exp(-mu t) |x_0 - x*|.

    Attained at every t by mu x^2 / 2.

    Source: standard; Scieur, Roulet, Bach and d'Aspremont (2017), section 1.
    """
    return Theorem(
        name="gf_sc_dist",
        statement="Gradient flow on a mu-strongly convex function shrinks the distance to x* at "
        "least like exp(-mu t).",
        latex=r"\|X_t - x_\star\| \le e^{-\mu t} \|x_0 - x_\star\|",
        source="standard; Scieur, Roulet, Bach and d'Aspremont (2017), section 1",
        assumptions=(STRONGLY_CONVEX_POTENTIAL,),
        method=Recursion("gradient flow", _distances),
        steps={"time_step": lambda: TIME_STEP},
        given=GIVEN,
        quantity=DISTANCE,
        formula=lambda k, mu, R: np.exp(-mu * TIME_STEP * k) * R,
        k_range=(1, 40),
        attained_at=range(1, 41),
        instances=_quadratics,
    )


def nesterov_ode() -> Theorem:
    """X'' + (3 / t) X' + grad f(X) = 0, X(0) = x_0, X'(0) = 0, on a convex function.

        f(X_t) - f* <= 2 R^2 / t^2,   R = |x_0 - x*|.

    Attained for each t by c |x| with c = 4 R / t^2: there X = R - c t^2 / 8 = R / 2.

    Source: Su, Boyd and Candes (2016), Theorem 3.1; the instance: found here.
    """
    return Theorem(
        name="nesterov_ode",
        statement="The solution of Nesterov's differential equation on a convex function has "
        "f - f* at most 2 R^2 / t^2 at time t.",
        latex=r"\ddot X + \frac{3}{t} \dot X + \nabla f(X) = 0:\ f(X_t) - f_\star \le "
        r"\frac{2 \|x_0 - x_\star\|^2}{t^2}",
        source="Su, Boyd and Candes (2016), Theorem 3.1",
        assumptions=(CONVEX_POTENTIAL,),
        method=Recursion(
            "Nesterov's differential equation", functools.partial(_values, nesterov_flow_points)
        ),
        steps={"time_step": lambda: TIME_STEP},
        given=GIVEN,
        quantity=SUBOPTIMALITY,
        formula=lambda k, R: 2 * R**2 / (TIME_STEP * k) ** 2,
        k_range=(1, 20),
        attained_at=ATTAINED_AT,
        instances=lambda: _with_cones([4 * RADIUS / (TIME_STEP * k) ** 2 for k in ATTAINED_AT]),
    )
