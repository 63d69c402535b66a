"""Tables as plain text: columns in line, no line beyond the width."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Collection, Sequence

UNKNOWN = "-"
GAP = "  "
INDENT = "    "  # of notes
MIN_ELASTIC = 10  # what an elastic column keeps, while others can give way


def align(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: Collection[int] = (),
    elastic: Collection[int] = (0,),
    spare: Sequence[int] = (),
    wrap: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """A table as text: one line for the header, and one per row unless cells wrap.

    Args:
        header: names of the columns.
        rows: the cells.
        width: no line is longer.
        right: indices of the columns set to the right.
        elastic: indices of the columns that give way first, where the width is short.
        spare: indices of the columns that are left out, one by one, where the width does not leave
            `MIN_ELASTIC` to every elastic one.
        wrap: whether what does not fit goes on in the next line, or is left out of the middle.
        notes: what stands indented below each row; nothing below one whose note is empty.
    """
    natural = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    shown = _shown(natural, width, elastic, spare)
    elastic, right = ([i for i, c in enumerate(shown) if c in given] for given in (elastic, right))
    header, *rows = ([row[column] for column in shown] for row in (header, *rows))
    widths = _fit([natural[column] for column in shown], width, elastic)
    lines = []
    for row, note in zip((header, *rows), ("", *(notes or [""] * len(rows))), strict=True):
        cells = [_cut(cell, room, wrap) for cell, room in zip(row, widths, strict=True)]
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            padded = [
                part.rjust(room) if index in right else part.ljust(room)
                for index, (part, room) in enumerate(zip(parts, widths, strict=True))
            ]
            lines.append(GAP.join(padded)[:width].rstrip())
        lines += textwrap.wrap(note, width, initial_indent=INDENT, subsequent_indent=INDENT)
    return "\n".join(lines)


def _shown(
    widths: list[int], width: int, elastic: Collection[int], spare: Sequence[int]
) -> list[int]:
    """The columns there is room for."""
    least = {i: min(own, MIN_ELASTIC) if i in elastic else own for i, own in enumerate(widths)}
    for column in spare:
        if sum(least.values()) + len(GAP) * (len(least) - 1) <= width:
            break
        del least[column]
    return list(least)


def _fit(widths: list[int], width: int, elastic: Collection[int]) -> list[int]:
    """Take from the widest elastic column, then from the widest of all, until the sum fits."""
    widths = list(widths)
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for _ in range(excess):
        giving = [i for i in elastic if widths[i] > MIN_ELASTIC] or range(len(widths))
        widest = max(giving, key=widths.__getitem__)
        widths[widest] = max(1, widths[widest] - 1)
    return widths


def _cut(cell: str, room: int, wrap: bool) -> list[str]:
    """A cell in lines of the room it has."""
    if len(cell) <= room:
        return [cell]
    if wrap:
        return textwrap.wrap(cell, room)
    head = room // 2
    return [f"{cell[:head]}…{cell[len(cell) - (room - head - 1) :]}"]


def number(value: float | int | None) -> str:
    """Three significant digits; `UNKNOWN` for None and NaN."""
    return UNKNOWN if value is None or value != value else f"{value:.3g}"
