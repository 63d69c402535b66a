"""Proximal and projected methods."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.assumption import CONVEX, EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS, SMOOTHNESS, STRONG_CONVEXITY, members
from optbench.bounds.nonsmooth.composite_instances import (
    PROX,
    PROX_OF_ALL,
    WORST_AFTER,
    bowl,
    composite_members,
    cone,
    lasso,
    nonnegative_regression,
    random_squares,
    regression_of_irises,
)
from optbench.formula import accelerated, contracted
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.accelerated import fista
from optbench.optimizers.first_order.proximal import proximal_gradient
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params
from optbench.quantity import DISTANCE, SUBOPTIMALITY


def ppa() -> Theorem:
    """The proximal point method with step a on a convex function.

        f(x_k) - f* <= R^2 / (4 a k).

    Attained for each k by `cone` with slope R / (2 a k), which k steps descend by half.

    Source: Taylor, Hendrickx and Glineur (2017), SIAM J. Optim. 27(3), Theorem 4.1 (its number is
    from memory).
    """
    return Theorem(
        name="ppa",
        statement="After k proximal steps of length a on a convex function, f - f* is at most "
        "R^2 / (4 a k).",
        latex=r"f(x_k) - f_\star \leq \frac{\|x_0 - x_\star\|^2}{4 a k}",
        source="Taylor, Hendrickx and Glineur (2017), Theorem 4.1",
        assumptions=(PROX_OF_ALL, CONVEX),
        parameters={"a": (0.3, 5.0)},
        method=make_method(proximal_gradient),
        steps={"learning_rate": lambda a: a},
        quantity=SUBOPTIMALITY,
        formula=lambda k, R, a: R**2 / (4 * a * k),
        attained_at=WORST_AFTER,
        instances=lambda a: members(
            worst=lambda x: [cone(RADIUS / (2 * a * k), x) for k in WORST_AFTER],
            random=random_squares,
            data=regression_of_irises(),
        ),
    )


def ista_classic() -> Theorem:
    """The proximal gradient method with step 1 / L, as it is mostly quoted: twice too large.

        f(x_k) - f* <= L R^2 / (2 k),   see `ista_tight`.

    Source: Beck and Teboulle (2009), Theorem 3.1 (its number is from memory).
    """
    return Theorem(
        name="ista_classic",
        statement="After k proximal gradient steps of length 1 / L on the sum of an L-smooth "
        "convex and a convex function, f - f* is at most L R^2 / (2 k).",
        latex=r"f(x_k) - f_\star \leq \frac{L \|x_0 - x_\star\|^2}{2 k}",
        source="Beck and Teboulle (2009), Theorem 3.1",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, PROX),
        method=make_method(proximal_gradient),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (2 * k),
        instances=lambda: composite_members(float),
    )


def ista_tight() -> Theorem:
    """The proximal gradient method with step 1 / L.

        f(x_k) - f* <= L R^2 / (4 k).

    Attained for each k by `slide`: a linear function on a half-line, which k steps descend by half.

    Source: Taylor, Hendrickx and Glineur (2017), SIAM J. Optim. 27(3), section 4.2 (from memory).
    """
    return Theorem(
        name="ista_tight",
        statement="After k proximal gradient steps of length 1 / L on the sum of an L-smooth "
        "convex and a convex function, f - f* is at most L R^2 / (4 k).",
        latex=r"f(x_k) - f_\star \leq \frac{L \|x_0 - x_\star\|^2}{4 k}",
        source="Taylor, Hendrickx and Glineur (2017), section 4.2",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, PROX),
        method=make_method(proximal_gradient),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (4 * k),
        attained_at=WORST_AFTER,
        instances=lambda: composite_members(float),
    )


def fista_composite() -> Theorem:
    """FISTA.

        f(x_k) - f* <= 2 L R^2 / (k + 1)^2.

    Source: Beck and Teboulle (2009), Theorem 4.4.
    """
    return Theorem(
        name="fista_composite",
        statement="After k steps of FISTA on the sum of an L-smooth convex and a convex function, "
        "f - f* is at most 2 L R^2 / (k + 1)^2.",
        latex=r"f(x_k) - f_\star \leq \frac{2 L \|x_0 - x_\star\|^2}{(k + 1)^2}",
        source="Beck and Teboulle (2009), Theorem 4.4",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, PROX),
        method=make_method(fista),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: 2 * L * R**2 / (k + 1) ** 2,
        error_growth=accelerated,
        instances=lambda: composite_members(_displacement),
    )


def _displacement(k: int) -> float:
    """How far k steps of `_simple_fista` move down a constant slope, in units of a step."""
    return (k**2 + 5 * k + 2) / 8


class _Moving(NamedTuple):
    point: Params  # x_k
    count: jax.Array  # k


def _simple_fista(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = prox_{eta h}(y_k - eta grad (f - h)(y_k)), with eta = `learning_rate`.

    y_{k+1} = x_{k+1} + k / (k + 3) (x_{k+1} - x_k), y_0 = x_0: it steps from y_k, reports x_k.
    """

    def init(params: Params) -> State:
        return _Moving(params, jnp.int32(0))

    def step(evaluation: Evaluation, state: _Moving, oracle: Oracle) -> Step:
        grad = oracle.smooth_grad(evaluation)
        ahead = trees.add_scaled(evaluation.params, -learning_rate, grad)
        point = oracle.prox(ahead, learning_rate)
        moved = trees.add_scaled(point, -1, state.point)
        following = trees.add_scaled(point, state.count / (state.count + 3.0), moved)
        return Step(following, _Moving(point, state.count + 1), Calls(prox=1))

    return Optimizer(init, step, eval_params=lambda params, state: state.point, feasible=True)


def fista_simple_tight() -> Theorem:
    """FISTA with momentum k / (k + 3), the first of the fast proximal gradient methods.

        f(x_k) - f* <= 2 L R^2 / (k^2 + 5 k + 2).

    Attained for each k by `slide`, down which k steps move by (k^2 + 5 k + 2) / 8 times the first.

    Source: Taylor, Hendrickx and Glineur (2017), SIAM J. Optim. 27(3), section 4.2.2 (from memory).
    """
    return Theorem(
        name="fista_simple_tight",
        statement="After k steps of FISTA with momentum k / (k + 3) on the sum of an L-smooth "
        "convex and a convex function, f - f* is at most 2 L R^2 / (k^2 + 5 k + 2).",
        latex=r"f(x_k) - f_\star \leq \frac{2 L \|x_0 - x_\star\|^2}{k^2 + 5 k + 2}",
        source="Taylor, Hendrickx and Glineur (2017), section 4.2.2",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, PROX),
        method=make_method(_simple_fista),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: 2 * L * R**2 / (k**2 + 5 * k + 2),
        error_growth=accelerated,
        attained_at=WORST_AFTER,
        instances=lambda: composite_members(_displacement),
    )


def pgm_sc() -> Theorem:
    """The proximal gradient method with step h / L, f - h L-smooth and mu-strongly convex.

        |x_k - x*| <= max(|1 - h mu / L|, |1 - h|)^k R.

    Attained by parabolas of curvature mu or L, far from any constraint.

    Source: Taylor, Hendrickx and Glineur (2018), J. Optim. Theory Appl. 178(2), Theorem 3.1 (its
    number is from memory).
    """

    def rho(h: float, mu: float, L: float) -> float:
        return max(abs(1 - h * mu / L), abs(1 - h))

    return Theorem(
        name="pgm_sc",
        statement="Each proximal gradient step of length h / L multiplies the distance to x* by at "
        "most max(|1 - h mu / L|, |1 - h|), where the smooth part is mu-strongly convex.",
        latex=r"\|x_k - x_\star\| \leq \max\{|1 - h \mu / L|, |1 - h|\}^k \|x_0 - x_\star\|",
        source="Taylor, Hendrickx and Glineur (2018), Theorem 3.1",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, PROX),
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(proximal_gradient),
        steps={"learning_rate": lambda h, L: h / L},
        quantity=DISTANCE,
        formula=lambda k, L, mu, R, h: rho(h, mu, L) ** k * R,
        error_growth=lambda k, L, mu, h: contracted(k, rho(h, mu, L)),
        attained_at=range(1, 101),
        instances=lambda h: members(
            worst=lambda x: (bowl(STRONG_CONVEXITY, x), bowl(SMOOTHNESS, x)),
            random=lasso,
            data=nonnegative_regression(),
        ),
    )
