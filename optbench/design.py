"""The design of a study: problems times optimizers times learning rates times seeds."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from optbench.errors import OptbenchError, unknown_name
from optbench.oracle import Prices
from optbench.plan import Plan
from optbench.trajectory import TARGETS


def _require_keys(what: str, values: Mapping[str, Any], known: list[str]) -> None:
    for key in values:
        if key not in known:
            raise unknown_name(f"key of {what}", key, known, f"the keys are {', '.join(known)}")


def _require(name: str, value: Any, kind: Any, words: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise OptbenchError(f"{name} is {value!r}", f"give {words}")


def _require_count(name: str, value: Any) -> None:
    _require(name, value, int, "a whole number")
    if value < 1:
        raise OptbenchError(f"{name} is {value}", "give 1 or more")


def _require_positive(name: str, value: Any) -> None:
    _require(name, value, (int, float), "a number")
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
        _require_count("learning_rate.num", self.num)
        for name in ("low", "high"):
            _require_positive(f"learning_rate.{name}", getattr(self, name))
        if not self.low <= self.high:
            raise OptbenchError(
                f"learning_rate runs from {self.low} to {self.high}", "give low below high"
            )

    def values(self) -> np.ndarray:
        """The values, ascending."""
        return np.geomspace(self.low, self.high, self.num)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """What to run: every optimizer on every problem, over all seeds and learning rates.

    Attributes:
        name: of the study, and of its folder.
        problems: labels.
        optimizers: labels; one that sets its learning rate runs at that alone.
        description: what the study is for.
        seeds: how many seeds; each decides a start and, where there are samples, their stream.
        budget: in gradient-equivalents per run.
        targets: fractions of the initial merit, descending.
        precision: "float64" or "float32".
        learning_rate: the values swept.
        prices: gradient-equivalents per kind of oracle call.
    """

    name: str
    problems: tuple[str, ...]
    optimizers: tuple[str, ...]
    description: str = ""
    seeds: int = 5
    budget: float = 1000.0
    targets: tuple[float, ...] = TARGETS
    precision: str = "float64"
    learning_rate: LogGrid = LogGrid()
    prices: Prices = Prices()

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            OptbenchError: a value of the wrong kind or out of range.
        """
        for name in ("name", "description", "precision"):
            _require(name, getattr(self, name), str, "text")
        if not re.fullmatch(r"\w[\w.\-]*", self.name):
            raise OptbenchError(
                f"a study cannot be named {self.name!r}", "use letters, digits, '-', '_' and '.'"
            )
        for name in ("problems", "optimizers"):
            labels = getattr(self, name)
            if not isinstance(labels, tuple) or not labels:
                raise OptbenchError(f"{name} are {labels!r}", f"name at least one: {name} = [...]")
            for label in labels:
                _require(name, label, str, "text")
                if labels.count(label) > 1:
                    raise OptbenchError(f"{label!r} stands twice in {name}", "name it once")
        _require_count("seeds", self.seeds)
        _require_positive("budget", self.budget)
        _require("targets", self.targets, tuple, "a list of numbers")
        for target in self.targets:
            _require_positive("a target", target)
        for kind, price in self.prices._asdict().items():
            _require(f"the price of {kind}", price, (int, float), "a number")
            if not 0 <= price < math.inf:
                raise OptbenchError(f"the price of {kind} is {price}", "give 0 or more")
        _require_positive("the price of value_and_gradients", self.prices.value_and_gradients)
        self.plan()

    def plan(self) -> Plan:
        """How far each run goes."""
        return Plan(
            budget=float(self.budget),
            targets=tuple(map(float, self.targets)),
            prices=Prices(*map(float, self.prices)),
            dtype=self.precision,
        )

    def to_toml(self) -> str:
        """The study as TOML, every default written out."""
        values = dataclasses.asdict(self)
        return tomli_w.dumps({**values, "prices": self.prices._asdict()})

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
        known = [field.name for field in dataclasses.fields(cls)]
        _require_keys("a study", values, known)
        for key in ("problems", "optimizers", "targets"):
            if isinstance(values.get(key), list):
                values[key] = tuple(values[key])
        if "learning_rate" in values:
            values["learning_rate"] = LogGrid(**_table(values, "learning_rate", LogGrid()))
        if "prices" in values:
            values["prices"] = Prices(**_table(values, "prices", Prices()))
        values.setdefault("name", name)
        for key in ("name", "problems", "optimizers"):
            if values.get(key) is None:
                raise OptbenchError(f"the study has no {key}", f"add a line: {key} = ...")
        return cls(**values)


def load_study(named: str | Path) -> Study:
    """The study of a TOML file, or a shipped one by its name.

    Raises:
        OptbenchError: there is none of this name, or its file cannot be read or is refused.
    """
    path = Path(named)
    if path.suffix != ".toml":
        shipped = {p.name.removesuffix(".toml"): p for p in _shipped()}
        if str(named) not in shipped:
            offer = f"{', '.join(shipped)} ship with optbench; name your own file with its .toml"
            raise unknown_name("study", str(named), list(shipped), offer)
        return Study.from_toml(shipped[str(named)].read_text(encoding="utf-8"))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise OptbenchError(f"cannot read {path}: {reason}", "name a TOML file") from error
    try:
        return Study.from_toml(text, name=path.stem)
    except OptbenchError as error:
        raise OptbenchError(f"{path}: {error.message}", error.hint) from error


def shipped_studies() -> list[str]:
    """The names of the studies that ship."""
    return [path.name.removesuffix(".toml") for path in _shipped()]


def _shipped() -> list[Traversable]:
    files = resources.files("optbench").joinpath("studies").iterdir()
    return sorted((f for f in files if f.name.endswith(".toml")), key=lambda f: f.name)


def _table(values: Mapping[str, Any], key: str, defaults: Any) -> dict[str, Any]:
    known = dataclasses.asdict(defaults) if isinstance(defaults, LogGrid) else defaults._asdict()
    _require(key, values[key], dict, f"a table: [{key}]")
    _require_keys(key, values[key], list(known))
    return values[key]
