"""A recurrent network on a task of long lag: gradients that explode, and vanish."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.layers import affine
from optbench.problem import Constants, Problem
from optbench.transforms.minibatches import minibatches
from problems.draws import data_rng
from problems.networks.layers import Draw, InitialWeights, least_squares, zeros

NOISE = 0.1  # standard deviation of what distracts


def _recurrent(params: Any, inputs: Any) -> Any:
    """[n, time, 2] inputs -> [n, 1] outputs after the last."""
    recurrent, biases = params["recurrent_weights"], params["biases"]

    def step(states: Any, entering: Any) -> Any:
        return jnp.tanh(affine(states, recurrent, biases) + entering), None

    entering = jnp.swapaxes(inputs @ params["input_weights"], 0, 1)
    states, _ = jax.lax.scan(step, jnp.zeros_like(entering[0]), entering)
    return states @ params["readout"]


def recurrent_recall(
    lag: int = 30,
    hidden: int = 8,
    spectral_radius: float = 1.2,
    num_samples: int = 32,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """A tanh network told a number that it must give back `lag` steps of noise later.

    h_t = tanh(h_{t-1} R + x_t U + b), the answer is h_lag v, and f its half mean square error. Of
    the two inputs one carries the number, a standard normal, at the first step and is 0 after; the
    other is noise. The gradient is a product of `lag` Jacobians: it vanishes or explodes with the
    spectral radius of R, and f has cliffs, before which clipping the gradient is of use.

    Dimension: hidden (hidden + 4), 96 by default. Start: R orthogonal times `spectral_radius`,
    LeCun's draws elsewhere, biases 0. x*: unknown. f*: 0 is the infimum: with R = I, noise shut
    out, U = e and v = 1 / e the answer tends to the number as e -> 0.
    Constants: none holds globally.

    Source: Bengio, Simard & Frasconi (1994), "Learning long-term dependencies with gradient descent
    is difficult", IEEE Transactions on Neural Networks 5(2), pages 157-166; Pascanu, Mikolov &
    Bengio (2013), "On the difficulty of training recurrent neural networks", ICML.

    Args:
        lag: steps of noise.
        hidden: number of hidden units.
        spectral_radius: of R at the start.
        num_samples: n.
        seed: of the data.
        batch_size: sequences per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size or the spectral radius out of range.
    """
    if lag < 1 or num_samples < 1 or not 0 < spectral_radius < np.inf:
        raise OptbenchError(
            f"no recall of {num_samples} numbers after {lag} steps at radius {spectral_radius}",
            "give lag >= 1, num_samples >= 1 and a positive spectral_radius",
        )
    rng = data_rng(seed)
    inputs = np.zeros((num_samples, lag + 1, 2))
    inputs[:, 0, 0] = rng.standard_normal(num_samples)
    inputs[:, 1:, 1] = NOISE * rng.standard_normal((num_samples, lag))
    draws = {
        "recurrent_weights": Draw((hidden, hidden), "orthogonal", scale=spectral_radius),
        "input_weights": Draw((2, hidden)),
        "biases": zeros(hidden),
        "readout": Draw((hidden, 1)),
    }
    problem = Problem(
        **least_squares(_recurrent),
        data=(inputs, inputs[:, 0, :1].copy()),
        start=InitialWeights(draws),
        minimum=0.0,
        minimum_kind="closed form",
        constants=Constants(convex=False),
        name="recurrent_recall",
        source="Bengio, Simard & Frasconi (1994), IEEE TNN 5(2), pages 157-166",
    )
    return minibatches(problem, batch_size)
