"""Reproduce the theorems: compare each with runs, print a table, draw observed next to bound.

Examples:
    python scripts/reproduce_bounds.py
    python scripts/reproduce_bounds.py my_folder
"""

from __future__ import annotations

import sys
from pathlib import Path

from optbench import check_bound
from optbench.catalog import collect
from optbench.checks import BoundReport
from optbench.figures.bounds import plot_bounds
from optbench.tables import align

FOLDER = Path("results/reference/bounds")
HEADER = ("theorem", "verdict", "ratio", "at k", "instance", "tightness", "catches", "runs")


def row(report: BoundReport) -> tuple[str, ...]:
    """One line of the table: the run that comes nearest to the bound, and what all runs say."""
    nearest = report.nearest
    return (
        report.theorem.name,
        str(report.verdict),
        "-" if nearest is None else f"{nearest.ratio:.6f}",
        "-" if nearest is None else str(nearest.ratio_k),
        "-" if nearest is None else nearest.instance,
        "-" if report.tightness is None else f"{report.tightness:.6f}",
        report.power,
        str(len(report.comparisons)),
    )


def main(folder: Path = FOLDER) -> int:
    """Compare, print and draw; 1 where a theorem fails, else 0."""
    reports = [check_bound(theorem()) for theorem in collect("optbench.bounds", "Theorem").values()]
    table = align(HEADER, [row(report) for report in reports], width=110, right=(2, 3, 5, 7))
    print(table)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bounds.txt").write_text(table + "\n")
    plot_bounds(reports, folder)
    return int(not all(report.passed for report in reports))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
