"""`optbench rates`: what it prints is what the runs and the formulas hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import optbench, write

from optbench.rates import Abstention, Rate
from optbench.regimes import observed_rate
from optbench.results import Results

RATES_STUDY = """
problems = ["ill_conditioned_bowl", "power", "saddle", "himmelblau", "mine.py:mine"]
optimizers = ["gradient_descent", "momentum[learning_rate=0.05]", "newton", "natural_gradient"]
seeds = 2
budget = 2000

[learning_rate]
low = 0.02
high = 0.1
num = 2
"""

MY_BOWL = """
import jax.numpy as jnp
import numpy as np
from optbench import Constants, Problem, start_near

def bowl(params):
    return jnp.sum(params**2)

def mine() -> Problem:
    constants = Constants(smoothness=2.0, strong_convexity=2.0, quadratic=True, sharp=True)
    return Problem(objective=bowl, start=start_near(np.ones(2)), minimum=0.0,
                   minimizer=np.zeros(2), minimum_kind="closed form", constants=constants)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of a small study, in which somebody's own problem is."""
    root = tmp_path_factory.mktemp("rates")
    write(root / "mine.py", MY_BOWL)
    toml = write(root / "small.toml", RATES_STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        ran = optbench("run", toml, "--results", root / "out")
    assert ran.exit_code == 0, ran.output
    return root / "out"


@pytest.fixture
def there(folder, monkeypatch) -> Path:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("COLUMNS", "100")
    return folder


def row(text: str, problem: str, optimizer: str) -> str:
    block = text[text.index(f"\n{problem}") :].split("\n\n")[0]
    (found,) = [line for line in block.splitlines() if line.startswith(optimizer)]
    return found


def test_the_table_is_grouped_and_gives_theory_beside_the_rate(there):
    shown = optbench("rates", there)
    assert shown.exit_code == 0 and shown.stderr == ""
    assert max(map(len, shown.stdout.splitlines())) <= 100
    lines = shown.stdout.splitlines()
    headings = [line for line in lines if line.startswith(("ill_", "power", "saddle", "mine.py"))]
    assert headings[0] == "ill_conditioned_bowl: L = 10, mu = 1, kappa = 10"
    cells = row(shown.stdout, "ill_conditioned_bowl", "gradient_descent").split()
    assert cells[2:4] == ["linear", "q=0.81"] and cells[-2:] == ["q=0.81", "1x"]
    assert row(shown.stdout, "mine.py:mine", "gradient_descent").split()[-2:] == ["q=0.64", "1x"]
    assert "k^-2.0" in row(shown.stdout, "power", "gradient_descent")
    words = " ".join(shown.stdout.split())
    assert "no minimum is approached at a saddle" in words
    assert "no rate: natural_gradient: not applicable: this problem has no Fisher" in words


def test_json_holds_every_setting(there):
    found = json.loads(optbench("rates", there, "--json").stdout)
    results = Results.open(there)
    descent = [p for p in found if (p["problem"], p["optimizer"]) == ("power", "gradient_descent")]
    assert [p["setting"]["learning_rate"] for p in descent] == pytest.approx([0.02, 0.1])
    assert sum(p["best"] for p in descent) == 1
    for pair in found:
        log = results.trajectory(pair["problem"], pair["optimizer"])
        if log is None:
            assert pair["observed"]["reason"].startswith("not applicable: ")
            continue
        rates = list(log.settings.get("learning_rate", [None]))
        index = rates.index(pair["setting"].get("learning_rate"))
        rate = observed_rate(log, index, results.problems[pair["problem"]])
        if isinstance(rate, Rate):
            assert pair["observed"]["estimate"] == rate.estimate
            assert pair["observed"]["low"] <= rate.estimate <= pair["observed"]["high"]
        else:
            assert isinstance(rate, Abstention) and pair["observed"] == {"reason": rate.reason}


def test_the_best_setting_is_that_of_the_table_of_the_study(there):
    best = {(p["problem"], p["optimizer"]): p for p in json.loads(rates_json(there)) if p["best"]}
    pairs = [p for p in Results.open(there).summary().pairs if p.status == "finished"]
    assert pairs
    for pair in pairs:
        told = best[pair.problem, pair.optimizer]
        assert told["setting"] == pytest.approx(dict(pair.setting))
        if isinstance(pair.rate, Rate):
            assert told["observed"]["estimate"] == pair.rate.estimate


def rates_json(folder: Path) -> str:
    return optbench("rates", folder, "--json").stdout


def test_the_table_of_the_study_has_the_rate(there):
    page = (there / "summary.md").read_text()
    header = next(line for line in page.splitlines() if line.startswith("| optimizer"))
    assert "| rate |" in header
    assert page.count("| q=0.81 |") >= 1 and "| k^-2.0 |" in page


def test_the_file_stands_for_its_folder(there):
    assert optbench("rates", there / "results.sqlite").stdout == optbench("rates", there).stdout
    assert optbench("show", there / "results.sqlite").stdout == optbench("show", there).stdout


def test_what_the_catalog_lacks_has_no_theory_and_keeps_its_rate(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    copy = shutil.copytree(folder, tmp_path / "copy")
    shown = optbench("rates", copy)
    assert shown.exit_code == 0
    cells = row(shown.stdout, "mine.py:mine", "gradient_descent").split()
    assert cells[3] == "q=0.64" and cells[-2:] == ["-", "-"]


def test_a_foreign_catalog_is_refused_by_name(there):
    told = optbench("rates", there, "--problems", "no_such_catalog")
    assert told.exit_code == 2
    assert told.stderr.startswith("error: cannot import 'no_such_catalog'")
    assert len(told.stderr.splitlines()) == 2


@pytest.mark.parametrize("spoil", ["missing", "text", "folder"])
def test_what_holds_no_results_is_refused_in_one_line_with_a_hint(tmp_path, spoil):
    target = tmp_path / "out"
    if spoil == "text":
        target.mkdir()
        (target / "results.sqlite").write_text("no database at all")
    if spoil == "folder":
        target.mkdir()
    told = optbench("rates", target)
    assert told.exit_code == 2 and told.stdout == ""
    error, hint = told.stderr.splitlines()
    assert error.startswith("error: ") and hint.startswith("hint: ")


def test_a_short_window_is_no_sublinear_rate_where_theory_is_linear():
    from test_rates_validated import TRAPPED_RUNS, long_tail

    from optbench.optimizers.names import known_optimizers
    from optbench.report.rates import PairRate, Theory, beside_theory

    log, record = TRAPPED_RUNS["slow directions not yet moving"]()
    unknown = type(record)(label="long_tail", noise_floor=record.noise_floor, merit=record.merit)
    seen = observed_rate(log, 0, unknown)
    assert isinstance(seen, Rate) and seen.kind == "sublinear"
    theory = Theory(long_tail(), "gradient_descent[learning_rate=1.0]", known_optimizers())
    pair = PairRate(problem="long_tail", optimizer=theory.optimizer, observed=seen)
    pair = beside_theory(pair, log.merit, theory)
    assert isinstance(pair.observed, Abstention) and "theory is linear" in pair.observed.reason
    assert pair.ratio is None
