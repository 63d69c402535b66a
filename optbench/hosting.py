"""Running a solver of the host, and keeping what the loop would have kept of it.

A step is an iteration, as the solver tells of it, and the point it reports is the iterate: hits
and log points are looked for there, off the budget. What the solver asks for is charged call by
call; the call that would overdraw the budget ends the lane, at its last iterate. Where a lane ends
between two log points, the later one shows its end. Lanes run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench import trees
from optbench.carry import Hits, Inputs, Log
from optbench.host import HostJob, HostOracle, Spent, measure
from optbench.logbook import Block, Finished
from optbench.oracle import Calls
from optbench.plan import levels_on, merit_of

_FIRST = {"value": Calls(values=1), "value_and_grad": Calls(value_and_gradients=1)}


class _Ended(BaseException):
    """The lane is done, or has come to its last log point; no error, as `Spent` is none."""


class _Row(NamedTuple):
    """One log point of one lane."""

    point: np.ndarray
    value: float
    norm: float
    calls: np.ndarray
    told: list[Any]  # by the monitors


def run_hosted(job: HostJob, tell: Callable[[float], None]) -> Finished:
    """Run all lanes of a job, in the precision of its plan."""
    seeds, settings = job.lanes.shape
    starts = [trees.cast(job.problem.start(seed), job.plan.dtype) for seed in job.lanes.seeds]
    points = [
        np.asarray(trees.coordinates(start, np), np.float64)
        for start in starts
        for _ in range(settings)
    ]
    inputs = _inputs(job, points)
    walks = []
    for lane, point in enumerate(points):

        def tell_lane(share: float, lane: int = lane) -> None:
            tell((lane + share) / len(points))

        walks.append(_Walk(job, inputs, lane, tell_lane))
        walks[-1].run(point)
    layout = trees.layout_of(starts[0])
    log = _log(walks, job.lanes.recorded, layout)
    by_gradient = merit_of(job.problem) == "gradient norm"
    return Finished(
        block=Block(slice(0, seeds), slice(0, settings)),
        inputs=inputs,
        hits=Hits(
            next_level=np.full(len(walks), np.nan),
            steps=np.stack([walk.hit_steps for walk in walks], -1),
            calls=np.stack([walk.hit_calls for walk in walks], 1),
            events=np.zeros(0, int),
            num_events=0,
        ),
        log=log,
        rows=len(log.value),
        ends=_stacked(layout, [walk.point for walk in walks]) if by_gradient else (),
        gave_up=np.array([walk.gave_up for walk in walks]),
    )


def _inputs(job: HostJob, points: list[np.ndarray]) -> Inputs:
    """What the loop would run on, one lane per point."""
    problem, plan = job.problem, job.plan
    seen = [_see(job, point) for point in points]
    values, norms = (np.array(numbers) for numbers in zip(*seen, strict=True))
    levels, stop, diverged = levels_on(problem, plan, values, norms)
    prices = plan.prices_on(problem)
    first = np.asarray(_FIRST[job.solver(0).asks[0]]) @ prices
    share = first / prices[Calls._fields.index("value_and_gradients")]
    grid = plan.grid(share if 0 < share < 1 else 1.0)
    reference = problem.saddle if problem.saddle is not None else problem.minimum
    return Inputs(
        problem=job.cast,
        hypers=(),
        member=0,
        keys=(),
        grid=grid,
        num_edges=len(grid),
        levels=np.stack(levels),
        stop_level=stop,
        diverged_level=diverged,
        reference=0.0 if reference is None else reference,
        prices=prices,
        budget=plan.limit,
        record=np.asarray(job.lanes.recorded, int),
    )


def _see(job: HostJob, point: np.ndarray) -> tuple[float, float]:
    """(f, |grad f|), off the budget."""
    seen = measure(job.functions["value_and_grad"], job.cast.data, job.plan.dtype, point)
    return float(seen[0]), float(np.linalg.norm(seen[1]))


class _Walk:
    """One lane: the iterates as they are told, and what is kept of them."""

    def __init__(self, job: HostJob, inputs: Inputs, lane: int, tell: Callable[[float], None]):
        self.job, self.inputs, self.lane, self.tell = job, inputs, lane, tell
        self.solver = job.solver(lane % job.lanes.shape[1])
        self.ask = HostOracle(
            functions=job.functions,
            data=job.cast.data,
            dtype=job.plan.dtype,
            prices=inputs.prices,
            budget=inputs.budget,
            calls=np.zeros(len(Calls._fields), int),
        )
        self.rows: list[_Row] = []
        self.step = -1
        self.gave_up = False
        self.hit_steps = np.full(len(inputs.levels), -1)
        self.hit_calls = np.zeros((len(inputs.levels), len(Calls._fields)), int)

    def run(self, start: np.ndarray) -> None:
        """Run the lane to its end."""
        try:
            self.look(start, np.asarray(_FIRST[self.solver.asks[0]]))
            self.solver.minimize(self.ask, start.copy(), self.told)
            self.gave_up = True
        except (Spent, _Ended):
            pass
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            if self.ask.finite:
                raise
            self.row = self.row._replace(value=np.nan, norm=np.nan)
        self.close()

    def close(self) -> None:
        """Write the end, and all that was spent on it, at the next log point."""
        spent = np.maximum(self.row.calls, self.ask.calls)
        moved = self.step > self.inputs.grid[len(self.rows) - 1]
        shown = not moved and np.array_equal(self.rows[-1].calls, spent)
        if not shown and len(self.rows) < len(self.inputs.grid):
            self.rows.append(self.row._replace(calls=spent))

    def told(self, point: np.ndarray) -> None:
        """Look at the next iterate."""
        budget, last = self.inputs.budget, int(self.inputs.grid[-1])
        spent = self.ask.calls @ self.inputs.prices
        self.tell(min(1.0, spent / budget if np.isfinite(budget) else self.step / last))
        self.look(np.array(point, np.float64), self.ask.calls)

    def look(self, point: np.ndarray, calls: np.ndarray) -> None:
        """Note hits, write the row of a log point, and end the lane where that is due."""
        inputs, lane = self.inputs, self.lane
        self.step, self.point = self.step + 1, point
        value, norm = _see(self.job, point)
        by_gradient = merit_of(self.job.problem) == "gradient norm"
        merit = norm if by_gradient else value - inputs.reference
        met = (merit <= inputs.levels[:, lane]) & (self.hit_steps < 0)
        self.hit_steps[met], self.hit_calls[met] = self.step, calls
        told = measure(self.job.functions["monitors"], self.job.cast.data, self.ask.dtype, point)
        self.row = _Row(point, value, norm, calls, told)
        if self.step == inputs.grid[len(self.rows)]:
            self.rows.append(self.row)
        low, high = inputs.stop_level[lane], inputs.diverged_level[lane]
        is_done = not np.isfinite(value) or merit <= low or merit > high
        if is_done or self.step >= inputs.grid[-1]:
            raise _Ended


def _log(walks: list[_Walk], recorded: tuple[int, ...], layout: trees.Layout) -> Log:
    """The rows of all lanes; NaN after the last one of each."""
    rows = max(len(walk.rows) for walk in walks)
    used = np.any([row.calls for walk in walks for row in walk.rows], axis=0)
    first = walks[0].rows[0]
    blank = _Row(
        point=first.point,
        value=np.nan,
        norm=np.nan,
        calls=np.where(used, np.nan, 0.0),
        told=[np.nan for _ in first.told],
    )
    padded = [walk.rows + [blank] * (rows - len(walk.rows)) for walk in walks]
    table = list(zip(*padded, strict=True))
    points = [row[lane].point for row in table for lane in recorded or (0,)]
    params = jax.tree.map(
        lambda leaf: leaf.reshape(rows, -1, *leaf.shape[1:])[:, : len(recorded)],
        _stacked(layout, points),
    )
    told = np.array([[row.told for row in at] for at in table], float)
    return Log(
        value=np.array([[row.value for row in at] for at in table]),
        gradient_norm=np.array([[row.norm for row in at] for at in table]),
        calls=np.array([[row.calls for row in at] for at in table]),
        params=params,
        diagnostics=np.moveaxis(told.reshape(rows, len(walks), -1), -1, 1),
        states=(),
    )


def _stacked(layout: trees.Layout, points: list[np.ndarray]) -> Any:
    """Coordinates of several points as one tree of [points, ...]."""
    unpacked = [trees.unpack(layout, point) for point in points]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *unpacked)
