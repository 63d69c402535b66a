"""How many lanes run together: those whose points fit the cache, and few that wait for each other.

Where the number of oracle calls varies over lanes, a step lasts until its slowest lane is done.
That is cheap where an evaluation is, and dear where it is not: 200 lanes of L-BFGS on the logistic
loss of 500 rows ran 10 times slower together than one after the other, in blocks of 20 1.2 times.
"""

from __future__ import annotations

import functools
from typing import Any

import jax

from optbench.problem import Problem

BLOCK_BYTES = 6 << 20  # points of a block, times STATE_COPIES, stay below this
STATE_COPIES = 6  # arrays of the size of the parameters that a typical step touches
WAITING_FLOPS = 2e6  # of the evaluations of all lanes that wait for each other


def block_lanes(num_seeds: int, num_settings: int, most: int) -> tuple[int, int]:
    """How many (seeds, settings) run together, at most `most` lanes in all."""
    settings = _largest_divisor(num_settings, most)
    seeds = _largest_divisor(num_seeds, max(1, most // num_settings))
    return seeds, settings


def most_lanes(problem: Problem, start: Any, *, waiting: bool) -> int:
    """The most lanes that should run together.

    Args:
        problem: the problem.
        start: shapes and dtypes of its params.
        waiting: whether lanes wait for each other.
    """
    in_cache = max(1, BLOCK_BYTES // (8 * STATE_COPIES * problem.dim))
    if not waiting:
        return in_cache
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), problem.data)
    leaves, structure = jax.tree.flatten((start, shapes))
    flops = _flops(problem.objective, structure, tuple((s.shape, str(s.dtype)) for s in leaves))
    return min(in_cache, max(1, int(WAITING_FLOPS / max(1.0, flops))))


@functools.lru_cache(maxsize=256)
def _flops(objective: Any, structure: Any, leaves: tuple[Any, ...]) -> float:
    """Operations of a value and gradient, as XLA counts them before it optimizes."""
    avals = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in leaves]
    start, data = jax.tree.unflatten(structure, avals)
    counted = jax.jit(jax.value_and_grad(objective)).lower(start, *data).cost_analysis()
    return float((counted or {}).get("flops", 0.0))


def _largest_divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, number + 1) if number % d == 0 and d <= max(1, limit))
