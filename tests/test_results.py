"""The store: what went in comes out, and what is not ours is refused, untouched."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
import sqlite3
import stat
import string
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optbench import database
from optbench.environment import describe_environment
from optbench.errors import OptbenchError
from optbench.records import (
    Cell,
    ProblemRecord,
    Surface,
    pack,
    pack_trajectory,
    unpack,
    unpack_trajectory,
)
from optbench.results import Results, read_results
from optbench.store import open_store
from optbench.study import Study, run_study
from optbench.trajectory import Status, Trajectory

STUDY = Study(name="stored", problems=("bowl",), optimizers=("walk", "leap"))


def same(a: object, b: object) -> bool:
    """Whether two records hold the same values, arrays bit for bit."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and same(vars(a), vars(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def floats(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Float arrays with NaN and infinities, drawn cheaply."""
    fill = st.sampled_from([0.0, -0.0, 1.5, np.nan, np.inf, -np.inf, 5e-324])
    return hnp.arrays(np.float64, shape, elements=fill)


@st.composite
def logs(draw: st.DrawFn) -> dict[str, object]:
    """The fields of a trajectory."""
    s, h, t, k, r = (draw(st.integers(low, 3)) for low in (1, 1, 1, 0, 0))
    names = st.text(string.printable, max_size=8)
    params = st.one_of(floats(r, t, 2), st.dictionaries(names, floats(r, t), max_size=2))
    hits = draw(hnp.arrays(np.float64, (s, h, k), elements=st.sampled_from([np.nan, 0.0, 7.0])))
    statuses = st.sampled_from([str(status) for status in Status])
    return dict(
        steps=np.arange(t),
        value=draw(floats(s, h, t)),
        gradient_norm=draw(floats(s, h, t)),
        cost=draw(floats(s, h, t)),
        calls=draw(st.dictionaries(names, floats(s, h, t), max_size=2)),
        targets=np.logspace(-1, -10, k),
        hit_steps=hits,
        hit_costs=hits,
        hit_calls={},
        resolution=draw(st.sampled_from(["exact", "log points"])),
        merit=draw(st.sampled_from(["suboptimality", "gradient norm", "escape"])),
        reference=draw(st.none() | st.floats()),
        initial_merit=draw(floats(s, h)),
        status=draw(hnp.arrays("<U20", (s, h), elements=statuses)),
        last=draw(hnp.arrays(np.int64, (s, h), elements=st.integers(0, t - 1))),
        seeds=tuple(range(s)),
        settings=draw(st.sampled_from([{}, {"learning_rate": np.geomspace(1e-3, 1, h)}])),
        recorded=np.arange(r),
        params=draw(params),
        diagnostics=draw(st.dictionaries(names, floats(s, h, t), max_size=1)),
        compile_seconds=0.1,
        run_seconds=0.2,
    )


def cell(optimizer: str, status: str = "finished", key: str | None = None) -> Cell:
    return Cell(
        key=key or f"key of {optimizer}",
        problem="bowl",
        optimizer=optimizer,
        group="walk + leap",
        status=status,  # pyright: ignore[reportArgumentType]
        compile_seconds=0.5,
        run_seconds=0.25,
    )


def begin(store: object, problems: tuple[ProblemRecord, ...] = (ProblemRecord(label="bowl"),)):
    """Make a study of two cells the current one."""
    shown = [("bowl", name, f"key of {name}") for name in STUDY.optimizers]
    environment = describe_environment().to_json()
    store.begin(STUDY.to_toml(), environment, problems, shown)  # pyright: ignore


@pytest.fixture(scope="module")
def trajectory() -> Trajectory:
    lanes = np.ones((1, 1, 2))
    return Trajectory(
        steps=np.array([0, 1]), value=lanes, gradient_norm=lanes, cost=lanes, calls={},
        targets=np.array([0.1, 0.01]), hit_steps=np.array([[[1.0, np.nan]]]),
        hit_costs=np.array([[[2.0, np.nan]]]), hit_calls={}, resolution="exact",
        merit="suboptimality", reference=0.0, initial_merit=np.ones((1, 1)),
        status=np.array([["stalled"]]), last=np.array([[1]]), seeds=(0,),
        settings={"learning_rate": np.array([0.5])}, recorded=np.array([], int),
        params=np.zeros((0, 2, 1)), diagnostics={}, compile_seconds=1.0, run_seconds=1.0,
    )  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path, trajectory: Trajectory) -> Path:
    """A folder with the finished results of a study."""
    with open_store(tmp_path / "stored") as store:
        begin(store)
        for name in STUDY.optimizers:
            store.commit(cell(name), trajectory)
    return tmp_path / "stored"


# What went in comes out


@given(
    arrays=st.dictionaries(
        st.sampled_from("abc"),
        hnp.arrays(
            st.sampled_from(["f8", "f4", "i8", "i4", "?", "c16", "<U3"]),
            hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
        ),
    ),
    values=st.dictionaries(st.text(), st.none() | st.floats() | st.text() | st.integers()),
)
@settings(max_examples=60, deadline=None)
def test_packed_arrays_come_back_bit_for_bit(arrays, values):
    found, told = unpack(pack(arrays, values))
    assert set(found) == set(arrays) and all(same(found[name], arrays[name]) for name in arrays)
    assert same(told, values)


def test_an_array_of_objects_is_not_packed():
    with pytest.raises(ValueError, match="allow_pickle"):
        pack({"a": np.array([{}])}, {})


@given(fields=logs())
@settings(max_examples=60, deadline=None)
def test_a_packed_trajectory_comes_back_bit_for_bit(fields):
    trajectory = Trajectory(**fields)
    assert same(unpack_trajectory(pack_trajectory(trajectory)), trajectory)


def test_same_sees_a_changed_bit(trajectory: Trajectory):
    for changed in (
        {"value": trajectory.value.astype(np.float32)},
        {"value": np.nextafter(trajectory.value, 2)},
        {"reference": -0.5},
        {"calls": {"values": trajectory.value}},
        {"hit_steps": np.array([[[1.0, 2.0]]])},
    ):
        assert not same(dataclasses.replace(trajectory, **changed), trajectory)


@given(fields=logs())
@settings(max_examples=20, deadline=None)
def test_a_cell_comes_back_from_memory(fields):
    trajectory = Trajectory(**fields)
    with open_store(None) as store:
        begin(store)
        store.commit(cell("walk"), trajectory)
        results = read_results(store.connection, None)
    assert results.cells == (cell("walk"),)
    assert same(results.trajectory("bowl", "walk"), trajectory)
    assert results.trajectory("bowl", "leap") is None


def test_a_study_comes_back_from_its_folder(kept: Path, trajectory: Trajectory):
    results = Results.open(kept)
    assert results.folder == kept and results.study["name"] == "stored"
    assert results.optimizers == ("walk", "leap") and list(results.problems) == ["bowl"]
    assert results.cells == (cell("walk"), cell("leap"))
    assert same(results.trajectory("bowl", "leap"), trajectory)
    assert results.environment["versions"]["numpy"] == np.__version__
    assert str(results).startswith("stored: 1 problem x 2 optimizers")


def test_a_problem_comes_back_whole(tmp_path: Path):
    axis = np.linspace(-1, 1, 3)
    records = (
        ProblemRecord(
            label="bowl", dim=2, minimum=0.0, minimum_kind="closed form", saddle=None,
            minimizer=np.zeros(2), stochastic=True, convex=True, smoothness=1.0,
            strong_convexity=0.1, noise_floor=1e-16, source="a book", merit="suboptimality",
            region=((-1.0, 1.0), (-2.0, 2.0)), surface=Surface(axis, axis, np.outer(axis, axis)),
        ),
        ProblemRecord(label="broken", failure="it is broken"),
    )  # fmt: skip
    with open_store(tmp_path) as store:
        begin(store, records)
    found = Results.open(tmp_path).problems
    assert all(same(found[record.label], record) for record in records)


def test_an_earlier_cell_is_replaced_and_lanes_are_typed(kept: Path, trajectory: Trajectory):
    with open_store(kept) as store:
        met = {"hit_steps": np.ones((1, 1, 2)), "hit_costs": np.full((1, 1, 2), 2.0)}
        store.commit(cell("walk"), dataclasses.replace(trajectory, **met))
        store.commit(cell("leap", "failed"), None)
        rows = store.connection.execute("SELECT * FROM runs").fetchall()
        hits = store.connection.execute("SELECT seed, target, steps, cost FROM hits").fetchall()
    assert [row[:2] + row[3:] for row in rows] == [
        ("bowl", "walk", 0, 0, 0.5, "stalled", 1, 1.0, 1.0, 1.0)
    ]
    assert hits == [(0, 0.01, 1, 2.0), (0, 0.1, 1, 2.0)]
    assert [c.status for c in Results.open(kept).cells] == ["finished", "failed"]


def test_an_unknown_label_offers_near_ones(kept: Path):
    with pytest.raises(OptbenchError, match="no optimizer named 'wlak'") as caught:
        Results.open(kept).trajectory("bowl", "wlak")
    assert "did you mean 'walk'" in caught.value.hint


# What is not ours is refused, untouched


def contents(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@contextlib.contextmanager
def refused(match: str, untouched: Path) -> Iterator[None]:
    before = contents(untouched)
    with pytest.raises(OptbenchError, match=match) as caught:
        yield
    assert "\n" not in caught.value.message + caught.value.hint and caught.value.hint
    assert contents(untouched) == before


def pragma(path: Path, text: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(text)


def make_newer(file: Path) -> None:
    pragma(file, f"PRAGMA user_version = {database.SCHEMA_VERSION + 1}")


def make_foreign(file: Path) -> None:
    pragma(file, "PRAGMA application_id = 7")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def scramble(file: Path) -> None:
    file.write_bytes(os.urandom(4096))


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (make_newer, "newer optbench"),
        (make_foreign, "no results of optbench"),
        (truncate, "damaged"),
        (scramble, "damaged"),
        (empty, "no results of optbench"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(kept: Path, spoil, match: str):
    spoil(kept / database.FILE)
    with refused(match, kept):
        Results.open(kept)
    with refused(match, kept):
        run_study(STUDY_OF_OURS, kept)


STUDY_OF_OURS = Study(name="stored", problems=("quadratic",), optimizers=("momentum",))


def test_a_damaged_trajectory_is_said_to_be(kept: Path):
    with contextlib.closing(sqlite3.connect(kept / database.FILE)) as connection, connection:
        connection.execute("UPDATE cells SET trajectory = substr(trajectory, 1, 300)")
    with refused("damaged", kept):
        Results.open(kept).trajectory("bowl", "walk")


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("text")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with refused("file where the folder should be", tmp_path):
            run_study(STUDY_OF_OURS, folder)
        with refused("no results|file where", tmp_path):
            Results.open(folder)
    with refused("no results", tmp_path):
        Results.open(tmp_path / "missing")


def test_a_folder_of_another_study_is_refused(kept: Path, tmp_path: Path):
    other = dataclasses.replace(STUDY_OF_OURS, name="other")
    with refused("holds the study 'stored', not 'other'", kept):
        run_study(other, kept)
    planned = tmp_path / "planned"
    planned.mkdir()
    (planned / "study.toml").write_text(STUDY.to_toml())
    with refused("holds the study 'stored', not 'other'", planned):
        run_study(other, planned)
    (planned / "study.toml").write_text("name = ")
    with refused("no TOML", planned):
        run_study(other, planned)


def test_a_store_in_use_refuses_a_second_writer(kept: Path):
    with open_store(kept):
        with pytest.raises(OptbenchError, match="another process is running this study"):
            with open_store(kept):
                pass
        assert len(Results.open(kept).cells) == 2  # while readers are welcome
    with open_store(kept):
        pass
    assert sorted(path.name for path in kept.iterdir()) == [database.FILE]


def test_a_lock_left_by_a_killed_process_does_not_hold(kept: Path):
    (kept / database.LOCK).touch()
    with open_store(kept):
        pass


def test_a_log_left_beside_a_deleted_file_is_not_replayed(kept: Path):
    with open_store(kept) as store:
        begin(store)
        log = (kept / f"{database.FILE}-wal").read_bytes()
    (kept / database.FILE).unlink()
    (kept / f"{database.FILE}-wal").write_bytes(log)
    with open_store(kept) as store:
        assert store.finished() == set()


def test_a_full_disk_stops_with_one_line_and_loses_nothing(kept: Path, trajectory: Trajectory):
    noise = np.random.default_rng(0).standard_normal((1, 1, 100_000))
    with open_store(kept) as store:
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(OptbenchError, match="the disk is full"):
            store.commit(cell("walk"), dataclasses.replace(trajectory, value=noise))
        assert store.finished() == {"key of walk", "key of leap"}
    assert same(Results.open(kept).trajectory("bowl", "walk"), trajectory)
    with pytest.raises(OptbenchError, match="the disk is full"), database.said_plainly(kept):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_is_no_refusal_passes():
    with pytest.raises(KeyboardInterrupt), database.said_plainly(None):
        raise KeyboardInterrupt


# Another user, and a read-only folder


@pytest.fixture
def shared(kept: Path) -> Iterator[Path]:
    """The results where everybody may read and nobody may write."""
    folder = Path(tempfile.mkdtemp())
    shutil.copy(kept / database.FILE, folder)
    (folder / database.FILE).chmod(0o444)
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


AS_NOBODY = """
import os, sys
from pathlib import Path
from optbench.errors import OptbenchError
from optbench.results import Results
from optbench.store import open_store
folder = Path(sys.argv[-1] if sys.argv[-1:] != ['-c'] else os.environ['FOLDER'])
str(Results.open(folder))  # imports all it needs
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
assert os.geteuid() != 0 and not os.access(folder, os.W_OK)
print(len(Results.open(folder).cells), Results.open(folder).trajectory('bowl', 'walk').seeds)
for attempt in (lambda: open_store(folder), lambda: open_store(folder / 'below')):
    try:
        with attempt():
            print('written')
    except OptbenchError as error:
        print(error.message)
"""


def test_finished_results_open_read_only_for_another_user(shared: Path, fresh_python):
    lines = fresh_python(AS_NOBODY, FOLDER=shared)
    assert lines[0] == "2 (0,)"
    assert len(lines) == 3 and all("read-only" in line for line in lines[1:]), lines
    assert [path.name for path in shared.iterdir()] == [database.FILE]


def test_the_file_of_finished_results_is_out_of_its_log(kept: Path):
    header = (kept / database.FILE).read_bytes()[18:20]
    assert header == b"\x01\x01"  # the versions that mean a rollback journal; 2 means a log
    with open_store(kept):
        assert (kept / database.FILE).read_bytes()[18:20] == b"\x02\x02"
    assert stat.S_ISREG((kept / database.FILE).stat().st_mode)
