"""The command line, called as a user calls it, and what several tests call it with."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from click.testing import CliRunner, Result

from optbench.cli import main

STUDY = """
problems = ["booth", "himmelblau"]
optimizers = ["gradient_descent", "newton_cg", "natural_gradient"]
seeds = 2
budget = 30

[learning_rate]
low = 0.001
high = 0.1
num = 3
"""

MINE = """
import jax.numpy as jnp
import numpy as np
import optax
from optbench import Problem, start_near

def norm(params):
    return jnp.sum(params**2)

def bowl() -> Problem:
    return Problem(objective=norm, start=start_near(np.ones(2)))

def lying() -> Problem:
    zero = np.zeros(2)
    return Problem(objective=norm, start=start_near(np.ones(2)), minimum=1.0, minimizer=zero,
                   minimum_kind="closed form")

def unannotated():
    return bowl()

def unchanged(inner):
    return inner

def descent(learning_rate: float = 0.1):
    return optax.sgd(learning_rate)

def too_far(learning_rate: float = 0.1):
    return optax.sgd(3 * learning_rate)

def careless(learning_rate: float = 0.1):
    return optax.GradientTransformation(lambda params: (), lambda *given: 1 / 0)

# Bad ones

def vector() -> Problem:
    return Problem(objective=lambda params: params, start=start_near(np.ones(2)))

def whole() -> Problem:
    return Problem(objective=lambda params: jnp.sum(params).astype(int),
                   start=start_near(np.ones(2)))

def undefined() -> Problem:
    return Problem(objective=lambda params: norm(params) * np.nan, start=start_near(np.ones(2)))

def dataless() -> Problem:
    return Problem(objective=lambda params, features: norm(features @ params),
                   start=start_near(np.ones(2)))

def integers() -> Problem:
    return Problem(objective=norm, start=lambda seed: np.ones(2, int))

def empty() -> Problem:
    return Problem(objective=norm, start=lambda seed: np.ones(0))

def no_problem() -> Problem:
    return 3

def batched(learning_rate: float = 0.1):
    def update(updates, state, params=None, *, batch):
        return updates, state

    return optax.GradientTransformationExtraArgs(lambda params: (), update)

def needy(learning_rate: float, num_devices):
    return optax.sgd(learning_rate)

def no_optimizer(learning_rate: float = 0.1):
    return learning_rate
"""


def optbench(*arguments: object, **settings: object) -> Result:
    """One command in this process, which keeps its own setting of JAX's cache."""
    nothing = mock.patch("optbench.environment.enable_compilation_cache", return_value=None)
    with nothing:
        return CliRunner().invoke(main, [str(argument) for argument in arguments], **settings)


def write(path: Path, text: str) -> Path:
    """A file with this text."""
    path.write_text(text)
    return path
