"""The look of every figure: colors, line styles, markers, fonts, captions."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar, runtime_checkable

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import is_math_text
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox

from optbench.figures.families import representatives
from optbench.figures.sheet import SCREEN, Sheet

Dashes = tuple[int, tuple[float, ...]]

LABEL_LETTERS = 32  # of a line of a legend beside its axes
ABOVE_LETTERS = 50  # above them
HANDLE_LETTERS = 9  # as wide as the line in front of a name
ABOVE_SHARE = 0.83  # of the width of a figure, for a legend above axes
ENTRY_INCHES = 0.0178  # a line of a legend, per point of its text
NEAR = 0.5  # from axes to the legend above, over the size of its text
HINTED = 1.03  # how much wider text on pixels is than its outlines
INDENT = 0.1  # inches left of a caption
TIGHT: dict[str, Any] = {
    "labelspacing": 0.25,
    "columnspacing": 1.0,
    "handlelength": 2.4,
}  # of such a legend

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


class Picture(Figure):
    """A figure that knows its sheet, and how it is to be read.

    Attributes:
        sheet: that it is drawn on.
        caption: paragraphs, in mathtext.
    """

    sheet: Sheet = SCREEN
    caption: tuple[str, ...] = ()


@contextlib.contextmanager
def house_style(sheet: Sheet = SCREEN) -> Iterator[None]:
    """The settings of matplotlib inside: its own defaults and ours, whatever a user has set."""
    with matplotlib.style.context(["default", sheet.settings]):
        yield


@runtime_checkable
class OnSheet(Protocol):
    """What has a sheet that it is to be drawn on."""

    @property
    def sheet(self) -> Sheet:
        """The sheet."""
        ...


Given = TypeVar("Given", bound=OnSheet)
More = ParamSpec("More")


def on_its_sheet(
    draw: Callable[Concatenate[Given, More], Picture],
) -> Callable[Concatenate[Given, More], Picture]:
    """Draw in the settings of the sheet that the first argument has."""

    @functools.wraps(draw)
    def inside(given: Given, *args: More.args, **options: More.kwargs) -> Picture:
        with house_style(given.sheet):
            return draw(given, *args, **options)

    return inside


def new_figure(
    height: float,
    layout: Literal["constrained", "compressed"] | None = "constrained",
    *,
    sheet: Sheet = SCREEN,
) -> Picture:
    """An empty figure of this height in inches.

    Args:
        height: in inches.
        layout: what avoids overlaps; compressed for axes of a fixed aspect, None for no layout.
        sheet: that it is drawn on.
    """
    figure = Picture(figsize=(sheet.width, height), layout=layout)
    figure.sheet = sheet
    return figure


def set_title(figure: Picture, panel: Axes | None, text: str, **place: Any) -> None:
    """Title a figure; where its sheet has no titles, in its caption.

    Args:
        figure: to title.
        panel: the axes above which the title stands; the figure, if None.
        text: a label.
        **place: of the title of a figure.
    """
    if not figure.sheet.titled:
        figure.caption = (plain(text), *figure.caption)
    elif panel is None:
        figure.suptitle(wrapped(text, 60), fontweight="bold", **place)
    else:
        panel.set_title(wrapped(text, 60), loc="left", fontweight="bold")


def entry(sheet: Sheet, name: str, *facts: str, width: int = LABEL_LETTERS) -> str:
    """What a legend says of a line: its name, and beside axes also facts, a line each."""
    if not sheet.beside:
        return wrapped(name, ABOVE_LETTERS)
    return "\n   ".join([wrapped(name, width), *filter(None, facts)])


def told_facts(sheet: Sheet, facts: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What legends of this sheet leave out, for its caption: a paragraph per name."""
    if sheet.beside:
        return ()
    known = {name: "; ".join(filter(None, said)) for name, said in facts.items()}
    return tuple(f"{plain(name)}: {said}." for name, said in known.items() if said)


def legend_columns(sheet: Sheet, names: Iterable[str]) -> int:
    """How many entries of a legend above axes stand side by side."""
    lines = (line for name in names for line in wrapped(name, ABOVE_LETTERS).split("\n"))
    widest = max(map(len, lines), default=1) + HANDLE_LETTERS
    return max(1, sheet.letters(ABOVE_SHARE * sheet.width) // widest)


def row_height(sheet: Sheet, names: Sequence[str]) -> float:
    """Inches that a legend of these names takes above its axes, or above a figure."""
    columns = legend_columns(sheet, names)
    lines = [wrapped(name, ABOVE_LETTERS).count("\n") + 1 for name in names]
    rows = -(-len(names) // columns)
    stacks = (sum(lines[i * rows : (i + 1) * rows]) for i in range(columns))
    return ENTRY_INCHES * sheet.small_size * (max(stacks, default=0) + 0.5)


def legend_height(sheet: Sheet, names: Sequence[str]) -> float:
    """Inches that a legend takes above its axes; none where it stands beside them."""
    return 0.0 if sheet.beside else row_height(sheet, names)


def add_legend(panel: Axes, sheet: Sheet, names: Sequence[str], above: Axes | None = None) -> None:
    """The legend of a panel, beside it or above it.

    Args:
        panel: with labeled lines.
        sheet: of the figure.
        names: of the lines, without facts.
        above: the axes that it stands above, if not these.
    """
    if sheet.beside:
        panel.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), labelspacing=0.7)
        return
    (above or panel).legend(
        *panel.get_legend_handles_labels(),
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        borderaxespad=NEAR,
        ncols=legend_columns(sheet, names),
        **TIGHT,
    )


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


def caption_lines(*texts: str, sheet: Sheet = SCREEN) -> list[str]:
    """Texts, the empty ones left out, in lines as wide as a figure."""
    columns = sheet.letters(sheet.width, sheet.caption_size)
    while True:
        lines = [line for text in texts for line in textwrap.wrap(text, columns)]
        widest = max((_inches(line, sheet.caption_size) for line in lines), default=0.0)
        if HINTED * widest < sheet.width - INDENT:
            return lines
        columns -= 2


def _inches(line: str, size: float) -> float:
    """How wide a line of text is."""
    font, formula = FontProperties(family="DejaVu Sans", size=size), is_math_text(line)
    return text_to_path.get_text_width_height_descent(line, font, formula)[0] / 72


def caption_height(*texts: str, sheet: Sheet = SCREEN) -> float:
    """Inches that a caption takes in the figure."""
    if not sheet.captioned:
        return 0.0
    return sheet.caption_line * len(caption_lines(*texts, sheet=sheet)) + 0.12


def add_caption(figure: Picture, *texts: str, reserve: float = 0.0) -> None:
    """Say how to read the figure, below it where the sheet has captions, and make room there.

    Args:
        figure: to write on.
        *texts: how to read it, and further lines, such as what is missing.
        reserve: inches to keep free above the caption.
    """
    sheet = figure.sheet
    figure.caption += tuple(filter(None, texts))
    width, height = figure.get_size_inches()
    room = (caption_height(*texts, sheet=sheet) + reserve) / height
    layout = figure.get_layout_engine()
    if isinstance(layout, ConstrainedLayoutEngine):
        layout.set(rect=(0, room, 1, 1 - room))
    if sheet.captioned:
        figure.text(
            INDENT / width,
            0.06 / height,
            "\n".join(caption_lines(*texts, sheet=sheet)),
            va="bottom",
            fontsize=sheet.caption_size,
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
