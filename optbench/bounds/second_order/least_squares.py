"""Gauss-Newton and Levenberg-Marquardt."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import EXACT_GRADIENTS, QUADRATIC, STRONGLY_CONVEX, Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import (
    FAR,
    NUM_RANDOM,
)
from optbench.bounds.second_order.instances import linear_members, tumors
from optbench.case import Instance
from optbench.formula import contracted, one_step
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.natural.natural_gradient_variants import natural_gradient_dense
from optbench.optimizers.second_order.dense_newton import newton
from optbench.optimizers.second_order.least_squares import gauss_newton
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Constants, Problem
from optbench.quantity import DISTANCE, RELATIVE_DISTANCE
from optbench.start import start_near

RESIDUALS = Assumption(
    "a sum of squares",
    lambda problem: problem.residuals is not None,
    "set Problem.residuals, with f = |r|^2 / 2",
)
OUTPUTS = Assumption(
    "outputs and their loss",
    lambda problem: problem.has_fisher,
    "set Problem.outputs and Problem.output_loss",
)


def relaxed(inner: Optimizer, learning_rate: Scalar = 1.0) -> Optimizer:
    """x_{k+1} = x_k + eta (G(x_k) - x_k), G(x) where the inner method moves from x, begun anew.

    It is for methods of optimistix, whose first step judges the start and whose second one moves.

    Calls per step: those of two steps of the inner method, beyond the evaluation at the next point.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params = evaluation.params
        judged = inner.step(evaluation, inner.begin(params, oracle.problem), oracle)
        moved = inner.step(evaluation, judged.state, oracle)
        apart = trees.add_scaled(moved.params, -1.0, params)
        return Step(trees.add_scaled(params, learning_rate, apart), state, moved.calls)

    return Optimizer(lambda params: (), step)


def gauss_newton_linear_onestep() -> Theorem:
    """Gauss-Newton, which is Newton's method there, on linear least squares: x_1 = x*.

    Source: elementary: the Hessian is J^T J.
    """
    return Theorem(
        name="gauss_newton_linear_onestep",
        statement="Gauss-Newton solves linear least squares in one step, which is Newton's.",
        latex=r"x_1 = x_\star",
        source="elementary",
        assumptions=(EXACT_GRADIENTS, RESIDUALS, STRONGLY_CONVEX, QUADRATIC),
        method=make_method(relaxed, inner=make_method(gauss_newton)),
        also=(make_method(newton),),
        steps={"learning_rate": lambda: 1.0},
        quantity=RELATIVE_DISTANCE,
        formula=lambda k: 0.0 * k,
        direction="identity",
        k_range=(1, 1),
        instances=linear_members,
    )


def _along_a_singular_vector(instance: Instance) -> Instance:
    """From x* + 1.5 v, A v = s u, s the middle singular value, with the letter s."""
    problem = instance.problem
    _, values, vectors = np.linalg.svd(problem.data[0], full_matrices=False)
    middle = len(values) // 2
    started = dataclasses.replace(
        problem, start=start_near(problem.minimizer + 1.5 * vectors[middle])
    )
    return Instance(instance.kind, started, symbols={"s": float(values[middle])})


def lm_linear_mode() -> Theorem:
    """Levenberg-Marquardt with a fixed damping lambda on linear least squares.

        |x_k - x*| = (lambda / (s^2 + lambda))^k |x_0 - x*|

    where x_0 - x* is a singular vector of J with the singular value s. It is the proximal point
    method, and an implicit Euler step of the gradient flow; with f = |J x - b|^2 / 2 it is also the
    natural gradient of the suite, damped, for outputs J x - b.

    Source: elementary: (J^T J + lambda I)^{-1} J^T J v = s^2 / (s^2 + lambda) v.
    """

    def instances(lam: float) -> list[Instance]:
        return [_along_a_singular_vector(i) for i in linear_members()]

    def growth(k: np.ndarray, lam: float, mu: float) -> np.ndarray:
        return contracted(k, lam / (mu + lam))

    return Theorem(
        name="lm_linear_mode",
        statement="Each step of Levenberg-Marquardt with damping lambda multiplies the error along "
        "a singular vector by lambda / (s^2 + lambda), on linear least squares.",
        latex=r"|v^T (x_k - x_\star)| = (\frac{\lambda}{\sigma^2 + \lambda})^k "
        r"|v^T (x_0 - x_\star)|",
        source="elementary",
        assumptions=(EXACT_GRADIENTS, OUTPUTS, STRONGLY_CONVEX, QUADRATIC),
        given={"s": "the singular value of J along x_0 - x*"},
        parameters={"lam": (0.1, 2.0)},
        method=make_method(natural_gradient_dense),
        steps={"learning_rate": lambda: 1.0, "damping": lambda lam: lam},
        quantity=DISTANCE,
        formula=lambda k, lam, s, R: (lam / (s**2 + lam)) ** k * R,
        direction="identity",
        error_growth=growth,
        k_range=(1, 40),
        instances=instances,
    )


def _bent_residuals(params: Any, features: Any, targets: Any, bends: Any) -> Any:
    return features * params[0] + bends * params[0] ** 2 / 2 - targets


def _bent_squares(params: Any, features: Any, targets: Any, bends: Any) -> Any:
    return jnp.sum(_bent_residuals(params, features, targets, bends) ** 2) / 2


def bent_fit(
    name: str, features: np.ndarray, targets: np.ndarray, bends: np.ndarray, start: float
) -> tuple[Problem, dict[str, float]]:
    """One parameter x, residuals a_i x + c_i x^2 / 2 - y_i, and the letters S and J2 at x*.

    x* is the minimizer nearest to 0, by Newton's method on the cubic equation J^T r = 0.

    Args:
        name: of the problem.
        features: a.
        targets: y.
        bends: c.
        start: x_0 - x*.
    """
    x = 0.0
    for _ in range(50):
        residuals, slopes = features * x + bends * x**2 / 2 - targets, features + bends * x
        x -= (slopes @ residuals) / (slopes @ slopes + residuals @ bends)
    residuals, slopes = features * x + bends * x**2 / 2 - targets, features + bends * x
    problem = Problem(
        objective=_bent_squares,
        residuals=_bent_residuals,
        data=(features, targets, bends),
        start=start_near(np.array([x + start]), scale=0.1 * abs(start)),
        minimum=float(residuals @ residuals / 2),
        minimizer=np.array([x]),
        minimum_kind="closed form",
        constants=Constants(),
        name=name,
    )
    return problem, {"S": float(residuals @ bends), "J2": float(slopes @ slopes)}


def _bent_line(kind: Any, seed: int, offset: float) -> Instance:
    """A random slope and bend, x* = offset, and a residual there that is not 0."""
    rng = np.random.default_rng(seed)
    slope, bend = rng.uniform(0.5, 2.0, 2)
    share = rng.uniform(0.3, 0.8) * rng.choice([-1.0, 1.0])
    features, bends = np.array([slope, -bend * offset, 0.0]), np.array([0.0, bend, 0.0])
    targets = np.array(
        [slope * offset, -share * slope**2 / bend - bend * offset**2 / 2, 0.0]
    )  # so that r = (a (x - x*), share a^2 / c + c (x - x*)^2 / 2)
    problem, letters = bent_fit(f"bent_fit[seed={seed}]", features, targets, bends, 1e-3)
    return Instance(kind, problem, symbols=letters)


def _bent_tumors() -> Instance:
    """Smoothness, from texture and symmetry, in three rows."""
    features, _ = tumors()
    rotated = np.linalg.qr(features[:, :3])[1]
    problem, letters = bent_fit("bent_tumors", rotated[:, 0], rotated[:, 1], rotated[:, 2], 1e-3)
    return Instance("data", problem, symbols=letters)


def gauss_newton_rate() -> Theorem:
    """Gauss-Newton on residuals of one parameter, near a minimizer x* with J^T J = J2.

        |x_{k+1} - x*| / |x_k - x*| -> |S| / J2,   S = sum_i r_i r_i'' at x*.

    Where the residuals vanish at x* convergence is quadratic. Seen at steps 4 to 7, from 1e-3 away.

    Source: Dennis and Schnabel (1996), Theorem 10.2.1.
    """
    return Theorem(
        name="gauss_newton_rate",
        statement="Gauss-Newton on residuals of one parameter converges with the factor |S| / J2, "
        "S the sum of the residuals times their second derivatives, J2 the squared Jacobian.",
        latex=r"\frac{|x_{k+1} - x_\star|}{|x_k - x_\star|} \to \frac{|S|}{J^T J},\quad "
        r"S = \sum_i r_i r_i''",
        source="Dennis and Schnabel (1996), Theorem 10.2.1",
        assumptions=(EXACT_GRADIENTS, RESIDUALS),
        given={"S": "sum of r_i r_i'' at x*", "J2": "J^T J at x*"},
        direction="identity",
        tolerance=1e-4,
        method=make_method(relaxed, inner=make_method(gauss_newton)),
        steps={"learning_rate": lambda: 1.0},
        quantity=DISTANCE,
        formula=lambda S, J2, r_before: abs(S) / J2 * r_before,
        error_growth=one_step,
        k_range=(4, 7),
        instances=lambda: [
            *(_bent_line("random", seed, 0.0) for seed in range(NUM_RANDOM)),
            _bent_line("translated", NUM_RANDOM, FAR / 10),
            _bent_tumors(),
        ],
    )
