"""Accelerated methods on smooth strongly convex functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from optbench import trees
from optbench.assumption import EXACT_GRADIENTS, QUADRATIC, SMOOTH, STRONGLY_CONVEX
from optbench.bound import Theorem
from optbench.bounds.adaptive.quantities import by_recursion
from optbench.bounds.instances import (
    SMOOTHNESS,
    extreme_parabolas,
    members,
    parabola,
    quadratic,
    ridge_regression,
    robust_regression,
)
from optbench.bounds.momentum.krylov_instances import regression
from optbench.case import Case, Instance
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.accelerated import (
    chebyshev,
    nesterov_strongly_convex,
    triple_momentum,
)
from optbench.optimizers.first_order.momentum import nesterov
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import DISTANCE, SQUARED_DISTANCE, SUBOPTIMALITY
from optbench.recursion import Path, Recursion
from optbench.theory import SMOOTHNESS as L_OF_PROBLEM
from optbench.theory import STRONG_CONVEXITY as MU_OF_PROBLEM

ASSUMPTIONS = (EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX)
DOUBLE_ROOT = 1e-6  # of eigenvalues of order 1: the square root of their rounding, and more


def _members(worst: Callable[[float], Sequence[Problem]]) -> tuple[Instance, ...]:
    """Members of the class, strongly convex ones of random and real data among them."""
    return members(
        worst=worst,
        random=lambda seed: robust_regression(seed, strong_convexity=0.5),
        data=ridge_regression(l2=0.1),
    )


def agd_sc() -> Theorem:
    """Nesterov's method with constant momentum, on a smooth and strongly convex function.

        f(x_k) - f* <= (1 - sqrt(mu / L))^k (f(x_0) - f* + mu R^2 / 2),   R = |x_0 - x*|,

    with x_k the points after the gradient steps and momentum
    (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)).

    Source: Nesterov (2018), Theorem 2.2.3 with scheme 2.2.22; d'Aspremont, Scieur and Taylor
    (2021), Corollary 4.15; numbers from memory.
    """
    return Theorem(
        name="agd_sc",
        statement="Each step of Nesterov's method with constant momentum, on an L-smooth, "
        "mu-strongly convex function, multiplies a bound on f - f* by 1 - sqrt(mu / L).",
        latex=r"f(x_k) - f_\star \le \left(1 - \sqrt{\mu / L}\right)^k "
        r"\left(f(x_0) - f_\star + \frac{\mu}{2} \|x_0 - x_\star\|^2\right)",
        source="Nesterov (2018), Theorem 2.2.3",
        assumptions=ASSUMPTIONS,
        method=make_method(nesterov_strongly_convex),
        steps={"smoothness": lambda L: L, "strong_convexity": lambda mu: mu},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0, R: (1 - np.sqrt(mu / L)) ** k * (f0 + mu / 2 * R**2),
        error_growth=lambda k, L, mu: contracted(k, 1 - np.sqrt(mu / L)) ** 2,
        instances=lambda: _members(extreme_parabolas),
    )


def iteration_matrix(optimizer: Optimizer, curvatures: np.ndarray) -> np.ndarray:
    """What a step makes of (x, state) on sum_i h_i x_i^2 / 2, for a method that is linear there."""
    zero = np.zeros(len(curvatures))
    oracle = Oracle(regression("diagonal", np.diag(np.sqrt(curvatures)), zero, zero))
    with jax.enable_x64(True):
        flat, unravel = ravel_pytree((jnp.asarray(zero), optimizer.init(jnp.asarray(zero))))

        def step(flat: Any) -> Any:
            x, state = unravel(flat)
            taken = optimizer.step(oracle.value_and_grad(x), state, oracle)
            return ravel_pytree((taken.params, taken.state))[0]

        return np.asarray(jax.jacfwd(step)(flat))


def _spectral_radius(case: Case, k: np.ndarray, **steps: float) -> Path:
    """The rate at which `nesterov` ends on a quadratic: the largest |eigenvalue| of its step."""
    matrix = iteration_matrix(nesterov(**steps), case.data)
    return Path(np.full(len(k), np.max(np.abs(np.linalg.eigvals(matrix)))))


def _spectra() -> tuple[Instance, ...]:
    """Curvatures of quadratics whose extremes are mu and L."""
    found = []
    for L, mu in ((4.0, 0.25), (4.0, 1.0), (9.0, 0.09)):
        inner = np.random.default_rng(0).uniform(mu, L, 3)
        name = f"spectrum[L={L:g},mu={mu:g}]"
        symbols = {"L": L, "mu": mu}
        case = Case(name=name, symbols=symbols, data=np.array([mu, *inner, L]))
        found.append(Instance("random", case))
    return tuple(found)


_rate = functools.partial(
    Theorem,
    method=Recursion("iteration matrix of Nesterov's method", _spectral_radius),
    quantity=by_recursion("largest |eigenvalue| of a step", r"\rho"),
    assumptions=(),
    direction="identity",
    given={"L": "the largest curvature", "mu": "the least curvature"},
    k_range=(1, 1),
    tolerance=DOUBLE_ROOT,
    instances=_spectra,
)


def agd_sc_quad_rate() -> Theorem:
    """The rate at which Nesterov's method with constant momentum ends on quadratics.

        rho = 1 - sqrt(mu / L),

    the spectral radius of its iteration matrix, for the learning rate 1 / L and the momentum
    (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)). It is a double root along the eigenvector of
    curvature mu, so that eigenvalues are known to the square root of their rounding only.

    Source: Lessard, Recht and Packard (2016), Proposition 1.
    """
    return _rate(
        name="agd_sc_quad_rate",
        statement="On quadratics with curvatures from mu to L, errors of Nesterov's method with "
        "constant momentum end up shrinking by the factor 1 - sqrt(mu / L).",
        latex=r"\rho = 1 - \sqrt{\mu / L}",
        source="Lessard, Recht and Packard (2016), Proposition 1",
        steps={
            "learning_rate": lambda L: 1 / L,
            "momentum": lambda L, mu: (np.sqrt(L) - np.sqrt(mu)) / (np.sqrt(L) + np.sqrt(mu)),
        },
        formula=lambda L, mu: 1 - np.sqrt(mu / L),
    )


def nesterov_tuned_quad() -> Theorem:
    """The rate at which Nesterov's method ends on quadratics, with the best constant parameters.

        rho = 1 - 2 / sqrt(3 L / mu + 1),

    for the learning rate 4 / (3 L + mu) and the momentum (s - 2) / (s + 2), s = sqrt(3 L / mu + 1).
    It is the spectral radius of the iteration matrix, a double root along the eigenvector of
    curvature mu.

    Source: Lessard, Recht and Packard (2016), Proposition 1.
    """

    def root(L: float, mu: float) -> float:
        return np.sqrt(3 * L / mu + 1)

    return _rate(
        name="nesterov_tuned_quad",
        statement="On quadratics with curvatures from mu to L, errors of Nesterov's method with "
        "the best constant parameters end up shrinking by 1 - 2 / sqrt(3 L / mu + 1).",
        latex=r"\rho = 1 - \frac{2}{\sqrt{3 L / \mu + 1}}",
        source="Lessard, Recht and Packard (2016), Proposition 1",
        steps={
            "learning_rate": lambda L, mu: 4 / (3 * L + mu),
            "momentum": lambda L, mu: (root(L, mu) - 2) / (root(L, mu) + 2),
        },
        formula=lambda L, mu: 1 - 2 / root(L, mu),
    )


def tmm() -> Theorem:
    """The triple momentum method on a smooth and strongly convex function.

        f(x_k) - f* <= rho^(2 k) (L^2 / mu) R^2 / 2,   rho = 1 - sqrt(mu / L),  R = |x_0 - x*|,

    after k gradients. Attained at each k by L x^2 / 2, where the first error is 1 - sqrt(L / mu)
    times R, and every further step multiplies it by -rho.

    Source: Van Scoy, Freeman and Lynch (2018), Theorem 1; that it is attained was found here.
    """

    def rho(L: float, mu: float) -> float:
        return 1 - np.sqrt(mu / L)

    return Theorem(
        name="tmm",
        statement="After k steps of the triple momentum method on an L-smooth, mu-strongly convex "
        "function, f - f* is at most (1 - sqrt(mu / L))^(2 k) L^2 R^2 / (2 mu).",
        latex=r"f(x_k) - f_\star \le \frac{L^2}{2 \mu} \left(1 - \sqrt{\mu / L}\right)^{2 k} "
        r"\|x_0 - x_\star\|^2",
        source="Van Scoy, Freeman and Lynch (2018), Theorem 1",
        assumptions=ASSUMPTIONS,
        method=make_method(triple_momentum),
        steps={"smoothness": lambda L: L, "strong_convexity": lambda mu: mu},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, R: rho(L, mu) ** (2 * k) * L**2 / (2 * mu) * R**2,
        error_growth=lambda k, L, mu: contracted(k, rho(L, mu)) ** 2,
        attained_at=range(1, 101),
        instances=lambda: _members(lambda x: [parabola(SMOOTHNESS, x)]),
    )


def item_weights(k: Any, ratio: float) -> Any:
    """A_k, with A_0 = 0, and q = mu / L.

    A_{k+1} = ((1 + q) A_k + 2 (1 + sqrt((1 + A_k) (1 + q A_k)))) / (1 - q)^2.
    """
    found = [0.0]
    while len(found) <= np.max(k):
        found.append(float(_next_weight(found[-1], ratio)))
    return np.array(found)[np.asarray(k, int)]


def _next_weight(weight: Any, ratio: Any) -> Any:
    root = ((1 + weight) * (1 + ratio * weight)) ** 0.5
    return ((1 + ratio) * weight + 2 * (1 + root)) / (1 - ratio) ** 2


class _Estimates(NamedTuple):
    point: Params  # z_k
    weight: jax.Array  # A_k


def _information_theoretic(
    smoothness: Scalar = L_OF_PROBLEM, strong_convexity: Scalar = MU_OF_PROBLEM
) -> Optimizer:
    """The information-theoretic exact method, reporting z_k; A_k as in `item_weights`.

    x_{k+1} = y_k - grad f(y_k) / L,  z_{k+1} = z_k + q d_k (y_k - z_k) - d_k grad f(y_k) / L,
    y_k = (1 - b_k) z_k + b_k x_k,  b_k = A_k / ((1 - q) A_{k+1}),
    d_k = ((1 - q)^2 A_{k+1} - (1 + q) A_k) / (2 (1 + q + q A_k)),  q = mu / L.
    """
    ratio = strong_convexity / smoothness

    def init(params: Params) -> State:
        return _Estimates(params, jnp.zeros((), trees.norm(params).dtype))

    def step(evaluation: Evaluation, state: _Estimates, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        weight = _next_weight(state.weight, ratio)
        gain = (1 - ratio) ** 2 * weight - (1 + ratio) * state.weight
        length = gain / (2 * (1 + ratio + ratio * state.weight))
        back = trees.add_scaled(params, -1, state.point)
        point = trees.add_scaled(state.point, ratio * length, back)
        point = trees.add_scaled(point, -length / smoothness, grad)
        after = trees.add_scaled(params, -1 / smoothness, grad)
        share = weight / ((1 - ratio) * _next_weight(weight, ratio))
        ahead = trees.add_scaled(point, share, trees.add_scaled(after, -1, point))
        return Step(ahead, _Estimates(point, weight))

    return Optimizer(init, step, eval_params=lambda params, state: state.point)


def item() -> Theorem:
    """The information-theoretic exact method on a smooth and strongly convex function.

        |z_k - x*|^2 <= R^2 / (1 + (mu / L) A_k),   R = |x_0 - x*|,

    A_k as in `item_weights`. Attained at each k by parabolas of curvature mu and L; no first-order
    method has a better bound on the distance.

    Source: Taylor and Drori (2022), "An optimal gradient method for smooth strongly convex
    minimization", Theorem 3.
    """
    return Theorem(
        name="item",
        statement="After k steps of the information-theoretic exact method on an L-smooth, "
        "mu-strongly convex function, |z - x*|^2 is at most R^2 / (1 + A mu / L).",
        latex=r"\|z_k - x_\star\|^2 \le \frac{\|x_0 - x_\star\|^2}{1 + A_k \mu / L}",
        source="Taylor and Drori (2022), Theorem 3",
        assumptions=ASSUMPTIONS,
        method=make_method(_information_theoretic),
        steps={"smoothness": lambda L: L, "strong_convexity": lambda mu: mu},
        quantity=SQUARED_DISTANCE,
        formula=lambda k, L, mu, R: R**2 / (1 + mu / L * item_weights(k, mu / L)),
        error_growth=lambda k, L, mu: contracted(k, 1 - np.sqrt(mu / L)) ** 2,
        attained_at=range(1, 51),
        k_range=(1, 50),
        instances=lambda: _members(extreme_parabolas),
    )


def chebyshev_iter() -> Theorem:
    """Chebyshev's semi-iteration on a quadratic with curvatures in [mu, L].

        |x_k - x*| <= R / T_k((L + mu) / (L - mu)),   T_k(z) = cosh(k arccosh(z)),

    R = |x_0 - x*|. Attained at each k by parabolas of curvature mu and L, where Chebyshev's
    polynomial T_k is +-1.

    Source: Golub and Varga (1961); d'Aspremont, Scieur and Taylor (2021), section 2.
    """
    return Theorem(
        name="chebyshev_iter",
        statement="After k steps of Chebyshev's semi-iteration on a quadratic with curvatures from "
        "mu to L, |x - x*| is at most R / cosh(k arccosh((L + mu) / (L - mu))).",
        latex=r"\|x_k - x_\star\| \le \frac{\|x_0 - x_\star\|}{T_k((L + \mu) / (L - \mu))}",
        source="Golub and Varga (1961)",
        assumptions=(*ASSUMPTIONS, QUADRATIC),
        method=make_method(chebyshev),
        steps={"smoothness": lambda L: L, "strong_convexity": lambda mu: mu},
        quantity=DISTANCE,
        formula=lambda k, L, mu, R: R / np.cosh(k * np.arccosh((L + mu) / (L - mu))),
        error_growth=lambda k, L, mu: contracted(k, 1 - np.sqrt(mu / L)) ** 2,
        attained_at=range(1, 101),
        instances=lambda: members(
            worst=extreme_parabolas, random=quadratic, data=ridge_regression(l2=0.1)
        ),
    )
