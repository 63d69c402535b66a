"""Gradient descent with a constant step on smooth functions that need not be convex."""

from __future__ import annotations

import numpy as np

from optbench.assumption import EXACT_GRADIENTS, LOJASIEWICZ, SMOOTH
from optbench.bound import Theorem
from optbench.bounds.descent.instances import (
    flat_quadratic,
    hilly,
    redescending_regression,
    sawtooth,
)
from optbench.bounds.instances import SMOOTHNESS, members, parabola, ridge_regression
from optbench.case import Instance
from optbench.formula import one_step
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.quantity import BEST_SQUARED_GRADIENT_NORM, SUBOPTIMALITY, VALUE

_CLASS = (EXACT_GRADIENTS, SMOOTH)
_STEP = {"learning_rate": lambda h, L: h / L}
_SAWTOOTH_AT = (1, 2, 5, 20, 100)
_SLOW = 1.5  # the step, over 1 / L, up to which the sawtooth is not the worst case


def gd_descent_lemma() -> Theorem:
    """One step h / L of gradient descent on an L-smooth function.

        f(x_k) <= f(x_{k-1}) - h (1 - h / 2) |grad f(x_{k-1})|^2 / L.

    Attained by L x^2 / 2 in each step.

    Source: Nesterov (2018), equation 1.2.19, for the step a = h / L; its number is from memory.
    """
    return Theorem(
        name="gd_descent_lemma",
        statement="A step of length h / L on an L-smooth function lowers f by at least "
        "h (1 - h / 2) |grad f|^2 / L.",
        latex=r"f(x_k) \le f(x_{k-1}) - \frac{h}{L} \left(1 - \frac{h}{2}\right) "
        r"\|\nabla f(x_{k-1})\|^2",
        source="Nesterov (2018), equation 1.2.19",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.5, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=VALUE,
        formula=lambda L, h, f_before, g_before: f_before - h * (1 - h / 2) * g_before**2 / L,
        error_growth=one_step,
        k_range=(1, 50),
        attained_at=(1, 2, 5, 20),
        instances=lambda h: members(
            worst=lambda x: [parabola(SMOOTHNESS, x)],
            random=redescending_regression,
            data=ridge_regression(l2=0.1),
        ),
    )


def gd_nonconvex_classic() -> Theorem:
    """Gradient descent with step 1 / L on an L-smooth function with minimum f*.

        min_{i <= k} |grad f(x_i)|^2 <= 2 L (f(x_0) - f*) / (k + 1).

    It is loose by up to 3 / 2: `gd_nonconvex_tight` is what is attained.

    Source: Nesterov (2018), section 1.2.3, the last point included: each step lowers f by
    |grad f|^2 / (2 L), and the last point is as far above f*.
    """
    return Theorem(
        name="gd_nonconvex_classic",
        statement="The least |grad f|^2 at the points of k steps of length 1 / L on an L-smooth "
        "function is at most 2 L (f(x_0) - f*) / (k + 1).",
        latex=r"\min_{i \le k} \|\nabla f(x_i)\|^2 \le \frac{2 L (f(x_0) - f_\star)}{k + 1}",
        source="Nesterov (2018), section 1.2.3",
        assumptions=_CLASS,
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=BEST_SQUARED_GRADIENT_NORM,
        formula=lambda k, L, f0: 2 * L * f0 / (k + 1),
        instances=lambda: _nonconvex(1.0),
    )


def _nonconvex(h: float) -> tuple[Instance, ...]:
    """Sawteeth that are hardest for steps h / L, one for each k, and regressions."""
    found = members(
        worst=lambda x: [sawtooth(h, k, x) for k in _SAWTOOTH_AT],
        random=redescending_regression,
        data=ridge_regression(l2=0.1),
    )
    return found if h < _SLOW else tuple(i for i in found if i.kind != "worst")


def gd_nonconvex_tight() -> Theorem:
    """Gradient descent with step h / L on an L-smooth function with minimum f*, h <= sqrt(3).

        min_{i <= k} |grad f(x_i)|^2 <= 4 L (f(x_0) - f*) / (k min(4 h - h^3, 4 h - h^2) + 2).

    Attained for h <= 1 by a sawtooth, for each k another, whose run is exact in binary fractions.
    For h > 1 no instance attains it: gradients of a worst case turn in a plane, in each step by an
    angle whose cosine is 1 - h^2 / 2. Semidefinite programs attain it for h to 1.7 and k = 1, 2, 3.

    Source: Abbaszadehpeivasti, de Klerk and Zamani (2022), Optim. Lett. 16, Theorem 2; its number
    is from memory.
    """
    return Theorem(
        name="gd_nonconvex_tight",
        statement="The least |grad f|^2 at the points of k steps of length h / L on an L-smooth "
        "function is at most 4 L (f(x_0) - f*) / (k min(4 h - h^3, 4 h - h^2) + 2).",
        latex=r"\min_{i \le k} \|\nabla f(x_i)\|^2 \le "
        r"\frac{4 L (f(x_0) - f_\star)}{k \min\{4 h - h^3, 4 h - h^2\} + 2}",
        source="Abbaszadehpeivasti, de Klerk and Zamani (2022), Theorem 2",
        assumptions=_CLASS,
        parameters={"h": (0.25, 1.0, _SLOW)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=BEST_SQUARED_GRADIENT_NORM,
        formula=lambda k, L, f0, h: 4 * L * f0 / (k * np.minimum(4 * h - h**3, 4 * h - h**2) + 2),
        attained_at=_SAWTOOTH_AT,
        instances=_nonconvex,
    )


def _lojasiewicz() -> tuple[Instance, ...]:
    return members(worst=lambda x: [hilly(x)], random=flat_quadratic, data=ridge_regression(l2=0.1))


def gd_pl() -> Theorem:
    """Gradient descent with step 1 / L on an L-smooth function with the PL inequality.

        f(x_k) - f* <= (1 - mu / L)^k (f(x_0) - f*),   |grad f(x)|^2 >= 2 mu (f(x) - f*).

    Source: Karimi, Nutini and Schmidt (2016), Theorem 1, after Polyak (1963).
    """
    return Theorem(
        name="gd_pl",
        statement="Where |grad f|^2 >= 2 mu (f - f*), each step of length 1 / L on an L-smooth "
        "function lowers f - f* by at least the share mu / L.",
        latex=r"f(x_k) - f_\star \le (1 - \mu / L)^k (f(x_0) - f_\star)",
        source="Karimi, Nutini and Schmidt (2016), Theorem 1",
        assumptions=(*_CLASS, LOJASIEWICZ),
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu_PL, f0: (1 - mu_PL / L) ** k * f0,
        instances=_lojasiewicz,
    )


def gd_pl_improved() -> Theorem:
    """Gradient descent with step 1 / L on an L-smooth function with the PL inequality.

        f(x_k) - f* <= ((2 L - 2 mu) / (2 L + mu))^k (f(x_0) - f*),

    where |grad f(x)|^2 >= 2 mu (f(x) - f*). It is not tight: semidefinite programs with all known
    inequalities stay below.

    Source: Abbaszadehpeivasti, de Klerk and Zamani (2023), Theorem 3 for this step; its number is
    from memory.
    """
    return Theorem(
        name="gd_pl_improved",
        statement="Where |grad f|^2 >= 2 mu (f - f*), each step of length 1 / L on an L-smooth "
        "function multiplies f - f* by at most (2 L - 2 mu) / (2 L + mu).",
        latex=r"f(x_k) - f_\star \le "
        r"\left(\frac{2 L - 2 \mu}{2 L + \mu}\right)^k (f(x_0) - f_\star)",
        source="Abbaszadehpeivasti, de Klerk and Zamani (2023), Theorem 3",
        assumptions=(*_CLASS, LOJASIEWICZ),
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu_PL, f0: ((2 * L - 2 * mu_PL) / (2 * L + mu_PL)) ** k * f0,
        instances=_lojasiewicz,
    )
