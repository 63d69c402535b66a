"""Laws of how a problem is built: its start, its programs and its parts."""

from __future__ import annotations

import dataclasses
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
    compiled,
    in_units,
    unpack,
)
from optbench.checks.record import Check, at_most
from optbench.layers import affine
from optbench.oracle import Oracle
from optbench.problem import Problem


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


@compiled
def _parts(layout: Layout, problem: Problem, point: Any, directions: Any) -> dict[str, Any]:
    """f as residuals and outputs give it, and [K, K] the Fisher matrix between K directions."""
    params, found = unpack(layout, point), {}
    if problem.residuals is not None:
        residuals = problem.residuals(params, *problem.data)
        found["residuals"] = trees.dot(residuals, residuals) / 2
    if problem.outputs is not None and problem.output_loss is not None:
        outputs = problem.outputs(params, *problem.data)
        found["outputs"] = problem.output_loss(outputs, *problem.data)
        if problem.network is not None:
            outputs = problem.network(params, affine, *problem.data)
            found["network"] = problem.output_loss(outputs, *problem.data)
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
    details = {
        "residuals": "||r|^2 / 2 - f|",
        "outputs": "|output_loss(outputs) - f|",
        "network": "|output_loss(network with plain layers) - f|",
    }
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
