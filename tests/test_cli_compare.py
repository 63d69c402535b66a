"""`optbench compare`, and the verdict above the table of a study."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import optbench, write
from planted_comparisons import noisy, planted

from optbench.comparison import Row, compare_rows
from optbench.report.comparison import (
    COLUMNS,
    Line,
    as_csv,
    as_latex,
    as_markdown,
    as_text,
    comparison_lines,
)
from optbench.results import Results
from optbench.study import Study, run_study
from optbench.verdict import reach_verdict

STUDY = """
name = "small"
problems = ["quadratic[dim=2]", "saddle"]
optimizers = ["gradient_descent", "momentum", "newton_cg", "natural_gradient"]
seeds = 2
tuning_seeds = 1
trials = 4
budget = 60
"""


@pytest.fixture(scope="module")
def lines() -> tuple[Line, ...]:
    """The lines of three optimizers, one of which cannot run on half of 8 problems."""
    rng = np.random.default_rng(0)
    costs: dict[str, Any] = {name: noisy(rng, 8, gap=gap, spread=0.05) for name, gap in
             [("a_b", 1.0), ("clip[max_norm=1.0]", 0.25)]}  # fmt: skip
    costs["none"] = [*np.full((4, 5), np.nan), *[None] * 4]
    made = planted(costs)
    verdict = reach_verdict(made, draws=500)
    contrasts = [sentence.contrast for sentence in verdict.sentences]
    return comparison_lines(made, verdict.reference, contrasts, draws=500)


def test_the_lines_hold_what_is_planted(lines):
    first, clipped, none = lines
    assert (first.verdict, first.ratio, first.solved, first.applicable) == ("reference", 1.0, 8, 8)
    assert clipped.verdict == "better" and clipped.ratio == pytest.approx(0.25, rel=0.05)
    assert clipped.low < clipped.ratio < clipped.high and clipped.better > 0.95
    assert clipped.better + clipped.equal + clipped.worse == pytest.approx(1)
    assert clipped.score == pytest.approx(1.0)  # the best everywhere
    assert first.score == pytest.approx((4 - 1 / clipped.ratio) / 3, abs=0.05)
    assert (none.solved, none.applicable, none.shared, none.score) == (0, 4, 4, None)
    assert none.par10 == 1e5 and none.verdict == "too few problems" and none.better is None


def test_csv_is_read_back_in_full_precision(lines):
    found = list(csv.DictReader(io.StringIO(as_csv(lines))))
    assert [row["optimizer"] for row in found] == [line.optimizer for line in lines]
    assert float(found[1]["ratio"]) == lines[1].ratio and found[2]["score"] == ""


def test_markdown_has_a_cell_for_each_column(lines):
    rows = as_markdown(lines).splitlines()
    assert len(rows) == len(lines) + 2
    assert {row.count(" | ") for row in rows} == {len(COLUMNS) - 1}


def test_latex_is_a_booktabs_table_whose_text_is_escaped(lines):
    rows = as_latex(lines).splitlines()
    assert rows[0] == r"\begin{tabular}{llrrlrrrl}" and rows[-1] == r"\end{tabular}"
    assert [r.strip() for r in (rows[1], rows[3], rows[-2])] == [
        r"\toprule", r"\midrule", r"\bottomrule",
    ]  # fmt: skip
    body = rows[4:-2]
    assert len(body) == len(lines) and body[0].strip().startswith(r"a\_b & T\_16 & 8/8 & 1x")
    assert all(row.endswith(r" \\") and row.count(" & ") == len(COLUMNS) - 1 for row in body)


@pytest.mark.parametrize("width", [60, 100])
def test_text_keeps_to_its_width(lines, width):
    assert max(map(len, as_text(lines, width).splitlines())) <= width


def test_where_there_is_no_room_for_a_column_it_is_named(lines):
    narrow = as_text(lines, 80).splitlines()
    assert narrow[-1] == "No room for PAR-10, score: `--format csv` shows all."
    assert narrow[0].split() == ["optimizer", "track", "solved", "ratio", "interval", "P(better)",
                                 "verdict"]  # fmt: skip
    assert "No room" not in as_text(lines, 110)


# The command


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """The folder of a small study that has run, its figures apart."""
    root = tmp_path_factory.mktemp("compared")
    write(root / "small.toml", STUDY)
    run_study(Study.from_toml(STUDY), root / "out")
    (root / "out" / "figures").mkdir()
    return root


@pytest.fixture
def folder(root, monkeypatch) -> Path:
    monkeypatch.setenv("COLUMNS", "100")
    return root / "out"


def test_run_and_show_say_the_verdict_above_the_table(root, folder):
    told = optbench("run", root / "small.toml", "--results", folder)
    assert told.exit_code == 0 and told.stdout.strip() == str(folder)
    for text in (told.stderr, optbench("show", folder).stdout):
        verdict = text.index("Verdict at 1e-4 against gradient_descent: ")
        assert verdict < text.index("small: 2 problems x 4 optimizers")


def test_a_reference_without_results_leaves_the_table(folder, monkeypatch):
    study = {**Results.open(folder).study, "reference": "natural_gradient"}
    found = dataclasses.replace(Results.open(folder), study=study)
    monkeypatch.setattr(Results, "open", lambda path: found)
    told = optbench("show", folder)
    assert told.exit_code == 0 and told.stdout.startswith("small: 2 problems x 4 optimizers")
    assert "no verdict: no optimizer named 'natural_gradient'" in told.stderr


def test_compare_shows_verdict_table_prices_and_lints(folder):
    told = optbench("compare", folder)
    assert told.exit_code == 0 and max(map(len, told.stdout.splitlines())) <= 100
    assert told.stdout.startswith("Verdict at 1e-4 against gradient_descent: ")
    (row,) = [line for line in told.stdout.splitlines() if line.startswith("newton_cg  ")]
    assert row.split()[1:3] == ["S", "2/2"] and row.endswith("too few")
    assert "newton_cg against " in told.stdout and "declared 1.5" in told.stdout
    assert "lint, few problems:" in told.stderr
    assert "Lint" not in told.stdout and "lints (" not in told.stdout  # all of them stand below


def test_tracks_are_shown_when_asked_for_and_are_no_headline(folder):
    assert "no headline" not in optbench("compare", folder).stdout
    shown = optbench("compare", folder, "--tracks", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(shown)))
    compared = compare_rows(Results.open(folder))
    assert [Row(row["optimizer"], row["track"]) for row in rows] == list(compared.rows)
    hindsight = [row["verdict"] for row in rows if row["track"] in ("O", "D")]
    assert hindsight and set(hindsight) == {"no headline"}


def test_json_holds_verdict_rows_and_prices(folder):
    found = json.loads(optbench("compare", folder, "--json", "--reference", "momentum").stdout)
    assert found["verdict"]["reference"]["optimizer"] == "momentum"
    assert {row["optimizer"] for row in found["rows"]} >= {"newton_cg", "momentum"}
    assert found["break_even_prices"][0]["row"]["optimizer"] == "newton_cg"
    assert found["verdict"]["not_applicable"] == {"natural_gradient": 2}


def test_another_target_and_unit(folder):
    told = optbench("compare", folder, "--target", "0.1", "--unit", "steps")
    assert told.stdout.startswith("Verdict at 1e-1 against") and "the steps of" in told.stdout
    assert "tuned horizon" in told.stderr


@pytest.mark.parametrize("wrong", [["--reference", "adagrad"], ["--target", "0.2"]])
def test_what_cannot_be_compared_is_refused_in_two_lines(folder, wrong):
    told = optbench("compare", folder, *wrong)
    assert told.exit_code == 2 and told.stdout == ""
    error, hint = told.stderr.splitlines()
    assert error.startswith("error: ") and hint.startswith("hint: ")
