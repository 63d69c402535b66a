"""Whether every optimizer that a label can name gets anywhere: 10x closer in 500 gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from optbench.catalog import parameters
from optbench.errors import NotApplicable, OptbenchError
from optbench.job import HostJob, Job, prepare
from optbench.method import RATE, Method, make_method
from optbench.plan import Lanes, Plan
from optbench.problem import Constants, Problem
from optbench.program import abstract, trace_group
from optbench.run import execute
from optbench.transforms.minibatches import minibatches

TARGET = 0.1  # of the gap at the start
BUDGET = 500.0  # gradient-equivalents
RATES = np.logspace(-3, 2, 11)  # of those that have a learning rate

_CENTER = np.array([[0.3, -0.2, 0.5], [0.1, -0.4, 0.2]])
_START = _CENTER + np.array([[1.1, -0.8, 0.6], [1.2, -1.0, 0.9]])
_ROWS, _BATCH = 20, 5
_PLAN = Plan(budget=BUDGET, targets=(TARGET,))


@dataclasses.dataclass(frozen=True)
class Reach:
    """How far one optimizer came.

    Attributes:
        name: its name.
        problem: what it was run on.
        ratio: the smallest gap over that at the start; NaN where it did not run.
        learning_rate: the one that reached it; None where it has none.
        failure: why it is no success; empty where it is one.
    """

    name: str
    problem: str
    ratio: float
    learning_rate: float | None
    failure: str = ""


def _residuals(params: Any, inputs: Any, targets: Any) -> Any:
    return (inputs @ jnp.ravel(params) - targets) * jnp.sqrt(1 / len(targets))


def _mean_square(params: Any, inputs: Any, targets: Any) -> Any:
    return jnp.mean((inputs @ jnp.ravel(params) - targets) ** 2) / 2


def _start(seed: int) -> np.ndarray:
    return _START


def least_squares() -> Problem:
    """f(X) = |A vec(X) - b|^2 / (2 N), X of shape 2 x 3, L = 1 and kappa = 10; f* = 0.

    It has residuals and rows, so that every kind of optimizer finds what it needs.
    """
    draw = np.random.default_rng(0)
    left = np.linalg.qr(draw.standard_normal((_ROWS, 6)))[0]
    right = np.linalg.qr(draw.standard_normal((6, 6)))[0]
    inputs = left * np.sqrt(_ROWS * np.logspace(-1, 0, 6)) @ right
    return Problem(
        objective=_mean_square,
        residuals=_residuals,
        start=_start,
        data=(inputs, inputs @ _CENTER.ravel()),
        row_arrays=2,
        minimum=0.0,
        minimizer=_CENTER,
        constants=Constants(smoothness=1.0, strong_convexity=0.1, convex=True),
        name="least squares",
    )


def reach(
    factories: Mapping[str, Callable[..., Any]],
    inner: Method,
    given: Mapping[str, Mapping[str, Any]],
) -> list[Reach]:
    """Run every optimizer over a grid of learning rates, one lane each, and see how far it comes.

    What needs nothing but gradients shares one program; the rest runs alone, and sees minibatches
    where it can do with nothing else.

    Args:
        factories: name -> factory.
        inner: what wrappers wrap.
        given: name -> arguments, of what has no default less the learning rate.
    """
    methods = [_method(n, f, inner, given.get(n, {})) for n, f in factories.items()]
    found: dict[str, Reach] = {}
    for settings in ({}, {RATE: RATES}):
        lanes = Lanes(settings=settings)
        members = [method for method in methods if method.has(RATE) == bool(settings)]
        found |= {r.name: r for r in _reach_all(members, lanes)}
    return [found[name] for name in factories]


def _method(
    name: str, factory: Callable[..., Any], inner: Method, given: Mapping[str, Any]
) -> Method:
    wraps = any(p.annotation in ("Optimizer", "Rated") for p in parameters(factory))
    return make_method(factory, name, inner if wraps else None, **given)


def _reach_all(methods: Sequence[Method], lanes: Lanes) -> Iterator[Reach]:
    shared = [method for method in methods if _shares(method, lanes)]
    if shared:
        job = prepare(least_squares(), shared, lanes, _PLAN)
        yield from (_result(job, index, method) for index, method in enumerate(shared))
    for method in methods:
        if method not in shared:
            yield _alone(method, lanes)


def _shares(method: Method, lanes: Lanes) -> bool:
    """Whether it runs, and needs nothing but gradients."""
    problem, dtype = least_squares(), _PLAN.dtype
    start = abstract(problem.start(0))
    try:
        group, _ = trace_group(problem, [method], [frozenset(lanes.settings)], start, dtype)
    except OptbenchError:
        return False
    (member,) = group.members
    return not (member.asks or member.evaluates or member.reports_elsewhere)


def _alone(method: Method, lanes: Lanes) -> Reach:
    problem, refusals = least_squares(), []
    for candidate in (problem, minibatches(problem, _BATCH)):
        try:
            return _result(prepare(candidate, [method], lanes, _PLAN), 0, method)
        except NotApplicable as error:
            refusals.append(error.message)
        except OptbenchError as error:
            refusals.append(error.message)
            break
    return Reach(method.name, problem.name, np.nan, None, refusals[-1])


def _result(job: Job | HostJob, member: int, method: Method) -> Reach:
    trajectory = execute(job, member)
    gap = np.where(np.isfinite(trajectory.value), trajectory.value, np.inf)[0]  # f* = 0
    ratios = gap.min(-1) / gap[:, 0]
    best = int(np.argmin(ratios))
    rate = float(trajectory.settings[RATE][best]) if trajectory.settings else None
    ratio = float(ratios[best])
    failure = "" if ratio <= TARGET else f"the gap falls to {ratio:.2g} of that at the start"
    return Reach(method.name, job.problem.name, ratio, rate, failure)
