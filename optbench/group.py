"""Several methods in one program: states share slots, and a switch picks whose step is taken."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from optbench.errors import OptbenchError
from optbench.lanes import LANES, SEEDS, SHARED, Lanes, Over, lead, over_lanes
from optbench.member import (
    Hyperparameters,
    Member,
    Slot,
    Tick,
    as_numbers,
    count,
    reported,
    take_step,
    with_keys,
)
from optbench.problem import Params, Problem


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Members that share one program; a single method is a group of one.

    Attributes:
        members: the members, in the order of the switch.
        slots: as many of each kind as the greediest member needs.
        calls_over: whether the number of oracle calls varies over lanes.
    """

    members: tuple[Member, ...]
    slots: tuple[Slot, ...]
    calls_over: Over

    @property
    def num_diagnostics(self) -> int:
        """How many diagnostics the greediest member reports."""
        return max(len(m.diagnostics) for m in self.members)

    @property
    def evaluates(self) -> bool:
        """Whether steps return the evaluation at the next point."""
        return self.members[0].evaluates

    @property
    def reports_elsewhere(self) -> bool:
        """Whether the reported point is not the one steps start from."""
        return self.members[0].reports_elsewhere

    @property
    def progress_over(self) -> Over:
        """Whether lanes differ in how much of the run is behind them."""
        return self.members[0].calls_over if len(self.members) == 1 else SHARED

    def _positions(self, member: Member) -> list[int]:
        """The position in `slots` of each of a member's state leaves."""
        free = collections.defaultdict(list)
        for position, slot in enumerate(self.slots):
            free[slot].append(position)
        return [free[slot].pop(0) for slot in member.slots]

    def pack(self, member: Member, state: Any, lanes: Lanes) -> tuple[jax.Array, ...]:
        """A member's state as slots; unused slots are zero."""
        filled = dict(zip(self._positions(member), jax.tree.leaves(as_numbers(state)), strict=True))
        return tuple(
            filled[i] if i in filled else jnp.zeros(lead(s.over, lanes) + s.shape, s.dtype)
            for i, s in enumerate(self.slots)
        )

    def unpack(self, member: Member, slots: Sequence[jax.Array]) -> Any:
        """A member's state from slots."""
        leaves = [slots[position] for position in self._positions(member)]
        numbers = jax.tree.unflatten(jax.tree.structure(member.state), leaves)
        return with_keys(numbers, member.state)

    def init(
        self,
        index: Any,
        hypers: Sequence[Hyperparameters],
        operand: tuple[Params, Problem],
        lanes: Lanes,
    ) -> tuple[jax.Array, ...]:
        """The slots at the start, from params and problem, of the member at `index`."""

        def branch(member: Member, values: Hyperparameters) -> Any:
            def lane(params: Params, problem: Problem, values: Hyperparameters) -> Any:
                return member.method.build(values).begin(params, problem)

            start = over_lanes(lane, (LANES, SHARED, member.over), member.state_over, lanes)
            return lambda operand: self.pack(member, start(*operand, values), lanes)

        return self._switch(index, hypers, branch, operand)

    def step(
        self, index: Any, hypers: Sequence[Hyperparameters], operand: Any, lanes: Lanes
    ) -> tuple[Any, tuple[jax.Array, ...], jax.Array]:
        """One step of all lanes: (next points or evaluations, slots, calls so far).

        Args:
            index: which member steps.
            hypers: the hyperparameters of every member.
            operand: (evaluation, slots, calls, (key data, step, problem, progress)).
            lanes: nested or flat.
        """

        def branch(member: Member, values: Hyperparameters) -> Any:
            def lane(evaluation: Any, state: Any, calls: Any, tick: Tick) -> Any:
                step = take_step(member.method, evaluation, state, tick)
                point = step.params if step.evaluation is None else step.evaluation
                return point, step.state, calls + count(step.calls)

            tick = Tick(member.over, SEEDS, SHARED, SHARED, self.progress_over)
            result = LANES, member.state_over, self.calls_over
            mapped = over_lanes(lane, (*result, tick), result, lanes)

            def take(operand: Any) -> Any:
                evaluation, slots, calls, rest = operand
                state = self.unpack(member, slots)
                point, state, calls = mapped(evaluation, state, calls, Tick(values, *rest))
                return point, self.pack(member, state, lanes), calls

            return take

        return self._switch(index, hypers, branch, operand)

    def report(
        self, index: Any, hypers: Sequence[Hyperparameters], slots: Any, lanes: Lanes
    ) -> jax.Array:
        """The diagnostics of the member at `index`: [D, *lanes], NaN beyond those it has."""

        def branch(member: Member, values: Hyperparameters) -> Any:
            def lane(values: Hyperparameters, state: Any) -> jax.Array:
                told = reported(member.method, values, state)
                named = [jnp.asarray(told[name], float) for name in member.diagnostics]
                return jnp.stack([*named, *[jnp.nan] * (self.num_diagnostics - len(named))])

            mapped = over_lanes(lane, (member.over, member.state_over), LANES, lanes)
            return lambda slots: jnp.moveaxis(mapped(values, self.unpack(member, slots)), -1, 0)

        if self.num_diagnostics == 0:
            return jnp.zeros((0, *lanes))
        return self._switch(index, hypers, branch, slots)

    def _switch(self, index: Any, hypers: Any, branch: Any, operand: Any) -> Any:
        branches = [branch(m, values) for m, values in zip(self.members, hypers, strict=True)]
        return (
            branches[0](operand) if len(branches) == 1 else jax.lax.switch(index, branches, operand)
        )


def make_group(members: Sequence[Member]) -> Group:
    """One group of the given members, with the slots the greediest of them needs.

    Raises:
        OptbenchError: one of several members needs more than the evaluation it is handed.
    """
    alone = [m for m in members if m.asks or m.evaluates or m.reports_elsewhere]
    if alone and len(members) > 1:
        raise OptbenchError(
            f"optimizer {alone[0].method.label!r} cannot share a program with others",
            "it asks the objective itself, or reports another point: prepare it alone",
        )
    needed: collections.Counter[Slot] = collections.Counter()
    for member in members:
        needed |= collections.Counter(member.slots)
    calls_over = LANES if any(m.calls_over == LANES for m in members) else SHARED
    return Group(tuple(members), tuple(needed.elements()), calls_over)
