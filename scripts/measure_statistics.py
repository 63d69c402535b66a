"""Measure how long statistics take on a study: bootstrap draws, signed ranks, profiles.

Costs are drawn at random: 40 problems, 25 methods, 5 seeds, unless told otherwise.
"""

from __future__ import annotations

import argparse
import resource
import time
from functools import partial

import numpy as np

from optbench.profiles import pairwise_profile, performance_profile, runtime_ecdf
from optbench.signed_rank import bayesian_signed_rank, holm, log_ratios, wilcoxon_signed_rank
from optbench.statistics import ratio_intervals

EXAMPLES = """examples:
  python scripts/measure_statistics.py
  python scripts/measure_statistics.py --problems 100 --seeds 20"""


def main() -> None:
    """Measure, and print seconds per part and the peak memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--methods", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10_000, help="of the bootstrap")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    costs = rng.lognormal(sigma=1.0, size=(given.methods, given.problems, given.seeds))
    medians, budget = np.median(costs, axis=-1), float(costs.max())
    pairs = [log_ratios(method, medians[0], budget) for method in medians[1:]]
    hits = np.where(costs[0] < np.quantile(costs, 0.8), costs[0], np.nan).T[..., None]
    spent = np.full(hits.shape[:2], budget)
    profile = np.geomspace(1, 64, 200)
    draws = {"costs": costs, "reference": costs[0], "rng": rng, "draws": given.draws}
    over = {f"bootstrap over {what}": what for what in ("runs", "problems")}
    parts = {
        "Wilcoxon and Holm": lambda: holm(np.array([wilcoxon_signed_rank(z) for z in pairs])),
        "Bayesian signed rank": lambda: [bayesian_signed_rank(z, rng=rng) for z in pairs],
        "performance profile": lambda: performance_profile(medians.T, profile),
        "pairwise profiles": lambda: [pairwise_profile(m, medians[0]) for m in medians],
        "runtimes, restarted": lambda: runtime_ecdf(hits, spent, profile, rng=rng),
    } | {name: partial(ratio_intervals, over=what, **draws) for name, what in over.items()}
    for name, part in parts.items():
        start = time.perf_counter()
        part()
        print(f"{name:24} {time.perf_counter() - start:8.3f} s", flush=True)
    print(
        f"{'peak memory':24} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB"
    )


if __name__ == "__main__":
    main()
