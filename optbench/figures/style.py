"""The look of every figure: colors, line styles, markers, fonts, captions."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from optbench.figures.families import representatives

Dashes = tuple[int, tuple[float, ...]]

WIDTH = 9.6  # inches; 12 pt here are 10 pt on a page 8 inches wide
FONT_SIZE = 12.0
CAPTION_SIZE = 11.0
CHARACTERS_PER_INCH = 12.8  # of a caption
TITLE_CHARACTERS = 11.5  # per inch, of the title of a small panel
LINE_INCHES = 0.2  # of a caption

COLORS = (  # Okabe & Ito (2008), "Color universal design", without yellow
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
DASHES: tuple[Dashes, ...] = (
    (0, ()),
    (0, (5.0, 1.6)),
    (0, (1.2, 1.4)),
    (0, (6.0, 1.6, 1.2, 1.6)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

PER_PANEL = len(COLORS)  # lines told apart in one panel; each has a color of its own

_SETTINGS: dict[str, Any] = {
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.labelsize": FONT_SIZE,
    "figure.titlesize": FONT_SIZE + 2,
    "legend.fontsize": FONT_SIZE - 1,
    "xtick.labelsize": FONT_SIZE - 1,
    "ytick.labelsize": FONT_SIZE - 1,
    "legend.frameon": False,
    "legend.borderaxespad": 0.0,
    "legend.handlelength": 3.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.5,
    "lines.markeredgecolor": "white",
    "lines.markeredgewidth": 0.8,
    "svg.hashsalt": "optbench",
    "savefig.dpi": 200,
}


@dataclasses.dataclass(frozen=True)
class Style:
    """How one optimizer is drawn in every figure of a study.

    Attributes:
        color: of line and marker.
        dashes: of the line.
        marker: on the line.
    """

    color: str
    dashes: Dashes
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """Keyword arguments of a line."""
        return {"color": self.color, "linestyle": self.dashes, "marker": self.marker}


def assign_styles(optimizers: Sequence[str]) -> dict[str, Style]:
    """A style per optimizer of a study: one of each family first, then the others.

    Any `PER_PANEL` in a row differ in color; two differ in color, dashes or marker as long as
    there are at most 252.
    """
    first = representatives(optimizers)
    ordered = first + [optimizer for optimizer in optimizers if optimizer not in first]
    return {
        optimizer: Style(
            COLORS[i % len(COLORS)], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)]
        )
        for i, optimizer in enumerate(ordered)
    }


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """The settings of matplotlib inside: its own defaults and ours, whatever a user has set."""
    with matplotlib.style.context(["default", _SETTINGS]):
        yield


def new_figure(
    height: float, layout: Literal["constrained", "compressed"] | None = "constrained"
) -> Figure:
    """An empty figure of this height in inches.

    Args:
        height: in inches.
        layout: what avoids overlaps; compressed for axes of a fixed aspect, None for no layout.
    """
    return Figure(figsize=(WIDTH, height), layout=layout)


def plain(text: str) -> str:
    """Text that is drawn as it is: no dollar sign in it starts a formula."""
    return text.replace("$", r"\$")


def wrapped(label: str, width: int) -> str:
    """A label of the grammar in lines of about `width` characters, as `plain` text.

    It breaks after an opening bracket, a comma or a slash; after an underscore only where a name
    alone is too long for a line; and else nowhere.
    """
    lines = [""]
    for part in re.findall(r"[^(\[,/]*[(\[,/]?", label):
        pieces = re.findall(r"[^_]*_?", part) if len(part) > width else [part]
        for piece in filter(None, pieces):
            if lines[-1] and len(lines[-1]) + len(piece) > width:
                lines.append("")
            lines[-1] += piece
    return plain("\n".join(lines))


def caption_lines(*texts: str) -> list[str]:
    """Texts, the empty ones left out, in lines as wide as a figure."""
    columns = int(WIDTH * CHARACTERS_PER_INCH)
    return [line for text in texts for line in textwrap.wrap(text, columns)]


def caption_height(*texts: str) -> float:
    """Inches that a caption takes."""
    return LINE_INCHES * len(caption_lines(*texts)) + 0.12


def add_caption(figure: Figure, *texts: str, reserve: float = 0.0) -> None:
    """Write how to read the figure under it, and make room where its layout can be told to.

    Args:
        figure: to write on.
        *texts: how to read it, and further lines, such as what is missing.
        reserve: inches to keep free above the caption.
    """
    width, height = figure.get_size_inches()
    room = (caption_height(*texts) + reserve) / height
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(rect=(0, room, 1, 1 - room))
    figure.text(
        0.1 / width,
        0.06 / height,
        "\n".join(caption_lines(*texts)),
        va="bottom",
        fontsize=CAPTION_SIZE,
        color="#404040",
        linespacing=1.15,
    )


def settle(figure: Figure) -> None:
    """Lay a figure out for good, rounded: the last bits of a layout vary from run to run."""
    layout = figure.get_layout_engine()
    if layout is None:
        return
    layout.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(np.round(axes.get_position(original=True).get_points(), 4)))


def power_of_ten(value: float) -> str:
    """A number as a formula: powers of ten as such, others with two digits."""
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    if mantissa in ("1.0", "-1.0"):
        return f"${mantissa[:-3]}10^{{{int(exponent)}}}$"
    return f"{value:.2g}"
