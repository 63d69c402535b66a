"""What figures are drawn on: a screen, or a column of a paper."""

from __future__ import annotations

import dataclasses
from typing import Any

from optbench.errors import unknown_name

LETTERS = 140.0  # letters per inch in text of one point
SCREEN_LINE = 2.0  # points

_SHARED: dict[str, Any] = {
    "legend.frameon": False,
    "legend.borderaxespad": 0.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "lines.markeredgecolor": "white",
    "svg.hashsalt": "optbench",
    "pdf.fonttype": 42,  # TrueType, as publishers ask for; Type 3 is the default
    "savefig.dpi": 200,
}
_FINE = {  # of axes that are a third as wide
    "axes.linewidth": 0.5,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "axes.labelpad": 2.0,
    "axes.titlepad": 3.0,
    "figure.constrained_layout.h_pad": 0.02,
    "figure.constrained_layout.w_pad": 0.02,
    "hatch.linewidth": 0.5,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sheet:
    """How large a figure is and all that is on it, and what is said beside it.

    Attributes:
        name: what a user calls it.
        width: of a figure, in inches.
        font_size: of titles and labels of axes, in points.
        small_size: of ticks and legends, in points.
        caption_size: of how to read a figure, in points.
        caption_line: inches of a line of it.
        line_width: in points.
        scale: how high panels are, over those of a screen.
        columns: small panels side by side.
        beside: whether a legend, with the facts of each line, stands to the right of its axes;
            else it is above them, of names alone, and the facts are told by the caption.
        titled: whether a figure has a title.
        captioned: whether how to read it is written below it.
    """

    name: str
    width: float
    font_size: float
    small_size: float
    caption_size: float
    caption_line: float
    line_width: float
    scale: float
    columns: int
    beside: bool
    titled: bool
    captioned: bool

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of matplotlib."""
        return _SHARED | {
            "font.size": self.font_size,
            "axes.titlesize": self.font_size,
            "axes.labelsize": self.font_size,
            "figure.titlesize": self.font_size + 2,
            "legend.fontsize": self.small_size,
            "xtick.labelsize": self.small_size,
            "ytick.labelsize": self.small_size,
            "legend.handlelength": 3.0,
            "grid.linewidth": self.stroke(0.7),
            "lines.linewidth": self.line_width,
            "lines.markersize": self.stroke(6.5),
            "lines.markeredgewidth": self.stroke(0.8),
            **({} if self.beside else _FINE),
        }

    def stroke(self, width: float) -> float:
        """A width of a line, or a size of a mark, in points, where it is `width` on a screen."""
        return width * self.line_width / SCREEN_LINE

    def letters(self, inches: float, size: float | None = None) -> int:
        """How many letters go into a line, in text of this size; of ticks and legends else."""
        return int(inches * LETTERS / (size or self.small_size))


SCREEN = Sheet(
    name="screen",
    width=9.6,  # 12 pt on it are 10 pt on a page 8 inches wide
    font_size=12.0,
    small_size=11.0,
    caption_size=11.0,
    caption_line=0.2,
    line_width=SCREEN_LINE,
    scale=1.0,
    columns=3,
    beside=True,
    titled=True,
    captioned=True,
)
PAPER = Sheet(
    name="paper",
    width=3.3,  # a column of two on a letter page
    font_size=8.0,
    small_size=7.0,
    caption_size=7.0,
    caption_line=0.125,
    line_width=1.0,
    scale=0.44,
    columns=2,
    beside=False,
    titled=False,
    captioned=False,
)
SHEETS = {sheet.name: sheet for sheet in (SCREEN, PAPER)}


def sheet_named(name: str) -> Sheet:
    """One of `SHEETS`.

    Raises:
        OptbenchError: there is none of this name.
    """
    if name not in SHEETS:
        raise unknown_name("style", name, [*SHEETS], f"there are {' and '.join(SHEETS)}")
    return SHEETS[name]
