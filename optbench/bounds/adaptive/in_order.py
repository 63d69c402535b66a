"""Losses that come one by one: gradients in a given order, handed to any optimizer."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Constants, Params, Problem
from optbench.start import start_near


class _Turn(NamedTuple):
    inner: State
    count: jax.Array


def in_order(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    decay: Scalar = 0.0,
) -> Optimizer:
    """Hand `optimizer` the gradient of row k of a finite sum in step k, and project its point.

    The rows are losses of an online game, which begins again after the last one. The k-th step,
    from k = 0, is divided by (k + 1)^`decay`.
    """

    def init(params: Params) -> State:
        return _Turn(optimizer.init(params), jnp.int32(0))

    def step(evaluation: Evaluation, state: _Turn, oracle: Oracle) -> Step:
        row = (state.count % oracle.num_rows)[None]
        rows = oracle.row_gradients(evaluation.params, row)
        seen = evaluation._replace(grad=jax.tree.map(lambda leaf: leaf[0], rows))
        taken = optimizer.step(seen, state.inner, oracle)
        moved = trees.add_scaled(taken.params, -1, evaluation.params)
        factor = (state.count + 1.0) ** -decay
        point = trees.add_scaled(evaluation.params, factor, moved)
        calls = Calls(row_gradients=1, prox=1)
        return Step(oracle.project(point), _Turn(taken.state, state.count + 1), calls)

    return Optimizer(init, step, feasible=True)


def _mean_of_linear(params: Any, rows: Any) -> Any:
    return jnp.mean(rows, axis=0) @ params


def listed(gradients: np.ndarray, start: np.ndarray, name: str) -> Problem:
    """f(x) = mean of <g_k, x> over k: with `in_order`, an optimizer sees g_0, g_1, ... .

    Args:
        gradients: [T, n] g_k.
        start: [n] x_0.
        name: its name.
    """
    return Problem(
        objective=_mean_of_linear,
        data=(np.asarray(gradients, float),),
        row_arrays=1,
        start=start_near(np.asarray(start, float)),
        bounded_below=not np.any(np.mean(gradients, axis=0)),
        constants=Constants(smoothness=0.0, convex=True),
        name=name,
    )


def _mean_in_box(params: Any, rows: Any, radius: Any) -> Any:
    return jnp.mean(rows, axis=0) @ params


def _to_box(params: Any, step: Any, rows: Any, radius: Any) -> Any:
    return jnp.clip(params, -radius, radius)


def linear_game(gradients: np.ndarray, radius: float, start: np.ndarray, name: str) -> Problem:
    """The losses <g_k, x> over the box |x_i| <= r; the best point is -r times the signs of sums.

    Args:
        gradients: [T, n] g_k.
        radius: r.
        start: [n] x_0.
        name: its name.
    """
    mean = np.mean(gradients, axis=0)
    return Problem(
        objective=_mean_in_box,
        prox=_to_box,
        data=(np.asarray(gradients, float), np.float64(radius)),
        row_arrays=1,
        start=start_near(np.asarray(start, float), scale=0.0),
        minimum=-radius * float(np.abs(mean).sum()),
        minimizer=-radius * np.sign(mean),
        minimum_kind="closed form",
        constants=Constants(smoothness=0.0, convex=True),
        name=name,
    )
