"""SGD with additive noise."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS, SMOOTHNESS
from optbench.bounds.stochastic.finite_sums import (
    MEANING,
    UNBIASED,
    instances_of,
    noisy_parabolas,
    parabola_sum,
)
from optbench.bounds.stochastic.moments import (
    MEAN_SQUARE,
    FiniteSum,
    RandomMap,
    averaged_sgd,
    second_moments,
    sgd,
    squared_distance,
)
from optbench.case import Case, Instance
from optbench.quantity import Quantity
from optbench.recursion import Path, Recursion

GIVEN = {letter: MEANING[letter] for letter in ("lam", "s2")}
PARABOLA = Assumption(
    name="one curvature on a line",
    holds=lambda case: bool(np.all(case.data.hessians == case.symbols.get("lam"))),
    hint="let all terms have the curvature lam",
)
ASSUMPTIONS = (PARABOLA, UNBIASED)
LIMIT = 1e-3  # relative error granted to it


def _scaled(quantity: Quantity) -> Quantity:
    """k times a quantity."""
    return dataclasses.replace(quantity, name=f"k {quantity.name}", latex=rf"k\,{quantity.latex}")


def _times_k(recursion: Recursion) -> Recursion:
    """A recursion whose observations are multiplied by k."""

    def follow(case: Case, k: np.ndarray, **steps: float) -> Path:
        return Path(k * recursion.follow(case, k, **steps).observed)

    return Recursion(f"k times the {recursion.label}", follow)


def sgd_quad_exact() -> Theorem:
    """SGD with step h / lambda on a parabola of curvature lambda, with noise of variance s2.

        E |x_k - x*|^2 = (1 - h)^(2 k) R^2 + (h / lambda)^2 s2 (1 - (1 - h)^(2 k)) / (1 - (1 - h)^2)

    for 0 < h < 2, whatever else is true of the noise: the error is multiplied by 1 - h, and
    independent noise added.

    Source: derived from the definition; an autoregression of order 1.
    """
    return Theorem(
        name="sgd_quad_exact",
        statement="With additive noise, the mean squared distance is the part (1 - h)^(2k) that is "
        "left of the first, and the noise of all steps, each shrunk likewise.",
        latex=r"\mathbb{E}\|x_k - x_\star\|^2 = (1 - h)^{2k} R^2 + \frac{h^2 \sigma^2}{\lambda^2} "
        r"\frac{1 - (1 - h)^{2k}}{1 - (1 - h)^2}",
        source="derived from the definition",
        assumptions=ASSUMPTIONS,
        given=GIVEN,
        parameters={"h": (0.1, 0.5, 1.5)},
        method=sgd(),
        steps={"learning_rate": lambda h, lam: h / lam},
        quantity=MEAN_SQUARE,
        direction="identity",
        formula=lambda k, h, lam, s2, R: (
            (1 - h) ** (2 * k) * R**2
            + (h / lam) ** 2 * s2 * (1 - (1 - h) ** (2 * k)) / (1 - (1 - h) ** 2)
        ),
        k_range=(0, 200),
        instances=lambda h: noisy_parabolas(),
    )


def sgd_stationary() -> Theorem:
    """Where SGD with a constant step eta = h / lambda on a noisy parabola ends up, 0 < h < 2.

        E |x_k - x*|^2  ->  eta s2 / (lambda (2 - eta lambda)).

    Compared after 400 steps, where nothing is left of the start.

    Source: derived from the definition; for small steps, eta s2 / (2 lambda): Mandt, Hoffman and
    Blei (2017), J. Mach. Learn. Res. 18(134), from memory.
    """
    return Theorem(
        name="sgd_stationary",
        statement="With a constant step and additive noise, the mean squared distance tends to "
        "eta s2 / (lambda (2 - eta lambda)).",
        latex=r"\mathbb{E}\|x_\infty - x_\star\|^2 = "
        r"\frac{\eta \sigma^2}{\lambda (2 - \eta \lambda)}",
        source="derived from the definition",
        assumptions=ASSUMPTIONS,
        given=GIVEN,
        parameters={"h": (0.1, 0.5, 1.5)},
        method=sgd(),
        steps={"learning_rate": lambda h, lam: h / lam},
        quantity=MEAN_SQUARE,
        direction="identity",
        formula=lambda k, h, lam, s2: h * s2 / (lam**2 * (2 - h)) + 0 * k,
        k_range=(400, 405),
        instances=lambda h: noisy_parabolas(),
    )


def _heavy_ball(terms: FiniteSum, learning_rate: float, momentum: float) -> RandomMap:
    """(x, y, 1) -> (x - eta g_i(x) + beta (x - y), x, 1), for x on a line."""
    matrices = np.zeros((len(terms.probabilities), 3, 3))
    matrices[:, 0, 0] = 1 + momentum - learning_rate * terms.hessians[:, 0, 0]
    matrices[:, 0, 1] = -momentum
    matrices[:, 0, 2] = -learning_rate * terms.gradients[:, 0]
    matrices[:, 1, 0] = matrices[:, 2, 2] = 1
    return RandomMap(matrices, terms.probabilities)


def _heavy_ball_moments(case: Case, k: np.ndarray, learning_rate: float, momentum: float) -> Path:
    terms: FiniteSum = case.data
    start = np.array([terms.start[0], terms.start[0], 1.0])
    step = _heavy_ball(terms, learning_rate, momentum)
    moments = second_moments(start, itertools.repeat(step, int(k[-1])))
    return Path(squared_distance(terms, moments[k]))


def sgd_momentum_stationary() -> Theorem:
    """Where heavy-ball SGD with constant eta = h / lambda and beta ends up on a noisy parabola.

        E |x_k - x*|^2  ->  eta s2 (1 + beta) / (lambda (1 - beta) (2 (1 + beta) - eta lambda))

    for 0 < eta lambda < 2 (1 + beta). Compared after 500 steps, where nothing is left of the start.

    Source: derived from the definition; the variance of an autoregression of order 2, as in Box
    and Jenkins (1970), section 3.2.4, from memory.
    """
    return Theorem(
        name="sgd_momentum_stationary",
        statement="With momentum beta, a constant step and additive noise, the mean squared "
        "distance tends to eta s2 (1 + beta) / (lambda (1 - beta) (2 (1 + beta) - eta lambda)).",
        latex=r"\mathbb{E}\|x_\infty - x_\star\|^2 = \frac{\eta \sigma^2 (1 + \beta)}"
        r"{\lambda (1 - \beta) (2 (1 + \beta) - \eta \lambda)}",
        source="derived from the definition",
        assumptions=ASSUMPTIONS,
        given=GIVEN,
        parameters={"h": (0.5, 2.5), "beta": (0.5, 0.9)},
        method=Recursion("moments of heavy-ball SGD", _heavy_ball_moments),
        steps={"learning_rate": lambda h, lam: h / lam, "momentum": lambda beta: beta},
        quantity=MEAN_SQUARE,
        direction="identity",
        formula=lambda k, h, beta, lam, s2: (
            h * s2 * (1 + beta) / (lam**2 * (1 - beta) * (2 * (1 + beta) - h)) + 0 * k
        ),
        k_range=(500, 505),
        instances=lambda h, beta: noisy_parabolas(),
    )


def rm_chung() -> Theorem:
    """SGD with steps a / k, k = 1, 2, ..., a = h / lambda, 2 h > 1, on a noisy parabola.

        k E |x_k - x*|^2  ->  a^2 s2 / (2 a lambda - 1),

    least for h = 1, where it is s2 / lambda^2. Compared after 2,000 steps, to 0.1 %. For 2 h < 1
    the rate is k^(-2 h) only.

    Source: Chung (1954), Ann. Math. Stat. 25(3); the slow rate: Nemirovski, Juditsky, Lan and
    Shapiro (2009); both from memory.
    """
    return Theorem(
        name="rm_chung",
        statement="With steps a / k and additive noise, k times the mean squared distance tends to "
        "a^2 s2 / (2 a lambda - 1), if 2 a lambda > 1.",
        latex=r"k\,\mathbb{E}\|x_k - x_\star\|^2 \to \frac{a^2 \sigma^2}{2 a \lambda - 1}",
        source="Chung (1954)",
        assumptions=ASSUMPTIONS,
        given=GIVEN,
        parameters={"h": (2.0, 1.5)},
        method=_times_k(sgd()),
        steps={"learning_rate": lambda h, lam: h / lam, "power": lambda: 1.0},
        quantity=_scaled(MEAN_SQUARE),
        direction="identity",
        tolerance=LIMIT,
        formula=lambda k, h, lam, s2: (h / lam) ** 2 * s2 / (2 * h - 1) + 0 * k,
        k_range=(2000, 2002),
        instances=lambda h: noisy_parabolas()[:2],
    )


def sgd_one_over_t_exact() -> Theorem:
    """SGD with steps 1 / (lambda k), k = 1, 2, ..., on a parabola with additive noise.

        E |x_k - x*|^2 = s2 / (lambda^2 k),   k >= 1,

    whatever the start: x_k is the mean of what k samples of the gradient say of x*.

    Source: derived from the definition; the variance of a mean.
    """
    return Theorem(
        name="sgd_one_over_t_exact",
        statement="With steps 1 / (lambda k) and additive noise, SGD computes a running mean: its "
        "mean squared distance is s2 / (lambda^2 k).",
        latex=r"\mathbb{E}\|x_k - x_\star\|^2 = \frac{\sigma^2}{\lambda^2 k}",
        source="derived from the definition",
        assumptions=ASSUMPTIONS,
        given=GIVEN,
        method=sgd(),
        steps={"learning_rate": lambda lam: 1 / lam, "power": lambda: 1.0},
        quantity=MEAN_SQUARE,
        direction="identity",
        formula=lambda k, lam, s2: s2 / (lam**2 * k),
        instances=noisy_parabolas,
    )


AVERAGED = averaged_sgd(squared_distance)


def _mean_point(case: Case, k: np.ndarray) -> Path:
    """The averaged point of SGD with the steps that the case names."""
    return AVERAGED.follow(case, k, case.symbols["a"], power=case.symbols["q"])


def _averaged_parabolas() -> tuple[Instance, ...]:
    """Noisy parabolas with steps a j^-q, constant and decreasing."""
    cases = [
        parabola_sum(f"{name}[h={h:g},q={q:g}]", lam, noise, start, a=h / lam, q=q)
        for name, lam, noise, start in (
            ("coin", SMOOTHNESS, [-7.0, 7.0], RADIUS),
            ("skewed", 0.4, [-1.0, -0.5, 1.5], 0.1),
        )
        for h, q in ((1.0, 0.0), (0.5, 0.0), (1.5, 0.25))
    ]
    return tuple(instances_of("random", cases))


def polyak_ruppert() -> Theorem:
    """The mean of x_0, ..., x_{k-1} of SGD with steps a j^-q, 0 <= q < 1, on a noisy parabola.

        k E |mean - x*|^2  ->  s2 / lambda^2,

    the best that any method can do with k samples, whatever the steps. Compared after 10,000
    steps to 0.1 %, with constant steps 1 / lambda and 1 / (2 lambda) and steps 1.5 / lambda j^-1/4.
    The error of the limit is of order k^(q - 1) and, from the start, k^-1.

    Source: Polyak and Juditsky (1992), SIAM J. Control Optim. 30(4), Theorem 1, from memory.
    """
    return Theorem(
        name="polyak_ruppert",
        statement="k times the mean squared distance of the averaged point tends to s2 / lambda^2, "
        "whatever the steps of SGD.",
        latex=r"k\,\mathbb{E}\|\bar x_k - x_\star\|^2 \to \frac{\sigma^2}{\lambda^2}",
        source="Polyak and Juditsky (1992), Theorem 1",
        assumptions=ASSUMPTIONS,
        given=GIVEN,
        method=_times_k(Recursion(AVERAGED.label, _mean_point)),
        quantity=_scaled(MEAN_SQUARE),
        direction="identity",
        tolerance=LIMIT,
        formula=lambda k, lam, s2: s2 / lam**2 + 0 * k,
        k_range=(4000, 4002),
        instances=_averaged_parabolas,
    )
