"""Laws of how a problem is built: its start, its programs, its parts and its samples."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.checks.probes import (
    DENSE,
    EPS,
    ROWS,
    SLACK,
    Evidence,
    Layout,
    Site,
    in_units,
    unpack,
)
from optbench.checks.record import Check, at_most
from optbench.oracle import Oracle
from optbench.problem import Problem

NUM_SAMPLES = 4096
STANDARD_ERRORS = 5.0  # the mean of an unbiased sample lies further off once in two million


def start_rule(problem: Problem, seed: int) -> Check:
    """The start is a rule: equal for equal seeds, of one shape for all."""
    seeds = seed, seed, seed + 1
    first, again, other = (jax.tree.map(np.asarray, problem.start(s)) for s in seeds)
    moved = not jax.tree.all(jax.tree.map(np.array_equal, first, again))
    reshaped = jax.tree.map(np.shape, first) != jax.tree.map(np.shape, other)
    return at_most("start", moved + reshaped, 0, "equal for equal seeds, of one shape for all")


def saddle(evidence: Evidence) -> list[Check]:
    """The start lies above the saddle, so that escape is a descent."""
    level = evidence.problem.saddle
    if level is None:
        return []
    height = evidence.starts[0].value - level
    return [Check("saddle", height > 0, "f(saddle) - f(start) is negative", -height, 0.0)]


def programs(evidence: Evidence) -> list[Check]:
    """jit = no jit, vmap = loop, and each precision is kept and errs by its own rounding only."""
    problem, site, layout = evidence.probe.problem, evidence.starts[1], evidence.probe.layout
    value, grad = evidence.probe.value_and_grad(site.point)
    with jax.enable_x64(True):
        params = unpack(layout, jnp.asarray(site.point))
        eager = problem.objective(params, *jax.tree.map(jnp.asarray, problem.data))
    narrow, allowed = _in_float32(evidence, site)
    kept = [jnp.asarray(eager).dtype == np.float64, narrow.dtype == np.float32]
    rounding = SLACK * (EPS * abs(value) + site.value_noise)
    grad_rounding = SLACK * (EPS * float(np.linalg.norm(grad)) + site.grad_noise)
    errors = np.array([abs(site.value - value), np.linalg.norm(site.grad - grad)])
    batch_error = np.max(in_units(errors, np.array([rounding, grad_rounding])))
    return [
        at_most("jit", abs(float(eager) - value), rounding, "|f - jit(f)|, against its rounding"),
        at_most("vmap", batch_error, 1, "batched against single, in allowances for rounding"),
        at_most("dtype", 2 - sum(kept), 0, "f has the precision of params and data"),
        at_most("float32", abs(float(narrow) - value), allowed, "|f in float32 - f|"),
    ]


def _in_float32(evidence: Evidence, site: Site) -> tuple[np.ndarray, float]:
    """f in float32, and how much it may differ from f in float64."""
    problem, layout = evidence.probe.problem, evidence.probe.layout
    with jax.enable_x64(False):
        params = unpack(layout, jnp.asarray(site.point, np.float32))
        value = np.asarray(jax.jit(problem.objective)(params, *trees.cast(problem.data, "float32")))
    moved = np.linalg.norm(site.grad) * np.linalg.norm(site.point)
    eps = float(np.finfo(np.float32).eps)
    return value, SLACK * eps * (abs(site.value) + float(moved))


@functools.partial(jax.jit, static_argnums=0)
def _parts(layout: Layout, problem: Problem, point: Any, directions: Any) -> dict[str, Any]:
    """f as residuals and outputs give it, and [K, K] the Fisher matrix between K directions."""
    params, found = unpack(layout, point), {}
    if problem.residuals is not None:
        residuals = problem.residuals(params, *problem.data)
        found["residuals"] = trees.dot(residuals, residuals) / 2
    if problem.outputs is not None and problem.output_loss is not None:
        outputs = problem.outputs(params, *problem.data)
        found["outputs"] = problem.output_loss(outputs, *problem.data)
        oracle = Oracle(dataclasses.replace(problem, sample_loss=None))
        product = oracle.fisher_product(params)

        def row(v: Any) -> Any:
            image = product(unpack(layout, v))
            return jax.vmap(lambda u: trees.dot(unpack(layout, u), image))(directions)

        found["fisher"] = jax.lax.map(row, directions, batch_size=ROWS)
    return found


def parts(evidence: Evidence) -> list[Check]:
    """Residuals and outputs recompose to f, and the Fisher matrix is positive semidefinite."""
    problem, site = evidence.probe.problem, evidence.starts[1]
    if problem.residuals is None and not problem.has_fisher:
        return []
    dim = site.point.size
    directions = np.eye(dim) if dim <= DENSE else evidence.rng.standard_normal((ROWS, dim))
    with jax.enable_x64(True):
        found = _parts(evidence.probe.layout, problem, site.point, directions)
        found = {name: np.asarray(array) for name, array in found.items()}
    allowed = SLACK * (EPS * abs(site.value) + site.value_noise)
    details = {"residuals": "||r|^2 / 2 - f|", "outputs": "|output_loss(outputs) - f|"}
    checks = [
        at_most(name, abs(float(found[name]) - site.value), allowed, f"{detail}, against rounding")
        for name, detail in details.items()
        if name in found
    ]
    return [*checks, _semidefinite(found["fisher"])] if "fisher" in found else checks


def _semidefinite(matrix: np.ndarray) -> Check:
    eigenvalues = np.linalg.eigvalsh(matrix)
    allowed = SLACK * EPS * float(np.max(np.abs(eigenvalues)))
    detail = f"-(smallest eigenvalue); the largest is {eigenvalues[-1]:.4g}: output_loss is convex"
    return at_most("fisher", -eigenvalues[0], allowed * np.sqrt(len(matrix)), detail)


@functools.partial(jax.jit, static_argnums=0)
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
    ]


def _unbiased(law: str, drawn: np.ndarray, expected: float, noise: float) -> Check:
    error = np.std(drawn, ddof=1) / np.sqrt(len(drawn))
    unit = max(float(error), SLACK * (EPS * abs(expected) + noise) / STANDARD_ERRORS)
    off = abs(float(np.mean(drawn)) - expected)
    detail = (
        f"mean of {len(drawn)} samples, in standard errors of {unit:.2g}; expected {expected:.4g}"
    )
    return at_most(law, float(in_units(off, unit)), STANDARD_ERRORS, detail)
