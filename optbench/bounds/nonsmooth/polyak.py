"""Polyak's step size."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import (
    CONVEX,
    EXACT_GRADIENTS,
    LIPSCHITZ,
    MINIMIZER,
    MINIMUM,
    SMOOTH,
    STRONGLY_CONVEX,
)
from optbench.bound import Theorem
from optbench.bounds.instances import (
    FAR,
    extreme_parabolas,
    huber,
    members,
    ridge_regression,
    robust_regression,
)
from optbench.bounds.nonsmooth.kinked_instances import (
    HORIZONS,
    against_longer,
    deviations_of_patients,
    random_deviations,
    resisting,
    wedge,
    with_others,
)
from optbench.bounds.nonsmooth.quadratic_instances import two_curvatures
from optbench.formula import contracted, one_step
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.step_sizes import polyak_step
from optbench.oracle import Evaluation, Oracle
from optbench.quantity import BEST_SUBOPTIMALITY, DISTANCE, SQUARED_DISTANCE
from optbench.theory import MINIMUM as KNOWN_MINIMUM


def polyak_step_nonsmooth() -> Theorem:
    """Polyak's step (f - f*) / |g|^2 on a convex function with subgradients up to G.

        min_{i <= k} f(x_i) - f* <= G R / sqrt(k + 1).

    Attained by `resisting`, on which the steps are R / (G sqrt(k + 1)) up to step k, as it is by
    every method; `against_longer` tells longer steps from these.

    Source: Polyak (1987), "Introduction to Optimization", section 5.3 (from memory).
    """
    return Theorem(
        name="polyak_step_nonsmooth",
        statement="Of k + 1 points of the subgradient method with Polyak's step on a convex "
        "function with subgradients up to G, the best has f - f* at most G R / sqrt(k + 1).",
        latex=r"\min_{i \leq k} f(x_i) - f_\star \leq \frac{G \|x_0 - x_\star\|}{\sqrt{k + 1}}",
        source="Polyak (1987), section 5.3",
        assumptions=(EXACT_GRADIENTS, LIPSCHITZ, CONVEX),
        method=make_method(polyak_step),
        quantity=BEST_SUBOPTIMALITY,
        formula=lambda k, G, R: G * R / np.sqrt(k + 1),
        k_range=(1, 20),
        attained_at=HORIZONS,
        instances=lambda: with_others(
            *(functools.partial(resisting, N) for N in HORIZONS),
            functools.partial(against_longer, 1),
        ),
    )


def polyak_step_smooth() -> Theorem:
    """Polyak's step on an L-smooth convex function.

        min_{i <= k} f(x_i) - f* <= 2 L R^2 / (k + 1).

    The source takes the least of x_0, ..., x_{k-1} and divides by k.

    Source: Hazan and Kakade (2019), arXiv:1905.00313, Theorem 1 (its number is from memory).
    """
    return Theorem(
        name="polyak_step_smooth",
        statement="Of k + 1 points of gradient descent with Polyak's step on an L-smooth convex "
        "function, the best has f - f* at most 2 L R^2 / (k + 1).",
        latex=r"\min_{i \leq k} f(x_i) - f_\star \leq \frac{2 L \|x_0 - x_\star\|^2}{k + 1}",
        source="Hazan and Kakade (2019), arXiv:1905.00313",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX),
        method=make_method(polyak_step),
        quantity=BEST_SUBOPTIMALITY,
        formula=lambda k, L, R: 2 * L * R**2 / (k + 1),
        k_range=(0, 100),
        instances=lambda: members(
            worst=lambda x: (huber(1.0, x), *extreme_parabolas(x)),
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        ),
    )


def polyak_step_sc() -> Theorem:
    """Polyak's step on an L-smooth, mu-strongly convex function.

        |x_k - x*|^2 <= (1 - mu / (4 L))^k R^2,

    as each step takes (f - f*)^2 / |grad f|^2 >= (f - f*) / (2 L) >= mu |x - x*|^2 / (4 L) off.

    Source: Hazan and Kakade (2019), arXiv:1905.00313, Theorem 1, there for f - f* (its number is
    from memory).
    """

    def rate(L: float, mu: float) -> float:
        return 1 - mu / (4 * L)

    return Theorem(
        name="polyak_step_sc",
        statement="Each of Polyak's steps on an L-smooth, mu-strongly convex function multiplies "
        "the squared distance to x* by at most 1 - mu / (4 L).",
        latex=r"\|x_k - x_\star\|^2 \leq \left(1 - \frac{\mu}{4 L}\right)^k \|x_0 - x_\star\|^2",
        source="Hazan and Kakade (2019), arXiv:1905.00313",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX),
        method=make_method(polyak_step),
        quantity=SQUARED_DISTANCE,
        formula=lambda k, L, mu, R: rate(L, mu) ** k * R**2,
        error_growth=lambda k, L, mu: contracted(k, rate(L, mu) ** 0.5),
        instances=lambda: members(
            worst=lambda x: (two_curvatures(0.4, x), *extreme_parabolas(x)),
            random=lambda seed: robust_regression(seed, strong_convexity=0.5),
            data=ridge_regression(l2=0.1),
        ),
    )


def _scaled_polyak_step(scaling: Scalar = 2.0, minimum: Scalar = KNOWN_MINIMUM) -> Optimizer:
    """x_{k+1} = x_k - c (f(x_k) - f*) / |g|^2 g, with c = `scaling`, f* = `minimum`."""

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, value, grad = evaluation
        square = trees.dot(grad, grad)
        length = scaling * (value - minimum) / jnp.where(square == 0, 1.0, square)
        return Step(trees.add_scaled(params, -length, grad), state)

    return Optimizer(lambda params: (), step)


def polyak_step2_dist() -> Theorem:
    """Twice Polyak's step, a = 2 (f - f*) / |grad f|^2, on an L-smooth, mu-strongly convex f.

        |x_k - x*|^2 <= (a L - 1) (1 - a mu) / (a (L + mu) - 1) |x_{k-1} - x*|^2,

    a that of the step from x_{k-1}. Attained at every step by any quadratic whose curvatures are mu
    and L only (`two_curvatures`): there |H d|^2 = (L + mu) d.Hd - L mu |d|^2, so that with
    a = d.Hd / |H d|^2 the step leaves |d|^2 - a d.Hd = (1 - a^2 L mu / (a (L + mu) - 1)) |d|^2.

    Source: Barre, Taylor and d'Aspremont (2020), arXiv:2002.00915, Proposition 1 (its number is
    from memory); the instance is found here.
    """

    def bound(
        L: float, mu: float, gap_before: np.ndarray, g_before: np.ndarray, r_before: np.ndarray
    ) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # at x*, where no step is taken
            a = 2 * gap_before / g_before**2
        return (a * L - 1) * (1 - a * mu) / (a * (L + mu) - 1) * r_before**2

    return Theorem(
        name="polyak_step2_dist",
        statement="A step of length a = 2 (f - f*) / |grad f|^2 on an L-smooth, mu-strongly convex "
        "function multiplies the squared distance to x* by at most "
        "(a L - 1) (1 - a mu) / (a (L + mu) - 1).",
        latex=r"\|x_k - x_\star\|^2 \leq \frac{(a L - 1)(1 - a \mu)}{a (L + \mu) - 1} "
        r"\|x_{k-1} - x_\star\|^2,\quad a = \frac{2 (f(x_{k-1}) - f_\star)}"
        r"{\|\nabla f(x_{k-1})\|^2}",
        source="Barre, Taylor and d'Aspremont (2020), arXiv:2002.00915",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, MINIMUM, MINIMIZER),
        method=make_method(_scaled_polyak_step),
        steps={"scaling": lambda: 2.0},
        quantity=SQUARED_DISTANCE,
        formula=bound,
        error_growth=one_step,
        k_range=(1, 10),
        attained_at=range(1, 11),
        instances=lambda: members(
            worst=lambda x: [two_curvatures(share, x) for share in (0.1, 0.5, 0.9)],
            random=lambda seed: robust_regression(seed, strong_convexity=0.5),
            data=ridge_regression(l2=0.1),
        ),
    )


def polyak_step_sharp() -> Theorem:
    """Polyak's step on a convex function with subgradients up to G and f - f* >= s |x - x*|.

        |x_k - x*| <= (1 - (s / G)^2)^(k / 2) R.

    Source: Polyak (1969), "Minimization of unsmooth functionals", USSR Comput. Math. Math. Phys.
    9(3) (from memory).
    """

    def rate(G: float, s: float) -> float:
        return (1 - (s / G) ** 2) ** 0.5

    return Theorem(
        name="polyak_step_sharp",
        statement="Where f - f* is at least s times the distance to x*, and subgradients are at "
        "most G, each of Polyak's steps multiplies that distance by at most sqrt(1 - (s / G)^2).",
        latex=r"\|x_k - x_\star\| \leq (1 - (s / G)^2)^{k/2} \|x_0 - x_\star\|",
        source="Polyak (1969)",
        assumptions=(EXACT_GRADIENTS, LIPSCHITZ, CONVEX),
        given={"s": "sharpness, the least (f - f*) / |x - x*|"},
        method=make_method(polyak_step),
        quantity=DISTANCE,
        formula=lambda k, G, R, s: rate(G, s) ** k * R,
        error_growth=lambda k, G, s: contracted(k, rate(G, s)),
        k_range=(1, 30),
        instances=lambda: (
            *(wedge(angle, x) for angle in (0.1, 0.5) for x in (0.0, FAR)),
            *map(random_deviations, range(4)),
            deviations_of_patients(),
        ),
    )
