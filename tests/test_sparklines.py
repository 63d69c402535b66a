"""Sparklines: heights by hand, one scale per problem, and failures in sight; HTML for notebooks."""

from __future__ import annotations

import dataclasses
import html.parser

import numpy as np
import pytest
from test_summary import cell, climbing, log, summary_of

from optbench.records import ProblemRecord, pack_trajectory
from optbench.report.notebook import MOST_OPTIMIZERS, MOST_PROBLEMS
from optbench.results import Results
from optbench.summary.sparklines import (
    BLOCKS,
    DIGITS,
    LOST,
    POINTS,
    depth,
    heights,
    levels_for,
    median_heights,
    path_of,
    sparkline,
)
from optbench.trajectory import Status

GRID = np.geomspace(1.0, 1e3, POINTS)


def falling(merits, costs=GRID, *, status=Status.BUDGET, merit="suboptimality", **fields):
    """One start at one setting with these merits at these costs."""
    merits, costs = np.asarray(merits, float), np.asarray(costs, float)
    given = dict(
        steps=np.arange(len(costs)),
        value=merits[None, None],
        gradient_norm=merits[None, None],
        cost=costs[None, None],
        initial_merit=np.abs(merits[None, None, 0]),
        last=np.full((1, 1), len(costs) - 1),
        status=np.full((1, 1), status, object),
        merit=merit,
    )
    never = np.full((1, 1, 10), np.nan)
    return log(never, rates=[0.1], **(given | fields))


def path(trajectory, horizon=1e3):
    return path_of(trajectory, 0, 0, horizon)


def test_a_path_is_the_logarithm_of_the_merit_over_the_start_by_hand():
    merits = 5.0 * 10.0 ** -np.arange(POINTS)
    found = path(falling(merits))
    assert found == pytest.approx([*-np.arange(11.0), -10.0])  # no further than the targets
    assert sparkline(heights(found, depth([found]))) == "█▇▇▆▅▅▄▃▂▂▁▁"
    assert path(falling([4.0, 8.0], [1.0, 9.0])) == (0.0,) * POINTS  # above the start is the start


def test_between_log_points_the_last_one_holds():
    found = path(falling([1.0, 1e-4], [1.0, GRID[6]]))
    assert found == (*[0.0] * 6, *[-4.0] * 6)


def test_a_run_that_is_lost_is_marked_from_there_and_one_that_is_done_is_not():
    ends = {Status.DIVERGED: "█▁▁xxxxxxxxx", Status.NON_FINITE: "█▁▁xxxxxxxxx"}
    ends |= {Status.REACHED: "█▁▁▁▁▁▁▁▁▁▁▁", Status.BUDGET: "█▁▁▁▁▁▁▁▁▁▁▁"}
    for status, drawn in ends.items():
        found = path(falling([1.0, 0.1, 0.1], GRID[:3], status=status))
        assert sparkline(heights(found, depth([found]))) == drawn
    broken = path(falling([1.0, 0.1, np.nan], GRID[:3], status=Status.NON_FINITE))
    assert sparkline(heights(broken, depth([broken]))) == "█▁" + LOST * 10


def test_optimizers_of_a_problem_share_their_scale_and_problems_do_not():
    deep, shallow = (path(falling([1.0, 10.0**-d], GRID[[0, 3]])) for d in (8, 4))
    lowest = depth([deep, shallow])
    assert heights(deep, lowest)[-1] == 0.0 and heights(shallow, lowest)[-1] == 0.5
    alone = heights(shallow, depth([shallow]))  # the planted defect: each has its own
    assert alone[-1] == 0.0 != heights(shallow, lowest)[-1]


def test_at_a_saddle_the_way_leads_from_one_down_to_minus_one():
    found = path(falling([2.0, 0.0, -2.0, -9.0], GRID[[0, 2, 4, 6]], merit="escape", reference=0.0))
    assert found == (0, 0, -1, -1, *[-2] * 8)


def test_the_median_start_is_drawn():
    costs = np.full((3, 1, 10), np.nan)
    costs[:, 0, 0] = [30.0, 10.0, 20.0]
    lanes = np.array([1e-1, 1e-9, 1e-3])
    value = np.stack([np.ones(3), lanes], axis=-1)[:, None]
    found = log(costs, rates=[0.1], value=value)
    assert path_of(found, 0, 0, 1e3)[-1] == pytest.approx(-3)


def test_the_median_over_problems_by_hand():
    paths = {"a": (0.0, -1.0), "b": (0.0, -2.0), "c": (0.0, np.inf)}
    lowest = {"a": -2.0, "b": -2.0, "c": -1.0}
    assert median_heights(paths, lowest) == pytest.approx([1.0, 0.5])
    most = {"a": (0.0, np.inf), "b": (0.0, np.inf), "c": (0.0, -1.0)}
    assert np.isnan(median_heights(most, lowest)[1])


def test_an_encoding_without_blocks_gets_digits():
    assert levels_for("utf-8") == BLOCKS
    assert {levels_for(name) for name in ("ascii", "latin-1", "no such", None)} == {DIGITS}
    logs = {("bowl", "a"): climbing(1.0), ("bowl", "b"): climbing(9.0)}
    text = summary_of(logs).text(80, levels=DIGITS)
    text.encode("ascii")
    assert "7 at the start, 0 the least" in text and text.count("path:") == 1
    assert "█" in summary_of(logs).text(80)
    for width in (60, 80, 100):
        assert max(map(len, summary_of(logs).text(width).splitlines())) <= width


# A notebook


class Page(html.parser.HTMLParser):
    """The tags and the text of a page; every tag that is opened is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


EVIL = "<script>alert(1)</script>"


def study(problems, optimizers, name="tried") -> Results:
    """Results of runs that all reach their targets, but for those of `wild`."""
    packed, cells = {}, []
    for problem in problems:
        for i, optimizer in enumerate(optimizers):
            made = climbing(1.0 + i)
            status = made.status.astype(str)
            if optimizer == "wild":
                made = log(np.full((3, 4, 10), np.nan))
                status = np.full((3, 4), str(Status.DIVERGED))
            counted = {"value_and_gradients": made.hit_costs}
            made = dataclasses.replace(made, status=status, hit_calls=counted)
            made = dataclasses.replace(made, calls={"value_and_gradients": made.cost})
            cells.append(cell(problem, optimizer, trials=4))
            packed[cells[-1].key] = pack_trajectory(made)
    return Results(
        folder=None,
        study={"name": name, "budget": 1e4, "target": 1e-4},
        environment={},
        problems={label: ProblemRecord(label=label) for label in problems},
        optimizers=tuple(optimizers),
        cells=tuple(cells),
        load=packed.get,
    )


def test_a_notebook_shows_verdict_and_lines():
    page = Page(study(["bowl", "valley"], ["adam", "sgd", "wild"])._repr_html_())
    assert "Verdict at 1e-4 against adam" in page.text
    assert page.tags.count("svg") == 3 * (1 + 2)
    assert page.tags.count("tr") == 1 + 3
    assert page.tags.count("path") == 3  # the crosses of what is lost
    assert ("stroke", "currentColor") in page.attributes
    assert "Not shown" not in page.text


def test_what_users_name_is_text():
    made = study([EVIL, "b"], ["adam", 'x"><img src=x onerror=alert(1)>'], name=EVIL)
    page = Page(made._repr_html_())
    assert page.text.count(EVIL) >= 2  # the title, and a column
    assert not {"script", "img", "style", "link", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_the_check_for_scripts_finds_a_planted_one(monkeypatch):
    monkeypatch.setattr("optbench.report.notebook.escape", lambda text: text)
    with pytest.raises(AssertionError):
        test_what_users_name_is_text()


def test_one_optimizer_alone_has_no_verdict_and_still_a_table():
    page = Page(study(["bowl"], ["adam"])._repr_html_())
    assert "Verdict" not in page.text and page.tags.count("svg") == 2


def test_a_large_study_is_cut_and_says_so():
    problems = [f"problem_{i}[dim={i}]" + "x" * 200 for i in range(10)]
    optimizers = [
        f"clip_by_something(optimizer_{i})" + "y" * 200 for i in range(MOST_OPTIMIZERS + 4)
    ]
    text = study(problems, optimizers)._repr_html_()
    assert len(text.encode()) < 200_000
    page = Page(text)
    assert f"Not shown: 4 more optimizers, {10 - MOST_PROBLEMS} more problems." in page.text
    assert page.tags.count("tr") == 1 + MOST_OPTIMIZERS
