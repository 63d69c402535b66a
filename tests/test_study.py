"""Studies: skip what is finished, compute what is missing, record what fails, lose nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import string
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_results import contents, same

import optbench.schedule
from optbench import database, fingerprint
from optbench.design import LogGrid, Study, load_study
from optbench.errors import OptbenchError
from optbench.fingerprint import digest, digest_problem, digest_sources
from optbench.oracle import Prices
from optbench.problem import Problem
from optbench.program import precision
from optbench.results import Results
from optbench.start import start_near
from optbench.study import CellFinished, Compiling, StudyFinished, StudyStarted, run_study

SMALL = Study(
    name="small",
    problems=("quadratic[dim=2]", "rosenbrock"),
    optimizers=("gradient_descent", "adam"),
    seeds=2,
    budget=30.0,
    learning_rate=LogGrid(low=1e-3, high=1e-1, num=3),
)
ONE = dataclasses.replace(SMALL, problems=("quadratic[dim=2]",))


class Log(list):
    """What a study told."""

    def of(self, kind: type) -> list:
        return [event for event in self if isinstance(event, kind)]

    @property
    def computed(self) -> list[tuple[str, str]]:
        return [(e.cell.problem, e.cell.optimizer) for e in self.of(CellFinished)]


def ran(study: Study, folder: Path | None = None, **options) -> tuple[Results, Log]:
    log = Log()
    return run_study(study, folder, listener=log.append, **options), log


def numbers(results: Results) -> dict[tuple[str, str], dict]:
    """Every number of every cell but how long it took."""
    found = {}
    for cell in results.cells:
        trajectory = results.trajectory(cell.problem, cell.optimizer)
        kept = {} if trajectory is None else dict(vars(trajectory))
        kept.pop("compile_seconds", None), kept.pop("run_seconds", None)
        found[cell.problem, cell.optimizer] = {"status": cell.status, **kept}
    return found


def file_of(folder: Path, source: str, name: str) -> str:
    """`path.py` with this source, for a label."""
    path = folder / f"{name}.py"
    path.write_text(f"import jax.numpy as jnp\nimport numpy as np\nimport optax\n{source}")
    return str(path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that ran from start to end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_study(SMALL, folder)
    return folder


# Run, and run again


def test_a_study_tells_what_it_does_and_keeps_every_cell(tmp_path: Path):
    results, log = ran(SMALL, tmp_path / "deep" / "small")
    assert log[0] == StudyStarted(total=4, finished=0)
    assert log.computed == [(p, o) for p in SMALL.problems for o in SMALL.optimizers]
    assert [e.optimizers for e in log.of(Compiling)] == [SMALL.optimizers] * 2
    done = log[-1]
    assert isinstance(done, StudyFinished)
    assert done.seconds > done.compile_seconds + done.run_seconds - 0.1 or done.compile_seconds > 0
    assert [cell.status for cell in results.cells] == ["finished"] * 4
    assert {cell.group for cell in results.cells} == {"gradient_descent + adam"}
    trajectory = results.trajectory("rosenbrock", "adam")
    assert trajectory.value.shape[:2] == (2, 3) and len(trajectory.recorded) == 6
    assert np.allclose(trajectory.settings["learning_rate"], [1e-3, 1e-2, 1e-1])
    assert Study.from_toml((tmp_path / "deep" / "small" / "study.toml").read_text()) == SMALL


def test_finished_cells_are_skipped(undisturbed: Path):
    before = contents(undisturbed)
    results, log = ran(SMALL, undisturbed)
    assert log[0] == StudyStarted(total=4, finished=4)
    assert log.computed == [] and log.of(Compiling) == []
    assert len(results.cells) == 4 and contents(undisturbed).keys() == before.keys()


def test_memory_holds_what_a_folder_holds(undisturbed: Path):
    assert same(numbers(ran(SMALL)[0]), numbers(Results.open(undisturbed)))


def test_an_interrupted_study_continues(tmp_path: Path, undisturbed: Path):
    left = 4
    while left:
        log = Log()

        def stop_after_one(event, log=log):
            log.append(event)
            if isinstance(event, CellFinished):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_study(SMALL, tmp_path, listener=stop_after_one)
        left -= 1
        assert len(log.computed) == 1 and len(Results.open(tmp_path).cells) == 4 - left
    results, log = ran(SMALL, tmp_path)
    assert log.computed == []
    assert same(numbers(results), numbers(Results.open(undisturbed)))


def test_fresh_computes_again_and_loses_nothing_when_interrupted(tmp_path: Path):
    ran(ONE, tmp_path)
    first = numbers(Results.open(tmp_path))

    def stop_at_start(event):
        if isinstance(event, Compiling):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(ONE, tmp_path, fresh=True, listener=stop_at_start)
    assert same(numbers(Results.open(tmp_path)), first)
    results, log = ran(ONE, tmp_path, fresh=True)
    assert len(log.computed) == 2 and same(numbers(results), first)


# Edit, and run again


def test_an_edited_study_computes_what_changed(tmp_path: Path):
    ran(ONE, tmp_path)
    first = numbers(Results.open(tmp_path))
    wider = dataclasses.replace(ONE, optimizers=("gradient_descent", "momentum", "adam"))
    results, log = ran(wider, tmp_path)
    assert log.computed == [("quadratic[dim=2]", "momentum")]
    groups = {cell.optimizer: cell.group for cell in results.cells}
    assert groups == {
        "gradient_descent": "gradient_descent + adam",
        "momentum": "momentum",
        "adam": "gradient_descent + adam",
    }
    narrower = dataclasses.replace(ONE, optimizers=("adam",))
    results, log = ran(narrower, tmp_path)
    assert log.computed == [] and [c.optimizer for c in results.cells] == ["adam"]
    results, log = ran(dataclasses.replace(narrower, seeds=3), tmp_path)
    assert log.computed == [("quadratic[dim=2]", "adam")]
    assert results.cells[0].group == "gradient_descent + adam"  # as first compiled
    results, log = ran(ONE, tmp_path)
    assert log.computed == [] and same(numbers(results), first)


@pytest.mark.parametrize(
    "change",
    [
        {"budget": 31.0},
        {"targets": (0.1, 0.01)},
        {"learning_rate": LogGrid(low=1e-3, high=1e-1, num=4)},
        {"prices": Prices(values=0.5)},
        {"precision": "float32"},
    ],
)
def test_whatever_decides_numbers_is_in_the_key(change, tmp_path: Path):
    keys = []
    for study in (ONE, dataclasses.replace(ONE, **change)):
        with pytest.raises(KeyboardInterrupt):
            run_study(study, tmp_path, listener=stop_once_laid_out)
        with contextlib.closing(sqlite3.connect(tmp_path / database.FILE)) as connection:
            keys.append({key for (key,) in connection.execute("SELECT key FROM shown")})
    assert not keys[0] & keys[1]


def stop_once_laid_out(event):
    raise KeyboardInterrupt


def test_the_toml_that_says_the_same_stays(tmp_path: Path):
    text = f"# mine\n{ONE.to_toml()}"
    (tmp_path / "study.toml").write_text(text)
    ran(ONE, tmp_path)
    assert (tmp_path / "study.toml").read_text() == text
    ran(dataclasses.replace(ONE, optimizers=("adam",)), tmp_path)
    assert (tmp_path / "study.toml").read_text() != text


# What fails is recorded, and the rest goes on

BROKEN = """
from optbench.problem import Problem
from optbench.start import start_near
from optbench.optimizer import Optimizer, Step

def f(x):
    return jnp.sum(x**2)

def built_badly() -> Problem:
    raise RuntimeError("no\\nsuch thing")

def no_problem() -> Problem:
    return 3

def nan_at_start() -> Problem:
    return Problem(objective=lambda x: jnp.sum(jnp.log(x)), start=start_near(np.full(2, -1.0)))

def good() -> Problem:
    return Problem(objective=f, start=start_near(np.ones(2)), minimum=0.0)

def refuses(learning_rate: float = 0.1) -> Optimizer:
    raise ValueError("it will not")

def unstable(learning_rate: float = 0.1) -> Optimizer:
    def step(evaluation, state, oracle):
        return Step(evaluation.params, (state, state))
    return Optimizer(lambda params: jnp.zeros(()), step)

def fine(learning_rate: float = 0.1) -> Optimizer:
    return optax.sgd(learning_rate)
"""


def test_a_problem_that_fails_is_recorded(tmp_path: Path):
    file = file_of(tmp_path, BROKEN, "broken_problems")
    names = ("built_badly", "no_problem", "nan_at_start", "good")
    study = dataclasses.replace(
        ONE, problems=tuple(f"{file}:{name}" for name in names), optimizers=("adam",)
    )
    results, log = ran(study, tmp_path / "results")
    assert [cell.status for cell in results.cells] == ["failed"] * 3 + ["finished"]
    messages = [cell.message for cell in results.cells]
    assert messages[0] == "RuntimeError: no"
    assert "not a Problem" in messages[1] and "nan at the start" in messages[2]
    assert [record.failure for record in results.problems.values()] == [*messages[:3], None]
    assert results.problems[f"{file}:built_badly"].dim is None
    assert results.trajectory(f"{file}:built_badly", "adam") is None
    assert len(ran(study, tmp_path / "results")[1].computed) == 3  # tried again


def test_an_optimizer_that_fails_takes_no_other_with_it(tmp_path: Path):
    file = file_of(tmp_path, BROKEN, "broken_optimizers")
    labels = tuple(f"{file}:{name}" for name in ("refuses", "unstable", "fine"))
    study = dataclasses.replace(ONE, optimizers=(*labels, "adam", "natural_gradient"))
    results, log = ran(study, tmp_path / "results")
    found = {cell.optimizer.rpartition(":")[2]: cell for cell in results.cells}
    assert {name: cell.status for name, cell in found.items()} == {
        "refuses": "failed",
        "unstable": "failed",
        "fine": "finished",
        "adam": "finished",
        "natural_gradient": "not applicable",
    }
    assert found["refuses"].message.endswith("cannot be built: it will not")
    assert "changes its structure" in found["unstable"].message
    assert found["natural_gradient"].message == "this problem has no Fisher matrix"
    again, log = ran(study, tmp_path / "results")
    assert [optimizer for _, optimizer in log.computed] == list(labels[:2])
    assert same(numbers(again), numbers(results))


def test_a_crash_while_running_is_recorded_and_tried_again(tmp_path: Path, monkeypatch):
    whole = optbench.schedule.execute

    def crash(job, member, progress):
        if member == 0:
            raise MemoryError("out of it")
        return whole(job, member, progress)

    monkeypatch.setattr(optbench.schedule, "execute", crash)
    results, _ = ran(ONE, tmp_path)
    assert [cell.status for cell in results.cells] == ["failed", "finished"]
    assert results.cells[0].message == "MemoryError: out of it"
    monkeypatch.undo()
    results, log = ran(ONE, tmp_path)
    assert log.computed == [("quadratic[dim=2]", "gradient_descent")]
    assert same(numbers(results), numbers(ran(ONE)[0]))


def test_a_full_disk_is_no_failure_of_the_cell(tmp_path: Path, monkeypatch):
    def refuse(store, cell, trajectory):
        raise OptbenchError("the disk is full", "free some space")

    monkeypatch.setattr(optbench.schedule.Store, "commit", refuse)
    with pytest.raises(OptbenchError, match="disk is full"):
        run_study(ONE, tmp_path)
    assert Results.open(tmp_path).cells == ()


# What cannot be run is refused before anything runs


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"problems": ("quadratik",)}, "no problem named 'quadratik'", "quadratic"),
        ({"optimizers": ("adm",)}, "no optimizer named 'adm'", "adam"),
        ({"problems": ("quadratic[dimm=3]",)}, "argument of problem quadratic", "dim"),
        ({"optimizers": ("adam[b3=0.5]",)}, "argument of optimizer adam", "b1"),
        ({"problems": ("quadratic(rosenbrock)",)}, "wraps no other", "name"),
        ({"problems": ("quadratic[",)}, "cannot read", "name"),
        ({"problems": ("nowhere.py:f",)}, "no file", "path"),
    ],
)
def test_unknown_labels_are_refused_before_anything_runs(change, message, hint, tmp_path: Path):
    with pytest.raises(OptbenchError) as caught:
        run_study(dataclasses.replace(SMALL, **change), tmp_path / "new")
    assert message in caught.value.message and hint in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seeds = 0", "seeds is 0"),
        ("seeds = -1", "seeds is -1"),
        ("seeds = 2.5", "seeds is 2.5"),
        ("seeds = true", "seeds is True"),
        ("seeds = 'five'", "seeds is 'five'"),
        ("budget = 0", "budget is 0"),
        ("budget = nan", "budget is nan"),
        ("budget = inf", "budget is inf"),
        ("budget = '1'", "budget is '1'"),
        ("targets = [0.01, 0.1]", "descending"),
        ("targets = [2.0]", "targets are"),
        ("targets = 0.1", "targets is 0.1"),
        ("targets = ['a']", "targets is 'a'"),
        ("precision = 'float16'", "no precision"),
        ("name = '../up'", "cannot be named"),
        ("name = ''", "cannot be named"),
        ("name = 3", "name is 3"),
        ("problems = []", "no problems"),
        ("problems = 'rosenbrock'", "problems is 'rosenbrock'"),
        ("problems = ['a', 'a']", "twice"),
        ("problems = [1]", "problems is 1"),
        ("sedes = 3", "no key of a study named 'sedes'"),
        ("learning_rate = 0.1", "learning_rate is 0.1"),
        ("[learning_rate]\nnum = 0", "learning_rate.num is 0"),
        ("[learning_rate]\nlow = 0", "learning_rate.low is 0"),
        ("[learning_rate]\nlow = 10.0", "low below high"),
        ("[learning_rate]\nhi = 1", "no key of learning_rate named 'hi'"),
        ("[prices]\nvalues = -1.0", "price of values is -1.0"),
        ("[prices]\nvalue_and_gradients = 0", "value_and_gradients is 0"),
        ("[prices]\nvaluse = 1", "no key of prices named 'valuse'"),
        ("seeds = ", "no TOML"),
    ],
)
def test_a_study_that_cannot_be_run_is_refused(line: str, message: str, tmp_path: Path):
    given = {"name": '"x"', "problems": '["rosenbrock"]', "optimizers": '["adam"]'}
    given.pop(line.partition(" =")[0], None)
    lines = [f"{key} = {value}" for key, value in given.items()]
    (tmp_path / "x.toml").write_text("\n".join([*lines, line]))
    with pytest.raises(OptbenchError) as caught:
        load_study(tmp_path / "x.toml")
    told = f"{caught.value.message} {caught.value.hint}"
    assert message in told and "\n" not in told and "x.toml" in told


@pytest.mark.parametrize("missing", ["problems", "optimizers"])
def test_a_study_needs_problems_and_optimizers(missing: str):
    text = "\n".join(f"{key} = ['a']" for key in {"problems", "optimizers"} - {missing})
    with pytest.raises(OptbenchError, match=f"the study has no {missing}"):
        Study.from_toml(text, name="x")


def test_a_study_is_found_by_path_or_shipped_name(tmp_path: Path):
    (tmp_path / "mine.toml").write_text("problems = ['a']\noptimizers = ['b']\nbudget = 7")
    study = load_study(tmp_path / "mine.toml")
    assert (study.name, study.budget, study.problems) == ("mine", 7.0, ("a",))
    assert load_study("quick").name == "quick"
    for name, match in (("quik", "no study named 'quik'"), ("missing.toml", "cannot read")):
        with pytest.raises(OptbenchError, match=match):
            load_study(name)


labels = st.lists(st.text(string.printable, min_size=1), min_size=1, max_size=3, unique=True)
positive = st.floats(1e-6, 1e6)


@given(
    problems=labels.map(tuple),
    optimizers=labels.map(tuple),
    description=st.text(st.characters(exclude_categories=["Cs"])),
    seeds=st.integers(1, 10**9),
    budget=positive,
    low=positive,
    values=st.floats(0, 1e6),
)
@settings(max_examples=60, deadline=None)
def test_toml_says_the_whole_study(values, low, **fields):
    grid, prices = LogGrid(low=low, high=2 * low, num=3), Prices(values=values)
    study = Study(name="x-1.y_z", learning_rate=grid, prices=prices, **fields)
    assert Study.from_toml(study.to_toml()) == study


# What a study keeps of its problems and methods


def test_a_label_that_sets_its_learning_rate_runs_at_that_alone(tmp_path: Path):
    fixed = "clip_by_global_norm(adam[learning_rate=0.01])[max_norm=2.0]"
    results, _ = ran(dataclasses.replace(ONE, optimizers=("adam", fixed)))
    assert dict(results.trajectory("quadratic[dim=2]", fixed).settings) == {}
    assert [cell.group for cell in results.cells] == ["adam", fixed]


def test_every_optimizer_sees_the_same_starts(undisturbed: Path):
    results = Results.open(undisturbed)
    first = [results.trajectory("rosenbrock", o).value[:, :, 0] for o in SMALL.optimizers]
    assert np.array_equal(*first) and len(np.unique(first[0])) == 2  # one per seed


def test_the_surface_of_a_plane_problem_is_f(undisturbed: Path):
    record = Results.open(undisturbed).problems["rosenbrock"]
    x, y = np.meshgrid(record.surface.x, record.surface.y)
    assert np.allclose(record.surface.values, 100 * (y - x**2) ** 2 + (1 - x) ** 2, rtol=1e-12)
    assert (record.surface.x[0], record.surface.x[-1]) == record.region[0]
    assert (record.dim, record.minimum, record.merit) == (2, 0.0, "suboptimality")
    assert np.array_equal(record.minimizer, [1.0, 1.0]) and 0 < record.noise_floor < 1e-25


def test_all_points_are_kept_in_the_plane_only():
    study = dataclasses.replace(ONE, problems=("quadratic[dim=3]",), optimizers=("adam",))
    results, _ = ran(study)
    kept = results.trajectory("quadratic[dim=3]", "adam")
    assert len(kept.recorded) == 1 and kept.params.dtype == np.float32
    assert results.problems["quadratic[dim=3]"].surface is None


# Keys


def test_digests_tell_values_apart():
    parts = [[1], [1.0], ["1"], [None], [[1, 2]], [1, 2], [], [np.zeros(2)], [np.zeros(2, "f4")]]
    parts += [[np.zeros((2, 1))], [np.array([0.0, -0.0])], [np.zeros(1), np.zeros(1)]]
    assert len({digest(*part) for part in parts}) == len(parts)
    assert digest(np.arange(6).reshape(2, 3).T) == digest(np.arange(6).reshape(2, 3).T.copy())


def quadratic_with(captured: np.ndarray, scale: float) -> Problem:
    def objective(x, data):
        return scale * jnp.sum(captured * x**2) + jnp.sum(data) * 0

    return Problem(objective=objective, start=start_near(np.ones(3)), data=(np.ones(2),))


def digest_of(problem: Problem, seeds: range = range(2)) -> str:
    with precision("float64"):
        return digest_problem(problem, seeds)


def test_the_digest_of_a_problem_sees_what_decides_its_numbers():
    base = quadratic_with(np.ones(3), 1.0)
    assert digest_of(base) == digest_of(quadratic_with(np.ones(3), 1.0))
    assert digest_of(base) == digest_of(dataclasses.replace(base, name="other", source="book"))
    nudged = np.array([1.0, np.nextafter(1.0, 2.0), 1.0])
    others = [
        quadratic_with(nudged, 1.0),
        quadratic_with(np.ones(3), np.nextafter(1.0, 2.0)),
        dataclasses.replace(base, data=(np.array([1.0, 2.0]),)),
        dataclasses.replace(base, start=start_near(np.full(3, 2.0))),
        dataclasses.replace(base, minimum=0.0),
        dataclasses.replace(base, saddle=0.0),
        dataclasses.replace(base, bounded_below=False),
        dataclasses.replace(base, sample_loss=lambda p, key, d: jnp.sum(p**2)),
        dataclasses.replace(base, residuals=lambda p, d: p),
        dataclasses.replace(base, network=lambda p, dense, d: dense(d[:1, None], p[None, :])),
        dataclasses.replace(base, network=lambda p, dense, d: dense(d[1:, None], p[None, :])),
        dataclasses.replace(base, monitors=(("m", lambda p, d: jnp.sum(p)),)),
    ]
    digests = {digest_of(problem) for problem in others}
    assert len(digests) == len(others) and digest_of(base) not in digests
    assert digest_of(base, range(3)) != digest_of(base, range(2))


def test_the_digest_of_sources_follows_imports_of_the_same_folder(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "entry_of_ours.py").write_text("import sibling_of_ours\nimport json\n")
    (tmp_path / "sibling_of_ours.py").write_text("X = 1\n")
    (tmp_path / "stranger_of_ours.py").write_text("X = 1\n")
    __import__("entry_of_ours"), __import__("stranger_of_ours")

    def now() -> str:
        digest_sources.cache_clear(), fingerprint._read.cache_clear()
        return digest_sources("entry_of_ours")

    first = now()
    (tmp_path / "stranger_of_ours.py").write_text("X = 2\n")
    assert now() == first
    (tmp_path / "sibling_of_ours.py").write_text("X = 2\n")
    assert now() != first
    for name in ("entry_of_ours", "sibling_of_ours", "stranger_of_ours"):
        sys.modules.pop(name)


def test_the_sources_of_the_engine_are_those_that_step():
    sources: dict[str, str] = {}
    fingerprint._gather("optbench.run", sources)
    needed = ("run", "program", "loop", "lanes", "optimizer", "oracle", "problem", "trees")
    assert {f"optbench.{name}" for name in needed} <= set(sources)
    assert not any("figures" in name or "cli" in name for name in sources)
