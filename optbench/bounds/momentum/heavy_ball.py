"""Gradient descent with momentum."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
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
from optbench.bounds.instances import (
    FAR,
    NUM_RANDOM,
    SMOOTHNESS,
    extreme_parabolas,
    huber,
    members,
    quadratic,
    ridge_regression,
    robust_regression,
)
from optbench.bounds.momentum.instances import bent, largest_square
from optbench.case import Instance
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.momentum import momentum
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import DISTANCE, MEAN_POINT_SUBOPTIMALITY, SUBOPTIMALITY
from optbench.theory import SMOOTHNESS as L_OF_PROBLEM

NEARLY_ROUND = Assumption(
    "a condition number of at most 25",
    lambda p: (p.constants.condition_number or np.inf) <= 25.0 * (1 + 1e-12),
    "give a problem with L / mu <= 25",
)
TUNED_FOR_25 = {"learning_rate": lambda L: 25 / (9 * L), "momentum": lambda: 4 / 9}


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


def hb_lessard_cycle() -> Theorem:
    """Polyak's heavy ball, tuned for quadratics, does not converge on every strongly convex f.

    With mu = 1, L = 25, learning rate 1 / 9 and momentum 4 / 9, on the function with curvature 25,
    except 1 where 1 < x - x* < 2, from x_0 - x* = 3.3, it ends in a cycle of three points,

        x - x* = 792 / 1225,  -2208 / 1225,  2592 / 1225,  and again.

    Source: Lessard, Recht and Packard (2016), section 4.6, equation 4.11.
    """
    cycle = np.array([792.0, 2208.0, 2592.0]) / 1225

    def instance(center: float) -> Problem:
        return bent("one_bend", [(1.0, 2.0)], 3.3, center)

    return Theorem(
        name="hb_lessard_cycle",
        statement="The heavy ball tuned for quadratics with L / mu = 25 can end in a cycle of "
        "three points on a strongly convex function with the same constants.",
        latex=r"|x_k - x_\star| \in \left\{\frac{792}{1225}, \frac{2208}{1225}, "
        r"\frac{2592}{1225}\right\}",
        source="Lessard, Recht and Packard (2016), section 4.6",
        standing="counterexample",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX),
        method=make_method(momentum),
        steps=TUNED_FOR_25,
        quantity=DISTANCE,
        direction="identity",
        formula=lambda k, bend: bend * cycle[k.astype(int) % 3],
        given={"bend": "x - x* where the curvature falls from L to mu"},
        error_growth=lambda k: contracted(k, 0.9),
        k_range=(90, 120),
        attained_at=range(90, 121),
        instances=lambda: (
            Instance("worst", instance(0.0), symbols={"bend": 1.0}),
            Instance("translated", instance(FAR), symbols={"bend": 1.0}),
        ),
    )


def hb_not_contraction() -> Theorem:
    """Polyak's heavy ball, tuned for quadratics with L / mu = 25: f can rise, and rise further.

        f(x_k) - f* <= c_k (f(x_0) - f*),
        c_1 = (16 / 9)^2,  c_2 = (52 / 27)^2,  c_3 = (1616 / 891)^2,  c_4 = 4.244,  c_6 = 4.8041,

    on L-smooth, mu-strongly convex functions with learning rate 25 / (9 L) and momentum 4 / 9. The
    first two are attained by L x^2 / 2; c_3 by a function with curvature L on a line, except L / 25
    for -16 / 9 < x / x_0 < -76 / 99. These are what functions on a line reach; solutions of the
    performance estimation problem agree with them, and give c_4 and c_6, which no function on a
    line attains: a search there found no more than 3.161
    and 3.790.

    Source: values of the performance estimation problem, computed with PEPit; the instances were
    found here.
    """
    growth = {1: (16 / 9) ** 2, 2: (52 / 27) ** 2, 3: (1616 / 891) ** 2, 4: 4.244, 6: 4.8041}
    random_bends = (((0.2, 0.9),), ((-1.5, -0.3), (0.4, 1.1)), ((-0.7, -0.1),), ((0.0, 0.5),))

    def worst(center: float) -> list[Problem]:
        bend = [(-16 / 9, -76 / 99)]
        return [bent("no_bend", [], 1.0, center), bent("low_bend", bend, 1.0, center)]

    return Theorem(
        name="hb_not_contraction",
        statement="The heavy ball tuned for quadratics with L / mu = 25 is no contraction on other "
        "strongly convex functions: f - f* can grow by a factor that itself grows.",
        latex=r"\sup_f \frac{f(x_k) - f_\star}{f(x_0) - f_\star} = "
        r"3.160,\, 3.709,\, 3.289,\, 4.244,\, 4.804 \quad (k = 1, 2, 3, 4, 6)",
        source="values of the performance estimation problem",
        standing="counterexample",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, NEARLY_ROUND),
        parameters={"N": tuple(map(float, growth))},
        k_range=lambda N: (int(N), int(N)),
        method=make_method(momentum),
        steps=TUNED_FOR_25,
        quantity=SUBOPTIMALITY,
        formula=lambda f0, N: growth[int(N)] * f0,
        attained_at=(1, 2, 3),
        instances=lambda N: (
            *(Instance("worst", problem) for problem in worst(0.0)),
            *(Instance("translated", problem) for problem in worst(FAR)),
            *(Instance("random", bent("bends", b, 1.0, 0.0)) for b in random_bends),
            *(Instance("random", _nearly_round(seed)) for seed in range(NUM_RANDOM)),
            Instance("data", ridge_regression(l2=0.6)),
        ),
    )


def _nearly_round(seed: int) -> Problem:
    """A random regression with L / mu <= 25: its curvatures are those of mu and more."""
    return robust_regression(seed, strong_convexity=20.0)


def hb_ghadimi_sc() -> Theorem:
    """The heavy ball with a step that is safe on every smooth and strongly convex function.

        f(x_k) - f* <= (1 - a mu)^k (f(x_0) - f*)

    for the learning rate a = h / L, 0 < h <= 1, and the momentum sqrt((1 - a mu) (1 - a L)).

    Source: Ghadimi, Feyzmahdavian and Johansson (2015), Theorem 4; its number is from memory.
    """
    return Theorem(
        name="hb_ghadimi_sc",
        statement="Each step of the heavy ball with learning rate a <= 1 / L and momentum "
        "sqrt((1 - a mu) (1 - a L)) multiplies a bound on f - f* by 1 - a mu.",
        latex=r"f(x_k) - f_\star \le (1 - a \mu)^k (f(x_0) - f_\star)",
        source="Ghadimi, Feyzmahdavian and Johansson (2015), Theorem 4",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX),
        parameters={"h": (0.25, 0.5, 1.0)},
        method=make_method(momentum),
        steps={
            "learning_rate": lambda h, L: h / L,
            "momentum": lambda h, L, mu: np.sqrt((1 - h * mu / L) * (1 - h)),
        },
        quantity=SUBOPTIMALITY,
        formula=lambda k, h, L, mu, f0: (1 - h * mu / L) ** k * f0,
        error_growth=lambda k, h, L, mu: contracted(k, np.sqrt(1 - h * mu / L)),
        instances=lambda h: members(
            worst=extreme_parabolas,
            random=lambda seed: robust_regression(seed, strong_convexity=0.5),
            data=ridge_regression(l2=0.1),
        ),
    )


def hb_ghadimi_cesaro() -> Theorem:
    """The heavy ball on an L-smooth convex function: the mean of its points.

        f(mean of x_0..x_k) - f*
            <= (b / (1 - b) (f(x_0) - f*) + (1 - b) R^2 / (2 a)) / (k + 1),   R = |x_0 - x*|,

    for the momentum 0 <= b < 1 and the learning rate a = (1 - b) / L, the longest that is allowed.
    With b = 0 the Huber loss of displacement k / 2, of slope L R / (k + 1), attains it.

    Source: Ghadimi, Feyzmahdavian and Johansson (2015), Theorem 1; the statement is from memory.
    """
    lengths = (1, 2, 5, 10, 20, 50, 100)
    return Theorem(
        name="hb_ghadimi_cesaro",
        statement="At the mean of the points of the heavy ball with momentum b and learning rate "
        "(1 - b) / L on an L-smooth convex function, f - f* falls like 1 / (k + 1).",
        latex=r"f(\bar x_k) - f_\star \le \frac{1}{k + 1} \left(\frac{b}{1 - b} "
        r"(f(x_0) - f_\star) + \frac{1 - b}{2 a} \|x_0 - x_\star\|^2\right)",
        source="Ghadimi, Feyzmahdavian and Johansson (2015), Theorem 1",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX),
        parameters={"b": (0.0, 0.5, 0.9)},
        method=make_method(momentum),
        steps={"learning_rate": lambda b, L: (1 - b) / L, "momentum": lambda b: b},
        quantity=MEAN_POINT_SUBOPTIMALITY,
        formula=lambda k, b, L, R, f0: (b / (1 - b) * f0 + L * R**2 / 2) / (k + 1),
        error_growth=lambda k, b: k / (1 - b),
        instances=lambda b: members(
            worst=lambda x: [huber(k / 2, x) for k in lengths],
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        ),
    )


class _Moved(NamedTuple):
    moved: Params  # x_k - x_{k-1}
    count: jax.Array  # k


def _growing_momentum(smoothness: Scalar = L_OF_PROBLEM) -> Optimizer:
    """x_{k+1} = x_k - grad f(x_k) / (L (k + 2)) + k / (k + 2) (x_k - x_{k-1})."""

    def init(params: Params) -> State:
        return _Moved(jax.tree.map(jnp.zeros_like, params), jnp.int32(0))

    def step(evaluation: Evaluation, state: _Moved, oracle: Oracle) -> Step:
        share = 1 / (state.count + 2.0)
        memory = trees.scale(state.count * share, state.moved)
        moved = trees.add_scaled(memory, -share / smoothness, evaluation.grad)
        point = trees.add_scaled(evaluation.params, 1, moved)
        return Step(point, _Moved(moved, state.count + 1))

    return Optimizer(init, step)


def hb_qg_convex() -> Theorem:
    """The heavy ball with growing momentum, where f is convex and below a parabola.

        f(x_k) - f* <= L R^2 / (2 (k + 1)),   R = |x_0 - x*|,

    for f(x) - f* <= L d(x)^2 / 2, d the distance to the minimizers, with learning rate
    1 / (L (k + 2)) and momentum k / (k + 2). Smoothness implies the assumption and is not needed.
    Attained for each k by the Huber loss with displacement k / 2: on a line every step has the same
    length, 1 / (2 L) times the slope.

    Source: Goujaud, Taylor and Dieuleveut (2022), "Optimal first-order methods for convex functions
    with a quadratic upper bound", Theorems 2.3 and 2.4; numbers from memory.
    """
    attained_at = (1, 2, 5, 10, 20, 50, 100)

    def known(problem: Problem) -> dict[str, float]:
        return {"L": problem.constants.smoothness or SMOOTHNESS}

    def instances() -> tuple[Instance, ...]:
        smooth = members(
            worst=lambda x: [huber(k / 2, x) for k in attained_at],
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        )
        kinked = [Instance("random", largest_square(seed)) for seed in range(NUM_RANDOM)]
        return tuple(
            Instance(i.kind, i.problem, i.seed, known(i.problem)) for i in (*smooth, *kinked)
        )

    return Theorem(
        name="hb_qg_convex",
        statement="After k steps of the heavy ball with growing momentum on a convex function that "
        "is at most f* + L d^2 / 2 at distance d from its minimizers, f - f* is at most "
        "L R^2 / (2 (k + 1)).",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2 (k + 1)}",
        source="Goujaud, Taylor and Dieuleveut (2022), Theorems 2.3 and 2.4",
        assumptions=(EXACT_GRADIENTS, CONVEX),
        given={"L": "twice the least c with f - f* <= c d^2, d the distance to the minimizers"},
        method=make_method(_growing_momentum),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (2 * (k + 1)),
        attained_at=attained_at,
        instances=instances,
    )
