"""NIST's data sets reproduce their certified solutions, by models written a second time."""

from __future__ import annotations

import collections
import inspect

import jax
import mpmath
import numpy as np
import pytest
import scipy.optimize

from optbench.catalog import collect
from optbench.errors import OptbenchError
from problems.nist.tables import data_set, lines_of, local_minima, read_set

CATALOG = collect("problems.nist", "Problem")
ROWS = {row[0]: row for row in lines_of("sets.txt")}
SIZES = {  # observations and parameters, as NIST states them
    "Misra1a": (14, 2),
    "Chwirut2": (54, 3),
    "Chwirut1": (214, 3),
    "Lanczos3": (24, 6),
    "Gauss1": (250, 8),
    "Gauss2": (250, 8),
    "DanWood": (6, 2),
    "Misra1b": (14, 2),
    "Kirby2": (151, 5),
    "Hahn1": (236, 7),
    "Nelson": (128, 3),
    "MGH17": (33, 5),
    "Lanczos1": (24, 6),
    "Lanczos2": (24, 6),
    "Gauss3": (250, 8),
    "Misra1c": (14, 2),
    "Misra1d": (14, 2),
    "Roszman1": (25, 4),
    "ENSO": (168, 9),
    "MGH09": (11, 4),
    "Thurber": (37, 7),
    "BoxBOD": (6, 2),
    "Rat42": (9, 3),
    "MGH10": (16, 3),
    "Eckerle4": (35, 3),
    "Rat43": (15, 4),
    "Bennett5": (154, 3),
}
WITH_MINIMA = tuple(dict.fromkeys(line[0] for line in lines_of("local_minima.txt")))
DIGITS = 1e-10  # relative: 11 printed digits err by up to half of this
REFINEMENTS = 30  # steps of Gauss and Newton, which converge linearly where residuals are large
exp = np.exp


def waves(b, x):
    angles = [2 * np.pi * x / period for period in (12, b[3], b[6])]
    amplitudes = [b[1:3], b[4:6], b[7:9]]
    pairs = zip(amplitudes, angles, strict=True)
    return b[0] + sum(p * np.cos(angle) + q * np.sin(angle) for (p, q), angle in pairs)


def cubics(b, x):
    return np.polyval(b[3::-1], x) / np.polyval([b[6], b[5], b[4], 1], x)


def peaks(b, x):
    first, second = (x - b[3]) ** 2 / b[4] ** 2, (x - b[6]) ** 2 / b[7] ** 2
    return b[0] * exp(-b[1] * x) + b[2] * exp(-first) + b[5] * exp(-second)


def decays(b, x):
    return exp(-np.outer(x, b[1::2])) @ b[::2]


MODELS = {  # as NIST prints them
    "Misra1a": lambda b, x: b[0] * (1 - exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** (-2)),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** (-0.5)),
    "Misra1d": lambda b, x: b[0] * b[1] * x * ((1 + b[1] * x) ** (-1)),
    "Chwirut1": lambda b, x: exp(-b[0] * x) / (b[1] + b[2] * x),
    "Chwirut2": lambda b, x: exp(-b[0] * x) / (b[1] + b[2] * x),
    "Lanczos1": decays,
    "Lanczos2": decays,
    "Lanczos3": decays,
    "Gauss1": peaks,
    "Gauss2": peaks,
    "Gauss3": peaks,
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "Kirby2": lambda b, x: (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2),
    "Hahn1": cubics,
    "Thurber": cubics,
    "Nelson": lambda b, x: b[0] - b[1] * x[:, 0] * exp(-b[2] * x[:, 1]),
    "MGH17": lambda b, x: b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4]),
    "Roszman1": lambda b, x: b[0] - b[1] * x - np.arctan(b[2] / (x - b[3])) / np.pi,
    "ENSO": waves,
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "BoxBOD": lambda b, x: b[0] * (1 - exp(-b[1] * x)),
    "Rat42": lambda b, x: b[0] / (1 + exp(b[1] - b[2] * x)),
    "MGH10": lambda b, x: b[0] * exp(b[1] / (x + b[2])),
    "Eckerle4": lambda b, x: (b[0] / b[1]) * exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Rat43": lambda b, x: b[0] / ((1 + exp(b[1] - b[2] * x)) ** (1 / b[3])),
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
}
every_set = pytest.mark.parametrize("name", SIZES)


def factory(name):
    return CATALOG[f"nist_{name.lower()}"]


def jacobian(model, b, x):
    """[n, d] by complex steps: no subtraction, and so no cancellation."""
    steps = 1e-30j * np.diag(np.where(b == 0, 1.0, np.abs(b)))
    return np.stack([model(b + h, x).imag / np.sum(h).imag for h in steps], axis=1)


def solve(model, observed, x, start):
    """The parameters, residual sum and standard deviations of the parameters near a start."""
    with np.errstate(all="ignore"):
        found = scipy.optimize.least_squares(
            lambda b: np.nan_to_num(model(b, x) - observed, nan=1e10, posinf=1e10, neginf=-1e10),
            start,
            lambda b: np.nan_to_num(jacobian(model, b, x)),
            method="lm",
            x_scale="jac",
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            max_nfev=1000,
        )
    b = found.x
    for _ in range(REFINEMENTS):
        slopes = jacobian(model, b, x)
        scales = np.linalg.norm(slopes, axis=0)
        b = b + np.linalg.lstsq(slopes / scales, observed - model(b, x))[0] / scales
    total = float(np.sum((observed - model(b, x)) ** 2))
    spread = np.linalg.inv(np.linalg.qr(jacobian(model, b, x) / scales).R) / scales[:, None]
    variance = total / (len(observed) - len(b))
    return b, total, np.sqrt(variance * np.sum(spread**2, axis=1))


def disagreement(name, data):
    """The largest relative difference between a solution found and the certified one."""
    b, total, _ = solve(MODELS[name], data.observed, data.predictors, data.starts[1])
    errors = np.abs(b / data.certified - 1)
    return max(*errors, abs(total / data.residual_sum - 1))


def test_all_levels_of_difficulty_are_there():
    counts = collections.Counter(data_set(name).level for name in SIZES)
    assert counts == {"lower": 8, "average": 11, "higher": 8}
    assert set(CATALOG) == {f"nist_{name.lower()}" for name in SIZES} and set(ROWS) == set(SIZES)


@every_set
def test_sizes_are_those_that_nist_states(name):
    data, (num, dim) = data_set(name), SIZES[name]
    assert data.observed.shape == (num,) and len(data.predictors) == num
    assert data.certified.shape == data.deviations.shape == (dim,)
    assert data.starts.shape == (2, dim)
    assert ROWS[name][3:5] == (str(num), str(dim))
    assert data.residual_deviation == pytest.approx(
        np.sqrt(data.residual_sum / (num - dim)), rel=1e-10
    )


@every_set
def test_solution_from_start_2_is_the_certified_one(name):
    data = data_set(name)
    b, total, deviations = solve(MODELS[name], data.observed, data.predictors, data.starts[1])
    np.testing.assert_allclose(b, data.certified, rtol=DIGITS)
    if name != "Lanczos1":  # its residuals are rounding in float64; see below
        assert total == pytest.approx(data.residual_sum, rel=DIGITS)
        np.testing.assert_allclose(deviations, data.deviations, rtol=DIGITS)


def lanczos1_in_40_digits(rows):
    """Parameters and residual sum, from the decimal digits of the observations."""
    with mpmath.workdps(40):
        y, x = (list(map(mpmath.mpf, column)) for column in zip(*rows, strict=True))
        b = mpmath.matrix(data_set("Lanczos1").certified.tolist())
        for _ in range(4):
            terms = [[mpmath.exp(-b[k] * t) for k in (1, 3, 5)] for t in x]
            fitted = [mpmath.fsum(b[2 * k] * e for k, e in enumerate(row)) for row in terms]
            slopes = mpmath.matrix(
                [
                    [value for k, e in enumerate(row) for value in (e, -b[2 * k] * t * e)]
                    for row, t in zip(terms, x, strict=True)
                ]
            )
            errors = mpmath.matrix(y) - mpmath.matrix(fitted)
            b += mpmath.lu_solve(slopes, errors)
        return np.array([float(value) for value in b]), float(mpmath.norm(errors) ** 2)


def test_residual_sum_of_lanczos1_takes_more_than_float64():
    data, rows = data_set("Lanczos1"), lines_of("tables/Lanczos1.txt")
    b, total = lanczos1_in_40_digits(rows)
    np.testing.assert_allclose(b, data.certified, rtol=DIGITS)
    assert total == pytest.approx(data.residual_sum, rel=DIGITS, abs=0)
    for index in (0, 11, 23):
        total = lanczos1_in_40_digits(corrupted(rows, index, 0))[1]
        assert abs(total / data.residual_sum - 1) > DIGITS


def corrupted(rows, index, column):
    """The rows with another last digit in one entry."""
    digits, mark, exponent = rows[index][column].partition("E")
    head, last = digits[:-1], digits[-1]
    if last == ".":
        head, last = head[:-1], head[-1]
    wrong = head + str((int(last) + 1) % 10) + digits[len(head) + 1 :] + mark + exponent
    row = (*rows[index][:column], wrong, *rows[index][column + 1 :])
    return (*rows[:index], row, *rows[index + 1 :])


@pytest.mark.parametrize("name", ["Misra1a", "BoxBOD", "MGH10", "Rat43"])
def test_a_wrong_last_digit_of_any_entry_is_noticed(name):
    rows = lines_of(f"tables/{name}.txt")
    assert disagreement(name, read_set(name, rows)) <= DIGITS
    for index in range(len(rows)):
        for column in (0, 1):
            assert disagreement(name, read_set(name, corrupted(rows, index, column))) > DIGITS


@every_set
def test_a_wrong_last_digit_in_the_middle_is_noticed(name):
    if name == "Lanczos1":  # see above
        return
    rows = lines_of(f"tables/{name}.txt")
    for column in range(len(rows[0])):
        wrong = corrupted(rows, len(rows) // 2, column)
        assert disagreement(name, read_set(name, wrong)) > DIGITS


def test_wavelengths_that_the_solution_cannot_tell_are_on_a_grid():
    steps = np.diff(data_set("Eckerle4").predictors)
    assert set(steps[:7]) == {5.0} and set(steps[7:-7]) == {1.5} and set(steps[-7:]) == {5.0}


@every_set
def test_objective_is_the_residual_sum_over_2_n(name):
    data, model = data_set(name), MODELS[name]
    for start in (1, 2):
        problem = factory(name)(start=start)
        with jax.enable_x64(True):
            value = float(problem.objective(data.starts[start - 1], *problem.data))
        errors = data.observed - model(data.starts[start - 1], data.predictors)
        assert value == pytest.approx(np.sum(errors**2) / (2 * len(errors)), rel=1e-11)
        np.testing.assert_array_equal(problem.start(0), data.starts[start - 1])


@every_set
def test_minimum_is_the_certified_one(name):
    data, problem = data_set(name), factory(name)()
    total = 2 * len(data.observed) * problem.known_minimum
    rounded = {"Lanczos1": 2e-3, "Lanczos2": 1e-9}.get(name)  # observations, to float64
    assert total == pytest.approx(data.residual_sum, rel=rounded or DIGITS, abs=0)
    assert problem.minimum_kind == "published" or rounded
    minimizer = problem.minimizer
    if name.startswith("Lanczos"):  # the terms in the order of their rates
        minimizer = np.array(sorted(minimizer.reshape(3, 2), key=lambda term: term[1])).ravel()
    np.testing.assert_allclose(minimizer, data.certified, rtol=DIGITS)


@every_set
def test_docstring_states_size_starts_and_minimum(name):
    text = " ".join(inspect.getdoc(factory(name)).split())
    data, (num, dim) = data_set(name), SIZES[name]
    far, near = (f"({', '.join(f'{x:.12g}' for x in start)})" for start in data.starts)
    assert f"n = {num} observations" in text and f"Dimension: {dim}." in text
    assert f"Start: {far}, or near x*: {near};" in text
    assert f"x*: ({', '.join(f'{x:.6g}' for x in data.certified)})" in text
    assert f"f*: {ROWS[name][5]} / {2 * num}," in text
    sums = (f"{2 * num * point.value:.6g}" for point in local_minima(name))
    assert all(total in text for total in sums)


@every_set
def test_mean_squares_are_not_convex(name):
    data, rng = data_set(name), np.random.default_rng(1)
    lines = rng.standard_normal((20, 1, data.certified.size))
    shares = np.linspace(-5, 5, 41)[:, None]
    points = data.certified * (1 + shares * lines)  # [lines, points on each, d]
    with np.errstate(all="ignore"):
        values = np.array(
            [
                [np.mean((data.observed - MODELS[name](b, data.predictors)) ** 2) for b in line]
                for line in points
            ]
        )
        rises = values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]
        sizes = values[:, 2:] + 2 * values[:, 1:-1] + values[:, :-2]
    assert np.any(rises < -1e-6 * sizes)
    assert factory(name)().constants.convex is False


@pytest.mark.parametrize("name", WITH_MINIMA)
def test_residuals_at_local_minima_are_normal_to_the_model(name):
    data = data_set(name)
    for trap in factory(name)().critical_points:
        errors = data.observed - MODELS[name](trap.point, data.predictors)
        slopes = jacobian(MODELS[name], trap.point, data.predictors)
        cosines = errors @ slopes / np.linalg.norm(errors) / np.linalg.norm(slopes, axis=0)
        np.testing.assert_allclose(cosines, 0, atol=1e-12)
        assert np.mean(errors**2) / 2 == pytest.approx(trap.value, rel=1e-13)
        assert np.sum(errors**2) > 1.05 * data.residual_sum


@pytest.mark.parametrize("name", ["Hahn1", "Thurber"])
def test_local_minima_of_cubic_ratios_have_a_pole_between_observations(name):
    x = np.sort(data_set(name).predictors)
    for trap in local_minima(name):
        poles = np.roots([*trap.point[:3:-1], 1])
        real = poles[np.abs(poles.imag) < 1e-12].real
        assert np.any((x[0] < real) & (real < x[-1]))


def test_boxbod_is_flat_where_growth_is_instant():
    data, problem = data_set("BoxBOD"), factory("BoxBOD")()
    flat = np.array([np.mean(data.observed), 1e3])
    with jax.enable_x64(True):
        value, grad = jax.value_and_grad(problem.objective)(flat, *problem.data)
    assert flat[0] == 172.5 and float(value) == pytest.approx(9771.5 / 12, rel=1e-14)
    np.testing.assert_allclose(grad, 0, atol=1e-13)


def test_mgh09_falls_to_the_value_that_nist_states_at_infinity():
    data = data_set("MGH09")
    b, total, _ = solve(
        lambda b, x: (x**2 + b[0] * x) / (b[1] * x + b[2]),  # b1 beyond all bounds
        data.observed,
        data.predictors,
        np.array([-14.0, -45.0, -28.0]),
    )
    assert b[0] == pytest.approx(-14.07, abs=0.01)
    assert total == pytest.approx(0.00102734, abs=5e-9)


def test_other_seeds_move_every_coordinate_by_a_share_of_itself():
    rule = factory("MGH10")().start
    moves = np.stack([rule(seed) for seed in range(1, 401)]) / rule(0) - 1
    np.testing.assert_allclose(np.std(moves, axis=0), 0.1, rtol=0.2)
    np.testing.assert_array_equal(rule(7), rule(7))


def test_instances_of_a_model_share_their_functions():
    first, second = factory("Hahn1")(), factory("Thurber")(start=2)
    assert first.objective == second.objective and hash(first.outputs) == hash(second.outputs)


def test_minibatches_leave_the_passport():
    problem = factory("ENSO")(batch_size=8)
    assert problem.stochastic and problem.sample_fraction == 8 / 168
    assert problem.minimum == factory("ENSO")().minimum


@pytest.mark.parametrize("arguments", [{"start": 0}, {"start": 3}, {"batch_size": 15}])
def test_bad_arguments_say_what_to_give(arguments):
    with pytest.raises(OptbenchError, match=r"start is|batch_size is"):
        factory("Misra1a")(**arguments)


def test_tables_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        data_set("Misra1a").observed[0] = 0.0
