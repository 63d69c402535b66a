"""Learning online: regret and mistakes."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.nonsmooth.simplex_instances import nearest_in_hull
from optbench.bounds.real_data import iris
from optbench.case import Case, Instance
from optbench.quantity import EPS, SUBOPTIMALITY
from optbench.recursion import Path, Recursion

REGRET = dataclasses.replace(
    SUBOPTIMALITY,
    name="regret",
    latex=r"\sum_{t \leq k} f_t(x_t) - \min_u \sum_{t \leq k} f_t(u)",
)
MISTAKES = dataclasses.replace(SUBOPTIMALITY, name="mistakes", latex=r"m_k")


def hedge_regret() -> Theorem:
    """Hedge, weights proportional to exp(-eta total loss), eta = sqrt(8 log(N) / T).

        total loss - that of the best of N experts <= sqrt(T log(N) / 2)   after T rounds.

    No weights do better than a share of it that tends to 1 with N and T: losses that are 0 or 1 by
    the toss of a coin show that. Here the share comes to 0.91, for N = 1000 and T = 100.

    Source: Cesa-Bianchi and Lugosi (2006), "Prediction, Learning, and Games", Theorem 2.2, and
    Theorem 3.7 for the limit (their numbers are from memory).
    """

    def instances(T: float) -> tuple[Instance, ...]:
        tossed = [coins(int(T), experts, seed) for experts in (2, 10, 1000) for seed in range(2)]
        turns = Instance("worst", alternatives(int(T)))
        return turns, *(Instance("random", case) for case in tossed)

    return Theorem(
        name="hedge_regret",
        statement="After T rounds with losses in [0, 1], the loss of Hedge with rate "
        "sqrt(8 log(N) / T) is above that of the best of N experts by at most sqrt(T log(N) / 2).",
        latex=r"\sum_{t \leq T} w_t \cdot l_t - \min_i \sum_{t \leq T} l_{t,i} \leq "
        r"\sqrt{\frac{T}{2} \log N}",
        source="Cesa-Bianchi and Lugosi (2006), Theorem 2.2",
        assumptions=(_BETWEEN_0_AND_1,),
        given={"N": "number of experts"},
        parameters={"T": (1.0, 10.0, 100.0, 1000.0)},
        k_range=lambda T: (int(T), int(T)),
        method=Recursion("Hedge", _hedge),
        steps={"learning_rate": lambda N, T: np.sqrt(8 * np.log(N) / T)},
        quantity=REGRET,
        formula=lambda k, N: np.sqrt(k * np.log(N) / 2),
        unattained="it is approached only as the number of experts and of rounds grows",
        instances=instances,
    )


def coins(num_rounds: int, num_experts: int, seed: int) -> Case:
    """Losses that are 0 or 1 by the toss of a coin."""
    losses = np.random.default_rng(seed).integers(0, 2, (num_rounds, num_experts)).astype(float)
    name = f"coins[experts={num_experts}, seed={seed}]"
    return Case(name=name, symbols={"N": float(num_experts)}, data=losses)


def alternatives(num_rounds: int) -> Case:
    """Two experts who lose in turn."""
    losses = np.eye(2)[np.arange(num_rounds) % 2]
    return Case(name="alternatives", symbols={"N": 2.0}, data=losses)


_BETWEEN_0_AND_1 = Assumption(
    name="losses in [0, 1]",
    holds=lambda case: bool(np.all((case.data >= 0) & (case.data <= 1))),
    hint="give Case.data, losses [rounds, experts], scaled to [0, 1]",
)


def _hedge(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    totals, paid = np.zeros(case.data.shape[1]), 0.0
    regrets = [0.0]
    for losses in case.data:
        weights = np.exp(-learning_rate * (totals - totals.min()))
        paid += float(weights @ losses / weights.sum())
        totals = totals + losses
        regrets.append(paid - totals.min())
    return Path(np.array(regrets)[k])


class LinearLosses(NamedTuple):
    """What online gradient descent meets: f_t(x) = g_t.x on a convex hull, from its first vertex.

    Attributes:
        gradients: [T, d] g_t.
        vertices: [V, d] of the feasible set.
    """

    gradients: np.ndarray
    vertices: np.ndarray

    @property
    def diameter(self) -> float:
        """The largest distance of two vertices."""
        return float(np.max(np.linalg.norm(self.vertices[:, None] - self.vertices, axis=2)))

    def project(self, point: np.ndarray) -> np.ndarray:
        """The nearest point of the feasible set."""
        return nearest_in_hull((self.vertices - point).T) @ self.vertices


def ogd_regret() -> Theorem:
    """Online gradient descent on a set of diameter D, step D / (G sqrt(N)), with |g_t| <= G.

        regret <= G D sqrt(N)   after N rounds.

    Attained by orthogonal gradients G e_t, which lead from x_0 = 0 along the edges of a cube to the
    best point in hindsight, the opposite corner; what no step avoids. Gradients at angles a little
    above 90 degrees tell longer steps from these.

    Source: Zinkevich (2003), ICML; Orabona (2019), arXiv:1912.13213, Theorem 2.13 (its number is
    from memory); the instance is found here.
    """

    def instances(N: float) -> tuple[Instance, ...]:
        found = [Instance("random", scattered(int(N), seed)) for seed in range(3)]
        worst = marching(int(N), 0.0, 1.0), marching(int(N), 0.1 / N, 1.05)
        return *(Instance("worst", case) for case in worst), *found

    return Theorem(
        name="ogd_regret",
        statement="After N rounds of convex losses with subgradients up to G on a set of diameter "
        "D, online gradient descent with step D / (G sqrt(N)) has regret at most G D sqrt(N).",
        latex=r"\sum_{t \leq N} f_t(x_t) - \min_u \sum_{t \leq N} f_t(u) \leq G D \sqrt{N}",
        source="Zinkevich (2003), ICML",
        assumptions=(_WITHIN_G_AND_D,),
        given={"G": "largest |gradient|", "D": "diameter of the feasible set"},
        parameters={"N": (2.0, 5.0, 20.0)},
        k_range=lambda N: (int(N), int(N)),
        method=Recursion("online gradient descent", follow_descent),
        steps={"learning_rate": lambda N, G, D: D / (G * np.sqrt(N))},
        quantity=REGRET,
        formula=lambda k, G, D: G * D * np.sqrt(k),
        attained_at=(2, 5, 20),
        instances=instances,
    )


_SLOPE, _WIDTH = 3.0, 1.5  # G and D of the worst losses


def marching(num_rounds: int, opposition: float, length: float) -> Case:
    """Unit vectors times G with u_s.u_t = -c, on the hull of x_0 = 0, the next points, and u.

    The points are those that steps D / (G sqrt(T)) times `length` lead to; u is D away from x_0,
    against the sum of all gradients.

    Args:
        num_rounds: T.
        opposition: c.
        length: of the steps that stay within the set without a projection.
    """
    correlations = (1 + opposition) * np.eye(num_rounds) - opposition
    gradients = _SLOPE * np.linalg.cholesky(correlations)
    step = length * _WIDTH / (_SLOPE * np.sqrt(num_rounds))
    total = gradients.sum(axis=0)
    met = -step * np.cumsum(gradients[:-1], axis=0)
    vertices = np.vstack([0 * total, met, -_WIDTH * total / np.linalg.norm(total)])
    return _case(f"marching[opposition={opposition:g}]", LinearLosses(gradients, vertices))


def scattered(num_rounds: int, seed: int) -> Case:
    """Random gradients on the hull of six random points in three dimensions."""
    rng = np.random.default_rng(seed)
    losses = LinearLosses(rng.standard_normal((num_rounds, 3)), rng.standard_normal((6, 3)))
    return _case(f"scattered[seed={seed}]", losses)


def _case(name: str, losses: LinearLosses) -> Case:
    largest = float(np.max(np.linalg.norm(losses.gradients, axis=1)))
    return Case(name=name, symbols={"G": largest, "D": losses.diameter}, data=losses)


def _is_within(case: Case) -> bool:
    losses: LinearLosses = case.data
    allowed = case.symbols["G"] * (1 + 8 * EPS)
    slopes = np.linalg.norm(losses.gradients, axis=1)
    return bool(np.all(slopes <= allowed)) and losses.diameter <= case.symbols["D"] * (1 + 8 * EPS)


_WITHIN_G_AND_D = Assumption(
    name="gradients up to G on a set of diameter D",
    holds=_is_within,
    hint="give the largest |gradient| of Case.data as G, and its diameter as D",
)


def follow_descent(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """The regret of online gradient descent after k rounds of `LinearLosses`."""
    losses: LinearLosses = case.data
    point, paid = losses.vertices[0], 0.0
    regrets = [0.0]
    for t, gradient in enumerate(losses.gradients, start=1):
        paid += float(gradient @ point)
        best = np.min(losses.vertices @ losses.gradients[:t].sum(axis=0))
        regrets.append(paid - float(best))
        point = losses.project(point - learning_rate * gradient)
    size = case.symbols["G"] * case.symbols["D"]
    return Path(np.array(regrets)[k], rounding=100 * k**2 * EPS * size)


class Labelled(NamedTuple):
    """Examples for a perceptron.

    Attributes:
        points: [m, d].
        labels: [m] +1 or -1.
    """

    points: np.ndarray
    labels: np.ndarray


def perceptron() -> Theorem:
    """The perceptron on examples up to r long that a plane through 0 separates with margin gamma.

        mistakes <= (r / gamma)^2,   however many examples it is shown.

    Attained by d orthogonal examples, each of which is a mistake, with gamma = r / sqrt(d).

    Source: Novikoff (1962), "On convergence proofs on perceptrons".
    """

    def instances(d: float) -> tuple[Instance, ...]:
        return (
            Instance("worst", orthogonal(int(d))),
            *(Instance("random", separated(seed)) for seed in range(3)),
            Instance("data", setosa()),
        )

    return Theorem(
        name="perceptron",
        statement="On examples up to r long that a plane through 0 separates with margin gamma, "
        "the perceptron makes at most (r / gamma)^2 mistakes.",
        latex=r"m_k \leq (r / \gamma)^2",
        source="Novikoff (1962)",
        assumptions=(_SEPARATED,),
        given={"r": "largest length of an example", "gamma": "margin"},
        parameters={"d": (1.0, 5.0, 20.0)},
        k_range=lambda d: (int(d), 3 * int(d)),
        method=Recursion("perceptron", _mistaken),
        quantity=MISTAKES,
        formula=lambda r, gamma: (r / gamma) ** 2,
        attained_at=range(1, 61),
        instances=instances,
    )


def orthogonal(dim: int) -> Case:
    """Examples 1.5 e_i, half of them labelled -1."""
    signs = np.where(np.arange(dim) % 2, -1.0, 1.0)
    return _separable(f"orthogonal[dim={dim}]", Labelled(1.5 * np.eye(dim), signs), signs)


def separated(seed: int) -> Case:
    """Random examples in three dimensions, more than 1 / 2 away from a random plane."""
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal(3)
    points = rng.standard_normal((100, 3))
    sides = points @ normal / np.linalg.norm(normal)
    kept = np.abs(sides) > 0.5
    labelled = Labelled(points[kept], np.sign(sides[kept]))
    return _separable(f"separated[seed={seed}]", labelled, normal)


def setosa() -> Case:
    """Whether an iris is a setosa; the margin is that of the least-squares fit."""
    features, labels = iris()
    fit = np.linalg.lstsq(features, labels, rcond=None)[0]
    order = np.random.default_rng(0).permutation(len(labels))
    return _separable("setosa", Labelled(features[order], labels[order]), fit)


def _separable(name: str, data: Labelled, normal: np.ndarray) -> Case:
    margins = data.labels * (data.points @ normal) / np.linalg.norm(normal)
    longest = np.max(np.linalg.norm(data.points, axis=1))
    return Case(name=name, symbols={"r": float(longest), "gamma": float(margins.min())}, data=data)


_SEPARATED = Assumption(
    name="a positive margin",
    holds=lambda case: case.symbols["gamma"] > 0,
    hint="give examples that a plane through 0 separates, and their margin as gamma",
)


def _mistaken(case: Case, k: np.ndarray) -> Path:
    """Mistakes after k examples, shown in turn, from weights 0."""
    data: Labelled = case.data
    weights: Any = np.zeros(data.points.shape[1])
    mistakes = [0]
    for shown in range(int(k[-1])):
        point, label = (part[shown % len(data.labels)] for part in data)
        wrong = label * (weights @ point) <= 0
        weights = weights + wrong * label * point
        mistakes.append(mistakes[-1] + int(wrong))
    return Path(np.array(mistakes, float)[k])
