"""What networks are built of: layers, the draws of their weights, and the losses they feed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from optbench.errors import OptbenchError, unknown_name
from optbench.problem import Params
from problems.draws import orthonormal

VARIANCE_FLOOR = 1e-5  # keeps the layer norm of equal entries differentiable


def layer_norm(inputs: Any) -> Any:
    """The last axis at mean 0 and variance 1, without gain and bias.

    Source: Ba, Kiros & Hinton (2016), "Layer normalization", arXiv:1607.06450, section 3.
    """
    centered = inputs - jnp.mean(inputs, axis=-1, keepdims=True)
    variance = jnp.mean(centered**2, axis=-1, keepdims=True)
    return centered / jnp.sqrt(variance + VARIANCE_FLOOR)


def _uniform(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    bound = 1 / np.sqrt(fan_in)
    return rng.uniform(-bound, bound, (fan_in, fan_out))


def _lecun(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    return rng.standard_normal((fan_in, fan_out)) / np.sqrt(fan_in)


def _xavier(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    bound = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, (fan_in, fan_out))


def _orthogonal(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    square = orthonormal(rng, max(fan_in, fan_out), min(fan_in, fan_out))
    return square if fan_in >= fan_out else square.T


def _zeros(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    return np.zeros((fan_in, fan_out))


INITIALIZATIONS: Mapping[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "uniform": _uniform,
    "lecun": _lecun,
    "xavier": _xavier,
    "orthogonal": _orthogonal,
    "zeros": _zeros,
}


@dataclasses.dataclass(frozen=True)
class Draw:
    """How one array of weights is drawn.

    Attributes:
        shape: (..., fan_in, fan_out), or (fan_in,) for the weights of one output; leading axes
            are layers, drawn one by one.
        init: "uniform" on +-1 / sqrt(fan_in) (variance 1 / (3 fan_in): Glorot & Bengio 2010,
            equation 1); "lecun", normal of variance 1 / fan_in (LeCun et al. 1998, section 4.6);
            "xavier", uniform of variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010, equation
            16); "orthogonal" (Saxe et al. 2014); "zeros".
        scale: factor on the draw.
    """

    shape: tuple[int, ...]
    init: str = "lecun"
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn.

        Raises:
            OptbenchError: an unknown initialization, or an axis without entries.
        """
        if self.init not in INITIALIZATIONS:
            known = list(INITIALIZATIONS)
            raise unknown_name("initialization", self.init, known, f"there are {', '.join(known)}")
        if min(self.shape) < 1:
            raise OptbenchError(f"no weights of shape {self.shape}", "give sizes of at least 1")

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """The weights."""
        matrix = self.shape[-2:] if len(self.shape) > 1 else (*self.shape, 1)
        count = int(np.prod(self.shape[:-2]))
        drawn = [INITIALIZATIONS[self.init](rng, *matrix) for _ in range(count)]
        return self.scale * np.stack(drawn).reshape(self.shape)


def zeros(*shape: int) -> Draw:
    """Biases: zero at every start."""
    return Draw(shape, "zeros")


def draw_weights(draws: Any, rng: np.random.Generator) -> Params:
    """One set of weights, from a pytree of draws."""
    return jax.tree.map(lambda draw: draw(rng), draws)


@dataclasses.dataclass(frozen=True, eq=False)
class InitialWeights:
    """A start rule: every seed draws every array of weights anew.

    Attributes:
        draws: pytree like the params, of `Draw`s.
    """

    draws: Any

    def __call__(self, seed: int) -> Params:
        """The weights of this seed."""
        return draw_weights(self.draws, np.random.default_rng(seed))


Network = Callable[..., Any]  # (params, inputs, *constants) -> outputs, one row per input


@dataclasses.dataclass(frozen=True)
class Outputs:
    """A network as a function of (params, inputs, targets, *constants): the targets are unused."""

    network: Network

    def __call__(self, params: Params, inputs: Any, targets: Any, *constants: Any) -> Any:
        """What the network makes of the inputs."""
        return self.network(params, inputs, *constants)


@dataclasses.dataclass(frozen=True)
class Layered:
    """A network of dense layers as a function of (params, dense, inputs, targets, *constants)."""

    network: Network

    def __call__(
        self, params: Params, dense: Network, inputs: Any, targets: Any, *constants: Any
    ) -> Any:
        """What the network makes of the inputs, with its layers computed by `dense`."""
        return self.network(params, inputs, *constants, dense=dense)


@dataclasses.dataclass(frozen=True)
class Loss:
    """A loss of the outputs of a network."""

    outputs: Outputs
    output_loss: Callable[..., Any]

    def __call__(self, params: Params, *data: Any) -> Any:
        """The loss at params."""
        return self.output_loss(self.outputs(params, *data), *data)


@dataclasses.dataclass(frozen=True)
class Errors:
    """Outputs less targets, over sqrt(n), so that f is half the sum of squares."""

    outputs: Outputs

    def __call__(self, params: Params, inputs: Any, targets: Any, *constants: Any) -> Any:
        """The residuals at params."""
        errors = self.outputs(params, inputs, targets, *constants) - targets
        return errors / jnp.sqrt(float(targets.shape[0]))


def half_mean_square(outputs: Any, inputs: Any, targets: Any, *constants: Any) -> Any:
    """Half the squared distance from the targets, mean over rows."""
    return jnp.sum((outputs - targets) ** 2) / (2 * targets.shape[0])


def mean_cross_entropy(logits: Any, inputs: Any, targets: Any, *constants: Any) -> Any:
    """-sum_k p_k log softmax(z)_k for targets p on the last axis, mean over the other axes."""
    count = targets.size // targets.shape[-1]
    return -jnp.sum(targets * jax.nn.log_softmax(logits)) / count


def least_squares(network: Network) -> dict[str, Any]:
    """The functions of a Problem: half the mean square error of a network."""
    outputs = Outputs(network)
    return {
        "objective": Loss(outputs, half_mean_square),
        "residuals": Errors(outputs),
        "outputs": outputs,
        "output_loss": half_mean_square,
        "row_arrays": 2,
    }


def dense_least_squares(network: Network) -> dict[str, Any]:
    """As `least_squares`, of a network of dense layers that takes a `dense` to compute them."""
    return {**least_squares(network), "network": Layered(network)}


def cross_entropy(network: Network) -> dict[str, Any]:
    """The functions of a Problem: the mean cross-entropy of a network that gives logits."""
    outputs = Outputs(network)
    return {
        "objective": Loss(outputs, mean_cross_entropy),
        "outputs": outputs,
        "output_loss": mean_cross_entropy,
        "row_arrays": 2,
    }
