"""Whether theory holds: a theorem's method is run, and compared with its bound step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast, get_args

import numpy as np

from optbench.bound import REPORTED, Bound, Direction, Standing, Theorem
from optbench.case import Case, Instance, InstanceKind
from optbench.checks.comparison import Comparison, Verdict, finite
from optbench.errors import OptbenchError, first_line, unknown_name
from optbench.method import Method, make_method
from optbench.problem import Problem
from optbench.recursion import Observation, Recursion
from optbench.run import run_on
from optbench.validation import validate_problem

ATTAINED = 0.999  # a tight bound is attained to 0.1 %
SEEDS = (0, 1, 2)  # starts on somebody's own problem

Power = Literal["3 %", "2x", "10x", "none"]
PERTURBED = 1.03  # the step of a method whose bound is zero, to see whether it would show
_ERRORS: tuple[tuple[Power, float], ...] = (("3 %", 0.97), ("2x", 0.5), ("10x", 0.1))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BoundReport:
    """A theorem next to the runs that it was compared with.

    Attributes:
        theorem: the theorem.
        comparisons: one per setting of its parameters, instance and start.
    """

    theorem: Theorem
    comparisons: tuple[Comparison, ...]

    @property
    def verdict(self) -> Verdict:
        """What all comparisons together say of the theorem."""
        verdicts = {c.verdict for c in self.comparisons if not c.precise}
        beside = {c.verdict for c in self.comparisons if c.precise}
        if beside and verdicts != {Verdict.NOT_COMPARED}:
            broken = Verdict.CROSSED in verdicts and beside == {Verdict.HOLDS}
            return Verdict.BREAKS if broken else Verdict.NEVER_BREAKS
        if Verdict.CROSSED in verdicts:
            return Verdict.CROSSED
        if self.tightness is not None and self.tightness < ATTAINED:
            return Verdict.NOT_ATTAINED
        return Verdict.HOLDS if Verdict.HOLDS in verdicts else Verdict.NOT_COMPARED

    @property
    def passed(self) -> bool:
        """Whether the theorem was compared and holds, attained where it is tight.

        What is no theorem is reported as it is seen, and passes.
        """
        reported = self.theorem.standing in REPORTED
        return reported or self.verdict in (Verdict.HOLDS, Verdict.BREAKS)

    @property
    def nearest(self) -> Comparison | None:
        """The comparison that is nearest to crossing the bound, or farthest beyond it."""
        compared = {c.excess: c for c in reversed(self.comparisons) if c.excess is not None}
        return compared[max(compared)] if compared else None

    @property
    def tightness(self) -> float | None:
        """How near worst instances come to a tight bound: the least over settings and steps.

        At each setting, and each step at which the bound is attained, the nearest of the worst
        instances counts; an identity is attained by each instance at each step. None where the
        theorem is not tight, states zero, or no worst instance was compared.
        """
        by_setting: dict[Any, list[np.ndarray]] = {}
        identity = self.theorem.direction == "identity"
        for index, c in enumerate(self.comparisons):
            if identity or (c.kind == "worst" and not c.precise):
                at = np.isin(c.k, self.theorem.attained_at) | identity
                with np.errstate(divide="ignore", invalid="ignore"):
                    closeness = np.minimum(c.ratios[at], 1 / c.ratios[at])
                group = (*c.setting.values(), index) if identity else tuple(c.setting.values())
                by_setting.setdefault(group, []).append(closeness)
        nearest = [np.fmax.reduce(group) for group in by_setting.values()]
        seen = np.concatenate(nearest) if nearest else np.empty(0)
        return None if np.isnan(seen).all() else float(np.nanmin(seen))

    @property
    def power(self) -> Power:
        """The smallest error in the theorem's constant that these comparisons would catch."""
        for name, factor in _ERRORS:
            if any(c.catches(factor) for c in self.comparisons if not c.precise):
                return name
        return "none"

    def to_json(self) -> dict[str, Any]:
        """The report as plain Python, without the curves."""
        theorem, nearest = self.theorem, self.nearest
        return {
            "name": theorem.name,
            "statement": theorem.statement,
            "latex": theorem.latex,
            "source": theorem.source,
            "direction": theorem.direction,
            "standing": theorem.standing,
            "method": theorem.method.label,
            "assumptions": [assumption.name for assumption in theorem.needs],
            "tight": theorem.tight,
            "unattained": theorem.unattained or None,
            "verdict": str(self.verdict),
            "passed": self.passed,
            "ratio": nearest and finite(nearest.ratio),
            "ratio_k": nearest and nearest.ratio_k,
            "tightness": self.tightness,
            "power": self.power,
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
        }


def check_bound(
    theorem: Theorem,
    problem: Problem | None = None,
    optimizer: Method | Callable[..., Any] | None = None,
) -> BoundReport:
    """Run a theorem's method and compare it with the theorem's bound at every step.

    Args:
        theorem: the theorem.
        problem: somebody's own, compared from three starts; by default the theorem's instances.
        optimizer: run in place of the theorem's method, with the hyperparameters that the theorem
            sets; a `Method`, or a factory whose parameters all have defaults. On the theorem's
            instances it must attain a tight bound too.

    Raises:
        OptbenchError: an assumption of the theorem is not known to hold for the problem, the
            optimizer lacks or fixes a hyperparameter that the theorem sets, or bad input.
    """
    if not isinstance(theorem, Theorem):
        raise OptbenchError(
            f"expected a Theorem, got a {type(theorem).__name__}",
            "call the function that returns it: check_bound(gd_convex_tight())",
        )
    _require_fields(theorem)
    if problem is not None:
        validate_problem(problem)
    if optimizer is not None and not isinstance(optimizer, Method):
        optimizer = make_method(optimizer)
    comparisons = [
        comparison
        for setting in theorem.settings
        for instance in _instances(theorem, problem, setting)
        for comparison in _compared(theorem, instance, setting, optimizer)
    ]
    return BoundReport(theorem=theorem, comparisons=tuple(comparisons))


def _require_fields(theorem: Theorem) -> None:
    """Refuse fields that no run and no figure can be made of."""
    if not theorem.name.isidentifier():
        raise OptbenchError(
            f"a theorem is named {theorem.name!r}", "name it as the function that returns it"
        )
    if not isinstance(theorem.method, (Method, Recursion)):
        raise OptbenchError(
            f"{theorem.name} has a {type(theorem.method).__name__} as its method",
            "write method=make_method(the function that returns the optimizer)",
        )
    _require_word("direction", theorem.direction, Direction)
    _require_word("standing", theorem.standing, Standing)
    ranges = [theorem.range_of(setting) for setting in theorem.settings]
    within = [k for k in theorem.attained_at if any(a <= k <= b for a, b in ranges)]
    if len(theorem.attained_at) and not within:
        raise OptbenchError(
            f"{theorem.name} is attained at no step that is compared",
            "attained_at holds steps of k_range",
        )


def _instances(
    theorem: Theorem, problem: Problem | None, setting: Mapping[str, float]
) -> Sequence[Instance]:
    if problem is not None:
        return [Instance("given", problem, seed) for seed in SEEDS]
    try:
        found = theorem.instances(**setting)
    except OptbenchError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {first_line(error)}"
        raise OptbenchError(f"instances of {theorem.name} fails: {said}", "mend it") from error
    if not found or not all(isinstance(instance, Instance) for instance in found):
        raise OptbenchError(
            f"{theorem.name} gives no list of instances",
            "write instances=lambda: [Instance(kind, problem)], with at least one",
        )
    for instance in found:
        _require_word("kind of instance", instance.kind, InstanceKind)
    return found


def _require_word(what: str, word: str, words: Any) -> None:
    known = list(get_args(words))
    if word not in known:
        raise unknown_name(what, str(word), known, f"write one of {', '.join(known)}")


def _compared(
    theorem: Theorem, instance: Instance, setting: Mapping[str, float], optimizer: Method | None
) -> Iterator[Comparison]:
    """A theorem on one instance, next to each method of which it speaks."""
    bound = theorem.on(instance.subject, instance.seed, instance.symbols, **setting)
    if isinstance(theorem.method, Recursion):
        if optimizer is not None:
            raise OptbenchError(
                f"{theorem.name} is about {theorem.method.label}, which no optimizer replaces",
                "leave the optimizer out",
            )
        yield _comparison(bound, instance, theorem.method)
        return
    yield _comparison(bound, instance, bound.method(optimizer))
    for method in theorem.also if optimizer is None else ():
        yield _comparison(bound, instance, method)
    if theorem.precise is not None and optimizer is None:
        yield _comparison(bound, instance, theorem.precise)


def compare_on(theorem: Theorem, instance: Instance, setting: Mapping[str, float]) -> Comparison:
    """A theorem's own method on one instance, next to its bound."""
    return next(_compared(theorem, instance, setting, None))


def _comparison(bound: Bound, instance: Instance, method: Method | Recursion) -> Comparison:
    theorem = bound.theorem
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges
        seen = observe(bound, method)
        perturbed = None
        if not seen.bound.any() and bound.steps:
            longer = bound.stretched(PERTURBED)
            recursion = isinstance(method, Recursion)
            changed = method if recursion else method.replace(**longer.steps)
            perturbed = observe(longer, changed).observed
    return Comparison(
        instance=bound.subject.name or "the problem",
        kind=instance.kind,
        seed=bound.seed,
        setting=bound.setting,
        optimizer=method.label,
        direction=theorem.direction,
        k=bound.k,
        **seen._asdict(),
        tolerance=theorem.tolerance,
        perturbed=perturbed,
        precise=method is theorem.precise,
    )


def observe(bound: Bound, method: Method | Recursion) -> Observation:
    """Run to the last step of the bound, whether or not f reaches f* or rises.

    Args:
        bound: what a theorem gives on an instance.
        method: its method with the steps that it sets, or its recursion.
    """
    if isinstance(method, Recursion) or isinstance(bound.subject, Case):
        return bound.along(cast(Recursion, method))
    trajectory = run_on(bound.subject, method, bound.seed, int(bound.k[-1]))
    return bound.along_run(trajectory)
