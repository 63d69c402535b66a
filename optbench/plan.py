"""How far to run, what to log, and over which lanes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from optbench.errors import OptbenchError, unknown_name
from optbench.oracle import Prices
from optbench.problem import Problem
from optbench.trajectory import TARGETS, Merit

GRID_BLOCK = 128  # log points come in multiples of this
ROUNDING = 1 + 1e-12  # a cost is a sum of products
DENSE_STEPS = 64  # logged one by one, later ones log-spaced
MOST_STEPS = 2**31 - 2  # steps are counted in 32 bits
DIVERGENCE_FACTOR = 1e8  # a lane is given up once its merit is this many times its start
ESCAPE = (-1.0,)  # the one target at a saddle: as far below it as the start was above


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """How far to run and what to log. Numbers here compile nothing.

    Attributes:
        budget: in gradient-equivalents; None for no limit but `num_steps`.
        num_steps: the most steps; None for as many as the budget allows.
        targets: fractions of the initial merit, descending.
        prices: gradient-equivalents per kind of oracle call.
        log_steps: the steps to log, from 0 on; None for 64 dense ones, then log-spaced.
        noise_floor: rounding error of f near the minimizer; no target counts below 10x.
        dtype: "float64" or "float32".
        diagnostics: whether to measure the path afterwards, off the clock (`optbench.replay`).
    """

    budget: float | None = 1000.0
    num_steps: int | None = None
    targets: tuple[float, ...] = TARGETS
    prices: Prices = Prices()
    log_steps: tuple[int, ...] | None = None
    noise_floor: float = 0.0
    dtype: str = "float64"
    diagnostics: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            OptbenchError: a budget, number of steps, price, target or precision out of range.
        """
        for name in ("budget", "num_steps"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise OptbenchError(f"{name} is {value}", f"give a positive {name}, or None")
        if not self.prices.value_and_gradients > 0 or min(self.prices) < 0:
            raise OptbenchError("prices are negative, or gradients free", "give positive prices")
        if self.budget is None and self.num_steps is None and self.log_steps is None:
            raise OptbenchError("a run needs an end", "give a budget or num_steps")
        descending = list(self.targets) == sorted(set(self.targets), reverse=True)
        if not self.targets or not descending or any(not 0 < t < 1 for t in self.targets):
            raise OptbenchError(
                f"targets are {list(self.targets)}", "give descending fractions below 1"
            )
        if self.dtype not in ("float32", "float64"):
            raise OptbenchError(f"no precision {self.dtype!r}", "use float64 or float32")
        steps = self.log_steps
        if steps is not None and (not steps or steps[0] != 0 or list(steps) != sorted(set(steps))):
            raise OptbenchError("log_steps do not ascend from 0", "start with 0 and ascend")
        if steps is not None and self.num_steps is not None:
            raise OptbenchError(
                "log_steps and num_steps are both given", "the last of log_steps ends the run"
            )

    def targets_on(self, problem: Problem) -> tuple[float, ...]:
        """The targets that apply to a problem: escape, at a saddle."""
        return ESCAPE if problem.saddle is not None else self.targets

    def grid(self, fraction: float = 1.0) -> np.ndarray:
        """The steps to log, the last one ending the run.

        Args:
            fraction: price of one evaluation the problem offers, in gradient-equivalents.

        Raises:
            OptbenchError: more steps than can be counted.
        """
        if self.log_steps is not None:
            return np.asarray(self.log_steps, np.int32)
        price = self.prices.value_and_gradients * fraction
        limit = math.inf if self.num_steps is None else self.num_steps
        affordable = math.inf if self.budget is None else self.budget / price * ROUNDING - 1
        num_steps = int(max(1, min(limit, affordable)))
        if num_steps > MOST_STEPS:
            raise OptbenchError(f"a run of {num_steps} steps", f"give at most {MOST_STEPS} steps")
        return log_grid(num_steps)

    def prices_on(self, problem: Problem) -> np.ndarray:
        """[9] price of each kind of call on a problem, where a sample costs its fraction."""
        shares = dict.fromkeys(Prices._fields, problem.sample_fraction)
        shares |= {"row_gradients": 1 / max(1, problem.num_rows), "whole_gradients": 1.0}
        return np.asarray(self.prices) * np.asarray(Prices(**shares))

    @property
    def limit(self) -> float:
        """The budget; infinite where there is none."""
        return math.inf if self.budget is None else self.budget


def log_grid(num_steps: int) -> np.ndarray:
    """0, 1, ..., 64, then log-spaced up to `num_steps`: at most 128 steps."""
    if num_steps <= DENSE_STEPS:
        return np.arange(num_steps + 1, dtype=np.int32)
    late = np.geomspace(DENSE_STEPS, num_steps, GRID_BLOCK - DENSE_STEPS)
    return np.unique(np.concatenate([np.arange(DENSE_STEPS), np.round(late)])).astype(np.int32)


def merit_of(problem: Problem) -> Merit:
    """What targets on this problem are fractions of."""
    if problem.saddle is not None:
        return "escape"
    return "gradient norm" if problem.certain_minimum is None else "suboptimality"


def levels_on(
    problem: Problem, plan: Plan, value: np.ndarray, norm: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Per seed: the merit at each target, at which a lane is done, and above which it diverged.

    Args:
        problem: what is minimized.
        plan: its targets and noise floor.
        value: f at the start of each seed.
        norm: |grad f| there.
    """
    kind = merit_of(problem)
    reference = {"suboptimality": problem.minimum, "escape": problem.saddle, "gradient norm": None}
    merit = norm if reference[kind] is None else value - reference[kind]
    levels = [np.abs(merit) * merit.dtype.type(target) for target in plan.targets_on(problem)]
    stop = {
        "suboptimality": np.full_like(merit, 10 * plan.noise_floor),
        "gradient norm": np.zeros_like(merit),
        "escape": levels[-1],
    }[kind]
    limit = DIVERGENCE_FACTOR if problem.bounded_below else np.inf
    diverged = np.maximum(np.abs(merit), np.finfo(merit.dtype).tiny) * merit.dtype.type(limit)
    return levels, stop, diverged


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Lanes:
    """The lanes of every method of a group: all seeds times all settings.

    Attributes:
        seeds: one start and one stream of samples each.
        settings: swept hyperparameter -> its values, all of one length.
        recorded: flat indices (seed index * settings + setting index) of the lanes whose points
            are logged.
    """

    seeds: tuple[int, ...] = (0,)
    settings: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    recorded: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(seeds, settings)."""
        lengths = {len(values) for values in self.settings.values()}
        if len(lengths) > 1 or not self.seeds:
            raise OptbenchError(
                "lanes need seeds, and swept values of one length",
                "give every swept hyperparameter as many values",
            )
        return len(self.seeds), (lengths.pop() if lengths else 1)


def change_plan(plan: Plan, changes: Mapping[str, object]) -> Plan:
    """The plan with some fields set; setting only `num_steps` lifts the budget.

    Raises:
        OptbenchError: there is no such field, or its value is refused.
    """
    known = [field.name for field in dataclasses.fields(Plan)]
    for name in changes:
        if name not in known:
            raise unknown_name("setting", name, known, f"the settings are {', '.join(known)}")
    values = dict(changes)
    if values.keys() & {"num_steps", "log_steps"} and "budget" not in values:
        values["budget"] = None
    return dataclasses.replace(plan, **values)  # type: ignore[arg-type]
