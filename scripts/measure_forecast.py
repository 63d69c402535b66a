"""Measure how true `optbench run --dry-run` is: what it says, what a run tells, and their ratio.

The run is a process of its own, into a temporary folder, and compiles everything anew.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile

from optbench.study import StudyFinished, load_study, run_study

EXAMPLES = "example: python scripts/measure_forecast.py my_study.toml"
SCALE = 1024 if sys.platform != "darwin" else 1  # of ru_maxrss, in bytes


def truth(study: str, folder: str) -> dict[str, float]:
    """What a run of a study in this process took."""
    told = []
    run_study(load_study(study), folder, listener=told.append)
    (ended,) = (event for event in told if isinstance(event, StudyFinished))
    return {
        "compile_seconds": ended.compile_seconds,
        "run_seconds": ended.run_seconds,
        "memory_bytes": SCALE * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "seconds": ended.seconds,
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES)
    parser.add_argument("study", nargs="?", default="quick", help="name, or TOML file")
    parser.add_argument("--truth", metavar="DIR", help="run the study here, print JSON, and end")
    given = parser.parse_args()
    if given.truth:
        print(json.dumps(truth(given.study, given.truth)))
        return
    command = [sys.executable, "-m", "optbench", "run", given.study, "--dry-run", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        again = [sys.executable, __file__, given.study, "--truth", folder]
        found, true = (
            json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
            for line in ([*command, "--results", folder], again)
        )
    for name, value in true.items():
        estimate = found.get(name)
        ratio = "" if estimate is None else f"{estimate:>14.4g} {estimate / value:>8.2f}"
        print(f"{name:16} {value:>14.4g} {ratio}")


if __name__ == "__main__":
    main()
