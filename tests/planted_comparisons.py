"""Comparisons with known costs, without a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from optbench.comparison import Comparison, Outcome, Row
from optbench.records import ProblemRecord
from optbench.trajectory import Status

BUDGET = 1e4
CONVEX: dict[str, Any] = {
    "merit": "suboptimality",
    "minimum": 0.0,
    "minimum_kind": "closed form",
    "convex": True,
    "smoothness": 1.0,
}


def outcome(costs, **given) -> Outcome:
    """What costs [S] to one target come to; one gradient a step."""
    costs = np.asarray(costs, float)[:, None]
    missed = np.isnan(costs[:, 0])
    fields: dict[str, Any] = dict(
        index=0,
        setting={"learning_rate": 0.1},
        on_edge=False,
        targets=np.array([1e-6]),
        target=0,
        hit_costs=costs,
        hit_steps=costs,
        hit_calls={"value_and_gradients": costs},
        spent=np.where(missed, BUDGET, costs[:, 0]),
        steps=np.where(missed, BUDGET, costs[:, 0]),
        calls={"value_and_gradients": np.where(missed, BUDGET, costs[:, 0])},
        status=np.where(missed, Status.BUDGET, Status.REACHED).astype(object),
        trial_costs=np.full(16, 100.0),
        seconds_per_step=1e-6,
    )
    return Outcome(**(fields | given))


def planted(
    costs: Mapping[str, Any], *, tracks=None, records=None, statuses=None, given=None, **fields
) -> Comparison:
    """Rows with costs: optimizer -> [P, S], NaN where never; a row of None where it cannot run.

    Args:
        costs: by optimizer.
        tracks: optimizer -> its track, T_16 if not given.
        records: index of a problem -> fields of its record.
        statuses: (problem, optimizer) -> status of a pair without an outcome.
        given: (problem, optimizer) -> fields of its outcome.
    """
    count = max(len(rows) for rows in costs.values())
    labels = [f"p{p}" for p in range(count)]
    known = {
        label: ProblemRecord(label=label, **{**CONVEX, **(records or {}).get(p, {})})
        for p, label in enumerate(labels)
    }
    rows = {name: Row(name, (tracks or {}).get(name, "T_16")) for name in costs}
    outcomes, found = {}, {}
    for name, table in costs.items():
        for label, line in zip(labels, table, strict=True):
            status = (statuses or {}).get((label, name), "finished")
            found[label, name] = "not applicable" if line is None else status
            if found[label, name] == "finished":
                extra = (given or {}).get((label, name), {})
                outcomes[label, rows[name]] = outcome(line, **extra)
    of_all: dict[str, Any] = dict(
        target=1e-6,
        budget=BUDGET,
        problems=known,
        rows=tuple(rows.values()),
        outcomes=outcomes,
        statuses=found,
    )
    return Comparison(**(of_all | fields))


def noisy(rng, problems=20, seeds=5, *, gap=1.0, spread=0.3, scales=None, failing=0.0):
    """[P, S] costs around scales of problems, 10 to 1000, a share of the runs failing."""
    if scales is None:
        scales = 10.0 ** np.linspace(1, 3, problems)
    costs = gap * scales[:, None] * np.exp(spread * rng.standard_normal((problems, seeds)))
    return np.where(rng.random(costs.shape) < failing, np.nan, costs)
