"""Sign descent and normalized gradient descent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.special

from optbench.assumption import CONVEX, EXACT_GRADIENTS, SMOOTH
from optbench.bound import Theorem
from optbench.bounds.adaptive.instances import (
    bowl,
    diabetes,
    sum_of_smoothness,
    welsch_regression,
)
from optbench.bounds.adaptive.largest_slopes import AT_KINK, opposed, resisting
from optbench.bounds.adaptive.quantities import (
    MEAN_ABSOLUTE_GRADIENT,
    MEAN_GRADIENT_BEFORE,
    by_recursion,
)
from optbench.bounds.instances import FAR, quadratic
from optbench.case import Case, Instance, InstanceKind
from optbench.method import make_method
from optbench.optimizers.first_order.step_sizes import (
    normalized_gradient_descent,
    sign_gradient_descent,
)
from optbench.problem import Problem
from optbench.quantity import BEST_SUBOPTIMALITY
from optbench.recursion import Path, Recursion

HORIZONS = {"N": (1, 2, 5, 20)}


def _smooth(symbols: Callable[[Problem], dict[str, float]]) -> list[Instance]:
    found: list[tuple[InstanceKind, Problem]] = [
        ("worst", bowl(0.0)),
        ("translated", bowl(FAR)),
        *(("random", welsch_regression(seed)) for seed in range(4)),
        ("data", diabetes()),
    ]
    return [Instance(kind, p, symbols=symbols(p)) for kind, p in found]


def signgd_nonconvex() -> Theorem:
    """Sign descent with the step sqrt(2 f0 / (N sum_i L_i)), f0 = f(x_0) - f*.

        (1 / N) sum_{k<N} |grad f(x_k)|_1 <= sqrt(2 f0 sum_i L_i / N),

    where f(y) <= f(x) + <grad f(x), y - x> + sum_i L_i (y_i - x_i)^2 / 2. From that inequality,
    summed over N steps. For N = 1 a quadratic attains it.

    Source: Bernstein et al. (2018), Theorem 1 without noise and with the step tuned.
    """
    return Theorem(
        name="signgd_nonconvex",
        statement="Over N tuned steps of sign descent the mean 1-norm of the gradient is at most "
        "sqrt(2 (f(x_0) - f*) sum_i L_i / N), L_i the smoothness of each coordinate.",
        latex=r"\frac{1}{N} \sum_{k<N} \|\nabla f(x_k)\|_1 \le "
        r"\sqrt{2\, (f(x_0) - f_\star) \sum_i L_i / N}",
        source="Bernstein et al. (2018), Theorem 1 without noise",
        assumptions=(EXACT_GRADIENTS, SMOOTH),
        parameters=HORIZONS,
        method=make_method(sign_gradient_descent),
        steps={"learning_rate": lambda Ls, f0, N: np.sqrt(2 * f0 / (Ls * N))},
        given={"Ls": "the sum of the smoothness constants of the coordinates"},
        quantity=MEAN_ABSOLUTE_GRADIENT,
        formula=lambda Ls, f0, N: np.sqrt(2 * Ls * f0 / N),
        k_range=lambda N: (N, N),
        instances=lambda N: _smooth(lambda p: {"Ls": sum_of_smoothness(p)}),
    )


def ngd_nonconvex() -> Theorem:
    """Normalized gradient descent with the step sqrt(2 f0 / (L N)), f0 = f(x_0) - f*.

        (1 / N) sum_{k<N} |grad f(x_k)| <= sqrt(2 L f0 / N),

    for L-smooth f, by the descent lemma summed over N steps. For N = 1 a quadratic attains it.

    Source: Cutkosky and Mehta (2020), without noise and momentum; derived here.
    """
    return Theorem(
        name="ngd_nonconvex",
        statement="Over N tuned steps of normalized gradient descent on an L-smooth function the "
        "mean gradient norm is at most sqrt(2 L (f(x_0) - f*) / N).",
        latex=r"\frac{1}{N} \sum_{k<N} \|\nabla f(x_k)\| \le \sqrt{2 L (f(x_0) - f_\star) / N}",
        source="Cutkosky and Mehta (2020), without noise and momentum",
        assumptions=(EXACT_GRADIENTS, SMOOTH),
        parameters=HORIZONS,
        method=make_method(normalized_gradient_descent),
        steps={"learning_rate": lambda L, f0, N: np.sqrt(2 * f0 / (L * N))},
        quantity=MEAN_GRADIENT_BEFORE,
        formula=lambda L, f0, N: np.sqrt(2 * L * f0 / N),
        k_range=lambda N: (N, N),
        instances=lambda N: _smooth(lambda p: {}),
    )


def ngd_quasiconvex() -> Theorem:
    """Normalized (sub)gradient descent with the step R / sqrt(N + 1) on a convex function.

        min_{i<=N} f(x_i) - f* <= M R / sqrt(N + 1),

    R = |x_0 - x*|, M a Lipschitz constant of f on the ball of radius R around x*. Attained by
    the resisting function M max(x_1, ..., x_{N+1}, -R / sqrt(N + 1)), one for each N, whatever
    the step; on `opposed` a longer step crosses the bound.

    Source: Nesterov (2018), Theorem 3.2.2.
    """

    def on_ball(problem: Problem) -> dict[str, float]:
        radius = float(np.linalg.norm(problem.start(0) - problem.minimizer))
        constants = problem.constants
        return {"M_R": constants.gradient_bound or (constants.smoothness or 0.0) * radius}

    def instances(N: int) -> list[Instance]:
        kinked: list[tuple[InstanceKind, Problem]] = [
            ("worst", resisting(N)),
            ("worst", opposed()),
        ]
        smooth: list[tuple[InstanceKind, Problem]] = [
            ("translated", bowl(FAR)),
            ("random", bowl(0.0, slope=1.0)),
            *(("random", quadratic(seed)) for seed in range(3)),
            ("data", diabetes()),
        ]
        return [
            *(Instance(kind, p, AT_KINK, on_ball(p)) for kind, p in kinked),
            *(Instance(kind, p, 0, on_ball(p)) for kind, p in smooth),
        ]

    return Theorem(
        name="ngd_quasiconvex",
        statement="The best of N steps of length R / sqrt(N + 1) along normalized subgradients of "
        "a convex function is within M R / sqrt(N + 1) of the minimum.",
        latex=r"\min_{i \le N} f(x_i) - f_\star \le \frac{M \|x_0 - x_\star\|}{\sqrt{N + 1}}",
        source="Nesterov (2018), Theorem 3.2.2",
        assumptions=(EXACT_GRADIENTS, CONVEX),
        parameters=HORIZONS,
        method=make_method(normalized_gradient_descent),
        steps={"learning_rate": lambda R, N: R / np.sqrt(N + 1)},
        given={"M_R": "a Lipschitz constant of f on the ball of radius R around x*"},
        quantity=BEST_SUBOPTIMALITY,
        formula=lambda M_R, R, N: M_R * R / np.sqrt(N + 1),
        k_range=lambda N: (N, N),
        attained_at=HORIZONS["N"],
        instances=instances,
    )


def _lattice(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """(mean over k < N of E |grad f(x_k)|_1)^2 for f(x) = sum_i L_i x_i^2 / 2, exactly.

    Each coordinate walks on x_0 + eta j, and its sign is wrong with the probability that the mean
    of N normal errors exceeds the slope.
    """
    total, num_steps = 0.0, int(k[-1])
    for curvature, start, noise in zip(*case.data, strict=True):
        positions = start + learning_rate * np.arange(-num_steps, num_steps + 1)
        slopes = curvature * positions
        down = scipy.special.ndtr(slopes * np.sqrt(num_steps) / noise)
        weights = np.where(np.arange(-num_steps, num_steps + 1) == 0, 1.0, 0.0)
        for _ in range(num_steps):
            total += weights @ np.abs(slopes) / num_steps
            weights = np.append((weights * down)[1:], 0) + np.append(0, (weights * (1 - down))[:-1])
    return Path(np.full(k.shape, total**2))


def signsgd_bernstein() -> Theorem:
    """SignSGD with N steps 1 / sqrt(N sum_i L_i) along signs of means of N gradients.

        ((1 / N) sum_{k<N} E |grad f(x_k)|_1)^2 <= (sqrt(sum_i L_i) (f0 + 1/2) + 2 sum_i s_i)^2 / N,

    f0 = f(x_0) - f*, s_i the standard deviation of one gradient's i-th entry. Observed on separable
    quadratics with normal noise, where the coordinates walk on a line and the expectation is exact.

    Source: Bernstein, Wang, Azizzadenesheli and Anandkumar (2018), Theorem 1.
    """

    def case(
        name: str, curvatures: list[float], start: list[float], noise: list[float]
    ) -> Instance:
        data = np.array(curvatures), np.array(start), np.array(noise)
        f0 = float(data[0] @ data[1] ** 2 / 2)
        symbols = {"Ls": float(data[0].sum()), "f0": f0, "noise": float(data[2].sum())}
        return Instance("random", Case(name=name, symbols=symbols, data=data))

    return Theorem(
        name="signsgd_bernstein",
        statement="Over N steps of signSGD with batches of N the squared mean 1-norm of the "
        "gradient is at most (sqrt(sum_i L_i) (f0 + 1/2) + 2 sum_i s_i)^2 / N.",
        latex=r"\left(\frac{1}{N} \sum_{k<N} E \|\nabla f(x_k)\|_1\right)^2 \le \frac{1}{N}"
        r"\left(\sqrt{\sum_i L_i}\, (f(x_0) - f_\star + \frac{1}{2}) + 2 \sum_i s_i\right)^2",
        source="Bernstein, Wang, Azizzadenesheli and Anandkumar (2018), Theorem 1",
        parameters={"N": (1, 4, 25, 100)},
        method=Recursion("exact expectation of signSGD", _lattice),
        steps={"learning_rate": lambda Ls, N: 1 / np.sqrt(Ls * N)},
        given={
            "Ls": "the sum of the smoothness constants of the coordinates",
            "noise": "the sum of the standard deviations of the coordinates of a gradient",
        },
        quantity=by_recursion(
            "squared mean of E |grad f|_1", r"(\frac{1}{N} \sum_{k<N} E \|\nabla f(x_k)\|_1)^2"
        ),
        formula=lambda Ls, f0, noise, N: (np.sqrt(Ls) * (f0 + 0.5) + 2 * noise) ** 2 / N,
        k_range=lambda N: (N, N),
        instances=lambda N: [
            case("parabola, little noise", [4.0], [0.5], [1e-3]),
            case("parabola, much noise", [4.0], [0.5], [3.0]),
            case("paraboloid", [0.25, 1.0, 4.0], [-1.5, 0.5, 0.25], [0.1, 0.5, 0.2]),
        ],
    )
