"""Self-concordant functions: sums of logarithmic barriers.

All are

    f(x) = alpha (c.x - sum_i log(a_i.x - b_i)),

self-concordant with the constant M_f = alpha^(-1/2): |D^3 f[h, h, h]| <= 2 M_f (D^2 f[h, h])^(3/2).
With alpha = 1 they are standard self-concordant.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.bounds.instances import DIM, FAR, NUM_RANDOM
from optbench.bounds.real_data import tumors
from optbench.case import Instance
from optbench.problem import Constants, Problem
from optbench.start import start_near


def barrier_members(alphas: Sequence[float], starts: Sequence[float]) -> tuple[Instance, ...]:
    """Barriers with the letter M_f: on a line, at x* = 0 and far away, in 5 dimensions, of data.

    Args:
        alphas: the weights of those on a line.
        starts: x_0 - x* of those on a line, above -1.
    """
    line = [(alpha, start) for alpha in alphas for start in starts]
    return (
        *(_instance("worst", line_barrier(a, s, 0.0), a) for a, s in line),
        *(_instance("translated", line_barrier(a, s, FAR), a) for a, s in line),
        *(_instance("random", random_barrier(s), 2.0) for s in range(NUM_RANDOM)),
        _instance("data", exponential_regression(), 1.0),
    )


def _instance(kind: Any, problem: Problem, alpha: float) -> Instance:
    return Instance(kind, problem, symbols={"M_f": alpha**-0.5})


def line_barrier(alpha: float, start: float, minimizer: float) -> Problem:
    """f(x) = alpha (d - log d) on a line, d = 1 + x - x*: its Newton decrement over M_f is |d - 1|.

    Args:
        alpha: weight.
        start: x_0 - x*, above -1.
        minimizer: x*.
    """
    return _barrier(
        f"line_barrier[alpha={alpha:g}]",
        (np.ones((1, 1)), np.array([minimizer - 1.0])),
        (alpha, np.ones(1)),
        np.array([minimizer]),
        np.array([start]),
    )


def random_barrier(seed: int) -> Problem:
    """Ten random rows in 5 dimensions with alpha = 2, from within the Dikin ellipsoid of x*.

    Args:
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * DIM, DIM)) * rng.uniform(0.3, 3.0, (2 * DIM, 1))
    minimizer, slacks = rng.standard_normal(DIM), rng.uniform(0.2, 2.0, 2 * DIM)
    scaled = rows / slacks[:, None]
    length = rng.uniform(0.3, 0.8)
    direction = np.linalg.solve(np.linalg.cholesky(scaled.T @ scaled).T, rng.standard_normal(DIM))
    start = length * direction / np.linalg.norm(scaled @ direction)
    return _barrier(
        f"random_barrier[seed={seed}]",
        (rows, rows @ minimizer - slacks),
        (2.0, scaled.sum(axis=0)),
        minimizer,
        start,
    )


@functools.lru_cache(maxsize=1)
def exponential_regression() -> Problem:
    """The negative log-likelihood of exponential waiting times, f(x) = sum_i y_i u_i - log u_i.

    u_i = a_i.x is the rate: of breast_cancer, a_i are a one and 4 positive features over their
    means, and y_i is the area of a tumor over its mean, for the first ten tumors.
    """
    raw, _ = tumors()
    features = (raw / raw.mean(axis=0))[: 2 * DIM]
    rows = np.column_stack([np.ones(len(features)), features[:, [1, 4, 8, 9]]])
    targets = features[:, 3]
    minimizer = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    for _ in range(50):
        rates = rows @ minimizer
        grad = rows.T @ (targets - 1 / rates)
        step = np.linalg.solve(rows.T @ (rows / rates[:, None] ** 2), grad)
        minimizer = minimizer - step / (1 + np.sqrt(step @ grad))
    return _barrier(
        "exponential_regression",
        (rows, np.zeros(2 * DIM)),
        (1.0, rows.T @ targets),
        minimizer,
        0.02 * np.array([1.0, 0.0, 0.0, 0.0, 0.0]),
    )


def _barrier(
    name: str,
    walls: tuple[np.ndarray, np.ndarray],
    costs: tuple[float, np.ndarray],
    minimizer: np.ndarray,
    start: np.ndarray,
) -> Problem:
    data = (*walls, np.float64(costs[0]), costs[1])
    with jax.enable_x64(True):
        minimum = float(_weighed_barrier(minimizer, *data))
    return Problem(
        objective=_weighed_barrier,
        data=data,
        start=start_near(minimizer + start, scale=0.01 * float(np.linalg.norm(start))),
        minimum=minimum,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(convex=True),
        name=name,
    )


def _weighed_barrier(params: Any, rows: Any, offsets: Any, alpha: Any, cost: Any) -> Any:
    return alpha * (cost @ params - jnp.sum(jnp.log(rows @ params - offsets)))
