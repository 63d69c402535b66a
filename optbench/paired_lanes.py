"""The lanes that two versions of one optimizer share on one problem, and what they cost."""

from __future__ import annotations

import dataclasses

import numpy as np

from optbench import metrics
from optbench.trajectory import Trajectory

SAME_SETTING = 1e-12  # relative: a grid is laid by powers, whose last digit is the platform's
CENSORED = 10  # times the budget: what a run that fails counts as


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
    return Lanes(np.reshape(np.array(seeds, int), (-1, 2)), np.argwhere(equal))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PairedCosts:
    """Costs to target of one optimizer on one problem in two versions, paired by seed.

    Attributes:
        targets: [K] those that both measured, hardest last.
        hits: of each version, [S, H, K] cost to each target; NaN where never.
        finals: of each version, [S, H] the merit at the end.
        exact: whether all costs are exact, or some known at log points only.
    """

    targets: np.ndarray
    hits: tuple[np.ndarray, np.ndarray]
    finals: tuple[np.ndarray, np.ndarray]
    exact: bool

    def chosen(self, side: int, target: int) -> np.ndarray:
        """[S] costs of one version at the setting it is compared at; NaN where never."""
        hits = self.hits[side][..., target]
        return hits[:, chosen_setting(hits, self.finals[side])]


def chosen_setting(hit_costs: np.ndarray, final_merit: np.ndarray) -> int:
    """Index of the setting that a version is compared at: its own best in hindsight.

    Args:
        hit_costs: [S, H] cost to the target; NaN where never.
        final_merit: [S, H] the merit at the end.
    """
    return metrics.best_setting(hit_costs[..., None], final_merit)[0].index or 0


def pair_costs(a: Trajectory, b: Trajectory) -> PairedCosts:
    """The costs of two versions over their common seeds and targets.

    Where they share settings, these alone count, so that neither is tuned on more; where they
    share none (another learning rate, say), each has all of its own.
    """
    lanes = match_lanes(a, b)
    both = [(k, list(b.targets).index(t)) for k, t in enumerate(a.targets) if t in b.targets]
    hits, finals = [], []
    for side, log in enumerate((a, b)):
        rows = lanes.seeds[:, side]
        settings = lanes.settings[:, side] if len(lanes.settings) else slice(None)
        of_target = [pair[side] for pair in both]
        hits.append(log.hit_costs[rows][:, settings][..., of_target])
        ends = np.take_along_axis(log.merit_values, log.last[..., None], axis=-1)[..., 0]
        finals.append(ends[rows][:, settings])
    return PairedCosts(
        targets=a.targets[[k for k, _ in both]],
        hits=(hits[0], hits[1]),
        finals=(finals[0], finals[1]),
        exact=a.resolution == b.resolution == "exact",
    )


def censored(costs: np.ndarray, budget: float) -> np.ndarray:
    """Costs with `CENSORED` times the budget where a run never reaches its target."""
    return np.where(np.isnan(costs), CENSORED * budget, costs)
