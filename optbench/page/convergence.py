"""The section of convergence: curves at the tuned settings, rates fitted to them, and theory."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from optbench import metrics
from optbench.figures.convergence import ESCAPE_LIMITS, merit_limits
from optbench.figures.curves import (
    Curve,
    Fit,
    curve_over,
    fitted_line,
    merit_scale,
    theory_line,
)
from optbench.figures.runs import Tuned
from optbench.page.source import Source
from optbench.rates import Abstention
from optbench.records import ProblemRecord
from optbench.report.rates import (
    COLUMNS,
    PairRate,
    Theory,
    beside_theory,
    cells_of,
    known_problem,
)
from optbench.summary.pairs import Pair, measure_at
from optbench.tracks import evaluation, tracks_of
from optbench.trajectory import Trajectory

POINTS = 64  # of a curve, at most
LINE_POINTS = 16  # of a line of a rate, at most
NUMBERS = ("final", "hardest", "hardest_cost", "seconds_per_step")


class Drawn(NamedTuple):
    """One optimizer on one problem at one setting, in what its table and its curves show.

    Attributes:
        tuned: its runs, at the setting.
        summary: as `optbench show` has it.
        rate: as `optbench rates` has it.
        curve: the merit over cost, as it is drawn on paper.
    """

    tuned: Tuned
    summary: Pair
    rate: PairRate
    curve: Curve


def convergence(source: Source) -> dict[str, Any] | None:
    """Problem by problem, each optimizer's curves, rates and numbers; None where nothing ran.

    Optimizers stand at their places in the study, at the setting that they were tuned to and,
    where such were published, at their defaults. Of those that did not finish, `why` is told alone.
    """
    if all(cell.status != "finished" for cell in source.results.cells):
        return None
    found = [_problem(source, label) for label in source.results.problems]
    return {"numbers": NUMBERS, "problems": found}


def drawn_pairs(source: Source, label: str) -> Iterator[Drawn]:
    """The optimizers that finished on a problem, in study order.

    Each at the setting that `optbench rates` and `optbench show` tell of, then, where such were
    published, at its defaults, under track D.
    """
    record, found = source.results.problems[label], source.results.finished_on(label)
    problem = known_problem(label, source.catalogs.problems) if found.logs else None
    for optimizer, log in found.logs.items():
        cell, target = found.cells[optimizer], found.target
        theory = Theory(problem, optimizer, source.catalogs.optimizers)
        tracks = {tracks_of(cell, log)[0]: found.tuned_index(optimizer)}
        if "D" in tracks_of(cell, log):
            tracks["D"] = cell.trials
        for track, index in tracks.items():
            summary = measure_at(index, cell, log, target, record)
            yield _drawn(dataclasses.replace(summary, track=track), index, target, log, theory)


def _drawn(summary: Pair, setting: int, target: int, log: Trajectory, theory: Theory) -> Drawn:
    judged = evaluation(log)
    cost = math.inf if summary.cost is None else summary.cost
    tuned = Tuned(trajectory=judged, setting=setting, target=target, cost=cost)
    assert summary.rate is not None
    rate = PairRate(
        problem=summary.problem,
        optimizer=summary.optimizer,
        setting=summary.setting,
        observed=summary.rate,
    )
    merit = judged.merit_values / merit_scale(judged)
    curve = curve_over(judged, setting, judged.cost, merit)
    return Drawn(tuned, summary, beside_theory(rate, judged.merit, theory), curve)


def _problem(source: Source, label: str) -> dict[str, Any]:
    record, drawn = source.results.problems[label], list(drawn_pairs(source, label))
    floor = record.noise_floor
    judged = [pair for pair in drawn if pair.summary.track != "D"]
    published = [pair for pair in drawn if pair.summary.track == "D"]
    tuned = {p.summary.optimizer: _line(source, p, record) for p in judged}
    defaults = {p.summary.optimizer: _line(source, p, record) for p in published}
    return {
        "starts": max((pair.summary.starts or 0 for pair in drawn), default=0),
        "limits": _limits(record, judged) if judged else None,
        "noise_floor": floor if math.isfinite(floor) and record.merit == "suboptimality" else None,
        "tuned": [
            tuned.get(o) or {"why": _why(source, label, o)} for o in source.results.optimizers
        ],
        "defaults": [defaults.get(o) for o in source.results.optimizers] if defaults else None,
    }


def _why(source: Source, label: str, optimizer: str) -> str:
    cell = source.results.cell(label, optimizer)
    return "unfinished" if cell is None else f"{cell.status}: {cell.message}"


def _limits(record: ProblemRecord, drawn: Sequence[Drawn]) -> tuple[float, float]:
    """Both ends of the axis of the merit, as on paper."""
    if record.merit == "escape":
        return ESCAPE_LIMITS
    tuned = {pair.summary.optimizer: pair.tuned for pair in drawn}
    curves = {pair.summary.optimizer: pair.curve for pair in drawn}
    return merit_limits(tuned, curves, record.noise_floor)


def _numbers(source: Source, pair: Drawn) -> np.ndarray:
    """The `NUMBERS`: NaN where not known; a final merit of most starts lost is infinite."""
    tuned, summary = pair.tuned, pair.summary
    row = source.comparison.row(summary.optimizer)
    hits = tuned.trajectory.hit_costs[:, [tuned.setting]]
    hardest = metrics.hardest_target(hits)
    final = tuned.trajectory.at_end(tuned.trajectory.merit_values)[:, tuned.setting]
    seconds = source.comparison.outcomes[summary.problem, row].seconds_per_step
    found = {
        "final": _median(final),
        "hardest": summary.hardest,
        "hardest_cost": None if hardest is None else _median(hits[:, 0, hardest]),
        "seconds_per_step": seconds,
    }
    return np.array([found[name] for name in NUMBERS], float)


def _median(values: np.ndarray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):  # the mean of two huge merits
        return float(np.median(metrics.as_costs(values)))


def _line(source: Source, pair: Drawn, record: ProblemRecord) -> dict[str, Any]:
    tuned, observed = pair.tuned, pair.rate.observed
    fitted = fitted_line(tuned, observed)
    theory = pair.rate.theory
    told = None if isinstance(observed, Abstention) else _told(pair.rate)
    return {
        "numbers": _numbers(source, pair),
        "setting": tuned.setting_text,
        "track": pair.summary.track,
        "failures": pair.summary.failures,
        "lost": tuned.failures_text,
        "rate": told,
        "no_rate": observed.reason if isinstance(observed, Abstention) else None,
        "theory": None if theory is None else theory.short,
        "cost": _affine_cost(tuned),
        "curves": {name: _over_axes(*curves) for name, curves in _quantities(tuned, record)},
        "fit": _packed_line(fitted),
        "theory_line": theory
        and _packed_line(theory_line(tuned, theory.kind, theory.value, fitted)),
    }


def _told(rate: PairRate) -> dict[str, str]:
    """What `optbench rates` prints of a rate, column by column."""
    told = dict(zip(COLUMNS, cells_of(rate), strict=True))
    return {name: told[name] for name in ("regime", "rate", "interval", "steps", "ratio")}


def _quantities(
    tuned: Tuned, record: ProblemRecord
) -> Iterator[tuple[str, tuple[Tuned, np.ndarray]]]:
    """Name of each quantity -> the runs it is known of, and [S, H, T] its values."""
    trajectory = tuned.trajectory
    yield "merit", (tuned, trajectory.merit_values / merit_scale(trajectory))
    if trajectory.merit != "gradient norm":
        yield "gradient norm", (tuned, trajectory.gradient_norm)
    minimizer = record.minimizer
    if minimizer is not None and not np.iscomplexobj(minimizer) and len(trajectory.recorded):
        known = distances(tuned, minimizer)
        if known is not None:
            yield "distance", known


def distances(tuned: Tuned, minimizer: np.ndarray) -> tuple[Tuned, np.ndarray] | None:
    """|x - x*| at the tuned setting, from the starts whose points are kept; None where none is.

    Args:
        tuned: runs and their tuned setting.
        minimizer: [n] x*.

    Returns:
        The runs from these starts, and [S, H, T] distances, NaN at other settings.
    """
    trajectory = tuned.trajectory
    seeds, settings = np.divmod(trajectory.recorded, trajectory.value.shape[1])
    kept = np.flatnonzero(settings == tuned.setting)
    if not len(kept):
        return None
    chosen = np.isin(np.arange(len(trajectory.seeds)), seeds[kept])
    runs = trajectory.of_seeds(chosen)
    values = np.full(runs.value.shape, np.nan)
    for seed in range(len(runs.seeds)):
        points = runs.points_of(seed, tuned.setting)
        assert points is not None
        away = np.linalg.norm(points - minimizer, axis=-1)
        values[seed, tuned.setting, : len(away)] = away
    return Tuned(**{**vars(tuned), "trajectory": runs}), values


def _affine_cost(tuned: Tuned) -> tuple[float, float] | None:
    """Cost at the start and per step, where every step of every start costs the same."""
    trajectory = tuned.trajectory
    cost = trajectory.cost[:, tuned.setting]
    steps = np.broadcast_to(trajectory.steps.astype(float), cost.shape)
    known = ~np.isnan(cost)
    last = steps[known].max()
    first = float(cost[0, 0])
    slope = (float(cost[known].max()) - first) / last if last else 0.0
    same = np.allclose(cost[known], first + slope * steps[known], rtol=1e-12, atol=0)
    return (first, float(slope)) if same else None


def _over_axes(tuned: Tuned, values: np.ndarray) -> dict[str, Any]:
    """Axis -> [4, G] places, median, best and worst start; [2, G] of one start alone.

    None over a cost that the steps give. `starts` is how many of them were looked at.
    """
    trajectory = tuned.trajectory
    steps = np.broadcast_to(trajectory.steps.astype(float), values.shape)
    return {
        "starts": len(trajectory.seeds),
        "steps": _packed_curve(tuned, steps, values),
        "cost": None if _affine_cost(tuned) else _packed_curve(tuned, trajectory.cost, values),
    }


def _packed_curve(tuned: Tuned, axis: np.ndarray, values: np.ndarray) -> np.ndarray:
    curve = curve_over(tuned.trajectory, tuned.setting, axis, values)
    kept = thinned(curve.cost, POINTS)
    rows = [curve.cost, curve.median, curve.low, curve.high]
    return _single(np.stack(rows[: 4 if len(tuned.trajectory.seeds) > 1 else 2])[:, kept])


def _packed_line(line: Fit | None) -> np.ndarray | None:
    """[3, G] steps, cost and merit of a line; None where there is none."""
    if line is None or not len(line.steps):
        return None
    kept = thinned(line.steps, LINE_POINTS)
    return _single(np.stack([line.steps, line.cost, line.merit])[:, kept])


def _single(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(np.float32)


def thinned(places: np.ndarray, most: int) -> np.ndarray:
    """Indices of at most so many ascending places, the first and the last, log-spaced between."""
    if len(places) <= most:
        return np.arange(len(places))
    from_one = 1 + places - places[0]
    asked = np.geomspace(1, from_one[-1], most)
    return np.unique(np.minimum(np.searchsorted(from_one, asked * (1 - 1e-12)), len(places) - 1))
