"""Reading the device's log: blocks of lanes become one `Trajectory`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench.loop import Hits, Inputs, Log
from optbench.oracle import Calls
from optbench.trajectory import Merit, Status, Trajectory

STALLED_GAIN = 1e-3  # stalled: the second half of the cost gained less than this share of the merit
ROUNDING = 1 + 1e-12  # a cost is a sum of products


@dataclasses.dataclass(frozen=True)
class Block:
    """Some of the lanes, run together: slices into the seeds and the settings."""

    seeds: slice
    settings: slice

    @property
    def shape(self) -> tuple[int, int]:
        """(seeds, settings)."""
        return (
            self.seeds.stop - self.seeds.start,
            self.settings.stop - self.settings.start,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
    """One block that has run.

    Attributes:
        block: its lanes.
        inputs: what it ran on.
        hits: when its lanes met each target.
        log: what was logged.
        rows: how many rows of the log are filled.
        ends: pytree of [*lanes, ...], the last point of each lane.
    """

    block: Block
    inputs: Inputs
    hits: Hits
    log: Log
    rows: int
    ends: Any

    @property
    def rank(self) -> int:
        """The number of lane axes: 2 where lanes are nested, 1 where they are flat."""
        return self.inputs.stop_level.ndim

    def unfold(self, array: np.ndarray, axis: int = 0) -> np.ndarray:
        """An array with the lane axes at `axis`, as [seeds, settings] there."""
        before, after = array.shape[:axis], array.shape[axis + self.rank :]
        return array.reshape(*before, *self.block.shape, *after)


def recorded_in(
    recorded: Sequence[int], lanes: tuple[int, int], block: Block
) -> list[tuple[int, int]]:
    """(position in `recorded`, flat index inside the block) of the recorded lanes of a block."""
    seeds, settings = block.shape
    found = []
    for position, lane in enumerate(recorded):
        seed, setting = divmod(lane, lanes[1])
        seed, setting = seed - block.seeds.start, setting - block.settings.start
        if 0 <= seed < seeds and 0 <= setting < settings:
            found.append((position, seed * settings + setting))
    return found


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """What the blocks of a run share.

    Attributes:
        seeds: along S.
        settings: swept hyperparameter -> [H].
        recorded: flat lanes whose points were kept.
        merit: what targets are fractions of.
        exact: whether hits were seen at every step.
        targets: fractions of the initial merit, hardest last.
        noise_floor: rounding error of f; no target counts below 10x.
        diagnostics: names of what was reported, in the order of the log.
    """

    seeds: tuple[int, ...]
    settings: Mapping[str, np.ndarray]
    recorded: tuple[int, ...]
    merit: Merit
    exact: bool
    targets: tuple[float, ...]
    noise_floor: float
    diagnostics: tuple[str, ...]

    @property
    def lanes(self) -> tuple[int, int]:
        """(seeds, settings)."""
        return len(self.seeds), max((len(v) for v in self.settings.values()), default=1)


def assemble(
    finished: Sequence[Finished],
    frame: Frame,
    *,
    curvature: np.ndarray | None,
    compile_seconds: float,
    run_seconds: float,
) -> Trajectory:
    """The trajectory of all lanes from the blocks they ran in.

    A lane ends at its last log point within the budget, or at the first one where it is
    non-finite, diverged or at the stop level. Later entries and later hits are blank; so are hits
    of targets below 10x the noise floor, and, where the merit is the gradient norm, those of a lane
    that ends where the smallest Hessian eigenvalue is below -tolerance, with the tolerance the
    smallest gradient norm it was asked for and met: a saddle is no minimizer.

    Args:
        finished: the blocks.
        frame: what they share.
        curvature: [S, H] smallest Hessian eigenvalue at the end; None where it decides nothing.
        compile_seconds: spent building the program.
        run_seconds: spent running it.
    """
    book = _Book(finished, frame.lanes)
    inputs = finished[0].inputs
    reference = None if frame.merit == "gradient norm" else float(inputs.reference)
    curves = book.curves(reference)
    last = _last(curves, book, inputs)
    steps = inputs.grid[: book.rows].astype(np.int64)
    hits = _hits(book, frame, steps[last], curvature)
    status = _status(curves, book, last, hits.reached)
    told = {
        name: book.logged(lambda log, i=i: log.diagnostics[:, i])
        for i, name in enumerate(frame.diagnostics)
    }
    initial_merit = curves.merit[..., 0].copy()
    blank = np.arange(book.rows) > last[..., None]
    calls = curves.calls
    for array in (curves.value, curves.norm, curves.cost, *calls.values(), *told.values()):
        array[blank] = np.nan
    return Trajectory(
        steps=steps,
        value=curves.value,
        gradient_norm=curves.norm,
        cost=curves.cost,
        calls=calls,
        targets=np.asarray(frame.targets),
        hit_steps=hits.steps,
        hit_costs=hits.calls @ inputs.prices,
        hit_calls={kind: hits.calls[..., i] for i, kind in book.kinds},
        resolution="exact" if frame.exact else "log points",
        merit=frame.merit,
        reference=reference,
        initial_merit=initial_merit,
        status=status,
        last=last,
        seeds=frame.seeds,
        settings={name: np.asarray(values) for name, values in frame.settings.items()},
        recorded=np.asarray(frame.recorded, np.int64),
        params=book.points(frame.recorded),
        diagnostics=told,
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )


class _Curves(NamedTuple):
    value: np.ndarray  # [S, H, T], as all below
    norm: np.ndarray
    merit: np.ndarray
    cost: np.ndarray
    calls: dict[str, np.ndarray]


class _Hits(NamedTuple):
    steps: np.ndarray  # [S, H, K]
    calls: np.ndarray  # [S, H, K, 6]
    reached: np.ndarray  # [S, H] whether every target that counts was met


class _Book:
    """All blocks, read as arrays over all lanes."""

    def __init__(self, finished: Sequence[Finished], lanes: tuple[int, int]):
        self.finished, self.lanes = finished, lanes
        self.rows = max(part.rows for part in finished)
        called = [p.log.calls[: p.rows].reshape(-1, len(Calls._fields)).any(0) for p in finished]
        used = np.any(called, axis=0)
        self.kinds = [(i, kind) for i, kind in enumerate(Calls._fields) if used[i]]

    def curves(self, reference: float | None) -> _Curves:
        """What was logged of every lane, with the merit and the cost that follow."""
        value, norm = self.logged(lambda log: log.value), self.logged(lambda log: log.gradient_norm)
        merit = norm if reference is None else value - reference
        calls = {kind: self.logged_calls(i) for i, kind in self.kinds}
        prices = self.finished[0].inputs.prices
        cost = sum((calls[kind] * prices[i] for i, kind in self.kinds), np.zeros_like(value))
        return _Curves(value, norm, merit, cost, calls)

    def logged(self, of: Callable[[Log], np.ndarray]) -> np.ndarray:
        """[S, H, T] from what each block logged as [C, *lanes]; NaN where it stopped early."""
        out = np.full((*self.lanes, self.rows), np.nan)
        for part in self.finished:
            rows = part.unfold(np.asarray(of(part.log))[: part.rows], axis=1)
            out[part.block.seeds, part.block.settings, : part.rows] = np.moveaxis(rows, 0, -1)
        return out

    def logged_calls(self, kind: int) -> np.ndarray:
        """[S, H, T] calls of one kind, counted once for all lanes or lane by lane."""

        def of(log: Log) -> np.ndarray:
            calls = log.calls[..., kind]
            lead = (1,) * (log.value.ndim - calls.ndim)
            return np.broadcast_to(calls.reshape(*calls.shape, *lead), log.value.shape)

        return self.logged(of)

    def per_lane(self, of: Callable[[Finished], np.ndarray]) -> np.ndarray:
        """[S, H, ...] from what each block holds as [*lanes, ...]."""
        first = self.finished[0]
        shape = (*self.lanes, *of(first).shape[first.rank :])
        out = np.full(shape, np.nan)
        for part in self.finished:
            out[part.block.seeds, part.block.settings] = part.unfold(of(part))
        return out

    def per_target(self, of: Callable[[Finished], np.ndarray]) -> np.ndarray:
        """[S, H, K, ...] from what each block holds as [K, *lanes, ...]."""
        return self.per_lane(lambda part: np.moveaxis(of(part), 0, part.rank))

    def points(self, recorded: Sequence[int]) -> Any:
        """Pytree of [R, T, ...]: points of the recorded lanes; NaN where a block stopped early."""
        leaves, structure = jax.tree.flatten(self.finished[0].log.params)
        out = [np.full((len(recorded), self.rows, *leaf.shape[2:]), np.nan) for leaf in leaves]
        for part in self.finished:
            own = recorded_in(recorded, self.lanes, part.block)
            for target, leaf in zip(out, jax.tree.leaves(part.log.params), strict=True):
                for slot, (position, _) in enumerate(own):
                    target[position, : part.rows] = leaf[: part.rows, slot]
        return jax.tree.unflatten(structure, out)


def _last(curves: _Curves, book: _Book, inputs: Inputs) -> np.ndarray:
    """[S, H] index of the log point at which each lane ends."""
    ended = curves.merit > book.per_lane(lambda part: part.inputs.diverged_level)[..., None]
    ended |= curves.merit <= book.per_lane(lambda part: part.inputs.stop_level)[..., None]
    ended |= ~np.isfinite(curves.value)
    first = np.where(ended.any(-1), ended.argmax(-1), book.rows)
    affordable = (curves.cost <= inputs.budget * ROUNDING).sum(-1)
    return np.maximum(np.minimum(affordable - 1, first), 0)


def _hits(book: _Book, frame: Frame, last_step: np.ndarray, curvature: np.ndarray | None) -> _Hits:
    """The hits that count: before each lane's end, above the noise, and at no saddle."""
    inputs, num = book.finished[0].inputs, len(frame.targets)
    steps = book.per_target(lambda part: part.hits.steps)[..., :num]
    calls = book.per_target(_hit_calls)[..., :num, :]
    levels = book.per_target(lambda part: part.inputs.levels)[..., :num]
    missed = (steps < 0) | (steps > last_step[..., None])
    missed |= calls @ inputs.prices > inputs.budget * ROUNDING
    floor = 10 * frame.noise_floor if frame.merit == "suboptimality" else -np.inf
    if curvature is not None:
        tolerance = np.where(missed, np.inf, levels).min(-1)
        missed |= ~(curvature >= -tolerance)[..., None]
    reached = (~missed | (levels < floor)).all(-1)
    missed |= levels < floor
    steps[missed], calls[missed] = np.nan, np.nan
    return _Hits(steps, calls, reached)


def _hit_calls(part: Finished) -> np.ndarray:
    """[K, *lanes, 6] calls at each hit, looked up in the events where they are shared."""
    hits = part.hits
    if hits.calls.ndim > 2:
        return hits.calls
    events = hits.events[: int(hits.num_events)]
    if not len(events):
        return np.zeros((*hits.steps.shape, hits.calls.shape[-1]), hits.calls.dtype)
    return hits.calls[np.searchsorted(events, hits.steps).clip(0, len(events) - 1)]


def _status(curves: _Curves, book: _Book, last: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """[S, H] how each lane ended."""

    def at_last(array: np.ndarray) -> np.ndarray:
        return np.take_along_axis(array, last[..., None], -1)[..., 0]

    spent = at_last(curves.cost)[..., None]
    finite = np.where(np.isfinite(curves.merit), curves.merit, np.inf)
    half = np.where(curves.cost <= spent / 2, finite, np.inf).min(-1)
    best = np.where(curves.cost <= spent, finite, np.inf).min(-1)
    known = np.isfinite(half)
    gained = np.where(known, half, np.inf) - np.where(known, best, 0)
    merit = at_last(curves.merit)
    ends = {
        Status.REACHED: reached | (merit <= book.per_lane(lambda part: part.inputs.stop_level)),
        Status.NON_FINITE: ~np.isfinite(at_last(curves.value)),
        Status.DIVERGED: merit > book.per_lane(lambda part: part.inputs.diverged_level),
        Status.STALLED: gained <= STALLED_GAIN * np.abs(half),
    }
    return np.select(list(ends.values()), [str(end) for end in ends], str(Status.BUDGET))
