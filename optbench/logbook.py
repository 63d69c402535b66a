"""The device's log, read block by block as arrays over all lanes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench.carry import Hits, Inputs, Log
from optbench.oracle import Calls
from optbench.trajectory import Merit


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
        ends: pytree of [*lanes, ...], the point at which each lane ended; () where none asks.
        gave_up: [*lanes] whether the method itself ended the lane; None where none can.
    """

    block: Block
    inputs: Inputs
    hits: Hits
    log: Log
    rows: int
    ends: Any
    gave_up: np.ndarray | None = None

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
        prices: [9] gradient-equivalents per kind of call, in float64 whatever the run's precision.
        budget: in gradient-equivalents.
        diagnostics: names of what was reported, in the order of the log.
    """

    seeds: tuple[int, ...]
    settings: Mapping[str, np.ndarray]
    recorded: tuple[int, ...]
    merit: Merit
    exact: bool
    targets: tuple[float, ...]
    noise_floor: float
    prices: np.ndarray
    budget: float
    diagnostics: tuple[str, ...]

    @property
    def lanes(self) -> tuple[int, int]:
        """(seeds, settings)."""
        return len(self.seeds), max((len(v) for v in self.settings.values()), default=1)


class Curves(NamedTuple):
    """What was logged of every lane."""

    value: np.ndarray  # [S, H, T], as all below
    norm: np.ndarray
    merit: np.ndarray
    cost: np.ndarray
    calls: dict[str, np.ndarray]  # by kind
    told: dict[str, np.ndarray]  # diagnostics, by name

    def blank(self, where: np.ndarray) -> None:
        """Forget what lies at these log points."""
        for array in (*self[:4], *self.calls.values(), *self.told.values()):
            array[where] = np.nan


class Book:
    """All blocks, read as arrays over all lanes."""

    def __init__(self, finished: Sequence[Finished], frame: Frame):
        self.finished, self.frame, self.lanes = finished, frame, frame.lanes
        self.inputs = finished[0].inputs
        self.rows = max(part.rows for part in finished)
        called = [p.log.calls[: p.rows].reshape(-1, len(Calls._fields)).any(0) for p in finished]
        used = np.any(called, axis=0)
        self.kinds = [(i, kind) for i, kind in enumerate(Calls._fields) if used[i]]

    @property
    def reference(self) -> float | None:
        """What is subtracted from f in the merit; None where that is the gradient norm."""
        return None if self.frame.merit == "gradient norm" else float(self.inputs.reference)

    def curves(self) -> Curves:
        """What was logged of every lane, with the merit and the cost that follow."""
        value, norm = self.logged(lambda log: log.value), self.logged(lambda log: log.gradient_norm)
        merit = norm if self.reference is None else value - self.reference
        calls = {kind: self.logged_calls(i) for i, kind in self.kinds}
        prices = self.frame.prices
        cost = sum((calls[kind] * prices[i] for i, kind in self.kinds), np.zeros_like(value))
        told = {
            name: self.logged(lambda log, i=i: log.diagnostics[:, i])
            for i, name in enumerate(self.frame.diagnostics)
        }
        return Curves(value, norm, merit, cost, calls, told)

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

    def points(self, recorded: Sequence[int], last: np.ndarray) -> Any:
        """Pytree of [R, T, ...]: points of the recorded lanes; NaN after the last row of each."""
        leaves, structure = jax.tree.flatten(self.finished[0].log.params)
        out = [
            np.full(
                (len(recorded), self.rows, *leaf.shape[2:]),
                np.nan,
                np.result_type(leaf.dtype, float),
            )
            for leaf in leaves
        ]
        for part in self.finished:
            own = recorded_in(recorded, self.lanes, part.block)
            for target, leaf in zip(out, jax.tree.leaves(part.log.params), strict=True):
                for slot, (position, _) in enumerate(own):
                    rows = last.flat[recorded[position]] + 1
                    target[position, :rows] = leaf[:rows, slot]
        return jax.tree.unflatten(structure, out)

    def hit_calls(self) -> np.ndarray:
        """[S, H, K, 9] calls at each hit."""
        return self.per_target(_hit_calls)


def _hit_calls(part: Finished) -> np.ndarray:
    """[K, *lanes, 9] calls at each hit, looked up in the events where they are shared."""
    hits = part.hits
    if hits.calls.ndim > 2:
        return hits.calls
    events = hits.events[: int(hits.num_events)]
    if not len(events):
        return np.zeros((*hits.steps.shape, hits.calls.shape[-1]), hits.calls.dtype)
    return hits.calls[np.searchsorted(events, hits.steps).clip(0, len(events) - 1)]
