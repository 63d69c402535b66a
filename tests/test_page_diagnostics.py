"""Diagnostics on the page: its numbers are those measured along the path of the first start."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from browser import watched_page
from playwright.sync_api import Browser, Page
from test_page_convergence import menu_of, renamed

from optbench.design import Study
from optbench.figures.runs import ProblemRuns
from optbench.health import SPIKE_FACTOR, SPIKE_WINDOW
from optbench.page import write_report
from optbench.page.diagnostics import KINDS, POINTS, diagnostics
from optbench.page.source import Source
from optbench.results import Results
from optbench.study import run_study

DESCENT, CLIPPED = "gradient_descent", "clip_by_global_norm(momentum)"
HOSTILE = "<svg onload=alert(1)>%{y}"
STUDY = Study(
    name="measured",
    problems=("rosenbrock",),
    optimizers=(DESCENT, CLIPPED),
    seeds=2,
    tuning_seeds=1,
    trials=2,
    budget=100.0,
    diagnostics=True,
)


@pytest.fixture(scope="module")
def results() -> Results:
    return run_study(STUDY)


@pytest.fixture(scope="module")
def source(results) -> Source:
    return Source(results=results, folder="results/measured")


def planted(
    source: Source, change: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
) -> Source:
    """The study, had it measured something else."""
    runs = {}
    for label, of_problem in source.runs.items():
        tuned = {
            name: dataclasses.replace(
                one,
                trajectory=dataclasses.replace(
                    one.trajectory, diagnostics=change(one.trajectory.diagnostics)
                ),
            )
            for name, one in of_problem.tuned.items()
        }
        runs[label] = dataclasses.replace(of_problem, tuned=tuned)
    other = Source(results=source.results, folder=source.folder)
    vars(other)["runs"] = runs
    return other


def facts_of(source: Source) -> dict:
    found = diagnostics(source)
    assert found is not None
    return found


def values(facts: dict, place: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of one optimizer."""
    line = facts["problems"][0]["lines"][place]
    return line["rows"][0], line["rows"][1 + line["names"].index(name)]


def runs_of(source: Source) -> ProblemRuns:
    return source.runs["rosenbrock"]


@pytest.mark.parametrize("name", ["sharpness", "step_cosine_gradient", "update_ratio"])
def test_lines_are_what_was_measured_at_the_first_start(source, name):
    facts = facts_of(source)
    for place, optimizer in enumerate(STUDY.optimizers):
        tuned = runs_of(source).tuned[optimizer]
        log = tuned.trajectory
        steps, found = values(facts, place, name)
        at = np.searchsorted(log.steps, steps)
        assert steps.tolist() == log.steps[at].tolist() and len(steps) <= POINTS
        expected = log.diagnostics[name][0, tuned.setting, at]
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        other = log.diagnostics[name][0, 1 - tuned.setting, at]
        assert not np.allclose(found, other, rtol=1e-6, equal_nan=True)


def test_the_threshold_of_gradient_descent_is_two_over_its_learning_rate(source):
    facts, tuned = facts_of(source), runs_of(source).tuned[DESCENT]
    rate = tuned.trajectory.settings["learning_rate"][tuned.setting]
    _, threshold = values(facts, 0, "sharpness_threshold")
    np.testing.assert_allclose(threshold, 2 / rate, rtol=1e-6)
    _, sharpness = values(facts, 0, "sharpness")
    _, relative = values(facts, 0, "relative_sharpness")
    np.testing.assert_allclose(relative, sharpness * rate / 2, rtol=1e-5)
    assert not np.allclose(relative, sharpness * rate, rtol=1e-2)


def test_spikes_survive_the_thinning(source):
    def spiked(told: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        marks = np.zeros_like(told["gradient_spikes"])
        marks[0, :, 83] = 1
        return {**told, "gradient_spikes": marks}

    for spikes in (1, 0):
        made = planted(source, spiked) if spikes else source
        steps, marks = values(facts_of(made), 0, "gradient_spikes")
        log = runs_of(source).tuned[DESCENT].trajectory
        assert (log.steps[83] in steps[marks == 1]) == bool(spikes)
    assert str(SPIKE_FACTOR) in KINDS["gradient-health"]["told"]
    assert str(SPIKE_WINDOW) in KINDS["gradient-health"]["told"]


def test_only_methods_that_clip_are_told_of_where_nothing_was_asked_for(source):
    def unasked(told: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {name: told[name] for name in told if name.startswith("clip")}

    facts = facts_of(planted(source, unasked))
    assert [line is None for line in facts["problems"][0]["lines"]] == [True, False]
    assert facts["problems"][0]["measured"] is False
    steps, share = values(facts, 1, "clipped_fraction")
    tuned = runs_of(source).tuned[CLIPPED]
    at = np.searchsorted(tuned.trajectory.steps, steps)
    known = tuned.trajectory.diagnostics["clipped_fraction"][0, tuned.setting, at]
    np.testing.assert_allclose(share, known, rtol=1e-6)


def test_there_is_no_section_where_nothing_was_measured(source):
    assert diagnostics(planted(source, lambda told: {})) is None


def test_what_is_not_known_is_absent_and_not_zero(source):
    def lost(told: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {**told, "step_cosine_newton": np.full_like(told["sharpness"], np.nan)}

    lines = facts_of(planted(source, lost))["problems"][0]["lines"]
    assert all("step_cosine_newton" not in line["names"] for line in lines)


@pytest.fixture(scope="module")
def page(results, chromium: Browser, tmp_path_factory) -> Iterator[Page]:
    report = tmp_path_factory.mktemp("page") / "report.html"
    write_report(renamed(results, CLIPPED, HOSTILE), report)
    with watched_page(chromium, report) as found:
        yield found


def drawn(page: Page, kind: str) -> list[dict]:
    menu_of(page, "measured", "diagnostics").select_option(kind)
    page.evaluate("document.getElementById('figure-diagnostics').scrollIntoView()")
    page.wait_for_selector("#figure-diagnostics .trace", state="attached")
    page.evaluate("optbench.settled()")
    return page.evaluate(
        "document.getElementById('figure-diagnostics').data"
        ".map(({x, y, meta, yaxis, text}) => ({x: [...x], y: [...y], yaxis, text, ...meta}))"
    )


def test_the_page_draws_what_python_gives(page, source):
    facts = facts_of(source)
    for kind in ("gradient-health", "sharpness", "steps", "underflow"):
        traces = drawn(page, kind)
        names = [panel["name"] for panel in KINDS[kind]["panels"]]
        assert {trace["part"] for trace in traces} - {"threshold", "spikes"} <= set(names)
        for trace in traces:
            if trace["part"] in names:
                steps, known = values(facts, trace["optimizer"], trace["part"])
                shown = [
                    (a, b) for a, b in zip(trace["x"], trace["y"], strict=True) if b is not None
                ]
                is_log = KINDS[kind]["panels"][names.index(trace["part"])]["scale"] == "log"
                keep = (steps > 0) & np.isfinite(known) & ((known > 0) | (not is_log))
                np.testing.assert_allclose(np.array(shown).T, [steps[keep], known[keep]], rtol=1e-6)
    thresholds = [trace for trace in drawn(page, "sharpness") if trace["part"] == "threshold"]
    assert {trace["optimizer"] for trace in thresholds} == {0, 1}


def test_statistics_of_leaves_have_a_menu_of_their_own(page):
    statistic = menu_of(page, "statistic", "diagnostics")
    assert drawn(page, "sharpness") and not statistic.is_visible()
    assert {trace["part"] for trace in drawn(page, "parameters")} == {"params/norm"}
    statistic.select_option("mean")
    assert {trace["part"] for trace in drawn(page, "parameters")} == {"params/mean"}
    statistic.select_option("norm")


def test_the_command_draws_the_same_kind_on_paper(page):
    drawn(page, "steps")
    code = page.locator("[data-figure=diagnostics] code")
    assert code.inner_text().endswith("--figure steps --problem rosenbrock")
    page.evaluate("optbench.choose({optimizers: [1]})")
    drawn(page, "sharpness")
    assert code.inner_text().endswith(f"--optimizer '{HOSTILE}'")
    page.evaluate("optbench.choose({optimizers: [0, 1]})")


def test_labels_of_users_stay_text(page):
    texts = [t["text"][0] for t in drawn(page, "gradient-health") if t["part"] == "gradient_norm"]
    assert len(texts) == 2 and "&lt;svg" in texts[1] and "<svg" not in texts[1]
