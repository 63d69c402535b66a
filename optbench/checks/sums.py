"""Laws of finite sums and of sampled losses."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from optbench.checks.probes import (
    EPS,
    ROWS,
    SLACK,
    Evidence,
    Layout,
    Site,
    compiled,
    in_units,
    unpack,
)
from optbench.checks.record import Check, at_most
from optbench.problem import Problem

NUM_SAMPLES = 4096
NUM_GRADIENTS = 512  # samples whose whole gradient is drawn
STANDARD_ERRORS = 5.0  # the mean of an unbiased sample lies further off once in two million


@compiled
def _row_values(layout: Layout, problem: Problem, point: Any) -> Any:
    """[n] f on each row alone."""
    rows, rest = problem.data[: problem.row_arrays], problem.data[problem.row_arrays :]
    params = unpack(layout, point)

    def value(row: Any) -> Any:
        return problem.objective(params, *(array[None] for array in row), *rest)

    return jax.lax.map(value, rows, batch_size=ROWS)


def rows(evidence: Evidence) -> list[Check]:
    """f is the mean of what it is on each row alone."""
    problem, site = evidence.probe.problem, evidence.starts[1]
    if not problem.row_arrays:
        return []
    with jax.enable_x64(True):
        values = np.asarray(_row_values(evidence.probe.layout, problem, site.point))
    allowed = SLACK * (EPS * float(np.mean(np.abs(values))) + site.value_noise)
    off = abs(float(np.mean(values)) - site.value)
    return [at_most("rows", off, allowed, f"|mean of f over {len(values)} single rows - f|")]


@compiled
def _sample(layout: Layout, problem: Problem, point: Any, direction: Any, keys: Any) -> Any:
    """[K] sampled losses and [K] their slopes along a direction."""

    def at_key(key: Any) -> Any:
        def loss(flat: Any) -> Any:
            return problem.sample_loss(unpack(layout, flat), key, *problem.data)  # type: ignore

        return jax.jvp(loss, (point,), (direction,))

    return jax.vmap(at_key)(keys)


def samples(evidence: Evidence) -> list[Check]:
    """The means of sampled losses and slopes are f and its slope, to five standard errors."""
    problem, site = evidence.probe.problem, evidence.starts[1]
    if problem.sample_loss is None:
        return []
    direction = evidence.rng.standard_normal(site.point.size)
    key = int(evidence.rng.integers(2**31))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(key), NUM_SAMPLES)
        drawn = _sample(evidence.probe.layout, problem, site.point, direction, keys)
        losses, slopes = (np.asarray(array) for array in drawn)
    noise = site.grad_noise * float(np.linalg.norm(direction))
    return [
        _unbiased("sampled loss", losses, site.value, site.value_noise),
        _unbiased("sampled slope", slopes, float(site.grad @ direction), noise),
        *_noise_variance(evidence, site, key),
    ]


@compiled
def _sampled_gradients(layout: Layout, problem: Problem, point: Any, keys: Any) -> Any:
    """[K, n] gradients of sampled losses."""

    def loss(flat: Any, key: Any) -> Any:
        return problem.sample_loss(unpack(layout, flat), key, *problem.data)  # type: ignore

    return jax.lax.map(lambda key: jax.grad(loss)(point, key), keys, batch_size=ROWS)


def _noise_variance(evidence: Evidence, site: Site, key: int) -> list[Check]:
    """E |g - grad f|^2 is at most the variance claimed, to five standard errors."""
    claimed = evidence.problem.constants.noise_variance
    if claimed is None:
        return []
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(key), NUM_GRADIENTS)
        layout, problem = evidence.probe.layout, evidence.probe.problem
        grads = np.asarray(_sampled_gradients(layout, problem, site.point, keys))
    squares = np.sum((grads - site.grad) ** 2, axis=1)
    error = float(np.std(squares, ddof=1)) / np.sqrt(len(squares))
    excess = float(np.mean(squares)) - STANDARD_ERRORS * error - claimed
    detail = f"E |g - grad f|^2 is {np.mean(squares):.4g} +- {error:.1g} over samples"
    return [at_most("noise variance", excess, SLACK * EPS * claimed, detail)]


def _unbiased(law: str, drawn: np.ndarray, expected: float, noise: float) -> Check:
    error = np.std(drawn, ddof=1) / np.sqrt(len(drawn))
    unit = max(float(error), SLACK * (EPS * abs(expected) + noise) / STANDARD_ERRORS)
    off = abs(float(np.mean(drawn)) - expected)
    detail = (
        f"mean of {len(drawn)} samples, in standard errors of {unit:.2g}; expected {expected:.4g}"
    )
    if lost := int(np.sum(~np.isfinite(drawn))):
        detail = f"{lost} of {len(drawn)} samples are not finite"
    return at_most(law, float(in_units(off, unit)), STANDARD_ERRORS, detail)
