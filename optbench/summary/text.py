"""A summary as text: pair by pair where there is room, else by problem, else by optimizer."""

from __future__ import annotations

import collections
import itertools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from optbench.summary.pairs import Pair
from optbench.summary.sparklines import depth, heights, median_heights, sparkline
from optbench.summary.standings import Standing, standings
from optbench.tables import UNKNOWN, align, number

if TYPE_CHECKING:
    from optbench.summary import Summary

MAX_LINES = 20
PODIUM = 3  # pairs shown per problem, at least, where pairs are shown one by one
FULL_TABLE = "summary.md"

LEGEND = (
    "Cost: gradients to the target ({} of the start's gap, as in the verdict), "
    "median [range] over starts, {}; "
    "basin: decades of lr within 2x; rate: factor q a step, power of k, or order"
)
TUNED = "at the setting that {} trials on other seeds chose"
HINDSIGHT = "at the lr best in hindsight (oracle-tuned)"
PATHS = "path: log merit over log cost, {} at the start, {} the least on the problem, x lost."
NO_BREAK = "\N{NO-BREAK SPACE}"
_SHORT = {"budget exhausted": "budget", "reached target": "reached"}
MARKS = {
    "~": "log points only",
    "^": "least or largest lr tried",
    "*": "none reaches that: the hardest target that half of the optimizers reach",
}

PAIR_COLUMNS = (
    "problem",
    "optimizer",
    "target",
    "reached",
    "cost",
    "setting",
    "basin",
    "rate",
    "failures",
)
PROBLEM_COLUMNS = (
    "problem", "target", "solved", "fastest", "cost", "setting", "basin", "rate", "then", "cost"
)  # fmt: skip
OPTIMIZER_COLUMNS = ("optimizer", "solved", "fastest on", "mean ratio", "basin", "failures")


def render(summary: Summary, width: int, levels: str) -> str:
    """The summary in at most `MAX_LINES` lines of at most `width` columns."""
    drawn = PATHS.format(levels[-1], levels[0]) if any(pair.path for pair in summary.pairs) else ""
    head = _wrap(filter(None, [summary.title, summary.legend, drawn]), width)
    foot = _wrap([*_endings(summary.endings), _progress(summary)], width)
    room = MAX_LINES - len(head) - len(foot) - 1
    body = [] if room < 1 else _body(summary.pairs, room, width, levels)
    return "\n".join([*head, *body, *foot][:MAX_LINES])


def title(summary: Summary) -> str:
    """What was compared, in one line."""
    problems, optimizers = (_distinct(summary.pairs, name) for name in ("problem", "optimizer"))
    starts = max((pair.starts or 0 for pair in summary.pairs), default=0)
    sizes_of = [(len(problems), "problem"), (len(optimizers), "optimizer"), (starts, "start")]
    sizes = " x ".join(f"{n} {noun}{'s' * (n != 1)}" for n, noun in sizes_of if n)
    budget = f", budget {_amount(summary.budget)} gradients" if summary.budget else ""
    return f"{summary.name}: {sizes}{budget}"


def legend(summary: Summary) -> str:
    """How to read the numbers; empty where there are none."""
    if not any(pair.reached for pair in summary.pairs):
        return ""
    shown = "".join(_cost(pair) + _setting(pair) + _target(pair) for pair in summary.pairs)
    used = [f"; {mark} {meaning}" for mark, meaning in MARKS.items() if mark in shown]
    goal = target_text(summary.target)
    return f"{LEGEND.format(goal, _how_tuned(summary.pairs))}{''.join(used)}."


def _how_tuned(pairs: Sequence[Pair]) -> str:
    tracks = [pair.track for pair in pairs if pair.track not in ("", "S")]
    if not tracks:
        return "nothing tuned"
    return HINDSIGHT if tracks[0] == "O" else TUNED.format(tracks[0].removeprefix("T_"))


def _endings(endings: Mapping[str, int]) -> list[str]:
    runs = sum(endings.values())
    return [f"All {runs:,} distinct runs at all settings: {counts(endings)}."] if runs else []


def _progress(summary: Summary) -> str:
    statuses = collections.Counter(pair.status for pair in summary.pairs)
    parts = [f"{count} {status}" for status, count in statuses.items()]
    failed = next((pair for pair in summary.pairs if pair.status == "failed"), None)
    why = f" ({_named(failed)}: {textwrap.shorten(failed.message, 80)})" if failed else ""
    seconds = f"Compiled in {summary.compile_seconds:.1f} s, ran in {summary.run_seconds:.1f} s."
    return f"Pairs: {', '.join(parts)}{why}. {seconds}"


def _named(pair: Pair) -> str:
    return f"{pair.optimizer} on {pair.problem}"


def _body(pairs: Sequence[Pair], room: int, width: int, levels: str) -> list[str]:
    problems, optimizers = _distinct(pairs, "problem"), _distinct(pairs, "optimizer")
    each = room // len(problems)
    if each < len(optimizers):
        each = (room - 1) // len(problems)
    if each >= min(PODIUM, len(optimizers)):
        return _by_pair(pairs, each, width, levels)
    if len(problems) < room:
        table = _by_problem(pairs, width, levels)
        left = room + 1 - len(table)
        return [*table, *_wrap([_solved(pairs)], width, max_lines=left)]
    return _by_optimizer(pairs, room, width, levels)


def _by_pair(pairs: Sequence[Pair], each: int, width: int, levels: str) -> list[str]:
    """The `each` best pairs of every problem, best first."""
    ranked = [_ranked(group) for group in _grouped(pairs, "problem").values()]
    lowest = _depths(pairs)
    rows = [
        (*pair_cells(pair), _path(pair, lowest, levels))
        for group in ranked
        for pair in group[:each]
    ]
    table = align(
        (*PAIR_COLUMNS, "path"),
        rows,
        width=width,
        right={3},
        elastic={0, 1, 5, 8},
        spare=(6, 7, 5, 9),
    ).splitlines()
    left = sum(len(group[each:]) for group in ranked)
    return [*table, f"And {left} slower pairs: {FULL_TABLE} shows all."] if left else table


def pair_cells(pair: Pair) -> tuple[str, ...]:
    """One pair as the cells of a row, in the order of `PAIR_COLUMNS`."""
    if pair.status != "finished":
        return (pair.problem, pair.optimizer, UNKNOWN, UNKNOWN, pair.status, *[UNKNOWN] * 3, "")
    reached = f"{pair.reached}/{pair.starts}"
    shown = _target(pair), reached, _cost(pair), _setting(pair), _decades(pair.basin)
    return pair.problem, pair.optimizer, *shown, _rate(pair), counts(pair.failures)


def _by_problem(pairs: Sequence[Pair], width: int, levels: str) -> list[str]:
    """One row per problem: the fastest optimizer and its path, and the next."""
    rows, lowest = [], _depths(pairs)
    for problem, group in _grouped(pairs, "problem").items():
        target = next((_target(pair) for pair in group if pair.target is not None), UNKNOWN)
        solved = f"{sum(pair.solved for pair in group)}/{_applicable(group)}"
        first, second = [*_ranked([p for p in group if p.cost is not None]), None, None][:2]
        winner, then, path = [UNKNOWN] * 5, [UNKNOWN] * 2, UNKNOWN
        if first is not None:
            at = _setting(first), _decades(first.basin), _rate(first)
            winner = [first.optimizer, _cost(first), *at]
            path = _path(first, lowest, levels)
        if second is not None:
            then = [second.optimizer, _median(second)]
        rows.append((problem, target, solved, *winner, *then, path))
    table = align(
        (*PROBLEM_COLUMNS, "path"),
        rows,
        width=width,
        right={2},
        elastic={0, 3, 5, 8},
        spare=(6, 7, 5, 10),
    )
    return table.splitlines()


def _solved(pairs: Sequence[Pair]) -> str:
    """What each optimizer comes to over all problems, best first."""
    cells = (_optimizer_cells(standing) for standing in standings(pairs))
    parts = [NO_BREAK.join((name, solved, *rest)) for name, solved, _, *rest, _ in cells]
    return f"Solved, mean cost over the fastest, median basin: {', '.join(parts)}."


def _by_optimizer(pairs: Sequence[Pair], room: int, width: int, levels: str) -> list[str]:
    """One row per optimizer, best first, with the median of its paths over problems."""
    ranked = standings(pairs)
    shown = ranked if len(ranked) <= room else ranked[: room - 1]
    lowest, groups = _depths(pairs), _grouped(pairs, "optimizer")
    rows = []
    for standing in shown:
        paths = {pair.problem: pair.path for pair in groups[standing.optimizer] if pair.path}
        drawn = sparkline(median_heights(paths, lowest), levels) if paths else UNKNOWN
        rows.append((*_optimizer_cells(standing), drawn))
    columns = (*OPTIMIZER_COLUMNS, "median path")
    table = align(columns, rows, width=width, right={1, 2, 3}, elastic={0, 5}, spare=(4, 6))
    left = len(ranked) - len(shown)
    return [*table.splitlines(), *([f"And {left} more: {FULL_TABLE} shows all."] if left else [])]


def _depths(pairs: Sequence[Pair]) -> dict[str, float]:
    """Problem -> the lowest value of its paths."""
    return {p: depth(pair.path for pair in own) for p, own in _grouped(pairs, "problem").items()}


def _path(pair: Pair, lowest: Mapping[str, float], levels: str) -> str:
    return sparkline(heights(pair.path, lowest[pair.problem]), levels) if pair.path else UNKNOWN


def _optimizer_cells(standing: Standing) -> tuple[str, ...]:
    """One optimizer as the cells of a row, in the order of `OPTIMIZER_COLUMNS`."""
    return (
        standing.optimizer,
        f"{standing.solved}/{standing.applicable}",
        str(standing.fastest),
        UNKNOWN if standing.ratio is None else f"{number(standing.ratio)}x",
        _decades(standing.basin),
        counts(standing.failures),
    )


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


def _target(pair: Pair) -> str:
    return target_text(pair.target) + "*" * pair.eased


def _rate(pair: Pair) -> str:
    """How the merit falls: a factor a step, a power of k, or an order."""
    return UNKNOWN if pair.rate is None else pair.rate.short


def _setting(pair: Pair) -> str:
    values = [number(value) for value in pair.setting.values()]
    return (",".join(values) or UNKNOWN) + "^" * pair.on_edge


def _median(pair: Pair) -> str:
    return UNKNOWN if pair.cost is None else "~" * (not pair.exact) + _amount(pair.cost)


def _cost(pair: Pair) -> str:
    if not pair.reached:
        return UNKNOWN
    return f"{_median(pair)} [{_amount(pair.low)}, {_amount(pair.high)}]"


def _decades(basin: float | None) -> str:
    return UNKNOWN if basin is None else f"{basin:.1f}"


def counts(endings: Mapping[str, int]) -> str:
    """How runs ended, and how many."""
    return ", ".join(f"{n:,} {_SHORT.get(kind, kind)}" for kind, n in endings.items())


def _amount(cost: float | None) -> str:
    """A cost; one that is never reached is infinite."""
    if cost is None:
        return "inf"
    return f"{cost:.0f}" if 100 <= cost < 1e6 else number(cost)


def _wrap(lines: Iterable[str], width: int, max_lines: int | None = None) -> list[str]:
    """Lines broken at spaces; a no-break space stays inside its line."""
    wrapped = (
        textwrap.wrap(line, width, max_lines=max_lines, placeholder=" ...", break_on_hyphens=False)
        for line in lines
    )
    return [line.replace(NO_BREAK, " ") for line in itertools.chain.from_iterable(wrapped)]
