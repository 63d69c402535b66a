"""Whether theory holds: a theorem's method is run, and compared with its bound step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from optbench.bound import Bound, Instance, InstanceKind, Theorem
from optbench.checks.comparison import Comparison, Verdict, finite
from optbench.errors import OptbenchError
from optbench.method import Method, make_method
from optbench.plan import Plan
from optbench.problem import Problem
from optbench.run import run
from optbench.validation import validate_problem

ATTAINED = 0.999  # a tight bound is attained to 0.1 %
SEEDS = (0, 1, 2)  # starts on somebody's own problem

Power = Literal["3 %", "2x", "10x", "none"]
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
        verdicts = {comparison.verdict for comparison in self.comparisons}
        if Verdict.CROSSED in verdicts:
            return Verdict.CROSSED
        if self.tightness is not None and self.tightness < ATTAINED:
            return Verdict.NOT_ATTAINED
        return Verdict.HOLDS if Verdict.HOLDS in verdicts else Verdict.NOT_COMPARED

    @property
    def passed(self) -> bool:
        """Whether the theorem was compared and holds, attained where it is tight."""
        return self.verdict is Verdict.HOLDS

    @property
    def nearest(self) -> Comparison | None:
        """The comparison that is nearest to crossing the bound, or farthest beyond it."""
        compared = [c for c in self.comparisons if c.ratio is not None]
        return max(compared, key=lambda c: c.beyond(c.ratio, 1.0), default=None)

    @property
    def tightness(self) -> float | None:
        """How near worst instances come to a tight bound: the least over settings and steps.

        At each setting, and each step at which the bound is attained, the nearest of the worst
        instances counts. None where the theorem is not tight, or no worst instance was compared.
        """
        by_setting: dict[tuple[float, ...], list[np.ndarray]] = {}
        for c in self.comparisons:
            if c.kind == "worst":
                ratios = c.ratios[np.isin(c.k, self.theorem.attained_at)]
                with np.errstate(divide="ignore"):
                    closeness = np.minimum(ratios, 1 / ratios)
                by_setting.setdefault(tuple(c.setting.values()), []).append(closeness)
        nearest = [np.fmax.reduce(group) for group in by_setting.values()]
        seen = np.concatenate(nearest) if nearest else np.empty(0)
        return None if np.isnan(seen).all() else float(np.nanmin(seen))

    @property
    def power(self) -> Power:
        """The smallest error in the theorem's constant that these comparisons would catch."""
        for name, factor in _ERRORS:
            if any(c.crossings(factor).any() for c in self.comparisons):
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
            "assumptions": [assumption.name for assumption in theorem.needs],
            "tight": bool(theorem.attained_at),
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
    if problem is not None:
        validate_problem(problem)
    if optimizer is not None and not isinstance(optimizer, Method):
        optimizer = make_method(optimizer)
    return BoundReport(
        theorem=theorem,
        comparisons=tuple(
            _compare(theorem.on(i.problem, i.seed, **setting), i.kind, optimizer)
            for setting in theorem.settings
            for i in _instances(theorem, problem, setting)
        ),
    )


def _instances(
    theorem: Theorem, problem: Problem | None, setting: Mapping[str, float]
) -> Sequence[Instance]:
    if problem is None:
        return theorem.instances(**setting)
    return [Instance("given", problem, seed) for seed in SEEDS]


def _compare(bound: Bound, kind: InstanceKind, optimizer: Method | None) -> Comparison:
    """Run to the last step of the bound, whether or not f reaches f* or rises, and compare."""
    method = bound.method(optimizer)
    plan = Plan(
        budget=None,
        log_steps=tuple(range(int(bound.k[-1]) + 1)),
        noise_floor=-np.inf,
    )
    endless = dataclasses.replace(bound.problem, bounded_below=False)
    trajectory = run(endless, method, bound.seed, plan=plan)
    with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges
        observed, rounding = bound.observed(trajectory), bound.rounding(trajectory)
    return Comparison(
        instance=bound.problem.name,
        kind=kind,
        seed=bound.seed,
        setting=bound.setting,
        optimizer=method.label,
        direction=bound.theorem.direction,
        k=bound.k,
        observed=observed,
        bound=bound.values,
        rounding=rounding,
        roundings=bound.roundings,
    )
