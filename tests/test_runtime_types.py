"""Annotations are checked at every call, and a wrong one is an error."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from runtime_types import WrongType, check_packages

from optbench.errors import first_line
from problems.classical.valleys import rosenbrock

PLANTED = """
from __future__ import annotations
import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from elsewhere import Other, Unknown as Another

def known(first: Other | None, second: list[Another]) -> Later:
    return first

class Later:
    pass

def half(value: float) -> float:
    return value / 2

def wrong() -> int:
    return "one"

class Pair(NamedTuple):
    a: Any
    b: Any
    def scaled(self, factor: float) -> Pair:
        return Pair(self.a * factor, self.b * factor)

@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    @property
    def name(self) -> str:
        return self.x
"""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package that is checked, and imported anew."""
    (tmp_path / "planted_types").mkdir()
    (tmp_path / "planted_types" / "__init__.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    check_packages("planted_types")
    yield importlib.import_module("planted_types")
    del sys.modules["planted_types"]


def test_what_is_of_its_type_passes(planted: ModuleType):
    assert planted.half(3) == planted.half(3.0) == 1.5  # an int is a float
    assert planted.Pair(1, "b").scaled(2) == (2, "bb")
    assert planted.Point(1).x == 1
    assert isinstance(planted.known(planted.Later(), [1]), planted.Later)
    assert planted.half.__annotations__ == {"value": "float", "return": "float"}  # as written


@pytest.mark.parametrize(
    "call",
    [
        lambda module: module.half("3"),
        lambda module: module.wrong(),
        lambda module: module.Pair(1, 2).scaled("2"),
        lambda module: module.Point("x"),
        lambda module: module.known("of any type", [1]),
        lambda module: module.Point(1.0).name,
    ],
)
def test_a_wrong_type_is_an_error(planted: ModuleType, call):
    with pytest.raises(WrongType):
        call(planted)


def test_ours_are_checked():
    for call in (lambda: first_line(3), lambda: rosenbrock(dim="two")):
        with pytest.raises(WrongType):
            call()
