"""Reproduce the theorems: compare each with runs, draw it, search for worst instances.

Examples:
    python scripts/reproduce_bounds.py
    python scripts/reproduce_bounds.py my_folder
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from optbench import check_bound
from optbench.bounds.names import THEOREMS
from optbench.catalog import collect
from optbench.checks.attack import attack
from optbench.cli.attacking import as_text as attacks_as_text
from optbench.cli.bounds import as_text
from optbench.cli.progress import counted
from optbench.environment import enable_compilation_cache
from optbench.errors import OptbenchError
from optbench.figures.bounds import plot_bounds
from optbench.report.bounds import group_of, write_bounds

FOLDER = Path("results/reference/bounds")
WIDTH = 112


def attacks() -> str:
    """What the search finds for every theorem whose class it knows, as a table."""
    found = []
    enable_compilation_cache()
    for theorem in collect(THEOREMS, "Theorem").values():
        try:
            found += attack(theorem())
        except OptbenchError:
            continue  # its class is none that can be searched
    return attacks_as_text(found, WIDTH)


def main(folder: Path = FOLDER) -> int:
    """Compare and draw, search in another process; 1 where a theorem fails, else 0."""
    enable_compilation_cache()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
        searched = beside.submit(attacks)
        theorems = list(collect(THEOREMS, "Theorem").values())
        reports = [(group_of(t), check_bound(t())) for t in counted("comparing", theorems)]
        write_bounds(reports, folder, planned=len(theorems))
        print(as_text(reports, WIDTH))
        plot_bounds(counted("drawing", [report for _, report in reports]), folder / "figures")
        (folder / "bounds.txt").write_text(as_text(reports, WIDTH) + "\n")
        (folder / "attacks.txt").write_text(searched.result() + "\n")
    return int(not all(report.passed for _, report in reports))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
