"""Measure the loop: time per lane-step of Adam against other ways of running the same steps.

Every comparison is made in one process, interleaved (ABCABC), compilation apart. Columns:
`bare` is a hand-written vmapped loop of the same steps in the same blocks of lanes, without
logging or targets; `python` is a Python loop of jitted optax steps of one lane; `torch` is
torch.optim.Adam on one lane, where torch is installed. Below the table: CPU seconds to compile
the study `quick` with an empty and with a warm cache, and the peak memory of 200 lanes in 10,000
dimensions while the points of one lane are logged.

Examples:
    python scripts/measure_speed.py
    python scripts/measure_speed.py --json > speed.json
    python scripts/measure_speed.py --case rosenbrock-2 --repeats 3
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench import catalog
from optbench.environment import describe_environment
from optbench.optimizer import find_method
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.run import execute, prepare

CASES = {  # name: (label, steps of 200 lanes, steps of a Python loop)
    "rosenbrock-2": ("rosenbrock", 20_000, 1_000),
    "rosenbrock-100": ("rosenbrock[dim=100]", 2_000, 1_000),
    "quadratic-100": ("quadratic", 2_000, 1_000),
    "logistic-500x50": ("logistic", 500, 500),
    "rosenbrock-10000": ("rosenbrock[dim=10000]", 100, 300),
}
LANES = Lanes(
    seeds=tuple(range(10)), settings={"learning_rate": np.logspace(-4, 0, 20)}, recorded=(0,)
)
GROUP = ("gradient_descent momentum nesterov adam adamw rmsprop adagrad lion "
         "clip_by_global_norm(adam)").split()  # fmt: skip
PROBLEMS = catalog.collect("problems", "Problem")
OPTIMIZERS = catalog.collect("optbench.optimizers", "Optimizer")


def find_problem(label: str) -> Problem:
    """The catalog's problem of this label."""
    parsed = catalog.parse_label(label)
    return catalog.lookup(parsed.name, PROBLEMS, "problem", "Problem")(**dict(parsed.arguments))


def bare_loop(problem: Problem, num_steps: int, block: int):
    """A vmapped loop of Adam steps that evaluates f and its gradient and keeps their sum."""
    seeds, settings = LANES.shape
    starts = np.repeat(np.stack([problem.start(seed) for seed in LANES.seeds]), settings, axis=0)
    rates = np.tile(LANES.settings["learning_rate"], seeds)

    def step(params, state, rate):
        value, grad = jax.value_and_grad(problem.objective)(params, *problem.data)
        updates, state = optax.adam(rate).update(grad, state)
        return optax.apply_updates(params, updates), state, value

    @jax.jit
    def loop(params, rates):
        state = jax.vmap(lambda p: optax.adam(0.1).init(p))(params)
        adam = state[0]._replace(count=jnp.int32(0))
        axes = ((optax.ScaleByAdamState(None, 0, 0), None), 0)
        mapped = jax.vmap(step, (0, *axes), (0, axes[0], 0))

        def body(_, carry):
            params, state, total = carry
            params, state, value = mapped(params, state, rates)
            return params, state, total + value

        total = jnp.zeros(len(rates))
        return jax.lax.fori_loop(0, num_steps, body, (params, (adam, state[1]), total))

    def run():
        for first in range(0, seeds * settings, block):
            part = slice(first, first + block)
            jax.block_until_ready(loop(starts[part], rates[part]))

    return run


def python_loop(problem: Problem, num_steps: int):
    """A Python loop of jitted optax steps of one lane."""
    adam = optax.adam(0.01)

    @jax.jit
    def step(params, state):
        value, grad = jax.value_and_grad(problem.objective)(params, *problem.data)
        updates, state = adam.update(grad, state)
        return optax.apply_updates(params, updates), state, value

    def run():
        params = jnp.asarray(problem.start(0))
        state = adam.init(params)
        for _ in range(num_steps):
            params, state, _ = step(params, state)
        jax.block_until_ready(params)

    return run


def torch_loop(name: str, problem: Problem, num_steps: int):
    """torch.optim.Adam on one lane; None where torch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    data = [torch.tensor(np.asarray(array, dtype=float)) for array in problem.data]

    def rosenbrock(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    def quadratic(x):
        matrix, minimizer = (a for a in sorted(data, key=lambda a: -a.ndim))
        return 0.5 * (x - minimizer) @ (matrix @ (x - minimizer))

    def logistic(x):
        features, *rest = sorted(data, key=lambda a: -a.ndim)
        labels = next(a for a in rest if a.ndim == 1)
        margins = labels * (features @ x)
        return torch.nn.functional.softplus(-margins).mean() + 5e-4 * x @ x

    objective = {"rosenbrock": rosenbrock, "quadratic": quadratic, "logistic": logistic}[
        name.split("-")[0]
    ]

    def run():
        params = torch.tensor(np.asarray(problem.start(0)), requires_grad=True)
        adam = torch.optim.Adam([params], lr=0.01)
        for _ in range(num_steps):
            adam.zero_grad()
            objective(params).backward()
            adam.step()

    return run


def measure(name: str, repeats: int) -> dict[str, float | None]:
    """One row of the table: microseconds per lane-step, and ratios run by run."""
    label, num_steps, python_steps = CASES[name]
    problem = find_problem(label)
    plan = Plan(num_steps=num_steps, budget=None)
    alone = prepare(problem, [find_method("adam", OPTIMIZERS)], LANES, plan)
    grouped = prepare(problem, [find_method(label, OPTIMIZERS) for label in GROUP], LANES, plan)
    lanes = int(np.prod(LANES.shape))
    with jax.enable_x64(True):
        runs = {
            "optbench": (lambda: execute(alone), lanes * num_steps),
            "bare": (
                bare_loop(problem, num_steps, int(np.prod(alone.program.shape.block))),
                lanes * num_steps,
            ),
            "grouped": (lambda: execute(grouped, GROUP.index("adam")), lanes * num_steps),
            "python": (python_loop(problem, python_steps), python_steps),
        }
        if torch_run := torch_loop(name, problem, python_steps):
            runs["torch"] = (torch_run, python_steps)
        seconds: dict[str, list[float]] = {key: [] for key in runs}
        for repeat in range(repeats + 1):
            for key, (run, lane_steps) in runs.items():
                began = time.perf_counter()
                run()
                if repeat:  # the first round warms up
                    seconds[key].append((time.perf_counter() - began) / lane_steps)
    row: dict[str, float | None] = {
        "us_per_lane_step": 1e6 * statistics.median(seconds["optbench"]),
        "compile_seconds": alone.program.compile_seconds,
    }
    for key, over in (("bare", False), ("grouped", False), ("python", True), ("torch", True)):
        pairs = zip(seconds["optbench"], seconds.get(key, []), strict=False)
        ratios = [b / a if over else a / b for a, b in pairs]
        row[key] = statistics.median(ratios) if ratios else None
    if row["grouped"] is not None:  # the group against the bare loop, as the program alone
        pairs = zip(seconds["grouped"], seconds["bare"], strict=True)
        row["grouped"] = statistics.median(a / b for a, b in pairs)
    return row


def child_seconds(arguments: list[str], **environment: str) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of a child process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**__import__("os").environ, **environment},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, (
        after.ru_maxrss / 1024
    )


def measure_processes() -> dict[str, float]:
    """Compile seconds of the study `quick`, cold and warm, and the peak memory of wide lanes."""
    with tempfile.TemporaryDirectory() as folder:
        seconds = {}
        for state in ("cold", "warm"):
            results = Path(folder) / state
            began = time.perf_counter()
            child = ["-m", "optbench", "run", "quick", "--results", str(results)]
            cpu, _ = child_seconds(child, XDG_CACHE_HOME=str(Path(folder) / "cache"))
            from optbench.results import Results

            opened = Results.open(results)
            groups = {c.group: c.compile_seconds or 0.0 for c in opened.cells}
            seconds[f"quick_{state}_compile_seconds"] = sum(groups.values())
            seconds[f"quick_{state}_cpu_seconds"] = cpu
            seconds[f"quick_{state}_wall_seconds"] = time.perf_counter() - began
    return seconds


def measure_memory() -> float:
    """Peak memory in MB of 200 lanes in 10,000 dimensions, in this very process."""
    problem = find_problem("rosenbrock[dim=10000]")
    plan = Plan(num_steps=200, budget=None)
    execute(prepare(problem, [find_method("adam", OPTIMIZERS)], LANES, plan))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case")
    parser.add_argument("--repeats", type=int, default=7, help="counted rounds of each case")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--loops-only", action="store_true", help="no child processes")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        print(measure_memory())
        return
    rows = {}
    if not given.json:
        print(f"{'':18}{'us/lane-step':>13}{'/ bare':>8}{'grouped':>9}{'python x':>10}"
              f"{'torch x':>9}{'compile s':>11}")  # fmt: skip
    for name in given.case or CASES:
        row = rows[name] = measure(name, given.repeats)
        if not given.json:
            torch = "-" if row["torch"] is None else f"{row['torch']:.3g}"
            print(f"{name:18}{row['us_per_lane_step']:13.4g}{row['bare']:8.2f}"
                  f"{row['grouped']:9.2f}{row['python']:10.3g}{torch:>9}"
                  f"{row['compile_seconds']:11.2f}", flush=True)  # fmt: skip
    told: dict[str, object] = {"loops": rows}
    if not given.loops_only:
        memory = subprocess.run(
            [sys.executable, __file__, "--memory"], check=True, capture_output=True, text=True
        )
        told["peak_memory_mb"] = float(memory.stdout)
        told.update(measure_processes())
    if given.json:
        print(json.dumps({**told, "environment": dict(describe_environment())}, indent=1))
        return
    for key, value in told.items():
        if isinstance(value, float):
            print(f"{key.replace('_', ' ')}: {value:.1f}")


if __name__ == "__main__":
    main()
