"""Tables as plain text: columns in line, no line beyond the width."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence

UNKNOWN = "-"


def align(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: Collection[int] = (),
    elastic: Collection[int] = (0,),
    wrap: bool = False,
) -> str:
    """A table as text: one line for the header, and one per row unless cells wrap.

    Args:
        header: names of the columns.
        rows: the cells.
        width: no line is longer.
        right: indices of the columns set to the right.
        elastic: indices of the columns that give way first, where the width is short.
        wrap: whether what they hold goes on in the next line, or ends in an ellipsis.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), collapse_padding=True)
    for index, name in enumerate(header):
        table.add_column(
            Text(name, no_wrap=True),
            justify="right" if index in right else "left",
            no_wrap=index not in elastic,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*(Text(cell, no_wrap=None if wrap else True) for cell in row))
    console = Console(file=(page := io.StringIO()), width=width, color_system=None)
    console.print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def number(value: float | None) -> str:
    """Three significant digits; `UNKNOWN` for None and NaN."""
    return UNKNOWN if value is None or value != value else f"{value:.3g}"
