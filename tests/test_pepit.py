"""Theorems against PEPit: the worst case over a whole class of functions, found numerically.

The formula of a theorem is compared with the numerical worst case here, and with runs on its worst
instances, to 0.1 %, in the report on the theorem. So three sources agree on every theorem below:
our run, the closed form and PEPit.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import worst_cases_descent as descent
import worst_cases_general as general
import worst_cases_momentum as momentum
from worst_case import Worst

from optbench.bound import Theorem
from optbench.bounds.dynamics.continuous_time import TIME_STEP
from optbench.catalog import collect
from optbench.formula import apply

ACCURACY = 1e-5  # relative; Clarabel stops at a relative duality gap of 1e-8
CONSTANTS = {  # none of them 1, so that powers show
    "L": 4.0,
    "mu": 0.25,
    "R": 1.5,
    "f0": 2.0,
    "fk": 0.7,
    "g0": 1.2,
    "M": 3.0,
    "D": 2.0,
    "v": 0.8,
}
CASES: dict[Callable[..., Worst], tuple[dict[str, Any], ...]] = {
    descent.gd_convex_tight: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.75}),
    descent.gd_convex_opt_const_step: ({"k": 1, "h": 1.5},),
    descent.gd_convex_grad_dist: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.75}),
    descent.gd_convex_grad_f: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.75}),
    descent.gd_convex_dist_monotone: ({"k": 1, "h": 0.5}, {"k": 1, "h": 1.5}),
    descent.gd_silver_tight: ({"k": 1, "j": 1}, {"k": 3, "j": 2}),
    descent.gd_silver_grad: ({"k": 1, "j": 1}, {"k": 3, "j": 2}),
    descent.gd_qg_convex: ({"k": 2, "h": 0.25}, {"k": 2, "h": 0.75}),
    descent.hb_qg_convex: ({"k": 1}, {"k": 3}),
    descent.gd_descent_lemma: ({"k": 1, "h": 0.5}, {"k": 1, "h": 1.5}),
    descent.gd_nonconvex_tight: ({"k": 2, "h": 0.5}, {"k": 3, "h": 1.0}, {"k": 2, "h": 1.5}),
    descent.gd_sc_dist: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.9}),
    descent.gd_sc_fgap: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.9}),
    descent.gd_sc_grad: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.9}),
    descent.gd_sc_2_over_Lmu: ({"k": 2},),
    descent.gd_sc_fgap_dist_tight: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.8}),
    descent.gd_sc_grad_dist_tight: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.8}),
    descent.gd_sc_grad_f_tight: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.8}),
    descent.silver_sc: ({"k": 2}, {"k": 4}),
    descent.gd_exact_ls: ({"k": 1}, {"k": 2}),
    descent.gd_inexact_rel: ({"k": 2, "eps": 0.1}, {"k": 2, "eps": 0.3}),
    descent.polyak_step2_dist: (
        {"k": 1, "h": 3.0, "R": 1.0, "f0": 0.54},
        {"k": 1, "h": 8.0, "R": 1.0, "f0": 1.44},
    ),
    descent.gd_quadratic_fgap: ({"k": 2, "h": 0.1}, {"k": 2, "h": 0.5}, {"k": 1, "h": 1.9}),
    momentum.agd_simple_tight_primary: ({"k": 1}, {"k": 3}),
    momentum.agd_simple_tight_secondary: ({"k": 1}, {"k": 3}),
    momentum.agd_t_tight_huber: ({"k": 1, "ahead": 0}, {"k": 3, "ahead": 0}),
    momentum.ogm_tight: ({"k": 1}, {"k": 3}),
    momentum.ogmg_tight: ({"k": 1}, {"k": 3}),
    momentum.cg_spansearch_convex: ({"k": 1}, {"k": 2}),
    momentum.tmm: ({"k": 1}, {"k": 2}),
    momentum.item: ({"k": 1}, {"k": 2}),
    momentum.hb_quad_exact: ({"k": 2}, {"k": 3}),
    momentum.chebyshev_iter: ({"k": 1}, {"k": 3}),
    momentum.cg_nemirovski: ({"k": 1}, {"k": 2}),
    momentum.cg_chebyshev_sharp: ({"k": 1}, {"k": 2}),
    general.subgrad_best: ({"k": 1}, {"k": 2}),
    general.subgrad_last_linear_decay: ({"k": 1}, {"k": 2}),
    general.ogd_regret: ({"k": 2}, {"k": 3}),
    general.ppa: ({"k": 2, "h": 2.0},),
    general.ista_tight: ({"k": 1}, {"k": 2}),
    general.fista_simple_tight: ({"k": 1}, {"k": 3}),
    general.pgm_sc: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.9}),
    general.halpern: ({"k": 1}, {"k": 2}),
    general.gda_bilinear: ({"k": 2, "h": 2.0},),
    general.sgd_interp_sc: ({"k": 2, "h": 0.5}, {"k": 2, "h": 1.9}),
    general.sgd_onestep_exact: ({"k": 1, "h": 0.5}, {"k": 1, "h": 1.5}),
    general.rcd_dist_exact: ({"k": 2, "h": 0.5, "d": 2}, {"k": 1, "h": 1.9, "d": 3}),
    general.gf_sc_f: ({"k": 1},),
    general.gf_sc_dist: ({"k": 1},),
}
THEOREMS = collect("optbench.bounds", "Theorem")
STATED = [(function, case) for function, cases in CASES.items() for case in cases]
STEPPED = [(f, case) for f, case in STATED if "longer" in inspect.signature(f).parameters]
over = functools.partial(
    pytest.mark.parametrize,
    ("function", "case"),
    ids=lambda value: getattr(value, "__name__", None) or label(value),
)


def label(case: dict[str, Any]) -> str:
    return ",".join(f"{name}={value:g}" for name, value in case.items())


def symbols(case: dict[str, Any]) -> dict[str, Any]:
    """All letters that a formula or a performance estimation problem may ask for."""
    given = CONSTANTS | case
    count, start = given["k"], {"r": given["R"], "g": given["g0"], "gap": given["f0"]}
    return (
        {"N": count, "T": count, "n": given.get("d", count)}
        | ({"a": given["h"] / given["L"]} if "h" in given else {})
        | {f"{name}_before": np.full(count, value) for name, value in start.items()}
        | {"f_before": given["fk"], "r2": given["R"] ** 2, "g2": given["g0"] ** 2}
        | {"L_i": given["L"], "mu_i": given["mu"], "t": TIME_STEP * count}
        | {"G": given["M"], "s2": given["v"] ** 2, "R2": given["R"] ** 2}
        | given
    )


def worst(function: Callable[..., Worst], case: dict[str, Any], longer: float = 1.0) -> Worst:
    return apply(function, symbols(case) | {"longer": longer})


def bound(theorem: Theorem, case: dict[str, Any]) -> float:
    """What the theorem's own formula gives at step k, when asked for steps 1 to k."""
    steps = np.arange(1.0, case["k"] + 1)
    values = apply(theorem.formula, symbols(case) | {"k": steps})
    return float(np.broadcast_to(values, steps.shape)[-1])


def deviation(found: Worst, theorem: Theorem, stated: float) -> float:
    """Relative, after the root of a squared length where the theorem bounds the length itself."""
    root = found.of_length and "^2" not in theorem.quantity.name
    return (found.value**0.5 if root else found.value) / stated - 1


def theorem_of(function: Callable[..., Worst]) -> Theorem:
    return THEOREMS[function.__name__]()


def test_every_case_is_about_a_theorem():
    assert len(CASES) >= 35
    assert {function.__name__ for function in CASES} <= set(THEOREMS)


@over(STATED)
def test_the_closed_form_is_the_numerical_worst_case(function, case):
    """And 0.97 times the closed form is not."""
    theorem = theorem_of(function)
    found, stated = worst(function, case), bound(theorem, case)
    assert abs(deviation(found, theorem, stated)) < ACCURACY
    assert abs(deviation(found, theorem, 0.97 * stated)) > ACCURACY


@over(STEPPED)
def test_a_step_that_is_3_percent_longer_has_another_worst_case(function, case):
    theorem = theorem_of(function)
    found, stated = worst(function, case, longer=1.03), bound(theorem, case)
    assert abs(deviation(found, theorem, stated)) > ACCURACY
