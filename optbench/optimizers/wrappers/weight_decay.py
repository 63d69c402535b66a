"""Wrappers that pull the params towards zero: beside the step, or in the loss.

Around gradient descent both are the same; around methods that scale the gradient they are not.

Calls per step: those of `optimizer`.
"""

from __future__ import annotations

from optbench import trees
from optbench.errors import OptbenchError
from optbench.optimizer import Optimizer, Rated, Scalar, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.optimizers.wrappers.wrapping import refusing, require_own_point
from optbench.oracle import Evaluation, Oracle

# The default of `optimizer` is a factory: whoever builds a wrapper builds what it wraps first.


def decouple_weight_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    weight_decay: Scalar = 1e-4,
) -> Optimizer:
    """The step of `optimizer` from x_k, less eta w x_k, eta its learning rate, w = `weight_decay`.

    Around Adam it is AdamW. A schedule goes around it, and then scales both parts, as in
    cosine_decay(decouple_weight_decay(adam)). Optimizers that report another point than they step
    from are refused.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization", ICLR, algorithm
    2, with the decay in proportion to eta as in optax.adamw and torch.optim.AdamW (there it is in
    proportion to the schedule alone).
    """
    if optimizer.multiplied:
        raise OptbenchError(
            "decouple_weight_decay cannot see the learning rate through another wrapper's factor",
            "turn it around, as in cosine_decay(decouple_weight_decay(adam))",
        )
    wrapped = optimizer(1.0)
    require_own_point("decouple_weight_decay", wrapped)

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        taken = wrapped.step(evaluation, state, oracle)
        shrink = -optimizer.learning_rate * weight_decay
        params = trees.add_scaled(taken.params, shrink, evaluation.params)
        return Step(params, taken.state, taken.calls)

    return wrapped._replace(step=step, feasible=False, stability=None)


def l2_regularize(
    optimizer: Optimizer = gradient_descent,  # pyright: ignore[reportArgumentType]
    weight_decay: Scalar = 1e-4,
) -> Optimizer:
    """Hand `optimizer` value and gradient of f(x) + w |x|^2 / 2, w = `weight_decay`.

    What is logged is f. Optimizers that ask the objective themselves are refused.

    Source: Krogh and Hertz (1992), "A simple weight decay can improve generalization", NIPS 4;
    optax.add_decayed_weights before the wrapped transformation.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, value, grad = evaluation
        regularized = Evaluation(
            params,
            value + weight_decay * trees.dot(params, params) / 2,
            trees.add_scaled(grad, weight_decay, params),
        )
        return optimizer.step(regularized, state, refusing("l2_regularize", optimizer, oracle))

    return optimizer._replace(step=step, stability=None)
