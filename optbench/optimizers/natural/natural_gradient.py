"""Natural gradient descent: steps of equal length in the model's distribution, not its params."""

from __future__ import annotations

from optbench import trees
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.optimizers.first_order import linear_cg
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params


def natural_gradient(
    learning_rate: Scalar = 1.0,
    damping: Scalar = 1e-3,
    tolerance: Scalar = 1e-6,
    max_linear_iterations: int = 100,
) -> Optimizer:
    """x_{k+1} = x_k - eta d, where conjugate gradients solve (F + lambda I) d = g.

    eta = `learning_rate`, lambda = `damping`, g = grad f(x_k), and F = J^T (hess l) J with J the
    Jacobian of the outputs and l the loss on them: the Fisher matrix where l is a negative
    log-likelihood and the outputs are natural parameters, the generalized Gauss-Newton matrix
    otherwise. CG stops at |(F + lambda I) d - g| <= `tolerance` |g|, or after
    `max_linear_iterations`.

    Needs: `Problem.outputs` and `Problem.output_loss`.
    Calls per step: a Fisher product per iteration of CG, beyond the evaluation at the next point.
    Source: Amari (1998), theorem 1; Martens (2020), JMLR 21(146), section 9.
    """

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        params, grad = evaluation.params, evaluation.grad
        fisher_product = oracle.fisher_product(params)

        def damped(v: Params) -> Params:
            return trees.add_scaled(fisher_product(v), damping, v)

        accuracy = tolerance * trees.norm(grad)
        solution = linear_cg.solve(damped, grad, accuracy, max_linear_iterations)
        calls = Calls(
            fisher_products=solution.num_products, linear_iterations=solution.num_products
        )
        return Step(trees.add_scaled(params, -learning_rate, solution.x), state, calls)

    return Optimizer(lambda params: (), step)
