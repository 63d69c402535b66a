"""Solvers of optimistix as optimizers: one step is one trial of theirs.

A step of optimistix judges the trial point that the step before proposed: it evaluates it, accepts
or refuses it, and proposes the next. The point returned is the one accepted last, with its
evaluation, so the loop makes none of its own. A solver's test for convergence is not asked: the
loop decides when a run ends.

The solver works on one real vector of coordinates, and sees of f what a model of it at the trial
point says, which is exact there: f + g^T d for minimizers, r + J d for least squares.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix as optx

from optbench import trees
from optbench.errors import NotApplicable
from optbench.optimizer import Optimizer, State, Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params
from optbench.transformation import strong

TOLERANCE = 1e-12  # of the convergence test, which is never asked

Solver = optx.AbstractMinimiser | optx.AbstractLeastSquaresSolver


class _Carry(NamedTuple):
    arrays: Any  # the solver's state, its arrays alone
    num_steps: jax.Array


class _Model(NamedTuple):
    """What a solver knows of f near `point`: value + slope @ (y - point)."""

    point: jax.Array  # [n]
    value: jax.Array  # [] of f, or [n + 1] of the residuals
    slope: jax.Array  # [n], or [n + 1, n]


def from_optimistix(solver: Solver) -> Optimizer:
    """An optimizer that takes the steps of an optimistix solver, one trial each.

    Calls per step: a value and gradient per trial for a minimizer that uses gradients, and none in
    the first step, which judges the start; for a least-squares solver a value and n products with
    the Jacobian, with n the number of coordinates, in the first step too; for Nelder-Mead two
    values, n + 1 where it shrinks and in the first step, beyond the loop's evaluation.
    """
    if isinstance(solver, optx.NelderMead):
        return _simplex(solver)
    look = _linearize if isinstance(solver, optx.AbstractLeastSquaresSolver) else _differentiate

    def init(params: Params) -> State:
        y = trees.coordinates(params)
        with _precision_of(y):
            arrays, _ = _begin(solver, y)
        return _Carry(arrays, jnp.int32(0))

    def step(evaluation: Evaluation, state: _Carry, oracle: Oracle) -> Step:
        _require_exact(oracle)
        y, layout = trees.coordinates(evaluation.params), trees.layout_of(evaluation.params)
        with _precision_of(y):
            before = eqx.combine(state.arrays, _begin(solver, y)[1])
            model, calls = look(before.y_eval, evaluation, state.num_steps, oracle)
            y, after, _ = solver.step(_affine, y, model, {}, before, frozenset())
            slope = (
                after.f_info.compute_grad()
                if isinstance(after.f_info, optx.FunctionInfo.ResidualJac)
                else after.f_info.grad
            )
            seen = y, after.f_info.as_min(), slope
        following = Evaluation(trees.unpack(layout, y), seen[1], trees.unpack(layout, slope))
        arrays = _like(state.arrays, eqx.filter(after, eqx.is_array))
        return Step(following.params, _Carry(arrays, state.num_steps + 1), calls, following)

    return Optimizer(init, step, holds_point=True)


def _affine(y: jax.Array, model: _Model) -> tuple[jax.Array, None]:
    return model.value + model.slope @ (y - model.point), None


def _begin(solver: Solver, y: jax.Array) -> tuple[Any, Any]:
    """The solver's first state: its arrays, and all else, which every trace makes anew."""
    n = y.size
    if isinstance(solver, optx.AbstractLeastSquaresSolver):
        model = _Model(y, jnp.zeros(n + 1, y.dtype), jnp.zeros((n + 1, n), y.dtype))
    else:
        model = _Model(y, jnp.zeros((), y.dtype), jnp.zeros_like(y))
    shape = jax.eval_shape(lambda: model.value)
    state = solver.init(_affine, y, model, {}, shape, None, frozenset())
    arrays, rest = eqx.partition(state, eqx.is_array)
    return jax.tree.map(strong, arrays), rest


def _like(before: Any, after: Any) -> Any:
    """The new arrays, in the dtypes of the old."""
    return jax.tree.map(lambda old, new: strong(new).astype(old.dtype), before, after)


def _differentiate(
    trial: jax.Array, evaluation: Evaluation, num_steps: jax.Array, oracle: Oracle
) -> tuple[_Model, Calls]:
    """f and its gradient at the trial point; the first one is the start, where they are known."""
    layout = trees.layout_of(evaluation.params)

    def known() -> tuple[jax.Array, jax.Array]:
        return evaluation.value, trees.coordinates(evaluation.grad)

    def asked() -> tuple[jax.Array, jax.Array]:
        seen = oracle.value_and_grad(trees.unpack(layout, trial))
        return seen.value, trees.coordinates(seen.grad)

    is_start = num_steps == 0
    value, grad = jax.lax.cond(is_start, known, asked)
    calls = Calls(value_and_gradients=jnp.where(is_start, 0, 1))
    return _Model(trial, value, grad), calls


def _linearize(
    trial: jax.Array, evaluation: Evaluation, num_steps: jax.Array, oracle: Oracle
) -> tuple[_Model, Calls]:
    """The residuals and their Jacobian, from one product per column, rotated to n + 1 rows.

    With J = Q R, the residuals (Q^T r, |r - Q Q^T r|) and the Jacobian (R, 0) have the same |r|,
    J^T J and J^T r, which is all that the solvers use; the state does not depend on how many
    residuals there are.
    """
    layout, n = trees.layout_of(evaluation.params), trial.size
    residuals, product = oracle.linearized_residuals(trees.unpack(layout, trial))

    def column(unit: jax.Array) -> jax.Array:
        return product(trees.unpack(layout, unit))

    columns = jax.lax.map(column, jnp.eye(n, dtype=trial.dtype))
    missing = max(0, n - residuals.size)
    r, jacobian = jnp.pad(residuals, (0, missing)), jnp.pad(columns.T, ((0, missing), (0, 0)))
    q, upper = jnp.linalg.qr(jacobian)
    along = q.T @ r
    rest = jnp.linalg.norm(r - q @ along)
    value = jnp.append(along, rest)
    slope = jnp.concatenate([upper, jnp.zeros((1, n), upper.dtype)])
    return _Model(trial, value, slope), Calls(values=1, jacobian_products=n)


def _require_exact(oracle: Oracle) -> None:
    if oracle.problem.stochastic:
        raise NotApplicable(
            "solvers of optimistix compare values of one and the same function",
            "use the full-batch form of the problem",
        )


def _precision_of(y: jax.Array) -> Any:
    """The context in which the numbers that a solver makes up have the precision of its point."""
    return jax.enable_x64(y.dtype == jnp.float64)


def _simplex(solver: optx.NelderMead) -> Optimizer:
    """Nelder and Mead's search, with two defects of optimistix 0.1.0 kept away.

    The first simplex is x_0 and x_0 + (adelta + rdelta x_0i) e_i: its own is flat where a
    leaf has more than one coordinate. The best and the worst vertex are read from the newest
    simplex: it reads them from the one before, where the new best one is still the old worst.
    """

    def begin(y: jax.Array) -> Any:
        shape = jax.ShapeDtypeStruct((), y.dtype)
        begun = solver.init(_unasked, y, None, {}, shape, None, frozenset())
        offsets = jnp.diag(solver.adelta + solver.rdelta * y).astype(y.dtype)
        vertices = jnp.concatenate([y[None], y[None] + offsets])
        return eqx.tree_at(lambda s: s.simplex, begun, vertices)

    def init(params: Params) -> State:
        y = trees.coordinates(params)
        with _precision_of(y):
            arrays = jax.tree.map(strong, eqx.filter(begin(y), eqx.is_array))
        return _Carry(arrays, jnp.int32(0))

    def step(evaluation: Evaluation, state: _Carry, oracle: Oracle) -> Step:
        _require_exact(oracle)
        y, layout = trees.coordinates(evaluation.params), trees.layout_of(evaluation.params)

        def value(x: jax.Array, _: Any) -> tuple[jax.Array, None]:
            return oracle.value(trees.unpack(layout, x)), None

        with _precision_of(y):
            before = eqx.combine(state.arrays, eqx.partition(begin(y), eqx.is_array)[1])
            _, after, _ = solver.step(value, y, None, {}, before, frozenset())
            (low, _, best), (high, _, worst) = after.best, after.worst
            ends = (low, after.simplex[best], best), (high, after.simplex[worst], worst)
            after = eqx.tree_at(lambda s: (s.best, s.worst), after, ends)
        shrunk = after.stats.n_shrink - before.stats.n_shrink
        pair = jnp.where(state.num_steps == 0, 0, 2)
        arrays = _like(state.arrays, eqx.filter(after, eqx.is_array))
        return Step(
            trees.unpack(layout, ends[0][1]),
            _Carry(arrays, state.num_steps + 1),
            Calls(values=pair + (y.size + 1) * shrunk),
        )

    return Optimizer(init, step, holds_point=True)


def _unasked(y: jax.Array, _: Any) -> tuple[jax.Array, None]:
    return jnp.zeros((), y.dtype), None
