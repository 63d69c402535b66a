"""The settings that a study tries of an optimizer: as many for each, whatever it has to tune."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from optbench.arguments import RATE
from optbench.method import Method
from optbench.space import Axis, Side, Space, sobol_trials, space_of


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Trials:
    """The settings that are tried of one optimizer.

    Attributes:
        space: what is searched; empty where it tunes itself.
        settings: name -> values: of the trials, then, where there is room, of the defaults.
        num: how many are trials; 0 where there is nothing to tune.
        default_source: where the defaults in the last setting were published; None if none are.
    """

    space: Space
    settings: Mapping[str, np.ndarray]
    num: int
    default_source: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(trials, settings)."""
        return self.num, max(1, *map(len, self.settings.values()), 0)


def propose(
    method: Method, num: int, grid: np.ndarray | None, default_source: str | None
) -> Trials:
    """The trials of a method, and its defaults.

    Args:
        method: the optimizer.
        num: trials, a power of two.
        grid: learning rates to run at in place of a search, and nothing else.
        default_source: where its defaults were published; None if nowhere.
    """
    space = space_of(method)
    if grid is not None:
        own = {name: axis for name, axis in space.items() if name == RATE}
        settings = dict.fromkeys(own, np.asarray(grid, float))
        return Trials(space={}, settings=settings, num=len(grid) if own else 0)
    if not space:
        return Trials(space={}, settings={}, num=0)
    trials = sobol_trials(space, num)
    last = {name: values[0] for name, values in trials.items()}
    if default_source is not None:
        innermost: dict[str, Any] = {h.name: h.value for h in method.hyperparameters()}
        last = {name: float(innermost[name]) for name in trials}
    settings = {name: np.append(values, last[name]) for name, values in trials.items()}
    return Trials(space=space, settings=settings, num=num, default_source=default_source)


def edges(space: Space, settings: Mapping[str, np.ndarray], index: int) -> dict[str, Side]:
    """The axes at whose edge a trial lies, no other being further out: name -> low or high.

    Args:
        space: what was searched.
        settings: name -> [num] values of the trials.
        index: of the trial.
    """
    found: dict[str, Side] = {}
    for name, axis in space.items():
        values = settings[name]
        if axis.extends and values[index] in (values.min(), values.max()):
            found[name] = "low" if values[index] == values.min() else "high"
    return found


def extended(trials: Trials, sides: Mapping[str, Side]) -> Trials:
    """As many trials again, beyond the edges of a space where the best one lay.

    Args:
        trials: those that were tried.
        sides: axis -> low or high.
    """
    space = {n: a.beyond(sides[n]) if n in sides else a for n, a in trials.space.items()}
    found = sobol_trials(space, trials.num)
    settings = {name: np.append(values, values[0]) for name, values in found.items()}
    return Trials(space=space, settings=settings, num=trials.num)


def space_to_json(space: Space) -> str:
    """A space as text."""
    return json.dumps({name: dataclasses.asdict(axis) for name, axis in space.items()})


def space_from_json(text: str) -> dict[str, Axis]:
    """The space that `space_to_json` was given."""
    return {name: Axis(**axis) for name, axis in json.loads(text).items()}
