"""The problems and optimizers of a page: what the reader searches, and how each is drawn."""

from __future__ import annotations

from typing import Any

from optbench.figures.families import family, representatives
from optbench.figures.style import Dashes
from optbench.page.source import Source
from optbench.records import ProblemRecord
from optbench.verdict.contrasts import kind_of

SHOWN_FIRST = 8  # optimizers that are switched on when a page opens
_SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
    "<": "triangle-left",
    ">": "triangle-right",
}
_DASH_WIDTH = 2.0  # matplotlib counts dashes in widths of the line, Plotly in pixels


def catalog(source: Source) -> dict[str, Any]:
    """Problems and optimizers in study order, with all that is searched for."""
    shown = shown_first(source)
    return {
        "problems": [_problem(record) for record in source.results.problems.values()],
        "optimizers": [
            {
                "label": label,
                "family": family(label),
                "color": style.color,
                "dash": _dash(style.dashes),
                "symbol": _SYMBOLS[style.marker],
                "shown": label in shown,
            }
            for label in source.results.optimizers
            for style in [source.styles[label]]
        ],
    }


def shown_first(source: Source) -> list[str]:
    """All optimizers where they are few; else the reference and one of each family.

    Of the families, those that have run wherever the reference has: any other would leave its
    problems alone to compare on.
    """
    labels = list(source.results.optimizers)
    if len(labels) <= SHOWN_FIRST:
        return labels
    reference = source.results.study.get("reference") or labels[0]
    done: dict[str, set[str]] = {label: set() for label in labels}
    for cell in source.results.cells:
        if cell.status == "finished":
            done[cell.optimizer].add(cell.problem)
    whole = [label for label in labels if done[label] >= done[reference]]
    return list(dict.fromkeys([reference, *representatives(whole)]))[:SHOWN_FIRST]


def _problem(record: ProblemRecord) -> dict[str, Any]:
    return {
        "label": record.label,
        "family": record.family,
        "kind": kind_of(record),
        "dim": record.dim,
        "minimum": record.minimum,
        "smoothness": record.smoothness,
        "strong_convexity": record.strong_convexity,
        "merit": record.merit,
        "coordinates": record.coordinates,
        "source": record.source,
        "failure": record.failure,
    }


def _dash(dashes: Dashes) -> str:
    _, lengths = dashes
    return ",".join(f"{_DASH_WIDTH * length:g}px" for length in lengths) or "solid"
