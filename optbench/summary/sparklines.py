"""How the merit falls over cost, in a dozen characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from optbench.trajectory import Status, Trajectory

POINTS = 12  # of a path
BLOCKS = "▁▂▃▄▅▆▇█"  # from the least that any reaches to the start
DIGITS = "01234567"  # the same, where an encoding lacks the blocks
LOST = "x"
_LOST = (Status.DIVERGED, Status.NON_FINITE, Status.CRASHED)

Path = tuple[float, ...]


def levels_for(encoding: str | None) -> str:
    """The characters of a sparkline that an encoding can show; digits where it is not known."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return DIGITS
    return BLOCKS


def path_of(trajectory: Trajectory, setting: int, target: int, horizon: float) -> Path:
    """log10 of the merit over that at the start, at `POINTS` costs from 1 to a horizon, log-spaced.

    It is that of the start of (lower) median cost to a target, and lies between the hardest target
    and 0; infinite from where the run is lost, by divergence or a crash. At a saddle it is the
    merit over its size at the start, less 1, down to -2.

    Args:
        trajectory: the lanes that a setting is judged by.
        setting: its index.
        target: index of the target.
        horizon: the last cost, above 1.
    """
    costs = trajectory.hit_costs[:, setting, target]
    order = np.argsort(np.where(np.isnan(costs), np.inf, costs), kind="stable")
    start = int(order[(len(order) - 1) // 2])
    last = int(trajectory.last[start, setting])
    cost = trajectory.cost[start, setting, : last + 1]
    ratio = trajectory.merit_values[start, setting, : last + 1] / abs(
        float(trajectory.initial_merit[start, setting]) or 1.0
    )
    if trajectory.merit == "escape":
        fallen = np.clip(ratio, -1.0, 1.0) - 1.0
    else:
        hardest = float(np.min(trajectory.targets))
        fallen = np.log10(np.clip(ratio, hardest, 1.0))
    fallen = np.where(np.isfinite(ratio), fallen, np.inf)
    grid = np.geomspace(1.0, max(horizon, 1.0 + 1e-9), POINTS)
    at = np.maximum(np.searchsorted(cost, grid * (1 + 1e-12), side="right") - 1, 0)
    lost = np.isin(trajectory.status[start, setting], _LOST) & (grid > cost[-1])
    return tuple(np.where(lost, np.inf, fallen[at]).tolist())


def depth(paths: Iterable[Path]) -> float:
    """The lowest value of paths, the scale that those of one problem share; 0 where none falls."""
    finite = [value for path in paths for value in path if np.isfinite(value)]
    return min(finite, default=0.0)


def heights(path: Path, lowest: float) -> np.ndarray:
    """A path from 1 at the start to 0 at the lowest value of its problem; NaN where it is lost."""
    values = np.array(path)
    values = np.where(np.isfinite(values), values, np.nan)
    return 1.0 - values / lowest if lowest < 0 else np.where(np.isnan(values), np.nan, 1.0)


def median_heights(paths: Mapping[str, Path], lowest: Mapping[str, float]) -> np.ndarray:
    """[POINTS] median height over problems; NaN where most paths are lost.

    Args:
        paths: problem -> path.
        lowest: problem -> the lowest value there.
    """
    found = np.stack([heights(path, lowest[problem]) for problem, path in paths.items()])
    ranked = np.sort(np.where(np.isnan(found), np.inf, found), axis=0)
    middle = ranked[(len(ranked) - 1) // 2]
    return np.where(np.isinf(middle), np.nan, middle)


def sparkline(shown: Sequence[float] | np.ndarray, levels: str = BLOCKS) -> str:
    """Heights as characters, `LOST` where they are NaN."""
    top = len(levels) - 1
    return "".join(LOST if np.isnan(h) else levels[round(float(h) * top)] for h in shown)
