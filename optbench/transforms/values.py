"""Problems in other units of f."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.problem import Constants, CriticalPoint, Params, Problem
from optbench.transforms.wrapper import Function, extend, label, require


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A function times the last entry of data."""

    function: Function

    def __call__(self, *arguments: Any) -> Any:
        """factor * function."""
        *inner, factor = arguments
        return factor * self.function(*inner)


@dataclasses.dataclass(frozen=True)
class ScaledResiduals:
    """Residuals whose half square is scaled."""

    residuals: Function

    def __call__(self, *arguments: Any) -> Any:
        """sqrt(factor) * residuals."""
        *inner, factor = arguments
        return jax.tree.map(lambda r: jnp.sqrt(factor) * r, self.residuals(*inner))


@dataclasses.dataclass(frozen=True)
class ScaledProx:
    """The prox of factor * h."""

    prox: Function

    def __call__(self, params: Params, step: Any, *data: Any) -> Params:
        """The prox of h, for a step so many times as long."""
        *inner, factor = data
        return self.prox(params, factor * step, *inner)


def scaled(problem: Problem, factor: float = 2.0) -> Problem:
    """factor * f: what rules a step size tuned by hand, and leaves Newton's and Adam's paths.

    Args:
        problem: any.
        factor: positive.

    Raises:
        OptbenchError: a factor that is not positive.
    """
    require(0 < factor < np.inf, "factor", factor, "a positive factor")

    def times(value: float | None, power: int = 1) -> float | None:
        return None if value is None else float(value * factor**power)

    known = problem.constants
    seen = extend(
        problem,
        np.float64(factor),
        objective=Scaled,
        output_loss=Scaled,
        nonsmooth=Scaled,
        sample_loss=Scaled,
        residuals=ScaledResiduals,
        prox=ScaledProx,
    )
    return dataclasses.replace(
        seen,
        minimum=times(problem.minimum),
        saddle=times(problem.saddle),
        critical_points=tuple(
            CriticalPoint(c.kind, c.value * factor, c.point) for c in problem.critical_points
        ),
        constants=Constants(
            smoothness=times(known.smoothness),
            strong_convexity=times(known.strong_convexity),
            hessian_lipschitz=times(known.hessian_lipschitz),
            gradient_bound=times(known.gradient_bound),
            noise_variance=times(known.noise_variance, 2),
            convex=known.convex,
            quadratic=known.quadratic,
            sharp=known.sharp,
        ),
        name=label(scaled, problem, factor=factor),
    )
