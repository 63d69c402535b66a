"""`optbench bounds`: one's own theorem, the attack, what an interrupt leaves, bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from optbench.cli import main
from optbench.report.bound_records import read_bounds

MINE = '''"""Theorems of mine."""

import dataclasses

from optbench import Theorem
from optbench.bounds.descent.strongly_convex import gd_sc_fgap


def my_theorem() -> Theorem:
    """Half of what is true."""
    right = gd_sc_fgap()

    def half(k, L, mu, f0, h):
        return right.formula(k, L, mu, f0, h) / 2

    return dataclasses.replace(right, name="my_theorem", formula=half, parameters={"h": (0.5,)})
'''


def optbench(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    """A current folder with nothing but `mine.py` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def test_a_wrong_theorem_of_ones_own_is_found_out(here: Path):
    shown = optbench("bounds", "mine.py:my_theorem", "--results", "out")
    assert shown.exit_code == 1
    assert "crossed" in shown.stdout and "my_theorem: crossed at k = 1 on " in shown.stderr
    assert sorted(p.name for p in (here / "out").iterdir()) == [
        "bounds.csv",
        "bounds.md",
        "bounds.npz",
        "figures",
    ]
    assert "## Theorems of mine" in (here / "out/bounds.md").read_text()


def test_theorems_are_shown_in_groups(here: Path):
    shown = optbench("bounds", "gd_sc_fgap", "hb_quad_exact", "--problem", "quadratic[dim=2]")
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[1].startswith("Gradient descent") and lines[2].startswith("  gd_sc_fgap ")


def test_the_attack_saves_what_it_finds(here: Path):
    shown = optbench("bounds", "hb_quad_exact", "--attack", "--json")
    assert shown.exit_code == 0, shown.output
    (told,) = json.loads(shown.stdout)
    assert told["worst"] == pytest.approx(1, abs=0.01) and not told["broken"]
    label = f"{told['saved']}:worst_0"
    again = optbench("bounds", "hb_quad_exact", "--problem", label, "--json")
    assert again.exit_code == 0, again.output
    (report,) = json.loads(again.stdout)
    assert report["comparisons"][0]["ratio"] == told["comparison"]["ratio"]


def test_the_attack_breaks_what_is_false(here: Path):
    shown = optbench("bounds", "mine.py:my_theorem", "--attack")
    assert shown.exit_code == 1
    assert "broken: my_theorem: observed / bound reaches 2.0000 at k = 5" in shown.stderr
    assert "Saved: results/bounds/attacks/my_theorem.py" in shown.stderr


def test_an_interrupt_keeps_what_was_compared(here: Path, monkeypatch):
    import optbench.checks as checks

    real = checks.check_bound

    def interrupted(theorem, **subject):
        if theorem.name == "hb_quad_exact":
            raise KeyboardInterrupt
        return real(theorem, **subject)

    monkeypatch.setattr(checks, "check_bound", interrupted)
    shown = optbench("bounds", "gd_sc_fgap", "hb_quad_exact")
    assert shown.exit_code != 0
    page = (here / "results/bounds/bounds.md").read_text()
    assert [r.facts["name"] for r in read_bounds(here / "results/bounds")] == ["gd_sc_fgap"]
    assert "1 of 2 theorems were not compared" in page and "`gd_sc_fgap`" in page
    optbench("bounds", "gd_sc_fgap", "hb_quad_exact")  # where there is a page, it is kept
    assert (here / "results/bounds/bounds.md").read_text() == page
    assert (here / "results/bounds/unfinished/bounds.md").read_text() == page


def test_what_cannot_be_written_is_told_all_the_same(here: Path):
    (here / "full").mkdir()
    (here / "full/bounds.md").mkdir()
    shown = optbench("bounds", "gd_sc_fgap", "--results", "full")
    assert shown.exit_code == 2 and "gd_sc_fgap  holds" in shown.stdout
    assert "Traceback" not in shown.stderr and "hint: " in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gd_sc_fgap", "--attack", "--problem", "quadratic"], "--attack makes its own problems"),
        (["gd_sc_fgap", "--problem", "rosenbrock"], "gd_sc_fgap needs exact gradients, smoothness"),
        (["gd_sc_fgap", "--results", "mine.py"], "is a file"),
        (["mine.py:nothing"], "mine.py"),
    ],
)
def test_bad_input_is_told_in_a_line_and_a_hint(here: Path, arguments: list[str], message: str):
    shown = optbench("bounds", *arguments)
    assert shown.exit_code == 2 and not shown.stdout
    assert message in shown.stderr and "hint: " in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 2
