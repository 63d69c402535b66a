"""The lanes that two versions of one optimizer share on one problem, and what they cost."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from optbench import metrics
from optbench.tracks import best_index, tuning
from optbench.trajectory import TUNING_SEEDS_FROM, Trajectory

SAME_SETTING = 1e-12  # relative: a grid is laid by powers, whose last digit is the platform's


@dataclasses.dataclass(frozen=True, eq=False)
class Lanes:
    """Which lanes of two logs are the same, by index.

    Attributes:
        seeds: [S, 2] positions of each common seed in the first and in the second log.
        settings: [H, 2] positions of each common setting of hyperparameters.
    """

    seeds: np.ndarray
    settings: np.ndarray

    def cut(self, array: np.ndarray, side: int) -> np.ndarray:
        """The shared lanes [S, H, ...] of an array of the first (0) or second (1) log."""
        return array[self.seeds[:, side]][:, self.settings[:, side]]

    @property
    def number(self) -> int:
        """S times H."""
        return len(self.seeds) * len(self.settings)


def match_lanes(a: Trajectory, b: Trajectory) -> Lanes:
    """The lanes of equal seed and equal settings, wherever they stand in the two logs."""
    seeds = [(i, b.seeds.index(seed)) for i, seed in enumerate(a.seeds) if seed in b.seeds]
    equal = np.full((a.value.shape[1], b.value.shape[1]), set(a.settings) == set(b.settings))
    for name in a.settings.keys() & b.settings.keys():
        one, other = np.asarray(a.settings[name], float), np.asarray(b.settings[name], float)
        equal &= np.isclose(one[:, None], other, rtol=SAME_SETTING, atol=0.0, equal_nan=True)
    settings: list[tuple[int, int]] = []
    for i, row in enumerate(equal):  # each once: the same values may have been tried twice
        free = np.setdiff1d(np.flatnonzero(row), [j for _, j in settings])
        settings += [(i, int(free[0]))] if len(free) else []
    return Lanes(_pairs(seeds), _pairs(settings))


def _pairs(found: list[tuple[int, int]]) -> np.ndarray:
    return np.reshape(np.array(found, int), (-1, 2))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PairedCosts:
    """Costs to target of one optimizer on one problem in two versions, paired by seed.

    Attributes:
        targets: [K] those that both measured, hardest last.
        costs: of each version, [S, K] cost to each target at the setting that it is judged at
            for this target; NaN where never.
        exact: whether all costs are exact, or some known at log points only.
    """

    targets: np.ndarray
    costs: tuple[np.ndarray, np.ndarray]
    exact: bool

    def hardest(self, reached_by: Literal["each", "any"]) -> int | None:
        """Index of the hardest target that most starts of each, or any, version reach."""
        return metrics.hardest_common_target([c[:, None] for c in self.costs], reached_by)


def pair_costs(a: Trajectory, b: Trajectory, trials: tuple[int, int]) -> PairedCosts:
    """The costs of two versions over the common seeds that they are judged by.

    Args:
        a: what the first version did.
        b: what the second did.
        trials: of each version, how many of its settings are trials; 0 where all are.
    """
    seeds = match_lanes(a, b).seeds
    seeds = seeds[np.array(a.seeds)[seeds[:, 0]] < TUNING_SEEDS_FROM]
    both = [(k, list(b.targets).index(t)) for k, t in enumerate(a.targets) if t in b.targets]
    columns = _pairs(both)
    costs = []
    for side, log in enumerate((a, b)):
        chosen, kept = judged_settings(log, trials[side]), columns[:, side]
        costs.append(log.hit_costs[seeds[:, side, None], chosen[kept], kept])
    return PairedCosts(
        targets=a.targets[columns[:, 0]],
        costs=(costs[0], costs[1]),
        exact=a.resolution == b.resolution == "exact",
    )


def judged_settings(log: Trajectory, trials: int) -> np.ndarray:
    """[K] index of the setting that a version is judged at, for each of its targets.

    Its own headline, as in `tracks.headline_index`: the best trial on the seeds of tuning, or in
    hindsight where there are none. Were one version's setting taken for both, the other would pay
    for the luck in that choice.
    """
    tuned = tuning(log)
    return np.array([best_index(tuned, trials, k) for k in range(len(log.targets))])
