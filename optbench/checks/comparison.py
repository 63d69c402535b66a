"""A bound next to a run, step by step, with what rounding allows."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from optbench.bound import Direction
from optbench.case import InstanceKind
from optbench.quantity import EPS

COMPARABLE = 100.0  # compared while the bound is this many times its rounding error


class Verdict(enum.StrEnum):
    """What a comparison of a bound with a run says."""

    HOLDS = "holds"
    CROSSED = "crossed"  # beyond rounding
    NOT_ATTAINED = "not attained"  # said to be tight, and no worst instance comes within 0.1 %
    NOT_COMPARED = "not compared"  # rounding hides the bound from the first step on, or it is inf
    BREAKS = "breaks in float64"  # and holds in the high-precision run beside it
    NEVER_BREAKS = "said to break"  # in float64, and does not, or in high precision too


@dataclasses.dataclass(frozen=True)
class Crossing:
    """A step at which the run is on the wrong side of the bound."""

    k: int
    observed: float
    bound: float

    def to_json(self) -> dict[str, Any]:
        """The crossing as plain Python."""
        return {"k": self.k, "observed": finite(self.observed), "bound": finite(self.bound)}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """One bound next to one run.

    Attributes:
        instance: name of the problem.
        kind: why it is compared; "given" is somebody's own.
        seed: which of its starts.
        setting: the theorem's parameter -> its value.
        optimizer: label of the method that was run.
        direction: which side the bound is on.
        k: [T] steps.
        observed: [T] the theorem's quantity on the run; NaN after the run's end.
        bound: [T] the bound; where it says nothing, inf of an upper and -inf of a lower one.
        rounding: [T] absolute rounding error of what is observed.
        roundings: [T] how many roundings x_k has gathered.
        tolerance: relative error granted to an identity; absolute, where it states zero.
        perturbed: [T] what is observed where the method's step is 3 % longer; asked for where the
            bound states zero, which no factor changes.
        precise: whether the run had high precision.
    """

    instance: str
    kind: InstanceKind
    seed: int
    setting: Mapping[str, float]
    optimizer: str
    direction: Direction
    k: np.ndarray
    observed: np.ndarray
    bound: np.ndarray
    rounding: np.ndarray
    roundings: np.ndarray
    tolerance: float
    perturbed: np.ndarray | None = None
    precise: bool = False

    @functools.cached_property
    def states_zero(self) -> bool:
        """Whether the bound is zero at every step."""
        return not self.bound.any()

    @functools.cached_property
    def num_compared(self) -> int:
        """The comparison ends at the first step whose bound is lost in rounding."""
        lost = (np.abs(self.bound) <= COMPARABLE * self.rounding) & np.isfinite(self.observed)
        return int(lost.argmax()) if lost.any() and not self.states_zero else len(self.k)

    @property
    def last_k(self) -> int | None:
        """The last step compared."""
        return int(self.k[self._compared][-1]) if self._compared.any() else None

    @functools.cached_property
    def _compared(self) -> np.ndarray:
        """[T] where a bound that says something is not lost in rounding."""
        return (np.arange(len(self.k)) < self.num_compared) & np.isfinite(self.bound)

    @functools.cached_property
    def ratios(self) -> np.ndarray:
        """[T] observed / bound; NaN where they are not compared."""
        compared = self._compared & (self.bound != 0)
        return np.divide(self.observed, self.bound, np.full(len(self.k), np.nan), where=compared)

    @property
    def ratio(self) -> float | None:
        """Observed / bound where the run is nearest to crossing the bound, or farthest beyond."""
        return None if self._nearest is None else float(self.ratios[self._nearest])

    @property
    def ratio_k(self) -> int | None:
        """The step at which `ratio` is observed."""
        return None if self._nearest is None else int(self.k[self._nearest])

    @functools.cached_property
    def _nearest(self) -> int | None:
        over = self._excesses
        return None if np.isnan(over).all() else int(np.nanargmax(over))

    @functools.cached_property
    def _excesses(self) -> np.ndarray:
        """[T] how far the run is beyond the bound, as a share of it."""
        over = self.beyond(self.ratios, 1.0)
        below = (self.bound < 0) & (self.direction != "identity")  # a quotient turns the sides
        return np.where(below, -over, over)

    @property
    def excess(self) -> float | None:
        """How far the run is beyond the bound at `ratio_k`, as a share of it."""
        return None if self._nearest is None else float(self._excesses[self._nearest])

    def beyond(self, observed: Any, bound: Any) -> Any:
        """How far an observation is on the wrong side of the bound; negative within it."""
        over = observed - bound
        return {"upper": over, "lower": -over, "identity": np.abs(over)}[self.direction]

    def crossings(self, factor: float = 1.0) -> np.ndarray:
        """[T] where the run is beyond the bound, its constant multiplied by a factor.

        A run that has ended early, diverged or not finite, is beyond any bound; so is any run
        where the bound is NaN, or infinite on the side where that says something.
        """
        return self._crossings(self.observed, factor)

    def _crossings(self, observed: np.ndarray, factor: float) -> np.ndarray:
        lower = (self.direction == "lower") != (self.bound < 0)  # larger is closer to the run
        bound = self.bound * np.where(lower, 1 / factor, factor)
        relative = 8 * EPS * np.maximum(self.k, self.roundings)
        if self.direction == "identity":
            relative = np.maximum(relative, self.tolerance)
        size = np.abs(np.where(np.isfinite(bound), bound, 0.0))
        granted = self.tolerance if self.states_zero else relative * size
        within = self.beyond(observed, bound) <= self.rounding + granted
        wrong = ~(within & np.isfinite(observed))
        return wrong & (np.arange(len(self.k)) < self.num_compared)

    def catches(self, factor: float) -> bool:
        """Whether the bound would be crossed, were its constant wrong by a factor.

        A bound of zero has no constant: there the method's step is made 3 % longer instead.
        """
        if self.perturbed is not None:
            return bool(self._crossings(self.perturbed, 1.0).any())
        return bool(self.crossings(factor).any())

    @property
    def crossing(self) -> Crossing | None:
        """The first step at which the bound is crossed."""
        crossed = np.flatnonzero(self.crossings())
        if not len(crossed):
            return None
        at = crossed[0]
        return Crossing(int(self.k[at]), float(self.observed[at]), float(self.bound[at]))

    @property
    def verdict(self) -> Verdict:
        """What it says of the bound."""
        if self.crossings().any():
            return Verdict.CROSSED
        return Verdict.HOLDS if self._compared.any() else Verdict.NOT_COMPARED

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain Python, without the curves."""
        return {
            "instance": self.instance,
            "kind": self.kind,
            "seed": self.seed,
            "setting": dict(self.setting),
            "optimizer": self.optimizer,
            "verdict": str(self.verdict),
            "ratio": finite(self.ratio),
            "ratio_k": self.ratio_k,
            "precise": self.precise,
            "first_k": int(self.k[0]),
            "last_k": self.last_k,
            "crossing": self.crossing and self.crossing.to_json(),
        }


def finite(value: float | None) -> float | None:
    """A number that JSON can hold: None for what is not finite."""
    return value if value is not None and np.isfinite(value) else None
