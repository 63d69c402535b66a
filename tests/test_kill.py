"""A study killed at any moment continues as if nothing had been; two at once do no harm."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_results import same
from test_study import numbers

from optbench import database
from optbench.results import Results

KILLS = 20

DRIVER = '''
"""Runs a tiny study, announcing every event and every insertion inside a transaction."""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import optbench.store
from optbench.design import LogGrid, Study
from optbench.errors import OptbenchError
from optbench.method import make_method
from optbench.problem import Problem
from optbench.start import start_near
from optbench.study import Parts, run_parts

folder, cache, defect = sys.argv[1:]
if cache != "-":
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def bowl(x):
    return jnp.sum(x**2) / 2


def valley(x):
    return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2


def ripples(x):
    return jnp.sum(x**2 + jnp.sin(3 * x) ** 2)


problems = {f.__name__: Problem(objective=f, start=start_near(np.ones(2)), minimum=0.0,
                                region=((-2.0, 2.0), (-2.0, 2.0)))
            for f in (bowl, valley, ripples)}
factories = (optax.sgd, optax.adam, optax.rmsprop, optax.adagrad, optax.lion)
methods = {f.__name__: make_method(f) for f in factories}
methods["fixed"] = make_method(optax.sgd, "fixed", learning_rate=0.1)
study = Study(name="tiny", problems=tuple(problems), optimizers=tuple(methods), seeds=2,
              budget=100.0, learning_rate=LogGrid(low=1e-2, high=1e-1, num=2))
parts = Parts(problems={n: lambda p=p: p for n, p in problems.items()}, methods=methods,
              find=methods.__getitem__)
insert = optbench.store._insert


def announced_insert(connection, table, row):
    number = insert(connection, table, row)
    print("Inserted", table, flush=True)
    time.sleep(0.02)
    return number


def tell(event):
    cell = getattr(event, "cell", None)
    print(type(event).__name__, *([cell.problem, cell.optimizer] if cell else []), flush=True)


optbench.store._insert = announced_insert
exec(defect)
try:
    run_parts(study, parts, folder, listener=tell)
except OptbenchError as error:
    print("refused:", error.message)
'''


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("driver") / "driver.py"
    path.write_text(DRIVER)
    return path


def started(
    driver: Path, folder: Path, cache: Path | str = "-", defect: str = ""
) -> subprocess.Popen[str]:
    command = [sys.executable, str(driver), str(folder), str(cache), defect]
    root = Path(__file__).parents[1]
    return subprocess.Popen(
        command, cwd=root, env={"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def undisturbed(driver: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The results of a run from start to end, and the compiled programs it left."""
    folder, cache = (tmp_path_factory.mktemp(name) for name in ("undisturbed", "cache"))
    with started(driver, folder, cache) as process:
        process.communicate(timeout=120)
    assert process.returncode == 0
    return folder, cache


Moment = tuple[str, int, float]  # an event, how many of it to await, the longest delay after it
COMPILING: Moment = ("Compiling", 1, 0.3)
INSIDE_A_CELL: Moment = ("Inserted cells", 1, 0.0)
INSIDE_A_LANDSCAPE: Moment = ("Inserted landscapes", 1, 0.0)
AFTER_A_CELL: Moment = ("CellFinished", 1, 0.01)
MOMENTS: list[Moment] = [
    ("", 0, 1.5),  # while starting
    ("StudyStarted", 1, 0.1),
    ("Inserted problems", 2, 0.0),  # inside the transaction that lays the study out
    COMPILING,
    ("Running", 1, 0.02),
    INSIDE_A_CELL,
    AFTER_A_CELL,
    INSIDE_A_LANDSCAPE,
]


def lines_until_killed(process: subprocess.Popen[str], moment: Moment, wait: float) -> list[str]:
    """Kill a process at a moment of its life; the lines it printed before."""
    event, count, _ = moment
    lines: list[str] = []
    assert process.stdout is not None
    while count:
        line = process.stdout.readline()
        assert line, f"ended before {event}"
        lines.append(line.strip())
        count -= line.startswith(event)
    time.sleep(wait)
    process.kill()
    lines += process.stdout.read().splitlines()
    process.wait()
    process.stdout.close()
    assert process.returncode == -9
    return lines


def live_through(
    moments: list[Moment], driver: Path, folder: Path, cache: Path, defect: str = ""
) -> list[str]:
    """Run a study, killed at each moment in turn, to its end; all cells told as finished."""
    rng = random.Random(0)
    told: list[str] = []
    for moment in moments:
        warm = "-" if moment == COMPILING else cache
        process = started(driver, folder, warm, defect)
        lines = lines_until_killed(process, moment, rng.uniform(0, moment[2]))
        told += [line for line in lines if line.startswith("CellFinished")]
        if "StudyStarted" in lines:
            assert len(Results.open(folder).cells) >= len(told)  # readable as it was left
    with started(driver, folder, cache, defect) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return told + [line for line in output.splitlines() if line.startswith("CellFinished")]


def faults(told: list[str], folder: Path, whole: Path) -> list[str]:
    """What a study that was killed has lost, or computed twice."""
    results = Results.open(folder)
    kept = {f"CellFinished {cell.problem} {cell.optimizer}" for cell in results.cells}
    found = [f"lost: {line}" for line in set(told) - kept]
    found += [f"twice: {line}" for line in set(told) if told.count(line) > 1]
    if not same(numbers(results), numbers(Results.open(whole))):
        found.append("other numbers")
    found += [f"no landscape: {p}" for p in results.problems if results.landscape(p) is None]
    with contextlib.closing(sqlite3.connect(folder / database.FILE)) as connection:
        rows = connection.execute("SELECT problem, optimizer, count(*) FROM runs GROUP BY 1, 2")
        lanes = {(problem, optimizer): count for problem, optimizer, count in rows}
    for cell in results.cells:
        if lanes.get((cell.problem, cell.optimizer)) != (2 if cell.optimizer == "fixed" else 4):
            found.append(f"half a cell: {cell.problem} {cell.optimizer}")
    return found


def test_a_study_killed_twenty_times_continues_as_if_nothing_had_been(
    driver: Path, undisturbed: tuple[Path, Path], tmp_path: Path
):
    whole, cache = undisturbed
    moments = [MOMENTS[i % len(MOMENTS)] for i in range(KILLS)]
    random.Random(1).shuffle(moments)
    told = live_through(moments, driver, tmp_path, cache)
    assert faults(told, tmp_path, whole) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == [database.FILE, "study.toml"]


FORGETFUL = "optbench.store.Store.finished = lambda store: set()"
IN_PIECES = """
import contextlib
optbench.store.Store._transaction = lambda store: contextlib.nullcontext(store.connection)
"""


MISTAKEN = "optbench.store.Store.landscape_key = lambda store, problem: Always()"
MISTAKEN += "\nclass Always:\n    def __eq__(self, other): return True"


@pytest.mark.parametrize(
    ("defect", "moment", "fault"),
    [
        (FORGETFUL, AFTER_A_CELL, "twice: "),
        (IN_PIECES, INSIDE_A_CELL, "half a cell: "),
        (MISTAKEN, AFTER_A_CELL, "no landscape: "),
    ],
)
def test_a_store_that_forgets_or_commits_in_pieces_is_seen(
    defect: str, moment: Moment, fault: str, driver: Path, undisturbed, tmp_path: Path
):
    whole, cache = undisturbed
    told = live_through([moment], driver, tmp_path, cache, defect)
    assert [f for f in faults(told, tmp_path, whole) if f.startswith(fault)]


def test_a_second_process_on_the_same_study_stops_and_does_no_harm(
    driver: Path, undisturbed: tuple[Path, Path], tmp_path: Path
):
    whole, cache = undisturbed
    processes = [started(driver, tmp_path, cache) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    refused = [output for output in outputs if "refused:" in output]
    assert all("another process is running this study" in output for output in refused)
    assert len(refused) < 2
    assert same(numbers(Results.open(tmp_path)), numbers(Results.open(whole)))
