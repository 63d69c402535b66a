"""The section of diagnostics: what was measured along the path of the first start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from optbench.figures.diagnostics import (
    MOST_LEAVES,
    is_measured,
    leaf_names,
    measured,
    relative_sharpness,
)
from optbench.figures.runs import ProblemRuns, Tuned
from optbench.health import (
    EXPLODING,
    LOW_PRECISIONS,
    SPIKE_FACTOR,
    SPIKE_WINDOW,
    STATISTICS,
    VANISHING,
)
from optbench.page.convergence import thinned
from optbench.page.source import Source

POINTS = 64  # of a line, at most, but for spikes
RELATIVE = "relative_sharpness"
GRADIENT_NORM = "gradient_norm"
LOG = {"scale": "log"}
COSINE = {"scale": "linear", "limits": (-1.08, 1.08), "levels": [(0.0, "")]}
SHARE = {"scale": "linear", "limits": (-0.04, 1.04), "levels": []}

# What is drawn of a kind, panel by panel: `name` of the values, `against` of a dotted line,
# `marks` of the points that are ringed, `of` the leaves of which there is a panel each.
KINDS: dict[str, dict[str, Any]] = {
    "gradient-health": {
        "title": "gradient norm",
        "told": f"below {VANISHING:g} a gradient vanishes (or f has converged), above "
        f"{EXPLODING:g} it explodes; ringed: spikes, more than {SPIKE_FACTOR} times the median of "
        f"the {SPIKE_WINDOW} log points before",
        "panels": [
            {
                "name": GRADIENT_NORM,
                "label": "|∇f(x)|",
                "levels": [(VANISHING, "vanishing"), (EXPLODING, "exploding")],
                "marks": "gradient_spikes",
                **LOG,
            }
        ],
    },
    "sharpness": {
        "title": "sharpness",
        "told": "the sharpness is the largest Hessian eigenvalue, where it is positive; dotted: "
        "the threshold above which the method diverges on a quadratic: 2 / (learning rate) for "
        "gradient descent, more with momentum; for Adam and its kin both are of the preconditioned "
        "Hessian; last, the sharpness the method sees over its threshold",
        "panels": [
            {
                "name": "sharpness",
                "label": "sharpness",
                "against": "sharpness_threshold",
                **LOG,
            },
            {
                "name": "preconditioned_sharpness",
                "label": "preconditioned",
                "against": "preconditioned_sharpness_threshold",
                **LOG,
            },
            {
                "name": RELATIVE,
                "label": "over threshold",
                "levels": [(1.0, "edge of stability")],
                **LOG,
            },
        ],
    },
    "steps": {
        "title": "steps and clipping",
        "told": "1 is a step along the negative gradient, or along Newton's step, -1 one against "
        "it; Newton's step is absent where the Hessian is singular or its equation is not solved; "
        "the ratio is the norm of the step over that of the parameters; clipping is told by the "
        "methods that clip",
        "panels": [
            {"name": "step_cosine_gradient", "label": "cosine to −∇f", **COSINE},
            {"name": "step_cosine_newton", "label": "cosine to Newton", **COSINE},
            {"name": "update_ratio", "label": "step / parameters", **LOG},
            {"name": "clipped_fraction", "label": "share clipped", **SHARE},
            {"name": "clipping_cosine", "label": "cosine to unclipped", **COSINE},
        ],
    },
    "underflow": {
        "title": "underflow",
        "told": "the share of the gradient's entries that become 0 or subnormal when rounded to "
        "this precision; loss scaling helps where it is high",
        "panels": [{"name": f"underflow_{p}", "label": p, **SHARE} for p in LOW_PRECISIONS],
    },
    "parameters": {
        "title": "parameters",
        "told": "a statistic over the entries of each array of the parameters, the first few",
        "of": "params",
    },
    "gradients": {
        "title": "gradients",
        "told": "a statistic over the entries of each array of the gradient, the first few",
        "of": "gradient",
    },
}


def diagnostics(source: Source) -> dict[str, Any] | None:
    """What was measured, at the tuned settings from the first start; None where nothing was.

    The share of clipped steps is told by methods that clip, whether or not the study asked for
    diagnostics.
    """
    found = [_problem(runs) for runs in source.runs.values()]
    if not any(problem["lines"] for problem in found):
        return None
    names = list(source.results.optimizers)
    for problem in found:
        problem["lines"] = [problem["lines"].get(name) for name in names]
    return {"kinds": KINDS, "statistics": STATISTICS, "problems": found}


def _problem(runs: ProblemRuns) -> dict[str, Any]:
    leaves = {of: leaf_names(runs, of)[: MOST_LEAVES["screen"]] for of in ("params", "gradient")}
    whole = is_measured(runs)
    lines = {
        name: line
        for name, tuned in runs.tuned.items()
        if (line := _line(tuned, _names(leaves), whole=whole)) is not None
    }
    return {"measured": whole, "leaves": leaves, "lines": lines}


def _names(leaves: dict[str, list[str]]) -> Iterator[str]:
    """All that panels draw, but what is computed here."""
    for kind in KINDS.values():
        for panel in kind.get("panels", ()):
            yield from (panel[key] for key in ("name", "against", "marks") if key in panel)
        for place in leaves.get(kind.get("of", ""), ()):
            yield from (f"{place}/{statistic}" for statistic in STATISTICS)


def _line(tuned: Tuned, names: Iterator[str], *, whole: bool) -> dict[str, Any] | None:
    """Setting, names, and [1 + N, G] steps and the values of each name; None if none is known."""
    known = {name: values for name in names if (values := measured(tuned, name)) is not None}
    if whole and (relative := relative_sharpness(tuned)) is not None:
        known[RELATIVE] = relative
    if whole and "sharpness" in known:
        known[GRADIENT_NORM] = tuned.trajectory.gradient_norm[0, tuned.setting]
    elif not known.keys() & {"clipped_fraction", "clipping_cosine"}:
        return None
    kept = _kept(tuned, known.get("gradient_spikes"))
    steps = tuned.trajectory.steps.astype(float)
    with np.errstate(over="ignore", under="ignore"):
        rows = np.stack([steps, *known.values()])[:, kept].astype(np.float32)
    return {"setting": tuned.setting_text, "names": list(known), "rows": rows}


def _kept(tuned: Tuned, spikes: np.ndarray | None) -> np.ndarray:
    """Indices of the log points that are drawn: up to the end of the lane, and all spikes."""
    trajectory = tuned.trajectory
    last = int(trajectory.last[0, tuned.setting])
    kept = thinned(trajectory.steps[: last + 1].astype(float), POINTS)
    return kept if spikes is None else np.union1d(kept, np.flatnonzero(spikes == 1))
