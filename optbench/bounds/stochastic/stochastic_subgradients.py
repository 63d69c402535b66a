"""Stochastic subgradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS
from optbench.bounds.stochastic.moments import expectation
from optbench.bounds.stochastic.paths import all_paths
from optbench.case import Case, Instance
from optbench.quantity import MEAN_POINT_SUBOPTIMALITY
from optbench.recursion import Path, Recursion

SLACK = 1e-9


class Kinked(NamedTuple):
    """A convex function, least at 0, with random subgradients.

    Attributes:
        value: [P, d] points -> [P] f - f*.
        subgradients: [P, d] points -> [P, m, d] equally likely; their mean is a subgradient of f.
        count: m.
        start: [d] x_0.
    """

    value: Callable[[np.ndarray], np.ndarray]
    subgradients: Callable[[np.ndarray], np.ndarray]
    count: int
    start: np.ndarray


def _mean_point_gap(case: Case, k: np.ndarray, learning_rate: float) -> Path:
    """E f(mean of x_0, ..., x_{k-1}) - f* along all paths; the state is (x_i, their sum)."""
    kinked: Kinked = case.data
    dim = len(kinked.start)

    def step(states: np.ndarray, j: int) -> np.ndarray:
        points, sums = states[:, None, :dim], states[:, None, dim:]
        following = points - learning_rate * kinked.subgradients(states[:, :dim])
        return np.concatenate([following, sums + following], axis=2)

    start = np.concatenate([kinked.start, kinked.start])
    probabilities = np.full(kinked.count, 1 / kinked.count)
    found = all_paths(start, step, probabilities, int(k[-1]) - 1)
    gaps = [
        weights @ kinked.value(states[:, dim:] / (i + 1))
        for i, (states, weights) in enumerate(found)
    ]
    return Path(np.array(gaps)[k - 1])


def _is_kinked(case: Case) -> bool:
    """On a grid around x_0: mean squares of at most G^2, and f(0) above each tangent."""
    kinked: Kinked = case.data
    rng = np.random.default_rng(0)
    points = 2 * case.symbols["R"] * rng.standard_normal((200, len(kinked.start)))
    seen = kinked.subgradients(points)
    squares = np.mean(np.sum(seen**2, axis=2), axis=1)
    tangents = kinked.value(points) - np.sum(seen.mean(axis=1) * points, axis=1)
    return bool(
        squares.max() <= (1 + SLACK) * case.symbols["G"] ** 2
        and tangents.max() <= SLACK
        and kinked.value(points).min() >= 0
    )


KINKED = Assumption(
    name="unbiased subgradients of mean square at most G^2, of a function least at 0",
    holds=_is_kinked,
    hint="raise G, or move the minimizer to 0",
)


def resisting(num_steps: int, stretch: float = 1.0) -> Case:
    """max(0, max_i g_i.x) with N vectors of length G = 2, of which each step sees a new one.

    x_0 = stretch R / (G sqrt(N)) sum_i g_i, where the angles between the g_i are such that
    |x_0| = R. N steps of stretch R / (G sqrt(N)) each end at the minimizer; no other function has a
    larger gap at the mean of x_0, ..., x_{N-1}.
    """
    lipschitz = 2.0
    rate = stretch * RADIUS / (lipschitz * np.sqrt(num_steps))
    gram = np.full((num_steps, num_steps), 0.0)
    if num_steps > 1:
        rest = (RADIUS / rate) ** 2 - num_steps * lipschitz**2
        gram += rest / (num_steps * (num_steps - 1))
    np.fill_diagonal(gram, lipschitz**2)
    values, basis = np.linalg.eigh(gram)
    vectors = np.sqrt(np.maximum(values, 0)) * basis  # [N, N] one per row

    def steepest(points: np.ndarray) -> np.ndarray:
        slopes = points @ vectors.T
        chosen = vectors[slopes.argmax(axis=1)]
        return np.where(slopes.max(axis=1, keepdims=True) > 0, chosen, 0.0)[:, None]

    return Case(
        name=f"resisting[stretch={stretch:g}]",
        symbols={"R": float(np.linalg.norm(rate * vectors.sum(axis=0))), "G": lipschitz},
        data=Kinked(
            lambda points: np.maximum((points @ vectors.T).max(axis=1), 0.0),
            steepest,
            1,
            rate * vectors.sum(axis=0),
        ),
    )


def _median(targets: np.ndarray, start: float) -> Case:
    """The mean of |x - y_i|, least at the median 0; a step sees one term. G = 1."""
    least = np.abs(targets).mean()
    kinked = Kinked(
        lambda points: np.abs(points - targets).mean(axis=1) - least,
        lambda points: np.sign(points - targets)[:, :, None],
        len(targets),
        np.array([start]),
    )
    return Case(name="median", symbols={"R": abs(start), "G": 1.0}, data=kinked)


def _noisy_kink(start: float) -> Case:
    """|x|, with noise of +-1 in the slope. G = sqrt(2)."""
    noise = np.array([-1.0, 1.0])
    kinked = Kinked(
        lambda points: np.abs(points[:, 0]),
        lambda points: (np.sign(points) + noise)[:, :, None],
        2,
        np.array([start]),
    )
    return Case(name="noisy_kink", symbols={"R": abs(start), "G": np.sqrt(2.0)}, data=kinked)


def sgd_convex_avg() -> Theorem:
    """N - 1 steps of length R / (G sqrt(N)) along random subgradients g with E |g|^2 <= G^2.

        E f(mean of x_0, ..., x_{N-1}) - f* <= R G / sqrt(N)

    for convex f. Attained, without noise, by the largest of N linear functions with orthogonal
    slopes, of which each step sees a new one (`resisting`). Observed along all paths.

    Source: Nemirovski, Juditsky, Lan and Shapiro (2009), SIAM J. Optim. 19(4), section 2.2;
    Bubeck (2015), Theorem 6.1; both from memory. The worst case is derived here from the proof.
    """
    horizons = (2, 5, 8)
    return Theorem(
        name="sgd_convex_avg",
        statement="With N random subgradients of mean square at most G^2 and steps R / (G sqrt(N)) "
        "the mean gap of the averaged point is at most R G / sqrt(N).",
        latex=r"\mathbb{E} f\left(\frac{1}{N} \sum_{i<N} x_i\right) - f_\star \le "
        r"\frac{\|x_0 - x_\star\| G}{\sqrt{N}}",
        source="Nemirovski, Juditsky, Lan and Shapiro (2009), SIAM J. Optim. 19(4), section 2.2",
        assumptions=(KINKED,),
        parameters={"N": horizons},
        method=Recursion("all paths of SGD", _mean_point_gap),
        steps={"learning_rate": lambda R, G, N: R / (G * np.sqrt(N))},
        quantity=expectation(MEAN_POINT_SUBOPTIMALITY),
        formula=lambda k, R, G: R * G / np.sqrt(k),
        k_range=lambda N: (N, N),
        attained_at=horizons,
        instances=lambda N: [
            Instance("worst", resisting(N)),
            Instance("worst", resisting(N, stretch=1.05)),
            Instance("random", _median(np.array([-2.0, 0.0, 0.5]), RADIUS)),
            Instance("random", _noisy_kink(RADIUS)),
        ],
    )
