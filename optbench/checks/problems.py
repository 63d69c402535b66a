"""The laws every problem is held to."""

from __future__ import annotations

from optbench.checks import composite, critical, derivatives, knowledge, structure, sums
from optbench.checks.probes import gather
from optbench.checks.record import Check
from optbench.problem import Problem
from optbench.validation import validate_problem


def check_problem(problem: Problem, *, seed: int = 0) -> tuple[Check, ...]:
    """Hold a problem to the laws that apply to what it offers and claims.

    Everything is evaluated in float64 at the starts of `seed` and `seed + 1`, at the minimizer
    where it is known, and, for what the constants claim, on a cloud of points around the start.
    In order: the start is a rule; f and its derivatives are finite; jit = no jit, vmap = loop,
    float32 errs by its own rounding; the gradient passes the Taylor and the componentwise test;
    Hessian products match differences of gradients and are symmetric; f(x*) = f*, the optimality
    residual at x* is zero and nothing lies below; L, mu, M, the gradient bound and convexity hold,
    and L and mu are attained where sharp (up to 1000 dimensions); critical points are what they are
    called; the prox is one, starts and minimizer are feasible, and the tangent space is that of the
    feasible set; residuals, outputs and rows recompose to f; samples are unbiased, and vary no more
    than is claimed.

    Args:
        problem: the problem.
        seed: of the starts and of everything random in the checks.

    Returns:
        One record per law; none after a start or a value that defies all others.

    Raises:
        OptbenchError: the problem is malformed, and cannot be judged at all.
    """
    validate_problem(problem)
    checks = [structure.start_rule(problem, seed)]
    if not checks[-1].passed:
        return tuple(checks)
    evidence = gather(problem, seed)
    checks.append(derivatives.finite(evidence))
    if not checks[-1].passed:
        return tuple(checks)
    checks += structure.programs(evidence)
    checks += [
        derivatives.taylor(evidence),
        derivatives.gradient(evidence),
        derivatives.hessian_product(evidence),
        derivatives.symmetric(evidence),
    ]
    checks += structure.saddle(evidence)
    checks += knowledge.minimum(evidence)
    checks += knowledge.constants(evidence)
    checks += critical.critical_points(evidence)
    checks += composite.steps(evidence)
    checks += structure.parts(evidence)
    checks += sums.rows(evidence)
    checks += sums.samples(evidence)
    return tuple(checks)
