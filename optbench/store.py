"""What a study keeps in its SQLite file: one transaction per cell."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optbench.database import said_plainly, writing
from optbench.landscape import Landscape, pack_landscape
from optbench.records import (
    Cell,
    ProblemRecord,
    Surface,
    pack,
    pack_trajectory,
    unpack,
    unpack_trajectory,
)
from optbench.trajectory import Trajectory

SCHEMA = """
CREATE TABLE environments (id INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE);
CREATE TABLE study (toml TEXT NOT NULL, environment INTEGER NOT NULL REFERENCES environments);
CREATE TABLE problems (
    position INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE, dim INTEGER, minimum REAL,
    minimum_kind TEXT, saddle REAL, stochastic INTEGER NOT NULL, convex INTEGER, smoothness REAL,
    strong_convexity REAL, noise_floor REAL, source TEXT NOT NULL, merit TEXT NOT NULL,
    region TEXT, coordinates TEXT, failure TEXT, num_rows INTEGER NOT NULL,
    sample_fraction REAL NOT NULL, prices TEXT, family TEXT NOT NULL, arrays BLOB NOT NULL
);
CREATE TABLE groups (id INTEGER PRIMARY KEY, problem TEXT NOT NULL, members TEXT NOT NULL);
CREATE TABLE shown (
    position INTEGER PRIMARY KEY, problem TEXT NOT NULL, optimizer TEXT NOT NULL, key TEXT NOT NULL
);
CREATE TABLE cells (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, problem TEXT NOT NULL,
    optimizer TEXT NOT NULL, "group" TEXT NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL,
    compile_seconds REAL, run_seconds REAL, trials INTEGER NOT NULL, space TEXT NOT NULL,
    default_source TEXT, extends TEXT, trajectory BLOB,
    environment INTEGER NOT NULL REFERENCES environments
);
CREATE TABLE lanes (
    cell INTEGER NOT NULL REFERENCES cells ON DELETE CASCADE, seed INTEGER NOT NULL,
    setting INTEGER NOT NULL, learning_rate REAL, status TEXT NOT NULL, steps INTEGER NOT NULL,
    cost REAL, value REAL, gradient_norm REAL, PRIMARY KEY (cell, seed, setting)
) WITHOUT ROWID;
CREATE TABLE hits (
    cell INTEGER NOT NULL REFERENCES cells ON DELETE CASCADE, seed INTEGER NOT NULL,
    setting INTEGER NOT NULL, target REAL NOT NULL, steps INTEGER NOT NULL, cost REAL NOT NULL,
    PRIMARY KEY (cell, seed, setting, target)
) WITHOUT ROWID;
CREATE TABLE landscapes (
    problem TEXT PRIMARY KEY, key TEXT NOT NULL, seconds REAL NOT NULL, failure TEXT,
    landscape BLOB NOT NULL
);
CREATE VIEW runs AS
    SELECT shown.problem, shown.optimizer, lanes.*
    FROM shown JOIN cells ON cells.key = shown.key JOIN lanes ON lanes.cell = cells.id;
"""

_LANES = {
    "lanes": "seed, setting, learning_rate, status, steps, cost, value, gradient_norm",
    "hits": "seed, setting, target, steps, cost",
}


@contextlib.contextmanager
def open_store(folder: Path | None) -> Iterator[Store]:
    """The store of a study, for writing; None keeps it in memory.

    Raises:
        OptbenchError: the folder cannot be used, or another process is using it.
    """
    with writing(folder, SCHEMA) as connection:
        yield Store(folder, connection)


@dataclasses.dataclass(frozen=True, eq=False)
class Store:
    """The store of a study, open for writing.

    Attributes:
        folder: of the study; None in memory.
        connection: to its database.
    """

    folder: Path | None
    connection: sqlite3.Connection

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with said_plainly(self.folder):
            self.connection.execute("BEGIN IMMEDIATE")
            with self.connection:
                yield self.connection

    def groups(self, problem: str) -> list[tuple[str, ...]]:
        """The groups that were formed on a problem, oldest first."""
        query = "SELECT members FROM groups WHERE problem = ? ORDER BY id"
        with said_plainly(self.folder):
            return [tuple(json.loads(row[0])) for row in self.connection.execute(query, [problem])]

    def add_groups(self, problem: str, groups: Sequence[Sequence[str]]) -> None:
        """Keep groups newly formed on a problem."""
        rows = [(problem, json.dumps(list(group))) for group in groups]
        with self._transaction() as connection:
            connection.executemany("INSERT INTO groups (problem, members) VALUES (?, ?)", rows)

    def begin(
        self,
        toml: str,
        environment: str,
        problems: Sequence[ProblemRecord],
        shown: Sequence[tuple[str, str, str]],
    ) -> None:
        """Set what the study is now.

        Args:
            toml: the study.
            environment: JSON of the environment of this run.
            problems: its problems, in order.
            shown: (problem, optimizer, key) of its cells, in order.
        """
        known = "INSERT OR IGNORE INTO environments (json) VALUES (?)"
        now = "INSERT INTO study SELECT ?, id FROM environments WHERE json = ?"
        with self._transaction() as connection:
            connection.execute(known, [environment])
            for table in ("study", "problems", "shown"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute(now, [toml, environment])
            for position, record in enumerate(problems):
                _insert(connection, "problems", {"position": position, **_problem_row(record)})
            rows = [(position, *row) for position, row in enumerate(shown)]
            connection.executemany("INSERT INTO shown VALUES (?, ?, ?, ?)", rows)

    def keep_prices(self, problem: str, prices: Mapping[str, float]) -> None:
        """Keep what oracle calls cost on a problem, as it was measured."""
        with self._transaction() as connection:
            change = "UPDATE problems SET prices = ? WHERE label = ?"
            connection.execute(change, [json.dumps(dict(prices)), problem])

    def finished(self) -> set[str]:
        """Keys of all cells ever computed that did not fail, nor did what extends their search."""
        query = """
            SELECT key FROM cells WHERE status != 'failed' AND key NOT IN
            (SELECT extends FROM cells WHERE status = 'failed' AND extends IS NOT NULL)
        """
        with said_plainly(self.folder):
            return {row[0] for row in self.connection.execute(query)}

    def trajectory(self, key: str) -> Trajectory | None:
        """The trajectory of a cell; None where it has none."""
        with said_plainly(self.folder):
            query = "SELECT trajectory FROM cells WHERE key = ?"
            (packed,) = self.connection.execute(query, [key]).fetchone() or (None,)
        return None if packed is None else unpack_trajectory(packed)

    def finished_cells(self, problem: str) -> list[Cell]:
        """The finished cells of a problem that are shown, in study order."""
        names = [field.name for field in dataclasses.fields(Cell)]
        columns = ", ".join(f'cells."{name}"' for name in names)
        query = f"""SELECT {columns} FROM shown JOIN cells USING (key)
            WHERE shown.problem = ? AND status = 'finished' ORDER BY position"""
        with said_plainly(self.folder):
            rows = self.connection.execute(query, [problem]).fetchall()
        return [Cell(**dict(zip(names, row, strict=True))) for row in rows]

    def landscape_key(self, problem: str) -> str | None:
        """What the landscape of a problem was kept under; None where there is none, or it failed.

        It equals `landscape.key_of` the finished cells of the problem where it is up to date.
        """
        query = "SELECT key FROM landscapes WHERE problem = ? AND failure IS NULL"
        with said_plainly(self.folder):
            (key,) = self.connection.execute(query, [problem]).fetchone() or (None,)
        return key

    def keep_landscape(self, key: str, landscape: Landscape) -> None:
        """Keep the landscape of a problem, in place of an earlier one."""
        row = {
            "problem": landscape.problem,
            "key": key,
            "seconds": landscape.seconds,
            "failure": landscape.failure,
            "landscape": pack_landscape(dataclasses.replace(landscape, seconds=0.0)),
        }
        with self._transaction() as connection:
            connection.execute("DELETE FROM landscapes WHERE problem = ?", [landscape.problem])
            _insert(connection, "landscapes", row)

    def copy(self, keys: Mapping[str, str], base: str) -> None:
        """Keep cells under other keys as well, in place of what is there.

        Args:
            keys: old -> new.
            base: new key of the cell whose search the others extend.
        """
        names = [f.name for f in dataclasses.fields(Cell) if f.name not in ("key", "extends")]
        same = ", ".join(f'"{name}"' for name in (*names, "trajectory", "environment"))
        cell = f"""INSERT INTO cells (key, extends, {same})
            SELECT ?, ?, {same} FROM cells WHERE key = ?"""
        with self._transaction() as connection:
            for old, new in keys.items():
                extended = None if new == base else base
                connection.execute("DELETE FROM cells WHERE key = ?", [new])
                number = connection.execute(cell, [new, extended, old]).lastrowid
                for table, columns in _LANES.items():
                    connection.execute(
                        f"""INSERT INTO {table} SELECT ?, {columns} FROM {table}
                        WHERE cell = (SELECT id FROM cells WHERE key = ?)""",
                        [number, old],
                    )

    def commit(self, cell: Cell, trajectory: Trajectory | None) -> None:
        """Keep a cell, in place of an earlier one under its key, and show it.

        The landscape of its problem is forgotten where the cell has a trajectory: it is another.
        """
        packed = None if trajectory is None else pack_trajectory(trajectory)
        row = {**dataclasses.asdict(cell), "trajectory": packed}
        lanes, hits = ([], []) if trajectory is None else _lane_rows(trajectory)
        with self._transaction() as connection:
            row["environment"] = connection.execute("SELECT environment FROM study").fetchone()[0]
            connection.execute("DELETE FROM cells WHERE key = ?", [cell.key])
            if trajectory is not None:
                connection.execute("DELETE FROM landscapes WHERE problem = ?", [cell.problem])
            number = _insert(connection, "cells", row)
            for (table, columns), rows in zip(_LANES.items(), (lanes, hits), strict=True):
                marks = ", ".join("?" for _ in columns.split(","))
                add = f"INSERT INTO {table} (cell, {columns}) VALUES ({number}, {marks})"
                connection.executemany(add, rows)
            if cell.extends is None:
                connection.execute(
                    "UPDATE shown SET key = ? WHERE problem = ? AND optimizer = ?",
                    [cell.key, cell.problem, cell.optimizer],
                )


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(f":{name}" for name in row)
    return connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row).lastrowid or 0


def _problem_row(record: ProblemRecord) -> dict[str, Any]:
    """A problem as a row: its arrays packed, its region and coordinates as JSON."""
    row = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    minimizer, surface = row.pop("minimizer"), row.pop("surface")
    arrays = {} if minimizer is None else {"minimizer": minimizer}
    arrays |= {} if surface is None else vars(surface)
    texts = ("region", "coordinates", "prices")
    listed = {name: row[name] and json.dumps(row[name]) for name in texts}
    return {**row, **listed, "arrays": pack(arrays, {})}


def read_problem(row: Mapping[str, Any]) -> ProblemRecord:
    """The record that a row of the table of problems holds."""
    values = {key: row[key] for key in row if key not in ("position", "arrays")}
    arrays, _ = unpack(row["arrays"])
    region = row["region"] and tuple(map(tuple, json.loads(row["region"])))
    coordinates = row["coordinates"] and tuple(json.loads(row["coordinates"]))
    convex = None if row["convex"] is None else bool(row["convex"])
    surface = Surface(arrays["x"], arrays["y"], arrays["values"]) if "x" in arrays else None
    noise_floor = float("nan") if row["noise_floor"] is None else row["noise_floor"]
    changed = {"region": region, "coordinates": coordinates, "convex": convex}
    changed |= {"prices": row["prices"] and json.loads(row["prices"])}
    changed |= {"stochastic": bool(row["stochastic"]), "surface": surface}
    changed |= {"minimizer": arrays.get("minimizer")}
    return ProblemRecord(**{**values, **changed, "noise_floor": noise_floor})


def _lane_rows(trajectory: Trajectory) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """A row per lane with its end, and a row per target it met."""
    t = trajectory
    seeds, settings = t.last.shape
    rates = t.settings.get("learning_rate", np.full(settings, np.nan))
    lanes, hits = [], []
    for s, h in np.ndindex(seeds, settings):
        end = s, h, t.last[s, h]
        at_end = (float(array[end]) for array in (t.cost, t.value, t.gradient_norm))
        status, steps = str(t.status[s, h]), int(t.steps[t.last[s, h]])
        lanes.append((t.seeds[s], h, float(rates[h]), status, steps, *at_end))
        for k in np.flatnonzero(np.isfinite(t.hit_steps[s, h])):
            met = float(t.targets[k]), int(t.hit_steps[s, h, k]), float(t.hit_costs[s, h, k])
            hits.append((t.seeds[s], h, *met))
    return lanes, hits
