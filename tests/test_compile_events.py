"""What may change without a compile: everything but shapes, structures and functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import optbench
from optbench import program
from optbench.design import LogGrid
from optbench.method import Method, make_method
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.wrappers.clipping import clip_by_global_norm
from optbench.oracle import Prices
from optbench.problem import Problem
from optbench.run import run
from optbench.start import start_near
from problems.classification.likelihoods import logistic
from problems.quadratics import quadratic

COMPILE = "/jax/core/compile/backend_compile_duration"


@pytest.fixture
def compiles() -> Iterator[Callable[[], int]]:
    """How many programs were compiled since this was last asked."""
    seen: list[str] = []

    def listen(event: str, duration: float, **details: object) -> None:
        if event == COMPILE:
            seen.append(event)

    def count() -> int:
        number = len(seen)
        seen.clear()
        return number

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield count
    jax.monitoring.unregister_event_duration_listener(listen)


def clipped_adam(**arguments: float) -> Method:
    return make_method(clip_by_global_norm, inner=make_method(adam, **arguments))


def problem(**arguments: float) -> Problem:
    return quadratic(dim=4, **arguments)


def test_values_compile_nothing(compiles: Callable[[], int]):
    run(problem(), clipped_adam(learning_rate=0.1), num_steps=500)
    assert compiles() > 0
    other_data = dataclasses.replace(problem(), data=tuple(2 * leaf for leaf in problem().data))
    for changed, method, plan in (
        (problem(), clipped_adam(learning_rate=0.3), {"num_steps": 500}),
        (problem(), clipped_adam(learning_rate=0.1, b1=0.5), {"num_steps": 500}),
        (problem(), clipped_adam(), {"num_steps": 5000}),
        (problem(), clipped_adam(), {"budget": 70.0}),
        (problem(), clipped_adam(), {"log_steps": (0, 3, 7, 100)}),
        (
            problem(),
            clipped_adam(),
            {"num_steps": 50, "targets": tuple(0.5**k for k in range(1, 11))},
        ),
        (problem(), clipped_adam(), {"num_steps": 50, "prices": Prices(values=1.0)}),
        (problem(), clipped_adam(), {"num_steps": 50, "noise_floor": 1e-3}),
        (problem(condition_number=7.0), clipped_adam(), {"num_steps": 50}),
        (problem(seed=3), clipped_adam(), {"num_steps": 50}),
        (other_data, clipped_adam(), {"num_steps": 50}),
        (dataclasses.replace(problem(), name="mine"), clipped_adam(), {"num_steps": 50}),
    ):
        trajectory = run(changed, method, key=1, **plan)
        assert compiles() == 0, (changed, method.label, plan)
        assert np.isfinite(trajectory.value[0])


def test_data_of_equal_shape_compile_nothing(compiles: Callable[[], int]):
    run(logistic(num_samples=20, dim=3), adam, num_steps=5)
    assert compiles() > 0
    run(logistic(num_samples=20, dim=3, condition_number=9.0, l2=0.1, seed=5), adam, num_steps=50)
    assert compiles() == 0


def test_programs_used_last_are_kept(compiles: Callable[[], int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(program, "MOST_PROGRAMS", 2)
    first, second, third = (start_near(np.ones(dim)) for dim in (21, 22, 23))
    told = [
        [run(Problem(objective=bowl, start=start), adam, num_steps=5), compiles()]
        for start in (first, second, first, third, first, second)
    ]
    assert [count > 0 for _, count in told] == [True, True, False, True, False, True]
    np.testing.assert_array_equal(told[1][0].value, told[5][0].value)


def bowl(x: jax.Array) -> jax.Array:
    return jnp.sum(x**2)


def test_functions_and_shapes_do_compile(compiles: Callable[[], int]):
    start = start_near(np.ones(3))
    run(Problem(objective=bowl, start=start), adam, num_steps=5)
    compiles()
    for changed in (
        Problem(objective=lambda x: jnp.sum(x**2), start=start),  # made afresh
        Problem(objective=bowl, start=start_near(np.ones(5))),
    ):
        run(changed, adam, num_steps=5)
        assert compiles() > 0


def compared(rates: LogGrid | None = None, **options: object) -> optbench.Results:
    optimizers = {"adam": optax.adam, "momentum": "momentum", "built": TRANSFORMATION}
    return optbench.compare(
        squares, {"w": np.ones(3)}, optimizers, seeds=2, learning_rate=rates, **options
    )  # pyright: ignore[reportArgumentType]


TRANSFORMATION = optax.sgd(0.1)
GRID = LogGrid(low=1e-2, high=1e-1, num=2)


def squares(params: dict[str, jax.Array], rows: jax.Array) -> jax.Array:
    return jnp.mean((rows @ params["w"]) ** 2)


def test_comparing_again_compiles_nothing(compiles: Callable[[], int]):
    rng = np.random.default_rng(0)
    options = {"data": rng.standard_normal((8, 3)), "test_data": rng.standard_normal((4, 3))}
    compared(GRID, budget=10.0, batch_size=2, **options)
    assert compiles() > 0
    options = {"data": rng.standard_normal((8, 3)), "test_data": rng.standard_normal((4, 3))}
    compared(dataclasses.replace(GRID, high=1.0), budget=7.0, batch_size=2, **options)
    assert compiles() == 0
    compared(GRID, budget=10.0, batch_size=3, **options)  # another program
    assert compiles() > 0
