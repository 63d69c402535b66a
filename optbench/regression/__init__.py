"""What changed between two results of a study: made with another jax, optax or optimizer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from optbench.errors import OptbenchError
from optbench.records import Cell
from optbench.regression.costs import CostChange, Runs, cost_changes, pair_runs
from optbench.regression.divergence import Divergence, diverge
from optbench.regression.paired_lanes import PairedCosts, pair_costs
from optbench.regression.rankings import Leader, Reversal, flips
from optbench.results import Results

PASSPORT = ("dim", "minimum", "minimum_kind", "saddle", "stochastic", "merit", "failure")
_LISTS = ("problems", "optimizers", "name", "description")  # of a study: told apart, or no number
_NO_LONGER = ("failed", "not applicable")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not the same for both results.

    Attributes:
        where: of what it is a part.
        name: what it is, with dots between levels.
        a: its value in the first; None where it has none.
        b: its value in the second.
    """

    where: Literal["environment", "study", "problem"]
    name: str
    a: Any
    b: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class OnlyOne:
    """Labels that one of the two results has alone.

    Attributes:
        problems_a: of the first.
        problems_b: of the second.
        optimizers_a: of the first.
        optimizers_b: of the second.
    """

    problems_a: tuple[str, ...]
    problems_b: tuple[str, ...]
    optimizers_a: tuple[str, ...]
    optimizers_b: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StatusChange:
    """A pair that ended otherwise as a whole.

    Attributes:
        problem: label.
        optimizer: label.
        a: finished, failed, not applicable or unfinished.
        b: the same of the second results.
        message: why it did not finish, in one line.
    """

    problem: str
    optimizer: str
    a: str
    b: str
    message: str

    @property
    def regressed(self) -> bool:
        """Whether what ran before no longer does: no matter of chance."""
        return self.a == "finished" and self.b in _NO_LONGER


@dataclasses.dataclass(frozen=True, kw_only=True)
class Regression:
    """What changed from the first results (A) to the second (B).

    Attributes:
        pairs: number of pairs (problem, optimizer) that both have.
        differences: between environments, study settings and problems.
        only: problems and optimizers that one alone has.
        statuses: pairs whose status changed.
        divergences: of the pairs that finished in both: whether, and where, their runs part.
        optimizers: what each costs over all problems.
        costs: what each costs on each problem.
        leaders: problems with another fastest optimizer.
        reversals: optimizers that changed places for certain.
    """

    pairs: int
    differences: tuple[Difference, ...]
    only: OnlyOne
    statuses: tuple[StatusChange, ...]
    divergences: tuple[Divergence, ...]
    optimizers: tuple[CostChange, ...]
    costs: tuple[CostChange, ...]
    leaders: tuple[Leader, ...]
    reversals: tuple[Reversal, ...]

    @property
    def regressed(self) -> bool:
        """Whether anything is significantly slower, fails significantly more, or runs no more."""
        return any(x.regressed for x in (*self.statuses, *self.optimizers, *self.costs))


def find_regression(a: Results, b: Results) -> Regression:
    """Compare two results, lane by lane.

    Args:
        a: the first, which is to be kept up with.
        b: the second.

    Raises:
        OptbenchError: they have nothing in common that can be compared.
    """
    problems = [label for label in a.problems if label in b.problems]
    optimizers = [label for label in a.optimizers if label in b.optimizers]
    _require_common("problem", problems, a.problems, b.problems)
    _require_common("optimizer", optimizers, a.optimizers, b.optimizers)
    found = [_compare(a, b, problem, optimizers) for problem in problems]
    runs = {label: of for part in found for label, of in part.runs.items()}
    statuses = tuple(_statuses(a, b, problems, optimizers))
    if not runs and not any(change.regressed for change in statuses):
        raise OptbenchError(
            "the two results share no finished run",
            "compare studies that share problems, optimizers, seeds and targets",
        )
    of_optimizers, of_pairs = cost_changes(runs)
    return Regression(
        pairs=len(problems) * len(optimizers),
        differences=(*_differences(a, b), *_passports(a, b, problems)),
        only=_only(a, b),
        statuses=statuses,
        divergences=tuple(divergence for part in found for divergence in part.divergences),
        optimizers=of_optimizers,
        costs=of_pairs,
        leaders=tuple(part.leader for part in found if part.leader),
        reversals=tuple(reversal for part in found for reversal in part.reversals),
    )


class _Compared(NamedTuple):
    """What changed on one problem."""

    divergences: list[Divergence]
    runs: dict[tuple[str, str], Runs]
    leader: Leader | None
    reversals: tuple[Reversal, ...]


def _compare(a: Results, b: Results, problem: str, optimizers: list[str]) -> _Compared:
    eps = max(_eps(results) for results in (a, b))
    floor = max(_floor(results, problem) for results in (a, b))
    divergences: list[Divergence] = []
    runs: dict[tuple[str, str], Runs] = {}
    paired: dict[str, PairedCosts] = {}
    for optimizer in optimizers:
        log_a, log_b = a.trajectory(problem, optimizer), b.trajectory(problem, optimizer)
        if log_a is None or log_b is None:
            continue
        label = problem, optimizer
        divergences.append(diverge(label, log_a, log_b, eps=eps, noise_floor=floor))
        cells = (results.cell(problem, optimizer) for results in (a, b))
        trials = [cell.trials if cell else 0 for cell in cells]
        pair = pair_costs(log_a, log_b, (trials[0], trials[1]))
        if pair.costs[0].size:
            paired[optimizer] = pair
            spent = float(max(np.nanmax(log.cost) for log in (log_a, log_b)))
            runs[label] = pair_runs(pair, _budget(a, b) or spent)
    return _Compared(divergences, runs, *(flips(problem, paired) if paired else (None, ())))


def _require_common(kind: str, common: list[str], a: Any, b: Any) -> None:
    if not common:
        raise OptbenchError(
            f"the two results share no {kind}",
            f"the first has {_named(a)}; the second has {_named(b)}",
        )


def _named(labels: Any, shown: int = 3) -> str:
    labels = list(labels)
    more = f" and {len(labels) - shown} more" if len(labels) > shown else ""
    return ", ".join(labels[:shown]) + more


def _eps(results: Results) -> float:
    """Spacing of floating-point numbers at 1, in the precision of the runs."""
    dtype = results.environment.get("dtype") or results.study.get("precision") or "float64"
    return float(np.finfo(dtype).eps)


def _budget(a: Results, b: Results) -> float | None:
    """The larger budget; None where no study tells one."""
    known = [r.study["budget"] for r in (a, b) if r.study.get("budget")]
    return max(known, default=None)


def _floor(results: Results, problem: str) -> float:
    return float(np.nan_to_num(results.problems[problem].noise_floor))


def _statuses(
    a: Results, b: Results, problems: list[str], optimizers: list[str]
) -> Iterator[StatusChange]:
    for problem in problems:
        for optimizer in optimizers:
            one, other = (results.cell(problem, optimizer) for results in (a, b))
            before, after = _status(one), _status(other)
            if before != after:
                why = " ".join(c.message for c in (one, other) if c and c.message)
                names = {"problem": problem, "optimizer": optimizer}
                yield StatusChange(**names, a=before, b=after, message=why)


def _status(cell: Cell | None) -> str:
    return cell.status if cell else "unfinished"


def _only(a: Results, b: Results) -> OnlyOne:
    return OnlyOne(
        problems_a=tuple(x for x in a.problems if x not in b.problems),
        problems_b=tuple(x for x in b.problems if x not in a.problems),
        optimizers_a=tuple(x for x in a.optimizers if x not in b.optimizers),
        optimizers_b=tuple(x for x in b.optimizers if x not in a.optimizers),
    )


def _differences(a: Results, b: Results) -> Iterator[Difference]:
    def settings(results: Results) -> dict[str, Any]:
        return {k: v for k, v in results.study.items() if k not in _LISTS}

    parts: tuple[tuple[Literal["environment", "study"], Any, Any], ...] = (
        ("environment", a.environment, b.environment),
        ("study", settings(a), settings(b)),
    )
    for where, one, other in parts:
        flat_a, flat_b = dict(_flat(one)), dict(_flat(other))
        for name in dict.fromkeys([*flat_a, *flat_b]):
            if flat_a.get(name) != flat_b.get(name):
                yield Difference(where=where, name=name, a=flat_a.get(name), b=flat_b.get(name))


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _passports(a: Results, b: Results, problems: list[str]) -> Iterator[Difference]:
    for problem in problems:
        for field in PASSPORT:
            one, other = (getattr(r.problems[problem], field) for r in (a, b))
            if one != other and not (_is_nan(one) and _is_nan(other)):
                yield Difference(where="problem", name=f"{problem}.{field}", a=one, b=other)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
