"""What a study comes to: who reached which target, at what cost, and what failed."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.records import Cell, ProblemRecord
from optbench.summary.finished import Finished
from optbench.summary.pairs import Pair, measure
from optbench.summary.sparklines import BLOCKS
from optbench.summary.text import legend, render, title
from optbench.trajectory import Trajectory

__all__ = ["Finished", "Pair", "Summary", "summarize"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """A study in numbers.

    Attributes:
        name: of the study.
        budget: cost per run, in gradient-equivalents.
        target: of the study, as a fraction of the merit at the start.
        pairs: every problem with every optimizer, in study order.
        endings: how all runs ended, at all settings: `Status` -> number of runs; those that other
            seeds repeat digit by digit, as a start that is no matter of the seed makes them, once.
        compile_seconds: spent compiling, each group's program once.
        run_seconds: spent running.
    """

    name: str
    budget: float | None
    target: float
    pairs: tuple[Pair, ...]
    endings: Mapping[str, int]
    compile_seconds: float
    run_seconds: float

    @property
    def title(self) -> str:
        """What was compared, in one line."""
        return title(self)

    @property
    def legend(self) -> str:
        """How to read the numbers; empty where there are none."""
        return legend(self)

    def text(self, width: int = 100, levels: str = BLOCKS) -> str:
        """The summary in at most 20 lines of at most `width` columns.

        Args:
            width: columns.
            levels: characters of a sparkline, as `sparklines.levels_for` an encoding has them.
        """
        return render(self, width, levels)


def summarize(
    study: Mapping[str, Any],
    problems: Mapping[str, ProblemRecord],
    optimizers: Sequence[str],
    cells: Sequence[Cell],
    finished: Callable[[str], Finished],
    *,
    target: float,
) -> Summary:
    """Sum up a study.

    Args:
        study: the settings that ran; its name and budget are shown.
        problems: label -> record, in study order.
        optimizers: labels, in study order.
        cells: what is there of the study; pairs without a cell are unfinished.
        finished: problem -> what has finished on it.
        target: that settings are tuned for, as a fraction of the merit at the start.
    """
    known = {(cell.problem, cell.optimizer): cell for cell in cells}
    pairs: list[Pair] = []
    endings: collections.Counter[str] = collections.Counter()
    for problem, record in problems.items():
        found = finished(problem)
        spent = max((float(np.nanmax(log.cost)) for log in found.logs.values()), default=1.0)
        at = {"eased": found.eased, "horizon": study.get("budget") or spent}
        for optimizer in optimizers:
            cell, log = known.get((problem, optimizer)), found.logs.get(optimizer)
            if cell is not None and log is not None:
                pairs.append(measure(cell, log, found.target, record, **at))
                endings.update(str(status) for status in log.status[_distinct(log)])
            else:
                status, why = (cell.status, cell.message) if cell else ("unfinished", "")
                pairs.append(Pair(problem=problem, optimizer=optimizer, status=status, message=why))
    compiled = {(c.problem, c.group): c.compile_seconds for c in cells if c.compile_seconds}
    return Summary(
        name=str(study.get("name", "study")),
        budget=study.get("budget"),
        target=target,
        pairs=tuple(pairs),
        endings=dict(endings.most_common()),
        compile_seconds=sum(compiled.values()),
        run_seconds=sum(c.run_seconds for c in cells if c.run_seconds),
    )


def _distinct(log: Trajectory) -> np.ndarray:
    """[S, H] whether no earlier seed has made the same run, digit by digit, at the setting."""
    first = np.zeros(log.status.shape, bool)
    for setting in range(log.value.shape[1]):
        known: set[bytes] = set()
        for seed, values in enumerate(log.value[:, setting]):
            first[seed, setting] = (run := values.tobytes()) not in known
            known.add(run)
    return first
