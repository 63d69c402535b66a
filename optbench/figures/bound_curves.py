"""Runs next to a bound as curves, in panels: over steps, or over what sets the last step."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

UPPER = ", at most: "  # of a legend: a method, and the theorem that bounds it from above
Scale = Literal["relative", "ratio", "zero"]  # over the first bound, over each bound, as it is


@runtime_checkable
class Compared(Protocol):
    """One run next to its bound, as `optbench.checks.bounds` gives it.

    Attributes:
        instance: name of what it ran on.
        kind: why it is compared.
        seed: which of its starts.
        optimizer: label of what ran.
        setting: the theorem's parameter -> its value.
        k: [T] steps.
        observed: [T] what was observed.
        bound: [T] the bound.
        tolerance: error granted where the bound is zero.
        perturbed: [T] what is observed with a longer step, where the bound is zero.
        precise: whether the run had high precision.
        ratios: [T] observed / bound; NaN where they are not compared.
        ratio_k: the step at which the run is nearest to crossing the bound; None without one.
        crossing: the first step beyond the bound, with its step k; or None.
    """

    instance: Any
    kind: Any
    seed: Any
    optimizer: Any
    setting: Any
    k: Any
    observed: Any
    bound: Any
    tolerance: Any
    perturbed: Any
    precise: Any

    @property
    def ratios(self) -> np.ndarray:
        """Observed / bound."""
        ...

    @property
    def ratio_k(self) -> int | None:
        """The nearest step."""
        ...

    @property
    def crossing(self) -> Any:
        """The first crossing."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """What is drawn of one run, or of runs of one instance that end at different steps.

    Attributes:
        name: what the legend calls it: the kind of the instance, or what differs from it.
        x: [P] places.
        ratios: [P] observed / bound, or what is observed where the bound is zero.
        nearest: index of the point nearest to crossing the bound; None without one.
        crossed: index of the first point beyond the bound; None without one.
    """

    name: str
    x: np.ndarray
    ratios: np.ndarray
    nearest: int | None
    crossed: int | None


@dataclasses.dataclass(frozen=True, eq=False)
class Panel:
    """The runs of one setting.

    Attributes:
        setting: parameter -> value, of what is the same for all.
        axis: what the horizontal axis shows: "k", or a parameter.
        x: [P] where the bound is drawn.
        reference: [P] the bound: over its value at the first place, 1 where that is not positive
            and finite throughout, or the error granted where it is zero.
        scale: which of these.
        curves: the runs.
    """

    setting: Mapping[str, float]
    axis: str
    x: np.ndarray
    reference: np.ndarray
    scale: Scale
    curves: tuple[Curve, ...]

    @property
    def logarithmic(self) -> bool:
        """Whether places are best shown by their logarithm."""
        decades = 1 if self.axis == "k" else 2
        return bool(self.x[0] >= 0 and self.x[-1] >= 10**decades * max(self.x[0], 1))


def panels(comparisons: Sequence[Compared]) -> list[Panel]:
    """The panels of a theorem: one per setting, over k.

    Theorems that speak of one step per setting get one panel over the parameter that sets it, or
    over the first parameter.
    """
    axis = _axis(comparisons)
    groups: dict[tuple[tuple[str, float], ...], list[Compared]] = {}
    for c in comparisons:
        fixed = tuple((name, value) for name, value in c.setting.items() if name != axis)
        groups.setdefault(fixed, []).append(c)
    return [_panel(dict(fixed), axis, own) for fixed, own in groups.items()]


def _axis(comparisons: Sequence[Compared]) -> str:
    """The parameter on the horizontal axis, or "k"."""
    if any(len(c.k) > 1 for c in comparisons) or not any(c.setting for c in comparisons):
        return "k"
    for name in comparisons[0].setting:
        if len({(c.setting[name], c.k[0]) for c in comparisons}) == len({*_last(comparisons)}) > 1:
            return name
    return next(iter(comparisons[0].setting))


def _last(comparisons: Sequence[Compared]) -> list[int]:
    return [int(c.k[0]) for c in comparisons]


def _place(c: Compared, axis: str) -> np.ndarray:
    return np.asarray(c.k, float) if axis == "k" else np.array([float(c.setting[axis])])


def _panel(setting: dict[str, float], axis: str, comparisons: list[Compared]) -> Panel:
    bounds: dict[float, float] = {}
    for c in comparisons:
        for at, bound in zip(_place(c, axis), c.bound, strict=True):
            bounds.setdefault(float(at), float(bound))
    x = np.array(sorted(bounds))
    bound = np.array([bounds[float(at)] for at in x])
    zero = not any(np.any(c.bound) for c in comparisons)
    positive = np.all((bound > 0) & np.isfinite(bound))
    scale: Scale = "zero" if zero else "relative" if positive else "ratio"
    if scale == "zero":
        reference = np.full_like(x, comparisons[0].tolerance)
    else:
        reference = bound / bound[0] if scale == "relative" else np.ones_like(x)
    curves = tuple(_curves(comparisons, axis, scale))
    return Panel(setting, axis, x, reference, scale, curves)


def _curves(comparisons: list[Compared], axis: str, scale: Scale) -> list[Curve]:
    """One curve per run; runs of one step each, at places of their own, are joined by instance."""
    runs: dict[Any, list[Compared]] = {}
    places: collections.Counter[Any] = collections.Counter()
    for index, c in enumerate(comparisons):
        family = (str(c.instance).split("[")[0], c.kind, c.seed, c.optimizer.split("[")[0])
        at = family, *_place(c, axis)
        runs.setdefault(index if len(c.k) > 1 else (family, places[at]), []).append(c)
        places[at] += 1
    curves = []
    several = len({c.optimizer.split("[")[0] for c in comparisons if not c.precise}) > 1
    for own in runs.values():
        curves.append(_curve(own, axis, scale, several))
        if scale == "zero" and all(c.perturbed is not None for c in own):
            x = np.concatenate([_place(c, axis) for c in own])
            longer = np.abs(np.concatenate([c.perturbed for c in own]))
            curves.append(Curve("step 3 % longer", x, longer, None, None))
    return curves


def _curve(own: list[Compared], axis: str, scale: Scale, several: bool) -> Curve:
    x = np.concatenate([_place(c, axis) for c in own])
    shown = np.concatenate([np.abs(c.observed) if scale == "zero" else c.ratios for c in own])
    steps = np.concatenate([np.asarray(c.k) for c in own])
    nearest = crossed = None
    if len(own) == 1:
        (c,) = own
        nearest = None if c.ratio_k is None else int(np.flatnonzero(steps == c.ratio_k)[0])
        if c.crossing is not None:
            crossed = int(np.flatnonzero(steps == c.crossing.k)[0])
    else:
        beyond = [index for index, c in enumerate(own) if c.crossing is not None]
        crossed = beyond[0] if beyond else None
    name = own[0].optimizer.split("[")[0] if several else str(own[0].kind)
    order = np.argsort(x, kind="stable")
    place = {int(old): new for new, old in enumerate(order)}
    return Curve(
        "high precision" if own[0].precise else name,
        x[order],
        shown[order],
        None if nearest is None else place[nearest],
        None if crossed is None else place[crossed],
    )


def with_uppers(panel: Panel, uppers: Sequence[Any]) -> Panel:
    """The panel of a lower bound, with the upper bounds on its methods.

    Args:
        panel: of a lower bound.
        uppers: as `optbench.checks.both_sides` finds them.
    """
    runs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for upper in uppers:
        fixed = {name: v for name, v in upper.setting.items() if name != panel.axis}
        if fixed == dict(panel.setting):
            name = f"{upper.method}{UPPER}{upper.theorem}"
            x = upper.k if panel.axis == "k" else np.full(len(upper.k), upper.setting[panel.axis])
            runs.setdefault(name, []).append((np.asarray(x, float), upper.ratios))
    added = []
    for name, parts in runs.items():
        x, ratios = (np.concatenate(values) for values in zip(*parts, strict=True))
        order = np.argsort(x, kind="stable")
        added.append(Curve(name, x[order], ratios[order], None, None))
    return dataclasses.replace(panel, curves=(*panel.curves, *added))
