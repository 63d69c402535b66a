"""Gradient flow, the curve that gradient descent follows in the limit of short steps."""

from __future__ import annotations

from typing import Any

import jax

from optbench import trees
from optbench.errors import require_count
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params


def gradient_flow(time_step: Scalar = 0.1, num_substeps: int = 4) -> Optimizer:
    """Points of x' = -grad f(x), x(0) = x_0, at the times 0, h, 2 h, ... with h = `time_step`.

    A reference, not a competitor: Euler's steps of length h are gradient descent with the learning
    rate h, and this tells what they leave of the curve. Each step takes `num_substeps` steps of the
    classical Runge-Kutta method, of length s = h / `num_substeps`; the error is of order s^4, and
    s L must stay below 2.78.

    Calls per step: four value-and-gradients per substep, of which the first is the evaluation that
    the step starts from.
    Source: Hairer, Norsett & Wanner (1993), "Solving Ordinary Differential Equations I", section
    II.1, on Kutta (1901); Su, Boyd & Candes (2016), JMLR 17(153), section 1, for gradient descent.
    """
    require_count("gradient_flow", "num_substeps", num_substeps)
    substep = time_step / num_substeps

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        def advance(start: Params, first: Params) -> Params:
            slopes = [first]
            for share in (0.5, 0.5, 1.0):
                stage = trees.add_scaled(start, -share * substep, slopes[-1])
                slopes.append(oracle.value_and_grad(stage).grad)
            mean = jax.tree.map(lambda a, b, c, d: (a + 2 * b + 2 * c + d) / 6, *slopes)
            return trees.add_scaled(start, -substep, mean)

        def repeat(_: Any, point: Params) -> Params:
            return advance(point, oracle.value_and_grad(point).grad)

        point = advance(evaluation.params, evaluation.grad)
        point = jax.lax.fori_loop(1, num_substeps, repeat, point)
        return Step(point, state, Calls(value_and_gradients=4 * num_substeps - 1))

    return Optimizer(lambda params: (), step)
