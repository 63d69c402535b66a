"""Where two versions of the same runs part: never, by rounding only, or from which step on."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from optbench.regression.paired_lanes import Lanes, match_lanes
from optbench.trajectory import Trajectory

Kind = Literal["identical", "rounding", "different", "not compared"]
FLOORS = 10  # noise floors below which nothing is told apart


@dataclasses.dataclass(frozen=True, kw_only=True)
class Divergence:
    """How the runs of one optimizer on one problem differ between two versions.

    Lanes are the same where seed and settings are. They are compared at the steps that both logs
    hold, as long as both run. A lane is *identical* where f and |grad f| are, bit for bit. Else
    it is equal up to *rounding* where the measure m of progress (f, or |grad f| where f* is
    unknown) stays within

        |m_A - m_B| <= eps^(2/3) (max(|m_A|, |m_B|) + |f*|) + 10 noise floors

    with eps of the coarser precision (3.7e-11 in float64, 2.4e-5 in float32): well above what
    some hundred roundings add up to, well below what a changed method does in a few steps. Long
    or chaotic runs make rounding grow beyond any bound; the step at which they cross this one is
    then late, and costs tell whether it matters.

    Attributes:
        problem: label.
        optimizer: label.
        kind: of the lane that differs most; not compared where no lane is shared.
        lanes: number of lanes that both have.
        rounding: how many of them are equal up to rounding only.
        different: how many of them differ beyond it.
        ends: how many of them end with another status.
        only_a: number of lanes that the first version alone has.
        only_b: number of lanes that the second alone has.
        first_step: first common step at which any lane differs at all; None where none does.
        first_beyond: first common step at which any lane differs beyond rounding.
    """

    problem: str
    optimizer: str
    kind: Kind
    lanes: int
    rounding: int = 0
    different: int = 0
    ends: int = 0
    only_a: int = 0
    only_b: int = 0
    first_step: int | None = None
    first_beyond: int | None = None

    @property
    def differs(self) -> bool:
        """Whether any lane takes another way, or ends otherwise."""
        return self.kind in ("rounding", "different") or self.ends > 0


def diverge(
    label: tuple[str, str], a: Trajectory, b: Trajectory, *, eps: float, noise_floor: float
) -> Divergence:
    """Compare the logs of one optimizer on one problem.

    Args:
        label: (problem, optimizer).
        a: the first version.
        b: the second.
        eps: spacing of floating-point numbers at 1, in the coarser precision.
        noise_floor: of the problem; NaN where unknown.
    """
    lanes = match_lanes(a, b)
    none = Divergence(
        problem=label[0],
        optimizer=label[1],
        kind="not compared",
        lanes=lanes.number,
        only_a=a.status.size - lanes.number,
        only_b=b.status.size - lanes.number,
    )
    if not lanes.number:
        return none
    steps, at_a, at_b = np.intersect1d(a.steps, b.steps, return_indices=True)
    running = at_a <= lanes.cut(a.last, 0)[..., None]
    running &= at_b <= lanes.cut(b.last, 1)[..., None]
    at = _Shared(lanes, (at_a, at_b), running)
    apart = at.unequal(a.value, b.value) | at.unequal(a.gradient_norm, b.gradient_norm)
    beyond = at.beyond(a, b, eps ** (2 / 3), FLOORS * float(np.nan_to_num(noise_floor)))
    different, moved = beyond.any(-1), apart.any(-1)
    kind: Kind = "different" if different.any() else "rounding" if moved.any() else "identical"
    return dataclasses.replace(
        none,
        kind=kind,
        rounding=int((moved & ~different).sum()),
        different=int(different.sum()),
        ends=int((lanes.cut(a.status, 0) != lanes.cut(b.status, 1)).sum()),
        first_step=_first(steps, apart),
        first_beyond=_first(steps, beyond),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Shared:
    """The lanes and log points that two logs share: [S, H, T]."""

    lanes: Lanes
    points: tuple[np.ndarray, np.ndarray]
    running: np.ndarray

    def both(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.lanes.cut(a, 0)[..., self.points[0]], self.lanes.cut(b, 1)[..., self.points[1]]

    def unequal(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        one, other = self.both(a, b)
        return self.running & (one != other) & ~(np.isnan(one) & np.isnan(other))

    def beyond(self, a: Trajectory, b: Trajectory, relative: float, floor: float) -> np.ndarray:
        """Where the measure of progress differs by more than rounding."""
        if a.reference is None or b.reference is None:
            one, other, offset = a.gradient_norm, b.gradient_norm, 0.0
        else:
            one, other, offset = a.value, b.value, max(abs(a.reference), abs(b.reference))
        unequal = self.unequal(one, other)
        one, other = self.both(one, other)
        with np.errstate(invalid="ignore"):  # what is not finite is beyond, unless equal
            room = relative * (np.maximum(np.abs(one), np.abs(other)) + offset) + floor
            near = (np.abs(one - other) <= room) & np.isfinite(room)
        return unequal & ~near


def _first(steps: np.ndarray, where: np.ndarray) -> int | None:
    found = np.flatnonzero(where.any((0, 1)))
    return int(steps[found[0]]) if len(found) else None
