"""What a report shows of a comparison, read from its page, and the same from Python."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import Page

from optbench import exhibits
from optbench.comparison import Comparison
from optbench.exhibits import Field


def switch(page: Page, chosen: list[int]) -> None:
    """Switch these optimizers on, and all others off, by their boxes."""
    page.evaluate(
        """(chosen) => document.querySelectorAll('[data-filter="optimizers"] li input')
            .forEach((box, index) => box.checked !== chosen.includes(index) && box.click())""",
        chosen,
    )
    page.evaluate("optbench.drawAll()")


def field(compared: Comparison, chosen: list[int]) -> Field | None:
    """What Python compares for a subset; None where nothing can be compared."""
    labels = exhibits.optimizers_of(compared)
    ran = {row.optimizer for row in compared.headlines}
    named = [labels[index] for index in chosen if labels[index] in ran]
    known = [p for p in compared.problems if all(_ran(compared, p, o) for o in named)]
    return exhibits.field_of(compared, known, named) if known else None


def _ran(compared: Comparison, problem: str, optimizer: str) -> bool:
    return compared.statuses[problem, optimizer] in ("finished", "failed")


def heights(page: Page, figure: str, x: list[float]) -> np.ndarray:
    """[X, R] height at each x of the steps that a figure has drawn, by its traces."""
    traces = page.evaluate(
        """(id) => document.getElementById(`figure-${id}`).data
            .map(({ x, y, meta, line }) => ({ x: [...x], y: [...y], meta, shape: line.shape }))""",
        figure,
    )
    assert all(trace["shape"] == "hv" for trace in traces)
    places = [np.searchsorted(trace["x"], x, side="right") - 1 for trace in traces]
    return np.array([np.array(t["y"])[p] for t, p in zip(traces, places, strict=True)]).T
