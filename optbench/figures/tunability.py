"""What the best of k trials is expected to cost, over all problems of a study."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from optbench.figures import style
from optbench.figures.convergence import BACKGROUND, LABEL_WIDTH
from optbench.tracks import Row

PANEL_HEIGHT = 4.6  # inches
CAPTION = (
    "How to read: low on the left needs little tuning, low on the right is good once tuned; the "
    "expected cost of the best of k trials over that of the best trial of all, geometric mean over "
    "problems, failures as 10 budgets. What has nothing to tune is a horizontal line."
)


@style.house_style()
def tunability_figure(curves: Mapping[Row, np.ndarray]) -> Figure:
    """Expected cost of the best of k trials against k, a line per optimizer.

    Args:
        curves: what `optbench.verdict.tunability.tunability` gives.
    """
    lines = {row.optimizer: curve for row, curve in curves.items()}
    looks = style.assign_styles(list(lines))
    names = list(looks)
    groups = [names[i : i + style.PER_PANEL] for i in range(0, len(names), style.PER_PANEL)]
    figure = style.new_figure(PANEL_HEIGHT * len(groups))
    panels = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    most = max(len(curve) for curve in lines.values())
    for panel, group in zip(panels, groups, strict=True):
        for name, curve in lines.items():
            k = np.arange(1, len(curve) + 1) if len(curve) > 1 else np.array([1, most])
            cost = np.broadcast_to(curve, k.shape)
            if name not in group:
                panel.plot(k, cost, color=BACKGROUND, zorder=1)
                continue
            spent = f"after {len(curve)} trials" if len(curve) > 1 else "with nothing to tune"
            label = f"{style.wrapped(name, LABEL_WIDTH)}\n   {curve[-1]:.3g} {spent}"
            panel.plot(k, cost, **looks[name].line, label=label, zorder=3)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_ylabel("expected cost of the best of $k$\n(over the best of all)")
        panel.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), labelspacing=0.7)
    panels[0].set_title("tunability", loc="left", fontweight="bold")
    panels[-1].set_xlabel("trials $k$")
    style.add_caption(figure, CAPTION)
    return figure
