"""Smooth convex functions that live on a part of space: a simplex, the inside of a polyhedron."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.problem import Constants, Problem
from optbench.start import start_near
from problems.convex_composite.projections import StartOnSimplex, onto_simplex
from problems.draws import data_rng


def _entropy(params: Any, costs: Any, floor: Any) -> Any:
    """sum_i x_i log x_i + c.x; below the floor, the second-order Taylor polynomial there."""
    above = jnp.maximum(params, floor)
    short = params - above
    tail = short * (jnp.log(floor) + 1) + short**2 / (2 * floor)
    return jnp.sum(above * jnp.log(above) + tail + costs * params)


def _barrier(params: Any, slopes: Any, heights: Any) -> Any:
    return -jnp.sum(jnp.log(heights - slopes @ params))


def entropy_simplex(dim: int = 10, floor: float = 1e-3, seed: int = 0) -> Problem:
    """f(x) = sum_i x_i log x_i + c.x on the simplex: x_i >= 0, sum_i x_i = 1.

    Below a floor e, x log x is continued by its second-order Taylor polynomial at e, convex and
    defined everywhere; so steps of gradient projection that land on the boundary do not end there.
    Neither x* nor f* change, as all x*_i lie above e.

    Dimension: `dim`. Start: the center (1 / n, ..., 1 / n); other seeds draw it uniformly from the
    simplex. Costs c are standard normal. x* = softmax(-c), f* = -log sum_i exp(-c_i).
    Constants: on the simplex f'' = 1 / max(x_i, e) lies between mu = 1 and L = 1 / e, and
    M = 1 / e^2. A slope lies between log e + c_i, at 0, and 1 + c_i, at 1: G is the length of the
    larger ones, an upper bound.

    Source: Beck & Teboulle (2003), "Mirror descent and nonlinear projected subgradient methods for
    convex optimization", Operations Research Letters 31(3), section 5.

    Args:
        dim: n, number of unknowns, at least 2.
        floor: e, positive and below all x*_i.
        seed: of the costs.

    Raises:
        OptbenchError: fewer than 2 dimensions, or a floor that x* does not lie above.
    """
    if dim < 2:
        raise OptbenchError(f"dim is {dim}", "give dim >= 2")
    costs = data_rng(seed).standard_normal(dim)
    shares = np.exp(np.min(costs) - costs)
    minimizer = shares / np.sum(shares)
    if not 0 < floor < np.min(minimizer):
        raise OptbenchError(
            f"floor is {floor}, and x* reaches down to {np.min(minimizer):.2g}",
            "give a positive floor below that",
        )
    steepest = np.maximum(np.abs(np.log(floor) + costs), np.abs(1 + costs))
    return Problem(
        objective=_entropy,
        data=(costs, np.float64(floor)),
        start=StartOnSimplex(dim),
        minimum=float(np.min(costs) - np.log(np.sum(shares))),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=1 / floor,
            strong_convexity=1.0,
            hessian_lipschitz=1 / floor**2,
            gradient_bound=float(np.linalg.norm(steepest)),
            convex=True,
        ),
        prox=onto_simplex,
        name="entropy_simplex",
        source="Beck & Teboulle (2003), Operations Research Letters 31(3), section 5",
    )


def analytic_center(num_constraints: int = 20, dim: int = 5, seed: int = 0) -> Problem:
    """f(x) = -sum_i log(b_i - a_i.x): the center of the polyhedron a_i.x <= b_i.

    A self-concordant barrier: f is defined inside, grows without bound towards the boundary, and is
    NaN beyond it. Newton's method converges at a speed that no choice of coordinates changes.

    All slopes but the last are standard normal, the slacks at x* lie between 10 and 20, and the
    last slope makes the gradient vanish there.

    Dimension: `dim`. Start: 9/10 of the way from x* to the boundary along a random direction; other
    seeds move it by 0.001 times a standard normal. x*: standard normal, drawn from the seed of the
    problem; f* = -sum_i log(slacks).
    Constants: convex; neither L nor M holds globally.

    Source: Boyd & Vandenberghe (2004), "Convex Optimization", section 8.5.3.

    Args:
        num_constraints: inequalities, more than `dim`.
        dim: number of unknowns.
        seed: of the polyhedron and of x*.

    Raises:
        OptbenchError: too few inequalities.
    """
    if not 1 <= dim < num_constraints:
        raise OptbenchError(
            f"{num_constraints} inequalities bound no set in {dim} dimensions",
            "give 1 <= dim < num_constraints",
        )
    rng = data_rng(seed)
    slopes = rng.standard_normal((num_constraints, dim))
    slacks = rng.uniform(10.0, 20.0, num_constraints)
    slopes[-1] = -slacks[-1] * (1 / slacks[:-1] @ slopes[:-1])
    minimizer, direction = rng.standard_normal((2, dim))
    reach = 1 / np.max(slopes @ direction / slacks)
    return Problem(
        objective=_barrier,
        data=(slopes, slacks + slopes @ minimizer),
        start=start_near(minimizer + 0.9 * reach * direction, scale=1e-3),
        minimum=float(-np.sum(np.log(slacks))),
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(strong_convexity=0.0, convex=True),
        name="analytic_center",
        source="Boyd & Vandenberghe (2004), section 8.5.3",
    )
