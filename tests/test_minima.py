"""The table of minima, and the script that fills it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optbench.catalog import collect
from optbench.errors import OptbenchError
from optbench.labels import find_problem
from optbench.problem import Constants, Problem
from optbench.start import start_near
from problems import minima
from problems.minima import ABSENT, Row, known_minimum, label_of, read_rows, table

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from certify.arithmetic import Unsupported
from certify.descents import smallest_eigenvalue, stationary_points
from certify.multiprecision import evaluate
from certify.polish import polish
from certify.published import FILE, Published, agrees, read_published
from certify.rows import (
    complaints,
    complaints_in_mpmath,
    merged,
    probe_of,
    row_of,
    table_text,
    write_table,
)
from certify.survey import asked, certify

CATALOG = collect("problems", "Problem")
ROWS = table()
STORED = [label for label, row in ROWS.items() if row.minimizer]
POLISHED = [label for label in STORED if "mpmath" in ROWS[label].method]


def changed(text: str, place: int) -> str:
    """The number with another digit at a place, counted from the first that is not zero."""
    mantissa = text.partition("e")[0]
    digits = [i for i, c in enumerate(mantissa) if c.isdigit()]
    first = next(k for k, i in enumerate(digits) if text[i] != "0")
    at = digits[first + place - 1]
    return text[:at] + str((int(text[at]) + 5) % 10) + text[at + 1 :]


# A problem whose minimum is known otherwise: x + exp(x) vanishes at minus the omega constant


def omega_objective(params, weights):
    return jnp.sum(weights * (params**2 / 2 + jnp.exp(params)))


def omega(**constants: float) -> Problem:
    return Problem(
        objective=omega_objective,
        data=(np.array([1.0, 2.0]),),
        start=start_near(np.array([1.0, -2.0]), 0.5),
        constants=Constants(**constants),
        name="omega",
    )


def omega_minimum() -> tuple[mpmath.mpf, mpmath.mpf]:
    x = -mpmath.lambertw(1).real
    return x, 3 * (x**2 / 2 + mpmath.exp(x))


@pytest.fixture(scope="module")
def omega_row() -> Row:
    row = certify("omega", omega(), None).row
    assert row is not None
    return row


# The table


def test_label_of_writes_the_grammar_of_the_catalog():
    assert label_of("bard") == "bard"
    assert label_of("f", dim=8, chained=True) == "f[dim=8,chained=True]"


def test_a_label_without_row_is_unknown():
    assert known_minimum("no_such_problem") == {}


def test_a_row_gives_the_arguments_of_a_problem(monkeypatch, omega_row):
    monkeypatch.setattr(minima, "table", lambda: {"omega": omega_row})
    found = known_minimum("omega")
    assert found.keys() == {"minimum", "minimizer", "minimum_kind"}
    with mpmath.workdps(40):
        x, value = omega_minimum()
        assert found["minimum"] == float(value)
        np.testing.assert_array_equal(found["minimizer"], [float(x)] * 2)
    monkeypatch.setattr(
        minima, "table", lambda: {"omega": dataclasses.replace(omega_row, minimizer=())}
    )
    assert known_minimum("omega").keys() == {"minimum", "minimum_kind"}


def test_malformed_tables_are_refused():
    with pytest.raises(OptbenchError, match="3 columns in the line of 'f'"):
        read_rows("f  published  1.0\n")
    with pytest.raises(OptbenchError, match="two minima of 'f'"):
        read_rows("f  a  b  c  d  e  g  h  -\n" * 2)


CELL = st.from_regex(r"[!-~]+( [!-~]+)?", fullmatch=True)
LABEL = st.from_regex(r"[a-z]\w*(\[n=\d\])?", fullmatch=True)
NUMBERS = st.lists(st.floats(allow_nan=False).map(repr), max_size=4).map(tuple)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(LABEL, st.tuples(CELL, CELL, CELL, CELL, CELL, CELL, CELL, NUMBERS)))
def test_a_written_table_reads_back(cells):
    rows = {label: Row(label, *given) for label, given in cells.items()}
    assert read_rows(table_text(rows.values())) == rows


def test_the_table_is_replaced_in_one_step(monkeypatch, tmp_path, omega_row):
    monkeypatch.setattr("certify.rows.TABLE", tmp_path / "minima.txt")
    write_table([omega_row])
    assert [path.name for path in tmp_path.iterdir()] == ["minima.txt"]
    assert read_rows((tmp_path / "minima.txt").read_text()) == {"omega": omega_row}


def test_the_table_is_as_the_script_writes_it():
    assert minima.TABLE.read_text() == table_text(ROWS.values())


def test_every_row_is_one_that_its_problem_asks_for():
    for label, row in ROWS.items():
        problem, names = asked(label, CATALOG)
        assert names == (label,)
        assert row.kind in ("published", "certified", "best known")
        assert not row.minimizer or len(row.minimizer) == problem.dim
        assert np.isfinite([float(x) for x in (row.value, row.grad_norm, *row.minimizer)]).all()


def test_published_values_stand_in_the_table_and_agree():
    published = read_published(FILE.read_text())
    for label, row in ROWS.items():
        printed = published[label].printed if label in published else ABSENT
        assert row.published == printed
        assert (row.kind == "published") <= (printed != ABSENT and agrees(row.value, printed))
    assert published.keys() <= ROWS.keys()


@pytest.mark.parametrize("label", STORED[::5])
def test_rows_hold_in_float64(label):
    row, problem = ROWS[label], find_problem(label, CATALOG)
    assert complaints(row, problem) == []
    assert complaints(dataclasses.replace(row, value=changed(row.value, 2)), problem)


@pytest.mark.parametrize("label", POLISHED[:3])
def test_rows_hold_in_multiprecision(label):
    assert complaints_in_mpmath(ROWS[label], find_problem(label, CATALOG)) == []


# Checks reject planted defects


def test_wrong_digits_of_a_row_are_seen(omega_row):
    assert complaints(omega_row, omega()) == []
    value = dataclasses.replace(omega_row, value=changed(omega_row.value, 10))
    assert "f is" in complaints(value, omega())[0]
    x, y = omega_row.minimizer
    point = dataclasses.replace(omega_row, minimizer=(x, changed(y, 10)))
    assert "the gradient is" in complaints(point, omega())[0]


def test_wrong_last_digits_of_a_row_are_seen_in_multiprecision(omega_row):
    assert complaints_in_mpmath(omega_row, omega()) == []
    value = dataclasses.replace(omega_row, value=changed(omega_row.value, 28))
    assert complaints(value, omega()) == []
    assert "f* is" in complaints_in_mpmath(value, omega())[0]
    x, y = omega_row.minimizer
    point = dataclasses.replace(omega_row, minimizer=(x, changed(y, 16)))
    assert "the coordinate" in complaints_in_mpmath(point, omega())[0]


def test_a_maximum_is_no_row(omega_row):
    upside_down = dataclasses.replace(omega(), data=(np.array([-1.0, -2.0]),))
    row = dataclasses.replace(omega_row, value=f"-{omega_row.value}")
    assert ["eigenvalue" in complaint for complaint in complaints(row, upside_down)] == [True]


def test_a_row_is_published_only_with_a_published_value(omega_row):
    claimed = dataclasses.replace(omega_row, kind="published")
    assert complaints(claimed, omega()) == ["of kind published without a published value"]
    assert complaints(dataclasses.replace(claimed, published="2.19"), omega())[0].endswith(
        "is not the published 2.19"
    )


@pytest.mark.parametrize(
    ("value", "printed", "expected"),
    [
        ("0.00821487730657899", "8.21487...e-3", True),
        ("0.00821487730657899", "8.21488e-3", True),
        ("0.00821487730657899", "8.21488...e-3", False),
        ("0.00821487730657899", "8.21489e-3", False),
        ("0.00821487730657899", "8.21487e-3", True),  # cut off without saying so
        ("0.00821487730657899", "8.21486e-3", False),
        ("-1.03162845348987744", "-1.0316", True),
        ("-1.03162845348987744", "1.0316", False),
        ("48.9842536792400", "48.9842...", True),
        ("48.9842536792400", "48.9843...", False),
        ("124.362182355614", "124.362", True),
        ("0.0044482638908716117", "1.2455138894E-01/28", True),
        ("0.0044482638908716117", "1.2455138895E-01/28", False),
    ],
)
def test_printed_digits(value, printed, expected):
    assert agrees(value, printed) == expected


# Solving


def test_the_minimum_is_found_to_thirty_digits(omega_row):
    with mpmath.workdps(50):
        x, value = omega_minimum()
        assert mpmath.almosteq(mpmath.mpf(omega_row.value), value, rel_eps=1e-29)
        polished = polish(probe_of(omega()), np.array([-0.5, -0.6]))
        assert max(abs(polished.point - x)) < mpmath.mpf(10) ** -40
    assert omega_row.kind == "best known" and "mpmath30" in omega_row.method
    np.testing.assert_allclose(float(omega_row.curvature), 1 + np.exp(float(x)), rtol=1e-3)


def test_kinds_follow_from_what_is_known(omega_row):
    with mpmath.workdps(40):
        digits = mpmath.nstr(omega_minimum()[1], 6)
    published = certify("omega", omega(), Published(digits, "a paper"))
    assert published.row is not None and published.row.kind == "published"
    wrong = certify("omega", omega(), Published(changed(digits, 6), "a paper"))
    assert wrong.row is not None and wrong.row.kind == "best known"
    assert wrong.notes[0] == f"published is {changed(digits, 6)}, found {omega_row.value}"
    strongly = omega(strong_convexity=1.0, convex=True)
    best = stationary_points(probe_of(strongly))[0]
    assert row_of("omega", strongly, best, None, ABSENT).kind == "certified"
    vague = dataclasses.replace(best, grad_norm=1e-3)
    assert row_of("omega", strongly, vague, None, ABSENT).kind == "best known"


def double_well(params):
    return jnp.sum((params**2 - 1) ** 2 + params / 10)


def falling(params):
    return jnp.sum(jnp.exp(-params))


def on_the_line(objective) -> Problem:
    return Problem(objective=objective, start=start_near(np.array([2.0]), 1.0), name="line")


def test_local_minima_are_reported():
    outcome = certify("line", on_the_line(double_well), None)
    low, high = (mpmath.findroot(lambda x: 4 * x**3 - 4 * x + 0.1, guess) for guess in (-1, 1))
    assert outcome.row is not None
    np.testing.assert_allclose(float(outcome.row.minimizer[0]), float(low), rtol=1e-14)
    (note,) = outcome.notes
    assert note.startswith("local minimum ") and f"at ({float(high):.12g}"[:-1] in note


def test_what_is_not_attained_is_no_row():
    assert certify("line", on_the_line(falling), None).row is None


def test_a_higher_value_is_not_written(omega_row):
    higher = dataclasses.replace(omega_row, value=f"{float(omega_row.value) + 1e-9!r}")
    kept, reason = merged(higher, omega_row, omega())
    assert kept == omega_row and "is higher" in reason
    assert merged(omega_row, None, omega()) == (omega_row, "")
    assert merged(omega_row, omega_row, omega()) == (omega_row, "")


def test_a_polished_row_stays_where_the_new_one_is_not(omega_row):
    value = repr(float(omega_row.value))
    rough = dataclasses.replace(omega_row, value=value, method="bfgs+newton")
    assert merged(rough, omega_row, omega()) == (omega_row, "not polished now")


def test_a_row_of_a_problem_that_has_changed_is_replaced(omega_row):
    scaled = dataclasses.replace(omega(), data=(np.array([2.0, 4.0]),))
    row = certify("omega", scaled, None).row
    assert row is not None and float(row.value) > float(omega_row.value)
    kept, reason = merged(row, omega_row, scaled)
    assert kept == row and reason.startswith("replaces")


def test_the_smallest_eigenvalue_survives_badly_scaled_coordinates():
    scales = np.diag([1e8, 1.0, 1e-6])
    hessian = scales @ np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]]) @ scales
    with mpmath.workdps(60):
        expected = float(min(mpmath.eigsy(mpmath.matrix(hessian.tolist()), eigvals_only=True)))
    np.testing.assert_allclose(smallest_eigenvalue(hessian), expected, rtol=1e-12)
    assert smallest_eigenvalue(np.diag([1.0, -2.0])) == -2.0


# Programs in multiprecision


def traced(function, *arguments):
    """The outputs of a function in multiprecision, and in float64."""
    with jax.enable_x64(True):
        program = jax.make_jaxpr(function)(*arguments)
        expected = [np.asarray(out) for out in jax.tree.leaves(jax.jit(function)(*arguments))]
        return evaluate(program, *arguments), expected


def test_the_gradient_of_rosenbrock_at_a_rational_point():
    gradient = jax.grad(find_problem("rosenbrock", CATALOG).objective)
    with jax.enable_x64(True), mpmath.workdps(50):
        x, y = mpmath.mpf(1) / 3, mpmath.mpf(2) / 7
        (found,) = evaluate(jax.make_jaxpr(gradient)(np.zeros(2)), np.array([x, y], object))
        expected = [-400 * x * (y - x**2) - 2 * (1 - x), 200 * (y - x**2)]
        assert max(abs(found - expected)) < mpmath.mpf(10) ** -47


def medley(x, matrix, labels):
    """Most of what objectives are made of."""
    rows = matrix @ x + jax.nn.relu(x) * jnp.sum(x)
    picked = x[labels].sum() + jax.nn.one_hot(labels, 3).sum(axis=0) @ x
    smooth = jax.nn.logsumexp(rows) + jax.nn.softplus(x).sum() + jax.nn.sigmoid(x).prod()
    powers = jnp.sum(jnp.abs(x) ** 1.5) + 2.0 ** x[1] + jnp.sum(rows**3) + 1 / x[0]
    waves = jnp.sin(x[::-1])[1:].sum() + jnp.cos(x[:2]) @ jnp.tanh(x[1:]) + jnp.arctan2(x[0], x[1])
    tangled = jnp.einsum("i,j,ij->", x, x, matrix) + jnp.cumsum(x)[1] + jnp.max(rows)
    chosen = jnp.where(x > 0, jnp.log(jnp.abs(x)), 2.0 * x).sum() + jnp.linalg.norm(x)
    special = jnp.sqrt(jnp.var(x)) + jnp.expm1(x[0])
    return picked + smooth + powers + waves + tangled + chosen + special


def test_a_medley_of_operations_equals_float64():
    rng = np.random.default_rng(0)
    arguments = rng.standard_normal(3), rng.standard_normal((3, 3)), np.array([2, 0, 2])
    with mpmath.workdps(50):
        found, expected = traced(jax.value_and_grad(medley), *arguments)
    for exact, rounded in zip(found, expected, strict=True):
        np.testing.assert_allclose(exact.astype(float), rounded, rtol=1e-13)


def test_operations_keep_all_digits():
    def program(x):
        smooth = jnp.log1p(x) + jnp.tanh(x) * jnp.exp(-x)
        return smooth + jax.scipy.special.erf(x) + x**7 / jnp.sqrt(x)

    with mpmath.workdps(50):
        (found,), _ = traced(program, np.float64(0.3))
        x = mpmath.mpf(0.3)
        expected = mpmath.erf(x) + mpmath.log(1 + x) + mpmath.tanh(x) / mpmath.exp(x) + x**6.5
        assert abs(found.item() - expected) < mpmath.mpf(10) ** -48


def beyond_its_end(x):
    return jnp.asarray(x).at[5].get(mode="fill", fill_value=0.0)


@pytest.mark.parametrize(
    ("program", "argument", "message"),
    [
        (jnp.sort, np.ones(3), "no rule for sort"),
        (lambda x: x.astype(jnp.float32) * 2, np.ones(3), "rounding to float32"),
        (jnp.abs, np.ones(3, complex), "numbers of type complex128"),
        (beyond_its_end, np.ones(3), "reads beyond"),
    ],
)
def test_what_has_no_rule_is_refused(program, argument, message):
    with pytest.raises(Unsupported, match=message):
        traced(program, argument)
