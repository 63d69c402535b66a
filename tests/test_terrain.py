"""Critical points of functions that are known, and the modes of quadratics."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from optbench import catalog, modes, trees
from optbench.method import Method, make_method
from optbench.optimizers.first_order.accelerated import nesterov_convex
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.first_order.momentum import momentum, nesterov
from optbench.plan import Lanes, Plan
from optbench.problem import Problem
from optbench.program import precision
from optbench.run import execute, prepare
from optbench.start import start_near
from optbench.survey import Lane, looks_quadratic, modes_of
from optbench.terrain import (
    APART_ON_CURVES,
    MOST_POINTS,
    critical_points,
    terrain_of,
    values_on,
)

CATALOG = catalog.collect("problems", "Problem")
SOURCES = {name: factory() for name, factory in CATALOG.items() if factory().dim == 2}
SMOOTH = [n for n, p in SOURCES.items() if p.nonsmooth is None and p.region is not None]


def found_on(problem: Problem):
    with precision("float64"):
        return critical_points(terrain_of(problem, "float64"))


def in_region(problem: Problem, point: np.ndarray) -> bool:
    low, high = np.array(problem.region).T
    return bool(((low <= point) & (point <= high)).all())


# Critical points


def test_himmelblau_has_nine():
    found = found_on(SOURCES["himmelblau"])
    kinds = {kind: found.kinds.count(kind) for kind in found.kinds}
    assert kinds == {"minimum": 4, "saddle": 4, "maximum": 1} and found.num_found == 9
    assert np.array_equal(np.sort(found.values), found.values)


@pytest.mark.parametrize("name", SMOOTH)
def test_known_points_of_the_catalog_are_found(name: str):
    """Where a whole curve of them is critical, one is near."""
    problem = SOURCES[name]
    found = found_on(problem)
    low, high = np.array(problem.region).T
    known = [(c.point, c.kind) for c in problem.critical_points]
    known += [] if problem.minimizer is None else [(problem.minimizer, "minimum")]
    for params, kind in known:
        point = np.asarray(trees.coordinates(params, np), float)
        if not in_region(problem, point):
            continue
        away = np.abs((found.points - point) / (high - low)).max(axis=-1)
        nearest = found.kinds[np.argmin(away)]
        assert away.min() < (APART_ON_CURVES if nearest == "degenerate" else 1e-6)
        assert nearest == "degenerate" or nearest in kind
    assert len(found.points) == min(found.num_found, MOST_POINTS)
    assert all(in_region(problem, point) for point in found.points)


def tail(x):
    return -jnp.exp(-jnp.sum(x**2))


def kink(x):
    return jnp.abs(x[0] - 0.3) + x[1] ** 2


def broken(x):
    return jnp.where(x[0] > 0, jnp.nan, jnp.inf) * jnp.sum(x)


@pytest.mark.parametrize(("objective", "kinds"), [(tail, ("minimum",)), (kink, ()), (broken, ())])
def test_flat_tails_kinks_and_no_numbers_are_no_critical_points(objective, kinds):
    region = ((-9.0, 9.0), (-9.0, 9.0))
    problem = Problem(objective=objective, start=start_near(np.ones(2)), region=region)
    assert found_on(problem).kinds == kinds


def test_a_flat_saddle_is_degenerate():
    assert found_on(SOURCES["monkey_saddle"]).kinds == ("degenerate",)
    assert found_on(SOURCES["saddle"]).kinds == ("saddle",)
    assert found_on(SOURCES["bukin"]).num_found == 0


# Modes

ROTATION = np.linalg.qr(np.random.default_rng(1).standard_normal((20, 20)))[0]
MATRIX = ROTATION.T @ np.diag(np.geomspace(0.01, 1, 20)) @ ROTATION
METHODS = (
    make_method(gradient_descent, learning_rate=1.3),
    make_method(momentum, learning_rate=1.1, momentum=0.8),
    make_method(nesterov, learning_rate=0.9, momentum=0.9),
)


def form(x, matrix, slope):
    return x @ matrix @ x / 2 + slope @ x


def bowl(matrix: np.ndarray = MATRIX, **known) -> Problem:
    slope = np.linspace(-1, 1, len(matrix))
    start = start_near(np.ones(len(matrix)))
    return Problem(objective=form, start=start, data=(matrix, slope), **known)


SADDLE = bowl(np.diag([1.0, -0.05]), bounded_below=False)


def lane_of(problem: Problem, method: Method, **changes) -> Lane:
    plan = Plan(budget=150.0)
    ran = execute(prepare(problem, [method], Lanes(recorded=(0,)), plan))
    points = ran.points_of(0, 0)
    assert points is not None
    lane = Lane(
        optimizer=method.name, method=method, setting=0, values={}, is_default=False, sound=True,
        seed=0, steps=ran.steps[: len(points)], points=points, unit=2.0**-53,
    )  # fmt: skip
    return dataclasses.replace(lane, **changes)


def departure(problem: Problem, lane: Lane) -> float:
    """Of the coefficients from theory, over the largest one at the start."""
    with precision("float64"):
        found = modes_of(terrain_of(problem, "float64"), [lane])
    assert found is not None
    (path,) = found.paths[lane.optimizer]
    assert path.theory is not None and path.theory.shape == path.coefficients.shape
    size = np.maximum(path.coefficients.max(axis=1), path.coefficients[0].max())[:, None]
    return float(np.abs((path.theory - path.coefficients) / size).max())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("problem", [bowl(), SADDLE], ids=["rotated", "saddle"])
def test_modes_follow_their_recursion_and_no_other(problem: Problem, method: Method):
    lane = lane_of(problem, method)
    assert departure(problem, lane) < 1e-10
    rate = dict(method.arguments)["learning_rate"] * 1.01
    assert departure(problem, dataclasses.replace(lane, values={"learning_rate": rate})) > 1e-3


def test_curvatures_are_those_of_the_matrix_and_modes_spread_over_them():
    with precision("float64"):
        found = modes_of(terrain_of(bowl(), "float64"), [lane_of(bowl(), METHODS[0])])
    assert found is not None
    np.testing.assert_allclose(found.curvatures, np.geomspace(0.01, 1, 20), rtol=1e-12)
    assert len(found.shown) == 12 and found.shown[0] == 0 and found.shown[-1] == 19
    assert np.array_equal(modes.spread(3, 12), [0, 1, 2])


def test_other_optimizers_have_no_theory():
    method = make_method(nesterov_convex, smoothness=1.0)
    with precision("float64"):
        found = modes_of(terrain_of(bowl(), "float64"), [lane_of(bowl(), method)])
    assert found is not None and found.paths["nesterov_convex"][0].theory is None


@pytest.mark.parametrize("name", ["nesterov", "momentum", "gradient_descent"])
def test_a_recursion_is_followed_step_by_step(name: str):
    curvatures, start = np.array([0.1, 1.0]), np.array([1.0, -2.0])
    given = {"learning_rate": 0.7, "momentum": 0.6}
    recursion = modes.recursion_of(name, given, curvatures)
    c = [start, recursion.first * start]
    for _ in range(30):
        c.append(recursion.last * c[-1] + recursion.before * c[-2])
    steps = np.array([0, 1, 2, 5, 30])
    np.testing.assert_allclose(modes.follow(recursion, start, steps), np.array(c)[steps], rtol=1e-9)


def almost(x):
    return jnp.sum(x**2) + 1e-4 * jnp.sum(x**4)


def test_what_is_no_quadratic_has_no_modes():
    problem = Problem(objective=almost, start=start_near(np.ones(3)))
    x = np.linspace(-1, 1, 81)
    with precision("float64"):
        terrain, frame = terrain_of(problem, "float64"), np.eye(3)
        assert not looks_quadratic(values_on(terrain, frame, x, x), "float64")
        assert modes_of(terrain, [lane_of(problem, METHODS[0])]) is None
        other = terrain_of(bowl(MATRIX[:3, :3]), "float64")
        assert looks_quadratic(values_on(other, frame, x, x), "float64")
    assert not looks_quadratic(np.full((5, 5), np.nan), "float64")
