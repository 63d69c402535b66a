"""Data sets and certified solutions of NIST, read from the text tables next to this module.

`tables/` holds one file per data set; `sets.txt` has a line per data set and `parameters.txt` one
per parameter. All their numbers are the text that NIST prints. `local_minima.txt` is not NIST's.

Source: NIST Statistical Reference Datasets, nonlinear regression, in the public domain.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from optbench.problem import CriticalPoint

FOLDER = Path(__file__).parent
Lines = tuple[tuple[str, ...], ...]
RESPONSES = {"y": np.asarray, "log[y]": np.log}  # what a model explains


@dataclasses.dataclass(frozen=True, eq=False)
class DataSet:
    """A data set with its certified solution; its arrays are read-only.

    Attributes:
        observed: [n] the response, its logarithm where the model explains that.
        predictors: [n], or [n, 2] where there are two.
        starts: [2, d] the start far from the solution, and the one near.
        certified: [d] the parameters, to 11 digits.
        deviations: [d] their standard deviations, to 11 digits.
        level: "lower", "average" or "higher" difficulty.
        residual_sum: sum of squared residuals at the solution, to 11 digits.
        residual_deviation: sqrt(residual_sum / (n - d)), to 11 digits.
    """

    observed: np.ndarray
    predictors: np.ndarray
    starts: np.ndarray
    certified: np.ndarray
    deviations: np.ndarray
    level: str
    residual_sum: float
    residual_deviation: float

    def __post_init__(self) -> None:
        """Make the shared arrays read-only."""
        for field in dataclasses.fields(self):
            if isinstance(array := getattr(self, field.name), np.ndarray):
                array.setflags(write=False)


@functools.cache
def lines_of(file: str) -> Lines:
    """The words of each line of a table; lines that begin with # are skipped."""
    lines = (FOLDER / file).read_text().splitlines()
    return tuple(tuple(line.split()) for line in lines if not line.startswith("#"))


def read_set(name: str, rows: Lines) -> DataSet:
    """A data set from the rows (y, x) or (y, x1, x2), with what the other tables say of it."""
    observed, *predictors = np.array(rows, float).T
    (row,) = (line for line in lines_of("sets.txt") if line[0] == name)
    columns = np.array([line[2:] for line in lines_of("parameters.txt") if line[0] == name], float)
    far, near, certified, deviations = columns.T
    return DataSet(
        observed=RESPONSES[row[1]](observed),
        predictors=np.stack(predictors, axis=1) if len(predictors) > 1 else predictors[0],
        starts=np.stack([far, near]),
        certified=certified,
        deviations=deviations,
        level=row[2],
        residual_sum=float(row[5]),
        residual_deviation=float(row[6]),
    )


@functools.cache
def data_set(name: str) -> DataSet:
    """The data set of this name, written as NIST does."""
    return read_set(name, lines_of(f"tables/{name}.txt"))


def local_minima(name: str) -> tuple[CriticalPoint, ...]:
    """The local minima that are known of a data set's fit."""
    rows = (line[1:] for line in lines_of("local_minima.txt") if line[0] == name)
    return tuple(
        CriticalPoint("local minimum", float(value), np.array(point, float))
        for value, *point in rows
    )
