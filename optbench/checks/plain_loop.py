"""What the laws of optimizers run: small problems, the plainest loop, a counting oracle."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap

from optbench import trees
from optbench.errors import NotApplicable, OptbenchError
from optbench.fisher import KroneckerFisher
from optbench.layers import affine
from optbench.method import Method
from optbench.optimizer import Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Constants, Params, Problem
from optbench.theory import known_of
from optbench.transforms.minibatches import SampledRows, minibatches

CURVATURES = np.logspace(-1, 0, 6)  # L = 1, kappa = 10 where bend = 0
CENTER = np.array([0.3, -0.2, 0.5, 0.1, -0.4, 0.2])
START = CENTER + np.array([1.1, -0.8, 0.6, 1.2, -1.0, 0.9])

SHARES = np.array([0.5, 0.75, 1.75])  # of each term of the finite sum; their mean is 1

# Those of the quadratic; what theory tells of hyperparameters is settled by them.
CONSTANTS = Constants(smoothness=1.0, strong_convexity=0.1, hessian_lipschitz=1.0, convex=True)

# Three terms, each a sum over other squares, whose mean is the whole: L = 3 for each of them.
TERMS = 3.0 * (np.arange(2 * CURVATURES.size - 1) % 3 == np.arange(3)[:, None])

Values = Mapping[tuple[int, str], Any]  # (depth, name) of a hyperparameter -> its value
Ask = Callable[[Problem, jax.Array, Any], Oracle]  # problem, key, progress -> oracle


def _network(params: Params, dense: Callable[..., Any], *data: Any) -> jax.Array:
    _, curvatures, center, bend = data
    point = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(params)])
    offset = dense(jnp.ones_like(point, shape=(1, 1)), point[None, :])[0] - center
    bent = bend * (offset[1:] - offset[:-1] ** 2)
    return jnp.concatenate([jnp.sqrt(curvatures) * offset, bent])


def _residuals(params: Params, *data: Any) -> jax.Array:
    return _network(params, affine, *data)


def _half_square(outputs: jax.Array, *data: Any) -> jax.Array:
    return jnp.sum(outputs**2) / 2


def objective(params: Params, shares: Any, *data: Any) -> jax.Array:
    """The objective of `make_problem`."""
    return jnp.mean(shares) * _half_square(_residuals(params, shares, *data))


def _start(seed: int) -> np.ndarray:
    return START


def make_problem(bend: float = 1.0, shift: Any = 0.0) -> Problem:
    """f(x) = sum_i h_i u_i^2 / 2 + b^2 sum_i (u_{i+1} - u_i^2)^2 / 2 with u = x - c - s.

    h is log-spaced in [0.1, 1], b = `bend`, s = `shift`; the minimizer is c + s. The terms are
    also given as residuals; as outputs with a loss, so that methods that need a Fisher matrix have
    one; x as the weights of one dense layer, whose input is 1; and f as the mean of terms w_i f
    with mean_i w_i = 1, for methods that need a finite sum. All instances share one compiled
    program.
    """
    return Problem(
        objective=objective,
        start=_start,
        data=(SHARES, CURVATURES, CENTER + shift, np.float64(bend)),
        row_arrays=1,
        residuals=_residuals,
        outputs=_residuals,
        output_loss=_half_square,
        network=_network,
        minimum=0.0,
        constants=CONSTANTS,
    )


def _mean_of_terms(params: Params, terms: Any, *data: Any) -> jax.Array:
    return jnp.mean(terms @ _residuals(params, *data) ** 2) / 2


def make_finite_sum(bend: float = 1.0, shift: Any = 0.0) -> Problem:
    """f as `make_problem` has it, as the mean of 3 terms of which a step sees one.

    All terms are least at the minimizer of f: a method that sees them one by one can come to rest.
    """
    whole = make_problem(bend, shift)
    return minibatches(
        Problem(
            objective=_mean_of_terms,
            start=_start,
            data=(TERMS, *whole.data),
            minimum=0.0,
            constants=CONSTANTS,
            row_arrays=1,
        ),
        batch_size=1,
    )


MakeProblem = Callable[..., Problem]  # (bend, shift) -> a problem whose minimizer is c + s

_SMALL_PROBLEMS: tuple[MakeProblem, ...] = (make_problem, make_finite_sum)


def small_problem_for(method: Method) -> MakeProblem:
    """The first of the small problems that a step of the method can be traced on.

    Raises:
        NotApplicable: it refuses them all; the first refusal.
        Exception: whatever else building the method or tracing its step raises.
    """
    values = {(h.depth, h.name): 1.0 for h in method.hyperparameters()}
    refusals: list[NotApplicable] = []
    for make in _SMALL_PROBLEMS:

        def step(params: Params, values: Values, problem: Problem) -> Step:
            optimizer, oracle = method.build(values), Oracle(problem, jax.random.key(0))
            state = optimizer.begin(params, problem)
            return optimizer.step(oracle.value_and_grad(params), state, oracle)

        try:
            with jax.enable_x64(True):
                jax.eval_shape(step, START, values, make())
        except NotApplicable as error:
            refusals.append(error)
            continue
        return make
    raise refusals[0]


def declared_values(method: Method, problem: Problem) -> Values:
    """The hyperparameters a method is given, or has by default; formulas settled on a problem.

    Raises:
        OptbenchError: one has no value.
    """
    hypers = method.settled(known_of(problem)).hyperparameters()
    for hyper in hypers:
        if hyper.value is None:
            raise OptbenchError(
                f"optimizer {method.label!r} needs a {hyper.name}",
                f"write {method.replace(**{hyper.name: 0.1}).label}",
            )
    return {(h.depth, h.name): np.asarray(h.value) for h in hypers}


class Outcome(NamedTuple):
    """Where a run ends.

    Attributes:
        params: the reported point.
        calls: oracle calls, one count per kind.
    """

    params: Params
    calls: jax.Array


def make_loop(method: Method, ask: Ask) -> Callable[[Problem, Params, Values, Any], Outcome]:
    """(problem, params, values, num_steps) -> outcome: one lane, in the plainest form."""

    def run(problem: Problem, params: Params, values: Values, num_steps: Any) -> Outcome:
        optimizer, key = method.build(values), jax.random.key(0)

        def tick(index: Any, carry: Any) -> Any:
            seen, state, calls = carry
            progress = index / jnp.asarray(num_steps, seen.value.dtype)
            step = optimizer.step(seen, state, at(index, progress))
            calls = calls + jnp.stack([jnp.asarray(count, jnp.int32) for count in step.calls])
            if step.evaluation is not None:
                return step.evaluation, step.state, calls
            following = at(index + 1, progress).value_and_grad(step.params)
            return following, step.state, calls + evaluated

        def at(index: Any, progress: Any) -> Oracle:
            return ask(problem, jax.random.fold_in(key, index), progress)

        evaluated = jnp.array(Calls(value_and_gradients=1), jnp.int32)
        oracle = at(0, 0.0)
        first = oracle.value_and_grad(params)
        carry = first, optimizer.begin(params, oracle.problem), evaluated
        seen, state, calls = jax.lax.fori_loop(0, num_steps, tick, carry)
        report = optimizer.eval_params
        return Outcome(seen.params if report is None else report(seen.params, state), calls)

    return run


def counting(counts: collections.Counter[str]) -> Ask:
    """Oracles that count, in Python, what is asked of them and of the functions of the problem.

    They count right in an eager run of one lane only. What is asked of residuals, outputs or the
    network behind an oracle's back counts as a value.
    """

    def ask(problem: Problem, key: jax.Array, progress: Any) -> Oracle:
        loss = _counted(problem.objective, counts)
        parts = {name: getattr(problem, name) for name in ("residuals", "outputs", "network")}
        counted = dataclasses.replace(
            problem, objective=loss, **{n: f and _valued(f, counts) for n, f in parts.items()}
        )
        if isinstance(problem.sample_loss, SampledRows):
            sampled = dataclasses.replace(problem.sample_loss, objective=loss)
            counted = dataclasses.replace(counted, sample_loss=sampled)
        plain = Oracle(problem, key, progress)
        return _CountingOracle(counted, key, progress, plain=plain, counts=counts)

    return ask


def _counted(objective: Callable[..., Any], counts: collections.Counter[str]) -> Any:
    """The objective; a call under differentiation counts as a value and gradient."""

    def counted(params: Params, *data: Any) -> jax.Array:
        @jax.custom_vjp
        def loss(params: Params) -> jax.Array:
            return objective(_told(counts, "values", params), *data)

        def forward(params: Params) -> tuple[jax.Array, Params]:
            params = _told(counts, "value_and_gradients", params)
            return jax.value_and_grad(objective)(params, *data)

        loss.defvjp(forward, lambda grad, factor: (trees.scale(factor, grad),))
        return loss(params)

    return counted


def _valued(function: Callable[..., Any], counts: collections.Counter[str]) -> Any:
    """A part of the objective; each call counts as a value."""

    def valued(params: Params, *arguments: Any) -> Any:
        return function(_told(counts, "values", params), *arguments)

    return valued


def _told(counts: collections.Counter[str], kind: str, params: Params) -> Params:
    """The params, and one call counted; as many as there are, where the call is mapped."""

    @custom_vmap
    def told(params: Params) -> Params:
        return params

    @told.def_vmap
    def _mapped(axis_size: int, in_batched: list[Any], params: Params) -> tuple[Params, Any]:
        counts[kind] += axis_size - 1
        return params, in_batched[0]

    counts[kind] += 1
    return told(params)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _CountingOracle(Oracle):
    """Counts products apart: the linearization that each needs is part of its price."""

    plain: Oracle
    counts: collections.Counter[str]

    def hessian_product(self, params: Params) -> Callable[[Params], Params]:
        product = self.plain.hessian_product(params)
        return self._counting("hessian_products", product)

    def fisher_product(self, params: Params) -> Callable[[Params], Params]:
        return self._counting("fisher_products", self.plain.fisher_product(params))

    def kronecker_fisher(self, params: Params) -> KroneckerFisher:
        """As `Oracle` has it: a product per unit of the hidden layers, and one for the last."""
        fisher = self.plain.kronecker_fisher(params)
        *hidden, _ = (len(factors.outputs) for factors in fisher.factors)
        self.counts["fisher_products"] += sum(hidden) + 1
        return fisher

    def linearized_residuals(
        self, params: Params
    ) -> tuple[jax.Array, Callable[[Params], jax.Array]]:
        self.counts["values"] += 1
        residuals, product = self.plain.linearized_residuals(params)
        return residuals, self._counting("jacobian_products", product)

    def prox(self, params: Params, step: Any) -> Params:
        """As `Oracle` has it, counted."""
        return self._counting("prox", lambda p: self.plain.prox(p, step))(params)

    def row_gradients(self, params: Params, rows: jax.Array) -> Params:
        """As `Oracle` has it, counted."""
        self.counts["row_gradients"] += len(rows)
        return self.plain.row_gradients(params, rows)

    def whole_value_and_grad(self, params: Params) -> Evaluation:
        """As `Oracle` has it, counted."""
        self.counts["whole_gradients"] += 1
        return self.plain.whole_value_and_grad(params)

    def _counting(self, kind: str, product: Callable[[Params], Any]) -> Callable[[Params], Any]:
        def counted(v: Params) -> Any:
            self.counts[kind] += 1
            return product(v)

        return counted
