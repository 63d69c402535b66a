"""Run the study `quick` and keep its small text and SVG output in results/reference/.

Examples:
    python scripts/make_reference.py
    python scripts/make_reference.py --results results/quick
"""

from __future__ import annotations

import argparse
from pathlib import Path

import optbench
from optbench.figures import drawings, save
from optbench.figures.runs import problem_runs
from optbench.report.full_table import write_full_table
from optbench.report.verdict import verdict_text
from optbench.study import load_study

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
KEPT = {
    "gaussian_likelihood": ("trajectories",),
    "rosenbrock": ("trajectories", "convergence"),
    "logistic_breast_cancer": ("convergence", "sensitivity"),
}


def main() -> None:
    """Run what is missing of the study, and write its table, page and a few figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", default="results/quick", help="folder of the study")
    given = parser.parse_args()
    results = optbench.run_study(load_study("quick"), given.results)
    if any(cell.status == "failed" for cell in results.cells):
        raise SystemExit(f"some cells failed; nothing was written\n{results}")
    summary = results.summary()
    figures = REFERENCE / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    verdict = optbench.reach_verdict(optbench.compare_rows(results))
    text = f"{verdict_text(verdict)}\n\n{summary.text()}\n"
    (REFERENCE / "summary.txt").write_text(text, encoding="utf-8")
    write_full_table(results, summary, REFERENCE)
    for problem, kinds in KEPT.items():
        runs = problem_runs(results, problem)
        for kind, draw in drawings(runs):
            if kind in kinds:
                save(draw(runs), figures / f"{kind}-{problem}.svg")
    print((REFERENCE / "summary.txt").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
