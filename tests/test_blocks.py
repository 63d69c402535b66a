"""How many lanes run together."""

from __future__ import annotations

import jax
import numpy as np

from optbench.blocks import block_lanes, most_lanes
from optbench.job import prepare
from optbench.method import find_method
from optbench.optimizers.names import known_optimizers
from optbench.plan import Lanes, Plan
from optbench.program import abstract
from optbench.run import execute
from problems.classical.valleys import rosenbrock
from problems.classification.likelihoods import logistic

SEEDS = Lanes(seeds=tuple(range(40)))


def block_of(problem, optimizer: str) -> tuple[int, int]:
    job = prepare(problem, [find_method(optimizer, known_optimizers())], SEEDS, Plan(budget=20.0))
    return job.program.shape.block


def test_blocks_divide_the_lanes():
    assert block_lanes(10, 20, 200) == (10, 20)
    assert block_lanes(10, 20, 199) == (5, 20)
    assert block_lanes(10, 20, 11) == (1, 10)
    assert block_lanes(7, 1, 3) == (1, 1)


def test_dear_evaluations_let_few_lanes_wait():
    with jax.enable_x64(True):
        cheap, dear = rosenbrock(), logistic()
        starts = abstract(cheap.start(0)), abstract(dear.start(0))
        assert most_lanes(cheap, starts[0], waiting=True) > 10_000
        assert most_lanes(dear, starts[1], waiting=True) == 18  # 2e6 over 108 252 operations
        assert most_lanes(dear, starts[1], waiting=False) > 1000


def test_only_lanes_that_wait_for_each_other_are_few():
    dear = logistic()
    assert block_of(dear, "adam[learning_rate=0.1]") == (40, 1)
    assert block_of(dear, "newton_cg") == (10, 1)
    assert block_of(rosenbrock(), "newton_cg") == (40, 1)


def test_blocks_of_lanes_that_wait_change_nothing_but_rounding(monkeypatch):
    method = find_method("gradient_descent_backtracking", known_optimizers())
    small = logistic(num_samples=60, dim=4)
    plan, lanes = Plan(budget=60.0), Lanes(seeds=tuple(range(6)))
    whole = prepare(small, [method], lanes, plan)
    monkeypatch.setattr("optbench.blocks.WAITING_FLOPS", 1.0)
    parts = prepare(small, [method], lanes, plan)
    assert whole.program.shape.block == (6, 1) and parts.program.shape.block == (1, 1)
    one, other = execute(whole), execute(parts)
    np.testing.assert_allclose(one.value[..., :20], other.value[..., :20], rtol=1e-9)
    np.testing.assert_allclose(one.cost[..., :20], other.cost[..., :20], rtol=1e-12)
