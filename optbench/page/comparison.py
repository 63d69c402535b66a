"""What a page compares over problems: costs of every run, from which it computes by itself."""

from __future__ import annotations

import collections
import math
from typing import Any

import numpy as np

from optbench.comparison import UNITS, Comparison, Outcome, in_unit
from optbench.exhibits import DRAWS, KINDS, optimizers_of, restarts_rng
from optbench.page.source import Source
from optbench.profiles import drawn_runs
from optbench.tracks import index_within
from optbench.trajectory import TARGETS, Status
from optbench.verdict import reference_row

STATES = ("finished", "failed", "not applicable", "unfinished")  # of a pair, by number
_BY_STEPS = "seconds"  # the unit that a page computes from steps

Outcomes = list[list[Outcome | None]]  # [P][O] of the headline row of each optimizer


def comparison(source: Source) -> dict[str, Any] | None:
    """Costs of P problems, O optimizers, S seeds and K targets; NaN where never or none.

    The setting of each pair is the one chosen for the target of the study, whatever target is
    looked at. `indices` [P, T] is the own target of each problem for each of the T `targets`;
    `costs` has hits [P, O, S, K] and spent [P, O, S] by unit, where seconds are those of a step.
    """
    compared = source.comparison
    if not compared.rows:
        return None
    outcomes = outcomes_of(compared)
    seeds = max(len(o.status) for line in outcomes for o in line if o is not None)
    most = max(len(o.targets) for line in outcomes for o in line if o is not None)
    targets, units = _targets(source), _units(compared, outcomes)
    labels = optimizers_of(compared)
    return {
        "units": {unit: UNITS[unit] for unit in units},
        "targets": targets,
        "target": targets.index(compared.target),
        "reference": labels.index(reference_row(compared, None).optimizer),
        "states": np.array(
            [[STATES.index(compared.statuses[p, o]) for o in labels] for p in compared.problems],
            np.uint8,
        ),
        "runs": _numbers(outcomes, lambda o: len(o.status)),
        "reach": _numbers(outcomes, lambda o: len(o.targets)),
        "indices": np.array([[_own(line, t) for t in targets] for line in outcomes], np.int32),
        "costs": {unit: _costs(compared, outcomes, unit, (seeds, most)) for unit in units},
        "restarts": _restarts(compared, outcomes, (seeds, most)),
        "endings": _endings(compared, outcomes, seeds),
    }


def outcomes_of(compared: Comparison) -> Outcomes:
    """[P][O] what the headline row of each optimizer comes to; None where it has nothing."""
    headlines = {row.optimizer: row for row in compared.headlines}
    return [
        [
            compared.outcomes.get((p, headlines[o])) if o in headlines else None
            for o in optimizers_of(compared)
        ]
        for p in compared.problems
    ]


def _targets(source: Source) -> list[float]:
    """The fractions that can be asked for, hardest last; the study's own is among them."""
    named = source.results.study.get("targets", TARGETS)
    return sorted({*map(float, named), float(source.comparison.target)}, reverse=True)


def _own(line: list[Outcome | None], target: float) -> int:
    """Index of a problem's own target for one that is asked for; 0 where nothing has run."""
    return next((index_within(o.targets, target) for o in line if o is not None), 0)


def _units(compared: Comparison, outcomes: Outcomes) -> list[str]:
    """The units that costs are known in: measured prices where every problem has them."""
    ran = [any(line) for line in outcomes]
    records = [r for r, has_run in zip(compared.problems.values(), ran, strict=True) if has_run]
    priced = all(record.prices is not None for record in records)
    return [unit for unit in UNITS if unit != "measured" or priced]


def _numbers(outcomes: Outcomes, number: Any) -> np.ndarray:
    """[P, O] a whole number of each outcome; 0 where there is none."""
    return np.array([[0 if o is None else number(o) for o in line] for line in outcomes], np.int32)


def _costs(
    compared: Comparison, outcomes: Outcomes, unit: str, sizes: tuple[int, int]
) -> dict[str, np.ndarray]:
    shape = (len(outcomes), len(outcomes[0]))
    if unit == _BY_STEPS:
        known = [[o.seconds_per_step or math.nan if o else math.nan for o in x] for x in outcomes]
        return {"step": np.array(known, float)}
    hits, spent = np.full((*shape, *sizes), math.nan), np.full((*shape, sizes[0]), math.nan)
    for p, record in enumerate(compared.problems.values()):
        for o, outcome in enumerate(outcomes[p]):
            if outcome is not None:
                runs, targets = outcome.hit_costs.shape
                hits[p, o, :runs, :targets] = in_unit(outcome, record, unit, at_target=True)
                spent[p, o, :runs] = in_unit(outcome, record, unit, at_target=False)
    return {"hits": hits, "spent": spent}


def _restarts(compared: Comparison, outcomes: Outcomes, sizes: tuple[int, int]) -> dict[str, Any]:
    """The draws behind COCO's runtimes, those alike together, for any unit.

    `times` [N, S] is how often a draw holds each run, `counts` [N] how many draws do so, and
    those of a problem, an optimizer and a target are `starts` [P, O, K] to the next.
    """
    seeds, most = sizes
    times: list[tuple[int, ...]] = []
    counts: list[int] = []
    starts = np.zeros((len(outcomes), len(outcomes[0]), most), np.int32)
    known = 0
    for p, problem in enumerate(compared.problems):
        for o, outcome in enumerate(outcomes[p]):
            rng = restarts_rng(problem)
            for k in range(most):
                starts[p, o, k] = known
                if outcome is None or k >= len(outcome.targets):
                    continue
                reached = np.isfinite(outcome.hit_costs[:, k])
                drawn = drawn_runs(reached, rng=rng, draws=DRAWS).tolist() if reached.any() else []
                alike = collections.Counter(map(tuple, drawn))
                times += [draw + (0,) * (seeds - len(draw)) for draw in alike]
                counts += alike.values()
                known += len(alike)
    return {
        "times": _small(np.array(times, int).reshape(-1, seeds)),
        "counts": _small(np.array(counts, int)),
        "starts": starts,
        "draws": DRAWS,
    }


def _small(counts: np.ndarray) -> np.ndarray:
    return counts.astype(np.uint8 if counts.max(initial=0) < 256 else np.int32)


def _endings(compared: Comparison, outcomes: Outcomes, seeds: int) -> dict[str, Any]:
    """How runs end: `counts` [P, O, E] by kind, a crash counted for every seed."""
    counts = np.zeros((len(outcomes), len(outcomes[0]), len(KINDS)), np.int32)
    for p, problem in enumerate(compared.problems):
        for o, label in enumerate(optimizers_of(compared)):
            outcome = outcomes[p][o]
            if compared.statuses[problem, label] == "failed":
                counts[p, o, KINDS.index(Status.CRASHED)] = seeds
            elif outcome is not None:
                counts[p, o] = [(outcome.status == kind).sum() for kind in KINDS]
    return {"kinds": [str(kind) for kind in KINDS], "counts": counts}
