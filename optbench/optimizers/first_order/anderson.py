"""Anderson acceleration of gradient descent."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from optbench import trees
from optbench.errors import require_count
from optbench.optimizer import Optimizer, Scalar, State, Step
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params


class _History(NamedTuple):
    residual_changes: jax.Array  # [n, m] of q(x) - x, from step to step; 0 where none is yet
    image_changes: jax.Array  # [n, m] of q(x)
    residual: jax.Array  # [n] the last one
    image: jax.Array  # [n]
    count: jax.Array  # k


def anderson(learning_rate: Scalar = 0.1, memory: int = 5) -> Optimizer:
    """Anderson acceleration of the fixed-point map q(x) = x - eta grad f(x).

    x_{k+1} = q(x_k) - sum_j gamma_j (q(x_{j+1}) - q(x_j)), where gamma minimizes
    |r_k - sum_j gamma_j (r_{j+1} - r_j)| over the last m steps j, with r_k = q(x_k) - x_k,
    eta = `learning_rate`, m = `memory`; of several gamma, the shortest. No step is safeguarded. On
    quadratics, with a memory that holds all steps, x_{k+1} = q(y_k) with y_k the iterate of GMRES.

    Calls per step: none beyond the evaluation at the next point.
    Source: Anderson (1965), J. ACM 12(4), pp. 547-560; Walker & Ni (2011), "Anderson acceleration
    for fixed-point iterations", SIAM J. Numer. Anal. 49(4), pp. 1715-1735, section 2 and theorem
    2.2.
    """
    require_count("anderson", "memory", memory)

    def init(params: Params) -> State:
        flat = trees.coordinates(params)
        changes = jnp.zeros((flat.size, memory), flat.dtype)
        unseen = jnp.zeros_like(flat)
        return _History(changes, changes, unseen, unseen, jnp.int32(0))

    def step(evaluation: Evaluation, state: _History, oracle: Oracle) -> Step:
        residual = -learning_rate * trees.coordinates(evaluation.grad)
        image = trees.coordinates(evaluation.params) + residual
        seen = state.count > 0
        column = (state.count - 1) % memory

        def remember(changes: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
            return changes.at[:, column].set(jnp.where(seen, new - old, 0.0))

        residuals = remember(state.residual_changes, residual, state.residual)
        images = remember(state.image_changes, image, state.image)
        gamma = _shortest(residuals, residual)
        point = trees.unpack(trees.layout_of(evaluation.params), image - images @ gamma)
        return Step(point, _History(residuals, images, residual, image, state.count + 1))

    return Optimizer(init, step)


def _shortest(changes: jax.Array, residual: jax.Array) -> jax.Array:
    """The shortest gamma of least |r - R gamma|; 0 where R or r is not finite.

    Divided by a power of two, which changes no digit: the singular values of a matrix whose entries
    overflow when squared, or are no numbers, are searched for without end by LAPACK.
    """
    _, exponent = jnp.frexp(jnp.max(jnp.abs(changes), initial=0.0))
    finite = jnp.isfinite(changes).all() & jnp.isfinite(residual).all()
    scaled, aim = (
        jnp.where(finite, jnp.ldexp(part, -exponent), 0.0) for part in (changes, residual)
    )
    return jnp.linalg.lstsq(scaled, aim)[0]
