"""Timing: every way in turn, ABCABC, compilation apart, ratios round by round."""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import numpy as np
from speed.cases import CASES, GROUP, NUM_LANES, job_of, problem_of
from speed.loops import bare_loop, python_loop
from speed.torch_loop import torch_loop

from optbench.run import execute

Row = dict[str, float | None]


def measure(name: str, repeats: int) -> Row:
    """One row: microseconds per lane-step, and medians of ratios taken round by round."""
    label, num_steps, python_steps = CASES[name]
    problem = problem_of(label)
    alone, grouped = (job_of(problem, labels, num_steps) for labels in (("adam",), GROUP))
    block = int(np.prod(alone.program.shape.block))
    lane_steps = NUM_LANES * num_steps
    ways: dict[str, tuple[Callable[[], object] | None, int]] = {
        "optbench": (lambda: execute(alone), lane_steps),
        "bare": (bare_loop(problem, num_steps, block), lane_steps),
        "grouped": (lambda: execute(grouped, GROUP.index("adam")), lane_steps),
        "python": (python_loop(problem, python_steps), python_steps),
        "torch": (torch_loop(problem, python_steps), python_steps),
    }
    seconds = {way: np.full(repeats, np.nan) for way in ways}
    for index in range(-1, repeats):  # the first round warms up
        for way, (run, steps) in ways.items():
            if run is not None:
                spent = _seconds(run) / steps
                seconds[way][index] = spent
    ours, bare = seconds["optbench"], seconds["bare"]
    row = {
        "us_per_lane_step": float(1e6 * np.median(ours)),
        "over_bare": float(np.median(ours / bare)),
        "grouped_over_bare": float(np.median(seconds["grouped"] / bare)),
        "python_over_ours": float(np.median(seconds["python"] / ours)),
        "torch_over_ours": float(np.median(seconds["torch"] / ours)),
        "compile_seconds": alone.program.compile_seconds,
    }
    return {key: None if np.isnan(value) else value for key, value in row.items()}


def _seconds(run: Callable[[], object]) -> float:
    with jax.enable_x64(True):
        began = time.perf_counter()
        run()
        return time.perf_counter() - began
