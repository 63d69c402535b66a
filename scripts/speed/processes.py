"""What takes a process of its own: the study `quick`, cold and warm, and peak memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from speed.cases import job_of, problem_of

from optbench.results import Results
from optbench.run import execute


def study_seconds() -> dict[str, float]:
    """Seconds of `optbench run quick` with an empty cache of programs, and with a warm one."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for state in ("cold", "warm"):
            results = Path(folder) / "results"
            command = [sys.executable, "-m", "optbench", "run", "quick", "--fresh"]
            began, spent = time.perf_counter(), _child_seconds()
            subprocess.run(
                [*command, "--results", str(results)],
                check=True,
                capture_output=True,
                env=os.environ | {"XDG_CACHE_HOME": folder},
            )
            groups = {(c.problem, c.group): c.compile_seconds for c in Results.open(results).cells}
            found[f"quick {state}: wall seconds"] = time.perf_counter() - began
            found[f"quick {state}: CPU seconds"] = _child_seconds() - spent
            found[f"quick {state}: compile seconds"] = sum(s or 0.0 for s in groups.values())
    return found


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_memory() -> dict[str, float]:
    """Peak memory of a process that runs 200 lanes in 10,000 dimensions."""
    script = Path(__file__).parents[1] / "measure_speed.py"
    child = subprocess.run(
        [sys.executable, str(script), "--memory"], check=True, capture_output=True, text=True
    )
    return {"200 lanes x 10,000 dimensions: peak MB": float(child.stdout)}


def own_peak_memory() -> float:
    """Peak MB of this process, after running those lanes and logging the points of one."""
    execute(job_of(problem_of("rosenbrock[dim=10000]"), ("adam",), 200))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
