from __future__ import annotations

import jax
import numpy as np
import optax
import optax.contrib
import pytest
from walks import WAVY, X0, walk, walk_tree

from optbench.optimizer import Optimizer
from optbench.optimizers.adaptive.moments import adam
from optbench.optimizers.first_order.anderson import anderson
from optbench.optimizers.first_order.gradient_descent import (
    gradient_descent,
    gradient_descent_backtracking,
)
from optbench.optimizers.first_order.linear_cg import conjugate_gradient
from optbench.optimizers.first_order.momentum import momentum, nesterov
from optbench.optimizers.first_order.proximal import projected
from optbench.optimizers.first_order.riemannian import (
    riemannian_gradient_descent,
    riemannian_momentum,
)
from optbench.optimizers.second_order.lbfgs import lbfgs
from optbench.optimizers.second_order.newton import newton_cg
from optbench.problem import Problem
from optbench.transformation import from_optax
from problems.factorization.eigenvectors import pca_diabetes, rayleigh_quotient
from problems.factorization.matrices import phase_retrieval

# ---- manifolds: the formulas once more, in NumPy


class Frames:
    problem = pca_diabetes()
    rate = 0.2

    @staticmethod
    def grad(w):
        features = Frames.problem.data[0]
        return -features.T @ (features @ w) / len(features)

    @staticmethod
    def tangent(w, v):
        return v - w @ (w.T @ v + v.T @ w) / 2

    @staticmethod
    def retract(w):
        left, _, right = np.linalg.svd(w, full_matrices=False)
        return left @ right

    @staticmethod
    def defect(w):
        return np.linalg.norm(w.T @ w - np.eye(w.shape[1]))


class Sphere:
    problem = rayleigh_quotient(dim=5)
    rate = 0.3

    @staticmethod
    def grad(x):
        matrix = Sphere.problem.data[0]
        return 2 * (matrix @ x - (x @ matrix @ x) * x)  # at |x| = 1

    @staticmethod
    def tangent(x, v):
        return v - (x @ v) * x

    @staticmethod
    def retract(x):
        return x / np.sqrt(np.sum(x**2))

    @staticmethod
    def defect(x):
        return abs(x @ x - 1)


def numpy_riemannian(manifold, beta, num_steps):
    x = manifold.problem.start(0)
    velocity, points = np.zeros_like(x), []
    for _ in range(num_steps):
        transported = manifold.tangent(x, velocity)
        velocity = beta * transported + manifold.tangent(x, manifold.grad(x))
        x = manifold.retract(x - manifold.rate * velocity)
        points.append(x)
    return np.array(points)


@pytest.mark.parametrize("manifold", [Frames, Sphere])
@pytest.mark.parametrize("beta", [0.0, 0.8])
def test_riemannian_steps_walk_as_numpy_and_stay_feasible(manifold, beta: float):
    rate, start = manifold.rate, manifold.problem.start(0)
    optimizer = riemannian_momentum(rate, beta) if beta else riemannian_gradient_descent(rate)
    steps = walk(optimizer, manifold.problem, start, 25)
    expected = numpy_riemannian(manifold, beta, 25)
    np.testing.assert_allclose(steps.params, expected, rtol=0, atol=1e-12)
    assert max(manifold.defect(x) for x in steps.params) < 1e-14
    assert steps.calls.prox.tolist() == [1] * 25


def test_momentum_without_transport_is_told_apart():
    start = Sphere.problem.start(0)
    points = walk(projected(momentum(0.3, 0.8)), Sphere.problem, start, 25).params
    assert np.max(np.abs(points - numpy_riemannian(Sphere, 0.8, 25))) > 1e-3


def test_velocities_are_tangent():
    for manifold in (Frames, Sphere):
        start = manifold.problem.start(0)
        steps = walk(riemannian_momentum(manifold.rate), manifold.problem, start, 10)
        before = [start, *steps.params[:-1]]
        for x, v in zip(before, steps.state, strict=True):
            np.testing.assert_allclose(manifold.tangent(x, v), v, rtol=0, atol=1e-14)


def test_both_reach_the_leading_eigenvectors():
    for optimizer, num_steps in (
        (riemannian_gradient_descent(0.3), 300),
        (riemannian_momentum(), 300),
    ):
        end = walk(optimizer, Frames.problem, Frames.problem.start(0), num_steps).evaluation
        assert abs(end.value[-1] - Frames.problem.known_minimum) < 1e-12


def test_where_there_is_no_manifold_they_are_the_plain_methods():
    for one, other in (
        (riemannian_gradient_descent(0.1), gradient_descent(0.1)),
        (riemannian_momentum(0.1, 0.9), momentum(0.1, 0.9)),
    ):
        points = [walk(optimizer, WAVY, X0, 10).params for optimizer in (one, other)]
        np.testing.assert_allclose(points[0], points[1], rtol=0, atol=1e-14)


# ---- complex parameters: the same steps as in twice as many real ones

COMPLEX = phase_retrieval(num_samples=24, dim=3)


def _in_real_parts(parts, *data):
    return COMPLEX.objective(jax.lax.complex(parts[:3], parts[3:]), *data)


REAL = Problem(
    objective=_in_real_parts,
    data=COMPLEX.data,
    start=lambda seed: np.concatenate([COMPLEX.start(seed).real, COMPLEX.start(seed).imag]),
)


def both_walks(optimizer: Optimizer, num_steps: int = 10) -> tuple[np.ndarray, np.ndarray]:
    points = walk_tree(optimizer, COMPLEX, COMPLEX.start(0), num_steps).params
    assert np.iscomplexobj(points)
    real = walk_tree(optimizer, REAL, REAL.start(0), num_steps).params
    return np.concatenate([points.real, points.imag], axis=1), real


FIRST_AND_SECOND_ORDER = [
    gradient_descent,
    gradient_descent_backtracking,
    momentum,
    nesterov,
    conjugate_gradient,
    anderson,
    newton_cg,
    lbfgs,
]


@pytest.mark.parametrize("factory", FIRST_AND_SECOND_ORDER)
def test_complex_params_walk_as_their_real_and_imaginary_parts(factory):
    walked, real = both_walks(factory())
    np.testing.assert_allclose(walked, real, rtol=0, atol=1e-10)


@pytest.mark.parametrize("factory", [newton_cg, lbfgs])
def test_phase_retrieval_is_solved_over_complex_numbers(factory):
    values = walk_tree(factory(), COMPLEX, COMPLEX.start(0), 60).evaluation.value
    assert values[-1] < 1e-20


def test_adam_scales_a_complex_number_by_its_absolute_value():
    walked, real = both_walks(adam(0.01))
    assert np.max(np.abs(walked - real)) > 1e-3  # |g|^2 in place of the squares of both parts
    split = optax.contrib.split_real_and_imaginary(optax.adam(0.01))
    walked, real = both_walks(from_optax(split))
    np.testing.assert_allclose(walked, real, rtol=0, atol=1e-12)


def test_adam_turns_with_the_phase_of_complex_params():
    """As |g|^2 has no phase, unlike the squares of the parts: f is the same for all phases of x."""
    phase = np.exp(0.7j)
    points, turned = (
        walk_tree(adam(0.01), COMPLEX, start, 10).params
        for start in (COMPLEX.start(0), phase * COMPLEX.start(0))
    )
    np.testing.assert_allclose(turned, phase * points, rtol=0, atol=1e-13)
    split = from_optax(optax.contrib.split_real_and_imaginary(optax.adam(0.01)))
    points, turned = (
        walk_tree(split, COMPLEX, start, 10).params
        for start in (COMPLEX.start(0), phase * COMPLEX.start(0))
    )
    assert np.max(np.abs(turned - phase * points)) > 1e-3
