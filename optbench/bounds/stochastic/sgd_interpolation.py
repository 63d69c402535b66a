"""SGD with a shared minimizer."""

from __future__ import annotations

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS, SMOOTHNESS
from optbench.bounds.stochastic.finite_sums import (
    INTERPOLATED,
    MEAN_CLASS,
    MEANING,
    SLACK,
    TERMS_CLASS,
    diabetes,
    flat_and_steep,
    largest_ratio,
    mixed,
    random_terms,
    regression,
    sum_case,
)
from optbench.bounds.stochastic.moments import MEAN_GAP, MEAN_SQUARE, FiniteSum, sgd, suboptimality
from optbench.case import Case


def sgd_interp_sc() -> Theorem:
    """SGD with step h / L on terms that are mu-strongly convex, L-smooth, and share x*.

        E |x_k - x*|^2 <= max((1 - h mu / L)^2, (1 - h)^2)^k R^2,   0 < h < 2,

    with mu and L those of each term. Attained at every k where all terms are one parabola of
    curvature mu or L.

    Source: each step contracts as gradient descent does, Polyak (1987), section 1.4, Theorem 3,
    whose number is from memory; the example "stochastic gradient descent, overparametrized" of
    PESTO and PEPit.
    """

    def factor(h: float, mu_i: float, L_i: float) -> float:
        return max((1 - h * mu_i / L_i) ** 2, (1 - h) ** 2)

    return Theorem(
        name="sgd_interp_sc",
        statement="Where all terms share a minimizer, a step of SGD contracts the distance as a "
        "step of gradient descent does.",
        latex=r"\mathbb{E}\|x_k - x_\star\|^2 \le "
        r"\max\{(1 - h \mu_i / L_i)^2, (1 - h)^2\}^k \|x_0 - x_\star\|^2",
        source="Polyak (1987), section 1.4, Theorem 3",
        assumptions=(TERMS_CLASS, INTERPOLATED),
        given={letter: MEANING[letter] for letter in ("L_i", "mu_i")},
        parameters={"h": (0.5, 1.0, 1.5, 1.9)},
        method=sgd(),
        steps={"learning_rate": lambda h, L_i: h / L_i},
        quantity=MEAN_SQUARE,
        formula=lambda k, h, mu_i, L_i, R: factor(h, mu_i, L_i) ** k * R**2,
        attained_at=range(1, 101),
        instances=lambda h: mixed(
            flat_and_steep(),
            lambda seed: sum_case(f"random[seed={seed}]", random_terms(seed)),
            sum_case("diabetes", diabetes(consistent=True)),
        ),
    )


ROWS = Assumption(
    name="rows with |a_i|^2 <= beta",
    holds=lambda case: bool(
        np.trace(case.data.hessians, axis1=1, axis2=2).max() <= (1 + SLACK) * case.symbols["beta"]
    ),
    hint="set beta to the largest squared norm of a row",
)


def _rows_case(name: str, terms: FiniteSum) -> Case:
    norms = np.trace(terms.hessians, axis1=1, axis2=2)
    return sum_case(name, terms, beta=float(norms.max()))


def _mostly_used() -> Case:
    """On a line, one row of squared norm 4, and one of 0 that is drawn once in 50 times."""
    terms = FiniteSum(
        np.array([[[SMOOTHNESS]], [[0.0]]]),
        np.zeros((2, 1)),
        np.array([0.98, 0.02]),
        np.array([RADIUS]),
    )
    return _rows_case("two_rows", terms)


def _random_rows(seed: int) -> FiniteSum:
    rng = np.random.default_rng(seed)
    return regression(rng.standard_normal((5, 2)), np.zeros(5), rng.uniform(1, 3, 2))


def sgd_interp_ls() -> Theorem:
    """Mini-batch SGD on interpolated least squares, f_i(x) = (a_i.x - b_i)^2 / 2, b = A x*.

    With beta the largest |a_i|^2, curvatures of f in [mu, L], batches of m rows drawn with
    replacement and step m / (beta + (m - 1) L),

        E f(x_k) - f* <= beta / 2 (1 - mu m / (beta + (m - 1) L))^k R^2.

    The rate is attained for m = 1 where rows have squared norm beta or 0. As f - f* is at most
    L / 2 |x - x*|^2, and L at most beta, the factor beta / 2 is generous.

    Source: Ma, Bassily and Belkin (2018), ICML, Theorem 1, with half its largest step; from memory.
    """
    return Theorem(
        name="sgd_interp_ls",
        statement="On a consistent least-squares problem, mini-batches of m rows allow steps of "
        "m / (beta + (m - 1) L), and the gap falls as (1 - mu m / (beta + (m - 1) L))^k.",
        latex=r"\mathbb{E} f(x_k) - f_\star \le \frac{\beta}{2}"
        r"\left(1 - \frac{\mu m}{\beta + (m - 1) L}\right)^k \|x_0 - x_\star\|^2",
        source="Ma, Bassily and Belkin (2018)",
        assumptions=(MEAN_CLASS, INTERPOLATED, ROWS),
        given={"beta": "largest squared norm of a row"},
        parameters={"m": (1, 2, 8)},
        method=sgd(suboptimality),
        steps={
            "learning_rate": lambda m, beta, L: m / (beta + (m - 1) * L),
            "batch": lambda m: m,
        },
        quantity=MEAN_GAP,
        formula=lambda k, m, beta, L, mu, R: (
            beta / 2 * (1 - mu * m / (beta + (m - 1) * L)) ** k * R**2
        ),
        instances=lambda m: mixed(
            [_mostly_used()],
            lambda seed: _rows_case(f"random[seed={seed}]", _random_rows(seed)),
            _rows_case("diabetes", diabetes(consistent=True)),
        ),
    )


def _growth(terms: FiniteSum) -> float:
    """The least rho with E |g_i|^2 <= rho |grad f|^2 everywhere."""
    squares = np.einsum("i,iab,iac->bc", terms.probabilities, terms.hessians, terms.hessians)
    return largest_ratio(squares, terms.hessian @ terms.hessian)


GROWTH = Assumption(
    name="strong growth, E |g_i|^2 <= rho |grad f|^2",
    holds=lambda case: _growth(case.data) <= (1 + SLACK) * case.symbols["rho"],
    hint="set rho to the largest E |g_i|^2 / |grad f|^2",
)


def _growing(name: str, terms: FiniteSum) -> Case:
    return sum_case(name, terms, rho=_growth(terms))


def _multiplicative(curvature: float, spread: float) -> FiniteSum:
    """On a line, gradients (1 +- spread) lambda x: E g^2 = (1 + spread^2) (f')^2."""
    curvatures = curvature * (1 + spread * np.array([1.0, -1.0]))
    return FiniteSum(
        curvatures[:, None, None], np.zeros((2, 1)), np.full(2, 0.5), np.array([RADIUS])
    )


def sgd_sgc() -> Theorem:
    """SGD with step 1 / (rho L) under strong growth, E |g_i|^2 <= rho |grad f|^2.

        E f(x_k) - f* <= (1 - mu / (rho L))^k (f(x_0) - f*)

    for mu-strongly convex, L-smooth f. Attained where mu = L: on a parabola with noise
    proportional to the gradient, each step multiplies E (x - x*)^2 by 1 - 1 / rho.

    Source: Schmidt and Le Roux (2013), arXiv:1308.6370; Vaswani, Bach and Schmidt (2019),
    AISTATS; both from memory.
    """
    return Theorem(
        name="sgd_sgc",
        statement="Where the noise vanishes with the gradient, E|g|^2 <= rho |grad f|^2, SGD with "
        "step 1 / (rho L) is linear with rate 1 - mu / (rho L).",
        latex=r"\mathbb{E} f(x_k) - f_\star \le "
        r"\left(1 - \frac{\mu}{\rho L}\right)^k (f(x_0) - f_\star)",
        source="Schmidt and Le Roux (2013)",
        assumptions=(MEAN_CLASS, INTERPOLATED, GROWTH),
        given={"rho": "largest E |g_i|^2 / |grad f|^2"},
        method=sgd(suboptimality),
        steps={"learning_rate": lambda rho, L: 1 / (rho * L)},
        quantity=MEAN_GAP,
        formula=lambda k, rho, L, mu, f0: (1 - mu / (rho * L)) ** k * f0,
        instances=lambda: mixed(
            [_growing("multiplicative", _multiplicative(SMOOTHNESS, 0.75))],
            lambda seed: _growing(f"random[seed={seed}]", random_terms(seed)),
            _growing("diabetes", diabetes(consistent=True)),
        ),
    )
