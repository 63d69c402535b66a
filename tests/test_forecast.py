"""What a dry run says against what the run then does; nothing is written, nothing is timed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from command_line import optbench

from optbench import forecast, program, sketch, timing
from optbench.cells import Batch
from optbench.design import LogGrid, Study
from optbench.errors import OptbenchError
from optbench.forecast import Forecast, forecast_study
from optbench.report.forecast import forecast_text
from optbench.results import Results
from optbench.study import CellFinished, run_study
from optbench.trajectory import TUNING_SEEDS_FROM

TUNED = Study(
    name="tuned",
    problems=("quadratic[dim=2]", "quadratic[dim=2,condition_number=3]", "rosenbrock"),
    optimizers=("gradient_descent", "adam", "gradient_descent_backtracking", "natural_gradient"),
    seeds=2,
    tuning_seeds=3,
    trials=2,
    budget=20.0,
)


@pytest.fixture(autouse=True, scope="module")
def no_measuring():
    """Seconds are none of these tests' business: a machine that takes one for everything."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(forecast, "seconds_per_tick", lambda problem, shape: 1.0)
        patched.setattr(forecast, "seconds_of_yardstick", lambda: 1.0)
        yield


@dataclasses.dataclass(frozen=True)
class Truth:
    """What a run did."""

    folder: Path
    results: Results
    computed: int
    programs: int


@pytest.fixture(scope="module")
def told() -> Forecast:
    return forecast_study(TUNED)


@pytest.fixture(scope="module")
def truth(told: Forecast, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    folder, events = tmp_path_factory.mktemp("tuned"), []
    program.forget_programs()
    results = run_study(TUNED, folder, listener=events.append)
    computed = [event.cell for event in events if isinstance(event, CellFinished)]
    finished = sum(cell.status == "finished" for cell in computed)
    return Truth(folder, results, finished, len(program._PROGRAMS))


def programs_law(told: Forecast, truth: Truth) -> None:
    assert told.programs == truth.programs


def test_counts_are_those_of_the_run(told: Forecast, truth: Truth):
    assert (told.problems, told.optimizers, told.finished) == (3, 4, 0)
    assert told.pending == truth.computed
    refused = {(c.problem, c.optimizer, c.status, c.message) for c in truth.results.cells}
    refused = {cell for cell in refused if cell[2] != "finished"}
    assert {dataclasses.astuple(one) for one in told.refused} == refused and len(refused) == 3
    programs_law(told, truth)


def test_lanes_are_those_of_the_run(told: Forecast, truth: Truth):
    kept = (truth.results.trajectory(c.problem, c.optimizer) for c in truth.results.cells)
    runs = [run for run in kept if run is not None]
    judged = sum(r.status.shape[1] for r in runs for s in r.seeds if s < TUNING_SEEDS_FROM)
    assert (told.evaluation_lanes, told.tuning_lanes) == (
        judged, sum(r.status.size for r in runs) - judged
    )  # fmt: skip


def test_an_estimate_that_ignores_groups_breaks_the_law_of_programs(truth: Truth, monkeypatch):
    seen = forecast._seen

    def alone(batch: Batch):
        for one in batch.apart():
            yield from seen(one)

    monkeypatch.setattr(forecast, "_seen", alone)
    with pytest.raises(AssertionError):
        programs_law(forecast_study(TUNED), truth)


def test_finished_cells_are_skipped_and_nothing_is_written(truth: Truth):
    def kept():
        return {path.name: path.read_bytes() for path in truth.folder.rglob("*")}

    before = kept()
    again = forecast_study(TUNED, truth.folder)
    assert (again.finished, again.pending, again.refused) == (12, 0, ())
    assert (again.programs, again.compile_seconds, again.run_seconds) == (0, 0.0, 0.0)
    longer = dataclasses.replace(TUNED, optimizers=(*TUNED.optimizers, "momentum"))
    more = forecast_study(longer, truth.folder)
    assert (more.finished, more.pending, more.programs) == (12, 3, 2)
    assert forecast_study(TUNED, truth.folder, fresh=True).pending == 9
    assert kept() == before


def test_another_study_s_folder_is_refused(truth: Truth):
    with pytest.raises(OptbenchError, match="holds the study 'tuned'"):
        forecast_study(dataclasses.replace(TUNED, name="other"), truth.folder)


def test_estimates_follow_work():
    small = dataclasses.replace(
        TUNED, problems=("rosenbrock",), optimizers=("adam",), learning_rate=LogGrid(num=2)
    )
    told = forecast_study(small)
    assert told.compile_seconds > 0 and told.memory_bytes > forecast.PROCESS_BYTES
    longer = forecast_study(dataclasses.replace(small, budget=2 * small.budget + 1))
    assert longer.run_seconds == pytest.approx(2 * told.run_seconds, rel=0.2)
    assert longer.compile_seconds == told.compile_seconds
    wider = forecast_study(dataclasses.replace(small, seeds=40, problems=("rosenbrock[dim=5000]",)))
    assert wider.memory_bytes > told.memory_bytes + 40 * 5000 * 8


@pytest.mark.parametrize(("problem", "log"), [("rosenbrock", 0), ("noisy(rosenbrock)", 20)])
def test_a_run_is_its_ticks_and_where_they_see_samples_its_log(problem: str, log: int):
    label = "adam[learning_rate=0.1,b1=0.9,b2=0.9]"
    told = forecast_study(dataclasses.replace(TUNED, problems=(problem,), optimizers=(label,)))
    ticks = 19  # that a budget of 20 buys after the evaluation at the start
    seconds = forecast.RUNNING_BESIDE * (ticks * (forecast.TICK_SECONDS + 1.0) + log)
    assert told.run_seconds == pytest.approx(forecast.CELL_SECONDS + seconds)
    assert (told.evaluation_lanes, told.tuning_lanes) == (TUNED.seeds, 0)


def test_few_reasons_are_shown_and_the_rest_counted(told: Forecast):
    reasons = [
        forecast.Refusal(problem="p", optimizer="o", status="failed", message=f"reason {i}")
        for i in range(9)
    ]
    text = forecast_text(dataclasses.replace(told, refused=(*reasons, reasons[8])))
    assert "failed: o on p and 1 more: reason 8" in text and "reason 5" not in text
    assert text.endswith("and 3 more pairs: --json shows all")


def test_a_solver_of_the_host_and_a_problem_that_cannot_be_built_are_told_apart(tmp_path: Path):
    path = tmp_path / "broken.py"
    path.write_text("def broken():\n    raise ValueError('no data')\n")
    study = dataclasses.replace(
        TUNED, problems=("rosenbrock", f"{path}:broken"), optimizers=("scipy.BFGS", "adam")
    )
    told = forecast_study(study)
    assert (told.pending, told.programs, told.run_seconds > 0) == (2, 2, True)
    assert [(one.optimizer, one.status) for one in told.refused] == [
        ("scipy.BFGS", "failed"), ("adam", "failed")
    ]  # fmt: skip
    assert "failed: scipy.BFGS on" in forecast_text(told) and "and 1 more" in forecast_text(told)


def test_a_round_is_measured_from_as_many_as_are_worth_it():
    assert timing.per_round(lambda rounds: 2.0 + 0 * rounds) == 2.0
    assert timing.per_round(lambda rounds: 1e-6 * rounds) == pytest.approx(1e-6)


def test_the_command_prints_and_writes_nothing(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = ("run", "--problem", "rosenbrock", "--optimizer", "adam", "--budget", "5", "--dry-run")
    ran = optbench(*line, "--json")
    found = json.loads(ran.stdout)
    assert (ran.exit_code, found["pending"], found["programs"]) == (0, 1, 1)
    assert set(found) == {field.name for field in dataclasses.fields(Forecast)}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--problem", "rosenbrok", "--dry-run"), "no problem named 'rosenbrok'"),
        (("--optimizer", "adm", "--dry-run"), "no optimizer named 'adm'"),
        (("quick", "--json"), "--json is for --dry-run"),
    ],
)
def test_bad_input_is_refused(options, message: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = optbench("run", *options)
    assert (ran.exit_code, message in ran.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_what_draws_takes_longer_to_compile():
    whole, sampled = (
        forecast_study(dataclasses.replace(TUNED, problems=(label,), optimizers=("adam",)))
        for label in ("quadratic[dim=2]", "noisy(quadratic[dim=2])")
    )
    drawing = sampled.compile_seconds - whole.compile_seconds
    at_least = forecast.OPERATION_YARDS * sketch.DRAW_OPERATIONS * forecast.COMPILING_BESIDE
    assert drawing > 2 * at_least  # the key of the step, and the noise
