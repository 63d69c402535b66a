"""Gradient descent with a constant step on smooth, strongly convex functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from optbench.assumption import EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.descent.instances import bent_parabola
from optbench.bounds.instances import (
    SMOOTHNESS,
    STRONG_CONVEXITY,
    extreme_parabolas,
    members,
    parabola,
    ridge_regression,
    robust_regression,
)
from optbench.case import Instance
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.problem import Problem
from optbench.quantity import (
    DISTANCE,
    GRADIENT_NORM,
    SQUARED_GRADIENT_NORM,
    SUBOPTIMALITY,
)

_CLASS = (EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX)
_STEP = {"learning_rate": lambda h, L: h / L}
_BENT_AT = (1, 2, 5, 30)


def rate(h: float, mu: float, L: float) -> float:
    """By how much a step h / L shrinks |x - x*| at least: max(|1 - h mu / L|, |1 - h|)."""
    return max(abs(1 - h * mu / L), abs(1 - h))


def _gathered(k: np.ndarray, L: float, mu: float, h: float) -> np.ndarray:
    return contracted(k, rate(h, mu, L))


def _members(worst: Callable[[float], Sequence[Problem]]) -> tuple[Instance, ...]:
    return members(
        worst=worst,
        random=lambda seed: robust_regression(seed, strong_convexity=0.5),
        data=ridge_regression(l2=0.1),
    )


def _bent(h: float, power: int) -> tuple[Instance, ...]:
    """Parabolas that bend where the bounds want it, one for each k, and L x^2 / 2.

    Args:
        h: step size over 1 / L.
        power: the bound knows (1 - h mu / L)^(-power k).
    """
    shrinkage = 1 - h * STRONG_CONVEXITY / SMOOTHNESS

    def worst(x: float) -> list[Problem]:
        bent = [bent_parabola(shrinkage ** (-power * k), x) for k in _BENT_AT]
        return [*bent, parabola(SMOOTHNESS, x)]

    return _members(worst)


def gd_sc_dist() -> Theorem:
    """Gradient descent with step h / L on an L-smooth, mu-strongly convex function, 0 < h < 2.

        |x_k - x*| <= rho^k |x_0 - x*|,   rho = max(|1 - h mu / L|, |1 - h|).

    Attained at every k by a parabola of curvature mu or L.

    Source: Polyak (1987), section 1.4, Theorem 3; Taylor, Hendrickx and Glineur (2018), J. Optim.
    Theory Appl. 178(2), Theorem 3.1; the numbers of the theorems are from memory.
    """
    return Theorem(
        name="gd_sc_dist",
        statement="Each step of length h / L on an L-smooth, mu-strongly convex function divides "
        "|x - x*| by at least 1 / rho, where rho = max(|1 - h mu / L|, |1 - h|).",
        latex=r"\|x_k - x_\star\| \le \max\{|1 - h \mu / L|, |1 - h|\}^k \|x_0 - x_\star\|",
        source="Polyak (1987), section 1.4, Theorem 3",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=DISTANCE,
        formula=lambda k, L, mu, R, h: rate(h, mu, L) ** k * R,
        error_growth=_gathered,
        attained_at=range(1, 101),
        instances=lambda h: _members(extreme_parabolas),
    )


def gd_sc_fgap() -> Theorem:
    """Gradient descent with step h / L on an L-smooth, mu-strongly convex function, 0 < h < 2.

        f(x_k) - f* <= rho^(2 k) (f(x_0) - f*),   rho = max(|1 - h mu / L|, |1 - h|).

    Attained at every k by a parabola of curvature mu or L.

    Source: Taylor, Hendrickx and Glineur (2018), J. Optim. Theory Appl. 178(2), Theorem 3.3 with
    a zero nonsmooth part; the number of the theorem is from memory.
    """
    return Theorem(
        name="gd_sc_fgap",
        statement="Each step of length h / L on an L-smooth, mu-strongly convex function divides "
        "f - f* by at least rho^-2, where rho = max(|1 - h mu / L|, |1 - h|).",
        latex=r"f(x_k) - f_\star \le \max\{|1 - h \mu / L|, |1 - h|\}^{2 k} (f(x_0) - f_\star)",
        source="Taylor, Hendrickx and Glineur (2018), Theorem 3.3",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.5, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0, h: rate(h, mu, L) ** (2 * k) * f0,
        error_growth=_gathered,
        attained_at=range(1, 101),
        instances=lambda h: _members(extreme_parabolas),
    )


def gd_sc_grad() -> Theorem:
    """Gradient descent with step h / L on an L-smooth, mu-strongly convex function, 0 < h < 2.

        |grad f(x_k)| <= rho^k |grad f(x_0)|,   rho = max(|1 - h mu / L|, |1 - h|).

    Attained at every k by a parabola of curvature mu or L.

    Source: Taylor, Hendrickx and Glineur (2018), J. Optim. Theory Appl. 178(2), Theorem 3.2 with a
    zero nonsmooth part; the number of the theorem is from memory.
    """
    return Theorem(
        name="gd_sc_grad",
        statement="Each step of length h / L on an L-smooth, mu-strongly convex function divides "
        "|grad f| by at least 1 / rho, where rho = max(|1 - h mu / L|, |1 - h|).",
        latex=r"\|\nabla f(x_k)\| \le \max\{|1 - h \mu / L|, |1 - h|\}^k \|\nabla f(x_0)\|",
        source="Taylor, Hendrickx and Glineur (2018), Theorem 3.2",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=GRADIENT_NORM,
        formula=lambda k, L, mu, g0, h: rate(h, mu, L) ** k * g0,
        error_growth=_gathered,
        attained_at=range(1, 101),
        instances=lambda h: _members(extreme_parabolas),
    )


def gd_sc_2_over_Lmu() -> Theorem:
    """Gradient descent with step 2 / (L + mu) on an L-smooth, mu-strongly convex function.

        f(x_k) - f* <= L / 2 ((L - mu) / (L + mu))^(2 k) R^2,   R = |x_0 - x*|.

    Attained at every k by L x^2 / 2.

    Source: Nesterov (2018), Theorem 2.1.15; its number is from memory.
    """

    def ratio(L: float, mu: float) -> float:
        return (L - mu) / (L + mu)

    return Theorem(
        name="gd_sc_2_over_Lmu",
        statement="After k steps of length 2 / (L + mu) on an L-smooth, mu-strongly convex "
        "function, f - f* is at most ((L - mu) / (L + mu))^(2 k) L R^2 / 2.",
        latex=r"f(x_k) - f_\star \le \frac{L}{2} \left(\frac{L - \mu}{L + \mu}\right)^{2 k} "
        r"\|x_0 - x_\star\|^2",
        source="Nesterov (2018), Theorem 2.1.15",
        assumptions=_CLASS,
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda L, mu: 2 / (L + mu)},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, R: L / 2 * ratio(L, mu) ** (2 * k) * R**2,
        error_growth=lambda k, L, mu: contracted(k, ratio(L, mu)),
        attained_at=range(1, 101),
        instances=lambda: _members(lambda x: [parabola(SMOOTHNESS, x)]),
    )


def _share(power: int, k: np.ndarray, L: float, mu: float, h: float) -> np.ndarray:
    """The larger of q / (q - 1 + (1 - q h)^(-power k)), q = mu / L, and |1 - h|^(power k)."""
    q = mu / L
    return np.maximum(q / (q - 1 + (1 - q * h) ** (-power * k)), np.abs(1 - h) ** (power * k))


def gd_sc_fgap_dist_tight() -> Theorem:
    """Gradient descent with step h / L on an L-smooth, mu-strongly convex function, 0 < h < 2.

        f(x_k) - f* <= L R^2 / 2 max(q / (q - 1 + (1 - q h)^(-2 k)), (1 - h)^(2 k)),

    q = mu / L, R = |x_0 - x*|. The first term is attained by a parabola that bends (for each k
    another), the second by L x^2 / 2. With mu = 0 it is `gd_convex_tight`.

    Source: Taylor, Hendrickx and Glineur (2017), Math. Program. 161, Conjecture 2 (its number is
    from memory); proved by Kim (2024), arXiv:2412.04427, known here from its abstract only.
    """
    return Theorem(
        name="gd_sc_fgap_dist_tight",
        statement="After k steps of length h / L on an L-smooth, mu-strongly convex function, with "
        "q = mu / L, f - f* is at most L R^2 / 2 times the larger of "
        "q / (q - 1 + (1 - q h)^(-2 k)) and (1 - h)^(2 k).",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2} \max\left\{"
        r"\frac{q}{q - 1 + (1 - q h)^{-2 k}}, (1 - h)^{2 k}\right\},\quad q = \mu / L",
        source="Taylor, Hendrickx and Glineur (2017), Conjecture 2; Kim (2024)",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, R, h: L * R**2 / 2 * _share(2, k, L, mu, h),
        error_growth=_gathered,
        k_range=(1, 50),
        attained_at=_BENT_AT,
        instances=lambda h: _bent(h, power=2),
    )


def gd_sc_grad_dist_tight() -> Theorem:
    """Gradient descent with step h / L on an L-smooth, mu-strongly convex function, 0 < h < 2.

        |grad f(x_k)| <= L R max(q / (q - 1 + (1 - q h)^(-k)), |1 - h|^k),

    q = mu / L, R = |x_0 - x*|. The first term is attained by a parabola that bends at x_k, the
    second by L x^2 / 2. With mu = 0 it is `gd_convex_grad_dist`.

    Source: Taylor, Hendrickx and Glineur (2017), Math. Program. 161, Conjecture 3; its number is
    from memory. It is confirmed by semidefinite programs for small k.
    """
    return Theorem(
        name="gd_sc_grad_dist_tight",
        statement="After k steps of length h / L on an L-smooth, mu-strongly convex function, with "
        "q = mu / L, |grad f| is at most L R times the larger of q / (q - 1 + (1 - q h)^-k) and "
        "|1 - h|^k.",
        latex=r"\|\nabla f(x_k)\| \le L \|x_0 - x_\star\| \max\left\{"
        r"\frac{q}{q - 1 + (1 - q h)^{-k}}, |1 - h|^k\right\},\quad q = \mu / L",
        source="Taylor, Hendrickx and Glineur (2017), Conjecture 3",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=GRADIENT_NORM,
        formula=lambda k, L, mu, R, h: L * R * _share(1, k, L, mu, h),
        error_growth=_gathered,
        k_range=(1, 50),
        attained_at=_BENT_AT,
        instances=lambda h: _bent(h, power=1),
    )


def gd_sc_grad_f_tight() -> Theorem:
    """Gradient descent with step h / L on an L-smooth, mu-strongly convex function, 0 < h < 2.

        |grad f(x_k)|^2 <= 2 L F max(q / (q - 1 + (1 - q h)^(-2 k)), (1 - h)^(2 k)),

    q = mu / L, F = f(x_0) - f*. The first term is attained by a parabola that bends at x_k, the
    second by L x^2 / 2. With mu = 0 it is `gd_convex_grad_f`.

    Source: Rotaru, Glineur and Patrinos (2024), arXiv:2406.17506, known here from its abstract
    only.
    """
    return Theorem(
        name="gd_sc_grad_f_tight",
        statement="After k steps of length h / L on an L-smooth, mu-strongly convex function, with "
        "q = mu / L, |grad f|^2 is at most 2 L (f(x_0) - f*) times the larger of "
        "q / (q - 1 + (1 - q h)^(-2 k)) and (1 - h)^(2 k).",
        latex=r"\|\nabla f(x_k)\|^2 \le 2 L (f(x_0) - f_\star) \max\left\{"
        r"\frac{q}{q - 1 + (1 - q h)^{-2 k}}, (1 - h)^{2 k}\right\},\quad q = \mu / L",
        source="Rotaru, Glineur and Patrinos (2024)",
        assumptions=_CLASS,
        parameters={"h": (0.5, 1.0, 1.9)},
        method=make_method(gradient_descent),
        steps=_STEP,
        quantity=SQUARED_GRADIENT_NORM,
        formula=lambda k, L, mu, f0, h: 2 * L * f0 * _share(2, k, L, mu, h),
        error_growth=_gathered,
        k_range=(1, 50),
        attained_at=_BENT_AT,
        instances=lambda h: _bent(h, power=1),
    )
