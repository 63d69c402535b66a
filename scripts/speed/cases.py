"""What is timed: problems, and 200 lanes of Adam on each."""

from __future__ import annotations

import numpy as np

from optbench import catalog
from optbench.labels import find_problem
from optbench.method import Method, find_method
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.run import Job, prepare

CASES = {  # name: (label, steps of all lanes, steps of a Python loop)
    "rosenbrock-2": ("rosenbrock", 20_000, 1_000),
    "rosenbrock-100": ("rosenbrock[dim=100]", 2_000, 1_000),
    "quadratic-100": ("quadratic", 2_000, 1_000),
    "logistic-500x50": ("logistic", 500, 500),
    "rosenbrock-10000": ("rosenbrock[dim=10000]", 400, 300),
}
RATES = np.logspace(-4, 0, 20)
LANES = Lanes(seeds=tuple(range(10)), settings={"learning_rate": RATES}, recorded=(0,))
NUM_LANES = int(np.prod(LANES.shape))
GROUP = (
    "gradient_descent",
    "momentum",
    "nesterov",
    "adam",
    "adamw",
    "rmsprop",
    "adagrad",
    "lion",
    "clip_by_global_norm(adam)",
)


def problem_of(label: str) -> Problem:
    """The catalog's problem of this label."""
    return find_problem(label, catalog.collect("problems", "Problem"))


def methods_of(labels: tuple[str, ...]) -> list[Method]:
    """The catalog's optimizers of these labels."""
    optimizers = catalog.collect("optbench.optimizers", "Optimizer")
    return [find_method(label, optimizers) for label in labels]


def job_of(problem: Problem, labels: tuple[str, ...], num_steps: int) -> Job:
    """The compiled lanes of these optimizers, with normal logging and one lane's points."""
    job = prepare(problem, methods_of(labels), LANES, Plan(num_steps=num_steps, budget=None))
    assert isinstance(job, Job)  # nothing runs on the host
    return job
