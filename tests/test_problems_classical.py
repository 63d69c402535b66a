"""The classical test functions agree with textbook formulas and with published numbers."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from optbench.errors import OptbenchError
from problems.classical.basins import (
    branin,
    goldstein_price,
    himmelblau,
    mccormick,
    six_hump_camel,
    three_hump_camel,
)
from problems.classical.bowls import booth, matyas, powell_sum, power, trid, zakharov
from problems.classical.boxes import Box, StartInside, cube
from problems.classical.mazes import (
    easom,
    levy,
    michalewicz,
    schwefel,
    shubert,
    styblinski_tang,
)
from problems.classical.ripples import (
    SERIES,
    ackley,
    bohachevsky,
    drop_wave,
    griewank,
    rastrigin,
)
from problems.classical.stationary import MOST_SWAPPED, Surface, swapped
from problems.classical.valleys import beale, bukin, dixon_price, rosenbrock
from problems.newton import newton_root


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


# Formulas as textbooks print them, of the coordinates x[0], x[1], ..., each an array.


def _dixon_price(x):
    return (x[0] - 1) ** 2 + sum(
        (i + 1) * (2 * x[i] ** 2 - x[i - 1]) ** 2 for i in range(1, len(x))
    )


def _zakharov(x):
    tilt = sum(0.5 * i * c for i, c in enumerate(x, 1))
    return sum(c**2 for c in x) + tilt**2 + tilt**4


def _goldstein_price(v):
    x, y = v
    first = 19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2
    second = 18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2
    return (1 + (x + y + 1) ** 2 * first) * (30 + (2 * x - 3 * y) ** 2 * second)


def _branin(v):
    x, y = v
    b, c, t = 5.1 / (4 * np.pi**2), 5 / np.pi, 1 / (8 * np.pi)
    return (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * np.cos(x) + 10


def _ackley(x):
    n = len(x)
    return (
        -20 * np.exp(-0.2 * np.sqrt(sum(c**2 for c in x) / n))
        - np.exp(sum(np.cos(2 * np.pi * c) for c in x) / n)
        + 20
        + np.e
    )


def _griewank(x):
    product = np.prod([np.cos(c / np.sqrt(i)) for i, c in enumerate(x, 1)], axis=0)
    return sum(c**2 for c in x) / 4000 - product + 1


def _levy(x):
    w = [1 + (c - 1) / 4 for c in x]
    inner = sum((a - 1) ** 2 * (1 + 10 * np.sin(np.pi * a + 1) ** 2) for a in w[:-1])
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return np.sin(np.pi * w[0]) ** 2 + inner + last


def _shubert(v):
    x, y = (sum(j * np.cos((j + 1) * c + j) for j in range(1, 6)) for c in v)
    return x * y


def _michalewicz(x):
    return -sum(np.sin(c) * np.sin(i * c**2 / np.pi) ** 20 for i, c in enumerate(x, 1))


FORMULAS = {
    dixon_price: _dixon_price,
    bukin: lambda v: 100 * np.sqrt(abs(v[1] - 0.01 * v[0] ** 2)) + 0.01 * abs(v[0] + 10),
    matyas: lambda v: 0.26 * (v[0] ** 2 + v[1] ** 2) - 0.48 * v[0] * v[1],
    trid: lambda x: (
        sum((c - 1) ** 2 for c in x) - sum(a * b for a, b in zip(x, x[1:], strict=False))
    ),
    zakharov: _zakharov,
    powell_sum: lambda x: sum(abs(c) ** (i + 1) for i, c in enumerate(x, 1)),
    branin: _branin,
    goldstein_price: _goldstein_price,
    three_hump_camel: lambda v: (
        2 * v[0] ** 2 - 1.05 * v[0] ** 4 + v[0] ** 6 / 6 + v[0] * v[1] + v[1] ** 2
    ),
    six_hump_camel: lambda v: (
        (4 - 2.1 * v[0] ** 2 + v[0] ** 4 / 3) * v[0] ** 2
        + v[0] * v[1]
        + (-4 + 4 * v[1] ** 2) * v[1] ** 2
    ),
    mccormick: lambda v: np.sin(v[0] + v[1]) + (v[0] - v[1]) ** 2 - 1.5 * v[0] + 2.5 * v[1] + 1,
    rastrigin: lambda x: 10 * len(x) + sum(c**2 - 10 * np.cos(2 * np.pi * c) for c in x),
    ackley: _ackley,
    griewank: _griewank,
    bohachevsky: lambda v: (
        v[0] ** 2
        + 2 * v[1] ** 2
        - 0.3 * np.cos(3 * np.pi * v[0])
        - 0.4 * np.cos(4 * np.pi * v[1])
        + 0.7
    ),
    drop_wave: lambda v: (
        -(1 + np.cos(12 * np.hypot(v[0], v[1]))) / (0.5 * (v[0] ** 2 + v[1] ** 2) + 2)
    ),
    styblinski_tang: lambda x: sum(c**4 - 16 * c**2 + 5 * c for c in x) / 2,
    levy: _levy,
    schwefel: lambda x: -sum(c * np.sin(np.sqrt(abs(c))) for c in x),
    michalewicz: _michalewicz,
    shubert: _shubert,
    easom: lambda v: (
        -np.cos(v[0]) * np.cos(v[1]) * np.exp(-((v[0] - np.pi) ** 2 + (v[1] - np.pi) ** 2))
    ),
}
EXTENDED = (
    dixon_price,
    trid,
    zakharov,
    powell_sum,
    rastrigin,
    ackley,
    griewank,
    styblinski_tang,
    levy,
    schwefel,
    michalewicz,
)


@pytest.mark.parametrize("factory", FORMULAS, ids=lambda f: f.__name__)
def test_equals_the_textbook_formula(factory):
    problems = [factory()] if factory not in EXTENDED else [factory(dim=2), factory(dim=4)]
    for problem in problems:
        box = np.array(problem.region or [(-3.0, 3.0)] * problem.dim)
        points = np.random.default_rng(3).uniform(*box.T, (8, problem.dim))
        expected = FORMULAS[factory](points.T)
        found = [value(problem, x) for x in points]
        scale = np.max(np.abs(expected))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14 * scale)


def lowest_on_grid(formula, region):
    """Less than the minimum over the region by no more than a grid of 400 x 400 cells hides."""
    axes = [np.linspace(low, high, 401) for low, high in region]
    return float(np.min(formula(np.meshgrid(*axes))))


@pytest.mark.parametrize("factory", FORMULAS, ids=lambda f: f.__name__)
def test_no_grid_point_lies_below_the_minimum(factory):
    problem = factory(dim=2) if factory in EXTENDED else factory()
    lowest = lowest_on_grid(FORMULAS[factory], problem.region)
    assert lowest >= problem.minimum - 1e-12 * max(1.0, abs(problem.minimum))


def test_a_grid_finds_a_lower_minimum():
    trap = six_hump_camel().critical_points[0]
    assert lowest_on_grid(FORMULAS[six_hump_camel], six_hump_camel().region) < trap.value


def agrees(number, published):
    """Whether a number, rounded as the published text, is that text."""
    decimals = len(published.partition(".")[2])
    return f"{number:.{decimals}f}" == published


PUBLISHED_MINIMA = [
    (branin, "0.397887"),
    (goldstein_price, "3"),
    (six_hump_camel, "-1.0316"),
    (lambda: styblinski_tang(dim=2), "-78.332"),
    (lambda: michalewicz(dim=2), "-1.8013"),
    (lambda: michalewicz(dim=5), "-4.687658"),
    (lambda: michalewicz(dim=10), "-9.66015"),
    (lambda: schwefel(dim=1), "-418.9829"),
    (shubert, "-186.7309"),
    (lambda: trid(dim=6), "-50"),
    (lambda: trid(dim=10), "-210"),
]


@pytest.mark.parametrize(("factory", "published"), PUBLISHED_MINIMA)
def test_minimum_has_all_its_published_digits(factory, published):
    assert agrees(factory().minimum, published)


def test_mccormick_is_published_rounded_down():
    """-1.91322, printed as -1.9133."""
    assert np.floor(mccormick().minimum * 1e4) == -19133


def test_one_wrong_digit_is_seen():
    assert agrees(-1.03162845, "-1.0316")
    assert not agrees(-1.03162845, "-1.0317")
    assert not agrees(styblinski_tang(dim=1).minimum, "-39.16599")  # as some lists print


PUBLISHED_MINIMIZERS = [
    (six_hump_camel, (0.0898, -0.7126), 1e-4),
    (mccormick, (-0.54719, -1.54719), 1e-5),
    (lambda: styblinski_tang(dim=2), (-2.903534, -2.903534), 1e-6),
    (lambda: michalewicz(dim=2), (2.20, 1.57), 1e-2),
    (lambda: schwefel(dim=2), (420.9687, 420.9687), 1e-4),
    (lambda: dixon_price(dim=2), (1.0, 0.5**0.5), 1e-15),
    (shubert, (-1.42513, -0.80032), 1e-5),
]


@pytest.mark.parametrize(("factory", "published", "unit"), PUBLISHED_MINIMIZERS)
def test_minimizer_is_the_published_one(factory, published, unit):
    np.testing.assert_allclose(factory().minimizer, published, rtol=0, atol=unit)


@pytest.mark.parametrize(
    ("factory", "points"),
    [
        (branin, [(-np.pi, 12.275), (3 * np.pi, 2.475)]),
        (six_hump_camel, [(-0.0898420131, 0.7126564030)]),
        (lambda: dixon_price(dim=2), [(1.0, -(0.5**0.5))]),
        (shubert, [(-0.80032, -1.42513), (4.85806, 5.48286), (-7.08351, 4.85806)]),
    ],
)
def test_other_points_are_as_low(factory, points):
    problem = factory()
    for point in points:
        np.testing.assert_allclose(value(problem, point), problem.minimum, rtol=1e-8, atol=1e-14)


def values_of(problem, kind):
    return sorted({round(p.value, 4) for p in problem.critical_points if p.kind == kind})


@pytest.mark.parametrize(
    ("factory", "traps"),
    [
        (goldstein_price, [30, 84, 840]),
        (six_hump_camel, [-0.2155, 2.1043]),
        (three_hump_camel, [0.2986]),
        (lambda: styblinski_tang(dim=2), [-64.1956]),
        (lambda: griewank(dim=2), [0.0074]),
        (lambda: rastrigin(dim=2), [0.9950]),
        (shubert, [-123.5768]),
    ],
)
def test_traps_have_their_known_values(factory, traps):
    assert values_of(factory(), "local minimum") == traps


def test_six_hump_camel_lists_all_its_critical_points():
    problem = six_hump_camel()
    points = np.array([problem.minimizer, -problem.minimizer])
    points = np.concatenate([points, [c.point for c in problem.critical_points]])
    apart = np.linalg.norm(points[:, None] - points[None, :], axis=2) + np.eye(len(points))
    assert len(points) == 15 and np.min(apart) > 0.05
    kinds = [c.kind for c in problem.critical_points]
    assert [kinds.count(k) for k in ("local minimum", "maximum", "saddle")] == [4, 2, 7]


def test_himmelblau_has_four_saddles_and_a_maximum():
    kinds = [c.kind for c in himmelblau().critical_points]
    assert kinds.count("saddle") == 4 and kinds.count("maximum") == 1
    assert agrees(himmelblau().critical_points[0].value, "181.617")
    for c in himmelblau().critical_points:
        x, y = c.point
        a, b = x**2 + y - 11, x + y**2 - 7
        np.testing.assert_allclose([4 * x * a + 2 * b, 2 * a + 4 * y * b], 0, atol=1e-13)


@pytest.mark.parametrize("dim", [4, 7, 50])
def test_rosenbrock_has_one_local_minimum(dim):
    (trap,) = rosenbrock(dim).critical_points
    np.testing.assert_allclose(scipy.optimize.rosen_der(trap.point), 0, atol=1e-12)
    assert np.min(np.linalg.eigvalsh(scipy.optimize.rosen_hess(trap.point))) > 0.1
    np.testing.assert_allclose(trap.value, scipy.optimize.rosen(trap.point), rtol=1e-14)
    assert trap.point[0] < 0 and rosenbrock(3).critical_points == ()


def test_rosenbrock_starts_where_an_example_has_it():
    start = (1.3, 0.7, 0.8, 1.9, 1.2)
    problem = rosenbrock(dim=5, start=start)
    np.testing.assert_array_equal(problem.start(0), start)
    assert value(problem, start) == pytest.approx(scipy.optimize.rosen(start))
    with pytest.raises(OptbenchError, match="start is"):
        rosenbrock(dim=2, start=start)


def test_dixon_price_reaches_its_minimum_in_any_dimension():
    problem = dixon_price(dim=6)
    assert _dixon_price(problem.minimizer) < 1e-30
    assert dixon_price(dim=2).critical_points and not problem.critical_points


@pytest.mark.parametrize("dim", [2, 6])
def test_trid_has_the_spectrum_of_its_matrix(dim):
    problem = trid(dim)
    matrix = 2 * np.eye(dim) - np.eye(dim, k=1) - np.eye(dim, k=-1)
    ends = np.linalg.eigvalsh(matrix)[[0, -1]]
    claimed = problem.constants.strong_convexity, problem.constants.smoothness
    np.testing.assert_allclose(claimed, ends, rtol=1e-13)
    np.testing.assert_allclose(matrix @ problem.minimizer, np.full(dim, 2.0), rtol=1e-13)


@pytest.mark.parametrize(
    ("problem", "second", "third"),
    [
        (rastrigin, lambda x: 2 + 40 * np.pi**2 * np.cos(2 * np.pi * x), 80 * np.pi**3),
        (bohachevsky, lambda y: 4 + 6.4 * np.pi**2 * np.cos(4 * np.pi * y), 25.6 * np.pi**3),
    ],
)
def test_separable_functions_have_the_curvature_stated(problem, second, third):
    x = np.linspace(-1, 1, 20001)
    np.testing.assert_allclose(np.max(np.abs(second(x))), problem().constants.smoothness)
    np.testing.assert_allclose(np.max(np.abs(np.gradient(second(x), x))), third, rtol=1e-4)
    np.testing.assert_allclose(problem().constants.hessian_lipschitz, third)


@pytest.mark.parametrize("factory", [ackley, bukin, schwefel, drop_wave])
def test_gradients_are_finite_where_roots_are_taken_of_zero(factory):
    problem = factory()
    for point in (np.zeros(2), problem.minimizer, np.array([0.0, 1.0])):
        assert np.isfinite(gradient(problem, point)).all()


def test_ackley_slopes_up_on_both_sides_of_its_kink():
    sides = [gradient(ackley(dim=1), np.array([x])) for x in (-1e-9, 1e-9)]
    np.testing.assert_allclose(np.concatenate(sides), [-4, 4], rtol=1e-6)


def test_ackley_keeps_its_gradient_bound():
    points = np.random.default_rng(0).uniform(-5, 5, (64, 3))
    problem = ackley(dim=3)
    norms = [np.linalg.norm(gradient(problem, x)) for x in points]
    bound = problem.constants.gradient_bound
    assert bound / 3 < max(norms) <= bound


def test_drop_wave_is_analytic_at_the_origin():
    """f = -1 + (36 + 1 / 4) r^2 + ..., and no step where the series ends."""
    np.testing.assert_allclose(hessian(drop_wave(), np.zeros(2)), 72.5 * np.eye(2), rtol=1e-14)
    for r in np.sqrt(SERIES) * np.array([0.5, 1 - 1e-12, 1 + 1e-12]):
        expected = FORMULAS[drop_wave]((r, 0.0))
        np.testing.assert_allclose(value(drop_wave(), (r, 0.0)), expected, rtol=1e-14)


@pytest.mark.parametrize("factory", [mccormick, schwefel, michalewicz])
def test_boxes_exclude_lower_values(factory):
    beyond = {
        mccormick: (-3.69, -4.69),
        schwefel: (717.0, 717.0),
        michalewicz: (8.0, 1.5708),
    }[factory]
    problem = factory()
    assert FORMULAS[factory](beyond) < problem.minimum
    with jax.enable_x64(True):
        inside = np.asarray(problem.prox(jnp.asarray(beyond), 1.0))
    low, high = np.array(problem.region).T
    np.testing.assert_array_equal(inside, np.clip(beyond, low, high))


def test_starts_lie_in_their_box():
    box = Box((0.0, -1.0), (1.0, 4.0))
    start = StartInside((0.5, 0.5), box)
    np.testing.assert_array_equal(start(0), [0.5, 0.5])
    draws = np.array([start(seed) for seed in range(1, 400)])
    np.testing.assert_array_equal(draws[4], start(5))
    assert np.all(draws >= box.low) and np.all(draws <= box.high)
    np.testing.assert_allclose(draws.mean(0), [0.5, 1.5], atol=4 * 5 / np.sqrt(12 * 399))


def test_equal_boxes_share_a_program():
    assert cube(0.0, 1.0) == Box((0.0, 0.0), (1.0, 1.0)) != cube(0.0, 2.0)
    assert jax.tree.structure(schwefel()) == jax.tree.structure(schwefel())


def test_newton_roots_are_exact_to_rounding():
    root = newton_root(lambda x: x**2 - 2, lambda x: 2 * x, 1.0)
    assert abs(root - np.sqrt(2)) <= np.spacing(root)


def test_surfaces_tell_the_kinds_of_their_critical_points():
    """x^3 / 3 - x + y^3 / 3 - y, with one minimum, one maximum and two saddles."""
    surface = Surface({(3, 0): 1 / 3, (1, 0): -1, (0, 3): 1 / 3, (0, 1): -1})
    kinds = {(1, 1): "local minimum", (-1, -1): "maximum", (1, -1): "saddle", (-1, 1): "saddle"}
    for (x, y), kind in kinds.items():
        found = surface.critical_point(1.2 * x, 0.9 * y)
        assert found.kind == kind
        np.testing.assert_allclose(found.point, [x, y], rtol=1e-15)
        np.testing.assert_allclose(found.value, -2 / 3 * (x + y), atol=1e-15)


def test_one_coordinate_at_a_time_is_swapped():
    points = [c.point for c in swapped("saddle", np.zeros(3), 2.0, 1.0)]
    np.testing.assert_array_equal(points, 2 * np.eye(3))
    assert len(swapped("saddle", np.zeros(10_000), 2.0, 1.0)) == MOST_SWAPPED


@pytest.mark.parametrize("factory", [*FORMULAS, booth, beale], ids=lambda f: f.__name__)
def test_starts_are_not_critical(factory):
    problem = factory()
    assert np.linalg.norm(gradient(problem, problem.start(0))) > 1e-4


SMALLEST = {
    rosenbrock: 2,
    dixon_price: 2,
    trid: 2,
    zakharov: 2,
    powell_sum: 2,
    rastrigin: 1,
    ackley: 1,
    griewank: 2,
    styblinski_tang: 1,
    levy: 2,
    schwefel: 1,
    michalewicz: 1,
}


@pytest.mark.parametrize("factory", SMALLEST, ids=lambda f: f.__name__)
def test_too_few_dimensions_are_refused(factory):
    least = SMALLEST[factory]
    assert factory(dim=least).dim == least
    with pytest.raises(OptbenchError, match=f"in {least - 1} dimensions") as raised:
        factory(dim=least - 1)
    assert raised.value.hint


@pytest.mark.parametrize("exponent", [2.0, float("nan")])
def test_power_needs_an_exponent_above_two(exponent):
    with pytest.raises(OptbenchError, match="exponent"):
        power(exponent)
