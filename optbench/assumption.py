"""What must be known of a problem, or of a case: the assumptions of theorems."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from optbench.problem import Problem


@dataclasses.dataclass(frozen=True, eq=False)
class Assumption:
    """What a theorem needs to be known of a problem, or of a case where it is about a recursion.

    Attributes:
        name: what follows "needs", such as "smoothness", "a minimizer" or "short steps".
        holds: whether a problem, or a case, is known to satisfy it.
        hint: how a problem says that it does, or what to change.
    """

    name: str
    holds: Callable[[Any], bool]
    hint: str


def _positive(constant: str) -> Callable[[Problem], bool]:
    return lambda problem: (getattr(problem.constants, constant) or 0.0) > 0


EXACT_GRADIENTS = Assumption(
    "exact gradients", lambda p: not p.stochastic, "use the full-batch form of the problem"
)
SMOOTH = Assumption(
    "smoothness",
    _positive("smoothness"),
    "set Problem.constants.smoothness to a Lipschitz constant of the gradient",
)
CONVEX = Assumption(
    "convexity",
    lambda p: p.constants.convex is True or STRONGLY_CONVEX.holds(p),
    "set Problem.constants.convex=True where the objective is convex",
)
STRONGLY_CONVEX = Assumption(
    "strong convexity",
    _positive("strong_convexity"),
    "set Problem.constants.strong_convexity to a positive mu",
)
QUADRATIC = Assumption(
    "a quadratic objective",
    lambda p: p.constants.quadratic,
    "set Problem.constants.quadratic=True where the objective is quadratic",
)
LIPSCHITZ = Assumption(
    "a bound on the gradient",
    _positive("gradient_bound"),
    "set Problem.constants.gradient_bound to the largest norm of a (sub)gradient",
)
HESSIAN_LIPSCHITZ = Assumption(
    "a Lipschitz Hessian",
    _positive("hessian_lipschitz"),
    "set Problem.constants.hessian_lipschitz to a Lipschitz constant of the Hessian",
)
LOJASIEWICZ = Assumption(
    "the Polyak-Lojasiewicz inequality",
    lambda p: _positive("lojasiewicz")(p) or STRONGLY_CONVEX.holds(p),
    "set Problem.constants.lojasiewicz to a mu with |grad f|^2 >= 2 mu (f - f*)",
)
GENERALIZED_SMOOTH = Assumption(
    "(L0, L1)-smoothness",
    lambda p: p.constants.generalized_smoothness is not None,
    "set Problem.constants.generalized_smoothness to (L0, L1), |hess f| <= L0 + L1 |grad f|",
)
MINIMIZER = Assumption(
    "a minimizer", lambda p: p.minimizer is not None, "set Problem.minimizer to x*"
)
MINIMUM = Assumption(
    "an exact minimum",
    lambda p: p.minimum is not None and p.minimum_kind not in ("published", "best known"),
    "set Problem.minimum to f*, in closed form or certified",
)


def constant_of(problem: Problem, name: str) -> Any:
    """A constant of a problem; that of Polyak and Lojasiewicz is mu where f is strongly convex."""
    value = getattr(problem.constants, name)
    if value is None and name == "lojasiewicz":
        return problem.constants.strong_convexity
    return value
