"""Theorems on gradient descent, each as a performance estimation problem.

A function is named as its theorem and takes the theorem's symbols by name; `longer` multiplies the
step of the method.
"""

from __future__ import annotations

from PEPit import PEP, Point
from PEPit.functions import (
    ConvexQGFunction,
    SmoothConvexFunction,
    SmoothFunction,
    SmoothStronglyConvexFunction,
)
from worst_case import (
    Worst,
    descent,
    distance,
    gap,
    gradient_norm,
    quadratic_setting,
    quadratic_value,
    setting,
    solved,
)

# Smooth and convex


def gd_convex_tight(*, k, h, L, R, longer):
    made = setting(SmoothConvexFunction, L=L, R=R)
    return gap(made, descent(made, [longer * h / L] * k)[-1])


def gd_convex_opt_const_step(*, k, h, L, R, longer):
    """The step is the h for which both terms of the bound of gd_convex_tight are one."""
    return gd_convex_tight(k=k, h=h, L=L, R=R, longer=longer)


def gd_convex_grad_dist(*, k, h, L, R, longer):
    made = setting(SmoothConvexFunction, L=L, R=R)
    return gradient_norm(made, descent(made, [longer * h / L] * k)[-1])


def gd_convex_grad_f(*, k, h, L, f0, longer):
    made = setting(SmoothConvexFunction, L=L, f0=f0)
    return gradient_norm(made, descent(made, [longer * h / L] * k)[-1])


def gd_convex_dist_monotone(*, a, L, R, g0, longer):
    """|x_0 - x*| <= R and |g_0| = g0 at once; the bound decreases in |g_0|."""
    made = setting(SmoothConvexFunction, L=L, R=R)
    made.program.add_constraint(made.f.gradient(made.start) ** 2 == g0**2)
    return distance(made, descent(made, [longer * a])[-1])


def gd_silver_tight(*, k, L, R, longer):
    made = setting(SmoothConvexFunction, L=L, R=R)
    return gap(made, descent(made, [longer * h / L for h in silver(k)])[-1])


def gd_silver_grad(*, k, L, f0, longer):
    made = setting(SmoothConvexFunction, L=L, f0=f0)
    return gradient_norm(made, descent(made, [longer * h / L for h in silver(k)])[-1])


def silver(k):
    """1 + (1 + sqrt 2)^(v - 1) for i = 1..k, where 2^v is the largest power of 2 that divides i."""
    powers = [(i & -i).bit_length() - 1 for i in range(1, k + 1)]
    return [1 + (1 + 2**0.5) ** (v - 1) for v in powers]


# Convex under a parabola about x*, and not necessarily smooth


def gd_qg_convex(*, k, h, L, R, longer):
    made = setting(ConvexQGFunction, L=L, R=R)
    return gap(made, descent(made, [longer * h / L] * k)[-1])


def hb_qg_convex(*, k, L, R, longer):
    made = setting(ConvexQGFunction, L=L, R=R)
    before = now = made.start
    for i in range(k):
        slope = made.f.gradient(now)
        following = now - longer / (L * (i + 2)) * slope + i / (i + 2) * (now - before)
        before, now = now, following
    return gap(made, now)


# Smooth, not necessarily convex


def gd_descent_lemma(*, a, L, fk, g0, longer):
    made = setting(SmoothFunction, L=L)
    slope, value = made.f.oracle(made.start)
    made.program.add_constraint(slope**2 == g0**2)
    made.program.add_constraint(value == fk)
    return Worst(solved(made.program, made.f(made.start - longer * a * slope)))


def gd_nonconvex_tight(*, k, h, L, f0, longer):
    """f* = 0: a step of 1 / L from any of the points stays above it."""
    program = PEP()
    f = program.declare_function(SmoothFunction, L=L)
    x = program.set_initial_point()
    program.add_constraint(f(x) <= f0)
    slopes = []
    for _ in range(k + 1):
        slope, value = f.oracle(x)
        program.add_constraint(value >= slope**2 / (2 * L))
        slopes.append(slope**2)
        x = x - longer * h / L * slope
    return Worst(solved(program, *slopes), of_length=True)


# Smooth and strongly convex


def gd_sc_dist(*, k, a, L, mu, R, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    return distance(made, descent(made, [longer * a] * k)[-1])


def gd_sc_fgap(*, k, a, L, mu, f0, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, f0=f0)
    return gap(made, descent(made, [longer * a] * k)[-1])


def gd_sc_grad(*, k, a, L, mu, g0, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, g0=g0)
    return gradient_norm(made, descent(made, [longer * a] * k)[-1])


def gd_sc_2_over_Lmu(*, k, L, mu, R, longer):
    return gd_sc_fgap_dist_tight(k=k, h=2 * L / (L + mu), L=L, mu=mu, R=R, longer=longer)


def gd_sc_fgap_dist_tight(*, k, h, L, mu, R, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    return gap(made, descent(made, [longer * h / L] * k)[-1])


def gd_sc_grad_dist_tight(*, k, h, L, mu, R, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    return gradient_norm(made, descent(made, [longer * h / L] * k)[-1])


def gd_sc_grad_f_tight(*, k, h, L, mu, f0, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, f0=f0)
    return gradient_norm(made, descent(made, [longer * h / L] * k)[-1])


def silver_sc(*, k, L, mu, R, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    return distance(made, descent(made, [longer * h / L for h in strong_silver(k, mu / L)])[-1])


def strong_silver(k, q):
    """Steps h_1..h_k in units of 1 / L, with k a power of 2 and q = mu / L.

    Both halves repeat the schedule of k / 2 steps, each with a last step of its own.
    """

    def step(t):
        return (1 + t / q) / (1 + t)

    start, z = [], q
    while len(start) + 1 < k:
        grown = 1 - z + (1 + (1 - z) ** 2) ** 0.5
        start = [*start, step(z / grown), *start]
        z *= grown
    return [*start, step(z)]


def gd_exact_ls(*, k, L, mu, f0):
    """The slope at a point is orthogonal to the one before, and to the step between."""
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, f0=f0)
    x = made.start
    for _ in range(k):
        following = Point()
        slope = made.f.gradient(following)
        made.program.add_constraint(slope * made.f.gradient(x) == 0)
        made.program.add_constraint(slope * (following - x) == 0)
        x = following
    return gap(made, x)


def gd_inexact_rel(*, k, eps, L, mu, f0, longer):
    """Directions d with |d - g| <= eps |g|, step 2 / ((1 + eps) L + (1 - eps) mu)."""
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, f0=f0)
    x = made.start
    for _ in range(k):
        slope, direction = made.f.gradient(x), Point()
        made.program.add_constraint((direction - slope) ** 2 <= eps**2 * slope**2)
        x = x - longer * 2 / ((1 + eps) * L + (1 - eps) * mu) * direction
    return gap(made, x)


def polyak_step2_dist(*, a, L, mu, R, longer):
    """Among all f on which the step 2 (f_0 - f*) / |g_0|^2 is a."""
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    slope, value = made.f.oracle(made.start)
    made.program.add_constraint(2 * (value - made.f(made.best)) == a * slope**2)
    return distance(made, made.start - longer * a * slope)


# Quadratic


def gd_quadratic_fgap(*, k, h, L, mu, R, longer):
    made = quadratic_setting(L=L, mu=mu)
    made.program.add_constraint(made.start**2 <= R**2)
    last = descent(made, [longer * h / L] * k)[-1]
    return Worst(solved(made.program, quadratic_value(made, last)))
