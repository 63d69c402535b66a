"""The results of one study, read-only. Reading them needs no JAX."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import sqlite3
import sys
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import optbench
from optbench import database
from optbench.errors import OptbenchError, unknown_name
from optbench.landscape import Landscape as Landscape
from optbench.landscape import key_of, unpack_landscape
from optbench.records import Cell as Cell
from optbench.records import ProblemRecord as ProblemRecord
from optbench.records import Surface as Surface
from optbench.records import unpack_trajectory
from optbench.store import read_problem
from optbench.summary import Finished, Summary, summarize
from optbench.summary.sparklines import levels_for
from optbench.trajectory import TARGETS, Trajectory, headline_of


class LandscapeRow(NamedTuple):
    """A landscape as it is stored.

    Attributes:
        key: `landscape.key_of` the cells it was computed from.
        seconds: spent computing it.
        packed: the landscape.
    """

    key: str
    seconds: float
    packed: bytes


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """What a study has found so far.

    Attributes:
        folder: of the study; None where it was kept in memory.
        study: the study, as `study.toml` has it, with every default.
        environment: of its latest run: versions, device, flags.
        problems: label -> record, in study order.
        optimizers: labels, in study order.
        cells: those computed, in study order; an unfinished cell is absent.
        load: key of a cell -> its trajectory, packed; None where it has none.
        extensions: key of a cell -> the cell that extends its search.
        landscapes: label of a problem -> the row of its landscape; None where there is none.
    """

    folder: Path | None
    study: Mapping[str, Any]
    environment: Mapping[str, Any]
    problems: Mapping[str, ProblemRecord]
    optimizers: tuple[str, ...]
    cells: tuple[Cell, ...]
    load: Callable[[str], bytes | None] = dataclasses.field(repr=False)
    extensions: Mapping[str, Cell] = dataclasses.field(default_factory=dict)
    landscapes: Callable[[str], LandscapeRow | None] = dataclasses.field(
        default=lambda problem: None, repr=False
    )

    @classmethod
    def open(cls, folder: str | Path) -> Results:
        """The results in a folder.

        Raises:
            OptbenchError: there are none, they are damaged or foreign, or a newer optbench wrote
                them.
        """
        folder = Path(folder)
        with _damage_said(folder), database.reading(folder) as connection:
            database.check_whole(connection, folder)
            return read_results(connection, folder)

    @property
    def target(self) -> float:
        """The target that settings were tuned for, as a fraction of the merit at the start."""
        named = self.study.get("target")
        return headline_of(self.study.get("targets", TARGETS)) if named is None else named

    def cell(self, problem: str, optimizer: str) -> Cell | None:
        """The cell of a pair; None where it is unfinished.

        Raises:
            OptbenchError: the study has no such problem or optimizer.
        """
        for kind, label, known in (
            ("problem", problem, list(self.problems)),
            ("optimizer", optimizer, list(self.optimizers)),
        ):
            if label not in known:
                raise unknown_name(kind, label, known, f"this study has {', '.join(known)}")
        return self._cells.get((problem, optimizer))

    @functools.cached_property
    def _cells(self) -> dict[tuple[str, str], Cell]:
        return {(cell.problem, cell.optimizer): cell for cell in self.cells}

    def trajectory(self, problem: str, optimizer: str) -> Trajectory | None:
        """What an optimizer did on a problem over all lanes; None where it has not finished.

        Raises:
            OptbenchError: the study has no such problem or optimizer.
        """
        cell = self.cell(problem, optimizer)
        return None if cell is None else self.trajectory_of(cell)

    def trajectory_of(self, cell: Cell) -> Trajectory | None:
        """The trajectory of a cell of this study; None where it has none."""
        packed = self.load(cell.key)
        with _damage_said(self.folder):
            return None if packed is None else unpack_trajectory(packed)

    def finished_on(self, problem: str) -> Finished:
        """What has finished on a problem, and the target that it is shown at.

        Raises:
            OptbenchError: the study has no such problem.
        """
        cells = [cell for o in self.optimizers if (cell := self.cell(problem, o)) is not None]
        return Finished.of(cells, self.trajectory_of, self.target)

    def landscape(self, problem: str) -> Landscape | None:
        """What a problem looks like where optimizers went; None where that is not known.

        That is so in one dimension and in more than 2000, without finished cells, and where the
        landscape that is stored belongs to cells of an earlier run.

        Raises:
            OptbenchError: the study has no such problem.
        """
        if problem not in self.problems:
            known = list(self.problems)
            raise unknown_name("problem", problem, known, f"this study has {', '.join(known)}")
        row = self.landscapes(problem)
        cells = (c.key for c in self.cells if c.problem == problem and c.status == "finished")
        if row is None or row.key != key_of(cells):
            return None
        with _damage_said(self.folder):
            return dataclasses.replace(unpack_landscape(row.packed), seconds=row.seconds)

    def summary(self) -> Summary:
        """Who wins on what, by how much, and what failed."""
        return summarize(
            self.study,
            self.problems,
            self.optimizers,
            self.cells,
            self.finished_on,
            target=self.target,
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return optbench.results_html(self)

    def __str__(self) -> str:
        return self.summary().text(levels=levels_for(sys.stdout.encoding))


def read_results(connection: sqlite3.Connection, folder: Path | None) -> Results:
    """The results in an open database, which may then be closed.

    Args:
        connection: to the database.
        folder: it lies in; None in memory.
    """
    packed = {} if folder else dict(connection.execute("SELECT key, trajectory FROM cells"))
    load = functools.partial(_load, folder) if folder else packed.get
    rows = {} if folder else {row[0]: LandscapeRow(*row[1:]) for row in connection.execute(_ROWS)}
    landscapes = functools.partial(_landscape_row, folder) if folder else rows.get
    connection.row_factory = sqlite3.Row
    now = connection.execute("SELECT * FROM study JOIN environments ON id = environment").fetchone()
    if now is None:
        raise OptbenchError(f"the study in {folder} was never started", "`optbench run` starts it")
    study = tomllib.loads(now["toml"])
    problems = connection.execute("SELECT * FROM problems ORDER BY position").fetchall()
    names = [field.name for field in dataclasses.fields(Cell)]
    columns = ", ".join(f'cells."{name}"' for name in names)
    cells = connection.execute(
        f"SELECT {columns} FROM shown JOIN cells USING (key) ORDER BY position"
    ).fetchall()
    extending = connection.execute(
        f"SELECT {columns} FROM shown JOIN cells ON cells.extends = shown.key ORDER BY position"
    ).fetchall()
    return Results(
        folder=folder,
        study=study,
        environment=json.loads(now["json"]),
        problems={row["label"]: read_problem(dict(row)) for row in problems},
        optimizers=tuple(study["optimizers"]),
        cells=tuple(Cell(**dict(row)) for row in cells),
        extensions={row["extends"]: Cell(**dict(row)) for row in extending},
        load=load,
        landscapes=landscapes,
    )


def study_name(folder: Path) -> str | None:
    """The name of the study that the results in a folder belong to; None while there is none.

    Raises:
        OptbenchError: there are no results, or they cannot be read.
    """
    with database.reading(folder) as connection:
        row = connection.execute("SELECT toml FROM study").fetchone()
    return None if row is None else tomllib.loads(row[0])["name"]


def _load(folder: Path, key: str) -> bytes | None:
    with database.reading(folder) as connection:
        row = connection.execute("SELECT trajectory FROM cells WHERE key = ?", [key]).fetchone()
    return None if row is None else row[0]


_ROWS = "SELECT problem, key, seconds, landscape FROM landscapes"


def _landscape_row(folder: Path, problem: str) -> LandscapeRow | None:
    with database.reading(folder) as connection:
        row = connection.execute(f"{_ROWS} WHERE problem = ?", [problem]).fetchone()
    return None if row is None else LandscapeRow(*row[1:])


@contextlib.contextmanager
def _damage_said(folder: Path | None) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise OptbenchError(
            f"{folder or 'results in memory'}: the results are damaged ({error})",
            "restore a copy, or run the study with fresh results",
        ) from error
