"""The loop against plain Python loops, and how lanes end."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench import job as job_module
from optbench import run as _run_function
from optbench.curvature import smallest_eigenvalues
from optbench.errors import OptbenchError
from optbench.method import make_method
from optbench.optimizer import Optimizer, Step
from optbench.oracle import Calls, Prices
from optbench.plan import Lanes, Plan, log_grid
from optbench.problem import Problem
from optbench.run import execute, prepare
from optbench.start import standard_normal, start_near
from optbench.trajectory import TARGETS, Status
from optbench.transformation import from_optax

run = _run_function


def rosenbrock_value(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def bowl_value(x, scales):
    return 0.5 * jnp.sum(scales * x**2)


def saddle_value(x):
    return 0.5 * (x[0] ** 2 - x[1] ** 2)


def log_value(x):
    return jnp.sum(jnp.log(x) ** 2)


def sampled_bowl(x, key, scales):
    noise = jax.random.normal(key, x.shape, x.dtype)
    return bowl_value(x, scales) + 0.1 * jnp.vdot(noise, x)


ROSENBROCK = Problem(
    objective=rosenbrock_value, start=start_near(np.array([-1.2, 1.0])), minimum=0.0
)
BOWL = Problem(
    objective=bowl_value,
    data=(np.array([1.0, 0.1]),),
    start=standard_normal((2,)),
    minimum=0.0,
    name="bowl",
)
NOISY_BOWL = dataclasses.replace(BOWL, sample_loss=sampled_bowl, sample_fraction=0.25)
SGD = make_method(optax.sgd, learning_rate=1.0)
RATES = np.logspace(-4, 0, 6)
FIRST_ORDER = (optax.sgd, optax.adam, optax.rmsprop, optax.adagrad, optax.lion, optax.nadam)


def python_loop(factory, learning_rate, start, num_steps, objective=rosenbrock_value, data=()):
    """Values and points of a plain loop of jitted optax steps."""
    with jax.enable_x64(True):
        transformation = factory(learning_rate)
        params = jnp.asarray(start)
        state = transformation.init(params)

        @jax.jit
        def step(params, state):
            value, grad = jax.value_and_grad(objective)(params, *data)
            updates, state = transformation.update(grad, state, params)
            return optax.apply_updates(params, updates), state, value

        values, points = [], []
        for _ in range(num_steps + 1):
            points.append(np.asarray(params))
            params, state, value = step(params, state)
            values.append(float(value))
    return np.array(values), np.array(points)


def lanes_of(factory, problem=ROSENBROCK, num_seeds=3, rates=RATES, recorded=(), **settings):
    horizon = {} if "log_steps" in settings else {"num_steps": 500}
    plan = Plan(**({"budget": None} | horizon | settings))
    lanes = Lanes(
        seeds=tuple(range(num_seeds)), settings={"learning_rate": rates}, recorded=recorded
    )
    return execute(prepare(problem, [make_method(factory)], lanes, plan))


def test_run_equals_a_python_loop():
    trajectory = run(ROSENBROCK, make_method(optax.adam, learning_rate=0.1), num_steps=300)
    values, points = python_loop(optax.adam, 0.1, [-1.2, 1.0], 300)
    steps = trajectory.steps
    np.testing.assert_allclose(trajectory.value, values[steps], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(trajectory.params, points[steps], rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(trajectory.cost, steps + 1)
    wrong, _ = python_loop(optax.adam, 0.1001, [-1.2, 1.0], 300)  # a planted difference is seen
    assert np.abs(trajectory.value - wrong[steps]).max() > 1e-6


@pytest.mark.parametrize("factory", FIRST_ORDER)
def test_hits_are_exact_for_every_lane(factory):
    dense = lanes_of(factory, problem=BOWL, log_steps=tuple(range(501)))
    sparse = lanes_of(factory, problem=BOWL)
    np.testing.assert_array_equal(dense.hit_steps, sparse.hit_steps)
    assert np.isfinite(sparse.hit_steps).sum() > 10
    merit = np.where(np.isnan(dense.merit_values), np.inf, dense.merit_values)
    for index, target in enumerate(TARGETS):
        met = merit <= target * dense.initial_merit[..., None]
        first = np.where(met.any(-1), met.argmax(-1), np.nan)
        np.testing.assert_array_equal(dense.hit_steps[..., index], first)
    np.testing.assert_array_equal(sparse.hit_costs, sparse.hit_steps + 1)


def test_numbers_do_not_depend_on_the_chunks(monkeypatch):
    whole = lanes_of(optax.adam, recorded=(0, 7))
    noisy = lanes_of(optax.adam, problem=NOISY_BOWL, recorded=(1,))
    module = __import__("sys").modules["optbench.run"]
    monkeypatch.setattr(module, "FIRST_CHUNK", 7)
    monkeypatch.setattr(module, "CHUNK_SECONDS", 0.0)
    for before, problem, recorded in ((whole, ROSENBROCK, (0, 7)), (noisy, NOISY_BOWL, (1,))):
        after = lanes_of(optax.adam, problem=problem, recorded=recorded)
        for name in ("value", "gradient_norm", "cost", "hit_steps", "hit_costs", "params"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


@pytest.mark.parametrize("problem", [ROSENBROCK, NOISY_BOWL])
def test_blocks_of_lanes_change_nothing_but_rounding(monkeypatch, problem):
    recorded = tuple(range(24))
    whole = lanes_of(optax.adam, problem=problem, num_seeds=4, recorded=recorded)
    monkeypatch.setattr(job_module, "block_lanes", lambda seeds, settings, most: (2, 3))
    parts = lanes_of(optax.adam, problem=problem, num_seeds=4, recorded=recorded)
    np.testing.assert_allclose(whole.value, parts.value, rtol=1e-9)
    np.testing.assert_allclose(whole.params, parts.params, rtol=1e-7, atol=1e-9)
    np.testing.assert_array_equal(whole.hit_steps, parts.hit_steps)
    np.testing.assert_array_equal(whole.status, parts.status)


def test_a_group_equals_its_members_alone():
    lanes = Lanes(seeds=(0, 1, 2), settings={"learning_rate": RATES})
    plan = Plan(num_steps=100, budget=None)
    methods = [make_method(factory) for factory in FIRST_ORDER]
    grouped = prepare(BOWL, methods, lanes, plan)
    for index, method in enumerate(methods):
        together = execute(grouped, index)
        alone = execute(prepare(BOWL, [method], lanes, plan))
        np.testing.assert_allclose(together.value, alone.value, rtol=1e-10, atol=1e-25)
        np.testing.assert_array_equal(together.hit_steps, alone.hit_steps)


def test_every_member_of_a_group_sweeps_what_it_likes():
    rates, seeds = {"learning_rate": RATES}, (0, 1)
    momentum = {"learning_rate": RATES[::-1].copy(), "b1": np.linspace(0.3, 0.9, 6)}
    lanes = [Lanes(seeds=seeds, settings=settings) for settings in (rates, momentum)]
    methods = [make_method(optax.sgd), make_method(optax.adam)]
    plan = Plan(num_steps=60, budget=None)
    grouped = prepare(BOWL, methods, lanes, plan)
    for index, method in enumerate(methods):
        together, alone = (
            execute(grouped, index),
            execute(prepare(BOWL, [method], lanes[index], plan)),
        )
        np.testing.assert_allclose(together.value, alone.value, rtol=1e-10, atol=1e-25)
        assert list(together.settings) == list(lanes[index].settings)
    swapped = execute(prepare(BOWL, methods[::-1], lanes[::-1], plan), 1)
    assert np.abs(swapped.value - execute(grouped, 1).value).max() > 1e-3  # sgd is not adam
    with pytest.raises(OptbenchError, match="lanes of a group differ"):
        prepare(BOWL, methods, [lanes[0], Lanes(seeds=seeds)], plan)


def test_every_optimizer_sees_the_same_samples():
    """The gradient noise a method saw is what its state sums up."""

    def summing(sign: float = 1.0) -> Optimizer:
        def step(evaluation, state, oracle):
            noise = evaluation.grad - jnp.array([1.0, 0.1]) * evaluation.params
            moved = evaluation.params - sign * 0.1 * evaluation.grad
            return Step(moved, state + noise)

        return Optimizer(jnp.zeros_like, step, report=lambda state: {"seen": state[0]})

    lanes = Lanes(seeds=(0, 1))
    plan = Plan(num_steps=50, budget=None, targets=(0.1,))
    methods = [make_method(summing, sign=sign) for sign in (1.0, 0.5)]
    one, other = (execute(prepare(NOISY_BOWL, [m], lanes, plan)) for m in methods)
    np.testing.assert_allclose(one.diagnostics["seen"], other.diagnostics["seen"], atol=1e-12)
    assert np.abs(one.value - other.value).max() > 1e-3
    first, second = one.diagnostics["seen"][:, 0, -1]
    assert abs(first - second) > 1e-3  # seeds differ


def test_a_stochastic_log_holds_the_exact_objective_off_the_clock():
    trajectory = run(NOISY_BOWL, make_method(optax.sgd, learning_rate=0.1), num_steps=100)
    exact = 0.5 * (trajectory.params**2 @ np.array([1.0, 0.1]))
    np.testing.assert_allclose(trajectory.value, exact, rtol=1e-12)
    np.testing.assert_allclose(trajectory.cost, 0.25 * (trajectory.steps + 1))
    assert trajectory.resolution == "log points"
    assert set(trajectory.hit_steps[np.isfinite(trajectory.hit_steps)]) <= set(trajectory.steps)


def averaged(learning_rate: float = 0.1) -> Optimizer:
    """Gradient descent that reports the mean of its points."""
    inner = from_optax(optax.sgd(learning_rate))

    def init(params):
        return inner.init(params), params, jnp.int32(1)

    def step(evaluation, state, oracle):
        taken = inner.step(evaluation, state[0], oracle)
        count = state[2] + 1
        mean = state[1] + (taken.params - state[1]) / count
        return Step(taken.params, (taken.state, mean, count))

    return Optimizer(init, step, eval_params=lambda params, state: state[1])


def test_the_reported_point_may_differ_from_the_one_stepped_from():
    plan = {"log_steps": tuple(range(41))}
    stepped = run(BOWL, make_method(optax.sgd, learning_rate=0.1), **plan)
    reported = run(BOWL, make_method(averaged), **plan)
    means = np.cumsum(stepped.params, axis=0) / np.arange(1, 42)[:, None]
    np.testing.assert_allclose(reported.params, means, atol=1e-14)
    np.testing.assert_allclose(reported.value, 0.5 * (means**2 @ np.array([1.0, 0.1])), rtol=1e-12)
    assert reported.resolution == "log points"


def hungry(learning_rate: float = 0.1) -> Optimizer:
    """Gradient descent that asks for as many values as its point is far out: calls vary."""

    def step(evaluation, state, oracle):
        asked = jnp.where(jnp.abs(evaluation.params[0]) > 0.5, 6, 3).astype(jnp.int32)
        return Step(evaluation.params - learning_rate * evaluation.grad, state, Calls(values=asked))

    return Optimizer(lambda params: (), step)


def test_a_budget_ends_each_lane_by_its_own_calls():
    lanes = Lanes(seeds=tuple(range(4)), settings={"learning_rate": np.array([0.01, 0.3])})
    plan = Plan(budget=60.0, log_steps=tuple(range(60)))
    trajectory = execute(prepare(BOWL, [make_method(hungry)], lanes, plan))
    assert np.nanmax(trajectory.cost) <= 60 * (1 + 1e-12)
    ends = trajectory.steps[trajectory.last]
    assert len(np.unique(ends)) > 1
    counts = trajectory.calls["values"]
    np.testing.assert_allclose(
        trajectory.cost, trajectory.calls["value_and_gradients"] + counts / 3, rtol=1e-12
    )
    endless = Plan(budget=None, log_steps=tuple(range(60)))
    whole = execute(prepare(BOWL, [make_method(hungry)], lanes, endless))
    affordable = (whole.cost <= 60 * (1 + 1e-12)).sum(-1)
    np.testing.assert_array_equal(trajectory.last, affordable - 1)
    beyond = np.arange(len(trajectory.steps)) > trajectory.last[..., None]
    assert np.isnan(trajectory.value[beyond]).all()
    assert np.isfinite(trajectory.value[~beyond]).all()
    hit = np.isfinite(trajectory.hit_steps)
    steps = trajectory.hit_steps[hit].astype(int)
    shape = (*hit.shape, trajectory.cost.shape[-1])
    lane_costs = np.broadcast_to(trajectory.cost[:, :, None, :], shape)[hit]
    expected = lane_costs[np.arange(len(steps)), steps]
    np.testing.assert_allclose(trajectory.hit_costs[hit], expected, rtol=1e-12)


def test_hits_do_not_depend_on_the_log():
    lanes = Lanes(seeds=tuple(range(5)), settings={"learning_rate": np.geomspace(0.02, 0.3, 40)})
    grids = (None, tuple(range(400)))
    plans = (Plan(budget=300.0, log_steps=steps) for steps in grids)
    sparse, dense = (execute(prepare(BOWL, [make_method(hungry)], lanes, plan)) for plan in plans)
    np.testing.assert_array_equal(sparse.hit_steps, dense.hit_steps)
    assert np.nanmax(sparse.hit_costs) <= 300 * (1 + 1e-12)
    ends = sparse.steps[sparse.last][..., None]
    assert (sparse.hit_steps > ends).any()  # met between the last log point and the budget


def test_nothing_is_logged_after_the_end():
    found = run(BOWL, make_method(optax.sgd, learning_rate=30.0), num_steps=100)
    assert found.status == Status.DIVERGED
    for name in ("value", "gradient_norm", "cost", "params"):
        logged = getattr(found, name)
        assert np.isfinite(logged[: found.last + 1]).all()
        assert np.isnan(logged[found.last + 1 :]).all()


def test_every_kind_of_end():
    sgd = lanes_of(optax.sgd, problem=BOWL, rates=np.array([1e-9, 0.5, 30.0]), num_seeds=1)
    assert list(sgd.status[0]) == [Status.STALLED, Status.REACHED, Status.DIVERGED]
    short = run(BOWL, make_method(optax.sgd, learning_rate=0.1), num_steps=20)
    assert short.status == Status.BUDGET
    leaving = Problem(objective=log_value, start=start_near(np.array([3.0])), minimum=0.0)
    out = run(leaving, make_method(optax.sgd, learning_rate=10.0), num_steps=20)
    assert out.status == Status.NON_FINITE
    assert not np.isfinite(out.value[out.last])


def test_escape_is_the_target_at_a_saddle():
    saddle = Problem(
        objective=saddle_value,
        start=start_near(np.array([1.0, 1e-3])),
        saddle=0.0,
        bounded_below=False,
    )
    trajectory = run(saddle, make_method(optax.sgd, learning_rate=0.1), num_steps=300)
    assert trajectory.status == Status.REACHED
    assert trajectory.merit == "escape"
    values, _ = python_loop(optax.sgd, 0.1, [1.0, 1e-3], 300, saddle_value)
    assert trajectory.hit_steps[0] == np.argmax(values <= -values[0])


def test_a_lane_that_falls_to_minus_infinity_leaves_the_hits_of_others_alone():
    saddle = Problem(
        objective=saddle_value,
        start=start_near(np.array([1.0, 1e-3])),
        saddle=0.0,
        bounded_below=False,
    )
    found = lanes_of(
        optax.sgd, problem=saddle, num_seeds=1, rates=np.array([1.0, 5e-3]), num_steps=3000
    )
    assert found.hit_steps[0, 1, 0] > 1100  # the other lane, doubling, is at -inf from 530 on
    np.testing.assert_array_equal(found.hit_costs, found.hit_steps + 1)


def test_a_saddle_is_no_minimizer_where_the_minimum_is_unknown():
    sgd = make_method(optax.sgd, learning_rate=0.9)
    unknown = dataclasses.replace(BOWL, minimum=None)
    minimized = run(unknown, sgd, num_steps=400)
    assert minimized.merit == "gradient norm"
    assert np.isfinite(minimized.hit_steps).sum() >= 3
    on_manifold = Problem(objective=saddle_value, start=start_near(np.array([1.0, 0.0])))
    trapped = run(on_manifold, sgd, num_steps=400)
    assert trapped.gradient_norm[-1] < 1e-6
    assert np.isnan(trapped.hit_steps).all()


def test_a_stop_at_a_saddle_reaches_nothing():
    start = start_near(np.array([1.0, 0.0]))
    landed = run(Problem(objective=saddle_value, start=start), SGD, num_steps=50)
    assert landed.gradient_norm[landed.last] == 0
    assert np.isnan(landed.hit_steps).all()
    assert landed.status == Status.STALLED


def cosh_value(x):
    return jnp.sum(jnp.cosh(x))


def divided(learning_rate: float = 1.0) -> Optimizer:
    """Newton's method on the sum of cosh, which divides 0 by 0 at the minimizer."""

    def step(evaluation, state, oracle):
        share = evaluation.grad / evaluation.grad
        return Step(evaluation.params - learning_rate * share * jnp.tanh(evaluation.params), state)

    return Optimizer(lambda params: (), step)


def test_what_a_lane_does_after_its_end_takes_no_hit_away():
    problem = Problem(objective=cosh_value, start=start_near(np.array([0.5])))
    alone = lanes_of(divided, problem=problem, num_seeds=1, rates=np.array([1.0]))
    beside = lanes_of(divided, problem=problem, num_seeds=1, rates=np.array([1.0, 0.01]))
    assert np.isnan(beside.value[0, 0]).any()  # the other lane goes on
    assert alone.status[0, 0] == beside.status[0, 0] == Status.REACHED
    np.testing.assert_array_equal(alone.hit_steps[0, 0], beside.hit_steps[0, 0])


def flat_value(x, rows):
    return jnp.sum(jnp.log1p((rows @ x) ** 2))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("dim", [6, 130])
def test_rounding_makes_no_saddle_of_a_flat_minimum(dtype, dim):
    rows = np.random.default_rng(0).standard_normal((3, dim)) / np.sqrt(dim)
    flat = Problem(objective=flat_value, data=(rows,), start=standard_normal((dim,)))
    method = make_method(optax.sgd, learning_rate=0.25)
    found = run(flat, method, num_steps=600, targets=(1e-1, 1e-5), dtype=dtype)
    assert np.isfinite(found.hit_steps).all()
    assert found.status == Status.REACHED
    bent = dataclasses.replace(flat, objective=bent_value)  # planted: a way down
    end = found.params[-1:].astype(dtype)
    with jax.enable_x64(dtype == "float64"):
        smallest = smallest_eigenvalues(bent, end)
    np.testing.assert_allclose(smallest, -2e-3, rtol=0.05)


def bent_value(x, rows):
    return flat_value(x, rows) - 1e-3 * jnp.sum(x**2)


def test_targets_below_ten_times_the_noise_floor_are_not_ranked():
    settings = {"num_steps": 500, "targets": (1e-1, 1e-3, 1e-9)}
    sgd = make_method(optax.sgd, learning_rate=0.5)
    with_floor = run(BOWL, sgd, noise_floor=1e-8, **settings)
    without = run(BOWL, sgd, **settings)
    np.testing.assert_array_equal(with_floor.hit_steps[:2], without.hit_steps[:2])
    assert np.isnan(with_floor.hit_steps[2])
    assert np.isfinite(without.hit_steps[2])
    assert with_floor.status == Status.REACHED


def test_precision_is_that_of_the_run():
    double = run(ROSENBROCK, make_method(optax.adam, learning_rate=0.1), num_steps=50)
    single = run(
        ROSENBROCK, make_method(optax.adam, learning_rate=0.1), num_steps=50, dtype="float32"
    )
    error = np.abs(single.value / double.value - 1).max()
    assert 1e-9 < error < 1e-2


def square_distance(x):
    return jnp.sum(jnp.abs(x - (1 + 2j)) ** 2)


def test_complex_parameters_descend_and_are_kept():
    problem = Problem(
        objective=square_distance, start=start_near(np.array([0.5 + 0.5j])), minimum=0.0
    )
    found = run(problem, make_method(optax.sgd, learning_rate=0.1), num_steps=20)
    expected = (1 + 2j) + 0.8 ** np.arange(21) * (-0.5 - 1.5j)
    np.testing.assert_allclose(found.params[:, 0], expected, rtol=1e-12)


def noisy(learning_rate: float = 0.1, seed: int = 0) -> optax.GradientTransformation:
    """Gradient descent whose state holds a random key."""
    return optax.noisy_sgd(learning_rate, key=jax.random.key(seed))


def test_a_state_may_hold_random_keys():
    lanes, plan = Lanes(seeds=(0, 1)), Plan(num_steps=20, targets=(0.1,))
    methods = [make_method(optax.sgd, learning_rate=0.1), make_method(noisy)]
    grouped = prepare(BOWL, methods, lanes, plan)
    scales = np.array([1.0, 0.1])
    values, _ = python_loop(noisy, 0.1, BOWL.start(1), 20, bowl_value, (scales,))
    np.testing.assert_allclose(execute(grouped, 1).value[1, 0], values, rtol=1e-10)
    plain, _ = python_loop(optax.sgd, 0.1, BOWL.start(1), 20, bowl_value, (scales,))
    np.testing.assert_allclose(execute(grouped, 0).value[1, 0], plain, rtol=1e-10)
    assert np.abs(plain - values).max() > 1e-6


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_budget_is_spent_to_the_last_call_in_either_precision(dtype):
    asking = run(
        BOWL, hungry, budget=1 + 3.0 * 6, log_steps=tuple(range(9)), dtype=dtype, targets=(0.9,)
    )
    affordable = np.cumsum(np.r_[1, 1 + np.where(np.abs(asking.params[:8, 0]) > 0.5, 6, 3) / 3])
    spent = affordable[affordable <= 19 + 1e-9]
    np.testing.assert_allclose(asking.cost[: asking.last + 1], spent, rtol=1e-14)
    tenth = dataclasses.replace(NOISY_BOWL, sample_fraction=0.1)
    sampled = run(tenth, SGD, budget=10.0, dtype=dtype)
    assert sampled.steps[sampled.last] == 99


@pytest.mark.parametrize(("budget", "steps"), [(0.5, 0), (1.0, 0), (2.0, 1)])
def test_the_smallest_budgets_are_exhausted_not_stalled(budget, steps):
    found = run(BOWL, make_method(optax.sgd, learning_rate=0.1), budget=budget)
    assert (found.steps[found.last], found.status) == (steps, Status.BUDGET)


def test_a_run_may_log_its_start_alone():
    found = run(BOWL, SGD, log_steps=(0,))
    np.testing.assert_array_equal(found.steps, [0])
    np.testing.assert_allclose(found.value, bowl_value(BOWL.start(0), np.array([1.0, 0.1])))


def test_a_seed_may_be_any_integer_but_a_negative_one():
    plain, other = (run(NOISY_BOWL, SGD, seed, num_steps=5) for seed in (3, np.int64(3)))
    np.testing.assert_array_equal(plain.value, other.value)
    with pytest.raises(OptbenchError, match="seed -1 is negative"):
        run(BOWL, SGD, -1, num_steps=5)


def test_keys_and_seeds_decide_everything_random():
    sgd = make_method(optax.sgd, learning_rate=0.1)
    first, again = (run(NOISY_BOWL, sgd, 3, num_steps=30) for _ in range(2))
    np.testing.assert_array_equal(first.value, again.value)
    other = run(NOISY_BOWL, sgd, 4, num_steps=30)
    assert np.abs(first.value - other.value).max() > 1e-3
    keyed, same = (run(NOISY_BOWL, sgd, jax.random.key(5), num_steps=30) for _ in range(2))
    np.testing.assert_array_equal(keyed.value, same.value)


def test_the_log_grid_is_dense_first_and_ends_at_the_horizon():
    for horizon in (1, 10, 64, 65, 100, 1000, 12345, 10**6):
        grid = log_grid(horizon)
        assert grid[0] == 0
        assert grid[-1] == horizon
        assert (np.diff(grid) > 0).all()
        assert len(grid) <= 128
        np.testing.assert_array_equal(grid[:60], np.arange(min(60, horizon + 1)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"budget": -1.0}, "budget is -1.0"),
        ({"num_steps": 0}, "num_steps is 0"),
        ({"budget": float("nan")}, "budget is nan"),
        ({"budget": float("inf")}, "budget is inf"),
        ({"budget": 1e10}, "a run of 9999999999 steps"),
        ({"prices": Prices(value_and_gradients=0.0)}, "gradients free"),
        ({"prices": Prices(values=-1.0)}, "prices are negative"),
        ({"targets": ()}, "targets are"),
        ({"targets": (0.1, 0.5)}, "targets are"),
        ({"dtype": "float16"}, "no precision 'float16'"),
        ({"log_steps": (1, 2)}, "log_steps do not ascend"),
        ({"bugdet": 3.0}, "no setting named 'bugdet'"),
    ],
)
def test_bad_settings_are_refused_in_one_line(settings, said):
    with pytest.raises(OptbenchError, match=said) as refused:
        run(BOWL, SGD, **settings)
    assert refused.value.hint


def test_a_missing_learning_rate_is_said():
    with pytest.raises(OptbenchError, match="needs a learning_rate"):
        run(BOWL, optax.adam, num_steps=10)


def test_a_wrapper_needs_its_own_learning_rate_though_another_is_swept():
    def rescaled(inner: Optimizer, learning_rate: float) -> Optimizer:
        return inner

    method = make_method(rescaled, inner=make_method(optax.adam))
    lanes = Lanes(settings={"learning_rate": RATES})
    with pytest.raises(OptbenchError, match="needs a learning_rate"):
        prepare(BOWL, [method], lanes, Plan(num_steps=5))


def test_a_point_that_changes_its_precision_is_refused():
    def narrowing() -> Optimizer:
        def step(evaluation, state, oracle):
            return Step(evaluation.params.astype(jnp.float32), state)

        return Optimizer(lambda params: (), step)

    with pytest.raises(OptbenchError, match="point of optimizer 'narrowing' changes"):
        run(BOWL, narrowing, num_steps=3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sample_fraction": 0.25}, "where nothing is sampled"),
        ({"minimum": float("nan")}, "minimum is nan"),
        ({"saddle": float("inf")}, "saddle is inf"),
    ],
)
def test_a_passport_that_would_give_wrong_numbers_is_refused(changes, said):
    with pytest.raises(OptbenchError, match=said):
        run(dataclasses.replace(BOWL, **changes), SGD, num_steps=3)


def test_an_unstable_state_is_refused():
    def growing() -> Optimizer:
        def step(evaluation, state, oracle):
            return Step(evaluation.params, jnp.concatenate([state, state]))

        return Optimizer(lambda params: jnp.zeros(1), step)

    with pytest.raises(OptbenchError, match="changes its structure, shapes or dtypes"):
        run(BOWL, growing, num_steps=3)


def test_the_golden_lanes_of_a_long_run_stop_early_once_all_are_done():
    seen = []
    plan = Plan(num_steps=100_000, budget=None, targets=(0.1,))
    lanes = Lanes(seeds=(0,), settings={"learning_rate": np.array([0.9, 1.0])})
    job = prepare(BOWL, [make_method(optax.sgd)], lanes, plan)
    trajectory = execute(job, progress=seen.append)
    assert trajectory.steps[-1] < 100_000
    assert all(0 <= share <= 1 for share in seen)


def test_log_steps_and_num_steps_are_not_both_given():
    with pytest.raises(OptbenchError, match="both given"):
        run(BOWL, make_method(optax.sgd, learning_rate=0.1), log_steps=(0, 1, 2), num_steps=5)


def test_a_lane_with_no_target_to_meet_has_not_reached_any():
    plan = {"num_steps": 20, "noise_floor": 1.0}
    assert run(BOWL, make_method(optax.sgd, learning_rate=30.0), **plan).status != Status.REACHED


def test_a_method_that_asks_is_no_member_of_a_group():
    def curious(learning_rate: float = 0.1) -> Optimizer:
        return Optimizer(
            lambda params: (),
            lambda e, state, oracle: Step(e.params - oracle.value(e.params) * e.grad, state),
        )

    methods = [make_method(optax.sgd, learning_rate=0.1), make_method(curious)]
    with pytest.raises(OptbenchError, match="cannot share a program"):
        prepare(BOWL, methods, Lanes(), Plan())


def test_curvature_of_complex_params_is_that_of_their_real_coordinates():
    """f(z) = |z|^2 - 3 (Im z)^2 has curvatures 2 and -4."""

    def bent(z):
        return jnp.sum(jnp.abs(z) ** 2 - 3 * jnp.imag(z) ** 2)

    problem = Problem(objective=bent, start=start_near(np.ones(1, complex)))
    with jax.enable_x64(True):
        found = smallest_eigenvalues(problem, np.array([[0.5 + 0.5j]]))
    np.testing.assert_allclose(found, [-4.0], rtol=1e-12)
