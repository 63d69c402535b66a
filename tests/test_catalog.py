from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optbench import catalog
from optbench.catalog import Label, collect, load_file, lookup, parse_label, read_value
from optbench.errors import OptbenchError

FIRST = """
from __future__ import annotations
import optbench.optimizer
from optbench.optimizer import Optimizer

def plain(learning_rate: float = 0.1) -> Optimizer: ...
def qualified() -> optbench.optimizer.Optimizer: ...
def quoted() -> "Optimizer": ...
def _private() -> Optimizer: ...
def needs(learning_rate) -> Optimizer: ...
def other() -> float: ...
def unannotated(): ...
value: Optimizer | None = None
"""
SECOND = "from first import plain\nfrom optbench.optimizer import Optimizer\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """Write modules of a package of a fresh name; returns the name."""
    name = f"catalog_{request.node.name.split('[')[0]}"
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**modules: str) -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for module, text in modules.items():
            (folder / f"{module}.py").write_text(text)
        return name

    return write


def test_collect_finds_what_is_annotated_and_complete(package):
    second = "from optbench.optimizer import Optimizer\ndef late() -> Optimizer: ...\n"
    found = collect(package(first=FIRST, second=second), "Optimizer")
    assert list(found) == ["plain", "qualified", "quoted", "late"]


def test_collect_leaves_out_what_a_module_imports(package):
    name = package(first=FIRST)
    again = f"from {name}.first import plain\n"
    Path(__import__(name).__file__).with_name("second.py").write_text(again)
    assert list(collect(name, "Optimizer")) == ["plain", "qualified", "quoted"]


def test_collect_refuses_two_entries_of_one_name(package):
    name = package(first=FIRST, second=FIRST)
    with pytest.raises(OptbenchError, match="two entries are named 'plain'.*first.*second"):
        collect(name, "Optimizer")


def test_collect_refuses_a_package_it_cannot_import():
    with pytest.raises(OptbenchError, match="cannot import 'no_such_catalog'"):
        collect("no_such_catalog", "Optimizer")


def test_entries_know_a_class_as_annotation(package):
    found = collect(
        package(only=SECOND.splitlines()[1] + "\ndef f() -> Optimizer: ..."), "Optimizer"
    )
    assert list(found) == ["f"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("adam", Label("adam")),
        (" adam [ b1 = 0.9 ] ", Label("adam", None, (("b1", 0.9),))),
        ("adam[]", Label("adam")),
        ("optax.yogi[b1=1e-3]", Label("optax.yogi", None, (("b1", 1e-3),))),
        (
            "clip(lookahead(adam[b1=0.5])[k=5])[max_norm=inf]",
            Label(
                "clip",
                Label("lookahead", Label("adam", None, (("b1", 0.5),)), (("k", 5),)),
                (("max_norm", float("inf")),),
            ),
        ),
        (
            "clip(my/own-file.py:adam[b1=1])",
            Label("clip", Label("my/own-file.py:adam", None, (("b1", 1),))),
        ),
        (
            "f[a=(1,2),b=[3],c=text,d=None,e=True,f='a,]',g=(x,-inf),h=()]",
            Label(
                "f",
                None,
                (
                    ("a", (1, 2)),
                    ("b", (3,)),
                    ("c", "text"),
                    ("d", None),
                    ("e", True),
                    ("f", "a,]"),
                    ("g", ("x", float("-inf"))),
                    ("h", ()),
                ),
            ),
        ),
    ],
)  # fmt: skip
def test_grammar_reads(text: str, label: Label):
    assert parse_label(text) == label
    assert parse_label(str(label)) == label


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[a=1]",
        "adam[a=1",
        "adam(b",
        "adam]",
        "adam[1]",
        "adam[a=1]x",
        "f[a=1,a=2]",
        "a b",
        "(a)",
    ],
)
def test_grammar_refuses(text: str):
    with pytest.raises(OptbenchError, match="cannot read") as caught:
        parse_label(text)
    assert caught.value.hint == catalog.GRAMMAR


names = st.text(string.ascii_letters + "_", min_size=1, max_size=8)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)
)
values = st.one_of(scalars, st.lists(scalars, max_size=3).map(tuple))
arguments = st.dictionaries(names, values, max_size=3).map(lambda d: tuple(d.items()))
nestings = st.lists(st.tuples(names, arguments), min_size=1, max_size=3)


@settings(deadline=None)
@given(nestings)
def test_every_label_reads_back(nesting: list):
    label = None
    for name, given_arguments in nesting:
        label = Label(name, label, given_arguments)
    assert parse_label(str(label)) == label
    assert repr(parse_label(str(label))) == repr(label)  # 1 is not True, nor 1.0


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text: str):
    try:
        parse_label(text)
    except OptbenchError as error:
        assert "\n" not in error.message


def test_values_keep_their_types():
    assert [read_value(t) for t in ("1", "1.0", "True", "'1'", "1e", "{1: 2}")] == [
        1, 1.0, True, "1", "1e", "{1: 2}",
    ]  # fmt: skip
    assert isinstance(read_value("1"), int)


def entry(learning_rate: float = 0.1, memory_size: int = 10) -> float:
    return learning_rate * memory_size


def test_near_names_are_offered():
    with pytest.raises(OptbenchError, match="no optimizer named 'adm'") as caught:
        lookup("adm", {"adam": entry, "lion": entry}, "optimizer", "Optimizer")
    assert caught.value.hint.startswith("did you mean 'adam'?")
    with pytest.raises(OptbenchError, match="'learning_rat'") as caught:
        catalog.check_arguments(entry, (("learning_rat", 1.0),), "optimizer", "entry")
    assert caught.value.hint.startswith("did you mean 'learning_rate'? entry takes learning_rate")
    catalog.check_arguments(entry, (("memory_size", 2),), "optimizer", "entry")


def test_a_file_is_a_catalog_too(tmp_path: Path):
    path = tmp_path / "mine.py"
    path.write_text("def own(scale=2.0):\n    return scale\n")
    assert lookup(f"{path}:own", {}, "optimizer", "Optimizer")() == 2.0
    assert load_file(f"{path}:own") is load_file(f"{path}:own")
    with pytest.raises(OptbenchError, match="no function named 'owm'") as caught:
        load_file(f"{path}:owm")
    assert "'own'" in caught.value.hint
    with pytest.raises(OptbenchError, match="no file"):
        load_file(f"{tmp_path / 'missing.py'}:own")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(OptbenchError, match=r"broken\.py fails when run: ZeroDivisionError"):
        load_file(f"{tmp_path / 'broken.py'}:own")
