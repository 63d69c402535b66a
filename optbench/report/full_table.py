"""The complete table of a study, as Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from optbench.database import said_plainly
from optbench.results import Results
from optbench.summary import Pair, Summary
from optbench.summary.text import FULL_TABLE, PAIR_COLUMNS, pair_cells, target_text
from optbench.tables import UNKNOWN, number

_COLUMNS = (*PAIR_COLUMNS[1:-1], "hardest target", "failures")


def write_full_table(results: Results, summary: Summary, folder: Path) -> Path:
    """Write every pair of a study into its folder, and return the path.

    Raises:
        OptbenchError: the folder cannot be written.
    """
    path = folder / FULL_TABLE
    with said_plainly(folder):
        path.write_text(page(results, summary), encoding="utf-8")
    return path


def page(results: Results, summary: Summary) -> str:
    """Every pair of a study, problem by problem, with what was run and where."""
    groups = itertools.groupby(summary.pairs, key=lambda pair: pair.problem)
    blocks = [
        f"# {summary.title}",
        summary.legend,
        *(_problem(results, label, list(pairs)) for label, pairs in groups),
        "\n".join(["## Environment", "", *_environment(results)]),
    ]
    return "\n\n".join(blocks) + "\n"


def _problem(results: Results, label: str, pairs: Sequence[Pair]) -> str:
    record = results.problems[label]
    facts = {
        "dimension =": number(record.dim),
        "f* <=" if record.minimum_kind == "best known" else "f* =": number(record.minimum),
        "L =": number(record.smoothness),
        "mu =": number(record.strong_convexity),
    }
    known = ", ".join(f"{name} {text}" for name, text in facts.items() if text != UNKNOWN)
    lines = [f"## {label}", "", ". ".join(filter(None, [known, record.source])), "", *_table(pairs)]
    reasons = [f"- {pair.optimizer}: {_escaped(pair.message)}" for pair in pairs if pair.message]
    return "\n".join([*lines, *(["", *reasons] if reasons else [])])


def _table(pairs: Iterable[Pair]) -> list[str]:
    rows = [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
    for pair in pairs:
        _, *cells, failures = pair_cells(pair)
        rows.append(_row([*cells, target_text(pair.hardest), failures]))
    return rows


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")


def _environment(results: Results) -> list[str]:
    facts = dict(results.environment)
    versions = facts.pop("versions", None) or {}
    return [f"- {name}: {value}" for name, value in {**versions, **facts}.items() if value]
