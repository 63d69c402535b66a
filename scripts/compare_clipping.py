"""Compare gradient descent with clipped gradient descent where gradients explode, both tuned.

Examples:
    python scripts/compare_clipping.py
    python scripts/compare_clipping.py "recurrent_recall[lag=50]"
"""

from __future__ import annotations

import sys

import numpy as np

import optbench
from optbench.design import LogGrid
from optbench.tables import align

NORMS = (0.01, 0.1, 1.0)
CLIPPED = "clip_by_global_norm(gradient_descent)"
OPTIMIZERS = ("gradient_descent", *(f"{CLIPPED}[max_norm={norm}]" for norm in NORMS))
RATES = LogGrid(low=1e-3, high=10.0, num=13)
HEADER = ("method", "best rate", "median f at the end", "cost to f0 / 10", "reached")


def spread(values: np.ndarray) -> str:
    """The median, and the smallest and largest value in brackets."""
    low, middle, high = np.quantile(values, [0.0, 0.5, 1.0], method="higher")
    return f"{middle:.3g} [{low:.3g}, {high:.3g}]"


def at_best(log: optbench.Trajectory) -> tuple[float, tuple[str, ...]]:
    """The median over starts of f at the end, at the best learning rate; and a row about it."""
    ends = np.take_along_axis(log.value, log.last[..., None], axis=-1)[..., 0]
    ends = np.where(np.isfinite(ends), ends, np.inf)
    best = int(np.argmin(np.median(ends, axis=0)))
    costs = np.nan_to_num(log.hit_costs[:, best, 0], nan=np.inf)
    reached = f"{np.isfinite(costs).sum()} of {len(costs)}"
    rate = f"{log.settings['learning_rate'][best]:.2g}"
    return float(np.median(ends[:, best])), (rate, spread(ends[:, best]), spread(costs), reached)


def main(problem: str = "recurrent_recall") -> None:
    """Run both at every learning rate, the clipped one at every norm, and say which does better."""
    study = optbench.Study(
        name="clipping", problems=(problem,), optimizers=OPTIMIZERS, seeds=9, learning_rate=RATES
    )
    results, found = optbench.run_study(study), {}
    for optimizer in OPTIMIZERS:
        if (log := results.trajectory(problem, optimizer)) is None:
            raise SystemExit(f"{optimizer} did not finish\n{results}")
        found[optimizer] = at_best(log)
    print(align(HEADER, [(name, *cells) for name, (_, cells) in found.items()], width=120))
    print(f"lowest median: {min(found, key=lambda name: found[name][0])}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
