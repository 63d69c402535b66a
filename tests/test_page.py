"""The page of a report: what it carries, how it is used, and what it does with hostile text."""

from __future__ import annotations

import base64
import collections
import csv
import functools
import gzip
import html
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from browser import watched_page
from command_line import optbench
from pages import HOSTILE, IMAGE, SCRIPT, bare_page, hostile_page, run_hostile
from playwright.sync_api import Browser, Error, Page

from optbench.bounds.descent.convex import gd_convex_tight
from optbench.bounds.momentum.heavy_ball import hb_quad_exact
from optbench.checks import check_bound
from optbench.page.document import SCRIPTS
from optbench.page.payload import Payload, pack
from optbench.report.bounds import write_bounds
from optbench.results import Results

OpenPage = Callable[..., Page]

ARRAYS = {
    "float32": np.array([[0.1, -3e38], [np.nan, np.inf], [-np.inf, 1e-45]], np.float32),
    "float64": np.array([math.pi, -0.0, 5e-324, np.nan, -np.inf, 1.7e308]),
    "int32": np.array([[[1, -(2**31)]], [[2**31 - 1, 0]]], np.int32),
    "int64": np.arange(5),
    "uint8": np.array([0, 255, 7], np.uint8),
    "bool": np.array([[True], [False], [True]]),
    "empty": np.empty((0, 4), np.float32),
    "scalar": np.array(2.5),
    "strided": np.arange(12.0).reshape(3, 4)[::2, ::-1].T,
    "big endian": np.array([1.5, -2.0], ">f8"),
}
NOTHING: dict[str, Any] = {"problems": [], "optimizers": [], "sections": {}}
LISTED = """({ plain }) => {
  const said = (x) => Number.isFinite(x) ? (Object.is(x, -0) ? "-0" : x) : String(x);
  return Object.fromEntries(Object.entries(plain).map(([name, array]) =>
    [name, { shape: array.shape, kind: array.constructor.name, values: Array.from(array, said) }]));
}"""
KINDS = {"Float32Array": "<f4", "Float64Array": "<f8", "Int32Array": "<i4", "Uint8Array": "u1"}


# What it carries


def decoded(payload: Payload) -> dict[str, np.ndarray]:
    """The arrays of a payload, read without the code that wrote it."""
    data = gzip.decompress(base64.b64decode(payload.arrays))
    kinds = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u1": "u1"}

    def read(reference: dict[str, Any]) -> np.ndarray:
        kind, start, shape = reference["$array"]
        count = math.prod(shape)
        return np.frombuffer(data, kinds[kind], count, start).reshape(shape)

    return {name: read(array) for name, array in json.loads(payload.facts)["plain"].items()}


def in_the_browser(page: Page) -> dict[str, np.ndarray]:
    """The same arrays as a page has them."""
    listed = page.evaluate(f"({LISTED})(optbench.facts)")
    return {
        name: np.array([float(x) for x in found["values"]], KINDS[found["kind"]]).reshape(
            found["shape"]
        )
        for name, found in listed.items()
    }


def carried(arrays: dict[str, np.ndarray]) -> bool:
    """Whether these arrays are those that were packed, to the bit and the sign of zero."""
    return arrays.keys() == ARRAYS.keys() and all(
        arrays[name].shape == array.shape
        and np.array_equal(arrays[name], array, equal_nan=array.dtype.kind == "f")
        and np.array_equal(np.signbit(arrays[name]), np.signbit(array))
        for name, array in ARRAYS.items()
        if array.dtype.kind == "f" or np.array_equal(arrays[name], array)
    )


def test_arrays_are_carried_to_the_bit(tmp_path: Path, open_page: OpenPage):
    payload = pack({**NOTHING, "plain": ARRAYS})
    assert carried(decoded(payload))
    assert carried(in_the_browser(open_page(bare_page(tmp_path / "p.html", payload))))


@pytest.mark.parametrize("defect", ["swapped", "shifted"])
def test_arrays_that_lie_wrongly_are_found_out(defect: str, tmp_path: Path, open_page: OpenPage):
    payload = pack({**NOTHING, "plain": ARRAYS})
    data = gzip.decompress(base64.b64decode(payload.arrays))
    wrong = data[3::-1] + data[4:] if defect == "swapped" else data[8:] + data[:8]
    payload = payload._replace(arrays=base64.b64encode(gzip.compress(wrong)).decode())
    assert not carried(decoded(payload))
    assert not carried(in_the_browser(open_page(bare_page(tmp_path / "p.html", payload))))


def test_a_view_that_is_not_aligned_is_refused_and_said(tmp_path: Path, chromium: Browser):
    payload = pack({**NOTHING, "plain": {"f": np.arange(4.0)}})
    payload = payload._replace(facts=payload.facts.replace('["f8",0,[4]]', '["f8",4,[3]]'))
    path = bare_page(tmp_path / "p.html", payload)
    with pytest.raises(Error, match="multiple of 8"), watched_page(chromium, path):
        pass


def test_every_array_starts_at_a_multiple_of_its_item():
    facts = json.loads(pack({"plain": [*ARRAYS.values()]}).facts)
    starts = [array["$array"][1] for array in facts["plain"]]
    assert len(starts) == len(ARRAYS) and all(start % 8 == 0 for start in starts)


@pytest.mark.parametrize("bad", [math.nan, math.inf, [1, {"a": -math.inf}]])
def test_only_arrays_hold_what_is_not_finite(bad: Any):
    with pytest.raises(ValueError, match="JSON"):
        pack({"bad": bad})


@pytest.mark.parametrize("array", [np.array([1j]), np.array(["a"]), np.array([None])])
def test_other_arrays_are_refused(array: np.ndarray):
    with pytest.raises(TypeError, match="no array of"):
        pack({"bad": array})


def test_no_text_leaves_the_facts(tmp_path: Path, open_page: OpenPage):
    texts = [*HOSTILE, "\u2028 \u2029", "<!--<script>", "]]>", "\\u003c", "\x00\x1f", "😀 ∇f"]
    payload = pack({**NOTHING, "texts": texts, "plain": {t: np.arange(3) for t in texts}})
    assert not set("<>&\u2028\u2029") & set(payload.facts)
    page = open_page(bare_page(tmp_path / "p.html", payload))
    assert page.evaluate("optbench.facts.texts") == texts
    assert page.evaluate("Object.keys(optbench.facts.plain)") == texts


def repeated_names(scripts: Iterable[str]) -> list[str]:
    """What several scripts declare, of which the last would win, or nothing would start."""
    declared = r"^(?:async )?(?:const|let|function|class) (\w+)"
    names = [name for code in scripts for name in re.findall(declared, code, re.MULTILINE)]
    return [name for name, count in collections.Counter(names).items() if count > 1]


def test_scripts_share_one_scope_and_no_name():
    folder = resources.files("optbench.page").joinpath("static")
    scripts = [folder.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS]
    assert repeated_names(scripts) == []
    assert repeated_names([*scripts, "function at() {}"]) == ["at"]


def test_equal_facts_give_equal_pages(tmp_path: Path):
    first, second = (pack({**NOTHING, "plain": ARRAYS}) for _ in range(2))
    assert first == second


# A report to use


@pytest.fixture(scope="module")
def bounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two theorems next to their runs."""
    folder = tmp_path_factory.mktemp("study") / "bounds"
    theorems = {"Descent": gd_convex_tight(), "Momentum": hb_quad_exact()}
    reports = [(group, check_bound(theorem)) for group, theorem in theorems.items()]
    write_bounds(reports, folder, planned=2)
    return folder


@pytest.fixture(scope="module")
def results(bounds: Path) -> Results:
    """A hostile study beside them."""
    return run_hostile(bounds.parent / "hostile")


@pytest.fixture(scope="module")
def report(results: Results, bounds: Path) -> Path:
    """Its page."""
    assert results.folder is not None
    return hostile_page(results, results.folder.parent / "page.html", bounds)


@pytest.fixture
def page(report: Path, open_page: OpenPage) -> Page:
    return open_page(report)


def drawn(page: Page) -> Page:
    """The page with every figure drawn."""
    page.evaluate("optbench.drawAll()")
    page.evaluate("optbench.settled()")
    return page


# Hostile text


def test_hostile_text_is_shown_as_text(page: Page):
    drawn(page)
    page.locator("details").evaluate_all("boxes => boxes.forEach((box) => (box.open = true))")
    shown = page.locator("body").inner_text()
    assert all(text in shown for text in (SCRIPT, IMAGE)), shown
    assert page.locator("#filters").inner_text().count("alert(1)") == 4
    assert page.locator('main script, img, main b:text-is("\'&")').count() == 0


def test_unescaped_text_is_found_out(results: Results, tmp_path: Path, chromium: Browser):
    def lets_images_through(value: object) -> str:
        return html.escape(str(value)).replace(html.escape(IMAGE), IMAGE)

    with mock.patch("optbench.page.top.text", lets_images_through):
        path = hostile_page(results, tmp_path / "page.html")
    with pytest.raises(AssertionError, match="dialog: 1"), watched_page(chromium, path):
        pass


def test_a_page_names_no_machine_and_forbids_the_network(report: Path):
    text = report.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy and policy[1].startswith("default-src 'none'")
    assert "http" not in policy[1] and "connect-src" not in policy[1]
    assert not re.search(r"""(?:src|href)=["']?(?:https?:|//)""", text)


# Theme


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def paper_of_figures(page: Page) -> set[str]:
    return set(
        page.evaluate(
            """[...document.querySelectorAll('.plot .main-svg')].slice(0, 1)
            .map((svg) => getComputedStyle(svg).backgroundColor)"""
        )
    )


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_that_of_the_system_until_it_is_switched(
    dark: bool, report: Path, open_page: OpenPage
):
    page = drawn(open_page(report, dark=dark))
    first = background(page)
    assert paper_of_figures(page) == {first}
    page.locator("#theme").press("Enter")
    page.evaluate("optbench.settled()")
    second = background(page)
    assert paper_of_figures(page) == {second} != {first}
    assert (min(map(int, re.findall(r"\d+", first))) < 128) == dark
    page.locator("#theme").click()
    page.evaluate("optbench.settled()")
    assert background(page) == first and paper_of_figures(page) == {first}


CONTRAST = """() => {
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
      .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$/.test(color)) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const weak = [];
  const texts = "h1,h2,h3,p,a,button,label,figcaption,dt,dd,code,summary,output,li";
  for (const node of document.querySelectorAll(texts)) {
    if (!node.innerText || !node.checkVisibility()) continue;
    const [a, b] = [getComputedStyle(node).color, behind(node)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push([node.tagName, node.innerText.slice(0, 30), ratio]);
  }
  return weak;
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(dark: bool, report: Path, open_page: OpenPage):
    page = drawn(open_page(report, dark=dark))
    assert page.evaluate(CONTRAST) == []
    weaker = "#555" if dark else "#888"
    page.evaluate(f"document.documentElement.style.setProperty('--muted', '{weaker}')")
    assert page.evaluate(CONTRAST) != []


# Keyboard

CONTROLS = """[...document.querySelectorAll('a[href], button, input, select, summary, textarea')]
.filter((node) => node.checkVisibility() && !node.disabled)"""
FOCUS = f"""() => {{
  const node = document.activeElement;
  const style = getComputedStyle(node);
  const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return [({CONTROLS}).indexOf(node), node.matches(':focus-visible') && seen];
}}"""


def unreachable(page: Page) -> set[int]:
    """Indices of controls that Tab does not reach, or that do not show it."""
    count = page.evaluate(f"({CONTROLS}).length")
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(2 * count + 20):
        page.keyboard.press("Tab")
        index, seen = page.evaluate(FOCUS)
        if seen:
            reached.add(index)
    return set(range(count)) - reached


def test_every_control_is_reached_by_tab_and_shows_it(page: Page):
    assert unreachable(drawn(page)) == set()
    page.locator("#theme").evaluate("node => (node.tabIndex = -1)")
    page.locator("figure button").first.evaluate("node => (node.style.outline = 'none')")
    assert len(unreachable(page)) == 2


def test_every_control_has_a_name(page: Page):
    nameless = f"""({CONTROLS}).filter((node) => !(node.getAttribute('aria-label')
    || node.innerText || (node.labels && [...node.labels].some((l) => l.innerText))))
    .map((node) => node.outerHTML)"""
    assert page.evaluate(nameless) == []


def chosen(page: Page, key: str) -> list[int]:
    return page.evaluate(f"optbench.selection.{key}")


@pytest.mark.parametrize("key", ["optimizers", "problems"])
def test_filters_work_from_the_keyboard(key: str, page: Page):
    field = page.locator(f"[data-filter={key}]")
    assert chosen(page, key) == [0, 1, 2]
    field.locator("[type=checkbox]").nth(1).press("Space")
    assert chosen(page, key) == [0, 2]
    assert field.locator("output").inner_text() == "2 of 3"
    field.locator("[type=search]").press_sequentially("script ALERT")
    assert 2 not in chosen(page, key) or key == "problems"
    narrowed = chosen(page, key)
    field.get_by_role("button", name="None").press("Enter")
    assert chosen(page, key) == []
    field.get_by_role("button", name="All").press("Space")
    assert set(narrowed) <= set(chosen(page, key))
    field.locator("[type=search]").fill("")
    assert chosen(page, key) == [0, 1, 2] or 1 not in chosen(page, key)
    field.locator("[type=search]").fill("no such thing")
    assert chosen(page, key) == [] and not field.locator("li:visible").count()


# Figures


def figures(page: Page) -> list[str]:
    """Ids of those that show something."""
    ids = page.evaluate("optbench.figures.filter((f) => f.plot.data).map((f) => f.id)")
    assert "bound" in ids, ids
    return ids


def test_every_figure_says_what_it_shows_and_how_to_read_it(page: Page):
    drawn(page)
    for name in figures(page):
        box = page.locator(f"[data-figure='{name}']")
        plot = box.locator(".plot")
        assert plot.get_attribute("role") == "img"
        assert len(plot.get_attribute("aria-label") or "") > 30, name
        assert re.match(r"How to read: .{20,}\.$", box.locator("figcaption").inner_text()), name
        assert box.locator("h3").inner_text()


def saved(page: Page, name: str, kind: str) -> bytes:
    page.wait_for_timeout(110)  # Chromium drops what is saved oftener than ten times a second
    with page.expect_download() as started:
        page.locator(f"[data-figure='{name}']").get_by_role("button", name=f"as {kind}").click()
    assert started.value.suggested_filename == f"{name}.{kind.lower()}"
    return Path(started.value.path()).read_bytes()


KEY_OF = """(name) => optbench.figures.find((figure) => figure.id === name).legend?.()
    .map(({ label }) => label.trim().split(/\\s+/))"""


def test_figures_are_saved_as_what_is_drawn(page: Page):
    drawn(page)
    with_key = {name for name in figures(page) if page.evaluate(KEY_OF, name)}
    assert with_key >= {"trajectories", "convergence", "profile", "ecdf", "sensitivity"}
    for name in figures(page):
        box = page.locator(f"[data-figure='{name}']")
        size = box.locator(".plot").bounding_box()
        assert size is not None
        image = saved(page, name, "PNG")
        assert image[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = np.frombuffer(image[16:24], ">u4")
        key = page.evaluate(KEY_OF, name)
        assert abs(width - 2 * size["width"]) <= 2
        assert abs(height - 2 * size["height"]) <= 2 or (key and height > 2 * size["height"])
        vector = saved(page, name, "SVG").decode()
        named = re.findall(r'<text class="legendtext"[^>]*>(.*?)</text>', vector)
        assert not key or [html.unescape(text).split() for text in named] == key, name
        assert vector.startswith("<svg") and vector.rstrip().endswith("</svg>")
        paths = "node => node.querySelectorAll('.scatterlayer path, .heatmaplayer image').length"
        assert page.locator(f"#figure-{name}").evaluate(paths) > 0
        rows = list(csv.reader(io.StringIO(saved(page, name, "CSV").decode(), newline="")))
        assert len(rows) > 1 and len({len(row) for row in rows}) == 1, name


def test_of_a_figure_that_draws_nothing_no_picture_is_saved(page: Page):
    page.evaluate("optbench.choose({ optimizers: [] })")
    drawn(page).locator("[data-figure=trajectories]").get_by_role("button", name="as PNG").click()
    page.evaluate("optbench.settled()")  # and no error, which the page would be closed with
    assert page.locator("#figure-trajectories .empty").inner_text()


def test_the_table_of_a_figure_holds_what_is_drawn(page: Page):
    drawn(page)
    text = saved(page, "bound", "CSV").decode()
    table = [float(row["height"]) for row in csv.DictReader(io.StringIO(text, newline=""))]
    heights = page.evaluate(
        """optbench.figures.find((f) => f.id === 'bound').plot.data
        .filter((trace) => !['nearest', 'crossed'].includes(trace.name))
        .flatMap((trace) => Array.from(trace.y).filter((y) => y !== null))"""
    )
    assert sorted(table) == sorted(heights) and len(table) > 100


def test_a_table_quotes_what_it_must(page: Page):
    quoted = list(csv.reader(io.StringIO(saved(drawn(page), "bounds", "CSV").decode(), newline="")))
    assert {"gd_convex_tight", "hb_quad_exact"} == {row[0] for row in quoted[1:]}


# Paper and narrow screens

PRINTED = """() => ({
  undrawn: optbench.figures.filter((f) => !f.plot.querySelector('svg, .empty')).map((f) => f.id),
  controls: [...document.querySelectorAll('button, input, select')]
    .filter((node) => node.checkVisibility() && !node.querySelector('svg')).length,
  theme: document.documentElement.dataset.theme,
  closed: document.querySelectorAll('details:not([open])').length,
})"""


def test_paper_has_every_figure_in_light_and_no_controls(report: Path, open_page: OpenPage):
    page = open_page(report, dark=True)
    page.evaluate(f"addEventListener('beforeprint', () => (window.printed = ({PRINTED})()))")
    page.emulate_media(media="print")
    assert page.pdf().startswith(b"%PDF")
    printed = page.evaluate("printed")
    assert printed == {"undrawn": [], "controls": 0, "theme": "light", "closed": 0}
    page.emulate_media(media="screen")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(f"({PRINTED})().controls") > 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(width: int, report: Path, open_page: OpenPage):
    page = drawn(open_page(report, width=width))
    page.locator("details").evaluate_all("boxes => boxes.forEach((box) => (box.open = true))")
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= width
    page.locator("main p").first.evaluate("node => (node.style.minWidth = '3000px')")
    assert page.evaluate(wide) > width


# The command


@pytest.fixture
def study(results: Results, tmp_path: Path) -> Path:
    """A copy of the results, with a report from before."""
    assert results.folder is not None
    folder = Path(shutil.copytree(results.folder, tmp_path / "study"))
    (folder / "report.html").write_text("before")
    return folder


def refusal(*arguments: object) -> list[str]:
    told = optbench("report", *arguments)
    assert told.exit_code == 2 and not told.stdout, told.output
    lines = told.stderr.strip().splitlines()
    assert len(lines) == 2 and lines[0].startswith("error: ") and lines[1].startswith("hint: ")
    return lines


def test_a_report_is_written_beside_its_results(study: Path):
    told = optbench("report", study)
    assert told.exit_code == 0 and told.stdout.strip() == str(study / "report.html")
    assert (study / "report.html").read_text().startswith("<!doctype html>")
    assert not list(study.glob("*.part"))


def test_what_is_written_is_told_as_json(study: Path, tmp_path: Path):
    page = tmp_path / "new" / "page.html"
    told = optbench("report", study / "results.sqlite", "--to", page, "--json")
    assert json.loads(told.stdout) == {"files": [str(page)]} and page.exists()
    assert (study / "report.html").read_text() == "before"


def test_the_help_shows_examples():
    told = optbench("report", "--help")
    assert told.exit_code == 0
    for said in ("optbench report results/quick", "--bounds", "--to", "--open", "--json"):
        assert said in told.stdout


def test_bounds_beside_the_results_are_shown(results: Results, bounds: Path, tmp_path: Path):
    for given in ([], ["--bounds", bounds]):
        path = tmp_path / f"{len(given)}.html"
        assert optbench("report", results.folder, "--to", path, *given).exit_code == 0
        assert "gd_convex_tight" in path.read_text()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def of_another_program(path: Path) -> None:
    import contextlib
    import sqlite3

    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (Path.unlink, "no results in"),
        (truncated, "damaged"),
        (functools.partial(Path.write_bytes, data=b"no database at all" * 500), "damaged"),
        (functools.partial(Path.write_bytes, data=b""), "holds no results of optbench"),
        (of_another_program, "holds no results of optbench"),
    ],
)
def test_results_that_cannot_be_read_are_told_in_a_line(
    damage: Callable[[Path], object], said: str, study: Path
):
    damage(study / "results.sqlite")
    assert said in refusal(study)[0]
    assert (study / "report.html").read_text() == "before"


@pytest.mark.parametrize("what", ["folder", "file", "missing"])
def test_bounds_that_cannot_be_read_are_told_in_a_line(what: str, study: Path, tmp_path: Path):
    given = tmp_path / "given"
    if what == "folder":
        given.mkdir()
    if what == "file":
        given.write_text("")
    assert "given" in refusal(study, "--bounds", given)[0]
    assert (study / "report.html").read_text() == "before"


def test_a_full_disk_is_told_in_a_line_and_the_report_survives(study: Path):
    (study / "report.html.part").symlink_to("/dev/full")  # Linux: every write to it is refused
    error, hint = refusal(study)
    assert "the disk is full" in error and "free some space" in hint
    assert (study / "report.html").read_text() == "before"
    assert sorted(p.name for p in study.glob("report*")) == ["report.html"]


def test_a_folder_in_place_of_the_file_is_told_in_a_line(study: Path):
    (study / "report.html").unlink()
    (study / "report.html").mkdir()
    refusal(study)


AS_NOBODY = """
import os, sys
from optbench.cli import main

locked, free = os.environ["PLACES"].split(":")

def ran(*arguments):
    try:
        main([*arguments])
    except SystemExit as ending:
        return ending.code

assert ran("report", locked, "--to", free + "/page.html") == 0  # imports all it needs
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
assert not os.access(locked, os.W_OK)
sys.stderr = sys.stdout
print("exit code", ran("report", locked))
"""


@pytest.fixture
def locked(results: Results) -> Iterator[Path]:
    """The results, and a report, where everybody may read and nobody may write."""
    assert results.folder is not None
    folder = Path(tempfile.mkdtemp())
    shutil.copy(results.folder / "results.sqlite", folder)
    (folder / "report.html").write_text("before")
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_is_told_in_a_line(locked: Path, tmp_path: Path):
    environ = os.environ | {"PLACES": f"{locked}:{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AS_NOBODY], cwd=Path(__file__).parents[1],
        env=environ, capture_output=True, text=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()[-3:]
    assert "no permission" in lines[0] and lines[1].startswith("hint: "), done
    assert lines[2] == "exit code 2"
    assert (locked / "report.html").read_text() == "before"
