"""Laws of what a problem's passport claims: its minimum and its constants."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.optimize

from optbench.checks.probes import DENSE, EPS, SLACK, Evidence, Site
from optbench.checks.record import Check, at_most

DESCENT_STEPS = 100


def minimum(evidence: Evidence) -> list[Check]:
    """f(x*) = f*, x* is optimal, a certificate where one is claimed, and nothing lies below."""
    problem, best = evidence.problem, evidence.minimizer
    if problem.minimum is None:
        return []
    provenance = f"f* is {problem.minimum_kind or 'of unstated provenance'}"
    checks = [at_most("provenance", float(problem.minimum_kind is None), 0, provenance)]
    if best is not None:
        error = abs(best.value - problem.minimum)
        allowed = SLACK * (best.value_noise + EPS * abs(problem.minimum))
        checks.append(at_most("minimum", error, allowed, "|f(x*) - f*|, against its rounding"))
        norm = float(np.linalg.norm(evidence.probe.residual(best.point)))
        if problem.nonsmooth is None or problem.prox is not None:
            allowed = stationary_noise(evidence, best)
            detail = "optimality residual at x*, against its rounding"
            checks.append(at_most("stationary", norm, allowed, detail))
        if problem.minimum_kind == "certified":
            checks.append(_certified(evidence, norm))
    return [*checks, _never_beaten(evidence)]


def stationary_noise(evidence: Evidence, site: Site) -> float:
    """The most that the optimality residual at a critical point may be: rounding."""
    sizes = [float(np.linalg.norm(evidence.starts[0].grad))]
    if evidence.problem.prox is not None:
        sizes += [float(np.linalg.norm(site.grad)), float(np.linalg.norm(site.point))]
    return SLACK * (site.grad_noise + EPS * sum(sizes))


def _certified(evidence: Evidence, residual: float) -> Check:
    """A subgradient u at a point x bounds f(x) - f* by |u|^2 / (2 mu).

    One at prox(x - grad (f - h)(x)) is no longer than 1 + L times the natural residual at x.
    """
    mu, smoothness = evidence.problem.constants.strong_convexity, 0.0
    if evidence.problem.prox is not None:
        smoothness = evidence.problem.constants.smoothness or np.inf
    if not mu:
        return Check("certified", False, "a certificate needs a positive strong_convexity")
    allowed = SLACK * EPS * abs(evidence.problem.known_minimum)
    detail = "the gap that the optimality residual at x* and mu allow"
    return at_most("certified", ((1 + smoothness) * residual) ** 2 / (2 * mu), allowed, detail)


def _never_beaten(evidence: Evidence) -> Check:
    """No point seen, and none on a descent by L-BFGS, lies below the minimum."""

    def value_and_grad(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, grad = retracted.value_and_grad(point)
        if np.isfinite(value) and np.all(np.isfinite(grad)):
            seen.append(value)
            return value, grad
        return max(seen) + 1, np.zeros_like(point)  # the line search turns back

    retracted = evidence.probe.retracted
    seen = [evidence.starts[1].value, *map(float, evidence.probe(evidence.cloud).value)]
    scipy.optimize.minimize(
        value_and_grad,
        evidence.starts[1].point,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": DESCENT_STEPS},
    )
    known = evidence.problem.known_minimum
    best = evidence.minimizer
    rounding = EPS * abs(known) + (best.value_noise if best is not None else EPS * abs(min(seen)))
    detail = f"f* - the lowest of {len(seen)} values, a descent among them"
    return at_most("never beaten", known - min(seen), SLACK * rounding, detail)


class Pairs(NamedTuple):
    """Q pairs (x, y) of points, and what f says of each.

    Attributes:
        moves: [Q, n] x - y.
        distances: [Q] |x - y|.
        changes: [Q, n] grad f(x) - grad f(y).
        drops: [Q] how far f(x) lies below the tangent at y.
        lengths: [P] of the gradients of f at the points themselves.
        turns: [Q] |(H(x) - H(y)) v|, for a unit vector v.
        rounding: [Q] error of a gradient difference over a distance.
        value_rounding: [Q] error of a drop, beyond that of its gradients.
    """

    moves: np.ndarray
    distances: np.ndarray
    changes: np.ndarray
    drops: np.ndarray
    lengths: np.ndarray
    turns: np.ndarray
    rounding: np.ndarray
    value_rounding: np.ndarray


def _pairs(evidence: Evidence) -> Pairs:
    points = np.concatenate([np.stack([site.point for site in evidence.sites]), evidence.cloud])
    direction = evidence.rng.standard_normal(points.shape[1])
    _, grad, product = evidence.probe.smooth(points, direction / np.linalg.norm(direction))
    value, whole, _ = evidence.probe(points)
    x, y = np.triu_indices(len(points), 1)
    sizes = np.linalg.norm(points[x], axis=1) + np.linalg.norm(points[y], axis=1)
    apart = np.linalg.norm(points[x] - points[y], axis=1) > 1e-6 * sizes
    x, y, sizes = x[apart], y[apart], sizes[apart]
    moves, changes = points[x] - points[y], grad[x] - grad[y]
    distances = np.linalg.norm(moves, axis=1)
    slopes = np.linalg.norm(whole[y], axis=1) * sizes
    curvature = np.max(np.linalg.norm(changes, axis=1) / distances)
    return Pairs(
        moves,
        distances,
        changes,
        value[y] + np.sum(whole[y] * moves, axis=1) - value[x],
        np.linalg.norm(whole, axis=1),
        np.linalg.norm(product[x] - product[y], axis=1),
        SLACK * EPS * curvature * (1 + sizes / distances),
        SLACK * EPS * (np.abs(value[x]) + np.abs(value[y]) + slopes),
    )


def constants(evidence: Evidence) -> list[Check]:
    """L, mu, M and convexity hold on random pairs and in the spectrum of the Hessian."""
    claims = evidence.problem.constants
    figures = claims.smoothness, claims.strong_convexity, claims.hessian_lipschitz
    figures += (claims.gradient_bound, claims.lojasiewicz, claims.generalized_smoothness)
    if not (claims.convex or claims.quadratic) and all(figure is None for figure in figures):
        return []
    pairs, checks = _pairs(evidence), []
    if claims.smoothness is not None:
        slopes = np.linalg.norm(pairs.changes, axis=1) / pairs.distances
        excess = np.max(slopes - pairs.rounding) - claims.smoothness
        checks.append(at_most("smoothness", excess, 0, "|g(x) - g(y)| / |x - y| - L over pairs"))
    if claims.strong_convexity is not None:
        inner = np.sum(pairs.changes * pairs.moves, axis=1) / pairs.distances**2
        excess = claims.strong_convexity - np.min(inner + pairs.rounding)
        detail = "mu - (g(x) - g(y)).(x - y) / |x - y|^2 over pairs"
        checks.append(at_most("strong convexity", excess, 0, detail))
    if claims.convex:
        excess = np.max(pairs.drops - pairs.rounding * pairs.distances**2 - pairs.value_rounding)
        checks.append(at_most("convex", excess, 0, "tangent at y - f(x) over pairs"))
    if claims.gradient_bound is not None:
        excess = np.max(pairs.lengths) * (1 - SLACK * EPS) - claims.gradient_bound
        checks.append(at_most("gradient bound", excess, 0, "|g| - G over points"))
    bound = 0.0 if claims.quadratic else claims.hessian_lipschitz
    if bound is not None:
        excess = np.max(pairs.turns / pairs.distances - pairs.rounding / pairs.distances) - bound
        checks.append(at_most("hessian lipschitz", excess, 0, "|(H(x) - H(y)) v| / |x - y| - M"))
    return [*checks, *_lojasiewicz(evidence), *_generalized(evidence), *_spectrum(evidence)]


def _lojasiewicz(evidence: Evidence) -> list[Check]:
    """|grad f|^2 >= 2 mu (f - f*) at all points seen."""
    mu, minimum = evidence.problem.constants.lojasiewicz, evidence.problem.minimum
    if mu is None or minimum is None:
        return []
    seen = evidence.probe(np.concatenate([[site.point for site in evidence.sites], evidence.cloud]))
    rounding = SLACK * EPS * (np.abs(seen.value) + abs(minimum))
    excess = np.max(2 * mu * (seen.value - minimum - rounding) - np.sum(seen.grad**2, axis=1))
    return [at_most("lojasiewicz", excess, 0, "2 mu (f - f*) - |g|^2 over points")]


def _generalized(evidence: Evidence) -> list[Check]:
    """|H| <= L0 + L1 |grad f| where dense Hessians are taken."""
    claim, dim = evidence.problem.constants.generalized_smoothness, evidence.starts[0].point.size
    if claim is None or dim > DENSE:
        return []
    excess = -np.inf
    for site in evidence.sites:
        top = np.max(np.abs(np.linalg.eigvalsh(evidence.probe.smooth.hessian(site.point))))
        allowed = claim[0] + claim[1] * np.linalg.norm(site.grad)
        excess = max(excess, top * (1 - SLACK * EPS) - allowed)
    return [at_most("generalized smoothness", excess, 0, "|H| - L0 - L1 |g| over points")]


def _spectrum(evidence: Evidence) -> list[Check]:
    """Eigenvalues of dense Hessians lie in [mu, L], and reach both ends where these are sharp."""
    claims = evidence.problem.constants
    smoothness, convexity = claims.smoothness, claims.strong_convexity
    dim = evidence.starts[0].point.size
    if dim > DENSE or (smoothness is None and convexity is None):
        return []
    sites, smooth = (evidence.sites[0], evidence.sites[-1]), evidence.probe.smooth
    eigenvalues = np.stack([np.linalg.eigvalsh(smooth.hessian(s.point)) for s in sites])
    top, bottom = float(np.max(np.abs(eigenvalues))), float(np.min(eigenvalues))
    excess = max(
        top - smoothness if smoothness is not None else -np.inf,
        convexity - bottom if convexity is not None else -np.inf,
    )
    allowed = SLACK * EPS * np.sqrt(dim) * top
    detail = f"eigenvalues at two points reach from {bottom:.4g} to {top:.4g}"
    checks = [at_most("spectrum", excess, allowed, detail)]
    if claims.sharp:
        gaps = [
            abs(claimed - reached)
            for claimed, reached in ((smoothness, top), (convexity, bottom))
            if claimed is not None
        ]
        checks.append(at_most("sharp", max(gaps, default=np.inf), allowed, detail))
    return checks
