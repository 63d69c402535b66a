"""SGD on finite sums."""

from __future__ import annotations

import itertools

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS, SMOOTHNESS, STRONG_CONVEXITY
from optbench.bounds.real_data import flowers
from optbench.bounds.stochastic.finite_sums import (
    MEAN_CLASS,
    MEANING,
    SLACK,
    TERMS_CLASS,
    UNBIASED,
    diabetes,
    largest_ratio,
    mixed,
    parabola_sum,
    random_terms,
    regression,
    sum_case,
)
from optbench.bounds.stochastic.moments import (
    MEAN_GAP,
    MEAN_SQUARE,
    FiniteSum,
    averaged_sgd,
    sgd,
    suboptimality,
)
from optbench.case import Case, Instance
from optbench.quantity import EPS, Quantity
from optbench.recursion import Path, Recursion


def sgd_gower() -> Theorem:
    """SGD with a constant step eta = h / (2 L_i), 0 < h <= 1, on convex L_i-smooth terms.

        E |x_k - x*|^2 <= (1 - eta mu)^k R^2 + 2 eta s2 / mu

    for mu-strongly convex f, with s2 the mean squared gradient of the terms at x*. L_i bounds the
    expected smoothness, of which the theorem speaks, where terms are drawn uniformly.

    Source: Gower, Loizou, Qian, Sailanbayev, Shulgin and Richtarik (2019), ICML, Theorem 3.1, from
    memory.
    """
    start = 30.0

    def quiet(spread: float) -> Case:
        """Curvature mu = 1 / 100 L_i, started far above the noise."""
        return parabola_sum("flat", 0.01 * SMOOTHNESS, [-spread, spread], start, L_i=SMOOTHNESS)

    return Theorem(
        name="sgd_gower",
        statement="With a constant step of at most 1 / (2 L_i), SGD converges linearly, down to a "
        "mean squared distance of 2 eta s2 / mu.",
        latex=r"\mathbb{E}\|x_k - x_\star\|^2 \le (1 - \eta \mu)^k \|x_0 - x_\star\|^2 + "
        r"\frac{2 \eta \sigma^2}{\mu}",
        source="Gower, Loizou, Qian, Sailanbayev, Shulgin and Richtarik (2019)",
        assumptions=(TERMS_CLASS, MEAN_CLASS, UNBIASED),
        given={letter: MEANING[letter] for letter in ("L_i", "s2")},
        parameters={"h": (0.2, 1.0)},
        method=sgd(),
        steps={"learning_rate": lambda h, L_i: h / (2 * L_i)},
        quantity=MEAN_SQUARE,
        formula=lambda k, h, L_i, mu, s2, R: (
            (1 - h * mu / (2 * L_i)) ** k * R**2 + h * s2 / (L_i * mu)
        ),
        instances=lambda h: mixed(
            [quiet(0.5)],
            lambda seed: sum_case(f"random[seed={seed}]", random_terms(seed, noise=1.0)),
            sum_case("diabetes", diabetes(consistent=False)),
        ),
    )


def _two_mirrors(h: float, spread: float) -> Case:
    """Two quadratics in the plane that attain the bound on one step of SGD.

    The gradients at x* are +-v e_2, x_0 - x* = R e_1. The Hessian of each is a reflection with
    curvatures mu and L: it takes x_0 - x* to (L + mu) / 2 (x_0 - x*) plus a vector of length
    (L - mu) / 2 R that points where it lengthens x_1 - x* most.
    """
    middle, half = (SMOOTHNESS + STRONG_CONVEXITY) / 2, (SMOOTHNESS - STRONG_CONVEXITY) / 2
    learning_rate = h / middle
    gradients = np.array([[0.0, spread], [0.0, -spread]])
    reached = np.array([(1 - h) * RADIUS, 0.0]) - learning_rate * gradients
    outwards = -reached / np.linalg.norm(reached, axis=1)[:, None]
    mirrors = outwards - np.array([1.0, 0.0])
    mirrors /= np.linalg.norm(mirrors, axis=1)[:, None]
    reflections = np.eye(2) - 2 * np.einsum("ia,ib->iab", mirrors, mirrors)
    terms = FiniteSum(
        middle * np.eye(2) + half * reflections, gradients, np.full(2, 0.5), np.array([RADIUS, 0.0])
    )
    return sum_case(f"mirrors[spread={spread:g}]", terms)


def sgd_onestep_exact() -> Theorem:
    """One step of SGD, eta = 2 h / (L + mu), on mu-strongly convex and L-smooth terms.

        E |x_1 - x*|^2 <= (eta (L - mu) / 2 R
                           + sqrt((1 - eta (L + mu) / 2)^2 R^2 + eta^2 s2))^2

    with mu and L those of each term, s2 the mean squared gradient at x*. The gradient of a term at
    x_0 differs from that at x* by a vector in the ball around (L + mu) / 2 (x_0 - x*) of radius
    (L - mu) / 2 R; the triangle inequality and Jensen's give the bound, for every eta > 0.
    Attained by two quadratics in the plane (`_two_mirrors`).

    Source: the example "stochastic gradient descent" of PESTO and PEPit, where the value is found
    numerically; Taylor and Bach (2019), COLT, from memory; proof and worst case are derived here.
    """
    return Theorem(
        name="sgd_onestep_exact",
        statement="One step of SGD on mu-strongly convex, L-smooth terms leaves at most the square "
        "of eta (L - mu) / 2 R plus the root of (1 - eta (L + mu) / 2)^2 R^2 + eta^2 s2.",
        latex=r"\mathbb{E}\|x_1 - x_\star\|^2 \le \left(\eta \frac{L_i - \mu_i}{2} R + "
        r"\sqrt{(1 - \eta \frac{L_i + \mu_i}{2})^2 R^2 + \eta^2 \sigma^2}\right)^2",
        source="Taylor and Bach (2019)",
        assumptions=(TERMS_CLASS, UNBIASED),
        given={letter: MEANING[letter] for letter in ("L_i", "mu_i", "s2")},
        parameters={"h": (0.3, 1.0, 1.5)},
        method=sgd(),
        steps={"learning_rate": lambda h, L_i, mu_i: 2 * h / (L_i + mu_i)},
        quantity=MEAN_SQUARE,
        formula=lambda k, h, L_i, mu_i, s2, R: (
            (
                (
                    h * (L_i - mu_i) / (L_i + mu_i) * R
                    + np.sqrt((1 - h) ** 2 * R**2 + (2 * h / (L_i + mu_i)) ** 2 * s2)
                )
                ** 2
            )
            + 0 * k
        ),
        k_range=(1, 1),
        attained_at=(1,),
        instances=lambda h: mixed(
            [_two_mirrors(h, spread) for spread in (0.5, 3.0)],
            lambda seed: sum_case(f"random[seed={seed}]", random_terms(seed, noise=1.0)),
            sum_case("diabetes", diabetes(consistent=False)),
        ),
    )


def _least_squares_case(name: str, terms: FiniteSum) -> Case:
    """Least squares with the constants of its rows and residuals, where H is not singular."""
    p, hessian = terms.probabilities, terms.hessian
    norms = np.trace(terms.hessians, axis1=1, axis2=2)
    return sum_case(
        name,
        terms,
        R2=largest_ratio(np.einsum("i,i,iab->ab", p, norms, terms.hessians), hessian),
        sigma2=largest_ratio(terms.noise, hessian),
    )


def _is_least_squares(case: Case) -> bool:
    least = _least_squares_case(case.name, case.data).symbols
    return all((1 + SLACK) * case.symbols[letter] >= least[letter] for letter in ("R2", "sigma2"))


LMS = Assumption(
    name="rows a and residuals e with E |a|^2 a a^T <= R2 H and E e^2 a a^T <= sigma2 H",
    holds=_is_least_squares,
    hint="set R2 and sigma2 to such constants",
)


def _noisy_rows(seed: int) -> FiniteSum:
    rng = np.random.default_rng(seed)
    rows, residuals = rng.standard_normal((6, 2)), rng.standard_normal(6)
    residuals -= rows @ np.linalg.lstsq(rows, residuals, rcond=None)[0]
    return regression(rows, residuals, rng.uniform(1, 3, 2))


def bach_moulines_lms() -> Theorem:
    """The mean of x_0, ..., x_{k-1} of SGD with step 1 / (4 R2) on least squares.

        E f(mean) - f* <= 2 / k (sqrt(sigma2 n) + sqrt(R2) R)^2,

    with E |a|^2 a a^T <= R2 H, E e^2 a a^T <= sigma2 H for rows a with residuals e at x*, in n
    dimensions; H need not be positive definite.

    Source: Bach and Moulines (2013), NIPS 26, Theorem 1, with step 1 / (4 R2); from memory.
    """
    return Theorem(
        name="bach_moulines_lms",
        statement="With the constant step 1 / (4 R2), the averaged point of least mean squares has "
        "a gap of order 1 / k, however small the curvature.",
        latex=r"\mathbb{E} f(\bar x_k) - f_\star \le "
        r"\frac{2}{k} \left(\sigma \sqrt{n} + R_a \|x_0 - x_\star\|\right)^2",
        source="Bach and Moulines (2013), Theorem 1",
        assumptions=(UNBIASED, LMS),
        given={"R2": "bound on squared norms of rows", "sigma2": "bound on squared residuals"},
        method=averaged_sgd(suboptimality),
        steps={"learning_rate": lambda R2: 1 / (4 * R2)},
        quantity=MEAN_GAP,
        formula=lambda k, R2, sigma2, n, R: 2 / k * (np.sqrt(sigma2 * n) + np.sqrt(R2) * R) ** 2,
        instances=lambda: mixed(
            [
                _least_squares_case(
                    f"line[start={start:g}]",
                    regression(np.full((2, 1), 2.0), np.array([-1.0, 1.0]), np.array([start])),
                )
                for start in (0.0, RADIUS)
            ],
            lambda seed: _least_squares_case(f"random[seed={seed}]", _noisy_rows(seed)),
            _least_squares_case("diabetes", diabetes(consistent=False)),
        ),
    )


def _batch_variance(case: Case, k: np.ndarray) -> Path:
    """[T] E |mean of a batch of k rows - mean of all|^2, over all batches."""
    rows: np.ndarray = case.data
    center = rows.mean(axis=0)

    def variance(size: int) -> float:
        repeated = itertools.product(range(len(rows)), repeat=size)
        batches = (
            repeated if case.symbols["rep"] else itertools.combinations(range(len(rows)), size)
        )
        means = rows[np.array(list(batches))].mean(axis=1)
        return float(np.mean(np.sum((means - center) ** 2, axis=1)))

    return Path(
        np.array([variance(int(size)) for size in k]), rounding=EPS * float(np.mean(rows**2))
    )


def _rows_to_sample() -> tuple[Instance, ...]:
    sets = {
        "random": np.random.default_rng(0).standard_normal((6, 2)),
        "iris": flowers()[0][::25],
    }
    return tuple(
        Instance(
            "random" if name == "random" else "data",
            Case(
                name=f"{name}[replacement={replaced}]",
                symbols={
                    "rep": replaced,
                    "N": len(rows),
                    "s2": float(np.sum(rows.var(axis=0))),
                },
                data=rows,
            ),
        )
        for name, rows in sets.items()
        for replaced in (False, True)
    )


def minibatch_var() -> Theorem:
    """The variance of the mean of a batch of k of N gradients, whose variance is s2.

        s2 / k with replacement,   s2 / k (N - k) / (N - 1) without.

    Observed over all batches of 1 to 5 of 6 rows.

    Source: Cochran (1977), "Sampling techniques", Theorem 2.2, whose number is from memory.
    """
    return Theorem(
        name="minibatch_var",
        statement="The variance of a mini-batch gradient falls as 1 / k in the batch size k, and "
        "by a further factor (N - k) / (N - 1) without replacement.",
        latex=r"\mathbb{E}\|g_B - \nabla f\|^2 = \frac{\sigma^2}{k}, \quad "
        r"\frac{\sigma^2}{k} \frac{N - k}{N - 1}",
        source="Cochran (1977)",
        given={
            "rep": "whether rows are drawn with replacement",
            "s2": "variance of a row",
            "N": "number of rows",
        },
        method=Recursion("all batches of k rows", _batch_variance),
        quantity=Quantity(
            "E |mean of k rows - mean|^2",
            r"\mathbb{E}\|g_B - \nabla f\|^2",
            (),
            MEAN_SQUARE.observe,
            MEAN_SQUARE.rounding,
        ),
        direction="identity",
        formula=lambda k, rep, s2, N: s2 / k * (1.0 if rep else (N - k) / (N - 1)),
        k_range=(1, 5),
        instances=_rows_to_sample,
    )
