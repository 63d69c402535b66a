"""The design of a study: problems times optimizers times learning rates times seeds."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from optbench.cells import Search
from optbench.errors import OptbenchError, unknown_name
from optbench.oracle import Prices
from optbench.plan import Plan
from optbench.shipped import load_named, shipped_files
from optbench.trajectory import TARGETS, headline_of


def _require_positive(name: str, value: float | int) -> None:
    if not 0 < value < math.inf:
        raise OptbenchError(f"{name} is {value}", "give a positive number")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogGrid:
    """`num` values, log-spaced from `low` to `high`."""

    low: float = 1e-5
    high: float = 10.0**0.5
    num: int = 12

    def __post_init__(self) -> None:
        """Refuse what is no grid.

        Raises:
            OptbenchError: bounds that are not positive and ascending, or no values.
        """
        for name, value in vars(self).items():
            _require_positive(f"learning_rate.{name}", value)
        if not self.low <= self.high:
            raise OptbenchError(
                f"learning_rate runs from {self.low} to {self.high}", "give low below high"
            )

    def values(self) -> np.ndarray:
        """The values, ascending."""
        return np.geomspace(self.low, self.high, self.num)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """What to run: every optimizer on every problem, over all seeds and settings.

    Attributes:
        name: of the study, and of its folder.
        problems: labels.
        optimizers: labels; what a label sets is not searched, and nothing is where it sets the
            learning rate.
        description: what the study is for.
        seeds: how many seeds; each decides a start and, where there are samples, their stream.
        tuning_seeds: how many others the settings are tuned on.
        trials: settings tried of every optimizer that has something to tune, a power of two.
        budget: in gradient-equivalents per run, in tuning as in evaluation.
        targets: fractions of the initial merit, descending.
        target: the one that settings are tuned for, and the verdict speaks of; None for 1e-4, or
            the hardest where that is none of the targets.
        reference: the optimizer that all are compared with; None for the first.
        precision: "float64" or "float32".
        learning_rate: values to run at in place of a search; what is shown is then the best in
            hindsight.
        prices: gradient-equivalents per kind of oracle call.
        measured_prices: whether to time the oracle calls of every problem before it runs, to show
            costs at these prices too; budgets stay at the declared ones.
        diagnostics: whether to measure curvature, directions and sizes along the path, off the
            clock, for all learning rates at the first start.
    """

    name: str
    problems: tuple[str, ...]
    optimizers: tuple[str, ...]
    description: str = ""
    seeds: int = 5
    tuning_seeds: int = 3
    trials: int = 16
    budget: float = 1000.0
    targets: tuple[float, ...] = TARGETS
    target: float | None = None
    reference: str | None = None
    precision: str = "float64"
    learning_rate: LogGrid | None = None
    prices: Prices = Prices()
    measured_prices: bool = False
    diagnostics: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            OptbenchError: a value out of range.
        """
        if not re.fullmatch(r"\w[\w.\-]*", self.name):
            raise OptbenchError(
                f"a study cannot be named {self.name!r}", "use letters, digits, '-', '_' and '.'"
            )
        for name in ("problems", "optimizers"):
            labels = getattr(self, name)
            if not labels:
                raise OptbenchError(f"the study has no {name}", f"name one: {name} = [...]")
            for label in labels:
                if labels.count(label) > 1:
                    raise OptbenchError(f"{label!r} stands twice in {name}", "name it once")
        for name in ("seeds", "tuning_seeds", "trials", "budget"):
            _require_positive(name, getattr(self, name))
        if self.trials.bit_count() > 1:
            raise OptbenchError(f"trials is {self.trials}", "give a power of two, as Sobol wants")
        if self.target is not None and self.target not in self.targets:
            given = ", ".join(f"{target:g}" for target in self.targets)
            raise OptbenchError(f"target {self.target:g} is no target", f"give one of {given}")
        if self.reference is not None and self.reference not in self.optimizers:
            known = list(self.optimizers)
            raise unknown_name("reference", self.reference, known, "name one of the optimizers")
        for kind, price in self.prices._asdict().items():
            if not 0 <= price < math.inf:
                raise OptbenchError(f"the price of {kind} is {price}", "give 0 or more")
        _require_positive("the price of value_and_gradients", self.prices.value_and_gradients)
        self.plan()

    def plan(self) -> Plan:
        """How far each run goes."""
        return Plan(
            budget=self.budget,
            targets=self.targets,
            prices=self.prices,
            dtype=self.precision,
            diagnostics=self.diagnostics,
        )

    def to_toml(self) -> str:
        """The study as TOML, every default written out."""
        values = dataclasses.asdict(self) | {"prices": self.prices._asdict()}
        return tomli_w.dumps({name: v for name, v in values.items() if v is not None})

    @property
    def headline_target(self) -> float:
        """The target that settings are tuned for."""
        if self.target is not None:
            return self.target
        return headline_of(self.targets)

    def search(self) -> Search:
        """Over what hyperparameters are searched."""
        grid = self.learning_rate
        return Search(
            seeds=self.seeds,
            tuning_seeds=self.tuning_seeds,
            trials=self.trials,
            target=self.headline_target,
            grid=None if grid is None else tuple(map(float, grid.values())),
        )

    @classmethod
    def from_toml(cls, text: str, name: str | None = None) -> Study:
        """The study that TOML describes.

        Args:
            text: keys as the fields of `Study`.
            name: where the text gives none.

        Raises:
            OptbenchError: no TOML, an unknown key, or a value that is refused.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            hint = "write key = value, text in quotes, lists in brackets"
            raise OptbenchError(f"this is no TOML: {error}", hint) from error
        return cls.from_mapping({"name": name} | values if name else values)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Study:
        """The study of values as TOML holds them: lists, tables, numbers and text.

        Raises:
            OptbenchError: an unknown key, or a value that is refused.
        """
        given = _read(_STUDY, "a study", values)
        for key in ("name", "problems", "optimizers"):
            if key not in given:
                raise OptbenchError(f"the study has no {key}", f"add a line: {key} = ...")
        return cls(**given)


Reader = Callable[[str, Any], Any]  # (key, what TOML holds) -> the value of the field


def _read(readers: Mapping[str, Reader], what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the right kind, by key.

    Raises:
        OptbenchError: an unknown key, or a value of another kind.
    """
    for key in values:
        if key not in readers:
            known = list(readers)
            raise unknown_name(f"key of {what}", key, known, f"the keys are {', '.join(known)}")
    return {key: readers[key](key, value) for key, value in values.items()}


def _text(key: str, value: Any) -> str:
    return _of_kind(key, value, str, "text in quotes")


def _whole(key: str, value: Any) -> int:
    return _of_kind(key, value, int, "a whole number")


def _number(key: str, value: Any) -> float:
    return float(_of_kind(key, value, (int, float), "a number"))


def _truth(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise OptbenchError(f"{key} is {value!r}", "give true or false")
    return value


def _each(reader: Reader, key: str, value: Any) -> tuple[Any, ...]:
    return tuple(reader(key, item) for item in _of_kind(key, value, list, "a list in brackets"))


def _record(make: Callable[..., Any], readers: Mapping[str, Reader], key: str, value: Any) -> Any:
    return make(**_read(readers, key, _of_kind(key, value, dict, f"a table: [{key}]")))


def _of_kind(key: str, value: Any, kind: Any, words: str) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise OptbenchError(f"{key} is {value!r}", f"give {words}")
    return value


_texts, _numbers = functools.partial(_each, _text), functools.partial(_each, _number)
_grid = {"low": _number, "high": _number, "num": _whole}
_STUDY: dict[str, Reader] = {
    "name": _text,
    "problems": _texts,
    "optimizers": _texts,
    "description": _text,
    "seeds": _whole,
    "tuning_seeds": _whole,
    "trials": _whole,
    "budget": _number,
    "targets": _numbers,
    "target": _number,
    "reference": _text,
    "precision": _text,
    "learning_rate": functools.partial(_record, LogGrid, _grid),
    "prices": functools.partial(_record, Prices, dict.fromkeys(Prices._fields, _number)),
    "measured_prices": _truth,
    "diagnostics": _truth,
}


def load_study(named: str | Path) -> Study:
    """The study of a TOML file, or a shipped one by its name.

    Raises:
        OptbenchError: there is none of this name, or its file cannot be read or is refused.
    """
    return load_named(named, "studies", "study", Study.from_toml)


def shipped_studies() -> dict[str, Traversable]:
    """Name -> file of the studies that ship."""
    return shipped_files("studies")
