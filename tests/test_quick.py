"""The study that ships for a first look, run cold as by a new user, and its report in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from page_readings import field, heights, switch
from playwright.sync_api import Page

from optbench import exhibits
from optbench.comparison import Comparison, compare_rows
from optbench.results import Results

MOST_BYTES = 7_000_000  # of its page
COMMAND = "import sys; from optbench.cli import main; main(['run', 'quick', *sys.argv[1:]])"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its results, with nothing compiled before."""
    here = tmp_path_factory.mktemp("quick")
    command = [sys.executable, "-W", "error", "-c", COMMAND, "--results", here / "results"]
    environ = os.environ | {"XDG_CACHE_HOME": str(here / "cache")}
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return here / "results"


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return Results.open(folder)


@pytest.fixture(scope="module")
def compared(results: Results) -> Comparison:
    return compare_rows(results)


def test_every_cell_is_finished_or_says_why_it_is_not(results: Results):
    cells = len(results.problems) * len(results.optimizers)
    assert len(results.cells) == cells == 198
    kinds = {cell.status for cell in results.cells}
    assert kinds == {"finished", "not applicable"}
    assert all(cell.message for cell in results.cells if cell.status == "not applicable")


def test_every_problem_from_two_dimensions_on_has_its_landscape(results: Results):
    assert all(results.landscape(problem) is not None for problem in results.problems)


def test_its_page_is_small_and_shows_every_figure(folder: Path, open_page):
    file = folder / "report.html"
    assert file.stat().st_size < MOST_BYTES
    page: Page = open_page(file)
    page.evaluate("optbench.drawAll()")
    page.evaluate("optbench.settled()")
    undrawn = page.evaluate(
        "optbench.figures.filter((f) => !f.plot.querySelector('svg')).map((f) => f.id)"
    )
    assert undrawn == []
    play = page.get_by_role("button", name="Play the paths")
    page.get_by_label("Speed").select_option("4")
    play.click()
    play.wait_for()


def test_solvers_switched_off_leave_the_profile_of_the_others(
    folder: Path, compared: Comparison, open_page
):
    page: Page = open_page(folder / "report.html")
    labels = exhibits.optimizers_of(compared)
    chosen = [labels.index(o) for o in ("gradient_descent", "momentum", "adam", "lbfgs")]
    drawn = []
    for places in (chosen, chosen[:-1]):
        switch(page, places)
        shown = field(compared, places)
        assert shown is not None
        expected = exhibits.profile_data(compared, shown)
        inside = expected.x <= 1024
        found = heights(page, "profile", [*expected.x[inside]])
        np.testing.assert_allclose(found, expected.shares[inside], rtol=1e-12, atol=1e-12)
        drawn.append(heights(page, "profile", [1.0])[0, :3])
    assert not np.array_equal(*drawn)  # L-BFGS was the fastest somewhere
