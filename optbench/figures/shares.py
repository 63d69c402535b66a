"""Profiles and distributions of runtimes: a share of problems or targets per optimizer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from optbench.comparison import Comparison
from optbench.exhibits import (
    Curves,
    Field,
    data_profile_data,
    ecdf_data,
    pairwise_profile_data,
    profile_data,
)
from optbench.figures import style
from optbench.figures.lines import COST, Chart, Line, draw_lines, marked
from optbench.figures.sheet import SCREEN, Sheet
from optbench.verdict import power

WIDEST = 2.0**10  # ratio at which the axis of a profile ends
BEYOND = 1.15  # what an axis has beyond its last place, a factor
_SUBSET = (
    "It is computed for the optimizers shown alone: with one more or one less, the others may "
    "change places (Gould & Scott, 2016)."
)


def profile_figure(comparison: Comparison, field: Field, sheet: Sheet = SCREEN) -> style.Picture:
    """Performance profile: share of problems within a ratio of the best of those shown.

    Args:
        comparison: the rows of a study.
        field: those that are compared.
        sheet: that it is drawn on.
    """
    curves = profile_data(comparison, field)
    end = min(float(curves.x[-1]) * BEYOND, WIDEST) if curves.x[-1] > 1 else 2.0

    def dress(panel: Axes) -> None:
        _ratios(panel, 1.0, end)

    facts = [f"cheapest on {a:.0%}, solves {b:.0%}" for a, b in curves.shares[[0, -1]].T]
    return _draw(
        "performance profile",
        curves,
        facts,
        end=end,
        across="cost over that of the best shown",
        up="share of problems",
        dress=dress,
        texts=(
            "How to read: the left end of a line is the share of problems on which an optimizer is "
            "the cheapest of those shown, its height at 4 the share that it solves within four "
            f"times the cost of the cheapest, its right end all it solves. {_SUBSET}",
            _what(comparison, field),
        ),
        sheet=sheet,
    )


def data_profile_figure(
    comparison: Comparison, field: Field, sheet: Sheet = SCREEN
) -> style.Picture:
    """Data profile: share of problems within a budget.

    Args:
        comparison: the rows of a study.
        field: those that are compared.
        sheet: that it is drawn on.
    """
    curves = data_profile_data(comparison, field)
    end = max(comparison.budget or 0.0, float(curves.x[-1]) * BEYOND)

    def dress(panel: Axes) -> None:
        _budgets(panel, float(curves.x[0]) / BEYOND, end)

    return _draw(
        "data profile",
        curves,
        [f"solves {share:.0%}" for share in curves.shares[-1]],
        end=end,
        across=COST,
        up="share of problems solved",
        dress=dress,
        texts=(
            "How to read: the share of problems that an optimizer solves within a budget; higher "
            "and further left is better. Unlike in a performance profile no line depends on the "
            "others, but dear problems count late.",
            _what(comparison, field),
        ),
        sheet=sheet,
    )


def pairwise_figure(
    comparison: Comparison, field: Field, reference: str, sheet: Sheet = SCREEN
) -> style.Picture:
    """Pairwise profiles: share of problems within a ratio of what one optimizer costs.

    Args:
        comparison: the rows of a study.
        field: those that are compared.
        reference: the optimizer that all others are held against.
        sheet: that it is drawn on.
    """
    curves = pairwise_profile_data(comparison, field, reference)
    even = int(np.flatnonzero(curves.x == 1)[0])
    facts = [f"no dearer on {a:.0%}, solves {b:.0%}" for a, b in curves.shares[[even, -1]].T]

    def dress(panel: Axes) -> None:
        _ratios(panel, float(curves.x[0]), float(curves.x[-1]))
        panel.axvline(1.0, color="black", linewidth=sheet.stroke(1.0), linestyle=":")

    return _draw(
        f"pairwise profiles against {reference}",
        curves,
        facts,
        end=float(curves.x[-1]),
        across=f"cost over that of {style.plain(reference)}",
        up="share of problems",
        dress=dress,
        texts=(
            "How to read: the share of all problems that an optimizer solves within a ratio of the "
            f"cost of {style.plain(reference)}; left of the dotted line it is cheaper, and at it a "
            "height over one half says that it is mostly no dearer. No line depends on the others.",
            _what(comparison, field),
        ),
        sheet=sheet,
        without=reference,
    )


def ecdf_figure(comparison: Comparison, field: Field, sheet: Sheet = SCREEN) -> style.Picture:
    """COCO's distribution of runtimes: share of (problem, target, run) within a budget.

    Args:
        comparison: the rows of a study.
        field: those that are compared.
        sheet: that it is drawn on.
    """
    curves, budget = ecdf_data(comparison, field), comparison.budget

    def dress(panel: Axes) -> None:
        _budgets(panel, float(curves.x[0]), float(curves.x[-1]))
        if budget is not None:
            panel.axvline(budget, color="black", linewidth=sheet.stroke(1.0), linestyle=":")

    ends = "; dotted: the budget of a run, beyond which only restarts come" if budget else ""
    return _draw(
        "distribution of runtimes",
        curves,
        [f"reaches {share:.0%}" for share in curves.shares[-1]],
        end=float(curves.x[-1]),
        across=COST,
        up="share of (problem, target, run)",
        dress=dress,
        texts=(
            "How to read: the share of all problems, all their targets and all runs that are done "
            "within a budget, where a run that fails is started again until it succeeds (simulated "
            f"restarts, Hansen et al., 2016){ends}. Settings are tuned for the target "
            f"{power(comparison.target)} alone.",
            _what(comparison, field),
        ),
        sheet=sheet,
    )


def _draw(
    title: str,
    curves: Curves,
    facts: list[str],
    *,
    end: float,
    without: str = "",
    **chart: object,
) -> style.Picture:
    lines: dict[str, Line] = {}
    shown = [row.optimizer for row in curves.field.rows if row.optimizer != without]
    for row, heights, fact in zip(curves.field.rows, curves.shares.T, facts, strict=True):
        x, y = curves.x, heights
        if curves.exact and end > x[-1]:
            x, y = np.append(x, end), np.append(y, y[-1])
        if row.optimizer != without:
            place = shown.index(row.optimizer) % style.PER_PANEL / style.PER_PANEL
            marks = marked(x, place)
            lines[row.optimizer] = Line(x=x, y=y, steps=curves.exact, marks=marks, fact=fact)
    return draw_lines(Chart(title=title, lines=lines, **chart))  # pyright: ignore[reportArgumentType]


def _ratios(panel: Axes, low: float, high: float) -> None:
    panel.set_xscale("log", base=2)
    panel.set_xlim(low, high)
    panel.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: ratio_text(ratio)))
    _percent(panel)


def ratio_text(ratio: float) -> str:
    """A power of two as people write it: 8, or 1/8."""
    return f"{ratio:g}" if ratio >= 1 else f"1/{1 / ratio:g}"


def _budgets(panel: Axes, low: float, high: float) -> None:
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    _percent(panel)


def _percent(panel: Axes) -> None:
    panel.set_ylim(-0.02, 1.02)
    panel.yaxis.set_major_formatter(PercentFormatter(1.0))


def _what(comparison: Comparison, field: Field) -> str:
    """What is compared on what, and what is left out."""
    count = len(field.problems)
    texts = [
        f"{count} problem{'s' * (count != 1)}, median cost over seeds to the target "
        f"{power(comparison.target)}."
    ]
    if field.left_out:
        missing = _counted(field.left_out, count)
        texts.append(f"Left out, as not run on all of them: {missing}.")
    if field.dropped:
        texts.append(f"Not all have run on: {', '.join(field.dropped)}.")
    return style.plain(" ".join(texts))


def _counted(left_out: Mapping[str, int], total: int) -> str:
    return ", ".join(f"{optimizer} ({count} of {total})" for optimizer, count in left_out.items())
