"""The rates of a study next to those that theory tells, pair by pair."""

from __future__ import annotations

import dataclasses
import itertools
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from optbench.catalog import Catalog
from optbench.errors import OptbenchError
from optbench.labels import find_problem
from optbench.method import find_method
from optbench.problem import Problem
from optbench.rate_formulas import TheoreticalRate
from optbench.rates import Abstention, Rate
from optbench.records import ProblemRecord
from optbench.regimes import observed_rate
from optbench.results import Results
from optbench.tables import INDENT, UNKNOWN, align, number
from optbench.theoretical_rates import theoretical_rate
from optbench.theory import known_of
from optbench.tracks import evaluation
from optbench.trajectory import Merit, Trajectory

COLUMNS = ("optimizer", "setting", "regime", "rate", "interval", "steps", "theory", "ratio")
LEGEND = (
    "At the tuned setting, on the starts it is judged by. rate: of the gap to the minimum (of the "
    "gradient's norm where none is known); interval: as the window moves, or from start to start; "
    "theory: = exactly, <= at worst; ratio: speed (-log q, p or order) over theory's."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairRate:
    """What was seen of one optimizer on one problem at one setting, and what theory tells.

    Attributes:
        problem: label.
        optimizer: label.
        setting: swept hyperparameter -> its value.
        best: whether no other setting is better, as the table of the study has it.
        observed: the rate over all starts, or why there is none.
        theory: None where it is not known.
        ratio: speed observed over theory's; None where they cannot be compared.
    """

    problem: str
    optimizer: str
    setting: Mapping[str, float] = dataclasses.field(default_factory=dict)
    best: bool = True
    observed: Rate | Abstention
    theory: TheoreticalRate | None = None
    ratio: float | None = None


class Catalogs(NamedTuple):
    """Where labels are looked up for what theory needs; what they lack has no theory."""

    problems: Catalog
    optimizers: Catalog


def pair_rates(results: Results, catalogs: Catalogs, *, every_setting: bool) -> Iterator[PairRate]:
    """The rates of a study, problem by problem.

    Args:
        results: of the study.
        catalogs: of problems and optimizers.
        every_setting: whether all settings of a pair are told, or its best one alone.
    """
    for label, record in results.problems.items():
        found = results.finished_on(label)
        problem = known_problem(label, catalogs.problems)
        for optimizer in results.optimizers:
            if optimizer not in found.logs:
                cell = results.cell(label, optimizer)
                why = f"{cell.status}: {cell.message}" if cell else "unfinished"
                yield PairRate(problem=label, optimizer=optimizer, observed=Abstention(why))
                continue
            best, log = found.tuned_index(optimizer), evaluation(found.logs[optimizer])
            theory = Theory(problem, optimizer, catalogs.optimizers)
            for setting in range(log.value.shape[1]) if every_setting else (best,):
                pair = _pair_rate(log, setting, record, theory)
                yield dataclasses.replace(pair, best=setting == best)


class Theory(NamedTuple):
    """What theory looks at of an optimizer on a problem; None where it is in no catalog."""

    problem: Problem | None
    optimizer: str
    optimizers: Catalog

    def at(self, setting: Mapping[str, float]) -> TheoreticalRate | None:
        """The rate of f - f* at one setting; None where something is not known."""
        if self.problem is None or ".py:" in self.optimizer:
            return None
        try:
            method = find_method(self.optimizer, self.optimizers)
            return theoretical_rate(self.problem, method.settled(known_of(self.problem)), setting)
        except OptbenchError:  # the catalog has changed
            return None


def known_problem(label: str, problems: Catalog) -> Problem | None:
    """The problem of a label; None where it cannot be built any more."""
    try:
        return find_problem(label, problems)
    except Exception:  # somebody's own may raise anything, or the catalog has changed
        return None


def _pair_rate(log: Trajectory, index: int, record: ProblemRecord, theory: Theory) -> PairRate:
    pair = PairRate(
        problem=record.label,
        optimizer=theory.optimizer,
        setting={name: float(values[index]) for name, values in log.settings.items()},
        observed=observed_rate(log, index, record),
    )
    return beside_theory(pair, log.merit, theory)


def beside_theory(pair: PairRate, merit: Merit, theory: Theory) -> PairRate:
    """What was seen of a pair, next to what theory tells of this merit at its setting."""
    told = theory.at(pair.setting)
    if told is not None and merit == "gradient norm":
        told = told.of_gradient_norm()
    seen = pair.observed
    if isinstance(seen, Rate) and told and (seen.kind, told.kind) == ("sublinear", "linear"):
        seen = Abstention(
            f"{seen.short} until step {seen.window[1]}, where theory is linear: too few steps"
        )
    ratio = told.ratio(seen) if told and isinstance(seen, Rate) else None
    return dataclasses.replace(pair, observed=seen, theory=told, ratio=ratio)


def rates_text(pairs: Sequence[PairRate], problems: Mapping[str, ProblemRecord], width: int) -> str:
    """A table grouped by problem; below each group, why the others have no rate."""
    rated = [pair for pair in pairs if isinstance(pair.observed, Rate)]
    table = align(
        COLUMNS,
        [cells_of(pair) for pair in rated],
        width=width,
        right={7},
        elastic={0, 1},
        spare=(5, 4),
    ).splitlines()
    rows = iter(table[1:])
    blocks = [*textwrap.wrap(LEGEND, width), "", table[0]]
    for label, group in itertools.groupby(pairs, key=lambda pair: pair.problem):
        members = list(group)
        blocks += ["", *textwrap.wrap(_heading(problems[label]), width)]
        blocks += [next(rows) for pair in members if isinstance(pair.observed, Rate)]
        blocks += _reasons(members, width)
    return "\n".join(blocks)


def _heading(problem: ProblemRecord) -> str:
    known = {"L": problem.smoothness, "mu": problem.strong_convexity}
    if problem.smoothness and problem.strong_convexity:
        known["kappa"] = problem.smoothness / problem.strong_convexity
    facts = [f"{name} = {number(value)}" for name, value in known.items() if value is not None]
    return f"{problem.label}: {', '.join(facts)}" if facts else problem.label


def cells_of(pair: PairRate) -> tuple[str, ...]:
    """The row of a pair that has a rate, as `COLUMNS` has it."""
    rate = pair.observed
    assert isinstance(rate, Rate)
    return (
        pair.optimizer,
        ",".join(number(value) for value in pair.setting.values()) or UNKNOWN,
        rate.kind,
        rate.short,
        _interval(rate),
        "{}..{}".format(*rate.window),
        UNKNOWN if pair.theory is None else pair.theory.short,
        UNKNOWN if pair.ratio is None else f"{pair.ratio:.3g}x",
    )


def _interval(rate: Rate) -> str:
    """Both ends with as many digits as tell them apart, but two at least and six at most."""
    digits = 2
    if rate.high > rate.low:
        digits = max(2, min(6, math.ceil(-math.log10(rate.high - rate.low)) + 1))
    return f"{rate.low:.{digits}f}..{rate.high:.{digits}f}"


def _reasons(pairs: Iterable[PairRate], width: int) -> list[str]:
    """Who has no rate, reason by reason."""
    groups: dict[str, list[str]] = {}
    for pair in pairs:
        if isinstance(pair.observed, Abstention):
            groups.setdefault(pair.observed.reason, []).append(pair.optimizer)
    lines = [f"no rate: {', '.join(names)}: {reason}" for reason, names in groups.items()]
    return [
        part
        for line in lines
        for part in textwrap.wrap(line, width, initial_indent="", subsequent_indent=INDENT)
    ]
