"""Gradient descent with momentum."""

from __future__ import annotations

import numpy as np

from optbench.assumption import EXACT_GRADIENTS, QUADRATIC, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.instances import extreme_parabolas, members, quadratic, ridge_regression
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizers.first_order.momentum import momentum
from optbench.quantity import DISTANCE


def hb_quad_exact() -> Theorem:
    """Polyak's heavy ball, tuned for quadratics with curvatures in [mu, L], from x_{-1} = x_0.

        |x_k - x*| <= r^k (1 + k (1 + r)) R,   r = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)),

    R = |x_0 - x*|, with learning rate 4 / (sqrt(L) + sqrt(mu))^2 and momentum r^2. The errors
    along the eigenvector of curvature L follow e_{k+1} = -2 r e_k - r^2 e_{k-1}, with the double
    root -r, and so attain it at every k; along that of mu the root is r, and the factor
    1 + k (1 - r).

    Source: rate r: Polyak (1964), USSR Comput. Math. Math. Phys. 4(5), theorem 9 (its number is
    from memory). The factor is derived from the recursion above, and was found in no paper.
    """

    def ratio(L: float, mu: float) -> float:
        return (np.sqrt(L) - np.sqrt(mu)) / (np.sqrt(L) + np.sqrt(mu))

    return Theorem(
        name="hb_quad_exact",
        statement="After k steps of the heavy ball tuned for quadratics the distance to x* is at "
        "most r^k (1 + k (1 + r)) times the first, r = (sqrt(L/mu) - 1) / (sqrt(L/mu) + 1).",
        latex=r"\|x_k - x_\star\| \le r^k (1 + k (1 + r)) \|x_0 - x_\star\|,\quad "
        r"r = \frac{\sqrt L - \sqrt\mu}{\sqrt L + \sqrt\mu}",
        source="Polyak (1964) for the rate; the factor is derived from the recursion",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, QUADRATIC),
        method=make_method(momentum),
        steps={
            "learning_rate": lambda L, mu: 4 / (np.sqrt(L) + np.sqrt(mu)) ** 2,
            "momentum": lambda L, mu: ratio(L, mu) ** 2,
        },
        quantity=DISTANCE,
        formula=lambda k, L, mu, R: ratio(L, mu) ** k * (1 + k * (1 + ratio(L, mu))) * R,
        error_growth=lambda k, L, mu: contracted(k, ratio(L, mu)) ** 2,
        k_range=(1, 200),
        attained_at=range(1, 201),
        instances=lambda: members(
            worst=extreme_parabolas, random=quadratic, data=ridge_regression(l2=0.1)
        ),
    )
