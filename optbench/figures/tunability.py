"""What the best of k trials is expected to cost, over all problems of a study."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from optbench.figures import style
from optbench.figures.lines import Chart, Line, draw_lines
from optbench.figures.sheet import SCREEN, Sheet
from optbench.tracks import Row

CAPTION = (
    "How to read: low on the left needs little tuning, low on the right is good once tuned; the "
    "expected cost of the best of k trials over that of the best trial of all, geometric mean over "
    "problems, failures as 10 budgets. What has nothing to tune is a horizontal line."
)


def tunability_figure(
    curves: Mapping[Row, np.ndarray], sheet: Sheet = SCREEN, note: str = ""
) -> style.Picture:
    """Expected cost of the best of k trials against k, a line per optimizer.

    Args:
        curves: what `optbench.verdict.tunability.tunability` gives.
        sheet: that it is drawn on.
        note: what else is to be said.
    """
    most = max(len(curve) for curve in curves.values())
    chart = Chart(
        title="tunability",
        lines={row.optimizer: _line(curve, most) for row, curve in curves.items()},
        across="trials $k$",
        up="expected cost of the best of $k$\n(over the best of all)",
        dress=_dress,
        texts=(CAPTION, note),
        sheet=sheet,
    )
    return draw_lines(chart)


def _line(curve: np.ndarray, most: int) -> Line:
    k = np.arange(1, len(curve) + 1) if len(curve) > 1 else np.array([1, most])
    spent = f"after {len(curve)} trials" if len(curve) > 1 else "with nothing to tune"
    return Line(x=k, y=np.broadcast_to(curve, k.shape), fact=f"{curve[-1]:.3g} {spent}")


def _dress(panel: Axes) -> None:
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
