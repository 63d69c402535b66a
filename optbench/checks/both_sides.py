"""The upper bounds of the methods that a lower bound speaks of, on the instances of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from optbench.bound import Bound, Theorem
from optbench.errors import OptbenchError
from optbench.formula import symbols_of
from optbench.method import Method
from optbench.problem import Problem
from optbench.symbol import PATH_SYMBOLS
from optbench.theory import known_of


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class UpperBound:
    """What one theorem promises of a method, where another says what no method can do.

    Attributes:
        theorem: name of the upper bound.
        method: label of the method, without arguments.
        setting: of the lower bound.
        k: [T] steps of which both speak.
        ratios: [T] upper over lower bound.
    """

    theorem: str
    method: str
    setting: Mapping[str, float]
    k: np.ndarray
    ratios: np.ndarray


def upper_bounds(lower: Theorem, theorems: Iterable[Theorem]) -> list[UpperBound]:
    """The upper bounds on the methods of a lower bound, on its worst instances.

    Of several on the same method, the one that speaks of most steps is taken, then the lowest.

    Args:
        lower: a lower bound on runs of optimizers.
        theorems: where to look.
    """
    candidates = [t for t in theorems if _bounds_the_same(t, lower)]
    found: dict[str, dict[str, list[UpperBound]]] = {}
    for setting in lower.settings:
        for instance in lower.instances(**setting):
            if instance.kind != "worst" or not isinstance(instance.subject, Problem):
                continue
            below = lower.on(instance.subject, instance.seed, instance.symbols, **setting)
            for method in (below.method(), *lower.also):
                for upper in _applying(candidates, below, method):
                    by_theorem = found.setdefault(upper.method, {})
                    by_theorem.setdefault(upper.theorem, []).append(upper)
    best = [min(by_theorem.values(), key=_rank) for by_theorem in found.values()]
    return [upper for one in best for upper in one]


def _rank(uppers: list[UpperBound]) -> tuple[int, float]:
    """Most steps first, then the lowest."""
    ratios = np.concatenate([upper.ratios for upper in uppers])
    return -len(ratios), float(np.mean(ratios))


def _bounds_the_same(upper: Theorem, lower: Theorem) -> bool:
    """Whether a theorem bounds the same quantity from above, from the start alone."""
    from_start = not set(symbols_of(upper.formula)) & set(PATH_SYMBOLS)
    speaks = isinstance(upper.method, Method) and upper.direction == "upper" and not upper.given
    return speaks and from_start and upper.quantity is lower.quantity


def _applying(candidates: list[Theorem], below: Bound, method: Method) -> Iterator[UpperBound]:
    """The candidates that speak of this very method on this instance."""
    assert isinstance(below.subject, Problem)
    for theorem in candidates:
        assert isinstance(theorem.method, Method)
        if theorem.method.factory is not method.factory:
            continue
        for setting in theorem.settings:
            try:
                above = theorem.on(below.subject, below.seed, None, **setting)
            except OptbenchError:
                break  # it says nothing of this instance
            both = np.isin(below.k, above.k)
            if both.any() and _same(above.method(), method, below.subject):
                over = above.values[np.isin(above.k, below.k)] / below.values[both]
                yield UpperBound(
                    theorem=theorem.name,
                    method=method.name,
                    setting=below.setting,
                    k=below.k[both],
                    ratios=over,
                )


def _same(one: Method, other: Method, problem: Problem) -> bool:
    """Whether two methods of one factory have the same hyperparameters on a problem."""
    known = known_of(problem)
    first, second = (m.settled(known).hyperparameters() for m in (one, other))
    return all(
        np.isclose(float(a.value or 0), float(b.value or 0), rtol=1e-12)
        for a, b in zip(first, second, strict=True)
    )
