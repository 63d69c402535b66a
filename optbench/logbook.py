"""Reading the device's log: blocks of lanes become one `Trajectory`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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


def assemble(
    finished: Sequence[Finished],
    *,
    seeds: tuple[int, ...],
    settings: Mapping[str, np.ndarray],
    recorded: Sequence[int],
    merit: Merit,
    exact: bool,
    targets: Sequence[float],
    noise_floor: float,
    curvature: np.ndarray | None,
    diagnostics: Sequence[str],
    compile_seconds: float,
    run_seconds: float,
) -> Trajectory:
    """The trajectory of all lanes from the blocks they ran in.

    A lane ends at its last log point within the budget, or at the first one where it is
    non-finite, diverged or at the stop level. Later entries and later hits are blank; so are hits
    of targets below 10x the noise floor, and, where the merit is the gradient norm, those of a lane
    that ends where the smallest Hessian eigenvalue is below -tolerance, with the tolerance the
    smallest gradient norm it was asked for and met: a saddle is no minimizer.
    """
    book = _Book(finished, (len(seeds), max((len(v) for v in settings.values()), default=1)))
    inputs = finished[0].inputs
    reference = None if merit == "gradient norm" else float(inputs.reference)
    value = book.logged(lambda log: log.value)
    norm = book.logged(lambda log: log.gradient_norm)
    merits = norm if reference is None else value - reference
    counts = {kind: book.logged_calls(i) for i, kind in book.kinds}
    cost = sum(counts[kind] * inputs.prices[i] for i, kind in book.kinds)
    levels = book.per_target(lambda part: part.inputs.levels)[..., : len(targets)]
    stop = book.per_lane(lambda part: part.inputs.stop_level)
    diverged = book.per_lane(lambda part: part.inputs.diverged_level)
    last = _last(cost <= inputs.budget * ROUNDING, value, merits, stop, diverged)
    steps = inputs.grid[: book.rows].astype(np.int64)
    hit_steps, hit_calls = _hits(book, len(targets), steps[last], inputs)
    floor = 10 * noise_floor if merit == "suboptimality" else 0.0
    unranked = (levels < floor) & (np.asarray(targets) > 0)
    hit_steps[unranked], hit_calls[unranked] = np.nan, np.nan
    if curvature is not None:
        tolerance = np.where(np.isfinite(hit_steps), levels, np.inf).min(-1)
        at_saddle = ~(curvature >= -tolerance)
        hit_steps[at_saddle], hit_calls[at_saddle] = np.nan, np.nan
    reached = (np.isfinite(hit_steps) | unranked).all(-1)
    status = _status(value, merits, cost, last, reached, stop, diverged)
    told = {name: book.logged(lambda log, i=i: log.diagnostics[:, i]) for i, name in
            enumerate(diagnostics)}  # fmt: skip
    blank = np.arange(book.rows) > last[..., None]
    for array in (value, norm, cost, *counts.values(), *told.values()):
        array[blank] = np.nan
    return Trajectory(
        steps=steps,
        value=value,
        gradient_norm=norm,
        cost=cost,
        calls=counts,
        targets=np.asarray(targets),
        hit_steps=hit_steps,
        hit_costs=hit_calls @ inputs.prices,
        hit_calls={kind: hit_calls[..., i] for i, kind in book.kinds},
        resolution="exact" if exact else "log points",
        merit=merit,
        reference=reference,
        initial_merit=merits[..., 0].copy(),
        status=status,
        last=last,
        seeds=seeds,
        settings={name: np.asarray(values) for name, values in settings.items()},
        recorded=np.asarray(recorded, np.int64),
        params=book.points(recorded),
        diagnostics=told,
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )


class _Book:
    """All blocks, read as arrays over all lanes."""

    def __init__(self, finished: Sequence[Finished], lanes: tuple[int, int]):
        self.finished, self.lanes = finished, lanes
        self.rows = max(part.rows for part in finished)
        called = [p.log.calls[: p.rows].reshape(-1, len(Calls._fields)).any(0) for p in finished]
        used = np.any(called, axis=0)
        self.kinds = [(i, kind) for i, kind in enumerate(Calls._fields) if used[i]]

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


def _last(
    affordable: np.ndarray,
    value: np.ndarray,
    merits: np.ndarray,
    stop: np.ndarray,
    diverged: np.ndarray,
) -> np.ndarray:
    """[S, H] index of the log point at which each lane ends."""
    ended = merits > diverged[..., None]
    ended |= merits <= stop[..., None]
    ended |= ~np.isfinite(value)
    first = np.where(ended.any(-1), ended.argmax(-1), value.shape[-1])
    return np.maximum(np.minimum(affordable.sum(-1) - 1, first), 0)


def _hits(
    book: _Book, num_targets: int, last_step: np.ndarray, inputs: Inputs
) -> tuple[np.ndarray, np.ndarray]:
    """[S, H, K] steps and [S, H, K, 6] calls of the hits before each lane's end."""
    steps = book.per_target(lambda part: part.hits.steps)[..., :num_targets]
    calls = book.per_target(_hit_calls)[..., :num_targets, :]
    missed = (steps < 0) | (steps > last_step[..., None])
    missed |= calls @ inputs.prices > inputs.budget * ROUNDING
    steps[missed], calls[missed] = np.nan, np.nan
    return steps, calls


def _hit_calls(part: Finished) -> np.ndarray:
    """[K, *lanes, 6] calls at each hit, looked up in the events where they are shared."""
    hits = part.hits
    if hits.calls.ndim > 2:
        return hits.calls
    events = hits.events[: int(hits.num_events)]
    if not len(events):
        return np.zeros((*hits.steps.shape, hits.calls.shape[-1]), hits.calls.dtype)
    return hits.calls[np.searchsorted(events, hits.steps).clip(0, len(events) - 1)]


def _status(
    value: np.ndarray,
    merits: np.ndarray,
    cost: np.ndarray,
    last: np.ndarray,
    reached: np.ndarray,
    stop: np.ndarray,
    diverged: np.ndarray,
) -> np.ndarray:
    """[S, H] how each lane ended."""

    def at_last(array: np.ndarray) -> np.ndarray:
        return np.take_along_axis(array, last[..., None], -1)[..., 0]

    spent = at_last(cost)[..., None]
    finite = np.where(np.isfinite(merits), merits, np.inf)
    half = np.where(cost <= spent / 2, finite, np.inf).min(-1)
    best = np.where(cost <= spent, finite, np.inf).min(-1)
    gained = np.where(np.isfinite(half), half, np.inf) - np.where(np.isfinite(half), best, 0)
    return np.select(
        [
            reached | (at_last(merits) <= stop),
            ~np.isfinite(at_last(value)),
            at_last(merits) > diverged,
            gained <= STALLED_GAIN * np.abs(half),
        ],
        [str(Status.REACHED), str(Status.NON_FINITE), str(Status.DIVERGED), str(Status.STALLED)],
        str(Status.BUDGET),
    )
