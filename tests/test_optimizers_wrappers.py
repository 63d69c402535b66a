"""Wrappers against optax, NumPy loops and closed forms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest
from walks import CENTER, QUADRATIC, ROSENBROCK, WAVY, X0, walk, wavy_at, wavy_grad

from optbench.errors import OptbenchError
from optbench.method import find_method, make_method
from optbench.optimizer import Optimizer, Rated, Step
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.momentum import momentum
from optbench.optimizers.first_order.proximal import projected, proximal_gradient
from optbench.optimizers.names import known_optimizers
from optbench.optimizers.second_order.lbfgs import lbfgs
from optbench.optimizers.wrappers.averaging import (
    accumulate,
    average,
    exponential_average,
    lookahead,
)
from optbench.optimizers.wrappers.clipping import (
    adaptive_clip,
    clip_by_block_rms,
    clip_by_global_norm,
    clip_by_value,
    clip_unitwise,
    skip_if_norm_exceeds,
)
from optbench.optimizers.wrappers.low_precision import (
    dynamic_loss_scale,
    low_precision_state,
    scale_loss,
)
from optbench.optimizers.wrappers.scale_invariance import orthogonal_gradient
from optbench.optimizers.wrappers.sharpness import adaptive_sam, sam
from optbench.optimizers.wrappers.weight_decay import decouple_weight_decay, l2_regularize
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Problem
from optbench.run import run
from optbench.start import standard_normal
from optbench.transformation import from_optax

STEEP = 3 * X0  # where gradients are above 1


def reports(optimizer: Optimizer, states) -> dict[str, np.ndarray]:
    """[T] what is reported of stacked states."""
    with jax.enable_x64(True):
        told = jax.vmap(optimizer.report)(jax.tree.map(jnp.asarray, states))
        return jax.tree.map(np.asarray, told)


# ---- clipping: the gradients handed on, against optax; the angle between steps, in NumPy

TREE = {"matrix": (2, 3), "bias": (3,), "filters": (2, 2, 1, 2)}


def tree_of(seed: int, scale: float = 1.0) -> dict:
    rng = np.random.default_rng(seed)
    return {name: scale * rng.normal(size=shape) for name, shape in TREE.items()}


def handed_on(wrapper, params, grad):
    """The gradient that the wrapped optimizer is handed: a step of length 1 along it."""
    with jax.enable_x64(True):
        optimizer = wrapper(gradient_descent(1.0))
        seen = Evaluation(*jax.tree.map(jnp.asarray, (params, 0.0, grad)))
        state = optimizer.init(seen.params)
        step = optimizer.step(seen, state, Oracle(WAVY))
        moved = jax.tree.map(lambda a, b: np.asarray(a - b), seen.params, step.params)
        report = optimizer.report or (lambda state: {})
        return moved, jax.tree.map(np.asarray, report(step.state))


def rms_clipped(grad, params):
    return {k: g * min(1, 0.7 / np.sqrt(np.mean(g**2))) for k, g in grad.items()}


def unit_norms(tree):
    axes = {"matrix": 0, "bias": 0, "filters": (0, 1, 2)}
    return {k: np.sqrt(np.sum(x**2, axis=axes[k], keepdims=True)) for k, x in tree.items()}


def unitwise_clipped(grad, params):
    norms = unit_norms(grad)
    return {k: g * np.minimum(1, 1.2 / norms[k]) for k, g in grad.items()}


def adaptively_clipped(grad, params):
    norms, sizes = unit_norms(grad), unit_norms(params)
    most = {k: 0.5 * np.maximum(size, 0.1) for k, size in sizes.items()}
    return {k: g * np.minimum(1, most[k] / norms[k]) for k, g in grad.items()}


CLIPS = {
    "block": (lambda o: clip_by_block_rms(o, 0.7), rms_clipped),
    "unit": (lambda o: clip_unitwise(o, 1.2), unitwise_clipped),
    "adaptive": (lambda o: adaptive_clip(o, 0.5, 0.1), adaptively_clipped),
}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_arrays_and_units_are_clipped_as_the_formulas_say(name: str, scale: float):
    wrapper, formula = CLIPS[name]
    params, grad = tree_of(0), tree_of(1, scale)
    params["bias"] = 0 * params["bias"]  # here eps decides
    moved, told = handed_on(wrapper, params, grad)
    expected = formula(grad, params)
    for key, value in expected.items():
        np.testing.assert_allclose(moved[key], value, rtol=1e-12, atol=1e-15)
    is_clipped = any(np.any(expected[k] != grad[k]) for k in grad)
    assert told["clipped_fraction"] == is_clipped
    flat = [np.concatenate([x.ravel() for x in t.values()]) for t in (grad, expected)]
    cosine = flat[0] @ flat[1] / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1])
    np.testing.assert_allclose(told["clipping_cosine"], cosine, rtol=1e-12)


def numpy_adam_step(g, moments, k, rate=0.1, b1=0.9, b2=0.999, eps=1e-8):
    m, v = b1 * moments[0] + (1 - b1) * g, b2 * moments[1] + (1 - b2) * g**2
    return -rate * m / (1 - b1**k) / (np.sqrt(v / (1 - b2**k)) + eps), (m, v)


@pytest.mark.parametrize(
    ("wrapper", "clip"),
    [
        (lambda o: clip_by_value(o, 0.8), lambda g: np.clip(g, -0.8, 0.8)),
        (lambda o: clip_by_global_norm(o, 0.8), lambda g: g * min(1, 0.8 / np.linalg.norm(g))),
    ],
)
def test_the_angle_is_that_between_the_steps_of_the_wrapped_method(wrapper, clip):
    """Not that between gradients: after the first step of Adam, also clipping by norm turns it."""
    optimizer = wrapper(adam(0.1))
    steps = walk(optimizer, WAVY, STEEP, 8)
    told = reports(optimizer, steps.state)["clipping_cosine"]
    x, moments = STEEP, (np.zeros(3), np.zeros(3))
    cosines, between_gradients = [], []
    for k in range(1, 9):
        g = wavy_grad(x)
        unclipped, _ = numpy_adam_step(g, moments, k)
        taken, moments = numpy_adam_step(clip(g), moments, k)
        lengths = np.linalg.norm(taken) * np.linalg.norm(unclipped)
        cosines.append(taken @ unclipped / lengths)
        between_gradients.append(g @ clip(g) / np.linalg.norm(g) / np.linalg.norm(clip(g)))
        x = x + taken
    np.testing.assert_allclose(steps.params[-1], x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(told, cosines, rtol=1e-10)
    assert np.max(np.abs(told - between_gradients)) > 1e-3  # what it is not


def test_clips_three_deep_are_all_told_of():
    thrice = clip_by_value(clip_by_value(clip_by_value(gradient_descent(), 1e9), 0.5), 2.0)
    told = reports(thrice, walk(thrice, WAVY, STEEP, 1).state)
    fractions = [float(told[f"{'inner_' * depth}clipped_fraction"][0]) for depth in range(3)]
    assert fractions == [1.0, 1.0, 0.0]


def test_steps_with_a_large_gradient_are_skipped():
    """A problem that is steep where the sample says so; optax's rule decides which."""
    optimizer = skip_if_norm_exceeds(adam(0.1), 2.0)
    with jax.enable_x64(True):
        params, state = jnp.asarray(X0), optimizer.init(jnp.asarray(X0))
        inner, plain = jnp.asarray(X0), adam(0.1).init(jnp.asarray(X0))
        scales, skipped = [1.0, 30.0, 0.5, np.nan, 0.1, 30.0], 0
        for scale in scales:
            grad = scale * wavy_grad(np.asarray(params)) / np.linalg.norm(wavy_grad(X0))
            seen = Evaluation(params, jnp.asarray(1.0), jnp.asarray(grad))
            step = optimizer.step(seen, state, Oracle(WAVY))
            skip, _ = optax.skip_large_updates(seen.grad, 0, None, 4.0)
            skipped += bool(skip)
            if not skip:
                taken = adam(0.1).step(seen._replace(params=inner), plain, Oracle(WAVY))
                inner, plain = taken.params, taken.state
            params, state = step.params, step.state
            np.testing.assert_array_equal(params, inner)
    assert skipped == 3
    assert optimizer.report(state)["skipped_fraction"] == 0.5


def test_a_search_can_be_skipped_and_its_trials_count():
    skipped = walk(skip_if_norm_exceeds(lbfgs(), 1.0), ROSENBROCK, [-1.2, 1.0], 2)
    plain = walk(lbfgs(), ROSENBROCK, [-1.2, 1.0], 1)
    np.testing.assert_array_equal(skipped.params, [[-1.2, 1.0]] * 2)
    np.testing.assert_allclose(skipped.evaluation.value, 24.2)
    first = plain.calls.value_and_gradients[0]
    assert skipped.calls.value_and_gradients.tolist() == [first, first]
    free = walk(skip_if_norm_exceeds(lbfgs(), 1e9), ROSENBROCK, [-1.2, 1.0], 1)
    np.testing.assert_array_equal(free.params, plain.params)


# ---- weight decay


def rated(factory, learning_rate: float) -> Rated:
    return Rated(lambda factor: factory(learning_rate * factor), learning_rate)


def test_decay_beside_the_step_is_decay_in_the_loss_for_gradient_descent_alone():
    def both(factory, rate):
        beside = decouple_weight_decay(rated(factory, rate), 0.3)
        inside = l2_regularize(factory(rate), 0.3)
        return [walk(o, WAVY, X0, 20).params for o in (beside, inside)]

    for factory, agree in ((gradient_descent, True), (adam, False), (momentum, False)):
        beside, inside = both(factory, 0.05)
        assert bool(np.max(np.abs(beside - inside)) <= 1e-13) is agree
    plain = walk(gradient_descent(0.05), WAVY, X0, 20).params
    assert np.max(np.abs(both(gradient_descent, 0.05)[0] - plain)) > 1e-2


def test_decay_beside_adam_is_adamw():
    ours = walk(decouple_weight_decay(rated(adam, 0.1), 0.2), WAVY, X0, 20).params
    theirs = from_optax(optax.adamw(0.1, weight_decay=0.2))
    np.testing.assert_allclose(ours, walk(theirs, WAVY, X0, 20).params, rtol=0, atol=1e-13)


def test_decay_in_the_loss_is_optax_decay_before_adam():
    chain = optax.chain(optax.add_decayed_weights(0.2), optax.adam(0.1))
    ours = walk(l2_regularize(adam(0.1), 0.2), WAVY, X0, 20).params
    np.testing.assert_allclose(ours, walk(from_optax(chain), WAVY, X0, 20).params, atol=1e-13)


def test_decay_in_the_loss_hands_on_its_value():
    seen = []

    def watch(evaluation, state, oracle):
        seen.append(evaluation.value)
        return Step(evaluation.params, state)

    with jax.enable_x64(True):
        evaluation = Evaluation(jnp.asarray(X0), jnp.asarray(1.0), jnp.asarray(X0))
        l2_regularize(Optimizer(lambda p: (), watch), 0.5).step(evaluation, (), Oracle(WAVY))
    np.testing.assert_allclose(seen, [1 + 0.25 * X0 @ X0])


def test_a_schedule_scales_the_decay_too():
    label = "cosine_decay(decouple_weight_decay(adam[learning_rate=0.1])[weight_decay=0.3])"
    ours = run(WAVY, find_method(label, known_optimizers()), 1, num_steps=30).params
    with jax.enable_x64(True):
        schedule = optax.cosine_decay_schedule(0.1, 30)
        method = make_method(lambda: optax.adamw(schedule, weight_decay=0.3), "theirs")
        theirs = run(WAVY, method, 1, num_steps=30).params
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)
    turned = "decouple_weight_decay(cosine_decay(adam))"
    with pytest.raises(OptbenchError, match="another wrapper's factor") as caught:
        run(WAVY, find_method(turned, known_optimizers()), 1, num_steps=3)
    assert "cosine_decay(decouple_weight_decay(adam))" in caught.value.hint


# ---- accumulation

ROWS = np.random.default_rng(0).normal(size=(12, 3))


def row_loss(x, rows):
    return jnp.mean(jnp.log(jnp.cosh(rows @ x - 1)))


def accumulation_defect(wrapper, inner) -> float:
    """How far m equal microbatches end from the full batch, after 5 rounds."""
    with jax.enable_x64(True):
        wrapped, batches = wrapper(inner), np.split(ROWS, 4)
        evaluate = jax.value_and_grad(row_loss)
        many = few = jnp.asarray(X0)
        state, plain = wrapped.init(many), inner.init(few)
        for _ in range(5):
            seen = Evaluation(few, *evaluate(few, ROWS))
            few, plain, *_ = inner.step(seen, plain, Oracle(WAVY))
            for batch in batches:
                seen = Evaluation(many, *evaluate(many, batch))
                many, state, *_ = wrapped.step(seen, state, Oracle(WAVY))
        return float(jnp.max(jnp.abs(many - few)))


def summing(optimizer: Optimizer) -> Optimizer:
    """The planted defect: the sum of four gradients in the place of their mean."""

    def step(evaluation, state, oracle):
        grad = jax.tree.map(lambda g: 4 * g, evaluation.grad)
        return accumulate(optimizer, 4).step(evaluation._replace(grad=grad), state, oracle)

    return Optimizer(accumulate(optimizer, 4).init, step)


INNER = [gradient_descent(0.5), momentum(0.3), adam(0.1), from_optax(optax.polyak_sgd(f_min=0.0))]


@pytest.mark.parametrize("inner", INNER)
def test_microbatches_make_the_full_batch(inner: Optimizer):
    assert accumulation_defect(lambda o: accumulate(o, 4), inner) <= 1e-13


def test_the_law_of_microbatches_rejects_defects():
    inner = gradient_descent(0.5)
    assert accumulation_defect(summing, inner) > 1e-2
    assert accumulation_defect(lambda o: accumulate(o, 3), inner) > 1e-2


def test_accumulation_walks_as_optax_does():
    multi = optax.MultiSteps(optax.adam(0.1), 3).gradient_transformation()
    ours = walk(accumulate(adam(0.1), 3), WAVY, X0, 10).params
    np.testing.assert_allclose(ours, walk(from_optax(multi), WAVY, X0, 10).params, atol=1e-13)
    assert np.all(ours[:2] == X0) and np.all(ours[2] != X0)


# ---- averages of points, and lookahead


def reported(optimizer: Optimizer, steps: Step) -> np.ndarray:
    with jax.enable_x64(True):
        return jax.vmap(optimizer.eval_params)(
            *jax.tree.map(jnp.asarray, (steps.params, steps.state))
        )


def test_the_average_starts_after_the_burn_in():
    method = make_method(average, inner=make_method(momentum), burn_in=0.4)
    plain = run(WAVY, make_method(momentum), 1, num_steps=10).params
    told = run(WAVY, method, 1, num_steps=10).params
    expected = [plain[k] if k < 4 else plain[4 : k + 1].mean(axis=0) for k in range(11)]
    np.testing.assert_allclose(told, expected, rtol=0, atol=1e-13)


def test_the_exponential_average_is_that_of_optax():
    optimizer = exponential_average(momentum(), 0.8)
    steps = walk(optimizer, WAVY, X0, 6)
    with jax.enable_x64(True):
        ema, points = optax.ema(0.8, debias=True), jnp.asarray(np.vstack([X0, steps.params]))
        state, expected = ema.init(points[0]), []
        for point in points:
            mean, state = ema.update(point, state)
            expected.append(mean)
    np.testing.assert_allclose(reported(optimizer, steps), expected[1:], rtol=0, atol=1e-13)
    np.testing.assert_array_equal(steps.params, walk(momentum(), WAVY, X0, 6).params)


def test_averages_average_what_is_reported():
    optimizer = exponential_average(lookahead(gradient_descent(), 2), 1.0)  # equal weights
    steps = walk(optimizer, WAVY, X0, 5)
    slow = reported(lookahead(gradient_descent(), 2), Step(steps.params, steps.state.inner))
    np.testing.assert_allclose(reported(optimizer, steps)[-1], np.vstack([X0, slow]).mean(0))


def test_lookahead_walks_as_optax_does():
    optimizer = lookahead(adam(0.1), 3, 0.4)
    steps = walk(optimizer, WAVY, X0, 10)
    theirs = optax.lookahead(optax.adam(0.1), 3, 0.4)
    with jax.enable_x64(True):
        params = optax.LookaheadParams.init_synced(jnp.asarray(X0))
        state, fast, slow = theirs.init(params), [], []
        for _ in range(10):
            updates, state = theirs.update(wavy_grad(np.asarray(params.fast)), state, params)
            params = optax.apply_updates(params, updates)
            fast.append(params.fast)
            slow.append(params.slow)
    np.testing.assert_allclose(steps.params, fast, rtol=0, atol=1e-13)
    np.testing.assert_allclose(reported(optimizer, steps), slow, rtol=0, atol=1e-13)


# ---- sharpness


def test_sam_walks_as_its_algorithm_says():
    steps = walk(sam(adam(0.1), 0.3), WAVY, X0, 8)
    x, moments = X0, (np.zeros(3), np.zeros(3))
    for k, point in enumerate(steps.params, 1):
        g = wavy_grad(x)
        taken, moments = numpy_adam_step(wavy_grad(x + 0.3 * g / np.linalg.norm(g)), moments, k)
        x = x + taken
        np.testing.assert_allclose(point, x, rtol=0, atol=1e-12)
    assert np.all(steps.calls.value_and_gradients == 1) and steps.calls.values.sum() == 0


def test_sam_walks_as_optax_does():
    ascent = optax.chain(optax.contrib.normalize(), optax.sgd(0.3))
    theirs = optax.contrib.sam(optax.sgd(0.1), ascent, sync_period=2, opaque_mode=True)
    with jax.enable_x64(True):
        params, state = jnp.asarray(X0), theirs.init(jnp.asarray(X0))
        for point in walk(sam(gradient_descent(0.1), 0.3), WAVY, X0, 8).params:
            updates, state = theirs.update(
                jnp.asarray(wavy_grad(np.asarray(params))),
                state,
                params,
                grad_fn=lambda p, _: jnp.asarray(wavy_grad(np.asarray(p))),
            )
            params = optax.apply_updates(params, updates)
            np.testing.assert_allclose(point, params, rtol=0, atol=1e-12)


def test_adaptive_sam_walks_as_its_algorithm_says():
    steps = walk(adaptive_sam(gradient_descent(0.1), 0.4, 0.02), WAVY, X0, 8)
    x = X0
    for point in steps.params:
        g, t = wavy_grad(x), np.abs(x) + 0.02
        x = x - 0.1 * wavy_grad(x + 0.4 * t**2 * g / np.linalg.norm(t * g))
        np.testing.assert_allclose(point, x, rtol=0, atol=1e-12)
    assert np.all(steps.calls.value_and_gradients == 1)


def test_nothing_is_uphill_of_a_stationary_point():
    for wrapper in (sam, adaptive_sam):
        flat = walk(wrapper(gradient_descent()), QUADRATIC, CENTER, 2)
        np.testing.assert_array_equal(flat.params, [CENTER, CENTER])


def test_sam_hands_on_the_value_from_uphill():
    with jax.enable_x64(True):
        optimizer = sam(from_optax(optax.polyak_sgd(f_min=-5.0, max_learning_rate=1e9)), 0.3)
        seen = Oracle(WAVY).value_and_grad(jnp.asarray(X0))
        step = optimizer.step(seen, optimizer.init(seen.params), Oracle(WAVY))
    ahead = X0 + 0.3 * wavy_grad(X0) / np.linalg.norm(wavy_grad(X0))
    slope = wavy_grad(ahead)
    np.testing.assert_allclose(
        step.params, X0 - (wavy_at(ahead) + 5) / (slope @ slope) * slope, rtol=1e-12
    )


# ---- gradients across the weights


def cosine_of(x, target):
    """Minus the cosine with a target: it does not depend on the length of x."""
    return -(x @ target) / jnp.sqrt(x @ x)


def test_gradients_across_the_weights():
    steps = walk(orthogonal_gradient(gradient_descent(0.1)), WAVY, X0, 8)
    x = X0
    for point in steps.params:
        g = wavy_grad(x)
        x = x - 0.1 * (np.eye(3) - np.outer(x, x) / (x @ x)) @ g
        np.testing.assert_allclose(point, x, rtol=0, atol=1e-12)
    assert np.all(np.diff(np.linalg.norm(np.vstack([X0, steps.params]), axis=1)) > 0)


def test_gradients_across_the_weights_are_gradients_where_length_does_not_matter():
    problem = Problem(objective=cosine_of, start=standard_normal((3,)), data=(np.ones(3),))
    plain, across = (
        walk(o, problem, X0, 20).params
        for o in (gradient_descent(0.3), orthogonal_gradient(gradient_descent(0.3)))
    )
    np.testing.assert_allclose(across, plain, rtol=0, atol=1e-12)
    zero, _ = handed_on(orthogonal_gradient, {"x": np.zeros(2)}, {"x": np.ones(2)})
    np.testing.assert_array_equal(zero["x"], np.ones(2))


# ---- low precision

LOW = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


@pytest.mark.parametrize("dtype", LOW)
def test_states_are_rounded_between_steps(dtype: str):
    def narrow(x):
        return np.asarray(x).astype(LOW[dtype]).astype(float)

    steps = walk(low_precision_state(adam(0.1), dtype), WAVY, X0, 20)
    kinds = {str(leaf.dtype) for leaf in jax.tree.leaves(steps.state)}
    assert kinds == {dtype, "int32"}
    x, moments = X0, (np.zeros(3), np.zeros(3))
    for k, point in enumerate(steps.params, 1):
        taken, moments = numpy_adam_step(wavy_grad(x), moments, k)
        x, moments = x + taken, tuple(narrow(m) for m in moments)
        np.testing.assert_allclose(point, x, rtol=0, atol=1e-12)
    assert np.max(np.abs(x - walk(adam(0.1), WAVY, X0, 20).params[-1])) > 1e-4


def test_a_second_moment_in_bfloat16_forgets_nothing_slowly():
    """An average with b2 = 0.999 moves by a thousandth: less than half a unit in the last place."""

    def second_moments(optimizer):
        with jax.enable_x64(True):
            state, told = optimizer.init(jnp.ones(1)), []
            for k in range(12):
                grad = jnp.ones(1) * (1.0 if k < 2 else 0.0)
                seen = Evaluation(jnp.ones(1), jnp.asarray(1.0), grad)
                state = optimizer.step(seen, state, Oracle(WAVY)).state
                told.append(float(optax.tree.get(state, "nu")[0]))
        return told[2:]

    assert len(set(second_moments(low_precision_state(adam())))) == 1
    assert len(set(second_moments(adam()))) == 10


def test_a_state_in_low_precision_reports_points_in_full():
    optimizer = low_precision_state(exponential_average(momentum()))
    steps = walk(optimizer, WAVY, X0, 3)
    points = reported(optimizer, steps)
    assert points.dtype == np.float64
    np.testing.assert_allclose(points, steps.state.inner.mean.astype(float), rtol=0, atol=0)


NUMBERS = np.concatenate([np.logspace(-9, 5, 29), -np.logspace(-9, 5, 28), [0.0, 1.0, 1 / 3]])


def handed(wrapper, grad):
    """What a gradient descent of step 1 from 0 is handed, and the state after it; compiled."""
    with jax.enable_x64(True):
        optimizer = wrapper(gradient_descent(1.0))

        @jax.jit
        def step(grad):
            seen = Evaluation(jnp.zeros_like(grad), jnp.asarray(0.0), grad)
            return optimizer.step(seen, optimizer.init(grad), Oracle(WAVY))

        taken = step(jnp.asarray(grad))
        told = jax.tree.map(np.asarray, optimizer.report(taken.state))
        return -np.asarray(taken.params), told


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("scale", [1.0, 1024.0])
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_gradients_are_rounded_where_the_loss_is_scaled(dtype: str, scale: float):
    got, told = handed(lambda o: scale_loss(o, scale, dtype), NUMBERS)
    expected = (scale * NUMBERS).astype(LOW[dtype]).astype(float) / scale
    np.testing.assert_array_equal(got, expected)
    lost = np.mean((NUMBERS != 0) & (expected == 0))
    np.testing.assert_allclose(told["underflow_fraction"], lost)
    assert bool(lost > 0) is (dtype == "float16" and scale == 1.0)


def test_complex_gradients_are_rounded_by_their_parts():
    parts = np.array([1e-9, 1 / 3, 2.0])
    got, told = handed(lambda o: scale_loss(o, 1.0), parts + 1j * parts[::-1])
    low = parts.astype(np.float16).astype(float)
    np.testing.assert_array_equal(got, low + 1j * low[::-1])
    np.testing.assert_allclose(told["underflow_fraction"], 2 / 6)


def test_a_loss_scale_finds_itself():
    """Micikevicius et al. (2018), in NumPy: halve and skip on overflow, double after good steps."""
    optimizer = dynamic_loss_scale(momentum(0.01), 2.0**16, 3)
    steps = walk(optimizer, WAVY, STEEP, 16)
    told = reports(optimizer, steps.state)
    x, v, scale, good, skipped = STEEP, np.zeros(3), 2.0**16, 0, 0
    for k, point in enumerate(steps.params):
        with np.errstate(over="ignore"):
            low = (scale * wavy_grad(x)).astype(np.float16).astype(float)
        if np.all(np.isfinite(low)):
            v = 0.9 * v + low / scale
            x, good = x - 0.01 * v, good + 1
            if good == 3:
                scale, good = 2 * scale, 0
        else:
            scale, good, skipped = scale / 2, 0, skipped + 1
        np.testing.assert_allclose(point, x, rtol=0, atol=1e-13)
        assert told["loss_scale"][k] == scale
        np.testing.assert_allclose(told["skipped_fraction"][k], skipped / (k + 1))
    assert 2 < skipped < 8


def test_scaling_keeps_what_float16_would_lose():
    """Gradients of 1e-8 vanish in float16, unless the loss is scaled."""
    grad = np.full(4, 1e-8)
    for scale, lost in ((1.0, 1.0), (2.0**12, 0.0)):
        got, told = handed(lambda o, scale=scale: scale_loss(o, scale), grad)
        assert told["underflow_fraction"] == lost and bool(np.all(got == 0)) is bool(lost)


# ---- who is refused

POINTWISE = [lookahead, lambda o: decouple_weight_decay(Rated(lambda factor: o, 0.1))]
CHANGING = {
    "clip_by_block_rms": clip_by_block_rms,
    "clip_unitwise": clip_unitwise,
    "adaptive_clip": adaptive_clip,
    "l2_regularize": l2_regularize,
    "accumulate": accumulate,
    "sam": sam,
    "adaptive_sam": adaptive_sam,
    "orthogonal_gradient": orthogonal_gradient,
    "scale_loss": scale_loss,
    "dynamic_loss_scale": dynamic_loss_scale,
}


@pytest.mark.parametrize("name", CHANGING)
def test_a_changed_gradient_is_no_gradient_to_search_with(name: str):
    with pytest.raises(
        OptbenchError, match=f"^{name} cannot wrap an optimizer that asks"
    ) as caught:
        walk(CHANGING[name](lbfgs()), WAVY, X0, 1)
    assert "disagree with the gradient handed on" in caught.value.hint
    for feasible in (projected(gradient_descent()), proximal_gradient()):
        with pytest.raises(OptbenchError, match="keeps to the feasible set") as caught:
            walk(CHANGING[name](feasible), WAVY, X0, 1)
        assert caught.value.hint == f"turn it around: projected({name}(gradient_descent))"


@pytest.mark.parametrize("wrapper", POINTWISE)
def test_a_point_that_is_reported_is_not_moved(wrapper):
    with pytest.raises(OptbenchError, match="reports another point than it steps from"):
        wrapper(average(gradient_descent()))


@pytest.mark.parametrize(
    "label",
    [
        "lookahead(bfgs)",
        "lookahead(dfp)",
        "lookahead(nelder_mead)",
        "decouple_weight_decay(optimistix.GradientDescent[learning_rate=0.1])",
    ],
)
def test_a_point_that_a_search_starts_from_is_not_moved(label: str):
    with pytest.raises(OptbenchError, match="cannot wrap an optimizer that searches over several"):
        run(QUADRATIC, find_method(label, known_optimizers()), num_steps=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: accumulate(gradient_descent(), 0), "accumulate has num_microbatches = 0"),
        (lambda: lookahead(gradient_descent(), 0), "lookahead has sync_period = 0"),
        (lambda: scale_loss(gradient_descent(), dtype="float8"), "no precision named 'float8'"),
    ],
)
def test_bad_arguments_are_refused(make, message: str):
    with pytest.raises(OptbenchError, match=message):
        make()
