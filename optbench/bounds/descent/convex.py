"""Gradient descent with a constant step on smooth convex functions."""

from __future__ import annotations

import numpy as np
import scipy.optimize

from optbench.assumption import CONVEX, EXACT_GRADIENTS, SMOOTH
from optbench.bound import Theorem
from optbench.bounds.instances import (
    SMOOTHNESS,
    huber,
    members,
    parabola,
    ridge_regression,
    robust_regression,
)
from optbench.case import Instance
from optbench.formula import one_step
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.quantity import (
    GRADIENT_NORM,
    SQUARED_DISTANCE,
    SQUARED_GRADIENT_NORM,
    SUBOPTIMALITY,
)

ATTAINED_AT = (1, 5, 20, 100)
_CLASS = (EXACT_GRADIENTS, SMOOTH, CONVEX)
_STEP = {"learning_rate": lambda h, L: h / L}


def _members(h: float, share: float = 1.0) -> tuple[Instance, ...]:
    """Huber losses that a step of length h / L finds hardest after k steps, one for each k.

    Args:
        h: step size over 1 / L.
        share: displacement of the losses over k h.
    """
    return members(
        worst=lambda x: [*(huber(share * k * h, x) for k in ATTAINED_AT), parabola(SMOOTHNESS, x)],
        random=robust_regression,
        data=ridge_regression(l2=0.0),
    )


def gd_convex_classic() -> Theorem:
    """Gradient descent with step 1 / L on an L-smooth convex function.

        f(x_k) - f* <= L R^2 / (2 k),   R = |x_0 - x*|.

    It is loose by a factor of 2 + 1 / k: `gd_convex_tight` is what is attained.

    Source: Beck and Teboulle (2009), SIAM J. Imaging Sciences 2(1), Theorem 3.1 without a nonsmooth
    part; the number of the theorem is from memory.
    """
    return Theorem(
        name="gd_convex_classic",
        statement="After k steps of length 1 / L on an L-smooth convex function, f - f* is at most "
        "L R^2 / (2 k).",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2 k}",
        source="Beck and Teboulle (2009), Theorem 3.1",
        assumptions=_CLASS,
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (2 * k),
        instances=lambda: _members(1.0),
    )


def gd_convex_nesterov() -> Theorem:
    """Gradient descent with step 1 / L on an L-smooth convex function.

        f(x_k) - f* <= 2 L R^2 / (k + 4),   R = |x_0 - x*|.

    Attained at k = 0 only, by L x^2 / 2.

    Source: Nesterov (2018), Corollary 2.1.2; its number is from memory.
    """
    return Theorem(
        name="gd_convex_nesterov",
        statement="After k steps of length 1 / L on an L-smooth convex function, f - f* is at most "
        "2 L R^2 / (k + 4).",
        latex=r"f(x_k) - f_\star \le \frac{2 L \|x_0 - x_\star\|^2}{k + 4}",
        source="Nesterov (2018), Corollary 2.1.2",
        assumptions=_CLASS,
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: 2 * L * R**2 / (k + 4),
        k_range=(0, 100),
        instances=lambda: _members(1.0),
    )


def gd_convex_nesterov_gen() -> Theorem:
    """Gradient descent with step h / L on an L-smooth convex function, 0 < h < 2.

        f(x_k) - f* <= 2 F R^2 / (2 R^2 + k h (2 - h) F / L),   F = f(x_0) - f*,  R = |x_0 - x*|.

    Source: Nesterov (2018), Theorem 2.1.14, for the step a = h / L; its number is from memory.
    """
    return Theorem(
        name="gd_convex_nesterov_gen",
        statement="Steps of length h / L on an L-smooth convex function increase 1 / (f - f*) by "
        "at least h (2 - h) / (2 L R^2) each.",
        latex=r"f(x_k) - f_\star \le \frac{2 (f(x_0) - f_\star) \|x_0 - x_\star\|^2}"
        r"{2 \|x_0 - x_\star\|^2 + k h (2 - h) (f(x_0) - f_\star) / L}",
        source="Nesterov (2018), Theorem 2.1.14",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.5)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R, f0, h: 2 * f0 * R**2 / (2 * R**2 + k * h * (2 - h) * f0 / L),
        instances=_members,
    )


def gd_convex_tight() -> Theorem:
    """Gradient descent with step h / L on an L-smooth convex function, 0 < h < 2.

        f(x_k) - f* <= L R^2 / 2 max(1 / (2 k h + 1), (1 - h)^(2 k)),   R = |x_0 - x*|.

    The first term is attained by a Huber loss for each k (`huber`, with displacement k h), the
    second by L x^2 / 2.

    Source: Drori and Teboulle (2014), Theorem 3.1 for h <= 1, and their Conjecture 3.1 for
    1 < h < 2; proved by Kim (2024), arXiv:2412.04427, known here from its abstract only.
    """
    return Theorem(
        name="gd_convex_tight",
        statement="After k steps of length h / L on an L-smooth convex function, f - f* is at most "
        "L R^2 / 2 times the larger of 1 / (2 k h + 1) and (1 - h)^(2 k).",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2}"
        r"\max\left\{\frac{1}{2 k h + 1}, (1 - h)^{2 k}\right\}",
        source="Drori and Teboulle (2014), Theorem 3.1; Kim (2024)",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.5, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R, h: (
            L * R**2 / 2 * np.maximum(1 / (2 * k * h + 1), (1 - h) ** (2 * k))
        ),
        attained_at=ATTAINED_AT,
        instances=_members,
    )


def gd_convex_opt_const_step() -> Theorem:
    """Gradient descent whose constant step is the best for N steps on L-smooth convex functions.

        f(x_N) - f* <= L R^2 / (4 N h + 2),   h in (1, 2) with 1 / (2 N h + 1) = (1 - h)^(2 N),

    for the step h / L, R = |x_0 - x*|. Attained by a Huber loss and by L x^2 / 2 alike.

    Source: Taylor, Hendrickx and Glineur (2017), Math. Program. 161, section 4.1.1; the bound is
    `gd_convex_tight` at this h.
    """
    return Theorem(
        name="gd_convex_opt_const_step",
        statement="The best constant step for N steps on L-smooth convex functions makes the two "
        "terms of gd_convex_tight equal.",
        latex=r"f(x_N) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{4 N h + 2},\quad "
        r"\frac{1}{2 N h + 1} = (1 - h)^{2 N}",
        source="Taylor, Hendrickx and Glineur (2017), section 4.1.1",
        assumptions=_CLASS,
        parameters={"N": (1.0, 2.0, 5.0, 50.0)},
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda N, L: best_constant_step(N) / L},
        quantity=SUBOPTIMALITY,
        formula=lambda N, L, R: L * R**2 / (4 * N * best_constant_step(N) + 2),
        k_range=lambda N: (int(N), int(N)),
        attained_at=(1, 2, 5, 50),
        instances=lambda N: members(
            worst=lambda x: [huber(N * best_constant_step(N), x), parabola(SMOOTHNESS, x)],
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        ),
    )


def best_constant_step(num_steps: float) -> float:
    """The h in (1, 2) with 1 / (2 N h + 1) = (1 - h)^(2 N), where N is `num_steps`."""

    def difference(h: float) -> float:
        return 1 / (2 * num_steps * h + 1) - (1 - h) ** (2 * num_steps)

    return scipy.optimize.root_scalar(difference, bracket=(1.0, 2.0), xtol=1e-15).root


def gd_convex_grad_dist() -> Theorem:
    """Gradient descent with step h / L on an L-smooth convex function, 0 < h < 2.

        |grad f(x_k)| <= L R max(1 / (k h + 1), |1 - h|^k),   R = |x_0 - x*|.

    The first term is attained by the Huber loss whose quadratic part x_k has just reached, the
    second by L x^2 / 2.

    Source: Taylor, Hendrickx and Glineur (2017), Math. Program. 161, Conjecture 3 with mu = 0; its
    number is from memory. It is confirmed by semidefinite programs for small k.
    """
    return Theorem(
        name="gd_convex_grad_dist",
        statement="After k steps of length h / L on an L-smooth convex function, |grad f| is at "
        "most L R times the larger of 1 / (k h + 1) and |1 - h|^k.",
        latex=r"\|\nabla f(x_k)\| \le L \|x_0 - x_\star\| "
        r"\max\left\{\frac{1}{k h + 1}, |1 - h|^k\right\}",
        source="Taylor, Hendrickx and Glineur (2017), Conjecture 3",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=GRADIENT_NORM,
        formula=lambda k, L, R, h: L * R * np.maximum(1 / (k * h + 1), np.abs(1 - h) ** k),
        attained_at=ATTAINED_AT,
        instances=lambda h: _members(h, share=0.5),
    )


def gd_convex_grad_f() -> Theorem:
    """Gradient descent with step h / L on an L-smooth convex function, 0 < h < 2.

        |grad f(x_k)|^2 <= 2 L (f(x_0) - f*) max(1 / (2 k h + 1), (1 - h)^(2 k)).

    The first term is attained by the Huber loss whose quadratic part x_k has just reached, the
    second by L x^2 / 2.

    Source: Rotaru, Glineur and Patrinos (2024), arXiv:2406.17506, known here from its abstract
    only.
    """
    return Theorem(
        name="gd_convex_grad_f",
        statement="After k steps of length h / L on an L-smooth convex function, |grad f|^2 is at "
        "most 2 L (f(x_0) - f*) times the larger of 1 / (2 k h + 1) and (1 - h)^(2 k).",
        latex=r"\|\nabla f(x_k)\|^2 \le 2 L (f(x_0) - f_\star) "
        r"\max\left\{\frac{1}{2 k h + 1}, (1 - h)^{2 k}\right\}",
        source="Rotaru, Glineur and Patrinos (2024)",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SQUARED_GRADIENT_NORM,
        formula=lambda k, L, f0, h: (
            2 * L * f0 * np.maximum(1 / (2 * k * h + 1), (1 - h) ** (2 * k))
        ),
        attained_at=ATTAINED_AT,
        instances=lambda h: _members(h, share=0.5),
    )


def gd_convex_dist_monotone() -> Theorem:
    """One step h / L of gradient descent on an L-smooth convex function, 0 < h < 2.

        |x_k - x*|^2 <= |x_{k-1} - x*|^2 - h (2 - h) |grad f(x_{k-1})|^2 / L^2.

    Attained by L x^2 / 2 in each step.

    Source: Nesterov (2018), proof of Theorem 2.1.14, for the step a = h / L.
    """
    return Theorem(
        name="gd_convex_dist_monotone",
        statement="A step of length h / L on an L-smooth convex function lowers |x - x*|^2 by at "
        "least h (2 - h) |grad f|^2 / L^2.",
        latex=r"\|x_k - x_\star\|^2 \le \|x_{k-1} - x_\star\|^2 "
        r"- \frac{h (2 - h)}{L^2} \|\nabla f(x_{k-1})\|^2",
        source="Nesterov (2018), proof of Theorem 2.1.14",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.5, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SQUARED_DISTANCE,
        formula=lambda L, h, r_before, g_before: r_before**2 - h * (2 - h) * g_before**2 / L**2,
        error_growth=one_step,
        k_range=(1, 50),
        attained_at=(1, 2, 5, 20),
        instances=lambda h: members(
            worst=lambda x: [parabola(SMOOTHNESS, x)],
            random=robust_regression,
            data=ridge_regression(l2=0.0),
        ),
    )
