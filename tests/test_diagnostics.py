"""Diagnostics along the path, against NumPy; and that asking for them changes nothing else."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from optbench import stability
from optbench.diagnostics import (
    DENSE_DIM,
    NEWTON_PRODUCTS,
    SHARPNESS_PRODUCTS,
    calls_per_point,
    measure,
    underflow,
)
from optbench.errors import OptbenchError
from optbench.health import EXPLODING, SPIKE_WINDOW, STATISTICS, VANISHING, gradient_health
from optbench.krylov import dense_solution, krylov_solution, lanczos, top_eigenvalue
from optbench.method import Method, make_method
from optbench.optimizer import Stability
from optbench.optimizers.adaptive.moments import adagrad, adam, adamw, rmsprop
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.momentum import momentum, nesterov
from optbench.optimizers.second_order.dense_newton import newton
from optbench.optimizers.second_order.lbfgs import lbfgs
from optbench.optimizers.wrappers.clipping import clip_by_global_norm
from optbench.optimizers.wrappers.schedules import linear_decay
from optbench.oracle import Evaluation, RefusingOracle
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.run import execute, prepare, run
from optbench.start import start_near
from optbench.trajectory import Status, Trajectory
from problems.quadratics import quadratic

RNG = np.random.default_rng(0)
SPECTRUM = np.array([4.0, 2.0, 1.0, -0.5])


def symmetric(eigenvalues: np.ndarray, seed: int = 1) -> np.ndarray:
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(eigenvalues),) * 2))
    return basis * eigenvalues @ basis.T


def quadratic_form(params, matrix):
    flat = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(params)])
    return flat @ matrix @ flat / 2


def of_matrix(matrix: np.ndarray, start=None) -> Problem:
    start = np.ones(len(matrix)) if start is None else start
    return Problem(
        objective=quadratic_form, data=(matrix,), start=start_near(start), bounded_below=False
    )


def measured(problem: Problem, *trees) -> dict[str, np.ndarray]:
    """What one step shows, in float64."""
    with jax.enable_x64(True):
        found = jax.jit(measure)(problem, *jax.tree.map(jnp.asarray, trees))
        return jax.tree.map(np.asarray, found)


@functools.partial(jax.jit, static_argnums=2)
def krylov_of(matrix, start, num_products: int):
    return lanczos(lambda v: matrix @ v, start, num_products)


# Krylov spaces


@pytest.mark.parametrize(
    "eigenvalues",
    [
        SPECTRUM,
        np.linspace(-3, 5, 20),
        -np.linspace(1, 5, 20),  # the largest is -1, not 5 in absolute value
        np.ones(6),  # the space is invariant after one product
        np.array([3.0, 3.0, -7.0, 0.0, 0.0]),
        np.geomspace(1e-8, 1e4, 20),
    ],
    ids=["small", "indefinite", "negative", "identity", "multiple", "ill-conditioned"],
)
def test_lanczos_is_exact_in_few_dimensions(eigenvalues):
    matrix = symmetric(eigenvalues)
    with jax.enable_x64(True):
        krylov = krylov_of(matrix, RNG.standard_normal(len(matrix)), len(matrix))
        top = top_eigenvalue(krylov, 1e-2)
    expected = np.linalg.eigvalsh(matrix)
    assert top == pytest.approx(expected[-1], abs=1e-12 * np.abs(expected).max())


def test_lanczos_finds_the_top_of_many_eigenvalues_or_says_that_it_does_not():
    falling, flat = symmetric(10 * 0.9 ** np.arange(200)), symmetric(np.linspace(0, 1, 200))
    start = RNG.standard_normal(200)
    with jax.enable_x64(True):
        found = krylov_of(falling, start, 32)
        assert top_eigenvalue(found, 1e-2) == pytest.approx(10, rel=1e-8)
        assert np.abs(found.basis @ found.basis.T - np.eye(32)).max() < 1e-12
        short = krylov_of(flat, start, 3)
        assert np.isnan(top_eigenvalue(short, 1e-2))
        broken = krylov_of(flat * np.nan, start, 3)
        assert np.isnan(top_eigenvalue(broken, 1e-2))


def test_newton_equations_are_solved_or_said_to_be_singular():
    right = RNG.standard_normal(30)
    for eigenvalues in (np.geomspace(1, 100, 30), np.linspace(-3, 4, 30)):
        matrix = symmetric(eigenvalues)
        expected = np.linalg.solve(matrix, right)
        with jax.enable_x64(True):
            b = jnp.asarray(right)
            dense = dense_solution(jnp.asarray(matrix), b)
            krylov = krylov_of(matrix, right, 30)
            full = krylov_solution(krylov, jnp.linalg.norm(b), 1e-3)
            short = krylov_of(matrix, right, 3)
            unsolved = krylov_solution(short, jnp.linalg.norm(b), 1e-3)
        np.testing.assert_allclose(dense, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(full, expected, rtol=1e-7, atol=1e-7)
        assert np.isnan(unsolved).all()
    with jax.enable_x64(True):
        singular = jnp.asarray(symmetric(np.array([2.0, 1.0, 0.0])))
        assert np.isnan(dense_solution(singular, jnp.ones(3))).all()


# One step, measured by hand


def by_hand(matrix: np.ndarray, before: np.ndarray, after: np.ndarray, diagonal: np.ndarray):
    """What `measure` should say, written from the definitions."""
    grad, step = matrix @ before, after - before
    newton_step = -np.linalg.solve(matrix, grad)
    scaled = matrix / np.sqrt(np.outer(diagonal, diagonal))

    def angle(a, b):
        return a @ b / np.sqrt((a @ a) * (b @ b))

    return {
        "sharpness": np.linalg.eigvalsh(matrix).max(),
        "preconditioned_sharpness": np.linalg.eigvalsh(scaled).max(),
        "step_cosine_gradient": angle(step, -grad),
        "step_cosine_newton": angle(step, newton_step),
        "update_ratio": np.sqrt(step @ step / (before @ before)),
    }


def statistics_by_hand(leaf: np.ndarray) -> dict[str, float]:
    return {
        "mean": leaf.sum() / leaf.size,
        "std": np.sqrt(((leaf - leaf.mean()) ** 2).sum() / leaf.size),
        "min": leaf.min(),
        "max": leaf.max(),
        "norm": np.sqrt((leaf**2).sum()),
    }


def test_every_diagnostic_equals_its_definition():
    matrix, diagonal = symmetric(SPECTRUM), np.array([1.0, 4.0, 0.25, 2.0])
    before, after = RNG.standard_normal(4), RNG.standard_normal(4)

    def tree(flat):
        return {"layer": {"w": flat[:3]}, "z": flat[3]}

    found = measured(of_matrix(matrix), *map(tree, (before, after, diagonal)))
    expected = by_hand(matrix, before, after, diagonal)
    for of, flat in (("params", before), ("gradient", matrix @ before)):
        for place, leaf in (("layer/w", flat[:3]), ("z", flat[3:])):
            for name, value in statistics_by_hand(leaf).items():
                expected[f"{of}/{place}/{name}"] = value
    expected |= dict.fromkeys(("underflow_float16", "underflow_bfloat16", "underflow_float32"), 0.0)
    assert found.keys() == expected.keys() and set(STATISTICS) == set(statistics_by_hand(before))
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-11, abs=1e-13), name
    wrong = by_hand(-matrix, before, after, diagonal)  # planted: each sign and spectrum is seen
    for name in ("sharpness", "preconditioned_sharpness", "step_cosine_gradient"):
        assert found[name] != pytest.approx(wrong[name], rel=1e-3), name


def test_complex_numbers_are_two_coordinates_each():
    def objective(z, weights):
        return jnp.sum(weights[:, 0] * z.real**2 + weights[:, 1] * z.imag**2) / 2

    weights = np.array([[3.0, 5.0], [1.0, 2.0]])
    problem = Problem(objective=objective, data=(weights,), start=start_near(np.ones(2)))
    before, after = np.array([1 + 1j, 2 - 1j]), np.array([0.5 + 1j, 1 - 0.5j])
    found = measured(problem, before, after, np.array([2.0, 0.5]))
    real = np.stack([before.real, before.imag], -1).ravel()
    step = np.stack([(after - before).real, (after - before).imag], -1).ravel()
    grad = weights.ravel() * real
    angle = step @ -grad / np.linalg.norm(step) / np.linalg.norm(grad)
    assert found["step_cosine_gradient"] == pytest.approx(angle)
    assert found["sharpness"] == pytest.approx(5)
    assert found["preconditioned_sharpness"] == pytest.approx(2 / 0.5)
    assert found["params/max"] == real.max() and found["params/min"] == real.min()


def test_beyond_the_dense_dimension_krylov_spaces_do():
    dim = DENSE_DIM + 30
    matrix = symmetric(1 + 9 * 0.8 ** np.arange(dim))
    before, after = RNG.standard_normal(dim), RNG.standard_normal(dim)
    found = measured(of_matrix(matrix), before, after, None)
    expected = by_hand(matrix, before, after, np.ones(dim))
    assert found["sharpness"] == pytest.approx(10, rel=1e-8)
    assert found["step_cosine_newton"] == pytest.approx(expected["step_cosine_newton"], abs=1e-3)
    products = calls_per_point(dim, preconditioned=False).hessian_products
    assert products == NEWTON_PRODUCTS + SHARPNESS_PRODUCTS
    assert calls_per_point(DENSE_DIM, preconditioned=True).hessian_products == DENSE_DIM


@pytest.mark.parametrize(
    ("precision", "low"),
    [("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16), ("float32", np.float32)],
)
def test_underflow_is_what_rounding_loses(precision, low):
    tiny, eps = float(ml_dtypes.finfo(low).tiny), float(ml_dtypes.finfo(low).eps)
    edge = tiny * (1 - eps / 2)
    entries = [0.0, tiny, -tiny, edge, edge * (1 - 1e-6), tiny / 3, -tiny * eps, tiny**2 * 1e3]
    entries = np.array([*entries, 1.0, *(tiny * 2.0 ** RNG.uniform(-30, 5, 200))])
    with np.errstate(under="ignore"):
        rounded = entries.astype(low).astype(np.float64)
    lost = (entries != 0) & (np.abs(rounded) < tiny)
    with jax.enable_x64(True):
        found = float(underflow(jnp.asarray(entries), precision))
        assert float(underflow(jnp.zeros(3), precision)) == 0.0
    assert found == lost.sum() / (entries != 0).sum() and 0.3 < found < 1


def test_health_marks_what_vanishes_explodes_and_spikes():
    norms = np.array([1.0, 5.0, 11.0, 1.0, 100.0, 1.0, np.nan, 1.0])
    health = gradient_health(np.stack([norms, 1e3 * norms]))
    assert health["gradient_spikes"][0].tolist()[:6] == [0, 0, 0, 0, 1, 0]  # 11 < 10 * 3
    assert np.isnan(health["gradient_spikes"][0, 6])
    assert health["gradient_explodes"][1].tolist()[:5] == [0, 1, 1, 0, 1]
    small = gradient_health(np.array([VANISHING, VANISHING / 2, EXPLODING]))
    assert small["gradient_vanishes"].tolist() == [0, 1, 0]
    long = np.r_[np.ones(20), 1e-3 * np.ones(SPIKE_WINDOW), 0.011]  # the ones are forgotten
    assert gradient_health(long)["gradient_spikes"][-1] == 1


# Thresholds


def radius(*coefficients: float) -> float:
    """The largest root of z^n - c_1 z^(n-1) - ... - c_n in modulus."""
    return float(np.abs(np.roots([1, *(-np.array(coefficients))])).max())


ETA, BETA, DECAY = 0.3, 0.9, 0.2


@pytest.mark.parametrize(
    ("threshold", "growth"),
    [
        (stability.gradient_descent_threshold(ETA), lambda s: radius(1 - ETA * s)),
        (
            stability.heavy_ball_threshold(ETA, BETA),
            lambda s: radius(1 + BETA - ETA * s, -BETA),
        ),
        (
            stability.nesterov_threshold(ETA, BETA),
            lambda s: radius((1 + BETA) * (1 - ETA * s), -BETA * (1 - ETA * s)),
        ),
        (
            stability.adam_threshold(ETA, BETA),
            lambda s: radius(1 + BETA - ETA * (1 - BETA) * s, -BETA),
        ),
        (
            stability.adam_threshold(ETA, BETA, DECAY),
            lambda s: float(
                np.abs(
                    np.linalg.eigvals(  # of (x, m): m' = b m + (1-b) s x, x' = (1-eta d) x - eta m'
                        np.array(
                            [
                                [1 - ETA * DECAY - ETA * (1 - BETA) * s, -ETA * BETA],
                                [(1 - BETA) * s, BETA],
                            ]
                        )
                    )
                ).max()
            ),
        ),
    ],
    ids=["gradient descent", "heavy ball", "nesterov", "adam", "adamw"],
)
def test_a_threshold_parts_decay_from_growth(threshold, growth):
    assert growth(threshold * (1 - 1e-6)) < 1 < growth(threshold * (1 + 1e-6))


def test_adam_at_its_defaults_has_38_over_the_learning_rate():
    assert stability.adam_threshold(0.5, 0.9) == pytest.approx(76)


def test_gradient_descent_at_the_edge_of_stability():
    problem = of_matrix(symmetric(np.array([4.0, 2.0, 1.0, 0.5])))
    for share, is_stable in ((0.98, True), (1.02, False)):
        rate = share * 2 / 4.0
        method = make_method(gradient_descent, learning_rate=rate)
        trajectory = run(problem, method, num_steps=300, diagnostics=True)
        told = trajectory.diagnostics
        ratio = told["sharpness"] / told["sharpness_threshold"]
        np.testing.assert_allclose(ratio, share, rtol=1e-12)
        grows = trajectory.gradient_norm[-1] > trajectory.gradient_norm[0]
        assert grows != is_stable and np.isfinite(trajectory.value).all()


def state_after(method, grads: np.ndarray) -> Stability:
    """The stability of a method after it has seen some gradients."""
    with jax.enable_x64(True):
        built = method()
        params = jnp.zeros(grads.shape[1])
        state = built.init(params)
        for grad in grads:
            seen = jax.tree.map(jnp.asarray, (params, 0.0, grad))
            state = built.step(Evaluation(*seen), state, RefusingOracle()).state
        return jax.tree.map(np.asarray, built.stability(state, 0.5))


def test_preconditioners_are_those_of_the_papers():
    grads = RNG.standard_normal((5, 3))
    second = np.zeros(3)
    for grad in grads:
        second = 0.99 * second + 0.01 * grad**2
    hat = second / (1 - 0.99**5)
    found = state_after(functools.partial(adam, 0.1, b1=0.8, b2=0.99, eps=1e-3), grads)
    np.testing.assert_allclose(
        found.preconditioner, (1 - 0.8**5) * (np.sqrt(hat) + 1e-3), rtol=1e-12
    )
    assert found.threshold == pytest.approx(2 * 1.8 / (0.2 * 0.1))
    decayed = state_after(functools.partial(adamw, 0.1, b1=0.8, b2=0.99, eps=1e-3), grads)
    np.testing.assert_allclose(decayed.preconditioner, found.preconditioner, rtol=1e-12)
    found = state_after(functools.partial(rmsprop, 0.1, decay=0.99, eps=1e-3), grads)
    np.testing.assert_allclose(found.preconditioner, np.sqrt(second + 1e-3), rtol=1e-12)
    assert found.threshold == 20
    outside = functools.partial(rmsprop, 0.1, decay=0.99, eps=1e-3, eps_in_sqrt=False)
    np.testing.assert_allclose(
        state_after(outside, grads).preconditioner, np.sqrt(second) + 1e-3, rtol=1e-12
    )
    assert rmsprop(centered=True).stability is None
    found = state_after(functools.partial(adagrad, 0.1, 0.5, 1e-3), grads)
    np.testing.assert_allclose(
        found.preconditioner, np.sqrt(0.5 + (grads**2).sum(0) + 1e-3), rtol=1e-12
    )


# Whole runs

QUADRATIC = of_matrix(symmetric(np.array([4.0, 2.0, 1.0, 0.5])))
RATES = np.array([0.01, 0.1, 0.3])


def sampled(params, key, matrix):
    noise = 0.1 * jax.random.normal(key, params.shape, params.dtype)
    return quadratic_form(params, matrix) + noise @ params


NOISY = dataclasses.replace(QUADRATIC, sample_loss=sampled, sample_fraction=0.25)


def ran(problem: Problem, methods: list[Method], *, seeds: int = 2, **plan) -> list[Trajectory]:
    """All methods of a group, every point of every lane kept."""
    is_swept = any(method.has("learning_rate") for method in methods)
    settings = {"learning_rate": RATES} if is_swept else {}
    num = seeds * (len(RATES) if is_swept else 1)
    lanes = Lanes(seeds=tuple(range(seeds)), settings=settings, recorded=tuple(range(num)))
    plan = Plan(**{"budget": None, "log_steps": tuple(range(21)), **plan})
    job = prepare(problem, methods, lanes, plan)
    return [execute(job, member) for member in range(len(methods))]


GROUPS = {
    "group": (
        QUADRATIC,
        [momentum, adam, make_method(clip_by_global_norm, inner=make_method(adam))],
    ),
    "samples": (NOISY, [adam]),
    "search": (QUADRATIC, [lbfgs]),
    "schedule": (QUADRATIC, [make_method(linear_decay, inner=make_method(momentum))]),
}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_step_that_is_measured_is_the_step_that_was_taken(name, dtype):
    if dtype == "float32" and name not in ("group", "samples"):
        return
    problem, factories = GROUPS[name]
    methods = [f if isinstance(f, Method) else make_method(f) for f in factories]
    quiet = ran(problem, methods, dtype=dtype)
    for trajectory, off in zip(ran(problem, methods, dtype=dtype, diagnostics=True), quiet,
                               strict=True):  # fmt: skip
        settings = trajectory.last.shape[1]
        told = trajectory.diagnostics
        for setting in range(settings):
            points = trajectory.params[setting].astype(float)
            steps, sizes = np.diff(points, axis=0), np.linalg.norm(points[:-1], axis=1)
            ratio = np.linalg.norm(steps, axis=1) / sizes
            known = np.isfinite(ratio)
            assert known.sum() >= 5
            assert not np.allclose(ratio[:5], ratio[1:6], rtol=1e-3)  # the next step is another
            close = {"rtol": 1e-9 if dtype == "float64" else 1e-3, "atol": 1e-13}
            np.testing.assert_allclose(told["update_ratio"][0, setting, :-1][known], ratio[known],
                                       **close)  # fmt: skip
            grad = points[:-1] @ problem.data[0]
            cosine = -(steps * grad).sum(1) / np.linalg.norm(steps, axis=1)
            cosine /= np.linalg.norm(grad, axis=1)
            found = told["step_cosine_gradient"][0, setting, :-1]
            np.testing.assert_allclose(found[known], cosine[known], rtol=1e-3, atol=1e-3)
        assert np.isnan(told["update_ratio"][1:]).all()  # the other seeds
        same(trajectory, off)


def same(trajectory: Trajectory, off: Trajectory) -> None:
    """Asking for diagnostics changes nothing else, bit for bit."""
    skipped = ("compile_seconds", "run_seconds", "diagnostics", "diagnostic_calls")
    for field in dataclasses.fields(off):
        if field.name not in skipped:
            a, b = getattr(trajectory, field.name), getattr(off, field.name)
            jax.tree.map(np.testing.assert_array_equal, a, b)
    for name, values in off.diagnostics.items():
        np.testing.assert_array_equal(trajectory.diagnostics[name], values)
    assert not off.diagnostic_calls and "sharpness" not in off.diagnostics


def test_what_measuring_asks_is_counted_apart():
    (trajectory,) = ran(QUADRATIC, [make_method(newton)], seeds=2)
    assert not trajectory.diagnostic_calls
    (trajectory,) = ran(QUADRATIC, [make_method(newton)], seeds=2, diagnostics=True)
    points = trajectory.last[0] + 1
    asked, nothing = trajectory.diagnostic_calls, [0, 0, 0]
    assert asked.keys() == {"value_and_gradients", "hessian_products"}  # below: the step's, and H's
    assert asked["value_and_gradients"].tolist() == [(2 * points).tolist(), nothing]
    assert asked["hessian_products"].tolist() == [((4 + 4) * points).tolist(), nothing]
    assert trajectory.lane(0, 1).diagnostic_calls["hessian_products"] == 8 * points[1]


def test_gradient_descent_follows_the_gradient_and_newton_its_own_step():
    descent = run(QUADRATIC, gradient_descent, num_steps=30, diagnostics=True).diagnostics
    np.testing.assert_allclose(descent["step_cosine_gradient"], 1, rtol=1e-12)
    assert descent["step_cosine_newton"].min() < 0.999  # and does not follow Newton's
    leap = run(QUADRATIC, newton, num_steps=3, diagnostics=True).diagnostics
    assert leap["step_cosine_newton"][0] == pytest.approx(1, rel=1e-12)
    assert leap["step_cosine_gradient"][0] < 0.999


def test_thresholds_go_with_their_methods():
    rate = 0.1
    expected = {
        gradient_descent: ("sharpness", 2 / rate),
        momentum: ("sharpness", 2 * 1.9 / rate),
        nesterov: ("sharpness", 2 * 1.9 / (rate * 2.8)),
        adam: ("preconditioned_sharpness", 38 / rate),
        rmsprop: ("preconditioned_sharpness", 2 / rate),
    }
    for factory, (kind, threshold) in expected.items():
        for method in (make_method(factory), wrapped(factory)):
            method = method.replace(learning_rate=rate)
            told = run(QUADRATIC, method, num_steps=5, diagnostics=True).diagnostics
            np.testing.assert_allclose(told[f"{kind}_threshold"], threshold, rtol=1e-12)
            assert {n for n in told if n.endswith("_threshold")} == {f"{kind}_threshold"}
    unknown = run(QUADRATIC, lbfgs, num_steps=5, diagnostics=True).diagnostics
    assert not [name for name in unknown if name.endswith("_threshold")]


def wrapped(factory) -> Method:
    return make_method(clip_by_global_norm, inner=make_method(factory))


def test_a_schedule_moves_the_threshold():
    method = make_method(linear_decay, inner=make_method(gradient_descent, learning_rate=0.1))
    told = run(QUADRATIC, method, num_steps=10, diagnostics=True).diagnostics
    rates = 0.1 * (1 - np.arange(10) / 10)
    np.testing.assert_allclose(told["sharpness_threshold"][:-1], 2 / rates, rtol=1e-12)


def test_a_lane_that_loses_its_numbers_is_measured_up_to_there():
    problem = of_matrix(symmetric(np.array([4.0, 1.0])))
    wild = make_method(gradient_descent, learning_rate=1e30)
    trajectory = run(problem, wild, num_steps=40, diagnostics=True)
    assert trajectory.status == Status.NON_FINITE
    sharpness = trajectory.diagnostics["sharpness"]
    assert np.isfinite(sharpness[0]) and np.isnan(sharpness[trajectory.last + 1 :]).all()


def test_where_nothing_is_asked_for_nothing_is_compiled_in():
    lanes, methods = Lanes(settings={"learning_rate": RATES}), [make_method(adam)]
    off = prepare(QUADRATIC, methods, lanes, Plan())
    on = prepare(QUADRATIC, methods, lanes, Plan(diagnostics=True))
    assert off.program.blank.log.states == () and off.program.form.replayed == 0
    states = jax.tree.leaves(on.program.blank.log.states)
    assert len(states) == 1 + len(on.program.form.group.slots)
    without = on.program.blank.log._replace(states=())
    assert jax.tree.map(str, without) == jax.tree.map(str, off.program.blank.log)


def test_states_that_would_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr("optbench.program.MOST_STATE_BYTES", 1 << 10)
    with pytest.raises(OptbenchError, match="would keep .* GiB of states"):
        run(quadratic(dim=7), adam, num_steps=33, diagnostics=True)
