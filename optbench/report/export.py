"""Results as tables for other programs: CSV, or Parquet with the `arrow` extra."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.records import Cell
from optbench.results import Results
from optbench.trajectory import Trajectory

Columns = Sequence[Sequence[Any] | np.ndarray]
AddRows = Callable[[Columns], None]

_LANE = {
    "problem": "string",
    "optimizer": "string",
    "seed": "int64",
    "setting": "int64",
    "learning_rate": "float64",
}
SCHEMAS: dict[str, dict[str, str]] = {
    "cells": {
        "problem": "string",
        "optimizer": "string",
        "status": "string",
        "message": "string",
        "group": "string",
        "compile_seconds": "float64",
        "run_seconds": "float64",
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
    """Write all cells, all runs, their hits, their curves and their diagnostics.

    One row per cell, per run (a start at one setting), per run and target (step and cost are
    blank where it was never reached), per log point, and per log point and diagnostic known there.
    What is unknown is blank. `setting` is the index of the hyperparameters that were swept.

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
        for cell in results.cells:
            add["cells"]([[getattr(cell, name)] for name in SCHEMAS["cells"]])
            trajectory = results.trajectory(cell.problem, cell.optimizer)
            if trajectory is not None:
                add["runs"](_runs(cell, trajectory))
                add["hits"](_hits(cell, trajectory))
                add["curves"](_curves(cell, trajectory))
                for name, logged in trajectory.diagnostics.items():
                    add["diagnostics"](_diagnostics(cell, trajectory, name, logged))
    return list(paths.values())


def _lanes(cell: Cell, t: Trajectory, lanes: np.ndarray) -> Columns:
    """The columns of `_LANE` for flat indices of lanes."""
    seed, setting = np.divmod(lanes, t.last.shape[1])
    rates = t.settings.get("learning_rate", np.full(t.last.shape[1], np.nan))
    return [
        [cell.problem] * len(lanes),
        [cell.optimizer] * len(lanes),
        np.asarray(t.seeds)[seed],
        setting,
        np.asarray(rates)[setting],
    ]


def _runs(cell: Cell, t: Trajectory) -> Columns:
    lanes = np.arange(t.last.size)
    end = lanes, t.last.ravel()
    logged = (t.cost, t.value, t.gradient_norm)
    at_end = [_by_lane(array)[end] for array in logged]
    merits = t.initial_merit.ravel(), _by_lane(t.merit_values)[end]
    status = [str(status) for status in t.status.ravel()]
    return [*_lanes(cell, t, lanes), status, t.steps[t.last.ravel()], *at_end, *merits]


def _hits(cell: Cell, t: Trajectory) -> Columns:
    lanes, targets = np.divmod(np.arange(t.hit_costs.size), len(t.targets))
    hits = t.targets[targets], t.hit_steps.ravel(), t.hit_costs.ravel()
    return [*_lanes(cell, t, lanes), *hits]


def _curves(cell: Cell, t: Trajectory) -> Columns:
    """The log points up to each lane's own end."""
    lanes, points = np.nonzero(np.arange(len(t.steps)) <= t.last.reshape(-1, 1))
    logged = (t.cost, t.value, t.gradient_norm, t.merit_values)
    values = (_by_lane(array)[lanes, points] for array in logged)
    return [*_lanes(cell, t, lanes), t.steps[points], *values]


def _diagnostics(cell: Cell, t: Trajectory, name: str, logged: np.ndarray) -> Columns:
    """The log points at which one diagnostic is known."""
    lanes, points = np.nonzero(~np.isnan(_by_lane(logged)))
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
