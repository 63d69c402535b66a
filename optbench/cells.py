"""The cells of a study: which optimizers share a program, over which lanes, under which keys."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from optbench import trees
from optbench.errors import OptbenchError
from optbench.fingerprint import digest, digest_method
from optbench.instance import Instance
from optbench.method import Method
from optbench.oracle import Evaluation, untouched
from optbench.plan import Lanes
from optbench.program import abstract, precision
from optbench.theory import known_of

SWEPT = "learning_rate"

Group = tuple[str, ...]  # labels of the optimizers that share a program, in its order


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """The cells of one group on one problem, which one program computes.

    Attributes:
        instance: the problem.
        methods: label -> member of the group, in the order of its program.
        lanes: seeds and settings of each.
        environment: `digest_environment` of this process.
        pending: labels of the members whose cells are to be computed.
    """

    instance: Instance
    methods: Mapping[str, Method]
    lanes: Lanes
    environment: str
    pending: Group = ()

    @property
    def problem(self) -> str:
        """Label of the problem."""
        return self.instance.record.label

    @functools.cached_property
    def keys(self) -> dict[str, str]:
        """Label of each member -> hash of everything that decides the numbers of its cell."""
        plan = self.instance.plan
        shared = digest(
            self.environment,
            [self.problem, self.instance.digest],
            dataclasses.asdict(plan) | {"prices": list(plan.prices)},
            [self.lanes.seeds, list(self.lanes.settings), self.lanes.recorded],
            [[label, digest_method(method)] for label, method in self.methods.items()],
            self._told_by_theory(),
            *(np.asarray(values) for values in self.lanes.settings.values()),
        )
        return {label: digest(shared, label) for label in self.methods}

    def _told_by_theory(self) -> dict[str, float | None] | None:
        """The constants of the problem, where a method has formulas of them."""
        settled = all(method.is_settled for method in self.methods.values())
        return None if settled else dict(known_of(self.instance.problem))

    def apart(self) -> list[Batch]:
        """Every pending cell in a batch of its own."""
        return [
            dataclasses.replace(self, methods={label: self.methods[label]}, pending=(label,))
            for label in self.pending
        ]


def is_swept(method: Method) -> bool:
    """Whether a study sweeps the learning rate: where there is one, and the label sets none."""
    owner = method
    while owner.inner is not None and owner.inner.has(SWEPT):
        owner = owner.inner
    return owner.has(SWEPT) and SWEPT not in dict(owner.arguments)


def make_lanes(
    instance: Instance, method: Method, seeds: Sequence[int], learning_rates: np.ndarray
) -> Lanes:
    """All seeds times all settings; every point is kept where it can be drawn in the plane."""
    settings = {SWEPT: learning_rates} if is_swept(method) else {}
    lanes = len(seeds) * (len(learning_rates) if settings else 1)
    recorded = tuple(range(lanes)) if instance.drawn else ()
    return Lanes(seeds=tuple(seeds), settings=settings, recorded=recorded)


def form_groups(instance: Instance, methods: Mapping[str, Method]) -> list[Group]:
    """Methods that need nothing but the evaluation they are handed together, the others alone.

    A method that cannot even be traced is alone, so that no other fails with it.
    """
    together: dict[bool, list[str]] = {True: [], False: []}
    groups = []
    for label, method in methods.items():
        if _needs_evaluation_only(instance, method):
            together[is_swept(method)].append(label)
        else:
            groups.append((label,))
    return [tuple(labels) for labels in together.values() if labels] + groups


def _needs_evaluation_only(instance: Instance, method: Method) -> bool:
    more: list[bool] = []

    def take_step(start: Evaluation, values: Any, oracle: Any) -> Any:
        optimizer = method.build(values)
        more.append(optimizer.eval_params is not None or optimizer.init_on is not None)
        return optimizer.step(start, optimizer.begin(start.params, instance.problem), oracle)

    dtype = instance.plan.dtype
    params = abstract(trees.cast(instance.problem.start(0), dtype))
    scalar = jax.ShapeDtypeStruct((), np.dtype(dtype))
    values = {(h.depth, h.name): scalar for h in method.hyperparameters()}
    try:
        with precision(dtype):
            step = untouched(take_step, Evaluation(params, scalar, params), values)
    except Exception:  # whatever is wrong will be told when it is compiled, alone
        return False
    return step is not None and step.evaluation is None and not any(more)


def settle_groups(
    instance: Instance,
    methods: Mapping[str, Method],
    kept: Sequence[Group],
    find: Callable[[str], Method],
) -> tuple[list[dict[str, Method]], list[Group]]:
    """The groups that hold the methods: those of earlier runs, and new ones for the rest.

    A method belongs to the latest group that holds it. A group keeps its members even where the
    study no longer has them all: the last bits depend on who shares a program.

    Args:
        instance: the problem.
        methods: label -> method, in study order.
        kept: groups formed on this problem by earlier runs, oldest first.
        find: label -> a method that the study no longer has.

    Returns:
        The groups, each label -> method, and the labels of those that are new.
    """
    home: dict[str, dict[str, Method]] = {}
    for group in kept:
        try:
            members = {label: methods.get(label) or find(label) for label in group}
        except OptbenchError:  # a member is gone for good
            continue
        home |= dict.fromkeys(group, members)
    homeless = {label: method for label, method in methods.items() if label not in home}
    new = form_groups(instance, homeless)
    for group in new:
        home |= dict.fromkeys(group, {label: methods[label] for label in group})
    groups = {id(home[label]): home[label] for label in methods}
    return list(groups.values()), new
