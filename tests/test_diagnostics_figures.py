"""Diagnostics from the command line to the store, the tables and the figures."""

from __future__ import annotations

import copy
import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from command_line import optbench, write
from matplotlib.figure import Figure
from test_figures import collisions, texts

from optbench.design import LogGrid, Study
from optbench.errors import OptbenchError
from optbench.figures.diagnostics import (
    diagnostic_figures,
    is_measured,
    leaf_names,
    relative_sharpness,
)
from optbench.figures.runs import ProblemRuns, problem_runs
from optbench.results import Results
from optbench.study import run_study

CLIPPED = "clip_by_global_norm(adam)"
STUDY = Study(
    name="measured",
    problems=("rosenbrock",),
    optimizers=("gradient_descent", CLIPPED, "lbfgs"),
    seeds=1,
    budget=30.0,
    learning_rate=LogGrid(low=1e-3, high=1e-1, num=3),
)
KINDS = ["gradient-health", "sharpness", "steps", "underflow", "parameters", "gradients"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Path:
    """The folder of a small study, run by the command first without, then with diagnostics."""
    root = tmp_path_factory.mktemp("measured")
    toml = write(root / "measured.toml", STUDY.to_toml())
    first = optbench("run", toml, "--results", root / "out")
    assert first.exit_code == 0, first.stderr
    plain = Results.open(root / "out")
    assert not any(is_measured(problem_runs(plain, p)) for p in plain.problems)
    assert not [p for p in (root / "out/figures").iterdir() if p.name.startswith("sharpness")]
    again = optbench("run", toml, "--results", root / "out", "--diagnostics")
    assert again.exit_code == 0, again.stderr
    return root / "out"


@pytest.fixture(scope="module")
def runs(ran) -> ProblemRuns:
    return problem_runs(Results.open(ran), "rosenbrock")


def drawn(runs: ProblemRuns) -> dict[str, Figure]:
    return {kind: draw(runs) for kind, draw in diagnostic_figures(runs)}


def line(figure: Figure, axes: int, name: str) -> np.ndarray:
    """What a figure draws of one optimizer."""
    found = [x for x in figure.axes[axes].get_lines() if str(x.get_label()).startswith(name)]
    return np.asarray(found[0].get_ydata(), float)


def test_a_study_says_that_it_measures(ran):
    assert Study.from_toml((ran / "study.toml").read_text()).diagnostics
    assert not Study.from_toml(STUDY.to_toml()).diagnostics
    with pytest.raises(OptbenchError, match="diagnostics is 'yes'"):
        Study.from_toml(STUDY.to_toml().replace("diagnostics = false", "diagnostics = 'yes'"))


def test_what_is_measured_comes_back_from_the_store_and_costs_nothing(ran):
    stored, memory = Results.open(ran), run_study(dataclasses.replace(STUDY, diagnostics=True))
    plain = run_study(STUDY)
    for optimizer in STUDY.optimizers:
        t = stored.trajectory("rosenbrock", optimizer)
        other = memory.trajectory("rosenbrock", optimizer)
        assert list(t.diagnostics) == list(other.diagnostics)
        for name, values in t.diagnostics.items():
            np.testing.assert_array_equal(values, other.diagnostics[name])
        assert t.diagnostic_calls.keys() == other.diagnostic_calls.keys() != set()
        off = plain.trajectory("rosenbrock", optimizer)
        for name in ("value", "cost", "hit_costs", "params"):
            np.testing.assert_array_equal(getattr(t, name), getattr(off, name))
        assert not off.diagnostic_calls


def test_the_export_has_every_diagnostic_that_is_known(ran, tmp_path):
    optbench("export", ran, "--to", "csv", "--output", tmp_path)
    rows = list(csv.DictReader((tmp_path / "diagnostics.csv").read_text().splitlines()))
    results = Results.open(ran)
    known = 0
    for optimizer in results.optimizers:
        t = results.trajectory("rosenbrock", optimizer)
        known += sum(int((~np.isnan(values)).sum()) for values in t.diagnostics.values())
    assert len(rows) == known > 1000
    first = [r for r in rows if (r["optimizer"], r["name"]) == ("gradient_descent", "sharpness")]
    t = results.trajectory("rosenbrock", "gradient_descent")
    assert [float(r["value"]) for r in first[:5]] == t.diagnostics["sharpness"][0, 0, :5].tolist()
    assert [r["step"] for r in first[:3]] == ["0", "1", "2"]


def test_the_command_draws_every_figure_and_plot_draws_it_again(ran, tmp_path):
    names = {path.name for path in (ran / "figures").iterdir()}
    assert {f"{kind}-rosenbrock.svg" for kind in KINDS} <= names
    optbench("plot", ran, "--to", tmp_path)
    for kind in KINDS:
        name = f"{kind}-rosenbrock.svg"
        assert (tmp_path / name).read_bytes() == (ran / "figures" / name).read_bytes()


def test_figures_say_what_they_show_and_do_not_collide(runs):
    figures = drawn(runs)
    assert list(figures) == KINDS
    for kind, figure in figures.items():
        said = texts(figure)
        assert [name for name in runs.tuned if name not in said] == [], kind
        assert "How to read: the first start" in said and "step" in said, kind
        assert "rosenbrock" in said and collisions(figure) == [], kind
    assert "edge of stability" in texts(figures["sharpness"])
    assert "vanishing" in texts(figures["gradient-health"])
    assert "share of stepsclipped" in texts(figures["steps"])


def test_the_data_behind_the_figures_is_what_was_measured(runs):
    figures, tuned = drawn(runs), runs.tuned["gradient_descent"]
    told = {name: values[0, tuned.setting] for name, values in tuned.trajectory.diagnostics.items()}
    rate = tuned.trajectory.settings["learning_rate"][tuned.setting]
    sharpness, ratio = (line(figures["sharpness"], i, "gradient_descent") for i in (0, 1))
    np.testing.assert_array_equal(sharpness, told["sharpness"])
    np.testing.assert_allclose(ratio, told["sharpness"] * rate / 2, rtol=1e-12)
    clipped = runs.tuned[CLIPPED]
    seen = clipped.trajectory.diagnostics["preconditioned_sharpness"][0, clipped.setting]
    rate = clipped.trajectory.settings["learning_rate"][clipped.setting]
    np.testing.assert_allclose(relative_sharpness(clipped)[1:], seen[1:] * rate / 38, rtol=1e-12)
    assert relative_sharpness(runs.tuned["lbfgs"]) is None
    assert np.isnan(line(figures["sharpness"], 1, "lbfgs")).all()
    norm = tuned.trajectory.gradient_norm[0, tuned.setting]
    np.testing.assert_array_equal(line(figures["gradient-health"], 0, "gradient_descent"), norm)
    names = ("step_cosine_gradient", "step_cosine_newton", "update_ratio")
    for axes, name in enumerate(names):
        found = line(figures["steps"], axes, "gradient_descent")
        np.testing.assert_array_equal(found, told[name])
    share = clipped.trajectory.diagnostics["clipped_fraction"][0, clipped.setting]
    np.testing.assert_array_equal(line(figures["steps"], 3, CLIPPED[:15]), share)
    assert leaf_names(runs, "params") == ["params"]
    np.testing.assert_array_equal(
        line(figures["parameters"], 2, "gradient_descent"), told["params/min"]
    )


def test_spikes_are_ringed(runs):
    tuned = runs.tuned["gradient_descent"]
    marks = np.zeros_like(tuned.trajectory.value)
    marks[0, tuned.setting, [3, 7]] = 1
    told = {**tuned.trajectory.diagnostics, "gradient_spikes": marks}
    trajectory = dataclasses.replace(tuned.trajectory, diagnostics=told)
    planted = {"gradient_descent": dataclasses.replace(tuned, trajectory=trajectory)}
    figure = drawn(dataclasses.replace(runs, tuned=planted))["gradient-health"]
    rings = np.concatenate([np.asarray(c.get_offsets()) for c in figure.axes[0].collections])
    assert rings[:, 0].tolist() == [3, 7]
    assert rings[:, 1].tolist() == trajectory.gradient_norm[0, tuned.setting, [3, 7]].tolist()


def test_leaves_stand_side_by_side_with_the_legend_below(runs):
    tuned = runs.tuned["gradient_descent"]
    told = dict(tuned.trajectory.diagnostics)
    for place in ("a", "b/c", "d", "e", "f"):
        for name in ("mean", "std", "min", "max", "norm"):
            told[f"params/{place}/{name}"] = told[f"params/{name}"]
    for name in ("mean", "std", "min", "max", "norm"):
        del told[f"params/{name}"]
    trajectory = dataclasses.replace(tuned.trajectory, diagnostics=told)
    many = {name: dataclasses.replace(tuned, trajectory=trajectory) for name in runs.tuned}
    figure = drawn(dataclasses.replace(runs, tuned=many))["parameters"]
    assert len(figure.axes) == 4 * 5 and collisions(figure) == []
    assert "of which 1 more are in the results" in texts(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes[:4]] == ["a", "b/c", "d", "e"]


def test_what_nothing_was_measured_of_is_named_below_instead_of_drawn(tmp_path):
    study = dataclasses.replace(STUDY, optimizers=("gradient_descent", "scipy.BFGS"), budget=10.0)
    hosted = run_study(dataclasses.replace(study, diagnostics=True), tmp_path)
    for kind, figure in drawn(problem_runs(hosted, "rosenbrock")).items():
        (legend,) = figure.legends
        named = [text.get_text().partition("\n")[0] for text in legend.get_texts()]
        drawn_too = ["scipy.BFGS"] if kind == "gradient-health" else []
        assert named == ["gradient_descent", *drawn_too]
        assert ("Not measured: scipy.BFGS." in texts(figure)) == (not drawn_too)


def test_a_panel_of_newton_steps_is_drawn_where_there_are_some(runs):
    def heights(figure: Figure) -> list[str]:
        return [axes.get_ylabel() for axes in figure.axes]

    without = copy.deepcopy(runs)
    for tuned in without.tuned.values():
        tuned.trajectory.diagnostics["step_cosine_newton"][:] = np.nan
    full, rest = heights(drawn(runs)["steps"]), heights(drawn(without)["steps"])
    assert [label for label in full if label not in rest] == ["cosine to\nNewton step"]
