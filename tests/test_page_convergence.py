"""Convergence on the page: its numbers are those of the runs, of `optbench rates` and `show`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import numpy as np
import pytest
from browser import watched_page
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Locator, Page

from optbench.catalog import collect
from optbench.design import Study
from optbench.figures.curves import (
    curve_over,
    curve_over_cost,
    fit,
    fitted_line,
    merit_scale,
    theory_line,
)
from optbench.figures.runs import Tuned
from optbench.optimizers.names import known_optimizers
from optbench.page import write_report
from optbench.page.convergence import LINE_POINTS, POINTS, Drawn, convergence, drawn_pairs, thinned
from optbench.page.source import Source
from optbench.rates import Abstention
from optbench.report.rates import Catalogs, pair_rates
from optbench.results import Results
from optbench.study import run_study

BOWL, VALLEY = "quadratic[dim=20,condition_number=10]", "rosenbrock"
STEADY = "gradient_descent[learning_rate=1.0]"  # 1 / L on the bowl
FAST = "gradient_descent[learning_rate=2.5]"  # beyond 2 / L: it diverges
HOSTILE = "<img src=x onerror=alert(1)>%{x}</script>"
STUDY = Study(
    name="curves",
    problems=(BOWL, VALLEY),
    optimizers=(STEADY, "lbfgs", FAST, "adam", "natural_gradient"),
    seeds=3,
    tuning_seeds=2,
    trials=4,
    budget=120.0,
)


@pytest.fixture(scope="module")
def results() -> Results:
    return run_study(STUDY)


@pytest.fixture(scope="module")
def source(results) -> Source:
    return Source(results=results, folder="results/curves")


@pytest.fixture(scope="module")
def facts(source) -> dict:
    found = convergence(source)
    assert found is not None
    return found


def lines(facts: dict, source: Source, problem: str, setting: str = "tuned") -> dict[str, dict]:
    place = list(source.results.problems).index(problem)
    return dict(zip(source.results.optimizers, facts["problems"][place][setting], strict=True))


def drawn(source: Source, problem: str) -> dict[str, Drawn]:
    return {p.summary.optimizer: p for p in drawn_pairs(source, problem) if p.summary.track != "D"}


def agree(found: np.ndarray, expected: np.ndarray) -> bool:
    """To the precision of what a page is given."""
    return bool(np.allclose(found, expected, rtol=3e-7, atol=1e-44))


def by_hand(tuned: Tuned, values: np.ndarray, step: float) -> np.ndarray:
    """Median, best and worst of the starts at one step: what each has last reported by then.

    What ended keeps its last value, or is infinite where it is lost.
    """
    log, found = tuned.trajectory, []
    for start in range(len(log.seeds)):
        lane = start, tuned.setting
        merit, end = log.merit_values[lane], int(log.last[lane])
        levels = np.abs(log.initial_merit[lane]) * log.targets.min()
        met = [t for t in range(end + 1) if merit[t] <= levels]
        lost = not met and log.status[lane] in ("diverged", "non-finite")
        end = met[0] if met else end
        known = [t for t in range(end + 1) if log.steps[t] <= step]
        over = step > log.steps[end]
        found.append(np.inf if lost and over else values[lane][known[-1]])
    return np.array([np.median(found), min(found), max(found)])


@pytest.mark.parametrize("name", STUDY.optimizers[:4])
def test_curves_over_steps_are_those_of_the_runs(facts, source, name):
    pair, line = drawn(source, VALLEY)[name], lines(facts, source, VALLEY)[name]
    log = pair.tuned.trajectory
    for quantity, values in (("merit", log.merit_values), ("gradient norm", log.gradient_norm)):
        rows = line["curves"][quantity]["steps"]
        assert rows.dtype == np.float32 and rows.shape[0] == 4 and rows.shape[1] <= POINTS
        expected = np.stack([by_hand(pair.tuned, values, step) for step in rows[0]], axis=1)
        assert agree(rows[1:], expected)
        assert not agree(rows[[2, 1, 3]], expected)  # best and median in each other's place
        other = dataclasses.replace(pair.tuned, trajectory=log.of_seeds(np.arange(3) != 1))
        fewer = np.stack([by_hand(other, values[[0, 2]], step) for step in rows[0]], axis=1)
        assert not agree(rows[1:], fewer)  # a start forgotten


@pytest.mark.parametrize("problem", STUDY.problems[:2])
def test_curves_over_cost_are_those_on_paper(facts, source, problem):
    kinds = set()
    for name, pair in drawn(source, problem).items():
        line = lines(facts, source, problem)[name]
        found = line["curves"]["merit"]
        paper = curve_over_cost(pair.tuned.trajectory, pair.tuned.setting)
        kinds.add(line["cost"] is None)
        if line["cost"] is None:
            rows = found["cost"]
        else:
            first, slope = line["cost"]
            rows = np.stack([first + slope * found["steps"][0], *found["steps"][1:]])
            assert found["cost"] is None
        kept = np.searchsorted(paper.cost, rows[0] * (1 - 1e-6))
        expected = np.stack([paper.cost, paper.median, paper.low, paper.high])[:, kept]
        assert agree(rows, expected)
        assert not agree(rows, np.roll(expected, 1, axis=1))
    assert kinds == {True, False}  # L-BFGS searches lines, the others pay the same each step


def test_a_run_that_diverges_is_there_and_is_said_to_be_lost(facts, source):
    line = lines(facts, source, BOWL)[FAST]
    rows = line["curves"]["merit"]["steps"]
    assert np.isfinite(rows[1, 0]) and rows[1, -1] > 1e3 * rows[1, 0]
    assert line["lost"] == "3 of 3 starts diverged"
    assert "diverged" in line["no_rate"]


def test_distances_are_those_of_the_points_that_were_kept(facts, source):
    pair = drawn(source, VALLEY)["adam"]
    found = lines(facts, source, VALLEY)["adam"]["curves"]["distance"]
    log = pair.tuned.trajectory
    away = np.full(log.value.shape, np.nan)
    for place, lane in enumerate(log.recorded):
        points = np.asarray(log.params)[place]
        away[np.unravel_index(lane, away.shape[:2])] = np.hypot(*(points - 1.0).T)
    assert found["starts"] == 3
    rows = found["steps"]
    expected = np.stack([by_hand(pair.tuned, away, step) for step in rows[0]], axis=1)
    assert agree(rows[1:], expected)
    one = drawn(source, BOWL)["adam"].tuned
    kept = (one.trajectory.recorded % one.trajectory.value.shape[1] == one.setting).sum()
    far = lines(facts, source, BOWL)["adam"]["curves"]["distance"]
    assert far["starts"] == kept < 3 and len(far["steps"]) == (2 if kept == 1 else 4)


def test_rates_theory_and_ratios_are_those_that_rates_tells(facts, source, results):
    catalogs = Catalogs(collect("problems", "Problem"), known_optimizers())
    rated = 0
    for told in pair_rates(results, catalogs, every_setting=False):
        line = lines(facts, source, told.problem)[told.optimizer]
        if "why" in line:
            assert f"no rate: {line['why']}" == told.observed.sentence
        elif isinstance(told.observed, Abstention):
            assert line["rate"] is None and line["no_rate"] == told.observed.reason
        else:
            rated += 1
            assert line["rate"]["rate"] == told.observed.short
            assert line["rate"]["steps"] == "{}..{}".format(*told.observed.window)
        if "why" not in line:
            assert line["theory"] == (told.theory and told.theory.short)
    assert rated >= 1
    descent = lines(facts, source, BOWL)[STEADY]
    assert descent["theory"].startswith("q=") and descent["rate"]["ratio"].endswith("x")


def test_targets_and_failures_are_those_that_show_tells(facts, source, results):
    names = list(facts["numbers"])
    for pair in results.summary().pairs:
        line = lines(facts, source, pair.problem)[pair.optimizer]
        if pair.status != "finished":
            assert line["why"].startswith(pair.status)
            continue
        told = dict(zip(names, line["numbers"], strict=True))
        assert line["failures"] == pair.failures and line["track"] == pair.track
        assert told["hardest"] == pair.hardest or (np.isnan(told["hardest"]) and not pair.hardest)
        log = results.trajectory(pair.problem, pair.optimizer)
        assert log is not None
        steps = log.steps[log.last].sum()
        assert told["seconds_per_step"] == pytest.approx(log.run_seconds / steps)


def test_hardest_costs_and_final_merits_are_medians_of_the_starts(facts, source):
    names = list(facts["numbers"])
    for name, pair in drawn(source, BOWL).items():
        told = dict(zip(names, lines(facts, source, BOWL)[name]["numbers"], strict=True))
        log, setting = pair.tuned.trajectory, pair.tuned.setting
        ends = [log.merit_values[s, setting, log.last[s, setting]] for s in range(3)]
        assert told["final"] == sorted(ends)[1]
        hits = np.where(np.isnan(log.hit_costs[:, setting]), np.inf, log.hit_costs[:, setting])
        reached = [k for k in range(len(log.targets)) if np.isfinite(sorted(hits[:, k])[1])]
        if reached:
            assert told["hardest"] == log.targets[reached[-1]]
            assert told["hardest_cost"] == sorted(hits[:, reached[-1]])[1]
        else:
            assert np.isnan(told["hardest"]) and np.isnan(told["hardest_cost"])


def test_defaults_stand_beside_the_tuned_setting(facts, source, results):
    line = lines(facts, source, VALLEY, "defaults")["adam"]
    log = results.trajectory(VALLEY, "adam")
    assert log is not None and line["track"] == "D"
    judged = log.of_seeds(np.asarray(log.seeds) < 3)
    curve = curve_over(judged, 4, np.broadcast_to(judged.steps, judged.cost.shape), judged.value)
    assert judged.settings["learning_rate"][4] == 1e-3  # Adam's, as it was published
    assert agree(line["curves"]["merit"]["steps"][1, -1:], curve.median[-1:])
    assert lines(facts, source, VALLEY, "defaults")["lbfgs"] is None


def test_the_line_of_a_fit_is_the_one_on_paper(facts, source):
    pair = drawn(source, BOWL)[STEADY]
    rows = lines(facts, source, BOWL)[STEADY]["fit"]
    paper = fit(pair.tuned, source.results.problems[BOWL])
    whole = np.stack([paper.steps, paper.cost, paper.merit])
    assert rows.shape[0] == 3 and 2 <= rows.shape[1] <= LINE_POINTS
    assert agree(rows[:, 0], whole[:, 0])
    assert agree(rows[:, -1], whole[:, -1])


def test_the_line_of_theory_has_the_slope_that_theory_tells(facts, source):
    """Gradient descent on a quadratic: max |1 - eta h|^2 over h in {mu, L} = {0.1, 1}."""
    line = lines(facts, source, BOWL)[STEADY]
    factor = (1 - 1.0 * 0.1) ** 2
    steps, _, merit = line["theory_line"].astype(float)
    seen = np.diff(np.log(merit)) / np.diff(steps)
    np.testing.assert_allclose(seen, np.log(factor), rtol=1e-4)
    assert not np.allclose(seen, np.log(factor) / 2, rtol=0.1)  # the rate of the iterates
    assert agree(line["theory_line"][:, 0], line["fit"][:, 0])  # they start at one point
    assert lines(facts, source, VALLEY)[STEADY]["theory_line"] is None


def test_a_power_law_of_theory_is_drawn_and_an_order_is_not(source):
    tuned = drawn(source, BOWL)[STEADY].tuned
    nothing = fitted_line(tuned, Abstention("planted"))
    assert not len(nothing.steps)
    power = theory_line(tuned, "sublinear", 2.0, nothing)
    assert power is not None
    slopes = np.diff(np.log(power.merit)) / np.diff(np.log(power.steps))
    np.testing.assert_allclose(slopes, -2.0)
    first = tuned.trajectory.merit_values[tuned.median_start, tuned.setting]
    assert power.merit[0] <= 0.9 * first[0] and power.merit[0] in first
    assert theory_line(tuned, "superlinear", 2.0, nothing) is None
    assert theory_line(tuned, "superlinear", None, nothing) is None


def test_without_its_catalog_theory_is_unknown_and_nothing_else_changes(results, facts):
    lonely = convergence(Source(results=results, folder="x", problems="no_such_package"))
    assert lonely is not None
    for before, after in zip(facts["problems"], lonely["problems"], strict=True):
        for line, other in zip(before["tuned"], after["tuned"], strict=True):
            assert other.get("theory") is None
            if isinstance(line.get("rate"), dict):
                assert other["rate"]["rate"] == line["rate"]["rate"]
                assert other["rate"]["ratio"] == "-"


def test_nothing_is_shown_where_nothing_ran(results):
    assert convergence(Source(results=dataclasses.replace(results, cells=()), folder="x")) is None


def test_at_a_saddle_the_merit_is_drawn_over_its_size_at_the_start(source):
    tuned = drawn(source, BOWL)[STEADY].tuned
    assert merit_scale(tuned.trajectory) == 1.0
    escaping = dataclasses.replace(tuned.trajectory, merit="escape")
    chosen = np.abs(escaping.initial_merit)
    assert merit_scale(escaping) == np.median(chosen) > 1.0


@given(st.integers(1, 300), st.integers(2, 64), st.floats(0, 10), st.integers(0, 99))
def test_points_are_thinned_evenly_in_their_logarithm(count, most, first, seed):
    gaps = np.random.default_rng(seed).uniform(0.1, 1e3, count)
    places = first + np.cumsum([0.0, *gaps])
    kept = thinned(places, most)
    assert len(kept) <= most and (np.diff(kept) > 0).all()
    assert kept[0] == 0 and kept[-1] == len(places) - 1
    from_one = 1 + places - places[0]
    ratio = from_one[-1] ** (1 / (most - 1)) * (1 + 1e-9)
    for left, right in zip(kept[:-1], kept[1:], strict=True):
        assert right == left + 1 or from_one[right - 1] <= from_one[left] * ratio


def renamed(results: Results, before: str, after: str) -> Results:
    """The results with another name for an optimizer."""
    cells = [
        dataclasses.replace(c, optimizer=c.optimizer.replace(before, after)) for c in results.cells
    ]
    names = tuple(name.replace(before, after) for name in results.optimizers)
    study = {**results.study, "optimizers": list(names)}
    return dataclasses.replace(results, cells=tuple(cells), optimizers=names, study=study)


@pytest.fixture(scope="module")
def page(results, chromium: Browser, tmp_path_factory) -> Iterator[Page]:
    hostile = renamed(results, FAST, HOSTILE)
    report = write_report(hostile, tmp_path_factory.mktemp("page") / "report.html")
    with watched_page(chromium, report) as found:
        yield found


def menu_of(page: Page, name: str, section: str = "convergence") -> Locator:
    """The menu of a section whose title begins so."""
    label = page.locator(f"#{section} .bar label").filter(
        has_text=re.compile(f"^{name}", re.IGNORECASE)
    )
    return label.locator("select")


def choose(page: Page, menu: str, value: str) -> None:
    menu_of(page, menu).select_option(value)
    page.evaluate("optbench.settled()")


def traces(page: Page, part: str = "median") -> dict[int, dict[str, list]]:
    """Optimizer -> what is drawn of it."""
    page.evaluate("document.getElementById('figure-convergence').scrollIntoView()")
    page.wait_for_selector("#figure-convergence .trace", state="attached")
    page.evaluate("optbench.settled()")
    found = page.evaluate(
        "part => document.getElementById('figure-convergence').data"
        ".filter(({meta}) => meta.part === part)"
        ".map(({x, y, meta}) => [meta.optimizer, {x: [...x], y: [...y]}])",
        part,
    )
    return dict(found)


def same(drawn: dict[str, list], x: np.ndarray, y: np.ndarray) -> bool:
    shown = [(a, b) for a, b in zip(drawn["x"], drawn["y"], strict=True) if None not in (a, b)]
    known = [(a, b) for a, b in zip(x, y, strict=True) if a > 0 and b > 0]
    return len(shown) == len(known) and bool(np.allclose(shown, known, rtol=1e-6))


def test_the_page_draws_the_numbers_of_python(page, facts, source):
    page.evaluate("optbench.choose({problem: 1, optimizers: [1, 3]})")
    names = list(source.results.optimizers)
    for axis in ("cost", "steps", "seconds"):
        choose(page, "against", axis)
        for quantity in ("merit", "gradient norm", "distance"):
            choose(page, "quantity", quantity)
            found = traces(page)
            assert set(found) == {1, 3}
            for index, curve in found.items():
                line = lines(facts, source, VALLEY)[names[index]]
                rows = line["curves"][quantity]["steps"].astype(float)
                x = rows[0] if axis == "steps" else rows[0] * line["numbers"][-1]
                if axis == "cost":
                    own = line["curves"][quantity]["cost"]
                    rows = rows if own is None else own.astype(float)
                    x = (
                        rows[0]
                        if own is not None
                        else np.dot(line["cost"], [np.ones_like(x), rows[0]])
                    )
                assert same(curve, x, rows[1])
                assert not same(curve, x, rows[1] * 1.001)
    choose(page, "against", "cost")
    choose(page, "quantity", "merit")


def test_axes_switch_between_logarithmic_and_linear(page):
    page.evaluate("optbench.choose({problem: 0, optimizers: [0, 3]})")
    layout = "document.getElementById('figure-convergence').layout"
    for menu, axis in (("horizontal", "xaxis"), ("vertical", "yaxis")):
        for scale in ("linear", "log"):
            choose(page, menu, scale)
            assert (page.evaluate(f"{layout}.{axis}.type || 'linear'") == "log") == (scale == "log")


def test_a_switch_hides_rates_and_theory(page):
    page.evaluate("optbench.choose({problem: 0, optimizers: [0]})")
    assert set(traces(page, "fit")) == set(traces(page, "theory")) == {0}
    page.get_by_label("rates and theory").uncheck()
    assert traces(page, "fit") == traces(page, "theory") == {}
    page.get_by_label("rates and theory").check()


def test_a_run_that_diverges_leaves_through_the_top_and_is_named(page):
    page.evaluate("optbench.choose({problem: 0, optimizers: [0, 2, 4]})")
    found = traces(page)
    top = page.evaluate("document.getElementById('figure-convergence').layout.yaxis.range[1]")
    assert found[2]["y"][-1] > 10**top and found[0]["y"][-1] < 10**top
    note = page.locator("[data-figure=convergence] .note").inner_text()
    assert f"{HOSTILE}: 3 of 3 starts diverged." in note


def test_the_table_tells_what_python_tells(page, facts, source):
    page.evaluate("optbench.choose({problem: 0, optimizers: [0, 2, 4, 3]})")
    page.evaluate("optbench.settled()")
    rows = page.locator("#convergence-table tbody tr").all_inner_texts()
    descent = lines(facts, source, BOWL)[STEADY]
    for text in (descent["rate"]["rate"], descent["theory"], descent["rate"]["ratio"], "@S"):
        assert text in rows[0]
    assert rows[1].startswith(HOSTILE)
    assert "not applicable" in rows[2] and "@T_4" in rows[3]


def test_every_problem_has_a_panel_at_a_glance_that_leads_to_it(page):
    panels = page.locator(".overview button")
    assert panels.count() == 2
    page.evaluate("optbench.choose({problem: 0, optimizers: [0, 1, 3, 4]})")
    panels.nth(1).scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('.overview path').length === 2 * 3")
    panels.nth(1).click()
    assert page.evaluate("optbench.selection.problem") == 1
    assert panels.nth(1).get_attribute("aria-pressed") == "true"
    page.evaluate("optbench.choose({problems: [0]})")
    assert not panels.nth(1).is_visible()
    page.evaluate("optbench.choose({problems: [0, 1], problem: 0})")


def test_labels_of_users_stay_text(page):
    page.evaluate("optbench.choose({problem: 0, optimizers: [2]})")
    traces(page)
    text = page.evaluate("document.getElementById('figure-convergence').data.at(-1).text[0]")
    assert "&lt;img" in text and "<img" not in text
    assert page.locator("img").count() == 0
    page.evaluate("optbench.choose({optimizers: [0, 1, 3]})")


def test_a_problem_chosen_elsewhere_is_followed(page):
    page.evaluate("optbench.choose({problem: 1})")
    assert menu_of(page, "problem").input_value() == "1"
    page.evaluate("optbench.choose({problem: 0})")
    quantities = menu_of(page, "quantity").locator("option")
    names = [quantity.get_attribute("value") for quantity in quantities.all()]
    assert names == ["merit", "gradient norm", "distance"]
