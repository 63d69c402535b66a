"""AdaGrad, and Adam without momentum, on smooth functions."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import CONVEX, EXACT_GRADIENTS, MINIMIZER, MINIMUM, SMOOTH, Assumption
from optbench.bound import Theorem
from optbench.bounds.adaptive.instances import (
    between,
    bowl,
    diabetes,
    largest_partial,
    robust_diabetes,
    welsch_regression,
)
from optbench.bounds.adaptive.quantities import (
    BEST_SQUARED_GRADIENT_BEFORE,
    MEAN_SQUARED_GRADIENT,
    coordinates,
)
from optbench.bounds.instances import FAR, quadratic
from optbench.case import Instance, InstanceKind
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.adaptive.moments import adagrad
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import Quantity, smoothness_of
from optbench.symbol import values_at
from optbench.trajectory import Trajectory

CONSTRAINED = Assumption(
    "a feasible set",
    lambda p: p.constrained,
    "give Problem.prox, the projection on it, without Problem.nonsmooth",
)


def adagrad_norm(learning_rate: Scalar = 1.0, initial: Scalar = 0.0) -> Optimizer:
    """x_{k+1} = P(x_k - eta g / b_{k+1}), b_{k+1}^2 = b_k^2 + |g|^2, b_0 = `initial`.

    P is the projection on the feasible set, where there is one.

    Source: Streeter and McMahan (2010); Ward, Wu and Bottou (2019), algorithm 1.
    """

    def init(params: Params) -> State:
        return jnp.asarray(initial, trees.norm(params).dtype) ** 2

    def step(evaluation: Evaluation, total: jax.Array, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        total = total + trees.dot(grad, grad)
        scale = jnp.where(total > 0, learning_rate / jnp.sqrt(jnp.where(total > 0, total, 1)), 0)
        point = oracle.project(trees.add_scaled(params, -scale, grad))
        return Step(point, total, Calls(prox=1))

    return Optimizer(init, step, feasible=True)


def _means(trajectory: Trajectory) -> np.ndarray:
    """[T, n] the mean of x_0 to x_{k-1}; x_0 at the start."""
    points = coordinates(trajectory)
    counts = np.arange(1, len(points) + 1)[:, None]
    means = np.cumsum(points, axis=0) / counts
    return np.concatenate([points[:1], means[:-1]])


def _mean_rounding(problem: Problem, trajectory: Trajectory, shift: np.ndarray) -> np.ndarray:
    longest = float(np.nanmax(trajectory.gradient_norm))
    return longest * shift + smoothness_of(problem) / 2 * shift**2


MEAN_POINT_BEFORE = Quantity(
    "f(mean of x_0..x_{k-1}) - f*",
    r"f(\frac{1}{k} \sum_{i<k} x_i) - f_\star",
    (MINIMUM, MINIMIZER),
    lambda p, t: values_at(p, _means(t)) - p.known_minimum,
    _mean_rounding,
)


def adagrad_norm_smooth() -> Theorem:
    """Projected AdaGrad-Norm from b_0 = 0 with the step D / sqrt(2), D the diameter of the set.

        f((x_0 + ... + x_{k-1}) / k) - f* <= 4 L D^2 / k

    for L-smooth convex f with grad f(x*) = 0 at an x* in the set. The regret is at most
    sqrt(2) D sqrt(sum |g|^2) (`adagrad_norm_regret`), and |g|^2 <= 2 L (f - f*).

    Source: Levy (2017), Theorem 1.1 (its number is from memory); the constant is derived here.
    """

    def instances() -> list[Instance]:
        found: list[tuple[InstanceKind, Problem]] = [
            ("random", bowl(0.0)),
            ("translated", bowl(FAR)),
            *(("random", quadratic(seed)) for seed in (0, 1)),
            ("random", bowl(0.0, slope=1.0)),
            ("data", diabetes()),
        ]
        balls: list[tuple[InstanceKind, Problem]] = [(kind, between(p)) for kind, p in found]
        return [Instance(kind, p, symbols={"D": 2 * float(p.data[-1])}) for kind, p in balls]

    return Theorem(
        name="adagrad_norm_smooth",
        statement="The mean of k points of projected AdaGrad-Norm with the step D / sqrt(2) is "
        "within 4 L D^2 / k of the minimum of an L-smooth convex function.",
        latex=r"f(\bar x_k) - f_\star \le \frac{4 L D^2}{k}",
        source="Levy (2017), Theorem 1.1",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, CONSTRAINED),
        method=make_method(adagrad_norm),
        steps={"learning_rate": lambda D: D / np.sqrt(2)},
        given={"D": "the diameter of the feasible set"},
        quantity=MEAN_POINT_BEFORE,
        formula=lambda k, L, D: 4 * L * D**2 / k,
        instances=instances,
    )


def adagrad_norm_nonconvex() -> Theorem:
    """AdaGrad-Norm from b_0 = eta L on an L-smooth function, convex or not.

        min_{i<k} |grad f(x_i)|^2 <= 2 f_0 / (eta k) (b_0 + 2 f_0 / eta),   f_0 = f(x_0) - f*.

    Here eta = c sqrt(f_0 / L). Each step lowers f by eta |g|^2 / (2 b), so sum |g|^2 / b is at
    most 2 f_0 / eta, and b_k at most b_0 more.

    Source: Ward, Wu and Bottou (2019), Theorem 2.2 for b_0 >= eta L.
    """

    def rate(c: float, f0: float, L: float) -> float:
        return c * np.sqrt(f0 / L)

    def bound(k: np.ndarray, L: float, f0: float, c: float) -> np.ndarray:
        eta = rate(c, f0, L)
        return 2 * f0 / (eta * k) * (eta * L + 2 * f0 / eta)

    return Theorem(
        name="adagrad_norm_nonconvex",
        statement="Within k steps of AdaGrad-Norm from b_0 = eta L on an L-smooth function |g|^2 "
        "falls to 2 f0 / (eta k) (b_0 + 2 f0 / eta).",
        latex=r"\min_{i<k} \|\nabla f(x_i)\|^2 \le \frac{2 f_0}{\eta k}"
        r"\left(b_0 + \frac{2 f_0}{\eta}\right)",
        source="Ward, Wu and Bottou (2019), Theorem 2.2",
        assumptions=(EXACT_GRADIENTS, SMOOTH),
        parameters={"c": (0.5, 2.0)},
        method=make_method(adagrad_norm),
        steps={"learning_rate": rate, "initial": lambda c, f0, L: rate(c, f0, L) * L},
        quantity=BEST_SQUARED_GRADIENT_BEFORE,
        formula=bound,
        instances=lambda c: [
            Instance("random", bowl(0.0)),
            Instance("translated", bowl(FAR)),
            *(Instance("random", welsch_regression(seed)) for seed in range(3)),
            Instance("random", quadratic(0)),
            Instance("data", diabetes()),
        ],
    )


def _bounded() -> list[Instance]:
    """Problems whose partial derivatives are bounded, by B - sqrt(ep), with ep = B^2 / 9."""
    found: list[tuple[InstanceKind, Problem]] = [
        ("random", bowl(0.0, slope=0.5)),
        ("translated", bowl(FAR, slope=0.5)),
        *(("random", welsch_regression(seed)) for seed in range(2)),
        ("data", robust_diabetes()),
    ]
    bounds: list[tuple[InstanceKind, Problem, float]] = [
        (kind, p, 1.5 * largest_partial(p)) for kind, p in found
    ]
    return [Instance(kind, p, symbols={"B": b, "ep": b**2 / 9}) for kind, p, b in bounds]


GIVEN = {"B": "a bound on |d_i f| + sqrt(ep)", "ep": "what is added to the sum of squares"}


def adagrad_defossez() -> Theorem:
    """Diagonal AdaGrad, x = x - a g / sqrt(ep + sum g^2), on an L-smooth function, convex or not.

        mean_{i<k} |grad f(x_i)|^2 <= 2 B f_0 / (a sqrt(k))
                                      + (4 n B^2 + a n B L) / sqrt(k) ln(1 + k B^2 / ep),

    where |d_j f| <= B - sqrt(ep) everywhere, f_0 = f(x_0) - f*, in n dimensions.

    Source: Defossez, Bottou, Bach and Usunier (2022), Theorem 1.
    """
    return Theorem(
        name="adagrad_defossez",
        statement="Over k steps of AdaGrad on an L-smooth function with bounded partial "
        "derivatives the mean of |g|^2 falls like ln(k) / sqrt(k), with explicit constants.",
        latex=r"\frac{1}{k} \sum_{i<k} \|\nabla f(x_i)\|^2 \le \frac{2 B f_0}{a \sqrt k} + "
        r"\frac{4 n B^2 + a n B L}{\sqrt k} \ln\left(1 + \frac{k B^2}{\epsilon}\right)",
        source="Defossez, Bottou, Bach and Usunier (2022), Theorem 1",
        assumptions=(EXACT_GRADIENTS, SMOOTH),
        parameters={"a": (0.006, 0.3)},
        method=make_method(adagrad),
        steps={
            "learning_rate": lambda a: a,
            "initial_accumulator_value": lambda ep: ep,
            "eps": lambda: 0.0,
        },
        given=GIVEN,
        quantity=MEAN_SQUARED_GRADIENT,
        formula=lambda k, a, B, ep, f0, L, n: (
            2 * B * f0 / (a * np.sqrt(k))
            + (4 * n * B**2 + a * n * B * L) / np.sqrt(k) * np.log1p(k * B**2 / ep)
        ),
        k_range=(1, 10_000),
        instances=lambda a: _bounded(),
    )


class _Squares(NamedTuple):
    total: Params
    count: jax.Array


def adam_without_momentum(
    learning_rate: Scalar = 1e-3, decay: Scalar = 0.99, eps: Scalar = 1e-8
) -> Optimizer:
    """v = b v + g^2 and x = x - a sqrt((1 - b^k) / (1 - b)) g / sqrt(eps + v), b = `decay`.

    Source: Defossez, Bottou, Bach and Usunier (2022), equations 1 to 3 with beta_1 = 0.
    """

    def init(params: Params) -> State:
        return _Squares(jax.tree.map(jnp.zeros_like, params), jnp.int32(0))

    def step(evaluation: Evaluation, state: _Squares, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        count = state.count + 1
        total = jax.tree.map(lambda v, g: decay * v + g**2, state.total, grad)
        scaled = jax.tree.map(lambda v, g: g / jnp.sqrt(eps + v), total, grad)
        length = learning_rate * jnp.sqrt((1 - decay**count) / (1 - decay))
        return Step(trees.add_scaled(params, -length, scaled), _Squares(total, count))

    return Optimizer(init, step)


def adam_defossez() -> Theorem:
    """Adam without momentum, N steps with b = 1 - 1 / N and a = c / sqrt(N), for L-smooth f.

        mean_{i<N} |grad f(x_i)|^2 <= 2 B f_0 / (c sqrt(N))
            + (4 n B^2 / sqrt(N) + c n B L / sqrt(N)) (ln(1 + N B^2 / ep) - N ln(1 - 1 / N)),

    where |d_j f| <= B - sqrt(ep) everywhere, f_0 = f(x_0) - f*, in n dimensions. Derived as in the
    source: sum_i g_i^2 / (ep + v_i) <= ln(1 + B^2 / ((1 - b) ep)) - N ln b in each coordinate.

    Source: Defossez, Bottou, Bach and Usunier (2022), Theorem 2 (from memory).
    """

    def bound(*, N: float, c: float, B: float, ep: float, f0: float, L: float, n: float) -> float:
        spread = np.log1p(N * B**2 / ep) - N * np.log1p(-1 / N)
        return (2 * B * f0 / c + (4 * n * B**2 + c * n * B * L) * spread) / np.sqrt(N)

    return Theorem(
        name="adam_defossez",
        statement="Over N steps of Adam without momentum, b = 1 - 1/N and a = c / sqrt(N), on an "
        "L-smooth function with bounded partial derivatives the mean |g|^2 is O(ln N/sqrt N).",
        latex=r"\frac{1}{N} \sum_{i<N} \|\nabla f(x_i)\|^2 \le \frac{1}{\sqrt N} \left("
        r"\frac{2 B f_0}{c} + (4 n B^2 + c n B L) \left(\ln(1 + \frac{N B^2}{\epsilon}) - "
        r"N \ln(1 - \frac{1}{N})\right)\right)",
        source="Defossez, Bottou, Bach and Usunier (2022), Theorem 2",
        assumptions=(EXACT_GRADIENTS, SMOOTH),
        parameters={"N": (2000,), "c": (0.03, 1.0)},
        method=make_method(adam_without_momentum),
        steps={
            "learning_rate": lambda c, N: c / np.sqrt(N),
            "decay": lambda N: 1 - 1 / N,
            "eps": lambda ep: ep,
        },
        given=GIVEN,
        quantity=MEAN_SQUARED_GRADIENT,
        formula=bound,
        k_range=lambda N: (N, N),
        instances=lambda N, c: _bounded(),
    )
