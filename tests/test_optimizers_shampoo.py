from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from optbench import checks
from optbench.method import make_method
from optbench.optimizer import Optimizer
from optbench.optimizers.adaptive.shampoo import shampoo
from optbench.oracle import Oracle
from optbench.problem import Problem
from optbench.run import run
from optbench.start import standard_normal

RATE, EPSILON = 0.3, 0.02
RNG = np.random.default_rng(0)
STARTS = {
    "matrix": RNG.standard_normal((3, 2)),
    "scalar": np.array(0.7),
    "tensor": RNG.standard_normal((2, 3, 2)),
    "vector": RNG.standard_normal(4),
}
COMPLEX = RNG.standard_normal((3, 2)) + 1j * RNG.standard_normal((3, 2))


def weights_of(x) -> np.ndarray:
    return 1 + np.arange(np.size(x)).reshape(np.shape(x)) / 3


def gentle(params):
    """The sum of w_i log cosh |x_i - 0.1| over all entries, with other weights for each."""
    parts = jax.tree.map(
        lambda x: jnp.sum(weights_of(x) * jnp.log1p(jnp.abs(x - 0.1) ** 2)), params
    )
    return sum(jax.tree.leaves(parts))


def gentle_grad(x: np.ndarray) -> np.ndarray:
    return weights_of(x) * 2 * (x - 0.1) / (1 + np.abs(x - 0.1) ** 2)


def points(optimizer: Optimizer, start, num_steps: int) -> list:
    with jax.enable_x64(True):
        oracle = Oracle(Problem(objective=gentle, start=standard_normal((1,))))
        params = jax.tree.map(jnp.asarray, start)
        state, step, found = optimizer.init(params), jax.jit(optimizer.step, static_argnums=2), []
        for _ in range(num_steps):
            params, state, _, _ = step(oracle.value_and_grad(params), state, oracle)
            found.append(jax.tree.map(np.asarray, params))
        return found


# ---- a dense second source: one matrix over all entries, the Kronecker product of the factors


def numpy_shampoo(x: np.ndarray, num_steps: int) -> list[np.ndarray]:
    sizes = np.shape(x) or (1,)
    moments, found = [EPSILON * np.eye(size) for size in sizes], []
    for _ in range(num_steps):
        g = np.reshape(gentle_grad(x), sizes)
        whole = np.eye(1)
        for axis, size in enumerate(sizes):
            for index in np.ndindex(sizes):
                for other in range(size):
                    moved = (*index[:axis], other, *index[axis + 1 :])
                    moments[axis][index[axis], other] += (g[index] * np.conj(g[moved])).real
            root = scipy.linalg.fractional_matrix_power(moments[axis], -1 / (2 * len(sizes)))
            whole = np.kron(whole, root)
        x = x - RATE * (whole @ g.ravel()).reshape(np.shape(x))
        found.append(x)
    return found


@pytest.mark.parametrize("kind", STARTS)
def test_walks_as_the_paper_says(kind: str):
    walked = points(shampoo(RATE, EPSILON), STARTS[kind], 4)
    expected = numpy_shampoo(STARTS[kind], 4)
    np.testing.assert_allclose(np.array(walked), np.array(expected), rtol=0, atol=1e-10)
    assert np.max(np.abs(np.array(walked)[-1] - STARTS[kind])) > 0.1


def test_arrays_of_a_tree_are_independent():
    together = points(shampoo(RATE, EPSILON), STARTS, 3)[-1]
    for kind, start in STARTS.items():
        alone = points(shampoo(RATE, EPSILON), start, 3)[-1]
        np.testing.assert_allclose(together[kind], alone, rtol=0, atol=1e-14)


def test_a_vector_is_full_matrix_adagrad_and_a_matrix_is_not():
    def adagrad(x: np.ndarray, num_steps: int) -> np.ndarray:
        moment, shape = EPSILON * np.eye(x.size), x.shape
        for _ in range(num_steps):
            g = gentle_grad(x).ravel()
            moment = moment + np.outer(g, g)
            x = x - RATE * np.linalg.solve(scipy.linalg.sqrtm(moment), g).reshape(shape)
        return x

    for kind, differs in (("vector", False), ("scalar", False), ("matrix", True)):
        reached = points(shampoo(RATE, EPSILON), STARTS[kind], 4)[-1]
        gap = np.max(np.abs(reached - adagrad(STARTS[kind], 4)))
        assert gap > 1e-2 if differs else gap < 1e-10


# ---- complex arrays


def numpy_complex_matrix(x: np.ndarray, num_steps: int) -> np.ndarray:
    left, right = EPSILON * np.eye(x.shape[0]), EPSILON * np.eye(x.shape[1])
    for _ in range(num_steps):
        g = gentle_grad(x)
        left, right = left + g @ g.conj().T, right + g.conj().T @ g
        roots = [scipy.linalg.fractional_matrix_power(m, -0.25) for m in (left, right)]
        x = x - RATE * roots[0] @ g @ roots[1]
    return x


def test_complex_matrices_take_the_conjugate_transpose():
    reached = points(shampoo(RATE, EPSILON), COMPLEX, 4)[-1]
    np.testing.assert_allclose(reached, numpy_complex_matrix(COMPLEX, 4), rtol=0, atol=1e-10)


# ---- what the law on nesting says of rules that go by array


def by_the_first_array(learning_rate: float = 0.1) -> Optimizer:
    """A rule that goes by array, and by the container too."""
    plain = shampoo(learning_rate)

    def init(params):
        return plain.init(params), jnp.float32(0 if isinstance(params, dict) else 1)

    def step(evaluation, state, oracle):
        slower = evaluation._replace(grad=jax.tree.map(lambda g: g / 2, evaluation.grad))
        chosen = evaluation if isinstance(evaluation.params, dict) else slower
        taken = plain.step(chosen, state[0], oracle)
        return taken._replace(state=(taken.state, state[1]))

    return plain._replace(init=init, step=step)


def test_a_rule_that_goes_by_container_breaks_the_law_on_nesting():
    verdicts = {c.law: c.passed for c in checks.check_optimizer(make_method(by_the_first_array))}
    assert [law for law, passed in verdicts.items() if not passed] == ["any nesting"]


def undeclared(learning_rate: float = 0.1) -> Optimizer:
    return shampoo(learning_rate)._replace(by_array=False)


def test_a_rule_that_goes_by_array_has_to_say_so():
    verdicts = {c.law: c.passed for c in checks.check_optimizer(make_method(undeclared))}
    assert [law for law, passed in verdicts.items() if not passed] == ["any nesting"]


def test_arrays_of_other_dimensions_take_their_turn_in_one_process():
    """The state has one matrix per dimension: what varies in one is no guess for the other."""
    for shape in ((3,), (3, 2), (4,), (2, 2, 2)):
        problem = Problem(
            objective=lambda x: jnp.sum((x - 1.0) ** 2) / 2, start=standard_normal(shape)
        )
        values = run(problem, shampoo, num_steps=5).value
        assert values[-1] < values[0]
