"""Theorems next to their runs as one file of data, to be drawn again without running anything."""

from __future__ import annotations

import dataclasses
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optbench.database import said_plainly
from optbench.errors import OptbenchError
from optbench.records import pack, unpack

if TYPE_CHECKING:
    from optbench.checks import BoundReport

FILE = "bounds.npz"
CONTENT = "theorems of optbench next to runs"
SCHEMA_VERSION = 1
OWN = "own"  # the family of a theorem that does not ship

_RUN = ("k", "observed", "bound", "ratios")
_ANOTHER = "run `optbench bounds` again, or give another folder"


class CrossingRecord(NamedTuple):
    """A step at which a run is on the wrong side of the bound; None for what is not finite."""

    k: int
    observed: float | None
    bound: float | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RunRecord:
    """One run next to its bound, with the fields of `optbench.figures.bound_curves.Compared`."""

    instance: str
    kind: str
    seed: int
    optimizer: str
    setting: Mapping[str, float]
    k: np.ndarray
    observed: np.ndarray
    bound: np.ndarray
    ratios: np.ndarray
    tolerance: float
    perturbed: np.ndarray | None
    precise: bool
    ratio: float | None
    ratio_k: int | None
    crossing: CrossingRecord | None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class UpperRecord:
    """An upper bound on a method of a lower bound, as `optbench.checks.both_sides` has it."""

    theorem: str
    method: str
    setting: Mapping[str, float]
    k: np.ndarray
    ratios: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BoundRecord:
    """A theorem with the runs that it was compared with.

    Attributes:
        facts: as `BoundReport.to_json` has them, without the comparisons; with `group`, `family`,
            `quantity` (LaTeX of what is observed), and `command`, which compares it again; None
            where the catalog does not have it, or it was compared on somebody's own.
        runs: one per comparison.
        uppers: of a lower bound.
    """

    facts: Mapping[str, Any]
    runs: tuple[RunRecord, ...]
    uppers: tuple[UpperRecord, ...]


def pack_bounds(reports: Sequence[tuple[str, BoundReport]], *, own: bool) -> bytes:
    """Groups and reports, with every curve, as compressed bytes without pickle.

    Args:
        reports: group and report of each theorem.
        own: whether they were compared on somebody's own problem, or with one's own optimizer.
    """
    arrays: dict[str, list[np.ndarray]] = {
        name: [] for name in (*_RUN, "perturbed", "upper_k", "upper_ratios")
    }
    theorems = [_theorem(group, report, own, arrays) for group, report in reports]
    joined = {name: np.concatenate([*parts, []]) for name, parts in arrays.items()}
    values = {"content": CONTENT, "schema": SCHEMA_VERSION, "theorems": theorems}
    return pack(joined, values)


def _theorem(
    group: str, report: BoundReport, own: bool, arrays: dict[str, list[np.ndarray]]
) -> dict[str, Any]:
    """The facts of a theorem; its curves are added to the arrays."""
    told = report.to_json()
    runs = []
    for comparison, facts in zip(report.comparisons, told["comparisons"], strict=True):
        for name in _RUN:
            arrays[name].append(getattr(comparison, name))
        perturbed = comparison.perturbed
        arrays["perturbed"] += [] if perturbed is None else [perturbed]
        more = {"perturbed": perturbed is not None, "tolerance": comparison.tolerance}
        runs.append({**facts, **more, "length": len(comparison.k)})
    uppers = []
    for upper in _uppers(report):
        arrays["upper_k"].append(upper.k)
        arrays["upper_ratios"].append(upper.ratios)
        named = {"theorem": upper.theorem, "method": upper.method, "length": len(upper.k)}
        uppers.append({**named, "setting": dict(upper.setting)})
    family = _family(report.theorem.name)
    more = {
        "group": group,
        "family": family or OWN,
        "quantity": report.theorem.quantity.latex,
        "command": f"optbench bounds {report.theorem.name}" if family and not own else None,
    }
    return {**told, **more, "comparisons": runs, "uppers": uppers}


def _uppers(report: BoundReport) -> list[Any]:
    from optbench.bounds.names import known_theorems
    from optbench.checks.both_sides import upper_bounds

    theorem = report.theorem
    has_uppers = theorem.direction == "lower" and theorem.also
    return upper_bounds(theorem, known_theorems()) if has_uppers else []


def _family(name: str) -> str | None:
    """The part of the catalog that a theorem is in; None where it is not there."""
    from optbench.bounds.names import THEOREMS
    from optbench.catalog import collect

    function = collect(THEOREMS, "Theorem").get(name)
    if function is None:
        return None
    inside = function.__module__.removeprefix(f"{THEOREMS}.")
    return inside.split(".")[0].replace("_", " ")


def read_bounds(folder: Path) -> list[BoundRecord]:
    """What `pack_bounds` was given, from the file in a folder.

    Raises:
        OptbenchError: there is none, it is damaged or foreign, or another version wrote it.
    """
    path = folder / FILE
    with said_plainly(folder):
        if not path.exists():
            raise OptbenchError(f"no {FILE} in {folder}", "`optbench bounds` makes one")
        packed = path.read_bytes()
    try:
        arrays, values = unpack(packed)
        if values["content"] != CONTENT:
            raise ValueError("of something else")
        version = values["schema"]
        if version == SCHEMA_VERSION:
            return list(_records(arrays, values["theorems"]))
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise OptbenchError(f"{path} is damaged, or no file of optbench", _ANOTHER) from error
    raise OptbenchError(
        f"{path} was written by another optbench (schema {version}, here {SCHEMA_VERSION})",
        _ANOTHER,
    )


def _records(
    arrays: Mapping[str, np.ndarray], theorems: Sequence[Mapping[str, Any]]
) -> Iterator[BoundRecord]:
    taken = dict.fromkeys(arrays, 0)

    def take(name: str, length: int) -> np.ndarray:
        start = taken[name]
        taken[name] = start + length
        if start + length > len(arrays[name]):
            raise ValueError(f"{name} ends too soon")
        return arrays[name][start : start + length]

    for theorem in theorems:
        facts = {n: v for n, v in theorem.items() if n not in ("comparisons", "uppers")}
        runs = [_run(told, take) for told in theorem["comparisons"]]
        uppers = [
            UpperRecord(
                **{name: told[name] for name in ("theorem", "method", "setting")},
                k=take("upper_k", told["length"]),
                ratios=take("upper_ratios", told["length"]),
            )
            for told in theorem["uppers"]
        ]
        yield BoundRecord(facts=facts, runs=tuple(runs), uppers=tuple(uppers))
    if taken != {name: len(array) for name, array in arrays.items()}:
        raise ValueError("curves that belong to no run")


def _run(told: Mapping[str, Any], take: Any) -> RunRecord:
    named = ("instance", "kind", "seed", "optimizer", "setting", "tolerance", "precise")
    crossing = told["crossing"]
    return RunRecord(
        **{name: told[name] for name in (*named, "ratio", "ratio_k")},
        **{name: take(name, told["length"]) for name in _RUN},
        perturbed=take("perturbed", told["length"]) if told["perturbed"] else None,
        crossing=None if crossing is None else CrossingRecord(**crossing),
    )
