"""Theorems next to runs: how near each bound is, and the runs that say so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from optbench.figures.bound_curves import Compared, Curve, Panel, panels, with_uppers
from optbench.figures.bounds import KINDS, height_range, heights, line_styles, sentence
from optbench.page.source import Source
from optbench.report.bound_records import BoundRecord, RunRecord, read_bounds

MOST_POINTS = 60  # of a curve
MOST_CROSSINGS = 3  # told in words
_DASH_WIDTH = 1.7  # pixels for one point of a dash of matplotlib
_DASHES = {"-": "solid", ":": "dot"}
_FLOAT32 = np.finfo(np.float32)


def bounds(source: Source) -> dict[str, Any] | None:
    """Every theorem that was compared, with its panels; None where no bounds were given.

    Raises:
        OptbenchError: the bounds cannot be read.
    """
    if source.bounds is None:
        return None
    records = read_bounds(source.bounds)
    return {"theorems": [_theorem(record) for record in records]} if records else None


def _theorem(record: BoundRecord) -> dict[str, Any]:
    facts = record.facts
    runs = cast(Sequence[Compared], record.runs)
    drawn = [with_uppers(panel, record.uppers) for panel in panels(runs)]
    precise = any(run.precise for run in record.runs)
    styles = line_styles(drawn)
    told = ("name", "group", "family", "statement", "latex", "quantity", "source", "method")
    found = ("assumptions", "direction", "standing", "verdict", "passed", "ratio", "ratio_k")
    more = ("tightness", "power", "unattained", "command")
    return {
        **{name: facts[name] for name in (*told, *found, *more)},
        "place": place(record),
        "steps": _steps(record.runs),
        "runs": len(record.runs),
        "kinds": dict(Counter(run.kind for run in record.runs)),
        "crossings": [_crossing(run) for run in record.runs if run.crossing][:MOST_CROSSINGS],
        "read": _reading(sentence(drawn[0], facts["direction"], bool(record.uppers), precise)),
        "lines": [
            {
                "name": KINDS[name][0] if name in KINDS else name,
                "color": line["color"],
                "dash": _dash(line["linestyle"]),
            }
            for name, (_, line) in styles.items()
        ],
        "panels": [_panel(panel, list(styles)) for panel in drawn],
    }


def place(record: BoundRecord) -> float | None:
    """Where a theorem stands: the ratio, turned over where a larger one is farther from crossing.

    Above 1, whatever the direction, the bound is crossed (of an identity, it is missed on either
    side). None where there is no positive ratio: the bound is zero, or nothing was compared.
    """
    ratio, k = record.facts["ratio"], record.facts["ratio_k"]
    if ratio is None or ratio <= 0:
        return None
    nearest = next(run for run in record.runs if (run.ratio, run.ratio_k) == (ratio, k))
    negative = bool(nearest.bound[nearest.k == k][0] < 0)
    is_lower = record.facts["direction"] == "lower"
    turned = is_lower != negative and record.facts["direction"] != "identity"
    return 1 / ratio if turned else ratio


def _steps(runs: Sequence[RunRecord]) -> list[int] | None:
    """First and last step that were compared."""
    compared = [run.k[~np.isnan(run.ratios) | (run.bound == 0)] for run in runs]
    seen = np.concatenate(compared)
    return [int(seen.min()), int(seen.max())] if len(seen) else None


def _crossing(run: RunRecord) -> dict[str, Any]:
    crossing = run.crossing
    assert crossing is not None
    return {
        **crossing._asdict(),
        "instance": run.instance,
        "seed": run.seed,
        "setting": dict(run.setting),
        "optimizer": run.optimizer,
    }


def _panel(panel: Panel, names: Sequence[str]) -> dict[str, Any]:
    """One panel, its curves at places that are spread evenly over the axis."""
    kept = spread(panel)
    x = panel.x[kept]
    curves = [c for c in panel.curves if len(c.x)]
    return {
        "setting": dict(panel.setting),
        "axis": panel.axis,
        "logarithmic": panel.logarithmic,
        "scale": panel.scale,
        "range": height_range(panel),
        "x": _single(x),
        "reference": _single(panel.reference[kept]),
        "which": np.array([names.index(c.name) for c in curves], np.uint8),
        "heights": np.array([_at(x, c.x, _single(heights(c, panel))) for c in curves]),
        "nearest": _marked(curves, panel, "nearest"),
        "crossed": _marked(curves, panel, "crossed"),
    }


def spread(panel: Panel) -> np.ndarray:
    """Indices of at most `MOST_POINTS` places of a panel, even on its axis, with both ends."""
    if len(panel.x) <= MOST_POINTS:
        return np.arange(len(panel.x))
    x = np.log(np.maximum(panel.x, 0.5)) if panel.logarithmic else panel.x
    wanted = np.linspace(x[0], x[-1], MOST_POINTS)
    right = np.clip(np.searchsorted(x, wanted), 1, len(x) - 1)
    nearer = np.where(wanted - x[right - 1] < x[right] - wanted, right - 1, right)
    return np.unique(nearer)


def _at(x: np.ndarray, places: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """[P] a curve at places of the panel; NaN where it has none."""
    index = np.clip(np.searchsorted(places, x), 0, len(places) - 1)
    return np.where(places[index] == x, shown[index], np.float32(np.nan))


def _marked(curves: Sequence[Curve], panel: Panel, what: str) -> np.ndarray:
    """[M, 3] index of a curve, place, height: where runs cross, or worst cases come nearest."""
    rows = [
        (index, curve.x[at], _single(heights(curve, panel))[at])
        for index, curve in enumerate(curves)
        for at in [getattr(curve, what)]
        if at is not None and (what == "crossed" or curve.name == "worst")
    ]
    return np.array(rows, np.float32).reshape(-1, 3)


def _single(values: np.ndarray) -> np.ndarray:
    """In single precision; NaN where it has no place for a number."""
    size = np.abs(values)
    held = (size <= _FLOAT32.max) & ((size >= _FLOAT32.tiny) | (values == 0))
    return np.where(held, values, np.nan).astype(np.float32)


def _reading(sentence: str) -> str:
    """How to read a figure whose bound is black on paper, and white in the dark."""
    return f"{sentence.replace('black', 'thick')}."


def _dash(style: str | tuple[int, tuple[float, ...]]) -> str:
    """The dashes of a line of matplotlib, as Plotly has them."""
    if isinstance(style, str):
        return _DASHES[style]
    return ",".join(f"{_DASH_WIDTH * length:g}px" for length in style[1]) or "solid"
