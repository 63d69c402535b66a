"""A study of any size that nobody ran: every pair gains by a constant factor per step."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from optbench.records import Cell, CellStatus, ProblemRecord
from optbench.results import Results
from optbench.trajectory import TARGETS, TUNING_SEEDS_FROM, Status, Trajectory

BUDGET = 500.0
TRIALS = 16  # settings of a search; the defaults are one more
SEEDS = (*range(5), *range(TUNING_SEEDS_FROM, TUNING_SEEDS_FROM + 3))
STEPS = np.unique(np.geomspace(1, BUDGET, 80).round()).astype(int) - 1
FAMILIES = ("quadratics", "regression", "classification", "networks", "classical")
METHODS = ("gradient_descent", "momentum", "adam", "rmsprop", "nesterov", "lbfgs", "lion")
WRAPPERS = ("{}", "clip_by_global_norm({})", "clip_by_value({})", "lookahead({})", "averaged({})")


class Synthetic(Results):
    """Results whose trajectories are made when they are asked for."""

    def trajectory_of(self, cell: Cell) -> Trajectory | None:
        """The trajectory of a cell; None where it did not finish."""
        if cell.status != "finished":
            return None
        return trajectory(cell, self.problems[cell.problem])


def synthetic_study(num_problems: int, num_optimizers: int) -> Results:
    """The results of a study with some pairs that crashed, do not apply or have not run.

    Args:
        num_problems: how many problems.
        num_optimizers: how many optimizers, 35 at most without arguments in their labels.
    """
    problems = {record.label: record for record in map(_problem, range(num_problems))}
    optimizers = tuple(_label(index) for index in range(num_optimizers))
    cells = [_cell(p, o) for p in problems for o in optimizers]
    study: dict[str, Any] = {
        "name": "synthetic",
        "problems": [*problems],
        "optimizers": [*optimizers],
        "seeds": 5,
        "tuning_seeds": 3,
        "trials": TRIALS,
        "budget": BUDGET,
        "targets": [*TARGETS],
        "target": 1e-4,
        "reference": optimizers[0],
    }
    return Synthetic(
        folder=None,
        study=study,
        environment={},
        problems=problems,
        optimizers=optimizers,
        cells=tuple(cell for cell in cells if cell is not None),
        load=lambda key: None,
    )


def _label(index: int) -> str:
    wrapper, method = divmod(index, len(METHODS))
    again, wrapper = divmod(wrapper, len(WRAPPERS))
    arguments = f"[learning_rate={10.0**-again:g}]" * (again > 0)
    return WRAPPERS[wrapper].format(METHODS[method]) + arguments


def _problem(index: int) -> ProblemRecord:
    family = FAMILIES[index % len(FAMILIES)]
    return ProblemRecord(
        label=f"{family.removesuffix('s')}[dim={2 + index},seed={index}]",
        dim=2 + index,
        minimum=0.0,
        minimum_kind="closed form",
        convex=index % 2 == 0,
        smoothness=10.0,
        noise_floor=1e-16,
        merit="suboptimality",
        family=family,
    )


def _cell(problem: str, optimizer: str) -> Cell | None:
    key, status = f"{problem} {optimizer}", "finished"
    draw = zlib.crc32(key.encode()) % 100
    if draw == 0:
        return None
    kinds: dict[int, CellStatus] = {1: "failed", 2: "not applicable"}
    return Cell(
        key=key,
        problem=problem,
        optimizer=optimizer,
        group=optimizer,
        status=kinds.get(draw, status),
        message="" if draw > 2 else "as planned",
        trials=TRIALS,
        default_source="as planned",
    )


def trajectory(cell: Cell, problem: ProblemRecord) -> Trajectory:
    """f - f* falls by exp(-rate) per step, at a rate of its own for every lane."""
    rng = np.random.default_rng(zlib.crc32(cell.key.encode()))
    scale = rng.lognormal(-3.5, 1.0)
    settings = {"learning_rate": np.sort(10.0 ** rng.uniform(-5, 1, TRIALS + 1))}
    if "gradient_descent" not in cell.optimizer:
        settings["momentum"] = rng.uniform(0, 1, TRIALS + 1)
    rates = scale * np.exp(-((np.log10(settings["learning_rate"]) + 2) ** 2) / 2)
    rates = rates * rng.lognormal(0, 0.3, (len(SEEDS), 1))
    value = np.exp(-rates[..., None] * STEPS)
    targets = np.array(TARGETS)
    hits = np.ceil(-np.log(targets) / rates[..., None])
    hits = np.where(hits < STEPS[-1], hits, np.nan)
    cost = np.broadcast_to(STEPS + 1.0, value.shape)
    reached = np.isfinite(hits[..., -1])
    return Trajectory(
        steps=STEPS,
        value=value,
        gradient_norm=np.sqrt(value),
        cost=cost,
        calls={"value_and_gradients": cost},
        targets=targets,
        hit_steps=hits,
        hit_costs=hits + 1,
        hit_calls={"value_and_gradients": hits + 1},
        resolution="exact",
        merit="suboptimality",
        reference=problem.minimum,
        initial_merit=value[..., 0],
        status=np.where(reached, Status.REACHED, Status.BUDGET).astype(object),
        last=np.full(rates.shape, len(STEPS) - 1),
        seeds=SEEDS,
        settings=settings,
        recorded=np.zeros(0, int),
        params=np.zeros((0, len(STEPS), problem.dim or 1)),
        diagnostics={},
        compile_seconds=1.0,
        run_seconds=float(rng.uniform(0.1, 1.0)),
    )
