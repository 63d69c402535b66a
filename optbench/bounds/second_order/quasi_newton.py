"""BFGS: superlinear rates on quadratics, and conjugate gradients in disguise."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench import trees
from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import NUM_RANDOM, quadratic
from optbench.bounds.second_order.agreement import APART, Twins, agreement
from optbench.bounds.second_order.instances import tumor_regression
from optbench.case import Case, Instance
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.linear_cg import conjugate_gradient
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import DISTANCE, Quantity
from optbench.recursion import Path, Recursion

DIGITS = 120  # of the numbers in which BFGS is followed

NEWTON_DECREMENT = Quantity(
    "Newton decrement at x_k", r"\lambda_k", (), DISTANCE.observe, DISTANCE.rounding
)
POSITIVE_DEFINITE = Assumption(
    name="a positive definite quadratic",
    holds=lambda case: case.symbols["mu"] > 0,
    hint="give a matrix with positive eigenvalues only",
)


def _decimals(values: Any) -> Any:
    """An array of decimals."""
    return np.vectorize(Decimal, otypes=[object])(values)


def _unit_bfgs(case: Case, k: np.ndarray, learning_rate: float, curvature: float) -> Path:
    """lambda_k = sqrt(x^T A x) of BFGS on x^T A x / 2, from B_0 = L I, with H_k = B_k^{-1}.

    x_{k+1} = x_k - eta H_k A x_k, and the update of `bfgs` with s = x_{k+1} - x_k, y = A s.
    """
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = DIGITS, -(10**9), 10**9
        matrix, point = _decimals(case.data[0]), _decimals(case.data[1])
        eye = _decimals(np.eye(len(point), dtype=int))
        inverse, eta, decrements = eye / Decimal(curvature), Decimal(learning_rate), []
        for _ in range(int(k[-1]) + 1):
            decrements.append(float((point @ matrix @ point).sqrt()))
            moved = -eta * inverse @ (matrix @ point)
            change = matrix @ moved
            product = moved @ change
            if product > 0:
                left = eye - np.outer(moved, change) / product
                inverse = left @ inverse @ left.T + np.outer(moved, moved) / product
            point = point + moved
    return Path(np.array(decrements)[k])


_UNIT_STEPS: dict[str, Any] = {"learning_rate": lambda: 1.0, "curvature": lambda L: L}
_LETTERS = {
    "L": "the largest eigenvalue",
    "mu": "the smallest eigenvalue",
    "n": "number of dimensions",
    "lam0": "the Newton decrement at x_0",
}


def _diagonal(name: str, spectrum: Any, point: Any) -> Case:
    """The quadratic with a diagonal matrix: BFGS from a multiple of I is the same in each basis."""
    spectrum, point = np.asarray(spectrum, float), np.asarray(point, float)
    symbols = {"L": spectrum.max(), "mu": spectrum.min(), "n": float(len(spectrum))}
    symbols["lam0"] = float(np.sqrt(np.sum(spectrum * point**2)))
    return Case(name=name, symbols=symbols, data=(np.diag(spectrum), point))


def _quadratics(spread: float) -> list[Instance]:
    """One-dimensional ones with a wrong first curvature, and random ones in 2 and 5 dimensions.

    Args:
        spread: L / mu of the random ones.
    """

    def random(seed: int) -> Case:
        rng = np.random.default_rng(seed)
        n = (2, 5)[seed % 2]
        spectrum = 0.25 * np.exp(np.log(spread) * np.r_[0, 1, rng.random(n - 2)])
        return _diagonal(f"quadratic in {n} dimensions[seed={seed}]", spectrum, rng.normal(size=n))

    return [
        *(
            Instance("worst", _diagonal(f"one slow direction[mu={mu}]", [mu, 4.0], [1.5, 0.0]))
            for mu in (0.25, 4 / 3, 8 / 3)
        ),
        *(Instance("random", random(seed)) for seed in range(NUM_RANDOM)),
    ]


def _line(share: float) -> Instance:
    """A parabola of curvature mu = share L, of which the method knows L alone."""
    case = _diagonal(f"line[mu/L={share:.3g}]", [4.0 * share], [1.5])
    return Instance(
        "worst", Case(name=case.name, symbols={**case.symbols, "L": 4.0}, data=case.data)
    )


def bfgs_linear() -> Theorem:
    """BFGS with unit steps from B_0 = L I on a quadratic with eigenvalues in [mu, L].

        lambda_k <= (1 - mu / L)^k lambda_0,   lambda_k = |A^(1/2) (x_k - x*)|.

    Attained in the first step along the eigenvector of mu, whose curvature BFGS knows from then on.

    Source: Rodomanov and Nesterov (2022), Math. Program. 194, Theorem 3.1; its number is from
    memory.
    """
    return Theorem(
        name="bfgs_linear",
        statement="BFGS with unit steps from B_0 = L I on a quadratic shrinks the Newton decrement "
        "by at least 1 - mu / L in each step.",
        latex=r"\lambda_k \le (1 - \frac{\mu}{L})^k \lambda_0",
        source="Rodomanov and Nesterov (2022), Theorem 3.1",
        assumptions=(POSITIVE_DEFINITE,),
        given=_LETTERS,
        method=Recursion("BFGS in 120 digits", _unit_bfgs),
        steps=_UNIT_STEPS,
        quantity=NEWTON_DECREMENT,
        formula=lambda k, L, mu, lam0: (1 - mu / L) ** k * lam0,
        k_range=(1, 40),
        attained_at=(1,),
        instances=lambda: _quadratics(spread=16.0),
    )


def bfgs_superlinear_1() -> Theorem:
    """BFGS with unit steps from B_0 = L I on a quadratic with eigenvalues in [mu, L].

        lambda_k <= (n L / (mu k))^(k / 2) lambda_0,   lambda_k = |A^(1/2) (x_k - x*)|.

    It tells more than the linear rate once k > n L / mu. On a line with mu = L / 3 the first step
    takes 0.385 of it.

    Source: Rodomanov and Nesterov (2022), Math. Program. 194, "Rates of superlinear convergence for
    classical quasi-Newton methods", known here from its abstract.
    """
    return Theorem(
        name="bfgs_superlinear_1",
        statement="BFGS with unit steps from B_0 = L I on a quadratic shrinks the Newton decrement "
        "to (n L / (mu k))^(k / 2) times the first, k steps on.",
        latex=r"\lambda_k \le (\frac{n L}{\mu k})^{k/2} \lambda_0",
        source="Rodomanov and Nesterov (2022), Math. Program. 194",
        assumptions=(POSITIVE_DEFINITE,),
        given=_LETTERS,
        method=Recursion("BFGS in 120 digits", _unit_bfgs),
        steps=_UNIT_STEPS,
        quantity=NEWTON_DECREMENT,
        formula=lambda k, n, L, mu, lam0: (n * L / (mu * k)) ** (k / 2) * lam0,
        k_range=(1, 40),
        instances=lambda: [_line(1 / 3), *_quadratics(spread=4.0)],
    )


def bfgs_superlinear_2() -> Theorem:
    """BFGS with unit steps from B_0 = L I on a quadratic with eigenvalues in [mu, L].

        lambda_k <= sqrt(L / mu) (exp(n / k log(L / mu)) - 1)^(k / 2) lambda_0.

    It tells more than the linear rate once k is above n log(L / mu), up to a constant. On a line
    with mu = 2 L / 3 the first step takes 0.385 of it.

    Source: Rodomanov and Nesterov (2021), J. Optim. Theory Appl. 188, "New results on superlinear
    convergence of classical quasi-Newton methods"; the factor sqrt(L / mu) is from memory.
    """
    return Theorem(
        name="bfgs_superlinear_2",
        statement="BFGS with unit steps from B_0 = L I on a quadratic shrinks the Newton decrement "
        "to sqrt(L / mu) (exp(n / k log(L / mu)) - 1)^(k / 2) times the first, k steps on.",
        latex=r"\lambda_k \le \sqrt{L / \mu} (e^{\frac{n}{k} \ln\frac{L}{\mu}} - 1)^{k/2} "
        r"\lambda_0",
        source="Rodomanov and Nesterov (2021), J. Optim. Theory Appl. 188",
        assumptions=(POSITIVE_DEFINITE,),
        given=_LETTERS,
        method=Recursion("BFGS in 120 digits", _unit_bfgs),
        steps=_UNIT_STEPS,
        quantity=NEWTON_DECREMENT,
        formula=lambda k, n, L, mu, lam0: (
            np.sqrt(L / mu) * np.expm1(n / k * np.log(L / mu)) ** (k / 2) * lam0
        ),
        k_range=(1, 40),
        instances=lambda: [_line(2 / 3), *_quadratics(spread=16.0)],
    )


def exact_lbfgs(learning_rate: Scalar = 1.0, memory_size: int = 10) -> Optimizer:
    """L-BFGS with the step that is exact on quadratics, times `learning_rate`.

    x_{k+1} = x_k + eta t p, p = -H_k g and t = -g^T p / p^T (hess f) p, with H_k that of `lbfgs`:
    all pairs of the last `memory_size` steps, and I scaled by the newest. While it holds all pairs
    it is BFGS. The point stays where g = 0.

    Calls per step: a Hessian product, beyond the evaluation at the next point.
    Source: Nocedal and Wright (2006), algorithm 7.4; optax.scale_by_lbfgs.
    """
    rule = optax.scale_by_lbfgs(memory_size=memory_size)

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, grad = evaluation.params, evaluation.grad
        direction, after = rule.update(grad, state, params)
        curvature = trees.dot(direction, oracle.hessian_product(params)(direction))
        still = curvature == 0
        length = trees.dot(grad, direction) / jnp.where(still, 1.0, curvature)
        length = jnp.where(still, 0.0, learning_rate * length)
        point = trees.add_scaled(params, -length, direction)
        return Step(point, jax.tree.map(_as, after, state), Calls(hessian_products=1))

    return Optimizer(rule.init, step)


def _as(after: Params, before: Params) -> Params:
    """The new leaf in the dtype of the old."""
    return jnp.asarray(after).astype(jnp.asarray(before).dtype)


def bfgs_els_equals_cg() -> Theorem:
    """L-BFGS of any memory with exact line searches on a quadratic takes the steps of CG.

    So does BFGS, which is L-BFGS that forgets nothing. The defect is |x_k - y_k| over the
    length of the path, y_k the points of `conjugate_gradient`: in n steps both are at x*.

    Source: Nazareth (1979); Nocedal and Wright (2006), Theorem 6.4 and section 7.2.
    """

    def twins(problem: Problem) -> Case:
        reference = make_method(conjugate_gradient)
        pair = Twins(problem, problem, reference, np.eye(problem.dim))
        return Case(name=problem.name, symbols={}, data=pair)

    return Theorem(
        name="bfgs_els_equals_cg",
        statement="BFGS, and L-BFGS of any memory, with exact line searches on a quadratic take "
        "the steps of conjugate gradients.",
        latex=r"x_k^{BFGS} = x_k^{CG}",
        source="Nazareth (1979); Nocedal and Wright (2006), Theorem 6.4",
        direction="identity",
        parameters={"memory": (1.0, 10.0)},
        method=agreement(make_method(exact_lbfgs)),
        steps={"learning_rate": lambda: 1.0, "memory_size": lambda memory: int(memory)},
        quantity=APART,
        formula=lambda k: 0.0 * k,
        k_range=(1, 5),
        instances=lambda memory: [
            *(Instance("random", twins(quadratic(seed))) for seed in range(NUM_RANDOM)),
            Instance("data", twins(tumor_regression())),
        ],
    )
