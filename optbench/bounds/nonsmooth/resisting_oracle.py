"""What no subgradient method can do better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from optbench.assumption import Assumption
from optbench.bound import Theorem
from optbench.bounds.instances import RADIUS
from optbench.bounds.nonsmooth.kinked_instances import LIPSCHITZ
from optbench.case import Case, Instance
from optbench.quantity import BEST_SUBOPTIMALITY
from optbench.recursion import Path, Recursion


def lb_subgradient() -> Theorem:
    """No method that moves along subgradients only is better than G R / sqrt(k + 1) on all f.

        max_f min_{i <= k} f(x_i) - f* >= G R / sqrt(k + 1),   whatever the rule of the method.

    f = G max_i x_i, cut off where it is G R / sqrt(k + 1) below its start, in k + 1 dimensions:
    k subgradients tell of k coordinates, and along the last one nothing has moved: no x_i is lower
    than x_0. The rules compared are constant steps, Polyak's, momentum, and random combinations of
    all subgradients so far; for each k anew, as f depends on k.

    Source: Drori and Teboulle (2016), Appendix A (from memory).
    """
    return Theorem(
        name="lb_subgradient",
        statement="For every method whose steps combine subgradients there is a convex function, "
        "with subgradients up to G, on which its first k + 1 points have f - f* at least "
        "G R / sqrt(k + 1).",
        latex=r"\max_f \min_{i \leq k} f(x_i) - f_\star \geq "
        r"\frac{G \|x_0 - x_\star\|}{\sqrt{k + 1}}",
        source="Drori and Teboulle (2016), Appendix A",
        assumptions=(_MOVES_ALONG_SUBGRADIENTS,),
        direction="lower",
        given={"G": "largest |subgradient|", "R": "|x_0 - x*|"},
        k_range=(0, 30),
        method=Recursion("methods against a resisting oracle", _resisted),
        quantity=BEST_SUBOPTIMALITY,
        formula=lambda k, G, R: G * R / np.sqrt(k + 1),
        attained_at=range(31),
        instances=lambda: tuple(
            Instance("worst", Case(name=name, symbols={"G": LIPSCHITZ, "R": RADIUS}, data=rule))
            for name, rule in _RULES.items()
        ),
    )


Rule = Callable[[np.ndarray, np.ndarray, float], np.ndarray]  # ([k, n] g_i, [k] gaps, R) -> weights


def _resisted(case: Case, k: np.ndarray) -> Path:
    """The best gap of k steps, for each k anew: the worst function depends on k."""
    G, R = case.symbols["G"], case.symbols["R"]
    return Path(np.array([_best_gap(case.data, int(steps), G, R) for steps in k]))


def _best_gap(rule: Rule, num_steps: int, G: float, R: float) -> float:
    depth = R / np.sqrt(num_steps + 1)  # of x* below x_0 = 0, in each coordinate
    point, slopes, gaps = np.zeros(num_steps + 1), np.empty((0, num_steps + 1)), np.empty(0)
    for _ in range(num_steps + 1):
        first = int(np.argmax(point))
        gaps = np.append(gaps, G * (max(point[first], -depth) + depth))
        slope = np.eye(num_steps + 1)[first] * (G if point[first] > -depth else 0.0)
        slopes = np.vstack([slopes, slope])
        point = -rule(slopes, gaps, R) @ slopes
    return float(gaps.min())


def _constant(slopes: np.ndarray, gaps: np.ndarray, R: float) -> np.ndarray:
    return np.full(len(gaps), R / np.linalg.norm(slopes[0]) / np.sqrt(slopes.shape[1]))


def _polyak(slopes: np.ndarray, gaps: np.ndarray, R: float) -> np.ndarray:
    return gaps / np.sum(slopes**2, axis=1)


def _momentum(slopes: np.ndarray, gaps: np.ndarray, R: float) -> np.ndarray:
    ages = np.arange(len(gaps))[::-1]
    return R / np.linalg.norm(slopes[0]) * 0.3 * (1 - 0.9 ** (ages + 1))


def _random(slopes: np.ndarray, gaps: np.ndarray, R: float) -> np.ndarray:
    return np.random.default_rng(len(gaps)).standard_normal(len(gaps))


_RULES: dict[str, Rule] = {
    "constant steps": _constant,
    "Polyak's steps": _polyak,
    "momentum": _momentum,
    "random combinations": _random,
}
_MOVES_ALONG_SUBGRADIENTS = Assumption(
    name="points in x_0 + the span of subgradients",
    holds=lambda case: callable(case.data),
    hint="give Case.data, a rule (subgradients [k, n], gaps [k], R) -> weights of the subgradients",
)
