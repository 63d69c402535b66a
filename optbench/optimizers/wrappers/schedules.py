"""Schedules: the learning rate of any optimizer, as a function of the share of the run behind it.

Each takes steps of the optimizer it wraps with a learning rate multiplied by s(u), where eta is the
learning rate of that optimizer and u = t / T: step t of a run of T, or the share of the budget that
is spent where steps differ in cost. Values of T compile nothing.

Calls per step: those of `optimizer`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from optbench import trees
from optbench.errors import require_count
from optbench.optimizer import Optimizer, Rated, Scalar, Stability, State, Step
from optbench.optimizers.first_order.gradient_descent import gradient_descent
from optbench.oracle import Evaluation, Oracle
from optbench.problem import Params

# The default of `optimizer` is a factory: whoever builds a wrapper builds what it wraps first.


def inverse_time_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    half_life: Scalar = 0.05,
) -> Optimizer:
    """s(u) = 1 / (1 + u / h), h = `half_life`: eta / (1 + k / (h T)) at step k.

    The steps of Robbins & Monro: their sum diverges with T, that of their squares does not.

    Source: Robbins & Monro (1951), "A stochastic approximation method", Annals of Mathematical
    Statistics 22(3), equation 27 (steps of order 1/k).
    """
    return _scheduled(optimizer, lambda u: 1 / (1 + u / half_life))


def inverse_square_root_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    half_life: Scalar = 0.05,
) -> Optimizer:
    """s(u) = 1 / sqrt(1 + u / h), h = `half_life`: steps of order 1/sqrt(k).

    Source: Nemirovski, Juditsky, Lan & Shapiro (2009), "Robust stochastic approximation approach to
    stochastic programming", SIAM J. Optim. 19(4), for steps of this order.
    """
    return _scheduled(optimizer, lambda u: 1 / jnp.sqrt(1 + u / half_life))


def step_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    factor: Scalar = 0.1,
    num_drops: int = 2,
) -> Optimizer:
    """s(u) = c^floor(u (n + 1)), c = `factor`, n = `num_drops`: n drops at equal distances.

    Source: Ge, Kakade, Kidambi & Netrapalli (2019), "The step decay schedule: a near optimal,
    geometrically decaying learning rate procedure for least squares", NeurIPS 32; in shape
    optax.exponential_decay with `staircase`.
    """
    require_count("step_decay", "num_drops", num_drops, least=0)

    def schedule(u: Any) -> Any:
        return factor ** jnp.minimum(jnp.floor(u * (num_drops + 1)), num_drops)

    return _scheduled(optimizer, schedule)


def exponential_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    final: Scalar = 0.01,
) -> Optimizer:
    """s(u) = c^u, from 1 to c = `final`.

    Source: Li, Zhuang & Orabona (2021), "A second look at exponential and cosine step sizes",
    ICML; in shape optax.exponential_decay.
    """
    return _scheduled(optimizer, lambda u: final**u)


def linear_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    final: Scalar = 0.0,
) -> Optimizer:
    """s(u) = 1 - (1 - c) u, from 1 to c = `final`.

    Source: Defazio, Cutkosky, Mehta & Mishchenko (2023), "When, why and how much? Adaptive learning
    rate scheduling by refinement"; in shape optax.linear_schedule.
    """
    return _scheduled(optimizer, lambda u: 1 - (1 - final) * u)


def cosine_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    final: Scalar = 0.0,
) -> Optimizer:
    """s(u) = c + (1 - c) (1 + cos(pi u)) / 2, from 1 to c = `final`.

    Source: Loshchilov & Hutter (2017), "SGDR: stochastic gradient descent with warm restarts",
    ICLR, equation 5, without restarts; in shape optax.cosine_decay_schedule.
    """
    return _scheduled(optimizer, lambda u: _cosine(u, 1.0, final))


def warmup_cosine_decay(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    warmup: Scalar = 0.05,
    initial: Scalar = 0.0,
    final: Scalar = 0.0,
) -> Optimizer:
    """Linear from a = `initial` to 1 until u = w, then a cosine to c = `final`; w = `warmup`.

    s(u) = a + (1 - a) u / w for u < w, else c + (1 - c) (1 + cos(pi (u - w) / (1 - w))) / 2.

    Source: Goyal et al. (2017), "Accurate, large minibatch SGD", for the warm-up; Loshchilov &
    Hutter (2017), equation 5, for the cosine; in shape optax.warmup_cosine_decay_schedule.
    """

    def rise(share: Any) -> Any:
        return initial + (1 - initial) * share

    return _scheduled(optimizer, lambda u: _warmed_up(u, warmup, rise, final))


def one_cycle(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    warmup: Scalar = 0.3,
    initial: Scalar = 0.04,
    final: Scalar = 4e-6,
) -> Optimizer:
    """Two halves of a cosine: from a = `initial` up to 1 at u = w, down to c = `final` at u = 1.

    w = `warmup`. s(u) = 1 + (a - 1) (1 + cos(pi u / w)) / 2 for u < w, else
    c + (1 - c) (1 + cos(pi (u - w) / (1 - w))) / 2.

    Source: Smith & Topin (2019), "Super-convergence: very fast training of neural networks using
    large learning rates"; in shape and defaults optax.cosine_onecycle_schedule, without momentum.
    """

    def rise(share: Any) -> Any:
        return _cosine(share, initial, 1.0)

    return _scheduled(optimizer, lambda u: _warmed_up(u, warmup, rise, final))


def warm_restarts(
    optimizer: Rated = gradient_descent,  # pyright: ignore[reportArgumentType]
    num_cycles: int = 4,
    final: Scalar = 0.0,
) -> Optimizer:
    """Cosines from 1 to c = `final`, n = `num_cycles` of equal length: s(u) of the share n u mod 1.

    Only the learning rate restarts; the state of `optimizer` goes on.

    Source: Loshchilov & Hutter (2017), "SGDR: stochastic gradient descent with warm restarts",
    ICLR, equation 5 with T_mult = 1; in shape optax.sgdr_schedule.
    """
    require_count("warm_restarts", "num_cycles", num_cycles)

    def schedule(u: Any) -> Any:
        cycles = u * num_cycles
        whole = jnp.minimum(jnp.floor(cycles), num_cycles - 1)  # the last cycle reaches its end
        return _cosine(cycles - whole, 1.0, final)

    return _scheduled(optimizer, schedule)


def _warmed_up(u: Any, warmup: Scalar, rise: Callable[[Any], Any], final: Scalar) -> Any:
    """What rises until u = warmup, as a function of the share of that, then half a cosine."""
    falling = _cosine(_ratio(u - warmup, 1 - warmup), 1.0, final)
    return jnp.where(u < warmup, rise(_ratio(u, warmup)), falling)


def _cosine(u: Any, first: Scalar, last: Scalar) -> Any:
    """Half a cosine from first at u = 0 to last at u = 1."""
    return last + (first - last) * (1 + jnp.cos(jnp.pi * u)) / 2


def _ratio(part: Any, whole: Any) -> Any:
    """part / whole; 1 where the whole is 0."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), 1.0)


def _scheduled(rated: Rated, schedule: Callable[[Any], Any]) -> Optimizer:
    """The optimizer whose learning rate is multiplied by the schedule at every step."""
    start = rated(1.0)

    def at(progress: Any, dtype: Any) -> Optimizer:
        return rated(jnp.asarray(schedule(jnp.asarray(progress, dtype)), dtype))

    def step(evaluation: Evaluation, state: State, oracle: Oracle) -> Step:
        dtype = jnp.result_type(evaluation.value)
        return at(oracle.progress, dtype).step(evaluation, state, oracle)

    def stability(state: State, progress: Any) -> Stability:
        frozen = at(progress, jnp.result_type(progress)).stability
        return Stability(jnp.nan) if frozen is None else frozen(state, progress)

    def init(params: Params) -> State:
        return rated(schedule(jnp.zeros((), trees.norm(params).dtype))).init(params)

    now = None if start.stability is None else stability
    return start._replace(init=init, step=step, stability=now)
