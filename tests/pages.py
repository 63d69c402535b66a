"""A study of which every text is hostile, without a catalog, and pages of it."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax

from optbench.design import Study
from optbench.method import make_method
from optbench.page import write_report
from optbench.page.document import document
from optbench.page.payload import Payload
from optbench.problem import Problem
from optbench.results import Results
from optbench.start import start_near
from optbench.study import Parts, run_parts

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
COMMENT = "</script><!-- \u2028 <b>'&amp;"
HOSTILE = (SCRIPT, IMAGE, COMMENT)


def bowl(x):
    return jnp.sum(x**2) / 2


def valley(x):
    return (1 - x[0]) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2


def careless(learning_rate: float = 0.1):
    raise ValueError(f"cannot {SCRIPT} {IMAGE} {COMMENT}")


def no_problem() -> Problem:
    raise ValueError(f"never {SCRIPT} {IMAGE} {COMMENT}")


def problem_of(objective) -> Problem:
    start = start_near(np.ones(2))
    source = f"Somebody, {SCRIPT} {IMAGE} {COMMENT}"
    known = {"minimum": 0.0, "minimum_kind": "closed form", "source": source}
    shown = {"region": ((-2.0, 2.0), (-2.0, 2.0)), "coordinates": (SCRIPT, IMAGE)}
    return Problem(objective=objective, start=start, **known, **shown)


def run_hostile(folder: Path | None) -> Results:
    """Two optimizers on two problems, and a problem and an optimizer that fail."""
    problems = {
        f"bowl[a={SCRIPT}]": lambda: problem_of(bowl),
        f"valley {IMAGE}": lambda: problem_of(valley),
        f"none {COMMENT}": no_problem,
    }
    methods = {
        f"descent[rate={SCRIPT}]": make_method(optax.sgd),
        f"{IMAGE}": make_method(optax.adam),
        f"careless {COMMENT}": make_method(careless),
    }
    description = f"Who wins {SCRIPT} {IMAGE} {COMMENT}?"
    study = Study(name="hostile", description=description, problems=tuple(problems), trials=4,
                  optimizers=tuple(methods), seeds=2, tuning_seeds=1, budget=40.0)  # fmt: skip
    parts = Parts(problems=problems, methods=methods, find=methods.__getitem__)
    return run_parts(study, parts, folder)


def hostile_page(results: Results, path: Path, bounds: Path | None = None) -> Path:
    """The report of it."""
    return write_report(results, path, bounds=bounds)


def bare_page(path: Path, payload: Payload) -> Path:
    """A page of facts alone."""
    path.write_text(document("facts", "", payload), encoding="utf-8")
    return path
