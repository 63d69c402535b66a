"""Randomized Kaczmarz."""

from __future__ import annotations

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.stochastic.finite_sums import INTERPOLATED, SLACK, diabetes, mixed, sum_case
from optbench.bounds.stochastic.moments import MEAN_SQUARE, FiniteSum, sgd
from optbench.case import Case


def kaczmarz_case(name: str, rows: np.ndarray, start: np.ndarray) -> Case:
    """A consistent system A x = b, a row a_i of which is drawn with probability |a_i|^2 / |A|^2.

    Seen as a finite sum of (a_i.(x - x*))^2 / (2 |a_i|^2).
    """
    norms = np.sum(rows**2, axis=1)
    terms = FiniteSum(
        np.einsum("ia,ib,i->iab", rows, rows, 1 / norms),
        np.zeros_like(rows),
        norms / norms.sum(),
        start,
    )
    smallest = float(np.linalg.svd(rows, compute_uv=False)[-1])
    return sum_case(name, terms, smin2=smallest**2, fro2=float(norms.sum()))


SINGULAR = Assumption(
    name="a smallest singular value of A whose square is smin2",
    holds=lambda case: bool(
        np.linalg.eigvalsh(case.data.hessian)[0]
        >= (1 - SLACK) * case.symbols["smin2"] / case.symbols["fro2"]
    ),
    hint="set smin2 to the square of the smallest singular value, and fro2 to that of the norm",
)


def kaczmarz() -> Theorem:
    """Randomized Kaczmarz: projections on equations a_i.x = b_i, i drawn like |a_i|^2.

        E |x_k - x*|^2 <= (1 - smin(A)^2 / |A|_F^2)^k R^2

    for a consistent system of full column rank. Attained at every k where all singular values are
    equal. A relaxed step goes `learning_rate` times as far as the projection.

    Source: Strohmer and Vershynin (2009), J. Fourier Anal. Appl. 15(2), Theorem 2.
    """
    rng = np.random.default_rng(0)
    orthonormal = 2.0 * np.linalg.qr(rng.standard_normal((6, 2)))[0]
    return Theorem(
        name="kaczmarz",
        statement="Projecting onto one equation, drawn with probability in proportion to its "
        "squared norm, multiplies the mean squared distance by at most 1 - smin^2 / |A|_F^2.",
        latex=r"\mathbb{E}\|x_k - x_\star\|^2 \le "
        r"\left(1 - \frac{\sigma_{\min}^2(A)}{\|A\|_F^2}\right)^k \|x_0 - x_\star\|^2",
        source="Strohmer and Vershynin (2009), J. Fourier Anal. Appl. 15(2), Theorem 2",
        assumptions=(INTERPOLATED, SINGULAR),
        given={"smin2": "squared smallest singular value of A", "fro2": "sum of squared entries"},
        method=sgd(),
        steps={"learning_rate": lambda: 1.0},
        quantity=MEAN_SQUARE,
        formula=lambda k, smin2, fro2, R: (1 - smin2 / fro2) ** k * R**2,
        attained_at=range(1, 101),
        instances=lambda: mixed(
            [
                kaczmarz_case("identity", np.eye(4), np.array([1.0, -1.0, 0.5, 0.0])),
                kaczmarz_case("orthonormal", orthonormal, np.array([1.5, -0.5])),
            ],
            lambda seed: kaczmarz_case(
                f"random[seed={seed}]",
                np.random.default_rng(seed).standard_normal((5, 2)),
                np.array([1.0, 2.0]),
            ),
            _patients(),
        ),
    )


def _patients() -> Case:
    """Standardized features of 100 patients of diabetes as rows, consistent with their fit."""
    terms = diabetes(consistent=True)
    values, vectors = np.linalg.eigh(terms.hessians)
    rows = np.sqrt(values[:, -1:]) * vectors[:, :, -1]
    return kaczmarz_case("diabetes", rows, terms.start)
