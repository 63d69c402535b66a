"""The invariance table: how far a change of coordinates or of the loss changes the path.

An optimizer that is invariant under T takes T x_k to T x_{k+1} on f(T^-1 y) wherever it takes x_k
to x_{k+1} on f. The table says by how much each one is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.checks.plain_loop import (
    CENTER,
    CONSTANTS,
    CURVATURES,
    START,
    Outcome,
    Values,
    declared_values,
    make_loop,
)
from optbench.errors import NotApplicable
from optbench.layers import affine
from optbench.method import Method
from optbench.oracle import Oracle
from optbench.problem import Params, Problem
from optbench.start import start_near

STEPS = 6
_BEND = 0.25
INVARIANT = 1e-9  # relative, float64: rounding, amplified over a few steps


@dataclasses.dataclass(frozen=True, eq=False)
class Change:
    """y = A x + b, and g(y) = c f(A^-1 (y - b)) + d.

    Attributes:
        matrix: A.
        shift: b.
        factor: c.
        constant: d.
    """

    matrix: np.ndarray = dataclasses.field(default_factory=lambda: np.eye(START.size))
    shift: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(START.size))
    factor: float = 1.0
    constant: float = 0.0

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The images of points, one per row."""
        return points @ self.matrix.T + self.shift


def changes() -> dict[str, Change]:
    """The changes of the table, by name."""
    rng, dim = np.random.default_rng(0), START.size
    rotation = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    turned_back = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    sizes, shift = np.logspace(-0.3, 0.3, dim), rng.standard_normal(dim)
    return {
        "translation": Change(shift=shift),
        "permutation": Change(np.eye(dim)[rng.permutation(dim)]),
        "rotation": Change(rotation),
        "scaling": Change(3.0 * np.eye(dim)),
        "diagonal": Change(np.diag(rng.permutation(sizes))),
        "affine": Change(rotation * sizes @ turned_back, shift),
        "loss scaling": Change(factor=0.1),
        "constant": Change(constant=1.0),
    }


@dataclasses.dataclass(frozen=True)
class Invariance:
    """How one optimizer changes with its surroundings.

    Attributes:
        label: the optimizer.
        defects: change -> max_k |T x_k - y_k| / max_k |T x_k - T x_0| over `STEPS` steps, where
            x_k is its path on f from x_0 and y_k that on the changed f from T x_0; not a number
            where a path leaves the numbers or nothing moves.
        reason: why there are none, where the optimizer does not apply to the problem.
    """

    label: str
    defects: Mapping[str, float]
    reason: str = ""


def _network(
    params: Params, dense: Callable[..., Any], inverse: Any, shift: Any, *scales: Any
) -> jax.Array:
    """f = |r|^2 / 2, after a change: a bent least-squares problem with a term that is constant."""
    factor, constant = scales
    point = dense(jnp.ones_like(params, shape=(1, 1)), params[None, :])[0]
    offset = inverse @ (point - shift) - CENTER
    bent = _BEND * (offset[1:] - offset[:-1] ** 2)
    terms = jnp.concatenate([np.sqrt(CURVATURES / 2) * offset, bent])
    return jnp.concatenate([jnp.sqrt(factor) * terms, jnp.sqrt(2 * constant)[None]])


def _residuals(params: Params, *data: Any) -> jax.Array:
    return _network(params, affine, *data)


def _half_square(outputs: jax.Array, *data: Any) -> jax.Array:
    return jnp.sum(outputs**2) / 2


def _objective(params: Params, *data: Any) -> jax.Array:
    return _half_square(_residuals(params, *data))


def changed_problem(change: Change) -> Problem:
    """The problem after a change; all changes share one compiled program.

    f(x) = sum_i h_i u_i^2 / 4 + b^2 sum_i (u_{i+1} - u_i^2)^2 / 2 with u = x - x*, h in [0.1, 1]:
    hardly more than L = 1 where a path from the start leads, so that what steps by 1/L stays. The
    terms are also given as residuals, as outputs, and as those of one dense layer whose input is 1.
    """
    numbers = change.factor, change.constant
    data = np.linalg.inv(change.matrix), change.shift, *(np.float64(n) for n in numbers)
    return Problem(
        objective=_objective,
        start=start_near(change(START)),
        data=data,
        residuals=_residuals,
        outputs=_residuals,
        output_loss=_half_square,
        network=_network,
        minimum=0.0,
        constants=CONSTANTS,
    )


def measure_invariance(method: Method) -> Invariance:
    """The defect of one optimizer under each change, at its declared setting.

    What theory tells of that is told once, by the problem before any change.
    """
    loop = jax.jit(make_loop(method, Oracle))
    try:
        values = declared_values(method, changed_problem(Change()))
        path = _path(loop, Change(), values)
        defects = {
            name: _defect(change(path), _path(loop, change, values))
            for name, change in changes().items()
        }
    except NotApplicable as error:
        return Invariance(method.label, {}, error.message)
    return Invariance(method.label, defects)


def _path(loop: Callable[..., Outcome], change: Change, values: Values) -> np.ndarray:
    """x_0, x_1, ... after a change."""
    problem, start = changed_problem(change), change(START)
    with jax.enable_x64(True):
        ends = [loop(problem, start, values, k).params for k in range(1, STEPS + 1)]
        return np.stack([start, *(np.asarray(end) for end in ends)])


def _defect(expected: np.ndarray, path: np.ndarray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        apart = np.max(np.linalg.norm(path - expected, axis=1))
        moved = np.max(np.linalg.norm(expected - expected[0], axis=1))
        return float(apart / moved) if moved > 0 else float("nan")
