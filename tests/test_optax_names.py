from __future__ import annotations

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest
from walks import MATRIX, WAVY, X0, walk

from optbench import checks
from optbench.catalog import parameters
from optbench.checks.reach import RATES, reach
from optbench.errors import NotApplicable, OptbenchError
from optbench.method import Method, find_method, make_method
from optbench.optimizer import Optimizer, Step
from optbench.optimizers.libraries import optax_names
from optbench.optimizers.libraries.optax_names import EXCLUDED, entries, public_optimizers
from optbench.optimizers.names import known_optimizers, library_optimizers
from optbench.oracle import Oracle
from optbench.problem import Problem
from optbench.start import standard_normal

KNOWN = known_optimizers()
INNER = find_method("gradient_descent", KNOWN)
GIVEN = {  # what has no default in optax's signatures
    "optax.MultiSteps": {"every_k_schedule": 2},
    "optax.adadelta": {"learning_rate": 1.0},
    "optax.apply_if_finite": {"max_consecutive_errors": 3},
    "optax.contrib.dpsgd": {"l2_norm_clip": 1.0, "noise_multiplier": 0.1},
    "optax.contrib.schedule_free": {"learning_rate": 1.0},
    "optax.lookahead": {"sync_period": 5, "slow_step_size": 0.5},
}
FAILURES: dict[str, str] = {}  # name -> why it does not come 10x closer in 500 gradients


def method_of(name: str) -> Method:
    factory = entries()[name]
    wraps = any(p.annotation == "Optimizer" for p in parameters(factory))
    return make_method(factory, name, INNER if wraps else None, **GIVEN.get(name, {}))


# ---- every optimizer of optax has a name


def uncovered() -> list[str]:
    entries.cache_clear()
    return [n for n in public_optimizers() if n not in EXCLUDED and n not in entries()]


def test_every_optimizer_of_optax_is_reached_or_excluded_with_a_reason():
    assert uncovered() == []
    assert len(EXCLUDED) <= 5 and all(EXCLUDED.values())
    assert set(EXCLUDED) <= set(public_optimizers())
    assert {n for n in public_optimizers() if n.count(".") == 1} >= {
        "optax.adam",
        "optax.lbfgs",
        "optax.nadam",
    }
    assert {"optax.contrib.dog", "optax.contrib.muon", "optax.contrib.sam"} <= entries().keys()


def test_a_new_optimizer_is_seen(monkeypatch):
    def strange(learning_rate: float, schedule_of_masks) -> optax.GradientTransformation:
        raise NotImplementedError

    def plain(learning_rate: float, b1: float = 0.9) -> optax.GradientTransformation:
        return optax.sgd(learning_rate, b1)

    monkeypatch.setattr(optax.contrib, "strange", strange, raising=False)
    monkeypatch.setattr(optax.contrib, "plain", plain, raising=False)
    assert uncovered() == ["optax.contrib.strange"]
    assert entries()["optax.contrib.plain"] is plain
    monkeypatch.undo()
    entries.cache_clear()


def test_functions_of_optax_are_taken_as_they_are_where_they_fit():
    assert entries()["optax.adam"] is optax.adam
    assert entries()["optax.contrib.schedule_free_sgd"] is optax.contrib.schedule_free_sgd
    named = {p.name for p in parameters(entries()["optax.adamw"])}
    assert named == set(inspect.signature(optax.adamw).parameters) - {"mask"}
    assert make_method(entries()["optax.adamw"], "optax.adamw").hyperparameters()[0].value is None


def test_labels_name_them_and_near_names_are_offered():
    method = find_method("optax.contrib.mechanize(optax.adam[learning_rate=1])[s_init=0.1]", KNOWN)
    expected = "optax.contrib.mechanize(optax.adam[learning_rate=1.0])[s_init=0.1]"
    assert method.label == expected
    assert find_method(method.label, KNOWN) == method
    with pytest.raises(OptbenchError, match="no optimizer named 'optax.adm'") as caught:
        find_method("optax.adm", KNOWN)
    assert "'optax.adam'" in caught.value.hint
    assert set(library_optimizers()) <= set(KNOWN)


# ---- each of them comes somewhere


def rest(learning_rate: float = 0.1) -> Optimizer:
    """Does nothing."""
    return Optimizer(lambda params: (), lambda seen, state, oracle: Step(seen.params, state))


def test_every_optimizer_comes_ten_times_closer():
    planted = {"nothing": rest, "diverging": lambda learning_rate: optax.sgd(-learning_rate)}
    found = {r.name: r for r in reach({**library_optimizers(), **planted}, INNER, GIVEN)}
    failures = {name: r.failure for name, r in found.items() if r.failure}
    alone = "the gap falls to 1 of that at the start"
    assert failures == FAILURES | dict.fromkeys(planted, alone)
    assert all(r.ratio <= 0.1 for name, r in found.items() if name not in failures)
    assert found["optax.sgd"].learning_rate in RATES
    assert found["optax.lbfgs"].learning_rate is None
    assert "minibatches" in found["optax.contrib.dpsgd"].problem


def test_who_cannot_run_is_a_failure_with_its_reason():
    def never(learning_rate: float = 0.1) -> Optimizer:
        def init(params):
            raise NotApplicable("no params are good enough")

        return Optimizer(init, lambda seen, state, oracle: Step(seen.params, state))

    (found,) = reach({"never": never}, INNER, {})
    assert found.failure == "no params are good enough" and np.isnan(found.ratio)


# ---- what they are handed, and what it costs


@pytest.mark.parametrize(
    "label",
    [
        "optax.contrib.sam(gradient_descent)[sync_period=3]",
        "optax.MultiSteps(gradient_descent)[every_k_schedule=2]",
    ],
)
def test_wrappers_of_optax_hold_the_laws(label: str):
    failed = [c for c in checks.check_optimizer(find_method(label, KNOWN)) if not c.passed]
    assert failed == []


def wrapped(name: str, optimizer: Optimizer, **arguments) -> Optimizer:
    factory = entries()[name]
    first = parameters(factory)[0].name
    return factory(**{first: optimizer}, **arguments)


def of(label: str, **values) -> Optimizer:
    method = find_method(label, KNOWN)
    return method.build({(h.depth, h.name): h.value for h in method.hyperparameters()})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            lambda: wrapped("optax.contrib.mechanize", of("adam[learning_rate=1.0]")),
            lambda: optax.contrib.mechanize(optax.adam(1.0)),
        ),
        (
            lambda: wrapped("optax.MultiSteps", of("momentum"), every_k_schedule=3),
            lambda: optax.MultiSteps(
                optax.sgd(0.1, 0.9), 3, accumulator_dtype=jnp.result_type(float)
            ).gradient_transformation(),
        ),
        (
            lambda: wrapped("optax.contrib.schedule_free", of("gradient_descent"), learning_rate=1),
            lambda: optax.contrib.schedule_free(optax.sgd(0.1), 1.0),
        ),
    ],
)
def test_wrappers_walk_as_optax_does_around_its_own(ours, theirs):
    with jax.enable_x64(True):
        params, transformation = jnp.asarray(X0), theirs()
        optimizer = ours()
        state, expected = transformation.init(params), []
        for _ in range(6):
            grad = Oracle(WAVY).value_and_grad(params).grad
            updates, state = transformation.update(grad, state, params)
            params = optax.apply_updates(params, updates)
            expected.append(params)
    np.testing.assert_allclose(walk(optimizer, WAVY, X0, 6).params, expected, rtol=1e-12)


def test_lookahead_reports_the_slow_point():
    optimizer = wrapped(
        "optax.lookahead", of("gradient_descent"), sync_period=2, slow_step_size=0.5
    )
    steps = walk(optimizer, WAVY, X0, 4)
    plain = walk(of("gradient_descent"), WAVY, X0, 2).params
    halfway = (X0 + plain[1]) / 2
    np.testing.assert_allclose(steps.params[1], halfway, rtol=1e-14)
    assert optimizer.eval_params is not None
    np.testing.assert_allclose(optimizer.eval_params(None, steps.state)[0], X0)
    np.testing.assert_allclose(optimizer.eval_params(None, steps.state)[2], halfway, rtol=1e-14)


def test_what_asks_the_objective_is_not_wrapped():
    with pytest.raises(OptbenchError, match="cannot wrap an optimizer that asks the objective"):
        walk(wrapped("optax.contrib.mechanize", of("newton_cg")), WAVY, X0, 1)
    averaged = entries()["optax.contrib.schedule_free_sgd"]
    with pytest.raises(OptbenchError, match="reports another point"):
        find_method("optax.flatten(optax.contrib.schedule_free_sgd)", KNOWN).build(
            {(1, p.name): p.default for p in parameters(averaged) if isinstance(p.default, float)}
        )


def noisy_step(key: int) -> np.ndarray:
    with jax.enable_x64(True):
        optimizer = method_of("optax.noisy_sgd").build(
            {(0, "learning_rate"): 0.1, (0, "eta"): 0.01, (0, "gamma"): 0.55}
        )
        oracle = Oracle(WAVY, jax.random.key(key))
        seen = oracle.value_and_grad(jnp.asarray(X0))
        return np.asarray(optimizer.step(seen, optimizer.init(seen.params), oracle).params)


def test_noise_differs_from_seed_to_seed():
    assert np.array_equal(noisy_step(1), noisy_step(1))
    assert np.min(np.abs(noisy_step(1) - noisy_step(2))) > 0


# ---- who cannot run is told so, before anything compiles


def bowl(z, matrix):
    return jnp.sum(jnp.abs(z - matrix) ** 2) / 2


COMPLEX = Problem(
    objective=bowl, start=standard_normal((2, 3)), data=(np.array([[1 + 2j, 3, -1j]] * 2),)
)


def default_build(name: str) -> Optimizer:
    method = method_of(name)
    return method.build({(h.depth, h.name): h.value or 0.1 for h in method.hyperparameters()})


def two_steps(optimizer: Optimizer, phase) -> jax.Array:
    """Where two steps lead from a start turned by a phase, turned back."""
    problem = Problem(
        objective=bowl, start=COMPLEX.start, data=tuple(phase * a for a in COMPLEX.data)
    )
    oracle = Oracle(problem, jax.random.key(0))
    seen = oracle.value_and_grad(phase * jnp.array([[0.5j, 2, 1 - 1j], [0.1, -1j, 1]]))
    state = optimizer.init(seen.params)
    for _ in range(2):
        step = optimizer.step(seen, state, oracle)
        seen, state = oracle.value_and_grad(step.params), step.state
    return seen.params / phase


SEES_REAL_PARTS = {  # what a phase changes, and should
    "optax.contrib.dpsgd": "not run: the problem has no rows",
    "optax.noisy_sgd": "the noise is not turned with the params",
    "optax.yogi": "optax starts its averages at 1e-6, a real number",
}
REFUSED = optax_names._REAL_ONLY


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_who_cannot_take_complex_params_says_so(name: str):
    with pytest.raises(NotApplicable, match="takes no complex params") as caught:
        default_build(name).init(jnp.array([[1j, 1.0]]))
    assert "split_real_and_imaginary" in caught.value.hint


def test_who_takes_complex_params_does_not_depend_on_their_phase():
    names = [n for n in entries() if n not in REFUSED and n not in SEES_REAL_PARTS]

    def all_of_them(phase):
        return {name: two_steps(default_build(name), phase) for name in names}

    with jax.enable_x64(True):
        ends = jax.jit(jax.vmap(all_of_them))(jnp.exp(1j * jnp.array([0.0, 0.7])))
        for name, (straight, turned) in ends.items():
            np.testing.assert_allclose(turned, straight, rtol=0, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", ["optax.contrib.muon", "optax.contrib.galore"])
def test_matrix_methods_refuse_vectors(name: str):
    with jax.enable_x64(True):
        with pytest.raises(NotApplicable, match="matrices, and these params have none"):
            default_build(name).init(jnp.ones(3))
        default_build(name).init({"weight": jnp.asarray(MATRIX), "bias": jnp.ones(3)})


def test_private_sgd_needs_minibatches():
    with jax.enable_x64(True):
        optimizer, oracle = default_build("optax.contrib.dpsgd"), Oracle(WAVY, jax.random.key(0))
        seen = oracle.value_and_grad(jnp.asarray(X0))
        with pytest.raises(NotApplicable, match="not seen through minibatches"):
            optimizer.step(seen, optimizer.init(seen.params), oracle)
    with pytest.raises(OptbenchError, match="missing 2 required positional arguments"):
        make_method(entries()["optax.contrib.dpsgd"]).build({(0, "learning_rate"): 0.1})
