"""Draw gradient descent at the edge of stability: sharpness against 2 / learning rate, on digits.

Examples:
    python scripts/draw_edge_of_stability.py
    python scripts/draw_edge_of_stability.py my_folder
"""

from __future__ import annotations

import sys
from pathlib import Path

import optbench
from optbench.figures import save
from optbench.figures.diagnostics import sharpness
from optbench.figures.runs import problem_runs

FOLDER = Path("results/reference/figures")
STUDY = optbench.Study(
    name="edge_of_stability",
    problems=("mlp_digits",),
    optimizers=(
        "gradient_descent[learning_rate=0.25]",
        "gradient_descent[learning_rate=0.5]",
        "gradient_descent[learning_rate=1.0]",
        "momentum[learning_rate=0.1]",
    ),
    seeds=1,
    budget=400.0,
    diagnostics=True,
)


def main(folder: Path = FOLDER) -> None:
    """Run the study in memory, draw its figure, and print the path."""
    results = optbench.run_study(STUDY)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "edge-of-stability.svg"
    save(sharpness(problem_runs(results, STUDY.problems[0])), path)
    print(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
