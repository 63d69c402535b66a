"""Distances from the minimizer of a quadratic along its eigenvectors, as a page draws them."""

from __future__ import annotations

from typing import Any

import numpy as np

from optbench.figures.runs import ProblemRuns
from optbench.landscape import ModePath
from optbench.page.paths import thinned
from optbench.page.payload import Bytewise
from optbench.page.source import Source

MOST_STEPS = 48  # of one path
ABOVE_ROUNDING = 10.0  # times: what is less tells of rounding
SMALLEST, LARGEST = 1e-30, 1e30  # of what is drawn


def modes(source: Source, label: str) -> dict[str, Any] | None:
    """The modes of a quadratic, and the lanes along them; None where f is none."""
    landscape = source.landscapes[label]
    if landscape is None or landscape.modes is None:
        return None
    found, runs = landscape.modes, source.runs[label]
    labels = list(source.results.optimizers)
    lanes = [
        {"optimizer": labels.index(optimizer), **_lane(runs, optimizer, path)}
        for optimizer, paths in found.paths.items()
        for path in paths
        if optimizer in runs.tuned
    ]
    return {
        "curvatures": found.curvatures[found.shown].tolist(),
        "places": found.shown,
        "dim": len(found.curvatures),
        "lanes": lanes,
    }


def _lane(runs: ProblemRuns, optimizer: str, path: ModePath) -> dict[str, Any]:
    settings = runs.tuned[optimizer].trajectory.settings
    index = thinned(np.arange(len(path.steps)), MOST_STEPS)
    floor = ABOVE_ROUNDING * path.rounding
    return {
        "setting": {name: float(values[path.setting]) for name, values in settings.items()},
        "isDefault": path.is_default,
        "steps": path.steps[index],
        "measured": _single(path.coefficients[index]),
        "rounding": _single(path.rounding[index]),
        "theory": None if path.theory is None else _single(path.theory[index]),
        "factors": mean_factors(path.steps, path.coefficients, floor).astype(np.float32),
    }


def mean_factors(steps: np.ndarray, coefficients: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """[M] (c_t / c_0)^(1 / t) at the last step t up to which c stays above a floor; else NaN.

    Args:
        steps: [T], ascending from 0.
        coefficients: [T, M].
        floor: [T].
    """
    above = np.cumprod(np.isfinite(coefficients) & (coefficients > floor[:, None]), axis=0)
    last = above.sum(axis=0) - 1
    columns = np.arange(coefficients.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = coefficients[last, columns] / coefficients[0]
        return np.where(last > 0, ratio ** (1 / steps[last]), np.nan)


def _single(array: np.ndarray) -> Bytewise:
    """Sizes as what is drawn of them; what is not finite stays so."""
    return Bytewise(np.clip(array, SMALLEST, LARGEST).astype(np.float32))
