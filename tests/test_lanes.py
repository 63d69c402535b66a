"""vmap over lanes: what varies is found, what does not stays unbatched."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.group import make_group
from optbench.lanes import LANES, SEEDS, SETTINGS, SHARED, lead, over_lanes, varying
from optbench.member import examine
from optbench.method import make_method
from optbench.optimizer import Optimizer, Step
from optbench.oracle import Evaluation
from optbench.problem import Problem
from optbench.start import standard_normal


def one_lane(carry, rate, key):
    return {
        "moment": 0.9 * carry["moment"] + carry["point"],
        "point": carry["point"] - rate * carry["moment"],
        "steps": carry["steps"] + 1,
        "positive": carry["positive"] + (carry["point"].sum() > 0),
        "seed_only": carry["seed_only"] + key[0],
    }


def carry_of(array):
    return {
        "moment": array((3,), "float32"),
        "point": array((3,), "float32"),
        "steps": array((), "int32"),
        "positive": array((), "int32"),
        "seed_only": array((), "uint32"),
    }


def test_what_varies_is_found():
    rates = jax.ShapeDtypeStruct((), jnp.float32)
    keys = jax.ShapeDtypeStruct((2,), jnp.uint32)
    over = varying(one_lane, carry_of(jax.ShapeDtypeStruct), (SETTINGS, SEEDS), rates, keys)
    assert over == {
        "moment": LANES,
        "point": LANES,
        "steps": SHARED,
        "positive": LANES,  # an integer that depends on the point
        "seed_only": LANES,
    }
    steps = {"steps": jax.ShapeDtypeStruct((), jnp.int32)}
    alone = varying(lambda carry: {"steps": carry["steps"] + 1}, steps, ())
    assert alone == {"steps": SHARED}


@pytest.mark.parametrize("lanes", [(2, 3), (6,)])
def test_over_lanes_equals_a_loop(lanes):
    rng = np.random.default_rng(0)
    rates, keys = rng.random(3), rng.random(2)
    points = rng.random((2, 3, 4))

    def function(point, rate, key, shift):
        return point * rate + key - shift, shift + 1

    flat = len(lanes) == 1
    mapped = over_lanes(function, (LANES, SETTINGS, SEEDS, SHARED), (LANES, SHARED), lanes)
    given = (
        points.reshape(*lanes, 4),
        np.tile(rates, 2) if flat else rates,
        np.repeat(keys, 3) if flat else keys,
        0.5,
    )
    with jax.enable_x64(True):
        moved, shared = mapped(*given)
    assert shared == 1.5
    for seed in range(2):
        for setting in range(3):
            expected, _ = function(points[seed, setting], rates[setting], keys[seed], 0.5)
            got = np.asarray(moved).reshape(2, 3, 4)[seed, setting]
            np.testing.assert_allclose(got, expected, rtol=1e-15)


def test_leading_axes():
    assert lead(LANES, (2, 3)) == (2, 3)
    assert lead(SEEDS, (2, 3)) == (2,)
    assert lead(SETTINGS, (2, 3)) == (3,)
    assert lead(SHARED, (2, 3)) == lead(SHARED, (6,)) == ()
    assert lead(SEEDS, (6,)) == lead(SETTINGS, (6,)) == (6,)


def a_problem() -> Problem:
    return Problem(objective=_half_square, start=standard_normal((3,)), minimum=0.0)


def _half_square(x):
    return 0.5 * jnp.sum(x**2)


def members(*methods):
    array = jax.ShapeDtypeStruct
    start = Evaluation(array((3,), "float32"), array((), "float32"), array((3,), "float32"))
    swept = frozenset({"learning_rate"})
    return [examine(a_problem(), method, swept, start) for method in methods]


def curious(learning_rate: float = 0.1) -> Optimizer:
    """Gradient descent that looks at the value of its next point."""

    def step(evaluation, state, oracle):
        moved = evaluation.params - learning_rate * evaluation.grad
        return Step(moved, oracle.value(moved))

    return Optimizer(lambda params: jnp.zeros((), params.dtype), step)


def test_slots_are_shared_and_no_more_than_the_greediest_member_needs():
    sgd, adam, rmsprop = members(*map(make_method, (optax.sgd, optax.adam, optax.rmsprop)))
    group = make_group([sgd, adam, rmsprop])
    assert sorted((s.shape, s.over) for s in group.slots) == sorted(
        [((), SHARED), ((3,), LANES), ((3,), LANES)]
    )  # the step count, and two moments
    state = jax.tree.map(lambda s: jnp.ones((2, 4, *s.shape), s.dtype), rmsprop.state)
    packed = group.pack(rmsprop, state, (2, 4))
    for before, after in zip(
        jax.tree.leaves(state), jax.tree.leaves(group.unpack(rmsprop, packed)), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    assert sum(float(jnp.sum(slot)) for slot in packed) == 2 * 4 * 3  # the unused ones are zero


def test_it_is_seen_which_methods_ask_the_oracle():
    found = members(*map(make_method, (optax.sgd, curious, optax.adam)))
    assert [member.asks for member in found] == [False, True, False]


def test_a_guess_of_another_structure_is_none():
    shapes = carry_of(jax.ShapeDtypeStruct)
    rates, keys = jax.ShapeDtypeStruct((), "float32"), jax.ShapeDtypeStruct((2,), "uint32")
    guess = {"moment": LANES, "point": SHARED}
    over = varying(one_lane, shapes, (SETTINGS, SEEDS), rates, keys, guess=guess)
    assert over == varying(one_lane, shapes, (SETTINGS, SEEDS), rates, keys)
