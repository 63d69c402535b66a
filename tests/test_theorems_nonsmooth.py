"""Second sources and planted defects for theorems on kinks, proxes, hulls, games and maps."""

from __future__ import annotations

import dataclasses
import functools
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from optbench.bounds import instances as smooth
from optbench.bounds.nonsmooth import composite_instances as composite
from optbench.bounds.nonsmooth import fixed_points, online, resisting_oracle
from optbench.bounds.nonsmooth import kinked_instances as nonsmooth_instances
from optbench.bounds.nonsmooth.polyak import polyak_step_nonsmooth
from optbench.bounds.nonsmooth.proximal import fista_simple_tight, ista_tight, ppa
from optbench.bounds.nonsmooth.simplex import frank_wolfe, lb_frank_wolfe, mirror_eg
from optbench.bounds.nonsmooth.simplex_instances import hull, nearest_in_hull
from optbench.bounds.nonsmooth.subgradient import subgrad_best, subgrad_variable
from optbench.case import Case, Instance
from optbench.checks import BoundReport, Verdict, check_bound
from optbench.errors import OptbenchError
from optbench.problem import Problem
from optbench.recursion import Recursion


def follow(theorem, case: Case, **setting: float) -> np.ndarray:
    """What the theorem's recursion observes on a case."""
    assert isinstance(theorem.method, Recursion)
    bound = theorem.on(case, **setting)
    return bound.along(theorem.method).observed


@functools.cache
def fista_report() -> BoundReport:
    return check_bound(fista_simple_tight())


# Exact arithmetic


@pytest.mark.parametrize("steps", [0, 1, 5, 20])
def test_halpern_on_a_folded_line_is_exact(steps: int):
    drop = 2 * Fraction(3, 2) / (steps + 1)
    start = point = Fraction(3, 2)
    residuals = []
    for k in range(101):
        image = max(point - drop, -point)
        residuals.append(abs(point - image))
        point = (start + (k + 1) * image) / (k + 2)
    assert residuals[steps] == 2 * Fraction(3, 2) / (steps + 1)
    found = follow(fixed_points.halpern(), fixed_points.folded(float(drop)))
    np.testing.assert_allclose(found, [float(r) for r in residuals], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("steps", [1, 5, 20])
def test_simple_fista_down_a_slide_is_exact(steps: int):
    """It ends at L R^2 / (4 c) after k steps, having moved by c = (k^2 + 5 k + 2) / 8 steps."""
    displacement = Fraction(steps**2 + 5 * steps + 2, 8)
    slope = 4 * Fraction(3, 2) / (2 * displacement)
    point = ahead = Fraction(3, 2)
    gaps = []
    for k in range(100):
        following = max(ahead - slope / 4, Fraction(0))
        ahead = following + Fraction(k, k + 3) * (following - point)
        point = following
        gaps.append(slope * point)
    assert gaps[steps - 1] == 4 * Fraction(9, 4) / (4 * displacement)
    name = f"slide[displacement={float(displacement):g}]"
    (run,) = [c for c in fista_report().comparisons if (c.instance, c.kind) == (name, "worst")]
    np.testing.assert_allclose(run.observed, [float(g) for g in gaps], rtol=1e-11, atol=1e-14)


# Kinks


@pytest.mark.parametrize("count", nonsmooth_instances.HORIZONS)
def test_descending_has_one_value_at_all_points_and_ends_at_the_minimizer(count: int):
    """The subgradient method by hand, in NumPy, on the rows of the instance."""
    (worst, *_) = subgrad_variable().instances(N=float(count))
    problem = worst.subject
    assert isinstance(problem, Problem)
    bound = subgrad_variable().on(problem, worst.seed, N=float(count))
    slopes, center = problem.data
    point, values = problem.start(worst.seed), []
    for k in range(count + 1):
        pieces = slopes @ (point - center)
        values.append(pieces.max())
        slope = slopes[np.argmax(pieces)]
        point = point - bound.steps["learning_rate"] / np.sqrt(k + 1) * slope / 3.0
    np.testing.assert_allclose(values, bound.values[0], rtol=1e-12)
    np.testing.assert_allclose(point, center, atol=1e-12)


def _shared_piece(params, slopes, center):
    return jnp.max(slopes @ (params - center))


def test_a_subgradient_shared_among_ties_does_not_attain_the_bound():
    """`jnp.max` moves along all tied pieces at once: what is worst for one is not for it."""
    hard = nonsmooth_instances.resisting(2, 0.0)
    shared = dataclasses.replace(hard, objective=_shared_piece, nonsmooth=_shared_piece)
    instances = (Instance("worst", shared, nonsmooth_instances.AT_KINK),)
    theorem = dataclasses.replace(
        subgrad_best(), parameters={"N": (2.0,)}, instances=lambda N: instances
    )
    assert check_bound(theorem).verdict is Verdict.NOT_ATTAINED


def test_a_bound_on_subgradients_that_is_too_small_is_seen():
    hard = nonsmooth_instances.resisting(2, 0.0)
    slight = dataclasses.replace(hard.constants, gradient_bound=2.9)
    instances = (
        Instance("worst", dataclasses.replace(hard, constants=slight), nonsmooth_instances.AT_KINK),
    )
    theorem = dataclasses.replace(polyak_step_nonsmooth(), instances=lambda: instances)
    assert check_bound(theorem).verdict is Verdict.CROSSED


# Hulls, regret and mistakes


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_point_of_a_hull_is_no_farther_than_any_vertex_sees(seed: int):
    """p is nearest to 0 if and only if p.v >= |p|^2 for all vertices v."""
    rng = np.random.default_rng(seed)
    vertices = rng.standard_normal((3, 7)) + rng.standard_normal((3, 1))
    weights = nearest_in_hull(vertices)
    nearest = vertices @ weights
    assert np.all(weights >= 0) and weights.sum() == pytest.approx(1, rel=1e-14)
    assert np.all(nearest @ vertices >= nearest @ nearest - 1e-13)


def test_hedge_agrees_with_its_potential():
    """Its loss is that of the softmax of -eta total losses, here all rounds at once."""
    case = online.coins(100, 10, seed=0)
    rate = np.sqrt(8 * np.log(10) / 100)
    before = np.vstack([np.zeros(10), np.cumsum(case.data, axis=0)[:-1]])
    paid = np.sum(scipy.special.softmax(-rate * before, axis=1) * case.data)
    regret = paid - case.data.sum(axis=0).min()
    assert follow(online.hedge_regret(), case, T=100.0)[0] == pytest.approx(regret, rel=1e-12)


def test_coins_come_nearer_to_the_bound_of_hedge_with_more_experts():
    def mean_share(experts: int) -> float:
        cases = [online.coins(1000, experts, seed) for seed in range(5)]
        regrets = [follow(online.hedge_regret(), case, T=1000.0)[0] for case in cases]
        return float(np.mean(regrets)) / np.sqrt(1000 * np.log(experts) / 2)

    assert mean_share(2) < mean_share(10) < mean_share(1000) < 1


def test_projections_matter_to_online_gradient_descent():
    """On a segment, by hand: 0, then 2, held back to 1, then 0 once more."""
    segment = online.LinearLosses(np.array([[-2.0], [2.0], [1.0]]), np.array([[0.0], [1.0]]))
    case = Case(name="segment", symbols={"G": 2.0, "D": 1.0}, data=segment)
    regrets = online.follow_descent(case, np.array([1, 2, 3]), 1.0).observed
    assert regrets == pytest.approx([2.0, 2.0, 2.0])


def test_the_perceptron_by_hand():
    """(1, 0) and (1, 1) of opposite labels: mistakes 1, 2, 3, then 4 and 5, and it has learned."""
    data = online.Labelled(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([1.0, -1.0]))
    case = Case(name="two", symbols={"r": 2**0.5, "gamma": 0.3}, data=data)
    weights, mistakes, told = (0, 0), 0, []
    for shown in range(12):
        point, label = (((1, 0), 1), ((1, 1), -1))[shown % 2]
        if label * (weights[0] * point[0] + weights[1] * point[1]) <= 0:
            weights = weights[0] + label * point[0], weights[1] + label * point[1]
            mistakes += 1
        told.append(mistakes)
    assert follow(online.perceptron(), case, d=4.0).tolist() == told[3:12]


# What is outside of a class is refused


def outsiders() -> list[tuple]:
    flat = smooth.robust_regression(0)
    kinked = nonsmooth_instances.pieces(0)
    losses = online.LinearLosses(2 * np.eye(2), np.eye(2))
    examples = online.Labelled(np.eye(2), np.ones(2))
    half_turn = Case(name="growing", symbols={"R": 1.0}, data=(lambda x: -1.01 * x, np.ones(2)))
    shifted = Case(name="shifted", symbols={"R": 1.0}, data=(lambda x: x + 1, np.ones(2)))
    return [
        (ista_tight(), kinked, {}, "a prox of the nonsmooth part"),
        (ppa(), composite.lasso(0), {"a": 1.0}, "a prox of f itself"),
        (frank_wolfe(), flat, {}, "the simplex"),
        (mirror_eg(), hull(0), {"T": 1.0}, "a start at the center"),
        (lb_frank_wolfe(), hull(0), {}, "from a vertex"),
        (online.hedge_regret(), _case(np.full((1, 2), 1.1), N=2.0), {"T": 1.0}, "losses in"),
        (online.ogd_regret(), _case(losses, G=1.9, D=2.0), {"N": 2.0}, "gradients up to G"),
        (online.ogd_regret(), _case(losses, G=2.0, D=1.4), {"N": 2.0}, "gradients up to G"),
        (online.perceptron(), _case(examples, r=1.0, gamma=0.0), {"d": 1.0}, "a positive margin"),
        (fixed_points.gda_bilinear(), _case(2 * np.eye(2), R=1.0), {"a": 0.1}, "an orthogonal"),
        (fixed_points.halpern(), half_turn, {}, "a nonexpansive map"),
        (fixed_points.krasnoselskii_mann(), shifted, {}, "a nonexpansive map"),
        (resisting_oracle.lb_subgradient(), _case(None, G=1.0, R=1.0), {}, "the span"),
    ]


def _case(data, **symbols: float) -> Case:
    return Case(name="outside", symbols=symbols, data=data)


@pytest.mark.parametrize("theorem, subject, setting, told", outsiders(), ids=lambda v: str(v)[:0])
def test_what_is_outside_of_a_class_is_refused(theorem, subject, setting, told):
    with pytest.raises(OptbenchError, match=told):
        theorem.on(subject, **setting)
