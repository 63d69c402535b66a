"""What a study keeps: a record per problem and per cell, and arrays as compressed bytes."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from optbench.trajectory import Trajectory

CellStatus = Literal["finished", "failed", "not applicable"]


@dataclasses.dataclass(frozen=True, eq=False)
class Surface:
    """f over the region of a problem in two dimensions, for its contours.

    Attributes:
        x: [n] first coordinates.
        y: [m] second coordinates.
        values: [m, n], with values[i, j] = f(x[j], y[i]).
    """

    x: np.ndarray
    y: np.ndarray
    values: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ProblemRecord:
    """The passport of a problem, and what a report draws and cannot compute itself.

    Attributes:
        label: its name in the grammar of `optbench.catalog`.
        dim: number of scalars in the parameters; None where it could not be built.
        minimum: f*, or None where unknown.
        minimum_kind: where `minimum` comes from.
        saddle: f at the saddle the problem is about.
        minimizer: x* in one vector, or None where unknown or of more than 1000 dimensions.
        stochastic: whether optimizers see sampled losses.
        convex: whether f is convex.
        smoothness: L.
        strong_convexity: mu.
        noise_floor: rounding error of f near the minimizer; no target counts below 10x.
        source: paper or book, with page or theorem.
        merit: what targets are fractions of, as in `Trajectory`.
        region: (low, high) per coordinate, the box a contour plot shows.
        coordinates: what a plot calls the coordinates; None for x_1, x_2.
        surface: f over the region, in two dimensions.
        failure: why it could not be built, in one line; then it has no finished cell.
        num_rows: rows of its data; 0 where it is no finite sum.
        sample_fraction: the share of them that a sampled call sees; 1 where none is sampled.
        prices: kind of oracle call -> its price as it was measured, in whole values and gradients;
            None where none was.
        family: the module of the catalog that it comes from, such as "quadratics"; empty if none.
    """

    label: str
    dim: int | None = None
    minimum: float | None = None
    minimum_kind: str | None = None
    saddle: float | None = None
    minimizer: np.ndarray | None = None
    stochastic: bool = False
    convex: bool | None = None
    smoothness: float | None = None
    strong_convexity: float | None = None
    noise_floor: float = float("nan")
    source: str = ""
    merit: str = ""
    region: tuple[tuple[float, float], ...] | None = None
    coordinates: tuple[str, ...] | None = None
    surface: Surface | None = None
    failure: str | None = None
    num_rows: int = 0
    sample_fraction: float = 1.0
    prices: Mapping[str, float] | None = None
    family: str = ""

    @property
    def condition_number(self) -> float | None:
        """L / mu; None where either is unknown, or mu is 0."""
        if self.smoothness is None or not self.strong_convexity:
            return None
        return self.smoothness / self.strong_convexity


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell:
    """One optimizer on one problem, over all its lanes: computed once, kept under its key.

    Attributes:
        key: hash of everything that decides its numbers.
        problem: label.
        optimizer: label.
        group: labels of the optimizers that shared its program, joined by " + ".
        status: whether it finished, failed, or the pair cannot run.
        message: why it did not finish, in one line.
        compile_seconds: spent building its group's program, the same number for each member;
            None where it was not built.
        run_seconds: spent running it, compilation apart; None where it did not finish.
        trials: how many of its settings, the first ones, are trials of a search; 0 where it has
            nothing to tune.
        space: what was searched, as `trials.space_from_json` reads it.
        default_source: where the defaults were published that the last setting holds; None where
            it does not hold them.
        extends: key of the cell whose search it extends; None for what the study asked for.
    """

    key: str
    problem: str
    optimizer: str
    group: str
    status: CellStatus
    message: str = ""
    compile_seconds: float | None = None
    run_seconds: float | None = None
    trials: int = 0
    space: str = "{}"
    default_source: str | None = None
    extends: str | None = None


def pack(arrays: Mapping[str, np.ndarray], values: Mapping[str, Any]) -> bytes:
    """Arrays and JSON values as compressed bytes, without pickle; no array is named "json"."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(values).encode(), np.uint8)
    np.savez_compressed(buffer, allow_pickle=False, json=text, **arrays)
    return buffer.getvalue()


def unpack(packed: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and values that `pack` was given."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        arrays = dict(archive)
    return arrays, json.loads(arrays.pop("json").tobytes())


def pack_trajectory(trajectory: Trajectory) -> bytes:
    """A trajectory, its params an array or a dict of arrays, as compressed bytes."""
    arrays: dict[str, np.ndarray] = {}
    values: dict[str, Any] = {}
    for field in dataclasses.fields(trajectory):
        value = getattr(trajectory, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value
        elif isinstance(value, Mapping):
            values[field.name] = {"keys": list(value)}
            arrays |= {f"{field.name}.{i}": array for i, array in enumerate(value.values())}
        else:
            values[field.name] = value
    return pack(arrays, values)


def unpack_trajectory(packed: bytes) -> Trajectory:
    """The trajectory that `pack_trajectory` was given."""
    arrays, values = unpack(packed)
    for name, value in values.items():
        if isinstance(value, dict):
            keys = enumerate(value["keys"])
            values[name] = {key: arrays.pop(f"{name}.{i}") for i, key in keys}
    return Trajectory(**arrays, **{**values, "seeds": tuple(values["seeds"])})
