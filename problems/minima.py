"""Minima without a closed form: a table that `scripts/certify_minima.py` fills and factories read.

Each line of `minima.txt` is one problem, its columns two or more spaces apart; `published.txt`
holds what papers print, and where.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import numpy as np

from optbench.catalog import Label
from optbench.errors import OptbenchError

TABLE = Path(__file__).with_name("minima.txt")
ABSENT = "-"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table; numbers stay the text they are.

    Attributes:
        label: of the problem, in the grammar of the catalog.
        kind: "published", "certified" or "best known".
        value: f*, to 30 digits where polished, to 17 elsewhere.
        grad_norm: |grad f| at the point found.
        curvature: the smallest eigenvalue of the Hessian there.
        method: how it was found.
        versions: of jax, scipy and mpmath.
        published: f* as a paper prints it.
        minimizer: x* to 17 digits per coordinate, where it is a vector of at most 30.
    """

    label: str
    kind: str
    value: str
    grad_norm: str
    curvature: str
    method: str
    versions: str
    published: str = ABSENT
    minimizer: tuple[str, ...] = ()


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


def label_of(name: str, **arguments: Any) -> str:
    """The label of a problem with these arguments, in the order given.

    >>> label_of("chebyquad", dim=8)
    'chebyquad[dim=8]'
    """
    return str(Label(name, arguments=tuple(arguments.items())))


def read_rows(text: str) -> dict[str, Row]:
    """The rows of a table by label; lines that begin with # are skipped.

    Raises:
        OptbenchError: a line lacks columns, or a label stands twice.
    """
    rows: dict[str, Row] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        cells = re.split(r" {2,}", line.strip())
        if len(cells) != len(COLUMNS):
            raise OptbenchError(
                f"{len(cells)} columns in the line of {cells[0]!r}", f"give {', '.join(COLUMNS)}"
            )
        if cells[0] in rows:
            raise OptbenchError(f"two minima of {cells[0]!r}", "delete one of the lines")
        point = () if cells[-1] == ABSENT else tuple(cells[-1].split(" "))
        rows[cells[0]] = Row(*cells[:-1], minimizer=point)
    return rows


@functools.cache
def table() -> dict[str, Row]:
    """The rows of `minima.txt`."""
    return read_rows(TABLE.read_text())


def find_row(label: str) -> Row | None:
    """The row of a label, if there is one."""
    return table().get(label)


def known_minimum(label: str) -> dict[str, Any]:
    """What the table knows of a problem, as arguments of `Problem`.

    Args:
        label: what `label_of` gives.

    Returns:
        `minimum`, `minimum_kind` and, where it is stored, `minimizer`, a vector; empty where the
        table has no row.
    """
    row = find_row(label)
    if row is None:
        return {}
    found = {"minimum": float(row.value), "minimum_kind": row.kind}
    return found | ({"minimizer": np.array(row.minimizer, float)} if row.minimizer else {})
