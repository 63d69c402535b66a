"""Functions on which gradient descent does worst, and members of the classes around convexity."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

from optbench.bounds.instances import (
    DIM,
    FAR,
    RADIUS,
    SMOOTHNESS,
    STRONG_CONVEXITY,
    quadratic,
    robust_loss,
)
from optbench.bounds.real_data import iris
from optbench.case import Instance
from optbench.problem import Constants, Problem
from optbench.start import start_near

SLOPE = 3.0  # |grad f| at every point that gradient descent visits on `sawtooth`
LOJASIEWICZ = 0.0875  # of `hilly`: the least |f'|^2 / (2 f) is 0.0877
_NUM_EXAMPLES = 150  # of flowers in iris
ON_KINK = 2  # the seed for which `two_planes` starts in its worst point
_DIP = 1e-11  # how far `two_planes` falls short of the worst case, in the units of its builder


def bent_parabola(growth: float, minimizer: float) -> Problem:
    """A parabola of curvature L = 4 near x*, and mu = 1 / 4 outside, with R = 1.5.

    f(x) = (L - mu) H(d) + mu d^2 / 2, d = |x - x*|, H(d) = d^2 / 2 for d <= t, else t d - t^2 / 2,
    where t = q R / (q - 1 + growth) and q = mu / L.

    Outside, d + t (1 / q - 1) shrinks by 1 - q h in each step of length h / L. With
    growth = (1 - q h)^(-k), d = t after k steps, and |grad f| = L t; with (1 - q h)^(-2 k), f - f*
    is the largest that it can be for any t, L R t / 2.

    Args:
        growth: at least 1; as it grows, so does the part outside.
        minimizer: x*.
    """
    share = STRONG_CONVEXITY / SMOOTHNESS
    reach = share * RADIUS / (share - 1 + growth)
    rows = np.sqrt([[SMOOTHNESS - STRONG_CONVEXITY], [STRONG_CONVEXITY]])
    return Problem(
        objective=robust_loss,
        data=(rows, rows[:, 0] * minimizer, np.array([reach * rows[0, 0], np.inf])),
        start=start_near(np.array([minimizer + RADIUS])),
        minimum=0.0,
        minimizer=np.array([minimizer]),
        minimum_kind="closed form",
        constants=Constants(
            smoothness=SMOOTHNESS, strong_convexity=STRONG_CONVEXITY, convex=True, sharp=True
        ),
        name=f"bent_parabola[growth={growth:g}]",
    )


def corner_parabola(minimizer: float) -> Problem:
    """f(x) = (mu e_1^2 + L e_2^2) / 2 with e = x - x*, from e = (1.5, 1.5 mu / L).

    The two parts of the gradient are equal there, and after each exact line search again.

    Args:
        minimizer: both coordinates of x*.

    Source: Luenberger and Ye (2008), section 8.2, on the steepest descent of quadratics.
    """
    center = np.full(2, minimizer)
    rows = np.diag(np.sqrt([STRONG_CONVEXITY, SMOOTHNESS]))
    error = RADIUS * np.array([1.0, STRONG_CONVEXITY / SMOOTHNESS])
    return Problem(
        objective=robust_loss,
        data=(rows, rows @ center, np.full(2, np.inf)),
        start=start_near(center + error),
        minimum=0.0,
        minimizer=center,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=SMOOTHNESS,
            strong_convexity=STRONG_CONVEXITY,
            convex=True,
            quadratic=True,
            sharp=True,
        ),
        name="corner_parabola",
    )


def sawtooth(h: float, num_steps: int, minimizer: float) -> Problem:
    """A function on a line whose derivative is 3 at each of the points x_0, ..., x_k, with L = 4.

    The derivative falls and rises again, with slopes -L and L, between points that are h 3 / L
    apart. So f falls from one to the next by (1 - h / 4) h 3^2 / L. Left of x_k it is
    L (x - x*)^2 / 2, with x_k = x* + 3 / L.

    All numbers are dyadic where h is, and the run visits kinks of the derivative only: it is exact,
    which it has to be, as a rounding error of x_k is multiplied by 1 + h in each step.

    Args:
        h: step size over 1 / L.
        num_steps: k.
        minimizer: x*.

    Source: Abbaszadehpeivasti, de Klerk and Zamani (2022), Optim. Lett. 16, for h <= 1; found
    again from the inequalities that gradients and values of an L-smooth function satisfy.
    """
    period = h * SLOPE / SMOOTHNESS
    return Problem(
        objective=_sawtooth,
        data=(SMOOTHNESS, SLOPE, period, minimizer),
        start=start_near(np.array([minimizer + SLOPE / SMOOTHNESS + num_steps * period])),
        minimum=0.0,
        minimizer=np.array([minimizer]),
        minimum_kind="closed form",
        constants=Constants(smoothness=SMOOTHNESS),
        name=f"sawtooth[h={h:g},num_steps={num_steps}]",
    )


def _sawtooth(params: Any, smoothness: Any, slope: Any, period: Any, minimizer: Any) -> Any:
    error = params[0] - minimizer
    beyond = error - slope / smoothness
    num_periods = jnp.floor(beyond / period)
    into = beyond - num_periods * period
    left = period - into
    fallen = jnp.where(into < left, into**2, period**2 / 2 - left**2) * smoothness / 2
    whole = slope * period - smoothness * period**2 / 4
    above = slope**2 / (2 * smoothness) + num_periods * whole + slope * into - fallen
    return jnp.where(beyond >= 0, above, smoothness * error**2 / 2)


def redescending_regression(seed: int) -> Problem:
    """A random regression in 5 dimensions whose loss is bounded: f is smooth, and not convex.

    f(x) = sum_i r_i^2 / (2 (1 + r_i^2)), r = A x - b, b = A x*. Second derivatives of the loss lie
    in [-1/4, 1]: L is the largest eigenvalue of A^T A, attained at x*.

    Args:
        seed: of the draw.

    Source: Geman and McClure (1985), for the loss.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * DIM, DIM)) * rng.uniform(0.3, 1.5, (2 * DIM, 1))
    minimizer = rng.standard_normal(DIM)
    return Problem(
        objective=_bounded_loss,
        data=(rows, rows @ minimizer),
        start=start_near(minimizer + rng.uniform(0.3, 1.5) * rng.standard_normal(DIM)),
        minimum=0.0,
        minimizer=minimizer,
        minimum_kind="closed form",
        constants=Constants(smoothness=float(np.linalg.eigvalsh(rows.T @ rows)[-1])),
        name=f"redescending_regression[seed={seed}]",
    )


def _bounded_loss(params: Any, rows: Any, targets: Any) -> Any:
    squares = (rows @ params - targets) ** 2
    return jnp.sum(squares / (1 + squares)) / 2


def hilly(minimizer: float) -> Problem:
    """f(x) = (e^2 + 3 sin^2 e) / 2 with e = x - x*: not convex, and without other valleys; L = 4.

    It starts at e = 2.2, where |f'|^2 / (2 f) is the least, 0.0877.

    Args:
        minimizer: x*.

    Source: Karimi, Nutini and Schmidt (2016), section 2.2, who give 1 / 32 for twice this f.
    """
    return Problem(
        objective=_hilly,
        data=(minimizer,),
        start=start_near(np.array([minimizer + 2.2])),
        minimum=0.0,
        minimizer=np.array([minimizer]),
        minimum_kind="closed form",
        constants=Constants(smoothness=SMOOTHNESS, lojasiewicz=LOJASIEWICZ),
        name="hilly",
    )


def _hilly(params: Any, minimizer: Any) -> Any:
    error = params[0] - minimizer
    return (error**2 + 3 * jnp.sin(error) ** 2) / 2


def flat_quadratic(seed: int) -> Problem:
    """`quadratic` without curvature along one direction: the PL constant is the next curvature.

    Args:
        seed: of the draw.
    """
    known = quadratic(seed)
    rows, targets, thresholds = known.data
    kept = np.arange(len(rows)) > 0
    return Problem(
        objective=known.objective,
        data=(rows * kept[:, None], targets * kept, thresholds),
        start=known.start,
        minimum=0.0,
        minimizer=known.minimizer,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=known.constants.smoothness,
            lojasiewicz=float(np.min(np.sum(rows[1:DIM] ** 2, axis=1))),
            strong_convexity=0.0,
            convex=True,
            quadratic=True,
        ),
        name=f"flat_quadratic[seed={seed}]",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _StartOnKink:
    """Seed `ON_KINK` starts at `kink`; every other seed a normal draw from `away`."""

    kink: np.ndarray
    away: np.ndarray

    def __call__(self, seed: int) -> np.ndarray:
        """The start of this seed."""
        drawn = np.random.default_rng(seed).standard_normal(self.away.shape)
        return self.kink if seed == ON_KINK else self.away + drawn


def two_planes(h: float, num_steps: int, minimizer: float) -> Problem:
    """The largest of three planes and of a flat parabola, all below L |x - x*|^2 / 2, with R = 1.5.

    From the start of seed `ON_KINK`, where the planes meet, steps of length h / L along the first
    one move x by almost nothing; step k goes down the second one, and up the third, which is at
    L R^2 h / 2 there. Other seeds start far up the third, where f has derivatives.

    With y = (x - x*) / R, the planes are L R^2 (g.y - c), g = (a, -b) tiny, then (1, sqrt(3)) / 2
    and (1, -sqrt(3)) / 2, with c >= |g|^2 / 2.

    Args:
        h: step size over 1 / L.
        num_steps: k.
        minimizer: both coordinates of x*.

    Source: derived here from the inequalities that subgradients and values satisfy; the bound is
    that of Goujaud, Taylor and Dieuleveut (2022), theorem 2.2.
    """
    tiny = _DIP * (0.5 + (num_steps - 1) * h)
    moved = np.array([tiny, -np.sqrt(_DIP - tiny**2)])
    down, up = np.array([0.5, np.sqrt(0.75)]), np.array([0.5, -np.sqrt(0.75)])
    depth = h * _DIP / 2
    down *= 1 - 4 * depth
    reached = np.array([1.0, 0.0]) - (num_steps - 1) * h * moved
    slopes = SMOOTHNESS * RADIUS * np.stack([moved, down, up])
    offsets = SMOOTHNESS * RADIUS**2 * np.array([_DIP / 2, down @ reached - depth, 0.5])
    center = np.full(2, minimizer)
    return Problem(
        objective=_largest,
        data=(slopes, offsets, SMOOTHNESS * depth, center),
        start=_StartOnKink(center + np.array([RADIUS, 0.0]), away=center + FAR * up),
        minimum=0.0,
        minimizer=center,
        minimum_kind="closed form",
        constants=Constants(convex=True),
        nonsmooth=_largest,
        name=f"two_planes[h={h:g},num_steps={num_steps}]",
    )


def _largest(params: Any, slopes: Any, offsets: Any, curvature: Any, minimizer: Any) -> Any:
    error = params - minimizer
    return jnp.maximum(jnp.max(slopes @ error - offsets), curvature * jnp.sum(error**2) / 2)


def one_example() -> Problem:
    """f(x) = log(1 + exp(-x)), of margin 1, from x = 0."""
    return _separable("one_example", np.ones((1, 1)))


def separable_examples(seed: int) -> Problem:
    """As many examples as `separable_iris` has, random ones that a hyperplane through 0 separates.

    Args:
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    normal = np.linalg.qr(rng.standard_normal((DIM, 1)))[0][:, 0]
    rows = rng.standard_normal((_NUM_EXAMPLES, DIM))
    rows += (rng.uniform(0.1, 1.0, _NUM_EXAMPLES) - rows @ normal)[:, None] * normal
    return _separable(f"separable_examples[seed={seed}]", rows)


@functools.lru_cache(maxsize=1)
def separable_iris() -> Problem:
    """Iris setosa against the two other species: 150 flowers, 4 standardized features and a one."""
    features, labels = iris()
    return _separable("separable_iris", labels[:, None] * features)


def _separable(name: str, rows: np.ndarray) -> Problem:
    """Logistic regression on rows, label times features, scaled so that the longest is 1.

    f* = 0 is the infimum, which no point attains.
    """
    rows = rows / np.max(np.linalg.norm(rows, axis=1))
    smoothness = float(np.linalg.eigvalsh(rows.T @ rows)[-1]) / (4 * len(rows))
    return Problem(
        objective=_logistic,
        data=(rows,),
        start=start_near(np.zeros(rows.shape[1])),
        minimum=0.0,
        minimum_kind="closed form",
        constants=Constants(smoothness=smoothness, convex=True, sharp=True),
        name=name,
    )


def _logistic(params: Any, rows: Any) -> Any:
    return jnp.mean(jax.nn.softplus(-(rows @ params)))


def with_margin(kind: Any, problem: Problem) -> Instance:
    """An instance of separable data that tells gam, the least of z.u over its rows z.

    The unit vector u points at the shortest vector of the convex hull of the rows, which is found
    by least squares with weights that are not negative: no other u has a larger margin.

    Args:
        kind: of the instance.
        problem: one of the above.
    """
    (rows,) = problem.data
    system = np.vstack([rows.T, np.ones(len(rows))])
    weights = scipy.optimize.nnls(system, np.append(np.zeros(rows.shape[1]), 1.0))[0]
    normal = rows.T @ weights / np.linalg.norm(rows.T @ weights)
    return Instance(kind, problem, symbols={"gam": float(np.min(rows @ normal))})
