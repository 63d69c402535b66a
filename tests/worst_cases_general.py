"""Theorems beyond smooth minimization by gradients, each as a performance estimation problem.

A function is named as its theorem and takes the theorem's symbols by name; `longer` multiplies the
step of the method.
"""

from __future__ import annotations

import math

from PEPit import PEP, Expression, null_point
from PEPit.functions import (
    ConvexFunction,
    ConvexIndicatorFunction,
    ConvexLipschitzFunction,
    SmoothConvexFunction,
    SmoothStronglyConvexFunction,
    StronglyConvexFunction,
)
from PEPit.operators import LipschitzOperator, SkewSymmetricLinearOperator
from PEPit.primitive_steps import proximal_step
from worst_case import Setting, Worst, distance, setting, solved
from worst_cases_momentum import simple

# Subgradients


def subgrad_best(*, k, M, R, longer):
    return Worst(solved(*subgradient(k, M, R, [longer * R / (M * (k + 1) ** 0.5)] * k)))


def subgrad_last_linear_decay(*, k, M, R, longer):
    steps = [longer * R * (k - i) / (M * (k + 1) ** 1.5) for i in range(k)]
    program, *gaps = subgradient(k, M, R, steps)
    return Worst(solved(program, gaps[-1]))


def subgradient(k, M, R, steps):
    """The program, and f(x_i) - f* for i = 0..k."""
    made = setting(ConvexLipschitzFunction, M=M, R=R)
    x, gaps = made.start, []
    for length in [*steps, 0.0]:
        slope, value = made.f.oracle(x)
        gaps.append(value - made.f(made.best))
        x = x - length * slope
    return made.program, *gaps


def ogd_regret(*, k, M, D, longer):
    """Losses f_1..f_k, one per round, on a convex set of diameter D."""
    program = PEP()
    domain = program.declare_function(ConvexIndicatorFunction, D=D)
    rival = x = program.set_initial_point()
    domain.oracle(rival)
    x = program.set_initial_point()
    domain.oracle(x)
    regret = 0
    for _ in range(k):
        loss = program.declare_function(ConvexLipschitzFunction, M=M)
        slope, value = loss.oracle(x)
        regret = regret + value - loss(rival)
        x = proximal_step(x - longer * D / (M * k**0.5) * slope, domain, 1.0)[0]
    return Worst(solved(program, regret))


# Proximal steps


def ppa(*, k, a, R, longer):
    made = setting(ConvexFunction, R=R)
    x = made.start
    for _ in range(k):
        x, _, value = proximal_step(x, made.f, longer * a)
    return Worst(solved(made.program, value - made.f(made.best)))


def composite(function_class, R, **constants):
    """The setting of f + g with g convex, then f and g."""
    program = PEP()
    f = program.declare_function(function_class, **constants)
    g = program.declare_function(ConvexFunction)
    made = Setting(program, f + g, (f + g).stationary_point(), program.set_initial_point())
    program.add_constraint((made.start - made.best) ** 2 <= R**2)
    return made, f, g


def ista_tight(*, k, L, R, longer):
    return forward_backward(L, R, longer, [0.0] * k)


def fista_simple_tight(*, k, L, R, longer):
    return forward_backward(L, R, longer, simple(k))


def forward_backward(L, R, longer, momenta):
    made, f, g = composite(SmoothConvexFunction, R, L=L)
    x = y = made.start
    for momentum in momenta:
        following, _, value = proximal_step(y - longer / L * f.gradient(y), g, longer / L)
        x, y = following, following + momentum * (following - x)
    return Worst(solved(made.program, f(x) + value - made.f(made.best)))


def pgm_sc(*, k, a, L, mu, R, longer):
    made, f, g = composite(SmoothStronglyConvexFunction, R, L=L, mu=mu)
    x = made.start
    for _ in range(k):
        x = proximal_step(x - longer * a * f.gradient(x), g, longer * a)[0]
    return distance(made, x)


# Operators


def halpern(*, k, R):
    program = PEP()
    operator = program.declare_function(LipschitzOperator, L=1.0)
    fixed = operator.fixed_point()[0]
    x = start = program.set_initial_point()
    program.add_constraint((start - fixed) ** 2 <= R**2)
    for i in range(k):
        x = start / (i + 2) + (i + 1) / (i + 2) * operator.gradient(x)
    return Worst(solved(program, (x - operator.gradient(x)) ** 2), of_length=True)


def gda_bilinear(*, k, a, R, longer):
    """Among all skew operators of norm 1, the quarter turn of x y is worst."""
    program = PEP()
    operator = program.declare_function(SkewSymmetricLinearOperator, L=1.0)
    z = program.set_initial_point()
    program.add_constraint(z**2 <= R**2)
    for _ in range(k):
        z = z - longer * a * operator.gradient(z)
    return Worst(solved(program, z**2), of_length=True)


# Random gradients: the mean over all draws


def sgd_interp_sc(*, k, a, L, mu, R, longer):
    """Two functions with one minimizer; all 2^k sequences of draws."""
    program = PEP()
    functions = [
        program.declare_function(SmoothStronglyConvexFunction, L=L, mu=mu) for _ in range(2)
    ]
    best, start = program.set_initial_point(), program.set_initial_point()
    for f in functions:
        f.add_point((best, null_point, Expression()))
    program.add_constraint((start - best) ** 2 <= R**2)
    points = [start]
    for _ in range(k):
        points = [x - longer * a * f.gradient(x) for x in points for f in functions]
    return Worst(solved(program, mean((x - best) ** 2 for x in points)), of_length=True)


def sgd_onestep_exact(*, h, L, mu, R, v, longer):
    """Steps 2 h / (L + mu) on two functions, in the mean.

    Where their mean is least the mean square of their slopes is v^2.
    """
    program = PEP()
    functions = [
        program.declare_function(SmoothStronglyConvexFunction, L=L, mu=mu) for _ in range(2)
    ]
    best = (functions[0] + functions[1]).stationary_point()
    start = program.set_initial_point()
    program.add_constraint((start - best) ** 2 <= R**2)
    program.add_constraint(mean(f.gradient(best) ** 2 for f in functions) <= v**2)
    step = longer * 2 * h / (L + mu)
    errors = [start - step * f.gradient(start) - best for f in functions]
    return Worst(solved(program, mean(error**2 for error in errors)), of_length=True)


def rcd_dist_exact(*, k, a, d, L, mu, R, longer):
    made = setting(SmoothStronglyConvexFunction, L=L, mu=mu, R=R)
    blocks = made.program.declare_block_partition(d=d)
    points = [made.start]
    for _ in range(k):
        points = [
            x - longer * a * blocks.get_block(made.f.gradient(x), block)
            for x in points
            for block in range(d)
        ]
    errors = mean((x - made.best) ** 2 for x in points)
    return Worst(solved(made.program, errors), of_length=True)


def mean(values):
    first, *others = values
    return sum(others, first) / (1 + len(others))


# Flows: the worst rate d log q / dt at a point, whence q(t) by Gronwall's lemma


def gf_sc_f(*, mu, f0, t):
    """d f / dt = -|g|^2."""
    made = setting(StronglyConvexFunction, mu=mu)
    slope, value = made.f.oracle(made.start)
    made.program.add_constraint(value - made.f(made.best) == 1)
    return Worst(f0 * math.exp(solved(made.program, -(slope**2)) * t))


def gf_sc_dist(*, mu, R, t):
    """d |x - x*|^2 / dt = -2 g.(x - x*)."""
    made = setting(StronglyConvexFunction, mu=mu)
    error = made.start - made.best
    made.program.add_constraint(error**2 == 1)
    rate = solved(made.program, -2 * (made.f.gradient(made.start) * error))
    return Worst(R**2 * math.exp(rate * t), of_length=True)
