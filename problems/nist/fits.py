"""Least squares: what makes a problem of a data set and a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.transforms.minibatches import minibatches
from problems.minima import known_minimum
from problems.nist.tables import data_set, local_minima

Model = Callable[[Any, Any], Any]  # (params, predictors) -> predictions
MARGIN = 0.1  # of a contour plot around starts and minimizer


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model says of the predictors."""

    model: Model

    def __call__(self, params: Any, observed: Any, predictors: Any) -> Any:
        """[n] predictions."""
        return self.model(params, predictors)


@dataclasses.dataclass(frozen=True)
class Residuals:
    """Observations less predictions, over sqrt(n)."""

    model: Model

    def __call__(self, params: Any, observed: Any, predictors: Any) -> Any:
        """[n] residuals."""
        return (observed - self.model(params, predictors)) / jnp.sqrt(observed.shape[0])


@dataclasses.dataclass(frozen=True)
class MeanSquare:
    """f(b) = sum_i (y_i - model(x_i; b))^2 / (2 n)."""

    model: Model

    def __call__(self, params: Any, observed: Any, predictors: Any) -> Any:
        """f."""
        return _output_loss(self.model(params, predictors), observed, predictors)


def _output_loss(predictions: Any, observed: Any, predictors: Any) -> Any:
    return jnp.mean((observed - predictions) ** 2) / 2


@dataclasses.dataclass(frozen=True, eq=False)
class StartInProportion:
    """Seed 0 starts at `center`; every other seed moves each coordinate by a share of itself.

    Attributes:
        center: [d], its coordinates of very different sizes.
        scale: of the normal draws that the coordinates are multiplied by, about 1.
    """

    center: np.ndarray
    scale: float = 0.1

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        if seed == 0:
            return self.center.copy()
        draws = np.random.default_rng(seed).standard_normal(self.center.shape)
        return self.center * (1 + self.scale * draws)


def fit(name: str, model: Model, start: int, batch_size: int | None) -> Problem:
    """The least-squares fit of a model to a data set of NIST.

    Args:
        name: of the data set.
        model: what is fitted.
        start: 1 (far) or 2 (near).
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start is neither 1 nor 2, or the batch size is not between 1 and the
            number of observations.
    """
    if start not in (1, 2):
        raise OptbenchError(f"start is {start}", "give 1 (far) or 2 (near)")
    data = data_set(name)
    dim = data.certified.size
    points = np.vstack([data.starts, data.certified])
    low, high = points.min(axis=0), points.max(axis=0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    problem = Problem(
        objective=MeanSquare(model),
        data=(data.observed, data.predictors),
        start=StartInProportion(data.starts[start - 1]),
        critical_points=local_minima(name),
        constants=Constants(convex=False),
        residuals=Residuals(model),
        outputs=Predictions(model),
        output_loss=_output_loss,
        row_arrays=2,
        region=tuple(zip(low.tolist(), high.tolist(), strict=True)) if dim == 2 else None,
        coordinates=tuple(f"b{index}" for index in range(1, dim + 1)),
        name=f"nist_{name.lower()}",
        source=f"NIST StRD nonlinear regression, {name}",
        **known_minimum(f"nist_{name.lower()}"),
    )
    return minibatches(problem, batch_size)
