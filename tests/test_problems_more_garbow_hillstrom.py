"""The 35 problems of More, Garbow & Hillstrom (1981) against the paper's table, and loops."""

from __future__ import annotations

import inspect
import re
from decimal import Decimal
from math import atan, cos, exp, log, pi, prod, sin, sqrt
from typing import NamedTuple

import jax
import numpy as np
import pytest

from optbench.catalog import collect
from optbench.errors import OptbenchError
from problems.more_garbow_hillstrom.stationary_points import critical_point, jacobian
from problems.newton import newton_point

CATALOG = collect("problems", "Problem")


# The f_i as the paper writes them, one at a time, for lists x counted from 1: x[0] is unused.


def rosenbrock(x, m):
    return [10 * (x[2] - x[1] ** 2), 1 - x[1]]


def freudenstein_roth(x, m):
    first = -13 + x[1] + ((5 - x[2]) * x[2] - 2) * x[2]
    return [first, -29 + x[1] + ((x[2] + 1) * x[2] - 14) * x[2]]


def powell_badly_scaled(x, m):
    return [10**4 * x[1] * x[2] - 1, exp(-x[1]) + exp(-x[2]) - 1.0001]


def brown_badly_scaled(x, m):
    return [x[1] - 10**6, x[2] - 2 * 10**-6, x[1] * x[2] - 2]


def beale(x, m):
    y = {1: 1.5, 2: 2.25, 3: 2.625}
    return [y[i] - x[1] * (1 - x[2] ** i) for i in y]


def jennrich_sampson(x, m):
    return [2 + 2 * i - (exp(i * x[1]) + exp(i * x[2])) for i in range(1, m + 1)]


def helical_valley(x, m):
    theta = atan(x[2] / x[1]) / (2 * pi) + (0.5 if x[1] < 0 else 0)
    return [10 * (x[3] - 10 * theta), 10 * (sqrt(x[1] ** 2 + x[2] ** 2) - 1), x[3]]


def bard(x, m):
    y = "0.14 0.18 0.22 0.25 0.29 0.32 0.35 0.39 0.37 0.58 0.73 0.96 1.34 2.10 4.39".split()
    found = []
    for i in range(1, 16):
        u, v = i, 16 - i
        found.append(float(y[i - 1]) - (x[1] + u / (v * x[2] + min(u, v) * x[3])))
    return found


def gaussian_curve(x, m):
    half = [0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521]
    y, found = [*half, 0.3989, *half[::-1]], []
    for i in range(1, 16):
        t = (8 - i) / 2
        found.append(x[1] * exp(-x[2] * (t - x[3]) ** 2 / 2) - y[i - 1])
    return found


def meyer(x, m):
    y = """34780 28610 23650 19630 16370 13720 11540 9744 8261 7030 6005 5147 4427 3820 3307
    2872""".split()
    return [x[1] * exp(x[2] / (45 + 5 * i + x[3])) - float(y[i - 1]) for i in range(1, 17)]


def gulf(x, m):
    found = []
    for i in range(1, m + 1):
        t = i / 100
        y = 25 + (-50 * log(t)) ** (2 / 3)
        found.append(exp(-(abs(y - x[2]) ** x[3]) / x[1]) - t)
    return found


def box_three_dimensional(x, m):
    found = []
    for i in range(1, m + 1):
        t = 0.1 * i
        found.append(exp(-t * x[1]) - exp(-t * x[2]) - x[3] * (exp(-t) - exp(-10 * t)))
    return found


def powell_singular(x, m):
    first = [x[1] + 10 * x[2], sqrt(5) * (x[3] - x[4])]
    return [*first, (x[2] - 2 * x[3]) ** 2, sqrt(10) * (x[1] - x[4]) ** 2]


def wood(x, m):
    first = [10 * (x[2] - x[1] ** 2), 1 - x[1], sqrt(90) * (x[4] - x[3] ** 2), 1 - x[3]]
    return [*first, sqrt(10) * (x[2] + x[4] - 2), (x[2] - x[4]) / sqrt(10)]


def kowalik_osborne(x, m):
    y = "0.1957 0.1947 0.1735 0.1600 0.0844 0.0627 0.0456 0.0342 0.0323 0.0235 0.0246".split()
    u = "4 2 1 0.5 0.25 0.167 0.125 0.1 0.0833 0.0714 0.0625".split()
    found = []
    for yi, ui in zip(map(float, y), map(float, u), strict=True):
        found.append(yi - x[1] * (ui**2 + ui * x[2]) / (ui**2 + ui * x[3] + x[4]))
    return found


def brown_dennis(x, m):
    found = []
    for i in range(1, m + 1):
        t = i / 5
        line, wave = x[1] + t * x[2] - exp(t), x[3] + x[4] * sin(t) - cos(t)
        found.append(line**2 + wave**2)
    return found


def osborne_one(x, m):
    y = """844 908 932 936 925 908 881 850 818 784 751 718 685 658 628 603 580 558 538 522 506 490
    478 467 457 448 438 431 424 420 414 411 406""".split()
    found = []
    for i in range(1, 34):
        t = 10 * (i - 1)
        model = x[1] + x[2] * exp(-t * x[4]) + x[3] * exp(-t * x[5])
        found.append(float(y[i - 1]) / 1000 - model)
    return found


def biggs_exp6(x, m):
    found = []
    for i in range(1, m + 1):
        t = 0.1 * i
        y = exp(-t) - 5 * exp(-10 * t) + 3 * exp(-4 * t)
        model = x[3] * exp(-t * x[1]) - x[4] * exp(-t * x[2]) + x[6] * exp(-t * x[5])
        found.append(model - y)
    return found


def osborne_two(x, m):
    y = """1366 1191 1112 1013 991 885 831 847 786 725 746 679 608 655 616 606 602 626 651 724 649
    649 694 644 624 661 612 558 533 495 500 423 395 375 372 391 396 405 428 429 523 562 607 653 672
    708 633 668 645 632 591 559 597 625 739 710 729 720 636 581 428 292 162 98 54""".split()
    found = []
    for i in range(1, 66):
        t = (i - 1) / 10
        model = x[1] * exp(-t * x[5])
        for k in (2, 3, 4):
            model += x[k] * exp(-((t - x[k + 7]) ** 2) * x[k + 4])
        found.append(float(y[i - 1]) / 1000 - model)
    return found


def watson(x, m):
    n, found = len(x) - 1, []
    for i in range(1, 30):
        t = i / 29
        slope = sum((j - 1) * x[j] * t ** (j - 2) for j in range(2, n + 1))
        found.append(slope - sum(x[j] * t ** (j - 1) for j in range(1, n + 1)) ** 2 - 1)
    return [*found, x[1], x[2] - x[1] ** 2 - 1]


def extended_rosenbrock(x, m):
    odd = range(1, len(x), 2)
    return [10 * (x[i + 1] - x[i] ** 2) for i in odd] + [1 - x[i] for i in odd]


def extended_powell_singular(x, m):
    blocks = [powell_singular([0, *x[i : i + 4]], 4) for i in range(1, len(x), 4)]
    return [block[k] for k in range(4) for block in blocks]


def penalty_1(x, m):
    return [sqrt(1e-5) * (xi - 1) for xi in x[1:]] + [sum(xi**2 for xi in x[1:]) - 1 / 4]


def penalty_2(x, m):
    n = len(x) - 1
    y = {i: exp(i / 10) + exp((i - 1) / 10) for i in range(2, n + 1)}
    found = [x[1] - 0.2]
    for i in range(2, n + 1):
        found.append(sqrt(1e-5) * (exp(x[i] / 10) + exp(x[i - 1] / 10) - y[i]))
    for i in range(n + 1, 2 * n):
        found.append(sqrt(1e-5) * (exp(x[i - n + 1] / 10) - exp(-1 / 10)))
    return [*found, sum((n - j + 1) * x[j] ** 2 for j in range(1, n + 1)) - 1]


def variably_dimensioned(x, m):
    n = len(x) - 1
    total = sum(j * (x[j] - 1) for j in range(1, n + 1))
    return [*[x[i] - 1 for i in range(1, n + 1)], total, total**2]


def trigonometric(x, m):
    n, found = len(x) - 1, []
    for i in range(1, n + 1):
        total = sum(cos(x[j]) for j in range(1, n + 1))
        found.append(n - total + i * (1 - cos(x[i])) - sin(x[i]))
    return found


def brown_almost_linear(x, m):
    n = len(x) - 1
    return [x[i] + sum(x[1:]) - (n + 1) for i in range(1, n)] + [prod(x[1:]) - 1]


def discrete_boundary_value(x, m):
    n, found = len(x) - 1, []
    h, x = 1 / (n + 1), [0, *x[1:], 0]
    for i in range(1, n + 1):
        cube = (x[i] + i * h + 1) ** 3
        found.append(2 * x[i] - x[i - 1] - x[i + 1] + h**2 * cube / 2)
    return found


def discrete_integral_equation(x, m):
    n, found = len(x) - 1, []
    h = 1 / (n + 1)
    t = [i * h for i in range(n + 1)]
    for i in range(1, n + 1):
        below = sum(t[j] * (x[j] + t[j] + 1) ** 3 for j in range(1, i + 1))
        above = sum((1 - t[j]) * (x[j] + t[j] + 1) ** 3 for j in range(i + 1, n + 1))
        found.append(x[i] + h * ((1 - t[i]) * below + t[i] * above) / 2)
    return found


def broyden_tridiagonal(x, m):
    n, x = len(x) - 1, [0, *x[1:], 0]
    return [(3 - 2 * x[i]) * x[i] - x[i - 1] - 2 * x[i + 1] + 1 for i in range(1, n + 1)]


def broyden_banded(x, m):
    n, found = len(x) - 1, []
    for i in range(1, n + 1):
        band = [j for j in range(max(1, i - 5), min(n, i + 1) + 1) if j != i]
        found.append(x[i] * (2 + 5 * x[i] ** 2) + 1 - sum(x[j] * (1 + x[j]) for j in band))
    return found


def linear_full_rank(x, m):
    n, mean = len(x) - 1, 2 / m * sum(x[1:])
    return [x[i] - mean - 1 for i in range(1, n + 1)] + [-mean - 1 for i in range(n + 1, m + 1)]


def linear_rank_one(x, m):
    total = sum(j * x[j] for j in range(1, len(x)))
    return [i * total - 1 for i in range(1, m + 1)]


def linear_rank_one_with_zeros(x, m):
    total = sum(j * x[j] for j in range(2, len(x) - 1))
    return [-1, *[(i - 1) * total - 1 for i in range(2, m)], -1]


def chebyquad(x, m):
    n, found = len(x) - 1, []
    for i in range(1, n + 1):
        basis = np.polynomial.Chebyshev.basis(i, domain=[0, 1])
        integral = 0 if i % 2 else -1 / (i**2 - 1)
        found.append(sum(float(basis(x[j])) for j in range(1, n + 1)) / n - integral)
    return found


class Entry(NamedTuple):
    """One row of the paper: its number, our instance, n, m, start, and what is printed.

    `start_norm` is sqrt(f) at the start as the MINPACK tests print it (Garbow, Hillstrom & More
    1980), or f's exact root; `minimum` is f* as the paper prints it, cut off or rounded.
    """

    number: int
    terms: object
    arguments: dict
    dim: int
    num_residuals: int
    start: list
    start_norm: float | None
    minimum: str


def line(n):
    return [i / (n + 1) * (i / (n + 1) - 1) for i in range(1, n + 1)]


def nodes(n):
    return [j / (n + 1) for j in range(1, n + 1)]


TWO = [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5]
POWELL = [3, -1, 0, 1]
ENZYME = [0.25, 0.39, 0.415, 0.39]
FALLING = [1 - j / 10 for j in range(1, 11)]
TEN, TWENTY = {"num_residuals": 10}, {"num_residuals": 20}
SMALL, LARGE = {"dim": 5, "num_residuals": 10}, {"dim": 5, "num_residuals": 50}
TABLE = [
    Entry(1, rosenbrock, {}, 2, 2, [-1.2, 1], sqrt(24.2), "0"),
    Entry(2, freudenstein_roth, {}, 2, 2, [0.5, -2], 20.0124960961895, "0"),
    Entry(3, powell_badly_scaled, {}, 2, 2, [0, 1], None, "0"),
    Entry(4, brown_badly_scaled, {}, 2, 3, [1, 1], None, "0"),
    Entry(5, beale, {}, 2, 3, [1, 1], sqrt(14.203125), "0"),
    Entry(6, jennrich_sampson, TEN, 2, 10, [0.3, 0.4], 64.5856498144943, "124.362"),
    Entry(7, helical_valley, {}, 3, 3, [-1, 0, 0], 50.0, "0"),
    Entry(8, bard, {}, 3, 15, [1, 1, 1], 6.45613629515967, "8.21487e-3"),
    Entry(9, gaussian_curve, {}, 3, 15, [0.4, 1, 0], None, "1.12793e-8"),
    Entry(10, meyer, {}, 3, 16, [0.02, 4000, 250], 41153.4665543031, "87.9458"),
    Entry(11, gulf, {"num_residuals": 99}, 3, 99, [5, 2.5, 0.15], None, "0"),
    Entry(12, box_three_dimensional, TEN, 3, 10, [0, 10, 20], 32.1115837449572, "0"),
    Entry(13, powell_singular, {}, 4, 4, POWELL, 14.6628782986152, "0"),
    Entry(14, wood, {}, 4, 6, [-3, -1, -3, -1], sqrt(19192), "0"),
    Entry(15, kowalik_osborne, {}, 4, 11, ENZYME, 0.0728915102882945, "3.07505e-4"),
    Entry(16, brown_dennis, TWENTY, 4, 20, [25, 5, -5, -1], 2815.43839161816, "85822.2"),
    Entry(17, osborne_one, {}, 5, 33, [0.5, 1.5, -1, 0.01, 0.02], 0.937564021037838, "5.46489e-5"),
    Entry(18, biggs_exp6, {"num_residuals": 13}, 6, 13, [1, 2, 1, 1, 1, 1], None, "0"),
    Entry(19, osborne_two, {}, 11, 65, TWO, 1.44686540984712, "4.01377e-2"),
    Entry(20, watson, {"dim": 6}, 6, 31, [0] * 6, 5.47722557505166, "2.28767e-3"),
    Entry(20, watson, {"dim": 9}, 9, 31, [0] * 9, 5.47722557505166, "1.39976e-6"),
    Entry(20, watson, {"dim": 12}, 12, 31, [0] * 12, 5.47722557505166, "4.72238e-10"),
    Entry(21, extended_rosenbrock, {"dim": 10}, 10, 10, [-1.2, 1] * 5, 11.0, "0"),
    Entry(22, extended_powell_singular, {"dim": 12}, 12, 12, POWELL * 3, sqrt(645), "0"),
    Entry(23, penalty_1, {"dim": 4}, 4, 5, [1, 2, 3, 4], sqrt(885.06264), "2.24997e-5"),
    Entry(23, penalty_1, {"dim": 10}, 10, 11, list(range(1, 11)), sqrt(148032.56535), "7.08765e-5"),
    Entry(24, penalty_2, {"dim": 4}, 4, 8, [0.5] * 4, None, "9.37629e-6"),
    Entry(24, penalty_2, {"dim": 10}, 10, 20, [0.5] * 10, None, "2.93660e-4"),
    Entry(25, variably_dimensioned, {"dim": 10}, 10, 12, FALLING, None, "0"),
    Entry(26, trigonometric, {"dim": 10}, 10, 10, [0.1] * 10, None, "0"),
    Entry(27, brown_almost_linear, {"dim": 10}, 10, 10, [0.5] * 10, 16.5302162063499, "0"),
    Entry(27, brown_almost_linear, {"dim": 30}, 30, 30, [0.5] * 30, 83.476044467848, "0"),
    Entry(28, discrete_boundary_value, {"dim": 10}, 10, 10, line(10), None, "0"),
    Entry(29, discrete_integral_equation, {"dim": 10}, 10, 10, line(10), None, "0"),
    Entry(30, broyden_tridiagonal, {"dim": 10}, 10, 10, [-1] * 10, sqrt(21), "0"),
    Entry(31, broyden_banded, {"dim": 10}, 10, 10, [-1] * 10, sqrt(360), "0"),
    Entry(32, linear_full_rank, SMALL, 5, 10, [1] * 5, 5.0, "5"),
    Entry(32, linear_full_rank, LARGE, 5, 50, [1] * 5, 8.06225774829855, "45"),
    Entry(33, linear_rank_one, SMALL, 5, 10, [1] * 5, 291.521868819476, "2.142857"),
    Entry(34, linear_rank_one_with_zeros, SMALL, 5, 10, [1] * 5, None, "3.647058"),
    Entry(35, chebyquad, {"dim": 7}, 7, 7, nodes(7), None, "0"),
    Entry(35, chebyquad, {"dim": 8}, 8, 8, nodes(8), 0.196513862833975, "3.51687e-3"),
    Entry(35, chebyquad, {"dim": 9}, 9, 9, nodes(9), 0.16994993465202, "0"),
]  # fmt: skip
every_entry = pytest.mark.parametrize(
    "entry", TABLE, ids=[f"{e.number}-{e.terms.__name__}-{e.dim}" for e in TABLE]
)


def problem_of(entry):
    return CATALOG[entry.terms.__name__](**entry.arguments)


def by_loops(entry, point):
    return np.array(entry.terms([None, *map(float, point)], entry.num_residuals), float)


def value_by_loops(entry, point):
    return float(np.sum(by_loops(entry, point) ** 2))


def entry_of(name, dim=None):
    return next(e for e in TABLE if e.terms.__name__ == name and dim in (None, e.dim))


def value(problem, point):
    with jax.enable_x64(True):
        return float(problem.objective(jax.numpy.asarray(point), *problem.data))


def agrees(number, printed):
    """Whether a number, cut off or rounded, is the printed one."""
    digits = Decimal(printed)
    unit = float(Decimal(1).scaleb(int(digits.as_tuple().exponent)))
    return -unit / 2 <= number - float(digits) < unit


def test_agreement_means_all_digits():
    assert agrees(8.214877e-3, "8.21487e-3") and agrees(8.214866e-3, "8.21487e-3")
    assert not agrees(8.214881e-3, "8.21487e-3") and not agrees(8.214864e-3, "8.21487e-3")


def test_the_table_holds_all_35_problems():
    assert {entry.number for entry in TABLE} == set(range(1, 36))
    package = "problems.more_garbow_hillstrom"
    written = {n for n, factory in CATALOG.items() if factory.__module__.startswith(package)}
    assert written | {"rosenbrock", "beale"} == {entry.terms.__name__ for entry in TABLE}


@every_entry
def test_start_is_the_paper_s(entry):
    problem = problem_of(entry)
    assert problem.dim == entry.dim
    np.testing.assert_allclose(problem.start(0), entry.start, rtol=1e-15)
    if entry.start_norm is not None:
        found = value(problem, problem.start(0))
        np.testing.assert_allclose(found, entry.start_norm**2, rtol=1e-13)


@every_entry
def test_terms_equal_loops(entry):
    problem = problem_of(entry)
    for point in (problem.start(0), problem.start(3)):
        if entry.number == 7 and point[0] == 0:
            continue
        with jax.enable_x64(True):
            found = problem.residuals(jax.numpy.asarray(point), *problem.data)
        expected = sqrt(2) * by_loops(entry, point)
        assert found.shape == (entry.num_residuals,)
        scale = np.max(np.abs(expected))
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13 * scale)


@every_entry
def test_minimum_has_the_published_digits(entry):
    problem = problem_of(entry)
    reached = value_by_loops(entry, problem.minimizer)
    if entry.minimum == "0":
        assert problem.minimum == 0 and reached < 1e-25
    else:
        assert agrees(problem.minimum, entry.minimum) and agrees(reached, entry.minimum)


def test_a_wrong_minimizer_would_be_seen():
    entry = entry_of("bard")
    assert not agrees(value_by_loops(entry, problem_of(entry).minimizer * 1.001), entry.minimum)
    entry = entry_of("broyden_banded")
    assert value_by_loops(entry, problem_of(entry).minimizer * (1 + 1e-9)) > 1e-25


def cut(text):
    """Numbers with an ellipsis, such as 8.21487...e-3, as (digits, unit)."""
    found = re.findall(r"(-?\d+\.\d+)\.\.\.(e-?\d+)?", text)
    return [Decimal(mantissa + exponent) for mantissa, exponent in found]


@pytest.mark.parametrize(
    "name",
    ["bard", "brown_dennis", "gaussian_curve", "jennrich_sampson", "kowalik_osborne", "meyer"]
    + ["osborne_one", "powell_badly_scaled"],
)
def test_passport_cuts_off_the_digits_of_the_minimizer(name):
    problem, docstring = CATALOG[name](), " ".join(inspect.getdoc(CATALOG[name]).split())
    printed = cut(re.search(r"x\*(?: =|:) \(([^)]*)\)", docstring)[1])
    assert len(printed) >= 2
    for digits, found in zip(printed, problem.minimizer, strict=False):
        unit = float(Decimal(1).scaleb(digits.as_tuple().exponent))
        assert 0 <= (found - float(digits)) * np.sign(found) < unit


def test_freudenstein_roth_has_a_shallow_minimum():
    entry = entry_of("freudenstein_roth")
    trap, saddle = problem_of(entry).critical_points
    assert agrees(trap.value, "48.9842") and trap.kind == "local minimum"
    np.testing.assert_allclose(trap.point, [11.4127817857886, -0.89680510749204], rtol=1e-6)
    for point in (trap, saddle):
        np.testing.assert_allclose(value_by_loops(entry, point.point), point.value, rtol=1e-13)


def test_biggs_published_minimum_is_a_saddle_where_the_heights_agree():
    """Apart in rates, at equal heights, f falls; with heights of opposite sign it rises."""
    entry = entry_of("biggs_exp6")
    middle, beyond = problem_of(entry).critical_points
    assert agrees(middle.value, "5.65565e-3") and agrees(beyond.value, "5.65565e-3")
    apart = np.array([1.0, 0, 0, 0, -1.0, 0])
    ratio = beyond.point[[5, 2]] / beyond.point[2]
    weighted = np.array([ratio[0], 0, 0, 0, -ratio[1], 0])  # keeps the slope of the model in t
    for sign in (-0.01, 0.01):
        assert value_by_loops(entry, middle.point + sign * apart) < middle.value
        assert value_by_loops(entry, beyond.point + sign * weighted) > beyond.value
    slide = np.array([0, 0, 0.3, 0, 0, -0.3])
    np.testing.assert_allclose(
        value_by_loops(entry, middle.point + slide), middle.value, rtol=1e-12
    )


def test_traps_have_their_known_values():
    (saddle,) = CATALOG["wood"]().critical_points
    np.testing.assert_allclose(saddle.value, 7.87696716, rtol=1e-8)
    assert saddle.kind == "saddle"
    (trap,) = CATALOG["trigonometric"]().critical_points
    assert agrees(trap.value, "2.79506e-5") and trap.kind == "local minimum"
    problem = CATALOG["chebyquad"](dim=10)
    (trap,) = problem.critical_points
    assert agrees(trap.value, "6.50395e-3")
    cheaper = sum(np.square(chebyquad([None, *problem.minimizer], 10)))
    assert agrees(cheaper, "4.77271e-3") and agrees(problem.minimum, "4.77271e-3")


def test_brown_almost_linear_falls_from_the_point_listed_with_its_minima():
    for dim in (5, 10):
        entry = entry_of("brown_almost_linear")
        listed, way = np.append(np.zeros(dim - 1), dim + 1.0), np.append(np.ones(dim - 1), -dim)
        assert value_by_loops(entry, listed) == 1
        assert value_by_loops(entry, listed + 0.5 * way) < 1
    (a,) = (z.real for z in np.roots([10, -11, *[0] * 8, 1]) if abs(z - 0.9794) < 1e-3)
    np.testing.assert_allclose(a, 0.979430303349862, rtol=1e-12)
    assert value_by_loops(entry, [*[a] * 9, a**-9]) < 1e-25


def test_some_fall_towards_infinity():
    """The points are those where the MINPACK tests stop."""
    far = [0.840666673818329, -158848033.259565, -164378671.653535]
    assert agrees(value_by_loops(entry_of("bard"), far), "17.4286")
    far = [728675.473768287, -14.0758803129393, -32977797.7841797, -20571594.1977912]
    assert agrees(value_by_loops(entry_of("kowalik_osborne"), far), "1.02734e-3")


def test_some_have_several_minimizers():
    box, biggs, badly = (
        CATALOG[n]() for n in ("box_three_dimensional", "biggs_exp6", "powell_badly_scaled")
    )
    for point in ([10.0, 1.0, -1.0], [7.0, 7.0, 0.0]):
        assert value(box, point) < 1e-28
    assert value(biggs, [4.0, 10.0, 3.0, 5.0, 1.0, 1.0]) < 1e-28
    assert value(badly, badly.minimizer[::-1].copy()) < 1e-28
    decays = CATALOG["osborne_one"]()
    exchanged = decays.minimizer[[0, 2, 1, 4, 3]]
    np.testing.assert_allclose(value(decays, exchanged), decays.minimum, rtol=1e-12)


def test_helical_valley_has_the_angle_of_the_paper():
    entry, problem = entry_of("helical_valley"), CATALOG["helical_valley"]()
    for point in ([1.0, 2, 3], [-1.0, 2, 3], [-1.0, -2, 3], [1.0, -2, 3], [-0.1, 1e-9, 0]):
        np.testing.assert_allclose(value(problem, point), value_by_loops(entry, point), rtol=1e-13)
    above, below = value(problem, [-1.0, 1e-9, 0]), value(problem, [-1.0, -1e-9, 0])
    np.testing.assert_allclose(above, below, rtol=1e-7)
    before, behind = value(problem, [1e-9, -1.0, 0]), value(problem, [-1e-9, -1.0, 0])
    np.testing.assert_allclose((before, behind), (625, 5625), rtol=1e-6)


@pytest.mark.parametrize("dim", [2, 10, 40])
def test_both_discretizations_have_one_solution(dim):
    differences = CATALOG["discrete_boundary_value"](dim=dim).minimizer
    integral = CATALOG["discrete_integral_equation"](dim=dim).minimizer
    np.testing.assert_allclose(differences, integral, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["broyden_tridiagonal", "broyden_banded"])
def test_newton_solves_larger_systems(name):
    entry, problem = entry_of(name), CATALOG[name](dim=60)
    assert value_by_loops(entry, problem.minimizer) < 1e-27


def test_penalty_1_is_stationary_at_three_points():
    for dim in (2, 10):
        problem = CATALOG["penalty_1"](dim=dim)
        entry = entry_of("penalty_1")
        points = [(p.value, p.point) for p in problem.critical_points]
        for known, point in [(problem.minimum, problem.minimizer), *points]:
            np.testing.assert_allclose(value_by_loops(entry, point), known, rtol=1e-10)
            slope = 2e-5 * (point[0] - 1) + 4 * point[0] * (dim * point[0] ** 2 - 0.25)
            assert abs(slope) < 1e-16
        assert problem.critical_points[0].value > problem.minimum


LOCAL_MINIMA = {
    "kowalik_osborne": ["4.23674e-4"],
    "osborne_two": ["0.0875947", "0.124098"],
}


@pytest.mark.parametrize("name", LOCAL_MINIMA)
def test_local_minima_of_fits_have_their_values_and_no_slope(name):
    entry = entry_of(name)
    for trap, printed in zip(CATALOG[name]().critical_points, LOCAL_MINIMA[name], strict=True):
        assert trap.kind == "local minimum" and agrees(trap.value, printed)
        np.testing.assert_allclose(value_by_loops(entry, trap.point), trap.value, rtol=1e-12)
        steps = 1e-5 * np.diag(np.maximum(np.abs(trap.point), 1e-2))
        rises = [value_by_loops(entry, trap.point + s * h) for h in steps for s in (1, -1)]
        assert min(rises) > trap.value


def test_chebyshev_nodes_are_the_textbook_s():
    two, nine = CATALOG["chebyquad"](dim=2).minimizer, CATALOG["chebyquad"](dim=9).minimizer
    np.testing.assert_allclose(two, [0.5 - sqrt(1 / 12), 0.5 + sqrt(1 / 12)], rtol=1e-14)
    printed = [0.0442053461357828, 0.199490672309881, 0.23561910847106, 0.416046907892598, 0.5]
    np.testing.assert_allclose(nine[:5], printed, rtol=1e-10)
    for dim in (2, 3, 4, 5, 6):
        found = CATALOG["chebyquad"](dim=dim).minimizer
        assert np.max(np.abs(chebyquad([None, *found], dim))) < 1e-14


LINEAR = [e for e in TABLE if e.number in (32, 33, 34)]


@pytest.mark.parametrize("entry", LINEAR, ids=[e.terms.__name__ for e in LINEAR])
def test_linear_problems_have_the_constants_of_their_matrix(entry):
    offset = by_loops(entry, np.zeros(entry.dim))
    matrix = np.stack([by_loops(entry, e) - offset for e in np.eye(entry.dim)], axis=1)
    eigenvalues = np.linalg.eigvalsh(2 * matrix.T @ matrix)
    problem = problem_of(entry)
    constants = problem.constants
    np.testing.assert_allclose(eigenvalues[-1], constants.smoothness, rtol=1e-13)
    floor = 1e-13 * constants.smoothness
    np.testing.assert_allclose(eigenvalues[0], constants.strong_convexity, atol=floor)
    nearest = entry.start - np.linalg.pinv(matrix) @ by_loops(entry, entry.start)
    np.testing.assert_allclose(problem.minimizer, nearest, rtol=1e-11)


def test_variably_dimensioned_has_the_curvatures_of_its_passport():
    weights = np.arange(1.0, 11)
    eigenvalues = np.linalg.eigvalsh(2 * np.eye(10) + 2 * np.outer(weights, weights))
    np.testing.assert_allclose(eigenvalues[[0, -1]], [2, 2 * (1 + 10 * 11 * 21 / 6)], rtol=1e-13)


def lies_above_a_chord(entry, center, size=1e-4):
    """Whether f bends down at a point, along the direction in which differences say it does."""
    step = size * (1 + np.abs(center))
    moves = np.diag(step)

    def curvature(i, j):
        corners = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
        return sum(w * value_by_loops(entry, center + a * i + b * j) for a, b, w in corners)

    scaled = np.array([[curvature(i, j) for j in moves] for i in moves])
    way = 3 * step * np.linalg.eigh(scaled)[1][:, 0]
    ends = value_by_loops(entry, center + way), value_by_loops(entry, center - way)
    middle = value_by_loops(entry, center)
    return middle - sum(ends) / 2 > 1e-12 * (middle + sum(ends))


BENDING = {
    "watson": [-1, 2, 0, 0, 0, 0],  # p(t) = 2 t - 1, along a q with q' = 2 p q, for p' - p^2 > 1
    "discrete_boundary_value": [100, 10] * 5,  # so jagged that f_i < 0 under x_i + t_i + 1 > 0
}
NAMES = sorted({entry.terms.__name__ for entry in TABLE})
NONCONVEX = [name for name in NAMES if CATALOG[name]().constants.convex is False]


@pytest.mark.parametrize("name", NONCONVEX)
def test_nonconvex_problems_lie_above_a_chord(name):
    rng, entry = np.random.default_rng(5), entry_of(name)
    centers = [p.point for p in problem_of(entry).critical_points if p.kind != "local minimum"]
    centers += [np.multiply(entry.start, scale) + 1e-3 for scale in (0.9, 0.5, 0)]
    centers += [entry.start + s * rng.standard_normal(entry.dim) for s in (0.3, 1, 3, 10, 10)]
    if name in BENDING:
        centers.append(np.array(BENDING[name], float))
    assert any(lies_above_a_chord(entry, x, size) for size in (1e-4, 0.1) for x in centers)


def test_convex_problems_lie_above_no_chord():
    rng = np.random.default_rng(5)
    for name in ("powell_singular", "brown_dennis", "linear_full_rank"):
        entry = entry_of(name)
        centers = entry.start + 3 * rng.standard_normal((5, entry.dim))
        assert not any(lies_above_a_chord(entry, center) for center in centers)


BAD = [
    ("jennrich_sampson", {"num_residuals": 1}),
    ("gulf", {"num_residuals": 2}),
    ("gulf", {"num_residuals": 100}),
    ("box_three_dimensional", {"num_residuals": 2}),
    ("brown_dennis", {"num_residuals": 3}),
    ("biggs_exp6", {"num_residuals": 5}),
    ("watson", {"dim": 1}),
    ("watson", {"dim": 32}),
    ("extended_rosenbrock", {"dim": 3}),
    ("extended_rosenbrock", {"dim": 0}),
    ("extended_powell_singular", {"dim": 6}),
    ("penalty_1", {"dim": 1}),
    ("penalty_2", {"dim": 1}),
    ("variably_dimensioned", {"dim": 1}),
    ("trigonometric", {"dim": 1}),
    ("brown_almost_linear", {"dim": 1}),
    ("discrete_boundary_value", {"dim": 1}),
    ("discrete_integral_equation", {"dim": 1}),
    ("broyden_tridiagonal", {"dim": 1}),
    ("broyden_banded", {"dim": 1}),
    ("linear_full_rank", {"dim": 0}),
    ("linear_full_rank", {"dim": 5, "num_residuals": 4}),
    ("linear_rank_one", {"dim": 1}),
    ("linear_rank_one", {"dim": 5, "num_residuals": 4}),
    ("linear_rank_one_with_zeros", {"dim": 2}),
    ("linear_rank_one_with_zeros", {"dim": 5, "num_residuals": 4}),
    ("chebyquad", {"dim": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), BAD)
def test_factories_refuse_bad_arguments(name, arguments):
    with pytest.raises(OptbenchError) as raised:
        CATALOG[name](**arguments)
    assert raised.value.hint


# Newton's method in NumPy.


def cubic_terms(x):
    return np.array([x[0] ** 2 - x[1], np.exp(x[1]) - 3.0])


def test_complex_steps_give_the_jacobian_to_rounding():
    found = jacobian(cubic_terms, np.array([0.7, 1.1]))
    np.testing.assert_allclose(found, [[1.4, -1], [0, exp(1.1)]], rtol=1e-15)


def test_newton_finds_roots_and_critical_points():
    found = newton_point(cubic_terms, lambda x: jacobian(cubic_terms, x), np.array([1.0, 1.0]))
    np.testing.assert_allclose(found, [sqrt(log(3)), log(3)], rtol=1e-15)
    trap = critical_point("local minimum", shallow_terms, np.array([11.4, -0.9]))
    np.testing.assert_allclose(trap.point[1], (2 - sqrt(22)) / 3, rtol=1e-14)
    assert agrees(trap.value, "48.9842")


def shallow_terms(x):
    return np.array(freudenstein_roth([None, *x], 2))
