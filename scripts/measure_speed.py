"""Measure the loop: time per lane-step of Adam, 200 lanes, against other ways of the same steps.

Columns: microseconds per lane-step with normal logging; that over a hand-written vmapped loop of
the same steps in the same blocks of lanes, without logging; the same of a program of nine methods;
how many times slower a Python loop of jitted optax steps and torch.optim.Adam are, lane by lane.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

from speed.cases import CASES
from speed.processes import own_peak_memory, peak_memory, study_seconds
from speed.rounds import measure

from optbench.environment import describe_environment

EXAMPLES = """examples:
  python scripts/measure_speed.py
  python scripts/measure_speed.py --json > speed.json
  python scripts/measure_speed.py --case rosenbrock-2 --repeats 3"""


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case")
    parser.add_argument("--repeats", type=int, default=7, help="rounds of each case")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--memory", action="store_true", help="print own peak memory, and end")
    given = parser.parse_args()
    if given.memory:
        print(own_peak_memory())
        return
    rows = {}
    for name in given.case or CASES:
        rows[name] = row = measure(name, given.repeats)
        if not given.json:
            if len(rows) == 1:
                print(f"{'':17}" + "".join(f"{key.replace('_', ' '):>18}" for key in row))
            cells = ("-" if value is None else f"{value:.4g}" for value in row.values())
            print(f"{name:17}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
    whole = {} if given.case else peak_memory() | study_seconds()
    if given.json:
        environment = dataclasses.asdict(describe_environment())
        print(json.dumps({"loops": rows, **whole, "environment": environment}, indent=1))
    else:
        print("\n".join(f"{what} {value:.1f}" for what, value in whole.items()))


if __name__ == "__main__":
    main()
