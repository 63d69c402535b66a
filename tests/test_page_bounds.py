"""The theorems of a report: what is kept of them, where each stands, and how one is looked at."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from pages import bare_page
from playwright.sync_api import Page

from optbench.bounds.adaptive.adam import adam_update_bound
from optbench.bounds.descent.convex import gd_convex_tight
from optbench.bounds.descent.strongly_convex import gd_sc_fgap
from optbench.bounds.momentum.heavy_ball import hb_quad_exact
from optbench.bounds.momentum.lower import lb_nesterov_sc
from optbench.bounds.second_order.newton import newton_affine_invariance
from optbench.checks import BoundReport, check_bound
from optbench.errors import OptbenchError
from optbench.figures.bound_curves import Compared, panels
from optbench.figures.bounds import heights
from optbench.page.bounds import MOST_POINTS, bounds, place, spread
from optbench.page.payload import pack
from optbench.page.source import Source
from optbench.records import pack as pack_records
from optbench.records import unpack
from optbench.report.bound_records import FILE, BoundRecord, pack_bounds, read_bounds
from optbench.report.bounds import write_bounds
from optbench.results import Results

OpenPage = Callable[..., Page]
CURVES = ("k", "observed", "bound", "ratios", "perturbed")
FIELDS = ("instance", "kind", "seed", "optimizer", "setting", "tolerance", "precise", "ratio_k")


def wrong():
    """A constant 10 % too small, at one step size."""
    theorem = gd_sc_fgap()
    false = functools.wraps(theorem.formula)(lambda **symbols: 0.9 * theorem.formula(**symbols))
    planted = {"name": "wrong", "formula": false, "parameters": {"h": (0.5,)}}
    return dataclasses.replace(theorem, statement="Less is true.", **planted)


@functools.cache
def reports() -> tuple[tuple[str, BoundReport], ...]:
    """Tight, an identity, about one step each, of zero, from below, and false."""
    theorems = (
        gd_convex_tight,
        hb_quad_exact,
        adam_update_bound,
        newton_affine_invariance,
        lb_nesterov_sc,
        wrong,
    )
    return tuple((f"Group {i // 2}", check_bound(t())) for i, t in enumerate(theorems))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bounds")
    write_bounds(reports(), path, planned=len(reports()))
    return path


@pytest.fixture(scope="module")
def records(folder: Path) -> dict[str, BoundRecord]:
    return {record.facts["name"]: record for record in read_bounds(folder)}


# What is kept


def test_every_curve_is_kept_to_the_bit(records: dict[str, BoundRecord]):
    assert list(records) == [report.theorem.name for _, report in reports()]
    for _, report in reports():
        runs = records[report.theorem.name].runs
        for run, comparison in zip(runs, report.comparisons, strict=True):
            assert isinstance(run, Compared)
            for name in CURVES:
                kept, seen = getattr(run, name), getattr(comparison, name)
                assert (kept is None) == (seen is None)
                assert seen is None or np.array_equal(kept, seen, equal_nan=True), name
            for name in FIELDS:
                assert getattr(run, name) == getattr(comparison, name), name
            crossing = comparison.crossing
            assert run.crossing == (crossing and tuple(crossing.to_json().values()))


def test_the_panels_of_what_is_kept_are_those_of_the_comparisons(records: dict[str, BoundRecord]):
    for _, report in reports():
        kept, seen = panels(records[report.theorem.name].runs), panels(report.comparisons)
        for one, other in zip(kept, seen, strict=True):
            assert (one.setting, one.axis, one.scale) == (other.setting, other.axis, other.scale)
            assert np.array_equal(one.x, other.x) and np.array_equal(one.reference, other.reference)
            for a, b in zip(one.curves, other.curves, strict=True):
                assert (a.name, a.nearest, a.crossed) == (b.name, b.nearest, b.crossed)
                assert np.array_equal(a.ratios, b.ratios, equal_nan=True)


def test_what_a_theorem_says_is_kept(records: dict[str, BoundRecord]):
    for group, report in reports():
        facts = dict(records[report.theorem.name].facts)
        told = json.loads(json.dumps(report.to_json()))
        del told["comparisons"]
        assert told.items() <= facts.items() and facts["group"] == group
    families = [record.facts["family"] for record in records.values()]
    assert families == ["descent", "momentum", "adaptive", "second order", "momentum", "own"]
    assert records["gd_convex_tight"].facts["command"] == "optbench bounds gd_convex_tight"
    assert records["wrong"].facts["command"] is None
    (own,) = _reread(pack_bounds(reports()[:1], own=True))
    assert own.facts["command"] is None


def _reread(packed: bytes) -> list[BoundRecord]:
    with mock.patch.object(Path, "exists", lambda path: True):
        with mock.patch.object(Path, "read_bytes", lambda path: packed):
            return read_bounds(Path("anywhere"))


def test_an_interrupted_run_keeps_what_there_is(tmp_path: Path):
    write_bounds(reports()[:2], tmp_path, planned=6)
    assert [r.facts["name"] for r in read_bounds(tmp_path)] == ["gd_convex_tight", "hb_quad_exact"]


def test_curves_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch):
    write_bounds(reports()[:1], tmp_path)
    before = (tmp_path / FILE).read_bytes()
    (tmp_path / f"{FILE}.part").symlink_to("/dev/full")  # Linux: every write to it is refused
    with pytest.raises(OptbenchError, match="the disk is full"):
        write_bounds(reports()[:2], tmp_path)
    assert (tmp_path / FILE).read_bytes() == before and not list(tmp_path.glob("*.part"))


def changed(packed: bytes, **changes: object) -> bytes:
    arrays, values = unpack(packed)
    return pack_records(arrays, values | changes)


def with_short_curves(packed: bytes) -> bytes:
    arrays, values = unpack(packed)
    return pack_records(arrays | {"ratios": arrays["ratios"][:-1]}, values)


def with_long_curves(packed: bytes) -> bytes:
    arrays, values = unpack(packed)
    return pack_records({name: np.append(a, 1.0) for name, a in arrays.items()}, values)


def with_a_pickle(packed: bytes) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, json=np.array([print], dtype=object))
    return buffer.getvalue()


def an_array(packed: bytes) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


def a_zip(packed: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "b")
    return buffer.getvalue()


DAMAGES = {
    "empty": lambda packed: b"",
    "text": lambda packed: b"no curves at all",
    "cut": lambda packed: packed[: len(packed) // 2],
    "one byte": lambda packed: packed[:200] + bytes([packed[200] ^ 255]) + packed[201:],
    "pickle": with_a_pickle,
    "array": an_array,
    "zip": a_zip,
    "foreign": lambda packed: changed(packed, content="a trajectory"),
    "no list": lambda packed: changed(packed, theorems=3),
    "no facts": lambda packed: changed(packed, theorems=[{"name": "a"}]),
    "short": with_short_curves,
    "long": with_long_curves,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_or_foreign_file_is_refused(
    damage: Callable[[bytes], bytes], folder: Path, tmp_path: Path
):
    (tmp_path / FILE).write_bytes(damage((folder / FILE).read_bytes()))
    with pytest.raises(OptbenchError, match=r"is damaged, or no file of optbench") as refused:
        read_bounds(tmp_path)
    assert refused.value.hint


@pytest.mark.parametrize("schema", [0, 2, "new"])
def test_a_file_of_another_version_is_refused(schema: object, folder: Path, tmp_path: Path):
    (tmp_path / FILE).write_bytes(changed((folder / FILE).read_bytes(), schema=schema))
    with pytest.raises(OptbenchError, match=f"another optbench .schema {schema}, here 1"):
        read_bounds(tmp_path)


def test_a_folder_without_the_file_is_refused(tmp_path: Path):
    with pytest.raises(OptbenchError, match=r"no bounds\.npz in "):
        read_bounds(tmp_path)


def test_reading_needs_no_jax(folder: Path, fresh_python):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from optbench.report.bound_records import read_bounds\n"
        "print(len(read_bounds(Path(os.environ['FOLDER']))), 'jax' in sys.modules)"
    )
    assert fresh_python(code, FOLDER=folder) == ["6 False"]


# Where each stands


def section(path: Path | None) -> dict | None:
    nothing: dict = {}
    results = Results(folder=None, study=nothing, environment=nothing, problems=nothing,
                      optimizers=(), cells=(), load=nothing.get)  # fmt: skip
    return bounds(Source(results=results, folder="", bounds=path))


def test_without_bounds_there_is_no_section():
    assert section(None) is None


def test_the_place_of_a_theorem_is_beyond_one_where_it_is_crossed(records: dict[str, BoundRecord]):
    for _, report in reports():
        found = place(records[report.theorem.name])
        nearest = report.nearest
        if nearest is None:
            assert found is None and report.theorem.name == "newton_affine_invariance"
            continue
        assert found is not None and nearest.excess is not None
        beyond = report.theorem.direction != "identity" and nearest.excess > 1e-9
        assert (found > 1 + 1e-9) == beyond
    below = records["lb_nesterov_sc"]
    assert place(below) == pytest.approx(1 / below.facts["ratio"], rel=1e-15)
    assert place(records["wrong"]) == pytest.approx(1 / 0.9, rel=1e-6)


def with_bound(record: BoundRecord, factor: float, direction: str) -> BoundRecord:
    runs = tuple(dataclasses.replace(run, bound=factor * run.bound) for run in record.runs)
    return dataclasses.replace(
        record, runs=runs, facts={**record.facts, "direction": direction, "ratio": 0.5}
    )


@pytest.mark.parametrize(
    ("factor", "direction", "found"),
    [
        (1, "upper", 0.5),
        (-1, "upper", 2),
        (1, "lower", 2),
        (-1, "lower", 0.5),
        (1, "identity", 0.5),
    ],
)
def test_a_ratio_is_turned_over_where_larger_is_safer(
    factor: float, direction: str, found: float, records: dict[str, BoundRecord]
):
    record = records["gd_convex_tight"]
    facts = {**record.facts, "ratio": 0.5, "ratio_k": 1}
    runs = tuple(dataclasses.replace(run, ratio=0.5, ratio_k=1) for run in record.runs)
    planted = dataclasses.replace(record, facts=facts, runs=runs)
    assert place(with_bound(planted, factor, direction)) == found


# What is drawn


def test_curves_are_drawn_where_python_has_them(folder: Path, records: dict[str, BoundRecord]):
    found = section(folder)
    assert found is not None
    for theorem in found["theorems"]:
        for told, panel in zip(
            theorem["panels"], panels(records[theorem["name"]].runs), strict=True
        ):
            assert told["heights"].shape == (len(told["which"]), len(told["x"]))
            assert len(told["x"]) <= MOST_POINTS
            assert {told["x"][0], told["x"][-1]} == {panel.x[0], panel.x[-1]}
            for drawn, curve in zip(told["heights"], panel.curves, strict=False):
                heights_at = dict(zip(curve.x.tolist(), heights(curve, panel), strict=True))
                wanted = [heights_at.get(float(x), np.nan) for x in told["x"]]
                lost = np.isnan(drawn) & ~np.isnan(wanted)
                assert np.all(np.abs(np.array(wanted)[lost]) < 2e-38)
                assert np.allclose(drawn[~lost], np.array(wanted)[~lost], 1e-6, 0, equal_nan=True)
    crossed = {t["name"]: sum(len(p["crossed"]) for p in t["panels"]) for t in found["theorems"]}
    for _, report in reports():
        beyond = sum(comparison.crossing is not None for comparison in report.comparisons)
        assert crossed[report.theorem.name] == beyond
    assert crossed["wrong"] > 0


@pytest.mark.parametrize("last", [3, 60, 61, 500, 20_000])
def test_places_are_spread_over_the_axis(last: int, records: dict[str, BoundRecord]):
    (panel, *_) = panels(records["gd_convex_tight"].runs)
    x = np.arange(1.0, last + 1)
    panel = dataclasses.replace(panel, x=x, reference=np.ones_like(x))
    kept = spread(panel)
    assert kept[0] == 0 and kept[-1] == last - 1 and len(kept) <= MOST_POINTS
    assert np.all(np.diff(kept) > 0)
    on_axis = np.log(x[kept]) if panel.logarithmic else x[kept]
    gaps = np.diff(on_axis)[x[kept][:-1] > 20]
    assert not len(gaps) or gaps.max() < 2.5 * (on_axis[-1] - on_axis[0]) / min(last, MOST_POINTS)


# In the browser


@pytest.fixture
def page(folder: Path, tmp_path: Path, open_page: OpenPage) -> Page:
    facts = {"problems": [], "optimizers": [], "sections": {"bounds": section(folder)}}
    page = open_page(bare_page(tmp_path / "page.html", pack(facts)))
    return shown(page)


def shown(page: Page) -> Page:
    page.evaluate("optbench.drawAll()")
    page.evaluate("optbench.settled()")
    return page


def chosen(page: Page) -> str:
    name = page.locator(".facts b").inner_text()
    assert name in (page.locator("#figure-bound").get_attribute("aria-label") or "")
    return name


def verdicts() -> list[str]:
    return [str(report.verdict) for _, report in reports()]


def dots(page: Page) -> dict[int, tuple[str, str]]:
    """Theorem -> symbol and color of its mark."""
    marks = page.evaluate(
        """document.getElementById('figure-bounds').data.filter((t) => t.text)
        .flatMap((t) => t.customdata.map((i) => [i, t.marker.symbol, t.marker.color]))"""
    )
    return {index: (symbol, color) for index, symbol, color in marks}


def test_every_theorem_with_a_ratio_is_a_mark_and_the_verdict_tells_which(page: Page):
    found = dots(page)
    assert sorted(found) == [0, 1, 2, 4, 5]
    for index, look in found.items():
        assert (look == found[5]) == (verdicts()[index] == "crossed")
    symbols, colors = zip(*found.values(), strict=True)
    assert len(set(symbols)) == len(set(colors)) == len({verdicts()[i] for i in found})
    assert "1 without a ratio" in page.locator("[data-figure=bounds] output").inner_text()
    assert "crossed (2)" in page.locator("[data-figure=bounds] .key").inner_text()
    shapes = page.evaluate("document.getElementById('figure-bounds').layout.shapes")
    assert [s["x0"] for s in shapes if s["x0"] == s["x1"]] == [1]


def test_marks_of_one_family_do_not_overlap(page: Page):
    boxes = page.locator("#figure-bounds .scatterlayer path.point").evaluate_all(
        "all => all.map((p) => p.getBoundingClientRect()).map((b) => [b.x, b.y, b.width])"
    )
    small = [box for box in boxes if box[2] < 16]  # without the ring around the chosen one
    assert len(small) == 5
    for i, (x, y, width) in enumerate(small):
        for x2, y2, width2 in small[:i]:
            apart = max(abs(x - x2), abs(y - y2))
            assert apart > 0.8 * min(width, width2)


def test_a_click_on_a_mark_shows_its_theorem(page: Page):
    assert chosen(page) == "gd_convex_tight"
    marks = page.locator("#figure-bounds .scatterlayer .trace").last.locator("path.point")
    assert marks.count() == verdicts().count("crossed") == 2
    box = marks.last.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.evaluate("optbench.settled()")
    assert chosen(page) == "wrong"
    assert page.locator("[data-figure=bound] select").input_value() == "5"


def test_a_theorem_is_chosen_from_the_keyboard(page: Page):
    menu = page.locator("[data-figure=bound] select")
    menu.focus()
    page.keyboard.press("ArrowDown")
    shown(page)
    assert chosen(page) == "hb_quad_exact"
    page.keyboard.type("wrong")
    shown(page)
    assert chosen(page) == "wrong"
    facts = page.locator(".facts").inner_text()
    assert "Less is true." in facts and "crossed" in facts and "observed " in facts
    crosses = page.evaluate(
        "document.getElementById('figure-bound').data.filter((t) => t.name === 'crossed').length"
    )
    assert crosses > 0
    assert page.locator("[data-figure=bound] .tools code").inner_text() == ""


def test_the_search_narrows_marks_and_menu(page: Page):
    search = page.get_by_label("Search theorems")
    search.press_sequentially("MOMENTUM lower")
    shown(page)
    assert list(dots(page)) == [4] and chosen(page) == "lb_nesterov_sc"
    assert page.locator("[data-figure=bound] option").count() == 1
    search.fill("no such theorem")
    shown(page)
    assert page.locator("#figure-bounds .empty").count() == 1
    assert chosen(page) == "lb_nesterov_sc"
    search.fill("")
    shown(page)
    assert len(dots(page)) == 5 and page.locator("[data-figure=bound] option").count() == 6


def test_the_figure_of_each_theorem_has_its_curves(page: Page, records: dict[str, BoundRecord]):
    for index, (name, record) in enumerate(records.items()):
        page.locator("[data-figure=bound] select").select_option(str(index))
        shown(page)
        assert chosen(page) == name
        for said in ("statement", "latex", "source", "method"):
            assert " ".join(record.facts[said].split()) in " ".join(
                page.locator(".facts").inner_text().split()
            )
        drawn = panels(record.runs)
        bound = "granted" if drawn[0].scale == "zero" else "bound"
        names = page.evaluate("document.getElementById('figure-bound').data.map((t) => t.name)")
        assert names.count(bound) == len(drawn)
        assert page.locator("#figure-bound .xaxislayer-above").count() == len(drawn)
        command = page.locator("[data-figure=bound] .tools code").inner_text()
        assert command == ("" if name == "wrong" else f"optbench bounds {name}")
