"""Laws of values and derivatives."""

from __future__ import annotations

import numpy as np

from optbench.checks.probes import EPS, SLACK, Answers, Evidence, Probe, Site, in_units
from optbench.checks.record import Check, at_most

COMPONENTS = 16  # partial derivatives checked, where there are more


def finite(evidence: Evidence) -> Check:
    """f, its gradient and a Hessian product are finite at the starts."""
    points = np.stack([site.point for site in evidence.starts])
    answers = evidence.probe(points, evidence.rng.standard_normal(points.shape))
    bad = [
        name
        for name, array in zip(("f", "gradient", "Hessian product"), answers, strict=True)
        if not np.all(np.isfinite(array))
    ]
    detail = f"not finite at the start: {', '.join(bad)}" if bad else "finite at two starts"
    return at_most("finite", len(bad), 0, detail)


def taylor(evidence: Evidence) -> Check:
    """|f(x + h d) - f(x) - h grad f(x).d| falls as h^2, over the smallest decade above rounding."""
    shortfalls = []
    for site in evidence.starts:
        for direction in evidence.rng.standard_normal((2, site.point.size)):
            direction /= np.linalg.norm(direction)
            steps = 10.0 ** (-np.arange(24) / 2) * max(1.0, float(np.linalg.norm(site.point))) / 10
            values = evidence.probe(site.point + steps[:, None] * direction).value
            changes = steps * (site.grad @ direction)
            remainders = np.abs(values - site.value - changes)
            rounding = np.maximum(site.value_noise, EPS * (np.abs(values) + np.abs(changes)))
            shortfalls.append(_slope_shortfall(remainders, 10 * SLACK * rounding))
    known = [s for s in shortfalls if s is not None]
    if not known:
        return at_most("taylor", 0, 0.1, "f is linear to rounding along all directions tried")
    detail = f"slope {2 - max(known):.3f} of the remainder in h, where 2 is right"
    return at_most("taylor", max(known), 0.1, detail)


def _slope_shortfall(remainders: np.ndarray, floor: np.ndarray) -> float | None:
    """2 minus the slope over the smallest decade (two of the half-decade steps) above the floor."""
    usable = np.flatnonzero(remainders > floor)
    if len(usable) == 0 or usable[-1] < 2:
        return None
    last = usable[-1]
    return float(2 - np.log10(remainders[last - 2] / remainders[last]))


def gradient(evidence: Evidence) -> Check:
    """Partial derivatives equal central differences to 10 (eps |f| / h + h^2 |f'''|)."""
    worst, textbook = 0.0, 0.0
    for site in evidence.starts:
        num = min(COMPONENTS, site.point.size)
        chosen = np.sort(evidence.rng.permutation(site.point.size)[:num])
        directions = np.zeros((num, site.point.size))
        directions[np.arange(num), chosen] = 1.0
        steps = np.cbrt(EPS) * np.maximum(1.0, np.abs(site.point[chosen]))
        above, below = _both_sides(evidence.probe, site, steps[:, None] * directions, directions)
        steps = ((site.point + steps[:, None] * directions) - site.point)[np.arange(num), chosen]
        slopes = (above.value - below.value) / (2 * steps)
        thirds = np.sum((above.product - below.product) * directions, axis=1) / (2 * steps)
        errors = np.abs(slopes - site.grad[chosen])
        scale = np.maximum(np.abs(above.value), np.abs(below.value))
        units = (EPS * scale + site.value_noise) / steps + steps**2 * np.abs(thirds)
        worst = max(worst, float(np.max(in_units(errors, units))))
        sizes = np.maximum(np.abs(slopes), np.abs(site.grad[chosen]))
        textbook = max(textbook, float(np.max(in_units(errors, sizes))))
    detail = (
        f"worst relative error {textbook:.1e} (the textbook asks for 1e-7), in units of rounding"
    )
    return at_most("gradient", worst, 10.0, detail)


def hessian_product(evidence: Evidence) -> Check:
    """Hessian products equal central differences of gradients."""
    worst = 0.0
    for site in evidence.starts:
        directions = evidence.rng.standard_normal((2, site.point.size))
        directions *= np.maximum(1.0, np.abs(site.point))
        step = np.cbrt(EPS)
        above, below = _both_sides(evidence.probe, site, step * directions, directions)
        center = evidence.probe(np.stack([site.point] * 2), directions).product
        differences = (above.grad - below.grad) / (2 * step)
        errors = np.linalg.norm(differences - center, axis=1)
        bends = np.linalg.norm(above.product - 2 * center + below.product, axis=1)
        sizes = np.linalg.norm(above.grad, axis=1) + np.linalg.norm(below.grad, axis=1)
        rounding = (EPS * sizes + site.grad_noise) / step
        lengths = np.linalg.norm(directions, axis=1) / np.sqrt(site.point.size)
        shifts = float(np.linalg.norm(site.point)) / lengths
        moved = EPS * np.linalg.norm(center, axis=1) * shifts / step
        worst = max(worst, float(np.max(in_units(errors, rounding + moved + bends))))
    return at_most("hessian product", worst, 10.0, "against differences, in units of rounding")


def symmetric(evidence: Evidence) -> Check:
    """u.Hv = v.Hu."""
    worst = 0.0
    for site in evidence.starts:
        u, v = evidence.rng.standard_normal((2, site.point.size))
        hu, hv = evidence.probe(np.stack([site.point] * 2), np.stack([u, v])).product
        scale = np.linalg.norm(u) * np.linalg.norm(hv) + np.linalg.norm(v) * np.linalg.norm(hu)
        worst = max(worst, float(in_units(np.abs(u @ hv - v @ hu), EPS * scale)))
    return at_most("symmetric", worst, SLACK, "|u.Hv - v.Hu|, in units of rounding")


def _both_sides(
    probe: Probe, site: Site, moves: np.ndarray, directions: np.ndarray
) -> tuple[Answers, Answers]:
    """The answers at site + moves and at site - moves."""
    points = np.concatenate([site.point + moves, site.point - moves])
    answers = probe(points, np.concatenate([directions, directions]))
    half = len(moves)
    return Answers(*(a[:half] for a in answers)), Answers(*(a[half:] for a in answers))
