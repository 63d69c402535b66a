"""What of an optimizer is searched, over which range: declared once, for every problem alike."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import scipy.stats

from optbench.arguments import RATE
from optbench.errors import OptbenchError
from optbench.method import Method

Scale = Literal["log", "log of 1 - x"]
Side = Literal["low", "high"]  # an end of an axis
Space = Mapping[str, "Axis"]

MOST_AXES = 8  # of a space
SCRAMBLING = 20_250_101  # seeds the scrambling of the Sobol points, the same for every optimizer


@dataclasses.dataclass(frozen=True)
class Axis:
    """The range of one hyperparameter.

    Attributes:
        low: smallest value.
        high: largest value.
        scale: what is uniform over the range: log x, or log(1 - x) for a factor just below 1.
        extends: whether the best value may lie beyond the range, on any problem.
    """

    low: float
    high: float
    scale: Scale = "log"
    extends: bool = False

    def __post_init__(self) -> None:
        """Refuse what is no range.

        Raises:
            OptbenchError: the ends do not ascend, or lie where the scale is not defined.
        """
        inside = 0 < self.low if self.scale == "log" else self.high < 1
        if not (self.low < self.high < math.inf and inside):
            raise OptbenchError(
                f"an axis from {self.low} to {self.high} ({self.scale})",
                "give low below high, both above 0, or below 1 where 1 - x is searched",
            )

    def at(self, shares: np.ndarray) -> np.ndarray:
        """The values at shares in [0, 1] of the range, from `low` on."""
        if self.scale == "log":
            return self.low * (self.high / self.low) ** shares
        return 1 - (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** shares

    def beyond(self, side: Side) -> Axis:
        """As much again of the logarithmic range, beyond one end of it."""
        ratio = self.high / self.low
        if side == "low":
            return dataclasses.replace(self, low=self.low / ratio, high=self.low)
        return dataclasses.replace(self, low=self.high, high=self.high * ratio)


LEARNING_RATE = Axis(1e-5, 10.0, extends=True)
MOMENTUM = Axis(0.5, 0.99, "log of 1 - x")
SECOND_MOMENT = Axis(0.9, 0.999, "log of 1 - x")
THRESHOLD = Axis(1e-2, 1e2, extends=True)

# What is searched of any optimizer that declares nothing else: the hyperparameters of these names.
AXES: Space = {
    "learning_rate": LEARNING_RATE,
    "momentum": MOMENTUM,
    "beta": MOMENTUM,
    "b1": MOMENTUM,
    "b2": SECOND_MOMENT,
    "decay": SECOND_MOMENT,
    "damping": Axis(1e-6, 1.0, extends=True),
    "hessian_lipschitz": Axis(1e-2, 1e3, extends=True),
    "max_norm": THRESHOLD,
    "max_delta": THRESHOLD,
    "max_rms": THRESHOLD,
    "clipping": THRESHOLD,
}


def searched(**axes: Axis) -> Callable[[Any], Any]:
    """Declare what of an optimizer is searched, in place of `AXES`; nothing, if it tunes itself.

    Args:
        **axes: argument -> its range, independent of any problem.
    """

    def declare(factory: Any) -> Any:
        factory.search_space = axes
        return factory

    return declare


def space_of(method: Method) -> Space:
    """The axes of a method, learning rate first: what it declares, less what its label gives.

    Nothing is searched where the label gives the learning rate: that setting is what is asked for.
    Of two owners of one name the innermost counts, as it does where a study sweeps.
    """
    if any(RATE in dict(layer.arguments) for layer in method.layers):
        return {}
    found: dict[str, Axis] = {}
    taken: set[str] = set()
    for owner in reversed(method.layers):
        declared = getattr(owner.factory, "search_space", AXES)
        for name, value in owner.continuous.items():
            if name in taken:
                continue
            taken.add(name)
            free = name not in dict(owner.arguments) and not isinstance(value, str)
            if free and name in declared:
                found[name] = declared[name]
    ordered = sorted(found, key=lambda name: (name != RATE, name))
    return {name: found[name] for name in ordered}


def sobol_trials(space: Space, num: int) -> dict[str, np.ndarray]:
    """`num` scrambled Sobol points of a space, the same shares of every axis for every optimizer.

    Args:
        space: the axes; the first of every space takes the same shares of its range.
        num: a power of two.

    Returns:
        name -> [num] values.

    Raises:
        OptbenchError: too many axes.

    Source: Sobol (1967); Owen (1998) for the scrambling; scipy.stats.qmc.
    """
    if len(space) > MOST_AXES:
        raise OptbenchError(
            f"a search over {', '.join(space)}", f"declare at most {MOST_AXES} axes"
        )
    engine = scipy.stats.qmc.Sobol(MOST_AXES, rng=np.random.default_rng(SCRAMBLING))
    points = engine.random_base2(int(num).bit_length() - 1)
    return {name: axis.at(points[:, i]) for i, (name, axis) in enumerate(space.items())}
