"""Small problems, and walks on them, that several tests share."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from optbench.optimizer import Optimizer, Step
from optbench.oracle import Calls, Oracle
from optbench.problem import Problem
from optbench.start import standard_normal

MATRIX = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.2]])
X0 = np.array([1.5, -2.0, 0.7])


def wavy(x, matrix):
    return x @ matrix @ x / 2 - 0.3 * jnp.sum(jnp.cos(2 * x))


def wavy_at(x: np.ndarray) -> float:
    return x @ MATRIX @ x / 2 - 0.3 * np.sum(np.cos(2 * x))


def wavy_grad(x: np.ndarray) -> np.ndarray:
    return MATRIX @ x + 0.6 * np.sin(2 * x)


WAVY = Problem(objective=wavy, start=standard_normal((3,)), data=(MATRIX,))


def sample_key(index):
    """The key of a step of `walk`."""
    return jax.random.fold_in(jax.random.key(0), index)


def walk(optimizer: Optimizer, problem: Problem, start, num_steps: int) -> Step:
    """The steps of one lane, stacked; the points are those after each step."""
    return walk_tree(optimizer, problem, np.asarray(start, float), num_steps)


def walk_tree(optimizer: Optimizer, problem: Problem, start, num_steps: int) -> Step:
    """As `walk`, from any pytree of arrays in double precision."""

    def whole(start, problem):
        def oracle(index) -> Oracle:
            return Oracle(problem, sample_key(index))

        def tick(carry, index):
            seen, state = carry
            step = optimizer.step(seen, state, oracle(index))
            following = step.evaluation
            if following is None:
                following = oracle(index + 1).value_and_grad(step.params)
            calls = Calls(*(jnp.asarray(count) for count in step.calls))
            return (following, step.state), Step(step.params, step.state, calls, following)

        carry = oracle(0).value_and_grad(start), optimizer.begin(start, problem)
        return jax.lax.scan(tick, carry, jnp.arange(num_steps))[1]

    with jax.enable_x64(True):
        start = jax.tree.map(jnp.asarray, start)
        return jax.tree.map(np.asarray, jax.jit(whole)(start, problem))


def quadratic(x, matrix, center):
    return (x - center) @ matrix @ (x - center) / 2


CENTER = np.array([3.0, -1.0, 2.0])
QUADRATIC = Problem(objective=quadratic, start=standard_normal((3,)), data=(MATRIX, CENTER))


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


ROSENBROCK = Problem(objective=rosenbrock, start=standard_normal((2,)))
