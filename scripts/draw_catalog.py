"""Draw every problem of the catalog that lies in the plane on one sheet.

Example:
    python scripts/draw_catalog.py catalog.pdf
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D

from optbench.catalog import collect
from optbench.figures import style
from optbench.figures.contours import draw_contours
from optbench.instance import make_instance
from optbench.plan import Plan

COLUMNS, ROW = 8, 1.1  # ROW in inches
MARKS = {
    "start": {"marker": "o", "ms": 5, "mfc": "white"},
    "minimizer": {"marker": "*", "ms": 9, "mfc": "#F0E442"},
    "local minimum": {"marker": "v", "ms": 5, "mfc": "#D55E00"},
    "saddle": {"marker": "X", "ms": 5, "mfc": "#0072B2"},
    "maximum": {"marker": "^", "ms": 5, "mfc": "#009E73"},
}
CAPTION = "Contours of f at log-spaced heights, darker where f is higher."


@style.house_style()
def main(path: Path) -> None:
    """Draw them."""
    flat = [f for f in collect("problems", "Problem").values() if f().region and f().dim == 2]
    found = [make_instance(f.__name__, f, Plan(), seeds=(0,)) for f in flat]
    rows = -(-len(found) // COLUMNS)
    figure = style.new_figure(ROW * rows + 0.8)
    panels = figure.subplots(rows, COLUMNS)
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, instance in zip(panels.flat, found, strict=False):
        problem = instance.problem
        draw_contours(panel, instance.record)
        panel.set_rasterization_zorder(0)
        panel.set_title(problem.name, fontsize=6, pad=2)
        points = [(critical.kind, critical.point) for critical in problem.critical_points]
        points += [("minimizer", problem.minimizer), ("start", problem.start(0))]
        for kind, point in points:
            if point is not None:
                panel.plot(*np.asarray(point), ls="none", mec="black", **MARKS[kind])
    handles = [Line2D([], [], ls="none", mec="black", label=k, **m) for k, m in MARKS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(MARKS), title=CAPTION)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    print(path)


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["results/catalog.png"]))
