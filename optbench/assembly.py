"""How every lane ended, and the `Trajectory` that says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from optbench.logbook import Book, Curves, Finished, Frame
from optbench.plan import ROUNDING
from optbench.trajectory import Status, Trajectory

STALLED_GAIN = 1e-3  # stalled: the second half of the cost gained less than this share of the merit


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
    non-finite, diverged or at the stop level. Later entries are blank, and so are hits after such
    a first one or beyond the budget (those between the last log point and the budget count), hits
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
    book = Book(finished, frame)
    curves = book.curves()
    last, first = _ends(curves, book)
    steps = book.inputs.grid[: book.rows].astype(np.int64)
    hits = _hits(book, np.append(steps, np.inf)[first], curvature)
    status, initial_merit = _status(curves, book, last, hits.reached), curves.merit[..., 0].copy()
    curves.blank(np.arange(book.rows) > last[..., None])
    return Trajectory(
        steps=steps,
        value=curves.value,
        gradient_norm=curves.norm,
        cost=curves.cost,
        calls=curves.calls,
        targets=np.asarray(frame.targets),
        hit_steps=hits.steps,
        hit_costs=hits.calls @ frame.prices,
        hit_calls={kind: hits.calls[..., i] for i, kind in book.kinds},
        resolution="exact" if frame.exact else "log points",
        merit=frame.merit,
        reference=book.reference,
        initial_merit=initial_merit,
        status=status,
        last=last,
        seeds=frame.seeds,
        settings={name: np.asarray(values) for name, values in frame.settings.items()},
        recorded=np.asarray(frame.recorded, np.int64),
        params=book.points(frame.recorded, last),
        diagnostics=curves.told,
        compile_seconds=compile_seconds,
        run_seconds=run_seconds,
    )


class _Hits(NamedTuple):
    steps: np.ndarray  # [S, H, K]
    calls: np.ndarray  # [S, H, K, 9]
    reached: np.ndarray  # [S, H] whether every target that counts was met


def _ends(curves: Curves, book: Book) -> tuple[np.ndarray, np.ndarray]:
    """[S, H] index of the log point at which each lane ends, and would end without a budget."""
    ended = curves.merit > book.per_lane(lambda part: part.inputs.diverged_level)[..., None]
    ended |= curves.merit <= book.per_lane(lambda part: part.inputs.stop_level)[..., None]
    ended |= ~np.isfinite(curves.value)
    first = np.where(ended.any(-1), ended.argmax(-1), book.rows)
    affordable = (curves.cost <= book.frame.budget * ROUNDING).sum(-1)
    return np.maximum(np.minimum(affordable - 1, first), 0), first


def _hits(book: Book, end_step: np.ndarray, curvature: np.ndarray | None) -> _Hits:
    """The hits that count: before each lane's end, above the noise, and at no saddle."""
    frame, num = book.frame, len(book.frame.targets)
    steps = book.per_target(lambda part: part.hits.steps)[..., :num]
    calls = book.hit_calls()[..., :num, :]
    levels = book.per_target(lambda part: part.inputs.levels)[..., :num]
    missed = (steps < 0) | (steps > end_step[..., None])
    missed |= calls @ frame.prices > frame.budget * ROUNDING
    floor = 10 * frame.noise_floor if frame.merit == "suboptimality" else -np.inf
    if curvature is not None:
        tolerance = np.where(missed, np.inf, levels).min(-1)
        missed |= ~(curvature >= -tolerance)[..., None]
    counts = levels >= floor
    reached = np.all(~missed | ~counts, axis=-1) & counts.any(-1)
    missed |= levels < floor
    steps[missed], calls[missed] = np.nan, np.nan
    return _Hits(steps, calls, reached)


def _status(curves: Curves, book: Book, last: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """[S, H] how each lane ended."""

    def at_last(array: np.ndarray) -> np.ndarray:
        return np.take_along_axis(array, last[..., None], -1)[..., 0]

    spent = at_last(curves.cost)[..., None]
    finite = np.where(np.isfinite(curves.merit), curves.merit, np.inf)
    half = np.where(curves.cost <= spent / 2, finite, np.inf).min(-1)
    best = np.where(curves.cost <= spent, finite, np.inf).min(-1)
    known = np.isfinite(half)
    gained = np.where(known, half, 0) - np.where(known, best, 0)
    stalled = known & (gained <= STALLED_GAIN * np.where(known, np.abs(half), 0))
    merit = at_last(curves.merit)
    stopped = merit <= book.per_lane(lambda part: part.inputs.stop_level)
    gave_up = book.per_lane(_gave_up) > 0
    ends = {
        Status.REACHED: reached,
        Status.NON_FINITE: ~np.isfinite(at_last(curves.value)),
        Status.DIVERGED: merit > book.per_lane(lambda part: part.inputs.diverged_level),
        Status.STALLED: stalled | stopped | gave_up,  # stopped with a target unmet: at a saddle
    }
    return np.select(list(ends.values()), [str(end) for end in ends], str(Status.BUDGET))


def _gave_up(part: Finished) -> np.ndarray:
    """[*lanes] whether the method itself ended the lane."""
    return np.zeros(part.inputs.stop_level.shape) if part.gave_up is None else part.gave_up
