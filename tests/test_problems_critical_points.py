"""The functions with a critical point do what their passports say."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special

from optbench.errors import OptbenchError
from problems.critical_points import (
    cliff,
    curved_ridge,
    degenerate_quartic,
    double_well,
    gaussian_bump,
    monkey_saddle,
    plateau,
    unequal_mixed_partials,
)


@functools.partial(jax.jit, static_argnums=0)
def value_and_grad(objective, params, data):
    return jax.value_and_grad(objective)(params, *data)


def value(problem, params):
    with jax.enable_x64(True):
        return float(value_and_grad(problem.objective, jnp.asarray(params), problem.data)[0])


def gradient(problem, params):
    with jax.enable_x64(True):
        found = value_and_grad(problem.objective, jnp.asarray(params), problem.data)
        return np.asarray(found[1])


@functools.partial(jax.jit, static_argnums=0)
def second_derivatives(objective, params, data):
    return jax.hessian(objective)(params, *data)


def hessian(problem, params):
    with jax.enable_x64(True):
        found = second_derivatives(problem.objective, jnp.asarray(params), problem.data)
        return np.asarray(found)


def test_monkey_saddle_is_a_complex_cube():
    for x, y in ((1.0, 0.5), (-0.3, 2.0)):
        np.testing.assert_allclose(value(monkey_saddle(), (x, y)), ((x + 1j * y) ** 3).real)
    np.testing.assert_array_equal(hessian(monkey_saddle(), np.zeros(2)), 0)


def test_monkey_saddle_is_left_along_a_power_of_time():
    """The flow's x = 1 / (3 t + 1) and y = 0.01 (3 t + 1)^2, as long as y is small."""

    def descend(_, v):
        x, y = v
        return [-3 * x**2 + 3 * y**2, 6 * x * y]

    np.testing.assert_allclose(descend(0, (1.0, 0.5)), -gradient(monkey_saddle(), (1.0, 0.5)))
    flow = scipy.integrate.solve_ivp(descend, (0, 0.5), monkey_saddle().start(0), rtol=1e-10)
    np.testing.assert_allclose(flow.y[:, -1], [1 / 2.5, 0.01 * 2.5**2], rtol=1e-2)


def test_mixed_partials_differ_at_the_origin():
    """df/dx (0, y) = -y and df/dy (x, 0) = x: their slopes at 0 are -1 and 1."""
    problem, h = unequal_mixed_partials(), 1e-3
    np.testing.assert_allclose(gradient(problem, (0.0, h)), [-h, 0], atol=1e-18)
    np.testing.assert_allclose(gradient(problem, (h, 0.0)), [0, h], atol=1e-18)
    np.testing.assert_array_equal(gradient(problem, (0.0, 0.0)), 0)
    matrix = hessian(problem, (0.3, 0.4))
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-13)


def test_mixed_partials_have_the_spectrum_stated():
    problem = unequal_mixed_partials()
    for angle in (0.2, np.pi / 8, 1.1):
        for r in (1e-3, 1.0):
            s, point = np.sin(4 * angle), r * np.array([np.cos(angle), np.sin(angle)])
            np.testing.assert_allclose(value(problem, point), r**2 * s / 4, rtol=1e-13)
            spread = np.sqrt(1 + 3 * s**2)
            expected = -1.5 * s - spread, -1.5 * s + spread
            np.testing.assert_allclose(
                np.linalg.eigvalsh(hessian(problem, point)), expected, rtol=1e-12
            )
    s = np.linspace(-1, 1, 2001)
    assert np.max(1.5 * np.abs(s) + np.sqrt(1 + 3 * s**2)) == problem.constants.smoothness


def test_double_well_has_one_way_out_of_its_saddle():
    problem = double_well(3)
    np.testing.assert_array_equal(hessian(problem, np.zeros(3)), np.diag([1.0, 1, -1]))
    np.testing.assert_array_equal(hessian(problem, problem.minimizer), np.diag([1.0, 1, 2]))
    assert value(problem, -problem.minimizer) == problem.minimum == -0.25
    assert double_well().dim == 10


def test_gaussian_bump_has_the_constants_stated():
    """M is attained by the third derivative (3 s - s^3) exp(-s^2 / 2) along a line."""
    s = np.linspace(-5, 5, 200_001)
    constants, bell = gaussian_bump().constants, np.exp(-(s**2) / 2)
    assert constants.hessian_lipschitz is not None
    np.testing.assert_allclose(
        np.max((3 * s - s**3) * bell), constants.hessian_lipschitz, rtol=1e-8
    )
    np.testing.assert_allclose(np.max(s * bell), constants.gradient_bound, rtol=1e-8)
    np.testing.assert_allclose(np.max(np.abs((s**2 - 1) * bell)), constants.smoothness)
    np.testing.assert_allclose(hessian(gaussian_bump(), np.zeros(2)), -np.eye(2))


def test_newton_shrinks_the_degenerate_quartic_by_two_thirds():
    problem, x = degenerate_quartic(3, 50.0), np.array([1.0, -2.0, 3.0])
    step = np.linalg.solve(hessian(problem, x), gradient(problem, x))
    np.testing.assert_allclose(x - step, 2 / 3 * x, rtol=1e-12)
    curvatures = np.array([1.0, 50**-0.5, 1 / 50])
    np.testing.assert_allclose(value(problem, x), (curvatures @ x**2) ** 2 / 4, rtol=1e-14)


@pytest.mark.parametrize("width", [0.25, 0.05])
def test_curved_ridge_falls_off_on_both_sides(width):
    problem = curved_ridge(width)
    x, y = 0.4, 0.9
    expected = (1 - x) ** 2 / 2 + (((y - x**2) / width) ** 2 - 1) ** 2 / 4
    np.testing.assert_allclose(value(problem, (x, y)), expected, rtol=1e-12)
    assert value(problem, (1.0, 1 - width)) < 1e-25
    across = np.array([-2 * x, 1.0]) / np.hypot(2 * x, 1)
    curvature = across @ hessian(problem, (x, x**2)) @ across
    along = across[0] ** 2  # what (1 - x)^2 / 2 adds
    np.testing.assert_allclose(curvature - along, -(1 + 4 * x**2) / width**2, rtol=1e-12)
    np.testing.assert_allclose(gradient(problem, (x, x**2)), [x - 1, 0], atol=1e-12)


def test_plateau_has_the_constants_stated():
    u = np.linspace(-1, 1, 200_001)
    square, constants = u**2, plateau(dim=1).constants
    curvatures = (1 - square) * (1 - 3 * square)
    np.testing.assert_allclose(np.max(np.abs(curvatures)), constants.smoothness)
    np.testing.assert_allclose(np.min(curvatures), -1 / 3, rtol=1e-8)
    third = np.gradient(curvatures, u) * (1 - square)
    np.testing.assert_allclose(np.max(np.abs(third)), constants.hessian_lipschitz, rtol=1e-6)
    np.testing.assert_allclose(np.max(u * (1 - square)), constants.gradient_bound, rtol=1e-8)


def test_plateau_is_exponentially_flat():
    for distance in (4.0, 8.0):
        problem = plateau(distance=distance)
        slopes = gradient(problem, problem.start(0))
        np.testing.assert_allclose(slopes, 4 * np.exp(-2 * distance), rtol=2e-3)


def recurrent_error(weight, bias):
    state = 0.5
    for _ in range(50):
        state = weight * scipy.special.expit(state) + bias
    return (scipy.special.expit(state) - 0.7) ** 2


def test_cliff_is_the_error_of_a_recurrent_unit():
    for w, b in ((6.0, -2.9), (1.0, 0.3), (5.0, -2.7), (0.0, np.log(7 / 3))):
        np.testing.assert_allclose(
            value(cliff(), (w, b)), recurrent_error(w, b), rtol=1e-10, atol=1e-30
        )


def test_cliff_has_a_wall_where_its_first_state_stays():
    weight = 6.0
    wall = 0.5 - weight * scipy.special.expit(0.5)
    below, above = (value(cliff(), (weight, wall + side)) for side in (-1e-3, 1e-3))
    assert below > 0.4 > 0.1 > above
    steep = np.linalg.norm(gradient(cliff(), (weight, wall)))
    assert steep > 1e6 > 1 > np.linalg.norm(gradient(cliff(), cliff().start(0)))


@pytest.mark.parametrize(
    "factory",
    [
        lambda: double_well(dim=1),
        lambda: gaussian_bump(dim=0),
        lambda: degenerate_quartic(dim=1),
        lambda: degenerate_quartic(condition_number=0.5),
        lambda: curved_ridge(width=0.0),
        lambda: plateau(dim=0),
        lambda: plateau(distance=0.0),
    ],
)
def test_factories_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
