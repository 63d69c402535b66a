"""Draw paths over contours: gradients against natural gradients, and Rosenbrock's valley.

Examples:
    python scripts/plot_trajectories.py
    python scripts/plot_trajectories.py my_folder
"""

from __future__ import annotations

import sys
from pathlib import Path

import optbench
from optbench.design import LogGrid
from optbench.figures import save
from optbench.figures.runs import problem_runs
from optbench.figures.trajectories import overlay

FOLDER = Path("results/reference/figures")
STUDY = optbench.Study(
    name="trajectories",
    problems=("gaussian_likelihood", "rosenbrock"),
    optimizers=(
        "gradient_descent",
        "momentum",
        "adam",
        "newton_cg",
        "natural_gradient",
        "lbfgs",
        "clip_by_global_norm(gradient_descent)",
    ),
    seeds=3,
    budget=3000.0,
    learning_rate=LogGrid(low=1e-4, high=1.0, num=17),
)


def main(folder: Path = FOLDER) -> None:
    """Run the study in memory, draw one figure per problem, and print their paths."""
    results = optbench.run_study(STUDY)
    folder.mkdir(parents=True, exist_ok=True)
    for problem in STUDY.problems:
        path = folder / f"trajectories-{problem}.svg"
        save(overlay(problem_runs(results, problem)), path)
        print(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
