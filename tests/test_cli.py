"""Commands: what they print where, what they write, and how they end."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gc
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from command_line import MINE, STUDY, optbench, write
from rich.console import Console

import optbench as package
from optbench import catalog, study
from optbench.cli import interrupts, main, manners
from optbench.cli.check import laws_for
from optbench.cli.listing import as_text, first_sentence, searched_text
from optbench.cli.manners import busy
from optbench.cli.progress import LiveProgress, counted
from optbench.cli.run import changed
from optbench.method import find_method
from optbench.optimizers.names import known_optimizers
from optbench.records import Cell
from optbench.report.verdict import MAX_LINES as VERDICT_LINES
from optbench.results import Results
from optbench.schedule import CellFinished, Compiling, Running, StudyStarted
from optbench.space import space_of
from optbench.summary.text import MAX_LINES

COMMAND = [sys.executable, "-c", "from optbench.cli import main; main()"]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A current folder with nothing but `mine.py` in it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.py", MINE)
    return tmp_path


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> tuple[Path, Result]:
    """The folder of a small study, and what the command that ran it printed."""
    root = tmp_path_factory.mktemp("ran")
    toml = write(root / "small.toml", STUDY)
    return root / "out", optbench("run", toml, "--results", root / "out")


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# Help, and what a command costs to start


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself_by_examples(command):
    shown = optbench(command, "--help")
    assert shown.exit_code == 0
    assert f"  optbench {command}" in shown.stdout.partition("Examples:")[2]


def test_the_version_is_the_packages():
    assert optbench("--version").stdout == f"optbench {package.__version__}\n"


def test_reading_needs_no_jax(ran, tmp_path, fresh_python):
    code = (
        "import sys; from optbench.cli import main\n"
        f"main(['show', {str(ran[0])!r}], standalone_mode=False)\n"
        f"main(['export', {str(ran[0])!r}, '--to', 'csv', '--output', {str(tmp_path)!r}],"
        " standalone_mode=False)\n"
        "print('jax' in sys.modules)"
    )
    assert fresh_python(code)[-1] == "False"


# list


@pytest.fixture(scope="module")
def listed() -> dict[str, list[dict]]:
    """What `optbench list` knows, by kind."""
    kinds = ("problems", "transforms", "optimizers", "theorems", "studies")
    return {kind: json.loads(optbench("list", kind, "--json").stdout) for kind in kinds}


def test_lists_hold_the_whole_catalogs(listed):
    for kind, module, returns in (
        ("problems", "problems", "Problem"),
        ("optimizers", "optbench.optimizers", "Optimizer"),
        ("theorems", "optbench.bounds", "Theorem"),
    ):
        entries = catalog.collect(module, returns)
        assert {r["name"]: r["family"] for r in listed[kind]} == {
            name: function.__module__.removeprefix(f"{module}.").partition(".")[0]
            for name, function in entries.items()
        }
    transforms = catalog.collect("optbench.transforms", "Problem", wrapping=True)
    assert {r["name"] for r in listed["transforms"]} == set(transforms) >= {"noisy", "rotated"}


def test_the_optimizers_of_libraries_are_listed_on_request(listed):
    whole = json.loads(optbench("list", "optimizers", "--all", "--json").stdout)
    names = [record["name"] for record in listed["optimizers"]]
    assert [record["name"] for record in whole][: len(names)] == names
    added = {record["name"]: record for record in whole[len(names) :]}
    assert added["optax.contrib.dog"]["family"] == "optax.contrib"
    assert added["optax.adam"]["family"] == "optax"
    assert added["optax.adam"]["hyperparameters"]["learning_rate"] == "required"
    assert "required" not in json.dumps(listed["optimizers"])


def test_lists_as_text_show_every_entry_below_its_family(listed):
    for kind, records in listed.items():
        lines = as_text(kind, records, manners.WIDTH).splitlines()
        assert max(map(len, lines)) <= manners.WIDTH
        indent = "  " if "family" in records[0] else ""
        shown = [f"{indent}{record['name']}" for record in records]
        assert [first for line in lines if (first := line[: line.find(" ", 2)]) in shown] == shown
        assert all(r.get("family") in [None, *lines] for r in records)


def test_a_listed_problem_shows_its_passport(listed):
    records = {record["name"]: record for record in listed["problems"]}
    booth = records["booth"]
    assert (booth["dim"], booth["class"], booth["minimum"]) == (2, "quadratic", 0.0)
    assert booth["condition_number"] == pytest.approx(9)
    assert records["rosenbrock"]["arguments"] == {"dim": 2, "start": None}
    assert records["rosenbrock"]["condition_number"] is None  # unknown, and valid JSON
    assert records["variational_logistic"]["class"] == "strongly convex, nonsmooth, sampled"


FILTERS = {
    ("--convex",): lambda r: r["constants"]["convex"],
    ("--max-dim", "3"): lambda r: r["dim"] <= 3,
    ("--family", "nist"): lambda r: r["family"] == "nist",
    ("--convex", "--max-dim", "10", "--family", "quadratics"): lambda r: (
        r["constants"]["convex"] and r["dim"] <= 10 and r["family"] == "quadratics"
    ),
}


@pytest.mark.parametrize("chosen", FILTERS)
def test_filters_choose_problems(listed, chosen):
    found = json.loads(optbench("list", "problems", *chosen, "--json").stdout)
    assert found == [record for record in listed["problems"] if FILTERS[chosen](record)]
    assert 0 < len(found) < len(listed["problems"])


def test_a_best_known_minimum_is_shown_as_a_bound(listed):
    lines = as_text("problems", listed["problems"], 200).splitlines()
    bounds = {line.split()[0] for line in lines if " <= " in line}
    kinds = {record["name"]: record["minimum_kind"] for record in listed["problems"]}
    assert bounds == {name for name, kind in kinds.items() if kind == "best known"} != set()


def test_transforms_are_checked_by_label():
    checked = optbench("check", "noisy(booth)[scale=0.5]", "--json")
    (checks,) = json.loads(checked.stdout).values()
    laws = {law["law"]: law["passed"] for law in checks}
    assert all(laws.values()) and "noise variance" in laws


def test_shipped_studies_are_listed(listed):
    quick = next(record for record in listed["studies"] if record["name"] == "quick")
    assert quick["prices"]["value_and_gradients"] == 1.0
    assert quick["cells"] == len(quick["problems"]) * len(quick["optimizers"])
    assert quick["purpose"].endswith("minibatches?") and quick["purpose"] in " ".join(
        quick["description"].split()
    )
    text = optbench("list", "studies").stdout
    header, *rows = text.splitlines()
    assert header.split() == [
        "study", "problems", "optimizers", "cells", "trials", "seeds", "budget", "purpose"
    ]  # fmt: skip
    row = next(line for line in rows if line.startswith("quick "))
    assert row.split()[1:7] == ["11", "18", "198", "8", "5", "500"]
    assert max(map(len, text.splitlines())) <= 100


def test_a_first_sentence_ends_where_a_word_does():
    assert first_sentence("As in f*. Or not.") == "As in f*."
    assert first_sentence("Of 1e-4.5 or x.y?\nYes.") == "Of 1e-4.5 or x.y?"
    assert (first_sentence("no end"), first_sentence("")) == ("no end", "")


def test_what_is_searched_of_an_optimizer_is_listed(listed):
    found = {record["name"]: record for record in listed["optimizers"]}
    for name in ("adam", "lbfgs", "momentum", "newton_cg"):
        method = find_method(name, known_optimizers())
        assert found[name]["searched"] == {
            axis: dataclasses.asdict(range_) for axis, range_ in space_of(method).items()
        }
    shown = optbench("list", "optimizers").stdout.splitlines()
    rows = {line.split()[0]: line for line in shown if re.match(r"  \w", line)}
    assert "learning_rate 1e-05..10+" in rows["momentum"]
    assert searched_text(found["momentum"]["searched"]) == (
        "learning_rate 1e-05..10+, momentum 0.5..0.99"
    )
    itself = [name for name, record in found.items() if record["tunes_itself"]]
    assert itself and all(found[name]["searched"] == {} for name in itself)
    assert all(rows[name].rstrip().endswith("tunes itself") for name in itself)
    assert searched_text({}) == "nothing" and searched_text(None) == "-"


def test_somebody_elses_catalog_is_found_in_the_current_folder(here, monkeypatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    write(here / "their_problems.py", MINE.partition("# Bad")[0])
    shown = optbench("list", "problems", "--problems", "their_problems", "--json")
    assert [record["name"] for record in json.loads(shown.stdout)] == ["bowl", "lying"]
    assert sys.path[-1] == str(here)
    del sys.modules["their_problems"]


# check


def test_a_lie_is_found_out(here):
    shown = optbench("check", "mine.py:lying", "--json")
    assert shown.exit_code == 1
    laws = json.loads(shown.stdout)["mine.py:lying"]
    assert {law["law"] for law in laws if not law["passed"]} == {"minimum", "never beaten"}


def test_laws_are_shown_with_what_was_measured(monkeypatch):
    laws = (checked("sound", True), checked("broken", False))
    monkeypatch.setattr("optbench.checks.check_problem", lambda problem: laws)
    shown = optbench("check", "booth", "quadratic[dim=3]")
    assert shown.exit_code == 1
    assert shown.stdout.splitlines()[:3] == [
        "booth: 1 of 2 laws fail",
        "  sound              holds  is compared (0.5, at most 1)",
        "  broken             FAILS  is compared (0.5, at most 1)",
    ]
    assert "quadratic[dim=3]: 1 of 2 laws fail" in shown.stdout
    monkeypatch.setattr("optbench.checks.check_problem", lambda problem: laws[:1])
    assert optbench("check", "booth").exit_code == 0


def test_without_a_name_everything_is_checked_and_failures_are_shown(monkeypatch):
    sound, broken = (checked("sound", True),), (checked("broken", False),)
    monkeypatch.setattr("optbench.checks.check_problem", lambda problem: sound)
    monkeypatch.setattr(
        "optbench.checks.check_optimizer", lambda m: broken if m.name == "adam" else sound
    )
    shown = optbench("check")
    assert shown.exit_code == 1
    entries = (
        catalog.collect("problems", "Problem"),
        catalog.collect("optbench.optimizers", "Optimizer"),
    )
    lines = shown.stdout.splitlines()
    assert len(lines) == sum(map(len, entries)) + 1
    assert [line for line in lines if "laws hold" not in line] == [
        "adam: 1 of 1 laws fail",
        "  broken             FAILS  is compared (0.5, at most 1)",
    ]


def checked(law: str, passed: bool):
    from optbench.checks import Check

    return Check(law, passed, "is compared", 0.5, 1.0)


def test_a_name_is_a_problem_or_an_optimizer(here, monkeypatch):
    monkeypatch.setattr("optbench.checks.check_problem", lambda problem: ("problem", problem.name))
    monkeypatch.setattr("optbench.checks.check_optimizer", lambda m: ("optimizer", m.label))
    known = (
        catalog.collect("problems", "Problem"),
        catalog.collect("optbench.optimizers", "Optimizer"),
    )
    for label, kind in {
        "quadratic[dim=3]": "problem",
        "clip_by_value(adam)": "optimizer",
        "mine.py:bowl": "problem",
        "mine.py:unannotated": "problem",
        "noisy(booth)": "problem",
        "mine.py:unchanged(mine.py:unannotated)": "problem",
        "mine.py:unchanged(noisy(booth))": "problem",
        "mine.py:descent": "optimizer",
        "mine.py:needy": "optimizer",
    }.items():
        if label == "mine.py:needy":
            label = "mine.py:needy[num_devices=2]"
        assert laws_for(label, *known)() == (kind, label)


# run


def test_only_the_folder_goes_to_stdout(ran):
    folder, result = ran
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder}\n"


def test_the_table_fits_the_page_and_names_what_matters(ran):
    text = ran[1].stderr
    verdict, table = text[: text.index("All pairs:")].split("\n\n")
    shown = table.splitlines()
    assert len(shown) <= MAX_LINES and len(verdict.splitlines()) <= VERDICT_LINES
    assert max(map(len, [*shown, *verdict.splitlines()])) <= manners.WIDTH
    assert shown[0] == "small: 2 problems x 3 optimizers x 2 starts, budget 30 gradients"
    for expected in ("newton_cg", "not applicable", "oracle-tuned", "Compiled in", "ran in"):
        assert expected in "\n".join(shown)


def test_a_run_leaves_the_full_table_and_the_figures(ran):
    folder, result = ran
    page = (folder / "summary.md").read_text()
    assert page.count("| gradient_descent |") == 2
    assert "- natural_gradient: this problem has no Fisher matrix" in page
    assert f"jax: {sys.modules['jax'].__version__}" in page
    assert {path.name.partition("-")[0] for path in (folder / "figures").iterdir()} >= {
        "convergence",
        "sensitivity",
    }
    assert f"All pairs: {folder / 'summary.md'}. Figures: {folder / 'figures'}." in result.stderr


def test_running_again_computes_nothing(ran):
    folder, _ = ran
    toml = write(folder.parent / "small.toml", STUDY)
    before = (folder / "results.sqlite").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("optbench.schedule.execute", lambda *given: pytest.fail("it ran again"))
        again = optbench("run", toml, "--results", folder)
    assert again.exit_code == 0
    with sqlite3.connect(folder / "results.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM cells").fetchone() == (6,)
    assert Results.open(folder).cells and before


def test_problems_named_on_the_command_line_share_a_folder(here):
    arguments = ["--optimizer", "mine.py:descent", "--seeds", 2, "--budget", 9]
    for problem in ("booth", "mine.py:bowl"):
        result = optbench("run", "--problem", problem, *arguments)
        assert (result.exit_code, result.stdout) == (0, "results/adhoc\n"), result.output
        assert list(Results.open(here / "results/adhoc").problems) == [problem]
    with sqlite3.connect(here / "results/adhoc/results.sqlite") as connection:
        kept = connection.execute("SELECT problem FROM cells ORDER BY id").fetchall()
    assert kept == [("booth",), ("mine.py:bowl",)]


def test_what_is_given_replaces_what_the_study_says():
    quick = study.load_study("quick")
    assert changed(quick, {}, is_named=False) == quick
    few = changed(quick, {"seeds": 2, "budget": 7.0}, is_named=False)
    assert (few.name, few.seeds, few.budget, few.problems) == ("quick", 2, 7.0, quick.problems)
    other = changed(quick, {"optimizers": ("adam",)}, is_named=False)
    assert (other.name, other.optimizers, other.problems) == ("adhoc", ("adam",), quick.problems)
    assert changed(quick, {"optimizers": ("adam",)}, is_named=True).name == "quick"
    assert (quick.reference, other.reference) == ("gradient_descent", None)
    kept = changed(quick, {"optimizers": ("adam", "gradient_descent")}, is_named=True)
    assert kept.reference == "gradient_descent"


def test_a_failing_problem_of_a_study_is_recorded_and_the_rest_goes_on(here):
    toml = write(
        here / "mixed.toml",
        'problems = ["mine.py:undefined", "booth"]\noptimizers = ["gradient_descent"]\n'
        "seeds = 1\nbudget = 5",
    )
    result = optbench("run", toml, "--results", "out")
    assert (result.exit_code, result.stdout) == (1, "out\n"), result.output
    failed = "failed: gradient_descent on mine.py:undefined: "
    (told,) = [line for line in result.stderr.splitlines() if line.startswith(failed)]
    assert "objective is nan at the start" in told
    assert [cell.status for cell in Results.open(here / "out").cells] == ["failed", "finished"]


def test_a_mistake_inside_an_optimizer_fails_its_cells(here):
    arguments = ["--problem", "booth", "--optimizer", "mine.py:careless", "--budget", 5]
    result = optbench("run", *arguments, "--optimizer", "mine.py:descent", "--seeds", 1)
    assert result.exit_code == 1
    assert "failed: mine.py:careless on booth: ZeroDivisionError" in result.stderr
    statuses = [cell.status for cell in Results.open(here / "results/adhoc").cells]
    assert statuses == ["failed", "finished"]


# Ctrl-C


def test_an_interrupted_run_says_how_to_continue(here, monkeypatch):
    def interrupted(*given, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "run_study", interrupted)
    for extra, again in (([], "the same command"), (["--fresh"], "without --fresh")):
        result = optbench("run", "quick", *extra)
        assert (result.exit_code, result.stdout) == (130, "")
        assert result.stderr.startswith("interrupted: finished cells are kept in results/quick;")
        assert again in result.stderr


def test_ctrl_c_ends_a_real_run_in_one_line_and_loses_nothing(here):
    toml = write(
        here / "long.toml",
        'problems = ["booth", "himmelblau"]\noptimizers = ["gradient_descent"]\n'
        "seeds = 2\nbudget = 1e8\nlearning_rate = {low = 1e-9, high = 1e-9, num = 1}",
    )
    environ = os.environ | {"XDG_CACHE_HOME": str(here), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*COMMAND, "run", str(toml), "--results", "out"]
    process = subprocess.Popen(
        command, cwd=here, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not (here / "out/results.sqlite").exists() and process.poll() is None:
        time.sleep(0.05)
    for _ in range(6):  # on a busy machine the first one was once seen to be lost
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            out, told = process.communicate(timeout=10)
            break
    assert (process.returncode, out) == (130, ""), told
    assert told == ("interrupted: finished cells are kept in out; the same command continues\n")


def test_an_interrupt_waits_for_an_import_to_end():
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.interrupt_deferred():
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("the end of the block")
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_python_drops_is_raised_again():
    def collected(phase, info):
        os.kill(os.getpid(), signal.SIGINT)

    with interrupts.interrupt_remembered() as raise_again:
        raise_again()
        gc.callbacks.append(collected)
        gc.collect()
        gc.callbacks.remove(collected)
        with pytest.raises(KeyboardInterrupt):
            raise_again()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_is_to_be_ignored_is():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.interrupt_deferred(), interrupts.interrupt_remembered() as raise_again:
            os.kill(os.getpid(), signal.SIGINT)
            raise_again()
    finally:
        signal.signal(signal.SIGINT, before)


# Progress


def shown_by(act, *, is_terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=120, _environ={})
    act(console)
    return console.file.getvalue()


def tell_all(console: Console) -> None:
    done = Cell(key="k", problem="p", optimizer="a", group="a", status="finished")
    with LiveProgress(console) as listener:
        listener(StudyStarted(total=5, finished=2))
        listener(Compiling(problem="bowl[dim=2]", optimizers=("a", "b")))
        listener._bar.refresh()
        listener(Running(problem="bowl[dim=2]", optimizer="a", share=0.5))
        listener._bar.refresh()
        listener(CellFinished(cell=done))
        listener._bar.refresh()


def test_progress_shows_what_is_done_and_what_is_going_on():
    shown = shown_by(tell_all, is_terminal=True)
    for expected in ("2/5", "compiling 2 optimizers on bowl[dim=2]", "running a on", "3/5", "left"):
        assert expected in shown


def test_progress_is_quiet_where_nobody_watches():
    assert shown_by(tell_all, is_terminal=False) == ""
    assert shown_by(lambda c: list(counted("x", [1, 2], c)), is_terminal=False) == ""
    assert "x" in shown_by(lambda c: list(counted("x", [1, 2], c)), is_terminal=True)


def test_what_takes_its_time_is_said_to_who_watches():
    def wait(console: Console) -> None:
        with busy("writing the report", console):
            pass

    assert shown_by(wait, is_terminal=False) == ""
    assert "writing the report" in shown_by(wait, is_terminal=True)


# show, plot, export


def test_the_table_can_be_shown_again(ran):
    folder, result = ran
    shown = optbench("show", folder)
    assert shown.exit_code == 0 and result.stderr.startswith(shown.stdout)
    pairs = json.loads(optbench("show", folder, "--json").stdout)["pairs"]
    assert [p["status"] for p in pairs] == ["finished", "finished", "not applicable"] * 2
    assert pairs[2]["cost"] is None


def test_figures_are_drawn_in_the_format_and_folder_asked_for(ran, tmp_path):
    shown = optbench("plot", ran[0], "--format", "png", "--to", tmp_path, "--json")
    files = [Path(name) for name in json.loads(shown.stdout)["files"]]
    assert files and all(path.parent == tmp_path for path in files)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)


def test_the_export_holds_every_cell_run_hit_and_log_point(ran, tmp_path):
    shown = optbench("export", ran[0], "--to", "csv", "--output", tmp_path)
    names = ["cells", "settings", "runs", "hits", "curves", "diagnostics"]
    assert shown.stdout.split() == [str(tmp_path / f"{name}.csv") for name in names]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(f"{n}.csv" for n in names)
    found = {name: table((tmp_path / f"{name}.csv").read_text()) for name in names}
    results = Results.open(ran[0])
    assert [row["status"] for row in found["cells"]] == [cell.status for cell in results.cells]
    expected = {"runs": 0, "hits": 0, "curves": 0}
    for problem in results.problems:
        for optimizer in results.optimizers:
            t = results.trajectory(problem, optimizer)
            if t is not None:
                expected["runs"] += t.last.size
                expected["hits"] += t.hit_costs.size
                expected["curves"] += int((t.last + 1).sum())
    assert {name: len(found[name]) for name in expected} == expected


def test_exported_numbers_are_exact_and_the_unknown_is_blank(ran, tmp_path):
    optbench("export", ran[0], "--to", "csv", "--output", tmp_path)
    found = {
        name: [
            row
            for row in table((tmp_path / f"{name}.csv").read_text())
            if (row["problem"], row["optimizer"]) == ("himmelblau", "gradient_descent")
        ]
        for name in ("runs", "hits", "curves")
    }
    t = Results.open(ran[0]).trajectory("himmelblau", "gradient_descent")
    seeds, settings = t.last.shape
    for row in found["runs"]:
        at = int(row["seed"]), int(row["setting"])
        assert float(row["learning_rate"]) == t.settings["learning_rate"][at[1]]
        assert float(row["value"]) == t.value[at][t.last[at]]
        assert row["status"] == str(t.status[at])
    hits = [float(row["cost"] or "nan") for row in found["hits"]]
    np.testing.assert_array_equal(np.reshape(hits, t.hit_costs.shape), t.hit_costs)
    assert np.isnan(hits).any() and np.isfinite(hits).any()
    assert {row["cost"] for row in found["hits"] if row["step"] == ""} == {""}
    last = t.last[0, 0]
    lane = [float(row["value"]) for row in found["curves"][: last + 1]]
    assert lane == t.value[0, 0, : last + 1].tolist()


def test_a_half_written_export_replaces_nothing(ran, tmp_path, monkeypatch):
    write(tmp_path / "runs.csv", "what was there")

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("optbench.report.export._hits", full)
    shown = optbench("export", ran[0], "--to", "csv", "--output", tmp_path)
    assert shown.exit_code == 2 and "error:" in shown.stderr
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("runs.csv", "what was there")]


# bounds


def test_a_bound_is_compared_and_drawn(here):
    shown = optbench("bounds", "gd_sc_fgap", "--problem", "quadratic[dim=2]")
    assert shown.exit_code == 0, shown.output
    header, row = shown.stdout.splitlines()
    assert header.split()[:2] == ["theorem", "verdict"]
    assert row.split()[:2] == ["gd_sc_fgap", "holds"]
    assert [path.name for path in (here / "results/bounds/figures").iterdir()] == ["gd_sc_fgap.svg"]


def test_a_violated_bound_fails(here):
    arguments = ["--problem", "quadratic[dim=2]", "--optimizer", "mine.py:too_far", "--json"]
    shown = optbench("bounds", "gd_sc_fgap", *arguments)
    assert shown.exit_code == 1
    (report,) = json.loads(shown.stdout)
    assert report["verdict"] == "crossed" and not report["passed"]


# Manners


def test_what_is_no_bad_input_keeps_its_traceback(ran, monkeypatch):
    def broken(*given):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Results, "summary", broken)
    shown = optbench("show", ran[0])
    assert shown.exit_code == 1 and isinstance(shown.exception, RuntimeError)


def test_colors_only_on_a_terminal_and_not_with_no_color(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in optbench("show", "nowhere").stderr
    assert "\x1b[31m" in optbench("show", "nowhere", color=True).stderr
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in optbench("show", "nowhere", color=True).stderr


def test_a_reader_that_goes_away_is_no_error():
    process = subprocess.Popen(
        [*COMMAND, "list", "optimizers"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1], text=True,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait()


def test_the_page_is_as_wide_as_the_terminal_within_reason(monkeypatch):
    for columns, width in (("20", 60), ("120", 120), ("1000", 160)):
        monkeypatch.setenv("COLUMNS", columns)
        assert manners.page_width() == width


def test_two_processes_draw_what_one_draws(tmp_path):
    """Results in a folder may be drawn by several processes; the bytes are the same."""
    from optbench.figures import plot
    from optbench.study import Study, run_study

    labels = ("rosenbrock", "booth")
    study = Study(name="two", problems=labels, optimizers=("momentum",), seeds=2, budget=20.0)
    results = run_study(study, tmp_path / "results")
    one = plot(results, tmp_path / "one")
    two = plot(results, tmp_path / "two", workers=2)
    assert [path.name for path in one] == [path.name for path in two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
