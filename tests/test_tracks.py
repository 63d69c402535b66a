"""Tuning: what is searched, on which seeds, and what an optimizer is judged at."""

from __future__ import annotations

import collections
import csv
import dataclasses
import inspect
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from optbench import tracks
from optbench.catalog import parameters
from optbench.claims import Claim
from optbench.claims.findings import evaluate_claims
from optbench.claims.grammar import parse_sentence
from optbench.comparison import Comparison, Row, compare_rows
from optbench.errors import OptbenchError
from optbench.figures.runs import problem_runs
from optbench.method import find_method
from optbench.optimizers.names import known_optimizers
from optbench.optimizers.published_defaults import SOURCES, source_of_defaults
from optbench.records import pack_trajectory
from optbench.report.export import write_tables
from optbench.report.rates import Catalogs, pair_rates
from optbench.results import Results
from optbench.space import AXES, LEARNING_RATE, MOST_AXES, Axis, sobol_trials, space_of
from optbench.study import CellFinished, Event, Study, plan_study, run_study
from optbench.trajectory import TUNING_SEEDS_FROM, Trajectory
from optbench.trials import edges, extended, propose, space_from_json, space_to_json

OWN = [name for name in known_optimizers() if "." not in name]
NEEDS_ARGUMENT = {n for n in OWN if any(p.required for p in parameters(known_optimizers()[n]))}


def method(label: str):
    return find_method(label, known_optimizers())


# What is searched


@pytest.mark.parametrize("scale", ["log", "log of 1 - x"])
def test_shares_of_an_axis_are_uniform_in_its_logarithm(scale):
    axis = Axis(0.5, 0.99, scale)
    values = axis.at(np.linspace(0, 1, 5))
    found = logs(axis, values)
    np.testing.assert_allclose(np.diff(found), (found[-1] - found[0]) / 4, rtol=1e-12)
    np.testing.assert_allclose(values[[0, -1]], [0.5, 0.99], rtol=1e-14)


@pytest.mark.parametrize(
    "ends", [(1.0, 0.1, "log"), (0.0, 1.0, "log"), (0.5, 1.0, "log of 1 - x"), (1, np.inf, "log")]
)
def test_what_is_no_axis_is_refused(ends):
    with pytest.raises(OptbenchError, match="axis"):
        Axis(*ends)


def test_trials_are_scipys_sobol_points_with_the_learning_rate_first():
    engine = scipy.stats.qmc.Sobol(8, rng=np.random.default_rng(20_250_101))
    points = engine.random(16)
    space = space_of(method("adam"))
    assert list(space) == ["learning_rate", "b1", "b2"]
    for i, (name, values) in enumerate(sobol_trials(space, 16).items()):
        np.testing.assert_array_equal(values, space[name].at(points[:, i]))
    alone = sobol_trials(space_of(method("gradient_descent")), 16)
    np.testing.assert_array_equal(alone["learning_rate"], LEARNING_RATE.at(points[:, 0]))
    with pytest.raises(OptbenchError, match="search over"):
        sobol_trials({f"x{i}": LEARNING_RATE for i in range(9)}, 4)


def test_one_trial_falls_into_each_of_k_equal_parts_of_every_axis():
    space = dict(list(AXES.items())[:MOST_AXES])
    for name, values in sobol_trials(space, 8).items():
        ends = np.array([space[name].low, space[name].high])
        low, high = logs(space[name], ends)
        shares = (logs(space[name], values) - low) / (high - low)
        assert sorted((shares * 8).astype(int)) == list(range(8)), name


def logs(axis: Axis, values: np.ndarray) -> np.ndarray:
    return np.log(values if axis.scale == "log" else 1 - values)


@pytest.mark.parametrize(
    ("label", "axes"),
    [
        ("momentum", ["learning_rate", "momentum"]),
        ("momentum[learning_rate=0.1]", []),
        ("adam[learning_rate=0.1,b1=0.5,b2=0.9]", []),
        ("clip_by_global_norm(momentum[momentum=0.9])", ["learning_rate", "max_norm"]),
        ("cosine_decay(adam[learning_rate=0.1])", []),
        ("cosine_decay(adam[b1=0.0])", ["learning_rate", "b2"]),
        ("nesterov_convex", []),
        ("gradient_descent[learning_rate=1/L]", []),
        ("prodigy", []),
        ("clip_by_value(prodigy)", ["max_delta"]),
        ("newton", []),
        ("lbfgs", []),
        ("optax.sgd", ["learning_rate"]),
        ("scipy.BFGS", []),
    ],
)
def test_what_a_label_gives_is_not_searched(label: str, axes: list[str]):
    assert list(space_of(method(label))) == axes


@pytest.mark.parametrize("name", sorted(set(OWN) - NEEDS_ARGUMENT))
def test_every_optimizer_has_as_many_trials_as_any_other(name: str):
    found = propose(method(name), 8, None, None)
    assert found.num in (0, 8) and found.shape == ((8, 9) if found.num else (0, 1))
    assert all(len(values) == 9 for values in found.settings.values())
    assert space_from_json(space_to_json(found.space)) == dict(found.space)


def test_published_defaults_are_those_of_the_signature_and_have_a_source():
    rates = {"adam": 1e-3, "nadam": 2e-3, "adamax": 2e-3, "rmsprop": 1e-3, "adadelta": 1.0}
    for name in SOURCES:  # the papers' and torch's numbers, from their pages
        default = inspect.signature(known_optimizers()[name]).parameters["learning_rate"].default
        assert default == rates.get(name, default) and source_of_defaults(method(name))
    assert source_of_defaults(method("gradient_descent")) is None
    assert source_of_defaults(method("optax.adam")) is None  # no default learning rate
    assert source_of_defaults(method("optax.rprop")) is None
    assert source_of_defaults(method("clip_by_value(adam)")) is None
    assert source_of_defaults(method("adam[b1=0.5]")) is None  # no paper has that
    trials = propose(method("adam"), 4, None, "a paper")
    assert {name: values[-1] for name, values in trials.settings.items()} == {
        "learning_rate": 1e-3,
        "b1": 0.9,
        "b2": 0.999,
    }


def test_a_search_goes_on_beyond_the_edge_of_what_may_lie_there():
    trials = propose(method("momentum"), 8, None, None)
    tried = {name: values[:8] for name, values in trials.settings.items()}
    lowest, highest = np.argmin(tried["learning_rate"]), np.argmax(tried["learning_rate"])
    assert edges(trials.space, tried, int(lowest)) == {"learning_rate": "low"}
    assert edges(trials.space, tried, int(highest)) == {"learning_rate": "high"}
    inner = [i for i in range(8) if i not in (lowest, highest)]
    assert not any(edges(trials.space, tried, i) for i in inner)  # no edge of momentum counts
    more = extended(trials, {"learning_rate": "high"})
    assert more.settings["learning_rate"].min() >= LEARNING_RATE.high
    assert more.settings["learning_rate"].max() <= LEARNING_RATE.high**2 / LEARNING_RATE.low
    np.testing.assert_array_equal(more.settings["momentum"], trials.settings["momentum"])


# On which seeds, and what it is judged at


@pytest.fixture(scope="module")
def results() -> Results:
    study = Study(
        name="tracks",
        problems=("quadratic[dim=3]", "beale"),
        optimizers=("gradient_descent", "adam", "newton_cg", "momentum"),
        seeds=3,
        tuning_seeds=2,
        trials=8,
        budget=60.0,
        target=1e-2,
    )
    return run_study(study)


@pytest.fixture(scope="module")
def comparison(results: Results) -> Comparison:
    return compare_rows(results)


def log_of(results: Results, problem: str, optimizer: str) -> Trajectory:
    log = results.trajectory(problem, optimizer)
    assert log is not None
    return log


def test_every_optimizer_sees_the_same_starts_and_tuning_has_seeds_of_its_own(results: Results):
    for problem in results.problems:
        logs = [log_of(results, problem, o) for o in results.optimizers]
        assert logs[0].seeds == (0, 1, 2, TUNING_SEEDS_FROM, TUNING_SEEDS_FROM + 1)
        for log in logs:
            np.testing.assert_array_equal(log.initial_merit[:3, 0], logs[0].initial_merit[:3, 0])
    assert log_of(results, "beale", "newton_cg").seeds == (0, 1, 2)
    starts = log_of(results, "quadratic[dim=3]", "adam").initial_merit[:, 0]
    assert len(set(starts)) == 5  # no start is both tuned on and judged by


def test_the_rows_of_an_optimizer_are_its_tracks(comparison: Comparison):
    named = {o: [r.track for r in comparison.rows if r.optimizer == o] for o in
             ("gradient_descent", "adam", "newton_cg")}  # fmt: skip
    assert [t for t in named["gradient_descent"] if "edge" not in t] == ["T_8", "O"]
    assert [t for t in named["adam"] if "edge" not in t] == ["T_8", "O", "D"]
    assert named["newton_cg"] == ["S"]
    assert {row.track for row in comparison.headlines} == {"T_8", "S"}


def by_hand(log: Trajectory, seeds: slice, target: int) -> int:
    """The trial of least median cost, then of most successes and so on: only for clear winners."""
    costs = np.where(np.isnan(log.hit_costs), np.inf, log.hit_costs)[seeds, :8, target]
    return int(np.argmin(np.median(costs, axis=0)))


def test_trials_are_chosen_on_the_seeds_of_tuning_alone(results: Results, comparison: Comparison):
    outcome = comparison.outcomes["quadratic[dim=3]", Row("gradient_descent", "T_8")]
    log = log_of(results, "quadratic[dim=3]", "gradient_descent")
    k = list(log.targets).index(1e-2)
    assert outcome.index == by_hand(log, slice(3, 5), k)
    np.testing.assert_array_equal(outcome.hit_costs, log.hit_costs[:3, outcome.index])
    assert tracks.tuned_index(log, 8, 1e-1) == (best := by_hand(log, slice(3, 5), 0))
    seen_in_tuning, judged = log.hit_costs.copy(), log.hit_costs.copy()
    seen_in_tuning[3:, best] = judged[:3, best] = np.nan
    spoiled = dataclasses.replace(log, hit_costs=judged)
    assert tracks.tuned_index(spoiled, 8, 1e-1) == best
    assert tracks.best_index(tracks.evaluation(spoiled), 8, 0) != best  # in hindsight it is not
    assert tracks.tuned_index(dataclasses.replace(log, hit_costs=seen_in_tuning), 8, 1e-1) != best


def test_a_claim_is_put_to_settings_that_are_tuned_for_its_own_target(results: Results):
    """Of two settings one is three times as fast to 0.1, and the other one alone gets to 0.01."""
    log = log_of(results, "quadratic[dim=3]", "momentum")
    first, second = (by_hand(log, slice(3, 5), list(log.targets).index(t)) for t in (1e-1, 1e-2))
    assert log.hit_steps[:3, first, 0].max() < 10 < log.hit_steps[:3, second, 0].min()
    claim = parse_sentence("momentum reaches 0.1 on quadratics within 10 steps")
    (finding,) = evaluate_claims([Claim(sentence=claim, source="nobody")], results)
    assert finding.judgment.evidence == "3 of 3 starts do on 1 of 1 problem"


def test_what_an_optimizer_is_judged_by_decides_neither_its_target_nor_its_setting(
    results: Results,
):
    """Whatever happens on the seeds of evaluation, tables and figures show the same settings."""
    results = dataclasses.replace(results, optimizers=("gradient_descent", "adam"))
    cells = {cell.key: cell for cell in results.cells}

    def load(key: str) -> bytes:
        log = log_of(results, cells[key].problem, cells[key].optimizer)
        judged = np.asarray(log.seeds)[:, None, None] < TUNING_SEEDS_FROM
        hits = np.where(judged, np.nan, log.hit_costs)
        return pack_trajectory(dataclasses.replace(log, hit_costs=hits))

    def shown(found: Results) -> list[object]:
        pairs = found.summary().pairs
        drawn = [problem_runs(found, p.problem).tuned[p.optimizer] for p in pairs]
        rates = pair_rates(found, Catalogs({}, {}), every_setting=False)
        return [
            [(p.target, p.setting) for p in pairs],
            [(t.target, t.setting) for t in drawn],
            [rate.setting for rate in rates],
        ]

    assert shown(dataclasses.replace(results, load=load)) == shown(results)


def test_a_seed_that_repeats_the_run_of_another_one_is_counted(results: Results):
    log = log_of(results, "beale", "adam")

    def repeated(source: int, copies: list[int]) -> int:
        value = log.value.copy()
        value[copies] = value[source]
        packed = pack_trajectory(dataclasses.replace(log, value=value))
        (cell,) = [c for c in results.cells if (c.problem, c.optimizer) == ("beale", "adam")]
        made = compare_rows(dataclasses.replace(results, cells=(cell,), load=lambda key: packed))
        return made.outcomes["beale", Row("adam", "T_8")].repeated

    assert repeated(0, []) == 0
    assert repeated(0, [1]) == 2
    assert repeated(0, [1, 2, 3, 4]) == 3  # of evaluation; 3 and 4 are seeds of tuning
    assert repeated(4, [2]) == 1  # tuned on the run that it is judged by


def test_hindsight_is_never_worse_than_tuning_nor_is_a_longer_search(comparison: Comparison):
    for problem, row in comparison.outcomes:
        if row.track == "T_8":
            tuned = comparison.outcomes[problem, row].median
            assert comparison.outcomes[problem, row._replace(track="O")].median <= tuned
            further = comparison.outcomes.get((problem, row._replace(track="T_8+edge")))
            if further is not None:
                inside = comparison.outcomes[problem, row].trial_costs.min()
                assert further.trial_costs.min() <= inside


def test_a_search_is_extended_where_its_best_trial_lies_on_an_edge_and_nowhere_else(
    results: Results,
):
    for cell in results.cells:
        log = log_of(results, cell.problem, cell.optimizer)
        tried = {name: values[:8] for name, values in log.settings.items()}
        best = tracks.tuned_index(log, cell.trials, 1e-2)
        on_edge = bool(edges(space_from_json(cell.space), tried, best))
        assert (cell.key in results.extensions) == on_edge
        if on_edge:
            further = results.trajectory_of(results.extensions[cell.key])
            assert further is not None and further.value.shape[:2] == log.value.shape[:2]
    assert results.extensions  # the law would hold of none


def test_defaults_run_at_their_published_values(results: Results, comparison: Comparison):
    outcome = comparison.outcomes["beale", Row("adam", "D")]
    assert outcome.setting == {"learning_rate": 1e-3, "b1": 0.9, "b2": 0.999}
    given = "adam[learning_rate=0.001,b1=0.9,b2=0.999]"
    alone = run_study(
        Study(name="default", problems=("beale",), optimizers=(given,), seeds=3, budget=60.0)
    )
    (label,) = alone.optimizers
    log = log_of(alone, "beale", label)
    whole = log_of(results, "beale", "adam")
    np.testing.assert_allclose(whole.value[:3, 8], log.value[:, 0], rtol=1e-12)


def test_costs_are_paired_and_a_failure_is_infinite(comparison: Comparison):
    rows = comparison.headlines
    costs = comparison.costs(rows, list(comparison.problems))
    assert costs.shape == (2, 4, 3) and not np.isnan(costs).any()
    hardest = comparison.costs(rows, list(comparison.problems), target=9)
    assert np.isinf(hardest).any() and (hardest >= costs).all()
    steps = comparison.costs(rows, list(comparison.problems), "steps")
    assert (np.isfinite(steps) == np.isfinite(costs)).all()
    first_order = [rows.index(comparison.row(o)) for o in ("gradient_descent", "adam")]
    finite = np.isfinite(costs[:, first_order])
    np.testing.assert_array_equal(costs[:, first_order][finite], steps[:, first_order][finite] + 1)
    with pytest.raises(OptbenchError, match="unit"):
        comparison.costs(rows, ["beale"], "hours")
    with pytest.raises(OptbenchError, match="no optimizer named 'adan'"):
        comparison.row("adan")
    with pytest.raises(OptbenchError, match="has no track 'T_4'"):
        comparison.row("adam", "T_4")


# What is exported of them


@pytest.fixture(scope="module")
def exported(results: Results, tmp_path_factory) -> dict[str, list[dict[str, str]]]:
    paths = write_tables(results, tmp_path_factory.mktemp("exported"), "csv")
    return {path.stem: list(csv.DictReader(path.read_text().splitlines())) for path in paths}


def test_the_export_tells_tuning_from_evaluation_and_every_hyperparameter(
    results: Results, exported: dict[str, list[dict[str, str]]]
):
    for row in exported["runs"]:
        assert row["purpose"] == (
            "tuning" if int(row["seed"]) >= TUNING_SEEDS_FROM else "evaluation"
        )
    log = log_of(results, "beale", "adam")
    told = {
        (int(row["setting"]), row["name"]): (row["kind"], float(row["value"]))
        for row in exported["settings"]
        if (row["problem"], row["optimizer"], row["search"]) == ("beale", "adam", "space")
    }
    kinds = ["trial"] * 8 + ["default"]
    assert told == {
        (index, name): (kinds[index], value)
        for name, values in log.settings.items()
        for index, value in enumerate(values)
    }


def test_the_export_has_what_extends_a_search_and_no_setting_twice(
    results: Results, exported: dict[str, list[dict[str, str]]]
):
    edges = [row for row in exported["cells"] if row["search"] == "edge"]
    assert len(edges) == len(results.extensions) > 0
    runs = collections.Counter(
        (row["problem"], row["optimizer"], row["search"]) for row in exported["runs"]
    )
    for key, cell in results.extensions.items():
        assert key != cell.key and runs[cell.problem, cell.optimizer, "edge"] == 5 * 8
    assert runs["beale", "gradient_descent", "space"] == 5 * 8  # it has no published defaults
    assert runs["beale", "adam", "space"] == 5 * 9
    assert runs["beale", "newton_cg", "space"] == 3


def test_the_export_names_the_setting_of_every_track(
    comparison: Comparison, exported: dict[str, list[dict[str, str]]]
):
    chosen: dict[tuple[str, Row], dict[str, float]] = {}
    for row in exported["settings"]:
        for track in row["tracks"].split():
            key = row["problem"], Row(row["optimizer"], track)
            chosen.setdefault(key, {})[row["name"]] = float(row["value"])
    assert chosen == {key: one.setting for key, one in comparison.outcomes.items() if one.setting}


# Another target


def test_another_target_runs_again_what_its_searches_ask_for_alone(tmp_path: Path):
    """From 1e-2 to 1e-1 and back: numbers as if nothing had run before, few cells computed."""
    study = Study(
        name="targets",
        problems=("quadratic[dim=3]", "beale"),
        optimizers=("gradient_descent", "adam", "newton_cg"),
        seeds=2,
        tuning_seeds=1,
        trials=4,
        budget=40.0,
        target=1e-2,
    )
    other = dataclasses.replace(study, target=1e-1)
    computed: list[list[tuple[str, str]]] = []

    def ran(which: Study, folder: Path | None) -> Results:
        computed.append([])

        def listen(event: Event) -> None:
            if isinstance(event, CellFinished):
                computed[-1].append((event.cell.problem, event.cell.optimizer))

        return run_study(which, folder, listener=listen)

    first = ran(study, tmp_path)
    planned = {(b.problem, o) for b in plan_study(other, tmp_path)[0] for o in b.pending}
    found = ran(other, tmp_path)
    again = ran(study, tmp_path)
    anew = ran(other, None)
    assert [len(computed[0]), len(computed[2]), len(computed[3])] == [6, 0, 6]
    told = {pair for pair, same in _extended_alike(first, anew).items() if not same}
    assert set(computed[1]) == told == planned and len(told) < 3
    for one, two in ((found, anew), (again, first)):
        a, b = compare_rows(one), compare_rows(two)
        assert a.rows == b.rows
        for key, outcome in a.outcomes.items():
            assert outcome.setting == b.outcomes[key].setting
            np.testing.assert_array_equal(outcome.hit_costs, b.outcomes[key].hit_costs)


def _extended_alike(one: Results, other: Results) -> dict[tuple[str, str], bool]:
    """Whether what the second asks for beyond the edge is there in the first, by pair."""
    spaces = [
        {(c.problem, c.optimizer): c.space for c in results.extensions.values()}
        for results in (one, other)
    ]
    pairs = [(cell.problem, cell.optimizer) for cell in other.cells]
    return {p: p not in spaces[1] or spaces[1][p] == spaces[0].get(p) for p in pairs}
