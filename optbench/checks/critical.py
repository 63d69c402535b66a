"""Laws of critical points: each is one, and of its kind."""

from __future__ import annotations

import numpy as np

from optbench.checks.knowledge import stationary_noise
from optbench.checks.probes import DENSE, EPS, SLACK, Evidence, Site, pack, site_at
from optbench.checks.record import Check, at_most
from optbench.problem import CriticalPoint

RADII = (1e-4, 1e-3, 1e-2)  # of the spheres around a point, in units of 1 + |x|
NUM_DIRECTIONS = 32


def critical_points(evidence: Evidence) -> list[Check]:
    """Each lies where it is said, has the value it is said to have, and is of its kind."""
    points = evidence.problem.critical_points
    if not points:
        return []
    off, moving, kinds = 0.0, 0.0, []
    for claimed in points:
        site = site_at(evidence.probe, pack(claimed.point), evidence.rng)
        rounding = SLACK * (site.value_noise + EPS * abs(claimed.value))
        off = np.maximum(off, abs(site.value - claimed.value) / (rounding or 1.0))
        if evidence.problem.nonsmooth is None or evidence.problem.prox is not None:
            residual = float(np.linalg.norm(evidence.probe.residual(site.point)))
            noise = stationary_noise(evidence, site) or 1.0
            moving = np.maximum(moving, residual / noise)
        kinds += _unlike(evidence, claimed, site)
    found = "; ".join(kinds) or f"{len(points)} points are of their kinds"
    return [
        at_most("critical value", off, 1, f"|f - its value| at {len(points)}, in rounding"),
        at_most("critical point", moving, 1, f"residual at {len(points)}, in units of rounding"),
        at_most("critical kind", len(kinds), 0, found),
    ]


def _unlike(evidence: Evidence, claimed: CriticalPoint, site: Site) -> list[str]:
    """What speaks against the kind of a critical point."""
    lower, higher = _neighborhood(evidence, site)
    against = {
        "local minimum": {"has lower points near": lower},
        "maximum": {"has higher points near": higher},
        "saddle": {"has no lower point near": not lower, "has no higher point near": not higher},
    }[claimed.kind]
    reasons = [reason for reason, holds in against.items() if holds]
    return [f"the {claimed.kind} of value {claimed.value:.6g} {reason}" for reason in reasons]


def _neighborhood(evidence: Evidence, site: Site) -> tuple[bool, bool]:
    """Whether points lie lower, and higher, than a point next to it."""
    probe, dim = evidence.probe.retracted, site.point.size
    directions = evidence.rng.standard_normal((NUM_DIRECTIONS, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hessian = probe.hessian(site.point) if dim <= DENSE else np.full((1, 1), np.nan)
    if np.isfinite(hessian).all():
        eigenvectors = np.linalg.eigh((hessian + hessian.T) / 2)[1].T
        directions = np.concatenate([directions, eigenvectors[[0, -1]]])
    directions = np.concatenate([directions, -directions])
    radii = np.array(RADII) * (1 + float(np.linalg.norm(site.point)))
    points = site.point + (radii[:, None, None] * directions).reshape(-1, dim)
    rises = probe(points).value - site.value
    rises = rises[np.isfinite(rises)]
    rounding = SLACK * (site.value_noise + EPS * abs(site.value))
    return bool(np.any(rises < -rounding)), bool(np.any(rises > rounding))
