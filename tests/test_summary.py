"""The end table: what it says is what the logs hold, and it fits the page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from optbench.records import Cell
from optbench.summary import Pair, Summary, summarize
from optbench.summary.text import LEGEND, MAX_LINES
from optbench.trajectory import TARGETS, Status, Trajectory

RATES = np.logspace(-3, 0, 4)
NEVER = np.nan


def log(hit_costs, *, rates=RATES, targets=TARGETS, status=None, budget=1000.0, **fields):
    """A trajectory of two log points with these costs [S, H, K] to the targets."""
    hit_costs = np.asarray(hit_costs, float)
    seeds, settings, _ = hit_costs.shape
    if status is None:
        ends = np.where(np.isfinite(hit_costs[..., -1]), Status.REACHED, Status.BUDGET)
        status = ends.astype(object)
    lanes = np.ones((seeds, settings, 2))
    given = dict(
        steps=np.arange(2),
        value=lanes * [1.0, 0.5],
        gradient_norm=lanes,
        cost=lanes * [1.0, budget],
        calls={},
        targets=np.asarray(targets),
        hit_steps=hit_costs - 1,
        hit_costs=hit_costs,
        hit_calls={},
        resolution="exact",
        merit="suboptimality",
        reference=0.0,
        initial_merit=np.ones((seeds, settings)),
        status=status,
        last=np.ones((seeds, settings), int),
        seeds=tuple(range(seeds)),
        settings={"learning_rate": np.asarray(rates)},
        recorded=np.array([], int),
        params=np.zeros((0, 2, 1)),
        diagnostics={},
        compile_seconds=2.0,
        run_seconds=0.5,
    )
    return Trajectory(**(given | fields))


def constant(cost, *, reaches=10, starts=3, settings=4, best=2):
    """Every start reaches the first targets, at one cost each; other settings take 3x as long."""
    costs = np.full((starts, settings, len(TARGETS)), NEVER)
    costs[..., :reaches] = cost * np.arange(1, reaches + 1)
    costs[:, np.arange(settings) != best] *= 3
    return log(costs)


def cell(problem, optimizer, status="finished", **fields):
    given = {"group": optimizer, "compile_seconds": 2.0, "run_seconds": 0.5, "message": ""}
    key = f"{problem}/{optimizer}"
    return Cell(key=key, problem=problem, optimizer=optimizer, status=status, **(given | fields))


def study_of(logs, cells=None, **settings):
    """The summary of {(problem, optimizer): log}."""
    problems, optimizers = (list(dict.fromkeys(names)) for names in zip(*logs, strict=True))
    if cells is None:
        cells = [cell(*names) for names, found in logs.items() if found is not None]
    given = {"name": "tried", "budget": 1000.0} | settings
    return summarize(given, problems, optimizers, cells, lambda *names: logs.get(names))
