"""What theory tells of the rates of optimizers: one function each.

To add one, write a function here that is named as its optimizer, takes the problem and, by their
names, the hyperparameters it needs, and returns a `TheoreticalRate`, or None where theory tells
nothing. All are of f - f* as the number of steps grows, with L and mu those of the problem.

On a quadratic whose L and mu are attained a linear rate is exact, from almost every start. On
another function with a continuous Hessian it is one "at most": near x* the method does what it does
on the quadratic with the Hessian there, whose eigenvalues lie in [mu, L].

The numbers of theorems, equations and sections are from memory.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from optbench import modes
from optbench.problem import Problem
from optbench.rates import SCALES, Kind, Rate, short_rate


@dataclasses.dataclass(frozen=True, kw_only=True)
class TheoreticalRate:
    """What theory tells of f - f*.

    Attributes:
        kind: the model, as of `Rate`.
        value: q, p or p; None for an order above 1 that is not known.
        exact: whether the rate is this, or this at worst.
    """

    kind: Kind
    value: float | None
    exact: bool = False

    @property
    def short(self) -> str:
        """In a few characters: q=0.81 is exact, q<=0.81 at worst."""
        if self.value is None:
            return "superlinear"
        text = short_rate(self.kind, self.value)
        if self.exact:
            return text
        worst = {"linear": ("q=", "q<="), "sublinear": ("k", "<=k"), "superlinear": (" ", ">=")}
        return text.replace(*worst[self.kind], 1)

    def ratio(self, observed: Rate) -> float | None:
        """Speed observed over speed told, of -log q, p or p: above 1 is faster than theory.

        None where the two are of different kinds, or the speed is not known.
        """
        if self.value is None or observed.kind != self.kind:
            return None
        speed = SCALES[self.kind].speed
        return speed(observed.estimate) / speed(self.value)

    def of_gradient_norm(self) -> TheoreticalRate | None:
        """The rate of |grad f|, the root of f - f* near x*; None where that is no matter of x*."""
        if self.kind == "sublinear":
            return None
        value = math.sqrt(self.value) if self.kind == "linear" and self.value else self.value
        return dataclasses.replace(self, value=value)


Told = TheoreticalRate | None


def gradient_descent(problem: Problem, learning_rate: float) -> Told:
    """max(|1 - eta mu|, |1 - eta L|)^2 a step; k^-1 at most for mu = 0 and eta < 2 / L.

    Source: Polyak (1987), "Introduction to Optimization", section 1.4; Drori & Teboulle (2014),
    theorem 3.1, for k^-1 (eta <= 1 / L).
    """
    linear = _stationary(problem, lambda h: modes.gradient_descent(h, learning_rate).polynomial)
    limit = _convex_smoothness(problem)
    if linear is None and limit is not None and 0 < learning_rate * limit < 2:
        return _at_most("sublinear", 1.0)
    return linear


def momentum(problem: Problem, learning_rate: float, momentum: float) -> Told:
    """The largest |z|^2 with z^2 - (1 + beta - eta h) z + beta = 0 and h in {mu, L}.

    Source: Polyak (1964), USSR Comput. Math. Math. Phys. 4(5), pp. 1-17.
    """
    return _stationary(problem, lambda h: modes.momentum(h, learning_rate, momentum).polynomial)


def nesterov(problem: Problem, learning_rate: float, momentum: float) -> Told:
    """The largest |z|^2 with z^2 - (1 + beta) (1 - eta h) z + beta (1 - eta h) = 0, h in {mu, L}.

    Source: Lessard, Recht & Packard (2016), SIAM J. Optim. 26(1), section 4.
    """
    return _stationary(problem, lambda h: modes.nesterov(h, learning_rate, momentum).polynomial)


def nesterov_strongly_convex(problem: Problem, smoothness: float, strong_convexity: float) -> Told:
    """That of `nesterov` with eta = 1 / L and beta = (sqrt(L) - sqrt(mu)) / (sqrt(L) + sqrt(mu)).

    With the constants of the problem it is (1 - sqrt(mu / L))^2, where the theorem for all k has
    1 - sqrt(mu / L).

    Source: that of `nesterov`; Nesterov (2018), section 2.2, for the theorem.
    """
    roots = math.sqrt(smoothness), math.sqrt(strong_convexity)
    return nesterov(problem, 1 / smoothness, (roots[0] - roots[1]) / (roots[0] + roots[1]))


def triple_momentum(problem: Problem, smoothness: float, strong_convexity: float) -> Told:
    """The largest |z|^2 with z^2 - (1 + beta - alpha h (1 + gamma)) z + beta - alpha h gamma = 0.

    alpha, beta and gamma are those of the method, h in {mu, L}; with the constants of the problem
    it is (1 - sqrt(mu / L))^2.

    Source: Van Scoy, Freeman & Lynch (2018), IEEE Control Systems Letters 2(1), pp. 49-54.
    """
    rho = 1 - math.sqrt(strong_convexity / smoothness)
    alpha, beta = (1 + rho) / smoothness, rho**2 / (2 - rho)
    gamma = beta / (1 + rho)

    def polynomial(h: float) -> tuple[float, ...]:
        return 1.0, alpha * h * (1 + gamma) - 1 - beta, beta - alpha * h * gamma

    return _stationary(problem, polynomial)


def chebyshev(problem: Problem, smoothness: float, strong_convexity: float) -> Told:
    """((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2, kappa of the interval that the method is given.

    Source: Saad (2003), "Iterative Methods for Sparse Linear Systems", section 12.3.
    """
    spectrum = _spectrum(problem)
    if spectrum is None or not strong_convexity <= spectrum.mu <= spectrum.L <= smoothness:
        return None
    return _linear(_accelerated(smoothness / strong_convexity) ** 2, exact=spectrum.attained)


def conjugate_gradient(problem: Problem) -> Told:
    """((sqrt(kappa) - 1) / (sqrt(kappa) + 1))^2 at most, on quadratics.

    Source: Nocedal & Wright (2006), equation 5.36.
    """
    spectrum = _spectrum(problem)
    if spectrum is None or not problem.constants.quadratic:
        return None
    return _linear(_accelerated(spectrum.L / spectrum.mu) ** 2, exact=False)


def exact_line_search(problem: Problem) -> Told:
    """((kappa - 1) / (kappa + 1))^2 at most.

    Source: Nocedal & Wright (2006), theorems 3.3 and 3.4.
    """
    spectrum = _spectrum(problem)
    if spectrum is None:
        return None
    return _linear(((spectrum.L - spectrum.mu) / (spectrum.L + spectrum.mu)) ** 2, exact=False)


def gradient_flow(problem: Problem, time_step: float, num_substeps: int) -> Told:
    """max R(-s h)^(2 n) over h in {mu, L}, with n = `num_substeps`, s = `time_step` / n.

    R(z) = 1 + z + z^2 / 2 + z^3 / 6 + z^4 / 24 is what Runge and Kutta's step makes of exp(z).

    Source: Hairer & Wanner (1996), "Solving Ordinary Differential Equations II", section IV.2.
    """

    def polynomial(h: float) -> tuple[float, ...]:
        z = -time_step / num_substeps * h
        return 1.0, -((1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24) ** num_substeps)

    return _stationary(problem, polynomial)


def newton(problem: Problem, learning_rate: float) -> Told:
    """Order 2 at least for eta = 1; else (1 - eta)^2 a step, whatever the Hessian.

    Source: Nocedal & Wright (2006), theorem 3.5.
    """
    if learning_rate == 1:
        return _newton_like(problem, 2.0)
    if _spectrum(problem) is None or not 0 < learning_rate < 2:
        return None
    return _linear((1 - learning_rate) ** 2, exact=True)


def damped_newton(problem: Problem) -> Told:
    """Order 2 at least: its last steps are whole. Source: Nocedal & Wright (2006), theorem 3.5."""
    return _newton_like(problem, 2.0)


def trust_region_newton(problem: Problem) -> Told:
    """Order 2 at least: its last steps are whole. Source: Nocedal & Wright (2006), theorem 4.9."""
    return _newton_like(problem, 2.0)


def cubic_newton(problem: Problem) -> Told:
    """Order 2 at least. Source: Nesterov & Polyak (2006), theorem 3."""
    return _newton_like(problem, 2.0)


def newton_cg(problem: Problem) -> Told:
    """Order 3/2 at least: it solves to sqrt(|g|) |g|. Source: Nocedal & Wright (2006), thm. 7.2."""
    return _newton_like(problem, 1.5)


def bfgs(problem: Problem) -> Told:
    """Superlinear, of no order told. Source: Nocedal & Wright (2006), theorem 6.6."""
    return _newton_like(problem, None)


def dfp(problem: Problem) -> Told:
    """Superlinear, of no order told. Source: Dennis & More (1974), Math. Comp. 28, pp. 549-560."""
    return _newton_like(problem, None)


def nesterov_convex(problem: Problem, smoothness: float) -> Told:
    """k^-2 at most. Source: Beck & Teboulle (2009), theorem 4.4."""
    return _accelerated_convex(problem, smoothness)


def optimized_gradient(problem: Problem, smoothness: float) -> Told:
    """k^-2 at most. Source: Kim & Fessler (2016), Math. Program. 159, theorem 2."""
    return _accelerated_convex(problem, smoothness)


def fista(problem: Problem, smoothness: float) -> Told:
    """k^-2 at most. Source: Beck & Teboulle (2009), theorem 4.4."""
    limit = problem.constants.smoothness
    if not problem.constants.convex or limit is None or smoothness < limit:
        return None
    return _at_most("sublinear", 2.0)


def proximal_gradient(problem: Problem, learning_rate: float) -> Told:
    """k^-1 at most, for eta <= 1 / L. Source: Beck & Teboulle (2009), theorem 3.1."""
    limit = problem.constants.smoothness
    if not problem.constants.convex or limit is None or not 0 < learning_rate * limit <= 1:
        return None
    return _at_most("sublinear", 1.0)


def subgradient(problem: Problem) -> Told:
    """k^-1/2 at most, but for a factor log k. Source: Nesterov (2018), section 3.2.3."""
    constants = problem.constants
    if not constants.convex or constants.gradient_bound is None or problem.constrained:
        return None
    return _at_most("sublinear", 0.5)


class _Spectrum(NamedTuple):
    mu: float
    L: float
    attained: bool  # whether f is a quadratic, and these are its extreme curvatures


def _spectrum(problem: Problem) -> _Spectrum | None:
    """The curvatures of a smooth, strongly convex f of free parameters; None where f is none."""
    known = problem.constants
    free = problem.nonsmooth is None and problem.prox is None
    if not free or known.smoothness is None or not known.strong_convexity:
        return None
    attained = known.quadratic and known.sharp
    return _Spectrum(float(known.strong_convexity), float(known.smoothness), attained)


def _convex_smoothness(problem: Problem) -> float | None:
    """L of a smooth convex f of free parameters; None where f is none."""
    free = problem.nonsmooth is None and problem.prox is None
    return problem.constants.smoothness if free and problem.constants.convex else None


def _stationary(problem: Problem, polynomial: Callable[[float], Sequence[float]]) -> Told:
    """The largest |z|^2 over the roots z of what a method does along an eigenvector.

    Args:
        problem: what is minimized.
        polynomial: curvature h -> coefficients of its characteristic polynomial. Its largest root
            must be largest at an end of [mu, L].
    """
    spectrum = _spectrum(problem)
    if spectrum is None:
        return None
    radii = [np.abs(np.roots(polynomial(h))).max() for h in (spectrum.mu, spectrum.L)]
    return _linear(float(max(radii)) ** 2, exact=spectrum.attained)


def _linear(factor: float, *, exact: bool) -> Told:
    """A linear rate; None where there is none, or x* is met after finitely many steps."""
    return TheoreticalRate(kind="linear", value=factor, exact=exact) if 0 < factor < 1 else None


def _at_most(kind: Kind, value: float | None) -> TheoreticalRate:
    return TheoreticalRate(kind=kind, value=value)


def _accelerated(condition_number: float) -> float:
    return (math.sqrt(condition_number) - 1) / (math.sqrt(condition_number) + 1)


def _newton_like(problem: Problem, order: float | None) -> Told:
    """An order, where mu > 0 and f is no quadratic; its Hessian must be Lipschitz near x*."""
    if _spectrum(problem) is None or problem.constants.quadratic:
        return None
    return _at_most("superlinear", order)


def _accelerated_convex(problem: Problem, smoothness: float) -> Told:
    limit = _convex_smoothness(problem)
    return None if limit is None or smoothness < limit else _at_most("sublinear", 2.0)
