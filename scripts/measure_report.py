"""Measure the report of a synthetic study: its size, and how fast it opens and filters.

A filter is a change of the search text; it has ended when all figures in sight show what is found.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from reports.synthetic import synthetic_study

from optbench.page import write_report

WORDS = ("", "a", "clip", "adam", "l", "momentum", "rms", "value", "n", "look")
FILTER = """async (text) => {
  const box = document.querySelector('[data-filter="optimizers"] input[type="search"]');
  const start = performance.now();
  box.value = text;
  box.dispatchEvent(new Event("input"));
  await optbench.settled();
  return performance.now() - start;
}"""


def main() -> None:
    """Write the report, open it, filter, and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=50)
    parser.add_argument("--optimizers", type=int, default=40)
    parser.add_argument("--changes", type=int, default=40, help="of the search text, per figure")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="program of Chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        results = synthetic_study(given.problems, given.optimizers)
        file = write_report(results, Path(folder, "report.html"))
        print(f"{file.stat().st_size / 1e6:.2f} MB")
        page = playwright.chromium.launch(executable_path=given.browser).new_page()
        start = time.perf_counter()
        page.goto(file.as_uri())
        page.evaluate("optbench.ready")
        print(f"ready in {time.perf_counter() - start:.2f} s")
        page.get_by_label("All optimizers").click()
        for figure in page.evaluate("optbench.figures.map((figure) => figure.id)"):
            page.locator(f'[data-figure="{figure}"]').scroll_into_view_if_needed()
            print(f"{figure:20s} {filtered(page, given.changes)}")


def filtered(page: Page, changes: int) -> str:
    """The time of some changes of the search text, with what is in sight."""
    times = [page.evaluate(FILTER, WORDS[i % len(WORDS)]) for i in range(changes)]
    return f"median {statistics.median(times):.0f} ms, largest {max(times):.0f} ms"


if __name__ == "__main__":
    main()
