"""Figures by name, for a screen and for paper: what is drawn, what is refused, equal bytes."""

from __future__ import annotations

import numpy as np
import pytest
from command_line import STUDY, optbench, write
from PIL import Image
from planted_comparisons import planted
from test_figures import blank, bowl, collisions, descent, study, texts

from optbench.cli.plotting import FIGURES
from optbench.errors import OptbenchError
from optbench.exhibits import failures_data, field_of, heatmap_data
from optbench.figures import plot
from optbench.figures.animation import Lane, animate, frame_costs, lanes_of
from optbench.figures.grids import CELLS, Bars, Map, failures_figure, heatmap_figure
from optbench.figures.kinds import OF_PROBLEM, OF_STUDY
from optbench.figures.lines import marked
from optbench.figures.runs import problem_runs
from optbench.figures.shares import pairwise_figure, profile_figure
from optbench.figures.sheet import PAPER, SCREEN, SHEETS
from optbench.figures.style import Picture, caption_lines, legend_height

NAN = np.nan
FLAT = [name for name in (*OF_PROBLEM[:4], *OF_STUDY)]
COSTS = {
    "adam": [[10.0], [40.0], [10.0]],
    "clip_by_global_norm(gradient_descent)": [[20.0], [NAN], [10.0]],
    "momentum": [[80.0], None, [NAN]],
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of a small study."""
    root = tmp_path_factory.mktemp("chosen")
    toml = write(root / "chosen.toml", STUDY)
    assert optbench("run", toml, "--results", root / "out").exit_code == 0
    return root / "out"


def test_the_help_names_every_figure():
    assert FIGURES == (*OF_PROBLEM, *OF_STUDY)


@pytest.mark.parametrize("style", SHEETS)
def test_every_figure_draws_by_name_in_both_styles(ran, tmp_path, style):
    chosen = [argument for name in FLAT for argument in ("--figure", name)]
    done = optbench("plot", ran, *chosen, "--style", style, "--format", "pdf", "--to", tmp_path)
    assert done.exit_code == 0, done.stderr
    drawn = {path.stem for path in tmp_path.glob("*.pdf")}
    assert drawn == {*OF_STUDY} | {f"{n}-{p}" for n in FLAT[:4] for p in ("booth", "himmelblau")}
    told = {path.stem for path in tmp_path.glob("*.txt")}
    assert told == (drawn if style == "paper" else set())
    if told:
        assert "How to read:" in (tmp_path / "profile.txt").read_text()
        assert "booth\n" in (tmp_path / "convergence-booth.txt").read_text()
    assert sorted(done.stdout.split()) == sorted(map(str, tmp_path.iterdir()))


@pytest.mark.parametrize("format", ["pdf", "svg", "png"])
def test_paper_has_equal_bytes_and_fonts_that_publishers_take(tmp_path, format):
    results = study({"adam": descent(), "momentum": descent(price=2.0)})
    names = ["trajectories", "profile", "heatmap"]
    given = {"format": format, "style": "paper", "figures": names}
    once, again = (plot(results, tmp_path / name, **given) for name in ("a", "b"))
    assert [p.read_bytes() for p in once] == [p.read_bytes() for p in again]
    if format == "pdf":
        data = once[0].read_bytes()
        assert b"CreationDate" not in data
        assert b"/Subtype /Type3" not in data and b"/CIDFontType2" in data


def test_named_optimizers_alone_are_drawn_and_compared(ran, tmp_path):
    chosen = ("--optimizer", "newton_cg", "--optimizer", "gradient_descent", "--problem", "booth")
    names = ("--figure", "profile", "--figure", "convergence", "--style", "paper")
    done = optbench("plot", ran, *names, *chosen, "--to", tmp_path)
    assert done.exit_code == 0, done.stderr
    assert {p.name for p in tmp_path.glob("*.svg")} == {"profile.svg", "convergence-booth.svg"}
    told = (tmp_path / "profile.txt").read_text()
    assert "computed for the optimizers shown alone" in told and "Left out" not in told


BAD = [
    (["--figure", "profil"], "no figure named 'profil'", "did you mean 'profile'"),
    (["--problem", "boot"], "no problem named 'boot'", "did you mean 'booth'"),
    (["--optimizer", "newton"], "no optimizer named 'newton'", "newton_cg"),
    (["--figure", "sharpness"], "nothing was measured", "--diagnostics"),
    (
        ["--figure", "profile", "--optimizer", "newton_cg"],
        "no profile of newton_cg alone",
        "second",
    ),
    (
        ["--figure", "pairwise-profile", "--optimizer", "gradient_descent"],
        "no pairwise-profile of gradient_descent alone",
        "second",
    ),
    (["--figure", "sensitivity", "--optimizer", "newton_cg"], "swept learning rate", "name an"),
    (["--figure", "tunability", "--optimizer", "newton_cg"], "no tunability", "--trials"),
    (["--figure", "ecdf", "--optimizer", "natural_gradient"], "nothing that it would", "goes on"),
]


@pytest.mark.parametrize(("chosen", "message", "hint"), BAD)
def test_what_cannot_be_drawn_is_refused_in_two_lines(ran, tmp_path, chosen, message, hint):
    done = optbench("plot", ran, *chosen, "--to", tmp_path / "none")
    assert done.exit_code == 2
    first, second = done.stderr.splitlines()
    assert message in first and hint in second
    assert not (tmp_path / "none").exists()


def test_a_problem_in_more_dimensions_has_no_trajectories(tmp_path):
    tall = bowl("tall", surface=None, dim=10)
    results = study({"adam": descent()}, tall)
    with pytest.raises(OptbenchError, match="no trajectories of tall: .* in 10 dimensions"):
        plot(results, tmp_path, figures=["trajectories"])
    with pytest.raises(OptbenchError, match="has no surface"):
        animate(problem_runs(results, "tall"), tmp_path / "a.gif")


# What is drawn is the data


def drawn_heights(figure: Picture, name: str) -> np.ndarray:
    lines = (line for axes in figure.axes for line in axes.get_lines())
    return next(np.asarray(x.get_ydata()) for x in lines if str(x.get_label()).startswith(name))


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
def test_a_profile_draws_its_shares_and_says_what_is_left_out(sheet):
    comparison = planted(COSTS)
    figure = profile_figure(comparison, field_of(comparison), sheet)
    assert drawn_heights(figure, "adam").tolist() == pytest.approx([2 / 3 + 1 / 3, 1, 1])
    assert drawn_heights(figure, "clip").tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert "Left out, as not run on all of them: momentum (2 of 3)." in " ".join(figure.caption)
    assert collisions(figure) == []
    assert bool(figure.texts) == sheet.captioned


def test_a_pairwise_profile_leaves_out_the_reference_itself():
    comparison = planted(COSTS)
    field = field_of(comparison)
    figure = pairwise_figure(comparison, field, "adam")
    (panel,) = figure.axes
    labels = [text.get_text() for text in panel.get_legend().get_texts()]
    assert len(labels) == 1 and "no dearer on 33%, solves 67%" in labels[0].replace("\n", "")


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
def test_a_failed_cell_is_hatched_and_never_the_color_of_the_best(sheet):
    comparison = planted(COSTS, statuses={("p2", "adam"): "failed"})
    figure = heatmap_figure(Map(data=heatmap_data(comparison), target=1e-6, sheet=sheet))
    patches = figure.axes[0].patches
    cells = {tuple(map(int, p.get_xy()))[::-1]: p for p in patches}
    best = cells[0, 0].get_facecolor()
    assert cells[1, 1].get_hatch() == CELLS["not reached"]["hatch"]
    assert cells[2, 0].get_hatch() == CELLS["crashed"]["hatch"]
    assert cells[1, 2].get_hatch() is None and cells[1, 2].get_facecolor() == (1, 1, 1, 1)
    assert all(cells[at].get_facecolor() != best for at in [(1, 1), (2, 0), (1, 2), (2, 2)])
    assert [t.get_text() for t in figure.axes[0].texts] == ["1", "2", "8", "1", "1"]


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
def test_bars_are_as_long_as_shares(sheet):
    data = failures_data(planted(COSTS))
    figure = failures_figure(Bars(data=data, target=1e-6, sheet=sheet))
    widths = [patch.get_width() for patch in figure.axes[0].patches]
    assert widths == pytest.approx([1, 2 / 3, 1 / 2, 0, 1 / 3, 1 / 2])
    assert "reach the study's target" in texts(figure)


def test_a_caption_is_narrower_than_its_figure_and_a_legend_is_as_high_as_its_names():
    wide = "WWW " * 200
    assert max(map(len, caption_lines(wide))) < SCREEN.letters(SCREEN.width)
    assert legend_height(SCREEN, ["adam"]) == 0.0
    long = ["clip_by_global_norm(gradient_descent)"] * 2
    assert legend_height(PAPER, long) > legend_height(PAPER, ["adam", "lion"])
    assert marked(np.array([1.0, 10.0, 100.0]), 0.0) == [0, 1, 2]


# Animations


def test_an_expensive_step_is_seen_later():
    points = np.arange(6.0).reshape(3, 2)
    cheap = Lane(points, np.array([1.0, 2.0, 3.0]), np.ones(3))
    dear = Lane(points, np.array([1.0, 11.0, 21.0]), np.ones(3))
    assert [cheap.reached(cost) for cost in (1, 2.5, 10, 21)] == [1, 2, 3, 3]
    assert [dear.reached(cost) for cost in (1, 2.5, 10.9, 11, 21)] == [1, 1, 1, 2, 3]
    costs = frame_costs([cheap, dear], 5)
    assert (costs[0], costs[-1]) == (1.0, pytest.approx(21.0))
    assert np.ptp(np.diff(np.log(costs))) < 1e-12


def test_a_lane_is_that_of_its_start_at_the_tuned_setting():
    runs = problem_runs(study({"adam": descent()}), "bowl")
    first, third = (lanes_of(runs, start)["adam"] for start in (0, 2))
    assert first.points[0].tolist() == [2.0, 1.0] and third.points[0].tolist() == [2.4, 1.1]
    setting = runs.tuned["adam"].setting
    assert third.cost.tolist() == descent().cost[2, setting][: len(third.cost)].tolist()
    assert len(third.points) == len(third.cost) == len(third.merit)
    with pytest.raises(OptbenchError, match="no start 3 on bowl"):
        lanes_of(runs, 3)
    lost = problem_runs(study({"adam": descent(recorded=np.array([], int))}), "bowl")
    with pytest.raises(OptbenchError, match="no path from start 0"):
        lanes_of(lost, 0)


def test_an_animation_has_equal_bytes_and_moves(tmp_path):
    runs = problem_runs(study({"adam": descent(), "momentum": descent(price=5.0)}), "bowl")
    files = [animate(runs, tmp_path / f"{n}.gif", seconds=1, frames_per_second=4) for n in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    with Image.open(files[0]) as gif:
        assert gif.n_frames == 4 and gif.info["duration"] == 250
        frames = []
        for index in range(4):
            gif.seek(index)
            frames.append(gif.convert("RGB").tobytes())
    assert len(set(frames)) == 4
    assert files[0].stat().st_size < 1e6


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["--to", "a.mp4"], "no animation of kind '.mp4'"),
        (["--to", "a.gif", "--seconds", "nan"], "nan seconds"),
        (["--to", "a.gif", "--frames-per-second", "0"], "0 frames per second"),
        (["--to", "a.gif", "--start", "9"], "no start 9 on booth"),
        (["--to", "a.gif", "--optimizer", "adan"], "no optimizer named 'adan'"),
    ],
)
def test_what_cannot_be_animated_is_refused(ran, tmp_path, chosen, message):
    done = optbench("animate", ran, "--problem", "booth", *chosen)
    assert done.exit_code == 2 and message in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_blank_lane_can_be_animated(tmp_path):
    runs = problem_runs(study({"adam": blank("non-finite")}), "bowl")
    animate(runs, tmp_path / "a.gif", seconds=1, frames_per_second=2)
