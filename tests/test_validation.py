"""The door refuses each kind of malformed problem with one line and one hint."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.errors import OptbenchError
from optbench.problem import CriticalPoint, Problem
from optbench.start import start_near
from optbench.validation import validate_problem

DATA = np.ones((5, 3))


# As for a user: a wrong type reaches the door, where tests would stop it before.
pytestmark = pytest.mark.filterwarnings("ignore::runtime_types.WrongType")


def sphere(params):
    return jnp.sum(params**2)


def least_squares(params, features):
    return jnp.sum((features @ params) ** 2)


def problem_with(**fields):
    defaults = {"objective": sphere, "start": start_near(np.ones(3)), "name": "tested"}
    return Problem(**(defaults | fields))


def test_accepts_a_sound_problem():
    validate_problem(problem_with())
    validate_problem(
        problem_with(
            objective=lambda params: sphere(params["a"]) + params["b"],
            start=start_near({"a": np.ones((2, 2)), "b": 1.0}),
            minimizer={"a": np.zeros((2, 2)), "b": 0.0},
            residuals=lambda params: params,
            outputs=lambda params: params,
            output_loss=lambda outputs: sphere(outputs["a"]),
            sample_loss=lambda params, key: sphere(params["a"]) * jax.random.normal(key),
            monitors=(("first", lambda params: params["b"]),),
        )
    )


def test_accepts_complex_params_and_boolean_data():
    validate_problem(
        problem_with(
            objective=lambda params, mask: jnp.sum(jnp.abs(params) ** 2 * mask),
            start=lambda seed: np.array([1.0 + 1.0j]),
            data=(np.array([True]),),
        )
    )


def test_evaluates_in_double_precision():
    """1e200 squared overflows float32 and float64, 1e100 squared float32 only."""
    validate_problem(problem_with(start=start_near(np.full(3, 1e100))))
    with pytest.raises(OptbenchError, match="inf at the start"):
        validate_problem(problem_with(start=start_near(np.full(3, 1e200))))


def matrix_sphere(outputs, features):
    return jnp.sum(outputs**2)


def network_of(network, params):
    """A problem whose outputs are features @ params, shown as this network."""
    return {
        "objective": lambda p, x: matrix_sphere(x @ jnp.ravel(p)[:6].reshape(2, 3), x),
        "start": lambda seed: params,
        "data": (DATA[:, :2],),
        "outputs": lambda p, x: x @ jnp.ravel(p)[:6].reshape(2, 3),
        "output_loss": matrix_sphere,
        "network": network,
    }


def test_accepts_a_network():
    validate_problem(problem_with(**network_of(lambda p, dense, x: dense(x, p), np.ones((2, 3)))))


MALFORMED = {
    "objective returns shape (3,)": {"objective": lambda params: params},
    "objective returns a tuple": {"objective": lambda params: (jnp.sum(params), params)},
    "objective returns a NoneType": {"objective": lambda params: None},
    "objective returns dtype int": {"objective": jnp.argmax},
    "objective returns dtype complex": {"objective": lambda params: 1j * jnp.sum(params)},
    "objective is not a function": {"objective": 3.0},
    "missing a required argument: 'features'": {"objective": least_squares},
    "TypeError: dot_general": {"objective": least_squares, "data": (DATA.T,)},
    "ConcretizationTypeError": {"objective": lambda params: float(params[0])},
    "TracerArrayConversionError": {"objective": lambda params: np.sin(params).sum()},
    "objective is nan at the start": {"objective": lambda params: jnp.log(-jnp.sum(params))},
    "objective is inf at the start": {"objective": lambda params: 1 / (params[0] - params[1])},
    "start is a ndarray": {"start": np.ones(3)},
    "params are empty": {"start": lambda seed: ()},
    "params have a leaf of dtype int": {"start": lambda seed: np.array([1, 2])},
    "data is a ndarray": {"objective": least_squares, "data": DATA},
    "data holds a str": {"objective": least_squares, "data": ("features",)},
    "data holds a PRNGKeyArray": {"objective": least_squares, "data": (jax.random.key(0),)},
    "minimizer has shapes": {"minimizer": np.zeros(2)},
    "region ((0, 1),) is no box": {"region": ((0, 1),)},
    "region ((1, 0), (0, 1), (0, 1)) is no box": {"region": ((1, 0), (0, 1), (0, 1))},
    "region is given for complex params": {
        "objective": lambda params: jnp.sum(jnp.abs(params)),
        "start": lambda seed: np.array([1j, 2.0]),
        "region": ((0, 1), (0, 1)),
    },
    "objective is 3.0 at the start, below the minimum 3.5": {
        "minimum": 3.5,
        "minimum_kind": "closed form",
    },
    "minimum_kind is 'guessed'": {"minimum": 0.0, "minimum_kind": "guessed"},
    "row_arrays is 1.5": {"objective": least_squares, "data": (DATA,), "row_arrays": 1.5},
    "objective of one row fails": {
        "objective": lambda params, rows: jnp.dot(jnp.ones(5), rows @ params) ** 2,
        "data": (DATA,),
        "row_arrays": 1,
    },
    "only one of outputs": {"outputs": sphere},
    "output_loss returns shape": {"outputs": lambda p: p, "output_loss": lambda z: z},
    "network is given without outputs": {"network": lambda p, dense: p},
    "network fails when called: TypeError": network_of(lambda p, x: x @ p, np.ones((2, 3))),
    "network and outputs return different shapes": network_of(
        lambda p, dense, x: dense(x, p)[:1], np.ones((2, 3))
    ),
    "dense is called with shapes [(2,), (2, 3)]": network_of(
        lambda p, dense, x: x @ p + 0 * jnp.sum(dense(x[0], p)), np.ones((2, 3))
    ),
    "the dense layers of network hold 6 parameters of 8": network_of(
        lambda p, dense, x: dense(x, p[:6].reshape(2, 3)), np.ones(8)
    ),
    "the dense layers of network hold 12 parameters of 6": network_of(
        lambda p, dense, x: dense(x, p) + 0 * dense(x, p), np.ones((2, 3))
    ),
    "residuals are not real floats": {"residuals": lambda params: params > 0},
    "sample_loss(params) cannot be called": {"sample_loss": sphere},
    "sample_fraction is 0.0": {"sample_fraction": 0.0},
    "monitor 'all' returns shape": {"monitors": (("all", lambda params: params),)},
}


@pytest.mark.parametrize("message", MALFORMED)
def test_refuses(message):
    with pytest.raises(OptbenchError) as raised:
        validate_problem(problem_with(**MALFORMED[message]))
    assert message in raised.value.message
    assert raised.value.message.startswith("problem 'tested': ")
    assert raised.value.hint
    assert "\n" not in raised.value.message + raised.value.hint


def test_refuses_a_critical_point_of_no_kind():
    point = CriticalPoint("minimum", 0.0, np.zeros(3))  # type: ignore
    with pytest.raises(OptbenchError, match="the kind of critical point 0 is 'minimum'"):
        validate_problem(problem_with(critical_points=(point,)))


def test_refuses_what_is_no_problem():
    with pytest.raises(OptbenchError, match="expected a Problem, got a function"):
        validate_problem(sphere)
