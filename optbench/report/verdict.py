"""A verdict as text: at most 12 lines, the most telling first."""

from __future__ import annotations

import collections
import math
import textwrap
from collections.abc import Sequence

from optbench.comparison import UNITS
from optbench.summary.text import counts
from optbench.tracks import Row
from optbench.verdict import Sentence, Verdict, power
from optbench.verdict.lints import Lint

MAX_LINES = 12
WHERE_ALL_IS = "`optbench compare`"
_LEADING = 2  # sentences in full
_SENTENCE_COLUMNS = 200  # of each, over all its lines
_HEAD_LINES = 2
_TITLES = {
    "better": "Better than {}",
    "worse": "Worse than {}",
    "as good": "As good as {}",
    "too few problems": "Too few problems for a test against {}",
    "undecided": "Undecided against {}",
}


def verdict_text(verdict: Verdict, width: int = 100) -> str:
    """The verdict in at most `MAX_LINES` lines of at most `width` columns."""
    top = [*_wrap(_head(verdict), width, _HEAD_LINES), *_leading(verdict, width)]
    endings, lints = _endings(verdict, width), verdict.lints
    room = MAX_LINES - len(top) - len(endings) - bool(lints)
    others = _others(verdict, width, room)
    raised = _lints(lints, width, room - len(others) + bool(lints))
    return "\n".join([*top, *others, *endings, *raised])


def _head(verdict: Verdict) -> str:
    """What was compared, against what, on what, and whether all of it has run."""
    total = len(verdict.problems)
    none = len(verdict.reached_by_none)
    holes = len(verdict.missing)
    parts = [
        f"{_tracks(verdict)}",
        f"{verdict.seeds} seed{'s' * (verdict.seeds != 1)}",
        f"{total} problem{'s' * (total != 1)}" + (f", {none} reached by none" if none else ""),
        "failures as 10 budgets",
    ]
    incomplete = f" (incomplete: {holes} pair{'s' * (holes != 1)} missing)" if holes else ""
    against = verdict.reference.optimizer
    return f"Verdict{incomplete} at {power(verdict.target)} against {against}: {', '.join(parts)}."


def _tracks(verdict: Verdict) -> str:
    """The tracks of all rows that a sentence speaks of, most frequent first."""
    rows: list[Row] = [verdict.reference]
    rows += dict.fromkeys(sentence.contrast.row for sentence in verdict.sentences)
    counts = collections.Counter(row.track for row in rows)
    return " and ".join(f"{track}" for track, _ in counts.most_common())


def leading_sentences(verdict: Verdict) -> list[Sentence]:
    """What is said of the leader; where that is the reference, what is decided first."""
    spoken = [s for s in verdict.sentences if s.contrast.row == verdict.leader]
    if not spoken:
        spoken = [s for s in verdict.sentences if s.contrast.decision != "undecided"]
    return spoken[:_LEADING]


def _leading(verdict: Verdict, width: int) -> list[str]:
    """What is said of the leader, in full where it is decided."""
    lines = []
    for sentence in leading_sentences(verdict):
        contrast = sentence.contrast
        if contrast.decision == "undecided" and contrast.reference != verdict.reference:
            pair = f"{contrast.row.optimizer} against {contrast.reference.optimizer}, the next"
            lines += _wrap(f"{pair}: {sentence.ratio}; {sentence.belief}.", width, 1)
        else:
            lines += _wrap(f"{sentence.text}.", width, math.ceil(_SENTENCE_COLUMNS / width))
    return lines


def _others(verdict: Verdict, width: int, room: int) -> list[str]:
    """All other sentences, those of one decision in one paragraph; what is undecided in a line."""
    said = leading_sentences(verdict)
    groups = {
        decision: [s.brief for s in verdict.sentences if s.contrast.decision == decision
                   and s not in said]
        for decision in _TITLES
    }  # fmt: skip
    filled = [(decision, items) for decision, items in groups.items() if items]
    lines: list[str] = []
    for index, (decision, items) in enumerate(filled):
        later = len(filled) - index - 1
        most = 1 if decision == "undecided" else max(1, room - len(lines) - later)
        title = _TITLES[decision].format(verdict.reference.optimizer)
        lines += _packed(title, items, width, min(most, room - len(lines)))
    return lines


def _packed(title: str, items: Sequence[str], width: int, max_lines: int) -> list[str]:
    """As many items as fit in the lines, and how many there are more."""
    if max_lines < 1:
        return []
    for count in range(len(items), -1, -1):
        left = len(items) - count
        listed = list(items[:count])
        if left:
            listed.append(f"{left} more" if count else f"{left} ({WHERE_ALL_IS} shows them)")
        lines = _wrapped(f"{title}: {'; '.join(listed)}.", width)
        if len(lines) <= max_lines:
            return lines
    return _wrap(f"{title}: {len(items)}.", width, max_lines)


def _endings(verdict: Verdict, width: int) -> list[str]:
    """How the runs end that miss the target, what crashed, and what cannot run; and the units."""
    missed = sum(verdict.missed.values())
    parts = []
    if verdict.crashed:
        parts.append(f"{len(verdict.crashed)} pairs failed")
    if missed:
        kinds = counts(verdict.missed)
        parts.append(f"{missed:,} of {verdict.runs:,} runs miss the target ({kinds})")
    if verdict.not_applicable:
        total = sum(verdict.not_applicable.values())
        parts.append(f"{total} pairs not applicable")
    while len(parts) > 1 and len("; ".join(parts)) >= width:
        parts.pop()
    lines = _wrap("; ".join(parts) + ".", width, 1) if parts else []
    by_row: dict[str, list[str]] = {}
    for unit, row in verdict.leaders.items():
        by_row.setdefault(row.optimizer, []).append(UNITS[unit])
    if len(by_row) < 2:
        return lines
    listed = "; ".join(f"{name} in {', '.join(units)}" for name, units in by_row.items())
    return lines + _wrap(f"Leaders differ by unit: {listed}.", width, 1)


def _lints(lints: Sequence[Lint], width: int, room: int) -> list[str]:
    """As many lints in full as there is room for, and the names of all others."""
    lines: list[str] = []
    for index, lint in enumerate(lints):
        others = lints[index + 1 :]
        full = _wrapped(f"Lint: {lint}.", width)
        if len(lines) + len(full) + bool(others) > room:
            left = lints[index:]
            names = ", ".join(dict.fromkeys(one.name for one in left))
            title = f"{len(left)} {'more ' * bool(lines)}lint{'s' * (len(left) != 1)}"
            return lines + _wrap(f"{title} ({WHERE_ALL_IS} shows them): {names}.", width, 1)
        lines += full
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _wrap(text: str, width: int, max_lines: int) -> list[str]:
    return textwrap.wrap(
        text, width, max_lines=max_lines, placeholder=" ...", break_on_hyphens=False
    )
