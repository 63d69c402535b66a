from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from walks import QUADRATIC, sample_key, walk

from optbench.errors import NotApplicable
from optbench.job import prepare
from optbench.method import make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.stochastic.variance_reduction import sag, saga, svrg
from optbench.optimizers.wrappers.clipping import clip_by_value
from optbench.oracle import Oracle
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.run import execute, run
from optbench.start import standard_normal
from optbench.transforms.minibatches import minibatches

ROWS, DIM, RIDGE = 12, 3, 0.05


def loss(x, features, targets):
    return jnp.mean((features @ x - targets) ** 2) / 2 + RIDGE * jnp.sum(x**2) / 2


def _data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((ROWS, DIM))
    return features / np.linalg.norm(features, axis=1)[:, None], rng.standard_normal(ROWS)


FEATURES, TARGETS = _data()  # rows of length 1: L = 1 + RIDGE for each of them
SUM = Problem(
    objective=loss, start=standard_normal((DIM,)), data=(FEATURES, TARGETS), row_arrays=1 + 1
)
START = np.array([1.0, -2.0, 0.5])
BEST = np.linalg.solve(
    FEATURES.T @ FEATURES / ROWS + RIDGE * np.eye(DIM), FEATURES.T @ TARGETS / ROWS
)


def row_grads(x: np.ndarray) -> np.ndarray:
    return (FEATURES @ x - TARGETS)[:, None] * FEATURES + RIDGE * x


# ---- the algorithms once more, in NumPy


def numpy_svrg(samples, x, rate, period):
    for k, rows in enumerate(samples):
        if k % period == 0:
            snapshot, mean = x, row_grads(x).mean(0)
        x = x - rate * ((row_grads(x) - row_grads(snapshot))[rows].mean(0) + mean)
        yield x


def numpy_saga(samples, x, rate, biased=False):
    table = np.zeros((ROWS, DIM))
    for rows in samples:
        old, table = table, table.copy()
        for row in rows:
            table[row] = row_grads(x)[row]
        corrected = (row_grads(x) - old)[rows].mean(0) + old.mean(0)
        x = x - rate * (table.mean(0) if biased else corrected)
        yield x


def samples_of(problem: Problem, num_steps: int) -> list[np.ndarray]:
    rows = getattr(problem.sample_loss, "rows")  # noqa: B009
    return [np.asarray(rows(sample_key(k), *problem.data)) for k in range(num_steps)]


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize(
    ("optimizer", "source"),
    [
        (svrg(0.3, period=7), lambda s: numpy_svrg(s, START, 0.3, period=7)),
        (saga(0.3), lambda s: numpy_saga(s, START, 0.3)),
        (sag(0.3), lambda s: numpy_saga(s, START, 0.3, biased=True)),
    ],
    ids=["svrg", "saga", "sag"],
)
def test_walks_as_a_numpy_loop_over_the_same_rows(batch_size: int, optimizer, source):
    problem = minibatches(SUM, batch_size)
    samples = samples_of(problem, 40)
    if batch_size > 1:
        assert any(len(set(rows.tolist())) < batch_size for rows in samples)  # some twice
    expected = np.array(list(source(samples)))
    steps = walk(optimizer, problem, START, 40)
    np.testing.assert_allclose(steps.params, expected, rtol=0, atol=1e-13)


def test_a_period_of_two_passes_is_the_default():
    for batch_size, period in ((1, 24), (5, 4)):
        steps = walk(svrg(), minibatches(SUM, batch_size), START, 30)
        due = (np.arange(30) % period == 0).astype(int)
        assert steps.calls.whole_gradients.tolist() == due.tolist()
        assert steps.calls.value_and_gradients.tolist() == (1 - due).tolist()


# ---- what they are for


def test_they_converge_linearly_where_stochastic_gradient_descent_stalls():
    problem, rate = minibatches(SUM, 1), 1 / (3 * (1 + RIDGE))
    for optimizer in (svrg(rate), saga(rate), sag(rate / 5)):
        points = walk(optimizer, problem, START, 4000).params
        distances = np.linalg.norm(points - BEST, axis=1)
        assert distances[-1] <= 1e-13
        falling = distances[99::100]
        falling = falling[falling > 1e-12]
        assert falling.size >= 4
        assert np.all(falling[1:] <= falling[:-1] / 2)
    stalled = walk(gradient_descent(rate), problem, START, 4000).params[-100:]
    assert np.linalg.norm(stalled - BEST, axis=1).min() > 1e-3


# ---- the estimate, in expectation over all samples


class _Given:
    """Samples whose key is the rows themselves."""

    def rows(self, key, *data):
        return key

    def __call__(self, x, key, *data):
        return loss(x, *(array[key] for array in data))


GIVEN = Problem(
    objective=loss,
    start=standard_normal((DIM,)),
    data=(FEATURES, TARGETS),
    row_arrays=2,
    sample_loss=_Given(),
)


def estimates(optimizer: Optimizer, batch_size: int) -> np.ndarray:
    """The estimate for each possible sample, after three steps: of a gradient that is not new."""

    def step(rows, seen_state):
        (params, state), oracle = seen_state, Oracle(problem, jnp.asarray(rows, jnp.int32))
        return optimizer.step(oracle.value_and_grad(params), state, oracle)

    with jax.enable_x64(True):
        problem = jax.tree.map(jnp.asarray, GIVEN)
        at = jnp.asarray(START), optimizer.begin(jnp.asarray(START), GIVEN)
        for first in (3, 1, 4):
            taken = step([first] * batch_size, at)
            at = taken.params, taken.state
        every = jnp.asarray(list(itertools.product(range(ROWS), repeat=batch_size)))
        moved = jax.vmap(lambda rows: step(rows, at).params)(every) - at[0][None]
        bias = jnp.mean(-moved, axis=0) - row_grads(np.asarray(at[0])).mean(0)
        return np.asarray(bias)


@pytest.mark.parametrize("batch_size", [1, 2])
def test_the_estimates_of_svrg_and_saga_are_unbiased(batch_size: int):
    for optimizer in (svrg(1.0), saga(1.0)):
        np.testing.assert_allclose(estimates(optimizer, batch_size), 0, atol=1e-14)
    assert np.linalg.norm(estimates(sag(1.0), batch_size)) > 1e-3  # biased, as it says


# ---- calls, memory, refusals


def test_whole_gradients_between_snapshots_are_not_computed_in_lanes():
    problem, optimizer = jax.tree.map(jnp.asarray, minibatches(SUM, 1)), svrg()

    def lane(point, key, count):
        oracle = Oracle(problem, key)
        state = optimizer.init(point)._replace(count=count)
        return optimizer.step(oracle.value_and_grad(point), state, oracle)

    points, keys = jnp.zeros((2, DIM)), jax.random.split(jax.random.key(0))
    shared = jax.make_jaxpr(jax.vmap(lane, (0, 0, None)))(points, keys, jnp.int32(1))
    assert "cond[" in str(shared)
    own = jax.make_jaxpr(jax.vmap(lane))(points, keys, jnp.arange(2))
    assert "cond[" not in str(own)  # but a select, which computes both


def test_lanes_of_the_engine_count_alike():
    rates, plan = {"learning_rate": np.array([0.1, 0.3])}, Plan(num_steps=30)
    for batch_size, factory, expected in (
        (1, svrg, {"value_and_gradients": 31 + 28, "whole_gradients": 2}),
        (1, saga, {"value_and_gradients": 31}),
        (5, sag, {"value_and_gradients": 31, "row_gradients": 150}),
    ):
        problem = minibatches(SUM, batch_size)
        lanes = Lanes(seeds=(0, 1), settings=rates)
        run = execute(prepare(problem, [make_method(factory)], lanes, plan))
        counts = {kind: count[..., -1] for kind, count in run.calls.items() if np.any(count)}
        assert counts.keys() == expected.keys()
        assert all(np.all(counts[kind] == n) for kind, n in expected.items())
        assert np.all(run.value[..., -1] < run.value[..., 0])


def test_the_table_has_one_gradient_per_row():
    for factory in (saga, sag):
        with jax.enable_x64(True):
            state = factory().begin({"x": jnp.zeros(DIM)}, minibatches(SUM, 2))
        assert jax.tree.map(jnp.shape, state.rows) == {"x": (ROWS, DIM)}
        assert not np.any(state.rows["x"])


@pytest.mark.parametrize("factory", [svrg, saga, sag])
def test_what_is_no_sampled_finite_sum_is_refused(factory):
    for problem, told in ((QUADRATIC, "no finite sum"), (SUM, "not seen through minib")):
        lanes, plan = Lanes(seeds=(0,)), Plan(num_steps=3)
        with pytest.raises(NotApplicable, match=told) as refusal:
            prepare(problem, [make_method(factory)], lanes, plan)
        assert "\n" not in refusal.value.message


def test_wrappers_that_keep_no_table_are_refused():
    with pytest.raises(NotApplicable, match="without the problem"):
        clip_by_value(saga()).begin(jnp.zeros(DIM), SUM)


def _mean_distance(x, rows):
    return jnp.mean((x - rows) ** 2)


def test_a_first_state_made_on_the_problem_has_the_size_of_that_problem():
    """Also where the step asks the oracle nothing, and the params are alike."""

    def tabled(learning_rate: float = 0.1) -> Optimizer:
        def step(seen, state, oracle):
            return Step(seen.params - learning_rate * seen.grad, state)

        def report(state):
            return {"rows": jnp.asarray(float(state.shape[0]))}

        return Optimizer(
            lambda params: (),
            step,
            report=report,
            init_on=lambda params, problem: jnp.zeros(problem.num_rows),
        )

    for num_rows in (3, 5):
        problem = Problem(
            objective=_mean_distance,
            start=standard_normal((1,)),
            data=(np.arange(float(num_rows)),),
            row_arrays=1,
        )
        told = run(problem, tabled, num_steps=2).diagnostics["rows"]
        np.testing.assert_array_equal(told, num_rows)
