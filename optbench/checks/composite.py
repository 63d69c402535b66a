"""Laws of the prox, of the feasible set, and of its tangent spaces."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from optbench.checks.probes import (
    EPS,
    SLACK,
    Evidence,
    Layout,
    Probe,
    compiled,
    coordinates,
    unpack,
)
from optbench.checks.record import Check, at_most
from optbench.problem import Problem

NUM_POINTS = 8
REACHES = (1e-6, 1e-3, 1e-1, 10.0)  # how far competitors of a prox lie from it
PROX_STEPS = (0.01, 0.3, 2.0, 30.0)


def steps(evidence: Evidence) -> list[Check]:
    """The prox minimizes what it should; the start is feasible; tangent spaces are those of it."""
    problem, probe = evidence.problem, evidence.probe
    if problem.prox is None:
        return []
    known = [*evidence.starts, *([evidence.minimizer] if evidence.minimizer else [])]
    if not problem.constrained:
        return [_prox(evidence)]
    points = np.stack([site.point for site in known])
    off = float(np.max(np.linalg.norm(probe.prox(points) - points, axis=1)))
    allowed = SLACK * EPS * (1 + float(np.max(np.linalg.norm(points, axis=1))))
    checks = [at_most("feasible", off, allowed, "|x - prox(x)| at starts and minimizer")]
    checks.append(_projection(evidence))
    return checks if problem.tangent is None else [*checks, _tangent(evidence)]


def _competitors(evidence: Evidence, centers: np.ndarray) -> np.ndarray:
    """[P, K, n] points near, and less near, each of [P, n] centers: along axes and at random."""
    rng, dim = evidence.rng, centers.shape[1]
    axes = np.eye(dim)[rng.permutation(dim)[:NUM_POINTS]]
    directions = np.concatenate([axes, -axes, rng.standard_normal((NUM_POINTS, dim))])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    moves = np.concatenate([reach * directions for reach in REACHES])
    return centers[:, None] + moves


def _centers(evidence: Evidence) -> np.ndarray:
    """[P, n] points around the starts, as a step may leave them."""
    points = np.stack([site.point for site in evidence.starts])
    spread = 1 + float(np.sqrt(np.mean(points**2)))
    noise = evidence.rng.standard_normal((NUM_POINTS // 2, *points.shape))
    return (points + spread * noise).reshape(-1, points.shape[1])


def _prox(evidence: Evidence) -> Check:
    """h(u) + |u - v|^2 / (2 s) is nowhere lower than at u = prox(v, s)."""
    probe, problem = evidence.probe, evidence.probe.problem
    part = probe.of(problem.nonsmooth or problem.objective)
    centers, worst = _centers(evidence), 0.0
    for step in PROX_STEPS:
        found = probe.prox(centers, step)

        def cost(u: np.ndarray, v: np.ndarray, step: float = step) -> np.ndarray:
            return part(u).value + np.sum((u - v) ** 2, axis=1) / (2 * step)

        own = cost(found, centers)
        others = _competitors(evidence, found)
        repeated = np.repeat(centers, others.shape[1], axis=0)
        rivals = cost(others.reshape(-1, centers.shape[1]), repeated).reshape(others.shape[:2])
        lowest = np.min(rivals, axis=1, initial=np.inf, where=~np.isnan(rivals))  # in h's domain
        units = SLACK * EPS * (1 + np.abs(own))
        worst = float(np.maximum(worst, np.max((own - lowest) / units)))  # NaN where prox is
    detail = "h(u) + |u - v|^2 / 2s at prox(v, s) less that nearby, in units of rounding"
    return at_most("prox", worst, 1, detail)


def _projection(evidence: Evidence) -> Check:
    """prox(v) is feasible, and no feasible point is nearer to v."""
    probe, centers = evidence.probe, _centers(evidence)
    found = probe.prox(centers)
    again = np.linalg.norm(probe.prox(found) - found, axis=1)
    others = _competitors(evidence, found)
    feasible = probe.prox(others.reshape(-1, centers.shape[1])).reshape(others.shape)
    own = np.linalg.norm(found - centers, axis=1)
    nearest = np.min(np.linalg.norm(feasible - centers[:, None], axis=2), axis=1)
    units = SLACK * EPS * (1 + np.linalg.norm(centers, axis=1) + np.linalg.norm(found, axis=1))
    worst = float(np.max(np.maximum(own - nearest, again) / units))
    detail = "how much nearer another feasible point is than prox(v), in units of rounding"
    return at_most("prox", worst, 1, detail)


@compiled
def _tangents(layout: Layout, problem: Problem, point: Any, vectors: Any) -> Any:
    params = unpack(layout, point)

    def project(v: Any) -> Any:
        return coordinates(problem.tangent(params, unpack(layout, v), *problem.data))  # type: ignore

    return jax.vmap(project)(vectors)


def _tangent(evidence: Evidence) -> Check:
    """P v is what prox(x + t v) moves along at t = 0, and P is a symmetric projection."""
    probe, site = evidence.probe, evidence.starts[1]
    vectors = evidence.rng.standard_normal((NUM_POINTS, site.point.size))
    with jax.enable_x64(True):
        along = np.asarray(_tangents(probe.layout, probe.problem, site.point, vectors))
        again = np.asarray(_tangents(probe.layout, probe.problem, site.point, along))
    moved = _differences(probe, site.point, vectors)
    gram = vectors @ along.T
    errors = [np.max(np.abs(again - along)), np.max(np.abs(gram - gram.T))]
    scale = float(np.max(np.abs(vectors))) * (1 + float(np.linalg.norm(site.point)))
    figures = [np.max(np.abs(moved - along)) / 1e-6, *(e / (SLACK * EPS) for e in errors)]
    detail = "P v against the motion of prox(x + t v); P P v = P v; u.P v = v.P u; in tolerances"
    return at_most("tangent", float(max(figures)) / scale**2, site.point.size, detail)


def _differences(probe: Probe, point: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """[K, n] central differences of prox along vectors."""
    step = float(np.cbrt(EPS))
    ahead, behind = probe.prox(point + step * vectors), probe.prox(point - step * vectors)
    return (ahead - behind) / (2 * step)
