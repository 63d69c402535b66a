"""What theorems are compared on: problems, and cases where no optimizer runs on a problem."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from optbench.problem import Problem

InstanceKind = Literal["worst", "random", "translated", "data", "given"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What a recursion runs on, as a `Problem` is what an optimizer runs on.

    Attributes:
        name: in the tables.
        symbols: the letters that formulas may use -> their values.
        data: whatever else the recursion needs: a matrix, a distribution, losses of all rounds.
    """

    name: str
    symbols: Mapping[str, float]
    data: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Instance:
    """A member of a theorem's class, to compare on.

    Attributes:
        kind: worst (attains a tight bound), random, translated (x* is far from 0, where the
            rounding of x_k shows) or data.
        subject: the problem, or the case where the theorem is about a recursion.
        seed: which of its starts.
        symbols: letters that no `Problem` knows the value of -> their values.
    """

    kind: InstanceKind
    subject: Problem | Case
    seed: int = 0
    symbols: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        """The subject, which is a problem and not a case."""
        assert isinstance(self.subject, Problem)
        return self.subject
