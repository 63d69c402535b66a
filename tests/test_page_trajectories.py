"""What a page shows of paths: which lanes and points, the relief below them, and the player."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from playwright.sync_api import Page

from optbench.design import Study
from optbench.figures.contours import contour_levels
from optbench.method import make_method
from optbench.optimizers.names import known_optimizers
from optbench.page import write_report
from optbench.page.modes import mean_factors
from optbench.page.paths import FEWER_POINTS, MOST_POINTS, thinned, told_apart
from optbench.page.payload import Bytewise
from optbench.page.relief import DIGITS, relief
from optbench.page.source import Source
from optbench.page.trajectories import trajectories
from optbench.problem import Problem
from optbench.results import Results
from optbench.start import standard_normal
from optbench.study import Parts, run_parts
from optbench.trajectory import TUNING_SEEDS_FROM

VALLEY = "valley[a=<script>alert(1)</script>]"
BOWL = "bowl"
OPTIMIZERS = ("gradient_descent", "momentum", "adam", "lbfgs")
ROUNDED = 2.0**-16  # five digits, of what is only told
CURVATURES = np.array([0.1, 0.5, 1.0, 2.0, 4.0])


def valley(x):
    return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2


def bowl(x, curvatures):
    return jnp.sum(curvatures * x**2) / 2


def valley_problem() -> Problem:
    known = {"minimum": 0.0, "minimizer": np.ones(2), "region": ((-2.0, 2.0), (-1.0, 3.0))}
    return Problem(objective=valley, start=standard_normal((2,)), source="test", **known)


def bowl_problem() -> Problem:
    known = {"minimum": 0.0, "minimizer": np.zeros(5), "data": (CURVATURES,)}
    return Problem(objective=bowl, start=standard_normal((5,)), source="test", **known)


@pytest.fixture(scope="module")
def results() -> Results:
    problems = {BOWL: bowl_problem, VALLEY: valley_problem}
    methods = {name: make_method(known_optimizers()[name]) for name in OPTIMIZERS}
    study = Study(name="paths", problems=tuple(problems), optimizers=OPTIMIZERS, trials=4,
                  seeds=2, tuning_seeds=1, budget=120.0)  # fmt: skip
    found = run_parts(
        study, Parts(problems=problems, methods=methods, find=methods.__getitem__), None
    )
    landscapes = [found.landscape(label) for label in problems]
    assert all(landscape and landscape.failure is None for landscape in landscapes)
    return found


@pytest.fixture(scope="module")
def source(results: Results) -> Source:
    return Source(results=results, folder="RESULTS")


@pytest.fixture(scope="module")
def facts(source: Source) -> dict[str, Any]:
    return bare(trajectories(source))


def bare(value: Any) -> Any:
    """Facts with their arrays as such."""
    if isinstance(value, Bytewise):
        return value.array
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items()}
    return [bare(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def report(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(results, tmp_path_factory.mktemp("page") / "report.html")


def view_of(facts: dict[str, Any], results: Results, label: str) -> dict[str, Any]:
    (view,) = [v for v in facts["views"] if list(results.problems)[v["problem"]] == label]
    return view


# Which points


def keeps_what_the_eye_sees(places: np.ndarray, kept: np.ndarray) -> bool:
    """Whether a path that ends at the last point kept is never further than 1 from the true one."""
    if kept[0] != 0 or kept[-1] != len(places) - 1:
        return False
    before = kept[np.searchsorted(kept, np.arange(len(places)), side="right") - 1]
    return bool((np.abs(places - places[before]) <= 1).all())


@pytest.mark.parametrize("seed", range(4))
def test_no_point_that_the_eye_can_tell_is_dropped(seed: int):
    rng = np.random.default_rng(seed)
    paths = [np.cumsum(rng.standard_normal((n, 3)) * 0.6, axis=0) for n in (1, 7, 90, 128)]
    for places, kept in zip(paths, told_apart(paths), strict=True):
        assert keeps_what_the_eye_sees(places, kept)
        alone = told_apart([places])[0]
        np.testing.assert_array_equal(kept, alone)
    places, kept = paths[-1], told_apart(paths)[-1]
    assert len(kept) < len(places)
    assert not keeps_what_the_eye_sees(places, kept[:-1])
    assert not keeps_what_the_eye_sees(places, kept[::2])


def test_a_path_that_leaves_for_infinity_keeps_where_it_does():
    away = np.array([[0.0, 0.0], [5.0, 2.0], [np.inf, 9.0], [np.inf, 9.5], [-np.inf, 9.5]])
    started_there, lost = away[2:], np.array([[0.0, 0.0], [np.nan, 0.0], [np.nan, 0.0]])
    found = [list(kept) for kept in told_apart([away, started_there, lost])]
    assert found == [[0, 1, 2, 4], [0, 2], [0, 1, 2]]


def test_a_long_path_keeps_its_first_points_and_its_last():
    index = np.arange(1000)
    kept = thinned(index, 60)
    assert len(kept) == 60
    np.testing.assert_array_equal(kept[:20], index[:20])
    assert kept[-1] == 999
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(thinned(index[:60], 60), index[:60])


# Which lanes


def shown_lanes(view: dict[str, Any], place: int) -> list[tuple[int, int]]:
    return [(s, h) for p, s, h, _ in view["lanes"].tolist() if p == place]


def test_all_starts_are_shown_at_the_tuned_setting_and_the_first_at_all(facts, results):
    view = view_of(facts, results, VALLEY)
    assert view["seeds"] == [0, 1]
    assert all(seed < TUNING_SEEDS_FROM for seed in view["seeds"])
    for place, entry in enumerate(view["optimizers"]):
        label = results.optimizers[entry["optimizer"]]
        cell = results.cell(VALLEY, label)
        count = 1 if not entry["names"] else cell.trials + (cell.default_source is not None)
        tuned = {(start, entry["tuned"]) for start in range(2)}
        assert set(shown_lanes(view, place)) == tuned | {(0, h) for h in range(count)}


def test_every_point_is_the_one_that_was_recorded(facts, results):
    """Read from the arrays of the store, lane by lane."""
    view = view_of(facts, results, VALLEY)
    first = 0
    for (place, start, setting, status), end in zip(view["lanes"], view["ends"], strict=True):
        label = results.optimizers[view["optimizers"][place]["optimizer"]]
        log = results.trajectory(VALLEY, label)
        seed = log.seeds.index(view["seeds"][start])
        kept = list(log.recorded).index(seed * log.value.shape[1] + setting)
        index = view["index"][first:end]
        assert index[0] == 0 and index[-1] == log.last[seed, setting]
        assert len(index) <= (MOST_POINTS if setting == log_tuned(view, place) else FEWER_POINTS)
        np.testing.assert_array_equal(
            view["points"][first:end], log.params[kept, index].astype(np.float32)
        )
        value = log.value[seed, setting, index]
        np.testing.assert_allclose(view["merits"][first:end], value, rtol=ROUNDED)
        cost = log.cost[seed, setting, index]
        np.testing.assert_array_equal(view["costs"][first:end], cost.astype(np.float32))
        assert view["statuses"][status] == str(log.status[seed, setting])
        first = end
    assert first == len(view["points"])


def log_tuned(view: dict[str, Any], place: int) -> int:
    return view["optimizers"][place]["tuned"]


def test_a_problem_in_more_dimensions_shows_its_plane(facts, results):
    view = view_of(facts, results, BOWL)
    plane = results.landscape(BOWL).plane
    np.testing.assert_array_equal(view["plane"]["explained"], plane.explained)
    assert view["minimizer"] == ([0.0, 0.0] if plane.is_minimizer else None)
    firsts = np.r_[0, view["ends"][:-1]]
    assert len(view["lanes"]) == len(plane.paths) == len(OPTIMIZERS)
    for (place, *_), first, end in zip(view["lanes"], firsts, view["ends"], strict=True):
        entry = view["optimizers"][place]
        path = plane.paths[results.optimizers[entry["optimizer"]]]
        steps = entry["steps"][view["index"][first:end]]
        at = np.searchsorted(path.steps, steps)
        np.testing.assert_array_equal(path.steps[at], steps)
        np.testing.assert_array_equal(view["points"][first:end], path.points[at].astype("f4"))
        np.testing.assert_allclose(view["offPlane"][first:end], path.off_plane[at], rtol=ROUNDED)


# The relief


def height_of(z: np.ndarray, found: dict[str, Any], first: float) -> np.ndarray:
    """The inverse of the scale of a relief."""
    if not found["signed"]:
        return 10.0**z
    outer = np.sign(z) * first * 10.0 ** (np.abs(z) - found["step"])
    return np.where(np.abs(z) <= found["step"], z / found["step"] * first, outer)


@pytest.mark.parametrize("signed", [False, True])
def test_levels_are_evenly_spaced_and_heights_can_be_read_back(signed: bool):
    x, y = np.meshgrid(np.linspace(-2, 2, 41), np.linspace(-1, 3, 31))
    values = x**2 - y**2 + 5 if signed else valley((x, y)) + 5
    found = bare(relief(values, 5.0, signed=signed))
    heights = values - 5.0
    levels = contour_levels(heights, signed=signed)
    first = levels[levels > 0][0]
    lines = np.arange(found["low"], found["high"] + found["step"] / 2, found["step"])
    np.testing.assert_allclose(height_of(lines, found, first), levels, rtol=1e-9, atol=1e-12)
    again = height_of(found["z"].astype(float), found, first)
    shown = np.abs(heights) > first
    np.testing.assert_allclose(again[shown], heights[shown], rtol=2 * np.log(10) / DIGITS)
    told = [number_of(text) for text in found["texts"]]
    assert sum(value > 0 for value in told) >= 2
    np.testing.assert_allclose(height_of(np.array(found["ticks"]), found, first), told, atol=1e-12)


def number_of(text: str) -> float:
    """What a tick says: 0, or a power of ten with its sign."""
    text = text.replace("\N{MINUS SIGN}", "-").removesuffix("</sup>")
    return float(text.replace("10<sup>", "1e"))


# Modes


def test_a_mean_factor_is_that_of_a_geometric_sequence_down_to_rounding():
    steps = np.array([0, 1, 2, 5, 10, 40, 100])
    factors = np.array([0.9, 0.5, 1.01])
    coefficients = factors ** steps[:, None]
    floor = np.full(len(steps), 1e-6)
    coefficients[-2:, 1] = 3e-7  # rounding
    np.testing.assert_allclose(mean_factors(steps, coefficients, floor), factors, rtol=1e-12)
    careless = mean_factors(steps, coefficients, 0 * floor)
    assert careless[1] > 0.8


def test_modes_of_gradient_descent_shrink_by_their_factors(facts, results):
    (found,) = facts["modes"]
    np.testing.assert_allclose(found["curvatures"], CURVATURES)
    lanes = [lane for lane in found["lanes"] if lane["optimizer"] == 0]
    for lane in lanes:
        expected = np.abs(1 - lane["setting"]["learning_rate"] * CURVATURES)
        np.testing.assert_allclose(lane["factors"], expected, rtol=1e-3)
        theory = lane["theory"][0] * expected ** lane["steps"][:, None]
        seen = theory > 1e-25
        np.testing.assert_allclose(lane["theory"][seen], theory[seen], rtol=1e-4)
    assert all(lane["theory"] is None for lane in found["lanes"] if lane["optimizer"] > 1)


# The player


def shown(page: Page) -> dict[str, Any]:
    page.locator("[data-figure=trajectories]").scroll_into_view_if_needed()
    page.evaluate("optbench.settled()")
    return page.evaluate("optbench.trajectories.state()")


def last_points(results: Results, source: Source, label: str, start: int) -> dict[int, np.ndarray]:
    ends = {}
    for number, optimizer in enumerate(results.optimizers):
        tuned = source.runs[label].tuned[optimizer]
        log = tuned.trajectory
        row = list(log.recorded).index(start * log.value.shape[1] + tuned.setting)
        ends[number] = log.params[row, log.last[start, tuned.setting]]
    return ends


def assert_at_ends(state: dict[str, Any], ends: dict[int, np.ndarray]) -> None:
    heads = {head["optimizer"]: [head["x"], head["y"]] for head in state["heads"]}
    assert heads.keys() == ends.keys()
    for optimizer, place in heads.items():
        np.testing.assert_array_equal(np.array(place, np.float32), ends[optimizer].astype("f4"))


def test_playing_to_the_end_leaves_every_head_at_its_last_point(open_page, report, results, source):
    page = open_page(report)
    state = shown(page)
    assert state["problem"] == 1, "the first one in two dimensions"
    assert_at_ends(state, last_points(results, source, VALLEY, 0))
    page.get_by_label("Speed").select_option("4")
    page.get_by_role("button", name="Play the paths").click()
    assert shown(page)["cost"] < state["cost"]
    page.get_by_role("button", name="Play the paths").wait_for()
    assert shown(page) == state


def test_a_step_moves_to_the_next_recorded_cost(open_page, report, facts, results):
    page = open_page(report)
    view = view_of(facts, results, VALLEY)
    tuned = [log_tuned(view, place) for place in range(len(view["optimizers"]))]
    firsts = np.r_[0, view["ends"][:-1]]
    costs = np.unique(np.concatenate([
        view["costs"][first:end]
        for (place, start, setting, _), first, end
        in zip(view["lanes"], firsts, view["ends"], strict=True)
        if start == 0 and setting == tuned[place]
    ]))  # fmt: skip
    assert shown(page)["cost"] == costs[-1]
    back = page.get_by_role("button", name="Back to the point before")
    for cost in costs[-2:-5:-1]:
        back.click()
        assert shown(page)["cost"] == cost
    page.get_by_role("button", name="On to the next point").press("Space")
    assert shown(page)["cost"] == costs[-3]
    slider = page.get_by_label("Cost in gradient-equivalents")
    slider.press("Home")
    state = shown(page)
    assert state["cost"] == costs[0]
    assert all(head["step"] == 0 for head in state["heads"])
    slider.press("End")
    assert shown(page)["cost"] == costs[-1]


DRAWN = """() => [...document.querySelectorAll(
    "#figure-trajectories [class*=tracepath-] .js-line")].map(
    (line) => line.getAttribute("d").split("L").length)"""


def test_a_moving_picture_shows_no_point_beyond_the_cost(open_page, report):
    """While the slider is held, the picture is that of the same cost at rest."""
    page = open_page(report)
    shown(page)
    hold = """(value) => {
      const slider = document.querySelector(".player input");
      slider.value = value;
      slider.dispatchEvent(new Event("input"));
      slider.dispatchEvent(new Event("input"));
    }"""
    heads = """() => [...document.querySelectorAll("#figure-trajectories .traceheads .point")].map(
        (point) => point.getAttribute("transform").match(/[-\\d.]+/g).map(Number))"""
    page.evaluate(hold, 1000)
    shown(page)
    whole = page.evaluate(DRAWN)
    page.evaluate(hold, 300)
    state = shown(page)
    moving, places = page.evaluate(DRAWN), page.evaluate(heads)
    assert all(part <= all_ for part, all_ in zip(moving, whole, strict=True))
    assert sum(moving) < sum(whole)
    page.evaluate("document.querySelector('.player input').dispatchEvent(new Event('change'))")
    assert shown(page)["heads"] == state["heads"]
    np.testing.assert_allclose(places, page.evaluate(heads), atol=0.06)


def test_the_start_can_be_chosen(open_page, report, results, source):
    page = open_page(report)
    shown(page)
    figure = page.locator("[data-figure=trajectories]")
    figure.get_by_label("Start").select_option("1")
    state = shown(page)
    assert state["seed"] == 1
    assert_at_ends(state, last_points(results, source, VALLEY, 1))


def test_one_optimizer_can_leave_its_tuned_setting(open_page, report, facts, results):
    page = open_page(report)
    before = {head["optimizer"]: head["setting"] for head in shown(page)["heads"]}
    figure = page.locator("[data-figure=trajectories]")
    figure.get_by_label("Settings").select_option("0")
    shown(page)  # the slider belongs to the settings that are drawn
    slider = figure.get_by_label("Recorded setting, by learning rate")
    slider.press("Home")
    after = {head["optimizer"]: head["setting"] for head in shown(page)["heads"]}
    rates = view_of(facts, results, VALLEY)["optimizers"][0]["settings"][:, 0]
    assert after == {**before, 0: int(np.argmin(rates[: results.cell(VALLEY, "adam").trials]))}
    figure.get_by_label("Settings").select_option("all")
    shown(page)
    slider.press("Home")
    low = {head["optimizer"]: head["setting"] for head in shown(page)["heads"]}
    assert low[0] == after[0] and low[3] == before[3]


def test_an_optimizer_that_is_switched_off_has_no_path(open_page, report):
    page = open_page(report)
    assert len(shown(page)["heads"]) == len(page.evaluate(DRAWN)) == 4
    page.locator("[data-filter=optimizers]").get_by_label("momentum").uncheck()
    assert [head["optimizer"] for head in shown(page)["heads"]] == [0, 2, 3]
    assert len(page.evaluate(DRAWN)) == 3


def test_a_hostile_label_is_text_and_its_command_one_word(open_page, report):
    page = open_page(report)
    shown(page)
    figure = page.locator("[data-figure=trajectories]")
    assert figure.get_by_label("Problem").locator("option:checked").inner_text() == VALLEY
    assert figure.locator("script").count() == 0
    assert f"--problem '{VALLEY}'" in figure.locator("code").inner_text()


def test_the_plane_says_how_much_it_holds_and_the_modes_follow(open_page, report, results):
    page = open_page(report)
    shown(page)
    page.evaluate("optbench.choose({ problem: 0 })")
    assert len(shown(page)["heads"]) == len(OPTIMIZERS)
    held = 100 * results.landscape(BOWL).plane.explained[:2].sum()
    said = page.locator("[data-figure=trajectories] .note").first.inner_text()
    assert f"holds {held:.3g} % of their variance" in said
    page.locator("[data-figure=modes]").scroll_into_view_if_needed()
    page.evaluate("optbench.settled()")
    lines = page.locator("#figure-modes .scatterlayer .js-line")
    assert lines.count() >= 2 * len(CURVATURES), "measured and theory"
