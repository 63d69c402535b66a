"""Newton-Schulz orthogonalization, as Muon has it."""

from __future__ import annotations

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import NUM_RANDOM
from optbench.bounds.second_order.instances import tumors
from optbench.case import Case, Instance
from optbench.quantity import DISTANCE, EPS, Quantity
from optbench.recursion import Path, Recursion

NARROW = Assumption(
    name="singular values in (0, sqrt(3))",
    holds=lambda case: bool(
        np.all(np.linalg.svd(case.data[0])[1] > 0)
        and np.all(np.linalg.svd(case.data[0])[1] < np.sqrt(3))
    ),
    hint="divide the matrix by its norm, and give it full rank",
)
SPREAD = Quantity("1 - sigma_k^2", r"1 - \sigma_k^2", (), DISTANCE.observe, DISTANCE.rounding)


def _orthogonalized(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """1 - sigma^2 of X <- X + eta (X - X X^T X) / 2, sigma = |X^T u| along a singular vector u."""
    matrix, index = case.data
    left = np.linalg.svd(matrix)[0][:, index]
    spreads = []
    for _ in range(int(k[-1]) + 1):
        spreads.append(1 - np.sum((matrix.T @ left) ** 2))
        matrix = matrix + learning_rate / 2 * (matrix - matrix @ matrix.T @ matrix)
    spread = np.array(spreads)
    return Path(spread[k], {"before": spread[k - 1]}, 4 * matrix.size * EPS)


def newton_schulz() -> Theorem:
    """Newton-Schulz X <- 3/2 X - 1/2 X X^T X, for each singular value sigma of X.

        e_{k+1} = 3/4 e_k^2 + 1/4 e_k^3,   e = 1 - sigma^2.

    Muon iterates a quintic instead, which is made not to converge but to come near 1 fast.

    Source: Higham (2008), section 5.3; elementary: sigma <- sigma (3 - sigma^2) / 2.
    """

    def random(seed: int) -> Instance:
        rng = np.random.default_rng(seed)
        matrix = rng.standard_normal((3, 5))
        matrix *= rng.uniform(0.8, 1.7) / np.linalg.norm(matrix, 2)
        index = int(rng.integers(3))
        return Instance(
            "random", Case(name=f"matrix[seed={seed}]", symbols={}, data=(matrix, index))
        )

    def data() -> Instance:
        features = tumors()[0].T
        scaled = features / np.linalg.norm(features)
        return Instance("data", Case(name="tumors", symbols={}, data=(scaled, 4)))

    return Theorem(
        name="newton_schulz",
        statement="A step of Newton-Schulz takes e = 1 - sigma^2 to 3/4 e^2 + 1/4 e^3 for each "
        "singular value sigma.",
        latex=r"e_{k+1} = \frac{3}{4} e_k^2 + \frac{1}{4} e_k^3,\quad e = 1 - \sigma^2",
        source="Higham (2008), section 5.3",
        direction="identity",
        assumptions=(NARROW,),
        given={"before": "1 - sigma_{k-1}^2"},
        method=Recursion("Newton-Schulz", _orthogonalized),
        steps={"learning_rate": lambda: 1.0},
        quantity=SPREAD,
        formula=lambda before: 0.75 * before**2 + 0.25 * before**3,
        k_range=(1, 12),
        instances=lambda: [
            Instance("worst", Case(name="number", symbols={}, data=(np.array([[0.3]]), 0))),
            Instance("worst", Case(name="large", symbols={}, data=(np.array([[1.7]]), 0))),
            *(random(seed) for seed in range(NUM_RANDOM)),
            data(),
        ],
    )
