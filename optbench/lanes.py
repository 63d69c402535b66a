"""vmap over seeds and settings that keeps unbatched what does not vary over lanes.

A lane is one (seed, hyperparameter setting). Lane arrays lead with the axes [seeds, settings]
where lanes are nested, so that one sample per seed is shared by its settings, and with one axis
[lanes] where they are flat, which spares matrix products a transposition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

Tree = Any


class Over(NamedTuple):
    """Over which lane axes an argument varies."""

    seeds: bool
    settings: bool


LANES = Over(seeds=True, settings=True)
SEEDS = Over(seeds=True, settings=False)
SETTINGS = Over(seeds=False, settings=True)
SHARED = Over(seeds=False, settings=False)


def _is_over(node: Any) -> bool:
    return isinstance(node, Over)


Lanes = tuple[int, ...]  # (seeds, settings) nested, or (lanes,) flat


def lead(over: Over, lanes: Lanes) -> Lanes:
    """The leading axes of an argument."""
    if len(lanes) == 1:
        return lanes * (over != SHARED)
    return lanes[:1] * over.seeds + lanes[1:] * over.settings


def over_lanes(
    function: Callable[..., Any], arguments: tuple[Any, ...], result: Any, lanes: Lanes
) -> Callable[..., Any]:
    """Map a one-lane function over all lanes.

    Args:
        function: of one lane's arguments.
        arguments: a tree of `Over` (or a prefix of one) per argument.
        result: a tree of `Over` (or a prefix) for the result, each LANES or SHARED.
        lanes: nested or flat.
    """

    def axes(tree: Any, axis: Callable[[Over], bool]) -> Any:
        return jax.tree.map(lambda o: 0 if axis(o) else None, tree, is_leaf=_is_over)

    def mapped(
        function: Callable[..., Any], axis: Callable[[Over], bool], size: int
    ) -> Callable[..., Any]:
        return jax.vmap(function, axes(arguments, axis), axes(result, axis), axis_size=size)

    if len(lanes) == 1:
        return mapped(function, lambda over: over != SHARED, lanes[0])
    inner = mapped(function, lambda over: over.settings, lanes[1])
    return mapped(inner, lambda over: over.seeds, lanes[0])


def varying(
    function: Callable[..., Any],
    carry: Tree,
    arguments: tuple[Any, ...],
    *values: Any,
    guess: Tree | None = None,
) -> Tree:
    """Which leaves of a carry vary over lanes once a function has been applied to it.

    Starts from a guess and grows until the function agrees.

    Args:
        function: (carry, *values) of one lane -> carry.
        carry: one lane's carry (shapes and dtypes suffice).
        arguments: a tree of `Over` (or a prefix) per value.
        *values: one lane's further arguments (shapes and dtypes suffice).
        guess: a tree of `LANES` and `SHARED`; "all but integers vary" where it is None, or of
            another structure than `carry`.

    Returns:
        A tree of `LANES` and `SHARED`, of the structure of `carry`.
    """
    leaves, structure = jax.tree.flatten(carry)
    varies = [not jnp.issubdtype(leaf.dtype, jnp.integer) for leaf in leaves]
    if jax.tree.structure(guess, is_leaf=_is_over) == structure:
        varies = [over == LANES for over in jax.tree.leaves(guess, is_leaf=_is_over)]
    while True:
        over = jax.tree.unflatten(structure, [LANES if v else SHARED for v in varies])
        seen = _batched_results(function, carry, (over, *arguments), values)
        grown = [v or s for v, s in zip(varies, seen, strict=True)]
        if grown == varies:
            return over
        varies = grown


def _batched_results(
    function: Callable[..., Any], carry: Tree, arguments: tuple[Any, ...], values: tuple[Any, ...]
) -> list[bool]:
    seen: list[bool] = [False] * len(jax.tree.leaves(carry))

    def probed(carry: Tree, *values: Any) -> Tree:
        leaves, structure = jax.tree.flatten(function(carry, *values))
        probes = [_probe(seen, index)(leaf) for index, leaf in enumerate(leaves)]
        return jax.tree.unflatten(structure, probes)

    pairs = zip((carry, *values), arguments, strict=True)
    sized = [_with_lanes(value, over) for value, over in pairs]
    jax.eval_shape(over_lanes(probed, arguments, LANES, (2, 3)), *sized)
    return seen


def _with_lanes(value: Any, over: Any) -> Any:
    """One lane's shapes with 2 seeds and 3 settings: enough to see what varies."""

    def stack(over: Over, subtree: Any) -> Any:
        def widen(leaf: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(lead(over, (2, 3)) + leaf.shape, leaf.dtype)

        return jax.tree.map(widen, subtree)

    return jax.tree.map(stack, over, value, is_leaf=_is_over)


def _probe(seen: list[bool], index: int) -> Callable[[Any], Any]:
    @custom_vmap
    def identity(leaf: Any) -> Any:
        return leaf

    @identity.def_vmap
    def _rule(axis_size: int, in_batched: list[bool], leaf: Any) -> tuple[Any, bool]:
        del axis_size
        seen[index] = seen[index] or in_batched[0]
        return identity(leaf), in_batched[0]

    return identity
