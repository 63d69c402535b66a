"""Newton's method on self-concordant functions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import CONVEX, EXACT_GRADIENTS, MINIMIZER, MINIMUM
from optbench.bound import Theorem
from optbench.bounds.adaptive.quantities import by_recursion
from optbench.bounds.instances import FAR, NUM_RANDOM
from optbench.bounds.second_order.barrier_instances import (
    barrier_members,
    exponential_regression,
    line_barrier,
    random_barrier,
)
from optbench.bounds.second_order.instances import curvatures_at_minimizer
from optbench.case import Case, Instance
from optbench.formula import one_step
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.second_order import dense_matrix
from optbench.optimizers.second_order.dense_newton import damped_newton, newton
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Problem
from optbench.quantity import EPS, SUBOPTIMALITY, Quantity
from optbench.recursion import Path, Recursion
from optbench.run import run_on
from optbench.symbol import decrements_at, values_at
from optbench.trajectory import Trajectory

_GIVEN = {"M_f": "the constant of self-concordance, 1 where f is standard self-concordant"}
_GATHERED = 100 * EPS  # rounding of a decrement from the sum over rows


def _decrement_rounding(problem: Problem, t: Trajectory, shift: np.ndarray) -> np.ndarray:
    """The shift of x_k times the root of the largest curvature at x*, and that of the sums."""
    return np.sqrt(curvatures_at_minimizer(problem)[-1]) * shift + _GATHERED


DECREMENT = Quantity(
    "Newton decrement at x_k",
    r"\lambda_k",
    (MINIMIZER,),
    lambda p, t: decrements_at(p, t.params),
    _decrement_rounding,
)


def _decrease_rounding(problem: Problem, t: Trajectory, shift: np.ndarray) -> np.ndarray:
    """That of f(x_k), and 4 n eps |f(x_{k-1})|."""
    before = np.concatenate([[np.nan], np.abs(t.value[:-1])])
    return SUBOPTIMALITY.rounding(problem, t, shift) + 4 * problem.dim * EPS * before


DECREASE = Quantity(
    "f(x_{k-1}) - f(x_k)",
    r"f(x_{k-1}) - f(x_k)",
    (MINIMUM, MINIMIZER),
    lambda p, t: np.concatenate([[np.nan], -np.diff(t.value)]),
    _decrease_rounding,
)


def sc_newton_decrement() -> Theorem:
    """Newton's method with full steps on a self-concordant function of constant M_f.

        M_f lambda_{k+1} <= (M_f lambda_k / (1 - M_f lambda_k))^2,   M_f lambda_k < 1,

    with the Newton decrement lambda = sqrt(g^T H^{-1} g). The barrier d - log d squares it exactly,
    which is within 2 % at a decrement of 1 / 100.

    Source: Nesterov (2018), Theorem 5.2.2; Nesterov and Nemirovski (1994), Theorem 2.2.2; both
    numbers are from memory.
    """

    def bound(M_f: float, decrement_before: np.ndarray) -> np.ndarray:
        left = 1 - M_f * decrement_before
        squared = M_f * (decrement_before / np.where(left > 0, left, 1.0)) ** 2
        return np.where(left > 0, squared, np.inf)

    return Theorem(
        name="sc_newton_decrement",
        statement="A full step of Newton's method on a self-concordant function takes M_f times "
        "the Newton decrement from lambda < 1 to at most (lambda / (1 - lambda))^2.",
        latex=r"M_f \lambda_{k+1} \le (\frac{M_f \lambda_k}{1 - M_f \lambda_k})^2",
        source="Nesterov (2018), Theorem 5.2.2",
        assumptions=(EXACT_GRADIENTS, CONVEX),
        given=_GIVEN,
        method=make_method(newton),
        steps={"learning_rate": lambda: 1.0},
        quantity=DECREMENT,
        formula=bound,
        error_growth=one_step,
        k_range=(1, 5),
        instances=lambda: barrier_members((0.25, 4.0), (0.1, -0.4)),
    )


def damped_by_decrement(learning_rate: Scalar = 1.0, concordance: Scalar = 1.0) -> Optimizer:
    """x_{k+1} = x_k - eta / (1 + M_f lambda_k) H^{-1} g, lambda_k^2 = g^T H^{-1} g.

    eta = `learning_rate`, M_f = `concordance`: the damped Newton method for self-concordant f.

    Calls per step: n Hessian products, beyond the evaluation at the next point.
    Source: Nesterov (2018), equation 5.2.1; from memory.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, grad = evaluation.params, trees.coordinates(evaluation.grad)
        hessian = dense_matrix.columns(oracle.hessian_product(params), params)
        direction = jnp.linalg.solve(hessian, grad)
        length = learning_rate / (1 + concordance * jnp.sqrt(grad @ direction))
        move = trees.unpack(trees.layout_of(params), direction)
        point = trees.add_scaled(params, -length, move)
        return Step(point, state, Calls(hessian_products=grad.size))

    return Optimizer(lambda params: (), step)


def sc_damped_decrease() -> Theorem:
    """The damped Newton method on a self-concordant function of constant M_f.

        f(x_k) - f(x_{k+1}) >= (M_f lambda_k - log(1 + M_f lambda_k)) / M_f^2,

    with steps of 1 / (1 + M_f lambda_k) times Newton's. Attained by the barrier
    (d - log d) / M_f^2 from d = 1 + M_f lambda, whose first step ends at x*.

    Source: Nesterov (2018), Theorem 5.2.1; (2004), Theorem 4.1.12; from memory.
    """

    def bound(M_f: float, decrement_before: np.ndarray) -> np.ndarray:
        size = M_f * decrement_before
        return (size - np.log1p(size)) / M_f**2

    return Theorem(
        name="sc_damped_decrease",
        statement="A damped step of Newton's method on a self-concordant function lowers M_f^2 f "
        "by at least lambda - log(1 + lambda), lambda M_f times the Newton decrement.",
        latex=r"f(x_k) - f(x_{k+1}) \geq \frac{M_f \lambda_k - \log(1 + M_f \lambda_k)}{M_f^2}",
        source="Nesterov (2018), Theorem 5.2.1",
        assumptions=(EXACT_GRADIENTS, CONVEX),
        given=_GIVEN,
        direction="lower",
        method=make_method(damped_by_decrement),
        steps={"learning_rate": lambda: 1.0, "concordance": lambda M_f: M_f},
        quantity=DECREASE,
        formula=bound,
        error_growth=one_step,
        k_range=(1, 5),
        attained_at=(1,),
        instances=lambda: barrier_members((0.25, 4.0), (0.3, 2.0, -0.5)),
    )


def _shrinking(case: Case, k: np.ndarray) -> Path:
    """f - f* at x* + 0.8^k (x_0 - x*)."""
    problem, shares = case.data, 0.8 ** k[:, None]
    start = problem.start(0)
    points = problem.minimizer + shares * (start - problem.minimizer)
    values, decrements = values_at(problem, points), decrements_at(problem, points)
    size = np.abs(values) + abs(problem.known_minimum)
    rounding = 4 * len(start) * EPS * size + _GATHERED * decrements
    return Path(values - problem.known_minimum, {"decrement": decrements}, rounding)


def sc_gap_upper() -> Theorem:
    """The gap of a self-concordant function of constant M_f where M_f lambda < 1.

        f(x) - f* <= (-M_f lambda - log(1 - M_f lambda)) / M_f^2,

    lambda the Newton decrement at x. Observed on the way from x_0 to x*. Attained by the barrier
    (d - log d) / M_f^2 at all d < 1.

    Source: Nesterov (2018), Theorem 5.1.13; (2004), equation 4.1.11; from memory.
    """

    def bound(M_f: float, decrement: np.ndarray) -> np.ndarray:
        size = M_f * decrement
        return (-size - np.log1p(-size)) / M_f**2

    return Theorem(
        name="sc_gap_upper",
        statement="Where M_f times the Newton decrement of a self-concordant function is "
        "lambda < 1, M_f^2 (f - f*) is at most -lambda - log(1 - lambda).",
        latex=r"f(x) - f_\star \le \frac{-M_f \lambda - \log(1 - M_f \lambda)}{M_f^2}",
        source="Nesterov (2018), Theorem 5.1.13",
        given=_GIVEN,
        method=Recursion("points on the way to x*", _shrinking),
        quantity=SUBOPTIMALITY,
        formula=bound,
        k_range=(0, 8),
        attained_at=range(9),
        instances=lambda: [
            Instance(
                i.kind,
                Case(name=i.subject.name, symbols=i.symbols, data=i.subject),
            )
            for i in barrier_members((0.25, 4.0), (-0.6, 0.6))
        ],
    )


def _iterations(case: Case, k: np.ndarray, **steps: Any) -> Path:
    """How many steps Newton's method with an Armijo search takes to f - f* <= eps."""
    problem, eps = case.data, case.symbols["eps"]
    method = make_method(damped_newton, floor=1e-14, **steps)
    gaps = run_on(problem, method, 0, 30).value - problem.known_minimum
    steps_taken = float(np.argmax(gaps <= eps)) if np.any(gaps <= eps) else np.inf
    return Path(np.full(len(k), steps_taken))


def sc_newton_iterations() -> Theorem:
    """Newton's method with backtracking on a standard self-concordant function (M_f <= 1).

        N <= (f(x_0) - f*) / gamma + log2 log2(1 / eps),
        gamma = alpha beta (1 - 2 alpha)^2 / (20 - 8 alpha),

    N the steps to f - f* <= eps, alpha the share of the slope that the search asks for, beta the
    factor of a shorter trial. Near x* a barrier takes more than half of the second term.

    Source: Boyd and Vandenberghe (2004), equation 9.56.
    """
    eps = 1e-10
    near = (2.2 * eps) ** 0.125  # whose third step is the first to reach eps

    def bound(k: np.ndarray, f0: float, alpha: float, beta: float, eps: float) -> np.ndarray:
        gamma = alpha * beta * (1 - 2 * alpha) ** 2 / (20 - 8 * alpha)
        return f0 / gamma + np.log2(np.log2(1 / eps)) + 0 * k

    def case(kind: Any, problem: Problem) -> Instance:
        gap = float(values_at(problem, problem.start(0)[None])[0]) - problem.known_minimum
        return Instance(
            kind, Case(name=problem.name, symbols={"f0": gap, "eps": eps}, data=problem)
        )

    return Theorem(
        name="sc_newton_iterations",
        statement="Newton's method with backtracking on a standard self-concordant function "
        "reaches f - f* <= eps in (f(x_0) - f*) / gamma + log2 log2(1 / eps) steps.",
        latex=r"N \le \frac{f(x_0) - f_\star}{\gamma} + \log_2 \log_2 \frac{1}{\epsilon},\quad "
        r"\gamma = \frac{\alpha \beta (1 - 2 \alpha)^2}{20 - 8 \alpha}",
        source="Boyd and Vandenberghe (2004), equation 9.56",
        given={
            "f0": "f(x_0) - f*",
            "eps": "the gap to reach",
        },
        parameters={"alpha": (0.1, 0.15), "beta": (0.5, 0.9)},
        method=Recursion("steps of damped_newton", _iterations),
        steps={"slope_fraction": lambda alpha: alpha, "shrink": lambda beta: beta},
        quantity=by_recursion("steps to f - f* <= eps", "N"),
        formula=bound,
        k_range=(1, 1),
        instances=lambda alpha, beta: [
            case("worst", line_barrier(1.0, near, 0.0)),
            case("translated", line_barrier(1.0, 20.0, FAR)),
            *(case("random", random_barrier(seed)) for seed in range(NUM_RANDOM)),
            case("data", exponential_regression()),
        ],
    )
