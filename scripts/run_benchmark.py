"""Run a small study through the public API and print its table.

Examples:
    python scripts/run_benchmark.py
    python scripts/run_benchmark.py --seeds 10 --budget 2000 --results results/benchmark
"""

from __future__ import annotations

import argparse

import optbench

PROBLEMS = ("rosenbrock", "quadratic[condition_number=100.0]", "logistic_breast_cancer")
OPTIMIZERS = ("gradient_descent", "momentum", "adam", "clip_by_global_norm(momentum)", "lbfgs")


def main() -> None:
    """Run the study, or what is missing of it, and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="starts per pair")
    parser.add_argument("--budget", type=float, default=500.0, help="in gradient-equivalents")
    parser.add_argument("--results", default="results/benchmark", help="folder of the results")
    given = parser.parse_args()
    study = optbench.Study(
        name="benchmark",
        problems=PROBLEMS,
        optimizers=OPTIMIZERS,
        seeds=given.seeds,
        budget=given.budget,
    )
    print(optbench.run_study(study, given.results))


if __name__ == "__main__":
    main()
