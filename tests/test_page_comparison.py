"""Comparison and tuning in a report: what a browser computes is what Python does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import watched_page
from page_readings import field, heights, switch
from playwright.sync_api import Browser, Page

from optbench import exhibits, metrics, profiles
from optbench.comparison import Comparison
from optbench.figures.sensitivity import common_target, sensitivity_to_rate
from optbench.page import write_report
from optbench.page.comparison import comparison as section
from optbench.page.source import Source
from optbench.verdict.tunability import tunability

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from reports.synthetic import synthetic_study

PROBLEMS, OPTIMIZERS, SUBSETS = 6, 25, 20
CLOSE = {"rtol": 1e-12, "atol": 1e-12}
TARGET = 3  # index of 1e-4, which the study is tuned for
RATIOS = [*2.0 ** np.linspace(-6, 6, 97)]


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(results=synthetic_study(PROBLEMS, OPTIMIZERS), folder="results/a study")


@pytest.fixture(scope="module")
def compared(source: Source) -> Comparison:
    return source.comparison


@pytest.fixture(scope="module")
def page(
    source: Source, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    file = write_report(source.results, tmp_path_factory.mktemp("report") / "report.html")
    with watched_page(chromium, file) as opened:
        yield opened


def subsets() -> list[list[int]]:
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 9, SUBSETS)
    return [sorted(map(int, rng.choice(OPTIMIZERS, size, replace=False))) for size in sizes]


def call(page: Page, function: str, *given: object) -> np.ndarray:
    """What one of the functions of the page gives; infinite costs travel as text."""
    found = page.evaluate(
        """([name, given]) => {
            const read = (v) => Array.isArray(v) ? v.map(read) : v === "inf" ? Infinity : v;
            return optbench.profiles[name](...given.map(read));
        }""",
        [function, [_sent(value) for value in given]],
    )
    return np.array(found)


def _sent(value: object) -> object:
    if isinstance(value, np.ndarray | list):
        return [_sent(item) for item in np.asarray(value)]
    number = float(value)  # pyright: ignore[reportArgumentType]
    return number if np.isfinite(number) else "inf"


# The functions of the page


@pytest.mark.parametrize("seed", range(5))
def test_the_formulas_of_the_page_are_those_of_python(page: Page, seed: int):
    rng = np.random.default_rng(seed)
    costs = np.where(rng.random((9, 5)) < 0.3, np.inf, rng.integers(1, 40, (9, 5)).astype(float))
    costs[0] = np.inf
    budgets = np.array([1.0, 5.0, 20.5, 40.0])
    ratios, first, second = np.array(RATIOS), costs[:, 0], costs[:, 1]
    for found, expected in (
        (
            call(page, "performanceProfile", costs, ratios).T,
            profiles.performance_profile(costs, ratios),
        ),
        (call(page, "profileScore", costs), profiles.profile_score(costs)),
        (call(page, "dataProfile", costs, budgets).T, profiles.data_profile(costs, budgets)),
        (
            call(page, "pairwiseProfile", first, second, ratios),
            profiles.pairwise_profile(first, second, ratios),
        ),
        (call(page, "median", costs[1]), np.median(costs[1])),
        (call(page, "expectedBestOfK", first[1:]), metrics.expected_best_of_k(first[1:])),
    ):
        np.testing.assert_allclose(found.astype(float), expected, **CLOSE)


def test_runtimes_of_the_page_are_the_simulated_restarts_of_python(page: Page):
    hits, spent = np.array([3.0, np.inf, 7.5, np.inf]), np.array([3.0, 20.0, 7.5, 11.0])
    given = {"draws": 60}
    times = profiles.drawn_runs(np.isfinite(hits), rng=np.random.default_rng(3), **given)
    expected = profiles.simulated_restarts(hits, spent, rng=np.random.default_rng(3), **given)
    np.testing.assert_allclose(call(page, "runtimes", times, hits, spent), expected, **CLOSE)
    assert (times[:, [0, 2]].sum(1) == 1).all() and times[:, [1, 3]].any()


# Recomputed for what is shown


@pytest.mark.parametrize("chosen", subsets(), ids=str)
def test_a_subset_gives_the_curves_of_python(page: Page, compared: Comparison, chosen: list[int]):
    switch(page, chosen)
    shown = field(compared, chosen)
    if shown is None:
        assert "0 of 6 problems" in page.inner_text("#figure-profile")
        return
    profile = exhibits.profile_data(compared, shown)
    inside = profile.x <= 1024
    found = heights(page, "profile", [*profile.x[inside]])
    np.testing.assert_allclose(found, profile.shares[inside], **CLOSE)
    budgets = exhibits.data_profile_data(compared, shown)
    np.testing.assert_allclose(heights(page, "data-profile", [*budgets.x]), budgets.shares, **CLOSE)
    runtimes = exhibits.ecdf_data(compared, shown)
    drawn = page.evaluate(
        "(x) => optbench.figures.find(({ id }) => id === 'ecdf').sharesWithin(x)", [*runtimes.x]
    )
    np.testing.assert_allclose(np.array(drawn).T, runtimes.shares, **CLOSE)


@pytest.mark.parametrize("chosen", subsets()[:8], ids=str)
def test_a_subset_gives_the_pairs_of_python(page: Page, compared: Comparison, chosen: list[int]):
    switch(page, chosen)
    reference = exhibits.optimizers_of(compared)[0]
    shown = field(compared, sorted({0, *chosen}))
    assert shown is not None
    pairs = exhibits.pairwise_profile_data(compared, shown, reference)
    others = [row.optimizer != reference for row in shown.rows]
    found = heights(page, "pairwise-profile", [*pairs.x])
    np.testing.assert_allclose(found, pairs.shares[:, others], **CLOSE)


@pytest.mark.parametrize("chosen", subsets()[:8], ids=str)
def test_standings_are_those_of_python(page: Page, compared: Comparison, chosen: list[int]):
    switch(page, chosen)
    shown = field(compared, chosen)
    assert shown is not None
    found = page.evaluate("optbench.figures.find(({ id }) => id === 'profile').standings()")
    costs = exhibits.median_costs(compared, shown)
    reference = compared.row(exhibits.optimizers_of(compared)[0])
    outcomes = [compared.outcomes.get((p, reference)) for p in shown.problems]
    against = np.array([np.inf if o is None else o.median for o in outcomes])
    ratios = profiles.reference_ratios(costs, against)
    expected = {
        row.optimizer: (score, ratio.solved, ratio.ratio.value or np.nan, ratio.ratio.used)
        for row, score, ratio in zip(shown.rows, profiles.profile_score(costs), ratios, strict=True)
    }
    assert len(found["rows"]) == len(expected) and found["total"] == len(shown.problems)
    for label, score, solved, _, ratio, used in found["rows"]:
        told = (score, solved, np.nan if ratio is None else ratio, used)
        np.testing.assert_allclose(told, expected[label], **CLOSE)


@pytest.mark.parametrize("chosen", subsets()[:4], ids=str)
def test_maps_endings_and_tunability_are_those_of_python(
    page: Page, compared: Comparison, chosen: list[int]
):
    switch(page, chosen)
    labels = [exhibits.optimizers_of(compared)[index] for index in chosen]
    rows = {
        id: page.evaluate(f"optbench.figures.find((f) => f.id === '{id}').table().rows")
        for id in ("heatmap", "failures", "tunability")
    }
    expected = exhibits.heatmap_data(compared, (), labels)
    assert [row[2] for row in rows["heatmap"]] == [*expected.states.ravel()]
    found = [[np.nan if v is None else v for v in row[3:]] for row in rows["heatmap"]]
    costs = np.where(np.isinf(expected.costs), np.inf, expected.costs)
    np.testing.assert_allclose(np.array(found, float)[:, 0], costs.ravel(), **CLOSE)
    np.testing.assert_allclose(np.array(found, float)[:, 1], expected.log_ratios.ravel(), **CLOSE)
    endings = exhibits.failures_data(compared, (), labels)
    counted = np.array([row[1:] for row in rows["failures"]])
    np.testing.assert_array_equal(counted, np.column_stack([endings.counts, endings.reached]))
    curves = tunability(exhibits.select(compared, (), labels))
    told = [(row.optimizer, k + 1, v) for row, c in curves.items() for k, v in enumerate(c)]
    assert [row[:2] for row in rows["tunability"]] == [[o, k] for o, k, _ in told]
    np.testing.assert_allclose(
        [row[2] for row in rows["tunability"]], [v for *_, v in told], **CLOSE
    )


@pytest.mark.parametrize("unit", ["steps", "samples", "seconds"])
def test_other_units_and_targets_are_those_of_python(page: Page, compared: Comparison, unit: str):
    chosen = subsets()[0]
    switch(page, chosen)
    page.evaluate(f"optbench.choose({{ unit: '{unit}', target: 6 }})")
    page.evaluate("optbench.drawAll()")
    shown = field(compared, chosen)
    assert shown is not None
    finished = [
        p for p in shown.problems if all((p, row) in compared.outcomes for row in shown.rows)
    ]
    costs = np.median(compared.costs(shown.rows, finished, unit, target=6), axis=-1)
    grid = {
        (row[0], row[1]): row[3]
        for row in page.evaluate("optbench.figures.find(({ id }) => id === 'heatmap').table().rows")
    }
    found = [[grid[p, row.optimizer] for row in shown.rows] for p in finished]
    np.testing.assert_allclose(found, costs, rtol=1e-12)
    page.evaluate(
        "optbench.choose({ unit: 'gradients', target: optbench.facts.sections.comparison.target })"
    )


def test_a_box_of_the_filter_changes_the_profile_drawn(page: Page, compared: Comparison):
    drawn = []
    for chosen in ([0, 1, 2], [0, 1]):
        switch(page, chosen)
        shown = field(compared, chosen)
        assert shown is not None
        expected = exhibits.profile_data(compared, shown)
        found = heights(page, "profile", [*expected.x])
        np.testing.assert_allclose(found, expected.shares, **CLOSE)
        drawn.append(heights(page, "profile", [1.0])[0, :2])
    assert not np.array_equal(*drawn)


def test_a_best_over_all_optimizers_is_caught(page: Page, compared: Comparison):
    """The defect: ratios to the best of all optimizers, not of those shown."""
    chosen = [0, 1]
    switch(page, chosen)
    shown, everyone = (
        field(compared, chosen),
        exhibits.field_of(compared, optimizers=[row.optimizer for row in compared.headlines[:5]]),
    )
    assert shown is not None
    x = exhibits.profile_data(compared, shown).x
    of_all = exhibits.median_costs(compared, everyone)
    planted = profiles.performance_profile(of_all, x)[:, :2]
    assert not np.allclose(heights(page, "profile", [*x]), planted)


# What is drawn of one problem


def test_the_cost_of_every_setting_is_that_of_python(page: Page, source: Source):
    page.evaluate("optbench.choose({ problem: 2 })")
    switch(page, [*range(OPTIMIZERS)])
    runs = [*source.runs.values()][2]
    target = common_target(runs)
    found = page.evaluate("optbench.figures.find(({ id }) => id === 'sensitivity').table()")
    assert found["columns"][-1] == f"expected cost to 1e-{target + 1}"
    for name, tuned in runs.tuned.items():
        expected = sensitivity_to_rate(tuned.trajectory, target)
        own = np.array([[row[1], row[-1]] for row in found["rows"] if row[0] == name], float)
        cheapest = [own[own[:, 0] == rate, 1].min() for rate in expected.learning_rates]
        np.testing.assert_allclose(cheapest, expected.costs, **CLOSE)


def test_edges_are_marked_of_gradient_descent_and_heavy_ball(page: Page, source: Source):
    page.evaluate("optbench.choose({ problem: 2 })")
    switch(page, [0, 1])
    shapes = page.evaluate("document.getElementById('figure-sensitivity').layout.shapes")
    lines = [shape["x0"] for shape in shapes if shape["type"] == "line"]
    trajectory = [*source.runs.values()][2].tuned["momentum"].trajectory
    edges = 2 * (1 + trajectory.settings["momentum"]) / 10.0
    assert lines[0] == pytest.approx(2 / 10.0) and np.isclose(edges, lines[1]).any()


def test_a_click_on_a_row_looks_at_its_problem(page: Page):
    switch(page, [0, 1, 2])
    page.evaluate("optbench.choose({ problem: 0 })")
    page.locator("#figure-heatmap").scroll_into_view_if_needed()
    page.evaluate("optbench.settled()")
    box = page.locator("#figure-heatmap .nsewdrag").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 6, box["y"] + box["height"] * 4.5 / PROBLEMS)
    page.wait_for_function("optbench.selection.problem === 4")


# What is kept for the page


def test_draws_count_every_run_once_per_success(source: Source):
    found = section(source)
    assert found is not None
    times, counts = found["restarts"]["times"], found["restarts"]["counts"]
    hits = found["costs"]["gradients"]["hits"]
    starts = [*found["restarts"]["starts"].ravel(), len(counts)]
    reached = np.isfinite(np.moveaxis(hits, 2, 3)).reshape(-1, hits.shape[2])
    for own, first, last in zip(reached, starts[:-1], starts[1:], strict=True):
        assert counts[first:last].sum() == exhibits.DRAWS * own.any()
        assert (times[first:last][:, own].sum(1) == 1).all()


def test_a_command_names_what_is_shown_for_a_shell(page: Page):
    switch(page, [0, 8])
    profile = "optbench.figures.find(({ id }) => id === 'profile').command()"
    assert page.evaluate(profile) == (
        "optbench plot RESULTS --figure profile --optimizer gradient_descent "
        "--optimizer 'clip_by_global_norm(momentum)'"
    )
    page.evaluate("optbench.choose({ unit: 'steps' })")
    assert page.evaluate(profile) is None  # on paper costs are gradients
    page.evaluate("optbench.choose({ unit: 'gradients' })")
