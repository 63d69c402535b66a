"""Methods with curvature beside those of scipy: where they end, and what they asked on the way."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

from optbench.catalog import collect
from optbench.checks.plain_loop import Outcome, declared_values, make_loop
from optbench.method import Method, find_method
from optbench.oracle import Calls, Oracle, Prices
from optbench.problem import Params, Problem
from optbench.start import start_near

FLAT = 1e-7  # |grad f| where both stop
MAX_STEPS = 200
SAME_POINT = 1e-6  # of |x| + 1; the Hessians' eigenvalues at the minimizers are above 0.3
COST_FACTOR = 3.0  # between the two, in gradient-equivalents

_ALL = ("rosenbrock, 2", "rosenbrock, 10", "logistic")
PAIRS = (
    ("lbfgs", "L-BFGS-B", _ALL),
    ("bfgs", "BFGS", ("rosenbrock, 2", "logistic")),  # of two minimizers they find one each
    ("newton_cg", "Newton-CG", _ALL),
    ("trust_region_newton", "trust-ncg", _ALL),
    ("damped_newton", "trust-exact", _ALL),
    ("cubic_newton", "trust-exact", _ALL),
    ("newton", "trust-exact", ("logistic",)),  # elsewhere it is drawn to saddles
)


@dataclasses.dataclass(frozen=True)
class Baseline:
    """One optimizer beside scipy's, on one problem, both until |grad f| <= `FLAT`.

    Attributes:
        label: ours.
        reference: scipy's method.
        problem: what is minimized.
        flat: whether both stopped where |grad f| <= `FLAT`.
        distance: |x - y| / (1 + |y|) between the reached points.
        calls: our evaluations and Hessian products.
        reference_calls: those of scipy.
    """

    label: str
    reference: str
    problem: str
    flat: bool
    distance: float
    calls: tuple[int, int]
    reference_calls: tuple[int, int]

    @property
    def cost_ratio(self) -> float:
        """Our cost over scipy's, in gradient-equivalents."""
        return _cost(*self.calls) / _cost(*self.reference_calls)

    @property
    def holds(self) -> bool:
        """Whether they reach one point, at a similar cost."""
        similar = 1 / COST_FACTOR <= self.cost_ratio <= COST_FACTOR
        return self.flat and self.distance <= SAME_POINT and similar


def _cost(evaluations: int, products: int) -> float:
    return evaluations + Prices().hessian_products * products


class Task(NamedTuple):
    """A problem, written twice.

    Attributes:
        problem: in JAX.
        value_and_grad: in NumPy, as the rest.
        hessian: x -> the matrix.
        start: x_0.
    """

    problem: Problem
    value_and_grad: Callable[[np.ndarray], tuple[float, np.ndarray]]
    hessian: Callable[[np.ndarray], np.ndarray]
    start: np.ndarray


def _rosenbrock(x: Params) -> jax.Array:
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock(dim: int) -> Task:
    """Rosenbrock's function, from -1.2, 1, -1.2, 1, ...; in NumPy it is scipy's."""
    start = np.where(np.arange(dim) % 2, 1.0, -1.2)
    problem = Problem(objective=_rosenbrock, start=start_near(start))
    optimize = scipy.optimize

    def value_and_grad(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(optimize.rosen(x)), optimize.rosen_der(x)

    return Task(problem, value_and_grad, optimize.rosen_hess, start)


_DECAY = 0.5


def _logistic(x: Params, inputs: Any, signs: Any) -> jax.Array:
    margins = signs * (inputs @ x)
    return jnp.sum(jnp.logaddexp(0, -margins)) + _DECAY / 2 * jnp.sum(x**2)


def logistic(rows: int = 60, dim: int = 8) -> Task:
    """Logistic regression with an L2 term, on columns of unequal sizes, from 0."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((rows, dim)) * np.logspace(-0.5, 0.5, dim)
    signs = np.sign(inputs @ rng.standard_normal(dim) + rng.standard_normal(rows))
    start = np.zeros(dim)
    problem = Problem(objective=_logistic, start=start_near(start), data=(inputs, signs))

    def value_and_grad(x: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signs * (inputs @ x)
        slopes = -signs / (1 + np.exp(margins))
        value = np.sum(np.log1p(np.exp(-margins))) + _DECAY / 2 * x @ x
        return float(value), inputs.T @ slopes + _DECAY * x

    def hessian(x: np.ndarray) -> np.ndarray:
        chances = 1 / (1 + np.exp(-signs * (inputs @ x)))
        return (inputs.T * chances * (1 - chances)) @ inputs + _DECAY * np.eye(dim)

    return Task(problem, value_and_grad, hessian, start)


def tasks() -> dict[str, Task]:
    """The problems of the comparison."""
    return {
        "rosenbrock, 2": rosenbrock(2),
        "rosenbrock, 10": rosenbrock(10),
        "logistic": logistic(),
    }


def check_baselines(
    pairs: Iterable[tuple[str, str, Iterable[str]]] = PAIRS,
) -> tuple[Baseline, ...]:
    """Run optimizers and those of scipy on the same problems.

    Args:
        pairs: (our label, scipy's method, names of problems).
    """
    optimizers, known, found = collect("optbench.optimizers", "Optimizer"), tasks(), []
    for label, reference, problems in pairs:
        method = find_method(label, optimizers)
        loop = jax.jit(make_loop(method, Oracle))
        for name in problems:
            task = known[name]
            x, calls = _ours(method, loop, task)
            y, reference_calls = scipy_end(reference, task)
            distance = float(np.linalg.norm(x - y) / (1 + np.linalg.norm(y)))
            flat = _is_flat(task, x) and _is_flat(task, y)
            found.append(Baseline(label, reference, name, flat, distance, calls, reference_calls))
    return tuple(found)


def _is_flat(task: Task, x: np.ndarray) -> bool:
    return bool(np.linalg.norm(task.value_and_grad(x)[1]) <= FLAT)


def _ours(
    method: Method, loop: Callable[..., Outcome], task: Task
) -> tuple[np.ndarray, tuple[int, int]]:
    """The first point that is flat, or the last one, and the calls that led there."""
    values = declared_values(method, task.problem)
    x, calls = task.start, Calls()
    with jax.enable_x64(True):
        for num_steps in range(1, MAX_STEPS + 1):
            outcome = loop(task.problem, task.start, values, num_steps)
            x, calls = np.asarray(outcome.params), Calls(*np.asarray(outcome.calls).tolist())
            if _is_flat(task, x):
                break
    return x, (calls.value_and_gradients + calls.values, calls.hessian_products)


def scipy_end(method: str, task: Task) -> tuple[np.ndarray, tuple[int, int]]:
    """The point that a method of scipy ends at, and its (evaluations, Hessian products).

    A Hessian is as many products as it has columns.
    """
    counts: collections.Counter[str] = collections.Counter()

    def counted(x: np.ndarray) -> tuple[float, np.ndarray]:
        counts["evaluations"] += 1
        return task.value_and_grad(x)

    def product(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        counts["products"] += 1
        return task.hessian(x) @ v

    def hessian(x: np.ndarray) -> np.ndarray:
        counts["products"] += x.size
        return task.hessian(x)

    def stop(intermediate_result: Any) -> None:
        if _is_flat(task, intermediate_result.x):
            raise StopIteration

    second = {"L-BFGS-B": {}, "BFGS": {}, "trust-exact": {"hess": hessian}}.get(
        method, {"hessp": product}
    )
    unending = {"L-BFGS-B": {"ftol": 0.0, "gtol": 0.0}, "Newton-CG": {"xtol": 0.0}}
    options = unending.get(method, {"gtol": 0.0})
    result = scipy.optimize.minimize(
        counted, task.start, method=method, jac=True, callback=stop, options=options, **second
    )
    return result.x, (counts["evaluations"], counts["products"])
