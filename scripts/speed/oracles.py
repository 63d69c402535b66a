"""What oracle calls, searches and compilation cost: each beside what it is measured against."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import jax
import numpy as np
from speed.cases import methods_of, problem_of

from optbench import trees
from optbench.errors import NotApplicable
from optbench.method import Method
from optbench.oracle import Oracle
from optbench.plan import Lanes, Plan
from optbench.run import execute, prepare

NUM_LANES = 200
SEARCHING = ("lbfgs", "bfgs", "gradient_descent_backtracking", "newton_cg", "damped_newton")


def in_turn(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, np.ndarray]:
    """Seconds of each way, ABCABC; the first round warms up and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(-1, repeats):
        for name, run in ways.items():
            began = time.perf_counter()
            run()
            if index >= 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: np.array(spent) for name, spent in seconds.items()}


def product_ratios(label: str, repeats: int) -> dict[str, float]:
    """Kind of call -> its seconds over those of a value and gradient, 200 lanes mapped."""
    problem = problem_of(label)
    with jax.enable_x64(True):
        starts = [problem.start(seed) for seed in range(NUM_LANES)]
        points = jax.tree.map(lambda *leaves: np.stack(leaves), *starts)
        oracle = Oracle(problem)
        kinds: dict[str, Callable] = {
            "value_and_gradient": lambda p, v: oracle.value_and_grad(p).grad,
            "value": lambda p, v: trees.scale(oracle.value(p), v),
            "hessian_product": lambda p, v: oracle.hessian_product(p)(v),
        }
        if problem.has_fisher:
            kinds["fisher_product"] = lambda p, v: oracle.fisher_product(p)(v)
        mapped = {name: jax.jit(jax.vmap(kind)) for name, kind in kinds.items()}
        ways = {
            name: lambda f=f: jax.block_until_ready(f(points, points)) for name, f in mapped.items()
        }
        seconds = in_turn(ways, repeats)
    base = seconds.pop("value_and_gradient")
    return {name: float(np.median(spent / base)) for name, spent in seconds.items()}


def lanes_over_loop(label: str, optimizer: str, repeats: int, budget: float) -> float:
    """Seconds of 200 lanes as a study runs them, over those of a loop that runs one by one."""
    problem, methods = problem_of(label), methods_of((optimizer,))
    plan, seeds = Plan(budget=budget), tuple(range(NUM_LANES))
    together = prepare(problem, methods, Lanes(seeds=seeds), plan)
    alone = [prepare(problem, methods, Lanes(seeds=(seed,)), plan) for seed in seeds]
    ways = {
        "together": lambda: execute(together),
        "loop": lambda: [execute(job) for job in alone],
    }
    seconds = in_turn(ways, repeats)
    return float(np.median(seconds["together"] / seconds["loop"]))


def compile_ratios(label: str, methods: dict[str, Method]) -> Iterator[tuple[str, float | None]]:
    """(optimizer, its compile seconds over Adam's), the first evaluation of both compiled before.

    None where the optimizer is not applicable.
    """
    problem, plan = problem_of(label), Plan(budget=100.0)
    for count, (name, method) in enumerate(methods.items()):
        lanes = Lanes(seeds=tuple(range(count + 2)))  # programs of their own
        first = "momentum" if name == "nesterov" else "nesterov"
        prepare(problem, methods_of((first,)), lanes, plan)
        seconds = []
        for chosen in (methods_of(("adam",)), [method]):
            jax.clear_caches()
            try:
                seconds.append(prepare(problem, chosen, lanes, plan).compile_seconds)
            except NotApplicable:
                yield name, None
                break
        else:
            yield name, 1.0 if name == "adam" else seconds[1] / seconds[0]
