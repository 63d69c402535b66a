"""The data behind the figures, what their texts say, and that equal results give equal bytes."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib import cbook
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from optbench import metrics
from optbench.errors import OptbenchError
from optbench.figures import drawings, plot, save, style
from optbench.figures.bound_curves import panels
from optbench.figures.bounds import bound_figure, formula, scaled
from optbench.figures.contours import contour_levels
from optbench.figures.convergence import convergence, merit_limits
from optbench.figures.curves import curve_over_cost, fit, interpolate
from optbench.figures.families import contrast, family, representatives
from optbench.figures.lines import marked
from optbench.figures.runs import problem_runs, tune
from optbench.figures.sensitivity import (
    common_target,
    facts,
    sensitivity,
    sensitivity_to_rate,
    stability_edge,
)
from optbench.figures.trajectories import marked_steps, multiples, overlay, path_of
from optbench.rates import Rate
from optbench.records import Cell, ProblemRecord, Surface, pack_trajectory
from optbench.results import Results
from optbench.trajectory import Status, Trajectory

CURVATURE = np.array([1.0, 10.0])  # f(x) = x . (CURVATURE x) / 2, so L = 10
RATES = np.array([0.001, 0.01, 0.1, 1.0])
STEPS = np.unique(np.concatenate([np.arange(33), np.geomspace(33, 400, 20).round()])).astype(int)
TARGETS = 10.0 ** -np.arange(1, 11)
LONG = "clip_by_global_norm(gradient_descent)[max_norm=1.0]"
NAMES = ("gradient_descent", "adam", LONG, "costs_$5_and_$6", "newton_cg", "natural_gradient")


def value_at(x: np.ndarray) -> np.ndarray:
    return np.sum(CURVATURE * x**2, axis=-1) / 2


def logged(points: np.ndarray, steps: np.ndarray, price: float = 1.0, **changes) -> Trajectory:
    """The trajectory of lanes [S, H, T, 2], each ending where it is not finite or at the floor."""
    with np.errstate(all="ignore"):
        value, norm = value_at(points), np.linalg.norm(CURVATURE * points, axis=-1)
    over = ~np.isfinite(value) | (value > 1e8 * value[..., :1]) | (value <= 1e-15)
    last = np.where(over.any(-1), over.argmax(-1), len(steps) - 1)
    blank = np.arange(len(steps)) > last[..., None]
    cost = np.where(blank, np.nan, 1 + price * steps)
    value, norm = np.where(blank, np.nan, value), np.where(blank, np.nan, norm)
    hit_steps, hit_costs = metrics.first_hit(steps, cost, value, TARGETS)
    final = np.take_along_axis(value, last[..., None], -1)[..., 0]
    ends = [np.isfinite(hit_costs[..., -1]), ~np.isfinite(final), final > 1e8 * value[..., 0]]
    names = [str(s) for s in (Status.REACHED, Status.NON_FINITE, Status.DIVERGED)]
    seeds, settings = value.shape[:2]
    fields = {
        "steps": steps,
        "value": value,
        "gradient_norm": norm,
        "cost": cost,
        "calls": {},
        "targets": TARGETS,
        "hit_steps": hit_steps,
        "hit_costs": hit_costs,
        "hit_calls": {},
        "resolution": "log points",
        "merit": "suboptimality",
        "reference": 0.0,
        "initial_merit": value[..., 0],
        "status": np.select(ends, names, str(Status.BUDGET)),
        "last": last,
        "seeds": tuple(range(seeds)),
        "settings": {"learning_rate": RATES} if settings > 1 else {},
        "recorded": np.arange(seeds * settings),
        "params": points.reshape(-1, len(steps), 2),
        "diagnostics": {},
        "compile_seconds": 1.0,
        "run_seconds": 1.0,
    }
    return Trajectory(**{**fields, **changes})


def descent(rates=RATES, price: float = 1.0, seeds: int = 3, **changes) -> Trajectory:
    """Gradient descent on the bowl, in closed form."""
    starts = np.array([[2.0, 1.0], [2.2, 1.0], [2.4, 1.1]])[:seeds, None, None]
    with np.errstate(over="ignore"):
        powers = (1 - np.asarray(rates)[:, None, None] * CURVATURE) ** STEPS[:, None]
    return logged(starts * powers, STEPS, price, **changes)


def bowl(label: str = "bowl", **changes) -> ProblemRecord:
    x, y = np.linspace(-3, 3, 31), np.linspace(-2, 2, 31)
    values = value_at(np.stack(np.meshgrid(x, y), axis=-1))
    passport = {
        "dim": 2,
        "minimum": 0.0,
        "minimizer": np.zeros(2),
        "smoothness": 10.0,
        "noise_floor": 1e-16,
        "merit": "suboptimality",
        "region": ((-3.0, 3.0), (-2.0, 2.0)),
        "surface": Surface(x, y, values),
    }
    return ProblemRecord(**{"label": label, **passport, **changes})


def study(found: dict[str, Trajectory | None], problem: ProblemRecord | None = None) -> Results:
    """The results of one problem; None is a pair that does not apply."""
    problem = problem or bowl()
    packed = {name: pack_trajectory(t) for name, t in found.items() if t is not None}
    return Results(
        folder=None,
        study={},
        environment={},
        problems={problem.label: problem},
        optimizers=tuple(found),
        cells=tuple(
            Cell(
                key=name,
                problem=problem.label,
                optimizer=name,
                group=name,
                status="finished" if name in packed else "not applicable",
            )
            for name in found
        ),
        load=packed.get,
    )


@pytest.fixture(scope="module")
def results() -> Results:
    fixed = descent(rates=[0.18], price=4.0)
    one_start = descent(seeds=1)
    found = (descent(), descent(RATES / 3), descent(price=0.5), one_start, fixed, None)
    return study(dict(zip(NAMES, found, strict=True)))


@pytest.fixture(scope="module")
def runs(results):
    return problem_runs(results, "bowl")


# Curves


def test_a_lane_is_interpolated_on_the_logarithm_of_its_merit():
    cost, merit = np.array([1.0, 3.0, 5.0]), np.array([100.0, 1.0, -1.0])
    grid = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 9.0])
    assert interpolate(grid, cost, merit) == pytest.approx([100, 10, 1, 0, -1, -1])
    assert interpolate(grid, cost, merit, np.inf)[-2:].tolist() == [-1.0, np.inf]
    lost = interpolate(np.array([1.0, 1.5, 3.0]), np.array([1.0, 3.0]), np.array([7.0, np.nan]))
    assert lost.tolist() == [7.0, np.inf, np.inf]


def three_lanes(**changes) -> Trajectory:
    """Merits 8, 4, 2 and so on at costs 1, 2, 3; 1, 3, 5; and 1, 2, 3 with a lost end."""
    base = descent(rates=[0.1])
    value = np.array([[[8.0, 4.0, 2.0]], [[8.0, 2.0, 0.5]], [[8.0, 16.0, np.inf]]])
    fields = {
        "steps": np.arange(3),
        "value": value,
        "gradient_norm": value,
        "cost": np.array([[[1.0, 2.0, 3.0]], [[1.0, 3.0, 5.0]], [[1.0, 2.0, 3.0]]]),
        "initial_merit": value[..., 0],
        "last": np.full((3, 1), 2),
        "status": np.array([["budget exhausted"], ["budget exhausted"], ["non-finite"]]),
    }
    return dataclasses.replace(base, **{**fields, **changes})


def test_the_median_is_taken_after_interpolating_each_lane():
    curve = curve_over_cost(three_lanes(), 0)
    assert curve.cost.tolist() == [1, 2, 3, 5]
    assert curve.median == pytest.approx([8, 4, 2, 2])
    assert curve.low == pytest.approx([8, 4, 2, 0.5])  # at cost 2 the second lane is at 4, not 2
    assert curve.high == pytest.approx([8, 16, np.inf, np.inf])


def test_a_curve_ends_where_most_lanes_have_met_the_hardest_target():
    met = curve_over_cost(three_lanes(targets=np.array([0.3])), 0)  # at 2.4: costs 3, 3 and never
    assert met.cost.tolist() == [1, 2, 3]
    one = curve_over_cost(three_lanes(targets=np.array([0.2])), 0)  # one lane of three, at cost 5
    assert one.cost.tolist() == [1, 2, 3, 5]


def test_a_lost_majority_makes_the_median_infinite():
    status = np.array([["diverged"], ["budget exhausted"], ["non-finite"]])
    assert curve_over_cost(three_lanes(status=status), 0).median[-1] == np.inf


# The best setting and what is said of it


def test_the_best_setting_is_the_cheapest_to_the_hardest_target_that_most_starts_reach():
    tuned = tune(descent())
    assert tuned.trajectory.settings["learning_rate"][tuned.setting] == 0.1
    assert TARGETS[tuned.target] == 1e-10
    assert tuned.cost == np.median(tuned.trajectory.hit_costs[:, tuned.setting, tuned.target])
    assert tuned.setting_text == "learning rate 0.1"
    worse = tune(descent(RATES[[0, 1, 3, 3]]))  # without 0.1: 0.99^800 = 3.2e-4 of x_1^2 is left,
    assert (worse.setting, TARGETS[worse.target]) == (1, 1e-3)  # 0.9e-4 to 1.1e-4 of all


def test_the_outcome_of_a_lane_is_its_hardest_target_or_its_status():
    tuned = tune(descent())
    step = int(tuned.trajectory.hit_steps[0, tuned.setting, -1])
    assert tuned.outcome(0) == f"$10^{{-10}}$ in {step} steps"
    diverged = tune(descent(rates=[1.0, 1.0, 1.0, 1.0]))
    assert (diverged.outcome(0), diverged.failures_text) == ("diverged", "3 of 3 starts diverged")
    assert diverged.cost == np.inf
    escape = {"targets": np.array([-1.0]), "merit": "escape"}
    hits = {"hit_steps": np.ones((3, 4, 1)), "hit_costs": np.ones((3, 4, 1))}
    assert tune(descent(**escape, **hits)).outcome(2) == "escapes in 1 step"


def test_the_median_start_is_the_one_of_median_cost():
    tuned = tune(descent())
    costs = tuned.trajectory.hit_costs.copy()
    costs[:, tuned.setting, tuned.target] = [30.0, 10.0, 20.0]
    swapped = dataclasses.replace(tuned, trajectory=descent(hit_costs=costs))
    assert swapped.median_start == 2


def test_the_order_is_by_cost_and_settings_are_of_one_target(runs):
    costs = [runs.tuned[optimizer].cost for optimizer in runs.ranked]
    assert costs == sorted(costs) and costs[0] < costs[-1]
    assert len({tuned.target for tuned in runs.tuned.values()}) == 1
    assert runs.missing == "Not applicable: natural_gradient."


# Rates


def test_the_rate_of_a_bowl_is_found_and_its_line_runs_along_the_errors():
    tuned = tune(descent(rates=[0.04] * 4))
    fitted = fit(tuned, bowl(noise_floor=1e-16))
    assert isinstance(fitted.rate, Rate) and fitted.rate.kind == "linear"
    assert fitted.rate.estimate == pytest.approx(0.96**2, rel=1e-3)
    assert fitted.text == "×0.922 per step"
    at = np.searchsorted(1 + STEPS, fitted.cost)
    errors = tuned.trajectory.value[tuned.median_start, tuned.setting, at]
    assert np.abs(np.log(fitted.merit / errors)).max() <= np.log(2)
    assert fitted.merit[-1] == pytest.approx(errors[-1], rel=0.02)


def test_an_abstention_and_a_saddle_have_no_line():
    wild = descent(value=np.random.default_rng(0).uniform(1, 2, (3, 4, len(STEPS))))
    fitted = fit(tune(wild), bowl(noise_floor=np.nan))
    assert fitted.text == "no fit" and not len(fitted.cost)
    saddle = dataclasses.replace(tune(descent()), trajectory=descent(merit="escape"))
    escape = fit(saddle, bowl(noise_floor=0.0))
    assert escape.text == "no fit"


# Sensitivity


def test_each_learning_rate_has_its_expected_running_time():
    line = sensitivity_to_rate(descent(), 9)
    assert line.learning_rates.tolist() == RATES.tolist()
    assert np.isfinite(line.costs).tolist() == [False, False, True, False]
    assert line.best == pytest.approx(np.mean(descent().hit_costs[:, 2, 9]))  # ERT, all succeed
    assert line.basin == pytest.approx(1.0)  # half a decade on both sides of 0.1
    assert facts(line) == f"{line.best:.3g} at best · basin 1 decades"
    assert "not reached" == facts(sensitivity_to_rate(descent(rates=[1.0] * 4), 9))


def test_without_a_swept_rate_there_is_one_cost():
    line = sensitivity_to_rate(descent(rates=[0.18]), 0)
    assert not len(line.learning_rates) and line.basin is None and line.best > 0


def test_the_common_target_is_the_hardest_that_more_than_half_reach(runs):
    def with_hardest(*indices: int | None):
        found = {}
        for i, index in enumerate(indices):
            hits = np.full((3, 4, 10), np.nan)
            hits[..., : 0 if index is None else index + 1] = 5.0
            found[f"o{i}"] = tune(descent(hit_costs=hits))
        return dataclasses.replace(runs, tuned=found)

    assert common_target(with_hardest(9, 9, 2)) == 9
    assert common_target(with_hardest(9, 9, 2, 1)) == 2
    assert common_target(with_hardest(7, None, None)) == 7
    assert common_target(with_hardest(None, None)) == 0


def test_the_stability_edge_is_shown_near_the_swept_rates_only(runs):
    assert stability_edge(runs) == 0.2
    for smoothness in (None, 1e-6, 1e9):
        problem = bowl(smoothness=smoothness)
        assert stability_edge(dataclasses.replace(runs, problem=problem)) is None


# Contours and paths


def test_levels_are_log_spaced_up_to_the_highest_point():
    levels = contour_levels(np.geomspace(1e-2, 1e3, 100), signed=False)
    assert len(levels) <= 19 and levels[-1] == pytest.approx(1e3)
    assert np.ptp(np.diff(np.log10(levels))) < 1e-12
    assert levels[0] <= 1e-2
    signed = contour_levels(np.linspace(-4, 5, 50), signed=True)
    assert (signed == -signed[::-1]).all() and 0 in signed and signed[-1] >= 5
    for flat in (np.zeros((3, 3)), np.full((3, 3), np.nan)):
        assert (np.diff(contour_levels(flat, signed=False)) > 0).all()


def test_a_path_is_that_of_the_first_start_at_the_best_setting_and_ends_with_its_lane():
    tuned = tune(descent())
    path = path_of(tuned)
    assert path is not None and path[0].tolist() == [2.0, 1.0]
    assert len(path) == tuned.trajectory.last[0, tuned.setting] + 1
    assert path[1] == pytest.approx(np.array([2.0, 1.0]) * (1 - 0.1 * CURVATURE))
    assert path_of(tune(descent(recorded=np.arange(2), params=np.zeros((2, 5, 2))))) is None
    tree = {"b": descent().params[..., :1], "w": descent().params[..., 1:]}
    assert np.array_equal(path_of(tune(descent(params=tree))), path)


def test_marks_double():
    assert marked_steps(np.arange(70)) == [1, 2, 4, 8, 16, 32, 64]
    assert STEPS[marked_steps(STEPS)][-2:].tolist() == [123, 270]
    assert marked_steps(np.array([], int)) == [] and marked_steps(np.array([0])) == []
    assert marked(np.array([1.0, 10.0, 100.0]), 0.0) == [0, 1, 2]


# Styles, families, labels


def test_styles_differ_and_neighbors_differ_in_color():
    styles = list(style.assign_styles([f"o{i}" for i in range(252)]).values())
    assert len(set(styles)) == 252
    for i in range(252 - style.PER_PANEL):
        assert len({s.color for s in styles[i : i + style.PER_PANEL]}) == style.PER_PANEL


def test_a_panel_holds_no_color_twice_whatever_is_missing(runs):
    names = [f"o{i}" for i in range(17)]
    tuned = {n: runs.tuned["adam"] for n in names[3:]}
    many = dataclasses.replace(runs, tuned=tuned, styles=style.assign_styles(names))
    assert sorted(itertools.chain(*many.panels)) == sorted(tuned)
    for panel in many.panels:
        assert len({many.styles[n].color for n in panel}) == len(panel)


def test_each_family_is_represented_by_the_one_people_know():
    labels = ["rmsprop", "my own", "adam[b1=0.5]", "clip_by_value(adam)", "newton_cg"]
    assert [family(label) for label in labels] == [
        "adaptive",
        "my own",
        "adaptive",
        "clipped",
        "second order",
    ]
    assert representatives(labels) == ["my own", "adam[b1=0.5]", *labels[3:]]
    assert contrast(labels) == []
    assert contrast([*labels, "natural_gradient", "gradient_descent"]) == [
        "gradient_descent",
        "natural_gradient",
        "adam[b1=0.5]",
        "newton_cg",
    ]


def test_long_labels_break_at_brackets_and_dollars_stay_dollars():
    assert style.wrapped(LONG, 24).split("\n") == [
        "clip_by_global_norm(",
        "gradient_descent)[",
        "max_norm=1.0]",
    ]
    assert style.wrapped("a" * 50, 10) == "a" * 50
    assert not cbook.is_math_text(style.wrapped("costs_$5_and_$6", 40))
    assert cbook.is_math_text("costs_$5_and_$6")  # what would happen without it
    assert [style.power_of_ten(v) for v in (1e-10, -0.1, 0.25)] == [
        "$10^{-10}$",
        "$-10^{-1}$",
        "0.25",
    ]


# Figures


def texts(figure: Figure) -> str:
    found = [t.get_text() for t in figure.findobj(Text)]
    return "\n".join(found).replace(r"\$", "$").replace("\n", "")


def boxes(figure: Figure) -> dict[str, object]:
    """Where titles, axis labels, legends and the caption end up."""
    style.settle(figure)
    canvas = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    parts = list(figure.texts) + list(figure.legends)
    for axes in figure.axes:
        parts += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title, axes.legend_]
    found = {}
    for i, part in enumerate(p for p in parts if p is not None and p.get_visible()):
        if not isinstance(part, Text) or part.get_text():
            found[f"{i} {part}"] = part.get_window_extent(canvas.get_renderer())
    return found


def collisions(figure: Figure) -> list[str]:
    found = boxes(figure)
    page = figure.bbox.padded(1)
    outside = [n for n, b in found.items() if not page.contains(b.x0, b.y0)]
    outside += [n for n, b in found.items() if not page.contains(b.x1, b.y1)]
    pairs = itertools.combinations(found.items(), 2)
    return outside + [f"{m} on {n}" for (m, a), (n, b) in pairs if a.padded(-2).overlaps(b)]


@pytest.mark.parametrize("draw", [convergence, sensitivity, overlay, multiples])
def test_texts_say_everything_and_do_not_collide(runs, draw):
    figure = draw(runs)
    said = texts(figure)
    assert [name for name in runs.tuned if name not in said] == []
    assert "How to read:" in said and "Not applicable: natural_gradient." in said
    assert "bowl" in said and "learning rate" in said
    if draw in (convergence, sensitivity):
        assert "(gradient-equivalents)" in said
    assert collisions(figure) == []


def test_a_collision_is_seen(runs):
    figure = convergence(runs)
    figure.text(0.05, 0.01, "over the caption")
    assert collisions(figure) != []
    outside = Figure()
    outside.text(0.99, 0.5, "beyond the page")
    assert collisions(outside) != []


def test_a_floor_above_the_last_target_ends_the_axis(runs):
    curves = {n: curve_over_cost(t.trajectory, t.setting) for n, t in runs.tuned.items()}
    low, high = merit_limits(runs.tuned, curves, 1e-6)
    assert low == pytest.approx(1e-7) and high > value_at(np.array([2.4, 1.1]))
    noisy = dataclasses.replace(runs, problem=bowl(noise_floor=1e-6))
    assert "noise floor" in texts(convergence(noisy))
    assert "noise floor" not in texts(convergence(dataclasses.replace(runs, problem=bowl())))


def blank(status: str) -> Trajectory:
    """Lanes of which nothing is known beyond the start."""
    points = np.full((3, 4, len(STEPS), 2), np.nan)
    points[..., 0, :] = 1.0
    return logged(points, STEPS, status=np.full((3, 4), status))


@pytest.mark.parametrize(
    ("trajectory", "problem"),
    [
        (descent(rates=[1.0, 1.0, 1.0, 1.0]), bowl()),
        (blank("non-finite"), bowl()),
        (blank("interrupted"), bowl(surface=Surface(*np.full((2, 3), [0, 1, 2]), np.ones((3, 3))))),
        (descent(merit="gradient norm", reference=None), bowl(merit="gradient norm", minimum=None)),
        (
            descent(merit="escape", targets=np.array([-1.0]), hit_costs=np.ones((3, 4, 1)),
                    hit_steps=np.ones((3, 4, 1))),
            bowl(merit="escape", minimum=None, minimizer=None, saddle=1.0),
        ),
        (descent(recorded=np.array([], int), params=np.zeros((0, 5, 2))), bowl()),
        (descent(), bowl(noise_floor=np.nan, smoothness=None, label="a/b[c='$d']")),
    ],
    ids=["diverged", "non-finite", "interrupted", "gradient", "saddle", "no path", "odd label"],
)  # fmt: skip
def test_whatever_happened_can_be_drawn(trajectory, problem):
    for _, draw in drawings(problem_runs(study({"adam": trajectory}, problem), problem.label)):
        draw(
            problem_runs(study({"adam": trajectory}, problem), problem.label)
        ).draw_without_rendering()


def test_a_problem_without_a_finished_cell_has_no_figure(tmp_path):
    assert plot(study({"adam": None}), tmp_path) == ()
    assert plot(study({"adam": None}, ProblemRecord(label="bad", failure="why")), tmp_path) == ()


def test_equal_results_give_equal_bytes_whatever_a_user_has_set(results, tmp_path):
    first = plot(results, tmp_path / "first")
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": "other", "axes.grid": False}):
        second = plot(results, tmp_path / "second")
    kinds = ["convergence", "sensitivity", "trajectories", "each-trajectory"]
    names = [*(f"{kind}-bowl.svg" for kind in kinds), "tunability.svg"]
    assert [path.name for path in first] == names
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]
    assert not any(b"<dc:date>" in path.read_bytes() for path in first)
    assert max(path.stat().st_size for path in first) < 2e6


def test_a_path_that_would_cover_the_rest_is_left_out_and_named():
    rng = np.random.default_rng(0)
    wild = logged(rng.uniform(-2, 2, (3, 4, len(STEPS), 2)), STEPS, 1.0)
    runs = problem_runs(study({"adam": wild, "momentum": descent()}), "bowl")
    figure = overlay(runs)
    told = " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))
    assert "cover the rest: adam." in told.replace("\n", " ")
    alone = overlay(problem_runs(study({"adam": wild}), "bowl"))
    assert "cover the rest" not in " ".join(t.get_text() for t in alone.texts)


def test_png_is_the_other_format(runs, tmp_path):
    save(overlay(runs), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OptbenchError, match="no figures in format 'jpeg'"):
        plot(study({"adam": descent()}), tmp_path, format="jpeg")
    with pytest.raises(OptbenchError):
        plot(study({"adam": descent()}), tmp_path / "a.png")
    with pytest.raises(OptbenchError, match="no problem named 'bwl'"):
        problem_runs(study({"adam": descent()}), "bwl")


def test_problems_with_similar_labels_have_files_of_their_own(tmp_path):
    one = study({"adam": descent()}, bowl("a[b=1]", surface=None))
    problems = {label: bowl(label, surface=None) for label in ("a[b=1]", "a(b=1)")}
    cells = tuple(dataclasses.replace(c, problem=p) for c in one.cells for p in problems)
    both = dataclasses.replace(one, problems=problems, cells=cells)
    names = [path.stem for path in plot(both, tmp_path)]
    assert names == ["convergence-a_b_1", "sensitivity-a_b_1"] + [
        "convergence-a_b_1-2",
        "sensitivity-a_b_1-2",
        "tunability",
    ]


def test_drawing_imports_neither_jax_nor_pyplot(fresh_python):
    code = (
        "import sys, optbench.figures, optbench.figures.bounds\n"
        "print('jax' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    assert fresh_python(code) == ["False False"]


# Bounds


def compared(kind: str, factor: float, h: float = 1.0, crossing: int | None = None):
    k = np.arange(1, 51)
    bound = factor * 1.0 / k
    ratios = np.minimum(1.0, k / 20) * (2.0 if crossing else 1.0)
    return SimpleNamespace(
        instance=f"{kind}[factor={factor:g}]",
        kind=kind,
        seed=0,
        optimizer="gradient_descent[learning_rate=0.1]",
        setting={"h": h},
        k=k,
        observed=ratios * bound,
        bound=bound,
        tolerance=1e-10,
        perturbed=None,
        precise=False,
        ratios=ratios,
        ratio_k=20,
        crossing=SimpleNamespace(k=crossing) if crossing else None,
    )


def test_runs_are_drawn_next_to_one_bound_at_their_own_ratio():
    reference = np.array([1.0, 0.5, 0.25])
    drawn = scaled(np.array([0.5, 1.0, np.nan]), reference)
    assert drawn[:2].tolist() == [0.5, 0.5] and np.isnan(drawn[2])


def test_a_bound_figure_states_the_theorem_and_marks_a_crossing():
    kinds = ("worst", "random", "data")
    fine = [compared(kind, 10.0**i, h) for i, kind in enumerate(kinds) for h in (1.0, 1.5)]
    figure = bound_figure("gd_tight", r"f(x_k) \le \tfrac{L}{k}", fine, quantity=r"f(x_k)")
    said = texts(figure)
    assert r"f(x_k) \leq \frac{L}{k}" in said and "gd_tight" in said
    assert "h = 1 · observed / bound up to 1" in said and "h = 1.5" in said
    assert "crossed" not in said and collisions(figure) == []
    crossed = bound_figure("gd_tight", "", [*fine, compared("given", 1.0, crossing=20)])
    assert "crossed" in texts(crossed) and "up to 2" in texts(crossed)
    crossed_in_float64 = compared("random", 1.0, crossing=20)
    fine[0].precise = True
    assert "in high precision" in texts(bound_figure("cg", "", [fine[0], crossed_in_float64]))


def test_runs_of_one_step_at_the_same_place_are_curves_of_their_own():
    runs = [one_step(factor, h) for h in (1.0, 1000.0) for factor in (1.0, 2.0)]
    (panel,) = panels(runs)
    assert panel.axis == "h" and panel.logarithmic
    assert [curve.x.tolist() for curve in panel.curves] == [[1.0, 1000.0]] * 2


def one_step(factor: float, h: float) -> SimpleNamespace:
    """A run of one step at a parameter."""
    run = compared("random", factor, h)
    run.k, run.ratio_k = run.k[:1], None
    run.observed, run.bound, run.ratios = run.observed[:1], run.bound[:1], run.ratios[:1]
    return run


def test_a_formula_that_cannot_be_set_is_shown_as_it_is():
    assert formula(r"\sqrt L \ge \sqrt\mu") == r"$\sqrt{L} \geq \sqrt{\mu}$"
    assert formula(r"\unknowncommand{x}") == r"\unknowncommand{x}"
    assert formula("") == ""
