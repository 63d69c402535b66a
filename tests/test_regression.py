"""What `optbench diff` tells: where runs part, what costs changed, and when that is no chance."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import scipy.stats
from command_line import optbench, write

from optbench.errors import OptbenchError
from optbench.metrics import first_hit
from optbench.records import Cell, ProblemRecord, pack_trajectory
from optbench.regression import costs as changes
from optbench.regression import divergence, find_regression, paired_lanes
from optbench.regression.paired_lanes import (
    Lanes,
    PairedCosts,
    judged_settings,
    match_lanes,
    pair_costs,
)
from optbench.regression.rankings import flips, median_interval
from optbench.report.regression import regression_text
from optbench.results import Results
from optbench.study import Study, run_study
from optbench.tracks import headline_index
from optbench.trajectory import TUNING_SEEDS_FROM, Status, Trajectory

TARGETS = (1e-1, 1e-2, 1e-4)
STEPS = np.arange(65)
RATES = (0.1, 0.2)
BUDGET = 65.0
NEVER = np.nan


def log(factors, *, steps=STEPS, rates=RATES, seeds=None, targets=TARGETS, **fields) -> Trajectory:
    """f = factor^t on each lane [S, H], f* = 0; a step costs 1."""
    factors = np.asarray(factors, float)
    value = fields.pop("value", factors[..., None] ** steps)
    cost = np.broadcast_to(steps + 1.0, value.shape)
    hit_steps, hit_costs = first_hit(steps, cost, value, targets)
    given = dict(
        steps=steps,
        value=value,
        gradient_norm=np.sqrt(np.abs(value)),
        cost=np.array(cost),
        calls={},
        targets=np.array(targets),
        hit_steps=hit_steps,
        hit_costs=hit_costs,
        hit_calls={},
        resolution="exact",
        merit="suboptimality",
        reference=0.0,
        initial_merit=value[..., 0],
        status=np.where(np.isnan(hit_costs[..., -1]), Status.BUDGET, Status.REACHED).astype(str),
        last=np.full(factors.shape, len(steps) - 1),
        seeds=tuple(range(len(factors))) if seeds is None else tuple(seeds),
        settings={"learning_rate": np.array(rates)} if rates else {},
        recorded=np.array([], int),
        params=np.zeros((0, len(steps), 1)),
        diagnostics={},
        compile_seconds=0.0,
        run_seconds=0.0,
    )
    return Trajectory(**(given | fields))


def results(logs, **given) -> Results:
    """The results that hold {(problem, optimizer): log}; a text is the message of a failure."""
    problems, optimizers = (tuple(dict.fromkeys(names)) for names in zip(*logs, strict=True))
    packed = {f"{p}/{o}": pack_trajectory(x) for (p, o), x in logs.items() if x and x != str(x)}
    cells = [
        Cell(
            key=f"{p}/{o}",
            problem=p,
            optimizer=o,
            group=o,
            status="failed" if isinstance(x, str) else "finished",
            message=x if isinstance(x, str) else "",
        )
        for (p, o), x in logs.items()
        if x is not None
    ]
    fields = dict(
        folder=None,
        study={"budget": BUDGET, "precision": "float64"},
        environment={"dtype": "float64", "versions": {"jax": "0.9", "optax": "0.2"}},
        problems={p: ProblemRecord(label=p, minimum=0.0, noise_floor=1e-16) for p in problems},
        optimizers=optimizers,
        cells=tuple(cells),
        load=packed.get,
    )
    return Results(**(fields | given))


def factors(rng, seeds=5) -> np.ndarray:
    """Convergence factors [S, 2] that take 19 to 31 steps to the hardest target."""
    return np.exp(-rng.uniform(0.3, 0.5, (seeds, 2)))


def grid(power=1.0, *, problems=8, optimizers=("sgd", "adam"), seeds=5, slow="adam", **fields):
    """Logs of every pair, of which one optimizer takes `power` times the steps."""
    rng = np.random.default_rng(1)
    logs = {}
    for i in range(problems):
        for name in optimizers:
            q = factors(rng, seeds)
            logs[f"problem_{i}", name] = log(q ** (1 / power if name == slow else 1), **fields)
    return logs


# Lanes and where they part


def test_lanes_are_matched_by_seed_and_setting_not_by_position():
    a = log(np.full((3, 2), 0.5), seeds=(3, 1, 2), rates=(0.1, 0.3))
    b = log(np.full((2, 3), 0.5), seeds=(2, 3), rates=(0.3 * (1 + 1e-15), 0.2, 0.1))
    lanes = match_lanes(a, b)
    assert lanes.seeds.tolist() == [[0, 1], [2, 0]]
    assert lanes.settings.tolist() == [[0, 2], [1, 0]]
    free = log(np.full((3, 1), 0.5), rates=())
    assert match_lanes(a, free).number == 0 and match_lanes(free, free).number == 3


def test_a_setting_that_was_tried_twice_is_matched_once():
    a = log(np.full((1, 3), 0.5), rates=(0.1, 0.2, 0.1))
    b = log(np.full((1, 2), 0.5), rates=(0.1, 0.1))
    assert match_lanes(a, a).settings.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert match_lanes(a, b).settings.tolist() == [[0, 0], [2, 1]]


def test_the_same_results_twice_are_identical():
    found = find_regression(results(grid()), results(grid()))
    assert {d.kind for d in found.divergences} == {"identical"} and len(found.divergences) == 16
    assert {c.verdict for c in (*found.optimizers, *found.costs)} == {"unchanged"}
    assert {c.ratio for c in found.optimizers} == {1.0}
    assert not found.regressed and not found.leaders and not found.reversals
    assert regression_text(found) == "0 of 16 pairs differ; no cost changed significantly."


def test_lanes_in_another_order_are_the_same_lanes():
    q = factors(np.random.default_rng(2))
    a = results({("bowl", "sgd"): log(q)})
    turned = log(q[::-1, ::-1], seeds=(4, 3, 2, 1, 0), rates=RATES[::-1])
    (divergence,) = find_regression(a, results({("bowl", "sgd"): turned})).divergences
    assert (divergence.kind, divergence.lanes) == ("identical", 10)


def test_lanes_matched_by_position_would_differ(monkeypatch):
    def by_position(a, b):
        order = [np.repeat(np.arange(n)[:, None], 2, axis=1) for n in a.status.shape]
        return Lanes(*order)

    monkeypatch.setattr(divergence, "match_lanes", by_position)
    with pytest.raises(AssertionError, match="different"):
        test_lanes_in_another_order_are_the_same_lanes()


def altered(value) -> Trajectory:
    return log(np.full((2, 1), 0.8), rates=(0.1,), value=value)


def diverged(value, **record):
    base = np.full((2, 1, 1), 0.8) ** STEPS
    a, b = (results({("bowl", "sgd"): altered(v)}) for v in (base, value(base.copy())))
    if record:
        known = {"bowl": ProblemRecord(label="bowl", **record)}
        a, b = (dataclasses.replace(x, problems=known) for x in (a, b))
    return find_regression(a, b).divergences[0]


def test_a_unit_in_the_last_place_is_rounding():
    def nudge(value):
        value[0, 0, 7:] = np.nextafter(value[0, 0, 7:], 1)
        return value

    found = diverged(nudge)
    assert (found.kind, found.lanes, found.rounding, found.different) == ("rounding", 2, 1, 0)
    assert (found.first_step, found.first_beyond) == (7, None)


def test_the_limit_of_rounding_is_the_stated_one():
    limit = np.finfo(float).eps ** (2 / 3)

    def by(share):
        def move(value):
            value[1, 0, 3] *= 1 + 1e-14
            value[1, 0, 12] *= 1 + share * limit
            return value

        return diverged(move, noise_floor=0.0)

    within, beyond = by(0.99), by(1.01)
    assert (within.kind, within.first_step, within.first_beyond) == ("rounding", 3, None)
    assert (beyond.kind, beyond.first_step, beyond.first_beyond) == ("different", 3, 12)
    assert (beyond.rounding, beyond.different) == (0, 1)


def test_nothing_is_told_apart_below_the_noise_floor():
    def end(value):
        value[..., 60] += 9e-8
        return value

    assert diverged(end, noise_floor=1e-8).kind == "rounding"
    assert diverged(end, noise_floor=float("nan")).first_beyond == 60


def test_a_number_that_is_lost_is_beyond_rounding():
    def lose(value):
        value[0, 0, 20] = np.nan
        return value

    assert diverged(lose).first_beyond == 20


def test_grids_that_differ_are_compared_where_both_log():
    q = np.full((2, 1), 0.8)
    coarse = np.array([0, 1, 2, 4, 8, 16, 32, 64])
    moved = q[..., None] ** coarse
    moved[..., 5:] *= 1.1
    a = results({("bowl", "sgd"): log(q, rates=(1,))})
    b = results({("bowl", "sgd"): log(q, rates=(1,), steps=coarse, value=moved)})
    (found,) = find_regression(a, b).divergences
    assert (found.first_step, found.first_beyond) == (16, 16)


def test_what_follows_the_end_of_a_lane_is_no_difference_but_another_end_is_told():
    q = np.full((2, 1), 0.8)
    short = log(q, rates=(1,))
    value = short.value.copy()
    value[1, 0, 31:] = NEVER
    last, status = short.last.copy(), short.status.astype(object)
    last[1, 0], status[1, 0] = 30, str(Status.CRASHED)
    cut = log(q, rates=(1,), value=value, last=last, status=status.astype(str))
    (found,) = find_regression(*(results({("b", "s"): x}) for x in (short, cut))).divergences
    assert (found.kind, found.ends, found.differs) == ("identical", 1, True)


def test_precision_decides_what_rounding_is():
    a, b = (results({("bowl", "sgd"): log(np.full((2, 2), q))}) for q in (0.8, 0.8 * (1 + 1e-7)))
    assert find_regression(a, b).divergences[0].kind == "different"
    single = {"dtype": "float32", "versions": {"jax": "0.9", "optax": "0.2"}}
    found = find_regression(a, dataclasses.replace(b, environment=single))
    assert found.divergences[0].kind == "rounding"
    assert [(d.where, d.name, d.a, d.b) for d in found.differences] == [
        ("environment", "dtype", "float64", "float32")
    ]


# Costs


def runs(a, b) -> changes.Runs:
    """One target, one setting, these costs [S]."""
    return changes.pair_runs(costs_at([0.1], a, b), budget=100.0)


def costs_at(targets, a, b) -> PairedCosts:
    """Costs [S] or [S, K] of two versions."""
    costs = tuple(np.reshape(np.asarray(x, float), (len(x), -1)) for x in (a, b))
    return PairedCosts(targets=np.array(targets), costs=(costs[0], costs[1]), exact=True)


def test_ratios_by_hand():
    told = runs([10, 20, 50, NEVER, NEVER], [20, 10, 50, NEVER, 500])
    assert told.log_ratios == pytest.approx([1, -1, 0, 0, -1])  # a failure counts as 1000
    assert told.changes.tolist() == [0, 0, 0, 0, -1] and told.reached == (3, 4)
    (change,), _ = changes.cost_changes({("p", "o"): told})
    assert change.ratio == pytest.approx(2 ** (-1 / 5))
    assert (change.lost, change.won, change.runs, change.problems) == (0, 1, 5, 1)


def test_the_hardest_target_that_both_reach_counts_and_what_is_lost_beyond_is_shown():
    easy, hard = np.full(5, 10.0), np.full(5, 40.0)
    a, b = np.stack([easy, hard], axis=-1), np.stack([easy * 2, np.full(5, NEVER)], axis=-1)
    told = changes.pair_runs(costs_at([0.1, 0.01], a, b), 100.0)
    assert told.target == 0.1 and told.log_ratios == pytest.approx(np.ones(5))
    assert told.reached == (5, 0) and told.changes.tolist() == [1] * 5
    assert changes.pair_runs(costs_at([0.1, 0.01], b, a), 100.0).changes.tolist() == [-1] * 5


def test_each_version_is_judged_at_its_headline_setting_and_on_seeds_that_tuned_nothing():
    seeds = (0, 1, TUNING_SEEDS_FROM, TUNING_SEEDS_FROM + 1)
    rng = np.random.default_rng(3)
    a, b = (log(factors(rng, 4), seeds=seeds) for _ in range(2))
    found = pair_costs(a, b, (2, 1))
    for k in range(len(TARGETS)):
        chosen = headline_index(a, 2, k), headline_index(b, 1, k)
        for costs, x, setting in zip(found.costs, (a, b), chosen, strict=True):
            assert costs[:, k].tolist() == x.hit_costs[:2, setting, k].tolist()
    assert chosen[1] == 0  # the second setting was no trial


def test_common_targets_and_seeds_alone_are_paired():
    q = factors(np.random.default_rng(3), 3)
    a, b = log(q, seeds=(4, 2, 9)), log(q[:2], seeds=(2, 8), targets=(1e-2, 1e-3, 1e-4))
    found = pair_costs(a, b, (0, 0))
    assert found.targets.tolist() == [1e-2, 1e-4] and len(found.costs[0]) == 1
    best = judged_settings(a, 0)
    assert found.costs[0][0].tolist() == [a.hit_costs[1, best[k], k] for k in (1, 2)]


def test_a_planted_slow_down_is_found_with_its_first_step():
    found = find_regression(results(grid()), results(grid(2.0)))
    sgd, adam = found.optimizers
    assert (sgd.verdict, adam.verdict) == ("unchanged", "slower") and found.regressed
    assert adam.ratio == pytest.approx(2.0, rel=0.05) and adam.problems == 8
    assert adam.across.low > 1.8 and adam.across.high < 2.2
    assert adam.p == 2 / 2**8  # all of 8 problems, and the only optimizer that changed
    moved = [d for d in found.divergences if d.differs]
    assert {(d.optimizer, d.first_step, d.first_beyond) for d in moved} == {("adam", 1, 1)}
    text = regression_text(found)
    assert text.startswith("8 of 16 pairs differ, from step 1 on; REGRESSION, worse: adam.")
    back = find_regression(results(grid(2.0)), results(grid()))
    assert back.optimizers[1].verdict == "faster" and not back.regressed
    assert "no cost rose significantly, 1 fell" in regression_text(back)


def test_a_regression_on_one_problem_does_not_vanish_in_the_mean():
    a, b = grid(seeds=12), grid(seeds=12)
    b["problem_3", "adam"] = grid(2.0, seeds=12)["problem_3", "adam"]
    found = find_regression(results(a), results(b))
    assert found.optimizers[1].verdict == "undecided" and found.regressed
    worse = [(c.problem, c.optimizer) for c in found.costs if c.regressed]
    assert worse == [("problem_3", "adam")]
    assert "worse: adam on problem_3" in regression_text(found)


def test_a_cost_that_did_not_move_is_unchanged_and_rounding_is_no_regression():
    logs = grid()
    shaken = {}
    rng = np.random.default_rng(4)
    for label, x in logs.items():
        ulps = rng.integers(-1, 2, x.value.shape) * np.spacing(x.value)
        shaken[label] = dataclasses.replace(x, value=x.value + ulps)
    found = find_regression(results(logs), results(shaken))
    assert {d.kind for d in found.divergences} == {"rounding"} and not found.regressed
    assert regression_text(found).startswith(
        "0 of 16 pairs differ, 16 more by rounding alone; no cost"
    )


def test_few_runs_decide_nothing():
    (over, _), single = changes.cost_changes(
        {("p", "o"): runs([10] * 5, [20] * 5), ("p", "same"): runs([10] * 5, [10] * 5)}
    )
    assert (over.verdict, over.p, over.ratio) == ("undecided", None, 2.0)
    assert [c.verdict for c in single] == ["undecided", "unchanged"]


def test_newly_failing_runs_are_a_regression_where_they_are_many():
    lost = runs(np.full(8, 50.0), np.full(8, NEVER))
    (change,), (alone,) = changes.cost_changes({("p", "o"): lost})
    assert (change.lost, change.won, change.reached_a, change.reached_b) == (8, 0, 8, 0)
    assert change.failures == alone.failures == "fails more"
    (few,), _ = changes.cost_changes({("p", "o"): runs([50.0] * 8, [50.0] * 7 + [NEVER])})
    assert (few.lost, few.failures, few.regressed) == (1, "undecided", False)


def noise(rng, spread, seeds, gap=1.0) -> changes.Runs:
    """Two independent draws of runs at 3 settings, some of which fail; the second times `gap`."""
    logs = []
    for factor in (1.0, gap):
        costs = factor * rng.lognormal(4.0 + 0.1 * np.arange(3), spread, (seeds, 3))
        hits = np.where(costs > 200, NEVER, costs)[..., None]
        logs.append(dataclasses.replace(_BLANK[seeds], hit_costs=hits))
    return changes.pair_runs(paired_lanes.pair_costs(*logs, (0, 0)), 200.0)


_BLANK = {
    n: log(np.full((n, 3), 0.5), steps=STEPS[:2], rates=(1, 2, 3), targets=(0.1,)) for n in (6, 8)
}


def alarms(monkeypatch, studies, *, problems, seeds=8, optimizers=2, gap=1.0) -> float:
    """Share of studies that are called a regression."""
    monkeypatch.setattr(changes, "_interval", lambda *given, **more: None)  # no part of a verdict
    rng = np.random.default_rng(5)
    called = 0
    for _ in range(studies):
        found = {
            (f"p{i}", f"o{j}"): noise(rng, rng.uniform(0.1, 1.0), seeds, gap)
            for i in range(problems)
            for j in range(optimizers)
        }
        called += any(c.regressed for part in changes.cost_changes(found) for c in part)
    return called / studies


@pytest.mark.parametrize("problems", [2, 8])
def test_other_seeds_alone_are_no_regression(monkeypatch, problems):
    assert alarms(monkeypatch, 200, problems=problems) <= 0.05


def test_a_planted_gap_of_two_is_decided(monkeypatch):
    assert alarms(monkeypatch, 20, problems=20, optimizers=1, gap=2.0) >= 0.95


def test_without_holm_chance_is_called_a_regression(monkeypatch):
    monkeypatch.setattr(changes, "holm", np.asarray)
    assert alarms(monkeypatch, 20, problems=8, optimizers=6) > 0.05


def test_a_setting_chosen_for_one_version_alone_is_called_a_regression(monkeypatch):
    """The best of many settings for the old version is a lucky one, and the new one pays for it."""

    own, pair = paired_lanes.judged_settings, paired_lanes.pair_costs

    def at_the_setting_of_the_old(a, b, trials):
        monkeypatch.setattr(paired_lanes, "judged_settings", lambda log, trials: own(a, trials))
        return pair(a, b, trials)

    monkeypatch.setattr(paired_lanes, "pair_costs", at_the_setting_of_the_old)
    assert alarms(monkeypatch, 20, problems=8, optimizers=6) > 0.05


def test_the_interval_of_one_problem_is_that_of_a_bootstrap_of_its_seeds():
    told = runs(np.full(30, 10.0), 10 * 2 ** np.random.default_rng(6).normal(1, 0.5, 30))
    (change,), _ = changes.cost_changes({("p", "o"): told})
    reference = scipy.stats.bootstrap(
        (told.log_ratios,), np.mean, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert np.log2([change.within.low, change.within.high]) == pytest.approx(reference, abs=0.01)


def test_problems_drawn_anew_widen_the_interval():
    """Problems that differ and seeds that do not: only the second interval has a width."""
    found = {(f"p{i}", "o"): runs([10] * 3, [10 * 2.0**i] * 3) for i in range(8)}
    (change,), _ = changes.cost_changes(found)
    assert change.within.low == change.within.high == pytest.approx(2**3.5)
    spread = np.arange(8).std() / np.sqrt(8)  # of the mean of 8 problems drawn from 0..7
    half = np.log2(change.across.high / change.across.low) / 2
    assert half == pytest.approx(1.96 * spread, rel=0.05)


# Rankings


def ranked(a, b):
    """{optimizer: costs} of each version at one target."""
    found = {name: costs_at([0.1], a[name], b[name]) for name in a}
    return flips("bowl", found)


def test_a_verdict_that_flipped_is_told_and_one_that_overlaps_is_not_decided():
    leader, reversals = ranked(
        {"x": [10, 11, 12], "y": [20, 21, 22]}, {"x": [40, 41, 42], "y": [20, 21, 22]}
    )
    assert (leader.fastest_a, leader.fastest_b, leader.decided) == ("x", "y", True)
    assert [(r.before, r.after) for r in reversals] == [("x", "y")]
    leader, reversals = ranked(
        {"x": [10, 11, 12], "y": [20, 21, 22]}, {"x": [10, 31, 42], "y": [20, 21, 22]}
    )
    assert (leader.fastest_b, leader.decided, reversals) == ("y", False, ())
    same = {"x": [10, 11, 12], "y": [20, 21, 22]}
    assert ranked(same, same) == (None, ())
    tied = {"x": [10, 11, 12], "y": [10, 11, 12]}
    assert ranked(same, tied) == (None, ())


def test_the_interval_of_a_median_covers_it():
    """Coverage at least 95 % from 6 on, by the binomial law and by draws."""
    costs = np.arange(1.0, 12.0)
    assert median_interval(costs) == (2.0, 10.0)  # table of David & Nagaraja for n = 11
    assert median_interval(costs[:5]) == (1.0, 5.0)
    assert median_interval(np.array([1.0, NEVER])) == (1.0, np.inf)
    draws = np.random.default_rng(7).normal(size=(2000, 11))
    inside = [low <= 0 <= high for low, high in map(median_interval, draws)]
    assert np.mean(inside) >= 0.95


# What the results as a whole differ in


def test_environments_studies_and_problems_are_compared():
    logs = grid(problems=1)
    b = results(
        logs,
        study={"budget": 130.0, "precision": "float64", "prices": {"values": 0.5}},
        environment={"dtype": "float64", "versions": {"jax": "0.10", "optax": "0.2"}},
        problems={"problem_0": ProblemRecord(label="problem_0", minimum=-1.0)},
    )
    found = find_regression(results(logs), b)
    assert [(d.where, d.name, d.a, d.b) for d in found.differences] == [
        ("environment", "versions.jax", "0.9", "0.10"),
        ("study", "budget", 65.0, 130.0),
        ("study", "prices.values", None, 0.5),
        ("problem", "problem_0.minimum", 0.0, -1.0),
    ]
    text = regression_text(found)
    assert "environment: versions.jax 0.9 -> 0.10" in text and "optax" not in text
    assert "study: prices.values - -> 0.5" in text


def test_what_one_has_alone_is_named():
    more = grid(problems=3, optimizers=("sgd", "adam", "lion"))
    found = find_regression(results(grid(problems=2)), results(more))
    assert (found.only.problems_b, found.only.optimizers_b) == (("problem_2",), ("lion",))
    assert found.pairs == 4 and not found.only.problems_a
    told = "B alone has 1 problem (problem_2) and 1 optimizer (lion)"
    assert told in regression_text(found)


def test_a_pair_that_no_longer_runs_is_a_regression_and_one_that_is_missing_is_not():
    before, after = grid(problems=2), grid(problems=2)
    after["problem_0", "adam"] = "division by zero"
    found = find_regression(results(before), results(after))
    assert found.regressed and len(found.divergences) == 3
    assert "adam on problem_0: finished -> failed (division by zero)" in regression_text(found)
    assert "no longer running: adam on problem_0" in regression_text(found)
    assert not find_regression(results(after), results(before)).regressed
    after["problem_0", "adam"] = None
    missing = find_regression(results(before), results(after))
    assert [(s.a, s.b) for s in missing.statuses] == [("finished", "unfinished")]
    assert not missing.regressed and "(3 share runs)" in regression_text(missing)


def test_other_settings_share_no_lane_and_are_compared_by_cost():
    a = grid(problems=7)
    b = grid(2.0, problems=7, rates=(0.3, 0.4))
    found = find_regression(results(a), results(b))
    assert {d.kind for d in found.divergences} == {"not compared"}
    assert {d.only_a for d in found.divergences} == {10} == {d.only_b for d in found.divergences}
    assert found.optimizers[1].verdict == "slower"
    told = "runs of common pairs that the other lacks: 140 of A, 140 of B"
    assert told in regression_text(found)


@pytest.mark.parametrize("other", [{("x", "sgd"): None}, {("problem_0", "x"): None}])
def test_results_with_nothing_in_common_are_refused(other):
    with pytest.raises(OptbenchError, match="share no (problem|optimizer)") as refused:
        find_regression(results(grid(problems=1)), results(other))
    assert refused.value.hint
    elsewhere = grid(problems=1, seeds=3)
    moved = {k: dataclasses.replace(x, seeds=(7, 8, 9)) for k, x in elsewhere.items()}
    with pytest.raises(OptbenchError, match="no finished run"):
        find_regression(results(grid(problems=1)), results(moved))


def test_the_text_stays_short_whatever_changed(monkeypatch):
    monkeypatch.setattr(changes, "DRAWS", 100)
    names = tuple(f"optimizer_{i}" for i in range(9))
    a, b = grid(problems=9, optimizers=names), {}
    for (problem, name), x in a.items():
        q = x.value[..., 1] ** (0.5 if name != "optimizer_0" else 2)
        b[problem, name] = "it broke\n" * 9 if name == "optimizer_8" else log(q)
    b |= {("added_" * 20, name): None for name in names}
    b["problem_0", "optimizer_1"] = log(a["problem_0", "optimizer_1"].value[:3, :, 1])
    found = find_regression(
        results(a), results(b, environment={f"flag_{i}": i for i in range(20)}, study={})
    )
    for width in (60, 80, 160):
        text = regression_text(found, width)
        assert len(text.splitlines()) <= 30 and max(map(len, text.splitlines())) <= width
    assert text.count("more") >= 4


# The command

STUDY = """
problems = ["booth"]
optimizers = ["mine.py:descent"]
seeds = 8
budget = 40

[learning_rate]
low = 0.02
high = 0.02
num = 1
"""
MINE = """
import optax

def descent(learning_rate: float = 0.1):
    return optax.sgd(learning_rate * {share})
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Results of a study, and of the same with its own optimizer at half the rate."""
    root = tmp_path_factory.mktemp("diff")
    for name, share in (("old", "1.0"), ("new", "0.5")):
        (root / name).mkdir()
        write(root / name / "mine.py", MINE.format(share=share))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root / name)
            run_study(Study.from_toml(STUDY, name="small"), root / name)
    return root


def test_two_results_of_the_same_study_are_identical(folders):
    told = optbench("diff", folders / "old", folders / "old" / "results.sqlite")
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout == "0 of 1 pairs differ; no cost changed significantly.\n"


def test_a_changed_optimizer_is_a_regression(folders):
    told = optbench("diff", folders / "old", folders / "new")
    assert told.exit_code == 1, told.output
    assert told.stdout.startswith("1 of 1 pairs differ, from step 1 on; REGRESSION, worse: mine.py")
    found = json.loads(optbench("diff", folders / "old", folders / "new", "--json").stdout)
    assert [c["verdict"] for c in found["optimizers"]] == ["slower"]
    assert {d["first_beyond"] for d in found["divergences"]} == {1}
    back = optbench("diff", folders / "new", folders / "old")
    assert back.exit_code == 0 and "no cost rose significantly" in back.stdout


def test_comparing_needs_no_jax(folders, fresh_python):
    code = (
        "import sys; from optbench.cli import main\n"
        f"main(['diff', {str(folders / 'old')!r}, {str(folders / 'new')!r}], standalone_mode=False)"
        "\nprint('jax' in sys.modules)"
    )
    assert fresh_python(code)[-1] == "False"


@pytest.mark.parametrize("content", [None, b"no results at all", b"cut"])
def test_bad_folders_are_refused_in_two_lines(folders, tmp_path, content):
    if content is not None:
        whole = (folders / "old" / "results.sqlite").read_bytes()
        cut = whole[: len(whole) // 2]
        (tmp_path / "results.sqlite").write_bytes(cut if content == b"cut" else content)
    told = optbench("diff", folders / "old", tmp_path)
    assert told.exit_code == 2 and told.stdout == ""
    error, hint = told.stderr.splitlines()
    assert error.startswith("error: ") and hint.startswith("hint: ")
