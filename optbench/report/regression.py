"""What changed between two results, as text: first what matters, then where."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from optbench.regression import OnlyOne, Regression
from optbench.regression.costs import CostChange
from optbench.regression.divergence import Divergence
from optbench.statistics import Interval
from optbench.summary.text import target_text
from optbench.tables import INDENT, UNKNOWN, align, number

SHOWN = {"differences": 4, "statuses": 2, "trajectories": 3, "costs": 5, "flips": 2}  # lines
LEGEND = (
    "B / A: mean cost ratio; interval: 95 %, bootstrap; p: signed ranks, Holm; runs lost and won"
)
_RUN_COLUMNS = ("problem", "optimizer", "lanes", "differ", "first at", "beyond rounding")
_COST_COLUMNS = ("optimizer", "on", "B / A", "interval", "p", "costs", "lost", "won", "failures")


def regression_text(found: Regression, width: int = 100) -> str:
    """The changes in at most 30 lines of at most `width` columns, the verdict first."""
    blocks = (
        _wrapped(_summary(found), width),
        _part(_differences(found), SHOWN["differences"], width),
        _part([*_only(found.only), *_lanes(found)], 3, width),
        _part(_statuses(found), SHOWN["statuses"], width),
        _trajectories(found.divergences, width),
        _costs(found, width),
        _part(_flips(found), SHOWN["flips"], width),
    )
    return "\n".join(line for block in blocks for line in block)


def _summary(found: Regression) -> str:
    """What differs, and what it means: one sentence."""
    parts = [d for d in found.divergences if d.kind == "different" or d.ends]
    rounding = sum(d.kind == "rounding" and not d.ends for d in found.divergences)
    steps = [d.first_step for d in parts if d.first_step is not None]
    since = f", from step {min(steps)} on" if steps else ""
    more = f", {rounding} more by rounding alone" if rounding else ""
    compared = sum(d.kind != "not compared" for d in found.divergences)
    left = "" if compared == found.pairs else f" ({compared} share runs)"
    return f"{len(parts)} of {found.pairs} pairs differ{since}{more}{left}; {_verdict(found)}."


def _verdict(found: Regression) -> str:
    worse = [c.optimizer for c in found.optimizers if c.regressed]
    worse += [f"{c.optimizer} on {c.problem}" for c in found.costs if c.regressed]
    broken = [f"{s.optimizer} on {s.problem}" for s in found.statuses if s.regressed]
    parts = [f"worse: {_some(worse)}"] if worse else []
    parts += [f"no longer running: {_some(broken)}"] if broken else []
    better = [c for c in (*found.optimizers, *found.costs) if c.verdict == "faster"]
    if parts:
        return f"REGRESSION, {'; '.join(parts)}"
    if better:
        return f"no cost rose significantly, {len(better)} fell"
    return "no cost changed significantly"


def _some(names: Sequence[str], shown: int = 3) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")


def _differences(found: Regression) -> list[str]:
    return [f"{d.where}: {d.name} {_value(d.a)} -> {_value(d.b)}" for d in found.differences]


def _value(value: Any) -> str:
    return UNKNOWN if value is None else str(value)


def _only(only: OnlyOne) -> list[str]:
    sides = (
        ("A", only.problems_a, only.optimizers_a),
        ("B", only.problems_b, only.optimizers_b),
    )
    return [
        f"{side} alone has {' and '.join(_counted(problems, optimizers))}"
        for side, problems, optimizers in sides
        if problems or optimizers
    ]


def _counted(problems: Sequence[str], optimizers: Sequence[str]) -> Iterator[str]:
    for labels, kind in ((problems, "problem"), (optimizers, "optimizer")):
        if labels:
            yield f"{len(labels)} {kind}{'s' * (len(labels) != 1)} ({_some(labels)})"


def _lanes(found: Regression) -> Iterator[str]:
    """Lanes of common pairs that were left out."""
    only_a, only_b = (sum(getattr(d, f"only_{x}") for d in found.divergences) for x in "ab")
    if only_a or only_b:
        yield f"runs of common pairs that the other lacks: {only_a} of A, {only_b} of B"


def _statuses(found: Regression) -> list[str]:
    return [
        f"{s.optimizer} on {s.problem}: {s.a} -> {s.b}{f' ({s.message})' if s.message else ''}"
        for s in found.statuses
    ]


def _trajectories(divergences: Sequence[Divergence], width: int) -> list[str]:
    """The pairs whose runs part, those that differ beyond rounding first."""
    differ = sorted((d for d in divergences if d.differs), key=lambda d: d.kind != "different")
    if not differ:
        return []
    shown = differ[: SHOWN["trajectories"]]
    rows = [
        (
            d.problem,
            d.optimizer,
            str(d.lanes),
            f"{d.rounding + d.different}" + (f", {d.ends} end otherwise" if d.ends else ""),
            UNKNOWN if d.first_step is None else f"step {d.first_step}",
            UNKNOWN if d.first_beyond is None else f"step {d.first_beyond}",
        )
        for d in shown
    ]
    table = align(_RUN_COLUMNS, rows, width=width, right={2}).splitlines()
    return table + _left(len(differ) - len(shown), "pairs that differ")


def _costs(found: Regression, width: int) -> list[str]:
    """Optimizers whose costs changed, and pairs with a verdict, the worst first."""
    moved = [c for c in found.optimizers if _moved(c)]
    moved += [c for c in found.costs if c.regressed or c.verdict == "faster"]
    moved.sort(key=lambda c: (not c.regressed, c.problem is not None, -(c.ratio or 0)))
    if not moved:
        return []
    shown = moved[: SHOWN["costs"]]
    table = align(
        _COST_COLUMNS, [_cost_cells(c) for c in shown], width=width, right={6, 7}, elastic={0, 1}
    ).splitlines()
    table.append(textwrap.shorten(LEGEND, width, placeholder=" ..."))
    return table + _left(len(moved) - len(shown), "costs that changed")


def _moved(change: CostChange) -> bool:
    return change.verdict != "unchanged" or change.failures != "unchanged"


def _cost_cells(change: CostChange) -> tuple[str, ...]:
    on = f"{change.problem} at {target_text(change.target)}"
    if change.problem is None:
        on = f"{change.problems} problem{'s' * (change.problems != 1)}"
    ratio = UNKNOWN if change.ratio is None else f"{'~' * (not change.exact)}{change.ratio:.3g}x"
    interval = _interval(change.across or change.within)
    names = change.optimizer, on, ratio, interval, number(change.p), change.verdict
    return *names, str(change.lost), str(change.won), change.failures


def _interval(interval: Interval | None) -> str:
    return UNKNOWN if interval is None else f"[{interval.low:.3g}, {interval.high:.3g}]"


def _flips(found: Regression) -> list[str]:
    lines = [
        f"{r.problem} at {target_text(r.target)}: {r.before} came before {r.after}, now after it"
        for r in found.reversals
    ]
    return lines + [
        f"{x.problem} at {target_text(x.target)}: fastest was {x.fastest_a}, now {x.fastest_b}"
        + (" (decided)" if x.decided else " (intervals overlap)")
        for x in found.leaders
    ]


def _part(lines: Sequence[str], shown: int, width: int) -> list[str]:
    """Some lines, each cut to the width, and how many are left."""
    kept = [textwrap.shorten(line, width, placeholder=" ...") for line in lines[:shown]]
    return [*kept, *_left(len(lines) - len(kept), "of these")]


def _left(number_left: int, what: str) -> list[str]:
    return [f"And {number_left} more {what}: --json lists all."] if number_left > 0 else []


def _wrapped(text: str, width: int) -> Iterable[str]:
    return textwrap.wrap(text, width, subsequent_indent=INDENT, max_lines=3, placeholder=" ...")
