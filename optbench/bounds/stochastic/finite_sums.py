"""Finite sums of quadratics that theorems on stochastic methods are compared on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike

from optbench.assumption import Assumption
from optbench.bounds.instances import RADIUS, SMOOTHNESS, STRONG_CONVEXITY
from optbench.bounds.real_data import flowers, patients, standardized
from optbench.bounds.stochastic.moments import FiniteSum
from optbench.case import Case, Instance, InstanceKind

SLACK = 1e-9  # relative: constants are eigenvalues, known to rounding
MEANING = {
    "L_i": "smoothness of every term",
    "mu_i": "strong convexity of every term",
    "s2": "mean squared gradient of the terms at x*",
    "N": "number of terms",
    "lam": "curvature",
}


def _within(matrix: np.ndarray, least: float, largest: float) -> bool:
    values = np.linalg.eigvalsh(matrix)
    slack = SLACK * largest
    symmetric = np.allclose(matrix, np.swapaxes(matrix, -1, -2))
    return bool(symmetric and values.min() >= least - slack and values.max() <= largest + slack)


MEAN_CLASS = Assumption(
    name="an L-smooth and mu-strongly convex mean",
    holds=lambda case: _within(case.data.hessian, case.symbols["mu"], case.symbols["L"]),
    hint="give it L and mu between which the eigenvalues of the mean Hessian lie",
)
TERMS_CLASS = Assumption(
    name="L_i-smooth and mu_i-strongly convex terms",
    holds=lambda case: _within(case.data.hessians, case.symbols["mu_i"], case.symbols["L_i"]),
    hint="give it L_i and mu_i between which the eigenvalues of all Hessians lie",
)
UNBIASED = Assumption(
    name="gradients whose mean vanishes at x*, and whose mean square there is s2",
    holds=lambda case: (
        float(np.abs(case.data.probabilities @ case.data.gradients).max(initial=0.0))
        <= SLACK * np.sqrt(case.symbols["s2"])
        and float(np.trace(case.data.noise)) <= (1 + SLACK) * case.symbols["s2"]
    ),
    hint="write the sum in terms of x - x*, and set s2 to the mean squared gradient at x*",
)
INTERPOLATED = Assumption(
    name="a minimizer that all terms share",
    holds=lambda case: not case.data.gradients.any(),
    hint="let all gradients vanish at x*",
)


def sum_case(name: str, terms: FiniteSum, **known: float) -> Case:
    """A finite sum with its constants; those of a larger class are given.

    Args:
        name: in the tables.
        terms: the sum.
        **known: letter -> its value, in place of the one found.
    """
    mean, each = np.linalg.eigvalsh(terms.hessian), np.linalg.eigvalsh(terms.hessians)
    symbols = {
        "L": mean[-1],
        "mu": mean[0],
        "L_i": each.max(),
        "mu_i": each.min(),
        "s2": np.trace(terms.noise),
        "N": len(terms.probabilities),
        "n": len(terms.start),
        "R": np.linalg.norm(terms.start),
        "f0": terms.start @ terms.hessian @ terms.start / 2,
    }
    values = {letter: float(value) for letter, value in symbols.items()}
    return Case(name=name, symbols=values | known, data=terms)


def uniform(hessians: np.ndarray, gradients: np.ndarray, start: np.ndarray) -> FiniteSum:
    """A sum whose terms are equally likely."""
    count = len(hessians)
    return FiniteSum(hessians, gradients, np.full(count, 1 / count), start)


def parabola_sum(
    name: str, curvature: float, noise: ArrayLike, start: float = RADIUS, **known: float
) -> Case:
    """f_i(x) = lambda x^2 / 2 + b_i x: one curvature, and additive noise b_i."""
    gradients = np.asarray(noise, float)[:, None]
    terms = uniform(np.full((len(gradients), 1, 1), curvature), gradients, np.array([float(start)]))
    return sum_case(name, terms, lam=curvature, **known)


def noisy_parabolas() -> tuple[Instance, ...]:
    """Additive noise of mean zero: a coin, skewed with three values, and the spread of real data.

    The real data are the lengths of 150 iris petals: their mean minimizes the mean of
    (x - y_i)^2 / 2, and x_0 = 0.
    """
    lengths = flowers()[0][:, 2]
    mean = float(lengths.mean())
    return (
        Instance("worst", parabola_sum("coin", SMOOTHNESS, [-0.7, 0.7])),
        Instance("random", parabola_sum("skewed", 0.4, [-1.0, -0.5, 1.5], start=-2.0)),
        Instance("translated", parabola_sum("far", STRONG_CONVEXITY, [-0.3, 0.3], start=100.0)),
        Instance("data", parabola_sum("iris", 1.0, mean - lengths, start=-mean)),
    )


def flat_and_steep(**known: float) -> list[Case]:
    """All terms one parabola, of curvature mu or L of the class, without noise."""
    names = {"flat": STRONG_CONVEXITY, "steep": SMOOTHNESS}
    class_of = {"L": SMOOTHNESS, "mu": STRONG_CONVEXITY}
    each = {"L_i": SMOOTHNESS, "mu_i": STRONG_CONVEXITY}
    return [
        parabola_sum(name, curvature, [0.0, 0.0], **class_of, **each, **known)
        for name, curvature in names.items()
    ]


def random_terms(seed: int, noise: float = 0.0, count: int = 4, dim: int = 2) -> FiniteSum:
    """Random quadratics with eigenvalues in [1 / 4, 4], and gradients at x* that add up to 0.

    Args:
        seed: of the draw.
        noise: size of the gradients at x*; 0 where all terms share the minimizer.
        count: of the terms.
        dim: of x.
    """
    rng = np.random.default_rng(seed)
    bases = np.linalg.qr(rng.standard_normal((count, dim, dim)))[0]
    spectra = rng.uniform(STRONG_CONVEXITY, SMOOTHNESS, (count, dim))
    hessians = np.einsum("ijk,ik,ilk->ijl", bases, spectra, bases)
    gradients = noise * rng.standard_normal((count, dim))
    hessians = (hessians + hessians.transpose(0, 2, 1)) / 2
    return uniform(hessians, gradients - gradients.mean(axis=0), rng.uniform(1, 3, dim))


def regression(rows: np.ndarray, residuals: np.ndarray, start: np.ndarray) -> FiniteSum:
    """f_i(x) = (a_i.x - y_i)^2 / 2 around the least-squares solution.

    Args:
        rows: [m, d] a_i.
        residuals: [m] y_i - a_i.x*, orthogonal to the columns; 0 for a consistent system.
        start: [d] x_0 - x*.
    """
    return uniform(np.einsum("ia,ib->iab", rows, rows), -residuals[:, None] * rows, start)


def diabetes(consistent: bool) -> FiniteSum:
    """Least squares on the first 100 patients of diabetes, from x_0 = 0: 10 standardized features.

    The targets are standardized; of a consistent system, they are replaced by their fit.
    """
    rows, targets = (standardized(array[:100]) for array in patients())
    minimizer = np.linalg.lstsq(rows, targets, rcond=None)[0]
    residuals = np.zeros(len(rows)) if consistent else targets - rows @ minimizer
    return regression(rows, residuals, -minimizer)


def largest_ratio(upper: np.ndarray, lower: np.ndarray) -> float:
    """The least c with upper <= c lower, for symmetric matrices, the lower one positive."""
    return float(scipy.linalg.eigh(upper, lower, eigvals_only=True)[-1])


def instances_of(kind: InstanceKind, cases: Sequence[Case]) -> list[Instance]:
    """Cases as instances of one kind."""
    return [Instance(kind, case) for case in cases]


def mixed(
    worst: Sequence[Case], random: Callable[[int], Case], data: Case, num_random: int = 3
) -> tuple[Instance, ...]:
    """Worst cases, random ones and one with real data."""
    return (
        *instances_of("worst", worst),
        *instances_of("random", [random(seed) for seed in range(num_random)]),
        Instance("data", data),
    )
