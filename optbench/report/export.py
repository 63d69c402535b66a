"""Results as tables for other programs: CSV, or Parquet with the `arrow` extra."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optbench.comparison import Outcome, compare_rows
from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.records import Cell
from optbench.results import Results
from optbench.tracks import Row, num_settings
from optbench.trajectory import TUNING_SEEDS_FROM, Trajectory

Columns = Sequence[Sequence[Any] | np.ndarray]
AddRows = Callable[[Columns], None]

_SEARCH = {"problem": "string", "optimizer": "string", "search": "string"}
_LANE = _SEARCH | {
    "purpose": "string",
    "seed": "int64",
    "setting": "int64",
    "learning_rate": "float64",
}
SCHEMAS: dict[str, dict[str, str]] = {
    "cells": _SEARCH
    | {
        "status": "string",
        "message": "string",
        "group": "string",
        "compile_seconds": "float64",
        "run_seconds": "float64",
    },
    "settings": _SEARCH
    | {
        "setting": "int64",
        "kind": "string",
        "tracks": "string",
        "name": "string",
        "value": "float64",
    },
    "runs": _LANE
    | {
        "status": "string",
        "steps": "int64",
        "cost": "float64",
        "value": "float64",
        "gradient_norm": "float64",
        "initial_merit": "float64",
        "merit": "float64",
    },
    "hits": _LANE | {"target": "float64", "step": "float64", "cost": "float64"},
    "curves": _LANE
    | {
        "step": "int64",
        "cost": "float64",
        "value": "float64",
        "gradient_norm": "float64",
        "merit": "float64",
    },
    "diagnostics": _LANE | {"step": "int64", "name": "string", "value": "float64"},
}


def write_tables(results: Results, folder: Path, kind: str) -> list[Path]:
    """Write all cells, settings and runs, and the hits, curves and diagnostics of the runs.

    One row per cell, per hyperparameter of a setting, per run (a start at one setting), per run
    and target (step and cost are blank where it was never reached), per log point, and per log
    point and diagnostic known there. What is unknown is blank.

    `search` is "space", or "edge" where a cell goes on beyond the edge of the space that was
    searched. `purpose` tells the seeds that settings are tuned on from those that they are
    evaluated on. `setting` is an index; `settings` tells what it stands for, whether it is a
    trial or the published default, and which tracks chose it at the target of the study.

    Args:
        results: of a study.
        folder: made where it is missing; files of the same names are replaced when all is written.
        kind: of the files, csv or parquet.

    Returns:
        The files.

    Raises:
        OptbenchError: the folder cannot be written, or Parquet is asked for without pyarrow.
    """
    open_table = {"csv": _csv_table, "parquet": _parquet_table}[kind]
    paths = {name: folder / f"{name}.{kind}" for name in SCHEMAS}
    with said_plainly(folder), contextlib.ExitStack() as stack:
        add = {
            name: stack.enter_context(open_table(path, SCHEMAS[name]))
            for name, path in paths.items()
        }
        rows = compare_rows(results).outcomes
        for cell in (*results.cells, *results.extensions.values()):
            shown = [*_named(cell), *(getattr(cell, name) for name in list(SCHEMAS["cells"])[3:])]
            add["cells"]([[value] for value in shown])
            trajectory = results.trajectory_of(cell)
            if trajectory is not None:
                add["settings"](_settings(cell, trajectory, rows))
                add["runs"](_runs(cell, trajectory))
                add["hits"](_hits(cell, trajectory))
                add["curves"](_curves(cell, trajectory))
                for name, logged in trajectory.diagnostics.items():
                    add["diagnostics"](_diagnostics(cell, trajectory, name, logged))
    return list(paths.values())


def _named(cell: Cell) -> list[str]:
    """The columns of `_SEARCH`."""
    return [cell.problem, cell.optimizer, "space" if cell.extends is None else "edge"]


def _settings(cell: Cell, t: Trajectory, rows: Mapping[tuple[str, Row], Outcome]) -> Columns:
    """A row per hyperparameter of every setting, with the tracks that chose the setting."""
    lines: list[list[Any]] = []
    for index in range(num_settings(cell, t) if t.settings else 0):
        setting = {name: float(values[index]) for name, values in t.settings.items()}
        kind = "default" if cell.trials and index >= cell.trials else "trial"
        tracks = " ".join(
            row.track
            for (problem, row), outcome in rows.items()
            if (problem, row.optimizer) == (cell.problem, cell.optimizer)
            and outcome.setting == setting
        )
        lines += [[*_named(cell), index, kind, tracks, *item] for item in setting.items()]
    return list(zip(*lines, strict=True)) or [[]] * len(SCHEMAS["settings"])


def _lanes(cell: Cell, t: Trajectory, lanes: np.ndarray) -> Columns:
    """The columns of `_LANE` for flat indices of lanes."""
    seed, setting = np.divmod(lanes, t.last.shape[1])
    seeds = np.asarray(t.seeds)[seed]
    purpose = np.where(seeds < TUNING_SEEDS_FROM, "evaluation", "tuning").tolist()
    rates = np.asarray(t.settings.get("learning_rate", np.full(t.last.shape[1], np.nan)))
    names = ([name] * len(lanes) for name in _named(cell))
    return [*names, purpose, seeds, setting, rates[setting]]


def _counted(cell: Cell, t: Trajectory) -> np.ndarray:
    """Flat indices of the lanes, without those that repeat a trial."""
    lanes = np.arange(t.last.size)
    return lanes[lanes % t.last.shape[1] < num_settings(cell, t)]


def _runs(cell: Cell, t: Trajectory) -> Columns:
    lanes = _counted(cell, t)
    end = lanes, t.last.ravel()[lanes]
    logged = (t.cost, t.value, t.gradient_norm)
    at_end = [_by_lane(array)[end] for array in logged]
    merits = t.initial_merit.ravel()[lanes], _by_lane(t.merit_values)[end]
    status = [str(status) for status in t.status.ravel()[lanes]]
    return [*_lanes(cell, t, lanes), status, t.steps[end[1]], *at_end, *merits]


def _hits(cell: Cell, t: Trajectory) -> Columns:
    lanes = np.repeat(_counted(cell, t), len(t.targets))
    targets = np.tile(np.arange(len(t.targets)), len(lanes) // max(len(t.targets), 1))
    hits = (_by_lane(array)[lanes, targets] for array in (t.hit_steps, t.hit_costs))
    return [*_lanes(cell, t, lanes), t.targets[targets], *hits]


def _curves(cell: Cell, t: Trajectory) -> Columns:
    """The log points up to each lane's own end."""
    own = _counted(cell, t)
    which, points = np.nonzero(np.arange(len(t.steps)) <= t.last.reshape(-1, 1)[own])
    lanes = own[which]
    logged = (t.cost, t.value, t.gradient_norm, t.merit_values)
    values = (_by_lane(array)[lanes, points] for array in logged)
    return [*_lanes(cell, t, lanes), t.steps[points], *values]


def _diagnostics(cell: Cell, t: Trajectory, name: str, logged: np.ndarray) -> Columns:
    """The log points at which one diagnostic is known."""
    own = _counted(cell, t)
    which, points = np.nonzero(~np.isnan(_by_lane(logged)[own]))
    lanes = own[which]
    values = _by_lane(logged)[lanes, points]
    return [*_lanes(cell, t, lanes), t.steps[points], [name] * len(lanes), values]


def _by_lane(logged: np.ndarray) -> np.ndarray:
    return logged.reshape(-1, logged.shape[-1])


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` once it is written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _csv_table(path: Path, schema: dict[str, str]) -> Iterator[AddRows]:
    with replaced(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(schema)
        yield lambda columns: rows.writerows(zip(*map(_blanked, columns), strict=True))


def _blanked(column: Sequence[Any] | np.ndarray) -> Sequence[Any]:
    """A column with None, which CSV writes as nothing, for NaN."""
    if not isinstance(column, np.ndarray):
        return column
    values = column.astype(object)
    if column.dtype.kind == "f":
        values[np.isnan(column)] = None
    return values.tolist()


@contextlib.contextmanager
def _parquet_table(path: Path, schema: dict[str, str]) -> Iterator[AddRows]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise OptbenchError(
            "Parquet files need pyarrow", "install it with: pip install 'optbench[arrow]'"
        ) from error
    types = pyarrow.schema([(n, pyarrow.type_for_alias(kind)) for n, kind in schema.items()])
    with replaced(path) as part, pyarrow.parquet.ParquetWriter(part, types) as writer:

        def add(columns: Columns) -> None:
            arrays = [
                pyarrow.array(_blanked(column), field.type)
                for column, field in zip(columns, types, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=types))

        yield add
