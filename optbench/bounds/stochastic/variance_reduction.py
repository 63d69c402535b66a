"""Variance reduction."""

from __future__ import annotations

import itertools

import numpy as np

from optbench.bound import Theorem
from optbench.bounds.instances import SMOOTHNESS
from optbench.bounds.stochastic.finite_sums import (
    MEAN_CLASS,
    MEANING,
    TERMS_CLASS,
    UNBIASED,
    diabetes,
    flat_and_steep,
    mixed,
    parabola_sum,
    random_terms,
    sum_case,
)
from optbench.bounds.stochastic.moments import (
    MEAN_GAP,
    MEAN_SQUARE,
    FiniteSum,
    Observer,
    RandomMap,
    second_moments,
    squared_distance,
    suboptimality,
    transition,
)
from optbench.case import Case, Instance
from optbench.recursion import Path, Recursion


def svrg_step(terms: FiniteSum, learning_rate: float) -> RandomMap:
    """(x, z) -> (x - eta (grad f_i(x) - grad f_i(z) + grad f(z)), z)."""
    count, dim = terms.gradients.shape
    matrices = np.tile(np.eye(2 * dim), (count, 1, 1))
    matrices[:, :dim, :dim] -= learning_rate * terms.hessians
    matrices[:, :dim, dim:] = learning_rate * (terms.hessians - terms.hessian)
    return RandomMap(matrices, terms.probabilities)


def _svrg_moments(case: Case, k: np.ndarray, learning_rate: float, inner: int) -> Path:
    """E f - f* at the snapshots z_0, z_1, ...: the next is one of m inner points, at random."""
    terms: FiniteSum = case.data
    dim = len(terms.start)
    matrix = transition(svrg_step(terms, learning_rate))
    copies = np.vstack([np.eye(dim), np.eye(dim)])
    snapshots = [np.outer(terms.start, terms.start)]
    for _ in range(int(k[-1])):
        moment = (copies @ snapshots[-1] @ copies.T).ravel()
        total = np.zeros_like(moment)
        for _ in range(inner):
            total += moment
            moment = matrix @ moment
        snapshots.append(total.reshape(2 * dim, 2 * dim)[:dim, :dim] / inner)
    return Path(suboptimality(terms, np.array(snapshots))[k])


def svrg_jz() -> Theorem:
    """SVRG with inner loops of m steps eta = h / L, the snapshot drawn from x_0, ..., x_{m-1}.

        E f(z_s) - f* <= alpha^s (f(z_0) - f*),
        alpha = 1 / (mu eta (1 - 2 L eta) m) + 2 L eta / (1 - 2 L eta)

    for convex L-smooth terms whose mean is mu-strongly convex, and 2 h < 1; of use where
    alpha < 1. k counts the snapshots s.

    Source: Johnson and Zhang (2013), NIPS 26, Theorem 1, option II.
    """

    def alpha(h: float, m: int, L_i: float, mu: float) -> float:
        return L_i / (mu * h * (1 - 2 * h) * m) + 2 * h / (1 - 2 * h)

    return Theorem(
        name="svrg_jz",
        statement="Each inner loop of SVRG with m steps eta multiplies the mean gap by at most "
        "1 / (mu eta (1 - 2 L eta) m) + 2 L eta / (1 - 2 L eta).",
        latex=r"\mathbb{E} f(z_s) - f_\star \le \alpha^s (f(z_0) - f_\star),\quad "
        r"\alpha = \frac{1}{\mu \eta (1 - 2 L \eta) m} + \frac{2 L \eta}{1 - 2 L \eta}",
        source="Johnson and Zhang (2013), NIPS 26, Theorem 1",
        assumptions=(TERMS_CLASS, MEAN_CLASS, UNBIASED),
        given={"L_i": MEANING["L_i"]},
        parameters={"h": (0.1, 0.2), "m": (100, 400)},
        method=Recursion("moments of SVRG", _svrg_moments),
        steps={"learning_rate": lambda h, L_i: h / L_i, "inner": lambda m: m},
        quantity=MEAN_GAP,
        formula=lambda k, h, m, L_i, mu, f0: alpha(h, m, L_i, mu) ** k * f0,
        k_range=(1, 5),
        instances=lambda h, m: mixed(
            flat_and_steep(),
            lambda seed: sum_case(f"random[seed={seed}]", random_terms(seed, noise=1.0)),
            sum_case("diabetes", diabetes(consistent=False)),
        ),
    )


def table_step(terms: FiniteSum, learning_rate: float, weight: float) -> RandomMap:
    """x -> x - eta (w (grad f_i(x) - y_i) + mean_j y_j), y_i -> grad f_i(x).

    The state is (x, y_1, ..., y_N, 1); w is 1 in SAGA and 1 / N in SAG.
    """
    count, dim = terms.gradients.shape
    size = (count + 1) * dim + 1
    matrices = np.tile(np.eye(size), (count, 1, 1))
    for i, (hessian, gradient) in enumerate(zip(terms.hessians, terms.gradients, strict=True)):
        row = slice((i + 1) * dim, (i + 2) * dim)
        change = np.zeros((dim, size))  # of y_i
        change[:, :dim], change[:, -1] = hessian, gradient
        change[:, row] -= np.eye(dim)
        mean = np.zeros((dim, size))
        mean[:, dim:-1] = np.tile(np.eye(dim) / count, count)
        matrices[i, :dim] -= learning_rate * (weight * change + mean)
        matrices[i, row] += change
    return RandomMap(matrices, terms.probabilities)


def table_start(terms: FiniteSum, is_filled: bool) -> np.ndarray:
    """[D] x_0, the gradients of all terms at x_0 or else zeros, and 1."""
    gradients = terms.hessians @ terms.start + terms.gradients
    return np.concatenate([terms.start, is_filled * gradients.ravel(), [1.0]])


def _saga(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """E |x_k - x*|^2, the table filled with the gradients at x_0."""
    terms: FiniteSum = case.data
    return _with_table(terms, k, table_step(terms, learning_rate, 1.0), True, squared_distance)


def _sag(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """E f(x_k) - f*, the table empty at first."""
    terms: FiniteSum = case.data
    step = table_step(terms, learning_rate, 1 / len(terms.probabilities))
    return _with_table(terms, k, step, False, suboptimality)


def _with_table(
    terms: FiniteSum, k: np.ndarray, step: RandomMap, is_filled: bool, observe: Observer
) -> Path:
    steps = itertools.repeat(step, int(k[-1]))
    return Path(observe(terms, second_moments(table_start(terms, is_filled), steps)[k]))


def _table_sums(*worst: Case) -> tuple[Instance, ...]:
    """Sums of few terms, as the state holds a gradient of each."""
    first = diabetes(consistent=False)
    rows = slice(None, None, 20)
    gradients = first.gradients[rows, :2]
    pair = FiniteSum(
        first.hessians[rows, :2, :2],
        gradients - gradients.mean(axis=0),
        np.full(5, 0.2),
        first.start[:2],
    )
    return mixed(
        worst,
        lambda seed: sum_case(f"random[seed={seed}]", random_terms(seed, noise=1.0)),
        sum_case("diabetes", pair),
    )


def saga_rate() -> Theorem:
    """SAGA with step 1 / (2 (mu N + L)) on N terms, each mu-strongly convex and L-smooth.

        E |x_k - x*|^2 <= (1 - mu / (2 (mu N + L)))^k (R^2 + N / (mu N + L) (f(x_0) - f*)),

    the table filled with the gradients at x_0. Almost attained, at first, by equal terms of
    curvature mu where L is much larger.

    Source: Defazio, Bach and Lacoste-Julien (2014), NIPS 27, Corollary 1, for a smooth f.
    """

    def length(L_i: float, mu_i: float, N: float) -> float:
        return 1 / (2 * (mu_i * N + L_i))

    flat = parabola_sum("flat", 0.01, [0.0, 0.0, 0.0], L_i=SMOOTHNESS)
    return Theorem(
        name="saga_rate",
        statement="SAGA with step 1 / (2 (mu N + L)) multiplies its error by 1 - mu / (2 (mu N + "
        "L)) per step.",
        latex=r"\mathbb{E}\|x_k - x_\star\|^2 \le \left(1 - \frac{\mu}{2 (\mu N + L)}\right)^k "
        r"\left(R^2 + \frac{N}{\mu N + L} (f(x_0) - f_\star)\right)",
        source="Defazio, Bach and Lacoste-Julien (2014), NIPS 27, Corollary 1",
        assumptions=(TERMS_CLASS, UNBIASED),
        given={letter: MEANING[letter] for letter in ("L_i", "mu_i", "N")},
        method=Recursion("moments of SAGA", _saga),
        steps={"learning_rate": length},
        quantity=MEAN_SQUARE,
        formula=lambda k, L_i, mu_i, N, R, f0: (
            (1 - mu_i * length(L_i, mu_i, N)) ** k * (R**2 + 2 * N * length(L_i, mu_i, N) * f0)
        ),
        instances=lambda: _table_sums(flat),
    )


def sag_rate() -> Theorem:
    """SAG with step 1 / (16 L) on N convex L-smooth terms whose mean is mu-strongly convex.

        E f(x_k) - f* <= (1 - min(mu / (16 L), 1 / (8 N)))^k C,
        C = f(x_0) - f* + 4 L / N R^2 + s2 / (16 L),

    the table empty at first; s2 is the mean squared gradient of the terms at x*.

    Source: Schmidt, Le Roux and Bach (2017), Math. Program. 162, Theorem 1, from memory.
    """
    many = parabola_sum("many", SMOOTHNESS, np.zeros(20))
    return Theorem(
        name="sag_rate",
        statement="SAG with step 1 / (16 L) converges linearly, with rate 1 - min(mu / (16 L), "
        "1 / (8 N)).",
        latex=r"\mathbb{E} f(x_k) - f_\star \le \left(1 - \min\left\{\frac{\mu}{16 L}, "
        r"\frac{1}{8 N}\right\}\right)^k \left(f(x_0) - f_\star + \frac{4 L}{N} R^2 + "
        r"\frac{\sigma^2}{16 L}\right)",
        source="Schmidt, Le Roux and Bach (2017), Math. Program. 162, Theorem 1",
        assumptions=(TERMS_CLASS, MEAN_CLASS, UNBIASED),
        given={letter: MEANING[letter] for letter in ("L_i", "s2", "N")},
        method=Recursion("moments of SAG", _sag),
        steps={"learning_rate": lambda L_i: 1 / (16 * L_i)},
        quantity=MEAN_GAP,
        formula=lambda k, L_i, mu, N, R, s2, f0: (
            (1 - min(mu / (16 * L_i), 1 / (8 * N))) ** k
            * (f0 + 4 * L_i / N * R**2 + s2 / (16 * L_i))
        ),
        instances=lambda: _table_sums(many),
    )
