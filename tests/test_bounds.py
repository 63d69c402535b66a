"""Every theorem holds, is attained where it is tight, and would not hold if it were wrong."""

from __future__ import annotations

import dataclasses
import functools
import json
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.assumption import EXACT_GRADIENTS, SMOOTH
from optbench.bound import Theorem
from optbench.bounds import instances
from optbench.bounds.descent.convex import gd_convex_tight
from optbench.bounds.descent.strongly_convex import gd_sc_fgap
from optbench.bounds.momentum.heavy_ball import hb_quad_exact
from optbench.case import Instance
from optbench.catalog import collect
from optbench.checks import Comparison, Verdict, check_bound, check_problem
from optbench.errors import OptbenchError
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.problem import Constants, Problem
from optbench.quantity import DISTANCE
from optbench.start import start_near
from optbench.symbol import distances
from problems.classification.likelihoods import logistic_breast_cancer

# The theorems of the engine's tests; test_theorems.py holds the whole catalog to its laws.
THEOREMS = {f.__name__: f for f in (gd_convex_tight, gd_sc_fgap, hb_quad_exact)}
TIGHT = [name for name, function in THEOREMS.items() if function().attained_at]


@functools.cache
def report(name: str):
    return check_bound(THEOREMS[name]())


def changed(name: str, **fields):
    """The report on a theorem with other fields."""
    return check_bound(dataclasses.replace(THEOREMS[name](), **fields))


# Laws, on a few


def test_the_catalog_holds_the_theorems():
    assert set(THEOREMS) <= set(collect("optbench.bounds", "Theorem"))


@pytest.mark.parametrize("name", THEOREMS)
def test_a_theorem_is_named_as_its_function_and_cites_its_source(name: str):
    theorem = THEOREMS[name]()
    assert theorem.name == name
    assert theorem.statement.endswith(".") and theorem.latex
    assert "Source: " in THEOREMS[name].__doc__
    assert theorem.source.split(" (")[0] in THEOREMS[name].__doc__


@pytest.mark.parametrize("name", THEOREMS)
def test_holds_on_every_kind_of_instance(name: str):
    found = report(name)
    assert found.verdict == Verdict.HOLDS and found.passed
    assert {c.kind for c in found.comparisons} >= {"worst", "translated", "random", "data"}
    assert all(c.verdict == Verdict.HOLDS and c.crossing is None for c in found.comparisons)
    assert all(c.last_k >= 10 for c in found.comparisons)


@pytest.mark.parametrize("name", THEOREMS)
def test_an_error_in_the_constant_would_be_caught(name: str):
    assert report(name).power in (["3 %"] if name in TIGHT else ["3 %", "2x", "10x"])


@pytest.mark.parametrize("name", TIGHT)
def test_a_worst_instance_attains_what_is_tight(name: str):
    assert 0.999 <= report(name).tightness <= 1.001


@pytest.mark.parametrize("name", TIGHT)
def test_another_step_size_does_not_attain_it(name: str):
    """The step of theory times 1.05: the bound is crossed, or no longer attained."""
    rule = THEOREMS[name]().steps["learning_rate"]
    longer = functools.wraps(rule)(lambda **symbols: 1.05 * rule(**symbols))
    steps = {**THEOREMS[name]().steps, "learning_rate": longer}
    assert changed(name, steps=steps).verdict in (Verdict.CROSSED, Verdict.NOT_ATTAINED)


@pytest.mark.parametrize(
    "problem",
    [
        instances.huber(10.0, minimizer=100.0),
        instances.parabola(0.25, minimizer=100.0),
        instances.robust_regression(0),
        instances.robust_regression(1, strong_convexity=0.5),
        instances.quadratic(2),
        instances.ridge_regression(0.0),
        instances.ridge_regression(0.1),
    ],
    ids=lambda problem: problem.name,
)
def test_instances_are_what_they_claim(problem: Problem):
    assert [check for check in check_problem(problem) if not check.passed] == []


# Runs against exact arithmetic


def huber_gaps(h: Fraction, displacement: Fraction, num_steps: int) -> list[Fraction]:
    """f(x_k) - f* of gradient descent on `instances.huber`, in rational numbers."""
    smoothness, x = Fraction(4), Fraction(3, 2)
    slope = smoothness * x / (2 * displacement + 1)
    gaps = []
    for _ in range(num_steps + 1):
        inside = abs(x) * smoothness <= slope
        quadratic, linear = smoothness * x**2 / 2, slope * abs(x) - slope**2 / (2 * smoothness)
        gaps.append(quadratic if inside else linear)
        x -= h / smoothness * (smoothness * x if inside else slope * (1 if x > 0 else -1))
    return gaps


def comparison(name: str, instance: str, kind: str = "worst", **setting: float) -> Comparison:
    found = report(name).comparisons
    (only,) = [c for c in found if (c.instance, c.kind, c.setting) == (instance, kind, setting)]
    return only


@pytest.mark.parametrize("h", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_gradient_descent_on_the_huber_loss_is_exact(h: float, k: int):
    """And lands, after k steps, on L R^2 / (4 k h + 2), as rational numbers say."""
    gaps = huber_gaps(Fraction(h), k * Fraction(h), 100)
    assert gaps[k] == 4 * Fraction(9, 4) / (4 * k * Fraction(h) + 2)
    run = comparison("gd_convex_tight", f"huber[displacement={k * h:g}]", h=h)
    np.testing.assert_allclose(run.observed, [float(g) for g in gaps[1:]], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("h", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("curvature", [0.25, 4.0])
def test_gradient_descent_on_a_parabola_is_exact(h: float, curvature: float):
    factor = 1 - Fraction(h) * Fraction(curvature) / 4
    exact = [float(factor ** (2 * k) * Fraction(curvature) * Fraction(9, 8)) for k in range(1, 101)]
    run = comparison("gd_sc_fgap", f"parabola[curvature={curvature:g}]", h=h)
    np.testing.assert_allclose(run.observed, exact, rtol=1e-12)


def heavy_ball_errors(curvature: Fraction, num_steps: int) -> list[Fraction]:
    """|x_k - x*| of the tuned heavy ball for mu = 1 / 4, L = 4, R = 3 / 2, in rational numbers."""
    rate, beta = Fraction(16, 25), Fraction(9, 25)
    before = now = Fraction(3, 2)
    errors = [now]
    for _ in range(num_steps):
        before, now = now, now - rate * curvature * now + beta * (now - before)
        errors.append(abs(now))
    return errors


def test_the_heavy_ball_bound_is_exact():
    """At L it is an equality, at mu the factor has 1 - r for 1 + r, between it is no equality."""
    r = Fraction(3, 5)
    bounds = [r**k * (1 + k * (1 + r)) * Fraction(3, 2) for k in range(101)]
    smaller = [r**k * (1 + k * (1 - r)) * Fraction(3, 2) for k in range(101)]
    assert heavy_ball_errors(Fraction(4), 100) == bounds
    assert heavy_ball_errors(Fraction(1, 4), 100) == smaller
    for curvature in (Fraction(1, 2), Fraction(1), Fraction(3)):
        inside = zip(heavy_ball_errors(curvature, 100)[1:], bounds[1:], strict=True)
        assert all(error < bound for error, bound in inside)


@pytest.mark.parametrize("curvature", [0.25, 4.0])
def test_the_heavy_ball_runs_as_its_recursion(curvature: float):
    run = comparison("hb_quad_exact", f"parabola[curvature={curvature:g}]")
    exact = [float(e) for e in heavy_ball_errors(Fraction(curvature), 60)[1:]]
    np.testing.assert_allclose(run.observed[:60], exact, rtol=1e-9)
    np.testing.assert_allclose(
        run.bound[:60], [float(e) for e in heavy_ball_errors(Fraction(4), 60)[1:]], rtol=1e-12
    )


# Planted defects


def parabolas(**setting: float) -> list[Instance]:
    return [Instance("worst", problem) for problem in instances.extreme_parabolas(0.0)]


def on_parabolas(**fields) -> Theorem:
    """gd_sc_fgap at one step size on two instances, with some fields replaced."""
    defaults = {"instances": parabolas, "parameters": {"h": (0.5,)}}
    return dataclasses.replace(gd_sc_fgap(), **(defaults | fields))


RIGHT = gd_sc_fgap().formula
WRONG = {
    "constant 3 % small": lambda k, L, mu, f0, h: 0.97 * RIGHT(k, L, mu, f0, h),
    "rate too fast": lambda k, L, mu, f0, h: RIGHT(k, L, 1.05 * mu, f0, h),
    "one step ahead": lambda k, L, mu, f0, h: RIGHT(k + 1, L, mu, f0, h),
}
LOOSE = {
    "constant 1 % large": lambda k, L, mu, f0, h: 1.01 * RIGHT(k, L, mu, f0, h),
    "rate too slow": lambda k, L, mu, f0, h: RIGHT(k, L, 0.95 * mu, f0, h),
    "one step behind": lambda k, L, mu, f0, h: RIGHT(k - 1, L, mu, f0, h),
    "right until k = 50": lambda k, L, mu, f0, h: RIGHT(np.minimum(k, 50), L, mu, f0, h),
}


@pytest.mark.parametrize("error", WRONG)
def test_a_wrong_bound_is_crossed(error: str):
    found = check_bound(on_parabolas(formula=WRONG[error]))
    assert found.verdict == Verdict.CROSSED and not found.passed
    crossing = next(c.crossing for c in found.comparisons if c.crossing)
    assert crossing.k >= 1 and crossing.observed > crossing.bound


@pytest.mark.parametrize("error", LOOSE)
def test_a_loose_bound_is_not_tight(error: str):
    assert check_bound(on_parabolas()).verdict == Verdict.HOLDS
    assert check_bound(on_parabolas(formula=LOOSE[error])).verdict == Verdict.NOT_ATTAINED
    found = check_bound(on_parabolas(formula=LOOSE[error], attained_at=()))
    assert found.verdict == Verdict.HOLDS and found.tightness is None


@pytest.mark.parametrize(
    ("factor", "power"), [(1.02, "3 %"), (1.9, "2x"), (9.0, "10x"), (11.0, "none")]
)
def test_power_is_the_smallest_error_that_would_show(factor: float, power: str):
    def loose(k, L, mu, f0, h):
        return factor * RIGHT(k, L, mu, f0, h)

    assert check_bound(on_parabolas(formula=loose, attained_at=())).power == power


@pytest.mark.parametrize("direction", ["lower", "identity"])
def test_other_directions(direction: str):
    """On the parabola of curvature mu the bound is an identity, so also a lower bound."""

    def flat(h: float) -> list[Instance]:
        return [Instance("worst", instances.extreme_parabolas(0.0)[0])]

    def scaled(factor: float):
        formula = lambda k, L, mu, f0, h: factor * RIGHT(k, L, mu, f0, h)  # noqa: E731
        return check_bound(on_parabolas(instances=flat, direction=direction, formula=formula))

    assert scaled(1.0).verdict == Verdict.HOLDS and scaled(1.0).power == "3 %"
    assert scaled(1.0).tightness == pytest.approx(1)
    assert scaled(1.03).verdict == Verdict.CROSSED
    below = scaled(0.97).verdict
    assert below == (Verdict.NOT_ATTAINED if direction == "lower" else Verdict.CROSSED)


def test_a_run_may_grow_as_theory_says():
    """A step of 10 / L multiplies f - f* on the parabola of curvature L by 81, a hundred times."""

    def steep(h: float) -> list[Instance]:
        return [Instance("worst", instances.parabola(4.0, minimizer=0.0))]

    found = check_bound(
        on_parabolas(
            parameters={"h": (10.0,)},
            instances=steep,
            direction="identity",
            error_growth=lambda k: k,
        )
    )
    assert found.passed and found.comparisons[0].observed[-1] > 1e190


def test_the_rounding_error_of_a_distance():
    """4 eps min(k, 1 / (1 - r))^2 (|x*| + R), with r = 3 / 5."""
    far = comparison("hb_quad_exact", "parabola[curvature=4]", "translated")
    grown = np.minimum(far.k, 2.5) ** 2
    np.testing.assert_allclose(far.rounding, 4 * 2.0**-52 * grown * 101.5, rtol=1e-12)


def test_the_rounding_error_of_a_gap():
    """|g_k| tau + L tau^2 / 2 + 4 n eps (f_k + f*), with tau = 4 eps min(k, 32) (|x*| + R)."""
    far = comparison("gd_sc_fgap", "parabola[curvature=0.25]", "translated", h=0.5)
    error = 1.5 * (31 / 32) ** far.k
    tau = 4 * 2.0**-52 * np.minimum(far.k, 32) * 101.5
    gap = error**2 / 8
    expected = error / 4 * tau + 2 * tau**2 + 4 * 2.0**-52 * gap
    np.testing.assert_allclose(far.rounding, expected, rtol=1e-6)


def test_rounding_decides_where_comparisons_end():
    """Far from 0 the distances are lost in rounding earlier; granting none, a bound is crossed."""
    near = comparison("hb_quad_exact", "parabola[curvature=4]", "worst")
    far = comparison("hb_quad_exact", "parabola[curvature=4]", "translated")
    assert 40 < far.last_k < near.last_k < 100
    assert far.bound[far.last_k] <= 100 * far.rounding[far.last_k]
    assert far.verdict == Verdict.HOLDS
    exact = dataclasses.replace(far, rounding=np.zeros_like(far.rounding))
    assert exact.last_k == 200 and exact.verdict == Verdict.CROSSED


def test_what_rounding_hides_is_not_compared():
    hidden = dataclasses.replace(
        comparison("hb_quad_exact", "parabola[curvature=4]"), rounding=np.ones(200)
    )
    assert hidden.verdict == Verdict.NOT_COMPARED
    assert hidden.ratio is None and hidden.last_k is None and hidden.crossing is None
    found = dataclasses.replace(report("hb_quad_exact"), comparisons=(hidden,))
    assert found.verdict == Verdict.NOT_COMPARED and not found.passed and found.power == "none"


def test_a_run_goes_on_at_the_minimizer():
    """With h = 1 the parabola of curvature L is solved by one step."""
    run = comparison("gd_sc_fgap", "parabola[curvature=4]", h=1.0)
    assert np.all(run.observed == 0) and run.ratio == 0


def test_a_run_that_diverges_crosses_every_bound():
    uphill = dataclasses.replace(gd_sc_fgap(), steps={"learning_rate": lambda h, L: -1e3 * h / L})
    found = check_bound(uphill, problem=own_problem())
    assert all(c.verdict == Verdict.CROSSED and c.crossing.k == 1 for c in found.comparisons)
    assert all(not np.isfinite(c.observed[-1]) for c in found.comparisons)


@pytest.mark.parametrize("end", [np.nan, np.inf])
def test_what_is_not_finite_is_beyond_any_bound(end: float):
    ended = dataclasses.replace(
        comparison("hb_quad_exact", "parabola[curvature=4]"),
        observed=np.full(200, end),
        rounding=np.full(200, end),
    )
    assert ended.verdict == Verdict.CROSSED and ended.crossing.k == 1
    assert ended.to_json()["crossing"]["observed"] is None


@pytest.mark.parametrize(
    ("value", "direction"),
    [
        *((np.nan, direction) for direction in ("upper", "lower", "identity")),
        *((np.inf, direction) for direction in ("lower", "identity")),
        *((-np.inf, direction) for direction in ("upper", "identity")),
    ],
)
def test_a_bound_that_is_no_number_is_crossed(value: float, direction: str):
    run = comparison("hb_quad_exact", "parabola[curvature=4]")
    nowhere = dataclasses.replace(run, direction=direction, bound=np.full(200, value))
    assert nowhere.verdict == Verdict.CROSSED and nowhere.crossing.k == 1
    assert nowhere.ratio is None
    json.dumps(nowhere.to_json(), allow_nan=False)


@pytest.mark.parametrize(("value", "direction"), [(np.inf, "upper"), (-np.inf, "lower")])
def test_where_a_bound_says_nothing_nothing_is_compared(value: float, direction: str):
    run = dataclasses.replace(
        comparison("hb_quad_exact", "parabola[curvature=4]"), direction=direction
    )
    silent = dataclasses.replace(run, bound=np.full(200, value))
    assert silent.verdict == Verdict.NOT_COMPARED
    assert silent.ratio is None and silent.last_k is None and not silent.catches(0.1)
    late = dataclasses.replace(run, bound=np.where(run.k < 10, value, run.bound))
    assert late.verdict == Verdict.HOLDS and late.ratio_k >= 10
    ended = dataclasses.replace(silent, observed=np.full(200, np.nan))
    assert ended.verdict == Verdict.CROSSED


def test_a_bound_below_zero():
    """-x >= -b where x <= b: the same comparison, with the same power."""
    run = comparison("hb_quad_exact", "parabola[curvature=4]")
    mirrored = dataclasses.replace(run, direction="lower", observed=-run.observed, bound=-run.bound)
    assert mirrored.verdict == run.verdict == Verdict.HOLDS
    assert mirrored.num_compared == run.num_compared
    over = dataclasses.replace(mirrored, observed=1.03 * mirrored.observed)
    assert over.verdict == Verdict.CROSSED and over.ratio > 1 and over.excess > 0
    assert [mirrored.excess, mirrored.ratio_k] == [run.excess, run.ratio_k]
    assert [mirrored.catches(f) for f in (1.0, 0.97)] == [False, True]
    far = dataclasses.replace(mirrored, observed=0.7 * mirrored.observed)
    assert [far.catches(f) for f in (0.97, 0.5)] == [False, True]


# Somebody's own problem and optimizer


def own_objective(params, scales):
    return jnp.sum(scales * (params["a"] - 1.0) ** 2) / 2 + params["b"] ** 2


def noisy_objective(params, key, scales):
    return own_objective(params, scales)


OWN_CONSTANTS = Constants(smoothness=3.0, strong_convexity=0.5, convex=True, quadratic=True)


def own_problem(**fields) -> Problem:
    defaults = {
        "objective": own_objective,
        "data": (np.array([0.5, 1.0, 3.0]),),
        "start": start_near({"a": np.array([2.0, -1.0, 0.5]), "b": 0.7}, scale=1.0),
        "minimum": 0.0,
        "minimizer": {"a": np.ones(3), "b": 0.0},
        "minimum_kind": "closed form",
        "constants": OWN_CONSTANTS,
        "name": "own",
    }
    return Problem(**(defaults | fields))


def test_a_bound_by_hand():
    """R^2 = 1 + 4 + 1/4 + 49/100, and f_0 = (1/2 + 4 + 3/4) / 2 + 49/100."""
    k = np.arange(1, 101)
    convex = gd_convex_tight().on(own_problem(), h=0.5)
    np.testing.assert_allclose(
        convex.values, 1.5 * 5.74 * np.maximum(1 / (k + 1), 0.25**k), rtol=1e-13
    )
    assert convex.steps == {"learning_rate": 0.5 / 3}
    strong = gd_sc_fgap().on(own_problem(), h=1.5)
    np.testing.assert_allclose(strong.values, 0.75 ** (2 * k) * 3.115, rtol=1e-13)
    np.testing.assert_allclose(strong.roundings, np.minimum(k, 4), rtol=1e-13)


def test_the_first_gap_is_above_the_minimum():
    """At x_0 = 0 the mean squared residual of labels +-1 is 1."""
    ridge = instances.ridge_regression(0.1)
    assert ridge.minimum > 0.1
    only_f0 = on_parabolas(formula=lambda k, f0: f0 + 0 * k, attained_at=())
    np.testing.assert_allclose(only_f0.on(ridge, h=0.5).values, 0.5 - ridge.minimum, rtol=1e-13)


def test_distances_are_over_all_leaves():
    points = {"a": np.array([[1.0, 1.0, 1.0], [4.0, 1.0, 1.0]]), "b": np.array([0.0, 4.0])}
    assert distances(points, own_problem().minimizer).tolist() == [0, 5]


@pytest.mark.parametrize("name", THEOREMS)
def test_holds_on_somebodys_own_problem(name: str):
    found = check_bound(THEOREMS[name](), own_problem())
    assert found.passed and found.tightness is None
    assert {c.seed for c in found.comparisons} == {0, 1, 2}
    assert {c.instance for c in found.comparisons} == {"own"}


@pytest.mark.parametrize("theorem", [gd_convex_tight, gd_sc_fgap])
def test_holds_for_the_logistic_loss_on_real_data(theorem):
    found = check_bound(theorem(), logistic_breast_cancer())
    assert found.passed and found.power != "none" and found.nearest.last_k == 100


@pytest.mark.parametrize("theorem", [gd_convex_tight, gd_sc_fgap])
def test_a_smoothness_that_is_too_small_is_seen(theorem):
    wrong = dataclasses.replace(OWN_CONSTANTS, smoothness=1.5)
    assert check_bound(theorem(), own_problem(constants=wrong)).verdict == Verdict.CROSSED


def test_another_implementation_is_compared_in_the_methods_place():
    def plain(learning_rate: float = 0.1):
        return optax.sgd(learning_rate)

    own, theirs = (check_bound(gd_sc_fgap(), own_problem(), f) for f in (plain, gradient_descent))
    for one, other in zip(own.comparisons, theirs.comparisons, strict=True):
        np.testing.assert_array_equal(one.observed, other.observed)
    assert own.comparisons[0].optimizer == f"plain[learning_rate={0.5 / 3.0!r}]"
    assert check_bound(gd_sc_fgap(), own_problem(), optax.sign_sgd).verdict == Verdict.CROSSED


REFUSED = {
    "lacks exact gradients": {"sample_loss": noisy_objective},
    "lacks smoothness": {"constants": dataclasses.replace(OWN_CONSTANTS, smoothness=None)},
    "lacks strong convexity": {
        "constants": dataclasses.replace(OWN_CONSTANTS, strong_convexity=0.0)
    },
    "lacks a quadratic objective": {
        "constants": dataclasses.replace(OWN_CONSTANTS, quadratic=False)
    },
    "lacks a minimizer": {"minimizer": None},
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_problem_outside_the_class_is_refused(message: str):
    with pytest.raises(OptbenchError) as raised:
        check_bound(hb_quad_exact(), own_problem(**REFUSED[message]))
    assert raised.value.message == (
        "hb_quad_exact needs exact gradients, smoothness, strong convexity, a quadratic objective "
        f"and a minimizer, and problem 'own' {message}"
    )
    assert raised.value.hint


@pytest.mark.parametrize(
    ("fields", "lacks"),
    [
        ({"constants": Constants(smoothness=3.0)}, "convexity"),
        ({"constants": Constants(smoothness=3.0, convex=False)}, "convexity"),
        ({"constants": Constants(convex=True), "minimizer": None}, "smoothness and a minimizer"),
        ({"minimum": None, "minimum_kind": None}, "an exact minimum"),
        ({"minimum_kind": "best known"}, "an exact minimum"),
        ({"minimum_kind": "published"}, "an exact minimum"),
    ],
)
def test_what_gd_convex_tight_needs(fields: dict, lacks: str):
    with pytest.raises(OptbenchError) as raised:
        check_bound(gd_convex_tight(), own_problem(**fields))
    assert raised.value.message.endswith(f"problem 'own' lacks {lacks}")


def test_strong_convexity_implies_convexity():
    constants = Constants(smoothness=3.0, strong_convexity=0.5)
    assert check_bound(gd_convex_tight(), own_problem(constants=constants)).passed


@pytest.mark.parametrize(
    ("theorem", "optimizer", "message"),
    [
        (hb_quad_exact, gradient_descent, "sets momentum, which gradient_descent does not have"),
        (
            gd_sc_fgap,
            make_method(gradient_descent, learning_rate=0.1),
            "sets learning_rate, and gradient_descent[learning_rate=0.1] fixes it",
        ),
    ],
)
def test_an_optimizer_that_cannot_take_the_steps_is_refused(theorem, optimizer, message):
    with pytest.raises(OptbenchError) as raised:
        check_bound(theorem(), own_problem(), optimizer)
    assert message in raised.value.message and raised.value.hint


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"formula": lambda k, q: q * k}, "uses an unknown symbol 'q'"),
        ({"steps": {"momentum": lambda L: 1 / L}}, "sets momentum, which gradient_descent does"),
        ({"k_range": (-1, 10)}, "compares no step"),
        ({"k_range": (5, 4)}, "compares no step"),
    ],
)
def test_a_theorem_that_cannot_be_evaluated_is_refused(fields: dict, message: str):
    with pytest.raises(OptbenchError) as raised:
        on_parabolas(**fields)
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"formula": lambda k, L: L / 0}, "a formula of k, L fails: ZeroDivisionError"),
        ({"steps": {"learning_rate": lambda L: L / 0}}, "a formula of L fails: ZeroDivision"),
        ({"formula": lambda k: np.ones(3)}, "neither a number nor one for each of"),
        ({"formula": lambda k: "small"}, "neither a number nor one for each of"),
        ({"instances": lambda h: None}, "gives no list of instances"),
        ({"instances": lambda h: []}, "gives no list of instances"),
        ({"instances": lambda h: [own_problem()]}, "gives no list of instances"),
        ({"instances": lambda h: h / 0}, "fails: ZeroDivisionError"),
        ({"name": "../mine"}, "a theorem is named '../mine'"),
        ({"attained_at": [500]}, "is attained at no step that is compared"),
        ({"direction": "sideways"}, "no direction named 'sideways'"),
        ({"standing": "rumour"}, "no standing named 'rumour'"),
        ({"method": gradient_descent}, "has a function as its method"),
    ],
)
def test_a_theorem_whose_parts_fail_is_refused(fields: dict, message: str):
    theorem = on_parabolas()
    for name, value in fields.items():
        object.__setattr__(theorem, name, value)  # tests refuse wrong types where one is made
    with pytest.raises(OptbenchError) as raised:
        check_bound(theorem)
    assert message in raised.value.message and raised.value.hint


def test_every_parameter_is_given_a_value():
    with pytest.raises(OptbenchError, match="gd_sc_fgap takes h"):
        gd_sc_fgap().on(own_problem())
    with pytest.raises(OptbenchError, match="hb_quad_exact takes no parameter"):
        hb_quad_exact().on(own_problem(), h=1.0)


def test_somebodys_own_theorem_is_checked():
    """|x_k - x*| <= (1 - 2 / (kappa + 1))^k R for gradient descent with step 2 / (L + mu)."""
    contraction = Theorem(
        name="contraction",
        statement="The distance shrinks by (kappa - 1) / (kappa + 1) per step.",
        latex=r"\|x_k - x_\star\| \le \left(\frac{L - \mu}{L + \mu}\right)^k \|x_0 - x_\star\|",
        source="Nesterov (2018), Theorem 2.1.15",
        assumptions=(EXACT_GRADIENTS, SMOOTH),
        method=make_method(gradient_descent),
        steps={"learning_rate": lambda L, mu: 2 / (L + mu)},
        quantity=DISTANCE,
        formula=lambda k, L, mu, R: ((L - mu) / (L + mu)) ** k * R,
        instances=parabolas,
        attained_at=range(1, 101),
    )
    found = check_bound(contraction)
    assert found.passed and found.power == "3 %" and found.tightness > 0.999
    assert [a.name for a in contraction.needs][-2:] == ["strong convexity", "a minimizer"]
    too_good = dataclasses.replace(contraction, formula=lambda k, L, mu, R: 0.9**k * R / 2)
    assert check_bound(too_good).verdict == Verdict.CROSSED


@pytest.mark.filterwarnings("ignore::runtime_types.WrongType")
def test_refuses_what_is_no_theorem():
    with pytest.raises(OptbenchError, match="expected a Theorem, got a function"):
        check_bound(gd_sc_fgap)


@pytest.mark.parametrize("name", THEOREMS)
def test_reports_are_plain_json(name: str):
    told = json.loads(json.dumps(report(name).to_json(), allow_nan=False))
    assert told["name"] == name and told["verdict"] == "holds" and told["power"] == "3 %"
    assert told["ratio"] == report(name).nearest.ratio == pytest.approx(1, abs=1e-3)
    assert len(told["comparisons"]) == len(report(name).comparisons)
    assert told["comparisons"][0]["last_k"] <= THEOREMS[name]().k_range[1]
