"""Subgradient methods on convex functions with kinks."""

from __future__ import annotations

import jax
import numpy as np
import optax

from optbench import trees
from optbench.assumption import (
    CONVEX,
    EXACT_GRADIENTS,
    LIPSCHITZ,
    MINIMIZER,
    MINIMUM,
    STRONGLY_CONVEX,
)
from optbench.bound import Theorem
from optbench.bounds.instances import NUM_RANDOM, RADIUS
from optbench.bounds.nonsmooth.kinked_instances import (
    HORIZONS,
    against_longer,
    descending,
    opposed,
    resisting,
    with_others,
)
from optbench.bounds.nonsmooth.quadratic_instances import curved, curved_data, curved_random
from optbench.case import Instance
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.proximal import projected
from optbench.optimizers.first_order.step_sizes import subgradient
from optbench.optimizers.wrappers.schedules import linear_decay
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import BEST_SUBOPTIMALITY, SUBOPTIMALITY, Quantity
from optbench.symbol import values_at
from optbench.trajectory import Trajectory
from optbench.transformation import from_optax


def subgrad_best() -> Theorem:
    """The subgradient method with the constant step that is best for N steps.

        min_{i <= N} f(x_i) - f* <= G R / sqrt(N + 1),   step R / (G sqrt(N + 1)).

    Attained by `resisting`, as by every method; `against_longer` tells longer steps from these.

    Source: Nesterov (2018), Theorem 3.2.2 (its number is from memory); that no method does better:
    Drori and Teboulle (2016), Appendix A.
    """
    return Theorem(
        name="subgrad_best",
        statement="Of N + 1 points of the subgradient method with step R / (G sqrt(N + 1)) on a "
        "convex function with subgradients up to G, the best has f - f* at most G R / sqrt(N + 1).",
        latex=r"\min_{i \leq N} f(x_i) - f_\star \leq \frac{G \|x_0 - x_\star\|}{\sqrt{N + 1}}",
        source="Nesterov (2018), Theorem 3.2.2",
        assumptions=(EXACT_GRADIENTS, LIPSCHITZ, CONVEX),
        parameters={"N": tuple(map(float, HORIZONS))},
        k_range=lambda N: (int(N), int(N)),
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda N, G, R: R / (G * np.sqrt(N + 1))},
        quantity=BEST_SUBOPTIMALITY,
        formula=lambda k, G, R: G * R / np.sqrt(k + 1),
        attained_at=HORIZONS,
        instances=lambda N: with_others(
            lambda x: resisting(int(N), x), lambda x: against_longer(int(N), x)
        ),
    )


def subgrad_variable() -> Theorem:
    """The subgradient method with steps of lengths h_i = eta / sqrt(i + 1), i <= N.

        min_{i <= N} f(x_i) - f* <= G (R^2 + sum_i h_i^2) / (2 sum_i h_i).

    It holds for any lengths. Equality at every step of the proof means that all x_i have the same
    f, and x_{N+1} = x*; then f(x_N) - f* = G h_N, and R^2 = 2 h_N sum_i h_i - sum_i h_i^2. That
    gives eta below, and the Gram matrix of the subgradients in `descending`, which attains it. The
    same for lengths 1.05 h_i tells longer steps from these.

    Source: Nesterov (2018), equation 3.2.14 (its number is from memory); instance: found here.
    """

    def shape(N: float) -> np.ndarray:
        return 1 / np.sqrt(np.arange(1, N + 2))

    def eta(N: float, R: float) -> float:
        h = shape(N)
        return R / np.sqrt(2 * h[-1] * h.sum() - h @ h)

    def bound(N: float, G: float, R: float) -> float:
        h = eta(N, R) * shape(N)
        return G * (R**2 + h @ h) / (2 * h.sum())

    def worst(N: float, factor: float, minimizer: float) -> Problem:
        lengths = factor * eta(N, RADIUS) * shape(N)
        return descending(lengths, f"descending[horizon={N:g}, factor={factor}]", minimizer)

    return Theorem(
        name="subgrad_variable",
        statement="Of N + 1 points of the subgradient method with steps of lengths h_i, the best "
        "has f - f* at most G times (R^2 + sum of h_i^2) over twice the sum of h_i.",
        latex=r"\min_{i \leq N} f(x_i) - f_\star \leq "
        r"G \frac{\|x_0 - x_\star\|^2 + \sum_{i \leq N} h_i^2}{2 \sum_{i \leq N} h_i}",
        source="Nesterov (2018), equation 3.2.14",
        assumptions=(EXACT_GRADIENTS, LIPSCHITZ, CONVEX),
        parameters={"N": tuple(map(float, HORIZONS))},
        k_range=lambda N: (int(N), int(N)),
        method=make_method(subgradient),
        steps={"learning_rate": lambda N, R: eta(N, R)},
        quantity=BEST_SUBOPTIMALITY,
        formula=lambda G, R, N: bound(N, G, R),
        attained_at=HORIZONS,
        instances=lambda N: with_others(lambda x: worst(N, 1.0, x), lambda x: worst(N, 1.05, x)),
    )


def subgrad_last_linear_decay() -> Theorem:
    """The last point of N steps whose length falls linearly to 0.

        f(x_N) - f* <= G R / sqrt(N + 1),   step i = 0, ..., N - 1: R (N - i) / (G (N + 1)^(3/2)).

    Attained by `resisting`, as it is by every method; `opposed` tells longer steps from these.

    Source: Zamani and Glineur (2023), arXiv:2307.11134, Theorem 3.1 (its number is from memory).
    """
    return Theorem(
        name="subgrad_last_linear_decay",
        statement="The last point of N subgradient steps whose length falls linearly has f - f* at "
        "most G R / sqrt(N + 1) on a convex function with subgradients up to G.",
        latex=r"f(x_N) - f_\star \leq \frac{G \|x_0 - x_\star\|}{\sqrt{N + 1}}",
        source="Zamani and Glineur (2023), arXiv:2307.11134",
        assumptions=(EXACT_GRADIENTS, LIPSCHITZ, CONVEX),
        parameters={"N": tuple(map(float, HORIZONS))},
        k_range=lambda N: (int(N), int(N)),
        method=make_method(linear_decay, inner=make_method(gradient_descent)),
        steps={"learning_rate": lambda N, G, R: R * N / (G * (N + 1) ** 1.5)},
        quantity=SUBOPTIMALITY,
        formula=lambda k, G, R: G * R / np.sqrt(k + 1),
        attained_at=HORIZONS,
        instances=lambda N: with_others(
            lambda x: resisting(int(N), x), lambda x: opposed(int(N), x)
        ),
    )


def _weighted_mean_gap(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    def mean(leaf: np.ndarray) -> np.ndarray:
        weights = np.arange(1.0, len(leaf) + 1).reshape(-1, *(1,) * (leaf.ndim - 1))
        return np.cumsum(weights * leaf, axis=0) / np.cumsum(weights, axis=0)

    means = jax.tree.map(mean, trajectory.params)
    return values_at(problem, means) - problem.known_minimum


_WEIGHTED_MEAN = Quantity(
    "f(mean of x_0..x_k, weighted by i + 1) - f*",
    r"f(\bar x_k) - f_\star",
    (MINIMUM, MINIMIZER),
    _weighted_mean_gap,
    SUBOPTIMALITY.rounding,
)


def _harmonic_steps(learning_rate: Scalar = 1.0) -> Optimizer:
    """x_{k+1} = x_k - eta / (k + 2) g_k, with eta = `learning_rate`."""
    return from_optax(optax.sgd(lambda count: learning_rate / (count + 2.0)))


def subgrad_sc() -> Theorem:
    """The projected subgradient method with steps 2 / (mu (k + 2)) on a strongly convex function.

        f(sum_{i <= k} 2 (i + 1) x_i / ((k + 1) (k + 2))) - f* <= 2 G^2 / (mu (k + 2)),

    where |g| <= G on the feasible set. The source counts points from 1: its t is k + 1.

    Source: Lacoste-Julien, Schmidt and Bach (2012), arXiv:1212.2002; Bubeck (2015), Theorem 3.9
    (its number is from memory).
    """
    return Theorem(
        name="subgrad_sc",
        statement="The mean of x_0 to x_k, weighted by i + 1, of the projected subgradient method "
        "with steps 2 / (mu (k + 2)) has f - f* at most 2 G^2 / (mu (k + 2)).",
        latex=r"f\left(\sum_{i \leq k} \frac{2 (i + 1)}{(k + 1)(k + 2)} x_i\right) - f_\star "
        r"\leq \frac{2 G^2}{\mu (k + 2)}",
        source="Lacoste-Julien, Schmidt and Bach (2012), arXiv:1212.2002",
        assumptions=(EXACT_GRADIENTS, LIPSCHITZ, STRONGLY_CONVEX),
        k_range=(0, 100),
        method=make_method(projected, inner=make_method(_harmonic_steps)),
        steps={"learning_rate": lambda mu: 2 / mu},
        quantity=_WEIGHTED_MEAN,
        formula=lambda k, G, mu: 2 * G**2 / (mu * (k + 2)),
        instances=lambda: (
            Instance("worst", curved(0.0)),
            Instance("translated", curved(100.0)),
            *(Instance("random", curved_random(seed)) for seed in range(NUM_RANDOM)),
            Instance("data", curved_data()),
        ),
    )


def _displaced(learning_rate: Scalar = 0.1, displacement: Scalar = 0.0) -> Optimizer:
    """x_{k+1} = x_k - eta g, g a subgradient at x_k + delta (1, ..., 1) / sqrt(n).

    eta = `learning_rate`, delta = `displacement`. Where subgradients are bounded by G, g is an
    epsilon-subgradient at x_k, with epsilon = 2 G delta.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        each = displacement / np.sqrt(trees.size(evaluation.params))
        beside = jax.tree.map(lambda leaf: leaf + each, evaluation.params)
        grad = oracle.value_and_grad(beside).grad
        ahead = trees.add_scaled(evaluation.params, -learning_rate, grad)
        return Step(ahead, state, Calls(value_and_gradients=1))

    def init(params: Params) -> State:
        return ()

    return Optimizer(init, step)


def inexact_subgrad_eps() -> Theorem:
    """The subgradient method with constant step a, on epsilon-subgradients.

        min_{i <= k} f(x_i) - f* <= R^2 / (2 (k + 1) a) + a G^2 / 2 + epsilon.

    Here they are subgradients at points that are epsilon / (2 G) away, a = R / (G sqrt(N + 1)).

    Source: Millan and Machado (2019), arXiv:1905.09129, Lemma 2 (from memory, number included).
    """

    def length(G: float, R: float, N: float) -> float:
        return R / (G * np.sqrt(N + 1))

    def bound(k: np.ndarray, G: float, R: float, N: float, eps: float) -> np.ndarray:
        a = length(G, R, N)
        return R**2 / (2 * (k + 1) * a) + a * G**2 / 2 + eps

    return Theorem(
        name="inexact_subgrad_eps",
        statement="Of k + 1 points of the subgradient method with constant step a and "
        "eps-subgradients, the best has f - f* at most R^2 / (2 (k + 1) a) + a G^2 / 2 + eps.",
        latex=r"\min_{i \leq k} f(x_i) - f_\star \leq "
        r"\frac{\|x_0 - x_\star\|^2}{2 (k + 1) a} + \frac{a G^2}{2} + \epsilon",
        source="Millan and Machado (2019), Lemma 2",
        assumptions=(EXACT_GRADIENTS, LIPSCHITZ, CONVEX),
        parameters={"N": (5.0,), "eps": (0.01, 1.0)},
        k_range=(1, 20),
        method=make_method(_displaced),
        steps={"learning_rate": length, "displacement": lambda G, eps: eps / (2 * G)},
        quantity=BEST_SUBOPTIMALITY,
        formula=bound,
        instances=lambda N, eps: with_others(lambda x: resisting(int(N), x)),
    )
