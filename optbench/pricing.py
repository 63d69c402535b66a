"""What oracle calls cost in seconds on this machine, in those of a value and gradient."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.oracle import Oracle, Prices
from optbench.plan import Plan
from optbench.problem import Problem
from optbench.program import precision
from optbench.timing import per_round

LANES = 64  # calls that run side by side, as in a study
TURNS = 5  # ABCABC: each kind of call is timed as often
_NUDGE = 1e-30  # ties each round to the one before, and changes no point

Call = Callable[[Oracle, Any], Any]  # (oracle, point) -> an array, or a tree of them


def measure_prices(problem: Problem, plan: Plan) -> Mapping[str, float]:
    """Prices of oracle calls as they are measured, in whole values and gradients.

    Every kind that the problem offers is compiled for 64 lanes in a loop, and timed in turns
    (ABCABC) against a value and gradient; the median ratio counts. A Hessian or Fisher product is
    timed with the linearization before it, and half a Fisher product is one with a Jacobian. What
    is not measured (prox, terms of finite sums, iterations of linear solvers) keeps its declared
    price, and where steps see samples all prices are shares of the whole, as declared ones are.

    Args:
        problem: the problem.
        plan: its declared prices and precision.

    Returns:
        kind of call -> price.
    """
    with precision(plan.dtype):
        ratios = _ratios(problem, plan.dtype)
    declared = dict(zip(Prices._fields, plan.prices_on(problem).tolist(), strict=True))
    unit = declared["value_and_gradients"]
    return declared | {kind: unit * ratio for kind, ratio in ratios.items()}


def _ratios(problem: Problem, dtype: str) -> dict[str, float]:
    kinds: dict[str, Call] = {
        "value_and_gradients": lambda oracle, x: oracle.value_and_grad(x).grad,
        "values": lambda oracle, x: oracle.value(x),
    }
    if problem.nonsmooth is None:
        kinds["hessian_products"] = lambda oracle, x: oracle.hessian_product(x)(x)
    if problem.has_fisher and problem.sample_loss is None:
        kinds["fisher_products"] = lambda oracle, x: oracle.fisher_product(x)(x)
    runs = {kind: _timed(problem, dtype, call) for kind, call in kinds.items()}
    turns = [{kind: per_round(run) for kind, run in runs.items()} for _ in range(TURNS)]
    base = "value_and_gradients"
    found = {kind: statistics.median(turn[kind] / turn[base] for turn in turns) for kind in runs}
    if "fisher_products" in found:
        found["jacobian_products"] = found["fisher_products"] / 2
    return found


def _timed(problem: Problem, dtype: str, call: Call) -> Callable[[int], float]:
    """Number of rounds -> seconds of as many calls, one after the other, in all lanes."""
    cast = dataclasses.replace(problem, data=trees.cast(problem.data, dtype))
    start = trees.cast(problem.start(0), dtype)
    points = jax.tree.map(lambda leaf: np.broadcast_to(leaf, (LANES, *np.shape(leaf))), start)

    def lane(x: Any, key: Any, problem: Problem) -> Any:
        answer = jax.tree.leaves(call(Oracle(problem, key), x))
        moved = _NUDGE * jnp.stack([jnp.sum(jnp.real(leaf)) for leaf in answer]).sum()
        return jax.tree.map(lambda leaf: leaf + moved.astype(leaf.dtype), x)

    @jax.jit
    def repeat(points: Any, problem: Problem, rounds: Any) -> Any:
        def once(k: Any, points: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(0), k)
            return jax.vmap(lane, (0, None, None))(points, key, problem)

        return jax.lax.fori_loop(0, rounds, once, points)

    def run(rounds: int) -> float:
        began = time.perf_counter()
        jax.block_until_ready(repeat(points, cast, np.int32(rounds)))
        return time.perf_counter() - began

    run(1)  # compiles
    return run
