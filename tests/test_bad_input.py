"""Bad input: one line that says what is wrong, one that says what to do, exit code 2."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from command_line import MINE, optbench, write

from optbench import study
from optbench.cli.door import require_step
from optbench.method import find_method
from optbench.optimizers.names import known_optimizers
from optbench.results import Results

TINY = 'problems = ["booth"]\noptimizers = ["gradient_descent"]\nseeds = 1\nbudget = 5\n'


# As for a user: a wrong type reaches the door, where tests would stop it before.
pytestmark = pytest.mark.filterwarnings("ignore::runtime_types.WrongType")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A current folder with nothing but `mine.py` and `tiny.toml` in it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.py", MINE)
    write(tmp_path / "tiny.toml", TINY)
    return tmp_path


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """The results of `tiny.toml`."""
    root = tmp_path_factory.mktemp("kept")
    plan = study.load_study(write(root / "tiny.toml", TINY))
    study.run_study(plan, root / "out")
    return root / "out"


@pytest.fixture
def results(kept, here) -> Path:
    """A copy of those results, to spoil."""
    return Path(shutil.copytree(kept, here / "out"))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refusal(result: Result) -> tuple[str, str]:
    """The message and the hint of a command that was refused as it should be."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit) and result.stdout == ""
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ") and hint.startswith("hint: ")
    return error.removeprefix("error: "), hint.removeprefix("hint: ")


def refused(here: Path, *arguments: object) -> tuple[str, str]:
    """The refusal of a command that has touched nothing."""
    before = contents(here)
    told = refusal(optbench(*arguments))
    now = {name: data for name, data in contents(here).items() if "__pycache__" not in name}
    assert now == before
    return told


# Names


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["run", "--problem", "quadratik"], "no problem named 'quadratik'", "'quadratic'"),
        (["run", "--optimizer", "adm"], "no optimizer named 'adm'", "did you mean 'adam'"),
        (["run", "--optimizer", "clip_by_value(adm)"], "no optimizer named 'adm'", "'adam'"),
        (["run", "--optimizer", "adam[b3=1]"], "optimizer adam named 'b3'", "did you mean 'b"),
        (["run", "--problem", "quadratic[dims=3]"], "named 'dims'", "did you mean 'dim'"),
        (["run", "quik"], "no study named 'quik'", "did you mean 'quick'"),
        (["run", "quik.toml"], "cannot read quik.toml", "name a TOML file"),
        (["run", "--problems", "their_problems"], "cannot import 'their_problems'", "module"),
        (["check", "rosenbrok"], "no problem or optimizer named", "did you mean 'rosenbrock'"),
        (["check", "mine.py:bowll"], "no function named 'bowll'", "did you mean 'bowl'"),
        (["check", "yours.py:bowl"], "no file 'yours.py'", "path/to/file.py:function"),
        (["bounds", "gd_convex_tigt"], "no theorem named", "did you mean 'gd_convex_tight'"),
        (["bounds", "--problem", "quadratik"], "no problem named 'quadratik'", "'quadratic'"),
        (["list", "problem"], "'problem' is not one of 'problems'", "optbench list --help"),
        (["list", "problems", "--family", "nists"], "no family named 'nists'", "'nist'"),
        (["list", "problems", "--all"], "problems are listed whole", "of libraries"),
        (["list", "optimizers", "--convex"], "no filter applies to optimizers", "choose among"),
        (["check", "nosy(rosenbrock)"], "named 'nosy'", "optbench list"),
        (["run", "--problem", "nosy(rosenbrock)"], "no transform named 'nosy'", "noisy"),
        (["run", "--problem", "noisy(rosenbrok)"], "no problem named 'rosenbrok'", "rosenbrock"),
        (["runn"], "No such command 'runn'", "optbench --help"),
        (["run", "--seed", "3"], "No such option", "optbench run --help"),
        (["export", "out", "--to", "xlsx"], "'xlsx' is not one of 'csv'", "export --help"),
        (["plot", "out", "--format", "eps"], "'eps' is not one of 'svg'", "plot --help"),
    ],
)
def test_an_unknown_name_is_refused_and_near_ones_are_offered(here, arguments, message, hint):
    told = refused(here, *arguments)
    assert message in told[0] and hint in told[1]


@pytest.mark.parametrize("label", ["adam[", "adam[b1]", "adam(momentum", "1adam", "adam]", ""])
def test_a_label_that_cannot_be_read_is_refused(here, label):
    told = refused(here, "run", "--optimizer", label)
    assert "cannot read" in told[0] and "[argument=value,...]" in told[1]


# Problems and optimizers of one's own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vector", "objective returns shape (2,), not a scalar"),
        ("whole", "objective returns dtype int64, not a real float"),
        ("undefined", "objective is nan at the start"),
        ("dataless", "cannot be called with 1 arguments"),
        ("integers", "params have a leaf of dtype int64"),
        ("empty", "params are empty"),
        ("no_problem", "is a int"),
    ],
)
@pytest.mark.parametrize("command", [["run", "--optimizer", "adam", "--problem"], ["check"]])
def test_a_malformed_problem_is_refused_before_anything_runs(here, command, name, message):
    assert message in refused(here, *command, f"mine.py:{name}")[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("batched", "an optax optimizer needs 'batch' at every step"),
        ("needy", "missing 1 required positional argument: 'num_devices'"),
        ("no_optimizer", "returns a "),
    ],
)
def test_an_optimizer_that_cannot_step_is_refused_before_anything_runs(here, name, message):
    arguments = ["--problem", "booth", "--optimizer", f"mine.py:{name}"]
    assert message in refused(here, "run", *arguments)[0]


def test_a_file_that_fails_is_refused(here):
    write(here / "broken.py", "import nonexistent_module")
    assert "broken.py fails when run" in refused(here, "check", "broken.py:bowl")[0]


# Numbers


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--budget", 0, "budget is 0.0"),
        ("--budget", -5, "budget is -5.0"),
        ("--budget", "nan", "budget is nan"),
        ("--budget", "inf", "budget is inf"),
        ("--budget", "much", "'much' is not a valid float"),
        ("--seeds", 0, "seeds is 0"),
        ("--seeds", -1, "seeds is -1"),
        ("--seeds", 2.5, "'2.5' is not a valid integer"),
    ],
)
def test_a_number_out_of_range_is_refused(here, option, value, message):
    assert message in refused(here, "run", "tiny.toml", option, value)[0]


# Study files


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("budgt = 5\n" + TINY, "key of a study named 'budgt'", "did you mean 'budget'"),
        (TINY + "[learning_rate]\nlo = 1", "key of learning_rate named 'lo'", "'low'"),
        (TINY + "[prices]\nprox = -1", "the price of prox is -1", "give 0 or more"),
        (TINY + "[prices]\nprocs = 1", "key of prices named 'procs'", "'prox'"),
        (TINY + "targets = [0.1, 2.0]", "targets are [0.1, 2.0]", "descending"),
        (TINY + "targets = ['easy']", "targets", "give"),
        (TINY + 'precision = "float16"', "float16", "float64"),
        (TINY.replace("booth", "boot"), "no problem named 'boot'", "did you mean 'booth'"),
        (TINY.replace("gradient_descent", "adm"), "no optimizer named 'adm'", "'adam'"),
        (TINY.replace("seeds = 1", "seeds = 'one'"), "seeds is 'one'", "a whole number"),
        (TINY.replace('["booth"]', '"booth"'), "problems is 'booth'", "give a list"),
        (TINY.replace('["booth"]', "[]"), "has no problems", "problems = "),
        (TINY.replace('["booth"]', '["booth", "booth"]'), "'booth' stands twice", "once"),
        (TINY + "budget = ", "is no TOML", "key = value"),
        ("", "has no problems", "problems = "),
    ],
)
def test_a_study_with_a_mistake_is_refused(here, text, message, hint):
    write(here / "tiny.toml", text)
    told = refused(here, "run", "tiny.toml")
    assert message in told[0] and hint in told[1]


# Folders of results


@pytest.mark.parametrize("command", [["show"], ["rates"], ["plot"], ["export", "--to", "csv"]])
def test_a_folder_without_results_is_refused(here, command):
    for place in ("nowhere", "."):
        assert "no results in" in refused(here, *command, place)[0]


def test_a_file_where_the_folder_should_be_is_refused(here):
    told = refused(here, "run", "tiny.toml", "--results", "mine.py")
    assert "there is a file where the folder should be" in told[0]
    for command in (["show"], ["rates"], ["plot"], ["export", "--to", "csv"]):
        refused(here, *command, "mine.py")


def test_results_of_another_study_are_kept(here, results):
    write(here / "other.toml", TINY)
    told = refused(here, "run", "other.toml", "--results", "out")
    assert "holds the study 'tiny', not 'other'" in told[0] and "another folder" in told[1]


def test_somebody_elses_folder_is_kept(here):
    (here / "out").mkdir()
    write(here / "out/study.toml", "something = 'else'")
    refused(here, "run", "tiny.toml", "--results", "out")


@pytest.mark.parametrize(
    "command", [["run", "tiny.toml", "--results"], ["show"], ["rates"], ["plot"]]
)
@pytest.mark.parametrize("spoil", ["text", "truncated", "foreign"])
def test_a_damaged_file_is_refused_and_kept(here, results, command, spoil):
    path = results / "results.sqlite"
    whole = path.read_bytes()
    path.write_bytes(
        {
            "text": b"no database at all, but long enough to be taken for one" * 10,
            "truncated": whole[: len(whole) // 2 // 4096 * 4096],
            "foreign": whole[:68] + b"\0\0\0\0" + whole[72:],
        }[spoil]
    )
    refused(here, *command, "out")


def test_without_pyarrow_parquet_is_refused_with_the_install_line(here, results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = refused(here, "export", "out", "--to", "parquet")
    assert "pip install 'optbench[arrow]'" in told[1]


# A folder that may not be written

AS_NOBODY = """
import os, sys
from optbench.cli import main

def ran(*arguments):
    try:
        main([*arguments])
    except SystemExit as ending:
        return ending.code

locked, toml, results, out = sys.argv[1:] if sys.argv[1:] else os.environ["PLACES"].split(":")
for warm in (["run", toml, "--results", results], ["export", results, "--to", "csv"]):
    assert ran(*warm) == 0  # imports all it needs, while it may
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
assert not os.access(locked, os.W_OK)
sys.stderr = sys.stdout
for command in (
    ["run", toml, "--results", locked],
    ["run", toml, "--results", locked + "/below"],
    ["export", out, "--to", "csv", "--output", locked + "/csv"],
    ["plot", out, "--to", locked + "/figures"],
):
    print("exit code", ran(*command))
"""


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder that everybody may read and nobody may write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR | stat.S_IROTH | stat.S_IXOTH)
    yield folder
    folder.chmod(stat.S_IRWXU)
    shutil.rmtree(folder)


@pytest.fixture
def readable(kept) -> Iterator[Path]:
    """The study and its results where everybody may read them."""
    folder = Path(tempfile.mkdtemp())
    write(folder / "tiny.toml", TINY)
    shutil.copytree(kept, folder / "out")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_is_refused(locked, readable, kept, fresh_python):
    places = (locked, readable / "tiny.toml", kept, readable / "out")
    lines = fresh_python(AS_NOBODY, PLACES=":".join(map(str, places)), XDG_CACHE_HOME=kept)
    told = lines[lines.index("exit code 2") - 2 :]
    assert told[2::3] == ["exit code 2"] * 4, lines
    assert all(line.startswith(f"error: {locked}") for line in told[0::3]), lines
    assert all(line.startswith("hint: ") for line in told[1::3])
    assert list(locked.iterdir()) == []
    assert Results.open(readable / "out").cells


# Arguments of optimizers


@pytest.mark.parametrize(
    ("label", "message", "hint"),
    [
        ("lbfgs[memory_size=2.5]", "memory_size is 2.5", "a whole number"),
        ("lbfgs[memory_size=-1]", "memory_size is -1", "from 0 on"),
        ("lbfgs[memory_size=0]", "'lbfgs' cannot be built", "in brackets"),
        ("adam[b1=True]", "b1 is True", "a number"),
        ("nonlinear_cg[method=3]", "method is 3", "text"),
        ("optax.lbfgs[memory_size=many]", "memory_size is 'many'", "number"),
        ("optimistix.BFGS[use_inverse=maybe]", "use_inverse is 'maybe'", "True or False"),
        ("scipy.L-BFGS-B[maxcor=many]", "maxcor is 'many'", "a whole number"),
        ("scipy.BFGS[c1=2]", "'scipy.BFGS[c1=2.0]' cannot run", "optbench list optimizers"),
        ("anderson[memory=0]", "anderson has memory = 0", "from 1 on"),
        ("gradient_flow[num_substeps=0]", "gradient_flow has num_substeps = 0", "from 1 on"),
        ("svrg[period=0]", "svrg has period = 0", "from 1 on"),
        ("block_coordinate_descent[num_blocks=0]", "num_blocks = 0", "from 1 on"),
        ("warm_restarts(adam)[num_cycles=0]", "num_cycles = 0", "from 1 on"),
        ("step_decay(adam)[num_drops=-3]", "num_drops is -3", "from 0 on"),
        (
            "cosine_decay(clip_by_value(adam))[b1=0.5]",
            "no argument of optimizer cosine_decay named 'b1'",
            "write cosine_decay(clip_by_value(adam[b1=0.5]))",
        ),
        ("optax.adamm", "no optimizer named 'optax.adamm'", "`optbench list optimizers --all`"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused(here, label, message, hint):
    told = refused(here, "run", "--problem", "booth", "--optimizer", label)
    assert message in told[0] and hint in told[1]


def test_a_check_without_a_learning_rate_says_how_to_write_one(here):
    told = refused(here, "check", "cosine_decay(optax.adamw)")
    assert "write cosine_decay(optax.adamw[learning_rate=0.1])" in told[1]


@pytest.mark.parametrize("label", ["muon", "cosine_decay(optax.contrib.muon)", "saga", "kfac"])
def test_a_method_that_a_problem_does_not_suit_is_no_bad_input(label):
    require_step(find_method(label, known_optimizers()))


def test_pairs_that_cannot_run_are_rows_and_their_reasons_are_told(here):
    optimizers = ["muon", "saga", "levenberg_marquardt", "scipy.L-BFGS-B"]
    chosen = [word for name in optimizers for word in ("--optimizer", name)]
    ran = optbench("run", "--problem", "mine.py:bowl", *chosen, "--budget", 20, "--diagnostics")
    assert ran.exit_code == 0, ran.stderr
    assert ran.stderr.count("not applicable") > 3
    reasons = [
        "not applicable: muon on mine.py:bowl: optax.contrib.muon orthogonalizes matrices",
        "not applicable: saga on mine.py:bowl: this problem is no finite sum",
        "not applicable: levenberg_marquardt on mine.py:bowl: this problem is no sum of squares",
    ]
    again = optbench("show", ran.stdout.strip())
    for told in (ran.stderr, again.stderr):
        assert all(reason in told for reason in reasons)
    assert "no diagnostics of scipy.L-BFGS-B" in ran.stderr
