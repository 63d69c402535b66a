"""The learning rate above which a method diverges on a quadratic."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optax
import scipy.signal

from optbench.bisection import critical_learning_rate, critical_value
from optbench.bound import Theorem
from optbench.bounds.adaptive.instances import diabetes, near_minimizer
from optbench.bounds.adaptive.quantities import by_recursion
from optbench.bounds.instances import parabola, quadratic
from optbench.case import Case, Instance
from optbench.method import Method, make_method
from optbench.optimizer import Optimizer, Scalar
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.momentum import momentum, nesterov
from optbench.plan import Plan
from optbench.problem import Problem
from optbench.recursion import Path, Recursion
from optbench.run import run
from optbench.transformation import from_optax

MEASURED = 1e-3  # relative accuracy asked of a measured threshold; the bracket is 1e-5 wide
BRACKET = (1e-3, 1e3)  # of every search: it knows nothing of the theory
CRITICAL = by_recursion("critical learning rate", r"\eta_\star")
CURVATURE = {"lam": "the largest eigenvalue of the Hessian"}


def ema_momentum(learning_rate: Scalar = 0.1, decay: Scalar = 0.9) -> Optimizer:
    """x_{k+1} = x_k - eta m_k, m_k = beta m_{k-1} + (1 - beta) grad f(x_k), beta = `decay`."""
    average = optax.ema(decay, debias=False)  # pyright: ignore[reportArgumentType]
    return from_optax(optax.chain(average, optax.scale_by_learning_rate(learning_rate)))


def _threshold(label: str, method: Callable[..., Method]) -> Recursion:
    """Bisection over the learning rate of the method that a setting gives, on a problem."""

    def follow(case: Case, k: np.ndarray, **setting: float) -> Path:
        return Path(
            np.full(k.shape, critical_learning_rate(case.data, method(**setting), *BRACKET).value)
        )

    return Recursion(f"bisection over the learning rate of {label}", follow)


def _instances(problems: Sequence[Problem]) -> list[Instance]:
    """Quadratics, with the largest eigenvalue of their Hessians."""
    return [
        Instance(
            "data" if "diabetes" in problem.name else "random",
            Case(
                name=problem.name,
                symbols={"lam": problem.constants.smoothness or 0.0},
                data=problem,
            ),
        )
        for problem in problems
    ]


def _quadratics(**setting: float) -> list[Instance]:
    return _instances([quadratic(0), quadratic(1), diabetes()])


def thr_gd() -> Theorem:
    """Gradient descent on a quadratic diverges for eta > 2 / lambda, and converges below.

    lambda is the largest eigenvalue of the Hessian: along its eigenvector the error is multiplied
    by 1 - eta lambda in every step. Observed by `critical_learning_rate`.

    Source: elementary; Nesterov (2018), section 2.1.5.
    """
    return Theorem(
        name="thr_gd",
        statement="Gradient descent on a quadratic diverges exactly where its learning rate is "
        "above 2 over the largest eigenvalue of the Hessian.",
        latex=r"\eta_\star = 2 / \lambda_{\max}",
        source="elementary; Nesterov (2018), section 2.1.5",
        method=_threshold("gradient descent", lambda: make_method(gradient_descent)),
        given=CURVATURE,
        quantity=CRITICAL,
        formula=lambda lam: 2 / lam,
        direction="identity",
        tolerance=MEASURED,
        k_range=(1, 1),
        instances=_quadratics,
    )


def _with_momentum(factory: Callable[..., Any], argument: str) -> Recursion:
    label = factory.__name__.replace("_", " ")
    return _threshold(label, lambda beta: make_method(factory, **{argument: beta}))


MOMENTA = {"beta": (0.5, 0.9, 0.0)}
TOLD_MOMENTUM = {"beta": lambda beta: beta}


def thr_heavy_ball() -> Theorem:
    """The heavy ball on a quadratic diverges for eta > 2 (1 + beta) / lambda, 0 <= beta < 1.

    At the critical rate the roots of z^2 - (1 + beta - eta lambda) z + beta along the eigenvector
    of the largest eigenvalue lambda are -1 and -beta. Observed by `critical_learning_rate`.

    Source: Polyak (1964); Cohen et al. (2021), equation 1 (its number is from memory).
    """
    return Theorem(
        name="thr_heavy_ball",
        statement="The heavy ball on a quadratic diverges exactly where its learning rate is above "
        "2 (1 + beta) over the largest eigenvalue of the Hessian.",
        latex=r"\eta_\star = 2 (1 + \beta) / \lambda_{\max}",
        source="Polyak (1964); Cohen et al. (2021), equation 1",
        method=_with_momentum(momentum, "momentum"),
        parameters=MOMENTA,
        steps=TOLD_MOMENTUM,
        given=CURVATURE,
        quantity=CRITICAL,
        formula=lambda lam, beta: 2 * (1 + beta) / lam,
        direction="identity",
        tolerance=MEASURED,
        k_range=(1, 1),
        instances=_quadratics,
    )


def thr_nesterov() -> Theorem:
    """Nesterov's momentum on a quadratic diverges for eta > 2 (1 + beta) / ((1 + 2 beta) lambda).

    At the critical rate -1 is a root of z^2 - (1 + beta) (1 - eta lambda) z + beta (1 - eta
    lambda), lambda the largest eigenvalue. Observed by `critical_learning_rate`.

    Source: Cohen et al. (2021), equation 1 (its number is from memory).
    """
    return Theorem(
        name="thr_nesterov",
        statement="Nesterov's momentum on a quadratic diverges exactly where its learning rate is "
        "above (2 + 2 beta) / (1 + 2 beta) over the largest eigenvalue of the Hessian.",
        latex=r"\eta_\star = \frac{2 + 2 \beta}{(1 + 2 \beta) \lambda_{\max}}",
        source="Cohen et al. (2021), equation 1",
        method=_with_momentum(nesterov, "momentum"),
        parameters=MOMENTA,
        steps=TOLD_MOMENTUM,
        given=CURVATURE,
        quantity=CRITICAL,
        formula=lambda lam, beta: (2 + 2 * beta) / ((1 + 2 * beta) * lam),
        direction="identity",
        tolerance=MEASURED,
        k_range=(1, 1),
        instances=_quadratics,
    )


def thr_ema_momentum() -> Theorem:
    """A moving average of gradients, m = beta m + (1 - beta) g and x = x - eta m, on a quadratic.

    It diverges for eta > 2 (1 + beta) / ((1 - beta) lambda), lambda the largest eigenvalue: it is
    the heavy ball with the learning rate eta (1 - beta). This is the first moment of Adam, without
    its bias correction, which vanishes. Observed by `critical_learning_rate`.

    Source: Cohen et al. (2022), arXiv:2207.14484, section 3.
    """
    return Theorem(
        name="thr_ema_momentum",
        statement="Steps along a moving average of gradients diverge on a quadratic exactly where "
        "the learning rate is above 2 (1 + beta) / (1 - beta) over the largest eigenvalue.",
        latex=r"\eta_\star = \frac{2 (1 + \beta)}{(1 - \beta) \lambda_{\max}}",
        source="Cohen et al. (2022), arXiv:2207.14484, section 3",
        method=_with_momentum(ema_momentum, "decay"),
        parameters=MOMENTA,
        steps=TOLD_MOMENTUM,
        given=CURVATURE,
        quantity=CRITICAL,
        formula=lambda lam, beta: 2 * (1 + beta) / ((1 - beta) * lam),
        direction="identity",
        tolerance=MEASURED,
        k_range=(1, 1),
        instances=_quadratics,
    )


def thr_adam_frozen() -> Theorem:
    """Adam with b1 = 0.9 and a second moment that stands still at v: eta > 38 sqrt(v) / lambda.

    38 = 2 (1 + b1) / (1 - b1), and lambda / sqrt(v) is the largest eigenvalue of the
    preconditioned Hessian. The catalog's Adam runs so close to the minimizer that its own second
    moment, of order 1e-200, is nothing beside `eps_root` = v; `eps` = 0. Observed by
    `critical_learning_rate`.

    Source: Cohen et al. (2022), arXiv:2207.14484, section 3.
    """

    def frozen(v: float) -> Method:
        return make_method(adam, b1=0.9, eps=0.0, eps_root=v)

    return Theorem(
        name="thr_adam_frozen",
        statement="Adam with b1 = 0.9 and a second moment that stands still at v diverges on a "
        "quadratic exactly where its learning rate is above 38 sqrt(v) / lambda.",
        latex=r"\eta_\star = 38 \sqrt{v} / \lambda_{\max}",
        source="Cohen et al. (2022), arXiv:2207.14484, section 3",
        method=_threshold("Adam with a frozen second moment", frozen),
        parameters={"v": (0.01, 1.0)},
        steps={"v": lambda v: v},
        given=CURVATURE,
        quantity=CRITICAL,
        formula=lambda lam, v: 38 * np.sqrt(v) / lam,
        direction="identity",
        tolerance=MEASURED,
        k_range=(1, 1),
        instances=lambda v: _instances(
            [near_minimizer(quadratic(0)), near_minimizer(quadratic(1))]
        ),
    )


def _live_sharpness(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """Mean over the last quarter of the run of eta h / sqrt(vhat), from the gradients logged."""
    method = make_method(adam, learning_rate=learning_rate, eps=0.0)
    plan = Plan(budget=None, log_steps=tuple(range(int(k[-1]) + 1)), noise_floor=-np.inf)
    lane = run(dataclasses.replace(case.data, bounded_below=False), method, plan=plan)
    squares = lane.gradient_norm[:-1] ** 2
    second = scipy.signal.lfilter([0.001], [1, -0.999], squares) / (
        1 - 0.999 ** (1 + np.arange(len(squares)))
    )
    sharpness = learning_rate * case.symbols["h"] / np.sqrt(second)
    return Path(np.full(k.shape, np.mean(sharpness[3 * len(squares) // 4 :])))


def thr_adam_live_quadratic() -> Theorem:
    """What is seen, no theorem: the sharpness that live Adam settles at on f(x) = h x^2 / 2.

    With b1 = 0.9, b2 = 0.999 the mean of eta h / sqrt(vhat_k) over the last quarter of 16,000 steps
    is near 38, the threshold of the frozen second moment: v decays until the steps diverge, and is
    raised by the gradients of that. Seen are 35 to 36, hence a tolerance of 15 %. With
    eta = 0.01 or less nothing of this is seen: the gradients underflow first.

    Source: Cohen et al. (2022), arXiv:2207.14484, on networks.
    """
    return Theorem(
        name="thr_adam_live_quadratic",
        statement="The preconditioned sharpness that Adam settles at on a parabola, times the "
        "learning rate, is near 38.",
        latex=r"\eta h / \sqrt{\hat v_k} \approx 38",
        source="Cohen et al. (2022), arXiv:2207.14484",
        standing="empirical",
        method=Recursion("run of Adam", _live_sharpness),
        parameters={"eta": (0.5, 2.0)},
        steps={"learning_rate": lambda eta: eta},
        quantity=by_recursion("mean of eta h / sqrt(v)", r"\eta h / \sqrt{\hat v_k}"),
        formula=lambda: 38.0,
        direction="identity",
        tolerance=0.15,
        unattained="an observation, not a theorem",
        k_range=(16_000, 16_000),
        instances=lambda eta: [
            Instance(
                "random", Case(name=f"parabola[{h:g}]", symbols={"h": h}, data=parabola(h, 0.0))
            )
            for h in (0.25, 4.0)
        ],
    )


def _mean_square(case: Case, k: np.ndarray) -> Path:
    """E x_k^2 along E x_{k+1}^2 = E (1 - eta a^2)^2 E x_k^2, by Gauss and Hermite's rule."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    weights, features = weights / weights.sum(), np.sqrt(case.symbols["s2"]) * nodes

    def diverges(rates: np.ndarray) -> np.ndarray:
        moments = [np.ones_like(rates)]
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(200):
                factors = (1 - rates[:, None] * features**2) ** 2
                moments.append(factors * moments[-1][:, None] @ weights)
        return ~(moments[-1] < moments[100])

    return Path(np.full(k.shape, critical_value(diverges, *BRACKET).value))


def sgd_ms_stability() -> Theorem:
    """SGD, one sample per step, on f(x) = E (a x)^2 / 2, a ~ N(0, s^2): the critical 2 / (3 s^2).

    Above this learning rate E x_k^2 grows:

        E x_{k+1}^2 = E (1 - eta a^2)^2 E x_k^2 = (1 - 2 eta s^2 + 3 eta^2 s^4) E x_k^2.

    That is a third of what gradient descent on f bears. Observed by bisection of the exact second
    moments (Gauss and Hermite's rule with 8 nodes integrates polynomials up to degree 15).

    Source: elementary; cf. Ma, Bassily and Belkin (2018).
    """
    return Theorem(
        name="sgd_ms_stability",
        statement="The second moment of SGD with one sample per step, on least squares with one "
        "normal feature of variance s2, grows exactly where the learning rate is above 2/(3 s2).",
        latex=r"\eta_\star = \frac{2}{3 s^2}",
        source="elementary; cf. Ma, Bassily and Belkin (2018)",
        method=Recursion("second moment of SGD", _mean_square),
        given={"s2": "variance of the feature"},
        quantity=CRITICAL,
        formula=lambda s2: 2 / (3 * s2),
        direction="identity",
        tolerance=MEASURED,
        k_range=(1, 1),
        instances=lambda: [
            Instance("random", Case(name=f"normal[variance={s2:g}]", symbols={"s2": s2}))
            for s2 in (0.25, 1.0, 9.0)
        ],
    )
