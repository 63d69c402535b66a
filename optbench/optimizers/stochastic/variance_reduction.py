"""Variance reduction on finite sums that are seen through minibatches.

f(x) = mean_i f_i(x) over N rows; S_k holds the B rows of step k's sample, drawn uniformly with
replacement, and `mean over S_k` is over them. A problem is seen so where it has a batch size:
`logistic[batch_size=1]`. On all others these methods are not applicable. eta = `learning_rate`;
with B = 1, theory asks for a step that is short in 1 / L_max, L_max the largest smoothness of a
single f_i: 1 / (3 L_max) for SAGA, about 1 / (10 L_max) for SVRG, 1 / (16 L_max) for SAG.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, NoReturn

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.errors import NotApplicable, require_count
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Calls, Evaluation, Oracle
from optbench.problem import Params, Problem


class _Snapshot(NamedTuple):
    params: Params  # z
    mean: Params  # grad f(z)
    count: jax.Array  # k


def svrg(learning_rate: Scalar = 0.01, period: int | None = None) -> Optimizer:
    """Stochastic variance-reduced gradient: samples corrected by a snapshot z.

    x_{k+1} = x_k - eta (g_k - (mean over S_k of grad f_i(z)) + grad f(z)), with g_k the gradient of
    the sample at x_k. Every m = `period` steps, at first too, z becomes x_k: the estimate is then
    grad f(x_k), whatever the sample. m is 2 N / B by default, two passes. The estimate is unbiased,
    and its variance vanishes as x_k and z approach x*.

    Calls per step: a gradient of the sample at z; in every m-th step the whole gradient instead.
    Source: Johnson & Zhang (2013), "Accelerating stochastic gradient descent using predictive
    variance reduction", NIPS 26, procedure SVRG, option I.
    """
    if period is not None:
        require_count("svrg", "period", period)

    def init(params: Params) -> State:
        return _Snapshot(params, jax.tree.map(jnp.zeros_like, params), jnp.int32(0))

    def step(evaluation: Evaluation, state: _Snapshot, oracle: Oracle) -> Step:
        params, _, grad = evaluation
        num_rows, batch_size = oracle.num_rows, oracle.sample_rows().shape[0]
        steps = max(1, 2 * num_rows // batch_size) if period is None else period

        def renew() -> tuple[_Snapshot, Params]:
            whole = oracle.whole_value_and_grad(params).grad
            return _Snapshot(params, whole, state.count + 1), whole

        def correct() -> tuple[_Snapshot, Params]:
            old = oracle.value_and_grad(state.params).grad
            estimate = jax.tree.map(lambda g, o, m: g - o + m, grad, old, state.mean)
            return state._replace(count=state.count + 1), estimate

        is_due = state.count % steps == 0
        following, estimate = jax.lax.cond(is_due, renew, correct)
        renewals = is_due.astype(jnp.int32)
        calls = Calls(value_and_gradients=1 - renewals, whole_gradients=renewals)
        return Step(trees.add_scaled(params, -learning_rate, estimate), following, calls)

    return Optimizer(init, step)


class _Table(NamedTuple):
    rows: Params  # [N, ...] the gradient last seen of each row, 0 where none was
    mean: Params  # over all rows


class _Change(NamedTuple):
    sampled: Params  # mean over S_k of what the table's rows change by
    mean: Params  # what the mean over all rows changes by


def saga(learning_rate: Scalar = 0.01) -> Optimizer:
    """SAGA: samples corrected by the gradients last seen of the same rows.

    x_{k+1} = x_k - eta (mean over S_k of (grad f_i(x_k) - y_i) + mean_j y_j), and then
    y_i = grad f_i(x_k) for i in S_k. The estimate is unbiased, and its variance vanishes at x*.

    The table y holds N times as many numbers as the params, per lane. It starts at 0: the first
    time that a row is seen, its gradient goes in uncorrected, as in stochastic gradient descent.

    Calls per step: none beyond the evaluation at the next point where B = 1, which is the gradient
    of the one row; else the gradients of B rows.
    Source: Defazio, Bach & Lacoste-Julien (2014), "SAGA: a fast incremental gradient method with
    support for non-strongly convex composite objectives", NIPS 27, equation 1.
    """

    def estimate(table: _Table, change: _Change) -> Params:
        return trees.add_scaled(table.mean, 1, change.sampled)

    return _with_table(learning_rate, estimate)


def sag(learning_rate: Scalar = 0.01) -> Optimizer:
    """Stochastic average gradient: a step along the mean of the gradients last seen of all rows.

    y_i = grad f_i(x_k) for i in S_k, and then x_{k+1} = x_k - eta mean_j y_j. The estimate is
    biased, and its variance smaller than SAGA's.

    The table y holds N times as many numbers as the params, per lane. It starts at 0: the mean is
    over all N rows from the first step on, and the steps are short until most rows were seen.

    Calls per step: none beyond the evaluation at the next point where B = 1, which is the gradient
    of the one row; else the gradients of B rows.
    Source: Le Roux, Schmidt & Bach (2012), "A stochastic gradient method with an exponential
    convergence rate for finite training sets", NIPS 25; Schmidt, Le Roux & Bach (2017), "Minimizing
    finite sums with the stochastic average gradient", Math. Program. 162, algorithm 1.
    """

    def estimate(table: _Table, change: _Change) -> Params:
        return trees.add_scaled(table.mean, 1, change.mean)

    return _with_table(learning_rate, estimate)


def _with_table(learning_rate: Scalar, estimate: Callable[[_Table, _Change], Params]) -> Optimizer:
    """Steps along estimate(table, change), with the table before the change."""

    def init(params: Params) -> NoReturn:
        raise NotApplicable(
            "a table of the gradients of all rows cannot be made without the problem",
            "run saga and sag by themselves: what wraps them keeps no such table",
        )

    def init_on(params: Params, problem: Problem) -> State:
        num_rows = Oracle(problem).num_rows
        rows = jax.tree.map(lambda x: jnp.zeros((num_rows, *x.shape), x.dtype), params)
        return _Table(rows, jax.tree.map(jnp.zeros_like, params))

    def step(evaluation: Evaluation, table: _Table, oracle: Oracle) -> Step:
        rows = oracle.sample_rows()
        if rows.shape[0] == 1:
            new, calls = jax.tree.map(lambda g: g[None], evaluation.grad), Calls()
        else:
            new = oracle.row_gradients(evaluation.params, rows)
            calls = Calls(row_gradients=rows.shape[0])
        old = jax.tree.map(lambda y: y[rows], table.rows)
        difference = jax.tree.map(jnp.subtract, new, old)
        change = _change(table, rows, difference)
        point = trees.add_scaled(evaluation.params, -learning_rate, estimate(table, change))
        # Not y.at[rows].set(new): what is written in place must depend on what is read before, or
        # XLA copies the table.
        entries = jax.tree.map(lambda y, o, d: y.at[rows].set(o + d), table.rows, old, difference)
        return Step(point, _Table(entries, trees.add_scaled(table.mean, 1, change.mean)), calls)

    return Optimizer(init, step, init_on=init_on)


def _change(table: _Table, rows: jax.Array, difference: Params) -> _Change:
    """What a [B, ...] difference in some rows, of which some may be equal, changes."""
    times = jnp.sum(rows[:, None] == rows[None, :], axis=1)

    def once(d: jax.Array, y: jax.Array) -> jax.Array:
        shares = (1 / times).astype(d.real.dtype)
        return jnp.tensordot(shares, d, axes=1) / y.shape[0]

    mean = jax.tree.map(once, difference, table.rows)
    return _Change(jax.tree.map(lambda d: jnp.mean(d, axis=0), difference), mean)
