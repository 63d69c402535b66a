"""What no first-order method can do better."""

from __future__ import annotations

import numpy as np

from optbench.assumption import CONVEX, EXACT_GRADIENTS, QUADRATIC, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.instances import FAR
from optbench.bounds.momentum.lower_instances import (
    RESISTED,
    chain,
    resisting,
    strongly_convex_chain,
)
from optbench.bounds.momentum.optimized_gradient import last_weights
from optbench.case import Instance, InstanceKind
from optbench.formula import accelerated, contracted
from optbench.method import make_method
from optbench.optimizers.first_order.accelerated import (
    nesterov_convex,
    nesterov_strongly_convex,
    optimized_gradient,
)
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.linear_cg import conjugate_gradient
from optbench.optimizers.first_order.momentum import momentum
from optbench.quantity import SQUARED_DISTANCE, SUBOPTIMALITY

KINDS: tuple[tuple[InstanceKind, float], ...] = (("worst", 0.0), ("translated", FAR))
DESCENT = make_method(gradient_descent, learning_rate="1/L")


def lb_nesterov_convex() -> Theorem:
    """What no method can reach whose steps are sums of earlier gradients, in k steps.

        f(x_k) - f* >= 3 L R^2 / (32 (k + 1)^2),   R = |x_0 - x*|,

    on the quadratic `chain` with d = 2 k + 1 coordinates, so that 32 (k + 1)^2 = 8 (d + 1)^2.
    Compared are gradient descent, Nesterov's method, the optimized gradient method, and conjugate
    gradients, which comes nearest: on this quadratic, nothing of that span is lower.

    Source: Nesterov (2018), Theorem 2.1.7.
    """
    return Theorem(
        name="lb_nesterov_convex",
        statement="For each k there is an L-smooth convex quadratic on which no first-order method "
        "brings f - f* below 3 L R^2 / (32 (k + 1)^2) in k steps.",
        latex=r"f(x_k) - f_\star \ge \frac{3 L \|x_0 - x_\star\|^2}{32 (k + 1)^2}",
        source="Nesterov (2018), Theorem 2.1.7",
        direction="lower",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, QUADRATIC),
        given={"d": "the number of coordinates of Nesterov's worst function"},
        parameters={"N": tuple(map(float, RESISTED))},
        k_range=lambda N: (int(N), int(N)),
        method=make_method(conjugate_gradient),
        also=(DESCENT, make_method(nesterov_convex), make_method(optimized_gradient)),
        quantity=SUBOPTIMALITY,
        formula=lambda L, R, d: 3 * L * R**2 / (8 * (d + 1) ** 2),
        error_growth=accelerated,
        instances=lambda N: [
            Instance(kind, chain(int(N), x), symbols={"d": 2 * N + 1}) for kind, x in KINDS
        ],
    )


def lb_nesterov_sc() -> Theorem:
    """How slowly every first-order method converges on an infinite strongly convex chain.

        |x_k - x*|^2 >= q^(2 k) R^2,   q = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)),

    R = |x_0 - x*|, on a chain that is cut where it does not matter (`strongly_convex_chain`):
    x*_i = c q^i, and only k coordinates of x_k have left x_0. Attained at each k by the heavy ball
    tuned for quadratics, which sets them to those of x*: its steps there are
    x_{k+1} - x_k = c q^{k+1} e_{k+1}. Compared are also gradient descent, Nesterov's method
    and conjugate gradients.

    Source: Nesterov (2018), Theorem 2.1.13. That the heavy ball attains it was found here.
    """

    def ratio(L: float, mu: float) -> float:
        return (np.sqrt(L) - np.sqrt(mu)) / (np.sqrt(L) + np.sqrt(mu))

    return Theorem(
        name="lb_nesterov_sc",
        statement="On an infinite L-smooth, mu-strongly convex chain no first-order method brings "
        "|x - x*|^2 below q^(2 k) R^2 in k steps, q = (sqrt(L/mu) - 1) / (sqrt(L/mu) + 1).",
        latex=r"\|x_k - x_\star\|^2 \ge \left(\frac{\sqrt L - \sqrt\mu}{\sqrt L + \sqrt\mu}"
        r"\right)^{2 k} \|x_0 - x_\star\|^2",
        source="Nesterov (2018), Theorem 2.1.13",
        direction="lower",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, QUADRATIC),
        given={"q": "the ratio of neighboring coordinates of x* in Nesterov's chain"},
        method=make_method(momentum),
        also=(DESCENT, make_method(nesterov_strongly_convex), make_method(conjugate_gradient)),
        steps={
            "learning_rate": lambda L, mu: 4 / (np.sqrt(L) + np.sqrt(mu)) ** 2,
            "momentum": lambda L, mu: ratio(L, mu) ** 2,
        },
        quantity=SQUARED_DISTANCE,
        formula=lambda k, q, R: q ** (2 * k) * R**2,
        error_growth=lambda k, q: contracted(k, q) ** 2,
        k_range=(1, 14),
        attained_at=range(1, 15),
        instances=lambda: [
            Instance(kind, strongly_convex_chain(x), symbols={"q": 0.5}) for kind, x in KINDS
        ],
    )


def lb_drori_exact() -> Theorem:
    """What no first-order method can reach in N steps, exactly.

        f(x_N) - f* >= L R^2 / (2 theta_N^2),   R = |x_0 - x*|,

    theta_N as in `ogm_tight`, on a function that shows a coordinate with each gradient
    (`resisting`). Attained by the optimized gradient method, whose upper bound it is. Compared are
    also gradient descent, Nesterov's method and the heavy ball.

    Source: Drori (2017), Theorem 3.
    """
    return Theorem(
        name="lb_drori_exact",
        statement="For each N there is an L-smooth convex function on which no first-order method "
        "brings f - f* below L R^2 / (2 theta_N^2) in N steps.",
        latex=r"f(x_N) - f_\star \ge \frac{L \|x_0 - x_\star\|^2}{2 \theta_N^2}",
        source="Drori (2017), Theorem 3",
        direction="lower",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX),
        given={"theta": "theta_N of the function that resists for N steps"},
        parameters={"N": tuple(map(float, RESISTED))},
        k_range=lambda N: (int(N), int(N)),
        method=make_method(optimized_gradient),
        also=(
            DESCENT,
            make_method(nesterov_convex),
            make_method(momentum, learning_rate="1/L", momentum=0.5),
        ),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda L, R, theta: L * R**2 / (2 * theta**2),
        error_growth=accelerated,
        attained_at=RESISTED,
        instances=lambda N: [
            Instance(kind, resisting(int(N), x), symbols={"theta": float(last_weights(N))})
            for kind, x in KINDS
        ],
    )
