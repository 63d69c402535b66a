"""Results as HTML for a notebook: the verdict, and who comes down how fast on what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from optbench.comparison import compare_rows
from optbench.errors import OptbenchError
from optbench.report.verdict import verdict_text
from optbench.results import Results
from optbench.summary import Pair
from optbench.summary.sparklines import depth, heights, median_heights
from optbench.summary.standings import Standing, standings
from optbench.summary.text import counts, target_text
from optbench.tables import UNKNOWN, number
from optbench.verdict import reach_verdict

MOST_OPTIMIZERS, MOST_PROBLEMS = 30, 6  # that are shown
MOST_LETTERS = 80  # of a name
_WIDTH, _HEIGHT = 60, 16  # of a sparkline, in pixels
_VERDICT_COLUMNS = 110
_LEGEND = (
    "Each line is the merit of the median start over cost, both on logarithmic scales; lines of "
    "one problem share theirs. A cross ends a run that is lost."
)


def results_html(results: Results) -> str:
    """Results as a piece of HTML, without scripts, in the colors of the page around it.

    The sentences of the verdict; then optimizers, best first, with a line for each problem, and how
    many of both are not shown.
    """
    summary = results.summary()
    ranked = standings(summary.pairs)
    shown, problems = ranked[:MOST_OPTIMIZERS], list(results.problems)[:MOST_PROBLEMS]
    named = ("optimizer", f"solved at {target_text(summary.target)}", "mean ratio", "median path")
    header = [*named, *problems, "failures"]
    of = {(pair.problem, pair.optimizer): pair for pair in summary.pairs}
    lowest = {p: depth(x.path for x in of.values() if x.problem == p) for p in results.problems}
    rows = [
        [*_facts(standing, of, lowest), *_lines(standing.optimizer, problems, of, lowest)]
        + [_text(counts(standing.failures))]
        for standing in shown
    ]
    left = [
        f"{len(all_) - len(some)} more {kind}"
        for all_, some, kind in (
            (ranked, shown, "optimizers"),
            (results.problems, problems, "problems"),
        )
        if len(all_) > len(some)
    ]
    hidden = f" Not shown: {', '.join(left)}." if left else ""
    parts = [
        f"<p><b>{_text(summary.title, 10 * MOST_LETTERS)}</b></p>",
        *_verdict(results),
        _table(header, rows),
        f"<p>{_LEGEND}{hidden}</p>",
    ]
    return f"<div>{''.join(parts)}</div>"


def _verdict(results: Results) -> list[str]:
    """What the study comes to; nothing where two optimizers cannot be compared."""
    compared = compare_rows(results)
    if len(compared.headlines) < 2:
        return []
    try:
        text = verdict_text(reach_verdict(compared), _VERDICT_COLUMNS)
    except OptbenchError as error:
        text = f"No verdict: {error.message}; {error.hint}"
    return [f'<pre style="color: inherit; background: none">{escape(text)}</pre>']


def _facts(
    standing: Standing, of: dict[tuple[str, str], Pair], lowest: dict[str, float]
) -> list[str]:
    """The first cells of an optimizer."""
    paths = {p: x.path for (p, o), x in of.items() if o == standing.optimizer and x.path}
    return [
        _text(standing.optimizer),
        f"{standing.solved}/{standing.applicable}",
        UNKNOWN if standing.ratio is None else f"{number(standing.ratio)}x",
        _drawing(median_heights(paths, lowest), "median over problems") if paths else UNKNOWN,
    ]


def _lines(
    optimizer: str,
    problems: Sequence[str],
    of: dict[tuple[str, str], Pair],
    lowest: dict[str, float],
) -> list[str]:
    """A line for each problem, its cost in words."""
    cells = []
    for problem in problems:
        pair = of[problem, optimizer]
        goal = target_text(pair.target)
        told = f"{goal} in {number(pair.cost)}" if pair.cost is not None else f"never {goal}"
        drawn = heights(pair.path, lowest[problem]) if pair.path else None
        cells.append(_text(pair.status) if drawn is None else _drawing(drawn, told))
    return cells


def _drawing(shown: np.ndarray, told: str) -> str:
    """Heights as a line in the color of the text, a cross where they end."""
    kept = int(np.argmax(np.isnan(shown))) if np.isnan(shown).any() else len(shown)
    xs = np.linspace(2, _WIDTH - 2, len(shown))
    ys = 2 + (1 - shown) * (_HEIGHT - 4)
    points = " ".join(f"{x:.0f},{y:.1f}" for x, y in zip(xs[:kept], ys[:kept], strict=True))
    cross = ""
    if kept < len(shown):
        x = xs[kept]
        cross = f'<path d="M{x - 2:.0f} 2l4 4m0 -4l-4 4"/>'
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" fill="none" stroke="currentColor">'
        f'<title>{escape(told)}</title><polyline points="{points}"/>{cross}</svg>'
    )


def _table(header: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already, below names that are not."""
    top = "".join(f"<th>{_text(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str, most: int = MOST_LETTERS) -> str:
    """Text that is no HTML, its end left out where it is long."""
    return escape(text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}")
