"""Theorems on methods with momentum, each as a performance estimation problem.

A function is named as its theorem and takes the theorem's symbols by name; `longer` multiplies the
step of the method.
"""

from __future__ import annotations

import itertools

from PEPit import Point
from PEPit.functions import SmoothConvexFunction, SmoothStronglyConvexFunction
from worst_case import (
    Worst,
    distance,
    gap,
    gradient_norm,
    quadratic_setting,
    quadratic_value,
    setting,
    solved,
)

# Nesterov's method: a gradient step, then momentum


def agd_simple_tight_primary(*, k, L, R, longer):
    made = setting(SmoothConvexFunction, L=L, R=R)
    return gap(made, nesterov(made.f.gradient, made.start, longer / L, simple(k))[0])


def agd_simple_tight_secondary(*, k, L, R, longer):
    made = setting(SmoothConvexFunction, L=L, R=R)
    return gap(made, nesterov(made.f.gradient, made.start, longer / L, simple(k))[1])


def agd_t_tight_huber(*, k, L, R, longer):
    made = setting(SmoothConvexFunction, L=L, R=R)
    return gap(made, nesterov(made.f.gradient, made.start, longer / L, classical(k))[0])


def nesterov(gradient, start, step, momenta):
    """The last point after a gradient step, and the one extrapolated from it."""
    x = y = start
    for momentum in momenta:
        following = y - step * gradient(y)
        x, y = following, following + momentum * (following - x)
    return x, y


def simple(k):
    return [i / (i + 3) for i in range(k)]


def thetas(k):
    """1, then each from the one before: t^2 - t = (the one before)^2."""

    def after(t, _):
        return (1 + (1 + 4 * t**2) ** 0.5) / 2

    return list(itertools.accumulate(range(k), after, initial=1.0))


def classical(k):
    return [(t - 1) / after for t, after in itertools.pairwise(thetas(k))]


# Optimized gradient methods


def optimized(k):
    """theta_0..theta_k; the last one solves t^2 - t = 2 theta_{k-1}^2."""
    *first, last = thetas(k - 1)
    return [*first, last, (1 + (1 + 8 * last**2) ** 0.5) / 2]


def ogm_tight(*, k, L, R, longer):
    made = setting(SmoothConvexFunction, L=L, R=R)
    x = y = made.start
    for t, after in itertools.pairwise(optimized(k)):
        following = x - longer / L * made.f.gradient(x)
        x = following + (t - 1) / after * (following - y) + t / after * (following - x)
        y = following
    return gap(made, x)


def ogmg_tight(*, k, L, f0, longer):
    """The coefficients of the optimized gradient method, in reverse order."""
    made = setting(SmoothConvexFunction, L=L, f0=f0)
    x = y = made.start
    for t, after in itertools.pairwise(reversed(optimized(k))):
        following = x - longer / L * made.f.gradient(x)
        ratio = (2 * after - 1) / (2 * t - 1)
        x = following + (t - 1) / t * ratio * (following - y) + ratio * (following - x)
        y = following
    return gradient_norm(made, x)


def cg_spansearch_convex(*, k, L, R):
    """Each point minimizes f over x_0 and the span of all slopes so far."""
    made = setting(SmoothConvexFunction, L=L, R=R)
    return gap(made, span_search(made, k)[-1])


def span_search(made, k):
    """The slope at a point is orthogonal to all slopes and all displacements so far."""
    points = [made.start]
    for _ in range(k):
        points.append(Point())
        slope = made.f.gradient(points[-1])
        for x in points[:-1]:
            made.program.add_constraint(slope * made.f.gradient(x) == 0)
            made.program.add_constraint(slope * (points[-1] - x) == 0)
    return points


# Strongly convex


def tmm(*, k, L, mu, R, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    rate = 1 - (mu / L) ** 0.5
    momentum = rate**2 / (2 - rate)
    inner, outer = momentum / (1 + rate), rate**2 / (1 - rate**2)
    before = now = made.start
    for _ in range(k):
        slope = made.f.gradient(now + inner * (now - before))
        following = now + momentum * (now - before) - longer * (1 + rate) / L * slope
        before, now = now, following
    return gap(made, now + outer * (now - before))


def item(*, k, L, mu, R, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    q, x, z = mu / L, made.start, made.start
    for a, after in itertools.pairwise(item_weights(k, q)):
        share = a / ((1 - q) * after)
        length = ((1 - q) ** 2 * after - (1 + q) * a) / (2 * (1 + q + q * a))
        y = (1 - share) * z + share * x
        slope = longer / L * made.f.gradient(y)
        x = y - slope
        z = (1 - q * length) * z + q * length * y - length * slope
    return distance(made, z)


def item_weights(k, q):
    def after(a, _):
        return ((1 + q) * a + 2 * (1 + ((1 + a) * (1 + q * a)) ** 0.5)) / (1 - q) ** 2

    return list(itertools.accumulate(range(k), after, initial=0.0))


# Quadratic


def hb_quad_exact(*, k, L, mu, R, longer):
    made = quadratic_setting(L=L, mu=mu)
    made.program.add_constraint(made.start**2 <= R**2)
    root = (L**0.5 - mu**0.5) / (L**0.5 + mu**0.5)
    step = 4 / (L**0.5 + mu**0.5) ** 2
    before = now = made.start
    for _ in range(k):
        following = now - longer * step * made.f.gradient(now) + root**2 * (now - before)
        before, now = now, following
    return distance(made, now)


def chebyshev_iter(*, k, L, mu, R, longer):
    made = quadratic_setting(L=L, mu=mu)
    made.program.add_constraint(made.start**2 <= R**2)
    before, now = made.start, made.start
    weight, spread = 1.0, (L - mu) / (L + mu)
    for i in range(k):
        weight = [1.0, 2 / (2 - spread**2)][i] if i < 2 else 4 / (4 - spread**2 * weight)
        step = longer * 2 / (L + mu) * made.f.gradient(now)
        before, now = now, weight * (now - step) + (1 - weight) * before
    return distance(made, now)


def cg_nemirovski(*, k, L, R):
    made = quadratic_setting(L=L, mu=0.0)
    made.program.add_constraint(made.start**2 <= R**2)
    last = span_search(made, k)[-1]
    return Worst(solved(made.program, quadratic_value(made, last)))


def cg_chebyshev_sharp(*, k, L, mu, f0):
    """f - f* is half the square of the norm of the error."""
    made = quadratic_setting(L=L, mu=mu)
    made.program.add_constraint(quadratic_value(made, made.start) <= f0)
    last = span_search(made, k)[-1]
    return Worst(solved(made.program, quadratic_value(made, last)))
