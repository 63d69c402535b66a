"""What a study comes to: which optimizers need less than a reference, how sure that is, on what."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from optbench import metrics
from optbench.comparison import UNITS, Comparison
from optbench.errors import OptbenchError
from optbench.signed_rank import LEAST_PROBLEMS
from optbench.tracks import Row
from optbench.trajectory import Status
from optbench.verdict.contrasts import (
    DRAWS,
    LEVEL,
    SURE,
    Contrast,
    Decision,
    contrast_rows,
    kind_of,
)
from optbench.verdict.cost_axes import leader_by, standing_rows
from optbench.verdict.lints import Lint, raise_lints

_NOUNS = {"saddle": ("saddle", "saddles"), "": ("problem", "problems")}
_BELIEF = {"better": "P(better)", "worse": "P(worse)", "as good": "P(equal)"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sentence:
    """One claim, with what it rests on.

    Attributes:
        contrast: of the two rows that it speaks of.
        kind: of all problems that are behind it; empty where they differ.
        target: fraction of the merit at the start that is to be reached.
        unit: what cost is counted in.
    """

    contrast: Contrast
    kind: str
    target: float
    unit: str

    @property
    def text(self) -> str:
        """The claim in full."""
        row, reference = self.contrast.row.optimizer, self.contrast.reference.optimizer
        goal = "escapes" if self.kind == "saddle" else f"reaches {power(self.target)}"
        what = f"in {self.ratio} the {UNITS[self.unit]} of {reference}"
        if not self.contrast.evidence.reached and not self.contrast.evidence.reference_reached:
            return f"{row}, like {reference}, {goal} on {self._support(reference)}"
        return f"{row} {goal} {what} on {self._support(reference)}; {self.belief}"

    @property
    def brief(self) -> str:
        """The claim where decision, unit and reference are said before."""
        text = f"{self.contrast.row.optimizer} {self.ratio}"
        decision, found = self.contrast.decision, self.contrast.evidence
        if decision == "undecided":
            return text
        kind = f" {self._noun}" if self.kind else ""
        text += f" on {found.reached} of {found.total}{kind}"
        return text if decision == "too few problems" else f"{text}, {self.belief}"

    @property
    def ratio(self) -> str:
        """The ratio and its interval."""
        found = self.contrast.evidence.ratio
        if np.isnan(found.low):
            return f"{found.estimate:.2g}x"
        return f"{found.estimate:.2g}x [{found.low:.2g}, {found.high:.2g}]"

    @property
    def belief(self) -> str:
        """The probability of what was decided; of the likeliest, where nothing was."""
        decision, posterior = self.contrast.decision, self.contrast.evidence.posterior
        if posterior is None:
            return "too few problems for a test"
        values = (posterior.a_better, posterior.b_better, posterior.equal)
        chances: dict[str, float] = dict(zip(_BELIEF, values, strict=True))
        side = decision if decision in chances else max(chances, key=lambda name: chances[name])
        chance = chances[side]
        text = f"{_BELIEF[side]} {'> 0.99' if chance >= 0.995 else f'= {chance:.2f}'}"
        if decision != "undecided":
            return text
        return f"undecided, {text}{self._doubt if chance >= SURE else ''}"

    @property
    def _doubt(self) -> str:
        """Why nothing is decided, however sure one test is."""
        found, p = self.contrast.evidence, self.contrast.adjusted
        if found.known < LEAST_PROBLEMS:
            return f", but neither reaches {found.total - found.known}"
        if p is not None and p > LEVEL:
            return f", but p = {p:.2g}"
        return (
            ", but losses outweigh wins"
            if found.ratio.estimate > 1
            else ", but wins outweigh losses"
        )

    @property
    def _noun(self) -> str:
        """What the problems behind it are."""
        one, many = _NOUNS.get(self.kind, (f"{self.kind} problem", f"{self.kind} problems"))
        return one if self.contrast.evidence.total == 1 else many

    def _support(self, reference: str) -> str:
        """The problems that are behind it, and how many of them the row reaches the target on."""
        found = self.contrast.evidence
        text = f"{found.reached} of {found.total} {self._noun}"
        if found.reference_reached == found.reached:
            return text
        return f"{text} ({reference} on {found.reference_reached})"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a study comes to at one target.

    Attributes:
        target: fraction of the merit at the start.
        unit: what cost is counted in.
        budget: of each run, in gradients.
        reference: the row that all others are held against.
        leader: of the rows that run on every problem that the reference runs on, the one of least
            cost; the reference itself where none costs less.
        leaders: unit -> the leader in it; no entry where it is unknown.
        seeds: how many each row is judged by.
        problems: labels of those that the reference has run on.
        reached_by_none: labels of those whose target no row that ran on them reaches; they count
            all the same.
        sentences: of the leader first, then of the others, the farthest from 1 first.
        missing: pairs (problem, optimizer) that are to run and have not finished.
        crashed: pairs that failed; each counts as failed on every seed.
        not_applicable: optimizer -> on how many problems it cannot run.
        missed: how the runs of the rows end that miss the target -> how many.
        runs: how many runs the rows made.
        lints: what to mend before anyone relies on this.
    """

    target: float
    unit: str
    budget: float | None
    reference: Row
    leader: Row
    leaders: Mapping[str, Row]
    seeds: int
    problems: tuple[str, ...]
    reached_by_none: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    missing: tuple[tuple[str, str], ...]
    crashed: tuple[tuple[str, str], ...]
    not_applicable: Mapping[str, int]
    missed: Mapping[str, int]
    runs: int
    lints: tuple[Lint, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every pair has been run; one that cannot run is no hole."""
        return not self.missing

    def decision(self, optimizer: str) -> Decision:
        """What is decided of an optimizer against the reference, over all problems.

        Raises:
            OptbenchError: nothing is said of it.
        """
        for sentence in self.sentences:
            found = sentence.contrast
            if (found.row.optimizer, found.reference, found.kind) == (
                optimizer,
                self.reference,
                "",
            ):
                return found.decision
        raise OptbenchError(
            f"nothing is said of {optimizer} against {self.reference.optimizer}",
            "name another optimizer that has run on its problems",
        )


def power(fraction: float) -> str:
    """A fraction as people write it: 1e-6."""
    return np.format_float_scientific(fraction, trim="-", exp_digits=1)


def reach_verdict(
    comparison: Comparison,
    reference: str | None = None,
    *,
    unit: str = "gradients",
    draws: int = DRAWS,
    seed: int = 0,
) -> Verdict:
    """What a study comes to, each headline row held against a reference.

    All comparisons that are made, those over one kind of problem and the leader against the
    runner-up among them, are held against each other by Holm's method.

    Args:
        comparison: the rows of a study.
        reference: an optimizer; that of the study if not given, and else the first.
        unit: what cost is counted in.
        draws: of each bootstrap, and of each posterior.
        seed: of the draws.

    Raises:
        OptbenchError: no two rows, or a reference that is none of them.
    """
    against = reference_row(comparison, reference)
    rows = [row for row in comparison.headlines if row != against]
    if not rows:
        raise OptbenchError("one optimizer alone gives no verdict", "run two of them at least")
    order = standing_rows(comparison, against, unit) or [against]
    pairs = [(row, against) for row in rows]
    if len(order) > 1 and against not in order[:2]:
        pairs.append((order[0], order[1]))
    found = contrast_rows(comparison, pairs, unit=unit, draws=draws, seed=seed)
    missed, runs = _missed(comparison)
    pairs_by = _pairs_by_status(comparison)
    return Verdict(
        target=comparison.target,
        unit=unit,
        budget=comparison.budget,
        reference=against,
        leader=order[0],
        leaders=_leaders(comparison, against),
        seeds=max((len(o.status) for o in comparison.outcomes.values()), default=0),
        problems=tuple(comparison.applicable([against])),
        reached_by_none=_reached_by_none(comparison),
        sentences=_sentences(comparison, found, order, unit),
        missing=tuple(pairs_by["unfinished"]),
        crashed=tuple(pairs_by["failed"]),
        not_applicable=collections.Counter(o for _, o in pairs_by["not applicable"]),
        missed=missed,
        runs=runs,
        lints=raise_lints(comparison, against),
    )


def reference_row(comparison: Comparison, reference: str | None = None) -> Row:
    """The headline row that all are held against.

    Args:
        comparison: the rows of a study.
        reference: an optimizer; that of the study if not given, and else the first.

    Raises:
        OptbenchError: it is none of the rows, or there are none.
    """
    if not comparison.rows:
        raise OptbenchError("nothing has finished", "`optbench run` goes on with the study")
    named = reference or comparison.study.get("reference")
    return comparison.row(named) if named else comparison.headlines[0]


def _sentences(
    comparison: Comparison, contrasts: Sequence[Contrast], order: Sequence[Row], unit: str
) -> tuple[Sentence, ...]:
    """Those worth saying, the most telling first: of kinds, those that say other than the whole."""
    whole = {(c.row, c.reference): c for c in contrasts if not c.kind}
    said = [*whole.values()]
    for part in contrasts:
        overall = whole[part.row, part.reference]
        if part.kind and part.decision not in ("undecided", overall.decision):
            said.append(part)

    def importance(contrast: Contrast) -> tuple[bool, bool, bool, float]:
        leads = contrast.row == order[0]
        against_next = leads and contrast.reference in order[1:2]
        return (
            not against_next,
            not leads,
            contrast.decision == "undecided",
            -contrast.strength,
        )

    return tuple(
        Sentence(contrast=c, kind=_shared_kind(comparison, c), target=comparison.target, unit=unit)
        for c in sorted(said, key=importance)
    )


def _shared_kind(comparison: Comparison, contrast: Contrast) -> str:
    kinds = {kind_of(comparison.problems[p]) for p in contrast.problems}
    return kinds.pop() if len(kinds) == 1 else ""


def _reached_by_none(comparison: Comparison) -> tuple[str, ...]:
    """The problems some headline rows have run on, whose target most seeds of none reach."""
    medians = {
        problem: [
            comparison.outcomes[problem, row].median
            for row in comparison.headlines
            if (problem, row) in comparison.outcomes
        ]
        for problem in comparison.problems
    }
    return tuple(p for p, found in medians.items() if found and not np.isfinite(found).any())


def _pairs_by_status(comparison: Comparison) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = collections.defaultdict(list)
    for pair, status in comparison.statuses.items():
        found[status].append(pair)
    return found


def _leaders(comparison: Comparison, reference: Row) -> dict[str, Row]:
    """Unit -> who leads in it; at measured prices where they were measured."""
    priced = all(problem.prices is not None for problem in comparison.problems.values())
    units = [unit for unit in UNITS if unit != "measured" or priced]
    found = {unit: leader_by(comparison, reference, unit) for unit in units}
    return {unit: row for unit, row in found.items() if row is not None}


def _missed(comparison: Comparison) -> tuple[dict[str, int], int]:
    """How the runs of all headline rows end that miss the target, and how many runs there are."""
    counts: collections.Counter[Status] = collections.Counter()
    runs = 0
    for row in comparison.headlines:
        for problem in comparison.applicable([row]):
            outcome = comparison.outcomes[problem, row]
            missed = np.isnan(outcome.hit_costs[:, outcome.target])
            counts.update(metrics.count_failures(outcome.status[missed]))
            runs += len(missed)
    return {str(kind): count for kind, count in counts.most_common()}, runs
