"""Many solvers from many starts, and what their ends have in common."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import scipy.optimize
from certify.polish import newton_step, scaled_spectrum

from optbench.checks.probes import DENSE, EPS, SLACK, Probe, pack, site_at, unpack

SEEDS = 4  # starts of the problem's own
SPREADS = (0.3, 1.0, 2.0) * 4  # of further starts around them
INSIDE = 24  # starts in the region, where there is one
SMALL = 60  # dimensions up to which every solver runs from every start
REFINEMENTS = 10  # Newton steps
CLIMB = 1e-9  # relative rise of f that counts as rounding
REFINED = 12  # ends that are refined
LEAST = 1e-13  # of a gradient beside that of the start
FAR = 1e100  # no minimizer lies beyond
SAME = 1e-6  # relative distance of points that are one

ValueAndGrad = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclasses.dataclass(frozen=True, eq=False)
class Stationary:
    """A point where the gradient vanishes to rounding.

    Attributes:
        point: [n].
        value: f.
        value_noise: how much of that is rounding.
        grad_norm: |grad f|.
        curvature: the smallest eigenvalue of the Hessian; nan beyond 1000 dimensions.
        flat: how many eigenvalues are zero to rounding, and so whether x* is not alone.
        convex: whether no eigenvalue is negative beyond rounding.
        settled: whether a further Newton step moves the point by rounding only.
        solvers: whose ends these are.
    """

    point: np.ndarray
    value: float
    value_noise: float
    grad_norm: float
    curvature: float
    flat: int
    convex: bool
    settled: bool
    solvers: tuple[str, ...]


def starts_of(probe: Probe, region: tuple[tuple[float, float], ...] | None) -> list[np.ndarray]:
    """The problem's own starts, points around them, and points of its region."""
    rng = np.random.default_rng(0)
    own = [pack(probe.problem.start(seed)) for seed in range(SEEDS)]
    spread = 1 + np.sqrt(np.mean(own[0] ** 2))
    near = [own[0] + s * spread * rng.standard_normal(own[0].size) for s in SPREADS]
    inside = []
    if region is not None:
        low, high = np.array(region).T
        inside = list(rng.uniform(low, high, (INSIDE, len(region))))
    points = [*own, *near, *inside]
    return [x for x, f in zip(points, probe(np.stack(points)).value, strict=True) if np.isfinite(f)]


def ends(probe: Probe, starts: list[np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """(solver, where it stops) of every descent."""
    dim = starts[0].size
    lowest = sorted(starts, key=lambda x: probe.value_and_grad(x)[0])
    for x in starts if dim <= SMALL else starts[:2]:
        yield "l-bfgs-b", _minimize(probe, x, "L-BFGS-B", maxiter=3000, ftol=0, maxcor=20)
    if dim <= SMALL:
        for x in [*starts[:2], *lowest[:2]]:
            yield "bfgs", _minimize(probe, x, "BFGS", maxiter=1000)
    if dim <= DENSE:
        method = "trust-exact" if dim <= SMALL else "trust-ncg"
        for x in [*starts[:SEEDS], *lowest[:4]] if dim <= SMALL else starts[:1]:
            yield method, _minimize(probe, x, method, maxiter=300)
    if probe.problem.residuals is not None and dim <= DENSE:
        residuals, jacobian = _residuals(probe, probe.problem.residuals)
        for x in starts[:SEEDS]:
            yield "least-squares", _least_squares(residuals, jacobian, x)


def _minimize(probe: Probe, start: np.ndarray, method: str, **options: Any) -> np.ndarray:
    """Where a solver of scipy stops; values that are not finite turn it back."""
    first, grad = probe.value_and_grad(start)
    worst, options["gtol"] = [first], LEAST * min(1.0, float(np.max(np.abs(grad))))

    def value_and_grad(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, grad = probe.value_and_grad(x)
        if np.isfinite(value) and np.all(np.isfinite(grad)):
            worst[0] = max(worst[0], value)
            return value, grad
        return worst[0] + 1, np.zeros_like(x)

    second = {}
    if method.startswith("trust"):
        second["hess"] = lambda x: np.nan_to_num(probe.hessian(x))
    try:
        with np.errstate(all="ignore"):
            return scipy.optimize.minimize(
                value_and_grad, start, jac=True, method=method, options=options, **second
            ).x
    except (UnboundLocalError, ValueError):  # trust-exact, where a Hessian overflows
        return start


def _residuals(probe: Probe, residuals: Callable[..., Any]) -> tuple[Any, Any]:
    """Compiled residuals and their Jacobian, of flat coordinates."""

    def flat(x: Any) -> Any:
        found = residuals(unpack(probe.layout, x), *probe.problem.data)
        return jax.numpy.concatenate([leaf.ravel() for leaf in jax.tree.leaves(found)])

    return jax.jit(flat), jax.jit(jax.jacobian(flat))


def _least_squares(residuals: Any, jacobian: Any, start: np.ndarray) -> np.ndarray:
    def in_float64(function: Any, x: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            return np.nan_to_num(np.asarray(function(x)), nan=1e150, posinf=1e150, neginf=-1e150)

    values: Any = functools.partial(in_float64, residuals)
    slopes: Any = functools.partial(in_float64, jacobian)
    method = "lm" if values(start).size >= start.size else "trf"
    tiny = dict.fromkeys(("ftol", "xtol", "gtol"), EPS)
    with np.errstate(all="ignore"):
        found = scipy.optimize.least_squares(
            values, start, jac=slopes, method=method, x_scale="jac", max_nfev=500, **tiny
        )
    return found.x


def refine(probe: Probe, point: np.ndarray) -> np.ndarray:
    """Where the gradient is least, in the scales of the Hessian, on Newton's way down."""
    value, grad = probe.value_and_grad(point)
    if point.size > DENSE:
        return point
    tried = [(np.inf, point)]
    for _ in range(REFINEMENTS):
        hessian = probe.hessian(point)
        if not np.all(np.isfinite(hessian)):
            break
        tried.append((float(np.linalg.norm(scaled_spectrum(hessian)[0] * grad)), point))
        point = point + newton_step(hessian, grad)
        before, (value, grad) = value, probe.value_and_grad(point)
        if not value - before <= CLIMB * max(abs(before), abs(value)):
            break
    return min(tried, key=lambda pair: pair[0])[1]


def stationary_points(probe: Probe) -> list[Stationary]:
    """What the descents find, lowest first, each point once; only where the gradient vanishes."""
    with np.errstate(over="ignore"):  # on the way to infinity
        return _stationary_points(probe)


def _stationary_points(probe: Probe) -> list[Stationary]:
    starts = starts_of(probe, probe.problem.region)
    found = [(probe.value_and_grad(x)[0], solver, x) for solver, x in ends(probe, starts)]
    found = [f for f in found if np.isfinite(f[0]) and np.max(np.abs(f[2])) < FAR]
    found.sort(key=lambda f: f[0])
    groups: list[tuple[float, np.ndarray, set[str]]] = []
    for value, solver, x in found:
        for _, y, solvers in groups:
            if np.linalg.norm(x - y) <= 1e-3 * (1e-12 + np.linalg.norm(x) + np.linalg.norm(y)):
                solvers.add(solver)
                break
        else:
            groups.append((value, x, {solver}))
    start_norm = float(np.linalg.norm(probe.value_and_grad(starts[0])[1]))
    points: list[Stationary] = []
    for _, x, solvers in groups[:REFINED]:
        point = _examined(probe, refine(probe, x), start_norm, tuple(sorted(solvers)))
        if point is not None and not any(_same(point.point, p.point) for p in points):
            points.append(point)
    return sorted(points, key=lambda p: p.value)


def _same(x: np.ndarray, y: np.ndarray) -> bool:
    return bool(np.linalg.norm(x - y) <= SAME * (SAME + np.linalg.norm(x) + np.linalg.norm(y)))


def _examined(
    probe: Probe, point: np.ndarray, start_norm: float, solvers: tuple[str, ...]
) -> Stationary | None:
    """The point with its second derivatives, if its gradient is rounding."""
    site = site_at(probe, point, np.random.default_rng(0))
    norm = float(np.linalg.norm(site.grad))
    if not norm <= SLACK * (site.grad_noise + EPS * start_norm):
        return None
    if point.size > DENSE:
        return Stationary(point, site.value, site.value_noise, norm, np.nan, 0, True, True, solvers)
    hessian = probe.hessian(point)
    scales, eigenvalues, vectors = scaled_spectrum(hessian)
    rounding = point.size * SLACK * EPS * np.max(np.abs(eigenvalues))
    step = np.linalg.norm(newton_step(hessian, site.grad))
    return Stationary(
        point,
        site.value,
        site.value_noise,
        norm,
        smallest_eigenvalue(hessian),
        int(np.sum(np.abs(eigenvalues) <= rounding)),
        bool(eigenvalues[0] >= -rounding),
        bool(step <= SAME * (SAME + np.linalg.norm(point))),
        solvers,
    )


def smallest_eigenvalue(hessian: np.ndarray) -> float:
    """Of a symmetric matrix; where it is definite, one over the largest of the inverse.

    That has full relative accuracy also where the scales of the coordinates differ widely.
    """
    scales, eigenvalues, vectors = scaled_spectrum(hessian)
    if eigenvalues[0] <= len(hessian) * SLACK * EPS * eigenvalues[-1]:
        return float(np.linalg.eigvalsh(hessian)[0])
    rows = scales[:, None] * vectors / np.sqrt(eigenvalues)
    return float(1 / np.linalg.norm(rows, 2) ** 2)
