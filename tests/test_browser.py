"""The browser that looks at pages rejects those that err, or ask for anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import watched_page
from playwright.sync_api import Browser, Page

PAGE = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body>
<p>shown</p><script>window.optbench = { ready: Promise.resolve() };</script>{}</body></html>"""

DEFECTS = {
    "<script>console.error('bad news')</script>": "error: bad news",
    "<script>console.warn('soft news')</script>": "warning: soft news",
    "<script>console.assert(false, 'not so')</script>": "assert: not so",
    "<script>throw new Error('thrown away')</script>": "thrown: thrown away",
    "<script>Promise.reject(new Error('late'))</script>": "thrown: late",
    "<script>alert(1)</script>": "dialog: 1",
    "<img src='http://example.invalid/a.png' onerror=''>": "http://example.invalid/a.png",
    "<img src='other.svg'>": "other.svg",
    "<link rel='stylesheet' href='other.css'>": "other.css",
    "<iframe src='other.html'></iframe>": "other.html",
    "<script>fetch('http://example.invalid/').catch(() => 0)</script>": "http://example.invalid/",
    "<script>navigator.sendBeacon('http://example.invalid/b', '')</script>": "example.invalid/b",
    "<script>window.open('http://example.invalid/c')</script>": "example.invalid/c",
    "<script>new WebSocket('ws://example.invalid/d')</script>": "example.invalid/d",
}


def page_with(folder: Path, extra: str) -> Path:
    for name in ("other.svg", "other.css", "other.html"):
        (folder / name).write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    path = folder / "a page.html"
    path.write_text(PAGE.replace("{}", extra))
    return path


@pytest.mark.parametrize(("defect", "found"), DEFECTS.items())
def test_a_page_that_errs_or_asks_is_rejected(
    defect: str, found: str, tmp_path: Path, chromium: Browser
):
    path = page_with(tmp_path, defect)
    with pytest.raises(AssertionError) as caught, watched_page(chromium, path):
        pass
    assert found in str(caught.value)


def test_a_page_that_errs_later_is_rejected(tmp_path: Path, chromium: Browser):
    path = page_with(tmp_path, "")
    with pytest.raises(AssertionError, match="later"), watched_page(chromium, path) as page:
        page.evaluate("void setTimeout(() => { throw new Error('later') })")
        page.wait_for_timeout(20)


def test_a_page_that_keeps_to_itself_is_not(tmp_path: Path, open_page: Callable[..., Page]):
    quiet = """<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>">
    <script>console.log("fine"); fetch(URL.createObjectURL(new Blob(["x"])));</script>"""
    page = open_page(page_with(tmp_path, quiet), dark=True, width=390, reduced_motion=True)
    assert page.inner_text("p") == "shown"
    assert page.evaluate("innerWidth") == 390
    for asked in ("(prefers-color-scheme: dark)", "(prefers-reduced-motion: reduce)"):
        assert page.evaluate(f"matchMedia('{asked}').matches"), asked


def test_two_pages_are_watched_at_once(tmp_path: Path, open_page: Callable[..., Page]):
    path = page_with(tmp_path, "")
    assert [open_page(path).inner_text("p"), open_page(path).inner_text("p")] == ["shown"] * 2
