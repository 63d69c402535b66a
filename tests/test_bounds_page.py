"""The page and the table of theorems next to runs, and where the command line writes them."""

from __future__ import annotations

import csv
import dataclasses
import functools
from pathlib import Path

import pytest

from optbench.bounds.descent.strongly_convex import gd_sc_fgap
from optbench.bounds.momentum.heavy_ball import hb_quad_exact
from optbench.checks import check_bound
from optbench.errors import OptbenchError
from optbench.report.bounds import COLUMNS, crossing_of, group_of, row_of, write_bounds


@functools.cache
def right():
    return check_bound(hb_quad_exact())


@functools.cache
def wrong():
    """A constant 10 % too small, at one step size."""
    theorem = gd_sc_fgap()
    false = functools.wraps(theorem.formula)(lambda **symbols: 0.9 * theorem.formula(**symbols))
    return check_bound(dataclasses.replace(theorem, formula=false, parameters={"h": (0.5,)}))


def test_the_page_is_in_groups_and_tells_of_crossings(tmp_path: Path):
    page, *_ = write_bounds([("Momentum", right()), ("Descent", wrong())], tmp_path, planned=3)
    text = page.read_text()
    assert "1 of 2 statements hold" in text and "- `gd_sc_fgap`: crossed" in text
    assert "1 of 3 theorems were not compared" in text
    assert text.index("## Momentum") < text.index("`hb_quad_exact`") < text.index("## Descent")
    crossed = [line for line in text.splitlines() if line.startswith("- crossed at k = ")]
    assert len(crossed) == sum(c.crossing is not None for c in wrong().comparisons) > 0
    assert "| `gd_sc_fgap` | crossed |" in text and hb_quad_exact().statement in text


def test_the_table_has_a_row_per_comparison(tmp_path: Path):
    _, table, _ = write_bounds([("Momentum", right()), ("Descent", wrong())], tmp_path)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(right().comparisons) + len(wrong().comparisons)
    first = right().comparisons[0]
    assert float(rows[0]["ratio"]) == first.ratio and rows[0]["instance"] == first.instance
    assert rows[0]["crossed_k"] == "" and {r["group"] for r in rows} == {"Momentum", "Descent"}
    broken = next(c for c in wrong().comparisons if c.crossing)
    assert crossing_of(broken).startswith(f"crossed at k = {broken.crossing.k} on ")
    assert str(broken.crossing.k) in {r["crossed_k"] for r in rows}


def test_a_row_says_what_was_compared():
    verdict, nearest, tightness, power, steps, runs = row_of(right())
    assert (verdict, tightness, power) == ("holds", "1.0000", "3 %")
    assert nearest.startswith("1 at ") and steps.startswith("1..") and runs == "9"


def test_groups_are_named_by_their_modules():
    assert group_of(hb_quad_exact) == "Gradient descent with momentum"
    assert group_of(lambda: hb_quad_exact()) == group_of(test_groups_are_named_by_their_modules)


def test_what_was_there_is_kept_where_nothing_can_be_written(tmp_path: Path, monkeypatch):
    folder = tmp_path / "bounds"
    write_bounds([("Momentum", right())], folder)
    before = (folder / "bounds.csv").read_text()

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("optbench.report.bounds._csv_row", full)
    with pytest.raises(OptbenchError, match=r"bounds: ") as raised:
        write_bounds([("Momentum", right())], folder)
    assert raised.value.hint and (folder / "bounds.csv").read_text() == before
    assert sorted(p.name for p in folder.iterdir()) == ["bounds.csv", "bounds.md", "bounds.npz"]
