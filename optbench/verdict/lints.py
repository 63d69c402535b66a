"""What is wrong with a comparison before anyone reads its numbers, each with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from optbench.catalog import Label, parse_label
from optbench.comparison import Comparison, Outcome
from optbench.tracks import Row
from optbench.verdict.contrasts import num_reached, paired_costs, shared_problems, weigh
from optbench.verdict.cost_axes import ratio_estimate
from optbench.verdict.leave_one_out import leader_without_a_problem, reversal_without_a_solver

LEAST_BEHIND_A_CLAIM = 3  # problems
SPECIAL_CASES = {  # general -> what it is with one hyperparameter at a limit
    "momentum": ("gradient_descent",),  # momentum = 0
    "nesterov": ("gradient_descent",),
    "adam": ("rmsprop",),  # b1 = 0, but for the correction of the bias
    "lion": ("sign_gradient_descent",),  # b1 = b2 = 0
}
DRAWS = 2_000  # of the interval beyond which a special case wins
_SHOWN = 3  # names in a message


class Lint(NamedTuple):
    """What is wrong with a comparison, and what to do.

    Attributes:
        name: of the lint.
        message: what is wrong, in one line.
        hint: what to do.
    """

    name: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}; {self.hint}"


Check = Callable[[Comparison, Row], Iterator[Lint]]


def raise_lints(comparison: Comparison, reference: Row) -> tuple[Lint, ...]:
    """All that is wrong, the gravest first.

    Args:
        comparison: the rows of a study.
        reference: the row that all are held against.
    """
    return tuple(lint for check in CHECKS for lint in check(comparison, reference))


def partial_grid(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Pairs that have not finished, or crashed, and searches that could not go on."""
    holes = [f"{o} on {p}" for (p, o), s in comparison.statuses.items() if s == "unfinished"]
    crashed = [f"{o} on {p}" for (p, o), s in comparison.statuses.items() if s == "failed"]
    if holes:
        again = "run the study again: it goes on where it stopped"
        yield Lint("partial grid", f"{_counted(holes, 'pair')} unfinished", again)
    if crashed:
        mend = "mend what failed and run again; until then each counts as 10 budgets"
        yield Lint("partial grid", f"{_counted(crashed, 'pair')} failed", mend)
    cut = [
        f"{row.optimizer} on {p}"
        for (p, row), outcome in comparison.outcomes.items()
        if outcome.on_edge
        and (p, row._replace(track=f"{row.track}+edge")) not in comparison.outcomes
    ]
    if cut:
        again = "run the study again: it tries them once more"
        yield Lint("partial grid", f"{_counted(cut, 'search')} beyond an edge failed", again)


def oracle_headline(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Rows tuned in hindsight that stand as headlines."""
    rows = [row.optimizer for row in comparison.headlines if row.track == "O"]
    if rows:
        hint = "drop [learning_rate] from the study: then settings are tuned on seeds of their own"
        message = f"{_counted(rows, 'row')} at the best setting in hindsight (oracle-tuned)"
        yield Lint("oracle-tuned", message, hint)


def unequal_trials(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Tuned rows that tried more settings than others; one that tunes itself tries none.

    One whose label gives numbers may have tried any number of them, on any seeds.
    """
    tried: dict[int, list[str]] = {}
    for row in comparison.headlines:
        if row.track != "S":
            counts = {len(o.trial_costs) for o in _outcomes(comparison, row)}
            for count in counts:
                tried.setdefault(count, []).append(row.optimizer)
    if len(tried) > 1:
        least, most = min(tried), max(tried)
        message = f"{tried[least][0]} tried {least} settings, {tried[most][0]} {most}"
        yield Lint("unequal tuning", message, "give every optimizer as many trials")
    given = [r.optimizer for r in comparison.headlines if r.track == "S" and _is_set(r.optimizer)]
    if tried and given:
        message = f"{_counted(given, 'row')} at values that the label gives, others are tuned"
        hint = "say where the values come from, or leave them to the trials"
        yield Lint("unequal tuning", message, hint)


def _is_set(optimizer: str) -> bool:
    """Whether a label gives a number that would be searched otherwise."""
    label: Label | None = parse_label(optimizer)
    while label is not None:
        if any(isinstance(value, float) for _, value in label.arguments):
            return True
        label = label.inner
    return False


def other_horizon(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Settings searched for another target or budget than what is shown."""
    study = comparison.study
    tuned, shown = study.get("target"), comparison.target
    searched = any(row.track.startswith("T_") for row in comparison.headlines)
    if searched and tuned is not None and not np.isclose(tuned, shown, rtol=1e-6):
        message = f"searches were extended for {tuned:g}, and shown is {shown:g}"
        hint = f"set target = {shown:g} in the study, and run it again"
        yield Lint("tuned horizon", message, hint)
    budget = study.get("budget")
    if budget is not None and comparison.budget not in (None, budget):
        message = f"tuned over {budget:g} gradients, and shown over {comparison.budget:g}"
        yield Lint("tuned horizon", message, "tune over as much as is shown")


def few_seeds(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Rows that are judged by a single seed: one start, one stream of samples."""
    seeds = [len(o.status) for row in comparison.headlines for o in _outcomes(comparison, row)]
    if min(seeds, default=2) == 1:
        yield Lint("single seed", "one seed tells nothing of the spread", "run with --seeds 5")


def repeated_runs(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Problems whose start does not depend on the seed: there all seeds are one."""
    names = [
        problem
        for problem in comparison.problems
        if any(
            (problem, row) in comparison.outcomes and comparison.outcomes[problem, row].repeated
            for row in comparison.headlines
        )
    ]
    if names:
        message = f"on {_counted(names, 'problem')} seeds repeat the same run, in tuning as well"
        hint = "make the start depend on the seed, or count the problem as one run, tuned on itself"
        yield Lint("repeated runs", message, hint)


def unknown_minimum(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Problems whose f* is unknown, or only the best that anyone has seen."""
    names = [
        label
        for label, record in comparison.problems.items()
        if record.failure is None
        and record.merit != "escape"
        and (record.minimum is None or record.minimum_kind == "best known")
    ]
    if names:
        message = f"f* of {_counted(names, 'problem')} is unknown or only the best seen"
        hint = "there a small gradient is the target, which a saddle has too: certify f*, or say so"
        yield Lint("unknown minimum", message, hint)


def few_problems(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Rows held against the reference on fewer than 3 problems."""
    rows = [
        row.optimizer
        for row in comparison.headlines
        if row != reference
        and len(shared_problems(comparison, row, reference)) < LEAST_BEHIND_A_CLAIM
    ]
    if rows:
        message = f"fewer than {LEAST_BEHIND_A_CLAIM} problems behind {_counted(rows, 'row')}"
        yield Lint("few problems", message, "add problems that it can run on, 6 for a test")


def best_on_edge(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Rows whose best setting lies on the edge of what was tried."""
    grid = comparison.study.get("learning_rate")
    found = {}
    for row in comparison.headlines:
        names = [
            problem
            for problem in comparison.applicable([row])
            if _on_edge(comparison.outcomes[problem, row], grid)
        ]
        if names:
            found[row.optimizer] = len(names)
    if not found:
        return
    worst = sorted(found, key=found.__getitem__, reverse=True)
    listed = ", ".join(f"{name} on {found[name]}" for name in worst[:_SHOWN])
    more = f" and {len(worst) - _SHOWN} more" if len(worst) > _SHOWN else ""
    hint = (
        "widen [learning_rate] in the study"
        if grid
        else "see the rows T_k+edge (`optbench compare --tracks`), and widen the space"
    )
    message = f"the best setting lies on the edge of its space: {listed}{more}"
    yield Lint("on the edge", message, hint)


def _on_edge(outcome: Outcome, grid: Mapping[str, Any] | None) -> bool:
    """Whether it is the last of a space that another track extends, or the end of a grid."""
    rate = outcome.setting.get("learning_rate")
    if not grid or rate is None or len(outcome.trial_costs) < 2:
        return outcome.on_edge
    return any(np.isclose(rate, grid[end]) for end in ("low", "high"))


def hidden_failures(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """Rows that a mean over successes alone shows on the other side of the reference."""
    for row in comparison.headlines:
        whole = ratio_estimate(comparison, row, reference)
        if row == reference or whole is None:
            continue
        problems = shared_problems(comparison, row, reference)
        costs, others, _ = paired_costs(comparison, row, reference, problems)
        medians, references = (np.median(one, axis=-1) for one in (costs, others))
        both = np.isfinite(medians) & np.isfinite(references)
        if both.all() or not both.any():
            continue
        alone = float(np.exp(np.log(medians[both] / references[both]).mean()))
        if (alone - 1) * (whole - 1) < 0:
            counts = f"{num_reached(costs)} and {num_reached(others)} of {len(problems)} problems"
            message = (
                f"over the {both.sum()} of {len(both)} problems that both reach, "
                f"{row.optimizer} takes {alone:.2g}x, with failures {whole:.2g}x "
                f"(they reach {counts})"
            )
            hint = "quote the counts and PAR-10 beside any mean over successes"
            yield Lint("successes only", message, hint)


def beaten_by_special_case(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """A method that loses to its own special case beyond the interval: it was not tuned enough."""
    rows = {row.optimizer: row for row in comparison.headlines}
    labels = {name: parse_label(name) for name in rows}
    for general in rows:
        for special in rows:
            if special == general or not _is_special(labels[special], labels[general]):
                continue
            pair = rows[general], rows[special]
            problems = shared_problems(comparison, *pair)
            if len(problems) < LEAST_BEHIND_A_CLAIM:
                continue
            costs = paired_costs(comparison, *pair, problems)
            ratio = weigh(*costs, rng=np.random.default_rng(0), draws=DRAWS).ratio
            if ratio.low > 1:
                message = (
                    f"{general} takes {ratio.estimate:.2g}x [{ratio.low:.2g}, {ratio.high:.2g}] "
                    f"the gradients of its own special case {special}"
                )
                hint = "it is under-tuned: give more trials, or a space that holds the special case"
                yield Lint("under-tuned", message, hint)


def _is_special(special: Label, general: Label) -> bool:
    """Whether one method is another with a hyperparameter at a value that the other may take."""
    if general.inner is not None and "clip" in general.name and not general.arguments:
        return special == general.inner
    if special.arguments == general.arguments and special.inner == general.inner:
        return special.name in SPECIAL_CASES.get(general.name, ())
    same = special.name == general.name and special.inner == general.inner
    return same and set(general.arguments) < set(special.arguments)


def unstable_ranking(comparison: Comparison, reference: Row) -> Iterator[Lint]:
    """A ranking that turns around when one solver, or one problem, is left out."""
    reversal = reversal_without_a_solver(comparison, reference)
    if reversal is not None:
        first, second, left_out = reversal
        message = f"by profile score {first} leads {second}, and trails it without {left_out}"
        hint = "rank by ratios to the reference, not by a profile: it depends on the pool"
        yield Lint("ranking flips", message, hint)
    change = leader_without_a_problem(comparison, reference)
    if change is not None:
        leader, other, problem = change
        message = f"{leader} leads, but {other} does without {problem}"
        yield Lint("ranking flips", message, "add problems before you name a winner")


def _outcomes(comparison: Comparison, row: Row) -> Iterator[Outcome]:
    for problem in comparison.applicable([row]):
        yield comparison.outcomes[problem, row]


def _counted(names: Sequence[str], noun: str) -> str:
    """How many there are, and the first of them."""
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    ending = "es" if noun.endswith("ch") else "s"
    return f"{len(names)} {noun}{ending * (len(names) != 1)} ({shown})"


CHECKS: tuple[Check, ...] = (
    partial_grid,
    oracle_headline,
    unequal_trials,
    other_horizon,
    few_seeds,
    repeated_runs,
    few_problems,
    beaten_by_special_case,
    best_on_edge,
    hidden_failures,
    unstable_ranking,
    unknown_minimum,
)
