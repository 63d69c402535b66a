"""Games and fixed points."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS
from optbench.case import Case, Instance
from optbench.quantity import DISTANCE
from optbench.recursion import Path, Recursion

RESIDUAL = dataclasses.replace(DISTANCE, name="|x_k - T x_k|", latex=r"\|x_k - T x_k\|")
_STEPS = (1, 2, 5, 20, 100)  # at which a worst map attains a bound

Map = Callable[[np.ndarray], np.ndarray]


def gda_bilinear() -> Theorem:
    """Simultaneous gradient descent and ascent on x.Q y, Q orthogonal: away from the saddle.

        |z_k| = (1 + a^2)^(k / 2) |z_0|,   z = (x, y), with step a.

    Source: elementary, as z_{k+1} = (I - a J) z_k with J^T = -J and J^2 = -I.
    """
    return _in_a_game(
        "gda_bilinear",
        "Each step a of simultaneous gradient descent and ascent on x.y moves away from the "
        "saddle, by a factor sqrt(1 + a^2).",
        r"\|z_k\| = (1 + a^2)^{k/2} \|z_0\|",
        Recursion("gradient descent and ascent", _descend_and_ascend),
        lambda k, a, R: (1 + a**2) ** (k / 2) * R,
    )


def extragradient_bilinear() -> Theorem:
    """The extragradient method on x.Q y, Q orthogonal.

        |z_k| = (1 - a^2 + a^4)^(k / 2) |z_0|,   z = (x, y), with step a.

    Source: elementary, as z_{k+1} = (I - a J + a^2 J^2) z_k with J^T = -J and J^2 = -I; the method
    is that of Korpelevich (1976).
    """
    return _in_a_game(
        "extragradient_bilinear",
        "Each step a < 1 of the extragradient method on x.y moves towards the saddle, by a factor "
        "sqrt(1 - a^2 + a^4).",
        r"\|z_k\| = (1 - a^2 + a^4)^{k/2} \|z_0\|",
        Recursion("extragradient", _extragradient),
        lambda k, a, R: (1 - a**2 + a**4) ** (k / 2) * R,
    )


def _in_a_game(
    name: str, statement: str, latex: str, method: Recursion, formula: Callable[..., np.ndarray]
) -> Theorem:
    return Theorem(
        name=name,
        statement=statement,
        latex=latex,
        source="elementary",
        assumptions=(_ORTHOGONAL,),
        direction="identity",
        parameters={"a": (0.1, 0.5, 0.9)},
        method=method,
        steps={"learning_rate": lambda a: a},
        quantity=DISTANCE,
        formula=formula,
        instances=lambda a: tuple(Instance("random", game(dim)) for dim in (1, 2, 5)),
    )


def game(dim: int) -> Case:
    """Q a random orthogonal matrix, from x_0 = y_0 = (3, 0, ..., 0): R = |z_0|."""
    rng = np.random.default_rng(dim)
    matrix = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    return Case(name=f"game[dim={dim}]", symbols={"R": 3 * np.sqrt(2.0)}, data=matrix)


_ORTHOGONAL = Assumption(
    name="an orthogonal matrix",
    holds=lambda case: bool(np.allclose(case.data.T @ case.data, np.eye(len(case.data)))),
    hint="give Case.data, an orthogonal matrix",
)


def _played(step: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[..., Path]:
    def follow(case: Case, k: np.ndarray, learning_rate: float) -> Path:
        x = y = 3 * np.eye(len(case.data))[0]
        distances = [np.hypot(np.linalg.norm(x), np.linalg.norm(y))]
        for _ in range(int(k[-1])):
            x, y = step(case.data, x, y, learning_rate)
            distances.append(np.hypot(np.linalg.norm(x), np.linalg.norm(y)))
        return Path(np.array(distances)[k])

    return follow


@_played
def _descend_and_ascend(
    matrix: np.ndarray, x: np.ndarray, y: np.ndarray, learning_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    return x - learning_rate * matrix @ y, y + learning_rate * matrix.T @ x


@_played
def _extragradient(
    matrix: np.ndarray, x: np.ndarray, y: np.ndarray, learning_rate: float
) -> tuple[np.ndarray, np.ndarray]:
    ahead, above = x - learning_rate * matrix @ y, y + learning_rate * matrix.T @ x
    return x - learning_rate * matrix @ above, y + learning_rate * matrix.T @ ahead


def halpern() -> Theorem:
    """Halpern's iteration x_{k+1} = x_0 / (k + 2) + (k + 1) / (k + 2) T x_k, T nonexpansive.

        |x_k - T x_k| <= 2 R / (k + 1),   R = |x_0 - x*|, T x* = x*.

    Attained for each k by T x = max(x - d, -x) on a line with d = 2 R / (k + 1): x_j = R - j d / 2
    slides down until j = k, where x_k = d / 2, the last point at which T moves by all of d.

    Source: Lieder (2021), Optim. Letters 15, Theorem 2.1 (its number is from memory); instance:
    derived here.
    """
    return Theorem(
        name="halpern",
        statement="After k steps of Halpern's iteration with a nonexpansive map T the residual "
        "|x_k - T x_k| is at most 2 |x_0 - x*| / (k + 1).",
        latex=r"\|x_k - T x_k\| \leq \frac{2 \|x_0 - x_\star\|}{k + 1}",
        source="Lieder (2021), Optim. Letters 15",
        assumptions=(_NONEXPANSIVE,),
        k_range=(0, 100),
        method=Recursion("Halpern's iteration", _anchored),
        steps={"relaxation": lambda: 1.0},
        quantity=RESIDUAL,
        formula=lambda k, R: 2 * R / (k + 1),
        attained_at=(0, *_STEPS),
        instances=lambda: (
            *(Instance("worst", folded(2 * RADIUS / (k + 1))) for k in (0, *_STEPS)),
            *_maps(),
        ),
    )


def krasnoselskii_mann() -> Theorem:
    """The iteration of Krasnoselskii and Mann, x_{k+1} = (x_k + T x_k) / 2, T nonexpansive.

        |x_k - T x_k| <= 2 R / sqrt(k + 1),   R = |x_0 - x*|, T x* = x*,

    as the residuals fall, and their squares sum to at most 4 R^2.

    Source: classical; Baillon and Bruck (1996) and Cominetti, Soto and Vaisman (2014) have smaller
    constants (from memory).
    """
    return Theorem(
        name="krasnoselskii_mann",
        statement="After k steps x -> (x + T x) / 2 with a nonexpansive map T the residual "
        "|x_k - T x_k| is at most 2 |x_0 - x*| / sqrt(k + 1).",
        latex=r"\|x_k - T x_k\| \leq \frac{2 \|x_0 - x_\star\|}{\sqrt{k + 1}}",
        source="classical",
        assumptions=(_NONEXPANSIVE,),
        k_range=(1, 100),
        method=Recursion("Krasnoselskii-Mann iteration", _averaged),
        steps={"relaxation": lambda: 1.0},
        quantity=RESIDUAL,
        formula=lambda k, R: 2 * R / np.sqrt(k + 1),
        instances=lambda: (*(Instance("worst", turn(np.pi / k)) for k in (2, 5, 20)), *_maps()),
    )


def folded(drop: float, dim: int = 1) -> Case:
    """T x = max(x - d, -x) in each coordinate, from a point 1.5 away from 0, the fixed point."""
    start = np.full(dim, RADIUS / np.sqrt(dim))
    return _map(f"folded[drop={drop:g}]", lambda x: np.maximum(x - drop, -x), start)


def turn(angle: float) -> Case:
    """A rotation of the plane by an angle, in radians."""
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _map(f"turn[angle={angle:.3g}]", lambda x: rotation @ x, np.array([RADIUS, 0.0]))


def reflected(seed: int) -> Case:
    """One projection after another, each reflected, on two random half-spaces with 0 inside."""
    rng = np.random.default_rng(seed)
    normals = rng.standard_normal((2, 5))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)

    def apply(x: np.ndarray) -> np.ndarray:
        for normal in normals:
            x = x - 2 * max(0.0, normal @ x) * normal
        return x

    return _map(f"reflected[seed={seed}]", apply, 3 * rng.standard_normal(5))


def _maps() -> tuple[Instance, ...]:
    found = [folded(0.1, dim=3), turn(1.0), *map(reflected, range(3))]
    return tuple(Instance("random", case) for case in found)


def _map(name: str, apply: Map, start: np.ndarray) -> Case:
    return Case(name=name, symbols={"R": float(np.linalg.norm(start))}, data=(apply, start))


def _is_nonexpansive(case: Case) -> bool:
    """On 100 pairs of points around the fixed point, at 0."""
    apply, start = case.data
    moves = np.random.default_rng(0).standard_normal((100, 2, len(start))) * np.linalg.norm(start)
    images = np.array([[apply(x) for x in pair] for pair in moves])
    apart, after = (np.linalg.norm(p[:, 0] - p[:, 1], axis=1) for p in (moves, images))
    fixed = bool(np.allclose(apply(0 * start), 0))
    return fixed and bool(np.all(after <= apart * (1 + 1e-12)))


_NONEXPANSIVE = Assumption(
    name="a nonexpansive map with fixed point 0",
    holds=_is_nonexpansive,
    hint="give Case.data, a map T with T 0 = 0 and |T x - T y| <= |x - y|, and x_0",
)


def _anchored(case: Case, k: np.ndarray, relaxation: float) -> Path:
    apply, start = case.data
    point, residuals = start, []
    for count in range(int(k[-1]) + 1):
        moved = apply(point) - point
        residuals.append(np.linalg.norm(moved))
        point = (start + (count + 1) * (point + relaxation * moved)) / (count + 2)
    return Path(np.array(residuals)[k])


def _averaged(case: Case, k: np.ndarray, relaxation: float) -> Path:
    apply, point = case.data
    residuals = []
    for _ in range(int(k[-1]) + 1):
        moved = apply(point) - point
        residuals.append(np.linalg.norm(moved))
        point = point + relaxation / 2 * moved
    return Path(np.array(residuals)[k])
