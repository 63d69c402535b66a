"""The end table: what it says is what the logs hold, and it fits the page."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from optbench.comparison import compare_rows
from optbench.records import Cell, ProblemRecord, pack_trajectory
from optbench.report.comparison import comparison_lines
from optbench.results import Results
from optbench.summary import Finished, Pair, Summary, summarize
from optbench.summary.finished import common_target
from optbench.summary.standings import standings
from optbench.summary.text import MAX_LINES
from optbench.tables import align, number
from optbench.tracks import tuning
from optbench.trajectory import TARGETS, TUNING_SEEDS_FROM, Status, Trajectory
from optbench.verdict import reach_verdict

RATES = np.logspace(-3, 0, 4)
NEVER = np.nan


def log(hit_costs, *, rates=RATES, targets=TARGETS, status=None, budget=1000.0, **fields):
    """A trajectory of two log points with these costs [S, H, K] to the targets."""
    hit_costs = np.asarray(hit_costs, float)
    seeds, settings, _ = hit_costs.shape
    if status is None:
        ends = np.where(np.isfinite(hit_costs[..., -1]), Status.REACHED, Status.BUDGET)
        status = ends.astype(object)
    lanes = np.ones((seeds, settings, 2))
    given = dict(
        steps=np.arange(2),
        value=lanes * [1.0, 0.5],
        gradient_norm=lanes,
        cost=lanes * [1.0, budget],
        calls={},
        targets=np.asarray(targets),
        hit_steps=hit_costs - 1,
        hit_costs=hit_costs,
        hit_calls={},
        resolution="exact",
        merit="suboptimality",
        reference=0.0,
        initial_merit=np.ones((seeds, settings)),
        status=status,
        last=np.ones((seeds, settings), int),
        seeds=tuple(range(seeds)),
        settings={"learning_rate": np.asarray(rates)},
        recorded=np.array([], int),
        params=np.zeros((0, 2, 1)),
        diagnostics={},
        compile_seconds=2.0,
        run_seconds=0.5,
    )
    return Trajectory(**(given | fields))


def climbing(cost, *, reaches=10, starts=3, best=2):
    """Each target costs `cost` more than the one before; other rates than the best take thrice."""
    costs = np.full((starts, len(RATES), len(TARGETS)), NEVER)
    costs[..., :reaches] = cost * np.arange(1, reaches + 1)
    costs[:, np.arange(len(RATES)) != best] *= 3
    return log(costs)


def cell(problem, optimizer, status="finished", **fields):
    given = {"group": optimizer, "compile_seconds": 2.0, "run_seconds": 0.5, "message": ""}
    names = {"key": f"{problem}/{optimizer}", "problem": problem, "optimizer": optimizer}
    return Cell(**names, status=status, **(given | fields))


def summary_of(logs, cells=None, target=TARGETS[-1], **settings) -> Summary:
    """The summary of {(problem, optimizer): log}."""
    problems, optimizers = (list(dict.fromkeys(names)) for names in zip(*logs, strict=True))
    if cells is None:
        cells = [cell(*names) for names, found in logs.items() if found is not None]
    given = {"name": "tried", "budget": 1000.0} | settings
    records = {problem: ProblemRecord(label=problem) for problem in problems}

    def finished(problem: str) -> Finished:
        done = [cell for cell in cells if cell.problem == problem]
        return Finished.of(done, lambda cell: logs.get((cell.problem, cell.optimizer)), target)

    return summarize(given, records, optimizers, cells, finished, target=target)


def only_pair(trajectory) -> Pair:
    (pair,) = summary_of({("bowl", "walk"): trajectory}).pairs
    return pair


# One pair


def test_a_pair_is_measured_at_its_best_rate_by_hand():
    costs = np.full((3, 4, 1), NEVER)
    costs[:, 1, 0] = [20.0, 50.0, 30.0]
    costs[:, 2, 0] = [40.0, 10.0, 90.0]
    pair = only_pair(log(costs, targets=[0.1]))
    assert pair.setting == {"learning_rate": pytest.approx(1e-2)}
    assert (pair.cost, pair.low, pair.high) == (30.0, 20.0, 50.0)
    assert (pair.reached, pair.starts, pair.target, pair.hardest) == (3, 3, 0.1, 0.1)
    assert not pair.on_edge and pair.exact and pair.solved and pair.failures == {}
    assert pair.basin == pytest.approx(2.0)  # ERT 33.3 and 46.7: two of four rates, a decade each


def test_failures_count_as_never_and_are_told_by_kind():
    costs = np.full((5, 4, 1), NEVER)
    costs[:3, 3, 0] = [5.0, 6.0, 7.0]
    status = np.full((5, 4), Status.BUDGET, object)
    status[:3, 3], status[3:, 3] = Status.REACHED, [Status.DIVERGED, Status.STALLED]
    pair = only_pair(log(costs, targets=[0.1], status=status))
    assert (pair.cost, pair.low, pair.high) == (7.0, 5.0, None)
    assert pair.on_edge and pair.reached == 3
    assert pair.failures == {"diverged": 1, "stalled": 1}
    costs[2] = NEVER
    minority = only_pair(log(costs, targets=[0.1], status=status))
    assert (minority.cost, minority.low, minority.reached) == (None, 5.0, 2)
    assert not minority.solved and minority.hardest is None


def test_what_is_never_reached_is_unknown_and_not_zero():
    never = log(np.full((2, 4, 3), NEVER), targets=TARGETS[:3])
    pair = only_pair(never)
    assert (pair.hardest, pair.cost, pair.low, pair.high, pair.basin) == (None,) * 5
    assert (pair.target, pair.reached) == (TARGETS[0], 0)
    text = summary_of({("bowl", "walk"): never}).text()
    row = next(line for line in text.splitlines() if line.startswith("bowl"))
    assert row.split()[2:5] == ["1e-01*", "0/2", "-"]
    assert "oracle" not in text  # no number, no legend


def test_a_single_rate_has_no_basin_and_no_edge():
    one = log(np.full((2, 1, 1), 4.0), targets=[0.1], rates=[0.5])
    pair = only_pair(one)
    assert pair.basin is None and not pair.on_edge and pair.setting == {"learning_rate": 0.5}
    free = only_pair(log(np.full((2, 1, 1), 4.0), targets=[0.1], settings={}))
    assert free.basin is None and free.setting == {}


# The target of a problem


def test_the_target_is_the_hardest_that_half_reach():
    logs = [climbing(1.0, reaches=n) for n in (9, 7, 5, 3)]
    assert common_target(logs) == 6  # two of four reach the seventh
    assert common_target(logs[:3]) == 6
    assert common_target(logs[:1]) == 8
    nothing = log(np.full((3, 4, 10), NEVER))
    assert common_target([nothing, nothing, nothing, logs[3]]) == 2
    assert common_target([nothing]) == 0  # of which none is reached


def test_all_optimizers_of_a_problem_share_the_target():
    logs = {("bowl", "a"): climbing(1.0, reaches=9), ("bowl", "b"): climbing(2.0, reaches=4)}
    first, second = summary_of(logs).pairs
    assert first.target == second.target == TARGETS[8]
    assert (first.cost, second.cost) == (9.0, None)
    assert (first.hardest, second.hardest) == (TARGETS[8], TARGETS[3])


def test_the_target_is_the_study_s_where_one_reaches_it():
    logs = {("bowl", "a"): climbing(1.0, reaches=9), ("bowl", "b"): climbing(2.0, reaches=4)}
    logs |= {("cave", "a"): climbing(1.0, reaches=3), ("cave", "b"): climbing(2.0, reaches=2)}
    found = summary_of(logs, target=TARGETS[6])
    assert [(p.target, p.eased) for p in found.pairs] == [(TARGETS[6], False)] * 2 + [
        (TARGETS[2], True)
    ] * 2
    assert [p.cost for p in found.pairs] == [7.0, None, 3.0, None]
    assert [p.solved for p in found.pairs] == [True, False, False, False]
    (a,) = (s for s in standings(found.pairs) if s.optimizer == "a")
    assert (a.solved, a.fastest, a.ratio) == (1, 1, 1.0)
    text = " ".join(found.text().splitlines())
    assert f"to the target ({TARGETS[6]:.0e} of the start's gap, as in the verdict)" in text
    assert "1e-03*" in text and "* none reaches that" in text
    assert "* none" not in summary_of(logs, target=TARGETS[1]).text()


def test_the_table_agrees_with_the_verdict(planted_study):
    compared = compare_rows(planted_study)
    summary = planted_study.summary()
    assert any(pair.eased for pair in summary.pairs) and any(pair.solved for pair in summary.pairs)
    for pair in summary.pairs:
        outcome = compared.outcomes[pair.problem, compared.row(pair.optimizer)]
        assert pair.solved == bool(np.isfinite(outcome.median))
        if pair.solved:
            assert (pair.cost, dict(pair.setting)) == (outcome.median, dict(outcome.setting))
    lines = comparison_lines(compared, compared.headlines[0], [])
    solved = {standing.optimizer: standing.solved for standing in standings(summary.pairs)}
    assert solved == {line.optimizer: line.solved for line in lines}


def test_a_verdict_knows_the_reference_of_its_study(planted_study):
    assert reach_verdict(compare_rows(planted_study), draws=50).reference.optimizer == "c"


def test_a_table_at_other_targets_would_not_agree(planted_study, monkeypatch):
    """The planted defect: each problem at the hardest target that half of the methods reach."""
    easy = lambda logs, trials, target: (common_target([tuning(x) for x in logs]), False)  # noqa: E731
    monkeypatch.setattr("optbench.summary.finished.shown_target", easy)
    with pytest.raises(AssertionError):
        test_the_table_agrees_with_the_verdict(planted_study)


@pytest.fixture(scope="module")
def planted_study() -> Results:
    """Eight problems and four optimizers of random costs; some targets are reached by none."""
    rng = np.random.default_rng(5)
    problems, optimizers = [f"p{i}" for i in range(8)], list("abcd")
    seeds = (*range(5), *range(TUNING_SEEDS_FROM, TUNING_SEEDS_FROM + 3))
    packed, cells = {}, []
    for problem in problems:
        for optimizer in optimizers:
            costs = np.cumsum(rng.uniform(1, 9, (len(seeds), len(RATES), 10)), axis=-1)
            most = 3 if problem in ("p0", "p5") else 9
            reached = rng.integers(0, most, (len(seeds), len(RATES), 1))
            costs[np.arange(10) >= reached] = NEVER
            cells.append(cell(problem, optimizer, trials=len(RATES)))
            made = log(costs, seeds=seeds)
            kind = {"value_and_gradients": costs}
            made = dataclasses.replace(
                made,
                status=made.status.astype(str),
                hit_calls=kind,
                calls={kind_: made.cost for kind_ in kind},
            )
            packed[cells[-1].key] = pack_trajectory(made)
    return Results(
        folder=None,
        study={"name": "planted", "budget": 1000.0, "target": 1e-4, "targets": TARGETS}
        | {"reference": "c"},
        environment={},
        problems={label: ProblemRecord(label=label) for label in problems},
        optimizers=tuple(optimizers),
        cells=tuple(cells),
        load=packed.get,
    )


# All pairs


def test_cells_that_did_not_finish_stay_in_sight():
    logs = {
        ("bowl", "a"): climbing(1.0),
        ("bowl", "b"): None,
        ("bowl", "c"): None,
        ("bowl", "d"): None,
    }
    cells = [
        cell("bowl", "a"),
        cell("bowl", "b", "failed", message="objective is nan", run_seconds=None),
        cell("bowl", "c", "not applicable", message="no Fisher matrix", compile_seconds=None),
    ]
    summary = summary_of(logs, cells)
    assert [p.status for p in summary.pairs] == [
        "finished", "failed", "not applicable", "unfinished"
    ]  # fmt: skip
    text = summary.text()
    assert "1 finished, 1 failed, 1 not applicable, 1 unfinished" in text
    assert "b on bowl: objective is nan" in text
    (a, _, c, _) = sorted(standings(summary.pairs), key=lambda s: s.optimizer)
    assert (a.solved, a.applicable, c.solved, c.applicable) == (1, 1, 0, 0)


def test_a_shared_program_is_compiled_once():
    logs = {("bowl", name): climbing(1.0) for name in "abc"}
    cells = [cell("bowl", "a", group="a + b"), cell("bowl", "b", group="a + b"), cell("bowl", "c")]
    summary = summary_of(logs, cells)
    assert (summary.compile_seconds, summary.run_seconds) == (4.0, 1.5)
    assert "Compiled in 4.0 s, ran in 1.5 s." in summary.text()


def test_all_runs_are_counted_by_how_they_ended():
    status = np.full((2, 4), Status.DIVERGED, object)
    status[0, 0] = Status.NON_FINITE
    costs = np.full((2, 4, 10), NEVER)
    logs = {("bowl", "a"): log(costs, status=status), ("bowl", "b"): climbing(1.0, starts=2)}
    logs = {names: own_starts(found) for names, found in logs.items()}
    summary = summary_of(logs)
    assert summary.endings == {"reached target": 8, "diverged": 7, "non-finite": 1}
    told = "All 16 distinct runs at all settings: 8 reached, 7 diverged, 1 non-finite."
    assert told in summary.text()


def own_starts(found):
    """The same runs, each seed at other values."""
    scales = np.arange(1.0, 1 + len(found.seeds))[:, None, None]
    return dataclasses.replace(found, value=found.value * scales)


def test_runs_that_seeds_repeat_are_counted_once():
    same = climbing(1.0, starts=5)
    value = same.value.copy()
    value[3:] *= 2  # two groups of seeds that share a run
    value[4, 1] *= 2  # but for one setting of the last
    summary = summary_of({("bowl", "a"): dataclasses.replace(same, value=value)})
    assert summary.endings == {"reached target": 2 * 4 + 1}
    assert summary_of({("bowl", "a"): own_starts(same)}).endings == {"reached target": 20}


def test_standings_by_hand():
    logs = {
        ("p", "fast"): climbing(1.0), ("q", "fast"): climbing(8.0), ("r", "fast"): climbing(1.0),
        ("p", "slow"): climbing(2.0), ("q", "slow"): climbing(2.0), ("r", "slow"): None,
        ("p", "weak"): climbing(1.0, reaches=1), ("q", "weak"): climbing(1.0, reaches=1),
        ("r", "weak"): climbing(1.0, reaches=1),
    }  # fmt: skip
    cells = [cell(*names, status="finished" if found else "not applicable")
             for names, found in logs.items()]  # fmt: skip
    slow, fast, weak = standings(summary_of(logs, cells).pairs)
    assert (slow.optimizer, slow.solved, slow.applicable, slow.fastest) == ("slow", 2, 2, 1)
    assert slow.ratio == pytest.approx(np.sqrt(2))  # 2 and 1
    assert (fast.optimizer, fast.solved, fast.fastest) == ("fast", 3, 2)
    assert fast.ratio == pytest.approx(4 ** (1 / 3))  # 1, 4 and 1
    assert (weak.optimizer, weak.solved, weak.ratio) == ("weak", 0, None)
    assert weak.failures == {"budget exhausted": 9}


# The page


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (2, 9), (12, 18), (16, 3), (40, 50)])
@pytest.mark.parametrize("width", [60, 100, 160])
def test_the_page_is_never_exceeded(shape, width):
    names = itertools.product(range(shape[0]), range(shape[1]))
    shared = [climbing(cost) for cost in (3.0, 40.0)] + [log(np.full((3, 4, 10), NEVER))]
    logs = {
        (f"a_problem_of_some_length[dim={p}]", f"clip_by_something(optimizer_{o})[max_norm=1.0]"):
        shared[(p + o) % 3] for p, o in names
    }  # fmt: skip
    lines = summary_of(logs).text(width).splitlines()
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= width
    assert lines[0].startswith(f"tried: {shape[0]} problem")
    assert "Compiled in" in " ".join(lines[-2:])


def test_few_pairs_are_shown_one_by_one_best_first():
    logs = {("bowl", "slow"): climbing(20.0), ("bowl", "fast"): climbing(3.0)}
    lines = summary_of(logs).text().splitlines()
    (start,) = (i for i, line in enumerate(lines) if line.startswith("problem"))
    assert lines[start + 1].split()[:-1] == [
        "bowl", "fast", "1e-10", "3/3", "30", "[30,", "30]", "0.1", "1.0", "-"
    ]  # fmt: skip
    assert lines[start + 2].split()[1] == "slow"
    assert "oracle-tuned" in " ".join(lines[:start])


def test_many_problems_show_the_fastest_and_the_next():
    logs = {(f"p{p}", f"o{o}"): climbing(1.0 + (o - p) % 5) for p in range(10) for o in range(5)}
    lines = summary_of(logs).text().splitlines()
    row = next(line for line in lines if line.startswith("p3")).split()
    assert row[:4] == ["p3", "1e-10", "5/5", "o3"] and row[-3:-1] == ["o4", "20"]
    assert any(line.startswith("Solved") for line in lines)


def test_marks_appear_with_their_meaning_only_where_needed():
    exact = summary_of({("bowl", "a"): climbing(1.0)}).text()
    assert "~" not in exact and "^" not in exact
    marked = climbing(1.0, best=0)
    text = summary_of({("bowl", "a"): log(marked.hit_costs, resolution="log points")}).text()
    assert "~10 [10, 10]" in text and "0.001^" in text
    assert "~ log points only; ^ least or largest lr tried" in " ".join(text.splitlines())


def test_escape_is_called_escape():
    escaped = log(np.full((2, 4, 1), 9.0), targets=[-1.0], merit="escape")
    assert " escape " in summary_of({("saddle", "a"): escaped}).text()


# Tables


def test_a_table_gives_way_in_the_middle_of_its_elastic_column():
    rows = [["quadratic[condition_number=10]", "1"], ["quadratic[condition_number=1000]", "2"]]
    lines = align(["problem", "cost"], rows, width=24, right={1}).splitlines()
    assert lines == [
        "problem             cost",
        "quadratic…mber=10]     1",
        "quadratic…er=1000]     2",
    ]
    assert align(["a"], [["b"]], width=10) == "a\nb"


def test_a_table_leaves_out_what_it_can_spare_before_its_labels_are_cut_to_stumps():
    header, rows = ["optimizer", "cost", "score"], [["clip_by_value(adam)", "12", "0.5"]]
    full, short = (
        align(header, rows, width=width, right={1, 2}, spare=(2,)).splitlines()
        for width in (23, 22)
    )
    assert full == ["optimizer   cost  score", "clip_…dam)    12    0.5"]
    assert short == ["optimizer         cost", "clip_by_…e(adam)    12"]


def test_a_table_wraps_where_told():
    text = align(["k", "about"], [["x", "one two three four"]], width=13, elastic={1}, wrap=True)
    assert text == "k  about\nx  one two\n   three four"


def test_what_is_unknown_is_a_dash():
    assert [number(value) for value in (None, float("nan"), 0.0, 1234.5)] == [
        "-",
        "-",
        "0",
        "1.23e+03",
    ]
