"""The report of a study: one HTML file that opens offline, with figures to play with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.page.bounds import bounds as theorems
from optbench.page.catalog import catalog
from optbench.page.comparison import comparison
from optbench.page.convergence import convergence
from optbench.page.diagnostics import diagnostics
from optbench.page.document import document
from optbench.page.payload import pack
from optbench.page.source import Source
from optbench.page.top import top
from optbench.page.trajectories import trajectories
from optbench.page.tuning import tuning
from optbench.report.export import replaced
from optbench.results import Results

FILE = "report.html"

Section = Callable[[Source], Any]  # what its script reads; None where there is nothing to show
SECTIONS: Mapping[str, Section] = {  # name, as its script has it -> section, in order
    "trajectories": trajectories,
    "convergence": convergence,
    "comparison": comparison,
    "tuning": tuning,
    "diagnostics": diagnostics,
    "bounds": theorems,
}


def write_report(
    results: Results, path: str | Path | None = None, *, bounds: str | Path | None = None
) -> Path:
    """Write the report of a study as one HTML file that needs no network.

    Args:
        results: of a study.
        path: of the file; `report.html` in the folder of the results if not given.
        bounds: folder of what `optbench bounds` wrote, to show its theorems too.

    Returns:
        The file.

    Raises:
        OptbenchError: results in memory and no path; a file that cannot be written.
    """
    if path is None and results.folder is None:
        raise OptbenchError("results in memory have no folder", "give a path for the report")
    target = Path(results.folder or ".", FILE) if path is None else Path(path)
    # Opened first: what may not be written is told before the work, not after it.
    with (
        said_plainly(target.parent),
        replaced(target) as part,
        part.open("w", encoding="utf-8") as file,
    ):
        file.write(report(results, bounds=bounds))
    return target


def report(results: Results, *, bounds: str | Path | None = None) -> str:
    """The report of a study as HTML; arguments as of `write_report`."""
    source = Source(
        results=results,
        folder=str(results.folder or "RESULTS"),
        bounds=None if bounds is None else Path(bounds),
    )
    sections = {name: section(source) for name, section in SECTIONS.items()}
    facts = {
        "study": results.study["name"],
        "folder": source.folder,
        "target": source.comparison.target,
        "budget": source.comparison.budget,
        **catalog(source),
        "sections": {name: found for name, found in sections.items() if found is not None},
    }
    return document(f"{results.study['name']}: optbench report", top(source), pack(facts))
