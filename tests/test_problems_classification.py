"""Classifiers agree with scikit-learn, with their formulas and with their constants."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

from optbench.errors import OptbenchError
from optbench.method import make_method
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.run import run
from optbench.trajectory import Status
from problems.classification.likelihoods import (
    logistic_breast_cancer,
    logistic_separable,
    softmax_iris,
    softmax_wine,
)
from problems.classification.margins import svm_smoothed_hinge, svm_squared_hinge
from problems.linear_models import THIRD_MOMENT

RNG = np.random.default_rng(12)


@functools.partial(jax.jit, static_argnums=0)
def evaluated(objective, params, data):
    return jax.value_and_grad(objective)(params, *data)


def value(problem, params):
    with jax.enable_x64(True):
        return float(evaluated(problem.objective, params, problem.data)[0])


def test_softmax_of_iris_equals_scikit_learn():
    problem = softmax_iris(1e-2)
    features, one_hot, l2 = problem.data
    labels = one_hot.argmax(axis=1)
    model = LogisticRegression(
        C=1 / (150 * float(l2)), fit_intercept=False, solver="newton-cholesky", tol=1e-12
    ).fit(features, labels)
    np.testing.assert_allclose(model.coef_.T, problem.minimizer, atol=1e-7)
    expected = log_loss(labels, model.predict_proba(features)) + l2 / 2 * np.sum(model.coef_**2)
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-12)


def test_the_naive_softmax_is_the_fused_one_until_it_overflows():
    fused, naive = softmax_iris(), softmax_iris(fused=False)
    assert naive.minimum == fused.minimum
    for scale in (0.0, 1.0, 20.0):
        weights = scale * RNG.standard_normal((5, 3))
        np.testing.assert_allclose(value(naive, weights), value(fused, weights), rtol=1e-10)
    far = 1000 * RNG.standard_normal((5, 3))
    assert np.isfinite(value(fused, far)) and not np.isfinite(value(naive, far))


def test_an_overflow_of_the_naive_softmax_is_recorded():
    """Steps of 1000 lead to logits of hundreds, which the fused softmax survives."""
    method = make_method(gradient_descent, learning_rate=1000.0)
    naive = run(softmax_iris(fused=False), method, budget=5.0)
    fused = run(softmax_iris(), method, budget=5.0)
    assert naive.status == Status.NON_FINITE
    assert fused.status != Status.NON_FINITE


def test_the_third_moment_is_the_most_for_its_interval():
    """Of two-point laws on [0, 1], and of random ones."""
    p = np.linspace(0, 1, 10_001)
    np.testing.assert_allclose(np.max(p * (1 - p) * (1 - 2 * p)), THIRD_MOMENT, rtol=1e-7)
    weights, points = RNG.dirichlet(np.ones(4), 1000), RNG.random((1000, 4))
    means = np.sum(weights * points, axis=1, keepdims=True)
    thirds = np.sum(weights * (points - means) ** 3, axis=1)
    assert np.max(np.abs(thirds)) < THIRD_MOMENT


@pytest.mark.parametrize("problem", [softmax_iris(batch_size=3), logistic_breast_cancer(1e-3, 3)])
def test_gradients_have_the_variance_claimed(problem):
    """Of a batch of three rows, by all rows; least squares of rows far out have the most."""
    features, targets, _ = problem.data
    for scale in (0.0, 1.0, 100.0):
        weights = scale * RNG.standard_normal(problem.start(0).shape)
        logits = features @ weights
        if targets.ndim == 2:
            shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
            slopes = shifted / shifted.sum(axis=1, keepdims=True) - targets
        else:
            slopes = (-targets / (1 + np.exp(np.clip(targets * logits, -700, 700))))[:, None]
        rows = (features[:, :, None] * slopes[:, None, :]).reshape(len(features), -1)
        variance = np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1)) / 3
        assert 0 < variance < problem.constants.noise_variance


def test_a_separable_pair_has_no_noise():
    problem = logistic_separable(margin=2.0, batch_size=1)
    with jax.enable_x64(True):
        weight = jnp.array([0.7])
        keys = jax.random.split(jax.random.key(0), 8)
        slope = jax.grad(problem.sample_loss)
        slopes = [float(slope(weight, key, *problem.data)[0]) for key in keys]
    np.testing.assert_allclose(slopes, -2 / (1 + np.exp(1.4)), rtol=1e-14)
    assert problem.constants.noise_variance == 0.0


def test_squared_hinge_equals_scikit_learn():
    problem = svm_squared_hinge(1e-2)
    features, labels, l2 = problem.data
    model = LinearSVC(
        loss="squared_hinge", dual=False, C=1 / (2 * 569 * float(l2)), fit_intercept=False, tol=1e-9
    ).fit(features, labels)
    np.testing.assert_allclose(model.coef_[0], problem.minimizer, atol=1e-6)
    short = np.maximum(0, 1 - labels * (features @ model.coef_[0]))
    expected = np.mean(short**2) / 2 + l2 / 2 * np.sum(model.coef_**2)
    np.testing.assert_allclose(problem.minimum, expected, rtol=1e-9)


def test_smoothed_hinge_has_its_three_pieces():
    problem, weights = svm_smoothed_hinge(width=0.25), 0.3 * RNG.standard_normal(31)
    features, labels, l2, _ = problem.data
    margins = labels * (features @ weights)
    pieces = [margins >= 1, margins > 0.75]
    losses = np.select(pieces, [0 * margins, (1 - margins) ** 2 / 0.5], 1 - margins - 0.125)
    assert all(np.any(margins[piece]) for piece in (pieces[0], pieces[1] & ~pieces[0], ~pieces[1]))
    expected = np.mean(losses) + l2 / 2 * weights @ weights
    np.testing.assert_allclose(value(problem, weights), expected, rtol=1e-13)


def test_smoothed_hinge_approaches_the_hinge():
    """h lies within width / 2 below max(0, 1 - m), and so does the minimum."""
    hinge = LinearSVC(
        loss="hinge", C=1 / (569 * 0.1), fit_intercept=False, tol=1e-8, max_iter=100_000
    )
    features, labels, _, _ = svm_smoothed_hinge().data
    weights = hinge.fit(features, labels).coef_[0]
    short = np.maximum(0, 1 - labels * (features @ weights))
    known = np.mean(short) + 0.05 * weights @ weights
    for width in (0.1, 0.01):
        assert known - width / 2 < svm_smoothed_hinge(0.1, width).known_minimum < known


def test_logits_of_softmax_may_be_shifted():
    """Equal weights for all classes cost the penalty alone, so mu = l2 is attained."""
    problem = softmax_wine(0.5)
    shift = np.repeat(RNG.standard_normal((14, 1)), 3, axis=1)
    weights = RNG.standard_normal((14, 3))
    l2_change = 0.25 * (np.sum((weights + shift) ** 2) - np.sum(weights**2))
    change = value(problem, weights + shift) - value(problem, weights)
    np.testing.assert_allclose(change, l2_change, rtol=1e-11)


@pytest.mark.parametrize(
    "factory",
    [
        lambda: softmax_iris(l2=0.0),
        lambda: softmax_iris(batch_size=151),
        lambda: logistic_separable(batch_size=3),
        lambda: svm_squared_hinge(l2=0.0),
        lambda: svm_squared_hinge(batch_size=0),
        lambda: svm_smoothed_hinge(l2=-1.0),
        lambda: svm_smoothed_hinge(width=1.0),
        lambda: svm_smoothed_hinge(width=0.0),
    ],
)
def test_classifiers_refuse_bad_arguments(factory):
    with pytest.raises(OptbenchError) as raised:
        factory()
    assert raised.value.hint
