"""Nesterov's method on smooth convex functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import CONVEX, EXACT_GRADIENTS, SMOOTH
from optbench.bound import Theorem
from optbench.bounds.instances import huber, members, ridge_regression, robust_regression
from optbench.case import Instance
from optbench.formula import accelerated
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.accelerated import nesterov_convex
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params
from optbench.quantity import SUBOPTIMALITY
from optbench.theory import SMOOTHNESS

ATTAINED_AT = (1, 2, 5, 10, 20, 50, 100)
ASSUMPTIONS = (EXACT_GRADIENTS, SMOOTH, CONVEX)


def weights(k: Any) -> Any:
    """t_k for one k or an array of them; t_0 = 1 and t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2."""
    found = [1.0]
    while len(found) <= np.max(k):
        found.append((1 + np.sqrt(1 + 4 * found[-1] ** 2)) / 2)
    return np.array(found)[np.asarray(k, int)]


def displacements(momenta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[T + 1] how far x_k and y_k have moved down a line, in units of its slope over L.

    Args:
        momenta: [T] beta_k in y_{k+1} = x_{k+1} + beta_k (x_{k+1} - x_k).
    """
    points, ahead = [0.0], [0.0]
    for momentum in momenta:
        points.append(ahead[-1] + 1)
        ahead.append(points[-1] + momentum * (points[-1] - points[-2]))
    return np.array(points), np.array(ahead)


def on_hubers(displacement: Callable[[int], float]) -> tuple[Instance, ...]:
    """Members of the class, with the Huber loss that is worst for each k of `ATTAINED_AT`.

    Args:
        displacement: k -> how far the method has moved down a line.
    """
    return members(
        worst=lambda x: [huber(displacement(k), x) for k in ATTAINED_AT],
        random=robust_regression,
        data=ridge_regression(l2=0.0),
    )


def _growing_displacement(ahead: int) -> Callable[[int], float]:
    """k -> displacement of x_k, or of y_k where it is asked for, in `nesterov_convex`."""
    t = weights(np.arange(ATTAINED_AT[-1] + 1))
    found = displacements((t[:-1] - 1) / t[1:])[ahead]
    return lambda k: float(found[k])


def _between(smoothness: Scalar = SMOOTHNESS, ahead: Scalar = 1.0) -> Optimizer:
    """`nesterov_convex`, reporting x_k + ahead (y_k - x_k)."""
    inner = nesterov_convex(smoothness)
    assert inner.eval_params is not None
    reached = inner.eval_params

    def reported(params: Params, state: State) -> Params:
        point = reached(params, state)
        return trees.add_scaled(point, ahead, trees.add_scaled(params, -1, point))

    return inner._replace(eval_params=reported)


def agd_fista_classic() -> Theorem:
    """Nesterov's method with growing momentum on an L-smooth convex function.

        f(x_k) - f* <= 2 L R^2 / (k + 1)^2,   R = |x_0 - x*|,

    with x_k the points after the gradient steps. The Huber losses of `on_hubers` come within 6 %
    of it at k = 100.

    Source: Beck and Teboulle (2009), Theorem 4.4; Nesterov (1983) for the method.
    """
    return Theorem(
        name="agd_fista_classic",
        statement="After k steps of Nesterov's method on an L-smooth convex function, f - f* is at "
        "most 2 L R^2 / (k + 1)^2.",
        latex=r"f(x_k) - f_\star \le \frac{2 L \|x_0 - x_\star\|^2}{(k + 1)^2}",
        source="Beck and Teboulle (2009), Theorem 4.4",
        assumptions=ASSUMPTIONS,
        method=make_method(nesterov_convex),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: 2 * L * R**2 / (k + 1) ** 2,
        error_growth=accelerated,
        instances=lambda: on_hubers(_growing_displacement(0)),
    )


def agd_t_sequence() -> Theorem:
    """Nesterov's method with growing momentum, its bound in the weights t_k.

        f(x_k) - f* <= L R^2 / (2 t_{k-1}^2),   t_0 = 1,  t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2,

    which is at most 2 L R^2 / (k + 1)^2.

    Source: Beck and Teboulle (2009), the proof of Theorem 4.4, where t_1 = 1; d'Aspremont, Scieur
    and Taylor (2021), Theorem 4.4.
    """
    return Theorem(
        name="agd_t_sequence",
        statement="After k steps of Nesterov's method on an L-smooth convex function, f - f* is at "
        "most L R^2 / (2 t^2), with t the weight of the last step.",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2 t_{k-1}^2},\quad "
        r"t_0 = 1,\; t_{k+1} = \frac{1 + \sqrt{1 + 4 t_k^2}}{2}",
        source="Beck and Teboulle (2009), proof of Theorem 4.4",
        assumptions=ASSUMPTIONS,
        method=make_method(nesterov_convex),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (2 * weights(k - 1) ** 2),
        error_growth=accelerated,
        instances=lambda: on_hubers(_growing_displacement(0)),
    )


def agd_t_secondary() -> Theorem:
    """Nesterov's method with growing momentum: the extrapolated points y_k.

        f(y_k) - f* <= L R^2 / (2 t_k^2) <= 2 L R^2 / (k + 2)^2,

    with t_0 = 1 and t_{k+1} = (1 + sqrt(1 + 4 t_k^2)) / 2. Gradients are taken at y_k, and its
    bound is the better one.

    Source: Kim and Fessler (2016), Theorem 1, where t_1 = 1; its number is from memory.
    """
    return Theorem(
        name="agd_t_secondary",
        statement="At the extrapolated point after k steps of Nesterov's method on an L-smooth "
        "convex function, f - f* is at most L R^2 / (2 t^2), with t the weight of the next step.",
        latex=r"f(y_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{2 t_k^2} \le "
        r"\frac{2 L \|x_0 - x_\star\|^2}{(k + 2)^2}",
        source="Kim and Fessler (2016), Theorem 1",
        assumptions=ASSUMPTIONS,
        method=make_method(_between),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: L * R**2 / (2 * weights(k) ** 2),
        error_growth=accelerated,
        instances=lambda: on_hubers(_growing_displacement(1)),
    )


def agd_t_tight_huber() -> Theorem:
    """Nesterov's method with growing momentum: what its worst case is thought to be.

        f - f* <= L R^2 / (4 c_k + 2)   at x_k and at y_k,

    with c_k the displacement of x_k, or of y_k, on a line of slope 1 with L = 1. The Huber losses
    of `on_hubers` attain it at each k; that nothing is worse is a conjecture, which solutions of
    the performance estimation problem agree with for k <= 4.

    Source: Kim and Fessler (2016), from their numerical section, and Taylor, Hendrickx and Glineur
    (2017); both from memory.
    """

    def displacement(k: np.ndarray, ahead: float) -> np.ndarray:
        t = weights(np.arange(k[-1] + 1))
        return displacements((t[:-1] - 1) / t[1:])[int(ahead)][k.astype(int)]

    return Theorem(
        name="agd_t_tight_huber",
        statement="Nesterov's method on L-smooth convex functions seems to do worst on a Huber "
        "loss, where f - f* is L R^2 / (4 c + 2), with c the displacement on a line.",
        latex=r"f(x_k) - f_\star \le \frac{L \|x_0 - x_\star\|^2}{4 c_k + 2}",
        source="Kim and Fessler (2016); Taylor, Hendrickx and Glineur (2017)",
        standing="conjecture",
        assumptions=ASSUMPTIONS,
        parameters={"ahead": (0.0, 1.0)},
        method=make_method(_between),
        steps={"smoothness": lambda L: L, "ahead": lambda ahead: ahead},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R, ahead: L * R**2 / (4 * displacement(k, ahead) + 2),
        error_growth=accelerated,
        attained_at=ATTAINED_AT,
        instances=lambda ahead: on_hubers(_growing_displacement(int(ahead))),
    )


class _Reached(NamedTuple):
    point: Params  # x_k
    count: jax.Array  # k


def _simple(smoothness: Scalar = SMOOTHNESS, ahead: Scalar = 0.0) -> Optimizer:
    """Nesterov's method with momentum k / (k + 3), reporting x_k + ahead (y_k - x_k).

    x_{k+1} = y_k - grad f(y_k) / L,  y_{k+1} = x_{k+1} + k / (k + 3) (x_{k+1} - x_k).
    """

    def init(params: Params) -> State:
        return _Reached(params, jnp.int32(0))

    def step(evaluation: Evaluation, state: _Reached, oracle: Oracle) -> Step:
        point = trees.add_scaled(evaluation.params, -1 / smoothness, evaluation.grad)
        moved = trees.add_scaled(point, -1, state.point)
        share = state.count / (state.count + 3.0)
        return Step(trees.add_scaled(point, share, moved), _Reached(point, state.count + 1))

    def reported(params: Params, state: _Reached) -> Params:
        return trees.add_scaled(state.point, ahead, trees.add_scaled(params, -1, state.point))

    return Optimizer(init, step, eval_params=reported)


def agd_simple_tight_primary() -> Theorem:
    """Nesterov's method with momentum k / (k + 3) on an L-smooth convex function.

        f(x_k) - f* <= 2 L R^2 / (k^2 + 5 k + 6),

    with x_k the points after the gradient steps. Attained at each k by the Huber loss with
    displacement (k^2 + 5 k + 2) / 8, that of x_k on a line.

    Source: Taylor, Hendrickx and Glineur (2017), "Exact worst-case performance of first-order
    methods for composite convex optimization", Table 1: found numerically, not proved there.
    """
    return _simple_tight(
        "agd_simple_tight_primary", 0.0, "x", (5, 6), lambda k: (k**2 + 5 * k + 2) / 8
    )


def agd_simple_tight_secondary() -> Theorem:
    """Nesterov's method with momentum k / (k + 3): the extrapolated points y_k.

        f(y_k) - f* <= 2 L R^2 / (k^2 + 7 k + 4).

    Attained at each k by the Huber loss with displacement (k^2 + 7 k) / 8, that of y_k on a line.

    Source: Taylor, Hendrickx and Glineur (2017), "Exact worst-case performance of first-order
    methods for composite convex optimization", Table 1: found numerically, not proved there.
    """
    return _simple_tight(
        "agd_simple_tight_secondary", 1.0, "y", (7, 4), lambda k: (k**2 + 7 * k) / 8
    )


def _simple_tight(
    name: str,
    ahead: float,
    letter: str,
    terms: Sequence[int],
    displacement: Callable[[int], float],
) -> Theorem:
    """f - f* <= 2 L R^2 / (k^2 + a k + b) at x_k or y_k."""
    a, b = terms
    return Theorem(
        name=name,
        statement=f"At {letter}_k of Nesterov's method with momentum k / (k + 3) on an L-smooth "
        f"convex function, f - f* is at most 2 L R^2 / (k^2 + {a} k + {b}).",
        latex=rf"f({letter}_k) - f_\star \le "
        rf"\frac{{2 L \|x_0 - x_\star\|^2}}{{k^2 + {a} k + {b}}}",
        source="Taylor, Hendrickx and Glineur (2017), Table 1",
        assumptions=ASSUMPTIONS,
        method=make_method(_simple, ahead=ahead),
        steps={"smoothness": lambda L: L},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, R: 2 * L * R**2 / (k**2 + a * k + b),
        error_growth=accelerated,
        attained_at=ATTAINED_AT,
        instances=lambda: on_hubers(displacement),
    )
