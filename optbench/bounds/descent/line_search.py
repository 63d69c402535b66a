"""Gradient descent with line searches, and along inexact gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX, Assumption
from optbench.bound import Theorem
from optbench.bounds.descent.instances import corner_parabola
from optbench.bounds.instances import (
    SMOOTHNESS,
    STRONG_CONVEXITY,
    extreme_parabolas,
    members,
    parabola,
    quadratic,
    ridge_regression,
    robust_regression,
)
from optbench.case import Case, Instance, InstanceKind
from optbench.formula import contracted
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent_backtracking
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Problem
from optbench.quantity import SUBOPTIMALITY, Quantity
from optbench.recursion import Path, Recursion
from optbench.theory import SMOOTHNESS as KNOWN_SMOOTHNESS
from optbench.theory import STRONG_CONVEXITY as KNOWN_STRONG_CONVEXITY

_CLASS = (EXACT_GRADIENTS, SMOOTH, STRONGLY_CONVEX)
_HALVINGS = 52  # of the interval that holds the step of an exact line search
_RATIO = Quantity(
    "(g.g)^2 / ((g.A g) (g.A^-1 g))",
    r"\frac{(g^T g)^2}{(g^T A g) (g^T A^{-1} g)}",
    (),
    lambda problem, trajectory: np.full(len(trajectory.steps), np.nan),  # no run shows it
    lambda problem, trajectory, shift: shift,
)


def _members(worst: Callable[[float], Sequence[Problem]]) -> tuple[Instance, ...]:
    return members(
        worst=worst,
        random=lambda seed: robust_regression(seed, strong_convexity=0.5),
        data=ridge_regression(l2=0.1),
    )


def _exactly_searched(
    smoothness: Scalar = KNOWN_SMOOTHNESS, strong_convexity: Scalar = KNOWN_STRONG_CONVEXITY
) -> Optimizer:
    """Steepest descent whose step minimizes f along the gradient, by bisection of the slope.

    The minimizer of an L-smooth, mu-strongly convex f along g is between 1 / L and 1 / mu.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, _, grad = evaluation

        def halved(_: Any, interval: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            low, high = interval
            middle = (low + high) / 2
            ahead = oracle.value_and_grad(trees.add_scaled(params, -middle, grad)).grad
            falls = trees.dot(ahead, grad) > 0
            return jnp.where(falls, middle, low), jnp.where(falls, high, middle)

        interval = jnp.asarray(1 / smoothness), jnp.asarray(1 / strong_convexity)
        low, high = jax.lax.fori_loop(0, _HALVINGS, halved, interval)
        calls = Calls(value_and_gradients=_HALVINGS)
        return Step(trees.add_scaled(params, -(low + high) / 2, grad), state, calls)

    return Optimizer(lambda params: (), step)


def gd_exact_ls() -> Theorem:
    """Steepest descent with exact line search on an L-smooth, mu-strongly convex function.

        f(x_k) - f* <= ((L - mu) / (L + mu))^(2 k) (f(x_0) - f*).

    Attained at every k by (mu x_1^2 + L x_2^2) / 2 from (1 / mu, 1 / L).

    Source: de Klerk, Glineur and Taylor (2017), Optim. Lett. 11, Theorem 1.2; for quadratics it is
    Kantorovich's inequality.
    """
    return Theorem(
        name="gd_exact_ls",
        statement="Each exact line search along the gradient of an L-smooth, mu-strongly convex "
        "function multiplies f - f* by at most ((L - mu) / (L + mu))^2.",
        latex=r"f(x_k) - f_\star \le \left(\frac{L - \mu}{L + \mu}\right)^{2 k} "
        r"(f(x_0) - f_\star)",
        source="de Klerk, Glineur and Taylor (2017), Theorem 1.2",
        assumptions=_CLASS,
        method=make_method(_exactly_searched),
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0: ((L - mu) / (L + mu)) ** (2 * k) * f0,
        error_growth=lambda k, L, mu: contracted(k, (L - mu) / (L + mu)),
        k_range=(1, 50),
        attained_at=range(1, 51),
        instances=lambda: _members(lambda x: [corner_parabola(x)]),
    )


POSITIVE_DEFINITE = Assumption(
    name="a positive definite matrix",
    holds=lambda case: bool(np.linalg.eigvalsh(case.data[0])[0] > 0),
    hint="give a symmetric matrix whose eigenvalues are positive",
)


def _kantorovich_ratio(case: Case, k: np.ndarray) -> Path:
    matrix, g = case.data
    ratio = (g @ g) ** 2 / ((g @ matrix @ g) * (g @ np.linalg.solve(matrix, g)))
    condition = np.linalg.cond(matrix)
    return Path(np.array([ratio]), rounding=len(g) * np.finfo(float).eps * condition * ratio)


def _kantorovich_case(kind: InstanceKind, problem: Problem, g: np.ndarray) -> Instance:
    """A quadratic's Hessian, and a vector."""
    rows = problem.data[0]
    matrix = rows.T @ rows
    curvatures = np.linalg.eigvalsh(matrix)
    symbols = {"mu": float(curvatures[0]), "L": float(curvatures[-1])}
    return Instance(kind, Case(name=problem.name or "", symbols=symbols, data=(matrix, g)))


def _between_ends(rows: np.ndarray) -> np.ndarray:
    """The sum of unit eigenvectors of A = rows^T rows, for its least and its largest eigenvalue."""
    modes = np.linalg.eigh(rows.T @ rows)[1]
    return modes[:, 0] + modes[:, -1]


def kantorovich() -> Theorem:
    """A positive definite matrix A with eigenvalues in [mu, L], and a vector g.

        (g.g)^2 / ((g.A g) (g.A^-1 g)) >= 4 mu L / (L + mu)^2.

    Attained by the sum of unit eigenvectors of mu and L. It is one exact line search on a
    quadratic: one minus the ratio is what is left of f - f*.

    Source: Kantorovich (1948); Luenberger and Ye (2008), section 8.2.
    """

    def instances() -> list[Instance]:
        rng = np.random.default_rng(0)
        data = ridge_regression(l2=0.1)
        random = [quadratic(seed) for seed in range(4)]
        return [
            _kantorovich_case("worst", corner_parabola(0.0), np.ones(2)),
            *(_kantorovich_case("worst", p, _between_ends(p.data[0])) for p in random),
            *(_kantorovich_case("random", p, rng.standard_normal(p.dim)) for p in random),
            _kantorovich_case("data", data, data.data[0].T @ data.data[1]),
        ]

    return Theorem(
        name="kantorovich",
        statement="For a symmetric matrix A with eigenvalues in [mu, L], (g.g)^2 is at least "
        "4 mu L / (L + mu)^2 times (g.A g) (g.A^-1 g).",
        latex=r"\frac{(g^T g)^2}{(g^T A g) (g^T A^{-1} g)} \ge \frac{4 \mu L}{(\mu + L)^2}",
        source="Kantorovich (1948)",
        assumptions=(POSITIVE_DEFINITE,),
        method=Recursion("Kantorovich's ratio", _kantorovich_ratio),
        quantity=_RATIO,
        formula=lambda mu, L: 4 * mu * L / (L + mu) ** 2,
        direction="lower",
        k_range=(0, 0),
        attained_at=(0,),
        instances=instances,
    )


def _erring_descent(
    learning_rate: Scalar = 0.1, error: Scalar = 0.0, along: Scalar = 0.0
) -> Optimizer:
    """x_{k+1} = x_k - eta (g + error (along g + (1 - |along|) |g| u_k)), g = grad f(x_k).

    eta = `learning_rate`; u_k is the unit vector along (cos(k + 1), cos(2 (k + 1)), ...), which
    points everywhere in turn. With |along| <= 1 the error of the direction is at most `error` |g|.
    """

    def step(evaluation: Evaluation, count: jax.Array, oracle: Oracle) -> Step:
        grad = trees.coordinates(evaluation.grad)
        drawn = jnp.cos((count + 1.0) * jnp.arange(1.0, grad.size + 1))
        turned = jnp.linalg.norm(grad) * drawn / jnp.linalg.norm(drawn)
        direction = grad + error * (along * grad + (1 - jnp.abs(along)) * turned)
        moved = trees.unpack(trees.layout_of(evaluation.grad), direction)
        return Step(trees.add_scaled(evaluation.params, -learning_rate, moved), count + 1)

    return Optimizer(lambda params: jnp.int32(0), step)


def gd_inexact_rel() -> Theorem:
    """Descent along directions d with |d - grad f(x)| <= eps |grad f(x)|, eps < 1.

        f(x_k) - f* <= ((L' - mu') / (L' + mu'))^(2 k) (f(x_0) - f*),

    L' = (1 + eps) L, mu' = (1 - eps) mu, for the step 2 / (L' + mu') on an L-smooth, mu-strongly
    convex function. Attained by a parabola of curvature mu with d = (1 - eps) grad f (along = -1),
    and of curvature L with d = (1 + eps) grad f (along = 1); along = 0 errs in all directions.

    Source: de Klerk, Glineur and Taylor (2017), Optim. Lett. 11, Theorem 5.1, for exact line
    searches along d; (2020), SIAM J. Optim. 30(3), Theorem 5.3, for this step. The numbers are from
    memory; semidefinite programs confirm the constant for eps from 0.1 to 0.8.
    """

    def rate(eps: float, mu: float, L: float) -> float:
        high, low = (1 + eps) * L, (1 - eps) * mu
        return (high - low) / (high + low)

    curvatures = {-1.0: [STRONG_CONVEXITY], 0.0: [], 1.0: [SMOOTHNESS]}
    return Theorem(
        name="gd_inexact_rel",
        statement="Where directions err by at most eps |grad f|, each step 2 / (L' + mu') on an "
        "L-smooth, mu-strongly convex function multiplies f - f* by at most "
        "((L' - mu') / (L' + mu'))^2, L' = (1 + eps) L and mu' = (1 - eps) mu.",
        latex=r"f(x_k) - f_\star \le \left(\frac{L' - \mu'}{L' + \mu'}\right)^{2 k} "
        r"(f(x_0) - f_\star),\quad L' = (1 + \epsilon) L,\ \mu' = (1 - \epsilon) \mu",
        source="de Klerk, Glineur and Taylor (2017), Theorem 5.1",
        assumptions=_CLASS,
        parameters={"eps": (0.1, 0.5), "along": (-1.0, 0.0, 1.0)},
        method=make_method(_erring_descent),
        steps={
            "learning_rate": lambda eps, L, mu: 2 / ((1 + eps) * L + (1 - eps) * mu),
            "error": lambda eps: eps,
            "along": lambda along: along,
        },
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0, eps: rate(eps, mu, L) ** (2 * k) * f0,
        error_growth=lambda k, L, mu, eps: contracted(k, rate(eps, mu, L)),
        k_range=(1, 50),
        attained_at=range(1, 51),
        instances=lambda eps, along: _members(
            lambda x: [parabola(curvature, x) for curvature in curvatures[along]]
        ),
    )


def gd_backtracking() -> Theorem:
    """Gradient descent with backtracking from step 1 on an L-smooth, mu-strongly convex function.

        f(x_k) - f* <= (1 - min(2 mu a, 2 b a mu / L))^k (f(x_0) - f*),

    where a step t is accepted once f falls by at least a t |grad f|^2, 0 < a < 1/2, and multiplied
    by b < 1 until it is.

    Source: Boyd and Vandenberghe (2004), section 9.3.1, equations 9.18 and 9.19; their numbers are
    from memory.
    """
    return Theorem(
        name="gd_backtracking",
        statement="Each step of gradient descent with backtracking from step 1 (decrease a, factor "
        "b) on an L-smooth, mu-strongly convex function lowers f - f* by at least the share "
        "min(2 mu a, 2 b a mu / L).",
        latex=r"f(x_k) - f_\star \le (1 - \min\{2 \mu a, 2 b a \mu / L\})^k (f(x_0) - f_\star)",
        source="Boyd and Vandenberghe (2004), section 9.3.1",
        assumptions=_CLASS,
        parameters={"a": (0.1, 0.4), "b": (0.5, 0.8)},
        method=make_method(gradient_descent_backtracking),
        steps={
            "max_step": lambda: 1.0,
            "grow": lambda: 1e12,
            "slope_fraction": lambda a: a,
            "shrink": lambda b: b,
        },
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, mu, f0, a, b: (
            (1 - np.minimum(2 * mu * a, 2 * b * a * mu / L)) ** k * f0
        ),
        k_range=(1, 50),
        instances=lambda a, b: _members(extreme_parabolas),
    )
