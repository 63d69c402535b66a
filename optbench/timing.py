"""How fast this machine is: at compiling, and at stepping over many lanes of a problem."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.lanes import LANES, SEEDS, SHARED, lead, over_lanes
from optbench.member import step_key
from optbench.oracle import Oracle
from optbench.problem import Problem
from optbench.program import Shape, outline, precision

ENOUGH_SECONDS = 0.01  # of one measurement
MOST_ROUNDS = 1 << 16
REPEATS = 3  # the fastest counts: whatever disturbs makes slower

_TICKS: dict[Any, float] = {}


def seconds_per_tick(problem: Problem, shape: Shape) -> float:
    """Seconds of one step of Adam and one evaluation, of all lanes of a block.

    Measured once for all problems of the same structure.

    Args:
        problem: the problem.
        shape: of the program.
    """
    cast = dataclasses.replace(problem, data=trees.cast(problem.data, shape.dtype))
    start = trees.cast(problem.start(0), shape.dtype)
    key = outline(cast), outline(start), shape.lanes, shape.dtype
    if key not in _TICKS:
        with precision(shape.dtype):
            _TICKS[key] = _per_tick(cast, start, shape)
    return _TICKS[key]


def _per_tick(problem: Problem, start: Any, shape: Shape) -> float:
    lanes = shape.lanes
    points = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (*lanes, *np.shape(leaf))), start)
    keys = np.zeros((*lead(SEEDS, lanes), 2), np.uint32)

    def lane(state: Any, key: Any, step: Any, problem: Problem) -> Any:
        x, m, v = state
        g = Oracle(problem, step_key(key, step)).value_and_grad(x).grad
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * abs(g) ** 2, v, g)
        return jax.tree.map(lambda x, m, v: x - 1e-9 * m / (v + 1) ** 0.5, x, m, v), m, v

    mapped = over_lanes(lane, (LANES, SEEDS, SHARED, SHARED), LANES, lanes)

    @jax.jit
    def descend(points: Any, problem: Problem, rounds: Any) -> Any:
        state = points, jax.tree.map(jnp.zeros_like, points), jax.tree.map(jnp.zeros_like, points)
        return jax.lax.fori_loop(0, rounds, lambda k, s: mapped(s, keys, k, problem), state)

    def run(rounds: int) -> float:
        began = time.perf_counter()
        jax.block_until_ready(descend(points, problem, np.int32(rounds)))
        return time.perf_counter() - began

    run(1)
    return per_round(run)


def per_round(run: Any) -> float:
    """Seconds of one round, from as many as are worth measuring.

    Args:
        run: number of rounds -> seconds.
    """
    rounds = 1
    while (seconds := run(rounds)) < ENOUGH_SECONDS and rounds < MOST_ROUNDS:
        rounds = min(MOST_ROUNDS, 4 * rounds)
    return min(seconds, *(run(rounds) for _ in range(REPEATS - 1))) / rounds


def seconds_of_yardstick() -> float:
    """CPU seconds that a small fixed program takes to compile: the unit of compile times.

    Unlike those of a clock, they hardly change with what else the machine is busy with.
    """

    def body(_: Any, state: Any) -> Any:
        x, m, v = state
        g = jax.grad(lambda x: jnp.sum(jnp.cos(x) * jnp.exp(-x * x)) + jnp.log1p(x @ x))(x)
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        return jnp.where(jnp.isfinite(g), x - 0.1 * m / (jnp.sqrt(v) + 1e-8), x), m, v

    x = jax.ShapeDtypeStruct((8, 16), np.dtype(np.float32))
    lowered = jax.jit(lambda *s: jax.lax.fori_loop(0, 9, jax.vmap(body, (None, 0)), s)).lower(
        x, x, x
    )
    began = time.process_time()
    lowered.compile()
    return time.process_time() - began
