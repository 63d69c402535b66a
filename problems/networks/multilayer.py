"""Networks of one hidden layer, and the single neuron."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError
from optbench.layers import affine
from optbench.problem import Constants, CriticalPoint, Problem
from optbench.start import standard_normal
from optbench.transforms.minibatches import minibatches
from problems import samples
from problems.draws import data_rng
from problems.linear_models import variance_of
from problems.networks.layers import (
    Draw,
    InitialWeights,
    Network,
    dense_least_squares,
    least_squares,
    mean_cross_entropy,
    zeros,
)

STEEPEST = 32 / 27  # the most of (1 + |t|) (1 - t^2), a neuron's slope in its input
NUM_PIXELS = 64  # of a digit; what follows in a row of features is an intercept


def _neuron(weights: Any, inputs: Any) -> Any:
    return jnp.tanh(inputs @ weights)


def one_neuron(
    dim: int = 2, num_samples: int = 50, seed: int = 0, *, batch_size: int | None = None
) -> Problem:
    """One neuron and its teacher: f(w) = mean_i (tanh(w.x_i) - tanh(w*.x_i))^2 / 2.

    f is not convex: it is flat where the neuron saturates. Yet x* is its only critical point where
    the x_i span the space: the slope along w - w* is a mean of products of
    tanh(w.x_i) - tanh(w*.x_i) and w.x_i - w*.x_i, which agree in sign, with positive factors. With
    noisy targets there can be exponentially many local minima (Auer et al. 1996).

    Dimension: `dim`. Start: a standard normal. x* = w*, drawn with norm 2; f* = 0.
    Constants: L = (1 + 8 / (3 sqrt 3)) lambda_max(X^T X / n), as |tanh'| <= 1,
    |tanh''| <= 4 / (3 sqrt 3) and errors are below 2; G = 32/27 mean_i |x_i|, as
    (1 + |t|)(1 - t^2) <= 32/27, and the gradient of a batch of B rows has a variance of at most
    (32/27)^2 mean_i |x_i|^2 / B; upper bounds all.

    Source: Auer, Herbster & Warmuth (1996), "Exponentially many local minima for single neurons",
    NIPS 8, pages 316-322.

    Args:
        dim: number of inputs.
        num_samples: n, at least `dim`; inputs are standard normal.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all of them.

    Raises:
        OptbenchError: fewer samples than inputs, or a batch size out of range.
    """
    if not 1 <= dim <= num_samples:
        raise OptbenchError(
            f"no teacher of {dim} inputs from {num_samples} samples", "give num_samples >= dim >= 1"
        )
    rng = data_rng(seed)
    inputs, teacher = rng.standard_normal((num_samples, dim)), rng.standard_normal(dim)
    teacher *= 2 / np.linalg.norm(teacher)
    lengths, largest = np.linalg.norm(inputs, axis=1), np.linalg.norm(inputs, 2) ** 2 / num_samples
    problem = Problem(
        **least_squares(_neuron),
        data=(inputs, np.tanh(inputs @ teacher)),
        start=standard_normal((dim,)),
        minimum=0.0,
        minimizer=teacher,
        minimum_kind="closed form",
        constants=Constants(
            smoothness=float((1 + 8 / (3 * np.sqrt(3))) * largest),
            gradient_bound=float(STEEPEST * np.mean(lengths)),
            noise_variance=variance_of(float(STEEPEST**2 * np.mean(lengths**2)), batch_size),
            convex=False,
        ),
        region=((-4.0, 4.0), (-4.0, 4.0)) if dim == 2 else None,
        name="one_neuron",
        source="Auer, Herbster & Warmuth (1996), NIPS 8, pages 316-322",
    )
    return minibatches(problem, batch_size)


def _perceptron(params: Any, inputs: Any, dense: Network = affine) -> Any:
    hidden = jnp.tanh(dense(inputs, params["hidden_weights"], params["hidden_biases"]))
    return dense(hidden, params["output_weights"], params["output_biases"])


def _draws(num_inputs: int, hidden: int, num_outputs: int) -> dict[str, Draw]:
    return {
        "hidden_weights": Draw((num_inputs, hidden)),
        "hidden_biases": zeros(hidden),
        "output_weights": Draw((hidden, num_outputs)),
        "output_biases": zeros(num_outputs),
    }


def teacher_student(
    dim: int = 2,
    hidden: int = 3,
    num_samples: int = 40,
    seed: int = 0,
    *,
    batch_size: int | None = None,
) -> Problem:
    """A two-layer network and its teacher: mean_i (V tanh(W x_i + b) + c - y_i)^2 / 2.

    The targets y come from a network of the same size with standard normal weights and biases. On
    the way, students linger on plateaus where hidden units are equal or without effect.

    Dimension: hidden (dim + 2) + 1, 13 by default. Start: LeCun's draws, biases 0. x*: the teacher;
    permuting hidden units, or changing the sign of all weights of one, gives others; f* = 0.
    Critical point: zero weights with c the mean target are a saddle, f half the variance of y.
    Constants: none holds globally.

    Source: Saad & Solla (1995), "On-line learning in soft committee machines", Physical Review E
    52(4), pages 4225-4243; plateaus: Fukumizu & Amari (2000), "Local minima and plateaus in
    hierarchical structures of multilayer perceptrons", Neural Networks 13(3), pages 317-327.

    Args:
        dim: number of inputs, which are standard normal.
        hidden: number of hidden units of both.
        num_samples: n, at least 2.
        seed: of the data.
        batch_size: rows per sampled gradient; None for all of them.

    Raises:
        OptbenchError: sizes below 1, fewer than 2 samples, or a batch size out of range.
    """
    if num_samples < 2:
        raise OptbenchError(f"no saddle with {num_samples} samples", "give num_samples >= 2")
    rng = data_rng(seed)
    draws = _draws(dim, hidden, 1)
    teacher = {name: rng.standard_normal(draw.shape) for name, draw in draws.items()}
    inputs = rng.standard_normal((num_samples, dim))
    activations = np.tanh(inputs @ teacher["hidden_weights"] + teacher["hidden_biases"])
    targets = activations @ teacher["output_weights"] + teacher["output_biases"]
    flat = {name: np.zeros(draw.shape) for name, draw in draws.items()}
    flat["output_biases"] = targets.mean(axis=0)
    problem = Problem(
        **dense_least_squares(_perceptron),
        data=(inputs, targets),
        start=InitialWeights(draws),
        minimum=0.0,
        minimizer=teacher,
        minimum_kind="closed form",
        critical_points=(CriticalPoint("saddle", float(np.var(targets) / 2), flat),),
        constants=Constants(convex=False),
        name="teacher_student",
        source="Saad & Solla (1995), Physical Review E 52(4), pages 4225-4243",
    )
    return minibatches(problem, batch_size)


def xor_network(batch_size: int | None = None) -> Problem:
    """Exclusive or by two tanh units: mean over four rows of (V tanh(W x + b) + c - y)^2 / 2.

    Inputs are (+-1, +-1), the target is +1 where they differ and -1 where they agree; no linear
    function does better than f = 1/2. There are regions of local minima at saturated units, but
    from every finite point a descent leads to f = 0 (Sprinkhuizen-Kuyper & Boers 1998).

    Dimension: 9. Start: LeCun's draws, biases 0. x*: hidden units tanh(x_1 + x_2 + 1) and
    tanh(x_1 + x_2 - 1), read out with +-v, v = 2 / (3 tanh 1 - tanh 3), and c = 1 - 2 v tanh 1;
    f* = 0.
    Constants: none holds globally.

    Source: Sprinkhuizen-Kuyper & Boers (1998), "The error surface of the 2-2-1 XOR network: the
    finite stationary points", Neural Networks 11(4), pages 683-690; the task: Rumelhart, Hinton &
    Williams (1986), "Learning internal representations by error propagation".

    Args:
        batch_size: rows per sampled gradient; None for all four.

    Raises:
        OptbenchError: a batch size out of range.
    """
    inputs = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    readout = 2 / (3 * np.tanh(1.0) - np.tanh(3.0))
    problem = Problem(
        **dense_least_squares(_perceptron),
        data=(inputs, -inputs[:, :1] * inputs[:, 1:]),
        start=InitialWeights(_draws(2, 2, 1)),
        minimum=0.0,
        minimizer={
            "hidden_weights": np.ones((2, 2)),
            "hidden_biases": np.array([1.0, -1.0]),
            "output_weights": np.array([[readout], [-readout]]),
            "output_biases": np.array([1 - 2 * readout * np.tanh(1.0)]),
        },
        minimum_kind="closed form",
        constants=Constants(convex=False),
        name="xor_network",
        source="Sprinkhuizen-Kuyper & Boers (1998), Neural Networks 11(4), pages 683-690",
    )
    return minibatches(problem, batch_size)


def _penalized_network(params: Any, dense: Network, inputs: Any, *rest: Any) -> Any:
    """The logits, and the params for the penalty."""
    return _perceptron(params, inputs, dense), params


def _penalized_outputs(params: Any, *data: Any) -> Any:
    return _penalized_network(params, affine, *data)


def _penalized_loss(outputs: Any, inputs: Any, targets: Any, l2: Any) -> Any:
    logits, params = outputs
    squares = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
    return mean_cross_entropy(logits, inputs, targets) + l2 / 2 * squares


def _penalized(params: Any, *data: Any) -> Any:
    return _penalized_loss(_penalized_outputs(params, *data), *data)


def _images(num_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The first digits, pixels and one-hot labels."""
    data = samples.digits()
    if not 1 <= num_samples <= len(data.features):
        raise OptbenchError(
            f"there are {len(data.features)} digits, and {num_samples} are asked for",
            f"give 1 <= num_samples <= {len(data.features)}",
        )
    return data.features[:num_samples, :NUM_PIXELS], data.targets[:num_samples]


def mlp_digits(
    hidden: int = 6,
    num_samples: int = 300,
    l2: float = 1e-3,
    *,
    batch_size: int | None = None,
) -> Problem:
    """Handwritten digits by one hidden layer of tanh units: cross-entropy + l2 |params|^2 / 2.

    Dimension: 65 hidden + 10 (hidden + 1), 460 by default. Start: LeCun's draws, biases 0.
    x*, f*: unknown; f is not convex. They exist, as the penalty grows in all directions.
    Constants: none holds globally.

    Source: LeCun, Bottou, Orr & Mueller (1998), "Efficient backprop", section 4; data: Alpaydin &
    Kaynak (1998), "Cascading classifiers", Kybernetika 34(4), pages 369-374.

    Args:
        hidden: number of hidden units.
        num_samples: how many images, from the first.
        l2: penalty on all weights and biases, positive.
        batch_size: images per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size or the penalty out of range.
    """
    if not 0 < l2 < np.inf:
        raise OptbenchError(
            f"l2 is {l2}: without a penalty there need be no minimizer", "give l2 > 0"
        )
    problem = Problem(
        objective=_penalized,
        data=(*_images(num_samples), np.float64(l2)),
        start=InitialWeights(_draws(NUM_PIXELS, hidden, 10)),
        constants=Constants(convex=False),
        outputs=_penalized_outputs,
        output_loss=_penalized_loss,
        network=_penalized_network,
        row_arrays=2,
        name="mlp_digits",
        source="LeCun, Bottou, Orr & Mueller (1998), Efficient backprop, section 4",
    )
    return minibatches(problem, batch_size)


def autoencoder_digits(
    hidden: int = 3, num_samples: int = 300, *, batch_size: int | None = None
) -> Problem:
    """Digits through a bottleneck of tanh units: f = mean_i |V tanh(W x_i + b) + c - x_i|^2 / 2.

    What the linear readout can give has rank `hidden` around c, so f is no less than half the
    variance outside the leading principal components. Small codes make tanh linear: the bound is
    approached as W -> 0 and V -> infinity with V W fixed, and is the infimum.

    Dimension: 64 (2 hidden + 1) + hidden, 451 by default. Start: LeCun's draws, biases 0. x*: none,
    the infimum is not attained. f*: half the sum of the covariance's other eigenvalues.
    Constants: none holds globally.

    Source: Bourlard & Kamp (1988), "Auto-association by multilayer perceptrons and singular value
    decomposition", Biological Cybernetics 59, pages 291-294.

    Args:
        hidden: size of the code, at most 64.
        num_samples: how many images, from the first.
        batch_size: images per sampled gradient; None for all of them.

    Raises:
        OptbenchError: a size out of range.
    """
    if not 1 <= hidden <= NUM_PIXELS:
        raise OptbenchError(f"no bottleneck of {hidden} units", f"give 1 to {NUM_PIXELS}")
    images, _ = _images(num_samples)
    singular = np.linalg.svd(images - images.mean(axis=0), compute_uv=False)
    problem = Problem(
        **dense_least_squares(_perceptron),
        data=(images, images),
        start=InitialWeights(_draws(NUM_PIXELS, hidden, NUM_PIXELS)),
        minimum=float(np.sum(singular[hidden:] ** 2) / (2 * num_samples)),
        minimum_kind="closed form",
        constants=Constants(convex=False),
        name="autoencoder_digits",
        source="Bourlard & Kamp (1988), Biological Cybernetics 59, pages 291-294",
    )
    return minibatches(problem, batch_size)
