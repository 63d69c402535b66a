"""The conformance table: optimizers beside those of torch.optim, step by step.

What torch does is read from `torch_reference.json`, which scripts/make_torch_reference.py writes.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.checks.plain_loop import Outcome, declared_values, make_loop
from optbench.checks.torch_pairs import PAIRS, Pair, Verdict
from optbench.method import Method, find_method
from optbench.optimizers.names import known_optimizers
from optbench.oracle import Oracle
from optbench.problem import Params, Problem
from optbench.start import start_near

TOLERANCE = 1e-10  # relative to the way from the start, float64: rounding, over 200 steps


@dataclasses.dataclass(frozen=True)
class Conformance:
    """What was measured of a pair.

    Attributes:
        pair: the pair.
        difference: max_k |x_k - y_k| / |y_k - y_0| over the recorded steps, y torch's points.
        remaining: the same for `reproduced_by`.
    """

    pair: Pair
    difference: float
    remaining: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether the two agree, or differ in a way that an argument undoes."""
        if self.difference <= TOLERANCE:
            return "agrees"
        reproduced = self.remaining is not None and self.remaining <= TOLERANCE
        return "documented" if reproduced else "differs"

    @property
    def holds(self) -> bool:
        """Whether the pair is what it says of itself."""
        return self.verdict == self.pair.claim and math.isfinite(self.difference)


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The points that torch's optimizers reach.

    Attributes:
        versions: of torch and Python.
        start: y_0, a matrix.
        curvatures: the numbers in the objective.
        steps: the k that are recorded.
        runs: name with arguments -> [step, coordinate].
    """

    versions: Mapping[str, str]
    start: np.ndarray
    curvatures: np.ndarray
    steps: tuple[int, ...]
    runs: Mapping[str, np.ndarray]


def read_reference() -> Reference:
    """The table that ships."""
    text = importlib.resources.files("optbench.checks").joinpath("torch_reference.json").read_text()
    table = json.loads(text)
    return Reference(
        table["versions"],
        np.array(table["start"]),
        np.array(table["curvatures"]),
        tuple(table["steps"]),
        {run: np.array(points) for run, points in table["runs"].items()},
    )


def objective(params: Params, curvatures: Any) -> jax.Array:
    """sum_ij c_ij x_ij^2 / 2 + sin(x_11 + 2 x_12) + cos(x_21 x_22), for a 2 x 2 matrix x."""
    wave = jnp.sin(params[0, 0] + 2 * params[0, 1]) + jnp.cos(params[1, 0] * params[1, 1])
    return jnp.sum(curvatures * params**2) / 2 + wave


def check_conformance(
    pairs: Iterable[Pair] = PAIRS, reference: Reference | None = None
) -> tuple[Conformance, ...]:
    """Measure how far optimizers are from those of torch.

    Args:
        pairs: what to compare.
        reference: torch's points; those that ship, if not given.
    """
    reference, optimizers = reference or read_reference(), known_optimizers()
    loops: dict[Any, Callable[..., Outcome]] = {}  # one program for all that differ in numbers

    def difference(label: str, run: str) -> float:
        method = find_method(label, optimizers)
        loop = loops.setdefault(method.structure, jax.jit(make_loop(method, Oracle)))
        return _difference(_walk(method, loop, reference), reference.runs[run], reference.start)

    def compare(pair: Pair) -> Conformance:
        labels = pair.label, pair.reproduced_by
        return Conformance(pair, *(difference(lb, pair.reference) for lb in labels if lb))

    return tuple(compare(pair) for pair in pairs)


def _walk(method: Method, loop: Callable[..., Outcome], reference: Reference) -> np.ndarray:
    """The points of one method at the recorded steps."""
    problem = Problem(
        objective=objective, start=start_near(reference.start), data=(reference.curvatures,)
    )
    values = declared_values(method, problem)
    with jax.enable_x64(True):
        ends = [loop(problem, reference.start, values, k).params for k in reference.steps]
        return np.array([np.asarray(end).ravel() for end in ends])


def _difference(ours: np.ndarray, theirs: np.ndarray, start: np.ndarray) -> float:
    apart = np.linalg.norm(ours - theirs, axis=1)
    return float(np.max(apart / np.linalg.norm(theirs - start.ravel(), axis=1)))
