"""The methods of Frank and Wolfe, and mirror descent, on the simplex."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from optbench import trees
from optbench.assumption import CONVEX, EXACT_GRADIENTS, MINIMIZER, MINIMUM, SMOOTH
from optbench.bound import Theorem
from optbench.bounds.nonsmooth.simplex_instances import (
    BARYCENTER,
    SIMPLEX,
    SQUARED_NORM,
    edge,
    on_simplex,
    squared_norm,
    two_slopes,
)
from optbench.case import Instance
from optbench.method import make_method
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params, Problem
from optbench.quantity import SUBOPTIMALITY, Quantity
from optbench.symbol import gradients_at, values_at
from optbench.trajectory import Trajectory

_DIAMETER = {"D": "diameter of the feasible set"}


def _frank_wolfe(numerator: Scalar = 2.0) -> Optimizer:
    """x_{k+1} = x_k + c / (k + 2) (e_i - x_k), with c = `numerator`.

    e_i: the vertex of the simplex with the least (grad f)_i, the first of them where they tie.
    """

    def step(evaluation: Evaluation, count: jax.Array, oracle: Oracle) -> Step:
        point, _, grad = evaluation
        vertex = (jnp.arange(grad.size) == jnp.argmin(grad)).astype(point.dtype)
        toward = trees.add_scaled(vertex, -1, point)
        return Step(trees.add_scaled(point, numerator / (count + 2.0), toward), count + 1)

    return Optimizer(lambda params: jnp.int32(0), step, feasible=True)


def frank_wolfe() -> Theorem:
    """The method of Frank and Wolfe with step 2 / (k + 2) on a set of diameter D.

        f(x_k) - f* <= 2 L D^2 / (k + 2).

    Source: Jaggi (2013), ICML, Theorem 1 (its number is from memory).
    """
    return Theorem(
        name="frank_wolfe",
        statement="After k steps of Frank and Wolfe of size 2 / (k + 2) on an L-smooth convex "
        "function over a set of diameter D, f - f* is at most 2 L D^2 / (k + 2).",
        latex=r"f(x_k) - f_\star \leq \frac{2 L D^2}{k + 2}",
        source="Jaggi (2013), ICML, Theorem 1",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, SIMPLEX),
        given=_DIAMETER,
        method=make_method(_frank_wolfe),
        steps={"numerator": lambda: 2.0},
        quantity=SUBOPTIMALITY,
        formula=lambda k, L, D: 2 * L * D**2 / (k + 2),
        instances=lambda: on_simplex(edge(), squared_norm(5)),
    )


def _best_duality_gap(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    grads = gradients_at(problem, trajectory.params)
    gaps = np.sum(grads * trajectory.params, axis=1) - grads.min(axis=1)
    return np.minimum.accumulate(gaps)


_DUALITY_GAP = Quantity(
    "min_{i<=k} max_s grad f(x_i).(x_i - s)",
    r"\min_{i \leq k} \max_s \nabla f(x_i) \cdot (x_i - s)",
    (MINIMUM, MINIMIZER),
    _best_duality_gap,
    SUBOPTIMALITY.rounding,
)


def frank_wolfe_gap() -> Theorem:
    """The duality gap of the method of Frank and Wolfe with step 2 / (k + 2).

        min_{i <= k} max_s grad f(x_i).(x_i - s) <= 27 L D^2 / (4 (k + 2))   for k >= 2.

    Source: Jaggi (2013), ICML, Theorem 2 (its number is from memory).
    """
    return Theorem(
        name="frank_wolfe_gap",
        statement="The least duality gap of k >= 2 steps of Frank and Wolfe on an L-smooth convex "
        "function over a set of diameter D is at most 27 L D^2 / (4 (k + 2)).",
        latex=r"\min_{i \leq k} \max_s \nabla f(x_i)^\top (x_i - s) \leq "
        r"\frac{27 L D^2}{4 (k + 2)}",
        source="Jaggi (2013), ICML, Theorem 2",
        assumptions=(EXACT_GRADIENTS, SMOOTH, CONVEX, SIMPLEX),
        given=_DIAMETER,
        method=make_method(_frank_wolfe),
        steps={"numerator": lambda: 2.0},
        quantity=_DUALITY_GAP,
        formula=lambda k, L, D: 27 / 4 * L * D**2 / (k + 2),
        k_range=(2, 100),
        instances=lambda: on_simplex(edge(), squared_norm(5)),
    )


def lb_frank_wolfe() -> Theorem:
    """Whatever the rule, k steps from a vertex that each bring in one vertex end at k + 1 of them.

        f(x_k) - f* >= 1 / (k + 1) - 1 / n   for f(x) = |x|^2 on the simplex in n dimensions.

    Attained by steps 1 / (k + 2), which average the vertices; compared with steps 2 / (k + 2) too.

    Source: Jaggi (2013), ICML, Lemma 3 (its number is from memory).
    """
    return Theorem(
        name="lb_frank_wolfe",
        statement="For |x|^2 on the simplex in n dimensions, k steps from a vertex that bring in "
        "one vertex each leave f - f* at least 1 / (k + 1) - 1 / n.",
        latex=r"f(x_k) - f_\star \geq \frac{1}{k + 1} - \frac{1}{n}",
        source="Jaggi (2013), ICML, Lemma 3",
        assumptions=(EXACT_GRADIENTS, SQUARED_NORM),
        direction="lower",
        method=make_method(_frank_wolfe),
        also=(make_method(_frank_wolfe, numerator=2.0),),
        steps={"numerator": lambda: 1.0},
        quantity=SUBOPTIMALITY,
        formula=lambda k, n: 1 / (k + 1) - 1 / n,
        k_range=(1, 19),
        attained_at=range(1, 20),
        instances=lambda: (Instance("worst", squared_norm(21)),),
    )


def _exponentiated_gradient(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} proportional to x_k exp(-eta grad f(x_k)), with eta = `learning_rate`."""

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        ahead = jnp.log(evaluation.params) - learning_rate * evaluation.grad
        return Step(jax.nn.softmax(ahead), state)

    def init(params: Params) -> State:
        return ()

    return Optimizer(init, step, feasible=True)


def _earlier_mean_gap(problem: Problem, trajectory: Trajectory) -> np.ndarray:
    points = np.asarray(trajectory.params)
    means = np.cumsum(points, axis=0)[:-1] / np.arange(1, len(points))[:, None]
    return np.append(np.nan, values_at(problem, means) - problem.known_minimum)


_EARLIER_MEAN = Quantity(
    "f(mean of x_0..x_{k-1}) - f*",
    r"f(\bar x_k) - f_\star",
    (MINIMUM, MINIMIZER),
    _earlier_mean_gap,
    SUBOPTIMALITY.rounding,
)


def mirror_eg() -> Theorem:
    """Exponentiated gradient, mirror descent with the entropy, with step sqrt(2 log n / T) / B.

        f((x_0 + ... + x_{T-1}) / T) - f* <= B sqrt(2 log(n) / T)

    from x_0 = (1, ..., 1) / n on the simplex in n dimensions, with |partial derivatives| up to B.

    Source: Bubeck (2015), Theorem 4.2 (its number is from memory); Nemirovski and Yudin (1983).
    """
    return Theorem(
        name="mirror_eg",
        statement="The mean of the first T points of exponentiated gradient from the center of the "
        "simplex has f - f* at most B sqrt(2 log(n) / T), with partial derivatives up to B.",
        latex=r"f\left(\frac{1}{T} \sum_{i < T} x_i\right) - f_\star \leq "
        r"B \sqrt{\frac{2 \log n}{T}}",
        source="Bubeck (2015), Theorem 4.2",
        assumptions=(EXACT_GRADIENTS, CONVEX, SIMPLEX, BARYCENTER),
        given={"B": "largest |partial derivative|"},
        parameters={"T": (1.0, 5.0, 20.0)},
        k_range=lambda T: (int(T), int(T)),
        method=make_method(_exponentiated_gradient),
        steps={"learning_rate": lambda B, n, T: np.sqrt(2 * np.log(n) / T) / B},
        quantity=_EARLIER_MEAN,
        formula=lambda k, B, n: B * np.sqrt(2 * np.log(n) / k),
        instances=lambda T: on_simplex(two_slopes(3.0), centered=True),
    )
