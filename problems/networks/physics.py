"""A network that solves a differential equation."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.layers import affine
from optbench.problem import Constants, Problem
from optbench.transforms.minibatches import minibatches
from problems.networks.layers import Draw, InitialWeights, least_squares, zeros

SLOPE = 3.0  # of the hidden units at the start, in standard deviations: bends within [0, 1]


def trial_solution(params: Any, points: Any) -> Any:
    """u = x (1 - x) N(x) at [n, 1] points: zero at both ends, whatever the network N."""
    hidden = jnp.tanh(affine(points, params["weights"], params["biases"]))
    return points * (1 - points) * (hidden @ params["readout"])


def negative_curvature(params: Any, points: Any) -> Any:
    """-u'' at [n, 1] points, by hand."""
    weights = params["weights"]
    hidden = jnp.tanh(affine(points, weights, params["biases"]))
    slope = (1 - hidden**2) * weights
    value, first, second = (
        basis @ params["readout"] for basis in (hidden, slope, -2 * hidden * slope * weights)
    )
    return 2 * value - 2 * (1 - 2 * points) * first - points * (1 - points) * second


def _solution_error(params: Any, points: Any, sources: Any) -> Any:
    return jnp.max(jnp.abs(trial_solution(params, points) - jnp.sin(jnp.pi * points)))


def poisson_network(
    hidden: int = 8, num_points: int = 32, *, batch_size: int | None = None
) -> Problem:
    """A physics-informed network: -u'' = pi^2 sin(pi x) on [0, 1], u(0) = u(1) = 0.

    u(x) = x (1 - x) N(x) with N one layer of tanh units meets the boundary conditions, and
    f = mean_i (u''(x_i) + pi^2 sin(pi x_i))^2 / 2 over midpoints x_i of equal intervals is a
    nonlinear least-squares problem. The exact solution is sin(pi x); the monitor
    `solution_error` is the largest deviation from it at the x_i. Ill-conditioned: f can be small
    long before it is at its minimum.

    Dimension: 3 hidden, 24 by default. Start: normal draws, biases 0. x*, f*: unknown; f* is
    small, and positive unless the network can interpolate.
    Constants: none holds globally.

    Source: Lagaris, Likas & Fotiadis (1998), "Artificial neural networks for solving ordinary and
    partial differential equations", IEEE Transactions on Neural Networks 9(5), pages 987-1000;
    Raissi, Perdikaris & Karniadakis (2019), "Physics-informed neural networks", Journal of
    Computational Physics 378, pages 686-707.

    Args:
        hidden: number of hidden units.
        num_points: where the equation is imposed.
        batch_size: points per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range.
    """
    if num_points < 1:
        raise OptbenchError(f"{num_points} points", "give num_points >= 1")
    points = (np.arange(num_points)[:, None] + 0.5) / num_points
    draws = {
        "weights": Draw((1, hidden), scale=SLOPE),
        "biases": zeros(hidden),
        "readout": Draw((hidden, 1)),
    }
    problem = Problem(
        **least_squares(negative_curvature),
        data=(points, np.pi**2 * np.sin(np.pi * points)),
        start=InitialWeights(draws),
        constants=Constants(convex=False),
        monitors=(("solution_error", _solution_error),),
        name="poisson_network",
        source="Lagaris, Likas & Fotiadis (1998), IEEE TNN 9(5), pages 987-1000",
    )
    return minibatches(problem, batch_size)
