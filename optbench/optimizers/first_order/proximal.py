"""Steps that end in a prox, or in a projection on the feasible set."""

from __future__ import annotations

from optbench import trees
from optbench.errors import OptbenchError
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.oracle import Calls, Evaluation, Oracle, RefusingOracle


def proximal_gradient(learning_rate: Scalar = 0.1) -> Optimizer:
    """x_{k+1} = prox_{eta h}(x_k - eta grad (f - h)(x_k)), with eta = `learning_rate`.

    ISTA where h is a multiple of |x|_1; projected gradient descent where the problem has
    constraints; gradient descent where it has neither.

    Calls per step: one prox, beyond the evaluation at the next point.
    Source: Parikh & Boyd (2014), "Proximal algorithms", section 4.2; Beck & Teboulle (2009), "A
    fast iterative shrinkage-thresholding algorithm", SIAM J. Imaging Sciences 2(1), section 1.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        grad = oracle.smooth_grad(evaluation)
        ahead = trees.add_scaled(evaluation.params, -learning_rate, grad)
        return Step(oracle.prox(ahead, learning_rate), state, Calls(prox=1))

    return Optimizer(lambda params: (), step, feasible=True)


def projected(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
) -> Optimizer:
    """The steps of `optimizer`, each followed by the projection on the feasible set.

    On a manifold `optimizer` is handed the tangent part of the gradient, and the projection
    retracts; where there is no constraint, nothing changes. Optimizers that ask the objective
    themselves, or report another point than they step from, are refused.

    Calls per step: those of `optimizer`, and one prox.
    Source: Bertsekas (1999), "Nonlinear Programming", section 2.3; Absil, Mahony & Sepulchre
    (2008), "Optimization Algorithms on Matrix Manifolds", section 4.1.
    """
    if optimizer.eval_params is not None:
        raise OptbenchError(
            "projected cannot wrap an optimizer that reports another point than it steps from",
            "that point would not be projected: wrap what it averages",
        )
    refusal = OptbenchError(
        "projected cannot wrap an optimizer that asks the objective itself",
        "its trial points are not feasible: wrap a first-order optimizer",
    )

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        along = evaluation._replace(grad=oracle.tangent(evaluation))
        refusing = RefusingOracle(refusal, oracle.progress)
        taken = optimizer.step(along, state, refusing)
        calls = taken.calls._replace(prox=taken.calls.prox + 1)
        return taken._replace(params=oracle.project(taken.params), calls=calls)

    return optimizer._replace(step=step, feasible=True, stability=None)
