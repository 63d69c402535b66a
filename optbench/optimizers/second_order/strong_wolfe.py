"""A line search for the strong Wolfe conditions as a state machine: one trial at a time.

A step t along a direction is accepted where, with phi(t) = f(x + t p),

    phi(t) <= phi(0) + c1 t phi'(0) + d  and  |phi'(t)| <= c2 |phi'(0)|,

c1 = `slope_fraction`, c2 = `curvature_fraction`, and d = 10 eps |phi(0)| for the rounding of f.
Whoever searches evaluates phi and phi' at `Search.trial` and tells `advance`, until the search is
over. No loop waits for a trial, so lanes that search together need not agree on how many to make.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from optbench.optimizer import Scalar

_ROUNDING_UNITS = 10  # rounding error allowed for in phi, in eps |phi(0)|
_GROWTH = 2.0  # from one trial to the next, while phi keeps falling
_MARGIN = 0.1  # of the bracket, kept free of trials at both of its ends


class Conditions(NamedTuple):
    """When a search is over.

    Attributes:
        slope_fraction: c1, in (0, 1).
        curvature_fraction: c2, in (c1, 1).
        max_trials: how many trials are made at most. The last one is made at the lowest point
            found, which is accepted without the second condition.
    """

    slope_fraction: Scalar = 1e-4
    curvature_fraction: Scalar = 0.9
    max_trials: int = 30


class Sample(NamedTuple):
    """What is known of phi at one length."""

    length: jax.Array
    value: jax.Array
    slope: jax.Array


class Search(NamedTuple):
    """A search under way.

    Attributes:
        origin: phi at 0.
        low: the lowest sample that meets the first condition.
        high: the other end of a bracket that holds acceptable lengths, on either side of `low`;
            at an infinite length as long as there is none.
        trial: the length to be tried next; once the search is over, the last one tried.
        num_trials: trials made.
        accepted: whether the last trial is accepted, which ends the search.
        failed: whether the search has ended without.
    """

    origin: Sample
    low: Sample
    high: Sample
    trial: jax.Array
    num_trials: jax.Array
    accepted: jax.Array
    failed: jax.Array

    @property
    def is_over(self) -> jax.Array:
        """Whether no further trial is needed."""
        return self.accepted | self.failed


def start(value: jax.Array, slope: jax.Array, trial: jax.Array) -> Search:
    """A search from phi(0) and phi'(0) <= 0, with its first trial."""
    origin = Sample(jnp.zeros_like(value), value, slope)
    nowhere = origin._replace(length=jnp.full_like(value, jnp.inf))
    unmet = jnp.zeros((), bool)
    return Search(origin, origin, nowhere, trial, jnp.int32(0), unmet, unmet)


def advance(search: Search, value: jax.Array, slope: jax.Array, conditions: Conditions) -> Search:
    """The search after one trial, from phi and phi' there; neither has to be finite.

    Without a bracket the trials double until one is too high, or turns upward. Inside it they go to
    the minimizer of a cubic, at least a tenth of the bracket away from its ends, or to its middle
    where there is no such cubic.

    Source: Nocedal and Wright (2006), algorithms 3.5 and 3.6, equation 3.59; in the bracketing
    phase `low` is the last trial, and every trial is judged as in the other phase.
    """
    origin, low, high = search.origin, search.low, search.high
    finite = jnp.isfinite(value) & jnp.isfinite(slope)
    seen = Sample(search.trial, jnp.where(finite, value, jnp.inf), jnp.where(finite, slope, 0.0))
    highest = conditions.slope_fraction * seen.length * origin.slope + _rounded_up(origin.value)
    is_low = (seen.value <= highest) & (seen.value <= _rounded_up(low.value))
    is_flat = jnp.abs(seen.slope) <= conditions.curvature_fraction * jnp.abs(origin.slope)
    num_trials = search.num_trials + 1
    is_last = num_trials >= conditions.max_trials
    accepted = is_low & (is_flat | (is_last & (seen.value < origin.value)))

    ahead = high.length > low.length
    turned = jnp.where(ahead, seen.slope >= 0, seen.slope <= 0)
    other = _choose(is_low, _choose(turned, low, high), seen)
    lowest = _choose(is_low, seen, low)
    trial = jnp.where(jnp.isfinite(other.length), _inside(lowest, other), _GROWTH * seen.length)
    fallback = (num_trials == conditions.max_trials - 1) & (lowest.length > 0)
    trial = jnp.where(fallback, lowest.length, trial)
    trial = jnp.where(accepted, seen.length, trial)
    return Search(origin, lowest, other, trial, num_trials, accepted, is_last & ~accepted)


def _rounded_up(value: jax.Array) -> jax.Array:
    return value + _ROUNDING_UNITS * jnp.finfo(value.dtype).eps * jnp.abs(value)


def _choose(condition: jax.Array, one: Sample, other: Sample) -> Sample:
    return Sample(*(jnp.where(condition, a, b) for a, b in zip(one, other, strict=True)))


def _inside(low: Sample, high: Sample) -> jax.Array:
    """The next trial inside a bracket: where the cubic through both ends has its minimum."""
    width = high.length - low.length
    mean = low.slope + high.slope - 3 * (high.value - low.value) / width
    root = jnp.sign(width) * jnp.sqrt(mean**2 - low.slope * high.slope)
    rest: Any = (high.slope + root - mean) / (high.slope - low.slope + 2 * root)
    share = jnp.where(jnp.isfinite(rest), jnp.clip(1 - rest, _MARGIN, 1 - _MARGIN), 0.5)
    return low.length + share * width
