"""Gradient descent with a constant step."""

from __future__ import annotations

import numpy as np

from optbench.assumption import CONVEX, EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.instances import (
    SMOOTHNESS,
    extreme_parabolas,
    huber,
    members,
    parabola,
    ridge_regression,
    robust_regression,
)
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.quantity import SUBOPTIMALITY


def gd_convex_tight() -> Theorem:
    """Gradient descent with step h / L on an L-smooth convex function, 0 < h < 2.

        f(x_k) - f* <= L R^2 / 2 max(1 / (2 k h + 1), (1 - h)^(2 k)),   R = |x_0 - x*|.

    The first term is attained by a Huber loss for each k (`huber`, with displacement k h), the
    second by L x^2 / 2.

    Source: Drori and Teboulle (2014), Theorem 3.1 for h <= 1, and their Conjecture 3.1 for
    1 < h < 2; proved by Kim (2024), arXiv:2412.04427, known here from its abstract only.
    """
    attained_at = (1, 2, 5, 10, 20, 50, 100)
    return Theorem(
        name="gd_convex_tight",
        statement="After k steps of length h / L on an L-smooth convex function, f - f* is at most "
        "L R^2 / 2 times the larger of 1 / (2 k h + 1) and (1 - h)^(2 k).",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2}"
        r"\max\left\{\frac{1}{2 k h + 1}, (1 - h)^{2 k}\right\}",
        source="Drori and Teboulle (2014), Theorem 3.1; Kim (2024)",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX),
        parameters={"h": (0.5, 1.0, 1.5, 1.9)},
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda h, L: h / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R, h: (
            L * R**2 / 2 * np.maximum(1 / (2 * k * h + 1), (1 - h) ** (2 * k))
        ),
        attained_at=attained_at,
        instances=lambda h: members(
            worst=lambda x: [*(huber(k * h, x) for k in attained_at), parabola(SMOOTHNESS, x)],
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        ),
    )


def gd_sc_fgap() -> Theorem:
    """Gradient descent with step h / L on an L-smooth, mu-strongly convex function, 0 < h < 2.

        f(x_k) - f* <= rho^(2 k) (f(x_0) - f*),   rho = max(|1 - h mu / L|, |1 - h|).

    Attained at every k by a parabola of curvature mu or L.

    Source: Taylor, Hendrickx and Glineur (2018), J. Optim. Theory Appl. 178(2), Theorem 3.3 with
    a zero nonsmooth part; the number of the theorem is from memory.
    """

    def rho(h: float, mu: float, L: float) -> float:
        return max(abs(1 - h * mu / L), abs(1 - h))

    return Theorem(
        name="gd_sc_fgap",
        statement="Each step of length h / L on an L-smooth, mu-strongly convex function divides "
        "f - f* by at least rho^-2, where rho = max(|1 - h mu / L|, |1 - h|).",
        latex=r"f(x_k) - f_\star \le \max\{|1 - h \mu / L|, |1 - h|\}^{2 k} (f(x_0) - f_\star)",
        source="Taylor, Hendrickx and Glineur (2018), Theorem 3.3",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX),
        parameters={"h": (0.5, 1.0, 1.5, 1.9)},
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda h, L: h / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0, h: rho(h, mu, L) ** (2 * k) * f0,
        error_growth=lambda k, L, mu, h: contracted(k, rho(h, mu, L)),
        attained_at=range(1, 101),
        instances=lambda h: members(
            worst=extreme_parabolas,
            random=lambda seed: robust_regression(seed, strong_convexity=0.5),
            data=ridge_regression(l2=0.1),
        ),
    )
