"""SGD with noise of any kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS, SMOOTHNESS
from optbench.bounds.stochastic.finite_sums import (
    MEAN_CLASS,
    MEANING,
    SLACK,
    UNBIASED,
    diabetes,
    largest_ratio,
    mixed,
    random_terms,
    sum_case,
)
from optbench.bounds.stochastic.moments import MEAN_GAP, FiniteSum, expectation, sgd, suboptimality
from optbench.bounds.stochastic.paths import all_paths
from optbench.case import Case, Instance
from optbench.quantity import SQUARED_GRADIENT_NORM
from optbench.recursion import Path, Recursion


def _spread(terms: FiniteSum) -> float:
    """The least v with E |(A_i - H) x|^2 <= v |H x|^2 for all x."""
    squares = np.einsum("i,iab,iac->bc", terms.probabilities, terms.hessians, terms.hessians)
    square = terms.hessian @ terms.hessian
    return max(largest_ratio(squares - square, square), 0.0)


def _is_noise_bounded(case: Case) -> bool:
    terms: FiniteSum = case.data
    mixed_moment = np.einsum("i,iab,ia->b", terms.probabilities, terms.hessians, terms.gradients)
    return bool(
        np.abs(mixed_moment).max() <= SLACK
        and _spread(terms) <= (1 + SLACK) * case.symbols["v"] + SLACK
    )


NOISE = Assumption(
    name="a variance of the gradient of at most s2 + v |grad f|^2",
    holds=_is_noise_bounded,
    hint="let the noise at x* have random signs, and set v to the growth of the rest",
)
GIVEN = {
    "s2": MEANING["s2"],
    "v": "growth of the variance of the gradient with |grad f|^2",
}


def _signed(name: str, terms: FiniteSum) -> Case:
    """The sum where the gradient of each term at x* has either sign, equally often."""
    hessians, gradients, probabilities, start = terms
    both = FiniteSum(
        np.concatenate([hessians, hessians]),
        np.concatenate([gradients, -gradients]),
        np.concatenate([probabilities, probabilities]) / 2,
        start,
    )
    return sum_case(name, both, v=_spread(both))


def _round_bowl(spread: float) -> FiniteSum:
    """On a line, gradients (1 +- spread) L x + 1/2."""
    curvatures = SMOOTHNESS * (1 + spread * np.array([1.0, -1.0]))
    return FiniteSum(
        curvatures[:, None, None], np.full((2, 1), 0.5), np.full(2, 0.5), np.array([RADIUS])
    )


def _strongly_convex_sums() -> tuple[Instance, ...]:
    return mixed(
        [_signed(f"round[spread={spread:g}]", _round_bowl(spread)) for spread in (0.0, 1.0)],
        lambda seed: _signed(f"random[seed={seed}]", random_terms(seed, noise=1.0)),
        _signed("diabetes", diabetes(consistent=False)),
    )


def bcn_4_6() -> Theorem:
    """SGD with constant step eta = h / (L (1 + v)), 0 < h <= 1, on a strongly convex function.

    With variance of the gradient at most s2 + v |grad f|^2,

        E f(x_k) - f* <= c + (1 - eta mu)^k (f(x_0) - f* - c),   c = eta L s2 / (2 mu).

    Attained at every k where mu = L and h = 1. The paper counts k from 1, and allows for biased
    gradients too; here they are unbiased, its mu and mu_G are 1 and its M_G is 1 + v.

    Source: Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), Theorem 4.6.
    """

    def rate(h: float, L: float, v: float) -> float:
        return h / (L * (1 + v))

    def level(h: float, L: float, v: float, mu: float, s2: float) -> float:
        return rate(h, L, v) * L * s2 / (2 * mu)

    return Theorem(
        name="bcn_4_6",
        statement="With a constant step, SGD on a strongly convex function converges linearly, "
        "down to a gap of eta L s2 / (2 mu).",
        latex=r"\mathbb{E} f(x_k) - f_\star \le \frac{\eta L \sigma^2}{2 \mu} + (1 - \eta \mu)^k "
        r"\left(f(x_0) - f_\star - \frac{\eta L \sigma^2}{2 \mu}\right)",
        source="Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), Theorem 4.6",
        assumptions=(MEAN_CLASS, UNBIASED, NOISE),
        given=GIVEN,
        parameters={"h": (0.5, 1.0)},
        method=sgd(suboptimality),
        steps={"learning_rate": rate},
        quantity=MEAN_GAP,
        formula=lambda k, h, L, mu, v, s2, f0: (
            level(h, L, v, mu, s2) + (1 - rate(h, L, v) * mu) ** k * (f0 - level(h, L, v, mu, s2))
        ),
        instances=lambda h: _strongly_convex_sums(),
    )


def bcn_4_7() -> Theorem:
    """SGD with steps beta / (gamma + j), j = 1, 2, ..., beta = c / mu, c > 1.

    With variance of the gradient at most s2 + v |grad f|^2, and gamma such that the first step is
    1 / (L (1 + v)),

        E f(x_k) - f* <= max(beta^2 L s2 / (2 (c - 1)), (gamma + 1) (f(x_0) - f*)) / (gamma + k + 1)

    for mu-strongly convex, L-smooth f. The paper counts k from 1.

    Source: Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), Theorem 4.7.
    """

    def offset(c: float, L: float, mu: float, v: float) -> float:
        return c / mu * L * (1 + v) - 1

    return Theorem(
        name="bcn_4_7",
        statement="With steps c / (mu (gamma + k)), c > 1, the mean gap of SGD on a strongly "
        "convex function falls as 1 / k.",
        latex=r"\mathbb{E} f(x_k) - f_\star \le \frac{1}{\gamma + k + 1} \max\left\{"
        r"\frac{\beta^2 L \sigma^2}{2 (\beta\mu - 1)}, (\gamma + 1)(f(x_0) - f_\star)\right\}",
        source="Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), Theorem 4.7",
        assumptions=(MEAN_CLASS, UNBIASED, NOISE),
        given=GIVEN,
        parameters={"c": (1.5, 2.0)},
        method=sgd(suboptimality),
        steps={
            "learning_rate": lambda c, mu: c / mu,
            "offset": offset,
            "power": lambda: 1.0,
        },
        quantity=MEAN_GAP,
        formula=lambda k, c, L, mu, v, s2, f0: (
            max((c / mu) ** 2 * L * s2 / (2 * (c - 1)), (offset(c, L, mu, v) + 1) * f0)
            / (offset(c, L, mu, v) + k + 1)
        ),
        k_range=(1, 25),
        instances=lambda c: _strongly_convex_sums(),
    )


class Landscape(NamedTuple):
    """A function on a line with noisy gradients, to be walked on along all paths.

    Attributes:
        value: [P] points -> [P] f there.
        slope: [P] points -> [P] f'.
        noise: [m] what is added to f', equally often.
        start: x_0.
    """

    value: Callable[[np.ndarray], np.ndarray]
    slope: Callable[[np.ndarray], np.ndarray]
    noise: np.ndarray
    start: float


def mean_squared_slopes(landscape: Landscape, rates: np.ndarray) -> np.ndarray:
    """[K] E f'(x_i)^2 for i = 0, ..., K - 1, with steps of K given lengths."""

    def step(points: np.ndarray, j: int) -> np.ndarray:
        seen = landscape.slope(points) + landscape.noise
        return (points - rates[j - 1] * seen)[:, :, None]

    count = len(landscape.noise)
    found = all_paths(np.array([landscape.start]), step, np.full(count, 1 / count), len(rates) - 1)
    return np.array([weights @ landscape.slope(points[:, 0]) ** 2 for points, weights in found])


def _mean_slope(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """The mean of E f'(x_i)^2 over i < k."""
    squares = mean_squared_slopes(case.data, np.full(k[-1], learning_rate))
    return Path((np.cumsum(squares) / np.arange(1, k[-1] + 1))[k - 1])


def _weighted_slope(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """The sum of eta_i E f'(x_i)^2 over i < k, with steps eta / j, and that of eta_i^2."""
    rates = learning_rate / np.arange(1.0, k[-1] + 1)
    weighted = np.cumsum(rates * mean_squared_slopes(case.data, rates))
    return Path(weighted[k - 1], symbols={"S2": np.cumsum(rates**2)[k - 1]})


def landscapes() -> tuple[Case, ...]:
    """A parabola, waves and a bowl that flattens out; L = 4, f* = 0, and a coin as noise."""
    width = 0.5
    functions = {
        "parabola": (lambda x: SMOOTHNESS / 2 * x**2, lambda x: SMOOTHNESS * x, 6.0),
        "waves": (
            lambda x: SMOOTHNESS * width**2 * (1 - np.cos(x / width)),
            lambda x: SMOOTHNESS * width * np.sin(x / width),
            RADIUS,
        ),
        "flattening": (
            lambda x: SMOOTHNESS / 2 * x**2 / (1 + x**2),
            lambda x: SMOOTHNESS * x / (1 + x**2) ** 2,
            RADIUS,
        ),
    }
    return tuple(
        Case(
            name=name,
            symbols={"L": SMOOTHNESS, "f0": float(value(np.array(start))), "s2": 0.25},
            data=Landscape(value, slope, np.array([-0.5, 0.5]), start),
        )
        for name, (value, slope, start) in functions.items()
    )


def _is_landscape(case: Case) -> bool:
    """Slopes at two points differ by at most L times their distance, on a fine grid."""
    landscape: Landscape = case.data
    grid = np.linspace(-10, 10, 20_001)
    steepest = np.abs(np.diff(landscape.slope(grid))).max() / (grid[1] - grid[0])
    noise = landscape.noise
    return bool(
        steepest <= (1 + SLACK) * case.symbols["L"]
        and landscape.value(grid).min() >= 0
        and abs(noise.mean()) <= SLACK
        and np.mean(noise**2) <= (1 + SLACK) * case.symbols["s2"]
    )


LANDSCAPE = Assumption(
    name="an L-smooth function that is nowhere negative, and noise of variance s2",
    holds=_is_landscape,
    hint="raise L or s2, or subtract the infimum of the function",
)


def bcn_4_8() -> Theorem:
    """SGD with constant step eta = h / L, 0 < h <= 1, on an L-smooth function, convex or not.

    With additive noise of variance s2,

        mean over i < k of E |grad f(x_i)|^2 <= eta L s2 + 2 (f(x_0) - inf f) / (k eta).

    Observed along all 2^k paths of noise that is a coin. On the parabola of curvature L it is off
    only by f(x_k) - inf f. The paper allows for noise that grows with the gradient too.

    Source: Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), Theorem 4.8.
    """
    return Theorem(
        name="bcn_4_8",
        statement="With a constant step, the mean of the squared gradients along SGD falls as "
        "1 / k to eta L s2, whether or not f is convex.",
        latex=r"\frac{1}{k} \sum_{i<k} \mathbb{E} \|\nabla f(x_i)\|^2 \le "
        r"\eta L \sigma^2 + \frac{2 (f(x_0) - \inf f)}{k \eta}",
        source="Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), Theorem 4.8",
        assumptions=(LANDSCAPE,),
        given={"s2": "variance of the gradient"},
        parameters={"h": (0.5, 1.0)},
        method=Recursion("all paths of SGD", _mean_slope),
        steps={"learning_rate": lambda h, L: h / L},
        quantity=dataclasses.replace(
            expectation(SQUARED_GRADIENT_NORM),
            name="mean of E |grad f(x_i)|^2 over i < k",
            latex=r"\frac{1}{k} \sum_{i<k} \mathbb{E} \|\nabla f(x_i)\|^2",
        ),
        formula=lambda k, h, L, s2, f0: h * s2 + 2 * f0 * L / (k * h),
        k_range=(1, 12),
        instances=lambda h: [Instance("random", case) for case in landscapes()],
    )


def bcn_4_10() -> Theorem:
    """SGD with steps eta_j = h / (L j), j = 1, 2, ..., 0 < h <= 1, on an L-smooth function.

    With additive noise of variance s2, and step j from x_{j-1},

        sum over j <= k of eta_j E |grad f(x_{j-1})|^2 <= 2 (f(x_0) - inf f) + L s2 sum_j eta_j^2.

    Observed along all 2^k paths of noise that is a coin.

    Source: Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), proof of Theorem 4.10.
    """
    return Theorem(
        name="bcn_4_10",
        statement="With decreasing steps, the sum of the squared gradients along SGD, weighted by "
        "the steps, is at most 2 (f(x_0) - inf f) and L s2 times the sum of the squared steps.",
        latex=r"\sum_{j \leq k} \eta_j \mathbb{E} \|\nabla f(x_{j-1})\|^2 \le "
        r"2 (f(x_0) - \inf f) + L \sigma^2 \sum_{j \leq k} \eta_j^2",
        source="Bottou, Curtis and Nocedal (2018), SIAM Review 60(2), proof of Theorem 4.10",
        assumptions=(LANDSCAPE,),
        given={"s2": "variance of the gradient", "S2": "sum of the squared steps"},
        parameters={"h": (0.5, 1.0)},
        method=Recursion("all paths of SGD", _weighted_slope),
        steps={"learning_rate": lambda h, L: h / L},
        quantity=dataclasses.replace(
            expectation(SQUARED_GRADIENT_NORM),
            name="sum of eta_i E |grad f(x_i)|^2 over i < k",
            latex=r"\sum_{i<k} \eta_i \mathbb{E} \|\nabla f(x_i)\|^2",
        ),
        formula=lambda k, L, s2, f0, S2: 2 * f0 + L * s2 * S2,
        k_range=(1, 12),
        instances=lambda h: [Instance("random", case) for case in landscapes()],
    )
