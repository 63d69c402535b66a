"""Gradient descent with silver steps, and what any fixed steps leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench.assumption import CONVEX, EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.instances import (
    RADIUS,
    SMOOTHNESS,
    extreme_parabolas,
    huber,
    members,
    ridge_regression,
    robust_regression,
)
from optbench.case import Case, Instance
from optbench.formula import accelerated
from optbench.method import Method, make_method
from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.first_order.accelerated import nesterov_convex, optimized_gradient
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.momentum import momentum
from optbench.optimizers.first_order.step_sizes import silver_steps
from optbench.problem import Problem
from optbench.quantity import DISTANCE, SQUARED_GRADIENT_NORM, SUBOPTIMALITY
from optbench.recursion import Path, Recursion
from optbench.run import run
from optbench.trajectory import Trajectory
from optbench.transformation import from_optax

_CLASS = (EXACT_GRADIENTS, SMOOTH, CONVEX)
_LEVELS = (1.0, 2.0, 4.0, 6.0)
_ENDS = tuple(2 ** int(j) - 1 for j in _LEVELS)
_FLAT = 1000.0  # displacement of the Huber loss that stands for a straight line


def _silver(j: float) -> float:
    return (1 + np.sqrt(2)) ** j


def _end(j: float) -> tuple[int, int]:
    return 2 ** int(j) - 1, 2 ** int(j) - 1


def _silver_members(displacement: float) -> tuple[Instance, ...]:
    return members(
        worst=lambda x: [huber(displacement, x)],
        random=robust_regression,
        data=ridge_regression(l2=0.0),
    )


def gd_silver_AP() -> Theorem:
    """Gradient descent with n = 2^j - 1 silver steps on an L-smooth convex function.

        f(x_n) - f* <= L R^2 / (1 + sqrt(4 rho^(2 j) - 3)),   rho = 1 + sqrt(2),  R = |x_0 - x*|.

    It is loose by a factor of nearly 2: `gd_silver_tight` is what is attained.

    Source: Altschuler and Parrilo (2023), arXiv:2309.16530, Theorem 1.1.
    """
    return Theorem(
        name="gd_silver_AP",
        statement="After n = 2^j - 1 silver steps on an L-smooth convex function, f - f* is at "
        "most L R^2 / (1 + sqrt(4 rho^(2 j) - 3)), rho = 1 + sqrt(2).",
        latex=r"f(x_n) - f_\star \le \frac{L \|x_0 - x_\star\|^2}"
        r"{1 + \sqrt{4 (1 + \sqrt{2})^{2 j} - 3}},\quad n = 2^j - 1",
        source="Altschuler and Parrilo (2023), Theorem 1.1",
        assumptions=_CLASS,
        parameters={"j": _LEVELS},
        method=make_method(silver_steps),
        quantity=SUBOPTIMALITY,
        formula=lambda j, L, R: L * R**2 / (1 + np.sqrt(4 * _silver(2 * j) - 3)),
        k_range=_end,
        error_growth=accelerated,
        instances=lambda j: _silver_members(_silver(j) - 1),
    )


def gd_silver_tight() -> Theorem:
    """Gradient descent with n = 2^j - 1 silver steps on an L-smooth convex function.

        f(x_n) - f* <= L R^2 / (4 rho^j - 2),   rho = 1 + sqrt(2),  R = |x_0 - x*|.

    The steps add up to (rho^j - 1) / L, and a Huber loss with that displacement attains it.

    Source: Luner and Grimmer (2024), Conjecture 3.2; proved by Wang, Ma, Yang and Zhou (2024),
    arXiv:2410.08890, known here from its abstract only. Semidefinite programs confirm n = 1, 3, 7.
    """
    return Theorem(
        name="gd_silver_tight",
        statement="After n = 2^j - 1 silver steps on an L-smooth convex function, f - f* is at "
        "most L R^2 / (4 rho^j - 2), rho = 1 + sqrt(2).",
        latex=r"f(x_n) - f_\star \le \frac{L \|x_0 - x_\star\|^2}"
        r"{4 (1 + \sqrt{2})^j - 2},\quad n = 2^j - 1",
        source="Luner and Grimmer (2024), Conjecture 3.2",
        assumptions=_CLASS,
        parameters={"j": _LEVELS},
        method=make_method(silver_steps),
        quantity=SUBOPTIMALITY,
        formula=lambda j, L, R: L * R**2 / (4 * _silver(j) - 2),
        k_range=_end,
        error_growth=accelerated,
        attained_at=_ENDS,
        instances=lambda j: _silver_members(_silver(j) - 1),
    )


def gd_silver_grad() -> Theorem:
    """Gradient descent with n = 2^j - 1 silver steps on an L-smooth convex function.

        |grad f(x_n)|^2 <= 2 L (f(x_0) - f*) / (2 rho^j - 1),   rho = 1 + sqrt(2).

    Attained by the Huber loss whose quadratic part x_n has just reached.

    Source: no proof was found in the literature. It mirrors `gd_silver_tight` as gradients mirror
    values for other methods, and semidefinite programs confirm it for n = 1, 3, 7.
    """
    return Theorem(
        name="gd_silver_grad",
        statement="After n = 2^j - 1 silver steps on an L-smooth convex function, |grad f|^2 is "
        "at most 2 L (f(x_0) - f*) / (2 rho^j - 1), rho = 1 + sqrt(2).",
        latex=r"\|\nabla f(x_n)\|^2 \le \frac{2 L (f(x_0) - f_\star)}"
        r"{2 (1 + \sqrt{2})^j - 1},\quad n = 2^j - 1",
        source="no proof was found in the literature",
        assumptions=_CLASS,
        parameters={"j": _LEVELS},
        method=make_method(silver_steps),
        quantity=SQUARED_GRADIENT_NORM,
        formula=lambda j, L, f0: 2 * L * f0 / (2 * _silver(j) - 1),
        k_range=_end,
        error_growth=accelerated,
        attained_at=_ENDS,
        instances=lambda j: _silver_members((_silver(j) - 1) / 2),
    )


def _grown(z: Any, xp: Any) -> tuple[Any, Any]:
    """(y, z) of 2 n silver steps from the z of n: z / s and z s, s = e + sqrt(1 + e^2), e = 1 - z.

    `xp` is numpy or jax.numpy.
    """
    stretch = 1 - z + xp.sqrt(1 + (1 - z) ** 2)
    return z / stretch, z * stretch


def _strongly_convex_silver_steps(
    smoothness: Scalar = 4.0, strong_convexity: Scalar = 0.25, num_steps: Scalar = 1.0
) -> Optimizer:
    """Gradient descent with `num_steps` silver steps for strongly convex functions, a power of two.

    With q = mu / L, psi(t) = (1 + t / q) / (1 + t), and y_{2 n}, z_{2 n} from z_n as in `_grown`,
    z_1 = q: step k has length psi(y_m) / L, m twice the largest power of two that divides k, and
    the last one, k = n, has length psi(z_n) / L.

    Source: Altschuler and Parrilo (2023), arXiv:2309.07879, section 3.
    """
    share = strong_convexity / smoothness

    def schedule(count: Any) -> jax.Array:
        k = count + 1
        is_last = k == num_steps
        doublings = jax.lax.population_count((k & -k) - 1) + jnp.where(is_last, 0, 1)
        first = jnp.asarray(share), jnp.asarray(share)
        y, z = jax.lax.fori_loop(0, doublings, lambda _, pair: _grown(pair[1], jnp), first)
        t = jnp.where(is_last, z, y)
        return (1 + t / share) / (1 + t) / smoothness

    return from_optax(optax.sgd(schedule))


def _rate_z(q: float, num_steps: float) -> float:
    """z_n for n = `num_steps`, a power of two."""
    z = q
    for _ in range(int(np.log2(num_steps))):
        _, z = _grown(z, np)
    return z


def silver_sc() -> Theorem:
    """Gradient descent with n = 2^m silver steps for L-smooth, mu-strongly convex functions.

        |x_n - x*| <= (1 - z_n) / (1 + z_n) |x_0 - x*|,

    z_1 = mu / L, z_{2 n} = z_n (e + sqrt(1 + e^2)) with e = 1 - z_n. Attained by parabolas of
    curvature mu and L alike.

    Source: Altschuler and Parrilo (2023), arXiv:2309.07879, Theorem 4.1.
    """

    def rate(N: float, mu: float, L: float) -> float:
        return (1 - _rate_z(mu / L, N)) / (1 + _rate_z(mu / L, N))

    return Theorem(
        name="silver_sc",
        statement="n = 2^m silver steps on an L-smooth, mu-strongly convex function multiply "
        "|x - x*| by at most (1 - z_n) / (1 + z_n), where z_1 = mu / L and "
        "z_{2 n} = z_n (1 - z_n + sqrt(1 + (1 - z_n)^2)).",
        latex=r"\|x_N - x_\star\| \le \frac{1 - z_N}{1 + z_N} \|x_0 - x_\star\|,\quad "
        r"z_{2 n} = z_n (1 - z_n + \sqrt{1 + (1 - z_n)^2})",
        source="Altschuler and Parrilo (2023), Theorem 4.1",
        assumptions=(EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX),
        parameters={"N": (1.0, 2.0, 8.0, 32.0)},
        method=make_method(_strongly_convex_silver_steps),
        steps={
            "smoothness": lambda L: L,
            "strong_convexity": lambda mu: mu,
            "num_steps": lambda N: N,
        },
        quantity=DISTANCE,
        formula=lambda N, mu, L, R: rate(N, mu, L) * R,
        k_range=lambda N: (int(N), int(N)),
        error_growth=accelerated,
        attained_at=(1, 2, 8, 32),
        instances=lambda N: members(
            worst=extreme_parabolas,
            random=lambda seed: robust_regression(seed, strong_convexity=0.5),
            data=ridge_regression(l2=0.1),
        ),
    )


_FIXED_STEPS: dict[str, Callable[[float], Method]] = {  # learning rate -> the method
    "gradient_descent": lambda rate: make_method(gradient_descent, learning_rate=rate),
    "momentum": lambda rate: make_method(momentum, learning_rate=rate),
    "nesterov_convex": lambda rate: make_method(nesterov_convex, smoothness=1 / rate),
    "optimized_gradient": lambda rate: make_method(optimized_gradient, smoothness=1 / rate),
    "silver_steps": lambda rate: make_method(silver_steps, smoothness=1 / rate),
}


def _last_of(problem: Problem, method: Method, num_steps: int) -> Trajectory:
    """A run, logged at its start and its end."""
    return run(problem, method, budget=None, log_steps=(0, num_steps), noise_floor=-np.inf)


def _on_line_and_bend(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """The displacement of a method on a line, and the gap that it leaves on a Huber loss."""
    (num_steps,) = map(int, k)
    line = huber(_FLAT, 0.0)
    fall = SMOOTHNESS * RADIUS / (2 * _FLAT + 1)
    reached = _last_of(line, case.data(1 / SMOOTHNESS), num_steps).params[-1]
    displacement = (RADIUS - float(reached[0])) * SMOOTHNESS / fall
    hardest = huber(displacement, 0.0)
    left = _last_of(hardest, case.data(learning_rate), num_steps).value[-1:]
    return Path(left, {"c": np.array([displacement])})


def gd_any_steps_huber_floor() -> Theorem:
    """What a method with fixed steps leaves on some L-smooth convex function.

        sup_f f(x_N) - f* >= L R^2 / (4 c + 2),   x_N = x_0 - c g / L on f(x) = g.x,

    R = |x_0 - x*|, where no gradient is taken farther than 2 c |g| / L from x_0. Attained by the
    Huber loss of slope L R / (2 c + 1), on whose straight part the run stays. Compared for gradient
    descent, momentum, Nesterov's method, the optimized gradient method and silver steps.

    Source: derived here; for gradient descent it is Drori and Teboulle (2014), section 3.
    """
    return Theorem(
        name="gd_any_steps_huber_floor",
        statement="A method whose N fixed steps move x by c g / L on a function of slope g leaves "
        "f - f* >= L R^2 / (4 c + 2) on some L-smooth convex function.",
        latex=r"\sup_f\, f(x_N) - f_\star \ge \frac{L \|x_0 - x_\star\|^2}{4 c + 2},\quad "
        r"x_N = x_0 - c g / L\ \mathrm{where}\ \nabla f = g",
        source="derived here",
        method=Recursion("a method on a line, and on a Huber loss", _on_line_and_bend),
        steps={"learning_rate": lambda L: 1 / L},
        quantity=SUBOPTIMALITY,
        formula=lambda L, R, c: L * R**2 / (4 * c + 2),
        direction="lower",
        parameters={"N": (1.0, 3.0, 7.0, 31.0)},
        given={"c": "how far N steps go on a line, over |g| / L"},
        k_range=lambda N: (int(N), int(N)),
        attained_at=(1, 3, 7, 31),
        instances=lambda N: _methods(),
    )


def _methods() -> Sequence[Instance]:
    symbols = {"L": SMOOTHNESS, "R": RADIUS}
    return [
        Instance("worst", Case(name=name, symbols=symbols, data=method))
        for name, method in _FIXED_STEPS.items()
    ]
