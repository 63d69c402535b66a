"""Newton's method with cubic regularization."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import CONVEX, EXACT_GRADIENTS, HESSIAN_LIPSCHITZ, MINIMIZER, SMOOTH
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS, members
from optbench.bounds.second_order.instances import (
    double_wells,
    logistic_regression,
    ramp,
    random_ramps,
)
from optbench.case import Instance
from optbench.formula import accelerated
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.second_order.dense_newton import cubic_newton
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import GRADIENT_NORM, SUBOPTIMALITY, Quantity
from optbench.symbol import values_at

VARIATION = 3.0  # M of the instances on a line
_REGULARIZED = {"hessian_lipschitz": lambda M: M}


def _plateau(width: float, minimizer: float) -> Problem:
    """f''(x) = M max(0, w - |x - x*|) on a line with R = 1.5: f' is M w^2 / 2 but near x*.

    Where f' is g, a step of cubic Newton moves by sqrt(2 g / M) = w only.
    """
    curvature = VARIATION * width, -VARIATION, width
    return ramp(f"plateau[width={width:.3g}]", minimizer, RADIUS, curvature)


def _flattest(displacement: float, minimizer: float) -> Problem:
    """The plateau on which f - f* stays largest for a method that has moved by c sqrt(g / M).

    That is g (R - c sqrt(g / M) - w / 3), with w = sqrt(2 g / M), largest at
    sqrt(g / M) = 2 R / (3 c + sqrt 2).
    """
    return _plateau(np.sqrt(2) * 2 * RADIUS / (3 * displacement + np.sqrt(2)), minimizer)


def _convex_members(displacements: tuple[float, ...]) -> tuple[Instance, ...]:
    return members(
        worst=lambda x: [_flattest(c, x) for c in displacements],
        random=lambda seed: random_ramps(seed, radius=50.0, strong_convexity=0.2),
        data=logistic_regression(l2=0.1, radius=3.0),
    )


def cubic_newton_first() -> Theorem:
    """The first step of cubic Newton on a convex function, hess f M-Lipschitz.

        f(x_1) - f* <= M R^3 / 3,   R = |x_0 - x*|.

    The step minimizes a model that lies above f, by at most M |y - x_0|^3 / 3 at y. A plateau
    reaches 1 / 8 of it.

    Source: Nesterov and Polyak (2006), Lemma 4: f(x_1) <= min_y f(y) + M |y - x_0|^3 / 3; the
    number of the lemma is from memory.
    """
    return Theorem(
        name="cubic_newton_first",
        statement="One step of cubic Newton on a convex function with an M-Lipschitz Hessian "
        "leaves f - f* at most M R^3 / 3.",
        latex=r"f(x_1) - f_\star \le \frac{M \|x_0 - x_\star\|^3}{3}",
        source="Nesterov and Polyak (2006), Lemma 4",
        assumptions=(EXACT_GRADIENTS, CONVEX, HESSIAN_LIPSCHITZ),
        method=make_method(cubic_newton),
        steps=_REGULARIZED,
        quantity=SUBOPTIMALITY,
        formula=lambda M, R: M * R**3 / 3,
        k_range=(1, 1),
        instances=lambda: _convex_members((np.sqrt(2),)),
    )


def cubic_newton_convex() -> Theorem:
    """Cubic Newton on a convex function, hess f M-Lipschitz, |x - x*| <= D where f(x) <= f(x_0).

        f(x_k) - f* <= 3 M D^3 / (2 (1 + k / 3)^2).

    The largest share of it that was found is 0.05, on a plateau: after k steps it is left with
    2 M R^3 / (27 (k + 1 / 3)^2).

    Source: Nesterov and Polyak (2006), Theorem 4.
    """

    def with_diameter(instance: Instance) -> Instance:
        """D = R on a line, where f is symmetric; else from f - f* >= mu |x - x*|^2 / 2."""
        problem = instance.problem
        start = problem.start(0)
        gap = float(values_at(problem, start[None])[0]) - problem.known_minimum
        radius = float(np.linalg.norm(start - problem.minimizer))
        mu = problem.constants.strong_convexity
        reach = np.sqrt(2 * gap / mu) if mu else radius
        return Instance(instance.kind, problem, symbols={"D": float(reach)})

    return Theorem(
        name="cubic_newton_convex",
        statement="After k steps of cubic Newton on a convex function with an M-Lipschitz Hessian, "
        "f - f* is at most 3 M D^3 / (2 (1 + k / 3)^2), D the radius of the level set.",
        latex=r"f(x_k) - f_\star \le \frac{3 M D^3}{2 (1 + k / 3)^2}",
        source="Nesterov and Polyak (2006), Theorem 4",
        assumptions=(EXACT_GRADIENTS, CONVEX, HESSIAN_LIPSCHITZ),
        given={"D": "the largest |x - x*| where f(x) <= f(x_0)"},
        method=make_method(cubic_newton),
        steps=_REGULARIZED,
        quantity=SUBOPTIMALITY,
        formula=lambda k, M, D: 3 * M * D**3 / (2 * (1 + k / 3) ** 2),
        k_range=(1, 20),
        instances=lambda: [with_diameter(i) for i in _convex_members((np.sqrt(2), 5 * np.sqrt(2)))],
    )


BEST_LATER_GRADIENT = Quantity(
    "min_{1<=i<=k} |grad f(x_i)|",
    r"\min_{1 \leq i \leq k} \|\nabla f(x_i)\|",
    (MINIMIZER, SMOOTH),
    lambda p, t: np.concatenate([[np.nan], np.minimum.accumulate(t.gradient_norm[1:])]),
    lambda p, t, shift: np.fmax.accumulate(GRADIENT_NORM.rounding(p, t, shift)),
)


def cubic_newton_nonconvex() -> Theorem:
    """Cubic Newton where hess f is M-Lipschitz, f not convex.

        min_{1<=i<=k} |grad f(x_i)| <= M (12 (f(x_0) - f*) / (M k))^(2/3).

    From |grad f(x_{i+1})| <= M r^2 and f(x_i) - f(x_{i+1}) >= M r^3 / 12, r = |x_{i+1} - x_i|. A
    plateau that the k-th step just leaves has |grad f| = M w^2 / 2, f(x_0) - f* =
    M w^3 (k + 2 / 3) / 2.

    Source: Nesterov and Polyak (2006), Theorem 1, with the constants of their Lemmas 3 and 4; the
    numbers are from memory.
    """
    last = (1, 5, 20)
    return Theorem(
        name="cubic_newton_nonconvex",
        statement="Within k steps of cubic Newton where the Hessian is M-Lipschitz, a gradient is "
        "at most M (12 (f(x_0) - f*) / (M k))^(2/3).",
        latex=r"\min_{1 \le i \le k} \|\nabla f(x_i)\| \le "
        r"M (\frac{12 (f(x_0) - f_\star)}{M k})^{2/3}",
        source="Nesterov and Polyak (2006), Theorem 1",
        assumptions=(EXACT_GRADIENTS, HESSIAN_LIPSCHITZ),
        method=make_method(cubic_newton),
        steps=_REGULARIZED,
        quantity=BEST_LATER_GRADIENT,
        formula=lambda k, M, f0: M * (12 * f0 / (M * k)) ** (2 / 3),
        k_range=(1, 20),
        instances=lambda: members(
            worst=lambda x: [_plateau(RADIUS / (k + 1), x) for k in last],
            random=double_wells,
            data=logistic_regression(l2=0.1, radius=3.0),
        ),
    )


class _Estimate(NamedTuple):
    """The estimate sequence so far: sum_i a_i f's tangent at x_i, and N |x - x_0|^3 / 6."""

    start: Params
    slopes: Params  # sum of a_i grad f(x_i), over 2 <= i <= k
    count: jax.Array  # k


def accelerated_cubic_newton(hessian_lipschitz: Scalar = 1.0) -> Optimizer:
    """Accelerated cubic Newton, with T_C the step of cubic Newton with the constant C.

        x_1 = T_M(x_0);   y_k = (k x_k + 3 v_k) / (k + 3),   x_{k+1} = T_{2 M}(y_k),
        v_k = argmin_x sum_{i=2}^k i (i + 1) / 2 grad f(x_i).x + 2 M |x - x_0|^3,

    M = `hessian_lipschitz`.

    Calls per step: a value and gradient and n Hessian products at y_k, beyond the evaluation at the
    next point.
    Source: Nesterov (2008), Math. Program. 112, algorithm 4.8; its number and constants are from
    memory, and its estimate sequence is checked in the tests.
    """

    def init(params: Params) -> State:
        return _Estimate(params, jax.tree.map(jnp.zeros_like, params), jnp.int32(0))

    def step(evaluation: Evaluation, state: _Estimate, oracle: Oracle) -> Step:
        k = state.count.astype(trees.norm(evaluation.grad).dtype)
        weight = jnp.where(k >= 2, k * (k + 1) / 2, 0.0)
        slopes = trees.add_scaled(state.slopes, weight, evaluation.grad)
        size = trees.norm(slopes)
        length = 1 / jnp.sqrt(6 * hessian_lipschitz * jnp.where(size > 0, size, 1.0))
        center = trees.add_scaled(state.start, -length, slopes)
        apart = jax.tree.map(jnp.subtract, center, evaluation.params)
        share = jnp.where(k > 0, 3 / (k + 3), 0.0)
        seen = oracle.value_and_grad(trees.add_scaled(evaluation.params, share, apart))
        constant = jnp.where(k > 0, 2.0, 1.0) * hessian_lipschitz
        taken = cubic_newton(constant).step(seen, (), oracle)
        calls = Calls(value_and_gradients=1, hessian_products=taken.calls.hessian_products)
        return Step(taken.params, _Estimate(state.start, slopes, state.count + 1), calls)

    return Optimizer(init, step)


def _displacement(k: int) -> float:
    """How far accelerated cubic Newton has moved down a slope g, in sqrt(g / M)."""
    moved, slopes = np.sqrt(2.0), 0.0
    for i in range(1, k):
        slopes += i * (i + 1) / 2 if i > 1 else 0.0
        moved = (i * moved + 3 * np.sqrt(slopes / 6)) / (i + 3) + 1
    return moved


def cubic_newton_accel() -> Theorem:
    """Accelerated cubic Newton on a convex function, hess f M-Lipschitz.

        f(x_k) - f* <= 14 M R^3 / (k (k + 1) (k + 2)),   R = |x_0 - x*|.

    On the plateau that is hardest at the step k = 100 it is within a factor of 2.

    Source: Nesterov (2008), Math. Program. 112, Theorem 2.
    """
    last = (10, 100)
    hardest: Callable[[float], list[Problem]] = lambda x: [  # noqa: E731
        _flattest(_displacement(k), x) for k in last
    ]
    return Theorem(
        name="cubic_newton_accel",
        statement="After k steps of accelerated cubic Newton on a convex function with an "
        "M-Lipschitz Hessian, f - f* is at most 14 M R^3 / (k (k + 1) (k + 2)).",
        latex=r"f(x_k) - f_\star \le \frac{14 M \|x_0 - x_\star\|^3}{k (k + 1) (k + 2)}",
        source="Nesterov (2008), Theorem 2",
        assumptions=(EXACT_GRADIENTS, CONVEX, HESSIAN_LIPSCHITZ),
        method=make_method(accelerated_cubic_newton),
        steps=_REGULARIZED,
        quantity=SUBOPTIMALITY,
        formula=lambda k, M, R: 14 * M * R**3 / (k * (k + 1) * (k + 2)),
        error_growth=accelerated,
        instances=lambda: members(
            worst=hardest,
            random=lambda seed: random_ramps(seed, radius=50.0, strong_convexity=0.2),
            data=logistic_regression(l2=0.1, radius=3.0),
        ),
    )
