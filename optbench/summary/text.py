"""A summary as text: pair by pair where there is room, else by problem, else by optimizer."""

from __future__ import annotations

import collections
import itertools
import math
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from optbench.summary.pairs import Pair
from optbench.tables import UNKNOWN, align, number

if TYPE_CHECKING:
    from optbench.summary import Summary

MAX_LINES = 20
PODIUM = 3  # pairs shown per problem, at least, where pairs are shown one by one
FULL_TABLE = "summary.md"

LEGEND = (
    "Cost: gradients to the target (share of the start's gap), median [range] over starts, at the "
    "lr best in hindsight (oracle-tuned); basin: decades of lr within 2x"
)
MARKS = {"~": "log points only", "^": "edge of lr grid"}

PAIR_COLUMNS = ("problem", "optimizer", "target", "reached", "cost", "lr", "basin", "failures")
PROBLEM_COLUMNS = (
    "problem", "target", "reached by", "fastest", "cost", "lr", "basin", "then", "cost"
)  # fmt: skip
OPTIMIZER_COLUMNS = ("optimizer", "solved", "fastest on", "cost to best", "basin", "failures")


def render(summary: Summary, width: int) -> str:
    """The summary in at most `MAX_LINES` lines of at most `width` columns."""
    head = _wrap([summary.title, summary.legend], width)
    foot = _wrap([*_endings(summary.endings), _progress(summary)], width)
    room = MAX_LINES - len(head) - len(foot) - 1
    body = [] if room < 1 else _body(summary.pairs, room, width)
    return "\n".join([*head, *body, *foot][:MAX_LINES])


def title(summary: Summary) -> str:
    """What was compared, in one line."""
    problems, optimizers = (_distinct(summary.pairs, name) for name in ("problem", "optimizer"))
    starts = max((pair.starts or 0 for pair in summary.pairs), default=0)
    counts = [(len(problems), "problem"), (len(optimizers), "optimizer"), (starts, "start")]
    sizes = " x ".join(f"{n} {noun}{'s' * (n != 1)}" for n, noun in counts if n)
    budget = f", budget {_amount(summary.budget)} gradients" if summary.budget else ""
    return f"{summary.name}: {sizes}{budget}"


def legend(pairs: Sequence[Pair]) -> str:
    """How to read the numbers; empty where there are none."""
    if not any(pair.reached for pair in pairs):
        return ""
    shown = "".join(_cost(pair) + _rate(pair) for pair in pairs)
    used = [f"; {mark} {meaning}" for mark, meaning in MARKS.items() if mark in shown]
    return f"{LEGEND}{''.join(used)}."


def _endings(endings: Mapping[str, int]) -> list[str]:
    runs = sum(endings.values())
    return [f"All {runs:,} runs, at all settings: {_counts(endings)}."] if runs else []


def _progress(summary: Summary) -> str:
    counts = collections.Counter(pair.status for pair in summary.pairs)
    parts = [f"{count} {status}" for status, count in counts.items()]
    failed = next((pair for pair in summary.pairs if pair.status == "failed"), None)
    why = f" ({_named(failed)}: {textwrap.shorten(failed.message, 80)})" if failed else ""
    seconds = f"Compiled in {summary.compile_seconds:.1f} s, ran in {summary.run_seconds:.1f} s."
    return f"Pairs: {', '.join(parts)}{why}. {seconds}"


def _named(pair: Pair) -> str:
    return f"{pair.optimizer} on {pair.problem}"


def _body(pairs: Sequence[Pair], room: int, width: int) -> list[str]:
    problems, optimizers = _distinct(pairs, "problem"), _distinct(pairs, "optimizer")
    each = room // len(problems)
    if each < len(optimizers):
        each = (room - 1) // len(problems)
    if each >= min(PODIUM, len(optimizers)):
        return _by_pair(pairs, each, width)
    if len(problems) < room:
        table = _by_problem(pairs, width)
        left = room + 1 - len(table)
        return [*table, *textwrap.wrap(_solved(pairs), width, max_lines=left, placeholder=" ...")]
    return _by_optimizer(pairs, room, width)


def _by_pair(pairs: Sequence[Pair], each: int, width: int) -> list[str]:
    """The `each` best pairs of every problem, best first."""
    ranked = [_ranked(group) for group in _grouped(pairs, "problem").values()]
    rows = [pair_cells(pair) for group in ranked for pair in group[:each]]
    table = align(PAIR_COLUMNS, rows, width=width, right={3}, elastic={0, 1, 7}).splitlines()
    left = sum(len(group[each:]) for group in ranked)
    return [*table, f"And {left} slower pairs: {FULL_TABLE} shows all."] if left else table


def pair_cells(pair: Pair) -> tuple[str, ...]:
    """One pair as the cells of a row, in the order of `PAIR_COLUMNS`."""
    if pair.status != "finished":
        return (pair.problem, pair.optimizer, UNKNOWN, UNKNOWN, pair.status, *[UNKNOWN] * 2, "")
    reached = UNKNOWN if pair.target is None else f"{pair.reached}/{pair.starts}"
    shown = target_text(pair.target), reached, _cost(pair), _rate(pair), _decades([pair.basin])
    return pair.problem, pair.optimizer, *shown, _counts(pair.failures)


def _by_problem(pairs: Sequence[Pair], width: int) -> list[str]:
    """One row per problem: the fastest optimizer, and the next."""
    rows = []
    for problem, group in _grouped(pairs, "problem").items():
        first, second = [*_ranked([p for p in group if p.solved]), None, None][:2]
        if first is None:
            rows.append((problem, UNKNOWN, f"0/{_applicable(group)}", *[UNKNOWN] * 6))
            continue
        solved = f"{sum(pair.solved for pair in group)}/{_applicable(group)}"
        winner = first.optimizer, _cost(first), _rate(first), _decades([first.basin])
        then = (second.optimizer, _median(second)) if second else (UNKNOWN, UNKNOWN)
        rows.append((problem, target_text(first.target), solved, *winner, *then))
    table = align(PROBLEM_COLUMNS, rows, width=width, right={2}, elastic={0, 3, 7})
    return table.splitlines()


def _solved(pairs: Sequence[Pair]) -> str:
    """How many problems each optimizer solves, most first."""
    parts = []
    for optimizer, group in _most_solved(pairs):
        basin = _decades(pair.basin for pair in group)
        parts.append(f"{optimizer} {sum(p.solved for p in group)}/{_applicable(group)} ({basin})")
    return f"Problems solved (median basin): {', '.join(parts)}."


def _by_optimizer(pairs: Sequence[Pair], room: int, width: int) -> list[str]:
    """One row per optimizer, the one that solves most first."""
    best = {
        problem: min((p.cost for p in group if p.cost is not None), default=None)
        for problem, group in _grouped(pairs, "problem").items()
    }
    ranked = _most_solved(pairs)
    shown = ranked if len(ranked) <= room else ranked[: room - 1]
    rows = [_optimizer_cells(optimizer, group, best) for optimizer, group in shown]
    table = align(OPTIMIZER_COLUMNS, rows, width=width, right={1, 2, 3}, elastic={0, 5})
    left = len(ranked) - len(shown)
    return [*table.splitlines(), *([f"And {left} more: {FULL_TABLE} shows all."] if left else [])]


def _optimizer_cells(
    optimizer: str, group: Sequence[Pair], best: Mapping[str, float | None]
) -> tuple[str, ...]:
    ratios = [p.cost / least for p in group if p.cost is not None and (least := best[p.problem])]
    failures: collections.Counter[str] = collections.Counter()
    for pair in group:
        failures.update(pair.failures)
    return (
        optimizer,
        f"{sum(pair.solved for pair in group)}/{_applicable(group)}",
        str(sum(pair.solved and pair.cost == best[pair.problem] for pair in group)),
        f"{number(statistics.geometric_mean(ratios))}x" if ratios else UNKNOWN,
        _decades(pair.basin for pair in group),
        _counts(dict(failures.most_common())),
    )


def _most_solved(pairs: Sequence[Pair]) -> list[tuple[str, list[Pair]]]:
    groups = _grouped(pairs, "optimizer")
    return sorted(groups.items(), key=lambda item: -sum(pair.solved for pair in item[1]))


def _ranked(pairs: Iterable[Pair]) -> list[Pair]:
    """Cheapest first, then those that reach the target from fewer starts, then the rest."""
    order = {"finished": 0, "failed": 1, "unfinished": 2, "not applicable": 3}
    return sorted(
        pairs,
        key=lambda p: (order[p.status], math.inf if p.cost is None else p.cost, -(p.reached or 0)),
    )


def _applicable(pairs: Iterable[Pair]) -> int:
    return sum(pair.status != "not applicable" for pair in pairs)


def _grouped(pairs: Sequence[Pair], name: str) -> dict[str, list[Pair]]:
    return {key: [p for p in pairs if getattr(p, name) == key] for key in _distinct(pairs, name)}


def _distinct(pairs: Sequence[Pair], name: str) -> list[str]:
    return list(dict.fromkeys(getattr(pair, name) for pair in pairs))


def target_text(target: float | None) -> str:
    """A fraction of the merit at the start; the target at a saddle is escape."""
    if target is None:
        return UNKNOWN
    return "escape" if target < 0 else f"{target:.0e}"


def _rate(pair: Pair) -> str:
    values = [number(value) for value in pair.setting.values()]
    return (",".join(values) or UNKNOWN) + "^" * pair.on_edge


def _median(pair: Pair) -> str:
    return UNKNOWN if pair.cost is None else "~" * (not pair.exact) + _amount(pair.cost)


def _cost(pair: Pair) -> str:
    if not pair.reached:
        return UNKNOWN
    return f"{_median(pair)} [{_amount(pair.low)}, {_amount(pair.high)}]"


def _decades(basins: Iterable[float | None]) -> str:
    """The median of those known."""
    known = [basin for basin in basins if basin is not None]
    return f"{statistics.median(known):.1f}" if known else UNKNOWN


def _counts(endings: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {kind.removesuffix(' exhausted')}" for kind, n in endings.items())


def _amount(cost: float | None) -> str:
    """A cost; one that is never reached is infinite."""
    if cost is None:
        return "inf"
    return f"{cost:.0f}" if 100 <= cost < 1e6 else number(cost)


def _wrap(lines: Iterable[str], width: int) -> list[str]:
    return list(itertools.chain.from_iterable(textwrap.wrap(line, width) for line in lines))
