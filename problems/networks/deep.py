"""Deep networks: saddles without curvature, gradients that vanish, and the cures."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.layers import affine
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.transforms.minibatches import minibatches
from problems.draws import data_rng
from problems.networks.layers import (
    VARIANCE_FLOOR,
    Draw,
    InitialWeights,
    Network,
    dense_least_squares,
    draw_weights,
    layer_norm,
    least_squares,
    zeros,
)

NOISE = 0.3  # standard deviation in the targets of the linear network


def _linear_chain(weights: Any, inputs: Any, dense: Network = affine) -> Any:
    for matrix in weights:
        inputs = dense(inputs, matrix)
    return inputs


def _best_factors(inputs: np.ndarray, targets: np.ndarray, depth: int, rank: int) -> Any:
    """Balanced factors of the best map of a rank: least squares, its fit projected."""
    full = np.linalg.lstsq(inputs, targets)[0]
    leading = np.linalg.svd(inputs @ full, full_matrices=False)[2][:rank]
    left, scales, right = np.linalg.svd(full @ leading.T @ leading)
    share = scales[:rank] ** (1 / depth)
    first, last = left[:, :rank] * share, share[:, None] * right[:rank]
    return (first, *(np.diag(share) for _ in range(depth - 2)), last)


def deep_linear(
    depth: int = 3,
    dim: int = 5,
    hidden: int = 3,
    num_samples: int = 40,
    init: str = "lecun",
    *,
    seed: int = 0,
    batch_size: int | None = None,
) -> Problem:
    """A deep linear network: f(W_1, ..., W_L) = mean_i |x_i W_1 ... W_L - y_i|^2 / 2.

    The map is linear and the loss quadratic, but f is not convex in the factors. Every local
    minimum is global, all else are saddles, and from three layers on some of them, the origin
    among them, have no direction of negative curvature (Kawaguchi 2016, theorem 2.3).

    Dimension: 2 dim hidden + (depth - 2) hidden^2, 39 by default. Start: drawn by `init`.
    x*, f*: closed form, by reduced-rank regression: the least-squares map, its fit projected on
    its `hidden` leading right singular vectors; balanced factors (others reach the same product).
    Critical point: the origin is a saddle, f half the mean of |y|^2, flat up to order `depth`.
    Constants: none holds globally.

    Source: Baldi & Hornik (1989), "Neural networks and principal component analysis: learning from
    examples without local minima", Neural Networks 2, pages 53-58; Kawaguchi (2016), "Deep
    learning without poor local minima", NIPS 29.

    Args:
        depth: L, number of matrices, at least 2.
        dim: number of inputs and of outputs.
        hidden: width, and so rank, at most `dim`.
        num_samples: n, at least `dim`; inputs are standard normal.
        init: "uniform", "lecun", "xavier", "orthogonal" or "zeros".
        seed: of the data.
        batch_size: rows per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range, or an unknown initialization.
    """
    if depth < 2 or not 1 <= hidden <= dim <= num_samples:
        raise OptbenchError(
            f"no chain of {depth} matrices {dim} x {hidden} from {num_samples} samples",
            "give depth >= 2 and num_samples >= dim >= hidden >= 1",
        )
    rng = data_rng(seed)
    inputs = rng.standard_normal((num_samples, dim))
    noise = NOISE * rng.standard_normal((num_samples, dim))
    targets = inputs @ rng.standard_normal((dim, dim)) + noise
    shapes = [(dim, hidden), *[(hidden, hidden)] * (depth - 2), (hidden, dim)]
    best = _best_factors(inputs, targets, depth, hidden)
    origin = tuple(np.zeros(shape) for shape in shapes)
    problem = Problem(
        **dense_least_squares(_linear_chain),
        data=(inputs, targets),
        start=InitialWeights(tuple(Draw(shape, init) for shape in shapes)),
        minimum=float(np.sum((_linear_chain(best, inputs) - targets) ** 2) / (2 * num_samples)),
        minimizer=best,
        minimum_kind="closed form",
        critical_points=(
            CriticalPoint("saddle", float(np.sum(targets**2) / (2 * num_samples)), origin),
        ),
        constants=Constants(convex=False),
        name="deep_linear",
        source="Baldi & Hornik (1989), Neural Networks 2, pages 53-58",
    )
    return minibatches(problem, batch_size)


@dataclasses.dataclass(frozen=True)
class DeepTanh:
    """A deep tanh network; equal, and so compiled once, for equal cures.

    Attributes:
        residual: add the input of each layer to its output.
        layer_norm: normalize what enters tanh.
    """

    residual: bool
    layer_norm: bool

    def __call__(self, params: Any, inputs: Any) -> Any:
        """[n, 1] outputs."""

        def layer(states: Any, weights: Any) -> Any:
            summed = affine(states, *weights)
            moved = jnp.tanh(layer_norm(summed) if self.layer_norm else summed)
            return (states + moved if self.residual else moved), None

        states, _ = jax.lax.scan(layer, inputs, (params["weights"], params["biases"]))
        return states @ params["readout"]


def _layers(width: int, init: str, biases: Draw) -> dict[str, Draw]:
    depth = biases.shape[0]
    return {
        "weights": Draw((depth, width, width), init),
        "biases": biases,
        "readout": Draw((width, 1), init),
    }


def deep_tanh(
    depth: int = 20,
    width: int = 8,
    init: str = "uniform",
    residual: bool = False,
    layer_norm: bool = False,
    *,
    num_samples: int = 32,
    seed: int = 0,
    batch_size: int | None = None,
) -> Problem:
    """A deep tanh network and its teacher: h <- tanh(h W_l + b_l), l = 1, ..., depth; y = h v.

    f = mean_i (y(x_i) - y_i)^2 / 2. With the old uniform initialization each layer shrinks the
    signal forward, and the error sent back, by about sqrt 3. The error's size is that of the
    gradient of the biases: first layer over last it is 5e-6 by default, 0.06 with "xavier", 0.2
    with "orthogonal", and above 1 with residual connections or layer normalization (medians). The
    gradient of the weights, error times signal, is of like size in all layers: all tiny by default.

    Dimension: width (depth (width + 1) + 1), 1448 by default. Start: drawn by `init`, biases 0.
    x*: the teacher, of the same architecture, with orthogonal weights and small biases; f* = 0.
    Constants: none holds globally.

    Source: Glorot & Bengio (2010), "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS, equations 1 and 16; cures: Saxe, McClelland & Ganguli (2014),
    "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", ICLR;
    He et al. (2016), "Deep residual learning for image recognition", CVPR; Ba, Kiros & Hinton
    (2016), "Layer normalization", arXiv:1607.06450.

    Args:
        depth: number of hidden layers.
        width: of each, and number of inputs, which are standard normal.
        init: "uniform", "lecun", "xavier", "orthogonal" or "zeros".
        residual: add the input of each layer to its output.
        layer_norm: normalize what enters tanh.
        num_samples: n.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range, or an unknown initialization.
    """
    if num_samples < 1:
        raise OptbenchError(f"{num_samples} samples", "give num_samples >= 1")
    rng = data_rng(seed)
    teacher = draw_weights(_layers(width, "orthogonal", Draw((depth, width), scale=0.1)), rng)
    inputs = rng.standard_normal((num_samples, width))
    network = DeepTanh(residual, layer_norm)
    problem = Problem(
        **least_squares(network),
        data=(inputs, _teach(network, teacher, inputs)),
        start=InitialWeights(_layers(width, init, zeros(depth, width))),
        minimum=0.0,
        minimizer=teacher,
        minimum_kind="closed form",
        constants=Constants(convex=False),
        name="deep_tanh",
        source="Glorot & Bengio (2010), AISTATS, equations 1 and 16",
    )
    return minibatches(problem, batch_size)


def _teach(network: DeepTanh, teacher: Any, inputs: np.ndarray) -> np.ndarray:
    """The outputs of the teacher, in NumPy."""
    states = inputs
    for weights, biases in zip(teacher["weights"], teacher["biases"], strict=True):
        summed = states @ weights + biases
        if network.layer_norm:
            variance = summed.var(axis=1, keepdims=True)
            summed = (summed - summed.mean(axis=1, keepdims=True)) / np.sqrt(
                variance + VARIANCE_FLOOR
            )
        states = np.tanh(summed) + (states if network.residual else 0)
    return states @ teacher["readout"]
