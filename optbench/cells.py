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
from optbench.optimizers.published_defaults import source_of_defaults
from optbench.oracle import Evaluation, untouched
from optbench.plan import Lanes
from optbench.program import abstract, precision
from optbench.theory import known_of
from optbench.tracks import tuned_index
from optbench.trajectory import TUNING_SEEDS_FROM, Trajectory
from optbench.trials import (
    Trials,
    edges,
    extended,
    propose,
    space_to_json,
)

Group = tuple[str, ...]  # labels of the optimizers that share a program, in its order


@dataclasses.dataclass(frozen=True, kw_only=True)
class Search:
    """Over what the hyperparameters of every optimizer are searched.

    Attributes:
        seeds: how many seeds runs are judged by.
        tuning_seeds: how many others they are tuned on.
        trials: settings per optimizer that has something to tune.
        target: the fraction of the merit at the start that settings are tuned for.
        grid: learning rates to run at in place of a search.
    """

    seeds: int
    tuning_seeds: int
    trials: int
    target: float
    grid: tuple[float, ...] | None = None

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Those that runs are judged by, then those that they are tuned on."""
        tuning = self.tuning_seeds if self.grid is None else 0
        return (*range(self.seeds), *range(TUNING_SEEDS_FROM, TUNING_SEEDS_FROM + tuning))

    def propose(self, method: Method) -> Trials:
        """The trials of a method."""
        grid = None if self.grid is None else np.asarray(self.grid)
        return propose(method, self.trials, grid, source_of_defaults(method))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """The cells of one group on one problem, which one program computes.

    Attributes:
        instance: the problem.
        methods: label -> member of the group, in the order of its program.
        trials: label -> the settings that are tried of it.
        search: what they were proposed by.
        environment: `digest_environment` of this process.
        pending: labels of the members whose cells are to be computed.
        extends: the key of the cell whose search this one extends.
    """

    instance: Instance
    methods: Mapping[str, Method]
    trials: Mapping[str, Trials]
    search: Search
    environment: str
    pending: Group = ()
    extends: str | None = None

    @functools.cached_property
    def lanes(self) -> dict[str, Lanes]:
        """Label of each member -> its seeds and settings."""
        return {o: make_lanes(self.instance, self.trials[o], self.search) for o in self.methods}

    @property
    def problem(self) -> str:
        """Label of the problem."""
        return self.instance.record.label

    @functools.cached_property
    def keys(self) -> dict[str, str]:
        """Label of each member -> hash of everything that decides the numbers of its cell."""
        return self.keys_for(self.search.target)

    def keys_for(self, target: float) -> dict[str, str]:
        """The keys that the cells would have in a search for another target.

        Args:
            target: the fraction of the merit at the start, which decides whether a search is
                extended, and no more.
        """
        return {label: digest(self._runs, target, label) for label in self.methods}

    @functools.cached_property
    def _runs(self) -> str:
        """Hash of all that decides how the cells run."""
        plan = self.instance.plan
        return digest(
            self.environment,
            [self.problem, self.instance.digest],
            dataclasses.asdict(plan) | {"prices": list(plan.prices)},
            [[own.seeds, list(own.settings), own.recorded] for own in self.lanes.values()],
            [[label, digest_method(method)] for label, method in self.methods.items()],
            self._told_by_theory(),
            [space_to_json(self.trials[o].space) for o in self.methods],
            *(np.asarray(v) for own in self.lanes.values() for v in own.settings.values()),
        )

    def _told_by_theory(self) -> dict[str, float | None] | None:
        """The constants of the problem, where a method has formulas of them."""
        settled = all(method.is_settled for method in self.methods.values())
        return None if settled else dict(known_of(self.instance.problem))

    def lean(self, label: str, trajectory: Trajectory) -> Trajectory:
        """The trajectory without the points that nothing will draw.

        Where the problem does not lie in the plane, the first seed's lanes at two settings keep
        theirs: the trial that is best for the target of the search, and the published defaults.
        """
        if not self.instance.projected:
            return trajectory
        trials = self.trials[label]
        chosen = tuned_index(trajectory, trials.num, self.search.target)
        defaults = () if trials.default_source is None else (trials.num,)
        return trajectory.with_points_of((chosen, *defaults))

    def extension(self, label: str, trajectory: Trajectory) -> Batch | None:
        """The cell that searches on where the best trial lay on an edge; None where it did not."""
        trials = self.trials[label]
        if not trials.space:
            return None
        best = tuned_index(trajectory, trials.num, self.search.target)
        sides = edges(trials.space, {n: v[: trials.num] for n, v in trials.settings.items()}, best)
        if not sides:
            return None
        return dataclasses.replace(
            self,
            trials={**self.trials, label: extended(trials, sides)},
            pending=(label,),
            extends=self.keys[label],
        )

    def apart(self) -> list[Batch]:
        """Every pending cell in a batch of its own."""
        return [
            dataclasses.replace(self, methods={label: self.methods[label]}, pending=(label,))
            for label in self.pending
        ]


def make_lanes(instance: Instance, trials: Trials, search: Search) -> Lanes:
    """All seeds times all settings, with the points of those that may be drawn.

    Those are all where the problem lies in the plane, and else, in up to 2000 dimensions, those of
    the first seed, of which `Batch.lean` keeps two.
    """
    seeds = search.all_seeds if trials.space else search.all_seeds[: search.seeds]
    settings = trials.shape[1]
    if instance.drawn:
        recorded = tuple(range(len(seeds) * settings))
    else:
        recorded = tuple(range(settings)) if instance.projected else ()
    return Lanes(seeds=seeds, settings=trials.settings, recorded=recorded)


def form_groups(
    instance: Instance, methods: Mapping[str, Method], trials: Mapping[str, Trials]
) -> list[Group]:
    """Methods that need nothing but the evaluation they are handed together, the others alone.

    Those together have as many settings. A method that cannot even be traced is alone, so that no
    other fails with it.
    """
    together: dict[tuple[int, int], list[str]] = {}
    groups = []
    for label, method in methods.items():
        if _needs_evaluation_only(instance, method):
            together.setdefault(trials[label].shape, []).append(label)
        else:
            groups.append((label,))
    return [tuple(labels) for labels in together.values()] + groups


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
    search: Search,
) -> tuple[list[dict[str, Method]], list[Group]]:
    """The groups that hold the methods: those of earlier runs, and new ones for the rest.

    A method belongs to the latest group that holds it. A group keeps its members even where the
    study no longer has them all: the last bits depend on who shares a program.

    Args:
        instance: the problem.
        methods: label -> method, in study order.
        kept: groups formed on this problem by earlier runs, oldest first.
        find: label -> a method that the study no longer has.
        search: what proposes the trials of each.

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
    trials = {label: search.propose(method) for label, method in homeless.items()}
    new = form_groups(instance, homeless, trials)
    for group in new:
        home |= dict.fromkeys(group, {label: methods[label] for label in group})
    groups = {id(home[label]): home[label] for label in methods}
    return list(groups.values()), new
