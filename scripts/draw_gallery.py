"""Draw what one optimizer of each family does on every problem of the catalog in the plane.

Examples:
    python scripts/draw_gallery.py
    python scripts/draw_gallery.py gallery.pdf
"""

from __future__ import annotations

import sys
from pathlib import Path

import optbench
from optbench.catalog import collect
from optbench.figures import save, style
from optbench.figures.contours import draw_contours
from optbench.figures.runs import problem_runs
from optbench.figures.sheet import PAPER
from optbench.figures.trajectories import draw_path, draw_points, paths_of

COLUMNS, ROW = 8, 1.32  # ROW in inches
CAPTION = "One start, each optimizer tuned by 8 trials; contours of f at log-spaced heights."
FLAT = [n for n, f in collect("problems", "Problem").items() if f().region and f().dim == 2]
STUDY = optbench.Study(
    name="gallery",
    problems=tuple(FLAT),
    optimizers=("gradient_descent", "momentum", "adam", "newton_cg", "lbfgs"),
    seeds=1,
    tuning_seeds=2,
    trials=8,
    budget=300.0,
)


@style.house_style(PAPER)
def main(path: Path) -> None:
    """Run what is missing of the study, draw all of it on one sheet, and print its path."""
    results = optbench.run_study(STUDY, Path("results/gallery"))
    rows = -(-len(FLAT) // COLUMNS)
    figure = style.new_figure(ROW * rows + 0.5)
    panels = figure.subplots(rows, COLUMNS, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, problem in zip(panels.flat, FLAT, strict=False):
        runs = problem_runs(results, problem, sheet=PAPER)
        draw_contours(panel, runs.problem, PAPER)
        panel.set_rasterization_zorder(0)
        paths = paths_of(runs)
        for name, points in paths.items():
            draw_path(panel, points, runs, name, label=name)
        draw_points(panel, runs, paths)
        panel.set_title(problem, pad=2)
    handles, names = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), title=CAPTION)
    path.parent.mkdir(parents=True, exist_ok=True)
    print(*save(figure, path))


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["results/reference/figures/gallery.svg"]))
