"""What may be claimed of optimizers: sentences in a small grammar (`FORMS`), as frozen data.

A and B are labels of optimizers, each with a track of the comparison where its headline is not
meant: `adam @D`. UNIT is one of `UNITS`. TAU is a fraction of the merit at the start, or `escape`
from a saddle. PROBLEMS are labels, families of the catalog and kinds (`saddles`, `all problems`,
`convex problems`, `stochastic nonconvex problems`) joined by `and`, then conditions that hold for
all of them: `quadratics and rosenbrock with condition >= 100 and dim < 50`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Literal

FORMS = {  # verb -> the sentence
    "beats": "A beats B [by Fx] [in UNIT] at TAU on PROBLEMS",
    "is": "A is as good as B within Fx [in UNIT] at TAU on PROBLEMS",
    "reaches": "A reaches TAU on PROBLEMS [within N UNIT]",
    "fails": "A fails to reach TAU on PROBLEMS",
    "diverges": "A diverges on PROBLEMS",
    "ends": "A ends at a saddle on PROBLEMS",
    "takes": "A takes N UNIT [within P%] to TAU on PROBLEMS",
}
ESCAPE = -1.0  # the target of a problem about a saddle
KINDS = ("all", "convex", "nonconvex", "stochastic", "deterministic")  # of problems
SADDLES = "saddles"

Unit = Literal["gradients", "steps", "evaluations", "hessian_products"]
UNITS: Mapping[str, str] = {
    "gradients": "gradient-equivalents, at the prices of the study",
    "steps": "steps of the optimizer, iterations of a solver",
    "evaluations": "calls that tell f, alone or with its gradient",
    "hessian_products": "products with the Hessian",
}


@dataclasses.dataclass(frozen=True)
class Subject:
    """An optimizer, on one of its tracks; None is its headline."""

    optimizer: str
    track: str | None = None

    def __str__(self) -> str:
        return self.optimizer if self.track is None else f"{self.optimizer} @{self.track}"


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a number of each problem must satisfy.

    Attributes:
        quantity: the condition number L / mu, or the dimension.
        relation: between it and the bound.
        bound: a number.
    """

    quantity: Literal["condition", "dim"]
    relation: Literal[">=", "<=", ">", "<"]
    bound: float

    def __str__(self) -> str:
        return f"{self.quantity} {self.relation} {_number(self.bound)}"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Problems of a study.

    Attributes:
        names: labels, families, `saddles`, or kinds such as "convex problems"; any may hold.
        conditions: all hold.
    """

    names: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        conditions = " and ".join(map(str, self.conditions))
        return " and ".join(self.names) + (f" with {conditions}" if conditions else "")


@dataclasses.dataclass(frozen=True)
class Beats:
    """A needs at most 1 / factor of what B needs."""

    first: Subject
    second: Subject
    factor: float
    unit: Unit
    target: float
    problems: Selection

    def __str__(self) -> str:
        by = "" if self.factor == 1 else f" by {_number(self.factor)}x"
        return (
            f"{self.first} beats {self.second}{by}{_in(self.unit)} at {target_text(self.target)} "
            f"on {self.problems}"
        )


@dataclasses.dataclass(frozen=True)
class IsAsGoodAs:
    """What A and B need differs by less than the factor, either way."""

    first: Subject
    second: Subject
    factor: float
    unit: Unit
    target: float
    problems: Selection

    def __str__(self) -> str:
        return (
            f"{self.first} is as good as {self.second} within {_number(self.factor)}x"
            f"{_in(self.unit)} at {target_text(self.target)} on {self.problems}"
        )


@dataclasses.dataclass(frozen=True)
class Reaches:
    """A gets there; where a limit is told, with no more of the unit."""

    first: Subject
    target: float
    problems: Selection
    limit: float | None = None
    unit: Unit = "gradients"

    def __str__(self) -> str:
        within = "" if self.limit is None else f" within {_number(self.limit)} {self.unit}"
        return f"{self.first} reaches {target_text(self.target)} on {self.problems}{within}"


@dataclasses.dataclass(frozen=True)
class FailsToReach:
    """A does not get there within the budget of the study."""

    first: Subject
    target: float
    problems: Selection

    def __str__(self) -> str:
        return f"{self.first} fails to reach {target_text(self.target)} on {self.problems}"


@dataclasses.dataclass(frozen=True)
class Diverges:
    """f grows beyond all bounds, or is no number."""

    first: Subject
    problems: Selection

    def __str__(self) -> str:
        return f"{self.first} diverges on {self.problems}"


@dataclasses.dataclass(frozen=True)
class EndsAtSaddle:
    """A converges to the saddle that a problem is about."""

    first: Subject
    problems: Selection

    def __str__(self) -> str:
        return f"{self.first} ends at a saddle on {self.problems}"


@dataclasses.dataclass(frozen=True)
class Takes:
    """A published number: what A needs, up to a share of it."""

    first: Subject
    count: float
    unit: Unit
    tolerance: float  # a share, 0.1 for 10 %
    target: float
    problems: Selection

    def __str__(self) -> str:
        within = f" within {_number(100 * self.tolerance)}%" if self.tolerance else ""
        return (
            f"{self.first} takes {_number(self.count)} {self.unit}{within} "
            f"to {target_text(self.target)} on {self.problems}"
        )


Sentence = Beats | IsAsGoodAs | Reaches | FailsToReach | Diverges | EndsAtSaddle | Takes


def _number(value: float) -> str:
    """The shortest text that reads back as the value."""
    text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), text)


def target_text(value: float) -> str:
    """A target as a sentence has it."""
    return "escape" if value == ESCAPE else _number(value)


def _in(unit: Unit) -> str:
    return "" if unit == "gradients" else f" in {unit}"
