"""Print how far every optimizer of a library comes in 500 gradients on a small problem."""

from __future__ import annotations

import sys

from optbench.checks.reach import reach
from optbench.method import find_method
from optbench.optimizers.names import known_optimizers, library_optimizers

# What has no default in the libraries' signatures; Adadelta has a learning rate where it is given.
GIVEN = {
    "optax.adadelta": {"learning_rate": 1.0},
    "optax.MultiSteps": {"every_k_schedule": 2},
    "optax.apply_if_finite": {"max_consecutive_errors": 3},
    "optax.contrib.dpsgd": {"l2_norm_clip": 1.0, "noise_multiplier": 0.1},
    "optax.contrib.schedule_free": {"learning_rate": 1.0},
    "optax.lookahead": {"sync_period": 5, "slow_step_size": 0.5},
}


def main(names: list[str]) -> None:
    """Print one row per optimizer, the failures last."""
    libraries = {n: f for n, f in library_optimizers().items() if not names or n in names}
    inner = find_method("gradient_descent", known_optimizers())
    for found in sorted(reach(libraries, inner, GIVEN), key=lambda r: (bool(r.failure), r.name)):
        rate = "" if found.learning_rate is None else f"{found.learning_rate:.2g}"
        print(f"{found.name:<42}{found.ratio:>9.1e}{rate:>8}  {found.failure or 'ok'}")


if __name__ == "__main__":
    main(sys.argv[1:])
